"""`Transformed`: the function that a transform returns, as an object that can be pickled."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable
from typing import Any

__all__ = ["Transformed", "importable_name"]


class Transformed:
    """The function that a transform makes of the function `f`; it has the name, signature and docstring of `f`.

    As a class attribute it is a method, as functions are. It is pickled as `functools.partial` is, by `f` and the other
    arguments of its constructor, or by its name if it can be imported under that, as where the transform was a decorator.
    """

    caller: str
    """The name of the transform, with which error messages begin."""

    def __init__(self, f: Callable[..., Any]) -> None:
        functools.update_wrapper(self, f, updated=())
        self.f = f

    def __call__(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError

    def constructor_arguments(self) -> tuple[Any, ...]:
        """The arguments of the constructor, for pickling."""
        return (self.f,)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __reduce__(self) -> Any:
        return importable_name(self) or (type(self), self.constructor_arguments())

    def __repr__(self) -> str:
        return f"<{self.caller} of {getattr(self.f, '__qualname__', repr(self.f))}>"


def importable_name(x: Any) -> str | None:
    """The qualified name under which the module of `x` holds it, or None.

    None too for what is defined in ``__main__``, which is another module in another process.
    """
    module, name = getattr(x, "__module__", None), getattr(x, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(name, str) or module == "__main__":
        return None
    value: Any = sys.modules.get(module)
    for part in name.split("."):
        value = getattr(value, part, None)
    return name if value is x else None
