"""What indexing and searching do to batched arrays."""

from __future__ import annotations

from typing import Any

from ... import ops
from ...errors import NotBatchable
from ...ops.parts import keys
from ...ops.parts.axes import axis_from_0
from ...tensor.tensor import Tensor
from ..interpreter import LiftedBackend
from .arrays import Batched
from .functions import expand_dims, reshape
from .payloads import common_batch, like, payload_axes, rule, with_batch, with_ndim, xgrad_function

__all__: list[str] = []


# -------------------------------------------------------------------------------------------------------------- indexing


class Key:
    """An index in two parts: `grid`, of integers, slices and None; then `arrays` of integers along some axes of ``x[grid]``."""

    def __init__(self, backend: LiftedBackend, x: Batched, key: Any) -> None:
        parts = list(key) if isinstance(key, tuple) else [key]
        parts = [backend.lift(part) if hasattr(part, "dtype") else part for part in parts]
        parts = [part for mixed in parts for part in _without_mask(mixed)]
        used = sum(part is not None and part is not Ellipsis for part in parts)
        gap = next((i for i, part in enumerate(parts) if part is Ellipsis), len(parts))
        parts[gap : gap + 1] = [slice(None)] * (x.ndim - used)
        if used > x.ndim or any(part is Ellipsis for part in parts):
            raise IndexError(f"x[key]: {used} indices, and '...' once at most, for an array of {x.ndim} axes")
        self.arrays: list[Batched] = []
        self.axes: list[int] = []  # the axes of x[grid] that the arrays index
        self.grid: list[Any] = []
        advanced = [i for i, part in enumerate(parts) if isinstance(part, (int, Batched)) and not isinstance(part, bool)]
        adjacent = advanced == list(range(advanced[0], advanced[-1] + 1)) if advanced else True
        self.place = 0  # the first axis of the arrays in the result: 0, unless they are adjacent
        axis = 0
        for i, part in enumerate(parts):
            if isinstance(part, Batched):
                self.arrays.append(part)
                self.axes.append(axis)
                self.grid.append(slice(None))
            else:
                self.grid.append(part)
            if adjacent and advanced and i == advanced[0]:
                self.place = axis
            axis += not isinstance(part, int)
        self.whole = all(isinstance(part, slice) and part == slice(None) for part in self.grid)  # whether x[grid] is x
        self.ndim = max((array.ndim for array in self.arrays), default=0)  # of the arrays, broadcast

    def indices(self, x: Batched) -> tuple[Any, ...]:
        """The index that reads the arrays' elements from ``front(x)``."""
        if all(array.batch is None for array in self.arrays):
            lead: tuple[Any, ...] = () if x.batch is None else (slice(None),)
            return (*lead, *(array.payload for array in self.arrays))
        payloads = [with_ndim(array, self.ndim) for array in self.arrays]
        if x.batch is None:
            return tuple(payloads)
        xp = payloads[0].__array_namespace__()
        example = xp.arange(x.batch.size, device=payloads[0].device)
        return (xp.reshape(example, (-1, *(1,) * self.ndim)), *payloads)

    def front(self, x: Batched) -> Tensor:
        """The payload of `x` with the indexed axes moved right after the batch axis."""
        return ops.moveaxis(x.payload, payload_axes(self.axes, x), payload_axes(_first(len(self.axes)), x))

    def back(self, x: Batched, payload: Tensor) -> Tensor:
        """`payload` with the axes that `front` moved in their places again."""
        return ops.moveaxis(payload, payload_axes(_first(len(self.axes)), x), payload_axes(self.axes, x))

    def in_place(self) -> tuple[int, ...]:
        """The axes of the arrays in the result."""
        return tuple(i + self.place for i in range(self.ndim))


def _without_mask(part: Any) -> list[Any]:
    """A part of an index; of a mask, one array of integers for each of its axes."""
    if isinstance(part, bool):
        raise NotBatchable("x[True]", "an index that is a Python bool; use x[None]")
    if not isinstance(part, Batched) or part.backend.dtype_of(part.dtype).kind != "bool":
        return [part]
    if part.batch is not None:
        raise NotBatchable(
            "x[mask]", "the shape of the result depends on values, which differ in the batch; use xgrad.where(mask, x, 0)"
        )
    return [part.__class__(indices, None) for indices in ops.nonzero(part.payload)]


def _first(n: int) -> tuple[int, ...]:
    return tuple(range(n))


def _grid_of_payload(x: Batched, grid: Any) -> Any:
    """The index of the payload that is `grid` for each example."""
    parts = tuple(grid) if isinstance(grid, (tuple, list)) else (grid,)
    return parts if x.batch is None else (slice(None), *parts)


@rule("get_item")
def get_item(backend: LiftedBackend, x: Any, key: Any, /) -> Any:
    x = backend.lift(x)
    if keys.is_basic(key):
        return like(x, ops.getitem(x.payload, _grid_of_payload(x, key)))
    k = Key(backend, x, key)
    grid = x if k.whole else like(x, ops.getitem(x.payload, _grid_of_payload(x, k.grid)))
    if not k.arrays:
        return grid
    out = backend.cls(ops.getitem(k.front(grid), k.indices(grid)), common_batch([x, *k.arrays]))
    return like(out, ops.moveaxis(out.payload, payload_axes(_first(k.ndim), out), payload_axes(k.in_place(), out)))


@rule("set_item", "scatter_add")
def write(name: str, backend: LiftedBackend, x: Any, key: Any, value: Any, /) -> Any:
    x, value = backend.lift(x), backend.lift(value)
    mask = key[0] if isinstance(key, tuple) and len(key) == 1 else key
    differs = isinstance(mask, Batched) and mask.batch is not None and backend.dtype_of(mask.dtype).kind == "bool"
    if differs and name == "set_item" and value.size == 1:
        mask = reshape(backend, mask, (*mask.shape, *(1,) * (x.ndim - mask.ndim)))
        return backend.xp.where(mask, reshape(backend, value, ()), x)
    write_to = ops.setitem if name == "set_item" else ops.scatter_add
    if keys.is_basic(key):
        batch = common_batch([x, value])
        target = backend.cls(with_batch(x, batch), batch)
        parts = key if isinstance(key, tuple) else (key,)
        ndim = x.ndim - sum(part.__class__ is int for part in parts) + sum(part is None for part in parts)  # of x[key]
        value = _fitting(backend, value, ndim)
        return like(target, write_to(target.payload, _grid_of_payload(target, key), value.payload))
    k = Key(backend, x, key)
    batch = common_batch([x, value, *k.arrays])
    target = backend.cls(with_batch(x, batch), batch)
    if not k.arrays:
        return write(name, backend, target, tuple(k.grid), value)
    grid = target if k.whole else like(target, ops.getitem(target.payload, _grid_of_payload(target, k.grid)))
    value = _fitting(backend, value, k.ndim + grid.ndim - len(k.axes))
    if value.ndim:
        value = like(value, ops.moveaxis(value.payload, payload_axes(k.in_place(), value), payload_axes(_first(k.ndim), value)))
    written = k.back(grid, write_to(k.front(grid), k.indices(grid), value.payload))
    if not k.whole:
        written = ops.setitem(target.payload, _grid_of_payload(target, k.grid), written)
    return like(target, written)


def _fitting(backend: LiftedBackend, value: Batched, ndim: int) -> Any:
    """`value` with `ndim` axes; a number that is the same for every example is not changed, since it broadcasts."""
    return keys.with_ndim(backend.xp, value, ndim) if value.ndim or value.batch is not None else value


@rule("take_along_axis")
def take_along_axis(backend: LiftedBackend, x: Any, indices: Any, /, *, axis: int = -1) -> Any:
    x, indices = backend.lift(x), backend.lift(indices)
    if x.ndim != indices.ndim:
        raise ValueError(f"take_along_axis: x has {x.ndim} axes and indices {indices.ndim}; they must have the same number")
    batch, axis = common_batch([x, indices]), axis_from_0("take_along_axis", axis, x.ndim)
    if batch is None:
        return like(x, ops.take_along_axis(x.payload, indices.payload, axis=axis))
    return backend.cls(ops.take_along_axis(with_batch(x, batch), with_batch(indices, batch), axis=axis + 1), batch)


# ------------------------------------------------------------------------------------------------------------- searching


@rule("searchsorted")
def searchsorted(backend: LiftedBackend, x1: Any, x2: Any, /, *, side: Any = "left", sorter: Any = None) -> Any:
    x1, x2 = backend.lift(x1), backend.lift(x2)
    if sorter is not None:
        x1 = backend.xp.take(x1, sorter, axis=0)
    if x1.batch is None:
        return like(x2, ops.searchsorted(x1.payload, x2.payload, side=side))
    xp, v = backend.xp, expand_dims(backend, x2, -1)  # no library searches many arrays: count the smaller elements
    beyond = x1 >= v if side == "left" else x1 > v
    if backend.dtype_of(x1.dtype).inexact:  # NaN is last in the order
        beyond = beyond | (xp.isnan(x1) if side == "left" else xp.isnan(x1) & ~xp.isnan(v))
    return xp.count_nonzero(~beyond, axis=-1)


@rule("isin")
def isin(backend: LiftedBackend, x1: Any, x2: Any, /, *, invert: bool = False) -> Any:
    x1, x2 = backend.lift(x1), backend.lift(x2)
    if x2.batch is None:
        return like(x1, ops.isin(x1.payload, x2.payload, invert=invert))
    is_member = backend.xp.any(expand_dims(backend, x1, -1) == reshape(backend, x2, (-1,)), axis=-1)
    return ~is_member if invert else is_member


@rule("nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values")
def by_value(name: str, backend: LiftedBackend, x: Any, /) -> Any:
    x = backend.lift(x)
    if x.batch is not None:
        advice = "use xgrad.where(x != 0, a, b)" if name == "nonzero" else "compare with xgrad.sort(x)"
        reason = "the shape of its result depends on the values of its argument, which differ in the batch"
        raise NotBatchable(name, f"{reason}; {advice}, or call it in a loop over the examples")
    return like(x, xgrad_function(name)(x.payload))
