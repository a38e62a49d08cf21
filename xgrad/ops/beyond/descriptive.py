"""Statistics that NumPy has and the standard lacks: order statistics, statistics that ignore NaN, covariances.

All are composed of other ops and differentiated through them. Functions that sort have the rule of `sort`: equal elements share
the cotangents of their places evenly. Functions that ignore NaN give it the gradient zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ...backend.dtypes import check_fits
from ...backend.find import device_of, raw_namespace
from ...backend.precision import half, in_float32, norm, widened
from ...engine.define import composite
from ...graph.kinds import refuse_complex, takes_real
from ...tensor.tensor import ArrayLike, Tensor
from ..parts.axes import Axes, axes_from_0, kept_shape
from ..parts.keys import operand
from ..parts.texts import reduces_real as reduces

__all__ = [
    "average", "corrcoef", "cov", "median", "nanmax", "nanmean", "nanmedian", "nanmin", "nanpercentile", "nanprod",
    "nanquantile", "nanstd", "nansum", "nanvar", "percentile", "ptp", "quantile",
]  # fmt: skip


# ------------------------------------------------------------------------------------------------ what reductions share


def lined_up(xp: Any, x: Any, axis: Axes) -> Any:
    """`x` with the axes to reduce merged into one, the last."""
    reduced = axes_from_0(axis, x.ndim)
    rest = [i for i in range(x.ndim) if i not in reduced]
    moved = xp.permute_dims(x, (*rest, *reduced))
    return xp.reshape(moved, (*moved.shape[: len(rest)], math.prod(moved.shape[len(rest) :])))


def finished(xp: Any, y: Any, shape: tuple[int, ...], axis: Axes, keepdims: bool, lead: int = 0) -> Any:
    """The result `y` of a reduction of `shape`, with the reduced axes if `keepdims`; its first `lead` axes are others."""
    return xp.reshape(y, (*y.shape[:lead], *kept_shape(shape, axis))) if keepdims else y


# ---------------------------------------------------------------------------------------------------- order statistics


@composite
@takes_real
@reduces
@in_float32
def median(xp: Any, x: ArrayLike, /, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """The median: the middle element, or the mean of the two in the middle; NaN if an element is NaN.

    >>> import xgrad
    >>> xgrad.median(xgrad.Tensor([3.0, 1.0, 2.0, 9.0]))
    Tensor(2.5)
    """
    return finished(xp, _median(xp, lined_up(xp, x, axis)), x.shape, axis, keepdims)


def _median(xp: Any, x: Any) -> Any:
    n = x.shape[-1]
    if n == 0:
        raise ValueError("median: x has no elements")
    y = xp.sort(x, axis=-1)
    middle = (y[..., (n - 1) // 2] + y[..., n // 2]) / 2
    return xp.where(xp.any(x != x, axis=-1), xp.full_like(middle, math.nan), middle)


@composite
@takes_real
@reduces
@in_float32
def nanmedian(xp: Any, x: ArrayLike, /, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """The median of the elements that are not NaN; NaN if none is left.

    >>> import xgrad
    >>> xgrad.nanmedian(xgrad.Tensor([3.0, 1.0, xgrad.nan, 2.0]))
    Tensor(2.0)
    """
    middle = xp.asarray(0.5, dtype=x.dtype, device=device_of(x))
    return finished(xp, _quantile(xp, lined_up(xp, x, axis), middle, "linear", True), x.shape, axis, keepdims)


_CONTINUOUS = {  # H. Hyndman and Y. Fan, "Sample quantiles in statistical packages", 1996: alpha and beta of its types 4-9
    "interpolated_inverted_cdf": (0.0, 1.0),
    "hazen": (0.5, 0.5),
    "weibull": (0.0, 0.0),
    "linear": (1.0, 1.0),
    "median_unbiased": (1 / 3, 1 / 3),
    "normal_unbiased": (3 / 8, 3 / 8),
}
_STEPWISE: dict[str, Callable[[Any, Any, Any], tuple[Any, Any]]] = {  # from (xp, n, q), the places whose mean is the quantile
    "lower": lambda xp, n, q: (xp.floor((n - 1) * q),) * 2,
    "higher": lambda xp, n, q: (xp.ceil((n - 1) * q),) * 2,
    "midpoint": lambda xp, n, q: (xp.floor((n - 1) * q), xp.ceil((n - 1) * q)),
    "nearest": lambda xp, n, q: (xp.round((n - 1) * q),) * 2,
    "inverted_cdf": lambda xp, n, q: (xp.ceil(n * q) - 1,) * 2,
    "averaged_inverted_cdf": lambda xp, n, q: (xp.ceil(n * q) - 1, xp.floor(n * q)),
    "closest_observation": lambda xp, n, q: (xp.round(n * q) - 1,) * 2,
}


def _neighbours(xp: Any, n: Any, q: Any, method: str) -> tuple[Any, Any, Any]:
    """The places of the two elements that a quantile is interpolated from, and the weight of the second."""
    if method in _CONTINUOUS:
        alpha, beta = _CONTINUOUS[method]
        at = n * q + (q * (1 - alpha - beta) + (alpha - 1))
        at = xp.clip(at, xp.zeros_like(at), (at * 0 + n) - 1)
        below = xp.floor(at)
        return below, xp.ceil(at), at - below
    below, above = _STEPWISE[method](xp, n, q)
    last = (below * 0 + n) - 1
    return *(xp.clip(v, xp.zeros_like(v), last) for v in (below, above)), xp.full_like(below, 0.5)


def _quantile(xp: Any, x: Any, q: Any, method: str, skip: bool) -> Any:
    """The quantiles of the elements along the last axis, with the axes of `q`, then the other axes of `x`."""
    if x.shape[-1] == 0:
        raise ValueError("quantile: x has no elements")
    if method not in _CONTINUOUS and method not in _STEPWISE:
        raise ValueError(f"quantile: method {method!r} is not known; it may be {', '.join((*_CONTINUOUS, *_STEPWISE))}")
    shape, lead = q.shape, x.shape[:-1]
    q = xp.reshape(q, (-1,) + (1,) * len(lead))
    missing = x != x
    ascending = xp.sort(xp.where(missing, xp.full_like(x, math.inf), x), axis=-1)
    if skip:
        n = xp.astype(xp.count_nonzero(~missing, axis=-1), x.dtype)
        none, n = n == 0, xp.maximum(n, xp.ones_like(n))
    else:
        n, none = x.shape[-1], xp.any(missing, axis=-1)
    below, above, weight = _neighbours(xp, n, q, method)

    def at(place: Any) -> Any:
        index = xp.moveaxis(xp.astype(place, xp.int64), 0, -1)
        return xp.moveaxis(xp.take_along_axis(ascending, xp.broadcast_to(index, (*lead, index.shape[-1])), axis=-1), -1, 0)

    low, high = (xp.where(none, xp.zeros_like(v), v) for v in (at(below), at(above)))
    y = low + weight * (high - low)
    y = xp.where(none | ((q < 0) | (q > 1)), xp.full_like(y, math.nan), y)
    return xp.reshape(y, (*shape, *lead))


@composite
def quantile_(xp: Any, x: ArrayLike, q: ArrayLike, /, axis: Axes, method: str, keepdims: bool, skip: bool) -> Tensor:
    """The quantiles `q` of `x`; with `skip`, of its elements that are not NaN."""
    own, x = x.dtype, widened(xp, x)  # float16 cannot represent places beyond 2048
    q = q if q.dtype == x.dtype else xp.astype(q, x.dtype)
    y = _quantile(xp, lined_up(xp, x, axis), q, method, skip)
    return finished(xp, y if y.dtype == own else xp.astype(y, own), x.shape, axis, keepdims, q.ndim)


def _beside(x: Any, q: Any, whole: int = 1) -> Any:
    """``q / whole``; numbers become an array on the device of `x`, of its dtype, or of float32 if that has half precision."""
    x = operand(x)
    data = getattr(x, "_data", x)
    narrow = hasattr(data, "shape") and half(data.dtype)
    if not isinstance(q, (list, tuple, range)) and not (narrow and isinstance(q, (int, float))):
        return q / whole
    xp = raw_namespace(data)
    numbers = list(q) if isinstance(q, (list, tuple, range)) else q
    return xp.__backend__.from_python(numbers, xp.float32 if narrow else data.dtype, device_of(data)) / whole


@reduces
def quantile(x: ArrayLike, q: Any, /, axis: Axes = None, *, method: str = "linear", keepdims: bool = False) -> Tensor:
    """The quantiles of the elements; NaN if an element is NaN, or `q` is not between 0 and 1.

    The gradient is that of the interpolation between two elements, for these elements and for `q`.

    >>> import xgrad
    >>> xgrad.quantile(xgrad.Tensor([3.0, 1.0, 2.0, 9.0]), [0.0, 0.5])
    Tensor([1. , 2.5])
    """
    refuse_complex("quantile", x=x, q=q)
    return quantile_(x, _beside(x, q), axis, method, keepdims, False)


@reduces
def percentile(x: ArrayLike, q: Any, /, axis: Axes = None, *, method: str = "linear", keepdims: bool = False) -> Tensor:
    """The percentiles of the elements: the quantiles of ``q / 100``.

    >>> import xgrad
    >>> xgrad.percentile(xgrad.Tensor([3.0, 1.0, 2.0, 9.0]), 50)
    Tensor(2.5)
    """
    refuse_complex("percentile", x=x, q=q)
    return quantile_(x, _beside(x, q, 100), axis, method, keepdims, False)


@reduces
def nanquantile(x: ArrayLike, q: Any, /, axis: Axes = None, *, method: str = "linear", keepdims: bool = False) -> Tensor:
    """The quantiles of the elements that are not NaN; NaN if none is left.

    >>> import xgrad
    >>> xgrad.nanquantile(xgrad.Tensor([3.0, 1.0, xgrad.nan, 2.0]), 0.5)
    Tensor(2.0)
    """
    refuse_complex("nanquantile", x=x, q=q)
    return quantile_(x, _beside(x, q), axis, method, keepdims, True)


@reduces
def nanpercentile(x: ArrayLike, q: Any, /, axis: Axes = None, *, method: str = "linear", keepdims: bool = False) -> Tensor:
    """The percentiles of the elements that are not NaN; NaN if none is left.

    >>> import xgrad
    >>> xgrad.nanpercentile(xgrad.Tensor([3.0, 1.0, xgrad.nan, 2.0]), 50)
    Tensor(2.0)
    """
    refuse_complex("nanpercentile", x=x, q=q)
    return quantile_(x, _beside(x, q, 100), axis, method, keepdims, True)


@composite
@takes_real
@reduces
def ptp(xp: Any, x: ArrayLike, /, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """The range of the elements (peak to peak): the largest less the smallest.

    >>> import xgrad
    >>> xgrad.ptp(xgrad.Tensor([3.0, 1.0, 9.0]))
    Tensor(8.0)
    """
    return xp.max(x, axis=axis, keepdims=keepdims) - xp.min(x, axis=axis, keepdims=keepdims)


# ---------------------------------------------------------------------------------------------------------- ignoring NaN


@composite
@reduces
def nansum(xp: Any, x: ArrayLike, /, axis: Axes = None, dtype: Any = None, *, keepdims: bool = False) -> Tensor:
    """The sum of the elements that are not NaN; 0 if none is left.

    >>> import xgrad
    >>> xgrad.nansum(xgrad.Tensor([1.0, xgrad.nan, 2.0]))
    Tensor(3.0)
    """
    if dtype is not None:
        check_fits("nansum", x.dtype, dtype)
    return xp.sum(xp.zero_where_not(x, x == x), axis=axis, dtype=dtype, keepdims=keepdims)


@composite
@reduces
def nanprod(xp: Any, x: ArrayLike, /, axis: Axes = None, dtype: Any = None, *, keepdims: bool = False) -> Tensor:
    """The product of the elements that are not NaN; 1 if none is left.

    >>> import xgrad
    >>> xgrad.nanprod(xgrad.Tensor([3.0, xgrad.nan, 2.0]))
    Tensor(6.0)
    """
    if dtype is not None:
        check_fits("nanprod", x.dtype, dtype)
    return xp.prod(xp.where(x == x, x, xp.ones_like(x)), axis=axis, dtype=dtype, keepdims=keepdims)


def _nanmean(xp: Any, x: Any, axis: Axes, keepdims: bool) -> tuple[Any, Any]:
    """The mean of the elements that are not NaN, and their number."""
    count = xp.count_nonzero(x == x, axis=axis, keepdims=keepdims)
    total = xp.sum(xp.zero_where_not(x, x == x), axis=axis, keepdims=keepdims)
    divisor = xp.astype(xp.where(count == 0, xp.ones_like(count), count), x.dtype)
    return xp.where(count == 0, xp.full_like(total, math.nan), total / divisor), count


@composite
@reduces
@in_float32
def nanmean(xp: Any, x: ArrayLike, /, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """The mean of the elements that are not NaN; NaN if none is left.

    >>> import xgrad
    >>> xgrad.nanmean(xgrad.Tensor([1.0, xgrad.nan, 2.0]))
    Tensor(1.5)
    """
    return _nanmean(xp, x, axis, keepdims)[0]


@composite
@reduces
@in_float32
def nanvar(xp: Any, x: ArrayLike, /, axis: Axes = None, *, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The variance of the elements that are not NaN; NaN if no more than `correction` are left.

    >>> import xgrad
    >>> xgrad.nanvar(xgrad.Tensor([1.0, xgrad.nan, 3.0]))
    Tensor(1.0)
    """
    mean, count = _nanmean(xp, x, axis, True)
    off = xp.zero_where_not(x - mean, x == x)
    square = xp.real(off * xp.conj(off)) if xp.isdtype(x.dtype, "complex floating") else off * off
    total = xp.sum(square, axis=axis, keepdims=keepdims)
    free = xp.reshape(xp.astype(count, total.dtype), total.shape) - correction
    enough = free > 0
    return xp.where(enough, total / xp.where(enough, free, xp.ones_like(free)), xp.full_like(total, math.nan))


@composite
@reduces
@in_float32
def nanstd(xp: Any, x: ArrayLike, /, axis: Axes = None, *, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The standard deviation of the elements that are not NaN; NaN if no more than `correction` are left.

    The gradient is 0 where all elements are equal, the kink of a norm.

    >>> import xgrad
    >>> xgrad.nanstd(xgrad.Tensor([1.0, xgrad.nan, 3.0]))
    Tensor(1.0)
    """
    mean, count = _nanmean(xp, x, axis, True)
    # Computed as a norm, since the variance may overflow or underflow where its root does not.
    size = norm(xp, xp.zero_where_not(x - mean, x == x), axis, keepdims)
    free = xp.reshape(xp.astype(count, size.dtype), size.shape) - correction
    enough = free > 0
    return xp.where(enough, size / xp.sqrt(xp.where(enough, free, xp.ones_like(free))), xp.full_like(size, math.nan))


def _nan_extreme(xp: Any, name: str, worst: float, x: Any, axis: Axes, keepdims: bool) -> Any:
    if not xp.isdtype(x.dtype, "real floating"):
        return getattr(xp, name)(x, axis=axis, keepdims=keepdims)
    y = getattr(xp, name)(xp.where(x == x, x, xp.full_like(x, worst)), axis=axis, keepdims=keepdims)
    return xp.where(xp.any(x == x, axis=axis, keepdims=keepdims), y, xp.full_like(y, math.nan))


@composite
@takes_real
@reduces
def nanmax(xp: Any, x: ArrayLike, /, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """The largest of the elements that are not NaN; NaN if none is left.

    >>> import xgrad
    >>> xgrad.nanmax(xgrad.Tensor([1.0, xgrad.nan, 2.0]))
    Tensor(2.0)
    """
    return _nan_extreme(xp, "max", -math.inf, x, axis, keepdims)


@composite
@takes_real
@reduces
def nanmin(xp: Any, x: ArrayLike, /, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """The smallest of the elements that are not NaN; NaN if none is left.

    >>> import xgrad
    >>> xgrad.nanmin(xgrad.Tensor([1.0, xgrad.nan, 2.0]))
    Tensor(1.0)
    """
    return _nan_extreme(xp, "min", math.inf, x, axis, keepdims)


# --------------------------------------------------------------------------------------------- weights and covariances


@composite
@in_float32
def average(xp: Any, x: ArrayLike, /, axis: Axes = None, weights: ArrayLike | None = None, *, keepdims: bool = False) -> Tensor:
    """The mean with weights, ``sum(weights * x) / sum(weights)``.

    Parameters
    ----------
    x : array
        Of a floating data type.
    axis : int or tuple of int, optional
        The axes to reduce; all of them if not given.
    weights : array, optional
        Of the shape of `x`, or of the shape of the reduced axes; all 1 if not given. They are differentiable too.
    keepdims : bool
        Keep the reduced axes, with length one.

    Raises
    ------
    ValueError
        If `weights` has another shape.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.average(xgrad.Tensor([1.0, 5.0]), weights=xgrad.Tensor([3.0, 1.0]))
    Tensor(2.0)
    """
    if weights is None:
        return xp.mean(x, axis=axis, keepdims=keepdims)
    if tuple(weights.shape) != tuple(x.shape):
        reduced = axes_from_0(axis, x.ndim)
        if tuple(weights.shape) != tuple(x.shape[i] for i in reduced):
            raise ValueError(
                f"average: weights have shape {tuple(weights.shape)}; they must have the shape of x, {tuple(x.shape)}, or "
                "that of the reduced axes"
            )
        order = tuple(sorted(range(len(reduced)), key=lambda k: reduced[k]))
        weights = xp.reshape(xp.permute_dims(weights, order), tuple(n if i in reduced else 1 for i, n in enumerate(x.shape)))
        weights = xp.broadcast_to(weights, x.shape)
    total = xp.sum(weights, axis=axis, keepdims=keepdims)
    return xp.sum(x * weights, axis=axis, keepdims=keepdims) / total


@composite
@in_float32
def cov(
    xp: Any, m: ArrayLike, /, y: ArrayLike | None = None, rowvar: bool = True, bias: bool = False, ddof: int | None = None,
    fweights: ArrayLike | None = None, aweights: ArrayLike | None = None,
) -> Tensor:  # fmt: skip
    """The covariance matrix of variables, estimated from observations.

    Parameters
    ----------
    m : array
        Real or complex floating, with one axis (one variable) or two.
    y : array, optional
        More variables, in the form of `m`.
    rowvar : bool
        Whether variables are rows and observations are columns; else variables are columns.
    bias : bool
        Divide by the number of observations, not by one less.
    ddof : int, optional
        Divide by the number of observations less `ddof`; `bias` is then ignored.
    fweights : array of int, optional
        How often each observation occurred.
    aweights : array, optional
        The weight of each observation. They are differentiable too.

    Returns
    -------
    Tensor
        A matrix, or 0-d for one variable. Symmetric; Hermitian for complex numbers.

    Raises
    ------
    ValueError
        If `m` has more than two axes, or numbers of observations differ.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.cov(xgrad.Tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
    Tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    rows = [_rows(xp, v, rowvar) for v in (m, y) if v is not None]
    if len({v.shape[1] for v in rows}) > 1:
        raise ValueError(f"cov: m has {rows[0].shape[1]} observations and y has {rows[1].shape[1]}; the numbers must be equal")
    x = rows[0] if len(rows) == 1 else xp.concat(rows, axis=0)
    ddof = int(not bias) if ddof is None else ddof
    w, free = _weights(xp, x, ddof, fweights, aweights)
    x = x - (xp.mean(x, axis=1, keepdims=True) if w is None else xp.sum(x * w, axis=1, keepdims=True) / xp.sum(w))
    weighted = x if w is None else x * w
    c = xp.matmul(weighted, xp.conj(xp.permute_dims(x, (1, 0)))) / free
    return xp.reshape(c, ()) if c.shape == (1, 1) else c


def _rows(xp: Any, x: Any, rowvar: bool) -> Any:
    if x.ndim > 2:
        raise ValueError(f"cov: the variables have {x.ndim} axes; give an array of one axis or two")
    if x.ndim < 2:
        return xp.reshape(x, (1, -1))
    return x if rowvar or x.shape[0] == 1 else xp.permute_dims(x, (1, 0))


def _peaks(xp: Any, x: Any) -> Any:
    """The largest absolute value in each row, or 1 where that is zero."""
    peak = xp.max(xp.abs(x), axis=1, keepdims=True)
    return xp.where(peak == 0, xp.ones_like(peak), peak)


def _weights(xp: Any, x: Any, ddof: int, fweights: Any, aweights: Any) -> tuple[Any, Any]:
    """The weight of each observation, and the divisor."""
    weights = [v if v.dtype == x.dtype else xp.astype(v, x.dtype) for v in (fweights, aweights) if v is not None]
    for v in weights:
        if tuple(v.shape) != (x.shape[1],):
            raise ValueError(f"cov: weights have shape {tuple(v.shape)}, but there are {x.shape[1]} observations")
    if not weights:
        n = x.shape[1] - ddof
        return None, n if n > 0 else math.nan
    w = math.prod(weights[1:], start=weights[0])
    total = xp.sum(w)
    return w, total - (ddof if aweights is None else ddof * xp.sum(w * weights[-1]) / total)


@composite
@in_float32
def corrcoef(xp: Any, x: ArrayLike, /, y: ArrayLike | None = None, rowvar: bool = True) -> Tensor:
    """The correlation coefficients of variables, ``c[i, j] / sqrt(c[i, i] c[j, j])`` with their covariances ``c``.

    Parameters
    ----------
    x : array
        Real or complex floating, with one axis (one variable) or two.
    y : array, optional
        More variables, in the form of `x`.
    rowvar : bool
        Whether variables are rows and observations are columns; else variables are columns.

    Returns
    -------
    Tensor
        A matrix, or 0-d for one variable.

    Notes
    -----
    The result and the gradient are NaN for a variable that is constant.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.corrcoef(xgrad.Tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]))
    Tensor([[ 1., -1.],
            [-1.,  1.]])
    """
    # The result does not depend on the scale of a variable. Near 1, no square overflows or underflows.
    rows = [_rows(xp, v, rowvar) for v in (x, y) if v is not None]
    if rows[0].shape[1]:
        rows = [v - xp.mean(v, axis=1, keepdims=True) for v in rows]
        rows = [v / _peaks(xp, v) for v in rows]
    c = xp.cov(*rows)
    if c.ndim == 0:
        return c / c
    d = xp.sqrt(xp.real(xp.linalg.diagonal(c)))
    return c / (d[:, None] * d[None, :])
