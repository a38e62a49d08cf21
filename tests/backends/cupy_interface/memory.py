"""Device memory: pointers, pools, allocators, and running out of it."""

from __future__ import annotations

import ctypes
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import launching, real
from .launching import read_back, upload, write

__all__ = ["Memory", "MemoryPointer", "MemoryPool", "PinnedMemoryPool", "UnownedMemory", "device_memory"]

OutOfMemoryError = real.cupy.cuda.memory.OutOfMemoryError


class DeviceMemory:
    """The memory of the emulated device: how much there is, and how much arrays hold."""

    def __init__(self) -> None:
        self.total = 1 << 40
        self.used = 0
        self.is_limited = False

    def take(self, size: int) -> None:
        if self.used + size > self.total:
            raise OutOfMemoryError(size, self.used)
        self.used += size

    def give_back(self, size: int) -> None:
        self.used -= size

    @contextmanager
    def limited(self, size: int) -> Iterator[None]:
        """Let the device have only `size` more bytes than what is in use."""
        total, self.total, self.is_limited = self.total, self.used + size, True
        try:
            yield
        finally:
            self.total, self.is_limited = total, False


device_memory = DeviceMemory()


class Memory:
    """A block of memory on the device."""

    def __init__(self, size: int, values: Any = None) -> None:
        self.size, self.device_id = size, 0
        if values is None:
            device_memory.take(size)
            values = np.zeros(size, dtype=np.uint8)
            weakref.finalize(values, device_memory.give_back, size)
        self._bytes = values

    @property
    def values(self) -> Any:
        return self._bytes

    @property
    def ptr(self) -> int:
        return int(self.values.ctypes.data)

    def __int__(self) -> int:
        return self.ptr


class UnownedMemory(Memory):
    """Memory that belongs to `owner`, by its address."""

    def __init__(self, ptr: int, size: int, owner: Any, device_id: int = -1) -> None:
        self._owner, self._address, self.size, self.device_id = owner, ptr, size, 0

    @property
    def ptr(self) -> int:
        return self._address

    @property
    def values(self) -> Any:
        return bytes_at(self._address, self.size)


class MemoryPointer:
    """A place in a block of memory, with the copies that CuPy's pointers have."""

    def __init__(self, mem: Memory, offset: int) -> None:
        self.mem, self.offset, self.device_id = mem, offset, 0

    @property
    def ptr(self) -> int:
        return self.mem.ptr + self.offset

    @property
    def device(self) -> Any:
        from .devices import Device

        return Device(0)

    def __int__(self) -> int:
        return self.ptr

    def __add__(self, offset: int) -> MemoryPointer:
        return MemoryPointer(self.mem, self.offset + offset)

    __iadd__ = __add__

    def __sub__(self, offset: int) -> MemoryPointer:
        return self + -offset

    def _bytes(self, size: int) -> Any:
        return self.mem.values[self.offset : self.offset + size]

    def copy_from_device(self, src: MemoryPointer, size: int) -> None:
        target, source = self._bytes(size), src._bytes(size)
        write("copy_from_device", lambda: target.__setitem__(..., source))

    def copy_from_device_async(self, src: MemoryPointer, size: int, stream: Any = None) -> None:
        self.copy_from_device(src, size)

    def copy_from_host(self, mem: Any, size: int) -> None:
        upload("copy_from_host")
        target, source = self._bytes(size), _host_bytes(mem, size)
        write("copy_from_host", lambda: target.__setitem__(..., source))

    def copy_from_host_async(self, mem: Any, size: int, stream: Any = None) -> None:
        self.copy_from_host(mem, size)

    def copy_to_host(self, mem: Any, size: int) -> None:
        read_back("copy_to_host")
        _host_bytes(mem, size)[...] = self._bytes(size)

    copy_to_host_async = copy_to_host

    def memset(self, value: int, size: int) -> None:
        target = self._bytes(size)
        write("memset", lambda: target.__setitem__(..., value))

    def memset_async(self, value: int, size: int, stream: Any = None) -> None:
        self.memset(value, size)


def bytes_at(address: int, size: int) -> Any:
    """The bytes from an address on, as a NumPy array in the same memory."""
    if size == 0:
        return np.zeros(0, dtype=np.uint8)
    pointer = ctypes.cast(ctypes.c_void_p(address), ctypes.POINTER(ctypes.c_uint8))
    return np.ctypeslib.as_array(pointer, shape=(size,))


def _host_bytes(mem: Any, size: int) -> Any:
    return bytes_at(int(getattr(mem, "value", mem)), size)


class MemoryPool:
    """A pool of memory: it keeps the blocks that were freed until `free_all_blocks`."""

    def __init__(self, allocator: Any = None) -> None:
        self._used = 0
        self._total = 0
        self._limit = 0

    def malloc(self, size: int) -> MemoryPointer:
        rounded = -(-size // 512) * 512
        if self._limit and self._used + rounded > self._limit:
            raise OutOfMemoryError(rounded, self._used, self._limit)
        memory = Memory(rounded)
        self._used += rounded
        self._total = max(self._total, self._used)
        weakref.finalize(memory.values, self._free, rounded)
        return MemoryPointer(memory, 0)

    def _free(self, size: int) -> None:
        self._used -= size

    def free_all_blocks(self, stream: Any = None) -> None:
        self._total = self._used

    free_all_free = free_all_blocks

    def n_free_blocks(self) -> int:
        return int(self._total > self._used)

    def used_bytes(self) -> int:
        return self._used

    def free_bytes(self) -> int:
        return self._total - self._used

    def total_bytes(self) -> int:
        return self._total

    def set_limit(self, size: int | None = None, fraction: float | None = None) -> None:
        self._limit = int(size or 0) if fraction is None else int(fraction * device_memory.total)

    def get_limit(self) -> int:
        return self._limit


class PinnedMemoryPool(MemoryPool):
    """A pool of host memory."""


default_pool = MemoryPool()
pinned_pool = PinnedMemoryPool()
_local = threading.local()
_shared: list[Callable[[int], MemoryPointer]] = [default_pool.malloc]


def allocator() -> Callable[[int], MemoryPointer]:
    return getattr(_local, "allocator", None) or _shared[0]


def set_allocator(function: Callable[[int], MemoryPointer] | None = None) -> None:
    _shared[0] = default_pool.malloc if function is None else function


@contextmanager
def using_allocator(function: Callable[[int], MemoryPointer] | None = None) -> Iterator[None]:
    before, _local.allocator = getattr(_local, "allocator", None), function or default_pool.malloc
    try:
        yield
    finally:
        _local.allocator = before


def alloc(size: int) -> MemoryPointer:
    """Memory of the allocator that is in use."""
    return allocator()(size)


def alloc_pinned_memory(size: int) -> Any:
    return np.zeros(size, dtype=np.uint8)


def values_in(pointer: MemoryPointer, shape: tuple[int, ...], dtype: Any, strides: tuple[int, ...] | None, order: str) -> Any:
    """A NumPy array in the memory of a pointer."""
    return np.ndarray(shape, dtype, buffer=pointer.mem.values, offset=pointer.offset, strides=strides, order=order)


def placed(values: Any) -> Any:
    """The values of a new array, in memory of the allocator if one was chosen; else where NumPy put them."""
    if not device_memory.is_limited and getattr(_local, "allocator", None) is None and _shared[0] == default_pool.malloc:
        return values
    target = values_in(alloc(values.nbytes), values.shape, values.dtype, None, "F" if values.flags.fnc else "C")
    target[...] = values
    return target


launching.placed = placed
