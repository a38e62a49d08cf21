"""The computations that are timed, each written for every library."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import xgrad
from xgrad import optim
from xgrad.nn.functional import cross_entropy

from .harness import Case, Way
from .scalar_engine import Value


def _torch() -> Any:
    import torch

    torch.set_num_threads(1)
    return torch


def _mygrad() -> Any:
    import mygrad

    mygrad.turn_memory_guarding_off()  # as its documentation advises for speed
    return mygrad


def _grad_remover(leaves: list[Any]) -> Callable[[], None]:
    """A function that sets the gradients of `leaves` to None, as their library does it."""

    def to_none() -> None:
        for leaf in leaves:
            leaf.grad = None

    def to_null() -> None:
        for leaf in leaves:
            leaf.null_grad()

    return to_null if hasattr(leaves[0], "null_grad") else to_none


# ---------------------------------------------------------------------------------------------------- scalar expression


def _expression(a: Any, b: Any, relu: Callable[[Any], Any]) -> Any:
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + relu(b + a)
    d += 3 * d + relu(b - a)
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    return g


def expression() -> Case:
    def by_hand() -> Way:
        def run() -> Any:
            a, b = one, two
            c = a + b
            d = a * b + b**3
            c = c + (c + 1)
            c = c + (1 + c + (-a))
            s, t = b + a, b - a
            d = d + (d * 2 + max(s, zero))
            d = d + (3 * d + max(t, zero))
            e = c - d
            f = e**2
            g = f / 2.0 + 10.0 / f
            ge = (0.5 - 10.0 / (f * f)) * 2 * e
            gc = ge * 2 * 2  # through the two doublings of c
            gd = -ge
            gt = gd * (t > 0)
            gd = gd * 4
            gs = gd * (s > 0)
            gd = gd * 3
            return g, gc - ge + gd * b + gs - gt, gc + gd * (a + 3 * b**2) + gs + gt

        one, two, zero = np.float32(-4), np.float32(2), np.float32(0)
        return Way(run, list)

    def scalar() -> Way:
        def run() -> Any:
            a, b = Value(-4.0), Value(2.0)
            g = _expression(a, b, Value.relu)
            g.backward()
            return g.data, a.grad, b.grad

        return Way(run, list)

    def tensors(make: Callable[[float], Any], relu: Callable[[Any], Any], read: Callable[[Any], Any]) -> Way:
        a, b = make(-4.0), make(2.0)
        remove_grads = _grad_remover([a, b])

        def run() -> Any:
            remove_grads()
            g = _expression(a, b, relu)
            g.backward()
            return g

        return Way(run, lambda g: [read(g), read(a.grad), read(b.grad)])

    def ours() -> Way:
        return tensors(lambda v: xgrad.Tensor(v, requires_grad=True), xgrad.relu, lambda x: x.item())

    def pytorch() -> Way:
        torch = _torch()
        return tensors(lambda v: torch.tensor(v, requires_grad=True), torch.relu, lambda x: x.item())

    def mygrad() -> Way:
        mg = _mygrad()
        return tensors(lambda v: mg.tensor(v, dtype=np.float32), lambda x: mg.maximum(x, 0.0), lambda x: np.asarray(x))

    def hips() -> Way:
        import autograd
        import autograd.numpy as anp

        both = autograd.value_and_grad(lambda ab: _expression(ab[0], ab[1], lambda x: anp.maximum(x, 0.0)))
        ab = (np.float32(-4.0), np.float32(2.0))
        return Way(lambda: both(ab), lambda r: [r[0], *r[1]])

    def jax() -> Way:
        import jax

        both = jax.jit(jax.value_and_grad(lambda a, b: _expression(a, b, jax.nn.relu), (0, 1)))
        a, b = jax.numpy.float32(-4), jax.numpy.float32(2)
        return Way(lambda: jax.block_until_ready(both(a, b)), lambda r: [r[0], *r[1]])

    ways = {
        "numpy": by_hand,
        "xgrad": ours,
        "torch": pytorch,
        "autograd": hips,
        "mygrad": mygrad,
        "scalar engine": scalar,
        "jax jit": jax,
    }
    return Case("scalar expression, forward and backward, float32", ways)


# ------------------------------------------------------------------------------------------------- MLP, one example


def weights(sizes: list[int], seed: int = 0) -> list[Any]:
    """``[W, b, W, b, ...]`` in float32."""
    rng = np.random.default_rng(seed)
    shapes = [s for nin, nout in zip(sizes, sizes[1:]) for s in ((nin, nout), (nout,))]
    return [rng.normal(size=s, scale=1 / s[0] ** 0.5).astype(np.float32) for s in shapes]


def layers(x: Any, params: list[Any], relu: Callable[[Any], Any]) -> Any:
    for i in range(0, len(params), 2):
        x = x @ params[i] + params[i + 1]  # (B, nout)
        if i + 2 < len(params):
            x = relu(x)
    return x


def forward_by_hand(x: Any, params: list[Any]) -> tuple[Any, list[Any]]:
    inputs = []
    for i in range(0, len(params), 2):
        inputs.append(x)
        x = x @ params[i] + params[i + 1]
        if i + 2 < len(params):
            x = np.maximum(x, 0)
    return x, inputs


def backward_by_hand(g: Any, inputs: list[Any], params: list[Any], outer: bool = False) -> list[Any]:
    grads = []
    for i in range(len(params) - 2, -1, -2):
        a = inputs[i // 2]
        grads += [g.sum(axis=0), a.T * g if outer else a.T @ g]
        if i:
            g = (g @ params[i].T) * (a > 0)
    return grads[::-1]


def mlp_ways(sizes: list[int]) -> dict[str, Callable[[], Way]]:
    x = np.random.default_rng(1).normal(size=(1, sizes[0])).astype(np.float32)  # (1, nin)
    params = weights(sizes)

    def by_hand(outer: bool) -> Way:
        def run() -> Any:
            y, inputs = forward_by_hand(x, params)
            return [y.sum(), *backward_by_hand(np.ones_like(y), inputs, params, outer)]

        return Way(run, list)

    def tensors(leaves: list[Any], x: Any, relu: Callable[[Any], Any], read: Callable[[Any], Any]) -> Way:
        remove_grads = _grad_remover(leaves)

        def run() -> Any:
            remove_grads()
            y = layers(x, leaves, relu).sum()
            y.backward()
            return y

        return Way(run, lambda y: [read(y), *(read(p.grad) for p in leaves)])

    def ours() -> Way:
        leaves = [xgrad.Tensor(p.copy(), requires_grad=True) for p in params]
        return tensors(leaves, xgrad.Tensor(x), xgrad.relu, lambda t: t.detach().numpy())

    def pytorch() -> Way:
        torch = _torch()
        leaves = [torch.tensor(p, requires_grad=True) for p in params]
        return tensors(leaves, torch.tensor(x), torch.relu, lambda t: t.detach().numpy())

    def mygrad() -> Way:
        mg = _mygrad()
        return tensors([mg.tensor(p) for p in params], x, lambda z: mg.maximum(z, 0.0), np.asarray)

    def hips() -> Way:
        import autograd
        import autograd.numpy as anp

        both = autograd.value_and_grad(lambda p: anp.sum(layers(x, p, lambda z: anp.maximum(z, 0))))
        return Way(lambda: both(params), lambda r: [r[0], *r[1]])

    def jax() -> Way:
        import jax

        both = jax.jit(jax.value_and_grad(lambda p, x: layers(x, p, jax.nn.relu).sum()))
        p, a = [jax.numpy.asarray(v) for v in params], jax.numpy.asarray(x)
        return Way(lambda: jax.block_until_ready(both(p, a)), lambda r: [r[0], *r[1]])

    def scalar() -> Way:
        def run() -> Any:
            values = [
                [[Value(v) for v in row] for row in p.tolist()] if p.ndim == 2 else [Value(v) for v in p.tolist()] for p in params
            ]
            a: list[Any] = x[0].tolist()
            for i in range(0, len(values), 2):
                columns = list(zip(*values[i]))
                a = [sum((w * v for w, v in zip(column, a)), b) for column, b in zip(columns, values[i + 1])]
                a = [v.relu() for v in a] if i + 2 < len(values) else a
            a[0].backward()
            return a[0], values

        def answer(result: Any) -> list[Any]:
            y, values = result
            return [
                y.data,
                *([[v.grad for v in row] for row in p] if isinstance(p[0], list) else [v.grad for v in p] for p in values),
            ]

        return Way(run, answer)

    return {
        "numpy": lambda: by_hand(False),
        "numpy, outer by *": lambda: by_hand(True),
        "xgrad": ours,
        "torch": pytorch,
        "autograd": hips,
        "mygrad": mygrad,
        "scalar engine": scalar,
        "jax jit": jax,
    }


def mlp(nin: int) -> Case:
    return Case(f"MLP {nin}-300-300-300-1, one example, forward and backward, float32", mlp_ways([nin, 300, 300, 300, 1]))


# ------------------------------------------------------------------------------------------------------ training step


def training_step(optimizer_name: str) -> Case:
    sizes = [784, 256, 128, 10]
    rng = np.random.default_rng(2)
    x = rng.random(size=(128, 784), dtype=np.float32)  # (B, 784)
    labels = rng.integers(0, 10, size=128)  # (B,)
    start = weights(sizes)
    rows = np.arange(128)
    lr = 1e-3

    def fresh() -> list[Any]:
        return [p.copy() for p in start]

    class Update:
        """Adam or plain descent on NumPy arrays, in place."""

        def __init__(self, params: list[Any]) -> None:
            self.params, self.t = params, 0
            self.m, self.v = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params]

        def __call__(self, grads: list[Any]) -> None:
            self.t += 1
            for p, g, m, v in zip(self.params, grads, self.m, self.v):
                if optimizer_name == "SGD":
                    p -= lr * g
                    continue
                m += 0.1 * (g - m)
                v += 0.001 * (g * g - v)
                p -= lr / (1 - 0.9**self.t) * m / (np.sqrt(v / (1 - 0.999**self.t)) + 1e-8)

    def by_hand() -> Way:
        params = fresh()
        update = Update(params)

        def run() -> Any:
            y, inputs = forward_by_hand(x, params)  # (B, 10)
            y = y - y.max(axis=1, keepdims=True)
            e = np.exp(y)
            s = e.sum(axis=1, keepdims=True)
            loss = (np.log(s[:, 0]) - y[rows, labels]).mean()
            g = e / s
            g[rows, labels] -= 1
            g /= 128
            update(backward_by_hand(g, inputs, params))
            return loss

        return Way(run, lambda loss: [loss, *params])

    def ours() -> Way:
        params = [xgrad.Tensor(p, requires_grad=True) for p in fresh()]
        optimizer: Any = optim.Adam(params, lr=lr) if optimizer_name == "Adam" else optim.SGD(params, lr=lr)
        a, b = xgrad.Tensor(x), xgrad.Tensor(labels)

        def run() -> Any:
            optimizer.zero_grad()
            loss = cross_entropy(layers(a, params, xgrad.relu), b)
            loss.backward()
            optimizer.step()
            return loss

        return Way(run, lambda loss: [loss.item(), *(p.data for p in params)])

    def pytorch(fused: bool = False) -> Way:
        torch = _torch()
        params = [torch.tensor(p, requires_grad=True) for p in fresh()]
        make = torch.optim.Adam if optimizer_name == "Adam" else torch.optim.SGD
        optimizer = make(params, lr=lr, fused=fused)
        a, b = torch.tensor(x), torch.tensor(labels)

        def run() -> Any:
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(layers(a, params, torch.relu), b)
            loss.backward()
            optimizer.step()
            return loss

        return Way(run, lambda loss: [loss.item(), *(p.detach().numpy() for p in params)])

    def hips() -> Way:
        import autograd
        import autograd.numpy as anp

        params = fresh()
        update = Update(params)

        def loss(p: Any) -> Any:
            y = layers(x, p, lambda z: anp.maximum(z, 0))
            y = y - anp.max(y, axis=1, keepdims=True)
            return anp.mean(anp.log(anp.sum(anp.exp(y), axis=1)) - y[rows, labels])

        both = autograd.value_and_grad(loss)

        def run() -> Any:
            value, grads = both(params)
            update(grads)
            return value

        return Way(run, lambda value: [value, *params])

    def mygrad() -> Way:
        mg = _mygrad()
        from mygrad.nnet.losses import softmax_crossentropy

        params = [mg.tensor(p) for p in fresh()]
        update = Update([p.data for p in params])

        remove_grads = _grad_remover(params)

        def run() -> Any:
            remove_grads()
            loss = softmax_crossentropy(layers(x, params, lambda z: mg.maximum(z, 0.0)), labels)
            loss.backward()
            update([p.grad for p in params])
            return loss

        return Way(run, lambda loss: [loss.item(), *(p.data for p in params)])

    def jax() -> Way:
        import jax
        import jax.numpy as jnp

        def loss(p: Any, x: Any, y: Any) -> Any:
            z = jax.nn.log_softmax(layers(x, p, jax.nn.relu))
            return -jnp.take_along_axis(z, y[:, None], axis=1).mean()

        def step(p: Any, m: Any, v: Any, t: Any, x: Any, y: Any) -> Any:
            value, grads = jax.value_and_grad(loss)(p, x, y)
            if optimizer_name == "SGD":
                return value, [a - lr * g for a, g in zip(p, grads)], m, v
            m = [a + 0.1 * (g - a) for a, g in zip(m, grads)]
            v = [a + 0.001 * (g * g - a) for a, g in zip(v, grads)]
            p = [
                q - lr / (1 - 0.9**t) * a / (jnp.sqrt(b / (1 - 0.999**t)) + 1e-8)
                for q, a, b in zip(p, m, v)
            ]  # fmt: skip
            return value, p, m, v

        compiled = jax.jit(step)
        zeros = [jnp.zeros(p.shape, p.dtype) for p in start]
        state: list[Any] = [[jnp.asarray(p) for p in start], zeros, zeros, 0]
        a, b = jnp.asarray(x), jnp.asarray(labels)

        def run() -> Any:
            state[3] += 1
            value, *state[:3] = jax.block_until_ready(compiled(*state[:3], np.float32(state[3]), a, b))
            return value

        return Way(run, lambda value: [value, *state[0]])

    ways: dict[str, Callable[[], Way]] = {"numpy": by_hand, "xgrad": ours, "torch": pytorch}
    ways |= {"torch, fused optimizer": lambda: pytorch(True), "autograd": hips, "mygrad": mygrad, "jax jit": jax}
    return Case(f"training step 784-256-128-10, batch 128, {optimizer_name}, float32", ways, 1e-3)


# -------------------------------------------------------------------------------------------------------------- chain


def _chain(x: Any, tanh: Callable[[Any], Any], blocks: int = 250) -> Any:
    y = x
    for _ in range(blocks):
        y = tanh(y * 0.9 + 0.1) * x
    return y


def chain() -> Case:
    start = np.random.default_rng(3).uniform(0.9, 1.5, size=16)  # (16,)

    def by_hand() -> Way:
        def run() -> Any:
            y, tape = start, []
            for _ in range(250):
                t = np.tanh(y * 0.9 + 0.1)
                tape.append(t)
                y = t * start
            g, gx = np.ones_like(y), np.zeros_like(y)
            for t in reversed(tape):
                gx += g * t
                g = g * start * (1 - t * t) * 0.9
            return y.sum(), gx + g

        return Way(run, list)

    def tensors(x: Any, tanh: Callable[[Any], Any], read: Callable[[Any], Any]) -> Way:
        remove_grads = _grad_remover([x])

        def run() -> Any:
            remove_grads()
            y = _chain(x, tanh).sum()
            y.backward()
            return y

        return Way(run, lambda y: [read(y), read(x.grad)])

    def ours() -> Way:
        return tensors(xgrad.Tensor(start, requires_grad=True), xgrad.tanh, lambda t: t.detach().numpy())

    def pytorch() -> Way:
        torch = _torch()
        return tensors(torch.tensor(start, requires_grad=True), torch.tanh, lambda t: t.detach().numpy())

    def mygrad() -> Way:
        mg = _mygrad()
        return tensors(mg.tensor(start), mg.tanh, np.asarray)

    def hips() -> Way:
        import autograd
        import autograd.numpy as anp

        both = autograd.value_and_grad(lambda x: anp.sum(_chain(x, anp.tanh)))
        return Way(lambda: both(start), list)

    def jax() -> Way:
        import jax

        both = jax.jit(jax.value_and_grad(lambda x: _chain(x, jax.numpy.tanh).sum()))
        x = jax.numpy.asarray(start)  # float32 unless JAX_ENABLE_X64 is set
        return Way(lambda: jax.block_until_ready(both(x)), list)

    def scalar() -> Way:
        def run() -> Any:
            xs = [Value(v) for v in start.tolist()]
            y = sum((_chain(x, Value.tanh) for x in xs), Value(0.0))
            y.backward()
            return y, xs

        return Way(run, lambda r: [r[0].data, [x.grad for x in r[1]]])

    ways = {
        "numpy": by_hand,
        "xgrad": ours,
        "torch": pytorch,
        "autograd": hips,
        "mygrad": mygrad,
        "scalar engine": scalar,
        "jax jit": jax,
    }
    return Case("chain of 1,000 ops on 16 numbers, forward and backward, float64", ways)


# --------------------------------------------------------------------------------------------------------- one op


def overhead(name: str) -> Case:
    a, b = (np.random.default_rng(k).normal(size=16).astype(np.float32) for k in (4, 5))

    def way(x: Any, y: Any, total: Callable[[Any], Any], read: Callable[[Any], Any]) -> Way:
        def product() -> Any:
            return x * y

        remove_grads = _grad_remover([x])

        def backward() -> Any:
            remove_grads()
            total(x * y).backward()
            return x.grad

        return Way(backward if name == "backward" else product, lambda r: [read(r)])

    recorded = name != "unrecorded"

    def by_hand() -> Way:
        def backward() -> Any:
            s = (a * b).sum()
            return np.ones_like(a) * b if s is not None else None

        return Way(backward if name == "backward" else (lambda: a * b), lambda r: [r])

    def ours() -> Way:
        return way(xgrad.Tensor(a, requires_grad=recorded), xgrad.Tensor(b), xgrad.sum, lambda t: t.detach().numpy())

    def pytorch() -> Way:
        torch = _torch()
        return way(torch.tensor(a, requires_grad=recorded), torch.tensor(b), torch.sum, lambda t: t.detach().numpy())

    def mygrad() -> Way:
        mg = _mygrad()
        return way(mg.tensor(a, constant=not recorded), b, mg.sum, np.asarray)

    ways = {"numpy": by_hand, "xgrad": ours, "torch": pytorch, "mygrad": mygrad}
    titles = {
        "unrecorded": "one product, not recorded",
        "recorded": "one product, recorded",
        "backward": "sum of one product, forward and backward",
    }
    return Case(f"{titles[name]}, 16 numbers, float32", ways)


CASES: dict[str, Callable[[], Case]] = {
    "expression": expression,
    "mlp5": lambda: mlp(5),
    "mlp100": lambda: mlp(100),
    "adam": lambda: training_step("Adam"),
    "sgd": lambda: training_step("SGD"),
    "chain": chain,
    "op-unrecorded": lambda: overhead("unrecorded"),
    "op-recorded": lambda: overhead("recorded"),
    "op-backward": lambda: overhead("backward"),
}
