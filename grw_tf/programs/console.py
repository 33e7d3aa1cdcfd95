"""The console programs, by the names of their modules: `grw-train` is `train()`.

Flags are defined and modules imported when a program starts. So importing several
programs into one process defines none twice, and a missing package is told in one line.
"""

import dataclasses
import importlib
import os
import sys
import types

from grw_tf.common.extras import packages_of


@dataclasses.dataclass(frozen=True)
class Program:
    """A program; calling it runs it with the flags of the command line.

    Attributes:
        module: The name of its module in this package, which has a docstring for
            --help, `define_flags` and `main`.
        extra: The extra of grw_tf that installs what it needs.
    """

    module: str
    extra: str = "train"

    @property
    def command(self) -> str:
        """The name that an installation has it by."""
        return f"grw-{self.module.replace('_', '-')}"

    def load(self) -> types.ModuleType:
        """Imports its module."""
        return importlib.import_module(f"{__package__}.{self.module}")

    def __call__(self) -> None:
        """Runs it; the process ends with its status."""
        _quieten_libraries()
        with packages_of(self.extra):
            # Needs absl, which the bare install lacks.
            from grw_tf.common import programs

            module = self.load()
        programs.start(module, self.command)


def _quieten_libraries():
    """Sets what TensorFlow and tqdm read when they are imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if not sys.stderr.isatty():
        # Seconds between two states of a progress bar: a log keeps all of them.
        os.environ.setdefault("TQDM_MININTERVAL", "30")


benchmark_tflite = Program("benchmark_tflite", extra="video")
calibrate = Program("calibrate")
compare = Program("compare")
demo = Program("demo")
download = Program("download")
embeddings = Program("embeddings")
evaluate = Program("evaluate")
evaluate_events = Program("evaluate_events")
evaluate_kinetics600 = Program("evaluate_kinetics600")
explain = Program("explain")
export = Program("export")
export_saved_model = Program("export_saved_model")
export_torch = Program("export_torch")
export_web = Program("export_web", extra="video")
frequency_sensitivity = Program("frequency_sensitivity")
import_torch = Program("import_torch")
inspect = Program("inspect")
linear_probe = Program("linear_probe")
loss_gradients = Program("loss_gradients")
model_table = Program("model_table")
prepare = Program("prepare")
show_batch = Program("show_batch")
stream = Program("stream", extra="video")
train = Program("train")
training_curves = Program("training_curves")
