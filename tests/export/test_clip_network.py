"""Tests that the network of clips for devices gives the model's numbers."""

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from everyday import slow_but
from streamed_logits import assert_logits_close
from toy_backbones import BACKBONES, BASE
from toy_heads import HEADS

from grw_tf.export.clip_network import ClipNetwork, check_clip_model
from grw_tf.export.conversion import convert_clips
from grw_tf.export.frame_offsets import at_offset, offsets
from grw_tf.export.operations import count_operations, step_partitions
from grw_tf.models import build_model
from grw_tf.models.presets import preset

NETWORKS = {
    "base": BASE,
    "no squeeze excitation": BASE | {"se_type": "none"},
    "squeezed by frame": BASE | {"se_type": "2d"},
    "squeezed by frame and clip": BASE | {"se_type": "2plus3d"},
    "2plus1d": BASE | {"conv_type": "2plus1d", "se_type": "2plus3d"},
    "3d_2plus1d": BASE | {"conv_type": "3d_2plus1d"},
    "hard gate": BASE | {"gating_activation": "hard_sigmoid_keras"},
    "slowonly_nano": BACKBONES["slowonly_nano"],
    "slowonly_nano_bottleneck": BACKBONES["slowonly_nano_bottleneck"],
    "slowfast_nano": BACKBONES["slowfast_nano"],
    "csn_nano": BACKBONES["csn_nano"],
    **{
        f"{model_id} of {implementation}": BACKBONES[model_id]
        | {"implementation": implementation}
        for model_id, implementation in (
            ("slowonly_nano_bottleneck", "pytorchvideo"),
            ("slowfast_nano", "pytorchvideo"),
            ("slowfast_nano", "mmaction2"),
            ("csn_nano", "mmaction2"),
        )
    },
}
VARIANTS = [
    *((network, "official") for network in NETWORKS),
    *(
        (network, head)
        for network in ("base", "slowonly_nano", "slowfast_nano", "csn_nano")
        for head in HEADS
        if head != "official"
    ),
]
# The official head of a base model is in the file that is tested every day.
SOME = slow_but(
    [
        ("slowonly_nano", "transformer"),
        ("slowfast_nano", "transformer"),
        ("csn_nano", "official"),
        ("slowfast_nano of pytorchvideo", "official"),
        ("slowfast_nano of mmaction2", "official"),
    ],
    VARIANTS,
)


@pytest.fixture(scope="module")
def videos():
    shape = (2, 8, 32, 32, 3)
    return np.random.default_rng(1).integers(0, 256, shape, np.uint8)


def _model_logits(model, videos):
    return model(tf.constant(videos, tf.float32) / 255).numpy()


@pytest.mark.parametrize("network, head", SOME)
def test_network_gives_the_models_logits(nano, videos, network, head):
    model = nano(backbone=NETWORKS[network], head=HEADS[head])
    clips = ClipNetwork(model)
    actual = [clips.classify_clip(tf.constant(video[None]))[0] for video in videos]
    assert_logits_close(np.stack(actual), _model_logits(model, videos))


@pytest.mark.parametrize(
    "network, frames",
    slow_but(
        [("slowonly_nano", 1)],
        [
            *(
                (network, n)
                for network in ("base", "slowonly_nano", "csn_nano")
                for n in (1, 2, 3)
            ),
            ("slowfast_nano", 2),
            ("slowfast_nano", 4),
        ],
    ),
)
def test_clips_shorter_than_kernels_are_padded_as_in_the_model(
    nano, videos, network, frames
):
    model = nano(backbone=NETWORKS[network], frames=frames)
    video = videos[:1, :frames]
    actual = ClipNetwork(model).classify_clip(tf.constant(video))
    assert_logits_close(actual, _model_logits(model, video))


@pytest.mark.parametrize("network", slow_but(["slowfast_nano"], NETWORKS))
def test_file_has_built_in_operations_of_four_axes_in_one_partition(
    nano, videos, network
):
    model = nano(backbone=NETWORKS[network])
    content = convert_clips(ClipNetwork(model))
    interpreter = Interpreter(model_content=content)
    run = interpreter.get_signature_runner("classify_clip")
    actual = [run(image=video[None])["logits"][0] for video in videos]
    assert_logits_close(np.stack(actual), _model_logits(model, videos), 1e-4)
    # Custom operations, as Flex's, have names of their own.
    assert not [name for name in count_operations(content) if not name.isupper()]
    ranks = {
        detail["name"]: len(detail["shape"])
        for detail in interpreter.get_tensor_details()
    }
    assert max(ranks.values()) == 5
    assert len([name for name, rank in ranks.items() if rank == 5]) == 1
    parts = step_partitions(content)
    assert parts.partitions == 1
    # The bytes become floats.
    assert parts.outside <= 2


def test_fractions_give_the_logits_of_bytes(nano, videos):
    model = nano(backbone=NETWORKS["slowonly_nano"])
    network = ClipNetwork(model, "float32")
    actual = network.classify_clip(tf.constant(videos[:1], tf.float32) / 255)
    assert_logits_close(actual, _model_logits(model, videos[:1]))


def test_neighbors_beyond_the_clip_are_zeros():
    x = tf.reshape(tf.range(1.0, 4.0), (3, 1, 1, 1))
    shifted = {n: at_offset(x, n).numpy().ravel().tolist() for n in (-3, -1, 0, 2)}
    assert shifted == {
        -3: [0, 0, 0],
        -1: [0, 1, 2],
        0: [1, 2, 3],
        2: [3, 0, 0],
    }
    assert [list(offsets(n)) for n in (1, 2, 5)] == [[0], [0, 1], [-2, -1, 0, 1, 2]]


def test_causal_model_and_other_types_are_refused(nano):
    with pytest.raises(ValueError, match="A causal model .*saved_model"):
        check_clip_model(preset("a0_stream"))
    with pytest.raises(ValueError, match="Unknown image_dtype 'int8'"):
        ClipNetwork(nano(backbone=NETWORKS["slowonly_nano"]), "int8")


@pytest.mark.slow
def test_real_base_model_gives_its_logits():
    model = build_model(preset("a0_base", num_classes=7))
    network = ClipNetwork(model)
    shape = network.image_spec.shape
    video = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    run = Interpreter(model_content=convert_clips(network)).get_signature_runner()
    assert_logits_close(run(image=video)["logits"], _model_logits(model, video))
