"""The backend of arrays with a hidden batch axis."""

from __future__ import annotations

import threading
import types
from collections.abc import Callable
from typing import Any, cast

from ...backend.dtypes import DType
from ...backend.find import backends_by_type, lifted_namespaces, raw_namespace
from ...backend.protocol import Backend
from ...graph.declare import Op
from ...graph.names import registry
from ...tensor.tensor import Tensor, wrap
from ..operators import with_operators
from . import functions, run
from .arrays import Batched, innermost

__all__ = ["BatchBackend", "backend_on", "base_of", "enclosed"]


class BatchBackend(Backend):
    """The backend of batched arrays of one library, at one level. What it does not know of a batch it asks the library."""

    mutable = False
    writes_in_order = True  # what is done with a payload says so itself

    def __init__(self, base: Backend, level: int) -> None:
        super().__init__()
        self.base, self.level, self.name = base, level, base.name
        self.cls = cast(type[Batched], type(f"Batched{level}", (Batched,), {"__slots__": (), "backend": self}))
        backends_by_type[self.cls], lifted_namespaces[self.cls] = self, self.xp
        self._functions: dict[Op[..., Any], Callable[..., Any]] = {}

    def _build(self) -> types.ModuleType:
        xp: types.ModuleType = run.namespace(self)
        self._xp = xp
        with_operators(self.cls, xp)
        return xp

    def takes(self, x: Any) -> bool:
        """Whether `x` is an array of this library that hides fewer axes than ours, or as many."""
        if isinstance(x, Tensor) or not hasattr(x, "dtype"):
            return False
        other: Backend = raw_namespace(x).__backend__
        return other.name == self.name and other.level <= self.level

    def lift(self, x: Any) -> Batched:
        """`x` from outside of the batch, a Tensor or an array, as it is for every example."""
        if x.__class__ is self.cls:
            return x
        # An object of our own, since a Tensor can be rebound to another value.
        return self.cls(wrap(x._data, x._node) if isinstance(x, Tensor) else wrap(x), None)

    def run(self, op: Op[..., Any]) -> Callable[..., Any]:
        function = self._functions.get(op)
        if function is None:
            function = self._functions[op] = run.forward(self, op)
        return function

    def detach(self, x: Any) -> Batched:
        return self.cls(x.payload.detach(), x.batch)

    # What the library knows.

    def native_dtype(self, dtype: object) -> Any:
        return self.base.native_dtype(dtype)

    def dtype_of(self, native: Any) -> DType:
        return self.base.dtype_of(native)

    def check(self, x: Any) -> None:
        pass

    def version(self) -> str:
        return self.base.version()

    def device(self, x: Any) -> Any:
        return x.device

    def to_device(self, x: Any, device: Any) -> Any:
        return self.cls(x.payload.to_device(device), x.batch)

    def to_numpy(self, x: Any) -> Any:
        return x._no_value()

    def from_numpy(self, x: Any, device: Any = None) -> Any:
        return self.lift(self.base.from_numpy(x, device))

    def from_python(self, x: Any, dtype: Any = None, device: Any = None) -> Any:
        return self.lift(self.base.from_python(x, dtype, device))

    def from_scalar(self, x: Any, like: Any) -> Any:
        return super().from_scalar(x, None if like is None else self.lift(like))

    def cheap_to_read(self, x: Any) -> bool:
        inner = x.payload._data
        found: bool = raw_namespace(inner).__backend__.cheap_to_read(inner)
        return found

    def holds(self, x: Any) -> bool:
        inner = x.payload._data
        xp = raw_namespace(inner)
        found: bool = xp.__backend__.holds(xp.any(inner))
        return found

    def owns_memory(self, x: Any) -> bool:
        return True  # nothing writes into a payload

    def special(self, name: str) -> Callable[..., Any] | None:
        if name not in registry:
            return None
        found: Callable[..., Any] = functions.elementwise(self, registry[name])
        return found  # which asks the library itself

    def get_item(self, x: Any, key: Any) -> Any:
        return self.xp.get_item(x, key)

    def set_item(self, x: Any, key: Any, value: Any) -> Any:
        return self.xp.set_item(x, key, value)

    def scatter_add(self, x: Any, key: Any, value: Any) -> Any:
        return self.xp.scatter_add(x, key, value)


_backends: dict[tuple[Backend, int], BatchBackend] = {}
_making = threading.RLock()


def backend_on(base: Backend, level: int) -> BatchBackend:
    """The backend of arrays of the library `base` with `level` hidden axes, the same object each time."""
    found = _backends.get((base, level))
    if found is None:
        with _making:
            found = _backends.get((base, level)) or _backends.setdefault((base, level), BatchBackend(base, level))
    return found


def base_of(x: Any) -> Backend:
    """The library of a raw array, under any number of hidden axes."""
    backend: Backend = raw_namespace(x).__backend__
    return backend.base if isinstance(backend, BatchBackend) else backend


def enclosed(x: Tensor) -> Tensor:
    """`x` as a Tensor of the batch whose function is being called; `x` itself if it is one, or if there is no batch."""
    batch = innermost()
    if batch is None or raw_namespace(x._data).__backend__.level >= batch.level:
        return x
    return wrap(backend_on(base_of(x._data), batch.level).lift(x))
