"""Tests of what a PyTorch file must hold to be imported: each fault is one line."""

import collections
import pathlib

import ml_dtypes
import numpy as np
import pytest
from everyday import slow_but
from torch_archives import named, write_snapshot, write_torch_file
from torch_states import PARAMS, random_state

from grw_tf.models.presets import published_config
from grw_tf.weights.torch.importing import import_torch_weights, read_torch_weights
from grw_tf.weights.torch.names import counters, torch_tensors
from grw_tf.weights.torch.snapshot import CONFIG_RECORD
from grw_tf.weights.torch.writer import write_state_dict

CONFIG = published_config("nano", True)
NORM = "video_backbone._encoder.conv1.conv_1.norm"
BIAS = "attention.linear_head.bias"
STATE = random_state(CONFIG)


def _write(path, state=None, params=PARAMS, **options):
    state = STATE if state is None else state
    write_snapshot(path, state, state, params, **{"backbone": "nano"} | options)
    return path


def _assert_bias(imported, state):
    """Checks that the classifier's bias is that of a state dict."""
    np.testing.assert_array_equal(
        imported.values["head/_classifier/bias"], state[BIAS], strict=True
    )


def _changed(key, value):
    return lambda path: _write(path, STATE | {key: value})


def _without(key):
    return lambda path: _write(path, {k: v for k, v in STATE.items() if k != key})


def _said(**params):
    return lambda path: _write(path, params=PARAMS | params)


def _plain(value):
    return lambda path: write_torch_file(path, value)


def _odd(**entries):
    ema = {f"module.{key}": value for key, value in STATE.items()}
    snapshot = {"model_state": STATE, "ema_weights": ema, "version": 10, "T": 4}
    return _plain(snapshot | entries)


WRONG = {
    "a tensor alone": (_plain(np.zeros(3, "f4")), "holds a ndarray, neither"),
    "a list": (_plain([1, 2]), "holds a list, neither"),
    "nothing": (_plain({}), "nearest is .*: matched 0; missing"),
    "number as key": (
        _plain({0: np.zeros(3, "f4")}),
        "has 0 as key, which is not text",
    ),
    "unknown entry": (_odd(optimizer={}), "unknown entries: 'optimizer'"),
    "version as tensor": (_odd(version=np.array([10])), "of version array"),
    "EMA without prefix": (
        _odd(ema_weights={"module.w": np.zeros(1, "f4"), "w": np.zeros(1, "f4")}),
        "its EMA weights have 'w', which does not begin with 'module.'",
    ),
    "numbers": (_plain({"w": 3}), "'w' is a int; a state dict has tensors only"),
    "nested": (_plain({"w": {"v": np.zeros(3, "f4")}}), "'w' is a dict; a state"),
    "optimizer": (_plain({"state": {}, "param_groups": []}), "'state' is a dict"),
    "missing key": (_without(BIAS), f"missing 1 {BIAS}; unused 0"),
    "missing block": (_without("ln.bias"), "missing 1 ln.bias"),
    "unexpected key": (_changed("extra", STATE[BIAS]), "unused 1 'extra'"),
    "key of line breaks": (_changed("a\nb", STATE[BIAS]), r"unused 1 'a\\nb'"),
    "key that is a number": (_changed(3, STATE[BIAS]), "unused 1 '3'"),
    "other shape": (
        _changed("ln.bias", np.zeros(65, "f4")),
        r"shape differs 1 ln.bias \(saved \[65\], model \[64\]\)",
    ),
    "NaN": (_changed(BIAS, np.full(600, np.nan, "f4")), "has values that are not fin"),
    "infinity": (_changed(BIAS, np.full(600, np.inf, "f4")), "not finite"),
    "negative variance": (
        _changed(f"{NORM}.running_var", np.full(8, -1, "f4")),
        "running_var', a variance, has negative values",
    ),
    "too large": (_changed(BIAS, np.full(600, 1e300)), f"'{BIAS}' has values that are"),
    "half infinity": (_changed(BIAS, np.full(600, np.inf, "f2")), "not finite"),
    "several state dicts": (
        _plain({"model": STATE, "net": STATE}),
        "has several state dicts, 'model', 'net': save the one",
    ),
    "several state dicts of other names": (
        _plain({"generator": STATE, "payload": {"critic": STATE}}),
        "has several state dicts, 'generator', 'payload/critic': save the one",
    ),
    "unknown object among the tensors": (
        _changed(BIAS, named("torch.nested", "Jagged")()),
        f"'{BIAS}' cannot be read: its pickle names 'torch.nested.Jagged'",
    ),
    "unknown object among nested tensors": (
        _plain({"epoch": 1, "state_dict": STATE | {BIAS: {1, 2}}}),
        f"'{BIAS}' cannot be read: its pickle names .*set'",
    ),
    "number as key among nested tensors": (
        _plain({"state_dict": STATE | {(1, 2): STATE[BIAS]}}),
        "its state dict cannot be read: its pickle has a tuple as key",
    ),
    "same without prefixes": (
        _plain({"a": np.zeros(1, "f4"), "_orig_mod.a": np.zeros(1, "f4")}),
        "several of its keys are the same without prefixes",
    ),
    "integers": (_changed(BIAS, np.zeros(600, "i8")), "is int64, not float32"),
    "version": (
        lambda path: _write(path, version=9),
        "of version 9; only the published version 10",
    ),
    "no version": (_odd(version=None), "version None; only the published version 10"),
    "no EMA": (
        lambda path: write_snapshot(path, STATE, None, PARAMS),
        "has no EMA weights; --weights=model",
    ),
    "EMA of another kind": (
        _odd(ema_weights=[1]),
        "its EMA weights are not a state dict",
    ),
    "no parameters": (_odd(), "has no transformer_params"),
    "window of 0": (
        lambda path: _write(path, T=0),
        "T must be a positive number, got 0",
    ),
    "huge window": (lambda path: _write(path, T=10**6), "1000000"),
    "no heads": (_said(num_heads=0), "num_heads must be a positive number, got 0"),
    "odd heads": (_said(num_heads=7), "num_heads=7 does not divide embed_dim=64"),
    "other depth": (_said(depth=2), "says depth is 2, but its tensors have 1"),
    "other classes": (_said(num_classes=5), "says num_classes is 5, but .* have 600"),
    "other width": (_said(embed_dim=128), "says embed_dim is 128, but"),
    "other network": (
        lambda path: _write(path, backbone="a0s"),
        "MovinetBackbone, but its tensors are those of nanos",
    ),
}


@pytest.mark.parametrize("write, message", WRONG.values(), ids=WRONG)
def test_wrong_file_is_refused_in_one_line(tmp_path, write, message):
    path = tmp_path / "wrong.pt"
    write(path)
    with pytest.raises(ValueError, match=message) as refused:
        import_torch_weights(path, tmp_path / "out")
    assert str(refused.value).isprintable()
    assert str(path) in str(refused.value)
    assert list(tmp_path.iterdir()) == [path]


RECORDS = {
    "no JSON": ("{", "its grw_tf_config.json is not a config"),
    "nested": ("[" * 100_000, "nested too deeply"),
    "unknown key": ('{"framez": 3}', "did you mean 'frames'"),
    "unknown size": ('{"backbone": {"model_id": "zz"}}', "Unknown model_id 'zz'"),
    "unknown gate": (
        '{"backbone": {"gating_activation": "a\\nb"}}',
        r"Unknown gating_activation 'a\\nb'",
    ),
    "huge depth": (
        '{"head": {"depth": 1000000000}}',
        "head.depth must be from 0 to 100",
    ),
    "huge clip": ('{"frames": 10000000000}', "frames must be from 1 to 10000"),
    "positions": (
        '{"backbone": {"use_positional_encoding": true}}',
        "have nothing like block0_layer0/_attention/_pos_encoding",
    ),
}


@pytest.mark.parametrize("record, message", RECORDS.values(), ids=RECORDS)
def test_wrong_record_of_a_config_is_refused_in_one_line(tmp_path, record, message):
    path = tmp_path / "wrong.pt"
    write_state_dict(path, STATE, {CONFIG_RECORD: record})
    with pytest.raises(ValueError, match=message) as refused:
        import_torch_weights(path, tmp_path / "out")
    assert str(refused.value).startswith(f"{path}: ")
    assert str(refused.value).isprintable()


def test_heads_asked_for_must_be_those_recorded(tmp_path):
    path = tmp_path / "model.pt"
    write_state_dict(path, STATE, {CONFIG_RECORD: CONFIG.to_json()})
    with pytest.raises(ValueError, match="says num_heads is 8, not 4"):
        read_torch_weights(path, num_heads=4)


def test_other_choice_of_weights_is_refused(tmp_path):
    with pytest.raises(ValueError, match="weights must be 'ema' or 'model', got 'x'"):
        read_torch_weights(_write(tmp_path / "s.pt"), weights="x")


def test_right_file_is_read(tmp_path):
    imported = read_torch_weights(_write(tmp_path / "s.pt"))
    assert imported.config.head.num_heads == 8
    assert imported.config.smoothing.window == 4
    assert set(imported.left_out) == set(counters(torch_tensors(CONFIG)))


def _prefixed(prefix, state=STATE):
    return {prefix + key: value for key, value in state.items()}


OPTIMIZER = {
    "state": {0: {"step": np.array(5.0, "f4"), "exp_avg": np.zeros(3, "f4")}},
    "param_groups": [{"lr": 0.1, "betas": (0.9, 0.99), "params": [0]}],
}
TRAININGS = {
    "plain": (STATE, "state dict:"),
    "parallel": (_prefixed("module."), "(prefix 'module.' stripped)"),
    "compiled": (_prefixed("_orig_mod."), "(prefix '_orig_mod.' stripped)"),
    "within a model": (_prefixed("model."), "(prefix 'model.' stripped)"),
    "beside a loss": (
        {**_prefixed("model._orig_mod."), "criterion.weight": np.ones(5, "f4")},
        "(prefix 'model.' stripped; 'criterion.weight' left out; prefix '_orig_mod.'",
    ),
    "parallel, compiled, within a model": (
        _prefixed("module._orig_mod.model."),
        "prefix 'module.' stripped; prefix '_orig_mod.' stripped; prefix 'model.'",
    ),
    "compiled part": (
        {key.replace("_encoder.", "_encoder._orig_mod."): STATE[key] for key in STATE},
        "('_orig_mod.' within keys stripped)",
    ),
    "averaged": (
        {"n_averaged": np.array(4), **_prefixed("module.")},
        "(prefix 'module.' stripped; 'n_averaged' left out)",
    ),
    "state_dict": (
        {"epoch": 3, "state_dict": STATE, "optimizer": OPTIMIZER, "best": 0.5},
        "(of the entry 'state_dict'; 'epoch', 'optimizer', 'best' left out)",
    ),
    "model": ({"model": STATE, "epoch": 1}, "(of the entry 'model'; 'epoch' left out)"),
    "model_state_dict": ({"model_state_dict": STATE}, "entry 'model_state_dict')"),
    "model_state": ({"model_state": STATE, "epoch": 1}, "of the entry 'model_state'"),
    "net": ({"net": STATE, "acc": 0.1}, "of the entry 'net'"),
    "beside a version": (
        {"model_state": STATE, "version": 2, "num_samples": 7},
        "(of the entry 'model_state'; 'version', 'num_samples' left out)",
    ),
    "best of them": ({"best_state_dict": STATE}, "(of the entry 'best_state_dict')"),
    "checkpoint": ({"checkpoint": STATE}, "(of the entry 'checkpoint')"),
    "best_model": ({"best_model": STATE, "f1": 0.5}, "(of the entry 'best_model';"),
    "camel case": (
        {"modelStateDict": STATE, "emaStateDict": OPTIMIZER},
        "(of the entry 'modelStateDict';",
    ),
    "numbered": ({"model0": STATE, "optimizer0": OPTIMIZER}, "of the entry 'model0';"),
    "backbone": ({"backbone": STATE}, "(of the entry 'backbone')"),
    "student": ({"student": STATE, "optim": OPTIMIZER}, "(of the entry 'student';"),
    "payload": ({"payload": {"state_dict": STATE}}, "entry 'payload/state_dict')"),
    "extra state": (
        {"state_dict": STATE | {"ln._extra_state": None}},
        "(of the entry 'state_dict'; 'ln._extra_state' left out)",
    ),
    "sharded": (
        _prefixed("_fsdp_wrapped_module."),
        "(prefix '_fsdp_wrapped_module.' stripped)",
    ),
    "by a strategy": (
        _prefixed("_forward_module.model."),
        "(prefix '_forward_module.' stripped; prefix 'model.' stripped)",
    ),
    "checkpointed part": (
        {
            key.replace(".b0_l0.", ".b0_l0._checkpoint_wrapped_module."): STATE[key]
            for key in STATE
        },
        "('_checkpoint_wrapped_module.' within keys stripped)",
    ),
    "wrappers within": (
        {
            key.replace("_encoder.", "_fsdp_wrapped_module._encoder._orig_mod."): value
            for key, value in STATE.items()
        },
        "'_fsdp_wrapped_module.' within keys stripped; '_orig_mod.' within keys",
    ),
    "any prefix": (
        _prefixed("recognizer.core."),
        "(prefix 'recognizer.' stripped; prefix 'core.' stripped)",
    ),
    "backbone beside a loss": (
        {**_prefixed("backbone."), "criterion.weight": np.ones(5, "f4")},
        "(prefix 'backbone.' stripped; 'criterion.weight' left out)",
    ),
    "arguments": (
        {
            "state_dict": STATE,
            "args": named("argparse", "Namespace")(),
            "hyper_parameters": named("lightning.attributes", "AttributeDict")(),
            "counts": collections.Counter("abca"),
            "groups": collections.defaultdict(list, a=[1]),
            "pairs": {(0, 1): 2, 0.5: 1, None: 3},
            "seen": {1, 2},
            "frozen": frozenset({3}),
            "seed": 2**100,
            "loss": np.float64(0.5),
            "bytes": b"abc",
            "path": pathlib.PurePosixPath("a/b"),
            "size": complex(1, 2),
        },
        "(of the entry 'state_dict'; 'args', 'hyper_parameters', 'counts', 'groups',",
    ),
    "nested twice": (
        {"checkpoint": 1, "model": {"state_dict": _prefixed("module.")}},
        "(of the entry 'model/state_dict'; 'checkpoint' left out; prefix 'module.'",
    ),
}


@pytest.mark.parametrize("content, said", TRAININGS.values(), ids=TRAININGS)
@pytest.mark.parametrize("protocol", slow_but([2], [2, 4]))
def test_files_of_other_trainings_are_read(tmp_path, content, said, protocol):
    write_torch_file(tmp_path / "t.pt", content, protocol)
    imported = read_torch_weights(tmp_path / "t.pt", num_heads=8)
    assert said in imported.text() and imported.text().isprintable()
    assert imported.tensors == len(torch_tensors(CONFIG))
    _assert_bias(imported, STATE)


STATES = {"model": STATE, "ema": random_state(CONFIG, 1)}


@pytest.mark.parametrize("weights", STATES)
def test_averages_beside_a_model_are_those_asked_for(tmp_path, weights):
    content = {"state_dict": STATES["model"], "state_dict_ema": STATES["ema"]}
    write_torch_file(tmp_path / "t.pt", content)
    imported = read_torch_weights(tmp_path / "t.pt", weights, num_heads=8)
    _assert_bias(imported, STATES[weights])
    other = "state_dict" if weights == "ema" else "state_dict_ema"
    assert f"'{other}' left out" in imported.text()


@pytest.mark.parametrize(
    "dtype, said",
    [
        ("float16", "float16 tensors widened to float32"),
        (ml_dtypes.bfloat16, "bfloat16 tensors widened to float32"),
        ("float64", "float64 tensors rounded to float32"),
    ],
)
def test_other_floats_become_float32(tmp_path, dtype, said):
    state = {
        key: value.astype(dtype) if value.dtype == "float32" else value
        for key, value in STATE.items()
    }
    write_state_dict(tmp_path / "t.pt", state)
    imported = read_torch_weights(tmp_path / "t.pt", num_heads=8)
    assert f"({len(torch_tensors(CONFIG))} {said})" in imported.text()
    _assert_bias(imported, {BIAS: state[BIAS].astype("float32")})
    write_snapshot(tmp_path / "s.pt", state, state, PARAMS, backbone="nano")
    assert said in read_torch_weights(tmp_path / "s.pt").text()


@pytest.mark.parametrize("weights", STATES)
def test_weights_are_those_asked_for(tmp_path, weights):
    write_snapshot(tmp_path / "s.pt", *STATES.values(), PARAMS, backbone="nano")
    _assert_bias(read_torch_weights(tmp_path / "s.pt", weights), STATES[weights])


@pytest.mark.parametrize("weights", STATES)
@pytest.mark.parametrize("prefix", ["ema_model.", "model_ema.module.", "averaged."])
def test_averages_among_a_models_keys_are_those_asked_for(tmp_path, prefix, weights):
    model, averages = STATES.values()
    content = _prefixed("model.", model) | _prefixed(prefix, averages)
    write_torch_file(tmp_path / "t.pt", {"state_dict": content, "epoch": 1})
    imported = read_torch_weights(tmp_path / "t.pt", weights, num_heads=8)
    _assert_bias(imported, STATES[weights])


COUNTERS = [*(np.array(3, type) for type in ("f2", "f4", "i4")), np.array([3]), None]


@pytest.mark.parametrize("counter", COUNTERS, ids=repr)
def test_counters_may_be_anything(tmp_path, counter):
    keys = [key for key in STATE if key.endswith("num_batches_tracked")]
    said, state = f"{len(keys)} counters", STATE | dict.fromkeys(keys, counter)
    if counter is None:
        said = "without counters of batch norm's steps"
        state = {key: value for key, value in state.items() if value is not None}
    write_state_dict(tmp_path / "t.pt", state)
    assert said in read_torch_weights(tmp_path / "t.pt", num_heads=8).text()
    write_snapshot(tmp_path / "s.pt", state, state, PARAMS, backbone="nano")
    assert said in read_torch_weights(tmp_path / "s.pt").text()


@pytest.mark.parametrize(
    "name", ["os.system", "builtins.eval", "subprocess.Popen", "torch.hub.load"]
)
def test_what_runs_code_is_refused_beside_weights_too(tmp_path, name):
    module, _, attribute = name.rpartition(".")
    content = {"state_dict": STATE, "args": named(module, attribute)}
    write_torch_file(tmp_path / "t.pt", content)
    with pytest.raises(ValueError, match=f"its pickle names '{name}'"):
        read_torch_weights(tmp_path / "t.pt", num_heads=8)
