"""The walk back: from results to what they were computed from, newest call first, handing each op's cotangent to its rules.

Read `pull_tensors` first: it is the walk. `pull_arrays` is the same walk on raw arrays, written out for speed; the tests
compare the two on every op.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

from ..backend.find import namespaces, raw_namespace
from ..backend.precision import half, narrowed, widened
from ..backend.protocol import Backend
from ..errors import GradientError
from ..graph import memory
from ..graph.declare import Op
from ..graph.kinds import kind_of
from ..graph.names import public, xg
from ..graph.node import Node
from ..graph.recording import interpreters, mode, recording
from ..graph.walks import between, newest_first
from ..tensor.tensor import Tensor, wrap
from .arguments import beside
from .call import wrap_all
from .watch import visit, watched

__all__ = ["Cotangents", "backward", "cast", "check", "deposit", "fit", "item_rules", "one", "pullback", "saved_tensors"]


class Cotangents(dict[Node, Any]):
    """The cotangents that a walk has found so far, by node. Those of half precision are added up in float32."""

    def __init__(self) -> None:
        self.wide: set[Node] = set()  # nodes whose cotangent is a sum in float32

    def add(self, node: Node, g: Any) -> None:
        """Add `g` to the cotangent of a node."""
        if node not in self:
            self[node] = g
        elif half(node.dtype):
            xp = _namespace(g)
            self[node] = widened(xp, self[node]) + widened(xp, g)
            self.wide.add(node)
        else:
            self[node] = self[node] + g

    def complete(self, node: Node) -> Any:
        """The cotangent of a node, in its dtype."""
        return narrowed(self[node], node.dtype) if node in self.wide else self[node]

    def take(self, node: Node) -> Any:
        """The complete cotangent of a node, which is forgotten; None if there is none."""
        g = self.complete(node) if node in self else None
        self.pop(node, None)
        return g


def pull_tensors(
    order: Iterable[Node], cotangents: Cotangents, within: Collection[Node] | None, free: bool, linked: bool
) -> dict[Node, Any]:
    """The walk, on Tensors: rules run on Tensors, so that what they compute is recorded in turn if calls are recorded.

    Parameters
    ----------
    order : iterable of Node
        The nodes to visit, newest first.
    cotangents : Cotangents
        Those to begin with. Those of nodes that are not visited are left there.
    within : collection of Node or None
        The nodes to hand cotangents to; None for all.
    free : bool
        Whether a node forgets what it saved when it was visited.
    linked : bool
        Whether saved arrays stand in their places in the graph, or are constants.

    Returns
    -------
    dict
        The cotangents of the leaves.
    """
    leaves: dict[Node, Any] = {}
    node: Node | None = None
    try:
        for node in order:
            g = cotangents.take(node)
            if g is None:
                continue
            if node.notes is not None:
                g = visit(node, g)
            if node.op is None:
                node.pass_on(g, cotangents, leaves)
                continue
            for parent, d in _pulled(node, g, within, linked):
                cotangents.add(parent, d)
            if free:
                node.saved = None
    except Exception as error:
        _explain(error, node)
        raise
    return leaves


def _pulled(node: Node, g: Any, within: Collection[Node] | None, linked: bool) -> Iterator[tuple[Node, Any]]:
    """Each parent of the call `node` with its cotangent, given the cotangent `g` of the output."""
    op: Any = node.op
    check(node, memory.last_write)
    xp, g = _opened(node, g)
    saved, conj = saved_tensors(node, linked), _conjugate(op, node, xp)
    g = g if conj is None else conj(g)
    for parent, rule in item_rules(op, node.parents, xp, g, saved) if op.sequence else zip(node.parents, op.rules):
        if parent is not None and (within is None or parent in within):
            d = (rule if op.is_own else watched(op.name, rule))(xp, g, saved)
            d = d if conj is None else conj(d)
            fits = d._data.shape == parent.shape and d._data.dtype == parent.dtype
            yield parent, d if fits else fit(xp, d, parent)


def pull_arrays(order: Iterable[Node], cotangents: Cotangents, within: Collection[Node] | None, free: bool) -> dict[Node, Any]:
    """`pull_tensors` on raw arrays, written out: sums that the walk made itself are added to in place."""
    leaves: dict[Node, Any] = {}
    node: Node | None = None
    wide, last_write, take, known = cotangents.wide, memory.last_write, cotangents.pop, cotangents.get
    owned: set[Node] = set()  # nodes whose cotangent is a sum that the walk made
    real = full = None  # dtypes that were found not to be complex, and not of half precision
    try:
        for node in order:
            g = take(node, None)
            if g is None:
                continue
            if wide and node in wide:
                g = narrowed(g, node.dtype)
            if node.notes is not None:
                g = visit(node, g)
            op = node.op
            if op is None:
                node.pass_on(g, cotangents, leaves)
                continue
            saved, parents = node.saved, node.parents
            if saved is None or node.age < last_write:
                check(node, last_write)
            xp = namespaces.get(g.__class__)
            if xp is None:  # several cotangents, an array of an interpreter, or a type of array that is met for the first time
                xp, g = _opened(node, g)
            conj = None
            if op.conjugates and node.dtype is not real:
                conj = _conjugate(op, node, xp)
                if conj is None:
                    real = node.dtype
                else:
                    g = conj(g)
            for parent, rule in item_rules(op, parents, xp, g, saved) if op.sequence else zip(parents, op.rules):
                if parent is None or (within is not None and parent not in within):
                    continue
                d = rule(xp, g, saved)
                if conj is not None:
                    d = conj(d)
                if d.shape != parent.shape or (d.dtype is not parent.dtype and d.dtype != parent.dtype):
                    d = fit(xp, d, parent)
                other = known(parent)
                if other is None:
                    cotangents[parent] = d
                elif parent in owned:
                    other += d
                    cotangents[parent] = other
                elif parent.dtype is not full and half(parent.dtype):
                    cotangents.add(parent, d)
                else:
                    full = parent.dtype
                    cotangents[parent] = other + d
                    owned.add(parent)
            if free:
                node.saved = None
    except Exception as error:
        _explain(error, node)
        raise
    return leaves


def pullback(
    outputs: Sequence[Tensor],
    starts: Sequence[Any],
    *,
    inputs: Sequence[Node] | None = None,
    retain_graph: bool = False,
    create_graph: bool = False,
    linked: bool = True,
) -> dict[Node, Any]:
    """Walk the graph back from `outputs`: the cotangent of every leaf that they depend on, by the leaf's node.

    With `inputs`, those of just these nodes, each while the others are held fixed: the walk stays between `outputs` and
    them, and frees nothing else.

    `starts`, the cotangents of `outputs`, are raw arrays or Tensors. With Tensors, rules run on Tensors: recorded with
    `create_graph`, else not (as for many cotangents at once, in Tensors of an interpreter). ``linked=False`` treats what
    nodes saved as constants.
    """
    on_tensors = create_graph
    cotangents = Cotangents()
    for y, g in zip(outputs, starts):
        on_tensors = on_tensors or isinstance(g, Tensor)
        if y._node is not None:
            cotangents[y._node] = cotangents[y._node] + g if y._node in cotangents else g
    free = not (retain_graph or create_graph)
    how = mode.get()
    token = mode.set((how or True) if create_graph else bool(interpreters.get()) and how)  # arrays of interpreters hold graphs
    try:
        order: Any = newest_first(cotangents) if inputs is None else between(cotangents, inputs)
        within = None if inputs is None else {*order, *inputs}
        memory.look(reversed(order))
        if on_tensors:
            leaves = pull_tensors(order, cotangents, within, free, linked)
        else:
            leaves = pull_arrays(order, cotangents, within, free)
    finally:
        mode.reset(token)
    if inputs is None:
        return leaves
    if cotangents.wide:
        return {n: cotangents.complete(n) for n in inputs if n in cotangents}
    return {n: cotangents[n] for n in inputs if n in cotangents}


def _explain(error: Exception, node: Node | None) -> None:
    if node is not None and not isinstance(error, GradientError):
        error.add_note(f"in the gradient of {node.name}, called at {node.line}")


def check(node: Node, last_write: int) -> None:
    """Raise if the graph was freed at `node`, or an array that it saved was written to."""
    if node.saved is None:
        raise memory.freed(node)
    if node.age < last_write:
        memory.check(node)


def _opened(node: Node, g: Any) -> tuple[Any, Any]:
    """The namespace of a cotangent, and the cotangent itself: a tuple of those of several outputs, filled with zeros."""
    if not isinstance(g, list):
        return _namespace(g), g
    xp = _namespace(one := next(part for part in g if part is not None))
    if not node.op.fills:  # the rules distinguish outputs that nothing used
        return xp, tuple(g)
    parts = zip(g, node.outputs)
    return xp, tuple([xp.new_zeros(one, shape, dtype=dtype) if part is None else part for part, (shape, dtype) in parts])


def _namespace(g: Any) -> Any:
    return g.__array_namespace__() if isinstance(g, Tensor) else raw_namespace(g)


def _conjugate(op: Op[..., Any], node: Node, xp: Any) -> Any:
    """The function that conjugates around the rules of a holomorphic op whose output is complex; else None."""
    return xp.conj if op.conjugates and kind_of(xp, node.dtype) == "complex floating" else None


def item_rules(op: Op[..., Any], items: Sequence[Any], xp: Any, g: Any, saved: Any) -> Iterator[tuple[Any, Any]]:
    """For an op on a sequence: each of `items` with a rule for it."""
    rule = op.rules[0] if op.is_own or hasattr(xp, "__backend__") else watched(op.name, op.rules[0])
    if op.per_item:
        return ((item, lambda xp, g, saved, i=i: rule(xp, g, saved, i)) for i, item in enumerate(items))
    return ((item, lambda xp, g, saved, d=d: d) for item, d in zip(items, rule(xp, g, saved)))


def fit(xp: Any, d: Any, x: Any) -> Any:
    """`d` with the shape and dtype of the input `x` whose cotangent it is: undo broadcasting, cast, take the real part."""
    shape = x.shape
    if d.shape != shape:
        lead = len(d.shape) - len(shape)
        if lead > 0 and d.shape[lead:] == shape and 1 not in d.shape[:lead]:  # the usual case, as of a bias: nothing to reshape
            return cast(xp, xp.sum(d, axis=tuple(range(lead))), x.dtype)
        grown = tuple(i for i, n in enumerate(d.shape) if n != 1 and (i < lead or shape[i - lead] == 1))
        if [n for i, n in enumerate(d.shape) if n != 1 and i not in grown] != [n for n in shape if n != 1]:
            raise ValueError(f"a rule returned a cotangent of shape {tuple(d.shape)} for an argument of shape {tuple(shape)}")
        d = xp.reshape(xp.sum(d, axis=grown, keepdims=True) if grown else d, shape)
    return cast(xp, d, x.dtype)


def cast(xp: Any, d: Any, dtype: Any) -> Any:
    """The derivative `d` in the dtype of what it belongs to, by its real part where that is real."""
    if (d._data if isinstance(d, Tensor) else d).dtype == dtype:
        return d
    if xp.isdtype(d.dtype, "complex floating") and not xp.isdtype(dtype, "complex floating"):
        d = xp.real(d)
    return xp.astype(d, dtype)


def saved_tensors(node: Node, linked: bool) -> list[Any]:
    """What `node` saved, its arrays as Tensors, in their places in the graph if `linked`."""
    op: Any = node.op
    saved = list(node.saved)
    parents = node.parents if linked else (None,) * len(node.parents)
    for i, parent in zip(op.arrays, parents):
        if op.sequence and saved[i] is not None:
            saved[i] = [wrap(v, n) for v, n in zip(saved[i], parents)]
            break
        if hasattr(saved[i], "dtype"):
            saved[i] = wrap(saved[i], parent)
    y = len(op.names)
    saved[y] = None if saved[y] is None else wrap_all(saved[y], Tensor, node if linked else None)
    return saved


# ------------------------------------------------------------------------------------------------------------- leaves


@public
def backward(x: Tensor, gradient: Any, retain_graph: bool, create_graph: bool) -> None:
    """What `Tensor.backward` does."""
    if x._node is None:
        outside = "; under vmap that counts for tensors from outside: take their gradients there, or with xgrad.grad"
        raise GradientError(
            "backward: this tensor does not require grad, and no tensor that it was made from does"
            + outside * (raw_namespace(x._data).__backend__.level > 0)
        )
    if gradient is None:
        if x._data.shape != () and x.size != 1:
            raise GradientError(
                f"backward: this tensor has shape {x.shape}; only a tensor of one element has a gradient by itself: reduce it "
                "first, as in x.sum().backward(), or pass gradient="
            )
        start = one(x._data)
    else:
        gradient = gradient if isinstance(gradient, Tensor) else Tensor(gradient, dtype=x.dtype)
        if gradient.shape != x.shape or gradient.backend != x.backend:
            raise ValueError(
                f"backward: gradient is {gradient.shape} on {gradient.backend!r}, but the tensor is {x.shape} on {x.backend!r}"
            )
        gradient = xg.astype(gradient, x.dtype) if gradient.dtype != x.dtype else gradient
        start = gradient if create_graph else gradient._data
    if create_graph and not isinstance(start, Tensor):
        start = wrap(start)
    deposit(pullback((x,), (start,), retain_graph=retain_graph, create_graph=create_graph))


def one(y: Any) -> Any:
    """The cotangent 1 of a raw array `y`."""
    xp = raw_namespace(y)
    backend: Backend = xp.__backend__
    return xp.ones_like(y) if y.shape != () or backend.level else beside(backend, 1.0, y)


_depositing = threading.RLock()  # of one thread again: a finalizer that runs meanwhile may call backward


def deposit(leaves: dict[Any, Any]) -> None:
    """Add cotangents to the `grad` of their leaves, each in memory of its own."""
    handed_out: set[int] = set()
    with _depositing:  # another thread must not write between the reading and the writing of a gradient
        for leaf, g in leaves.items():
            old = leaf.grad
            if isinstance(g, Tensor) or (old is not None and old._node is not None):
                with recording(True):
                    leaf.grad = g if old is None else old + g
            elif old is not None:
                leaf.grad = wrap(old._data + g)
            else:
                backend: Backend = raw_namespace(g).__backend__
                owned = backend.owns_memory(g) and id(g) not in handed_out
                handed_out.add(id(g))
                leaf.grad = wrap(g if owned else backend.xp.asarray(g, copy=True))
    for leaf in leaves:
        if leaf.notes is not None and leaf.notes.after and (owner := leaf.owner()) is not None:
            with recording(False):
                for hook in list(leaf.notes.after.values()):
                    hook(owner)
