"""The walk back from results to leaves, which finds gradients."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from typing import Any, ParamSpec, TypeVar, cast

from ..backend.find import namespaces, raw_namespace
from ..backend.precision import half, narrowed, widened
from ..backend.protocol import Backend
from ..errors import GradientError
from ..graph import memory
from ..graph.declare import Op
from ..graph.node import LEAF, Leaf, Node
from ..graph.recording import batches, mode, recording
from ..graph.walks import between, newest_first
from ..tensor.tensor import Tensor, wrap
from .call import wrap_all

__all__ = ["pullback", "deposit", "P", "R", "fit", "item_rules", "saved_tensors"]

P = ParamSpec("P")
R = TypeVar("R")


# ----------------------------------------------------------------------------------------------------------- backward


def pullback(
    outputs: Sequence[Tensor],
    cotangents: Sequence[Any],
    *,
    inputs: Sequence[Node] | None = None,
    retain_graph: bool = False,
    create_graph: bool = False,
    linked: bool = True,
) -> dict[Node, Any]:
    """Walk the graph back from `outputs`: the cotangent of every leaf that they depend on, by the leaf's node.

    With `inputs`, those of just these nodes, each while the others are held fixed: the walk stays between `outputs` and
    them, and frees nothing else.

    Cotangents are raw arrays; or Tensors, and then rules run on Tensors: recorded if `create_graph` is set, and
    unrecorded to walk back many cotangents at once, in Tensors that hide a batch axis. What nodes saved is part of that
    graph if `linked` is set, else a constant in it.
    """
    on_tensors = create_graph or any(isinstance(g, Tensor) for g in cotangents)
    grads: dict[Node, Any] = {}
    leaves: dict[Node, Any] = {}
    wanted = frozenset(inputs or ())
    owned: set[Node] = set()  # nodes whose cotangent is a sum that the walk made itself, and may add to in place
    wide: set[Node] = set()  # nodes of half precision whose cotangent is a sum, in float32 until it is complete
    for y, g in zip(outputs, cotangents):
        if y._node is not None:
            grads[y._node] = grads[y._node] + g if y._node in grads else g
    node: Node | None = None
    real = full = None  # dtypes that were found not to be complex, and not of half precision
    how = mode.get()
    token = mode.set((how or True) if create_graph else bool(batches.get()) and how)  # in a batch, arrays hold graphs
    try:
        between = None if inputs is None else between(grads, inputs)
        order: Any = newest_first(grads) if between is None else between
        memory.look(reversed(order))
        last_write = memory.last_write
        for node in order:
            g = grads.pop(node, None)
            if g is None:
                continue
            if wide and node in wide:
                g = narrowed(g, node.dtype)
            if node.extra is not None:
                from . import hooks  # which builds on this module

                g = hooks.attend(node, g)
            made, saved, parents = node.op, node.saved, node.parents
            rules = made.rules
            if not rules:  # a leaf, or one output of an op that has several
                if made is LEAF:
                    leaves[node] = g
                else:
                    several = cast(Node, parents[0])
                    parts = grads.setdefault(several, [None] * len(several.shape))
                    parts[saved] = g if parts[saved] is None else parts[saved] + g
                continue
            if saved is None:
                raise memory.freed(node)
            if node.age < last_write:
                memory.check(node)
            xp = namespaces.get(g.__class__)
            if xp is None:  # Tensors, several cotangents, or a type of array that is met for the first time
                g = _fill(node, g) if g.__class__ is list else g
                one: Any = next(part for part in g if part is not None) if g.__class__ is tuple else g
                xp = one.__array_namespace__() if on_tensors else raw_namespace(one)
                saved = saved_tensors(node, linked) if on_tensors else saved
            conj = None
            if made.conjugates and node.dtype is not real:
                if xp.isdtype(node.dtype, "complex floating"):
                    conj, g = xp.conj, xp.conj(g)
                else:
                    real = node.dtype
            if between is not None:
                parents = tuple(p if p in between or p in wanted else None for p in parents)
            for parent, rule in item_rules(made, parents, xp, g, saved) if made.sequence else zip(parents, rules):
                if parent is None:
                    continue
                d = rule(xp, g, saved)
                if conj is not None:
                    d = conj(d)
                raw = d._data if on_tensors else d
                if raw.shape != parent.shape or (raw.dtype is not parent.dtype and raw.dtype != parent.dtype):
                    d = fit(xp, d, parent)
                if parent not in grads:
                    grads[parent] = d
                elif parent in owned:
                    grads[parent] += d
                elif parent.dtype is not full and half(parent.dtype):
                    grads[parent] = widened(xp, grads[parent]) + widened(xp, d)
                    wide.add(parent)
                else:
                    full = parent.dtype
                    grads[parent] = grads[parent] + d
                    if not on_tensors:
                        owned.add(parent)
            if not (retain_graph or create_graph):
                node.saved = None
    except GradientError:
        raise
    except Exception as error:
        if node is not None:
            error.add_note(f"in the gradient of {node.op.name}, called at {node.line}")
        raise
    finally:
        mode.reset(token)
    return leaves if inputs is None else {n: narrowed(grads[n], n.dtype) if n in wide else grads[n] for n in inputs if n in grads}


def _fill(node: Node, g: list[Any]) -> tuple[Any, ...]:
    """The cotangents of several outputs, zero for those that nothing used; None if the op's rules want to know."""
    if not node.op.fills:
        return tuple(g)
    one = next(part for part in g if part is not None)
    xp = one.__array_namespace__() if isinstance(one, Tensor) else raw_namespace(one)
    parts = zip(g, node.shape, node.dtype)
    return tuple(xp.new_zeros(one, shape, dtype=dtype) if part is None else part for part, shape, dtype in parts)


def item_rules(made: Op[..., Any], parents: Sequence[Node | None], xp: Any, g: Any, saved: Any) -> Iterator[tuple[Any, Any]]:
    """For an op on a sequence: each item's node with a rule for it."""
    rule = made.rules[0]
    if made.per_item:
        return ((parent, lambda xp, g, s, i=i: rule(xp, g, s, i)) for i, parent in enumerate(parents))
    return ((parent, lambda xp, g, s, d=d: d) for parent, d in zip(parents, rule(xp, g, saved)))


def fit(xp: Any, d: Any, parent: Any) -> Any:
    """`d` with the shape and dtype of the input whose cotangent it is: undo broadcasting, cast, take the real part."""
    shape = parent.shape
    if d.shape != shape:
        lead = len(d.shape) - len(shape)
        grown = tuple(i for i, n in enumerate(d.shape) if n != 1 and (i < lead or shape[i - lead] == 1))
        if [n for i, n in enumerate(d.shape) if n != 1 and i not in grown] != [n for n in shape if n != 1]:
            raise ValueError(f"a rule returned a cotangent of shape {tuple(d.shape)} for an argument of shape {tuple(shape)}")
        d = xp.reshape(xp.sum(d, axis=grown, keepdims=True) if grown else d, shape)
    if d.dtype != parent.dtype:
        if xp.isdtype(d.dtype, "complex floating") and not xp.isdtype(parent.dtype, "complex floating"):
            d = xp.real(d)
        d = xp.astype(d, parent.dtype)
    return d


def saved_tensors(node: Node, linked: bool) -> list[Any]:
    """What `node` saved, its arrays as Tensors, in their places in the graph if `linked`, for rules that shall be recorded."""
    made, saved = node.op, list(node.saved)
    parents = node.parents if linked else (None,) * len(node.parents)
    for i, parent in zip(made.arrays, parents):
        if made.sequence and saved[i] is not None:
            saved[i] = [wrap(v, n) for v, n in zip(saved[i], parents)]
            break
        if hasattr(saved[i], "dtype"):
            saved[i] = wrap(saved[i], parent)
    y = len(made.names)
    saved[y] = None if saved[y] is None else wrap_all(saved[y], Tensor, node if linked else None)
    return saved


_depositing = threading.RLock()  # of one thread again: a finalizer that runs meanwhile may call backward


def deposit(leaves: dict[Node, Any]) -> None:
    """Add cotangents to the `grad` of their leaves, each in memory of its own."""
    taken: set[int] = set()
    with _depositing:  # another thread must not write between the reading and the writing of a gradient
        for node, g in leaves.items():
            leaf = cast(Leaf, node)
            old = leaf.grad
            if isinstance(g, Tensor) or (old is not None and old._node is not None):
                with recording(True):
                    leaf.grad = g if old is None else old + g
            elif old is not None:
                leaf.grad = wrap(old._data + g)
            else:
                backend: Backend = raw_namespace(g).__backend__
                owned = backend.owns_memory(g) and id(g) not in taken
                taken.add(id(g))
                leaf.grad = wrap(g if owned else backend.xp.asarray(g, copy=True))
    for node in leaves:
        if node.extra is not None and "after" in node.extra:
            from . import hooks  # which builds on this module

            hooks.run_on_leaf(cast(Leaf, node))
