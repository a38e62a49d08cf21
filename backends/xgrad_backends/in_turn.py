"""Sums over several axes, for libraries whose sums over one axis are precise.

PyTorch and JAX sum pairwise, or nearly so, along one axis. Over several axes that are not adjacent they add one element after
the other.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

__all__ = ["in_turn"]


def in_turn(xp: Any) -> dict[str, Callable[..., Any]]:
    """`sum` and `mean` of the namespace `xp` that take one axis after the other."""

    def sum(x: Any, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
        if not isinstance(axis, tuple) or len(axis) < 2:
            return xp.sum(x, axis=axis, dtype=dtype, keepdims=keepdims)
        axes = _distinct(axis, x.ndim)
        if axes is None or not xp.isdtype(x.dtype if dtype is None else dtype, ("real floating", "complex floating")):
            return xp.sum(x, axis=axis, dtype=dtype, keepdims=keepdims)  # raises if the axes are wrong
        own = x.dtype if dtype is None else dtype
        y = _total(x if x.dtype == own else xp.astype(x, own), axes, keepdims)
        return y if y.dtype == own else xp.astype(y, own)

    def mean(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
        axes = None if axis is None else _distinct(axis if isinstance(axis, tuple) else (axis,), x.ndim)
        if axis is not None and axes is None:
            return xp.sum(x, axis=axis)  # raises, since the axes are wrong
        n = 0 if axes is None or len(axes) < 2 else math.prod(x.shape[a] for a in axes)
        if axes is None or n == 0 or not xp.isdtype(x.dtype, ("real floating", "complex floating")):
            return xp.mean(x, axis=axis, keepdims=keepdims)
        y = _total(x, axes, keepdims) / n
        return y if y.dtype == x.dtype else xp.astype(y, x.dtype)

    def _total(x: Any, axes: list[int], keepdims: bool) -> Any:
        # The last axis comes first, so that the others keep their numbers. Half precision is summed in float32.
        dtype = xp.float32 if xp.finfo(x.dtype).bits == 16 else None
        for axis in axes:
            x, dtype = xp.sum(x, axis=axis, dtype=dtype, keepdims=keepdims), None
        return x

    return {"sum": sum, "mean": mean}


def _distinct(axes: tuple[int, ...], ndim: int) -> list[int] | None:
    """The axes counted from 0, the last first; None if they are not axes, each named once."""
    if not all(-ndim <= a < ndim for a in axes):
        return None
    distinct = sorted({a % ndim for a in axes}, reverse=True)
    return distinct if len(distinct) == len(axes) else None
