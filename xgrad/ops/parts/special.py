"""Functions that a library may have itself: a special function is its own if it has it, else SciPy's or a formula.

A chapter writes ``@function`` above the formula that is to stand in where the library has no such function, or above
``return missing(...)`` where there is none.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
import textwrap
import types
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

from ...backend.dtypes import get_default_dtype
from ...backend.protocol import extend_namespaces
from ...engine.define import op
from ...graph.declare import Op
from ...graph.kinds import is_complex, refuse_complex
from ...graph.names import registry

__all__ = ["derivative", "described", "floats", "function", "missing", "one_where", "outward", "stirling", "wide"]

P = ParamSpec("P")
R = TypeVar("R")


@overload
def function(forward: Callable[Concatenate[Any, P], R], /) -> Op[P, R]: ...
@overload
def function(*, own: bool) -> Callable[[Callable[Concatenate[Any, P], R]], Op[P, R]]: ...
def function(forward: Any = None, /, *, own: bool = True) -> Any:
    """Make an op of a special function, elementwise on real floating arrays, and on complex ones if it is holomorphic.

    Its value is the library's own where the backend has a function of this name, else what `forward` returns. Arrays are
    brought to one floating data type first, integers to that of their neighbours or the default, for rules too. Formulas and
    rules compute in float64, of which a sum that cancels leaves enough digits for float32. Rules declared with ``.vjp`` are
    those of forward mode as well. To the docstring are added the sections that all would repeat.

    Parameters
    ----------
    forward : callable
        A function of a namespace and arrays.
    own : bool
        Whether the library's own function is used, if there is one.
    """
    if forward is None:
        return functools.partial(function, own=own)
    name = forward.__name__
    names = [n for n in inspect.signature(forward).parameters if n != "xp"]

    @functools.wraps(forward)
    def run(xp: Any, *arguments: Any) -> Any:
        if len(arguments) > len(names):  # SciPy would write the result into the next one
            raise TypeError(f"{name}() takes {len(names)} positional arguments but {len(arguments)} were given")
        if not made.op.conjugates:
            refuse_complex(name, **dict(zip(names, arguments)))
        arguments = floats(xp, *arguments)
        dtype = arguments[0].dtype
        backend = xp.__backend__
        theirs = backend.special(name) if own else None
        if _kind(xp, dtype) == "complex floating":
            theirs = backend.special_on_host(name) or theirs  # where a library's own takes complex numbers, so does SciPy's
        if theirs is None:
            y = forward(xp, *wide(xp, *arguments))
        else:
            half = _kind(xp, dtype) == "real floating" and dtype not in (xp.float32, xp.float64)
            y = theirs(*(wide(xp, *arguments) if half else arguments))
        return y if y.dtype == dtype else xp.astype(y, dtype)

    run.__doc__ = _documented(forward, names)
    run.__dict__["asks"] = own
    made: Any = op(override=True, elementwise=True)(run)

    made.vjp, made.holomorphic = functools.partial(_declare, made.op, "vjp"), functools.partial(_declare, made.op, "holomorphic")
    return made


def derivative(*arrays: str) -> Callable[[Callable[Concatenate[Any, P], R]], Op[P, R]]:
    """Make an op of a derivative of any order of a special function: `arrays` are its first arguments, others are orders.

    Computed as by `function`, of real arrays; its rules too.
    """

    def write(forward: Any) -> Any:
        @functools.wraps(forward)
        def run(xp: Any, *given: Any) -> Any:
            refuse_complex(forward.__name__, **dict(zip(arrays, given)))
            brought = floats(xp, *given[: len(arrays)])
            y = forward(xp, *wide(xp, *brought), *given[len(arrays) :])
            return y if y.dtype == brought[0].dtype else xp.astype(y, brought[0].dtype)

        made: Any = op(override=True)(run)
        made.vjp = functools.partial(_declare, made.op, "vjp")
        return made

    return write


def _declare(made: Op[..., Any], way: str, **rules: Callable[..., Any]) -> None:
    arrays = [*(made.names[i] for i in made.arrays), "y"]
    getattr(made, way)(**{n: _in_float64(rule, arrays) for n, rule in rules.items()})
    made.elementwise()


def _documented(forward: Callable[..., Any], names: list[str]) -> str:
    """The docstring of a special function, with the sections that all would repeat."""
    text, example = described(forward)
    several = len(names) > 1
    return (
        f"{text.rstrip()}\n\n    Parameters\n    ----------\n    {', '.join(names)} : array{' or Python scalar' * several}\n"
        f"        Of real floating data type; integers are made floating.\n\n    Returns\n    -------\n    Tensor\n"
        f"        Of {'the shape that they broadcast to' if several else 'the shape of `x`'}.\n\n"
        "    Raises\n    ------\n    NotImplementedError\n        If the backend of the arrays has no such function.\n"
        "    TypeError\n        If the arrays are complex, and the function is not known there.\n\n"
        f"    Examples\n    --------\n    >>>{example}"
    )


def described(function: Callable[..., Any]) -> tuple[str, str]:
    """What a docstring says, and what follows the first ``>>>``; all lines but the first are indented by four blanks.

    Since Python 3.13 the compiler takes the indentation away, before then it does not.
    """
    text, _, example = textwrap.indent(inspect.cleandoc(function.__doc__ or ""), "    ").lstrip().partition(">>>")
    return text, example


def _in_float64(rule: Callable[..., Any], arrays: Sequence[str]) -> Callable[..., Any]:
    """The rule with the arrays of these names made floating, since an op was perhaps given integers for some, and float64."""
    named = [n for n in inspect.signature(rule).parameters if n != "xp"]
    takes_xp = len(named) < len(inspect.signature(rule).parameters)
    chosen = [k for k, n in enumerate(named) if n in arrays]

    def run(xp: Any, *values: Any) -> Any:
        brought = list(values)
        for k, x in zip(chosen, wide(xp, *floats(xp, *(values[k] for k in chosen)))):
            brought[k] = x
        return rule(xp, *brought) if takes_xp else rule(*brought)

    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(n, inspect.Parameter.POSITIONAL_ONLY) for n in ["xp", *named]]
    )
    return run if chosen else rule


def wide(xp: Any, *arrays: Any) -> tuple[Any, ...]:
    """`arrays` in float64 where they are real and of fewer bits; all are of one floating data type."""
    if not arrays or arrays[0].dtype == xp.float64 or _kind(xp, arrays[0].dtype) != "real floating":
        return arrays
    return tuple(xp.astype(x, xp.float64) for x in arrays)


def floats(xp: Any, *arrays: Any) -> tuple[Any, ...]:
    """`arrays`, raw arrays or Tensors and Python scalars among them, in the one floating dtype that they promote to."""
    dtypes = {x.dtype for x in arrays if hasattr(x, "dtype")}
    if len(dtypes) == 1 and all(hasattr(x, "dtype") for x in arrays) and _inexact(xp, *dtypes):
        return arrays
    inexact = [dtype for dtype in dtypes if _inexact(xp, dtype)]
    dtype = functools.reduce(xp.result_type, inexact) if inexact else _default(xp)
    like = next((x for x in arrays if hasattr(x, "dtype")), None)
    return tuple(_cast(xp, x, dtype, like) for x in arrays)


def _inexact(xp: Any, dtype: Any) -> bool:
    return _kind(xp, dtype) != "exact"


_kinds: dict[Any, dict[Any, str]] = {}  # by namespace, since dtypes of different libraries are not for comparing


def _kind(xp: Any, dtype: Any) -> str:
    known = _kinds.setdefault(xp, {})
    if dtype not in known:
        known[dtype] = next((k for k in ("real floating", "complex floating") if xp.isdtype(dtype, k)), "exact")
    return known[dtype]


def _default(xp: Any) -> Any:
    backend = getattr(xp, "__backend__", None)
    return get_default_dtype() if backend is None else backend.native_dtype(get_default_dtype())


def _cast(xp: Any, x: Any, dtype: Any, like: Any) -> Any:
    if hasattr(x, "dtype"):
        return x if x.dtype == dtype else xp.astype(x, dtype)
    return xp.asarray(x, dtype=dtype, device=None if like is None else _device(xp, like))


def _device(xp: Any, x: Any) -> Any:
    backend = getattr(xp, "__backend__", None)
    return x.device if backend is None else backend.device(x)


def missing(xp: Any, name: str, *arrays: Any) -> Any:
    """What SciPy's function `name` gives, for arrays in the host's memory; an error for others.

    Raises
    ------
    NotImplementedError
        If the library has no such function and its arrays do not live on the host, or SciPy is not installed.
    """
    backend = xp.__backend__
    on_host = backend.special_on_host(name)
    if on_host is not None:
        return on_host(*arrays)
    advice = "" if importlib.util.find_spec("scipy") else "; SciPy has it: python -m pip install scipy"
    raise NotImplementedError(f"{name}: backend {backend.name!r} has no function {name!r}{advice}")


# ------------------------------------------------------------------------------------------- what several formulas share


def one_where(xp: Any, condition: Any, x: Any) -> Any:
    """`x` with ones where `condition` holds: for a divisor or a logarithm's argument that must not be zero there."""
    return xp.where(condition, xp.ones_like(x), x)


def outward(xp: Any, x: Any) -> Any:
    """``-abs(x)``; of a complex number, it or its negative: what has no positive real part, so that ``exp`` does not overflow."""
    return xp.where(xp.real(x) > 0, -x, x) if is_complex(xp, x) else -xp.abs(x)


def stirling(x: Any) -> Any:
    """The remainder of Stirling's formula for ``gammaln(x)``, for ``x >= 10`` (DLMF 5.11.1)."""
    square, series = (1 / x) * (1 / x), 0.0  # x * x may overflow
    for coefficient in (1 / 156, -691 / 360360, 1 / 1188, -1 / 1680, 1 / 1260, -1 / 360, 1 / 12):
        series = series * square + coefficient
    return series / x


# --------------------------------------------------------------------------------------------- where rules find functions


@extend_namespaces
def _add_special(xp: Any) -> None:
    # Rules find special functions where users do: as xp.special.gammaln, on Tensors and on raw arrays.
    special = types.ModuleType(f"{xp.__name__}.special")

    def bound(name: str) -> Callable[..., Any]:
        if name.startswith("__") or name not in registry:
            raise AttributeError(f"{special.__name__} has no {name!r}")
        source = registry[name].source
        run = special.__dict__[name] = lambda *args, **kwargs: source(xp, *args, **kwargs)
        return run

    special.__dict__["__getattr__"] = bound
    xp.__dict__["special"] = special
