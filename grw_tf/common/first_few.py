"""Lists in messages."""

from collections.abc import Sequence


def first_few(names: Sequence[str], most: int) -> str:
    """Returns names as text, such as "a, b and 7 more" for `most` of 2."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
