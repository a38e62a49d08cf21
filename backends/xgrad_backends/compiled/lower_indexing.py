"""Steps for indexing, and for what writes into a part of an array."""

from __future__ import annotations

import math
from typing import Any

import numpy

from . import views
from .lower import MERGES, Lowering, NotHere, rule
from .steps import Indexing, Step, Value

__all__ = ["indexing", "sum_of_regions"]


@rule("get_item")
def _get_item(low: Lowering, out: Any, x: Value, key: Any) -> Value:
    parts = views.basic_key(key, len(x.shape))
    if parts is not None:
        return low.view(x, out.shape, views.sliced(parts))
    if not low.loops:
        raise NotHere
    x, chosen, operands = indexing(low, x, key)
    return _load(low, out, x, chosen, operands)


def _load(low: Lowering, out: Any, x: Value, chosen: Indexing, operands: list[Value]) -> Value:
    checks = _checks(low, x, chosen, operands)
    y = low.step("map", "load", [x, *operands], out.shape, out.dtype, chosen)
    low.steps[-1].after = checks
    return y


@rule("take")
def _take(low: Lowering, out: Any, x: Value, index: Value, axis: Any = None) -> Value:
    at = 0 if axis is None else axis % len(x.shape)
    return _get_item(low, out, x, (*[slice(None)] * at, index))


@rule("take_along_axis")
def _take_along_axis(low: Lowering, out: Any, x: Value, index: Value, axis: int = -1) -> Value:
    if not low.loops:
        raise NotHere
    at = axis % len(x.shape)
    x = low.view(
        x, [n if k == at else m for k, (n, m) in enumerate(zip(x.shape, out.shape))], views.broadcast_to_but(out.shape, at)
    )
    chosen = Indexing([(at, 1, 0)], [(k, k) for k in range(len(out.shape)) if k != at], 0, len(out.shape))
    return _load(low, out, x, chosen, [index])


@rule("scatter")
def _scatter(low: Lowering, out: Any, shape: Any, key: Any, value: Any) -> Value:
    return _written(low, out, None, key, value, "add")


@rule("scatter_add")
def _scatter_add(low: Lowering, out: Any, x: Value, key: Any, value: Any) -> Value:
    return _written(low, out, x, key, value, "add")


@rule("set_item")
def _set_item(low: Lowering, out: Any, x: Value, key: Any, value: Any) -> Value:
    return _written(low, out, x, key, value, "set")


def _written(low: Lowering, out: Any, x: Value | None, key: Any, value: Any, how: str) -> Value:
    """`x`, or zeros, with `value` added to ``[key]`` or put there."""
    whole = 0 if x is None else x
    parts = views.basic_key(key, len(out.shape))
    if parts is not None:
        regions = [(None, "set"), (parts, how if x is not None else "fresh")]
        return low.step("join", "regions", [whole, value], out.shape, out.dtype, regions)
    if not low.can_scatter(how, out.dtype):
        raise NotHere
    target = Value("result", out.shape, out.dtype)  # stands for the memory of the result
    rearranged, chosen, operands = indexing(low, target, key, parts_only=True)
    checks = _checks(low, rearranged, chosen, operands)
    wide = out.dtype == numpy.float32 and how == "add" and max([1, *(index.size for index in operands)]) > 1024
    facts = (chosen, rearranged.step, how, wide)
    y = low.step("scatter", how, [whole, value, *operands], out.shape, out.dtype, facts)
    low.steps[-1].after = checks
    return y


@rule("concat")
def _concat(low: Lowering, out: Any, arrays: Any, axis: Any = 0) -> Value:
    if axis is None:
        arrays, axis = [low.view(x, (x.size,), views.reshaped((x.size,)), "reshape") for x in arrays], 0
    axis, start, regions = axis % len(out.shape), 0, []
    for x in arrays:
        parts = [slice(None)] * len(out.shape)
        parts[axis] = slice(start, start + x.shape[axis])
        start += x.shape[axis]
        regions.append((parts, "set"))
    return low.step("join", "regions", arrays, out.shape, out.dtype, regions)


@rule("stack")
def _stack(low: Lowering, out: Any, arrays: Any, axis: int = 0) -> Value:
    axis %= len(out.shape)
    regions = [([k if n == axis else slice(None) for n in range(len(out.shape))], "set") for k in range(len(arrays))]
    return low.step("join", "regions", arrays, out.shape, out.dtype, regions)


def indexing(low: Lowering, x: Value, key: Any, parts_only: bool = False) -> tuple[Value, Indexing, list[Value]]:
    """What a key with arrays of integers means: a view of `x`, how its elements are chosen, and the arrays.

    Of `parts_only` the view is not one of the steps.
    """
    parts = views.whole_key(list(key) if isinstance(key, tuple) else [key], len(x.shape))
    basic: list[Any] = []
    at: list[tuple[int, Any]] = []  # the axes of the view that are indexed, and by what
    for part in parts:
        if isinstance(part, Value) or type(part) is int:
            if isinstance(part, Value) and (part.kind == "number" or part.dtype.kind not in "iu"):
                raise NotHere
            at.append((len(basic), part))
            basic.append(slice(None))
        elif part is None or isinstance(part, slice):
            if isinstance(part, slice) and not all(n is None or type(n) is int for n in (part.start, part.stop, part.step)):
                raise NotHere
            basic.append(part)
        else:
            raise NotHere
    if not any(isinstance(part, Value) for _, part in at):
        raise NotHere
    shape = numpy.broadcast_to(False, x.shape)[tuple(basic)].shape
    run = views.sliced(basic)
    if parts_only:
        y = Value("result", shape, x.dtype)
        Step("view", "view", [x], [y], run)
    else:
        y = low.view(x, shape, run)
    operands = [part for _, part in at if isinstance(part, Value)]
    ndim = max([len(index.shape) for index in operands])
    axes = [k for k, _ in at]
    together = axes == list(range(axes[0], axes[0] + len(axes)))
    start = axes[0] if together else 0
    rest = [k for k in range(len(shape)) if k not in axes]
    straight = [(k if k < start else k + ndim, axis) for k, axis in enumerate(rest)]
    places = iter(range(1, len(operands) + 1))
    pairs = [(k, next(places), 0) if isinstance(part, Value) else (k, None, part) for k, part in at]
    return y, Indexing(pairs, straight, start, start + ndim), operands


def _checks(low: Lowering, x: Value, chosen: Indexing, operands: list[Value]) -> list[Step]:
    """Add the steps that check whether the arrays of integers are in range."""
    checks: list[Step] = []
    for axis, place, number in chosen.pairs:
        n = x.shape[axis]
        if place is None:
            if not -n <= number < n:
                raise NotHere
            continue
        index = operands[place - 1]
        if index.kind == "constant":
            if index.size and not (-n <= index.data.min() and index.data.max() < n):
                raise NotHere
        else:
            checks.append(Step("check", "check", [index], [], (n, axis)))
            low.add(checks[-1])
    return checks


def sum_of_regions(low: Lowering, one: Any, other: Any) -> Value | None:
    """The sum of two arrays that are zero but for regions that have no element in common: one array with both regions.

    The gradient of an array that was cut into parts is such a sum.
    """
    parts = [x.step for x in (one, other) if isinstance(x, Value) and x.step is not None and x.step.kind == "join"]
    if len(parts) < 2 or one.shape != other.shape or one.dtype != other.dtype:
        return None
    regions = [region for step in parts for region in step.facts if region[0] is not None]
    if any(how != "fresh" for _, how in regions):
        return None
    chosen = [_ranges(key, one.shape) for key, _ in regions]
    if any(not _apart(a, b) for k, a in enumerate(chosen) for b in chosen[:k]):
        return None
    operands = [x for step in parts for x, region in zip(step.operands, step.facts) if region[0] is not None]
    if sum(math.prod(map(len, ranges)) for ranges in chosen) < one.size:
        operands, regions = [0, *operands], [(None, "set"), *regions]
    return low.step("join", "regions", operands, one.shape, one.dtype, regions)


MERGES.append(sum_of_regions)


def _ranges(parts: list[Any], shape: tuple[int, ...]) -> list[range]:
    """The elements along each axis that a key chooses."""
    on_axes = [part for part in parts if part is not None]
    return [
        range(part % n, part % n + 1) if isinstance(part, int) else range(*part.indices(n)) for part, n in zip(on_axes, shape)
    ]


def _apart(one: list[range], other: list[range]) -> bool:
    """Whether two regions have no element in common."""
    return any(set(a).isdisjoint(b) for a, b in zip(one, other) if len(a) + len(b) < 10000)
