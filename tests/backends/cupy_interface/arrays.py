"""`ndarray`: an array of the emulated device."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from . import memory
from .counters import count_call
from .devices import Device
from .keys import Key, read_key
from .launching import make_results, read_back, upload, write

__all__ = ["Flags", "array", "make", "ndarray", "new", "values_of", "view"]

SCALARS = (bool, int, float, complex, np.generic)


class Flags:
    """The flags of an array."""

    def __init__(self, c_contiguous: bool, f_contiguous: bool, owndata: bool) -> None:
        self.c_contiguous, self.f_contiguous, self.owndata = c_contiguous, f_contiguous, owndata

    @property
    def fnc(self) -> bool:
        return self.f_contiguous and not self.c_contiguous

    @property
    def forc(self) -> bool:
        return self.c_contiguous or self.f_contiguous

    def __getitem__(self, key: str) -> bool:
        return bool(getattr(self, key.lower()))


class ndarray:  # noqa: N801
    """An array of the emulated device: NumPy's values behind CuPy's interface.

    It has no ``__index__`` and no ``__array__`` that works, its elements are arrays without axes, and it is written to in
    place. `operators` adds its methods and operators.
    """

    __array_priority__ = 100
    __slots__ = ("__weakref__", "_base", "_values")
    __hash__ = None

    def __new__(cls, shape: Any = None, dtype: Any = float, memptr: Any = None, strides: Any = None, order: str = "C") -> ndarray:
        dtype = np.dtype(dtype)
        if dtype.kind not in "biufc":
            raise ValueError(f"Unsupported dtype {dtype}")
        shape = tuple(map(int, shape)) if isinstance(shape, (tuple, list)) else (int(shape),)
        if memptr is None:
            return make(memory.placed(np.empty(shape, dtype, order=order or "C")))
        x = object.__new__(cls)
        x._values, x._base = memory.values_in(memptr, shape, dtype, strides, order or "C"), None
        return x

    dtype = property(lambda self: self._values.dtype)
    ndim = property(lambda self: self._values.ndim)
    size = property(lambda self: self._values.size)
    itemsize = property(lambda self: self._values.itemsize)
    nbytes = property(lambda self: self._values.nbytes)
    strides = property(lambda self: self._values.strides)
    base = property(lambda self: self._base)
    device = property(lambda self: Device(0))
    T = property(lambda self: view(self._values.T, self))
    mT = property(lambda self: view(self._values.mT, self))  # noqa: N815
    cstruct = property(lambda self: None)

    @property
    def flags(self) -> Flags:
        flags = self._values.flags
        return Flags(flags.c_contiguous, flags.f_contiguous, self._base is None)

    @property
    def data(self) -> memory.MemoryPointer:
        values = self._values
        root = memory.UnownedMemory(values.__array_interface__["data"][0], _extent(values), self)
        return memory.MemoryPointer(root, 0)

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._values.shape)

    @shape.setter
    def shape(self, shape: Any) -> None:
        values = self._values.reshape(shape)
        if not np.may_share_memory(values, self._values):
            raise AttributeError("incompatible shape")
        self._values = values

    @property
    def real(self) -> ndarray:
        return view(self._values.real, self)

    @real.setter
    def real(self, value: Any) -> None:
        self.real[...] = value

    @property
    def imag(self) -> ndarray:
        if self._values.dtype.kind != "c":
            return make(np.zeros(self.shape, self.dtype))
        return view(self._values.imag, self)

    @imag.setter
    def imag(self, value: Any) -> None:
        view(self._values.imag, self)[...] = value

    # To the host

    def get(self, stream: Any = None, order: str = "C", out: Any = None, blocking: bool = True) -> Any:
        read_back("ndarray.get")
        if out is None:
            return np.array(self._values, order=order)
        out[...] = self._values
        return out

    def set(self, arr: Any, stream: Any = None) -> None:
        if not isinstance(arr, np.ndarray):
            raise TypeError("Only numpy.ndarray can be set to cupy.ndarray")
        if arr.dtype != self.dtype or arr.shape != self.shape:
            raise ValueError(f"Shape or dtype mismatch: {arr.shape} {arr.dtype}, {self.shape} {self.dtype}")
        upload("ndarray.set")
        target = self._values
        write("upload", lambda: target.__setitem__(..., arr), launches=0)

    def item(self, *key: Any) -> Any:
        read_back("ndarray.item")
        return self._values.item(*key)

    def tolist(self) -> Any:
        read_back("ndarray.tolist")
        return self._values.tolist()

    def tobytes(self, order: str = "C") -> bytes:
        read_back("ndarray.tobytes")
        return bytes(self._values.tobytes(order))

    def __bool__(self) -> bool:
        read_back("bool(x)")
        return bool(self._values)

    def __int__(self) -> int:
        read_back("int(x)")
        return int(self._values)

    def __float__(self) -> float:
        read_back("float(x)")
        return float(self._values)

    def __complex__(self) -> complex:
        read_back("complex(x)")
        return complex(self._values)

    def __repr__(self) -> str:
        read_back("repr(x)")
        return repr(self._values)

    def __str__(self) -> str:
        read_back("str(x)")
        return str(self._values)

    def __format__(self, spec: str) -> str:
        read_back("format(x)")
        return format(self._values, spec)

    def __bytes__(self) -> bytes:
        read_back("bytes(x)")
        return bytes(self._values)

    def __len__(self) -> int:
        if not self._values.ndim:
            raise TypeError("len() of unsized object")
        return len(self._values)

    def __iter__(self) -> Iterator[ndarray]:
        if not self._values.ndim:
            raise TypeError("iteration over a 0-d array")
        return (self[k] for k in range(len(self._values)))

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array explicitly."
        )

    def __copy__(self) -> ndarray:
        return new("copy", lambda: self._values.copy())

    def __deepcopy__(self, memo: Any) -> ndarray:
        return self.__copy__()

    def __reduce__(self) -> tuple[Any, ...]:
        read_back("pickle")
        return (array, (self._values,))

    # To other libraries

    def __dlpack__(self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, copy: Any = None) -> Any:
        if dl_device is not None and dl_device[0] == 1:
            read_back("__dlpack__")
            return self._values.__dlpack__(max_version=max_version)
        return Capsule(self)

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, 0)

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return {
            "shape": self.shape,
            "typestr": self.dtype.str,
            "data": (self._values.__array_interface__["data"][0], False),
            "version": 3,
            "strides": None if self._values.flags.c_contiguous else self.strides,
            "stream": 1,
        }

    # Indexing

    def __getitem__(self, key: Any) -> ndarray:
        count_call("ndarray[]")
        index = read_key(key)
        values = self._values
        if not index.advanced:
            return view(_element(values, index), self)
        if index.masked:
            read_back("x[mask]")  # of how many elements are selected
            return new("getitem_mask", lambda: np.array(_element(values, index)), 2)
        return new("take", lambda: np.array(_element(values, index)))

    def __setitem__(self, key: Any, value: Any) -> None:
        count_call("ndarray[]=")
        if not isinstance(value, (ndarray, *SCALARS)):
            value = array(value)  # an upload, as of NumPy's arrays and lists
        index = read_key(key)
        target, source = self._values, values_of(value)
        parts = index.on(target)
        if index.masked:
            read_back("x[mask] = value")  # the positions in the value are counted on the device, and the number is read
        while isinstance(source, np.ndarray) and source.ndim and source.shape[0] == 1:
            source = source[0, ...]  # a view, also where it has no axes left
        wanted = target[parts].shape
        if np.broadcast_shapes(np.shape(source), wanted) != wanted:
            raise ValueError(f"shape mismatch: {np.shape(source)} cannot be written into {wanted}")
        write("setitem", lambda: target.__setitem__(index.on(target), source), 2 if index.masked else 1)

    # NumPy's protocols

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        args = inputs
        if "out" in kwargs:
            (out,) = kwargs["out"]
            args += (out,)
            kwargs["out"] = out
        if method not in ("__call__", "outer", "at", "reduce", "accumulate", "reduceat"):
            return NotImplemented
        name = ufunc.__name__
        function = getattr(sys.modules["cupy"], name, None) or getattr(sys.modules["cupyx.scipy.special"], name, None)
        if function is not None and method != "__call__":
            function = getattr(function, method, None)
        for x in args:
            known = isinstance(x, (ndarray, np.ndarray, *SCALARS))
            if not known and not hasattr(x, "__cuda_array_interface__") and not hasattr(x, "__cupy_get_ndarray__"):
                return NotImplemented
        return NotImplemented if function is None else function(*inputs, **kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        try:
            module = functools.reduce(getattr, function.__module__.split(".")[1:], sys.modules["cupy"])
            own = getattr(module, function.__name__)
        except AttributeError:
            return NotImplemented
        if own is function or not all(issubclass(t, (ndarray, np.ndarray)) for t in types):
            return NotImplemented
        return own(*args, **kwargs)


ndarray.__module__, ndarray.__qualname__ = "cupy", "ndarray"


def _element(values: Any, index: Key) -> Any:
    try:
        return values[index.on(values)]
    except IndexError as error:
        text = str(error)
        raise IndexError("Index" + text.removeprefix("index") if text.startswith("index ") else text) from None


def _extent(values: Any) -> int:
    """How many bytes an array spans."""
    if values.size == 0:
        return 0
    return sum(abs(stride) * (n - 1) for stride, n in zip(values.strides, values.shape)) + int(values.itemsize)


class Capsule:
    """What ``__dlpack__`` hands over."""

    def __init__(self, x: ndarray) -> None:
        self.x = x


# Making arrays


def make(values: Any) -> ndarray:
    """An array that owns these values."""
    x = object.__new__(ndarray)
    x._values, x._base = np.asarray(values), None
    return x


def view(values: Any, source: ndarray) -> ndarray:
    """An array that shows memory of `source`, or owns its values if they are a copy."""
    x = object.__new__(ndarray)
    values = np.asarray(values)
    x._values = values
    x._base = (source if source._base is None else source._base) if np.may_share_memory(values, source._values) else None
    return x


def new(name: str, compute: Any, launches: int = 1, library: str | None = None) -> ndarray:
    """The one new array that a kernel makes."""
    return make(make_results(name, compute, launches, library))


def values_of(x: Any) -> Any:
    """NumPy's values behind arrays, and in lists and tuples of them."""
    if isinstance(x, ndarray):
        return x._values
    if isinstance(x, (list, tuple)):
        items = [values_of(item) for item in x]
        return items if isinstance(x, list) else tuple(items)
    return x


def _has_array(x: Any) -> bool:
    return isinstance(x, ndarray) or (isinstance(x, (list, tuple)) and any(map(_has_array, x)))


def from_interface(interface: dict[str, Any], owner: Any) -> ndarray:
    """The array at an address, of the protocol ``__cuda_array_interface__``."""
    shape, dtype, strides = tuple(interface["shape"]), np.dtype(interface["typestr"]), interface.get("strides")
    probe = np.lib.stride_tricks.as_strided(np.empty(1, dtype), shape, strides) if strides else None
    size = _extent(probe) if probe is not None else int(np.prod(shape, dtype=int)) * dtype.itemsize
    block = memory.UnownedMemory(interface["data"][0], size, owner)
    return ndarray(shape, dtype, memory.MemoryPointer(block, 0), strides)


def foreign(x: Any) -> ndarray | None:
    """The array of an object with CuPy's or Numba's protocol."""
    if hasattr(x, "__cupy_get_ndarray__"):
        found = x.__cupy_get_ndarray__()
        assert isinstance(found, ndarray)
        return found
    interface = getattr(x, "__cuda_array_interface__", None)
    return None if interface is None else from_interface(interface, x)


def array(
    obj: Any,
    dtype: Any = None,
    copy: Any = True,
    order: Any = "K",
    subok: bool = False,
    ndmin: int = 0,
    *,
    blocking: bool = False,
) -> ndarray:
    """``cupy.array``: a copy of an array, or an upload of anything else."""
    if isinstance(obj, Capsule):
        return obj.x
    source = obj if isinstance(obj, ndarray) else foreign(obj)
    if source is not None:
        values = source._values
        if dtype is not None and values.dtype != np.dtype(dtype):
            x = new("astype", lambda: values.astype(dtype))
        elif copy or (order in ("C", "F") and not values.flags[f"{order}_CONTIGUOUS"]):
            x = new("copy", lambda: np.array(values, order=order or "K"))
        else:
            x = source
    elif isinstance(obj, (list, tuple)) and _has_array(obj):
        x = new("array of arrays", lambda: np.array(values_of(obj), dtype=dtype))
    else:
        values = np.asarray(obj, dtype=dtype)
        if values.dtype.kind not in "biufc":
            raise ValueError(f"Unsupported dtype {values.dtype}")
        values = np.array(values, order=order or "K")
        if values.ndim:
            upload(f"array of {type(obj).__name__}")
            x = new("upload", lambda: values.copy("K"), launches=0)
        else:  # a number is a parameter of a kernel that fills the array
            x = new("fill", values.copy)
    while x.ndim < ndmin:
        x = view(x._values[None], x)
    return x
