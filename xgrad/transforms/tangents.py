"""`jvp` and `hvp`: the change of a function along a direction, and that of its gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..engine import Tensor
from ..grad_mode import mode
from ..pushforward import pushforward, route
from .call import Call, handed_out, like
from .gradients import grad

__all__ = ["Forward", "hvp", "jvp", "tangents_of"]


class Forward:
    """The derivative of a call as a map of tangents, which are pushed through its graph."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.along = route(call.nodes, call.results)

    def __call__(self, tangents: Sequence[Tensor], *, record: bool) -> list[Tensor]:
        call, starts = self.call, tangents if record else [v._data for v in tangents]
        found = pushforward(call.nodes, starts, call.results, create_graph=record, along=self.along)
        return handed_out(found, call.results, starts, record)


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
    call = Call("jvp", f, args, range(len(args)), {}, False)
    vs, record = tangents_of(call, tangents)
    found = Forward(call)(vs, record=record)
    return call.value(), call.structure.unflatten([v if record else call.give(v, call.kind) for v in found])


def tangents_of(call: Call, tangents: Sequence[Any]) -> tuple[list[Tensor], bool]:
    vs: list[Tensor] = []
    for tangent, structure in zip(tangents, call.structures):
        at, end = len(vs), len(vs) + len(structure.paths)
        vs += like(call.what, "tangent", tangent, call.tensors[at:end], structure, call.names[at:end])
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
    call = Call("hvp", grad(f, tuple(range(len(given)))), given, range(len(given)), {}, False)
    vs, record = tangents_of(call, vectors)
    found = call.gradients(call.back(vs, retain=False, record=record), record)
    return tuple(found) if several else found[0]
