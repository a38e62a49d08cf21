"""Functions of Hermitian matrices: right derivatives of every order at distinct, close and repeated eigenvalues."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import GradientError, Tensor
from xgrad.backend import raw_namespace
from xgrad.ops.beyond.matrix_functions import _differences, _Function, logarithm, power
from xgrad.scipy.linalg import expm

mpmath = pytest.importorskip("mpmath")

VALUES = {
    "distinct": (0.5, 1.0, 2.0),
    "all equal": (1.0, 1.0, 1.0),
    "a pair": (1.0, 1.0, 2.0),
    "close": (1.0, 1.0 + 1e-9, 2.0),
    "closer": (1e-12, 1.0, 1.0 + 1e-13),
    "near zero": (1e-9, 2e-9, 1.0),
    "graded": (1e-9, 1e-6, 1e-3),
    "a little apart": (1.0, 1.1, 1.3),
    "far apart": (0.5, 3.0, 50.0),
    "small": (1e-150, 1.1e-150, 3e-150),
    "large": (1e150, 1.1e150, 3e150),
}
FUNCTIONS = {
    "exp": (xgrad.exp, mpmath.exp),
    "log": (xgrad.log, mpmath.log),
    "sqrt": (xgrad.sqrt, mpmath.sqrt),
    "sin": (xgrad.sin, mpmath.sin),
    "square": (lambda w: w * w, lambda w: w * w),
    "phase": (lambda w: xgrad.exp(1j * w), lambda w: mpmath.exp(1j * w)),
}


def exact(f: Any, at: list[float]) -> complex:
    """The divided difference with 700 digits, equal places 1e-40 apart."""
    with mpmath.workdps(700):
        places = [mpmath.mpf(x) * (1 + (k + 1) * mpmath.mpf(10) ** -40) for k, x in enumerate(at)]
        row = [f(x) for x in places]
        for m in range(1, len(at)):
            row = [(b - a) / (places[i + m] - places[i]) for i, (a, b) in enumerate(itertools.pairwise(row))]
        return complex(row[0])


@pytest.mark.parametrize("order", [1, 2])
@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("values", VALUES)
def test_divided_differences_are_precise_near_and_far(values: str, name: str, order: int) -> None:
    w, (f, reference) = np.asarray(VALUES[values]), FUNCTIONS[name]
    if values == "large" and name in ("exp", "sin", "phase", "square"):
        pytest.skip("out of range, or nothing but rounding")
    own = {"log": logarithm, "sqrt": power(0.5)}.get(name)
    with np.errstate(all="raise", under="ignore"):
        for derivatives in (_Function(f), own) if own else (_Function(f),):
            got = _differences(raw_namespace(w), derivatives, w, order)
            for place in itertools.product(range(3), repeat=order + 1):
                wanted = exact(reference, w[list(place)].tolist())
                assert abs(got[place] - wanted) <= 1e-11 * abs(wanted) + 1e-300


def matrix(values: str, kind: str) -> np.ndarray:
    rng = np.random.default_rng(0)
    q = np.linalg.qr(rng.normal(size=(3, 3)) + (1j * rng.normal(size=(3, 3)) if kind == "complex" else 0))[0]
    return hermitian((q * np.asarray(VALUES[values])) @ q.conj().T)


def hermitian(x: np.ndarray) -> np.ndarray:
    return (x + x.conj().T) / 2


def polynomial(x: Any) -> Any:
    """``1 + x - 2 x^2 + x^3 / 2``, by products of matrices."""
    one = xgrad.linalg.matrix_power(x, 0)
    return one + x - 2 * (x @ x) + x @ x @ x / 2


@pytest.mark.parametrize("kind", ["real", "complex"])
@pytest.mark.parametrize("values", ["distinct", "all equal", "a pair", "close", "closer", "graded"])
@pytest.mark.parametrize("function", ["polynomial", "exp"])
def test_derivatives_up_to_the_third_are_those_of_the_same_function_without_eigenvalues(
    function: str, values: str, kind: str
) -> None:
    other = polynomial if function == "polynomial" else expm
    of_numbers = (lambda w: 1 + w - 2 * w * w + w * w * w / 2) if function == "polynomial" else xgrad.exp
    ours = lambda x: xgrad.linalg.matrix_function(x, of_numbers)
    a, rng = matrix(values, kind), np.random.default_rng(1)
    draw = lambda: rng.normal(size=(3, 3)) + (1j * rng.normal(size=(3, 3)) if kind == "complex" else 0)
    changes, c = [hermitian(draw()) for _ in range(3)], hermitian(draw())
    np.testing.assert_allclose(ours(Tensor(a)).numpy(), other(Tensor(a)).numpy(), atol=1e-10)

    def along(f: Any, t: Any) -> Any:
        return lambda x: xgrad.jvp(f, (x,), (t,))[1]

    def back(f: Any, t: Any) -> Any:
        return lambda x: xgrad.sum(xgrad.real(xgrad.conj(xgrad.grad(f)(x)) * t))

    forward, backward = (ours, other), tuple(lambda x, f=f: xgrad.sum(xgrad.real(f(x) * c)) for f in (ours, other))
    for t in changes if function == "polynomial" else changes[:2]:
        forward, backward = tuple(along(f, t) for f in forward), tuple(back(f, t) for f in backward)
        got, wanted = (f(a) for f in forward)
        np.testing.assert_allclose(got, wanted, atol=1e-8)
        got, wanted = (f(Tensor(a)).detach().numpy() for f in backward)
        np.testing.assert_allclose(got, wanted, atol=1e-8, rtol=1e-8)


@pytest.mark.parametrize("way", ["grad", "jacrev", "jacfwd", "vmap"])
def test_the_derivative_at_the_identity_is_that_of_the_function(way: str, xp: Any) -> None:
    f = lambda x: xp.linalg.matrix_function(x, xp.exp)
    one = xp.asarray(np.eye(2).tolist(), dtype="float64")
    wanted = math.e * np.asarray([[[[1, 0], [0, 0]], [[0, 0.5], [0.5, 0]]], [[[0, 0.5], [0.5, 0]], [[0, 0], [0, 1]]]])
    host = lambda x: x.detach().numpy() if isinstance(x, Tensor) else np.asarray(x)
    if way == "grad":
        actual = host(xgrad.grad(lambda x: f(x)[0, 1])(one))
        wanted = wanted[0, 1]
    elif one.backend == "dask":
        pytest.skip("vmap does not run on Dask")
    elif way == "vmap":
        actual = host(xgrad.vmap(xgrad.grad(lambda x: f(x)[0, 1]))(xp.stack([one, one])))
        wanted = wanted[None, 0, 1].repeat(2, 0)
    else:
        actual = host(getattr(xgrad, way)(f)(one))
    np.testing.assert_allclose(actual, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", ["sqrtm", "logm", "fractional_matrix_power"])
@pytest.mark.parametrize("kind", ["real", "complex"])
@pytest.mark.parametrize("values", ["distinct", "all equal", "a pair", "close"])
def test_functions_of_scipy_at_repeated_eigenvalues(name: str, values: str, kind: str) -> None:
    """Derivatives by those of the inverse functions, which are products of matrices."""
    scipy = pytest.importorskip("scipy.linalg")
    p = 1 / 3
    call = functools.partial(getattr(xgrad.scipy.linalg, name), **({"t": p} if name == "fractional_matrix_power" else {}))
    inverse = {"sqrtm": lambda y: y @ y, "logm": expm, "fractional_matrix_power": lambda y: y @ y @ y}[name]
    reference = {"sqrtm": scipy.sqrtm, "logm": scipy.logm}.get(name, lambda a: scipy.fractional_matrix_power(a, p))
    a, rng = matrix(values, kind), np.random.default_rng(1)
    t = hermitian(rng.normal(size=(3, 3)) + (1j * rng.normal(size=(3, 3)) if kind == "complex" else 0))
    for options in ({}, {"hermitian": True}):
        f = functools.partial(call, **options)
        np.testing.assert_allclose(f(Tensor(a)).numpy(), reference(a), atol=1e-9)
        y, change = xgrad.jvp(f, (a,), (t,))
        np.testing.assert_allclose(xgrad.jvp(inverse, (y,), (change,))[1], t, atol=1e-7)
        c = hermitian(rng.normal(size=(3, 3)))
        gradient = xgrad.grad(lambda x, f=f, c=c: xgrad.sum(xgrad.real(f(x) * c)))(a)
        np.testing.assert_allclose(np.sum((gradient.conj() * t).real), np.sum((change * c).real), atol=1e-8)


@pytest.mark.filterwarnings("ignore:Matrix is singular", "ignore:The logm input matrix", "ignore:logm result may be inaccurate")
def test_a_singular_matrix_has_no_power_with_a_derivative() -> None:
    for f in (xgrad.scipy.linalg.sqrtm, xgrad.scipy.linalg.logm, lambda a: xgrad.scipy.linalg.fractional_matrix_power(a, 0.3)):
        for a in (np.zeros((2, 2)), np.diag([1.0, 0.0])):
            assert np.isnan(xgrad.grad(lambda x, f=f: xgrad.sum(xgrad.real(f(x))))(a)).all()


def test_shapes_kinds_and_sizes() -> None:
    f = xgrad.linalg.matrix_function
    stack = np.stack([np.eye(2), np.diag([1.0, 4.0])])
    np.testing.assert_allclose(f(Tensor(stack), xgrad.sqrt).numpy(), np.sqrt(stack))
    assert f(xgrad.zeros((2, 0, 0)), xgrad.exp).shape == (2, 0, 0)
    assert f(Tensor(np.eye(2, dtype="float32")), lambda w: xgrad.exp(1j * w)).dtype == "complex64"
    assert f(Tensor(np.eye(2) + 0j), xgrad.exp).dtype == "complex128"
    x = Tensor(np.eye(2), requires_grad=True)
    f(x, xgrad.ones_like)[0, 0].backward()  # a constant
    np.testing.assert_array_equal(x.grad.numpy(), np.zeros((2, 2)))  # type: ignore[union-attr]


def test_what_cannot_be_differentiated_is_refused() -> None:
    f, p = xgrad.linalg.matrix_function, Tensor(2.0, requires_grad=True)
    with pytest.raises(GradientError, match="f uses a tensor that requires grad, which would get no gradient; detach it"):
        f(Tensor(np.eye(2)), lambda w: w**p)
    with xgrad.no_grad():
        np.testing.assert_allclose(f(Tensor(2 * np.eye(2)), lambda w: w**p).numpy(), 4 * np.eye(2))
    with pytest.raises(ValueError, match=r"matrix_function: x has shape \(2, 3\); its last two axes"):
        f(xgrad.ones((2, 3)), xgrad.exp)
    with pytest.raises(ValueError, match=r"f returned a Tensor of shape \(\) for one of \(2,\)"):
        f(xgrad.eye(2), xgrad.sum)
    with pytest.raises(TypeError, match=r"f returned 1\.0; it must return a floating Tensor"):
        f(xgrad.eye(2), lambda w: 1.0)
    with pytest.raises(TypeError, match="the exponent t must be a real number, without a gradient"):
        xgrad.scipy.linalg.fractional_matrix_power(np.eye(2), p)
    with pytest.raises(ValueError, match="logm: A has shape"):
        xgrad.scipy.linalg.logm(np.ones((2, 3)))
