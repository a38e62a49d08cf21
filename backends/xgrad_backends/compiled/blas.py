"""The matrix product of the BLAS that NumPy uses, as pointers for C."""

from __future__ import annotations

import ctypes
import functools
from typing import Any

import numpy.linalg

__all__ = ["gemm"]

NAMES = (
    ("scipy_cblas_{}gemm64_", "int64_t"),
    ("cblas_{}gemm64_", "int64_t"),
    ("cblas_{}gemm$NEWLAPACK$ILP64", "int64_t"),
    ("scipy_cblas_{}gemm", "int"),
    ("cblas_{}gemm", "int"),
)
"""How NumPy's builds name it, and the type of the sizes it takes."""


@functools.cache
def gemm() -> tuple[int, int, str]:
    """The addresses for float32 and float64, and the type of sizes; zeros if they are not found."""
    module: Any = getattr(numpy.linalg, "_umath_linalg", None)
    try:
        library = ctypes.CDLL(module.__file__)  # finds what the libraries that it is linked with have, too
    except (OSError, AttributeError, TypeError):
        return 0, 0, "int"
    for name, integers in NAMES:
        try:
            single, double = (ctypes.cast(library[name.format(c)], ctypes.c_void_p).value for c in "sd")
        except AttributeError:
            continue
        if single and double:
            return single, double, integers
    return 0, 0, "int"
