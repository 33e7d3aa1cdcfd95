"""Names of classes: one form for each, one order, and a word on names that look alike.

Names of folders come composed or decomposed, as the system stores them ("é" in one
character or in two), and look the same: they are of one class.
"""

import collections
import logging
import re
import unicodedata
from collections.abc import Iterable, Sequence

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?", re.ASCII)


def normal_name(name: str) -> str:
    """Returns a name of a class in composed form (NFC of Unicode)."""
    return unicodedata.normalize("NFC", name)


def normal_names(names: Sequence[str], where: str) -> tuple[str, ...]:
    """Returns names that are recorded already in composed form, in their order.

    Names of which two would become one are left as they are, with a warning: a model
    may have been trained on them.

    Args:
        names: All different.
        where: What holds them, to name it in the warning.
    """
    normal = tuple(map(normal_name, names))
    counts = collections.Counter(normal)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        logging.warning(
            "%s has %r twice, composed and decomposed: what was made with it has two"
            " classes for one; make the records again, and train on those.",
            where,
            twice[0],
        )
        return tuple(names)
    return normal


def sort_class_names(names: Iterable[str]) -> tuple[str, ...]:
    """Sorts names in the order of their labels: numbers by value, if all are numbers.

    So 0, 1, 2, 10 are labels 0 to 3. Other names are sorted by their letters' codes.
    """
    names = set(names)
    if all(map(_NUMBER.fullmatch, names)):
        return tuple(sorted(names, key=lambda name: (float(name), name)))
    return tuple(sorted(names))


def warn_of_alike(labels: Iterable[str], where: str) -> None:
    """Warns of classes whose names look alike.

    Those differ in case, blanks, underscores, dashes, leading zeros, characters without
    width, or forms of characters, such as full width, alone.

    Args:
        labels: The class of each video.
        where: What lists the videos, to name it in the warning.
    """
    counts = collections.Counter(labels)
    alike = collections.defaultdict(list)
    for name in sorted(counts):
        alike[_look(name)].append(name)
    for names in alike.values():
        if len(names) > 1:
            logging.warning(
                "%s has the classes %s, alike but for case, blanks, dashes, zeros or"
                " the form of characters: they are taken for different ones. If they"
                " are one, give them one name.",
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
    # A name of signs alone keeps them.
    return re.sub(r"[_-]", "", seen) or seen
