"""Functions made of functions, as objects: what `functools.partial` is, and so that they can be pickled."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable
from typing import Any

__all__ = ["Transformed", "named"]


class Transformed:
    """A function made of the function `f`. It has its name and signature, and is a method where it is set in a class.

    It is pickled as `functools.partial` is, by `f` and what else it was made with; one that stands in a module under its own
    name, as where it was a decorator, by that name, as functions are.
    """

    what: str
    """The function that made it."""

    def __init__(self, f: Callable[..., Any]) -> None:
        functools.update_wrapper(self, f, updated=())
        self.f = f

    def __call__(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError

    def made_with(self) -> tuple[Any, ...]:
        """The arguments that make it again."""
        return (self.f,)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> Any:
        return named(self) or (type(self), self.made_with())

    def __repr__(self) -> str:
        return f"<{self.what} of {getattr(self.f, '__qualname__', repr(self.f))}>"


def named(x: Any) -> str | None:
    """The name under which `x` is found in its module, or None. The main module of another process is another one."""
    module, name = getattr(x, "__module__", None), getattr(x, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or module == "__main__":
        return None
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return name if found is x else None
