"""The computations that are timed: each is written once, and run with every library of `libraries`.

A `Workload` has a loss of parameters and data. Its step, ``step(state, *data)``, gives the value and the gradients of the loss;
or, if the workload trains, the value, and parameters and optimizer after a step. `by_hand` has the same steps in NumPy.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from . import by_hand, libraries
from .harness import Case, Way
from .libraries import Library, Step


class Workload(NamedTuple):
    """A loss, its arguments, and the same step written by hand."""

    title: str
    loss: Callable[..., Any]  # loss(library, params, *data)
    params: list[np.ndarray]
    data: list[np.ndarray]
    by_hand: Callable[..., Any]  # by_hand(params, *data) returns the value and the gradients
    optimizer: str | None = None  # "Adam", "SGD", or None for the value and the gradients
    images: bool = False  # whether the first of the data are images
    without: tuple[str, ...] = ()  # libraries that lack a function
    tolerance: float = 1e-3


LR = 1e-3


def make_step(lib: Library, workload: Workload) -> Step:
    """The step of a workload: ``step(state, *data)`` returns the result and the new state."""
    both = lib.value_and_grad(functools.partial(workload.loss, lib))

    def evaluate(params: Any, *data: Any) -> tuple[Any, Any]:
        return both(params, *data), params

    def train(state: Any, *data: Any) -> tuple[Any, Any]:
        params, optimizer = state
        value, grads = both(params, *data)
        return value, lib.update(params, grads, optimizer, LR)

    return train if workload.optimizer else evaluate


def run_with(make_library: Callable[[], Library], workload: Workload) -> Way:
    """The way that runs the step of a workload with a library."""
    lib = make_library()
    step = lib.compiled(make_step(lib, workload))
    params = [lib.parameter(p) for p in workload.params]
    data = [(lib.images if workload.images and i == 0 else lib.data)(x) for i, x in enumerate(workload.data)]
    state = params if workload.optimizer is None else [params, lib.adam(params) if workload.optimizer == "Adam" else None]

    def run() -> Any:
        nonlocal state
        result, state = lib.wait(step(state, *data))
        return result

    def answer(result: Any) -> list[Any]:
        value, arrays = result if workload.optimizer is None else (result, state[0])
        return [lib.read(x) for x in (value, *arrays)]

    return Way(run, answer, captured=isinstance(lib, libraries.CapturedXgrad))


def run_by_hand(workload: Workload) -> Way:
    params = [p.copy() for p in workload.params]
    adam = by_hand.Adam(params) if workload.optimizer == "Adam" else None

    def run() -> Any:
        value, grads = workload.by_hand(params, *workload.data)
        if workload.optimizer is None:
            return value, grads
        if adam is None:
            by_hand.descend(params, grads, LR)
        else:
            adam.step(grads, LR)
        return value, params

    return Way(run, lambda result: [result[0], *result[1]])


def ways(workload: Workload) -> dict[str, Callable[[], Way]]:
    """The ways to run a workload, by the name of the library."""

    def way(make_library: Callable[[], Library]) -> Callable[[], Way]:
        return lambda: run_with(make_library, workload)

    found = {
        "torch": way(libraries.Torch),  # first: what the others must agree with
        "numpy": lambda: run_by_hand(workload),
        "xgrad": way(libraries.Xgrad),
        "xgrad jit, NumPy": way(lambda: libraries.CapturedXgrad("numpy")),
        "xgrad jit, C": way(lambda: libraries.CapturedXgrad("c")),
        "torch, fused optimizer": way(lambda: libraries.Torch(fused=True)),
        "torch.compile": way(compiled_torch),
        "autograd": way(libraries.Autograd),
        "mygrad": way(libraries.MyGrad),
        "jax jit": way(libraries.Jax),
    }
    unwanted = {*workload.without, *(() if workload.optimizer else ("torch, fused optimizer",))}
    return {name: make for name, make in found.items() if name not in unwanted}


def compiled_torch() -> Library:
    if not COMPILE_TORCH:
        raise ImportError("--compile-torch was not given")
    import torch

    return libraries.PureTorch(torch.compile)


COMPILE_TORCH = False


def case(workload: Workload) -> Case:
    return Case(workload.title, ways(workload), workload.tolerance)


# -------------------------------------------------------------------------------------------------------- small arrays


def scalar_expression(a: Any, b: Any, relu: Callable[[Any], Any]) -> Any:
    """24 operations on two numbers."""
    c = a + b
    d = a * b + b**3
    c = c + (c + 1)
    c = c + (1 + c + (-a))
    d = d + (d * 2 + relu(b + a))
    d = d + (3 * d + relu(b - a))
    e = c - d
    f = e**2
    return f / 2.0 + 10.0 / f


def expression() -> Workload:
    def loss(lib: Library, params: list[Any]) -> Any:
        return scalar_expression(*params, lib.relu)

    params = [np.asarray(v, dtype=np.float32) for v in (-4.0, 2.0)]
    return Workload("a scalar expression of 24 ops, value and gradient, float32", loss, params, [], by_hand.expression)


def chain(blocks: int, size: int, dtype: str) -> Workload:
    """A chain of four operations, so many times."""

    def loss(lib: Library, params: list[Any]) -> Any:
        x = params[0]
        return lib.xp.sum(lib.scan(lambda y, _: lib.xp.tanh(y * 0.9 + 0.1) * x, x, blocks))

    start = np.random.default_rng(3).uniform(0.9, 1.5, size=size).astype(dtype)
    title = f"chain of {4 * blocks:,} ops on {size} numbers, value and gradient, {dtype}"
    return Workload(title, loss, [start], [], functools.partial(by_hand.chain, blocks), without=("torch.compile",))


# ----------------------------------------------------------------------------------------------- fully connected nets


def weights(sizes: list[int], seed: int = 0) -> list[Any]:
    """``[W, b, W, b, ...]`` in float32."""
    rng = np.random.default_rng(seed)
    shapes = [s for nin, nout in zip(sizes, sizes[1:]) for s in ((nin, nout), (nout,))]
    return [rng.normal(size=s, scale=1 / s[0] ** 0.5).astype(np.float32) for s in shapes]


def layers(lib: Library, params: list[Any], x: Any) -> Any:
    for i in range(0, len(params), 2):
        x = x @ params[i] + params[i + 1]  # (B, nout)
        if i + 2 < len(params):
            x = lib.relu(x)
    return x


def mlp(sizes: list[int]) -> Workload:
    def loss(lib: Library, params: list[Any], x: Any) -> Any:
        return lib.xp.sum(layers(lib, params, x))

    x = np.random.default_rng(1).normal(size=(1, sizes[0])).astype(np.float32)  # (1, nin)
    title = f"MLP {'-'.join(map(str, sizes))}, one example, value and gradient, float32"
    return Workload(title, loss, weights(sizes), [x], by_hand.mlp)


def training_step(sizes: list[int], optimizer: str) -> Workload:
    def loss(lib: Library, params: list[Any], x: Any, labels: Any) -> Any:
        return lib.cross_entropy(layers(lib, params, x), labels)

    rng = np.random.default_rng(2)
    x = rng.random(size=(128, sizes[0]), dtype=np.float32)  # (B, nin)
    labels = rng.integers(0, sizes[-1], size=128)  # (B,)
    title = f"training step {'-'.join(map(str, sizes))}, batch 128, {optimizer}, float32"
    return Workload(title, loss, weights(sizes), [x, labels], by_hand.classify, optimizer)


# -------------------------------------------------------------------------------------------------------- large arrays


def elementwise() -> Workload:
    def loss(lib: Library, params: list[Any]) -> Any:
        xp, (x, y) = lib.xp, params
        a = x * y + 0.5
        b = xp.tanh(a)
        c = xp.exp(-b)
        d = xp.sqrt(c + 1.0) * b
        e = xp.log(d) - xp.sin(d)
        f = xp.cos(a) / (e * e + 1.0)
        h = lib.relu(f + c)
        return xp.sum(h * d - y * y)

    rng = np.random.default_rng(4)
    params = [rng.uniform(0.5, 1.5, size=1_000_000).astype(np.float32) for _ in range(2)]
    title = "20 elementwise ops on 1,000,000 numbers, value and gradient, float32"
    return Workload(title, loss, params, [], by_hand.elementwise)


def embedding() -> Workload:
    """Rows of a table, normalized: a batch of 32 texts of 64 tokens, out of 5,000."""

    def loss(lib: Library, params: list[Any], tokens: Any, target: Any) -> Any:
        table, gain, bias = params
        error = lib.layer_norm(lib.embedding(table, tokens), gain, bias) - target
        return lib.xp.mean(error * error)

    rng = np.random.default_rng(5)
    table, target = rng.normal(size=(5000, 128)), rng.normal(size=(32, 64, 128))
    params = [table, rng.normal(1, 0.1, size=128), rng.normal(0, 0.1, size=128)]
    tokens = np.minimum(rng.zipf(1.3, size=(32, 64)), 5000) - 1  # as frequent as words are
    arrays = [p.astype(np.float32) for p in params]
    title = "embedding of 2,048 tokens and layer norm, width 128, value and gradient, float32"
    return Workload(title, loss, arrays, [tokens, target.astype(np.float32)], by_hand.embedding, without=("mygrad",))


# ---------------------------------------------------------------------------------------------------------- large nets

WIDTH, HEADS, LENGTH, TOKENS, BLOCKS, TEXTS = 128, 4, 64, 65, 2, 8


def attended(lib: Library, x: Any, w_in: Any, heads: int, mask: Any) -> Any:
    """What the heads of an attention make of texts `x` of shape (B, T, width), before it is projected."""
    batch, length, width = x.shape
    parts = lib.permute((x @ w_in).reshape((batch, length, 3, heads, width // heads)), (2, 0, 3, 1, 4))
    y = lib.attention(parts[0], parts[1], parts[2], mask)  # (B, heads, T, width / heads)
    return lib.permute(y, (0, 2, 1, 3)).reshape((batch, length, width))


def transformer() -> Workload:
    """A decoder in the manner of GPT-2: 2 blocks of width 128 with 4 heads, 8 texts of 64 tokens out of 65."""

    def loss(lib: Library, params: list[Any], tokens: Any, labels: Any, mask: Any) -> Any:
        token_table, place_table, *rest = params
        *blocks, gain, bias, head = rest
        x = lib.embedding(token_table, tokens) + place_table  # (B, T, width)
        for i in range(0, len(blocks), 11):
            x = block(lib, x, blocks[i : i + 11], mask)
        logits = lib.layer_norm(x, gain, bias) @ head
        return lib.cross_entropy(logits.reshape((-1, TOKENS)), labels)

    def block(lib: Library, x: Any, params: list[Any], mask: Any) -> Any:
        gain1, bias1, w_in, w_out, b_out, gain2, bias2, w1, b1, w2, b2 = params
        x = x + (attended(lib, lib.layer_norm(x, gain1, bias1), w_in, HEADS, mask) @ w_out + b_out)
        return x + (lib.gelu(lib.layer_norm(x, gain2, bias2) @ w1 + b1) @ w2 + b2)

    rng = np.random.default_rng(6)

    def normal(*shape: int) -> Any:
        return rng.normal(0, shape[0] ** -0.5, size=shape)

    def norm() -> list[Any]:
        return [rng.normal(1, 0.1, size=WIDTH), rng.normal(0, 0.1, size=WIDTH)]

    params = [rng.normal(size=(TOKENS, WIDTH)), rng.normal(size=(LENGTH, WIDTH))]
    for _ in range(BLOCKS):
        params += [*norm(), normal(WIDTH, 3 * WIDTH), normal(WIDTH, WIDTH), np.zeros(WIDTH)]
        params += [*norm(), normal(WIDTH, 4 * WIDTH), np.zeros(4 * WIDTH), normal(4 * WIDTH, WIDTH), np.zeros(WIDTH)]
    params += [*norm(), normal(WIDTH, TOKENS)]
    texts = rng.integers(0, TOKENS, size=(TEXTS, LENGTH + 1))
    mask = np.where(np.tri(LENGTH, dtype=bool), 0, -math.inf).astype(np.float32)
    data = [texts[:, :-1].copy(), texts[:, 1:].reshape(-1), mask]
    title = "transformer, 2 blocks of width 128, 8 texts of 64 tokens, Adam, float32"
    arrays = [p.astype(np.float32) for p in params]
    return Workload(title, loss, arrays, data, by_hand.transformer, "Adam", without=("mygrad",))


def conv_net() -> Workload:
    """Two convolutions with pooling, on images of 8 x 8 like those of scikit-learn's digits."""

    def loss(lib: Library, params: list[Any], x: Any, labels: Any) -> Any:
        w1, b1, w2, b2, w3, b3 = params
        x = lib.pool(lib.relu(lib.conv(x, w1, b1)))
        x = lib.pool(lib.relu(lib.conv(x, w2, b2)))
        return lib.cross_entropy(lib.flatten(x) @ w3 + b3, labels)

    rng = np.random.default_rng(7)
    shapes: list[tuple[int, ...]] = [(16, 1, 3, 3), (16,), (32, 16, 3, 3), (32,), (128, 10), (10,)]
    fans = [9, 9, 144, 144, 128, 128]
    params = [rng.normal(0, n**-0.5, size=s).astype(np.float32) for s, n in zip(shapes, fans)]
    data = [rng.random(size=(64, 8, 8, 1), dtype=np.float32), rng.integers(0, 10, size=64)]
    title = "convolutional net on 64 images of 8 x 8, Adam, float32"
    return Workload(title, loss, params, data, by_hand.conv_net, "Adam", images=True, without=("mygrad",))


# ---------------------------------------------------------------------------------------------------------- simulations


def kalman() -> Workload:
    """The negative log-likelihood of 500 observations of 4 numbers, under a linear model with 4 states."""

    def loss(lib: Library, params: list[Any], observed: Any, start: Any, eye: Any) -> Any:
        f, h, q, r = params
        noise, error = lib.xp.exp(q) * eye, lib.xp.exp(r) * eye

        def body(carry: Any, y: Any) -> Any:
            mean, cov, total = carry
            mean = f @ mean  # (4,)
            cov = f @ cov @ f.T + noise
            across = cov @ h.T
            spread = h @ across + error
            away = y - h @ mean
            inverse = lib.inv(spread)
            total = total + 0.5 * (lib.xp.sum(away * (inverse @ away)) + lib.logdet(spread))
            gain = across @ inverse
            return mean + gain @ away, cov - gain @ (h @ cov), total

        return lib.scan(body, (start, eye, start[0]), observed)[2]

    rng = np.random.default_rng(8)
    f = 0.9 * np.linalg.qr(rng.normal(size=(4, 4)))[0]
    h = np.eye(4) + 0.2 * rng.normal(size=(4, 4))
    params = [f, h, rng.normal(-1, 0.2, size=4), rng.normal(-1, 0.2, size=4)]
    observed, x = np.empty((500, 4)), np.zeros(4)
    for i in range(500):
        x = f @ x + 0.6 * rng.normal(size=4)
        observed[i] = h @ x + 0.6 * rng.normal(size=4)
    arrays = [p.astype(np.float32) for p in params]
    data = [observed.astype(np.float32), np.zeros(4, np.float32), np.eye(4, dtype=np.float32)]
    title = "Kalman filter, 500 steps of 4 x 4 matrices, value and gradient, float32"
    return Workload(title, loss, arrays, data, by_hand.kalman, without=("mygrad", "torch.compile"))


def n_body() -> Workload:
    """16 bodies under gravity, 200 steps: how far they are from the origin at the end."""

    def loss(lib: Library, params: list[Any]) -> Any:
        x, v, mass = params  # (n, 3), (n, 3), (n,)

        def body(carry: Any, _: Any) -> Any:
            x, v = carry
            apart = x[None, :, :] - x[:, None, :]  # (n, n, 3)
            near = lib.xp.sum(apart * apart, axis=-1) + by_hand.SOFT
            pull = mass / (near * lib.xp.sqrt(near))  # (n, n)
            v = v + by_hand.DT * lib.xp.sum(apart * pull[:, :, None], axis=1)
            return x + by_hand.DT * v, v

        x, v = lib.scan(body, (x, v), 200)
        return lib.xp.sum(x * x)

    rng = np.random.default_rng(9)
    params = [rng.normal(size=(16, 3)), 0.3 * rng.normal(size=(16, 3)), rng.uniform(0.1, 0.3, size=16)]
    title = "16 bodies, 200 steps, value and gradient, float32"
    return Workload(title, loss, [p.astype(np.float32) for p in params], [], by_hand.n_body, without=("torch.compile",))


CASES: dict[str, Callable[[], Case]] = {
    "expression": lambda: case(expression()),
    "chain": lambda: case(chain(250, 16, "float64")),
    "long-chain": lambda: case(chain(2500, 10, "float32")),
    "mlp5": lambda: case(mlp([5, 300, 300, 300, 1])),
    "mlp100": lambda: case(mlp([100, 300, 300, 300, 1])),
    "adam": lambda: case(training_step([784, 256, 128, 10], "Adam")),
    "sgd": lambda: case(training_step([784, 256, 128, 10], "SGD")),
    "elementwise": lambda: case(elementwise()),
    "embedding": lambda: case(embedding()),
    "transformer": lambda: case(transformer()),
    "conv": lambda: case(conv_net()),
    "kalman": lambda: case(kalman()),
    "n-body": lambda: case(n_body()),
}
