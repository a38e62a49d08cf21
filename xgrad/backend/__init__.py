"""Backends: the array libraries that xgrad runs on, and which of them is selected.

A plug-in subclasses `Backend` and says only what the Array API standard leaves out. It is found by the type of an array,
through the entry-point group ``xgrad.backends`` or the package ``xgrad_backends``; nothing else in xgrad asks which library
it is running on.
"""

from __future__ import annotations

from .dtypes import DType, dtype_of, get_default_dtype, set_default_dtype
from .find import backend_of, find_backend, raw_namespace
from .portable import may_repeat
from .protocol import Backend, BackendError
from .select import (
    BackendStatus,
    available_backends,
    current_backend,
    get_backend,
    is_deterministic,
    set_backend,
    set_deterministic,
    use_backend,
)  # fmt: skip

__all__ = [
    "Backend", "BackendError", "BackendStatus", "DType", "available_backends", "backend_of", "current_backend", "dtype_of",
    "find_backend", "get_backend", "get_default_dtype", "is_deterministic", "may_repeat", "raw_namespace", "set_backend",
    "set_default_dtype", "set_deterministic", "use_backend",
]  # fmt: skip
