"""Tests of the order of packages: imports go strictly downward.

`CONTRIBUTING.md` says what each package is for.
"""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
LIBRARY = ROOT / "grw_tf"

# From the bottom up. A package imports from those before it alone.
ORDER = (
    "common",
    "frames",
    "figures",
    "random_walk",
    "losses",
    "keras3",
    "layers",
    "models",
    "weights",
    "data",
    "streaming",
    "web",
    "training",
    "evaluation",
    "export",
    "kinetics600",
    "cost_table",
    "comparison",
    "programs",
)


def module_name(path):
    """Returns the dotted name of a file of the repository."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(LIBRARY.rglob("*.py"))}


def imported(path):
    """Yields the names of the project's modules that a file imports anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} has a relative import, line {node.lineno}"
            if node.module in MODULES:
                names = {f"{node.module}.{alias.name}" for alias in node.names}
                yield from names & set(MODULES)
                if names - set(MODULES):
                    yield node.module


def package_of(module):
    """Returns the top-level package of a module, "" for `grw_tf` itself."""
    return module.split(".")[1] if "." in module else ""


def test_order_names_every_package():
    assert sorted(ORDER) == sorted(
        folder.parent.name for folder in LIBRARY.glob("*/__init__.py")
    )
    assert sorted(file.name for file in LIBRARY.glob("*.py")) == ["__init__.py"]


@pytest.mark.parametrize("package", ORDER)
def test_packages_import_from_lower_ones_alone(package):
    allowed = {"", *ORDER[: ORDER.index(package) + 1]}
    upward = [
        f"{module} imports {name}"
        for module, path in MODULES.items()
        if package_of(module) == package
        for name in imported(path)
        if package_of(name) not in allowed
    ]
    assert not upward


def test_modules_import_each_other_in_one_direction():
    below = {module: set(imported(path)) for module, path in MODULES.items()}
    done, path = set(), []

    def visit(module):
        assert module not in path, " -> ".join([*path[path.index(module) :], module])
        if module not in done:
            path.append(module)
            for name in below[module] - {module}:
                visit(name)
            done.add(path.pop())

    for module in below:
        visit(module)


def test_library_knows_no_program():
    programs = [
        f"{module} imports {node.module}"
        for module, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
        and (node.module or "").split(".")[0] in ("scripts", "export", "tests")
    ]
    assert not programs


def test_names_of_modules_in_strings_are_of_lower_ones():
    """A module that is preloaded or mocked by name is imported as well."""
    upward = [
        f"{module} names {node.value}"
        for module, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant)
        and node.value in MODULES
        and package_of(node.value) not in ("", package_of(module))
        and ORDER.index(package_of(node.value)) > ORDER.index(package_of(module))
    ]
    assert not upward
