"""The hot path: `engine` calls an op in general; these call ops on one or two exact Tensors, with no generality left.

They do what ``engine._general`` does, line for line, and hand over to it whatever they do not expect: other arguments,
an array type that is met for the first time, an error to explain.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import views
from .backend import batched_namespaces, namespaces, weak_types
from .engine import Node, Tensor, wrap
from .grad_mode import mode
from .rules import Op

__all__ = ["in_batch", "one_array", "two_arrays"]

FIRST, BOTH, FIRST_OF_TWO, SECOND = (True,), (True, True), (True, False), (False, True)


def one_array(made: Op[..., Any]) -> Callable[..., Any]:
    forward, general, at, savers = made.forward, made.call, made.dtype_at, made.savers
    new, mode_now, batched = Tensor.__new__, mode.get, in_batch(made)

    def run(x: Any, /, *parameters: Any) -> Any:
        if x.__class__ is not Tensor or (at is not None and parameters[at - 1] is not None):
            return general(x, *parameters)
        a, parent = x._data, x._node
        try:
            y = forward(namespaces[a.__class__], a, *parameters)
        except Exception:  # an error to explain, a type of array that is met for the first time, a batch
            return batched(x, *parameters)
        out = new(Tensor)
        out._data, out._view, out._name = y, None, None
        if parent is None or not (how := mode_now()) or made.kind == "none":
            out._node = None
        else:
            save = savers.get(FIRST) or made.saver(FIRST)
            out._node = node = Node(made, (parent,), save(a, *parameters, y), y.shape, y.dtype)
            if how is not True:
                how.recorded(node, y, (a,))  # type: ignore[union-attr]
        if made.write is not None:
            views.link(out, x, made, parameters)
        return out

    return run


def two_arrays(made: Op[..., Any]) -> Callable[..., Any]:
    forward, general, scalars = made.forward, made.call, {float, int} if made.scalars else set()
    new, savers, mode_now, batched = Tensor.__new__, made.savers, mode.get, in_batch(made)

    def run(x1: Any, x2: Any, /) -> Any:
        if x1.__class__ is Tensor:
            a1, n1 = x1._data, x1._node
            if x2.__class__ is Tensor:
                a2, n2 = x2._data, x2._node
                kind = a1.__class__
                if kind is not a2.__class__ and namespaces.get(kind) is not namespaces.get(a2.__class__):
                    return batched(x1, x2)
                if kind in weak_types and a1.dtype is not a2.dtype:
                    return general(x1, x2)
            elif x2.__class__ in scalars:
                a2, n2 = x2, None
            else:
                return general(x1, x2)
        elif x1.__class__ in scalars and x2.__class__ is Tensor:
            a1, n1, a2, n2 = x1, None, x2._data, x2._node
        else:
            return general(x1, x2)
        try:
            y = forward(namespaces[(a1 if x1.__class__ is Tensor else a2).__class__], a1, a2)
        except Exception:
            return batched(x1, x2)
        out = new(Tensor)
        out._data, out._view, out._name = y, None, None
        if (n1 is n2 and n1 is None) or not (how := mode_now()) or made.kind == "none":
            out._node = None
        else:
            tracked = BOTH if n1 is not None and n2 is not None else SECOND if n1 is None else FIRST_OF_TWO
            save = savers.get(tracked) or made.saver(tracked)
            out._node = node = Node(made, (n1, n2), save(a1, a2, y), y.shape, y.dtype)
            if how is not True:
                how.recorded(node, y, (a1, a2))  # type: ignore[union-attr]
        return out

    return run


def in_batch(made: Op[..., Any]) -> Callable[..., Any]:
    """Unrecorded calls on arrays that hide a batch axis; all others go to `general`."""
    general, count, scalars = made.call, len(made.arrays), {float, int} if made.scalars else set()

    def run(*arguments: Any) -> Any:
        backend: Any = None
        for x in arguments[:count]:
            if x.__class__ is Tensor and (xp := batched_namespaces.get(x._data.__class__)) is not None:
                backend = xp.__backend__ if backend is None or xp.__backend__.depth > backend.depth else backend
        if backend is None:
            return general(*arguments)
        items = list(arguments)
        for k, x in enumerate(arguments[:count]):
            if x.__class__ is Tensor:
                if x._data.__class__ is not backend.cls:  # its node stays inside
                    items[k] = backend.enclose(x)
                elif x._node is None or not mode.get():
                    items[k] = x._data
                else:
                    return general(*arguments)
            elif x.__class__ not in scalars:
                return general(*arguments)
        try:
            y = backend.forward(made)(backend.xp, *items)
        except Exception:
            return general(*arguments)
        out = wrap(y)
        if made.write is not None:
            views.link(out, arguments[0], made, arguments[1:])
        return out

    return run
