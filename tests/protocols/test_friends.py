"""Libraries written to the Array API standard, or with a back end of their own for it, handed tensors: values and gradients.

Each is compared with the same call on NumPy's arrays: values, and gradients by central differences.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xgrad
from tests.harness.processes import environment
from xgrad import Tensor
from xgrad.testing import check_grads

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(5)
M, N, V = RNG.normal(size=(3, 4)), RNG.normal(size=(2, 3)), RNG.normal(size=5)
SPREAD = RNG.permutation(12).reshape(3, 4) / 4 + 0.1


def agree(f: Callable[..., Any], *arrays: np.ndarray) -> None:
    """`f` gives the same on tensors as on arrays, and its gradients are right to second order."""
    xgrad.set_default_dtype(xgrad.float64)
    wanted = f(*arrays)
    got = f(*(Tensor(x, requires_grad=True) for x in arrays))
    assert isinstance(got, Tensor) and got.requires_grad, "detached"
    np.testing.assert_allclose(got.detach().numpy(), wanted, rtol=1e-11, atol=1e-12)
    check_grads(f, arrays, order=2)


EXTRA: dict[str, tuple[Callable[..., Any], tuple[np.ndarray, ...]]] = {
    "at.set": (lambda x, m, v: x.at(m * 1)[1, :].set(v), (M, M[1])),
    "at.add": (lambda x, m, v: x.at(m * 1)[1, ::2].add(v), (M, V[:2])),
    "at.multiply": (lambda x, m: x.at(m * 1)[0, :].multiply(3.0), (M,)),
    "at.max": (lambda x, m: x.at(m * 1)[0, :].max(0.1), (M,)),
    "at.mask": (lambda x, m: x.at(m * 1)[m > 0].set(0.5), (M,)),
    "apply_where": (lambda x, m: x.apply_where(m > 0, m, lambda t: t**0.5, lambda t: t * t), (M,)),
    "atleast_nd": (lambda x, v: x.atleast_nd(v, ndim=3), (V,)),
    "cov": (lambda x, m: x.cov(m), (M,)),
    "create_diagonal": (lambda x, v: x.create_diagonal(v, offset=1), (V,)),
    "kron": (lambda x, m, n: x.kron(m, n), (M, N)),
    "nunique": (lambda x, v: v * x.nunique(v), (V,)),
    "one_hot": (lambda x, v: v[:, None] * x.one_hot(v.__array_namespace__().argsort(v), 5), (V,)),
    "pad": (lambda x, m: x.pad(m, ((1, 0), (0, 2)), constant_values=0.5), (M,)),
    "setdiff1d": (lambda x, v: x.setdiff1d(v, v[:2]), (np.sort(V),)),
    "sinc": (lambda x, v: x.sinc(v), (V,)),
    "argpartition": (lambda x, v: v[x.argpartition(v, 2)][:2], (V,)),
    "partition": (lambda x, v: x.partition(v, 2)[2], (V,)),
    "default_dtype": (lambda x, v: v + v.__array_namespace__().zeros(5, dtype=x.default_dtype(v.__array_namespace__())), (V,)),
}


@pytest.mark.parametrize("name", EXTRA)
def test_array_api_extra(name: str) -> None:
    extra = pytest.importorskip("array_api_extra", reason="array-api-extra is not installed")
    if not hasattr(extra, name.partition(".")[0]):
        pytest.skip(f"array-api-extra {extra.__version__} has no {name}")
    f, arrays = EXTRA[name]
    agree(lambda *xs: f(extra, *xs), *arrays)


EINOPS: dict[str, Callable[[Any, Any], Any]] = {
    "rearrange": lambda e, x: e.rearrange(x, "a (b c) -> c (a b)", c=2),
    "rearrange new axis": lambda e, x: e.rearrange(x, "a b -> b 1 a"),
    "reduce mean": lambda e, x: e.reduce(x, "a (b c) -> a b", "mean", c=2),
    "reduce max": lambda e, x: e.reduce(x, "a b -> b", "max"),
    "repeat": lambda e, x: e.repeat(x, "a b -> a (b r) s", r=2, s=3),
}


@pytest.mark.parametrize("name", EINOPS)
def test_einops(name: str) -> None:
    einops = pytest.importorskip("einops.array_api", reason="einops is not installed")
    agree(lambda x: EINOPS[name](einops, x), SPREAD)


@pytest.mark.parametrize("equation", ["ij,kj->ik", "ij,ki,l->", "ii->i", "ij,ij->j"])
def test_opt_einsum(equation: str) -> None:
    opt_einsum = pytest.importorskip("opt_einsum", reason="opt_einsum is not installed")
    shapes = [
        tuple(3 + ("ijkl".index(c) == 1) * (equation != "ii->i") for c in part) for part in equation.split("->")[0].split(",")
    ]
    rng = np.random.default_rng(2)
    agree(lambda *xs: opt_einsum.contract(equation, *xs), *(rng.normal(size=shape) for shape in shapes))


FLOAT = "GradientError: float(x)"  # scikit-learn returns Python floats there
NAN = "gradient: NaN"  # it counts missing values, by way of NaN
OUTCOMES = {
    "mean_squared_error": FLOAT, "mean_absolute_error": FLOAT, "r2_score": FLOAT, "mean_gamma_deviance": FLOAT,
    "mean_poisson_deviance": FLOAT, "cosine_similarity": "right", "euclidean_distances": "right", "linear_kernel": "right",
    "polynomial_kernel": "right", "rbf_kernel": "right", "sigmoid_kernel": "right", "chi2_kernel": "right",
    "MinMaxScaler": "right", "MaxAbsScaler": "right", "StandardScaler": NAN, "Normalizer": "right",
    "PolynomialFeatures": "right", "PCA": "right", "Ridge": "right", "LinearDiscriminantAnalysis": "right",
}  # fmt: skip


@pytest.fixture(scope="module")
def sklearn_outcomes() -> dict[str, str]:
    """What becomes of calls of scikit-learn, in a process of its own: its dispatch needs SciPy's, and that a fresh import."""
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    command = [sys.executable, "-W", "ignore", str(Path(__file__).parents[1] / "scipy" / "sklearn_calls.py")]
    done = subprocess.run(command, env=environment(SCIPY_ARRAY_API="1"), capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("name", OUTCOMES)
def test_sklearn(name: str, sklearn_outcomes: dict[str, str]) -> None:
    assert sklearn_outcomes[name].startswith(OUTCOMES[name])


def test_all_calls_of_sklearn_have_an_outcome(sklearn_outcomes: dict[str, str]) -> None:
    assert set(sklearn_outcomes) == set(OUTCOMES)
