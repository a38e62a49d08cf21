"""Decorators for special functions, which a library may have itself, and the conversion of their arguments.

A special function is the library's own where it has one, else SciPy's or a formula. A chapter writes ``@function`` above the
formula that is used where the library has no such function, or above ``return missing(...)`` where there is no formula.
"""

from __future__ import annotations

import functools
import importlib.util
import inspect
import types
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar, overload

from ...backend.dtypes import get_default_dtype
from ...backend.protocol import extend_namespaces
from ...engine.define import op
from ...graph.declare import Op
from ...graph.kinds import kind_of, refuse_complex
from ...graph.names import registry
from . import texts

__all__ = ["derivative", "floats", "function", "missing", "odds_density", "on_host_or", "wide"]

P = ParamSpec("P")
R = TypeVar("R")


@overload
def function(forward: Callable[Concatenate[Any, P], R], /) -> Op[P, R]: ...
@overload
def function(*, own: bool) -> Callable[[Callable[Concatenate[Any, P], R]], Op[P, R]]: ...
def function(forward: Any = None, /, *, own: bool = True) -> Any:
    """Make an op of a special function, elementwise on real floating arrays, and on complex ones if it is holomorphic.

    Its value is the library's own if the backend has a function of this name, else what `forward` returns. Arguments are first
    converted to one floating dtype: integers to that of the other arguments, or to the default. Formulas and rules compute in
    float64, so that a sum that cancels keeps enough digits for float32. Rules declared with ``.vjp`` are also the rules of
    forward mode. The docstring gets the sections that all special functions share.

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
        if len(arguments) > len(names):  # SciPy would take one more as an output to write to
            raise TypeError(f"{name}() takes {len(names)} positional arguments but {len(arguments)} were given")
        if not special.op.conjugates:
            refuse_complex(name, **dict(zip(names, arguments)))
        arguments = floats(xp, *arguments)
        dtype = arguments[0].dtype
        backend, kind = xp.__backend__, kind_of(xp, dtype)
        library = backend.special(name) if own else None
        if kind == "complex floating":
            library = backend.special_on_host(name) or library  # SciPy's takes complex numbers wherever a library's own does
        try:
            if library is None:
                y = forward(xp, *wide(xp, *arguments))
            else:
                half = kind == "real floating" and dtype not in (xp.float32, xp.float64)
                y = library(*(wide(xp, *arguments) if half else arguments))
        except TypeError:
            if kind == "complex floating":  # libraries differ in which functions take complex numbers
                refuse_complex(name, **dict(zip(names, arguments)))
            raise
        return y if y.dtype == dtype else xp.astype(y, dtype)

    run.__doc__ = texts.special(forward, names)
    run.__dict__["asks"] = own
    special: Any = op(override=True, elementwise=True)(run)
    special.vjp = functools.partial(_declare, special.op, "vjp")
    special.holomorphic = functools.partial(_declare, special.op, "holomorphic")
    return special


def derivative(*arrays: str) -> Callable[[Callable[Concatenate[Any, P], R]], Op[P, R]]:
    """Make an op of the derivatives of a special function: its first arguments are `arrays`, the others are orders.

    Arrays are real. They are converted as by `function`, and values and rules are computed in float64.
    """

    def write(forward: Any) -> Any:
        @functools.wraps(forward)
        def run(xp: Any, *arguments: Any) -> Any:
            refuse_complex(forward.__name__, **dict(zip(arrays, arguments)))
            converted = floats(xp, *arguments[: len(arrays)])
            y = forward(xp, *wide(xp, *converted), *arguments[len(arrays) :])
            return y if y.dtype == converted[0].dtype else xp.astype(y, converted[0].dtype)

        special: Any = op(override=True, elementwise=True)(run)
        special.vjp = functools.partial(_declare, special.op, "vjp")
        return special

    return write


def missing(xp: Any, name: str, *arrays: Any) -> Any:
    """The value of SciPy's function `name`, for arrays in the host's memory.

    Raises
    ------
    NotImplementedError
        If the library has no such function and its arrays are not on the host, or SciPy is not installed.
    """
    backend = xp.__backend__
    on_host = backend.special_on_host(name)
    if on_host is not None:
        return on_host(*arrays)
    advice = "" if importlib.util.find_spec("scipy") else "; SciPy has it: python -m pip install scipy"
    raise NotImplementedError(f"{name}: backend {backend.name!r} has no function {name!r}{advice}")


def on_host_or(xp: Any, name: str, formula: Callable[..., Any], *arrays: Any) -> Any:
    """The value of SciPy's function `name` for arrays in the host's memory, where SciPy is installed; else that of `formula`.

    For formulas that take many more steps than SciPy's.
    """
    on_host = xp.__backend__.special_on_host(name)
    if on_host is not None:
        try:
            return on_host(*arrays)
        except NotImplementedError:  # the arrays are on a device
            pass
    return formula(xp, *arrays)


def odds_density(xp: Any, a: Any, b: Any, w: Any) -> Any:
    """The derivative of ``betainc(a, b, w / (1 + w))`` by the odds `w`."""
    return xp.exp(xp.special.xlogy(a - 1, w) - (a + b) * xp.log1p(w) - xp.special.betaln(a, b))


# --------------------------------------------------------------------------------------------------------- rules in float64


def _declare(op: Op[..., Any], way: str, **rules: Callable[..., Any]) -> None:
    arrays = [*(op.names[i] for i in op.arrays), "y"]
    getattr(op, way)(**{name: _in_float64(rule, arrays) for name, rule in rules.items()})


def _in_float64(rule: Callable[..., Any], arrays: Sequence[str]) -> Callable[..., Any]:
    """The rule, with its arguments among `arrays` converted to floating and to float64; the op may have saved integers."""
    names = [n for n in inspect.signature(rule).parameters if n != "xp"]
    takes_xp = len(names) < len(inspect.signature(rule).parameters)
    places = [k for k, n in enumerate(names) if n in arrays]

    def run(xp: Any, *values: Any) -> Any:
        converted = list(values)
        for k, x in zip(places, wide(xp, *floats(xp, *(values[k] for k in places)))):
            converted[k] = x
        return rule(xp, *converted) if takes_xp else rule(*converted)

    run.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [inspect.Parameter(n, inspect.Parameter.POSITIONAL_ONLY) for n in ["xp", *names]]
    )
    return run if places else rule


# ------------------------------------------------------------------------------------------------------------------- dtypes


def wide(xp: Any, *arrays: Any) -> tuple[Any, ...]:
    """`arrays`, all of one floating dtype, converted to float64 if that is real and narrower."""
    if not arrays or arrays[0].dtype == xp.float64 or kind_of(xp, arrays[0].dtype) != "real floating":
        return arrays
    return tuple(xp.astype(x, xp.float64) for x in arrays)


def floats(xp: Any, *arrays: Any) -> tuple[Any, ...]:
    """`arrays` (raw arrays or Tensors, and Python scalars) in the floating dtype that they promote to."""
    dtypes = {x.dtype for x in arrays if hasattr(x, "dtype")}
    inexact = [dtype for dtype in dtypes if kind_of(xp, dtype) != "exact"]
    if len(dtypes) == 1 and inexact and all(hasattr(x, "dtype") for x in arrays):
        return arrays
    dtype = functools.reduce(xp.result_type, inexact) if inexact else _default(xp)
    like = next((x for x in arrays if hasattr(x, "dtype")), None)
    return tuple(_cast(xp, x, dtype, like) for x in arrays)


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


# ------------------------------------------------------------------------------------------------------- namespace of rules


@extend_namespaces
def _add_special(xp: Any) -> None:
    # Rules call special functions as users do, as xp.special.gammaln, on Tensors and on raw arrays.
    special = types.ModuleType(f"{xp.__name__}.special")

    def bound(name: str) -> Callable[..., Any]:
        if name.startswith("__") or name not in registry:
            raise AttributeError(f"{special.__name__} has no {name!r}")
        source = registry[name].source
        run = special.__dict__[name] = lambda *args, **kwargs: source(xp, *args, **kwargs)
        return run

    special.__dict__["__getattr__"] = bound
    xp.__dict__["special"] = special
