"""Functions of the error function and of the normal distribution, precise in the tails."""

from __future__ import annotations

import functools
import math
from typing import Any

from ...tensor.tensor import ArrayLike, Tensor
from ..parts.safe import gaussian
from ..parts.special import derivative, function, missing

__all__ = ["erfc", "erfcinv", "erfcx", "erfcx_derivative", "erfinv", "inverse_mills_ratio", "log_ndtr", "ndtr", "ndtri"]

_ROOT = math.sqrt(math.pi)


@function
def erfc(xp: Any, x: ArrayLike, /) -> Tensor:
    """The complement of the error function, ``1 - erf(x)``, precise where it is small.

    The gradient is ``-g 2 / sqrt(pi) exp(-x**2)``.

    >>> erfc(Tensor([0.0, 10.0]))
    Tensor([1.e+00, 1.e-45])
    """
    return missing(xp, "erfc", x)


erfc.holomorphic(x=lambda xp, g, x: g * (-2 / _ROOT * gaussian(xp, x)))


@function
def erfcx(xp: Any, x: ArrayLike, /) -> Tensor:
    """The scaled complement of the error function, ``exp(x**2) erfc(x)``.

    The gradient is ``g (2 x y - 2 / sqrt(pi))``, computed without this cancellation by `erfcx_derivative`.

    >>> erfcx(Tensor([0.0, 1000.0]))
    Tensor([1.0...e+00, 5.641...e-04])
    """
    large = x > 2
    far, near = xp.where(large, x, xp.full_like(x, 2.0)), xp.where(large, xp.zeros_like(x), x)
    rest = xp.zeros_like(far)
    for k in range(60, 0, -1):  # the continued fraction, DLMF 7.9.1
        rest = (k / 2) / (far + rest)
    return xp.where(large, 1 / (_ROOT * (far + rest)), xp.exp(near * near) * xp.special.erfc(near))


erfcx.vjp(x=lambda xp, g, x: g * xp.special.erfcx_derivative(x, 1))


@derivative("x")
def erfcx_derivative(xp: Any, x: ArrayLike, /, n: int) -> Tensor:
    """The derivative of order `n` of `erfcx`.

    Parameters
    ----------
    x : array
        Of real floating data type.
    n : int
        The order, 0 or more.

    Returns
    -------
    Tensor
        Of the shape of `x`.

    Notes
    -----
    It is ``(-2)**n 2 / sqrt(pi)`` times the integral ``W(n)`` of ``t**n exp(-t**2 - 2 t x)`` over positive ``t``. Integration by
    parts yields the recurrence ``W(n + 1) = n / 2 W(n - 1) - x W(n)``. It is used forwards for `x` up to 1. For larger `x`,
    where it would cancel, it is used backwards, as a continued fraction of ``W(n) / W(n - 1)`` (W. Gautschi, SIAM Review 9,
    1967). The gradient is ``g`` times the derivative of order ``n + 1``.

    Examples
    --------
    >>> erfcx_derivative(Tensor([0.0, 1000.0]), 1)
    Tensor([-1.128...e+00, -5.641...e-07])
    """
    large = x > 1
    y = xp.special.erfcx(x)
    far = xp.where(large, x, xp.ones_like(x))
    ratio, product = xp.zeros_like(far), xp.ones_like(far)
    for k in range(n + 120, 0, -1):
        ratio = (k / 2) / (far + ratio)
        product = product * ratio if k <= n else product
    before, value = xp.full_like(x, 2 / _ROOT), y  # W(-1), which stands for a boundary term of the recurrence, and W(0)
    near = xp.where(large, xp.ones_like(x), x)
    for k in range(n):
        before, value = value, (before * (0.5 if k == 0 else k / 2)) - near * value
    return (-2.0) ** n * xp.where(large, y * product, value)


erfcx_derivative.vjp(x=lambda xp, g, x, n: g * xp.special.erfcx_derivative(x, n + 1))


@function
def erfinv(xp: Any, x: ArrayLike, /) -> Tensor:
    """The inverse of the error function.

    The gradient is ``g sqrt(pi) / 2 exp(y**2)``.

    >>> erfinv(Tensor([0.0, 0.5, 1.0]))
    Tensor([0.        , 0.4769...,        inf])
    """
    return missing(xp, "erfinv", x)


erfinv.vjp(x=lambda xp, g, x: g * (_ROOT / 2 * xp.exp(xp.special.erfinv(x) ** 2)))  # y may have been rounded to float32


@function
def erfcinv(xp: Any, x: ArrayLike, /) -> Tensor:
    """The inverse of the complement of the error function.

    The gradient is ``-g sqrt(pi) / 2 exp(y**2)``.

    >>> erfcinv(Tensor([0.5, 1.0, 2.0]))
    Tensor([ 0.4769..., -0.        ,        -inf])
    """
    return xp.special.ndtri(x * 0.5) * -math.sqrt(0.5)


erfcinv.vjp(x=lambda xp, g, x: g * (-_ROOT / 2 * xp.exp(xp.special.erfcinv(x) ** 2)))


@function
def ndtr(xp: Any, x: ArrayLike, /) -> Tensor:
    """The cumulative distribution function of the standard normal distribution.

    The gradient is ``g exp(-x**2 / 2) / sqrt(2 pi)``.

    >>> ndtr(Tensor([-10.0, 0.0, 10.0]))
    Tensor([7.619...e-24, 5.0...e-01, 1.0...e+00])
    """
    return 0.5 * xp.special.erfc(x * -math.sqrt(0.5))


ndtr.holomorphic(x=lambda xp, g, x: g * (gaussian(xp, x * math.sqrt(0.5)) / math.sqrt(2 * math.pi)))


@function
def ndtri(xp: Any, x: ArrayLike, /) -> Tensor:
    """The inverse of `ndtr`: the quantile of the standard normal distribution.

    The gradient is ``g sqrt(2 pi) exp(y**2 / 2)``.

    >>> ndtri(Tensor([0.0, 0.5, 0.975]))
    Tensor([     -inf, 0.       , 1.959...])
    """
    return missing(xp, "ndtri", x)


ndtri.vjp(x=lambda xp, g, x: g * (math.sqrt(2 * math.pi) * xp.exp(0.5 * xp.special.ndtri(x) ** 2)))


@function
def log_ndtr(xp: Any, x: ArrayLike, /) -> Tensor:
    """The logarithm of `ndtr`, precise in both tails.

    The gradient is ``g`` times the `inverse_mills_ratio` of `x`.

    >>> log_ndtr(Tensor([-100.0, 0.0, 10.0]))
    Tensor([-5.005...e+03, -6.931...e-01, -7.619...e-24])
    """
    low, high = xp.minimum(x, -xp.ones_like(x)), xp.maximum(x, -xp.ones_like(x))
    below = xp.log(0.5 * xp.special.erfcx(low * -math.sqrt(0.5))) - 0.5 * low * low
    return xp.where(x < -1, below, xp.log1p(-0.5 * xp.special.erfc(high * math.sqrt(0.5))))


log_ndtr.vjp(x=lambda xp, g, x: g * xp.special.inverse_mills_ratio(x))


@derivative("x")
def inverse_mills_ratio(xp: Any, x: ArrayLike, /, n: int = 0) -> Tensor:
    """The density of the standard normal distribution divided by its distribution function, or a derivative of that.

    Parameters
    ----------
    x : array
        Of real floating data type.
    n : int
        The order of the derivative.

    Returns
    -------
    Tensor
        Of the shape of `x`; about ``-x`` for very negative `x`.

    Notes
    -----
    Below 0 it is ``sqrt(2 / pi) / erfcx(-x / sqrt(2))``, which does not underflow. With ``w = x + y`` the derivatives of ``y``
    and ``w`` are ``-y w`` and ``1 - y w``. Below -12, where derivatives computed from these would cancel, they come from the
    asymptotic series. The gradient is ``g`` times the derivative of order ``n + 1``.

    Examples
    --------
    >>> inverse_mills_ratio(Tensor([-100.0, 0.0, 10.0]))
    Tensor([1.00009...e+02, 7.978...e-01, 7.694...e-23])
    """
    below, far = x < 0, x < -12
    zero = xp.zeros_like(x)
    low = xp.where(below & ~far if n else below, x, zero)
    high = xp.where(below, zero, xp.minimum(x, xp.full_like(x, 40.0)))
    t = low * -math.sqrt(0.5)
    scaled = xp.special.erfcx(t)
    above = xp.exp(-0.5 * (high * high)) / math.sqrt(2 * math.pi) / xp.special.ndtr(high)
    y = xp.where(below, math.sqrt(2 / math.pi) / scaled, above)
    if not n:
        return y
    w = xp.where(below, -math.sqrt(0.5) * xp.special.erfcx_derivative(t, 1) / scaled, high + y)
    y, w = xp.where(far, xp.ones_like(y), y), xp.where(far, xp.ones_like(w), w)
    value = xp.zeros_like(y)
    for (i, j), factor in _mills_polynomial(n).items():
        value = value + factor * y**i * w**j
    s = xp.where(far, -x, xp.full_like(x, 12.0))
    series, step = xp.zeros_like(s), 1 / (s * s)
    for k, coefficient in reversed(list(enumerate(_mills_series()))):
        series = series * step + float(coefficient * math.perm(2 * k + n, n))
    series = series * s ** -(n + 1) - (1 if n == 1 else 0)
    return xp.where(far, series, value)


@functools.cache
def _mills_polynomial(n: int) -> dict[tuple[int, int], int]:
    """The derivative of order `n` as a polynomial: from ``(i, j)`` to the coefficient of ``y**i w**j``."""
    if n == 0:
        return {(1, 0): 1}
    coefficients: dict[tuple[int, int], int] = {}
    for (i, j), factor in _mills_polynomial(n - 1).items():
        for key, more in (((i, j + 1), -i), ((i, j - 1), j), ((i + 1, j), -j)):
            if more:
                coefficients[key] = coefficients.get(key, 0) + factor * more
    return coefficients


@functools.cache
def _mills_series() -> list[int]:
    """The coefficients of ``s**-(2 k + 1)`` in the series of ``y + x`` with ``s = -x``, from its differential equation."""
    series = [1]
    for k in range(1, 20):
        series.append(-(2 * k - 1) * series[-1] - sum(series[i] * series[k - 1 - i] for i in range(k)))
    return series


inverse_mills_ratio.vjp(x=lambda xp, g, x, n: g * xp.special.inverse_mills_ratio(x, n + 1))
