"""The videos of a conversion: their order, splits and classes."""

import hashlib
import json
import logging
import re
from collections.abc import Sequence

from grw_tf.common.class_names import BACKGROUND, sort_class_names
from grw_tf.common.labels_file import LABELS_BETWEEN, LABELS_FILE, read_labels
from grw_tf.data.listing.label_lists import with_label_lists
from grw_tf.data.listing.left_out import LeftOut
from grw_tf.data.listing.something_something import (
    list_published,
    read_published_labels,
)
from grw_tf.data.listing.split_names import SPLITS
from grw_tf.data.listing.splits import assign_splits
from grw_tf.data.listing.video_list import (
    Video,
    list_table,
    list_unlisted,
    read_folder,
    warn_of_left_out,
)
from grw_tf.data.preparation.background import sample_background
from grw_tf.data.preparation.config import PreparationConfig


def list_videos(config: PreparationConfig) -> list[Video]:
    """Lists all videos in the order of the records, and warns of files left out.

    The order is random, since readers shuffle only some records at a time.

    Raises:
        ValueError: If the list of videos or the splits are invalid.
        OSError: If a folder or the table cannot be read.
    """
    videos, left_out = choose_videos(config)
    warn_of_left_out(config.input, left_out)
    return videos


def choose_videos(config: PreparationConfig) -> tuple[list[Video], list[LeftOut]]:
    """Returns the videos in the order of the records, and the files left out.

    Raises:
        ValueError: As `list_videos`.
        OSError: As `list_videos`.
    """
    if config.annotations:
        videos = list_published(config.annotations, config.input)
        left_out = list_unlisted(config.input, videos)
    elif config.csv:
        videos = list_table(
            config.csv, config.input or None, labels_may_lack=config.lists_labels
        )
        # Without --input, the table's folder may hold anything.
        left_out = list_unlisted(config.input, videos) if config.input else []
    elif config.input:
        listing = read_folder(config.input)
        videos, left_out = listing.videos, listing.left_out
    else:
        raise ValueError("Give --input, a folder of class folders, or --csv, a table.")
    if config.lists_labels:
        videos = with_label_lists(
            videos,
            config.label_separator,
            config.negative_label,
            config.csv or config.input,
        )
    videos = assign_splits(videos, config.validation_fraction, config.test_fraction)
    for split in sorted({video.split for video in videos} - set(SPLITS)):
        count = sum(video.split == split for video in videos)
        if not re.fullmatch(r"\w[\w.-]*", split):
            raise ValueError(f"The split {split!r} cannot name a file: rename it.")
        logging.warning("Besides the usual splits, %r has %d videos.", split, count)
    if config.background_ratio:
        videos = [*videos, *sample_background(videos, config.background_ratio)]
    return sorted(videos, key=lambda v: (v.split, video_key(v))), left_out


def refuse_left_out(left_out: Sequence[LeftOut], folder: str) -> None:
    """Raises a `ValueError` if a file is left out that was perhaps meant to be used."""
    lost = [file for file in left_out if file.is_fault]
    if lost:
        raise ValueError(
            f"{folder} holds {len(lost)} files that are left out, as"
            f" {lost[0].name}, a {lost[0].kind}: move them, or leave out --strict."
        )


def class_names(videos: Sequence[Video], config: PreparationConfig) -> tuple[str, ...]:
    """Returns the class names, given or found, in the order of their indices.

    Raises:
        ValueError: If a name cannot be a line of text, or is not in `config.labels`.
        OSError: If a file of names cannot be read.
    """
    found = {label: video.name for video in videos for label in video.labels}
    for label, name in found.items():
        if label.splitlines() != [label] or label != label.strip():
            raise ValueError(
                f"The class {label!r}, of {name!r}, cannot be a line of {LABELS_FILE}:"
                " rename it, without line breaks and spaces around."
            )
        if config.lists_labels and LABELS_BETWEEN in label:
            raise ValueError(
                f"The class {label!r}, of {name!r}, holds {LABELS_BETWEEN!r}, which"
                " stands between the classes of a clip in tables: rename it, or give"
                " that as --label_separator."
            )
        try:
            label.encode()
        except UnicodeEncodeError:
            raise ValueError(
                f"The class of {name!r} is not text in UTF-8: rename it."
            ) from None
    if config.annotations:
        labels = read_published_labels(config.annotations)
    elif config.labels:
        labels = read_labels(config.labels)
    else:
        labels = _sorted(found, config)
    unknown = sorted(set(found) - set(labels))
    if unknown:
        raise ValueError(
            f"{config.labels} lacks {len(unknown)} of the classes found: {unknown[:5]}."
        )
    if len(found) == 1 and not config.lists_labels:
        logging.warning("All videos are of one class, %r.", *found)
    first = labels[0]
    own = tuple(label for label in labels if label != BACKGROUND)
    if not config.labels and first.isdecimal() and own != _counted(own):
        logging.warning(
            "The classes are not called 0 to %d: label 0 is the class %r, and so on in"
            " the order of %s.",
            len(own) - 1,
            first,
            LABELS_FILE,
        )
    return labels


def _sorted(names, config):
    if not config.background_ratio:
        return sort_class_names(names)
    # Last, so that the other classes have the indices that they have without it.
    return (*sort_class_names(set(names) - {BACKGROUND}), BACKGROUND)


def _counted(labels):
    return tuple(map(str, range(len(labels))))


def video_key(video: Video) -> str:
    """Returns a digest in ASCII that identifies a video or segment."""
    return digest(identify(video))


def identify(video: Video) -> list:
    """Returns what distinguishes a video or segment from the others."""
    identity = [video.name, video.label, video.split, video.start, video.end]
    # Folders begun before labels could be listed are still known.
    return identity if video.listed is None else [*identity, video.listed]


def digest(content: list) -> str:
    """Returns the SHA-256 of content that JSON can hold."""
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
