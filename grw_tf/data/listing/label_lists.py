"""Videos with any number of labels, listed in one text."""

import dataclasses
from collections.abc import Sequence

from grw_tf.common.class_names import normal_name, warn_of_alike
from grw_tf.common.suggestions import suggest
from grw_tf.data.listing.video_list import Video


def with_label_lists(
    videos: Sequence[Video], separator: str, negative_label: str, where: str
) -> list[Video]:
    """Returns videos whose classes are listed, none or several for each.

    Args:
        videos: Videos whose label is the text of a list.
        separator: The text between labels, with or without spaces around. Empty: each
            text is one label.
        negative_label: The label of videos of no class, which is no class itself.
            Empty: there is none.
        where: What lists the videos, for messages.

    Raises:
        ValueError: If no video has the `negative_label`, if one has it beside others,
            or if no video has a class.
    """
    negative_label = normal_name(negative_label)
    found = [
        dataclasses.replace(video, listed=_split(video.label, separator))
        for video in videos
    ]
    if negative_label:
        known = sorted({label for video in found for label in video.labels})
        if negative_label not in known:
            raise ValueError(
                f"negative_label is {negative_label!r}, and no video of {where} has it;"
                f" {suggest(negative_label, known)}"
            )
        for video in found:
            if negative_label in video.labels and len(video.labels) > 1:
                raise ValueError(
                    f"{video.name} has the labels {list(video.labels)}:"
                    f" {negative_label!r} stands for none, so leave out the others or"
                    " it."
                )
        found = [
            dataclasses.replace(video, listed=())
            if negative_label in video.labels
            else video
            for video in found
        ]
    labels = [label for video in found for label in video.labels]
    if not labels:
        raise ValueError(f"No video of {where} has a class: nothing can be learned.")
    warn_of_alike(labels, where)
    return found


def _split(text: str, separator: str) -> tuple[str, ...]:
    parts = text.split(separator) if separator else [text]
    names = (normal_name(part.strip()) for part in parts)
    # Once each, in the order of the list.
    return tuple(dict.fromkeys(name for name in names if name))
