"""`jvp`, `linearize`, `hvp` and `ggnvp`: the change of a function along a direction, and products with second derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..backend.find import raw_namespace
from ..engine.forward import pushforward
from ..graph.recording import mode
from ..graph.walks import route
from ..tensor.tensor import Tensor, wrap
from ..tree import flatten
from .call import Call, cut, handed_out, like, walk

__all__ = ["Forward", "ggnvp", "hvp", "jvp", "linearize", "tangents_of"]


class Forward:
    """The derivative of a call as a map of tangents, which are pushed through its graph."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.along = route(call.nodes, call.results)

    def __call__(self, tangents: Sequence[Tensor], *, record: bool) -> list[Tensor]:
        call, starts = self.call, tangents if record else [v._data for v in tangents]
        found = pushforward(call.nodes, starts, call.results, create_graph=record, linked=call.connected, along=self.along)
        return handed_out(found, call.results, starts, record)

    def pushed(self, tangents: Sequence[Any]) -> Any:
        """The change of the result along tangents that a user gave, as the user gets it."""
        call = self.call
        vs, record = tangents_of(call, tangents)
        found = self(vs, record=record)
        return call.structure.unflatten([v if record else call.give(v, call.kind) for v in found])


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

    Notes
    -----
    The call is recorded, and the tangents are pushed through its graph; so it takes the memory of a call to be pulled back.
    For complex numbers the tangent is the change of the function, linear over the real numbers.

    See Also
    --------
    linearize : for several directions at one point

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.jvp(xgrad.square, (np.array([1.0, 2.0]),), (np.array([1.0, 10.0]),))
    (array([1., 4.]), array([ 2., 40.]))
    """
    if not isinstance(args, (tuple, list)) or not isinstance(tangents, (tuple, list)) or len(args) != len(tangents):
        raise ValueError("jvp: args and tangents must be two tuples of the same length, as in jvp(f, (x, y), (dx, dy))")
    call = Call("jvp", f, args, range(len(args)), {}, False)
    return call.value(), Forward(call).pushed(tangents)


def linearize(f: Callable[..., Any], *args: Any) -> tuple[Any, Callable[..., Any]]:
    """The value of ``f(*args)``, and the function that takes tangents of `args` to that of the value: ``v -> J v``.

    Parameters
    ----------
    f : callable
        Returns floating Tensors, or a container of them.
    *args
        Floating arrays, Tensors or numbers, or containers of them.

    Returns
    -------
    value, push : tuple
        ``push(v, ...)`` takes a tangent for each argument, of its structure, shapes and dtypes, and returns what has those
        of the value. It can be called again and again, and is differentiable in the tangents too; `f` is not called again.

    Raises
    ------
    TypeError, ValueError
        If an argument is not floating; if a tangent has another structure, shape or dtype than its argument.

    See Also
    --------
    jvp : for one direction; vjp : the transpose

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> y, push = xgrad.linearize(xgrad.square, np.array([1.0, 2.0]))
    >>> push(np.array([1.0, 0.0])), push(np.array([0.0, 1.0]))
    (array([2., 0.]), array([0., 4.]))
    """
    push = _Push(f, *args)
    return push.call.value(), push


class _Push:
    """The function that `linearize` returns. It is pickled as the function and its arguments, and calls it again elsewhere."""

    def __init__(self, f: Callable[..., Any], *args: Any) -> None:
        self.f = f
        self.call = Call("linearize", f, args, range(len(args)), {}, False, outlives=True)
        self.forward = Forward(self.call)

    def __call__(self, *tangents: Any) -> Any:
        count = len(self.call.structures)
        if len(tangents) != count:
            raise ValueError(
                f"linearize: {self.call.name} was called with {count} arguments, but there are {len(tangents)} tangents"
            )
        return self.forward.pushed(tangents)

    def __reduce__(self) -> Any:
        return type(self), (self.f, *self.call.rebuild(self.call.given))


def tangents_of(call: Call, tangents: Sequence[Any]) -> tuple[list[Tensor], bool]:
    vs: list[Tensor] = []
    for tangent, structure in zip(tangents, call.structures):
        at, end = len(vs), len(vs) + len(structure.paths)
        vs += like(call.what, "tangent", tangent, call.tensors[at:end], structure, call.names[at:end])
    return vs, bool(mode.get()) and (call.connected or any(v._node is not None for v in vs))


def hvp(f: Callable[..., Any], args: Any, v: Any) -> Any:
    """The Hessian of the scalar function `f` times the vector `v`, without the Hessian: the gradient of ``J v``.

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

    Raises
    ------
    GradientError
        If `f` returns no scalar, or a complex one.
    TypeError, ValueError
        If an argument is not floating; if `v` has another structure, shape or dtype.

    Notes
    -----
    Backward over forward: the tangent is pushed through the graph on Tensors, so that the one walk back, which is the
    larger part, runs on raw arrays.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.hvp(lambda x: xgrad.sum(x**3), np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    array([ 6., 12.])
    """
    return _hvp("hvp", f, args, v)


def _hvp(what: str, f: Callable[..., Any], args: Any, v: Any) -> Any:
    call, vs, record, several = _at(what, f, args, v)
    call.scalar()
    changes = pushforward(call.nodes, vs, call.results, create_graph=True)
    ys = [change for change in changes if change is not None]
    found = walk(ys, [_one(y) for y in ys], call.tensors, retain=False, record=record)
    return _like_args(call, found, record, several)


def ggnvp(f: Callable[..., Any], loss: Callable[[Any], Any], args: Any, v: Any) -> Any:
    """The generalized Gauss-Newton matrix of ``loss(f(*args))`` times the vector `v`: ``J' H J v``.

    It is what remains of the Hessian when the curvature of the model is left out: with ``J`` the Jacobian of `f`, and ``H``
    the Hessian of `loss` at the result. It is positive semi-definite if `loss` is convex, and for the usual losses equal to
    the Fisher information (N. N. Schraudolph, "Fast curvature matrix-vector products for second-order gradient descent",
    2002; J. Martens, "New insights and perspectives on the natural gradient method", 2020).

    Parameters
    ----------
    f : callable
        The model: takes the parameters, and returns floating Tensors, or a container of them. Close over the inputs.
    loss : callable
        Takes what `f` returns, and returns one real floating scalar. Close over the targets.
    args : array or tuple
        The argument of `f`, or a tuple of several.
    v : array or tuple
        Of the structure, shapes and dtypes of `args`.

    Returns
    -------
    array or tuple
        Of the structure, shapes and dtypes of `args`.

    Raises
    ------
    GradientError
        If `loss` returns no scalar, or a complex one.
    TypeError, ValueError
        If an argument is not floating; if `v` has another structure, shape or dtype.

    See Also
    --------
    hvp : with the Hessian itself

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> a = np.array([[1.0, 0.0], [2.0, 1.0]])
    >>> xgrad.ggnvp(lambda x: a @ x, lambda y: xgrad.sum(y * y), np.array([1.0, 1.0]), np.array([1.0, 0.0]))
    array([10.,  4.])
    """
    call, vs, record, several = _at("ggnvp", f, args, v)
    pushed = Forward(call)(vs, record=record)
    ys = call.results if call.connected else [cut(y) for y in call.results]
    result = call.structure.unflatten(ys)
    (curved,) = _hvp("ggnvp", loss, (result,), (call.structure.unflatten(pushed),))
    return _like_args(call, call.back(flatten(curved)[0], retain=False, record=record), record, several)


def _at(what: str, f: Callable[..., Any], args: Any, v: Any) -> tuple[Call, list[Tensor], bool, bool]:
    """The call of `f`, the vectors, whether to record, and whether there are several arguments."""
    several = isinstance(args, tuple)
    given, vectors = (args, v) if several else ((args,), (v,))
    if not isinstance(vectors, tuple) or len(given) != len(vectors):
        raise ValueError(f"{what}: v must be a tuple of as many vectors as there are arguments")
    call = Call(what, f, given, range(len(given)), {}, False)
    return call, *tangents_of(call, vectors), several


def _like_args(call: Call, found: Sequence[Tensor], record: bool, several: bool) -> Any:
    out = call.gradients(found, record)
    return tuple(out) if several else out[0]


def _one(y: Tensor) -> Tensor:
    return wrap(raw_namespace(y._data).ones_like(y._data))
