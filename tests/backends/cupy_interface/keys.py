"""Indices of arrays: which CuPy takes, and how it wraps those that are out of bounds."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from .launching import upload

__all__ = ["Key", "read_key"]


class Key:
    """The parts of an index, as NumPy takes them.

    advanced: whether it has arrays; masked: whether one of them is a mask.
    """

    def __init__(self, parts: list[Any], advanced: bool, masked: bool) -> None:
        self.parts, self.advanced, self.masked = parts, advanced, masked

    def on(self, values: Any) -> tuple[Any, ...]:
        """The index of `values`, with its arrays as they are now: a kernel of a graph asks at each launch."""
        if self.advanced:
            return _wrapped(values, self.parts)
        return tuple(self.parts if any(part is Ellipsis for part in self.parts) else [*self.parts, Ellipsis])


def read_key(key: Any) -> Key:
    """The parts of ``x[key]``, with the errors of CuPy."""
    parts, masked, advanced = [], False, False
    for part in key if isinstance(key, tuple) else (key,):
        values = getattr(part, "_values", None)
        if values is not None:
            if values.dtype.kind not in "biu":
                raise IndexError(f"arrays used as indices must be of integer or boolean type. (actual: {values.dtype.type})")
            part = values
        elif isinstance(part, (np.ndarray, list, tuple)):
            upload(f"index by {type(part).__name__}")
            if not isinstance(part, np.ndarray):
                items = [getattr(x, "_values", x) for x in part]
                part = np.asarray(items, dtype=None if items else np.int32)
        elif isinstance(part, (bool, np.bool_)):
            advanced = masked = True
        elif not (part is None or part is Ellipsis or isinstance(part, slice) or np.isscalar(part)):
            try:
                operator.index(part)
            except TypeError:
                raise IndexError(
                    "only integers, slices (`:`), ellipsis (`...`), numpy.newaxis (`None`) and integer or boolean arrays are "
                    "valid indices"
                ) from None
        if isinstance(part, np.ndarray):
            advanced, masked = True, masked or part.dtype.kind == "b"
        parts.append(part)
    return Key(parts, advanced, masked)


def taken_axes(part: Any) -> int:
    """How many axes of the array a part of an index takes up."""
    if part is None or part is Ellipsis or isinstance(part, (bool, np.bool_)):
        return 0
    return part.ndim if isinstance(part, np.ndarray) and part.dtype.kind == "b" else 1


def _wrapped(values: Any, parts: list[Any]) -> tuple[Any, ...]:
    """The parts with arrays of integers wrapped around where they are out of bounds, which raises nothing in CuPy."""
    axis, done = 0, []
    free = values.ndim - sum(map(taken_axes, parts))
    for part in parts:
        if isinstance(part, np.ndarray) and part.dtype.kind != "b" and axis < values.ndim and values.shape[axis]:
            done.append(np.mod(part.astype(np.int64), values.shape[axis]))
        else:
            done.append(part)
        axis += free if part is Ellipsis else taken_axes(part)
    return tuple(done)
