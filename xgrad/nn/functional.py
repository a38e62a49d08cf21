"""Losses and other functions of networks that hold no parameters.

Every loss takes predictions, a target, and ``reduction``: ``"mean"`` (the default) over all elements or examples,
``"sum"``, or ``"none"`` for one loss each. A target is converted to the dtype of the predictions, and must have their
shape: ``(n, 1)`` against ``(n,)`` would broadcast to ``(n, n)`` and train on nonsense, so it raises.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from .. import ops, random
from ..backend.find import backend_of, raw_namespace
from ..backend.precision import half
from ..engine.define import op
from ..graph.kinds import refuse_complex
from ..tensor.tensor import ArrayLike, Tensor, wrap

__all__ = ["binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "dropout", "huber", "l1", "mse"]


F = TypeVar("F", bound=Callable[..., Any])


# ------------------------------------------------------------------------------------------------------------- losses


def _in_float32(loss: F) -> F:
    """Have a loss compute in float32 where the predictions are of half precision, whose squares and sums soon overflow."""

    @functools.wraps(loss)
    def run(predictions: ArrayLike, target: ArrayLike, /, **options: Any) -> Tensor:
        predictions = _tensor(predictions, None)
        if not half(predictions._data.dtype):
            return loss(predictions, target, **options)
        target = _tensor(target, predictions)
        return ops.astype(loss(ops.astype(predictions, ops.float32), target, **options), predictions.dtype)

    return cast(F, run)


@_in_float32
def mse(predictions: ArrayLike, target: ArrayLike, /, *, reduction: str = "mean") -> Tensor:
    """The mean squared error, mean(|predictions - target|²). Its gradient is 2 (predictions - target) / n.

    Parameters
    ----------
    predictions : Tensor
        Of any shape.
    target : Tensor, array, or nested sequence
        Of the same shape, or a scalar.
    reduction : {"mean", "sum", "none"}
        What becomes of the elements.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.nn.functional.mse(xgrad.Tensor([1.0, 2.0]), [1.0, 4.0])
    Tensor(2.0)
    """
    predictions, target = _pair("mse", predictions, target)
    difference = predictions - target
    if difference.dtype.kind == "complex floating":
        return _reduce("mse", ops.real(difference * ops.conj(difference)), reduction)
    return _reduce("mse", difference * difference, reduction)


@_in_float32
def l1(predictions: ArrayLike, target: ArrayLike, /, *, reduction: str = "mean") -> Tensor:
    """The mean absolute error, mean(|predictions - target|). Its gradient is sign(predictions - target) / n, with sign(0) = 0.

    Parameters and errors as for `mse`.
    """
    predictions, target = _pair("l1", predictions, target)
    return _reduce("l1", ops.abs(predictions - target), reduction)


@_in_float32
def huber(predictions: ArrayLike, target: ArrayLike, /, *, delta: float = 1.0, reduction: str = "mean") -> Tensor:
    """Half the squared error d² / 2 where |d| <= delta, and delta (|d| - delta / 2) beyond: outliers pull no harder than delta.

    Parameters and errors as for `mse`. The gradient is clip(d, -delta, delta) / n.
    """
    if not delta > 0:
        raise ValueError(f"huber: delta must be positive, not {delta}")
    predictions, target = _pair("huber", predictions, target)
    difference = predictions - target
    if difference.dtype.kind != "complex floating":
        near = ops.clip(difference, -delta, delta)
        return _reduce("huber", near * (difference - 0.5 * near), reduction)
    far = ops.abs(difference) > delta
    near = ops.where(far, ops.zeros_like(difference), difference)
    size = ops.abs(ops.where(far, difference, ops.ones_like(difference)))
    return _reduce("huber", ops.where(far, delta * (size - 0.5 * delta), 0.5 * ops.real(near * ops.conj(near))), reduction)


@_in_float32
def binary_cross_entropy(p: ArrayLike, target: ArrayLike, /, *, reduction: str = "mean") -> Tensor:
    """The cross-entropy of yes/no probabilities: mean(-t log p - (1 - t) log(1 - p)).

    Parameters
    ----------
    p : Tensor
        Probabilities from 0 to 1, as `sigmoid` gives them.
    target : Tensor, array, or nested sequence
        The true probabilities, usually 0 or 1, of the same shape.
    reduction : {"mean", "sum", "none"}
        What becomes of the elements.

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    The gradient is (p - t) / (p (1 - p)) / n. As in PyTorch, logarithms stop at -100 and that denominator at 1e-12, so that
    a sure and wrong prediction costs much, but not infinitely much. Outside of 0 to 1 the result is NaN. Whoever has the
    logits should use `binary_cross_entropy_with_logits`, which loses no digits.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.nn.functional.binary_cross_entropy(xgrad.Tensor([0.5, 0.5]), [0.0, 1.0])
    Tensor(0.69314...)
    """
    refuse_complex("binary_cross_entropy", p=p, target=target)
    p, target = _pair("binary_cross_entropy", p, target)
    return _reduce("binary_cross_entropy", bce(p, target), reduction)


@op(override=True, elementwise=True)
def bce(xp: Any, p: ArrayLike, target: ArrayLike, /) -> Tensor:
    """``-t log p - (1 - t) log(1 - p)``, element by element; see `binary_cross_entropy`.

    A rule of its own, since that of ``t log p`` gives NaN where both are 0.
    """
    return cast(Tensor, -(target * _log_yes(xp, p) + (1 - target) * _log_no(xp, p)))


bce.vjp(
    p=lambda xp, g, p, target: g * (p - target) / _at_least(xp, p * (1 - p), 1e-12),
    target=lambda xp, g, p: g * (_log_no(xp, p) - _log_yes(xp, p)),
)


def _log_yes(xp: Any, p: Any) -> Any:  # log p
    return _bounded(xp, p, xp.log(xp.where(p > 0, p, xp.ones_like(p))), p > 0, p == 0)


def _log_no(xp: Any, p: Any) -> Any:  # log(1 - p)
    return _bounded(xp, p, xp.log1p(-xp.where(p < 1, p, xp.zeros_like(p))), p < 1, p == 1)


def _bounded(xp: Any, p: Any, log: Any, inside: Any, edge: Any) -> Any:
    outside = xp.where(edge, xp.full_like(p, -100.0), xp.full_like(p, float("nan")))
    return xp.where(inside, _at_least(xp, log, -100.0), outside)


def _at_least(xp: Any, x: Any, low: float) -> Any:
    return xp.where(x < low, xp.full_like(x, low), x)


@_in_float32
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
    logits, target = _pair("binary_cross_entropy_with_logits", logits, target)
    return _reduce("binary_cross_entropy_with_logits", bce_with_logits(logits, target), reduction)


@op(override=True, elementwise=True)
def bce_with_logits(xp: Any, logits: ArrayLike, target: ArrayLike, /) -> Tensor:
    """``softplus(z) - t z`` for logits ``z``, element by element; see `binary_cross_entropy_with_logits`.

    An op of its own, since the difference loses the digits of a small loss: of ``z`` it leaves ``(1 - t) z`` where that is
    positive and ``-t z`` elsewhere.
    """
    line = xp.where(logits > 0, 1 - target, -target) * logits
    return cast(Tensor, line + xp.log1p(xp.exp(-xp.abs(logits))))


bce_with_logits.vjp(
    logits=lambda xp, g, logits, target: g * ((1 - target) * xp.sigmoid(logits) - target * xp.sigmoid(-logits)),
    target=lambda xp, g, logits: -g * logits,
)


@_in_float32
def cross_entropy(logits: ArrayLike, target: ArrayLike, /, *, label_smoothing: float = 0.0, reduction: str = "mean") -> Tensor:
    """The cross-entropy of classes: mean(-log softmax(logits)[target]).

    Parameters
    ----------
    logits : Tensor, shape (..., classes)
        Scores, as a network's last `Linear` gives them: no softmax before. The classes are on the last axis.
    target : Tensor, array, or nested sequence
        Either the label of the right class, integers of shape (...), or a probability for each class, floats of shape
        (..., classes).
    label_smoothing : float
        Mix this much of the uniform distribution into the target.
    reduction : {"mean", "sum", "none"}
        What becomes of the examples.

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
    The gradient is (softmax(logits) - target) / n. A label outside of 0 to ``classes - 1`` makes the loss NaN: no device has
    to be waited for to find out.

    Examples
    --------
    >>> import xgrad
    >>> logits = xgrad.Tensor([[0.0, 0.0], [0.0, 0.0]])
    >>> xgrad.nn.functional.cross_entropy(logits, [0, 1])
    Tensor(0.69314...)
    """
    refuse_complex("cross_entropy", logits=logits, target=target)
    logits = _tensor(logits, None)
    if not logits.ndim or not logits.shape[-1]:
        raise ValueError(f"cross_entropy: logits have shape {logits.shape}; their last axis must hold the classes")
    if not 0.0 <= label_smoothing <= 1.0:
        raise ValueError(f"cross_entropy: label_smoothing must be from 0 to 1, not {label_smoothing}")
    target = _tensor(target, logits)
    labels = not target.dtype.inexact
    if target.shape != (logits.shape[:-1] if labels else logits.shape):
        wanted = f"integer labels of shape {logits.shape[:-1]} or probabilities of shape {logits.shape}"
        raise ValueError(
            f"cross_entropy: logits of shape {logits.shape} go with {wanted}; "
            f"the target is {target.dtype.name} of shape {target.shape}"
        )
    target = wrap(_one_hot(target._data, logits)) if labels else _astype(target, logits)
    if label_smoothing:
        target = (1 - label_smoothing) * target + label_smoothing / logits.shape[-1]
    loss = softmax_cross_entropy(logits, target)
    return _reduce("cross_entropy", loss, reduction)


@op(override=True)
def softmax_cross_entropy(xp: Any, logits: ArrayLike, target: ArrayLike, /) -> Tensor:
    """``-sum(target * log_softmax(logits), axis=-1)``; see `cross_entropy`.

    A rule of its own because the composition takes a quarter longer (175 microseconds forward and backward against 138, for
    128 x 10 logits on NumPy). Classes whose target is 0 may have the logit -inf.
    """
    shifted = logits - xp.max(logits, axis=-1, keepdims=True)
    terms = xp.exp(shifted)
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


def _one_hot(labels: Any, logits: Tensor) -> Any:
    # Of the dtype of the logits; NaN in the rows of labels that are out of range.
    xp = raw_namespace(logits._data)
    classes, dtype = logits.shape[-1], logits._data.dtype
    hot = xp.astype(labels[..., None] == xp.arange(classes, dtype=labels.dtype, device=logits.device), dtype)
    good = xp.broadcast_to(((labels >= 0) & (labels < classes))[..., None], hot.shape)
    return xp.where(good, hot, xp.full_like(hot, float("nan")))


# ----------------------------------------------------------------------------------------------------------- dropout


def dropout(x: ArrayLike, p: float = 0.5, /, *, generator: random.Generator | None = None) -> Tensor:
    """Each element set to zero with probability `p`, the others divided by ``1 - p``, so that the mean stays.

    Parameters
    ----------
    x : Tensor
        Of any shape.
    p : float
        From 0 to 1.
    generator : Generator, optional
        Where the mask is drawn from; else from the generator of the process.

    Examples
    --------
    >>> import xgrad
    >>> sorted(set(xgrad.nn.functional.dropout(xgrad.ones(1000), 0.5).tolist()))
    [0.0, 2.0]
    """
    if p == 0.0:
        return _tensor(x, None)
    x = _tensor(x, None)
    keep = (generator or random.default_generator()).bernoulli(1.0 - p, x.shape, like=x)
    scale = 1.0 / (1.0 - p) if p < 1.0 else 0.0
    return x * (ops.astype(keep, x.dtype) * scale)


# ------------------------------------------------------------------------------------------------------------ helpers


def _tensor(x: Any, like: Tensor | None) -> Tensor:
    """`x` as a Tensor; a list on the backend and device of `like`."""
    if isinstance(x, Tensor):
        return x
    if like is None or backend_of(x) is not None:
        return Tensor(x)
    return wrap(raw_namespace(like._data).__backend__.from_python(x, None, like.device))


def _astype(x: Tensor, like: Tensor) -> Tensor:
    return x if x._data.dtype == like._data.dtype else ops.astype(x, like.dtype)


def _pair(what: str, predictions: Any, target: Any) -> tuple[Tensor, Tensor]:
    predictions = _tensor(predictions, None)
    target = _astype(_tensor(target, predictions), predictions)
    if target.shape not in ((), predictions.shape):
        raise ValueError(
            f"{what}: the predictions have shape {predictions.shape} but the target has {target.shape}; "
            "reshape one so that they are equal"
        )
    return predictions, target


def _reduce(what: str, loss: Tensor, reduction: str) -> Tensor:
    if reduction == "mean":
        return ops.mean(loss)
    if reduction == "sum":
        return ops.sum(loss)
    if reduction == "none":
        return loss
    raise ValueError(f"{what}: reduction must be 'mean', 'sum' or 'none', not {reduction!r}")
