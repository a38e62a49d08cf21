"""How one parameter follows its gradient: rules on raw arrays, each a pair ``(init, update)`` of pure functions.

The arithmetic is written once, in `kernel`, with operators like ``+=`` on arrays that belong to the caller: where arrays
are mutable they are written in place, a block at a time if that is faster, and where they are not, Python rebinds the name.
Kernels therefore return what they were given. `update` hands copies to the kernel, and is pure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ..backend.dtypes import Array
from ..backend.find import raw_namespace
from ..backend.precision import half, widened

__all__ = ["Rule", "adam", "adamw", "sgd"]


class Rule(NamedTuple):
    """An update rule.

    Attributes
    ----------
    names : tuple of str
        What the arrays of a parameter's state are called.
    options : Mapping
        The numbers that `kernel` wants by keyword, the learning rate ``lr`` among them.
    kernel : callable
        ``kernel(xp, step, p, g, *state, **options)`` returns ``(p, *state)`` after the step numbered `step` (the first is 1),
        and may have written into them, but not into `g`. It gets arrays of half precision as float32.
    """

    names: tuple[str, ...]
    options: Mapping[str, Any]
    kernel: Callable[..., tuple[Array, ...]]

    def init(self, p: Array) -> tuple[Array, ...]:
        """The state of a parameter before its first step: zeros of its shape and dtype; float32 for half precision.

        Parameters
        ----------
        p : array
            The parameter, of any backend.
        """
        xp = raw_namespace(p)
        return tuple(xp.zeros_like(p, dtype=xp.float32 if half(p.dtype) else p.dtype) for _ in self.names)

    def update(self, p: Array, g: Array, state: tuple[Array, ...], step: int) -> tuple[Array, tuple[Array, ...]]:
        """The parameter and its state after one step; the arguments are left as they are.

        Parameters
        ----------
        p, g : array
            The parameter and its gradient, of the same shape and dtype.
        state : tuple of arrays
            From `init` or from the step before, in float32 if `p` is of half precision, as all that is computed then.
        step : int
            The number of this step; the first is 1.

        Examples
        --------
        >>> import numpy as np
        >>> from xgrad.optim import sgd
        >>> rule = sgd(lr=0.5)
        >>> p = np.asarray([1.0, 2.0])
        >>> rule.update(p, np.asarray([1.0, 1.0]), rule.init(p), 1)
        (array([0.5, 1.5]), ())
        """
        xp = raw_namespace(p)
        own, mine = p.dtype, [xp.asarray(widened(xp, a), copy=True) for a in (p, *state)]
        p, *state_after = self.kernel(xp, step, mine[0], widened(xp, g), *mine[1:], **self.options)
        return p if p.dtype == own else xp.astype(p, own), tuple(state_after)


def sgd(
    lr: float = 0.01, *, momentum: float = 0.0, dampening: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0
) -> Rule:
    """Gradient descent: p ← p - lr·g.

    With momentum, b takes the place of g: b ← momentum·b + (1 - dampening)·g, at the first step b ← g.

    Parameters
    ----------
    lr : float
        The learning rate.
    momentum, dampening : float
        How much of the last step is kept, and how much of the new gradient is left out.
    nesterov : bool
        Step along g + momentum·b [1]_; needs momentum, and no dampening.
    weight_decay : float
        Adds weight_decay·p to the gradient.

    References
    ----------
    .. [1] Sutskever et al., On the importance of initialization and momentum in deep learning, ICML 2013.
    """
    _check("SGD", lr=lr, momentum=momentum, weight_decay=weight_decay)
    if nesterov and (not momentum > 0 or dampening):
        raise ValueError(f"SGD: nesterov needs momentum, and no dampening; they are {momentum} and {dampening}")
    options = {"lr": lr, "momentum": momentum, "dampening": dampening, "nesterov": nesterov, "weight_decay": weight_decay}
    return Rule(("momentum",) if momentum else (), options, _sgd)


def _sgd(
    xp: Any,
    step: int,
    p: Any,
    g: Any,
    *state: Any,
    lr: float,
    momentum: float,
    dampening: float,
    nesterov: bool,
    weight_decay: float,
) -> tuple[Any, ...]:
    if weight_decay:
        g = g + weight_decay * p
    if not state:
        p -= lr * g
        return (p,)
    (b,) = state
    b *= momentum
    b += g if step == 1 else (1 - dampening) * g
    p -= lr * (g + momentum * b if nesterov else b)
    return p, b


def adam(lr: float = 0.001, *, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.0) -> Rule:
    """Adam [1]_: p ← p - lr·m̂ / (sqrt(v̂) + eps), where m̂ and v̂ are the unbiased moving averages of g and g².

    Parameters
    ----------
    lr : float
        The learning rate: about the size of a step.
    betas : tuple of two floats
        How much of each average is kept per step.
    eps : float
        Keeps the quotient finite.
    weight_decay : float
        Adds weight_decay·p to the gradient. `adamw` is usually better.

    References
    ----------
    .. [1] Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015.
    """
    _check("Adam", lr=lr, eps=eps, weight_decay=weight_decay)
    options = {"lr": lr, "betas": _betas("Adam", betas), "eps": eps, "weight_decay": weight_decay, "decoupled": False}
    return Rule(("m", "v"), options, _adam)


def adamw(lr: float = 0.001, *, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.01) -> Rule:
    """Adam whose weight decay does not pass through the averages: p ← p - lr·weight_decay·p first [1]_.

    Parameters as for `adam`.

    References
    ----------
    .. [1] Loshchilov and Hutter, Decoupled weight decay regularization, ICLR 2019.
    """
    _check("AdamW", lr=lr, eps=eps, weight_decay=weight_decay)
    options = {"lr": lr, "betas": _betas("AdamW", betas), "eps": eps, "weight_decay": weight_decay, "decoupled": True}
    return Rule(("m", "v"), options, _adam)


def _adam(
    xp: Any, step: int, p: Any, g: Any, m: Any, v: Any, *, lr: float, betas: Any, eps: float, weight_decay: float, decoupled: bool
) -> tuple[Any, ...]:
    b1, b2 = betas
    if weight_decay and decoupled:
        p *= 1 - lr * weight_decay
    elif weight_decay:
        g = g + weight_decay * p
    m *= b1
    m += (1 - b1) * g
    v *= b2
    t = g * g
    t *= 1 - b2
    v += t
    t = xp.sqrt(v)
    t *= 1 / math.sqrt(1 - b2**step)
    t += eps
    t = m / t
    t *= lr / (1 - b1**step)
    p -= t
    return p, m, v


def _check(what: str, **numbers: float) -> None:
    for name, value in numbers.items():
        if not value >= 0:
            raise ValueError(f"{what}: {name} must not be negative, and is {value}")


def _betas(what: str, betas: Any) -> tuple[float, float]:
    first, second = betas
    if not (0 <= first < 1 and 0 <= second < 1):
        raise ValueError(f"{what}: betas must be at least 0 and less than 1, and are {betas}")
    return first, second
