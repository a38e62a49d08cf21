"""What a Tensor is: its shape, data type, device and namespace."""

from __future__ import annotations

from typing import Any, cast

from ..backend.dtypes import DType
from ..backend.find import raw_namespace
from ..graph.names import xg

__all__ = ["Facts"]


class Facts:
    """Shape, data type, device, namespace."""

    __slots__: tuple[str, ...] = ()
    _data: Any
    _node: Any
    _name: Any

    @property
    def name(self) -> str | None:
        """A name, shown in drawings of the graph."""
        return self._name

    @name.setter
    def name(self, value: str | None) -> None:
        self._name = value
        if self._node is not None:
            self._node.note().name = value

    @property
    def shape(self) -> tuple[int, ...]:
        """The length of each axis."""
        return tuple(self._data.shape)

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self._data.shape)

    @property
    def size(self) -> int:
        """The number of elements."""
        total = 1
        for n in self._data.shape:
            total *= n
        return total

    @property
    def dtype(self) -> DType:
        """The data type, the same object on every backend."""
        return cast(DType, raw_namespace(self._data).__backend__.dtype_of(self._data.dtype))

    @property
    def backend(self) -> str:
        """The name of the backend whose array this is."""
        return cast(str, raw_namespace(self._data).__backend__.name)

    @property
    def device(self) -> Any:
        """The backend's device on which the array lives."""
        return raw_namespace(self._data).__backend__.device(self._data)

    def __array_namespace__(self, /, *, api_version: str | None = None) -> Any:
        """The namespace whose functions make arrays on this tensor's backend."""
        return xg.namespace(self.backend, api_version=api_version)
