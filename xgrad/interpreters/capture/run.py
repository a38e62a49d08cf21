"""A plan as a Python function of arrays, call by call: for libraries without an executor of their own, and for comparison."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .plan import Plan
from .trace import Var

__all__ = ["call_by_call", "host_source"]

_INLINE = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "**", "eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">",
    "ge": ">=",
}  # fmt: skip


class Names:
    """Names for the objects that generated source uses."""

    def __init__(self) -> None:
        self.scope: dict[str, Any] = {}
        self._of: dict[int, str] = {}

    def bind(self, x: Any) -> str:
        """A name for `x`, or its literal."""
        if x is None or x.__class__ in (bool, int):
            return repr(x)
        name = self._of.get(id(x))
        if name is None:
            name = self._of[id(x)] = f"c{len(self.scope)}"
            self.scope[name] = x
        return name


def argument_source(x: Any, of_var: Callable[[Var], str], bind: Callable[[Any], str]) -> str:
    """Python source of an argument of a call."""
    if isinstance(x, Var):
        return bind(x.value) if x.kind == "constant" else of_var(x)
    if x.__class__ is tuple:
        return "(" + "".join(f"{argument_source(part, of_var, bind)}, " for part in x) + ")"
    if x.__class__ is list:
        return "[" + ", ".join(argument_source(part, of_var, bind) for part in x) + "]"
    if x.__class__ is slice:
        return f"slice({', '.join(argument_source(v, of_var, bind) for v in (x.start, x.stop, x.step))})"
    return bind(x)


def host_source(plan: Plan, names: Names) -> list[str]:
    """Statements that compute the numbers of a plan from those that it reads."""
    lines = []
    for call in plan.host:
        arguments = [argument_source(x, repr, names.bind) for x in call.args]
        if call.name in _INLINE and len(call.outs) == 1 and len(arguments) == 2:
            lines.append(f"{call.outs[0]!r} = {arguments[0]} {_INLINE[call.name]} {arguments[1]}")
        else:
            value = f"{names.bind(call.function)}({', '.join(arguments)})"
            left = repr(call.outs[0]) if call.name in _UNPACKED else ", ".join(map(repr, call.outs)) + ","
            lines.append(f"{left} = {value}")
    return lines


_UNPACKED = frozenset((*_INLINE, "neg", "pos", "abs", "floordiv", "mod"))
"""Host functions that return one number; others return a list of them."""


def call_by_call(plan: Plan) -> Callable[..., tuple[Any, ...]]:
    """The plan as a function of its inputs, its draws and its numbers, three tuples; it returns the outputs."""
    names = Names()
    lines = ["def run(inputs, draws, numbers):"]
    for left, variables in (
        ("inputs", [var for var, _ in plan.inputs]),
        ("draws", [out for call in plan.draws for out in call.outs]),
        ("numbers", plan.used_numbers),
    ):
        if variables:
            lines.append(f"    {', '.join(map(repr, variables))}, = {left}")
    last: dict[Var, int] = {}
    for k, call in enumerate(plan.calls):
        last.update(dict.fromkeys([*call.variables, *call.outs], k))
    kept = set(plan.outputs)
    for k, call in enumerate(plan.calls):
        arguments = [argument_source(x, repr, names.bind) for x in call.args]
        arguments += [f"{name}={argument_source(x, repr, names.bind)}" for name, x in call.kwargs.items()]
        left = ", ".join(map(repr, call.outs)) + ("," if call.container else "")
        lines.append(f"    {left} = {names.bind(call.function)}({', '.join(arguments)})")
        dead = [var for var, at in last.items() if at == k and var.kind == "result" and var not in kept]
        if dead:
            lines.append(f"    del {', '.join(map(repr, dead))}")
    lines.append("    return (" + "".join(f"{argument_source(var, repr, names.bind)}, " for var in plan.outputs) + ")")
    exec(compile("\n".join(lines), "<xgrad: captured plan>", "exec"), names.scope)
    run: Callable[..., tuple[Any, ...]] = names.scope["run"]
    return run
