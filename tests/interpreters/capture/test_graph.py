"""Results of captured functions that are in a graph: their gradients are those of uncaptured calls."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import GradientError, Tensor, nn, optim
from xgrad.backend import find_backend

from ...harness.driver import host

TOLERANCE = {"rtol": 2e-6, "atol": 2e-6}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "how" in metafunc.fixturenames:
        metafunc.parametrize("how", ["calls", "numpy", "c", "cuda", "auto"])


@pytest.fixture
def jit(backend: str, how: str) -> Any:
    known = find_backend(backend).executors
    if how != "calls" and how not in (*known, *(("auto",) if known else ())):
        pytest.skip(f"{backend} has no executor {how!r}")
    if find_backend(backend).capture_problem:
        pytest.skip(find_backend(backend).capture_problem)
    with xgrad.use_backend(backend):
        yield lambda f: xgrad.jit(f, executor=how)


def draw(seed: int, *shape: int) -> Tensor:
    return xgrad.asarray(np.random.default_rng(seed).normal(size=shape).astype("f"))


def leaf(seed: int, *shape: int) -> Tensor:
    return Tensor(draw(seed, *shape), requires_grad=True)


def close(a: Any, b: Any) -> None:
    assert a.dtype == b.dtype and a.shape == b.shape
    np.testing.assert_allclose(host(a), host(b), **TOLERANCE)


def test_a_loss_is_walked_back_outside(jit: Any) -> None:
    found = []
    for wrap in (lambda f: f, jit):
        xgrad.random.seed(0)
        model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 3))
        optimizer = optim.Adam(model.parameters(), lr=0.01)
        loss_of = wrap(lambda x, y, model=model: xgrad.mean((model(x) - y) ** 2))
        losses = []
        for k in range(6):
            optimizer.zero_grad()
            loss = loss_of(draw(k, 9, 5), draw(k + 20, 9, 3))
            assert loss.requires_grad
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        found.append((losses, model.parameters()))
    assert loss_of.info().captures == 1 and loss_of.info().hits == 5
    np.testing.assert_allclose(found[0][0], found[1][0], **TOLERANCE)
    for p, q in zip(found[0][1], found[1][1]):
        close(p.detach(), q.detach())


def test_a_step_that_returns_its_loss_as_it_is(jit: Any) -> None:
    found = []
    for wrap in (lambda f: f, jit):
        w = leaf(0, 4)
        optimizer = optim.SGD([w], lr=0.1)

        def step(x: Tensor, w: Tensor = w, optimizer: Any = optimizer) -> Any:
            optimizer.zero_grad()
            loss = xgrad.sum((w * x - 1) ** 2)
            loss.backward()
            optimizer.step()
            return loss, xgrad.sum(w * x)  # the graph of the first was freed, that of the second was not

        f = wrap(step)
        for k in range(5):
            loss, after = f(draw(k, 4))
            w.zero_grad()
            after.backward()
            found.append((loss.detach(), w.detach() * 1, w.grad))
    assert f.info().captures <= 2 and f.info().problem is None
    for one, other in zip(found[:5], found[5:]):
        for a, b in zip(one, other):
            close(a, b)


def test_arguments_in_a_graph(jit: Any) -> None:
    w = leaf(0, 4)
    f = lambda x, y: (xgrad.sin(x) * y, xgrad.sum(x * w))
    g = jit(f)
    for k in range(4):
        grads = []
        for function in (f, g):
            x, y = leaf(k + 1, 4), leaf(k + 9, 4)
            w.zero_grad()
            a, b = function(x * 2, y + 1)
            (xgrad.sum(a**2) + b).backward()
            grads.append((a.detach(), x.grad, y.grad, w.grad))
        for one, other in zip(*grads):
            close(one, other)
    assert g.info().captures == 1


def test_several_results_some_of_them_unused_or_without_a_graph(jit: Any) -> None:
    w = leaf(0, 3)

    def f(x: Tensor, scale: float) -> Any:
        y = w * x
        return {"y": y, "double": 2 * y * scale, "plain": x + 1, "index": xgrad.argmax(y), "name": "f"}

    g = jit(f)
    for k in range(4):
        grads = []
        for function in (f, g):
            w.zero_grad()
            out = function(draw(k, 3), 0.5 + k)
            assert not out["plain"].requires_grad and not out["index"].requires_grad and out["name"] == "f"
            xgrad.sum(out["double"]).backward()
            grads.append((out["y"].detach(), out["plain"], out["index"], w.grad))
        for one, other in zip(*grads):
            close(one, other)
    assert g.info().captures == 1


def test_graphs_of_several_calls_keep_their_own_values(jit: Any) -> None:
    w = leaf(0, 6)
    f = lambda x: xgrad.sum(xgrad.exp(w * x) * xgrad.tanh(x))
    g, inputs = jit(f), [draw(k, 6) for k in range(7)]
    for x in inputs[:3]:
        g(x)
    losses = [g(x) for x in inputs]
    found = []
    for loss in losses[::-1]:
        w.zero_grad()
        loss.backward(retain_graph=True)
        first = w.grad
        w.zero_grad()
        loss.backward()
        close(first, w.grad)
        found.append(first)
    for x, gradient in zip(inputs[::-1], found):
        w.zero_grad()
        f(x).backward()
        close(gradient, w.grad)


def test_the_result_of_one_is_the_argument_of_another(jit: Any) -> None:
    w = leaf(0, 5, 5)
    f = lambda x: xgrad.tanh(x @ w)
    g, x = jit(f), draw(1, 2, 5)
    for _ in range(4):
        grads = []
        for function in (f, g):
            w.zero_grad()
            xgrad.sum(function(function(function(x))) ** 2).backward()
            grads.append(w.grad)
        close(*grads)


def test_a_parameter_that_is_written_to_before_the_gradient_is_noticed(jit: Any, backend: str) -> None:
    if not find_backend(backend).mutable:
        pytest.skip("its arrays cannot be written to")
    w = leaf(0, 3)
    optimizer = optim.SGD([w], lr=0.1)
    g = jit(lambda x: xgrad.sum(w * w * x))
    for _ in range(4):
        loss = g(draw(1, 3))
        loss.backward(retain_graph=True)
        optimizer.step()
    with pytest.raises(GradientError, match=r"a captured function \(called at .*test_graph.py:\d+\) .* was written to"):
        loss.backward()


def test_state_that_the_gradient_needs_is_kept(jit: Any) -> None:
    class Running:
        def __init__(self) -> None:
            self.mean = xgrad.ones(3)

        def __call__(self, x: Tensor) -> Tensor:
            y = x * self.mean * self.mean
            self.mean = self.mean * 0.5 + 0.5 * xgrad.mean(x.detach(), axis=0)
            return y

    found = []
    for wrap in (lambda f: f, jit):
        layer, w = Running(), leaf(0, 3)
        f = wrap(lambda x, layer=layer, w=w: xgrad.sum(layer(w * x) ** 2))
        grads = []
        for k in range(5):
            w.zero_grad()
            loss = f(draw(k, 4, 3))
            loss.backward()
            grads += [w.grad, layer.mean]
        found.append(grads)
    for one, other in zip(*found):
        close(one, other)


def test_derivatives_that_the_plan_cannot_give_call_the_function_again(jit: Any) -> None:
    w = leaf(0, 3)
    f = lambda x: xgrad.sum(xgrad.sin(x) ** 2 * w)
    g = jit(f)
    x = draw(1, 3)
    for _ in range(3):
        close(xgrad.grad(g)(x), xgrad.grad(f)(x))
        close(xgrad.hessian(g)(x), xgrad.hessian(f)(x))
        close(xgrad.jvp(g, (x,), (x,))[1], xgrad.jvp(f, (x,), (x,))[1])
    vector = jit(lambda x: x * x)
    for _ in range(3):
        close(xgrad.jacobian(vector)(x), xgrad.jacobian(lambda x: x * x)(x))


def test_they_are_refused_where_the_function_draws(jit: Any) -> None:
    g = jit(lambda x: xgrad.sum(xgrad.random.normal((3,), dtype=x.dtype) * x * x))
    x = draw(1, 3)
    for _ in range(3):
        xgrad.grad(g)(x)
    with pytest.raises(GradientError, match="draws random numbers"):
        xgrad.hessian(g)(x)


def test_no_grad_and_grad_are_two_plans(jit: Any) -> None:
    w = leaf(0, 3)
    g = jit(lambda x: xgrad.sum(w * x))
    for _ in range(3):
        assert g(draw(1, 3)).requires_grad
        with xgrad.no_grad():
            assert not g(draw(1, 3)).requires_grad
            assert not g(leaf(2, 3) * 2).requires_grad
    assert g.info().captures == 2


def test_an_argument_that_requires_grad_now_and_then(jit: Any) -> None:
    g = jit(lambda x: xgrad.sum(x**3))
    for _ in range(3):
        x = leaf(1, 3)
        g(x * 1).backward()
        close(x.grad, 3 * x.detach() ** 2)
        assert not g(x.detach()).requires_grad
    assert g.info().captures == 2


def test_the_same_argument_twice(jit: Any) -> None:
    g = jit(lambda x, y: xgrad.sum(x * y))
    for _ in range(3):
        x, z = leaf(1, 3), leaf(2, 3)
        y = x * 1
        g(y, y).backward()
        close(x.grad, 2 * x.detach())
        x.zero_grad()
        g(x * 1, z * 1).backward()
        close(x.grad, z.detach())


def test_a_gradient_that_cannot_be_written_down_is_said(jit: Any) -> None:
    @xgrad.op
    def looks(xp: Any, x: Tensor, /) -> Any:
        return x * 2

    looks.vjp(x=lambda g, x: g * (2.0 if x[0] > 0 else 3.0))
    w = leaf(0, 3)
    g = jit(lambda x: xgrad.sum(looks(w * x)))
    with pytest.warns(UserWarning, match="the gradient has no plan"):
        g(draw(1, 3)).backward()
    assert w.grad is not None
