"""Bessel functions of integer order, elliptic and exponential integrals, Spence's and Legendre's functions."""

from __future__ import annotations

import functools
import math
from typing import Any

from ...engine.define import op
from ...tensor.tensor import ArrayLike, Tensor
from ..parts.safe import nan_where, one_where
from ..parts.special import derivative, floats, function, missing, wide

__all__ = [
    "bessel_quotient", "bessel_scaled", "ellipk", "ellipkm1", "ellipkm1_derivative", "exp1", "expi", "expi_derivative",
    "expn", "i0", "i0e", "i1", "i1_derivative", "i1e", "j0", "j1", "k0", "k0e", "k1", "k1e", "lpmv", "spence", "y0",
    "y1", "yn",
]  # fmt: skip


# -------------------------------------------------------------------------------------------------------- Bessel functions


@function
def j0(xp: Any, x: ArrayLike, /) -> Tensor:
    """The Bessel function of the first kind of order 0.

    The gradient is ``-g j1(x)``.

    >>> j0(Tensor([0.0, 2.0]))
    Tensor([1.        , 0.2238...])
    """
    return missing(xp, "j0", x)


j0.vjp(x=lambda xp, g, x: -g * xp.special.j1(x))


@function
def j1(xp: Any, x: ArrayLike, /) -> Tensor:
    """The Bessel function of the first kind of order 1.

    The gradient is ``g (j0(x) - j1(x) / x)``, with 1/2 for the quotient at 0: see `bessel_quotient`.

    >>> j1(Tensor([0.0, 2.0]))
    Tensor([0.       , 0.5767...])
    """
    return missing(xp, "j1", x)


j1.vjp(x=lambda xp, g, x: g * (xp.special.j0(x) - xp.special.bessel_quotient(x, 1, "j")))


@function
def y0(xp: Any, x: ArrayLike, /) -> Tensor:
    """The Bessel function of the second kind of order 0, for positive `x`.

    The gradient is ``-g y1(x)``.

    >>> y0(Tensor([1.0, 2.0]))
    Tensor([0.08825..., 0.5103...])
    """
    return missing(xp, "y0", x)


y0.vjp(x=lambda xp, g, x: -g * xp.special.y1(x))


@function
def y1(xp: Any, x: ArrayLike, /) -> Tensor:
    """The Bessel function of the second kind of order 1, for positive `x`.

    The gradient is ``g (y0(x) - y1(x) / x)``.

    >>> y1(Tensor([1.0, 2.0]))
    Tensor([-0.7812..., -0.1070...])
    """
    return missing(xp, "y1", x)


y1.vjp(x=lambda xp, g, x: g * (xp.special.y0(x) - xp.special.y1(x) / x))


@function
def yn(xp: Any, n: ArrayLike, x: ArrayLike, /) -> Tensor:
    """The Bessel function of the second kind of integer order `n`, for positive `x`.

    The gradient is ``g (yn(n - 1, x) - yn(n + 1, x)) / 2`` for `x`; there is none for `n`.

    >>> yn(2, Tensor([1.0, 2.0]))
    Tensor([-1.650..., -0.6174...])
    """
    return missing(xp, "yn", n, x)


yn.vjp(x=lambda xp, g, n, x: g * (0.5 * (xp.special.yn(n - 1, x) - xp.special.yn(n + 1, x))))


@function
def i0(xp: Any, x: ArrayLike, /) -> Tensor:
    """The modified Bessel function of the first kind of order 0.

    The gradient is ``g i1(x)``.

    >>> i0(Tensor([0.0, 2.0]))
    Tensor([1.       , 2.279...])
    """
    return missing(xp, "i0", x)


i0.vjp(x=lambda xp, g, x: g * xp.special.i1(x))


@function
def i0e(xp: Any, x: ArrayLike, /) -> Tensor:
    """The scaled modified Bessel function of the first kind of order 0, ``exp(-|x|) i0(x)``.

    The gradient is ``g (i1e(x) - sign(x) y)``, and 0 at the kink at 0; see `bessel_scaled`.

    >>> i0e(Tensor([0.0, 1000.0]))
    Tensor([1.        , 0.01261...])
    """
    return missing(xp, "i0e", x)


i0e.vjp(x=lambda xp, g, x: g * xp.special.bessel_scaled(x, 0, "i", 1))


@function
def i1(xp: Any, x: ArrayLike, /) -> Tensor:
    """The modified Bessel function of the first kind of order 1.

    The gradient is ``g (i0(x) - i1(x) / x)``, with 1/2 for the quotient at 0: see `i1_derivative`.

    >>> i1(Tensor([0.0, 2.0]))
    Tensor([0.       , 1.590...])
    """
    return missing(xp, "i1", x)


i1.vjp(x=lambda xp, g, x: g * xp.special.i1_derivative(x, 1))


@derivative("x")
def i1_derivative(xp: Any, x: ArrayLike, /, n: int) -> Tensor:
    """The derivative of order `n` of `i1`.

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
    It is a sum of modified Bessel functions of the orders from ``1 - n`` to ``1 + n`` (DLMF 10.29.5). All terms have one sign, so
    the sum overflows only where the derivative does. The gradient is ``g`` times the derivative of order ``n + 1``.

    Examples
    --------
    >>> i1_derivative(Tensor([0.0, 2.0]), 1)
    Tensor([0.5      , 1.484...])
    """
    z = xp.minimum(xp.abs(x), xp.full_like(x, 2000.0))  # for larger x everything is infinite
    total = xp.zeros_like(z)
    for j in range(n + 1):
        m = abs(1 - n + 2 * j)
        total = total + math.comb(n, j) / 2**n * (xp.special.bessel_quotient(z, m, "ie") * z**m)
    root = xp.exp(0.5 * z)
    return total * root * root * (1 if n % 2 else xp.sign(x))


i1_derivative.vjp(x=lambda xp, g, x, n: g * xp.special.i1_derivative(x, n + 1))


@function
def i1e(xp: Any, x: ArrayLike, /) -> Tensor:
    """The scaled modified Bessel function of the first kind of order 1, ``exp(-|x|) i1(x)``.

    The gradient is ``g (i0e(x) - y / x - sign(x) y)``, with 1/2 for the quotient at 0: see `bessel_scaled`.

    >>> i1e(Tensor([0.0, 1000.0]))
    Tensor([0.        , 0.01261...])
    """
    return missing(xp, "i1e", x)


i1e.vjp(x=lambda xp, g, x: g * xp.special.bessel_scaled(x, 1, "i", 1))


@function
def k0(xp: Any, x: ArrayLike, /) -> Tensor:
    """The modified Bessel function of the second kind of order 0, for positive `x`.

    The gradient is ``-g k1(x)``.

    >>> k0(Tensor([1.0, 2.0]))
    Tensor([0.4210..., 0.1138...])
    """
    return missing(xp, "k0", x)


k0.vjp(x=lambda xp, g, x: -g * xp.special.k1(x))


@function
def k0e(xp: Any, x: ArrayLike, /) -> Tensor:
    """The scaled modified Bessel function of the second kind of order 0, ``exp(x) k0(x)``.

    The gradient is ``g (y - k1e(x))``: see `bessel_scaled`.

    >>> k0e(Tensor([1.0, 1000.0]))
    Tensor([1.144..., 0.03962...])
    """
    return missing(xp, "k0e", x)


k0e.vjp(x=lambda xp, g, x: g * xp.special.bessel_scaled(x, 0, "k", 1))


@function
def k1(xp: Any, x: ArrayLike, /) -> Tensor:
    """The modified Bessel function of the second kind of order 1, for positive `x`.

    The gradient is ``-g (k0(x) + y / x)``.

    >>> k1(Tensor([1.0, 2.0]))
    Tensor([0.6019..., 0.1398...])
    """
    return missing(xp, "k1", x)


k1.vjp(x=lambda xp, g, x: -g * (xp.special.k0(x) + xp.special.k1(x) / x))


@function
def k1e(xp: Any, x: ArrayLike, /) -> Tensor:
    """The scaled modified Bessel function of the second kind of order 1, ``exp(x) k1(x)``.

    The gradient is ``g (y - k0e(x) - y / x)``: see `bessel_scaled`.

    >>> k1e(Tensor([1.0, 1000.0]))
    Tensor([1.636..., 0.03964...])
    """
    return missing(xp, "k1e", x)


k1e.vjp(x=lambda xp, g, x: g * xp.special.bessel_scaled(x, 1, "k", 1))


@derivative("x")
def bessel_quotient(xp: Any, x: ArrayLike, /, n: int, kind: str) -> Tensor:
    """A Bessel function of the first kind of order `n`, divided by ``x**n``.

    Parameters
    ----------
    x : array
        Of real floating data type.
    n : int
        The order, 0 or more.
    kind : {"j", "i", "ie"}
        The function: of Bessel, modified, or modified and times ``exp(-|x|)``.

    Returns
    -------
    Tensor
        Of the shape of `x`.

    Notes
    -----
    These functions have no singularity at 0, unlike the quotients in the textbook's derivatives. Near 0 the power series
    (DLMF 10.2.2, 10.25.2) is summed; elsewhere the forward recurrence in `n` is used (DLMF 10.6.1, 10.29.1). The gradient is
    ``g x`` times the quotient of order ``n + 1``, negative for ``"j"`` (DLMF 10.6.6, 10.29.4); for ``"ie"``,
    ``g sign(x) y`` is subtracted.

    Examples
    --------
    >>> bessel_quotient(Tensor([0.0, 2.0]), 1, "j")
    Tensor([0.5      , 0.2883...])
    """
    sign, sp = -1 if kind == "j" else 1, xp.special
    size = xp.abs(x)
    near = size < 4 + n
    z = xp.where(near, x, xp.zeros_like(x))
    quarter, series = z * z * 0.25, xp.zeros_like(z)
    for k in reversed(range(30 + 2 * n)):
        series = series * quarter + sign**k / (math.factorial(k) * math.factorial(n + k) * 2**n)
    if kind == "ie":
        series = series * xp.exp(-xp.abs(z))
    far = xp.where(near, xp.full_like(x, 4.0 + n), xp.minimum(size, xp.full_like(x, 2000.0)) if kind == "i" else x)
    first, second = (sp.j0(far), sp.j1(far)) if kind == "j" else (sp.i0e(far), sp.i1e(far))
    orders, inverse = [first, second / far], 1 / far
    for k in range(1, n):
        orders.append(sign * (orders[k - 1] - 2 * k * orders[k]) * inverse * inverse)
    value = orders[n]
    if kind == "i":
        root = xp.exp(0.5 * xp.abs(far))
        value = value * root * root
    return xp.where(near, series, value)


def _bessel_quotient_x(xp: Any, g: Any, x: Any, y: Any, n: int, kind: str) -> Any:
    sp = xp.special
    if kind != "ie":
        return g * ((-1 if kind == "j" else 1) * (x * sp.bessel_quotient(x, n + 1, kind)))
    far = xp.abs(x) > _SCALED  # the terms would cancel there
    near, x = xp.where(far, xp.zeros_like(x), x), xp.where(far, x, xp.full_like(x, _SCALED + 1))
    within = near * sp.bessel_quotient(near, n + 1, kind) - xp.sign(near) * sp.bessel_quotient(near, n, kind)
    beyond = (sp.bessel_scaled(x, n, "i", 1) - sp.bessel_scaled(x, n, "i", 0) * n / x) * x**-n
    return g * xp.where(far, beyond, within)


bessel_quotient.vjp(x=_bessel_quotient_x)

_SCALED = 30.0  # asymptotic series are summed for larger arguments


@derivative("x")
def bessel_scaled(xp: Any, x: ArrayLike, /, order: int, kind: str, n: int) -> Tensor:
    """A derivative of a modified Bessel function that is scaled by an exponential.

    Parameters
    ----------
    x : array
        Of real floating data type, positive for ``"k"``.
    order : int
        The order of the function, 0 or more.
    kind : {"i", "k"}
        ``exp(-|x|)`` times the function of the first kind, or ``exp(x)`` times the function of the second kind.
    n : int
        The order of the derivative, 0 or more.

    Returns
    -------
    Tensor
        Of the shape of `x`.

    Notes
    -----
    It is a sum of such functions of neighbouring orders (DLMF 10.29.5). For large `x`, where this would cancel, the asymptotic
    series (DLMF 10.40.1, 10.40.2) is differentiated. At 0 ``exp(-|x|)`` counts as constant. The gradient is ``g`` times the
    derivative of order ``n + 1``.

    Examples
    --------
    >>> bessel_scaled(Tensor([1.0, 1e20]), 0, "k", 1)
    Tensor([-4.916...e-01, -6.266...e-31])
    """
    sp, size = xp.special, xp.abs(x)
    near = size < _SCALED
    z = xp.where(near, size, xp.ones_like(x))
    orders = []
    if kind == "k":
        orders = [sp.k0e(z), sp.k1e(z)]
        for k in range(1, n + order):
            orders.append(orders[k - 1] + 2 * k / z * orders[k])
    else:
        orders = [sp.bessel_quotient(z, k, "ie") * z**k for k in range(n + order + 1)]
    within = xp.zeros_like(z)
    for j in range(2 * n + 1):
        within = within + (-1) ** j * math.comb(2 * n, j) * orders[abs(order + n - j)]
    within = within * ((-0.5 if kind == "k" else 0.5) ** n)
    far = xp.where(near, xp.full_like(x, _SCALED), size)
    series, inverse = xp.zeros_like(far), 1 / far
    for k in reversed(range(28)):
        coefficient = math.prod((4 * order**2 - (2 * i - 1) ** 2) / (8 * i) for i in range(1, k + 1))
        slope = (-1) ** n * math.prod(k + 0.5 + i for i in range(n))
        series = series * inverse + (coefficient * slope if kind == "k" else (-1) ** k * coefficient * slope)
    scale = math.sqrt(math.pi / 2) if kind == "k" else 1 / math.sqrt(2 * math.pi)
    beyond = series * (scale * far ** -(n + 0.5))
    value = xp.where(near, within, beyond)
    if kind == "k":
        return value
    flat = math.comb(n, (n - order) // 2) / 2**n if n >= order and (n - order) % 2 == 0 else 0.0
    value = value * (xp.sign(x) if (n + order) % 2 else 1)
    return xp.where(x == 0, xp.full_like(x, flat), value)


bessel_scaled.vjp(x=lambda xp, g, x, order, kind, n: g * xp.special.bessel_scaled(x, order, kind, n + 1))


# ---------------------------------------------------------------------------------------------------- elliptic integrals


@function
def ellipk(xp: Any, m: ArrayLike, /) -> Tensor:
    """The complete elliptic integral of the first kind of parameter `m`.

    The gradient is ``g (E(m) - (1 - m) K(m)) / (2 m (1 - m))``, computed without its cancellation at 0: see
    `ellipkm1_derivative`.

    >>> ellipk(Tensor([0.0, 0.5, -1.0]))
    Tensor([1.570..., 1.854..., 1.311...])
    """
    return xp.special.ellipkm1(1 - m)


ellipk.vjp(m=lambda xp, g, m: -g * xp.special.ellipkm1_derivative(1 - m, 1))


@function
def ellipkm1(xp: Any, p: ArrayLike, /) -> Tensor:
    """The complete elliptic integral of the first kind of parameter ``1 - p``, precise for small `p`.

    The gradient is minus that of `ellipk`; see `ellipkm1_derivative`.

    >>> ellipkm1(Tensor([1.0, 0.5, 1e-20]))
    Tensor([ 1.570...,  1.854..., 24.41...])
    """
    return xp.special.ellipkm1_derivative(p, 0)


ellipkm1.vjp(p=lambda xp, g, p: g * xp.special.ellipkm1_derivative(p, 1))


@derivative("p")
def ellipkm1_derivative(xp: Any, p: ArrayLike, /, n: int) -> Tensor:
    """The derivative of order `n` of `ellipkm1`.

    Parameters
    ----------
    p : array
        Of real floating data type, not negative.
    n : int
        The order, 0 or more.

    Returns
    -------
    Tensor
        Of the shape of `p`.

    Notes
    -----
    Near ``p = 1`` the hypergeometric series (DLMF 19.5.1) is summed. Elsewhere the integral and its first derivative are computed
    from the arithmetic-geometric mean (DLMF 19.8), and higher derivatives by differentiating the differential equation
    ``p (1 - p) K'' + (1 - 2 p) K' = K / 4``. The gradient is ``g`` times the derivative of order ``n + 1``.

    Examples
    --------
    >>> ellipkm1_derivative(Tensor([1.0, 0.5]), 1)
    Tensor([-0.392..., -0.8472...])
    """
    near = xp.abs(p - 1) < 0.5
    m = xp.where(near, 1 - p, xp.zeros_like(p))
    series = xp.zeros_like(m)
    for k in reversed(range(64)):  # the coefficient of m**(n + k) in the series of K, differentiated n times
        series = series * m + math.pi / 2 * (math.comb(2 * (n + k), n + k) / 4 ** (n + k)) ** 2 * math.perm(n + k, n)
    far = xp.where(near, xp.full_like(p, 0.25), p)
    a, b = xp.ones_like(far), xp.sqrt(far)
    deficit, power = (1 - far) / 2, 0.5  # sum of 2**(k - 1) (a_k**2 - b_k**2), which is 1 - E / K
    for _ in range(11):
        if n:
            power, half = power * 2, (a - b) / 2
            deficit = deficit + power * half * half
        a, b = (a + b) / 2, xp.sqrt(a * b)
    before = math.pi / 2 / a
    if n == 0:
        return xp.where(near, series, before)
    value = 0.5 * before * (1 - (1 - deficit) / far) / (1 - far)
    for k in range(n):
        if k < n - 1:
            rest = (k + 0.5) ** 2 * before - (k + 1) * (1 - 2 * far) * value
            before, value = value, rest / far / (1 - far)
    return xp.where(near, (-1) ** n * series, value)


ellipkm1_derivative.vjp(p=lambda xp, g, p, n: g * xp.special.ellipkm1_derivative(p, n + 1))


# -------------------------------------------------------------------------------------------------- exponential integrals


@function
def exp1(xp: Any, x: ArrayLike, /) -> Tensor:
    """The exponential integral of ``exp(-t) / t`` from `x` to infinity, for positive `x`.

    The gradient is ``-g exp(-x) / x``.

    >>> exp1(Tensor([0.5, 10.0]))
    Tensor([5.597...e-01, 4.156...e-06])
    """
    return missing(xp, "exp1", x)


exp1.holomorphic(x=lambda xp, g, x: g * xp.special.expi_derivative(-x, 1))


@function(own=False)
def expi(xp: Any, x: ArrayLike, /) -> Tensor:
    """The exponential integral of ``exp(t) / t`` from minus infinity to `x`, its principal value.

    The gradient is ``g exp(x) / x``.

    >>> expi(Tensor([-1.0, 1.0]))
    Tensor([-0.2193...,  1.895...])
    """
    own = xp.__backend__.special("expi")
    inner = functools.partial(missing, xp, "expi") if own is None else own
    if not xp.isdtype(x.dtype, "real floating"):
        return (xp.__backend__.special_on_host("expi") or inner)(x)
    high = x > 100  # by the asymptotic series (DLMF 6.12.1), since SciPy's function overflows before the result does
    far, series = xp.where(high, x, xp.full_like(x, 100.0)), xp.zeros_like(x)
    for k in reversed(range(30)):
        series = 1 + series * ((k + 1) / far)
    return xp.where(high, xp.exp(far - xp.log(far)) * series, inner(xp.where(high, xp.ones_like(x), x)))


expi.holomorphic(x=lambda xp, g, x: g * xp.special.expi_derivative(x, 1))


@op(override=True, elementwise=True)
def expi_derivative(xp: Any, x: ArrayLike, /, n: int) -> Tensor:
    """The derivative of order `n` of `expi`: that of order ``n - 1`` of ``exp(x) / x``.

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
    It overflows only where ``exp(x) / x`` does. The gradient is ``g`` times the derivative of order ``n + 1``.

    Examples
    --------
    >>> expi_derivative(Tensor([-1.0, 1.0]), 1)
    Tensor([-0.3678...,  2.718...])
    """
    (x,) = floats(xp, x)
    (z,) = wide(xp, x)
    inverse, bracket = 1 / z, xp.zeros_like(z)
    for j in reversed(range(n)):
        bracket = bracket * inverse + (-1) ** j * math.perm(n - 1, j)
    if xp.isdtype(z.dtype, "real floating"):
        y = xp.sign(z) * bracket * xp.exp(z - xp.log(xp.abs(z)))
    else:
        y = xp.exp(z) * inverse * bracket
    return y if y.dtype == x.dtype else xp.astype(y, x.dtype)


expi_derivative.holomorphic(x=lambda xp, g, x, n: g * xp.special.expi_derivative(x, n + 1))


@function
def expn(xp: Any, n: ArrayLike, x: ArrayLike, /) -> Tensor:
    """The exponential integral of integer order `n`: the integral of ``exp(-x t) / t**n`` from 1 to infinity.

    The gradient is ``-g expn(n - 1, x)`` for `x`; there is none for `n`.

    >>> expn(2, Tensor([0.0, 1.0]))
    Tensor([1.        , 0.1484...])
    """
    return missing(xp, "expn", n, x)


def _expn_x(xp: Any, g: Any, n: Any, x: Any) -> Any:
    # The functions of order 0 and -1 are elementary.
    above = xp.special.expn(xp.maximum(n - 1, xp.ones_like(n)), xp.where(n < 2, xp.ones_like(x), x))
    safe = xp.where(n < 2, x, xp.ones_like(x))
    zero = xp.exp(-safe) / safe
    return -g * xp.where(n >= 2, above, xp.where(n == 1, zero, zero * (1 + 1 / safe)))


expn.vjp(x=_expn_x)


@function
def spence(xp: Any, x: ArrayLike, /) -> Tensor:
    """Spence's function, the integral of ``log(t) / (1 - t)`` from 1 to `x`.

    The gradient is ``g log(x) / (1 - x)``, and ``-g`` at 1: see `log1prel_derivative`.

    >>> spence(Tensor([0.0, 1.0, 2.0]))
    Tensor([ 1.644...,  0.      , -0.8224...])
    """
    # With u = -log(x) it is a series in u that converges for abs(u) < 2 pi (DLMF 25.12.4, 24.2.1). Here abs(u) <= log(2), by the
    # reflections DLMF 25.12.6 and 25.12.4.
    inner = (x > 0) & (x < math.inf)
    at = xp.where(inner, x, xp.ones_like(x))
    small, large, log = at < 0.5, at > 2, xp.log(at)
    short = xp.where(large, 1 / xp.where(large, at, xp.full_like(at, 2.0)), xp.where(small, at, xp.full_like(at, 0.5)))
    rest = -xp.log1p(-short)
    series = _spence_series(xp, xp.where(small | large, rest, 0 - log))
    within = xp.where(small, math.pi**2 / 6 + log * rest - series, series)
    value = xp.where(large, series + log * rest - math.pi**2 / 6 - 0.5 * log * log, within)
    ends = nan_where(xp, ~(x >= 0), xp.where(x == 0, xp.full_like(x, math.pi**2 / 6), xp.full_like(x, -math.inf)))
    return xp.where(inner, value, ends)


_BERNOULLI = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66, -691 / 2730, 7 / 6, -3617 / 510)  # of the orders 2, 4, ...


def _spence_series(xp: Any, u: Any) -> Any:
    square, series = u * u, xp.zeros_like(u)
    for n in reversed(range(len(_BERNOULLI))):
        series = series * square + _BERNOULLI[n] / math.factorial(2 * n + 3)
    return u * (1 - 0.25 * u + square * series)


def _spence_x(xp: Any, g: Any, x: Any) -> Any:
    low = x < 0.5  # x - 1 would lose the digits of x
    small, other = xp.where(low, x, xp.full_like(x, 0.25)), one_where(xp, low, x)
    return g * xp.where(low, xp.log(small) / (1 - small), -xp.special.log1prel_derivative(other - 1, 0))


spence.vjp(x=_spence_x)


# ------------------------------------------------------------------------------------------------------ Legendre's functions


@function
def lpmv(xp: Any, m: ArrayLike, v: ArrayLike, x: ArrayLike, /) -> Tensor:
    """The associated Legendre function of integer order `m` and real degree `v`, for ``|x| <= 1``.

    With ``r = sqrt(1 - x**2)`` the gradient is ``-g (lpmv(m + 1, v, x) / r + m x y / r**2)`` for `x` (DLMF 14.10.2), NaN at -1
    and 1; there is none for `m` and `v`.

    >>> lpmv(0, 2, Tensor([0.0, 0.5]))
    Tensor([-0.5  , -0.125])
    """
    return missing(xp, "lpmv", m, v, x)


def _lpmv_x(xp: Any, g: Any, m: Any, v: Any, x: Any) -> Any:
    rest = (1 - x) * (1 + x)
    end = rest == 0
    safe = one_where(xp, end, rest)
    slope = -(xp.special.lpmv(m + 1, v, x) / xp.sqrt(safe) + m * x * xp.special.lpmv(m, v, x) / safe)
    return g * xp.where(end, xp.full_like(slope, math.nan), slope)


lpmv.vjp(x=_lpmv_x)
