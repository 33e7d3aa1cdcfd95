"""Lists the videos of Something-Something-v2 by the json files published with it.

`labels.json` maps each class to its index, as text. `train.json` and `validation.json`
list videos as objects with an `id` and a `template`, the class with its placeholders in
square brackets. The videos are files `<id>.webm`. Names of files may begin with
`something-something-v2-`, as they did at first.
"""

import json
import os
from pathlib import Path
from typing import Any

from grw_tf.common.class_names import normal_name
from grw_tf.data.listing.video_list import Video

_LABELS = "labels"
_SPLITS = ("train", "validation")


def read_published_labels(annotations: str | os.PathLike) -> tuple[str, ...]:
    """Returns the classes in the order of their published indices.

    Args:
        annotations: The folder of the json files.

    Raises:
        ValueError: If the folder has no such file, or it is not of this form.
        OSError: If it cannot be read.
    """
    path, content = _read(Path(annotations), _LABELS)
    form = 'an object of classes and indices, such as {"Bending something": "0"}'
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{path} is not {form}.")
    try:
        by_index = {int(index): normal_name(name) for name, index in content.items()}
    except (TypeError, ValueError):
        raise ValueError(f"{path} is not {form}.") from None
    if sorted(by_index) != list(range(len(content))):
        raise ValueError(
            f"{path} does not number its {len(content)} classes from 0 to"
            f" {len(content) - 1}, each once."
        )
    return tuple(by_index[index] for index in range(len(content)))


def list_published(
    annotations: str | os.PathLike, directory: str | os.PathLike
) -> list[Video]:
    """Lists the videos of the training and validation splits.

    The test split is published without classes.

    Args:
        annotations: The folder of the json files.
        directory: The folder of the videos.

    Raises:
        ValueError: If a folder or file is missing or of another form, a class is not
            among the published ones, or a video is listed twice.
        OSError: If a file cannot be read.
    """
    root = Path(directory)
    if not root.is_dir():
        raise ValueError(f"{root} is not a folder: expected videos <id>.webm.")
    labels = set(read_published_labels(annotations))
    videos: dict[str, Video] = {}
    for split in _SPLITS:
        path, content = _read(Path(annotations), split)
        if not isinstance(content, list) or not content:
            raise ValueError(f"{path} is not a list of videos.")
        for number, entry in enumerate(content, start=1):
            where = f"{path}, entry {number}"
            video = _video(entry, where, labels, split, root)
            if video.group in videos:
                raise ValueError(
                    f"{where}: the video {video.group} is listed before, in"
                    f" {videos[video.group].split}: keep one of them."
                )
            videos[video.group] = video
    return list(videos.values())


def _read(folder: Path, kind: str) -> tuple[Path, Any]:
    """Returns the file of a kind and its content."""
    if not folder.is_dir():
        raise ValueError(
            f"{folder} is not a folder: expected {_LABELS}.json, train.json and"
            " validation.json."
        )
    found = [
        path
        for path in sorted(folder.glob("*.json"))
        if path.stem == kind or path.stem.endswith(f"-{kind}")
    ]
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise ValueError(
            f"{folder} must have one {kind}.json, or one whose name ends in"
            f" -{kind}.json; it has {names}."
        )
    (path,) = found
    try:
        return path, json.loads(path.read_text("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON in UTF-8: {error}.") from None


def _video(entry, where, labels, split, root):
    keys = {"id", "template"}
    if not isinstance(entry, dict) or not keys <= entry.keys():
        raise ValueError(f"{where} has no id and template.")
    number, template = str(entry["id"]), str(entry["template"])
    if not number.isdecimal():
        raise ValueError(f"{where}: the id is {number!r:.80}, not a number.")
    label = normal_name(template.replace("[", "").replace("]", ""))
    if label not in labels:
        raise ValueError(
            f"{where}: the class {label!r:.80} is not in {_LABELS}.json: take the files"
            " of one release."
        )
    name = f"{number}.webm"
    return Video(root / name, name, label, split, group=number)
