"""Sums of NumPy's arrays that stay precise for any number of elements.

NumPy sums pairwise only along the axis that is contiguous in memory. Along any other it adds row after row, in the dtype of the
array: over a million rows, float32 is wrong in the third digit, and float16 stops growing at 2048. Here such rows are summed by
products with ones, 64 at a time, which is also faster; and float16 is summed in float32.
"""

from __future__ import annotations

import math
from typing import Any

import array_api_compat.numpy
import numpy

__all__ = ["cumulative_sum", "matmul", "mean", "sum", "tensordot", "var", "vecdot"]

_reduce: Any = numpy.add.reduce  # what numpy.sum calls; five times as fast
_FEW = 256  # numbers that may be added in any order
_ROWS = 64  # rows that may be added one after the other
_LONG = 4096  # products that may be summed as BLAS does
_ONES = {char: numpy.ones(2 * _ROWS, char) for char in "fdFD"}
_WIDER = {"e": numpy.dtype("f"), "f": numpy.dtype("d"), "F": numpy.dtype("D")}


def sum(x: Any, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    """``numpy.sum``."""
    if dtype is None and x.size < _FEW and x.itemsize != 2:
        return _reduce(x, axis=axis, keepdims=keepdims)
    if dtype is not None and x.dtype != dtype:
        x = x.astype(dtype)
    char = x.dtype.char
    if char == "e":
        return total(x, axis, keepdims).astype(x.dtype)
    return total(x, axis, keepdims) if char in _ONES else _reduce(x, axis=axis, dtype=dtype, keepdims=keepdims)


def mean(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    """``numpy.mean``."""
    n = count(x, axis)
    if x.dtype.char not in "efdFD" or n == 0:
        return numpy.mean(x, axis=axis, keepdims=keepdims)
    y = total(x, axis, keepdims) / n
    return y.astype(x.dtype) if x.itemsize == 2 else y


def var(x: Any, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Any:
    """``numpy.var`` of real numbers."""
    n = count(x, axis)
    if x.dtype.char not in "efd" or n <= correction:
        return numpy.var(x, axis=axis, ddof=correction, keepdims=keepdims)  # type: ignore[call-overload]
    away = x - total(x, axis, True) / n
    y = total(away * away, axis, keepdims) / (n - correction)
    return y.astype(x.dtype) if x.itemsize == 2 else y


def cumulative_sum(x: Any, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False) -> Any:
    """``numpy.cumulative_sum``, summed in the next wider dtype."""
    own = x.dtype if dtype is None else numpy.dtype(dtype)
    wider = _WIDER.get(own.char)
    if wider is None:
        return array_api_compat.numpy.cumulative_sum(x, axis=axis, dtype=dtype, include_initial=include_initial)
    x = x if x.dtype == own else x.astype(own)
    return array_api_compat.numpy.cumulative_sum(x, axis=axis, dtype=wider, include_initial=include_initial).astype(own)


def matmul(a: Any, b: Any, /) -> Any:
    """``numpy.matmul``; in a product of a matrix with a vector, BLAS adds one term after the other, however many there are."""
    if not a.ndim or a.shape[-1] <= _LONG or a.dtype != b.dtype or a.dtype.char not in "efF" or not b.ndim:
        return numpy.matmul(a, b)
    if a.itemsize == 2:
        return matmul(a.astype("f"), b.astype("f")).astype(a.dtype)
    if (a.ndim > 1 and b.ndim > 1 and a.shape[-2] > 1 and b.shape[-1] > 1) or a.shape[-1] != b.shape[-2 if b.ndim > 1 else 0]:
        return numpy.matmul(a, b)
    rows = a[..., None, :] if a.ndim > 1 else a
    columns = b.swapaxes(-1, -2)[..., None, :, :] if b.ndim > 1 else b
    y = vecdot(rows.conj() if rows.dtype.char == "F" else rows, columns)
    return y[..., 0] if a.ndim > 1 and b.ndim == 1 else y[..., 0, :] if a.ndim == 1 and b.ndim > 1 else y


def tensordot(a: Any, b: Any, /, *, axes: Any = 2) -> Any:
    """``numpy.tensordot``."""
    if a.dtype != b.dtype or a.dtype.char not in "efF" or max(a.size, b.size) <= _LONG or isinstance(axes, int):
        return numpy.tensordot(a, b, axes=axes)
    paired1, paired2 = ([i % v.ndim for i in at] for at, v in zip(axes, (a, b)))
    free1, free2 = ([i for i in range(v.ndim) if i not in at] for v, at in ((a, paired1), (b, paired2)))
    n = math.prod([a.shape[i] for i in paired1])
    if n <= _LONG or [a.shape[i] for i in paired1] != [b.shape[i] for i in paired2]:
        return numpy.tensordot(a, b, axes=axes)
    y = matmul(a.transpose(free1 + paired1).reshape(-1, n), b.transpose(paired2 + free2).reshape(n, -1))
    return y.reshape([a.shape[i] for i in free1] + [b.shape[i] for i in free2])


def vecdot(a: Any, b: Any, /, *, axis: int = -1) -> Any:
    """``numpy.vecdot``."""
    plain = array_api_compat.numpy.vecdot
    if not a.ndim or not b.ndim or a.dtype != b.dtype or a.dtype.char not in "efF" or max(a.size, b.size) <= _LONG:
        return plain(a, b, axis=axis)
    if a.shape[axis] != b.shape[axis] or a.shape[axis] <= _LONG:
        return plain(a, b, axis=axis)
    if a.itemsize == 2:
        return vecdot(a.astype("f"), b.astype("f"), axis=axis).astype(a.dtype)
    a, b = numpy.moveaxis(a, axis, -1), numpy.moveaxis(b, axis, -1)
    step = a.shape[-1] // (2 * _ROWS)
    most = 2 * _ROWS * step
    parts = [v[..., :most].reshape(*v.shape[:-1], step, 2 * _ROWS) for v in (a, b)]
    return total(plain(*parts), -1, False) + plain(a[..., most:], b[..., most:])


def total(x: Any, axis: Any, keepdims: bool) -> Any:
    """The sum of floating-point numbers, real or complex; that of float16 is in float32."""
    if x.itemsize == 2:
        x = x.astype("f")
    if x.size < _FEW or not x.ndim or axis == ():
        return _reduce(x, axis=axis, keepdims=keepdims)
    if x.flags.c_contiguous:
        last = x.ndim - 1
        if axis is None or axis == last or axis == -1 or axis == (last,):
            return _reduce(x, axis=axis, keepdims=keepdims)
        if last == 1 and (axis == 0 or axis == (0,)):
            y = _of_rows(x)
            return y.reshape(1, -1) if keepdims else y
    return _in_memory_order(numpy.asarray(x), axis, keepdims)


def count(x: Any, axis: Any) -> int:
    """How many elements are reduced to one."""
    if axis is None:
        return int(x.size)
    axes = (axis,) if isinstance(axis, int) else axis
    for a in axes:
        if not -x.ndim <= a < x.ndim:
            raise numpy.exceptions.AxisError(a, x.ndim)
    return math.prod([x.shape[a] for a in axes])


def _of_rows(x: Any) -> Any:
    """The sum over the last axis but one, where that and the last are contiguous."""
    n = x.shape[-2]
    if n <= 8:
        return _reduce(x, axis=-2)
    ones = _ONES[x.dtype.char]
    if n <= ones.size:
        return ones[:n] @ x
    step = n // _ROWS  # add rows that are `step` apart first: the first product is then a large one
    near = x[..., : _ROWS * step, :].reshape(*x.shape[:-2], _ROWS, step * x.shape[-1])
    y = _of_rows((ones[:_ROWS] @ near).reshape(*x.shape[:-2], step, x.shape[-1]))
    return y + _of_rows(x[..., _ROWS * step :, :]) if n % _ROWS else y


def _in_memory_order(x: Any, axis: Any, keepdims: bool) -> Any:
    axes = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
    reduced = {a % x.ndim for a in axes}
    if len(reduced) < len(axes) or not all(-x.ndim <= a < x.ndim for a in axes):
        return _reduce(x, axis=axis, keepdims=keepdims)  # raises: there is no such axis, or one is named twice
    # Along a broadcast axis all elements are equal: the sum is a product.
    equal = {i for i in range(x.ndim) if x.shape[i] == 1 or x.strides[i] == 0}
    times = math.prod([x.shape[i] for i in equal & reduced])
    order = sorted(set(range(x.ndim)) - equal, key=lambda i: -abs(x.strides[i]))
    y = x.transpose(*equal, *order)[(0,) * len(equal)]
    lengths: list[int] = []
    summed: list[bool] = []
    step = 0
    for i in order:  # merge axes that are adjacent in memory, if both are summed or both are not
        if summed and summed[-1] == (i in reduced) and step == x.shape[i] * x.strides[i]:
            lengths[-1] *= x.shape[i]
        else:
            lengths.append(x.shape[i])
            summed.append(i in reduced)
        step = x.strides[i]
    y = y.reshape(lengths) if y.ndim else y
    while summed:
        if not summed.pop():
            continue
        at = len(summed)
        if at == y.ndim - 1:
            y = _reduce(y, axis=-1)
        else:
            shape = y.shape
            flat = y.reshape(*shape[: at + 1], -1)
            y = _of_rows(flat).reshape(*shape[:at], *shape[at + 1 :])
    y = y * times if times > 1 else y
    if len(reduced) == x.ndim:
        return numpy.asarray(y).reshape((1,) * x.ndim) if keepdims else y
    kept = [i for i in order if i not in reduced]
    y = y.reshape([x.shape[i] for i in kept]).transpose([kept.index(i) for i in sorted(kept)])
    shape = [1 if i in reduced else n for i, n in enumerate(x.shape)]
    y = numpy.asarray(y).reshape([1 if i in equal else n for i, n in enumerate(shape)])
    if list(y.shape) != shape:
        y = numpy.array(numpy.broadcast_to(y, shape))
    return y if keepdims else y.reshape([n for i, n in enumerate(shape) if i not in reduced])
