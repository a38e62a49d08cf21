"""What the standard lacks and rules or users need: activations, einsum, scatter-add, padding, and their derivatives.

Where a formula is written in an unusual way, it is so that no tail overflows and no branch that was not taken makes a NaN.
"""

from __future__ import annotations

import functools
import math
import numbers
from collections.abc import Callable, Sequence
from typing import Any

from ..backend import check_fits
from ..engine import ArrayLike, Tensor, composite, op
from ..keys import axes_from_0
from ..kinds import is_complex, takes_real
from ..native import one_where, outward
from ..precision import in_float32

__all__ = [
    "einsum", "elu", "erf", "gelu", "leaky_relu", "log_softmax", "logsigmoid", "logsumexp", "new_zeros", "pad", "relu",
    "scatter_add", "sigmoid", "silu", "softmax", "softplus", "zero_where_not",
]  # fmt: skip

Axis = int | tuple[int, ...] | None


# ---------------------------------------------------------------------------------------------------- making and adding


@op(override=True)
def new_zeros(xp: Any, x: ArrayLike, /, shape: tuple[int, ...], *, dtype: Any = None) -> Tensor:
    """Zeros of any shape on the device of `x`, of its dtype unless another is given.

    >>> import xgrad
    >>> new_zeros(xgrad.ones(2), (1, 3))
    Tensor([[0., 0., 0.]])
    """
    return xp.zeros(shape, dtype=x.dtype if dtype is None else dtype, device=xp.__backend__.device(x))


new_zeros.not_differentiable()


@op
def zero_where_not(xp: Any, x: ArrayLike, condition: ArrayLike, /) -> Tensor:
    """`x` where `condition` holds, zero elsewhere, also where `x` is infinite or NaN.

    It is ``where(condition, x, 0)``, for which a library may know a faster way.

    >>> import xgrad
    >>> zero_where_not(xgrad.Tensor([1.0, xgrad.inf]), xgrad.Tensor([True, False]))
    Tensor([1., 0.])
    """
    return xp.where(condition, x, xp.zeros_like(x))


zero_where_not.vjp(x=lambda xp, g, condition: xp.zero_where_not(g, condition))
zero_where_not.elementwise()


def _raw_key(key: Any) -> Any:
    if isinstance(key, tuple):
        return tuple(_raw_key(k) for k in key)
    return key._data if isinstance(key, Tensor) else key


def _item(xp: Any, x: Any, key: Any) -> Any:
    return x[_raw_key(key)] if isinstance(x, Tensor) else xp.get_item(x, _raw_key(key))


@op
def scatter_add(xp: Any, x: ArrayLike, key: Any, value: ArrayLike, /) -> Tensor:
    """A copy of `x` with `value` added at ``x[key]``; a position that `key` names twice is added to twice.

    Parameters
    ----------
    x : array
        What to add to.
    key : index
        Whatever ``x[key]`` takes.
    value : array
        Of a shape that broadcasts to that of ``x[key]``.

    Notes
    -----
    The gradient is ``g`` in `x` and ``g[key]`` in `value`.

    Examples
    --------
    >>> import xgrad
    >>> scatter_add(xgrad.zeros(3), xgrad.Tensor([0, 0, 1]), xgrad.Tensor([1.0, 10.0, 100.0]))
    Tensor([ 11., 100.,   0.])
    """
    return xp.scatter_add(x, _raw_key(key), value if value.dtype == x.dtype else xp.astype(value, x.dtype))


scatter_add.vjp(x=lambda g: g, value=lambda xp, g, key: _item(xp, g, key))
scatter_add.jvp(
    x=lambda t: t,
    value=lambda xp, t, x_shape, key: xp.scatter_add(xp.new_zeros(t, x_shape), _raw_key(key), t),
)


# ------------------------------------------------------------------------------------------------- sums of exponentials


def _peak(xp: Any, x: Any, axis: Axis) -> Any:
    """The maximum along `axis`, or 0 where that is infinite: what to subtract before ``exp``."""
    peak = xp.max(x, axis=axis, keepdims=True)
    return xp.where(xp.isfinite(peak), peak, xp.zeros_like(peak))


@op
def exponential_rest(xp: Any, shifted: ArrayLike, terms: ArrayLike, /, axis: Axis) -> Tensor:
    """The sum of `terms` along `axis` without one of those that are 1: exponentials of what was `shifted` to peak at 0.

    The whole sum is 1 more; added to it before the logarithm, the rest would lose its digits. Where all terms are 0 so is the
    rest: the 1 that stays keeps the logarithm and the quotient finite.

    >>> import xgrad
    >>> exponential_rest(xgrad.Tensor([0.0, 0.0, -20.0]), xgrad.Tensor([1.0, 1.0, 2e-9]), -1)
    Tensor([1.])
    """
    ties = xp.sum(xp.astype(shifted == 0, terms.dtype), axis=axis, keepdims=True) - 1
    return xp.sum(xp.zero_where_not(terms, shifted != 0), axis=axis, keepdims=True) + xp.maximum(ties, xp.zeros_like(ties))


exponential_rest.not_differentiable()


def _kept(shape: tuple[int, ...], axis: Axis) -> tuple[int, ...]:
    """The shape of a reduction with its axes kept."""
    axes = axes_from_0(axis, len(shape))
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


@op(override=True)
@in_float32
def logsumexp(xp: Any, x: ArrayLike, /, *, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """``log(sum(exp(x)))`` along `axis`, without overflow.

    Parameters
    ----------
    x : array
        Real or complex floating.
    axis : int, tuple of int or None
        The axes to sum over; all of them by default.
    keepdims : bool
        Whether these stay, with length 1.

    Returns
    -------
    Tensor
        ``-inf`` where all elements are ``-inf`` or there are none. Of complex numbers, the principal value of the logarithm.

    Notes
    -----
    The gradient is ``g * exp(x - y)``, the softmax; where all elements are ``-inf`` it is 0.

    Examples
    --------
    >>> import xgrad
    >>> logsumexp(xgrad.Tensor([1000.0, 1000.0]))
    Tensor(1000.693...)
    """
    shape = _kept(x.shape, axis)
    if 0 in x.shape and 0 not in shape:
        y = xp.zeros_like(xp.sum(x, axis=axis, keepdims=True)) - math.inf
    elif is_complex(xp, x):
        peak = _peak(xp, xp.real(x), axis)
        total = xp.sum(xp.exp(x - peak), axis=axis, keepdims=True)
        y = xp.where(total == 0, xp.full_like(total, -math.inf), xp.log(one_where(xp, total == 0, total)) + peak)
    else:
        peak = xp.max(x, axis=axis, keepdims=True)
        shifted = x - xp.where(xp.isfinite(peak), peak, xp.zeros_like(peak))
        y = xp.log1p(xp.exponential_rest(shifted, xp.exp(shifted), axis)) + peak
    return y if keepdims else xp.squeeze(y, axis=axes_from_0(axis, len(shape)))


def _shares(xp: Any, x: Any, y: Any, axis: Axis) -> Any:
    """``exp(x - y)``, the share of each term in the sum whose logarithm is `y`."""
    if not is_complex(xp, x):
        return xp.softmax(x, axis=axis)
    y = xp.reshape(y, _kept(x.shape, axis))
    none = xp.real(y) == -math.inf
    return xp.exp(x - xp.where(none, xp.zeros_like(y), y))


@in_float32
def _logsumexp_x(xp: Any, g: Any, x: Any, y: Any, axis: Axis) -> Any:
    return xp.reshape(g, _kept(x.shape, axis)) * _shares(xp, x, y, axis)


@in_float32
def _logsumexp_change(xp: Any, t: Any, x: Any, y: Any, axis: Axis, keepdims: bool) -> Any:
    return xp.sum(t * _shares(xp, x, y, axis), axis=axis, keepdims=keepdims)


logsumexp.holomorphic(x=_logsumexp_x)
logsumexp.jvp(x=_logsumexp_change)


@op(override=True)
@takes_real
@in_float32
def softmax(xp: Any, x: ArrayLike, /, *, axis: Axis = -1) -> Tensor:
    """``exp(x) / sum(exp(x))`` along `axis`, without overflow.

    Parameters
    ----------
    x : array
        Real floating; ``-inf`` masks an element.
    axis : int, tuple of int or None
        Along which the result sums to 1. Where all elements are ``-inf`` the result is 0.

    Notes
    -----
    The gradient is ``y * (g - sum(g * y))``, by `softmax_pull`.

    Examples
    --------
    >>> import xgrad
    >>> softmax(xgrad.Tensor([0.0, 0.0, -xgrad.inf]))
    Tensor([0.5, 0.5, 0. ])
    """
    axes_from_0(axis, x.ndim)  # or an error, also where there is nothing to compute
    if 0 in x.shape:
        return xp.exp(x)
    shifted = x - _peak(xp, x, axis)
    terms = xp.exp(shifted)
    return terms / (1 + xp.exponential_rest(shifted, terms, axis))


def _from_top(xp: Any, v: Any, p: Any, axis: Axis) -> Any:
    """`v` less its element at the largest weight `p`.

    In a mean with the weights `p`, which sum to 1, that element then drops out, and what is left for it is a sum over the others
    alone: it keeps its digits where the weight is nearly 1.
    """
    top = p == xp.max(p, axis=axis, keepdims=True)
    return v - xp.max(xp.where(top, v, xp.full_like(v, -math.inf)), axis=axis, keepdims=True)


def _less_mean(xp: Any, v: Any, p: Any, axis: Axis) -> Any:
    """``v - sum(v * p)`` with weights `p` that sum to 1."""
    v = _from_top(xp, v, p, axis)
    return v - xp.sum(v * p, axis=axis, keepdims=True)


@op(override=True)
@in_float32
def softmax_pull(xp: Any, v: ArrayLike, p: ArrayLike, /, axis: Axis) -> Tensor:
    """``p * (v - sum(v * p))`` along `axis`: the gradient of a `softmax` with the result `p`, precise in its tails.

    It is linear in `v`, and its own transpose. Its gradient for `p` leaves out a constant along the axis, of which the softmax
    that made `p` makes nothing.

    >>> import xgrad
    >>> softmax_pull(xgrad.Tensor([1.0, 0.0]), xgrad.Tensor([0.75, 0.25]), -1)
    Tensor([ 0.1875, -0.1875])
    """
    return v * p if 0 in p.shape else p * _less_mean(xp, v, p, axis)


@in_float32
def _softmax_pull_p(xp: Any, g: Any, v: Any, p: Any, axis: Axis) -> Any:
    if 0 in p.shape:
        return g * v
    g, v = _from_top(xp, g, p, axis), _from_top(xp, v, p, axis)
    mean = xp.sum(g * p, axis=axis, keepdims=True)
    return g * (v - xp.sum(v * p, axis=axis, keepdims=True)) - v * mean


softmax_pull.vjp(v=lambda xp, g, p, axis: xp.softmax_pull(g, p, axis), p=_softmax_pull_p)
softmax_pull.jvp(v=lambda xp, t, p, axis: xp.softmax_pull(t, p, axis))


@op(override=True)
@in_float32
def softmax_error(xp: Any, x: ArrayLike, target: ArrayLike, /) -> Tensor:
    """``softmax(x) * sum(target) - target`` along the last axis: the gradient of the cross-entropy, precise in its tails.

    >>> import xgrad
    >>> softmax_error(xgrad.Tensor([0.0, 20.0]), xgrad.Tensor([0.0, 1.0]))
    Tensor([ 2.0611...e-09, -2.0611...e-09])
    """
    shifted = x - _peak(xp, x, -1)
    terms = xp.exp(shifted)
    rest = xp.exponential_rest(shifted, terms, -1)
    # Over a common divisor the largest term, which is 1, less its target is exact; p * sum - target would lose what p lacks of 1.
    return (terms * xp.sum(target, axis=-1, keepdims=True) - target - rest * target) / (1 + rest)


softmax_error.vjp(
    x=lambda xp, g, x, target: xp.softmax_pull(g * xp.sum(target, axis=-1, keepdims=True), xp.softmax(x, axis=-1), -1),
    target=lambda xp, g, x: -_less_mean(xp, g, xp.softmax(x, axis=-1), -1),
)
softmax_error.jvp(
    x=lambda xp, t, x, target: xp.softmax_pull(t, xp.softmax(x, axis=-1), -1) * xp.sum(target, axis=-1, keepdims=True),
    target=lambda xp, t, x: xp.softmax(x, axis=-1) * xp.sum(t, axis=-1, keepdims=True) - t,
)


softmax.vjp(x=lambda xp, g, y, axis: xp.softmax_pull(g, y, axis))
softmax.jvp(x=lambda xp, t, y, axis: xp.softmax_pull(t, y, axis))


@op(override=True)
@takes_real
@in_float32
def log_softmax(xp: Any, x: ArrayLike, /, *, axis: Axis = -1) -> Tensor:
    """The logarithm of the softmax along `axis`, ``x - logsumexp(x)``.

    Parameters
    ----------
    x : array
        Real floating; ``-inf`` masks an element.
    axis : int, tuple of int or None
        As in `softmax`.

    Notes
    -----
    The gradient is ``g - exp(y) * sum(g)``, in which ``1 - exp(y)`` is computed as one function.

    Examples
    --------
    >>> import xgrad
    >>> log_softmax(xgrad.Tensor([0.0, 1000.0]))
    Tensor([-1000.,     0.])
    """
    axes_from_0(axis, x.ndim)  # or an error, also where there is nothing to compute
    if 0 in x.shape:
        return x + 0.0
    shifted = x - _peak(xp, x, axis)
    return shifted - xp.log1p(xp.exponential_rest(shifted, xp.exp(shifted), axis))


@in_float32
def _log_softmax_x(xp: Any, g: Any, y: Any, axis: Axis) -> Any:
    if 0 in y.shape:
        return g
    return -(g * xp.expm1(y)) - xp.exp(y) * (xp.sum(g, axis=axis, keepdims=True) - g)


@in_float32
def _log_softmax_change(xp: Any, t: Any, y: Any, axis: Axis) -> Any:
    return t if 0 in y.shape else _less_mean(xp, t, xp.exp(y), axis)


log_softmax.vjp(x=_log_softmax_x)
log_softmax.jvp(x=_log_softmax_change)


# ---------------------------------------------------------------------------------------------------------- activations


@op(override=True)
@takes_real
def relu(xp: Any, x: ArrayLike, /) -> Tensor:
    """``max(x, 0)``.

    The gradient is ``g`` where ``x > 0``, else 0, also at 0.

    >>> import xgrad
    >>> relu(xgrad.Tensor([-1.0, 2.0]))
    Tensor([0., 2.])
    """
    return xp.maximum(x, 0)


relu.vjp(x=lambda xp, g, y: xp.zero_where_not(g, y > 0))
relu.elementwise()


def _check_number(name: str, parameter: str, value: Any, otherwise: str) -> None:
    """Raise unless a parameter that has no gradient is one real number."""
    if not isinstance(value, numbers.Real):
        raise TypeError(
            f"{name}: {parameter} is {value!r}, but must be a real number; with an array of them, or one to be trained, write "
            f"xgrad.where(x > 0, x, {otherwise})"
        )


@op(override=True)
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
leaky_relu.elementwise()


@op(override=True)
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


elu.vjp(x=lambda xp, g, x, alpha: xp.where(x > 0, g, g * (xp.exp(xp.where(x > 0, xp.zeros_like(x), x)) * alpha)))
elu.elementwise()


@op(override=True)
def sigmoid(xp: Any, x: ArrayLike, /) -> Tensor:
    """``1 / (1 + exp(-x))``, precise in both tails.

    The gradient is ``g * y * (1 - y)``, by `sigmoid_slope`.

    >>> import xgrad
    >>> sigmoid(xgrad.Tensor([-1000.0, 0.0, 1000.0]))
    Tensor([0. , 0.5, 1. ])
    """
    e = xp.exp(outward(xp, x))  # which does not overflow
    return xp.where(xp.real(x) > 0, xp.ones_like(e), e) / (e + 1)


@op
def sigmoid_slope(xp: Any, x: ArrayLike, /) -> Tensor:
    """The derivative of `sigmoid`, precise in both tails.

    Its gradient is ``-g * y * tanh(x / 2)``.

    >>> import xgrad
    >>> sigmoid_slope(xgrad.Tensor([0.0, 40.0]))
    Tensor([2.50...e-01, 4.248...e-18])
    """
    e = xp.exp(outward(xp, x))
    r = 1 / (e + 1)
    return e * (r * r)


sigmoid_slope.holomorphic(x=lambda xp, g, x, y: -g * (y * xp.tanh(0.5 * x)))
sigmoid_slope.elementwise()
sigmoid.holomorphic(x=lambda xp, g, x: g * xp.sigmoid_slope(x))
sigmoid.elementwise()


@op(override=True)
@takes_real
def softplus(xp: Any, x: ArrayLike, /) -> Tensor:
    """``log(1 + exp(x))``, a smooth `relu`.

    Computed as ``max(x, 0) + log1p(exp(-|x|))``. The gradient is ``g * sigmoid(x)``.

    >>> import xgrad
    >>> softplus(xgrad.Tensor([-1000.0, 0.0, 1000.0]))
    Tensor([0.000000e+00, 6.931...e-01, 1.000000e+03])
    """
    return xp.maximum(x, 0) + xp.log1p(xp.exp(-xp.abs(x)))


softplus.vjp(x=lambda xp, g, x: g * xp.sigmoid(x))
softplus.elementwise()


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
    """How many terms of the series, and the step and the number of points of the quadrature, a dtype's precision takes."""
    return (18, 0.5, 12) if "64" in str(dtype) else (10, 0.75, 6)


@op(override=True)
@takes_real
def erf(xp: Any, x: ArrayLike, /) -> Tensor:
    """The error function, ``2 / sqrt(pi)`` times the integral of ``exp(-t**2)`` from 0 to `x`.

    The library's own where it has one. Elsewhere, to the precision of the dtype: for ``|x| < 1`` the Maclaurin series
    (DLMF 7.6.1), else one less the complement from the trapezoidal rule for its integral, corrected for the pole that
    lies near the axis (M. Mori, Publ. RIMS 19, 1983).

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
    return xp.where(small, _erf_series(xp, xp.where(small, x, xp.zeros_like(x))), xp.where(x < 0, rest - 1, 1 - rest))


def _erf_series(xp: Any, x: Any) -> Any:
    """The error function for ``|x| < 1``."""
    square, series = x * x, xp.zeros_like(x)
    for n in reversed(range(_erf_terms(x.dtype)[0])):
        series = series * square + (-1) ** n * 2 / (math.sqrt(math.pi) * math.factorial(n) * (2 * n + 1))
    return x * series


def _erf_rest(xp: Any, x: Any) -> Any:
    """What the error function lacks of 1, for ``x >= 1``."""
    _, h, points = _erf_terms(x.dtype)
    b = xp.minimum(x, xp.full_like(x, 28.0))  # it is 0 from there on
    square = b * b
    total = 0.5 / square
    for n in range(1, points + 1):
        total = total + math.exp(-((n * h) ** 2)) / (square + (n * h) ** 2)
    near = b < math.pi / h  # the pole lies within the strip
    pole = xp.where(near, 2 / xp.expm1(xp.where(near, b, xp.ones_like(b)) * (2 * math.pi / h)), xp.zeros_like(b))
    return 2 * h / math.pi * b * xp.exp(-square) * total - pole


def _bell(xp: Any, x: Any) -> Any:
    """``exp(-x**2)``, in which nothing overflows."""
    x = xp.clip(x, -30.0, 30.0)
    return xp.exp(-(x * x))


erf.vjp(x=lambda xp, g, x: g * (2 / math.sqrt(math.pi) * _bell(xp, x)))
erf.elementwise()


@op(override=True)
def normal_cdf(xp: Any, x: ArrayLike, /) -> Tensor:
    """The standard normal distribution function, ``erfc(-x / sqrt(2)) / 2``, precise in the left tail too.

    By the library's own ``erfc`` where it has one, elsewhere as in `erf`. The gradient is ``g * exp(-x**2 / 2) / sqrt(2 * pi)``.

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
    middle = 0.5 - 0.5 * _erf_series(xp, xp.where(small, z, xp.zeros_like(z)))
    return xp.where(small, middle, xp.where(z < 0, 1 - rest, rest))


normal_cdf.vjp(x=lambda xp, g, x: g * (_bell(xp, x * math.sqrt(0.5)) * (1 / math.sqrt(2 * math.pi))))
normal_cdf.elementwise()


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
        ``tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))`` for the erf. From D. Hendrycks and K. Gimpel, arXiv:1606.08415.

    Raises
    ------
    ValueError
        If `approximate` is neither.

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
    near = xp.clip(x, -30.0, 30.0)  # beyond, the tanh is constant, and the cube could overflow
    return x * xp.sigmoid(math.sqrt(8 / math.pi) * (near + 0.044715 * (near * near * near)))  # (1 + tanh(u)) / 2


# --------------------------------------------------------------------------------------------------------------- einsum


def einsum(subscripts: str | ArrayLike, /, *operands: Any) -> Tensor:
    """The sum of products that `subscripts` describes, as in NumPy.

    Parameters
    ----------
    subscripts : str
        Letters that name the axes of each operand, and after ``->`` those of the result; a letter that is not in the
        result is summed over. A letter twice in one operand takes its diagonal. ``...`` stands for axes that broadcast.
        Without ``->`` the result has the ellipsis, then the letters that occur once, in alphabetical order.
    *operands : array
        One for each group of letters.

    Instead, each operand may be followed by a list of numbers (or ``...``) that name its axes, and the last by one for the
    result: ``einsum(a, [0, 1], b, [1, 2], [0, 2])``.

    Returns
    -------
    Tensor
        The result.

    Raises
    ------
    ValueError
        If the subscripts are malformed, or lengths disagree.

    Notes
    -----
    Operands are contracted in pairs, each pair by one matrix product, in the order that opt_einsum finds where it is
    installed, else from left to right. The gradient comes through these parts.

    Examples
    --------
    >>> import xgrad
    >>> a = xgrad.Tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> einsum("ij,jk->ik", a, a)
    Tensor([[ 7., 10.],
            [15., 22.]])
    >>> einsum("ii", a).item()
    5.0
    >>> einsum(a, [0, 1], [1, 0])
    Tensor([[1., 3.],
            [2., 4.]])
    """
    if not isinstance(subscripts, str):
        subscripts, operands = _spelled((subscripts, *operands))
    return einsum_(subscripts, *operands)


def _spelled(given: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The subscripts and the operands of a call that names axes by lists of numbers."""
    operands, axes = given[: len(given) // 2 * 2 : 2], given[1::2]
    lists = (*axes, given[-1]) if len(given) % 2 else axes
    if not axes or not all(isinstance(part, (list, tuple)) and not hasattr(part, "dtype") for part in lists):
        raise TypeError("einsum: give subscripts such as 'ij,jk->ik', or a list of axes after each operand")
    # Letters in the order of the numbers, so that a result that is not told has its axes in that order.
    letters = ["".join("..." if i is Ellipsis else chr(ord("A") + i + 6 * (i > 25)) for i in part) for part in lists]
    return ",".join(letters[: len(axes)]) + ("->" + letters[-1] if len(given) % 2 else ""), operands


@composite
def einsum_(xp: Any, subscripts: str, /, *operands: ArrayLike) -> Tensor:
    """The sum of products that the string `subscripts` describes."""
    terms, result, sizes, path = _plan(subscripts, tuple(tuple(x.shape) for x in operands))
    work = []
    for x, labels in zip(operands, terms):
        x, labels = _diagonals(xp, x, labels)
        stretched = [i for i, c in enumerate(labels) if x.shape[i] == 1 and sizes[c] != 1]
        if stretched:  # an axis of length 1 that broadcasts need not be there
            x, labels = xp.squeeze(x, axis=tuple(stretched)), "".join(c for i, c in enumerate(labels) if i not in stretched)
        work.append((x, labels))
    for chosen in path:
        picked = [work.pop(i) for i in sorted(chosen, reverse=True)][::-1]
        needed = set(result).union(*(labels for _, labels in work))
        x, labels = picked[0]
        for k, (other, letters) in enumerate(picked[1:], 2):
            x, labels = _contract(xp, x, labels, other, letters, needed.union(*(c for _, c in picked[k:])))
        work.append((x, labels))
    x, labels = _sum_out(xp, *work[0], set(result))
    missing = "".join(c for c in result if c not in labels)
    x = _arrange(xp, x, labels, "".join(c for c in result if c in labels))
    if missing:  # only where every operand had length 1 there
        x = xp.reshape(x, tuple(sizes[c] if c in labels else 1 for c in result))
    return x


@functools.lru_cache(maxsize=1024)
def _plan(subscripts: str, shapes: tuple[tuple[int, ...], ...]) -> tuple[list[str], str, dict[str, int], list[tuple[int, ...]]]:
    """The labels of each operand and of the result, one per axis; the length of each label; the pairs to contract."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    told = f"einsum: {subscripts!r} with operands of shapes {', '.join(map(str, shapes))}: "
    if len(terms) != len(shapes):
        raise ValueError(told + f"it describes {len(terms)} operands")
    for term in (*terms, right):
        if term.count("...") > 1 or not all(c.isalpha() for c in term.replace("...", "", 1)):
            raise ValueError(told + f"{term!r} must be letters, and '...' once at most")
    width = max((len(s) - len(t) + 3 for s, t in zip(shapes, terms) if "..." in t), default=0)
    hidden = "".join(chr(0x4E00 + i) for i in range(max(width, 0)))  # letters that no one writes, one per axis of '...'
    sizes: dict[str, int] = {}
    for k, (term, shape) in enumerate(zip(terms, shapes)):
        count = len(shape) - len(term) + 3 if "..." in term else 0
        if count < 0 or ("..." not in term and len(term) != len(shape)):
            raise ValueError(told + f"{term!r} does not name the axes of shape {shape}")
        terms[k] = term = term.replace("...", hidden[len(hidden) - count :])
        for c, n in zip(term, shape):
            if sizes.setdefault(c, n) != n and 1 not in (sizes[c], n):
                raise ValueError(told + f"axis {c!r} has lengths {sizes[c]} and {n}")
            sizes[c] = n if sizes[c] == 1 else sizes[c]
    if arrow:
        if hidden and "..." not in right:
            raise ValueError(told + "the result must contain '...' too")
        result = right.replace("...", hidden)
    else:
        letters = "".join(terms)
        result = hidden + "".join(sorted(c for c in set(letters) - set(hidden) if letters.count(c) == 1))
    if len(set(result)) != len(result) or not set(result) <= set(sizes):
        raise ValueError(told + f"the result {right!r} must name letters of the operands, each once")
    return terms, result, sizes, _path(terms, result, sizes)


def _path(terms: list[str], result: str, sizes: dict[str, int]) -> list[tuple[int, ...]]:
    count = len(terms)
    if count > 2:
        try:
            import opt_einsum
        except ImportError:
            pass
        else:
            shapes = [tuple(sizes[c] for c in term) for term in terms]
            return list(opt_einsum.contract_path(f"{','.join(terms)}->{result}", *shapes, shapes=True)[0])
    return [(0, count - 1 - k) if k else (0, 1) for k in range(count - 1)]


def _diagonals(xp: Any, x: Any, labels: str) -> tuple[Any, str]:
    """`x` with axes of the same label replaced by their diagonal, as the last axis."""
    for c in labels:
        while labels.count(c) > 1:
            i = labels.index(c)
            j = labels.index(c, i + 1)
            rest = [k for k in range(len(labels)) if k not in (i, j)]
            n = x.shape[i]
            if x.shape[j] != n:
                raise ValueError(f"einsum: axis {c!r} occurs twice in an operand, with lengths {n} and {x.shape[j]}")
            x = xp.permute_dims(x, (*rest, i, j))
            x = xp.reshape(x, (*x.shape[:-2], n * n))[..., :: n + 1]
            labels = "".join(labels[k] for k in rest) + c
    return x, labels


def _sum_out(xp: Any, x: Any, labels: str, needed: set[str]) -> tuple[Any, str]:
    gone = tuple(i for i, c in enumerate(labels) if c not in needed)
    if not gone:
        return x, labels
    return xp.sum(x, axis=gone, dtype=x.dtype), "".join(c for c in labels if c in needed)


def _arrange(xp: Any, x: Any, labels: str, wanted: str) -> Any:
    return x if labels == wanted else xp.permute_dims(x, tuple(labels.index(c) for c in wanted))


def _contract(xp: Any, x1: Any, labels1: str, x2: Any, labels2: str, needed: set[str]) -> tuple[Any, str]:
    """The product of two operands, summed over the labels that no one needs any more."""
    x1, labels1 = _sum_out(xp, x1, labels1, needed.union(labels2))
    x2, labels2 = _sum_out(xp, x2, labels2, needed.union(labels1))
    both = "".join(c for c in labels1 if c in labels2)
    batch, summed = "".join(c for c in both if c in needed), "".join(c for c in both if c not in needed)
    rows, columns = "".join(c for c in labels1 if c not in both), "".join(c for c in labels2 if c not in both)
    out = batch + rows + columns
    n1, n2 = dict(zip(labels1, x1.shape)), dict(zip(labels2, x2.shape))
    lengths = {**n1, **n2}
    if not summed:
        x1 = xp.reshape(_arrange(xp, x1, labels1, batch + rows), tuple(n1.get(c, 1) for c in out))
        x2 = xp.reshape(_arrange(xp, x2, labels2, batch + columns), tuple(n2.get(c, 1) for c in out))
        return x1 * x2, out
    lead = tuple(lengths[c] for c in batch)
    m, k, n = (math.prod(lengths[c] for c in group) for group in (rows, summed, columns))
    x1 = _arrange(xp, x1, labels1, batch + rows + summed)
    x2 = _arrange(xp, x2, labels2, batch + summed + columns)
    if (len(rows), len(summed)) != (1, 1):
        x1 = xp.reshape(x1, (*lead, m, k))
    if (len(summed), len(columns)) != (1, 1):
        x2 = xp.reshape(x2, (*lead, k, n))
    y = xp.matmul(x1, x2)
    return (y if len(rows) == len(columns) == 1 else xp.reshape(y, tuple(lengths[c] for c in out))), out


# ------------------------------------------------------------------------------------------------------------------ pad


@composite
def pad(xp: Any, x: ArrayLike, /, pad_width: Any, mode: str = "constant", *, constant_values: float = 0) -> Tensor:
    """`x` with more elements before and after it, as in NumPy.

    Parameters
    ----------
    x : array
        What to pad.
    pad_width : int, (before, after) or ((before, after), ...)
        How many elements to add: everywhere, at the two ends of every axis, or for each axis.
    mode : {"constant", "edge", "reflect", "symmetric", "wrap"}
        What they are: `constant_values`; the element at the edge; `x` mirrored at the edge's element, or at the edge
        itself; or `x` repeated.
    constant_values : float
        For mode ``"constant"``.

    Raises
    ------
    ValueError
        If `pad_width` is negative or does not fit the axes, `mode` is none of these, or an empty axis is to be repeated.

    Examples
    --------
    >>> import xgrad
    >>> pad(xgrad.Tensor([1.0, 2.0]), (1, 2))
    Tensor([0., 1., 2., 0., 0.])
    """
    for axis, (before, after) in enumerate(_widths(pad_width, len(x.shape))):
        n = x.shape[axis]
        if not before and not after:
            continue
        if mode == "constant":
            if isinstance(constant_values, complex):
                check_fits("pad", complex, x.dtype)
            parts = [x]
            for k, at in ((before, 0), (after, 2)):
                if k:
                    shape = tuple(k if i == axis else m for i, m in enumerate(x.shape))
                    parts.insert(at, xp.full_like(xp.new_zeros(x, shape), constant_values))
            x = xp.concat(parts, axis=axis)
        elif mode in _SOURCES:
            if n == 0:
                raise ValueError(f"pad: axis {axis} of x is empty, so mode {mode!r} has nothing to repeat")
            index = [_SOURCES[mode](i, n) for i in range(-before, n + after)]
            numbers = xp.asarray(index, device=x.device if isinstance(x, Tensor) else xp.__backend__.device(x))
            x = xp.take(x, numbers, axis=axis)
        else:
            raise ValueError(f"pad: mode {mode!r} is not known; it may be 'constant', {', '.join(map(repr, _SOURCES))}")
    return x


_SOURCES: dict[str, Callable[[int, int], int]] = {  # the element that stands at position i of an axis of length n
    "edge": lambda i, n: min(max(i, 0), n - 1),
    "reflect": lambda i, n: 0 if n == 1 else n - 1 - abs(i % (2 * n - 2) - (n - 1)),
    "symmetric": lambda i, n: min(i % (2 * n), 2 * n - 1 - i % (2 * n)),
    "wrap": lambda i, n: i % n,
}


def _widths(pad_width: Any, ndim: int) -> Sequence[tuple[int, int]]:
    given = pad_width
    if isinstance(given, int):
        given = (given, given)
    given = tuple(given)
    if len(given) in (1, 2) and all(isinstance(n, int) for n in given):
        given = ((given[0], given[-1]),)
    given = [(pair, pair) if isinstance(pair, int) else tuple(pair) for pair in given]
    if len(given) == 1:
        given = given * ndim
    if len(given) != ndim or any(len(pair) != 2 for pair in given):
        raise ValueError(f"pad: pad_width={pad_width} does not fit an array with {ndim} axes; give a pair for each axis")
    if any(n < 0 for pair in given for n in pair):
        raise ValueError(f"pad: pad_width={pad_width} has a negative number in it; cut with x[i:j]")
    return given
