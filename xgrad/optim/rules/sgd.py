"""Gradient descent, with and without momentum."""

from __future__ import annotations

from typing import Any

from .rule import Rule, check_options, decayed

__all__ = ["sgd"]


def sgd(
    lr: float = 0.01, *, momentum: float = 0.0, dampening: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0
) -> Rule:
    """Gradient descent: p ← p - lr·g.

    With momentum, b replaces g: b ← momentum·b + (1 - dampening)·g, and b ← g in the first step.

    Parameters
    ----------
    lr : float
        The learning rate.
    momentum, dampening : float
        The factor of b, and the part of the new gradient that is left out.
    nesterov : bool
        Step along g + momentum·b [1]_; needs momentum, and no dampening.
    weight_decay : float
        Adds weight_decay·p to the gradient.

    References
    ----------
    .. [1] Sutskever et al., On the importance of initialization and momentum in deep learning, ICML 2013.
    """
    check_options("SGD", lr=lr, momentum=momentum, weight_decay=weight_decay)
    if nesterov and (not momentum > 0 or dampening):
        raise ValueError(f"SGD: nesterov needs momentum, and no dampening; they are {momentum} and {dampening}")
    options = {"lr": lr, "momentum": momentum, "dampening": dampening, "nesterov": nesterov, "weight_decay": weight_decay}
    kernel = _nesterov if nesterov else _momentum if momentum else _plain
    return Rule(("momentum",) if momentum else (), options, _numbers, kernel, elementwise=True)


def _numbers(step: int, *, lr: float, momentum: float, dampening: float, nesterov: bool, weight_decay: float) -> dict[str, float]:
    numbers = {"lr": lr}
    if momentum:
        numbers |= {"momentum": momentum, "gain": 1.0 if step == 1 else 1.0 - dampening}  # gain: the factor of the gradient
    if weight_decay:
        numbers["weight_decay"] = weight_decay
    return numbers


def _plain(xp: Any, p: Any, g: Any, *, lr: float, weight_decay: float | None = None) -> tuple[Any, ...]:
    g = decayed(g, p, weight_decay)
    p -= lr * g
    return (p,)


def _momentum(
    xp: Any, p: Any, g: Any, b: Any, *, lr: float, momentum: float, gain: float, weight_decay: float | None = None
) -> tuple[Any, ...]:
    g = decayed(g, p, weight_decay)
    b *= momentum
    b += gain * g
    p -= lr * b
    return p, b


def _nesterov(
    xp: Any, p: Any, g: Any, b: Any, *, lr: float, momentum: float, gain: float, weight_decay: float | None = None
) -> tuple[Any, ...]:
    g = decayed(g, p, weight_decay)
    b *= momentum
    b += gain * g
    p -= lr * (g + momentum * b)
    return p, b
