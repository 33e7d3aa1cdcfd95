"""Tests that what is public has types: every parameter, and what is returned."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
PACKAGES = sorted(path.parent for path in ROOT.glob("grw_tf/*/__init__.py"))


def _public_functions(body, owner=""):
    """Yields (name, function, whether it is a method) of what is public in a body."""
    for node in body:
        if node.__class__ in (ast.FunctionDef, ast.AsyncFunctionDef):
            if not node.name.startswith("_"):
                yield owner + node.name, node, bool(owner)
        elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from _public_functions(node.body, f"{owner}{node.name}.")


def _missing(function, is_method):
    """Returns the names of a function's parameters without a type, and "return"."""
    arguments = function.args
    positional = arguments.posonlyargs + arguments.args
    static = any(
        isinstance(decorator, ast.Name) and decorator.id == "staticmethod"
        for decorator in function.decorator_list
    )
    named = positional[is_method and not static :] + arguments.kwonlyargs
    missing = [argument.arg for argument in named if argument.annotation is None]
    return missing + ["return"] * (function.returns is None)


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_public_functions_have_types(package):
    found = {
        f"{path.relative_to(ROOT)}:{function.lineno} {name}": missing
        for path in sorted(package.rglob("*.py"))
        for name, function, is_method in _public_functions(
            ast.parse(path.read_text()).body
        )
        if (missing := _missing(function, is_method))
    }
    assert not found
