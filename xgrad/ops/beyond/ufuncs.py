"""Elementwise functions that NumPy has and the standard lacks.

Below, ``g`` is the cotangent of the result and ``y`` the result. Python scalars among the arguments are converted to arrays.
"""

from __future__ import annotations

import math
from typing import Any

from ...backend.precision import in_float32
from ...engine.define import composite, op
from ...graph.kinds import takes_real
from ...tensor.tensor import ArrayLike, Tensor

__all__ = [
    "angle", "cbrt", "deg2rad", "exp2", "fmax", "fmin", "fmod", "heaviside", "logaddexp2", "nan_to_num", "rad2deg", "sinc",
    "spherical_jn", "unwrap",
]  # fmt: skip


# ------------------------------------------------------------------------------------------------ exponents and angles


@composite(elementwise=True)
def exp2(xp: Any, x: ArrayLike, /) -> Tensor:
    """``2**x``.

    The gradient is ``g y log(2)``.

    >>> import xgrad
    >>> exp2(xgrad.Tensor([-1.0, 0.0, 3.0]))
    Tensor([0.5, 1. , 8. ])
    """
    return xp.pow(xp.full_like(x, 2.0), x)


@composite(elementwise=True)
@takes_real
def logaddexp2(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """``log2(2**x1 + 2**x2)``, without overflow.

    The gradient is that of `logaddexp`; it is 0 where both are ``-inf``.

    >>> import xgrad
    >>> logaddexp2(xgrad.Tensor([1.0, -xgrad.inf]), xgrad.Tensor([1.0, 3.0]))
    Tensor([2., 3.])
    """
    return xp.logaddexp(x1 * math.log(2), x2 * math.log(2)) * (1 / math.log(2))


@composite(elementwise=True)
def deg2rad(xp: Any, x: ArrayLike, /) -> Tensor:
    """Degrees converted to radians, ``x * pi / 180``.

    >>> import xgrad
    >>> deg2rad(xgrad.Tensor([0.0, 180.0]))
    Tensor([0.       , 3.1415...])
    """
    return x * (math.pi / 180)


@composite(elementwise=True)
def rad2deg(xp: Any, x: ArrayLike, /) -> Tensor:
    """Radians converted to degrees, ``x * 180 / pi``.

    >>> import xgrad
    >>> rad2deg(xgrad.Tensor([0.0, xgrad.pi]))
    Tensor([  0., 180.])
    """
    return x * (180 / math.pi)


@composite
def angle(xp: Any, z: ArrayLike, /, deg: bool = False) -> Tensor:
    """The angle of a complex number, from ``-pi`` to ``pi``; 0 or ``pi`` for a real one.

    It is ``atan2(imag(z), real(z))`` and has its gradient, which is 0 for real numbers and at zero.

    Parameters
    ----------
    z : array
        Of a floating data type.
    deg : bool
        Whether the result is in degrees.

    Examples
    --------
    >>> import xgrad
    >>> angle(xgrad.Tensor([1j, -1.0]), deg=True)
    Tensor([ 90., 180.])
    """
    real = not xp.isdtype(z.dtype, "complex floating")
    y = xp.atan2(xp.zeros_like(z), z) if real else xp.atan2(xp.imag(z), xp.real(z))
    return y * (180 / math.pi) if deg else y


@composite
@takes_real
def unwrap(xp: Any, p: ArrayLike, /, discont: float | None = None, axis: int = -1, *, period: float = 2 * math.pi) -> Tensor:
    """Angles made continuous: multiples of `period` are added where they jump by more than half of it.

    The gradient is ``g``, since the multiples are constant.

    Parameters
    ----------
    p : array
        Real floating, with at least one axis.
    discont : float, optional
        The least jump that is corrected, if more than ``period / 2``.
    axis : int
        The axis along which angles are consecutive.
    period : float
        The period of the angles.

    Examples
    --------
    >>> import xgrad
    >>> unwrap(xgrad.Tensor([3.0, -3.0, 3.0]))
    Tensor([3.     , 3.2831..., 3.     ])
    """
    jumps = xp.diff(p, axis=axis)
    if 0 in p.shape:
        return p * 1
    # A jump of exactly half the period keeps its direction.
    least = xp.remainder(jumps + period / 2, period) - period / 2
    least = xp.where((least == -period / 2) & (jumps > 0), -least, least)
    corrections = xp.where(xp.abs(jumps) < (period / 2 if discont is None else discont), xp.zeros_like(jumps), least - jumps)
    steps = xp.round(corrections / period) * period  # rounding makes the gradient zero
    first = xp.zeros_like(xp.take(p, xp.astype(xp.new_zeros(p, (1,)), xp.int64), axis=axis))
    return p + xp.cumulative_sum(xp.concat([first, steps], axis=axis), axis=axis)


# --------------------------------------------------------------------------------------------------------------- roots


@op(override=True, elementwise=True)
@takes_real
@in_float32
def cbrt(xp: Any, x: ArrayLike, /) -> Tensor:
    """The real cube root, also of negative numbers.

    The gradient is ``g / (3 y**2)``; at 0, where the graph is vertical, it is infinite.

    >>> import xgrad
    >>> cbrt(xgrad.Tensor([-8.0, 0.0, 27.0]))
    Tensor([-2.,  0.,  3.])
    """
    own = xp.__backend__.special("cbrt")
    if own is not None:
        return own(x)
    y = xp.sign(x) * xp.pow(xp.abs(x), xp.full_like(x, 1 / 3))  # corrected below by a Newton step, since 1/3 is rounded
    regular = xp.isfinite(x) & (x != 0)
    at = xp.where(regular, y, xp.ones_like(y))
    return xp.where(regular, at - (at - x / (at * at)) / 3, y)


cbrt.vjp(x=lambda g, y: g / (3 * (y * y)))


# ---------------------------------------------------------------------------------------------------------------- sinc


@composite
def sinc(xp: Any, x: ArrayLike, /) -> Tensor:
    """``sin(pi x) / (pi x)``, and 1 at 0.

    Its derivatives of any order are precise, also at 0, where the second is ``-pi**2 / 3``, and near 0. At integers other than
    0 it is exactly 0, also at large ones.

    >>> import xgrad
    >>> sinc(xgrad.Tensor([0.0, 0.5]))
    Tensor([1.       , 0.6366...])
    """
    return xp.sinc_jn(0, x)


@op(override=True, elementwise=True)
def spherical_jn(xp: Any, n: int, x: ArrayLike, /) -> Tensor:
    """The spherical Bessel function of the first kind and of order `n`; that of order 0 is ``sin(x) / x``.

    Near zero it is computed by the power series (DLMF 10.53.1), elsewhere by the recurrence
    ``j[n+1] = (2n+1)/x j[n] - j[n-1]`` from ``j[0]`` and ``j[1]`` (DLMF 10.51.1). The gradient is
    ``g (n j[n-1] - (n+1) j[n+1]) / (2n+1)`` (DLMF 10.51.2). It does not divide by `x`, so derivatives of any order are right
    at 0.

    Parameters
    ----------
    n : int
        The order, not negative. Below ``n + 1.5`` the series is used, which loses no digits there.
    x : array
        Real or complex floating.

    Raises
    ------
    ValueError
        If `n` is negative.

    Examples
    --------
    >>> import xgrad
    >>> spherical_jn(1, xgrad.Tensor([0.0, 1.0]))
    Tensor([0.      , 0.3011...])
    """
    if n < 0:
        raise ValueError(f"spherical_jn: n is {n}; it must not be negative")
    return _spherical(xp, n, x, 1.0, xp.sin, xp.cos)


def _spherical(xp: Any, n: int, x: Any, scale: float, sin: Any, cos: Any) -> Any:
    """The spherical Bessel function of ``z = scale * x``; `sin` and `cos` are functions of `x`, the sine and cosine of ``z``."""
    near = xp.abs(x) < (n + 1.5) / scale
    s = xp.where(near, x, xp.zeros_like(x)) * scale
    square, terms = s * s * -0.5, 0
    bound = 1.0
    while bound > 1e-18:
        terms += 1
        bound *= (n + 1.5) ** 2 / 2 / (terms * (2 * n + 2 * terms + 1))
    series = xp.ones_like(s)
    for k in range(terms, 0, -1):
        series = series * square * (1 / (k * (2 * n + 2 * k + 1))) + 1
    for k in range(1, n + 1):
        series = series * s * (1 / (2 * k + 1))
    infinite = xp.isinf(x)
    far = xp.where(near | infinite, xp.ones_like(x), x)
    over = (1 / scale) / far
    low = sin(far) * over
    high = (low - cos(far)) * over
    for k in range(1, n):
        low, high = high, high * (2 * k + 1) * over - low
    y = xp.where(near, series, high if n else low)
    return xp.where(infinite, xp.zeros_like(x), y)


def _spherical_jn_x(xp: Any, g: Any, n: int, x: Any) -> Any:
    if n == 0:
        return -g * xp.spherical_jn(1, x)
    return g * ((xp.spherical_jn(n - 1, x) * n - xp.spherical_jn(n + 1, x) * (n + 1)) * (1 / (2 * n + 1)))


spherical_jn.holomorphic(x=_spherical_jn_x)


def _turns(xp: Any, x: Any) -> tuple[Any, Any]:
    """`x` less the nearest even number, which is exact, and the real part of the difference."""
    part = xp.real(x)
    even = 2 * xp.round(part * 0.5)
    return x - even, part - even


def _sin_pi(xp: Any, x: Any) -> Any:
    """``sin(pi x)``, precise also for large `x`."""
    r, part = _turns(xp, x)
    return xp.sin(xp.where(xp.abs(part) > 0.5, xp.where(part > 0, 1 - r, -1 - r), r) * math.pi)


def _cos_pi(xp: Any, x: Any) -> Any:
    """``cos(pi x)``, precise also for large `x`."""
    r, part = _turns(xp, x)
    return xp.sin((0.5 - xp.where(part < 0, -r, r)) * math.pi)


@op(override=True, elementwise=True)
def sinc_jn(xp: Any, n: int, x: ArrayLike, /) -> Tensor:
    """The spherical Bessel function of ``pi x`` and of order `n`; that of order 0 is `sinc`.

    It is precise for large `x`, whose fractions would be lost in a product with pi. The gradient is that of `spherical_jn`, times
    pi.

    >>> import xgrad
    >>> sinc_jn(1, xgrad.Tensor([0.0, 1e10]))
    Tensor([ 0...e+00, -3.1830...e-11])
    """
    return _spherical(xp, n, x, math.pi, lambda x: _sin_pi(xp, x), lambda x: _cos_pi(xp, x))


def _sinc_jn_x(xp: Any, g: Any, n: int, x: Any) -> Any:
    if n == 0:
        return g * (xp.sinc_jn(1, x) * -math.pi)
    return g * ((xp.sinc_jn(n - 1, x) * n - xp.sinc_jn(n + 1, x) * (n + 1)) * (math.pi / (2 * n + 1)))


sinc_jn.holomorphic(x=_sinc_jn_x)


# -------------------------------------------------------------------------------------------------- steps and remainders


@op(override=True, elementwise=True)
@takes_real
def heaviside(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """The step function: 0 where `x1` is negative, 1 where it is positive, `x2` where it is zero.

    The gradient is 0 for `x1`, and ``g`` for `x2` where `x1` is zero.

    >>> import xgrad
    >>> heaviside(xgrad.Tensor([-1.0, 0.0, 2.0]), 0.5)
    Tensor([0. , 0.5, 1. ])
    """
    one = xp.ones_like(x1 + x2)
    step = xp.where(x1 > 0, one, xp.zeros_like(one))
    return xp.where(x1 == 0, x2 * one, xp.where(x1 == x1, step, one * math.nan))


heaviside.vjp(
    x1=lambda xp, g: xp.zeros_like(g),
    x2=lambda xp, g, x1: xp.zero_where_not(g, x1 == 0),
)


@op(override=True, elementwise=True)
@takes_real
def fmod(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Remainder of the division rounded towards zero, with the sign of `x1`; `remainder` has that of `x2`.

    The gradient is ``g`` for `x1` and ``-g trunc(x1 / x2)`` for `x2`; it does not exist where the quotient jumps.

    >>> import xgrad
    >>> fmod(xgrad.Tensor([5.0, -5.0]), 3)
    Tensor([ 2., -2.])
    """
    rest = xp.remainder(xp.abs(x1), xp.abs(x2))
    return xp.where(x1 < 0, -rest, rest)


fmod.vjp(x1=lambda g: g, x2=lambda xp, g, x1, x2: -g * xp.trunc(x1 / x2))


# ----------------------------------------------------------------------------------------------------------------- NaN


@composite(elementwise=True)
@takes_real
def fmax(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """The larger of two numbers; if one is NaN, the other.

    The gradient is ``g`` for the element that is the result, and half of it for each where they are equal.

    >>> import xgrad
    >>> fmax(xgrad.Tensor([1.0, xgrad.nan]), xgrad.Tensor([2.0, 3.0]))
    Tensor([2., 3.])
    """
    return xp.maximum(xp.where(xp.isnan(x1), x2, x1), xp.where(xp.isnan(x2), x1, x2))


@composite(elementwise=True)
@takes_real
def fmin(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """The smaller of two numbers; if one is NaN, the other.

    The gradient is ``g`` for the element that is the result, and half of it for each where they are equal.

    >>> import xgrad
    >>> fmin(xgrad.Tensor([1.0, xgrad.nan]), xgrad.Tensor([2.0, 3.0]))
    Tensor([1., 3.])
    """
    return xp.minimum(xp.where(xp.isnan(x1), x2, x1), xp.where(xp.isnan(x2), x1, x2))


@composite
def nan_to_num(xp: Any, x: ArrayLike, /, *, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """`x` with NaN and infinities replaced by numbers.

    The gradient is ``g``, and 0 for elements that were replaced.

    Parameters
    ----------
    x : array
        Of any data type; integers are copied.
    nan : float
        The replacement of NaN.
    posinf, neginf : float, optional
        The replacements of the infinities; by default the largest and the smallest number of the dtype.

    Examples
    --------
    >>> import xgrad
    >>> nan_to_num(xgrad.Tensor([1.0, xgrad.nan, xgrad.inf]), posinf=9.0)
    Tensor([1., 0., 9.])
    """
    if xp.isdtype(x.dtype, "complex floating"):
        parts = (xp.nan_to_num(v, nan=nan, posinf=posinf, neginf=neginf) for v in (xp.real(x), xp.imag(x)))
        re, im = parts
        return re + im * 1j
    if not xp.isdtype(x.dtype, "real floating"):
        return xp.asarray(x, copy=True)
    facts = xp.finfo(x.dtype)
    largest, smallest = facts.max if posinf is None else posinf, facts.min if neginf is None else neginf
    x = xp.where(xp.isnan(x), xp.full_like(x, nan), x)
    x = xp.where(x == math.inf, xp.full_like(x, float(largest)), x)
    return xp.where(x == -math.inf, xp.full_like(x, float(smallest)), x)
