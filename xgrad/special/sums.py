"""Sums of exponentials with SciPy's arguments: `logsumexp`, `softmax` and `log_softmax`.

These are not ops: they call the ops of the same names and translate the arguments.
"""

from __future__ import annotations

import math
from typing import Any

from .. import ops
from ..graph.kinds import refuse_complex
from ..tensor.tensor import ArrayLike, Tensor

__all__ = ["log_softmax", "logsumexp", "softmax"]

Axis = int | tuple[int, ...] | None


def logsumexp(
    a: ArrayLike, axis: Axis = None, b: ArrayLike | None = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """The logarithm of the sum of ``b exp(a)``, without overflow: `xgrad.logsumexp` with SciPy's arguments.

    Parameters
    ----------
    a : array
        Of real floating data type.
    axis : int, tuple of int or None
        The axes to sum over; all of them by default.
    b : array, optional
        Factors, whose shape broadcasts with that of `a`; elements of `a` with the factor 0 are ignored.
    keepdims : bool
        Whether the axes that are summed over stay, with length 1.
    return_sign : bool
        Whether to return the logarithm of the absolute value of the sum, and its sign. Without it, the result is NaN where
        the sum is negative.

    Returns
    -------
    Tensor, or tuple of two Tensors
        The logarithm; and the sign, which has no gradient.

    Raises
    ------
    TypeError
        If `a` or `b` is complex.

    Examples
    --------
    >>> import xgrad
    >>> logsumexp(xgrad.Tensor([1000.0, 1000.0]), b=xgrad.Tensor([1.0, 2.0]))
    Tensor(1001.0...)
    """
    refuse_complex("logsumexp", a=a, b=b)
    if b is None:
        y = ops.logsumexp(a, axis=axis, keepdims=keepdims)
        return (y, ops.where(y == -math.inf, ops.zeros_like(y), ops.ones_like(y))) if return_sign else y
    a, b = ops.broadcast_arrays(a, b)
    a = ops.where(b == 0, ops.full_like(a, -math.inf), a)
    peak = ops.max(a, axis=axis, keepdims=True).detach()  # a constant: the result does not depend on it
    peak = ops.where(ops.isfinite(peak), peak, ops.zeros_like(peak))
    total = ops.sum(b * ops.exp(a - peak), axis=axis, keepdims=True)
    is_zero = total == 0
    logarithm = ops.log(ops.abs(ops.where(is_zero, ops.ones_like(total), total))) + peak
    y, sign = ops.where(is_zero, ops.full_like(total, -math.inf), logarithm), ops.sign(total)
    if not keepdims:
        axes = tuple(range(y.ndim)) if axis is None else axis
        y, sign = ops.squeeze(y, axis=axes), ops.squeeze(sign, axis=axes)
    return (y, sign) if return_sign else ops.where(sign < 0, ops.full_like(y, math.nan), y)


def softmax(x: ArrayLike, axis: Axis = None) -> Tensor:
    """The softmax of `xgrad.softmax`, by default over all elements together, as in SciPy.

    Parameters
    ----------
    x : array
        Of real floating data type.
    axis : int, tuple of int or None
        Along which the result sums to 1.

    Examples
    --------
    >>> import xgrad
    >>> softmax(xgrad.Tensor([[0.0, 0.0], [0.0, 0.0]]))
    Tensor([[0.25, 0.25],
            [0.25, 0.25]])
    """
    return ops.softmax(x, axis=axis)


def log_softmax(x: ArrayLike, axis: Axis = None) -> Tensor:
    """The logarithm of `softmax`, by default over all elements together, as in SciPy.

    Parameters
    ----------
    x : array
        Of real floating data type.
    axis : int, tuple of int or None
        As in `softmax`.

    Examples
    --------
    >>> import xgrad
    >>> log_softmax(xgrad.Tensor([0.0, 1000.0]))
    Tensor([-1000.,     0.])
    """
    return ops.log_softmax(x, axis=axis)
