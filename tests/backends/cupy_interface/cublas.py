"""cuBLAS as C programs see it: products of matrices whose columns are contiguous, by their addresses."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

import numpy as np

from .launching import write

__all__ = ["Cublas"]


class Cublas:
    """The functions of the library that xgrad calls."""

    def cublasCreate_v2(self, handle: Any) -> int:
        handle._obj.value = 1
        return 0

    def cublasSetStream_v2(self, handle: Any, stream: Any) -> int:
        return 0

    def cublasSetWorkspace_v2(self, handle: Any, memory: Any, size: Any) -> int:
        return 0

    def __getitem__(self, name: str) -> Callable[..., int]:
        dtype = np.dtype({"S": "float32", "D": "float64"}[name[6]])
        order = {"_v2": _one, "Batched": _batched, "StridedBatched": _strided}[name[11:]]

        def gemm(handle: Any, ta: int, tb: int, m: int, n: int, k: int, alpha: Any, *rest: Any) -> int:
            product = _Product(dtype, (ta, tb), (m, n, k), alpha._obj.value)
            write(name, order(product, *rest))
            return 0

        return gemm


class _Product:
    """``out = alpha * a @ b + beta * out``, for matrices at addresses."""

    def __init__(self, dtype: Any, transposed: tuple[int, int], sizes: tuple[int, int, int], alpha: float) -> None:
        self.dtype, self.transposed, self.sizes, self.alpha = dtype, transposed, sizes, alpha

    def run(self, a: int, lda: int, b: int, ldb: int, beta: float, c: int, ldc: int) -> None:
        (m, n, k), (ta, tb) = self.sizes, self.transposed
        left = self._matrix(a, *((k, m) if ta else (m, k)), lda)
        right = self._matrix(b, *((n, k) if tb else (k, n)), ldb)
        out = self._matrix(c, m, n, ldc)
        out[...] = self.alpha * ((left.T if ta else left) @ (right.T if tb else right)) + (beta * out if beta else 0)

    def _matrix(self, address: int, rows: int, columns: int, step: int) -> Any:
        """A matrix whose columns are contiguous, `step` elements from one to the next."""
        if step < max(rows, 1):
            raise ValueError(f"cuBLAS: the leading dimension is {step}, and there are {rows} rows")
        item = self.dtype.itemsize
        memory = (ctypes.c_char * (((columns - 1) * step + rows) * item)).from_address(address)
        return np.lib.stride_tricks.as_strided(np.frombuffer(memory, self.dtype), (rows, columns), (item, step * item))


def _one(product: _Product, a: Any, lda: int, b: Any, ldb: int, beta: Any, c: Any, ldc: int) -> Callable[[], None]:
    return lambda: product.run(a.value, lda, b.value, ldb, beta._obj.value, c.value, ldc)


def _strided(
    product: _Product, a: Any, lda: int, sa: Any, b: Any, ldb: int, sb: Any, beta: Any, c: Any, ldc: int, sc: Any, count: int
) -> Callable[[], None]:
    item = product.dtype.itemsize

    def run() -> None:
        for k in range(count):
            one, other, out = (x.value + k * s.value * item for x, s in ((a, sa), (b, sb), (c, sc)))
            product.run(one, lda, other, ldb, beta._obj.value, out, ldc)

    return run


def _batched(
    product: _Product, a: Any, lda: int, b: Any, ldb: int, beta: Any, c: Any, ldc: int, count: int
) -> Callable[[], None]:
    def run() -> None:
        tables = [np.ctypeslib.as_array((ctypes.c_uint64 * count).from_address(x.value)) for x in (a, b, c)]
        for one, other, out in zip(*tables):
            product.run(int(one), lda, int(other), ldb, beta._obj.value, int(out), ldc)

    return run
