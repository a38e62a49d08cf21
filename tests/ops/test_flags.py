"""NumPy's floating-point flags are raised only for results, never for inner values that are discarded.

xgrad can thus be used with warnings as errors, and under ``np.errstate(all="raise")``.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad.backend import find_backend
from xgrad.engine.backward import pullback

from ..harness.driver import ROWS, Case, call, cotangent

MODERATE = (0.0, -0.0, 1e-8, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 10.0, 37.0, 100.0)
EXTREMES = {
    "float64": (*MODERATE, 5e-324, 1e-300, 1e-160, 800.0, 1e8, 1e16, 1e155, 1e300, 1.7e308, np.inf),
    "float32": (*MODERATE, 1e-45, 1e-38, 1e-20, 1e4, 1e8, 1e19, 1e20, 3e38, np.inf),
}
FEW = {  # for functions of two or three arguments
    "float64": ((0.0, 1e-300, 0.5, 1.0, 37.0, 800.0, 1e300, np.inf), (0.0, 0.5, 1.0, 800.0)),
    "float32": ((0.0, 1e-38, 0.5, 1.0, 37.0, 100.0, 3e38, np.inf), (0.0, 0.5, 1.0, 100.0)),
}
ELEMENTWISE = [
    row.id for row in ROWS.values() if row.elementwise and all(arg.values is None and arg.kind == "float" for arg in row.args)
]


def points(number: int, dtype: str) -> list[tuple[float, ...]]:
    """The points at which functions of so many arguments are tested: all combinations of extremes of both signs."""
    values = EXTREMES[dtype] if number == 1 else FEW[dtype][min(number, 3) - 2]
    both = dict.fromkeys(str(x) for x in (*values, *(-x for x in values)))
    return list(itertools.product(map(float, both), repeat=number))


def results(row: Any, arrays: list[np.ndarray]) -> tuple[list[np.ndarray], list[str], list[np.ndarray], list[str]]:
    """Values and gradients of one call, each with the flags that it raised."""
    flags: list[str] = []

    def note(kind: str, _: int) -> None:
        flags.append(kind)

    tensors = [xgrad.Tensor(x, requires_grad=arg.tracked and row.differentiable) for x, arg in zip(arrays, row.args)]
    with np.errstate(divide="call", over="call", invalid="call", call=note):
        y = row.f(xgrad, *tensors)
        outputs = [v for v in (y if isinstance(y, (tuple, list)) else [y]) if isinstance(v, xgrad.Tensor)]
        forward, flags[:] = flags.copy(), []
        tracked = [v for v in outputs if v.requires_grad]
        leaves = pullback(tracked, [np.ones(v.shape, v.dtype.name) for v in tracked]) if tracked else {}
    return [v.detach().numpy() for v in outputs], forward, [np.asarray(g) for g in leaves.values()], flags


def flagged(row: Any, among: list[tuple[float, ...]], dtype: str, part: int) -> list[tuple[float, ...]]:
    """The points at which the value (0) or the gradient (2) raises a flag, found by halving."""
    if not among or not results(row, [np.asarray(x, dtype) for x in zip(*among)])[part + 1]:
        return []
    if len(among) == 1:
        return among
    half = len(among) // 2
    return flagged(row, among[:half], dtype, part) + flagged(row, among[half:], dtype, part)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("row", ELEMENTWISE)
def test_no_flag_is_raised_where_the_results_are_finite(row: str, dtype: str) -> None:
    """At extremes, a flag is raised only for a value or a gradient that is infinite or NaN."""
    if dtype not in ROWS[row].dtypes:
        pytest.skip(f"the row is for {', '.join(ROWS[row].dtypes)}")
    every = points(len(ROWS[row].args), dtype)
    at_once = results(ROWS[row], [np.asarray(x, dtype) for x in zip(*every)])
    wrong = []
    for part, label in ((0, "value"), (2, "gradient")):
        finite = [at for k, at in enumerate(every) if all(np.isfinite(x[k]) for x in at_once[part])]
        for at in flagged(ROWS[row], finite, dtype, part):
            found = results(ROWS[row], [np.asarray([x], dtype) for x in at])
            wrong.append(f"{label} at {at} is {[x.tolist() for x in found[part]]}: {found[part + 1]}")
    assert not wrong, f"{len(wrong)} points, such as " + "; ".join(wrong[:5])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("row", [row for row in ELEMENTWISE if ROWS[row].name in xgrad.special.__all__])
def test_no_flag_is_raised_by_formulas(row: str, dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the library has no such function, a formula is computed, as on array-api-strict and in half precision."""
    plug_in = type(find_backend("numpy"))
    monkeypatch.setattr(plug_in, "special_on_host", plug_in.special)
    monkeypatch.setattr(plug_in, "special", lambda self, name: None)
    test_no_flag_is_raised_where_the_results_are_finite(row, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("row", list(ROWS))
def test_every_row_survives_errstate_raise(row: str, dtype: str) -> None:
    """At the ordinary values of the table there is no division by zero, overflow, underflow or invalid operation."""
    if dtype not in ROWS[row].dtypes or "numpy" in ROWS[row].skip:
        pytest.skip("not on NumPy, or not for this dtype")
    with np.errstate(all="raise"):
        inputs, y = call(ROWS[row], "numpy", Case(row).arguments(), dtype, None)
        tracked = [v for v in y if isinstance(v, xgrad.Tensor) and v.requires_grad and v.dtype.inexact]
        if not tracked:
            return
        starts = [
            cotangent(0, k, v.shape, v.dtype.kind == "complex floating").astype(v.dtype.name) for k, v in enumerate(tracked)
        ]
        leaves = pullback(tracked, starts)
    assert all(t._node in leaves or t.size == 0 for t in inputs) or len(inputs) > 1


def _models(dtype: str) -> dict[str, Any]:
    """Losses of common models, each with the array that it is differentiated by."""
    rng = np.random.default_rng(0)
    functional, linalg = xgrad.nn.functional, xgrad.linalg
    x, labels, yes = rng.normal(size=(6, 5)).astype(dtype), rng.integers(0, 3, 6), rng.integers(0, 2, 6).astype(dtype)
    w = rng.normal(size=(5, 3)).astype(dtype)
    target = np.array([0, 1, 1], dtype)
    models: dict[str, Any] = {}
    for scale in (1, 30, 1000):
        for name in ("tanh", "gelu", "silu", "elu", "softplus", "sigmoid", "relu", "leaky_relu", "logsigmoid"):
            act = getattr(xgrad, name)
            models[f"layer, {name}, {scale}"] = (
                lambda w, act=act, s=scale: functional.cross_entropy(act(x @ w * s) * s, labels),
                w,
            )
        v = (scale * rng.normal(size=5)).astype(dtype)
        models[f"logistic regression, {scale}"] = (
            lambda v: -xgrad.mean(yes * xgrad.logsigmoid(x @ v) + (1 - yes) * xgrad.logsigmoid(-(x @ v))),
            v,
        )
        z = np.array([scale, -scale, 0], dtype)
        models[f"logits, {scale}"] = (lambda z: functional.binary_cross_entropy_with_logits(z, target), z)
        models[f"probabilities, {scale}"] = (lambda z: functional.binary_cross_entropy(xgrad.sigmoid(z), target), z)
        models[f"smoothed labels, {scale}"] = (lambda z: functional.cross_entropy(z, 1, label_smoothing=0.1), z)
        models[f"huber, {scale}"] = (lambda z: functional.huber(z, target), z)
    mask = np.where(np.tri(6) > 0, 0, -np.inf).astype(dtype)
    models["attention"] = (lambda q: xgrad.sum((xgrad.softmax(q @ x.T + mask, axis=-1) @ x) ** 2), x * 10)
    models["a class that is masked"] = (lambda z: functional.cross_entropy(z, 0), np.array([1, -np.inf, 2], dtype))
    t = np.linspace(0, 1, 8).astype(dtype)

    def process(p: Any) -> Any:
        k = xgrad.exp(p[0] - (t[:, None] - t) ** 2 * xgrad.exp(-2 * p[1])) + xgrad.exp(p[2]) * xgrad.eye(8, dtype=p.dtype)
        y = xgrad.asarray(np.sin(6 * t))
        return xgrad.sum(y * linalg.solve(k, y)) / 2 + xgrad.sum(xgrad.log(linalg.diagonal(linalg.cholesky(k))))

    models["Gaussian process"] = (process, np.array([0, -1, -2], dtype))
    missing = np.array([[1, np.nan, 3], [np.nan, np.nan, 2], [4, 5, 6]], dtype)
    for name in "nansum nanmean nanvar nanstd nanmax nanmin nanmedian nanprod".split():
        models[name] = (lambda a, name=name: xgrad.sum(getattr(xgrad, name)(a, axis=0)), missing)
    return models


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", list(_models("float64")))
def test_everyday_models_raise_no_flag(name: str, dtype: str) -> None:
    """Loss, gradient, Hessian and forward derivative, with extreme logits, masks and missing values."""
    f, at = _models(dtype)[name]
    with np.errstate(divide="raise", over="raise", invalid="raise"):
        found = [
            f(xgrad.Tensor(at)).numpy(),
            xgrad.grad(f)(at),
            xgrad.hessian(f)(at),
            xgrad.jvp(f, (at,), (np.ones_like(at),))[1],
        ]
    assert all(np.isfinite(np.asarray(v.numpy() if isinstance(v, xgrad.Tensor) else v)).all() for v in found)
