"""CUDA kernels of steps that are not elementwise: joins and scatters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ..compiled.places import Places
from ..compiled.single import element_terms, element_text, scatter_target
from ..compiled.steps import Step, Value, View, c_strides
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
    lines = [f"{kernel.place(to, ['z'], True)} = {kernel.place(view.storage, element_terms(view.strides, view.offset, view.shape))};"]
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
    chosen, rearranged, _, _ = step.facts
    whole, value, *indices = step.operands
    out = step.out
    memory = places.view[out].at(out.shape, c_strides(out.shape))
    fill, add = Kernel(scratch), Kernel(scratch)
    start = fill.place(memory.storage, element_terms(memory.strides, 0, out.shape), True)
    line = f"{start} = {element_text(fill, places, whole, out.shape, out.dtype)};"
    launches = [elementwise(fill, out.size, _at_each(out.shape, line))]
    shape, terms = scatter_target(add, places, rearranged.facts(memory), chosen, indices)
    to = add.place(memory.storage, terms, True)
    text = element_text(add, places, value, shape, out.dtype)
    if math.prod(shape):
        launches.append(elementwise(add, math.prod(shape), _at_each(shape, f"add_to(&{to}, {text});")))
    return launches


def is_atomic(step: Step) -> bool:
    """Whether a scatter can be done by a kernel: what is added in any order."""
    return step.facts[2] == "add" and step.out.dtype.name in ATOMIC and isinstance(step.outs[0], Value)
