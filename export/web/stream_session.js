import {
  BACKGROUND,
  checkRules,
  EventDetector,
  LEAST_SECONDS,
  likeliest,
  MERGE_GAP,
  OFF_SHARE,
} from "./events.js";
import { checkEnd, checkTime, FrameClock } from "./frame_clock.js";
import { FramePreparation } from "./frame_preparation.js";
import { TimeUnit } from "./time_unit.js";

// How the names of states end that count a stream's frames.
const FRAME_COUNT = "frame_count";

/**
 * Runs the model's steps and keeps its states; litert_runner.js has one.
 *
 * @typedef {object} Runner
 * @property {function(): void} reset gives all states their initial values.
 * @property {function(string, number): void} setState sets all numbers of a state before the
 *     next step.
 * @property {function(Uint8Array, number): void} takeFrame takes the frame of an index in a
 *     step, bytes [size, size, 3].
 * @property {function(): Promise<?Float32Array>} step runs a step; gives the logits, or null
 *     if `classify` gives them on demand.
 * @property {function(): Promise<Float32Array>} classify gives the logits of the states.
 * @property {function(): void} close
 */

/**
 * Classifies a video frame by frame. The JavaScript version of grw_tf/streaming.
 *
 * Without times, the model sees every frame pushed. With times, in seconds, it sees the
 * frames that training would take from such a video: it sees a frame once the next one
 * comes, because only then is it known how long the frame was on screen.
 *
 * Times that seem to be in a smaller unit than seconds are refused. While the first times
 * of a stream leave that in doubt, its frames are kept until the unit is settled, or
 * `flush`.
 *
 * It applies what grw-calibrate put into a file: thresholds and temperature to `answer` and
 * events, and the memory, beyond which the model forgets.
 *
 * Await each call before the next.
 */
export class StreamSession {
  #runner;
  #clock;
  #timeUnit;
  #preparation;
  // Frames whose times may not be in seconds.
  #kept = [];
  #shown = null;
  #filled = 0;
  #logits = null;
  #closed = false;
  #rules;
  // States that count frames, and what they count to before a step.
  #counts;
  #mostCount;
  #detector;
  #events = [];
  // Seconds before the frame on screen that times skipped.
  #skipped = 0;

  /** Steps the model has taken since the start or `reset`. */
  steps = 0;

  /**
   * @param {import("./exported_file.js").ExportedFile} exported
   * @param {Runner} runner runs its model; the session closes it.
   * @param {object} options
   * @param {number} [options.maxGap] seconds that a frame is repeated for when times jump
   *     ahead.
   * @param {function(string): void} [options.warn] receives warnings.
   * @param {boolean} [options.findEvents] whether to find events, by the file's calibration,
   *     or for a model with several labels by its thresholds. A model that gives logits on
   *     demand is then asked for them at each step.
   * @param {?import("./events.js").EventRules} [options.rules] rules to take instead of the
   *     file's, for answers too; not for several labels.
   * @param {?number} [options.memoryFrames] frames beyond which the model forgets, 0 for
   *     never; by default as the file was calibrated.
   */
  constructor(exported, runner, options = {}) {
    const { maxGap = 1, warn = () => {}, findEvents = false, rules = null } = options;
    if (!(maxGap > 0)) throw new Error(`maxGap must be above 0 seconds, got ${maxGap}.`);
    if (rules !== null) {
      checkRules(rules);
      if (exported.thresholds !== null) {
        throw new Error(
          `${exported.name} is the file of a model with several labels at once, each with its` +
            " own threshold: give no rules.",
        );
      }
    }
    this.#rules = rules ?? exported.calibration.rules;
    this.#detector = findEvents ? detectorOf(exported, this.#rules) : null;
    const memory = options.memoryFrames ?? exported.calibration.memoryFrames;
    if (!(memory >= 0)) {
      throw new Error(`memoryFrames is ${memory}: it must be 0 or more.`);
    }
    this.#counts = [...exported.states.keys()].filter((name) => name.endsWith(FRAME_COUNT));
    this.#mostCount =
      memory === 0 ? Infinity : Math.max(0, memory - exported.framesPerStep);
    /** The file. */
    this.exported = exported;
    this.#runner = runner;
    this.#clock = new FrameClock(exported.fps, maxGap, warn);
    this.#timeUnit = new TimeUnit(maxGap);
    this.#preparation = new FramePreparation(
      exported.shortSide,
      exported.resize,
      exported.size,
    );
    if (!exported.recordsFit) {
      warn(
        `${exported.name} was exported before frame_fit was recorded: frames are squashed to` +
          " a square, as they were then.",
      );
    }
    if (!exported.passedParity) {
      warn(`${exported.name} was exported although it does not give its model's numbers.`);
    }
    this.reset();
  }

  /**
   * Takes the next frame, bytes [height, width, 3] in RGB or [height, width, 4] in RGBA, of
   * any size; it is resized and cropped as the model was validated.
   *
   * @returns {Promise<?Float32Array>} the probabilities, if the model gives them at each
   *     step and this frame completed one; otherwise null.
   */
  async push(pixels, width, height, time = null) {
    const area = width * height;
    if (!(area > 0) || (pixels.length !== 3 * area && pixels.length !== 4 * area)) {
      throw new Error(
        `A frame of ${width} x ${height} pixels has ${3 * area} bytes, or ${4 * area} with` +
          ` alpha, got ${pixels.length}.`,
      );
    }
    return this.#push({ pixels, width, height }, time);
  }

  /** The same for bytes [size, size, 3] that are already resized and cropped. */
  async pushPrepared(square, time = null) {
    const expected = this.exported.size ** 2 * 3;
    if (square.length !== expected) {
      throw new Error(`A prepared frame has ${expected} bytes, got ${square.length}.`);
    }
    return this.#push({ pixels: square, width: 0, height: 0 }, time);
  }

  /** Ends the video: the model sees the last of the frames with times. */
  async flush(time = null) {
    this.#checkOpen();
    checkEnd(time);
    this.#timeUnit.restart();
    const before = await this.#takeKept();
    this.#skipped = this.#clock.skipped;
    const last = await this.#showUntilNext(this.#clock.end(time));
    if (this.#detector !== null) this.#events.push(...this.#detector.finish());
    return last ?? before;
  }

  /**
   * Gives the probabilities for the frames seen so far; for a model with several labels, the
   * sigmoid of each class.
   */
  async classify() {
    return this.#scores(await this.logits());
  }

  /** Gives the logits for the frames seen so far. */
  async logits() {
    this.#checkOpen();
    if (this.steps === 0) {
      throw new Error("Push frames first: the stream has seen no whole step.");
    }
    this.#logits ??= await this.#runner.classify();
    return this.#logits.slice();
  }

  /** Gives the `k` likeliest classes as [name, probability], likeliest first. */
  async top(k = 3) {
    const probabilities = await this.classify();
    return [...probabilities.keys()]
      .sort((one, other) => probabilities[other] - probabilities[one])
      .slice(0, k)
      .map((index) => [this.exported.labels[index], probabilities[index]]);
  }

  /**
   * Gives the classes whose sigmoids reach their thresholds as [name, score], best score
   * first: none, one or several.
   *
   * @throws {Error} if the model has a softmax, which has no thresholds.
   */
  async named() {
    if (this.exported.thresholds === null) {
      throw new Error(
        `${this.exported.name} is the file of a model with a softmax, of which exactly one` +
          " class is right: ask for top().",
      );
    }
    const scores = await this.classify();
    return reaching(scores, this.exported.thresholds).map((index) => [
      this.exported.labels[index],
      scores[index],
    ]);
  }

  /** Whether `answer` may say "none of these". */
  get maySayNone() {
    return this.#rules !== null || this.exported.labels.includes(BACKGROUND);
  }

  /** Seconds before the frame on screen for which there are no steps, as times jumped. */
  get skipped() {
    return this.#skipped;
  }

  /**
   * Gives the likeliest class and its score, the probability at the file's calibrated
   * temperature. The class is null, "none of these", if the score does not reach the
   * calibrated threshold, or if it is "background".
   *
   * @returns {Promise<{label: ?string, score: number}>}
   * @throws {Error} if the model has several labels.
   */
  async answer() {
    const { labels, name, thresholds } = this.exported;
    if (thresholds !== null) {
      throw new Error(
        `${name} is the file of a model with several labels at once, each with its own` +
          " threshold: ask for named().",
      );
    }
    const scores = this.#eventScores(await this.logits());
    const best = likeliest(scores);
    const [label, score] = [labels[best], scores[best]];
    // A broken model's NaN reaches no threshold.
    const fails = this.#rules !== null && !(score >= this.#rules.onThreshold);
    return { label: fails || label === BACKGROUND ? null : label, score };
  }

  /**
   * Returns the events found since the last call, by start. An event is found when it is over
   * and too long ago to be merged with a later one; `flush` ends all.
   *
   * @returns {import("./events.js").Event[]}
   * @throws {Error} if the session was opened without `findEvents`.
   */
  events() {
    if (this.#detector === null) {
      throw new Error("This session finds no events: open it with findEvents.");
    }
    return this.#events.splice(0);
  }

  /** Forgets all frames, and events that nobody has taken. */
  reset() {
    this.#checkOpen();
    this.#runner.reset();
    this.#clock.restart();
    this.#timeUnit.restart();
    this.#kept = [];
    this.#shown = null;
    this.#filled = 0;
    this.steps = 0;
    this.#logits = null;
    this.#detector?.finish();
    this.#events = [];
    this.#skipped = 0;
  }

  close() {
    if (!this.#closed) this.#runner.close();
    this.#closed = true;
  }

  async #push(frame, time) {
    this.#checkOpen();
    if (time === null) {
      if (this.#shown !== null || this.#kept.length > 0) {
        throw new Error(
          "This frame has no time, but those before it had: give one, or call flush() or" +
            " reset() first.",
        );
      }
      return this.#see(this.#prepared(frame));
    }
    checkTime(time);
    const canBeShown = this.#timeUnit.check(time);
    // The caller may write the next frame into the same memory.
    this.#kept.push({ frame: { ...frame, pixels: frame.pixels.slice() }, time });
    return canBeShown ? this.#takeKept() : null;
  }

  async #takeKept() {
    const frames = this.#kept;
    this.#kept = [];
    let probabilities = null;
    for (const { frame, time } of frames) {
      this.#skipped = this.#clock.skipped;
      const seen = await this.#showUntilNext(this.#clock.arrive(time));
      probabilities = seen ?? probabilities;
      this.#shown = frame;
    }
    return probabilities;
  }

  async #showUntilNext(ticks) {
    const frame = this.#shown;
    this.#shown = null;
    if (frame === null || ticks === 0) return null;
    const square = this.#prepared(frame);
    let probabilities = null;
    for (let tick = 0; tick < ticks; tick += 1) {
      probabilities = (await this.#see(square)) ?? probabilities;
    }
    return probabilities;
  }

  #prepared({ pixels, width, height }) {
    return width === 0 ? pixels : this.#preparation.prepare(pixels, width, height);
  }

  async #see(square) {
    this.#runner.takeFrame(square, this.#filled);
    this.#filled += 1;
    if (this.#filled < this.exported.framesPerStep) return null;
    this.#filled = 0;
    if (this.steps * this.exported.framesPerStep > this.#mostCount) {
      for (const name of this.#counts) this.#runner.setState(name, this.#mostCount);
    }
    const logits = await this.#runner.step();
    this.#logits = logits;
    this.steps += 1;
    if (this.#detector !== null) {
      const seconds = this.exported.framesPerStep / this.exported.fps;
      const start = (this.steps - 1) * seconds + this.#skipped;
      const scores = this.#eventScores(await this.logits());
      this.#events.push(...this.#detector.push(start, start + seconds, scores));
    }
    return logits === null ? null : this.#scores(logits);
  }

  /** Returns the scores of answers and events: calibrated probabilities, or sigmoids. */
  #eventScores(logits) {
    const { thresholds, calibration } = this.exported;
    if (thresholds !== null) return [...logits.map(sigmoid)];
    // In double precision.
    return softmax([...logits].map((logit) => logit / calibration.temperature));
  }

  #scores(logits) {
    return this.exported.thresholds === null ? softmax(logits) : logits.map(sigmoid);
  }

  #checkOpen() {
    if (this.#closed) throw new Error("The session is closed: open another.");
  }
}

/** Returns what finds the events of a file, by rules or its thresholds. */
function detectorOf({ labels, name, thresholds }, rules) {
  if (thresholds !== null) {
    // Scores are single precision, in which thresholds are rounded too.
    const on = thresholds.map(Math.fround);
    const off = thresholds.map((threshold) => Math.fround(OFF_SHARE * threshold));
    const several = { on, off, overlap: true };
    return new EventDetector(labels, several, LEAST_SECONDS, MERGE_GAP);
  }
  if (rules === null) {
    throw new Error(
      `${name} has no calibrated threshold: calibrate it with grw-calibrate, or give rules.`,
    );
  }
  return EventDetector.ofRules(labels, rules);
}

/** Returns the indices of the scores that reach their thresholds, best first. */
export function reaching(scores, thresholds) {
  return (
    [...scores.keys()]
      // Scores are single precision, in which a threshold may be rounded up.
      .filter((index) => scores[index] >= Math.fround(thresholds[index]))
      .sort((one, other) => scores[other] - scores[one])
  );
}

function sigmoid(logit) {
  return 1 / (1 + Math.exp(-logit));
}

/** Returns the probabilities of logits. */
function softmax(logits) {
  const largest = Math.max(...logits);
  const exponentials = logits.map((logit) => Math.exp(logit - largest));
  const sum = exponentials.reduce((one, other) => one + other, 0);
  return exponentials.map((each) => each / sum);
}
