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
from .arguments import beside, dominant, put, same_dtype
from .call import finish, run_on_tensors

__all__ = ["checks", "usual_call", "usual_composite_call"]

checks: dict[type, Callable[[Any], None]] = {}
"""`Backend.check` for each type of raw array that was met as an argument; not for NumPy's scalars, which are numbers."""


def _opened(op: Op[..., Any], arrays: Sequence[Any]) -> tuple[list[Any], list[Any], Any] | None:
    """The raw arrays and numbers in the array arguments of a call, their nodes and their namespace; None for other arguments."""
    items: list[Any] = []
    nodes: list[Any] = []
    numbers: list[int] = []  # their places
    common: Any = None
    like: Any = None
    mixed = False  # whether there are several dtypes
    for x in arrays:
        if x.__class__ is Tensor:
            a, node = x._data, x._node
            xp = namespaces.get(a.__class__)
        else:
            a, node = x, None
            xp = namespaces.get(a.__class__)
            if xp is not None:
                if (check := checks.get(a.__class__)) is not None:
                    check(a)
                elif is_numpy_scalar(a):
                    a, xp = a.item(), None
                else:
                    checks[a.__class__] = xp.__backend__.check
                    xp.__backend__.check(a)
        if xp is None:
            if a.__class__ is float or a.__class__ is int:
                numbers.append(len(items))
            elif a is not None or not op.optional:
                return None
        elif common is None:
            common, like = xp, a
        elif xp is not common:
            return None
        elif a.dtype is not like.dtype:
            mixed = True
        items.append(a)
        nodes.append(node)
    if common is None:
        return None
    if op.scalars:
        return (same_dtype(common, items) if mixed and common.__backend__.weak_scalars else items), nodes, common
    if numbers:
        backend = common.__backend__
        if mixed:
            like = dominant(backend, [a for a in items if hasattr(a, "dtype")])
        for k in numbers:
            items[k] = beside(backend, items[k], like)
    return items, nodes, common


def usual_call(op: Op[..., Any], general: Callable[..., Any]) -> Callable[..., Any]:
    """The function that calls an op of any number of arrays, or of a sequence of them; `general` is its general call."""
    forward, places, dtype_at, keyed = op.forward, op.arrays, op.dtype_at, op.key_at is not None and op.write is None
    arrays_only = not op.sequence and len(places) == len(op.names)

    def run(*arguments: Any) -> Any:
        arrays = arguments if arrays_only else arguments[places[0]] if op.sequence else [arguments[i] for i in places]
        whole = (arrays.__class__ is tuple or arrays.__class__ is list) and not (keyed and interpreters.get())
        opened = _opened(op, arrays) if whole else None
        if opened is None:
            return general(*arguments)
        items, nodes, xp = opened
        values = items
        if not arrays_only:
            values = list(arguments)
            put(op, values, items)
            if dtype_at is not None and values[dtype_at] is not None:
                values[dtype_at] = xp.__backend__.native_dtype(values[dtype_at])
        try:
            y = forward(xp, *values)
        except Exception as error:
            raise_explained(error, op, items)
        if isinstance(y, (tuple, list)):
            return finish(op, values, arrays, items, nodes, y)
        out = wrap(y)
        if nodes.count(None) < len(nodes) and (how := mode.get()) and op.derivative != "none" and inexact(y):
            tracked = (True,) if op.sequence else tuple([node is not None for node in nodes])
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
    places, keyed = op.arrays, op.key_at is not None

    def run(*arguments: Any) -> Any:
        arrays = arguments[places[0]] if op.sequence else [arguments[i] for i in places]
        whole = mode.get() and (arrays.__class__ is tuple or arrays.__class__ is list) and not (keyed and interpreters.get())
        opened = _opened(op, arrays) if whole else None
        if opened is None or opened[1].count(None) == len(arrays):
            return general(*arguments)
        items = [x if x.__class__ is Tensor or a is None else wrap(a) for x, a in zip(arrays, opened[0])]
        return run_on_tensors(op, list(arguments), items, opened[2])

    return run
