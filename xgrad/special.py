"""Special functions under SciPy's names, differentiable: what `scipy.special` dispatches on, and a few more.

Values are the backend's own, or SciPy's for arrays in the host's memory; derivatives are xgrad's. Derivatives of any order
that are no functions of SciPy have names of their own here: `gammainc_derivative`, `exprel_derivative` and the like.
"""

from __future__ import annotations

import math
from typing import Any

from .graph.kinds import refuse_complex
from .ops.creation import full_like, ones_like, zeros_like
from .ops.elementwise import abs, exp, isfinite, log, sign
from .ops.manipulation import broadcast_arrays, squeeze
from .ops.neural.softmax import log_softmax as _log_softmax
from .ops.neural.softmax import logsumexp as _logsumexp
from .ops.neural.softmax import softmax as _softmax
from .ops.searching import where
from .ops.special.gamma import psi
from .ops.statistical import max, sum
from .tensor.tensor import ArrayLike, Tensor

__all__ = ["log_softmax", "logsumexp", "softmax", "digamma"]

digamma = psi

Axis = int | tuple[int, ...] | None


def logsumexp(
    a: ArrayLike, axis: Axis = None, b: ArrayLike | None = None, keepdims: bool = False, return_sign: bool = False
) -> Any:
    """The logarithm of the sum of ``b exp(a)``, without overflow: SciPy's signature of `xgrad.logsumexp`.

    Parameters
    ----------
    a : array
        Of real floating data type.
    axis : int, tuple of int or None
        The axes to sum over; all of them by default.
    b : array, optional
        Factors, of a shape that broadcasts with that of `a`; where they are 0, `a` does not matter.
    keepdims : bool
        Whether the axes that are summed over stay, with length 1.
    return_sign : bool
        Whether the sign of the sum is returned too, with the logarithm of its absolute value; else that of a negative sum
        is NaN.

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
        y = _logsumexp(a, axis=axis, keepdims=keepdims)
        return (y, where(y == -math.inf, zeros_like(y), ones_like(y))) if return_sign else y
    a, b = broadcast_arrays(a, b)
    a = where(b == 0, full_like(a, -math.inf), a)
    peak = max(a, axis=axis, keepdims=True).detach()  # which does not matter for the result, so has no gradient
    peak = where(isfinite(peak), peak, zeros_like(peak))
    total = sum(b * exp(a - peak), axis=axis, keepdims=True)
    none = total == 0
    y = where(none, full_like(total, -math.inf), log(abs(where(none, ones_like(total), total))) + peak)
    signs = sign(total)
    if not keepdims:
        gone = tuple(range(len(y.shape))) if axis is None else axis
        y, signs = squeeze(y, axis=gone), squeeze(signs, axis=gone)
    return (y, signs) if return_sign else where(signs < 0, full_like(y, math.nan), y)


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
    return _softmax(x, axis=axis)


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
    return _log_softmax(x, axis=axis)
