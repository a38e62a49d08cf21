"""Derivatives as functions: `grad`, `vjp`, `jvp`, `jacobian`, `hessian` and their kin, over the engine's walk.

A transform calls the function on new nodes, one for each argument, and walks back to just those. Where an argument was
part of a graph already its new node is a child of the old one, so that everything here nests, in any mixture, and inside
code that calls ``backward()``; two transforms never take each other's nodes for their own, and the `grad` of a user's
tensors is never touched. Arrays come back where arrays were given, and Tensors for Tensors; what depends on a tensor
outside that requires grad comes back as a Tensor that requires grad in any case.
"""

from __future__ import annotations

import functools
import math
import operator
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from . import random
from .backend import Backend, backend_of, complex128, current_backend, dtype_of, float64, inexact, is_numpy_scalar, raw_namespace
from .engine import Leaf, Node, Tensor, _wrap_all, next_age, pullback, wrap
from .errors import GradientError
from .grad_mode import mode, recording
from .rules import Op
from .tree import Structure, flatten, tree_map

__all__ = [
    "checkpoint", "grad", "hessian", "hvp", "jacfwd", "jacobian", "jacrev", "jvp", "stop_gradient", "value_and_grad", "vjp",
]  # fmt: skip


_ARGUMENT: Op[..., Any] = Op(lambda xp, x, /: x)  # the identity, whose node stands for the argument of one transform
_ARGUMENT.name = "argument"
_ARGUMENT.vjp(x=lambda g: g)


# ------------------------------------------------------------------------------------- a function called on new nodes


class _Call:
    """A call of a function on new nodes, and the walks back from its results to them."""

    def __init__(self, what: str, f: Any, args: Sequence[Any], argnums: Sequence[int], options: Any, has_aux: bool) -> None:
        self.what, self.name = what, getattr(f, "__name__", "the function")
        self.structures: list[Structure] = []
        self.given: list[Any] = []
        self.names: list[str] = []
        for i in argnums:
            leaves, structure = flatten(args[i])
            self.structures.append(structure)
            self.given += leaves
            self.names += [f"argument {i}{path}" for path in structure.paths]
        self.tensors = [_renewed(what, name, x) for name, x in zip(self.names, self.given)]
        self.nodes = [_node(x) for x in self.tensors]
        # `f` gets objects of its own: it may write to them, which rebinds them to other nodes.
        new = dict(zip(argnums, self.rebuild([wrap(x._data, x._node) for x in self.tensors])))
        outside = mode.get()
        with recording(outside or True):
            result = f(*(new.get(i, x) for i, x in enumerate(args)), **options)
        aux: Any = None
        if has_aux:
            if not isinstance(result, tuple) or len(result) != 2:
                raise TypeError(f"{what}: with has_aux=True {self.name} must return a pair (value, aux), not {_kind(result)}")
            result, aux = result
        leaves, self.structure = flatten(result)
        self.results = [_result(what, self.name, y) for y in leaves]
        others = [x for x in (flatten(aux)[0] if has_aux else ()) if isinstance(x, Tensor)]
        self.connected = bool(outside) and _reaches_outside([*self.results, *others], self.nodes)
        if any(isinstance(x, Tensor) for x in (*self.given, *args)):
            self.kind: Any = Tensor
        else:
            self.kind = type(self.given[0]) if self.given and all(_is_number(x) for x in self.given) else None
        self.aux = tree_map(lambda x: self.give(x, self.kind) if isinstance(x, Tensor) else x, aux) if has_aux else None

    def rebuild(self, leaves: Sequence[Any]) -> list[Any]:
        """The arguments with `leaves` in place of their arrays."""
        out, at = [], 0
        for structure in self.structures:
            count = len(structure.paths)
            out.append(structure.unflatten(leaves[at : at + count]))
            at += count
        return out

    def value(self) -> Any:
        return self.structure.unflatten([self.give(y, self.kind) for y in self.results])

    def give(self, x: Tensor, kind: Any) -> Any:
        """`x` for the user: a Tensor, a raw array, or a number if that is what the arguments were."""
        if self.connected or (x._node is not None and x.is_leaf):
            return x
        return x.detach() if kind is Tensor else _plain(x._data, kind)

    def back(self, cotangents: Sequence[Tensor], *, retain: bool, record: bool) -> list[Tensor]:
        """One cotangent for each array of the arguments: as Tensors; recorded, if `record`; zeros where nothing depends."""
        return _walk(self.results, cotangents, self.tensors, retain=retain, record=record)

    def gradients(self, found: Sequence[Tensor], record: bool) -> list[Any]:
        """`found` as the user gets them: each of its argument's kind."""
        if record:
            return self.rebuild(found)
        return self.rebuild([g if isinstance(x, Tensor) else _plain(g._data, type(x)) for g, x in zip(found, self.given)])


def _walk(ys: Sequence[Tensor], gs: Sequence[Tensor], xs: Sequence[Tensor], *, retain: bool, record: bool) -> list[Tensor]:
    """The cotangents of `xs`, given those of `ys`."""
    nodes = [_node(x) for x in xs]
    starts = gs if record else [g._data for g in gs]
    found = pullback(ys, starts, inputs=nodes, retain_graph=retain, create_graph=record)
    if record:
        return [found[n] if n in found else _zeros(x) for n, x in zip(nodes, xs)]
    out, taken = [], {id(g) for g in starts}
    for node, x in zip(nodes, xs):
        g = found.get(node)
        if g is None:
            out.append(_zeros(x))
            continue
        backend: Backend = raw_namespace(g).__backend__
        if id(g) in taken or not backend.owns_memory(g):  # users may write into what they get
            g = backend.xp.asarray(g, copy=True)
        taken.add(id(g))
        out.append(wrap(g))
    return out


def _renewed(what: str, name: str, x: Any) -> Tensor:
    """The array `x` as a Tensor with a node of its own, a child of the node that it had."""
    if isinstance(x, Tensor):
        data, parent = x._data, x._node if mode.get() else None
    else:
        data, parent = _array(what, name, x), None
    if not inexact(data):
        raise TypeError(
            f"{what}: {name} is of dtype {_dtype(data)}, and only floating arrays have derivatives; convert it with "
            "xgrad.astype(x, xgrad.float64), or leave it out of argnums"
        )
    return wrap(data, Node(_ARGUMENT, (parent,), (None, None, None), data.shape, data.dtype))


def _array(what: str, name: str, x: Any) -> Any:
    if is_numpy_scalar(x):
        return current_backend().from_python(x.item(), dtype_of(x.dtype))
    if isinstance(x, (float, complex)):
        return current_backend().from_python(x, float64 if isinstance(x, float) else complex128)
    if isinstance(x, (bool, int)):
        raise TypeError(f"{what}: {name} is the {_kind(x)} {x}, and only floating numbers have derivatives; write {float(x)}")
    if backend_of(x) is None:
        raise TypeError(f"{what}: {name} is a {_kind(x)}, not an array, and has no derivative; leave it out of argnums")
    return x


def _result(what: str, name: str, y: Any) -> Tensor:
    if not isinstance(y, Tensor):
        if is_numpy_scalar(y) or backend_of(y) is None:
            raise TypeError(
                f"{what}: {name} returned a {_kind(y)}, not a Tensor; if it was computed from the arguments, something in "
                "the function took their values out, such as float(x) or x.item()"
            )
        y = wrap(y)
    if not inexact(y._data):
        raise TypeError(
            f"{what}: {name} returned a tensor of dtype {_dtype(y._data)}, and only floating ones have derivatives; return it "
            "as aux with has_aux=True"
        )
    return y


def _reaches_outside(outputs: Iterable[Tensor], own: Sequence[Node]) -> bool:
    """Whether the graph of `outputs` goes on beyond the nodes `own`: to older ones, or to a leaf."""
    ends, oldest = set(own), min((node.age for node in own), default=0)
    found = [x._node for x in outputs if x._node is not None]
    seen = set(found)
    for node in found:  # grows while it is walked
        if isinstance(node, Leaf) or node.age < oldest or (node in ends and node.parents[0] is not None):
            return True
        for parent in () if node in ends else node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                found.append(parent)
    return False


def _plain(data: Any, kind: Any) -> Any:
    """A raw array, or a Python or NumPy scalar where that is what was given."""
    if isinstance(kind, type) and issubclass(kind, (float, complex, *_numpy_scalars())) and data.shape == ():
        number = raw_namespace(data).__backend__.to_numpy(data).item()
        make: Any = kind
        return number if isinstance(number, complex) and not issubclass(kind, complex) else make(number)
    return data


def _numpy_scalars() -> tuple[type, ...]:
    numpy = sys.modules.get("numpy")
    return () if numpy is None else (numpy.generic,)


def _is_number(x: Any) -> bool:
    return isinstance(x, (float, complex)) or is_numpy_scalar(x)


def _node(x: Tensor) -> Node:
    assert x._node is not None
    return x._node


def _zeros(x: Tensor) -> Tensor:
    return wrap(raw_namespace(x._data).zeros_like(x._data))


def _dtype(data: Any) -> str:
    return dtype_of(data.dtype).name


def _kind(x: Any) -> str:
    return type(x).__name__


def _numbers(what: str, argnums: Any, count: int) -> tuple[int, ...]:
    """The positions that `argnums` means."""
    asked = argnums if isinstance(argnums, (tuple, list)) else (argnums,)
    for i in asked:
        if not -count <= operator.index(i) < count:
            raise ValueError(f"{what}: argnums is {argnums}, but the function was called with {count} positional arguments")
    return tuple(i % count for i in map(operator.index, asked))


def _like(
    what: str, whats: str, values: Any, tensors: Sequence[Tensor], structure: Structure, names: Sequence[str]
) -> list[Tensor]:
    """`values` as Tensors, after a look at whether they are of the shapes and dtypes of `tensors`."""
    leaves, given = flatten(values)
    if given != structure:
        raise ValueError(f"{what}: the {whats}s must be nested as that of which they are, {structure.spec}, not {given.spec}")
    out = []
    for v, x, name in zip(leaves, tensors, names):
        data = v._data if isinstance(v, Tensor) else v
        if x.shape == () and (_is_number(v) or isinstance(v, int)):
            data = raw_namespace(x._data).__backend__.from_scalar(v.item() if is_numpy_scalar(v) else v, x._data)
        if not hasattr(data, "dtype") or data.shape != x._data.shape or data.dtype != x._data.dtype:
            is_what = f"{tuple(data.shape)} {_dtype(data)}" if hasattr(data, "dtype") else f"a {_kind(v)}"
            raise (TypeError if getattr(data, "shape", None) == x._data.shape else ValueError)(
                f"{what}: the {whats} of {name} is {is_what}, but must be {x.shape} {_dtype(x._data)} as that is"
            )
        out.append(v if isinstance(v, Tensor) else wrap(data))
    return out


# ---------------------------------------------------------------------------------------------------------- gradients


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function that returns the gradient of the scalar function `f`.

    Parameters
    ----------
    f : callable
        Returns one real floating scalar; with `has_aux`, a pair of it and anything else.
    argnums : int or sequence of int
        The positional arguments to differentiate by: floating arrays, Tensors or numbers, or containers of them.
    has_aux : bool
        Whether `f` returns a pair; then the new function returns a pair of the gradient and the other thing.

    Returns
    -------
    callable
        Takes what `f` takes. The gradient is of the argument's shape, dtype and structure (a tuple of gradients if
        `argnums` is a sequence): NumPy arrays for NumPy arrays, Tensors for Tensors; zeros if `f` does not depend on it.

    Raises
    ------
    GradientError
        If the result is no scalar, or complex.
    TypeError
        If an argument is not floating, or the result is no Tensor or array.
    ValueError
        If `argnums` is out of range.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.grad(lambda x: xgrad.sum(x**3))(np.array([1.0, 2.0]))
    array([ 3., 12.])
    >>> xgrad.grad(xgrad.grad(lambda x: x**3))(2.0)
    12.0
    """
    both = value_and_grad(f, argnums, has_aux, _what="grad")

    @functools.wraps(f, updated=())
    def gradient(*args: Any, **options: Any) -> Any:
        value, found = both(*args, **options)
        return (found, value[1]) if has_aux else found

    return gradient


def value_and_grad(
    f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False, *, _what: str = "value_and_grad"
) -> Callable[..., Any]:
    """The function that returns the value of `f` and its gradient, as `grad` does, in one go.

    Parameters
    ----------
    f, argnums, has_aux
        See `grad`; with `has_aux` the value is the pair ``(value, aux)``.

    Returns
    -------
    callable
        Takes what `f` takes, and returns a pair.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> from scipy.optimize import minimize
    >>> rosenbrock = lambda x: xgrad.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    >>> minimize(xgrad.value_and_grad(rosenbrock), np.zeros(3), jac=True).x.round(3)
    array([1., 1., 1.])
    """

    @functools.wraps(f, updated=())
    def both(*args: Any, **options: Any) -> Any:
        call = _Call(_what, f, args, _numbers(_what, argnums, len(args)), options, has_aux)
        if len(call.results) != 1 or call.structure.spec is not None or call.results[0].size != 1:
            shapes = ", ".join(str(y.shape) for y in call.results)
            raise GradientError(
                f"{_what}: {call.name} returned shape {shapes}; only a scalar has a gradient: reduce it, for example with "
                "xgrad.sum, or use xgrad.jacobian"
            )
        y = call.results[0]
        if y.dtype.kind != "real floating":
            raise GradientError(f"{_what}: {call.name} returned a complex scalar; take a real part of it, or use xgrad.vjp")
        found = call.back([wrap(raw_namespace(y._data).ones_like(y._data))], retain=False, record=call.connected)
        gradients = call.gradients(found, call.connected)
        value = call.value()
        several = isinstance(argnums, (tuple, list))
        return ((value, call.aux) if has_aux else value), (tuple(gradients) if several else gradients[0])

    return both


# ------------------------------------------------------------------------------------------------ products with J', J


def vjp(f: Callable[..., Any], *args: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """The value of ``f(*args)``, and the function that takes a cotangent of it to those of `args`: ``u -> J' u``.

    Parameters
    ----------
    f : callable
        Returns floating Tensors, or a container of them.
    *args
        Floating arrays, Tensors or numbers, or containers of them.

    Returns
    -------
    value, pull : tuple
        ``pull(u)`` takes what has the structure, shapes and dtypes of the value, and returns a tuple with one cotangent
        per argument. It can be called again and again, and is differentiable in `u` too.

    Raises
    ------
    TypeError, ValueError
        If an argument is not floating; if `u` has another structure, shape or dtype than the value.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> y, pull = xgrad.vjp(xgrad.sin, np.array([0.0, 1.0]))
    >>> pull(np.array([1.0, 0.0]))
    (array([1., 0.]),)
    """
    call = _Call("vjp", f, args, range(len(args)), {}, False)
    names = [f"the result{path}" for path in call.structure.paths]

    def pull(cotangents: Any) -> tuple[Any, ...]:
        us = _like("vjp", "cotangent", cotangents, call.results, call.structure, names)
        record = bool(mode.get()) and (call.connected or any(u._node is not None for u in us))
        return tuple(call.gradients(call.back(us, retain=True, record=record), record))

    return call.value(), pull


class _Forward:
    """The derivative of a call as a map of tangents, made by pulling back twice.

    The pullback of a call is linear in its cotangent `u`, so that its own pullback is the transpose of the transpose.
    """

    def __init__(self, call: _Call) -> None:
        self.call = call
        self.u = [_renewed(call.what, "", _zeros(y)) for y in call.results]
        with recording(mode.get() or True):
            self.pulled = call.back(self.u, retain=True, record=True)

    def __call__(self, tangents: Sequence[Tensor], *, record: bool) -> list[Tensor]:
        return _walk(self.pulled, tangents, self.u, retain=True, record=record)


def jvp(f: Callable[..., Any], args: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The value of ``f(*args)``, and the change of it along `tangents`: ``J v``.

    Parameters
    ----------
    f : callable
        Returns floating Tensors, or a container of them.
    args, tangents : sequence
        Arguments, and as many tangents, each of its argument's structure, shape and dtype.

    Returns
    -------
    value, tangent : tuple
        The tangent has the structure, shapes and dtypes of the value; it is zero where the value does not depend on `args`.

    Raises
    ------
    TypeError, ValueError
        If an argument is not floating; if a tangent has another structure, shape or dtype than its argument.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.jvp(xgrad.square, (np.array([1.0, 2.0]),), (np.array([1.0, 10.0]),))
    (array([1., 4.]), array([ 2., 40.]))
    """
    if not isinstance(args, (tuple, list)) or not isinstance(tangents, (tuple, list)) or len(args) != len(tangents):
        raise ValueError("jvp: args and tangents must be two tuples of the same length, as in jvp(f, (x, y), (dx, dy))")
    call = _Call("jvp", f, args, range(len(args)), {}, False)
    vs, record = _tangents(call, tangents)
    found = _Forward(call)(vs, record=record)
    return call.value(), call.structure.unflatten([v if record else call.give(v, call.kind) for v in found])


def _tangents(call: _Call, tangents: Sequence[Any]) -> tuple[list[Tensor], bool]:
    vs: list[Tensor] = []
    for tangent, structure in zip(tangents, call.structures):
        at, end = len(vs), len(vs) + len(structure.paths)
        vs += _like(call.what, "tangent", tangent, call.tensors[at:end], structure, call.names[at:end])
    return vs, bool(mode.get()) and (call.connected or any(v._node is not None for v in vs))


def hvp(f: Callable[..., Any], args: Any, v: Any) -> Any:
    """The Hessian of the scalar function `f` times the vector `v`, without the Hessian: ``grad`` of ``<grad f, v>``.

    Parameters
    ----------
    f : callable
        Returns one real floating scalar.
    args : array or tuple
        The argument of `f`, or a tuple of several.
    v : array or tuple
        Of the structure, shapes and dtypes of `args`.

    Returns
    -------
    array or tuple
        Of the structure, shapes and dtypes of `args`.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.hvp(lambda x: xgrad.sum(x**3), np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    array([ 6., 12.])
    """
    several = isinstance(args, tuple)
    given, vectors = (args, v) if several else ((args,), (v,))
    if not isinstance(vectors, tuple) or len(given) != len(vectors):
        raise ValueError("hvp: v must be a tuple of as many vectors as there are arguments")
    call = _Call("hvp", grad(f, tuple(range(len(given)))), given, range(len(given)), {}, False)
    vs, record = _tangents(call, vectors)
    found = call.gradients(call.back(vs, retain=False, record=record), record)
    return tuple(found) if several else found[0]


# ---------------------------------------------------------------------------------------------------------- Jacobians


def jacobian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The function that returns the Jacobian of `f`: by rows, or by columns where there are far fewer of those.

    Parameters
    ----------
    f : callable
        Returns a floating Tensor, or a container of them.
    argnums : int or sequence of int
        The positional arguments to differentiate by.

    Returns
    -------
    callable
        Takes what `f` takes. The Jacobian has the shape of the result followed by that of the argument; for containers
        it is a container of results' structure, of containers of the argument's structure.

    See Also
    --------
    jacrev, jacfwd : the same by rows, and by columns

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.jacobian(lambda x: x * x[0])(np.array([1.0, 2.0]))
    array([[2., 0.],
           [2., 1.]])
    """
    return _jacobian("jacobian", f, argnums)


def jacrev(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """`jacobian` by rows: one pullback for each number in the result."""
    return _jacobian("jacrev", f, argnums)


def jacfwd(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """`jacobian` by columns: one product with a tangent for each number in the arguments."""
    return _jacobian("jacfwd", f, argnums)


def _jacobian(what: str, f: Callable[..., Any], argnums: int | Sequence[int]) -> Callable[..., Any]:
    @functools.wraps(f, updated=())
    def jacobian(*args: Any, **options: Any) -> Any:
        call = _Call(what, f, args, _numbers(what, argnums, len(args)), options, False)
        xs, ys, record = call.tensors, call.results, call.connected
        forward = what == "jacfwd" or (what == "jacobian" and 4 * sum(x.size for x in xs) < sum(y.size for y in ys))
        if forward:
            push = _Forward(call)
            columns = [[push(v, record=record) for v in _basis(xs, j)] for j in range(len(xs))]
            blocks = [[_stack([c[k] for c in columns[j]], y, x, -1) for j, x in enumerate(xs)] for k, y in enumerate(ys)]
        else:
            rows = [[call.back(u, retain=True, record=record) for u in _basis(ys, k)] for k in range(len(ys))]
            blocks = [[_stack([r[j] for r in rows[k]], y, x, 0) for j, x in enumerate(xs)] for k, y in enumerate(ys)]
        several = isinstance(argnums, (tuple, list))
        made = [call.gradients(block, record) for block in blocks]
        return call.structure.unflatten([tuple(m) if several else m[0] for m in made])

    return jacobian


def _basis(tensors: Sequence[Tensor], k: int) -> Iterable[list[Tensor]]:
    """The unit vectors of the space of ``tensors[k]``, each with zeros for the other tensors."""
    x = tensors[k]
    xp = raw_namespace(x._data)
    zeros = [_zeros(other) for other in tensors]
    positions = xp.reshape(xp.arange(x.size, device=xp.__backend__.device(x._data)), x._data.shape)
    for i in range(x.size):
        unit = wrap(xp.astype(positions == i, x._data.dtype))
        yield [*zeros[:k], unit, *zeros[k + 1 :]]


def _stack(parts: Sequence[Tensor], y: Tensor, x: Tensor, axis: int) -> Tensor:
    shape = (*y.shape, *x.shape)
    xp = x.__array_namespace__()
    if math.prod(shape) == 0:
        return wrap(raw_namespace(x._data).new_zeros(x._data, shape))
    made: Tensor = xp.reshape(xp.stack(parts, axis=axis), shape)
    return made


def hessian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The function that returns the matrix of second derivatives of the scalar function `f`.

    Parameters
    ----------
    f : callable
        Returns one real floating scalar.
    argnums : int or sequence of int
        The positional arguments to differentiate by.

    Returns
    -------
    callable
        Takes what `f` takes. The Hessian has the argument's shape twice; several arguments, and containers, give a
        container of containers.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    return jacrev(grad(f, argnums), argnums)


# --------------------------------------------------------------------------------------------- stopping, recomputing


def stop_gradient(x: Any) -> Any:
    """`x`, through which no gradient flows: a constant for every derivative. A container of arrays is taken one by one.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.grad(lambda x: x * xgrad.stop_gradient(x))(3.0)
    3.0
    """
    return tree_map(lambda leaf: leaf.detach() if isinstance(leaf, Tensor) else leaf, x)


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, of which a graph keeps the arguments only: the backward pass computes the rest again.

    Parameters
    ----------
    f : callable
        A function of Tensors that returns Tensors (or containers of them), and returns the same when it is called again
        with the same random numbers; those of `xgrad.random` are drawn again as they were. It may use other tensors that
        require grad, such as the parameters of a model. Values written in place in between are not noticed.

    Returns
    -------
    callable
        Takes and returns what `f` does, with the same gradients of any order.

    Notes
    -----
    Memory falls to what one segment needs, for about one more forward pass: with a net of n layers in segments of sqrt(n)
    it grows as sqrt(n) (Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016).

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.Tensor([1.0, 2.0], requires_grad=True)
    >>> xgrad.checkpoint(lambda x: xgrad.exp(xgrad.sin(x)))(x).sum().backward()
    >>> bool(xgrad.all(x.grad == xgrad.cos(x.detach()) * xgrad.exp(xgrad.sin(x.detach()))))
    True
    """

    @functools.wraps(f, updated=())
    def checkpointed(*args: Any, **options: Any) -> Any:
        if not mode.get():
            return f(*args, **options)
        leaves, given = flatten([*args, *options.values()])
        kept = [wrap(x._data, x._node, type(x)) if isinstance(x, Tensor) else x for x in leaves]
        state, start = random.get_state(), next_age()

        def run() -> Any:
            again = given.unflatten([wrap(x._data, x._node, type(x)) if isinstance(x, Tensor) else x for x in kept])
            return f(*again[: len(args)], **dict(zip(options, again[len(args) :])))

        result = run()
        ys, structure = flatten(result)
        at = [k for k, y in enumerate(ys) if isinstance(y, Tensor) and y._node is not None and inexact(y._data)]
        outside = _frontier([ys[k] for k in at], start)
        if not outside:
            return result

        def replay(g: Any) -> list[Any]:
            record = isinstance(g[0], Tensor)
            now = random.get_state()
            random.set_state(state)
            try:
                with recording(mode.get() or True):
                    outputs = flatten(run())[0]
            finally:
                random.set_state(now)
            found = pullback([outputs[k] for k in at], g, inputs=outside, create_graph=record)
            xp = g[0].__array_namespace__() if record else raw_namespace(g[0])
            return [found[n] if n in found else xp.new_zeros(g[0], n.shape, dtype=n.dtype) for n in outside]

        data = [ys[k]._data for k in at]
        node = Node(_CHECKPOINT, tuple(outside), (None, replay, None, None), [v.shape for v in data], [v.dtype for v in data])
        for k, y in zip(at, _wrap_all(tuple(data), Tensor, node)):
            ys[k] = y
        return structure.unflatten(ys)

    return checkpointed


_CHECKPOINT: Op[..., Any] = Op(lambda xp, *arrays, replay: arrays)
_CHECKPOINT.name = "checkpoint"
_CHECKPOINT.vjp(arrays=lambda g, replay: replay(g))


def _frontier(outputs: Iterable[Tensor], start: int) -> list[Node]:
    """The nodes older than `start`, and those alone, that the graph of `outputs` begins with."""
    found = [_node(x) for x in outputs]
    seen, old = set(found), []
    for node in found:  # grows while it is walked
        if node.age < start:
            old.append(node)
            continue
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                found.append(parent)
    return old
