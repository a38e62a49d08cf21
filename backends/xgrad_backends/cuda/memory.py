"""The memory of a plan on the device."""

from __future__ import annotations

from typing import Any

import cupy

from ..compiled.arena import ALIGN, arranged
from ..compiled.places import Places
from ..compiled.steps import Storage, View

__all__ = ["DeviceMemory"]


class DeviceMemory:
    """Arrays for temporary results and constants, and those that are bound.

    Parameters
    ----------
    places : Places
    lives : dict from Storage to (int, int)
        When each temporary array is first written, and when last read.

    Attributes
    ----------
    arrays : dict from Storage to array
        One axis each.
    inputs, outputs : dict from int to Storage
    bytes : int
    """

    def __init__(self, places: Places, lives: dict[Storage, tuple[int, int]]) -> None:
        offsets, self.bytes = arranged(lives)
        self._block = cupy.empty(self.bytes + ALIGN, dtype="uint8")
        self.arrays: dict[Storage, Any] = {}
        for storage, at in offsets.items():
            self.arrays[storage] = cupy.ndarray((storage.size,), storage.dtype, self._block.data + at)
        for storage in places.storages:
            if storage.role == "constant":
                self.arrays[storage] = cupy.asarray(storage.data).reshape(-1)
        self.inputs = {s.index: s for s in places.storages if s.role == "input"}
        self.outputs = {s.index: s for s in places.storages if s.role == "output"}

    def address(self, storage: Storage, offset: int = 0) -> int:
        """The address of an element."""
        return int(self.arrays[storage].data.ptr) + offset * storage.dtype.itemsize

    def array(self, view: View) -> Any:
        """The array that a view is of."""
        flat = self.arrays[view.storage]
        if view.contiguous and view.offset == 0 and view.size == flat.size:
            return flat.reshape(view.shape)
        step = flat.dtype.itemsize
        return cupy.ndarray(
            view.shape, flat.dtype, flat.data + view.offset * step, strides=tuple([s * step for s in view.strides])
        )
