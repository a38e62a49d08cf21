"""What a capture writes down: variables, and the calls that compute them."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

__all__ = ["Call", "CannotCapture", "Trace", "Var", "mapped", "substitute", "user_line", "variables"]


class CannotCapture(RuntimeError):
    """A function did something that cannot be written down once and repeated for other values."""


class Var:
    """A variable of a plan: an array, or a number of the host.

    Attributes
    ----------
    kind : {"input", "constant", "result", "number"}
        Numbers are Python's: a learning rate, the count of steps.
    shape, dtype :
        Of the array; of a number, ``()`` and its Python type.
    value : array
        That of a constant; else None.
    call : Call or None
        The call that computes it.
    device :
        Of the result of a call.
    """

    __slots__ = ("call", "device", "dtype", "id", "kind", "shape", "value")

    def __init__(self, id: int, kind: str, shape: Sequence[int], dtype: Any, value: Any = None) -> None:
        self.id, self.kind, self.shape, self.dtype, self.value = id, kind, tuple(shape), dtype, value
        self.call: Call | None = None
        self.device: Any = None  # of the result of a call, as the library says it

    def __repr__(self) -> str:
        return f"{'c' if self.kind == 'constant' else 'n' if self.kind == 'number' else 'v'}{self.id}"


class Call:
    """One call of a function of the library, or of the host.

    Attributes
    ----------
    name : str
        The function's name in the raw namespace: ``"multiply"``, ``"linalg.solve"``, ``"get_item"``.
    function : callable
        The function itself.
    args, kwargs :
        Its arguments, with variables in place of arrays and numbers.
    outs : list of Var
        What it returns.
    container : type or None
        The tuple or list that it returns several arrays in.
    kind : {"array", "host", "draw"}
        ``"host"`` computes numbers from numbers; ``"draw"`` takes no variables and is made again, in order, in each run.
    line : str
        The user's line.
    """

    __slots__ = ("args", "container", "function", "kind", "kwargs", "line", "name", "outs")

    def __init__(
        self,
        name: str,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        outs: list[Var],
        container: Any = None,
        kind: str = "array",
        line: str = "",
    ) -> None:
        self.name, self.function, self.args, self.kwargs = name, function, args, kwargs
        self.outs, self.container, self.kind, self.line = outs, container, kind, line
        for var in outs:
            var.call = self

    @property
    def variables(self) -> list[Var]:
        """The variables in its arguments."""
        return [*variables(self.args), *variables(self.kwargs)]


def variables(x: Any) -> Iterator[Var]:
    """The variables in nested arguments."""
    if isinstance(x, Var):
        yield x
    elif x.__class__ in (tuple, list):
        for part in x:
            yield from variables(part)
    elif x.__class__ is slice:
        yield from variables((x.start, x.stop, x.step))
    elif x.__class__ is dict:
        yield from variables(list(x.values()))


def mapped(leaf: Callable[[Any], Any], x: Any) -> Any:
    """Nested arguments with ``leaf(part)`` in place of each part that is no tuple, list, slice or dict."""
    if x.__class__ in (tuple, list):
        return x.__class__([mapped(leaf, part) for part in x])
    if x.__class__ is slice:
        return slice(*[mapped(leaf, part) for part in (x.start, x.stop, x.step)])
    if x.__class__ is dict:
        return {name: mapped(leaf, part) for name, part in x.items()}
    return leaf(x)


def substitute(x: Any, replace: Callable[[Var], Any]) -> Any:
    """Nested arguments with ``replace(var)`` in place of each variable."""
    return mapped(lambda part: replace(part) if isinstance(part, Var) else part, x)


class Trace:
    """The calls of one run of a function, in order, and the inputs that they need.

    Attributes
    ----------
    calls : list of Call
    inputs : list of (Var, Slot)
        Each with the place that its array or number is read from in each run.
    answers : list of (Var, bool)
        Comparisons of numbers that Python branched on, with their answers: the plan is right only where they are the same.
    """

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.inputs: list[tuple[Var, Any]] = []
        self.answers: list[tuple[Var, bool]] = []
        self._ids = itertools.count()

    def var(self, kind: str, shape: Sequence[int], dtype: Any, value: Any = None) -> Var:
        """A new variable."""
        return Var(next(self._ids), kind, shape, dtype, value)

    def input(self, value: Any, slot: Any) -> Var:
        """A variable for an array that each run reads from `slot`."""
        var = self.var("input", value.shape, value.dtype)
        self.inputs.append((var, slot))
        return var

    def number(self, value: Any, slot: Any) -> Var:
        """A variable for a Python number that each run reads from `slot`."""
        var = self.var("number", (), type(value))
        self.inputs.append((var, slot))
        return var

    def add(
        self, name: str, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], y: Any, kind: str = "array"
    ) -> list[Var]:
        """Write down a call that returned `y`, an array or several, and return the variables of its results."""
        several = y if isinstance(y, (tuple, list)) else [y]
        container = type(y) if isinstance(y, (tuple, list)) else None
        outs = [self.var("result", v.shape, v.dtype) for v in several]
        for out, v in zip(outs, several):
            out.device = getattr(v, "device", None)
        self.calls.append(Call(name, function, args, kwargs, outs, container, kind, user_line()))
        return outs

    def add_host(self, name: str, function: Callable[..., Any], args: tuple[Any, ...], values: Sequence[Any]) -> list[Var]:
        """Write down a call of the host that returned these numbers."""
        outs = [self.var("number", (), type(value)) for value in values]
        self.calls.append(Call(name, function, args, {}, outs, None, "host", user_line()))
        return outs


def user_line() -> str:
    """The line outside of xgrad that is being run, as ``file:line``."""
    frame: Any = sys._getframe(1)
    while frame is not None and ("__xgrad__" in frame.f_globals or frame.f_code.co_filename.startswith("<")):
        frame = frame.f_back
    return "an unknown line" if frame is None else f"{frame.f_code.co_filename}:{frame.f_lineno}"
