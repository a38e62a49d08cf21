"""The arrays of interpreters: what they have in common, and operators from the functions of their namespace."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, ClassVar

__all__ = ["OPERATORS", "LiftedArray", "with_operators"]


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


class LiftedArray:
    """What the arrays of every interpreter have: facts that follow from their shape, and access to their elements.

    A subclass has `shape`; each backend makes a subclass of that, with the backend as its attribute `backend`.
    """

    __slots__ = ()
    backend: ClassVar[Any]
    shape: Any
    __array_ufunc__ = None  # operators of NumPy's arrays return NotImplemented, and ours are called

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def T(self) -> Any:
        return self.backend.xp.permute_dims(self, tuple(range(self.ndim))[::-1])

    @property
    def mT(self) -> Any:
        return self.backend.xp.matrix_transpose(self)

    def __getitem__(self, key: Any) -> Any:
        return self.backend.get_item(self, key)

    def __len__(self) -> int:
        length: int = self.shape[0]
        return length


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
