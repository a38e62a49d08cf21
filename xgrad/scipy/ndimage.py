"""Images of any number of axes, `scipy.ndimage`'s: filters, and interpolation of order 0 and 1."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from .. import ops
from ..tensor.tensor import ArrayLike, Tensor
from .inputs import constant, floating

__all__ = [
    "convolve", "convolve1d", "correlate", "correlate1d", "gaussian_filter", "gaussian_filter1d", "laplace",
    "map_coordinates", "prewitt", "shift", "sobel", "uniform_filter", "uniform_filter1d", "padded",
]  # fmt: skip

_ALIKE = {"grid-mirror": "reflect", "grid-wrap": "wrap", "grid-constant": "constant"}
_MODES = ("reflect", "mirror", "nearest", "wrap", "constant")


# -------------------------------------------------------------------------------------------------------------- edges


def _folded(k: int, n: int, mode: str) -> int:
    """The element that stands at place `k`, perhaps beyond the edges, of `n` elements."""
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
    """`x` with `before` and `after` more elements along an axis, those that `mode` puts beyond the edges."""
    n = x.shape[axis]
    if not n or not (before or after):
        return x
    if mode == "constant":
        sizes = [(*x.shape[:axis], k, *x.shape[axis + 1 :]) for k in (before, after)]
        left, right = (xp.zeros(size, dtype=x.dtype, device=x.device) + cval for size in sizes)
        return xp.concat([left, x, right], axis=axis)  # type: ignore[no-any-return]
    places = [_folded(k, n, mode) for k in range(-before, n + after)]
    return xp.take(x, constant(x, places, ops.int64), axis=axis)  # type: ignore[no-any-return]


def _mode(name: str, mode: str) -> str:
    mode = _ALIKE.get(mode, mode)
    if mode not in _MODES:
        raise ValueError(f"{name}: mode={mode!r} is not one of {', '.join(map(repr, _MODES))}")
    return mode


def _per_axis(name: str, value: Any, ndim: int) -> list[Any]:
    """`value` for each axis: one for all, or a sequence of one for each."""
    values = list(value) if isinstance(value, (list, tuple)) else [value] * ndim
    if len(values) != ndim:
        raise ValueError(f"{name}: {len(values)} values are given for {ndim} axes")
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
        The weights; the middle one falls on each element.
    axis : int
        Along which axis.
    mode : str
        What stands beyond the edges: ``"reflect"``, ``"mirror"``, ``"nearest"``, ``"wrap"`` or ``"constant"``.
    cval : float
        What stands there if `mode` is ``"constant"``.
    origin : int
        By how much the weights are shifted.

    Returns
    -------
    Tensor
        Of the shape of `input`.

    Raises
    ------
    ValueError
        If there is no such mode, `weights` has not one axis, or `origin` reaches beyond it.

    Notes
    -----
    The gradient to `input` is `g` through the transposed map, also at the edges; to `weights`, the correlation of `g` with
    `input`.

    Examples
    --------
    >>> import xgrad
    >>> correlate1d(xgrad.Tensor([1.0, 2.0, 4.0]), [1.0, 0.0, -1.0])
    Tensor([-1., -3., -2.])
    """
    xp, x, w = floating(input, weights)
    if w.ndim != 1 or not w.size:
        raise ValueError(f"correlate1d: weights has shape {w.shape}; it must have one axis, and elements")
    shape = [1] * x.ndim
    shape[axis] = w.shape[0]
    return _correlate("correlate1d", xp, x, xp.reshape(w, tuple(shape)), mode, cval, [origin if n > 1 else 0 for n in shape])


def _correlate(name: str, xp: Any, x: Tensor, w: Tensor, mode: str, cval: float, origins: Sequence[int]) -> Tensor:
    mode = _mode(name, mode)
    if w.ndim != x.ndim:
        raise ValueError(f"{name}: weights has {w.ndim} axes and input {x.ndim}; they must have as many")
    longer = x
    for axis, (k, origin) in enumerate(zip(w.shape, origins)):
        before = k // 2 + origin
        if not 0 <= before < max(k, 1):
            raise ValueError(f"{name}: origin {origin} reaches beyond weights of length {k}")
        longer = padded(xp, longer, axis, before, k - 1 - before, mode, cval)
    total = None
    for start in itertools.product(*map(range, w.shape)):  # a sum of shifted copies, one for each weight
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
    """Correlate with an array of weights of as many axes; the other arguments are those of `correlate1d`.

    It adds a shifted copy for each weight, so it is for small ones; for large ones see `xgrad.scipy.signal.correlate`.

    >>> import xgrad
    >>> correlate(xgrad.eye(2), xgrad.Tensor([[0.0, 1.0], [0.0, 0.0]]), mode="constant")
    Tensor([[0., 0.],
            [1., 0.]])
    """
    xp, x, w = floating(input, weights)
    return _correlate("correlate", xp, x, w, mode, cval, _per_axis("correlate", origin, x.ndim))


def convolve(input: ArrayLike, weights: ArrayLike, *, mode: str = "reflect", cval: float = 0.0, origin: Any = 0) -> Tensor:
    """Convolve with an array of weights of as many axes: `correlate` with them reversed.

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
        The standard deviation; may be a Tensor that requires grad.
    truncate : float
        At how many standard deviations the Gaussian is cut off.
    radius : int, optional
        At how many elements instead.

    Notes
    -----
    The gradient to `sigma` is that of the weights for a fixed radius, which jumps where another one is chosen.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.round(gaussian_filter1d(xgrad.Tensor([0.0, 100.0, 0.0]), 0.5, mode="constant"))
    Tensor([11., 79., 11.])
    """
    xp, x = floating(input)
    sigma = sigma if isinstance(sigma, Tensor) else constant(x, sigma)
    radius = int(truncate * sigma.detach().item() + 0.5) if radius is None else radius
    places = xp.arange(-radius, radius + 1, dtype=x.dtype, device=x.device)
    weights = xp.exp(-0.5 * (places * places) / (sigma * sigma))
    return correlate1d(x, weights / xp.sum(weights), axis, mode=mode, cval=cval)


def gaussian_filter(
    input: ArrayLike, sigma: Any, *, mode: str = "reflect", cval: float = 0.0, truncate: float = 4.0, radius: Any = None,
    axes: Any = None,
) -> Tensor:  # fmt: skip
    """Smooth along several axes, all of them by default; `sigma`, `mode` and `radius` may be given for each axis.

    See `gaussian_filter1d`.

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
    """The mean of a box of neighbours; `size`, `mode` and `origin` may be given for each axis.

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
    """The values of an image at any coordinates, between its elements too.

    Parameters
    ----------
    input : array
        The image.
    coordinates : array of shape (input.ndim, ...)
        Where to read it, in elements along each axis.
    output : None
        Where SciPy writes the result; here it is returned.
    order : int
        0, the nearest element, or 1, linearly between the nearest. SciPy's default, the spline of order 3, is not there:
        pass one of these.
    mode : str
        What stands beyond the edges: ``"constant"`` (there is no interpolation between the edge and `cval`),
        ``"grid-constant"`` (there is), ``"nearest"``, ``"reflect"``, ``"mirror"`` or ``"grid-wrap"``.
    cval : float
        For the first two.

    Returns
    -------
    Tensor
        Of shape ``coordinates.shape[1:]``.

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
    The gradient to `coordinates` is the slope between the elements, for order 1; where a coordinate is an integer, the slope
    to its right. To `input` it goes with the weights of the interpolation.

    Examples
    --------
    >>> import xgrad
    >>> map_coordinates(xgrad.Tensor([1.0, 3.0, 7.0]), xgrad.Tensor([[0.5, 1.25]]), order=1)
    Tensor([2., 4.])
    """
    if output is not None:
        raise TypeError("map_coordinates: output is not there; the result is returned, and the order of interpolation is order=1")
    xp, x, at = floating(input, coordinates)
    if order not in (0, 1):
        raise NotImplementedError(f"map_coordinates: order={order} is not there; pass order=1 or order=0")
    if mode == "wrap":
        raise NotImplementedError("map_coordinates: mode 'wrap' is not there; pass mode='grid-wrap', which repeats the image")
    if at.ndim < 1 or at.shape[0] != x.ndim:
        raise ValueError(f"map_coordinates: coordinates has shape {at.shape}; its first axis must be {x.ndim} long")
    beyond = "nearest" if mode in ("constant", "grid-constant") else _mode("map_coordinates", mode)
    total: Any = None
    for corner in itertools.product((0, 1) if order else (0,), repeat=x.ndim):
        key, weight, inside = [], None, None
        for axis, (n, k) in enumerate(zip(x.shape, corner)):
            low = xp.floor(at[axis, ...]) if order else xp.floor(at[axis, ...] + 0.5)
            place = xp.astype(low, ops.int64) + k
            key.append(_folded_places(xp, place, n, beyond))
            w = (at[axis, ...] - low if k else 1 - (at[axis, ...] - low)) if order else xp.ones_like(low)
            weight = w if weight is None else weight * w
            here = (place >= 0) & (place < n)
            inside = here if inside is None else inside & here
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


def _folded_places(xp: Any, place: Tensor, n: int, mode: str) -> Tensor:
    """`_folded`, on an array of places."""
    if mode == "nearest":
        return xp.clip(place, 0, n - 1)  # type: ignore[no-any-return]
    if mode == "wrap":
        return place % n
    period = 2 * n if mode == "reflect" else max(2 * n - 2, 1)
    place = place % period
    return xp.where(place < n, place, period - place - (1 if mode == "reflect" else 0))  # type: ignore[no-any-return]


def shift(
    input: ArrayLike, shift: ArrayLike, output: None = None, order: int = 3, mode: str = "constant", cval: float = 0.0,
) -> Tensor:  # fmt: skip
    """An image shifted by any number of elements along each axis; `shift` may require grad.

    The other arguments are those of `map_coordinates`: pass ``order=1``.

    >>> import xgrad
    >>> import xgrad.scipy.ndimage
    >>> xgrad.scipy.ndimage.shift(xgrad.Tensor([1.0, 3.0, 7.0]), 0.5, order=1)
    Tensor([0., 2., 5.])
    """
    xp, x, by = floating(input, shift)
    by = xp.broadcast_to(by, (x.ndim,))
    grid = xp.meshgrid(*(xp.arange(n, dtype=x.dtype, device=x.device) for n in x.shape), indexing="ij")
    return map_coordinates(x, xp.stack(grid) - xp.reshape(by, (x.ndim, *[1] * x.ndim)), output, order, mode, cval)
