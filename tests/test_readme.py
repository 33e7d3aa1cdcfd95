"""Tests that what the README shows runs."""

import pathlib
import re

import tensorflow as tf

README = pathlib.Path(__file__).resolve().parents[1] / "README.md"


def test_code_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GRW_TF_CACHE", str(tmp_path))
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    names = {}
    for block in blocks:
        if "restore(" in block:
            # In place of the download: building another model takes long.
            official = tf.train.Checkpoint(backbone=names["model"].backbone)
            official.save(tmp_path / "movinet_a0_stream" / "ckpt")
        exec(block, names)
    assert len(blocks) == 3
    assert names["logits"].shape == (1, 10)
    assert "all 385 variables of the backbone came" in capsys.readouterr().out


def test_files_that_the_readme_names_exist():
    text = README.read_text()
    for name in re.findall(r"\]\((docs/[^)]+)\)", text):
        assert (README.parent / name).is_file(), name
    for name in re.findall(r"^    (\w[\w/]+)  ", text, re.MULTILINE):
        if name != "make":
            assert (README.parent / name).exists(), name
