"""Special functions composed of logarithms, exponentials and powers: entropies, losses, Box-Cox transformations, degrees.

Values and derivatives of any order are precise also where the textbook's formula is 0 / 0. For this, ``(exp(x) - 1) / x``,
``log(1 + x) / x`` and their derivatives are ops.
"""

from __future__ import annotations

import math
from typing import Any

from ...tensor.tensor import ArrayLike, Tensor
from ..parts.safe import one_where
from ..parts.special import derivative, function

__all__ = [
    "boxcox", "boxcox1p", "cosdg", "cosm1", "cotdg", "entr", "exp10", "exprel", "exprel_derivative", "huber", "hypot_ratio",
    "inv_boxcox", "inv_boxcox1p", "kl_div", "log1prel_derivative", "logit", "pseudo_huber", "radian", "rel_entr", "sindg",
    "tandg", "xlog1py", "xlogy",
]  # fmt: skip


# ------------------------------------------------------------------------------------------------ exponentials and powers


@function
def exp10(xp: Any, x: ArrayLike, /) -> Tensor:
    """``10**x``.

    The gradient is ``g log(10) y``.

    >>> exp10(Tensor([-1.0, 3.0]))
    Tensor([1.e-01, 1.e+03])
    """
    return xp.pow(xp.full_like(x, 10.0), x)


exp10.vjp(x=lambda g, y: g * (y * math.log(10)))


@function
def cosm1(xp: Any, x: ArrayLike, /) -> Tensor:
    """``cos(x) - 1``, precise near 0.

    The gradient is ``-g sin(x)``.

    >>> cosm1(Tensor(0.01))
    Tensor(-4.9999...e-05)
    """
    half = xp.sin(x * 0.5)
    return -2 * half * half


cosm1.vjp(x=lambda xp, g, x: -g * xp.sin(x))


@function(own=False)
def exprel(xp: Any, x: ArrayLike, /) -> Tensor:
    """``(exp(x) - 1) / x``, and 1 at 0.

    The gradient is ``g`` times the integral of ``s exp(s x)`` for `s` from 0 to 1: see `exprel_derivative`.

    >>> exprel(Tensor([-1.0, 0.0, 1.0]))
    Tensor([0.6321..., 1.        , 1.718...])
    """
    return xp.special.exprel_derivative(x, 0)


exprel.vjp(x=lambda xp, g, x: g * xp.special.exprel_derivative(x, 1))

_NEAR = 8.0  # power series are summed for arguments up to this size
_TERMS = 50


@derivative("x")
def exprel_derivative(xp: Any, x: ArrayLike, /, n: int) -> Tensor:
    """The derivative of order `n` of `exprel`: the integral of ``s**n exp(s x)`` for `s` from 0 to 1.

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
    Near 0, on both sides, it is a series of positive terms (DLMF 8.7.1). Elsewhere, integration by parts leads from one order
    to the next. The gradient is ``g`` times the derivative of order ``n + 1``.

    Examples
    --------
    >>> exprel_derivative(Tensor([0.0, 1.0]), 1)
    Tensor([0.5, 1. ])
    """
    size = xp.abs(x)
    near = size < _NEAR
    z = xp.where(near, size, xp.zeros_like(x))
    up, down = xp.zeros_like(z), xp.zeros_like(z)
    for k in reversed(range(_TERMS)):  # sum of z**k / (k! (n + k + 1)), and of z**k / ((n + 1) ... (n + 1 + k))
        up = up * z + 1 / (math.factorial(k) * (n + k + 1))
        down = (down * z + 1) / (n + 1 + k)
    series = xp.where(x < 0, xp.exp(-z) * down, up)
    # Elsewhere; for positive x it is first divided by exp(x), which overflows before the result does.
    right = x > 0
    far = xp.minimum(xp.where(near, xp.full_like(x, _NEAR), x), xp.full_like(x, 2000.0))
    least = xp.exp(-xp.abs(far))
    low, high = xp.where(right, least, xp.ones_like(x)), xp.where(right, xp.ones_like(x), least)
    value = (high - low) / far
    for k in range(1, n + 1):
        value = (high - k * value) / far
    root = xp.exp(0.5 * xp.where(right, far, xp.zeros_like(x)))
    return xp.where(near, series, value * root * root)


exprel_derivative.vjp(x=lambda xp, g, x, n: g * xp.special.exprel_derivative(x, n + 1))


@derivative("x")
def log1prel_derivative(xp: Any, x: ArrayLike, /, n: int) -> Tensor:
    """The derivative of order `n` of ``log(1 + x) / x``, which is 1 at 0.

    Parameters
    ----------
    x : array
        Of real floating data type, more than -1.
    n : int
        The order, 0 or more.

    Returns
    -------
    Tensor
        Of the shape of `x`.

    Notes
    -----
    It is ``(-1)**n n!`` times the integral of ``s**n / (1 + s x)**(n + 1)`` for `s` from 0 to 1. Near 0 it is a power series.
    Elsewhere each order is computed from the previous one, since ``x f(x)`` is ``log(1 + x)``. The gradient is ``g`` times the
    derivative of order ``n + 1``.

    Examples
    --------
    >>> log1prel_derivative(Tensor([0.0, 1.0]), 0)
    Tensor([1.       , 0.6931...])
    """
    near = xp.abs(x) < 0.4
    z = xp.where(near, x, xp.zeros_like(x))
    series = xp.zeros_like(z)
    for k in reversed(range(60)):  # the series of log(1 + x) / x, differentiated n times
        series = (-1) ** (n + k) * math.perm(n + k, n) / (n + k + 1) + series * z
    far = one_where(xp, near, x)
    value, power = _log1p(xp, far) / far, xp.ones_like(far)
    for k in range(1, n + 1):
        power = power / (1 + far)
        value = ((-1) ** (k - 1) * math.factorial(k - 1) * power - k * value) / far
    return xp.where(near, series, value)


log1prel_derivative.vjp(x=lambda xp, g, x, n: g * xp.special.log1prel_derivative(x, n + 1))


# ------------------------------------------------------------------------------------------------------------- logarithms


@function
def logit(xp: Any, x: ArrayLike, /) -> Tensor:
    """``log(x / (1 - x))``, the inverse of the sigmoid.

    The gradient is ``g / (x (1 - x))``, NaN outside of [0, 1].

    >>> logit(Tensor([0.0, 0.5, 0.9, 1.0]))
    Tensor([     -inf, 0.       , 2.197...,       inf])
    """
    return xp.log(x) - xp.log1p(-x)


def _logit_x(xp: Any, g: Any, x: Any) -> Any:
    outside = (x < 0) | (x > 1)
    safe = xp.where(outside, xp.full_like(x, 0.5), x)
    return xp.where(outside, xp.full_like(x, math.nan), g / safe + g / (1 - safe))


logit.vjp(x=_logit_x)


def _log(xp: Any, x: Any) -> Any:
    """The logarithm, ``-inf`` at 0 without a floating-point warning, since a function of it may be finite."""
    zero = x == 0
    return xp.where(zero, xp.full_like(x, -math.inf), xp.log(one_where(xp, zero, x)))


def _log1p(xp: Any, x: Any) -> Any:
    """The logarithm of ``1 + x``, ``-inf`` at -1 without a floating-point warning."""
    zero = x == -1
    return xp.where(zero, xp.full_like(x, -math.inf), xp.log1p(one_where(xp, zero, x)))


@function
def xlogy(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """``x1 log(x2)``, and 0 where `x1` is 0 and `x2` is not NaN.

    The gradient is ``g log(x2)`` for `x1` and ``g x1 / x2`` for `x2`. Both are 0 where `x1` is 0 and `x2` is not positive, since
    the function is 0 there by definition.

    >>> xlogy(Tensor([0.0, 2.0]), Tensor([0.0, 3.0]))
    Tensor([0.       , 2.197...])
    """
    zero = (x1 == 0) & ~xp.isnan(x2)
    value = x1 * _log(xp, one_where(xp, zero, x2))
    return xp.where(zero, xp.zeros_like(value), value)


xlogy.vjp(
    x1=lambda xp, g, x1, x2: g * xp.log(one_where(xp, (x1 == 0) & (x2 <= 0), x2)),
    x2=lambda xp, g, x1, x2: g * (x1 / one_where(xp, (x1 == 0) & (x2 <= 0), x2)),
)


@function
def xlog1py(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """``x1 log(1 + x2)``, and 0 where `x1` is 0 and `x2` is not NaN.

    The gradient is ``g log(1 + x2)`` for `x1` and ``g x1 / (1 + x2)`` for `x2`. Both are 0 where `x1` is 0 and `x2` is not
    greater than -1, since the function is 0 there by definition.

    >>> xlog1py(Tensor([0.0, 2.0]), Tensor([-1.0, 3.0]))
    Tensor([0.       , 2.772...])
    """
    zero = (x1 == 0) & ~xp.isnan(x2)
    value = x1 * _log1p(xp, one_where(xp, zero, x2))
    return xp.where(zero, xp.zeros_like(value), value)


xlog1py.vjp(
    x1=lambda xp, g, x1, x2: g * xp.log1p(xp.where((x1 == 0) & (x2 <= -1), xp.zeros_like(x2), x2)),
    x2=lambda xp, g, x1, x2: g * (x1 / one_where(xp, (x1 == 0) & (x2 <= -1), 1 + x2)),
)


@function
def entr(xp: Any, x: ArrayLike, /) -> Tensor:
    """The entropy ``-x log(x)``: 0 at 0, ``-inf`` below.

    The gradient is ``-g (log(x) + 1)``, infinite at 0 and NaN below.

    >>> entr(Tensor([0.0, 0.5, -1.0]))
    Tensor([0.       , 0.3465...,      -inf])
    """
    positive = x > 0
    value = -x * xp.log(one_where(xp, ~positive & ~xp.isnan(x), x))
    return xp.where(positive | xp.isnan(x), value, xp.where(x == 0, xp.zeros_like(x), xp.full_like(x, -math.inf)))


entr.vjp(x=lambda xp, g, x: -g * (xp.log(x) + 1))


@function
def rel_entr(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """The relative entropy ``x1 log(x1 / x2)``, and 0 where `x1` is 0 and `x2` is not negative.

    Elsewhere, it is ``inf`` where one of them is not positive.

    The gradient is ``g (log(x1 / x2) + 1)`` for `x1` and ``-g x1 / x2`` for `x2`. Where `x1` is 0 it is ``-inf`` for `x1`,
    and 0 for `x2`, also where `x2` is 0.

    >>> rel_entr(Tensor([0.0, 2.0]), Tensor([0.0, 3.0]))
    Tensor([ 0.       , -0.8109...])
    """
    inside, zero = (x1 > 0) & (x2 > 0), (x1 == 0) & (x2 >= 0)
    a, b = one_where(xp, ~inside, x1), one_where(xp, ~inside, x2)
    value = a * _log_ratio(xp, a, b)
    value = xp.where(inside, value, xp.where(zero, xp.zeros_like(value), xp.full_like(value, math.inf)))
    return xp.where(xp.isnan(x1) | xp.isnan(x2), xp.full_like(value, math.nan), value)


def _log_ratio(xp: Any, x1: Any, x2: Any) -> Any:
    """``log(x1 / x2)``, precise where they are close, and where their quotient overflows."""
    near = (x1 < 2 * x2) & (x2 < 2 * x1)
    apart = xp.where(near, x1 - x2, xp.zeros_like(x1))
    other = one_where(xp, (x1 == 0) & (x2 == 0), x2)  # where both are 0 it is -inf, as for other x2
    return xp.where(near, xp.log1p(apart / one_where(xp, ~near, x2)), xp.log(x1) - xp.log(other))


rel_entr.vjp(
    x1=lambda xp, g, x1, x2: g * (_log_ratio(xp, x1, x2) + 1),
    x2=lambda xp, g, x1, x2: -g * (x1 / one_where(xp, (x1 == 0) & (x2 == 0), x2)),
)


@function(own=False)
def kl_div(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """``x1 log(x1 / x2) - x1 + x2``, and `x2` where `x1` is 0 and `x2` is not negative.

    Elsewhere, it is ``inf`` where one of them is not positive.

    The gradient is ``g log(x1 / x2)`` for `x1` and ``g (1 - x1 / x2)`` for `x2`. Where `x1` is 0 it is ``-inf`` for `x1`,
    and ``g`` for `x2`, also where `x2` is 0.

    >>> kl_div(Tensor([0.0, 2.0]), Tensor([0.5, 3.0]))
    Tensor([0.5       , 0.1890...])
    """
    near = (x1 < 1.4 * x2) & (x2 < 1.4 * x1)  # the terms would cancel; use x1 (t - log(1 + t)) with t = (x2 - x1) / x1
    t = xp.where(near, x2 - x1, xp.zeros_like(x1)) / one_where(xp, ~near, x1)
    series = xp.zeros_like(t)
    for k in reversed(range(2, 60)):
        series = series * t + (-1) ** k / k
    return xp.where(near, x1 * (t * t * series), xp.special.rel_entr(x1, x2) - x1 + x2)


def _kl_div_x2(xp: Any, g: Any, x1: Any, x2: Any) -> Any:
    none = (x1 == 0) & (x2 == 0)
    safe = one_where(xp, none, x2)
    near = (x1 < 1.4 * x2) & (x2 < 1.4 * x1)
    return g * xp.where(near, (x2 - x1) / safe, 1 - x1 / safe)


kl_div.vjp(x1=lambda xp, g, x1, x2: g * _log_ratio(xp, x1, x2), x2=_kl_div_x2)


# ----------------------------------------------------------------------------------------------------------------- losses


@function
def huber(xp: Any, delta: ArrayLike, r: ArrayLike, /) -> Tensor:
    """Huber's loss: ``r**2 / 2`` for ``|r| <= delta``, else ``delta (|r| - delta / 2)``; ``inf`` where `delta` is negative.

    The gradient is ``g clip(r, -delta, delta)`` for `r` and ``g max(|r| - delta, 0)`` for `delta`.

    >>> huber(Tensor([1.0, 1.0]), Tensor([0.5, -3.0]))
    Tensor([0.125, 2.5  ])
    """
    size = xp.abs(r)
    above = size > delta
    low, high = xp.where(above, xp.zeros_like(size), r), xp.where(above, delta, xp.zeros_like(size))
    value = xp.where(above, high * (size - 0.5 * high), 0.5 * low * low)
    return xp.where(delta < 0, xp.full_like(value, math.inf), value)


def _huber_r(xp: Any, g: Any, delta: Any, r: Any) -> Any:
    far = xp.abs(r) > delta
    return g * xp.where(far, xp.zero_where_not(delta, far) * xp.sign(r), r)


huber.vjp(
    delta=lambda xp, g, delta, r: g * xp.zero_where_not(xp.abs(r) - delta, xp.abs(r) > delta),
    r=_huber_r,
)


@function
def pseudo_huber(xp: Any, delta: ArrayLike, r: ArrayLike, /) -> Tensor:
    """The smooth loss ``delta**2 (sqrt(1 + (r / delta)**2) - 1)``; ``inf`` where `delta` is negative.

    With ``h = hypot(delta, r)`` the gradient is ``g delta r / h`` for `r` and ``g (h - delta)**2 / h`` for `delta`; 0
    where both are 0.

    >>> pseudo_huber(Tensor([1.0, 1.0]), Tensor([0.5, -3.0]))
    Tensor([0.1180..., 2.162...])
    """
    value = delta * _excess(xp, delta, r)[0]
    return xp.where(delta < 0, xp.full_like(value, math.inf), value)


def _excess(xp: Any, delta: Any, r: Any) -> tuple[Any, Any]:
    """``h - delta`` without cancellation, and ``h``, with ones in place of zeros, for ``h = hypot(delta, r)``."""
    h = _length(xp, delta, r)
    return r * (r / (h + xp.abs(delta))), h


def _pseudo_huber_delta(xp: Any, g: Any, delta: Any, r: Any) -> Any:
    excess, h = _excess(xp, delta, r)
    return g * (excess * (excess / h))


pseudo_huber.vjp(
    delta=_pseudo_huber_delta,
    r=lambda xp, g, delta, r: g * (delta * xp.special.hypot_ratio(r, delta)),
)


@derivative("x1", "x2")
def hypot_ratio(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """``x1 / hypot(x1, x2)``, the sine of an angle, and 0 where both are 0.

    Parameters
    ----------
    x1, x2 : array or Python scalar
        Of real floating data type.

    Returns
    -------
    Tensor
        Of the shape that they broadcast to.

    Notes
    -----
    With ``h = hypot(x1, x2)`` the gradient is ``g x2**2 / h**3`` for `x1` and ``-g x1 x2 / h**3`` for `x2`; 0 where both
    are 0.

    Examples
    --------
    >>> hypot_ratio(Tensor([0.0, 3.0]), Tensor([0.0, 4.0]))
    Tensor([0. , 0.6])
    """
    return x1 / _length(xp, x1, x2)


def _length(xp: Any, x1: Any, x2: Any) -> Any:
    h = xp.hypot(x1, x2)
    return one_where(xp, h == 0, h)


def _hypot_ratio_x1(xp: Any, g: Any, x1: Any, x2: Any) -> Any:
    h = _length(xp, x1, x2)
    return g * ((x2 / h) * (x2 / h) / h)


def _hypot_ratio_x2(xp: Any, g: Any, x1: Any, x2: Any) -> Any:
    h = _length(xp, x1, x2)
    return -g * ((x1 / h) * (x2 / h) / h)


hypot_ratio.vjp(x1=_hypot_ratio_x1, x2=_hypot_ratio_x2)


# ---------------------------------------------------------------------------------------------------------------- Box-Cox


@function
def boxcox(xp: Any, x: ArrayLike, lmbda: ArrayLike, /) -> Tensor:
    """The Box-Cox transformation ``(x**lmbda - 1) / lmbda``, and ``log(x)`` where `lmbda` is 0.

    The gradient is ``g x**(lmbda - 1)`` for `x`; for `lmbda`, with ``l = log(x)``, it is ``g l**2 exprel'(lmbda l)``.

    >>> boxcox(Tensor([2.0, 2.0]), Tensor([0.0, 2.0]))
    Tensor([0.6931..., 1.5      ])
    """
    return _boxcox(xp, _log(xp, x), lmbda)


def _boxcox(xp: Any, log: Any, lmbda: Any) -> Any:
    flat = lmbda == 0
    safe = one_where(xp, flat, lmbda)
    return xp.where(flat, log, xp.expm1(safe * log) / safe)


def _boxcox_lmbda(xp: Any, g: Any, log: Any, lmbda: Any) -> Any:
    """The gradient for `lmbda`; where `log` is ``-inf`` and `lmbda` positive, the value is ``-1 / lmbda``."""
    end = (log == -math.inf) & (lmbda > 0)
    safe = xp.where(end, xp.zeros_like(log), log)
    edge = one_where(xp, ~end, lmbda + 0 * log)
    return g * xp.where(end, 1 / (edge * edge), safe * safe * xp.special.exprel_derivative(lmbda * safe, 1))


boxcox.vjp(
    x=lambda xp, g, x, lmbda: g * xp.pow(x, lmbda - 1),
    lmbda=lambda xp, g, x, lmbda: _boxcox_lmbda(xp, g, xp.log(x), lmbda),
)


@function
def boxcox1p(xp: Any, x: ArrayLike, lmbda: ArrayLike, /) -> Tensor:
    """The Box-Cox transformation of ``1 + x``, precise for small `x`.

    The gradient is that of `boxcox` at ``1 + x``.

    >>> boxcox1p(Tensor([1.0, 1.0]), Tensor([0.0, 2.0]))
    Tensor([0.6931..., 1.5      ])
    """
    return _boxcox(xp, _log1p(xp, x), lmbda)


boxcox1p.vjp(
    x=lambda xp, g, x, lmbda: g * xp.pow(1 + x, lmbda - 1),
    lmbda=lambda xp, g, x, lmbda: _boxcox_lmbda(xp, g, xp.log1p(x), lmbda),
)


@function
def inv_boxcox(xp: Any, x: ArrayLike, lmbda: ArrayLike, /) -> Tensor:
    """The inverse of `boxcox`: ``(1 + lmbda x)**(1 / lmbda)``, and ``exp(x)`` where `lmbda` is 0.

    With ``l = log(1 + lmbda x) / lmbda``, the logarithm of the result, the gradient is ``g exp((1 - lmbda) l)`` for `x`, and this
    times ``-l**2 exprel'(lmbda l)`` for `lmbda`.

    >>> inv_boxcox(Tensor([1.0, 1.0]), Tensor([0.0, 2.0]))
    Tensor([2.718..., 1.732...])
    """
    return xp.exp(_log_inverse(xp, x, lmbda))


def _log_inverse(xp: Any, x: Any, lmbda: Any) -> Any:
    return x * xp.special.log1prel_derivative(lmbda * x, 0)


def _inverse_x(xp: Any, g: Any, x: Any, lmbda: Any) -> Any:
    return g * xp.exp((1 - lmbda) * _log_inverse(xp, x, lmbda))


def _inverse_lmbda(xp: Any, g: Any, x: Any, lmbda: Any) -> Any:
    log = _log_inverse(xp, x, lmbda)
    return -g * (xp.exp((1 - lmbda) * log) * (log * log * xp.special.exprel_derivative(lmbda * log, 1)))


inv_boxcox.vjp(x=_inverse_x, lmbda=_inverse_lmbda)


@function
def inv_boxcox1p(xp: Any, x: ArrayLike, lmbda: ArrayLike, /) -> Tensor:
    """The inverse of `boxcox1p`: `inv_boxcox` less 1, precise for small `x`.

    The gradient is that of `inv_boxcox`.

    >>> inv_boxcox1p(Tensor([1.0, 1.0]), Tensor([0.0, 2.0]))
    Tensor([1.718..., 0.7320...])
    """
    return xp.expm1(_log_inverse(xp, x, lmbda))


inv_boxcox1p.vjp(x=_inverse_x, lmbda=_inverse_lmbda)


# ---------------------------------------------------------------------------------------------------------------- degrees

_DEGREE = math.pi / 180


def _degrees(xp: Any, x: Any) -> tuple[Any, Any]:
    """The sine and the cosine of an angle in degrees, exact at multiples of 90."""
    turns = xp.round(x / 90)
    rest = (x - 90 * turns) * _DEGREE
    sin, cos = xp.sin(rest), xp.cos(rest)
    quarter = xp.remainder(turns, xp.full_like(turns, 4))
    odd = (quarter == 1) | (quarter == 3)
    sin, cos = xp.where(odd, cos, sin), xp.where(odd, sin, cos)
    return xp.where(quarter >= 2, -sin, sin), xp.where((quarter == 1) | (quarter == 2), -cos, cos)


@function
def sindg(xp: Any, x: ArrayLike, /) -> Tensor:
    """The sine of an angle in degrees, exact at multiples of 90.

    The gradient is ``g cosdg(x) pi / 180``.

    >>> sindg(Tensor([0.0, 30.0, 180.0]))
    Tensor([ 0. ,  0.5, -0. ])
    """
    return _degrees(xp, x)[0]


sindg.vjp(x=lambda xp, g, x: g * (_DEGREE * xp.special.cosdg(x)))


@function
def cosdg(xp: Any, x: ArrayLike, /) -> Tensor:
    """The cosine of an angle in degrees, exact at multiples of 90.

    The gradient is ``-g sindg(x) pi / 180``.

    >>> cosdg(Tensor([0.0, 60.0, 90.0]))
    Tensor([ 1. ,  0.5, -0. ])
    """
    return _degrees(xp, x)[1]


cosdg.vjp(x=lambda xp, g, x: g * (-_DEGREE * xp.special.sindg(x)))


@function(own=False)
def tandg(xp: Any, x: ArrayLike, /) -> Tensor:
    """The tangent of an angle in degrees.

    The gradient is ``g (1 + y**2) pi / 180``.

    >>> tandg(Tensor([0.0, 45.0, 180.0]))
    Tensor([0., 1., 0.])
    """
    sin, cos = _degrees(xp, x)
    return xp.where(cos == 0, xp.full_like(x, math.inf), sin / one_where(xp, cos == 0, cos))


tandg.vjp(x=lambda g, y: g * ((1 + y * y) * _DEGREE))


@function(own=False)
def cotdg(xp: Any, x: ArrayLike, /) -> Tensor:
    """The cotangent of an angle in degrees.

    The gradient is ``-g (1 + y**2) pi / 180``.

    >>> cotdg(Tensor([45.0, 60.0]))
    Tensor([1.       , 0.577...])
    """
    sin, cos = _degrees(xp, x)
    return xp.where(sin == 0, xp.full_like(x, math.inf), cos / one_where(xp, sin == 0, sin))


cotdg.vjp(x=lambda g, y: g * ((1 + y * y) * -_DEGREE))


@function
def radian(xp: Any, d: ArrayLike, m: ArrayLike, s: ArrayLike, /) -> Tensor:
    """The angle of `d` degrees, `m` minutes and `s` seconds, in radians.

    The gradient is ``g`` times one degree, one minute or one second in radians.

    >>> radian(Tensor(90.0), 30, 0)
    Tensor(1.579...)
    """
    return (d + m / 60 + s / 3600) * _DEGREE


radian.vjp(d=lambda g: g * _DEGREE, m=lambda g: g * (_DEGREE / 60), s=lambda g: g * (_DEGREE / 3600))
