"""Arrays that hide a batch axis, and the backend that they belong to.

To the engine a `Batched` is a raw array like any other: a Tensor holds it, ops run on it in a namespace of its own, nodes
save it, rules are handed it. Its shape is that of one example. Inside it is a Tensor, the payload, with one axis more in
front; what the namespace computes, it computes with xgrad's own functions on payloads. So the payload has a graph too,
that of whoever stands outside of the batch, and a payload may hide an axis in turn: one level for each `vmap`.
"""

from __future__ import annotations

import importlib
import threading
import types
from collections.abc import Callable
from typing import Any, ClassVar, cast

from ..backend import Backend, DType, _of_type, batched_namespaces, raw_namespace
from ..engine import Tensor, wrap
from ..grad_mode import batches
from ..rules import Op, registry

__all__ = [
    "Batch", "BatchBackend", "Batched", "NoValue", "NotBatchable", "backend_on", "base_of", "enclosed", "in_graph", "innermost",
]  # fmt: skip


class NotBatchable(NotImplementedError):
    """An op, or what the user does with a value, needs more than what is the same for every example of a batch."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(f"vmap: {what} cannot be batched: {why}")


class NoValue(NotBatchable):
    """A value was to be taken out, of which there is one for each example."""

    def __init__(self) -> None:
        super().__init__(
            "taking a value out (bool(x), float(x), x.item(), x.numpy(), if, while)",
            "x stands for all examples at once, each with a value of its own; choose between values with "
            "xgrad.where(condition, a, b), or call the function in a loop over the examples",
        )


class Batch:
    """One axis that is hidden: how long it is, and how many there are with it."""

    __slots__ = ("depth", "randomness", "size")

    def __init__(self, size: int, randomness: str = "error") -> None:
        self.size, self.randomness = size, randomness
        self.depth = len(batches.get()) + 1


def innermost() -> Batch | None:
    """The batch whose function is being called, in this thread or task."""
    active = batches.get()
    return cast(Batch, active[-1]) if active else None


class Batched:
    """An array with a batch axis that is not seen, or, if `batch` is None, one that is the same for every example.

    There is a subclass for each library and depth, which `backend` belongs to.
    """

    __slots__ = ("batch", "dtype", "payload", "shape")
    backend: ClassVar[BatchBackend]
    __array_ufunc__ = None  # NumPy's arrays leave operators to us
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, payload: Tensor, batch: Batch | None) -> None:
        data = payload._data
        self.payload, self.batch, self.dtype = payload, batch, data.dtype
        self.shape: tuple[int, ...] = data.shape if batch is None else data.shape[1:]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        total = 1
        for n in self.shape:
            total *= n
        return total

    @property
    def device(self) -> Any:
        return self.payload.device

    @property
    def T(self) -> Any:
        return self.backend.xp.permute_dims(self, tuple(range(self.ndim))[::-1])

    @property
    def mT(self) -> Any:
        return self.backend.xp.matrix_transpose(self)

    def __getitem__(self, key: Any) -> Any:
        return self.backend.get_item(self, key)

    def __len__(self) -> int:
        return self.shape[0]

    def __repr__(self) -> str:
        told = "the same for all" if self.batch is None else f"a batch of {self.batch.size}"
        return f"<{told}: {self.backend.name} arrays of shape {tuple(self.shape)}, {self.backend.dtype_of(self.dtype).name}>"

    # What would take out the value of one example.

    def _no_value(self, *_: Any, **__: Any) -> Any:
        raise NoValue

    __bool__ = __int__ = __float__ = __complex__ = __index__ = __array__ = __dlpack__ = _no_value


_PAIRS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "floordiv": "floor_divide", "mod": "remainder",
    "pow": "pow", "matmul": "matmul", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
    "lshift": "bitwise_left_shift", "rshift": "bitwise_right_shift",
}  # fmt: skip
_COMPARISONS = {"eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal"}
_SINGLE = {"neg": "negative", "pos": "positive", "abs": "abs", "invert": "bitwise_invert"}
_SCALARS = (bool, int, float, complex)


def _with_operators(cls: type[Batched], xp: Any) -> None:
    """Give `cls` its operators, which are the functions of its namespace."""

    def forwards(function: Callable[[Any, Any], Any]) -> Any:
        def operator(self: Any, other: Any) -> Any:
            if other.__class__ is cls or other.__class__ in _SCALARS or cls.backend.takes(other):
                return function(self, other)
            return NotImplemented

        return operator

    for short, name in {**_PAIRS, **_COMPARISONS}.items():
        setattr(cls, f"__{short}__", forwards(getattr(xp, name)))
    for short, name in _PAIRS.items():
        setattr(cls, f"__r{short}__", forwards(_reflected(getattr(xp, name))))
    for short, name in _SINGLE.items():
        setattr(cls, f"__{short}__", _method(getattr(xp, name)))


def _reflected(function: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
    return lambda self, other: function(other, self)


def _method(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda self: function(self)


class BatchBackend(Backend):
    """The backend of batched arrays of one library, at one depth. What it does not know of a batch it asks the library."""

    mutable = False
    writes_in_order = True  # what is done with a payload says so itself

    def __init__(self, base: Backend, depth: int) -> None:
        super().__init__()
        self.base, self.depth, self.name = base, depth, base.name
        self.cls = cast(type[Batched], type(f"Batched{depth}", (Batched,), {"__slots__": (), "backend": self}))
        _of_type[self.cls], batched_namespaces[self.cls] = self, self.xp
        self._forwards: dict[Op[..., Any], Callable[..., Any]] = {}

    def _build(self) -> types.ModuleType:
        xp: types.ModuleType = _interpreter().namespace(self)
        self._xp = xp
        _with_operators(self.cls, xp)
        return xp

    def takes(self, x: Any) -> bool:
        """Whether `x` is an array of this library that hides fewer axes than ours, or as many."""
        if isinstance(x, Tensor) or not hasattr(x, "dtype"):
            return False
        other: Backend = raw_namespace(x).__backend__
        return other.name == self.name and other.depth <= self.depth

    def enclose(self, x: Any) -> Batched:
        """`x` from outside of the batch, a Tensor or an array, as it is for every example."""
        if x.__class__ is self.cls:
            return x
        # An object of our own, since a Tensor can be rebound to another value.
        return self.cls(wrap(x._data, x._node) if isinstance(x, Tensor) else wrap(x), None)

    def forward(self, made: Op[..., Any]) -> Callable[..., Any]:
        found = self._forwards.get(made)
        if found is None:
            found = self._forwards[made] = _interpreter().forward(self, made)
        return found

    def detach(self, x: Any) -> Batched:
        return self.cls(x.payload.detach(), x.batch)

    # What the library knows.

    def native_dtype(self, dtype: object) -> Any:
        return self.base.native_dtype(dtype)

    def dtype_of(self, native: Any) -> DType:
        return self.base.dtype_of(native)

    def admit(self, x: Any) -> None:
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
        return self.enclose(self.base.from_numpy(x, device))

    def from_python(self, x: Any, dtype: Any = None, device: Any = None) -> Any:
        return self.enclose(self.base.from_python(x, dtype, device))

    def from_scalar(self, x: Any, like: Any) -> Any:
        return super().from_scalar(x, None if like is None else self.enclose(like))

    def at_hand(self, x: Any) -> bool:
        inner = x.payload._data
        found: bool = raw_namespace(inner).__backend__.at_hand(inner)
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
        found: Callable[..., Any] = _interpreter().elementwise(self, registry[name])
        return found  # which asks the library itself

    def get_item(self, x: Any, key: Any) -> Any:
        return self.xp.get_item(x, key)

    def set_item(self, x: Any, key: Any, value: Any) -> Any:
        return self.xp.set_item(x, key, value)

    def scatter_add(self, x: Any, key: Any, value: Any) -> Any:
        return self.xp.scatter_add(x, key, value)


_backends: dict[tuple[Backend, int], BatchBackend] = {}
_making = threading.RLock()


def backend_on(base: Backend, depth: int) -> BatchBackend:
    """The backend of arrays of the library `base` with `depth` hidden axes, the same object each time."""
    found = _backends.get((base, depth))
    if found is None:
        with _making:
            found = _backends.get((base, depth)) or _backends.setdefault((base, depth), BatchBackend(base, depth))
    return found


def base_of(x: Any) -> Backend:
    """The library of a raw array, under any number of hidden axes."""
    backend: Backend = raw_namespace(x).__backend__
    return backend.base if isinstance(backend, BatchBackend) else backend


def in_graph(x: Tensor) -> bool:
    """Whether `x` is part of a graph, its own or one inside."""
    return x._node is not None or (isinstance(x._data, Batched) and in_graph(x._data.payload))


def enclosed(x: Tensor) -> Tensor:
    """`x` as a Tensor of the batch whose function is being called; `x` itself if it is one, or if there is no batch."""
    batch = innermost()
    if batch is None or raw_namespace(x._data).__backend__.depth >= batch.depth:
        return x
    return wrap(backend_on(base_of(x._data), batch.depth).enclose(x))


def _interpreter() -> Any:
    return importlib.import_module(".interpreter", __package__)  # which needs all of xgrad
