"""Sums, products, extremes and moments over all axes or some of them.

Below, ``g`` is the cotangent of the result, ``y`` the result, and ``n`` the number of elements that are reduced to one.
"""

from __future__ import annotations

import math
from typing import Any

from ..backend.dtypes import check_fits
from ..backend.precision import half, in_float32, norm
from ..engine.define import op
from ..graph.kinds import takes_real
from ..tensor.tensor import ArrayLike, Tensor
from .parts.axes import Axes, axes_from_0, count, kept, kept_shape
from .parts.texts import reduces

__all__ = ["cumulative_prod", "cumulative_sum", "max", "mean", "min", "prod", "std", "sum", "var"]


# ------------------------------------------------------------------------------------------------ what reductions share


def spread(xp: Any, g: Any, x_shape: Any, axis: Any, keepdims: Any) -> Any:
    """The transpose of a sum: every element gets the cotangent of its sum."""
    return xp.broadcast_to(kept(xp, g, x_shape, axis, keepdims), x_shape)


@in_float32
def gathered(xp: Any, t: Any, d: Any, axis: Axes, keepdims: bool) -> Any:
    """The tangent of a reduction to real numbers with the gradient `d`: the sum of the products with the tangent `t`."""
    return xp.sum(xp.real(xp.conj(d) * t), axis=axis, keepdims=keepdims)


# ------------------------------------------------------------------------------------------------------ sums and means


@op
@reduces
def sum(xp: Any, x: ArrayLike, /, *, axis: Axes = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The sum of the elements; 0 if there are none.

    The gradient is ``g`` for each element.

    >>> import xgrad
    >>> xgrad.sum(xgrad.asarray([[1.0, 2.0], [3.0, 4.0]]), axis=0)
    Tensor([4., 6.])
    """
    if dtype is None:
        return xp.sum(x, axis=axis, keepdims=keepdims)
    check_fits("sum", x.dtype, dtype)
    return xp.sum(x, axis=axis, dtype=dtype, keepdims=keepdims)


sum.vjp(x=spread)
sum.linear()


@op
@reduces
def mean(xp: Any, x: ArrayLike, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The arithmetic mean of the elements; NaN if there are none.

    The gradient is ``g / n`` for each element.

    >>> import xgrad
    >>> xgrad.mean(xgrad.asarray([[1.0, 2.0], [3.0, 4.0]]), axis=1)
    Tensor([1.5, 3.5])
    """
    return xp.mean(x, axis=axis, keepdims=keepdims)


def mean_x(xp: Any, g: Any, x_shape: Any, axis: Any, keepdims: Any) -> Any:
    # Multiplied by 1 / n, since n may overflow in float16, and before spreading, when there are fewer elements.
    return spread(xp, g * (1 / (count(x_shape, axis) or 1)), x_shape, axis, keepdims)


mean.vjp(x=mean_x)
mean.linear()


# ----------------------------------------------------------------------------------------------------------- extremes


@op
@takes_real
@reduces
def max(xp: Any, x: ArrayLike, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The largest element; NaN if an element is NaN.

    The gradient is ``g`` for the largest element. Elements that tie share ``g`` evenly; where the result is NaN, all elements
    share it.

    >>> import xgrad
    >>> x = xgrad.Tensor([1.0, 3.0, 3.0], requires_grad=True)
    >>> xgrad.max(x).backward()
    >>> x.grad
    Tensor([0. , 0.5, 0.5])
    """
    return xp.max(x, axis=axis, keepdims=keepdims)


@op
@takes_real
@reduces
def min(xp: Any, x: ArrayLike, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """The smallest element; NaN if an element is NaN.

    The gradient is ``g`` for the smallest element. Elements that tie share ``g`` evenly; where the result is NaN, all elements
    share it.

    >>> import xgrad
    >>> xgrad.min(xgrad.asarray([[1.0, 2.0], [3.0, 0.0]]), axis=1)
    Tensor([1., 0.])
    """
    return xp.min(x, axis=axis, keepdims=keepdims)


def share(xp: Any, g: Any, beaten: Any, axis: Any) -> Any:
    """The cotangent `g` divided evenly among the elements that are not `beaten`."""
    if axis == () or not beaten.shape:
        return g
    # Counted in float32 at least, since float16 has no integers beyond 2048.
    ties = count(beaten.shape, axis) - xp.count_nonzero(beaten, axis=axis, keepdims=True)
    each = g / xp.astype(ties, xp.result_type(g.dtype, xp.float32))
    return xp.where(beaten, xp.new_zeros(each, ()), each)


def max_x(xp: Any, g: Any, x: Any, y: Any, axis: Any, keepdims: Any) -> Any:
    g, y = (kept(xp, v, x.shape, axis, keepdims) for v in (g, y))
    return share(xp, g, x < y, axis)


def min_x(xp: Any, g: Any, x: Any, y: Any, axis: Any, keepdims: Any) -> Any:
    g, y = (kept(xp, v, x.shape, axis, keepdims) for v in (g, y))
    return share(xp, g, x > y, axis)


def max_change(xp: Any, t: Any, x: Any, y: Any, axis: Any, keepdims: Any) -> Any:
    return gathered(xp, t, max_x(xp, xp.ones_like(y), x, y, axis, keepdims), axis, keepdims)


def min_change(xp: Any, t: Any, x: Any, y: Any, axis: Any, keepdims: Any) -> Any:
    return gathered(xp, t, min_x(xp, xp.ones_like(y), x, y, axis, keepdims), axis, keepdims)


max.vjp(x=max_x)
max.jvp(x=max_change)
min.vjp(x=min_x)
min.jvp(x=min_change)


# ------------------------------------------------------------------------------------------------------------ products


@op
@reduces
def prod(xp: Any, x: ArrayLike, /, *, axis: Axes = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The product of the elements; 1 if there are none.

    The gradient is ``g`` times the product of all *other* elements: the product of those before, times that of those after.
    There is no division, so it is right where elements are zero, to every order.

    >>> import xgrad
    >>> x = xgrad.Tensor([2.0, 0.0, 3.0], requires_grad=True)
    >>> xgrad.prod(x).backward()
    >>> x.grad
    Tensor([0., 6., 0.])
    """
    own = x.dtype if dtype is None else dtype
    if half(own):
        return xp.astype(xp.prod(xp.astype(x, own), axis=axis, dtype=xp.float32, keepdims=keepdims), own)
    if dtype is None:
        return xp.prod(x, axis=axis, keepdims=keepdims)
    check_fits("prod", x.dtype, dtype)
    return xp.prod(x, axis=axis, dtype=dtype, keepdims=keepdims)


def others(xp: Any, x: Any, axis: Axes) -> Any:
    """For each element, the product of the other elements that it is multiplied by."""
    shape, ndim = x.shape, x.ndim
    reduced = axes_from_0(axis, ndim)
    order = (*(i for i in range(ndim) if i not in reduced), *reduced)
    x = xp.permute_dims(x, order)
    flat = xp.reshape(x, (*x.shape[: ndim - len(reduced)], count(shape, axis)))
    before = xp.cumulative_prod(flat, axis=-1, include_initial=True)[..., :-1]
    after = xp.flip(xp.cumulative_prod(xp.flip(flat, axis=-1), axis=-1, include_initial=True)[..., :-1], axis=-1)
    return xp.permute_dims(xp.reshape(before * after, x.shape), tuple(order.index(i) for i in range(ndim)))


@in_float32
def prod_x(xp: Any, g: Any, x: Any, axis: Any, keepdims: Any) -> Any:
    return kept(xp, g, x.shape, axis, keepdims) * xp.conj(others(xp, cast_like(xp, x, g), axis))


@in_float32
def prod_change(xp: Any, t: Any, x: Any, axis: Any, keepdims: Any, dtype: Any) -> Any:
    d = t * others(xp, x, axis) if dtype is None else xp.astype(t, dtype) * others(xp, xp.astype(x, dtype), axis)
    return xp.sum(d, axis=axis, keepdims=keepdims)


prod.vjp(x=prod_x)
prod.jvp(x=prod_change)


def cast_like(xp: Any, x: Any, g: Any) -> Any:
    return x if x.dtype == g.dtype else xp.astype(x, g.dtype)


# ---------------------------------------------------------------------------------------------------- cumulative ones


@op
def cumulative_sum(
    xp: Any, x: ArrayLike, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """The sums of the elements up to each element along an axis.

    The gradient is the cumulative sum of ``g`` from the end, since an element is part of its own sum and of all later ones.

    Parameters
    ----------
    x : array
        Of a numeric data type.
    axis : int, optional
        It may be left out if `x` has one axis.
    dtype : data type, optional
        Convert to this data type before summing.
    include_initial : bool
        Begin with the sum of no elements, 0; the axis is then one longer.

    Returns
    -------
    Tensor
        Of the shape of `x`, and of `dtype` or else of the dtype of `x`, small integers widened to the default integer.

    Raises
    ------
    ValueError or IndexError
        If `x` has no such axis, or has several and none is named.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.cumulative_sum(xgrad.asarray([1.0, 2.0, 3.0]), include_initial=True)
    Tensor([0., 1., 3., 6.])
    """
    own = x.dtype if dtype is None else dtype
    if half(own):
        y = xp.cumulative_sum(xp.astype(x, own), axis=axis, dtype=xp.float32, include_initial=include_initial)
        return xp.astype(y, own)
    check_fits("cumulative_sum", x.dtype, own)
    return xp.cumulative_sum(x, axis=axis, dtype=dtype, include_initial=include_initial)


@in_float32
def cumulative_sum_x(xp: Any, g: Any, x_shape: Any, axis: Any, include_initial: bool) -> Any:
    if not x_shape:  # libraries differ in whether the result has an axis
        return xp.reshape(g[1:] if include_initial else g, x_shape)
    axis = (axis or 0) % len(x_shape)
    g = g[(*(slice(None),) * axis, slice(1, None), ...)] if include_initial else g
    return xp.flip(xp.cumulative_sum(xp.flip(g, axis=axis), axis=axis), axis=axis)


cumulative_sum.vjp(x=cumulative_sum_x)
cumulative_sum.linear()


@op
def cumulative_prod(
    xp: Any, x: ArrayLike, /, *, axis: int | None = None, dtype: Any = None, include_initial: bool = False
) -> Tensor:
    """The products of the elements up to each element along an axis.

    The gradient for element ``i`` is the product of the elements before it, times ``r[i]``, where
    ``r[i] = g[i] + x[i + 1] r[i + 1]``. There is no division, so it is right where elements are zero, to every order.
    The recurrence takes linear time.

    Parameters
    ----------
    x : array
        Of a numeric data type.
    axis : int, optional
        It may be left out if `x` has one axis.
    dtype : data type, optional
        Convert to this data type before multiplying.
    include_initial : bool
        Begin with the product of no elements, 1; the axis is then one longer.

    Returns
    -------
    Tensor
        Of the shape of `x`, and of `dtype` or else of the dtype of `x`, small integers widened to the default integer.

    Raises
    ------
    ValueError or IndexError
        If `x` has no such axis, or has several and none is named.

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.Tensor([2.0, 0.0, 3.0], requires_grad=True)
    >>> xgrad.cumulative_prod(x).sum().backward()
    >>> x.grad
    Tensor([1., 8., 0.])
    """
    own = x.dtype if dtype is None else dtype
    if half(own):
        y = xp.cumulative_prod(xp.astype(x, own), axis=axis, dtype=xp.float32, include_initial=include_initial)
        return xp.astype(y, own)
    check_fits("cumulative_prod", x.dtype, own)
    return xp.cumulative_prod(x, axis=axis, dtype=dtype, include_initial=include_initial)


@in_float32
def cumulative_prod_x(xp: Any, g: Any, x: Any, y: Any, axis: Any, include_initial: bool) -> Any:
    axis = 0 if axis is None else axis
    if not x.shape:
        return xp.reshape(g[1:] if include_initial else g, ())
    if not x.shape[axis]:
        return xp.zeros_like(x)
    g, x, y = (xp.moveaxis(v, axis, -1) for v in (g, cast_like(xp, x, g), y))
    x, y = xp.conj(x), xp.conj(y)
    g = g[..., 1:] if include_initial else g
    following = xp.concat([x[..., 1:], xp.zeros_like(x[..., :1])], axis=-1)
    return xp.moveaxis(products_before(xp, y, include_initial) * recurrence(xp, following, g), -1, axis)


def products_before(xp: Any, y: Any, include_initial: bool) -> Any:
    """The products of the elements before each element along the last axis, from the cumulative products `y`."""
    return y[..., :-1] if include_initial else xp.concat([xp.ones_like(y[..., :1]), y[..., :-1]], axis=-1)


@in_float32
def cumulative_prod_change(xp: Any, t: Any, x: Any, y: Any, axis: Any, include_initial: bool) -> Any:
    # dy[i] = y[i - 1] dx[i] + x[i] dy[i - 1] is the same recurrence, from the beginning.
    axis = 0 if axis is None else axis
    if not x.shape:
        d = xp.reshape(cast_like(xp, t, y), (1,))
        return xp.reshape(xp.concat([xp.zeros_like(d), d]) if include_initial else d, y.shape)
    if not x.shape[axis]:
        return xp.zeros_like(y)
    t, x, y = (xp.moveaxis(cast_like(xp, v, y), axis, -1) for v in (t, x, y))
    own = t * products_before(xp, y, include_initial)
    d = xp.flip(recurrence(xp, xp.flip(x, axis=-1), xp.flip(own, axis=-1)), axis=-1)
    d = xp.concat([xp.zeros_like(d[..., :1]), d], axis=-1) if include_initial else d
    return xp.moveaxis(d, -1, axis)


def recurrence(xp: Any, a: Any, b: Any) -> Any:
    """The ``r`` with ``r[i] = b[i] + a[i] r[i + 1]`` along the last axis, zero beyond the end.

    Two steps combine into one of the same form, which halves the number of steps, so that it takes linear time (the parallel
    scan of G. Blelloch, "Prefix sums and their applications", 1990).
    """
    n = b.shape[-1]
    if n < 2:
        return b
    if n % 2:
        a, b = (xp.concat([v, xp.zeros_like(v[..., :1])], axis=-1) for v in (a, b))
    a0, a1, b0, b1 = a[..., ::2], a[..., 1::2], b[..., ::2], b[..., 1::2]
    even = recurrence(xp, a0 * a1, b0 + a0 * b1)
    odd = b1 + a1 * xp.concat([even[..., 1:], xp.zeros_like(even[..., :1])], axis=-1)
    return xp.reshape(xp.stack([even, odd], axis=-1), b.shape)[..., :n]


cumulative_prod.vjp(x=cumulative_prod_x)
cumulative_prod.jvp(x=cumulative_prod_change)


# ------------------------------------------------------------------------------------------------------------- moments


@op
@reduces
def var(xp: Any, x: ArrayLike, /, *, axis: Axes = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The variance, the mean of ``abs(x - mean(x))**2``; NaN if ``n`` is not greater than `correction`.

    The gradient is ``2 g (x - mean(x)) / (n - correction)``.

    >>> import xgrad
    >>> xgrad.var(xgrad.asarray([1.0, 2.0, 3.0]), correction=1)
    Tensor(1.0)
    """
    return variance(xp, x, axis, correction, keepdims)


def variance(xp: Any, x: Any, axis: Axes, correction: float, keepdims: bool) -> Any:
    if xp.isdtype(x.dtype, "complex floating"):
        return variance(xp, xp.real(x), axis, correction, keepdims) + variance(xp, xp.imag(x), axis, correction, keepdims)
    if count(x.shape, axis) <= correction:
        reduced = axes_from_0(axis, x.ndim)
        shape = kept_shape(x.shape, axis) if keepdims else tuple(n for i, n in enumerate(x.shape) if i not in reduced)
        return xp.new_zeros(x, shape) * math.nan
    return xp.var(x, axis=axis, correction=correction, keepdims=keepdims)


def deviation(xp: Any, x: Any, axis: Axes, correction: float) -> Any:
    """``(x - mean(x)) / (n - correction)``."""
    n = count(x.shape, axis) - correction
    return (x - xp.mean(x, axis=axis, keepdims=True)) * (1 / n if n > 0 else math.nan)


@in_float32
def var_x(xp: Any, g: Any, x: Any, axis: Any, correction: float, keepdims: bool) -> Any:
    return kept(xp, g, x.shape, axis, keepdims) * (2 * deviation(xp, x, axis, correction))


@in_float32
def var_change(xp: Any, t: Any, x: Any, axis: Any, correction: float, keepdims: bool) -> Any:
    return gathered(xp, t, 2 * deviation(xp, x, axis, correction), axis, keepdims)


var.vjp(x=var_x)
var.jvp(x=var_change)


@op(override=True)
@reduces
@in_float32
def std(xp: Any, x: ArrayLike, /, *, axis: Axes = None, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The standard deviation, the square root of `var`.

    The gradient is ``g (x - mean(x)) / ((n - correction) y)``, and 0 where all elements are equal: the kink of a norm.

    >>> import xgrad
    >>> xgrad.std(xgrad.asarray([1.0, 2.0, 3.0]), correction=1)
    Tensor(1.0)
    """
    n = count(x.shape, axis) - correction
    if n <= 0:
        return variance(xp, x, axis, correction, keepdims)
    away = x - xp.mean(x, axis=axis, keepdims=True)
    # Computed as a norm, since the variance may overflow or underflow where its root does not.
    return norm(xp, away, axis, keepdims) / math.sqrt(n)


@in_float32
def std_slope(xp: Any, x: Any, y: Any, axis: Any, correction: float, keepdims: bool) -> Any:
    # At the kink it divides by 1, so that the next derivative is finite too.
    n = count(x.shape, axis) - correction
    y = kept(xp, y, x.shape, axis, keepdims)
    return (x - xp.mean(x, axis=axis, keepdims=True)) / xp.where(y == 0, xp.ones_like(y), y) * (1 / n if n > 0 else math.nan)


@in_float32
def std_x(xp: Any, g: Any, x: Any, y: Any, axis: Any, correction: float, keepdims: bool) -> Any:
    return kept(xp, g, x.shape, axis, keepdims) * std_slope(xp, x, y, axis, correction, keepdims)


@in_float32
def std_change(xp: Any, t: Any, x: Any, y: Any, axis: Any, correction: float, keepdims: bool) -> Any:
    return gathered(xp, t, std_slope(xp, x, y, axis, correction, keepdims), axis, keepdims)


std.vjp(x=std_x)
std.jvp(x=std_change)
