"""What each function of the standard does to batched arrays, but for indexing and searching.

Functions that act on single elements, or on the last axes, need payloads of as many axes; in others, axes counted from the
front are one further in the payload.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from ... import linalg, ops
from ...errors import NotBatchable
from ...graph.declare import Op
from ...graph.names import registry
from ...ops.parts.axes import axis_from_0
from ...tensor.tensor import Tensor
from ..interpreter import LiftedBackend
from .arrays import Batched
from .payloads import common_batch, like, payload_axes, payload_axis, rule, with_batch, with_ndim, xgrad_function

__all__ = ["elementwise", "expand_dims", "reshape"]


# ----------------------------------------------------------------------------------------------------------- elementwise


def elementwise(backend: LiftedBackend, op: Op[..., Any]) -> Callable[..., Any]:
    """What an op that acts on single elements of its arguments does to batched arrays."""
    call, cls = op.call, backend.cls
    general = _broadcasting(backend, call)
    if not len(op.names) == 2 == len(op.arrays):
        return general

    def pair(a: Any, b: Any) -> Any:  # the usual case: two arrays of as many axes, or an array and a number
        if a.__class__ is cls:
            if b.__class__ is float or b.__class__ is int:
                return cls(call(a.payload, b), a.batch)
            if b.__class__ is cls and len(a.shape) == len(b.shape) and (a.batch is b.batch or a.batch is None or b.batch is None):
                return cls(call(a.payload, b.payload), a.batch or b.batch)
        return general(a, b)

    return pair


def _broadcasting(backend: LiftedBackend, call: Callable[..., Any]) -> Callable[..., Any]:
    """A function of Tensors that broadcast, as one of batched arrays."""
    cls, lift = backend.cls, backend.lift

    def run(*arguments: Any) -> Any:
        batch, ndim, ragged = None, -1, False
        arrays = []
        for x in arguments:
            if x.__class__ is cls or hasattr(x, "dtype"):
                x = lift(x)
                if x.batch is not batch and x.batch is not None:
                    batch = x.batch if batch is None else common_batch([v for v in (*arrays, x) if v.__class__ is cls])
                n = len(x.shape)
                ragged = ragged or (n != ndim and ndim >= 0)
                ndim = n if n > ndim else ndim
            arrays.append(x)
        if ragged:
            return cls(call(*[with_ndim(x, ndim) if x.__class__ is cls else x for x in arrays]), batch)
        return cls(call(*[x.payload if x.__class__ is cls else x for x in arrays]), batch)

    return run


@rule("clip")
def clip(backend: LiftedBackend, x: Any, /, min: Any = None, max: Any = None) -> Any:
    limits = {name: limit for name, limit in (("min", min), ("max", max)) if limit is not None}

    def call(x: Any, *values: Any) -> Any:
        return ops.clip(x, **dict(zip(limits, values)))

    return _broadcasting(backend, call)(x, *limits.values())


@rule("astype")
def astype(backend: LiftedBackend, x: Any, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Any:
    x = backend.lift(x)
    return like(x, ops.astype(x.payload, dtype, copy=copy, device=device))


# --------------------------------------------------------------------------------------------- reductions, along an axis


@rule("sum", "prod", "max", "min", "mean", "var", "std", "all", "any", "count_nonzero", "linalg.vector_norm")
def reduce(name: str, backend: LiftedBackend, x: Any, /, *, axis: Any = None, keepdims: bool = False, **options: Any) -> Any:
    x = backend.lift(x)
    if x.batch is None:
        return like(x, xgrad_function(name)(x.payload, axis=axis, keepdims=keepdims, **options))
    if x.ndim == 0 and axis in (None, ()):  # libraries differ in what a reduction along no axis is
        column = ops.reshape(x.payload, (x.batch.size, 1))
        return like(x, xgrad_function(name)(column, axis=1, **options))
    return like(x, xgrad_function(name)(x.payload, axis=payload_axes(axis, x), keepdims=keepdims, **options))


@rule("argmax", "argmin")
def search(name: str, backend: LiftedBackend, x: Any, /, *, axis: int | None = None, keepdims: bool = False) -> Any:
    x = backend.lift(x)
    if axis is not None or x.batch is None:
        return like(x, xgrad_function(name)(x.payload, axis=None if axis is None else payload_axis(axis, x), keepdims=keepdims))
    indices = xgrad_function(name)(ops.reshape(x.payload, (x.batch.size, x.size)), axis=1)
    return like(x, ops.reshape(indices, (x.batch.size, *(1,) * x.ndim)) if keepdims else indices)


@rule("sort", "argsort")
def sort(name: str, backend: LiftedBackend, x: Any, /, *, axis: int = -1, **options: Any) -> Any:
    x = backend.lift(x)
    return like(x, xgrad_function(name)(x.payload, axis=payload_axis(axis_from_0(name, axis, x.ndim), x), **options))


@rule("cumulative_sum", "cumulative_prod")
def accumulate(name: str, backend: LiftedBackend, x: Any, /, *, axis: int | None = None, **options: Any) -> Any:
    x = backend.lift(x)
    if axis is None and x.ndim != 1:
        raise ValueError(f"{name}: x has {x.ndim} axes, so axis must be given; it may be left out only if x has one axis")
    return like(x, xgrad_function(name)(x.payload, axis=payload_axis(axis_from_0(name, axis or 0, x.ndim), x), **options))


@rule("fft.fft", "fft.ifft", "fft.rfft", "fft.irfft", "fft.hfft", "fft.ihfft")
def transform(name: str, backend: LiftedBackend, x: Any, /, *, axis: int = -1, **options: Any) -> Any:
    x = backend.lift(x)
    return like(x, xgrad_function(name)(x.payload, axis=payload_axis(axis, x), **options))


@rule("fft.fftn", "fft.ifftn", "fft.rfftn", "fft.irfftn", "fft.fftshift", "fft.ifftshift")
def transforms(name: str, backend: LiftedBackend, x: Any, /, *, axes: Any = None, **options: Any) -> Any:
    x = backend.lift(x)
    return like(x, xgrad_function(name)(x.payload, axes=payload_axes(axes, x), **options))


@rule("flip")
def flip(backend: LiftedBackend, x: Any, /, *, axis: Any = None) -> Any:
    x = backend.lift(x)
    return like(x, ops.flip(x.payload, axis=payload_axes(axis, x)) if x.ndim else x.payload)


@rule("roll")
def roll(backend: LiftedBackend, x: Any, /, shift: Any, *, axis: Any = None) -> Any:
    x = backend.lift(x)
    if axis is None and x.batch is not None:
        flat = ops.roll(ops.reshape(x.payload, (x.batch.size, x.size)), shift, axis=1)
        return like(x, ops.reshape(flat, x.payload.shape))
    if isinstance(axis, (tuple, list)):
        return like(x, ops.roll(x.payload, shift, axis=payload_axes(axis, x)))
    return like(x, ops.roll(x.payload, shift, axis=None if axis is None else payload_axis(axis, x)))


# ---------------------------------------------------------------------------------------------------------- manipulation


def _without_minus_1(shape: Any, size: int) -> tuple[int, ...]:
    """A shape for `size` elements, with the length that -1 stands for in its place."""
    shape = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
    if -1 not in shape:
        return shape
    known = math.prod(n for n in shape if n != -1)
    return tuple((size // known if known else 0) if n == -1 else n for n in shape)


@rule("reshape")
def reshape(backend: LiftedBackend, x: Any, /, shape: Any, *, copy: bool | None = None) -> Any:
    x = backend.lift(x)
    shape = _without_minus_1(shape, x.size)
    if math.prod(shape) != x.size:
        raise ValueError(f"reshape: an array of shape {tuple(x.shape)} cannot have shape {shape}")
    return like(x, ops.reshape(x.payload, shape if x.batch is None else (x.batch.size, *shape), copy=copy))


@rule("expand_dims")
def expand_dims(backend: LiftedBackend, x: Any, /, axis: Any = 0) -> Any:
    x = backend.lift(x)
    return like(x, ops.expand_dims(x.payload, axis=payload_axes(axis, x)))


@rule("squeeze")
def squeeze(backend: LiftedBackend, x: Any, /, axis: Any) -> Any:
    x = backend.lift(x)
    return like(x, ops.squeeze(x.payload, axis=payload_axes(axis, x)))


@rule("permute_dims")
def permute_dims(backend: LiftedBackend, x: Any, /, axes: tuple[int, ...]) -> Any:
    x = backend.lift(x)
    order = tuple(a % max(x.ndim, 1) for a in axes)
    return like(x, ops.permute_dims(x.payload, order if x.batch is None else (0, *(a + 1 for a in order))))


@rule("moveaxis")
def moveaxis(backend: LiftedBackend, x: Any, source: Any, destination: Any, /) -> Any:
    x = backend.lift(x)
    return like(x, ops.moveaxis(x.payload, payload_axes(source, x), payload_axes(destination, x)))


@rule("broadcast_to")
def broadcast_to(backend: LiftedBackend, x: Any, /, shape: tuple[int, ...]) -> Any:
    x = backend.lift(x)
    shape = tuple(shape)
    if x.batch is None:
        return like(x, ops.broadcast_to(x.payload, shape))
    return like(x, ops.broadcast_to(with_ndim(x, len(shape)), (x.batch.size, *shape)))


@rule("concat", "stack")
def join(name: str, backend: LiftedBackend, arrays: Sequence[Any], /, *, axis: int | None = 0) -> Any:
    xs = [backend.lift(x) for x in arrays]
    batch = common_batch(xs)
    if axis is None:
        xs, axis = [reshape(backend, x, (-1,)) for x in xs], 0
    payloads = [with_batch(x, batch) for x in xs]
    return backend.cls(xgrad_function(name)(payloads, axis=axis + 1 if batch is not None and axis >= 0 else axis), batch)


@rule("unstack")
def unstack(backend: LiftedBackend, x: Any, /, *, axis: int = 0) -> Any:
    x = backend.lift(x)
    return like(x, ops.unstack(x.payload, axis=payload_axis(axis_from_0("unstack", axis, x.ndim), x)))


@rule("tile")
def tile(backend: LiftedBackend, x: Any, repetitions: tuple[int, ...], /) -> Any:
    x = backend.lift(x)
    times = tuple(repetitions)
    if x.batch is None:
        return like(x, ops.tile(x.payload, times))
    times = (1,) * (x.ndim - len(times)) + times
    return like(x, ops.tile(with_ndim(x, len(times)), (1, *times)))


@rule("repeat")
def repeat(backend: LiftedBackend, x: Any, repeats: Any, /, *, axis: int | None = None) -> Any:
    x, repeats = backend.lift(x), repeats._data if isinstance(repeats, Tensor) else repeats
    if isinstance(repeats, Batched):
        if repeats.batch is not None:
            raise NotBatchable("repeat", "the shape of its result depends on the values of repeats, which differ in the batch")
        repeats = repeats.payload
    if axis is None:
        x, axis = reshape(backend, x, (-1,)), 0
    return like(x, ops.repeat(x.payload, repeats, axis=payload_axis(axis, x)))


@rule("tril", "triu", "matrix_transpose", "linalg.matrix_transpose", "linalg.cholesky", "linalg.det", "linalg.diagonal",
      "linalg.eig", "linalg.eigh", "linalg.eigvals", "linalg.eigvalsh", "linalg.inv", "linalg.matrix_power", "linalg.qr",
      "linalg.slogdet", "linalg.svd", "linalg.svdvals")  # fmt: skip
def on_matrices(name: str, backend: LiftedBackend, x: Any, /, *args: Any, **options: Any) -> Any:
    """Functions of the matrices in the last two axes."""
    x = backend.lift(x)
    if x.ndim < 2:
        raise ValueError(f"{name}: x has shape {tuple(x.shape)}; a matrix has two axes at least")
    return like(x, xgrad_function(name)(x.payload, *args, **options))


@rule("linalg.pinv", "linalg.matrix_rank")
def with_tolerance(name: str, backend: LiftedBackend, x: Any, /, *, rtol: Any = None) -> Any:
    if not hasattr(rtol, "dtype"):
        return on_matrices(name, backend, x, **({} if rtol is None else {"rtol": rtol}))
    x, rtol = backend.lift(x), backend.lift(rtol)
    batch = common_batch([x, rtol])
    return backend.cls(xgrad_function(name)(with_batch(x, batch), rtol=with_batch(rtol, batch)), batch)


# -------------------------------------------------------------------------------------------------------------- products


@rule("matmul")
def matmul(backend: LiftedBackend, x1: Any, x2: Any, /) -> Any:
    a, b = backend.lift(x1), backend.lift(x2)
    p, q = a.ndim, b.ndim
    batch = common_batch([a, b])
    if batch is None or not p or not q or a.shape[-1] != b.shape[max(q - 2, 0)]:
        if batch is not None:
            raise ValueError(f"matmul: x1 has shape {tuple(a.shape)} but x2 is {tuple(b.shape)}; their inner axes must be equal")
        return backend.cls(ops.matmul(a.payload, b.payload), None)
    return backend.cls(_product(a, b, p, q), batch)


def _product(a: Batched, b: Batched, p: int, q: int) -> Tensor:
    """The payload of ``a @ b``: one product of matrices if possible, else a stack of products."""
    if b.batch is None and (q == 1 or (p == 1 and q == 2)):
        return ops.matmul(a.payload, b.payload)  # the vectors are the rows of a matrix
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
        left = with_ndim(a, ndim)
    if q == 1:
        ones = (1,) * (ndim - 2 if b.batch is not None else 0)
        right = ops.reshape(right, (*right.shape[:-1], *ones, right.shape[-1], 1))
    else:
        right = with_ndim(b, ndim)
    product = ops.matmul(left, right)
    return ops.squeeze(product, axis=-2 if p == 1 else -1) if 1 in (p, q) else product


@rule("vecdot")
def vecdot(backend: LiftedBackend, x1: Any, x2: Any, /, *, axis: int = -1) -> Any:
    a, b = backend.lift(x1), backend.lift(x2)
    ndim = max(a.ndim, b.ndim)
    if axis >= 0 and a.ndim != b.ndim:  # counted from the front, it is a different axis of each
        a, b, axis = moveaxis(backend, a, axis, -1), moveaxis(backend, b, axis, -1), -1
    axis = axis if axis < 0 else axis - ndim
    return backend.cls(ops.vecdot(with_ndim(a, ndim), with_ndim(b, ndim), axis=axis), common_batch([a, b]))


@rule("tensordot")
def tensordot(backend: LiftedBackend, x1: Any, x2: Any, /, *, axes: Any = 2) -> Any:
    a, b = backend.lift(x1), backend.lift(x2)
    batch = common_batch([a, b])
    if isinstance(axes, int):
        axes_a: Sequence[int] = range(a.ndim - axes, a.ndim)
        axes_b: Sequence[int] = range(axes)
    else:
        axes_a, axes_b = ([v] if isinstance(v, int) else v for v in axes)
    axes_a, axes_b = [i % max(a.ndim, 1) for i in axes_a], [i % max(b.ndim, 1) for i in axes_b]
    if batch is not None and None not in (a.batch, b.batch):
        letters = [chr(ord("a") + i) for i in range(a.ndim + b.ndim)]
        left, right = letters[: a.ndim], letters[a.ndim :]
        for i, j in zip(axes_a, axes_b):
            if a.shape[i] != b.shape[j]:
                raise ValueError(f"tensordot: axis {i} of x1 {tuple(a.shape)} and {j} of x2 {tuple(b.shape)} differ in length")
            right[j] = left[i]
        out = [c for c in left if c not in right] + [c for c in right if c not in left]
        return backend.cls(ops.einsum(f"Z{''.join(left)},Z{''.join(right)}->Z{''.join(out)}", a.payload, b.payload), batch)
    product = ops.tensordot(a.payload, b.payload, axes=(payload_axes(axes_a, a), payload_axes(axes_b, b)))
    return backend.cls(product if b.batch is None else ops.moveaxis(product, a.ndim - len(axes_a), 0), batch)


@rule("linalg.solve")
def solve(backend: LiftedBackend, x1: Any, x2: Any, /) -> Any:
    a, b = backend.lift(x1), backend.lift(x2)
    batch, vector = common_batch([a, b]), b.ndim == 1
    if a.batch is None and b.batch is not None and a.ndim == 2 and b.ndim <= 2:  # one factorization for all examples
        n = b.shape[0]
        columns = ops.reshape(ops.moveaxis(b.payload, 0, -1), (n, b.batch.size * b.size // max(n, 1)))
        solution = ops.reshape(linalg.solve(a.payload, columns), (*b.shape, b.batch.size))
        return backend.cls(ops.moveaxis(solution, -1, 0), batch)
    if vector:
        b = expand_dims(backend, b, -1)
    ndim = max(a.ndim, b.ndim)
    left, right = (x if x.batch is not None else backend.cls(with_batch(x, batch), batch) for x in (a, b))
    solution = linalg.solve(with_ndim(left, ndim), with_ndim(right, ndim))
    return backend.cls(ops.squeeze(solution, axis=-1) if vector else solution, batch)


# ------------------------------------------------------------------------------------------------ new arrays and dtypes


@rule("zeros", "ones", "full", "empty", "eye", "arange", "linspace", "fft.fftfreq", "fft.rfftfreq")
def create(name: str, backend: LiftedBackend, *args: Any, **options: Any) -> Any:
    function: Any = functools.reduce(getattr, name.split("."), backend.base.xp)
    return backend.lift(function(*args, **options))


@rule("zeros_like", "ones_like", "empty_like", "full_like")
def create_like(
    name: str, backend: LiftedBackend, x: Any, /, *value: Any, dtype: Any = None, device: Any = None, **options: Any
) -> Any:
    device = x.device if device is None and isinstance(x, Batched) else device
    dtype = x.dtype if dtype is None else dtype
    return backend.lift(getattr(backend.base.xp, name.removesuffix("_like"))(tuple(x.shape), *value, dtype=dtype, device=device))


@rule("asarray")
def asarray(backend: LiftedBackend, x: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Any:
    if not isinstance(x, Batched):
        return backend.lift(backend.base.xp.asarray(x, dtype=dtype, device=device, copy=copy))
    x = backend.lift(x)
    payload = x.payload if dtype is None else ops.astype(x.payload, dtype, copy=False)
    payload = payload if device is None else payload.to_device(device)
    return like(x, registry["clone"].call(payload) if copy and payload is x.payload else payload)


@rule("result_type")
def result_type(backend: LiftedBackend, /, *arguments: Any) -> Any:
    return backend.base.xp.result_type(*(x.dtype if isinstance(x, Batched) else x for x in arguments))
