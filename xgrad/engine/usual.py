"""Calls with the usual arguments, Tensors, arrays of one library and numbers, which are opened in one pass.

They do what `call.general_call` and `call.composite_call` do, and hand over to it whatever else they are given: subclasses,
sequences of numbers, arrays of an interpreter, and an array type that is met for the first time, which is not in `namespaces`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..backend.find import inexact, is_numpy_scalar, namespaces
from ..errors import raise_explained
from ..graph import views
from ..graph.declare import Op
from ..graph.node import Node
from ..graph.recording import interpreters, mode
from ..tensor.tensor import Tensor, wrap
from .arguments import promote, put, same_dtype
from .call import finish, run_on_tensors

__all__ = ["usual_call", "usual_composite_call"]

NUMBERS = (float, int)


def _opened(op: Op[..., Any], arrays: Sequence[Any]) -> tuple[list[Any], list[Any], Any] | None:
    """The raw arrays and numbers in the array arguments of a call, their nodes and their namespace; None for other arguments."""
    items: list[Any] = []
    nodes: list[Any] = []
    common: Any = None
    numbers = False
    for x in arrays:
        a, node = (x._data, x._node) if x.__class__ is Tensor else (x, None)
        xp = namespaces.get(a.__class__)
        if xp is not None and a is x:
            if is_numpy_scalar(a):
                a, xp = a.item(), None
            else:
                xp.__backend__.check(a)
        if xp is None:
            if a.__class__ in NUMBERS:
                numbers = True
            elif a is not None or not op.optional:
                return None
        elif common is None or xp is common:
            common = xp
        else:
            return None
        items.append(a)
        nodes.append(node)
    if common is None:
        return None
    if numbers and not op.scalars:
        items = promote(common, items)
    elif op.scalars and common.__backend__.weak_scalars:
        items = same_dtype(common, items)
    return items, nodes, common


def usual_call(op: Op[..., Any], general: Callable[..., Any]) -> Callable[..., Any]:
    """The function that calls an op of any number of arrays, or of a sequence of them; `general` is its general call."""
    forward, places, dtype_at, keyed = op.forward, op.arrays, op.dtype_at, op.key_at is not None and op.write is None

    def run(*arguments: Any) -> Any:
        arrays = arguments[places[0]] if op.sequence else [arguments[i] for i in places]
        opened = _opened(op, arrays) if isinstance(arrays, (list, tuple)) else None
        if opened is None or (dtype_at is not None and arguments[dtype_at] is not None) or (keyed and interpreters.get()):
            return general(*arguments)
        items, nodes, xp = opened
        values = list(arguments)
        put(op, values, items)
        try:
            y = forward(xp, *values)
        except Exception as error:
            raise_explained(error, op, items)
        if isinstance(y, (tuple, list)):
            return finish(op, values, arrays, items, nodes, y)
        out = wrap(y)
        tracked = tuple([node is not None for node in nodes])
        if True in tracked and (how := mode.get()) and op.derivative != "none" and inexact(y):
            tracked = (True,) if op.sequence else tracked
            save = op.savers.get(tracked) or op.saver(tracked)
            out._node = node = Node(op, tuple(nodes), save(*values, y), y.shape, y.dtype)
            if how is not True:
                how.recorded(node, y, items)  # type: ignore[union-attr]
        if op.write is not None:
            views.link(out, arrays[0], op, tuple(values[1:]))
        return out

    return run


def usual_composite_call(op: Op[..., Any], general: Callable[..., Any]) -> Callable[..., Any]:
    """The function that calls a composite on Tensors, if the calls in it are to be recorded; `general` is its general call."""
    places = op.arrays

    def run(*arguments: Any) -> Any:
        arrays = arguments[places[0]] if op.sequence else [arguments[i] for i in places]
        opened = _opened(op, arrays) if mode.get() and isinstance(arrays, (list, tuple)) else None
        if opened is None or all([node is None for node in opened[1]]):
            return general(*arguments)
        items = [x if x.__class__ is Tensor or a is None else wrap(a) for x, a in zip(arrays, opened[0])]
        return run_on_tensors(op, list(arguments), items, opened[2])

    return run
