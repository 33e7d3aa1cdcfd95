"""Tests of the C++ session, built by CMake and run on LiteRT's library."""

import csv
import ctypes
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys

import ai_edge_litert
import numpy as np
import pytest
from cpp_programs import CALIBRATED_MAIN, STREAM_MAIN
from drawn_videos import write_video
from everyday import slow_but
from exported_files import hostile_files, model_of, random_frames, with_manifest
from vector_changes import CHANGES

from grw_tf.streaming import StreamSession

REPOSITORY = pathlib.Path(__file__).parents[2]
CPP, VECTORS = REPOSITORY / "export" / "cpp", REPOSITORY / "tests" / "vectors"
LITERT = pathlib.Path(ai_edge_litert.__file__).parent
SANITIZERS = "-g -fsanitize=address,undefined -fno-sanitize-recover=all"


@pytest.fixture(scope="module")
def cmake(tmp_path_factory):
    """A function that builds all by CMake with flags; returns the folder."""
    if shutil.which("cmake") is None or shutil.which("make") is None:
        pytest.skip("no CMake with make")
    if not (LITERT / "libLiteRt.so").exists():
        pytest.skip("this ai-edge-litert has no libLiteRt.so")

    def build(flags=""):
        folder = tmp_path_factory.mktemp("cmake")
        settings = {
            "CMAKE_BUILD_TYPE": "None",
            "CMAKE_CXX_FLAGS": f"-O1 -Werror {flags}",
            "LITERT_DIR": LITERT,
        }
        flags = [f"-D{name}={value}" for name, value in settings.items()]
        make = ["-G", "Unix Makefiles"]
        _succeed("cmake", "-S", CPP, "-B", folder, *make, *flags)
        _succeed("cmake", "--build", folder)
        return folder

    return build


@pytest.fixture(scope="module")
def built(cmake):
    return cmake()


@pytest.fixture(scope="module")
def sanitized(cmake):
    return cmake(SANITIZERS)


def _program(build_cpp, built, *flags, source=STREAM_MAIN):
    library = [built / "libgrw_stream.a", LITERT / "libLiteRt.so"]
    return build_cpp(source, others=[*flags, *library, f"-Wl,-rpath,{LITERT}"])


@pytest.fixture(scope="module")
def program(build_cpp, built):
    return _program(build_cpp, built)


def _succeed(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_session_does_what_the_vectors_record(built):
    told = _succeed(built / "check_vectors", VECTORS).splitlines()
    names = ("clock", "time_unit", "preparation", "events", "streams")
    for line, name in zip(told, names, strict=True):
        count = len(json.loads((VECTORS / f"{name}.json").read_text()))
        assert line == f"{name}: {count} cases agree"


@pytest.mark.parametrize("name, place, change, message", CHANGES)
def test_check_of_vectors_finds_a_difference(
    built, tmp_path, name, place, change, message
):
    shutil.copytree(VECTORS, tmp_path, dirs_exist_ok=True)
    cases = json.loads((tmp_path / f"{name}.json").read_text())
    change(cases[place])
    (tmp_path / f"{name}.json").write_text(json.dumps(cases))
    command = [built / "check_vectors", tmp_path]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and message in done.stderr


def _cpp_results(program, path, frames, times=(), threads=1):
    told = _succeed(
        *(program, str(threads), path, *map(repr, times)),
        **{"input": frames.tobytes().decode("latin-1"), "encoding": "latin-1"},
    )
    return [[float(word) for word in line.split()] for line in told.splitlines()]


def _python_results(path, frames, times=()):
    results = []
    with StreamSession(path) as session:

        def note():
            logits = session.logits() if session.steps else []
            results.append([session.steps, *map(float, logits)])

        for index, frame in enumerate(frames):
            session.push_prepared(frame, times[index] if times else None)
            note()
        if times:
            session.flush()
            note()
    return results


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", ["step", "classify", "counter", "chunks"])
def test_logits_are_pythons(program, name, threads):
    path = VECTORS / f"{name}.tflite"
    size = StreamSession(path).size
    frames = random_frames(60, size, size)
    expected = _python_results(path, frames)
    found = _cpp_results(program, path, frames, threads=threads)
    assert len(found) == 60
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


def test_frames_with_times_are_seen_as_in_python(program):
    path = VECTORS / "step.tflite"
    rng = np.random.default_rng(0)
    times = np.cumsum(rng.choice([0.03, 0.04, 0.3, 9, -0.02, 4000], 80)).tolist()
    frames = random_frames(80)
    found = _cpp_results(program, path, frames, times)
    assert found[-1][0] > 80
    for one, other in zip(found, _python_results(path, frames, times), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6, atol=1e-6)


def test_times_of_another_unit_are_refused(program):
    told = _succeed(
        *(program, "1", VECTORS / "step.tflite", "0", "40", "80", "120"),
        input="\1" * (4 * 32 * 32 * 3),
    )
    assert "look like milliseconds: divide them by 1000" in told.splitlines()[-1]


def test_calibration_is_applied_or_refused_in_a_line(build_cpp, built):
    program = _program(build_cpp, built, source=CALIBRATED_MAIN)
    paths = [VECTORS / f"{name}.tflite" for name in ("colors", "labels", "counter")]
    own, all_frames, *told, last = _succeed(program, *paths).splitlines()
    # Of the last frames red is gone but for what a memory of 4 frames keeps of it.
    assert float(own) == pytest.approx(8 * 0.75**8, abs=1e-4)
    assert float(all_frames) == pytest.approx(8 * 12 / 20, abs=1e-4)
    assert last == own
    words = [
        "memory_frames is -1: it must be 0 or more",
        "off_threshold is 0.8: it must not be above on_threshold",
        "labels.tflite is the file of a model with several labels at once",
        "counter.tflite has no calibrated threshold",
        "finds no events: open it with find_events",
        "has several labels at once, each with its own threshold: ask for Named()",
    ]
    for line, expected in zip(told, words, strict=True):
        assert expected in line


def _assert_refused(program, folder):
    hostile = hostile_files(folder)
    told = _succeed(program, "open", *hostile).splitlines()
    assert len(told) == len(hostile) > 60
    for line, (path, words) in zip(told, hostile.items(), strict=True):
        assert words in line
        assert words == "opens" or str(path) in line


def test_hostile_files_are_refused_in_one_line(program, tmp_path):
    _assert_refused(program, tmp_path)


def _damaged_models(folder):
    """Writes files of damaged models whose checksum is not known."""
    path = with_manifest(
        VECTORS / "step.tflite", folder / "whole.tflite", model_crc32=None
    )
    content, size = path.read_bytes(), len(model_of(path))
    randoms = random.Random(0)
    for index in range(60):
        damaged = bytearray(content)
        for _ in range(20 if index % 2 else 2):
            damaged[randoms.randrange(size)] = randoms.randrange(256)
        # TFLite tells a model by these bytes.
        damaged[4:8] = b"TFL3"
        damaged_path = folder / f"damaged{index}.tflite"
        damaged_path.write_bytes(damaged)
        yield damaged_path


def test_damaged_model_never_takes_the_process_down(program, tmp_path):
    told = _succeed(program, "open", *_damaged_models(tmp_path), errors="replace")
    lines = told.splitlines()
    assert len(lines) == 60
    refused = [line for line in lines if line != "opens"]
    assert len(refused) > 20
    for line in refused:
        assert re.search("damaged model|another model|cannot be run", line), line


# The build alone takes 45 s.
@pytest.mark.slow
def test_sanitizers_find_nothing(sanitized, build_cpp, tmp_path):
    _succeed(sanitized / "check_vectors", VECTORS)
    program = _program(build_cpp, sanitized, *SANITIZERS.split())
    _assert_refused(program, tmp_path)
    _succeed(program, "open", *_damaged_models(tmp_path), errors="replace")


def test_each_declared_function_of_litert_is_there_and_called():
    header = (CPP / "litert_c_api.h").read_text()
    declared = set(re.findall(r"(?:LiteRtStatus|void) (LiteRt\w+)\(", header))
    runner = (CPP / "litert_runner.cc").read_text()
    called = set(re.findall(r"\b(LiteRt[A-Z]\w+)[(,)]", runner))
    assert len(declared) > 25
    assert declared <= called
    library = ctypes.CDLL(str(LITERT / "libLiteRt.so"))
    assert all(hasattr(library, name) for name in declared)


def _raw_frames(path, colors, size):
    width, height = size
    frames = np.empty((len(colors), height, width, 3), np.uint8)
    frames[:] = np.asarray(colors, np.uint8)[:, None, None]
    path.write_bytes(frames.tobytes())
    return path


def _json_lines(text):
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize("rate", slow_but([5, 30], [2, 5, 12, 30]))
@pytest.mark.parametrize("name", ["step", "classify", "chunks", "labels", "colors"])
def test_program_tells_what_grw_stream_does(
    built, run_bare_program, tmp_path, rate, name
):
    colors = [(8 * k % 256, 255 - 8 * k, 99 * k % 256) for k in range(30)]
    video = write_video(tmp_path / "video.mov", colors, rate, codec="png")
    raw = _raw_frames(tmp_path / "video.rgb", colors, (64, 48))
    model = VECTORS / f"{name}.tflite"
    flags = "--json", f"--model={model}", f"--source={video}", "--top=2"
    done = run_bare_program("export.run_stream", *flags)
    expected = _json_lines(done.stdout)
    command = (
        built / "stream_classify",
        model,
        "--width=64",
        "--height",
        "48",
        "--top=2",
    )
    told = _succeed(*command, f"--fps={rate}", f"--input={raw}")
    piped = _succeed(
        *command,
        f"--fps={rate}",
        input=raw.read_bytes().decode("latin-1"),
        encoding="latin-1",
    )
    assert expected
    for text in (told, piped):
        for line, other in zip(_json_lines(text), expected, strict=True):
            assert line.keys() == other.keys()
            assert line["ms"] > 0
            assert line["frame"] == other["frame"]
            assert line["time"] == pytest.approx(other["time"], abs=2e-3)
            for one, two in zip(line["top"], other["top"], strict=True):
                assert one["class"] == two["class"]
                assert one["probability"] == pytest.approx(two["probability"], abs=2e-6)
            assert line.get("answer") == other.get("answer")
            if "answer" in line:
                assert line["score"] == pytest.approx(other["score"], abs=1e-5)


@pytest.mark.parametrize("name", ["labels", "colors"])
def test_program_writes_the_events_that_grw_stream_does(
    built, run_bare_program, tmp_path, name
):
    # Red, blue (of the class background), green and none, each for several steps.
    colors = [(255, 0, 0), (0, 0, 255), (0, 255, 0), (9, 9, 9)]
    colors = [color for color in 3 * colors for _ in range(9)]
    video = write_video(tmp_path / "video.mov", colors, 5, codec="png")
    raw = _raw_frames(tmp_path / "video.rgb", colors, (64, 48))
    model = VECTORS / f"{name}.tflite"
    flags = f"--model={model}", f"--source={video}", "--events=-"
    done = run_bare_program("export.run_stream", *flags)
    expected = _json_lines(done.stdout)
    assert len(expected) >= 3
    program = built / "stream_classify", model, "--width=64", "--height=48", "--fps=5"
    printed = _succeed(*program, f"--input={raw}", "--events=-")
    files = {}
    for kind in ("jsonl", "csv"):
        path = tmp_path / f"events.{kind}"
        lines = _succeed(*program, f"--input={raw}", f"--events={path}").splitlines()
        # Classes are printed beside.
        assert len(lines) == len(colors)
        files[kind] = path.read_text()
    for text in (printed, files["jsonl"]):
        for line, other in zip(_json_lines(text), expected, strict=True):
            assert line.keys() == other.keys() and line["class"] == other["class"]
            for key in ("start", "end", "score"):
                assert line[key] == pytest.approx(other[key], abs=1e-5)
    rows = list(csv.DictReader(files["csv"].splitlines()))
    assert [(row["class"], float(row["start"])) for row in rows] == [
        (event["class"], event["start"]) for event in expected
    ]


@pytest.mark.parametrize(
    "flags, status, message",
    [
        ([], 2, "No model is given"),
        (["a", "b"], 2, "There is more than one model: b"),
        (["a"], 2, "--width is missing"),
        (
            ["a", "--width=0", "--height=1"],
            2,
            "--width is 0: it must be a number from 1",
        ),
        (["a", "--width=1.5", "--height=1"], 2, "--width is 1.5: it must be whole"),
        (["a", "--width=8x", "--height=1"], 2, "--width is 8x: it must be a number"),
        (["a", "--size=8"], 2, "Unknown flag --size"),
        (["a", "--width"], 2, "--width has no value"),
        (["a", "--width=8", "--height=8", "--fps=0"], 2, "--fps is 0: it must be"),
        (["a", "--width=8", "--height=8"], 1, "a: there is no such file"),
        (
            ["colors", "--width=8", "--height=8", "--events=x.txt"],
            2,
            "--events=x.txt: name a .csv or .jsonl file, or - for lines of JSON",
        ),
        (
            ["colors", "--width=8", "--height=8", "--events=/no/x.csv"],
            1,
            "/no/x.csv cannot be written",
        ),
        (
            ["counter", "--width=8", "--height=8", "--events=-"],
            1,
            "counter.tflite has no calibrated threshold: calibrate it with",
        ),
        (["counter", "--width=8", "--height=8", "--input=x"], 1, "x cannot be read"),
        (
            ["counter", "--width=8", "--height=8"],
            1,
            "ended within frame 0: 0 of its 192",
        ),
        (
            ["counter", "--width=3", "--height=3"],
            1,
            "ended within frame 1: 3 of its 27",
        ),
        (
            ["chunks", "--width=2", "--height=5"],
            1,
            "ended before the 3 frames of a step",
        ),
    ],
)
def test_program_says_what_is_wrong_in_a_line(built, flags, status, message):
    if flags and flags[0] in ("counter", "chunks", "colors"):
        flags = [VECTORS / f"{flags[0]}.tflite", *flags[1:]]
    given = "" if "--width=8" in flags else "\0" * 30
    command = [built / "stream_classify", *flags]
    done = subprocess.run(command, capture_output=True, text=True, input=given)
    assert done.returncode == status
    assert message in done.stderr.splitlines()[-1]
    assert done.stderr.startswith(("stream_classify:", "INFO:"))


def test_events_are_not_lost_without_a_word(built, tmp_path):
    earlier, full = tmp_path / "events.csv", tmp_path / "full.csv"
    earlier.write_text("of yesterday")
    full.symlink_to("/dev/full")
    size = "--width=8", "--height=8"
    for name, path, words in [
        # It has no threshold.
        ("counter", earlier, "has no calibrated threshold"),
        ("colors", full, f"{full} cannot be written"),
    ]:
        command = built / "stream_classify", VECTORS / f"{name}.tflite", *size
        done = subprocess.run(
            [*command, f"--events={path}"], capture_output=True, text=True, input=""
        )
        assert done.returncode == 1 and words in done.stderr
    assert earlier.read_text() == "of yesterday"


def test_program_says_how_it_is_used(built):
    assert "usage: stream_classify MODEL" in _succeed(
        built / "stream_classify", "--help"
    )


def test_label_of_any_characters_is_told(built, tmp_path):
    labels = ['"é\\', "\t\x01", "日本 \U0001f600"]
    path = with_manifest(VECTORS / "counter.tflite", tmp_path / "a.tflite", labels)
    command = built / "stream_classify", path, "--width=2", "--height=2"
    told = _succeed(*command, input="\0" * 12, env=os.environ | {"LC_ALL": "C.UTF-8"})
    (line,) = _json_lines(told)
    assert {one["class"] for one in line["top"]} == set(labels)


def test_build_without_litert_says_what_to_do(tmp_path):
    if shutil.which("cmake") is None:
        pytest.skip("no CMake")
    command = ["cmake", "-S", CPP, "-B", tmp_path / "build", f"-DLITERT_DIR={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1 and "pip install ai-edge-litert" in done.stderr


def test_build_finds_litert_of_python(tmp_path):
    if shutil.which("cmake") is None:
        pytest.skip("no CMake")
    (tmp_path / "python3").symlink_to(sys.executable)
    environment = os.environ | {
        "PATH": f"{tmp_path}:{os.environ['PATH']}",
        "PYTHONPATH": str(LITERT.parent),
    }
    _succeed("cmake", "-S", CPP, "-B", tmp_path / "build", env=environment)
    cache = (tmp_path / "build" / "CMakeCache.txt").read_text()
    assert f"LITERT_LIBRARY:FILEPATH={LITERT / 'libLiteRt.so'}\n" in cache
