"""`jvp`, `linearize`, `hvp` and `ggnvp`: forward-mode derivatives, and products with second derivatives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..engine.backward import one
from ..engine.forward import pushforward
from ..graph.recording import mode
from ..graph.walks import route
from ..tensor.tensor import Tensor, wrap
from ..tree import flatten
from .call import Call, detached, in_own_memory, matching, pull

__all__ = ["Forward", "check_tangents", "ggnvp", "hvp", "jvp", "linearize"]


class Forward:
    """The pushforward of a call: the function from tangents of its arguments to tangents of its results."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.along = route(call.nodes, call.results)

    def __call__(self, tangents: Sequence[Tensor], *, record: bool) -> list[Tensor]:
        call, starts = self.call, tangents if record else [v._data for v in tangents]
        changes = pushforward(call.nodes, starts, call.results, create_graph=record, linked=call.connected, along=self.along)
        return in_own_memory(changes, call.results, starts, record)

    def for_user(self, tangents: Sequence[Any]) -> Any:
        """The tangent of the result, given the user's tangents of the arguments, as the user gets it."""
        call = self.call
        vs, record = check_tangents(call, tangents)
        changes = self(vs, record=record)
        return call.structure.unflatten([v if record else call.for_user(v) for v in changes])


def jvp(f: Callable[..., Any], args: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """The value of ``f(*args)``, and its directional derivative along `tangents`: ``J v``.

    Parameters
    ----------
    f : callable
        Returns floating Tensors, or a container of them.
    args, tangents : sequence
        The arguments, and one tangent for each, of its structure, shapes and dtypes.

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
    The call is recorded, and the tangents are pushed through its graph: the call takes as much memory as for reverse mode.
    For complex numbers the tangent is the change of the function, which is linear over the real numbers.

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
    return call.value(), Forward(call).for_user(tangents)


def linearize(f: Callable[..., Any], *args: Any) -> tuple[Any, Callable[..., Any]]:
    """The value of ``f(*args)``, and its pushforward: the function ``v -> J v`` from tangents of `args` to that of the value.

    Parameters
    ----------
    f : callable
        Returns floating Tensors, or a container of them.
    *args
        Floating arrays, Tensors or numbers, or containers of them.

    Returns
    -------
    value, push : tuple
        ``push(v, ...)`` takes a tangent for each argument, of its structure, shapes and dtypes, and returns the tangent of the
        value. It can be called many times without another call of `f`, and is differentiable in the tangents too.

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
    """The pushforward that `linearize` returns. It is pickled as `f` and its arguments; unpickling calls `f` again."""

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
        return self.forward.for_user(tangents)

    def __reduce__(self) -> Any:
        return type(self), (self.f, *self.call.rebuild(self.call.leaves))


def check_tangents(call: Call, tangents: Sequence[Any]) -> tuple[list[Tensor], bool]:
    """The user's tangents of the arguments as Tensors, and whether what is computed from them is recorded."""
    vs: list[Tensor] = []
    for tangent, structure in zip(tangents, call.structures):
        at, end = len(vs), len(vs) + len(structure.paths)
        vs += matching(call.caller, "tangent", "its argument", tangent, call.tensors[at:end], structure, call.names[at:end])
    return vs, bool(mode.get()) and (call.connected or any(v._node is not None for v in vs))


def hvp(f: Callable[..., Any], args: Any, v: Any) -> Any:
    """The Hessian of the scalar function `f` times the vector `v`, without the Hessian itself.

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
        If `f` does not return a real scalar.
    TypeError, ValueError
        If an argument is not floating; if `v` has another structure, shape or dtype.

    Notes
    -----
    It is the gradient of ``J v``, reverse over forward: the pushforward runs on Tensors, and the pullback, which is the larger
    part, on raw arrays.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.hvp(lambda x: xgrad.sum(x**3), np.array([1.0, 2.0]), np.array([1.0, 1.0]))
    array([ 6., 12.])
    """
    return _hvp("hvp", f, args, v)


def _hvp(caller: str, f: Callable[..., Any], args: Any, v: Any) -> Any:
    call, vs, record, several = _call_at(caller, f, args, v)
    call.scalar()
    changes = pushforward(call.nodes, vs, call.results, create_graph=True)
    ys = [change for change in changes if change is not None]
    return _like_args(
        call, pull(ys, [wrap(one(y._data)) for y in ys], call.tensors, retain=False, record=record), record, several
    )


def ggnvp(f: Callable[..., Any], loss: Callable[[Any], Any], args: Any, v: Any) -> Any:
    """The generalized Gauss-Newton matrix of ``loss(f(*args))`` times the vector `v`: ``J' H J v``.

    ``J`` is the Jacobian of `f`, and ``H`` the Hessian of `loss` at the result of `f`: the Hessian without the curvature of the
    model. It is positive semi-definite if `loss` is convex, and equal to the Fisher information for the usual losses
    (N. N. Schraudolph, "Fast curvature matrix-vector products for second-order gradient descent", 2002; J. Martens, "New
    insights and perspectives on the natural gradient method", 2020).

    Parameters
    ----------
    f : callable
        The model: takes the parameters, and returns floating Tensors, or a container of them. The inputs are captured.
    loss : callable
        Takes the result of `f`, and returns one real floating scalar. The targets are captured.
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
        If `loss` does not return a real scalar.
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
    call, vs, record, several = _call_at("ggnvp", f, args, v)
    tangents = Forward(call)(vs, record=record)
    ys = call.results if call.connected else [detached(y) for y in call.results]
    result = call.structure.unflatten(ys)
    (cotangent,) = _hvp("ggnvp", loss, (result,), (call.structure.unflatten(tangents),))
    return _like_args(call, call.pull(flatten(cotangent)[0], retain=False, record=record), record, several)


def _call_at(caller: str, f: Callable[..., Any], args: Any, v: Any) -> tuple[Call, list[Tensor], bool, bool]:
    """The call of `f` at `args`, the vectors `v`, whether to record, and whether `args` is a tuple."""
    several = isinstance(args, tuple)
    arguments, vectors = (args, v) if several else ((args,), (v,))
    if not isinstance(vectors, tuple) or len(arguments) != len(vectors):
        raise ValueError(f"{caller}: v must be a tuple of as many vectors as there are arguments")
    call = Call(caller, f, arguments, range(len(arguments)), {}, False)
    return call, *check_tangents(call, vectors), several


def _like_args(call: Call, products: Sequence[Tensor], record: bool, several: bool) -> Any:
    """The products as the user gets them: a tuple if `args` was one."""
    out = call.gradients(products, record)
    return tuple(out) if several else out[0]
