"""docs/extending.md, followed to the letter in a copy of the project."""

import json
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "extending.md").read_text()
BLOCKS = {
    path: code
    for code in re.findall(r"```(?:python|yaml)\n(.*?)```", PAGE, re.DOTALL)
    for path in re.findall(r"\A# (\S+)\n", code)
}
COMMANDS = [
    shlex.split(line.removeprefix("    python -m "))
    for line in PAGE.splitlines()
    if line.startswith("    python -m ")
]


# It copies the project, and trains there.
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def extended(colored_records, tmp_path_factory):
    """A copy of the project with the page's files and lines, trained."""
    folder = tmp_path_factory.mktemp("extended") / "project"
    for part in ("grw_tf", "scripts", "export"):
        shutil.copytree(
            ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__")
        )
    for path, code in BLOCKS.items():
        (folder / path).write_text(code)
    _change(
        folder / "grw_tf/models/backbone.py",
        "    mobilenet_backbone,\n",
        "    framewise_backbone,\n    mobilenet_backbone,\n",
    )
    _change(
        folder / "grw_tf/models/regularization.py",
        "import tensorflow as tf\n",
        "import tensorflow as tf\nfrom grw_tf.layers import frame_blend\n",
    )
    (folder / "records").symlink_to(colored_records)
    return folder, _run(folder, COMMANDS[0])


def _change(file, before, after):
    text = file.read_text()
    assert text.count(before) == 1
    file.write_text(text.replace(before, after))


def _run(folder, command):
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout + done.stderr


def test_each_example_has_less_than_60_lines():
    assert len(BLOCKS) == 3
    assert [path for path, code in BLOCKS.items() if code.count("\n") >= 60] == []


def test_page_names_the_lines_that_the_test_adds():
    assert "`framewise_backbone` among the imports" in PAGE
    assert "`from grw_tf.layers import frame_blend` at the head" in PAGE


def test_backbone_and_regulariser_train_by_the_projects_own_command(extended):
    folder, printed = extended
    # Both places of smoothing, under their own names.
    for term in ("grw_loss", "grw_block0_loss", "top_1_accuracy"):
        assert term in printed
    assert (folder / "runs/framewise/best_ckpt/checkpoint").exists()
    assert "own_layer" in (folder / "runs/framewise/params.yaml").read_text()


@pytest.mark.slow
def test_extension_is_evaluated_and_exported(extended):
    folder, _ = extended
    _run(folder, COMMANDS[1])
    results = json.loads((folder / "runs/framewise/test/results.json").read_text())
    assert results["settings"]["streaming"]
    printed = _run(folder, COMMANDS[2])
    assert "Written to framewise.tflite" in printed
    report = json.loads((folder / "export_report.json").read_text())
    assert report["parity"]["passed"]
