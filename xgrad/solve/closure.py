"""Values computed outside the graph, inserted into it with a derivative that is stated.

The derivative depends on the nodes that the user's function uses, which `Recorded` finds by one recorded call.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..backend.dtypes import dtype_of
from ..backend.find import raw_namespace
from ..engine.backward import pullback
from ..engine.call import record
from ..errors import GradientError
from ..graph import memory
from ..graph.declare import Op
from ..graph.node import Node, Output, Several
from ..graph.recording import mode, recording
from ..graph.walks import frontier
from ..tensor.tensor import Tensor, wrap

__all__ = ["Recorded", "insert", "parts", "pull_to_nodes"]


class Recorded:
    """A call that is recorded in any mode: its `results`, and the nodes from before the call that they depend on, `outside`.

    Those nodes belong to the arguments of the function and to every tensor that it captures. One output of an op with several
    is represented by the node of the op, since a pullback may reach its other outputs too.
    """

    def __init__(self, f: Callable[[], Sequence[Tensor]]) -> None:
        start = memory.next_age()
        with recording(mode.get() or True):
            self.results = list(f())
        nodes = frontier((y._node for y in self.results if y._node is not None), start)
        self.outside = list(dict.fromkeys(n.call if isinstance(n, Output) else n for n in nodes))

    def check_outside(self, known: Iterable[Node | None], caller: str) -> None:
        """Raise if the call depends on other nodes than `known`, those of the first call."""
        expected = {*known}
        if lost := [node for node in self.outside if node not in expected]:
            raise GradientError(
                f"{caller}: the function used a tensor that requires grad ({lost[0].name} at {lost[0].line}), but not in its "
                "first call, so that its gradient would be lost; use it in every call, times zero where it is not needed"
            )


def parts(node: Node) -> list[tuple[int | None, Any, Any]]:
    """The index, shape and dtype of each floating output of a node; the index is None for an op with one output."""
    if not isinstance(node, Several):
        return [(None, node.shape, node.dtype)]
    return [(k, shape, dtype) for k, (shape, dtype) in enumerate(node.parts) if dtype_of(dtype).inexact]


def insert(
    name: str,
    data: Sequence[Any],
    outside: Sequence[Node],
    pull: Callable[[Sequence[Tensor], Sequence[Tensor]], Sequence[Tensor]],
) -> list[Tensor]:
    """Insert the arrays `data` into the graph: Tensors that depend on the nodes `outside`, with the derivative `pull`.

    ``pull(gs, ys)`` takes the cotangents of the results and the results `ys`, and returns the cotangents of all `parts` of the
    nodes. All are Tensors. It runs in the mode of the pullback: if that is recorded, `ys` are in their places in the graph, and
    `pull` must be differentiable.
    """
    if not outside or not mode.get():
        return [wrap(x) for x in data]

    def rule(g: Sequence[Any], y: Sequence[Any]) -> Sequence[Any]:
        if isinstance(g[0], Tensor):
            return pull(g, y)
        return [d._data for d in pull([wrap(v) for v in g], [wrap(v) for v in y])]

    op: Op[..., Any] = Op(lambda xp, *arrays, rule: arrays)
    op.name = name
    op.vjp(arrays=lambda g, y, rule: rule(g, y))
    parents = [Output(n, k, s, d) if isinstance(n, Several) and k is not None else n for n in outside for k, s, d in parts(n)]
    tensors, _ = record(op, parents, (None, rule, tuple(data), None), tuple(data), ())
    return list(tensors)


def pull_to_nodes(ys: Sequence[Tensor], gs: Sequence[Tensor], nodes: Sequence[Node]) -> list[Tensor]:
    """The cotangents of all `parts` of `nodes`, given the cotangents `gs` of `ys`; recorded if calls are recorded now."""
    recorded = bool(mode.get())
    cotangents = pullback(ys, gs if recorded else [g._data for g in gs], inputs=nodes, retain_graph=True, create_graph=recorded)
    like = gs[0]._data
    out = []
    for node in nodes:
        g = cotangents.get(node)
        for k, shape, dtype in parts(node):
            part = g if k is None or g is None else g[k]
            part = raw_namespace(like).new_zeros(like, shape, dtype=dtype) if part is None else part
            out.append(part if isinstance(part, Tensor) else wrap(part))
    return out
