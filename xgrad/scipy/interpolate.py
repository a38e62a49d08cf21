"""Piecewise polynomials and linear interpolation on grids, as in `scipy.interpolate`.

They are differentiable with respect to the values, the points that have these values, and the points to interpolate at.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from .. import ops
from ..tensor.tensor import ArrayLike, Tensor
from .inputs import constant, floating

__all__ = ["CubicHermiteSpline", "CubicSpline", "PchipInterpolator", "RegularGridInterpolator", "interp1d", "make_interp_spline"]


class CubicHermiteSpline:
    """The piecewise cubic polynomial with given values and slopes.

    Parameters
    ----------
    x : array of shape (n,)
        The points, two or more, in increasing order.
    y : array
        The values at the points, along `axis`.
    dydx : array
        The slopes at the points, of the shape of `y`.
    axis : int
        The axis of `y` that belongs to `x`.
    extrapolate : bool or "periodic", optional
        Whether the first and last polynomial continue beyond the ends; this is the default. Otherwise the result is NaN there.
        With ``"periodic"`` the curve repeats.

    Raises
    ------
    ValueError
        If the shapes do not fit or `x` does not increase.

    Notes
    -----
    Call it with points of any shape to get the values there; in the result, that shape replaces the axis. There are gradients
    for `x`, `y`, `dydx` and the points. The derivative of order `nu` is also differentiable.

    Examples
    --------
    >>> import xgrad
    >>> f = CubicHermiteSpline(xgrad.Tensor([0.0, 1.0]), xgrad.Tensor([0.0, 1.0]), xgrad.Tensor([0.0, 0.0]))
    >>> f(xgrad.Tensor([0.5, 0.75]))
    Tensor([0.5    , 0.84375])
    """

    def __init__(self, x: ArrayLike, y: ArrayLike, dydx: ArrayLike, axis: int = 0, extrapolate: bool | str | None = None) -> None:
        xp, x, y, slopes = floating(x, y, dydx)
        if y.shape != slopes.shape:
            raise ValueError(f"{type(self).__name__}: y has shape {y.shape}, but dydx has {slopes.shape}")
        self._set(x, y, axis, extrapolate)
        self.slopes = xp.moveaxis(slopes, axis, 0)

    def _set(self, x: Tensor, y: Tensor, axis: int, extrapolate: bool | str | None) -> None:
        name = type(self).__name__
        if extrapolate not in (None, True, False, "periodic"):
            raise ValueError(f"{name}: extrapolate={extrapolate!r} is not one of True, False, None, 'periodic'")
        if x.ndim != 1 or x.shape[0] < 2:
            raise ValueError(f"{name}: x has shape {x.shape}; it must have one axis with two elements or more")
        if not y.ndim or y.shape[axis] != x.shape[0]:
            raise ValueError(f"{name}: y has shape {y.shape}, but {x.shape[0]} elements are needed along axis {axis}")
        if bool(ops.any(x[1:] <= x[:-1])):
            raise ValueError(f"{name}: x must increase from one element to the next")
        self.axis, self.x = axis % y.ndim, x
        self.periodic = extrapolate == "periodic"
        self.extrapolate = extrapolate is None or bool(extrapolate)
        self.values: Tensor = ops.moveaxis(y, axis, 0)

    def __call__(self, x: ArrayLike, nu: int = 0) -> Tensor:
        """The values, or the derivatives of order `nu`, at the points `x`."""
        xp, at, _ = floating(x, self.x)
        flat = xp.reshape(at, (-1,))
        if self.periodic:
            flat = self.x[0] + (flat - self.x[0]) % (self.x[-1] - self.x[0])
        k = _interval(xp, self.x, flat)
        left, right = xp.take(self.x, k, axis=0), xp.take(self.x, k + 1, axis=0)
        column = (-1, *[1] * (self.values.ndim - 1))
        h, t = xp.reshape(right - left, column), xp.reshape((flat - left) / (right - left), column)
        (y0, y1), (d0, d1) = ([xp.take(values, k + i, axis=0) for i in (0, 1)] for values in (self.values, self.slopes))
        c = [y0, h * d0, 3 * (y1 - y0) - h * (2 * d0 + d1), 2 * (y0 - y1) + h * (d0 + d1)]  # coefficients of the powers of t
        for _ in range(nu):
            c = [j * c[j] / h for j in range(1, len(c))] or [xp.zeros_like(y0)]
        value = c[-1] + 0 * t
        for coefficient in reversed(c[:-1]):
            value = value * t + coefficient
        if not self.extrapolate:
            outside = xp.reshape((flat < self.x[0]) | (flat > self.x[-1]), column)
            value = xp.where(outside, constant(value, float("nan")), value)
        value = xp.reshape(value, (*at.shape, *self.values.shape[1:]))
        order = [*range(at.ndim, at.ndim + self.axis), *range(at.ndim), *range(at.ndim + self.axis, value.ndim)]
        return xp.permute_dims(value, tuple(order))  # type: ignore[no-any-return]


def _interval(xp: Any, x: Tensor, at: Tensor) -> Tensor:
    """For each point of `at`, the index of the interval between elements of `x` that it is in, or nearest to."""
    return xp.clip(xp.searchsorted(x, at, side="right") - 1, 0, x.shape[0] - 2)  # type: ignore[no-any-return]


class CubicSpline(CubicHermiteSpline):
    """The cubic spline through given values, which is twice continuously differentiable.

    Parameters
    ----------
    x, y, axis, extrapolate
        As in `CubicHermiteSpline`.
    bc_type : str
        The condition at the ends: ``"not-a-knot"`` (the first two pieces are one polynomial, and so are the last two),
        ``"natural"`` (no curvature), ``"clamped"`` (no slope) or ``"periodic"`` (value, slope and curvature are the same at
        both ends, and the curve repeats beyond them).

    Raises
    ------
    ValueError
        As for `CubicHermiteSpline`; or if there is no such condition, or the spline is periodic and the values at the ends
        differ.

    Notes
    -----
    The slopes are the solution of a linear system of the size of `x`, which has gradients for both `x` and `y`.

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.Tensor([0.0, 1.0, 2.0, 3.0])
    >>> CubicSpline(x, x**3)(xgrad.Tensor(1.5))
    Tensor(3.375)
    """

    def __init__(
        self, x: ArrayLike, y: ArrayLike, axis: int = 0, bc_type: str = "not-a-knot", extrapolate: bool | str | None = None
    ) -> None:
        xp, x, y = floating(x, y)
        self._set(x, y, axis, extrapolate)
        if bc_type not in ("not-a-knot", "natural", "clamped", "periodic"):
            raise ValueError(f"CubicSpline: bc_type={bc_type!r} is not one of 'not-a-knot', 'natural', 'clamped', 'periodic'")
        if bc_type == "periodic" and not bool(xp.all(self.values[0] == self.values[-1])):
            raise ValueError("CubicSpline: with bc_type 'periodic', the first and the last value must be the same")
        self.periodic = extrapolate == "periodic" or (extrapolate is None and bc_type == "periodic")
        n = x.shape[0]
        values = xp.reshape(self.values, (n, -1))
        slopes = _straight(x, values) if n == 2 and bc_type != "clamped" else _spline_slopes(xp, x, values, bc_type)
        self.slopes = xp.reshape(slopes, self.values.shape)


def _straight(x: Tensor, y: Tensor) -> Tensor:
    slope = (y[1:] - y[:-1]) / (x[1:] - x[:-1])[:, None]
    return ops.concat([slope, slope])


def _spline_slopes(xp: Any, x: Tensor, y: Tensor, bc_type: str) -> Tensor:
    """The slopes of the spline through the columns of `y`: the curvature is the same on both sides of each inner point."""
    h = x[1:] - x[:-1]
    s = (y[1:] - y[:-1]) / h[:, None]
    n = x.shape[0]
    rows, right = [], []  # of the linear system
    for k in range(1, n - 1):
        rows.append(_row(xp, n, {k - 1: h[k], k: 2 * (h[k - 1] + h[k]), k + 1: h[k - 1]}))
        right.append(3 * (h[k] * s[k - 1, :] + h[k - 1] * s[k, :]))
    one, zero = xp.ones_like(h[0]), xp.zeros_like(y[0, :])
    if bc_type == "clamped":
        ends = [({0: one}, zero), ({n - 1: one}, zero)]
    elif bc_type == "natural":
        ends = [({0: 2 * one, 1: one}, 3 * s[0, :]), ({n - 2: one, n - 1: 2 * one}, 3 * s[-1, :])]
    elif bc_type == "periodic":
        around = {0: 2 * (h[0] + h[-1]), 1: h[-1], n - 2: h[0]} if n > 3 else {0: 2 * (h[0] + h[-1]), 1: h[0] + h[-1]}
        ends = [({0: one, n - 1: -one}, zero), (around, 3 * (h[-1] * s[0, :] + h[0] * s[-1, :]))]
    elif n == 3:  # the parabola through three points
        ends = [({0: one, 1: one}, 2 * s[0, :]), ({1: one, 2: one}, 2 * s[1, :])]
        rows, right = [_row(xp, n, {0: h[1], 1: 2 * (h[0] + h[1]), 2: h[0]})], [3 * (h[0] * s[1, :] + h[1] * s[0, :])]
    else:
        ends = [_not_a_knot(h, s, (0, 1), (0, 1)), _not_a_knot(h, s, (-1, -2), (n - 1, n - 2))]
    rows += [_row(xp, n, entries) for entries, _ in ends]
    right += [value for _, value in ends]
    return xp.linalg.solve(xp.stack(rows), xp.stack(right))  # type: ignore[no-any-return]


def _not_a_knot(h: Tensor, s: Tensor, pieces: tuple[int, int], columns: tuple[int, int]) -> tuple[dict[int, Tensor], Tensor]:
    """The entries of a row of the linear system, by column, and its right-hand side, for one end."""
    # The third derivative is the same in the first two pieces; the equation of the curvature eliminates the slope after them.
    h0, h1 = (h[k] for k in pieces)
    s0, s1 = (s[k, :] for k in pieces)
    d = h0 + h1
    return {columns[0]: h1, columns[1]: d}, ((h0 + 2 * d) * h1 * s0 + h0 * h0 * s1) / d


def _row(xp: Any, n: int, entries: dict[int, Tensor]) -> Tensor:
    like = next(iter(entries.values()))
    zero = xp.zeros_like(like)
    return xp.stack([entries.get(k, zero) for k in range(n)])  # type: ignore[no-any-return]


class PchipInterpolator(CubicHermiteSpline):
    """The monotone piecewise cubic interpolation of Fritsch and Butland: the curve rises where the values rise.

    Parameters
    ----------
    x, y, axis, extrapolate
        As in `CubicHermiteSpline`.

    Notes
    -----
    A slope is the weighted harmonic mean of those of the neighbouring pieces, and 0 at a turning point, where its gradient is 0
    too.

    Examples
    --------
    >>> import xgrad
    >>> PchipInterpolator(xgrad.Tensor([0.0, 1.0, 2.0]), xgrad.Tensor([0.0, 1.0, 1.0]))(xgrad.Tensor(1.5))
    Tensor(1.0)
    """

    def __init__(self, x: ArrayLike, y: ArrayLike, axis: int = 0, extrapolate: bool | str | None = None) -> None:
        xp, x, y = floating(x, y)
        self._set(x, y, axis, extrapolate)
        h = xp.reshape(x[1:] - x[:-1], (-1, *[1] * (y.ndim - 1)))
        s = (self.values[1:, ...] - self.values[:-1, ...]) / h
        if x.shape[0] == 2:
            self.slopes = xp.concat([s, s])
            return
        w1, w2 = 2 * h[1:, ...] + h[:-1, ...], h[1:, ...] + 2 * h[:-1, ...]
        before, after = s[:-1, ...], s[1:, ...]
        turns = xp.sign(before) * xp.sign(after) <= 0
        one = xp.ones_like(before)
        before, after = xp.where(turns, one, before), xp.where(turns, one, after)
        inner = xp.where(turns, 0 * one, (w1 + w2) / (w1 / before + w2 / after))
        first = _pchip_end(xp, h[0, ...], h[1, ...], s[0, ...], s[1, ...])
        last = _pchip_end(xp, h[-1, ...], h[-2, ...], s[-1, ...], s[-2, ...])
        self.slopes = xp.concat([first[None, ...], inner, last[None, ...]])


def _pchip_end(xp: Any, h0: Tensor, h1: Tensor, s0: Tensor, s1: Tensor) -> Tensor:
    """The slope at an end: of the parabola through three points, limited to between 0 and 3 times that of the end piece."""
    d = ((2 * h0 + h1) * s0 - h0 * s1) / (h0 + h1)
    steep = (xp.sign(s0) != xp.sign(s1)) & (xp.abs(d) > 3 * xp.abs(s0))
    return xp.where(xp.sign(d) != xp.sign(s0), xp.zeros_like(d), xp.where(steep, 3 * s0, d))  # type: ignore[no-any-return]


def make_interp_spline(x: ArrayLike, y: ArrayLike, k: int = 3, *, bc_type: str | None = None, axis: int = 0) -> Any:
    """The spline of degree 1 or 3 through given values.

    Parameters
    ----------
    x, y, axis
        As in `CubicSpline`.
    k : int
        The degree, 1 or 3.
    bc_type : str, optional
        As in `CubicSpline`; only for degree 3.

    Raises
    ------
    NotImplementedError
        If `k` is another degree.

    Examples
    --------
    >>> import xgrad
    >>> make_interp_spline(xgrad.Tensor([0.0, 1.0]), xgrad.Tensor([0.0, 3.0]), k=1)(xgrad.Tensor(0.5))
    Tensor(1.5)
    """
    if k == 3:
        return CubicSpline(x, y, axis, bc_type or "not-a-knot")
    if k == 1 and bc_type is not None:
        raise ValueError(f"make_interp_spline: bc_type={bc_type!r} is for k=3; straight lines have no condition at the ends")
    if k == 1:
        return interp1d(x, y, axis=axis, fill_value="extrapolate")
    raise NotImplementedError(f"make_interp_spline: k={k} is not supported; use 1 or 3")


class interp1d:  # noqa: N801  (SciPy's name)
    """Linear interpolation between given values, or the value at a neighbour.

    Parameters
    ----------
    x : array of shape (n,)
        The points, in increasing order.
    y : array
        The values at the points, along `axis`.
    kind : str
        ``"linear"``, ``"nearest"``, ``"previous"`` or ``"next"``; or ``"cubic"``, a `CubicSpline`.
    axis : int
        The axis of `y` that belongs to `x`; the last one by default.
    bounds_error : bool, optional
        Whether points beyond the ends raise. The default is to raise unless there is a `fill_value`.
    fill_value : number, pair of numbers, or "extrapolate"
        The value beyond the ends: one for both, or one below and one above.
    copy, assume_sorted : bool
        Arguments of SciPy without effect here: nothing is written to `x` and `y`, and `x` must always increase.

    Raises
    ------
    ValueError
        If the shapes do not fit or `x` does not increase.

    Examples
    --------
    >>> import xgrad
    >>> interp1d(xgrad.Tensor([0.0, 1.0, 3.0]), xgrad.Tensor([0.0, 2.0, 6.0]))(xgrad.Tensor([0.5, 2.0]))
    Tensor([1., 4.])
    """

    def __init__(
        self, x: ArrayLike, y: ArrayLike, kind: str = "linear", axis: int = -1, copy: bool = True,
        bounds_error: bool | None = None, fill_value: Any = float("nan"), assume_sorted: bool = False,
    ) -> None:  # fmt: skip
        if kind not in ("linear", "nearest", "previous", "next", "cubic"):
            raise NotImplementedError(
                f"interp1d: kind={kind!r} is not supported; use 'linear', 'cubic', 'nearest', 'previous' or 'next'"
            )
        xp, x, y = floating(x, y)
        self._spline = CubicSpline(x, y, axis) if kind == "cubic" else CubicHermiteSpline(x, y, xp.zeros_like(y), axis)
        self.kind, self.fill_value = kind, fill_value
        if isinstance(fill_value, str) and fill_value != "extrapolate":
            raise ValueError(f"interp1d: fill_value={fill_value!r} is not a number, a pair of numbers, or 'extrapolate'")
        ends = fill_value if isinstance(fill_value, tuple) else (fill_value, fill_value)
        if len(ends) != 2 or any(getattr(end, "shape", ()) != () or isinstance(end, (list, tuple)) for end in ends):
            raise NotImplementedError("interp1d: fill_value must be one number, or a pair (below, above) of numbers")
        unset = fill_value is None or (isinstance(fill_value, float) and fill_value != fill_value)
        self.bounds_error = unset if bounds_error is None else bounds_error

    def __call__(self, x: ArrayLike) -> Tensor:
        """The values at the points `x`, of any shape."""
        xp, at, knots = floating(x, self._spline.x)
        outside = (at < knots[0]) | (at > knots[-1])
        extrapolates = isinstance(self.fill_value, str)
        if self.bounds_error and not extrapolates and bool(xp.any(outside)):
            raise ValueError("interp1d: a point is beyond the ends of x; pass fill_value='extrapolate', or bounds_error=False")
        value = self._inside(xp, at)
        if extrapolates:
            return value
        after = self._spline.values.ndim - 1 - self._spline.axis
        outside = xp.reshape(outside, (*[1] * self._spline.axis, *at.shape, *[1] * after))
        below, above = self.fill_value if isinstance(self.fill_value, tuple) else (self.fill_value, self.fill_value)
        low = xp.reshape(at < knots[0], outside.shape)
        fill = xp.where(low, constant(value, below), constant(value, above))
        return xp.where(outside, fill, value)  # type: ignore[no-any-return]

    def _inside(self, xp: Any, at: Tensor) -> Tensor:
        spline = self._spline
        if self.kind == "cubic":
            return spline(at)
        flat = xp.reshape(at, (-1,))
        k = _interval(xp, spline.x, flat)
        left, right = xp.take(spline.x, k, axis=0), xp.take(spline.x, k + 1, axis=0)
        y0, y1 = xp.take(spline.values, k, axis=0), xp.take(spline.values, k + 1, axis=0)
        column = (-1, *[1] * (spline.values.ndim - 1))
        if self.kind == "linear":
            value = y0 + (y1 - y0) * xp.reshape((flat - left) / (right - left), column)
        else:
            upper = {"nearest": flat - left > right - flat, "previous": flat >= right, "next": flat > left}[self.kind]
            value = xp.where(xp.reshape(upper, column), y1, y0)
        value = xp.reshape(value, (*at.shape, *spline.values.shape[1:]))
        order = [*range(at.ndim, at.ndim + spline.axis), *range(at.ndim), *range(at.ndim + spline.axis, value.ndim)]
        return xp.permute_dims(value, tuple(order))  # type: ignore[no-any-return]


class RegularGridInterpolator:
    """Linear interpolation, or the nearest value, on a grid of any number of axes.

    Parameters
    ----------
    points : sequence of arrays
        The coordinates of the grid along each axis, in increasing order.
    values : array
        The values on the grid; there may be more axes after those of the grid.
    method : str
        ``"linear"`` or ``"nearest"``.
    bounds_error : bool
        Whether points outside of the grid raise.
    fill_value : float or None
        The value outside of the grid if they do not; None extrapolates.

    Raises
    ------
    NotImplementedError
        If `method` is another one.
    ValueError
        If the shapes do not fit or coordinates do not increase.

    Examples
    --------
    >>> import xgrad
    >>> f = RegularGridInterpolator(([0.0, 1.0], [0.0, 2.0]), xgrad.Tensor([[0.0, 2.0], [1.0, 3.0]]))
    >>> f(xgrad.Tensor([[0.5, 1.0]]))
    Tensor([1.5])
    """

    def __init__(
        self, points: Sequence[ArrayLike], values: ArrayLike, method: str = "linear", bounds_error: bool = True,
        fill_value: float | None = float("nan"),
    ) -> None:  # fmt: skip
        if method not in ("linear", "nearest"):
            raise NotImplementedError(f"RegularGridInterpolator: method={method!r} is not supported; use 'linear' or 'nearest'")
        _, self.values, *self.points = floating(values, *points)
        lengths = tuple(p.shape[0] if p.ndim == 1 else None for p in self.points)
        if lengths != self.values.shape[: len(lengths)]:
            raise ValueError(f"RegularGridInterpolator: values has shape {self.values.shape}, but points have lengths {lengths}")
        if any(bool(ops.any(p[1:] <= p[:-1])) for p in self.points):
            raise ValueError("RegularGridInterpolator: the points along each axis must increase")
        self.method, self.bounds_error, self.fill_value = method, bounds_error, fill_value

    def __call__(self, xi: ArrayLike) -> Tensor:
        """The values at points of shape ``(..., number of axes)``."""
        xp, at, _ = floating(xi, self.values)
        if not at.ndim or at.shape[-1] != len(self.points):
            raise ValueError(f"RegularGridInterpolator: xi has shape {at.shape}; its last axis must be {len(self.points)} long")
        flat = xp.reshape(at, (-1, len(self.points)))
        columns = [flat[:, i] for i in range(len(self.points))]
        outside = columns[0] != columns[0]
        for x, p in zip(columns, self.points):
            outside = outside | (x < p[0]) | (x > p[-1])
        if self.bounds_error and bool(xp.any(outside)):
            raise ValueError("RegularGridInterpolator: a point is outside of the grid; pass bounds_error=False to fill it")
        value = self._inside(xp, columns)
        if not self.bounds_error and self.fill_value is not None:
            outside = xp.reshape(outside, (-1, *[1] * (value.ndim - 1)))
            value = xp.where(outside, constant(value, self.fill_value), value)
        return xp.reshape(value, (*at.shape[:-1], *value.shape[1:]))  # type: ignore[no-any-return]

    def _inside(self, xp: Any, columns: list[Tensor]) -> Tensor:
        lows = [_interval(xp, p, x) for p, x in zip(self.points, columns)]
        parts = []
        for x, p, k in zip(columns, self.points, lows):
            left, right = xp.take(p, k, axis=0), xp.take(p, k + 1, axis=0)
            parts.append((x - left) / (right - left))
        extra = [1] * (self.values.ndim - len(self.points))
        if self.method == "nearest":
            return self.values[tuple(k + xp.astype(t > 0.5, k.dtype) for k, t in zip(lows, parts))]
        total: Any = 0
        for corner in itertools.product((0, 1), repeat=len(lows)):
            weight: Any = 1
            for t, c in zip(parts, corner):
                weight = weight * (t if c else 1 - t)
            total = total + self.values[tuple(k + c for k, c in zip(lows, corner))] * xp.reshape(weight, (-1, *extra))
        return total  # type: ignore[no-any-return]
