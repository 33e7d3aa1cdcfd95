"""Tests that a stream, in chunks of any sizes, gives the clip's logits."""

import numpy as np
import pytest
import tensorflow as tf
from everyday import slow_but
from random_weights import randomize
from toy_heads import HEADS

from grw_tf.models import StreamingModel, build_model, preset

BACKBONES = {
    "3d": {"conv_type": "3d", "se_type": "3d"},
    "3d_2plus1d": {"conv_type": "3d_2plus1d", "se_type": "2plus3d"},
    "2plus1d_3d": {"conv_type": "2plus1d", "se_type": "3d"},
    "positions": {"use_positional_encoding": True},
}
CHUNKS = [(1,) * 8, (3, 1, 4), pytest.param((8,), marks=pytest.mark.slow)]


def _stream(model, frames, chunks):
    """Returns the logits after the last chunk and the last states."""
    stream = StreamingModel(model)
    states = stream.initial_states(len(frames))
    start = 0
    for size in chunks:
        logits, states = stream.step(frames[:, start : start + size], states)
        start += size
    if stream.on_demand:
        assert logits is None
        logits = stream.classify(states)
    return logits.numpy(), states


def _embed(model, frames):
    """Returns the embeddings of a clip of any length."""
    endpoints, _ = model.backbone(frames)
    return model.project(endpoints["head"])


def _assert_equal_logits(actual, expected):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize("chunks", CHUNKS, ids=str)
@pytest.mark.parametrize("head", slow_but(["official", "causal_transformer"], HEADS))
def test_stream_gives_the_clips_logits(nano, clip, head, chunks):
    model = nano(head=HEADS[head])
    _assert_equal_logits(_stream(model, clip, chunks)[0], model(clip).numpy())


@pytest.mark.parametrize(
    "chunks", [(1, 2, 5), pytest.param((8,), marks=pytest.mark.slow)], ids=str
)
@pytest.mark.parametrize("backbone", slow_but(["3d"], BACKBONES))
def test_stream_gives_the_clips_logits_for_every_backbone(nano, clip, backbone, chunks):
    model = nano(backbone=BACKBONES[backbone])
    _assert_equal_logits(_stream(model, clip, chunks)[0], model(clip).numpy())


@pytest.mark.parametrize("head", HEADS)
def test_logits_depend_on_the_order_of_frames(nano, clip, head):
    model = nano(head=HEADS[head])
    logits = model(clip).numpy()
    difference = np.abs(model(clip[:, ::-1]) - logits).max()
    assert difference > 1e-3 * np.abs(logits).max()


@pytest.mark.parametrize("head", slow_but(["official"], HEADS))
def test_a_short_stream_gives_the_logits_of_a_model_of_fewer_frames(nano, clip, head):
    model = nano(head=HEADS[head])
    short = nano(scratch=True, head=HEADS[head], frames=3)
    short.set_weights(model.get_weights())
    logits, _ = _stream(model, clip, (1, 2))
    _assert_equal_logits(logits, short(clip[:, :3]).numpy())


@pytest.mark.parametrize("chunks", [(1,) * 13, (9, 4), (2, 11)], ids=str)
def test_a_long_stream_classifies_the_last_frames(nano, clip, chunks):
    model = nano(head=HEADS["transformer"])
    frames = np.concatenate([clip, clip[::-1, :5]], axis=1)
    expected = model.head(_embed(model, frames)[:, -8:]).numpy()
    _assert_equal_logits(_stream(model, frames, chunks)[0], expected)


def test_a_long_stream_forgets_in_the_mean_of_a_mean_head(nano, clip):
    model = nano(head=HEADS["mean"])
    frames = np.concatenate([clip, clip[::-1, :5]], axis=1)
    z = _embed(model, frames).numpy()
    mean = z[:, :8].mean(axis=1)
    for frame in range(8, 13):
        mean += (z[:, frame] - mean) / 8
    kernel, bias = model.head.get_weights()
    logits, _ = _stream(model, frames, (1,) * 13)
    _assert_equal_logits(logits, mean @ kernel + bias)


def test_logits_come_on_demand_from_the_transformer_head_alone(nano):
    on_demand = {
        name: StreamingModel(nano(head=HEADS[name])).on_demand for name in HEADS
    }
    assert [name for name, is_so in on_demand.items() if is_so] == ["transformer"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "head", slow_but(["causal_transformer"], ["mean", "causal_transformer"])
)
def test_a_long_stream_with_logits_at_each_step_does_not_depend_on_the_chunks(
    nano, clip, head
):
    model = nano(head=HEADS[head])
    frames = np.concatenate([clip, clip[::-1, :5]], axis=1)
    logits, _ = _stream(model, frames, (1,) * 13)
    for chunks in ((9, 4), (2, 11)):
        _assert_equal_logits(_stream(model, frames, chunks)[0], logits)


@pytest.mark.parametrize("head", HEADS)
def test_states_keep_their_names_shapes_and_types(nano, clip, head):
    model = nano(head=HEADS[head])
    specs = StreamingModel(model).state_specs(batch_size=2)
    _, states = _stream(model, clip, (3,))
    assert list(states) == list(specs)
    for name, spec in specs.items():
        assert (states[name].shape, states[name].dtype) == (spec.shape, spec.dtype)


@pytest.mark.parametrize("head", HEADS)
def test_stream_has_no_variables_of_its_own(nano, head):
    model = nano(head=HEADS[head])
    stream = StreamingModel(model)
    assert {id(v) for v in stream.variables} <= {id(v) for v in model.variables}


@pytest.mark.parametrize("head", ["mean", "causal_transformer"])
def test_classify_gives_the_last_logits(nano, clip, head):
    model = nano(head=HEADS[head])
    logits, states = _stream(model, clip, (5,))
    np.testing.assert_allclose(StreamingModel(model).classify(states), logits)


def test_official_head_cannot_classify_from_states(nano):
    stream = StreamingModel(nano())
    with pytest.raises(ValueError, match="gives its logits at each step"):
        stream.classify(stream.initial_states())


@pytest.mark.slow
def test_step_can_be_traced(nano, clip):
    stream = StreamingModel(nano())
    step = tf.function(stream.step)
    states = stream.initial_states(2)
    for start in (0, 4):
        logits, states = step(clip[:, start : start + 4], states)
    _assert_equal_logits(logits, nano()(clip).numpy())


@pytest.mark.parametrize("size", [31, 40])
def test_frames_of_another_size_are_refused(nano, size):
    stream = StreamingModel(nano())
    frames = np.zeros((1, 1, size, size, 3), "float32")
    with pytest.raises(ValueError, match=f"32, 32, 3.* got .*{size}, {size}, 3"):
        stream.step(frames, stream.initial_states())


def test_base_models_cannot_be_streamed(nano):
    base = {"causal": False, "conv_type": "3d", "se_type": "3d"}
    with pytest.raises(ValueError, match=r"base model \(nano, causal=False\)"):
        StreamingModel(nano(backbone=base))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a0_stream", "a0_stream_grw"])
def test_stream_of_a_real_model_gives_the_clips_logits(name):
    model = build_model(preset(name, frames=5, size=64))
    randomize(model)
    frames = np.random.default_rng(0).random((1, 5, 64, 64, 3), "float32")
    _assert_equal_logits(_stream(model, frames, (1, 3, 1))[0], model(frames).numpy())


@pytest.mark.parametrize("head", slow_but(["official", "causal_transformer"], HEADS))
def test_step_is_traced_without_a_known_batch_size(nano, clip, head):
    model = nano(head=HEADS[head])
    stream = StreamingModel(model)
    specs = stream.state_specs(None)

    @tf.function(
        input_signature=[tf.TensorSpec((None, 2, 32, 32, 3)), specs], autograph=False
    )
    def step(frames, states):
        return stream.step(frames, states)[1]

    states = stream.initial_states(len(clip))
    expected = stream.step(clip[:, :2], states)[1]
    for name, state in step(clip[:, :2], states).items():
        scale = 1 + np.abs(expected[name]).max()
        atol = 1e-5 * scale
        np.testing.assert_allclose(state, expected[name], atol=atol, err_msg=name)


def test_states_of_another_stream_are_refused(nano, clip):
    stream = StreamingModel(nano())
    states = stream.initial_states(len(clip))
    with pytest.raises(ValueError, match="stream keeps its batch size"):
        stream.step(clip[:1, :1], states)
    states.pop(next(iter(states)))
    with pytest.raises(ValueError, match="1 missing .*, 0 unknown"):
        stream.step(clip[:, :1], states)
    with pytest.raises(ValueError, match="known time of at least 1"):
        stream.step(clip[:, :0], states)


def test_bytes_are_refused(nano, clip):
    frames = tf.cast(clip, tf.uint8)
    with pytest.raises(ValueError, match="divide bytes by 255"):
        nano()(frames)
    stream = StreamingModel(nano())
    with pytest.raises(ValueError, match="divide bytes by 255"):
        stream.step(frames, stream.initial_states(len(clip)))
