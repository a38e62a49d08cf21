"""Formulas without overflow and without division by zero."""

from __future__ import annotations

import math
from typing import Any

from ...graph.kinds import is_complex

__all__ = ["gaussian", "nan_where", "one_where", "outward", "ratio", "stirling"]


def one_where(xp: Any, condition: Any, x: Any) -> Any:
    """`x` with ones where `condition` holds: a divisor, or the argument of a logarithm, that must not be zero there."""
    return xp.where(condition, xp.ones_like(x), x)


def nan_where(xp: Any, condition: Any, x: Any) -> Any:
    """`x` with NaN where `condition` holds."""
    return xp.where(condition, xp.zeros_like(x) + math.nan, x)


def ratio(xp: Any, x: Any, y: Any) -> Any:
    """``x / y``, infinite without a floating-point warning where only `y` is zero: a function of it may be finite."""
    zero = (y == 0) & (x != 0) & ~xp.isnan(x)
    limit = xp.copysign(xp.full_like(y, math.inf), y * xp.sign(x))
    return xp.where(zero, limit, x / one_where(xp, zero, y))


def outward(xp: Any, x: Any) -> Any:
    """``-abs(x)``; for complex `x`, ``x`` or ``-x``, whichever has no positive real part. Its exponential does not overflow."""
    return xp.where(xp.real(x) > 0, -x, x) if is_complex(xp, x) else -xp.abs(x)


def gaussian(xp: Any, x: Any) -> Any:
    """``exp(-x**2)``. Real `x` are clipped to a range outside of which it is 0, so that the square does not overflow."""
    near = x if is_complex(xp, x) else xp.clip(x, -40.0, 40.0)
    return xp.exp(-(near * near))


def stirling(x: Any) -> Any:
    """The remainder of Stirling's formula for ``gammaln(x)``, for ``x >= 10`` (DLMF 5.11.1)."""
    square, series = (1 / x) * (1 / x), 0.0  # x * x may overflow
    for coefficient in (1 / 156, -691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12):
        series = series * square + coefficient
    return series / x
