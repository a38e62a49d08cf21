"""Binding: an executor is handed arrays when they are others than before, and buffers of results are used again."""

from __future__ import annotations

import sys
from typing import Any

from ...graph import memory
from ...graph.node import Leaf
from ...tensor.tensor import wrap
from .plan import Plan

__all__ = ["HELD_ALONE", "MISS", "Binder"]

MISS = object()
"""What an entry returns for a call that it is not right for."""

POOL = 2
"""How many buffers of a result are kept beside the one in use, for when they are not held any more."""


class Binder:
    """Hands arrays to an executor, when they are others than before."""

    def __init__(self, executor: Any, plan: Plan, homes: list[int | None], states: range) -> None:
        self.executor, self.plan = executor, plan
        self.base = plan.base
        self.last: list[Any] = [MISS] * len(plan.inputs)  # what was bound, as it was given; MISS: bind again each time
        self.bound: list[Any] = [None] * len(plan.inputs)
        self.held: list[Any] = [None] * len(plan.outputs)  # Tensors around the buffers of results
        self.buffers: list[Any] = [None] * len(plan.outputs)  # what the executor writes into; a Tensor can get another array
        self.pools: list[list[tuple[Any, Any]]] = [[] for _ in plan.outputs]  # Tensors that were held, and their buffers
        self.states = states  # the outputs that become arrays of Tensors
        self.counts = [0] * len(plan.outputs)  # references to their arrays while nobody else holds them
        self.homes = {k for k in homes if k is not None}
        self.alone = [0] * len(plan.inputs)  # references to the array of a state while nobody else holds it

    def input(self, k: int, x: Any) -> None:
        """Bind an array that is read."""
        array = self.base.contiguous(x)
        self.last[k] = x if array is x else MISS
        self.bound[k] = array
        self.executor.bind_input(k, array)

    def home(self, k: int, tensor: Any) -> None:
        """Bind the array of a Tensor that a run writes into: no one else may have it."""
        if isinstance(tensor._node, Leaf):
            memory.own(tensor)
            array = self.base.contiguous(tensor._data)
        else:
            array = self.base.contiguous(self.base.copy(tensor._data))
        if array is not tensor._data:
            memory.assign(tensor, array)
            if isinstance(tensor._node, Leaf):
                memory.mark_owned(tensor)
        self.last[k] = self.bound[k] = array
        self.executor.bind_input(k, array)
        self.alone[k] = sys.getrefcount(array)

    def apart(self) -> None:
        """Copy inputs that overlap an array that a run writes into."""
        for k, x in enumerate(self.bound):
            if k in self.homes or x is None:
                continue
            if any(self.base.shares_memory(self.bound[h], x) for h in self.homes if self.bound[h] is not None):
                self.bound[k], self.last[k] = self.base.copy(x), MISS
                self.executor.bind_input(k, self.bound[k])

    def draw(self, k: int, x: Any) -> None:
        """Bind an array of random numbers."""
        self.executor.bind_draw(k, self.base.contiguous(x))

    def output(self, k: int) -> Any:
        """A buffer for a result, in a Tensor: one that was held and is free again, or a new one."""
        var, pool, kept = self.plan.outputs[k], self.pools[k], self.held[k]
        free = next((i for i in range(len(pool)) if _references(*pool[i]) <= _IN_POOL and _is_plain(*pool[i])), None)
        tensor, array = (None, self.base.xp.empty(var.shape, dtype=var.dtype)) if free is None else pool.pop(free)
        if kept is not None and k not in self.states:
            pool.append((kept, self.buffers[k]))
            del pool[:-POOL]
        tensor = wrap(array) if tensor is None else tensor
        self.executor.bind_output(k, array)
        self.buffers[k], self.held[k] = array, tensor
        del array, kept
        self.counts[k] = sys.getrefcount(tensor._data)
        return tensor


def _is_plain(tensor: Any, array: Any) -> bool:
    """Whether a Tensor is as it was when it was made around this array."""
    return tensor._data is array and tensor._node is None and tensor._view is None and tensor._name is None


def _references(tensor: Any, array: Any) -> int:
    return sys.getrefcount(tensor) + sys.getrefcount(array)


class _Array:
    """In place of an array."""


def _in_pool() -> int:
    """What `_references` returns for the items of a pool that nobody else has."""
    array = _Array()
    pool = [(wrap(array), array)]
    del array
    return _references(*pool[0])


_IN_POOL = _in_pool()


def _held_alone() -> int:
    # As generated code counts them, which depends on the version of Python.
    scope: dict[str, Any] = {"refs": sys.getrefcount}
    exec("def count(held):\n    o0 = held[0]\n    if o0 is None or refs(o0) > 99: o0 = None\n    return refs(o0)", scope)
    count: int = scope["count"]([_Array()])
    return count


HELD_ALONE = _held_alone()
"""The references to an object that only a list holds, as generated code counts them."""
