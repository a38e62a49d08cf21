"""Groups: steps that run over the same elements are done together, in one loop."""

from __future__ import annotations

import heapq
from typing import Any

from .places import Places
from .steps import Step, Storage, Value, View, access, c_strides, squeezed

__all__ = ["Group", "group_steps", "store_view"]

MOST = 256
"""How many steps a group may have: compilers take more time for each line of a longer one."""


class Group:
    """Steps that are done in one loop, or one that is not a loop.

    Attributes
    ----------
    shape : tuple of int or None
        That of the loop, without axes of length 1.
    steps : list of Step
    number : int
    stored : set of Step
        Those whose result is put into memory.
    """

    def __init__(self, number: int, shape: tuple[int, ...] | None) -> None:
        self.number, self.shape = number, shape
        self.steps: list[Step] = []
        self.stored: set[Step] = set()
        self._written: dict[Storage, Any] = {}
        self._read: dict[Storage, set[Any]] = {}

    def add(self, step: Step, places: Places) -> None:
        self.steps.append(step)
        if self.shape is None:
            return
        for storage, key in reads(step, places):
            self._read.setdefault(storage, set()).add(key)
        self._written[places.view[step.out].storage] = written_at(step, places)

    def takes(self, step: Step, places: Places) -> bool:
        """Whether `step` can be done in the loop: what it reads of this loop's results, it reads where they are written."""
        if len(self.steps) >= MOST:
            return False
        found = reads(step, places)
        if any(storage in self._written and self._written[storage] != key for storage, key in found):
            return False
        storage = places.view[step.out].storage
        if storage.role != "input":
            return True
        key = written_at(step, places)
        return all(other == key for other in self._read.get(storage, ()))


def reads(step: Step, places: Places) -> list[tuple[Storage, Any]]:
    """The memory that a step of a loop reads, and in which order."""
    found: list[tuple[Storage, Any]] = []
    for k, x in enumerate(step.operands):
        if not isinstance(x, Value) or x.kind == "number" or x.kind == "constant":
            continue
        view = places.view_of(x)
        if step.name == "load" and k == 0:
            found.append((view.storage, object()))
        elif step.name == "load":
            found.append((view.storage, access(index_view(step, k, view), step.space)))
        else:
            found.append((view.storage, access(view, step.space)))
    return found


def index_view(step: Step, operand: int, view: View) -> View:
    """An array of integers as it is broadcast to the result that it chooses elements for."""
    after = len(step.out.shape) - step.facts.stop
    return view.at((*view.shape, *[1] * after), (*view.strides, *[0] * after))


def store_view(step: Step, places: Places) -> View:
    """Where a map writes: over its space, in the order of C."""
    return View(places.view[step.out].storage, 0, step.space, c_strides(step.space))


def written_at(step: Step, places: Places) -> Any:
    return None if step.kind == "reduce" else access(store_view(step, places), step.space)


def group_steps(places: Places) -> list[Group]:
    """Put all steps into groups, in an order in which they can be done.

    Of the steps that could be done next, the first of the plan starts a group, and all that can join it do.
    """
    users: dict[Step, list[Step]] = {}
    waiting = {step: len(needed) for step, needed in places.before.items()}
    rank = {step: (0 if step.kind == "check" and places.is_old(step.operands[0]) else 1, step.order) for step in places.steps}
    for step, needed in places.before.items():
        for other in needed:
            users.setdefault(other, []).append(step)
    ready: dict[Any, list[Any]] = {}
    count = 0

    def arrives(step: Step) -> None:
        nonlocal count
        count += 1
        key = squeezed(step.space) if step.in_loop else None
        heapq.heappush(ready.setdefault(key, []), (rank[step], count, step))

    def done(step: Step) -> None:
        for user in users.get(step, ()):
            waiting[user] -= 1
            if not waiting[user]:
                arrives(user)

    for step in places.steps:
        if not waiting[step]:
            arrives(step)
    groups: list[Group] = []
    while ready:
        shape = min(ready, key=lambda key: ready[key][0])
        group = Group(len(groups), shape)
        groups.append(group)
        if shape is None:
            _, _, step = heapq.heappop(ready[None])
            group.add(step, places)
            if not ready[None]:
                del ready[None]
            done(step)
            continue
        refused = []
        while ready.get(shape):
            entry = heapq.heappop(ready[shape])
            if group.takes(entry[2], places):
                group.add(entry[2], places)
                done(entry[2])
            else:
                refused.append(entry)
        if refused:
            ready[shape] = refused
        else:
            del ready[shape]
    _store(groups, places)
    return groups


def _store(groups: list[Group], places: Places) -> None:
    inside = {step: group for group in groups for step in group.steps}
    for group in groups:
        for step in group.steps:
            if group.shape is None or step.kind == "reduce" or places.view[step.out].storage.role != "temporary":
                group.stored.add(step)
            for x in step.values:
                made_by = places.origin.get(x)
                if made_by is not None and inside[made_by] is not group:
                    inside[made_by].stored.add(made_by)
