"""Making an op of a function."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

from ..graph.declare import Op, check_forward
from ..graph.generate import with_signature
from ..graph.names import enter
from .call import composite_call, general_call
from .fast import one_array, two_arrays
from .operators import make_operator
from .usual import usual_call, usual_composite_call

__all__ = ["composite", "op"]

P = ParamSpec("P")
R = TypeVar("R")


@overload
def op(forward: Callable[Concatenate[Any, P], R], /) -> Op[P, R]: ...
@overload
def op(
    *,
    scalars: bool = ...,
    override: bool = ...,
    elementwise: bool = ...,
    passes_through: bool = ...,
    arrays: Collection[str] | None = ...,
    outputs: int | None = ...,
) -> Callable[[Callable[Concatenate[Any, P], R]], Op[P, R]]: ...
def op(forward: Any = None, /, **options: Any) -> Any:
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
    elementwise : bool
        Whether each element of the result depends on one element of each argument, which broadcast. Its rules are those of
        forward mode too, and `vmap` calls it as it is.
    passes_through : bool
        Whether `forward` only calls one function of `xp`, so that every interpreter runs it as it is written.
    arrays : collection of str, optional
        The names of the array parameters, where annotations do not say which they are.
    outputs : int, optional
        How many arrays it returns, where the annotation does not say whether there is one.

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
        return lambda forward: _make(forward, options)
    return _make(forward, options)


def _make(forward: Callable[..., Any], options: dict[str, Any]) -> Any:
    check_forward(forward)
    new: Op[..., Any] = Op(forward, **options)
    enter(new)
    new.call = general = general_call(new)
    if new.arrays:
        new.call = usual = usual_call(new, general)
        if new.returns != "several" and not new.sequence and not new.optional:
            if new.arrays == [0]:
                new.call = one_array(new, general, usual)
            elif new.arrays == [0, 1] and len(new.names) == 2:
                new.call = two_arrays(new, general, usual)
                make_operator(new, general, usual)
    return _published(new)


@overload
def composite(forward: Callable[Concatenate[Any, P], R], /) -> Op[P, R]: ...
@overload
def composite(*, elementwise: bool) -> Callable[[Callable[Concatenate[Any, P], R]], Op[P, R]]: ...
def composite(forward: Any = None, /, *, elementwise: bool = False) -> Any:
    """Make an op of a function ``f(xp, ...)`` that is differentiated through the ops that it calls on `xp`.

    On tensors that require grad it runs with ``xp`` an xgrad namespace, else on raw arrays.
    """
    if forward is None:
        return lambda forward: _composed(forward, elementwise)
    return _composed(forward, elementwise)


def _composed(forward: Callable[..., Any], elementwise: bool) -> Any:
    check_forward(forward)
    new: Op[..., Any] = Op(forward, override=True, elementwise=elementwise)
    enter(new)
    new.derivative, new.call = "composite", usual_composite_call(new, composite_call(new))
    return _published(new)


def _published(op: Op[..., Any]) -> Any:
    """The op as a plain function with its own signature less `xp`; the declarations are its attributes.

    A function, since calling one is faster than calling an object.
    """
    function = with_signature(op.source, op.call, exact=not op.sequence)
    function.op, function.vjp, function.holomorphic, function.view = op, op.vjp, op.holomorphic, op.view
    function.zero_gradient, function.not_differentiable = op.zero_gradient, op.not_differentiable
    function.jvp, function.linear, function.elementwise = op.jvp, op.linear, op.elementwise
    return function
