"""Sets of elements: distinct elements, and membership.

Equal elements share the gradient of the one element of the set evenly.
"""

from __future__ import annotations

from typing import Any

from ..engine.define import op
from ..tensor.tensor import ArrayLike, Tensor

__all__ = ["isin", "unique_all", "unique_counts", "unique_inverse", "unique_values"]


@op
def isin(xp: Any, x1: ArrayLike, x2: ArrayLike, /, *, invert: bool = False) -> Tensor:
    """Whether each element of `x1` is an element of `x2`.

    Not differentiable: the result is boolean.

    Parameters
    ----------
    x1, x2 : array or scalar
        At least one array.
    invert : bool
        Whether to negate the result.

    Returns
    -------
    Tensor
        Of the shape of `x1` and boolean dtype.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.isin(xgrad.asarray([1, 2, 3]), xgrad.asarray([3, 1]))
    Tensor([ True, False,  True])
    """
    y = xp.isin(x1, x2)
    return ~y if invert else y  # array-api-strict ignores `invert`


isin.not_differentiable()


@op
def unique_all(xp: Any, x: ArrayLike, /) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The distinct elements of `x`, their first indices, the index of each element of `x` among them, and their counts.

    The gradient for `x` is that of the values, shared evenly among equal elements. Shapes depend on the values of `x`, so a
    lazy backend computes `x`.

    Parameters
    ----------
    x : array
        Flattened if it has several axes.

    Returns
    -------
    values, indices, inverse_indices, counts : Tensor
        A named tuple. Each NaN is a distinct element.

    Examples
    --------
    >>> import xgrad
    >>> result = xgrad.unique_all(xgrad.asarray([2.0, 1.0, 2.0]))
    >>> result.values, result.counts
    (Tensor([1., 2.]), Tensor([1, 2]))
    """
    return xp.unique_all(x)


@op
def unique_counts(xp: Any, x: ArrayLike, /) -> tuple[Tensor, Tensor]:
    """The distinct elements of `x` and their counts; see `unique_all`.

    Parameters
    ----------
    x : array
        Flattened if it has several axes.

    Returns
    -------
    values, counts : Tensor
        A named tuple.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.unique_counts(xgrad.asarray([2.0, 1.0, 2.0])).counts
    Tensor([1, 2])
    """
    return xp.unique_counts(x)


@op
def unique_inverse(xp: Any, x: ArrayLike, /) -> tuple[Tensor, Tensor]:
    """The distinct elements of `x`, and the index of each element of `x` among them; see `unique_all`.

    Parameters
    ----------
    x : array
        Flattened if it has several axes.

    Returns
    -------
    values, inverse_indices : Tensor
        A named tuple; the indices have the shape of `x`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.unique_inverse(xgrad.asarray([2.0, 1.0, 2.0])).inverse_indices
    Tensor([1, 0, 1])
    """
    return xp.unique_inverse(x)


@op(override=True)
def unique_values(xp: Any, x: ArrayLike, /) -> Tensor:
    """The distinct elements of `x`; see `unique_all`.

    Parameters
    ----------
    x : array
        Flattened if it has several axes.

    Returns
    -------
    Tensor
        With one axis, of the dtype of `x`, in the order of `unique_all`.

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.Tensor([2.0, 1.0, 2.0], requires_grad=True)
    >>> xgrad.unique_values(x).sum().backward()
    >>> x.grad
    Tensor([0.5, 1. , 0.5])
    """
    return xp.unique_counts(x)[0]  # in the order of unique_all, unlike the library's unique_values


def share(xp: Any, g: Any, x: Any) -> Any:
    """The cotangent of each distinct value, divided evenly among the elements that have it."""
    _, _, inverse, counts = xp.unique_all(x)
    wide = xp.result_type(g.dtype, xp.float32)  # float16 has no integers beyond 2048
    each = xp.astype(g, wide) / xp.astype(counts, wide)
    return xp.reshape(xp.take(each, xp.reshape(inverse, (-1,)), axis=0), x.shape)


def share_first(xp: Any, g: Any, x: Any) -> Any:
    return share(xp, g[0], x)


def mean_change(xp: Any, t: Any, x: Any) -> Any:
    """The tangent of each distinct value: the mean of the tangents of the elements that have it."""
    _, _, inverse, counts = xp.unique_all(x)
    wide = xp.astype(xp.reshape(t, (-1,)), xp.result_type(t.dtype, xp.float32))
    total = xp.scatter_add(xp.new_zeros(wide, counts.shape), xp.reshape(inverse, (-1,)), wide)
    return total / xp.astype(counts, wide.dtype)


unique_all.vjp(x=share_first)
unique_all.jvp(x=lambda xp, t, x: (mean_change(xp, t, x), None, None, None))
for _function in (unique_counts, unique_inverse):
    _function.vjp(x=share_first)
    _function.jvp(x=lambda xp, t, x: (mean_change(xp, t, x), None))
unique_values.vjp(x=share)
unique_values.jvp(x=mean_change)
