"""Tests of all elements, and differences of neighbouring elements."""

from __future__ import annotations

from typing import Any

from ..engine.define import composite, op
from ..tensor.tensor import ArrayLike, Tensor
from .parts.axes import check_axis

__all__ = ["all", "any", "diff"]


@op
def all(xp: Any, x: ArrayLike, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
    """Whether all elements are true (not zero); True if there are none.

    Not differentiable: the result is boolean.

    Parameters
    ----------
    x : array
        Of any data type.
    axis : int or tuple of int, optional
        The axes to reduce; all of them if not given.
    keepdims : bool
        Keep the reduced axes, with length one.

    Returns
    -------
    Tensor
        Of boolean dtype.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.all(xgrad.asarray([[True, False], [True, True]]), axis=1)
    Tensor([False,  True])
    """
    return xp.all(x, axis=axis, keepdims=keepdims)


all.not_differentiable()


@op
def any(xp: Any, x: ArrayLike, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
    """Whether any element is true (not zero); False if there are none.

    Not differentiable: the result is boolean.

    Parameters
    ----------
    x : array
        Of any data type.
    axis : int or tuple of int, optional
        The axes to reduce; all of them if not given.
    keepdims : bool
        Keep the reduced axes, with length one.

    Returns
    -------
    Tensor
        Of boolean dtype.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.any(xgrad.asarray([[True, False], [False, False]]), axis=1)
    Tensor([ True, False])
    """
    return xp.any(x, axis=axis, keepdims=keepdims)


any.not_differentiable()


@composite
def diff(
    xp: Any,
    x: ArrayLike,
    /,
    *,
    axis: int = -1,
    n: int = 1,
    prepend: ArrayLike | None = None,
    append: ArrayLike | None = None,
) -> Tensor:
    """The differences ``x[i + 1] - x[i]`` of neighbouring elements along an axis, taken `n` times.

    The gradient is ``g[i - 1] - g[i]``, also for the elements of `prepend` and `append`.

    Parameters
    ----------
    x : array
        Of a numeric data type.
    axis : int
        The axis along which to take differences.
    n : int
        How often to take differences; if 0, the result is `x` without `prepend` and `append`.
    prepend, append : array, optional
        Joined to `x` at the beginning and at the end of the axis. They have the shape of `x` except along the axis; a 0-d array
        is broadcast to length one along the axis.

    Returns
    -------
    Tensor
        Of the dtype of `x`, shorter by `n` along the axis, or empty.

    Raises
    ------
    ValueError
        If `n` is negative, `x` has no such axis, or the shapes do not fit.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.diff(xgrad.asarray([1.0, 4.0, 9.0]), prepend=xgrad.asarray([0.0]))
    Tensor([1., 3., 5.])
    """
    if n < 0:
        raise ValueError(f"diff: n is {n}; differences are taken 0 or more times")
    check_axis("diff", axis)
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"diff: axis is {axis}, but x has shape {tuple(x.shape)}")
    if n == 0:
        return x
    lead = (slice(None),) * (axis % x.ndim)
    row = tuple(1 if i == axis % x.ndim else length for i, length in enumerate(x.shape))
    parts = [v if v.ndim else xp.broadcast_to(v, row) for v in (prepend, x, append) if v is not None]
    y = x if len(parts) == 1 else xp.concat(parts, axis=axis)
    for _ in range(min(n, y.shape[axis])):
        y = y[(*lead, slice(1, None), ...)] - y[(*lead, slice(None, -1), ...)]
    return y
