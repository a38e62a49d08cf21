"""Searching for elements, and selecting from two arrays."""

from __future__ import annotations

from typing import Any, Literal

from ..engine.define import op
from ..graph.kinds import takes_real
from ..tensor.tensor import ArrayLike, Tensor

__all__ = ["argmax", "argmin", "count_nonzero", "nonzero", "searchsorted", "where"]


@op
@takes_real
def argmax(xp: Any, x: ArrayLike, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The index of the largest element, or of the first of them.

    Not differentiable: the result is an index.

    Parameters
    ----------
    x : array
        Of a real data type.
    axis : int, optional
        The axis to search; without it, the index is into the flattened array.
    keepdims : bool
        Keep the searched axes, with length one.

    Returns
    -------
    Tensor
        Of the default index dtype.

    Raises
    ------
    ValueError or IndexError
        If `x` has no such axis, or no elements along it.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.argmax(xgrad.asarray([[1.0, 3.0], [4.0, 2.0]]), axis=1)
    Tensor([1, 0])
    """
    return xp.argmax(x, axis=axis, keepdims=keepdims)


argmax.not_differentiable()


@op
@takes_real
def argmin(xp: Any, x: ArrayLike, /, *, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """The index of the smallest element, or of the first of them.

    Not differentiable: the result is an index.

    Parameters
    ----------
    x : array
        Of a real data type.
    axis : int, optional
        The axis to search; without it, the index is into the flattened array.
    keepdims : bool
        Keep the searched axes, with length one.

    Returns
    -------
    Tensor
        Of the default index dtype.

    Raises
    ------
    ValueError or IndexError
        If `x` has no such axis, or no elements along it.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.argmin(xgrad.asarray([[1.0, 3.0], [4.0, 2.0]]), axis=1)
    Tensor([0, 1])
    """
    return xp.argmin(x, axis=axis, keepdims=keepdims)


argmin.not_differentiable()


@op
def count_nonzero(xp: Any, x: ArrayLike, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Tensor:
    """The number of elements that are not zero.

    Not differentiable: the result is a count.

    Parameters
    ----------
    x : array
        Of any data type.
    axis : int or tuple of int, optional
        The axes to count along; all of them if not given.
    keepdims : bool
        Keep the counted axes, with length one.

    Returns
    -------
    Tensor
        Of the default index dtype.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.count_nonzero(xgrad.asarray([[1.0, 0.0], [4.0, 2.0]]), axis=0)
    Tensor([2, 1])
    """
    return xp.count_nonzero(x, axis=axis, keepdims=keepdims)


count_nonzero.not_differentiable()


@op
def nonzero(xp: Any, x: ArrayLike, /) -> tuple[Tensor, ...]:
    """The indices of the elements that are not zero.

    Not differentiable: the results are indices. Their length depends on the values of `x`, so a lazy backend computes `x`.

    Parameters
    ----------
    x : array
        Of any data type, with at least one axis.

    Returns
    -------
    tuple of Tensor
        One array of indices per axis of `x`, in row-major order.

    Raises
    ------
    ValueError
        If `x` has no axes.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.nonzero(xgrad.asarray([[1.0, 0.0], [0.0, 2.0]]))
    (Tensor([0, 1]), Tensor([0, 1]))
    """
    if not x.shape:
        raise ValueError("nonzero: x is 0-d and has no indices; reshape it to (1,)")
    return tuple(xp.nonzero(x))


nonzero.not_differentiable()


@op
@takes_real
def searchsorted(
    xp: Any,
    x1: ArrayLike,
    x2: ArrayLike,
    /,
    *,
    side: Literal["left", "right"] = "left",
    sorter: ArrayLike | None = None,
) -> Tensor:
    """The indices at which to insert the elements of `x2` into `x1` so that it stays sorted.

    Not differentiable: the result is an index.

    Parameters
    ----------
    x1 : array
        One axis, sorted in ascending order, or by `sorter`.
    x2 : array or scalar
        The values to insert.
    side : {"left", "right"}
        Whether to insert before or after equal elements.
    sorter : array, optional
        Indices that sort `x1`, as from `argsort`.

    Returns
    -------
    Tensor
        Of the shape of `x2` and the default index dtype.

    Raises
    ------
    ValueError
        If `x1` does not have one axis, or `side` has another value.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.searchsorted(xgrad.asarray([1.0, 2.0, 3.0]), xgrad.asarray([0.5, 2.0]), side="right")
    Tensor([0, 2])
    """
    if x1.ndim != 1:
        raise ValueError(f"searchsorted: x1 has shape {tuple(x1.shape)}; it must have one axis")
    if side not in ("left", "right"):
        raise ValueError(f"searchsorted: side is {side!r}; it must be 'left' or 'right'")
    if x1.dtype != x2.dtype:
        dtype = xp.result_type(x1, x2)
        x1, x2 = xp.astype(x1, dtype), xp.astype(x2, dtype)
    if x2.ndim:
        return xp.searchsorted(x1, x2, side=side, sorter=sorter)
    return xp.reshape(
        xp.searchsorted(x1, xp.reshape(x2, (1,)), side=side, sorter=sorter), ()
    )  # Dask does not search for a 0-d array


searchsorted.not_differentiable()


@op(elementwise=True)
def where(xp: Any, condition: ArrayLike, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """The elements of `x1` where `condition` holds, and those of `x2` elsewhere.

    The gradient is ``g`` for the selected elements and 0 for the others. In ``where(x > 0, sqrt(x), 0)`` the branch that is
    not selected is differentiated too: zero times an infinite derivative is NaN, and reaches `x`. Keep the argument of that
    branch in its domain: ``where(x > 0, sqrt(where(x > 0, x, 1)), 0)``.

    Parameters
    ----------
    condition : array
        Of boolean dtype.
    x1, x2 : array or scalar
        The arrays to select from.

    Returns
    -------
    Tensor
        Of the shape that all three broadcast to, and of the dtype that `x1` and `x2` promote to.

    Raises
    ------
    ValueError
        If the shapes do not broadcast.
    TypeError
        If the dtypes do not promote.

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.asarray([-1.0, 2.0])
    >>> xgrad.where(x > 0, x, 0)
    Tensor([0., 2.])
    """
    return xp.where(condition, x1, x2)


where.vjp(
    x1=lambda xp, g, condition: xp.zero_where_not(g, condition),
    x2=lambda xp, g, condition: xp.zero_where_not(g, ~condition),
)
