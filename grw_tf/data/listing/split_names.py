"""Maps the usual names of splits to train, validation and test."""

import re

# The annotations of Kinetics say validate, its archives say val.
_SPLITS = {
    **dict.fromkeys(("train", "training", "trn"), "train"),
    **dict.fromkeys(("val", "valid", "validate", "validation"), "validation"),
    **dict.fromkeys(("dev", "devel", "development"), "validation"),
    **dict.fromkeys(("test", "testing", "tst"), "test"),
}
SPLITS = tuple(dict.fromkeys(_SPLITS.values()))
# Common prefixes and suffixes: test_set, train-videos, 01_train, val_256.
_WORD = r"(?:set|split|data|videos|clips)"
_AROUND = re.compile(
    rf"^(?:(?:{_WORD}[ _-]+|\d+[ _-]*))+|(?:[ _-]*(?:{_WORD}|\d+))+$", re.ASCII
)


def canonical_split(name: str) -> str | None:
    """Returns "train", "validation" or "test" for a usual name of a split, or None.

    Case, numbers and words such as "set" do not matter: `Train`, `test_set`,
    `val-split`, `01_train` and `dev` are usual names. `eval` is not, since it may mean
    validation or test.
    """
    return _SPLITS.get(_AROUND.sub("", name.strip().casefold()))
