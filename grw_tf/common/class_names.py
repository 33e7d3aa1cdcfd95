"""Class names: one Unicode form, one order, and a warning about names that look alike.

Systems store names of folders composed or decomposed ("é" as one character or as two).
Both look the same, so both are the same class.
"""

import collections
import logging
import re
import unicodedata
from collections.abc import Iterable, Sequence

BACKGROUND = "background"
"""The class of what is none of the others; answers and events are never of it."""

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?", re.ASCII)


def normal_name(name: str) -> str:
    """Returns a class name in composed form (Unicode NFC)."""
    return unicodedata.normalize("NFC", name)


def normal_names(names: Sequence[str], where: str) -> tuple[str, ...]:
    """Returns recorded class names in composed form, in the same order.

    If two names would become one, all stay as they are, with a warning about `where`,
    since a model may have been trained on them.
    """
    normal = tuple(map(normal_name, names))
    counts = collections.Counter(normal)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        logging.warning(
            "%s has %r twice, composed and decomposed: records and models made with it"
            " have two classes for one. Make the records again and train on those.",
            where,
            twice[0],
        )
        return tuple(names)
    return normal


def sort_class_names(names: Iterable[str]) -> tuple[str, ...]:
    """Sorts names in the order of their labels, by value if all names are numbers.

    For example, 0, 1, 2, 10 have the labels 0 to 3. Other names are sorted by the code
    points of their characters.
    """
    names = set(names)
    if all(map(_NUMBER.fullmatch, names)):
        return tuple(sorted(names, key=lambda name: (float(name), name)))
    return tuple(sorted(names))


def warn_of_alike(labels: Iterable[str], where: str) -> None:
    """Warns about classes of the videos in `where` whose names look alike.

    Such names differ only in case, spaces, underscores, dashes, leading zeros,
    zero-width characters or variants of characters, such as full-width letters.
    """
    counts = collections.Counter(labels)
    alike = collections.defaultdict(list)
    for name in sorted(counts):
        alike[_look(name)].append(name)
    for names in alike.values():
        if len(names) > 1:
            logging.warning(
                "%s has the classes %s, which differ only in case, spaces, dashes,"
                " zeros or forms of characters. They count as different classes: if"
                " they are one, give them one name.",
                where,
                " and ".join(f"{name!r} ({counts[name]} videos)" for name in names),
            )


def _look(name):
    key = unicodedata.normalize("NFKC", name).casefold()
    seen = "".join(
        char
        for char in key
        if not (char.isspace() or unicodedata.category(char) == "Cf")
    )
    if _NUMBER.fullmatch(seen):
        return float(seen)
    # A name without any other characters keeps its underscores and dashes.
    return re.sub(r"[_-]", "", seen) or seen
