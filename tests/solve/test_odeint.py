"""Differential equations: values as SciPy's, gradients as differences', by both ways back, on every backend."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor, grad, hessian, jacobian, odeint
from xgrad.testing import check_grads

integrate = pytest.importorskip("scipy.integrate")

P, Y0, T = np.array([1.5, 1.0, 3.0, 1.0]), np.array([1.0, 1.0]), np.linspace(0.0, 1.5, 4)
WAYS = ["adjoint", "direct"]


def hunt(t: Any, y: Any, p: Any) -> Any:
    """Lotka and Volterra's predators and prey, with a season."""
    return xgrad.stack([p[0] * y[0] - p[1] * y[0] * y[1], -p[2] * y[1] + p[3] * y[0] * y[1] * xgrad.cos(t)])


def hunt_numpy(t: float, y: Any) -> Any:
    return np.array([P[0] * y[0] - P[1] * y[0] * y[1], -P[2] * y[1] + P[3] * y[0] * y[1] * np.cos(t)])


def exact(t: Any) -> Any:
    return integrate.solve_ivp(hunt_numpy, (t[0], t[-1]), Y0, method="DOP853", rtol=1e-13, atol=1e-13, t_eval=t).y.T


@pytest.mark.parametrize("method", ["RK23", "RK45", "DOP853", "Radau", "BDF", "LSODA"])
def test_values_are_scipys(method: str) -> None:
    span = T[[0, -1]]
    theirs = integrate.solve_ivp(hunt_numpy, span, Y0, method=method, rtol=1e-7, atol=1e-9)
    calls = []
    f = lambda t, y, p: calls.append(1) or hunt(t, y, p)
    ours = odeint(f, Y0, span, P, method=method, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(ours[-1], theirs.y[:, -1], rtol=1e-12)
    if method in ("RK23", "RK45", "DOP853"):
        assert len(calls) == theirs.nfev + 1  # the very steps, after a call that finds what was captured
    np.testing.assert_allclose(odeint(hunt, Y0, T, P, method=method, rtol=1e-7, atol=1e-9), exact(T), rtol=1e-4)
    back = odeint(hunt, ours[-1], span[::-1].copy(), P, method=method, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(back[-1], Y0, rtol=1e-4)


@pytest.mark.parametrize("method", ["RK23", "RK45", "DOP853"])
def test_the_order_conditions_hold(method: str) -> None:
    scheme = getattr(integrate, method)
    np.testing.assert_allclose(scheme.A.sum(axis=1), scheme.C, atol=1e-14)
    np.testing.assert_allclose([scheme.B.sum(), scheme.B @ scheme.C, scheme.B @ scheme.C**2], [1, 1 / 2, 1 / 3])
    np.testing.assert_allclose(scheme.B @ scheme.A @ scheme.C[: scheme.A.shape[1]], 1 / 6)


@pytest.mark.parametrize("gradient", WAYS)
def test_first_order(gradient: str) -> None:
    f = lambda y0, t, p: odeint(hunt, y0, t, p, rtol=1e-10, atol=1e-11, gradient=gradient)
    check_grads(f, (Y0, T, P), order=1, backends=("numpy",), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("gradient", WAYS)
def test_second_order(gradient: str) -> None:
    f = lambda y0, t, p: odeint(hunt, y0, t, p, method="DOP853", rtol=1e-10, atol=1e-11, gradient=gradient)
    check_grads(f, (Y0, T[:2], P), order=2, modes=("rev",), backends=("numpy",), rtol=1e-5, atol=1e-6)


def test_a_stiff_equation() -> None:
    """Robertson's reactions, scaled."""

    def f(t: Any, y: Any, k: Any) -> Any:
        slow, fast, mixed = k[0] * y[0], k[1] * y[1] ** 2, k[2] * y[1] * y[2]
        return xgrad.stack([mixed - slow, slow - mixed - fast, fast])

    k, y0 = np.array([0.04, 3e4, 1e2]), np.array([1.0, 0.0, 0.0])
    with pytest.raises(xgrad.GradientError, match="for higher derivatives"):
        hessian(lambda k: odeint(f, y0, [0.0, 3.0], k, method="LSODA")[-1][0])(k)
    last = lambda k: odeint(f, y0, [0.0, 3.0], k, method="LSODA", rtol=1e-9, atol=1e-12)[-1]
    found, eps = jacobian(last)(k), 1e-4
    for j in range(3):
        step = np.zeros(3)
        step[j] = eps * k[j]
        np.testing.assert_allclose(found[:, j], (last(k + step) - last(k - step)) / (2 * step[j]), rtol=1e-3, atol=1e-9)


def test_a_state_that_decays_is_not_blown_up_on_the_way_back() -> None:
    last = lambda k: xgrad.sum(odeint(lambda t, y, k: -k * (y - xgrad.sin(t)), 2.0, [0.0, 5.0], k, rtol=1e-7)[-1])
    t, k = 5.0, 20.0  # y = A exp(-k t) + (k^2 sin t - k cos t) / (1 + k^2)
    exact = lambda k: (k**2 * np.sin(t) - k * np.cos(t)) / (1 + k**2)
    assert grad(last)(k) == pytest.approx((exact(k + 1e-4) - exact(k - 1e-4)) / 2e-4, rel=1e-4)


def test_both_ways_agree_with_backward() -> None:
    found = []
    for gradient in WAYS:
        y0, p = Tensor(Y0, requires_grad=True), Tensor(P, requires_grad=True)
        path = odeint(lambda t, y, p=p: hunt(t, y, xgrad.exp(p) - 3.0), y0 * 2.0, T, rtol=1e-9, atol=1e-10, gradient=gradient)
        (path**2).sum().backward()
        assert y0.grad is not None and p.grad is not None
        found.append(np.concatenate([y0.grad.numpy(), p.grad.numpy()]))
    np.testing.assert_allclose(*found, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_each_backend(xp: Any, device: Any, backend: str, dtype: str) -> None:
    make = lambda x: xp.asarray(x, dtype=getattr(xp, dtype), device=device)
    y0, p, t, loose = make(Y0), make(P), make(T[:2]), dtype == "float32" or backend == "dask"
    given: dict[str, Any] = {"rtol": 1e-4, "atol": 1e-5} if loose else {}
    for method, gradient in [("RK45", "adjoint"), ("RK23", "direct")]:
        if backend == "dask" and (dtype == "float32" or method == "RK23"):
            continue  # slow, and the same
        given |= {"rtol": 1e-4} if method == "RK23" else {}
        path = odeint(hunt, y0, t, p, method=method, gradient=gradient, **given)
        again = odeint(hunt, y0, T[:2], p, method=method, gradient=gradient, **given)  # times from the host
        np.testing.assert_array_equal(path.numpy(), again.numpy())
        assert path.shape == (2, 2) and path.dtype == y0.dtype and path.device == y0.device and path.backend == y0.backend
        np.testing.assert_allclose(path.numpy(), exact(T[:2]), rtol=1e-3)
        g = grad(lambda p: xgrad.sum(odeint(hunt, y0, t, p, method=method, gradient=gradient, **given)))(p)  # noqa: B023
        assert g.dtype == p.dtype and g.device == p.device
        expected = grad(lambda p: xgrad.sum(odeint(hunt, Y0, T[:2], p)))(P)
        np.testing.assert_allclose(g.numpy(), expected, rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize("gradient", WAYS)
def test_containers_and_numbers(gradient: str) -> None:
    pytest.importorskip("optree")
    swing = lambda t, s, k: {"x": s["v"], "v": -k * s["x"]}
    path = odeint(swing, {"x": 1.0, "v": np.zeros(())}, [0.0, np.pi], 1.0, rtol=1e-9, gradient=gradient)
    np.testing.assert_allclose(path["x"], [1, -1], atol=1e-7)
    slope = grad(lambda k: odeint(swing, {"x": 1.0, "v": 0.0}, [0.0, 1.0], k, rtol=1e-9, gradient=gradient)["x"][-1])(4.0)
    assert slope == pytest.approx(-np.sin(2) / 4, rel=1e-6)


def test_complex_states() -> None:
    turn = lambda w: odeint(lambda t, z: 1j * w * z, np.array([1.0 + 0j]), [0.0, 1.0], rtol=1e-10)[-1]
    np.testing.assert_allclose(turn(2.0), np.exp(2j), rtol=1e-8)
    assert grad(lambda w: xgrad.sum(xgrad.real(turn(w))))(2.0) == pytest.approx(-np.sin(2.0), rel=1e-7)


@pytest.mark.parametrize("gradient", WAYS)
def test_shooting(gradient: str) -> None:
    """How fast must a pendulum of stiffness k start for an angle of 0.7 at time 1?"""

    def shoot(k: Any) -> Any:
        law = lambda t, y: xgrad.stack([y[1], -k * xgrad.sin(y[0])])
        start = lambda v: xgrad.stack([xgrad.zeros_like(v), v])
        end = lambda v: odeint(law, start(v), [0.0, 1.0], rtol=1e-9, atol=1e-10, gradient=gradient)[-1, 0]
        return xgrad.root(lambda v: end(v) - 0.7, np.array(1.0), tol=1e-10)

    check_grads(shoot, (np.array(2.0),), order=2 if gradient == "direct" else 1, modes=("rev",), atol=1e-6)


def test_one_time_and_nothing_to_solve() -> None:
    np.testing.assert_array_equal(odeint(hunt, Y0, [0.0], P), [Y0])
    np.testing.assert_array_equal(jacobian(lambda y: odeint(hunt, y, [0.0], P))(Y0)[0], np.eye(2))
    assert odeint(lambda t, y: y, np.zeros((0, 3)), [0.0, 1.0]).shape == (2, 0, 3)
    assert not isinstance(odeint(hunt, Y0, T, P), Tensor) and isinstance(odeint(hunt, Y0, Tensor(T), P), Tensor)


def test_the_hessian_by_both_ways() -> None:
    f = lambda p, g: xgrad.sum(odeint(hunt, Y0, [0.0, 0.3], p, rtol=1e-7, atol=1e-8, gradient=g)[-1] ** 2)
    np.testing.assert_allclose(hessian(lambda p: f(p, "adjoint"))(P), hessian(lambda p: f(p, "direct"))(P), rtol=1e-3, atol=1e-5)


def test_nothing_is_kept_between_the_times() -> None:
    recorded = {}
    for gradient in WAYS:
        p = Tensor(P, requires_grad=True)
        path = odeint(hunt, Y0, T, p, gradient=gradient)
        seen, todo = set(), [path._node]
        while todo:
            node = todo.pop()
            if node is not None and node not in seen:
                seen.add(node)
                todo += node.parents
        recorded[gradient] = len(seen)
    assert recorded["adjoint"] < 10 < 100 < recorded["direct"]


def test_a_tensor_that_comes_late_is_not_lost() -> None:
    w = Tensor(P, requires_grad=True)
    late = lambda t, y, p: hunt(t, y, w if t.item() > 0.5 else p)
    path = odeint(late, Y0, T, Tensor(P, requires_grad=True))
    with pytest.raises(xgrad.GradientError, match="not in its first call"):
        path.sum().backward()


@pytest.mark.parametrize(
    "call, error, match",
    [
        (lambda: odeint(hunt, Y0, T, P, method="RK4"), ValueError, "no method 'RK4'; the methods are RK23, RK45"),
        (lambda: odeint(hunt, Y0, T, P, gradient="none"), ValueError, "'adjoint' or 'direct'"),
        (lambda: odeint(hunt, Y0, T, P, method="BDF", gradient="direct"), ValueError, "BDF runs outside the graph"),
        (lambda: odeint(hunt, Y0, [0.0, 1.0, 1.0], P), ValueError, "all increasing or all decreasing"),
        (lambda: odeint(hunt, Y0, [0.0, np.nan], P), ValueError, "finite"),
        (lambda: odeint(hunt, Y0, [], P), ValueError, "at least one time"),
        (lambda: odeint(hunt, Tensor(Y0), xgrad.namespace("strict").zeros(2), P), TypeError, "t is a tensor of backend 'strict'"),
        (lambda: odeint(hunt, Y0, 1.0, P), ValueError, "1-d array"),
        (lambda: odeint(hunt, Y0, T, P, rtol=-1.0), ValueError, "rtol and atol must be positive"),
        (lambda: odeint(lambda t, y: y**2, 1.0, [0.0, 2.0]), RuntimeError, "at t = 1 the step became too small"),
        (lambda: odeint(lambda t, y: y * np.nan, 1.0, [0.0, 2.0]), RuntimeError, "diverges or is NaN"),
        (lambda: odeint(lambda t, y: -1e6 * (y - xgrad.cos(t)), 0.0, [0.0, 1.0], max_steps=50), RuntimeError, "stiff"),
        (lambda: odeint(lambda t, y: y[0], Y0, T), ValueError, r"f returned \(\) float64"),
        (lambda: odeint(hunt, np.arange(2), T, P), TypeError, "y0 is of dtype int64"),
    ],
)
def test_what_bad_input_gets(call: Any, error: type[Exception], match: str) -> None:
    with np.errstate(all="ignore"), pytest.raises(error, match=match):
        call()


def test_scipy_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.integrate", None)
    with pytest.raises(ImportError, match="pip install scipy"):
        odeint(hunt, Y0, T, P)


def test_a_function_in_the_order_of_scipys_odeint_is_refused() -> None:
    decay = lambda y, t, rate: -rate * y  # with y a number, -rate * t would be taken for the slope
    with pytest.raises(ValueError, match=r"f\(y, t, rate\) takes the time second, as for scipy.integrate.odeint"):
        odeint(decay, 1.0, [0.0, 1.0], 2.0)
    swapped = odeint(lambda t, y, *args: decay(y, t, *args), 1.0, [0.0, 1.0], 2.0, rtol=1e-10)
    np.testing.assert_allclose(swapped[-1], np.exp(-2.0))
    odeint(lambda t, time: -time, 1.0, [0.0, 1.0])  # as odd as it is, t comes first
