"""Losses of real or complex predictions: squared, absolute and Huber's."""

from __future__ import annotations

from ... import ops
from ...tensor.tensor import ArrayLike, Tensor
from .common import matched, reduced, wide

__all__ = ["huber", "l1", "mse"]


@wide
def mse(predictions: ArrayLike, target: ArrayLike, /, *, reduction: str = "mean") -> Tensor:
    """The mean squared error, mean(|predictions - target|²). Its gradient is 2 (predictions - target) / n.

    Parameters
    ----------
    predictions : Tensor
        Of any shape.
    target : Tensor, array, or nested sequence
        Of the same shape, or a scalar.
    reduction : {"mean", "sum", "none"}
        Whether to return the mean of the elements, their sum, or all of them.

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
    predictions, target = matched("mse", predictions, target)
    difference = predictions - target
    if difference.dtype.kind == "complex floating":
        return reduced("mse", ops.real(difference * ops.conj(difference)), reduction)
    return reduced("mse", difference * difference, reduction)


@wide
def l1(predictions: ArrayLike, target: ArrayLike, /, *, reduction: str = "mean") -> Tensor:
    """The mean absolute error, mean(|predictions - target|). Its gradient is sign(predictions - target) / n, with sign(0) = 0.

    Parameters and errors as for `mse`.
    """
    predictions, target = matched("l1", predictions, target)
    return reduced("l1", ops.abs(predictions - target), reduction)


@wide
def huber(predictions: ArrayLike, target: ArrayLike, /, *, delta: float = 1.0, reduction: str = "mean") -> Tensor:
    """The squared error d² / 2 where |d| <= delta, and delta (|d| - delta / 2) elsewhere, with d = predictions - target.

    Parameters and errors as for `mse`. The gradient is clip(d, -delta, delta) / n: an outlier's is at most delta / n.
    """
    if not delta > 0:
        raise ValueError(f"huber: delta must be positive, not {delta}")
    predictions, target = matched("huber", predictions, target)
    difference = predictions - target
    if difference.dtype.kind != "complex floating":
        near = ops.clip(difference, -delta, delta)
        return reduced("huber", near * (difference - 0.5 * near), reduction)
    far = ops.abs(difference) > delta
    near = ops.where(far, ops.zeros_like(difference), difference)
    size = ops.abs(ops.where(far, difference, ops.ones_like(difference)))
    return reduced("huber", ops.where(far, delta * (size - 0.5 * delta), 0.5 * ops.real(near * ops.conj(near))), reduction)
