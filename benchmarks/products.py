"""Products with the derivatives of a net: with its Jacobian, with the Hessian of its loss, with the matrix of Gauss-Newton."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import xgrad

from .harness import Case, Way

SIZES, BATCH = (64, 128, 128, 10), 64
TITLES = {
    "jvp": "a net and its change along a direction",
    "hvp": "the Hessian of a net's loss times a vector",
    "ggnvp": "the Gauss-Newton matrix of a net times a vector",
}


class Data(NamedTuple):
    """Weights, a direction among them, inputs, and which output is right."""

    weights: tuple[np.ndarray, ...]
    direction: tuple[np.ndarray, ...]
    x: np.ndarray
    hot: np.ndarray


def data() -> Data:
    rng = np.random.default_rng(7)
    shapes = list(zip(SIZES, SIZES[1:]))
    weights = tuple(rng.normal(size=shape) / np.sqrt(shape[0]) for shape in shapes)
    direction = tuple(rng.normal(size=shape) for shape in shapes)
    x = rng.normal(size=(BATCH, SIZES[0]))  # (B, 64)
    hot = np.eye(SIZES[-1])[rng.integers(0, SIZES[-1], size=BATCH)]  # (B, 10)
    return Data(weights, direction, x, hot)


class Net(NamedTuple):
    """The net in one library."""

    weights: tuple[Any, ...]
    direction: tuple[Any, ...]
    model: Callable[..., Any]
    loss: Callable[[Any], Any]

    def total(self, *weights: Any) -> Any:
        return self.loss(self.model(*weights))


def net(array: Callable[[Any], Any], np: Any, total: Callable[..., Any]) -> Net:
    """The net by the functions of the namespace `np`; `total` sums along an axis, or over all."""
    weights, direction, x, hot = (tuple(map(array, v)) if isinstance(v, tuple) else array(v) for v in data())

    def model(*ws: Any) -> Any:
        h = x
        for w in ws[:-1]:
            h = np.tanh(h @ w)  # (B, 128)
        return h @ ws[-1]  # (B, 10)

    def loss(y: Any) -> Any:
        return total(np.log(total(np.exp(y), 1)) - total(y * hot, 1), 0) / BATCH

    return Net(weights, direction, model, loss)


def by_hand(what: str) -> Way:
    """As a person would write it down: changes ``d`` on the way forward, cotangents ``g`` and their changes ``dg`` back."""
    weights, direction, x, hot = data()

    def run() -> list[Any]:
        hs, dhs = [x], [np.zeros_like(x)]
        for k, (w, v) in enumerate(zip(weights, direction)):
            y = hs[-1] @ w
            dy = hs[-1] @ v + dhs[-1] @ w if k else hs[-1] @ v
            if k < len(weights) - 1:
                hs.append(np.tanh(y))
                dhs.append((1 - hs[-1] * hs[-1]) * dy)
        if what == "jvp":
            return [y, dy]
        p = np.exp(y)
        p /= p.sum(1, keepdims=True)
        g = (p - hot) / BATCH if what == "hvp" else np.zeros_like(p)  # Gauss-Newton's matrix leaves its part out
        dg = p * (dy - (p * dy).sum(1, keepdims=True)) / BATCH
        out = []
        for k in reversed(range(len(weights))):
            out.append(hs[k].T @ dg + dhs[k].T @ g if what == "hvp" and k else hs[k].T @ dg)
            if k:
                slope, back, dback = 1 - hs[k] * hs[k], g @ weights[k].T, dg @ weights[k].T
                if what == "hvp":
                    dback += g @ direction[k].T
                g, dg = back * slope, dback * slope - back * (2 * hs[k] * dhs[k])
        return out[::-1]

    return Way(run, list)


def ours(what: str) -> Way:
    of = net(lambda v: v, xgrad, lambda x, axis: xgrad.sum(x, axis=axis))
    run = {
        "jvp": lambda: xgrad.jvp(of.model, of.weights, of.direction),
        "hvp": lambda: xgrad.hvp(of.total, of.weights, of.direction),
        "ggnvp": lambda: xgrad.ggnvp(of.model, of.loss, of.weights, of.direction),
    }[what]
    return Way(run, list)


def again() -> Way:
    """The change along one more direction, when the net was linearized before."""
    of = net(lambda v: v, xgrad, lambda x, axis: xgrad.sum(x, axis=axis))
    y, push = xgrad.linearize(of.model, *of.weights)
    return Way(lambda: push(*of.direction), lambda dy: [y, dy])


def hips(what: str) -> Way:
    import autograd.numpy as anp
    from autograd.differential_operators import make_ggnvp, make_hvp, make_jvp

    of = net(lambda v: v, anp, anp.sum)
    model, total = (lambda ws: of.model(*ws)), (lambda ws: of.total(*ws))
    if what == "jvp":
        push = make_jvp(model)
        return Way(lambda: push(of.weights)(of.direction), list)
    if what == "hvp":
        product = make_hvp(total)  # which takes containers, as hessian_vector_product does not
        return Way(lambda: product(of.weights)[0](of.direction), list)
    gauss_newton = make_ggnvp(model, of.loss)
    return Way(lambda: gauss_newton(of.weights)(of.direction), list)


def by_functions(what: str, of: Net, func: Any, wrap: Callable[[Any], Any], ready: Callable[[Any], Any]) -> Way:
    """With the `jvp`, `vjp` and `grad` of a library that has them as functions."""
    every = tuple(range(len(of.weights)))

    def hvp(f: Any, at: Any, v: Any, argnums: Any) -> Any:
        return func.jvp(func.grad(f, argnums), at, v)[1]

    def ggnvp(weights: Any, direction: Any) -> Any:
        y, dy = func.jvp(of.model, weights, direction)
        return func.vjp(of.model, *weights)[1](hvp(of.loss, (y,), (dy,), 0))

    product = wrap(
        {
            "jvp": lambda weights, direction: func.jvp(of.model, weights, direction),
            "hvp": lambda weights, direction: hvp(of.total, weights, direction, every),
            "ggnvp": ggnvp,
        }[what]
    )
    return Way(lambda: ready(product(of.weights, of.direction)), lambda found: [np.asarray(v) for v in found])


def pytorch(what: str) -> Way:
    import torch

    torch.set_num_threads(1)
    return by_functions(what, net(torch.tensor, torch, torch.sum), torch.func, lambda f: f, lambda found: found)


def jax(what: str, jitted: bool) -> Way:
    import jax

    of = net(jax.numpy.asarray, jax.numpy, jax.numpy.sum)
    return by_functions(what, of, jax, jax.jit if jitted else lambda f: f, jax.block_until_ready)


def products(what: str) -> Case:
    ways = {
        "numpy": lambda: by_hand(what),
        "xgrad": lambda: ours(what),
        "torch.func": lambda: pytorch(what),
        "autograd": lambda: hips(what),
        "jax": lambda: jax(what, False),
        "jax jit": lambda: jax(what, True),
    }
    if what == "jvp":
        ways["xgrad, linearized"] = again
    return Case(f"{TITLES[what]}: {'-'.join(map(str, SIZES))}, batch {BATCH}, float64", ways)


CASES: dict[str, Callable[[], Case]] = {f"{what}-mlp": lambda what=what: products(what) for what in TITLES}
