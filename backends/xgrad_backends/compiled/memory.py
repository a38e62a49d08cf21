"""The arrays behind the storages of a plan."""

from __future__ import annotations

from typing import Any

import numpy
from numpy.lib.stride_tricks import as_strided

from .arena import ALIGN, arranged
from .groups import Group
from .places import Places
from .steps import Storage, View

__all__ = ["Memory", "PlanMemory", "lives_in_groups", "strided"]


class PlanMemory:
    """Arrays for temporary results and constants of a plan, and those that are bound.

    Parameters
    ----------
    places : Places
    size : int
        The bytes of the temporary arrays.

    Attributes
    ----------
    arrays : dict from Storage to array
        One axis each.
    inputs, outputs : dict from int to Storage
    bytes : int
    """

    def __init__(self, places: Places, size: int) -> None:
        self.arrays: dict[Storage, Any] = {}
        self.inputs = {s.index: s for s in places.storages if s.role == "input"}
        self.outputs = {s.index: s for s in places.storages if s.role == "output"}
        self.bytes = size
        for storage in places.storages:
            if storage.role == "constant":
                self.keep(storage)

    def keep(self, constant: Storage) -> None:
        """Make the array of a constant."""
        raise NotImplementedError

    def array(self, view: View) -> Any:
        """The array that a view is of."""
        raise NotImplementedError


class Memory(PlanMemory):
    """The memory of a plan on the host.

    Parameters
    ----------
    places : Places
    lives : dict from Storage to (int, int)
        When each temporary array is first written, and when last read.
    same : dict from Storage to Storage, optional
        Temporary arrays that have the memory of another one.
    apart : bool, optional
        Whether each temporary array has a block of its own, so that a tool can see what is written beyond its end.
    """

    def __init__(self, places: Places, lives: dict[Storage, tuple[int, int]], same: Any = None, apart: bool = False) -> None:
        offsets, size = arranged(lives)
        super().__init__(places, size)
        self._block = numpy.empty(self.bytes + ALIGN, numpy.uint8)
        start = -self._block.ctypes.data % ALIGN
        for storage, at in offsets.items():
            if apart:
                self.arrays[storage] = numpy.empty(storage.size, storage.dtype)
                continue
            end = start + at + storage.size * storage.dtype.itemsize
            self.arrays[storage] = self._block[start + at : end].view(storage.dtype)
        for storage, other in (same or {}).items():
            while storage not in self.arrays and other not in self.arrays:
                other = (same or {})[other]
            self.arrays[storage] = self.arrays[other]
        self.bound: dict[Storage, Any] = {}  # arrays of the caller, as they were given

    def bind_input(self, index: int, array: Any) -> None:
        self._bind(self.inputs[index], array)

    def bind_output(self, index: int, array: Any) -> None:
        self._bind(self.outputs[index], array)

    def _bind(self, storage: Storage, array: Any) -> None:
        if self.bound.get(storage) is not array:
            self.bound[storage] = array
            self.arrays[storage] = array.reshape(-1)

    def array(self, view: View) -> Any:
        if view.storage not in self.arrays:
            self.keep(view.storage)
        return strided(self.arrays[view.storage], view)

    def keep(self, constant: Storage) -> None:
        self.arrays[constant] = numpy.array(constant.data, order="C").reshape(-1)


def lives_in_groups(places: Places, groups: list[Group], scratch: dict[Storage, int]) -> dict[Storage, tuple[int, int]]:
    """In which groups each temporary array that is stored is first written and last read."""
    lives = {storage: (number, number) for storage, number in scratch.items()}
    for group in groups:
        for step in group.steps:
            stored = [places.view[out].storage for out in step.outs if step in group.stored]
            read = [places.view_of(x).storage for x in step.values if x.kind in ("input", "result")]
            for storage in [*read, *stored]:
                if storage.role == "temporary" and (storage in lives or storage in stored):
                    lives[storage] = (lives.get(storage, (group.number, 0))[0], group.number)
    return lives


def strided(flat: Any, view: View) -> Any:
    """An array with the elements of a view, of memory with one axis."""
    if view.contiguous and view.offset == 0 and view.size == flat.size:
        return flat.reshape(view.shape)
    if not view.size:
        return numpy.empty(view.shape, flat.dtype)
    return as_strided(flat[view.offset :], view.shape, [s * flat.itemsize for s in view.strides])
