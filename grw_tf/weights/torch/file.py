"""Reads PyTorch's files without PyTorch, and without running their pickles."""

import dataclasses
import math
import os
from typing import Any

import ml_dtypes
import numpy as np

from grw_tf.weights.torch import inert_pickle
from grw_tf.weights.torch.archive import open_archive

STORAGE_TYPES = {
    "FloatStorage": np.dtype("<f4"),
    "DoubleStorage": np.dtype("<f8"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}
"""Element types by the names of PyTorch's storage classes."""

_CLASSES = ("TransformerParams", "MovinetBackbone")
_PACKAGES = ("grw_smoothing_models.", "video_retrieval.")
# The pickle of a published file has 0.2 MiB.
_MOST_PICKLE_BYTES = 8 * 2**20
_MOST_VALUES = 10**6
_MOST_DEPTH = 50
_MOST_RANK = 32
_MOST_ELEMENTS = 2**40
_RETURNED = (
    *(dict, list, tuple, str, int, float, type(None), np.ndarray),
    *(inert_pickle.NamedClass, inert_pickle.NamedInstance, inert_pickle.Unread),
)


def read_torch_file(path: str | os.PathLike) -> Any:
    """Returns what `torch.save` wrote: tensors and plain values in plain containers.

    Args:
        path: The file: a zip archive, as PyTorch writes since version 1.6.

    Returns:
        Dicts (also for OrderedDicts), lists and tuples of str, int, float, bool, None
        and read-only C-contiguous arrays, and `NamedClass` and `NamedInstance` for the
        two classes of the published GRW code. Keys of dicts are str or int. Other
        objects that a training saves beside weights, such as its arguments, are
        `Unread`, both as values and as keys, but not as keys of the outermost dict.

    Raises:
        ValueError: If the file is damaged or holds what no weights file needs. The
            message is one line that begins with the path.
        OSError: If it cannot be read.
    """
    with open_archive(path) as archive:
        tensors = _Tensors(archive)
        value = inert_pickle.load(
            archive.read("data.pkl", _MOST_PICKLE_BYTES),
            tensors.find_global,
            tensors.load_storage,
        )
        _check_tree(value)
        for item in (value, *(value if isinstance(value, dict) else ())):
            if isinstance(item, inert_pickle.Unread):
                raise ValueError(item.reason)
        return value


def read_record(path: str | os.PathLike, name: str) -> str | None:
    """Returns a text record of a PyTorch file by name, None if there is none.

    Raises:
        ValueError: If the file is damaged or the record is not UTF-8 text.
        OSError: If it cannot be read.
    """
    with open_archive(path) as archive:
        if archive.size(name) is None:
            return None
        try:
            return archive.read(name).decode()
        except UnicodeDecodeError:
            raise ValueError(f"its record {name!r} is not UTF-8 text.") from None


@dataclasses.dataclass(frozen=True, eq=False)
class _Storage:
    record: str
    elements: np.ndarray


class _Tensors:
    """Stand-ins for PyTorch's functions and storages, which read an archive."""

    def __init__(self, archive):
        self._archive = archive
        self._storages = {}
        self._left_to_copy = archive.file_size
        self._functions = {
            "collections.OrderedDict": _empty_dict,
            "torch._utils._rebuild_tensor_v2": self._tensor,
            "torch._utils._rebuild_parameter": _parameter,
        }

    def find_global(self, module, name):
        if module == "torch" and name.endswith("Storage"):
            if name not in STORAGE_TYPES:
                raise ValueError(
                    f"it holds tensors of torch's {name!r:.60}, which cannot be read:"
                    " convert them, for example by tensor.float()."
                )
            return STORAGE_TYPES[name]
        if name in _CLASSES and module.startswith(_PACKAGES):
            return inert_pickle.NamedClass(module, name)
        return self._functions.get(f"{module}.{name}")

    def load_storage(self, key):
        match key:
            case ("storage", np.dtype() as dtype, str(name), str(), int(count)):
                return self._storage(name, dtype, count)
        raise ValueError("its pickle has a reference that is not a storage.")

    def _storage(self, name, dtype, count):
        record = f"data/{name}"
        shown = f"{record!r:.80}"
        size = self._archive.size(record)
        if size is None:
            raise ValueError(f"its record {shown} is missing.")
        if size != count * dtype.itemsize:
            raise ValueError(
                f"its record {shown} has {size} bytes, not those of {count} elements"
                f" of {dtype}."
            )
        if name not in self._storages:
            data = self._archive.read(record)
            self._storages[name] = _Storage(shown, np.frombuffer(data, dtype))
        storage = self._storages[name]
        if storage.elements.dtype != dtype:
            raise ValueError(
                f"its record {shown} has two types: {storage.elements.dtype} and"
                f" {dtype}."
            )
        return storage

    def _tensor(self, *arguments):
        match arguments:
            case (_Storage() as storage, offset, size, stride, _, dict(hooks), *more):
                try:
                    if hooks or more:
                        raise ValueError("has hooks or metadata: refused.")
                    return self._view(storage.elements, offset, size, stride)
                except ValueError as error:
                    where = f"its tensor in {storage.record}"
                    raise ValueError(f"{where} {error}") from None
        raise ValueError("its pickle has a tensor with unknown arguments.")

    def _view(self, elements, offset, size, stride):
        _check_whole("offset", (offset,))
        _check_whole("size", size)
        _check_whole("stride", stride)
        if len(size) != len(stride) or len(size) > _MOST_RANK:
            raise ValueError(f"has {len(size)} sizes and {len(stride)} strides.")
        # Numpy counts empty axes as 1 here.
        if math.prod(max(length, 1) for length in size) > _MOST_ELEMENTS:
            raise ValueError("has more elements than memory can hold.")
        if offset > len(elements):
            raise ValueError(f"begins at {offset} of {len(elements)} elements.")
        count = math.prod(size)
        if count > len(elements):
            raise ValueError(
                f"has {count} elements, its storage {len(elements)}: save it again as"
                " tensor.clone()."
            )
        steps = list(zip(size, stride, strict=True))
        last = offset + sum((length - 1) * step for length, step in steps)
        if count and last >= len(elements):
            raise ValueError(f"reaches element {last} of {len(elements)}.")
        # A stride that is never taken may have any value.
        strides = [
            step * elements.itemsize if count and length > 1 else 0
            for length, step in steps
        ]
        view = np.lib.stride_tricks.as_strided(elements[offset:], size, strides)
        return self._contiguous(view)

    def _contiguous(self, view):
        if not view.flags.c_contiguous:
            # A small file may refer to one storage many times.
            self._left_to_copy -= view.nbytes
            if self._left_to_copy < 0:
                raise ValueError(
                    "and others that are not contiguous need more memory than the"
                    " file has: save them again as tensor.contiguous()."
                )
            view = view.copy("C")
        view.flags.writeable = False
        return view


def _empty_dict(*arguments):
    if arguments:
        raise ValueError("its pickle makes an OrderedDict from arguments: refused.")
    return {}


def _parameter(*arguments):
    match arguments:
        case (np.ndarray() as data, _, dict(hooks)) if not hooks:
            return data
    raise ValueError("its pickle has a parameter with unknown arguments.")


def _check_whole(name, values):
    if not isinstance(values, tuple):
        raise ValueError(f"has a {type(values).__name__} as {name}.")
    for value in values:
        if type(value) is not int:
            raise ValueError(f"has a {type(value).__name__} in its {name}.")
        if value < 0:
            raise ValueError(f"has {value} in its {name}.")


def _check_tree(value):
    """Refuses a value that takes forever to walk, or that has unexpected types."""
    level, left = [value], _MOST_VALUES
    for _ in range(_MOST_DEPTH):
        for item in level:
            if not isinstance(item, _RETURNED):
                raise ValueError(f"its pickle holds a {type(item).__name__}: refused.")
        containers = [
            item.values() if isinstance(item, dict) else item
            for item in level
            if isinstance(item, dict | list | tuple)
        ]
        left -= sum(map(len, containers))
        if left < 0:
            break
        level = [item for container in containers for item in container]
        if not level:
            return
    raise ValueError(
        f"its pickle nests deeper than {_MOST_DEPTH} or has more than {_MOST_VALUES}"
        " values: refused."
    )
