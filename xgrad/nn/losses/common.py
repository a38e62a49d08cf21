"""What all losses share: conversion of predictions and target, half precision, and the reduction."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

from ... import ops
from ...backend.dtypes import float32
from ...backend.find import backend_of, raw_namespace
from ...backend.precision import half
from ...tensor.tensor import ArrayLike, Tensor, wrap

__all__ = ["as_tensor", "in_dtype_of", "matched", "reduced", "wide"]

Loss = TypeVar("Loss", bound=Callable[..., Any])


def wide(loss: Loss) -> Loss:
    """Make a loss compute in float32 if the predictions are of half precision, whose squares and sums overflow early."""

    @functools.wraps(loss)
    def run(predictions: ArrayLike, target: ArrayLike, /, **options: Any) -> Tensor:
        predictions = as_tensor(predictions)
        if not half(predictions._data.dtype):
            return loss(predictions, target, **options)
        target = as_tensor(target, predictions)
        return ops.astype(loss(ops.astype(predictions, float32), target, **options), predictions.dtype)

    return cast(Loss, run)


def as_tensor(x: Any, like: Tensor | None = None) -> Tensor:
    """`x` as a Tensor; Python numbers and lists go to the backend and device of `like`."""
    if isinstance(x, Tensor):
        return x
    if like is None or backend_of(x) is not None:
        return Tensor(x)
    return wrap(raw_namespace(like._data).__backend__.from_python(x, None, like.device))


def in_dtype_of(x: Tensor, like: Tensor) -> Tensor:
    """`x` converted to the dtype of `like`."""
    return x if x._data.dtype == like._data.dtype else ops.astype(x, like.dtype)


def matched(name: str, predictions: Any, target: Any) -> tuple[Tensor, Tensor]:
    """Predictions and target as Tensors of one dtype, and of one shape unless the target is a scalar."""
    predictions = as_tensor(predictions)
    target = in_dtype_of(as_tensor(target, predictions), predictions)
    if target.shape not in ((), predictions.shape):
        raise ValueError(
            f"{name}: the predictions have shape {predictions.shape} but the target has {target.shape}; "
            "reshape one so that they are equal"
        )
    return predictions, target


def reduced(name: str, loss: Tensor, reduction: str) -> Tensor:
    """The mean or the sum of `loss`, or `loss` itself."""
    if reduction == "mean":
        return ops.mean(loss)
    if reduction == "sum":
        return ops.sum(loss)
    if reduction == "none":
        return loss
    raise ValueError(f"{name}: reduction must be 'mean', 'sum' or 'none', not {reduction!r}")
