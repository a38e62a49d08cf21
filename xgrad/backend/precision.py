"""Half precision: sums and squares are computed in float32, and the result has the dtype of the arguments.

float16 counts no further than 2048 and ends at 65504, and bfloat16 counts to 256: numbers of theirs are good enough to keep,
but not to add up. What the libraries do for their own sums is in their plug-ins; here is what functions of several steps need.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

from .dtypes import dtype_of
from .find import raw_namespace

__all__ = ["half", "in_float32", "narrowed", "norm", "widened"]

F = TypeVar("F", bound=Callable[..., Any])


_halves: dict[tuple[type, Any], bool] = {}  # by type too, since some libraries refuse to compare their dtypes with others


def half(dtype: Any) -> bool:
    """Whether a dtype of any library is float16 or bfloat16."""
    key = (dtype.__class__, dtype)
    known = _halves.get(key)
    if known is None:
        known_dtype = dtype_of(dtype)
        known = _halves[key] = known_dtype.bits == 16 and known_dtype.inexact
    return known


def widened(xp: Any, x: Any) -> Any:
    """`x`, converted to float32 if it has half precision."""
    return xp.astype(x, xp.float32) if half(x.dtype) else x


def narrowed(g: Any, dtype: Any) -> Any:
    """The array or Tensor `g`, a sum in float32, converted to the half precision `dtype`."""
    return (g.__array_namespace__() if hasattr(g, "_node") else raw_namespace(g)).astype(g, dtype)


def in_float32(function: F) -> F:
    """Make a forward or a rule ``f(xp, ...)`` compute in float32 where its arrays have half precision.

    The result has their dtype; it is left in float32 where others of its arrays are of a wider one.
    """

    @functools.wraps(function)
    def run(xp: Any, *arguments: Any, **options: Any) -> Any:
        dtypes = [v.dtype for v in (*arguments, *options.values()) if hasattr(v, "shape") and hasattr(v, "dtype")]
        narrow = next((dtype for dtype in dtypes if half(dtype)), None)
        if narrow is None:
            return function(xp, *arguments, **options)
        y = function(xp, *[_widened(xp, v) for v in arguments], **{name: _widened(xp, v) for name, v in options.items()})
        alone = all(dtype == narrow or not dtype_of(dtype).inexact for dtype in dtypes)
        return xp.astype(y, narrow) if alone and y.dtype == xp.float32 else y

    return run  # type: ignore[return-value]


def _widened(xp: Any, v: Any) -> Any:
    return xp.astype(v, xp.float32) if hasattr(v, "shape") and hasattr(v, "dtype") and half(v.dtype) else v


def norm(xp: Any, x: Any, axis: Any, keepdims: bool) -> Any:
    """The Euclidean norm, as `xgrad.linalg.vector_norm`, for the body of a forward or a composite."""
    # On a raw namespace, linalg has the library's function, and the bare name is xgrad's.
    own = not hasattr(xp, "__backend__") or xp.__backend__.level
    return (xp.linalg.vector_norm if own else xp.vector_norm)(x, axis=axis, keepdims=keepdims)
