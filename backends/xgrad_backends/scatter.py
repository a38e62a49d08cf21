"""Adding to elements of NumPy's arrays by index, each as often as the index names it.

`numpy.add.at` is quick for one axis only. Here the positions in the flattened array are computed first. The numbers are added in
the same order, so that the sums are the same to the last bit.
"""

from __future__ import annotations

import math
from typing import Any

import numpy

from xgrad.backend import may_repeat

__all__ = ["add_at", "extreme_at", "repeats"]

_FEW = 3072  # numbers that numpy.add.at adds sooner than their positions are computed


def add_at(out: Any, key: Any, value: Any) -> Any:
    """`out`, with `value` added at ``out[key]`` in place, positions that occur twice counted twice."""
    if not may_repeat(key):
        out[key] += value
        return out
    if out.ndim > 1 and value.size >= _FEW and value.dtype == out.dtype and out.flags.c_contiguous:
        places = _positions(out.shape, key)
        if places is not None and value.ndim <= places.ndim:
            value = value if value.shape == places.shape else numpy.broadcast_to(value, places.shape)
            numpy.add.at(out.reshape(-1), places.reshape(-1), value.reshape(-1))
            return out
    # If `out` has one axis, numpy.add.at does not broadcast the value: it reads as many elements as there are positions, beyond
    # the end if the value has fewer. If `out` has more axes, it broadcasts.
    if out.ndim == 1 and value.ndim:
        shape = key.shape if isinstance(key, numpy.ndarray) else numpy.broadcast_to(False, out.shape)[key].shape
        if value.shape != shape:
            value = numpy.broadcast_to(value, shape)
    numpy.add.at(out, key, value)
    return out


def extreme_at(out: Any, key: Any, value: Any, name: str) -> Any:
    """`out`, with the ``"maximum"`` or ``"minimum"`` of ``out[key]`` and `value` at `key`, in place."""
    ufunc = getattr(numpy, name)
    places = _positions(out.shape, key) if out.flags.c_contiguous else None
    with numpy.errstate(invalid="ignore"):  # `at` warns of a NaN, though the ufunc itself does not
        if places is None or value.ndim > places.ndim:
            ufunc.at(out, key, numpy.broadcast_to(value, numpy.broadcast_to(False, out.shape)[key].shape))
        else:
            ufunc.at(out.reshape(-1), places.reshape(-1), numpy.broadcast_to(value, places.shape).reshape(-1))
    return out


def repeats(key: Any, most: int) -> bool:
    """Whether `key` may name an element more than `most` times. It reads the values of an index that has one array."""
    parts = key if isinstance(key, tuple) else (key,)
    arrays = [part for part in parts if not (part is Ellipsis or isinstance(part, slice))]
    if len(arrays) != 1 or not isinstance(arrays[0], numpy.ndarray) or arrays[0].dtype.kind not in "iu":
        return True
    (index,) = arrays
    if index.size and index.min() < 0:
        return True  # an element has two names
    ascending = numpy.sort(index, axis=None)
    return bool((ascending[most:] == ascending[:-most]).any())


def _positions(shape: tuple[int, ...], key: Any) -> Any:
    """The positions in the flattened array, in the shape of ``x[key]``; None for keys other than ``[:, ..., i, j, ..., :]``.

    Raises
    ------
    IndexError
        As NumPy does, if an index is out of range.
    """
    parts = list(key) if isinstance(key, tuple) else [key]
    while parts and (parts[-1] is Ellipsis or (isinstance(parts[-1], slice) and parts[-1] == slice(None))):
        parts.pop()
    before = 0
    while before < len(parts) and isinstance(parts[before], slice) and parts[before] == slice(None):
        before += 1
    indices = [numpy.asarray(part) if isinstance(part, (list, int)) else part for part in parts[before:]]
    if not indices or len(parts) > len(shape):
        return None
    if not all(isinstance(index, numpy.ndarray) and index.dtype.kind in "iu" and index.size for index in indices):
        return None
    flat = None
    for n, index in zip(shape[before:], indices):
        index = _from_0(index, n)
        flat = index if flat is None else flat * n + index
    assert flat is not None
    named, inner = flat.shape, math.prod(shape[len(parts) :])
    if inner != 1:
        flat = (flat * inner)[..., None] + numpy.arange(inner)
    if before:
        outer = math.prod(shape[:before])
        step = inner * math.prod(shape[before : len(parts)])
        flat = numpy.arange(0, outer * step, step).reshape((-1, *(1,) * flat.ndim)) + flat
    return flat.reshape((*shape[:before], *named, *shape[len(parts) :]))


def _from_0(index: Any, n: int) -> Any:
    """Indices of an axis of length `n`, counted from its start."""
    least, greatest = numpy.minimum.reduce(index, axis=None), numpy.maximum.reduce(index, axis=None)
    if least < -n or greatest >= n:
        wrong = least if least < -n else greatest
        raise IndexError(f"index {wrong} is out of bounds for axis of length {n}")
    index = index.astype(numpy.intp, copy=False)
    return numpy.where(index < 0, index + n, index) if least < 0 else index
