"""Slots: the places that a plan reads its arrays and numbers from, and writes new ones to."""

from __future__ import annotations

from typing import Any

from ...backend.protocol import Backend
from ...graph import memory
from ...graph.node import Leaf
from ...tensor.tensor import Tensor

__all__ = ["ArgumentSlot", "ArraySlot", "GradSlot", "NumberSlot", "Slot", "TensorSlot", "owned"]


def owned(x: Any, base: Backend) -> Any:
    """The array `x` of the library in memory of its own: results of one run may be views of each other."""
    x = base.as_array(x)
    return x if base.owns_memory(x) else base.copy(x)


class Slot:
    """A place that holds an array or a number."""

    __slots__ = ()

    def get(self) -> Any:
        """What is there now."""
        raise NotImplementedError

    def set(self, value: Any) -> None:
        """Put `value` there."""
        raise NotImplementedError

    @property
    def key(self) -> tuple[Any, ...]:
        """Equal for two slots of the same place."""
        raise NotImplementedError


class ArgumentSlot(Slot):
    """An argument of the function: the `index`-th of the arrays and numbers in its arguments."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index

    @property
    def key(self) -> tuple[Any, ...]:
        return ("argument", self.index)


class TensorSlot(Slot):
    """The array of a Tensor that is not an argument."""

    __slots__ = ("tensor",)

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    def get(self) -> Any:
        return self.tensor._data

    def set(self, value: Any) -> None:
        memory.assign(self.tensor, value)

    def store(self, value: Any, base: Backend) -> None:
        """Put the new state there as an uncaptured step does: into the array of a leaf, if it can be written to."""
        old = self.tensor._data
        same = tuple(old.shape) == tuple(value.shape) and old.shape
        if base.mutable and same and isinstance(self.tensor._node, Leaf):
            memory.own(self.tensor)
            self.tensor._data[...] = value
            memory.mark(self.tensor._data, memory.next_age())
        else:
            self.set(owned(value, base))

    @property
    def key(self) -> tuple[Any, ...]:
        return ("tensor", id(self.tensor))


class ArraySlot(Slot):
    """An array of the library, which the plan keeps."""

    __slots__ = ("array",)

    def __init__(self, array: Any) -> None:
        self.array = array

    def get(self) -> Any:
        return self.array

    @property
    def key(self) -> tuple[Any, ...]:
        return ("array", id(self.array))


class GradSlot(Slot):
    """The array of the gradient at a leaf."""

    __slots__ = ("leaf",)

    def __init__(self, leaf: Leaf) -> None:
        self.leaf = leaf

    def get(self) -> Any:
        g = self.leaf.grad
        return None if g is None else g._data

    @property
    def key(self) -> tuple[Any, ...]:
        return ("grad", id(self.leaf))


class NumberSlot(Slot):
    """A Python number in a dict or in an attribute."""

    __slots__ = ("name", "owner")

    def __init__(self, owner: Any, name: Any) -> None:
        self.owner, self.name = owner, name

    @property
    def source(self) -> str:
        """A Python expression for the number, with ``{holder}`` and ``{key}`` in place of the owner and the name."""
        return "{holder}[{key}]" if isinstance(self.owner, dict) else "{holder}." + self.name

    def get(self) -> Any:
        return self.owner[self.name] if isinstance(self.owner, dict) else getattr(self.owner, self.name)

    def set(self, value: Any) -> None:
        if isinstance(self.owner, dict):
            self.owner[self.name] = value
        else:
            setattr(self.owner, self.name, value)

    @property
    def key(self) -> tuple[Any, ...]:
        return ("number", id(self.owner), self.name)
