"""Functions that sort the elements of an array."""

from __future__ import annotations

from typing import Any

from ..engine.define import op
from ..graph.kinds import takes_real
from ..tensor.tensor import ArrayLike, Tensor
from .parts.axes import axis_from_0

__all__ = ["argsort", "sort"]


@op
@takes_real
def argsort(xp: Any, x: ArrayLike, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The indices that sort `x` along an axis.

    Not differentiable: the result is an index.

    Parameters
    ----------
    x : array
        Of a real data type.
    axis : int
        The axis to sort along.
    descending : bool
        Whether the largest comes first.
    stable : bool
        Whether equal elements keep their order.

    Returns
    -------
    Tensor
        Of the shape of `x` and the default index dtype.

    Raises
    ------
    ValueError or IndexError
        If `x` has no such axis.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.argsort(xgrad.asarray([2.0, 3.0, 1.0]), descending=True)
    Tensor([1, 0, 2])
    """
    return xp.argsort(x, axis=axis, descending=descending, stable=stable)


argsort.not_differentiable()


@op
@takes_real
def sort(xp: Any, x: ArrayLike, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Tensor:
    """The elements of `x` in order along an axis.

    The gradient is ``g`` in the order of `x`. Equal elements share the cotangents of their places evenly, since their order is
    arbitrary.

    Parameters
    ----------
    x : array
        Of a real data type.
    axis : int
        The axis to sort along.
    descending : bool
        Whether the largest comes first.
    stable : bool
        Whether equal elements keep their order; this is visible only for signed zeros.

    Returns
    -------
    Tensor
        Of the shape and dtype of `x`.

    Raises
    ------
    ValueError or IndexError
        If `x` has no such axis.

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.Tensor([2.0, 3.0, 1.0], requires_grad=True)
    >>> y = xgrad.sort(x)
    >>> y.detach()
    Tensor([1., 2., 3.])
    >>> y.backward(xgrad.asarray([10.0, 20.0, 30.0]))
    >>> x.grad
    Tensor([20., 30., 10.])
    """
    return xp.sort(x, axis=axis_from_0("sort", axis, x.ndim), descending=descending, stable=stable)


def sort_x(xp: Any, g: Any, x: Any, y: Any, axis: int, descending: bool, stable: bool) -> Any:
    if x.shape[axis] < 2 or 0 in x.shape:
        return g
    order = xp.argsort(x, axis=axis, descending=descending, stable=stable)
    return xp.take_along_axis(even(xp, g, y, axis), xp.argsort(order, axis=axis), axis=axis)


def even(xp: Any, g: Any, y: Any, axis: int) -> Any:
    """`g`, replaced by its mean over each run of equal elements of the sorted `y`."""
    g, y = xp.moveaxis(g, axis, -1), xp.moveaxis(y, axis, -1)
    starts = xp.astype(y[..., 1:] != y[..., :-1], xp.int64)
    starts = xp.concat([xp.ones_like(starts[..., :1]), starts], axis=-1)
    runs = xp.cumulative_sum(xp.reshape(starts, (-1,))) - 1  # numbered across the whole array
    wide = xp.astype(xp.reshape(g, (-1,)), xp.result_type(g.dtype, xp.float32))
    none = xp.new_zeros(wide, wide.shape)
    total, length = xp.scatter_add(none, runs, wide), xp.scatter_add(none, runs, xp.ones_like(wide))
    mean = total / xp.where(length == 0, xp.ones_like(length), length)
    return xp.moveaxis(xp.reshape(xp.take(mean, runs, axis=0), g.shape), -1, axis)


def sort_change(xp: Any, t: Any, x: Any, y: Any, axis: int, descending: bool, stable: bool) -> Any:
    if x.shape[axis] < 2 or 0 in x.shape:
        return t
    order = xp.argsort(x, axis=axis, descending=descending, stable=stable)
    return even(xp, xp.take_along_axis(t, order, axis=axis), y, axis)


sort.vjp(x=sort_x)
sort.jvp(x=sort_change)
