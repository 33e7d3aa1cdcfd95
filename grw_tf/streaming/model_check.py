"""Checks that a file's model is undamaged and matches its manifest."""

import numpy as np

from grw_tf.common.error_text import one_line
from grw_tf.streaming.exported_file import ExportedFile
from grw_tf.streaming.litert import Interpreter
from grw_tf.streaming.signature_names import CLASSIFY_CLIP


def check_model(exported: ExportedFile) -> None:
    """Checks the model of an exported file before it is run.

    Raises:
        ValueError: If the model is damaged, or differs from its manifest.
    """
    path = exported.path
    try:
        interpreter = Interpreter(path)
        signatures = interpreter.get_signature_list()
        details = {
            name: _details(interpreter.get_signature_runner(name))
            for name in signatures
        }
    except (RuntimeError, ValueError) as error:
        raise ValueError(
            f"{path} holds a damaged model ({one_line(error)}): copy it again, or"
            " export the model again."
        ) from None
    differences = list(_differences(exported, details))
    if differences:
        raise ValueError(
            f"{path} has a manifest of another model ({differences[0]}): export the"
            " model again."
        )


def _details(runner):
    return [
        {
            name: (tuple(d["shape"].tolist()), np.dtype(d["dtype"]))
            for name, d in found.items()
        }
        for found in (runner.get_input_details(), runner.get_output_details())
    ]


def _differences(exported, details):
    """Yields the differences of a model from its manifest, in words."""
    manifest = exported.manifest
    missing = [name for name in manifest["signatures"] if name not in details]
    if missing:
        yield f"the model has no signature {missing[0]}"
        return
    image = (tuple(manifest["input"]["shape"]), np.dtype(manifest["input"]["dtype"]))
    logits = {"logits": ((1, len(exported.labels)), np.dtype(np.float32))}
    if exported.classifies_clips:
        inputs, outputs = details[CLASSIFY_CLIP]
        yield from _unlike("input", inputs, {"image": image})
        yield from _unlike("output", outputs, logits)
        return
    states = {name: spec[:2] for name, spec in exported.states.items()}
    on_demand = "classify" in details
    inputs, outputs = details[exported.step_signature]
    yield from _unlike("input", inputs, {"image": image, **states})
    yield from _unlike("output", outputs, states | ({} if on_demand else logits))
    if on_demand:
        inputs, outputs = details["classify"]
        wanted = {name: spec for name, spec in states.items() if name in inputs}
        yield from _unlike("input", inputs, wanted)
        yield from _unlike("output", outputs, logits)


def _unlike(kind, found, wanted):
    for name in sorted(found.keys() | wanted.keys()):
        if name not in found:
            yield f"the model has no {kind} {name}"
        elif name not in wanted:
            yield f"the manifest has no {kind} {name}"
        elif found[name] != wanted[name]:
            yield (
                f"{kind} {name} is {_words(found[name])} and not {_words(wanted[name])}"
            )


def _words(spec):
    shape, dtype = spec
    return f"{dtype} {list(shape)}"
