"""Tests of running an exported stream."""

import copy
import functools
import logging
import math
import pickle
import sys

import numpy as np
import pytest
from everyday import slow_but
from exported_files import (
    CLASSES,
    foreign_files,
    manifest_of,
    misleading_archives,
    model_of,
    random_frames,
    with_manifest,
)
from exported_streams import write_counter, write_stream
from streamed_logits import assert_logits_close
from toy_heads import HEADS

from grw_tf.frames.clock import FrameClock
from grw_tf.streaming import StreamSession
from grw_tf.streaming.exported_file import read_exported_file
from grw_tf.streaming.litert import make_interpreter
from grw_tf.streaming.signature_loop import SignatureLoop

ON_DEMAND = "transformer"


@pytest.fixture(scope="module")
def write(nano, tmp_path_factory):
    """A function that writes a file, once a kind, and returns its path."""

    @functools.cache
    def write(head="official", frames_per_step=1, mode="none"):
        path = tmp_path_factory.mktemp("session") / "model.tflite"
        model = nano(head=HEADS[head])
        return write_stream(path, model, CLASSES, frames_per_step, mode)

    return write


@pytest.fixture(scope="module")
def path(write):
    return write()


@pytest.fixture(scope="module")
def counter(tmp_path_factory):
    return write_counter(tmp_path_factory.mktemp("counter") / "counter.tflite")


def _all_logits(session, frames):
    logits = []
    for frame in frames:
        steps = session.steps
        session.push_prepared(frame)
        if session.steps > steps:
            logits.append(session.logits())
    return np.stack(logits)


@pytest.mark.parametrize("head", slow_but(["transformer"], HEADS))
def test_reset_forgets_all_frames(write, head):
    with StreamSession(write(head)) as session:
        first = _all_logits(session, random_frames(4))
        session.reset()
        np.testing.assert_array_equal(_all_logits(session, random_frames(4)), first)
        assert session.steps == 4


def test_top_names_the_likeliest_classes(path):
    session = StreamSession(path)
    for frame in random_frames(4):
        session.push(frame)
    names, probabilities = zip(*session.top(5), strict=True)
    assert sorted(names) == CLASSES
    assert list(probabilities) == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1)
    assert names[0] == CLASSES[session.logits().argmax()]
    assert session.top(2) == list(zip(names, probabilities, strict=True))[:2]
    assert len(session.top(99)) == len(CLASSES)
    for k in (0, -1):
        with pytest.raises(ValueError, match=f"k is {k}: ask for at least 1"):
            session.top(k)


def test_logits_may_be_changed(counter):
    with StreamSession(counter) as session:
        session.push(random_frames(1)[0])
        logits = session.logits()
        expected = logits.copy()
        logits[:] = 0
        np.testing.assert_array_equal(session.logits(), expected)


@pytest.mark.parametrize("head", slow_but(["official", ON_DEMAND], HEADS))
def test_push_tells_probabilities_where_the_model_does(write, head):
    with StreamSession(write(head)) as session:
        pushed = session.push(random_frames(1)[0])
        probabilities = session.classify()
    assert probabilities.shape == (5,) and probabilities.dtype == np.float32
    assert probabilities.sum() == pytest.approx(1)
    if head == ON_DEMAND:
        assert pushed is None
    else:
        np.testing.assert_array_equal(pushed, probabilities)


def test_chunk_is_seen_when_it_is_full(write):
    with StreamSession(write(frames_per_step=3)) as session:
        told = [session.push(frame) is not None for frame in random_frames(7)]
    assert told == [False, False, True, False, False, True, False]


# Conversion takes seconds, so chunks of most heads are slow.
CHUNKED_HEADS = [
    pytest.param(head, marks=[] if head == "official" else pytest.mark.slow)
    for head in HEADS
]


@pytest.mark.parametrize("head", CHUNKED_HEADS)
def test_chunks_give_the_logits_of_single_frames(write, head):
    single = _all_logits(StreamSession(write(head)), random_frames(12))
    chunks = _all_logits(StreamSession(write(head, 3)), random_frames(12))
    assert_logits_close(chunks, single[2::3])


@pytest.mark.parametrize(
    "kind",
    [
        *(pytest.param((head, 1, "none"), marks=pytest.mark.slow) for head in HEADS),
        pytest.param(("official", 3, "none"), marks=pytest.mark.slow),
        pytest.param((ON_DEMAND, 3, "none"), marks=pytest.mark.slow),
        (ON_DEMAND, 1, "dynamic"),
    ],
)
def test_runners_give_the_same_bits(write, kind):
    path = write(*kind)
    frames = random_frames(300)
    logits = []
    for runner in ("compiled", "interpreter"):
        with StreamSession(path, runner=runner) as session:
            assert session.runner == runner
            logits.append(_all_logits(session, frames))
    np.testing.assert_array_equal(*logits)


@pytest.mark.parametrize("runner", ["compiled", "interpreter"])
def test_threads_and_plain_kernels_give_the_same_numbers(path, runner):
    frames = random_frames(20)
    expected = _all_logits(StreamSession(path, runner=runner), frames)
    session = StreamSession(path, runner=runner, num_threads=2)
    assert_logits_close(_all_logits(session, frames), expected)
    plain = make_interpreter(str(path), xnnpack=False)
    loop = SignatureLoop(plain, read_exported_file(path).states)
    logits = [loop.step(frame[None])[0] for frame in frames]
    assert_logits_close(np.stack(logits), expected)


@pytest.mark.parametrize("runner", ["compiled", "interpreter"])
def test_states_of_any_type_start_at_their_values(counter, runner):
    frames = np.full((3, 8, 8, 3), 51, np.uint8)
    with StreamSession(counter, runner=runner) as session:
        for _ in range(2):
            np.testing.assert_allclose(
                _all_logits(session, frames),
                [[8, 0.2, 97], [9, 0.2, 94], [10, 0.2, 91]],
                atol=1e-6,
            )
            session.reset()


def test_frames_may_be_taken_as_fractions(tmp_path):
    path = write_counter(tmp_path / "float.tflite", image_dtype="float32")
    with StreamSession(path) as session:
        session.push(np.full((20, 30, 3), 51, np.uint8))
        assert session.logits()[1] == pytest.approx(0.2)


def test_memory_of_a_frame_may_be_used_again(counter):
    with StreamSession(counter) as session:
        frame = np.full((8, 8, 3), 51, np.uint8)
        session.push_prepared(frame, 0.0)
        frame[:] = 0
        session.push_prepared(frame, 0.2)
        assert session.logits()[1] == pytest.approx(0.2)


def test_frames_with_times_are_seen_at_the_models_rate(counter):
    with StreamSession(counter) as session:
        for index in range(25):
            session.push_prepared(np.full((8, 8, 3), index, np.uint8), 3 + index / 25)
        session.flush()
        # A second at 5 frames a second; the last starts at 0.8 s.
        assert session.steps == 5
        assert session.logits()[1] == pytest.approx(20 / 255)


def test_slow_frames_are_repeated(counter):
    with StreamSession(counter) as session:
        assert session.push(random_frames(1)[0], 0.0) is None
        assert session.push(random_frames(1)[0], 0.6) is not None
        assert session.steps == 3


def test_frame_without_time_after_one_with_is_refused(counter):
    session = StreamSession(counter)
    session.push(random_frames(1)[0], 0.0)
    with pytest.raises(ValueError, match="This frame has no time"):
        session.push(random_frames(1)[0])
    session.flush()
    session.push(random_frames(1)[0])
    assert session.steps == 2


def test_asking_too_early_is_an_error(write):
    for head in HEADS:
        session = StreamSession(write(head))
        for ask in (session.top, session.classify, session.logits):
            with pytest.raises(ValueError, match="Push a frame first"):
                ask()
    session.push(random_frames(1)[0], 0.0)
    with pytest.raises(ValueError, match="still on screen: push the next, or flush"):
        session.top()
    session = StreamSession(write(frames_per_step=3))
    session.push(random_frames(1)[0])
    with pytest.raises(ValueError, match="takes 3 frames, and the stream has seen 1"):
        session.top()


@pytest.mark.parametrize(
    "frame, message",
    [
        (np.zeros((32, 32, 3), np.float32), r"got float32 \[32, 32, 3\]: give bytes"),
        (np.zeros((32, 32), np.uint8), "give a gray frame's values three times"),
        (np.zeros((32, 32, 1), np.uint8), "give a gray frame's values three times"),
        (np.zeros((32, 32, 4), np.uint8), "leave out the fourth channel"),
        (np.zeros((1, 32, 32, 3), np.uint8), "give one frame at a time"),
        (np.zeros((3, 32, 32), np.uint8), "channels last"),
        (np.zeros((0, 32, 3), np.uint8), "it is empty"),
        ([[0]], "must be a NumPy array, uint8 .* got list"),
    ],
    ids=["float", "gray", "one channel", "RGBA", "clip", "first", "empty", "list"],
)
def test_unfit_frame_is_refused_in_one_line(path, frame, message):
    with StreamSession(path) as session:
        for push in (session.push, session.push_prepared):
            with pytest.raises(ValueError, match=message) as caught:
                push(frame)
            assert "\n" not in str(caught.value)


def test_prepared_frame_of_another_size_is_refused(path):
    message = r"\[32, 32, 3\], got \[32, 16, 3\]: give other"
    with pytest.raises(ValueError, match=message):
        StreamSession(path).push_prepared(random_frames(1, 32, 16)[0])


def test_nothing_can_be_done_after_close(path):
    with StreamSession(path) as session:
        session.push(random_frames(1)[0])
    session.close()
    for do in (
        lambda: session.push(random_frames(1)[0]),
        session.classify,
        session.top,
        session.reset,
        session.flush,
    ):
        with pytest.raises(ValueError, match="is closed: open another"):
            do()


def test_unknown_settings_are_refused(path):
    with pytest.raises(ValueError, match="Unknown runner 'fast'"):
        StreamSession(path, runner="fast")
    for count in (0, "2", None, 1.5, True, 10**10):
        with pytest.raises(ValueError, match=f"num_threads is {count!r}: it must be"):
            StreamSession(path, num_threads=count)
    with pytest.raises(ValueError, match="max_gap is 0"):
        StreamSession(path, max_gap=0)


def test_missing_file_and_folder_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.tflite"):
        StreamSession(tmp_path / "nothing.tflite")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        StreamSession(tmp_path)


def test_foreign_file_is_refused_in_one_line(path, tmp_path):
    for name, content in foreign_files(path):
        foreign = tmp_path / f"{name}.tflite"
        foreign.write_bytes(content)
        with pytest.raises(ValueError, match="not an export of grw_tf") as caught:
            StreamSession(foreign)
        assert "\n" not in str(caught.value) and str(foreign) in str(caught.value)


def test_archive_that_points_nowhere_is_refused(path, tmp_path):
    for damaged in misleading_archives(path):
        (tmp_path / "damaged.tflite").write_bytes(damaged)
        with pytest.raises(ValueError, match="tflite carries no labels and manifest"):
            StreamSession(tmp_path / "damaged.tflite")


def test_damaged_weights_are_found(path, tmp_path):
    damaged = bytearray(path.read_bytes())
    damaged[len(model_of(path)) // 2] ^= 0xFF
    (tmp_path / "damaged.tflite").write_bytes(damaged)
    with pytest.raises(ValueError, match="is damaged: copy it again"):
        StreamSession(tmp_path / "damaged.tflite")


_OPEN_DAMAGED = """
import random, sys, zipfile
from grw_tf.streaming import StreamSession
path, folder = sys.argv[1:]
content = open(path, "rb").read()
size = min(entry.header_offset for entry in zipfile.ZipFile(path).infolist())
randoms, refused = random.Random(0), 0
for index in range(30):
    damaged = bytearray(content)
    for _ in range(20):
        damaged[randoms.randrange(size)] = randoms.randrange(256)
    if index % 2:
        damaged = content[:randoms.randrange(100, size)] + content[size:]
    with open(f"{folder}/damaged.tflite", "wb") as file:
        file.write(damaged)
    try:
        StreamSession(f"{folder}/damaged.tflite")
    except ValueError as error:
        assert "model" in str(error) and str(error).count(chr(10)) == 0, error
        assert "carries no" not in str(error), error
        refused += 1
print(refused)
"""


def test_damaged_model_never_takes_the_process_down(run_code, path, tmp_path):
    # The checksum would find it: what LiteRT itself makes of it is asked here.
    unchecked = with_manifest(path, tmp_path / "unchecked.tflite", model_crc32=None)
    done = run_code(_OPEN_DAMAGED, unchecked, tmp_path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20


def _changed_states(path, **changes):
    first, *others = manifest_of(path)["states"]
    return [first | changes, *others]


def test_manifest_of_another_model_is_refused(write, tmp_path):
    path, target = write(), tmp_path / "changed.tflite"
    for states, message in (
        (
            _changed_states(path, name="foo"),
            "the model has no input foo|no input state",
        ),
        (_changed_states(path, shape=[1, 2]), r"and not \w+ \[1, 2\]"),
        (_changed_states(path, dtype="int8"), "and not int8"),
        (manifest_of(path)["states"][1:], "the manifest has no input"),
    ):
        with pytest.raises(ValueError, match=message) as caught:
            StreamSession(with_manifest(path, target, states=states))
        assert "manifest of another model" in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="the model has no signature classify"):
        StreamSession(with_manifest(path, target, signatures=["step", "classify"]))


def test_manifest_that_describes_no_stream_is_refused(path, tmp_path):
    target = tmp_path / "changed.tflite"
    taken, (state, *_) = manifest_of(path)["input"], manifest_of(path)["states"]
    for changes in (
        {"input": {}},
        *({"input": taken | {"resize": side}} for side in (37.5, 10**9, 31, True)),
        {"input": taken | {"channels": "BGR"}},
        {"input": taken | {"frame_fit": "stretch"}},
        {"input": {k: v for k, v in taken.items() if k != "frame_fit"}},
        {"states": _changed_states(path, shape=5)},
        {"states": _changed_states(path, shape=[1, -1])},
        {"states": _changed_states(path, initial_value=math.nan)},
        {"states": _changed_states(path, initial_value="0")},
        {"states": _changed_states(path, dtype="int8", initial_value=128)},
        {"states": [*manifest_of(path)["states"], state]},
        {"fps": math.inf},
        {"fps": True},
        {"format_version": "2"},
        {"format_version": True},
        {"parity": [1]},
        {"states": None},
        {"states": [{"name": "a"}]},
        {"fps": 0},
        {"frames_per_step": 2},
        {"signatures": []},
        {"labels": ["a", "b"]},
    ):
        with pytest.raises(ValueError, match="does not describe a stream"):
            StreamSession(with_manifest(path, target, **changes))
    StreamSession(with_manifest(path, target, parity=None))


def test_newer_format_is_refused(path, tmp_path):
    newer = with_manifest(path, tmp_path / "newer.tflite", format_version=4)
    with pytest.raises(ValueError, match="has format 4, .* reads formats up to 3"):
        StreamSession(newer)


def test_file_that_differs_from_its_model_is_warned_of(path, tmp_path, caplog):
    for passed, warnings in ((True, 0), (False, 1)):
        caplog.clear()
        parity = {"passed": passed}
        StreamSession(with_manifest(path, tmp_path / "parity.tflite", parity=parity))
        records = [r for r in caplog.records if r.levelno == logging.WARNING]
        assert len(records) == warnings
    assert "does not give its model's numbers" in caplog.text


def test_without_compiled_models_the_interpreter_runs(path, monkeypatch, caplog):
    expected = _all_logits(StreamSession(path, runner="compiled"), random_frames(4))
    monkeypatch.setitem(sys.modules, "ai_edge_litert.compiled_model", None)
    monkeypatch.delitem(sys.modules, "grw_tf.streaming.compiled_runner")
    with caplog.at_level(logging.WARNING):
        session = StreamSession(path)
    assert "runs in the interpreter, which copies the states" in caplog.text
    assert session.runner == "interpreter"
    np.testing.assert_array_equal(_all_logits(session, random_frames(4)), expected)
    with pytest.raises(ValueError, match="cannot be run as a compiled model"):
        StreamSession(path, runner="compiled")


_STREAM = """
import sys
import numpy as np
from grw_tf.streaming import StreamSession
for runner in ("compiled", "interpreter"):
    session = StreamSession(sys.argv[1], runner=runner)
    session.push(np.zeros((48, 64, 3), np.uint8))
    session.top()
print(*{"av", "cv2", "tensorflow", "scipy", "absl"} & set(sys.modules))
"""


def test_session_needs_no_tensorflow_and_writes_nothing(run_code, write):
    done = run_code(_STREAM, write(ON_DEMAND))
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


_ENDING = """
import atexit, logging, sys
logging.basicConfig(format="%(message)s")
class Late:
    def __del__(self):
        raise RuntimeError("late")
late = Late()
atexit.register(lambda: print("print", file=sys.stderr))
atexit.register(lambda: logging.warning("log"))
import grw_tf.streaming
# Before what is registered above.
session = grw_tf.streaming.StreamSession(sys.argv[1], runner="compiled")
"""


def test_others_still_write_at_the_end(run_code, path):
    done = run_code(_ENDING, path)
    log, told, *late = done.stderr.splitlines()
    assert (done.returncode, log, told) == (0, "log", "print")
    assert "__del__" in late[0] and late[-1] == "RuntimeError: late"


@pytest.mark.parametrize("take", [pickle.dumps, copy.copy, copy.deepcopy])
def test_session_that_is_pickled_or_copied_says_what_to_do(path, take):
    with StreamSession(path) as session:
        with pytest.raises(TypeError, match="open one in each process") as refused:
            take(session)
        assert str(refused.value).isprintable() and str(path) in str(refused.value)
        # It goes on as if nothing had happened.
        session.push(np.zeros((48, 64, 3), np.uint8))
        assert session.steps == 1


def test_times_of_another_unit_are_told_and_seconds_with_a_gap_go_on(path):
    frame = np.zeros((48, 64, 3), np.uint8)
    with StreamSession(path) as session:
        for push in (session.push, session.push_prepared):
            pushed = frame if push == session.push else frame[:32, :32]
            with pytest.raises(ValueError, match="look like nanoseconds: divide") as no:
                for index in range(4):
                    push(pushed, 1_764_000_000_000_000_000 + index * 33_333_333)
            assert str(no.value).isprintable()
            session.reset()
        for time in (0, 3600, 3600.2, 3600.4, 7200, 10800, 14400, 18000):
            session.push(frame, time)
        session.flush()
        with pytest.raises(ValueError, match="look like milliseconds"):
            for time in (0, 40, 80, 120):
                session.push(frame, time)


@pytest.mark.parametrize("times", [[0, 33, 67, 100], [0, 0, 33, 67, 100]])
def test_nothing_is_seen_or_told_before_times_are_refused(path, caplog, times):
    with StreamSession(path) as session:
        with pytest.raises(ValueError, match="look like milliseconds"):
            for time in times:
                session.push(np.zeros((48, 64, 3), np.uint8), time)
        assert session.steps == 0
    assert "Time jumps" not in caplog.text


def test_frames_kept_while_times_are_in_doubt_are_seen_as_without_doubt(path):
    levels = np.random.default_rng(0).integers(0, 256, (6, 48, 64, 3), np.uint8)
    times = [0, 3600, 3600.2, 3600.4, 3600.6, 7200]
    for count in range(2, 7):
        with StreamSession(path) as plain, StreamSession(path) as session:
            clock = FrameClock(plain.fps)
            shown = None
            for frame, time in zip(levels[:count], times, strict=False):
                for _ in range(clock.arrive(time)):
                    plain.push(shown)
                shown = frame
                # Cameras write into the same memory.
                memory = frame.copy()
                session.push(memory, time)
                memory[:] = 0
            for _ in range(clock.end()):
                plain.push(shown)
            with pytest.raises(ValueError, match="must be a number of seconds"):
                session.push(shown, "1")
            session.flush()
            assert session.steps == plain.steps > 0
            np.testing.assert_array_equal(session.logits(), plain.logits())
