"""Runs any streaming TFLite file, of this project or the Model Garden.

It needs numpy and LiteRT alone, so that a process with nothing else can be measured.
"""

import os
import zipfile
from collections.abc import Callable
from typing import Any

import numpy as np

from grw_tf.common.error_text import one_line
from grw_tf.streaming import StreamSession
from grw_tf.streaming.litert import make_interpreter
from grw_tf.streaming.native_output import silenced
from grw_tf.streaming.runners import check_threads
from grw_tf.streaming.signature_loop import SignatureLoop
from grw_tf.streaming.signature_names import IMAGE, STEP


def open_stream(
    path: str | os.PathLike, num_threads: int = 1
) -> tuple[Callable[[np.ndarray], Any], int, int]:
    """Opens a file as its users would.

    An export of this project runs in a `StreamSession`, any other file in LiteRT's
    signature runner, which takes and returns the states in dicts.

    Returns:
        Function `push`, which takes a frame uint8 [size, size, 3]; the size; and the
        frames of a step.

    Raises:
        ValueError: If the file is not a streaming model, or an argument is invalid.
        OSError: If it cannot be read.
    """
    _check_file(path)
    if _has_manifest(path):
        session = StreamSession(path, num_threads=num_threads)
        return session.push_prepared, session.size, session.frames_per_step
    interpreter, name = _streaming_signature(path, num_threads)
    details = interpreter.get_signature_runner(name).get_input_details()
    del details[IMAGE]
    specs = {name: (d["shape"], d["dtype"], 0) for name, d in details.items()}
    stream = _FrameStream(SignatureLoop(interpreter, specs, name))
    return stream.push, stream.size, stream.frames_per_step


def open_step(
    path: str | os.PathLike, num_threads: int = 1, xnnpack: bool = True
) -> tuple[Callable[[], Any], int]:
    """Returns a function that runs a step of a file, and the frames of a step.

    It takes and returns nothing, and copies nothing. Without `xnnpack`, TFLite's own
    kernels compute.

    Raises: as `open_stream`.
    """
    _check_file(path)
    interpreter, name = _streaming_signature(path, num_threads, xnnpack)
    runner = interpreter.get_signature_runner(name)
    details = runner.get_input_details()
    inputs = {n: np.zeros(d["shape"], d["dtype"]) for n, d in details.items()}
    shape, dtype = details[IMAGE]["shape"], details[IMAGE]["dtype"]
    image = np.random.default_rng(0).integers(0, 256, shape)
    inputs[IMAGE] = _as_image(image, dtype)
    with silenced():
        runner(**inputs)
    # All inputs are set: only the signature's graph is left to invoke.
    wrapper, graph = runner._interpreter_wrapper, runner._subgraph_index
    return lambda: wrapper.Invoke(graph), int(shape[-4])


def resident_bytes() -> int:
    """Returns this process's resident memory in bytes, on Linux only.

    Raises:
        OSError: On other systems.
    """
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class _FrameStream:
    """A stream that is given one frame at a time."""

    def __init__(self, loop: SignatureLoop) -> None:
        self._loop = loop
        self.frames_per_step, self.size = loop.image_shape[-4], loop.image_shape[-3]
        self._waiting: list[np.ndarray] = []

    def push(self, frame: np.ndarray) -> None:
        self._waiting.append(frame)
        if len(self._waiting) < self.frames_per_step:
            return
        frames = frame if self.frames_per_step == 1 else np.stack(self._waiting)
        image = frames.reshape(self._loop.image_shape)
        self._loop.step(_as_image(image, self._loop.image_dtype))
        self._waiting.clear()


def _streaming_signature(path, num_threads, xnnpack=True):
    """Returns an interpreter, and the name of its signature for steps of a stream."""
    check_threads(num_threads)
    try:
        interpreter = make_interpreter(str(path), None, num_threads, xnnpack)
        with silenced():
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{path} cannot be run: {one_line(error)}") from None
    signatures = interpreter.get_signature_list()
    name = STEP if STEP in signatures else next(iter(signatures), None)
    signature = signatures.get(name, {"inputs": [], "outputs": []})
    states = set(signature["inputs"]) - {IMAGE}
    takes_image = IMAGE in signature["inputs"]
    if not (takes_image and states and states <= set(signature["outputs"])):
        raise ValueError(
            f"{path} is not a streaming model: it has no signature from an image"
            " and states to states of the same names."
        )
    detail = interpreter.get_signature_runner(name).get_input_details()[IMAGE]
    shape = detail.get("shape_signature", detail["shape"]).tolist()
    if not (
        (len(shape) == 4 or (len(shape) == 5 and shape[0] == 1))
        and min(shape) >= 1
        and shape[-3] == shape[-2]
        and shape[-1] == 3
    ):
        raise ValueError(
            f"{path} is not a streaming model: its image is {shape}, and must have a"
            " fixed size, [frames, size, size, 3] or [1, frames, size, size, 3]."
        )
    return interpreter, name


def _check_file(path):
    if not os.path.isfile(path):
        what = "is a folder" if os.path.isdir(path) else "does not exist"
        raise OSError(f"{path} {what}: give a .tflite file.")


def _as_image(frames, dtype):
    if np.issubdtype(dtype, np.integer):
        return frames.astype(dtype)
    return frames.astype(np.float32) / np.float32(255)


def _has_manifest(path):
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return "manifest.json" in archive.namelist()
    # The session reports what is wrong.
    except (zipfile.BadZipFile, LookupError, OSError, RuntimeError, ValueError):
        return True
