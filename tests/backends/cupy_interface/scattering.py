"""Writes that add, or take extremes, at indices that may repeat: `cupy.add.at` and ``cupyx.scatter_add``."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from .arrays import array, ndarray, values_of
from .keys import read_key
from .launching import read_back, write

__all__ = ["scatter", "scatter_add", "scatter_max", "scatter_min"]

SUPPORTED = ["int32", "int64", "float16", "float32", "float64", "uint32", "uint64"]


def scatter(name: str, operation: Any, a: Any, key: Any, value: Any) -> None:
    """``operation.at(a, key, value)``, with CuPy's dtypes and wrap-around."""
    index = read_key(key)
    if index.advanced and not index.masked and a.dtype.name not in SUPPORTED:
        raise TypeError(f"{name} only supports {SUPPORTED} as data type (actual: {a.dtype.name})")
    if isinstance(value, (np.ndarray, list, tuple)):
        value = array(value)
    if index.masked:
        read_back(f"{name} with a mask")
    target, source = a._values, values_of(value)
    write(name, lambda: operation.at(target, index.on(target), source), 4 if index.masked else 1)


def _deprecated(name: str, instead: str) -> None:
    warnings.warn(f"`ndarray.{name}` is deprecated. Please use `{instead}` instead.", DeprecationWarning, stacklevel=4)


def scatter_add(a: ndarray, slices: Any, value: Any) -> None:
    _deprecated("scatter_add", "cupy.add.at")
    scatter("scatter_add", np.add, a, slices, value)


def scatter_max(a: ndarray, slices: Any, value: Any) -> None:
    _deprecated("scatter_max", "cupy.maximum.at")
    scatter("scatter_max", np.maximum, a, slices, value)


def scatter_min(a: ndarray, slices: Any, value: Any) -> None:
    _deprecated("scatter_min", "cupy.minimum.at")
    scatter("scatter_min", np.minimum, a, slices, value)
