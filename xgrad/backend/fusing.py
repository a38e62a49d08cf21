"""Elementwise functions of several steps, which some libraries run as one kernel."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["fusable"]

F = TypeVar("F", bound=Callable[..., Any])


def fusable(function: F) -> F:
    """Mark an elementwise function ``f(xp, *arrays)`` of raw arrays, so that a library may run it as one kernel.

    It may take other arguments too, which must be hashable, and return several arrays. It must not ask for shapes.
    """

    @functools.wraps(function)
    def run(xp: Any, *arguments: Any) -> Any:
        backend = getattr(xp, "__backend__", None)  # xgrad's own namespaces have none
        fuse = None if backend is None else backend.fuse
        return function(xp, *arguments) if fuse is None else fuse(function)(xp, *arguments)

    return run  # type: ignore[return-value]
