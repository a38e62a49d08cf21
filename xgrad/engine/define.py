"""Making an op of a function."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, cast, overload

from ..graph.declare import Op, check_forward, returns
from ..graph.generate import publish
from ..graph.names import enter
from .backward import P, R
from .call import _composite, general

__all__ = ["composite", "op"]


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
    made.call = general(made)
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
