"""The engine: tensors that remember how they were made, and the walk back that finds their gradients.

Read it from top to bottom; it is in the order in which one would invent it. A **Tensor** wraps one backend array. A
**Node** remembers one call: which op, from which nodes, and the few arrays that the op's rules will ask for. An **op** is
a plain function of a namespace ``xp`` with one rule per argument beside it (what it declares is in ``rules.py``).
**backward** walks the nodes from the newest to the oldest and hands each op's cotangent to its rules.

A rule is a function of ``xp`` too. In the ordinary backward pass it runs on raw arrays; when a graph of the gradient is
wanted the very same rule runs on Tensors, which are recorded like any others: that is all there is to higher orders.
"""

from __future__ import annotations

import itertools
import operator
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import FrameType
from typing import Any, Concatenate, ParamSpec, TypeAlias, TypeVar, cast, overload

from . import memory, views
from .arguments import open_arguments, promote, put, same_dtype
from .backend import Array, backend_of, current_backend, inexact, is_numpy_scalar, namespaces, raw_namespace
from .errors import GradientError, raise_explained
from .grad_mode import Recorder, batches, mode
from .methods import Methods
from .precision import half, narrowed, widened
from .rules import Op, check_forward, enter, publish, registry, returns

__all__ = ["ArrayLike", "Node", "Tensor", "composite", "op", "pullback", "wrap"]

P = ParamSpec("P")
R = TypeVar("R")


# ------------------------------------------------------------------------------------------------------------- Tensor


class Tensor(Methods):
    """An array that remembers how it was made.

    Parameters
    ----------
    data : array, scalar or nested sequence of scalars
        An array of any backend is wrapped as it is, without a copy and with its dtype. Anything else becomes an array of
        the selected backend; Python floats get the default data type, float32.
    dtype, device : optional
        Convert to this data type; put the array on this device.
    requires_grad : bool
        Whether `backward` shall leave a gradient in `grad`.
    name : str, optional
        Shown in drawings of the graph.

    Raises
    ------
    TypeError
        If `data` cannot be an array, is complex while `dtype` is not, or an integer tensor is asked to require grad.
    ValueError
        If nested sequences are ragged.

    Examples
    --------
    >>> from xgrad import Tensor
    >>> x = Tensor([1.0, 2.0, 3.0], requires_grad=True)
    >>> (x * x).sum().backward()
    >>> x.grad
    Tensor([2., 4., 6.])
    """

    __slots__ = ("__weakref__", "_data", "_grad", "_name", "_node", "_view")
    _data: Array
    _node: Node | None
    _view: views.View | None
    _grad: Tensor | None  # set on leaves alone, by `leaves`
    _name: str | None

    def __init__(
        self, data: Any, /, *, dtype: Any = None, device: Any = None, requires_grad: bool = False, name: str | None = None
    ) -> None:
        if isinstance(data, Tensor):
            if data._node is not None:
                raise GradientError(
                    "Tensor(x): x requires grad, and wrapping it again would cut it off from its graph; "
                    "use x itself, or x.detach() to cut it on purpose"
                )
            data = data._data
        backend = None if is_numpy_scalar(data) else backend_of(data)
        if backend is None:
            data = current_backend().from_python(data, dtype, device)
        else:
            data = data if dtype is None else backend.xp.astype(data, backend.native_dtype(dtype))
            data = data if device is None else backend.to_device(data, device)
        self._data, self._node, self._view, self._name = data, None, None, name
        if requires_grad:
            self.requires_grad_()


ArrayLike: TypeAlias = Tensor | Any
"""A Tensor, an array of any backend, or a Python scalar."""


def wrap(data: Array, node: Node | None = None, cls: type[Tensor] = Tensor) -> Tensor:
    """A Tensor around `data`, made by `node`."""
    out = cls.__new__(cls)
    out._data, out._node, out._view, out._name = data, node, None, None
    return out


# --------------------------------------------------------------------------------------------------------------- Node

next_age, _frame = memory.next_age, sys._getframe


class Node:
    """One recorded call of an op.

    It keeps its parents' nodes and the arrays that the rules named, and no other array; it knows the shape and dtype of
    its output, so that the walk can give it a gradient of just that shape and dtype. `extra` is None or a dict of rare
    wishes: hooks, a gradient to retain, a name to draw, copies to compare with.
    """

    __slots__ = ("age", "dtype", "extra", "op", "parents", "saved", "shape", "where")

    def __init__(self, op: Op[..., Any], parents: tuple[Node | None, ...], saved: Any, shape: Any, dtype: Any) -> None:
        self.op = op
        self.parents = parents
        self.saved = saved
        self.shape = shape
        self.dtype = dtype
        self.age = next_age()
        self.extra: dict[str, Any] | None = None
        frame: FrameType | None = _frame(2)
        while frame is not None and "__xgrad__" in frame.f_globals:
            frame = frame.f_back
        self.where = None if frame is None else (frame.f_code, frame.f_lasti)

    @property
    def line(self) -> str:
        """The user's line that made the call."""
        if self.where is None:
            return "an unknown line"
        code, position = self.where
        number = next(itertools.islice(code.co_positions(), position // 2, None))[0]
        return f"{code.co_filename}:{number}"

    def __repr__(self) -> str:
        return f"<node {self.op.name} {self.shape} made at {self.line}>"


# ------------------------------------------------------------------------------------------------- ops, and calling one


@overload
def op(forward: Callable[Concatenate[Any, P], R], /) -> Op[P, R]: ...
@overload
def op(*, scalars: bool = ..., override: bool = ...) -> Callable[[Callable[Concatenate[Any, P], R]], Op[P, R]]: ...
def op(forward: Any = None, /, *, scalars: bool = False, override: bool = False) -> Any:
    """Make an op of a function ``f(xp, ...)``: declare its rules with ``.vjp(...)``, call it without `xp`.

    Parameters
    ----------
    forward : callable
        A function of a namespace and arrays of it. Parameters annotated ``ArrayLike`` or ``Tensor`` and unannotated ones
        before the ``/`` are arrays; the others are passed on as they are.
    scalars : bool
        Whether `forward` takes Python scalars in place of arrays; else they are made arrays first.
    override : bool
        Whether rules shall find this function on `xp` even where the library has one of that name.

    Examples
    --------
    >>> import xgrad
    >>> @xgrad.op
    ... def cube(xp, x, /):
    ...     return x * x * x
    >>> cube.vjp(x=lambda g, x: 3 * g * x * x)
    >>> x = xgrad.Tensor(2.0, requires_grad=True)
    >>> cube(x).backward()
    >>> x.grad.item()
    12.0
    """
    if forward is None:
        return lambda forward: _make(forward, scalars, override)
    return _make(forward, scalars, override)


def _make(forward: Callable[..., Any], scalars: bool, override: bool) -> Any:
    check_forward(forward)
    made: Op[..., Any] = Op(forward, scalars=scalars, override=override)
    enter(made)
    made.call = _general(made)
    if returns(forward) != "several" and not made.sequence and not made.optional:
        from . import fast  # which builds on this module

        if made.arrays == [0]:
            made.call = fast.one_array(made)
        elif made.arrays == [0, 1] and len(made.names) == 2:
            made.call = fast.two_arrays(made)
    return publish(made)


def composite(forward: Callable[Concatenate[Any, P], R], /) -> Op[P, R]:
    """Make an op of a function ``f(xp, ...)`` that is differentiated through the ops that it calls on `xp`.

    On tensors that require grad it runs with ``xp`` an xgrad namespace, else on raw arrays.
    """
    check_forward(forward)
    made: Op[..., Any] = Op(forward, override=True)
    enter(made)
    made.kind, made.call = "composite", _composite(made)
    return cast("Op[P, R]", publish(made))


def _general(made: Op[..., Any]) -> Callable[..., Any]:
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
        out = _wrap_all(y, cls)
    else:
        tracked = (True,) if made.sequence else tuple(n is not None for n in nodes)
        saved = (made.savers.get(tracked) or made.saver(tracked))(*values, y)
        if several:
            node = Node(made, tuple(nodes), saved, [v.shape for v in y], [v.dtype for v in y])
        else:
            node = Node(made, tuple(nodes), saved, y.shape, y.dtype)
        out = _wrap_all(y, cls, node)
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


def _wrap_all(y: Any, cls: type[Tensor], node: Node | None = None) -> Any:
    """Tensors around what an op returned: one array, or several in a tuple or list of some kind."""
    if not isinstance(y, (tuple, list)):
        return wrap(y, node, cls)
    out = [
        wrap(v, None if node is None or not inexact(v) else Node(OUTPUT, (node,), k, v.shape, v.dtype), cls)
        for k, v in enumerate(y)
    ]
    return type(y)(*out) if hasattr(y, "_fields") else type(y)(out)


LEAF: Op[..., Any] = Op(lambda xp: None)
OUTPUT: Op[..., Any] = Op(lambda xp: None)  # one output of an op that has several; the node saved which
LEAF.name, OUTPUT.name = "leaf", "output"


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
        between = None if inputs is None else _between(grads, inputs)
        order: Any = _newest_first(grads) if between is None else between
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
                saved = _saved_tensors(node, linked) if on_tensors else saved
            conj = None
            if made.conjugates and node.dtype is not real:
                if xp.isdtype(node.dtype, "complex floating"):
                    conj, g = xp.conj, xp.conj(g)
                else:
                    real = node.dtype
            if between is not None:
                parents = tuple(p if p in between or p in wanted else None for p in parents)
            for parent, rule in _item_rules(made, parents, xp, g, saved) if made.sequence else zip(parents, rules):
                if parent is None:
                    continue
                d = rule(xp, g, saved)
                if conj is not None:
                    d = conj(d)
                raw = d._data if on_tensors else d
                if raw.shape != parent.shape or (raw.dtype is not parent.dtype and raw.dtype != parent.dtype):
                    d = _fit(xp, d, parent)
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


def _newest_first(roots: Iterable[Node]) -> list[Node]:
    """Every node that `roots` depend on, each after all that use it: a call is always younger than its arguments."""
    found = list(roots)
    seen = set(found)
    for node in found:  # grows while it is walked
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                found.append(parent)
    found.sort(key=_age, reverse=True)
    return found


def _between(roots: Iterable[Node], inputs: Sequence[Node]) -> dict[Node, None]:
    """The nodes that `roots` depend on and that depend on `inputs`, newest first, without `inputs` themselves."""
    oldest, ends = min(map(_age, inputs), default=0), set(inputs)
    found = [node for node in roots if node not in ends]
    seen = ends.union(found)
    for node in found:  # grows while it is walked
        for parent in node.parents:
            if parent is not None and parent.age > oldest and parent not in seen:
                seen.add(parent)
                found.append(parent)
    found.sort(key=_age)
    for node in found:
        if not ends.isdisjoint(node.parents):
            ends.add(node)
    return {node: None for node in reversed(found) if node in ends}


_age = operator.attrgetter("age")


def _fill(node: Node, g: list[Any]) -> tuple[Any, ...]:
    """The cotangents of several outputs, zero for those that nothing used; None if the op's rules want to know."""
    if not node.op.fills:
        return tuple(g)
    one = next(part for part in g if part is not None)
    xp = one.__array_namespace__() if isinstance(one, Tensor) else raw_namespace(one)
    parts = zip(g, node.shape, node.dtype)
    return tuple(xp.new_zeros(one, shape, dtype=dtype) if part is None else part for part, shape, dtype in parts)


def _item_rules(made: Op[..., Any], parents: Sequence[Node | None], xp: Any, g: Any, saved: Any) -> Iterator[tuple[Any, Any]]:
    """For an op on a sequence: each item's node with a rule for it."""
    rule = made.rules[0]
    if made.per_item:
        return ((parent, lambda xp, g, s, i=i: rule(xp, g, s, i)) for i, parent in enumerate(parents))
    return ((parent, lambda xp, g, s, d=d: d) for parent, d in zip(parents, rule(xp, g, saved)))


def _fit(xp: Any, d: Any, parent: Any) -> Any:
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


def _saved_tensors(node: Node, linked: bool) -> list[Any]:
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
    saved[y] = None if saved[y] is None else _wrap_all(saved[y], Tensor, node if linked else None)
    return saved
