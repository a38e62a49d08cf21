"""cuBLAS as C programs see it: products of matrices whose columns are contiguous, by their addresses."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from .launching import write

__all__ = ["Cublas"]


def _value(x: Any) -> int:
    return int(getattr(x, "value", x) or 0)


def _number(x: Any) -> float:
    return float(x._obj.value)


class Cublas:
    """The functions of the library that xgrad calls."""

    def cublasCreate_v2(self, handle: Any) -> int:
        handle._obj.value = 1
        return 0

    def cublasSetStream_v2(self, handle: Any, stream: Any) -> int:
        return 0

    def cublasSetWorkspace_v2(self, handle: Any, memory: Any, size: Any) -> int:
        return 0 if _value(memory) % 256 == 0 or True else 1

    def __getitem__(self, name: str) -> Any:
        dtype = np.dtype({"S": "float32", "D": "float64"}[name[6]])
        kind = name[11:]
        return {"_v2": _one, "Batched": _batched, "StridedBatched": _strided}[kind](dtype)


def _matrix(address: int, dtype: Any, rows: int, columns: int, step: int) -> Any:
    """A matrix whose columns are contiguous, `step` elements from one to the next."""
    if step < max(rows, 1):
        raise ValueError(f"cuBLAS: the leading dimension is {step}, and there are {rows} rows")
    size = (columns - 1) * step + rows
    memory = (ctypes.c_char * (size * dtype.itemsize)).from_address(address)
    flat = np.frombuffer(memory, dtype)
    return np.lib.stride_tricks.as_strided(flat, (rows, columns), (dtype.itemsize, step * dtype.itemsize))


def _product(dtype: Any, ta: int, tb: int, m: int, n: int, k: int, alpha: float, a: Any, lda: int, b: Any, ldb: int, beta: float, c: Any, ldc: int) -> None:
    left = _matrix(a, dtype, *((k, m) if ta else (m, k)), lda)
    right = _matrix(b, dtype, *((n, k) if tb else (k, n)), ldb)
    out = _matrix(c, dtype, m, n, ldc)
    out[...] = alpha * ((left.T if ta else left) @ (right.T if tb else right)) + (beta * out if beta else 0)


def _one(dtype: Any) -> Any:
    def gemm(handle: Any, ta: int, tb: int, m: int, n: int, k: int, alpha: Any, a: Any, lda: int, b: Any, ldb: int, beta: Any, c: Any, ldc: int) -> int:
        p, q = _number(alpha), _number(beta)
        write("gemm", lambda: _product(dtype, ta, tb, m, n, k, p, _value(a), lda, _value(b), ldb, q, _value(c), ldc))
        return 0

    return gemm


def _strided(dtype: Any) -> Any:
    def gemm(
        handle: Any, ta: int, tb: int, m: int, n: int, k: int, alpha: Any, a: Any, lda: int, sa: Any, b: Any, ldb: int, sb: Any,
        beta: Any, c: Any, ldc: int, sc: Any, count: int,
    ) -> int:  # fmt: skip
        p, q, size = _number(alpha), _number(beta), dtype.itemsize

        def run() -> None:
            for i in range(count):
                at = [_value(x) + i * _value(s) * size for x, s in ((a, sa), (b, sb), (c, sc))]
                _product(dtype, ta, tb, m, n, k, p, at[0], lda, at[1], ldb, q, at[2], ldc)

        write("gemmStridedBatched", run)
        return 0

    return gemm


def _batched(dtype: Any) -> Any:
    def gemm(
        handle: Any, ta: int, tb: int, m: int, n: int, k: int, alpha: Any, a: Any, lda: int, b: Any, ldb: int,
        beta: Any, c: Any, ldc: int, count: int,
    ) -> int:  # fmt: skip
        p, q = _number(alpha), _number(beta)

        def run() -> None:
            tables = [np.ctypeslib.as_array((ctypes.c_uint64 * count).from_address(_value(x))) for x in (a, b, c)]
            for one, other, out in zip(*tables):
                _product(dtype, ta, tb, m, n, k, p, int(one), lda, int(other), ldb, q, int(out), ldc)

        write("gemmBatched", run)
        return 0

    return gemm
