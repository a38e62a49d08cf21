"""Keys and values of ``x[key]`` and ``x[key] = value``, converted to the library of `x`."""

from __future__ import annotations

import operator
from typing import Any

from ...backend.dtypes import Array
from ...backend.find import is_numpy_scalar, raw_namespace
from ...backend.portable import in_order, runs
from ...engine.namespaces import namespace
from ...engine.sequences import SEQUENCES, array_of, from_numbers, holds_array, host_numbers
from ...tensor.tensor import Tensor, wrap

__all__ = ["is_basic", "last_writes", "operand", "places", "raw_key", "value_for", "with_ndim"]


# --------------------------------------------------------------------------------------------------------------- keys


def is_basic(key: Any) -> bool:
    """Whether `key` has no arrays in it, so that it selects a regular grid."""
    parts = key if key.__class__ is tuple else (key,)
    return all(part is None or part is Ellipsis or part.__class__ in (int, slice) for part in parts)


def raw_key(x: Array, key: Any) -> Any:
    """`key` in the form that the library of `x` takes: Tensors are unwrapped, lists and NumPy arrays converted."""
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
            raise TypeError(
                f"x[key]: a key consists of integers, slices, None, ... and arrays, not of {type(part).__name__} {part!r:.60}"
            )
        part = backend.from_python(list(part), None if len(part) else "int64", backend.device(x))
    elif (other := raw_namespace(part).__backend__) is not backend:
        if other.name == backend.name:
            return backend.lift(part)
        if other.name != "numpy":
            raise TypeError(
                f"x[key]: x is on backend {backend.name!r}, but the key is an array of {other.name!r}; "
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
    """`x` itself, or a Tensor of its numbers if it is a list, tuple or range."""
    if not isinstance(x, SEQUENCES):
        return x
    array = array_of(x)
    return array if isinstance(array, Tensor) else wrap(array)


def value_for(x: Array, value: Any) -> Any:
    """`value` in a form that can be written into the array `x`: data of the host are moved to its library and device.

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
    theirs = str(getattr(value, "_data", value).dtype).rpartition(".")[2] if hasattr(value, "dtype") else type(value).__name__
    if (rank := _rank(theirs)) and rank > _rank(ours := str(x.dtype).rpartition(".")[2]):
        raise TypeError(
            f"x[key] = v: v is {theirs}, which does not fit into x of {ours}; convert one with xgrad.astype(..., dtype)"
        )


def _rank(dtype: str) -> int:
    return 2 if dtype.startswith("complex") else 1 if dtype.startswith(("float", "bfloat")) else 0


# ------------------------------------------------------------------------------------------------------------- writes


def places(x: Array, key: Any) -> Array:
    """The positions in the flattened `x` of the elements that ``x[key]`` selects, in the shape of ``x[key]``."""
    xp = raw_namespace(x)
    return xp.asarray(xp.__backend__.flat_positions(x, key))


def last_writes(x: Array, key: Any, value: Array) -> Array:
    """`value`, where all writes of ``x[key] = value`` to one element are replaced by the last of them.

    The library may then write in any order.
    """
    xp = raw_namespace(x)
    at = places(x, key)
    if not value.shape or 0 in at.shape:
        return value
    ascending, order = in_order(xp, at)
    ends, _ = runs(xp, ascending, xp.reshape(at, (-1,)))
    written = xp.reshape(xp.broadcast_to(with_ndim(xp, value, len(at.shape)), at.shape), (-1,))
    return xp.reshape(xp.take(written, xp.take(order, ends, axis=0), axis=0), at.shape)


def with_ndim(xp: Any, x: Any, ndim: int) -> Any:
    """`x` with `ndim` axes: leading axes of length one are added or removed.

    A value may have more axes than the place that it is written to.
    """
    missing = ndim - len(x.shape)
    return xp.reshape(x, (1,) * missing + tuple(x.shape[max(0, -missing) :])) if missing else x
