"""Calling an op, and recording the call.

A call opens its arguments (`arguments`), runs the op's forward on the raw arrays in them, and wraps what comes out. If an
argument requires grad, the call is recorded: a node remembers the op, the nodes of its arguments, and the arrays that its
rules name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..backend.find import inexact
from ..errors import raise_explained
from ..graph import views
from ..graph.declare import Op
from ..graph.names import registry, xg
from ..graph.node import Node, Output, Several
from ..graph.recording import Recorder, mode
from ..tensor.tensor import Tensor, wrap
from .arguments import open_arguments, promote, put, same_dtype

__all__ = ["class_of", "composite_call", "finish", "general_call", "record", "run_on_tensors", "wrap_all"]


def general_call(op: Op[..., Any]) -> Callable[..., Any]:
    """The function that calls `op` with any arguments, all by position."""
    on_opened = _on_opened(op)
    return lambda *arguments: on_opened(*open_arguments(op, arguments))


def _on_opened(op: Op[..., Any]) -> Callable[..., Any]:
    def run(values: list[Any], arrays: list[Any], items: list[Any], nodes: list[Any], xp: Any) -> Any:
        if not op.scalars or complex in map(type, items) or not any(hasattr(v, "dtype") for v in items):
            items = promote(xp, items)
        elif xp.__backend__.weak_scalars:
            items = same_dtype(xp, items)
        put(op, values, items)
        if op.dtype_at is not None and values[op.dtype_at] is not None:
            values[op.dtype_at] = xp.__backend__.native_dtype(values[op.dtype_at])
        try:
            y = (op.forward if not xp.__backend__.level else xp.__backend__.run(op))(xp, *values)
        except Exception as error:
            raise_explained(error, op, items)
        if op.derivative == "composite" and any([y is x for x in items]):
            y = xp.asarray(y, copy=True)  # not the memory of an argument: see `_its_own`
        return finish(op, values, arrays, items, nodes, y)

    return run


def finish(op: Op[..., Any], values: list[Any], arrays: Sequence[Any], items: Sequence[Any], nodes: Sequence[Any], y: Any) -> Any:
    """What a call returns: Tensors around `y`, recorded if they are to be.

    Parameters
    ----------
    op : Op
        What was called.
    values : list
        All of its parameters, as the forward was given them.
    arrays : sequence
        Its array arguments, as the user gave them.
    items, nodes : sequence
        The raw arrays in those, and their nodes.
    y : array, or tuple or list of arrays
        What the forward returned.
    """
    cls = class_of(arrays)
    recorded = mode.get() and op.derivative != "none" and any(n is not None for n in nodes)
    if not recorded or not (isinstance(y, (tuple, list)) or inexact(y)):
        out = wrap_all(y, cls)
    else:
        tracked = (True,) if op.sequence else tuple(n is not None for n in nodes)
        saved = (op.savers.get(tracked) or op.saver(tracked))(*values, y)
        out, node = record(op, nodes, saved, y, items, cls)
        if cls is not Tensor:
            cls._recorded(out, node, arrays)
    if op.write is not None:
        views.link(out, arrays[0], op, tuple(values[1:]))
    return out


def record(
    op: Op[..., Any], parents: Sequence[Node | None], saved: Any, y: Any, inputs: Sequence[Any], cls: type[Tensor] = Tensor
) -> tuple[Any, Node]:
    """Tensors around `y`, which a call of `op` returned, and the new node that remembers the call.

    Parameters
    ----------
    op : Op
        What was called.
    parents : sequence of Node or None
        The nodes of its array arguments.
    saved : tuple
        An entry for each slot of `op`.
    y : array, or tuple or list of arrays
        What it returned.
    inputs : sequence of arrays
        What it was called on, for recorders.
    cls : type
        Of the Tensors.
    """
    node: Node
    if isinstance(y, (tuple, list)):
        node = Several(op, tuple(parents), saved, [(v.shape, v.dtype) for v in y])
    else:
        node = Node(op, tuple(parents), saved, y.shape, y.dtype)
    out = wrap_all(y, cls, node)
    if isinstance(how := mode.get(), Recorder):
        how.recorded(node, y, inputs)
    return out, node


def wrap_all(y: Any, cls: type[Tensor] = Tensor, node: Any = None) -> Any:
    """Tensors around what an op returned: one array, or several in a tuple or list of some kind."""
    if not isinstance(y, (tuple, list)):
        return wrap(y, node, cls)
    out = [wrap(v, None if node is None or not inexact(v) else Output(node, k, v.shape, v.dtype), cls) for k, v in enumerate(y)]
    return type(y)(*out) if hasattr(y, "_fields") else type(y)(out)


def class_of(arguments: Iterable[Any]) -> type[Tensor]:
    """The subclass of Tensor that is among `arguments`, or Tensor: the class of the results of a call on them."""
    for x in arguments:
        if isinstance(x, Tensor) and type(x) is not Tensor:
            return type(x)
    return Tensor


def composite_call(op: Op[..., Any]) -> Callable[..., Any]:
    """The function that calls a composite: on Tensors if the calls in it are to be recorded, else on raw arrays."""
    on_opened = _on_opened(op)

    def run(*arguments: Any) -> Any:
        values, arrays, items, nodes, xp = open_arguments(op, arguments)
        if not mode.get() or all(n is None for n in nodes):
            return on_opened(values, arrays, items, nodes, xp)
        tensors = [v if v is None or isinstance(v, Tensor) else wrap(v) for v in promote(xp, arrays)]
        return run_on_tensors(op, values, tensors, xp)

    return run


def run_on_tensors(op: Op[..., Any], values: list[Any], tensors: list[Any], xp: Any) -> Any:
    """Run a composite on the Tensors `tensors`, of the raw namespace `xp`, in place of the array arguments in `values`."""
    put(op, values, tensors)
    y = op.forward(xg.namespace(xp.__backend__.name), *values)
    if isinstance(y, (tuple, list)):
        parts = [_its_own(v, tensors) for v in y]
        return type(y)(*parts) if hasattr(y, "_fields") else type(y)(parts)
    return _its_own(y, tensors)


def _its_own(y: Any, arguments: list[Any]) -> Any:
    """What a composite returned, so that writing to it changes no argument, as where nothing is recorded."""
    if not isinstance(y, Tensor):
        return y
    if any(y is x for x in arguments):
        return registry["clone"].call(y)
    return y if y._view is None else wrap(y._data, y._node, type(y))
