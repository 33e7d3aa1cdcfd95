"""The usual names of training, validation and test splits, and what they mean."""

import re

# Kinetics' annotations say validate, its archives and others val.
_SPLITS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validate", "validation"), "validation"),
    **dict.fromkeys(("dev", "devel", "development"), "validation"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
}
SPLITS = tuple(dict.fromkeys(_SPLITS.values()))
# What the names are commonly written with: test_set, train-videos, 01_train, val_256.
_WORD = r"(?:set|split|data|videos|clips)"
_AROUND = re.compile(
    rf"^(?:(?:{_WORD}[ _-]+|\d+[ _-]*))+|(?:[ _-]*(?:{_WORD}|\d+))+$", re.ASCII
)


def canonical_split(name: str) -> str | None:
    """Returns "train", "validation" or "test" for a usual name of it, or None.

    Case does not matter, nor do numbers and words such as "set" around: `Train`,
    `test_set`, `val-split`, `01_train` and `dev` are usual names. `eval` is none, since
    it may mean either.
    """
    return _SPLITS.get(_AROUND.sub("", name.strip().casefold()))
