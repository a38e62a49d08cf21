"""Time of whole Jacobians and Hessians: of ``tanh(A x)``, and of Rosenbrock's function and its residuals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import xgrad

from .harness import Case, Way

SIZES = (2, 20, 200, 2000)
TITLES = {
    "jacobian-tanh": "the Jacobian of tanh(A x)",
    "hessian-tanh": "the Hessian of sum(tanh(A x))",
    "jacobian-rosenbrock": "the Jacobian of the residuals of Rosenbrock's function",
    "hessian-rosenbrock": "the Hessian of Rosenbrock's function",
}


def data(n: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(11)
    return rng.normal(size=(n, n)) / np.sqrt(n), rng.normal(size=n)


def function(name: str, a: Any, np: Any, concatenate: Callable[[list[Any]], Any]) -> Callable[[Any], Any]:
    """The function to differentiate, written with the namespace `np`."""

    def residuals(x: Any) -> Any:
        return concatenate([10.0 * (x[1:] - x[:-1] ** 2), 1.0 - x[:-1]])

    return {
        "jacobian-tanh": lambda x: np.tanh(a @ x),
        "hessian-tanh": lambda x: np.sum(np.tanh(a @ x)),
        "jacobian-rosenbrock": residuals,
        "hessian-rosenbrock": lambda x: np.sum(residuals(x) ** 2),
    }[name]


def by_hand(name: str, n: int) -> Way:
    a, x = data(n)

    def run() -> Any:
        if name == "jacobian-tanh":
            return (1 - np.tanh(a @ x) ** 2)[:, None] * a
        if name == "hessian-tanh":
            y = np.tanh(a @ x)
            return a.T @ ((-2 * y * (1 - y**2))[:, None] * a)
        i = np.arange(n - 1)
        if name == "jacobian-rosenbrock":
            out = np.zeros((2 * n - 2, n))
            out[i, i], out[i, i + 1], out[n - 1 + i, i] = -20 * x[:-1], 10.0, -1.0
            return out
        out = np.zeros((n, n))
        out[i, i] = 1200 * x[:-1] ** 2 - 400 * x[1:] + 2
        out[i + 1, i + 1] += 200.0
        out[i, i + 1] = out[i + 1, i] = -400 * x[:-1]
        return out

    return Way(run, lambda result: [result])


def ours(name: str, n: int) -> Way:
    a, x = data(n)
    f = function(name, a, xgrad, xgrad.concat)
    matrix = xgrad.jacobian(f) if name.startswith("jacobian") else xgrad.hessian(f)
    return Way(lambda: matrix(x), lambda result: [result])


def one_by_one(name: str, n: int) -> Way:
    """One pullback for each row."""
    a, x = data(n)
    f = function(name, a, xgrad, xgrad.concat)
    f = f if name.startswith("jacobian") else xgrad.grad(f)

    def run() -> Any:
        y, pull = xgrad.vjp(f, x)
        return np.stack([pull(unit)[0] for unit in np.eye(y.shape[0])])

    return Way(run, lambda result: [result])


def hips(name: str, n: int) -> Way:
    import autograd
    import autograd.numpy as anp

    a, x = data(n)
    f = function(name, a, anp, anp.concatenate)
    matrix = autograd.jacobian(f) if name.startswith("jacobian") else autograd.hessian(f)
    return Way(lambda: matrix(x), lambda result: [result])


def pytorch(name: str, n: int) -> Way:
    import torch

    torch.set_num_threads(1)
    a, x = map(torch.tensor, data(n))
    f = function(name, a, torch, torch.cat)
    matrix = torch.func.jacrev(f) if name.startswith("jacobian") else torch.func.hessian(f)
    return Way(lambda: matrix(x), lambda result: [np.asarray(result)])


def jax(name: str, n: int, jitted: bool) -> Way:
    import jax

    a, x = map(jax.numpy.asarray, data(n))
    f = function(name, a, jax.numpy, jax.numpy.concatenate)
    matrix = jax.jacrev(f) if name.startswith("jacobian") else jax.hessian(f)
    matrix = jax.jit(matrix) if jitted else matrix
    return Way(lambda: jax.block_until_ready(matrix(x)), lambda result: [np.asarray(result)])


def matrices(name: str, n: int) -> Case:
    ways = {
        "numpy": lambda: by_hand(name, n),
        "xgrad": lambda: ours(name, n),
        "torch.func": lambda: pytorch(name, n),
        "jax": lambda: jax(name, n, False),
        "jax jit": lambda: jax(name, n, True),
    }
    if n < 2000:  # at 2000 they take seconds
        ways |= {"xgrad, row by row": lambda: one_by_one(name, n), "autograd": lambda: hips(name, n)}
    return Case(f"{TITLES[name]}, n = {n}, float64", ways)


CASES: dict[str, Callable[[], Case]] = {f"{name}-{n}": lambda name=name, n=n: matrices(name, n) for name in TITLES for n in SIZES}
