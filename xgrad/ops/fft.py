"""The standard's extension `fft`: discrete Fourier transforms.

Each transform is a linear map. Its gradient is the adjoint map, which is another transform: the adjoint of a sum with
``exp(-i)`` is the sum with ``exp(+i)`` over the other index, with the dual norm. Elements that were cut off get the gradient
zero, and the gradient of zeros that were filled in is dropped. Half a spectrum represents a whole one whose other half is its
mirror image, so in the adjoint of a function of half a spectrum, each frequency counts twice unless it is its own mirror image.

In the sections below, ``norm'`` is the dual norm: "forward" for "backward" and vice versa.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..backend.dtypes import get_default_dtype
from ..engine.define import op
from ..engine.namespaces import creates
from ..tensor.tensor import ArrayLike, Tensor
from .parts.axes import axes_from_0, check_axis

__all__ = [
    "fft", "fftfreq", "fftn", "fftshift", "hfft", "ifft", "ifftn", "ifftshift", "ihfft", "irfft", "irfftn", "rfft",
    "rfftfreq", "rfftn",
]  # fmt: skip

DUAL = {"backward": "forward", "ortho": "ortho", "forward": "backward"}

Axes = Sequence[int] | None


# ----------------------------------------------------------------------------------------------------------- arguments


def _complex(name: str, xp: Any, x: Any) -> Any:
    """`x`, converted to the complex dtype of its precision."""
    if xp.isdtype(x.dtype, "complex floating"):
        return x
    return xp.astype(_floating(name, xp, x), xp.result_type(x.dtype, xp.complex64))


def _real(name: str, xp: Any, x: Any) -> Any:
    if xp.isdtype(x.dtype, "complex floating"):
        raise TypeError(f"{name}: x has data type {x.dtype}, but {name} takes real arrays; use fft or ifft for complex ones")
    return _floating(name, xp, x)


def _floating(name: str, xp: Any, x: Any) -> Any:
    if not xp.isdtype(x.dtype, ("real floating", "complex floating")):
        raise TypeError(f"{name}: x has data type {x.dtype}; convert it to a floating-point one with xgrad.astype first")
    return x


def _one(name: str, x: Any, n: int | None, axis: int, norm: str, *, half: bool = False) -> dict[str, Any]:
    """The keyword arguments of a transform along one axis; with `half`, of one that takes half a spectrum."""
    if n is not None and n < 1:
        raise ValueError(f"{name}: n={n}; a transform needs at least one element")
    s, axes = _several(name, x, None if n is None else (n,), (axis,), norm, half=half)
    return {"n": s[0], "axis": axes[0], "norm": norm}


def _several(name: str, x: Any, s: Axes, axes: Axes, norm: str, *, half: bool = False) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The lengths and the axes of a transform. A length of -1 is that of `x` or, with `half`, of the whole signal."""
    shape = tuple(x.shape)
    if norm not in DUAL:
        raise ValueError(f"{name}: norm={norm!r}; it may be {', '.join(map(repr, DUAL))}")
    if s is not None and (axes is None or len(s) != len(axes)):
        raise ValueError(f"{name}: s={s} and axes={axes}; s needs an axis for each of its lengths")
    check_axis(name, *(axes or ()))
    if any(not -len(shape) <= i < len(shape) for i in axes or ()):
        raise ValueError(f"{name}: x has shape {shape}, but the axes are {tuple(axes or ())}")
    if len({i % len(shape) for i in axes or ()}) != len(axes or ()):
        raise ValueError(f"{name}: axes={axes} names an axis twice")
    along = _from_0(axes, len(shape))
    if not along:
        raise ValueError(f"{name}: there is no axis to transform along; x has shape {shape} and axes={axes}")
    lengths = list(s or (-1,) * len(along))
    for k, i in enumerate(along):
        if lengths[k] == -1:
            lengths[k] = 2 * (shape[i] - 1) if half and k == len(along) - 1 else shape[i]
        if lengths[k] < 1:
            cause = f"x has shape {shape}, so the length along axis {i} is {lengths[k]}" if s is None else f"s={s}"
            raise ValueError(f"{name}: {cause}; a transform needs at least one element along each axis")
    return tuple(lengths), along


def _from_0(axes: Axes, ndim: int) -> tuple[int, ...]:
    return axes_from_0(None if axes is None else tuple(axes), ndim)


# ----------------------------------------------------------------------------------------------------- parts of the rules


def _fitted(xp: Any, d: Any, shape: tuple[int, ...]) -> Any:
    """The adjoint of cutting or padding an array of `shape` to the shape of `d`."""
    if tuple(d.shape) == tuple(shape):
        return d
    if any(m > n for m, n in zip(d.shape, shape)):
        d = d[tuple(slice(0, min(m, n)) for m, n in zip(d.shape, shape))]
    return xp.pad(d, tuple((0, n - m) for m, n in zip(d.shape, shape)))


def _mirrored(xp: Any, d: Any, n: int, axis: int) -> Any:
    """Half the spectrum of a signal of length `n`, doubled except at the frequencies 0 and n / 2, their own mirror images."""
    like = xp.real(d)
    k = xp.arange(d.shape[axis], device=d.device if isinstance(d, Tensor) else xp.__backend__.device(d))
    weight = 2 - xp.astype((k == 0) | (2 * k == n), like.dtype)
    return d * xp.reshape(weight, tuple(-1 if i == axis % d.ndim else 1 for i in range(d.ndim)))


# --------------------------------------------------------------------------------------------------------- along one axis


@op
def fft(xp: Any, x: ArrayLike, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The discrete Fourier transform, ``y[k] = sum_j x[j] exp(-2 pi i j k / n)``.

    Parameters
    ----------
    x : array
        Of complex data type, or of a real floating-point one.
    n : int, optional
        Cut `x` to this length, or pad it with zeros; the length of `x` if not given.
    axis : int
        The axis to transform.
    norm : {"backward", "ortho", "forward"}
        Divide by nothing, by ``sqrt(n)`` or by ``n``.

    Returns
    -------
    Tensor
        Of length `n` along `axis`, and complex with the precision of `x`.

    Raises
    ------
    ValueError
        If there is no such axis or norm, or `n` is less than 1.
    TypeError
        If `x` is not of floating-point data type.

    Notes
    -----
    The gradient is ``ifft(g, norm=norm')``, cut or padded to the length of `x`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.fft.fft(xgrad.Tensor([1.0, 2.0, 3.0, 4.0]))
    Tensor([10.+0.j, -2.+2.j, -2.+0.j, -2.-2.j]...)
    """
    return xp.fft.fft(_complex("fft", xp, x), **_one("fft", x, n, axis, norm))


fft.vjp(x=lambda xp, g, x_shape, axis, norm: _fitted(xp, xp.fft.ifft(g, axis=axis, norm=DUAL[norm]), x_shape))
fft.linear()


@op
def ifft(xp: Any, x: ArrayLike, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The inverse of `fft`, ``y[j] = sum_k x[k] exp(2 pi i j k / n) / n``.

    Parameters, data types and errors are those of `fft`, except for

    norm : {"backward", "ortho", "forward"}
        Divide by ``n``, by ``sqrt(n)`` or by nothing.

    Notes
    -----
    The gradient is ``fft(g, norm=norm')``, cut or padded to the length of `x`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.fft.ifft(xgrad.Tensor([4.0, 0.0, 0.0, 0.0]))
    Tensor([1.+0.j, 1.+0.j, 1.+0.j, 1.+0.j]...)
    """
    return xp.fft.ifft(_complex("ifft", xp, x), **_one("ifft", x, n, axis, norm))


ifft.vjp(x=lambda xp, g, x_shape, axis, norm: _fitted(xp, xp.fft.fft(g, axis=axis, norm=DUAL[norm]), x_shape))
ifft.linear()


@op
def rfft(xp: Any, x: ArrayLike, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The first half, ``n // 2 + 1`` elements, of the `fft` of a real array; the other half is its mirror image.

    Parameters and errors are those of `fft`, but `x` must be real.

    Returns
    -------
    Tensor
        Of length ``n // 2 + 1`` along `axis`, and complex with the precision of `x`.

    Notes
    -----
    The gradient is the real part of ``ifft(g, n=n, norm=norm')``, cut or padded to the length of `x`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.fft.rfft(xgrad.Tensor([1.0, 2.0, 3.0, 4.0]))
    Tensor([10.+0.j, -2.+2.j, -2.+0.j]...)
    """
    return xp.fft.rfft(_real("rfft", xp, x), **_one("rfft", x, n, axis, norm))


def _whole(of: str) -> Any:
    """The rule of a function that returns half the spectrum of a real signal; `of` fills the other half with zeros."""

    def rule(xp: Any, g: Any, x_shape: Any, n: int | None, axis: int, norm: str) -> Any:
        n = x_shape[axis] if n is None else n
        return _fitted(xp, getattr(xp.fft, of)(g, n=n, axis=axis, norm=DUAL[norm]), x_shape)

    return rule


rfft.vjp(x=_whole("ifft"))
rfft.linear()


@op
def irfft(xp: Any, x: ArrayLike, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The inverse of `rfft`: a real array from the first half of its spectrum.

    Elements at frequency 0, and for even `n` at ``n / 2``, belong to real numbers; their imaginary part is ignored.

    Parameters
    ----------
    x : array
        As for `fft`; cut or padded to length ``n // 2 + 1``.
    n : int, optional
        The length of the result; by default ``2 (m - 1)`` for an `x` of length ``m``. Give it if it is odd.
    axis : int
        The axis to transform.
    norm : {"backward", "ortho", "forward"}
        Divide by ``n``, by ``sqrt(n)`` or by nothing.

    Returns
    -------
    Tensor
        Of length `n` along `axis`, and real with the precision of `x`.

    Raises
    ------
    ValueError, TypeError
        As `fft` does.

    Notes
    -----
    The gradient is ``w rfft(g, norm=norm')``, cut or padded to the length of `x`, where ``w`` is 1 at frequency 0 and
    at ``n / 2``, and 2 elsewhere.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.fft.irfft(xgrad.Tensor([10.0, -2 + 2j, -2.0]))
    Tensor([1., 2., 3., 4.])
    """
    return xp.fft.irfft(_complex("irfft", xp, x), **_one("irfft", x, n, axis, norm, half=True))


def _half(of: str) -> Any:
    """The rule of a function that takes half a spectrum, with the transform `of`."""

    def rule(xp: Any, g: Any, x_shape: Any, axis: int, norm: str) -> Any:
        d = getattr(xp.fft, of)(g, axis=axis, norm=DUAL[norm])
        return _fitted(xp, _mirrored(xp, d, g.shape[axis], axis), x_shape)

    return rule


irfft.vjp(x=_half("rfft"))
irfft.linear()


@op
def hfft(xp: Any, x: ArrayLike, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The real spectrum of a signal that is its own mirror image, from the first half of the signal.

    It is ``irfft(conj(x), n=n, norm=norm')``. Parameters, data types and errors are those of `irfft`, except for

    norm : {"backward", "ortho", "forward"}
        Divide by nothing, by ``sqrt(n)`` or by ``n``.

    Notes
    -----
    The gradient is ``w ihfft(g, norm=norm')``, cut or padded to the length of `x`; ``w`` as for `irfft`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.fft.hfft(xgrad.Tensor([1.0, 2j, 0.0]))
    Tensor([ 1.,  5.,  1., -3.])
    """
    return xp.fft.hfft(_complex("hfft", xp, x), **_one("hfft", x, n, axis, norm, half=True))


hfft.vjp(x=_half("ihfft"))
hfft.linear()


@op
def ihfft(xp: Any, x: ArrayLike, /, *, n: int | None = None, axis: int = -1, norm: str = "backward") -> Tensor:
    """The inverse of `hfft`: the first half of the signal whose spectrum is real.

    It is ``conj(rfft(x, n=n, norm=norm'))``. Parameters, data types and errors are those of `rfft`, except for

    norm : {"backward", "ortho", "forward"}
        Divide by ``n``, by ``sqrt(n)`` or by nothing.

    Notes
    -----
    The gradient is the real part of ``fft(g, n=n, norm=norm')``, cut or padded to the length of `x`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.fft.ihfft(xgrad.Tensor([1.0, 5.0, 1.0, -3.0]))
    Tensor([1...0.j, 0.+2.j, 0...0.j]...)
    """
    return xp.fft.ihfft(_real("ihfft", xp, x), **_one("ihfft", x, n, axis, norm))


ihfft.vjp(x=_whole("fft"))
ihfft.linear()


# ----------------------------------------------------------------------------------------------------- along several axes


@op
def fftn(xp: Any, x: ArrayLike, /, *, s: Axes = None, axes: Axes = None, norm: str = "backward") -> Tensor:
    """`fft` along several axes.

    Parameters
    ----------
    x : array
        Of complex data type, or of a real floating-point one.
    s : sequence of int, optional
        The length to cut or pad to, for each of `axes`; -1 is the length of `x`.
    axes : sequence of int, optional
        The axes to transform, each once; all axes if not given.
    norm : {"backward", "ortho", "forward"}
        Divide by nothing, by ``sqrt(n)`` or by ``n``, where ``n`` is the product of the lengths.

    Returns
    -------
    Tensor
        Of the lengths `s` along `axes`, and complex with the precision of `x`.

    Raises
    ------
    ValueError
        If there is no such axis or norm, an axis is named twice, a length is less than 1, or `s` comes without `axes`.
    TypeError
        If `x` is not of floating-point data type.

    Notes
    -----
    The gradient is ``ifftn(g, axes=axes, norm=norm')``, cut or padded to the shape of `x`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.fft.fftn(xgrad.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([[10.+0.j, -2.+0.j],
            [-4.+0.j,  0.+0.j]]...)
    """
    s, axes = _several("fftn", x, s, axes, norm)
    return xp.fft.fftn(_complex("fftn", xp, x), s=s, axes=axes, norm=norm)


fftn.vjp(x=lambda xp, g, x_shape, axes, norm: _fitted(xp, xp.fft.ifftn(g, axes=axes, norm=DUAL[norm]), x_shape))
fftn.linear()


@op
def ifftn(xp: Any, x: ArrayLike, /, *, s: Axes = None, axes: Axes = None, norm: str = "backward") -> Tensor:
    """The inverse of `fftn`: `ifft` along several axes.

    Parameters, data types and errors are those of `fftn`, except for

    norm : {"backward", "ortho", "forward"}
        Divide by ``n``, by ``sqrt(n)`` or by nothing, where ``n`` is the product of the lengths.

    Notes
    -----
    The gradient is ``fftn(g, axes=axes, norm=norm')``, cut or padded to the shape of `x`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.fft.ifftn(xgrad.Tensor([[4.0, 0.0], [0.0, 0.0]]))
    Tensor([[1.+0.j, 1.+0.j],
            [1.+0.j, 1.+0.j]]...)
    """
    s, axes = _several("ifftn", x, s, axes, norm)
    return xp.fft.ifftn(_complex("ifftn", xp, x), s=s, axes=axes, norm=norm)


ifftn.vjp(x=lambda xp, g, x_shape, axes, norm: _fitted(xp, xp.fft.fftn(g, axes=axes, norm=DUAL[norm]), x_shape))
ifftn.linear()


@op
def rfftn(xp: Any, x: ArrayLike, /, *, s: Axes = None, axes: Axes = None, norm: str = "backward") -> Tensor:
    """`rfft` along the last of `axes`, then `fft` along the others.

    Parameters and errors are those of `fftn`, but `x` must be real.

    Returns
    -------
    Tensor
        Of the lengths `s` along `axes`, except ``s[-1] // 2 + 1`` along the last of them; complex with the precision of `x`.

    Notes
    -----
    The gradient is the real part of ``ifftn(g, s=s, axes=axes, norm=norm')``, cut or padded to the shape of `x`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.fft.rfftn(xgrad.ones((2, 5))).shape
    (2, 3)
    """
    s, axes = _several("rfftn", x, s, axes, norm)
    return xp.fft.rfftn(_real("rfftn", xp, x), s=s, axes=axes, norm=norm)


def _rfftn_x(xp: Any, g: Any, x_shape: tuple[int, ...], s: Axes, axes: Axes, norm: str) -> Any:
    axes = _from_0(axes, g.ndim)
    last = x_shape[axes[-1]] if s is None or s[-1] == -1 else s[-1]
    lengths = (*(g.shape[i] for i in axes[:-1]), last)
    return _fitted(xp, xp.fft.ifftn(g, s=lengths, axes=axes, norm=DUAL[norm]), x_shape)


rfftn.vjp(x=_rfftn_x)
rfftn.linear()


@op
def irfftn(xp: Any, x: ArrayLike, /, *, s: Axes = None, axes: Axes = None, norm: str = "backward") -> Tensor:
    """The inverse of `rfftn`: `ifft` along all of `axes` but the last, then `irfft` along the last.

    Parameters
    ----------
    x : array
        As for `fftn`; cut or padded to length ``s[-1] // 2 + 1`` along the last of `axes`.
    s : sequence of int, optional
        The lengths of the result along `axes`; -1 is the length of `x`, or for the last axis ``2 (m - 1)`` for length ``m``.
    axes : sequence of int, optional
        The axes to transform, each once; all axes if not given.
    norm : {"backward", "ortho", "forward"}
        Divide by ``n``, by ``sqrt(n)`` or by nothing, where ``n`` is the product of the lengths.

    Returns
    -------
    Tensor
        Of the lengths `s` along `axes`, and real with the precision of `x`.

    Raises
    ------
    ValueError, TypeError
        As `fftn` does.

    Notes
    -----
    The gradient is ``w rfftn(g, axes=axes, norm=norm')``, cut or padded to the shape of `x`; ``w`` as for `irfft`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.fft.irfftn(xgrad.ones((2, 3)), s=(2, 5), axes=(0, 1)).shape
    (2, 5)
    """
    s, axes = _several("irfftn", x, s, axes, norm, half=True)
    return xp.fft.irfftn(_complex("irfftn", xp, x), s=s, axes=axes, norm=norm)


def _irfftn_x(xp: Any, g: Any, x_shape: tuple[int, ...], axes: Axes, norm: str) -> Any:
    last = _from_0(axes, g.ndim)[-1]
    d = xp.fft.rfftn(g, axes=axes, norm=DUAL[norm])
    return _fitted(xp, _mirrored(xp, d, g.shape[last], last), x_shape)


irfftn.vjp(x=_irfftn_x)
irfftn.linear()


# ----------------------------------------------------------------------------------------------------- frequencies, shifts


@op
def fftshift(xp: Any, x: ArrayLike, /, *, axes: int | Sequence[int] | None = None) -> Tensor:
    """`x` with frequency 0, which is the first element of an `fft`, moved to the middle.

    Parameters
    ----------
    x : array
        Of floating-point data type.
    axes : int or sequence of int, optional
        The axes to shift; all axes if not given.

    Returns
    -------
    Tensor
        Of the shape and dtype of `x`.

    Notes
    -----
    The gradient is ``ifftshift(g, axes=axes)``.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.fft.fftshift(xgrad.Tensor([0.0, 1.0, 2.0, -2.0, -1.0]))
    Tensor([-2., -1.,  0.,  1.,  2.])
    """
    return xp.fft.fftshift(x, axes=axes)


fftshift.vjp(x=lambda xp, g, axes: xp.fft.ifftshift(g, axes=axes))
fftshift.linear()


@op
def ifftshift(xp: Any, x: ArrayLike, /, *, axes: int | Sequence[int] | None = None) -> Tensor:
    """The inverse of `fftshift`; the two differ where a length is odd.

    Parameters and result are those of `fftshift`.

    Notes
    -----
    The gradient is ``fftshift(g, axes=axes)``.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.fft.ifftshift(xgrad.Tensor([-2.0, -1.0, 0.0, 1.0, 2.0]))
    Tensor([ 0.,  1.,  2., -2., -1.])
    """
    return xp.fft.ifftshift(x, axes=axes)


ifftshift.vjp(x=lambda xp, g, axes: xp.fft.fftshift(g, axes=axes))
ifftshift.linear()


@creates
def fftfreq(xp: Any, n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    """The frequencies of the elements of an `fft`: ``0, 1, ...``, then the negative ones up to -1, over ``n d``.

    Parameters
    ----------
    n : int
        The length of the transform.
    d : float
        The distance between samples.
    dtype : optional
        Real floating-point; the default data type if not given.
    device : optional
        The device of the result.

    Returns
    -------
    Tensor
        Of shape ``(n,)``.

    Raises
    ------
    ValueError
        If `n` is less than 1.
    TypeError
        If `dtype` is not a real floating-point one.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.fft.fftfreq(5, d=0.2)
    Tensor([ 0.,  1.,  2., -2., -1.])
    """
    half = n // 2
    return _frequencies("fftfreq", xp, n, d, dtype, lambda: (xp.arange(n, device=device) + half) % n - half)


@creates
def rfftfreq(xp: Any, n: int, /, *, d: float = 1.0, dtype: Any = None, device: Any = None) -> Tensor:
    """The frequencies of the elements of an `rfft`: ``0, 1, ..., n // 2`` over ``n d``.

    Parameters and errors are those of `fftfreq`.

    Returns
    -------
    Tensor
        Of shape ``(n // 2 + 1,)``.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.fft.rfftfreq(4)
    Tensor([0.  , 0.25, 0.5 ])
    """
    return _frequencies("rfftfreq", xp, n, d, dtype, lambda: xp.arange(n // 2 + 1, device=device))


def _frequencies(name: str, xp: Any, n: int, d: float, dtype: Any, numbers: Any) -> Any:
    if n < 1:
        raise ValueError(f"{name}: n={n}; a transform needs at least one element")
    dtype = xp.__backend__.native_dtype(get_default_dtype()) if dtype is None else dtype
    if not xp.isdtype(dtype, "real floating"):
        raise TypeError(f"{name}: dtype is {dtype}; frequencies need a real floating-point dtype")
    return xp.astype(numbers(), dtype) / (n * d)
