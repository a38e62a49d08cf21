"""Stages: groups that can be done at once, and what does them."""

from __future__ import annotations

import math
from typing import Any

from ..compiled.groups import Group
from ..compiled.places import Places
from ..compiled.steps import Storage
from .actions import Call, Product
from .kernels import group_launches, merged, patterns
from .single import single_launches

__all__ = ["actions_of", "in_stages"]

MOST = 400
"""How many arrays a kernel may be given: there is room for 4,096 bytes of arguments."""


def in_stages(groups: list[Group], places: Places) -> list[list[Group]]:
    """Groups as they follow one another; adjacent ones that do not depend on each other are one stage."""
    stages: list[list[Group]] = []
    read: set[Storage] = set()
    written: set[Storage] = set()
    for group in _with_one_pattern(groups, places):
        here_read, here_written = _read_and_written(group, places)
        is_loop = group.shape is not None and math.prod(group.shape) > 0
        apart = (
            not (here_written & (read | written) or here_read & written) and len(read | written | here_read | here_written) < MOST
        )
        if stages and is_loop and apart and stages[-1][0].shape is not None:
            stages[-1].append(group)
        else:
            stages.append([group])
            read, written = set(), set()
        read |= here_read
        written |= here_written
    for number, stage in enumerate(stages):
        for group in stage:
            group.number = number
    return stages


def _with_one_pattern(groups: list[Group], places: Places) -> list[Group]:
    """The groups, with no reductions over different axes in one of them; without checks, which would have the host wait."""
    found: list[Group] = []
    for group in groups:
        if group.shape is None:
            if group.steps[0].kind != "check":
                found.append(group)
            continue
        found.append(group)
        different = patterns(group)
        full = tuple(range(len(group.shape)))
        different.pop(full, None)  # over axes of length 1 alone: elementwise
        for steps in list(different.values())[1:]:
            other = Group(group.number, group.shape)
            for step in steps:
                group.steps.remove(step)
                group.stored.discard(step)
                other.add(step, places)
                other.stored.add(step)
                made_by = places.origin.get(step.operands[0])
                if made_by is not None and made_by in group.steps:
                    group.stored.add(made_by)
            found.append(other)
    return found


def actions_of(stage: list[Group], places: Places, has_blas: bool, scratch: Any) -> list[Any]:
    """What does a stage: launches, products and calls, one after the other."""
    if stage[0].shape is None:
        (step,) = stage[0].steps
        if step.kind == "product" and has_blas:
            product = Product(step, places, scratch)
            return [*product.copies, product]
        if step.kind in ("join", "scatter"):
            return list(single_launches(step, places, scratch))
        return [Call(step, places)]
    launches = [group_launches(group, places, scratch) for group in stage]
    first = [launch for of_group in launches for launch in of_group[:1]]
    return [*merged(first), *merged([launch for of_group in launches for launch in of_group[1:]])]


def _read_and_written(group: Group, places: Places) -> tuple[set[Storage], set[Storage]]:
    """The memory that a group reads, and that it writes."""
    read = {places.view_of(x).storage for step in group.steps for x in step.values if x.kind != "number"}
    return read, {places.view[out].storage for step in group.steps for out in step.outs}
