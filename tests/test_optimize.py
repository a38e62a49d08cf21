"""SciPy's optimizers: with xgrad's functions handed over by the user, and through `xgrad.optimize`."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor, hvp, value_and_grad
from xgrad.optimize import least_squares, minimize

optimize = pytest.importorskip("scipy.optimize")


def rosenbrock(x: Any) -> Any:
    return xgrad.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


GRADIENT = ["CG", "BFGS", "L-BFGS-B", "TNC", "SLSQP"]
PRODUCTS = ["Newton-CG", "trust-ncg", "trust-krylov", "trust-constr"]
HESSIAN = ["trust-exact"]
NONE = ["Nelder-Mead", "Powell", "COBYLA"]


@pytest.mark.parametrize("method", GRADIENT + PRODUCTS[:3])
def test_straight_into_scipy(method: str) -> None:
    given: dict[str, Any] = {"hessp": lambda x, p: hvp(rosenbrock, x, p)} if method in PRODUCTS else {}
    seen: list[Any] = []

    def both(x: Any) -> Any:
        value, slope = value_and_grad(rosenbrock)(x)
        seen.append((x, value, slope))
        return value, slope

    options = {"maxfun": 2000} if method == "TNC" else {}
    found = optimize.minimize(both, np.zeros(4), jac=True, method=method, options=options, **given)
    np.testing.assert_allclose(found.x, 1, atol=1e-2)
    for x, value, slope in seen:
        assert type(slope) is np.ndarray and slope.dtype == np.float64 and slope.shape == x.shape and slope.flags.writeable
        assert isinstance(value, (float, np.ndarray, np.floating)) and not isinstance(value, Tensor)
    product = hvp(rosenbrock, np.zeros(4), np.ones(4))
    assert type(product) is np.ndarray and product.dtype == np.float64


@pytest.mark.parametrize("method", [None, *GRADIENT, *PRODUCTS, *HESSIAN, *NONE])
def test_every_method(method: str | None) -> None:
    f = lambda p: (p[0] - 1.0) ** 2 + xgrad.sum(xgrad.cosh(p[1] - p[0]))
    found = minimize(f, (3.0, np.array([[0.0, 2.0]])), method=method, tol=1e-8)
    assert isinstance(found.x[0], float) and found.x[0] == pytest.approx(1.0, abs=1e-3)
    assert type(found.x[1]) is np.ndarray
    np.testing.assert_allclose(found.x[1], [[1.0, 1.0]], atol=1e-2)
    slope = found.get("grad") or found.get("jac")
    assert method in NONE or (isinstance(slope[0], float) and slope[1].shape == (1, 2))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_each_backend(xp: Any, device: Any, dtype: str) -> None:
    make = lambda x: xp.asarray(x, dtype=getattr(xp, dtype), device=device)
    low = make([2.0, -3.0])
    f = lambda p, low: xgrad.sum((p["a"] - low) ** 2) + xgrad.sum(p["b"] ** 2)
    x0 = {"a": make([0.0, 0.0]).data, "b": make(1.0)}
    found = minimize(f, x0, args=(low,))
    assert type(found.x["a"]) is type(x0["a"]) and found.x["a"].dtype == x0["a"].dtype and isinstance(found.x["b"], Tensor)
    assert found.x["b"].device == low.device and found.x["b"].backend == low.backend
    np.testing.assert_allclose(Tensor(found.x["a"]).numpy(), [2, -3], atol=1e-3)
    assert abs(found.x["b"].item()) < 1e-3
    assert type(found.jac["a"]) is type(x0["a"])
    fitted = least_squares(lambda p: p - low, make([0.0, 0.0]))
    np.testing.assert_allclose(fitted.x.numpy(), [2, -3], atol=1e-3)


def test_bounds() -> None:
    f = lambda p: xgrad.sum((p[0] - 2.0) ** 2) + (p[1] + 1.0) ** 2
    x0 = (np.zeros(2), 0.5)
    found = minimize(f, x0, bounds=(None, (np.array([1.0, 5.0]), None)))
    np.testing.assert_allclose(found.x[0], [1, 2], atol=1e-6)
    found = minimize(f, x0, bounds=(0, 1.5))
    np.testing.assert_allclose(found.x[0], 1.5, atol=1e-6)
    assert found.x[1] == pytest.approx(0.0, abs=1e-9)
    with pytest.raises(ValueError, match="bounds must be a pair"):
        minimize(f, x0, bounds=3)
    with pytest.raises(ValueError, match="bounds"):
        minimize(f, x0, bounds=((1.0, 2.0, 3.0), None))
    found = least_squares(lambda x: x - np.array([2.0, 3.0]), np.zeros(2), bounds=(None, 2.5))
    np.testing.assert_allclose(found.x, [2, 2.5], atol=1e-6)


def test_callback_sees_the_users_structure() -> None:
    seen: list[Any] = []

    def told(p: Any) -> None:
        seen.append(p)
        if len(seen) == 2:
            raise StopIteration

    found = minimize(lambda p: rosenbrock(p["x"]), {"x": np.zeros(3)}, callback=told)
    assert len(seen) == 2 and seen[0]["x"].shape == (3,) and not found.success
    seen.clear()
    minimize(lambda p: rosenbrock(p["x"]), {"x": np.zeros(3)}, callback=seen.append, method="trust-constr")
    assert len(seen) > 2 and seen[-1]["x"].shape == (3,)


def test_complex_numbers() -> None:
    found = minimize(lambda z: xgrad.sum(xgrad.abs(z - (1 + 2j)) ** 2), np.zeros(2, dtype=complex))
    np.testing.assert_allclose(found.x, 1 + 2j, atol=1e-6)


def test_nothing_is_recorded_and_nothing_deposited() -> None:
    w = Tensor([2.0], dtype="float64", requires_grad=True)
    found = minimize(lambda x: xgrad.sum((x - w) ** 2), Tensor(np.zeros(1)))
    assert not found.x.requires_grad and w.grad is None
    np.testing.assert_allclose(found.x.numpy(), 2, atol=1e-6)


def test_least_squares_of_containers() -> None:
    t = np.linspace(0, 1, 6)
    f = lambda p: {"fit": p["scale"] * xgrad.exp(p["rate"] * t) - 2 * np.exp(-t), "prior": 0.0 * p["scale"]}
    found = least_squares(f, {"scale": 1.0, "rate": 0.0})
    assert found.x["scale"] == pytest.approx(2) and found.x["rate"] == pytest.approx(-1)
    assert found.jac.shape == (7, 2) and isinstance(found.grad["rate"], float)


def test_what_bad_input_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(xgrad.GradientError, match="minimize: .* only a scalar"):
        minimize(lambda x: x, np.zeros(2))
    with pytest.raises(TypeError, match="must return one real floating Tensor"):
        minimize(lambda x: x, np.zeros(2), method="Powell")
    with pytest.raises(TypeError, match="x0 is of dtype int64"):
        minimize(lambda x: xgrad.sum(x), np.zeros(2, dtype=np.int64))
    with pytest.raises(TypeError, match="returned a float, not a Tensor"):
        least_squares(lambda x: 3.0, np.zeros(2))
    monkeypatch.setitem(sys.modules, "scipy.optimize", None)
    with pytest.raises(ImportError, match="pip install scipy"):
        minimize(lambda x: xgrad.sum(x), np.zeros(2))
