"""Arrays with a hidden batch axis.

To the engine a `Batched` is a raw array like any other: a Tensor holds it, ops run on it in a namespace of its own, nodes
save it, rules are called with it. Its shape is that of one example. Inside is a Tensor, the payload, with the batch as first
axis. The functions of the namespace run xgrad on payloads, so derivatives that are taken outside the vmap are recorded there.
A payload may hold a `Batched` in turn: one level for each `vmap`.
"""

from __future__ import annotations

from typing import Any, Protocol

from ...errors import NoValue
from ...tensor.tensor import Tensor
from ..operators import LiftedArray

__all__ = ["Axis", "Batched"]


class Axis(Protocol):
    """A batch axis. Two arrays have the same one if it is the same object."""

    size: int


class Batched(LiftedArray):
    """An array with a hidden batch axis; with `batch` None, an array that is the same for every example.

    There is a subclass for each library and level; its attribute `backend` is their backend.
    """

    __slots__ = ("batch", "dtype", "payload", "shape")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, payload: Tensor, batch: Axis | None) -> None:
        data = payload._data
        self.payload, self.batch, self.dtype = payload, batch, data.dtype
        self.shape: tuple[int, ...] = data.shape if batch is None else data.shape[1:]

    @property
    def device(self) -> Any:
        return self.payload.device

    def __repr__(self) -> str:
        examples = "the same for all" if self.batch is None else f"a batch of {self.batch.size}"
        dtype = self.backend.dtype_of(self.dtype).name
        return f"<{examples}: {self.backend.name} arrays of shape {tuple(self.shape)}, {dtype}>"

    # These would return the value of one example.

    def _no_value(self, *_: Any, **__: Any) -> Any:
        raise NoValue

    __bool__ = __int__ = __float__ = __complex__ = __index__ = __array__ = __dlpack__ = _no_value
