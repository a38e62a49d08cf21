"""Calls that other libraries hand over: NumPy's functions and ufuncs, CuPy's kernels."""

from __future__ import annotations

from .cupy_kernels import cupy_kernel
from .numpy_ufuncs import array_function, array_ufunc

__all__ = ["array_function", "array_ufunc", "cupy_kernel"]
