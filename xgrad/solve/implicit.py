"""Answers that an equation defines: `linear_solve`, `root`, `fixed_point` and `argmin`.

They are found by any means, outside the graph, and put back into it by the implicit function theorem: where r(x, p) = 0,
dx/dp = -(dr/dx)^-1 dr/dp. Its transpose asks for one linear equation with the transposed Jacobian, which products alone
solve. That solution is again an answer that an equation defines, and so every order follows from the first.
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
from ..transforms.call import like, renewed
from ..transforms.gradients import grad
from ..transforms.jacobians import jacobian
from ..tree import Structure
from .closure import Recording, pulled, put_back
from .krylov import SOLVERS, cg
from .packing import Packing
from .unknown import Map, Unknown, from_scipy

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
    """The solution x of ``matvec(x) = b`` for a linear function, by products alone.

    Parameters
    ----------
    matvec : callable
        A linear function of what is nested, shaped and typed as `b`, returning the same. It may use other tensors that
        require grad: the solution depends on them.
    b : array, Tensor, or container of them
        The right-hand side, floating.
    symmetric : bool
        Whether the map is symmetric positive definite; then conjugate gradients are the default solver.
    solver : str or callable, optional
        ``"gmres"`` (the default) or ``"cg"``, which run where the arrays live; the name of another solver of
        `scipy.sparse.linalg`, such as ``"bicgstab"`` or ``"minres"``, which runs on the host; or ``solver(matvec, b)``,
        which returns the solution, also for the transposed map that derivatives ask for.
    tol : float, optional
        The residual that is enough, relative to `b`; about the rounding of the dtype if it is not given.
    maxiter : int, optional
        How many products at most; ten times the number of unknowns if it is not given.

    Returns
    -------
    array, Tensor, or container of them
        Nested, shaped and typed as `b`; differentiable to any order in `b` and in what `matvec` uses. With ``A w = g`` for
        the transposed map, the cotangent of `b` is w, and that of the parameters is ``-vjp(matvec)(w)`` at x.

    Raises
    ------
    RuntimeError
        If the solver did not converge, forward or in a gradient: the map is singular, say, or not symmetric as was said.
    TypeError, ValueError
        If `b` is not floating, or `matvec` returns something of another structure, shape or dtype.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> d = np.array([2.0, 4.0])
    >>> xgrad.linear_solve(lambda x: d * x, np.array([1.0, 1.0]))
    array([0.5 , 0.25])
    >>> xgrad.grad(lambda d: xgrad.sum(xgrad.linear_solve(lambda x: d * x, np.array([1.0, 1.0]))))(d)
    array([-0.25  , -0.0625])
    """
    given = Unknown("linear_solve", "b", b, ())
    apply = given.checked(matvec, "matvec")
    choice = solver or ("cg" if symmetric else "gmres")
    linear = _Linear("linear_solve", choice, tol, maxiter, given.structure)
    return given.back(linear.solve(apply, given.tensors))


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
        Returns what is nested, shaped and typed as its first argument. It may use other tensors that require grad.
    x0 : array, Tensor, number, or container of them
        Where to start. The answer does not depend on it: its gradient is zero.
    *args
        Passed on to `f`; the answer depends on them.
    solver : str or callable
        A method of `scipy.optimize.root`: ``"hybr"`` and ``"lm"`` are given the whole Jacobian; ``"krylov"`` and others that
        do without it suit thousands of unknowns. Or ``solver(f, x0)``, which returns the answer. Nothing that it computes is
        recorded.
    linear_solver : str or callable
        What solves the linear equations of the derivatives: see `linear_solve`.
    tol : float, optional
        Passed on to SciPy; about the rounding of the dtype if it is not given.

    Returns
    -------
    array, Tensor, number, or container of them
        Nested, shaped and typed as `x0`; differentiable to any order in `args` and in what `f` uses.

    Raises
    ------
    RuntimeError
        If no root was found; in a gradient, if the Jacobian is singular there.
    ImportError
        If SciPy is asked to solve, and is not installed.

    Warns
    -----
    RuntimeWarning
        If `solver` is a function, and `f` is not zero at what it returned: the derivatives are those of a root.

    Examples
    --------
    >>> import xgrad
    >>> square_root = lambda a: xgrad.root(lambda x, a: x * x - a, 1.0, a)
    >>> round(square_root(2.0), 8), round(xgrad.grad(square_root)(2.0), 8)
    (1.41421356, 0.35355339)
    """
    given = Unknown("root", "x0", x0, args)
    residual = given.checked(lambda x: f(x, *args), "f")
    with recording(False):
        if callable(solver):
            data = given.taken(solver(lambda x: f(x, *args), given.given()))
            _warn_of_residual(given, residual, data)
        else:
            data = _scipy_root(given, residual, solver, tol)
    return given.back(implicit("root", residual, data, _Linear("root", linear_solver, None, None, given.structure)))


def fixed_point(
    f: Callable[..., Any],
    x0: Any,
    *args: Any,
    solver: str | Callable[..., Any] | None = None,
    linear_solver: str | Callable[..., Any] = "gmres",
    tol: float | None = None,
    maxiter: int = 1000,
) -> Any:
    """The x that ``f(x, *args)`` leaves as it is: where ``x = f(x); x = f(x); ...`` from `x0` ends.

    Parameters
    ----------
    f, x0, args, linear_solver
        As in `root`.
    solver : str or callable, optional
        A method of `scipy.optimize.root`, such as ``"anderson"``, for ``f(x) - x``; or ``solver(f, x0)``, which returns
        the answer. By default `f` is applied again and again.
    tol : float, optional
        How little `f` must change the answer, relative to its norm; about the rounding of the dtype if it is not given.
    maxiter : int
        How often to apply `f` at most.

    Returns
    -------
    array, Tensor, number, or container of them
        As for `root`. A derivative does not go back through the iterations: its memory is that of one call of `f`.

    Raises
    ------
    RuntimeError
        If the iteration did not settle; in a gradient, if 1 is an eigenvalue of the Jacobian of `f`.

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.fixed_point(lambda x, a: xgrad.cos(a * x), 1.0, 1.0)
    >>> round(x, 8)
    0.73908513
    """
    given = Unknown("fixed_point", "x0", x0, args)
    apply = given.checked(lambda x: f(x, *args), "f")
    residual: Map = lambda xs: [y - x for x, y in zip(xs, apply(xs))]
    with recording(False):
        if callable(solver):
            data = given.taken(solver(lambda x: f(x, *args), given.given()))
            _warn_of_residual(given, residual, data)
        elif solver is not None:
            data = _scipy_root(given, residual, solver, tol)
        else:
            data = _iterate(given, apply, tol, maxiter)
    linear = _Linear("fixed_point", linear_solver, None, None, given.structure)
    return given.back(implicit("fixed_point", residual, data, linear))


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
        A method of `scipy.optimize.minimize` for smooth functions without constraints, after which Newton's method takes
        the gradient down to rounding; or ``solver(f, x0)``, which returns the answer.
    linear_solver : str or callable
        What solves the equations with the Hessian: see `linear_solve`. The default needs it to be positive definite.
    tol : float, optional
        Passed on to SciPy.

    Returns
    -------
    array, Tensor, number, or container of them
        As for `root`, of the gradient of `f`.

    Raises
    ------
    RuntimeError
        If no minimum was found; in a gradient, if the Hessian is not positive definite there.

    Notes
    -----
    It is ``xgrad.solve.argmin``: the standard gives the name ``xgrad.argmin`` to the index of a smallest element.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> from xgrad.solve import argmin
    >>> ridge = lambda x, a: xgrad.sum((x - 1.0) ** 2) + a * xgrad.sum(x**2)
    >>> xgrad.jacobian(lambda a: argmin(ridge, np.zeros(2), a))(1.0)
    array([-0.25, -0.25])
    """
    given = Unknown("argmin", "x0", x0, args)
    scalar = lambda *xs: f(given.rebuild(xs), *args)
    gradient = grad(scalar, tuple(range(len(given.tensors))))
    residual: Map = lambda xs: list(gradient(*xs))
    with recording(False):
        if callable(solver):
            data = given.taken(solver(lambda x: f(x, *args), given.given()))
            _warn_of_residual(given, residual, data)
        else:
            data = _scipy_minimum(given, scalar, residual, solver, tol)
    return given.back(implicit("argmin", residual, data, _Linear("argmin", linear_solver, None, None, given.structure)))


# ------------------------------------------------------------------------------------------------------ the derivative


def implicit(name: str, residual: Map, data: Sequence[Any], linear: _Linear) -> list[Tensor]:
    """The arrays `data`, at which `residual` is zero, as Tensors that depend on all that `residual` uses."""
    if not mode.get():
        return [wrap(x) for x in data]
    outside = Recording(lambda: residual([wrap(x) for x in data])).outside

    def replay(gs: Sequence[Tensor], ys: Sequence[Tensor]) -> Sequence[Tensor]:
        xs = [renewed(name, "the answer", y) for y in ys]
        nodes = [node_of(x) for x in xs]
        made = Recording(lambda: residual(xs))
        made.depends_only_on([*nodes, *outside], name)
        results = made.results
        ws = linear.solve(lambda vs: pulled(results, vs, nodes), gs)
        return pulled(results, [-w for w in ws], [*nodes, *outside])[len(nodes) :]

    return put_back(name, data, outside, replay)


@dataclasses.dataclass(frozen=True)
class _Linear:
    """How linear equations are solved."""

    what: str
    solver: str | Callable[..., Any]
    tol: float | None
    maxiter: int | None
    structure: Structure  # of the unknowns, for a user's solver

    def solve(self, apply: Map, bs: Sequence[Tensor]) -> list[Tensor]:
        """The Tensors xs with ``apply(xs) = bs``, which depend on `bs` and on all that `apply` uses."""
        with recording(False):
            data = self._data(apply, bs)
        return implicit(self.what, lambda xs: [y - b for y, b in zip(apply(xs), bs)], data, self)

    def _data(self, apply: Map, bs: Sequence[Tensor]) -> list[Any]:
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
        self._judge(_norm(flat(x) - rhs), _norm(rhs), packing.eps**0.5 if self.tol is None else 10 * self.tol)
        return data

    def _by_user(self, solver: Callable[..., Any], apply: Map, bs: Sequence[Tensor]) -> list[Any]:
        names = [f"the solution{path}" for path in self.structure.paths]
        matvec = lambda x: self.structure.unflatten(apply(like(self.what, "argument", x, bs, self.structure, names)))
        found = solver(matvec, self.structure.unflatten([wrap(b._data) for b in bs]))
        return [x._data for x in like(self.what, "solution", found, bs, self.structure, names)]

    def _by_scipy(self, name: str, packing: Packing, flat: Any, rhs: Any, tol: float, maxiter: int) -> Any:
        linalg = from_scipy("sparse.linalg", self.what)
        method = getattr(linalg, name, None)
        if method is None:
            raise ValueError(f"{self.what}: there is no solver {name!r}: name cg, gmres or one of scipy.sparse.linalg")
        product: Callable[[Any], Any] = lambda v: packing.to_host(flat(packing.from_host(v)))
        operator = linalg.LinearOperator((packing.size, packing.size), matvec=product, dtype=float)
        return method(operator, rhs, rtol=tol, maxiter=maxiter)[0]

    def _judge(self, left: float, whole: float, enough: float) -> None:
        if left <= enough * whole:
            return
        how = getattr(self.solver, "__name__", None) or str(self.solver)
        reason = "not symmetric positive definite" if self.solver == "cg" else "singular, or nearly so"
        told = (
            f"{self.what}: the linear equation was not solved: {how} left a residual of {left / whole:.1e} of the right-hand "
            f"side; perhaps the map is {reason}. Another solver, or a larger tol or maxiter, may do"
        )
        if not callable(self.solver):
            raise RuntimeError(told)
        warnings.warn(told, RuntimeWarning, stacklevel=3)


def _norm(vector: Any) -> float:
    xp = raw_namespace(vector)
    return float(xp.__backend__.to_numpy(xp.vecdot(vector, vector))) ** 0.5


# ---------------------------------------------------------------------------------------------------- forward solutions


def _scipy_root(given: Unknown, residual: Map, method: str, tol: float | None) -> list[Any]:
    optimize = from_scipy("optimize", given.what)
    packing, flat, start = given.packing, given.flat(residual), given.start()
    value: Callable[[Any], Any] = lambda v: packing.to_host(flat(given.vector(v)))
    slope = jacobian(flat)

    def whole(v: Any) -> Any:
        try:
            return packing.to_host(slope(given.vector(v)))
        except MemoryError as error:
            raise MemoryError(
                f"{given.what}: solver {method!r} takes the whole Jacobian; pass solver='krylov' ({error})"
            ) from None

    jac = whole if method in ("hybr", "lm") else None
    found = optimize.root(value, start, jac=jac, method=method, tol=10 * packing.eps if tol is None else tol)
    x = given.vector(found.x)
    left, scale = _norm(flat(x)._data), max(1.0, _norm(flat(given.vector(start))._data))
    if not (left <= packing.eps ** (2 / 3) * scale or (found.success and left <= packing.eps ** (1 / 3) * scale)):
        raise RuntimeError(
            f"{given.what}: no root was found: {' '.join(str(found.message).split())} The residual is still {left:.1e}; "
            "try another x0, or another solver"
        )
    return packing.unpack(x._data)


def _iterate(given: Unknown, apply: Map, tol: float | None, maxiter: int) -> list[Any]:
    packing, flat = given.packing, given.flat(apply)
    enough = 50 * packing.eps if tol is None else tol
    x = wrap(packing.pack(given.data()))
    change = size = float("nan")
    for _ in range(maxiter):
        before, x = x, wrap(packing.backend.computed(flat(x)._data))
        change, size = _norm(x._data - before._data), _norm(x._data)
        if change <= enough * size or not size < float("inf"):
            break
    if not change <= enough * size < float("inf"):
        raise RuntimeError(
            f"fixed_point: the iteration did not settle in {maxiter} steps: the last one changed the answer by {change:.1e}, and "
            f"its norm is {size:.1e}; try more steps (maxiter), a larger tol, another x0, or solver='anderson'"
        )
    return packing.unpack(x._data)


def _scipy_minimum(given: Unknown, scalar: Any, residual: Map, method: str, tol: float | None) -> list[Any]:
    from .optimize import minimize

    packing, flat = given.packing, given.flat(residual)
    scale = max(1.0, _norm(flat(wrap(packing.pack(given.data())))._data))
    found = minimize(lambda xs: scalar(*xs), tuple(wrap(x) for x in given.data()), method=method, tol=tol)
    x = wrap(packing.pack([y._data for y in found.x]))
    slope = flat(x)._data
    for _ in range(20):  # Newton's method, to rounding
        trial = wrap(x._data - _newton_step(flat, x, slope, packing))
        new = flat(trial)._data
        if not _norm(new) < _norm(slope):
            break
        x, slope = trial, new
    if not _norm(slope) <= packing.eps**0.5 * scale:
        raise RuntimeError(
            f"argmin: no minimum was found: {found.message} The gradient is still {_norm(slope):.1e}; try another x0, or another "
            "solver"
        )
    return packing.unpack(x._data)


def _newton_step(flat: Callable[[Tensor], Tensor], x: Tensor, slope: Any, packing: Packing) -> Any:
    at = renewed("argmin", "x0", x)
    results = Recording(lambda: [flat(at)]).results
    product: Callable[[Any], Any] = lambda v: pulled(results, [wrap(v)], [node_of(at)])[0]._data
    return cg(product, slope, packing.eps, 2 * packing.size)


def _warn_of_residual(given: Unknown, residual: Map, data: Sequence[Any]) -> None:
    packing = given.packing
    left = _norm(packing.pack([r._data for r in residual([wrap(x) for x in data])]))
    scale = max(1.0, _norm(packing.pack([r._data for r in residual(given.tensors)])))
    if not left <= packing.eps**0.5 * scale:
        warnings.warn(
            f"{given.what}: what the solver returned is no answer: it leaves {left:.1e} where 0 was asked for, and derivatives "
            "are those of an answer; let it solve more exactly",
            RuntimeWarning,
            stacklevel=3,
        )
