"""SciPy's optimizers for functions of nested arrays, with exact derivatives.

SciPy minimizes functions of one flat float64 NumPy array. These take what xgrad takes, containers of arrays of any backend,
and return SciPy's own result with the arrays put back where they were.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .backend import dtype_of
from .engine import Tensor
from .grad_mode import recording
from .transforms.call import kind_of
from .transforms.gradients import ValueAndGrad
from .transforms.jacobians import jacobian
from .transforms.tangents import hvp
from .transforms.unknown import Unknown, from_scipy, in_a_row

__all__ = ["least_squares", "minimize"]

NO_GRADIENT = frozenset({"nelder-mead", "powell", "cobyla", "cobyqa"})
WITH_PRODUCTS = frozenset({"newton-cg", "trust-ncg", "trust-krylov", "trust-constr"})
WITH_HESSIAN = frozenset({"dogleg", "trust-exact"})


def minimize(
    f: Callable[..., Any],
    x0: Any,
    args: Sequence[Any] = (),
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
    args : sequence
        Passed on to `f`.
    method : str, optional
        Any of SciPy's. Those that use it get the exact gradient, and products with the exact Hessian (``"Newton-CG"``,
        ``"trust-ncg"``, ``"trust-krylov"``, ``"trust-constr"``) or the whole of it (``"dogleg"``, ``"trust-exact"``).
    bounds : pair, optional
        ``(low, high)``; each None, a number for all, or nested as `x0` of numbers or arrays that broadcast to its arrays.
    constraints : optional
        As SciPy takes them, on the flat float64 vector.
    tol, options
        As SciPy takes them.
    callback : callable, optional
        Called after each iteration with the present answer, nested as `x0`: to show progress, say. Raising StopIteration
        in it ends the search.

    Returns
    -------
    scipy.optimize.OptimizeResult
        SciPy's own, in which `x`, and the gradient `jac` if there is one (``"trust-constr"`` calls it `grad`), are nested as
        `x0`, of its dtypes, backend and device; Tensors where those were Tensors. Nothing is recorded: see
        `xgrad.transforms.argmin` for a minimum to differentiate.

    Raises
    ------
    ImportError
        If SciPy is not installed.
    TypeError, GradientError
        If `x0` is not floating, or `f` returns no scalar.
    ValueError
        If `bounds` is not a pair, or not nested as `x0`.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> from xgrad.optimize import minimize
    >>> f = lambda p: (p["a"] - 1.0) ** 2 + xgrad.sum((p["b"] - p["a"]) ** 2)
    >>> found = minimize(f, {"a": 0.0, "b": np.zeros(2)})
    >>> found.success, round(found.x["a"], 6), found.x["b"].round(6)
    (True, 1.0, array([1., 1.]))
    """
    optimize = from_scipy("optimize", "minimize")
    x = Unknown("minimize", "x0", x0, args)
    scalar: Callable[[Any], Any] = lambda v: f(x.rebuild(x.packing.unpack(v)), *args)
    both = ValueAndGrad(scalar, what="minimize")
    name = (method or "").lower()
    given: dict[str, Any] = {"method": method, "constraints": constraints, "tol": tol, "options": options}

    def value_and_slope(v: Any) -> tuple[float, Any]:
        with recording(False):
            value, slope = both(x.vector(v))
        return float(x.packing.to_host(value)), x.packing.to_host(slope)

    def value(v: Any) -> float:
        with recording(False):
            return _scalar(x, scalar(x.vector(v)))

    if name not in NO_GRADIENT:
        given["jac"] = True
    if name in WITH_PRODUCTS:
        given["hessp"] = lambda v, p: x.packing.to_host(_unrecorded(hvp, scalar, x.vector(v), x.vector(p)))
    elif name in WITH_HESSIAN:
        slope_of = jacobian(lambda v: both(v)[1])
        given["hess"] = lambda v: x.packing.to_host(_unrecorded(slope_of, x.vector(v)))
    if bounds is not None:
        given["bounds"] = _bounds(optimize, x, bounds)
    if callback is not None:
        told = callback
        given["callback"] = lambda v, *_: told(x.back_from(v))
    found = optimize.minimize(value if name in NO_GRADIENT else value_and_slope, x.start(), **given)
    found.x = x.back_from(found.x)
    for name in ("jac", "grad"):  # trust-constr calls the gradient "grad", and has a list of constraints' as "jac"
        if hasattr(found.get(name), "dtype"):
            found[name] = x.back_from(found[name])
    return found


def least_squares(
    f: Callable[..., Any], x0: Any, args: Sequence[Any] = (), method: str = "trf", *, bounds: Any = None, **options: Any
) -> Any:
    """Minimize half the sum of squares of what `f` returns, with `scipy.optimize.least_squares`.

    Parameters
    ----------
    f : callable
        ``f(x, *args)`` returns the residuals: a real floating Tensor, or a container of them.
    x0, args, bounds
        As for `minimize`.
    method, **options
        As SciPy takes them; the Jacobian is exact.

    Returns
    -------
    scipy.optimize.OptimizeResult
        SciPy's own, in which `x` and `grad` are nested as `x0`; `fun` and `jac` are flat float64 NumPy arrays.

    Raises
    ------
    ImportError, TypeError, ValueError
        As for `minimize`.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> from xgrad.optimize import least_squares
    >>> t = np.linspace(0.0, 1.0, 5)
    >>> found = least_squares(lambda p: p[0] * xgrad.exp(p[1] * t) - 2 * np.exp(-t), np.array([1.0, 0.0]))
    >>> found.x.round(6)
    array([ 2., -1.])
    """
    optimize = from_scipy("optimize", "least_squares")
    x = Unknown("least_squares", "x0", x0, args)

    residuals: Callable[[Any], Tensor] = lambda v: in_a_row(x, f, v, args)
    slope = jacobian(residuals)
    given = {"bounds": _bounds(optimize, x, bounds)} if bounds is not None else {}
    found = optimize.least_squares(
        lambda v: x.packing.to_host(_unrecorded(residuals, x.vector(v))),
        x.start(),
        jac=lambda v: x.packing.to_host(_unrecorded(slope, x.vector(v))),
        method=method,
        **given,
        **options,
    )
    found.x, found.grad = x.back_from(found.x), x.back_from(found.grad)
    return found


def _unrecorded(f: Callable[..., Any], *args: Any) -> Any:
    with recording(False):
        return f(*args)


def _scalar(x: Unknown, y: Any) -> float:
    if not isinstance(y, Tensor) or y.size != 1 or y.dtype.kind != "real floating":
        told = f"shape {y.shape} {dtype_of(y.dtype).name}" if isinstance(y, Tensor) else f"a {kind_of(y)}"
        raise TypeError(f"{x.what}: the function returned {told}; it must return one real floating Tensor")
    return float(x.packing.to_host(y).item())


def _bounds(optimize: Any, x: Unknown, bounds: Any) -> Any:
    if not isinstance(bounds, (tuple, list)) or len(bounds) != 2:
        raise ValueError(f"{x.what}: bounds must be a pair (low, high), each None, a number, or nested as x0")
    return optimize.Bounds(*(x.flat_limits(b, default) for b, default in zip(bounds, (-float("inf"), float("inf")))))
