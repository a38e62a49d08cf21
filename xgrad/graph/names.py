"""Every op by its name, and how rules find them on a raw namespace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backend.protocol import extend_namespaces
from .declare import Op, is_own

__all__ = ["enter", "registry"]

registry: dict[str, Op[..., Any]] = {}
"""Every op by its name."""


def enter(op: Op[..., Any]) -> None:
    """Enter an op into the registry under its name, unless that is one of xgrad's own names and the op is a user's."""
    if op.sequence and len(op.arrays) > 1:
        arrays = ", ".join(op.names[i] for i in op.arrays)
        raise TypeError(f"{op.name}: its parameters {arrays} are arrays and sequences of them; take one sequence")
    known = registry.get(op.name)
    if known is None or not is_own(known) or is_own(op):
        registry[op.name] = op


@extend_namespaces
def _add_ops(xp: Any) -> None:
    # A rule finds every op on a raw namespace: the library's own function of that name, or else the op's forward.
    def bound(name: str) -> Callable[..., Any]:
        if name not in registry:
            raise AttributeError(f"{xp.__name__} has no {name!r}")
        source = registry[name].source
        return lambda *args, **kwargs: source(xp, *args, **kwargs)

    for name, op in registry.items():
        if op.override or not hasattr(xp, name):
            setattr(xp, name, bound(name))
    xp.__getattr__ = bound
