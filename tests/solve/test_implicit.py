"""Answers that an equation defines: against closed forms and differences, to second order, on every backend."""

from __future__ import annotations

import sys
import warnings
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor, fixed_point, grad, hessian, jacobian, jvp, linear_solve, root
from xgrad.solve import argmin
from xgrad.solve.krylov import cg, gmres
from xgrad.testing import check_grads

rng = np.random.default_rng(3)
A = rng.normal(size=(4, 4)) + 4 * np.eye(4)
S = A @ A.T
B = rng.normal(size=4)
P = np.array([0.5, 2.0])

optimize = pytest.importorskip("scipy.optimize")


def cubic(x: Any, a: Any) -> Any:
    return x**3 + a * x - np.array([1.0, 2.0])


def well(x: Any, a: Any) -> Any:
    return xgrad.sum((x - 1.0) ** 4 + a * x**2) + xgrad.sum(x) ** 2


PROBLEMS = {
    "linear_solve": (lambda A, b: linear_solve(lambda x: A @ x, b), (A, B)),
    "linear_solve by cg": (lambda S, b: linear_solve(lambda x: (S + S.T) @ x, b, symmetric=True), (S, B)),
    "linear_solve by bicgstab": (lambda A, b: linear_solve(lambda x: A @ x, b, solver="bicgstab", tol=1e-11), (A, B)),
    "root": (lambda a: root(cubic, np.ones(2), a), (P,)),
    "fixed_point": (lambda a: fixed_point(lambda x, a: xgrad.tanh(a * x[::-1] + 0.5), np.ones(2), a), (P / 3,)),
    "argmin": (lambda a: argmin(well, np.ones(2), a), (P,)),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_to_second_order_forward_and_reverse(name: str) -> None:
    f, args = PROBLEMS[name]
    check_grads(f, args, order=2, modes=("rev", "fwd"))


def test_third_order() -> None:
    third = grad(grad(grad(lambda a: root(lambda x: x * x - a, 1.0))))
    assert third(2.0) == pytest.approx(3 / 8 * 2.0**-2.5)


def test_linear_solve_is_solve() -> None:
    np.testing.assert_allclose(linear_solve(lambda x: A @ x, B), np.linalg.solve(A, B))
    expected = jacobian(xgrad.linalg.solve, (0, 1))(A, B)
    found = jacobian(lambda A, b: linear_solve(lambda x: A @ x, b), (0, 1))(A, B)
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 30, 200])
def test_krylov(n: int) -> None:
    M, b = rng.normal(size=(n, n)), rng.normal(size=n)
    np.testing.assert_allclose(M @ gmres(lambda v: M @ v, b, 1e-14, 10 * n), b, atol=1e-10)
    M = M @ M.T + np.eye(n)
    np.testing.assert_allclose(M @ cg(lambda v: M @ v, b, 1e-14, 10 * n), b, atol=1e-10)
    assert not cg(lambda v: M @ v, 0 * b, 1e-14, 10).any() and not gmres(lambda v: M @ v, 0 * b, 1e-14, 10).any()


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_each_backend(xp: Any, device: Any, dtype: str) -> None:
    make = lambda x: xp.asarray(x, dtype=getattr(xp, dtype), device=device)
    tol = 1e-9 if dtype == "float64" else 2e-3
    a, b = make(P), make([1.0, 2.0])
    x = root(lambda x, a: x**3 + a * x - b, make([1.0, 1.0]), a)
    exact = np.array([np.roots([1, 0, P[0], -1.0]).real[-1], np.roots([1, 0, P[1], -2.0]).real[-1]])
    assert x.backend == a.backend and x.dtype == a.dtype and x.device == a.device
    np.testing.assert_allclose(x.numpy(), exact, rtol=tol)
    slope = -exact / (3 * exact**2 + P)
    found = grad(lambda a: xgrad.sum(root(lambda x, a: x**3 + a * x - b, b, a)))(a)
    assert found.dtype == a.dtype and found.device == a.device
    np.testing.assert_allclose(found.numpy(), slope, rtol=tol)
    settled = jacobian(lambda a: fixed_point(lambda x: xgrad.cos(a * x), b, tol=1e-5 if dtype == "float32" else None))(a / 4.0)
    fixed = fixed_point(lambda x: xgrad.cos(a / 4.0 * x), b).numpy()
    down = -np.sin(P / 4 * fixed)
    np.testing.assert_allclose(settled.numpy(), np.diag(down * fixed / (1 - P / 4 * down)), rtol=10 * tol, atol=tol)
    least = lambda a: argmin(lambda x: xgrad.sum(a * (x - 1.0) ** 2 + x**2), b)
    np.testing.assert_allclose(least(a).numpy(), P / (1 + P), rtol=tol)
    curve = hessian(lambda a: xgrad.sum(least(a)))(a)
    np.testing.assert_allclose(curve.numpy(), np.diag(-2 / (1 + P) ** 3), rtol=10 * tol, atol=tol)
    solved = linear_solve(lambda x: a * x, b, symmetric=True)
    np.testing.assert_allclose(solved.numpy(), np.array([1.0, 2.0]) / P, rtol=tol)


def test_captured_tensors_are_parameters_too() -> None:
    w = Tensor(P, requires_grad=True)
    x = root(lambda x: x**3 + w * x - 1.0, np.ones(2))
    assert isinstance(x, Tensor) and x.requires_grad
    x.sum().backward()
    assert w.grad is not None
    at = x.detach().numpy()
    np.testing.assert_allclose(w.grad.numpy(), -at / (3 * at**2 + P))
    y = linear_solve(lambda v: w * v, np.ones(2))
    assert y.requires_grad
    with xgrad.no_grad():
        assert not root(lambda x: x**3 + w * x - 1.0, Tensor(np.ones(2))).requires_grad


def test_a_graph_before_and_after() -> None:
    w = Tensor(P, requires_grad=True)
    x = root(cubic, np.ones(2), xgrad.exp(w) - 1.0)
    (x**2).sum().backward()
    assert w.grad is not None
    f = lambda w: xgrad.sum(root(cubic, np.ones(2), xgrad.exp(w) - 1.0) ** 2)
    np.testing.assert_allclose(w.grad.numpy(), grad(f)(P))
    a, eps = np.exp(P) - 1, 1e-6
    solve = lambda a: np.array([np.roots([1, 0, a[k], -b]).real[-1] for k, b in enumerate((1.0, 2.0))])
    expected = ((solve(a + eps) ** 2) - (solve(a - eps) ** 2)) / (2 * eps) * np.exp(P)
    np.testing.assert_allclose(w.grad.numpy(), expected, rtol=1e-6)


def test_several_outputs_of_an_op_are_captured() -> None:
    def f(m: Any) -> Any:
        w, v = xgrad.linalg.eigh(m + xgrad.matrix_transpose(m))
        return root(lambda x: x**3 + w * x - xgrad.sum(v**4, axis=0), np.ones(3))

    check_grads(f, (np.diag([1.0, 2.0, 3.5]) + 0.1 * A[:3, :3],), order=2, transpose_rtol=1e-8)


def test_one_inside_another() -> None:
    inner = lambda a, y: root(lambda x: x**3 + a * x - y, np.array(1.0))
    outer = lambda a: root(lambda y: inner(a, y) + y - a, np.array(1.0))
    check_grads(outer, (np.array(2.0),), order=3)


def test_a_tensor_that_comes_late_is_not_lost() -> None:
    w, calls = Tensor(2.0, dtype="float64", requires_grad=True), []

    def f(x: Any, a: Any) -> Any:
        calls.append(1)
        return x * x - (a * w if late and len(calls) > late else a)

    late = 0
    x = root(f, 1.0, Tensor(2.0, dtype="float64", requires_grad=True))
    late = len(calls)
    with pytest.raises(xgrad.GradientError, match="not in its first call"):
        x.backward()


def test_a_whole_jacobian_that_cannot_fit_is_refused_with_what_to_do() -> None:
    with pytest.raises(MemoryError, match=r"root: solver 'hybr' needs the whole Jacobian; pass solver='krylov' .*8 TB"):
        xgrad.root(lambda x: x**3 - 1.0, np.ones(10**6))


def test_x0_gets_no_gradient() -> None:
    np.testing.assert_array_equal(grad(lambda x0: xgrad.sum(root(cubic, x0, P)))(np.ones(2)), 0)


def test_containers_and_kinds() -> None:
    pytest.importorskip("optree")
    f = lambda x, a: {"u": x["u"] * a - 1.0, "v": x["v"] - x["u"]}
    found = root(f, {"u": 1.0, "v": np.ones(2)}, 4.0)
    assert isinstance(found["u"], float) and found["u"] == pytest.approx(0.25)
    np.testing.assert_allclose(found["v"], [0.25, 0.25])
    slope = jacobian(lambda a: root(f, {"u": 1.0, "v": np.ones(2)}, a))(4.0)
    np.testing.assert_allclose(slope["v"], [-1 / 16, -1 / 16])
    _, pushed = jvp(lambda b: linear_solve(lambda x: (2 * x[0], x[0] + x[1]), b), ((1.0, P),), ((2.0, P),))
    np.testing.assert_allclose(pushed[1], P - 1)


def test_complex_numbers() -> None:
    c = np.array([1.0 + 2j, -1.5 + 0.5j])
    square_root = lambda c: root(lambda z, c: z * z - c, np.sqrt(c) + 0.1, c)
    np.testing.assert_allclose(square_root(c), np.sqrt(c), atol=1e-12)
    check_grads(square_root, (c,), order=1)
    mixed = lambda c: linear_solve(lambda z: (1 + 2j) * z + 0.3 * xgrad.conj(z), c)
    check_grads(mixed, (c,), order=2)


def test_solvers_of_the_user() -> None:
    def newton(f: Any, x: Any) -> Any:
        for _ in range(30):
            x = x - np.linalg.solve(jacobian(f)(x), f(xgrad.asarray(x)).numpy())
        return x

    np.testing.assert_allclose(root(cubic, np.ones(2), P, solver=newton), root(cubic, np.ones(2), P), rtol=1e-12)
    check_grads(lambda a: root(cubic, np.ones(2), a, solver=lambda f, x: _host_root(f, x)), (P,), order=1)

    def jacobi(matvec: Any, b: Any) -> Any:
        x = b
        for _ in range(200):
            x = x + 0.1 * (b - matvec(x))
        return x

    tight = lambda A, b: linear_solve(lambda x: A @ x, b, solver=jacobi)
    check_grads(tight, (np.eye(3) * 5 + A[:3, :3] / 5, B[:3]), order=2)


def _host_root(f: Any, x: Any) -> Any:
    return optimize.root(lambda v: f(Tensor(v)).numpy(), x, tol=1e-13).x


@pytest.mark.parametrize("solver", ["hybr", "lm", "krylov", "broyden1"])
def test_scipys_methods(solver: str) -> None:
    found = root(lambda x: cubic(x, P), np.ones(2), solver=solver, tol=1e-10 if solver != "krylov" else 1e-9)
    np.testing.assert_allclose(cubic(found, P), 0, atol=1e-8)


def test_a_fixed_point_by_scipy() -> None:
    assert fixed_point(xgrad.cos, 1.0, solver="hybr") == pytest.approx(0.7390851332)


def test_a_derivative_takes_the_memory_of_one_call() -> None:
    calls = []

    def f(x: Tensor, a: Any) -> Tensor:
        calls.append(x.requires_grad)
        return xgrad.cos(a * x)

    grad(lambda a: fixed_point(f, 1.0, a))(0.9)
    assert len(calls) > 50 and sum(calls) <= 2


def test_what_is_not_solved_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"linear equation was not solved: gmres left .* singular"):
        linear_solve(lambda x: x * np.array([1.0, 0.0]), np.ones(2))
    with pytest.raises(RuntimeError, match="not symmetric positive definite"):
        linear_solve(lambda x: x * np.array([1.0, -1.0]), np.ones(2), symmetric=True)
    with pytest.raises(RuntimeError, match=r"no root was found.* residual"):
        root(lambda x: x * x + 1.0, 1.0)
    with pytest.raises(RuntimeError, match="singular"):
        grad(lambda a: root(lambda x: (x - a) ** 3, 1.0, tol=1e-3))(1.0)
    with pytest.raises(RuntimeError, match=r"did not converge in 1000 steps"):
        fixed_point(lambda x: 1.0 - x, 0.2)
    with np.errstate(over="ignore"), pytest.raises(RuntimeError, match=r"did not converge"):
        fixed_point(lambda x: 2.0 * x, 1.0)
    with np.errstate(all="ignore"), pytest.raises(RuntimeError, match="no minimum was found"):
        argmin(lambda x: xgrad.sum(x), np.ones(2))
    with pytest.warns(RuntimeWarning, match="did not return an answer: the residual is"):
        root(cubic, np.ones(2), P, solver=lambda f, x: x)
    with pytest.warns(RuntimeWarning, match=r"<lambda> left a residual"):
        linear_solve(lambda x: 2.0 * x, B, solver=lambda f, b: b)


@pytest.mark.parametrize(
    "call, error, match",
    [
        (lambda: root(lambda x: x[0], np.ones(2)), ValueError, r"f returned \(\) float64; it must return the same"),
        (lambda: root(lambda x: (x, x), np.ones(2)), ValueError, "nested as its argument"),
        (lambda: root(lambda x: float(x[0]), np.ones(2)), TypeError, "returned a float"),
        (lambda: root(lambda x: x, 1), TypeError, "x0 is the int 1"),
        (lambda: root(lambda x: x, np.arange(2)), TypeError, "x0 is of dtype int64"),
        (lambda: root(lambda x: x, ()), ValueError, "x0 holds no array"),
        (lambda: root(lambda x: x, P, solver=lambda f, x: x[:1]), ValueError, r"answer of x0 is \(1,\)"),
        (lambda: linear_solve(lambda x: x, P, solver="nonsense"), ValueError, "no solver 'nonsense'"),
        (lambda: linear_solve(lambda x: x.sum(), P), ValueError, "matvec returned"),
        (lambda: argmin(lambda x: x, P), xgrad.GradientError, "only a scalar"),
    ],
)
def test_what_bad_input_gets(call: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call()


def test_scipy_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(ImportError, match="pip install scipy"):
        root(cubic, np.ones(2), P)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert fixed_point(xgrad.cos, 1.0) == pytest.approx(0.7390851332)
