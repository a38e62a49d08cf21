"""Forward mode: what the table does not say of it. The rules are checked row by row in `tests/test_table.py`."""

from __future__ import annotations

import asyncio
import math
import threading
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad.engine.define import composite, op
from xgrad.engine.forward import pushforward
from xgrad.graph.declare import Op
from xgrad.graph.names import registry
from xgrad.tensor.tensor import ArrayLike

from ..harness.driver import NO_TORCH
from ..harness.forward import without_rules
from ..pages.forward_page import PAGE, page

X, V, W = np.array([0.5, -1.0, 2.0]), np.array([1.0, 0.3, -0.7]), np.array([0.2, 0.9, 0.4])


def close(got: Any, wanted: Any, tolerance: float = 1e-12) -> None:
    np.testing.assert_allclose(np.asarray(got), np.asarray(wanted), rtol=tolerance, atol=tolerance)


def mlp(*ws: Any) -> Any:
    h = np.linspace(-1, 1, 8).reshape(4, 2)
    for w in ws[:-1]:
        h = xgrad.tanh(h @ w)
    return h @ ws[-1]


def weights(seed: int) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(size=shape) for shape in ((2, 5), (5, 3)))


# ---------------------------------------------------------------------------------------------------------- declarations


@pytest.fixture
def scratch() -> Any:
    """A registry that forgets the ops of a test."""
    before = dict(registry)
    yield
    registry.clear()
    registry.update(before)


def test_a_direct_rule(scratch: Any) -> None:
    @op
    def scaled_product(xp: Any, a: ArrayLike, b: ArrayLike, /, k: float = 2.0) -> Any:
        return k * a * b

    scaled_product.vjp(a=lambda g, b, k: k * g * b, b=lambda g, a, k: k * g * a)
    close(xgrad.jvp(scaled_product, (X, X), (V, W))[1], 2 * X * (V + W))
    scaled_product.jvp(a=lambda t, b, k: k * t * b, b=lambda t, a, k: k * a * t)
    close(xgrad.jvp(scaled_product, (X, X), (V, W))[1], 2 * X * (V + W))
    scaled_product.linear()
    close(xgrad.jvp(scaled_product, (X, X), (V, W))[1], 2 * X * (V + W))
    scaled_product.elementwise("a")
    assert [push.way for push in scaled_product.op.pushes] == ["elementwise", "linear"]
    close(xgrad.jvp(scaled_product, (X, X), (V, W))[1], 2 * X * (V + W))


def test_a_rule_may_name_only_what_is_kept(scratch: Any) -> None:
    @op
    def half(xp: Any, x: ArrayLike, /) -> Any:
        return x / 2

    with pytest.raises(TypeError, match=r"half: forward mode is declared for 'x', but .* are \[\]; declare that first"):
        half.linear("x")
    half.vjp(x=lambda g: g / 2)
    with pytest.raises(TypeError, match="half: forward mode in 'x' needs x, but the reverse rule does not save it"):
        half.jvp(x=lambda t, x: t / 2)
    with pytest.raises(TypeError, match="needs y,"):
        half.jvp(x=lambda t, y: t / 2)
    with pytest.raises(TypeError, match=r"a rule names \['g'\]; it may name xp, t and x, y, x_shape"):
        half.jvp(x=lambda g: g / 2)
    with pytest.raises(TypeError, match=r"declared for 'z', but the arguments with a reverse rule are \['x'\]"):
        half.elementwise("z")
    half.jvp(x=lambda t, x_shape: t / 2)


def test_a_sum_is_not_linear_in_each_argument(scratch: Any) -> None:
    @op
    def plus(xp: Any, a: ArrayLike, b: ArrayLike, /) -> Any:
        return a + b

    plus.vjp(a=lambda g: g, b=lambda g: g)
    with pytest.raises(TypeError, match="plus: forward mode in 'a' needs b"):
        plus.linear()


def test_declaring_the_way_back_again_forgets_forward_mode(scratch: Any) -> None:
    @op
    def same(xp: Any, x: ArrayLike, /) -> Any:
        return x * 1

    same.vjp(x=lambda g: g)
    same.elementwise()
    same.vjp(x=lambda g: g)
    assert same.op.pushes == [None]


def test_what_is_kept_does_not_grow(scratch: Any) -> None:
    """Forward mode keeps no array that the way back does not keep."""
    with without_rules():
        before = {name: needed(made) for name, made in registry.items()}
    assert before == {name: needed(made) for name, made in registry.items()}
    x = xgrad.Tensor(X, requires_grad=True)
    assert not any(hasattr(v, "dtype") for v in xgrad.sum(x)._node.saved)


def needed(made: Op[..., Any]) -> list[set[str]]:
    arrays = {*(made.names[i] for i in made.arrays), "y"}
    return [arrays.intersection(made.slots[i] for i in need) for need in made.needs]


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == page(), "docs/forward-mode.md is stale: run python -m tests.pages.forward_page"


# ------------------------------------------------------------------------------------------------------------- the walk


def test_several_inputs_and_outputs_one_of_which_is_zero() -> None:
    pytest.importorskip("optree")

    def f(a: Any, b: Any) -> dict[str, Any]:
        low, high = xgrad.unstack(xgrad.stack([a * b, a]))
        return {"product": low, "a": high, "constant": xgrad.asarray(X), "b": b, "floor": xgrad.floor(a)}

    value, tangent = xgrad.jvp(f, (X, W), (V, V))
    close(tangent["product"], V * W + X * V)
    close(tangent["a"], V)
    close(tangent["b"], V)
    for zero in ("constant", "floor"):
        close(tangent[zero], np.zeros(3))
        assert tangent[zero].dtype == value[zero].dtype


def test_an_argument_that_occurs_twice() -> None:
    close(xgrad.jvp(lambda x: x * x, (X,), (V,))[1], 2 * X * V)
    close(xgrad.jvp(lambda x: xgrad.concat([x, np.ones(2), x]), (X,), (V,))[1], [*V, 0, 0, *V])
    with without_rules():
        close(xgrad.jvp(lambda x: x * x, (X,), (V,))[1], 2 * X * V)
        close(xgrad.jvp(lambda x: xgrad.concat([x, np.ones(2), x]), (X,), (V,))[1], [*V, 0, 0, *V])


def test_one_argument_without_a_rule_takes_the_others_with_it(scratch: Any) -> None:
    @op
    def product(xp: Any, a: ArrayLike, b: ArrayLike, /) -> Any:
        return a * b

    product.vjp(a=lambda g, b: g * b, b=lambda g, a: g * a)
    product.elementwise("a")
    close(xgrad.jvp(lambda x: product(x, x), (X,), (V,))[1], 2 * X * V)
    close(xgrad.jvp(lambda x: product(x[0], x), (X,), (V,))[1], V[0] * X + X[0] * V)


def test_broadcasting_and_mixed_dtypes() -> None:
    a, b = np.ones((3, 1), np.float32), np.ones((1, 2))
    value, tangent = xgrad.jvp(xgrad.add, (a, b), (a, b))
    assert tangent.shape == value.shape == (3, 2) and tangent.dtype == value.dtype == np.float64
    z = np.array([1 + 2j, 3j])
    value, tangent = xgrad.jvp(lambda x: x * z, (np.ones(2),), (np.ones(2),))
    assert tangent.dtype == value.dtype == np.complex128
    close(tangent, z)
    value, tangent = xgrad.jvp(lambda x: xgrad.where(np.array([[True], [False]]), x, 0.0), (X,), (V,))
    close(tangent, [V, 0 * V])


@pytest.mark.parametrize("f", [xgrad.abs, xgrad.real, xgrad.imag, xgrad.conj, xgrad.sign, lambda z: z * xgrad.conj(z), xgrad.exp])
def test_complex_numbers_count_as_pairs(f: Any) -> None:
    z, v, h = np.array([1 + 2j, -0.5j]), np.array([0.3 - 1j, 2 + 1j]), 1e-6
    wanted = (f(z + h * v).numpy() - f(z - h * v).numpy()) / (2 * h)
    close(xgrad.jvp(f, (z,), (v,))[1], wanted, 1e-8)
    with without_rules():
        close(xgrad.jvp(f, (z,), (v,))[1], wanted, 1e-8)


def test_what_may_not_be_copied_of_an_argument_may_be_of_its_tangent() -> None:
    x, v = np.ones((2, 3)), np.arange(6.0).reshape(3, 2).T
    tangent = xgrad.jvp(lambda x: xgrad.reshape(x, (6,), copy=False), (x,), (v,))[1]
    close(tangent, v.reshape(6))


def test_writing() -> None:
    def f(x: Any) -> Any:
        y = x * 1
        y[0] = x[1] * x[2]
        y[1:] += x[0]
        return y

    close(xgrad.jvp(f, (X,), (V,))[1], [V[1] * X[2] + X[1] * V[2], V[1] + V[0], V[2] + V[0]])


def test_a_freed_graph_and_a_written_array_are_refused() -> None:
    x = xgrad.Tensor(X, requires_grad=True)
    y = xgrad.exp(x)
    y.sum().backward()
    with pytest.raises(xgrad.GradientError, match="the graph was freed by an earlier backward"):
        pushforward([x._node], [V], [y])
    y = x * x
    with xgrad.no_grad():
        x.data[0] = 5.0
    x.data *= 1.0
    with pytest.raises(xgrad.GradientError, match="multiply .* was written to after the call"):
        pushforward([x._node], [V], [y])


def test_guarded_writes_are_seen() -> None:
    c = np.array([1.0, 2.0, 3.0])
    x = xgrad.Tensor(X, requires_grad=True)
    with xgrad.guard_writes():
        y = x * c
    c[0] = 7.0
    with pytest.raises(xgrad.GradientError, match="was written to after the call"):
        pushforward([x._node], [V], [y])


def test_an_error_in_a_rule_tells_where(scratch: Any) -> None:
    @op
    def broken(xp: Any, x: ArrayLike, /) -> Any:
        return x * 1

    broken.vjp(x=lambda g: g)
    broken.jvp(x=lambda t: t.no_such_attribute)
    with pytest.raises(AttributeError) as caught:
        xgrad.jvp(broken, (X,), (V,))
    assert "in the forward derivative of broken, called at" in caught.value.__notes__[0]
    assert "test_pushforward.py" in caught.value.__notes__[0]


def test_results_own_their_memory() -> None:
    v = V.copy()
    for f in (lambda x: (x,), lambda x: (xgrad.reshape(x, (3, 1)), x[1:]), lambda x: (x, x)):
        for tangent in xgrad.jvp(f, (X,), (v,))[1]:
            tangent[...] = 7.0
    close(v, V)
    t = xgrad.Tensor(V)
    out = xgrad.jvp(lambda x: x[:2], (xgrad.Tensor(X),), (t,))[1]
    out += 1.0
    close(t.numpy(), V)


def test_the_tangents_of_what_lies_between_are_let_go(scratch: Any) -> None:
    import weakref

    class Counted(np.ndarray):
        pass

    made: list[weakref.ref[Any]] = []
    most = 0

    @op
    def step(xp: Any, x: ArrayLike, /) -> Any:
        return x + 1

    def rule(t: Any) -> Any:
        nonlocal most
        d = np.array(t).view(Counted)
        made.append(weakref.ref(d))
        most = max(most, sum(ref() is not None for ref in made))
        return d

    step.vjp(x=lambda g: g)
    step.jvp(x=rule)

    def f(x: Any) -> Any:
        for _ in range(50):
            x = step(x)
        return x

    xgrad.jvp(f, (X,), (V,))
    assert most <= 3


def test_a_long_chain() -> None:
    def f(x: Any) -> Any:
        for _ in range(20_000):
            x = x * 1.0
        return x

    close(xgrad.jvp(f, (X,), (V,))[1], V)


# --------------------------------------------------------------------------------------------------- jvp and linearize


def test_linearize_pushes_again_and_again() -> None:
    pytest.importorskip("optree")
    calls = []

    def f(x: Any, y: Any) -> Any:
        calls.append(1)
        return {"a": xgrad.sin(x) * y, "b": xgrad.sum(y)}

    value, push = xgrad.linearize(f, X, W)
    close(value["a"], np.sin(X) * W)
    for dx, dy in ((V, W), (V, 0 * V), (0 * V, V)):
        tangent = push(dx, dy)
        close(tangent["a"], np.cos(X) * dx * W + np.sin(X) * dy)
        close(tangent["b"], dy.sum())
    assert len(calls) == 1


def test_push_is_differentiable_in_the_tangent_and_the_argument() -> None:
    _, push = xgrad.linearize(lambda x: xgrad.sin(x) * x, X)
    slope = np.cos(X) * X + np.sin(X)
    close(xgrad.grad(lambda v: xgrad.sum(push(v)))(V), slope)
    close(xgrad.jvp(push, (V,), (W,))[1], slope * W)
    close(xgrad.vjp(push, V)[1](W)[0], slope * W)
    _, pull = xgrad.vjp(lambda x: xgrad.sin(x) * x, X)
    close(xgrad.grad(lambda u: xgrad.sum(pull(u)[0]))(V), slope)

    def pushed(x: Any) -> Any:
        return xgrad.sum(xgrad.linearize(lambda x: x**3, x)[1](V))

    close(xgrad.grad(pushed)(X), 6 * X * V)


def test_linearize_of_tensors_gives_tensors(xp: Any) -> None:
    x = xp.asarray([0.5, 2.0])
    value, push = xgrad.linearize(xp.exp, x)
    tangent = push(xp.asarray([1.0, 0.0]))
    assert isinstance(value, xgrad.Tensor) and isinstance(tangent, xgrad.Tensor)
    assert not value.requires_grad and not tangent.requires_grad
    assert tangent.dtype == value.dtype and tangent.backend == value.backend
    close(tangent.numpy(), [math.exp(0.5), 0.0], 1e-6)


def test_numbers_in_numbers_out() -> None:
    value, tangent = xgrad.jvp(lambda x: x * x, (3.0,), (2.0,))
    assert (value, tangent) == (9.0, 12.0) and isinstance(tangent, float)
    assert xgrad.linearize(lambda x: x * x, 3.0)[1](1) == 6.0


BAD = {
    "another shape": (
        lambda push: push(np.ones(2)),
        ValueError,
        r"the tangent of argument 0 is \(2,\) float64, but must be \(3,\)",
    ),
    "another dtype": (lambda push: push(np.ones(3, np.float32)), TypeError, "is .* float32, but must be .* float64"),
    "another structure": (lambda push: push([V]), ValueError, "must have the structure of its argument"),
    "too many": (lambda push: push(V, V), ValueError, "called with 1 arguments, but there are 2 tangents"),
    "none": (lambda push: push(), ValueError, "called with 1 arguments, but there are 0 tangents"),
    "a string": (lambda push: push("v"), (TypeError, ValueError), "tangent"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_tangents(case: str) -> None:
    call, error, match = BAD[case]
    with pytest.raises(error, match=match):
        call(xgrad.linearize(xgrad.exp, X)[1])
    if case not in ("too many", "none"):
        with pytest.raises(error, match=match):
            call(lambda *v: xgrad.jvp(xgrad.exp, (X,), v))


def test_jvp_wants_as_many_tangents_as_arguments() -> None:
    for args, tangents in (((X,), (V, V)), ((X, X), (V,)), (X, V)):
        with pytest.raises(ValueError, match="args and tangents must be two tuples of the same length"):
            xgrad.jvp(xgrad.exp, args, tangents)
    with pytest.raises(TypeError, match="int64, and only floating arrays have derivatives"):
        xgrad.jvp(xgrad.exp, (np.arange(3),), (np.arange(3),))


def test_a_random_stream_and_a_checkpoint() -> None:
    def f(x: Any) -> Any:
        return xgrad.exp(x) * xgrad.random.uniform((3,), dtype=xgrad.float64) * xgrad.sum(x)

    xgrad.random.seed(1)
    wanted = xgrad.jvp(f, (X,), (V,))
    xgrad.random.seed(1)
    found = xgrad.jvp(xgrad.checkpoint(f), (X,), (V,))
    close(found[0], wanted[0])
    close(found[1], wanted[1])
    second = xgrad.jvp(lambda x: xgrad.grad(xgrad.checkpoint(lambda x: xgrad.sum(x**4)))(x), (X,), (V,))[1]
    close(second, 12 * X**2 * V)
    second = xgrad.grad(lambda x: xgrad.sum(xgrad.jvp(xgrad.checkpoint(lambda x: x**4), (x,), (V,))[1]))(X)
    close(second, 12 * X**2 * V)


def test_modules_are_pushed_forward() -> None:
    model = xgrad.nn.Linear(3, 2)
    x = xgrad.asarray(X, dtype=xgrad.float32)
    _, push = xgrad.linearize(lambda x: model(x), x)
    assert push(x).requires_grad  # it depends on the weights, which require grad
    push(x).sum().backward()
    assert model.weight.grad is not None


# -------------------------------------------------------------------------------------------------------------- nesting


def orders(f: Any, x: float, depth: int) -> list[float]:
    """The derivative of order `depth` by every mixture of forward and backward."""
    if depth == 0:
        return [f(x)]
    forward = lambda x: xgrad.jvp(f, (x,), (1.0,))[1]
    linear = lambda x: xgrad.linearize(f, x)[1](1.0)
    backward = xgrad.grad(f)
    return [d for g in (forward, linear, backward) for d in orders(g, x, depth - 1)]


def test_any_mixture_to_third_order() -> None:
    found = orders(lambda x: xgrad.exp(2 * x) * xgrad.sin(x), 0.3, 3)
    assert len(found) == 27
    close(found, [math.exp(0.6) * (2 * math.sin(0.3) + 11 * math.cos(0.3))] * 27, 1e-11)


STEPS = [
    lambda a, b: xgrad.sin(a) * b,
    lambda a, b: xgrad.tanh(a @ b) + b[0],
    lambda a, b: xgrad.concat([a[:1], b[1:] * a[1:]]),
    lambda a, b: xgrad.exp(-a * a) * xgrad.sum(b, axis=0),
    lambda a, b: xgrad.linalg.solve(9 * np.eye(3) + a, b),
    lambda a, b: xgrad.where(np.eye(3) > 0, a * a, b),
    lambda a, b: xgrad.cumulative_prod(a, axis=1) + xgrad.std(b),
    lambda a, b: xgrad.reshape(xgrad.stack([a[0], b[1], xgrad.softmax(a[2])], axis=1), (3, 3)),
    lambda a, b: xgrad.sort(a, axis=0) / (1 + b * b),
    lambda a, b: written(a, b),
]


def written(a: Any, b: Any) -> Any:
    y = a * 1
    y[[0, 2]] = b[1:] * a[0]
    y[1, 1:] += b[0, 0]
    return y


@pytest.mark.parametrize("seed", range(12))
def test_random_programs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    steps = [(STEPS[k], i) for k, i in zip(rng.integers(0, len(STEPS), size=6), rng.integers(0, 6, size=6))]
    x, v, w = rng.normal(size=(3, 3, 3))

    def f(x: Any) -> Any:
        values = [x]
        for step, i in steps:
            values.append(step(values[i % len(values)], values[-1]))
        return xgrad.sum(values[-1] * v)

    def along(g: Any, v: Any) -> Any:
        return lambda x: xgrad.jvp(g, (x,), (v,))[1]

    gradient = xgrad.grad(f)
    scale = 1e-10 * max(1.0, np.abs(gradient(x)).max())
    assert abs(along(f, v)(x) - np.sum(gradient(x) * v)) <= 10 * scale
    second = xgrad.hvp(f, x, v)
    for other in (along(gradient, v), xgrad.grad(along(f, v)), lambda x: xgrad.hvp(xgrad.checkpoint(f), x, v)):
        np.testing.assert_allclose(other(x), second, rtol=1e-9, atol=1e-9 * np.abs(second).max())
    np.testing.assert_allclose(
        along(along(f, v), w)(x), np.sum(second * w), rtol=1e-9, atol=1e-9 * np.abs(second).max() * np.abs(w).sum()
    )


def test_pitfall_27_perturbation_confusion() -> None:
    def derivative(f: Any) -> Any:
        return lambda x: xgrad.jvp(f, (x,), (1.0,))[1]

    def slope(f: Any) -> Any:
        return lambda x: xgrad.linearize(f, x)[1](1.0)

    for outer, inner in ((derivative, derivative), (slope, slope), (derivative, slope), (slope, xgrad.grad)):
        assert outer(lambda x, inner=inner: x * inner(lambda y: x + y)(1.0))(1.0) == 1.0
        assert outer(lambda x, inner=inner: x * inner(lambda y: x * y)(2.0))(3.0) == 6.0
        assert outer(lambda x, inner=inner: inner(lambda y: x)(1.0) + x)(1.0) == 1.0
    assert xgrad.jvp(lambda x: x * xgrad.grad(lambda y: x * y * y)(2.0), (3.0,), (1.0,))[1] == 24.0
    assert xgrad.grad(lambda x: x * xgrad.jvp(lambda y: x * y * y, (2.0,), (1.0,))[1])(3.0) == 24.0


def test_a_tangent_that_depends_on_the_outer_argument() -> None:
    assert xgrad.grad(lambda x: xgrad.jvp(lambda y: y * y, (x,), (x * x,))[1])(3.0) == 6 * 9.0  # (2 x^3)'
    assert xgrad.jvp(lambda x: xgrad.jvp(lambda y: y * y, (2.0,), (x * x,))[1], (3.0,), (1.0,))[1] == 24.0


def test_inside_backward() -> None:
    x = xgrad.Tensor(X, requires_grad=True)
    _, tangent = xgrad.jvp(lambda y: xgrad.sin(y) * x, (x * 2,), (x,))
    xgrad.sum(tangent).backward()
    close(x.grad.numpy(), 2 * X * np.cos(2 * X) - 2 * X**2 * np.sin(2 * X))  # of x^2 cos(2 x)
    with xgrad.no_grad():
        value, tangent = xgrad.jvp(xgrad.sin, (x,), (xgrad.Tensor(V),))
    assert not value.requires_grad and not tangent.requires_grad
    close(tangent.numpy(), np.cos(X) * V)


def test_in_threads_and_tasks() -> None:
    def third(x: float) -> float:
        return orders(lambda x: x**4, x, 2)[1]

    found: dict[int, float] = {}
    threads = [threading.Thread(target=lambda k=k: found.update({k: third(float(k))})) for k in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {k: 12.0 * k**2 for k in range(8)}

    async def one(k: int) -> float:
        def f(x: Any) -> Any:
            return x**3

        _, push = xgrad.linearize(f, float(k))
        await asyncio.sleep(0.001 * (5 - k))
        with xgrad.no_grad():
            await asyncio.sleep(0.001)
        return push(1.0)

    async def all_of_them() -> list[float]:
        return await asyncio.gather(*(one(k) for k in range(5)))

    assert asyncio.run(all_of_them()) == [3.0 * k**2 for k in range(5)]


# ---------------------------------------------------------------------------------------------------------- hvp, ggnvp


def test_hvp_is_the_hessian_times_a_vector() -> None:
    def f(x: Any) -> Any:
        return xgrad.sum(xgrad.exp(x)) * xgrad.prod(x)

    close(xgrad.hvp(f, X, V), np.asarray(xgrad.hessian(f)(X)) @ V, 1e-10)
    close(xgrad.hvp(lambda x: xgrad.sum(x), X, V), 0 * X)
    close(xgrad.hvp(lambda x, y: xgrad.sum(x * x * y), (X, W), (V, 0 * V))[1], 2 * X * V)
    close(xgrad.grad(lambda x: xgrad.sum(xgrad.hvp(lambda y: xgrad.sum(y**4), x, V)))(X), 24 * X * V)
    close(xgrad.jvp(lambda x: xgrad.hvp(lambda y: xgrad.sum(y**4), x, V), (X,), (W,))[1], 24 * X * V * W)


@pytest.mark.parametrize("what", ["hvp", "ggnvp"])
def test_what_bad_input_gets(what: str) -> None:
    def product(f: Any, args: Any, v: Any) -> Any:
        return xgrad.hvp(f, args, v) if what == "hvp" else xgrad.ggnvp(lambda *x: x[0] * 1, f, args, v)

    with pytest.raises(xgrad.GradientError, match=f"{what}: .* returned shape .*; only a scalar has a gradient"):
        product(lambda x: x, X, V)
    with pytest.raises(xgrad.GradientError, match=f"{what}: .* complex scalar"):
        product(lambda x: xgrad.sum(x * 1j), X, V)
    with pytest.raises(ValueError, match=f"{what}: v must be a tuple of as many vectors as there are arguments"):
        product(lambda x: xgrad.sum(x), (X,), V)
    with pytest.raises(ValueError, match=rf"{what}: the tangent of argument 0 is \(2,\)"):
        product(lambda x: xgrad.sum(x), X, V[:2])
    with pytest.raises(TypeError, match="float32, but must be"):
        product(lambda x: xgrad.sum(x), X, V.astype(np.float32))


def cross_entropy(y: Any) -> Any:
    return -xgrad.mean(xgrad.log_softmax(y, axis=-1)[:, 1])


def test_ggnvp_against_the_jacobian() -> None:
    ws, vs = weights(0), weights(1)
    found = xgrad.ggnvp(mlp, cross_entropy, ws, vs)
    y = mlp(*ws).numpy()
    jacobians = xgrad.jacobian(mlp, (0, 1))(*ws)
    j = np.concatenate([np.asarray(part).reshape(y.size, -1) for part in jacobians], axis=1)
    h = np.asarray(xgrad.hessian(cross_entropy)(y)).reshape(y.size, y.size)
    wanted = j.T @ (h @ (j @ np.concatenate([v.ravel() for v in vs])))
    close(np.concatenate([d.ravel() for d in found]), wanted, 1e-10)
    assert sum(np.sum(d * v) for d, v in zip(found, vs)) > 0  # positive semi-definite


@pytest.mark.skipif(NO_TORCH is not None, reason=str(NO_TORCH))
def test_against_torch() -> None:
    import torch

    ws, vs = weights(0), weights(1)
    loss = lambda *ws: cross_entropy(mlp(*ws))

    def model(*ws: Any) -> Any:
        h = torch.linspace(-1, 1, 8, dtype=torch.float64).reshape(4, 2)
        for w in ws[:-1]:
            h = torch.tanh(h @ w)
        return h @ ws[-1]

    def torch_loss(y: Any) -> Any:
        return -torch.log_softmax(y, -1)[:, 1].mean()

    tws, tvs = (tuple(map(torch.tensor, x)) for x in (ws, vs))
    y, dy = torch.func.jvp(model, tws, tvs)
    close(xgrad.jvp(mlp, ws, vs)[1], dy)
    grad = torch.func.grad(lambda *ws: torch_loss(model(*ws)), (0, 1))
    for mine, theirs in zip(xgrad.hvp(loss, ws, vs), torch.func.jvp(grad, tws, tvs)[1]):
        close(mine, theirs, 1e-10)
    curved = torch.func.jvp(torch.func.grad(torch_loss), (y,), (dy,))[1]
    for mine, theirs in zip(xgrad.ggnvp(mlp, cross_entropy, ws, vs), torch.func.vjp(model, *tws)[1](curved)):
        close(mine, theirs, 1e-10)


def test_ggnvp_of_containers_and_nested() -> None:
    pytest.importorskip("optree")

    def model(p: Any) -> Any:
        return {"y": p["a"] * p["b"], "z": xgrad.sin(p["a"])}

    def loss(out: Any) -> Any:
        return xgrad.sum(out["y"] ** 2) + xgrad.sum(out["z"] ** 4)

    p, v = {"a": X, "b": W}, {"a": V, "b": V}
    found = xgrad.ggnvp(model, loss, p, v)
    change = 2 * (V * W + X * V)
    close(found["a"], change * W + 12 * np.sin(X) ** 2 * np.cos(X) ** 2 * V)
    close(found["b"], change * X)
    quadratic = lambda x: xgrad.sum(xgrad.ggnvp(xgrad.square, lambda y: xgrad.sum(y * y), x, V))
    close(xgrad.grad(quadratic)(X), 16 * X * V)  # of 8 x^2 v
    close(xgrad.grad(lambda v: xgrad.sum(xgrad.ggnvp(xgrad.square, lambda y: xgrad.sum(y * y), X, v)))(V), 8 * X**2)


def test_a_composite_needs_nothing(scratch: Any) -> None:
    @composite
    def swish(xp: Any, x: ArrayLike, /) -> Any:
        return x * xp.sigmoid(x)

    s = 1 / (1 + np.exp(-X))
    close(xgrad.jvp(swish, (X,), (V,))[1], V * (s + X * s * (1 - s)))
