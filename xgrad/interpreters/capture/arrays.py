"""Arrays and numbers that write down what is done with them.

To the engine a `Traced` is a raw array like any other. It has the value that the library computed, so shapes, dtypes and errors
are the library's own, and no rule for shapes is needed. What it does not do is give the value away.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from ..operators import LiftedArray
from .trace import CannotCapture, Trace, Var, user_line

__all__ = ["Number", "Traced"]


class Traced(LiftedArray):
    """An array of one run of a function that is being captured.

    There is a subclass for each library; its attribute `backend` is their backend.
    """

    __slots__ = ("__weakref__", "value", "var")
    __hash__ = object.__hash__

    def __init__(self, value: Any, var: Var) -> None:
        self.value, self.var = value, var

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        return tuple(self.value.shape)

    @property
    def dtype(self) -> Any:
        return self.value.dtype

    @property
    def itemsize(self) -> int:
        return int(self.value.itemsize)

    @property
    def device(self) -> Any:
        return self.backend.device(self)

    def __setitem__(self, key: Any, value: Any) -> None:
        raise CannotCapture(
            f"{user_line()}: an array was written into in place inside a captured function; write to a Tensor, x[key] = v, "
            "which gives it a new array"
        )

    def __repr__(self) -> str:
        return f"<{self.var!r}: {self.backend.name} array of shape {self.shape}, {self.dtype}, in a captured function>"

    def _no_value(self, *_: Any, **__: Any) -> Any:
        made = self.var.call.line if self.var.call else "outside of the function"
        raise CannotCapture(
            f"{user_line()}: ``if``, ``while``, bool(x), float(x), range(x) or numpy.asarray(x) needs the value of an array "
            f"(made at {made}) inside a captured function, which is run once and then repeated for other values; choose between "
            "values with xgrad.where(condition, a, b), or take this out of the function"
        )

    __bool__ = __int__ = __float__ = __complex__ = __index__ = __array__ = __dlpack__ = _no_value


class Number:
    """A Python number that may be another one in the next run: a learning rate, the count of steps.

    Arithmetic with it is written down. Where Python needs its value, as in ``if lr > 0`` or ``math.sqrt(lr)``, the plan holds
    only for values that give the same answer, or for this value.
    """

    __slots__ = ("trace", "value", "var")
    __array_ufunc__ = None
    is_number = True  # an op takes it where it takes a Python scalar

    def __init__(self, trace: Trace, value: Any, var: Var) -> None:
        self.trace, self.value, self.var = trace, value, var

    def _compute(self, name: str, *operands: Any) -> Number:
        function: Callable[..., Any] = getattr(operator, name)
        value = function(*[x.value if isinstance(x, Number) else x for x in operands])
        args = tuple(x.var if isinstance(x, Number) else x for x in operands)
        (var,) = self.trace.add_host(name, function, args, [value])
        return Number(self.trace, value, var)

    def _answer(self, name: str, *operands: Any) -> bool:
        result = self._compute(name, *operands)
        self.trace.answers.append((result.var, bool(result.value)))
        return bool(result.value)

    def __bool__(self) -> bool:
        return self._answer("ne", self, 0)

    def _fixed(self) -> Any:
        self._answer("eq", self, self.value)
        return self.value

    def __float__(self) -> float:
        return float(self._fixed())

    def __int__(self) -> int:
        return int(self._fixed())

    def __index__(self) -> int:
        return operator.index(self._fixed())

    def __round__(self, digits: int | None = None) -> Any:
        return round(self._fixed(), digits)

    def __hash__(self) -> int:
        return hash(self._fixed())

    def __repr__(self) -> str:
        return repr(self.value)

    def __format__(self, how: str) -> str:
        return format(self.value, how)


def _binary(name: str, swap: bool) -> Any:
    def method(self: Number, other: Any) -> Any:
        if not isinstance(other, (int, float, Number)):
            return NotImplemented
        return self._compute(name, other, self) if swap else self._compute(name, self, other)

    return method


def _comparison(name: str) -> Any:
    def method(self: Number, other: Any) -> Any:
        return self._answer(name, self, other) if isinstance(other, (int, float, Number)) else NotImplemented

    return method


def _unary(name: str) -> Any:
    return lambda self: self._compute(name, self)


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow"):
    setattr(Number, f"__{_name}__", _binary(_name, False))
    setattr(Number, f"__r{_name}__", _binary(_name, True))
for _name in ("eq", "ne", "lt", "le", "gt", "ge"):
    setattr(Number, f"__{_name}__", _comparison(_name))
for _name in ("neg", "pos", "abs"):
    setattr(Number, f"__{_name}__", _unary(_name))
