"""Writes the trajectories of a checkpoint's embeddings of clips."""

import dataclasses
import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np

from grw_tf.common.checks import check_positive
from grw_tf.common.class_names import normal_name
from grw_tf.common.csv_file import write_csv
from grw_tf.common.flags import option
from grw_tf.common.output_folder import check_writable
from grw_tf.common.replacing import replacing
from grw_tf.data.clip_folder import load_clips
from grw_tf.data.listing.file_kinds import is_video
from grw_tf.data.records.evaluation_records import EvaluationRecords
from grw_tf.data.videos.clips import read_clip
from grw_tf.evaluation.directions import directions
from grw_tf.evaluation.embeddings import embed_clips, embedding_layers
from grw_tf.evaluation.inference import check_one_label
from grw_tf.evaluation.principal_components import principal_components
from grw_tf.evaluation.smoothness import smoothness
from grw_tf.figures.trajectories import COLORS, trajectory_figure
from grw_tf.models import ModelConfig
from grw_tf.weights.restore import load_model

CSV_FILE = "embeddings.csv"
FIGURE_FILE = "trajectories.png"


@dataclasses.dataclass(frozen=True)
class TrajectoryConfig:
    """Which embeddings to write; each is a flag."""

    checkpoint: str = option(
        "", "Checkpoint of a whole model: a prefix or folder, e.g. runs/own/best_ckpt."
    )
    clips: str = option(
        "",
        "A folder of class folders of videos, videos separated by commas, or records.",
    )
    output_dir: str = option("", "Folder for the picture and the table.")
    layer: str = option(
        "",
        "Place of the embeddings: final, or an endpoint, averaged over space; empty for"
        " the last place.",
    )
    components: int = option(3, "Principal components in the table, at least 2.")
    all_dims: bool = option(False, "Also write every channel to the table.")
    paths: int = option(3, "Clips drawn as paths, for each of ten classes.")
    batch_size: int = option(8, "Clips in a batch.")

    def __post_init__(self):
        check_positive(paths=self.paths, batch_size=self.batch_size)
        if self.components < 2:
            raise ValueError(
                f"components is {self.components}: the picture needs 2 or more."
            )


def write_trajectories(config: TrajectoryConfig) -> str:
    """Embeds clips, writes a picture and a table, and returns a summary for people.

    Raises:
        ValueError: If the checkpoint does not hold a whole model, its model has no such
            layer, or does not fit the records; if there are no clips, or too few
            components.
        OSError: If a file cannot be read or written.
    """
    folder = Path(config.output_dir)
    check_writable(folder)
    model = load_model(config.checkpoint)
    class_names, batches = read_batches(config.clips, model.config, config.batch_size)
    labels, names = [], []

    def noted():
        for clips, of_clips, called in batches:
            labels.extend(of_clips)
            names.extend(called)
            yield (clips,)

    z = embed_clips(model, noted(), config.layer)
    projected = principal_components(z, config.components)
    layer = config.layer or embedding_layers(model)[-1]
    summary = _summary(z, labels, layer, projected, model.config)
    there = sorted(set(labels))
    shown = [
        clip
        for label in there[: len(COLORS)]
        for clip in np.flatnonzero(np.array(labels) == label)[: config.paths]
    ]
    plane = projected._replace(points=projected.points[..., :2])
    title = f"{len(z)} clips, {layer} of {os.path.normpath(config.checkpoint)}"
    if len(there) > len(COLORS):
        title += f"\npaths of {len(COLORS)} of {len(there)} classes"
    figure = trajectory_figure(*plane, labels, class_names, shown, title)

    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / FIGURE_FILE) as unfinished:
        figure.savefig(unfinished, format="png", dpi=120)
    columns = {"pc": projected.points} | ({"z": z} if config.all_dims else {})
    called = [class_names[label] for label in labels]
    header = ["clip", "label", "frame", "seconds"]
    for name, values in columns.items():
        header += [f"{name}{number + 1}" for number in range(values.shape[-1])]
    # A network with strides in time makes fewer frames.
    fps = model.config.fps * z.shape[1] / model.config.frames
    rows = _rows(names, called, fps, columns)
    write_csv(folder / CSV_FILE, header, rows)
    return summary


def read_batches(
    source: str, config: ModelConfig, batch_size: int
) -> tuple[tuple[str, ...], Iterator[tuple]]:
    """Reads clips as a model takes them.

    The source is a folder of class folders of videos; videos separated by commas, whose
    classes are their folders; or records.

    Returns:
        The names of the classes, and batches: tuples of clips [batch, N, size, size, 3]
        in 0..1, labels [batch] and names. Batches of records are read one at a time.

    Raises:
        ValueError: If there are no clips, or they cannot be read.
        OSError: If a file cannot be read.
    """
    shape = config.frames, config.fps, config.frame_geometry
    if os.path.isdir(source):
        found = load_clips(source, *shape)
        names = [os.path.relpath(path, source) for path in found.paths]
        clips = zip(found.videos, found.labels, names, strict=True)
        return found.class_names, _batches(clips, batch_size)
    videos = [path for path in source.split(",") if path]
    if videos and all(map(is_video, videos)):
        for path in videos:
            if not os.path.isfile(path):
                raise ValueError(f"There is no video {path}.")
        classes = [normal_name(Path(path).parent.name) for path in videos]
        class_names = tuple(dict.fromkeys(classes))
        read = (
            (_read(path, shape), class_names.index(label), path)
            for path, label in zip(videos, classes, strict=True)
        )
        return class_names, _batches(read, batch_size)
    check_one_label(config, "Paths of classes are drawn")
    records = EvaluationRecords(source, config)
    return records.class_names, records.batches(batch_size)


def _batches(clips, batch_size):
    clips = iter(clips)
    while batch := list(itertools.islice(clips, batch_size)):
        frames, labels, names = zip(*batch, strict=True)
        yield np.stack(frames).astype(np.float32) / 255, labels, names


def _read(path, shape):
    try:
        return read_clip(path, *shape)
    except av.FFmpegError as error:
        raise ValueError(f"{path} cannot be read as a video: {error}") from None


def _summary(z, labels, layer, projected, config):
    shares = ", ".join(f"{share:.1%}" for share in projected.shares)
    lines = [
        f"clips                {len(z)} x {z.shape[1]} frames",
        f"embeddings           {layer}, {z.shape[2]} channels",
        f"variance explained   {shares}",
    ]
    window = config.smoothing.window
    if z.shape[1] >= window:
        measured = smoothness(z, window)
        lines += [
            f"|a| / |v|            {measured.acceleration_ratio:.3f}",
            f"order accuracy       {measured.order_accuracy:.3f}, windows of {window}",
        ]
    directed = directions(z, labels)
    for name, value in (
        ("straightness", directed.straightness),
        ("direction accuracy", directed.accuracy),
    ):
        if np.isfinite(value):
            lines.append(f"{name:<20} {value:.3f}")
    return "\n".join(lines)


def _rows(names, labels, fps, columns):
    values = np.concatenate(list(columns.values()), axis=-1)
    for name, label, frames in zip(names, labels, values, strict=True):
        for frame, numbers in enumerate(frames):
            yield name, label, frame, *(f"{n:.6g}" for n in (frame / fps, *numbers))
