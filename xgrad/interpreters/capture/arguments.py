"""The arguments and results of a captured function: nested containers, taken apart and put together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["Form", "flatten", "paths"]


class Form:
    """The structure of nested tuples, lists and dicts; `kind` is the container, or None for a leaf with the number `index`."""

    __slots__ = ("index", "keys", "kind", "parts")

    def __init__(self, kind: Any, parts: tuple[Form, ...] = (), keys: tuple[Any, ...] = (), index: int = -1) -> None:
        self.kind, self.parts, self.keys, self.index = kind, parts, keys, index

    def fill(self, leaves: Sequence[Any]) -> Any:
        """The container with these leaves."""
        if self.kind is None:
            return leaves[self.index]
        parts = [part.fill(leaves) for part in self.parts]
        if self.kind is dict:
            return dict(zip(self.keys, parts))
        return self.kind(*parts) if hasattr(self.kind, "_fields") else self.kind(parts)

    def source(self, leaf: Callable[[int], str], bind: Callable[[Any], str]) -> str:
        """Python source that builds the container from ``leaf(index)``; `bind` returns a name for an object."""
        if self.kind is None:
            return leaf(self.index)
        parts = [part.source(leaf, bind) for part in self.parts]
        if self.kind is dict:
            return "{" + ", ".join(f"{bind(key)}: {part}" for key, part in zip(self.keys, parts)) + "}"
        if self.kind is list:
            return "[" + ", ".join(parts) + "]"
        if self.kind is tuple:
            return "(" + "".join(f"{part}, " for part in parts) + ")"
        return f"{bind(self.kind)}({', '.join(parts)})"  # a named tuple


def flatten(x: Any, leaves: list[Any]) -> Form:
    """The form of `x`; its leaves are appended to `leaves`."""
    cls = x.__class__
    if cls in (tuple, list) or (isinstance(x, tuple) and hasattr(x, "_fields")):
        return Form(cls, tuple([flatten(part, leaves) for part in x]))
    if cls is dict:
        return Form(dict, tuple([flatten(part, leaves) for part in x.values()]), tuple(x))
    leaves.append(x)
    return Form(None, index=len(leaves) - 1)


def paths(form: Form, expression: str, bind: Callable[[Any], str], checks: list[str], out: dict[int, str]) -> None:
    """Enter Python source for each leaf of `expression` into `out`, and checks that its containers have this form."""
    if form.kind is None:
        out[form.index] = expression
        return
    checks.append(f"{expression}.__class__ is {bind(form.kind)} and len({expression}) == {len(form.parts)}")
    if form.kind is dict and form.keys:
        checks.append(f"tuple({expression}) == {bind(form.keys)}")
    for k, part in enumerate(form.parts):
        key = bind(form.keys[k]) if form.kind is dict else str(k)
        paths(part, f"{expression}[{key}]", bind, checks, out)
