"""Tests of docs/clips_to_tflite.ipynb: it was run, and it runs."""

import ast
import pathlib
import re
import shutil

import nbclient
import nbformat
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATH = ROOT / "docs" / "clips_to_tflite.ipynb"
NOTEBOOK = nbformat.read(PATH, as_version=4)
CODE = [cell for cell in NOTEBOOK.cells if cell.cell_type == "code"]


def _texts(notebook):
    return "".join(
        output.get("text", "") for cell in notebook.cells for output in _outputs(cell)
    )


def _outputs(cell):
    return cell.get("outputs", [])


def _pictures(notebook):
    return sum(
        "image/png" in output.get("data", {})
        for cell in notebook.cells
        for output in _outputs(cell)
    )


def test_notebook_is_valid_and_small():
    nbformat.validate(NOTEBOOK)
    assert PATH.stat().st_size < 400_000


def test_each_cell_was_run_in_order_without_an_error():
    assert [cell.execution_count for cell in CODE] == list(range(1, len(CODE) + 1))
    for cell in CODE:
        assert cell.outputs or cell is CODE[0]
        assert {output.output_type for output in cell.outputs} <= {
            "stream",
            "display_data",
        }
        assert "stderr" not in [output.get("name") for output in cell.outputs]


def test_source_is_python():
    for cell in CODE:
        ast.parse(cell.source)


def test_outputs_show_each_step():
    assert _pictures(NOTEBOOK) == 3
    text = _texts(NOTEBOOK)
    for step in ("210 clips", "commonest class", "top_1_accuracy", "frames seen"):
        assert step in text
    assert "order_accuracy=" in text
    assert "Written to runs/notebook/lamps.tflite" in text
    assert "TensorFlow was imported: False" in text
    # Better than chance, which is a third.
    assert float(re.search(r"top-1 +(\d\.\d+)", text)[1]) > 0.5


def test_nothing_tells_of_the_machine_it_ran_on():
    text = PATH.read_text()
    # Not only its own: any absolute path.
    for path in ("/home/", "/root/", "/tmp/", "/Users/", str(ROOT)):
        assert path not in text
    assert "execution" not in {key for cell in CODE for key in cell.metadata}
    assert set(NOTEBOOK.metadata) == {"kernelspec", "language_info"}
    assert NOTEBOOK.metadata.kernelspec.name == "python3"


@pytest.mark.slow
def test_notebook_runs(tmp_path):
    folder = tmp_path / "project"
    (folder / "docs").mkdir(parents=True)
    for part in ("grw_tf", "scripts", "export", "configs"):
        (folder / part).symlink_to(ROOT / part)
    shutil.copy(PATH, folder / "docs")
    notebook = nbformat.read(folder / "docs" / PATH.name, as_version=4)
    nbclient.NotebookClient(
        notebook,
        timeout=900,
        kernel_name="python3",
        resources={"metadata": {"path": folder / "docs"}},
    ).execute()
    assert _pictures(notebook) == _pictures(NOTEBOOK)
    text = _texts(notebook)
    assert "TensorFlow was imported: False" in text
    assert (folder / "runs/notebook/lamps.tflite").exists()
    accuracy = float(re.search(r"top-1 +(\d\.\d+)", text)[1])
    assert accuracy > 0.5
