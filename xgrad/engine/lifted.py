"""Unrecorded calls on arrays of an interpreter, such as those of `vmap`, which the hot path hands over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backend.find import lifted_namespaces
from ..errors import raise_explained
from ..graph import views
from ..graph.declare import Op
from ..graph.recording import mode
from ..tensor.tensor import Tensor, wrap
from .arguments import in_key
from .call import finish

__all__ = ["lifted_call"]


def lifted_call(op: Op[..., Any], general: Callable[..., Any]) -> Callable[..., Any]:
    """The function that makes unrecorded calls on arrays of an interpreter; it hands all others to the general call."""
    count, scalars = len(op.arrays), {float, int} if op.scalars else set()

    def run(*arguments: Any) -> Any:
        backend: Any = None
        for x in arguments[:count]:
            if x.__class__ is Tensor and (xp := lifted_namespaces.get(x._data.__class__)) is not None:
                backend = xp.__backend__ if backend is None or xp.__backend__.level > backend.level else backend
        if backend is None or (op.key_at is not None and in_key(arguments[op.key_at])):
            return general(*arguments)
        items = list(arguments)
        for k, x in enumerate(arguments[:count]):
            if x.__class__ is Tensor:
                lower = x._data.__class__ is not backend.cls
                if x._node is None or not mode.get() or (lower and backend.graph_inside):
                    items[k] = backend.lift(x) if lower else x._data
                else:
                    return general(*arguments)
            elif x.__class__ not in scalars:
                return general(*arguments)
        try:
            y = backend.run(op)(backend.xp, *items)
        except Exception as error:
            raise_explained(error, op, items[:count])
        if isinstance(y, (tuple, list)):
            return finish(op, items, arguments[:count], items[:count], [None] * count, y)
        out = wrap(y)
        if op.write is not None:
            views.link(out, arguments[0], op, arguments[1:])
        return out

    return run
