"""Operators of Tensors that are the fast calls of ops themselves, in place of methods that call them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from ..errors import NotAnArray
from ..graph.declare import Op
from ..tensor.tensor import Tensor
from .fast import two_arrays

__all__ = ["make_operator"]

OPERATORS = {
    "add": "__add__", "subtract": "__sub__", "multiply": "__mul__", "divide": "__truediv__", "pow": "__pow__",
    "matmul": "__matmul__",
}  # fmt: skip


def make_operator(op: Op[..., Any], general: Callable[..., Any], usual: Callable[..., Any]) -> None:
    """Make the fast call of `op`, an op of two arrays, the operator of Tensors that it stands for, if there is one."""
    name = OPERATORS.get(op.name) if op.is_own else None
    if name is not None:
        call = two_arrays(op, _or_not_implemented(general), _or_not_implemented(usual))
        setattr(Tensor, name, functools.wraps(getattr(Tensor, name))(call))


def _or_not_implemented(call: Callable[..., Any]) -> Callable[..., Any]:
    """`call`, which returns NotImplemented for an operand of a type that xgrad does not know: it gets its turn."""

    def run(x1: Any, x2: Any) -> Any:
        try:
            return call(x1, x2)
        except NotAnArray:
            return NotImplemented

    return run
