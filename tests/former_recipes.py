"""The recipes of the former config files, one file per model, data set and variant.

Each is the preset that its experiment held, and the body of its file.
"""

import itertools

_NO_RECALL = {"use_per_class_recall": False}


def _body(folder, batch, task, trainer, validation="validation"):
    """Returns the body of a file that trains on records of a folder."""
    train_data, validation_data = (
        {"input_path": f"{folder}/{split}-*.tfrecord", "global_batch_size": batch}
        for split in ("train", validation)
    )
    data = {"train_data": train_data, "validation_data": validation_data}
    return {"task": data | task, "trainer": trainer}


def _intervals(steps_per_loop, checkpoint, validation):
    return {
        "steps_per_loop": steps_per_loop,
        "summary_interval": steps_per_loop,
        "checkpoint_interval": checkpoint,
        "validation_interval": validation,
    }


def _kinetics600():
    movinets = [f"a{n}_{kind}" for n in range(4) for kind in ("stream", "base")]
    models = (*movinets, "mobilenet_v3_small", "mobilenet_v3_large")
    trainer = {"train_steps": 85886} | _intervals(100, 1000, 6135)
    for model, grw in itertools.product(models, ("", "_grw")):
        weights = f"movinet_{model}" if model in movinets else "imagenet"
        task = {"metrics": _NO_RECALL, "init_checkpoint": weights}
        if not grw:
            task["model"] = {"frame_fit": "square"}
        folder = f"records/kinetics600_{12 if model.startswith('a3') else 5}fps"
        name = f"{model}{grw}"
        yield f"kinetics600_{name}", (name, _body(folder, 64, task, trainer))


def _slowonly():
    networks = (
        ("mini_kinetics", "slowonly_34", 200, 1250),
        ("mini_kinetics", "slowonly_50", 200, 1250),
        ("kinetics400", "slowonly_50", 400, 3750),
    )
    variants = {
        "": {},
        "_rms": {"methods": ["rms"]},
        "_rms_gf": {"methods": ["rms"], "rms": {"filter": "gaussian"}},
    }
    for network, suffix in itertools.product(networks, variants):
        data, preset, classes, epoch = network
        model = {"num_classes": classes, "regularization": variants[suffix]}
        warmup = {"warmup_steps": 34 * epoch, "warmup_learning_rate": 0.01}
        trainer = _intervals(50, epoch, epoch) | {
            "train_steps": 196 * epoch,
            "optimizer_config": {
                "learning_rate": {"cosine": {"initial_learning_rate": 0.1}},
                "warmup": {"type": "linear", "linear": warmup},
            },
        }
        task = {"model": model, "metrics": _NO_RECALL}
        body = _body(f"records/{data}_25fps", 64, task, trainer)
        yield f"{data}_{preset}{suffix}", (preset, body)


_OWN_CLIPS = _body(
    "records",
    8,
    {
        "init_checkpoint": "movinet_a0_stream",
        "unfreeze_step": 50,
        "freeze_batch_norm": True,
        "model": {"frames": 16, "frame_fit": "short_side", "smoothing": {"window": 4}},
        "losses": {"class_weights": "balanced"},
    },
    {
        "batch_norm_recalibration": 256,
        "train_steps": 500,
        "checkpoint_interval": 50,
        "validation_interval": 50,
        "best_checkpoint_eval_metric": "macro_f1",
        "early_stopping_patience": 5,
    },
)
_UCF101_DATA = {"tfds_name": "ucf101/ucf101_1", "temporal_stride": 5}
_UCF101 = {
    "task": {
        "init_checkpoint": "movinet_a0_stream",
        "model": {"num_classes": 101, "frame_fit": "short_side", "frames": 30},
        "train_data": _UCF101_DATA | {"tfds_split": "train"},
        "validation_data": _UCF101_DATA | {"tfds_split": "test"},
    },
    "trainer": {"batch_norm_recalibration": 1000, "train_steps": 11921}
    | _intervals(100, 596, 596),
}
_SMOKE_MODEL = {
    "backbone": {"model_id": "nano"},
    "head": {"num_heads": 2},
    "frames": 8,
    "size": 32,
    "smoothing": {"window": 4},
}
_SMOKE_TRAINER = {"batch_norm_recalibration": 16, "train_steps": 20}
_SMOKE_TRAINER |= _intervals(5, 10, 10)

FORMER_RECIPES = {
    **dict(_kinetics600()),
    **dict(_slowonly()),
    "own_clips_a0_stream_grw": ("a0_stream_grw", _OWN_CLIPS),
    "ucf101_a0_stream_grw": ("a0_stream_grw", _UCF101),
}
"""Preset and body by the former file's name without its suffix."""

FORMER_SMOKE = (
    "a0_stream_grw",
    _body("records", 4, {"model": _SMOKE_MODEL}, _SMOKE_TRAINER, "test"),
)
"""The same for smoke.yaml, whose name stays."""
