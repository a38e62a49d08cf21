"""The house: the order of its files, how long they may grow, and what importing xgrad may load."""

from __future__ import annotations

import ast
import functools
import io
import subprocess
import sys
import tokenize
from pathlib import Path

import pytest

from tests.harness.processes import environment
from tests.pages.house_page import PAGE, first_line, page

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "xgrad"
ARRAY_LIBRARIES = {"numpy", "cupy", "torch", "jax", "dask", "array_api_strict", "array_api_compat", "scipy", "sklearn"}

ORDER = """
xgrad.errors
xgrad.tree
xgrad.backend.scopes
xgrad.backend.dtypes
xgrad.backend.portable
xgrad.backend.protocol
xgrad.backend.find
xgrad.backend.select
xgrad.backend.precision
xgrad.backend.fusing
xgrad.backend.transfer
xgrad.backend
xgrad.graph
xgrad.graph.recording
xgrad.graph.memory
xgrad.graph.annotations
xgrad.graph.generate
xgrad.graph.declare
xgrad.graph.names
xgrad.graph.node
xgrad.graph.walks
xgrad.graph.views
xgrad.graph.kinds
xgrad.tensor
xgrad.tensor.operators
xgrad.tensor.facts
xgrad.tensor.functions
xgrad.tensor.gradients
xgrad.tensor.printing
xgrad.tensor.conversions
xgrad.tensor.leaving
xgrad.tensor.writing
xgrad.tensor.tensor
xgrad.engine
xgrad.engine.sequences
xgrad.engine.arguments
xgrad.engine.call
xgrad.engine.usual
xgrad.engine.lifted
xgrad.engine.fast
xgrad.engine.operators
xgrad.engine.define
xgrad.engine.watch
xgrad.engine.backward
xgrad.engine.forward
xgrad.engine.hooks
xgrad.engine.namespaces
xgrad.ops.parts
xgrad.ops.parts.axes
xgrad.ops.parts.keys
xgrad.ops.parts.safe
xgrad.ops.parts.matrices
xgrad.ops.parts.texts
xgrad.ops.parts.special
xgrad.ops.creation
xgrad.ops.data_type
xgrad.ops.elementwise
xgrad.ops.indexing
xgrad.ops.inspection
xgrad.ops.linear_algebra
xgrad.ops.manipulation
xgrad.ops.searching
xgrad.ops.set
xgrad.ops.sorting
xgrad.ops.statistical
xgrad.ops.utility
xgrad.ops.fft
xgrad.ops.linalg.determinants
xgrad.ops.linalg.eigenvalues
xgrad.ops.linalg.factorizations
xgrad.ops.linalg.norms
xgrad.ops.linalg.products
xgrad.ops.linalg.pseudoinverse
xgrad.ops.linalg.singular_values
xgrad.ops.linalg.solving
xgrad.ops.linalg
xgrad.ops.beyond.calculus
xgrad.ops.beyond.descriptive
xgrad.ops.beyond.einsum
xgrad.ops.beyond.grouping
xgrad.ops.beyond.matrices
xgrad.ops.beyond.matrix_functions
xgrad.ops.beyond.padding
xgrad.ops.beyond.ufuncs
xgrad.ops.beyond.updates
xgrad.ops.beyond
xgrad.ops.neural.activations
xgrad.ops.neural.softmax
xgrad.ops.neural
xgrad.ops.special.bessel
xgrad.ops.special.distributions
xgrad.ops.special.elementary
xgrad.ops.special.error
xgrad.ops.special.gamma
xgrad.ops.special.incomplete
xgrad.ops.special.kummer
xgrad.ops.special
xgrad.ops
xgrad.fft
xgrad.linalg
xgrad.special.sums
xgrad.special
xgrad.interpreters
xgrad.interpreters.operators
xgrad.interpreters.interpreter
xgrad.interpreters.batch.arrays
xgrad.interpreters.batch.payloads
xgrad.interpreters.batch.functions
xgrad.interpreters.batch.indexing
xgrad.interpreters.batch.run
xgrad.interpreters.batch.backend
xgrad.interpreters.batch
xgrad.interpreters.capture.trace
xgrad.interpreters.capture.slots
xgrad.interpreters.capture.arguments
xgrad.interpreters.capture.arrays
xgrad.interpreters.capture.backend
xgrad.interpreters.capture.reach
xgrad.interpreters.capture.plan
xgrad.interpreters.capture.run
xgrad.interpreters.capture.pulled
xgrad.interpreters.capture.capturing
xgrad.interpreters.capture.binding
xgrad.interpreters.capture.entry
xgrad.interpreters.capture.jit
xgrad.interpreters.capture
xgrad.protocols.numpy_names
xgrad.protocols.numpy_table
xgrad.protocols.numpy_elementwise
xgrad.protocols.numpy_linear_algebra
xgrad.protocols.numpy_reductions
xgrad.protocols.numpy_shapes
xgrad.protocols.numpy_indexing
xgrad.protocols.numpy_functions
xgrad.protocols.numpy_ufuncs
xgrad.protocols.cupy_kernels
xgrad.protocols
xgrad.random
xgrad.transforms.call
xgrad.transforms.transformed
xgrad.transforms.gradients
xgrad.transforms.tangents
xgrad.transforms.jacobians
xgrad.transforms.vmap
xgrad.transforms.custom_in_vmap
xgrad.transforms.custom_function
xgrad.transforms.custom
xgrad.transforms.state
xgrad.transforms.checkpoint
xgrad.transforms
xgrad.solve.scipy_modules
xgrad.solve.packing
xgrad.solve.krylov
xgrad.solve.unknown
xgrad.solve.optimize
xgrad.solve.closure
xgrad.solve.implicit
xgrad.solve.ode
xgrad.solve.quadrature
xgrad.solve.sparse
xgrad.solve
xgrad.optimize
xgrad.sparse
xgrad.scipy.inputs
xgrad.scipy.fft
xgrad.scipy.linalg
xgrad.scipy.interpolate
xgrad.scipy.ndimage
xgrad.scipy.signal
xgrad.scipy
xgrad.debug.anomaly
xgrad.debug.graph_breaks
xgrad.debug
xgrad.value
xgrad.testing
xgrad.io
xgrad.visualize
xgrad.nn.losses.common
xgrad.nn.losses.regression
xgrad.nn.losses.classification
xgrad.nn.losses
xgrad.nn.init
xgrad.nn.module
xgrad.nn.activations
xgrad.nn.linear
xgrad.nn.dropout
xgrad.nn.reshaping
xgrad.nn.containers
xgrad.nn.functional
xgrad.nn
xgrad.optim.rules.rule
xgrad.optim.rules.sgd
xgrad.optim.rules.adam
xgrad.optim.rules
xgrad.optim.optimizer
xgrad.optim.optimizers
xgrad.optim.clipping
xgrad.optim.schedules
xgrad.optim
xgrad
""".split()
"""Every file in reading order. A file imports only files above it, wherever in it the import stands."""

LONG = {
    "xgrad.ops.elementwise": "one row of the table of derivatives after the other; two files would tear it apart",
}
"""Files that may have more than 400 lines of code, with the reason; at most three."""

CORE = """
xgrad.graph.annotations xgrad.graph.generate xgrad.graph.declare xgrad.graph.names xgrad.graph.node xgrad.graph.walks
xgrad.engine.arguments xgrad.engine.call xgrad.engine.fast xgrad.engine.define xgrad.engine.backward
""".split()
"""Nodes, the call, the declaration of an op, the walk back: to be read in one sitting."""

MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
CHAPTERS = [name for name in MODULES if name.startswith("xgrad.ops.") and not name.startswith("xgrad.ops.parts")]


@functools.cache
def tree_of(module: str) -> ast.Module:
    """The parsed source of a module."""
    return ast.parse(MODULES[module].read_text())


@functools.cache
def imports(module: str) -> set[tuple[str, str | None]]:
    """What a module imports, anywhere in it: the module, and the name in it if one is named."""
    package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
    found: set[tuple[str, str | None]] = set()
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            found.update((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parent = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*parent, *([node.module] if node.module else [])])
            for alias in node.names:
                whole = f"{base}.{alias.name}"
                found.add((whole, None) if whole in MODULES else (base, alias.name))
    return found


def code_lines(path: Path) -> int:
    """The number of lines with code on them, docstrings and comments apart."""
    source = path.read_text()
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            docstrings.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    lines: set[int] = set()
    blank = (tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in blank:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - docstrings)


# ------------------------------------------------------------------------------------------------------ one direction


def test_every_file_has_its_place() -> None:
    assert sorted(ORDER) == sorted(MODULES), "ORDER lists each file of xgrad/ once: add new files where a reader meets them"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_file_imports_only_files_above_it(module: str) -> None:
    above = set(ORDER[: ORDER.index(module)])
    for other, _ in imports(module):
        if other.partition(".")[0] == "xgrad":
            assert other in above, f"{module} imports {other}, which does not stand above it in ORDER"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_private_name_crosses_files(module: str) -> None:
    names = {name for other, name in imports(module) if name and other.startswith("xgrad") and name.startswith("_")}
    allowed = {"__all__", "__array_namespace_info__"}
    assert names <= allowed, f"{module} imports {sorted(names - allowed)}"


@pytest.mark.parametrize("module", sorted(MODULES))
def test_nothing_reaches_xgrad_by_its_name(module: str) -> None:
    """Neither ``import xgrad`` nor ``sys.modules["xgrad"]`` nor `importlib` leads around the order."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Call) and "import_module" in ast.unparse(node.func):
            text = ast.unparse(node)
            assert "xgrad." not in text and "__package__" not in text and "'.'" not in text, f"{module}: {text}"
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) == "sys.modules":
            assert "xgrad" not in ast.unparse(node.slice), f"{module}: {ast.unparse(node)}"


def test_each_name_that_the_object_looks_up_exists() -> None:
    """`xg` is how early code reaches late code: tensor/ and engine/ use it, and files that find a function by a dotted name."""
    import xgrad  # noqa: F401
    from xgrad.graph.names import xg

    users = {}
    for module in MODULES:
        tree = tree_of(module)
        used = {
            n.attr
            for n in ast.walk(tree)
            if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name) and n.value.id == "xg"
        }
        if used:
            users[module] = used
            assert not [name for name in used if not hasattr(xg, name)], f"{module} looks up a name that does not exist"
    assert all(module.split(".")[1] in ("tensor", "engine") for module in users), sorted(users)


@pytest.mark.parametrize("module", CHAPTERS)
def test_chapters_do_not_import_each_other(module: str) -> None:
    others = {other for other, _ in imports(module)} & set(CHAPTERS) - {module}
    inside = {other for other in others if MODULES[module].name == "__init__.py"}
    assert not others - inside, f"{module} imports {sorted(others)}; a rule reaches other chapters through xp"


def test_the_page_of_the_house_is_up_to_date() -> None:
    assert PAGE.read_text() == page(ORDER), "docs/house.md is stale: run python -m tests.pages.house_page"


def test_each_file_says_what_it_holds() -> None:
    for module in ORDER:
        line = first_line(module)
        assert line.endswith((".", ":")) and len(line) > 20, f"{module}: its first line must say what it holds, in one sentence"


# ----------------------------------------------------------------------------------------------------------- lengths


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_file_is_too_long_to_read(module: str) -> None:
    if module not in LONG:
        assert code_lines(MODULES[module]) <= 400, f"{module} has more than 400 lines of code: split it by subject"
    assert len(LONG) <= 3


def test_the_core_can_be_read_in_one_sitting() -> None:
    lines = {module: code_lines(MODULES[module]) for module in CORE}
    assert sum(lines.values()) <= 1200, lines


def test_the_top_of_the_package_holds_public_files_only() -> None:
    import xgrad

    for path in PACKAGE.glob("*.py"):
        if path.stem not in ("__init__", "errors"):
            assert path.stem in (*xgrad.__all__, "testing", "value"), f"{path.name} is private: put it in a folder"


# --------------------------------------------------------------------------------------------------- array libraries


@pytest.mark.parametrize("module", sorted(MODULES))
def test_no_array_library_is_imported_at_module_level(module: str) -> None:
    tree = tree_of(module)
    names = {
        (alias.name if isinstance(node, ast.Import) else node.module or "").partition(".")[0]
        for node in tree.body
        if isinstance(node, (ast.Import, ast.ImportFrom)) and not getattr(node, "level", 0)
        for alias in node.names
    }
    assert not names & ARRAY_LIBRARIES, f"{module} imports {sorted(names & ARRAY_LIBRARIES)}"


@pytest.mark.parametrize("module", CHAPTERS)
def test_rules_never_name_an_array_library(module: str) -> None:
    names = {other.partition(".")[0] for other, _ in imports(module)} & ARRAY_LIBRARIES
    allowed = {"xgrad.ops.data_type": {"numpy"}, "xgrad.ops.creation": {"numpy"}}  # dtype facts; nested sequences of numbers
    assert names <= allowed.get(module, set()), f"{module} imports {sorted(names)}"


BUNDLED = {"numpy", "cupy", "torch", "jax", "dask", "strict"}

ASK_FOR_NUMPY = {  # NumPy is not only a backend but also how data come from the host and go there
    "xgrad.tensor.leaving": "__array__ hands NumPy its own array, and a copy of any other",
    "xgrad.tensor.printing": "numbers are printed by NumPy, and without a word about where they live if that is NumPy too",
    "xgrad.protocols.numpy_ufuncs": "NumPy's own functions",
    "xgrad.ops.creation": "asarray takes data of the host to any backend",
    "xgrad.ops.parts.keys": "x[i] = v takes data of the host to any backend",
}


@pytest.mark.parametrize("module", sorted(MODULES))
def test_nothing_asks_which_backend_it_runs_on(module: str) -> None:
    """What differs between libraries is said by their plug-ins, never by a comparison with a backend's name."""
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Compare):
            names = {c.value for c in ast.walk(node) if isinstance(c, ast.Constant) and isinstance(c.value, str)} & BUNDLED
            allowed = {"numpy"} if module in ASK_FOR_NUMPY else set()
            assert names <= allowed, f"{MODULES[module].relative_to(ROOT)}:{node.lineno} compares with {sorted(names)}"


def loaded(code: str, **variables: str) -> set[str]:
    """The array libraries that are loaded after `code` ran in a Python of its own."""
    env = environment(**variables)
    script = f"import sys\n{code}\nprint(*set({sorted(ARRAY_LIBRARIES)!r}) & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_processes_that_tests_start_keep_the_path_of_python() -> None:
    """Who sets PYTHONPATH by hand loses what is on it: packages that are installed in a folder which it names."""
    for path in (ROOT / "tests").rglob("*.py"):
        if path not in (ROOT / "tests" / "harness" / "processes.py", Path(__file__).resolve()):
            assert "PYTHONPATH" not in path.read_text(), f"{path.relative_to(ROOT)}: use tests.harness.processes.environment"


def test_importing_xgrad_loads_no_other_array_library() -> None:
    assert loaded("import xgrad") <= {"numpy", "array_api_compat"}


def test_the_selected_backend_alone_is_loaded() -> None:
    pytest.importorskip("array_api_strict")
    found = loaded("import xgrad; xgrad.zeros(2)", XGRAD_BACKEND="strict")
    assert found <= {"numpy", "array_api_compat", "array_api_strict"}  # array-api-strict is made of NumPy
