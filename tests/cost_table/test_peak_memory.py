"""Tests of following a function's memory, against peaks by hand; tensors of 4 bytes."""

import pytest
import tensorflow as tf
import tf_keras

from grw_tf.cost_table.peak_memory import peak_memory

KB = 1000
_SHAPE = (250,)
"""One kilobyte."""


def _traced(function, *shapes):
    specs = [tf.TensorSpec(shape) for shape in shapes or [_SHAPE]]
    return tf.function(function, autograph=False).get_concrete_function(*specs)


def _peak(function, *shapes):
    return peak_memory(_traced(function, *shapes)).peak


def _double(x):
    """Not elementwise: it writes to new memory, twice as large."""
    return tf.concat([x, x], axis=0)


def test_chain_holds_an_operation_s_input_and_output():
    found = peak_memory(_traced(lambda x: _double(x)[:250]))
    # 1, then 1 + 2, then 2 + 1.
    assert found.peak == 3 * KB
    assert found.operation == "concat"
    assert (found.inputs, found.outputs) == (KB, KB)
    assert found.unshared == (1 + 2 + 1) * KB


def test_branch_is_held_until_it_is_taken():
    def chain(x):
        return _double(_double(x))[:250]

    # 1 + 2, 2 + 4, 4 + 1.
    assert _peak(chain) == 6 * KB
    # The input is needed at the end too.
    assert _peak(lambda x: tf.concat([chain(x), x], 0)) == (1 + 2 + 4) * KB


def test_order_is_that_of_tracing():
    def one_by_one(x):
        return tf.stack([tf.reduce_sum(_double(x)), tf.reduce_sum(_double(x))])

    def both_first(x):
        a, b = _double(x), _double(x)
        return tf.stack([tf.reduce_sum(a), tf.reduce_sum(b)])

    assert _peak(one_by_one) == (1 + 2) * KB + 4
    assert _peak(both_first) == (1 + 2 + 2) * KB


@pytest.mark.parametrize(
    "alias",
    [
        lambda x: tf.reshape(x, (25, -1)),
        lambda x: tf.expand_dims(x, 1),
        lambda x: tf.squeeze(tf.expand_dims(x, 1), 1),
        tf.identity,
        tf.stop_gradient,
        lambda x: tf.raw_ops.IdentityN(input=[x, x])[1],
    ],
)
def test_alias_makes_no_new_tensor(alias):
    found = peak_memory(_traced(lambda x: alias(x)))
    assert (found.peak, found.unshared) == (KB, KB)
    # Used by the other name, it still is in memory.
    assert _peak(lambda x: _double(tf.reshape(alias(x), _SHAPE))) == 3 * KB


def test_elementwise_operation_writes_over_what_is_not_taken_again():
    # 1 + 2 of the concatenation; the input is not written over.
    assert _peak(lambda x: tf.nn.relu(_double(x))) == 3 * KB
    assert _peak(tf.nn.relu) == 2 * KB

    def swish(x):
        y = _double(x)
        return y * tf.sigmoid(y)

    # The sigmoid cannot: its operand is taken again.
    assert _peak(swish) == (2 + 2) * KB
    # Nor can what gives a larger result.
    assert _peak(lambda x: _double(x)[:, None] * tf.ones(3)) == (2 + 6) * KB


def test_weights_and_what_is_made_of_them_alone_are_not_counted():
    kernel = tf.Variable(tf.zeros((250, 250)))
    scale = tf.constant([[2.0]])
    found = peak_memory(
        _traced(lambda x: tf.matmul(x, tf.exp(kernel) * scale), (1, 250))
    )
    assert found.peak == 2 * KB
    assert found.unshared == 2 * KB


def test_states_are_in_memory_as_inputs_and_as_outputs():
    def step(frame, state):
        window = tf.concat([state, frame], axis=0)
        return tf.reduce_sum(window), window[1:]

    found = peak_memory(_traced(step, (1, 250), (3, 250)))
    # Frame and state, the window of both, its sum, and the next state.
    assert found.inputs == 4 * KB
    assert found.outputs == 3 * KB + 4
    assert found.peak == 8 * KB
    assert peak_memory(_traced(lambda x, y: (x + y, y), _SHAPE, _SHAPE)).outputs == (
        2 * KB
    )


def test_state_passed_on_untouched_counts_once():
    found = peak_memory(_traced(lambda x, state: (x * 2.0, state), _SHAPE, (1000,)))
    assert found.peak == (1 + 4 + 1) * KB


def test_what_no_output_depends_on_does_not_run():
    def wasteful(x):
        tf.tile(x, [100])
        return tf.concat([x, x], 0)

    assert _peak(wasteful) == 3 * KB


def test_called_functions_are_followed():
    inner = tf.function(lambda x: _double(_double(x))[:250], autograph=False)
    assert _peak(lambda x: inner(inner(x))) == 6 * KB
    assert _peak(inner) == 6 * KB


def test_grouped_convolution_of_keras_is_followed():
    layer = tf_keras.layers.Conv3D(6, 1, groups=6, use_bias=False)
    layer.build((1, 4, 2, 2, 6))
    clip = 4 * 2 * 2 * 6 * 4
    assert _peak(layer, (1, 4, 2, 2, 6)) == 2 * clip


def test_batch_normalization_at_inference_takes_no_new_memory():
    def normalized(x):
        y = tf.concat([x, x], 0)
        one = tf.ones(5)
        return tf.raw_ops.FusedBatchNormV3(
            x=y, scale=one, offset=one, mean=one, variance=one, is_training=False
        ).y

    assert _peak(normalized, (1, 5, 10, 5)) == 3 * KB


def test_unknown_shape_is_refused_by_name():
    with pytest.raises(ValueError, match="shape .*None.*: trace the function with"):
        _peak(lambda x: x * 2.0, (None, 3))


@pytest.mark.parametrize(
    "function, kind",
    [
        (lambda x: tf.while_loop(lambda x: True, lambda x: x * 2.0, [x]), "While"),
        (lambda x: tf.cond(x[0] > 0, lambda: x, lambda: -x), "If"),
    ],
)
def test_loops_and_branches_are_refused(function, kind):
    with pytest.raises(ValueError, match=f"is a .*{kind}: what it runs is not in"):
        _peak(function)


def test_memory_of_a_stream_s_step_is_far_below_a_clip_s(nano):
    from grw_tf.models import StreamingModel

    model = nano()
    stream = StreamingModel(model)
    frame = tf.TensorSpec((1, 1, 32, 32, 3))
    step = tf.function(stream.step, autograph=False)
    found = peak_memory(step.get_concrete_function(frame, stream.state_specs()))
    states = sum(
        spec.shape.num_elements() * spec.dtype.size
        for spec in stream.state_specs().values()
    )
    assert found.inputs == states + 32 * 32 * 3 * 4
    assert found.outputs == states + 5 * 4
    clip = peak_memory(_traced(lambda x: model(x, training=False), (1, 8, 32, 32, 3)))
    assert clip.inputs == 8 * 32 * 32 * 3 * 4
    # A clip holds the widest features of all eight frames at once.
    assert found.inputs < found.peak < clip.peak < clip.unshared
