"""The plan: what a capture wrote down, without what it does not need."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ...backend.find import raw_namespace
from ...backend.protocol import Backend
from .trace import Call, Trace, Var, substitute, variables

__all__ = ["Plan"]

IMPURE = frozenset(("empty", "empty_like"))
FILLED = {"zeros_like": 0, "ones_like": 1, "empty_like": 0}
SMALL = 1 << 22
"""Constants of more bytes than this are computed in each run."""


class Plan:
    """Calls that compute outputs from inputs.

    Parameters
    ----------
    trace : Trace
        What was written down.
    outputs : sequence of Var
        What is wanted.
    base : Backend
        The library.
    numbers : sequence of Var
        The numbers that are wanted.

    Attributes
    ----------
    inputs : list of (Var, Slot)
        The arrays that are used, and where they are read.
    numbers : list of (Var, Slot)
        The same for numbers of the host.
    host : list of Call
        The calls that compute numbers from numbers, which come first.
    draws : list of Call
        The calls that draw random numbers, in order; they come next, and their results are as inputs.
    calls : list of Call
        The calls on arrays, in order.
    outputs : list of Var
        A constant, an input, or the result of a call. A variable can be there more than once.
    answers : list of (Var, bool)
        Comparisons of numbers that must have these answers.
    """

    def __init__(self, trace: Trace, outputs: Sequence[Var], base: Backend, numbers: Sequence[Var] = ()) -> None:
        self.base = base
        self.recorded = len(trace.calls)
        calls = [call for call in trace.calls if call.kind == "array"]
        by: dict[Var, Var] = {}
        calls = _simplified(calls, by, base)
        self.last = last = _last(by)  # what a variable was replaced by
        self.outputs = [last(var) for var in outputs]
        self.answers = list(trace.answers)
        self.draws = [call for call in trace.calls if call.kind == "draw"]
        used = {*self.outputs}
        self.calls: list[Call] = []
        for call in reversed(calls):
            if any(out in used for out in call.outs):
                used.update(call.variables)
                self.calls.append(call)
        self.calls.reverse()
        used_numbers = {*used, *numbers, *(var for var, _ in self.answers)}
        self.host: list[Call] = []
        for call in reversed([call for call in trace.calls if call.kind == "host"]):
            if any(out in used_numbers for out in call.outs):
                used_numbers.update(call.variables)
                self.host.append(call)
        self.host.reverse()
        self.numbers = [(var, slot) for var, slot in trace.inputs if var.kind == "number" and var in used_numbers]
        self.inputs = [(var, slot) for var, slot in trace.inputs if var.kind != "number" and var in used]

    @property
    def used_numbers(self) -> list[Var]:
        """The numbers that calls on arrays take, in a fixed order."""
        return list(dict.fromkeys(var for call in self.calls for var in call.variables if var.kind == "number"))

    def __str__(self) -> str:
        lines = ["inputs: " + ", ".join(_typed(self.base, var) for var, _ in (*self.numbers, *self.inputs))]
        for call in (*self.host, *self.draws, *self.calls):
            arguments = [*map(_shown, call.args), *(f"{k}={_shown(v)}" for k, v in call.kwargs.items() if v is not None)]
            left = ", ".join(_typed(self.base, out) for out in call.outs)
            lines.append(f"{left} = {call.name}({', '.join(arguments)})   # {call.line}")
        lines.append("outputs: " + ", ".join(map(_shown, self.outputs)))
        return "\n".join(lines)


# ---------------------------------------------------------------------------------------------------------- simplification


def _last(by: dict[Var, Var]) -> Callable[[Var], Var]:
    def last(var: Var) -> Var:
        while var in by:
            var = by[var]
        return var

    return last


def _simplified(calls: list[Call], by: dict[Var, Var], base: Backend) -> list[Call]:
    """`calls` without those that compute constants, what was computed before, or one of their arguments.

    What replaces a variable is entered into `by`.
    """
    last = _last(by)
    known: dict[Any, Call] = {}
    kept: list[Call] = []
    for call in calls:
        call.args, call.kwargs = substitute(call.args, last), substitute(call.kwargs, last)
        is_constant = call.name not in IMPURE and all(var.kind == "constant" for var in call.variables)
        if (is_constant or _is_filled(call)) and _folded(call, base):
            continue
        same = _same_as(call)
        if same is not None:
            by[call.outs[0]] = same
            continue
        key = None if call.name in IMPURE else _key(call)
        if key is not None and key in known:
            by.update(zip(call.outs, known[key].outs))
            continue
        if key is not None:
            known[key] = call
        kept.append(call)
    return kept


def _is_filled(call: Call) -> bool:
    filled = call.name == "full_like" and not any(True for _ in variables((call.args[1:], call.kwargs)))
    return call.name in FILLED or filled


def _folded(call: Call, base: Backend) -> bool:
    """Make constants of the results of `call`, if they are small enough to keep."""
    if _is_filled(call):
        out = call.outs[0]
        value = call.args[1] if call.name == "full_like" and len(call.args) > 1 else FILLED.get(call.name)
        if value is None:
            return False
        xp = base.xp
        filled = xp.broadcast_to(xp.asarray(value, dtype=out.dtype, device=out.device), out.shape)
        out.kind, out.value = "constant", filled
        return True
    if sum(math.prod(out.shape) * 8 for out in call.outs) > SMALL:
        return False
    y = call.function(*substitute(call.args, _value), **substitute(call.kwargs, _value))
    for out, value in zip(call.outs, y if call.container else [y]):
        out.kind, out.value = "constant", value
    return True


def _value(var: Var) -> Any:
    return var.value


def _uniform(x: Any) -> Any:
    """The value of a Python number, or of a floating constant whose elements are all the same; else None."""
    if not isinstance(x, Var):
        return x if isinstance(x, (int, float)) and not isinstance(x, bool) else None
    if x.kind != "constant" or 0 in x.shape:
        return None
    xp = raw_namespace(x.value)
    if not xp.isdtype(x.dtype, "real floating"):
        return None
    first = x.value[(0,) * len(x.shape)]
    return float(first) if not x.shape or bool(xp.all(x.value == first)) else None


def _same_as(call: Call) -> Var | None:
    """The argument that the result is equal to, to the last bit; None if there is none."""
    if len(call.outs) != 1 or call.container is not None:
        return None
    out, name = call.outs[0], call.name
    x = call.args[0] if call.args and isinstance(call.args[0], Var) else None

    def same(var: Any) -> bool:
        return isinstance(var, Var) and var.kind != "number" and var.shape == out.shape and var.dtype == out.dtype

    if x is not None and same(x):
        if name in ("reshape", "broadcast_to", "astype", "squeeze", "expand_dims", "positive"):
            return x
        if name == "asarray" and not call.kwargs.get("copy"):
            return x
        if name in ("sum", "max", "min", "mean", "prod") and x.shape == ():
            return x
    if name in ("multiply", "divide", "subtract") and len(call.args) == 2 and not call.kwargs:
        one, other = call.args
        if same(one) and _uniform(other) == (0 if name == "subtract" else 1) and math.copysign(1, _uniform(other)) == 1:
            return one  # type: ignore[no-any-return]
        if name == "multiply" and same(other) and _uniform(one) == 1:
            return other  # type: ignore[no-any-return]
    before = x.call if x is not None and x.kind == "result" else None
    if before is None or before.name != name or not same(before.args[0] if before.args else None):
        return None
    inner: Var = before.args[0]
    if name in ("reshape", "negative", "matrix_transpose"):
        return inner
    if name == "permute_dims" and not call.kwargs and not before.kwargs and len(call.args) == 2:
        order = tuple(before.args[1][k] for k in call.args[1])
        return inner if order == tuple(range(len(order))) else None
    return None


def _key(call: Call) -> Any:
    """Equal for calls of the same function on the same arguments; None if they cannot be compared."""
    try:
        key = (call.name, call.function, _hashable(call.args), _hashable(call.kwargs))
        hash(key)
    except TypeError:
        return None
    return key


def _hashable(x: Any) -> Any:
    if isinstance(x, Var):
        if x.kind == "constant" and x.shape == () and hasattr(x.value, "tobytes"):
            return ("constant", str(x.dtype), x.value.tobytes())
        return x
    if x.__class__ in (tuple, list):
        return tuple([_hashable(part) for part in x])
    if x.__class__ is slice:
        return ("slice", _hashable((x.start, x.stop, x.step)))
    if x.__class__ is dict:
        return tuple([(name, _hashable(part)) for name, part in x.items()])
    if isinstance(x, float):
        return ("float", x.hex())  # 0.0 and -0.0 are equal
    return (type(x).__name__, x)


# ---------------------------------------------------------------------------------------------------------------- printing


def _typed(base: Backend, var: Var) -> str:
    dtype = var.dtype.__name__ if var.kind == "number" else base.dtype_of(var.dtype).name
    return f"{var!r}:{dtype}" + (f"[{','.join(map(str, var.shape))}]" if var.shape else "")


def _shown(x: Any) -> str:
    if isinstance(x, Var):
        if x.kind == "constant":
            return f"{x.value}" if x.shape == () else f"constant[{','.join(map(str, x.shape))}]"
        return repr(x)
    if x.__class__ in (tuple, list):
        return "(" + ", ".join(map(_shown, x)) + ("," if len(x) == 1 else "") + ")"
    if x.__class__ is slice:
        return ":".join("" if v is None else _shown(v) for v in (x.start, x.stop, x.step))
    return repr(x)
