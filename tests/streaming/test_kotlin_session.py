"""Tests of the Kotlin session on a Java machine, all but AndroidStream.kt.

They run where a Kotlin compiler is: `kotlinc`, or npm's package kotlin-compiler, whose
folder `lib` the environment variable KOTLIN_LIB names.
"""

import json
import os
import pathlib
import shutil
import subprocess

import pytest
from exported_files import VECTORS, hostile_files
from vector_changes import CHANGES

REPOSITORY = pathlib.Path(__file__).parents[2]
COMPILER = "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"

# The compiler takes half a minute.
pytestmark = pytest.mark.slow


def _library():
    if os.environ.get("KOTLIN_LIB"):
        return pathlib.Path(os.environ["KOTLIN_LIB"])
    compiler = shutil.which("kotlinc")
    if compiler is None:
        pytest.skip("no Kotlin compiler: install kotlinc, or set KOTLIN_LIB")
    return pathlib.Path(compiler).resolve().parents[1] / "lib"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """The command that runs CheckVectors.kt."""
    library, classes = _library(), tmp_path_factory.mktemp("kotlin")
    if shutil.which("java") is None:
        pytest.skip("no Java")
    standard = library / "kotlin-stdlib.jar"
    sources = [
        path
        for path in (REPOSITORY / "export" / "android").glob("*.kt")
        if path.name != "AndroidStream.kt"
    ]
    assert len(sources) == 7
    sources.append(pathlib.Path(__file__).parent / "kotlin" / "CheckVectors.kt")
    compiler = ["java", "-cp", f"{library}/*", COMPILER]
    flags = ["-no-stdlib", "-no-reflect", "-Werror", "-cp", standard, "-d", classes]
    subprocess.run([*compiler, *flags, *sources], check=True)
    main = "grw.streaming.CheckVectorsKt"
    return ["java", "-cp", f"{classes}:{standard}", main]


def _lines(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_session_does_what_the_vectors_record(program):
    told = _lines(*program, VECTORS)
    names = ("clock", "time_unit", "preparation", "events", "streams")
    for line, name in zip(told, names, strict=True):
        count = len(json.loads((VECTORS / f"{name}.json").read_text()))
        assert line == f"{name}: {count} cases agree"


# LiteRT is not there, so a model of the first streams is not run.
@pytest.mark.parametrize(
    "name, place, change, message",
    [each for each in CHANGES if each[:2] != ("streams", 0)],
)
def test_check_of_vectors_finds_a_difference(
    program, tmp_path, name, place, change, message
):
    shutil.copytree(VECTORS, tmp_path, dirs_exist_ok=True)
    cases = json.loads((tmp_path / f"{name}.json").read_text())
    change(cases[place])
    (tmp_path / f"{name}.json").write_text(json.dumps(cases))
    done = subprocess.run([*program, tmp_path], capture_output=True, text=True)
    assert done.returncode == 1
    assert f"{name}, case {place % len(cases)}" in done.stderr
    assert message in done.stderr


def test_calibration_is_applied_or_refused_in_a_line(program):
    own, all_frames, strict, *told = _lines(*program, "use", VECTORS)
    # Of the last frames red is gone but for what a memory of 4 frames keeps of it.
    logit, label = own.split()
    assert float(logit) == pytest.approx(8 * 0.75**8, abs=1e-4) and label == "green"
    assert float(all_frames.split()[0]) == pytest.approx(8 * 12 / 20, abs=1e-4)
    # Without the temperature, green would reach this threshold.
    assert strict.split()[1] == "null"
    words = [
        "memoryFrames is -1: it must be 0 or more",
        "offThreshold is 0.8, above onThreshold, which is 0.7",
        "labels.tflite is the file of a model with several labels at once",
        "counter.tflite has no calibrated threshold: calibrate it with grw-calibrate",
        "finds no events: open it with findEvents",
        "several labels at once, each with its own threshold: ask for named()",
    ]
    for line, expected in zip(told, words, strict=True):
        assert expected in line


def test_hostile_files_are_refused_in_one_line(program, tmp_path):
    hostile = {
        path: "opens" if words == "manifest of another model" else words
        for path, words in hostile_files(tmp_path).items()
        # What is not a file at all is left to Java.
        if pathlib.Path(path).is_file()
    }
    told = _lines(*program, "open", *hostile)
    assert len(hostile) > 60
    for line, (path, words) in zip(told, hostile.items(), strict=True):
        words = words.replace("no labels", "no model, labels")
        assert words in line
        assert words == "opens" or str(path) in line
