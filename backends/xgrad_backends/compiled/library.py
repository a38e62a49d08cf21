"""Steps that only the library can do: its function is called on views of the buffers, and the result is copied to its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy

from .memory import Memory
from .places import Places
from .steps import Step, Value

__all__ = ["Library", "filled"]


class Library:
    """Makes functions that call the library for a step."""

    def __init__(self, places: Places, memory: Memory) -> None:
        self.places, self.memory = places, memory

    def caller(self, step: Step) -> Callable[[tuple[Any, ...]], None]:
        """A function of the numbers of a run that does a step."""
        if step.kind != "call":
            return self._matmul(step)
        call, args, kwargs = step.facts
        values = dict.fromkeys(step.values)
        views: dict[Value, tuple[Any, Any]] = {}
        outs = [self.places.view[out] for out in step.outs]
        array = self._array

        def run(numbers: tuple[Any, ...]) -> None:
            now = {x: numbers[x.data] if x.kind == "number" else array(x, views) for x in values}
            y = call.function(*filled(args, now.__getitem__), **filled(kwargs, now.__getitem__))
            for view, result in zip(outs, y if call.container else [y]):
                numpy.copyto(self.memory.array(view), result)

        return run

    def _matmul(self, step: Step) -> Callable[[tuple[Any, ...]], None]:
        views: dict[Value, tuple[Any, Any]] = {}
        a, b = step.operands

        def run(numbers: tuple[Any, ...]) -> None:
            numpy.matmul(self._array(a, views), self._array(b, views), out=self.memory.array(self.places.view[step.out]))

        return run

    def _array(self, x: Value, known: dict[Value, tuple[Any, Any]]) -> Any:
        if x.kind == "constant":
            return x.data
        view = self.places.view[x]
        flat = self.memory.arrays[view.storage]
        last = known.get(x)
        if last is None or last[0] is not flat:
            last = known[x] = (flat, self.memory.array(view))
        return last[1]


def filled(x: Any, now: Callable[[Value], Any]) -> Any:
    """Nested arguments with arrays and numbers in place of values."""
    if isinstance(x, Value):
        return now(x)
    if x.__class__ in (tuple, list):
        return x.__class__([filled(part, now) for part in x])
    if x.__class__ is slice:
        return slice(*[filled(part, now) for part in (x.start, x.stop, x.step)])
    if x.__class__ is dict:
        return {name: filled(part, now) for name, part in x.items()}
    return x
