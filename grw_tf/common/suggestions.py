"""Suggestions for names that are not known."""

import difflib
from collections.abc import Iterable


def nearest_name(
    name: object, known: Iterable[str], similarity: float = 0.6
) -> str | None:
    """Returns the known name most similar to an unknown one, ignoring case.

    None is returned if no name reaches `similarity`, from 0 to 1.
    """
    names = {other.casefold(): other for other in known}
    near = difflib.get_close_matches(str(name).casefold(), names, 1, similarity)
    return names[near[0]] if near else None


def suggest(name: object, known: Iterable[str]) -> str:
    """Returns the hint that ends an error about an unknown name.

    It is "did you mean 'x'?", or "known: x, y." if no known name is similar.
    """
    known = tuple(known)
    near = nearest_name(name, known)
    return f"did you mean {near!r}?" if near else f"known: {', '.join(known)}."
