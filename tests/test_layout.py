"""The rooms of the package: imports point one way, and none hides in a function."""

import ast
import re
from pathlib import Path

import pytest

import funcgrad

ROOT = Path(funcgrad.__file__).parent
# Each room imports only from itself and from those before it.
ORDER = """errors trace tree core views outputs pull batching joint adapting declared verbs
rules random transform numpy arguments vmap program graph zeros walk tape reverse forward jacobian
products calls custom systems closures control implicit replay ode debug check nn optim data
toy training coverage""".split()
FILES = sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def room(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_rooms(path, node):
    """The rooms of funcgrad that an import statement names."""
    if isinstance(node, ast.Import):
        modules = [alias.name for alias in node.names]
    else:
        package = ["funcgrad", *path.relative_to(ROOT).parts[:-1]]
        base = package[: len(package) - node.level + 1] if node.level else []
        module = base + (node.module.split(".") if node.module else [])
        modules = [".".join([*module, alias.name]) for alias in node.names]
    return {m.split(".")[1] for m in modules if m.startswith("funcgrad.")}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_one_way(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            for other in imported_rooms(path, node):
                assert ORDER.index(other) <= ORDER.index(room(path)), f"line {node.lineno}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_import_inside_a_function(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inner = [n for n in ast.walk(node) if isinstance(n, ast.Import | ast.ImportFrom)]
            assert not inner, f"{node.name} imports at line {inner[0].lineno}"


def declared(path):
    """The NumPy functions that the rules of a file declare by name."""
    verb = r"^(?:@composite|linear|bilinear|reduction|elementwise|constant|rule)\(\s*(np\.[\w.]+)"
    return re.findall(verb, path.read_text(encoding="utf-8"), re.MULTILINE)


def test_no_function_is_declared_twice():
    names = [name for path in (ROOT / "rules").glob("*.py") for name in declared(path)]
    assert len(names) > 150
    assert [name for name in set(names) if names.count(name) > 1] == []
