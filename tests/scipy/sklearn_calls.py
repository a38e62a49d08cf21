"""Calls of scikit-learn with its array dispatch: run as a program, it prints what becomes of each on tensors."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import sklearn
from sklearn import decomposition, discriminant_analysis, linear_model, metrics, preprocessing
from sklearn.metrics import pairwise

import xgrad
from xgrad import Tensor

sklearn.set_config(array_api_dispatch=True)
xgrad.set_default_dtype(xgrad.float64)
rng = np.random.default_rng(0)
X, y, p = rng.normal(size=(8, 3)), rng.normal(size=8), rng.uniform(0.1, 0.9, size=8)
K = rng.integers(0, 2, size=8)
CALLS = {
    "mean_squared_error": (metrics.mean_squared_error, y, p),
    "mean_absolute_error": (metrics.mean_absolute_error, y, p),
    "r2_score": (metrics.r2_score, y, p),
    "mean_gamma_deviance": (metrics.mean_gamma_deviance, p, p[::-1].copy()),
    "mean_poisson_deviance": (metrics.mean_poisson_deviance, p, p[::-1].copy()),
    "cosine_similarity": (pairwise.cosine_similarity, X),
    "euclidean_distances": (lambda a, b: pairwise.euclidean_distances(a, b), X, X[:3] + 1),
    "linear_kernel": (pairwise.linear_kernel, X),
    "polynomial_kernel": (pairwise.polynomial_kernel, X),
    "rbf_kernel": (pairwise.rbf_kernel, X),
    "sigmoid_kernel": (pairwise.sigmoid_kernel, X),
    "chi2_kernel": (lambda a: pairwise.additive_chi2_kernel(a * a), X),
    "MinMaxScaler": (lambda a: preprocessing.MinMaxScaler().fit_transform(a), X),
    "MaxAbsScaler": (lambda a: preprocessing.MaxAbsScaler().fit_transform(a), X),
    "StandardScaler": (lambda a: preprocessing.StandardScaler().fit_transform(a), X),
    "Normalizer": (lambda a: preprocessing.Normalizer().fit_transform(a), X),
    "PolynomialFeatures": (lambda a: preprocessing.PolynomialFeatures(2).fit_transform(a), X),
    "PCA": (lambda a: decomposition.PCA(2, svd_solver="full").fit(a).explained_variance_, X),
    "Ridge": (lambda a, b: linear_model.Ridge(solver="svd").fit(a, b).coef_, X, y),
    "LinearDiscriminantAnalysis": (
        lambda a: discriminant_analysis.LinearDiscriminantAnalysis().fit(a, like(K, a)).decision_function(a),
        X,
    ),
}


def like(k: np.ndarray, a: Any) -> Any:
    return a.__array_namespace__().asarray(k) if isinstance(a, Tensor) else k


def differences(f: Callable[..., Any], arrays: tuple[np.ndarray, ...], g: np.ndarray) -> list[np.ndarray]:
    found = []
    for k, x in enumerate(arrays):
        d = np.zeros_like(x)
        for i in np.ndindex(x.shape):
            values = []
            for step in (2e-5, 1e-5, -1e-5, -2e-5):
                moved = [a.copy() for a in arrays]
                moved[k][i] += step
                values.append(np.sum(g * np.asarray(f(*moved))))
            d[i] = (8 * (values[1] - values[2]) - values[0] + values[3]) / 12e-5
        found.append(d)
    return found


def outcome(f: Callable[..., Any], *arrays: np.ndarray) -> str:
    wanted = np.asarray(f(*arrays))
    tensors = [Tensor(x, requires_grad=True) for x in arrays]
    try:
        got = f(*tensors)
    except Exception as error:
        return f"{type(error).__name__}: {error}"[:160]
    if not isinstance(got, Tensor):
        return f"returns {type(got).__name__}"
    if not got.requires_grad:
        return "detached"
    if not np.allclose(got.detach().numpy(), wanted, atol=1e-10):
        return "value"
    g = np.random.default_rng(1).uniform(0.5, 1.5, size=wanted.shape)
    (got * g).sum().backward()
    for t, d in zip(tensors, differences(f, arrays, g)):
        if not np.allclose(0 if t.grad is None else t.grad.numpy(), d, atol=1e-6):
            return "gradient: NaN" if np.any(np.isnan(t.grad.numpy())) else "gradient"
    return "right"


print(json.dumps({name: outcome(*call) for name, call in CALLS.items()}))
