"""The memory of a plan on the device."""

from __future__ import annotations

from typing import Any

import cupy

from ..compiled.arena import ALIGN, arranged
from ..compiled.memory import PlanMemory
from ..compiled.places import Places
from ..compiled.steps import Storage, View

__all__ = ["DeviceMemory"]


class DeviceMemory(PlanMemory):
    """The memory of a plan on a GPU.

    Parameters
    ----------
    places : Places
    lives : dict from Storage to (int, int)
        When each temporary array is first written, and when last read.
    """

    def __init__(self, places: Places, lives: dict[Storage, tuple[int, int]]) -> None:
        offsets, size = arranged(lives)
        super().__init__(places, size)
        self._block = cupy.empty(size + ALIGN, dtype="uint8")
        for storage, at in offsets.items():
            self.arrays[storage] = cupy.ndarray((storage.size,), storage.dtype, self._block.data + at)

    def keep(self, constant: Storage) -> None:
        self.arrays[constant] = cupy.asarray(constant.data).reshape(-1)

    def address(self, storage: Storage, offset: int = 0) -> int:
        """The address of an element."""
        return int(self.arrays[storage].data.ptr) + offset * storage.dtype.itemsize

    def array(self, view: View) -> Any:
        flat = self.arrays[view.storage]
        if view.contiguous and view.offset == 0 and view.size == flat.size:
            return flat.reshape(view.shape)
        step = flat.dtype.itemsize
        return cupy.ndarray(
            view.shape, flat.dtype, flat.data + view.offset * step, strides=tuple([s * step for s in view.strides])
        )
