"""Whole Jacobians and Hessians: of ``tanh(A x)``, and of Rosenbrock's function and its residuals."""

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


def function(what: str, a: Any, np: Any, concatenate: Callable[[list[Any]], Any]) -> Callable[[Any], Any]:
    """What to differentiate, by the functions of the namespace `np`."""

    def residuals(x: Any) -> Any:
        return concatenate([10.0 * (x[1:] - x[:-1] ** 2), 1.0 - x[:-1]])

    return {
        "jacobian-tanh": lambda x: np.tanh(a @ x),
        "hessian-tanh": lambda x: np.sum(np.tanh(a @ x)),
        "jacobian-rosenbrock": residuals,
        "hessian-rosenbrock": lambda x: np.sum(residuals(x) ** 2),
    }[what]


def by_hand(what: str, n: int) -> Way:
    a, x = data(n)

    def run() -> Any:
        if what == "jacobian-tanh":
            return (1 - np.tanh(a @ x) ** 2)[:, None] * a
        if what == "hessian-tanh":
            y = np.tanh(a @ x)
            return a.T @ ((-2 * y * (1 - y**2))[:, None] * a)
        i = np.arange(n - 1)
        if what == "jacobian-rosenbrock":
            out = np.zeros((2 * n - 2, n))
            out[i, i], out[i, i + 1], out[n - 1 + i, i] = -20 * x[:-1], 10.0, -1.0
            return out
        out = np.zeros((n, n))
        out[i, i] = 1200 * x[:-1] ** 2 - 400 * x[1:] + 2
        out[i + 1, i + 1] += 200.0
        out[i, i + 1] = out[i + 1, i] = -400 * x[:-1]
        return out

    return Way(run, lambda found: [found])


def ours(what: str, n: int) -> Way:
    a, x = data(n)
    f = function(what, a, xgrad, xgrad.concat)
    matrix = xgrad.jacobian(f) if what.startswith("jacobian") else xgrad.hessian(f)
    return Way(lambda: matrix(x), lambda found: [found])


def one_by_one(what: str, n: int) -> Way:
    """The rows by one pullback each."""
    a, x = data(n)
    f = function(what, a, xgrad, xgrad.concat)
    f = f if what.startswith("jacobian") else xgrad.grad(f)

    def run() -> Any:
        y, pull = xgrad.vjp(f, x)
        return np.stack([pull(unit)[0] for unit in np.eye(y.shape[0])])

    return Way(run, lambda found: [found])


def hips(what: str, n: int) -> Way:
    import autograd
    import autograd.numpy as anp

    a, x = data(n)
    f = function(what, a, anp, anp.concatenate)
    matrix = autograd.jacobian(f) if what.startswith("jacobian") else autograd.hessian(f)
    return Way(lambda: matrix(x), lambda found: [found])


def pytorch(what: str, n: int) -> Way:
    import torch

    torch.set_num_threads(1)
    a, x = map(torch.tensor, data(n))
    f = function(what, a, torch, torch.cat)
    matrix = torch.func.jacrev(f) if what.startswith("jacobian") else torch.func.hessian(f)
    return Way(lambda: matrix(x), lambda found: [np.asarray(found)])


def jax(what: str, n: int, jitted: bool) -> Way:
    import jax

    a, x = map(jax.numpy.asarray, data(n))
    f = function(what, a, jax.numpy, jax.numpy.concatenate)
    matrix = jax.jacrev(f) if what.startswith("jacobian") else jax.hessian(f)
    matrix = jax.jit(matrix) if jitted else matrix
    return Way(lambda: jax.block_until_ready(matrix(x)), lambda found: [np.asarray(found)])


def matrices(what: str, n: int) -> Case:
    ways = {
        "numpy": lambda: by_hand(what, n),
        "xgrad": lambda: ours(what, n),
        "torch.func": lambda: pytorch(what, n),
        "jax": lambda: jax(what, n, False),
        "jax jit": lambda: jax(what, n, True),
    }
    if n < 2000:  # else they take seconds
        ways |= {"xgrad, row by row": lambda: one_by_one(what, n), "autograd": lambda: hips(what, n)}
    return Case(f"{TITLES[what]}, n = {n}, float64", ways)


CASES: dict[str, Callable[[], Case]] = {f"{what}-{n}": lambda what=what, n=n: matrices(what, n) for what in TITLES for n in SIZES}
