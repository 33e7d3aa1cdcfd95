"""Tests of the benchmark of exported files, at toy size."""

import json
import pathlib
import types

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from exported_files import CLASSES
from exported_streams import write_stream
from streamed_logits import assert_logits_close
from toy_heads import HEADS

from grw_tf.common.paired_timing import Ratio
from grw_tf.export.benchmark import file_comparison as benchmark
from grw_tf.export.benchmark import model_garden_export
from grw_tf.export.benchmark.file_stream import open_step, open_stream
from grw_tf.export.benchmark.model_garden_export import convert_stock
from grw_tf.export.conversion import convert_functions
from grw_tf.export.operations import Partitions, step_partitions
from grw_tf.models import BackboneConfig, ModelConfig, preset


@pytest.fixture(scope="module")
def ours(nano, tmp_path_factory):
    """An export of this project."""
    return str(write_stream(tmp_path_factory.mktemp("ours") / "model.tflite", nano()))


@pytest.fixture(scope="module")
def stock_model(nano):
    """A model whose convolutions TFLite only has in another form."""
    return nano(backbone={"conv_type": "3d_2plus1d"})


@pytest.fixture(scope="module")
def stock(stock_model):
    """The export of this model by stock tools."""
    return convert_stock(stock_model)


def _assert_gives_the_models_logits(content, model, clip):
    step = Interpreter(model_content=content).get_signature_runner("step")
    states = {
        name: np.zeros(detail["shape"], detail["dtype"])
        for name, detail in step.get_input_details().items()
    }
    for frame in clip[0]:
        states["image"] = frame[None, None]
        outputs = step(**states)
        states = {name: outputs.get(name) for name in states}
    assert_logits_close(outputs["logits"], model(clip[:1]).numpy())


@pytest.mark.slow
def test_stock_export_gives_the_models_logits(stock, stock_model, clip):
    _assert_gives_the_models_logits(stock, stock_model, clip)


@pytest.mark.slow
def test_stock_export_of_a_transformer_gives_the_models_logits(nano, clip):
    model = nano(head=HEADS["causal_transformer"])
    _assert_gives_the_models_logits(convert_stock(model), model, clip)


@pytest.mark.slow
def test_stock_export_keeps_five_dimensional_tensors(stock):
    (graph,) = schema.ModelT.InitFromPackedBuf(stock).subgraphs
    assert max(len(tensor.shape) for tensor in graph.tensors) == 5


@pytest.mark.parametrize(
    "head, conv_type", [("official", "3d"), ("transformer", "3d_2plus1d")]
)
def test_stock_export_of_convolutions_that_tflite_lacks_is_refused(head, conv_type):
    config = ModelConfig(head=HEADS[head], backbone=BackboneConfig(conv_type=conv_type))
    with pytest.raises(ValueError, match=f"conv_type={conv_type} .* no stock export"):
        convert_stock(types.SimpleNamespace(config=config))


def test_stock_export_of_other_families_is_refused():
    model = types.SimpleNamespace(config=preset("mobilenet_v3_small"))
    with pytest.raises(ValueError, match="small has no stock export .*: the Model Gar"):
        convert_stock(model)


def _convert(**functions):
    """Returns a TFLite model of functions of one number, as signatures."""
    traced = tf.function(input_signature=[tf.TensorSpec((1,), tf.float32, "x")])
    return convert_functions({name: traced(f) for name, f in functions.items()})


def test_partitions_are_of_the_step_alone():
    def step(x):
        # XNNPACK has no integers of 32 bits: what is before and after are two parts.
        count = tf.cast(tf.tanh(x * 2.0), tf.int32) // 3
        return {"y": tf.sigmoid(tf.cast(count, tf.float32))}

    content = _convert(classify=lambda x: {"y": tf.exp(x)}, step=step)
    assert step_partitions(content) == Partitions(6, 2, 3)


@pytest.mark.slow
def test_files_of_both_kinds_take_frames(ours, stock, tmp_path):
    foreign = tmp_path / "stock.tflite"
    foreign.write_bytes(stock)
    for path in (ours, foreign):
        push, size, count = open_stream(path)
        assert (size, count) == (32, 1)
        push(np.zeros((32, 32, 3), np.uint8))
        for xnnpack in (True, False):
            step, count = open_step(path, xnnpack=xnnpack)
            step()
            assert count == 1


@pytest.fixture(scope="module")
def training(nano, tmp_path_factory):
    """A checkpoint of the model, with labels."""
    folder = tmp_path_factory.mktemp("training")
    tf.train.Checkpoint(model=nano()).write(str(folder / "ckpt"))
    (folder / "labels.txt").write_text("\n".join(CLASSES) + "\n")
    return str(folder / "ckpt")


@pytest.mark.slow
def test_files_are_measured_beside_the_stock_exports(
    ours, stock, training, monkeypatch
):
    # Conversion takes long.
    monkeypatch.setattr(
        model_garden_export, "convert_stock", lambda model, dynamic: stock
    )
    config = benchmark.BenchmarkConfig(
        models=ours, checkpoint_dir=training, frames=2, rounds=2, threads="1"
    )
    figures, times = benchmark.benchmark(config)
    names = ["stock", "stock, dynamic", ours]
    assert list(figures) == names
    for file in figures.values():
        assert 0 < file.bare_megabytes < file.resident_megabytes < 1000
        assert file.partitions >= 1
    assert figures[ours].operations < figures["stock"].operations
    assert [each.file for each in times] == 3 * names
    for each in times:
        assert 0 < each.median_ms <= each.p95_ms
        assert each.ratio.low <= each.ratio.median <= each.ratio.high
        if each.file == "stock":
            assert each.ratio == each.cpu_ratio == Ratio(1, 1, 1)
    json.dumps(benchmark.as_dict(config, figures, times))


def test_report_has_a_line_for_each_file_and_time():
    file = benchmark.FileFigures(15.123, 330, 2, 4, 80.0, 30.0)
    ratio = Ratio(0.5, 0.4, 0.6)
    times = [
        benchmark.Times(name, threads, "step", 4.0, 5.0, 3.0, ratio, ratio)
        for threads in (1, 2)
        for name in ("x", "y")
    ]
    config = benchmark.BenchmarkConfig(models="x,y")
    text = benchmark.report(config, {"x": file, "y": file}, times)
    assert "  15.12  330      2        4         80.0" in text
    assert "ratios to x" in text
    assert "2 threads, the computation alone\n" in text
    assert text.count("   4.00    5.00  0.500  0.400..0.600     3.00  0.500") == 4


def test_files_are_timed_in_turn():
    called = []
    steps = {name: lambda name=name: called.append(name) for name in "xy"}
    seconds = benchmark.time_in_blocks(steps, rounds=3, frames=4)
    for each in seconds.values():
        assert each.wall.shape == each.cpu.shape == (3, 4)
    blocks = [called[start : start + 6] for start in range(0, 36, 6)]
    assert all(len(set(block)) == 1 for block in blocks)
    assert all(
        {first[0], second[0]} == {"x", "y"}
        for first, second in zip(blocks[::2], blocks[1::2], strict=True)
    )


@pytest.mark.parametrize(
    "change, message",
    [
        ({"models": ","}, "models is empty"),
        ({"rounds": 0}, "rounds is 0"),
        ({"threads": "one"}, "threads is 'one'"),
        ({"threads": "0"}, "threads is 0"),
    ],
)
def test_options_that_make_no_sense_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        benchmark.BenchmarkConfig(**{"models": "x.tflite"} | change)


def test_files_that_are_no_streams_are_refused(tmp_path):
    path = tmp_path / "model.tflite"
    with pytest.raises(OSError, match="model.tflite does not exist"):
        open_stream(path)
    with pytest.raises(OSError, match="is a folder"):
        open_step(tmp_path)
    path.write_bytes(b"no model" * 100)
    with pytest.raises(ValueError, match="model.tflite cannot be run"):
        open_stream(path)
    path.write_bytes(_convert(step=lambda x: {"y": x + 1.0}))
    with pytest.raises(ValueError, match="is not a streaming model"):
        open_stream(path)


def _convert_step(image, state=(1,)):
    """Returns a TFLite model of a step, of an image and a state of these shapes."""

    def step(image, s=None):
        mean = tf.reduce_mean(image)
        return {"mean": mean} if s is None else {"s": s + mean}

    specs = [tf.TensorSpec(image, tf.float32, "image")]
    if state:
        specs.append(tf.TensorSpec(state, tf.float32, "s"))
    step = tf.function(step, autograph=False).get_concrete_function(*specs)
    return convert_functions({"step": step})


@pytest.mark.parametrize(
    "image, state, message",
    [
        ((8, 8), (1,), r"its image is \[8, 8\]"),
        ((None, 1, 8, 8, 3), (1,), r"its image is \[-1, 1, 8, 8, 3\]"),
        ((1, 1, 8, 8, 4), (1,), r"its image is \[1, 1, 8, 8, 4\]"),
        ((1, 1, 8, 8, 3), None, "no signature from an image and states"),
    ],
)
def test_foreign_models_of_other_shapes_are_refused(tmp_path, image, state, message):
    path = tmp_path / "model.tflite"
    path.write_bytes(_convert_step(image, state))
    for open_file in (open_stream, open_step):
        with pytest.raises(ValueError, match=message) as caught:
            open_file(path)
        assert "model.tflite is not a streaming model" in str(caught.value)
        assert "\n" not in str(caught.value)


def test_threads_of_foreign_models_are_checked(tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(_convert_step((1, 1, 8, 8, 3)))
    open_stream(path)[0](np.zeros((8, 8, 3), np.uint8))
    for count in (0, "2", 10**10):
        with pytest.raises(ValueError, match=f"num_threads is {count!r}: it must"):
            open_stream(path, count)


def test_files_are_timed_without_tensorflow(run_code):
    code = """
import sys
for name in ("tensorflow", "tf_keras", "official"):
    sys.modules[name] = None
from grw_tf.programs import console
console.benchmark_tflite()
"""
    model = pathlib.Path(__file__).parents[1] / "vectors" / "step.tflite"
    done = run_code(
        code, f"--models={model}", "--rounds=2", "--threads=1", "--frames=2"
    )
    assert done.returncode == 0, done.stderr
    assert "1 thread, a frame of bytes" in done.stdout
