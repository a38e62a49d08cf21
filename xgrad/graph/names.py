"""Ops and functions by name: how rules find ops on a raw namespace, and how early code reaches late code.

A method of Tensor is the xgrad function of its name, and those are defined later than Tensor. `xg` has them all: whoever
defines a function that the object needs enters it (`public`), and the table of contents in ``xgrad/__init__.py`` the rest.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ..backend.protocol import extend_namespaces
from .declare import Op

__all__ = ["enter", "fill", "public", "registry", "xg"]

F = TypeVar("F", bound=Callable[..., Any])

xg: Any = types.ModuleType("xg")
"""xgrad's functions by name. It is complete when xgrad is imported, so look names up when a function is called."""

registry: dict[str, Op[..., Any]] = {}
"""Every op by its name."""


def public(function: F) -> F:
    """Enter a function into `xg`, for methods of Tensor."""
    setattr(xg, function.__name__, function)
    return function


def fill(functions: Mapping[str, Any]) -> None:
    """Enter all that xgrad offers by name; done once, when xgrad is imported."""
    vars(xg).update(functions)


def enter(op: Op[..., Any]) -> None:
    """Enter an op into the registry under its name, unless that is one of xgrad's own names and the op is a user's."""
    if op.sequence and len(op.arrays) > 1:
        mixed = ", ".join(op.names[i] for i in op.arrays)
        raise TypeError(f"{op.name}: its parameters {mixed} are arrays and sequences of them; take one sequence")
    known = registry.get(op.name)
    if known is None or not known.is_own or op.is_own:
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
