"""Activation functions of neural networks, and the error function."""

from __future__ import annotations

import math
import numbers
from typing import Any

from ...backend.fusing import fusable
from ...backend.precision import in_float32
from ...engine.define import composite, op
from ...graph.kinds import is_complex, takes_real
from ...tensor.tensor import ArrayLike, Tensor
from ..parts.safe import gaussian, outward

__all__ = ["elu", "erf", "gelu", "leaky_relu", "logsigmoid", "relu", "sigmoid", "silu", "softplus"]


# ---------------------------------------------------------------------------------------------------------- activations


@op(override=True, elementwise=True)
@takes_real
def relu(xp: Any, x: ArrayLike, /) -> Tensor:
    """``max(x, 0)``.

    The gradient is ``g`` where ``x > 0`` and 0 elsewhere, also at 0.

    >>> import xgrad
    >>> relu(xgrad.Tensor([-1.0, 2.0]))
    Tensor([0., 2.])
    """
    return xp.maximum(x, 0)


relu.vjp(x=lambda xp, g, y: xp.zero_where_not(g, y > 0))


def _check_number(name: str, parameter: str, value: Any, otherwise: str) -> None:
    """Raise a TypeError unless a parameter without a gradient is a real number."""
    if not isinstance(value, numbers.Real):
        raise TypeError(
            f"{name}: {parameter} is {value!r}, but must be a real number; for an array, or for a number that is trained, write "
            f"xgrad.where(x > 0, x, {otherwise})"
        )


@op(override=True, elementwise=True)
@takes_real
def leaky_relu(xp: Any, x: ArrayLike, /, negative_slope: float = 0.01) -> Tensor:
    """`x` where it is positive, else `negative_slope` times `x`.

    The gradient is ``g`` where ``x > 0``, else ``negative_slope * g``.

    >>> import xgrad
    >>> leaky_relu(xgrad.Tensor([-1.0, 2.0]), 0.5)
    Tensor([-0.5,  2. ])
    """
    _check_number("leaky_relu", "negative_slope", negative_slope, "x * negative_slope")
    return xp.where(x > 0, x, x * negative_slope)


leaky_relu.vjp(x=lambda xp, g, x, negative_slope: xp.where(x > 0, g, g * negative_slope))


@op(override=True, elementwise=True)
@takes_real
def elu(xp: Any, x: ArrayLike, /, alpha: float = 1.0) -> Tensor:
    """`x` where it is positive, else ``alpha * (exp(x) - 1)``.

    The gradient is ``g`` where ``x > 0``, else ``g * alpha * exp(x)``. From D. Clevert et al., arXiv:1511.07289.

    >>> import xgrad
    >>> elu(xgrad.Tensor([-xgrad.inf, 2.0]))
    Tensor([-1.,  2.])
    """
    _check_number("elu", "alpha", alpha, "xgrad.expm1(xgrad.minimum(x, 0)) * alpha")
    return xp.where(x > 0, x, xp.expm1(xp.minimum(x, 0)) * alpha)


elu.vjp(x=lambda xp, g, x, alpha: xp.where(x > 0, g, g * (xp.exp(xp.minimum(x, 0)) * alpha)))


@op(override=True, elementwise=True)
@fusable
def sigmoid(xp: Any, x: ArrayLike, /) -> Tensor:
    """``1 / (1 + exp(-x))``, precise in both tails.

    The gradient is ``g * y * (1 - y)``, by `sigmoid_slope`.

    >>> import xgrad
    >>> sigmoid(xgrad.Tensor([-1000.0, 0.0, 1000.0]))
    Tensor([0. , 0.5, 1. ])
    """
    e = xp.exp(outward(xp, x))  # does not overflow
    if is_complex(xp, x):
        return xp.where(xp.real(x) > 0, xp.ones_like(e), e) / (e + 1)
    y = _end(xp, x, e)
    e += 1
    y /= e  # in place, since new memory for large arrays takes longer than the arithmetic
    return y


def _end(xp: Any, x: Any, e: Any) -> Any:
    """``exp(min(x, 0))``, given ``e = exp(-abs(x))``."""
    return xp.maximum(e, xp.astype(x > 0, e.dtype))


@op(elementwise=True)
@fusable
def sigmoid_slope(xp: Any, x: ArrayLike, /) -> Tensor:
    """The derivative of `sigmoid`, precise in both tails.

    Its gradient is ``-g * y * tanh(x / 2)``.

    >>> import xgrad
    >>> sigmoid_slope(xgrad.Tensor([0.0, 40.0]))
    Tensor([2.50...e-01, 4.248...e-18])
    """
    e = xp.exp(outward(xp, x))
    d = e + 1
    return e / (d * d)


sigmoid_slope.holomorphic(x=lambda xp, g, x, y: -g * (y * xp.tanh(0.5 * x)))
sigmoid.holomorphic(x=lambda xp, g, x: g * xp.sigmoid_slope(x))


@op(override=True, elementwise=True)
@takes_real
@fusable
def softplus(xp: Any, x: ArrayLike, /) -> Tensor:
    """``log(1 + exp(x))``, a smooth `relu`.

    It is computed as ``max(x, 0) + log1p(exp(-|x|))``. The gradient is ``g * sigmoid(x)``.

    >>> import xgrad
    >>> softplus(xgrad.Tensor([-1000.0, 0.0, 1000.0]))
    Tensor([0.000000e+00, 6.931...e-01, 1.000000e+03])
    """
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


softplus.vjp(x=lambda xp, g, x: g * xp.sigmoid(x))


@composite
@takes_real
def logsigmoid(xp: Any, x: ArrayLike, /) -> Tensor:
    """``log(sigmoid(x))``, which is ``-softplus(-x)``.

    >>> import xgrad
    >>> logsigmoid(xgrad.Tensor([-1000.0, 1000.0]))
    Tensor([-1000.,    -0.])
    """
    return -xp.softplus(-x)


@composite
def silu(xp: Any, x: ArrayLike, /) -> Tensor:
    """``x * sigmoid(x)``, also called swish.

    >>> import xgrad
    >>> silu(xgrad.Tensor([-1000.0, 0.0, 2.0]))
    Tensor([-0.        ,  0.        ,  1.76159...])
    """
    return x * xp.sigmoid(x)


def _erf_terms(dtype: Any) -> tuple[int, float, int]:
    """The number of terms of the series, and the step and the number of points of the quadrature, for a dtype's precision."""
    return (18, 0.5, 12) if "64" in str(dtype) else (10, 0.75, 6)


@op(override=True, elementwise=True)
@takes_real
@in_float32  # not every library's own function has a loop for half precision
def erf(xp: Any, x: ArrayLike, /) -> Tensor:
    """The error function, ``2 / sqrt(pi)`` times the integral of ``exp(-t**2)`` from 0 to `x`.

    It is the library's own where there is one. Else it is computed to the precision of the dtype: for ``|x| < 1`` by the
    Maclaurin series (DLMF 7.6.1), for other `x` from the complement, by the trapezoidal rule for its integral, corrected for the
    pole near the axis (M. Mori, Publ. RIMS 19, 1983).

    The gradient is ``g * 2 / sqrt(pi) * exp(-x**2)``.

    >>> import xgrad
    >>> erf(xgrad.Tensor([-xgrad.inf, 0.0, 0.5, xgrad.inf]))
    Tensor([-1.       ,  0.       ,  0.52...,  1.       ])
    """
    own = xp.__backend__.special("erf")
    if own is not None:
        return own(x)
    one = xp.ones_like(x)
    size = xp.abs(x)
    small = size < 1
    rest = _erf_rest(xp, xp.where(small, one, size))
    return xp.where(small, _erf_series(xp, xp.zero_where_not(x, small)), xp.where(x < 0, rest - 1, 1 - rest))


def _erf_series(xp: Any, x: Any) -> Any:
    """The error function for ``|x| < 1``."""
    square, series = x * x, xp.zeros_like(x)
    for n in reversed(range(_erf_terms(x.dtype)[0])):
        series = series * square + (-1) ** n * 2 / (math.sqrt(math.pi) * math.factorial(n) * (2 * n + 1))
    return x * series


def _erf_rest(xp: Any, x: Any) -> Any:
    """The complement of the error function, for ``x >= 1``."""
    _, h, points = _erf_terms(x.dtype)
    b = xp.minimum(x, xp.full_like(x, 28.0))  # it is 0 from there on
    square = b * b
    total = 0.5 / square
    for n in range(1, points + 1):
        total = total + math.exp(-((n * h) ** 2)) / (square + (n * h) ** 2)
    near = b < math.pi / h  # the pole lies within the strip
    pole = xp.zero_where_not(2 / xp.expm1(xp.where(near, b, xp.ones_like(b)) * (2 * math.pi / h)), near)
    return 2 * h / math.pi * b * xp.exp(-square) * total - pole


erf.vjp(x=lambda xp, g, x: g * (2 / math.sqrt(math.pi) * gaussian(xp, x)))


@op(override=True, elementwise=True)
@in_float32
@fusable
def normal_cdf(xp: Any, x: ArrayLike, /) -> Tensor:
    """The standard normal distribution function, ``erfc(-x / sqrt(2)) / 2``, precise in the left tail too.

    It uses the library's own ``erfc`` where there is one, and else the method of `erf`. The gradient is
    ``g * exp(-x**2 / 2) / sqrt(2 * pi)``.

    >>> import xgrad
    >>> normal_cdf(xgrad.Tensor([-10.0, 0.0]))
    Tensor([7.6198...e-24, 5.0000...e-01])
    """
    z = x * -math.sqrt(0.5)
    own = xp.__backend__.special("erfc")
    if own is not None:
        return own(z) * 0.5
    size = xp.abs(z)
    small = size < 1
    rest = _erf_rest(xp, xp.where(small, xp.ones_like(z), size)) * 0.5
    middle = 0.5 - 0.5 * _erf_series(xp, xp.zero_where_not(z, small))
    return xp.where(small, middle, xp.where(z < 0, 1 - rest, rest))


normal_cdf.vjp(x=lambda xp, g, x: g * (gaussian(xp, x * math.sqrt(0.5)) * (1 / math.sqrt(2 * math.pi))))


@composite
@takes_real
def gelu(xp: Any, x: ArrayLike, /, *, approximate: str = "none") -> Tensor:
    """`x` times the standard normal distribution function of `x`.

    Parameters
    ----------
    x : array
        Real floating.
    approximate : {"none", "tanh"}
        ``"none"`` is ``x * (1 + erf(x / sqrt(2))) / 2``; ``"tanh"`` puts
        ``tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))`` in place of the erf (D. Hendrycks and K. Gimpel, arXiv:1606.08415).

    Raises
    ------
    ValueError
        If `approximate` has another value.

    Examples
    --------
    >>> import xgrad
    >>> gelu(xgrad.Tensor([-1000.0, 0.0, 1000.0]))
    Tensor([  -0.,    0., 1000.])
    """
    if approximate == "none":
        return x * xp.normal_cdf(x)
    if approximate != "tanh":
        raise ValueError(f'gelu: approximate must be "none" or "tanh", not {approximate!r}')
    return xp.gelu_tanh(x)


@op(override=True, elementwise=True)
@takes_real
@fusable
def gelu_tanh(xp: Any, x: ArrayLike, /) -> Tensor:
    """``x * sigmoid(u)`` for ``u = sqrt(8 / pi) * (x + 0.044715 * x**3)``; see `gelu`.

    An op, since the composition takes three times as long. The gradient is ``g`` times `gelu_tanh_slope`.

    >>> import xgrad
    >>> gelu_tanh(xgrad.Tensor([-1000.0, 0.0, 1000.0]))
    Tensor([  -0.,    0., 1000.])
    """
    near = _near(xp, x)
    u = near * near
    u *= _BEND  # in place: see `sigmoid`
    u += _RISE
    u *= near
    y = xp.sigmoid(u)  # (1 + tanh(u / 2)) / 2
    y *= x
    return y


_RISE = math.sqrt(8 / math.pi)
_BEND = 0.044715 * _RISE


def _near(xp: Any, x: Any) -> Any:
    """`x`, clipped to the range outside of which the sigmoid in `gelu_tanh` is constant, so that its cube does not overflow."""
    return xp.clip(x, -30.0, 30.0)


@op(elementwise=True)
@takes_real
@fusable
def gelu_tanh_slope(xp: Any, x: ArrayLike, /) -> Tensor:
    """The derivative of `gelu_tanh`.

    >>> import xgrad
    >>> gelu_tanh_slope(xgrad.Tensor([-1000.0, 0.0, 1000.0]))
    Tensor([0. , 0.5, 1. ])
    """
    near = _near(xp, x)
    u = near * near
    slope = u * (3 * _BEND)
    slope += _RISE
    slope *= near
    u *= _BEND
    u += _RISE
    u *= near
    e = xp.exp(-xp.abs(u))
    y = _end(xp, u, e)
    d = e + 1
    e *= slope
    e /= d
    y += e
    y /= d
    return y


def _gelu_tanh_bend(xp: Any, g: Any, x: Any) -> Any:
    near = _near(xp, x)
    square = near * near
    u, slope = near * (_RISE + _BEND * square), _RISE + 3 * _BEND * square
    s = xp.sigmoid_slope(u)
    return g * (s * (2 * slope + near * (6 * _BEND * near - xp.tanh(0.5 * u) * (slope * slope))))


gelu_tanh_slope.vjp(x=_gelu_tanh_bend)
gelu_tanh.vjp(x=lambda xp, g, x: g * xp.gelu_tanh_slope(x))
