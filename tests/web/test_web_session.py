"""Tests of the page's session, in Chromium and on LiteRT.js."""

import base64
import json
import pathlib

import numpy as np
import pytest
from exported_files import (
    CLASSES,
    VECTORS,
    hostile_files,
    model_of,
    random_frames,
    with_manifest,
)
from exported_streams import write_stream
from vector_changes import CHANGES

from grw_tf.export import export as exporting
from grw_tf.export.export import ExportConfig
from grw_tf.models import build_model, preset
from grw_tf.streaming import StreamSession
from grw_tf.weights.model_variables import with_backbone
from grw_tf.weights.restore import restore
from grw_tf.weights.run_directory import Run

CHECK = """async ([name, cases]) =>
  (await import("/tests/check_vectors.js")).firstDifference(name, cases)"""
OPEN = """async (files) => (await import("/tests/check_vectors.js")).opened(files)"""
# Runs prepared frames; returns the logits after each, and how far the heap is filled:
# where a new block of it begins.
RUN = """async ([name, frames, threads]) => {
  const { fetched } = await import("/tests/check_vectors.js");
  const { ExportedFile } = await import("/exported_file.js");
  const { openStream } = await import("/open_stream.js");
  const { getGlobalLiteRt } = await import("@litertjs/core");
  const exported = new ExportedFile(name, await fetched(name));
  const session = await openStream(exported, { kind: "cpu", threads });
  const all = Uint8Array.from(atob(frames), (character) => character.charCodeAt(0));
  const size = exported.size ** 2 * 3;
  const logits = [];
  const heaps = [];
  for (let at = 0; at < all.length; at += size) {
    await session.pushPrepared(all.subarray(at, at + size));
    logits.push([...(await session.logits())]);
    const { liteRtWasm } = getGlobalLiteRt();
    const block = liteRtWasm._malloc(1 << 16);
    heaps.push(block);
    liteRtWasm._free(block);
  }
  session.close();
  return [logits, heaps];
}"""
# Opens a file in LiteRT; returns the error.
REFUSED = """async (name) => {
  const { fetched } = await import("/tests/check_vectors.js");
  const { ExportedFile } = await import("/exported_file.js");
  const { openStream } = await import("/open_stream.js");
  try {
    (await openStream(new ExportedFile(name, await fetched(name)))).close();
    return "opens";
  } catch (error) {
    return error.message;
  }
}"""


def _cases(name):
    return json.loads((VECTORS / f"{name}.json").read_text())


@pytest.mark.parametrize(
    "name", ["clock", "time_unit", "preparation", "events", "streams"]
)
def test_session_does_what_the_vectors_record(modules, name):
    assert modules.evaluate(CHECK, [name, _cases(name)]) is None


@pytest.mark.parametrize("name, place, change, message", CHANGES)
def test_check_of_vectors_finds_a_difference(modules, name, place, change, message):
    cases = _cases(name)
    change(cases[place])
    told = modules.evaluate(CHECK, [name, cases])
    assert told.startswith(f"{name}, case {place % len(cases)}") and message in told


def test_hostile_files_are_refused_in_one_line(modules, tmp_path):
    hostile = {
        # What differs only from the model itself is found when LiteRT opens it.
        path: "opens" if words == "manifest of another model" else words
        for path, words in hostile_files(tmp_path).items()
        # What is not a file at all cannot be chosen in a browser.
        if pathlib.Path(path).is_file()
    }
    contents = [
        [path.name, base64.b64encode(path.read_bytes()).decode()] for path in hostile
    ]
    told = modules.evaluate(OPEN, contents)
    assert len(told) == len(hostile) > 60
    for line, (path, words) in zip(told, hostile.items(), strict=True):
        assert words in line
        assert line == "opens" or path.name in line
        assert "\n" not in line


def _run(page, path, frames, script=RUN, threads=1):
    """Returns the logits after each prepared frame, and how far the heap is filled."""
    (page.folder / path.name).write_bytes(path.read_bytes())
    content = base64.b64encode(frames.tobytes()).decode()
    logits, heaps = page.evaluate(script, [path.name, content, threads])
    return np.array(logits), heaps


def _python_logits(path, frames):
    with StreamSession(path) as session:
        logits = []
        for frame in frames:
            session.push_prepared(frame)
            logits.append(session.logits())
    return np.array(logits)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", ["step", "classify"])
def test_logits_are_pythons(modules, name, threads):
    path, frames = VECTORS / f"{name}.tflite", random_frames(60)
    found, _ = _run(modules, path, frames, threads=threads)
    expected = _python_logits(path, frames)
    # The bound of an export without quantization.
    assert np.abs(found - expected).max() <= 1e-4 * np.abs(expected).max()


# Building and converting the model takes half a minute on a busy machine.
@pytest.mark.slow
def test_chunks_of_frames_give_pythons_logits(modules, nano, tmp_path):
    path = write_stream(tmp_path / "pairs.tflite", nano(), frames_per_step=2)
    frames = random_frames(20)
    with StreamSession(path) as session:
        for frame in frames:
            session.push_prepared(frame)
        expected = session.logits()
    after_steps = RUN.replace("logits.push", "if (session.steps > 0) logits.push")
    found, _ = _run(modules, path, frames, after_steps)
    np.testing.assert_allclose(found[-1], expected, rtol=1e-4, atol=1e-4)


def _exported(run, path, **options):
    """Exports a model, compared briefly; returns what the check found."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporting, "FRAMES", 30)
        patch.setattr(exporting, "_STREAMS", 1)
        config = ExportConfig(output=str(path), **options)
        return exporting.export_run(run, config).parity


@pytest.mark.slow
@pytest.mark.parametrize("layout", ["grw", "tensorflow_examples"])
@pytest.mark.parametrize("quantization", ["none", "dynamic"])
def test_export_gives_pythons_logits(modules, nano, tmp_path, layout, quantization):
    path = tmp_path / f"{layout}_{quantization}.tflite"
    run = Run(nano(), tuple(CLASSES), "ckpt")
    parity = _exported(
        run, path, layout=layout, quantization=quantization, allow_mismatch=True
    )
    frames = random_frames(40)
    found, _ = _run(modules, path, frames)
    expected = _python_logits(path, frames)
    bound = max(1e-4, parity.largest_difference) * np.abs(expected).max()
    assert np.abs(found - expected).max() <= bound


@pytest.fixture(scope="module")
def real_run(shared):
    """A trained A0-stream."""
    config = with_backbone(
        preset("a0_stream", num_classes=7), gating_activation="hard_sigmoid_relu6"
    )
    model = build_model(config)
    archive = "movinet_a0_stream_trained.tar.gz"
    restore(model, str(shared / "data" / "real_a0_stream" / archive))
    return Run(model, tuple("abcdefg"), "real")


@pytest.mark.slow
@pytest.mark.parametrize("quantization", ["none", "float16", "dynamic"])
def test_real_model_gives_pythons_logits(modules, real_run, tmp_path, quantization):
    path = tmp_path / f"real_{quantization}.tflite"
    parity = _exported(real_run, path, quantization=quantization)
    frames = random_frames(60, 172, 172)
    found, heaps = _run(modules, path, frames)
    expected = _python_logits(path, frames)
    bound = max(1e-4, parity.largest_difference) * np.abs(expected).max()
    assert np.abs(found - expected).max() <= bound
    # If they were not deleted, a frame's tensors would take 2.7 MB each time.
    assert _growth(heaps) < 20e6


def _growth(heaps):
    """Returns by how many bytes the heap grew from the first third to the last.

    Blocks of a frame take several places in turn.
    """
    third = len(heaps) // 3
    return max(heaps[-third:]) - max(heaps[:third])


def test_heap_stays_as_it_is(modules):
    _, heaps = _run(modules, VECTORS / "classify.tflite", random_frames(400))
    assert _growth(heaps) < 1 << 16


def test_tensors_that_are_not_deleted_would_grow_the_heap(modules):
    # Shows that the test above can fail.
    leaking = RUN.replace("getGlobalLiteRt }", "getGlobalLiteRt, Tensor }").replace(
        "const logits = [];", "const logits = []; Tensor.prototype.delete = () => {};"
    )
    _, heaps = _run(modules, VECTORS / "classify.tflite", random_frames(400), leaking)
    modules.reload()
    modules.locator('body[data-state="empty"]').wait_for()
    assert _growth(heaps) > 1 << 20


# 2,000 frames take half a minute.
@pytest.mark.slow
def test_heap_stays_as_it_is_for_long(modules):
    _, heaps = _run(modules, VECTORS / "step.tflite", random_frames(2000))
    assert _growth(heaps) < 1 << 16


@pytest.mark.parametrize("name", ["counter", "chunks"])
def test_states_in_8_bits_are_told_in_a_line(modules, name):
    assert modules.evaluate(REFUSED, f"vectors/{name}.tflite") == (
        f"vectors/{name}.tflite has states in int8, which LiteRT does not take in"
        " browsers: export the model again with another --quantization than int8 and"
        " int16."
    )


def test_damaged_model_is_told_in_a_line(modules, tmp_path):
    path = with_manifest(
        VECTORS / "step.tflite", tmp_path / "damaged.tflite", model_crc32=None
    )
    content, size = bytearray(path.read_bytes()), len(model_of(path))
    content[8:size] = bytes(size - 8)
    (modules.folder / path.name).write_bytes(content)
    told = modules.evaluate(REFUSED, path.name)
    assert "holds a damaged model" in told and "\n" not in told


def test_manifest_of_another_model_is_told_in_a_line(modules, tmp_path):
    source = VECTORS / "step.tflite"
    with StreamSession(source) as session:
        states = session.manifest["states"]
    renamed = [states[0] | {"name": "other"}, *states[1:]]
    path = with_manifest(source, tmp_path / "renamed.tflite", states=renamed)
    (modules.folder / path.name).write_bytes(path.read_bytes())
    told = modules.evaluate(REFUSED, path.name)
    assert "manifest of another model (the model has no input other)" in told


def test_model_that_the_gpu_does_not_open_is_run_by_the_cpu(modules):
    told, logits = modules.evaluate(
        """async (name) => {
          const { fetched, frame } = await import("/tests/check_vectors.js");
          const { ExportedFile } = await import("/exported_file.js");
          const { openStream } = await import("/open_stream.js");
          const told = [];
          const exported = new ExportedFile(name, await fetched(name));
          const warn = (text) => told.push(text);
          const session = await openStream(exported, { kind: "gpu" }, { warn });
          await session.pushPrepared(frame(0, exported.size, exported.size));
          const logits = await session.logits();
          session.close();
          return [told, [...logits]];
        }""",
        "vectors/step.tflite",
    )
    (line,) = told
    assert line.startswith("The GPU cannot run this model (")
    assert line.endswith("): the CPU computes instead.")
    assert "damaged" not in line and "\n" not in line
    assert len(logits) == len(CLASSES)


COMPARED = """async (given) =>
  (await import("/tests/compared_runner_cases.js")).run(...given)"""


@pytest.mark.parametrize("on_demand", [False, True])
def test_gpu_that_agrees_takes_over(modules, on_demand):
    told = modules.evaluate(COMPARED, [12, on_demand, None])
    assert told["logits"] == [12, 24]
    assert told["told"] == ["The GPU gave the CPU's logits in the first 8 steps."]
    assert told["cpuClosed"] and not told["gpuClosed"]


@pytest.mark.parametrize("on_demand", [False, True])
@pytest.mark.parametrize("wrong_from", [1, 5, -1])
def test_gpu_that_is_wrong_or_fails_is_left(modules, on_demand, wrong_from):
    told = modules.evaluate(COMPARED, [12, on_demand, wrong_from])
    # The CPU has seen all steps.
    assert told["logits"] == [12, 24]
    (line,) = told["told"]
    assert line.endswith(": the CPU computes instead.")
    reason = "device lost" if wrong_from < 0 else "more than all of the largest"
    assert reason in line
    assert told["gpuClosed"] and not told["cpuClosed"]


def test_gpu_that_is_wrong_by_little_is_left(modules):
    told = modules.evaluate(COMPARED, [12, False, 1, 2.05])
    assert told["logits"] == [12, 24]
    assert told["told"] == [
        "The GPU's logits differ from the CPU's by 2.5 % of the largest: the CPU"
        " computes instead."
    ]


FORGETTING = """async () => {
  const { fetched } = await import("/tests/check_vectors.js");
  const { ExportedFile } = await import("/exported_file.js");
  const { openStream } = await import("/open_stream.js");
  const processor = { kind: "cpu", threads: 1 };
  const told = {};
  const open = async (file, options) =>
    openStream(
      new ExportedFile(file, await fetched(`vectors/${file}`)),
      processor,
      options,
    );
  const tell = async (key, use) => {
    try {
      told[key] = await use();
    } catch (error) {
      told[key] = error.message;
    }
  };
  const red = async (options) => {
    const session = await open("colors.tflite", options);
    for (let i = 0; i < 20; i += 1) {
      const color = i < 12 ? 0 : 1;
      const pixels = Array.from({ length: 192 }, (_, j) => 255 * (j % 3 === color));
      await session.pushPrepared(Uint8Array.from(pixels));
    }
    const [logit] = await session.logits();
    const { label } = await session.answer();
    session.close();
    return [logit, label];
  };
  const seconds = { leastSeconds: 0.5, mergeGap: 0.5 };
  const rules = { onThreshold: 0.99, offThreshold: 0.8, ...seconds };
  await tell("own", () => red({}));
  await tell("all frames", () => red({ memoryFrames: 0 }));
  await tell("rules", () => red({ rules }));
  await tell("memory", () => red({ memoryFrames: -1 }));
  await tell("wrong rules", () => red({ rules: { ...rules, offThreshold: 1 } }));
  await tell("no rules", () => open("step.tflite", { findEvents: true }));
  await tell("no events", async () => (await open("step.tflite", {})).events());
  return told;
}"""


def test_calibration_is_applied_or_refused_in_a_line(modules):
    told = modules.evaluate(FORGETTING)
    # Of the last frames red is gone but for what a memory of 4 frames keeps of it.
    logit, label = told["own"]
    assert logit == pytest.approx(8 * 0.75**8, abs=1e-4) and label == "green"
    logit, _ = told["all frames"]
    assert logit == pytest.approx(8 * 12 / 20, abs=1e-4)
    # Without the temperature, green would reach this threshold.
    assert told["rules"][1] is None
    assert told["memory"] == "memoryFrames is -1: it must be 0 or more."
    assert "offThreshold is 1, above onThreshold, which is 0.99" in told["wrong rules"]
    assert "step.tflite has no calibrated threshold" in told["no rules"]
    assert told["no events"].endswith("finds no events: open it with findEvents.")


def test_model_is_freed_where_no_session_is_opened(modules):
    told = modules.evaluate(
        """async (name) => {
          const { fetched } = await import("/tests/check_vectors.js");
          const { ExportedFile } = await import("/exported_file.js");
          const { LiteRtRunner } = await import("/litert_runner.js");
          const { openStream } = await import("/open_stream.js");
          const exported = new ExportedFile(name, await fetched(name));
          const { close } = LiteRtRunner.prototype;
          const told = [];
          LiteRtRunner.prototype.close = function () {
            told.push("closed");
            close.call(this);
          };
          try {
            const processor = { kind: "cpu", threads: 1 };
            await openStream(exported, processor, { findEvents: true });
          } catch (error) {
            told.push(error.message);
          } finally {
            LiteRtRunner.prototype.close = close;
          }
          return told;
        }""",
        "vectors/step.tflite",
    )
    closed, error = told
    assert closed == "closed" and "has no calibrated threshold" in error


def test_axis_of_the_timeline_tells_of_times_that_were_skipped(modules):
    told = modules.evaluate(
        """async () => {
          const { ClassColors } = await import("/class_colors.js");
          const { Timeline } = await import("/timeline.js");
          const [svg, legend, start, end] = ["svg", "ol", "span", "span"].map((name) =>
            document.createElement(name),
          );
          const timeline = new Timeline({ svg, legend, start, end }, new ClassColors());
          const seconds = 1 / 12;
          timeline.restart(["a", "b"], seconds);
          const told = [];
          const tell = () => {
            timeline.draw();
            told.push([start.textContent, end.textContent]);
          };
          tell();
          // A step after the last of these is a rounding error before 2 s.
          const row = Float32Array.of(1, 0);
          for (const step of [0, 1, 23]) timeline.add(row, step * seconds);
          tell();
          timeline.add(row, 75);
          tell();
          return told;
        }"""
    )
    assert told == [["0:00", "0:00"], ["0:00", "0:02"], ["0:00", "1:15"]]


SICK = """async (name) => {
  const { fetched } = await import("/tests/check_vectors.js");
  const { ExportedFile } = await import("/exported_file.js");
  const { StreamSession } = await import("/stream_session.js");
  const runner = {
    reset() {},
    takeFrame() {},
    setState() {},
    step: async () => new Float32Array(3).fill(NaN),
    close() {},
  };
  const exported = new ExportedFile(name, await fetched(name));
  const session = new StreamSession(exported, runner);
  await session.pushPrepared(new Uint8Array(8 * 8 * 3));
  const { label, score } = await session.answer();
  return [label, Number.isNaN(score)];
}"""


def test_nan_is_no_answer(modules):
    assert modules.evaluate(SICK, "vectors/colors.tflite") == [None, True]


def test_gpu_and_cpu_forget_together(modules):
    # The CPU sees the first steps too, and would differ.
    told = modules.evaluate(COMPARED, [6, False, None, None, 3])
    assert told["logits"] == [9, 18]
    assert told["told"] == []
