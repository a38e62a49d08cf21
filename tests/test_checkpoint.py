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
        with pytest.raises(GradientError, match=r"growing used other tensors .*\(leaf at .*py:\d+ was used once"):
            checkpoint(growing)(x).sum().backward()


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
