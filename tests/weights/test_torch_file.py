"""Tests of PyTorch's files: what is read, what is written, and what is refused."""

import collections
import io
import pickle
import re
import zipfile

import ml_dtypes
import numpy as np
import pytest
from torch_archives import members, write_members, write_snapshot, write_torch_file

from grw_tf.weights.torch.file import read_record, read_torch_file
from grw_tf.weights.torch.importing import import_torch_weights
from grw_tf.weights.torch.inert_pickle import NamedClass, NamedInstance
from grw_tf.weights.torch.writer import write_state_dict

PARAMS = {"embed_dim": 16, "depth": 2, "num_heads": 4, "mlp_dim": 32, "num_classes": 5}
FLOATS = ["float32", "float64", "float16", "bfloat16"]
DTYPES = [*FLOATS, "int64", "int32", "int16", "int8", "uint8", "bool"]
BASE = np.arange(24, dtype="float32").reshape(2, 3, 4)
VIEWS = {
    "whole": BASE,
    "transposed": BASE.transpose(2, 0, 1),
    "sliced": BASE[1:, :, 1::2],
    "scalar": BASE[1, 2, 3, ...],
    "empty": BASE[:0],
}
STATE = {
    "a.weight": BASE,
    "a.bias": BASE.transpose(2, 0, 1),
    "count": np.array(7),
    "flags": np.array([True, False]),
    "half": np.ones(3, "float16"),
    "none": np.zeros((0, 512), "float32"),
}


def _assert_same(found, expected):
    assert list(found) == list(expected)
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        assert found[name].flags.c_contiguous
        np.testing.assert_array_equal(found[name], array, strict=True)


def test_published_file_is_read(shared):
    snapshot = read_torch_file(shared / "vectors" / "a0s_random.pt")
    params = {"embed_dim": 480, "depth": 2, "num_heads": 8, "mlp_dim": 512}
    package = "grw_smoothing_models"
    assert snapshot["transformer_params"] == NamedInstance(
        NamedClass(f"{package}.model.attention", "TransformerParams"),
        params | {"num_classes": 600},
    )
    assert snapshot["backbone"] == NamedClass(
        f"{package}.backbones.movinets.a0s.a0s_backbone", "MovinetBackbone"
    )
    assert (snapshot["T"], snapshot["version"]) == (4, 10)
    model, ema = snapshot["model_state"], snapshot["ema_weights"]
    assert [f"module.{name}" for name in model] == list(ema)[1:]
    assert model["attention.linear_head.weight"].shape == (600, 480)
    assert ema["n_averaged"].dtype == "int64"


@pytest.mark.parametrize("package", ["grw_smoothing_models", "video_retrieval"])
def test_snapshot_is_read(tmp_path, package):
    model, ema = {"w": BASE}, {"w": BASE + 1}
    write_snapshot(tmp_path / "s.pt", model, ema, PARAMS, "a2s", package)
    snapshot = read_torch_file(tmp_path / "s.pt")
    _assert_same(snapshot["model_state"], model)
    averaged = {"n_averaged": np.array(1), "module.w": ema["w"]}
    _assert_same(snapshot["ema_weights"], averaged)
    assert snapshot["transformer_params"].state == PARAMS
    assert snapshot["backbone"].module.startswith(f"{package}.backbones.movinets.a2s.")


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_views_of_one_storage_and_plain_values_are_read(tmp_path, protocol):
    plain = {"i": -(2**40), "f": 0.5, "n": None, 3: [True, ("ü" * 300, ())]}
    content = {"views": VIEWS, "plain": plain}
    write_torch_file(tmp_path / "v.pt", content, protocol)
    found = read_torch_file(tmp_path / "v.pt")
    _assert_same(found["views"], VIEWS)
    assert found["plain"] == plain


def test_all_types_are_read(tmp_path):
    arrays = {dtype: np.array([0, 1, 1]).astype(dtype) for dtype in DTYPES}
    write_torch_file(tmp_path / "t.pt", arrays)
    _assert_same(read_torch_file(tmp_path / "t.pt"), arrays)


def test_missing_file_is_an_os_error(tmp_path):
    with pytest.raises(FileNotFoundError):
        read_torch_file(tmp_path / "none.pt")


def test_written_state_dict_is_read_back_with_its_records(tmp_path):
    path = tmp_path / "w.pt"
    write_state_dict(path, STATE, {"config.json": '{"ü": 1}'})
    _assert_same(read_torch_file(path), STATE)
    assert read_record(path, "config.json") == '{"ü": 1}'
    assert read_record(path, "other.json") is None


def test_same_content_gives_the_same_bytes(tmp_path):
    for name in ("a.pt", "b.pt"):
        write_state_dict(tmp_path / name, STATE)
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes()


def test_failed_write_leaves_the_earlier_file(tmp_path):
    path = tmp_path / "w.pt"
    write_state_dict(path, STATE)
    with pytest.raises(ValueError, match="z is complex64; PyTorch's files hold float"):
        write_state_dict(path, {"z": np.ones(2, "complex64")})
    _assert_same(read_torch_file(path), STATE)
    assert list(tmp_path.iterdir()) == [path]


def test_record_that_is_no_text_is_refused(tmp_path):
    write_members(tmp_path / "w.pt", members({}) | {"config.json": b"\xff"})
    with pytest.raises(ValueError, match="'config.json' is not UTF-8"):
        read_record(tmp_path / "w.pt", "config.json")


@pytest.mark.parametrize("options", [{}, {"mmap": True}])
def test_pytorch_reads_what_is_written(tmp_path, options):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    write_state_dict(tmp_path / "w.pt", STATE, {"config.json": "{}"})
    found = torch.load(tmp_path / "w.pt", weights_only=True, **options)
    assert type(found) is collections.OrderedDict
    assert all(tensor.is_contiguous() for tensor in found.values())
    _assert_same({name: tensor.numpy() for name, tensor in found.items()}, STATE)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_what_pytorch_writes_is_read(tmp_path, protocol):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    net = torch.nn.Sequential(torch.nn.Conv3d(3, 4, 3), torch.nn.BatchNorm3d(4))
    base = torch.arange(24.0).reshape(2, 3, 4)
    tensors = net.state_dict()
    tensors["transposed"] = base.permute(2, 0, 1)
    tensors["sliced"] = base[1:, :, 1::2]
    tensors["parameter"] = torch.nn.Parameter(base[0].T)
    for dtype in DTYPES:
        tensors[dtype] = torch.ones(3, dtype=getattr(torch, dtype))
    torch.save(tensors, tmp_path / "t.pt", pickle_protocol=protocol)
    # PyTorch makes no array of bfloat16.
    bfloat16 = tensors.pop("bfloat16").float().numpy().astype(ml_dtypes.bfloat16)
    expected = {name: tensor.detach().numpy() for name, tensor in tensors.items()}
    found = read_torch_file(tmp_path / "t.pt")
    _assert_same({"bfloat16": found.pop("bfloat16")}, {"bfloat16": bfloat16})
    _assert_same(found, expected)


def _plain(value):
    return pickle.dumps(value, protocol=2)[2:-1]


def _global(name):
    return b"c%b\n%b\n" % tuple(name.encode().rsplit(b".", 1))


def _call(name, *arguments):
    return _global(name) + _plain(arguments) + b"R"


def _storage(name="0", kind="Float", count=4):
    storage = _plain("storage") + _global(f"torch.{kind}Storage") + _plain(name)
    return b"(" + storage + _plain("cpu") + _plain(count) + b"tQ"


_FLOATS = _storage()
_REBUILD = _global("torch._utils._rebuild_tensor_v2")


def _view(offset=0, size=(4,), stride=(1,), storage=_FLOATS, hooks=(), more=b""):
    view = _plain(offset) + _plain(size) + _plain(stride) + _plain(False)
    return b"(" + storage + view + _plain(dict(hooks)) + more + b"t"


def _tensor(**view):
    return _REBUILD + _view(**view) + b"R"


_TOUCH = "touch marker"
_RUN = f"__import__('os').system({_TOUCH!r})"
_PARAMS = _global("grw_smoothing_models.model.attention.TransformerParams")
_INSTANCE = _PARAMS + b")\x81"
_ORDERED = _global("collections.OrderedDict")
# A tuple of twice a tuple of twice a tuple, and so on.
_DOUBLED = b"]q\x09" + b"h\x09h\x09\x86q\x09" * 45

# Functions and the arguments to call them with.
_CALLED = {
    "os.system": (_TOUCH,),
    "posix.system": (_TOUCH,),
    "builtins.eval": (_RUN,),
    "builtins.exec": (_RUN,),
    "builtins.getattr": ("os", "system"),
    "subprocess.Popen": (["touch", "marker"],),
    "importlib.import_module": ("this",),
    "pickle.loads": (b"cos\nsystem\n(S'touch marker'\ntR.",),
    "numpy.load": ("x.npy", None, True),
    "torch.load": ("x.pt",),
    "torch.hub.load": ("owner/name", "model"),
    "torch.storage._load_from_bytes": (b"",),
    "operator.attrgetter": ("system",),
}
_NAMED = (
    "torch.jit._pickle.build_intlist",
    "copyreg._reconstructor",
    "grw_smoothing_models.model.attention.Transformer",
    "os.TransformerParams",
    "grw_smoothing_models_evil.MovinetBackbone",
)
# Operations between a pickle's protocol and its end.
CALLS = {
    **{name: _call(name, *arguments) for name, arguments in _CALLED.items()},
    **{name: _global(name) for name in _NAMED},
    "collections.OrderedDict.update": _plain("collections")
    + _plain("OrderedDict.update")
    + b"\x93",
    "nt.system": _plain("nt") + _plain("system") + b"\x93" + _plain((_TOUCH,)) + b"R",
}
OPERATIONS = {
    "INST": b"(" + _plain(_TOUCH) + b"ios\nsystem\n",
    "OBJ": b"(" + _PARAMS + b"o",
    "EXT1": b"\x82\x01",
    "NEWOBJ_EX": _PARAMS + b")}\x92",
    "PERSID": b"P0\n",
    "GET": b"g0\n",
    "EMPTY_SET": b"\x8f",
    "BINBYTES": b"B\x01\x00\x00\x00x",
    "BYTEARRAY8": b"\x96" + b"\xff" * 7 + b"\x7f",
    "NEXT_BUFFER": b"\x97",
    "READONLY_BUFFER": b"N\x98",
    "EXT4": b"\x84\x01\x00\x00\x00",
    "LONG": b"L1L\n",
    "LONG4": b"\x8b\xff\xff\xff\x7f",
    "DICT": b"(NNd",
    "DUP": b"N2",
    "POP": b"NN0",
}
PICKLES = {
    "class called": (_PARAMS + b")R", "'NamedClass' object is not callable"),
    "dict called": (b"})R", "'dict' object is not callable"),
    "called with a list": (_ORDERED + b"]R", "a call with a list"),
    "instance of a function": (_ORDERED + b")\x81", "an instance of a function"),
    "instance of arguments": (_PARAMS + _plain((1,)) + b"\x81", "with a tuple"),
    "instance of an array": (_PARAMS + _tensor() + b"\x81", "with a ndarray"),
    "attributes of a class": (
        _PARAMS + _plain({"__reduce__": 1}) + b"b",
        "attributes of a NamedClass by a dict",
    ),
    "attributes of a function": (_ORDERED + _plain({"apply": 1}) + b"b", "a function"),
    "attributes of an array": (_tensor() + _plain({"x": 1}) + b"b", "a ndarray by"),
    "state of an array": (_tensor() + _plain((1, (2,), 0)) + b"b", "a ndarray by"),
    "slots": (_INSTANCE + _plain((None, {"x": 1})) + b"b", "NamedInstance by a tuple"),
    "attribute of text": (_INSTANCE + _plain({"depth": "2"}) + b"b", "whole numbers"),
    "attribute of number": (_INSTANCE + _plain({1: 2}) + b"b", "whole numbers"),
    "attributes without end": (
        _INSTANCE + _plain({str(i): i for i in range(101)}) + b"b",
        "whole numbers",
    ),
    "items to OrderedDict": (_ORDERED + _plain(([["a", 1]],)) + b"R", "from arguments"),
    "tuple as key": (b"})Ns", "has a tuple as key"),
    "float as key": (_plain({0.5: 1}), "has a float as key"),
    "bool as key": (_plain({True: 1}), "has a bool as key"),
    "None as key": (_plain({None: 1}), "has a NoneType as key"),
    "key without value": (b"}(Nu", "key without a value"),
    "items of a list": (b"]K\x00Ns", "a list where a dict is due"),
    "items of an array": (_tensor() + b"K\x00K\x00s", "a ndarray where a dict"),
    "appended to a dict": (b"}Na", "'dict' object has no attribute 'append'"),
    "missing memo": (b"h\x07", "Memo value not found at index 7"),
    "far memo": (_ORDERED + b"r\xff\xff\xff\xff", "holds a function"),
    "memo of nothing": (b"q\x00", "is damaged .*out of range"),
    "missing mark": (b"NNt", "is damaged .*pop from empty list"),
    "underflow": (b"N\x86", "is damaged .*out of range"),
    "underflow below a mark": (b"N(\x85", "is damaged .*out of range"),
    "open mark": (b"(N", "does not end with one value"),
    "no value": (b"", "is damaged .*pop from empty list"),
    "two values": (b"NN", "does not end with one value"),
    "unknown operation": (b"\xff", "is damaged .*unknown"),
    "long text": (b"\x8d" + b"\xff" * 7 + b"\x7fx", "is damaged"),
    "text of no UTF-8": (b"X\x01\x00\x00\x00\xff", "is damaged"),
    "long number": (b"\x8a\xff" + b"\x01" * 255, "over 8 bytes"),
    "number as name": (
        _plain(1) + _plain("system") + b"\x93",
        "is damaged .*requires str",
    ),
    "line break in a name": (
        _plain("os\n") + _plain("system") + b"\x93",
        r"names 'os\\n.system'",
    ),
    "backslash in a name": (b"cos\\n\nsystem\n", r"names 'os\\\\n.system'"),
    "cycle": (b"]q\x00h\x00a", "nests deeper than 50"),
    "doubling": (b"(" + _DOUBLED + b"t", "more than 1000000 values"),
    "function as value": (_ORDERED, "holds a function"),
    "type as value": (_global("torch.FloatStorage"), "holds a Float32DType"),
    "storage as value": (_storage(), "holds a _Storage"),
    "unknown elements": (_storage(kind="ComplexFloat"), "'ComplexFloatStorage', which"),
    "untyped elements": (_storage(kind="Untyped"), "'UntypedStorage', which cannot"),
    "missing record": (_storage("9"), "record 'data/9' is missing"),
    "record outside": (_storage("../../x"), "'data/../../x' is missing"),
    "longer record": (_storage(count=3), "'data/0' has 16 bytes, not those of 3"),
    "shorter record": (_storage(count=2**62), "has 16 bytes, not those of 46"),
    "record of two types": (
        b"(" + _storage() + _storage(kind="Int") + b"t",
        "'data/0' has two types: float32 and int32",
    ),
    "unknown reference": (_plain(("module", 1)) + b"Q", "is not a storage"),
    "tensor without storage": (_tensor(storage=b"N"), "unknown arguments"),
    "tensor of no arguments": (_REBUILD + b")R", "unknown arguments"),
    "parameter of no tensor": (
        _call("torch._utils._rebuild_parameter", 1, True, {}),
        "parameter with unknown arguments",
    ),
    "hooks": (_tensor(hooks={1: 2}), "'data/0' has hooks or metadata"),
    "metadata": (_tensor(more=_plain({"neg": True})), "has hooks or metadata"),
    "negative offset": (_tensor(offset=-1, size=(1,)), "has -1 in its offset"),
    "offset beyond": (_tensor(offset=5, size=(0,)), "begins at 5 of 4"),
    "negative stride": (_tensor(offset=3, stride=(-1,)), "has -1 in its stride"),
    "negative size": (_tensor(size=(-1,)), "has -1 in its size"),
    "bool as size": (_tensor(size=(True,)), "has a bool in its size"),
    "float as size": (_tensor(size=(4.0,)), "has a float in its size"),
    "doubling as key": (b"(" + _DOUBLED + b"}h\x09Nst", "more than 1000000 values"),
    "doubling in sets": (
        b"(" + _DOUBLED + b"\x8f(h\x09\x90(h\x09\x91t",
        "more than 1000000 values",
    ),
    "doubling as size": (
        b"(" + _DOUBLED + _tensor().replace(_plain((4,)), b"h\x09\x85") + b"t",
        "has a tuple in its size",
    ),
    "list as size": (_tensor(size=[4]), "has a list as size"),
    "number as stride": (_tensor(stride=1), "has a int as stride"),
    "rank mismatch": (_tensor(stride=(1, 1)), "has 1 sizes and 2 strides"),
    "high rank": (_tensor(size=(1,) * 33, stride=(1,) * 33), "has 33 sizes"),
    "huge size": (_tensor(size=(2**62, 4), stride=(1, 1)), "than memory can hold"),
    "huge empty": (_tensor(size=(2**62, 0), stride=(1, 1)), "than memory can hold"),
    "expanded": (_tensor(size=(3, 4), stride=(0, 1)), "12 elements, its storage 4"),
    "reaching beyond": (_tensor(offset=1), "reaches element 4 of 4"),
    "striding beyond": (_tensor(size=(2, 2), stride=(3, 1)), "reaches element 4 of 4"),
    "extent overflowing": (_tensor(size=(2,), stride=(2**62,)), "reaches element 46"),
    "copies without end": (
        b"("
        + (_REBUILD + b"q\x01" + _view(size=(2, 2), stride=(1, 2)) + b"q\x02R")
        + b"h\x01h\x02R" * 100
        + b"t",
        "more memory than the file",
    ),
}
PICKLES |= {
    name: (operations, rf"names '{re.escape(name)}', which no weights file needs")
    for name, operations in CALLS.items()
}
PICKLES |= {
    name: (operations, f"has the operation {name}, which no")
    for name, operations in OPERATIONS.items()
}


def _assert_refused(path, message):
    with pytest.raises(ValueError, match=message) as caught:
        read_torch_file(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < len(str(path)) + 300
    # The importer says the same, and has written nothing.
    with pytest.raises(ValueError, match=message):
        import_torch_weights(path, path.with_name("out"))
    assert not path.with_name("out").exists()


@pytest.mark.parametrize(
    ("operations", "message"), PICKLES.values(), ids=PICKLES.keys()
)
def test_hostile_pickle_is_refused_unexecuted(
    tmp_path, monkeypatch, operations, message
):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "h.pt"
    records = {"data.pkl": b"\x80\x02" + operations + b".", "data/0": bytes(16)}
    write_members(path, records)
    _assert_refused(path, message)
    assert list(tmp_path.iterdir()) == [path]


def _zipped(records, **options):
    file = io.BytesIO()
    write_members(file, records, **options)
    return file.getvalue()


def _patched(content, old, new, count=1):
    assert content.count(old) >= count
    return content.replace(old, new)


GOOD = members({"w": BASE})
GOOD_ZIP = _zipped(GOOD)
HUGE = b"\xff\xff\xff\x7f"
CENTRAL = GOOD_ZIP.index(b"PK\x01\x02")


def _in_directory(offset, new):
    """Returns the good archive with new bytes in the first entry of its directory."""
    start = CENTRAL + offset
    return GOOD_ZIP[:start] + new + GOOD_ZIP[start + len(new) :]


FILES = {
    "empty": (b"", "not a PyTorch file"),
    "text": (b"<!DOCTYPE html>", "not a PyTorch file"),
    "plain pickle": (pickle.dumps({"w": 1}, 2), "not a PyTorch file"),
    "before 1.6": (
        pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2),
        "before version 1.6: load it",
    ),
    "cut short": (GOOD_ZIP[:-30], "damaged or cut short"),
    "TorchScript": (_zipped(GOOD | {"constants.pkl": b""}), "is a TorchScript archive"),
    "no data.pkl": (_zipped({"version": b"3"}), "has 0 folders with a data.pkl"),
    "no folder": (
        _patched(GOOD_ZIP, b"archive/data.pkl", b"archive_data.pkl"),
        "has 0 folders with a data.pkl",
    ),
    "two folders": (_zipped(GOOD | {"b/data.pkl": b"N."}), "has 2 folders with a data"),
    "compressed": (
        _zipped(GOOD, compression=zipfile.ZIP_DEFLATED),
        "'archive/data.pkl' is not stored plainly",
    ),
    "encrypted": (_in_directory(8, b"\x01"), "'archive/data.pkl' is encrypted"),
    "sizes differ": (_in_directory(24, bytes(4)), "not stored plainly"),
    "oversized": (
        _in_directory(20, HUGE * 2),
        r"records have 21\d+ bytes, but the whole file \d+",
    ),
    "begins outside": (_in_directory(42, HUGE), "begins outside the file"),
    "other local name": (
        _patched(GOOD_ZIP, b"archive/data/0", b"archive/data/1")[:CENTRAL]
        + GOOD_ZIP[CENTRAL:],
        "damaged .*'archive/data/0'",
    ),
    "twice the same name": (
        _patched(_zipped(GOOD | {"data/1": b""}), b"data/1", b"data/0", 2),
        "has 'archive/data/0' twice",
    ),
    "name outside": (_zipped(GOOD | {"../../x": b""}), "'archive/../../x', which is o"),
    "big-endian": (_zipped(GOOD | {"byteorder": b"big"}), "order is b'big', not"),
    "changed elements": (
        _patched(GOOD_ZIP, BASE.tobytes(), (BASE + 1).tobytes()),
        "damaged .*Bad CRC-32 for file 'archive/data/0'",
    ),
    "big pickle": (
        _zipped({"data.pkl": b"\x80\x02" + b"N" * 2**23}),
        "data.pkl has 8388610 bytes, more than 8388608",
    ),
    "pickle cut short": (
        _zipped(GOOD | {"data.pkl": GOOD["data.pkl"][:-1]}),
        "pickle is damaged .*STOP",
    ),
}


@pytest.mark.parametrize(("content", "message"), FILES.values(), ids=FILES.keys())
def test_hostile_archive_is_refused(tmp_path, content, message):
    path = tmp_path / "h.pt"
    path.write_bytes(content)
    _assert_refused(path, message)


def _read_or_refuse(path, content):
    path.write_bytes(content)
    try:
        read_torch_file(path)
    except ValueError as error:
        assert str(error).startswith(f"{path}: ")
        assert str(error).isprintable()


def test_damage_gives_a_value_or_a_value_error(tmp_path):
    path = tmp_path / "s.pt"
    write_snapshot(path, {"w": BASE}, {"w": BASE.T}, PARAMS)
    content = path.read_bytes()
    for length in range(0, len(content), 50):
        _read_or_refuse(path, content[:length])
    rng = np.random.default_rng(0)
    for _ in range(1000):
        damaged = bytearray(content)
        for place in rng.integers(len(content), size=rng.integers(1, 4)):
            damaged[place] = rng.integers(256)
        _read_or_refuse(path, bytes(damaged))


# Names in a pickle may have what looks like escapes.
@pytest.mark.filterwarnings("ignore:invalid escape sequence")
def test_damaged_pickle_gives_a_value_or_a_value_error(tmp_path):
    path = tmp_path / "s.pt"
    write_snapshot(path, {"w": BASE}, {"w": BASE.T}, PARAMS)
    with zipfile.ZipFile(path) as archive:
        records = {
            name.removeprefix("archive/"): archive.read(name)
            for name in archive.namelist()
        }
    pickled = records["data.pkl"]
    rng = np.random.default_rng(0)
    for _ in range(1000):
        damaged = bytearray(pickled)
        damaged[rng.integers(len(pickled))] = rng.integers(256)
        _read_or_refuse(path, _zipped(records | {"data.pkl": bytes(damaged)}))
