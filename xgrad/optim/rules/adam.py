"""Adam, and AdamW with decoupled weight decay."""

from __future__ import annotations

import math
from typing import Any

from .rule import Rule, check_options, decayed

__all__ = ["adam", "adamw"]


def adam(lr: float = 0.001, *, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.0) -> Rule:
    """Adam [1]_: p ← p - lr·m̂ / (sqrt(v̂) + eps), where m̂ and v̂ are the unbiased moving averages of g and g².

    Parameters
    ----------
    lr : float
        The learning rate: about the size of a step.
    betas : tuple of two floats
        The factors of the two averages in each step.
    eps : float
        Keeps the quotient finite.
    weight_decay : float
        Adds weight_decay·p to the gradient. `adamw` is usually better.

    References
    ----------
    .. [1] Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015.
    """
    check_options("Adam", lr=lr, eps=eps, weight_decay=weight_decay)
    options = {"lr": lr, "betas": _checked_betas("Adam", betas), "eps": eps, "weight_decay": weight_decay}
    return Rule(("m", "v"), options, _adam_numbers, _kernel, elementwise=True)


def adamw(lr: float = 0.001, *, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.01) -> Rule:
    """Adam whose weight decay does not enter the averages: p ← p - lr·weight_decay·p first [1]_.

    Parameters as for `adam`.

    References
    ----------
    .. [1] Loshchilov and Hutter, Decoupled weight decay regularization, ICLR 2019.
    """
    check_options("AdamW", lr=lr, eps=eps, weight_decay=weight_decay)
    options = {"lr": lr, "betas": _checked_betas("AdamW", betas), "eps": eps, "weight_decay": weight_decay}
    return Rule(("m", "v"), options, _adamw_numbers, _kernel, elementwise=True)


def _adam_numbers(step: int, *, lr: float, betas: tuple[float, float], eps: float, weight_decay: float) -> dict[str, float]:
    numbers = _averages(step, lr, betas, eps)
    if weight_decay:
        numbers["weight_decay"] = weight_decay
    return numbers


def _adamw_numbers(step: int, *, lr: float, betas: tuple[float, float], eps: float, weight_decay: float) -> dict[str, float]:
    numbers = _averages(step, lr, betas, eps)
    if weight_decay:
        numbers["shrink"] = 1 - lr * weight_decay
    return numbers


def _averages(step: int, lr: float, betas: tuple[float, float], eps: float) -> dict[str, float]:
    beta1, beta2 = betas
    scale = math.sqrt(1 - beta2**step)  # of sqrt(v̂), which makes it that of v
    return {
        "beta1": beta1,
        "gain1": 1 - beta1,
        "beta2": beta2,
        "gain2": 1 - beta2,
        "rate": lr * scale / (1 - beta1**step),
        "eps": eps * scale,
    }


def _kernel(
    xp: Any,
    p: Any,
    g: Any,
    m: Any,
    v: Any,
    *,
    beta1: float,
    gain1: float,
    beta2: float,
    gain2: float,
    rate: float,
    eps: float,
    weight_decay: float | None = None,
    shrink: float | None = None,
) -> tuple[Any, ...]:
    if shrink is not None:
        p *= shrink
    g = decayed(g, p, weight_decay)
    m *= beta1
    m += gain1 * g
    v *= beta2
    t = g * g
    t *= gain2
    v += t
    t = xp.sqrt(v)
    t += eps
    t = m / t
    t *= rate
    p -= t
    return p, m, v


def _checked_betas(name: str, betas: Any) -> tuple[float, float]:
    beta1, beta2 = betas
    if not (0 <= beta1 < 1 and 0 <= beta2 < 1):
        raise ValueError(f"{name}: betas must be at least 0 and less than 1, and are {betas}")
    return beta1, beta2
