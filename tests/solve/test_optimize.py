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


FORMS = {
    "a list of pairs": [(0, 1), (0, 2)],
    "a tuple of lists": ([0, 1], [0, 2]),
    "an array": np.array([[0.0, 1.0], [0.0, 2.0]]),
    "with None": [(None, 1), (0, None)],
    "with infinities": [(-np.inf, 1), (0, np.inf)],
    "zip": [0, 1],
    "Bounds": optimize.Bounds([0, 0], [1, 2]),
    "Bounds of numbers": optimize.Bounds(0.5, 1.5),
    "Bounds of one limit": optimize.Bounds(ub=[1, np.inf]),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("center", [(5.0, 5.0), (-5.0, 1.7), (0.2, -5.0)])
def test_bounds_of_scipys_forms_mean_what_they_mean_to_scipy(form: str, center: Any) -> None:
    center = np.asarray(center)
    bounds = lambda: zip([0, 0], [1, 2]) if form == "zip" else FORMS[form]
    both = lambda x: (((x - center) ** 2).sum(), 2 * (x - center))
    for method in ("L-BFGS-B", "trust-constr", "Nelder-Mead"):
        given: dict[str, Any] = {"jac": True} if method != "Nelder-Mead" else {}
        f = both if given else lambda x: both(x)[0]
        theirs = optimize.minimize(f, np.full(2, 0.7), bounds=bounds(), method=method, **given).x
        for x0 in (np.full(2, 0.7), Tensor(np.full((1, 2), 0.7)), (0.7, 0.7)):
            flat = lambda x: xgrad.reshape(xgrad.stack(x) if isinstance(x, (tuple, list)) else x, (-1,))
            found = minimize(lambda x, flat=flat: xgrad.sum((flat(x) - center) ** 2), x0, bounds=bounds(), method=method)
            np.testing.assert_allclose(np.ravel([np.asarray(y) for y in found.x]), theirs, atol=1e-3)


def test_bounds_nested_as_x0() -> None:
    pytest.importorskip("optree")
    f = lambda p: xgrad.sum((p["a"] - 2.0) ** 2) + (p["b"] + 1.0) ** 2
    x0 = {"a": np.full(2, 1.2), "b": 0.5}
    found = minimize(f, x0, bounds={"a": (np.array([1.0, 2.5]), [1.5, 9.0]), "b": (0, None)})
    np.testing.assert_allclose(found.x["a"], [1.5, 2.5], atol=1e-6)
    assert found.x["b"] == pytest.approx(0.0, abs=1e-9)
    found = minimize(f, x0, bounds=[(0, 1), (0, 9), (0.25, 1)])  # one for each number
    np.testing.assert_allclose(found.x["a"], [1.0, 2.0], atol=1e-6)
    assert found.x["b"] == pytest.approx(0.25)


@pytest.mark.parametrize(
    "bounds",
    [3, (0, 1), (0, 1.5), (None, 2.5), (np.zeros(2), 1.0), [(0, 1)], [(0, 1)] * 3, [(0, 1, 2), (0, 1)], [None, (0, 1)], "ab",
     {"lb": 0}, np.zeros((3, 2)), [([0], 1), (0, 1)]],
)  # fmt: skip
def test_bounds_of_other_forms_are_refused(bounds: Any) -> None:
    with pytest.raises(ValueError, match=r"bounds must be a sequence of 2 pairs \(low, high\), one for each number of x0"):
        minimize(lambda x: xgrad.sum(x * x), np.ones(2), bounds=bounds)
    if isinstance(bounds, tuple) and bounds[0] is None:  # what used to be lows and highs
        with pytest.raises(ValueError, match="pairs nested as x0"):
            minimize(lambda x: xgrad.sum(x[0] * x[0]) + x[1], (np.ones(2), 1.0), bounds=bounds)
    with pytest.raises(ValueError, match="bounds.lb holds 3 numbers, but x0 holds 2"):
        minimize(lambda x: xgrad.sum(x * x), np.ones(2), bounds=optimize.Bounds([0, 0, 0], 1))


@pytest.mark.parametrize(
    "bounds", [([0, 0], [1, 2]), [(0, 1), (0, 2)], (0, [1, 2]), (-np.inf, 1.5), optimize.Bounds([0, 0], [1, 2])]
)
def test_bounds_of_least_squares_mean_what_they_mean_to_scipy(bounds: Any) -> None:
    target, x0 = np.array([5.0, 1.7]), np.array([0.2, 0.5])
    if bounds == [(0, 1), (0, 2)]:
        x0 = np.array([0.0, 1.5])
    theirs = optimize.least_squares(lambda x: x - target, x0, bounds=bounds) if bounds != [(0, 1), (0, 2)] else None
    if theirs is None:  # to this function these are lows and highs, and two of them are equal
        for f in (optimize.least_squares, least_squares):
            with pytest.raises(ValueError, match="strictly less"):
                f(lambda x: x - target, x0, bounds=bounds)
        return
    np.testing.assert_allclose(least_squares(lambda x: x - target, x0, bounds=bounds).x, theirs.x, atol=1e-6)


def test_bounds_of_least_squares_nested_as_x0() -> None:
    f = lambda p: (p[0] - np.array([2.0, 3.0]), p[1] + 1.0)
    found = least_squares(f, (np.ones(2), 0.5), bounds=((None, 0.0), (np.array([1.5, 9.0]), None)))
    np.testing.assert_allclose(found.x[0], [1.5, 3.0], atol=1e-6)
    assert found.x[1] == pytest.approx(0.0, abs=1e-6)
    for wrong in (3, [(0, 1)] * 3, (0,), "ab", {"lb": 0}):
        with pytest.raises(ValueError, match=r"bounds must be a pair \(lows, highs\)|nested"):
            least_squares(lambda x: x, np.ones(3), bounds=wrong)


def test_args_that_are_no_tuple_are_one_argument_as_in_scipy() -> None:
    array = np.array([1.0, 2.0])
    f = lambda x, a: xgrad.sum((x - a) ** 2)
    for args in (array, (array,)):
        np.testing.assert_allclose(minimize(f, np.zeros(2), args).x, array, atol=1e-5)
        np.testing.assert_allclose(optimize.minimize(lambda x, a: ((x - a) ** 2).sum(), np.zeros(2), args).x, array, atol=1e-5)
    found = minimize(lambda x, a: (x - a[0]) ** 2, 0.0, [3.0])
    assert found.x == pytest.approx(3.0, abs=1e-5)
    found = least_squares(lambda x, a, b=0.0: x - a - b, np.zeros(2), (array,), kwargs={"b": 1.0})
    np.testing.assert_allclose(found.x, array + 1)
    with pytest.raises(TypeError, match="takes no jac"):
        least_squares(lambda x: x, np.zeros(2), jac="2-point")


@pytest.mark.parametrize("method", ["BFGS", "trust-constr", "L-BFGS-B"])
def test_callbacks_of_scipys_forms_get_what_scipy_gives_them(method: str) -> None:
    seen: list[Any] = []

    def new(intermediate_result: Any) -> None:
        seen.append((intermediate_result.x["x"].shape, float(intermediate_result.fun)))

    f = lambda p: rosenbrock(p["x"])
    found = minimize(f, {"x": np.zeros(3)}, callback=new, method=method)
    assert seen[-1] == ((3,), pytest.approx(found.fun)) and len(seen) > 2
    if method == "trust-constr":
        seen.clear()
        minimize(f, {"x": np.zeros(3)}, callback=lambda x, state: seen.append((x["x"].shape, state.nit)), method=method)
        assert seen[0][0] == (3,) and seen[-1][1] == len(seen)


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


def test_a_matrix_that_cannot_fit_is_refused_in_the_words_of_the_solver() -> None:
    x = np.ones(10**6)
    with pytest.raises(MemoryError, match=r"^minimize: method 'trust-exact' needs the whole Hessian; .* 8 TB"):
        xgrad.optimize.minimize(lambda x: xgrad.sum(x**2), x, method="trust-exact")
    with pytest.raises(MemoryError, match=r"^least_squares: it needs the whole Jacobian; .* 8 TB"):
        xgrad.optimize.least_squares(lambda x: x**2, x)
