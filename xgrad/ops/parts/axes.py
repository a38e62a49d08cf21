"""Axes as users name them, counted from 0."""

from __future__ import annotations

from typing import Any

__all__ = ["axes_from_0", "axis_from_0", "check_axis"]


# --------------------------------------------------------------------------------------------------------------- keys


def axis_from_0(name: str, axis: int, ndim: int) -> int:
    """`axis` of an array of `ndim` axes counted from 0; an error of the function `name` if there is none such."""
    check_axis(name, axis)
    if not -ndim <= axis < ndim:
        raise IndexError(f"{name}: axis {axis} is out of bounds for an array of {ndim} axes")
    return axis % ndim


def check_axis(name: str, *axes: Any) -> None:
    """An error of the function `name` if an axis is no integer."""
    for axis in axes:
        if not hasattr(axis, "__index__"):
            raise TypeError(f"{name}: axis must be an integer, not {axis!r:.60}")


def axes_from_0(axis: int | tuple[int, ...] | None, ndim: int) -> tuple[int, ...]:
    """The axes that a reduction names, counted from 0: all if None. An array without axes has none, also where 0 or -1 is named.

    Raises
    ------
    ValueError
        If one is out of bounds, or named twice.
    """
    if axis is None:
        return tuple(range(ndim))
    if axis.__class__ is int and -ndim <= axis < ndim:  # type: ignore[operator]
        return (axis % ndim,)  # type: ignore[operator]
    if not ndim and axis in (0, -1, (0,), (-1,)):  # as NumPy and PyTorch have it
        return ()
    given = axis if isinstance(axis, (tuple, list)) else (axis,)
    found = tuple(a % ndim if -ndim <= a < ndim else ndim for a in given)
    if ndim in found or len(set(found)) < len(found):
        raise ValueError(f"axis {axis} does not name different axes of an array that has {ndim}")
    return found
