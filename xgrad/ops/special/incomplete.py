"""The incomplete gamma and beta functions, their inverses, and their derivatives by the parameters.

The rules of an inverse follow from the implicit function theorem.
"""

from __future__ import annotations

import functools
import math
from typing import Any

from ...tensor.tensor import ArrayLike, Tensor
from ..parts.safe import one_where, ratio, stirling
from ..parts.special import derivative, floats, function, missing, odds_density

__all__ = [
    "beta_density", "betainc", "betainc_derivative", "betaincc", "betaincinv", "gamma_density", "gammainc",
    "gammainc_derivative", "gammaincc", "gammainccinv", "gammaincinv",
]  # fmt: skip


# -------------------------------------------------------------------------------------------------------------- densities


@derivative("a", "x")
def gamma_density(xp: Any, a: ArrayLike, x: ArrayLike, /) -> Tensor:
    """The density of the gamma distribution, ``x**(a - 1) exp(-x) / gamma(a)``: the derivative of `gammainc` by `x`.

    Parameters
    ----------
    a, x : array or Python scalar
        Of real floating data type; `a` positive, `x` not negative.

    Returns
    -------
    Tensor
        Of the shape that they broadcast to.

    Notes
    -----
    The gradient is ``g y (log(x) - psi(a))`` for `a` and ``g y ((a - 1) / x - 1)`` for `x`.

    Examples
    --------
    >>> gamma_density(Tensor([1.0, 2.0]), Tensor([0.0, 1.0]))
    Tensor([1.        , 0.3678...])
    """
    large = (a > 10) & (x > 0)
    low = one_where(xp, large, xp.minimum(a, xp.full_like(a, 20.0)))  # for x = 0 the density is 0 where a > 1
    small = xp.exp(xp.special.xlogy(low - 1, x) - x - xp.special.gammaln(low))
    safe = one_where(xp, ~large, x)
    return xp.where(large, xp.exp(_gamma_scale(xp, xp.where(large, a, xp.full_like(a, 20.0)), safe)) * (a / safe), small)


def _log(xp: Any, x: Any, y: Any) -> Any:
    """The logarithm of `x`, or 0 where `x` and `y` are 0; it is multiplied by `y`."""
    return xp.log(one_where(xp, (x == 0) & (y == 0), x))


def _log1m(xp: Any, x: Any, y: Any) -> Any:
    """The logarithm of ``1 - x``, or 0 where ``1 - x`` and `y` are 0; it is multiplied by `y`."""
    return xp.log1p(-xp.where((x == 1) & (y == 0), xp.zeros_like(x), x))


def _edge(xp: Any, a: Any, end: Any) -> Any:
    """``(a - 1) 0**(a - 2)`` where `end` holds, and 0 where `a` is 1."""
    flat, base = a == 1, xp.where(end, xp.zeros_like(a), xp.ones_like(a))
    return xp.zero_where_not((a - 1) * xp.pow(base, xp.where(flat, xp.ones_like(a), a - 2)), ~flat)


def _edge_over(xp: Any, a: Any, end: Any, scale: Any) -> Any:
    """The same, divided by `scale`, which may be 0 where the edge is 0 or `end` does not hold."""
    edge = _edge(xp, a, end)
    return edge / one_where(xp, ~end | (edge == 0), scale)


# Rules compute the densities again, in float64, since their tails underflow in float32.


def _gamma_density_a(xp: Any, g: Any, a: Any, x: Any) -> Any:
    y = xp.special.gamma_density(a, x)
    return g * (y * (_log(xp, x, y) - xp.special.psi(a)))


def _gamma_density_x(xp: Any, g: Any, a: Any, x: Any) -> Any:
    end, y = x == 0, xp.special.gamma_density(a, x)
    inside = y * ((a - 1 - x) / one_where(xp, end, x))
    return g * xp.where(end, _edge(xp, a, end) * xp.special.rgamma(a) - y, inside)


gamma_density.vjp(a=_gamma_density_a, x=_gamma_density_x)


@derivative("a", "b", "x")
def beta_density(xp: Any, a: ArrayLike, b: ArrayLike, x: ArrayLike, /) -> Tensor:
    """The density of the beta distribution, ``x**(a - 1) (1 - x)**(b - 1) / beta(a, b)``: the derivative of `betainc` by `x`.

    Parameters
    ----------
    a, b, x : array or Python scalar
        Of real floating data type; `a` and `b` positive, `x` from 0 to 1.

    Returns
    -------
    Tensor
        Of the shape that they broadcast to.

    Notes
    -----
    The gradient is ``g y (log(x) - psi(a) + psi(a + b))`` for `a`, ``g y (log(1 - x) - psi(b) + psi(a + b))`` for `b` and
    ``g y ((a - 1) / x - (b - 1) / (1 - x))`` for `x`.

    Examples
    --------
    >>> beta_density(Tensor([1.0, 2.0]), Tensor([1.0, 2.0]), Tensor([0.0, 0.5]))
    Tensor([1. , 1.5])
    """
    sp = xp.special
    return xp.exp(sp.xlogy(a - 1, x) + sp.xlog1py(b - 1, -x) - sp.betaln(a, b))


def _beta_density_a(xp: Any, g: Any, a: Any, b: Any, x: Any) -> Any:
    y = xp.special.beta_density(a, b, x)
    return g * (y * (_log(xp, x, y) + xp.special.polygamma_difference(a, b, 0)))


def _beta_density_b(xp: Any, g: Any, a: Any, b: Any, x: Any) -> Any:
    y = xp.special.beta_density(a, b, x)
    return g * (y * (_log1m(xp, x, y) + xp.special.polygamma_difference(b, a, 0)))


def _beta_density_x(xp: Any, g: Any, a: Any, b: Any, x: Any) -> Any:
    zero, one, y = x == 0, x == 1, xp.special.beta_density(a, b, x)
    scale = xp.special.beta(a, b)
    start, end = y * (1 - b) + _edge_over(xp, a, zero, scale), y * (a - 1) - _edge_over(xp, b, one, scale)
    inside = y * ((a - 1) / one_where(xp, zero, x) - (b - 1) / one_where(xp, one, 1 - x))
    return g * xp.where(zero, start, xp.where(one, end, inside))


beta_density.vjp(a=_beta_density_a, b=_beta_density_b, x=_beta_density_x)


# ------------------------------------------------------------------------------------------------ incomplete gamma and beta


@function
def gammainc(xp: Any, a: ArrayLike, x: ArrayLike, /) -> Tensor:
    """The regularized lower incomplete gamma function.

    The gradient is ``g gamma_density(a, x)`` for `x`; for `a`, see `gammainc_derivative`.

    >>> gammainc(2.0, Tensor([0.0, 1.0, 5.0]))
    Tensor([0.        , 0.2642..., 0.9595...])
    """
    return missing(xp, "gammainc", a, x)


gammainc.vjp(
    a=lambda xp, g, a, x: g * xp.special.gammainc_derivative(a, x, 1),
    x=lambda xp, g, a, x: g * xp.special.gamma_density(a, x),
)


@function
def gammaincc(xp: Any, a: ArrayLike, x: ArrayLike, /) -> Tensor:
    """The regularized upper incomplete gamma function, ``1 - gammainc(a, x)``.

    The gradient is minus that of `gammainc`.

    >>> gammaincc(2.0, Tensor([0.0, 1.0, 5.0]))
    Tensor([1.        , 0.7357..., 0.04042...])
    """
    return missing(xp, "gammaincc", a, x)


gammaincc.vjp(
    a=lambda xp, g, a, x: -g * xp.special.gammainc_derivative(a, x, 1),
    x=lambda xp, g, a, x: -g * xp.special.gamma_density(a, x),
)


@function
def gammaincinv(xp: Any, a: ArrayLike, p: ArrayLike, /) -> Tensor:
    """The inverse of `gammainc` in its second argument.

    The gradient is ``g / gamma_density(a, y)`` for `p`. For `a` it is this times the negative derivative of `gammainc` by `a`.

    >>> gammaincinv(2.0, Tensor([0.1, 0.5]))
    Tensor([0.5318..., 1.678...])
    """
    return missing(xp, "gammaincinv", a, p)


def _quantile_a(xp: Any, g: Any, a: Any, y: Any) -> Any:
    return -g * (xp.special.gammainc_derivative(a, y, 1) / xp.special.gamma_density(a, y))


# The rules of an inverse compute it again, in float64, since its derivatives in the tail are not precise in float32.

gammaincinv.vjp(
    a=lambda xp, g, a, p: _quantile_a(xp, g, a, xp.special.gammaincinv(a, p)),
    p=lambda xp, g, a, p: g / xp.special.gamma_density(a, xp.special.gammaincinv(a, p)),
)


@function
def gammainccinv(xp: Any, a: ArrayLike, p: ArrayLike, /) -> Tensor:
    """The inverse of `gammaincc` in its second argument.

    The gradient is ``-g / gamma_density(a, y)`` for `p`. For `a` it is that of `gammaincinv`.

    >>> gammainccinv(2.0, Tensor([0.1, 0.5]))
    Tensor([3.889..., 1.678...])
    """
    return missing(xp, "gammainccinv", a, p)


gammainccinv.vjp(
    a=lambda xp, g, a, p: _quantile_a(xp, g, a, xp.special.gammainccinv(a, p)),
    p=lambda xp, g, a, p: -g / xp.special.gamma_density(a, xp.special.gammainccinv(a, p)),
)


@function
def betainc(xp: Any, a: ArrayLike, b: ArrayLike, x: ArrayLike, /) -> Tensor:
    """The regularized incomplete beta function.

    The gradient is ``g beta_density(a, b, x)`` for `x`; for `a` and `b`, see `betainc_derivative`.

    >>> betainc(2.0, 3.0, Tensor([0.0, 0.5, 1.0]))
    Tensor([0.    , 0.6875, 1.    ])
    """
    return xp.special.betainc_derivative(a, b, _odds(xp, x), 0, 0)


betainc.vjp(
    a=lambda xp, g, a, b, x: g * xp.special.betainc_derivative(a, b, _odds(xp, x), 1, 0),
    b=lambda xp, g, a, b, x: g * xp.special.betainc_derivative(a, b, _odds(xp, x), 0, 1),
    x=lambda xp, g, a, b, x: g * xp.special.beta_density(a, b, x),
)


@function
def betaincc(xp: Any, a: ArrayLike, b: ArrayLike, x: ArrayLike, /) -> Tensor:
    """The complement of the regularized incomplete beta function, ``1 - betainc(a, b, x)``.

    The gradient is minus that of `betainc`.

    >>> betaincc(2.0, 3.0, Tensor([0.0, 0.5, 1.0]))
    Tensor([1.    , 0.3125, 0.    ])
    """
    return xp.special.betainc(b, a, 1 - x)


betaincc.vjp(
    a=lambda xp, g, a, b, x: -g * xp.special.betainc_derivative(a, b, _odds(xp, x), 1, 0),
    b=lambda xp, g, a, b, x: -g * xp.special.betainc_derivative(a, b, _odds(xp, x), 0, 1),
    x=lambda xp, g, a, b, x: -g * xp.special.beta_density(a, b, x),
)


@function
def betaincinv(xp: Any, a: ArrayLike, b: ArrayLike, p: ArrayLike, /) -> Tensor:
    """The inverse of `betainc` in its last argument.

    The gradient is ``g / beta_density(a, b, y)`` for `p`. For `a` and `b` it is this times the negative derivative of `betainc`.

    >>> betaincinv(2.0, 3.0, Tensor([0.1, 0.5]))
    Tensor([0.1425..., 0.3857...])
    """
    return missing(xp, "betaincinv", a, b, p)


def _betaincinv(xp: Any, g: Any, a: Any, b: Any, p: Any, m: int, n: int) -> Any:
    y = xp.special.betaincinv(a, b, p)
    return -g * (xp.special.betainc_derivative(a, b, _odds(xp, y), m, n) / xp.special.beta_density(a, b, y))


betaincinv.vjp(
    a=lambda xp, g, a, b, p: _betaincinv(xp, g, a, b, p, 1, 0),
    b=lambda xp, g, a, b, p: _betaincinv(xp, g, a, b, p, 0, 1),
    p=lambda xp, g, a, b, p: g / xp.special.beta_density(a, b, xp.special.betaincinv(a, b, p)),
)


def _odds(xp: Any, x: Any) -> Any:
    """``x / (1 - x)``, infinite at 1."""
    return ratio(xp, x, 1 - x)


# ------------------------------------------------------------------------- derivatives by the parameters, by quadrature
#
# gammainc is the integral of the density of log(t) from -inf to log(x), and gammaincc that from log(x) to inf. With the
# distance u from log(x), each is an integral over u > 0 of a smooth function that decays at least exponentially. In derivatives
# by `a` the integrand has the factor log(t) - psi(a), the deviation of log(t) from its mean. On the side of log(x) that is away
# from the mean it has no change of sign; the integral on that side is used. For betainc, logit(t) takes the place of log(t). The
# integrals are computed by the double exponential formula for such functions, u = exp(v - exp(-v)), and the trapezoidal rule
# in v (H. Takahasi and M. Mori, Publ. RIMS 9, 1974).

_STEP = 0.1
_V = [_STEP * k for k in range(-32, 43)]
_NODES = [math.exp(v - math.exp(-v)) for v in _V]
_WEIGHTS = [_STEP * (1 + math.exp(-v)) * u for v, u in zip(_V, _NODES)]


def _constant(xp: Any, values: list[float], like: Any) -> Any:
    return xp.__backend__.constant(tuple(values), like)


def _not_tiny(xp: Any, exponent: Any) -> Any:
    """Exponents of terms, the largest of which is about 1; bounded so that negligible terms do not underflow."""
    return xp.maximum(exponent, xp.full_like(exponent, -600.0))


def _bell(slopes: list[Any], one: Any) -> list[Any]:
    """The derivatives of ``exp(f)`` divided by ``exp(f)``, from those of ``f``: complete Bell polynomials."""
    factors = [one]
    for n in range(len(slopes)):
        factors.append(sum(math.comb(n, k) * factors[n - k] * slopes[k] for k in range(n + 1)))
    return factors


@derivative("a", "x")
def gammainc_derivative(xp: Any, a: ArrayLike, x: ArrayLike, /, n: int) -> Tensor:
    """The derivative of order `n` of ``gammainc(a, x)`` by `a`.

    Parameters
    ----------
    a, x : array
        Of real floating data type; `a` positive, `x` not negative.
    n : int
        The order, 0 or more.

    Returns
    -------
    Tensor
        Of the shape that they broadcast to.

    Notes
    -----
    It is computed by the power series (DLMF 8.7.1) for ``x < 1``, else by quadrature. The gradient for `a` is ``g`` times the
    derivative of order ``n + 1``; for `x` it is ``g`` times the derivative of order `n` of `gamma_density`.

    Examples
    --------
    >>> gammainc_derivative(Tensor([2.0, 2.0]), Tensor([0.5, 5.0]), 1)
    Tensor([-0.1510..., -0.0558...])
    """
    a, x = xp.broadcast_arrays(*floats(xp, a, x))
    zero, small = x == 0, x < 1
    a = one_where(xp, zero, a)
    low, high = xp.where(small & ~zero, x, xp.full_like(x, 0.5)), xp.where(small, xp.ones_like(x) * 2, x)
    value = xp.where(small, _gamma_series(xp, a, low, n), _gamma_quadrature(xp, a, high, n))
    return xp.zero_where_not(value, ~zero)


def _gamma_slopes(xp: Any, a: Any, log: Any, n: int) -> list[Any]:
    """The derivatives by `a`, up to order `n`, of ``a log - gammaln(a + 1)``."""
    return [log - xp.special.psi(a + 1) if k == 0 else -xp.special.polygamma(k, a + 1) for k in range(n)]


def _gamma_series(xp: Any, a: Any, x: Any, n: int) -> Any:
    log, one = xp.log(x), xp.ones_like(a)
    factors = _bell(_gamma_slopes(xp, a, log, n), one)
    total = xp.zeros_like(a)
    for j in range(n + 1):  # x**a / gamma(a + 1) times the sum of (-x)**k / k! (1 - k / (a + k)), by Leibniz's rule
        series = one if j == 0 else xp.zeros_like(a)
        for k in range(1, 20):
            part = (-1) ** (j + 1) * math.factorial(j) * k * xp.pow(a + k, -one * (j + 1))
            series = series + (-x) ** k / math.factorial(k) * (part + 1 if j == 0 else part)
        total = total + math.comb(n, j) * factors[n - j] * series
    return xp.exp(a * log - xp.special.gammaln(a + 1)) * total


def _gamma_scale(xp: Any, a: Any, x: Any) -> Any:
    """The logarithm of ``x**a exp(-x) / gamma(a + 1)``, without cancellation where both are large."""
    large = a > 10
    big, small = xp.where(large, a, xp.full_like(a, 10.0)), xp.where(large, xp.ones_like(a), a)
    off = (x - big) / big
    near = xp.abs(off) < 0.5
    log = xp.log(x)
    ratio = xp.where(near, xp.log1p(xp.where(near, off, xp.zeros_like(off))), log - xp.log(big))
    return xp.where(
        large,
        -big * (off - ratio) - stirling(big) - 0.5 * xp.log(2 * math.pi * big),
        small * log - x - xp.special.gammaln(small + 1),
    )


def _gamma_quadrature(xp: Any, a: Any, x: Any, n: int) -> Any:
    log = xp.log(x)
    side = xp.where(log > xp.special.psi(a + 1) - 1 / one_where(xp, a == 0, a), xp.ones_like(x), -xp.ones_like(x))
    width = 1 / (xp.abs(x - a) + xp.sqrt(x) + 0.5)
    scale = _gamma_scale(xp, a, x)
    u = width[..., None] * _constant(xp, _NODES, x)
    way = side[..., None] * u
    factors = [xp.ones_like(u), *(s[..., None] for s in _gamma_slopes(xp, a, log, n))]
    factors = _bell([f + way if k == 0 else f for k, f in enumerate(factors[1:])], factors[0])
    factor = a[..., None] * factors[n] + (n * factors[n - 1] if n else 0.0)
    decay = _not_tiny(xp, a[..., None] * way - x[..., None] * xp.expm1(way))
    terms = factor * xp.exp(decay) * _constant(xp, _WEIGHTS, x)
    value = -side * xp.exp(scale) * width * xp.sum(terms, axis=-1)
    return value if n else xp.where(side > 0, 1 + value, value)


def _gammainc_derivative_x(xp: Any, g: Any, a: Any, x: Any, n: int) -> Any:
    sp = xp.special
    slopes = [xp.log(x) - sp.psi(a) if k == 0 else -sp.polygamma(k, a) for k in range(n)]
    return g * (sp.gamma_density(a, x) * _bell(slopes, xp.ones_like(a * x))[n])


gammainc_derivative.vjp(
    a=lambda xp, g, a, x, n: g * xp.special.gammainc_derivative(a, x, n + 1),
    x=_gammainc_derivative_x,
)


@derivative("a", "b", "w")
def betainc_derivative(xp: Any, a: ArrayLike, b: ArrayLike, w: ArrayLike, /, m: int, n: int) -> Tensor:
    """The derivative of ``betainc(a, b, w / (1 + w))`` of order `m` by `a` and of order `n` by `b`.

    Parameters
    ----------
    a, b : array
        Of real floating data type, positive.
    w : array
        Of real floating data type, not negative: the odds ``x / (1 - x)``, which are precise for ``x`` close to 1 and close to 0.
    m, n : int
        The orders, 0 or more.

    Returns
    -------
    Tensor
        Of the shape that they broadcast to.

    Notes
    -----
    It is computed by quadrature. First, `a` and `b` less than 1 are raised by the recurrences DLMF 8.17.20 and 8.17.21 where
    these do not cancel. The gradient for `a` and `b` is ``g`` times the derivative of the next order; for `w` it is ``g`` times
    the derivative of the density ``w**(a - 1) (1 + w)**(-a - b) / beta(a, b)``.

    Examples
    --------
    >>> betainc_derivative(Tensor([2.0, 2.0]), Tensor([3.0, 3.0]), Tensor([0.5, 5.0]), 1, 0)
    Tensor([-0.2500..., -0.01540...])
    """
    a, b, w = xp.broadcast_arrays(*floats(xp, a, b, w))
    end = (w == 0) | (w == math.inf)
    a, b = one_where(xp, end, a), one_where(xp, end, b)
    sp, logit = xp.special, xp.log(one_where(xp, end, w))
    low, high = -xp.softplus(-logit), -xp.softplus(logit)  # the logarithms of x and 1 - x
    # For a small parameter, the integrand has a long plateau, whose end lies between the nodes.
    raised = (a < 1) & (low < sp.psi(a + 1) - sp.psi(a + b))
    first = _beta_step(xp, a, b, low, high, m, n, (1, 0), raised)
    a = xp.where(raised, a + 1, a)
    raised = (b < 1) & (high < sp.psi(b + 1) - sp.psi(a + b))
    second = _beta_step(xp, a, b, low, high, m, n, (0, 1), raised)
    b = xp.where(raised, b + 1, b)
    value = first - second + _beta_quadrature(xp, a, b, logit, low, high, m, n)
    return xp.where(end, xp.where((w > 1) if m == n == 0 else (w < 0), xp.ones_like(w), xp.zeros_like(w)), value)


def _beta_step(xp: Any, a: Any, b: Any, low: Any, high: Any, m: int, n: int, up: tuple[int, int], raised: Any) -> Any:
    """The derivative of the difference that raising `a` or `b` by 1 makes, ``x**a (1 - x)**b / (a beta(a, b))``.

    It is 0 where `raised` does not hold.
    """
    a, b = one_where(xp, ~raised, a), one_where(xp, ~raised, b)
    scale = a * low + b * high - xp.special.betaln(a, b) - xp.log(a if up[0] else b)
    return xp.zero_where_not(xp.exp(scale) * _beta_factor(xp, a, b, low, high, m, n, up), raised)


def _beta_factor(xp: Any, a: Any, b: Any, low: Any, high: Any, m: int, n: int, up: tuple[int, int] = (0, 0)) -> Any:
    """The derivative of ``exp(a low + b high) / beta(a, b)``, divided by that function: Bell polynomials of two variables.

    With `up`, the function is divided by `a` or by `b`.
    """
    sp = xp.special

    @functools.cache
    def slope(k: int, j: int) -> Any:  # the derivative of the logarithm, of order k by a and j by b
        if k and j:
            return sp.polygamma(k + j - 1, a + b)
        first, second = (a + up[0], b - up[0]) if k else (b + up[1], a - up[1])
        return sp.polygamma_difference(first, second, k + j - 1) + ((low if k else high) if k + j == 1 else 0)

    @functools.cache
    def factor(k: int, j: int) -> Any:
        if k == j == 0:
            return xp.ones_like(low)
        lower, first = ((k - 1, j), (1, 0)) if k else ((k, j - 1), (0, 1))
        return sum(
            math.comb(lower[0], p)
            * math.comb(lower[1], q)
            * slope(p + first[0], q + first[1])
            * factor(lower[0] - p, lower[1] - q)
            for p in range(lower[0] + 1)
            for q in range(lower[1] + 1)
        )

    return factor(m, n)


def _beta_quadrature(xp: Any, a: Any, b: Any, logit: Any, low: Any, high: Any, m: int, n: int) -> Any:
    sp = xp.special
    above = high < sp.psi(b) - sp.psi(a + b) if n and not m else low > sp.psi(a) - sp.psi(a + b)
    side = xp.where(above, xp.ones_like(a), -xp.ones_like(a))
    drift, rest = a * xp.exp(high) - b * xp.exp(low), 0.5 * xp.minimum(xp.where(above, b, a), xp.ones_like(a))
    width = 1 / (xp.sqrt(a + b) * xp.exp(0.5 * (low + high)) + xp.maximum(-side * drift, rest))
    u = width[..., None] * _constant(xp, _NODES, a)
    way = side[..., None] * u
    at = logit[..., None] + way
    factor = _beta_factor(xp, a[..., None], b[..., None], -xp.softplus(-at), -xp.softplus(at), m, n)
    decay = a[..., None] * way - (a + b)[..., None] * (xp.softplus(at) + high[..., None])
    total = xp.sum(factor * xp.exp(_not_tiny(xp, decay)) * _constant(xp, _WEIGHTS, a), axis=-1)
    value = -side * xp.exp(a * low + b * high - sp.betaln(a, b)) * width * total
    return value if m or n else xp.where(above, 1 + value, value)


def _betainc_derivative_w(xp: Any, g: Any, a: Any, b: Any, w: Any, m: int, n: int) -> Any:
    high = -xp.log1p(w)
    return g * (odds_density(xp, a, b, w) * _beta_factor(xp, a, b, xp.log(w) + high, high, m, n))


betainc_derivative.vjp(
    a=lambda xp, g, a, b, w, m, n: g * xp.special.betainc_derivative(a, b, w, m + 1, n),
    b=lambda xp, g, a, b, w, m, n: g * xp.special.betainc_derivative(a, b, w, m, n + 1),
    w=_betainc_derivative_w,
)
