"""Derivatives that users bring: `custom_vjp`, `custom_jvp`, `op` from outside the package; and what wrong rules get."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import GradientError, Tensor, nn
from xgrad.testing import check_grads

X, K = np.array([0.3, 0.8]), np.array([1.0, 2.0])
XS, KS = np.stack([X, 2 * X, -X]), np.stack([K, K + 1, -K])
BOTH = ("rev", "fwd")


@xgrad.custom_vjp
def mixed(x: Any, n: int, w: Any, mode: str = "plain") -> Any:
    """Two results of an array, a number, a container and a word."""
    return {"power": xgrad.sin(x) ** n, "product": x * w["k"], "mode": mode}


def mixed_fwd(x: Any, n: int, w: Any, mode: str) -> Any:
    s = xgrad.sin(x)
    return {"power": s**n, "product": x * w["k"], "mode": mode}, (s, x, n, w["k"])


def mixed_bwd(kept: Any, g: Any) -> Any:
    s, x, n, k = kept
    assert g["mode"] is None
    return g["power"] * n * s ** (n - 1) * xgrad.cos(x) + g["product"] * k, None, {"k": g["product"] * x}, None


mixed.defvjp(mixed_fwd, mixed_bwd)


@xgrad.custom_vjp
def exponential(x: Any) -> Any:
    return xgrad.exp(x)


def exponential_fwd(x: Any) -> Any:
    y = xgrad.exp(x)
    return y, y


exponential.defvjp(exponential_fwd, lambda y, g: (g * y,))


@xgrad.custom_jvp
def waves(x: Any, w: Any, n: int) -> Any:
    return xgrad.sin(x * w["k"]), [xgrad.sum(x) * n]


@waves.defjvp
def waves_jvp(primals: Any, tangents: Any) -> Any:
    (x, w, n), (dx, dw, dn) = primals, tangents
    assert dn is None
    return waves(x, w, n), (xgrad.cos(x * w["k"]) * (dx * w["k"] + x * dw["k"]), [xgrad.sum(dx) * n])


def spread(f: Any) -> Any:
    """The floating results of a function in a tuple."""
    return lambda *args: tuple(y for y in xgrad.tree.flatten(f(*args))[0] if isinstance(y, Tensor))


def asarray(xp: Any, x: Any, device: Any) -> Any:
    return xp.asarray(x, dtype=xp.float64, device=device)


def test_to_third_order_with_containers_on_each_backend(xp: Any, device: Any) -> None:
    pytest.importorskip("optree")
    x, k = asarray(xp, X, device), asarray(xp, K, device)
    check_grads(spread(lambda x, k: mixed(x, 3, {"k": k})), (x, k), order=2, modes=BOTH)
    check_grads(spread(lambda x, k: waves(x, {"k": k}, 2)), (x, k), order=2, modes=BOTH)
    check_grads(exponential, (x,), order=3, modes=BOTH)
    assert mixed(X, 3, {"k": K}, mode="odd")["mode"] == "odd"


def test_a_residual_that_is_neither_argument_nor_result_is_found_again() -> None:
    calls = []

    @xgrad.custom_vjp
    def f(x: Any) -> Any:
        return x * xgrad.sin(x)

    def fwd(x: Any) -> Any:
        calls.append(1)
        keep = xgrad.random.bernoulli(0.5, (2,), like=x)
        s = xgrad.sin(x)
        return x * s * (1.0 + keep), (x, s, 1.0 + keep)

    f.defvjp(fwd, lambda kept, g: (g * kept[2] * (kept[1] + kept[0] * xgrad.cos(kept[0])),))
    xgrad.random.seed(4)
    x = Tensor(X, requires_grad=True)
    y = f(x)
    scale = y.detach().numpy() / (X * np.sin(X))
    y.sum().backward(create_graph=True)
    g, x.grad = x.grad, None
    assert g is not None and len(calls) == 3  # found again, and once more nearby: is it really a constant?
    g.sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), scale * (2 * np.cos(X) - X * np.sin(X)))


def test_forward_by_other_means() -> None:
    @xgrad.custom_vjp
    def f(x: Any) -> Any:
        return np.log1p(x.numpy())

    f.defvjp(lambda x: (np.log1p(x.numpy()), x), lambda x, g: (g / (1 + x),))
    np.testing.assert_allclose(xgrad.hessian(lambda x: xgrad.sum(f(x)))(X), np.diag(-1 / (1 + X) ** 2))


def test_none_is_zero_and_nothing_is_kept_that_was_not_named() -> None:
    @xgrad.custom_vjp
    def f(x: Any, y: Any) -> Any:
        return x * y

    f.defvjp(lambda x, y: (x * y, None), lambda _, g: (None, g))
    gx, gy = xgrad.grad(lambda x, y: xgrad.sum(f(x, y)), (0, 1))(X, K)
    assert gx.tolist() == [0, 0] and gy.tolist() == [1, 1]
    x = Tensor(X, requires_grad=True)
    node = f(x, x)._node.parents[0]
    assert node.saved[0] == [None, None] and node.saved[2] is None


def test_what_is_held_fixed_has_a_tangent_of_zero() -> None:
    @xgrad.custom_jvp
    def f(x: Any, y: Any, z: float, n: int) -> Any:
        return x * y * z * n

    seen: list[Any] = []

    @f.defjvp
    def rule(primals: Any, tangents: Any) -> Any:
        (x, y, z, n), (dx, dy, dz, dn) = primals, tangents
        seen[:] = [getattr(dy, "shape", dy), dz, dn]
        return f(*primals), (dx * y * z + x * dy * z + x * y * dz) * n

    assert xgrad.grad(lambda x: xgrad.sum(f(x, K, 2.0, 3)))(X).tolist() == (K * 6).tolist()
    assert seen == [(2,), 0.0, None]


RULES = {
    "custom_vjp": (custom := xgrad.custom_vjp(lambda x, y: xgrad.sin(x) * y)),
    "custom_jvp": (pushed := xgrad.custom_jvp(lambda x, y: xgrad.sin(x) * y)),
}
custom.defvjp(lambda x, y: (xgrad.sin(x) * y, (x, y)), lambda kept, g: (g * xgrad.cos(kept[0]) * kept[1], g * xgrad.sin(kept[0])))
pushed.defjvp(lambda p, t: (pushed(*p), xgrad.cos(p[0]) * p[1] * t[0] + xgrad.sin(p[0]) * t[1]))


@pytest.mark.parametrize("f", RULES.values(), ids=RULES)
@pytest.mark.parametrize(
    "transformed",
    [
        lambda f: xgrad.vmap(f)(XS, KS),
        lambda f: xgrad.vmap(xgrad.grad(lambda x, y: xgrad.sum(f(x, y))))(XS, KS),
        lambda f: xgrad.grad(lambda x: xgrad.sum(xgrad.vmap(f)(x, KS)))(XS),
        lambda f: xgrad.vmap(xgrad.hessian(lambda x, y: xgrad.sum(f(x, y))))(XS, KS),
        lambda f: xgrad.jacrev(f)(X, K),
        lambda f: xgrad.jacfwd(f)(X, K),
        lambda f: xgrad.hessian(lambda x: xgrad.sum(f(x, K)))(X),
        lambda f: xgrad.jvp(f, (X, K), (K, X))[1],
        lambda f: xgrad.linearize(lambda x: f(x, K), X)[1](K),
        lambda f: xgrad.hvp(lambda x: xgrad.sum(f(x, K)), X, K),
    ],
)
def test_under_every_transform(f: Any, transformed: Any) -> None:
    np.testing.assert_allclose(transformed(f), transformed(lambda x, y: xgrad.sin(x) * y))


def test_modules_and_methods() -> None:
    class Layer(nn.Linear):
        @xgrad.custom_vjp
        def forward(self, x: Any) -> Any:
            return xgrad.asarray(x) @ self.weight + self.bias

    def fwd(layer: Any, x: Any) -> Any:
        return x @ layer.weight + layer.bias, (x, layer)

    def bwd(kept: Any, g: Any) -> Any:
        x, layer = kept
        gradients = xgrad.tree.unflatten(xgrad.tree.flatten(layer)[1], [10 * x.mT @ g, xgrad.sum(g, axis=0)])
        return gradients, g @ layer.weight.mT

    Layer.forward.defvjp(fwd, bwd)
    layer = Layer(2, 3).astype("float64")
    x = Tensor(np.ones((4, 2)))
    layer(x).sum().backward()
    assert layer.weight.grad.tolist() == [[40.0] * 3] * 2 and layer.bias.grad.tolist() == [4.0] * 3


def test_in_place_and_identity() -> None:
    @xgrad.custom_vjp
    def f(x: Any) -> Any:
        x *= 2.0
        return x

    f.defvjp(lambda x: (x, x), lambda x, g: (g * 10,))
    x = Tensor(X, requires_grad=True)
    y = x * 1.0
    assert f(y).tolist() == X.tolist() and y.tolist() == X.tolist()
    f(y).sum().backward()
    assert x.grad is not None and x.grad.tolist() == [10, 10]


def test_without_gradient_the_function_itself_is_called() -> None:
    f = xgrad.custom_vjp(lambda x: x * 2)  # a rule is not needed yet
    assert f(Tensor(X)).tolist() == (2 * X).tolist()
    with xgrad.no_grad():
        assert not f(Tensor(X, requires_grad=True)).requires_grad
    assert repr(mixed) == "<custom_vjp mixed>" and mixed.__doc__ == "Two results of an array, a number, a container and a word."


def test_writes_into_what_was_kept_are_noticed() -> None:
    x = Tensor(X.copy(), requires_grad=True)
    y = exponential(x).sum() + mixed(x, 2, {"k": K})["power"].sum()
    x.data *= 2.0
    with pytest.raises(GradientError, match="an array that mixed .* needs for its gradient was written to"):
        y.backward()


def vjp_of(bwd: Any, fwd: Any = lambda x: (x * 2, x)) -> Any:
    def doubled(x: Any) -> Any:
        return x * 2

    def call() -> Any:
        f = xgrad.custom_vjp(doubled)
        f.defvjp(fwd, bwd)
        return xgrad.grad(lambda x: xgrad.sum(f(x)))(X)

    return call


def jvp_of(rule: Any) -> Any:
    def doubled(x: Any) -> Any:
        return x * 2

    def call() -> Any:
        f = xgrad.custom_jvp(doubled)
        f.defjvp(rule)
        return xgrad.jvp(f, (X,), (K,))

    return call


w = Tensor(K, requires_grad=True)


@pytest.mark.parametrize(
    "call, error, match",
    [
        (vjp_of(lambda x, g: g), TypeError, "doubled: bwd must return a tuple of 1, a cotangent or None .* not a Tensor"),
        (vjp_of(lambda x, g: (g, g)), TypeError, "tuple of 1, .* not a tuple of 2"),
        (vjp_of(lambda x, g: (g[:1],)), ValueError, r"argument 0 has shape \(1,\), but argument 0 has shape \(2,\)"),
        (vjp_of(lambda x, g: (xgrad.astype(g, "float32"),)), TypeError, "of dtype float32, but argument 0 is of dtype float64"),
        (vjp_of(lambda x, g: ("g",)), TypeError, "cotangent of argument 0 is a str"),
        (vjp_of(lambda x, g: (0.0,)), TypeError, "cotangent of argument 0 is a float"),
        (vjp_of(lambda x, g: ([g],)), TypeError, "cotangent of argument 0 is a list"),
        (vjp_of(lambda x, g: (g,), lambda x: x * 2), TypeError, r"fwd must return a pair \(result, residuals\), not Tensor"),
        (vjp_of(lambda x, g: (g,), lambda x: (2.0, x)), TypeError, "fwd returned the float 2.0, which carries no gradient"),
        (vjp_of(lambda x, g: (g,), lambda x: ("y", x)), TypeError, "returned no floating Tensor"),
        (vjp_of(lambda x, g: (g,), lambda x: (x * w, x)), GradientError, "used a tensor that requires grad .*multiply at .*py"),
        (vjp_of(lambda x, g: (g,), lambda x: (x, w)), GradientError, "used a tensor that requires grad"),
        (vjp_of(None), TypeError, "defvjp takes two functions"),
        (jvp_of(lambda p, t: t[0]), TypeError, r"doubled: its rule must return a pair \(result, tangent\)"),
        (jvp_of(lambda p, t: (p[0], t[0][:1])), ValueError, r"the tangent of the result has shape \(1,\), but the result has"),
        (jvp_of(lambda p, t: (p[0], 1j * t[0])), TypeError, "the tangent of the result is of dtype complex128"),
        (jvp_of(lambda p, t: (p[0], (t[0],))), TypeError, "the tangent of the result is a tuple"),
        (jvp_of(3), TypeError, "defjvp takes a function"),
        (lambda: xgrad.grad(xgrad.custom_vjp(xgrad.sin))(1.0), GradientError, r"sin has no derivative yet: .*\(fwd, bwd\)"),
        (lambda: xgrad.grad(xgrad.custom_jvp(xgrad.sin))(1.0), GradientError, "sin has no derivative yet"),
        (lambda: xgrad.custom_vjp(lambda x, *, n: x), TypeError, "keyword-only parameter 'n'"),
        (lambda: exponential(X, 1), TypeError, "too many positional arguments"),
    ],
)  # fmt: skip
def test_what_wrong_rules_get(call: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call()


def test_structures_that_differ() -> None:
    pytest.importorskip("optree")
    f = xgrad.custom_vjp(lambda p: p["a"] * p["b"])
    f.defvjp(lambda p: (p["a"] * p["b"], p), lambda p, g: ({"a": g * p["b"]},))
    with pytest.raises(ValueError, match=r"bwd's cotangent of argument 0 must .*\{'a': \*, 'b': \*\}\), not .*\{'a': \*\}"):
        xgrad.grad(f)({"a": 1.0, "b": 2.0})


def test_a_second_derivative_of_a_rule_on_raw_arrays_is_refused() -> None:
    pull = vjp_of(lambda x, g: (2 * g.detach().numpy(),))
    assert pull().tolist() == [2, 2]
    f = xgrad.custom_vjp(lambda x: x * x)
    f.defvjp(lambda x: (x * x, x), lambda x, g: (2 * g.data * x.data,))
    with pytest.raises(GradientError, match="a raw array, which no further derivative can see through"):
        xgrad.hessian(lambda x: xgrad.sum(f(x)))(X)


# ------------------------------------------------------------------------------------------- rules that leave the graph


def cubed(bwd: Any, keep: Any = lambda x: x) -> Any:
    f = xgrad.custom_vjp(lambda x: x**3)
    f.defvjp(lambda x: (x**3, keep(x)), bwd)
    return f


def cubed_by_op(rule: Any, forward: bool = False) -> Any:
    @xgrad.op
    def cube(xp: Any, x: xgrad.ArrayLike, /) -> Any:
        return x**3

    cube.vjp(x=(lambda xp, g, x: 3 * g * x**2) if forward else rule)
    if forward:
        cube.jvp(x=rule)
    return cube


def cubed_by_jvp(tangent: Any) -> Any:
    f = xgrad.custom_jvp(lambda x: x**3)
    f.defjvp(lambda p, t: (p[0] ** 3, tangent(p[0], t[0])))
    return f


def host(x: Any) -> Any:
    return x.detach().numpy() if isinstance(x, Tensor) else np.asarray(x)


LEAVING = {
    "a constant": cubed(lambda x, g: (xgrad.asarray(3 * host(g) * host(x) ** 2),)),
    "a constant times g": cubed(lambda x, g: (g * xgrad.asarray(3 * host(x) ** 2),)),
    "detached": cubed(lambda x, g: (g * 3 * x.detach() ** 2,)),
    "g detached": cubed(lambda x, g: (g.detach() * 3 * x**2,)),
    "through a list": cubed(lambda x, g: (g * xgrad.asarray([3 * n * n for n in x.detach().tolist()], dtype="float64"),)),
    "an array kept": cubed(lambda s, g: (g * s,), lambda x: 3 * host(x) ** 2),
    "a Tensor of an array kept": cubed(lambda s, g: (g * s,), lambda x: xgrad.asarray(3 * host(x) ** 2)),
    "one of those kept": cubed(lambda s, g: (g * 3 * s[0] * s[1],), lambda x: (x.detach(), x)),
    "a rule of an op": cubed_by_op(lambda xp, g, x: xp.asarray(3 * host(g) * host(x) ** 2)),
    "a rule of an op, times g": cubed_by_op(lambda xp, g, x: g * xp.asarray(3 * host(x) ** 2)),
    "an array of a rule of an op": cubed_by_op(lambda xp, g, x: 3 * host(g) * host(x) ** 2),
    "a custom_jvp, times t": cubed_by_jvp(lambda x, t: t * xgrad.asarray(3 * host(x) ** 2)),
}


@pytest.mark.parametrize("second", [lambda f: xgrad.hessian(f)(X), lambda f: xgrad.hvp(f, X, K), lambda f: twice(f)])
@pytest.mark.parametrize("f", LEAVING.values(), ids=LEAVING)
def test_a_rule_that_leaves_the_graph_has_its_first_derivative_and_no_second(f: Any, second: Any) -> None:
    total = lambda x: xgrad.sum(f(x))
    np.testing.assert_allclose(xgrad.grad(total)(X), 3 * X**2)
    with pytest.raises(GradientError, match="leaves the graph|further derivative|no Tensor of their graph|requires grad"):
        second(total)


def twice(f: Any) -> Any:
    x = Tensor(X, requires_grad=True)
    f(x).backward(create_graph=True)
    g, x.grad = x.grad, None
    assert g is not None
    g.sum().backward()
    return x.grad


ONCE = {
    "custom_vjp": cubed(xgrad.once_differentiable(lambda x, g: (xgrad.asarray(3 * g.numpy() * x.numpy() ** 2),))),
    "an array kept": cubed(xgrad.once_differentiable(lambda s, g: (g * s,)), lambda x: 3 * x.numpy() ** 2),
    "an array returned": cubed(xgrad.once_differentiable(lambda x, g: (3 * g.numpy() * x.numpy() ** 2,))),
    "op": cubed_by_op(xgrad.once_differentiable(lambda xp, g, x: 3 * host(g) * host(x) ** 2)),
    "custom_jvp": xgrad.custom_jvp(lambda x: x**3),
}
ONCE["custom_jvp"].defjvp(xgrad.once_differentiable(lambda p, t: (p[0] ** 3, t[0] * xgrad.asarray(3 * p[0].numpy() ** 2))))


@pytest.mark.parametrize("f", ONCE.values(), ids=ONCE)
def test_a_rule_that_is_declared_once_differentiable(f: Any) -> None:
    total = lambda x: xgrad.sum(f(x))
    np.testing.assert_allclose(xgrad.grad(total)(X), 3 * X**2)
    np.testing.assert_allclose(xgrad.jacobian(f)(X), np.diag(3 * X**2))
    x = Tensor(X, requires_grad=True)
    total(x).backward(create_graph=True)  # a graph that nobody walks does no harm
    g = x.grad
    assert g is not None
    np.testing.assert_allclose(g.detach().numpy(), 3 * X**2)
    told = "rule is once_differentiable, so that there is no second derivative; forward mode by a rule of the walk back needs one"
    with pytest.raises(GradientError, match=told):
        g.sum().backward()
    for second in (lambda: xgrad.hessian(total)(X), lambda: xgrad.hvp(total, X, K), lambda: xgrad.jacrev(xgrad.grad(total))(X)):
        with pytest.raises(GradientError, match=told):
            second()
    if isinstance(f, xgrad.custom_jvp):  # its rule is that of forward mode
        np.testing.assert_allclose(xgrad.jvp(f, (X,), (K,))[1], 3 * X**2 * K)
        return
    for forward in (lambda: xgrad.jvp(f, (X,), (K,)), lambda: xgrad.jacfwd(f)(X)):  # they differentiate the rule
        with pytest.raises(GradientError, match=told):
            forward()


def test_a_rule_of_arrays_that_returns_a_tensor_is_told_so() -> None:
    wrong = cubed_by_op(lambda xp, g, x: xgrad.asarray(3 * host(g) * host(x) ** 2), forward=False)
    with pytest.raises(TypeError, match=r"got a Tensor: a rule or an op .* functions of its xp"):
        xgrad.grad(lambda x: xgrad.sum(wrong(x)))(X)


def test_a_tangent_that_was_lost_is_no_zero() -> None:
    lost = cubed_by_jvp(lambda x, t: xgrad.asarray(3 * host(t) * host(x) ** 2))
    np.testing.assert_allclose(xgrad.jvp(lost, (X,), (K,))[1], 3 * X**2 * K)
    with pytest.raises(GradientError, match="the tangent of the result does not depend on the tangents"):
        xgrad.grad(lambda x: xgrad.sum(lost(x)))(X)
    lost = cubed_by_op(lambda xp, t, x: xp.asarray(3 * host(t) * host(x) ** 2), forward=True)
    with pytest.raises(GradientError, match="leaves the graph"):
        xgrad.hvp(lambda x: xgrad.sum(lost(x)), X, K)


def test_rules_with_constants_and_zeros_are_as_good_as_ever() -> None:
    mask = np.array([1.0, 0.0])
    two = xgrad.custom_vjp(lambda x, y: 2 * x)
    two.defvjp(lambda x, y: (2 * x, (x, mask, 3.0)), lambda kept, g: (2 * g, xgrad.zeros_like(g)))
    f = lambda x: xgrad.sum(two(x, x) * x)
    np.testing.assert_allclose(xgrad.hessian(f)(X), 4 * np.eye(2))
    step = xgrad.custom_vjp(lambda x: xgrad.where(x > 0, x * x, 0.0))  # constant but for a jump, at a point on its edge
    step.defvjp(
        lambda x: (xgrad.where(x > 0, x * x, 0.0), (x, xgrad.astype(x.detach() > 0.3, "float64"))),
        lambda kept, g: (2 * g * kept[0] * kept[1],),
    )
    np.testing.assert_allclose(xgrad.hessian(lambda x: xgrad.sum(step(x)))(X), np.diag([0.0, 2.0]))
    noisy = xgrad.custom_vjp(lambda x: x * 1.0)
    noisy.defvjp(lambda x: (x * 1.0, x), lambda x, g: (g * xgrad.random.uniform((2,), dtype="float64"),))
    xgrad.hessian(lambda x: xgrad.sum(noisy(x)))(X)
    batched = xgrad.vmap(xgrad.hessian(lambda x: xgrad.sum(two(x, x) * x)))(XS)
    np.testing.assert_allclose(batched, np.stack([4 * np.eye(2)] * 3))


def test_the_result_is_a_tensor_whenever_an_argument_is_one(xp: Any) -> None:
    array = lambda x: x.data if isinstance(x, Tensor) else x
    vjp = xgrad.custom_vjp(lambda x: {"y": [array(x) * 2.0], "n": 3})
    vjp.defvjp(lambda x: (vjp(x), None), lambda _, g: (g["y"][0] * 2.0,))
    jvp = xgrad.custom_jvp(lambda x: (array(x) * 2.0,))
    jvp.defjvp(lambda p, t: (jvp(*p), (t[0] * 2.0,)))
    x = xp.asarray(X, dtype=xp.float64)
    for f in (vjp, jvp):
        for given in (x, xp.asarray(X, dtype=xp.float64).requires_grad_()):
            with xgrad.no_grad():
                assert isinstance(leaf_of(f(given)), Tensor)
            assert isinstance(leaf_of(f(given)), Tensor) and leaf_of(f(given)).requires_grad == given.requires_grad
        assert type(leaf_of(f(x.data))) is type(x.data)
    total = xgrad.custom_vjp(lambda x: np.sum(x.numpy()))  # a number of NumPy's is its 0-d array
    total.defvjp(lambda x: (total(x), x), lambda x, g: (g * xgrad.ones_like(x),))
    assert isinstance(total(Tensor(X)), Tensor) and xgrad.grad(total)(X).tolist() == [1.0, 1.0]


def leaf_of(result: Any) -> Any:
    return result["y"][0] if isinstance(result, dict) else result[0]


def test_an_op_of_a_user_takes_no_name_away() -> None:
    @xgrad.op
    def sigmoid(xp: Any, x: xgrad.ArrayLike, /) -> Any:
        return 3 * x

    sigmoid.vjp(x=lambda g: 3 * g)
    assert xgrad.grad(lambda x: xgrad.sum(sigmoid(x)))(X).tolist() == [3, 3]
    assert xgrad.sigmoid(0.0).item() == 0.5 and xgrad.graph.names.registry["sigmoid"] is xgrad.sigmoid.op
