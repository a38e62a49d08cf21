"""Optimizers, a class for each rule."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .optimizer import Optimizer
from .rules import adam, adamw, sgd

__all__ = ["SGD", "Adam", "AdamW"]


class SGD(Optimizer):
    """Gradient descent, with or without momentum; see `xgrad.optim.sgd` for the options.

    Examples
    --------
    >>> import xgrad
    >>> p = xgrad.Tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = xgrad.optim.SGD([p], lr=0.5)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.data.tolist()
    [0.0, 0.0]
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 0.01,
        *,
        momentum: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            parameters, sgd, lr=lr, momentum=momentum, dampening=dampening, nesterov=nesterov, weight_decay=weight_decay
        )


class Adam(Optimizer):
    """Adam; see `xgrad.optim.adam` for the options."""

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 0.001,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, adam, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)


class AdamW(Optimizer):
    """Adam with decoupled weight decay; see `xgrad.optim.adamw` for the options."""

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 0.001,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(parameters, adamw, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
