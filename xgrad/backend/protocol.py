"""The base class of plug-ins: what a backend says about its library beyond the Array API standard."""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import threading
import types
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from . import portable
from .dtypes import Array, DType, check_fits, dtype_of

__all__ = ["Backend", "BackendError", "extend_namespaces", "importing", "loading"]


class BackendError(RuntimeError):
    """A backend cannot run here. The message names what is missing and what to install."""


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
    """The command that installs the library, for the error message when it is missing."""
    mutable: bool = True
    """Whether ``x[key] = value`` changes the array in place."""
    level: int = 0
    """0 for a library. For arrays of an interpreter, such as `vmap`, its place in the stack of interpreters, counted from 1."""
    cls: Any = None
    """The class of the arrays, if `level` is not 0."""
    graph_inside: bool = True
    """Whether `lift` puts the graph of a Tensor inside the array. If not, the Tensor around the array keeps its node."""
    writes_in_order: bool = False
    """Whether `set_item` keeps the last of several values for one element. If not, xgrad makes them equal first."""
    weak_scalars: bool = False
    """Whether operators ignore the dtype of 0-d arrays in type promotion, against the standard."""
    copied_bytes: int = 0
    """A graph copies constants of at most this size in bytes. Of larger ones it compares the `fingerprint`."""
    cache_bytes: int = 0
    """How many bytes of an array an optimizer updates at a time, so that temporaries stay in the processor's cache. Zero means
    all at once: on devices, and where ``x[i:j] += v`` does not write into `x`."""

    def __init__(self) -> None:
        self._xp: types.ModuleType | None = None
        self._native: dict[str, Any] = {}
        self._dtypes: dict[Any, DType] = {}

    # 1. What a plug-in must define.

    def import_namespace(self) -> Any:
        """Import the library and return its Array API namespace, usually from array-api-compat."""
        raise NotImplementedError

    # 2. What a plug-in may refine.

    def amend(self) -> Mapping[str, Any]:
        """Functions of the standard to add or to replace, by name (``"sort"``, ``"linalg.det"``)."""
        return {}

    def special(self, name: str) -> Callable[..., Array] | None:
        """The library's function of floating arrays that `scipy.special` calls `name`; None if it has none."""
        return None

    def special_on_host(self, name: str) -> Callable[..., Array] | None:
        """SciPy's special function called `name`, for arrays of this library that live in the host's memory, or None.

        For functions that the library lacks. It must raise NotImplementedError for arrays on a device, since xgrad never copies
        an array to the host and back silently.
        """
        return None

    def check(self, x: Array) -> None:
        """Raise if xgrad cannot compute with the array `x` of a user."""
        self.dtype_of(x.dtype)

    def problem(self) -> str | None:
        """Why this backend cannot run although its library is installed (no GPU, no driver), or None."""
        return None

    def version(self) -> str:
        """The library's version."""
        return str(getattr(importlib.import_module((self.modules or (self.name,))[0]), "__version__", "unknown"))

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

    def cheap_to_read(self, x: Array) -> bool:
        """Whether reading the values of `x` is cheap: they are computed, and in the host's memory.

        Warnings that depend on values are given only then.
        """
        return False

    def holds(self, x: Array) -> bool:
        """Whether the boolean `x` is true; of an interpreter, whether it is true anywhere. This waits for the device."""
        return bool(x)

    def owns_memory(self, x: Array) -> bool:
        """Whether `x` has memory of its own and is no view. False is always safe, and costs a copy.

        `backward` asks this before it stores an array as ``x.grad``, which users may write into.
        """
        return not self.mutable

    def copy(self, x: Array) -> Array:
        """A copy of `x`."""
        return self.xp.asarray(x, copy=True)

    def fingerprint(self, x: Array) -> Any:
        """A value that changes when `x` is written to; None if `x` cannot be written to, or there is no cheap one."""
        return None

    def get_item(self, x: Array, key: Any) -> Array:
        """``x[key]``."""
        return x[key]

    def from_parts(self, re: Array, im: Array) -> Array:
        """The complex numbers with these real and imaginary parts, real arrays of one shape and dtype."""
        return re + 1j * im  # gives NaN where the imaginary part is infinite; a library may do better

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

        The default uses functions of the standard alone, and always adds in the same order.
        """
        return portable.scatter_add(self, x, key, value)

    def accumulator(self, x: Array, key: Any) -> Any:
        """The dtype in which to add to ``x[key]`` if it must be wider than that of `x`; else None.

        Sums in half precision stop growing early, and sums of many numbers in single precision lose digits.
        """
        wider = portable.wider_dtype(self.dtype_of(x.dtype).name, key)
        return None if wider is None else self._native.get(wider)

    def accumulate(self, x: Array, key: Any, value: Array) -> Array:
        """What `scatter_add` does, in the dtype of `accumulator`."""
        wider = self.accumulator(x, key)
        if wider is None:
            return self.scatter_add(x, key, value)
        xp = self.xp
        return xp.astype(self.scatter_add(xp.astype(x, wider), key, xp.astype(value, wider)), x.dtype)

    def scatter(self, shape: tuple[int, ...], key: Any, value: Array) -> Array:
        """Zeros of a shape with `value` added at ``[key]``, as by `scatter_add`; a library may save a buffer."""
        return self.xp.scatter_add(self.xp.new_zeros(value, shape), key, value)

    def scatter_extreme(self, x: Array, key: Any, value: Array, name: str) -> Array | None:
        """A copy of `x` with the ``"maximum"`` or ``"minimum"`` of ``x[key]`` and all its `value`; None if there is no quick way.

        `value` has the dtype of `x`, and a NaN is passed on.
        """
        return None

    def flat_positions(self, x: Array, key: Any) -> Array:
        """The positions in the flattened `x` of the elements that ``x[key]`` returns, in the shape of ``x[key]``."""
        count = self.xp.arange(math.prod(x.shape), device=self.device(x))
        return self.get_item(self.xp.reshape(count, x.shape), key)

    def computed(self, x: Array) -> Array:
        """`x` itself. A lazy library computes its values now, so that the graph of a long iteration does not grow."""
        return x

    def synchronize(self) -> None:
        """Wait until queued work is done (before reading a clock)."""

    def memory(self, device: Any) -> int | None:
        """The memory of a device in bytes, or None if it is not known. By default, that of the host."""
        try:
            return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        except (AttributeError, OSError, ValueError):  # not on Windows
            return None

    def peak_memory(self) -> int | None:
        """The peak of memory allocated by the library, in bytes; None if it cannot tell."""
        return None

    def uniform(self, host: Any, shape: tuple[int, ...], dtype: str, device: Any) -> Array | None:
        """``host.random(shape, dtype)`` of a `numpy.random.Generator`, made on the device; None: it is drawn on the host."""
        return None

    # Functions of several steps as one kernel.

    fuse: Callable[[Callable[..., Any]], Callable[..., Any]] | None = None
    """Makes of an elementwise function ``f(xp, *arrays)`` one that does the same in one kernel; None: it runs as written."""

    def updating(self, kernel: Callable[..., tuple[Array, ...]]) -> Callable[..., tuple[Array, ...]]:
        """The kernel of an update rule, or what does the same and writes over its arrays."""
        return kernel

    # For captured steps, see `xgrad.jit`.

    capture_problem: str = ""
    """Why functions of this library's arrays cannot be captured."""

    executors: tuple[str, ...] = ()
    """What `executor` can make, by name: first the one that is ready soonest, last the fastest."""

    def executor(self, plan: Any, homes: Any, how: str) -> Any:
        """What runs a captured plan on arrays in buffers, as described in ``docs/adding-a-backend.md``."""
        raise NotImplementedError

    def whole(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A function that does what `function` does, compiled as a whole; by default `function`, which calls the library."""
        return function

    def contiguous(self, x: Array) -> Array:
        """`x`, or a copy of it that is contiguous in memory."""
        return x

    # 3. For interpreters, such as `vmap`, which run ops on arrays of their own.

    def lift(self, x: Any) -> Array:
        """`x`, a Tensor or an array of a lower level, as an array of this type."""
        return x

    def lower(self, x: Array) -> Any:
        """What the array `x` of an interpreter holds: a Tensor of a lower level."""
        raise NotImplementedError

    def run(self, op: Any) -> Callable[..., Any]:
        """What an op does to arrays of this type: a function of the namespace and of all its parameters."""
        forward: Callable[..., Any] = op.forward
        return forward

    def detach(self, x: Array) -> Array:
        """`x` without the graph that it has inside, if it is no plain array."""
        return x

    # What plug-ins inherit.

    def from_python(self, x: Any, dtype: Any = None, device: Any = None) -> Array:
        """An array of Python numbers, nested to any depth; floats get the default data type."""
        return portable.from_python(self, x, dtype, device)

    def from_scalar(self, x: Any, like: Array | None) -> Array:
        """A 0-d array of a Python scalar, on the device of `like` and of the dtype that they promote to if it can hold `x`."""
        return self.from_python(x) if like is None else portable.from_scalar(self, x, like)

    def constant(self, numbers: float | tuple[float, ...], like: Array) -> Array:
        """An array of a Python number, or of several, of the dtype of `like` and on its device, that nobody writes to."""
        return self.xp.asarray(numbers, dtype=like.dtype, device=self.device(like))

    def load(self) -> Any:
        """This backend, with its library imported.

        Raises
        ------
        BackendError
            If it cannot run here.
        """
        assert self.xp is not None
        return self

    @property
    def xp(self) -> Any:
        """The namespace in which rules run on this backend's arrays: its own, with xgrad's additions."""
        if self._xp is None:
            with loading:  # two threads must not get two namespaces
                if self._xp is None:
                    self._xp = self._build()
        return self._xp

    def _build(self) -> types.ModuleType:
        with importing(self.name, self.install):
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
        own = types.ModuleType(f"{xp.__name__}.native")  # what ops with override=True call: the library's functions, amended
        own.__dict__.update(xp.__dict__)
        xp.__dict__.update(get_item=self.get_item, set_item=self.set_item, scatter_add=self.accumulate)
        xp.__dict__.update(__backend__=self, __native__=own)
        for dtype in DType._by_name.values():
            library_dtype = getattr(native, dtype.name, None)
            if library_dtype is not None:
                library_dtype = native.zeros(0, dtype=library_dtype).dtype
                self._native[dtype.name], self._dtypes[library_dtype] = library_dtype, dtype
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
        self.load()
        name = dtype_of(dtype).name
        try:
            return self._native[name]
        except KeyError:
            raise TypeError(f"backend {self.name!r} has no data type {name}") from None

    def dtype_of(self, native: Any) -> DType:
        """The `DType` of one of this library's dtype objects."""
        known = self._dtypes.get(native)
        return dtype_of(native) if known is None else known

    def __repr__(self) -> str:
        return f"<backend {self.name!r}>"


@contextlib.contextmanager
def importing(name: str, install: str = "") -> Iterator[None]:
    """Say what to install where an import in the body fails."""
    advice = f"; install it with: {install}" if install else ""
    try:
        yield
    except ModuleNotFoundError as error:
        raise BackendError(f"backend {name!r} needs the package {error.name!r}, which is not installed{advice}") from error
    except (ImportError, OSError) as error:
        raise BackendError(f"backend {name!r}: its package is installed but cannot be loaded ({error}){advice}") from error


loading = threading.RLock()
_extensions: list[Callable[[Any], None]] = []


def extend_namespaces(extend: Callable[[Any], None]) -> None:
    """Have `extend` add names to the raw namespace of every backend when that is first built."""
    _extensions.append(extend)
