"""SciPy's optimizers for functions of nested arrays, with exact derivatives.

SciPy minimizes functions of one flat float64 NumPy array. The functions here take containers of arrays of any backend, and
return SciPy's result with the arrays nested as before.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any

from ..backend.dtypes import dtype_of
from ..graph.recording import recording
from ..tensor.tensor import Tensor
from ..transforms.call import type_name
from ..transforms.gradients import ValueAndGrad
from ..transforms.jacobians import jacobian
from ..transforms.tangents import hvp
from .scipy_modules import scipy_module
from .unknown import Unknown, flat_result

__all__ = ["least_squares", "minimize"]

# Methods of `scipy.optimize.minimize`, by the derivatives that they use.
NO_GRADIENT = frozenset({"nelder-mead", "powell", "cobyla", "cobyqa"})
WITH_PRODUCTS = frozenset({"newton-cg", "trust-ncg", "trust-krylov", "trust-constr"})
WITH_HESSIAN = frozenset({"dogleg", "trust-exact"})


def minimize(
    f: Callable[..., Any],
    x0: Any,
    args: Any = (),
    method: str | None = None,
    *,
    bounds: Any = None,
    constraints: Any = (),
    tol: float | None = None,
    callback: Callable[[Any], Any] | None = None,
    options: dict[str, Any] | None = None,
) -> Any:
    """Minimize a scalar function of nested arrays with `scipy.optimize.minimize`.

    Parameters
    ----------
    f : callable
        ``f(x, *args)`` returns one real floating scalar.
    x0 : array, Tensor, number, or container of them
        Where to start, floating. Complex arrays count as their real and imaginary parts.
    args : tuple
        Passed on to `f`. Anything but a tuple is one argument, as in SciPy.
    method : str, optional
        Any of SciPy's. Methods that use derivatives get the exact gradient, and products with the exact Hessian
        (``"Newton-CG"``, ``"trust-ncg"``, ``"trust-krylov"``, ``"trust-constr"``) or the whole Hessian (``"dogleg"``,
        ``"trust-exact"``).
    bounds : optional
        As SciPy takes them: a `scipy.optimize.Bounds`, or a sequence of pairs ``(low, high)``, one for each number of `x0`
        in row-major order, array after array; None stands for no limit. If `x0` is a container, bounds may be nested as `x0`
        instead, with one pair for each array, whose two entries broadcast to the array.
    constraints : optional
        As SciPy takes them, on the flat float64 vector of the numbers of `x0`.
    tol, options
        As SciPy takes them.
    callback : callable, optional
        Called after each iteration with the present answer, nested as `x0`, for example to show progress. As in SciPy, a
        callback whose only parameter is called ``intermediate_result`` gets an OptimizeResult with that answer as `x`, and a
        callback of two parameters also gets the state of ``"trust-constr"``. It may raise StopIteration to end the search.

    Returns
    -------
    scipy.optimize.OptimizeResult
        SciPy's result. Its `x`, and its gradient `jac` if there is one (``"trust-constr"`` calls it `grad`), have the structure,
        dtypes, backend and device of `x0`, with Tensors for Tensors. Nothing is recorded; `xgrad.solve.argmin` returns a minimum
        that can be differentiated.

    Raises
    ------
    ImportError
        If SciPy is not installed.
    TypeError, GradientError
        If `x0` is not floating, or `f` does not return a scalar.
    ValueError
        If `bounds` has another form, or the wrong number of pairs.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> from xgrad.optimize import minimize
    >>> minimize(lambda x: xgrad.sum((x - 3.0) ** 2), np.zeros(2), bounds=[(0, 1), (None, 2)]).x
    array([1., 2.])
    >>> f = lambda p: (p["a"] - 1.0) ** 2 + xgrad.sum((p["b"] - p["a"]) ** 2)
    >>> result = minimize(f, {"a": 0.0, "b": np.zeros(2)})
    >>> result.success, round(result.x["a"], 6), result.x["b"].round(6)
    (True, 1.0, array([1., 1.]))
    """
    optimize = scipy_module("optimize", "minimize")
    args = args if isinstance(args, tuple) else (args,)
    x = Unknown("minimize", "x0", x0, args)
    scalar: Callable[[Any], Any] = lambda v: f(x.rebuild(x.packing.unpack(v)), *args)
    value_and_grad = ValueAndGrad(scalar, caller="minimize")
    name = method.lower() if isinstance(method, str) else ""
    arguments: dict[str, Any] = {"method": method, "constraints": constraints, "tol": tol, "options": options}

    def value_and_gradient(v: Any) -> tuple[float, Any]:
        with recording(False):
            value, gradient = value_and_grad(x.vector(v))
        return float(x.packing.to_host(value)), x.packing.to_host(gradient)

    def value(v: Any) -> float:
        with recording(False):
            return _scalar(x, scalar(x.vector(v)))

    if name not in NO_GRADIENT:
        arguments["jac"] = True
    if name in WITH_PRODUCTS:
        arguments["hessp"] = lambda v, p: x.packing.to_host(_unrecorded(hvp, scalar, x.vector(v), x.vector(p)))
    elif name in WITH_HESSIAN:
        hessian = jacobian(lambda v: value_and_grad(v)[1])

        def hessian_of(v: Any) -> Any:
            try:
                return x.packing.to_host(_unrecorded(hessian, x.vector(v)))
            except MemoryError as error:
                raise MemoryError(
                    f"minimize: method {name!r} needs the whole Hessian; pass method='trust-krylov' ({error})"
                ) from None

        arguments["hess"] = hessian_of
    if bounds is not None:
        arguments["bounds"] = _pairs(optimize, x, bounds)
    if callback is not None:
        arguments["callback"] = _callback(x, callback, name)
    result = optimize.minimize(value if name in NO_GRADIENT else value_and_gradient, x.start(), **arguments)
    result.x = x.host_for_user(result.x)
    for name in ("jac", "grad"):  # "grad" is the gradient of trust-constr, whose "jac" is a list of those of the constraints
        if hasattr(result.get(name), "dtype"):
            result[name] = x.host_for_user(result[name])
    return result


def least_squares(
    f: Callable[..., Any], x0: Any, args: Sequence[Any] = (), method: str = "trf", *, bounds: Any = None, **options: Any
) -> Any:
    """Minimize half the sum of the squares of the result of `f`, with `scipy.optimize.least_squares`.

    Parameters
    ----------
    f : callable
        ``f(x, *args)`` returns the residuals: a real floating Tensor, or a container of them.
    x0 : array, Tensor, number, or container of them
        As for `minimize`.
    args : sequence
        Passed on to `f`.
    bounds : optional
        As SciPy's function takes them: a `scipy.optimize.Bounds`, or a pair ``(lows, highs)``. Each of the two is a number for
        all, an array of the shape of `x0`, or a container nested as `x0` of what broadcasts to its arrays; None stands for no
        limit.
    method, **options
        As SciPy takes them; the Jacobian is exact. The entries of ``kwargs`` are passed on to `f`.

    Returns
    -------
    scipy.optimize.OptimizeResult
        SciPy's result. Its `x` and `grad` are nested as `x0`; `fun` and `jac` are flat float64 NumPy arrays.

    Raises
    ------
    ImportError, TypeError, ValueError
        As for `minimize`.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> from xgrad.optimize import least_squares
    >>> t = np.linspace(0.0, 1.0, 5)
    >>> result = least_squares(lambda p: p[0] * xgrad.exp(p[1] * t) - 2 * np.exp(-t), np.array([1.0, 0.0]))
    >>> result.x.round(6)
    array([ 2., -1.])
    """
    optimize = scipy_module("optimize", "least_squares")
    x = Unknown("least_squares", "x0", x0, args)
    if "jac" in options:
        raise TypeError("least_squares: it takes no jac, since it computes the Jacobian of f itself")
    keywords, callback = options.pop("kwargs", None) or {}, options.pop("callback", None)
    if callback is not None:
        options["callback"] = _callback(x, callback, method)
    call: Callable[..., Any] = functools.partial(f, **keywords) if keywords else f
    residuals: Callable[[Any], Tensor] = lambda v: flat_result(x, call, v, args)
    jacobian_of_residuals = jacobian(residuals)
    limits = {"bounds": _limits(optimize, x, bounds)} if bounds is not None else {}

    def jacobian_of(v: Any) -> Any:
        try:
            return x.packing.to_host(_unrecorded(jacobian_of_residuals, x.vector(v)))
        except MemoryError as error:
            raise MemoryError(
                f"least_squares: it needs the whole Jacobian; pass the sum of squares to minimize, method 'L-BFGS-B' ({error})"
            ) from None

    result = optimize.least_squares(
        lambda v: x.packing.to_host(_unrecorded(residuals, x.vector(v))),
        x.start(),
        jac=jacobian_of,
        method=method,
        **limits,
        **options,
    )
    result.x, result.grad = x.host_for_user(result.x), x.host_for_user(result.grad)
    return result


def _unrecorded(f: Callable[..., Any], *args: Any) -> Any:
    """The result of ``f(*args)``, without recording."""
    with recording(False):
        return f(*args)


def _scalar(x: Unknown, y: Any) -> float:
    """The value `y` of the function as a number."""
    if not isinstance(y, Tensor) or y.size != 1 or y.dtype.kind != "real floating":
        actual = f"shape {y.shape} {dtype_of(y.dtype).name}" if isinstance(y, Tensor) else f"a {type_name(y)}"
        raise TypeError(f"{x.caller}: the function returned {actual}; it must return one real floating Tensor")
    return float(x.packing.to_host(y).item())


def _callback(x: Unknown, callback: Callable[..., Any], method: str) -> Callable[..., Any]:
    """The user's callback as a callback of the same signature for SciPy, with flat vectors."""
    try:
        parameters = list(inspect.signature(callback).parameters.values())
    except (TypeError, ValueError):  # some functions written in C have no signature
        parameters = []
    if {p.name for p in parameters} == {"intermediate_result"}:

        def with_result(*, intermediate_result: Any) -> Any:
            result = type(intermediate_result)(intermediate_result)
            result.x = x.host_for_user(intermediate_result.x)
            return callback(intermediate_result=result)

        return with_result
    positional = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    several = method == "trust-constr" and (len(positional) > 1 or any(p.kind is p.VAR_POSITIONAL for p in parameters))
    return lambda v, *state: callback(x.host_for_user(v), *(state if several else ()))


def _flat_bounds(x: Unknown, bounds: Any) -> Any:
    """A `scipy.optimize.Bounds` of the flat vector; raises if its length is wrong."""
    for name in ("lb", "ub"):
        length = getattr(getattr(bounds, name), "size", 1)
        if length not in (1, x.packing.size):
            raise ValueError(f"{x.caller}: bounds.{name} holds {length} numbers, but x0 holds {x.packing.size}")
    return bounds


def _pairs(optimize: Any, x: Unknown, bounds: Any) -> Any:
    """The bounds of `minimize`, in any form, as a `scipy.optimize.Bounds` of the flat vector."""
    import numpy

    if isinstance(bounds, optimize.Bounds):
        return _flat_bounds(x, bounds)
    size, infinite = x.packing.size, float("inf")
    bounds = list(bounds) if hasattr(bounds, "__next__") else bounds  # such as a zip
    rows = None if isinstance(bounds, dict) else _rows(bounds)
    if rows is not None and len(rows) == size and all(_is_pair(row) and all(map(_is_limit, row)) for row in rows):
        low, high = ([_limit(row[k], default) for row in rows] for k, default in enumerate((-infinite, infinite)))
        return optimize.Bounds(numpy.asarray(low, dtype=float), numpy.asarray(high, dtype=float))
    parts = _nested(x, bounds)
    if parts and all(map(_is_pair, parts)):
        sides = (x.structure.unflatten([part[k] for part in parts]) for k in (0, 1))
        return optimize.Bounds(*(x.flat_limits(side, default) for side, default in zip(sides, (-infinite, infinite))))
    parts_of = ", real and imaginary parts apart" if any(x.packing.complex) else ""
    pairs = f"a sequence of {size} pairs (low, high), one for each number of x0{parts_of}"
    nested = ", pairs nested as x0," if x.structure.spec is not None else ""
    actual = f"{len(rows)} entries" if rows is not None else f"a {type_name(bounds)}"
    raise ValueError(
        f"{x.caller}: bounds must be {pairs},{nested} or a scipy.optimize.Bounds(lows, highs), not {actual} of another form; for "
        "the same limits for all numbers pass Bounds(low, high)"
    )


def _nested(x: Unknown, bounds: Any) -> list[Any]:
    """The parts of `bounds` in place of the arrays of `x0`; none if `x0` is an array or has another structure."""
    if x.structure.spec is None:
        return []
    try:
        return x.structure.flatten_up_to(bounds)
    except ValueError:
        return []


def _rows(bounds: Any) -> list[Any] | None:
    """The entries of a sequence or of an array; None for anything else."""
    if isinstance(bounds, (str, bytes)) or not hasattr(bounds, "__len__") or getattr(bounds, "shape", None) == ():
        return None
    return [bounds[k] for k in range(len(bounds))] if hasattr(bounds, "__getitem__") else None


def _is_pair(x: Any) -> bool:
    return not isinstance(x, (str, bytes, dict)) and hasattr(x, "__len__") and getattr(x, "shape", None) != () and len(x) == 2


def _is_limit(x: Any) -> bool:
    return x is None or (isinstance(x, (int, float)) or getattr(x, "shape", None) == ())


def _limit(x: Any, default: float) -> float:
    return default if x is None else float(x)


def _limits(optimize: Any, x: Unknown, bounds: Any) -> Any:
    """The bounds of `least_squares`, in any form, as a `scipy.optimize.Bounds` of the flat vector."""
    if isinstance(bounds, optimize.Bounds):
        return _flat_bounds(x, bounds)
    if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
        raise ValueError(
            f"{x.caller}: bounds must be a pair (lows, highs), each None, a number, an array of the shape of x0 or nested as x0, "
            "or a scipy.optimize.Bounds; only minimize takes a pair for each number"
        )
    return optimize.Bounds(*(x.flat_limits(b, default) for b, default in zip(bounds, (-float("inf"), float("inf")))))
