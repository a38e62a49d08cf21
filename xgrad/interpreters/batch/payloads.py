"""Payloads of batched arrays: their axes counted and lined up; and the table of batching rules.

A batching rule takes batched arrays, or arrays of lower levels, and runs xgrad's functions on the payloads, whose first axis
is the batch axis if there is one.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ... import ops
from ...errors import NotBatchable
from ...graph.names import xg
from ...tensor.tensor import Tensor
from .arrays import Axis, Batched

__all__ = ["RULES", "common_batch", "like", "payload_axes", "payload_axis", "rule", "with_batch", "with_ndim", "xgrad_function"]

RULES: dict[str, Callable[..., Any]] = {}
"""The batching rules by name on the namespace (``"sum"``, ``"linalg.inv"``): functions of the backend and the arguments."""


def rule(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Register the batching rule of one or more functions; with several, the rule gets the function's name first."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            RULES[name] = function if len(names) == 1 else functools.partial(function, name)
        return function

    return register


def xgrad_function(name: str) -> Callable[..., Any]:
    """xgrad's function with this name, such as ``"linalg.inv"``."""
    function: Any = functools.reduce(getattr, name.split("."), xg)
    return function  # type: ignore[no-any-return]


def common_batch(arrays: Sequence[Batched]) -> Axis | None:
    """The batch axis of these arrays; None if none of them has one."""
    common = None
    for x in arrays:
        if x.batch is not common and x.batch is not None:
            if common is not None:
                raise NotBatchable("mixing two batches", "one of these arrays was kept from a call of vmap that is over")
            common = x.batch
    return common


def with_ndim(x: Batched, ndim: int) -> Tensor:
    """The payload of `x`, with axes inserted after the batch axis so that it broadcasts with arrays of `ndim` axes."""
    missing = ndim - len(x.shape)
    if x.batch is None or missing <= 0:
        return x.payload
    return ops.reshape(x.payload, (x.batch.size, *(1,) * missing, *x.shape))


def with_batch(x: Batched, batch: Axis | None) -> Tensor:
    """The payload of `x` with the batch axis, repeated along it if `x` is the same for every example."""
    if batch is None or x.batch is not None:
        return x.payload
    return ops.broadcast_to(x.payload, (batch.size, *x.shape))


def like(x: Batched, payload: Any) -> Any:
    """Batched arrays with the batch of `x` around `payload`, a Tensor or a tuple or list of Tensors."""
    if isinstance(payload, (tuple, list)):
        parts = [x.__class__(part, x.batch) for part in payload]
        container: Any = type(payload)
        return container(*parts) if hasattr(payload, "_fields") else container(parts)
    return x.__class__(payload, x.batch)


def payload_axis(axis: int, x: Batched) -> int:
    """The axis of the payload that is `axis` of `x`."""
    return axis if axis < 0 or x.batch is None else axis + 1


def payload_axes(axes: Any, x: Batched) -> tuple[int, ...]:
    """The axes of the payload that are `axes` of `x`: one, a tuple or list of them, or all if None."""
    if axes is None:
        first = 0 if x.batch is None else 1
        return tuple(range(first, first + x.ndim))
    return tuple(payload_axis(a, x) for a in axes) if isinstance(axes, (tuple, list)) else (payload_axis(axes, x),)
