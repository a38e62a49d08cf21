"""`vmap`: nesting with itself and with derivatives, axes and containers, randomness, threads, and what bad input gets."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor, checkpoint, grad, hessian, hvp, jacfwd, jacobian, jacrev, jvp, value_and_grad, vjp, vmap  # fmt: skip
from xgrad.backend import find_backend
from xgrad.engine.namespaces import namespace

from ..harness.backends import device_of

rng = np.random.default_rng(0)
XS, WS, A = rng.normal(size=(5, 3)), rng.normal(size=(4, 3)), rng.normal(size=(4, 3))


def loss(w: Any, x: Any) -> Any:
    return xgrad.sum(xgrad.tanh(w * x) ** 2)


def close(a: Any, b: Any) -> None:
    np.testing.assert_allclose(np.asarray(a), np.asarray(b), rtol=1e-10, atol=1e-12)


# --------------------------------------------------------------------------------------------------------------- nesting


def test_gradients_of_each_example() -> None:
    close(vmap(grad(loss), (None, 0))(WS[0], XS), [grad(loss)(WS[0], x) for x in XS])
    close(vmap(grad(loss))(XS, XS), [grad(loss)(x, x) for x in XS])
    values, grads = vmap(value_and_grad(loss), (None, 0))(WS[0], XS)
    close(values, [loss(Tensor(WS[0]), x).item() for x in XS])
    assert grads.shape == (5, 3)


def test_a_gradient_through_vmap_and_within_it() -> None:
    def total(w: Any) -> Any:
        return xgrad.sum(vmap(lambda x: loss(w, x))(XS))

    close(grad(total)(WS[0]), sum(grad(loss)(WS[0], x) for x in XS))
    w = Tensor(WS[0], requires_grad=True)
    total(w).backward()
    close(w.grad, grad(total)(WS[0]))

    def norms(w: Any) -> Any:  # the gradient of a gradient, of which the inner one is taken within the batch
        return xgrad.sum(vmap(lambda x: xgrad.sum(grad(loss)(w, x) ** 2))(XS))

    def norms_apart(w: Any) -> Any:
        return sum(xgrad.sum(grad(loss)(w, x) ** 2) for x in XS)

    close(grad(norms)(WS[0]), grad(norms_apart)(WS[0]))
    close(hessian(norms)(WS[0]), hessian(norms_apart)(WS[0]))
    # ... also where what is differentiated by is captured from outside of both.
    close(
        grad(lambda w: xgrad.sum(vmap(lambda x: grad(lambda v: loss(w, v * x))(WS[1]))(XS)))(WS[0]),
        grad(lambda w: sum(xgrad.sum(grad(lambda v, x=x: loss(w, v * x))(WS[1])) for x in XS))(WS[0]),
    )


def test_no_perturbation_confusion() -> None:
    # d/dx (x d/dy (x + y)) is 1, in each mixture
    assert grad(lambda x: x * grad(lambda y: x + y)(1.0))(3.0) == 1.0
    inner = vmap(lambda x: grad(lambda x: x * grad(lambda y: x + y)(xgrad.asarray(1.0)))(x))
    close(inner(XS[0]), np.ones(3))
    outer = grad(lambda x: xgrad.sum(vmap(lambda z: x * grad(lambda y: x * z + y)(z))(XS[0])))
    assert outer(2.0) == 3.0


def test_two_levels() -> None:
    both = vmap(lambda w: vmap(lambda x: loss(w, x))(XS))(WS)
    close(both, [[loss(Tensor(w), x).item() for x in XS] for w in WS])
    other = vmap(vmap(loss, (None, 0)), (0, None))(WS, XS)
    close(other, both)
    close(vmap(vmap(loss, (0, None)), (None, 0), out_axes=1)(WS, XS), both)
    mixed = vmap(vmap(lambda w, x: grad(loss)(w, x) @ x, (None, 0)), (0, None))(WS, XS)
    close(mixed, [[grad(loss)(w, x) @ x for x in XS] for w in WS])

    def f(w: Any) -> Any:
        return xgrad.sum(vmap(vmap(lambda w, x: xgrad.sum(grad(loss)(w, x) ** 2), (None, 0)), (0, None))(w, XS))

    def slow(w: Any) -> Any:
        return sum(xgrad.sum(grad(loss)(w[i], x) ** 2) for i in range(4) for x in XS)

    close(grad(f)(WS), grad(slow)(WS))


def test_other_derivatives_within() -> None:
    f = lambda x: xgrad.tanh(Tensor(A) @ x)
    close(vmap(jacobian(f))(XS), [jacobian(f)(x) for x in XS])
    close(vmap(jacfwd(f))(XS), [jacobian(f)(x) for x in XS])
    g = lambda x: xgrad.sum(f(x) ** 3)
    close(vmap(hessian(g))(XS), [hessian(g)(x) for x in XS])
    close(vmap(lambda x, v: jvp(f, (x,), (v,))[1])(XS, XS), [jvp(f, (x,), (x,))[1] for x in XS])
    close(vmap(lambda v: jvp(f, (XS[0],), (v,))[1])(XS), [jvp(f, (XS[0],), (x,))[1] for x in XS])
    close(vmap(lambda v: hvp(g, XS[0], v))(XS), XS @ hessian(g)(XS[0]))
    _, pull = vjp(f, XS[0])
    us = rng.normal(size=(6, 4))
    close(vmap(lambda u: vjp(f, XS[0])[1](u)[0])(us), [pull(u)[0] for u in us])
    close(vmap(grad(checkpoint(g)))(XS), [grad(g)(x) for x in XS])


def test_under_other_derivatives() -> None:
    batched = vmap(lambda x: xgrad.sum(xgrad.sin(x) * x))
    close(jacobian(batched)(XS), jacrev(lambda xs: xgrad.sum(xgrad.sin(xs) * xs, axis=1))(XS))
    close(jvp(batched, (XS,), (XS,))[1], np.sum((np.cos(XS) * XS + np.sin(XS)) * XS, axis=1))
    close(
        hessian(lambda x: xgrad.sum(batched(x)))(XS[:2]).reshape(6, 6).diagonal(), (2 * np.cos(XS) - XS * np.sin(XS))[:2].ravel()
    )


def test_stop_gradient_and_no_grad_stop_all_gradients() -> None:
    w = Tensor(WS[0], requires_grad=True)
    for f in (
        lambda x: xgrad.stop_gradient(xgrad.sum(w * x)),
        lambda x: (w * x).detach(),
        lambda x: grad(lambda v: xgrad.sum(xgrad.stop_gradient(w * v) * v))(x).detach(),
    ):
        assert not vmap(f)(Tensor(XS)).requires_grad

    def unseen(x: Any) -> Any:
        with xgrad.no_grad():
            return w * x

    assert not vmap(unseen)(Tensor(XS)).requires_grad
    with xgrad.no_grad():
        assert not vmap(lambda x: grad(loss)(w, x))(Tensor(XS)).requires_grad


# ------------------------------------------------------------------------------------------------------ axes, containers


def test_axes() -> None:
    f = lambda x, y: xgrad.concat([x, y])
    x, y = rng.normal(size=(3, 5)), rng.normal(size=(5, 2))
    wanted = np.concatenate([x.T, y], axis=1)
    close(vmap(f, (1, 0))(x, y), wanted)
    close(vmap(f, (-1, -2))(x, y), wanted)
    close(vmap(f, (1, 0), out_axes=1)(x, y), wanted.T)
    close(vmap(f, (1, 0), out_axes=-1)(x, y), wanted.T)
    close(vmap(f, (1, None))(x, y[0]), np.stack([np.concatenate([x[:, k], y[0]]) for k in range(5)]))


def test_containers() -> None:
    pytest.importorskip("optree")

    def f(p: Any, x: Any) -> Any:
        return {"y": p["w"] * x + p["b"], "all": (xgrad.sum(x), xgrad.zeros(2))}

    p = {"w": WS[0], "b": XS[:, 0]}
    result = vmap(f, ({"w": None, "b": 0}, 0), {"y": 0, "all": (0, None)})(p, XS)
    close(result["y"], WS[0] * XS + XS[:, :1])
    close(result["all"][0], XS.sum(axis=1))
    assert result["all"][1].shape == (2,)
    both = vmap(lambda pair: pair[0] - pair[1])((XS, XS))
    close(both, 0 * XS)


def test_a_result_that_is_the_same_for_all() -> None:
    close(vmap(lambda x: 3.0)(XS), np.full(5, 3.0, dtype="float32"))
    close(vmap(lambda x: np.ones(2), out_axes=1)(XS), np.ones((2, 5)))
    assert vmap(lambda x: xgrad.ones(2), out_axes=None)(XS).shape == (2,)
    assert vmap(lambda x: xgrad.zeros_like(x))(XS).shape == (5, 3)


def test_arrays_in_arrays_out_and_tensors_for_tensors() -> None:
    assert isinstance(vmap(xgrad.sin)(XS), np.ndarray)
    assert isinstance(vmap(xgrad.sin)(Tensor(XS)), Tensor)
    w = Tensor(WS[0], requires_grad=True)
    assert vmap(lambda x: w * x)(XS).requires_grad
    assert isinstance(vmap(lambda x, *, y: x * y)(XS, y=2.0), np.ndarray)


def test_no_examples_and_no_elements() -> None:
    none = XS[:0]
    assert vmap(lambda x: xgrad.sum(xgrad.reshape(x, (-1, 1)) @ xgrad.ones((1, 2), dtype="float64"), axis=0))(none).shape == (
        0,
        2,
    )
    assert vmap(grad(loss), (None, 0))(WS[0], none).shape == (0, 3)
    assert vmap(xgrad.sum)(np.zeros((4, 0))).tolist() == [0.0] * 4
    assert jacobian(lambda x: xgrad.concat([x, x]))(np.zeros(0)).shape == (0, 0)


def test_writing_within() -> None:
    def f(x: Any) -> Any:
        out = xgrad.zeros(4, dtype="float64")
        out[1:] = x
        out[0] += x[2]
        view = out[:2]
        view *= 2
        return out

    close(vmap(f)(XS), [f(Tensor(x)) for x in XS])
    close(vmap(lambda x: grad(lambda x: xgrad.sum(f(x) ** 2))(x))(XS), [grad(lambda x: xgrad.sum(f(x) ** 2))(x) for x in XS])
    source = Tensor(XS)
    vmap(lambda x: xgrad.sum(x.__imul__(2)))(source)
    close(source, XS)  # what is given is not written to


@pytest.mark.parametrize("key", ["i", "i,:", ":,i", "i,j", "i,:,j", "..., i", "0,:,i", "i,None,j", "1:,i", "::-1,i,j"])
@pytest.mark.parametrize("batched", ["x", "i", "both"])
def test_indices(key: str, batched: str, backend: str) -> None:
    device, plugin = device_of(backend), find_backend(backend)
    x = rng.normal(size=(5, 4, 3, 4))
    i, j = rng.integers(0, 3, size=(5, 2)), rng.integers(0, 3, size=(5, 3, 1))
    if key == "i,j":
        j = j[:, :2, 0]
    read = eval(f"lambda x, i, j: x[{key}]")

    def write(x: Any, i: Any, j: Any) -> Any:
        x = x * 1
        exec(f"x[{key}] = x[{key}] * 2")
        return x

    def tensor(a: Any) -> Tensor:
        return Tensor(plugin.from_numpy(np.array(a), device))

    at = (0 if batched != "i" else None, *(0 if batched != "x" else None,) * 2)
    args = [tensor(v if a == 0 else v[0]) for v, a in zip((x, i, j), at)]
    apart = [[tensor(v[k] if a == 0 else v[0]) for v, a in zip((x, i, j), at)] for k in range(5)]
    for f in (read, write):
        try:
            wanted = np.stack([f(*one).numpy() for one in apart])
        except (IndexError, ValueError, TypeError):
            pytest.skip("the shapes do not broadcast, or the library has no such index")
        close(vmap(f, at)(*args).numpy(), wanted)


def test_masks() -> None:
    mask = np.array([True, False, True])
    close(vmap(lambda x: x[Tensor(mask)])(XS), XS[:, mask])
    with pytest.raises(NotImplementedError, match=r"x\[mask\] cannot be batched"):
        vmap(lambda x: x[x > 0])(XS)

    def f(x: Any) -> Any:
        x = x * 1
        x[x > 0] = 0.0
        return x

    close(vmap(f)(XS), np.minimum(XS, 0))


# ------------------------------------------------------------------------------------------------------------ randomness


def test_randomness() -> None:
    with pytest.raises(RuntimeError, match="draws random numbers"):
        vmap(lambda x: x + xgrad.random.normal())(XS)
    same = vmap(lambda x: xgrad.random.uniform((2,)), randomness="same")(XS)
    assert (same == same[0]).all()
    for draw in (
        lambda: xgrad.random.uniform((2,), dtype="float64"),
        lambda: xgrad.random.permutation(6),
        lambda: xgrad.random.choice(9, 3),
        lambda: xgrad.random.integers(0, 100, (3,)),
        lambda: xgrad.random.bernoulli(0.5, (8,)),
    ):
        xgrad.random.seed(0)
        result = vmap(lambda x, draw=draw: draw(), randomness="different")(XS)
        xgrad.random.seed(0)
        np.testing.assert_array_equal(result, [draw().numpy() for _ in XS])  # the numbers of a loop
    two = vmap(lambda w: vmap(lambda x: xgrad.random.normal(), randomness="different")(XS), randomness="different")(WS)
    assert two.shape == (4, 5) and len(np.unique(two)) == 20
    part = vmap(lambda w: vmap(lambda x: xgrad.random.normal(), randomness="different")(XS), randomness="same")(WS)
    assert (part == part[0]).all() and len(np.unique(part)) == 5
    assert vmap(lambda x: xgrad.random.normal((2,)), randomness="different")(XS[:0]).shape == (0, 2)


# --------------------------------------------------------------------------------------------------------------- threads


def test_threads_do_not_see_each_other() -> None:
    wrong = []

    def work(k: int) -> None:
        xs = XS * k
        for _ in range(20):
            result = vmap(lambda x: grad(lambda w: xgrad.sum(vmap(lambda v: loss(w, v * x))(WS)))(XS[0]))(xs)
            if not np.allclose(result, wanted[k]):
                wrong.append(k)

    def reference(k: int) -> Any:
        return [grad(lambda w, x=x: sum(loss(w, v * x) for v in WS))(XS[0]) for x in XS * k]

    wanted = [reference(k) for k in range(4)]
    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


# ---------------------------------------------------------------------------------------------------------------- errors


def test_bad_input() -> None:
    add = xgrad.add
    with pytest.raises(ValueError, match=r"equally long, but argument 0 has 5 along axis 0 and argument 1 has 4 along axis 0"):
        vmap(add)(XS, WS)
    with pytest.raises(ValueError, match=r"argument 0 has shape \(5, 3\), and no batch axis 2"):
        vmap(xgrad.sin, 2)(XS)
    with pytest.raises(ValueError, match=r"argument 0 has shape \(\), and no batch axis 0"):
        vmap(xgrad.sin)(np.array(1.0))
    with pytest.raises(ValueError, match="nothing to batch"):
        vmap(add, (None, None))(XS, XS)
    with pytest.raises(ValueError, match="for 3 arguments, but there are 2"):
        vmap(add, (0, 0, 0))(XS, XS)
    with pytest.raises(TypeError, match="argument 1 is the float 2.0, which has no axes"):
        vmap(add)(XS, 2.0)
    with pytest.raises(ValueError, match="not nested like that"):
        vmap(lambda p: p, ((0, 0),))(XS)
    with pytest.raises(TypeError, match="made of integers, None and containers"):
        vmap(lambda p: p, ("0",))(XS)
    with pytest.raises(ValueError, match="differs between the examples"):
        vmap(xgrad.sin, out_axes=None)(XS)
    with pytest.raises(ValueError, match="there is no axis 4"):
        vmap(xgrad.sin, out_axes=4)(XS)
    with pytest.raises(TypeError, match="the result is a str"):
        vmap(lambda x: "x")(XS)
    with pytest.raises(ValueError, match="randomness"):
        vmap(xgrad.sin, randomness="some")
    with pytest.raises(ValueError, match="chunk_size"):
        jacobian(xgrad.sin, chunk_size=0)
    with pytest.raises(ValueError, match=r"x1 \(3,\) float64, x2 \(4,\)"):
        vmap(lambda x: x + np.ones(4))(XS)
    with pytest.raises(ValueError, match=r"x1 has shape \(3,\) but x2 is \(4,\)"):
        vmap(lambda x: x @ np.ones(4))(XS)


def test_what_takes_a_value_out_says_so() -> None:
    for f in (bool, float, int, lambda x: x.item(), lambda x: x.numpy(), np.asarray, lambda x: range(3)[x.astype("int64")]):
        with pytest.raises(NotImplementedError, match="taking a value out"):
            vmap(lambda x, f=f: f(x))(XS[0])
    with pytest.raises(NotImplementedError, match="unique_values cannot be batched"):
        vmap(xgrad.unique_values)(XS)
    with pytest.raises(TypeError, match="NotImplemented|iteration over a 0-d"):
        vmap(lambda x: list(x))(XS[0])


def test_what_leaves_the_function_is_found_out() -> None:
    kept: list[Any] = []
    vmap(lambda x: kept.append(x) or x)(XS)
    with pytest.raises(NotImplementedError):
        kept[0].numpy()
    with pytest.raises(NotImplementedError, match="over|another call"):
        vmap(lambda x: x + kept[0])(XS)
    with pytest.raises(xgrad.GradientError, match="requires grad because the function made a tensor a leaf"):
        vmap(lambda x: x.detach().requires_grad_() * 2)(XS)
    assert "batch of 5" in repr(kept[0]._data) and "Tensor" in repr(kept[0])


def test_a_leaf_made_within() -> None:
    def f(x: Any) -> Any:
        x = x.detach().requires_grad_()
        xgrad.sum(xgrad.sin(x)).backward()
        return x.grad

    close(vmap(f)(XS), np.cos(XS))

    def mixed(x: Any) -> Any:  # of a leaf that does not belong to the batch there is one gradient, not one for each example
        w = Tensor(WS[0], requires_grad=True)
        xgrad.sum(w * x).backward()
        return w.grad

    with pytest.raises(xgrad.GradientError, match="does not require grad.*tensors from outside"):
        vmap(mixed)(XS)


# ----------------------------------------------------------------------------------------------------------- own ops, nn


@xgrad.op
def cube(xp, x, /):  # type: ignore[no-untyped-def]
    return x * x * x


cube.vjp(x=lambda g, x: 30 * g * x * x)  # ten times too much, to see that it is this rule


def test_an_op_keeps_its_own_rule() -> None:
    close(grad(lambda xs: xgrad.sum(vmap(cube)(xs)))(XS), 30 * XS**2)
    close(vmap(grad(lambda x: xgrad.sum(cube(x))))(XS), 30 * XS**2)
    close(hessian(lambda x: xgrad.sum(vmap(cube)(x)))(XS[0]).diagonal(), 60 * XS[0])
    twice = lambda xs: xgrad.sum(vmap(vmap(cube))(xs))
    close(grad(twice)(XS), 30 * XS**2)
    close(grad(lambda xs: xgrad.sum(grad(twice)(xs)))(XS), 60 * XS)
    # What is finite where its parts are not.
    close(grad(lambda x: xgrad.sum(vmap(xgrad.logsumexp)(x)))(np.full((2, 3), -np.inf)), np.zeros((2, 3)))
    close(grad(lambda x: xgrad.sum(vmap(xgrad.linalg.vector_norm)(x)))(np.zeros((2, 3))), np.zeros((2, 3)))
    close(grad(lambda x: xgrad.sum(vmap(xgrad.std)(x)))(np.ones((2, 3))), np.zeros((2, 3)))


def test_an_op_without_a_rule_refuses() -> None:
    @xgrad.op
    def unruly(xp, x, /):  # type: ignore[no-untyped-def]
        return x + 1

    close(vmap(unruly)(XS), XS + 1)
    with pytest.raises(xgrad.GradientError, match="unruly has no derivative"):
        vmap(unruly)(Tensor(XS, requires_grad=True))


def test_a_rule_that_calls_another_library_falls_back_to_a_loop() -> None:
    @xgrad.op
    def host(xp, x, /):  # type: ignore[no-untyped-def]
        return np.sin(x)

    calls = []

    def rule(g: Any, x: Any) -> Any:
        calls.append(g)
        return np.multiply(np.asarray(g), np.cos(x))

    host.vjp(x=rule)
    close(jacrev(host)(XS[0]), np.diag(np.cos(XS[0])))
    assert len(calls) == 4  # in vain at once, then three times
    with pytest.raises(NotImplementedError, match="host cannot be batched"):
        vmap(host)(XS)


def test_gradients_of_a_model_for_each_example() -> None:
    from xgrad import nn

    xgrad.random.seed(0)
    first, second = nn.Linear(3, 6), nn.Linear(6, 2)
    params = [p.detach() for layer in (first, second) for p in layer.parameters()]

    def error(params: Any, x: Any, label: Any) -> Any:
        w1, b1, w2, b2 = params
        w1, w2 = (w if w.shape[0] == n else w.T for w, n in ((w1, 3), (w2, 6)))
        return nn.functional.cross_entropy(xgrad.relu(x @ w1 + b1) @ w2 + b2, label)

    x, label = Tensor(XS.astype("float32")), Tensor(np.array([0, 1, 1, 0, 1]))
    result = vmap(grad(error), (None, 0, 0))(params, x, label)
    apart = [grad(error)(params, x[k], label[k]) for k in range(5)]
    for a, *b in zip(result, *apart):
        np.testing.assert_allclose(a.numpy(), np.stack([v.numpy() for v in b]), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("chunk_size", [None, 1, 2, 3, 100])
def test_chunks(chunk_size: int | None) -> None:
    f = lambda x, y: (x * y, xgrad.sum(x) * Tensor(A), y)
    for jac in (jacobian, jacrev, jacfwd):
        result = jac(f, (0, 1), chunk_size=chunk_size)(XS[0], XS[1])
        close(result[0][0], np.diag(XS[1]))
        close(result[0][1], np.diag(XS[0]))
        close(result[1][0], np.repeat(A[..., None], 3, axis=2))
        close(result[1][1], np.zeros((4, 3, 3)))
        close(result[2][1], np.eye(3))
        result[2][0][0, 0] = 1.0  # memory of one's own
    h = hessian(loss, (0, 1), chunk_size=chunk_size)(WS[0], XS[0])
    close(h[0][1], h[1][0].T)


def test_jacobians_on_each_backend(backend: str) -> None:
    xp, device = namespace(backend), device_of(backend)
    a, x = (Tensor(find_backend(backend).from_numpy(v, device)) for v in (A, XS[0]))
    f = lambda x: xp.tanh(a @ x)
    wanted = (1 - np.tanh(A @ XS[0]) ** 2)[:, None] * A
    for jac in (jacobian, jacrev, jacfwd):
        result = jac(f)(x)
        assert result.device == x.device and result.dtype == x.dtype and result.backend == backend
        close(result.numpy(), wanted)
    w = Tensor(find_backend(backend).from_numpy(XS[1], device), requires_grad=True)
    (jacobian(lambda x: xp.tanh(a @ (x * w)))(x) ** 2).sum().backward()  # recorded
    numbers = jacobian(lambda w: xgrad.sum(jacobian(lambda x: xgrad.tanh(Tensor(A) @ (x * w)))(XS[0]) ** 2))(XS[1])
    close(w.grad.numpy(), numbers)


def test_every_backend(backend: str) -> None:
    xp, device = namespace(backend), device_of(backend)
    xs = Tensor(find_backend(backend).from_numpy(XS, device), requires_grad=True)
    f = lambda x: xp.sum(xp.softmax(x) * xp.sort(x) + xp.linalg.vector_norm(x) * xp.fft.rfft(x).real[0])
    y = vmap(f)(xs)
    y.sum().backward()
    other = Tensor(find_backend(backend).from_numpy(XS, device), requires_grad=True)
    sum(f(other[k]) for k in range(5)).backward()
    close(xs.grad.numpy(), other.grad.numpy())
    close(vmap(grad(f))(xs.detach()).numpy(), xs.grad.numpy())


def test_functions_with_rules_of_their_own() -> None:
    @xgrad.custom_vjp
    def f(x, w):  # type: ignore[no-untyped-def]
        return x * w

    f.defvjp(lambda x, w: (x * w, (x, w)), lambda kept, g: (10 * g * kept[1], g * kept[0]))

    @xgrad.custom_jvp
    def h(x):  # type: ignore[no-untyped-def]
        return x * x

    h.defjvp(lambda primals, tangents: (primals[0] ** 2, 20 * primals[0] * tangents[0]))
    close(vmap(f, (0, None))(XS, WS[0]), XS * WS[0])
    close(vmap(grad(lambda x: xgrad.sum(f(x, x))))(XS), 11 * XS)
    close(vmap(grad(lambda x: xgrad.sum(f(x, WS[0]))))(XS), np.tile(10 * WS[0], (5, 1)))
    close(vmap(grad(lambda x: xgrad.sum(h(x))))(XS), 20 * XS)
    close(jacobian(lambda x: f(x, x))(XS[0]), 11 * np.diag(XS[0]))
    close(jacfwd(h)(XS[0]), 20 * np.diag(XS[0]))
    for g in (
        lambda x, w: f(x, w),
        lambda x, w: f(w, x),
        lambda x, w: h(x * w),
        lambda x, w: grad(lambda x: xgrad.sum(f(x, w)))(x),
        lambda x, w: grad(lambda x: xgrad.sum(f(w, x)))(x) * w,
        lambda x, w: grad(lambda x: xgrad.sum(h(x * w)))(x),
    ):
        total = lambda w, g=g: xgrad.sum(vmap(lambda x: g(x, w))(XS))
        apart = lambda w, g=g: sum(xgrad.sum(g(x, w)) for x in map(Tensor, XS))
        close(grad(total)(WS[0]), grad(apart)(WS[0]))
        close(hessian(total)(WS[0]), hessian(apart)(WS[0]))
        twice = lambda w, g=g: xgrad.sum(vmap(lambda v: vmap(lambda x: g(x, w * v))(XS))(WS))
        apart = lambda w, g=g: sum(xgrad.sum(g(x, w * v)) for x in map(Tensor, XS) for v in WS)
        close(grad(twice)(WS[0]), grad(apart)(WS[0]))


def test_functions_that_solve_equations() -> None:
    a = XS[0] ** 2 + 1
    close(jacobian(lambda a: xgrad.root(lambda x, a: x**3 - a, np.ones(3), a))(a), np.diag(a ** (-2 / 3) / 3))
    w = Tensor(2.0, dtype="float64", requires_grad=True)
    for f in (
        lambda a: xgrad.root(lambda x, a: x**3 - a, np.ones(3), a),
        lambda a: xgrad.fixed_point(lambda x, a: xgrad.sqrt(a + x), np.ones(3), a * w),
        lambda a: xgrad.linear_solve(lambda x: a * x, w * np.ones(3)),
        lambda a: xgrad.odeint(lambda t, y, a: -a * y, np.ones(3), np.array([0.0, 1.0]), a),
    ):
        with pytest.raises(NotImplementedError, match="cannot be batched: it iterates until values say"):
            vmap(f)(XS**2 + 1)


def test_gauss_newton_within() -> None:
    def f(w: Any) -> Any:
        return xgrad.sum(vmap(lambda x: xgrad.ggnvp(lambda p: xgrad.tanh(w * p), lambda y: xgrad.sum(y**2), x, x))(XS))

    def apart(w: Any) -> Any:
        return sum(xgrad.sum(xgrad.ggnvp(lambda p: xgrad.tanh(w * p), lambda y: xgrad.sum(y**2), x, x)) for x in XS)

    close(grad(f)(WS[0]), grad(apart)(WS[0]))


@pytest.mark.parametrize(
    "inner",
    [
        lambda w: checkpoint(lambda x: loss(w, x)),
        lambda w: lambda x: xgrad.sum(grad(checkpoint(lambda x: loss(w, x)))(x) * x),
        lambda w: lambda x: xgrad.sum(hvp(lambda v: loss(w, v), x, x)),
        lambda w: lambda x: xgrad.sum(jvp(lambda v: xgrad.sin(w * v), (x,), (w,))[1]),
        lambda w: lambda x: xgrad.sum(xgrad.linearize(lambda v: xgrad.sin(w * v), x)[1](x)),
        lambda w: lambda x: xgrad.sum(vjp(lambda v: xgrad.sin(w * v), x)[1](w)[0]),
        lambda w: lambda x: xgrad.sum(jacobian(lambda v: xgrad.tanh(xgrad.asarray(A) @ (w * v)))(x) ** 2),
        lambda w: lambda x: xgrad.sum(jacfwd(lambda v: xgrad.tanh(xgrad.asarray(A) @ (w * v)))(x) ** 2),
        lambda w: lambda x: xgrad.sum(hessian(lambda v: loss(w, v))(x) ** 2),
        lambda w: lambda x: xgrad.sum(value_and_grad(lambda v: loss(v, w))(x)[1]) * xgrad.max(xgrad.softmax(x * w)),
    ],
)
def test_a_tensor_from_outside_has_its_gradient_in_all_that_happens_within(inner: Any) -> None:
    together = lambda w: xgrad.sum(vmap(inner(w))(XS))
    apart = lambda w: sum(inner(w)(Tensor(x)) for x in XS)
    close(grad(together)(WS[0]), grad(apart)(WS[0]))
    close(jacrev(grad(together))(WS[0]), jacrev(grad(apart))(WS[0]))
    w = Tensor(WS[0], requires_grad=True)
    together(w).backward()
    close(w.grad, grad(apart)(WS[0]))


@pytest.mark.parametrize("name", ["float64", "float32", "float16", "int32", "bool_", "complex128"])
def test_a_number_of_numpy_that_every_example_returns_keeps_its_dtype(name: str) -> None:
    number = getattr(np, name)(1)
    result = xgrad.vmap(lambda x: number)(np.ones(2))
    assert result.dtype == number.dtype and result.tolist() == [number, number]
