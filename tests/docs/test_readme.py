"""Tests that what the README shows runs."""

import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf
from everyday import slow_but
from exported_files import random_frames
from exported_streams import write_clip_classifier, write_stream
from toy_backbones import BACKBONES
from toy_heads import HEADS

from grw_tf.streaming import ClipClassifier, StreamSession

README = pathlib.Path(__file__).resolve().parents[2] / "README.md"
EXPORT = README.parent / "docs" / "export.md"
MODELS = README.parent / "docs" / "models.md"


@pytest.mark.parametrize("head", slow_but(["transformer"], ["official", "transformer"]))
def test_code_of_the_export_page_runs_a_file(nano, head, tmp_path, monkeypatch, capsys):
    path = tmp_path / "model.tflite"
    write_stream(path, nano(head=HEADS[head]))
    frames = random_frames(5)
    code, *_ = re.findall(r"```python\n(.*?)```", EXPORT.read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(code, {"frames": frames})
    expected = []
    with StreamSession(path) as session:
        for frame in frames:
            session.push_prepared(frame)
            expected.append(session.top(1)[0][0])
    assert capsys.readouterr().out.split() == expected


def test_code_of_the_export_page_classifies_clips(nano, tmp_path, monkeypatch, capsys):
    model = nano(backbone=BACKBONES["slowonly_nano"])
    path = write_clip_classifier(tmp_path / "clips.tflite", model)
    clip = random_frames(8)
    _, *codes = re.findall(r"```python\n(.*?)```", EXPORT.read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    for code in codes:
        exec(code, {"clip": clip, "frames": list(clip)})
    with ClipClassifier(path) as classifier:
        best = classifier.logits(list(clip), prepared=True).argmax()
        top = classifier.top(list(clip), 3)
    assert capsys.readouterr().out.splitlines() == [str(best), str(top)]
    assert len(codes) == 2


def test_code_of_the_readme_and_of_models_runs(nano, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("GRW_TF_CACHE", str(tmp_path))
    text = README.read_text() + MODELS.read_text()
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    names = {}
    for block in blocks:
        if "restore(" in block:
            # In place of the download: building another model takes long.
            official = tf.train.Checkpoint(backbone=names["model"].backbone)
            official.save(tmp_path / "movinet_a0_stream" / "ckpt")
        exec(block, names)
    assert len(blocks) == 5
    assert names["logits"].shape == (1, 10)
    assert "restored all 385 variables of the backbone" in capsys.readouterr().out
    write_stream(tmp_path / "model.tflite", nano())
    picture = np.zeros((48, 64, 3), np.uint8)
    camera = [(index / 5, picture) for index in range(3)]
    names["watch"](camera, tmp_path / "model.tflite")
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_files_that_the_readme_names_exist():
    text = README.read_text()
    for name in re.findall(r"\]\((docs/[^)#]+)", text):
        assert (README.parent / name).is_file(), name
    for name in re.findall(r"^    (\w[\w/]+)  ", text, re.MULTILINE):
        if name != "make":
            assert (README.parent / name).exists(), name
