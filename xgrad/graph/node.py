"""Nodes: what the graph remembers of each call."""

from __future__ import annotations

import contextlib
import itertools
import sys
import weakref
from types import FrameType
from typing import Any, cast

from ..backend.find import raw_namespace
from ..backend.protocol import Backend
from ..tensor.tensor import Tensor
from . import memory
from .declare import Op

__all__ = ["Node", "Leaf", "mark_owned", "own", "ARGUMENT", "node_of", "LEAF", "OUTPUT", "next_age"]


# --------------------------------------------------------------------------------------------------------------- Node

next_age, _frame = memory.next_age, sys._getframe


class Node:
    """One recorded call of an op.

    It keeps its parents' nodes and the arrays that the rules named, and no other array; it knows the shape and dtype of
    its output, so that the walk can give it a gradient of just that shape and dtype. `extra` is None or a dict of rare
    wishes: hooks, a gradient to retain, a name to draw, copies to compare with.
    """

    __slots__ = ("age", "dtype", "extra", "op", "parents", "saved", "shape", "where")

    def __init__(self, op: Op[..., Any], parents: tuple[Node | None, ...], saved: Any, shape: Any, dtype: Any) -> None:
        self.op = op
        self.parents = parents
        self.saved = saved
        self.shape = shape
        self.dtype = dtype
        self.age = next_age()
        self.extra: dict[str, Any] | None = None
        frame: FrameType | None = _frame(2)
        while frame is not None and "__xgrad__" in frame.f_globals:
            frame = frame.f_back
        self.where = None if frame is None else (frame.f_code, frame.f_lasti)

    @property
    def line(self) -> str:
        """The user's line that made the call."""
        if self.where is None:
            return "an unknown line"
        code, position = self.where
        number = next(itertools.islice(code.co_positions(), position // 2, None))[0]
        return f"{code.co_filename}:{number}"

    def __repr__(self) -> str:
        return f"<node {self.op.name} {self.shape} made at {self.line}>"


LEAF: Op[..., Any] = Op(lambda xp: None)
OUTPUT: Op[..., Any] = Op(lambda xp: None)  # one output of an op that has several; the node saved which
LEAF.name, OUTPUT.name = "leaf", "output"


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


def mark_owned(p: Tensor) -> None:
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
        mark_owned(p)


ARGUMENT: Op[..., Any] = Op(lambda xp, x, /: x)  # the identity, whose node stands for the argument of one walk alone
ARGUMENT.name = "argument"
ARGUMENT.vjp(x=lambda g: g)
ARGUMENT.elementwise()


def node_of(x: Tensor) -> Node:
    assert x._node is not None
    return x._node
