"""State that can be found: numbers are inputs of kernels, optimizers are containers, one function replaces arrays."""

from __future__ import annotations

import ast
import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor, nn, optim, tree
from xgrad.backend import find_backend
from xgrad.tensor.tensor import wrap

PACKAGE = Path(xgrad.__file__).parent

RULES = {
    "sgd": optim.sgd(0.1),
    "sgd, decay": optim.sgd(0.1, weight_decay=0.1),
    "momentum": optim.sgd(0.1, momentum=0.9),
    "momentum, dampening": optim.sgd(0.1, momentum=0.9, dampening=0.5, weight_decay=0.01),
    "nesterov": optim.sgd(0.1, momentum=0.9, nesterov=True),
    "adam": optim.adam(0.1),
    "adam, decay": optim.adam(0.1, weight_decay=0.1),
    "adamw": optim.adamw(0.1),
    "adamw, no decay": optim.adamw(0.1, weight_decay=0.0),
}

OPTIMIZERS = {
    "SGD": lambda p: optim.SGD(p, lr=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.5),
    "Adam": lambda p: optim.Adam(p, lr=0.1),
    "AdamW": lambda p: optim.AdamW(p, lr=0.1),
    "two groups": lambda p: optim.Adam([{"params": p[0], "lr": 0.5}, {"params": p[1]}], lr=0.1),
}


# ----------------------------------------------------------------------------------------------------- numbers and kernels


class Unread(np.ndarray):
    """A number whose value nobody may read."""

    def __bool__(self) -> bool:
        raise AssertionError("a kernel branched on the value of a number")

    __float__ = __int__ = __index__ = __bool__  # type: ignore[assignment]


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_kernel_takes_its_numbers_as_inputs(rule: optim.Rule) -> None:
    rng = np.random.default_rng(0)
    p, g = rng.normal(size=(4, 3)), rng.normal(size=(4, 3))
    state = tuple(np.abs(rng.normal(size=(4, 3))) for _ in rule.names)
    xp = find_backend("numpy").xp
    for step in (1, 2, 1000):
        numbers = rule.numbers(step, **rule.options)
        assert all(isinstance(x, (float, int)) for x in numbers.values())
        unread = {name: np.asarray(x).view(Unread) for name, x in numbers.items()}
        expected = rule.kernel(xp, p.copy(), g.copy(), *(a.copy() for a in state), **numbers)
        result = rule.kernel(xp, p.copy(), g.copy(), *(a.copy() for a in state), **unread)
        for one, other in zip(result, expected):
            np.testing.assert_array_equal(np.asarray(one), other)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_every_step_has_the_same_kernel_and_names_of_numbers(rule: optim.Rule) -> None:
    names = [list(rule.numbers(step, **rule.options)) for step in (1, 2, 10)]
    assert names[0] == names[1] == names[2]


def test_an_option_that_changes_keeps_the_kernel() -> None:
    for make, options in ((optim.sgd, {"momentum": 0.9}), (optim.adam, {}), (optim.adamw, {})):
        one, other = make(0.1, **options), make(0.2, **options)
        assert one.kernel is other.kernel and one.names == other.names


# --------------------------------------------------------------------------------------------------- optimizers as containers


def parameters(backend: str = "numpy", dtype: str = "float64") -> list[Tensor]:
    b = find_backend(backend)
    return [
        Tensor(b.xp.astype(b.from_numpy(np.asarray(values)), b.native_dtype(dtype)), requires_grad=True)
        for values in ([1.0, -2.0, 0.5], 3.0)
    ]


def steps(optimizer: optim.Optimizer, count: int, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(count):
        for p in optimizer.parameters():
            b = find_backend(p.backend)
            p.grad = wrap(b.xp.astype(b.from_numpy(np.asarray(rng.normal(size=p.shape))), p._data.dtype))
        optimizer.step()


def values(tensors: Any) -> list[Any]:
    return [x.detach().numpy().copy() if isinstance(x, Tensor) else x for x in tensors]


def set_values(params: list[Tensor], saved: list[Any]) -> None:
    for p, value in zip(params, saved):
        p.data = find_backend(p.backend).from_numpy(value)


def test_the_leaves_are_rates_steps_and_arrays() -> None:
    optimizer = optim.Adam(parameters(), lr=0.25)
    steps(optimizer, 3)
    leaves, structure = tree.flatten(optimizer)
    state = optimizer.state_dict()
    assert leaves[0] == 0.25 and leaves[1] == leaves[4] == 3
    for x, name in zip((leaves[2], leaves[3], leaves[5], leaves[6]), ("0.m", "0.v", "1.m", "1.v")):
        assert isinstance(x, Tensor)
        np.testing.assert_array_equal(x.numpy(), state["state"][name].numpy())
    assert structure.paths == (
        ".groups[0]['lr']",
        ".steps['0']",
        ".state['0.m']",
        ".state['0.v']",
        ".steps['1']",
        ".state['1.m']",
        ".state['1.v']",
    )


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_step_changes_the_leaves_and_not_the_structure(make: Any, backend: str) -> None:
    optimizer = make(parameters(backend))
    before, structure = tree.flatten(optimizer)
    numbers = values(before)
    steps(optimizer, 2)
    after, same = tree.flatten(optimizer)
    assert same == structure and len(after) == len(before)
    for old, new, number in zip(before, after, numbers):
        if isinstance(old, Tensor):
            assert new is old  # a living Tensor, whose array was replaced or written to
            assert not np.array_equal(values([new])[0], number)
    assert [x for x, path in zip(after, same.paths) if ".steps" in path] == [2, 2]


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_an_optimizer_put_together_goes_on_as_the_first_and_leaves_it_alone(make: Any, backend: str) -> None:
    params = parameters(backend)
    optimizer = make(params)
    steps(optimizer, 3)
    leaves, structure = tree.flatten(optimizer)
    saved, kept = values(params), values(leaves)
    other = tree.unflatten(structure, leaves)
    assert type(other) is type(optimizer) and other.lr == optimizer.lr
    assert all(p is q for p, q in zip(other.parameters(), params))
    steps(other, 3, seed=1)
    expected = values(params)
    for x, y in zip(values(tree.flatten(optimizer)[0]), kept):
        np.testing.assert_array_equal(x, y)
    set_values(params, saved)
    steps(optimizer, 3, seed=1)
    for x, y in zip(values(params), expected):
        np.testing.assert_array_equal(x, y)
    for x, y in zip(values(tree.flatten(other)[0]), values(tree.flatten(optimizer)[0])):
        np.testing.assert_array_equal(x, y)


def test_arrays_and_numbers_of_other_kinds_are_taken_and_not_written_to() -> None:
    optimizer = optim.SGD(parameters(), lr=0.5, momentum=0.5)
    _, structure = tree.flatten(optimizer)
    arrays = [np.ones(3, "float32"), np.ones(())]
    other = structure.unflatten([xgrad.asarray(0.25), np.asarray(4), arrays[0], 4, arrays[1]])
    steps(other, 1)
    assert other.lr == 0.25 and other.state_dict()["steps"] == {"0": 5, "1": 5}
    assert other.state_dict()["state"]["0.momentum"].dtype == xgrad.float64
    np.testing.assert_array_equal(arrays[0], np.ones(3))
    np.testing.assert_array_equal(arrays[1], 1.0)


def test_any_objects_may_stand_in_the_places() -> None:
    optimizer = optim.Adam(parameters())
    leaves, structure = tree.flatten(optimizer)
    marks = [object() for _ in leaves]
    assert structure.flatten_up_to(structure.unflatten(marks)) == marks


def test_state_of_half_precision_is_in_float32(backend: str) -> None:
    try:
        params = parameters(backend, "float16")
    except TypeError:
        pytest.skip(f"{backend} has no float16")
    optimizer = optim.Adam(params)
    steps(tree.map(lambda x: x, optimizer), 1)
    assert {x.dtype.name for x in tree.flatten(optimizer)[0] if isinstance(x, Tensor)} == {"float32"}


def test_optimizers_of_other_rules_or_parameters_have_other_structures() -> None:
    structures = [
        tree.flatten(make(parameters()))[1]
        for make in (*OPTIMIZERS.values(), lambda p: optim.Adam(p[:1]), lambda p: optim.SGD(p, momentum=0.9, nesterov=True))
    ]
    assert sum(a == b for a in structures for b in structures) == len(structures) + 2  # momentum and nesterov
    assert tree.flatten(optim.Adam(parameters(), lr=7.0))[1] == tree.flatten(optim.Adam(parameters()))[1]


def test_a_model_and_its_optimizer_are_one_tree() -> None:
    pytest.importorskip("optree")
    model = nn.Linear(3, 1)
    optimizer = optim.Adam(model.parameters())
    leaves, structure = tree.flatten((model, optimizer))
    assert len(leaves) == 2 + 1 + 2 * 3
    assert "[1].state['0.m']" in structure.paths and "[0].weight" in structure.paths


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))], ids=["copy", "pickle"])
@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_copies_of_optimizers_go_on_by_themselves(make: Any, duplicate: Any) -> None:
    optimizer = make(parameters())
    steps(optimizer, 2)
    other = duplicate(optimizer)
    before = values([*optimizer.parameters(), *tree.flatten(optimizer)[0]])
    steps(other, 2, seed=1)
    for x, y in zip(values([*optimizer.parameters(), *tree.flatten(optimizer)[0]]), before):
        np.testing.assert_array_equal(x, y)
    steps(optimizer, 2, seed=1)
    for x, y in zip(values(other.parameters()), values(optimizer.parameters())):
        np.testing.assert_array_equal(x, y)


def test_the_format_of_saved_states() -> None:
    optimizer = optim.SGD(parameters(), lr=0.5, momentum=0.5)
    assert optimizer.state_dict()["steps"] == {} and optimizer.state_dict()["state"] == {}
    steps(optimizer, 1)
    state = optimizer.state_dict()
    assert set(state) == {"rule", "parameters", "groups", "steps", "state"}
    assert state["groups"] == [{"lr": 0.5, "momentum": 0.5, "dampening": 0.0, "nesterov": False, "weight_decay": 0.0}]
    assert state["steps"] == {"0": 1, "1": 1} and type(state["steps"]["0"]) is int
    assert list(state["state"]) == ["0.momentum", "1.momentum"]


# ------------------------------------------------------------------------------------------------------ one place to replace

MAY_SET = {  # functions that set `_data`: those that make a Tensor, and the one that replaces
    ("graph/memory.py", "assign"),
    ("tensor/tensor.py", "Tensor.__init__"),
    ("tensor/tensor.py", "wrap"),
}
HOT = {"engine/fast.py"}  # makes Tensors without a call of `wrap`


def settings(path: Path) -> list[tuple[str, str, int]]:
    """Where the file assigns to an attribute called ``_data``: file, function, line."""
    file = path.relative_to(PACKAGE).as_posix()
    result: list[tuple[str, str, int]] = []

    def visit(node: ast.AST, scope: tuple[str, ...]) -> None:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            scope = (*scope, node.name)
        if isinstance(node, ast.Attribute) and node.attr == "_data" and isinstance(node.ctx, (ast.Store, ast.Del)):
            result.append((file, ".".join(scope), node.lineno))
        if isinstance(node, ast.Call) and any(isinstance(a, ast.Constant) and a.value == "_data" for a in node.args):
            result.append((file, ".".join(scope), node.lineno))  # setattr(x, "_data", ...); getattr is left out below
            if isinstance(node.func, ast.Name) and node.func.id in ("getattr", "hasattr"):
                result.pop()
        for child in ast.iter_child_nodes(node):
            visit(child, scope)

    visit(ast.parse(path.read_text()), ())
    return result


def test_arrays_of_tensors_are_replaced_in_one_place() -> None:
    places = [place for path in sorted(PACKAGE.rglob("*.py")) for place in settings(path)]
    assert {(file, scope) for file, scope, _ in places} >= MAY_SET  # the search finds what is there
    wrong = [f"{file}:{line} in {scope}" for file, scope, line in places if (file, scope) not in MAY_SET and file not in HOT]
    assert not wrong, f"use memory.assign(tensor, array): {', '.join(wrong)}"
