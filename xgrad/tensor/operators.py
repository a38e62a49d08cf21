"""Operators of a Tensor: each is the xgrad function of its name."""

from __future__ import annotations

from typing import Any, Self

from ..errors import NotAnArray
from ..graph.names import xg

__all__ = ["OPERANDS", "Operators"]


OPERANDS: set[type] = {float, int}
"""What `_pair` need not look at: Python's numbers, and Tensor, which adds itself."""


def _pair(name: str, x1: Any, x2: Any) -> Any:
    """The function `name` of two operands; NotImplemented if one is of a type that has to take its turn."""
    try:
        return getattr(xg, name)(x1, x2)
    except NotAnArray:
        return NotImplemented


class Operators:
    """Operators. An operand of a type that xgrad does not know gets its turn."""

    __slots__: tuple[str, ...] = ()

    def __add__(self, other: Any, /) -> Self:
        return xg.add(self, other) if other.__class__ in OPERANDS else _pair("add", self, other)

    def __radd__(self, other: Any, /) -> Self:
        return xg.add(other, self) if other.__class__ in OPERANDS else _pair("add", other, self)

    def __sub__(self, other: Any, /) -> Self:
        return xg.subtract(self, other) if other.__class__ in OPERANDS else _pair("subtract", self, other)

    def __rsub__(self, other: Any, /) -> Self:
        return xg.subtract(other, self) if other.__class__ in OPERANDS else _pair("subtract", other, self)

    def __mul__(self, other: Any, /) -> Self:
        return xg.multiply(self, other) if other.__class__ in OPERANDS else _pair("multiply", self, other)

    def __rmul__(self, other: Any, /) -> Self:
        return xg.multiply(other, self) if other.__class__ in OPERANDS else _pair("multiply", other, self)

    def __truediv__(self, other: Any, /) -> Self:
        return xg.divide(self, other) if other.__class__ in OPERANDS else _pair("divide", self, other)

    def __rtruediv__(self, other: Any, /) -> Self:
        return xg.divide(other, self) if other.__class__ in OPERANDS else _pair("divide", other, self)

    def __floordiv__(self, other: Any, /) -> Self:
        return _pair("floor_divide", self, other)

    def __rfloordiv__(self, other: Any, /) -> Self:
        return _pair("floor_divide", other, self)

    def __mod__(self, other: Any, /) -> Self:
        return _pair("remainder", self, other)

    def __rmod__(self, other: Any, /) -> Self:
        return _pair("remainder", other, self)

    def __pow__(self, other: Any, /) -> Self:
        return xg.pow(self, other) if other.__class__ in OPERANDS else _pair("pow", self, other)

    def __rpow__(self, other: Any, /) -> Self:
        return xg.pow(other, self) if other.__class__ in OPERANDS else _pair("pow", other, self)

    def __matmul__(self, other: Any, /) -> Self:
        return xg.matmul(self, other) if other.__class__ in OPERANDS else _pair("matmul", self, other)

    def __rmatmul__(self, other: Any, /) -> Self:
        return xg.matmul(other, self) if other.__class__ in OPERANDS else _pair("matmul", other, self)

    def __and__(self, other: Any, /) -> Self:
        return _pair("bitwise_and", self, other)

    def __rand__(self, other: Any, /) -> Self:
        return _pair("bitwise_and", other, self)

    def __or__(self, other: Any, /) -> Self:
        return _pair("bitwise_or", self, other)

    def __ror__(self, other: Any, /) -> Self:
        return _pair("bitwise_or", other, self)

    def __xor__(self, other: Any, /) -> Self:
        return _pair("bitwise_xor", self, other)

    def __rxor__(self, other: Any, /) -> Self:
        return _pair("bitwise_xor", other, self)

    def __lshift__(self, other: Any, /) -> Self:
        return _pair("bitwise_left_shift", self, other)

    def __rlshift__(self, other: Any, /) -> Self:
        return _pair("bitwise_left_shift", other, self)

    def __rshift__(self, other: Any, /) -> Self:
        return _pair("bitwise_right_shift", self, other)

    def __rrshift__(self, other: Any, /) -> Self:
        return _pair("bitwise_right_shift", other, self)

    def __eq__(self, other: Any, /) -> Self:  # type: ignore[override]
        try:
            return xg.equal(self, other)
        except NotAnArray:
            return self._unlike(other, False)

    def __ne__(self, other: Any, /) -> Self:  # type: ignore[override]
        try:
            return xg.not_equal(self, other)
        except NotAnArray:
            return self._unlike(other, True)

    def _unlike(self, other: Any, differs: bool) -> Any:
        # What is no array and has no opinion of its own, such as None and strings, equals no element.
        kind: Any = type(other)
        if kind.__module__ != "builtins" and kind.__eq__ is not object.__eq__:
            return NotImplemented
        return xg.full_like(self, differs, dtype=xg.bool)

    def __lt__(self, other: Any, /) -> Self:
        return _pair("less", self, other)

    def __le__(self, other: Any, /) -> Self:
        return _pair("less_equal", self, other)

    def __gt__(self, other: Any, /) -> Self:
        return _pair("greater", self, other)

    def __ge__(self, other: Any, /) -> Self:
        return _pair("greater_equal", self, other)

    def __neg__(self) -> Self:
        return xg.negative(self)

    def __pos__(self) -> Self:
        return xg.positive(self)

    def __abs__(self) -> Self:
        return xg.abs(self)

    def __invert__(self) -> Self:
        return xg.bitwise_invert(self)

    __hash__ = object.__hash__  # by identity, though == compares elements
