"""Operators for a class of arrays, from the functions of its namespace."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

__all__ = ["OPERATORS", "with_operators"]


_BINARY = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide", "mod": "remainder",
    "pow": "pow", "matmul": "matmul", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
    "lshift": "bitwise_left_shift", "rshift": "bitwise_right_shift",
}  # fmt: skip
_COMPARISONS = {"eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}
_UNARY = {"neg": "negative", "pos": "positive", "abs": "abs", "invert": "bitwise_invert"}
_SCALARS = (bool, int, float, complex)

OPERATORS: dict[str, Callable[..., Any]] = {
    name: getattr(operator, f"__{short}__") for short, name in {**_BINARY, **_COMPARISONS, **_UNARY}.items()
}
"""Python's operators by the names of the functions of the standard."""


def with_operators(cls: Any, xp: Any, takes: Callable[[Any], bool]) -> None:
    """Give a class of arrays the operators of Python.

    Parameters
    ----------
    cls : type
        The class.
    xp : namespace
        The namespace of its arrays: ``a + b`` calls ``xp.add(a, b)``.
    takes : callable
        Says whether an operand that is neither an array of `cls` nor a Python scalar may be handed to `xp`. If not, the
        operator returns NotImplemented, and the other operand gets its turn.
    """

    def binary(function: Callable[[Any, Any], Any]) -> Any:
        def method(self: Any, other: Any) -> Any:
            if other.__class__ is cls or other.__class__ in _SCALARS or takes(other):
                return function(self, other)
            return NotImplemented

        return method

    for short, name in {**_BINARY, **_COMPARISONS}.items():
        setattr(cls, f"__{short}__", binary(getattr(xp, name)))
    for short, name in _BINARY.items():
        setattr(cls, f"__r{short}__", binary(_swapped(getattr(xp, name))))
    for short, name in _UNARY.items():
        setattr(cls, f"__{short}__", _method(getattr(xp, name)))


def _swapped(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda self, other: function(other, self)


def _method(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda self: function(self)
