"""The hot path of calls: `call` calls an op in general; these call ops on one or two exact Tensors, with no generality left.

They do what ``call.general_call`` does, line for line, and hand over whatever they do not expect: raw arrays to
``usual.usual_call``, other arguments and an array type that is met for the first time to `general_call`. They ask first: a
forward is run once, also where it raises.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backend.find import namespaces, weak_types
from ..errors import raise_explained
from ..graph import views
from ..graph.declare import Op
from ..graph.node import Node
from ..graph.recording import interpreters, mode
from ..tensor.tensor import Tensor
from .call import finish
from .lifted import lifted_call
from .usual import checks

__all__ = ["one_array", "two_arrays"]

FIRST, BOTH, FIRST_OF_TWO, SECOND = (True,), (True, True), (True, False), (False, True)


def one_array(op: Op[..., Any], general: Callable[..., Any], usual: Callable[..., Any]) -> Callable[..., Any]:
    """The function that calls an op of one array and other parameters; `general` and `usual` are its other calls."""
    forward, at, savers = op.forward, op.dtype_at, op.savers
    new, mode_now, lifted, space_of = Tensor.__new__, mode.get, lifted_call(op, general), namespaces.get
    keyed, unsure = op.key_at is not None, op.returns != "one"

    def run(x: Any, /, *parameters: Any) -> Any:
        if x.__class__ is not Tensor or (at is not None and parameters[at - 1] is not None):
            return usual(x, *parameters)
        a, parent = x._data, x._node
        xp = space_of(a.__class__)
        if xp is None:  # an array of an interpreter, or a type of array that is met for the first time
            return lifted(x, *parameters)
        if keyed and op.write is None and interpreters.get():  # in the key of a view there are no arrays
            return lifted(x, *parameters)
        try:
            y = forward(xp, a, *parameters)
        except Exception as error:
            raise_explained(error, op, [a])
        if unsure and isinstance(y, (tuple, list)):
            return finish(op, [a, *parameters], [x], [a], [parent], y)
        out = new(Tensor)
        out._data, out._view, out._name = y, None, None
        if parent is None or not (how := mode_now()) or op.derivative == "none":
            out._node = None
        else:
            save = savers.get(FIRST) or op.saver(FIRST)
            out._node = node = Node(op, (parent,), save(a, *parameters, y), y.shape, y.dtype)
            if how is not True:
                how.recorded(node, y, (a,))  # type: ignore[union-attr]
        if op.write is not None:
            views.link(out, x, op, parameters)
        return out

    return run


def two_arrays(op: Op[..., Any], general: Callable[..., Any], usual: Callable[..., Any]) -> Callable[..., Any]:
    """The function that calls an op of two arrays; `general` and `usual` are its other calls."""
    forward, scalars = op.forward, {float, int} if op.scalars else set()
    new, savers, mode_now, lifted, space_of = Tensor.__new__, op.savers, mode.get, lifted_call(op, general), namespaces.get
    unsure = op.returns != "one"

    def run(x1: Any, x2: Any, /) -> Any:
        if x1.__class__ is Tensor:
            a1, n1 = x1._data, x1._node
            if x2.__class__ is Tensor:
                a2, n2 = x2._data, x2._node
                kind = a1.__class__
                if kind is not a2.__class__ and space_of(kind) is not space_of(a2.__class__):
                    return lifted(x1, x2)
                if kind in weak_types and a1.dtype is not a2.dtype:
                    return general(x1, x2)
            elif x2.__class__ in scalars:
                a2, n2, kind = x2, None, a1.__class__
            else:  # an array of the same type; `usual` takes all else
                a2, n2, kind = x2, None, a1.__class__
                if x2.__class__ is not kind or (check := checks.get(kind)) is None or kind in weak_types:
                    return usual(x1, x2)
                check(x2)
        elif x2.__class__ is Tensor:
            a1, n1, a2, n2 = x1, None, x2._data, x2._node
            kind = a2.__class__
            if x1.__class__ not in scalars:
                if x1.__class__ is not kind or (check := checks.get(kind)) is None or kind in weak_types:
                    return usual(x1, x2)
                check(x1)
        else:
            return usual(x1, x2)
        xp = space_of(kind)
        if xp is None:  # an array of an interpreter, or a type of array that is met for the first time
            return lifted(x1, x2)
        try:
            y = forward(xp, a1, a2)
        except Exception as error:
            raise_explained(error, op, [a1, a2])
        if unsure and isinstance(y, (tuple, list)):
            return finish(op, [a1, a2], [x1, x2], [a1, a2], [n1, n2], y)
        out = new(Tensor)
        out._data, out._view, out._name = y, None, None
        if (n1 is n2 and n1 is None) or not (how := mode_now()) or op.derivative == "none":
            out._node = None
        else:
            tracked = BOTH if n1 is not None and n2 is not None else SECOND if n1 is None else FIRST_OF_TWO
            save = savers.get(tracked) or op.saver(tracked)
            out._node = node = Node(op, (n1, n2), save(a1, a2, y), y.shape, y.dtype)
            if how is not True:
                how.recorded(node, y, (a1, a2))  # type: ignore[union-attr]
        return out

    return run
