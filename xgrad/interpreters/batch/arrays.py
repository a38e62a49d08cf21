"""Arrays that hide a batch axis, and the backend that they belong to.

To the engine a `Batched` is a raw array like any other: a Tensor holds it, ops run on it in a namespace of its own, nodes
save it, rules are handed it. Its shape is that of one example. Inside it is a Tensor, the payload, with one axis more in
front; what the namespace computes, it computes with xgrad's own functions on payloads. So the payload has a graph too,
that of whoever stands outside of the batch, and a payload may hide an axis in turn: one level for each `vmap`.
"""

from __future__ import annotations

from typing import Any, ClassVar, cast

from ...errors import NoValue
from ...graph.recording import interpreters
from ...tensor.tensor import Tensor

__all__ = ["Batch", "Batched", "in_graph", "innermost"]


class Batch:
    """One axis that is hidden: how long it is, and how many there are with it."""

    __slots__ = ("level", "randomness", "size")

    def __init__(self, size: int, randomness: str = "error") -> None:
        self.size, self.randomness = size, randomness
        self.level = len(interpreters.get()) + 1


def innermost() -> Batch | None:
    """The batch whose function is being called, in this thread or task."""
    active = interpreters.get()
    return cast(Batch, active[-1]) if active else None


class Batched:
    """An array with a batch axis that is not seen, or, if `batch` is None, one that is the same for every example.

    There is a subclass for each library and depth, which `backend` belongs to.
    """

    __slots__ = ("batch", "dtype", "payload", "shape")
    backend: ClassVar[Any]
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


def in_graph(x: Tensor) -> bool:
    """Whether `x` is part of a graph, its own or one inside."""
    return x._node is not None or (isinstance(x._data, Batched) and in_graph(x._data.payload))
