"""NumPy's functions that make, reshape, join and split arrays, on Tensors."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

from .. import ops
from ..ops.parts.axes import axis_from_0
from .numpy_table import FUNCTIONS, as_shape, as_tensor, as_tensors, flat_without_axis, implements, operands

__all__ = ["split_at"]


FUNCTIONS.update(
    expand_dims=ops.expand_dims,
    matrix_transpose=ops.matrix_transpose,
    moveaxis=ops.moveaxis,
    permute_dims=ops.permute_dims,
    tile=ops.tile,
    unstack=ops.unstack,
    squeeze=lambda a, axis=None: a.squeeze(axis),
    transpose=lambda a, axes=None: ops.permute_dims(a, tuple(range(a.ndim))[::-1] if axes is None else tuple(axes)),
    broadcast_to=lambda array, shape: ops.broadcast_to(array, as_shape(shape)),
    broadcast_arrays=lambda *args: ops.broadcast_arrays(*as_tensors(args)),
    flip=lambda m, axis=None: ops.flip(m, axis=axis),
    fliplr=lambda m: ops.flip(m, axis=1),
    flipud=lambda m: ops.flip(m, axis=0),
    roll=lambda a, shift, axis=None: ops.roll(a, shift, axis=axis),
    repeat=lambda a, repeats, axis=None: ops.repeat(a, repeats, axis=axis),
)


# ------------------------------------------------------------------------------------------------------------ creation


FUNCTIONS.update(
    copy=lambda a: ops.asarray(a, copy=True),
    zeros_like=lambda a, dtype=None: ops.zeros_like(a, dtype=dtype),
    ones_like=lambda a, dtype=None: ops.ones_like(a, dtype=dtype),
    empty_like=lambda prototype, dtype=None: ops.empty_like(prototype, dtype=dtype),
    full_like=lambda a, fill_value, dtype=None: ops.full_like(a, fill_value, dtype=dtype),
    meshgrid=lambda *xi, indexing="xy": ops.meshgrid(*as_tensors(xi), indexing=indexing),
    tril=lambda m, k=0: ops.tril(m, k=k),
    triu=lambda m, k=0: ops.triu(m, k=k),
)


@implements("linspace")
def _linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, *, dtype: Any = None, axis: int = 0) -> Any:
    start, stop = as_tensors((start, stop))
    steps = ops.arange(num, dtype=start.dtype, device=start.device) / max(num - endpoint, 1)
    y = start + (stop - start) * ops.reshape(steps, (-1,) + (1,) * max(start.ndim, stop.ndim))
    y = y if dtype is None else ops.astype(y, dtype)
    return ops.moveaxis(y, 0, axis) if axis else y


@implements("logspace")
def _logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, *, dtype: Any = None, axis: int = 0
) -> Any:
    y = ops.pow(base, _linspace(start, stop, num, endpoint, axis=axis))
    return y if dtype is None else ops.astype(y, dtype)


@implements("geomspace")
def _geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, *, dtype: Any = None, axis: int = 0) -> Any:
    start, stop = as_tensors((start, stop))
    y = start * ops.pow(stop / start, _linspace(ops.zeros_like(start), ops.ones_like(stop), num, endpoint))
    y = y if dtype is None else ops.astype(y, dtype)
    return ops.moveaxis(y, 0, axis) if axis else y


# -------------------------------------------------------------------------------------------------------------- shapes


def _check_order(order: str) -> None:
    if order not in ("C", "K", "A"):
        raise TypeError(f"numpy.reshape on xgrad tensors: order={order!r} is not possible; transpose first")


@implements("reshape")
def _reshape(a: Any, shape: Any, order: str = "C", *, copy: bool | None = None) -> Any:
    _check_order(order)
    return ops.reshape(a, as_shape(shape), copy=copy)


@implements("ravel")
def _ravel(a: Any, order: str = "C") -> Any:
    _check_order(order)
    return ops.reshape(a, (-1,))


@implements("swapaxes")
def _swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    axis1, axis2 = (axis_from_0("numpy.swapaxes", axis, a.ndim) for axis in (axis1, axis2))
    order = list(range(a.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return ops.permute_dims(a, tuple(order))


@implements("rollaxis")
def _rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    axis, start = axis_from_0("numpy.rollaxis", axis, a.ndim), start + a.ndim * (start < 0)
    if not 0 <= start <= a.ndim:
        raise IndexError(f"numpy.rollaxis: start is out of bounds for an array of {a.ndim} axes")
    return ops.moveaxis(a, axis, start - (axis < start))


@implements("rot90")
def _rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    if len({axis_from_0("numpy.rot90", axis, m.ndim) for axis in axes}) != 2:
        raise ValueError(f"numpy.rot90: axes {axes} must be two different ones")
    for _ in range(k % 4):
        m = ops.flip(_swapaxes(m, *axes), axis=axes[0])
    return m


@implements("resize")
def _resize(a: Any, new_shape: Any) -> Any:
    shape = as_shape(new_shape)
    size, flat = math.prod(shape), ops.reshape(a, (-1,))
    return ops.reshape(ops.tile(flat, (-(-size // flat.shape[0]),))[:size], shape)


def _at_least(ndim: int, longer: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Callable[..., Any]:
    """A function that gives each argument `ndim` axes at least; `longer` makes the shape of one with fewer."""

    def run(*arys: Any) -> Any:
        arrays = [x if x.ndim >= ndim else ops.reshape(x, longer(x.shape)) for x in as_tensors(arys)]
        return arrays[0] if len(arrays) == 1 else tuple(arrays)

    return run


_at_least_1d = _at_least(1, lambda shape: (1,))
_at_least_2d = _at_least(2, lambda shape: (1, *shape) if shape else (1, 1))
_at_least_3d = _at_least(3, lambda shape: (1, 1, 1) if not shape else (1, *shape, 1) if len(shape) == 1 else (*shape, 1))
FUNCTIONS.update(atleast_1d=_at_least_1d, atleast_2d=_at_least_2d, atleast_3d=_at_least_3d)


# ------------------------------------------------------------------------------------------------------------- joining


FUNCTIONS.update(
    concat=ops.concat,
    concatenate=lambda arrays, axis=0: ops.concat(operands(*arrays), axis=axis),
    stack=lambda arrays, axis=0: ops.stack(operands(*arrays), axis=axis),
    column_stack=lambda tup: ops.concat([x if x.ndim > 1 else ops.reshape(x, (-1, 1)) for x in as_tensors(tup)], axis=1),
    dstack=lambda tup: ops.concat([_at_least_3d(x) for x in as_tensors(tup)], axis=2),
)


@implements("vstack", "row_stack")
def _vstack(tup: Sequence[Any]) -> Any:
    return ops.concat([_at_least_2d(x) for x in as_tensors(tup)], axis=0)


@implements("hstack")
def _hstack(tup: Sequence[Any]) -> Any:
    arrays = [_at_least_1d(x) for x in as_tensors(tup)]
    return ops.concat(arrays, axis=0 if arrays[0].ndim == 1 else 1)


@implements("append")
def _append(arr: Any, values: Any, axis: int | None = None) -> Any:
    arrays = [flat_without_axis(x, axis) for x in as_tensors((arr, values))]
    return ops.concat(arrays, axis=0 if axis is None else axis)


@implements("pad")
def _pad(array: Any, pad_width: Any, mode: str = "constant", *, constant_values: Any = 0) -> Any:
    return ops.pad(array, pad_width, mode, constant_values=constant_values)


@implements("block")
def _block(arrays: Any) -> Any:
    def depth(x: Any) -> int:
        return 1 + max(map(depth, x)) if isinstance(x, list) else 0

    levels = depth(arrays)

    def join(x: Any, level: int) -> Any:
        if not isinstance(x, list):
            x = as_tensor(x)
            return ops.reshape(x, (1,) * (levels - x.ndim) + x.shape)
        return ops.concat([join(part, level + 1) for part in x], axis=level - levels)

    return join(arrays, 0)


# ----------------------------------------------------------------------------------------------------------- splitting


def split_at(x: Any, indices_or_sections: Any, axis: int, *, equal: bool = True) -> list[Any]:
    """The parts of `x` along an axis, between indices or in a number of sections, of equal length if `equal` is set."""
    axis = axis_from_0("numpy.split", axis, x.ndim)
    n = x.shape[axis]
    if hasattr(indices_or_sections, "__index__"):
        count = operator.index(indices_or_sections)
        if count < 1:
            raise ValueError(f"numpy.split: {count} parts; there must be one at least")
        if equal and n % count:
            raise ValueError(f"numpy.split: axis {axis} has {n} elements, which cannot be split into {count} equal parts")
        ends = [n // count * k + min(k, n % count) for k in range(1, count)]
    else:
        ends = [int(k) for k in indices_or_sections]
    lead = (slice(None),) * axis
    return [x[(*lead, slice(start, end))] for start, end in zip([0, *ends], [*ends, n])]


FUNCTIONS.update(
    array_split=lambda ary, indices_or_sections, axis=0: split_at(ary, indices_or_sections, axis, equal=False),
    split=lambda ary, indices_or_sections, axis=0: split_at(ary, indices_or_sections, axis),
    hsplit=lambda ary, indices_or_sections: split_at(ary, indices_or_sections, 0 if ary.ndim == 1 else 1),
    vsplit=lambda ary, indices_or_sections: split_at(ary, indices_or_sections, 0),
    dsplit=lambda ary, indices_or_sections: split_at(ary, indices_or_sections, 2),
)
