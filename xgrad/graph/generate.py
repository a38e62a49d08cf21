"""Generated functions: what an op does at every call is written out once, as a function of just its own parameters.

The source is made of a signature's names alone: nothing that a user writes is evaluated. Tracebacks and profilers show it,
under names such as ``<xgrad: rule of tanh for x>``.
"""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

__all__ = ["by_position", "linear_rule", "rule_adapter", "saver", "with_signature"]


def by_position(name: str, forward: Callable[..., Any]) -> Callable[..., Any]:
    """`forward` taking all of its arguments by position, in the order of its signature."""
    parameters = inspect.signature(forward).parameters.values()
    if all(p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD) for p in parameters):
        return forward
    passed = [
        ("*" if p.kind is p.VAR_POSITIONAL else f"{p.name}=" if p.kind is p.KEYWORD_ONLY else "") + p.name for p in parameters
    ]
    names = [p.name for p in parameters]
    own = _prefix(names)
    source = f"lambda {', '.join(names)}: {own}forward({', '.join(passed)})"
    return _compiled(source, f"forward of {name}", **{f"{own}forward": forward})


def rule_adapter(title: str, rule: Callable[..., Any], names: Sequence[str], slots: Sequence[str], g: str) -> Callable[..., Any]:
    """A rule that takes the values of `names` as a function of ``(xp, g, saved)``, with ``i`` if it names that.

    ``saved`` has an entry for each of `slots`.
    """
    passed = ", ".join(f"saved[{slots.index(n)}]" if n in slots else n for n in names)
    head = f"xp, {g}, saved" + ", i" * ("i" in names)
    adapter = _compiled(f"lambda {head}: rule({passed})", title, rule=rule)
    adapter.__wrapped__ = rule  # type: ignore[attr-defined]
    return adapter


def linear_rule(title: str, apply: Callable[..., Any], names: Sequence[str], name: str) -> Callable[..., Any]:
    """The forward rule of an op that is linear in the argument `name`: the op itself, of the change."""
    passed = ", ".join("t" if other == name else f"saved[{i}]" for i, other in enumerate(names))
    return _compiled(f"lambda xp, t, saved: apply(xp, {passed})", title, apply=apply)


def saver(
    title: str, names: Sequence[str], needed: Collection[int], arrays: Mapping[int, bool], sequence: bool, key_at: int | None,
    keep: Callable[[Any], Any], keep_key: Callable[[Any], Any],
) -> Callable[..., tuple[Any, ...]]:  # fmt: skip
    """A function of all parameters and the output that returns what to save: an entry for each slot, None if not needed.

    Slots are the parameters `names`, the output ``y``, and the shapes of `arrays`, the positions of the array arguments with
    whether they are tracked. An array that is not tracked is a constant that its owner may write to: it goes through `keep`.
    """
    own = _prefix(names)
    shape = f"[{own}shape(v) for v in %s]" if sequence else f"{own}shape(%s)"
    entries = [*names, "y", *(shape % names[i] for i in arrays)]
    for i, tracked in arrays.items():
        if not tracked:
            entries[i] = f"{names[i]} if {names[i]}.__class__ in {own}numbers else {own}keep({names[i]})"
    if key_at is not None:
        entries[key_at] = f"{own}keep_key({names[key_at]})"
    kept = "".join(f"{entry if k in needed else None}, " for k, entry in enumerate(entries))
    scope = {"shape": _shape, "keep": keep, "keep_key": keep_key, "numbers": frozenset({float, int})}
    source = f"lambda {', '.join(names)}, y: ({kept})"
    return _compiled(source, title, **{own + helper: value for helper, value in scope.items()})


def with_signature(forward: Callable[..., Any], call: Callable[..., Any], exact: bool) -> Any:
    """A function with the signature of `forward` less its first parameter, which calls `call` with all by position.

    With `exact`, `call` itself has this signature and is returned. Python binds the arguments of a function of its own
    signature faster than any code that is given ``*args, **kwargs``.
    """
    signature, name = inspect.signature(forward), forward.__name__
    parameters = list(signature.parameters.values())[1:]
    function: Any = call
    if not exact or not all(p.kind is p.POSITIONAL_ONLY and p.default is p.empty for p in parameters):
        names = [p.name for p in parameters]
        own = _prefix(names)
        named = [p if p.default is p.empty else p.replace(default=_Named(f"{own}default_{p.name}")) for p in parameters]
        bare = str(inspect.Signature([p.replace(annotation=p.empty) for p in named]))
        source = f"def {name}{bare}: return {own}call({', '.join(names)})\n"
        defaults = {f"{own}default_{p.name}": p.default for p in parameters}
        function = _defined(source, f"call of {name}", name, **{f"{own}call": call}, **defaults)
    function.__name__ = function.__qualname__ = name
    function.__doc__, function.__module__ = forward.__doc__, forward.__module__
    function.__signature__ = signature.replace(parameters=parameters)
    return function


def _prefix(names: Sequence[str]) -> str:
    """What the names of helpers begin with, so that none is the name of a parameter."""
    prefix = "_"
    while any(name.startswith(prefix) for name in names):
        prefix += "_"
    return prefix


class _Named:
    """A default value that prints as a name."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


def _shape(x: Any) -> tuple[int, ...]:
    return getattr(x, "shape", ())


def _defined(source: str, title: str, name: str, **scope: Any) -> Any:
    """The function `name` that `source` defines, whose lines tracebacks show."""
    filename = f"<xgrad: {title}>"
    linecache.cache[filename] = (len(source), None, [source], filename)
    scope["__xgrad__"] = True  # an error names the user's line, and not this one
    exec(compile(source, filename, "exec"), scope)
    return scope[name]


def _compiled(source: str, title: str, **scope: Any) -> Any:
    return _defined(f"function = {source}\n", title, "function", **scope)
