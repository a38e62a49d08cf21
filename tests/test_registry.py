"""Nothing is left out: every name of the standard exists and has its class, and every rule was run by the table.

A rule whose test never ran is a failure. These tests run a gradient of every row on NumPy themselves, with the rules
watched, so that they hold whichever other tests are selected.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import xgrad
from xgrad.graph.names import registry

from .harness import standard
from .harness.backends import device_of, statuses
from .harness.driver import ROWS, Case, call, run
from .harness.forward import check_rules

LIBRARY = {name: op for name, op in registry.items() if op.source.__module__.startswith("xgrad.")}
CLASSES = ("rules", "zero", "none", "composite")


def classes(name: str) -> list[str]:
    """Every class that the function `name` of xgrad is in; it should be one."""
    made = LIBRARY.get(name)  # of the function itself, or of the op behind a function that prepares its arguments
    if name in standard.INSPECTION:
        return ["inspection"] if made is None else ["inspection", made.derivative]
    creates = ["creates arrays"] if hasattr(getattr(xgrad, name), "on") else []
    return creates if made is None else [*creates, made.derivative]


@pytest.mark.parametrize("name", standard.FUNCTIONS)
def test_every_name_of_the_standard_is_in_exactly_one_class(name: str) -> None:
    assert hasattr(xgrad, name), f"xgrad.{name} does not exist"
    found = classes(name)
    assert len(found) == 1, f"xgrad.{name} is in the classes {found}"
    assert found[0] in (*CLASSES, "creates arrays", "inspection"), f"xgrad.{name} is {found[0]}"


@pytest.mark.parametrize("name", [*standard.CONSTANTS, *standard.DTYPES, "__array_namespace_info__", "__array_api_version__"])
def test_every_other_name_of_the_standard_exists(name: str, xp: Any) -> None:
    assert hasattr(xgrad, name) and hasattr(xp, name)


@pytest.mark.parametrize("name", standard.FUNCTIONS)
def test_bound_namespaces_have_every_function(name: str, xp: Any) -> None:
    assert callable(getattr(xp, name))


@pytest.mark.parametrize("name", [*standard.METHODS, *standard.ATTRIBUTES])
def test_tensors_have_every_method_and_attribute(name: str) -> None:
    assert hasattr(xgrad.Tensor, name)


@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_every_op_is_classified(name: str) -> None:
    assert LIBRARY[name].derivative in CLASSES, (
        f"{name} has no class: declare .vjp(...), .zero_gradient() or .not_differentiable()"
    )


@pytest.mark.parametrize("name", sorted(LIBRARY))
def test_every_op_has_a_row(name: str) -> None:
    assert name in {row.name for row in ROWS.values()}, f"no row of tests/table is about {name}"


def test_every_row_is_about_an_op() -> None:
    unknown = {row.name for row in ROWS.values()} - set(registry) - set(standard.FUNCTIONS) - set(dir(xgrad))
    assert not unknown, f"rows about {sorted(unknown)}, which are no functions of xgrad"


@pytest.fixture(scope="module")
def executed() -> Iterator[Counter[tuple[str, int, str]]]:
    """How often each rule ran when the table was run on NumPy: by op, argument, and what it was run on.

    For rules of forward mode the op's name has an arrow in front.
    """
    count: Counter[tuple[str, int, str]] = Counter()

    def watched(name: str, k: int, rule: Callable[..., Any]) -> Callable[..., Any]:
        def run(xp: Any, g: Any, *rest: Any) -> Any:
            one = g[0] if isinstance(g, (tuple, list)) else g
            found = rule(xp, g, *rest)
            count[name, k, "Tensors" if isinstance(one, xgrad.Tensor) else "raw arrays"] += 1
            return found

        return run

    originals = {name: (list(op.rules), list(op.pushes)) for name, op in LIBRARY.items()}
    for name, op in LIBRARY.items():
        op.rules[:] = [None if rule is None else watched(name, k, rule) for k, rule in enumerate(op.rules)]
        op.pushes[:] = [
            None if push is None else push._replace(rule=watched(f"->{name}", k, push.rule)) for k, push in enumerate(op.pushes)
        ]
    try:
        for row in ROWS.values():
            moves = row.name in ("to_device", "to_backend")  # what NumPy alone has nowhere to move to
            for backend in ("numpy", "strict") if moves else ("numpy",):
                if row.differentiable and backend not in row.skip:
                    # An error is reported where the row is tested; here its rules count as not run.
                    with contextlib.suppress(Exception):
                        arguments = Case(row.id).arguments()
                        run(row, backend, arguments, row.dtypes[0], min(row.order, 2), device=device_of(backend))
                        check_rules(*call(row, backend, arguments, row.dtypes[0], device_of(backend)))
        yield count
    finally:
        for name, op in LIBRARY.items():
            op.rules[:], op.pushes[:] = originals[name]


RULES = [
    (name, k)
    for name, op in sorted(LIBRARY.items())
    for k, rule in enumerate(op.rules)
    if rule is not None and op.derivative in ("rules", "zero")
]
RULES += [(f"->{name}", k) for name, op in sorted(LIBRARY.items()) for k, push in enumerate(op.pushes) if push is not None]


def argument(name: str, k: int) -> str:
    op = LIBRARY[name.removeprefix("->")]
    return op.names[op.arrays[k]]


@pytest.mark.parametrize("on", ["raw arrays", "Tensors"])
@pytest.mark.parametrize(("name", "k"), RULES, ids=[f"{name}-{argument(name, k)}" for name, k in RULES])
def test_pitfall_30_every_rule_was_run(name: str, k: int, on: str, executed: Counter[tuple[str, int, str]]) -> None:
    if name.removeprefix("->") in ("to_device", "to_backend") and not statuses()["strict"].usable:
        pytest.skip("array-api-strict is not installed, and NumPy has nowhere to move an array to")
    assert executed[name, k, on], f"no row of tests/table runs the rule of {name} for {argument(name, k)} on {on}"
