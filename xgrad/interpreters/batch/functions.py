"""What each function of the standard does to arrays with a hidden batch axis.

A batching rule takes `Batched` arrays, or plain ones, and computes with xgrad's functions on their payloads, whose first
axis is the batch's where there is one. Functions that act on single elements, or on the last axes, only need their
arguments lined up; others need their axes counted one on.
"""

from __future__ import annotations

import functools
import math
import types
from collections.abc import Callable, Sequence
from typing import Any

from ... import linalg, ops
from ...errors import NotBatchable
from ...graph.declare import Op
from ...graph.names import registry, xg
from ...ops.parts.axes import axis_from_0
from ...tensor.tensor import Tensor
from .arrays import Batch, Batched

__all__ = ["RULES", "elementwise", "full"]

RULES: dict[str, Callable[..., Any]] = {}
"""By its name on the namespace (``"sum"``, ``"linalg.inv"``): a function of the backend and the function's arguments."""


def rule(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function the rule of `names`; if there are several, it is first told for which of them."""

    def keep(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            RULES[name] = function if len(names) == 1 else functools.partial(function, name)
        return function

    return keep


# ------------------------------------------------------------------------------------------------------------- the parts


def joint(arrays: Sequence[Batched]) -> Batch | None:
    """The one batch of all of these arrays that have one."""
    found = None
    for x in arrays:
        if x.batch is not found and x.batch is not None:
            if found is not None:
                raise NotBatchable("mixing two batches", "one of these arrays was kept from a call of vmap that is over")
            found = x.batch
    return found


def spread(x: Batched, ndim: int) -> Tensor:
    """The payload of `x` so that it broadcasts with those of arrays of `ndim` axes: new axes after the batch's."""
    missing = ndim - len(x.shape)
    if x.batch is None or missing <= 0:
        return x.payload
    return ops.reshape(x.payload, (x.batch.size, *(1,) * missing, *x.shape))


def full(x: Batched, batch: Batch | None) -> Tensor:
    """The payload of `x` with the axis of `batch`, whether or not it differs from one example to another."""
    if batch is None or x.batch is not None:
        return x.payload
    return ops.broadcast_to(x.payload, (batch.size, *x.shape))


def like(x: Batched, payload: Any) -> Any:
    """`payload`, one Tensor or several, as made from `x`."""
    if isinstance(payload, (tuple, list)):
        parts = [x.__class__(part, x.batch) for part in payload]
        make: Any = type(payload)
        return make(*parts) if hasattr(payload, "_fields") else make(parts)
    return x.__class__(payload, x.batch)


def at(axis: int, x: Batched) -> int:
    """An axis of `x` as one of its payload."""
    return axis if axis < 0 or x.batch is None else axis + 1


def every(axis: Any, x: Batched) -> tuple[int, ...]:
    """Axes of `x`, all of them if None, as axes of its payload."""
    if axis is None:
        first = 0 if x.batch is None else 1
        return tuple(range(first, first + x.ndim))
    return tuple(at(a, x) for a in axis) if isinstance(axis, (tuple, list)) else (at(axis, x),)


def function(name: str) -> Callable[..., Any]:
    """xgrad's function of this name on the namespace."""
    found: Any = functools.reduce(getattr, name.split("."), xg)
    return found  # type: ignore[no-any-return]


# ----------------------------------------------------------------------------------------------------------- elementwise


def elementwise(backend: Any, made: Op[..., Any]) -> Callable[..., Any]:
    """The rule of an op on single elements of its arguments, which broadcast."""
    call, cls, enclose = made.call, backend.cls, backend.lift

    def run(*args: Any) -> Any:
        batch, ndim, ragged = None, -1, False
        arrays = []
        for x in args:
            if x.__class__ is cls or hasattr(x, "dtype"):
                x = enclose(x)
                if x.batch is not batch and x.batch is not None:
                    batch = x.batch if batch is None else joint([v for v in (*arrays, x) if v.__class__ is cls])
                n = len(x.shape)
                ragged = ragged or (n != ndim and ndim >= 0)
                ndim = n if n > ndim else ndim
            arrays.append(x)
        if ragged:
            return cls(call(*[spread(x, ndim) if x.__class__ is cls else x for x in arrays]), batch)
        return cls(call(*[x.payload if x.__class__ is cls else x for x in arrays]), batch)

    def pair(a: Any, b: Any) -> Any:  # the usual case: two arrays of as many axes, or one and a number
        if a.__class__ is cls:
            if b.__class__ is float or b.__class__ is int:
                return cls(call(a.payload, b), a.batch)
            if b.__class__ is cls and len(a.shape) == len(b.shape) and (a.batch is b.batch or a.batch is None or b.batch is None):
                return cls(call(a.payload, b.payload), a.batch or b.batch)
        return run(a, b)

    return pair if len(made.names) == 2 == len(made.arrays) else run


@rule("clip")
def clip(backend: Any, x: Any, /, min: Any = None, max: Any = None) -> Any:
    given = [x, *(v for v in (min, max) if v is not None)]
    bounds = ["min" * (min is not None), "max" * (max is not None)]

    def call(x: Any, *limits: Any) -> Any:
        return ops.clip(x, **dict(zip(filter(None, bounds), limits)))

    stand_in: Any = types.SimpleNamespace(call=call, names=(), arrays=())
    return elementwise(backend, stand_in)(*given)


@rule("astype")
def astype(backend: Any, x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    x = backend.lift(x)
    return like(x, ops.astype(x.payload, dtype, copy=copy, device=device))


# --------------------------------------------------------------------------------------------- reductions, along an axis


@rule("sum", "prod", "max", "min", "mean", "var", "std", "all", "any", "count_nonzero", "linalg.vector_norm")
def reduce(name: str, backend: Any, x: Any, /, *, axis: Any = None, keepdims: bool = False, **options: Any) -> Any:
    x = backend.lift(x)
    if x.batch is None:
        return like(x, function(name)(x.payload, axis=axis, keepdims=keepdims, **options))
    if x.ndim == 0 and axis in (None, ()):  # no library agrees with another on a reduction along no axis
        column = ops.reshape(x.payload, (x.batch.size, 1))
        return like(x, function(name)(column, axis=1, **options))
    return like(x, function(name)(x.payload, axis=every(axis, x), keepdims=keepdims, **options))


@rule("argmax", "argmin")
def search(name: str, backend: Any, x: Any, /, *, axis: int | None = None, keepdims: bool = False) -> Any:
    x = backend.lift(x)
    if axis is not None or x.batch is None:
        return like(x, function(name)(x.payload, axis=None if axis is None else at(axis, x), keepdims=keepdims))
    found = function(name)(ops.reshape(x.payload, (x.batch.size, x.size)), axis=1)
    return like(x, ops.reshape(found, (x.batch.size, *(1,) * x.ndim)) if keepdims else found)


@rule("sort", "argsort")
def sort(name: str, backend: Any, x: Any, /, *, axis: int = -1, **options: Any) -> Any:
    x = backend.lift(x)
    return like(x, function(name)(x.payload, axis=at(axis_from_0(name, axis, x.ndim), x), **options))


@rule("cumulative_sum", "cumulative_prod")
def accumulate(name: str, backend: Any, x: Any, /, *, axis: int | None = None, **options: Any) -> Any:
    x = backend.lift(x)
    if axis is None and x.ndim != 1:
        raise ValueError(f"{name}: x has {x.ndim} axes, so axis must be given; it may be left out only for one axis")
    return like(x, function(name)(x.payload, axis=at(axis_from_0(name, axis or 0, x.ndim), x), **options))


@rule("fft.fft", "fft.ifft", "fft.rfft", "fft.irfft", "fft.hfft", "fft.ihfft")
def transform(name: str, backend: Any, x: Any, /, *, axis: int = -1, **options: Any) -> Any:
    x = backend.lift(x)
    return like(x, function(name)(x.payload, axis=at(axis, x), **options))


@rule("fft.fftn", "fft.ifftn", "fft.rfftn", "fft.irfftn", "fft.fftshift", "fft.ifftshift")
def transforms(name: str, backend: Any, x: Any, /, *, axes: Any = None, **options: Any) -> Any:
    x = backend.lift(x)
    return like(x, function(name)(x.payload, axes=every(axes, x), **options))


@rule("flip")
def flip(backend: Any, x: Any, /, *, axis: Any = None) -> Any:
    x = backend.lift(x)
    return like(x, ops.flip(x.payload, axis=every(axis, x)) if x.ndim else x.payload)


@rule("roll")
def roll(backend: Any, x: Any, /, shift: Any, *, axis: Any = None) -> Any:
    x = backend.lift(x)
    if axis is None and x.batch is not None:
        flat = ops.roll(ops.reshape(x.payload, (x.batch.size, x.size)), shift, axis=1)
        return like(x, ops.reshape(flat, x.payload.shape))
    if isinstance(axis, (tuple, list)):
        return like(x, ops.roll(x.payload, shift, axis=every(axis, x)))
    return like(x, ops.roll(x.payload, shift, axis=None if axis is None else at(axis, x)))


# ---------------------------------------------------------------------------------------------------------- manipulation


def sized(shape: Any, size: int) -> tuple[int, ...]:
    """A shape for `size` elements with its -1, if there is one, made out."""
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if -1 not in shape:
        return shape
    known = math.prod(n for n in shape if n != -1)
    return tuple((size // known if known else 0) if n == -1 else n for n in shape)


@rule("reshape")
def reshape(backend: Any, x: Any, /, shape: Any, *, copy: bool | None = None) -> Any:
    x = backend.lift(x)
    shape = sized(shape, x.size)
    if math.prod(shape) != x.size:
        raise ValueError(f"reshape: an array of shape {tuple(x.shape)} cannot have shape {shape}")
    return like(x, ops.reshape(x.payload, shape if x.batch is None else (x.batch.size, *shape), copy=copy))


@rule("expand_dims")
def expand_dims(backend: Any, x: Any, /, axis: Any = 0) -> Any:
    x = backend.lift(x)
    return like(x, ops.expand_dims(x.payload, axis=every(axis, x)))


@rule("squeeze")
def squeeze(backend: Any, x: Any, /, axis: Any) -> Any:
    x = backend.lift(x)
    return like(x, ops.squeeze(x.payload, axis=every(axis, x)))


@rule("permute_dims")
def permute_dims(backend: Any, x: Any, /, axes: tuple[int, ...]) -> Any:
    x = backend.lift(x)
    order = tuple(a % max(x.ndim, 1) for a in axes)
    return like(x, ops.permute_dims(x.payload, order if x.batch is None else (0, *(a + 1 for a in order))))


@rule("moveaxis")
def moveaxis(backend: Any, x: Any, source: Any, destination: Any, /) -> Any:
    x = backend.lift(x)
    return like(x, ops.moveaxis(x.payload, every(source, x), every(destination, x)))


@rule("broadcast_to")
def broadcast_to(backend: Any, x: Any, /, shape: tuple[int, ...]) -> Any:
    x = backend.lift(x)
    shape = tuple(shape)
    if x.batch is None:
        return like(x, ops.broadcast_to(x.payload, shape))
    return like(x, ops.broadcast_to(spread(x, len(shape)), (x.batch.size, *shape)))


@rule("concat", "stack")
def join(name: str, backend: Any, arrays: Sequence[Any], /, *, axis: int | None = 0) -> Any:
    xs = [backend.lift(x) for x in arrays]
    batch = joint(xs)
    if axis is None:
        xs, axis = [RULES["reshape"](backend, x, (-1,)) for x in xs], 0
    payloads = [full(x, batch) for x in xs]
    return backend.cls(function(name)(payloads, axis=axis + 1 if batch is not None and axis >= 0 else axis), batch)


@rule("unstack")
def unstack(backend: Any, x: Any, /, *, axis: int = 0) -> Any:
    x = backend.lift(x)
    return like(x, ops.unstack(x.payload, axis=at(axis_from_0("unstack", axis, x.ndim), x)))


@rule("tile")
def tile(backend: Any, x: Any, repetitions: tuple[int, ...], /) -> Any:
    x = backend.lift(x)
    times = tuple(repetitions)
    if x.batch is None:
        return like(x, ops.tile(x.payload, times))
    times = (1,) * (x.ndim - len(times)) + times
    return like(x, ops.tile(spread(x, len(times)), (1, *times)))


@rule("repeat")
def repeat(backend: Any, x: Any, repeats: Any, /, *, axis: int | None = None) -> Any:
    x, repeats = backend.lift(x), repeats._data if isinstance(repeats, Tensor) else repeats
    if isinstance(repeats, Batched):
        if repeats.batch is not None:
            raise NotBatchable("repeat", "the shape of its result depends on the values of repeats, which differ in the batch")
        repeats = repeats.payload
    if axis is None:
        x, axis = RULES["reshape"](backend, x, (-1,)), 0
    return like(x, ops.repeat(x.payload, repeats, axis=at(axis, x)))


@rule("tril", "triu", "matrix_transpose", "linalg.matrix_transpose", "linalg.cholesky", "linalg.det", "linalg.diagonal",
      "linalg.eig", "linalg.eigh", "linalg.eigvals", "linalg.eigvalsh", "linalg.inv", "linalg.matrix_power", "linalg.qr",
      "linalg.slogdet", "linalg.svd", "linalg.svdvals")  # fmt: skip
def on_matrices(name: str, backend: Any, x: Any, /, *args: Any, **options: Any) -> Any:
    """Functions of the matrices in the last two axes."""
    x = backend.lift(x)
    if x.ndim < 2:
        raise ValueError(f"{name}: x has shape {tuple(x.shape)}; a matrix has two axes at least")
    return like(x, function(name)(x.payload, *args, **options))


@rule("linalg.pinv", "linalg.matrix_rank")
def with_tolerance(name: str, backend: Any, x: Any, /, *, rtol: Any = None) -> Any:
    if not hasattr(rtol, "dtype"):
        return on_matrices(name, backend, x, **({} if rtol is None else {"rtol": rtol}))
    x, rtol = backend.lift(x), backend.lift(rtol)
    batch = joint([x, rtol])
    return backend.cls(function(name)(full(x, batch), rtol=full(rtol, batch)), batch)


# -------------------------------------------------------------------------------------------------------------- products


@rule("matmul")
def matmul(backend: Any, x1: Any, x2: Any, /) -> Any:
    a, b = backend.lift(x1), backend.lift(x2)
    p, q = a.ndim, b.ndim
    batch = joint([a, b])
    if batch is None or not p or not q or a.shape[-1] != b.shape[max(q - 2, 0)]:  # wrong shapes raise in terms of their own
        if batch is not None:
            raise ValueError(f"matmul: x1 has shape {tuple(a.shape)} but x2 is {tuple(b.shape)}; their inner axes must be equal")
        return backend.cls(ops.matmul(a.payload, b.payload), None)
    return backend.cls(_product(a, b, p, q), batch)


def _product(a: Batched, b: Batched, p: int, q: int) -> Tensor:
    """The payload of ``a @ b``: as one product of matrices if it can be, else as a stack of them."""
    if b.batch is None and (q == 1 or (p == 1 and q == 2)):
        return ops.matmul(a.payload, b.payload)  # the vectors of a batch are the rows of a matrix
    if a.batch is None and q == 1 and p <= 2:
        return ops.matmul(b.payload, a.payload if p == 1 else ops.matrix_transpose(a.payload))
    if p == 1 == q:
        return ops.vecdot(ops.conj(a.payload), b.payload)
    if b.batch is None and q == 2:
        rows = ops.reshape(a.payload, (math.prod(a.payload.shape[:-1]), a.shape[-1]))
        return ops.reshape(ops.matmul(rows, b.payload), (*a.payload.shape[:-1], b.shape[-1]))
    ndim = max(p, q, 2)
    left, right = a.payload, b.payload
    if p == 1:
        left = ops.reshape(left, (*left.shape[:-1], *(1,) * (ndim - 1 if a.batch is not None else 1), left.shape[-1]))
    else:
        left = spread(a, ndim)
    if q == 1:
        ones = (1,) * (ndim - 2 if b.batch is not None else 0)
        right = ops.reshape(right, (*right.shape[:-1], *ones, right.shape[-1], 1))
    else:
        right = spread(b, ndim)
    made = ops.matmul(left, right)
    return ops.squeeze(made, axis=-2 if p == 1 else -1) if 1 in (p, q) else made


@rule("vecdot")
def vecdot(backend: Any, x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    a, b = backend.lift(x1), backend.lift(x2)
    ndim = max(a.ndim, b.ndim)
    if axis >= 0 and a.ndim != b.ndim:  # counted from the front, it is another place in either
        a, b, axis = RULES["moveaxis"](backend, a, axis, -1), RULES["moveaxis"](backend, b, axis, -1), -1
    axis = axis if axis < 0 else axis - ndim
    return backend.cls(ops.vecdot(spread(a, ndim), spread(b, ndim), axis=axis), joint([a, b]))


@rule("tensordot")
def tensordot(backend: Any, x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    a, b = backend.lift(x1), backend.lift(x2)
    batch = joint([a, b])
    if isinstance(axes, int):
        ours: Sequence[int] = range(a.ndim - axes, a.ndim)
        theirs: Sequence[int] = range(axes)
    else:
        ours, theirs = ([v] if isinstance(v, int) else v for v in axes)
    ours, theirs = [i % max(a.ndim, 1) for i in ours], [i % max(b.ndim, 1) for i in theirs]
    if batch is not None and None not in (a.batch, b.batch):
        letters = [chr(ord("a") + i) for i in range(a.ndim + b.ndim)]
        left, right = letters[: a.ndim], letters[a.ndim :]
        for i, j in zip(ours, theirs):
            if a.shape[i] != b.shape[j]:
                raise ValueError(f"tensordot: axis {i} of x1 {tuple(a.shape)} and {j} of x2 {tuple(b.shape)} differ in length")
            right[j] = left[i]
        out = [c for c in left if c not in right] + [c for c in right if c not in left]
        return backend.cls(ops.einsum(f"Z{''.join(left)},Z{''.join(right)}->Z{''.join(out)}", a.payload, b.payload), batch)
    made = ops.tensordot(a.payload, b.payload, axes=(every(ours, a), every(theirs, b)))
    return backend.cls(made if b.batch is None else ops.moveaxis(made, a.ndim - len(ours), 0), batch)


@rule("linalg.solve")
def solve(backend: Any, x1: Any, x2: Any, /) -> Any:
    a, b = backend.lift(x1), backend.lift(x2)
    batch, vector = joint([a, b]), b.ndim == 1
    if a.batch is None and b.batch is not None and a.ndim == 2 and b.ndim <= 2:  # one factorization for all
        n = b.shape[0]
        columns = ops.reshape(ops.moveaxis(b.payload, 0, -1), (n, b.batch.size * b.size // max(n, 1)))
        found = ops.reshape(linalg.solve(a.payload, columns), (*b.shape, b.batch.size))
        return backend.cls(ops.moveaxis(found, -1, 0), batch)
    if vector:
        b = RULES["expand_dims"](backend, b, -1)
    ndim = max(a.ndim, b.ndim)
    left, right = (x if x.batch is not None else backend.cls(full(x, batch), batch) for x in (a, b))
    found = linalg.solve(spread(left, ndim), spread(right, ndim))
    return backend.cls(ops.squeeze(found, axis=-1) if vector else found, batch)


# -------------------------------------------------------------------------------------------------------------- indexing


class Key:
    """An index taken apart: first a grid of integers, slices and None, then arrays of integers along some of its axes."""

    def __init__(self, backend: Any, x: Batched, key: Any) -> None:
        parts = list(key) if isinstance(key, tuple) else [key]
        parts = [backend.lift(part) if hasattr(part, "dtype") else part for part in parts]
        parts = [number for part in parts for number in self._numbers(part)]
        used = sum(part is not None and part is not Ellipsis for part in parts)
        rest = [slice(None)] * (x.ndim - used)
        gap = next((i for i, part in enumerate(parts) if part is Ellipsis), len(parts))
        parts[gap : gap + 1] = rest
        if used > x.ndim or any(part is Ellipsis for part in parts):
            raise IndexError(f"x[key]: {used} indices, and '...' once at most, for an array of {x.ndim} axes")
        self.arrays: list[Batched] = []
        self.axes: list[int] = []  # of the grid, which the arrays index
        self.grid: list[Any] = []
        advanced = [i for i, part in enumerate(parts) if isinstance(part, (int, Batched)) and not isinstance(part, bool)]
        self.place = 0  # where the axes of the arrays are in the result: in front, unless they stand together
        together = advanced == list(range(advanced[0], advanced[-1] + 1)) if advanced else True
        axis = 0
        for i, part in enumerate(parts):
            if isinstance(part, Batched):
                self.arrays.append(part)
                self.axes.append(axis)
                self.grid.append(slice(None))
            else:
                self.grid.append(part)
            if together and advanced and i == advanced[0]:
                self.place = axis
            axis += not isinstance(part, int)
        self.batch = joint([x, *self.arrays])
        self.plain = all(isinstance(part, slice) and part == slice(None) for part in self.grid)

    @staticmethod
    def _numbers(part: Any) -> list[Any]:
        """An array of integers for each axis that a mask stands for."""
        if isinstance(part, bool):
            raise NotBatchable("x[True]", "an index that is a Python bool; use x[None]")
        if not isinstance(part, Batched) or part.backend.dtype_of(part.dtype).kind != "bool":
            return [part]
        if part.batch is not None:
            raise NotBatchable(
                "x[mask]", "the shape of the result depends on values, which differ in the batch; use xgrad.where(mask, x, 0)"
            )
        return [part.__class__(number, None) for number in ops.nonzero(part.payload)]

    def indices(self, x: Batched) -> tuple[tuple[Any, ...], int]:
        """What the payload of `x`, its axes in the order of `front`, is indexed with; how many axes that makes of one."""
        ndim = max(index.ndim for index in self.arrays)
        if all(index.batch is None for index in self.arrays):
            lead: tuple[Any, ...] = () if x.batch is None else (slice(None),)
            return (*lead, *(index.payload for index in self.arrays)), ndim
        made = [spread(index, ndim) for index in self.arrays]
        if x.batch is None:
            return tuple(made), ndim
        some = made[0]
        xp = some.__array_namespace__()
        number = xp.arange(x.batch.size, device=some.device)
        return (xp.reshape(number, (-1, *(1,) * ndim)), *made), ndim

    def front(self, x: Batched) -> Tensor:
        """The payload of `x` with the axes that arrays index right after the batch's."""
        return ops.moveaxis(x.payload, every(self.axes, x), every(range_tuple(len(self.axes)), x))

    def back(self, x: Batched, payload: Tensor) -> Tensor:
        return ops.moveaxis(payload, every(range_tuple(len(self.axes)), x), every(self.axes, x))


def range_tuple(n: int) -> tuple[int, ...]:
    return tuple(range(n))


def is_basic(key: Any) -> bool:
    parts = key if isinstance(key, tuple) else (key,)
    return all(part is None or part is Ellipsis or part.__class__ in (int, slice) for part in parts)


def grid_of(x: Batched, key: Any) -> Any:
    parts = tuple(key) if isinstance(key, (tuple, list)) else (key,)
    return parts if x.batch is None else (slice(None), *parts)


@rule("get_item")
def get_item(backend: Any, x: Any, key: Any, /) -> Any:
    x = backend.lift(x)
    if is_basic(key):
        return like(x, ops.getitem(x.payload, grid_of(x, key)))
    k = Key(backend, x, key)
    grid = x if k.plain else like(x, ops.getitem(x.payload, grid_of(x, k.grid)))
    if not k.arrays:
        return grid
    index, ndim = k.indices(grid)
    made = backend.cls(ops.getitem(k.front(grid), index), k.batch)
    moved = range_tuple(ndim)
    return like(made, ops.moveaxis(made.payload, every(moved, made), every(tuple(i + k.place for i in moved), made)))


@rule("set_item", "scatter_add")
def write(name: str, backend: Any, x: Any, key: Any, value: Any, /) -> Any:
    x, value = backend.lift(x), backend.lift(value)
    mask = key[0] if isinstance(key, tuple) and len(key) == 1 else key
    differs = isinstance(mask, Batched) and mask.batch is not None and backend.dtype_of(mask.dtype).kind == "bool"
    if differs and name == "set_item" and value.size == 1:
        wide = RULES["reshape"](backend, mask, (*mask.shape, *(1,) * (x.ndim - mask.ndim)))
        return backend.xp.where(wide, RULES["reshape"](backend, value, ()), x)
    put = ops.setitem if name == "set_item" else ops.scatter_add
    if is_basic(key):
        batch = joint([x, value])
        there = backend.cls(full(x, batch), batch)
        parts = key if isinstance(key, tuple) else (key,)
        ndim = x.ndim - sum(part.__class__ is int for part in parts) + sum(part is None for part in parts)  # of x[key]
        return like(there, put(there.payload, grid_of(there, key), _fitting(value, ndim)))
    k = Key(backend, x, key)
    batch = joint([x, value, *k.arrays])
    there = backend.cls(full(x, batch), batch)
    if not k.arrays:
        return write(name, backend, there, tuple(k.grid), value)
    grid = there if k.plain else like(there, ops.getitem(there.payload, grid_of(there, k.grid)))
    index, ndim = k.indices(grid)
    moved = range_tuple(ndim)
    value = backend.cls(_fitting(value, ndim + grid.ndim - len(k.axes)), value.batch)
    if value.ndim > k.place:  # else it broadcasts along these axes
        wide = RULES["reshape"](backend, value, (1,) * (ndim + grid.ndim - len(k.axes) - value.ndim) + tuple(value.shape))
        order = ops.moveaxis(wide.payload, every(tuple(i + k.place for i in moved), wide), every(moved, wide))
        value = like(wide, order)
    made = k.back(grid, put(k.front(grid), index, value.payload))
    if not k.plain:
        made = ops.setitem(there.payload, grid_of(there, k.grid), made)
    return like(there, made)


def _fitting(value: Batched, ndim: int) -> Tensor:
    """The payload of `value` so that it broadcasts to a place of `ndim` axes, behind the batch's."""
    if value.ndim > ndim:  # leading axes of length one, which the place does not have
        shape = value.shape[value.ndim - ndim :]
        return ops.reshape(value.payload, shape if value.batch is None else (value.batch.size, *shape))
    return spread(value, ndim)


@rule("take_along_axis")
def take_along_axis(backend: Any, x: Any, indices: Any, /, *, axis: int = -1) -> Any:
    x, indices = backend.lift(x), backend.lift(indices)
    if x.ndim != indices.ndim:
        raise ValueError(f"take_along_axis: x has {x.ndim} axes and indices {indices.ndim}; they must have the same number")
    batch, axis = joint([x, indices]), axis_from_0("take_along_axis", axis, x.ndim)
    if batch is None:
        return like(x, ops.take_along_axis(x.payload, indices.payload, axis=axis))
    return backend.cls(ops.take_along_axis(full(x, batch), full(indices, batch), axis=axis + 1), batch)


# ------------------------------------------------------------------------------------------------------------- searching


@rule("searchsorted")
def searchsorted(backend: Any, x1: Any, x2: Any, /, *, side: Any = "left", sorter: Any = None) -> Any:
    x1, x2 = backend.lift(x1), backend.lift(x2)
    if sorter is not None:
        x1 = backend.xp.take(x1, sorter, axis=0)
    if x1.batch is None:
        return like(x2, ops.searchsorted(x1.payload, x2.payload, side=side))
    xp, v = backend.xp, RULES["expand_dims"](backend, x2, -1)  # no library searches many arrays: count what is smaller
    beyond = x1 >= v if side == "left" else x1 > v
    if backend.dtype_of(x1.dtype).inexact:  # NaN comes last, and nothing is beyond it
        beyond = beyond | (xp.isnan(x1) if side == "left" else xp.isnan(x1) & ~xp.isnan(v))
    return xp.count_nonzero(~beyond, axis=-1)


@rule("isin")
def isin(backend: Any, x1: Any, x2: Any, /, *, invert: bool = False) -> Any:
    x1, x2 = backend.lift(x1), backend.lift(x2)
    if x2.batch is None:
        return like(x1, ops.isin(x1.payload, x2.payload, invert=invert))
    found = backend.xp.any(RULES["expand_dims"](backend, x1, -1) == RULES["reshape"](backend, x2, (-1,)), axis=-1)
    return ~found if invert else found


VALUES = "the shape of its result depends on the values of its argument, which differ in the batch"


@rule("nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values")
def by_value(name: str, backend: Any, x: Any, /) -> Any:
    x = backend.lift(x)
    if x.batch is not None:
        advice = "use xgrad.where(x != 0, a, b)" if name == "nonzero" else "compare with xgrad.sort(x)"
        raise NotBatchable(name, f"{VALUES}; {advice}, or call it in a loop over the examples")
    return like(x, function(name)(x.payload))


# -------------------------------------------------------------------------------------------------- new arrays, and facts


@rule("zeros", "ones", "full", "empty", "eye", "arange", "linspace", "fft.fftfreq", "fft.rfftfreq")
def create(name: str, backend: Any, *args: Any, **options: Any) -> Any:
    made = functools.reduce(getattr, name.split("."), backend.base.xp)(*args, **options)
    return backend.lift(made)


@rule("zeros_like", "ones_like", "empty_like", "full_like")
def create_like(name: str, backend: Any, x: Any, /, *value: Any, dtype: Any = None, device: Any = None, **options: Any) -> Any:
    device = x.device if device is None and isinstance(x, Batched) else device
    kind = x.dtype if dtype is None else dtype
    return backend.lift(getattr(backend.base.xp, name.removesuffix("_like"))(tuple(x.shape), *value, dtype=kind, device=device))


@rule("asarray")
def asarray(backend: Any, x: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Any:
    if not isinstance(x, Batched):
        return backend.lift(backend.base.xp.asarray(x, dtype=dtype, device=device, copy=copy))
    x = backend.lift(x)
    payload = x.payload if dtype is None else ops.astype(x.payload, dtype, copy=False)
    payload = payload if device is None else payload.to_device(device)
    return like(x, registry["clone"].call(payload) if copy and payload is x.payload else payload)


@rule("result_type")
def result_type(backend: Any, /, *given: Any) -> Any:
    return backend.base.xp.result_type(*(x.dtype if isinstance(x, Batched) else x for x in given))
