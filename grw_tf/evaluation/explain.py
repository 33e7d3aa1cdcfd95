"""Shows what in a video speaks for a class, as a video and a contact sheet."""

import contextlib
import dataclasses
import itertools
from pathlib import Path

import av
import cv2
import numpy as np

from grw_tf.common.flags import option
from grw_tf.common.output_folder import check_writable
from grw_tf.common.replacing import replacing
from grw_tf.common.suggestions import suggest
from grw_tf.common.text_table import text_table
from grw_tf.data.videos.annotated_video import AnnotatedVideo
from grw_tf.data.videos.clips import read_clip
from grw_tf.data.videos.sampling import sample_pictures
from grw_tf.evaluation.grad_cam import Evidence, feature_endpoints, grad_cam
from grw_tf.figures.contact_sheet import contact_sheet
from grw_tf.figures.heat import overlay
from grw_tf.frames.choice import repeat_last
from grw_tf.frames.opencv_preparation import prepare_frame
from grw_tf.models import ModelConfig
from grw_tf.streaming.answers import likeliest, softmax
from grw_tf.weights.run_directory import read_run

# Frames of the video are enlarged to about this side in pixels.
_SIDE = 320
_SHOWN_CLASSES = 3


@dataclasses.dataclass(frozen=True)
class ExplanationConfig:
    """What to explain; each field is a flag."""

    checkpoint_dir: str = option(
        "", "--model_dir of a training, or a checkpoint that records its config."
    )
    video: str = option("", "The video.")
    output_dir: str = option(
        "", "Folder for the contact sheet (.png) and the video (.mp4)."
    )
    class_name: str = option("", "The class; by default the likeliest one.")
    start: float | None = option(
        None,
        "Second at which the clip begins; by default it is the middle of the video.",
    )
    endpoint: str = option(
        "",
        "Endpoint of the backbone whose features are shown; by default the last one."
        " Earlier ones are finer, and say less about classes.",
    )
    columns: int = option(8, "Most frames on the contact sheet.")
    labels: str = option(
        "", "File with the names of the classes; by default labels.txt of the training."
    )

    def __post_init__(self) -> None:
        if self.columns < 1:
            raise ValueError(f"columns is {self.columns}: it must be above 0.")
        if self.start is not None and not self.start >= 0:
            raise ValueError(f"start is {self.start:g}: it must be 0 s or more.")


def explain(config: ExplanationConfig) -> str:
    """Writes the contact sheet and the video, and returns a summary for people.

    Raises:
        ValueError: If the checkpoint holds no whole model, there is no such class or
            endpoint, or the video cannot be read.
        OSError: If a file cannot be read or written.
    """
    folder = Path(config.output_dir)
    check_writable(folder)
    run = read_run(config.checkpoint_dir, config.labels)
    names = run.class_names
    index = None
    if config.class_name:
        if config.class_name not in names:
            raise ValueError(
                f"class_name is {config.class_name!r}: the model has no such class;"
                f" {suggest(config.class_name, names)}"
            )
        index = names.index(config.class_name)
    clip = _read(config.video, run.model.config, config.start)
    frames = clip.astype(np.float32) / 255
    evidence = grad_cam(run.model, frames, index, config.endpoint)
    heat = evidence.heat(len(frames), frames.shape[1])
    drawn = overlay(frames, heat)

    folder.mkdir(parents=True, exist_ok=True)
    stem = folder / Path(config.video).stem
    sheet, video = (stem.with_name(f"{stem.name}{end}") for end in (".png", ".mp4"))
    told = names[evidence.class_index]
    top = likeliest(names, softmax(evidence.logits), _SHOWN_CLASSES)
    _write_sheet(sheet, np.stack([frames, drawn]), told, config.columns, top)
    _write_video(video, drawn, run.model.config.fps, top)
    endpoint = config.endpoint or feature_endpoints(run.model)[-1]
    return _summary(evidence, heat, told, endpoint, top, run.model.config.fps) + (
        f"\nWritten to {sheet} and {video}."
    )


def _read(path, config: ModelConfig, start: float | None) -> np.ndarray:
    """Returns a clip, uint8 [N, size, size, 3]."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"There is no video {path}.")
    try:
        if start is None:
            return read_clip(path, config.frames, config.fps, config.frame_geometry)
        taken = itertools.islice(
            sample_pictures(path, config.fps, start), config.frames
        )
        frames = [prepare_frame(p, config.frame_geometry) for _, p in taken]
    except av.FFmpegError as error:
        raise ValueError(
            f"{path} cannot be read as a video: {error.strerror}."
        ) from None
    return np.stack(repeat_last(frames, config.frames))


def _write_sheet(path, clips, told, columns, top):
    name, probability = top[0]
    title = f"{path.stem}: {name} {probability:.0%}"
    sheet = contact_sheet(clips, ["frames", f"for {told}"], title, columns)
    with replacing(path) as unfinished:
        options = [cv2.IMWRITE_PNG_COMPRESSION, 9]
        _, png = cv2.imencode(".png", sheet.pixels[..., ::-1], options)
        unfinished.write_bytes(png.tobytes())


def _write_video(path, frames, fps, top):
    scale = max(1, round(_SIDE / frames.shape[1]))
    with contextlib.closing(AnnotatedVideo(str(path))) as video:
        for index, frame in enumerate(frames):
            pixels = np.round(255 * frame).astype(np.uint8)
            large = pixels.repeat(scale, axis=0).repeat(scale, axis=1)
            video.write(index / fps, large, top)


def _summary(evidence: Evidence, heat, told, endpoint, top, fps) -> str:
    probability = softmax(evidence.logits)[evidence.class_index]
    rows = [
        ("likeliest", ", ".join(f"{name} {share:.3f}" for name, share in top)),
        ("explained", f"{told} {probability:.3f}, by {endpoint}"),
    ]
    if not evidence.maps.any():
        rows.append(("evidence", "none: nothing in these features speaks for it"))
        return text_table(rows, "<")
    of_frames = heat.mean(axis=(1, 2))
    most = int(of_frames.argmax())
    size = heat.shape[1]
    y, x = np.unravel_index(heat[most].argmax(), heat[most].shape)
    rows.append(
        (
            "evidence",
            f"most in frame {most} ({most / fps:.2f} s), strongest"
            f" {x / size:.0%} from the left and {y / size:.0%} from the top",
        )
    )
    return text_table(rows, "<")
