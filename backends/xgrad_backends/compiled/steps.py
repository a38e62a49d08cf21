"""What a plan is made of, for those who compile it: values, the steps that compute them, and where they lie in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy

__all__ = ["Indexing", "Step", "Storage", "Value", "View", "access", "c_strides", "squeezed"]


class Storage:
    """A piece of memory of one dtype.

    Attributes
    ----------
    number : int
        Its place in the table of pointers.
    role : {"input", "constant", "temporary", "output"}
        ``"input"``: the memory of an array from outside. ``"output"``: memory that the caller provides for a result.
    size : int
        How many elements it has.
    index : int
        Of the input (draws come after the inputs) or of the output.
    data : array or None
        The value of a constant.
    """

    __slots__ = ("data", "dtype", "index", "number", "role", "size")

    def __init__(self, number: int, role: str, dtype: Any, size: int, index: int = -1, data: Any = None) -> None:
        self.number, self.role, self.dtype, self.size, self.index, self.data = number, role, dtype, size, index, data

    def __repr__(self) -> str:
        return f"{self.role}{self.number}:{self.dtype.name}[{self.size}]"


class View:
    """Where the elements of an array lie: a storage, an offset, and a stride for each axis, counted in elements."""

    __slots__ = ("offset", "shape", "storage", "strides")

    def __init__(self, storage: Storage, offset: int, shape: Sequence[int], strides: Sequence[int]) -> None:
        self.storage, self.offset, self.shape, self.strides = storage, offset, tuple(shape), tuple(strides)

    @property
    def contiguous(self) -> bool:
        """Whether the elements lie one after the other, in the order of C."""
        return all(n == 1 or s == c for n, s, c in zip(self.shape, self.strides, c_strides(self.shape)))

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def at(self, shape: Sequence[int], strides: Sequence[int], offset: int | None = None) -> View:
        """Another view of the same memory."""
        return View(self.storage, self.offset if offset is None else offset, shape, strides)

    def __repr__(self) -> str:
        return f"{self.storage!r}+{self.offset}{list(self.shape)}{list(self.strides)}"


class Value:
    """An array or a number of the plan.

    Attributes
    ----------
    kind : {"input", "constant", "number", "result"}
    data :
        That of a constant; of an input its index; of a number its index.
    step : Step or None
        What computes it.
    """

    __slots__ = ("data", "dtype", "kind", "shape", "step")

    def __init__(self, kind: str, shape: Sequence[int], dtype: Any, data: Any = None) -> None:
        self.kind, self.shape, self.data = kind, tuple(shape), data
        self.dtype = dtype if kind == "number" else numpy.dtype(dtype)
        self.step: Step | None = None

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    def __repr__(self) -> str:
        return f"<{self.kind} {self.dtype}{list(self.shape)}>"


class Indexing:
    """How arrays of integers choose elements.

    Attributes
    ----------
    pairs : list of (int, int or None, int)
        For each axis that is indexed: the axis, the place of the index array in the operands, or None and the Python integer.
    straight : list of (int, int)
        For each other axis: the axis of the result, and that of the array.
    start, stop : int
        The axes of the result that the index arrays have.
    """

    __slots__ = ("pairs", "start", "stop", "straight")

    def __init__(self, pairs: Any, straight: Any, start: int, stop: int) -> None:
        self.pairs, self.straight, self.start, self.stop = list(pairs), list(straight), start, stop


class Step:
    """One thing to compute.

    Attributes
    ----------
    kind : str
        ``"map"``: elementwise. ``"reduce"``: over axes. ``"view"``: the same elements at other places.
        ``"product"``: of matrices.
        ``"join"``: arrays written into regions of a new one. ``"scatter"``: into places that arrays of integers name.
        ``"check"``: whether an array of integers is in range. ``"call"``: a function of the library.
    name : str
        Which one.
    operands : list
        Values, and Python numbers.
    outs : list of Value
    space : tuple of int
        The shape that a map or a reduction runs over.
    facts : Any
        What else is to be known: the axes of a reduction, the function of a view, an `Indexing`, the call.
    order : int
        Its place in the plan.
    """

    __slots__ = ("after", "facts", "kind", "name", "operands", "order", "outs", "space")

    def __init__(self, kind: str, name: str, operands: Sequence[Any], outs: list[Value], facts: Any = None) -> None:
        self.kind, self.name, self.operands, self.outs, self.facts = kind, name, list(operands), outs, facts
        self.space: tuple[int, ...] = ()
        self.order = 0
        self.after: list[Step] = []
        for out in outs:
            out.step = self

    @property
    def out(self) -> Value:
        return self.outs[0]

    @property
    def values(self) -> Iterator[Value]:
        """The arrays and numbers among its operands."""
        return (x for x in self.operands if isinstance(x, Value))

    @property
    def in_loop(self) -> bool:
        return self.kind == "map" or self.kind == "reduce"

    def __repr__(self) -> str:
        return f"{', '.join(map(repr, self.outs))} = {self.name}({', '.join(map(repr, self.operands))})"


def c_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides of a contiguous array in the order of C."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(strides[::-1])


def squeezed(shape: Sequence[int]) -> tuple[int, ...]:
    """A shape without its axes of length 1."""
    return tuple([n for n in shape if n != 1])


def access(view: View, space: Sequence[int]) -> tuple[int, tuple[int, ...]]:
    """The offset, and the stride for each axis of `space` longer than 1, of a view that is broadcast to it."""
    lead = len(space) - len(view.shape)
    strides = [0] * lead + [0 if n == 1 else s for n, s in zip(view.shape, view.strides)]
    return view.offset, tuple([s for n, s in zip(space, strides) if n != 1])
