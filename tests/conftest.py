"""Fixtures shared by all tests."""

import functools
import gc
import json
import multiprocessing.forkserver
import os
import pathlib
import shutil
import subprocess
import sys
import venv

import numpy as np
import pytest
from random_weights import randomize

from grw_tf.common.file_lock import locked

TESTS = pathlib.Path(__file__).resolve().parent
SHARED = TESTS.parents[1] / "shared"

# A test process has a core to itself: TensorFlow's threads beyond it wait for work by
# spinning, which takes a fifth of the time of all tests. Tests import TensorFlow later.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")


def pytest_collection_finish():
    """Keeps what imports made out of garbage collections, which else take long."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def worker_processes():
    """Starts the server that worker processes fork from, with TensorFlow imported.

    There is one server for all pools, and it imports what the first one asks for. After
    a pool that draws airplanes, each that converts videos would import TensorFlow.
    """
    multiprocessing.set_forkserver_preload(["grw_tf.data.preparation.conversion"])
    multiprocessing.forkserver.ensure_running()


@pytest.fixture(scope="session", autouse=True)
def annotations_read_once():
    """Keeps the annotations of the Model Garden's configs, which it reads at each use.

    That takes a third of the time that experiments take.
    """
    # Tests that were collected have imported it, unless they must not.
    module = sys.modules.get("official.modeling.hyperparams.base_config")
    with pytest.MonkeyPatch.context() as patch:
        if module is not None:
            annotations = functools.cache(module.Config._get_annotations.__func__)
            kept = classmethod(lambda cls: dict(annotations(cls)))
            patch.setattr(module.Config, "_get_annotations", kept)
        yield


@pytest.fixture(scope="module", autouse=True)
def freed():
    """Frees a module's models and trainers; during a later trace it takes a minute."""
    yield
    gc.collect()


@pytest.fixture(scope="session")
def shared():
    """The folder of reference data beside the repository; the test skips without."""
    if not SHARED.is_dir():
        pytest.skip(f"reference data not found at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def published_cases(shared):
    """The published implementation's losses and gradients, as a list of dicts."""
    arrays = np.load(shared / "vectors" / "grw_vectors.npz")
    names = ("Z", "loss", "grad", "loss64", "grad64")
    cases = json.loads(str(arrays["index_json"]))
    return [
        case | {name: arrays[f"{case['case']}/{name}"] for name in names}
        for case in cases
    ]


@pytest.fixture(scope="session")
def run_isolated():
    """A function that runs a file of checks by pytest in a process of its own."""

    def run(file, **environment):
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "--tb=short", file],
            cwd=TESTS,
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout

    return run


@pytest.fixture(scope="session")
def run_program(tmp_path_factory):
    """A function that runs a module with flags and returns the ended process.

    The process is a fork of one that has TensorFlow imported.
    """
    folder = tmp_path_factory.mktemp("programs")
    server = None

    def run(module, *flags):
        nonlocal server
        if server is None:
            server = subprocess.Popen(
                [sys.executable, TESTS / "program_server.py"],
                cwd=TESTS.parent,
                env=os.environ | {"PYTHONPATH": str(TESTS.parent)},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        out, err = folder / "out", folder / "err"
        request = {
            "module": module,
            "flags": [str(flag) for flag in flags],
            "environment": dict(os.environ),
            "out": str(out),
            "err": str(err),
        }
        print(json.dumps(request), file=server.stdin, flush=True)
        status = int(server.stdout.readline())
        return subprocess.CompletedProcess(
            [module, *flags], status, out.read_text(), err.read_text()
        )

    yield run
    if server is not None:
        server.stdin.close()
        server.wait()


@pytest.fixture(scope="session")
def run_bare_program():
    """As `run_program`, for programs without TensorFlow: nothing is imported before."""
    return functools.partial(_run_python, "-m")


@pytest.fixture(scope="session")
def run_code():
    """A function that runs code with arguments and returns the ended process."""
    return functools.partial(_run_python, "-c")


def _run_python(*arguments):
    return subprocess.run(
        [sys.executable, *arguments], cwd=TESTS.parent, capture_output=True, text=True
    )


@pytest.fixture(scope="session")
def run_bare(tmp_path_factory):
    """A function that runs code with arguments upon the bare install alone.

    That is a virtual environment of this package without extras: no TensorFlow.
    """
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder / "venv", with_pip=True)
    python = folder / "venv" / "bin" / "python"
    # A copy, for building leaves its traces.
    source = folder / "source"
    for name in ("grw_tf", "configs", "export/web"):
        shutil.copytree(TESTS.parent / name, source / name)
    for name in ("setup.py", "pyproject.toml", "README.md"):
        shutil.copy(TESTS.parent / name, source)
    pip = [python, "-m", "pip", "install", "--quiet"]
    installed = subprocess.run([*pip, source], capture_output=True, text=True)
    assert installed.returncode == 0, installed.stderr
    outside = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def run(code, *arguments):
        return subprocess.run(
            [python, "-c", code, *arguments],
            cwd=folder,
            env=outside,
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture(scope="session")
def nano():
    """A function that builds a tiny model with random weights, once a config.

    It takes fields of `ModelConfig`, `backbone` as a dict of fields of
    `BackboneConfig`. Tests that change weights ask for a `scratch` one, which has its
    first weights again each time. Those that change anything else ask for a `fresh`
    one, which takes seconds.
    """
    import tf_keras

    import grw_tf.models as models

    def make(backbone=(), **fields):
        backbone = models.BackboneConfig(**{"model_id": "nano"} | dict(backbone))
        fields = {"num_classes": 5, "frames": 8, "size": 32} | fields
        tf_keras.utils.set_random_seed(0)
        model = models.build_model(models.ModelConfig(backbone=backbone, **fields))
        randomize(model)
        return model

    kept = functools.cache(make)

    @functools.cache
    def make_scratch(**fields):
        model = make(**fields)
        return model, model.get_weights()

    def build(fresh=False, scratch=False, backbone=(), **fields):
        fields["backbone"] = tuple(dict(backbone).items())
        if scratch:
            model, weights = make_scratch(**fields)
            model.set_weights(weights)
            return model
        return (make if fresh else kept)(**fields)

    return build


@pytest.fixture(scope="session")
def clip():
    """Two clips for `nano` models."""
    return np.random.default_rng(0).random((2, 8, 32, 32, 3), "float32")


@pytest.fixture(scope="session")
def made_once(tmp_path_factory, request):
    """A function that makes a folder, by a function, once for all test processes."""
    base = tmp_path_factory.getbasetemp()
    # Each process of pytest-xdist has a folder of its own in that of the run.
    base = base.parent if hasattr(request.config, "workerinput") else base

    def make(name, write):
        folder, done = base / name, base / f"{name}.done"
        with locked(base / f"{name}.lock"):
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                write(folder)
                done.touch()
        return folder

    return make


@pytest.fixture(scope="session")
def colored_records(made_once):
    """A folder of records of red and blue videos, 8 train and 4 test ones of each.

    It is shared between processes: tests that change it copy it first.
    """
    return made_once("colored", _write_colored_videos) / "records"


def _write_colored_videos(folder):
    from drawn_videos import write_video

    from grw_tf.data.preparation.config import PreparationConfig
    from grw_tf.data.preparation.prepare import prepare

    for name, color in (("red", (255, 0, 0)), ("blue", (0, 0, 255))):
        for index in range(12):
            split = "train" if index < 8 else "test"
            frames = [
                tuple(channel * (8 + k + index) // 32 for channel in color)
                for k in range(10)
            ]
            write_video(folder / "videos" / split / name / f"{index}.mp4", frames, 5)
    config = PreparationConfig(
        input=str(folder / "videos"),
        output_dir=str(folder / "records"),
        clips_per_shard=6,
        workers=1,
    )
    prepare(config)


@pytest.fixture(scope="session")
def labeled_records(made_once):
    """A folder of records of videos that are red, blue, both or neither.

    There are 4 train and 2 test videos of each of the four. It is shared between
    processes: tests that change it copy it first.
    """
    return made_once("labeled", _write_labeled_videos) / "records"


def _write_labeled_videos(folder):
    import itertools

    from drawn_videos import write_video

    from grw_tf.data.preparation.config import PreparationConfig
    from grw_tf.data.preparation.prepare import prepare

    rows = ["path,label,split"]
    for split, count in (("train", 4), ("test", 2)):
        for red, blue, index in itertools.product((0, 1), (0, 1), range(count)):
            name = f"{split}_{red}{blue}_{index}.mp4"
            levels = [(20 + 180 * red + k, 20, 20 + 180 * blue - k) for k in range(10)]
            write_video(folder / "videos" / name, levels, 5)
            names = [name for name, on in (("red", red), ("blue", blue)) if on]
            rows.append(f"{name},{'|'.join(names)},{split}")
    table = folder / "videos" / "table.csv"
    table.write_text("\n".join(rows) + "\n")
    config = PreparationConfig(
        csv=str(table),
        label_separator="|",
        output_dir=str(folder / "records"),
        workers=1,
    )
    prepare(config)


@pytest.fixture(scope="session")
def finished_training(made_once, colored_records):
    """The folder of a training of the smoke config on `colored_records`.

    It is shared between processes: tests that change it copy it first.
    """
    import training_runs

    from grw_tf.training.driver import run_experiment

    def train(folder):
        run_experiment(training_runs.options(colored_records, folder))

    return made_once("finished_training", train)


@pytest.fixture(scope="session")
def build_cpp(tmp_path_factory):
    """A function that builds a C++ program with some files of export/cpp.

    It takes the text of a main file, the names of the others, and what else to give to
    the compiler, such as libraries.
    """
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if compiler is None:
        pytest.skip("no C++ compiler: set CXX, or install g++")

    def build(main, *sources, others=()):
        folder = tmp_path_factory.mktemp("cpp")
        (folder / "main.cc").write_text(main)
        cpp = TESTS.parent / "export" / "cpp"
        files = [folder / "main.cc", *(cpp / source for source in sources)]
        flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{cpp}"]
        program = folder / "program"
        command = [compiler, *flags, *files, *others, "-o", program]
        subprocess.run(command, check=True)
        return program

    return build
