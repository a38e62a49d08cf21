"""Softmax, its logarithm, and the logarithm of a sum of exponentials."""

from __future__ import annotations

import math
from typing import Any

from ...backend.find import device_of
from ...backend.fusing import fusable
from ...backend.precision import in_float32
from ...engine.define import op
from ...graph.kinds import is_complex, takes_real
from ...tensor.tensor import ArrayLike, Tensor
from ..parts.axes import Axes, axes_from_0, kept_shape
from ..parts.safe import one_where

__all__ = ["label_positions", "log_softmax", "logsumexp", "shifted_terms", "softmax"]


# ------------------------------------------------------------------------------------------------- sums of exponentials


def _peak(xp: Any, x: Any, axis: Axes) -> Any:
    """The maximum along `axis`, or 0 where it is infinite. It is subtracted before ``exp``."""
    return _finite(xp, xp.max(x, axis=axis, keepdims=True))


def _finite(xp: Any, peak: Any) -> Any:
    return xp.where(xp.isfinite(peak), peak, xp.zeros_like(peak))


@fusable
def shifted_terms(xp: Any, x: Any, peak: Any) -> tuple[Any, Any]:
    """``x - peak`` and its exponential."""
    shifted = x - peak
    return shifted, xp.exp(shifted)


@fusable
def _guarded_terms(xp: Any, x: Any, peak: Any) -> tuple[Any, Any]:
    """As `shifted_terms`; an infinite maximum is not subtracted."""
    shifted = x - _finite(xp, peak)
    return shifted, xp.exp(shifted)


def _terms(xp: Any, x: Any, axis: Axes) -> tuple[Any, Any]:
    return _guarded_terms(xp, x, xp.max(x, axis=axis, keepdims=True))


@fusable
def _quotient(xp: Any, terms: Any, rest: Any) -> Any:
    return terms / (1 + rest)


@op
def exponential_rest(xp: Any, shifted: ArrayLike, terms: ArrayLike, /, axis: Axes) -> Tensor:
    """The sum of `terms` along `axis`, less 1, where `terms` is ``exp(shifted)`` and the maximum of `shifted` is 0.

    A term of the maximum, which is 1, is left out; added to it, a small rest would lose its digits before the logarithm. Where
    all terms are 0, the rest is 0 too, so that logarithms and quotients of ``1 + rest`` are finite.

    >>> import xgrad
    >>> exponential_rest(xgrad.Tensor([0.0, 0.0, -20.0]), xgrad.Tensor([1.0, 1.0, 2e-9]), -1)
    Tensor([1.])
    """
    ties = xp.sum(xp.astype(shifted == 0, terms.dtype), axis=axis, keepdims=True) - 1
    return xp.sum(xp.zero_where_not(terms, shifted != 0), axis=axis, keepdims=True) + xp.maximum(ties, xp.zeros_like(ties))


exponential_rest.not_differentiable()


@op(override=True)
@in_float32
def logsumexp(xp: Any, x: ArrayLike, /, *, axis: Axes = None, keepdims: bool = False) -> Tensor:
    """``log(sum(exp(x)))`` along `axis`, without overflow.

    Parameters
    ----------
    x : array
        Real or complex floating.
    axis : int, tuple of int or None
        The axes to sum over; all of them by default.
    keepdims : bool
        Whether to keep these axes, with length 1.

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
    shape = kept_shape(x.shape, axis)
    if 0 in x.shape and 0 not in shape:
        y = xp.zeros_like(xp.sum(x, axis=axis, keepdims=True)) - math.inf
    elif is_complex(xp, x):
        peak = _peak(xp, xp.real(x), axis)
        total = xp.sum(xp.exp(x - peak), axis=axis, keepdims=True)
        y = xp.where(total == 0, xp.full_like(total, -math.inf), xp.log(one_where(xp, total == 0, total)) + peak)
    else:
        peak = xp.max(x, axis=axis, keepdims=True)
        y = _log_total(xp, xp.exponential_rest(*_guarded_terms(xp, x, peak), axis), peak)
    return y if keepdims else xp.squeeze(y, axis=axes_from_0(axis, len(shape)))


@fusable
def _log_total(xp: Any, rest: Any, peak: Any) -> Any:
    return xp.log1p(rest) + peak


def _shares(xp: Any, x: Any, y: Any, axis: Axes) -> Any:
    """``exp(x - y)``, the share of each term in the sum whose logarithm is `y`."""
    if not is_complex(xp, x):
        return xp.softmax(x, axis=axis)
    y = xp.reshape(y, kept_shape(x.shape, axis))
    none = xp.real(y) == -math.inf
    return xp.exp(x - xp.where(none, xp.zeros_like(y), y))


@in_float32
def _logsumexp_x(xp: Any, g: Any, x: Any, y: Any, axis: Axes) -> Any:
    return xp.reshape(g, kept_shape(x.shape, axis)) * _shares(xp, x, y, axis)


@in_float32
def _logsumexp_change(xp: Any, t: Any, x: Any, y: Any, axis: Axes, keepdims: bool) -> Any:
    return xp.sum(t * _shares(xp, x, y, axis), axis=axis, keepdims=keepdims)


logsumexp.holomorphic(x=_logsumexp_x)
logsumexp.jvp(x=_logsumexp_change)


@op(override=True)
@takes_real
@in_float32
def softmax(xp: Any, x: ArrayLike, /, *, axis: Axes = -1) -> Tensor:
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
    axes_from_0(axis, x.ndim)  # raises if there is no such axis, also for an empty array
    if 0 in x.shape:
        return xp.exp(x)
    shifted, terms = _terms(xp, x, axis)
    return _quotient(xp, terms, xp.exponential_rest(shifted, terms, axis))


def _from_top(xp: Any, v: Any, p: Any, axis: Axes) -> Any:
    """`v` less its element at the largest weight `p`.

    In a mean with weights `p` that sum to 1, this element then contributes nothing. Its difference from the mean is a sum over
    the other elements, which is precise also where its weight is nearly 1.
    """
    return v - _top(xp, v, p, axis)


def _top(xp: Any, v: Any, p: Any, axis: Axes) -> Any:
    """The element of `v` at the largest weight `p`."""
    return xp.max(_at_top(xp, v, p, xp.max(p, axis=axis, keepdims=True)), axis=axis, keepdims=True)


@fusable
def _at_top(xp: Any, v: Any, p: Any, largest: Any) -> Any:
    return xp.where(p == largest, v, xp.full_like(v, -math.inf))


@fusable
def _weighted(xp: Any, v: Any, p: Any, top: Any) -> tuple[Any, Any]:
    v = v - top
    return v, v * p


def _less_mean(xp: Any, v: Any, p: Any, axis: Axes) -> Any:
    """``v - sum(v * p)`` with weights `p` that sum to 1."""
    v, weighted = _weighted(xp, v, p, _top(xp, v, p, axis))
    return v - xp.sum(weighted, axis=axis, keepdims=True)


@op(override=True)
@in_float32
def softmax_pull(xp: Any, v: ArrayLike, p: ArrayLike, /, axis: Axes) -> Tensor:
    """``p * (v - sum(v * p))`` along `axis`: the gradient of a `softmax` with the result `p`, precise in its tails.

    It is linear in `v`, and its own transpose. Its gradient for `p` leaves out a constant along the axis, which the rule of the
    softmax that `p` comes from maps to zero.

    >>> import xgrad
    >>> softmax_pull(xgrad.Tensor([1.0, 0.0]), xgrad.Tensor([0.75, 0.25]), -1)
    Tensor([ 0.1875, -0.1875])
    """
    return v * p if 0 in p.shape else p * _less_mean(xp, v, p, axis)


@in_float32
def _softmax_pull_p(xp: Any, g: Any, v: Any, p: Any, axis: Axes) -> Any:
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
    shifted, terms = _terms(xp, x, -1)
    rest = xp.exponential_rest(shifted, terms, -1)
    return _error(xp, terms, rest, target, xp.sum(target, axis=-1, keepdims=True))


@fusable
def _error(xp: Any, terms: Any, rest: Any, target: Any, total: Any) -> Any:
    # With a common divisor, the largest term (1) less its target is exact; p * sum - target loses the difference of p from 1.
    return (terms * total - target - rest * target) / (1 + rest)


softmax_error.vjp(
    x=lambda xp, g, x, target: xp.softmax_pull(g * xp.sum(target, axis=-1, keepdims=True), xp.softmax(x, axis=-1), -1),
    target=lambda xp, g, x: -_less_mean(xp, g, xp.softmax(x, axis=-1), -1),
)
softmax_error.jvp(
    x=lambda xp, t, x, target: xp.softmax_pull(t, xp.softmax(x, axis=-1), -1) * xp.sum(target, axis=-1, keepdims=True),
    target=lambda xp, t, x: xp.softmax(x, axis=-1) * xp.sum(t, axis=-1, keepdims=True) - t,
)


@op(override=True)
@in_float32
def label_error(xp: Any, x: ArrayLike, labels: ArrayLike, /) -> Tensor:
    """``softmax(x)`` less 1 at the label, along the last axis: `softmax_error` for labels, without a target of zeros and ones.

    >>> import xgrad
    >>> label_error(xgrad.Tensor([[0.0, 20.0]]), xgrad.Tensor([1]))
    Tensor([[ 2.0611...e-09, -2.0611...e-09]])
    """
    if 0 in x.shape:
        return xp.zeros_like(x)
    shifted, terms = shifted_terms(xp, x, xp.max(x, axis=-1, keepdims=True))
    at, valid = label_positions(xp, x, labels)
    rest = xp.reshape(xp.exponential_rest(shifted, terms, -1), (-1,))
    error = _valid_quotient(xp, xp.reshape(terms, (-1, x.shape[-1])), rest[:, None], valid[:, None])
    chosen = _label_quotient(xp, xp.take(xp.reshape(terms, (-1,)), at, axis=0), rest, valid)
    return xp.reshape(xp.set_item(xp.reshape(error, (-1,)), at, chosen), x.shape)


@fusable
def _valid_quotient(xp: Any, terms: Any, rest: Any, valid: Any) -> Any:
    return terms / (1 + (rest + valid))


@fusable
def _label_quotient(xp: Any, term: Any, rest: Any, valid: Any) -> Any:
    rest = rest + valid
    return (term - 1 - rest) / (1 + rest)  # with a common divisor, the largest term (1) less 1 is exact


def label_positions(xp: Any, x: Any, labels: Any) -> tuple[Any, Any]:
    """The positions of the labels in the flattened `x`, and for each 0, or NaN if there is no such class; for raw arrays."""
    classes, flat = x.shape[-1], xp.reshape(labels, (-1,))
    first = xp.arange(0, flat.shape[0] * classes, classes, dtype=xp.int64, device=device_of(labels))
    return _label_positions(xp, first, flat, classes, x.dtype)  # type: ignore[no-any-return]


@fusable
def _label_positions(xp: Any, first: Any, labels: Any, classes: int, dtype: Any) -> tuple[Any, Any]:
    rows = xp.astype(labels, xp.int64)
    inside = (rows >= 0) & (rows < classes)
    zero = xp.zeros_like(xp.astype(inside, dtype))
    return first + rows * xp.astype(inside, xp.int64), xp.where(inside, zero, zero + math.nan)


label_error.vjp(x=lambda xp, g, x: xp.softmax_pull(g, xp.softmax(x, axis=-1), -1))
label_error.jvp(x=lambda xp, t, x: xp.softmax_pull(t, xp.softmax(x, axis=-1), -1))


softmax.vjp(x=lambda xp, g, y, axis: xp.softmax_pull(g, y, axis))
softmax.jvp(x=lambda xp, t, y, axis: xp.softmax_pull(t, y, axis))


@op(override=True)
@takes_real
@in_float32
def log_softmax(xp: Any, x: ArrayLike, /, *, axis: Axes = -1) -> Tensor:
    """The logarithm of the softmax along `axis`, ``x - logsumexp(x)``.

    Parameters
    ----------
    x : array
        Real floating; ``-inf`` masks an element.
    axis : int, tuple of int or None
        As in `softmax`.

    Notes
    -----
    The gradient is ``g - exp(y) * sum(g)``, where ``1 - exp(y)`` is computed by `expm1`.

    Examples
    --------
    >>> import xgrad
    >>> log_softmax(xgrad.Tensor([0.0, 1000.0]))
    Tensor([-1000.,     0.])
    """
    axes_from_0(axis, x.ndim)  # raises if there is no such axis, also for an empty array
    if 0 in x.shape:
        return x + 0.0
    shifted, terms = _terms(xp, x, axis)
    return _less_log(xp, shifted, xp.exponential_rest(shifted, terms, axis))


@fusable
def _less_log(xp: Any, shifted: Any, rest: Any) -> Any:
    return shifted - xp.log1p(rest)


@in_float32
def _log_softmax_x(xp: Any, g: Any, y: Any, axis: Axes) -> Any:
    if 0 in y.shape:
        return g
    return -(g * xp.expm1(y)) - xp.exp(y) * (xp.sum(g, axis=axis, keepdims=True) - g)


@in_float32
def _log_softmax_change(xp: Any, t: Any, y: Any, axis: Axes) -> Any:
    return t if 0 in y.shape else _less_mean(xp, t, xp.exp(y), axis)


log_softmax.vjp(x=_log_softmax_x)
log_softmax.jvp(x=_log_softmax_change)
