"""Some of a model's classes, as a user names them."""

import os
from collections.abc import Sequence

from grw_tf.common.class_names import normal_name
from grw_tf.common.labels_file import read_labels
from grw_tf.common.suggestions import suggest


def chosen_classes(given: str, class_names: Sequence[str]) -> tuple[int, ...] | None:
    """Returns the indices of the classes that a user names, or None for all.

    Args:
        given: Names separated by commas, or the path of a file with a name a line,
            which may have commas. The chosen classes have their order. Empty: all.
        class_names: Names of all classes.

    Raises:
        ValueError: If a name is not that of a class, or is given twice.
        OSError: If the file cannot be read.
    """
    if not given:
        return None
    if given in class_names:
        names: Sequence[str] = [given]
    elif os.path.isfile(given):
        names = read_labels(given)
    else:
        names = [name.strip() for name in given.split(",")]
    places = {name: index for index, name in enumerate(class_names)}
    chosen = []
    for name in map(normal_name, names):
        if name not in places:
            raise ValueError(
                f"--classes names {name!r:.80}, which is not a class of the model;"
                f" {suggest(name, class_names)}"
            )
        if places[name] in chosen:
            raise ValueError(f"--classes names {name!r:.80} twice: name it once.")
        chosen.append(places[name])
    return tuple(chosen)
