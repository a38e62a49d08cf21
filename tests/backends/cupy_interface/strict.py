"""Functions that CuPy writes by itself, or in which it takes less than NumPy does."""

from __future__ import annotations

import types
from typing import Any

import numpy as np

from . import real
from .arrays import SCALARS, Capsule, array, ndarray, new, values_of
from .counters import count_call
from .launching import read_back, write

__all__ = ["install"]


def asarray(a: Any, dtype: Any = None, order: Any = None, *, blocking: bool = False, copy: Any = None) -> ndarray:
    count_call("asarray")
    return array(a, dtype, bool(copy), order or "K")


def asnumpy(a: Any, stream: Any = None, order: str = "C", out: Any = None, *, blocking: bool = True) -> Any:
    if isinstance(a, ndarray):
        return a.get(stream, order, out)
    return np.asarray(a)


def ascontiguousarray(a: Any, dtype: Any = None) -> ndarray:
    return array(a, dtype, False, "C")


def get_array_module(*args: Any) -> Any:
    import cupy

    return cupy if any(isinstance(x, ndarray) for x in args) else np


def from_dlpack(x: Any, *, device: Any = None, copy: Any = None) -> ndarray:
    if isinstance(x, ndarray):
        return array(x, copy=bool(copy))
    if x.__dlpack_device__()[0] == 1:
        raise TypeError("CPU arrays cannot be directly imported to CuPy. Use `cupy.array(numpy.from_dlpack(input))` instead.")
    capsule = x.__dlpack__()
    assert isinstance(capsule, Capsule)
    return capsule.x


def where(condition: Any, x: Any = None, y: Any = None) -> Any:
    import cupy

    count_call("where")
    if x is None and y is None:
        return cupy.nonzero(condition)
    if x is None or y is None:
        raise ValueError("Must provide both 'x' and 'y' or neither.")
    for v in (condition, x, y):  # an elementwise kernel
        if hasattr(v, "__cupy_override_elementwise_kernel__"):
            kernel = types.SimpleNamespace(name="cupy_where", nin=3, nout=1)
            return v.__cupy_override_elementwise_kernel__(kernel, condition.astype("?", copy=False), x, y)
    if not isinstance(condition, ndarray):
        raise AttributeError(f"{type(condition).__name__!r} object has no attribute 'astype'")
    for v in (x, y):
        if not isinstance(v, (ndarray, *SCALARS)):
            raise TypeError(f"Unsupported type {type(v)}")
    mask, a, b = condition.astype("?", copy=False)._values, values_of(x), values_of(y)
    return new("where", lambda: np.where(mask, a, b))


def concatenate(tup: Any, axis: Any = 0, out: Any = None, *, dtype: Any = None, casting: Any = "same_kind") -> ndarray:
    count_call("concatenate")
    for x in tup:
        if not isinstance(x, ndarray):
            raise TypeError(f"Only cupy arrays can be concatenated, not {type(x)}")
    values = [x._values for x in tup]
    if isinstance(out, ndarray):
        target = out._values
        write("concatenate", lambda: target.__setitem__(..., np.concatenate(values, axis)))
        return out
    return new("concatenate", lambda: np.concatenate(values, axis, dtype=dtype, casting=casting))


def stack(tup: Any, axis: int = 0, out: Any = None, *, dtype: Any = None, casting: Any = "same_kind") -> ndarray:
    import cupy

    return concatenate([cupy.expand_dims(x, axis) for x in tup], axis, out, dtype=dtype, casting=casting)


def sort(a: Any, axis: Any = -1, kind: Any = None) -> ndarray:
    count_call("sort")
    if a.ndim == 0:
        raise np.exceptions.AxisError("Sorting arrays with the rank of zero is not supported")
    values = a._values
    return new("sort", lambda: np.sort(values, axis=axis), 2)


def searchsorted(a: Any, v: Any, side: str = "left", sorter: Any = None) -> ndarray:
    count_call("searchsorted")
    if not isinstance(a, ndarray):
        raise NotImplementedError("Only int or ndarray are supported for a")
    if not isinstance(v, (ndarray, int, float, complex)):
        raise NotImplementedError("Only python scalars or ndarrays are supported for v")
    if isinstance(v, (int, float, complex)):
        v = array(v)
    x, y, order = a._values, v._values, values_of(sorter)
    return new("searchsorted", lambda: np.searchsorted(x, y, side, order))


def take(a: Any, indices: Any, axis: Any = None, out: Any = None) -> Any:
    """Elements by index: indices that are out of bounds wrap around."""
    if not isinstance(a, ndarray):
        return a.take(indices, axis, out)
    count_call("take")
    if not isinstance(indices, (ndarray, *SCALARS)):
        indices = array(indices)
    values, positions = a._values, values_of(indices)
    return new("take", lambda: np.take(values, positions, axis=axis, mode="wrap"))


def full(shape: Any, fill_value: Any, dtype: Any = None, order: str = "C") -> ndarray:
    if isinstance(fill_value, np.ndarray):
        fill_value = array(fill_value)
    if dtype is None:
        dtype = fill_value.dtype if isinstance(fill_value, ndarray) else np.array(fill_value).dtype
    value = values_of(fill_value)
    return new("full", lambda: np.full(shape, value, np.dtype(dtype), order))


def copyto(dst: ndarray, src: Any, casting: str = "same_kind", where: Any = None) -> None:
    if isinstance(src, np.ndarray) and src.ndim:
        src = array(src)
    target, source, mask = dst._values, values_of(src), True if where is None else values_of(where)
    write("copyto", lambda: np.copyto(target, source, casting=casting, where=mask))


def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None, axis: int = 0
) -> Any:
    for end in (start, stop):
        if isinstance(end, ndarray):
            read_back("linspace of arrays")  # CuPy asks whether any step is 0
            break
    a, b = values_of(start), values_of(stop)
    return new("linspace", lambda: np.linspace(a, b, num, endpoint, dtype=dtype, axis=axis), 4)


def putmask(a: ndarray, mask: Any, values: Any) -> None:
    a[mask] = values if isinstance(values, SCALARS) or values.shape != a.shape else values[mask]


def product(name: str, original: Any) -> Any:
    """``matmul`` and ``dot``: arrays of CuPy alone, by cuBLAS but for vectors."""
    letters = "ab"

    def call(a: Any, b: Any, /, out: Any = None, **kwargs: Any) -> Any:
        count_call(name)
        for letter, x in zip(letters, (a, b)):
            if not isinstance(x, ndarray) and not (name == "dot" and isinstance(x, SCALARS)):
                raise TypeError(
                    f"Argument '{letter}' has incorrect type (expected cupy._core.core._ndarray_base, got {type(x).__name__})"
                )
        x, y = values_of(a), values_of(b)
        function = getattr(np, name)
        vectors = np.ndim(x) <= 1 and np.ndim(y) <= 1
        library = None if vectors or not np.size(x) or not np.size(y) else "cuBLAS"
        if isinstance(out, ndarray):
            target = out._values
            write(name, lambda: target.__setitem__(..., function(x, y)), library=library)
            return out
        return new(name, lambda: function(x, y, **kwargs), library=library)

    call.__name__, call.__doc__ = name, original.__doc__
    return call


def install(cupy: types.ModuleType) -> None:
    conversions = (array, asarray, asnumpy, ascontiguousarray, get_array_module, from_dlpack)
    for function in (*conversions, where, concatenate, stack, sort, searchsorted, take, full, copyto, linspace, putmask):
        setattr(cupy, function.__name__, function)
    cupy.asanyarray = asarray
    cupy.matmul = product("matmul", real.cupy.matmul)
    cupy.dot = product("dot", real.cupy.dot)
