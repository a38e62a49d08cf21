"""Axes that users name, counted from 0, and the shapes of reductions over them."""

from __future__ import annotations

import math
from typing import Any, TypeAlias

__all__ = ["Axes", "axes_from_0", "axis_from_0", "check_axis", "count", "different_axes", "kept", "kept_shape"]

Axes: TypeAlias = int | tuple[int, ...] | None
"""The axes of a reduction; None is all of them."""


# ------------------------------------------------------------------------------------------------------------ names of axes


def check_axis(name: str, *axes: Any) -> None:
    """Raise a TypeError of the function `name` if an axis is not an integer."""
    for axis in axes:
        if not hasattr(axis, "__index__"):
            raise TypeError(f"{name}: axis must be an integer, not {axis!r:.60}")


def axis_from_0(name: str, axis: int, ndim: int) -> int:
    """An axis of an array with `ndim` axes, counted from 0.

    Raises
    ------
    IndexError
        Of the function `name`, if there is no such axis.
    """
    check_axis(name, axis)
    if not -ndim <= axis < ndim:
        raise IndexError(f"{name}: axis {axis} is out of bounds for an array of {ndim} axes")
    return axis % ndim


def different_axes(name: str, axis: int | tuple[int, ...], ndim: int) -> tuple[int, ...]:
    """One axis or several different ones of an array with `ndim` axes, counted from 0.

    Raises
    ------
    IndexError
        Of the function `name`, if there is no such axis.
    ValueError
        If an axis is named twice.
    """
    axes = axis if isinstance(axis, tuple) else (axis,)
    if not all(hasattr(a, "__index__") for a in axes):
        raise TypeError(f"{name}: axis must be an integer or a tuple of integers, not {axis!r:.60}")
    axes = tuple(axis_from_0(name, a, ndim) for a in axes)
    if len(set(axes)) != len(axes):
        raise ValueError(f"{name}: an axis is named twice in {axis}")
    return axes


# -------------------------------------------------------------------------------------------------------------- reductions


def axes_from_0(axis: Axes, ndim: int) -> tuple[int, ...]:
    """The axes of a reduction, counted from 0. For a 0-d array, 0 and -1 are allowed and name no axis.

    Raises
    ------
    ValueError
        If there is no such axis, or an axis is named twice.
    """
    if axis is None:
        return tuple(range(ndim))
    if axis.__class__ is int and -ndim <= axis < ndim:  # type: ignore[operator]
        return (axis % ndim,)  # type: ignore[operator]
    if not ndim and axis in (0, -1, (0,), (-1,)):  # as in NumPy and PyTorch
        return ()
    axes = tuple(a % ndim if -ndim <= a < ndim else ndim for a in (axis if isinstance(axis, (tuple, list)) else (axis,)))
    if ndim in axes or len(set(axes)) < len(axes):
        raise ValueError(f"axis {axis} does not name different axes of an array that has {ndim}")
    return axes


def count(shape: tuple[int, ...], axis: Axes) -> int:
    """How many elements of an array of `shape` a reduction over `axis` combines into one."""
    return math.prod(shape) if axis is None else math.prod([shape[a] for a in axes_from_0(axis, len(shape))])


def kept_shape(shape: tuple[int, ...], axis: Axes) -> tuple[int, ...]:
    """`shape` with length one along the axes of a reduction."""
    axes = axes_from_0(axis, len(shape))
    return tuple(1 if i in axes else n for i, n in enumerate(shape))


def kept(xp: Any, y: Any, shape: tuple[int, ...], axis: Axes, keepdims: bool) -> Any:
    """The result `y` of a reduction of an array of `shape`, reshaped so that it broadcasts against that array."""
    return y if axis is None or keepdims else xp.reshape(y, kept_shape(shape, axis))
