"""`checkpoint`: the same gradients, from less memory; and what it notices."""

from __future__ import annotations

import functools
import threading
import tracemalloc
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import GradientError, Tensor, checkpoint, nn

X = np.array([0.3, -0.7, 1.1])


def leaf(values: Any = X) -> Tensor:
    return Tensor(np.array(values), requires_grad=True)


def test_each_backend_and_nested(xp: Any, device: Any) -> None:
    x = xp.asarray(X, dtype=xp.float64, device=device)
    w = xp.asarray(2 * X, dtype=xp.float64, device=device).requires_grad_()
    f = lambda x: xgrad.sum(xgrad.sin(w * x) * x)
    inner = checkpoint(lambda x: xgrad.sin(w * x))
    outer = checkpoint(lambda x: xgrad.sum(checkpoint(inner)(x) * x))
    for made in (xgrad.grad, lambda f: lambda x: xgrad.hvp(f, x, xp.ones_like(x)), xgrad.jacfwd):
        np.testing.assert_allclose(made(outer)(x).detach().numpy(), made(f)(x).detach().numpy())
    f(x).backward()
    expected, w.grad = w.grad, None
    outer(x).backward()
    np.testing.assert_allclose(w.grad.numpy(), expected.numpy())


def test_containers_options_and_other_results() -> None:
    pytest.importorskip("optree")
    f = checkpoint(lambda p, n, *, scale: {"y": p["x"] ** n * scale, "n": n, "free": Tensor(1.0)})
    x = leaf()
    out = f({"x": x}, 3, scale=2.0)
    assert out["n"] == 3 and not out["free"].requires_grad
    out["y"].sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), 6 * X**2)


def test_pitfall_33_dropout_draws_the_same_mask() -> None:
    x, dropout = Tensor(np.ones(1000), requires_grad=True), nn.Dropout(0.5)
    xgrad.random.seed(1)
    y = checkpoint(dropout)(x)
    y.sum().backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), y.detach().numpy())


def test_other_threads_draw_undisturbed() -> None:
    draw = lambda: xgrad.random.uniform(dtype="float64").item()
    xgrad.random.seed(5)
    expected = [draw() for _ in range(3)]
    replaying, drawn = threading.Event(), threading.Event()
    calls: list[float] = []

    def f(x: Tensor) -> Tensor:
        if calls:
            replaying.set()
            drawn.wait(5)
        calls.append(draw())
        return x * calls[-1]

    def other() -> None:
        replaying.wait(5)
        calls.append(draw())
        drawn.set()

    xgrad.random.seed(5)
    y = checkpoint(f)(leaf()).sum()
    thread = threading.Thread(target=other)
    thread.start()
    y.backward()
    thread.join()
    assert [*calls, draw()] == [expected[0], expected[1], expected[0], expected[2]]


def test_writes_in_between_are_noticed() -> None:
    x, w = leaf(), leaf()
    h = x * 2
    f = checkpoint(lambda h: xgrad.sum(xgrad.sin(h) * w))
    y = f(h)
    w.data *= 2.0
    with pytest.raises(GradientError, match="an array that checkpoint .* needs for its gradient was written to"):
        y.backward()
    y = f(h)
    w.data = w.data * 2
    with pytest.raises(GradientError, match="a tensor that <lambda> uses was given other values"):
        y.backward()
    y = checkpoint(lambda h: xgrad.sum(xgrad.sin(h)))(h)
    h += 1.0  # the tensor becomes another; the graph keeps what it was called on
    y.backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.cos(2 * X))


def test_writes_behind_the_back_are_noticed_under_guard() -> None:
    c, x = X.copy(), leaf()
    with xgrad.guard_writes():
        y = checkpoint(lambda x, c: xgrad.sum(x * c))(x, Tensor(c))
    c[0] = 5.0
    with pytest.raises(GradientError, match="written to"):
        y.backward()


def test_a_function_that_is_another_the_second_time() -> None:
    calls: list[int] = []
    x, w = leaf(), leaf()

    def shrinking(x: Tensor) -> Tensor:
        calls.append(1)
        return x[: 4 - len(calls)] * 2

    with pytest.raises(GradientError, match="shrinking returned something else when it was called again"):
        checkpoint(shrinking)(x).sum().backward()

    def growing(x: Tensor) -> Tensor:
        calls.append(1)
        return x * w if len(calls) % 2 else x * 1

    for first in ([], [1]):  # what is used the first time alone would get no gradient, and no more what is not used then
        calls[:] = first
        with pytest.raises(GradientError, match=r"growing used other tensors .*\(leaf at .*py:\d+ was used in one call only"):
            checkpoint(growing)(x).sum().backward()


# ----------------------------------------------------------------------- functions that are not the same the second time

NOISE, COUNT, CAPTURED, MEAN = np.random.default_rng(0), [0], np.array([1.0, 2.0, 3.0]), [np.zeros(3)]


def noisy(x: Tensor) -> Tensor:
    return xgrad.sin(x) * NOISE.normal(size=3)


def counting(x: Tensor) -> Tensor:
    COUNT[0] += 1
    return x ** (1.0 + COUNT[0])


def added(x: Tensor) -> Tensor:
    COUNT[0] += 1
    return xgrad.sin(x) + COUNT[0]  # the gradient is right, but the values are not those that were returned


def captured(x: Tensor) -> Tensor:
    return xgrad.sin(x) * CAPTURED


def at_zero(x: Tensor) -> Tensor:
    return 0.0 * x + (x - x.detach()) * CAPTURED  # zeros both times


def running(x: Tensor) -> Tensor:
    MEAN[0] = 0.9 * MEAN[0] + 0.1 * x.detach().numpy()
    return xgrad.tanh(x - MEAN[0])


def branching(x: Tensor) -> Tensor:
    COUNT[0] += 1
    return xgrad.sin(x) if COUNT[0] % 2 else xgrad.cos(x)


def shuffled(x: Tensor) -> Tensor:
    return xgrad.concat([x, x])[NOISE.permutation(6)]


def large(x: Tensor) -> Tensor:
    COUNT[0] += 1
    many = xgrad.exp(xgrad.broadcast_to(x[:, None], (3, 5000)))
    bump = np.zeros((3, 5000))
    bump[1, 7] = COUNT[0]
    return many + bump


UNLIKE = {
    noisy: "multiply at .*test_checkpoint.py:[0-9]+ was called with other numbers: 3 of 3 numbers, such as",
    counting: "pow at .* was called with other numbers: 2.0 then, and 3.0 now|numbers: it, such as 2 then, and 3 now",
    added: "its result differs: 3 of 3 numbers",
    captured: "multiply at .* was called with other numbers: 1 of 3 numbers, such as 2 then, and -5 now",
    at_zero: "multiply at .* was called with other numbers: 1 of 3 numbers, such as 2 then, and -5 now",
    running: "its result differs: 3 of 3 numbers",
    branching: "it called cos at .*, and sin at .* the first time",
    shuffled: "its result differs",
    large: "its result differs: its values are not the same",
}


@pytest.mark.parametrize("f", UNLIKE, ids=lambda f: f.__name__)
def test_a_function_that_is_not_the_same_again_raises_and_says_what_differed(f: Any) -> None:
    told = f"checkpoint: {f.__name__} is not the same when it .* wrong: ({UNLIKE[f]})|<lambda>"

    def once(x: Tensor, nested: bool = False) -> Tensor:
        y = checkpoint(lambda x: checkpoint(f)(x) * 1.0)(x) if nested else checkpoint(f)(x)
        CAPTURED[1] = -5.0
        return xgrad.sum(y)

    for walk in (
        lambda: once(leaf()).backward(),
        lambda: once(leaf(), nested=True).backward(),
        lambda: xgrad.grad(once)(X),
        lambda: xgrad.hvp(once, X, X),
    ):
        CAPTURED[:], COUNT[0], MEAN[0] = [1.0, 2.0, 3.0], 0, np.zeros(3)
        with pytest.raises(GradientError, match=told):
            walk()


def test_functions_that_are_the_same_again_are_left_alone(xp: Any) -> None:
    c = np.linspace(0.0, 1.0, 30_000).reshape(3, 10_000)
    for f in (
        lambda x: xgrad.sum(xgrad.exp(x[:, None] * xp.asarray(c, dtype=xp.float64)), axis=1),
        lambda x: xgrad.matmul(x[:, None] * x, x),
        lambda x: xgrad.where(x > 0, x, xp.nan) * 1.0,
        lambda x: xgrad.real(xgrad.exp(1j * x)),
        lambda x: xgrad.astype(xgrad.exp(xgrad.astype(x, "float32")), "float64"),
    ):
        x = xp.asarray(X, dtype=xp.float64)
        found, expected = (xgrad.jacobian(g)(x).numpy() for g in (checkpoint(f), f))
        np.testing.assert_allclose(found, expected)


def test_derivatives_inside_of_a_checkpoint_and_batches_outside(xp: Any) -> None:
    f = lambda x: xgrad.sum(xgrad.sin(x) * x[0])
    x = xp.asarray(X, dtype=xp.float64)
    expected = xgrad.hessian(f)(x).numpy()
    for made in (xgrad.jacobian, xgrad.jacrev, xgrad.jacfwd):
        np.testing.assert_allclose(made(checkpoint(xgrad.grad(f)))(x).numpy(), expected)
        np.testing.assert_allclose(made(xgrad.grad(checkpoint(f)))(x).numpy(), expected)
        np.testing.assert_allclose(xgrad.vmap(made(checkpoint(xgrad.grad(f))))(xgrad.stack([x, x])).numpy()[1], expected)
    inner = checkpoint(lambda x: xgrad.sum(xgrad.vmap(xgrad.grad(lambda a: xgrad.sin(a) * a))(x) ** 2))
    outer = lambda x: xgrad.sum(xgrad.vmap(xgrad.grad(lambda a: xgrad.sin(a) * a))(x) ** 2)
    np.testing.assert_allclose(xgrad.hessian(inner)(x).numpy(), xgrad.hessian(outer)(x).numpy())
    np.testing.assert_allclose(xgrad.jacobian(checkpoint(xgrad.jacobian(xgrad.square)))(x).numpy()[1, 1, 1], 2.0)


class Normed(nn.Module):
    """It has a state of every kind that a module may have, and computes with all of it."""

    def __init__(self) -> None:
        self.scale = nn.Parameter(np.ones(3), dtype="float64")
        self.mean = Tensor(np.zeros(3))
        self.rebound = Tensor(np.zeros(3))
        self.written = np.zeros(3)
        self.count = 0
        self.lists = [[0.5]]
        self.stats = {"sum": np.zeros(3)}
        self.noise = np.random.default_rng(4)
        self.own = xgrad.random.Generator(4)
        self.inner = [nn.Dropout(0.5, generator=xgrad.random.Generator(5))]
        self._private = 0.0

    def forward(self, x: Tensor) -> Any:
        seen = x.detach()
        self.mean = 0.9 * self.mean + 0.1 * seen
        self.rebound *= 0.5
        self.rebound += seen
        self.written += 1.0
        self.count += 1
        self.lists[0].append(float(self.count))
        self.stats["sum"] = self.stats["sum"] + seen.numpy()
        self._private += 0.25
        y = xgrad.sin((x - self.mean) * self.rebound) * self.written + self.count + len(self.lists[0])
        y = y * self.stats["sum"] * self._private * self.noise.normal(size=3) + x * self.own.normal((3,), dtype="float64")
        return self.inner[0](y * self.scale)

    def held(self) -> Any:
        return (
            self.mean.tolist(), self.rebound.tolist(), self.written.tolist(), self.count, self.lists, self._private,
            self.stats["sum"].tolist(), self.noise.normal(), self.own.normal().item(),
        )  # fmt: skip


GLOBAL = Normed()


def by_global(x: Any) -> Any:
    return by_helper(x)


def by_helper(x: Any) -> Any:
    return GLOBAL(x)


def use(f: Any, x: Any) -> Any:
    return f(x)


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda m: checkpoint(m),
        lambda m: checkpoint(m.forward),
        lambda m: checkpoint(lambda x: m(x)),
        lambda m: checkpoint(functools.partial(use, m)),
        lambda m: checkpoint(lambda x, f=m: f(x)),
        lambda m: checkpoint([m].__getitem__(0)),
        lambda m: lambda x: checkpoint(lambda m, x: m(x))(m, x),
        lambda m: lambda x: checkpoint(lambda x, *, m: m(x) * 1.0)(x, m=m),
        lambda m: checkpoint(lambda x: checkpoint(m)(x) * 1.0),
        lambda m: checkpoint(nn.Sequential(m, lambda y: y * 1.0)),
        lambda m: checkpoint(by_global),
    ],
)
def test_the_state_of_a_module_is_updated_once(wrapped: Any) -> None:
    global GLOBAL
    expected, found = Normed(), Normed()
    GLOBAL = found
    f = wrapped(found)
    for step in range(3):
        x, y = leaf(X + step), leaf(X + step)
        expected.scale.grad = found.scale.grad = None
        expected(x).sum().backward()
        f(y).sum().backward()
        for one, other in ((x, y), (expected.scale, found.scale)):
            assert one.grad is not None and other.grad is not None
            np.testing.assert_allclose(other.grad.numpy(), one.grad.numpy())
    assert found.held() == expected.held()


def test_the_state_of_a_module_after_two_walks_and_a_change_in_between() -> None:
    m = Normed()
    y = checkpoint(m)(leaf()).sum()
    m.count, m.training = 100, False
    y.backward(retain_graph=True)
    y.backward()
    assert m.count == 100 and not m.training and m.written.tolist() == [1.0] * 3


def test_generators_that_are_given_draw_again_what_they_drew() -> None:
    one, two = xgrad.random.Generator(1), xgrad.random.Generator(1)
    for _ in range(2):
        x, y = leaf(np.ones(100)), leaf(np.ones(100))
        plain = nn.functional.dropout(x, 0.5, generator=one)
        again = checkpoint(lambda y: nn.functional.dropout(y, 0.5, generator=two))(y)
        plain.sum().backward()
        again.sum().backward()
        assert x.grad is not None and y.grad is not None
        np.testing.assert_array_equal(x.grad.numpy(), y.grad.numpy())
    assert one.uniform().item() == two.uniform().item()


def net(segment: int, depth: int = 100, width: int = 4096) -> tuple[int, float]:
    """Peak bytes of one forward and backward pass through `depth` layers, and the gradient's sum."""
    x = Tensor(np.linspace(-1.0, 1.0, width), requires_grad=True)

    def run(layers: int, h: Any) -> Any:
        for _ in range(layers):
            h = xgrad.tanh(h * 1.01)
        return h

    tracemalloc.start()
    try:
        h = x
        for start in range(0, depth, segment):
            part = functools.partial(run, min(segment, depth - start))
            h = part(h) if segment == 1 else checkpoint(part)(h)
        h.sum().backward()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert x.grad is not None
    return peak, x.grad.numpy().sum()


def test_memory_grows_as_the_square_root() -> None:
    net(2, 4)
    (plain, g), (ten, h) = net(1), net(10)
    assert g == pytest.approx(h) and ten < plain / 3
    (small, _), (large, _) = net(5, 25), net(20, 400)
    assert large < 6 * small  # sixteen times as deep: four times as much, where it would be sixteen
