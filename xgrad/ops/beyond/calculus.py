"""Calculus on samples: integrals, differences, interpolation and convolution of functions that are known at points.

These are numerical methods, and differentiable. For the derivative of a function use `xgrad.grad`.
"""

from __future__ import annotations

import math
from typing import Any, Literal

from ...backend.find import device_of
from ...engine.define import composite, op
from ...graph.kinds import takes_real
from ...tensor.tensor import ArrayLike, Tensor
from ..parts.axes import axis_from_0, different_axes
from ..parts.keys import operand

__all__ = ["convolve", "correlate", "cumulative_trapezoid", "gradient", "interp", "trapezoid"]

Mode = Literal["full", "same", "valid"]


# ----------------------------------------------------------------------------------------------------------- integrals


def _areas(xp: Any, name: str, y: Any, x: Any, dx: Any, axis: int) -> Any:
    """The area of each step along `axis`, which is moved to the last position."""
    axis_from_0(name, axis, y.ndim)  # raises if there is no such axis
    width = dx
    if x is not None:
        if x.ndim == 1 and x.shape[0] != y.shape[axis]:
            raise ValueError(f"{name}: x has {x.shape[0]} points, but y has {y.shape[axis]} along axis {axis}")
        width = xp.diff(x) if x.ndim == 1 else xp.moveaxis(xp.diff(x, axis=axis), axis, -1)
    y = xp.moveaxis(y, axis, -1)
    return (y[..., 1:] + y[..., :-1]) * width / 2


@composite
def trapezoid(xp: Any, y: ArrayLike, x: ArrayLike | None = None, /, dx: float = 1.0, axis: int = -1) -> Tensor:
    """The integral of a function with the values `y` at the points `x`, by the trapezoidal rule.

    Parameters
    ----------
    y : array
        The values.
    x : array, optional
        The points, with one axis or the shape of `y`. They are differentiable too.
    dx : float
        The distance between points, if `x` is not given.
    axis : int
        The axis along which to integrate.

    Returns
    -------
    Tensor
        Of the shape of `y` without `axis`.

    Raises
    ------
    ValueError
        If `x` and `y` do not have the same number of points.
    IndexError
        If `y` has no such axis.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.trapezoid(xgrad.Tensor([1.0, 2.0, 3.0]))
    Tensor(4.0)
    """
    return xp.sum(_areas(xp, "trapezoid", y, x, dx, axis), axis=-1)


@composite
def cumulative_trapezoid(
    xp: Any, y: ArrayLike, x: ArrayLike | None = None, /, dx: float = 1.0, axis: int = -1, *, initial: float | None = None
) -> Tensor:
    """The integrals up to each point of a function with the values `y` at the points `x`, by the trapezoidal rule.

    Parameters
    ----------
    y : array
        The values.
    x : array, optional
        The points, with one axis or the shape of `y`. They are differentiable too.
    dx : float
        The distance between points, if `x` is not given.
    axis : int
        The axis along which to integrate.
    initial : float, optional
        The first value of the result, usually 0; without it, the result is one shorter than `y`.

    Raises
    ------
    ValueError
        If `x` and `y` do not have the same number of points.
    IndexError
        If `y` has no such axis.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.cumulative_trapezoid(xgrad.Tensor([1.0, 2.0, 3.0]), initial=0)
    Tensor([0. , 1.5, 4. ])
    """
    total = xp.cumulative_sum(_areas(xp, "cumulative_trapezoid", y, x, dx, axis), axis=-1)
    if initial is not None:
        start = xp.full_like(xp.new_zeros(total, (*total.shape[:-1], 1)), initial)
        total = xp.concat([start, total], axis=-1)
    return xp.moveaxis(total, -1, axis)


# --------------------------------------------------------------------------------------------------------- differences


def gradient(
    f: ArrayLike, /, *spacing: ArrayLike, axis: int | tuple[int, ...] | None = None, edge_order: int = 1
) -> Tensor | tuple[Tensor, ...]:
    """The slopes of a function that is known at the points of a grid, by central differences, as in NumPy.

    This is a numerical method for samples. For the derivative of a function use `xgrad.grad`.

    Parameters
    ----------
    f : array
        The values.
    *spacing : float, 0-d array or array with one axis
        Distances between points, or positions of points: nothing (the distance is 1), one number for all axes, or one number or
        array for each axis. They are differentiable too.
    axis : int or tuple of int, optional
        The axes along which to take slopes; all axes if not given.
    edge_order : {1, 2}
        The order of accuracy at the edges; inside it is 2.

    Returns
    -------
    Tensor, or tuple of Tensor
        Of the shape of `f`; one for each axis if there are several.

    Raises
    ------
    ValueError
        If an axis is too short, or `spacing` or `edge_order` does not fit.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.gradient(xgrad.Tensor([1.0, 2.0, 4.0, 7.0]))
    Tensor([1. , 1.5, 2.5, 3. ])
    """
    ndim = len(operand(f).shape)
    axes = (
        tuple(range(ndim)) if axis is None else different_axes("gradient", axis if isinstance(axis, int) else tuple(axis), ndim)
    )
    steps = spacing or (1.0,)
    single = getattr(steps[0], "ndim", 0) == 0 and not isinstance(steps[0], (list, tuple, range))
    steps = steps * len(axes) if len(steps) == 1 and single else steps
    if len(steps) != len(axes):
        raise ValueError(
            f"gradient: there are {len(spacing)} spacings for {len(axes)} axes; give none, one, or one for each axis"
        )
    if edge_order not in (1, 2):
        raise ValueError(f"gradient: edge_order is {edge_order}; it must be 1 or 2")
    results = tuple(slopes(f, step, a, edge_order) for step, a in zip(steps, axes))
    return results[0] if len(results) == 1 else results


@composite
def slopes(xp: Any, f: ArrayLike, step: ArrayLike, /, axis: int, edge_order: int) -> Tensor:
    """The slopes of `f` along one axis, for `gradient`."""
    n = f.shape[axis]
    if n < edge_order + 1:
        raise ValueError(f"gradient: axis {axis} has {n} elements; edge_order={edge_order} needs at least {edge_order + 1}")
    if step.ndim > 1 or (step.ndim and step.shape[0] != n):
        raise ValueError(f"gradient: a spacing has shape {tuple(step.shape)}; axis {axis} of f has {n} points")
    f = xp.moveaxis(f, axis, -1)
    h = xp.diff(step) if step.ndim else xp.broadcast_to(step, (n - 1,))
    rise = (f[..., 1:] - f[..., :-1]) / h
    before, after = h[:-1], h[1:]
    inside = (rise[..., :-1] * after + rise[..., 1:] * before) / (before + after)
    first, last = rise[..., :1], rise[..., -1:]
    if edge_order == 2:  # the parabola through the three points at the edge
        first = first - (rise[..., 1:2] - first) * (h[:1] / (h[:1] + h[1:2]))
        last = last + (last - rise[..., -2:-1]) * (h[-1:] / (h[-2:-1] + h[-1:]))
    return xp.moveaxis(xp.concat([first, inside, last], axis=-1), -1, axis)


# ------------------------------------------------------------------------------------------------------- interpolation


@composite
@takes_real(but=("fp", "left", "right"))
def interp(
    ns: Any, x: ArrayLike, xp: ArrayLike, fp: ArrayLike, /, left: ArrayLike | None = None, right: ArrayLike | None = None,
    period: float | None = None,
) -> Tensor:  # fmt: skip
    """The piecewise linear function through the points ``(xp, fp)``, evaluated at `x`.

    Parameters
    ----------
    x : array
        The positions at which to evaluate it.
    xp : array
        The positions of the points, with one axis, ascending unless there is a `period`.
    fp : array
        The values at the points, real or complex.
    left, right : array, optional
        The value to the left of the first point and to the right of the last one; by default the value at that point.
    period : float, optional
        The period, if the function has one; `xp` may then be in any order, and `left` and `right` are ignored.

    Returns
    -------
    Tensor
        Of the shape of `x`.

    Raises
    ------
    ValueError
        If `xp` and `fp` do not have one axis and the same length, or are empty, or `period` is 0.

    Notes
    -----
    The gradient for `x` is the slope of the piece (at a point, of the piece to its right), and 0 outside of the points. `xp` and
    `fp` are differentiable too, and so are `left` and `right`, for elements of `x` outside of the points.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.interp(xgrad.Tensor([-1.0, 0.5, 2.0]), xgrad.Tensor([0.0, 1.0, 2.0]), xgrad.Tensor([3.0, 5.0, 4.0]))
    Tensor([3., 4., 4.])
    """
    if xp.ndim != 1 or tuple(xp.shape) != tuple(fp.shape) or not xp.shape[0]:
        raise ValueError(f"interp: xp has shape {tuple(xp.shape)} and fp {tuple(fp.shape)}; give as many points as values")
    if period is not None:
        x, xp, fp = _periodic(ns, x, xp, fp, period)
    n = xp.shape[0]
    low = ns.clip(ns.searchsorted(xp, x, side="right") - 1, 0, max(n - 2, 0))
    high = ns.clip(low + 1, 0, n - 1)
    before, after = x < xp[0], x > xp[-1]
    inside = (x >= xp[0]) & (x <= xp[-1])
    at = ns.where(inside, x, xp[0])  # elements that are outside or NaN must not be multiplied by slopes
    x0, x1, f0, f1 = (ns.reshape(ns.take(v, ns.reshape(i, (-1,)), axis=0), x.shape) for v in (xp, fp) for i in (low, high))
    width = x1 - x0
    t = ns.where(width == 0, ns.zeros_like(at), (at - x0) / ns.where(width == 0, ns.ones_like(width), width))
    y = f0 + t * (f1 - f0)
    y = ns.where(x == x, y, ns.full_like(y, math.nan))
    y = ns.where(before, (fp[0] if left is None else left) * ns.ones_like(y), y)
    return ns.where(after, (fp[-1] if right is None else right) * ns.ones_like(y), y)


def _periodic(ns: Any, x: Any, xp: Any, fp: Any, period: float) -> tuple[Any, Any, Any]:
    """`x` within one period, and the points in ascending order, with an additional one at each end."""
    if period == 0:
        raise ValueError("interp: period must not be 0")
    period = abs(period)
    x, xp = ns.remainder(x, period), ns.remainder(xp, period)
    order = ns.argsort(xp)
    xp, fp = ns.take(xp, order, axis=0), ns.take(fp, order, axis=0)
    xp = ns.concat([xp[-1:] - period, xp, xp[:1] + period], axis=0)
    return x, xp, ns.concat([fp[-1:], fp, fp[:1]], axis=0)


# --------------------------------------------------------------------------------------------------------- convolution


@op(override=True)
def convolve_full(xp: Any, a: ArrayLike, v: ArrayLike, /) -> Tensor:
    """The full convolution: element ``k`` is the sum of ``a[i] v[k - i]``, a coefficient of the product of two polynomials."""
    if xp.isdtype(a.dtype, "integral"):
        return _slide(xp, a, v)
    own = getattr(xp.__native__, "convolve", None)
    return _slide(xp, a, v) if own is None or a.dtype != v.dtype else own(a, v)


_WINDOWS = 1 << 22  # how many products to hold in memory at once


def _slide(xp: Any, a: Any, v: Any) -> Any:
    if a.shape[0] < v.shape[0]:
        a, v = v, a
    n, m = a.shape[0], v.shape[0]
    ends, weights = xp.new_zeros(a, (m - 1,)), xp.flip(v)
    row, length, device = xp.concat([ends, a, ends], axis=0), n + m - 1, device_of(a)
    width = max(1, _WINDOWS // length)
    y = xp.new_zeros(weights * row[:m], (length,))
    for start in range(0, m, width):
        part = weights[start : min(start + width, m)]
        index = xp.arange(length, device=device)[:, None] + xp.arange(start, start + part.shape[0], device=device)[None, :]
        windows = xp.reshape(xp.take(row, xp.reshape(index, (-1,)), axis=0), (length, part.shape[0]))
        y = y + xp.sum(windows * part, axis=1, dtype=y.dtype)
    return y


def _other(xp: Any, g: Any, v: Any, n: int) -> Any:
    """The transpose of the convolution of an argument of length `n` with `v`."""
    m = v.shape[0]
    return xp.convolve_full(g, xp.conj(xp.flip(v)))[m - 1 : m - 1 + n]


convolve_full.vjp(
    a=lambda xp, g, a_shape, v: _other(xp, g, v, a_shape[0]),
    v=lambda xp, g, a, v_shape: _other(xp, g, a, v_shape[0]),
)
convolve_full.linear()


@composite
def convolve(xp: Any, a: ArrayLike, v: ArrayLike, /, mode: Mode = "full") -> Tensor:
    """The convolution of two sequences, ``y[k] = sum of a[i] v[k - i]``.

    Parameters
    ----------
    a, v : array
        With one axis and at least one element each.
    mode : {"full", "same", "valid"}
        "full": all positions where they overlap; "same": as many as the longer array has elements, from the middle; "valid":
        positions where they overlap completely.

    Raises
    ------
    ValueError
        If an array is empty or does not have one axis, or `mode` has another value.

    Notes
    -----
    The gradient for one array is the correlation of ``g`` with the other.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.convolve(xgrad.Tensor([1.0, 2.0, 3.0]), xgrad.Tensor([0.0, 1.0]))
    Tensor([0., 1., 2., 3.])
    """
    return _part(xp, "convolve", a, v, mode)


@composite
def correlate(xp: Any, a: ArrayLike, v: ArrayLike, /, mode: Mode = "valid") -> Tensor:
    """The cross-correlation of two sequences, ``y[k] = sum of a[i + k] conj(v[i])``.

    Parameters
    ----------
    a, v : array
        With one axis and at least one element each.
    mode : {"valid", "same", "full"}
        As in `convolve`.

    Raises
    ------
    ValueError
        If an array is empty or does not have one axis, or `mode` has another value.

    Notes
    -----
    The gradient for one array is a convolution of ``g`` with the other.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.correlate(xgrad.Tensor([1.0, 2.0, 3.0]), xgrad.Tensor([0.0, 1.0]))
    Tensor([2., 3.])
    """
    return _part(xp, "correlate", a, v, mode)


def _part(xp: Any, name: str, a: Any, v: Any, mode: str) -> Any:
    for x in (a, v):
        if x.ndim != 1 or not x.shape[0]:
            raise ValueError(f"{name}: an argument has shape {tuple(x.shape)}; it must have one axis and not be empty")
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"{name}: mode is {mode!r}; it must be 'full', 'same' or 'valid'")
    y = xp.convolve_full(a, v if name == "convolve" else xp.conj(xp.flip(v)))
    if mode == "full":
        return y
    long, short = max(a.shape[0], v.shape[0]), min(a.shape[0], v.shape[0])
    if mode == "valid":
        return y[short - 1 : long]
    swapped = name == "correlate" and a.shape[0] < v.shape[0]  # NumPy then counts from the other end
    start = short // 2 if swapped else (short - 1) // 2
    return y[start : start + long]
