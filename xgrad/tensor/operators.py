"""Operators of a Tensor: each is the xgrad function of its name."""

from __future__ import annotations

from typing import Any, Self

from ..errors import NotAnArray
from ..graph.names import xg

__all__ = ["Operators"]


def _pair(name: str, x1: Any, x2: Any) -> Any:
    """The function `name` of two operands; NotImplemented if xgrad does not know the type of one."""
    try:
        return getattr(xg, name)(x1, x2)
    except NotAnArray:
        return NotImplemented


def _divmod(x1: Any, x2: Any) -> Any:
    """The quotient of two operands, rounded down, and the remainder; NotImplemented if xgrad does not know the type of one."""
    quotient = _pair("floor_divide", x1, x2)
    return quotient if quotient is NotImplemented else (quotient, xg.remainder(x1, x2))


class Operators:
    """Operators. An operand of a type that xgrad does not know gets its turn: NotImplemented.

    On Tensor, ``+ - * / ** @`` are replaced by the calls that they make, without a method around them (`engine.operators`).
    """

    __slots__: tuple[str, ...] = ()

    def __add__(self, other: Any, /) -> Self:
        try:
            return xg.add(self, other)
        except NotAnArray:
            return NotImplemented

    def __radd__(self, other: Any, /) -> Self:
        try:
            return xg.add(other, self)
        except NotAnArray:
            return NotImplemented

    def __sub__(self, other: Any, /) -> Self:
        try:
            return xg.subtract(self, other)
        except NotAnArray:
            return NotImplemented

    def __rsub__(self, other: Any, /) -> Self:
        try:
            return xg.subtract(other, self)
        except NotAnArray:
            return NotImplemented

    def __mul__(self, other: Any, /) -> Self:
        try:
            return xg.multiply(self, other)
        except NotAnArray:
            return NotImplemented

    def __rmul__(self, other: Any, /) -> Self:
        try:
            return xg.multiply(other, self)
        except NotAnArray:
            return NotImplemented

    def __truediv__(self, other: Any, /) -> Self:
        try:
            return xg.divide(self, other)
        except NotAnArray:
            return NotImplemented

    def __rtruediv__(self, other: Any, /) -> Self:
        try:
            return xg.divide(other, self)
        except NotAnArray:
            return NotImplemented

    def __floordiv__(self, other: Any, /) -> Self:
        return _pair("floor_divide", self, other)

    def __rfloordiv__(self, other: Any, /) -> Self:
        return _pair("floor_divide", other, self)

    def __mod__(self, other: Any, /) -> Self:
        return _pair("remainder", self, other)

    def __rmod__(self, other: Any, /) -> Self:
        return _pair("remainder", other, self)

    def __divmod__(self, other: Any, /) -> tuple[Self, Self]:
        return _divmod(self, other)  # type: ignore[no-any-return]

    def __rdivmod__(self, other: Any, /) -> tuple[Self, Self]:
        return _divmod(other, self)  # type: ignore[no-any-return]

    def __pow__(self, other: Any, /) -> Self:
        try:
            return xg.pow(self, other)
        except NotAnArray:
            return NotImplemented

    def __rpow__(self, other: Any, /) -> Self:
        try:
            return xg.pow(other, self)
        except NotAnArray:
            return NotImplemented

    def __matmul__(self, other: Any, /) -> Self:
        try:
            return xg.matmul(self, other)
        except NotAnArray:
            return NotImplemented

    def __rmatmul__(self, other: Any, /) -> Self:
        try:
            return xg.matmul(other, self)
        except NotAnArray:
            return NotImplemented

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
        # An object that is no array and has no __eq__ of its own, such as None or a string, equals no element.
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
