"""Tests that quantized streams stay near the float32 ones, and say what they are."""

import functools
import time

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from everyday import slow_but
from moving_waves import moving_waves

from grw_tf.data.videos.clips import stream_frames
from grw_tf.export.conversion import convert, convert_functions
from grw_tf.export.operations import count_operations, step_partitions
from grw_tf.export.quantization.calibration import unlike_frames
from grw_tf.export.quantization.quantize import CALIBRATED, MODES, quantize
from grw_tf.export.quantization.rollouts import Rollout
from grw_tf.export.quantization.state_quantization import quantize_states
from grw_tf.export.state_entries import state_entries
from grw_tf.export.streaming_network import StreamingNetwork
from grw_tf.frames.geometry import FrameGeometry
from grw_tf.models import BackboneConfig, ModelConfig, build_model
from grw_tf.weights.restore import restore

# Each of (backbone, head, frames_per_step, image_dtype).
MODELS = {
    "official": ({}, "official", 1, "uint8"),
    "mean": ({}, "mean", 1, "uint8"),
    "transformer of fractions": ({}, "transformer", 2, "float32"),
    "causal transformer": ({}, "causal_transformer", 3, "uint8"),
    "3d": ({"conv_type": "3d", "se_type": "3d"}, "official", 1, "float32"),
    "positions": (
        {"conv_type": "3d_2plus1d", "use_positional_encoding": True},
        "official",
        2,
        "uint8",
    ),
}
# Of the logits, for random weights, which amplify more than trained ones.
LARGEST_ERROR = {
    "auto": 0.15,
    "none": 0.0,
    "float16": 0.01,
    "dynamic": 0.15,
    "weight_only": 0.15,
    "int8": 0.5,
    "int16": 0.15,
}

# Every mode of one model, and every model in the mode that changes most.
QUANTIZED = [("official", mode) for mode in MODES] + [
    pytest.param(name, "int8", marks=pytest.mark.slow)
    for name in MODELS
    if name != "official"
]
IN_8_BITS = ("auto", "dynamic", "weight_only", "int8")
# Those that other heads than the official and the mean one have, too.
ANY_HEAD = [mode for mode in MODES if mode != "int16"]


@pytest.fixture(scope="module")
def quantized(float_file, clips):
    """A function that quantizes one of MODELS, once."""

    @functools.cache
    def make(name, mode):
        calibration = iter(clips) if mode in ("auto", *CALIBRATED) else None
        return quantize(float_file(name), mode, calibration, threads=1)

    return make


def _error(content, expected, video):
    actual = Rollout(content).logits(video)
    return np.sqrt(np.mean(np.square(actual - expected))) / expected.std()


@pytest.mark.parametrize("name, mode", QUANTIZED)
def test_quantized_streams_stay_near_float32(float_file, quantized, name, mode):
    video = moving_waves(9, 60)
    expected = Rollout(float_file(name)).logits(video)
    content = quantized(name, mode).content
    assert _error(content, expected, video) <= LARGEST_ERROR[mode]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ANY_HEAD)
def test_signatures_stay_as_they_are(float_file, quantized, mode):
    name = "transformer of fractions"
    before, after = (
        Interpreter(model_content=content).get_signature_list()
        for content in (float_file(name), quantized(name, mode).content)
    )
    assert before.keys() == after.keys()
    for name, signature in before.items():
        assert set(signature["inputs"]) == set(after[name]["inputs"])
        assert set(signature["outputs"]) == set(after[name]["outputs"])


def test_files_become_smaller(quantized):
    sizes = [len(quantized("official", mode).content) for mode in MODES]
    sizes = dict(zip(MODES, sizes, strict=True))
    assert sizes["none"] > sizes["float16"] > max(sizes[m] for m in IN_8_BITS)


@pytest.mark.parametrize("mode", ANY_HEAD)
@pytest.mark.parametrize("name", slow_but(["official"], ["official", "mean"]))
def test_xnnpack_takes_all_as_one(quantized, name, mode):
    assert step_partitions(quantized(name, mode).content).partitions == 1


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_operations_of_a_mean_head_are_built_in(quantized, mode):
    counts = count_operations(quantized("mean", mode).content)
    assert not [name for name in counts if name.startswith("Flex")]


@pytest.mark.parametrize("name, mode", QUANTIZED)
def test_report_says_how_precise_each_state_is_and_why(quantized, name, mode):
    result = quantized(name, mode)
    assert result.report["mode"] == mode or mode == "auto"
    listed = {s["name"]: s["dtype"] for s in result.report["states"]}
    assert listed == {e["name"]: e["dtype"] for e in state_entries(result.content)}
    assert all(state["reason"] for state in result.report["states"])


@pytest.mark.parametrize(
    "name",
    slow_but(["mean"], ["causal transformer", "mean", "transformer of fractions"]),
)
def test_means_and_counts_are_never_in_int8(float_file, clips, name):
    result = quantize(float_file(name), "int8", clips, noise_budget=1e3, threads=1)
    for state in state_entries(result.content):
        if state["name"].endswith("frame_count"):
            assert state["dtype"] == "int32"
        elif state["name"].endswith("mean"):
            assert state["dtype"] == "float32"
        else:
            assert state["dtype"] == "int8"
    operations = result.report["operations"]
    assert {operation["activations"] for operation in operations} == {"int8"}
    assert operations[0]["name"] == "stem/Conv2D"


@pytest.mark.slow
def test_budget_is_kept(float_file, clips):
    content = float_file("official")
    counts, errors = [], []
    for budget in (1e-6, 0.05):
        report = quantize(content, "int8", clips, budget, threads=1).report
        parts = report["operations"] + report["states"]
        in_int8 = [p for p in parts if "int8" in (p.get("activations"), p.get("dtype"))]
        assert all(part["logits_error"] <= budget for part in in_int8)
        counts.append(len(in_int8))
        errors.append(report["logits_error"])
    assert counts[0] == 0 < counts[1] < len(parts)
    # The first is that of 8-bit weights alone.
    assert errors[1] <= np.hypot(errors[0], budget)


def test_states_are_the_same_in_all_signatures(float_file):
    name = "state_temporal_head_embeddings"
    content = quantize_states(float_file("transformer of fractions"), {name: (-3, 5)})
    interpreter = Interpreter(model_content=content)
    step = interpreter.get_signature_runner("step")
    classify = interpreter.get_signature_runner("classify")
    for details in (
        step.get_input_details(),
        step.get_output_details(),
        classify.get_input_details(),
    ):
        assert details[name]["dtype"] == np.int8
        scale, zero_point = details[name]["quantization"]
        assert scale == pytest.approx(8 / 255)
        assert zero_point == round(-128 + 3 / (8 / 255))


def test_initial_value_of_an_int8_state_means_zero(float_file):
    name = "state_block0_layer0_stream_sum1"
    content = quantize_states(float_file("official"), {name: (-1, 3)})
    entries = {entry["name"]: entry for entry in state_entries(content)}
    quantized = entries.pop(name)
    assert quantized["dtype"] == "int8"
    assert quantized["initial_value"] == quantized["zero_point"] == -64
    assert quantized["scale"] == pytest.approx(4 / 255)
    for entry in entries.values():
        assert entry["initial_value"] == 0
        assert "scale" not in entry


def test_state_that_never_changes_is_quantized_too():
    names = ("image", "state_a", "state_b")
    specs = {name: tf.TensorSpec((1, 2), tf.float32, name) for name in names}

    @tf.function(input_signature=[specs])
    def step(inputs):
        a, b = inputs["state_a"], inputs["state_b"]
        return {"logits": a + b, "state_a": a, "state_b": inputs["image"] + 1}

    ranges = {"state_a": (-1.0, 1.0), "state_b": (0.0, 2.0)}
    content = quantize_states(convert_functions({"step": step}), ranges)
    run = Interpreter(model_content=content).get_signature_runner("step")
    inputs = {
        "image": np.full((1, 2), 0.5, np.float32),
        "state_a": np.full((1, 2), 127, np.int8),
        "state_b": np.full((1, 2), -128, np.int8),
    }
    outputs = run(**inputs)
    np.testing.assert_array_equal(outputs["state_a"], inputs["state_a"])
    np.testing.assert_allclose(outputs["logits"], 1.0, atol=0.01)
    assert (outputs["state_b"] == round(-128 + 1.5 / (2 / 255))).all()


def test_unlike_frames_are_of_all_values(clips):
    frames = unlike_frames(clips[0], 75)
    assert frames.shape == (75, 32, 32, 3)
    assert frames.dtype == np.uint8
    assert frames.min() == 0 and frames.max() == 255


@pytest.mark.parametrize(
    "mode, clips, message",
    [
        ("int4", None, "Unknown quantization 'int4'; did you mean 'int8'"),
        ("xyz", None, "Unknown quantization 'xyz'; known: auto, none, float16"),
        ("int8", None, "int8 needs clips"),
        ("int16", None, "int16 needs clips"),
        ("int8", [], "have 0 frames in all: give at least 300"),
        ("int8", [np.zeros((99, 32, 32, 3), np.uint8)] * 3, "have 297 frames in all"),
        (
            "int8",
            [np.zeros((300, 40, 32, 3), np.uint8)],
            r"is uint8 \[300, 40, 32, 3\]: it must be uint8 \[frames, 32, 32, 3\]",
        ),
        ("int8", [np.zeros((300, 32, 32, 3))], r"is float64 \[300"),
    ],
)
def test_unfit_arguments_are_refused(float_file, mode, clips, message):
    with pytest.raises(ValueError, match=message):
        quantize(float_file("official"), mode, clips)


def test_noise_budget_must_be_positive(float_file, clips):
    with pytest.raises(ValueError, match="noise_budget is 0"):
        quantize(float_file("official"), "int8", clips, noise_budget=0)


def test_quantized_model_is_not_quantized_again(quantized):
    with pytest.raises(ValueError, match="is quantized already, at "):
        quantize(quantized("official", "dynamic").content, "float16")


def test_model_without_a_step_is_refused():
    double = tf.function(lambda x: 2 * x, input_signature=[tf.TensorSpec((1, 2))])
    content = convert_functions({"double": double})
    with pytest.raises(ValueError, match="no signature 'step' that takes an 'image'"):
        quantize(content, "float16")


VIDEO_FPS = 5


@pytest.fixture(scope="module", params=["", "_model_only"])
def trained_file(shared, request):
    """The trained A0's streaming model in float32."""
    backbone = BackboneConfig(model_id="a0", gating_activation="hard_sigmoid_relu6")
    model = build_model(ModelConfig(backbone=backbone, num_classes=7))
    archive = f"movinet_a0_stream_trained{request.param}.tar.gz"
    restore(model, str(shared / "data" / "real_a0_stream" / archive))
    return convert(StreamingNetwork(model))


def _real_stream(shared, names, frames=300):
    """Returns videos of some classes end to end."""
    geometry = FrameGeometry(172, "square")
    found = []
    for name in names:
        for path in sorted((shared / "data" / "videos" / name).glob("*.mp4"))[:25]:
            video = stream_frames(path, VIDEO_FPS, geometry)
            found += [frame for _, frame in video]
    return np.stack([found[index % len(found)] for index in range(frames)])


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["float16", "dynamic", "int8", "int16"])
def test_long_streams_unlike_the_clips_end_alike(shared, trained_file, mode):
    calibration = [
        _real_stream(shared, ["kickflip"]),
        _real_stream(shared, ["falling", "sitting"]),
    ]
    long = _real_stream(shared, ["ollie", "walking", "standing"], 900)
    rng = np.random.default_rng(0)
    streams = {
        **{n: _real_stream(shared, [n]) for n in ("ollie", "walking", "standing")},
        "jumpy": long[rng.permutation(900)[:300]],
        "dark": long[:300] // 4,
        "noise": rng.integers(0, 256, (300, 172, 172, 3), np.uint8),
        "still": np.repeat(long[400:401], 300, axis=0),
        "drawn": moving_waves(3, 300, 172),
    }
    if mode == "int16":
        # Its kernels are slow here.
        streams = {name: streams[name] for name in ("jumpy", "noise", "still")}
    quantized = quantize(trained_file, mode, calibration)
    before, after = Rollout(trained_file), Rollout(quantized.content)
    for name, stream in streams.items():
        before.restart()
        after.restart()
        same = before.logits(stream).argmax(-1) == after.logits(stream).argmax(-1)
        assert same[250:].mean() >= 0.95, name
        # Before, some streams are at a tie between two classes.
        assert same.mean() >= 0.9, name


@pytest.mark.slow
def test_quantized_model_is_no_slower(shared, trained_file):
    clips = [_real_stream(shared, ["kickflip"])]
    # 16 bits are for accelerators: CPUs have slow kernels for them.
    modes = [mode for mode in MODES if mode != "int16"]
    rollouts = [Rollout(quantize(trained_file, m, clips).content) for m in modes]
    times = [[] for _ in rollouts]
    for _ in range(20):
        for rollout, measured in zip(rollouts, times, strict=True):
            for frame in clips[0][:10]:
                start = time.perf_counter()
                rollout.step(frame[None])
                measured.append(time.perf_counter() - start)
    first, *others = (np.median(measured) for measured in times)
    assert max(others) <= 1.3 * first
