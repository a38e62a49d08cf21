"""Indexing: reading elements, and writing them functionally.

Reading scatters its cotangent back, adding up where an element was read twice; writing cuts the cotangent of what was
overwritten. ``x[key]`` with integers, slices, None and Ellipsis alone is a view of `x`; with arrays it is a copy.
"""

from __future__ import annotations

import math
from typing import Any

from ..backend.dtypes import Array
from ..backend.find import is_numpy_scalar, raw_namespace
from ..backend.portable import may_repeat
from ..engine.define import composite, op
from ..tensor.tensor import ArrayLike, Tensor
from .parts.axes import axis_from_0
from .parts.keys import is_basic, last_writes, operand, raw_key, value_for

__all__ = ["getitem", "setitem", "take", "take_along_axis"]


# ------------------------------------------------------------------------------------------------------------ reading


@op(override=True, passes_through=True)
def getitem_(xp: Any, x: ArrayLike, key: Any, /) -> Tensor:
    """``x[key]`` for a key without arrays: a view."""
    return xp.get_item(x, key)


def _scatter(xp: Any, g: Any, x_shape: tuple[int, ...], key: Any) -> Any:
    if 0 in g.shape:
        return xp.new_zeros(g, x_shape)
    if isinstance(g, Tensor):
        return xp.scatter_add(xp.new_zeros(g, x_shape), key, g)
    return xp.__backend__.scatter(x_shape, key, g)


getitem_.vjp(x=_scatter)
getitem_.linear()
getitem_.view(lambda xp, x, v, key: xp.setitem(x, key, v))


@op(override=True, passes_through=True)
def gather(xp: Any, x: ArrayLike, key: Any, /) -> Tensor:
    """``x[key]`` for a key with arrays: a copy."""
    return xp.get_item(x, key)


gather.vjp(x=_scatter)
gather.linear()


def getitem(x: ArrayLike, key: Any, /) -> Tensor:
    """The elements ``x[key]``.

    Parameters
    ----------
    x : array
        Of any data type.
    key : int, slice, None, Ellipsis, boolean or integer array, list of integers, or a tuple of these
        As in NumPy. Arrays may be Tensors, arrays of the library of `x`, or NumPy's.

    Returns
    -------
    Tensor
        Of the dtype of `x`. With integers, slices, None and Ellipsis alone it is a view: writing to it writes to `x`.

    Raises
    ------
    IndexError
        If an index is out of bounds, or there are more of them than axes.
    TypeError
        If the key holds something else, such as an array of floats.

    Notes
    -----
    The gradient is zero but for `g`, added up at the places that were read: an element read twice gets both.

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.asarray([1.0, 2.0, 3.0]).requires_grad_()
    >>> (x[[0, 0, 1]] * xgrad.asarray([1.0, 10.0, 100.0])).sum().backward()
    >>> x.grad
    Tensor([ 11., 100.,   0.])
    """
    if key.__class__ is int or key.__class__ is slice or is_basic(key):
        return getitem_(x, key)
    x = operand(x)
    key = raw_key(getattr(x, "_data", x), key)
    return getitem_(x, key) if is_basic(key) else gather(x, key)


# ------------------------------------------------------------------------------------------------------------ writing


@op(override=True, passes_through=True)
def setitem_(xp: Any, x: ArrayLike, key: Any, value: ArrayLike, /) -> Tensor:
    """A copy of `x` with `value` at `key`; the last of the values where that names an element twice."""
    value = value if value.dtype == x.dtype else xp.astype(value, x.dtype)
    if may_repeat(key) and not xp.__backend__.writes_in_order:
        value = last_writes(x, key, value)
    return xp.set_item(x, key, value)


def _grad_of_value(xp: Any, g: Any, key: Any, value_shape: tuple[int, ...]) -> Any:
    got = xp.getitem(g, key)
    if not may_repeat(key):
        return _trim(xp, got, value_shape)
    # Where an element is written twice, one write wins, and only that one has an influence: number the writes, and write
    # the numbers in the same way to see whose is found.
    ones = xp.new_zeros(g, (math.prod(got.shape),), dtype=xp.int64) + 1
    number = xp.reshape(xp.cumulative_sum(ones), got.shape)
    found = xp.getitem(xp.setitem(xp.new_zeros(g, g.shape, dtype=xp.int64), key, number), key)
    return _trim(xp, xp.where(found == number, got, xp.zeros_like(got)), value_shape)


def _trim(xp: Any, g: Any, shape: tuple[int, ...]) -> Any:
    # A value may have leading axes of length one that the place does not have.
    return xp.reshape(g, shape) if len(shape) > len(g.shape) else g


setitem_.vjp(
    x=lambda xp, g, key: xp.setitem(g, key, xp.new_zeros(g, ())),
    value=_grad_of_value,
)
setitem_.jvp(
    x=lambda xp, t, key: xp.setitem(t, key, xp.new_zeros(t, ())),
    value=lambda xp, t, x_shape, key: xp.setitem(xp.new_zeros(t, x_shape), key, t),
)


def setitem(x: ArrayLike, key: Any, value: ArrayLike, /) -> Tensor:
    """A new array like `x` with ``x[key]`` replaced: what ``x[key] = value`` rebinds `x` to.

    Parameters
    ----------
    x : array
        Stays as it is.
    key : int, slice, None, Ellipsis, boolean or integer array, list of integers, or a tuple of these
        As in `getitem`.
    value : array or scalar
        Broadcast to the shape of ``x[key]``, and converted to the dtype of `x`.

    Returns
    -------
    Tensor
        Of the shape and dtype of `x`.

    Raises
    ------
    IndexError
        If an index is out of bounds.
    ValueError
        If `value` does not broadcast to the shape of ``x[key]``.
    TypeError
        If `value` is complex or floating and `x` is not: its fraction would be lost.

    Notes
    -----
    The gradient for `x` is `g` with zeros at `key`; for `value` it is ``g[key]``. Where an integer key names an element
    twice, the last write wins on every backend; it has that gradient and the others have zero.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.setitem(xgrad.asarray([1.0, 2.0, 3.0]), slice(0, 2), 5.0)
    Tensor([5., 5., 3.])
    """
    x = operand(x)
    data = getattr(x, "_data", x)
    return setitem_(x, raw_key(data, key), value_for(data, value))


# ------------------------------------------------------------------------------------------------------------- taking


def _numbers(like: Any, n: int) -> Array:
    """The integers below `n`, beside the integer array `like`, raw: they only ever serve in keys."""
    raw = getattr(like, "_data", like)
    xp = raw_namespace(raw)
    return xp.arange(n, dtype=raw.dtype, device=xp.__backend__.device(raw))


@composite
def take_(xp: Any, x: ArrayLike, indices: ArrayLike, /, *, axis: int | None = None) -> Tensor:
    """The slices of `x` at an array of indices along an axis."""
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"take: x has {x.ndim} axes, so axis must be given; it may be left out only for one axis")
        axis = 0
    return xp.getitem(x, (slice(None),) * axis_from_0("take", axis, x.ndim) + (indices,))


def take(x: ArrayLike, indices: ArrayLike, /, *, axis: int | None = None) -> Tensor:
    """The slices of `x` at `indices` along an axis.

    Parameters
    ----------
    x : array
        Of any data type, with at least one axis.
    indices : array, int or list of int
        Negative ones count from the end.
    axis : int, optional
        May be left out for a one-dimensional `x`.

    Returns
    -------
    Tensor
        The shape of `x` with that of `indices` in place of `axis`.

    Raises
    ------
    ValueError
        If `axis` is left out and `x` does not have exactly one axis.
    IndexError
        If `axis` or an index is out of bounds, on libraries that check.

    Notes
    -----
    The gradient adds `g` up at the slices that were taken.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.take(xgrad.asarray([1.0, 2.0, 3.0]), xgrad.asarray([2, 0, -1]))
    Tensor([3., 1., 3.])
    """
    x = operand(x)
    if not hasattr(indices, "shape") or is_numpy_scalar(indices):
        data = getattr(x, "_data", x)
        backend = raw_namespace(data).__backend__
        indices = backend.from_python(indices, "int64", backend.device(data))
    return take_(x, indices, axis=axis)


@composite
def take_along_axis(xp: Any, x: ArrayLike, indices: ArrayLike, /, *, axis: int = -1) -> Tensor:
    """The elements of `x` at `indices`, matched position by position along the other axes.

    Parameters
    ----------
    x : array
        Of any data type, with at least one axis.
    indices : array
        Integers, with as many axes as `x`; the axes other than `axis` broadcast against those of `x`.
    axis : int
        Along which to take.

    Returns
    -------
    Tensor
        Of the broadcast shape, with the length of `indices` along `axis`.

    Raises
    ------
    ValueError
        If `x` and `indices` do not have the same number of axes.
    IndexError
        If `axis` or an index is out of bounds, on libraries that check.

    Notes
    -----
    The gradient adds `g` up at the elements that were taken.

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.asarray([[3.0, 1.0], [2.0, 4.0]])
    >>> xgrad.take_along_axis(x, xgrad.asarray([[1, 0], [0, 1]]))
    Tensor([[1., 3.],
            [2., 4.]])
    """
    if indices.ndim != x.ndim:
        raise ValueError(f"take_along_axis: x has {x.ndim} axes and indices {indices.ndim}; they must have the same number")
    axis = axis_from_0("take_along_axis", axis, x.ndim)
    lead = [(1,) * d + (-1,) + (1,) * (x.ndim - 1 - d) for d in range(x.ndim)]
    places: list[Any] = [raw_namespace(n).reshape(n, s) for n, s in ((_numbers(indices, n), s) for n, s in zip(x.shape, lead))]
    places[axis] = indices
    return xp.getitem(x, tuple(places))
