"""Compiled libraries as functions of Python: through cffi if it is installed, which calls faster, else through ctypes."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

__all__ = ["Loaded", "Table", "pointer"]

try:
    import cffi

    _ffi: Any = cffi.FFI()
except ImportError:
    _ffi = None


class Loaded:
    """A compiled library.

    Parameters
    ----------
    path : str
    count : int
        How many functions ``run0``, ``run1``, ... it has.

    Attributes
    ----------
    functions : list of callable
        Each takes a table of pointers and the memory of numbers, and returns whether it failed.
    """

    def __init__(self, path: str, count: int) -> None:
        names = [f"run{k}" for k in range(count)]
        self.functions: list[Callable[..., int]]
        if _ffi is not None:
            ffi = cffi.FFI()
            ffi.cdef("".join(f"int {name}(void** P, const void* numbers);" for name in names))
            self._library: Any = ffi.dlopen(path)
            self.functions = [getattr(self._library, name) for name in names]
        else:
            self._library = ctypes.CDLL(path)
            self.functions = [self._library[name] for name in names]
            for function in self.functions:
                function.argtypes, function.restype = (ctypes.c_void_p, ctypes.c_void_p), ctypes.c_int  # type: ignore[attr-defined]


class Table:
    """Pointers to arrays, as compiled functions take them.

    Parameters
    ----------
    count : int
    """

    def __init__(self, count: int) -> None:
        if _ffi is not None:
            self.pointer: Any = _ffi.new("void*[]", max(count, 1))
        else:
            self.pointer = (ctypes.c_void_p * max(count, 1))()

    def set_address(self, k: int, address: int) -> None:
        """Let a pointer be an address."""
        self.pointer[k] = address if _ffi is None else _ffi.cast("void*", address)

    if _ffi is not None:

        def set(self, k: int, array: Any) -> None:
            """Let a pointer point to the memory of an array."""
            self.pointer[k] = _ffi.from_buffer(array)

    else:

        def set(self, k: int, array: Any) -> None:
            """Let a pointer point to the memory of an array."""
            self.pointer[k] = array.ctypes.data


def pointer(array: Any) -> Any:
    """A pointer to the memory of an array, to call functions with."""
    address = array.ctypes.data
    return ctypes.c_void_p(address) if _ffi is None else _ffi.cast("void*", address)
