"""Writes state dicts for PyTorch, without PyTorch."""

import os
import pathlib
import pickle
import struct
import zipfile
from collections.abc import Mapping

import numpy as np

from grw_tf.weights.torch.file import STORAGE_TYPES

_STORAGES = {dtype: name for name, dtype in STORAGE_TYPES.items()}
_FOLDER = "archive"
_HEADER_BYTES = 30
_ALIGNMENT = 64


def write_state_dict(
    path: str | os.PathLike,
    tensors: Mapping[str, np.ndarray],
    records: Mapping[str, str] | None = None,
) -> None:
    """Writes an OrderedDict of tensors that `torch.load(weights_only=True)` reads.

    The same arguments give the same bytes. The file is written whole or not at all.

    Args:
        path: The file to write. Until it is complete, it is `<path>.unfinished`.
        tensors: Arrays of PyTorch's float, int and bool types by the tensors' names.
        records: Texts by name, for `read_record`; PyTorch ignores them.

    Raises:
        ValueError: If an array's type is not one that the file can hold.
        OSError: If the file cannot be written.
    """
    arrays = {name: np.asarray(value) for name, value in tensors.items()}
    path = pathlib.Path(path)
    unfinished = path.with_name(f"{path.name}.unfinished")
    try:
        with zipfile.ZipFile(unfinished, "w") as archive:
            _add(archive, "data.pkl", _state_dict(arrays))
            _add(archive, "byteorder", b"little")
            for key, array in enumerate(arrays.values()):
                _add(archive, f"data/{key}", array.tobytes())
            _add(archive, "version", b"3\n")
            for name, text in (records or {}).items():
                _add(archive, name, text.encode())
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def _add(archive, name, data):
    # Without a date, the same content gives the same file.
    member = zipfile.ZipInfo(f"{_FOLDER}/{name}")
    # PyTorch pads records to align them, so that they can be mapped to memory.
    start = archive.fp.tell() + _HEADER_BYTES + len(member.filename.encode()) + 4
    padding = -start % _ALIGNMENT
    member.extra = struct.pack("<2sH", b"FB", padding) + bytes(padding)
    archive.writestr(member, data)


def _state_dict(arrays):
    items = [
        _plain(name) + _tensor(name, str(key), array)
        for key, (name, array) in enumerate(arrays.items())
    ]
    start = pickle.PROTO + b"\x02" + _EMPTY_DICT + pickle.MARK
    return start + b"".join(items) + pickle.SETITEMS + pickle.STOP


def _tensor(name, key, array):
    if array.dtype not in _STORAGES:
        raise ValueError(
            f"{name} is {array.dtype}; PyTorch's files hold"
            f" {', '.join(str(dtype) for dtype in _STORAGES)}."
        )
    strides = [
        stride // array.itemsize for stride in np.empty_like(array, order="C").strides
    ]
    kind = _global("torch", _STORAGES[array.dtype])
    storage = _plain("storage") + kind + _plain(key) + _plain("cpu")
    storage = pickle.MARK + storage + _plain(array.size) + pickle.TUPLE
    view = _plain(0) + _plain(array.shape) + _plain(tuple(strides)) + _plain(False)
    arguments = storage + pickle.BINPERSID + view + _EMPTY_DICT
    rebuild = _global("torch._utils", "_rebuild_tensor_v2")
    return rebuild + pickle.MARK + arguments + pickle.TUPLE + pickle.REDUCE


def _plain(value):
    """Returns the operations of a value's pickle, without its header and its end."""
    return pickle.dumps(value, protocol=2)[2:-1]


def _global(module, name):
    return pickle.GLOBAL + f"{module}\n{name}\n".encode()


_EMPTY_DICT = _global("collections", "OrderedDict") + pickle.EMPTY_TUPLE + pickle.REDUCE
