"""The generated functions: an op by its own signature, and what saves the arrays that rules name."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, cast

from .declare import Op

__all__ = ["positional", "publish"]


def _shape(x: Any) -> tuple[int, ...]:
    return getattr(x, "shape", ())


def positional(forward: Callable[..., Any]) -> Callable[..., Any]:
    """`forward` taking all of its arguments by position, in the order of its signature."""
    parameters = inspect.signature(forward).parameters.values()
    if all(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters):
        return forward
    given = ", ".join("*" * (p.kind is p.VAR_POSITIONAL) + f"{p.name}=" * (p.kind is p.KEYWORD_ONLY) + p.name for p in parameters)
    source = f"lambda {', '.join(p.name for p in parameters)}: f({given})"
    return cast(Callable[..., Any], eval(source, {"f": forward, "__xgrad__": True}))


def publish(op: Op[..., Any]) -> Any:
    """The op as a plain function with its own signature less `xp`, so that Python itself binds the arguments.

    A function, since calling one is faster than calling an object; the declarations are its attributes.
    """
    forward, signature = op.source, inspect.signature(op.source)
    parameters = list(signature.parameters.values())[1:]
    named = [p if p.default is p.empty else p.replace(default=_Name(f"default_{p.name}")) for p in parameters]
    bare = inspect.Signature([p.replace(annotation=p.empty) for p in named])
    source = f"def {forward.__name__}{bare}: return run({', '.join(op.names)})"
    scope: dict[str, Any] = {f"default_{p.name}": p.default for p in parameters}
    exec(source, scope | {"run": op.call, "__xgrad__": True}, scope)
    exact = all(p.kind is p.POSITIONAL_ONLY and p.default is p.empty for p in parameters)
    function: Any = op.call if exact and not op.sequence else scope[forward.__name__]
    function.__name__ = function.__qualname__ = forward.__name__
    function.__doc__, function.__module__ = forward.__doc__, forward.__module__
    function.__signature__ = signature.replace(parameters=parameters)
    function.op, function.vjp, function.holomorphic, function.view = op, op.vjp, op.holomorphic, op.view
    function.zero_gradient, function.not_differentiable = op.zero_gradient, op.not_differentiable
    function.jvp, function.linear, function.elementwise = op.jvp, op.linear, op.elementwise
    return function


class _Name:
    """A default value that prints as a name, for the source of `publish`."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name
