"""Prints the flags of programs as JSON, in a process of its own: absl keeps them all.

python documented_flags.py scripts.evaluate scripts.train ...
"""

import dataclasses
import importlib
import inspect
import json
import sys

from absl import flags
from official.common import flags as tfm_flags


def flags_of(module):
    """Returns the names of a program's flags, and removes them again."""
    before = set(flags.FLAGS)
    program = importlib.import_module(module)
    found = set(flags.FLAGS) - before
    for name in found:
        delattr(flags.FLAGS, name)
    # Those that are defined only when it runs.
    options = getattr(program, "Options", None)
    if options:
        found |= {field.name for field in dataclasses.fields(options)}
    if "tfm_flags.define_flags()" in inspect.getsource(program):
        found |= MODEL_GARDENS
    return sorted(found)


def _model_gardens():
    before = set(flags.FLAGS)
    tfm_flags.define_flags()
    found = set(flags.FLAGS) - before
    for name in found:
        delattr(flags.FLAGS, name)
    return found


MODEL_GARDENS = _model_gardens()

if __name__ == "__main__":
    print(json.dumps({module: flags_of(module) for module in sys.argv[1:]}))
