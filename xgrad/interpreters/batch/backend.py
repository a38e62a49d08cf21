"""The interpreter of a call of `vmap`, and the backend of its arrays."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

from ...backend.find import raw_namespace
from ...backend.protocol import Backend
from ...graph.declare import Op
from ...graph.names import registry
from ...graph.recording import interpreters
from ...tensor.tensor import Tensor, wrap
from ..interpreter import Interpreter, LiftedBackend
from . import functions, run
from .arrays import Batched

__all__ = ["Batch", "BatchBackend", "innermost"]


class Batch(Interpreter):
    """The interpreter of one call of a function under `vmap`, and the batch axis that its arrays hide.

    Parameters
    ----------
    size : int
        The length of the axis.
    randomness : {"error", "different", "same"}
        As in `vmap`.
    """

    def __init__(self, size: int, randomness: str = "error") -> None:
        super().__init__()
        self.size, self.randomness = size, randomness

    def backend(self, base: Backend) -> BatchBackend:
        return BatchBackend.at(base, self.level)


def innermost() -> Batch | None:
    """The innermost active batch, in this thread or task."""
    return next((entry for entry in reversed(interpreters.get()) if isinstance(entry, Batch)), None)


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
