"""Kummer's confluent hypergeometric function."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ...tensor.tensor import ArrayLike, Tensor
from ..parts.safe import nan_where, one_where
from ..parts.special import function, on_host_or

__all__ = ["hyp1f1"]


@function
def hyp1f1(xp: Any, a: ArrayLike, b: ArrayLike, x: ArrayLike, /) -> Tensor:
    """Kummer's confluent hypergeometric function.

    The gradient is ``g a / b hyp1f1(a + 1, b + 1, x)`` for `x`; there is none for `a` and `b`.

    >>> hyp1f1(1.0, 2.0, Tensor([0.0, 1.0]))
    Tensor([1.       , 1.718...])
    """
    return on_host_or(xp, "hyp1f1", _hyp1f1, a, b, x)


hyp1f1.vjp(x=lambda xp, g, a, b, x: g * (a / b * xp.special.hyp1f1(a + 1, b + 1, x)))


# The power series (DLMF 13.2.2) is summed up to `_NEAR`, of negative x after Kummer's transformation (DLMF 13.2.39). Beyond, both
# asymptotic series (DLMF 13.7.1, 13.7.2) are. Terms are made in blocks, along an axis of their own. Where terms of both signs
# would leave fewer than nine digits, the result is NaN.

_NEAR = 200.0
_BLOCK = 64  # terms at once
_BLOCKS = 6  # of the power series; beyond 384 terms it has converged, if `a` is not in the hundreds
_LOST = 1e7  # the terms may be so many times as large as the sum


def _hyp1f1(xp: Any, a: Any, b: Any, x: Any) -> Any:
    a, b, x = xp.broadcast_arrays(a, b, x)
    pole = _is_pole(xp, b)
    turned = (x < 0) & ~pole & ~_is_pole(xp, a)  # of a polynomial, the terms have one sign already
    a, x = xp.where(turned, b - a, a), xp.where(turned, -x, x)
    far = xp.abs(x) > _NEAR
    near = _power_series(xp, a, b, xp.where(far, xp.ones_like(x), x))
    near = near * xp.where(turned & ~far, xp.exp(-xp.where(turned & ~far, x, xp.zeros_like(x))), xp.ones_like(x))
    value = xp.where(far, _asymptotic(xp, a, b, xp.where(far, x, xp.full_like(x, 2 * _NEAR)), turned), near)
    poly = _is_pole(xp, a) & (a >= b)  # it ends before the pole
    return xp.where(pole & ~poly, xp.full_like(value, math.inf), value)


def _is_pole(xp: Any, x: Any) -> Any:
    """Whether the gamma function has a pole at `x`."""
    return (x <= 0) & (x == xp.floor(x))


def _power_series(xp: Any, a: Any, b: Any, x: Any) -> Any:
    a, b, x = a[..., None], b[..., None], x[..., None]

    def quotient(k: Any) -> Any:
        divisor = (b + k) * (k + 1)
        return (a + k) * x / one_where(xp, divisor == 0, divisor)

    return _sum(xp, quotient, x, _BLOCKS)


def _asymptotic(xp: Any, a: Any, b: Any, x: Any, turned: Any) -> Any:
    size = xp.minimum(xp.abs(x), xp.full_like(x, 1e300))
    log, inverse = xp.log(size), 1 / size[..., None]
    way = xp.where(x > 0, xp.ones_like(x), -xp.ones_like(x))
    c, d = (b - a)[..., None], (1 - a)[..., None]
    growing = _sum(xp, lambda k: (c + k) * (d + k) / (k + 1) * (way[..., None] * inverse), inverse, 1)
    level = _sum(xp, lambda k: (k + 1 - d) * (k + 1 - c) / (k + 1) * (-way[..., None] * inverse), inverse, 1)
    growth = xp.where(turned, xp.zeros_like(size), way * size)  # exp(-x) of Kummer's transformation cancels exp(x)
    first = _term(xp, b, a, growth + (a - b) * log, growing)
    decay = xp.where(turned, size, xp.zeros_like(size))
    turn = xp.where(way > 0, xp.cos(math.pi * a), xp.ones_like(a))
    return first + _term(xp, b, b - a, -a * log - decay, level) * turn


def _term(xp: Any, b: Any, c: Any, exponent: Any, series: Any) -> Any:
    """``gamma(b) / gamma(c) exp(exponent) series``, which is 0 at the poles of ``gamma(c)``."""
    sp, zero = xp.special, _is_pole(xp, c)
    safe, b = one_where(xp, zero, c), one_where(xp, _is_pole(xp, b), b)
    log = xp.where(zero, xp.zeros_like(c), sp.gammaln(b) - sp.gammaln(safe) + exponent)
    return xp.zero_where_not(sp.gammasgn(b) * sp.gammasgn(safe) * xp.exp(log) * series, ~zero)


def _sum(xp: Any, quotient: Callable[[Any], Any], like: Any, blocks: int) -> Any:
    """The sum of terms that begin with 1; ``quotient(k)`` is that of the terms ``k + 1`` and ``k``, along the last axis."""
    k = xp.arange(_BLOCK, dtype=like.dtype, device=xp.__backend__.device(like))
    last = xp.ones_like(like)
    total, size, slope = last[..., 0], last[..., 0], xp.zeros_like(last[..., 0])
    for _ in range(blocks):
        terms = xp.cumulative_prod(quotient(k), axis=-1) * last
        k = k + 1
        total, size = total + xp.sum(terms, axis=-1), size + xp.sum(xp.abs(terms), axis=-1)
        slope, last, k = slope + xp.sum(terms * k, axis=-1), terms[..., -1:], k + (_BLOCK - 1)
    # Near a zero of the sum, the derivative tells the size of what is computed.
    precise = (size < _LOST * (xp.abs(total) + xp.abs(slope))) & (xp.abs(last[..., 0]) < 1e-12 * size)
    return nan_where(xp, ~precise, total)
