"""Functions of xgrad with their derivatives, as they are captured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from xgrad_backends.compiled import build

import xgrad
import xgrad.nn.functional as F
from xgrad.backend import find_backend
from xgrad.backend.find import without_hot_path
from xgrad.graph.recording import interpreters
from xgrad.interpreters.capture.backend import Capture, active
from xgrad.interpreters.capture.plan import Plan
from xgrad.interpreters.capture.slots import ArgumentSlot
from xgrad.tensor.tensor import wrap

from .plans import arrays_of, call_by_call, captured, executed


def plan_of(f: Callable[..., Any], *arrays: Any) -> Plan:
    """The plan of a function of Tensors."""
    base = find_backend("numpy")
    capture = Capture(base)
    token = interpreters.set((capture,))
    try:
        with without_hot_path():
            given = [wrap(capture.traced(x, capture.trace.input(x, ArgumentSlot(k)))) for k, x in enumerate(arrays)]
            y = f(*given)
            outputs = [t._data.var for t in (y if isinstance(y, (tuple, list)) else [y])]
    finally:
        interpreters.reset(token)
    return Plan(capture.trace, outputs, base)


def with_gradients(f: Callable[..., Any], which: slice = slice(None)) -> Callable[..., Any]:
    """`f`, and the gradients of its sum with respect to some arguments."""

    def both(*arguments: Any) -> list[Any]:
        for x in arguments[which]:
            x.requires_grad_()
        y = f(*arguments)
        y.sum().backward()
        return [y.detach(), *[x.grad for x in arguments[which]]]

    return both


def random(*shape: int, dtype: str = "float32") -> np.ndarray:
    return np.asarray(np.random.default_rng(sum(shape)).normal(size=shape)).astype(dtype)


def attention(x: Any, qkv: Any, out: Any) -> Any:
    b, t, d = x.shape
    parts = xgrad.permute_dims(xgrad.reshape(x @ qkv, (b, t, 3, 2, d // 2)), (2, 0, 3, 1, 4))
    scores = parts[0] @ xgrad.matrix_transpose(parts[1]) / (d // 2) ** 0.5
    y = xgrad.softmax(scores, axis=-1) @ parts[2]
    return xgrad.reshape(xgrad.permute_dims(y, (0, 2, 1, 3)), (b, t, d)) @ out


def normalized(x: Any, w: Any, b: Any) -> Any:
    y = (x - xgrad.mean(x, axis=-1, keepdims=True)) / xgrad.sqrt(xgrad.var(x, axis=-1, keepdims=True) + 1e-5)
    return y * w + b


def recurrent(x: Any, w: Any, u: Any) -> Any:
    h = xgrad.zeros((x.shape[1], u.shape[0]), dtype=x.dtype)
    for k in range(x.shape[0]):
        gates = x[k] @ w + h @ u
        n = u.shape[0]
        h = xgrad.sigmoid(gates[:, :n]) * xgrad.tanh(gates[:, n : 2 * n]) + (1 - xgrad.sigmoid(gates[:, 2 * n :])) * h
    return h


LABELS = np.array([0, 2, 1, 2, 0])
CASES: dict[str, tuple[Any, list[Any]]] = {
    "layers": (
        with_gradients(lambda x, w, b, v, y: F.cross_entropy(xgrad.maximum(x @ w + b, 0.0) @ v, y), slice(1, 4)),
        [random(5, 7), random(7, 6), random(6), random(6, 3), LABELS],
    ),
    "attention": (with_gradients(attention), [random(2, 5, 8), random(8, 24), random(8, 8)]),
    "normalized": (with_gradients(normalized), [random(3, 4, 9), random(9), random(9)]),
    "recurrent": (with_gradients(recurrent), [random(4, 3, 5), random(5, 18), random(6, 18)]),
    "embedding": (
        with_gradients(lambda i, t: xgrad.tanh(xgrad.take(t, i, axis=0)), slice(1, 2)), [LABELS[:, None] + LABELS, random(5, 4)],
    ),
    "activations": (
        with_gradients(lambda x: xgrad.gelu(x) + xgrad.sigmoid(x) + xgrad.softplus(x) + xgrad.relu(x) + xgrad.silu(x)),
        [random(3, 40)],
    ),
    "log_softmax": (
        with_gradients(lambda x: xgrad.log_softmax(x, axis=0) ** 2 + xgrad.logsumexp(x, axis=1, keepdims=True)), [random(6, 5)],
    ),
    "statistics": (
        with_gradients(lambda x: xgrad.std(x, axis=0) + xgrad.max(x, axis=0) + xgrad.prod(x, axis=0) + xgrad.sort(x, axis=0)),
        [random(4, 5)],
    ),
    "parts": (
        with_gradients(lambda x: xgrad.concat([x[1:], x[:1] * 2]) + xgrad.stack([x[:, 0]] * 3, axis=1) + xgrad.flip(x, axis=0)),
        [random(3, 3)],
    ),
    "hessian": (xgrad.hessian(lambda x: (xgrad.sigmoid(x) * x).sum()), [random(4, dtype="float64")]),
    "jacobian": (xgrad.jacrev(lambda x: xgrad.softmax(x @ x, axis=0)), [random(3, 3, dtype="float64")]),
    "vmap": (xgrad.vmap(xgrad.grad(lambda x: (xgrad.exp(x) * x).sum())), [random(4, 3)]),
    "solve": (with_gradients(lambda a, b: xgrad.linalg.solve(a @ a.mT + 3 * xgrad.eye(3), b)), [random(3, 3), random(3, 2)]),
    "special": (with_gradients(lambda x: xgrad.special.gammaln(x * x + 1) + xgrad.special.erf(x)), [random(7)]),
    "einsum": (with_gradients(lambda a, b: xgrad.einsum("bij,bkj->ik", a, b)), [random(2, 3, 4), random(2, 5, 4)]),
}  # fmt: skip


@pytest.mark.parametrize("case", list(CASES))
def test_functions(how: str, case: str) -> None:
    f, arguments = CASES[case]
    if case == "special":
        pytest.importorskip("scipy")
    plan = plan_of(f, *arguments)
    precision = 1e-12 if arguments[-1].dtype == np.float64 else 3e-6
    for k, (x, y) in enumerate(zip(executed(plan, arguments, how, runs=2), call_by_call(plan, arguments))):
        np.testing.assert_allclose(
            x, y, rtol=20 * precision, atol=precision * np.abs(y).max(initial=0), err_msg=f"output {k}\n{plan}"
        )


def test_draws(how: str) -> None:
    """What is drawn is bound for each run."""
    rng = np.random.default_rng(0)

    def f(xp: Any, x: Any) -> Any:
        kept = active().draw(lambda: rng.uniform(size=(3, 4))) > 0.5
        return [xp.where(kept, x * 2, 0.0), xp.sort(active().draw(lambda: rng.normal(size=(5,))))]

    x = random(3, 4, dtype="float64")
    plan = captured(f, x)
    executor = build(plan, [None, None], how)
    out, ordered = np.empty((3, 4)), np.empty(5)
    for k, array in enumerate(arrays_of(plan, [x])):
        executor.bind_input(k, array)
    executor.bind_output(0, out)
    executor.bind_output(1, ordered)
    for _ in range(3):
        drawn = [call.function() for call in plan.draws]
        for k, array in enumerate(drawn):
            executor.bind_draw(k, array)
        executor.run(())
        assert np.array_equal(out, np.where(drawn[0] > 0.5, x * 2, 0.0))
        assert np.array_equal(ordered, np.sort(drawn[1]))


def test_other_arrays(how: str) -> None:
    """Inputs and outputs can be bound anew, one by one."""
    plan = captured(lambda xp, x, y: [x + y, xp.cumulative_sum(x * y, axis=0), xp.sum(x)], random(6), random(6) + 1)
    executor = build(plan, [None] * 3, how)
    x, y = random(6), random(6) + 1
    outs = [np.empty(6, "f"), np.empty(6, "f"), np.empty((), "f")]
    for k, array in enumerate((x, y)):
        executor.bind_input(k, array)
    for k, array in enumerate(outs):
        executor.bind_output(k, array)
    for round in range(4):
        executor.run(())
        np.testing.assert_allclose(outs[0], x + y, rtol=1e-6)
        np.testing.assert_allclose(outs[1], np.cumsum(x * y), rtol=1e-5, atol=1e-5)
        np.testing.assert_allclose(outs[2], np.sum(x), rtol=1e-5)
        x[...] += 1  # what is bound is read in each run
        if round == 1:
            x = x * 3
            executor.bind_input(0, x)
        if round == 2:
            outs[1] = np.empty(6, "f")
            executor.bind_output(1, outs[1])
