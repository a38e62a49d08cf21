"""Docstring sections that many ops share, written by decorators."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["described", "reduces", "reduces_real", "special", "takes"]

F = TypeVar("F", bound=Callable[..., Any])


def described(function: Callable[..., Any]) -> tuple[str, str]:
    """The docstring before its first ``>>>`` and after it; every line but the first is indented by four spaces.

    Since Python 3.13 the compiler removes the indentation; older versions keep it.
    """
    text, _, example = textwrap.indent(inspect.cleandoc(function.__doc__ or ""), "    ").lstrip().partition(">>>")
    return text.rstrip(), example


def _written(text: str, parameters: str, returns: str, raises: str, example: str) -> str:
    """A docstring of these sections; `raises` may be empty."""
    sections = [f"Parameters\n    ----------\n    {parameters}", f"Returns\n    -------\n    Tensor\n        {returns}"]
    sections += [f"Raises\n    ------\n    {raises}"] if raises else []
    return "\n\n    ".join([text, *sections, f"Examples\n    --------\n    >>>{example}"])


# -------------------------------------------------------------------------------------------------------------- elementwise


def takes(kinds: str, gives: str | None = None) -> Callable[[F], F]:
    """Add the sections of an elementwise function: the `kinds` of arrays that it takes, and the dtype that it returns."""

    def write(forward: F) -> F:
        names = [name for name in forward.__annotations__ if name not in ("xp", "return")]
        several = len(names) > 1
        dtype = gives or ("the dtype that they promote to" if several else "the dtype of `x`")
        size = "the shape that they broadcast to" if several else "the shape of `x`"
        scalars = "arrays or Python scalars, at least one array" if several else "array"
        raises = (
            "ValueError\n        If the shapes do not broadcast.\n"
            "    TypeError\n        If the dtypes do not promote, or the arrays are of different backends."
        )
        text, example = described(forward)
        parameters = f"{', '.join(names)} : {scalars}\n        Of {kinds} data type."
        forward.__doc__ = _written(text, parameters, f"Of {size} and of {dtype}.", raises if several else "", example)
        return forward

    return write


def special(forward: Callable[..., Any], names: list[str]) -> str:
    """The docstring of a special function of the arguments `names`."""
    text, example = described(forward)
    several = len(names) > 1
    return _written(
        text,
        f"{', '.join(names)} : array{' or Python scalar' * several}\n"
        "        Of real floating data type; integers are converted to floating.",
        f"Of {'the shape that they broadcast to' if several else 'the shape of `x`'}.",
        "NotImplementedError\n        If the backend of the arrays has no such function.\n"
        "    TypeError\n        If the arrays are complex, and the function is not known there.",
        example,
    )


# --------------------------------------------------------------------------------------------------------------- reductions

_OPTIONS = {
    "q": "q : array, float or sequence of float\n        Which {}s, between 0 and {}.",
    "axis": "axis : int or tuple of int, optional\n        The axes to reduce; all of them if not given.",
    "dtype": "dtype : data type, optional\n        Convert to this data type before reducing.",
    "method": 'method : str\n        How to interpolate between two elements: a method of Hyndman and Fan ("linear", "hazen",\n'
    '        ...) or "lower", "higher", "nearest", "midpoint", as in NumPy.',
    "correction": "correction : int or float\n        Subtracted from the number of elements in the divisor; "
    "1 is Bessel's correction.",
    "keepdims": "keepdims : bool\n        Keep the reduced axes, with length one.",
}


def reduces(forward: F) -> F:
    """Add the sections of a reduction of the standard."""
    names = forward.__annotations__
    dtype = "the dtype of `x`"
    if "dtype" in names:
        dtype = "`dtype`, or else of the dtype of `x`, small integers widened to the default integer"
    elif "correction" in names:
        dtype = "the real dtype of `x`"
    raises = "ValueError or IndexError\n        If `x` has no such axis, or an axis is named twice."
    return _reduction(forward, "numeric", f", and of {dtype}", raises)


def reduces_real(forward: F) -> F:
    """Add the sections of a reduction of real arrays, which may take quantiles `q`."""
    return _reduction(forward, "real", ", after that of `q`" if "q" in forward.__annotations__ else "", "")


def _reduction(forward: F, kinds: str, returns: str, raises: str) -> F:
    text, example = described(forward)
    quantiles = ("percentile", 100) if "percentile" in forward.__name__ else ("quantile", 1)
    options = [_OPTIONS[name].format(*quantiles) for name in inspect.signature(forward).parameters if name in _OPTIONS]
    parameters = "\n    ".join([f"x : array\n        Of a {kinds} data type.", *options])
    returns = f"Of the shape of `x` without the reduced axes{returns}."
    forward.__doc__ = _written(text, parameters, returns, raises, example)
    return forward
