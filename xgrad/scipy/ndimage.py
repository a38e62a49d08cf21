"""Filters of images and interpolation of order 0 and 1, as in `scipy.ndimage`, for any number of axes."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from ..backend.dtypes import int64
from ..tensor.tensor import ArrayLike, Tensor
from .inputs import constant, floating

__all__ = [
    "convolve", "convolve1d", "correlate", "correlate1d", "gaussian_filter", "gaussian_filter1d", "laplace",
    "map_coordinates", "prewitt", "shift", "sobel", "uniform_filter", "uniform_filter1d", "padded",
]  # fmt: skip

_SYNONYMS = {"grid-mirror": "reflect", "grid-wrap": "wrap", "grid-constant": "constant"}
_MODES = ("reflect", "mirror", "nearest", "wrap", "constant")


# -------------------------------------------------------------------------------------------------------------- edges


def _folded(k: int, n: int, mode: str) -> int:
    """The index, from 0 to `n` - 1, of the element at position `k`, which may be beyond the edges."""
    if mode == "nearest":
        return min(max(k, 0), n - 1)
    if mode == "wrap":
        return k % n
    if mode == "reflect":  # d c b a | a b c d | d c b a
        k %= 2 * n
        return k if k < n else 2 * n - 1 - k
    k = k % (2 * n - 2) if n > 1 else 0  # mirror: d c b | a b c d | c b a
    return k if k < n else 2 * n - 2 - k


def padded(xp: Any, x: Tensor, axis: int, before: int, after: int, mode: str, cval: Any = 0.0) -> Tensor:
    """`x` with `before` and `after` more elements along an axis, those that `mode` has beyond the edges."""
    n = x.shape[axis]
    if not n or not (before or after):
        return x
    if mode == "constant":
        sizes = [(*x.shape[:axis], k, *x.shape[axis + 1 :]) for k in (before, after)]
        left, right = (xp.zeros(size, dtype=x.dtype, device=x.device) + cval for size in sizes)
        return xp.concat([left, x, right], axis=axis)  # type: ignore[no-any-return]
    indices = [_folded(k, n, mode) for k in range(-before, n + after)]
    return xp.take(x, constant(x, indices, int64), axis=axis)  # type: ignore[no-any-return]


def _mode(name: str, mode: str) -> str:
    """`mode` without synonyms; an error of the function `name` if there is no such mode."""
    mode = _SYNONYMS.get(mode, mode)
    if mode not in _MODES:
        raise ValueError(f"{name}: mode={mode!r} is not one of {', '.join(map(repr, _MODES))}")
    return mode


def _per_axis(name: str, value: Any, ndim: int) -> list[Any]:
    """A list with one value for each axis, from one value for all axes or a sequence of them."""
    values = list(value) if isinstance(value, (list, tuple)) else [value] * ndim
    if len(values) != ndim:
        raise ValueError(f"{name}: there are {len(values)} values for {ndim} axes")
    return values


# ------------------------------------------------------------------------------------------------------------ filters


def correlate1d(
    input: ArrayLike, weights: ArrayLike, axis: int = -1, *, mode: str = "reflect", cval: float = 0.0, origin: int = 0
) -> Tensor:
    """Correlate along an axis with `weights`.

    Parameters
    ----------
    input : array
        Of any number of axes.
    weights : array of one axis
        The weights; the middle one multiplies the element at the position of the result.
    axis : int
        The axis to correlate along.
    mode : str
        How the array is continued beyond the edges: ``"reflect"``, ``"mirror"``, ``"nearest"``, ``"wrap"`` or ``"constant"``.
    cval : float
        The value beyond the edges if `mode` is ``"constant"``.
    origin : int
        The shift of the weights.

    Returns
    -------
    Tensor
        It has the shape of `input`.

    Raises
    ------
    ValueError
        If there is no such mode, `weights` does not have one axis, or `origin` is larger than half of it.

    Notes
    -----
    The gradient for `input` is the transposed map of `g`, also at the edges; for `weights`, the correlation of `g` with
    `input`.

    Examples
    --------
    >>> import xgrad
    >>> correlate1d(xgrad.Tensor([1.0, 2.0, 4.0]), [1.0, 0.0, -1.0])
    Tensor([-1., -3., -2.])
    """
    xp, x, w = floating(input, weights)
    if w.ndim != 1 or not w.size:
        raise ValueError(f"correlate1d: weights has shape {w.shape}; it must have one axis, and not be empty")
    shape = [1] * x.ndim
    shape[axis] = w.shape[0]
    return _correlate("correlate1d", xp, x, xp.reshape(w, tuple(shape)), mode, cval, [origin if n > 1 else 0 for n in shape])


def _correlate(name: str, xp: Any, x: Tensor, w: Tensor, mode: str, cval: float, origins: Sequence[int]) -> Tensor:
    mode = _mode(name, mode)
    if w.ndim != x.ndim:
        raise ValueError(f"{name}: weights has {w.ndim} axes and input {x.ndim}; they must have the same number of axes")
    longer = x
    for axis, (k, origin) in enumerate(zip(w.shape, origins)):
        before = k // 2 + origin
        if not 0 <= before < max(k, 1):
            raise ValueError(f"{name}: origin {origin} is too large for weights of length {k}")
        longer = padded(xp, longer, axis, before, k - 1 - before, mode, cval)
    total = None
    for start in itertools.product(*map(range, w.shape)):  # the sum of one shifted copy for each weight
        part = longer[tuple(slice(s, s + n) for s, n in zip(start, x.shape))] * w[start]
        total = part if total is None else total + part
    return xp.zeros_like(x) if total is None else total  # type: ignore[no-any-return]


def convolve1d(
    input: ArrayLike, weights: ArrayLike, axis: int = -1, *, mode: str = "reflect", cval: float = 0.0, origin: int = 0
) -> Tensor:
    """Convolve along an axis with `weights`: `correlate1d` with them reversed.

    >>> import xgrad
    >>> convolve1d(xgrad.Tensor([1.0, 2.0, 4.0]), [1.0, 0.0, -1.0])
    Tensor([1., 3., 2.])
    """
    xp, x, w = floating(input, weights)
    return correlate1d(x, xp.flip(w), axis, mode=mode, cval=cval, origin=_reversed(origin, w.shape[0] if w.ndim else 1))


def _reversed(origin: int, length: int) -> int:
    return -origin - (1 if length % 2 == 0 else 0)


def correlate(input: ArrayLike, weights: ArrayLike, *, mode: str = "reflect", cval: float = 0.0, origin: Any = 0) -> Tensor:
    """Correlate with an array of weights with the same number of axes; the other arguments are those of `correlate1d`.

    It adds a shifted copy for each weight, so use it for few weights; for many see `xgrad.scipy.signal.correlate`.

    >>> import xgrad
    >>> correlate(xgrad.eye(2), xgrad.Tensor([[0.0, 1.0], [0.0, 0.0]]), mode="constant")
    Tensor([[0., 0.],
            [1., 0.]])
    """
    xp, x, w = floating(input, weights)
    return _correlate("correlate", xp, x, w, mode, cval, _per_axis("correlate", origin, x.ndim))


def convolve(input: ArrayLike, weights: ArrayLike, *, mode: str = "reflect", cval: float = 0.0, origin: Any = 0) -> Tensor:
    """Convolve with an array of weights with the same number of axes: `correlate` with them reversed.

    >>> import xgrad
    >>> convolve(xgrad.eye(2), xgrad.Tensor([[0.0, 1.0], [0.0, 0.0]]), mode="constant")
    Tensor([[0., 1.],
            [0., 0.]])
    """
    xp, x, w = floating(input, weights)
    origins = [_reversed(o, n) for o, n in zip(_per_axis("convolve", origin, x.ndim), w.shape)]
    return _correlate("convolve", xp, x, xp.flip(w), mode, cval, origins)


def gaussian_filter1d(
    input: ArrayLike, sigma: ArrayLike, axis: int = -1, *, mode: str = "reflect", cval: float = 0.0, truncate: float = 4.0,
    radius: int | None = None,
) -> Tensor:  # fmt: skip
    """Smooth along an axis by a Gaussian of standard deviation `sigma`.

    Parameters
    ----------
    input, axis, mode, cval
        As in `correlate1d`.
    sigma : float or 0-d array
        The standard deviation. It may be a Tensor that requires grad.
    truncate : float
        The number of standard deviations at which the Gaussian is cut off.
    radius : int, optional
        The number of elements at which it is cut off, in place of `truncate`.

    Notes
    -----
    The gradient for `sigma` is that of the weights for a fixed radius; it jumps where the radius changes.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.round(gaussian_filter1d(xgrad.Tensor([0.0, 100.0, 0.0]), 0.5, mode="constant"))
    Tensor([11., 79., 11.])
    """
    xp, x = floating(input)
    sigma = sigma if isinstance(sigma, Tensor) else constant(x, sigma)
    radius = int(truncate * sigma.detach().item() + 0.5) if radius is None else radius
    offsets = xp.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
    weights = xp.exp(-0.5 * (offsets * offsets) / (sigma * sigma))
    return correlate1d(x, weights / xp.sum(weights), axis, mode=mode, cval=cval)


def gaussian_filter(
    input: ArrayLike, sigma: Any, *, mode: str = "reflect", cval: float = 0.0, truncate: float = 4.0, radius: Any = None,
    axes: Any = None,
) -> Tensor:  # fmt: skip
    """Smooth along several axes, by default all, with `gaussian_filter1d`.

    `sigma`, `mode` and `radius` are one value for all axes or a sequence with one for each.

    >>> import xgrad
    >>> xgrad.round(gaussian_filter(xgrad.ones((3, 3)), 1.0))
    Tensor([[1., 1., 1.],
            [1., 1., 1.],
            [1., 1., 1.]])
    """
    _, x = floating(input)
    axes = range(x.ndim) if axes is None else (axes,) if isinstance(axes, int) else axes
    each = (_per_axis("gaussian_filter", value, len(axes)) for value in (sigma, mode, radius))
    for axis, s, m, r in zip(axes, *each):
        if isinstance(s, Tensor) or s > 1e-15:
            x = gaussian_filter1d(x, s, axis, mode=m, cval=cval, truncate=truncate, radius=r)
    return x  # type: ignore[no-any-return]


def uniform_filter1d(
    input: ArrayLike, size: int, axis: int = -1, *, mode: str = "reflect", cval: float = 0.0, origin: int = 0
) -> Tensor:
    """The mean of `size` neighbours along an axis; the other arguments are those of `correlate1d`.

    >>> import xgrad
    >>> uniform_filter1d(xgrad.Tensor([3.0, 6.0, 9.0]), 3)
    Tensor([4., 6., 8.])
    """
    xp, x = floating(input)
    if size < 1:
        raise ValueError(f"uniform_filter1d: size must be 1 or more, not {size}")
    weights = xp.ones(size, dtype=x.dtype, device=x.device) / size
    return correlate1d(x, weights, axis, mode=mode, cval=cval, origin=origin)


def uniform_filter(
    input: ArrayLike, size: Any = 3, *, mode: str = "reflect", cval: float = 0.0, origin: Any = 0, axes: Any = None
) -> Tensor:
    """The mean of a box of neighbours; `size`, `mode` and `origin` are for all axes, or sequences with one for each.

    >>> import xgrad
    >>> uniform_filter(xgrad.Tensor([[1.0, 3.0]]), (1, 2))
    Tensor([[1., 2.]])
    """
    _, x = floating(input)
    axes = range(x.ndim) if axes is None else (axes,) if isinstance(axes, int) else axes
    each = (_per_axis("uniform_filter", value, len(axes)) for value in (size, mode, origin))
    for axis, n, m, o in zip(axes, *each):
        if n > 1:
            x = uniform_filter1d(x, n, axis, mode=m, cval=cval, origin=o)
    return x  # type: ignore[no-any-return]


def sobel(input: ArrayLike, axis: int = -1, *, mode: str = "reflect", cval: float = 0.0) -> Tensor:
    """The Sobel filter: a difference along `axis`, smoothed along the others.

    >>> import xgrad
    >>> sobel(xgrad.Tensor([1.0, 2.0, 4.0]))
    Tensor([1., 3., 2.])
    """
    return _difference(input, axis, (1.0, 2.0, 1.0), mode, cval)


def prewitt(input: ArrayLike, axis: int = -1, *, mode: str = "reflect", cval: float = 0.0) -> Tensor:
    """The Prewitt filter: a difference along `axis`, summed over neighbours along the others.

    >>> import xgrad
    >>> prewitt(xgrad.Tensor([1.0, 2.0, 4.0]))
    Tensor([1., 3., 2.])
    """
    return _difference(input, axis, (1.0, 1.0, 1.0), mode, cval)


def _difference(input: ArrayLike, axis: int, smooth: tuple[float, ...], mode: str, cval: float) -> Tensor:
    _, x = floating(input)
    y = correlate1d(x, (-1.0, 0.0, 1.0), axis, mode=mode, cval=cval)
    for other in range(x.ndim):
        if other != axis % x.ndim:
            y = correlate1d(y, smooth, other, mode=mode, cval=cval)
    return y


def laplace(input: ArrayLike, *, mode: str = "reflect", cval: float = 0.0) -> Tensor:
    """The sum of the second differences along all axes.

    >>> import xgrad
    >>> laplace(xgrad.Tensor([0.0, 1.0, 4.0]))
    Tensor([ 1.,  2., -3.])
    """
    xp, x = floating(input)
    parts = [correlate1d(x, (1.0, -2.0, 1.0), axis, mode=mode, cval=cval) for axis in range(x.ndim)]
    return sum(parts[1:], parts[0]) if parts else xp.zeros_like(x)  # type: ignore[no-any-return]


# ------------------------------------------------------------------------------------------------------ interpolation


def map_coordinates(
    input: ArrayLike, coordinates: ArrayLike, output: None = None, order: int = 3, mode: str = "constant", cval: float = 0.0,
) -> Tensor:  # fmt: skip
    """The values of an image at any coordinates, also between its elements.

    Parameters
    ----------
    input : array
        The image.
    coordinates : array of shape (input.ndim, ...)
        The positions to read, in elements along each axis.
    output : None
        Not supported: the result is returned.
    order : int
        0 for the nearest element, 1 for linear interpolation. SciPy's default, the spline of order 3, is not supported, so
        pass `order`.
    mode : str
        How the image is continued beyond the edges: ``"constant"`` (without interpolation between the edge and `cval`),
        ``"grid-constant"`` (with it), ``"nearest"``, ``"reflect"``, ``"mirror"`` or ``"grid-wrap"``.
    cval : float
        The value beyond the edges for the first two modes.

    Returns
    -------
    Tensor
        It has shape ``coordinates.shape[1:]``.

    Raises
    ------
    NotImplementedError
        If `order` is above 1, or `mode` is ``"wrap"``.
    ValueError
        If the shapes do not fit, or there is no such mode.
    TypeError
        If `output` is given.

    Notes
    -----
    For order 1, the gradient for `coordinates` is the slope between the elements; at an integer coordinate, the slope to its
    right. The gradient for `input` is `g` times the weights of the interpolation.

    Examples
    --------
    >>> import xgrad
    >>> map_coordinates(xgrad.Tensor([1.0, 3.0, 7.0]), xgrad.Tensor([[0.5, 1.25]]), order=1)
    Tensor([2., 4.])
    """
    if output is not None:
        raise TypeError(
            "map_coordinates: output is not supported; the result is returned. Pass the order of interpolation as order=1"
        )
    xp, x, at = floating(input, coordinates)
    if order not in (0, 1):
        raise NotImplementedError(f"map_coordinates: order={order} is not supported; pass order=1 or order=0")
    if mode == "wrap":
        raise NotImplementedError("map_coordinates: mode 'wrap' is not supported; pass mode='grid-wrap', which repeats the image")
    if at.ndim < 1 or at.shape[0] != x.ndim:
        raise ValueError(f"map_coordinates: coordinates has shape {at.shape}; its first axis must be {x.ndim} long")
    beyond = "nearest" if mode in ("constant", "grid-constant") else _mode("map_coordinates", mode)
    total: Any = None
    for corner in itertools.product((0, 1) if order else (0,), repeat=x.ndim):
        key, weight, inside = [], None, None
        for axis, (n, k) in enumerate(zip(x.shape, corner)):
            low = xp.floor(at[axis, ...]) if order else xp.floor(at[axis, ...] + 0.5)
            index = xp.astype(low, int64) + k
            key.append(_folded_indices(xp, index, n, beyond))
            w = (at[axis, ...] - low if k else 1 - (at[axis, ...] - low)) if order else xp.ones_like(low)
            weight = w if weight is None else weight * w
            inside_here = (index >= 0) & (index < n)
            inside = inside_here if inside is None else inside & inside_here
        value = x[tuple(key)]
        if mode == "grid-constant":
            value = xp.where(inside, value, constant(x, cval))
        part = value * weight
        total = part if total is None else total + part
    if mode == "constant":
        ends = [(at[axis, ...] >= 0) & (at[axis, ...] <= n - 1) for axis, n in enumerate(x.shape)]
        inside = ends[0]
        for other in ends[1:]:
            inside = inside & other
        total = xp.where(inside, total, constant(x, cval))
    return total  # type: ignore[no-any-return]


def _folded_indices(xp: Any, index: Tensor, n: int, mode: str) -> Tensor:
    """`_folded`, for an array of positions."""
    if mode == "nearest":
        return xp.clip(index, 0, n - 1)  # type: ignore[no-any-return]
    if mode == "wrap":
        return index % n
    period = 2 * n if mode == "reflect" else max(2 * n - 2, 1)
    index = index % period
    return xp.where(index < n, index, period - index - (1 if mode == "reflect" else 0))  # type: ignore[no-any-return]


def shift(
    input: ArrayLike, shift: ArrayLike, output: None = None, order: int = 3, mode: str = "constant", cval: float = 0.0,
) -> Tensor:  # fmt: skip
    """Shift an image along each axis, also by fractions of an element; `shift` may require grad.

    The other arguments are those of `map_coordinates`; pass ``order=1``.

    >>> import xgrad
    >>> import xgrad.scipy.ndimage
    >>> xgrad.scipy.ndimage.shift(xgrad.Tensor([1.0, 3.0, 7.0]), 0.5, order=1)
    Tensor([0., 2., 5.])
    """
    xp, x, by = floating(input, shift)
    by = xp.broadcast_to(by, (x.ndim,))
    grid = xp.meshgrid(*(xp.arange(n, dtype=x.dtype, device=x.device) for n in x.shape), indexing="ij")
    return map_coordinates(x, xp.stack(grid) - xp.reshape(by, (x.ndim, *[1] * x.ndim)), output, order, mode, cval)
