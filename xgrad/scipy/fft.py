"""Discrete cosine and sine transforms of types 1 to 4, as in `scipy.fft`.

Each is a Fourier transform between two rotations: with ``c = 2 Re`` for cosines and ``-2 Im`` for sines,
``y_k = c(post_k sum_n pre_n x_n exp(-2 pi i k n / M))``. The product of the two shifted indices in
``cos(pi (k + s) (n + t) / N)`` is ``k n + k t + s n + s t``; the last three terms give the rotations.

This module is also a backend of `scipy.fft`: in ``with scipy.fft.set_backend(xgrad.scipy.fft):``, SciPy's own functions of
these names take Tensors.
"""

from __future__ import annotations

import inspect
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import ops
from ..tensor.tensor import ArrayLike, Tensor
from .inputs import floating, slices

__all__ = ["dct", "dctn", "dst", "dstn", "idct", "idctn", "idst", "idstn"]

__ua_domain__ = "numpy.scipy.fft"


def __ua_function__(method: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:  # noqa: N807
    """Do the work of SciPy's function `method`, or return NotImplemented to leave it to the next backend of `scipy.fft`."""
    arguments = inspect.signature(method).bind(*args, **kwargs).arguments
    if method.__name__ not in __all__ or not isinstance(arguments["x"], Tensor):
        return NotImplemented
    function = globals()[method.__name__]
    return function(**{name: value for name, value in arguments.items() if name not in ("overwrite_x", "workers")})


_SHIFTS = {
    "cos": {1: (0.0, 0.0, -1), 2: (0.0, 0.5, 0), 3: (0.5, 0.0, 0), 4: (0.5, 0.5, 0)},
    "sin": {1: (1.0, 1.0, 1), 2: (1.0, 0.5, 0), 3: (0.5, 1.0, 0), 4: (0.5, 0.5, 0)},
}
"""By family and type: the shifts s and t of the indices k and n, and what is added to the length N."""
_HALVED: dict[str, dict[int, tuple[tuple[int, ...], tuple[int, ...]]]] = {
    "cos": {1: ((0, -1), (0, -1)), 2: ((), (0,)), 3: ((0,), ()), 4: ((), ())},
    "sin": {1: ((), ()), 2: ((), (-1,)), 3: ((-1,), ()), 4: ((), ())},
}
"""By family and type: which elements of the input, and of the output, have half the weight (with the orthogonal norm, the
square root of a half): 0 is the first, -1 the last."""
_INVERSE = {1: 1, 2: 3, 3: 2, 4: 4}
"""The type of the inverse, by type."""
_INVERSE_NORM = {None: "forward", "backward": "forward", "forward": "backward", "ortho": "ortho"}
"""The norm of the inverse, by norm."""


def _transform(
    family: str, x: Tensor, type: int, n: int | None, axis: int, norm: str | None, orthogonalize: bool | None
) -> Tensor:
    name = "dct" if family == "cos" else "dst"
    if type not in _SHIFTS[family]:
        raise ValueError(f"{name}: type={type!r} is not one of 1, 2, 3, 4")
    if norm not in _INVERSE_NORM:
        raise ValueError(f"{name}: norm={norm!r} is not one of 'backward', 'ortho', 'forward'")
    xp, x = floating(x)
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"{name}: axis {axis} is out of range for an array of {x.ndim} axes")
    if xp.isdtype(x.dtype, "complex floating"):
        parts = [_transform(family, part, type, n, axis, norm, orthogonalize) for part in (xp.real(x), xp.imag(x))]
        return parts[0] + 1j * parts[1]  # type: ignore[no-any-return]
    x = _resized(xp.moveaxis(x, axis, -1), n)
    size = x.shape[-1]
    s, t, extra = _SHIFTS[family][type]
    period = size + extra
    if period < 1:
        raise ValueError(f"{name}: type {type} needs more than {size} element(s) along the axis")
    orthogonal = _is_orthogonal(norm, orthogonalize)
    before, after = _HALVED[family][type]
    x = x * _weights(x, size, before, math.sqrt(0.5) if orthogonal else 0.5)
    y = _rotated_fourier(xp, x, family, s, t, period)
    if orthogonal:
        y = y * _weights(y, size, after, math.sqrt(0.5))
    scale = {"ortho": 1 / math.sqrt(2 * period), "forward": 1 / (2 * period)}.get(norm or "", 1.0)
    return xp.moveaxis(y * scale, -1, axis)  # type: ignore[no-any-return]


def _rotated_fourier(xp: Any, x: Tensor, family: str, s: float, t: float, period: int) -> Tensor:
    """``2 sum_n x_n cos(pi (k + s) (n + t) / period)``, or with the sine, along the last axis."""
    size = x.shape[-1]
    index = xp.arange(size, dtype=x.dtype, device=x.device)
    angles = (index * t + s * t) * (math.pi / period), index * (s * math.pi / period)
    post, pre = (xp.cos(angle) - 1j * xp.sin(angle) for angle in angles)
    rotated = post * xp.fft.fft(pre * x, n=2 * period, axis=-1)[..., :size]
    return 2 * xp.real(rotated) if family == "cos" else -2 * xp.imag(rotated)  # type: ignore[no-any-return]


def _weights(x: Tensor, size: int, indices: tuple[int, ...], weight: float) -> Tensor | float:
    """Ones, but `weight` at `indices`, which may be negative."""
    if not indices:
        return 1.0
    numbers = [weight if k in [index % size for index in indices] else 1.0 for k in range(size)]
    return x.__array_namespace__().asarray(numbers, dtype=x.dtype, device=x.device)  # type: ignore[no-any-return]


def _resized(x: Tensor, n: int | None) -> Tensor:
    """`x` cut or padded with zeros to `n` elements along the last axis."""
    size = x.shape[-1]
    if n is None or n == size:
        return x
    if n < 1:
        raise ValueError(f"invalid number of data points ({n}) specified")
    if n < size:
        return x[slices(x.ndim, -1, n)]
    return ops.pad(x, ((0, 0),) * (x.ndim - 1) + ((0, n - size),))


def dct(
    x: ArrayLike,
    type: int = 2,
    n: int | None = None,
    axis: int = -1,
    norm: str | None = None,
    *,
    orthogonalize: bool | None = None,
) -> Tensor:
    """The discrete cosine transform along an axis, as `scipy.fft.dct` has it.

    Parameters
    ----------
    x : array
        Real or complex.
    type : int
        1, 2, 3 or 4.
    n : int, optional
        The length to cut or pad the axis to.
    axis : int
        The axis to transform.
    norm : str, optional
        ``"backward"`` (the default), ``"ortho"`` or ``"forward"``.
    orthogonalize : bool, optional
        Whether to use the orthogonal variant; the default is to use it if `norm` is ``"ortho"``.

    Returns
    -------
    Tensor
        It has the shape of `x`, or `n` elements along the axis.

    Raises
    ------
    ValueError
        If `type`, `norm`, `axis` or `n` is not a possible one.

    Notes
    -----
    The transform is linear; its gradient is the transposed transform of `g`. Derivatives of any order exist.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.round(dct(xgrad.Tensor([1.0, 0.0, 0.0])))
    Tensor([2., 2., 1.])
    """
    return _transform("cos", x, type, n, axis, norm, orthogonalize)


def idct(
    x: ArrayLike,
    type: int = 2,
    n: int | None = None,
    axis: int = -1,
    norm: str | None = None,
    *,
    orthogonalize: bool | None = None,
) -> Tensor:
    """The inverse of `dct`; its arguments are those of `dct`.

    >>> import xgrad
    >>> idct(dct(xgrad.Tensor([1.0, 2.0, 3.0])))
    Tensor([1., 2., 3.])
    """
    return _transform(
        "cos", x, _INVERSE.get(type, type), n, axis, _INVERSE_NORM.get(norm, norm), _is_orthogonal(norm, orthogonalize)
    )


def dst(
    x: ArrayLike,
    type: int = 2,
    n: int | None = None,
    axis: int = -1,
    norm: str | None = None,
    *,
    orthogonalize: bool | None = None,
) -> Tensor:
    """The discrete sine transform along an axis, as `scipy.fft.dst` has it; its arguments are those of `dct`.

    >>> import xgrad
    >>> xgrad.round(dst(xgrad.Tensor([1.0, 0.0, 0.0]), type=1))
    Tensor([1., 2., 1.])
    """
    return _transform("sin", x, type, n, axis, norm, orthogonalize)


def idst(
    x: ArrayLike,
    type: int = 2,
    n: int | None = None,
    axis: int = -1,
    norm: str | None = None,
    *,
    orthogonalize: bool | None = None,
) -> Tensor:
    """The inverse of `dst`; its arguments are those of `dct`.

    >>> import xgrad
    >>> xgrad.round(idst(dst(xgrad.Tensor([1.0, 2.0, 3.0]))))
    Tensor([1., 2., 3.])
    """
    return _transform(
        "sin", x, _INVERSE.get(type, type), n, axis, _INVERSE_NORM.get(norm, norm), _is_orthogonal(norm, orthogonalize)
    )


def _is_orthogonal(norm: str | None, orthogonalize: bool | None) -> bool:
    return norm == "ortho" if orthogonalize is None else orthogonalize


def _integers(transform: Any, value: Any, name: str) -> tuple[int, ...] | None:
    """An integer, or a sequence or array of them, as a tuple."""
    if value is None:
        return None
    try:
        return tuple(map(operator.index, value)) if hasattr(value, "__len__") else (operator.index(value),)
    except TypeError:
        raise ValueError(f"{transform.__name__}n: {name} must be a scalar or iterable of integers, not {value!r}") from None


def _along_axes(transform: Any, x: Any, type: int, s: Any, axes: Any, norm: str | None, orthogonalize: bool | None) -> Tensor:
    """Apply the one-dimensional `transform` along each of several axes."""
    _, x = floating(x)
    s, axes = _integers(transform, s, "s"), _integers(transform, axes, "axes")
    lengths: Sequence[int | None] = s or ()
    if axes is None:
        axes = range(-len(lengths), 0) if lengths else range(x.ndim)
    if lengths and len(lengths) != len(axes):
        raise ValueError(f"{transform.__name__}n: s has {len(lengths)} lengths for {len(axes)} axes")
    for axis, n in zip(axes, lengths or [None] * len(axes)):
        x = transform(x, type, n, axis, norm, orthogonalize=orthogonalize)
    return x  # type: ignore[no-any-return]


def dctn(
    x: ArrayLike, type: int = 2, s: Any = None, axes: Any = None, norm: str | None = None, *, orthogonalize: bool | None = None
) -> Tensor:
    """The discrete cosine transform along several axes, all of them by default: `dct` along each, to the lengths `s`.

    >>> import xgrad
    >>> dctn(xgrad.ones((2, 2)))
    Tensor([[16.,  0.],
            [ 0.,  0.]])
    """
    return _along_axes(dct, x, type, s, axes, norm, orthogonalize)


def idctn(
    x: ArrayLike, type: int = 2, s: Any = None, axes: Any = None, norm: str | None = None, *, orthogonalize: bool | None = None
) -> Tensor:
    """The inverse of `dctn`.

    >>> import xgrad
    >>> idctn(dctn(xgrad.ones((2, 2))))
    Tensor([[1., 1.],
            [1., 1.]])
    """
    return _along_axes(idct, x, type, s, axes, norm, orthogonalize)


def dstn(
    x: ArrayLike, type: int = 2, s: Any = None, axes: Any = None, norm: str | None = None, *, orthogonalize: bool | None = None
) -> Tensor:
    """The discrete sine transform along several axes, all of them by default: `dst` along each, to the lengths `s`.

    >>> import xgrad
    >>> xgrad.round(dstn(xgrad.ones((2, 2))))
    Tensor([[8., 0.],
            [0., 0.]])
    """
    return _along_axes(dst, x, type, s, axes, norm, orthogonalize)


def idstn(
    x: ArrayLike, type: int = 2, s: Any = None, axes: Any = None, norm: str | None = None, *, orthogonalize: bool | None = None
) -> Tensor:
    """The inverse of `dstn`.

    >>> import xgrad
    >>> xgrad.round(idstn(dstn(xgrad.ones((2, 2)))))
    Tensor([[1., 1.],
            [1., 1.]])
    """
    return _along_axes(idst, x, type, s, axes, norm, orthogonalize)
