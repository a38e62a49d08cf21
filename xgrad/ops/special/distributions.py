"""Distribution functions, survival functions and their inverses.

They are incomplete gamma or beta functions of arguments that depend on the parameters of the distribution: the rules follow from
the chain rule. The rules of an inverse follow from the implicit function theorem.
"""

from __future__ import annotations

import math
from typing import Any

from ...tensor.tensor import ArrayLike, Tensor
from ..parts.safe import one_where, ratio
from ..parts.special import function, missing, odds_density

__all__ = [
    "bdtr", "bdtrc", "bdtri", "chdtr", "chdtrc", "chdtri", "fdtr", "fdtrc", "fdtri", "gdtr", "gdtrc", "nbdtr", "nbdtrc", "nbdtri",
    "pdtr", "pdtrc", "pdtri", "stdtr", "stdtrit",
]  # fmt: skip


# ------------------------------------------------------------------------------------------- chi-square, gamma and Poisson


@function
def chdtr(xp: Any, v: ArrayLike, x: ArrayLike, /) -> Tensor:
    """The chi-square distribution function of `v` degrees of freedom, ``gammainc(v / 2, x / 2)``.

    The gradient is that of `gammainc`.

    >>> chdtr(2.0, Tensor([0.0, 1.0]))
    Tensor([0.        , 0.3934...])
    """
    return xp.special.gammainc(v / 2, x / 2)


chdtr.vjp(
    v=lambda xp, g, v, x: g * (0.5 * xp.special.gammainc_derivative(v / 2, x / 2, 1)),
    x=lambda xp, g, v, x: g * (0.5 * xp.special.gamma_density(v / 2, x / 2)),
)


@function
def chdtrc(xp: Any, v: ArrayLike, x: ArrayLike, /) -> Tensor:
    """The chi-square survival function of `v` degrees of freedom, ``gammaincc(v / 2, x / 2)``, and 1 for negative `x`.

    The gradient is that of `gammaincc`.

    >>> chdtrc(2.0, Tensor([0.0, 1.0]))
    Tensor([1.        , 0.6065...])
    """
    y = xp.special.gammaincc(v / 2, xp.maximum(x, xp.zeros_like(x)) / 2)
    return xp.where(x < 0, xp.ones_like(y), y)


chdtrc.vjp(
    v=lambda xp, g, v, x: -g * (0.5 * xp.special.gammainc_derivative(v / 2, x / 2, 1)),
    x=lambda xp, g, v, x: -g * (0.5 * xp.special.gamma_density(v / 2, x / 2)),
)


@function
def chdtri(xp: Any, v: ArrayLike, p: ArrayLike, /) -> Tensor:
    """The inverse of `chdtrc` in its second argument.

    The gradient is that of `gammainccinv`.

    >>> chdtri(2.0, Tensor([0.1, 0.5]))
    Tensor([4.605..., 1.386...])
    """
    return 2 * xp.special.gammainccinv(v / 2, p)


def _chdtri_v(xp: Any, g: Any, v: Any, p: Any) -> Any:
    y = xp.special.gammainccinv(v / 2, p)
    return -g * (xp.special.gammainc_derivative(v / 2, y, 1) / xp.special.gamma_density(v / 2, y))


chdtri.vjp(
    v=_chdtri_v,
    p=lambda xp, g, v, p: -2 * g / xp.special.gamma_density(v / 2, xp.special.gammainccinv(v / 2, p)),
)


@function
def gdtr(xp: Any, a: ArrayLike, b: ArrayLike, x: ArrayLike, /) -> Tensor:
    """The gamma distribution function of rate `a` and shape `b`, ``gammainc(b, a x)``.

    The gradient is that of `gammainc`.

    >>> gdtr(1.0, 2.0, Tensor([0.0, 1.0]))
    Tensor([0.        , 0.2642...])
    """
    return xp.special.gammainc(b, a * x)


gdtr.vjp(
    a=lambda xp, g, a, b, x: g * (x * xp.special.gamma_density(b, a * x)),
    b=lambda xp, g, a, b, x: g * xp.special.gammainc_derivative(b, a * x, 1),
    x=lambda xp, g, a, b, x: g * (a * xp.special.gamma_density(b, a * x)),
)


@function
def gdtrc(xp: Any, a: ArrayLike, b: ArrayLike, x: ArrayLike, /) -> Tensor:
    """The gamma survival function of rate `a` and shape `b`, ``gammaincc(b, a x)``.

    The gradient is that of `gammaincc`.

    >>> gdtrc(1.0, 2.0, Tensor([0.0, 1.0]))
    Tensor([1.       , 0.7357...])
    """
    return xp.special.gammaincc(b, a * x)


gdtrc.vjp(
    a=lambda xp, g, a, b, x: -g * (x * xp.special.gamma_density(b, a * x)),
    b=lambda xp, g, a, b, x: -g * xp.special.gammainc_derivative(b, a * x, 1),
    x=lambda xp, g, a, b, x: -g * (a * xp.special.gamma_density(b, a * x)),
)


@function
def pdtr(xp: Any, k: ArrayLike, m: ArrayLike, /) -> Tensor:
    """The Poisson distribution function of mean `m`, ``gammaincc(floor(k) + 1, m)``.

    The gradient is ``-g gamma_density(floor(k) + 1, m)`` for `m`; there is none for `k`.

    >>> pdtr(2, Tensor([0.0, 1.0]))
    Tensor([1.       , 0.9196...])
    """
    return xp.special.gammaincc(xp.floor(k) + 1, m)


pdtr.vjp(m=lambda xp, g, k, m: -g * xp.special.gamma_density(xp.floor(k) + 1, m))


@function
def pdtrc(xp: Any, k: ArrayLike, m: ArrayLike, /) -> Tensor:
    """The Poisson survival function of mean `m`, ``gammainc(floor(k) + 1, m)``.

    The gradient is ``g gamma_density(floor(k) + 1, m)`` for `m`; there is none for `k`.

    >>> pdtrc(2, Tensor([0.0, 1.0]))
    Tensor([0.       , 0.08030...])
    """
    return xp.special.gammainc(xp.floor(k) + 1, m)


pdtrc.vjp(m=lambda xp, g, k, m: g * xp.special.gamma_density(xp.floor(k) + 1, m))


@function
def pdtri(xp: Any, k: ArrayLike, p: ArrayLike, /) -> Tensor:
    """The mean of the Poisson distribution whose `pdtr` at `k` is `p`.

    The gradient is ``-g / gamma_density(floor(k) + 1, y)`` for `p`; there is none for `k`.

    >>> pdtri(2, Tensor([0.1, 0.5]))
    Tensor([5.322..., 2.674...])
    """
    return xp.special.gammainccinv(xp.floor(k) + 1, p)


pdtri.vjp(p=lambda xp, g, k, p: -g / xp.special.gamma_density(xp.floor(k) + 1, xp.special.pdtri(k, p)))


# ------------------------------------------------------------------------------------------- binomial and negative binomial


@function
def bdtr(xp: Any, k: ArrayLike, n: ArrayLike, p: ArrayLike, /) -> Tensor:
    """The binomial distribution function: the probability of at most `k` successes in `n` trials of probability `p`.

    The gradient is ``-g beta_density(floor(k) + 1, n - floor(k), p)`` for `p`; there is none for `k` and `n`.

    >>> bdtr(1, 3, Tensor([0.1, 0.5]))
    Tensor([0.972, 0.5  ])
    """
    k = xp.floor(k)
    return xp.where(k == n, xp.ones_like(k * p), xp.special.betaincc(k + 1, xp.where(k == n, n + 1, n) - k, p))


bdtr.vjp(p=lambda xp, g, k, n, p: -g * xp.special.beta_density(xp.floor(k) + 1, n - xp.floor(k), p))


@function
def bdtrc(xp: Any, k: ArrayLike, n: ArrayLike, p: ArrayLike, /) -> Tensor:
    """The binomial survival function: the probability of more than `k` successes in `n` trials of probability `p`.

    The gradient is minus that of `bdtr`.

    >>> bdtrc(1, 3, Tensor([0.1, 0.5]))
    Tensor([0.028, 0.5  ])
    """
    k = xp.floor(k)
    return xp.where(k == n, xp.zeros_like(k * p), xp.special.betainc(k + 1, xp.where(k == n, n + 1, n) - k, p))


bdtrc.vjp(p=lambda xp, g, k, n, p: g * xp.special.beta_density(xp.floor(k) + 1, n - xp.floor(k), p))


@function
def bdtri(xp: Any, k: ArrayLike, n: ArrayLike, p: ArrayLike, /) -> Tensor:
    """The inverse of `bdtr` in its last argument.

    The gradient is ``-g / beta_density(floor(k) + 1, n - floor(k), y)`` for `p`; there is none for `k` and `n`.

    >>> bdtri(1, 3, Tensor([0.1, 0.5]))
    Tensor([0.804..., 0.5       ])
    """
    k, inverse = xp.floor(k), xp.special.betaincinv
    return xp.where(p > 0.5, inverse(k + 1, n - k, 1 - p), 1 - inverse(n - k, k + 1, p))


def _bdtri_p(xp: Any, g: Any, k: Any, n: Any, p: Any) -> Any:
    k, y = xp.floor(k), xp.special.bdtri(k, n, p)
    return -g / xp.special.beta_density(k + 1, n - k, y)


bdtri.vjp(p=_bdtri_p)


@function
def nbdtr(xp: Any, k: ArrayLike, n: ArrayLike, p: ArrayLike, /) -> Tensor:
    """The negative binomial distribution function: at most `k` failures before `n` successes of probability `p`.

    The gradient is ``g beta_density(n, k + 1, p)`` for `p`; there is none for `k` and `n`.

    >>> nbdtr(1, 3, Tensor([0.1, 0.5]))
    Tensor([0.0037, 0.3125])
    """
    return xp.special.betainc(n, k + 1, p)


nbdtr.vjp(p=lambda xp, g, k, n, p: g * xp.special.beta_density(n, k + 1, p))


@function
def nbdtrc(xp: Any, k: ArrayLike, n: ArrayLike, p: ArrayLike, /) -> Tensor:
    """The negative binomial survival function: more than `k` failures before `n` successes of probability `p`.

    The gradient is minus that of `nbdtr`.

    >>> nbdtrc(1, 3, Tensor([0.1, 0.5]))
    Tensor([0.9963, 0.6875])
    """
    return xp.special.betaincc(n, k + 1, p)


nbdtrc.vjp(p=lambda xp, g, k, n, p: -g * xp.special.beta_density(n, k + 1, p))


@function(own=False)
def nbdtri(xp: Any, k: ArrayLike, n: ArrayLike, p: ArrayLike, /) -> Tensor:
    """The inverse of `nbdtr` in its last argument.

    The gradient is ``g / beta_density(n, k + 1, y)`` for `p`; there is none for `k` and `n`.

    >>> nbdtri(1, 3, Tensor([0.1, 0.5]))
    Tensor([0.3204..., 0.6142...])
    """
    return xp.special.betaincinv(n, k + 1, p)


nbdtri.vjp(p=lambda xp, g, k, n, p: g / xp.special.beta_density(n, k + 1, xp.special.nbdtri(k, n, p)))


# ---------------------------------------------------------------------------------------------------------------------- F


def _fdtr_slope(xp: Any, dfn: Any, dfd: Any, x: Any, by: str) -> Any:
    """The derivative of `fdtr`, a function of the odds ``w = dfn x / dfd``."""
    a, b, w = dfn / 2, dfd / 2, dfn * x / dfd
    density = odds_density(xp, a, b, w)
    if by == "x":
        return density * dfn / dfd
    if by == "dfn":
        return 0.5 * xp.special.betainc_derivative(a, b, w, 1, 0) + density * x / dfd
    return 0.5 * xp.special.betainc_derivative(a, b, w, 0, 1) - density * w / dfd


@function
def fdtr(xp: Any, dfn: ArrayLike, dfd: ArrayLike, x: ArrayLike, /) -> Tensor:
    """The distribution function of the F distribution of `dfn` and `dfd` degrees of freedom.

    It is `betainc` of ``dfn / 2`` and ``dfd / 2`` at the odds ``dfn x / dfd``; the gradient follows from this.

    >>> fdtr(2.0, 3.0, Tensor([0.5, 1.0]))
    Tensor([0.3504..., 0.5352...])
    """
    return xp.special.betainc_derivative(dfn / 2, dfd / 2, ratio(xp, dfn * x, dfd), 0, 0)


fdtr.vjp(
    dfn=lambda xp, g, dfn, dfd, x: g * _fdtr_slope(xp, dfn, dfd, x, "dfn"),
    dfd=lambda xp, g, dfn, dfd, x: g * _fdtr_slope(xp, dfn, dfd, x, "dfd"),
    x=lambda xp, g, dfn, dfd, x: g * _fdtr_slope(xp, dfn, dfd, x, "x"),
)


@function
def fdtrc(xp: Any, dfn: ArrayLike, dfd: ArrayLike, x: ArrayLike, /) -> Tensor:
    """The survival function of the F distribution of `dfn` and `dfd` degrees of freedom.

    The gradient is minus that of `fdtr`.

    >>> fdtrc(2.0, 3.0, Tensor([0.5, 1.0]))
    Tensor([0.6495..., 0.4647...])
    """
    return xp.special.betainc_derivative(dfd / 2, dfn / 2, ratio(xp, dfd, dfn * x), 0, 0)


fdtrc.vjp(
    dfn=lambda xp, g, dfn, dfd, x: -g * _fdtr_slope(xp, dfn, dfd, x, "dfn"),
    dfd=lambda xp, g, dfn, dfd, x: -g * _fdtr_slope(xp, dfn, dfd, x, "dfd"),
    x=lambda xp, g, dfn, dfd, x: -g * _fdtr_slope(xp, dfn, dfd, x, "x"),
)


@function
def fdtri(xp: Any, dfn: ArrayLike, dfd: ArrayLike, p: ArrayLike, /) -> Tensor:
    """The inverse of `fdtr` in its last argument.

    With the derivative ``F_x`` of `fdtr` by `x`, the gradient is ``g / F_x`` for `p`. For `dfn` and `dfd` it is this times the
    negative derivative of `fdtr`.

    >>> fdtri(2.0, 3.0, Tensor([0.1, 0.5]))
    Tensor([0.1091..., 0.8811...])
    """
    return missing(xp, "fdtri", dfn, dfd, p)


def _fdtri(xp: Any, g: Any, dfn: Any, dfd: Any, p: Any, by: str) -> Any:
    y = xp.special.fdtri(dfn, dfd, p)
    return -g * (_fdtr_slope(xp, dfn, dfd, y, by) / _fdtr_slope(xp, dfn, dfd, y, "x"))


fdtri.vjp(
    dfn=lambda xp, g, dfn, dfd, p: _fdtri(xp, g, dfn, dfd, p, "dfn"),
    dfd=lambda xp, g, dfn, dfd, p: _fdtri(xp, g, dfn, dfd, p, "dfd"),
    p=lambda xp, g, dfn, dfd, p: g / _fdtr_slope(xp, dfn, dfd, xp.special.fdtri(dfn, dfd, p), "x"),
)


# ---------------------------------------------------------------------------------------------------------------- Student


_HUGE = 1e154  # the square of a larger number overflows


def _student_density(xp: Any, df: Any, t: Any) -> Any:
    half, huge = xp.full_like(df, 0.5), xp.abs(t) > _HUGE
    near, far = xp.where(huge, xp.zeros_like(t), t), one_where(xp, ~huge, xp.abs(t))
    above = 2 * xp.log(far) - xp.log(one_where(xp, ~huge, df))
    log = xp.where(huge, xp.logaddexp(above, xp.zeros_like(above)), xp.log1p(near * near / df))
    return xp.exp(-0.5 * (df + 1) * log - xp.special.betaln(0.5 * df, half)) / xp.sqrt(df)


def _student_slope(xp: Any, df: Any, t: Any) -> Any:
    """The derivative of `stdtr` by `df`. On the side of `t`, it is half of `betainc` at the odds ``df / t**2``."""
    df, t = xp.broadcast_arrays(df, t)
    sp, flat, huge = xp.special, (t == 0) | (xp.abs(t) == math.inf), xp.abs(t) > _HUGE
    near, safe, half = one_where(xp, flat | huge, t), one_where(xp, flat | huge, df), xp.full_like(t, 0.5)
    square = near * near
    odds = safe / square
    slope = 0.5 * sp.betainc_derivative(0.5 * safe, half, odds, 1, 0) + odds_density(xp, 0.5 * safe, half, odds) / square
    # Where the square overflows, the leading term of the series is used: (df / t**2)**(df / 2) / (df beta(df / 2, 1 / 2)).
    far, few = (one_where(xp, flat | ~huge, x) for x in (xp.abs(t), xp.minimum(df, xp.full_like(df, 1e100))))
    log = 0.5 * xp.log(few) - xp.log(far)
    tail = xp.exp(few * log - xp.log(few) - sp.betaln(0.5 * few, half))
    tail = tail * (log + 0.5 - 0.5 * sp.polygamma_difference(0.5 * few + 0.5, half, 0))
    return xp.zero_where_not(-xp.sign(t) * xp.where(huge, tail, 0.5 * slope), ~flat)


@function
def stdtr(xp: Any, df: ArrayLike, t: ArrayLike, /) -> Tensor:
    """The distribution function of Student's distribution of `df` degrees of freedom.

    The gradient for `t` is ``g`` times the density; for `df` it follows from that of `betainc`.

    >>> stdtr(3.0, Tensor([-1.0, 0.0, 1.0]))
    Tensor([0.1955..., 0.5       , 0.8044...])
    """
    half, flat, huge = xp.full_like(df, 0.5), t == 0, xp.abs(t) > _HUGE
    safe = one_where(xp, flat | huge, t)
    odds = xp.where(flat, xp.full_like(t, math.inf), xp.where(huge, xp.zeros_like(t), ratio(xp, df, safe * safe)))
    tail = 0.5 * xp.special.betainc_derivative(0.5 * df, half, odds, 0, 0)
    return xp.where(t < 0, tail, 1 - tail)


stdtr.vjp(
    df=lambda xp, g, df, t: g * _student_slope(xp, df, t),
    t=lambda xp, g, df, t: g * _student_density(xp, df, t),
)


@function
def stdtrit(xp: Any, df: ArrayLike, p: ArrayLike, /) -> Tensor:
    """The inverse of `stdtr` in its second argument.

    The gradient for `p` is ``g`` divided by the density at ``y``; for `df` it is this times the negative derivative of `stdtr`.

    >>> stdtrit(3.0, Tensor([0.1, 0.5]))
    Tensor([-1.637...,  0.       ])
    """
    df, p = xp.broadcast_arrays(df, p)
    sp, half = xp.special, xp.full_like(p, 0.5)
    tail = xp.minimum(p, 1 - p)
    inner = (df > 0) & (tail > 0)
    tail, a = xp.where(inner, tail, half), one_where(xp, ~inner | (df == math.inf), df)
    # Few degrees of freedom: the square is a quantile of a beta distribution, whose odds are precise from one of two sides.
    near, far = sp.betaincinv(half, 0.5 * a, 1 - 2 * tail), sp.betaincinv(0.5 * a, half, 2 * tail)
    central = (near < 0.5) & (tail > 1e-3)
    log = (xp.log(a) + xp.log(tail) + sp.betaln(0.5 * a, half)) / a  # half the logarithm of `far`, where that is small
    outside = log < -300
    odds = xp.where(central, near / one_where(xp, ~central, 1 - near), (1 - far) / one_where(xp, central | (far == 0), far))
    size = xp.where(outside, xp.exp(0.5 * xp.log(a) - xp.where(outside, log, xp.zeros_like(log))), xp.sqrt(a * odds))
    # Many: the expansion of Cornish and Fisher (M. Abramowitz and I. Stegun, 26.7.5).
    z = -sp.ndtri(tail)
    square, many = z * z, (df > 2000) & (z * z < 4e-3 * df)
    inverse, series = xp.where(many, 1 / one_where(xp, ~many, df), xp.zeros_like(df)), xp.zeros_like(df)
    for coefficients in _STUDENT_QUANTILE:
        g = xp.zeros_like(z)
        for c in coefficients:
            g = g * square + c
        series = (series + g) * inverse
    size = xp.where(many, z * (1 + series), size)
    value = xp.where(p < 0.5, -size, size)
    ends = xp.where((df > 0) & ((p == 0) | (p == 1)), xp.where(p > 0.5, half + math.inf, half - math.inf), half * math.nan)
    return xp.where(inner, value, ends)


_STUDENT_QUANTILE = (  # the coefficients of z**8, z**6, ... in the terms of orders 4, 3, 2, 1 in 1 / df
    (79 / 92160, 776 / 92160, 1482 / 92160, -1920 / 92160, -945 / 92160),
    (3 / 384, 19 / 384, 17 / 384, -15 / 384),
    (5 / 96, 16 / 96, 3 / 96),
    (1 / 4, 1 / 4),
)


def _stdtrit_df(xp: Any, g: Any, df: Any, p: Any) -> Any:
    y = xp.special.stdtrit(df, p)
    return -g * (_student_slope(xp, df, y) / _student_density(xp, df, y))


stdtrit.vjp(
    df=_stdtrit_df,
    p=lambda xp, g, df, p: g / _student_density(xp, df, xp.special.stdtrit(df, p)),
)
