"""The backend of arrays with a hidden batch axis."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from ...backend.find import raw_namespace
from ...backend.protocol import Backend
from ...graph.declare import Op
from ...graph.names import registry
from ...tensor.tensor import Tensor, wrap
from ..interpreter import LiftedBackend, base_of, lifted
from . import functions, run
from .arrays import Batch, Batched

__all__ = ["BatchBackend", "backend_on", "base_of", "enclosed"]


class BatchBackend(LiftedBackend):
    """The backend of batched arrays of one library, at one level."""

    array_class = Batched
    writes_in_order = True  # the ops on payloads see to the order

    def __init__(self, base: Backend, level: int) -> None:
        self._functions: dict[Op[..., Any], Callable[..., Any]] = {}
        super().__init__(base, level)

    def namespace(self) -> types.ModuleType:
        return run.namespace(self)

    def lift(self, x: Any) -> Batched:
        """`x`, a Tensor or an array of a lower level, as an array that is the same for every example."""
        if x.__class__ is self.cls:
            return x  # type: ignore[no-any-return]
        # A new Tensor, since `x` can be rebound to another value.
        array: Batched = self.cls(wrap(x._data, x._node) if isinstance(x, Tensor) else wrap(x), None)
        return array

    def lower(self, x: Any) -> Tensor:
        payload: Tensor = x.payload
        return payload

    def run(self, op: Op[..., Any]) -> Callable[..., Any]:
        function = self._functions.get(op)
        if function is None:
            function = self._functions[op] = run.forward(self, op)
        return function

    def detach(self, x: Any) -> Any:
        return self.cls(x.payload.detach(), x.batch)

    def to_device(self, x: Any, device: Any) -> Any:
        return self.cls(x.payload.to_device(device), x.batch)

    def to_numpy(self, x: Any) -> Any:
        return x._no_value()

    def cheap_to_read(self, x: Any) -> bool:
        inner = x.payload._data
        backend: Backend = raw_namespace(inner).__backend__
        return backend.cheap_to_read(inner)

    def holds(self, x: Any) -> bool:
        inner = x.payload._data
        xp = raw_namespace(inner)
        backend: Backend = xp.__backend__
        return backend.holds(xp.any(inner))

    def special(self, name: str) -> Callable[..., Any] | None:
        return functions.elementwise(self, registry[name]) if name in registry else None  # the op asks the library itself

    def get_item(self, x: Any, key: Any) -> Any:
        return self.xp.get_item(x, key)

    def set_item(self, x: Any, key: Any, value: Any) -> Any:
        return self.xp.set_item(x, key, value)

    def scatter_add(self, x: Any, key: Any, value: Any) -> Any:
        return self.xp.scatter_add(x, key, value)


Batch.backend_class = BatchBackend
backend_on, enclosed = BatchBackend.at, lifted
