"""Losses of classes and probabilities: the cross-entropies, each beside the op that computes it."""

from __future__ import annotations

from typing import Any, cast

from ...backend.find import raw_namespace
from ...backend.fusing import fusable
from ...engine.define import op
from ...graph.kinds import refuse_complex
from ...ops.neural.softmax import label_positions, shifted_terms
from ...tensor.tensor import ArrayLike, Tensor, wrap
from .common import as_tensor, in_dtype_of, matched, reduced, wide

__all__ = [
    "bce", "bce_with_logits", "binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy",
    "label_cross_entropy", "softmax_cross_entropy",
]  # fmt: skip


# -------------------------------------------------------------------------------------------------------- two classes


@wide
def binary_cross_entropy(p: ArrayLike, target: ArrayLike, /, *, reduction: str = "mean") -> Tensor:
    """The cross-entropy of two classes, given probabilities: mean(-t log p - (1 - t) log(1 - p)).

    Parameters
    ----------
    p : Tensor
        Probabilities from 0 to 1, as `sigmoid` returns them.
    target : Tensor, array, or nested sequence
        The true probabilities, usually 0 or 1, of the same shape.
    reduction : {"mean", "sum", "none"}
        Whether to return the mean of the elements, their sum, or all of them.

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    The gradient is (p - t) / (p (1 - p)) / n. As in PyTorch, logarithms are at least -100 and that denominator is at least
    1e-12, so that a wrong prediction of 0 or 1 has a finite loss and gradient. Outside of 0 to 1 the result is NaN. If you
    have the logits, use `binary_cross_entropy_with_logits`, which loses no digits.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.nn.functional.binary_cross_entropy(xgrad.Tensor([0.5, 0.5]), [0.0, 1.0])
    Tensor(0.69314...)
    """
    refuse_complex("binary_cross_entropy", p=p, target=target)
    p, target = matched("binary_cross_entropy", p, target)
    return reduced("binary_cross_entropy", bce(p, target), reduction)


@op(override=True, elementwise=True)
def bce(xp: Any, p: ArrayLike, target: ArrayLike, /) -> Tensor:
    """``-t log p - (1 - t) log(1 - p)``, element by element; see `binary_cross_entropy`.

    An op, since the rule of ``t log p`` gives NaN where both are 0.
    """
    return cast(Tensor, -(target * _log_p(xp, p) + (1 - target) * _log_1_minus_p(xp, p)))


bce.vjp(
    p=lambda xp, g, p, target: g * (p - target) / _at_least(xp, p * (1 - p), 1e-12),
    target=lambda xp, g, p: g * (_log_1_minus_p(xp, p) - _log_p(xp, p)),
)


def _log_p(xp: Any, p: Any) -> Any:
    return _bounded(xp, p, xp.log(xp.where(p > 0, p, xp.ones_like(p))), p > 0, p == 0)


def _log_1_minus_p(xp: Any, p: Any) -> Any:
    return _bounded(xp, p, xp.log1p(-xp.where(p < 1, p, xp.zeros_like(p))), p < 1, p == 1)


def _bounded(xp: Any, p: Any, log: Any, inside: Any, edge: Any) -> Any:
    # `log` where `inside`, at least -100; -100 at the edge of the domain, NaN beyond.
    outside = xp.where(edge, xp.full_like(p, -100.0), xp.full_like(p, float("nan")))
    return xp.where(inside, _at_least(xp, log, -100.0), outside)


def _at_least(xp: Any, x: Any, low: float) -> Any:
    return xp.where(x < low, xp.full_like(x, low), x)


@wide
def binary_cross_entropy_with_logits(logits: ArrayLike, target: ArrayLike, /, *, reduction: str = "mean") -> Tensor:
    """``binary_cross_entropy(sigmoid(logits), target)``, exact for logits of any size: mean(softplus(z) - t z).

    Parameters and errors as for `binary_cross_entropy`. The gradient is (sigmoid(z) - t) / n.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.nn.functional.binary_cross_entropy_with_logits(xgrad.Tensor([100.0, -100.0]), [0.0, 0.0])
    Tensor(50.0)
    """
    refuse_complex("binary_cross_entropy_with_logits", logits=logits, target=target)
    logits, target = matched("binary_cross_entropy_with_logits", logits, target)
    return reduced("binary_cross_entropy_with_logits", bce_with_logits(logits, target), reduction)


@op(override=True, elementwise=True)
def bce_with_logits(xp: Any, logits: ArrayLike, target: ArrayLike, /) -> Tensor:
    """``softplus(z) - t z`` for logits ``z``, element by element; see `binary_cross_entropy_with_logits`.

    An op, since that difference loses the digits of a small loss. It is computed as ``(1 - t) z`` where ``z`` is positive and
    ``-t z`` elsewhere, plus ``log1p(exp(-|z|))``.
    """
    line = xp.where(logits > 0, 1 - target, -target) * logits
    return cast(Tensor, line + xp.log1p(xp.exp(-xp.abs(logits))))


bce_with_logits.vjp(
    logits=lambda xp, g, logits, target: g * ((1 - target) * xp.sigmoid(logits) - target * xp.sigmoid(-logits)),
    target=lambda xp, g, logits: -g * logits,
)


# ------------------------------------------------------------------------------------------------------- many classes


@wide
def cross_entropy(logits: ArrayLike, target: ArrayLike, /, *, label_smoothing: float = 0.0, reduction: str = "mean") -> Tensor:
    """The cross-entropy of classes: mean(-log softmax(logits)[target]).

    Parameters
    ----------
    logits : Tensor, shape (..., classes)
        The output of a network's last `Linear`, without a softmax. The classes are on the last axis.
    target : Tensor, array, or nested sequence
        Either the label of the right class, integers of shape (...), or a probability for each class, floats of shape
        (..., classes).
    label_smoothing : float
        Mix this much of the uniform distribution into the target.
    reduction : {"mean", "sum", "none"}
        Whether to return the mean over the examples, their sum, or one loss each.

    Returns
    -------
    Tensor
        0-d, or of shape (...).

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    Notes
    -----
    The gradient is (softmax(logits) - target) / n. A label outside of 0 to ``classes - 1`` makes the loss NaN: an error would
    have to wait for the device.

    Examples
    --------
    >>> import xgrad
    >>> logits = xgrad.Tensor([[0.0, 0.0], [0.0, 0.0]])
    >>> xgrad.nn.functional.cross_entropy(logits, [0, 1])
    Tensor(0.69314...)
    """
    refuse_complex("cross_entropy", logits=logits, target=target)
    logits = as_tensor(logits)
    if not logits.ndim or not logits.shape[-1]:
        raise ValueError(f"cross_entropy: logits have shape {logits.shape}; their last axis must hold the classes")
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"cross_entropy: label_smoothing must be from 0 to 1, not {label_smoothing}")
    target = as_tensor(target, logits)
    labels = not target.dtype.inexact
    if target.shape != (logits.shape[:-1] if labels else logits.shape):
        raise ValueError(
            f"cross_entropy: logits of shape {logits.shape} need integer labels of shape {logits.shape[:-1]} or probabilities "
            f"of shape {logits.shape}; the target is {target.dtype.name} of shape {target.shape}"
        )
    if labels and not label_smoothing:
        return reduced("cross_entropy", label_cross_entropy(logits, target), reduction)
    target = wrap(_one_hot(target._data, logits)) if labels else in_dtype_of(target, logits)
    if label_smoothing:
        target = (1 - label_smoothing) * target + label_smoothing / logits.shape[-1]
    loss = softmax_cross_entropy(logits, target)
    return reduced("cross_entropy", loss, reduction)


@op(override=True)
def softmax_cross_entropy(xp: Any, logits: ArrayLike, target: ArrayLike, /) -> Tensor:
    """``-sum(target * log_softmax(logits), axis=-1)``; see `cross_entropy`.

    An op, since the composition takes a quarter longer (175 microseconds forward and backward against 138, for 128 x 10
    logits on NumPy). Classes whose target is 0 may have the logit -inf.
    """
    shifted, terms = shifted_terms(xp, logits, xp.max(logits, axis=-1, keepdims=True))
    total = xp.log1p(xp.exponential_rest(shifted, terms, -1)[..., 0])
    chosen = xp.where(target == 0, xp.zeros_like(shifted), shifted)
    return cast(Tensor, total * xp.sum(target, axis=-1) - xp.sum(target * chosen, axis=-1))


softmax_cross_entropy.vjp(
    logits=lambda xp, g, logits, target: g[..., None] * xp.softmax_error(logits, target),
    target=lambda xp, g, logits: -g[..., None] * xp.log_softmax(logits, axis=-1),
)
softmax_cross_entropy.jvp(
    logits=lambda xp, t, logits, target: xp.sum(xp.softmax_error(logits, target) * t, axis=-1),
    target=lambda xp, t, logits: -xp.sum(xp.log_softmax(logits, axis=-1) * t, axis=-1),
)


@op(override=True)
def label_cross_entropy(xp: Any, logits: ArrayLike, labels: ArrayLike, /) -> Tensor:
    """``-log_softmax(logits)[..., labels]``, one loss for each label; see `cross_entropy`.

    An op, since `softmax_cross_entropy` with a target of zeros and ones takes twice as long. Classes other than the label may
    have the logit -inf.
    """
    if 0 in logits.shape:
        return cast(Tensor, xp.sum(logits, axis=-1))
    shifted, terms = shifted_terms(xp, logits, xp.max(logits, axis=-1, keepdims=True))
    at, valid = label_positions(xp, logits, labels)
    rest = xp.reshape(xp.exponential_rest(shifted, terms, -1), (-1,))
    loss = _label_loss(xp, rest, valid, xp.take(xp.reshape(shifted, (-1,)), at, axis=0))
    return cast(Tensor, xp.reshape(loss, logits.shape[:-1]))


@fusable
def _label_loss(xp: Any, rest: Any, valid: Any, chosen: Any) -> Any:
    return xp.log1p(rest) + valid - chosen


label_cross_entropy.vjp(logits=lambda xp, g, logits, labels: g[..., None] * xp.label_error(logits, labels))
label_cross_entropy.jvp(logits=lambda xp, t, logits, labels: xp.sum(xp.label_error(logits, labels) * t, axis=-1))


def _one_hot(labels: Any, logits: Tensor) -> Any:
    # In the dtype of the logits; NaN in the rows of labels that are out of range.
    xp = raw_namespace(logits._data)
    classes, dtype = logits.shape[-1], logits._data.dtype
    hot = xp.astype(labels[..., None] == xp.arange(classes, dtype=labels.dtype, device=logits.device), dtype)
    in_range = xp.broadcast_to(((labels >= 0) & (labels < classes))[..., None], hot.shape)
    return xp.where(in_range, hot, xp.full_like(hot, float("nan")))
