"""Limits on the size of gradients, applied between ``backward()`` and ``step()``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .. import linalg, ops
from ..backend.dtypes import float32
from ..backend.precision import half
from ..graph.recording import no_grad
from ..tensor.tensor import Tensor

__all__ = ["clip_grad_norm", "clip_grad_value"]


def clip_grad_norm(parameters: Iterable[Tensor], max_norm: float) -> Tensor:
    """Scale all gradients by one factor, so that the 2-norm of all together is at most `max_norm` [1]_.

    Parameters
    ----------
    parameters : iterable of Tensors
        ``model.parameters()``; those without gradient count as zero. All on one backend and device.
    max_norm : float
        The largest norm that is not scaled.

    Returns
    -------
    Tensor
        The norm before the scaling, 0-d, of the widest dtype of the gradients and float32 at least. If it is infinite or
        NaN, a step would make the parameters so.

    Raises
    ------
    ValueError
        If `max_norm` is not positive, or there is no gradient.

    References
    ----------
    .. [1] Pascanu, Mikolov and Bengio, On the difficulty of training recurrent neural networks, ICML 2013.

    Examples
    --------
    >>> import xgrad
    >>> p = xgrad.Tensor([0.0, 0.0], requires_grad=True)
    >>> (p * xgrad.Tensor([3.0, 4.0])).sum().backward()
    >>> xgrad.optim.clip_grad_norm([p], 1.0), p.grad
    (Tensor(5.0), Tensor([0.6, 0.8]))
    """
    if not max_norm > 0:
        raise ValueError(f"clip_grad_norm: max_norm must be positive, and is {max_norm}")
    params = _with_gradient("clip_grad_norm", parameters)
    with no_grad():
        gradients: list[Any] = [ops.astype(p.grad, float32) if half(p.dtype) else p.grad for p in params]
        norms = [linalg.vector_norm(g) for g in gradients]
        widest = max((n.dtype for n in norms), key=lambda dtype: dtype.bits)
        norm = linalg.vector_norm(ops.stack([ops.astype(n, widest) for n in norms]))
        # No branch on the value of the norm, so that the host does not wait for the device.
        scale = max_norm / ops.maximum(norm, max_norm)
        for p, g in zip(params, gradients):
            p.grad = ops.astype(g * ops.astype(scale, g.dtype), p.dtype, copy=False)
    return norm


def clip_grad_value(parameters: Iterable[Tensor], max_value: float) -> None:
    """Clip every element of every gradient to at most `max_value` in size.

    Parameters
    ----------
    parameters : iterable of Tensors
        ``model.parameters()``; those without gradient are skipped.
    max_value : float
        The largest size.

    Raises
    ------
    ValueError
        If `max_value` is not positive, or there is no gradient.

    Examples
    --------
    >>> import xgrad
    >>> p = xgrad.Tensor([0.0, 0.0], requires_grad=True)
    >>> (p * xgrad.Tensor([3.0, -0.5])).sum().backward()
    >>> xgrad.optim.clip_grad_value([p], 1.0); p.grad
    Tensor([ 1. , -0.5])
    """
    if not max_value > 0:
        raise ValueError(f"clip_grad_value: max_value must be positive, and is {max_value}")
    with no_grad():
        for p in _with_gradient("clip_grad_value", parameters):
            p.grad = ops.clip(p.grad, -max_value, max_value)


def _with_gradient(name: str, parameters: Iterable[Tensor]) -> list[Tensor]:
    params = [p for p in ([parameters] if isinstance(parameters, Tensor) else parameters) if p.grad is not None]
    if not params:
        raise ValueError(f"{name}: no parameter has a gradient; call backward() first")
    return params
