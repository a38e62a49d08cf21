"""Plug-ins by name, and the backend of an array by its type."""

from __future__ import annotations

import contextlib
import functools
import importlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..errors import NotAnArray
from .dtypes import Array
from .protocol import Backend, importing, loading

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

__all__ = [
    "backend_of", "find_backend", "backends_by_type", "lifted_namespaces", "device_of", "inexact", "is_numpy_scalar",
    "known_names", "library_array", "namespaces", "raw_namespace", "weak_types",
    "without_hot_path",
]  # fmt: skip


class ForeignBackend(Backend):
    """A library without a plug-in whose arrays speak the standard (``__array_namespace__``)."""

    def __init__(self, name: str, namespace: Any) -> None:
        super().__init__()
        self.name, self._namespace = name, namespace

    def import_namespace(self) -> Any:
        return self._namespace

    def version(self) -> str:
        return str(getattr(self._namespace, "__version__", "unknown"))


loaded_backends: dict[str, Backend] = {}
backends_by_type: dict[type, Backend | None] = {}


@functools.cache
def _entry_points() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points  # it takes longer to import than xgrad

    return {point.name: point for point in entry_points(group="xgrad.backends")}


def _bundled() -> Any:
    return importlib.import_module("xgrad_backends")


def known_names() -> list[str]:
    bundled = _bundled().NAMES
    return [*bundled, *(name for name in _entry_points() if name not in bundled)]


def find_backend(name: str) -> Backend:
    """The plug-in called `name`. Its library is imported when it is first used.

    Raises
    ------
    ValueError
        If no plug-in has that name.
    """
    if not isinstance(name, str):
        raise TypeError(f"a backend is named by a string such as 'numpy', not by {name!r}")
    backend = loaded_backends.get(name)
    if backend is None:
        with loading:
            backend = loaded_backends.get(name) or loaded_backends.setdefault(name, _plug_in(name))
    return backend


def _plug_in(name: str) -> Backend:
    # Bundled plug-ins first: no installed package can replace one, and entry points are slow to look up.
    if name in _bundled().NAMES:
        with importing(name, _bundled().INSTALL[name]):
            backend: Backend = importlib.import_module(f"xgrad_backends.{name}").Plugin()
    elif name in _entry_points():
        with importing(name):
            backend = _entry_points()[name].load()()
    else:
        raise ValueError(f"there is no backend {name!r}; the known ones are {', '.join(known_names())}")
    return backend


def backend_of(x: Array) -> Backend | None:
    """The backend of the array `x`, or None if `x` is no array.

    Raises
    ------
    TypeError, ValueError
        If xgrad cannot compute with it, as with an array of strings.
    """
    cls = type(x)
    if cls not in backends_by_type:
        resolved = _resolve(cls, x)
        if resolved is not None:
            resolved.load()
        backends_by_type[cls] = resolved
    backend = backends_by_type[cls]
    if backend is not None:
        backend.check(x)
    return backend


def _resolve(cls: type, x: Array) -> Backend | None:
    # By the module of the type or of one of its bases, then by the standard's own protocol.
    if isinstance(x, type) or not all(hasattr(x, name) for name in ("shape", "dtype", "__mul__")):
        return None  # numpy.dtype and the like have a shape too
    tops = [base.__module__.partition(".")[0] for base in cls.__mro__[:-1]]
    if "xgrad" in tops:
        return None  # a Tensor
    for top in tops:
        name = _bundled().MODULES.get(top, top)
        if name in _bundled().NAMES or (name in loaded_backends) or name in _entry_points():
            return find_backend(name)
    if hasattr(cls, "__array_namespace__"):
        with loading:
            return loaded_backends.setdefault(tops[0], ForeignBackend(tops[0], x.__array_namespace__()))
    return None


namespaces: dict[type, Any] = {}
"""The raw namespace of each type of array that has been used. The hot path looks types up here. Empty during a capture."""
_known_namespaces: dict[type, Any] = {}
_captures = 0
lifted_namespaces: dict[type, Any] = {}
"""The namespaces of arrays of interpreters, which the hot path does not handle."""
weak_types: set[type] = set()
"""Types of arrays of libraries with `Backend.weak_scalars`."""


def raw_namespace(x: Array) -> Any:
    """The namespace in which rules run on the array `x`."""
    xp = namespaces.get(x.__class__)
    if xp is None:
        xp = lifted_namespaces.get(x.__class__)
    return _namespace_of_type(x) if xp is None else xp


def _namespace_of_type(x: Array) -> Any:
    cls = x.__class__
    with loading:
        if cls not in _known_namespaces:
            backend = backend_of(x)
            if backend is None:
                raise NotAnArray(x)
            _known_namespaces[cls] = backend.xp
            if backend.weak_scalars:
                weak_types.add(cls)
        if not _captures:
            namespaces[cls] = _known_namespaces[cls]
        return _known_namespaces[cls]


@contextlib.contextmanager
def without_hot_path() -> Iterator[None]:
    """In the body, calls in all threads take the general path, which asks the active interpreters about every array."""
    global _captures
    with loading:
        _captures += 1
        namespaces.clear()
    try:
        yield
    finally:
        with loading:
            _captures -= 1
            if not _captures:
                namespaces.update(_known_namespaces)


def device_of(x: Array) -> Any:
    """The device that `x`, a raw array or a Tensor, lives on."""
    x = getattr(x, "_data", x)
    return raw_namespace(x).__backend__.device(x)


def library_array(x: Any) -> Array:
    """The array of a library in `x`, a raw array or a Tensor, below any number of levels of interpreters."""
    while True:
        x = getattr(x, "_data", x)
        backend: Backend = raw_namespace(x).__backend__
        if not backend.level:
            return x
        x = backend.lower(x)


def inexact(x: Array) -> bool:
    """Whether the array `x` is of a real or complex floating dtype, so that it can carry a gradient."""
    backend: Backend = raw_namespace(x).__backend__
    return backend.dtype_of(x.dtype).inexact


def is_numpy_scalar(x: object) -> bool:
    """Whether `x` is a NumPy scalar, which counts as a Python scalar."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(x, numpy.generic)
