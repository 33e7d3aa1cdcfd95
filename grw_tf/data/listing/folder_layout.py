"""Determines the class and split of each video of a folder from its path alone.

run/a.mp4                     class folders
run/anna/a.mp4                class folders with folders of their own
train/run/a.mp4               split folders of class folders
run/train/a.mp4               class folders of split folders
set/train/run/a.mp4           a folder around split folders of class folders
"""

import collections
import dataclasses
from collections.abc import Sequence
from pathlib import PurePosixPath

from grw_tf.data.listing.split_names import canonical_split


@dataclasses.dataclass(frozen=True)
class Layout:
    """The classes and splits of the videos of a folder.

    Attributes:
        places: By video, its class and split ("" if none is given).
        left_out: By video without a class, the reason: "video in no class folder".
        split_folders: The folders that hold class folders, () without any.
        warnings: What users of this layout should check.
    """

    places: dict[str, tuple[str, str]]
    left_out: dict[str, str]
    split_folders: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def lay_out(names: Sequence[str]) -> Layout:
    """Finds the layout of a folder.

    Folders with a usual split name (`canonical_split`) that hold class folders are the
    splits if no other folder holds videos, if there are two or more splits, or if one
    is the training split and has no video outside its class folders. Otherwise all
    folders are classes, so a class may be called test. Folders within class folders are
    splits if all of them have such names, train among them. A single folder around
    split folders of several classes is skipped, with a warning.

    Args:
        names: Paths of the videos relative to the folder, with slashes.
    """
    paths = [PurePosixPath(name) for name in names]
    splits = _split_folders(paths)
    if splits:
        return _in_split_folders(paths, splits)
    within = _within_one_folder(paths)
    if within:
        return within
    layout = class_folders(names)
    inner = [path for path in paths if len(path.parts) > 1]
    found = [canonical_split(path.parts[1]) for path in inner if len(path.parts) > 2]
    if len(found) == len(inner) and None not in found and "train" in found:
        pairs = zip(inner, filter(None, found), strict=True)
        places = {str(path): (path.parts[0], split) for path, split in pairs}
        return Layout(places, layout.left_out)
    unused = sorted(
        {
            "/".join(path.parts[:2])
            for path in inner
            if len(path.parts) > 2 and canonical_split(path.parts[1])
        }
    )
    warnings = _one_class(paths, layout)
    tops = sorted({path.parts[0] for path in inner})
    named = [folder for folder in tops if canonical_split(folder)]
    if len({canonical_split(folder) for folder in named}) > 1:
        warnings.append(
            f"{_are(named)} named as splits, but taken for classes, since they hold no"
            " class folders"
        )
    if unused:
        warnings.append(
            f"{_are(unused)} named as splits, but taken for parts of classes, since not"
            " all videos lie in such folders"
        )
    return dataclasses.replace(layout, warnings=tuple(warnings))


def class_folders(names: Sequence[str]) -> Layout:
    """Takes the first folder of each path as the class, without splits."""
    places, left_out = {}, {}
    for name in names:
        label, inside, _ = name.partition("/")
        if inside:
            places[name] = label, ""
        else:
            left_out[name] = "video in no class folder"
    return Layout(places, left_out)


def _split_folders(paths: Sequence[PurePosixPath]) -> dict[str, str]:
    """Returns the split of each folder, {} if the folders are classes."""
    depths = collections.defaultdict(list)
    for path in paths:
        if len(path.parts) > 1:
            depths[path.parts[0]].append(len(path.parts))
    named = {folder: split for folder in depths if (split := canonical_split(folder))}
    splits = {folder: named[folder] for folder in named if max(depths[folder]) > 2}
    only_splits = len(splits) == len(depths)
    several = len(set(named.values())) > 1
    training = any(
        split == "train" and min(depths[folder]) > 2 for folder, split in splits.items()
    )
    return splits if only_splits or several or training else {}


def _within_one_folder(paths) -> Layout | None:
    """Returns the layout one level down, if split folders of several classes are there.

    With a single class, the folder may itself be a class, with a folder per person.
    """
    inner = [path for path in paths if len(path.parts) > 1]
    tops = {path.parts[0] for path in inner}
    if len(tops) != 1:
        return None
    (top,) = tops
    below = lay_out([str(path.relative_to(top)) for path in inner])
    labels = {label for label, _ in below.places.values()}
    if not below.split_folders or len(labels) < 2:
        return None
    loose = [str(path) for path in paths if len(path.parts) == 1]
    return Layout(
        {f"{top}/{name}": place for name, place in below.places.items()},
        {f"{top}/{name}": reason for name, reason in below.left_out.items()}
        | dict.fromkeys(loose, "video in no class folder"),
        tuple(f"{top}/{folder}" for folder in below.split_folders),
        (
            f"the folder {top} alone holds videos, in split folders of classes: it is"
            " treated as the given folder",
            *below.warnings,
        ),
    )


def _in_split_folders(paths, splits) -> Layout:
    warnings = []
    for split in dict.fromkeys(splits.values()):
        same = sorted(folder for folder in splits if splits[folder] == split)
        if len(same) > 1:
            warnings.append(f"{_are(same)} taken together as the split {split}")
    places, left_out = {}, {}
    beside = f"video beside the split folders {', '.join(sorted(splits))}"
    for path in paths:
        folder, *inside = path.parts
        if folder in splits and len(inside) > 1:
            places[str(path)] = inside[0], splits[folder]
        elif len(path.parts) == 1 or folder in splits or canonical_split(folder):
            left_out[str(path)] = "video in no class folder"
        else:
            left_out[str(path)] = beside
    return Layout(places, left_out, tuple(splits), tuple(warnings))


def _one_class(paths, layout) -> list[str]:
    labels = {label for label, _ in layout.places.values()}
    inner = {path.parts[1] for path in paths if len(path.parts) > 2}
    if len(labels) > 1 or len(inner) < 2:
        return []
    (label,) = labels
    return [
        f"all videos are of the one class {label!r}; if {_are(sorted(inner))} its"
        " classes, give that folder instead"
    ]


def _are(folders: Sequence[str]) -> str:
    shown = ", ".join(folders[:5]) + (", ..." if len(folders) > 5 else "")
    return f"the folder {shown} is" if len(folders) == 1 else f"the folders {shown} are"
