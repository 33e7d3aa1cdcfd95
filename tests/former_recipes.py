"""The recipes of the former config files, one file per model, data set and variant.

Each is the preset that its experiment held, and the body of its file.
"""

import yaml

_KINETICS600 = """
task:
  metrics: {{use_per_class_recall: false}}
  init_checkpoint: {weights}
  train_data:
    input_path: records/kinetics600_{fps}fps/train-*.tfrecord
    global_batch_size: 64
  validation_data:
    input_path: records/kinetics600_{fps}fps/validation-*.tfrecord
    global_batch_size: 64
trainer:
  train_steps: 85886
  steps_per_loop: 100
  summary_interval: 100
  checkpoint_interval: 1000
  validation_interval: 6135
"""

_SLOWONLY = """
task:
  model: {{num_classes: {classes}, regularization: {regularization}}}
  metrics: {{use_per_class_recall: false}}
  train_data:
    input_path: records/{data}_25fps/train-*.tfrecord
    global_batch_size: 64
  validation_data:
    input_path: records/{data}_25fps/validation-*.tfrecord
    global_batch_size: 64
trainer:
  train_steps: {steps}
  steps_per_loop: 50
  summary_interval: 50
  checkpoint_interval: {epoch}
  validation_interval: {epoch}
  optimizer_config:
    learning_rate: {{cosine: {{initial_learning_rate: 0.1}}}}
    warmup:
      type: linear
      linear: {{warmup_steps: {warmup_steps}, warmup_learning_rate: 0.01}}
"""

_OWN_CLIPS = """
task:
  init_checkpoint: movinet_a0_stream
  unfreeze_step: 50
  freeze_batch_norm: true
  model: {frames: 16, frame_fit: short_side, smoothing: {window: 4}}
  losses: {class_weights: balanced}
  train_data: {input_path: records/train-*.tfrecord, global_batch_size: 8}
  validation_data: {input_path: records/validation-*.tfrecord, global_batch_size: 8}
trainer:
  batch_norm_recalibration: 256
  train_steps: 500
  checkpoint_interval: 50
  validation_interval: 50
  best_checkpoint_eval_metric: macro_f1
  early_stopping_patience: 5
"""

_UCF101 = """
task:
  init_checkpoint: movinet_a0_stream
  model: {num_classes: 101, frame_fit: short_side, frames: 30}
  train_data: {tfds_name: ucf101/ucf101_1, tfds_split: train, temporal_stride: 5}
  validation_data: {tfds_name: ucf101/ucf101_1, tfds_split: test, temporal_stride: 5}
trainer:
  batch_norm_recalibration: 1000
  train_steps: 11921
  steps_per_loop: 100
  summary_interval: 100
  checkpoint_interval: 596
  validation_interval: 596
"""

_SMOKE = """
task:
  model:
    backbone: {model_id: nano}
    head: {num_heads: 2}
    frames: 8
    size: 32
    smoothing: {window: 4}
  train_data: {input_path: records/train-*.tfrecord, global_batch_size: 4}
  validation_data: {input_path: records/test-*.tfrecord, global_batch_size: 4}
trainer:
  batch_norm_recalibration: 16
  train_steps: 20
  steps_per_loop: 5
  summary_interval: 5
  checkpoint_interval: 10
  validation_interval: 10
"""


def _kinetics600():
    movinets = [f"a{n}_{kind}" for n in range(4) for kind in ("stream", "base")]
    for model in (*movinets, "mobilenet_v3_small", "mobilenet_v3_large"):
        weights = f"movinet_{model}" if model in movinets else "imagenet"
        fps = 12 if model.startswith("a3") else 5
        for grw in ("", "_grw"):
            body = yaml.safe_load(_KINETICS600.format(weights=weights, fps=fps))
            if not grw:
                body["task"]["model"] = {"frame_fit": "square"}
            yield f"kinetics600_{model}{grw}", f"{model}{grw}", body


def _slowonly():
    for data, size, classes, epoch in (
        ("mini_kinetics", 34, 200, 1250),
        ("mini_kinetics", 50, 200, 1250),
        ("kinetics400", 50, 400, 3750),
    ):
        for suffix, regularization in (
            ("", "{}"),
            ("_rms", "{methods: [rms]}"),
            ("_rms_gf", "{methods: [rms], rms: {filter: gaussian}}"),
        ):
            body = _SLOWONLY.format(
                data=data,
                classes=classes,
                regularization=regularization,
                steps=196 * epoch,
                warmup_steps=34 * epoch,
                epoch=epoch,
            )
            preset = f"slowonly_{size}"
            yield f"{data}_{preset}{suffix}", preset, yaml.safe_load(body)


FORMER_RECIPES = {
    stem: (preset, body)
    for stem, preset, body in (
        *_kinetics600(),
        *_slowonly(),
        ("own_clips_a0_stream_grw", "a0_stream_grw", yaml.safe_load(_OWN_CLIPS)),
        ("ucf101_a0_stream_grw", "a0_stream_grw", yaml.safe_load(_UCF101)),
    )
}
"""Preset and body by the former file's name without its suffix."""

FORMER_SMOKE = ("a0_stream_grw", yaml.safe_load(_SMOKE))
"""The same for smoke.yaml, whose name stays."""
