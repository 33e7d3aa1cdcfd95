"""SlowFast, SlowOnly and CSN in PyTorch, with the names of published weights.

They are written anew from what PyTorchVideo, SlowFast's code and MMAction2 define, with
nothing of this project, so that each can check the other. `python torch_resnets.py`
writes what they give to `data/torch_resnets.json`, for machines without
PyTorch.
"""

import dataclasses
import hashlib
import json
import pathlib

import numpy as np

try:
    import torch
    from torch import nn
    from torch.nn import functional
except ImportError:
    torch = None

FILE = pathlib.Path(__file__).parent / "data" / "torch_resnets.json"
FRAMES, SIZE, CLASSES = 8, 64, 5


@dataclasses.dataclass(frozen=True)
class Widths:
    """Sizes of a network.

    Attributes:
        slow, fast: Channels of the middle of the blocks in each stage of the pathways;
            a network of one pathway has the first alone.
        repeats: Number of blocks in each stage.
        stem: Channels of the first convolution of the slow pathway.
        alpha: How many frames there are for one of the slow pathway.
        lateral: Frames of the kernels of the lateral connections.
        classes: Number of classes.
    """

    slow: tuple[int, ...] = (64, 128, 256, 512)
    fast: tuple[int, ...] = ()
    repeats: tuple[int, ...] = (3, 4, 6, 3)
    stem: int = 64
    alpha: int = 4
    lateral: int = 7
    classes: int = 400


_ONE = (1, 1, 1, 1)
_FAST = (8, 16, 32, 64)
_SLOWFAST_NANO = Widths(
    (8, 16, 32, 32), (2, 4, 6, 8), _ONE, 8, alpha=2, lateral=5, classes=CLASSES
)
_SLOWONLY_NANO = Widths((8, 16, 24, 32), (), _ONE, 64, classes=CLASSES)
_CSN_NANO = Widths((8, 16, 24, 32), (), _ONE, 8, classes=CLASSES)

NANO = {
    ("slowfast_nano", "pytorchvideo"): _SLOWFAST_NANO,
    ("slowfast_nano", "slowfast"): _SLOWFAST_NANO,
    ("slowfast_nano", "mmaction2"): _SLOWFAST_NANO,
    ("slowonly_nano_bottleneck", "pytorchvideo"): _SLOWONLY_NANO,
    ("slowonly_nano_bottleneck", "slowfast"): _SLOWONLY_NANO,
    ("slowonly_nano_bottleneck", "mmaction2"): _SLOWONLY_NANO,
    ("csn_nano", "mmaction2"): _CSN_NANO,
}
"""Small networks by model id and spelling."""

FULL = {
    **{
        (model_id, spelling): widths
        for model_id, widths in {
            "slowfast_50_8x8": Widths(fast=_FAST),
            "slowfast_50_4x16": Widths(fast=_FAST, alpha=8, lateral=5),
            "slowonly_50": Widths(),
        }.items()
        for spelling in ("pytorchvideo", "slowfast", "mmaction2")
    },
    ("csn_ip_50", "mmaction2"): Widths(),
    ("csn_ir_50", "mmaction2"): Widths(),
}
"""Published networks by model id and spelling."""

# Mean and deviation of colors in 0..255, for each spelling and for CSN.
_COLORS = {
    "pytorchvideo": ([114.75] * 3, [57.375] * 3),
    "slowfast": ([114.75] * 3, [57.375] * 3),
    "mmaction2": ([123.675, 116.28, 103.53], [58.395, 57.12, 57.375]),
    "csn": ([110.2008, 100.63983, 95.99475], [58.14765, 56.46975, 55.332195]),
}


def digest(shapes):
    """Returns the SHA-256 of the names and shapes of a state dict."""
    lines = sorted(f"{key} {list(shape)}\n" for key, shape in shapes.items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def state_of(shapes, seed=0):
    """Returns random tensors of a state dict's shapes, of a trained network's sizes."""
    rng = np.random.default_rng(seed)
    return {key: _tensor(key, shape, rng) for key, shape in sorted(shapes.items())}


def _tensor(key, shape, rng):
    if key.endswith("num_batches_tracked"):
        return np.array(3, np.int64)
    if len(shape) > 1:
        return rng.normal(0, np.prod(shape[1:]) ** -0.5, shape).astype("f4")
    least, most = {
        "running_var": (0.5, 1.5),
        "weight": (0.5, 1.5),
    }.get(key.rpartition(".")[2], (-0.5, 0.5))
    return rng.uniform(least, most, shape).astype("f4")


def frames_of(model_id):
    """Returns a random clip [1, frames, height, width, 3] in 0..255."""
    seed = len(model_id)
    shape = (1, FRAMES, SIZE, SIZE, 3)
    return np.random.default_rng(seed).integers(0, 256, shape).astype("uint8")


def _names(model_id, spelling, stage, path, block, part):
    """Returns the names of a block's convolution and its normalization."""
    two = model_id.startswith("slowfast")
    if spelling == "pytorchvideo":
        way = f"multipathway_blocks.{path}." if two else ""
        root = f"blocks.{stage + 1}.{way}res_blocks.{block}"
        if part == "shortcut":
            return f"{root}.branch1_conv", f"{root}.branch1_norm"
        letter = {1: "a", 2: "b", 3: "c"}[part]
        return f"{root}.branch2.conv_{letter}", f"{root}.branch2.norm_{letter}"
    if spelling == "slowfast":
        root = f"s{stage + 2}.pathway{path}_res{block}"
        letter = {1: "2.a", 2: "2.b", 3: "2.c", "shortcut": "1"}[part]
        return f"{root}.branch{letter}", f"{root}.branch{letter}_bn"
    way = ("slow_path.", "fast_path.")[path] if two else ""
    root = f"backbone.{way}layer{stage + 1}.{block}"
    name = f"conv{part}"
    if part == "shortcut":
        name = "downsample"
    elif model_id.startswith("csn"):
        # A sequence of a depthwise convolution, in ip-CSN after the interaction.
        second = "conv2.0" if model_id == "csn_ir_50" else "conv2.1"
        name = {2: second, "interaction": "conv2.0"}.get(part, name)
    return f"{root}.{name}.conv", f"{root}.{name}.bn"


def _stem_names(model_id, spelling, path):
    two = model_id.startswith("slowfast")
    if spelling == "pytorchvideo":
        root = f"blocks.0.multipathway_blocks.{path}" if two else "blocks.0"
        return f"{root}.conv", f"{root}.norm"
    if spelling == "slowfast":
        return f"s1.pathway{path}_stem.conv", f"s1.pathway{path}_stem.bn"
    way = ("slow_path.", "fast_path.")[path] if two else ""
    return f"backbone.{way}conv1.conv", f"backbone.{way}conv1.bn"


def _lateral_names(spelling, index):
    if spelling == "pytorchvideo":
        root = f"blocks.{index}.multipathway_fusion"
        return f"{root}.conv_fast_to_slow", f"{root}.norm"
    if spelling == "slowfast":
        return f"s{index + 1}_fuse.conv_f2s", f"s{index + 1}_fuse.bn"
    before = ("conv1", "layer1", "layer2", "layer3")[index]
    # Neither a normalization nor a ReLU.
    return f"backbone.slow_path.{before}_lateral.conv", None


if torch:

    class Network(nn.Module):
        """A 3-D ResNet of bottlenecks, from frames in 0..255 to logits.

        Args:
            model_id: As in `NANO` and `FULL`.
            spelling: Of the names: "pytorchvideo", "slowfast" or "mmaction2".
            widths: The network's sizes.
        """

        def __init__(self, model_id, spelling, widths):
            super().__init__()
            self.model_id, self.spelling, self.widths = model_id, spelling, widths
            self.is_csn = model_id.startswith("csn")
            self.eps = 1e-3 if self.is_csn else 1e-5
            self.paths = [(widths.stem, widths.slow)]
            if widths.fast:
                self.paths.append((widths.fast[0], widths.fast))
            for path, (stem, _) in enumerate(self.paths):
                kernel = ((3 if self.is_csn else 1), 5)[path]
                conv = self._conv(3, stem, (kernel, 7, 7), (1, 2, 2))
                self._put(*_stem_names(model_id, spelling, path), conv)
            inputs = [stem for stem, _ in self.paths]
            for stage in range(4):
                if widths.fast:
                    self._add_lateral(stage, inputs)
                for path, (_, channels) in enumerate(self.paths):
                    for block in range(widths.repeats[stage]):
                        self._add_block(stage, path, block, inputs, channels[stage])
            name = {
                "pytorchvideo": f"blocks.{6 if widths.fast else 5}.proj",
                "slowfast": "head.projection",
                "mmaction2": "cls_head.fc_cls",
            }[spelling]
            self._register(name, nn.Linear(sum(inputs), widths.classes))
            self.classifier = name

        def _conv(self, inputs, outputs, size, strides=(1, 1, 1), groups=1):
            padding = [length // 2 for length in size]
            return nn.Conv3d(
                inputs, outputs, size, strides, padding, groups=groups, bias=False
            )

        def _register(self, name, module):
            holder, parts = self, name.split(".")
            for part in parts[:-1]:
                if part not in holder._modules:
                    holder.add_module(part, nn.Module())
                holder = holder._modules[part]
            holder.add_module(parts[-1], module)

        def _put(self, conv_name, norm_name, conv):
            self._register(conv_name, conv)
            if norm_name:
                norm = nn.BatchNorm3d(conv.out_channels, self.eps)
                self._register(norm_name, norm)

        def _add_lateral(self, stage, inputs):
            fast, size = inputs[1], (self.widths.lateral, 1, 1)
            conv = self._conv(fast, 2 * fast, size, (self.widths.alpha, 1, 1))
            self._put(*_lateral_names(self.spelling, stage), conv)
            inputs[0] += 2 * fast

        def _add_block(self, stage, path, block, inputs, width):
            put = lambda part, conv: self._put(  # noqa: E731
                *_names(self.model_id, self.spelling, stage, path, block, part), conv
            )
            stride = 2 if stage and not block else 1
            temporal = 1 if self.is_csn or not (path or stage > 1) else 3
            put(1, self._conv(inputs[path], width, (temporal, 1, 1)))
            strides = (1, stride, stride)
            if self.is_csn:
                strides = (stride,) * 3
                depthwise = self._conv(width, width, (3, 3, 3), strides, width)
                if self.model_id != "csn_ir_50":
                    put("interaction", self._conv(width, width, (1, 1, 1)))
                put(2, depthwise)
            else:
                put(2, self._conv(width, width, (1, 3, 3), strides))
            put(3, self._conv(width, 4 * width, (1, 1, 1)))
            if stride > 1 or inputs[path] != 4 * width:
                put(
                    "shortcut",
                    self._conv(inputs[path], 4 * width, (1, 1, 1), strides),
                )
            inputs[path] = 4 * width

        def _run(self, names, x):
            for name in names:
                x = self.get_submodule(name)(x) if name else x
            return x

        def _block(self, stage, path, block, x):
            def unit(part, x):
                names = _names(self.model_id, self.spelling, stage, path, block, part)
                return self._run(names, x)

            y = functional.relu(unit(1, x))
            if self.is_csn and self.model_id != "csn_ir_50":
                y = unit("interaction", y)
            y = unit(3, functional.relu(unit(2, y)))
            if not block:
                x = unit("shortcut", x)
            return functional.relu(x + y)

        def _slow_frames(self, x):
            alpha, frames = self.widths.alpha, x.shape[2]
            if not self.widths.fast:
                return x
            if self.spelling == "mmaction2":
                return functional.interpolate(
                    x, mode="nearest", scale_factor=(1 / alpha, 1, 1)
                )
            seen = torch.linspace(0, frames - 1, frames // alpha).long()
            return torch.index_select(x, 2, seen)

        def forward(self, frames):
            """Returns the logits of frames [batch, time, height, width, 3]."""
            mean, deviation = _COLORS["csn" if self.is_csn else self.spelling]
            x = (frames.float() - torch.tensor(mean)) / torch.tensor(deviation)
            x = x.permute(0, 4, 1, 2, 3)
            paths = [self._slow_frames(x), x][: len(self.paths)]
            for path, x in enumerate(paths):
                names = _stem_names(self.model_id, self.spelling, path)
                x = functional.relu(self._run(names, x))
                paths[path] = functional.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
            for stage in range(4):
                if self.widths.fast:
                    conv, norm = _lateral_names(self.spelling, stage)
                    fused = self._run((conv, norm), paths[1])
                    fused = functional.relu(fused) if norm else fused
                    paths[0] = torch.cat([paths[0], fused], 1)
                for path in range(len(paths)):
                    for block in range(self.widths.repeats[stage]):
                        paths[path] = self._block(stage, path, block, paths[path])
            means = [x.mean((2, 3, 4)) for x in paths]
            if self.spelling == "mmaction2":
                # The fast pathway comes first.
                means = means[::-1]
            return self.get_submodule(self.classifier)(torch.cat(means, 1))

    def shapes_of(model_id, spelling, widths):
        """Returns the shapes of a network's state dict by name."""
        with torch.device("meta"):
            state = Network(model_id, spelling, widths).state_dict()
        return {key: tuple(value.shape) for key, value in state.items()}

    def logits_of(model_id, spelling, widths):
        """Returns the logits of a network with the weights of `state_of`."""
        network = Network(model_id, spelling, widths).eval()
        state = state_of(shapes_of(model_id, spelling, widths))
        network.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()})
        with torch.no_grad():
            return network(torch.from_numpy(frames_of(model_id))).numpy()

    def recorded():
        """Returns what `FILE` holds."""
        small = {}
        for (model_id, spelling), widths in NANO.items():
            shapes = shapes_of(model_id, spelling, widths)
            small[f"{model_id} {spelling}"] = {
                "shapes": shapes,
                "logits": logits_of(model_id, spelling, widths).tolist(),
            }
        full = {
            f"{model_id} {spelling}": digest(shapes_of(model_id, spelling, widths))
            for (model_id, spelling), widths in FULL.items()
        }
        return {"nano": small, "full": full}


if __name__ == "__main__":
    FILE.write_text(json.dumps(recorded(), separators=(",", ":")) + "\n")
