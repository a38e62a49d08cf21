"""Copies of an array on the backend and device of another."""

from __future__ import annotations

from typing import Any

from .dtypes import Array
from .find import raw_namespace

__all__ = ["copy_like"]


def copy_like(value: Any, like: Array, dtype: Any = None) -> Array:
    """A new array with the values of `value`, on the backend and device of `like`, in `dtype` or else in that of `like`.

    Parameters
    ----------
    value : array or Tensor
        Of any backend.
    like : array
        A raw array.
    dtype : optional
        A data type of the library of `like`.
    """
    value, xp = getattr(value, "_data", value), raw_namespace(like)
    backend = xp.__backend__
    device = backend.device(like)
    if raw_namespace(value) is not xp:
        value = backend.from_numpy(raw_namespace(value).__backend__.to_numpy(value), device)
    return backend.to_device(xp.astype(value, like.dtype if dtype is None else dtype), device)
