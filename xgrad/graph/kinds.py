"""Functions of real numbers: how they refuse complex arguments.

Functions that need an order, a sign or a fractional power give wrong values for complex numbers. They declare ``@takes_real``
below ``@op`` or ``@composite``, and then refuse complex arrays before anything is computed.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, overload

from ..errors import KindError
from .annotations import array_kinds

__all__ = ["is_complex", "kind_of", "refuse_complex", "takes_real"]

F = TypeVar("F", bound=Callable[..., Any])

_SCALARS = {bool: "exact", int: "exact", float: "real floating", complex: "complex floating", type(None): "exact"}
_kinds: dict[Any, dict[Any, str]] = {}  # by namespace, since dtypes of different libraries must not be compared


def kind_of(xp: Any, dtype: Any) -> str:
    """``"real floating"``, ``"complex floating"`` or ``"exact"``: the kind of a dtype, or of a type of Python scalars.

    The answer is cached by dtype, which is many times faster than `isdtype`.
    """
    known = _kinds.get(xp)
    if known is None:
        known = _kinds[xp] = dict(_SCALARS)
    kind = known.get(dtype)
    if kind is None:
        if getattr(dtype, "is_number", False):  # what stands for a Python number in a captured function
            return "real floating"
        kind = next((kind for kind in ("real floating", "complex floating") if xp.isdtype(dtype, kind)), "exact")
        known[dtype] = kind
    return kind


def is_complex(xp: Any, x: Any) -> bool:
    """Whether `x`, an array or a Python scalar, is complex."""
    dtype, known = getattr(x, "dtype", x.__class__), _kinds.get(xp)
    kind = None if known is None else known.get(dtype)  # looked up here, since a call takes longer
    return (kind_of(xp, dtype) if kind is None else kind) == "complex floating"


@overload
def takes_real(forward: F, /) -> F: ...
@overload
def takes_real(*, but: tuple[str, ...] = ..., kinds: str = ...) -> Callable[[F], F]: ...
def takes_real(forward: F | None = None, /, *, but: tuple[str, ...] = (), kinds: str = "real numbers") -> Any:
    """Declare that an op takes no complex numbers: a call with some raises a TypeError that names the op and the dtype.

    Parameters
    ----------
    forward : callable
        A function of a namespace and arrays; parameters are recognized as by ``@op``.
    but : tuple of str
        Arrays that may be complex.
    kinds : str
        What it takes, for the message.
    """
    if forward is None:
        return lambda forward: _checked(forward, but, kinds)
    return _checked(forward, but, kinds)


def _checked(forward: Any, but: tuple[str, ...], kinds: str) -> Any:
    signature = inspect.signature(forward)
    parameters = list(signature.parameters.values())[1:]
    read = array_kinds(forward)
    arrays = {i: parameters[i].name for i in read if parameters[i].name not in but}
    name, body = forward.__name__.rstrip("_"), forward

    if any(read[i] == "sequence" for i in arrays):

        def check(xp: Any, /, *arguments: Any, **named: Any) -> Any:
            values = signature.bind(xp, *arguments, **named).arguments
            for i, argument in arrays.items():
                x = values.get(argument, ())
                for item in x if read[i] == "sequence" and x is not None else (x,):
                    if is_complex(xp, item):
                        raise _error(name, kinds, argument, item)
            return body(xp, *arguments, **named)

    elif len(parameters) == 1 == len(arrays):  # the usual cases, without packing arguments
        real: Any = None  # the dtype of the last call

        def check(xp: Any, x: Any, /) -> Any:  # type: ignore[misc]
            nonlocal real
            if x.dtype is not real:
                if is_complex(xp, x):
                    raise _error(name, kinds, arrays[0], x)
                real = x.dtype
            return body(xp, x)

    elif len(parameters) == 2 == len(arrays) and all(p.kind is p.POSITIONAL_ONLY for p in parameters):

        def check(xp: Any, x1: Any, x2: Any, /) -> Any:  # type: ignore[misc]
            if is_complex(xp, x1):
                raise _error(name, kinds, arrays[0], x1)
            if is_complex(xp, x2):
                raise _error(name, kinds, arrays[1], x2)
            return body(xp, x1, x2)

    else:

        def check(xp: Any, /, *arguments: Any, **named: Any) -> Any:
            for i, argument in arrays.items():
                x = arguments[i] if i < len(arguments) else named.get(argument)
                if is_complex(xp, x):
                    raise _error(name, kinds, argument, x)
            return body(xp, *arguments, **named)

    checked = functools.wraps(forward)(check)
    checked.real_only = frozenset(arrays.values())  # type: ignore[attr-defined]
    return checked


def refuse_complex(name: str, /, **arrays: Any) -> None:
    """For functions that are no ops: raise the error of `takes_real` if one of the arrays or Tensors is complex."""
    for argument, x in arrays.items():
        if isinstance(x, complex) or "complex" in str(getattr(x, "dtype", "")):
            raise _error(name, "real numbers", argument, x)


def _error(name: str, kinds: str, argument: str, x: Any) -> KindError:
    dtype = str(getattr(x, "dtype", "complex")).rpartition(".")[2]
    parts = ", ".join(f"xgrad.{part}({argument})" for part in ("real", "imag", "abs"))
    advice = f"; give it {parts} or the like" if kinds == "real numbers" else ""
    return KindError(f"{name}: takes {kinds}, and {argument} is {dtype}{advice}")
