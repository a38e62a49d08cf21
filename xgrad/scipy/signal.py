"""Convolution, recursive filters, smoothing and resampling of signals, as in `scipy.signal`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..engine.define import op
from ..tensor.tensor import ArrayLike, Tensor
from .inputs import constant, floating, on_host, run, scipy_module, slices
from .ndimage import convolve1d, padded

__all__ = [
    "convolve", "convolve2d", "correlate", "correlate2d", "detrend", "fftconvolve", "filtfilt", "lfilter", "lfilter_zi",
    "resample_poly", "savgol_filter", "sosfilt", "upfirdn",
]  # fmt: skip


# --------------------------------------------------------------------------------------------------------- convolution


def convolve(in1: ArrayLike, in2: ArrayLike, mode: str = "full", method: str = "auto") -> Tensor:
    """The convolution of two arrays with the same number of axes, along all axes.

    Parameters
    ----------
    in1, in2 : array
        Real or complex.
    mode : str
        ``"full"``; ``"same"``, its middle part, of the shape of `in1`; or ``"valid"``, the part that needs no padding.
    method : str
        ``"auto"``, ``"direct"`` or ``"fft"``, as in SciPy. Each of them uses Fourier transforms here.

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        If the numbers of axes differ, if there is no such mode, or if neither array contains the other in ``"valid"`` mode.

    Notes
    -----
    The gradient for each array is the correlation of `g` with the other.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.round(convolve(xgrad.Tensor([1.0, 2.0, 3.0]), xgrad.Tensor([0.0, 1.0, 0.5]), mode="same"))
    Tensor([1., 2., 4.])
    """
    if method not in ("auto", "direct", "fft"):
        raise ValueError(f"convolve: method={method!r} is not one of 'auto', 'direct', 'fft'")
    return fftconvolve(in1, in2, mode)


def fftconvolve(in1: ArrayLike, in2: ArrayLike, mode: str = "full") -> Tensor:
    """The convolution of two arrays with the same number of axes by Fourier transforms; see `convolve`.

    >>> import xgrad
    >>> xgrad.round(fftconvolve(xgrad.Tensor([1.0, 2.0]), xgrad.Tensor([1.0, 1.0])))
    Tensor([1., 3., 2.])
    """
    xp, x, y = floating(in1, in2)
    if x.ndim != y.ndim:
        raise ValueError(f"convolve: in1 has {x.ndim} axes and in2 {y.ndim}; they must have the same number")
    if mode not in ("full", "same", "valid"):
        raise ValueError(f"convolve: mode={mode!r} is not one of 'full', 'same', 'valid'")
    if mode == "valid" and all(a <= b for a, b in zip(x.shape, y.shape)):
        x, y = y, x
    if mode == "valid" and not all(a >= b for a, b in zip(x.shape, y.shape)):
        raise ValueError(f"convolve: mode 'valid' needs one array to contain the other; their shapes are {x.shape} and {y.shape}")
    if not x.ndim:
        return x * y
    full = [a + b - 1 for a, b in zip(x.shape, y.shape)]
    if not x.size or not y.size:
        return xp.zeros((0,) * x.ndim, dtype=x.dtype, device=x.device)  # type: ignore[no-any-return]
    z = _full_convolution(xp, x, y, full, tuple(range(x.ndim)))
    if mode == "full":
        return z
    sizes = x.shape if mode == "same" else [a - b + 1 for a, b in zip(x.shape, y.shape)]
    return z[tuple(slice((n - m) // 2, (n - m) // 2 + m) for n, m in zip(full, sizes))]


def _full_convolution(xp: Any, x: Tensor, y: Tensor, sizes: Sequence[int], axes: tuple[int, ...]) -> Tensor:
    """The convolution along `axes`, in which the result has these sizes, by Fourier transforms; other axes broadcast."""
    forward, back = xp.fft.rfftn, xp.fft.irfftn
    if xp.isdtype(x.dtype, "complex floating"):
        forward, back = xp.fft.fftn, xp.fft.ifftn
    product = forward(x, s=sizes, axes=axes) * forward(y, s=sizes, axes=axes)
    return back(product, s=sizes, axes=axes)  # type: ignore[no-any-return]


def correlate(in1: ArrayLike, in2: ArrayLike, mode: str = "full", method: str = "auto") -> Tensor:
    """The cross-correlation of two arrays: `convolve` with `in2` reversed and conjugated.

    >>> import xgrad
    >>> xgrad.round(correlate(xgrad.Tensor([1.0, 2.0, 3.0]), xgrad.Tensor([0.0, 1.0]), mode="valid"))
    Tensor([2., 3.])
    """
    xp, x, y = floating(in1, in2)
    swapped = mode == "valid" and x.ndim == y.ndim and x.shape != y.shape and all(a <= b for a, b in zip(x.shape, y.shape))
    if swapped:  # then the result is reversed
        z = convolve(y, xp.conj(xp.flip(x)), mode, method)
        return xp.conj(xp.flip(z))  # type: ignore[no-any-return]
    return convolve(x, xp.conj(xp.flip(y)), mode, method)


def convolve2d(in1: ArrayLike, in2: ArrayLike, mode: str = "full", boundary: str = "fill", fillvalue: float = 0) -> Tensor:
    """The convolution of two matrices.

    Parameters
    ----------
    in1, in2 : array of two axes
        Real or complex.
    mode : str
        As in `convolve`.
    boundary : str
        How `in1` is continued beyond the edges: ``"fill"``, with `fillvalue`; ``"wrap"``, with itself; ``"symm"``, with its
        mirror image.
    fillvalue : float
        The value beyond the edges for ``"fill"``.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.round(convolve2d(xgrad.ones((2, 2)), xgrad.ones((2, 2)), boundary="wrap", mode="same"))
    Tensor([[4., 4.],
            [4., 4.]])
    """
    xp, x, y = floating(in1, in2)
    if x.ndim != 2 or y.ndim != 2:
        raise ValueError(f"convolve2d: in1 and in2 must have two axes; their shapes are {x.shape} and {y.shape}")
    modes = {"fill": "constant", "wrap": "wrap", "symm": "reflect"}
    if boundary not in modes:
        raise ValueError(f"convolve2d: boundary={boundary!r} is not one of 'fill', 'wrap', 'symm'")
    if mode == "valid" or (boundary == "fill" and fillvalue == 0):
        return fftconvolve(x, y, mode)
    full = x
    for axis, n in enumerate(y.shape):
        full = padded(xp, full, axis, n - 1, n - 1, modes[boundary], fillvalue)
    z = fftconvolve(full, y, "valid")
    if mode == "full":
        return z
    return z[tuple(slice((k - 1) // 2, (k - 1) // 2 + n) for n, k in zip(x.shape, y.shape))]  # type: ignore[no-any-return]


def correlate2d(in1: ArrayLike, in2: ArrayLike, mode: str = "full", boundary: str = "fill", fillvalue: float = 0) -> Tensor:
    """The cross-correlation of two matrices: `convolve2d` with `in2` reversed and conjugated.

    >>> import xgrad
    >>> xgrad.round(correlate2d(xgrad.eye(2), xgrad.eye(2), mode="valid"))
    Tensor([[2.]])
    """
    xp, x, y = floating(in1, in2)
    if mode == "same":
        full = correlate2d(x, y, "full", boundary, fillvalue)
        return full[tuple(slice(k // 2, k // 2 + n) for n, k in zip(x.shape, y.shape))]  # type: ignore[no-any-return]
    if mode == "valid":
        return correlate(x, y, mode)
    return convolve2d(x, xp.conj(xp.flip(y)), mode, boundary, fillvalue)


# ----------------------------------------------------------------------------------------------------- recursive filters


@op(override=True)
def recursive_filter(xp: Any, b: ArrayLike, a: ArrayLike, x: ArrayLike, /) -> Tensor:
    """`lfilter` along the last axis, by SciPy on the host; the first element of `a` is not read but taken as 1."""

    def forward(b: Any, a: Any, x: Any) -> Any:
        a[0] = 1
        return lfilter(b, a, x) if x.size else x

    lfilter = scipy_module("signal", "lfilter").lfilter
    return on_host(xp, forward, b, a, x)


def _adjoint_filter(xp: Any, b: Any, a: Any, g: Any) -> Any:
    return xp.flip(run(xp, recursive_filter, xp.conj(b), xp.conj(a), xp.flip(g, axis=-1)), axis=-1)


def _lags(xp: Any, g: Any, w: Any, count: int) -> Any:
    """``sum_n g_n conj(w_(n - k))``, summed over all axes, for `count` lags `k`."""
    n = w.shape[-1]
    return xp.stack([xp.sum(g[..., min(k, n) :] * xp.conj(w[..., : max(n - k, 0)])) for k in range(count)])


def _back_to_b(xp: Any, g: Any, b: Any, a: Any, x: Any) -> Any:
    return _lags(xp, g, run(xp, recursive_filter, xp.ones_like(a[:1]), a, x), b.shape[0])


def _back_to_a(xp: Any, g: Any, a: Any, y: Any) -> Any:
    d = -_lags(xp, g, run(xp, recursive_filter, xp.ones_like(a[:1]), a, y), a.shape[0])
    return xp.concat([xp.zeros_like(d[:1]), d[1:]])


def _change_by_a(xp: Any, t: Any, a: Any, y: Any) -> Any:
    return -run(xp, recursive_filter, xp.concat([xp.zeros_like(t[:1]), t[1:]]), a, y)


recursive_filter.vjp(b=_back_to_b, a=_back_to_a, x=lambda xp, g, b, a: _adjoint_filter(xp, b, a, g))
recursive_filter.linear("b", "x")
recursive_filter.jvp(a=_change_by_a)


def lfilter(b: ArrayLike, a: ArrayLike, x: ArrayLike, axis: int = -1, zi: ArrayLike | None = None) -> Any:
    """Filter along an axis with the rational transfer function ``b / a``.

    Parameters
    ----------
    b, a : array of one axis
        The coefficients; both are divided by ``a[0]``.
    x : array
        The signal.
    axis : int
        The axis to filter along.
    zi : array, optional
        The initial state of the delays (of the transposed direct form II). Its length is ``max(len(a), len(b)) - 1`` along the
        axis, and that of `x` along the others.

    Returns
    -------
    y : Tensor
        The filtered signal, of the shape of `x`.
    zf : Tensor
        The final state; only if `zi` is passed.

    Raises
    ------
    ValueError
        If `b` or `a` does not have one axis, or `zi` has another shape.
    ModuleNotFoundError
        If SciPy is not installed; its loop filters, on the host.

    Notes
    -----
    The gradient for `x` is `g` filtered backwards by the same filter; for `b` and `a`, the correlations of `g` with `x` and
    `-y`, filtered by ``1 / a``. These are filters too, so derivatives of any order exist.

    Examples
    --------
    >>> import xgrad
    >>> lfilter([1.0], [1.0, -0.5], xgrad.Tensor([1.0, 0.0, 0.0]))
    Tensor([1.  , 0.5 , 0.25])
    """
    xp, b, a, x, *state = floating(*((b, a, x) if zi is None else (b, a, x, zi)))
    if b.ndim != 1 or a.ndim != 1 or not b.size or not a.size:
        raise ValueError(f"lfilter: b {b.shape} and a {a.shape} must have one axis, and not be empty")
    b, a = b / a[0], a / a[0]
    x = xp.moveaxis(x, axis, -1)
    y = recursive_filter(b, a, x)
    if zi is None:
        return xp.moveaxis(y, -1, axis)
    order = max(a.shape[0], b.shape[0]) - 1
    initial = xp.moveaxis(state[0], axis, -1)
    if initial.shape != (*x.shape[:-1], order):
        raise ValueError(f"lfilter: zi has length {initial.shape[-1]} along the axis, or other axes than x; it must be {order}")
    # The response to the initial state is that of the filter 1 / a to the state as a signal.
    length = x.shape[-1]
    signal = xp.pad(initial, ((0, 0),) * (x.ndim - 1) + ((0, max(length - order, 0)),))
    y = y + recursive_filter(xp.ones_like(a[:1]), a, signal)[..., :length]
    return xp.moveaxis(y, -1, axis), xp.moveaxis(_final_state(xp, b, a, x, y, initial, order), -1, axis)


def _final_state(xp: Any, b: Tensor, a: Tensor, x: Tensor, y: Tensor, initial: Tensor, order: int) -> Tensor:
    """The state of the delays after the signal `x` with the output `y`, along the last axis."""
    length = x.shape[-1]
    b, a = (xp.pad(c, ((0, order + 1 - c.shape[0]),)) for c in (b, a))
    states = []
    for m in range(order):
        state = initial[..., m + length] if m + length < order else xp.zeros_like(initial[..., 0])
        for k in range(m + 1, min(order, m + length) + 1):  # delay m has the k-m-th element from the end, times coefficient k
            last = length - (k - m)
            state = state + b[k] * x[..., last] - a[k] * y[..., last]
        states.append(state)
    return xp.stack(states, axis=-1) if states else initial  # type: ignore[no-any-return]


def lfilter_zi(b: ArrayLike, a: ArrayLike) -> Tensor:
    """The initial state `zi` for `lfilter` with which the response to a step is constant.

    >>> import xgrad
    >>> lfilter_zi([1.0], xgrad.Tensor([1.0, -0.5]))
    Tensor([1.])
    """
    xp, b, a = floating(b, a)
    b, a = b / a[0], a / a[0]
    order = max(a.shape[0], b.shape[0]) - 1
    b, a = (xp.pad(c, ((0, order + 1 - c.shape[0]),)) for c in (b, a))
    if not order:
        return b[1:]  # type: ignore[no-any-return]
    # The delays' equations, z_k = b_k + z_(k + 1) - a_k (b_0 + z_0), for a constant input of 1.
    system = xp.eye(order, dtype=a.dtype, device=a.device) - xp.eye(order, k=1, dtype=a.dtype, device=a.device)
    system = system + xp.concat([a[1:, None], xp.zeros((order, order - 1), dtype=a.dtype, device=a.device)], axis=1)
    return xp.linalg.solve(system, (b[1:] - a[1:] * b[0])[:, None])[:, 0]  # type: ignore[no-any-return]


def filtfilt(
    b: ArrayLike, a: ArrayLike, x: ArrayLike, axis: int = -1, padtype: str | None = "odd", padlen: int | None = None
) -> Tensor:
    """Filter forward and backward: the effect of `lfilter` twice, without a delay.

    Parameters
    ----------
    b, a, x, axis
        As in `lfilter`.
    padtype : "odd", "even", "constant" or None
        How the signal is continued beyond its ends.
    padlen : int, optional
        The number of elements to add at each end; by default three times the number of coefficients.

    Raises
    ------
    ValueError
        If the axis is not longer than `padlen`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.round(filtfilt([0.5, 0.5], [1.0], xgrad.Tensor([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0])))
    Tensor([1., 2., 3., 4., 5., 6., 7.])
    """
    xp, b, a, x = floating(b, a, x)
    length = 0 if padtype is None else 3 * max(a.shape[0], b.shape[0]) if padlen is None else padlen
    x = xp.moveaxis(x, axis, -1)
    if x.shape[-1] <= length:
        raise ValueError(f"filtfilt: the axis has {x.shape[-1]} elements; it must have more than padlen, {length}")
    longer, zi = _extended(xp, x, padtype, length), lfilter_zi(b, a)
    for _ in range(2):
        longer, _ = lfilter(b, a, longer, zi=zi * longer[..., :1])
        longer = xp.flip(longer, axis=-1)
    return xp.moveaxis(longer[..., length : length + x.shape[-1]], -1, axis)  # type: ignore[no-any-return]


def _extended(xp: Any, x: Tensor, padtype: str | None, length: int) -> Tensor:
    """`x` with `length` more elements at each end of the last axis."""
    if not length:
        return x
    first, last = x[..., :1], x[..., -1:]
    left, right = xp.flip(x[..., 1 : length + 1], axis=-1), xp.flip(x[..., -length - 1 : -1], axis=-1)
    if padtype == "odd":
        left, right = 2 * first - left, 2 * last - right
    elif padtype == "constant":
        left, right = first + 0 * left, last + 0 * right
    elif padtype != "even":
        raise ValueError(f"filtfilt: padtype={padtype!r} is not one of 'odd', 'even', 'constant', None")
    return xp.concat([left, x, right], axis=-1)  # type: ignore[no-any-return]


def sosfilt(sos: ArrayLike, x: ArrayLike, axis: int = -1, zi: ArrayLike | None = None) -> Any:
    """Filter along an axis with several second-order sections in turn.

    Parameters
    ----------
    sos : array of shape (n, 6)
        The coefficients `b` and `a` of each section.
    x, axis
        As in `lfilter`.
    zi : array, optional
        The initial states, of shape ``(n, ..., 2, ...)``: that of `x`, but 2 along the axis.

    Returns
    -------
    y : Tensor
        The filtered signal, of the shape of `x`.
    zf : Tensor
        The final states; only if `zi` is passed.

    Examples
    --------
    >>> import xgrad
    >>> sosfilt([[1.0, 0.0, 0.0, 1.0, -0.5, 0.0]], xgrad.Tensor([1.0, 0.0, 0.0]))
    Tensor([1.  , 0.5 , 0.25])
    """
    xp, sos, x, *state = floating(*((sos, x) if zi is None else (sos, x, zi)))
    if sos.ndim != 2 or sos.shape[1] != 6:
        raise ValueError(f"sosfilt: sos has shape {sos.shape}; it must be (n, 6)")
    finals = []
    for k in range(sos.shape[0]):
        if zi is None:
            x = lfilter(sos[k, :3], sos[k, 3:], x, axis)
        else:
            x, final = lfilter(sos[k, :3], sos[k, 3:], x, axis, state[0][k, ...])
            finals.append(final)
    return x if zi is None else (x, xp.stack(finals))


# ---------------------------------------------------------------------------------------------- smoothing and resampling


def detrend(data: ArrayLike, axis: int = -1, type: str = "linear") -> Tensor:
    """The signal minus its mean (``type="constant"``) or its regression line (``"linear"``) along an axis.

    >>> import xgrad
    >>> detrend(xgrad.Tensor([1.0, 2.0, 6.0]), type="constant")
    Tensor([-2., -1.,  3.])
    """
    xp, x = floating(data)
    if type not in ("linear", "constant", "l", "c"):
        raise ValueError(f"detrend: type={type!r} is not one of 'linear', 'constant'")
    x = xp.moveaxis(x, axis, -1)
    n = x.shape[-1]
    y = x - xp.mean(x, axis=-1, keepdims=True)
    if type[0] == "l" and n > 1:
        time = xp.arange(n, dtype=x.dtype, device=x.device) - (n - 1) / 2
        time = time * (12 / (n * (n * n - 1))) ** 0.5  # of norm 1
        y = y - xp.sum(y * time, axis=-1, keepdims=True) * time
    return xp.moveaxis(y, -1, axis)  # type: ignore[no-any-return]


def savgol_filter(
    x: ArrayLike, window_length: int, polyorder: int, deriv: int = 0, delta: float = 1.0, axis: int = -1, mode: str = "interp",
    cval: float = 0.0,
) -> Tensor:  # fmt: skip
    """Smooth by the Savitzky-Golay filter: the value or a derivative of the polynomial that fits best in each window.

    Parameters
    ----------
    x : array
        The signal.
    window_length, polyorder, deriv, delta, axis, mode, cval
        As in `scipy.signal.savgol_filter`; SciPy computes the coefficients.

    Returns
    -------
    Tensor
        It has the shape of `x`.

    Notes
    -----
    It is linear in `x`: the gradient is the transposed map of `g`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.round(savgol_filter(xgrad.Tensor([1.0, 4.0, 9.0, 16.0, 25.0]), 3, 2))
    Tensor([ 1.,  4.,  9., 16., 25.])
    """
    scipy = scipy_module("signal", "savgol_filter")
    xp, x = floating(x)
    fit = {"polyorder": polyorder, "deriv": deriv, "delta": delta}
    if mode != "interp":
        weights = constant(x, scipy.savgol_coeffs(window_length, **fit))
        return convolve1d(x, weights, axis, mode=mode, cval=cval)
    x = xp.moveaxis(x, axis, -1)
    if window_length > x.shape[-1]:
        raise ValueError(
            f"savgol_filter: with mode 'interp', window_length {window_length} must not be larger than the axis, {x.shape[-1]}"
        )
    half = window_length // 2
    middle = convolve1d(x, constant(x, scipy.savgol_coeffs(window_length, **fit)), -1)
    # At the ends, the polynomials of the first and the last window give all elements.
    rows = [scipy.savgol_coeffs(window_length, **fit, pos=k, use="dot").tolist() for k in range(window_length)]
    first = xp.matmul(x[..., :window_length], constant(x, rows[:half] or [[0.0] * window_length]).mT)[..., :half]
    last = xp.matmul(x[..., -window_length:], constant(x, rows[window_length - half :] or rows[:1]).mT)[..., :half]
    y = xp.concat([first, middle[..., half : x.shape[-1] - half], last], axis=-1)
    return xp.moveaxis(y, -1, axis)  # type: ignore[no-any-return]


def upfirdn(h: ArrayLike, x: ArrayLike, up: int = 1, down: int = 1, axis: int = -1) -> Tensor:
    """Put ``up - 1`` zeros after each element, convolve with `h`, and take every `down`-th element.

    >>> import xgrad
    >>> xgrad.round(upfirdn(xgrad.Tensor([1.0, 1.0]), xgrad.Tensor([1.0, 2.0, 3.0]), up=2))
    Tensor([1., 1., 2., 2., 3., 3.])
    """
    xp, h, x = floating(h, x)
    if h.ndim != 1 or not h.size or up < 1 or down < 1:
        raise ValueError(
            f"upfirdn: h {h.shape} must have one axis and one element or more; up={up} and down={down} must be 1 or more"
        )
    x = xp.moveaxis(x, axis, -1)
    spread = xp.pad(x[..., None], ((0, 0),) * x.ndim + ((0, up - 1),))
    spread = xp.reshape(spread, (*x.shape[:-1], x.shape[-1] * up))[..., : (x.shape[-1] - 1) * up + 1]
    y = _full_convolution(xp, h, spread, [h.shape[0] + spread.shape[-1] - 1], (-1,))[..., ::down]
    return xp.moveaxis(y, -1, axis)  # type: ignore[no-any-return]


def resample_poly(x: ArrayLike, up: int, down: int, axis: int = 0, window: Any = ("kaiser", 5.0)) -> Tensor:
    """Change the sampling rate by ``up / down`` along an axis, with a low-pass filter that SciPy designs.

    Parameters
    ----------
    x : array
        The signal; it is zero beyond its ends.
    up, down : int
        The factors, 1 or more.
    axis : int
        The axis to resample along.
    window : str, tuple or array
        The window to design the filter with, as in `scipy.signal.firwin`; or the filter's coefficients.

    Returns
    -------
    Tensor
        It has ``ceil(n * up / down)`` elements along the axis.

    Examples
    --------
    >>> import xgrad
    >>> resample_poly(xgrad.ones(4), 2, 1).shape
    (8,)
    """
    xp, x = floating(x)
    n, common = x.shape[axis], math.gcd(up, down)
    up, down = up // common, down // common
    if up == down:
        return x * 1
    if isinstance(window, (str, tuple)):
        half = 10 * max(up, down)
        h = constant(x, scipy_module("signal", "resample_poly").firwin(2 * half + 1, 1 / max(up, down), window=window))
    else:
        h = window if isinstance(window, Tensor) else constant(x, window)
        half = (h.shape[0] - 1) // 2
    length = -(-n * up // down)
    before = -half % down  # then the middle of the filter is at an element that is kept
    start = (half + before) // down
    after = (start + length - 1) * down + 1 - ((n - 1) * up + before + h.shape[0])
    y = upfirdn(xp.pad(h * up, ((before, max(after, 0)),)), x, up, down, axis)
    return y[slices(y.ndim, axis, start, start + length)]
