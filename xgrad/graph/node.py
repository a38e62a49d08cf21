"""Nodes: what the graph remembers of each call.

A `Node` is one call of an op with one output. `Several` is one with several outputs, and an `Output` is one of those. `Leaf`
is where gradients end, and `Input` an argument of a function that is being differentiated.
"""

from __future__ import annotations

import itertools
import sys
import weakref
from types import CodeType, FrameType
from typing import Any, ClassVar

from .declare import Op
from .memory import next_age

__all__ = ["Input", "Leaf", "Node", "Notes", "Output", "Several", "node_of"]

_frame = sys._getframe


class Notes:
    """What was asked for at one node; most nodes have none."""

    __slots__ = ("after", "constants", "data", "grad", "guard", "hooks", "name", "retain")

    def __init__(self) -> None:
        self.hooks: Any = None  # functions that are called with the cotangent
        self.after: Any = None  # functions that are called with a leaf when its gradient is there
        self.retain = False  # whether `backward` leaves the gradient here
        self.grad: Any = None  # that gradient
        self.guard: Any = None  # copies of the saved arrays, to compare with
        self.name: str | None = None  # shown in drawings
        self.data: Any = None  # the value, for drawings
        self.constants: Any = None  # arguments that require no grad, for drawings


class Node:
    """One recorded call of an op.

    It keeps the nodes of its arguments and the arrays that the rules named, and no other array. It knows the shape and dtype
    of its output, which its cotangent has too.
    """

    __slots__ = ("age", "code", "dtype", "notes", "op", "parents", "position", "saved", "shape")

    op: Any  # an Op, or None: this is no call
    parents: tuple[Node | None, ...]
    saved: Any
    notes: Notes | None
    code: CodeType | None  # of the user's function that made the call, and the place in it; not a tuple, which is another object
    position: int

    def __init__(self, op: Op[..., Any] | None, parents: tuple[Node | None, ...], saved: Any, shape: Any, dtype: Any) -> None:
        self.op = op  # None: this is no call
        self.parents = parents
        self.saved = saved
        self.shape = shape
        self.dtype = dtype
        self.age = next_age()
        self.notes = None
        frame: FrameType | None = _frame(2)
        while frame is not None and "__xgrad__" in frame.f_globals:
            frame = frame.f_back
        if frame is None:
            self.code, self.position = None, 0
        else:
            self.code, self.position = frame.f_code, frame.f_lasti

    @property
    def name(self) -> str:
        """The name of the op."""
        name: str = self.op.name
        return name

    @property
    def outputs(self) -> list[tuple[Any, Any]]:
        """The shape and dtype of each output."""
        return [(self.shape, self.dtype)]

    @property
    def line(self) -> str:
        """The user's line that made the call."""
        if self.code is None:
            return "an unknown line"
        number = next(itertools.islice(self.code.co_positions(), self.position // 2, None))[0]
        return f"{self.code.co_filename}:{number}"

    def note(self) -> Notes:
        """The notes of this node, made if there are none yet."""
        if self.notes is None:
            self.notes = Notes()
        return self.notes

    # For nodes that are no calls of ops.

    def pass_on(self, g: Any, cotangents: Any, leaves: dict[Node, Any]) -> None:
        """Add the cotangent `g` of this node to those of its parents."""
        raise NotImplementedError

    def change(self, changes: dict[Node, Any]) -> Any:
        """The change of this node, given those of its parents; None for zero."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"<node {self.name} {[shape for shape, _ in self.outputs]} made at {self.line}>"


class Several(Node):
    """One recorded call of an op with several outputs, whose cotangents come together here."""

    __slots__ = ("parts",)

    def __init__(self, op: Op[..., Any], parents: tuple[Node | None, ...], saved: Any, parts: list[tuple[Any, Any]]) -> None:
        super().__init__(op, parents, saved, None, None)
        self.parts = parts  # the shape and dtype of each output

    @property
    def outputs(self) -> list[tuple[Any, Any]]:
        return self.parts


class Output(Node):
    """One output of an op that has several."""

    __slots__ = ("index",)
    name: ClassVar[str] = "output"  # type: ignore[misc]

    def __init__(self, call: Several, index: int, shape: Any, dtype: Any) -> None:
        super().__init__(None, (call,), (), shape, dtype)
        self.index = index

    @property
    def call(self) -> Several:
        """The node of the op."""
        return self.parents[0]  # type: ignore[return-value]

    def pass_on(self, g: Any, cotangents: Any, leaves: dict[Node, Any]) -> None:
        parts = cotangents.setdefault(self.call, [None] * len(self.call.parts))
        parts[self.index] = g if parts[self.index] is None else parts[self.index] + g

    def change(self, changes: dict[Node, Any]) -> Any:
        parts = changes.get(self.call)
        return None if parts is None else parts[self.index]


class Input(Node):
    """An argument of a function that is being differentiated: the identity, so that each call has nodes of its own."""

    __slots__ = ()
    name: ClassVar[str] = "argument"  # type: ignore[misc]

    def __init__(self, parent: Node | None, shape: Any, dtype: Any) -> None:
        super().__init__(None, (parent,), (), shape, dtype)

    def pass_on(self, g: Any, cotangents: Any, leaves: dict[Node, Any]) -> None:
        if self.parents[0] is not None:
            cotangents.add(self.parents[0], g)

    def change(self, changes: dict[Node, Any]) -> Any:
        return changes.get(self.parents[0])  # type: ignore[arg-type]


class Leaf(Node):
    """Where gradients end: the node of a Tensor that was asked to require grad.

    It holds the gradient. A gradient with a graph of its own is stored on the Tensor; here it would form a reference cycle.
    """

    __slots__ = ("__weakref__", "_plain", "owned", "owner")
    name: ClassVar[str] = "leaf"  # type: ignore[misc]

    def __init__(self, owner: Any) -> None:
        super().__init__(None, (), (), owner._data.shape, owner._data.dtype)
        self.owner = weakref.ref(owner)
        self.owned: Any = None  # a weak reference to the array that no one else has, see `memory.own`
        self.grad = None

    @property
    def grad(self) -> Any:
        """The gradient, a Tensor or None."""
        return getattr(self.owner(), "_grad", None) if self._plain is None else self._plain

    @grad.setter
    def grad(self, g: Any) -> None:
        self._plain = g if g is None or g._node is None else None
        if (owner := self.owner()) is not None:
            owner._grad = g if self._plain is None else None

    def pass_on(self, g: Any, cotangents: Any, leaves: dict[Node, Any]) -> None:
        leaves[self] = g


def node_of(x: Any) -> Node:
    """The node of a Tensor that has one."""
    node: Node | None = x._node
    assert node is not None
    return node
