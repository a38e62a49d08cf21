"""Calling an op, and recording the call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..backend.find import inexact
from ..errors import raise_explained
from ..graph import views
from ..graph.declare import Op
from ..graph.names import registry
from ..graph.node import OUTPUT, Node
from ..graph.recording import Recorder, mode
from ..tensor.tensor import Tensor, wrap
from .arguments import open_arguments, promote, put, same_dtype

__all__ = ["attach", "class_of", "general", "recorded", "wrap_all"]


def general(made: Op[..., Any]) -> Callable[..., Any]:
    on_opened = _on_opened(made)
    return lambda *arguments: on_opened(*open_arguments(made, arguments))


def _on_opened(made: Op[..., Any]) -> Callable[..., Any]:
    def run(values: list[Any], given: list[Any], items: list[Any], nodes: list[Any], xp: Any) -> Any:
        if not made.scalars or complex in map(type, items) or not any(hasattr(v, "dtype") for v in items):
            items = promote(xp, items)
        elif xp.__backend__.weak_scalars:
            items = same_dtype(xp, items)
        put(made, values, items)
        if made.dtype_at is not None and values[made.dtype_at] is not None:
            values[made.dtype_at] = xp.__backend__.native_dtype(values[made.dtype_at])
        try:
            y = (made.forward if not xp.__backend__.depth else xp.__backend__.forward(made))(xp, *values)
        except Exception as error:
            raise_explained(error, made.name, [made.names[i] for i in made.arrays], items)
        if made.kind == "composite" and any([y is x for x in items]):
            y = xp.asarray(y, copy=True)  # not the memory of an argument: see `_its_own`
        return recorded(made, values, given, items, nodes, y)

    return run


def recorded(
    made: Op[..., Any], values: list[Any], given: Sequence[Any], items: Sequence[Any], nodes: Sequence[Any], y: Any
) -> Any:
    """Tensors around `y`, what the op `made` returned, and a node for the call if it is to be recorded."""
    cls = next((type(v) for v in given if isinstance(v, Tensor) and type(v) is not Tensor), Tensor)
    how = mode.get() if made.kind != "none" and any(n is not None for n in nodes) else False
    several = isinstance(y, (tuple, list))
    if not how or not (several or inexact(y)):
        out = wrap_all(y, cls)
    else:
        tracked = (True,) if made.sequence else tuple(n is not None for n in nodes)
        saved = (made.savers.get(tracked) or made.saver(tracked))(*values, y)
        if several:
            node = Node(made, tuple(nodes), saved, [v.shape for v in y], [v.dtype for v in y])
        else:
            node = Node(made, tuple(nodes), saved, y.shape, y.dtype)
        out = wrap_all(y, cls, node)
        if isinstance(how, Recorder):
            how.recorded(node, y, items)
        if cls is not Tensor:
            cls._recorded(out, node, given)
    if made.write is not None:
        views.link(out, given[0], made, tuple(values[1:]))
    return out


def _composite(made: Op[..., Any]) -> Callable[..., Any]:
    on_opened = _on_opened(made)

    def run(*arguments: Any) -> Any:
        values, given, items, nodes, xp = open_arguments(made, arguments)
        if not mode.get() or all(n is None for n in nodes):
            return on_opened(values, given, items, nodes, xp)
        some = next(v for v in given if isinstance(v, Tensor))
        tensors = [v if v is None or isinstance(v, Tensor) else wrap(v) for v in promote(xp, given)]
        put(made, values, tensors)
        y = made.forward(some.__array_namespace__(), *values)
        if isinstance(y, (tuple, list)):
            parts = [_its_own(v, tensors) for v in y]
            return type(y)(*parts) if hasattr(y, "_fields") else type(y)(parts)
        return _its_own(y, tensors)

    return run


def _its_own(y: Any, arguments: list[Any]) -> Any:
    """What a composite returned, so that writing to it changes no argument, as where nothing is recorded."""
    if not isinstance(y, Tensor):
        return y
    if any(y is x for x in arguments):
        return registry["clone"].call(y)
    return y if y._view is None else wrap(y._data, y._node, type(y))


def wrap_all(y: Any, cls: type[Tensor], node: Node | None = None) -> Any:
    """Tensors around what an op returned: one array, or several in a tuple or list of some kind."""
    if not isinstance(y, (tuple, list)):
        return wrap(y, node, cls)
    out = [
        wrap(v, None if node is None or not inexact(v) else Node(OUTPUT, (node,), k, v.shape, v.dtype), cls)
        for k, v in enumerate(y)
    ]
    return type(y)(*out) if hasattr(y, "_fields") else type(y)(out)


def attach(
    op: Op[..., Any],
    parents: Sequence[Node | None],
    saved: Any,
    data: Sequence[Any],
    inputs: Sequence[Any],
    cls: type[Tensor] = Tensor,
) -> list[Tensor]:
    """Tensors around the arrays `data`, made by one new node: they are the outputs of `op`, called on `inputs`.

    Parameters
    ----------
    op : Op
        An op of a sequence of arrays, whose rule finds in `saved` what it needs.
    parents : sequence of Node or None
        The nodes of what it was called on.
    saved : tuple
        An entry for each slot of `op`.
    data : sequence of arrays
        Floating outputs.
    inputs : sequence of arrays
        What it was called on, for those who watch.
    cls : type
        Of the Tensors.
    """
    node = Node(op, tuple(parents), saved, [v.shape for v in data], [v.dtype for v in data])
    out: tuple[Tensor, ...] = wrap_all(tuple(data), cls, node)
    how = mode.get()
    if isinstance(how, Recorder):
        how.recorded(node, tuple(data), tuple(inputs))
    return list(out)


def class_of(leaves: Iterable[Any]) -> type[Tensor]:
    """The subclass of Tensor that is among `leaves`, or Tensor: what the results of a call on them are."""
    return next((type(x) for x in leaves if isinstance(x, Tensor) and type(x) is not Tensor), Tensor)
