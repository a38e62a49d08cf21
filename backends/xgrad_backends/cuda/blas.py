"""Products of matrices by cuBLAS, called so that they can be part of a CUDA graph: CuPy's own calls refuse to."""

from __future__ import annotations

import ctypes
import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cupy

__all__ = ["Blas", "Matrix", "blas", "library", "strides_of_batch"]

WORKSPACE = 32 << 20
"""Bytes of memory that cuBLAS may use: it would ask for them in the middle of a graph."""
NAMES = ("libcublas.so.13", "libcublas.so.12", "libcublas.so.11", "cublas64_13.dll", "cublas64_12.dll", "cublas64_11.dll")


class Matrix:
    """A matrix as cuBLAS takes it: the distance of its rows, and whether it is transposed."""

    __slots__ = ("is_transposed", "step")

    def __init__(self, step: int, is_transposed: bool) -> None:
        self.step, self.is_transposed = step, is_transposed


class Blas:
    """Products of matrices on the current device and stream.

    Parameters
    ----------
    library : ctypes.CDLL
    """

    def __init__(self, library: Any) -> None:
        self._library = library
        self._handle = ctypes.c_void_p()
        self._check(library.cublasCreate_v2(ctypes.byref(self._handle)), "cublasCreate")
        self._workspace = cupy.cuda.alloc(WORKSPACE)
        self._one = {"float32": ctypes.c_float(1), "float64": ctypes.c_double(1)}
        self._zero = {"float32": ctypes.c_float(0), "float64": ctypes.c_double(0)}

    def gemm(
        self,
        dtype: Any,
        sizes: tuple[int, int, int],
        a: tuple[int, Matrix],
        b: tuple[int, Matrix],
        out: int,
        batch: tuple[int, int, int, int] | None = None,
    ) -> None:
        """Put the product of two matrices of `sizes` rows, columns and terms into memory, all in the order of rows.

        Parameters
        ----------
        dtype : numpy.dtype
            float32 or float64.
        sizes : tuple of int
        a, b : (int, Matrix)
            Addresses and layouts.
        out : int
            An address.
        batch : tuple of int, optional
            How many matrices there are, and the distances of one to the next in `a`, `b` and `out`, in elements. Where the
            distances are -1, the addresses are those of arrays of addresses.
        """
        rows, columns, terms = sizes
        letter = {"float32": "S", "float64": "D"}[dtype.name]
        one, zero = ctypes.byref(self._one[dtype.name]), ctypes.byref(self._zero[dtype.name])
        pointer, size = ctypes.c_void_p, ctypes.c_longlong
        self._check(
            self._library.cublasSetStream_v2(self._handle, pointer(cupy.cuda.get_current_stream().ptr)), "cublasSetStream"
        )
        self._check(
            self._library.cublasSetWorkspace_v2(self._handle, pointer(self._workspace.ptr), ctypes.c_size_t(WORKSPACE)),
            "cublasSetWorkspace",
        )
        # cuBLAS counts columns first: the product of the transposed matrices in the other order.
        head = (self._handle, int(b[1].is_transposed), int(a[1].is_transposed), columns, rows, terms, one)
        left, right, to = pointer(b[0]), pointer(a[0]), pointer(out)
        if batch is None:
            name = f"cublas{letter}gemm_v2"
            tail: tuple[Any, ...] = (left, b[1].step, right, a[1].step, zero, to, columns)
        elif batch[1] == -1:
            name = f"cublas{letter}gemmBatched"
            tail = (left, b[1].step, right, a[1].step, zero, to, columns, batch[0])
        else:
            name = f"cublas{letter}gemmStridedBatched"
            tail = (
                left, b[1].step, size(batch[2]), right, a[1].step, size(batch[1]), zero, to, columns, size(batch[3]), batch[0],
            )  # fmt: skip
        self._check(self._library[name](*head, *tail), name)

    def _check(self, status: int, name: str) -> None:
        if status:
            raise RuntimeError(f"{name} failed with status {status} of cuBLAS")


def _path() -> str | None:
    """The cuBLAS that CuPy has loaded."""
    try:
        found = re.search(r"\S*/libcublas\.so\S*", Path("/proc/self/maps").read_text())
    except OSError:
        return None
    return None if found is None else found.group()


def library() -> Any:
    """The cuBLAS of this process; None if it is not found."""
    for name in (_path(), *NAMES):
        if name is None:
            continue
        try:
            return ctypes.CDLL(name)
        except OSError:
            continue
    return None


@functools.cache
def _of_device(device: int) -> Blas | None:
    a = cupy.ones((2, 2), dtype="float32")
    a @ a  # CuPy loads the library when it is first needed
    found = library()
    try:
        return None if found is None else Blas(found)
    except (AttributeError, RuntimeError):
        return None


def blas() -> Blas | None:
    """That of the current device; None if the library is not found."""
    return _of_device(int(cupy.cuda.Device()))


def strides_of_batch(lead: Sequence[int], strides: Sequence[Sequence[int]]) -> tuple[int, ...] | None:
    """The distances between the matrices of a stack, if they are equally far apart in each array; else None."""
    found = []
    for steps in strides:
        long = [(n, s) for n, s in zip(lead, steps) if n != 1]
        if any(s != other * n for (_, s), (n, other) in zip(long, long[1:])):
            return None
        found.append(long[-1][1] if long else 0)
    return tuple(found)
