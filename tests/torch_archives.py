"""Writes files as `torch.save` does, and as it never would, without PyTorch."""

import collections
import functools
import io
import pickle
import zipfile

import numpy as np

_STORAGES = dict(
    **dict(float32="Float", float64="Double", float16="Half", bfloat16="BFloat16"),
    **dict(int64="Long", int32="Int", int16="Short", int8="Char"),
    **dict(uint8="Byte", bool="Bool"),
)


@functools.cache
def named(module, name):
    """Returns a class that is pickled by this name, of a module that need not be."""
    return type(name, (), {"__module__": module})


class _Storage:
    def __init__(self, elements, key):
        self.elements = elements
        self.key = key


class _Pickler(pickle._Pickler):
    """Pickles arrays as PyTorch its tensors: as views of the arrays that they view."""

    def __init__(self, file, protocol):
        super().__init__(file, protocol)
        self.storages = {}

    def save_global(self, obj, name=None):
        name = name or obj.__name__
        if self.proto >= 4:
            self.save(obj.__module__)
            self.save(name)
            self.write(pickle.STACK_GLOBAL)
        else:
            self.write(pickle.GLOBAL + f"{obj.__module__}\n{name}\n".encode())
        self.memoize(obj)

    dispatch = pickle._Pickler.dispatch | {type: save_global}

    def persistent_id(self, obj):
        if not isinstance(obj, _Storage):
            return None
        kind = named("torch", _STORAGES[obj.elements.dtype.name] + "Storage")
        return ("storage", kind, obj.key, "cpu", obj.elements.size)

    def reducer_override(self, obj):
        if not isinstance(obj, np.ndarray):
            return NotImplemented
        whole = obj
        while isinstance(whole.base, np.ndarray):
            whole = whole.base
        key = str(len(self.storages))
        storage = self.storages.setdefault(id(whole), _Storage(whole, key))
        begin = obj.ctypes.data - whole.ctypes.data
        strides = tuple(step // obj.itemsize for step in obj.strides)
        view = begin // obj.itemsize, obj.shape, strides, False
        arguments = storage, *view, collections.OrderedDict()
        return named("torch._utils", "_rebuild_tensor_v2"), arguments


def members(value, protocol=2):
    """Returns the records of the file that holds a value, by name within the folder."""
    file = io.BytesIO()
    pickler = _Pickler(file, protocol)
    pickler.dump(value)
    storages = pickler.storages.values()
    data = {f"data/{each.key}": each.elements.tobytes("A") for each in storages}
    start = {"data.pkl": file.getvalue(), "byteorder": b"little"}
    return start | data | {"version": b"3\n"}


def write_members(path, records, folder="archive", compression=zipfile.ZIP_STORED):
    """Writes records as a zip archive of one folder."""
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in records.items():
            archive.writestr(zipfile.ZipInfo(f"{folder}/{name}"), data, compression)


def write_torch_file(path, value, protocol=2):
    """Writes containers, plain values and arrays, of which views share a storage."""
    write_members(path, members(value, protocol))


def write_snapshot(
    path,
    model_state,
    ema_weights,
    transformer_params,
    backbone="a0s",
    package="grw_smoothing_models",
    T=4,
    num_samples=123,
    version=10,
):
    """Writes what the published training code does.

    `model_state` and `ema_weights` are arrays by name; `ema_weights` may be None.
    `package` is the package of the published code with the file's classes.
    """
    params = named(f"{package}.model.attention", "TransformerParams")()
    params.__dict__.update(transformer_params)
    if ema_weights is not None:
        averaged = {f"module.{name}": value for name, value in ema_weights.items()}
        ema_weights = _state_dict({"n_averaged": np.array(1), **averaged})
    module = f"{package}.backbones.movinets.{backbone}.{backbone}_backbone"
    snapshot = {
        "model_state": _state_dict(model_state),
        "ema_weights": ema_weights,
        "num_samples": num_samples,
        "transformer_params": params,
        "backbone": named(module, "MovinetBackbone"),
        "T": T,
        "version": version,
    }
    write_torch_file(path, snapshot)


def _state_dict(arrays):
    state = collections.OrderedDict(arrays)
    state._metadata = collections.OrderedDict({"": {"version": 1}})
    return state
