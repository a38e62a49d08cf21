"""Time of products with derivatives of a network: its Jacobian, the Hessian of its loss, the Gauss-Newton matrix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import xgrad

from .harness import Case, Way

SIZES, BATCH = (64, 128, 128, 10), 64
TITLES = {
    "jvp": "a network and its change along a direction",
    "hvp": "the Hessian of a network's loss times a vector",
    "ggnvp": "the Gauss-Newton matrix of a network times a vector",
}


class Data(NamedTuple):
    """Weights, a direction in their space, inputs, and one-hot labels."""

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
    """The network in one library."""

    weights: tuple[Any, ...]
    direction: tuple[Any, ...]
    model: Callable[..., Any]
    loss: Callable[[Any], Any]

    def total(self, *weights: Any) -> Any:
        return self.loss(self.model(*weights))


def net(array: Callable[[Any], Any], np: Any, total: Callable[..., Any]) -> Net:
    """The network, written with the namespace `np`; `total` sums along an axis."""
    weights, direction, x, hot = (tuple(map(array, v)) if isinstance(v, tuple) else array(v) for v in data())

    def model(*ws: Any) -> Any:
        h = x
        for w in ws[:-1]:
            h = np.tanh(h @ w)  # (B, 128)
        return h @ ws[-1]  # (B, 10)

    def loss(y: Any) -> Any:
        return total(np.log(total(np.exp(y), 1)) - total(y * hot, 1), 0) / BATCH

    return Net(weights, direction, model, loss)


def by_hand(name: str) -> Way:
    """Written by hand: changes ``d`` forward, cotangents ``g`` and their changes ``dg`` backward."""
    weights, direction, x, hot = data()

    def run() -> list[Any]:
        hs, dhs = [x], [np.zeros_like(x)]
        for k, (w, v) in enumerate(zip(weights, direction)):
            y = hs[-1] @ w
            dy = hs[-1] @ v + dhs[-1] @ w if k else hs[-1] @ v
            if k < len(weights) - 1:
                hs.append(np.tanh(y))
                dhs.append((1 - hs[-1] * hs[-1]) * dy)
        if name == "jvp":
            return [y, dy]
        p = np.exp(y)
        p /= p.sum(1, keepdims=True)
        g = (p - hot) / BATCH if name == "hvp" else np.zeros_like(p)  # not part of the Gauss-Newton matrix
        dg = p * (dy - (p * dy).sum(1, keepdims=True)) / BATCH
        out = []
        for k in reversed(range(len(weights))):
            out.append(hs[k].T @ dg + dhs[k].T @ g if name == "hvp" and k else hs[k].T @ dg)
            if k:
                slope, back, dback = 1 - hs[k] * hs[k], g @ weights[k].T, dg @ weights[k].T
                if name == "hvp":
                    dback += g @ direction[k].T
                g, dg = back * slope, dback * slope - back * (2 * hs[k] * dhs[k])
        return out[::-1]

    return Way(run, list)


def ours(name: str) -> Way:
    of = net(lambda v: v, xgrad, lambda x, axis: xgrad.sum(x, axis=axis))
    run = {
        "jvp": lambda: xgrad.jvp(of.model, of.weights, of.direction),
        "hvp": lambda: xgrad.hvp(of.total, of.weights, of.direction),
        "ggnvp": lambda: xgrad.ggnvp(of.model, of.loss, of.weights, of.direction),
    }[name]
    return Way(run, list)


def again() -> Way:
    """The change along one more direction, with a network that is linearized already."""
    of = net(lambda v: v, xgrad, lambda x, axis: xgrad.sum(x, axis=axis))
    y, push = xgrad.linearize(of.model, *of.weights)
    return Way(lambda: push(*of.direction), lambda dy: [y, dy])


def hips(name: str) -> Way:
    import autograd.numpy as anp
    from autograd.differential_operators import make_ggnvp, make_hvp, make_jvp

    of = net(lambda v: v, anp, anp.sum)
    model, total = (lambda ws: of.model(*ws)), (lambda ws: of.total(*ws))
    if name == "jvp":
        push = make_jvp(model)
        return Way(lambda: push(of.weights)(of.direction), list)
    if name == "hvp":
        product = make_hvp(total)  # takes containers; hessian_vector_product does not
        return Way(lambda: product(of.weights)[0](of.direction), list)
    gauss_newton = make_ggnvp(model, of.loss)
    return Way(lambda: gauss_newton(of.weights)(of.direction), list)


def by_functions(name: str, of: Net, func: Any, wrap: Callable[[Any], Any], ready: Callable[[Any], Any]) -> Way:
    """With the `jvp`, `vjp` and `grad` of a library that offers them as functions."""
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
        }[name]
    )
    return Way(lambda: ready(product(of.weights, of.direction)), lambda result: [np.asarray(v) for v in result])


def pytorch(name: str) -> Way:
    import torch

    torch.set_num_threads(1)
    return by_functions(name, net(torch.tensor, torch, torch.sum), torch.func, lambda f: f, lambda result: result)


def jax(name: str, jitted: bool) -> Way:
    import jax

    of = net(jax.numpy.asarray, jax.numpy, jax.numpy.sum)
    return by_functions(name, of, jax, jax.jit if jitted else lambda f: f, jax.block_until_ready)


def products(name: str) -> Case:
    ways = {
        "numpy": lambda: by_hand(name),
        "xgrad": lambda: ours(name),
        "torch.func": lambda: pytorch(name),
        "autograd": lambda: hips(name),
        "jax": lambda: jax(name, False),
        "jax jit": lambda: jax(name, True),
    }
    if name == "jvp":
        ways["xgrad, linearized"] = again
    return Case(f"{TITLES[name]}: {'-'.join(map(str, SIZES))}, batch {BATCH}, float64", ways)


CASES: dict[str, Callable[[], Case]] = {f"{name}-mlp": lambda name=name: products(name) for name in TITLES}
