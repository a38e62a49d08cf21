"""`linear_solve`, `root`, `fixed_point` and `argmin`: solutions of equations, with implicit derivatives.

A solution is computed outside the graph by any solver, and inserted into it by the implicit function theorem: if r(x, p) = 0,
then dx/dp = -(dr/dx)^-1 dr/dp. A pullback solves one linear equation with the transposed Jacobian, by products only. Its
solution is again that of an equation, so that derivatives of every order follow.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ..backend.find import raw_namespace
from ..graph.node import node_of
from ..graph.recording import mode, recording
from ..tensor.tensor import Tensor, wrap
from ..transforms.call import fresh_input, matching
from ..transforms.gradients import grad
from ..transforms.jacobians import jacobian
from ..tree import Structure
from .closure import Recorded, insert, pull_to_nodes
from .krylov import SOLVERS, cg
from .optimize import minimize
from .packing import Packing
from .scipy_modules import scipy_module
from .unknown import Map, Unknown

__all__ = ["argmin", "fixed_point", "linear_solve", "root"]


def linear_solve(
    matvec: Callable[[Any], Any],
    b: Any,
    *,
    symmetric: bool = False,
    solver: str | Callable[..., Any] | None = None,
    tol: float | None = None,
    maxiter: int | None = None,
) -> Any:
    """The solution x of ``matvec(x) = b`` for a linear function, by products only.

    Parameters
    ----------
    matvec : callable
        A linear function. Its argument and its result have the structure, shapes and dtypes of `b`. It may use other tensors
        that require grad: the solution depends on them.
    b : array, Tensor, or container of them
        The right-hand side, floating.
    symmetric : bool
        Whether the function is symmetric positive definite; then conjugate gradients are the default solver.
    solver : str or callable, optional
        ``"gmres"`` (the default) or ``"cg"``, which run where the arrays live; the name of another solver of
        `scipy.sparse.linalg`, such as ``"bicgstab"`` or ``"minres"``, which runs on the host; or ``solver(matvec, b)``,
        which returns the solution. Derivatives call it with the transposed function.
    tol : float, optional
        The norm of the residual, relative to `b`, at which to stop; by default about the rounding of the dtype.
    maxiter : int, optional
        The largest number of products; by default ten times the number of unknowns.

    Returns
    -------
    array, Tensor, or container of them
        Has the structure, shapes and dtypes of `b`. It is differentiable to any order in `b` and in the tensors that `matvec`
        uses. If w solves ``A' w = g`` for the transposed function, the cotangent of `b` is w, and that of those tensors is
        ``-vjp(matvec)(w)`` at x.

    Raises
    ------
    RuntimeError
        If the solver did not converge, for the solution or in a gradient: the function may be singular, or not symmetric.
    TypeError, ValueError
        If `b` is not floating, or `matvec` returns another structure, shape or dtype.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> d = np.array([2.0, 4.0])
    >>> xgrad.linear_solve(lambda x: d * x, np.array([1.0, 1.0]))
    array([0.5 , 0.25])
    >>> xgrad.grad(lambda d: xgrad.sum(xgrad.linear_solve(lambda x: d * x, np.array([1.0, 1.0]))))(d)
    array([-0.25  , -0.0625])
    """
    unknown = Unknown("linear_solve", "b", b, ())
    apply = unknown.checked(matvec, "matvec")
    choice = solver or ("cg" if symmetric else "gmres")
    linear = _LinearSolver("linear_solve", choice, tol, maxiter, unknown.structure)
    return unknown.for_user(linear.solve(apply, unknown.tensors))


def root(
    f: Callable[..., Any],
    x0: Any,
    *args: Any,
    solver: str | Callable[..., Any] = "hybr",
    linear_solver: str | Callable[..., Any] = "gmres",
    tol: float | None = None,
) -> Any:
    """The x near `x0` at which ``f(x, *args)`` is zero.

    Parameters
    ----------
    f : callable
        Returns the structure, shapes and dtypes of its first argument. It may use other tensors that require grad.
    x0 : array, Tensor, number, or container of them
        Where to start. The answer does not depend on it: its gradient is zero.
    *args
        Passed on to `f`; the answer depends on them.
    solver : str or callable
        A method of `scipy.optimize.root`: ``"hybr"`` and ``"lm"`` use the whole Jacobian; ``"krylov"`` and the others do not,
        and suit thousands of unknowns. Or ``solver(f, x0)``, which returns the answer. It runs without recording.
    linear_solver : str or callable
        The solver for the linear equations of the derivatives: see `linear_solve`.
    tol : float, optional
        Passed on to SciPy; by default about the rounding of the dtype.

    Returns
    -------
    array, Tensor, number, or container of them
        Has the structure, shapes and dtypes of `x0`. It is differentiable to any order in `args` and in the tensors that `f`
        uses.

    Raises
    ------
    RuntimeError
        If no root was found; in a gradient, if the Jacobian is singular at the root.
    ImportError
        If `solver` is one of SciPy's, and SciPy is not installed.

    Warns
    -----
    RuntimeWarning
        If `solver` is a function, and `f` is not zero at its answer: the derivatives are right at a root only.

    Examples
    --------
    >>> import xgrad
    >>> square_root = lambda a: xgrad.root(lambda x, a: x * x - a, 1.0, a)
    >>> round(square_root(2.0), 8), round(xgrad.grad(square_root)(2.0), 8)
    (1.41421356, 0.35355339)
    """
    unknown = Unknown("root", "x0", x0, args)
    residual = unknown.checked(lambda x: f(x, *args), "f")
    with recording(False):
        if callable(solver):
            data = unknown.checked_answer(solver(lambda x: f(x, *args), unknown.initial()))
            _warn_of_residual(unknown, residual, data)
        else:
            data = _scipy_root(unknown, residual, solver, tol)
    linear = _LinearSolver("root", linear_solver, None, None, unknown.structure)
    return unknown.for_user(implicit("root", residual, data, linear))


def fixed_point(
    f: Callable[..., Any],
    x0: Any,
    *args: Any,
    solver: str | Callable[..., Any] | None = None,
    linear_solver: str | Callable[..., Any] = "gmres",
    tol: float | None = None,
    maxiter: int = 1000,
) -> Any:
    """The fixed point x of `f` near `x0`: the solution of ``x = f(x, *args)``.

    Parameters
    ----------
    f, x0, args, linear_solver
        As in `root`.
    solver : str or callable, optional
        A method of `scipy.optimize.root`, such as ``"anderson"``, for ``f(x) - x``; or ``solver(f, x0)``, which returns
        the answer. By default `f` is iterated: ``x = f(x)``.
    tol : float, optional
        The iteration stops when it changes x by at most `tol` times its norm; by default about the rounding of the dtype.
    maxiter : int
        The largest number of iterations.

    Returns
    -------
    array, Tensor, number, or container of them
        As for `root`. A derivative does not go through the iterations: it takes the memory of one call of `f`.

    Raises
    ------
    RuntimeError
        If the iteration did not converge; in a gradient, if 1 is an eigenvalue of the Jacobian of `f`.

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.fixed_point(lambda x, a: xgrad.cos(a * x), 1.0, 1.0)
    >>> round(x, 8)
    0.73908513
    """
    unknown = Unknown("fixed_point", "x0", x0, args)
    apply = unknown.checked(lambda x: f(x, *args), "f")
    residual: Map = lambda xs: [y - x for x, y in zip(xs, apply(xs))]
    with recording(False):
        if callable(solver):
            data = unknown.checked_answer(solver(lambda x: f(x, *args), unknown.initial()))
            _warn_of_residual(unknown, residual, data)
        elif solver is not None:
            data = _scipy_root(unknown, residual, solver, tol)
        else:
            data = _iterate(unknown, apply, tol, maxiter)
    linear = _LinearSolver("fixed_point", linear_solver, None, None, unknown.structure)
    return unknown.for_user(implicit("fixed_point", residual, data, linear))


def argmin(
    f: Callable[..., Any],
    x0: Any,
    *args: Any,
    solver: str | Callable[..., Any] = "BFGS",
    linear_solver: str | Callable[..., Any] = "cg",
    tol: float | None = None,
) -> Any:
    """The x near `x0` at which the scalar ``f(x, *args)`` has a minimum.

    Parameters
    ----------
    f : callable
        Returns one real floating scalar. It may use other tensors that require grad.
    x0, args
        As in `root`.
    solver : str or callable
        A method of `scipy.optimize.minimize` for smooth functions without constraints, followed by Newton's method until the
        gradient is zero up to rounding; or ``solver(f, x0)``, which returns the answer.
    linear_solver : str or callable
        The solver for equations with the Hessian: see `linear_solve`. The default needs a positive definite Hessian.
    tol : float, optional
        Passed on to SciPy.

    Returns
    -------
    array, Tensor, number, or container of them
        As for `root`, applied to the gradient of `f`.

    Raises
    ------
    RuntimeError
        If no minimum was found; in a gradient, if the Hessian is not positive definite at the minimum.

    Notes
    -----
    It is called ``xgrad.solve.argmin``: ``xgrad.argmin`` is the standard's function, the index of a smallest element.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> from xgrad.solve import argmin
    >>> ridge = lambda x, a: xgrad.sum((x - 1.0) ** 2) + a * xgrad.sum(x**2)
    >>> xgrad.jacobian(lambda a: argmin(ridge, np.zeros(2), a))(1.0)
    array([-0.25, -0.25])
    """
    unknown = Unknown("argmin", "x0", x0, args)
    scalar = lambda *xs: f(unknown.rebuild(xs), *args)
    gradient = grad(scalar, tuple(range(len(unknown.tensors))))
    residual: Map = lambda xs: list(gradient(*xs))
    with recording(False):
        if callable(solver):
            data = unknown.checked_answer(solver(lambda x: f(x, *args), unknown.initial()))
            _warn_of_residual(unknown, residual, data)
        else:
            data = _scipy_minimum(unknown, scalar, residual, solver, tol)
    linear = _LinearSolver("argmin", linear_solver, None, None, unknown.structure)
    return unknown.for_user(implicit("argmin", residual, data, linear))


# ------------------------------------------------------------------------------------------------------ the derivative


def implicit(name: str, residual: Map, data: Sequence[Any], linear: _LinearSolver) -> list[Tensor]:
    """The arrays `data`, at which `residual` is zero, as Tensors that depend on all tensors that `residual` uses."""
    if not mode.get():
        return [wrap(x) for x in data]
    outside = Recorded(lambda: residual([wrap(x) for x in data])).outside

    def pull(gs: Sequence[Tensor], ys: Sequence[Tensor]) -> Sequence[Tensor]:
        xs = [fresh_input(name, "the answer", y) for y in ys]
        nodes = [node_of(x) for x in xs]
        recorded = Recorded(lambda: residual(xs))
        recorded.check_outside([*nodes, *outside], name)
        results = recorded.results
        ws = linear.solve(lambda vs: pull_to_nodes(results, vs, nodes), gs)
        return pull_to_nodes(results, [-w for w in ws], [*nodes, *outside])[len(nodes) :]

    return insert(name, data, outside, pull)


@dataclasses.dataclass(frozen=True)
class _LinearSolver:
    """A choice of solver for linear equations of the public function `caller`."""

    caller: str
    solver: str | Callable[..., Any]
    tol: float | None
    maxiter: int | None
    structure: Structure  # of the unknowns, for a user's solver

    def solve(self, apply: Map, bs: Sequence[Tensor]) -> list[Tensor]:
        """The Tensors xs with ``apply(xs) = bs``, which depend on `bs` and on all tensors that `apply` uses."""
        with recording(False):
            data = self._solution(apply, bs)
        return implicit(self.caller, lambda xs: [y - b for y, b in zip(apply(xs), bs)], data, self)

    def _solution(self, apply: Map, bs: Sequence[Tensor]) -> list[Any]:
        """The raw arrays of the solution; raises or warns if the residual is too large."""
        packing = Packing([b._data for b in bs])
        flat: Callable[[Any], Any] = lambda v: packing.pack([y._data for y in apply([wrap(x) for x in packing.unpack(v)])])
        rhs = packing.pack([b._data for b in bs])
        maxiter = 10 * packing.size if self.maxiter is None else self.maxiter
        tol = 10 * packing.eps if self.tol is None else self.tol
        if callable(self.solver):
            data = self._by_user(self.solver, apply, bs)
            x = packing.pack(data)
        elif self.solver in SOLVERS:
            x = SOLVERS[self.solver](flat, rhs, tol, maxiter)
            data = packing.unpack(x)
        else:
            x = packing.from_host(self._by_scipy(self.solver, packing, flat, packing.to_host(rhs), tol, maxiter))
            data = packing.unpack(x)
        self._check_residual(_norm(flat(x) - rhs), _norm(rhs), packing.eps**0.5 if self.tol is None else 10 * self.tol)
        return data

    def _by_user(self, solver: Callable[..., Any], apply: Map, bs: Sequence[Tensor]) -> list[Any]:
        """The raw arrays of the solution that a user's solver returns."""

        def check(role: str, of: str, x: Any) -> list[Tensor]:
            names = [f"{of}{path}" for path in self.structure.paths]
            return matching(self.caller, role, "the right-hand side", x, bs, self.structure, names)

        matvec = lambda x: self.structure.unflatten(apply(check("argument", "matvec", x)))
        solution = solver(matvec, self.structure.unflatten([wrap(b._data) for b in bs]))
        return [x._data for x in check("solution", "the equation", solution)]

    def _by_scipy(self, name: str, packing: Packing, flat: Any, rhs: Any, tol: float, maxiter: int) -> Any:
        """The solution on the host, by the solver `name` of `scipy.sparse.linalg`."""
        linalg = scipy_module("sparse.linalg", self.caller)
        method = getattr(linalg, name, None)
        if method is None:
            raise ValueError(f"{self.caller}: there is no solver {name!r}: name cg, gmres or one of scipy.sparse.linalg")
        product: Callable[[Any], Any] = lambda v: packing.to_host(flat(packing.from_host(v)))
        operator = linalg.LinearOperator((packing.size, packing.size), matvec=product, dtype=float)
        return method(operator, rhs, rtol=tol, maxiter=maxiter)[0]

    def _check_residual(self, residual: float, rhs: float, tol: float) -> None:
        """Raise, or warn of a user's solver, if the norm `residual` is more than `tol` times that of the right-hand side."""
        if residual <= tol * rhs:
            return
        solver = getattr(self.solver, "__name__", None) or str(self.solver)
        reason = "not symmetric positive definite" if self.solver == "cg" else "singular, or nearly so"
        message = (
            f"{self.caller}: the linear equation was not solved: {solver} left a residual of {residual / rhs:.1e} of the "
            f"right-hand side; perhaps the map is {reason}. Try another solver, or a larger tol or maxiter"
        )
        if not callable(self.solver):
            raise RuntimeError(message)
        warnings.warn(message, RuntimeWarning, stacklevel=3)


def _norm(vector: Any) -> float:
    xp = raw_namespace(vector)
    return float(xp.__backend__.to_numpy(xp.vecdot(vector, vector))) ** 0.5


# ------------------------------------------------------------------------------------------------------------ solutions


def _scipy_root(unknown: Unknown, residual: Map, method: str, tol: float | None) -> list[Any]:
    """The raw arrays of a root of `residual`, by `scipy.optimize.root`."""
    optimize = scipy_module("optimize", unknown.caller)
    packing, flat, start = unknown.packing, unknown.flat(residual), unknown.start()
    value: Callable[[Any], Any] = lambda v: packing.to_host(flat(unknown.vector(v)))
    jacobian_of_residual = jacobian(flat)

    def jacobian_at(v: Any) -> Any:
        try:
            return packing.to_host(jacobian_of_residual(unknown.vector(v)))
        except MemoryError as error:
            raise MemoryError(
                f"{unknown.caller}: solver {method!r} needs the whole Jacobian; pass solver='krylov' ({error})"
            ) from None

    jac = jacobian_at if method in ("hybr", "lm") else None
    result = optimize.root(value, start, jac=jac, method=method, tol=10 * packing.eps if tol is None else tol)
    x = unknown.vector(result.x)
    norm, scale = _norm(flat(x)._data), max(1.0, _norm(flat(unknown.vector(start))._data))
    if not (norm <= packing.eps ** (2 / 3) * scale or (result.success and norm <= packing.eps ** (1 / 3) * scale)):
        raise RuntimeError(
            f"{unknown.caller}: no root was found: {' '.join(str(result.message).split())} The residual is still {norm:.1e}; "
            "try another x0, or another solver"
        )
    return packing.unpack(x._data)


def _iterate(unknown: Unknown, apply: Map, tol: float | None, maxiter: int) -> list[Any]:
    """The raw arrays of a fixed point of `apply`, by iteration."""
    packing, flat = unknown.packing, unknown.flat(apply)
    tol = 50 * packing.eps if tol is None else tol
    x = wrap(packing.pack(unknown.data()))
    change = size = float("nan")
    for _ in range(maxiter):
        before, x = x, wrap(packing.backend.computed(flat(x)._data))
        change, size = _norm(x._data - before._data), _norm(x._data)
        if change <= tol * size or not size < float("inf"):
            break
    if not change <= tol * size < float("inf"):
        raise RuntimeError(
            f"fixed_point: the iteration did not converge in {maxiter} steps: the last one changed the answer by {change:.1e}, "
            f"and its norm is {size:.1e}; try more steps (maxiter), a larger tol, another x0, or solver='anderson'"
        )
    return packing.unpack(x._data)


def _scipy_minimum(unknown: Unknown, scalar: Any, residual: Map, method: str, tol: float | None) -> list[Any]:
    """The raw arrays of a minimum of `scalar`, whose gradient is `residual`, by SciPy and Newton's method."""
    packing, flat = unknown.packing, unknown.flat(residual)
    scale = max(1.0, _norm(flat(wrap(packing.pack(unknown.data())))._data))
    result = minimize(lambda xs: scalar(*xs), tuple(wrap(x) for x in unknown.data()), method=method, tol=tol)
    x = wrap(packing.pack([y._data for y in result.x]))
    gradient = flat(x)._data
    for _ in range(20):  # Newton's method, until rounding stops it
        trial = wrap(x._data - _newton_step(flat, x, gradient, packing))
        new = flat(trial)._data
        if not _norm(new) < _norm(gradient):
            break
        x, gradient = trial, new
    if not _norm(gradient) <= packing.eps**0.5 * scale:
        raise RuntimeError(
            f"argmin: no minimum was found: {result.message} The gradient is still {_norm(gradient):.1e}; try another x0, or "
            "another solver"
        )
    return packing.unpack(x._data)


def _newton_step(flat: Callable[[Tensor], Tensor], x: Tensor, gradient: Any, packing: Packing) -> Any:
    """The solution of ``H p = gradient``, where H is the Jacobian of `flat` at `x`."""
    point = fresh_input("argmin", "x0", x)
    results = Recorded(lambda: [flat(point)]).results
    product: Callable[[Any], Any] = lambda v: pull_to_nodes(results, [wrap(v)], [node_of(point)])[0]._data
    return cg(product, gradient, packing.eps, 2 * packing.size)


def _warn_of_residual(unknown: Unknown, residual: Map, data: Sequence[Any]) -> None:
    """Warn if `data`, the answer of a user's solver, has a residual that is not zero."""
    packing = unknown.packing
    norm = _norm(packing.pack([r._data for r in residual([wrap(x) for x in data])]))
    scale = max(1.0, _norm(packing.pack([r._data for r in residual(unknown.tensors)])))
    if not norm <= packing.eps**0.5 * scale:
        warnings.warn(
            f"{unknown.caller}: the solver did not return an answer: the residual is {norm:.1e} and should be 0, and the "
            "derivatives are right at an answer only; let it solve more exactly",
            RuntimeWarning,
            stacklevel=3,
        )
