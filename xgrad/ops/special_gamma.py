"""The gamma function and its kin: logarithm, reciprocal, polygamma, beta, binomial coefficients, zeta."""

from __future__ import annotations

import math
from typing import Any

from ..engine import ArrayLike, Tensor, composite, op
from ..native import floats, function, missing, one_where, stirling

__all__ = [
    "beta", "betaln", "binom", "gamma", "gammaln", "gammasgn", "loggamma", "multigammaln", "poch", "polygamma", "psi",
    "rgamma", "zeta", "zetac",
]  # fmt: skip


# ------------------------------------------------------------------------------------------------------ the gamma function


@function
def gamma(xp: Any, x: ArrayLike, /) -> Tensor:
    """The gamma function.

    The gradient is ``g y psi(x)``.

    >>> gamma(Tensor([0.5, 5.0]))
    Tensor([ 1.7724539, 24.       ])
    """
    return xp.special.gammasgn(x) * xp.exp(xp.special.gammaln(x))


gamma.holomorphic(x=lambda xp, g, x, y: g * (y * xp.special.psi(x)))


@function
def gammaln(xp: Any, x: ArrayLike, /) -> Tensor:
    """The logarithm of the absolute value of the gamma function.

    The gradient is ``g psi(x)``.

    >>> gammaln(Tensor([0.5, 1000.0]))
    Tensor([5.723649e-01, 5.905220e+03])
    """
    return missing(xp, "gammaln", x)


gammaln.vjp(x=lambda xp, g, x: g * xp.special.psi(x))


@function
def loggamma(xp: Any, x: ArrayLike, /) -> Tensor:
    """The logarithm of the gamma function, NaN for negative `x`.

    The gradient is ``g psi(x)``.

    >>> loggamma(Tensor([0.5, 1000.0, -1.0]))
    Tensor([5.723649e-01, 5.905220e+03,          nan])
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

    The gradient is ``-g y psi(x)``; below 1/2, where psi has poles, the reflection formula (DLMF 5.5.3) gives it as
    ``g gamma(1 - x) (cos(pi x) - psi(1 - x) sin(pi x) / pi)``.

    >>> rgamma(Tensor([-1.0, 0.5, 3.0]))
    Tensor([0.       , 0.5641896, 0.5      ])
    """
    pole = (x <= 0) & (xp.floor(x) == x)
    safe = one_where(xp, pole, x)
    return xp.zero_where_not(xp.special.gammasgn(safe) * xp.exp(-xp.special.gammaln(safe)), ~pole)


def _rgamma_derivative(xp: Any, x: Any) -> Any:
    low = x < 0.5
    a, b = one_where(xp, low, x), xp.where(low, 1 - x, xp.ones_like(x))
    sp, turn = xp.special, math.pi * xp.where(low, x, xp.zeros_like(x))
    reflected = sp.gamma(b) * (xp.cos(turn) - sp.psi(b) * xp.sin(turn) / math.pi)
    return xp.where(low, reflected, -sp.rgamma(a) * sp.psi(a))


rgamma.vjp(x=lambda xp, g, x: g * _rgamma_derivative(xp, x))


@function
def psi(xp: Any, x: ArrayLike, /) -> Tensor:
    """The digamma function, the derivative of the logarithm of the gamma function.

    The gradient is ``g polygamma(1, x)``.

    >>> psi(Tensor([1.0, 10.0]))
    Tensor([-0.5772157,  2.2517526])
    """
    return missing(xp, "psi", x)


psi.holomorphic(x=lambda xp, g, x: g * xp.special.polygamma(1, x))


@op(override=True)
def polygamma(xp: Any, n: ArrayLike, x: ArrayLike, /) -> Tensor:
    """The derivative of order `n` of the digamma function.

    Parameters
    ----------
    n : array or Python scalar
        The order, a number that is not negative and whole.
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
    Tensor([1.644934  , 0.10516634])
    """
    n, x = floats(xp, n, x)
    sp, zero = xp.special, n == 0
    order = one_where(xp, zero, n)
    sign = 2 * xp.remainder(order, xp.full_like(order, 2)) - 1
    return xp.where(zero, sp.psi(x), sign * sp.gamma(order + 1) * sp.zeta(order + 1, x))


polygamma.vjp(x=lambda xp, g, n, x: g * xp.special.polygamma(n + 1, x))
polygamma.elementwise()


@composite
def multigammaln(xp: Any, a: ArrayLike, /, d: int) -> Tensor:
    """The logarithm of the multivariate gamma function of dimension `d`.

    Parameters
    ----------
    a : array
        Of real floating data type, more than ``(d - 1) / 2``.
    d : int
        The dimension, 1 or more.

    Returns
    -------
    Tensor
        Of the shape of `a`.

    Raises
    ------
    ValueError
        If `d` is not a positive whole number.

    Notes
    -----
    ``d (d - 1) / 4 log(pi)`` and the sum of ``gammaln(a - j / 2)`` for `j` below `d`; it is differentiated through that sum.

    Examples
    --------
    >>> multigammaln(Tensor([2.0, 3.0]), 2)
    Tensor([0.45158267, 1.550195  ])
    """
    count = int(d)
    if count != d or count < 1:
        raise ValueError(f"multigammaln: d must be a positive whole number, not {d!r}")
    (a,) = floats(xp, a)
    total = xp.special.gammaln(a)
    for j in range(1, count):
        total = total + xp.special.gammaln(a - j / 2)
    return total + count * (count - 1) / 4 * math.log(math.pi)


# ----------------------------------------------------------------------------------------------- the beta function and kin


@function
def beta(xp: Any, a: ArrayLike, b: ArrayLike, /) -> Tensor:
    """The beta function, ``gamma(a) gamma(b) / gamma(a + b)``.

    The gradient is ``g y (psi(a) - psi(a + b))`` for `a`, and likewise for `b`.

    >>> beta(Tensor([1.0, 2.0]), Tensor([1.0, 0.5]))
    Tensor([1.       , 1.3333334])
    """
    sign = xp.special.gammasgn
    return sign(a) * sign(b) * sign(a + b) * xp.exp(xp.special.betaln(a, b))


beta.vjp(
    a=lambda xp, g, a, b, y: g * (y * (xp.special.psi(a) - xp.special.psi(a + b))),
    b=lambda xp, g, a, b, y: g * (y * (xp.special.psi(b) - xp.special.psi(a + b))),
)


@function
def betaln(xp: Any, a: ArrayLike, b: ArrayLike, /) -> Tensor:
    """The logarithm of the absolute value of the beta function.

    The gradient is ``g (psi(a) - psi(a + b))`` for `a`, and likewise for `b`.

    >>> betaln(Tensor([1.0, 1000.0]), Tensor([1.0, 0.5]))
    Tensor([ 0.       , -2.8813877])
    """
    p, q = xp.minimum(a, b), xp.maximum(a, b)
    sp, middle, large = xp.special, (p < 10) & (q >= 10), p >= 10
    small = sp.gammaln(a) + sp.gammaln(b) - sp.gammaln(a + b)
    # By Stirling's series where an argument is large: the logarithms of gamma functions would cancel.
    q = xp.where(q < 10, xp.full_like(q, 10.0), q)
    s, r = xp.where(middle, p, xp.ones_like(p)), xp.where(large, p, xp.full_like(p, 10.0))
    one = sp.gammaln(s) + stirling(q) - stirling(s + q) + s - s * xp.log(s + q) + (q - 0.5) * xp.log1p(-s / (s + q))
    two = stirling(r) + stirling(q) - stirling(r + q) - 0.5 * xp.log(q) + 0.5 * math.log(2 * math.pi)
    two = two + (r - 0.5) * xp.log(r / (r + q)) + q * xp.log1p(-r / (r + q))
    return xp.where(large, two, xp.where(middle, one, small))


betaln.vjp(
    a=lambda xp, g, a, b: g * (xp.special.psi(a) - xp.special.psi(a + b)),
    b=lambda xp, g, a, b: g * (xp.special.psi(b) - xp.special.psi(a + b)),
)


@function
def binom(xp: Any, n: ArrayLike, k: ArrayLike, /) -> Tensor:
    """The binomial coefficient of real numbers, ``1 / ((n + 1) beta(n - k + 1, k + 1))``.

    The gradient is ``g y (psi(n + 1) - psi(n - k + 1))`` for `n` and ``g y (psi(n - k + 1) - psi(k + 1))`` for `k`.

    >>> binom(Tensor([4.0, 4.0]), Tensor([2.0, 0.5]))
    Tensor([6.       , 2.3282094])
    """
    return missing(xp, "binom", n, k)


binom.vjp(
    n=lambda xp, g, n, k, y: g * (y * (xp.special.psi(n + 1) - xp.special.psi(n - k + 1))),
    k=lambda xp, g, n, k, y: g * (y * (xp.special.psi(n - k + 1) - xp.special.psi(k + 1))),
)


@function
def poch(xp: Any, a: ArrayLike, m: ArrayLike, /) -> Tensor:
    """Pochhammer's symbol, ``gamma(a + m) / gamma(a)``.

    The gradient is ``g y (psi(a + m) - psi(a))`` for `a` and ``g y psi(a + m)`` for `m`.

    >>> poch(Tensor([1.0, 2.0]), Tensor([4.0, 0.5]))
    Tensor([24.       ,  1.3293403])
    """
    return missing(xp, "poch", a, m)


poch.vjp(
    a=lambda xp, g, a, m, y: g * (y * (xp.special.psi(a + m) - xp.special.psi(a))),
    m=lambda xp, g, a, m, y: g * (y * xp.special.psi(a + m)),
)


# ------------------------------------------------------------------------------------------------------- the zeta function


@op(override=True)
def zeta(xp: Any, x: ArrayLike, q: ArrayLike | None = None, /) -> Tensor:
    """The zeta function of Riemann, or with `q` that of Hurwitz: the sum of ``(k + q)**-x`` over `k` from 0.

    Parameters
    ----------
    x : array or Python scalar
        Of real floating data type.
    q : array or Python scalar, optional
        Likewise; 1 if it is not given.

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
    The gradient for `q` is ``-g x zeta(x + 1, q)``. For `x`, where `q` is positive, it comes from the Euler-Maclaurin
    formula (DLMF 25.11.28), differentiated.

    Examples
    --------
    >>> zeta(Tensor([2.0, 4.0]))
    Tensor([1.644934 , 1.0823232])
    """
    if q is None:
        return xp.special.zetac(x) + 1
    x, q = floats(xp, x, q)
    own = xp.__backend__.special("zeta")
    return missing(xp, "zeta", x, q) if own is None else own(x, q)


@function
def zetac(xp: Any, x: ArrayLike, /) -> Tensor:
    """The zeta function of Riemann less 1, precise for large `x`.

    The gradient is that of `zeta`.

    >>> zetac(Tensor([2.0, 100.0]))
    Tensor([6.4493406e-01, 7.8886091e-31])
    """
    return missing(xp, "zetac", x)


_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510, 43867 / 798, -174611 / 330)
_SUMMED = 12  # terms summed one by one before the Euler-Maclaurin formula takes over


def _zeta_x(xp: Any, x: Any, q: Any) -> Any:
    """The derivative of ``zeta(x, q)`` by `x`: that of the Euler-Maclaurin formula, term by term."""
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
        last = last / end if j == 1 else last / (end * end)
        total = total + number / math.factorial(2 * j) * (slope - rising * log) * last
        for factor in (x + 2 * j - 1, x + 2 * j):
            rising, slope = rising * factor, slope * factor + rising
    return total


zeta.vjp(
    x=lambda xp, g, x, q: g * _zeta_x(xp, *(floats(xp, x, q) if q is not None else (x, xp.ones_like(x)))),
    q=lambda xp, g, x, q: -g * (floats(xp, x, q)[0] * xp.special.zeta(x + 1, q)),
)
zeta.elementwise()
zetac.vjp(x=lambda xp, g, x: g * _zeta_x(xp, x, xp.ones_like(x)))
