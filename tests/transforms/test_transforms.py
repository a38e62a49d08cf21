"""Derivatives as functions: against PyTorch, nested, in threads, with containers, and what bad input gets."""

from __future__ import annotations

import dataclasses
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pytest

import xgrad
from xgrad import GradientError, Tensor
from xgrad.transforms import (
    checkpoint,
    grad,
    hessian,
    hvp,
    jacfwd,
    jacobian,
    jacrev,
    jvp,
    stop_gradient,
    value_and_grad,
    vjp,
)  # fmt: skip

X = np.array([0.3, -0.7, 1.1])
A = np.arange(6.0).reshape(2, 3) / 5


def layer(x: Any) -> Tensor:
    return xgrad.tanh(A @ x)


def energy(x: Any) -> Tensor:
    return xgrad.sum(layer(x) ** 2 * xgrad.exp(x[0]))


def test_arrays_in_arrays_out() -> None:
    value, g = value_and_grad(energy)(X)
    assert type(g) is np.ndarray and g.dtype == np.float64 and not isinstance(value, Tensor)
    x = Tensor(X, requires_grad=True)
    energy(x).backward()
    assert x.grad is not None
    np.testing.assert_allclose(g, x.grad.numpy())
    assert isinstance(grad(energy)(Tensor(X)), Tensor) and not grad(energy)(Tensor(X)).requires_grad
    assert grad(lambda x: x**3)(2.0) == 12.0 and isinstance(grad(lambda x: x**3)(2.0), float)


def test_each_backend(xp: Any, device: Any) -> None:
    x = xp.asarray([0.5, 1.0, 2.0], dtype=xp.float64, device=device)
    f = lambda x: xgrad.sum(xgrad.sin(x) * x)
    found = [grad(f)(x), hvp(f, x, xp.ones_like(x)), jacfwd(xgrad.sin)(x), jacrev(xgrad.sin)(x)]
    n = np.array([0.5, 1.0, 2.0])
    second = 2 * np.cos(n) - n * np.sin(n)
    for one, expected in zip(found, [np.sin(n) + n * np.cos(n), second, np.diag(np.cos(n)), np.diag(np.cos(n))]):
        assert one.backend == x.backend and one.device == x.device and one.dtype == x.dtype
        np.testing.assert_allclose(one.numpy(), expected, atol=1e-12)
    assert type(grad(f)(x.data)) is type(x.data)


def test_scipy_minimizes() -> None:
    optimize = pytest.importorskip("scipy.optimize")
    rosenbrock = lambda x: xgrad.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    found = optimize.minimize(value_and_grad(rosenbrock), np.zeros(4), jac=True)
    np.testing.assert_allclose(found.x, 1, atol=1e-4)
    product = lambda x, p: hvp(rosenbrock, x, p)
    found = optimize.minimize(
        value_and_grad(rosenbrock), np.zeros(4), jac=True, hessp=product, method="Newton-CG", options={"xtol": 1e-9}
    )
    np.testing.assert_allclose(found.x, 1, atol=1e-4)


def test_gradients_own_their_memory() -> None:
    g, h = grad(lambda x, y: xgrad.sum(x + y), (0, 1))(X, X)
    g[0] = 100.0
    assert h[0] == 1.0 and X[0] == 0.3


def test_against_torch() -> None:
    torch = pytest.importorskip("torch")
    tx, ta = torch.tensor(X), torch.tensor(A)
    f = lambda x: torch.tanh(ta @ x)
    e = lambda x: torch.sum(f(x) ** 2 * torch.exp(x[0]))
    for made in (jacobian, jacrev, jacfwd):
        np.testing.assert_allclose(made(layer)(X), torch.func.jacrev(f)(tx).numpy())
    np.testing.assert_allclose(hessian(energy)(X), torch.func.hessian(e)(tx).numpy())
    v = np.array([1.0, 2.0, -1.0])
    np.testing.assert_allclose(hvp(energy, X, v), hessian(energy)(X) @ v)
    y, dy = jvp(layer, (X,), (v,))
    ty, tdy = torch.func.jvp(f, (tx,), (torch.tensor(v),))
    np.testing.assert_allclose(y, ty.numpy())
    np.testing.assert_allclose(dy, tdy.numpy())


def test_complex_forward_and_backward_are_adjoint() -> None:
    z, v, u = np.array([1 + 2j, -0.5j]), np.array([0.3 - 1j, 2.0 + 0j]), np.array([1j, 1 - 1j])
    _, dy = jvp(lambda z: xgrad.exp(z) * z, (z,), (v,))
    np.testing.assert_allclose(dy, np.exp(z) * (z + 1) * v)
    (back,) = vjp(lambda z: xgrad.exp(z) * z, z)[1](u)
    np.testing.assert_allclose(np.vdot(u, dy).real, np.vdot(back, v).real)


def test_pitfall_27_perturbation_confusion() -> None:
    assert grad(lambda x: x * grad(lambda y: x + y)(2.0))(1.0) == 1.0
    forward = lambda f: lambda x: jvp(f, (x,), (xgrad.ones_like(x) if isinstance(x, Tensor) else 1.0,))[1]
    for outer in (grad, forward):
        for inner in (grad, forward):
            assert outer(lambda x, inner=inner: x * inner(lambda y: x + y)(2.0))(1.0) == 1.0
            assert outer(lambda x, inner=inner: x * inner(lambda y: x * y)(x))(3.0) == 6.0


def test_pitfall_26_nested_in_threads() -> None:
    third = grad(grad(grad(lambda x: xgrad.sin(x) * x)))
    expected = [third(float(k)) for k in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(third, [float(k % 8) for k in range(80)])) == expected * 10
    finally:
        sys.setswitchinterval(interval)


def test_any_mixture_to_third_order() -> None:
    f = lambda x: xgrad.sum(xgrad.exp(x) * x[0])
    expected = jacrev(jacrev(jacrev(f)))(X)
    for outer, middle, inner in [(jacfwd, jacrev, jacfwd), (jacrev, jacfwd, jacrev), (jacfwd, jacfwd, jacfwd)]:
        np.testing.assert_allclose(outer(middle(inner(f)))(X), expected, atol=1e-12)


def test_inside_backward() -> None:
    x, w = Tensor(X, requires_grad=True), Tensor(2.0, dtype="float64", requires_grad=True)
    g = grad(lambda x: xgrad.sum(w * x**3))(x)
    assert x.grad is None and w.grad is None and g.requires_grad
    g.sum().backward()
    assert x.grad is not None and w.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), 12 * X)
    np.testing.assert_allclose(w.grad.numpy(), (3 * X**2).sum())


def test_a_graph_outside_is_neither_walked_nor_freed() -> None:
    x = Tensor(X, requires_grad=True)
    y = xgrad.exp(x)
    with xgrad.no_grad():
        g = grad(lambda z: xgrad.sum(z * y))(y)
    assert not g.requires_grad
    np.testing.assert_allclose(g.numpy(), np.exp(X))
    y.sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), np.exp(X))


def test_writing_to_an_argument() -> None:
    def f(x: Tensor) -> Tensor:
        x *= 2.0
        x[0] = x[1] * 3.0
        return xgrad.sum(x)

    x = X.copy()
    np.testing.assert_allclose(grad(f)(x), [0, 8, 2])
    np.testing.assert_array_equal(x, X)


def test_aux_and_several_arguments() -> None:
    g, aux = grad(lambda x, y: (xgrad.sum(x * y), xgrad.exp(x)), argnums=-1, has_aux=True)(X, 2 * X)
    np.testing.assert_allclose(g, X)
    np.testing.assert_allclose(aux, np.exp(X))
    (value, aux), (gx,) = value_and_grad(lambda x, *, y: (xgrad.sum(x * y), 1), (0,), True)(X, y=X)
    assert gx.shape == (3,) and value.shape == () and aux == 1


def test_what_does_not_depend_is_zero() -> None:
    np.testing.assert_array_equal(grad(lambda x: xgrad.sum(Tensor([1.0])))(X), 0)
    np.testing.assert_array_equal(grad(lambda x, y: xgrad.sum(y), 0)(X, X), 0)
    assert jvp(lambda x: Tensor([1.0, 2.0]), (X,), (X,))[1].tolist() == [0, 0]
    assert jvp(lambda x: x, (X,), (2 * X,))[1].tolist() == (2 * X).tolist()
    np.testing.assert_array_equal(hessian(lambda x: xgrad.sum(x))(X), np.zeros((3, 3)))
    assert jacobian(xgrad.sin)(np.zeros(0)).shape == (0, 0)


CONSTANTS = {
    "array": lambda xp: xp.asarray([1.0, 2.0], dtype=xp.float64).data,
    "Tensor": lambda xp: xp.asarray([1.0, 2.0], dtype=xp.float64),
    "NumPy's scalars": lambda xp: [np.float64(3.0), np.float32(2.0)],
}


@pytest.mark.parametrize("kind", CONSTANTS)
def test_a_function_that_returns_a_constant_has_zeros_under_every_transform(xp: Any, kind: str) -> None:
    x, v = (xp.asarray(a, dtype=xp.float64) for a in (X, 2 * X))
    made = CONSTANTS[kind](xp)
    vector, scalar = (lambda x: made), (lambda x: made[0])
    zero = lambda found: all(np.all(Tensor(y).numpy() == 0) for y in xgrad.tree.flatten(found)[0])
    found = [
        grad(scalar)(x), value_and_grad(scalar)(x)[1], hessian(scalar)(x), hvp(scalar, x, v), jvp(vector, (x,), (v,))[1],
        xgrad.linearize(vector, x)[1](v), xgrad.vmap(grad(scalar))(xgrad.stack([x, v])), grad(lambda x: grad(scalar)(x))(x[0]),
        *(j(vector)(x) for j in (jacobian, jacrev, jacfwd)), grad(lambda x, y: 0 * y + made[0], 0)(x, x[0]),
    ]  # fmt: skip
    assert all(map(zero, found))
    assert found[0].shape == x.shape and found[2].shape == (3, 3) and found[6].shape == (2, 3)
    value, pull = vjp(vector, x)
    assert zero(pull(value))
    first = xgrad.tree.flatten(value)[0][0]
    assert float(first if first.shape == () else first[0]) == float(made[0])


def test_a_mixed_derivative_of_a_separable_function_is_zero() -> None:
    f = lambda x, y: xgrad.sum(x**2) + xgrad.sum(y**2)
    assert grad(grad(f, 0), 1)(1.0, 2.0) == 0.0
    np.testing.assert_array_equal(jacobian(grad(f, 0), 1)(X, X), np.zeros((3, 3)))
    assert grad(grad(lambda x: 3.0 * x))(2.0) == 0.0


def test_a_pullback_can_be_called_again() -> None:
    _, pull = vjp(layer, X)
    (one,), (two,) = pull(np.array([1.0, 0.0])), pull(np.array([0.0, 1.0]))
    np.testing.assert_allclose(np.stack([one, two]), jacrev(layer)(X))


class Pair(NamedTuple):
    a: Any
    b: Any


@dataclasses.dataclass(frozen=True)
class Model:
    weights: Any
    bias: Any


def test_containers() -> None:
    pytest.importorskip("optree")
    f = lambda p: xgrad.sum(p["m"].weights * p["pair"].a) + p["m"].bias * p["list"][0]
    g = grad(f)({"m": Model(X, 2.0), "pair": Pair(3 * X, None), "list": [4.0]})
    assert isinstance(g["m"], Model) and isinstance(g["pair"], Pair) and g["pair"].b is None
    np.testing.assert_allclose(g["m"].weights, 3 * X)
    assert g["m"].bias == 4.0 and g["list"] == [2.0]
    j = jacobian(lambda p: {"y": p[0] * p[1]})((X, 2 * X))
    np.testing.assert_allclose(j["y"][1], np.diag(X))
    h = hessian(lambda x, y: xgrad.sum(x * y), (0, 1))(X, X)
    np.testing.assert_allclose(h[0][1], np.eye(3))
    np.testing.assert_allclose(h[0][0], 0)
    with pytest.raises(ValueError, match="structure"):
        jvp(lambda p: p[0] * p[1], ((X, X),), ((X,),))


def test_containers_need_optree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optree", None)
    assert grad(energy)(X).shape == (3,) and hessian(energy)(X).shape == (3, 3)
    assert hvp(energy, X, X).shape == (3,) and grad(lambda p: p[0])((1.0, 2.0)) == (1.0, 0.0)
    assert hessian(checkpoint(lambda x, *, y: energy(x * y)))(X, y=X).shape == (3, 3)
    with pytest.raises(ImportError, match="pip install optree"):
        grad(lambda p: p["a"])({"a": 1.0})


def test_stop_gradient() -> None:
    assert grad(lambda x: x * stop_gradient(x))(3.0) == 3.0
    assert stop_gradient(X) is X


def test_errors_of_a_hessian_name_it() -> None:
    for f in (lambda x: xgrad.sum(x) * 1j, lambda x: x * x, lambda x: (xgrad.sum(x), xgrad.sum(x)), lambda x: 1.0):
        with pytest.raises((GradientError, TypeError), match=r"^hessian: .*returned"):
            hessian(f)(X)


def test_what_cannot_fit_is_refused_at_once_with_its_size_and_what_to_do() -> None:
    x = np.zeros(10**6)
    products = r"shape \(1000000, 1000000\), 8 TB, which does not fit into the .* memory here.*hvp"
    cube = grad(lambda x: xgrad.sum(x**3))
    for made in (hessian(lambda x: xgrad.sum(x**2)), jacobian(xgrad.sin), jacrev(xgrad.sin), jacfwd(cube)):
        with pytest.raises(MemoryError, match=products):
            made(x)
    with pytest.raises(MemoryError, match=r"\(100000, 100000\), 1000 times, 80 TB"):
        xgrad.vmap(hessian(lambda x: xgrad.sum(x**2)))(np.zeros((1000, 100_000)))
    assert hessian(lambda x, y: xgrad.sum(x) * y, 1)(x, 2.0) == 0.0  # what is not asked for does not count


def test_checkpoint_recomputes() -> None:
    calls = []
    w = Tensor(X, requires_grad=True)

    def f(x: Tensor) -> Tensor:
        calls.append(1)
        keep = xgrad.random.bernoulli(0.5, (3,), like=x)
        return xgrad.sin(w * x) * (1.0 + keep)

    def run(f: Any) -> list[Any]:
        xgrad.random.seed(3)
        w.zero_grad()
        x = Tensor(X, requires_grad=True)
        f(f(x * w)).sum().backward()
        assert x.grad is not None and w.grad is not None
        return [x.grad.numpy(), w.grad.numpy(), xgrad.random.uniform().item()]

    expected = run(f)
    assert len(calls) == 2
    found = run(checkpoint(f))
    assert len(calls) == 6
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other)
    for one, other in zip(run(checkpoint(lambda x: checkpoint(f)(x))), expected):
        np.testing.assert_allclose(one, other)


def test_checkpoint_of_higher_order() -> None:
    np.testing.assert_allclose(hessian(checkpoint(energy))(X), hessian(energy)(X))
    np.testing.assert_allclose(jacfwd(checkpoint(layer))(X), jacfwd(layer)(X))


@pytest.mark.parametrize(
    "call, error, match",
    [
        (lambda: grad(layer)(X), GradientError, r"layer returned shape \(2,\); only a scalar"),
        (lambda: grad(energy)(np.arange(3)), TypeError, "argument 0 is of dtype int64, and only floating"),
        (lambda: grad(energy)(3), TypeError, "argument 0 is the int 3.*write 3.0"),
        (lambda: grad(energy)("x"), TypeError, "argument 0 is a str"),
        (lambda: grad(energy, 1)(X), ValueError, "argnums is 1, but the function was called with 1 positional"),
        (lambda: grad(lambda x: 3.0)(X), TypeError, "returned a float, not a Tensor"),
        (lambda: grad(lambda x: np.array(3))(X), TypeError, "of dtype int64, and only floating"),
        (lambda: jacobian(lambda x: np.frompyfunc(lambda i: x[i], 1, 1)([0, 1]))(X), TypeError, "dtype.'O'"),
        (lambda: grad(lambda x: None)(X), GradientError, "returned None; only a single scalar"),
        (lambda: grad(lambda x: (x[0], x[1]))(X), GradientError, r"returned a tuple of 2 arrays; .*has_aux=True"),
        (lambda: grad(energy, (0, -1))(X), ValueError, r"argnums is \(0, -1\), and names an argument twice"),
        (lambda: grad(energy, ())(X), ValueError, "names no argument"),
        (lambda: grad(energy, 0.0)(X), TypeError, "argnums is 0.0, but must be an integer"),
        (lambda: grad(energy, True)(X), TypeError, "argnums is True, but must be an integer"),
        (lambda: grad(energy)(x=X), ValueError, "called with 0 positional arguments; pass the arguments to differentiate by"),
        (lambda: grad(energy)(None), TypeError, "argument 0, None, holds no array"),
        (lambda: grad([])(X), TypeError, r"grad: takes a function, not a list; write grad\(f\)"),
        (lambda: jacobian(energy, 2)(X), ValueError, "argnums is 2"),
        (lambda: hessian(energy)(np.arange(3)), TypeError, "hessian: argument 0 is of dtype int64"),
        (lambda: hessian(layer)(X), GradientError, r"layer returned shape \(2,\); only a scalar"),
        (lambda: checkpoint(3), TypeError, "checkpoint: takes a function, not an int"),
        (lambda: jacobian(lambda x: 3.0)(X), TypeError, "returned a float"),
        (lambda: vjp(layer), TypeError, "vjp: there are no arguments"),
        (lambda: vjp(layer, X)[1](X[:2].astype("float32")), TypeError, "float32, but must be .* float64"),
        (lambda: jvp(layer, (X,), (None,)), ValueError, r"\(a single array\), not None"),
        (lambda: jvp(layer, (np.arange(3),), (np.arange(3),)), TypeError, "jvp: argument 0 is of dtype int64"),
        (lambda: grad(lambda x: xgrad.argmax(x))(X), TypeError, "returned a tensor of dtype int64"),
        (lambda: grad(lambda x: xgrad.sum(x * 1j))(X), GradientError, "complex"),
        (lambda: grad(energy, has_aux=True)(X), TypeError, "must return a pair"),
        (lambda: jvp(layer, (X,), (X[:2],)), ValueError, r"tangent of argument 0 is \(2,\) float64, but must be \(3,\)"),
        (lambda: jvp(layer, (X,), (X.astype("float32"),)), TypeError, "float32, but must be .* float64"),
        (lambda: jvp(layer, (X,), ()), ValueError, "two tuples of the same length"),
        (lambda: jvp(layer, X, X), ValueError, "two tuples of the same length"),
        (lambda: vjp(layer, X)[1](X), ValueError, "cotangent of the result is"),
        (lambda: hvp(energy, (X,), X), ValueError, "as many vectors"),
    ],
)
def test_what_bad_input_gets(call: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        call()
