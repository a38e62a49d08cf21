"""Where the walk back ends: the nodes of tensors that require grad, and the gradients that it leaves there."""

from __future__ import annotations

import contextlib
import threading
import weakref
from typing import Any, cast

from .backend import Backend, raw_namespace
from .engine import LEAF, Node, Tensor, wrap
from .grad_mode import recording

__all__ = ["Leaf", "deposit", "keep", "own"]


class Leaf(Node):
    """Where gradients end: the node of a Tensor that was asked to require grad.

    It holds the gradient; one that has a graph itself the owner holds, lest the two keep each other alive.
    """

    __slots__ = ("__weakref__", "_own", "_plain", "owner")

    def __init__(self, owner: Tensor) -> None:
        super().__init__(LEAF, (), (), owner._data.shape, owner._data.dtype)
        self.owner = weakref.ref(owner)
        self._own: Any = None
        self.grad = None

    @property
    def grad(self) -> Tensor | None:
        return getattr(self.owner(), "_grad", None) if self._plain is None else self._plain

    @grad.setter
    def grad(self, g: Tensor | None) -> None:
        self._plain = g if g is None or g._node is None else None
        if (owner := self.owner()) is not None:
            owner._grad = g if self._plain is None else None


def keep(p: Tensor) -> None:
    """Note that the array of the leaf `p` is its own: nobody else knows it."""
    with contextlib.suppress(TypeError):  # an array type without weak references
        cast(Leaf, p._node)._own = weakref.ref(p._data)


def own(p: Tensor) -> None:
    """Give the leaf `p` an array of its own, which an optimizer may write into, if it still has one that was handed in.

    A Tensor wraps an array without a copy, and so does ``p.data = array``: they may be the user's, or another tensor's.
    """
    known = cast(Leaf, p._node)._own
    if known is not None and known() is p._data:
        return
    backend: Backend = raw_namespace(p._data).__backend__
    if backend.mutable:
        p._data = backend.as_array(backend.xp.asarray(p._data, copy=True))
        keep(p)


_depositing = threading.RLock()  # of one thread again: a finalizer that runs meanwhile may call backward


def deposit(leaves: dict[Node, Any]) -> None:
    """Add cotangents to the `grad` of their leaves, each in memory of its own."""
    taken: set[int] = set()
    with _depositing:  # another thread must not write between the reading and the writing of a gradient
        for node, g in leaves.items():
            leaf = cast(Leaf, node)
            old = leaf.grad
            if isinstance(g, Tensor) or (old is not None and old._node is not None):
                with recording(True):
                    leaf.grad = g if old is None else old + g
            elif old is not None:
                leaf.grad = wrap(old._data + g)
            else:
                backend: Backend = raw_namespace(g).__backend__
                owned = backend.owns_memory(g) and id(g) not in taken
                taken.add(id(g))
                leaf.grad = wrap(g if owned else backend.xp.asarray(g, copy=True))
    for node in leaves:
        if node.extra is not None and "after" in node.extra:
            from . import hooks  # which builds on this module

            hooks.run_on_leaf(cast(Leaf, node))
