"""Prints how far LiteRT's GPU accelerator is from its interpreter, for a file.

The largest difference of any output of any signature over some frames, relative to that
output's largest value. Each step starts from the interpreter's states. Fails if not all
operations run on the accelerator.
"""

import os
import sys

import ai_edge_litert
import numpy as np
from ai_edge_litert.compiled_model import CompiledModel
from ai_edge_litert.environment import Environment
from ai_edge_litert.gpu_options import GpuOptions
from ai_edge_litert.hardware_accelerator import HardwareAccelerator
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.options import Options

FRAMES = 6


def compare(path):
    interpreter = Interpreter(path)
    environment = Environment.create(
        runtime_path=os.path.dirname(os.path.abspath(ai_edge_litert.__file__))
    )
    options = Options(
        hardware_accelerators=HardwareAccelerator.GPU,
        gpu_options=GpuOptions(enforce_f32=True),
    )
    model = CompiledModel.from_file(path, options=options, environment=environment)
    assert model.is_fully_accelerated()
    signatures = {
        name: interpreter.get_signature_runner(name)
        for name in interpreter.get_signature_list()
    }
    random = np.random.default_rng(0)
    details = signatures["step"].get_input_details()
    values = {n: np.zeros(d["shape"], d["dtype"]) for n, d in details.items()}
    largest = 0.0
    for _ in range(FRAMES):
        values["image"] = random.random(values["image"].shape, np.float32)
        for name, runner in signatures.items():
            given = {key: values[key] for key in runner.get_input_details()}
            expected = runner(**given)
            for key, value in _accelerated(model, name, given, expected).items():
                error = np.abs(value - expected[key]).max()
                largest = max(largest, error / max(np.abs(expected[key]).max(), 1e-9))
            values |= {k: v for k, v in expected.items() if k in values}
    return largest


def _accelerated(model, name, given, expected):
    inputs = {key: model.create_input_buffer_by_name(name, key) for key in given}
    outputs = {key: model.create_output_buffer_by_name(name, key) for key in expected}
    for key, value in given.items():
        inputs[key].write(np.ascontiguousarray(value))
    model.run_by_name(name, inputs, outputs)
    return {
        key: outputs[key].read(value.size, value.dtype).reshape(value.shape)
        for key, value in expected.items()
    }


print(compare(sys.argv[1]))
