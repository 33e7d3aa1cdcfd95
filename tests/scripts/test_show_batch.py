"""Tests of the contact sheet of a batch, on drawn videos."""

import json

import numpy as np
import pytest
from everyday import slow_but
from official.core.train_utils import ParseConfigOptions
from training_runs import EXPERIMENT, SMOKE_GRW

from grw_tf.figures.contact_sheet import (
    contact_sheet,
    label_list_text,
    label_text,
)
from grw_tf.programs.show_batch import Options, draw, read_batch, write_png
from grw_tf.training.experiments.parsing import parse_experiment
from grw_tf.training.tasks.video_classification import Task

NAMES = ("blue", "red", "green", "white")


def _params(records, **data):
    data = {
        "train_data": {"input_path": f"{records}/train-*"} | data,
        "validation_data": {"input_path": f"{records}/test-*"} | data,
    }
    override = {"task": {"model": {"num_classes": 2}} | data}
    return parse_experiment(
        ParseConfigOptions(
            experiment=EXPERIMENT,
            config_file=SMOKE_GRW,
            params_override=json.dumps(override),
        )
    )


def _frames(sheet, side):
    """Cuts the frames out of a sheet, uint8 [rows, columns, side, side, 3]."""
    return np.array(
        [
            [
                sheet.pixels[
                    top : top + scale * side : scale, left : left + scale * side : scale
                ]
                for left, top, scale in row
            ]
            for row in sheet.boxes
        ]
    )


def _clips(count=2, time=50, side=20):
    return np.random.default_rng(0).random((count, time, side, side, 3), "float32")


@pytest.mark.parametrize(
    "split, step",
    slow_but(
        [("train", 1), ("validation", 0)],
        [(split, step) for split in ("train", "validation") for step in (0, 1)],
    ),
)
def test_sheet_shows_the_batch_of_a_step(colored_records, split, step):
    params = _params(colored_records)
    sheet = draw(params, Options(split=split, step=step, clips=3))
    task = Task(params.task)
    data = getattr(params.task, f"{split}_data")
    batches = task.build_inputs(data).take(step + 1).as_numpy_iterator()
    images = list(batches)[-1][0]["image"][:3]
    assert sheet.shown == tuple(range(8))
    np.testing.assert_array_equal(_frames(sheet, 32), np.round(255 * images))


def test_all_views_of_a_clip_have_its_label(colored_records):
    task = Task(_params(colored_records, num_test_clips=2).task)
    clips, labels = read_batch(task, "validation", 0)
    assert clips.shape[:2] == (8, 8)
    np.testing.assert_array_equal(labels[::2], labels[1::2])


def test_mixed_clips_have_shares(colored_records):
    mixing = {"mixup_alpha": 1.0, "cutmix_alpha": 0.0, "label_smoothing": 0.0}
    task = Task(_params(colored_records, mixup_and_cutmix=mixing).task)
    _, labels = read_batch(task, "train", 0)
    texts = [label_text(label, NAMES[:2]) for label in labels]
    assert any("% blue\n" in text or "% red\n" in text for text in texts)


@pytest.mark.parametrize(
    "label, text",
    [
        (2, "green"),
        ([3], "white"),
        ([0, 1, 0, 0], "red"),
        ([0.25, 0, 0.75, 0], "75% green\n25% blue"),
        ([0.02, 0.94, 0.02, 0.02], "94% red\n6% others"),
        ([0.1, 0.2, 0.3, 0.4], "40% white\n30% green\n20% red\n10% others"),
    ],
)
def test_label_in_words(label, text):
    assert label_text(np.array(label), NAMES) == text


@pytest.mark.parametrize("count, time, side", [(2, 50, 20), (8, 8, 7), (1, 1, 130)])
def test_sheet_has_the_very_pixels(count, time, side):
    clips = _clips(count, time, side)
    sheet = contact_sheet(clips, ["a label"] * count, "a title")
    assert len(sheet.shown) == min(time, 8)
    assert {sheet.shown[0], sheet.shown[-1]} == {0, time - 1}
    wanted = np.round(255 * clips[:, list(sheet.shown)])
    np.testing.assert_array_equal(_frames(sheet, side), wanted)


def test_long_labels_grow_rows_but_not_over_frames():
    short, long = (
        contact_sheet(_clips(2), [label, label], "a title")
        for label in ("run", "_".join(["a_rather_long_name"] * 12))
    )
    assert long.boxes[1][0][1] > short.boxes[1][0][1]
    np.testing.assert_array_equal(_frames(long, 20), _frames(short, 20))
    for sheet in (short, long):
        left, top, _ = sheet.boxes[0][0]
        assert (sheet.pixels[top:, left - 2] == 255).all()


def test_values_that_no_model_takes_are_cut_and_said():
    clips = 2 * _clips() - 1
    wrong, right = (
        contact_sheet(values, ["a", "b"], "a title")
        for values in (clips, np.clip(clips, 0, 1))
    )
    np.testing.assert_array_equal(_frames(wrong, 20), _frames(right, 20))
    assert wrong.pixels.shape == right.pixels.shape
    head = wrong.boxes[0][0][1] - 20
    assert (wrong.pixels[:head] != right.pixels[:head]).any()


WRONG = {
    "split": ({"split": "test"}, "--split=test must be train or validation"),
    "clips": ({"clips": 0}, "clips"),
    "step": ({"step": -1}, "--step=-1 must be 0 or more"),
    "end": (
        {"split": "validation", "step": 2},
        "--step=2: there are fewer validation batches",
    ),
}


@pytest.mark.parametrize("options, message", WRONG.values(), ids=WRONG)
def test_what_cannot_be_shown_is_said_in_one_line(colored_records, options, message):
    with pytest.raises(ValueError, match=message) as refused:
        draw(_params(colored_records), Options(**options))
    assert str(refused.value).isprintable()


@pytest.mark.slow
def test_program_writes_a_png(colored_records, run_program, tmp_path):
    output = tmp_path / "batch.png"
    done = run_program(
        "scripts.show_batch",
        f"--experiment={EXPERIMENT}",
        *(f"--config_file={file}" for file in SMOKE_GRW),
        f"--params_override=task.model.num_classes=2,"
        f"task.train_data.input_path={colored_records}/train-*",
        f"--output={output}",
        "--clips=2",
    )
    assert done.returncode == 0, done.stderr
    assert output.read_bytes().startswith(b"\x89PNG")
    assert str(output) in done.stdout


@pytest.mark.parametrize("name", ["none/batch.png", "batch.doc", "batch"])
def test_file_that_cannot_be_written_is_named(tmp_path, name):
    with pytest.raises(OSError, match=f"--output={tmp_path}/{name} cannot be written"):
        write_png(tmp_path / name, np.zeros((4, 4, 3), np.uint8))


@pytest.mark.parametrize(
    ("label", "text"),
    [
        ([1, 0, 1], "run\nwalk"),
        ([0, 0, 0], "(no class)"),
        ([0.3, 0, 1], "30% run\nwalk"),
        # Smoothed ones keep a small share of every class.
        ([0.95, 0.05, 0.05], "95% run"),
    ],
)
def test_labels_of_a_list_are_told(label, text):
    names = ("run", "jump", "walk")
    assert label_list_text(np.array(label, "float32"), names) == text
