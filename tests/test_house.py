"""The house: which module may import which, how long the engine may grow, and what importing xgrad may load."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "xgrad"
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
ARRAY_LIBRARIES = {"numpy", "cupy", "torch", "jax", "dask", "array_api_strict", "array_api_compat", "scipy", "sklearn"}

FLOORS = [  # a module imports from its own floor and those before it
    {"errors", "grad_mode", "scopes"},
    {"backend"},
    {"kinds", "memory", "precision", "rules", "views"},
    {"arguments", "methods", "printing", "scalar_conversion"},
    {"engine", "fast", "hooks", "leaves", "pushforward"},  # parts of one thing, set apart for reading
    {"keys", "namespaces", "native", "value", "numpy_functions", "numpy_protocols"},
    {"ops"},
    {"linalg", "fft", "special", "scipy"},
    {"batching", "transforms", "random", "tree"},
    {"io"},
    {"anomaly", "graph_breaks", "nn", "optim", "optimize", "sparse", "visualize", "testing"},
]
CHAPTERS = [name for name in MODULES if name.startswith("xgrad.ops.")]
FOR_CHAPTERS = {
    "xgrad." + name
    for name in (
        "engine",
        "backend",
        "keys",
        "errors",
        "kinds",
        "namespaces",
        "native",
        "views",
        "precision",
        "rules",
        "grad_mode",
    )
}


def imports(module: str, *, everywhere: bool = False) -> set[str]:
    """The modules that a module imports when it is itself imported; `everywhere`: in its functions too.

    What stands under ``if TYPE_CHECKING`` is for type checkers and does not count.
    """
    package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            return
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)) and not everywhere:
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parent, *([node.module] if node.module else [])])
            found.update(f"{base}.{alias.name}" if f"{base}.{alias.name}" in MODULES else base for alias in node.names)
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(MODULES[module].read_text()))
    return found


def floor(module: str) -> int:
    name = module.split(".")[1]
    for k, names in enumerate(FLOORS):
        if name in names:
            return k
    raise AssertionError(f"{module} has no place in FLOORS: say which modules it may import")


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"xgrad"}))
def test_imports_go_one_way(module: str) -> None:
    for other in imports(module):
        if other.startswith("xgrad.") and other != module:
            assert floor(other) <= floor(module), f"{module} imports {other}, which stands above it"


@pytest.mark.parametrize("module", CHAPTERS)
def test_chapters_do_not_import_each_other(module: str) -> None:
    ours = {name for name in imports(module, everywhere=True) if name.startswith("xgrad.")}
    assert ours <= FOR_CHAPTERS, f"{module} imports {sorted(ours - FOR_CHAPTERS)}; a rule reaches other chapters through xp"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_array_library_is_imported_at_module_level(module: str) -> None:
    found = {name.partition(".")[0] for name in imports(module)} & ARRAY_LIBRARIES
    assert not found, f"{module} imports {sorted(found)}"


@pytest.mark.parametrize("module", CHAPTERS)
def test_rules_never_name_an_array_library(module: str) -> None:
    found = {name.partition(".")[0] for name in imports(module, everywhere=True)} & ARRAY_LIBRARIES
    allowed = {"xgrad.ops.data_type": {"numpy"}, "xgrad.ops.creation": {"numpy"}}  # dtype facts; nested sequences of numbers
    assert found <= allowed.get(module, set()), f"{module} imports {sorted(found)}"


BUNDLED = {"numpy", "cupy", "torch", "jax", "dask", "strict"}

ASK_FOR_NUMPY = {  # NumPy is not only a backend but also how data come from the host and go there
    "xgrad.methods": "__array__ hands NumPy its own array, and a copy of any other",
    "xgrad.numpy_protocols": "NumPy's own functions",
    "xgrad.printing": "numbers are printed by NumPy, and without a word about where they live if that is NumPy too",
    "xgrad.ops.creation": "asarray takes data of the host to any backend",
    "xgrad.keys": "x[i] = v takes data of the host to any backend",
}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_nothing_asks_which_backend_it_runs_on(module: str) -> None:
    """What differs between libraries is said by their plug-ins, never by a comparison with a backend's name."""
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Compare):
            names = {c.value for c in ast.walk(node) if isinstance(c, ast.Constant) and isinstance(c.value, str)} & BUNDLED
            allowed = {"numpy"} if module in ASK_FOR_NUMPY else set()
            assert names <= allowed, f"{MODULES[module].relative_to(ROOT)}:{node.lineno} compares with {sorted(names)}"


def test_the_engine_is_readable_in_one_sitting() -> None:
    lines = len((PACKAGE / "engine.py").read_text().splitlines())
    assert lines < 500, f"engine.py has {lines} lines"


def loaded(code: str, **environment: str) -> set[str]:
    """The array libraries that are loaded after `code` ran in a Python of its own."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "backends")]), **environment}
    script = f"import sys\n{code}\nprint(*set({sorted(ARRAY_LIBRARIES)!r}) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_importing_xgrad_loads_no_other_array_library() -> None:
    assert loaded("import xgrad") <= {"numpy", "array_api_compat"}


def test_the_selected_backend_alone_is_loaded() -> None:
    pytest.importorskip("array_api_strict")
    found = loaded("import xgrad; xgrad.zeros(2)", XGRAD_BACKEND="strict")
    assert found <= {"numpy", "array_api_compat", "array_api_strict"}  # array-api-strict is made of NumPy
