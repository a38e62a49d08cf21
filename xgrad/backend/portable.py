"""What every backend can do with functions of the standard alone; a plug-in may do better."""

from __future__ import annotations

import math
from typing import Any, Literal

from .dtypes import Array, check_fits, complex64, complex128, dtype_name, dtype_of, float64, get_default_dtype

__all__ = ["from_python", "from_scalar", "in_order", "may_repeat", "on_host", "runs", "scatter_add", "wider_dtype"]


def may_repeat(key: Any) -> bool:
    """Whether an index can name one element twice: if there is an array of integers in it."""
    parts = key if isinstance(key, tuple) else (key,)
    return any(
        isinstance(part, list) or (getattr(part, "shape", ()) != () and dtype_name(part.dtype) != "bool") for part in parts
    )


_WIDER = {"float16": ("float32", 0), "bfloat16": ("float32", 0), "float32": ("float64", 1024), "complex64": ("complex128", 1024)}
"""In which dtype to add to one place more numbers than so many."""


def wider_dtype(name: str, key: Any) -> str | None:
    """The data type in which to add to ``x[key]`` if that of `x`, called `name`, would lose digits; else None."""
    wider, most = _WIDER.get(name, (None, 0))
    if wider is None or not may_repeat(key):
        return None
    parts = key if isinstance(key, tuple) else (key,)
    counts = (math.prod(part.shape) if hasattr(part, "shape") else len(part) if isinstance(part, list) else 1 for part in parts)
    return wider if max(counts) > most else None


def in_order(xp: Any, positions: Array) -> tuple[Array, Array]:
    """The flattened `positions` in ascending order, and the stable order that sorts them."""
    flat = xp.reshape(positions, (-1,))
    order = xp.argsort(flat, stable=True)
    return xp.take(flat, order, axis=0), order


def runs(xp: Any, ascending: Array, values: Array, side: Literal["left", "right"] = "right") -> tuple[Array, Array]:
    """For each of `values`, the last (with "left", the first) index of an equal element of `ascending`, and if there is one."""
    at = xp.searchsorted(ascending, values, side=side) - int(side == "right")
    at = xp.clip(at, 0, ascending.shape[0] - 1)
    return at, xp.take(ascending, at, axis=0) == values


def scatter_add(backend: Any, x: Array, key: Any, value: Array) -> Array:
    """A copy of `x` with `value` added at ``x[key]``, positions that occur twice counted twice.

    Sort what is added by where it goes, sum each run of equal places by doubling steps, and have each place fetch the end of
    its run.
    """
    if not may_repeat(key):
        return backend.set_item(x, key, backend.get_item(x, key) + value)
    xp = backend.xp
    positions = backend.flat_positions(x, key)
    value = xp.reshape(xp.broadcast_to(value, positions.shape), (-1,))
    count, size = value.shape[0], math.prod(x.shape)
    if count == 0:
        return xp.asarray(x, copy=True)
    places, order = in_order(xp, positions)
    sums = xp.take(value, order, axis=0)
    step = 1
    while step < count:
        more = xp.where(places[step:] == places[:-step], sums[:-step], xp.zeros_like(sums[step:]))
        sums, step = xp.concat([sums[:step], sums[step:] + more]), 2 * step
    every = xp.arange(size, dtype=places.dtype, device=backend.device(x))
    ends, there = runs(xp, places, every)
    total = xp.where(there, xp.take(sums, ends, axis=0), xp.zeros_like(sums[:1]))
    return x + xp.reshape(xp.astype(total, x.dtype), x.shape)


def on_host(x: Any) -> Any:
    """Numbers, nested to any depth, as a NumPy array; what else is in `x` gives it a dtype that is no number's."""
    import numpy

    try:
        return numpy.asarray(x)
    except ValueError as error:
        raise ValueError(f"nested sequences must be rectangular, but this one is ragged: {error}") from None


def from_python(backend: Any, x: Any, dtype: Any, device: Any) -> Array:
    """An array of Python numbers, nested to any depth; floats get the default data type."""
    if x.__class__ is float and dtype is None:
        return backend.xp.asarray(x, dtype=backend.native_dtype(get_default_dtype()), device=device)
    host = on_host(x)
    if host.dtype.kind not in "biufc":
        raise TypeError(f"cannot make an array of {type(x).__name__} {x!r:.80}: it does not hold numbers")
    if host.dtype.kind == "c" and dtype is not None:
        check_fits(f"{x!r:.60}", host.dtype, dtype)
    if dtype is not None and host.dtype.kind == "f" and dtype_of(dtype).kind.endswith("integer"):
        import numpy

        host = numpy.asarray(x, dtype=dtype_of(dtype).dtype)  # integers beyond int64 may have met smaller ones in float64
    if dtype is None:
        if host.dtype == "float64":
            dtype = get_default_dtype()
        elif host.dtype == "complex128":
            dtype = complex128 if get_default_dtype() is float64 else complex64
        else:
            dtype = dtype_of(host.dtype)
    return backend.xp.astype(backend.from_numpy(host, device), backend.native_dtype(dtype), copy=False)


def from_scalar(backend: Any, x: Any, like: Array) -> Array:
    """A 0-d array of a Python scalar, on the device of `like` and of the dtype that they promote to if it can hold `x`."""
    xp = backend.xp
    kinds: tuple[str, ...] = ("bool",)
    if not isinstance(x, bool):
        kinds = ("integral", "real floating", "complex floating")[(isinstance(x, float) + 2 * isinstance(x, complex)) :]
    if xp.isdtype(like.dtype, kinds):
        return xp.asarray(x, dtype=like.dtype, device=backend.device(like))
    if isinstance(x, complex) and xp.isdtype(like.dtype, "real floating"):
        dtype = complex128 if backend.dtype_of(like.dtype) is float64 else complex64
        return backend.from_python(x, dtype, backend.device(like))
    return backend.from_python(x, None, backend.device(like))
