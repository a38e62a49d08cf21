"""CUDA kernels of steps that are not elementwise: joins and scatters."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy

from ..compiled.places import Places
from ..compiled.single import element_terms, element_text, scatter_target
from ..compiled.steps import Step, View, c_strides
from ..compiled.views import sliced
from .kernels import Kernel, Launch, Scratch, elementwise, indices, merged

__all__ = ["ATOMIC", "copy_launch", "single_launches"]

ATOMIC = frozenset(("float32", "float64", "int32", "uint32", "int64", "uint64"))
"""The dtypes that can be added to from several threads at once."""


def single_launches(step: Step, places: Places, scratch: Scratch) -> list[Launch]:
    """The launches that do a join or a scatter, one after the other."""
    return _join(step, places, scratch) if step.kind == "join" else _scatter(step, places, scratch)


def copy_launch(view: View, kernel: Kernel, to: Any) -> Launch:
    """A launch that copies a view into contiguous memory."""
    line = (
        f"{kernel.place(to, ['z'], True)} = {kernel.place(view.storage, element_terms(view.strides, view.offset, view.shape))};"
    )
    return _at_each(kernel, view.shape, line)


def _at_each(kernel: Kernel, shape: Sequence[int], line: str) -> Launch:
    """A launch of a kernel that does `line` at each element of `shape`."""
    return elementwise(kernel, math.prod(shape), [*_indices("z", shape), line])


def _indices(flat: str, shape: Sequence[int]) -> list[str]:
    return indices(flat, [(f"j{k}", n) for k, n in enumerate(shape) if n != 1])


def _join(step: Step, places: Places, scratch: Scratch) -> list[Launch]:
    out = step.out
    whole = places.view[out].at(out.shape, c_strides(out.shape))
    launches = []
    for x, (region, how) in zip(step.operands, step.facts):
        kernel = Kernel(scratch)
        view = whole if region is None else sliced(region)(whole) or whole
        to = kernel.place(view.storage, element_terms(view.strides, view.offset, view.shape), True)
        text = element_text(kernel, places, x, view.shape, out.dtype)
        line = f"{to} {'+' if how == 'add' else ''}= {text}{' + 0' if how == 'fresh' else ''};"  # 0 + -0 is 0
        if view.size:
            launches.append(_at_each(kernel, view.shape, line))
    apart = all(region is not None and how != "add" for region, how in step.facts)  # then they have no element in common
    return merged(launches) if apart else launches


def _scatter(step: Step, places: Places, scratch: Scratch) -> list[Launch]:
    chosen, rearranged, how, _ = step.facts
    whole, value, *indices_of = step.operands
    out = step.out
    memory = places.view[out].at(out.shape, c_strides(out.shape))
    fill, write = Kernel(scratch), Kernel(scratch)
    before = element_text(fill, places, whole, out.shape, out.dtype)
    start = fill.place(memory.storage, element_terms(memory.strides, 0, out.shape), True)
    first = f"{start} = {before};"
    if how == "add":
        shape, terms = scatter_target(write, places, rearranged.facts(memory), chosen, indices_of)
        text = element_text(write, places, value, shape, out.dtype)
        line = f"add_to(&{write.place(memory.storage, terms, True)}, {text});"
        return [_at_each(fill, out.shape, first), *([_at_each(write, shape, line)] if math.prod(shape) else [])]
    # Of several values for one place the last is written: first find which one that is.
    winner = scratch(numpy.dtype("int32"), out.size)
    view = View(winner, 0, out.shape, c_strides(out.shape))
    shape, terms = scatter_target(write, places, rearranged.facts(view), chosen, indices_of)
    if not math.prod(shape):
        return [_at_each(fill, out.shape, first)]
    empty = Kernel(scratch)
    clear = elementwise(empty, out.size, [f"{empty.place(winner, ['z'], True)} = -1;"])
    vote = _at_each(write, shape, f"atomicMax(&{write.place(winner, terms, True)}, (int32_t)z);")
    text = element_text(fill, places, value, shape, out.dtype)
    lines = [
        f"const int32_t w = {fill.place(winner, ['z'])};",
        "if (w < 0) {", *_indices("z", out.shape), first,
        "} else {", *_indices("w", shape), f"{fill.place(memory.storage, ['z'], True)} = {text};", "}",
    ]  # fmt: skip
    return [clear, vote, elementwise(fill, out.size, lines)]
