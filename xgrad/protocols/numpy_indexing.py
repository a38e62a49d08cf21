"""NumPy's functions that pick, sort, compare and write elements, on Tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import ops
from ..engine.namespaces import namespace
from ..ops.parts.axes import axis_from_0
from ..tensor.tensor import Tensor
from .numpy_shapes import split_at
from .numpy_table import FUNCTIONS, as_tensor, as_tensors, check_writable, flat_without_axis, implements, to_host

__all__: list[str] = []


# ------------------------------------------------------------------------------------------------------------- picking


def _take(a: Any, indices: Any, axis: int | None = None) -> Any:
    return ops.take(flat_without_axis(a, axis), indices, axis=0 if axis is None else axis)


def _take_along_axis(arr: Any, indices: Any, axis: int | None = -1) -> Any:
    return ops.take_along_axis(flat_without_axis(arr, axis), indices, axis=0 if axis is None else axis)


FUNCTIONS.update(
    take=_take,
    take_along_axis=_take_along_axis,
    nonzero=lambda a: ops.nonzero(a),
    flatnonzero=lambda a: ops.nonzero(flat_without_axis(a))[0],
    argwhere=lambda a: ops.stack(ops.nonzero(a), axis=-1),
    compress=lambda condition, a, axis=None: _take(a, ops.nonzero(as_tensor(condition))[0], axis),
    extract=lambda condition, arr: flat_without_axis(arr)[flat_without_axis(ops.astype(as_tensor(condition), "bool"))],
    tril_indices_from=lambda arr, k=0: ops.tril_indices(arr.shape[-2], k, arr.shape[-1], device=arr.device),
    triu_indices_from=lambda arr, k=0: ops.triu_indices(arr.shape[-2], k, arr.shape[-1], device=arr.device),
    diag_indices_from=lambda arr: (ops.arange(arr.shape[0], device=arr.device),) * arr.ndim,
)


@implements("delete")
def _delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    import numpy

    arr = flat_without_axis(arr, axis)
    axis = axis_from_0("numpy.delete", axis or 0, arr.ndim)
    indices = numpy.delete(numpy.arange(arr.shape[axis]), to_host(obj))
    return ops.take(arr, indices.tolist(), axis=axis)


@implements("insert")
def _insert(arr: Any, obj: int, values: Any, axis: int | None = None) -> Any:
    arr = flat_without_axis(arr, axis)
    axis = axis_from_0("numpy.insert", axis or 0, arr.ndim)
    n = arr.shape[axis]
    if not isinstance(obj, int):
        raise TypeError("numpy.insert on xgrad tensors: only before one index, an int; concatenate slices for more")
    if not -n <= obj <= n:
        raise IndexError(f"numpy.insert: index {obj} is out of bounds for axis {axis}, which has {n} elements")
    before, after = split_at(arr, [obj % (n + 1) if obj >= 0 else obj % n], axis)
    _, values = as_tensors((arr, values))
    if values.ndim < arr.ndim and arr.ndim > 1:
        values = ops.broadcast_to(values, (*arr.shape[:axis], 1, *arr.shape[axis + 1 :]))
    else:
        values = ops.reshape(values, (*arr.shape[:axis], -1, *arr.shape[axis + 1 :]))
    return ops.concat([before, values, after], axis=axis)


@implements("apply_along_axis")
def _apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    moved = ops.moveaxis(arr, axis, -1)
    rows = ops.reshape(moved, (-1, moved.shape[-1]))
    results = ops.stack(as_tensors([func1d(row, *args, **kwargs) for row in rows]))
    y = ops.reshape(results, (*moved.shape[:-1], *results.shape[1:]))
    for k in range(y.ndim - moved.ndim + 1):
        y = ops.moveaxis(y, moved.ndim - 1 + k, axis % arr.ndim + k)
    return y


# ------------------------------------------------------------------------------------------------- sorting and comparing


@implements("sort")
def _sort(a: Any, axis: int | None = -1) -> Any:
    return ops.sort(flat_without_axis(a, axis), axis=-1 if axis is None else axis)


@implements("argsort")
def _argsort(a: Any, axis: int | None = -1) -> Any:
    return ops.argsort(flat_without_axis(a, axis), axis=-1 if axis is None else axis)


FUNCTIONS.update(
    digitize=ops.digitize,
    unique_all=ops.unique_all,
    unique_counts=ops.unique_counts,
    unique_inverse=ops.unique_inverse,
    unique_values=ops.unique_values,
    partition=lambda a, kth, axis=-1: _sort(a, axis),  # a sorted array is partitioned at every place
    argpartition=lambda a, kth, axis=-1: _argsort(a, axis),
    searchsorted=lambda a, v, side="left", sorter=None: ops.searchsorted(*as_tensors((a, v)), side=side, sorter=sorter),
    isin=lambda element, test_elements: ops.isin(*as_tensors((element, test_elements))),
    union1d=lambda ar1, ar2: ops.unique_values(ops.concat([flat_without_axis(x) for x in as_tensors((ar1, ar2))])),
)


@implements("bincount")
def _bincount(x: Any, weights: Any = None, minlength: int = 0) -> Any:
    if not hasattr(x, "dtype") and isinstance(weights, Tensor):
        x = namespace(weights.backend).asarray(x, device=weights.device)
    return ops.bincount(as_tensor(x), weights, minlength)


@implements("unique")
def _unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False, *, equal_nan: bool = True
) -> Any:
    requested = (return_index, return_inverse, return_counts)
    values, *others = ops.unique_all(ar) if any(requested) else (ops.unique_values(ar),)
    if equal_nan and values.dtype.inexact and (nans := int(ops.count_nonzero(values != values))) > 1:
        if others:
            raise TypeError("numpy.unique on xgrad tensors: several elements are NaN; pass equal_nan=False")
        values = ops.sort(values)[: 1 - nans]  # NaNs are last
    return (values, *(x for x, is_requested in zip(others, requested) if is_requested)) if others else values


# ------------------------------------------------------------------------------------------------------------- writing


@implements("copyto")
def _copyto(dst: Any, src: Any) -> None:
    check_writable("numpy.copyto", dst)
    dst[...] = src


@implements("putmask")
def _putmask(a: Any, mask: Any, values: Any) -> None:
    check_writable("numpy.putmask", a)
    a[...] = ops.where(mask, values, a)


@implements("put")
def _put(a: Any, ind: Any, v: Any) -> None:
    check_writable("numpy.put", a)
    a[...] = ops.reshape(ops.setitem(flat_without_axis(a), ind, v), a.shape)


@implements("fill_diagonal")
def _fill_diagonal(a: Any, val: Any) -> None:
    check_writable("numpy.fill_diagonal", a)
    a[...] = ops.setitem(a, (ops.arange(min(a.shape)),) * a.ndim, val)
