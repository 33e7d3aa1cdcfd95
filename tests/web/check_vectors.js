// Checks the page's session against tests/vectors; test_web_session.py runs it.

import { EventDetector } from "../events.js";
import { ExportedFile } from "../exported_file.js";
import { FrameClock } from "../frame_clock.js";
import { FramePreparation } from "../frame_preparation.js";
import { LiteRtRunner, onCpu } from "../litert_runner.js";
import { loadRuntime } from "../litert.js";
import { StreamSession } from "../stream_session.js";
import { TimeUnit } from "../time_unit.js";

/** Answers as counter.tflite, chunks.tflite and labels.tflite do; tests/vectors/README.md says how. */
class CounterRunner {
  #exported;
  #means;
  #count;
  #level;

  constructor(exported) {
    this.#exported = exported;
    this.#means = new Array(exported.framesPerStep);
  }

  reset() {
    this.#count = this.#exported.states.get("count").initialValue;
    this.#level = this.#exported.states.get("level").initialValue;
  }

  takeFrame(square, index) {
    this.#means[index] = mean([...square].map((byte) => byte / 255));
  }

  async step() {
    this.#count += 1;
    this.#level = Int8Array.of(this.#level - 3)[0];
    return Float32Array.of(this.#count, mean(this.#means), this.#level);
  }

  close() {}
}

function mean(values) {
  return values.reduce((one, other) => one + other, 0) / values.length;
}

/** Returns frame `index` of the vectors, RGB. */
export function frame(index, height, width) {
  return Uint8Array.from({ length: height * width * 3 }, (_, i) => {
    const [row, column, channel] = [
      Math.floor(i / 3 / width),
      Math.floor(i / 3) % width,
      i % 3,
    ];
    return (31 * index + 7 * row * row + 5 * column + 3 * row * column + 89 * channel) % 256;
  });
}

function withAlpha(rgb) {
  return Uint8Array.from({ length: (rgb.length / 3) * 4 }, (_, i) =>
    i % 4 === 3 ? 255 : rgb[Math.floor(i / 4) * 3 + (i % 4)],
  );
}

function check(holds, what) {
  if (!holds) throw new Error(`${what} differs from Python's.`);
}

function checkClock({ fps, max_gap, times, ticks, end, end_ticks }) {
  const clock = new FrameClock(fps, max_gap, () => {});
  times.forEach((time, i) => check(clock.arrive(time) === ticks[i], "A number of ticks"));
  check(clock.end(end) === end_ticks, "A number of ticks at the end");
}

function checkTimeUnit({ max_gap, times, answers }) {
  const unit = new TimeUnit(max_gap);
  answers.forEach((answer, i) => {
    let told;
    try {
      told = unit.check(times[i]);
    } catch (error) {
      told = /look like (.*): divide/.exec(error.message)[1];
    }
    check(told === answer, "A time's unit");
  });
}

function checkPreparation({ frame_fit, size, resize, height, width, pixels }) {
  for (const given of [frame(3, height, width), withAlpha(frame(3, height, width))]) {
    const preparation = new FramePreparation(frame_fit === "short_side", resize, size);
    const prepared = preparation.prepare(given, width, height);
    check(prepared.length === pixels.length, "A prepared frame's size");
    check(
      prepared.every((pixel, i) => Math.abs(pixel - pixels[i]) <= 1),
      "A prepared pixel",
    );
  }
}

/** Compares events with lists of start, end, class and score. */
function checkSame(found, expected, tolerance) {
  check(found.length === expected.length, "An event");
  expected.forEach(([start, end, label, score], i) => {
    check(
      Math.abs(found[i].start - start) <= 1e-6 &&
        Math.abs(found[i].end - end) <= 1e-6 &&
        found[i].label === label &&
        Math.abs(found[i].score - score) <= tolerance,
      "An event",
    );
  });
}

function checkEvents(of) {
  const { labels, on_thresholds: on, off_thresholds: off, spans, scores, events } = of;
  const detector = of.several_labels
    ? new EventDetector(labels, { on, off, overlap: true }, of.least_seconds, of.merge_gap)
    : EventDetector.ofRules(labels, {
        onThreshold: on[0],
        offThreshold: off[0],
        leastSeconds: of.least_seconds,
        mergeGap: of.merge_gap,
      });
  // Twice, for the end must forget all.
  for (let run = 0; run < 2; run += 1) {
    spans.forEach(([start, end], i) =>
      checkSame(
        detector.push(
          start,
          end,
          scores[i].map((score) => score ?? NaN),
        ),
        events[i],
        0,
      ),
    );
    checkSame(detector.finish(), events.at(-1), 0);
  }
}

async function checkStream(of) {
  const { model, prepared, height, width, frames, times, steps, logits, tolerance } = of;
  const { scores, named, answers, events } = of;
  const exported = new ExportedFile(model, await fetched(`vectors/${model}`));
  const runner = [...exported.states.keys()].includes("level")
    ? new CounterRunner(exported)
    : await LiteRtRunner.open(exported, onCpu(1));
  const rules = of.rules && {
    onThreshold: of.rules.on_threshold,
    offThreshold: of.rules.off_threshold,
    leastSeconds: of.rules.least_seconds,
    mergeGap: of.rules.merge_gap,
  };
  const session = new StreamSession(exported, runner, { findEvents: Boolean(events), rules });
  // Twice, for a reset must forget all.
  for (let run = 0; run < 2; run += 1) {
    for (const [i, expected] of logits.entries()) {
      const time = times?.[i] ?? null;
      if (i === frames) await session.flush();
      else if (prepared) await session.pushPrepared(frame(i, height, width), time);
      else await session.push(frame(i, height, width), width, height, time);
      check(session.steps === steps[i], "A number of steps");
      if (session.steps === 0) continue;
      const found = await session.logits();
      check(found.length === expected.length, "The number of classes");
      check(
        found.every((logit, j) => Math.abs(logit - expected[j]) <= tolerance),
        "A logit",
      );
      if (answers) {
        const { label, score } = await session.answer();
        check(
          label === answers[i][0] && Math.abs(score - answers[i][1]) <= 1e-5,
          "An answer",
        );
      }
      if (events) checkSame(session.events(), events[i], 1e-5);
      if (!scores) continue;
      const given = await session.classify();
      check(
        given.every((score, j) => Math.abs(score - scores[i][j]) <= 1e-5),
        "A score",
      );
      const names = (await session.named()).map(([name]) => name).sort();
      check(names.join() === named[i].join(), "The named classes");
    }
    session.reset();
  }
  session.close();
}

const CHECKS = {
  clock: checkClock,
  time_unit: checkTimeUnit,
  preparation: checkPreparation,
  events: checkEvents,
  streams: checkStream,
};

/** Returns bytes of this site. */
export async function fetched(name) {
  return new Uint8Array(await (await fetch(name)).arrayBuffer());
}

/** Returns what is wrong with the first case that is not as Python's; null if none. */
export async function firstDifference(name, cases) {
  await loadRuntime({ kind: "cpu", threads: 1 });
  for (const [index, each] of cases.entries()) {
    try {
      await CHECKS[name](each);
    } catch (error) {
      return `${name}, case ${index}: ${error.message}`;
    }
  }
  return null;
}

/** Opens files of bytes in Base64; returns "opens" or the error of each. */
export function opened(files) {
  return files.map(([name, content]) => {
    try {
      new ExportedFile(
        name,
        Uint8Array.from(atob(content), (character) => character.charCodeAt(0)),
      );
      return "opens";
    } catch (error) {
      return error.message;
    }
  });
}
