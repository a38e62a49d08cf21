"""Integrals: closed forms, to second order, on every backend."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor, grad, hessian, jacobian, quad
from xgrad.testing import check_grads

pytest.importorskip("scipy.integrate")

P = np.array([0.7, 1.2])


def wave(x: Any, p: Any) -> Any:
    return xgrad.exp(-p[0] * x**2) * xgrad.cos(p[1] * x)


def test_to_second_order_by_limits_and_parameters() -> None:
    f = lambda a, b, p: quad(wave, a, b, p, epsabs=1e-13, epsrel=1e-13)
    check_grads(f, (np.array(0.1), np.array(1.5), P), order=2, modes=("rev", "fwd"))


def test_infinite_limits() -> None:
    closed = lambda p: xgrad.sqrt(np.pi / p[0]) * xgrad.exp(-(p[1] ** 2) / 4 / p[0])
    whole = lambda p: quad(wave, -np.inf, np.inf, p)
    np.testing.assert_allclose(whole(P), closed(Tensor(P)).numpy())
    np.testing.assert_allclose(grad(whole)(P), grad(closed)(P))
    np.testing.assert_allclose(hessian(whole)(P), hessian(closed)(P))
    half = lambda a, b: quad(lambda x: xgrad.exp(-x), a, b)
    assert grad(half, (0, 1))(1.0, np.inf) == (pytest.approx(-np.exp(-1)), 0.0)
    assert grad(lambda a: quad(lambda x: xgrad.exp(x), -np.inf, a))(0.5) == pytest.approx(np.exp(0.5))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_each_backend(xp: Any, device: Any, dtype: str) -> None:
    p, tol = xp.asarray(P, dtype=getattr(xp, dtype), device=device), 1e-8 if dtype == "float64" else 1e-3
    f = lambda p: quad(decay, 0.0, 2.0, p)
    y = f(p)
    assert y.backend == p.backend and y.device == p.device and y.dtype == p.dtype and y.shape == (2,)
    np.testing.assert_allclose(y.numpy(), 1 - np.exp(-2 * P), rtol=tol)
    np.testing.assert_allclose(jacobian(f)(p).numpy(), np.diag(2 * np.exp(-2 * P)), rtol=tol, atol=tol)


def decay(x: Any, p: Any) -> Any:
    return p * xgrad.exp(-p * x)


def test_captured_tensors_and_graphs() -> None:
    w, b = Tensor(P, requires_grad=True), Tensor(2.0, dtype="float64", requires_grad=True)
    y = quad(lambda x: decay(x, w), 0.0, b * 1.5)
    assert isinstance(y, Tensor)
    y.sum().backward()
    assert w.grad is not None and b.grad is not None
    np.testing.assert_allclose(w.grad.numpy(), 3 * np.exp(-3 * P))
    np.testing.assert_allclose(b.grad.numpy(), 1.5 * (P * np.exp(-3 * P)).sum())


def test_kinds_and_containers() -> None:
    pytest.importorskip("optree")
    assert isinstance(quad(lambda x: x, 0, 1), float) and quad(lambda x: x, 1, 0) == -0.5
    found = quad(lambda x, s: {"a": s * x, "b": [x**2]}, 0.0, 1.0, np.array([2.0, 4.0]))
    np.testing.assert_allclose(found["a"], [1, 2])
    np.testing.assert_allclose(found["b"][0], 1 / 3)
    assert isinstance(quad(lambda x: x, Tensor(0.0), 1.0), Tensor)
    assert quad(lambda x: xgrad.zeros_like(x), 0.0, 1.0) == 0.0 and quad(lambda x: x, 1.0, 1.0) == 0.0


def test_complex_values() -> None:
    turn = lambda w: quad(lambda x, w: xgrad.exp(1j * w * x), 0.0, 1.0, w)
    np.testing.assert_allclose(quad(lambda x: xgrad.exp(2j * x), 0.0, 1.0), (np.exp(2j) - 1) / 2j)
    check_grads(turn, (np.array(2.0),), order=2)
    assert grad(lambda b: xgrad.real(quad(lambda x: xgrad.exp(2j * x), 0.0, b)))(1.0) == pytest.approx(np.cos(2))


def test_what_does_not_converge() -> None:
    with pytest.warns(RuntimeWarning, match="more than is allowed"):
        quad(lambda x: xgrad.sin(1 / x), 1e-6, 1.0, epsabs=1e-14, epsrel=1e-14, limit=4)
    with np.errstate(all="ignore"), pytest.raises(RuntimeError, match="is NaN or infinite"):
        quad(lambda x: xgrad.log(x), -2.0, -1.0)


@pytest.mark.parametrize(
    "call, error, match",
    [
        (lambda: quad(lambda x: 3.0, 0.0, 1.0), TypeError, "returned a float, not a Tensor"),
        (lambda: quad(lambda x: x, "0", 1.0), TypeError, "the limit a must be one real number, not the str '0'"),
        (lambda: quad(lambda x: x, 0.0, 1j), TypeError, "the limit b must be"),
        (lambda: quad(lambda x: x, 0.0, np.ones(2)), TypeError, r"array of shape \(2,\)"),
        (lambda: quad(lambda x: x, 0.0, np.nan), ValueError, "the limit b is NaN"),
    ],
)
def test_what_bad_input_gets(call: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call()


def test_scipy_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.integrate", None)
    with pytest.raises(ImportError, match="pip install scipy"):
        quad(lambda x: x, 0.0, 1.0)
