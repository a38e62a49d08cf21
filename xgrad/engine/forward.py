"""Forward mode: a walk from the oldest node to the newest, the mirror of `engine.pullback`.

The graph that a call left, with the arrays that it saved for the way back, is all that forward mode needs: each op says
how a change of an argument changes its output (`Op.jvp`, `Op.elementwise`, `Op.linear`), and changes add up where the
graph joins. An op that says nothing has forward mode too: its rules for the way back are linear in the cotangent, so that
their own pullback, on this one node, is the transpose of the transpose.

Complex numbers count as pairs of real ones: ``<u, J v> = <J' u, v>`` with the inner product ``Re sum(conj(a) b)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..backend.find import inexact, namespaces, raw_namespace
from ..errors import GradientError
from ..graph import memory
from ..graph.declare import Push
from ..graph.node import ARGUMENT, OUTPUT, Node
from ..graph.recording import batches, mode
from ..graph.walks import Route, route
from ..tensor.tensor import Tensor, wrap
from .backward import pullback, saved_tensors

__all__ = ["pushforward"]


def pushforward(
    inputs: Sequence[Node],
    tangents: Sequence[Any],
    outputs: Sequence[Tensor],
    *,
    create_graph: bool = False,
    linked: bool = True,
    along: Route | None = None,
) -> list[Any]:
    """Walk the graph from `inputs` to `outputs`: the change of each output, given that of each input.

    Parameters
    ----------
    inputs : sequence of Node
        Where the walk begins. It stays between them and `outputs`, and frees nothing.
    tangents : sequence
        A change for each of them, of its shape and dtype: raw arrays; or Tensors, and then rules run on Tensors.
    outputs : sequence of Tensor
        Where it ends.
    create_graph : bool
        Whether what rules do on Tensors is recorded.
    linked : bool
        Whether what nodes saved is part of that graph, or a constant in it: whether changes are to be differentiated by
        the inputs too, and not by tangents alone.
    along : list, optional
        What `route` gave for these inputs and outputs, for walking there again and again.

    Returns
    -------
    list
        For each output its change, of its shape and dtype, or None if that is zero by the shape of the graph.

    Raises
    ------
    GradientError
        If a backward pass freed the graph, or an array that it saved was written to.
    """
    changes: dict[Node, Any] = dict(zip(inputs, tangents))
    node: Node | None = None
    on_tensors = create_graph or any(isinstance(t, Tensor) for t in tangents)
    token = mode.set(create_graph or (bool(batches.get()) and mode.get()))  # as in `pullback`
    try:
        steps = route(inputs, outputs) if along is None else along
        memory.look(node for node, _ in steps)
        for node, last in steps:
            if node.op is OUTPUT:
                parts = changes.get(node.parents[0])  # type: ignore[arg-type]
                change = None if parts is None else parts[node.saved]
            else:
                change = _change(node, changes, on_tensors, create_graph, linked)
            if change is not None:
                changes[node] = change
            for parent in last:
                changes.pop(parent, None)
    except GradientError:
        raise
    except Exception as error:
        if node is not None:
            error.add_note(f"in the forward derivative of {node.op.name}, called at {node.line}")
        raise
    finally:
        mode.reset(token)
    return [None if y._node is None else changes.get(y._node) for y in outputs]


def _change(node: Node, changes: dict[Node, Any], on_tensors: bool, create_graph: bool, linked: bool) -> Any:
    """The change of the output of `node`: an array, a tuple for several outputs, or None for zero."""
    made, saved, total = node.op, None, None
    xp: Any = None
    if made.kind == "zero":
        return None
    steps = _in_sequence(node, changes) if made.sequence else zip(node.parents, made.pushes)
    for parent, push in steps:
        t = changes.get(parent)  # type: ignore[arg-type]
        if t is None:
            continue
        if saved is None:
            _check(node)
            xp = namespaces.get(t.__class__) or (t.__array_namespace__() if on_tensors else raw_namespace(t))
            saved = saved_tensors(node, linked) if on_tensors else node.saved
        if push is None:
            return _transposed_twice(node, changes, create_graph, linked)
        kind, rule = push
        if made.sequence:
            t = _filled(xp, node, changes, t)
        elif kind == "elementwise" and t.shape != node.shape:
            t = xp.broadcast_to(t, node.shape)
        d = rule(xp, t, saved)
        total = d if total is None else _sum(total, d)
    if total is None:
        return None
    if isinstance(node.shape, list):
        return tuple([d if d is None else _fit(xp, d, *facts) for d, *facts in zip(total, node.shape, node.dtype)])
    return _fit(xp, total, node.shape, node.dtype)


def _check(node: Node) -> None:
    if node.saved is None:
        raise memory.freed(node)
    if node.age < memory.last_write:
        memory.check(node)
    if node.extra is not None and "guard" in node.extra:
        memory.check_guarded(node)


def _sum(a: Any, b: Any) -> Any:
    if not isinstance(a, tuple):
        return a + b
    return tuple(y if x is None else x if y is None else x + y for x, y in zip(a, b))


def _in_sequence(node: Node, changes: dict[Node, Any]) -> list[tuple[Node | None, Push | None]]:
    """Of a sequence of arrays, the first that changes: its rule is run once, for all."""
    return [(next((parent for parent in node.parents if parent in changes), None), node.op.pushes[0])]


def _filled(xp: Any, node: Node, changes: dict[Node, Any], one: Any) -> list[Any]:
    """The changes of the items of a sequence, zero for those that have none."""
    shapes = node.saved[-1] or [None for _ in node.parents]
    return [
        changes[parent] if parent in changes else xp.new_zeros(one, shape if parent is None else parent.shape)
        for parent, shape in zip(node.parents, shapes)
    ]


def _fit(xp: Any, d: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """`d` with the dtype and shape of the output whose change it is."""
    if d.dtype != dtype:
        if xp.isdtype(d.dtype, "complex floating") and not xp.isdtype(dtype, "complex floating"):
            d = xp.real(d)
        d = xp.astype(d, dtype)
    return d if d.shape == shape else xp.broadcast_to(d, shape)


def _transposed_twice(node: Node, changes: dict[Node, Any], create_graph: bool, linked: bool) -> Any:
    """The change of the output of `node` by the rules for the way back: by the pullback of their pullback.

    A copy of the node, with parents of its own, takes the first walk no further than it must go.
    """
    given = {k: changes[parent] for k, parent in enumerate(node.parents) if parent in changes}
    parents = node.parents if create_graph and linked else (None,) * len(node.parents)
    stands = {k: _stand_in(node.parents[k], parents[k]) for k in given}
    copy = Node(node.op, tuple(stands.get(k, p) for k, p in enumerate(parents)), node.saved, node.shape, node.dtype)
    copy.where = node.where
    one = next(iter(given.values()))
    one = one._data if isinstance(one, Tensor) else one
    several = isinstance(node.shape, list)
    outputs, cotangents, nodes = [], [], []
    for k, (shape, dtype) in enumerate(zip(node.shape, node.dtype) if several else [(node.shape, node.dtype)]):
        zero = raw_namespace(one).new_zeros(one, shape, dtype=dtype)
        outputs.append(wrap(zero, Node(OUTPUT, (copy,), k, shape, dtype) if several else copy))
        nodes.append(Node(ARGUMENT, (None,), (None, None, None), shape, dtype))
        cotangents.append(wrap(zero, nodes[k] if inexact(zero) else None))
    pulled = pullback(outputs, cotangents, inputs=list(stands.values()), create_graph=True)
    starts = [(pulled[stand], given[k]) for k, stand in stands.items() if stand in pulled]
    found = pullback([g for g, _ in starts], [t for _, t in starts], inputs=nodes, retain_graph=True, create_graph=create_graph)
    return tuple(map(found.get, nodes)) if several else found.get(nodes[0])


def _stand_in(node: Any, parent: Node | None) -> Node:
    return Node(ARGUMENT, (parent,), (None, None, None), node.shape, node.dtype)
