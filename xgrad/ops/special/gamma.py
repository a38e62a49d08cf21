"""The gamma function and related ones: logarithm, reciprocal, polygamma, beta, binomial coefficients, zeta."""

from __future__ import annotations

import functools
import math
from typing import Any

from ...engine.define import composite, op
from ...graph.kinds import takes_real
from ...tensor.tensor import ArrayLike, Tensor
from ..parts.safe import one_where, stirling
from ..parts.special import derivative, floats, function, missing, wide

__all__ = [
    "beta", "betaln", "binom", "gamma", "gammaln", "gammasgn", "loggamma", "multigammaln", "poch", "polygamma",
    "polygamma_difference", "psi", "psi_derivative", "rgamma", "zeta", "zetac",
]  # fmt: skip


# ------------------------------------------------------------------------------------------------------ the gamma function


@function
def gamma(xp: Any, x: ArrayLike, /) -> Tensor:
    """The gamma function.

    The gradient is ``g y psi(x)``.

    >>> gamma(Tensor([0.5, 5.0]))
    Tensor([ 1.772..., 24.       ])
    """
    return xp.special.gammasgn(x) * xp.exp(xp.special.gammaln(x))


gamma.holomorphic(x=lambda xp, g, x: g * (xp.special.gamma(x) * xp.special.psi(x)))


@function
def gammaln(xp: Any, x: ArrayLike, /) -> Tensor:
    """The logarithm of the absolute value of the gamma function.

    The gradient is ``g psi(x)``.

    >>> gammaln(Tensor([0.5, 1000.0]))
    Tensor([5.723...e-01, 5.905...e+03])
    """
    return missing(xp, "gammaln", x)


gammaln.vjp(x=lambda xp, g, x: g * xp.special.psi(x))


@function
def loggamma(xp: Any, x: ArrayLike, /) -> Tensor:
    """The logarithm of the gamma function, NaN for negative `x`.

    The gradient is ``g psi(x)``.

    >>> loggamma(Tensor([0.5, 1000.0, -1.0]))
    Tensor([5.723...e-01, 5.905...e+03,          nan])
    """
    return xp.where(x < 0, xp.full_like(x, math.nan), xp.special.gammaln(x))


loggamma.holomorphic(x=lambda xp, g, x, y: xp.where(xp.isnan(y), y, g * xp.special.psi(x)))


@function
def gammasgn(xp: Any, x: ArrayLike, /) -> Tensor:
    """The sign of the gamma function: 1, -1, or NaN at its poles below 0.

    The gradient is 0.

    >>> gammasgn(Tensor([-0.5, 2.0]))
    Tensor([-1.,  1.])
    """
    floor = xp.floor(x)
    odd = xp.remainder(floor, xp.full_like(floor, 2))
    signs = xp.where(x > 0, xp.ones_like(x), 1 - 2 * odd)
    signs = xp.where(x == 0, xp.copysign(xp.ones_like(x), x), signs)
    return xp.where(((x < 0) & (floor == x)) | xp.isnan(x), xp.full_like(x, math.nan), signs)


gammasgn.zero_gradient()


@function
def rgamma(xp: Any, x: ArrayLike, /) -> Tensor:
    """The reciprocal of the gamma function, 0 at its poles.

    The gradient is ``-g y psi(x)``. Below 1/2, where psi has poles, it is computed by the reflection formula (DLMF 5.5.3) as
    ``g gamma(1 - x) (cos(pi x) - psi(1 - x) sin(pi x) / pi)``.

    >>> rgamma(Tensor([-1.0, 0.5, 3.0]))
    Tensor([0.       , 0.5641..., 0.5      ])
    """
    pole = (x <= 0) & (xp.floor(x) == x)
    safe = one_where(xp, pole, x)
    return xp.zero_where_not(xp.special.gammasgn(safe) * xp.exp(-xp.special.gammaln(safe)), ~pole)


def _half_turns(xp: Any, x: Any) -> tuple[Any, Any]:
    """The sine and the cosine of ``pi x``, exact where `x` is an integer."""
    whole = xp.round(x)
    rest = (x - whole) * math.pi
    sign = 1 - 2 * xp.remainder(whole, xp.full_like(whole, 2.0))
    return sign * xp.sin(rest), sign * xp.cos(rest)


def _rgamma_derivative(xp: Any, x: Any) -> Any:
    low = x < 0.5
    a, b = one_where(xp, low, x), xp.where(low, 1 - x, xp.ones_like(x))
    sp = xp.special
    sin, cos = _half_turns(xp, xp.where(low, x, xp.zeros_like(x)))
    reflected = sp.gamma(b) * (cos - sp.psi(b) * sin / math.pi)
    return xp.where(low, reflected, -sp.rgamma(a) * sp.psi(a))


rgamma.vjp(x=lambda xp, g, x: g * _rgamma_derivative(xp, x))


@function
def psi(xp: Any, x: ArrayLike, /) -> Tensor:
    """The digamma function, the derivative of the logarithm of the gamma function.

    The gradient is ``g polygamma(1, x)``.

    >>> psi(Tensor([1.0, 10.0]))
    Tensor([-0.5772...,  2.251...])
    """
    return missing(xp, "psi", x)


def _psi_x(xp: Any, g: Any, x: Any) -> Any:
    real = xp.isdtype(x.dtype, "real floating")
    return g * (xp.special.polygamma(1, x) if real else xp.special.psi_derivative(x, 1))


psi.holomorphic(x=_psi_x)


@op(override=True, elementwise=True)
def psi_derivative(xp: Any, x: ArrayLike, /, n: int) -> Tensor:
    """The derivative of order `n` of the digamma function, also of complex numbers, which `polygamma` does not take.

    Parameters
    ----------
    x : array
        Of floating data type, real or complex.
    n : int
        The order, 1 or more.

    Returns
    -------
    Tensor
        Of the shape of `x`.

    Notes
    -----
    It is computed by the recurrence and the asymptotic series (DLMF 5.15.5, 5.15.8), and where the real part is less than 1/2
    also by the reflection formula (DLMF 5.15.6). The gradient is ``g`` times the derivative of order ``n + 1``.

    Examples
    --------
    >>> psi_derivative(Tensor(1j), 1)
    Tensor((-0.536...-0.794...j), dtype=complex64)
    """
    (x,) = floats(xp, x)
    if xp.isdtype(x.dtype, "real floating"):
        return xp.special.polygamma(n, x)
    low = xp.real(x) < 0.5
    z = xp.where(low, 1 - x, x)
    end = z + (12 + n)
    total = float(math.factorial(n - 1)) * end**-n + 0.5 * float(math.factorial(n)) * end ** -(n + 1)
    for j, number in enumerate(_BERNOULLI, 1):
        total = total + number * (math.factorial(n + 2 * j - 1) / math.factorial(2 * j)) * end ** -(n + 2 * j)
    for k in range(12 + n):
        total = total + float(math.factorial(n)) * (z + k) ** -(n + 1)
    total = (-1) ** (n + 1) * total
    # The derivative of pi cot(pi x) as a polynomial in the cotangent and 1 / sin**2; far from the real axis it is zero.
    far = xp.abs(xp.imag(x)) > 12
    turn = xp.where(low & ~far, x - xp.astype(xp.round(xp.real(x)), x.dtype), xp.full_like(x, 0.5)) * math.pi
    sin = xp.sin(turn)
    cot, square = xp.cos(turn) / sin, 1 / (sin * sin)
    pole = xp.zeros_like(x)
    for (i, j), factor in _cotangent(n).items():
        pole = pole + factor * cot**i * square**j
    pole = xp.where(low & ~far, pole * math.pi ** (n + 1), xp.zeros_like(x))
    return xp.where(low, (-1) ** n * total - pole, total)


psi_derivative.holomorphic(x=lambda xp, g, x, n: g * xp.special.psi_derivative(x, n + 1))


@functools.cache
def _cotangent(n: int) -> dict[tuple[int, int], int]:
    """The derivative of order `n` of the cotangent: from ``(i, j)`` to the coefficient of ``cot**i / sin**(2 j)``."""
    if n == 0:
        return {(1, 0): 1}
    coefficients: dict[tuple[int, int], int] = {}
    for (i, j), factor in _cotangent(n - 1).items():
        for key, more in (((i - 1, j + 1), -i), ((i + 1, j), -2 * j)):
            if more:
                coefficients[key] = coefficients.get(key, 0) + factor * more
    return coefficients


@derivative("n", "x")
def polygamma(xp: Any, n: ArrayLike, x: ArrayLike, /) -> Tensor:
    """The derivative of order `n` of the digamma function.

    Parameters
    ----------
    n : array or Python scalar
        The order, an integer that is not negative.
    x : array or Python scalar
        Of real floating data type.

    Returns
    -------
    Tensor
        Of the shape that they broadcast to.

    Notes
    -----
    It is ``(-1)**(n + 1) n! zeta(n + 1, x)``. The gradient is ``g polygamma(n + 1, x)`` for `x`; there is none for `n`.

    Examples
    --------
    >>> polygamma(1, Tensor([1.0, 10.0]))
    Tensor([1.644..., 0.1051...])
    """
    sp, zero = xp.special, n == 0
    order = one_where(xp, zero, n)
    sign = 2 * xp.remainder(order, xp.full_like(order, 2)) - 1
    return xp.where(zero, sp.psi(x), sign * sp.gamma(order + 1) * sp.zeta(order + 1, x))


polygamma.vjp(x=lambda xp, g, n, x: g * xp.special.polygamma(n + 1, x))


@derivative("x", "d")
def polygamma_difference(xp: Any, x: ArrayLike, d: ArrayLike, /, n: int) -> Tensor:
    """``polygamma(n, x + d) - polygamma(n, x)``, precise where `d` is small relative to `x`, and where both are large.

    Parameters
    ----------
    x, d : array or Python scalar
        Of real floating data type.
    n : int
        The order, 0 or more.

    Returns
    -------
    Tensor
        Of the shape that they broadcast to.

    Notes
    -----
    For positive `x` and ``x + d`` the recurrence (DLMF 5.15.5) and the asymptotic series (DLMF 5.15.8) are used, with the
    difference of each term. The gradient is ``g`` times the difference of order ``n + 1`` for `x`, and
    ``g polygamma(n + 1, x + d)`` for `d`.

    Examples
    --------
    >>> polygamma_difference(Tensor([1.0, 1e20]), Tensor([1.0, 1.0]), 0)
    Tensor([1.e+00, 1.e-20])
    """
    x, d = xp.broadcast_arrays(x, d)
    plain = (x <= 0) | (x + d <= 0) | (xp.abs(d) == math.inf)
    a, b = one_where(xp, plain, x), one_where(xp, plain, d)

    def change(t: Any, power: int) -> Any:
        """``(t + b)**-power - t**-power``."""
        close = xp.abs(b) < 0.5 * t
        ratio = xp.where(close, b, xp.zeros_like(b)) / t
        apart = xp.where(close, t, t + b) ** -power - t**-power
        return xp.where(close, t**-power * xp.expm1(-power * xp.log1p(ratio)), apart)

    count = 10 + n
    end = a + count
    if n:
        total = float(math.factorial(n - 1)) * change(end, n)
    else:
        close = xp.abs(b) < 0.5 * end
        ratio = xp.where(close, b, xp.zeros_like(b)) / end
        total = -xp.where(close, xp.log1p(ratio), xp.log(xp.where(close, end, end + b)) - xp.log(end))
    total = total + 0.5 * float(math.factorial(n)) * change(end, n + 1)
    for j, number in enumerate(_BERNOULLI, 1):
        total = total + number * (math.factorial(n + 2 * j - 1) / math.factorial(2 * j)) * change(end, n + 2 * j)
    for k in range(count):
        total = total + float(math.factorial(n)) * change(a + k, n + 1)
    start, stop = xp.where(plain, x, xp.ones_like(x)), xp.where(plain, x + d, xp.ones_like(x))
    sp, order = xp.special, xp.full_like(x, float(n))
    difference = sp.psi(stop) - sp.psi(start) if n == 0 else sp.polygamma(order, stop) - sp.polygamma(order, start)
    return xp.where(plain, difference, (-1) ** (n + 1) * total)


polygamma_difference.vjp(
    x=lambda xp, g, x, d, n: g * xp.special.polygamma_difference(x, d, n + 1),
    d=lambda xp, g, x, d, n: g * xp.special.polygamma(n + 1, x + d),
)


@composite
@takes_real
def multigammaln(xp: Any, a: ArrayLike, /, d: int) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension `d`.

    Parameters
    ----------
    a : array
        Of real floating data type, greater than ``(d - 1) / 2``.
    d : int
        The dimension, 1 or more.

    Returns
    -------
    Tensor
        Of the shape of `a`.

    Raises
    ------
    ValueError
        If `d` is not a positive integer.

    Notes
    -----
    It is ``d (d - 1) / 4 log(pi)`` plus the sum of ``gammaln(a - j / 2)`` for `j` below `d`, and is differentiated through this
    sum.

    Examples
    --------
    >>> multigammaln(Tensor([2.0, 3.0]), 2)
    Tensor([0.4515..., 1.550...])
    """
    count = int(d)
    if count != d or count < 1:
        raise ValueError(f"multigammaln: d must be a positive integer, not {d!r}")
    (a,) = floats(xp, a)
    total = xp.special.gammaln(a)
    for j in range(1, count):
        total = total + xp.special.gammaln(a - j / 2)
    return total + count * (count - 1) / 4 * math.log(math.pi)


# ----------------------------------------------------------------------------------- the beta function and related ones


@function
def beta(xp: Any, a: ArrayLike, b: ArrayLike, /) -> Tensor:
    """The beta function, ``gamma(a) gamma(b) / gamma(a + b)``.

    The gradient is ``g y (psi(a) - psi(a + b))`` for `a`, and accordingly for `b`; see `polygamma_difference`.

    >>> beta(Tensor([1.0, 2.0]), Tensor([1.0, 0.5]))
    Tensor([1.       , 1.333...])
    """
    sign = xp.special.gammasgn
    return sign(a) * sign(b) * sign(a + b) * xp.exp(xp.special.betaln(a, b))


def _beta_a(xp: Any, g: Any, a: Any, b: Any) -> Any:
    sp, both = xp.special, a + b
    # The sum of negative numbers may be at a pole of psi, where the value is 0 but its derivative is not.
    low = (both < 0.5) & ((a < 0) | (b < 0)) & (a > -80) & (b > -80)
    p, q, c = (xp.where(low, x, xp.full_like(both, 0.25)) for x in (a, b, both))
    inside = sp.gamma(p) * sp.gamma(q) * (sp.psi(p) * sp.rgamma(c) + _rgamma_derivative(xp, c))
    p, q = one_where(xp, low, a + 0 * b), one_where(xp, low, b + 0 * a)
    return g * xp.where(low, inside, -sp.beta(p, q) * sp.polygamma_difference(p, q, 0))


beta.vjp(
    a=_beta_a,
    b=lambda xp, g, a, b: _beta_a(xp, g, b, a),
)


@function
def betaln(xp: Any, a: ArrayLike, b: ArrayLike, /) -> Tensor:
    """The logarithm of the absolute value of the beta function.

    The gradient is ``g (psi(a) - psi(a + b))`` for `a`, and accordingly for `b`; see `polygamma_difference`.

    >>> betaln(Tensor([1.0, 1000.0]), Tensor([1.0, 0.5]))
    Tensor([ 0.       , -2.881...])
    """
    p, q = xp.minimum(a, b), xp.maximum(a, b)
    sp, middle, large = xp.special, (p < 10) & (q >= 10), p >= 10
    small = sp.gammaln(a) + sp.gammaln(b) - sp.gammaln(a + b)
    # By Stirling's series where an argument is large, since the logarithms of gamma functions would cancel.
    q = xp.where(q < 10, xp.full_like(q, 10.0), q)
    s, r = xp.where(middle, p, xp.ones_like(p)), xp.where(large, p, xp.full_like(p, 10.0))
    single = sp.gammaln(s) + stirling(q) - stirling(s + q) + s - s * xp.log(s + q) + (q - 0.5) * xp.log1p(-s / (s + q))
    both = stirling(r) + stirling(q) - stirling(r + q) - 0.5 * xp.log(q) + 0.5 * math.log(2 * math.pi)
    both = both + (r - 0.5) * xp.log(r / (r + q)) + q * xp.log1p(-r / (r + q))
    return xp.where(large, both, xp.where(middle, single, small))


betaln.vjp(
    a=lambda xp, g, a, b: -g * xp.special.polygamma_difference(a, b, 0),
    b=lambda xp, g, a, b: -g * xp.special.polygamma_difference(b, a, 0),
)


@function
def binom(xp: Any, n: ArrayLike, k: ArrayLike, /) -> Tensor:
    """The binomial coefficient of real numbers, ``1 / ((n + 1) beta(n - k + 1, k + 1))``.

    The gradient is ``g y (psi(n + 1) - psi(n - k + 1))`` for `n` and ``g y (psi(n - k + 1) - psi(k + 1))`` for `k`.

    >>> binom(Tensor([4.0, 4.0]), Tensor([2.0, 0.5]))
    Tensor([6.       , 2.328...])
    """
    return missing(xp, "binom", n, k)


def _binom_slope(xp: Any, n: Any, k: Any, by: str) -> Any:
    """The derivative of `binom` by "n" or "k"; where psi may have a pole, of ``beta(n + 1, k - n) sin(pi (n - k + 1)) / pi``."""
    sp, rest = xp.special, n - k + 1
    reflected = (rest < 0.5) & (n > -1)
    a, b = one_where(xp, ~reflected, n + 1 + 0 * k), one_where(xp, ~reflected, k - n)
    sin, cos = _half_turns(xp, xp.where(reflected, rest, xp.zeros_like(rest)))
    slope = sp.polygamma_difference(b, a - b, 0) if by == "n" else -sp.polygamma_difference(b, a, 0)
    inner = sp.beta(a, b) * (slope * (sin / math.pi) + (cos if by == "n" else -cos))
    safe = one_where(xp, reflected, rest)
    plain = sp.polygamma_difference(safe, k, 0) if by == "n" else sp.polygamma_difference(k + 1, safe - (k + 1), 0)
    y = sp.binom(xp.where(reflected, xp.full_like(safe, 2.0), n), xp.where(reflected, xp.ones_like(safe), k))
    return xp.where(reflected, inner, y * plain)


binom.vjp(
    n=lambda xp, g, n, k: g * _binom_slope(xp, n, k, "n"),
    k=lambda xp, g, n, k: g * _binom_slope(xp, n, k, "k"),
)


@function
def poch(xp: Any, a: ArrayLike, m: ArrayLike, /) -> Tensor:
    """Pochhammer's symbol, ``gamma(a + m) / gamma(a)``.

    The gradient is ``g y (psi(a + m) - psi(a))`` for `a` and ``g y psi(a + m)`` for `m`.

    >>> poch(Tensor([1.0, 2.0]), Tensor([4.0, 0.5]))
    Tensor([24.       ,  1.329...])
    """
    return missing(xp, "poch", a, m)


poch.vjp(
    a=lambda xp, g, a, m: g * (xp.special.poch(a, m) * xp.special.polygamma_difference(a, m, 0)),
    m=lambda xp, g, a, m: g * (xp.special.poch(a, m) * xp.special.psi(a + m)),
)


# ------------------------------------------------------------------------------------------------------- the zeta function


@op(override=True, elementwise=True)
@takes_real
def zeta(xp: Any, x: ArrayLike, q: ArrayLike | None = None, /) -> Tensor:
    """Riemann's zeta function, or with `q` Hurwitz's: the sum of ``(k + q)**-x`` over ``k`` from 0.

    Parameters
    ----------
    x : array or Python scalar
        Of real floating data type.
    q : array or Python scalar, optional
        Of real floating data type; 1 if not given.

    Returns
    -------
    Tensor
        Of the shape that they broadcast to.

    Raises
    ------
    NotImplementedError
        If the backend of the arrays has no such function.

    Notes
    -----
    The gradient for `q` is ``-g x zeta(x + 1, q)``. For `x` and positive `q`, it is computed by differentiating the
    Euler-Maclaurin formula (DLMF 25.11.28).

    Examples
    --------
    >>> zeta(Tensor([2.0, 4.0]))
    Tensor([1.644..., 1.082...])
    """
    converted = floats(xp, x) if q is None else floats(xp, x, q)
    y = _zeta(xp, *wide(xp, *converted))
    return y if y.dtype == converted[0].dtype else xp.astype(y, converted[0].dtype)


def _zeta(xp: Any, x: Any, q: Any = None) -> Any:
    if q is None:
        return xp.special.zetac(x) + 1
    own = xp.__backend__.special("zeta")
    return missing(xp, "zeta", x, q) if own is None else own(x, q)


@function(own=False)
def zetac(xp: Any, x: ArrayLike, /) -> Tensor:
    """Riemann's zeta function less 1, precise for large `x`.

    The gradient is that of `zeta`.

    >>> zetac(Tensor([2.0, 100.0]))
    Tensor([6.449...e-01, 7.888...e-31])
    """
    high = x > 30
    own = xp.__backend__.special("zetac")
    low = xp.where(high, xp.full_like(x, 2.0), x)
    below = missing(xp, "zetac", low) if own is None else own(low)
    above = xp.where(high, x, xp.full_like(x, 30.0))
    series = xp.zeros_like(x)
    for k in (6, 5, 4, 3, 2):  # SciPy's function is 0 from 127 on
        series = series + float(k) ** -above
    return xp.where(high, series, below)


_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)
_SUMMED = 12  # the number of terms that are summed before the Euler-Maclaurin formula is used


def _zeta_x(xp: Any, x: Any, q: Any) -> Any:
    """The derivative of ``zeta(x, q)`` by `x`: the Euler-Maclaurin formula, differentiated term by term."""
    total = xp.zeros_like(x * q)
    for k in range(_SUMMED):
        log = xp.log(q + k)
        total = total - log * xp.exp(-x * log)
    end = q + _SUMMED
    log = xp.log(end)
    last = xp.exp(-x * log)
    total = total - last * (end * (log / (x - 1) + 1 / (x - 1) ** 2) + 0.5 * log)
    rising, slope = x, xp.ones_like(x)  # x (x + 1) ... (x + 2 j - 2), and its derivative
    for j, number in enumerate(_BERNOULLI, 1):
        last = last / end if j == 1 else last / end / end
        total = total + number / math.factorial(2 * j) * (slope - rising * log) * last
        for factor in (x + 2 * j - 1, x + 2 * j):
            rising, slope = rising * factor, slope * factor + rising
    return total


def _riemann_x(xp: Any, x: Any) -> Any:
    """The derivative of Riemann's zeta function; below -1, of the reflection formula (DLMF 25.4.1)."""
    low = x < -1
    r, sp = xp.where(low, 1 - x, xp.full_like(x, 2.0)), xp.special
    above = _zeta_x(xp, xp.where(low, xp.full_like(x, 2.0), x), xp.ones_like(x))
    value, slope = sp.zetac(r) + 1, _zeta_x(xp, r, xp.ones_like(r))
    scale = 2 * xp.exp(sp.gammaln(r) - r * math.log(2 * math.pi))
    sin, cos = _half_turns(xp, 0.5 * (1 - r))
    inside = (value * (math.log(2 * math.pi) - sp.psi(r)) - slope) * sin + value * cos * (math.pi / 2)
    return xp.where(low, scale * inside, above)


def _zeta_rule(xp: Any, g: Any, x: Any, q: Any) -> Any:
    if q is None:
        return g * _riemann_x(xp, *wide(xp, *floats(xp, x)))
    return g * _zeta_x(xp, *wide(xp, *floats(xp, x, q)))


def _zeta_q(xp: Any, g: Any, x: Any, q: Any) -> Any:
    x, q = wide(xp, *floats(xp, x, q))
    return -g * (x * xp.special.zeta(x + 1, q))


zeta.vjp(x=_zeta_rule, q=_zeta_q)
zetac.vjp(x=lambda xp, g, x: g * _riemann_x(xp, x))
