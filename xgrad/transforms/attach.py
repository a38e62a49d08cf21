"""Putting a call into the graph as one node, for calls that are no ops: of a checkpoint, or with a user's own rule."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..engine import Node, Tensor, _wrap_all
from ..grad_mode import Recorder, mode
from ..rules import Op

__all__ = ["attach", "class_of"]


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
    out: tuple[Tensor, ...] = _wrap_all(tuple(data), cls, node)
    how = mode.get()
    if isinstance(how, Recorder):
        how.recorded(node, tuple(data), tuple(inputs))
    return list(out)


def class_of(leaves: Iterable[Any]) -> type[Tensor]:
    """The subclass of Tensor that is among `leaves`, or Tensor: what the results of a call on them are."""
    return next((type(x) for x in leaves if isinstance(x, Tensor) and type(x) is not Tensor), Tensor)
