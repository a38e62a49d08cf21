"""Functions that only say where elements lie: reshape, transpose, broadcast, slices."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .steps import View, c_strides

__all__ = ["basic_key", "broadcast", "broadcast_to_but", "permuted", "reshaped", "sliced", "squeezed_view", "whole_key"]

Rearranged = Callable[[View], View | None]


def reshaped(shape: Sequence[int]) -> Rearranged:
    """The view with another shape; None if the elements would have to be copied."""

    def run(view: View) -> View | None:
        if 0 in view.shape or view.contiguous:
            return view.at(shape, c_strides(shape))
        old = [(n, s) for n, s in zip(view.shape, view.strides) if n != 1]
        new = [n for n in shape if n != 1]
        strides: list[int] = []
        i = j = 0
        while j < len(new):  # groups of old axes and of new axes that have equally many elements
            start, first = i, j
            here, there = old[i][0], new[j]
            while here != there:
                if here < there:
                    i += 1
                    here *= old[i][0]
                else:
                    j += 1
                    there *= new[j]
            if any(old[k][1] != old[k + 1][1] * old[k + 1][0] for k in range(start, i)):
                return None
            strides += [old[i][1] * s for s in c_strides(new[first : j + 1])]
            i, j = i + 1, j + 1
        rest = iter(strides)
        return view.at(shape, [0 if n == 1 else next(rest) for n in shape])

    return run


def permuted(axes: Sequence[int]) -> Rearranged:
    """The view with its axes in another order."""
    return lambda view: view.at([view.shape[k] for k in axes], [view.strides[k] for k in axes])


def squeezed_view(shape: Sequence[int]) -> Rearranged:
    """The view with axes of length 1 put in or left out."""

    def run(view: View) -> View:
        strides = iter([s for n, s in zip(view.shape, view.strides) if n != 1])
        return view.at(shape, [0 if n == 1 else next(strides) for n in shape])

    return run


def broadcast(shape: Sequence[int]) -> Rearranged:
    """The view repeated along new axes and along those of length 1."""

    def run(view: View) -> View:
        lead = len(shape) - len(view.shape)
        old = [1] * lead + list(view.shape)
        strides = [0] * lead + list(view.strides)
        return view.at(shape, [s if n == m else 0 for n, m, s in zip(old, shape, strides)])

    return run


def broadcast_to_but(shape: Sequence[int], axis: int) -> Rearranged:
    """As `broadcast`, but for one axis, which stays as it is."""

    def run(view: View) -> View | None:
        return broadcast([n if k == axis else m for k, (n, m) in enumerate(zip(view.shape, shape))])(view)

    return run


def basic_key(key: Any, ndim: int) -> list[Any] | None:
    """The parts of a key for each axis, the ellipsis written out; None if it has other parts than integers, slices and None."""
    parts = list(key) if isinstance(key, tuple) else [key]
    for part in parts:
        if part is None or part is Ellipsis or type(part) is int:
            continue
        if not isinstance(part, slice) or not all(n is None or type(n) is int for n in (part.start, part.stop, part.step)):
            return None
    return whole_key(parts, ndim)


def whole_key(parts: list[Any], ndim: int) -> list[Any]:
    """The parts of a key with one for each axis, and None for each new one."""
    used = sum(part is not None and part is not Ellipsis for part in parts)
    at = next((k for k, part in enumerate(parts) if part is Ellipsis), len(parts))
    return [*parts[:at], *[slice(None)] * (ndim - used), *parts[at + 1 :]]


def sliced(parts: Sequence[Any]) -> Rearranged:
    """The view of ``x[parts]``, of the parts that `basic_key` returns."""

    def run(view: View) -> View:
        offset, shape, strides, axis = view.offset, [], [], 0
        for part in parts:
            if part is None:
                shape.append(1)
                strides.append(0)
                continue
            n, step = view.shape[axis], view.strides[axis]
            axis += 1
            if isinstance(part, int):
                offset += (part + n if part < 0 else part) * step
            else:
                chosen = range(*part.indices(n))
                offset += chosen.start * step if len(chosen) else 0
                shape.append(len(chosen))
                strides.append(chosen.step * step)
        return view.at(shape, strides, offset)

    return run
