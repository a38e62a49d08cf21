"""CUDA kernels of steps that are not elementwise: joins and scatters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from ..compiled.places import Places
from ..compiled.single import element_terms, element_text, scatter_target
from ..compiled.steps import Step, View, c_strides
from ..compiled.views import sliced
from .kernels import Kernel, Launch, Scratch, elementwise

__all__ = ["ATOMIC", "copy_launch", "single_launches"]

ATOMIC = frozenset(("float32", "float64", "int32", "uint32", "int64", "uint64"))
"""The dtypes that can be added to from several threads at once."""


def single_launches(step: Step, places: Places, scratch: Scratch) -> list[Launch]:
    """The launches that do a join or a scatter, one after the other."""
    return _join(step, places, scratch) if step.kind == "join" else _scatter(step, places, scratch)


def copy_launch(view: View, kernel: Kernel, to: Any) -> Launch:
    """A launch that copies a view into contiguous memory."""
    lines = [
        f"{kernel.place(to, ['z'], True)} = {kernel.place(view.storage, element_terms(view.strides, view.offset, view.shape))};"
    ]
    return elementwise(kernel, view.size, lambda z: [*_indices(z, view.shape), *lines])


def _indices(flat: str, shape: Sequence[int]) -> list[str]:
    """Statements that make an index for each axis longer than 1 from the number of an element."""
    lines, rest = [], flat
    long = [k for k, n in enumerate(shape) if n != 1]
    for k in reversed(long):
        last = k == long[0]
        lines.append(f"const I j{k} = {rest}{'' if last else f' % {shape[k]}, j{k}_ = {rest} / {shape[k]}'};")
        rest = f"j{k}_"
    return lines


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
            launches.append(elementwise(kernel, view.size, _at_each(view.shape, line)))
    if all(region is not None for region, _ in step.facts) and len(launches) > 1 and all(how != "add" for _, how in step.facts):
        first = launches[0]  # the regions have no element in common
        first.parts += [part for launch in launches[1:] for part in launch.parts]
        return [first]
    return launches


def _at_each(shape: Sequence[int], line: str) -> Callable[[str], list[str]]:
    return lambda z: [*_indices(z, shape), line]


def _scatter(step: Step, places: Places, scratch: Scratch) -> list[Launch]:
    chosen, rearranged, how, _ = step.facts
    whole, value, *indices = step.operands
    out = step.out
    memory = places.view[out].at(out.shape, c_strides(out.shape))
    fill, write = Kernel(scratch), Kernel(scratch)
    before = f"{element_text(fill, places, whole, out.shape, out.dtype)}"
    start = fill.place(memory.storage, element_terms(memory.strides, 0, out.shape), True)
    if how == "add":
        shape, terms = scatter_target(write, places, rearranged.facts(memory), chosen, indices)
        text = element_text(write, places, value, shape, out.dtype)
        first = elementwise(fill, out.size, _at_each(out.shape, f"{start} = {before};"))
        line = f"add_to(&{write.place(memory.storage, terms, True)}, {text});"
        return [first, *([elementwise(write, math.prod(shape), _at_each(shape, line))] if math.prod(shape) else [])]
    # Of several values for one place the last is written: first find which one that is.
    winner = scratch(numpy.dtype("int32"), out.size)
    empty = Kernel(scratch)
    clear = elementwise(empty, out.size, lambda z: [f"{empty.place(winner, ['z'], True)} = -1;"])
    places_of = View(winner, 0, out.shape, c_strides(out.shape))
    shape, terms = scatter_target(write, places, rearranged.facts(places_of), chosen, indices)
    if not math.prod(shape):
        return [elementwise(fill, out.size, _at_each(out.shape, f"{start} = {before};"))]
    vote = elementwise(write, math.prod(shape), _at_each(shape, f"atomicMax(&{write.place(winner, terms, True)}, (int32_t)z);"))
    text = element_text(fill, places, value, shape, out.dtype)
    line = f"const int32_t w = {fill.place(winner, ['z'])};"
    lines = [line, "if (w < 0) {", *_indices("z", out.shape), f"{start} = {before};", "} else {", *_indices("w", shape)]
    return [
        clear,
        vote,
        elementwise(fill, out.size, lambda z: [*lines, f"{fill.place(memory.storage, ['z'], True)} = {text};", "}"]),
    ]
