"""Published accuracy and cost of video models on Kinetics-600."""

import dataclasses

GARDEN = "tensorflow/models, official/projects/movinet/README.md"
GRW_FLOPS = "Goldman et al., arXiv 2511.20928, Table 1"
GRW_MEMORY = "Goldman et al., arXiv 2511.20928, table of memory"


@dataclasses.dataclass(frozen=True)
class Published:
    """A row of a published table.

    Attributes:
        name: The model's name in the table.
        source: The table's source.
        top_1: Accuracy on Kinetics-600, in percent.
        gflops: Multiply-adds of a video, in 10^9, over all its views.
        memory_mb: Peak memory at inference, in MB.
        views: Clips of a video x frames of a clip, if published.
        preset: The preset of the same model here, if there is one.
    """

    name: str
    source: str
    top_1: float
    gflops: float | None = None
    memory_mb: float | None = None
    views: str = ""
    preset: str = ""

    @property
    def smoothed(self) -> bool:
        """Whether the model was trained with GRW smoothing."""
        return self.name.endswith("-GRW")


def _flops(name, top_1, gflops, views="", preset=""):
    return Published(name, GRW_FLOPS, top_1, gflops, views=views, preset=preset)


def _memory(name, top_1, memory_mb, preset):
    return Published(name, GRW_MEMORY, top_1, memory_mb=memory_mb, preset=preset)


def _stream(model_id, top_1, gflops):
    name, preset = f"MoViNet-{model_id}-Stream", f"{model_id.lower()}_stream"
    return Published(name, GARDEN, top_1, gflops, preset=preset)


BY_FLOPS = (
    _flops("MoViNet-A0-S-GRW", 78.4, 2.7, "1x50", "a0_stream_grw"),
    _flops("MoViNet-A0", 72.3, 2.7, "1x50", "a0_base"),
    _flops("MobileNetV3-S", 61.3, 2.8, "1x50", "mobilenet_v3_small"),
    _flops("MobileNetV3-S+TSM", 65.5, 2.8, "1x50", "tsm_mobilenet_v3_small"),
    _flops("X3D-XS", 70.2, 3.9, "1x20"),
    _flops("MoViNet-A1-S-GRW", 81.9, 6.0, "1x50", "a1_stream_grw"),
    _flops("MoViNet-A1", 76.7, 6.0, "1x50", "a1_base"),
    _flops("X3D-S", 73.4, 7.8, "1x40"),
    _flops("MoViNet-A2", 78.6, 10.3, "1x50", "a2_base"),
    _flops("MobileNetV3-L", 68.1, 11.0, "1x50", "mobilenet_v3_large"),
    _flops("MobileNetV3-L+TSM", 71.4, 11.0, "1x50", "tsm_mobilenet_v3_large"),
    _flops("MoViNet-A2-S-GRW", 83.3, 11.3, "1x50", "a2_stream_grw"),
    _flops("X3D-M", 76.9, 19.4, "1x50"),
    _flops("X3D-XS", 72.3, 23.3, "30x4"),
    _flops("MoViNet-A3-GRW", 85.6, 56.4, "1x120", "a3_base_grw"),
    _flops("MoViNet-A3", 81.8, 56.9, "1x120", "a3_base"),
    _flops("X3D-S", 76.4, 76.1, "30x13"),
    _flops("X3D-L", 79.1, 77.5, "1x50"),
    _flops("MoViNet-A4", 83.5, 105.0, "1x80", "a4_base"),
    _flops("UniFormer-S", 82.8, 167.0, "4x16"),
    _flops("X3D-M", 78.8, 186.0, "30x16"),
    _flops("X3D-L", 80.7, 187.0, "1x120"),
    _flops("I3D", 71.6, 216.0, "1x250"),
    _flops("MoViNet-A5", 84.3, 281.0, "1x120", "a5_base"),
    _flops("MViT-B-16x4", 82.1, 353.0, "5x16"),
    _flops("MoViNet-A6", 84.8, 386.0, "1x120"),
    _flops("UniFormer-B", 84.0, 389.0),
    _flops("XViT (8x)", 82.5, 425.0),
    _flops("XViT (16x)", 84.5, 850.0),
    _flops("MViT-B-32x3", 83.4, 850.0),
    _flops("MViTv2-B-32x3", 85.5, 1030.0, "5x32"),
)
"""Accuracy and multiply-adds.

Those of MoViNets, MobileNetV3 and X3D are from Kondratyuk et al., CVPR 2021.
"""

BY_MEMORY = (
    _memory("MobileNetV3-S", 61.3, 29.0, "mobilenet_v3_small"),
    _memory("MobileNetV3-S-GRW", 67.3, 30.0, "mobilenet_v3_small_grw"),
    _memory("MoViNet-A0-S", 72.0, 53.0, "a0_stream"),
    _memory("MoViNet-A0-S-GRW", 78.4, 53.0, "a0_stream_grw"),
    _memory("MoViNet-A2-S", 78.4, 78.0, "a2_stream"),
    _memory("MoViNet-A2-S-GRW", 83.3, 78.0, "a2_stream_grw"),
)

STREAMS = (
    _stream("A0", 72.05, 2.7),
    _stream("A1", 76.45, 6.0),
    _stream("A2", 78.40, 10.3),
    _stream("A3", 80.09, 56.9),
    _stream("A4", 81.49, 105.0),
    _stream("A5", 82.37, 281.0),
)
"""Accuracy of stream models, and multiply-adds of the 3-D networks.

The README says so; they have the digits of `BY_FLOPS` where that has both.
"""

VIEW_GFLOPS = {"slowonly_50": 54.5, "slowfast_50_4x16": 36.1, "slowfast_50_8x8": 65.7}
"""GFLOPs of a view of `VIEW_SIZE` pixels by presets.

Source: Feichtenhofer et al., SlowFast, ICCV 2019; SlowOnly is the slow pathway.
"""
VIEW_SIZE = 256


def find(preset: str) -> Published | None:
    """Returns the published figures of a preset from all tables, None without any."""
    rows = [row for row in (*BY_FLOPS, *STREAMS, *BY_MEMORY) if row.preset == preset]
    if not rows:
        return None
    memory = next((row.memory_mb for row in rows if row.memory_mb), None)
    return dataclasses.replace(rows[0], memory_mb=memory)
