"""Hooks on tensors, on leaves, and on what a graph saves."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import GradientError, Tensor
from xgrad.backend import raw_namespace

X = np.array([0.3, -0.7, 1.1])


def leaf(values: Any = X) -> Tensor:
    return Tensor(np.array(values), requires_grad=True)


# ---------------------------------------------------------------------------------------------------------------- tensors


def test_a_hook_sees_the_whole_cotangent_and_may_replace_it(xp: Any, device: Any) -> None:
    x = xp.asarray(X, dtype=xp.float64, device=device).requires_grad_()
    y = x * 2
    seen: list[Any] = []
    y.register_hook(seen.append)
    y.register_hook(lambda g: g * 10)
    (xgrad.sum(y * 3) + xgrad.sum(y)).backward()
    assert [g.tolist() for g in seen] == [[4.0] * 3] and x.grad.tolist() == [80.0] * 3
    assert isinstance(seen[0], Tensor) and seen[0].backend == x.backend and seen[0].dtype == x.dtype


def test_hooks_are_called_in_order_and_before_retain_grad() -> None:
    x = leaf()
    y = x * 2
    y.retain_grad()
    order: list[int] = []
    y.register_hook(lambda g: order.append(1) or g + 1)
    second = y.register_hook(lambda g: order.append(2) or g * 10)
    y.register_hook(lambda g: order.append(3))
    y.sum().backward(retain_graph=True)
    assert order == [1, 2, 3] and y.grad is not None and y.grad.tolist() == [20.0] * 3 and x.grad.tolist() == [40.0] * 3
    second.remove(), second.remove()
    y.sum().backward()
    assert order == [1, 2, 3, 1, 3] and x.grad.tolist() == [44.0] * 3


def test_against_torch() -> None:
    torch = pytest.importorskip("torch")

    def run(x: Any, seen: list[Any]) -> Any:
        y = x**2
        x.register_hook(lambda g: g + 1)
        y.register_hook(lambda g: seen.append(g.tolist()) or g * 3)
        x.register_post_accumulate_grad_hook(lambda x: seen.append(x.grad.tolist()))
        (y * y).sum().backward()
        (x * 2).sum().backward()
        return x.grad.tolist()

    ours: list[Any] = []
    theirs: list[Any] = []
    np.testing.assert_allclose(run(leaf(), ours), run(torch.tensor(X, requires_grad=True), theirs))
    np.testing.assert_allclose(ours, theirs)


def test_hooks_of_leaves_of_outputs_and_of_all_tensors_of_a_chain() -> None:
    x = leaf([[1.0, 2.0], [3.0, 4.0]])
    first, second = xgrad.unstack(x)
    with first.register_hook(lambda g: g * 5), x.register_hook(lambda g: -g):
        xgrad.sum(first + second).backward()
        assert x.grad is not None and x.grad.tolist() == [[-5.0, -5.0], [-1.0, -1.0]]
    x.zero_grad()
    xgrad.sum(x).backward()
    assert x.grad.tolist() == [[1.0, 1.0], [1.0, 1.0]]


def test_a_hook_under_create_graph_is_differentiated() -> None:
    x = leaf()
    y = x**2
    y.register_hook(lambda g: g * y)
    y.sum().backward(create_graph=True)
    g, x.grad = x.grad, None
    assert g is not None
    np.testing.assert_allclose(g.detach().numpy(), 2 * X**3)
    g.sum().backward()
    # The hook stands in the graph of the gradient too: y gets 2 x from there, and its hook multiplies that by y again.
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), 2 * X**2 + 4 * X**4)


def test_second_order_through_a_hook_that_scales() -> None:
    f = lambda x: xgrad.sum(scaled(x) ** 3)

    def scaled(x: Tensor) -> Tensor:
        y = x * 1.0
        y.register_hook(lambda g: g * 2)
        return y

    np.testing.assert_allclose(xgrad.grad(f)(X), 6 * X**2)
    np.testing.assert_allclose(xgrad.grad(lambda x: xgrad.sum(xgrad.grad(f)(x)))(X), 24 * X)


def test_hooks_in_transforms() -> None:
    def f(x: Tensor) -> Tensor:
        x.register_hook(lambda g: xgrad.clip(g, -1.0, 1.0))
        x.retain_grad()
        y = xgrad.sum(x * x * 10)
        kept.append(x)
        return y

    kept: list[Tensor] = []
    assert xgrad.grad(f)(X).tolist() == [1, -1, 1] and kept[0].grad is not None and kept[0].grad.tolist() == [1, -1, 1]


def test_pitfall_33_hooks_under_create_graph_do_not_leak() -> None:
    gc.collect()
    gc.disable()
    try:
        x = leaf()
        y = x * x
        seen: list[Any] = []
        handle = y.register_hook(lambda g: seen.append(g))
        x.register_post_accumulate_grad_hook(lambda x: None)
        y.sum().backward(create_graph=True)
        refs = [weakref.ref(v) for v in (x, y, x.grad)]
        del x, y
        seen.clear()
        assert all(ref() is None for ref in refs)
        handle.remove()
    finally:
        gc.enable()


def test_a_hook_survives_moving_a_module() -> None:
    layer = xgrad.nn.Linear(2, 1)
    layer.weight.register_hook(lambda g: g * 0)
    layer.astype("float64")
    layer(np.ones((1, 2))).sum().backward()
    assert layer.weight.grad.tolist() == [[0.0], [0.0]]


def test_post_accumulate_hooks_step_in_the_backward_pass() -> None:
    p, q = leaf(), leaf()

    def step(p: Tensor) -> None:
        p -= 0.1 * p.grad  # nothing is recorded here, so a leaf may be written to
        p.grad = None

    for one in (p, q):
        one.register_post_accumulate_grad_hook(step)
    xgrad.sum(p * p + 3 * q).backward()
    np.testing.assert_allclose(p.detach().numpy(), 0.8 * X)
    np.testing.assert_allclose(q.detach().numpy(), X - 0.1 * 3)
    assert p.grad is None and p.is_leaf and p.requires_grad


@pytest.mark.parametrize(
    "hook, error, match",
    [
        (lambda g: g[:1], ValueError, r"hook <lambda> returned \(1,\) float64 for a cotangent of \(3,\) float64"),
        (lambda g: xgrad.astype(g, "float32"), ValueError, "float32 for a cotangent of"),
        (lambda g: "g", TypeError, "returned a str"),
    ],
)
def test_what_wrong_hooks_get(hook: Any, error: type[Exception], match: str) -> None:
    x = leaf()
    y = x * 2
    y.register_hook(hook)
    with pytest.raises(error, match=match) as caught:
        y.sum().backward()
    assert "in the gradient of multiply" in caught.value.__notes__[0]


def test_what_bad_registration_gets() -> None:
    with pytest.raises(GradientError, match="register_hook: this tensor does not require grad"):
        Tensor(X).register_hook(print)
    with pytest.raises(GradientError, match="only a leaf"):
        (leaf() * 2).register_post_accumulate_grad_hook(print)
    with pytest.raises(TypeError, match="a hook is a function of a Tensor"):
        leaf().register_hook(3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="pack and unpack"):
        xgrad.saved_tensors_hooks(None, print)  # type: ignore[arg-type]


def test_hooks_see_all_rows_of_a_jacobian_at_once_and_each_example_of_a_batch() -> None:
    def f(x: Any) -> Any:
        y = xgrad.sin(x) * x
        y.register_hook(lambda g: g * 2)
        return y

    slope = 2 * (np.sin(X) + X * np.cos(X))
    np.testing.assert_allclose(xgrad.jacrev(f)(X), np.diag(slope))
    np.testing.assert_allclose(xgrad.jacfwd(f)(X), np.diag(slope) / 2)
    np.testing.assert_allclose(xgrad.vmap(xgrad.grad(lambda x: xgrad.sum(f(x))))(np.stack([X, X])), np.stack([slope, slope]))


# ------------------------------------------------------------------------------------------------------------------ saved


def energy(x: Any) -> Tensor:
    halves = xgrad.concat([xgrad.sin(x), x * x])
    first, second = xgrad.unstack(xgrad.reshape(halves * xgrad.prod(halves), (2, -1)))
    return xgrad.sum(first * second * xgrad.exp(x))


def test_packed_arrays_come_back(xp: Any, device: Any) -> None:
    x = xp.asarray(X, dtype=xp.float64, device=device).requires_grad_()
    energy(x).backward()
    expected, x.grad = x.grad, None
    counts = {"pack": 0, "unpack": 0}

    def pack(x: Tensor) -> Any:
        assert not x.requires_grad
        counts["pack"] += 1
        return x

    def unpack(x: Any) -> Any:
        counts["unpack"] += 1
        return x

    with xgrad.saved_tensors_hooks(pack, unpack):
        y = energy(x)
    assert counts["pack"] > 0 == counts["unpack"]
    y.backward(retain_graph=True)
    np.testing.assert_allclose(x.grad.numpy(), expected.numpy())
    y.backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * expected.numpy())
    with xgrad.offload_to_host():
        g = xgrad.grad(energy)(x)
        h = xgrad.hvp(energy, x.detach(), xp.ones_like(x))
    np.testing.assert_allclose(g.detach().numpy(), expected.numpy())
    np.testing.assert_allclose(h.numpy(), xgrad.hvp(energy, x.detach(), xp.ones_like(x)).numpy())


def test_what_was_packed_is_kept_and_nothing_else() -> None:
    packed: list[Any] = []

    def pack(x: Tensor) -> Any:
        packed.append(x.numpy())
        return len(packed) - 1

    x = leaf()
    with xgrad.saved_tensors_hooks(pack, lambda k: packed[k]):
        y = xgrad.exp(x * 2.0)
    ref = weakref.ref(y._data)
    z = y.sum()
    del y
    assert ref() is None
    z.backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), 2 * np.exp(2 * X))


def test_offloading_spares_the_arrays_of_leaves() -> None:
    w, x = leaf(), Tensor(2 * X)
    with xgrad.offload_to_host():
        y = w * x * w
    inner, outer = y._node.parents[0].saved, y._node.saved
    assert any(v is w._data for v in outer) and not any(v is x._data for v in inner)
    y.sum().backward()
    assert w.grad is not None
    np.testing.assert_allclose(w.grad.numpy(), 4 * X * X)


def test_with_other_watchers_checkpoints_and_custom_rules() -> None:
    f = xgrad.custom_vjp(lambda x: xgrad.exp(x))
    f.defvjp(lambda x: ((y := xgrad.exp(x)), (x, y)), lambda kept, g: (g * kept[1],))
    x = leaf()
    calls: list[int] = []
    with xgrad.guard_writes(), xgrad.saved_tensors_hooks(lambda x: calls.append(1) or x.numpy(), lambda x: x):
        y = xgrad.sum(xgrad.checkpoint(xgrad.sin)(f(x)))
    y.backward()
    assert calls and x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), np.cos(np.exp(X)) * np.exp(X))


@pytest.mark.parametrize(
    "watch",
    [xgrad.offload_to_host, xgrad.guard_writes, lambda: xgrad.saved_tensors_hooks(lambda x: x, lambda x: x)],
    ids=["offload", "guard", "pack"],
)
@pytest.mark.parametrize(
    "transformed",
    [
        lambda f: xgrad.jacrev(f)(X),
        lambda f: xgrad.jacfwd(f)(X),
        lambda f: xgrad.hessian(lambda x: xgrad.sum(f(x)))(X),
        lambda f: xgrad.vmap(xgrad.grad(lambda x: xgrad.sum(f(x))))(np.stack([X, 2 * X])),
        lambda f: xgrad.grad(lambda x: xgrad.sum(xgrad.vmap(f)(x)))(np.stack([X, 2 * X])),
        lambda f: xgrad.hessian(lambda x: xgrad.sum(xgrad.checkpoint(f)(x)))(X),
    ],
)
def test_watching_under_every_transform(watch: Any, transformed: Any) -> None:
    f = lambda x: xgrad.sin(x) * xgrad.sum(x)
    with watch():
        found = transformed(f)
    np.testing.assert_allclose(found, transformed(f))


def test_what_a_wrong_unpack_gets() -> None:
    x = leaf()
    with xgrad.saved_tensors_hooks(lambda x: x, lambda x: x[:1]):
        y = xgrad.exp(x).sum()
    with pytest.raises(GradientError, match=r"for an array that exp saved, \(3,\) float64, unpack returned \(1,\) float64"):
        y.backward()


def test_nothing_is_packed_under_no_grad() -> None:
    with xgrad.no_grad(), xgrad.saved_tensors_hooks(lambda x: pytest.fail("packed"), lambda x: x):
        assert not (leaf() * 2).requires_grad
    assert raw_namespace(X) is raw_namespace(leaf()._data)


def test_a_hook_that_leaves_the_graph_has_no_second_derivative() -> None:
    def second(hook: Any) -> Any:
        x = Tensor([1.0, 2.0], dtype="float64", requires_grad=True)
        y = x * x
        y.register_hook(hook)
        (y * y).sum().backward(create_graph=True)
        g, x.grad = x.grad, None
        assert g is not None
        if g.requires_grad:
            g.sum().backward()
        return None if x.grad is None else x.grad.tolist()

    assert second(lambda g: None) == [12.0, 48.0] == second(lambda g: g * 1.0)
    assert second(lambda g: 3 * g) == [84.0, 336.0]  # g = 3 (2 y) (2 x), and its part by y passes the hook again
    assert second(lambda g: xgrad.ones_like(g)) == [2.0, 2.0]  # it is a constant
    for leaving in (lambda g: g.detach() * 3, lambda g: 3 * g.detach().numpy(), lambda g: xgrad.asarray(3 * g.detach().numpy())):
        with pytest.raises(GradientError, match="the hook <lambda> returned what depends on the cotangent .* not in its graph"):
            second(leaving)
