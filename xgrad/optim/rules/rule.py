"""`Rule`: how one parameter follows its gradient, on raw arrays.

A rule has two parts. `numbers` computes on the host what depends on the options and on the number of the step, such as the
learning rate or ``1 - beta**step``. `kernel` computes on arrays, with these numbers as inputs, so that the same kernel is right
at every step.

Kernels use operators like ``+=``: they write in place where arrays are mutable, and Python rebinds the name where they are not.
Therefore a kernel returns its arrays. `update` passes copies to the kernel, and is pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from ...backend.dtypes import Array
from ...backend.find import raw_namespace
from ...backend.precision import half, widened

__all__ = ["Rule", "check_options", "decayed"]


class Rule(NamedTuple):
    """An update rule.

    Attributes
    ----------
    names : tuple of str
        The names of the arrays in a parameter's state.
    options : Mapping
        The keyword arguments of `numbers`, the learning rate ``lr`` among them.
    numbers : callable
        ``numbers(step, **options)`` returns a dict of floats for the step numbered `step`; the first is 1.
    kernel : callable
        ``kernel(xp, p, g, *state, **numbers)`` returns ``(p, *state)`` after the step. It may write into these, but not into
        `g`. Arrays of half precision are passed as float32. It must not branch on the value of a number; it may leave out the
        term of a number that `numbers` leaves out.
    elementwise : bool
        Whether each element of the results depends on the same element of the arrays only. An optimizer may then call the
        kernel for a few rows at a time.

    Examples
    --------
    A rule of your own, p ← p - lr·sign(g), and an optimizer that follows it:

    >>> import xgrad
    >>> def kernel(xp, p, g, *, lr):
    ...     p -= lr * xp.sign(g)
    ...     return (p,)
    >>> def sign_descent(lr=0.01):
    ...     return xgrad.optim.Rule((), {"lr": lr}, lambda step, lr: {"lr": lr}, kernel)
    >>> p = xgrad.Tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = xgrad.optim.Optimizer([p], sign_descent, lr=0.5)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.tolist()
    [0.5, 1.5]
    """

    names: tuple[str, ...]
    options: Mapping[str, Any]
    numbers: Callable[..., dict[str, float]]
    kernel: Callable[..., tuple[Array, ...]]
    elementwise: bool = False

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
        """The parameter and its state after one step; the arguments are not changed.

        Parameters
        ----------
        p, g : array
            The parameter and its gradient, of the same shape and dtype.
        state : tuple of arrays
            From `init` or from the step before. For `p` of half precision it is in float32, as is the computation.
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
        xp, dtype = raw_namespace(p), p.dtype
        copies = [xp.asarray(widened(xp, a), copy=True) for a in (p, *state)]
        numbers = self.numbers(step, **self.options)
        new, *new_state = self.kernel(xp, copies[0], widened(xp, g), *copies[1:], **numbers)
        return new if new.dtype == dtype else xp.astype(new, dtype), tuple(new_state)


def check_options(name: str, **options: float) -> None:
    """Raise if an option of the rule `name` is negative or NaN."""
    for option, value in options.items():
        if not value >= 0:
            raise ValueError(f"{name}: {option} must not be negative, and is {value}")


def decayed(g: Array, p: Array, weight_decay: float | None) -> Array:
    """The gradient `g` with that of the penalty ½·weight_decay·‖p‖² added; `g` itself if there is none."""
    return g if weight_decay is None else g + weight_decay * p
