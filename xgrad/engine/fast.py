"""The hot path: `engine` calls an op in general; these call ops on one or two exact Tensors, with no generality left.

They do what ``engine._general`` does, line for line, and hand over to it whatever they do not expect: other arguments,
an array type that is met for the first time, several outputs. They ask first: a forward is run once, also where it raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backend.find import batched_namespaces, namespaces, weak_types
from ..errors import raise_explained
from ..graph import views
from ..graph.declare import Op, returns
from ..graph.node import Node
from ..graph.recording import batches, mode
from ..tensor.tensor import Tensor, wrap
from .arguments import in_key
from .call import recorded

__all__ = ["in_batch", "one_array", "two_arrays"]

FIRST, BOTH, FIRST_OF_TWO, SECOND = (True,), (True, True), (True, False), (False, True)


def one_array(made: Op[..., Any]) -> Callable[..., Any]:
    forward, general, at, savers = made.forward, made.call, made.dtype_at, made.savers
    new, mode_now, batched, spaces = Tensor.__new__, mode.get, in_batch(made), namespaces
    keyed, unsure = made.key_at is not None, returns(made.source) != "one"

    def run(x: Any, /, *parameters: Any) -> Any:
        if x.__class__ is not Tensor or (at is not None and parameters[at - 1] is not None):
            return general(x, *parameters)
        a, parent = x._data, x._node
        try:
            xp = spaces[a.__class__]
        except KeyError:  # a type of array that is met for the first time, a batch
            return batched(x, *parameters)
        if keyed and made.write is None and batches.get():  # in the key of a view there are no arrays
            return batched(x, *parameters)
        try:
            y = forward(xp, a, *parameters)
        except Exception as error:
            raise_explained(error, made.name, [made.names[0]], [a])
        if unsure and isinstance(y, (tuple, list)):
            return recorded(made, [a, *parameters], [x], [a], [parent], y)
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
    new, savers, mode_now, batched, spaces = Tensor.__new__, made.savers, mode.get, in_batch(made), namespaces
    unsure = returns(made.source) != "one"

    def run(x1: Any, x2: Any, /) -> Any:
        if x1.__class__ is Tensor:
            a1, n1 = x1._data, x1._node
            if x2.__class__ is Tensor:
                a2, n2 = x2._data, x2._node
                kind = a1.__class__
                if kind is not a2.__class__ and spaces.get(kind) is not spaces.get(a2.__class__):
                    return batched(x1, x2)
                if kind in weak_types and a1.dtype is not a2.dtype:
                    return general(x1, x2)
            elif x2.__class__ in scalars:
                a2, n2, kind = x2, None, a1.__class__
            else:
                return general(x1, x2)
        elif x1.__class__ in scalars and x2.__class__ is Tensor:
            a1, n1, a2, n2 = x1, None, x2._data, x2._node
            kind = a2.__class__
        else:
            return general(x1, x2)
        try:
            xp = spaces[kind]
        except KeyError:  # a type of array that is met for the first time, a batch
            return batched(x1, x2)
        try:
            y = forward(xp, a1, a2)
        except Exception as error:
            raise_explained(error, made.name, made.names, [a1, a2])
        if unsure and isinstance(y, (tuple, list)):
            return recorded(made, [a1, a2], [x1, x2], [a1, a2], [n1, n2], y)
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
        if backend is None or (made.key_at is not None and in_key(arguments[made.key_at])):
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
        except Exception as error:
            raise_explained(error, made.name, [made.names[i] for i in made.arrays], items[:count])
        if isinstance(y, (tuple, list)):
            return recorded(made, items, arguments[:count], items[:count], [None] * count, y)
        out = wrap(y)
        if made.write is not None:
            views.link(out, arguments[0], made, arguments[1:])
        return out

    return run
