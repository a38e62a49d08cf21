"""What ``x[key]`` and ``x[key] = value`` take: keys and values of the user's brought to the library of `x`."""

from __future__ import annotations

import operator
from typing import Any

from ...backend.dtypes import Array
from ...backend.find import is_numpy_scalar, raw_namespace
from ...engine.namespaces import namespace
from ...engine.sequences import SEQUENCES, array_of, from_numbers, holds_array, host_numbers
from ...tensor.tensor import Tensor, wrap

__all__ = ["is_basic", "last_writes", "operand", "places", "raw_key", "value_for"]


def is_basic(key: Any) -> bool:
    """Whether `key` selects a regular grid: no arrays in it."""
    parts = key if key.__class__ is tuple else (key,)
    return all(part is None or part is Ellipsis or part.__class__ in (int, slice) for part in parts)


def raw_key(x: Array, key: Any) -> Any:
    """`key` as the library of `x` takes it: Tensors unwrapped, lists and foreign arrays made arrays beside `x`."""
    if is_basic(key):
        return key
    if key.__class__ is tuple:
        return tuple([_raw_part(x, part) for part in key])
    return _raw_part(x, key)


def _raw_part(x: Array, part: Any) -> Any:
    if part is None or part is Ellipsis or part.__class__ is int or isinstance(part, bool):
        return part
    if isinstance(part, slice):
        bounds = [v if v is None else _integer(v) for v in (part.start, part.stop, part.step)]
        return slice(*bounds)
    if isinstance(part, int):
        return int(part)
    if is_numpy_scalar(part):
        return _raw_part(x, part.item())
    if isinstance(part, Tensor):
        part = part._data
    backend = raw_namespace(x).__backend__
    if not hasattr(part, "dtype"):
        if not isinstance(part, (list, tuple, range)):
            told = f"{type(part).__name__} {part!r:.60}"
            raise TypeError(f"x[key]: a key is made of integers, slices, None, ... and arrays, not of {told}")
        part = backend.from_python(list(part), None if len(part) else "int64", backend.device(x))
    elif (other := raw_namespace(part).__backend__) is not backend:
        if other.name == backend.name:
            return backend.lift(part)
        if other.name != "numpy":
            raise TypeError(
                f"x[key]: x is on backend {backend.name!r} but the key is an array of {other.name!r}; "
                f"move it with xgrad.to_backend(key, {backend.name!r})"
            )
        part = backend.from_numpy(part, backend.device(x))
    if not backend.xp.isdtype(part.dtype, ("bool", "integral")):
        raise TypeError(
            f"x[key]: arrays in a key must be boolean or integers, not {backend.dtype_of(part.dtype).name}; "
            "round and convert them with xgrad.astype(key, xgrad.int64)"
        )
    return part


def _integer(bound: Any) -> int:
    return operator.index(bound.item() if hasattr(bound, "item") else bound)


# ------------------------------------------------------------------------------------------------------------- values


def operand(x: Any) -> Any:
    """`x` itself, or a Tensor of the numbers in it if it is a list, tuple or range of them."""
    if not isinstance(x, SEQUENCES):
        return x
    made = array_of(x)
    return made if isinstance(made, Tensor) else wrap(made)


def value_for(x: Array, value: Any) -> Any:
    """`value` as what may be written into the array `x`: data of the host are brought to its library and device.

    Raises
    ------
    TypeError
        If it is complex or floating and `x` is not.
    """
    if not isinstance(value, (Tensor, bool, int, float, complex)):
        value = _beside(x, value)
    _check_kind(x, value)
    return value


def _beside(x: Array, value: Any) -> Any:
    backend = raw_namespace(x).__backend__
    if is_numpy_scalar(value):
        return value.item()
    if isinstance(value, SEQUENCES):
        if holds_array(value):
            return namespace(backend.name).asarray(value, device=backend.device(x))
        return from_numbers(backend, host_numbers(value), x)
    if raw_namespace(value).__backend__.name == "numpy" and backend.name != "numpy":
        return backend.from_numpy(value, backend.device(x))
    return value


def _check_kind(x: Array, value: Any) -> None:
    kinds = ("complex", "float")
    told = type(value).__name__ if not hasattr(value, "dtype") else str(getattr(value, "_data", value).dtype).rpartition(".")[2]
    level = next((i for i, kind in enumerate(kinds) if told.startswith((kind, "bfloat"))), 2)
    if level == 2:
        return
    native = str(x.dtype).rpartition(".")[2]
    if level < next((i for i, kind in enumerate(kinds) if native.startswith((kind, "bfloat"))), 2):
        raise TypeError(
            f"x[key] = v: v is {told}, which does not fit into x of {native}; convert one with xgrad.astype(..., dtype)"
        )


# ------------------------------------------------------------------------------------------------------------- writes


def places(x: Array, key: Any) -> Array:
    """The positions, in row-major order, of the elements that ``x[key]`` names, in its shape; an array like `x`."""
    xp = raw_namespace(x)
    return xp.asarray(xp.__backend__.flat_positions(x, key))


def last_writes(x: Array, key: Any, value: Array) -> Array:
    """`value`, to be written to ``x[key]``, with the last of the writes to an element in place of the earlier ones.

    Which of them wins no longer matters then: a library may write in any order.
    """
    xp = raw_namespace(x)
    at = places(x, key)
    if not value.shape or 0 in at.shape:
        return value
    flat = xp.reshape(at, (-1,))
    order = xp.argsort(flat, stable=True)
    last = xp.take(order, xp.searchsorted(xp.take(flat, order, axis=0), flat, side="right") - 1, axis=0)
    written = xp.reshape(xp.broadcast_to(_lead_dropped(xp, value, len(at.shape)), at.shape), (-1,))
    return xp.reshape(xp.take(written, last, axis=0), at.shape)


def _lead_dropped(xp: Any, value: Array, ndim: int) -> Array:
    # A value may have leading axes of length one that the place does not have.
    return xp.reshape(value, value.shape[len(value.shape) - ndim :]) if len(value.shape) > ndim else value
