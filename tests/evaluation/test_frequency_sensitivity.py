"""Tests of measuring how accuracy depends on low and on high frequencies."""

import csv
import json
import pathlib

import cv2
import numpy as np
import pytest
import tensorflow as tf
from clip_records import CLASSES, example_of, write_records

from grw_tf.data.records.evaluation_records import EvaluationRecords
from grw_tf.evaluation import component_scaling as scaling
from grw_tf.evaluation import frequency_sensitivity as sensitivity
from grw_tf.evaluation.inference import predict_clips
from grw_tf.evaluation.measures import measure
from grw_tf.figures.sensitivity import draw_sensitivity
from grw_tf.models import BackboneConfig, RegularizationConfig
from grw_tf.models.regularization_config import RMSConfig

SCALES = (0.0, 1.0, 3.0)
SLOWONLY = BackboneConfig.of_family("slowonly_nano")
# An RMS that acts at inference too.
SHRINKING = RegularizationConfig(("rms",), RMSConfig(distribution="uniform(0, 0.5)"))


@pytest.fixture(scope="module")
def model(nano):
    return nano(backbone=vars(SLOWONLY), num_classes=6)


@pytest.fixture(scope="module")
def records(tmp_path_factory):
    examples = [example_of(8 + k, label=k % 6, name=f"{k}.mp4") for k in range(5)]
    return write_records(tmp_path_factory.mktemp("records"), *examples)


@pytest.fixture(scope="module")
def measured(model, records, tmp_path_factory):
    """The results, and the folder, of a checkpoint."""
    folder = tmp_path_factory.mktemp("run")
    tf.train.Checkpoint(model=model).save(folder / "run" / "ckpt")
    config = sensitivity.SensitivityConfig(
        checkpoint_dir=str(folder / "run"),
        records=records,
        output_dir=str(folder / "made" / "out"),
        scales="0,1,3",
        batch_size=3,
    )
    return sensitivity.frequency_sensitivity(config), folder / "made" / "out"


@pytest.mark.slow
def test_results_table_and_figure_are_written(measured):
    results, folder = measured
    written = json.loads((folder / "results.json").read_text())
    (of_model,) = written["models"]
    assert of_model["name"] == "run" and of_model["clips"] == 5
    assert of_model["scales"] == list(SCALES)
    assert written["settings"]["filter"] == "mean"
    assert "output_dir" not in written["settings"]
    with open(folder / "accuracy_by_scale.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["component"], float(row["scale"])) for row in rows] == [
        ("unscaled", 1.0),
        *((component, scale) for component in ("low", "high") for scale in SCALES),
    ]
    tops = [of_model["unscaled"], *of_model["low"], *of_model["high"]]
    assert [float(row["top_1"]) for row in rows] == tops
    picture = cv2.imread(str(folder / "accuracy_by_scale.png"))
    assert picture.min() < 100 and picture.max() == 255
    assert len(list(folder.iterdir())) == 3
    assert results["table"].splitlines()[0].startswith("run: top-1 ")


def test_scale_1_is_the_plain_evaluation(measured, model, records):
    predicted = predict_clips(
        model, EvaluationRecords(records, model.config).batches(3)
    )
    plain = measure(predicted.labels, predicted.probabilities, CLASSES)
    (of_model,) = measured[0]["models"]
    at_1 = SCALES.index(1)
    assert of_model["unscaled"] == plain.top_1
    assert of_model["low"][at_1] == of_model["high"][at_1] == plain.top_1


def _befores(model):
    return [getattr(layer, "before", None) for layer in model.submodules]


@pytest.mark.parametrize(
    ("fields", "component"),
    [
        pytest.param({"num_classes": 6}, "residual", marks=pytest.mark.slow),
        ({"backbone": vars(SLOWONLY), "num_classes": 6}, "mean"),
        ({"backbone": vars(SLOWONLY), "num_classes": 6}, "residual"),
        ({"backbone": vars(SLOWONLY), "regularization": SHRINKING}, "mean"),
    ],
    ids=["movinet", "slowonly, low", "slowonly, high", "with an RMS at inference"],
)
def test_scale_1_gives_the_models_own_logits(nano, clip, fields, component):
    model = nano(**fields)
    before = _befores(model)
    own = scaling.logits_function(model)(clip).numpy()
    scaled = scaling.ScaledModel(model, RMSConfig(component=component))
    np.testing.assert_allclose(scaled(clip, 1), own, rtol=1e-5, atol=1e-5)
    assert np.abs(scaled(clip, 3) - own).max() > 1e-2 * np.abs(own).max()
    np.testing.assert_allclose(scaled(clip, 1.0), own, rtol=1e-5, atol=1e-5)
    assert _befores(model) == before


def test_scaling_before_a_norm_is_scaling_what_it_normalizes(nano, clip):
    model = nano(scratch=True, backbone=vars(SLOWONLY))
    rms = RMSConfig(before=("bn2",), blocks=("res5",), component="feature")
    scaled = scaling.ScaledModel(model, rms)(clip, 1.5)
    norm = [layer for layer in model.submodules if hasattr(layer, "_norm2")][-1]._norm2
    # gamma (1.5 x - mean) = 1.5 gamma (x - mean / 1.5)
    norm.gamma.assign(1.5 * norm.gamma)
    norm.moving_mean.assign(norm.moving_mean / 1.5)
    np.testing.assert_allclose(scaled, model(clip), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("causal", [False, True])
def test_one_component_is_scaled_and_the_other_stays(causal):
    x = np.random.default_rng(0).normal(size=(2, 4, 3, 5, 2)).astype("float32")
    low = np.empty_like(x)
    for t, i, j in np.ndindex(x.shape[1:4]):
        frames = slice(max(0, t - 2), t + 1) if causal else slice(max(0, t - 1), t + 2)
        window = x[:, frames, max(0, i - 1) : i + 2, max(0, j - 1) : j + 2]
        low[:, t, i, j] = window.mean(axis=(1, 2, 3))
    alpha = tf.Variable(1.0)
    for component, expected in (("mean", low), ("residual", x - low)):
        layer = scaling.ComponentScaling(alpha, component=component, causal=causal)
        for scale in (0.25, 1, 2):
            alpha.assign(scale)
            wanted = scale * expected + (x - expected)
            np.testing.assert_allclose(layer(x), wanted, rtol=1e-5, atol=1e-6)


def test_batches_are_read_once_and_their_clips_counted():
    def form(clips, scale=1.0):
        # The likeliest class is the clip's number, until it is scaled away.
        return tf.one_hot(tf.cast(clips, tf.int32), 3) * (1.5 - scale)

    forms = dict.fromkeys(("unscaled", "low", "high"), form)
    batches = iter([([0.0, 1.0], np.array([0, 2]), "ab"), ([2.0], np.array([2]), "c")])
    measured = sensitivity.measure_sensitivity("m", forms, batches, (1.0, 2.0))
    assert measured.clips == 3
    assert measured.unscaled == measured.low[0] == measured.high[0] == 2 / 3
    assert measured.low[1] == measured.high[1] == 0


def test_figure_has_two_curves_for_each_model():
    models = [
        sensitivity.Sensitivity(name, 9, 0.5, SCALES, (0.3, 0.5, 0.4), (0.1, 0.5, 0.2))
        for name in ("own", "rms")
    ]
    figure = draw_sensitivity(models)
    lines = figure.axes[0].get_lines()
    assert [line.get_marker() for line in lines] == ["None", "o", "^"] * 2
    assert len({line.get_color() for line in lines}) == 2
    labels = [text.get_text() for text in figure.legends[1].get_texts()]
    assert labels == ["own", "rms"]


def test_names_leave_out_what_is_shared():
    assert sensitivity.short_names(["runs/own/best_ckpt", "runs/rms/best_ckpt"]) == [
        "own/best_ckpt",
        "rms/best_ckpt",
    ]
    assert sensitivity.short_names(["/a/runs/own/"]) == ["own"]


def test_scales_are_a_list_or_a_range():
    assert sensitivity.parse_scales("1, 0,2") == (0.0, 1.0, 2.0)
    assert sensitivity.parse_scales("0..2") == tuple(np.arange(9) / 4)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"scales": "0,x"}, "scales is '0,x': give numbers .0,0.5,1. or a range"),
        ({"scales": ""}, "scales is '': give numbers"),
        ({"scales": "0,nan"}, "scales is '0,nan': give numbers"),
        ({"scales": "2..0"}, "scales is '2..0': give the lower end first"),
        ({"scales": "1,1.0"}, "give each scale once"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"filter": "median"}, "Unknown filter 'median': give one of mean, gaussian"),
        ({"kernel_size": 2}, "kernel_size must be odd and from 1 to 99, got 2"),
        ({"output_dir": "gs://bucket/out"}, "gs://bucket/out: results go to a local"),
        ({"checkpoint_dir": "a,b,a/"}, "name each model once"),
        ({"checkpoint_dir": " , "}, "name each model once"),
    ],
)
def test_settings_that_make_no_sense_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        sensitivity.SensitivityConfig(**{"checkpoint_dir": "run"} | fields)


@pytest.mark.parametrize(
    ("fields", "classes", "message"),
    [
        (
            {"blocks": "res9"},
            6,
            "^blocks has 'res9', which matches nothing; .* res5_lay",
        ),
        (
            {"before": "bn3"},
            6,
            "^before has 'bn3', .* have conv1, bn1, relu1, conv2, bn2, relu2.$",
        ),
        ({}, 5, "has 5 classes, and the model 6"),
        ({"records": "gone-*"}, 6, "No file matches gone-"),
    ],
)
def test_what_does_not_fit_is_refused(
    model, tmp_path, monkeypatch, fields, classes, message
):
    monkeypatch.setattr(sensitivity, "load_best", lambda _: model)
    path = write_records(tmp_path / "records", example_of(8), labels=CLASSES[:classes])
    out = tmp_path / "out"
    config = {"checkpoint_dir": "run", "records": path, "output_dir": str(out)}
    with pytest.raises(ValueError, match=message) as caught:
        sensitivity.frequency_sensitivity(
            sensitivity.SensitivityConfig(**config | fields)
        )
    assert "\n" not in str(caught.value)
    assert not out.exists()


@pytest.mark.slow
def test_the_program_says_what_is_wrong_in_one_line(run_program, tmp_path):
    done = run_program(
        "scripts.frequency_sensitivity",
        f"--checkpoint_dir={tmp_path / 'none'}",
        "--records=r",
        f"--output_dir={tmp_path / 'out'}",
    )
    assert done.returncode == 1 and not pathlib.Path(tmp_path / "out").exists()
    assert "Traceback" not in done.stderr
    line = done.stderr.strip().splitlines()[-1]
    assert line.startswith("ValueError: There is no checkpoint")
