"""Values computed outside the graph, and the nodes that put them back into it, with a derivative that is stated."""

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

__all__ = ["Recording", "parts", "pulled", "put_back"]


class Recording:
    """A call recorded whatever the mode: its results, and the nodes from before the call that they depend on.

    Those nodes are of the function's arguments and of every tensor that it captured, so that none is forgotten. For one of
    several outputs of an op stands the node of the op itself, since a walk back may meet the others too.
    """

    def __init__(self, f: Callable[[], Sequence[Tensor]]) -> None:
        start = memory.next_age()
        with recording(mode.get() or True):
            self.results = list(f())
        found = frontier((y._node for y in self.results if y._node is not None), start)
        self.outside = list(dict.fromkeys(n.call if isinstance(n, Output) else n for n in found))

    def depends_only_on(self, known: Iterable[Node | None], what: str) -> None:
        """Raise if a call depends on other nodes, which a first call did not meet."""
        met = {*known}
        if lost := [node for node in self.outside if node not in met]:
            raise GradientError(
                f"{what}: the function used a tensor that requires grad ({lost[0].name} at {lost[0].line}), but not in its "
                "first call, so that its gradient would be lost; use it in every call, times zero where it has no part"
            )


def parts(node: Node) -> list[tuple[int | None, Any, Any]]:
    """The number, shape and dtype of each floating output of a node; the number of a single one is None."""
    if not isinstance(node, Several):
        return [(None, node.shape, node.dtype)]
    return [(k, shape, dtype) for k, (shape, dtype) in enumerate(node.parts) if dtype_of(dtype).inexact]


def put_back(
    name: str,
    data: Sequence[Any],
    outside: Sequence[Node],
    replay: Callable[[Sequence[Tensor], Sequence[Tensor]], Sequence[Tensor]],
) -> list[Tensor]:
    """Tensors around the arrays `data`, which depend on the nodes `outside` with the derivative that `replay` knows.

    ``replay(gs, ys)`` returns the cotangents of all `parts` of the nodes, given the results `ys` and their cotangents. All of
    them are Tensors. It runs in the mode of the walk: when the walk is recorded, `ys` are in their places in the graph, and
    what it computes must be differentiable.
    """
    if not outside or not mode.get():
        return [wrap(x) for x in data]

    def rule(g: Sequence[Any], y: Sequence[Any]) -> Sequence[Any]:
        if isinstance(g[0], Tensor):
            return replay(g, y)
        return [d._data for d in replay([wrap(v) for v in g], [wrap(v) for v in y])]

    made: Op[..., Any] = Op(lambda xp, *arrays, rule: arrays)
    made.name = name
    made.vjp(arrays=lambda g, y, rule: rule(g, y))
    parents = [Output(n, k, s, d) if isinstance(n, Several) and k is not None else n for n in outside for k, s, d in parts(n)]
    tensors, _ = record(made, parents, (None, rule, tuple(data), None), tuple(data), ())
    return list(tensors)


def pulled(ys: Sequence[Tensor], gs: Sequence[Tensor], nodes: Sequence[Node]) -> list[Tensor]:
    """The cotangents of all `parts` of `nodes`, each while the others are held fixed; recorded if calls are recorded now."""
    record = bool(mode.get())
    found = pullback(ys, gs if record else [g._data for g in gs], inputs=nodes, retain_graph=True, create_graph=record)
    like = gs[0]._data
    out = []
    for node in nodes:
        got = found.get(node)
        for k, shape, dtype in parts(node):
            x = got if k is None or got is None else got[k]
            x = raw_namespace(like).new_zeros(like, shape, dtype=dtype) if x is None else x
            out.append(x if isinstance(x, Tensor) else wrap(x))
    return out
