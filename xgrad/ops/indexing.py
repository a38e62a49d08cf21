"""Reading elements by index, and writing them functionally.

The cotangent of a read is scattered back and added up where an element was read twice. The cotangent of a write is zero for
the elements that were overwritten. ``x[key]`` with only integers, slices, None and Ellipsis is a view of `x`; with arrays it is
a copy.
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
from .parts.keys import is_basic, last_writes, operand, raw_key, value_for, with_ndim

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
        Of the dtype of `x`. With only integers, slices, None and Ellipsis it is a view: writing to it writes to `x`.

    Raises
    ------
    IndexError
        If an index is out of bounds, or there are more indices than axes.
    TypeError
        If the key holds something else, such as an array of floats.

    Notes
    -----
    The gradient is `g` at the elements that were read and zero elsewhere; an element that was read twice gets the sum.

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
    """A copy of `x` with `value` at `key`; where `key` names an element twice, the last value."""
    value = value if value.dtype == x.dtype else xp.astype(value, x.dtype)
    if may_repeat(key) and not xp.__backend__.writes_in_order:
        value = last_writes(x, key, value)
    return xp.set_item(x, key, value)


def _grad_of_value(xp: Any, g: Any, key: Any, value_shape: tuple[int, ...]) -> Any:
    written = xp.getitem(g, key)
    ndim = max(len(value_shape), len(written.shape))
    if not may_repeat(key):
        return with_ndim(xp, written, ndim)
    # Of several writes to one element only the last has an influence. Number the writes, and write the numbers in the same
    # way: where the number that is read back differs, another write won.
    ones = xp.new_zeros(g, (math.prod(written.shape),), dtype=xp.int64) + 1
    number = xp.reshape(xp.cumulative_sum(ones), written.shape)
    winner = xp.getitem(xp.setitem(xp.new_zeros(g, g.shape, dtype=xp.int64), key, number), key)
    return with_ndim(xp, xp.where(winner == number, written, xp.zeros_like(written)), ndim)


setitem_.vjp(
    x=lambda xp, g, key: xp.setitem(g, key, xp.new_zeros(g, ())),
    value=_grad_of_value,
)
setitem_.jvp(
    x=lambda xp, t, key: xp.setitem(t, key, xp.new_zeros(t, ())),
    value=lambda xp, t, x_shape, key: xp.setitem(xp.new_zeros(t, x_shape), key, t),
)


def setitem(x: ArrayLike, key: Any, value: ArrayLike, /) -> Tensor:
    """A copy of `x` with ``x[key]`` replaced; ``x[key] = value`` rebinds `x` to it.

    Parameters
    ----------
    x : array
        The array, which is not changed.
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
        If `value` is complex or floating and `x` is not, so that digits would be lost.

    Notes
    -----
    The gradient for `x` is `g` with zeros at `key`; for `value` it is ``g[key]``. Where an integer key names an element
    twice, the last write wins on every backend; it gets the gradient and the other writes get zero.

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
    """The integers below `n` as a raw array with the dtype and device of `like`, for use in keys."""
    raw = getattr(like, "_data", like)
    xp = raw_namespace(raw)
    return xp.arange(n, dtype=raw.dtype, device=xp.__backend__.device(raw))


@composite
def take_(xp: Any, x: ArrayLike, indices: ArrayLike, /, *, axis: int | None = None) -> Tensor:
    """The slices of `x` at an array of indices along an axis."""
    if axis is None:
        if x.ndim != 1:
            raise ValueError(f"take: x has {x.ndim} axes, so axis must be given; it may be left out only if x has one axis")
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
    The gradient is `g`, added up at the slices that were taken.

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
    The gradient is `g`, added up at the elements that were taken.

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
    key: list[Any] = []
    for d, n in enumerate(x.shape):
        numbers = _numbers(indices, n)
        key.append(raw_namespace(numbers).reshape(numbers, (1,) * d + (-1,) + (1,) * (x.ndim - 1 - d)))
    key[axis] = indices
    return xp.getitem(x, tuple(key))
