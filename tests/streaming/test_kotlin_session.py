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
    assert len(sources) == 6
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
    names = ("clock", "time_unit", "preparation", "streams")
    for line, name in zip(told, names, strict=True):
        count = len(json.loads((VECTORS / f"{name}.json").read_text()))
        assert line == f"{name}: {count} cases agree"


def test_check_of_vectors_finds_a_difference(program, tmp_path):
    shutil.copytree(VECTORS, tmp_path, dirs_exist_ok=True)
    cases = json.loads((tmp_path / "clock.json").read_text())
    cases[3]["ticks"][5] += 1
    (tmp_path / "clock.json").write_text(json.dumps(cases))
    done = subprocess.run([*program, tmp_path], capture_output=True, text=True)
    assert done.returncode == 1 and "clock, case 3" in done.stderr


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
