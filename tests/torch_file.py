"""Reads PyTorch files without PyTorch, and without running what they pickle."""

import collections
import pickle
import zipfile

import numpy as np

_DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


_PUBLISHED = "grw_smoothing_models."


class Inert:
    """Stands in for the classes of the published code that the pickle names."""

    def __init__(self, *args):
        del args


def read(path):
    """Returns what the file holds, its tensors as arrays."""
    with zipfile.ZipFile(path) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("/data.pkl"))
        with archive.open(name) as pickled:
            return _Unpickler(pickled, archive, name.removesuffix(".pkl")).load()


class _Unpickler(pickle.Unpickler):
    def __init__(self, file, archive, folder):
        super().__init__(file)
        self._archive = archive
        self._folder = folder

    def find_class(self, module, name):
        if (module, name) == ("collections", "OrderedDict"):
            return collections.OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _array
        if module == "torch" and name in _DTYPES:
            return _DTYPES[name]
        if module.startswith(_PUBLISHED):
            return Inert
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed")

    def persistent_load(self, key):
        _, dtype, name, _, _ = key
        return np.frombuffer(self._archive.read(f"{self._folder}/{name}"), dtype)


def _array(storage, offset, shape, strides, *unused):
    del unused
    strides = [step * storage.itemsize for step in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, strides)
