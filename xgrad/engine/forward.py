"""Forward mode: a walk from the oldest node to the newest, the mirror of `backward.pullback`.

Forward mode needs only the graph and the arrays that it saved for reverse mode. The forward rule of an op (`Op.jvp`,
`Op.elementwise`, `Op.linear`) gives the change of its output, and changes add up where the graph joins. For an op without one,
the reverse rule is used twice: it is linear in the cotangent, so its own pullback, on this one node, is the transpose of the
transpose.

Complex numbers count as pairs of real ones: ``<u, J v> = <J' u, v>`` with the inner product ``Re sum(conj(a) b)``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..backend.find import inexact, namespaces, raw_namespace
from ..errors import GradientError
from ..graph import memory
from ..graph.declare import Push
from ..graph.node import Input, Node, Output, Several
from ..graph.recording import interpreters, mode
from ..graph.walks import Route, route
from ..tensor.tensor import Tensor, wrap
from .backward import cast, check, pullback, saved_tensors
from .watch import watched

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
    token = mode.set(create_graph or (bool(interpreters.get()) and mode.get()))  # as in `pullback`
    try:
        steps = route(inputs, outputs) if along is None else along
        memory.look(node for node, _ in steps)
        for node, last in steps:
            change = node.change(changes) if node.op is None else _change(node, changes, on_tensors, create_graph, linked)
            if change is not None:
                changes[node] = change
            for parent in last:
                changes.pop(parent, None)
    except GradientError:
        raise
    except Exception as error:
        if node is not None:
            error.add_note(f"in the forward derivative of {node.name}, called at {node.line}")
        raise
    finally:
        mode.reset(token)
    return [None if y._node is None else changes.get(y._node) for y in outputs]


def _change(node: Node, changes: dict[Node, Any], on_tensors: bool, create_graph: bool, linked: bool) -> Any:
    """The change of the output of `node`: an array, a tuple for several outputs, or None for zero."""
    op: Any = node.op
    saved = total = None
    xp: Any = None
    if op.derivative == "zero":
        return None
    steps = _in_sequence(node, changes) if op.sequence else zip(node.parents, op.pushes)
    for parent, push in steps:
        t = changes.get(parent)  # type: ignore[arg-type]
        if t is None:
            continue
        if saved is None:
            check(node, memory.last_write)
            if node.notes is not None and node.notes.guard is not None:
                memory.check_guarded(node)
            xp = namespaces.get(t.__class__) or (t.__array_namespace__() if on_tensors else raw_namespace(t))
            saved = saved_tensors(node, linked) if on_tensors else node.saved
        if push is None:
            return _transposed_twice(node, changes, create_graph, linked)
        if op.sequence:
            t = _filled(xp, node, changes, t)
        elif push.way == "elementwise" and t.shape != node.shape:
            t = xp.broadcast_to(t, node.shape)
        d = (push.rule if op.is_own or not on_tensors else watched(op.name, push.rule))(xp, t, saved)
        total = d if total is None else _sum(total, d)
    if total is None:
        return None
    if isinstance(node, Several):
        return tuple([d if d is None else _fit(xp, d, *facts) for d, facts in zip(total, node.parts)])
    return _fit(xp, total, node.shape, node.dtype)


def _sum(a: Any, b: Any) -> Any:
    if not isinstance(a, tuple):
        return a + b
    return tuple(y if x is None else x if y is None else x + y for x, y in zip(a, b))


def _in_sequence(node: Node, changes: dict[Node, Any]) -> list[tuple[Node | None, Push | None]]:
    """Of a sequence of arrays, the first that changes: its rule is run once, for all."""
    op: Any = node.op
    return [(next((parent for parent in node.parents if parent in changes), None), op.pushes[0])]


def _filled(xp: Any, node: Node, changes: dict[Node, Any], one: Any) -> list[Any]:
    """The changes of the items of a sequence, zero for those that have none."""
    shapes = node.saved[-1] or [None for _ in node.parents]
    return [
        changes[parent] if parent in changes else xp.new_zeros(one, shape if parent is None else parent.shape)
        for parent, shape in zip(node.parents, shapes)
    ]


def _fit(xp: Any, d: Any, shape: tuple[int, ...], dtype: Any) -> Any:
    """`d` with the dtype and shape of the output whose change it is."""
    native = d._data.dtype if isinstance(d, Tensor) else d.dtype  # which is compared many times faster than a `DType`
    d = d if native == dtype else cast(xp, d, dtype)
    return d if d.shape == shape else xp.broadcast_to(d, shape)


def _transposed_twice(node: Node, changes: dict[Node, Any], create_graph: bool, linked: bool) -> Any:
    """The change of the output of `node` by the reverse rules: by the pullback of their pullback.

    A copy of the node, with parents of its own, takes the first walk no further than it must go.
    """
    tangents = {k: changes[parent] for k, parent in enumerate(node.parents) if parent in changes}
    parents = node.parents if create_graph and linked else (None,) * len(node.parents)
    own: dict[int, Node] = {}
    for k in tangents:
        parent: Any = node.parents[k]
        own[k] = Input(parents[k], parent.shape, parent.dtype)
    called_on = tuple(own.get(k, p) for k, p in enumerate(parents))
    copy = Several(node.op, called_on, node.saved, node.parts) if isinstance(node, Several) else Node(
        node.op, called_on, node.saved, node.shape, node.dtype
    )  # fmt: skip
    copy.code, copy.position = node.code, node.position
    one = next(iter(tangents.values()))
    one = one._data if isinstance(one, Tensor) else one
    outputs, cotangents, nodes = [], [], []
    for k, (shape, dtype) in enumerate(node.outputs):
        zero = raw_namespace(one).new_zeros(one, shape, dtype=dtype)
        outputs.append(wrap(zero, Output(copy, k, shape, dtype) if isinstance(copy, Several) else copy))
        nodes.append(Input(None, shape, dtype))
        cotangents.append(wrap(zero, nodes[k] if inexact(zero) else None))
    pulled = pullback(outputs, cotangents, inputs=list(own.values()), create_graph=True)
    starts = [(pulled[n], tangents[k]) for k, n in own.items() if n in pulled]
    twice = pullback([g for g, _ in starts], [t for _, t in starts], inputs=nodes, retain_graph=True, create_graph=create_graph)
    return tuple(map(twice.get, nodes)) if isinstance(node, Several) else twice.get(nodes[0])
