"""Schedules: the learning rate as a function of the number of the step; set it before each step.

>>> import xgrad
>>> p = xgrad.Tensor([1.0], requires_grad=True)
>>> optimizer = xgrad.optim.SGD([p])
>>> rate = xgrad.optim.cosine(0.1, steps=100, warmup=10)
>>> for step in range(100):
...     optimizer.lr = rate(step)
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

__all__ = ["Schedule", "cosine", "exponential", "linear", "piecewise"]

Schedule = Callable[[int], float]
"""The learning rate of a step; the first step is number 0."""


def linear(lr: float, *, steps: int, end: float = 0.0, warmup: int = 0) -> Schedule:
    """The learning rate falls from `lr` to `end` along a line, and stays at `end`.

    Parameters
    ----------
    lr, end : float
        The highest and the last learning rate.
    steps : int
        The number of the first step that has `end`, warm-up included.
    warmup : int
        The number of steps in which the rate rises to `lr`: step k of the warm-up has ``lr * (k + 1) / warmup``.

    Raises
    ------
    ValueError
        If a rate is negative, or `warmup` is not between 0 and `steps`.

    Examples
    --------
    >>> from xgrad.optim import linear
    >>> [linear(1.0, steps=4, warmup=2)(step) for step in range(5)]
    [0.5, 1.0, 1.0, 0.5, 0.0]
    """
    return _decay("linear", lr, steps, end, warmup, lambda part: 1 - part)


def cosine(lr: float, *, steps: int, end: float = 0.0, warmup: int = 0) -> Schedule:
    """The learning rate falls from `lr` to `end` along half a cosine [1]_, and stays at `end`.

    Parameters and errors as for `linear`.

    References
    ----------
    .. [1] Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts, ICLR 2017.

    Examples
    --------
    >>> from xgrad.optim import cosine
    >>> [round(cosine(1.0, steps=4)(step), 3) for step in range(6)]
    [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """
    return _decay("cosine", lr, steps, end, warmup, lambda part: (1 + math.cos(math.pi * part)) / 2)


def exponential(lr: float, *, rate: float, every: int = 1) -> Schedule:
    """``lr * rate ** (step / every)``: the learning rate is multiplied by `rate` in `every` steps, evenly.

    Raises
    ------
    ValueError
        If `lr` or `rate` is negative, or `every` is not positive.

    Examples
    --------
    >>> from xgrad.optim import exponential
    >>> [exponential(1.0, rate=0.5, every=2)(step) for step in (0, 2, 4)]
    [1.0, 0.5, 0.25]
    """
    if lr < 0 or rate < 0 or every < 1:
        raise ValueError(f"exponential: lr and rate must not be negative and every must be 1 or more, not {lr}, {rate}, {every}")
    return lambda step: lr * rate ** (step / every)


def piecewise(lr: float, changes: Mapping[int, float]) -> Schedule:
    """The learning rate is `lr`, and another one from given steps on.

    Parameters
    ----------
    lr : float
        The learning rate of the first steps.
    changes : mapping of int to float
        The learning rate from each of these steps on.

    Raises
    ------
    ValueError
        If a rate or a step is negative.

    Examples
    --------
    >>> from xgrad.optim import piecewise
    >>> [piecewise(0.1, {100: 0.01, 200: 0.001})(step) for step in (99, 100, 250)]
    [0.1, 0.01, 0.001]
    """
    starts = sorted(changes.items())
    if lr < 0 or any(step < 0 or value < 0 for step, value in starts):
        raise ValueError(f"piecewise: steps and rates must not be negative, but they are {lr} and {dict(starts)}")

    def rate(step: int) -> float:
        rates = [value for start, value in starts if start <= step]
        return rates[-1] if rates else lr

    return rate


def _decay(name: str, lr: float, steps: int, end: float, warmup: int, shape: Callable[[float], float]) -> Schedule:
    if lr < 0 or end < 0:
        raise ValueError(f"{name}: learning rates must not be negative, and are {lr} and {end}")
    if not 0 <= warmup < steps:
        raise ValueError(f"{name}: warmup must be at least 0 and less than steps, but is {warmup} of {steps}")

    def rate(step: int) -> float:
        if step < warmup:
            return lr * (step + 1) / warmup
        part = min((step - warmup) / (steps - warmup), 1.0)
        return end + (lr - end) * shape(part)

    return rate
