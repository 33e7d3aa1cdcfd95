"""Prints the flags of programs as JSON, in a process of its own: absl keeps them all.

python documented_flags.py scripts.evaluate scripts.train ...
"""

import dataclasses
import importlib
import json
import sys

from absl import flags

from grw_tf.programs.console import Program


def flags_of(module):
    """Returns the names of a program's flags, and removes them again."""
    before = set(flags.FLAGS)
    program = importlib.import_module(module)
    if hasattr(program, "define_flags"):
        program.define_flags()
    for value in vars(program).values():
        if isinstance(value, Program):
            value.load().define_flags()
    found = set(flags.FLAGS) - before
    for name in found:
        delattr(flags.FLAGS, name)
    # Those of programs about the repository are defined only when they run.
    options = getattr(program, "Options", None)
    if options:
        found |= {field.name for field in dataclasses.fields(options)}
    return sorted(found)


if __name__ == "__main__":
    print(json.dumps({module: flags_of(module) for module in sys.argv[1:]}))
