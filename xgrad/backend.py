"""Backends: the array libraries that xgrad runs on, and which of them is selected.

A plug-in subclasses `Backend` and says only what the Array API standard leaves out. It is found by the type of an array,
through the entry-point group ``xgrad.backends`` or the package ``xgrad_backends``; nothing else in xgrad asks which
library it is running on.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import math
import os
import sys
import threading
import types
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

from .errors import ImaginaryLost, NotAnArray
from .scopes import Scope

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = [
    "Backend", "BackendError", "BackendStatus", "DType", "available_backends", "backend_of", "dtype_of", "find_backend",
    "get_backend", "get_default_dtype", "is_deterministic", "set_backend", "set_default_dtype", "set_deterministic",
    "use_backend",
]  # fmt: skip

Array = Any
"""An array of any backend."""


class BackendError(RuntimeError):
    """A backend was asked for that cannot run here; the message names what is missing and what to install."""


# --------------------------------------------------------------------------------------------------------- data types


class DType:
    """A data type, the same object on every backend.

    Compares equal to the backend's own object of that name (``x.dtype == np.float32``, ``== torch.float32``) and to the
    name itself; NumPy accepts it wherever it takes a dtype.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.zeros(3).dtype
    xgrad.float32
    >>> xgrad.float32 == np.float32, np.zeros(2, dtype=xgrad.float64).dtype
    (True, dtype('float64'))
    """

    __slots__ = ("bits", "kind", "name")
    _by_name: dict[str, DType] = {}

    def __init__(self, name: str, kind: str, bits: int) -> None:
        self.name, self.kind, self.bits = name, kind, bits
        DType._by_name[name] = self

    @property
    def inexact(self) -> bool:
        """Whether values of this type can carry a gradient: real or complex floating point."""
        return self.kind in ("real floating", "complex floating")

    @property
    def dtype(self) -> Any:
        """The NumPy dtype of this name (this is how NumPy accepts a `DType`)."""
        import numpy

        return numpy.dtype(self.name)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, DType):
            return self is other
        if isinstance(other, str):
            return self.name == other
        return _dtype_name(other) == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"xgrad.{self.name}"

    def __reduce__(self) -> tuple[Callable[[str], DType], tuple[str]]:
        return (dtype_of, (self.name,))


bool_ = DType("bool", "bool", 8)
int8, int16, int32, int64 = (DType(f"int{n}", "signed integer", n) for n in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (DType(f"uint{n}", "unsigned integer", n) for n in (8, 16, 32, 64))
float16, float32, float64 = (DType(f"float{n}", "real floating", n) for n in (16, 32, 64))
bfloat16 = DType("bfloat16", "real floating", 16)
complex64, complex128 = (DType(f"complex{n}", "complex floating", n) for n in (64, 128))

_PYTHON_TYPES = {bool: "bool", int: "int64", float: "float64", complex: "complex128"}  # where they are named, as in NumPy


def _dtype_name(dtype: object) -> str:
    """The standard's name of any library's dtype object: ``dtype('float32')``, ``numpy.float32``, ``torch.float32``."""
    if isinstance(dtype, type):
        return _PYTHON_TYPES.get(dtype, dtype.__name__.removesuffix("_"))
    name = getattr(dtype, "name", None)
    if isinstance(name, str):
        return name
    return str(dtype).rpartition(".")[2]


def dtype_of(dtype: object) -> DType:
    """The `DType` that a name, a Python type or any library's dtype object stands for."""
    if isinstance(dtype, DType):
        return dtype
    name = dtype if isinstance(dtype, str) else _dtype_name(dtype)
    try:
        return DType._by_name[name]
    except KeyError:
        raise TypeError(f"{dtype!r} is no data type that xgrad knows; it knows {', '.join(sorted(DType._by_name))}") from None


_deterministic = False


def set_deterministic(on: bool, /) -> None:
    """Whether sums over repeated indices shall be the same to the last bit in every run, on GPUs too.

    GPUs add to one place in whatever order their threads arrive there, so that the gradients of indexing with repeated
    indices (an embedding's) differ in their last bits from run to run. In this mode they are sorted first, which takes
    longer. Libraries on the CPU add in a fixed order anyway.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.set_deterministic(True); xgrad.is_deterministic()
    True
    >>> xgrad.set_deterministic(False)
    """
    global _deterministic
    _deterministic = bool(on)


def is_deterministic() -> bool:
    """Whether `set_deterministic` was switched on."""
    return _deterministic


_default_dtype = float32


def get_default_dtype() -> DType:
    """The data type of floating-point arrays that are made without one; float32 unless it was set."""
    return _default_dtype


def set_default_dtype(dtype: object, /) -> None:
    """Set the data type that ``zeros(3)`` and ``asarray(0.5)`` give, on every backend.

    Parameters
    ----------
    dtype : DType or any library's dtype
        A real floating data type.

    Raises
    ------
    TypeError
        If `dtype` is not a real floating data type.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.set_default_dtype(xgrad.float64); xgrad.zeros(2).dtype
    xgrad.float64
    >>> xgrad.set_default_dtype(xgrad.float32)
    """
    global _default_dtype
    found = dtype_of(dtype)
    if found.kind != "real floating":
        raise TypeError(f"set_default_dtype: {found.name} is not a real floating data type; use float32 or float64")
    _default_dtype = found


# ----------------------------------------------------------------------------------------------------------- protocol


class Backend:
    """What a plug-in says about its library: what the standard leaves out, and nothing else.

    A subclass sets `name`, `modules` and `install`, defines `import_namespace`, and overrides what its library does
    better than the portable code here. See ``docs/adding-a-backend.md``.
    """

    name: str = ""
    """The name that `set_backend` takes."""
    modules: tuple[str, ...] = ()
    """The library's top-level modules, if other than `name`; the first knows the version."""
    install: str = ""
    """The command that installs the library, for the error that says it is missing."""
    mutable: bool = True
    """Whether ``x[key] = value`` changes the array in place."""
    depth: int = 0
    """How many batch axes arrays of this type hide: none, but for those that `xgrad.vmap` makes."""
    writes_in_order: bool = False
    """Whether the last value wins where `set_item` is given several for one element. If not, they are made equal first."""
    weak_scalars: bool = False
    """Whether, against the standard, operators give an array without axes no say in the dtype of the result."""
    copied_bytes: int = 0
    """The size in bytes of the arrays that a graph copies when it captures them as constants: so small that it costs next to
    nothing. Of larger ones the `fingerprint` is compared."""
    cache_bytes: int = 0
    """How many bytes of an array to update at a time, so that the temporaries stay in the processor's cache. Zero means
    all at once: on devices, and where ``x[i:j] += v`` does not write into `x`."""

    def __init__(self) -> None:
        self._xp: types.ModuleType | None = None
        self._native: dict[str, Any] = {}
        self._dtypes: dict[Any, DType] = {}

    # What a plug-in must define.

    def import_namespace(self) -> Any:
        """Import the library and return its Array API namespace, usually from array-api-compat."""
        raise NotImplementedError

    # What a plug-in may refine.

    def amend(self) -> Mapping[str, Any]:
        """Functions of the standard that the library lacks or has otherwise, by name (``"sort"``, ``"linalg.det"``)."""
        return {}

    def special(self, name: str) -> Callable[..., Array] | None:
        """The library's own special function called `name` in `scipy.special`, of floating arrays; None if it has none."""
        return None

    def special_on_host(self, name: str) -> Callable[..., Array] | None:
        """SciPy's special function called `name`, for arrays of this library that live in the host's memory, or None.

        For functions that the library lacks. It must refuse arrays that live on a device with a NotImplementedError:
        nothing is copied to the host and back without a word.
        """
        return None

    def admit(self, x: Array) -> None:
        """Raise if `x`, an array that a user hands over, cannot be computed with."""
        self.dtype_of(x.dtype)

    def problem(self) -> str | None:
        """Why this backend cannot run here though its library imports (no GPU, no driver), or None."""
        return None

    def version(self) -> str:
        """The library's version."""
        return str(getattr(importlib.import_module((self.modules or (self.name,))[0]), "__version__", "unknown"))

    def enclose(self, x: Any) -> Array:
        """`x`, a Tensor or an array that hides fewer batch axes, as an array that hides as many as those of this type."""
        return x

    def forward(self, made: Any) -> Callable[..., Any]:
        """What an op does to arrays of this type."""
        found: Callable[..., Any] = made.forward
        return found

    def detach(self, x: Array) -> Array:
        """`x` without the graph that it has inside, if it is no plain array."""
        return x

    def to_numpy(self, x: Array) -> Any:
        """A NumPy array with the values of `x`, copied from its device; bfloat16, which NumPy lacks, becomes float32."""
        import numpy

        if not hasattr(x, "__array__") and hasattr(x, "__dlpack__"):
            return numpy.array(numpy.from_dlpack(x))
        return numpy.array(x)

    def from_numpy(self, x: Any, device: Any = None) -> Array:
        """An array of this backend with the values of a NumPy array, whose memory it may share."""
        return self.xp.asarray(x, device=device)

    def device(self, x: Array) -> Any:
        """The device that `x` lives on."""
        return x.device

    def to_device(self, x: Array, device: Any) -> Array:
        """`x` on another device of this backend."""
        return x.to_device(device)

    def as_array(self, x: Array) -> Array:
        """`x` as the library's array type, where operators of the library may have returned a scalar."""
        return x

    def at_hand(self, x: Array) -> bool:
        """Whether the values of `x` are known now, in the host's memory, so that looking at them costs next to nothing.

        Warnings that depend on values are given only then.
        """
        return False

    def holds(self, x: Array) -> bool:
        """Whether `x`, one boolean, is true; for any example, if it hides batch axes. It waits for the device."""
        return bool(x)

    def owns_memory(self, x: Array) -> bool:
        """Whether `x` holds its own memory and is no view of another array's. False is always safe: it costs a copy.

        The backward pass asks this of a gradient before it hands it out as ``x.grad``, which users may write into.
        """
        return not self.mutable

    def copy(self, x: Array) -> Array:
        """A copy of `x`."""
        return self.xp.asarray(x, copy=True)

    def fingerprint(self, x: Array) -> Any:
        """Something that is different after `x` was written to; None where that cannot happen, or cannot be told cheaply."""
        return None

    def get_item(self, x: Array, key: Any) -> Array:
        """``x[key]``."""
        return x[key]

    def from_parts(self, re: Array, im: Array) -> Array:
        """The complex numbers with these real and imaginary parts, real arrays of one shape and dtype."""
        return re + 1j * im  # NaN where the imaginary part is infinite: a library should know better

    def shares_memory(self, y: Array, x: Array) -> bool:
        """Whether `y`, which is `x` in another shape, shares its memory rather than being a copy."""
        return True

    def set_item(self, x: Array, key: Any, value: Array) -> Array:
        """A copy of `x` with ``x[key]`` replaced by `value`."""
        out = self.xp.asarray(x, copy=True)
        out[key] = value
        return out

    def scatter_add(self, x: Array, key: Any, value: Array) -> Array:
        """A copy of `x` with `value` added at ``x[key]``, positions that occur twice counted twice.

        The portable way, in functions of the standard alone and always in the same order: sort what is added by where it
        goes, sum each run of equal places by doubling steps, and have each place fetch the end of its run.
        """
        if not may_repeat(key):
            return self.set_item(x, key, self.get_item(x, key) + value)
        xp = self.xp
        numbers = self.numbers(x, key)
        value = xp.reshape(xp.broadcast_to(value, numbers.shape), (-1,))
        count, size = value.shape[0], math.prod(x.shape)
        if count == 0:
            return xp.asarray(x, copy=True)
        order = xp.argsort(xp.reshape(numbers, (-1,)), stable=True)
        places, sums = xp.take(xp.reshape(numbers, (-1,)), order), xp.take(value, order)
        step = 1
        while step < count:
            more = xp.where(places[step:] == places[:-step], sums[:-step], xp.zeros_like(sums[step:]))
            sums, step = xp.concat([sums[:step], sums[step:] + more]), 2 * step
        every = xp.arange(size, dtype=places.dtype, device=self.device(x))
        ends = xp.searchsorted(places, every, side="right") - 1
        ends = xp.where(ends < 0, xp.zeros_like(ends), ends)
        total = xp.where(xp.take(places, ends) == every, xp.take(sums, ends), xp.zeros_like(sums[:1]))
        return x + xp.reshape(xp.astype(total, x.dtype), x.shape)

    def accumulator(self, x: Array, key: Any) -> Any:
        """The dtype in which to add to ``x[key]``, one after the other, if a wider one than that of `x` is needed; else None.

        Half precision stops growing soon, and single precision loses digits where many numbers come to one place.
        """
        if not may_repeat(key):
            return None
        wider, most = _WIDER.get(self.dtype_of(x.dtype).name, (None, 0))
        if wider is None:
            return None
        parts = key if isinstance(key, tuple) else (key,)
        count = max(
            math.prod(part.shape) if hasattr(part, "shape") else len(part) if isinstance(part, list) else 1 for part in parts
        )
        return self._native.get(wider) if count > most else None

    def accumulate(self, x: Array, key: Any, value: Array) -> Array:
        """What `scatter_add` does, in the dtype of `accumulator`."""
        wider = self.accumulator(x, key)
        if wider is None:
            return self.scatter_add(x, key, value)
        xp = self.xp
        return xp.astype(self.scatter_add(xp.astype(x, wider), key, xp.astype(value, wider)), x.dtype)

    def scatter(self, shape: tuple[int, ...], key: Any, value: Array) -> Array:
        """Zeros of a shape with `value` added at ``[key]``, as by `scatter_add`; a library may need one buffer less."""
        return self.xp.scatter_add(self.xp.new_zeros(value, shape), key, value)

    def numbers(self, x: Array, key: Any) -> Array:
        """The positions, in row-major order, of the elements of `x` that ``x[key]`` would return, in its shape."""
        count = self.xp.arange(math.prod(x.shape), device=self.device(x))
        return self.get_item(self.xp.reshape(count, x.shape), key)

    def settled(self, x: Array) -> Array:
        """`x` itself, with its values computed now if the library puts that off (a long iteration would be put off whole)."""
        return x

    def synchronize(self) -> None:
        """Wait until queued work is done (before reading a clock)."""

    def memory(self, device: Any) -> int | None:
        """How many bytes of memory there are on a device, or None if that is not known. By default, those of the host."""
        try:
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (AttributeError, OSError, ValueError):  # not on Windows
            return None

    def peak_memory(self) -> int | None:
        """The most bytes that the library had allocated at once, where it can tell."""
        return None

    # What xgrad makes of it.

    def from_python(self, x: Any, dtype: Any = None, device: Any = None) -> Array:
        """An array of Python numbers, nested to any depth; floats get the default data type."""
        if x.__class__ is float and dtype is None:
            return self.xp.asarray(x, dtype=self._native[_default_dtype.name], device=device)
        import numpy

        try:
            host = numpy.asarray(x)
        except ValueError as error:
            raise ValueError(f"nested sequences must be rectangular, but this one is ragged: {error}") from None
        if host.dtype.kind not in "biufc":
            raise TypeError(f"cannot make an array of {type(x).__name__} {x!r:.80}: it does not hold numbers")
        if host.dtype.kind == "c" and dtype is not None:
            check_fits(f"{x!r:.60}", host.dtype, dtype)
        if dtype is not None and host.dtype.kind == "f" and dtype_of(dtype).kind.endswith("integer"):
            host = numpy.asarray(x, dtype=dtype_of(dtype).dtype)  # integers beyond int64 may have met smaller ones in float64
        if dtype is None:
            if host.dtype == "float64":
                dtype = _default_dtype
            elif host.dtype == "complex128":
                dtype = complex128 if _default_dtype is float64 else complex64
            else:
                dtype = dtype_of(host.dtype)
        native = self.native_dtype(dtype)
        return self.xp.astype(self.from_numpy(host, device), native, copy=False)

    def from_scalar(self, x: Any, like: Array | None) -> Array:
        """A 0-d array of a Python scalar, on the device of `like` and of the dtype that they promote to if it can hold `x`."""
        if like is None:
            return self.from_python(x)
        xp = self.xp
        kinds: tuple[str, ...] = ("bool",)
        if not isinstance(x, bool):
            kinds = ("integral", "real floating", "complex floating")[(isinstance(x, float) + 2 * isinstance(x, complex)) :]
        if xp.isdtype(like.dtype, kinds):
            return xp.asarray(x, dtype=like.dtype, device=self.device(like))
        if isinstance(x, complex) and xp.isdtype(like.dtype, "real floating"):
            dtype = complex128 if self.dtype_of(like.dtype) is float64 else complex64
            return self.from_python(x, dtype, self.device(like))
        return self.from_python(x, None, self.device(like))

    @property
    def xp(self) -> Any:
        """The namespace in which rules run on this backend's arrays: its own, with xgrad's additions."""
        if self._xp is None:
            with _loading:  # two threads must not get two namespaces
                if self._xp is None:
                    self._xp = self._build()
        return self._xp

    def _build(self) -> types.ModuleType:
        with _importing(self.name, self.install):
            native = self.import_namespace()
        problem = self.problem()
        if problem is not None:
            raise BackendError(f"backend {self.name!r} cannot run here: {problem}")
        xp = types.ModuleType(f"xgrad.raw.{self.name}")
        names = [name for name in dir(native) if not name.startswith("_")]
        for name in [*names, "linalg", "fft", "__array_namespace_info__"]:  # not every library lists its extensions
            if (value := getattr(native, name, None)) is not None or name == "newaxis":
                xp.__dict__[name] = value
        for dotted, value in self.amend().items():
            part, _, name = dotted.rpartition(".")
            if part and getattr(xp, part, None) is getattr(native, part, None):
                copy = types.ModuleType(f"{xp.__name__}.{part}")
                copy.__dict__.update(vars(getattr(native, part, copy)))
                xp.__dict__[part] = copy
            setattr(getattr(xp, part) if part else xp, name, value)
        xp.__dict__.update(get_item=self.get_item, set_item=self.set_item, scatter_add=self.accumulate)
        xp.__dict__.update(__backend__=self, __native__=native)
        for dtype in DType._by_name.values():
            found = getattr(native, dtype.name, None)
            if found is not None:
                found = native.zeros(0, dtype=found).dtype
                self._native[dtype.name], self._dtypes[found] = found, dtype
        for extend in _extensions:
            extend(xp)
        xp.__dict__["astype"] = self._astype(xp.astype)
        return xp

    def _astype(self, convert: Callable[..., Array]) -> Callable[..., Array]:
        """The library's `convert`, which refuses what would drop imaginary parts."""
        complexes = {self._native[name] for name in ("complex64", "complex128") if name in self._native}

        def astype(x: Array, dtype: Any, /, **options: Any) -> Array:
            if x.dtype in complexes:
                check_fits("astype", x.dtype, dtype)
            return convert(x, dtype, **options)

        return astype

    def native_dtype(self, dtype: object) -> Any:
        """This library's object for a data type given as a `DType`, a name or another library's object."""
        self.xp  # noqa: B018  (loads the library)
        name = dtype_of(dtype).name
        try:
            return self._native[name]
        except KeyError:
            raise TypeError(f"backend {self.name!r} has no data type {name}") from None

    def dtype_of(self, native: Any) -> DType:
        """The `DType` of one of this library's dtype objects."""
        found = self._dtypes.get(native)
        return dtype_of(native) if found is None else found

    def __repr__(self) -> str:
        return f"<backend {self.name!r}>"


_WIDER = {"float16": ("float32", 0), "bfloat16": ("float32", 0), "float32": ("float64", 1024), "complex64": ("complex128", 1024)}
"""In which dtype to add to one place more numbers than so many."""


def check_fits(what: str, have: Any, wanted: Any) -> None:
    """Raise if numbers of the data type `have`, converted to the data type `wanted`, would lose their imaginary parts."""
    have, wanted = dtype_of(have), dtype_of(wanted)
    if have.kind == "complex floating" and wanted.kind != "complex floating":
        raise ImaginaryLost(
            f"{what}: {wanted.name} cannot hold numbers of {have.name}, and would drop their imaginary parts; "
            "take xgrad.real(x) or xgrad.imag(x) first"
        )


def may_repeat(key: Any) -> bool:
    """Whether an index can name one element twice: if there is an array of integers in it."""
    parts = key if isinstance(key, tuple) else (key,)
    return any(
        isinstance(part, list) or (getattr(part, "shape", ()) != () and _dtype_name(part.dtype) != "bool") for part in parts
    )


@contextlib.contextmanager
def _importing(name: str, install: str = "") -> Iterator[None]:
    advice = f"; install it with: {install}" if install else ""
    try:
        yield
    except ModuleNotFoundError as error:
        raise BackendError(f"backend {name!r} needs the package {error.name!r}, which is not installed{advice}") from error
    except (ImportError, OSError) as error:
        raise BackendError(f"backend {name!r}: its package is installed but cannot be loaded ({error}){advice}") from error


_loading = threading.RLock()
_extensions: list[Callable[[Any], None]] = []


def extend_namespaces(extend: Callable[[Any], None]) -> None:
    """Have `extend` add names to the raw namespace of every backend when that is first built."""
    _extensions.append(extend)


class _Foreign(Backend):
    """A library without a plug-in whose arrays speak the standard (``__array_namespace__``)."""

    def __init__(self, name: str, namespace: Any) -> None:
        super().__init__()
        self.name, self._namespace = name, namespace

    def import_namespace(self) -> Any:
        return self._namespace

    def version(self) -> str:
        return str(getattr(self._namespace, "__version__", "unknown"))


# -------------------------------------------------------------------------------------- which backend an array belongs to

_backends: dict[str, Backend] = {}
_of_type: dict[type, Backend | None] = {}


@functools.cache
def _entry_points() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points  # it takes longer to import than xgrad

    return {point.name: point for point in entry_points(group="xgrad.backends")}


def _bundled() -> Any:
    return importlib.import_module("xgrad_backends")


def _known_names() -> list[str]:
    bundled = _bundled().NAMES
    return [*bundled, *(name for name in _entry_points() if name not in bundled)]


def find_backend(name: str) -> Backend:
    """The plug-in called `name`; its library is imported only when it is first used.

    Raises
    ------
    ValueError
        If no plug-in has that name.
    """
    if not isinstance(name, str):
        raise TypeError(f"a backend is named by a string such as 'numpy', not by {name!r}")
    found = _backends.get(name)
    if found is None:
        with _loading:
            found = _backends.get(name) or _backends.setdefault(name, _plug_in(name))
    return found


def _plug_in(name: str) -> Backend:
    # The bundled first: no installed package can take the place of one, and the others are slow to look up.
    if name in _bundled().NAMES:
        with _importing(name, _bundled().INSTALL[name]):
            made: Backend = importlib.import_module(f"xgrad_backends.{name}").Plugin()
    elif name in _entry_points():
        with _importing(name):
            made = _entry_points()[name].load()()
    else:
        raise ValueError(f"there is no backend {name!r}; the known ones are {', '.join(_known_names())}")
    return made


def backend_of(x: Array) -> Backend | None:
    """The backend that `x` is an array of, or None if it is no array of any.

    Raises
    ------
    TypeError, ValueError
        If it is an array that cannot be computed with, such as one of strings.
    """
    cls = type(x)
    if cls not in _of_type:
        found = _resolve(cls, x)
        if found is not None:
            found.xp  # noqa: B018  (an array's library must be usable before its type is remembered)
        _of_type[cls] = found
    backend = _of_type[cls]
    if backend is not None:
        backend.admit(x)
    return backend


def _resolve(cls: type, x: Array) -> Backend | None:
    # By the module of the type or of a base that is an array, then by the standard's own protocol.
    if isinstance(x, type) or not all(hasattr(x, name) for name in ("shape", "dtype", "__mul__")):
        return None  # numpy.dtype and the like have a shape too
    tops = [base.__module__.partition(".")[0] for base in cls.__mro__[:-1]]
    if "xgrad" in tops:
        return None  # a Tensor
    for top in tops:
        name = _bundled().MODULES.get(top, top)
        if name in _bundled().NAMES or (name in _backends) or name in _entry_points():
            return find_backend(name)
    if hasattr(cls, "__array_namespace__"):
        with _loading:
            return _backends.setdefault(tops[0], _Foreign(tops[0], x.__array_namespace__()))
    return None


namespaces: dict[type, Any] = {}
"""The raw namespace of each type of array that has been met."""
batched_namespaces: dict[type, Any] = {}
"""Those of arrays that hide a batch axis; apart, since the hot path is not for them."""
weak_types: set[type] = set()
"""Those of them that belong to a library with `Backend.weak_scalars`."""


def raw_namespace(x: Array) -> Any:
    """The namespace in which rules run on the array `x`."""
    xp = namespaces.get(x.__class__)
    if xp is None:
        xp = batched_namespaces.get(x.__class__)
    if xp is None:
        backend = backend_of(x)
        if backend is None:
            raise NotAnArray(x)
        xp = namespaces[x.__class__] = backend.xp
        if backend.weak_scalars:
            weak_types.add(x.__class__)
    return xp


def device_of(x: Array) -> Any:
    """The device that `x`, a raw array or a Tensor, lives on."""
    x = getattr(x, "_data", x)
    return raw_namespace(x).__backend__.device(x)


def inexact(x: Array) -> bool:
    """Whether the array `x` is of a real or complex floating dtype, so that it can carry a gradient."""
    backend: Backend = raw_namespace(x).__backend__
    return backend.dtype_of(x.dtype).inexact


def is_numpy_scalar(x: object) -> bool:
    """Whether `x` is a NumPy scalar, which counts as a Python scalar."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(x, numpy.generic)


# ---------------------------------------------------------------------------------------------------------- selection

_selected: str = os.environ.get("XGRAD_BACKEND", "numpy")
_override: ContextVar[str | None] = ContextVar("xgrad_backend", default=None)


def current_backend() -> Backend:
    """The backend on which new arrays are made now."""
    return find_backend(_override.get() or _selected)


def get_backend() -> str:
    """The name of the backend on which new arrays are made.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.get_backend()
    'numpy'
    """
    return current_backend().name


def set_backend(name: str, /) -> None:
    """Choose the backend on which new arrays are made, for the whole process.

    Parameters
    ----------
    name : str
        ``"numpy"``, ``"cupy"``, ``"torch"``, ``"jax"``, ``"dask"``, ``"strict"`` or a third party's.

    Raises
    ------
    ValueError
        If there is no plug-in of that name.
    BackendError
        If it cannot run here: the message names what is missing and what to install. The selection stays as it was.

    Notes
    -----
    Ops follow the arrays that they are given; only functions that make arrays look at the selection. The environment
    variable ``XGRAD_BACKEND`` sets it at start.
    """
    global _selected
    find_backend(name).xp  # noqa: B018  (raises before anything changes)
    _selected = name


def use_backend(name: str, /) -> Scope[str | None]:
    """Choose the backend for the body of a ``with`` statement or a decorated function, in this thread or task alone.

    Decorated functions may be generators and ``async def``, as with `no_grad`.

    Examples
    --------
    >>> import xgrad
    >>> with xgrad.use_backend("numpy"):
    ...     xgrad.zeros(2).backend
    'numpy'
    """
    find_backend(name).xp  # noqa: B018
    return Scope(use_backend, (name,), lambda: (_override, name))


class BackendStatus(NamedTuple):
    """One line of `available_backends`."""

    name: str
    version: str | None
    usable: bool
    reason: str | None


def available_backends() -> list[BackendStatus]:
    """Every known backend: its name, its version, whether it can run here, and why not if it cannot.

    Imports each library that is installed, which can take seconds.

    Examples
    --------
    >>> import xgrad
    >>> [status.name for status in xgrad.available_backends() if status.name == "numpy" and status.usable]
    ['numpy']
    """
    found = []
    for name in _known_names():
        try:
            backend = find_backend(name)
            backend.xp  # noqa: B018
            found.append(BackendStatus(name, backend.version(), True, None))
        except BackendError as error:
            found.append(BackendStatus(name, None, False, str(error)))
    return found
