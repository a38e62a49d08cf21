"""Steps for products of matrices and vectors."""

from __future__ import annotations

import math
from typing import Any

from . import views
from .lower import Lowering, NotHere, axes_of, rule
from .steps import Value

__all__ = ["matmul"]


@rule("matmul", "linalg.matmul")
def _matmul(low: Lowering, out: Any, a: Value, b: Value) -> Value:
    if out.dtype not in ("float32", "float64") or a.dtype != out.dtype or b.dtype != out.dtype:
        raise NotHere
    return matmul(low, a, b, out.shape)


def matmul(low: Lowering, a: Value, b: Value, shape: tuple[int, ...]) -> Value:
    """The product of floating-point matrices; a product of columns with rows is an elementwise one."""
    terms = a.shape[-1]
    if len(a.shape) == 1:
        a = low.view(a, (1, terms), views.squeezed_view((1, terms)))
    if len(b.shape) == 1:
        b = low.view(b, (terms, 1), views.squeezed_view((terms, 1)))
    rows, columns = a.shape[-2], b.shape[-1]
    lead = _broadcast(a.shape[:-2], b.shape[:-2])
    full = (*lead, rows, columns)
    if terms == 0:
        y = low.step("map", "copy", [0], full, a.dtype)
    elif terms == 1:
        y = low.step("map", "multiply", [a, b], full, a.dtype)
    elif rows == 1 and columns == 1:
        turned = low.view(
            b, (*b.shape[:-2], 1, terms), views.permuted([*range(len(b.shape) - 2), len(b.shape) - 1, len(b.shape) - 2])
        )
        y = low.reduce("sum", low.map("multiply", a, turned), (len(full) - 1,), True)
    elif (rows == 1 or columns == 1) and low.long is not None and terms > low.long and a.dtype.itemsize == 4:
        raise NotHere
    else:
        y = low.step("product", "matmul", [a, b], full, a.dtype)
    return y if full == shape else low.view(y, shape, views.squeezed_view(shape))


def _broadcast(one: tuple[int, ...], other: tuple[int, ...]) -> tuple[int, ...]:
    n = max(len(one), len(other))
    pairs = zip((1,) * (n - len(one)) + one, (1,) * (n - len(other)) + other)
    return tuple([b if a == 1 else a for a, b in pairs])


@rule("vecdot", "linalg.vecdot")
def _vecdot(low: Lowering, out: Any, a: Value, b: Value, axis: int = -1) -> Value:
    if axis != -1 or a.dtype != b.dtype or out.dtype not in ("float32", "float64"):
        raise NotHere
    product = low.map("multiply", a, b)
    return low.reduce("sum", product, (len(product.shape) - 1,), False)


@rule("tensordot", "linalg.tensordot")
def _tensordot(low: Lowering, out: Any, a: Value, b: Value, axes: Any = 2) -> Value:
    if a.dtype != b.dtype or out.dtype not in ("float32", "float64"):
        raise NotHere
    if isinstance(axes, int):
        axes = (range(len(a.shape) - axes, len(a.shape)), range(axes))
    first, second = ([k % len(v.shape) for k in at] for at, v in zip(axes, (a, b)))
    free = [[k for k in range(len(v.shape)) if k not in at] for v, at in ((a, first), (b, second))]
    terms = math.prod([a.shape[k] for k in first])
    if not all(a.shape[i] == b.shape[j] for i, j in zip(first, second)):
        raise NotHere
    left = _matrix(low, a, [*free[0], *first], (math.prod([a.shape[k] for k in free[0]]), terms))
    right = _matrix(low, b, [*second, *free[1]], (terms, math.prod([b.shape[k] for k in free[1]])))
    y = matmul(low, left, right, (left.shape[0], right.shape[1]))
    return low.view(y, out.shape, views.reshaped(out.shape), "reshape")


def _matrix(low: Lowering, x: Value, axes: list[int], shape: tuple[int, int]) -> Value:
    turned = low.view(x, [x.shape[k] for k in axes], views.permuted(axes))
    return low.view(turned, shape, views.reshaped(shape), "reshape")


@rule("linalg.vector_norm")
def _vector_norm(low: Lowering, out: Any, x: Value, axis: Any = None, keepdims: bool = False, ord: Any = 2) -> Value:
    if ord != 2 or x.dtype.kind != "f" or x.dtype != out.dtype:
        raise NotHere
    return low.map("sqrt", low.reduce("sum", low.map("square", x), axes_of(axis, len(x.shape)), keepdims))
