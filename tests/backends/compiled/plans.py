"""Plans of functions of raw arrays, and what they compute: call by call, and by an executor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from xgrad_backends.compiled import build

from xgrad.backend import find_backend
from xgrad.graph.recording import interpreters
from xgrad.interpreters.capture.backend import Capture
from xgrad.interpreters.capture.plan import Plan
from xgrad.interpreters.capture.slots import ArgumentSlot
from xgrad.interpreters.capture.trace import Var, substitute


def captured(f: Callable[..., Any], *arguments: Any) -> Plan:
    """The plan of ``f(xp, *arguments)``, where Python numbers among the arguments are numbers of the plan."""
    base = find_backend("numpy")
    capture = Capture(base)
    token = interpreters.set((capture,))
    try:
        given = [_argument(capture, x, ArgumentSlot(k)) for k, x in enumerate(arguments)]
        with np.errstate(all="ignore"):
            y = f(capture.backend(base).xp, *given)
        outputs = [capture.backend(base).lift(x).var for x in (y if isinstance(y, (tuple, list)) else [y])]
        with np.errstate(all="ignore"):
            return Plan(capture.trace, outputs, base)
    finally:
        interpreters.reset(token)


def _argument(capture: Capture, x: Any, slot: ArgumentSlot) -> Any:
    from xgrad.interpreters.capture.arrays import Number

    if isinstance(x, (int, float)):
        return Number(capture.trace, x, capture.trace.number(x, slot))
    return capture.traced(x, capture.trace.input(x, slot))


def arrays_of(plan: Plan, arguments: Sequence[Any]) -> list[Any]:
    """The arguments that the plan uses, and other arrays that it reads."""
    return [arguments[slot.index] if isinstance(slot, ArgumentSlot) else np.array(slot.get()) for _, slot in plan.inputs]


def numbers_of(plan: Plan, arguments: Sequence[Any]) -> dict[Var, Any]:
    """All numbers of the plan."""
    numbers = {var: arguments[slot.index] for var, slot in plan.numbers}
    for call in plan.host:
        numbers.update(zip(call.outs, [call.function(*[numbers.get(x, x) if isinstance(x, Var) else x for x in call.args])]))
    return numbers


def call_by_call(plan: Plan, arguments: Sequence[Any]) -> list[Any]:
    """The outputs of the plan, each call made by the library."""
    known: dict[Var, Any] = dict(zip([var for var, _ in plan.inputs], arrays_of(plan, arguments))) | numbers_of(plan, arguments)

    def value(var: Var) -> Any:
        return var.value if var.kind == "constant" else known[var]

    with np.errstate(all="ignore"):
        for call in plan.calls:
            y = call.function(*substitute(call.args, value), **substitute(call.kwargs, value))
            known.update(zip(call.outs, y if call.container else [y]))
    return [np.array(value(var)) for var in plan.outputs]


def executed(
    plan: Plan, arguments: Sequence[Any], how: str, homes: Sequence[int | None] | None = None, runs: int = 1
) -> list[Any]:
    """The outputs of the plan, by an executor. Of `homes` the inputs are written into."""
    homes = [None] * len(plan.outputs) if homes is None else homes
    arrays = arrays_of(plan, arguments)
    executor = build(plan, homes, how)
    for k, array in enumerate(arrays):
        executor.bind_input(k, array)
    outs = []
    for k, (var, home) in enumerate(zip(plan.outputs, homes)):
        outs.append(np.full(var.shape, 77, var.dtype) if home is None else arrays[home])
        if home is None:
            executor.bind_output(k, outs[-1])
    numbers = numbers_of(plan, arguments)
    with np.errstate(all="ignore"):
        for _ in range(runs):
            executor.run(tuple(numbers[var] for var in plan.used_numbers))
    return outs


def units_apart(got: Any, want: Any) -> float:
    """How many units in the last place two arrays are apart at most; infinite if one has NaN or infinity elsewhere."""
    assert got.shape == want.shape and got.dtype == want.dtype
    if got.dtype.kind != "f":
        return 0.0 if np.array_equal(got, want) else np.inf
    kinds = [(np.isnan(x), np.isposinf(x), np.isneginf(x)) for x in (got, want)]
    if not all(np.array_equal(a, b) for a, b in zip(*kinds)):
        return np.inf
    finite = np.isfinite(want)
    with np.errstate(all="ignore"):
        units = np.abs(got[finite].astype(np.longdouble) - want[finite]) / np.spacing(np.abs(want[finite]))
    return float(units.max()) if units.size else 0.0


def check(f: Callable[..., Any], *arguments: Any, how: str, units: float = 0, scale: float = 0) -> None:
    """Compare an executor with the plan: so many units in the last place, or `scale` times the largest element, apart at most."""
    plan = captured(f, *arguments)
    want = call_by_call(plan, arguments)
    got = executed(plan, arguments, how)
    assert len(got) == len(want)
    for k, (x, y) in enumerate(zip(got, want)):
        assert x.shape == y.shape and x.dtype == y.dtype, f"output {k}"
        if scale and x.dtype.kind == "f":
            size = np.abs(y[np.isfinite(y)]).max(initial=0)
            same = np.isclose(x, y, rtol=0, atol=scale * size, equal_nan=True)
            assert same.all(), f"output {k}: {x[~same][:5]} is not {y[~same][:5]}\n{plan}"
        else:
            assert units_apart(x, y) <= units, f"output {k}: {x} is not {y}\n{plan}"
