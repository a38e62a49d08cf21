"""Where each value lies: views of memory, results in the caller's memory, what must be read before it is written over."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy

from .lower import KNOWN, Lowering
from .steps import Step, Storage, Value, View, access, c_strides

__all__ = ["Places"]


class Places:
    """Gives each value of a plan its place.

    Attributes
    ----------
    steps : list of Step
        Those that do something, with copies that the outputs need; views are not among them.
    view : dict from Value to View
    origin : dict from Value to Step or None
        The step that computes the elements of a value; None for inputs and constants.
    before : dict from Step to set of Step
        What must have been done.
    storages : list of Storage
    """

    def __init__(self, low: Lowering, homes: Sequence[int | None]) -> None:
        self.low, self.homes = low, list(homes)
        self._uniform: dict[Value, Any] = {}
        copied: set[int] = set()  # the outputs that are computed elsewhere and then copied home
        while True:
            self._place(copied)
            stuck = self._stuck()
            if not stuck:
                return
            assert not stuck <= copied  # a copy is the last thing that is done: nothing waits for it
            copied |= stuck

    def storage(self, role: str, dtype: Any, size: int, index: int = -1, data: Any = None) -> Storage:
        """A new storage."""
        storage = Storage(len(self.storages), role, dtype, size, index, data)
        self.storages.append(storage)
        return storage

    def view_of(self, value: Value) -> View:
        """The view of a value; that of a constant is made when it is first needed."""
        view = self.view.get(value)
        if view is None:
            storage = self.storage("constant", value.dtype, value.size, data=value.data)
            view = self.view[value] = View(storage, 0, value.shape, c_strides(value.shape))
            self.origin[value] = None
        return view

    def uniform(self, value: Value) -> Any:
        """The number that all elements of a constant are; None if there is none."""
        if value.kind != "constant":
            return None
        if value not in self._uniform:
            data = (
                value.data.reshape(-1)
                if value.data.size < 2 or any(value.data.strides)
                else value.data[(0,) * value.data.ndim].reshape(1)
            )
            same = data.size > 0 and data.tobytes() == data[:1].tobytes() * data.size
            self._uniform[value] = data[0].item() if same else None
        return self._uniform[value]

    def is_old(self, value: Value) -> bool:
        """Whether a value is that of an input, before anything is written there."""
        return value.kind != "constant" and self.origin.get(value) is None and self.view_of(value).storage.role == "input"

    # ----------------------------------------------------------------------------------------------------------- places

    def _place(self, copied: set[int]) -> None:
        self.storages: list[Storage] = []
        self.view: dict[Value, View] = {}
        self.origin: dict[Value, Step | None] = {}
        self.steps: list[Step] = []
        self.written: dict[Value, int] = {}  # the output whose memory a value is computed in
        for k, value in enumerate(self.low.inputs):
            self._fresh(value, self.storage("input", value.dtype, value.size, k))
        wanted: dict[Value, list[int]] = {}
        for k, value in enumerate(self.low.outputs):
            wanted.setdefault(value, []).append(k)
        for step in self.low.steps:
            if step.kind == "view":
                source = self.view_of(step.operands[0])
                view = step.facts(source)
                if view is not None:
                    self.view[step.out] = view
                    self.origin[step.out] = self.origin.get(step.operands[0])
                    continue
                copy = _copy(step.operands[0])
                copy.outs, copy.space, copy.order = step.outs, step.operands[0].shape, step.order
                step = copy
            self.steps.append(step)
            for out in step.outs:
                self.origin[out] = step
                self._fresh(out, self._memory(step, out, wanted, copied))
        for k, value in enumerate(self.low.outputs):
            if self.written.get(value) != k:
                apart = self._reads_home(k, value) or (k in copied and self.origin.get(value) is None)
                self._copy_to(k, self._copy_to(None, value) if apart else value)
        self._order()

    def _fresh(self, value: Value, storage: Storage) -> None:
        self.view[value] = View(storage, 0, value.shape, c_strides(value.shape))

    def _memory(self, step: Step, out: Value, wanted: dict[Value, list[int]], copied: set[int]) -> Storage:
        for k in wanted.get(out, ()):
            home = self.homes[k]
            if home is None:
                self.written[out] = k
                return self.storage("output", out.dtype, out.size, k)
            old = self.low.inputs[home]
            if k not in copied and old.shape == out.shape and old.dtype == out.dtype and self._may_replace(step, old):
                self.written[out] = k
                return self.view[old].storage
        return self.storage("temporary", out.dtype, out.size)

    def _may_replace(self, step: Step, old: Value) -> bool:
        """Whether `step` reads each element of `old`, if at all, just before it writes there."""
        storage = self.view[old].storage
        read = [x for x in step.values if x.kind not in ("number", "constant") and self.view_of(x).storage is storage]
        if not read:
            return True
        if step.kind != "map" or step.name == "load" or step.space != old.shape:
            return False
        return all(access(self.view_of(x), step.space) == access(self.view[old], step.space) for x in read)

    def _reads_home(self, k: int, value: Value) -> bool:
        """Whether an output is the old state that it replaces, in another order."""
        home = self.homes[k]
        if home is None or value.kind == "constant" or not self.is_old(value):
            return False
        old, view = self.view[self.low.inputs[home]], self.view_of(value)
        return view.storage is old.storage and access(view, value.shape) != access(old, value.shape)

    def _copy_to(self, k: int | None, value: Value) -> Value:
        """Add a copy of `value` in the memory of an output, or in new memory."""
        out = Value("result", value.shape, value.dtype)
        step = _copy(value)
        step.outs = [out]
        step.space, step.order = value.shape, len(self.low.steps) + len(self.steps)
        home = None if k is None else self.homes[k]
        if k is None:
            storage = self.storage("temporary", value.dtype, value.size)
        elif home is None:
            storage = self.storage("output", value.dtype, value.size, k)
        else:
            storage = self.view[self.low.inputs[home]].storage
        if k is not None:
            self.written[out] = k
        self.steps.append(step)
        self.origin[out] = step
        self._fresh(out, storage)
        return out

    # ------------------------------------------------------------------------------------------------------------ order

    def _order(self) -> None:
        readers: dict[Storage, list[Step]] = {}
        may_fail = [step for step in self.steps if step.kind in ("check", "call")]
        self.before: dict[Step, set[Step]] = {}
        for step in self.steps:
            needed = {*step.after}
            for x in step.values:
                if x.kind == "number" or x.kind == "constant":
                    continue
                storage = self.view_of(x).storage
                made_by = self.origin.get(x)
                if made_by is not None:
                    needed.add(made_by)
                elif storage.role == "input":
                    readers.setdefault(storage, []).append(step)
            self.before[step] = needed
        for out, k in self.written.items():
            home = self.homes[k]
            if home is None:
                continue
            writer = self.origin[out]
            assert writer is not None
            old = readers.get(self.view[self.low.inputs[home]].storage, ())
            self.before[writer].update(step for step in (*old, *may_fail) if step is not writer)

    def _stuck(self) -> set[int]:
        """The outputs that can not be written home, because what must come before must come after too."""
        users: dict[Step, list[Step]] = {}
        waiting = {step: len(needed) for step, needed in self.before.items()}
        for step, needed in self.before.items():
            for other in needed:
                users.setdefault(other, []).append(step)
        ready = [(step.order, k, step) for k, step in enumerate(self.steps) if not waiting[step]]
        heapq.heapify(ready)
        done = 0
        while ready:
            _, _, step = heapq.heappop(ready)
            done += 1
            for user in users.get(step, ()):
                waiting[user] -= 1
                if not waiting[user]:
                    heapq.heappush(ready, (user.order, id(user), user))
        if done == len(self.steps):
            return set()
        data = {step for step, count in waiting.items() if count}
        stuck = {
            k
            for out, k in self.written.items()
            if self.homes[k] is not None
            and (writer := self.origin[out]) in data
            and not any(self.origin.get(x) in data for x in writer.values if x.kind != "number")
        }
        return stuck or {k for out, k in self.written.items() if self.homes[k] is not None}


class _Same(NamedTuple):
    """A call of a function that returns its argument, whose result is copied to its place."""

    function: Any
    container: Any = None


def _copy(value: Value) -> Step:
    """A step that copies a value; in C, where it has the dtype."""
    if numpy.dtype(value.dtype) in KNOWN:
        return Step("map", "copy", [value], [])
    return Step("call", "copy", [value], [], (_Same(lambda x: x), [value], {}))
