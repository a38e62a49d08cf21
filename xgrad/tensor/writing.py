"""Indexing and writing: the object stays the same, its value is a new result."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Self

from ..errors import GradientError
from ..graph import memory, views
from ..graph.names import xg
from ..graph.recording import is_grad_enabled
from .leaving import Leaving

__all__ = ["Writing"]


class Writing(Leaving):
    """``x[key]``, ``x[key] = v``, ``x += y``."""

    __slots__: tuple[str, ...] = ()

    def __iadd__(self, other: Any, /) -> Self:
        return self._rebind("+=", xg.add(self, other))

    def __isub__(self, other: Any, /) -> Self:
        return self._rebind("-=", xg.subtract(self, other))

    def __imul__(self, other: Any, /) -> Self:
        return self._rebind("*=", xg.multiply(self, other))

    def __itruediv__(self, other: Any, /) -> Self:
        return self._rebind("/=", xg.divide(self, other))

    def __ifloordiv__(self, other: Any, /) -> Self:
        return self._rebind("//=", xg.floor_divide(self, other))

    def __imod__(self, other: Any, /) -> Self:
        return self._rebind("%=", xg.remainder(self, other))

    def __ipow__(self, other: Any, /) -> Self:
        return self._rebind("**=", xg.pow(self, other))

    def __imatmul__(self, other: Any, /) -> Self:
        return self._rebind("@=", xg.matmul(self, other))

    def __iand__(self, other: Any, /) -> Self:
        return self._rebind("&=", xg.bitwise_and(self, other))

    def __ior__(self, other: Any, /) -> Self:
        return self._rebind("|=", xg.bitwise_or(self, other))

    def __ixor__(self, other: Any, /) -> Self:
        return self._rebind("^=", xg.bitwise_xor(self, other))

    def __ilshift__(self, other: Any, /) -> Self:
        return self._rebind("<<=", xg.bitwise_left_shift(self, other))

    def __irshift__(self, other: Any, /) -> Self:
        return self._rebind(">>=", xg.bitwise_right_shift(self, other))

    def _rebind(self, name: str, new: Any) -> Self:
        """Take the value and the node of `new`, as an in-place operation does, and update the base and its views."""
        old, array, node = self._data, new._data, self._node
        plain = self._view is None and (node is None or (new._node is not None and not self.is_leaf))
        if plain and array.shape == old.shape and array.dtype == old.dtype:  # the usual case: nothing stands in the way
            memory.assign(self, array)
            self._node = new._node
            return self
        if new._data.shape != self._data.shape:
            raise ValueError(f"{name}: the result has shape {new.shape}, which does not fit into a tensor of shape {self.shape}")
        if new.dtype != self.dtype:
            order = ("bool", "unsigned integer", "signed integer", "real floating", "complex floating")
            if order.index(new.dtype.kind) > order.index(self.dtype.kind):
                raise TypeError(f"{name}: the result is {new.dtype.name}, which does not fit into a tensor of {self.dtype.name}")
            new = xg.astype(new, self.dtype)
        for one in (self, self if self._view is None or self._view.base is None else self._view.base):
            if one._node is not None and one.is_leaf:
                if is_grad_enabled():
                    raise GradientError(
                        f"{name}: a leaf that requires grad cannot be written to while calls are recorded, since its gradient "
                        "would be lost; write under xgrad.no_grad(), or into a result such as x * 1"
                    )
                new = xg.wrap(new._data)
        views.write(self, new)
        return self

    # Indexing.

    def __getitem__(self, key: Any, /) -> Self:
        return xg.getitem(self, key)

    def __setitem__(self, key: Any, value: Any, /) -> None:
        self._rebind("x[...] = v", xg.setitem(self, key, value))

    @property
    def at(self) -> Any:
        """``x.at[key].set(v)`` is a copy with ``x[key] = v``; so are ``add``, ``multiply``, ``max`` and others of `xgrad.at`."""
        return xg.at(self)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a 0-d tensor")
        return self.shape[0]

    def __iter__(self) -> Iterator[Self]:
        if not self.shape:
            raise TypeError("iteration over a 0-d tensor")
        return (self[i] for i in range(self.shape[0]))

    def __contains__(self, value: Any) -> bool:
        return bool(xg.any(self == value))
