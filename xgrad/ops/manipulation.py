"""Functions that return the same elements in another shape or order.

They are linear and do not change the elements. The gradient moves the elements of the cotangent back, and adds them up where an
element was copied to several places. Results that are views share memory with the argument, as in NumPy.
"""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Sequence
from typing import Any

from ..backend.dtypes import Array
from ..backend.find import raw_namespace
from ..engine.define import composite, op
from ..graph import views
from ..graph.names import registry
from ..tensor.tensor import ArrayLike, Tensor
from .parts.axes import check_axis, different_axes

__all__ = [
    "broadcast_arrays", "broadcast_shapes", "broadcast_to", "concat", "expand_dims", "flip", "moveaxis", "permute_dims",
    "repeat", "reshape", "roll", "squeeze", "stack", "tile", "unstack",
]  # fmt: skip


def _lengths(shape: Any) -> tuple[int, ...]:
    return tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)


# ----------------------------------------------------------------------------------------------------------- the shape


@op
def reshape(xp: Any, x: ArrayLike, /, shape: int | tuple[int, ...], *, copy: bool | None = None) -> Tensor:
    """The elements of `x`, in row-major order, in another shape.

    Parameters
    ----------
    x : array
        Of any data type.
    shape : tuple of int
        The new shape, with the same number of elements; one entry may be -1 and is inferred.
    copy : bool, optional
        True copies, False raises where a copy is needed, None copies where it is needed.

    Returns
    -------
    Tensor
        Of the dtype of `x`; a view unless a copy is needed.

    Raises
    ------
    ValueError
        If the number of elements differs, or a copy is needed and `copy` is False.

    Notes
    -----
    The gradient is ``reshape(g, x.shape)``.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.reshape(xgrad.arange(6), (2, -1))
    Tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    shape = _lengths(shape)
    if copy is None:
        return xp.reshape(x, shape)
    return xp.reshape(x, shape, copy=copy)


reshape.vjp(x=lambda xp, g, x_shape: xp.reshape(g, x_shape))
reshape.jvp(x=lambda xp, t, shape: xp.reshape(t, _lengths(shape)))  # a tangent may be copied where `copy` forbids it for `x`
reshape.view(
    lambda xp, x, v, shape, copy: xp.reshape(v, x.shape),
    unless=lambda y, x, shape, copy: copy is True or not raw_namespace(y).__backend__.shares_memory(y, x),
)


@op
def expand_dims(xp: Any, x: ArrayLike, /, axis: int | tuple[int, ...]) -> Tensor:
    """`x` with new axes of length one.

    Parameters
    ----------
    x : array
        Of any data type.
    axis : int or tuple of int
        The positions of the new axes in the result.

    Returns
    -------
    Tensor
        Of the dtype of `x`; a view.

    Raises
    ------
    IndexError
        If an axis is out of bounds of the result.
    ValueError
        If an axis is named twice.

    Notes
    -----
    The gradient is ``reshape(g, x.shape)``.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.expand_dims(xgrad.ones((2, 3)), axis=(0, -1)).shape
    (1, 2, 3, 1)
    """
    ndim = x.ndim + (len(axis) if isinstance(axis, tuple) else 1)
    new, lengths = different_axes("expand_dims", axis, ndim), iter(x.shape)
    return xp.reshape(x, tuple(1 if a in new else next(lengths) for a in range(ndim)))


expand_dims.vjp(x=lambda xp, g, x_shape: xp.reshape(g, x_shape))
expand_dims.linear()
expand_dims.view(lambda xp, x, v, axis: xp.reshape(v, x.shape))


@op
def squeeze(xp: Any, x: ArrayLike, /, axis: int | tuple[int, ...]) -> Tensor:
    """`x` without the named axes of length one.

    Parameters
    ----------
    x : array
        Of any data type.
    axis : int or tuple of int
        Axes of length one.

    Returns
    -------
    Tensor
        Of the dtype of `x`; a view.

    Raises
    ------
    IndexError
        If an axis is out of bounds.
    ValueError
        If an axis does not have length one, or is named twice.

    Notes
    -----
    The gradient is ``reshape(g, x.shape)``.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.squeeze(xgrad.ones((1, 3, 1)), axis=(0, 2)).shape
    (3,)
    """
    removed = different_axes("squeeze", axis, x.ndim)
    for a in removed:
        if x.shape[a] != 1:
            raise ValueError(
                f"squeeze: axis {a} of x {tuple(x.shape)} has length {x.shape[a]}; only axes of length 1 can be removed"
            )
    return xp.reshape(x, tuple(n for a, n in enumerate(x.shape) if a not in removed))


squeeze.vjp(x=lambda xp, g, x_shape: xp.reshape(g, x_shape))
squeeze.linear()
squeeze.view(lambda xp, x, v, axis: xp.reshape(v, x.shape))


# ----------------------------------------------------------------------------------------------------- the order of axes


def _inverse(axes: Sequence[int]) -> tuple[int, ...]:
    order = [a % len(axes) for a in axes]
    return tuple(order.index(a) for a in range(len(order)))


@op
def permute_dims(xp: Any, x: ArrayLike, /, axes: tuple[int, ...]) -> Tensor:
    """`x` with its axes in another order.

    Parameters
    ----------
    x : array
        Of any data type.
    axes : tuple of int
        For each axis of the result, the axis of `x`.

    Returns
    -------
    Tensor
        Of the dtype of `x`; a view.

    Raises
    ------
    ValueError
        If `axes` is not a permutation of the axes of `x`.

    Notes
    -----
    The gradient is `g` with its axes in the original order.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.permute_dims(xgrad.ones((2, 3, 4)), (2, 0, 1)).shape
    (4, 2, 3)
    """
    order = tuple([a + x.ndim if a < 0 else a for a in axes])
    if sorted(order) != list(range(x.ndim)):
        raise ValueError(f"permute_dims: axes {axes} is not a permutation of the {x.ndim} axes of x {tuple(x.shape)}")
    return xp.permute_dims(x, order)


permute_dims.vjp(x=lambda xp, g, axes: xp.permute_dims(g, _inverse(axes)))
permute_dims.linear()
permute_dims.view(lambda xp, x, v, axes: xp.permute_dims(v, _inverse(axes)))


@op
def moveaxis(xp: Any, x: ArrayLike, source: int | tuple[int, ...], destination: int | tuple[int, ...], /) -> Tensor:
    """`x` with some axes moved to other positions; the other axes keep their order.

    Parameters
    ----------
    x : array
        Of any data type.
    source, destination : int or tuple of int
        The positions of the axes in `x`, and in the result.

    Returns
    -------
    Tensor
        Of the dtype of `x`; a view.

    Raises
    ------
    IndexError
        If an axis is out of bounds.
    ValueError
        If an axis is named twice, or the numbers of axes differ.

    Notes
    -----
    The gradient is ``moveaxis(g, destination, source)``.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.moveaxis(xgrad.ones((2, 3, 4)), 0, -1).shape
    (3, 4, 2)
    """
    sources, places = different_axes("moveaxis", source, x.ndim), different_axes("moveaxis", destination, x.ndim)
    if len(sources) != len(places):
        raise ValueError(f"moveaxis: source {source} and destination {destination} must name the same number of axes")
    order = [a for a in range(x.ndim) if a not in sources]
    for place, a in sorted(zip(places, sources)):
        order.insert(place, a)
    return xp.permute_dims(x, tuple(order))


moveaxis.vjp(x=lambda xp, g, source, destination: xp.moveaxis(g, destination, source))
moveaxis.linear()
moveaxis.view(lambda xp, x, v, source, destination: xp.moveaxis(v, destination, source))


# ------------------------------------------------------------------------------------------------ the order of elements


@op
def flip(xp: Any, x: ArrayLike, /, *, axis: int | tuple[int, ...] | None = None) -> Tensor:
    """`x` with the order of elements reversed along the named axes, or along all axes.

    Parameters
    ----------
    x : array
        Of any data type.
    axis : int or tuple of int, optional
        The axes along which to reverse the order.

    Returns
    -------
    Tensor
        Of the shape and dtype of `x`; a view.

    Raises
    ------
    IndexError
        If an axis is out of bounds.

    Notes
    -----
    The gradient is ``flip(g, axis=axis)``.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.flip(xgrad.arange(3))
    Tensor([2, 1, 0])
    """
    return xp.flip(x, axis=axis)


flip.vjp(x=lambda xp, g, axis: xp.flip(g, axis=axis))
flip.linear()
flip.view(lambda xp, x, v, axis: xp.flip(v, axis=axis))


@op
def roll(xp: Any, x: ArrayLike, /, shift: int | tuple[int, ...], *, axis: int | tuple[int, ...] | None = None) -> Tensor:
    """`x` with its elements moved by `shift`; those beyond the end reappear at the beginning.

    Parameters
    ----------
    x : array
        Of any data type.
    shift : int or tuple of int
        By how many places; a tuple for a tuple of axes.
    axis : int or tuple of int, optional
        Along which to move; without it, `x` is treated as if it had one axis.

    Returns
    -------
    Tensor
        Of the shape and dtype of `x`.

    Notes
    -----
    The gradient is ``roll(g, -shift, axis=axis)``.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.roll(xgrad.arange(4), 1)
    Tensor([3, 0, 1, 2])
    """
    shift = _places(shift)
    if isinstance(axis, (tuple, list)):
        counts = len(shift) if isinstance(shift, (tuple, list)) else 1, len(axis)
        if (counts[0] != counts[1] and 1 not in counts) or (not axis and not x.shape):
            raise ValueError(
                f"roll: shift {shift} does not fit axis {axis} of {len(x.shape)} axes; give one number for each axis"
            )
        if 0 in counts:  # nothing is moved
            return xp.asarray(x, copy=True)
    return xp.roll(x, shift, axis=_tuple(axis))


def _places(shift: Any) -> int | tuple[int, ...]:
    try:
        return tuple(map(operator.index, shift)) if isinstance(shift, (tuple, list)) else operator.index(shift)
    except TypeError:
        raise TypeError(f"roll: shift is {shift!r}; it must be an integer or a tuple of integers") from None


def _tuple(numbers: Any) -> Any:
    return tuple(numbers) if isinstance(numbers, list) else numbers


def _back(shift: Any) -> int | tuple[int, ...]:
    places = _places(shift)
    return tuple(-s for s in places) if isinstance(places, tuple) else -places


def _roll_x(xp: Any, g: Any, shift: Any, axis: Any) -> Any:
    unmoved = isinstance(axis, (tuple, list)) and (not axis or shift in ((), []))
    return g if unmoved else xp.roll(g, _back(shift), axis=_tuple(axis))


roll.vjp(x=_roll_x)
roll.linear()


# ---------------------------------------------------------------------------------------------------------- broadcasting


def broadcast_shapes(*shapes: tuple[int | None, ...]) -> tuple[int | None, ...]:
    """The shape that arrays of these shapes broadcast to.

    Parameters
    ----------
    *shapes : tuple of int or None
        None is an unknown length.

    Returns
    -------
    tuple of int or None

    Raises
    ------
    ValueError
        If the shapes do not broadcast.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.broadcast_shapes((3, 1), (4,), ())
    (3, 4)
    """
    width = max((len(s) for s in shapes), default=0)
    out: list[int | None] = []
    for lengths in zip(*[(1,) * (width - len(s)) + tuple(s) for s in shapes]):
        known = {n for n in lengths if n is not None and n != 1}
        if len(known) > 1:
            raise ValueError(
                f"broadcast_shapes: {', '.join(map(str, shapes))} do not broadcast together; axes must be equal, or one must be 1"
            )
        out.append(known.pop() if known else None if None in lengths else 1)
    return tuple(out)


@op
def broadcast_to(xp: Any, x: ArrayLike, /, shape: tuple[int, ...]) -> Tensor:
    """`x` repeated along new axes and along axes of length one, without a copy.

    Parameters
    ----------
    x : array
        Of any data type.
    shape : tuple of int
        The shape to broadcast to.

    Returns
    -------
    Tensor
        Of the dtype of `x`. It cannot be written to, since several of its elements share memory.

    Raises
    ------
    ValueError
        If `x` does not broadcast to `shape`.

    Notes
    -----
    The gradient is `g`, summed over the axes that were repeated.

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.asarray([1.0, 2.0]).requires_grad_()
    >>> xgrad.broadcast_to(x, (3, 2)).sum().backward()
    >>> x.grad
    Tensor([3., 3.])
    """
    shape = _lengths(shape)
    if broadcast_shapes(tuple(x.shape), shape) != shape:
        raise ValueError(f"broadcast_to: x {tuple(x.shape)} does not broadcast to shape {shape}")
    return xp.broadcast_to(x, shape)


def _read_only(xp: Any, x: Any, v: Any, shape: Any) -> Any:
    if x.shape == v.shape:
        return v
    raise ValueError("writing: this tensor was broadcast, so several of its elements share memory; write to a copy such as x * 1")


broadcast_to.vjp(x=lambda g: g)
broadcast_to.linear()
broadcast_to.view(_read_only)


@composite
def broadcast_arrays(xp: Any, *arrays: ArrayLike) -> tuple[Tensor, ...]:
    """The arrays, broadcast against each other to one shape.

    Parameters
    ----------
    *arrays : array
        Of any data types.

    Returns
    -------
    tuple of Tensor
        Each of its own dtype.

    Raises
    ------
    ValueError
        If the shapes do not broadcast.

    Examples
    --------
    >>> import xgrad
    >>> [y.shape for y in xgrad.broadcast_arrays(xgrad.ones((3, 1)), xgrad.ones(4))]
    [(3, 4), (3, 4)]
    """
    shape = broadcast_shapes(*(tuple(x.shape) for x in arrays))
    return tuple(xp.broadcast_to(x, shape) for x in arrays)


# --------------------------------------------------------------------------------------------------- joining, splitting


@op
def concat(xp: Any, arrays: Sequence[ArrayLike], /, *, axis: int | None = 0) -> Tensor:
    """The arrays joined along an existing axis.

    Parameters
    ----------
    arrays : sequence of arrays
        Their shapes are equal except along `axis`.
    axis : int or None
        None flattens the arrays first.

    Returns
    -------
    Tensor
        Of the dtype that their dtypes promote to.

    Raises
    ------
    ValueError
        If there are no arrays, or the shapes do not fit.

    Notes
    -----
    The gradient for each array is its part of `g`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.concat([xgrad.zeros(1), xgrad.ones(2)])
    Tensor([0., 1., 1.])
    """
    if len(arrays) == 0:
        raise ValueError("concat: needs at least one array")
    if axis is not None:
        different_axes("concat", axis, arrays[0].ndim)
    return xp.concat(arrays, axis=axis)


def _parts(xp: Any, g: Any, arrays_shape: list[tuple[int, ...]], axis: int | None) -> list[Any]:
    lengths = [math.prod(s) if axis is None else s[axis] for s in arrays_shape]
    ends = list(itertools.accumulate(lengths))
    lead = () if axis is None else (slice(None),) * (axis % len(g.shape))
    parts = [xp.getitem(g, (*lead, slice(end - n, end))) for n, end in zip(lengths, ends)]
    return [xp.reshape(p, s) for p, s in zip(parts, arrays_shape)] if axis is None else parts


concat.vjp(arrays=_parts)
concat.linear()


@op
def stack(xp: Any, arrays: Sequence[ArrayLike], /, *, axis: int = 0) -> Tensor:
    """The arrays joined along a new axis.

    Parameters
    ----------
    arrays : sequence of arrays
        Of equal shapes.
    axis : int
        The position of the new axis in the result.

    Returns
    -------
    Tensor
        Of the dtype that their dtypes promote to.

    Raises
    ------
    ValueError
        If there are no arrays, or the shapes differ.

    Notes
    -----
    The gradient is ``unstack(g, axis=axis)``.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.stack([xgrad.zeros(2), xgrad.ones(2)])
    Tensor([[0., 0.],
            [1., 1.]])
    """
    if len(arrays) == 0:
        raise ValueError("stack: needs at least one array")
    check_axis("stack", axis)
    return xp.stack(arrays, axis=axis)


stack.vjp(arrays=lambda xp, g, axis: xp.unstack(g, axis=axis))
stack.linear()


@op
def unstack_(xp: Any, x: ArrayLike, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    return tuple(xp.unstack(x, axis=axis))


unstack_.vjp(x=lambda xp, g, axis: xp.stack(g, axis=axis))
unstack_.linear()


def unstack(x: ArrayLike, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """The slices of `x` along an axis.

    Parameters
    ----------
    x : array
        Of any data type, with at least one axis.
    axis : int
        The axis along which to split `x`.

    Returns
    -------
    tuple of Tensor
        Of the dtype of `x` and without `axis`; views.

    Raises
    ------
    IndexError
        If `axis` is out of bounds.

    Notes
    -----
    The gradient is ``stack(g, axis=axis)``.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.unstack(xgrad.eye(2))
    (Tensor([1., 0.]), Tensor([0., 1.]))
    """
    (place,) = different_axes("unstack", axis, len(x.shape)) if hasattr(x, "shape") else (axis,)
    out = unstack_(x, axis=place)
    for i, part in enumerate(out):
        views.link(part, x, registry["getitem"], (((slice(None),) * place + (i,)),))
    return out


# ------------------------------------------------------------------------------------------------------------- repeating


@op
def repeat(xp: Any, x: ArrayLike, repeats: Any, /, *, axis: int | None = None) -> Tensor:
    """`x` with every element, or every slice along `axis`, repeated.

    Parameters
    ----------
    x : array
        Of any data type.
    repeats : int or array of int
        How many times; an array has a number for each element or slice.
    axis : int, optional
        Without it, `x` is flattened first.

    Returns
    -------
    Tensor
        Of the dtype of `x`.

    Raises
    ------
    ValueError
        If the length of `repeats` is not the length of the axis.

    Notes
    -----
    The gradient sums `g` over the repetitions of each element.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.repeat(xgrad.asarray([1.0, 2.0]), xgrad.asarray([2, 1]))
    Tensor([1., 1., 2.])
    """
    if axis is None:
        x, axis = xp.reshape(x, (-1,)), 0
    return xp.repeat(x, _counts(x, repeats), axis=axis)


def _counts(x: Array, repeats: Any) -> Any:
    # In the form that the library of `x` takes. They are not an operand, so rules get them unconverted.
    backend = raw_namespace(x).__backend__
    if isinstance(repeats, Tensor):
        repeats = repeats._data
    if isinstance(repeats, int):
        return repeats
    if isinstance(repeats, (list, tuple)):
        return backend.from_python(repeats, "int64", backend.device(x))
    other = raw_namespace(repeats).__backend__
    return repeats if other is backend else backend.from_numpy(other.to_numpy(repeats), backend.device(x))


def _sum_segments(xp: Any, g: Any, x_shape: tuple[int, ...], repeats: Any, axis: int | None) -> Any:
    flat = (math.prod(x_shape),) if axis is None or not x_shape else x_shape
    at = 0 if axis is None else axis % len(flat)
    if isinstance(repeats, int):
        total = xp.sum(xp.reshape(g, (*flat[: at + 1], repeats, *flat[at + 1 :])), axis=at + 1)
    else:
        raw = getattr(g, "_data", g)
        space = raw_namespace(raw)
        numbers = space.arange(flat[at], device=space.__backend__.device(raw))
        source = space.repeat(numbers, _counts(raw, repeats), axis=0)
        total = xp.scatter_add(xp.new_zeros(g, flat), (slice(None),) * at + (source,), g)
    return xp.reshape(total, x_shape)


repeat.vjp(x=_sum_segments)
repeat.linear()


@op
def tile(xp: Any, x: ArrayLike, repetitions: tuple[int, ...], /) -> Tensor:
    """`x` repeated as a whole along its axes.

    Parameters
    ----------
    x : array
        Of any data type.
    repetitions : tuple of int
        How many times along each axis, the last entry for the last axis.

    Returns
    -------
    Tensor
        Of the dtype of `x`.

    Notes
    -----
    The gradient sums `g` over the copies.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.tile(xgrad.asarray([1.0, 2.0]), (2,))
    Tensor([1., 2., 1., 2.])
    """
    return xp.tile(x, (repetitions,) if isinstance(repetitions, int) else tuple(repetitions))


def _sum_copies(xp: Any, g: Any, x_shape: tuple[int, ...], repetitions: tuple[int, ...]) -> Any:
    times = (repetitions,) if isinstance(repetitions, int) else tuple(repetitions)
    width = max(len(times), len(x_shape))
    times, shape = (1,) * (width - len(times)) + times, (1,) * (width - len(x_shape)) + x_shape
    apart = tuple(n for pair in zip(times, shape) for n in pair)
    return xp.reshape(xp.sum(xp.reshape(g, apart), axis=tuple(range(0, 2 * width, 2))), x_shape)


tile.vjp(x=_sum_copies)
tile.linear()
