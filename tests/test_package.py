"""Tests of the wheel, and of what it installs: programs that need no checkout."""

import configparser
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile

import pytest
from absl import flags
from drawn_videos import write_video
from litert_packages import write_packages
from official_saved_models import write_saved_model

from grw_tf.programs import console
from grw_tf.programs.console import Program
from grw_tf.web.page import page_files
from grw_tf.web.runtime import pinned_version

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROGRAMS = {
    name: value for name, value in vars(console).items() if isinstance(value, Program)
}
SCRIPTS = {
    program: f"{path.parent.name}.{path.stem}"
    for folder in ("scripts", "export")
    for path in (ROOT / folder).glob("*.py")
    for program in re.findall(
        r"^from grw_tf\.programs\.console import (\w+)$", path.read_text(), re.MULTILINE
    )
}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The path of a wheel that is built here, without another environment."""
    folder = tmp_path_factory.mktemp("wheel")
    # A copy, for building leaves its traces.
    source = folder / "source"
    unwanted = shutil.ignore_patterns("__pycache__")
    for name in ("grw_tf", "configs", "export/web"):
        shutil.copytree(ROOT / name, source / name, ignore=unwanted)
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation"]
    done = subprocess.run(
        [*command, f"--outdir={folder}", source], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("*.whl")
    return path


def _entry_points(wheel):
    """Returns what the console programs of a wheel call, by their names."""
    parser = configparser.ConfigParser()
    with zipfile.ZipFile(wheel) as files:
        (name,) = (n for n in files.namelist() if n.endswith("/entry_points.txt"))
        parser.read_string(files.read(name).decode())
    return dict(parser["console_scripts"])


def test_wheel_has_each_program_under_its_name(wheel):
    assert _entry_points(wheel) == {
        program.command: f"grw_tf.programs.console:{name}"
        for name, program in PROGRAMS.items()
    }


def test_wheel_has_all_modules_and_configs(wheel):
    with zipfile.ZipFile(wheel) as files:
        held = set(files.namelist())
    modules = {str(path.relative_to(ROOT)) for path in ROOT.glob("grw_tf/**/*.py")}
    configs = {f"grw_tf/configs/{path.name}" for path in ROOT.glob("configs/*.yaml")}
    page = ROOT / "export" / "web"
    web = {
        f"grw_tf/web/page/{path.relative_to(page)}"
        for path in page.rglob("*")
        if path.is_file()
    }
    assert modules | configs | web | {"grw_tf/py.typed"} <= held
    assert not [name for name in held if name.startswith(("tests/", "scripts/"))]


def test_each_program_has_a_module_and_a_script():
    modules = {path.stem for path in (ROOT / "grw_tf/programs").glob("*.py")}
    assert {p.module for p in PROGRAMS.values()} == modules - {"__init__", "console"}
    assert {name: program.module for name, program in PROGRAMS.items()} == {
        name: name for name in PROGRAMS
    }
    assert SCRIPTS.keys() == PROGRAMS.keys()


def _documented():
    """Returns the rows of the page's table of programs, by the console program."""
    page = (ROOT / "docs" / "getting_started.md").read_text()
    rows = re.findall(r"^\| `(grw-[\w-]+)` \| `([\w.]+)` \| (.+) \|$", page, re.M)
    return {command: (script, told) for command, script, told in rows}


def test_table_of_programs_is_complete():
    assert {command: script for command, (script, _) in _documented().items()} == {
        program.command: SCRIPTS[name] for name, program in PROGRAMS.items()
    }


@pytest.fixture(scope="module")
def environment(wheel, tmp_path_factory):
    """The folder of a virtual environment with the wheel alone."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder)
    pip = [sys.executable, "-m", "pip", f"--python={folder / 'bin' / 'python'}"]
    done = subprocess.run(
        [*pip, "install", "--quiet", "--no-deps", "--no-index", wheel],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def run(environment, tmp_path):
    """A function that runs a program of the environment, outside the repository."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}

    def run(command, *flags, **variables):
        return subprocess.run(
            [environment / "bin" / command, *flags],
            cwd=tmp_path,
            env=kept | variables,
            capture_output=True,
            text=True,
        )

    return run


@pytest.mark.parametrize("name", PROGRAMS)
def test_program_without_its_packages_names_the_extra(run, name):
    done = run(PROGRAMS[name].command)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    extra = "video" if name in ("stream", "export_web", "benchmark_tflite") else "train"
    assert f"run pip install 'grw_tf[{extra}]'" in line
    assert line.startswith("The package ") and " is not installed" in line


@pytest.fixture
def with_packages(environment):
    """Lets the environment see the packages that are installed here.

    This project is not among them: an editable one is found by a .pth file, which
    counts only in an environment's own folder.
    """
    (site,) = environment.glob("lib/python*/site-packages")
    path = site / "packages.pth"
    path.write_text(sysconfig.get_path("purelib"))
    yield
    path.unlink()


# Neither TensorFlow nor what else the extra `train` installs.
_VIDEO_ALONE = """
import sys
sys.modules.update(dict.fromkeys(["tensorflow", "tf_keras", "official"]))
from grw_tf.programs.console import stream
stream()
"""
_COLORS = {"blue": (0, 0, 255), "red": (255, 0, 0)}
_TOY = ",".join(
    (
        *("task.model.num_classes=2", "task.model.frames=4", "task.model.size=32"),
        *("task.train_data.global_batch_size=2", "task.unfreeze_step=1"),
        *("task.validation_data.global_batch_size=2", "trainer.train_steps=2"),
        *("trainer.steps_per_loop=1", "trainer.summary_interval=1"),
        *("trainer.checkpoint_interval=2", "trainer.validation_interval=2"),
    )
)


@pytest.mark.slow
def test_installed_programs_take_clips_to_a_stream(
    run, run_code, environment, with_packages, tmp_path
):
    for split, count in {"train": 2, "validation": 1, "test": 1}.items():
        for name, color in _COLORS.items():
            for index in range(count):
                path = tmp_path / "clips" / split / name / f"{index}.mp4"
                write_video(path, [color] * 8, rate=5)
    cache = tmp_path / "cache"
    write_saved_model(run_code, cache / "movinet_a0_stream", "stream")

    def finish(command, *flags):
        done = run(command, *flags, GRW_TF_CACHE=str(cache), TF_CPP_MIN_LOG_LEVEL="2")
        assert done.returncode == 0, done.stdout + done.stderr
        return done

    finish("grw-prepare", "--input=clips", "--output_dir=records")
    trained = finish(
        "grw-train",
        *("--experiment=movinet_a0_stream", "--mode=train_and_eval"),
        *("--config_file=own_clips", "--config_file=configs/grw_mean.yaml"),
        *(f"--params_override={_TOY}", "--model_dir=runs/own"),
        # Tells what is restored.
        "--verbosity=0",
    )
    assert "restored all 385 variables of the backbone" in trained.stderr
    evaluated = finish(
        "grw-evaluate",
        *("--checkpoint=runs/own/best_ckpt", "--records=records/test-*.tfrecord"),
        *("--output_dir=runs/test", "--streaming"),
    )
    assert re.search(r"^clips +2$", evaluated.stdout, re.MULTILINE)
    finish(
        "grw-export",
        *("--checkpoint_dir=runs/own", "--output=model.tflite", "--quantization=none"),
    )
    streamed = ("--model=model.tflite", "--source=clips/test/red/0.mp4", "--json")
    lines = finish("grw-stream", *streamed).stdout.splitlines()
    assert len(lines) == 8
    first = json.loads(lines[0])["top"]
    assert {each["class"] for each in first} == set(_COLORS)
    without = finish("python", "-c", _VIDEO_ALONE, *streamed).stdout.splitlines()
    assert [json.loads(line)["top"] for line in without] == [
        json.loads(line)["top"] for line in lines
    ]


def test_installed_program_writes_the_whole_page(run, with_packages, tmp_path):
    write_packages(tmp_path / "packages", pinned_version())
    done = run("grw-export-web", "--output_dir=site", "--runtime=packages")
    assert (done.returncode, done.stderr) == (0, "")
    for name in page_files():
        assert (tmp_path / "site" / name).read_bytes() == (
            ROOT / "export" / "web" / name
        ).read_bytes()


@pytest.mark.slow
def test_help_of_an_installed_program_names_it(run, with_packages):
    done = run("grw-stream", "--help")
    assert "    grw-stream --model=model.tflite --source=video.mp4" in done.stdout
    assert "--source: Video file, camera index or URL" in done.stdout
    assert "python -m" not in done.stdout


def test_programs_define_no_flags_when_they_are_imported():
    for program in PROGRAMS.values():
        program.load()
    defined = flags.FLAGS.flags_by_module_dict()
    assert not [module for module in defined if module.startswith("grw_tf.programs")]
