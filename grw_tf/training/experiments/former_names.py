"""The command that replaces one with a former name of an experiment or config file."""

import os
import re
from collections.abc import Sequence

_GRW_FILE = "configs/grw.yaml"
_EXPERIMENT = re.compile(r"(movinet_a[0-5]_(?:stream|base)|mobilenet_v3_\w+?)_grw")
_FILE = re.compile(
    r"(kinetics600|kinetics400|mini_kinetics|own_clips|ucf101)"
    r"_(a[0-3]_(?:stream|base)|mobilenet_v3_(?:small|large)|slowonly_(?:34|50))"
    r"(?:_(grw|rms|rms_gf))?\.yaml"
)
_DATA = {
    "kinetics600": "kinetics600_5fps",
    "kinetics400": "kinetics400_25fps",
    "mini_kinetics": "mini_kinetics_25fps",
}


def check_names(experiment: str, files: Sequence[str]) -> None:
    """Raises a `ValueError` with the flags that replace former names, if any.

    Files count by their name alone, and only if they do not exist.
    """
    former = _EXPERIMENT.fullmatch(experiment)
    new_experiment, new_files = former[1] if former else experiment, []
    for file in files:
        match = (
            None if os.path.exists(file) else _FILE.fullmatch(os.path.basename(file))
        )
        if match is None:
            new_files.append(file)
            continue
        data, model, overlay = match.groups()
        new_experiment = f"movinet_{model}" if model[0] == "a" else model
        name = "kinetics600_12fps" if model[:2] == "a3" else _DATA.get(data, data)
        new_files.append(f"configs/{name}.yaml")
        if overlay:
            new_files.append(f"configs/{overlay}.yaml")
    has_former_file = new_files != list(files)
    if not former and not has_former_file:
        return
    if former and _GRW_FILE not in new_files:
        # First, as an experiment's values were: what other files say replaces them.
        new_files.insert(0, _GRW_FILE)
    command = _flags(new_experiment, new_files)
    if new_experiment.startswith("mobilenet_") and _GRW_FILE in new_files:
        # The official head has dropout, which its GRW variants never had.
        command += " --params_override=task.model.head.dropout_rate=0.0"
    message = f"{_flags(experiment, files)} is now {command}"
    if former and not has_former_file:
        message += (
            "; the former experiment also set task.model.frame_fit to square, and for"
            " clips of 12 frames a second task.model.smoothing.window to 6"
        )
    raise ValueError(message)


def _flags(experiment, files):
    return " ".join(
        [f"--experiment={experiment}", *(f"--config_file={file}" for file in files)]
    )
