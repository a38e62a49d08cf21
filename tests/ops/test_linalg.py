"""Determinants, factorizations and norms where the textbook's formula divides by zero."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor


def leaf(xp: Any, values: Any, dtype: str = "float64") -> Tensor:
    return xp.asarray(np.asarray(values, dtype=dtype).tolist(), dtype=dtype).requires_grad_()


def gradient(f: Any, x: Tensor) -> np.ndarray:
    x.grad = None
    f(x).backward()
    assert x.grad is not None
    return x.grad.numpy()


def hessian(f: Any, x: Tensor) -> np.ndarray:
    """The second derivative of a scalar, one row per element of the gradient."""
    rows = []
    for k in range(int(np.prod(x.shape))):
        x.grad = None
        f(x).backward(create_graph=True)
        first, x.grad = x.grad, None
        first.reshape(-1)[k].backward()
        rows.append(np.zeros(x.shape) if x.grad is None else x.grad.numpy())
    return np.stack(rows)


def cofactors(a: np.ndarray) -> np.ndarray:
    n = a.shape[0]
    minor = lambda i, j: np.delete(np.delete(a, i, 0), j, 1)
    return np.array([[(-1) ** (i + j) * np.linalg.det(minor(i, j)) for j in range(n)] for i in range(n)])


SINGULAR = {
    "rank n-1": [[1.0, 2.0], [2.0, 4.0]],
    "one by one": [[0.0]],
    "zero": [[0.0, 0.0], [0.0, 0.0]],
    "three, rank 2": [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [5.0, 7.0, 9.0]],
    "three, rank 1": [[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [-1.0, -2.0, -3.0]],
    "identity": np.eye(3),
}


NAMES = """cholesky cross det diagonal eig eigh eigvals eigvalsh inv matmul matrix_norm matrix_power matrix_rank
    matrix_transpose outer pinv qr slogdet solve svd svdvals tensordot trace vecdot vector_norm""".split()


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_the_extension(name: str, xp: Any) -> None:
    assert callable(getattr(xgrad.linalg, name)) and callable(getattr(xp.linalg, name))


@pytest.mark.parametrize("which", SINGULAR)
def test_pitfall_13_the_gradient_of_det_is_the_adjugate(xp: Any, which: str) -> None:
    a = np.asarray(SINGULAR[which])
    np.testing.assert_allclose(gradient(xp.linalg.det, leaf(xp, a)), cofactors(a), atol=1e-12)


@pytest.mark.parametrize("which", SINGULAR)
def test_pitfall_13_so_is_its_second_derivative(which: str) -> None:
    a, step, n = np.asarray(SINGULAR[which], dtype=float), 1e-3, len(SINGULAR[which])
    wanted = np.zeros((n * n, n, n))
    for i, j in np.ndindex(n, n):  # a cofactor is linear in each element, so the difference is exact
        e = np.zeros((n, n))
        e[i, j] = step
        wanted[:, i, j] = ((cofactors(a + e) - cofactors(a - e)) / (2 * step)).reshape(-1)
    np.testing.assert_allclose(hessian(xgrad.linalg.det, Tensor(a, requires_grad=True)), wanted, atol=1e-9)


def test_pitfall_13_a_batch_of_singular_and_regular_matrices(xp: Any) -> None:
    a = np.array([[[1.0, 2.0], [2.0, 4.0]], [[1.0, 2.0], [3.0, 4.0]], [[0.0, 0.0], [0.0, 0.0]]])
    got = gradient(lambda x: xp.sum(xp.linalg.det(x)), leaf(xp, a))
    np.testing.assert_allclose(got, np.stack([cofactors(m) for m in a]), atol=1e-12)


def test_pitfall_13_matrices_without_elements() -> None:
    x = Tensor(np.zeros((2, 0, 0)), requires_grad=True)
    y = xgrad.linalg.det(x)
    assert y.tolist() == [1.0, 1.0]
    y.sum().backward()
    assert x.grad is not None and x.grad.shape == (2, 0, 0)


NORMS = [
    *((lambda xp, x, p=p: xp.linalg.vector_norm(x, ord=p)) for p in (2, 1, 3, 1.5, np.inf, -np.inf, 0)),
    *((lambda xp, x, p=p: xp.linalg.matrix_norm(x, ord=p)) for p in ("fro", "nuc", 1, 2, -2, np.inf)),
]


@pytest.mark.parametrize("norm", range(len(NORMS)))
def test_pitfall_6_norms_of_zero_have_gradient_zero_and_a_finite_second_order(xp: Any, norm: int) -> None:
    x = leaf(xp, np.zeros((2, 2)))
    np.testing.assert_array_equal(gradient(lambda x: NORMS[norm](xp, x), x), np.zeros((2, 2)))
    for f in (lambda x: NORMS[norm](xp, x) + xp.sum(x * x), lambda x: NORMS[norm](xp, x) ** 2 + xp.sum(x * x)):
        assert np.isfinite(hessian(f, x)).all()


def test_pitfall_1_equal_candidates_share_the_gradient_of_a_norm(xp: Any) -> None:
    got = gradient(lambda x: xp.linalg.vector_norm(x, ord=np.inf), leaf(xp, [1.0, -3.0, 3.0]))
    np.testing.assert_allclose(got, [0.0, -0.5, 0.5])
    got = gradient(lambda x: xp.linalg.matrix_norm(x, ord=2), leaf(xp, np.eye(2)))
    np.testing.assert_allclose(got, np.eye(2) / 2)


@pytest.mark.filterwarnings("ignore:eigh. x has a repeated eigenvalue")  # derivatives that are not determined are finite
@pytest.mark.parametrize("a", [np.eye(3), np.diag([2.0, 2.0, 5.0]), np.zeros((3, 3))], ids=["identity", "pair", "zero"])
def test_pitfall_15_repeated_eigenvalues(xp: Any, a: np.ndarray) -> None:
    def power(x: Tensor, f: Any) -> Tensor:
        w, v = xp.linalg.eigh(x)
        return (v * f(w)[None, :]) @ v.mT

    x = leaf(xp, a)
    got = gradient(lambda x: xp.linalg.trace(power(x, xp.exp)), x)
    np.testing.assert_allclose(got, np.diag(np.exp(np.diag(a))), atol=1e-12)
    assert np.isfinite(gradient(lambda x: xp.sum(power(x, xp.exp)), x)).all()
    assert np.isfinite(hessian(lambda x: xp.sum(power(x, xp.exp)), x)).all()


def test_pitfall_15_a_projection_on_a_space_of_equal_eigenvalues() -> None:
    q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))
    a, c = q @ np.diag([2.0, 2.0, 5.0]) @ q.T, np.arange(9.0).reshape(3, 3)

    def f(a: Any, xp: Any) -> Any:
        _, v = xp.linalg.eigh((a + a.T) / 2)
        return xp.sum((v[:, :2] @ v[:, :2].T) * xp.asarray(c))

    got, step = gradient(lambda x: f(x, xgrad), Tensor(a, requires_grad=True)), 1e-6
    for i, j in np.ndindex(3, 3):
        e = np.zeros((3, 3))
        e[i, j] = step
        np.testing.assert_allclose(got[i, j], (f(a + e, np) - f(a - e, np)) / (2 * step), atol=1e-6)


@pytest.mark.filterwarnings("ignore:svd. x has a repeated singular value")
def test_pitfall_15_repeated_singular_values_are_finite(xp: Any) -> None:
    for a in (np.eye(2), np.zeros((2, 3)), np.ones((3, 2))):
        u, s, vh = xp.linalg.svd(x := leaf(xp, a), full_matrices=False)
        (xp.sum(u * u) + xp.sum(s) + xp.sum(vh * vh)).backward()
        assert np.isfinite(x.grad.numpy()).all()


def test_small_singular_values_are_told_apart_in_float32() -> None:
    q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(2, 3, 3)))
    a = q[0] @ np.diag([1.0, 2e-4, 1e-4]) @ q[1].T
    single, double = (
        gradient(lambda x: xgrad.linalg.svd(x).U[0, 1] ** 2, Tensor(a.astype(dtype), requires_grad=True))
        for dtype in ("float32", "float64")
    )
    np.testing.assert_allclose(single, double, atol=0.01 * np.abs(double).max())


@pytest.mark.parametrize("upper", [False, True])
def test_pitfall_16_cotangents_of_symmetric_matrices_are_symmetric(xp: Any, upper: bool) -> None:
    x = leaf(xp, [[4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0]])
    for f in (
        lambda x: xp.sum(xp.linalg.cholesky(x, upper=upper) ** 3),
        lambda x: xp.sum(xp.linalg.eigh(x)[1] ** 4),
        lambda x: xp.sum(xp.linalg.eigvalsh(x) ** 2),
    ):
        got = gradient(f, x)
        np.testing.assert_allclose(got, got.T, atol=1e-12)


def test_writing_to_a_diagonal() -> None:
    x = Tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    xgrad.linalg.diagonal(x, offset=1)[0] = 20.0
    assert x.tolist() == [[1.0, 20.0, 3.0], [4.0, 5.0, 6.0]]


@pytest.mark.parametrize("n", [0, 1, -1])
def test_matrix_power(xp: Any, n: int) -> None:
    x = leaf(xp, [[1.0, 2.0], [3.0, np.inf if n == 0 else 4.0]])
    y = xp.linalg.matrix_power(x, n)
    if n == 0:
        np.testing.assert_array_equal(y.detach().numpy(), np.eye(2))
        np.testing.assert_array_equal(gradient(lambda x: xp.sum(xp.linalg.matrix_power(x, 0)), x), np.zeros((2, 2)))
    else:
        np.testing.assert_allclose(y.detach().numpy(), np.linalg.matrix_power(x.detach().numpy(), n))


def test_results_have_the_names_of_the_standard(xp: Any) -> None:
    x = leaf(xp, [[2.0, 1.0], [1.0, 3.0]])
    assert xp.linalg.eigh(x)._fields == ("eigenvalues", "eigenvectors")
    assert xp.linalg.qr(x)._fields == ("Q", "R")
    assert xp.linalg.slogdet(x)._fields == ("sign", "logabsdet")
    assert xp.linalg.svd(x)._fields == ("U", "S", "Vh")


@pytest.mark.parametrize(
    ("f", "message"),
    [
        (lambda l, x: l.det(x), r"det: x has shape \(2, 3\); its last two axes"),
        (lambda l, x: l.solve(xgrad.eye(3), x), "x2 must have as many rows"),
        (lambda l, x: l.outer(x, x), "both must have one axis"),
        (lambda l, x: l.cross(x, x, axis=0), "it must have three elements"),
        (lambda l, x: l.matrix_norm(x, ord=3), "it must be 'fro'"),
    ],
)
def test_errors_say_what_happened(f: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        f(xgrad.linalg, xgrad.ones((2, 3)))


# The first is not exactly singular for every library's QR; the last one is.
SINGULAR_AND_NOT = [[[1.0, 2.0], [2.0, 4.0]], [[2.0, 1.0], [0.0, 3.0]], [[0.0, 0.0], [0.0, 0.0]]]


@pytest.mark.parametrize("kind", ["slogdet", "qr"])
def test_a_singular_matrix_in_a_stack_has_no_derivative_and_leaves_the_others_theirs(xp: Any, kind: str) -> None:
    f = (lambda x: xp.linalg.slogdet(x)[1]) if kind == "slogdet" else (lambda x: xp.sum(xp.linalg.qr(x)[0] ** 3, axis=(-2, -1)))
    got = gradient(lambda x: xp.sum(f(x)[1:]), x := leaf(xp, SINGULAR_AND_NOT))
    alone = gradient(lambda x: xp.sum(f(x)), leaf(xp, SINGULAR_AND_NOT[1:2]))
    np.testing.assert_allclose(got[1], alone[0], rtol=1e-12)
    assert np.isnan(got[2]).all()
    forward = xgrad.jvp(f, (x.detach(),), (xp.ones_like(x.detach()),))[1].numpy()
    np.testing.assert_allclose(forward[1], alone[0].sum(), rtol=1e-12)
    assert np.isnan(forward[2])


def general(xp: Any) -> bool:
    """Whether the library has eigenvalues of general matrices."""
    return hasattr(xgrad.backend.find_backend(xp.zeros(1).backend).xp.linalg, "eig")


def test_eig_is_complex_with_vectors_of_length_one(xp: Any) -> None:
    x = xp.asarray([[0.0, 1.0], [-4.0, 0.0]])
    if not general(xp):
        with pytest.raises(NotImplementedError, match=r"eig: the library of backend '\w+' has no eigenvalues of general"):
            xp.linalg.eig(x)
        with pytest.raises(NotImplementedError, match="eigvals: the library"):
            xp.linalg.eigvals(x)
        return
    result = xp.linalg.eig(x)
    assert result._fields == ("eigenvalues", "eigenvectors")
    assert result.eigenvalues.dtype == result.eigenvectors.dtype == xp.linalg.eigvals(x).dtype == "complex64"
    np.testing.assert_allclose(np.sort_complex(result.eigenvalues.numpy()), [-2j, 2j], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(result.eigenvectors.numpy(), axis=0), 1, atol=1e-6)
    assert xp.linalg.eig(xp.eye(2)).eigenvalues.dtype == "complex64"  # although they are real
    assert xp.linalg.eig(xp.zeros((2, 0, 0))).eigenvectors.shape == (2, 0, 0)


@pytest.mark.filterwarnings("ignore:eig. x has a repeated eigenvalue")
def test_repeated_eigenvalues_of_a_general_matrix_are_finite() -> None:
    for a in (np.eye(3), np.zeros((2, 2)), np.diag([2.0, 2.0, 5.0])):
        x = Tensor(a, requires_grad=True)
        got = gradient(lambda x: xgrad.sum(xgrad.real(xgrad.exp(xgrad.linalg.eigvals(x)))), x)
        np.testing.assert_allclose(got, np.diag(np.exp(np.diag(a))), atol=1e-12)
        assert np.isfinite(hessian(lambda x: xgrad.sum(xgrad.real(xgrad.exp(xgrad.linalg.eigvals(x)))), x)).all()


# ------------------------------------------------------------------- functions of a matrix by way of its eigenvalues


def by_eigh(xp: Any, x: Tensor, f: Any) -> Any:
    w, v = xp.linalg.eigh(x)
    return (v * f(w)[..., None, :]) @ xp.conj(v.mT)


def by_svd(xp: Any, x: Tensor, f: Any) -> Any:
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    return (u * f(s)[..., None, :]) @ vh


def by_eig(xp: Any, x: Tensor, f: Any) -> Any:
    w, v = xp.linalg.eig(x)
    return xp.real((v * f(w)[..., None, :]) @ xp.linalg.inv(v))


WAYS = {"eigh": by_eigh, "svd": by_svd, "eig": by_eig}
DERIVATIVES = {
    "backward": lambda f, x: f(Tensor(x, requires_grad=True))[0, 1].backward(),
    "create_graph": lambda f, x: f(Tensor(x, requires_grad=True))[0, 1].backward(create_graph=True),
    "grad": lambda f, x: xgrad.grad(lambda x: f(x)[0, 1])(x),
    "jacrev": lambda f, x: xgrad.jacrev(f)(x),
    "jacfwd": lambda f, x: xgrad.jacfwd(f)(x),
    "jvp": lambda f, x: xgrad.jvp(f, (x,), (np.ones(x.shape),)),
    "hessian": lambda f, x: xgrad.hessian(lambda x: f(x)[0, 1])(x),
    "vmap": lambda f, x: xgrad.vmap(xgrad.grad(lambda x: f(x)[0, 1]))(np.stack([x, x])),
}


@pytest.mark.parametrize("derivative", DERIVATIVES)
@pytest.mark.parametrize("function", ["exp", "log"])
@pytest.mark.parametrize("way", WAYS)
def test_what_repeated_values_do_not_tell_is_warned_of_by_every_derivative(way: str, function: str, derivative: str) -> None:
    f = lambda x: WAYS[way](xgrad, x, getattr(xgrad, function))
    for a in (np.eye(2), np.diag([2.0, 2.0, 3.0]), np.diag([2.0, 2.0 + 1e-13, 3.0])):
        with pytest.warns(RuntimeWarning, match=f"^{way}: x has a repeated .*matrix_function"):
            DERIVATIVES[derivative](f, a)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        DERIVATIVES[derivative](f, np.diag([1.0, 2.0, 3.0]))


def test_what_repeated_values_do_tell_is_not_warned_of() -> None:
    polar = lambda x: by_svd(xgrad, x, xgrad.ones_like)
    top = lambda x: (lambda w, v: w[-1] * xgrad.sum(xgrad.abs(v[:, -1]) ** 3))(*xgrad.linalg.eigh(x))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        xgrad.grad(lambda x: xgrad.linalg.trace(by_eigh(xgrad, x, xgrad.exp)))(np.eye(3))
        xgrad.grad(lambda x: xgrad.sum(xgrad.linalg.eigh(x)[0] ** 2))(np.eye(3))
        xgrad.grad(lambda x: xgrad.sum(xgrad.linalg.svd(x)[1]))(np.eye(3))
        xgrad.grad(lambda x: xgrad.sum(polar(x) * np.arange(9.0).reshape(3, 3)))(np.eye(3))
        xgrad.grad(top)(np.diag([0.0, 0.0, 0.0, 3.0]))  # of a matrix of low rank


@pytest.mark.parametrize("kind", ["real", "complex"])
@pytest.mark.parametrize("values", [(2.0, 2.0, 2.0), (3.0, 1.0, 1.0), (2.0, 2.0 + 1e-9, 1.0)], ids=str)
def test_the_polar_factor_is_right_at_repeated_singular_values(values: tuple[float, ...], kind: str) -> None:
    """``u vh`` depends smoothly on a regular matrix: Newton's iteration for it, by inverses, has the same derivatives."""
    rng = np.random.default_rng(0)
    draw = lambda: rng.normal(size=(3, 3)) + (1j * rng.normal(size=(3, 3)) if kind == "complex" else 0)
    a = (np.linalg.qr(draw())[0] * np.asarray(values)) @ np.linalg.qr(draw())[0]
    c, t = draw(), draw()

    def newton(x: Any) -> Any:
        for _ in range(9):
            x = (x + xgrad.conj(xgrad.linalg.inv(x).mT)) / 2
        return x

    def svd(x: Any) -> Any:
        u, _, vh = xgrad.linalg.svd(x)
        return u @ vh

    loss = lambda f: lambda x: xgrad.sum(xgrad.real(f(x) * c))
    close = 1e-5 if 0 < values[1] - values[0] < 1e-8 else 1e-9  # rounding errors, divided by the difference
    np.testing.assert_allclose(xgrad.grad(loss(svd))(a), xgrad.grad(loss(newton))(a), atol=close)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # forward mode does not know that the values are not used
        np.testing.assert_allclose(xgrad.jvp(svd, (a,), (t,))[1], xgrad.jvp(newton, (a,), (t,))[1], atol=close)


def test_pitfall_15_what_the_cotangents_of_repeated_eigenvalues_do_not_tell_is_warned_of() -> None:
    def power(x: Tensor) -> Tensor:
        w, v = xgrad.linalg.eigh(x)
        return (v * xgrad.exp(w)[None, :]) @ v.mT

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gradient(lambda x: xgrad.linalg.trace(power(x)), Tensor(np.eye(3), requires_grad=True))
        gradient(lambda x: xgrad.sum(power(x)), Tensor(np.diag([1.0, 2.0, 3.0]), requires_grad=True))
        gradient(lambda x: xgrad.sum(power(x)), Tensor(np.eye(1), requires_grad=True))
    with pytest.warns(RuntimeWarning, match="eigh: x has a repeated eigenvalue"):
        gradient(lambda x: xgrad.sum(power(x)), Tensor(np.eye(3), requires_grad=True))


# ------------------------------------------------------------------------------------------- truncated pseudo-inverses


def with_values(m: int, n: int, values: tuple[float, ...], kind: str = "real", seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    u, v = (np.linalg.qr(rng.normal(size=(k, k)) + (1j * rng.normal(size=(k, k)) if kind == "complex" else 0))[0] for k in (m, n))
    return (u[:, : len(values)] * np.asarray(values)) @ v[:, : len(values)].conj().T


def slope(f: Any, x: np.ndarray, t: np.ndarray, step: float = 1e-4) -> Any:
    """The derivative along `t` by a five-point difference."""
    return (8 * (f(x + step * t) - f(x - step * t)) - (f(x + 2 * step * t) - f(x - 2 * step * t))) / (12 * step)


def inner(a: Any, b: Any) -> float:
    return float(np.real(np.sum(np.conj(a) * b)))


LSTSQ = {
    "pinv": (lambda x, b: xgrad.linalg.pinv(x, rtol=0.3), lambda x, b: np.linalg.pinv(x, rcond=0.3)),
    "lstsq of NumPy": (lambda x, b: np.linalg.lstsq(x, b, rcond=0.3)[0], lambda x, b: np.linalg.lstsq(x, b, rcond=0.3)[0]),
    "lstsq of SciPy": (
        lambda x, b: xgrad.scipy.linalg.lstsq(x, b, cond=0.3)[0],
        lambda x, b: np.linalg.pinv(x, rcond=0.3) @ b,
    ),
}


@pytest.mark.parametrize("kind", ["real", "complex"])
@pytest.mark.parametrize(
    "values", [(3.0, 2.0, 0.5), (3.0, 3.0, 0.5), (3.0, 0.5, 0.5), (3.0, 2.0, 1e-3), (3.0, 3.0, 0.0)], ids=str
)
@pytest.mark.parametrize("shape", [(3, 3), (5, 3), (3, 4)], ids=str)
@pytest.mark.parametrize("function", LSTSQ)
def test_a_tolerance_that_drops_singular_values_has_the_derivatives_of_the_truncated_decomposition(
    function: str, shape: tuple[int, int], values: tuple[float, ...], kind: str
) -> None:
    ours, numpy = LSTSQ[function]
    a = with_values(*shape, values, kind)
    rng = np.random.default_rng(1)
    draw = lambda *n: rng.normal(size=n) + (1j * rng.normal(size=n) if kind == "complex" else 0)
    b, t, t2 = draw(shape[0]), draw(*shape), draw(*shape)
    if values[2] == 0:  # there is a derivative along a change that keeps the rank
        u, _, vh = np.linalg.svd(a)
        p, q = u[:, 2:] @ u[:, 2:].conj().T, vh[2:].conj().T @ vh[2:]
        t, t2 = (x - p @ x @ q for x in (t, t2))
    wanted = slope(lambda x: numpy(x, b), a, t)
    np.testing.assert_allclose(ours(Tensor(a), Tensor(b)).numpy(), numpy(a, b), atol=1e-12)
    np.testing.assert_allclose(xgrad.jvp(lambda x: ours(x, Tensor(b)), (a,), (t,))[1], wanted, atol=1e-8)
    g = draw(*wanted.shape)
    gradient = xgrad.grad(lambda x: xgrad.sum(xgrad.real(ours(x, Tensor(b)) * g.conj())))
    np.testing.assert_allclose(inner(gradient(a), t), inner(g, wanted), atol=1e-8)
    if values[2]:
        second = slope(gradient, a, t2)
        np.testing.assert_allclose(xgrad.jvp(gradient, (a,), (t2,))[1], second, atol=1e-7)
        twice = xgrad.grad(lambda x: xgrad.sum(xgrad.real(xgrad.conj(gradient(x)) * t)))(a)
        np.testing.assert_allclose(inner(twice, t2), inner(second, t), atol=1e-7)


def test_each_of_a_stack_has_its_own_tolerance(xp: Any) -> None:
    a = np.stack([with_values(4, 3, (3.0, 2.0, 0.5), seed=k) for k in range(2)])
    rtol = np.asarray([0.3, 0.05])
    f = lambda x, r: xp.sum(xp.linalg.pinv(x, rtol=r) ** 3)
    got = gradient(lambda x: f(x, xp.asarray(rtol.tolist(), dtype="float64")), leaf(xp, a))
    for k in range(2):
        np.testing.assert_allclose(got[k], gradient(lambda x, k=k: f(x, float(rtol[k])), leaf(xp, a[k])), atol=1e-10)
    wanted = slope(lambda x: np.sum(np.linalg.pinv(x, rcond=0.3) ** 3), a[0], a[1])
    np.testing.assert_allclose(np.sum(got[0] * a[1]), wanted, rtol=1e-7)


@pytest.mark.parametrize("size", [1e-150, 1e-100, 1e100, 1e150])
def test_a_truncated_pseudo_inverse_of_a_badly_scaled_matrix(size: float) -> None:
    a, t = with_values(4, 3, (3.0, 2.0, 0.5)), with_values(4, 3, (1.0, 0.7, 0.4), seed=1)
    f = lambda x: xgrad.linalg.pinv(x, rtol=0.3)
    change = xgrad.jvp(f, (a,), (t,))[1]
    with np.errstate(all="raise"):
        np.testing.assert_allclose(xgrad.jvp(f, (a * size,), (t * size,))[1] * size, change, rtol=1e-10)
        got = xgrad.grad(lambda x: xgrad.sum(f(x)))(a * size)
    np.testing.assert_allclose(got * size * size, xgrad.grad(lambda x: xgrad.sum(f(x)))(a), rtol=1e-9)


# --------------------------------------------------------------------------------------------------- beyond second order


@pytest.mark.parametrize(
    "a", [np.eye(3), np.zeros((3, 3)), np.ones((3, 3)), np.diag([2.0, 2.0, 0.0])], ids=["one", "zero", "ones", "pair"]
)
def test_the_third_derivative_of_det_is_the_same_everywhere(a: np.ndarray) -> None:
    """The determinant of three rows is a cubic, with the polarized determinant for its third derivative."""
    e = np.random.default_rng(0).normal(size=(3, 3, 3))
    det = np.linalg.det
    wanted = det(e.sum(0)) - det(e[0] + e[1]) - det(e[0] + e[2]) - det(e[1] + e[2]) + sum(map(det, e))
    f: Any = xgrad.linalg.det
    for t in e:
        f = lambda x, f=f, t=t: xgrad.jvp(f, (x,), (t,))[1]
    np.testing.assert_allclose(f(a), wanted, rtol=1e-10)
    g: Any = xgrad.linalg.det
    for t in e:
        g = lambda x, g=g, t=t: xgrad.sum(xgrad.grad(g)(x) * t)
    np.testing.assert_allclose(g(Tensor(a)).numpy(), wanted, rtol=1e-10)


# ----------------------------------------------------------------------------------------------------- norms at their edges


def test_singular_values_that_are_equal_or_zero_to_within_rounding_count_as_such(xp: Any) -> None:
    q = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    low = with_values(4, 4, (3.0, 2.0))
    u, _, vh = np.linalg.svd(low)
    norm = lambda p: lambda x: xp.linalg.matrix_norm(x, ord=p)
    np.testing.assert_allclose(gradient(norm(2), leaf(xp, q)), q / 4, atol=1e-12)
    np.testing.assert_allclose(gradient(norm(-2), leaf(xp, q)), q / 4, atol=1e-12)
    np.testing.assert_allclose(gradient(norm("nuc"), leaf(xp, low)), u[:, :2] @ vh[:2], atol=1e-12)
    np.testing.assert_allclose(gradient(norm(2), leaf(xp, low)), u[:, :1] @ vh[:1], atol=1e-12)
    np.testing.assert_array_equal(gradient(norm(-2), leaf(xp, low)), np.zeros((4, 4)))


@pytest.mark.parametrize("shape", [(0, 0), (3, 0), (0, 3), (2, 0, 3)], ids=str)
def test_norms_and_ranks_of_matrices_without_elements(shape: tuple[int, ...]) -> None:
    for p in ("fro", "nuc", 1, 2, np.inf):
        x = Tensor(np.zeros(shape), requires_grad=True)
        y = xgrad.linalg.matrix_norm(x, ord=p)
        np.testing.assert_array_equal(y.detach().numpy(), np.zeros(shape[:-2]))
        xgrad.sum(y).backward()
        assert x.grad is not None and x.grad.shape == shape
    np.testing.assert_array_equal(xgrad.linalg.matrix_rank(Tensor(np.zeros(shape))).numpy(), np.zeros(shape[:-2], int))
    if len(shape) == 2:
        for result in (
            np.linalg.lstsq(Tensor(np.zeros(shape)), np.zeros(shape[0])),
            xgrad.scipy.linalg.lstsq(np.zeros(shape), np.zeros(shape[0])),
        ):
            assert result[0].shape == shape[1:]
    if shape[0] == 0 and len(shape) == 2:
        with pytest.raises(ValueError, match="an empty matrix has no smallest value"):
            xgrad.linalg.matrix_norm(Tensor(np.zeros((shape[0], 0))), ord=-1)


@pytest.mark.parametrize("p", [None, -2, 1, "fro"])
def test_the_condition_of_singular_matrices_is_numpys(p: Any) -> None:
    stack = np.stack([np.diag([1.0, 2.0]), np.ones((2, 2)), np.zeros((2, 2)), np.eye(2)])
    with np.errstate(all="raise"):
        np.testing.assert_allclose(np.linalg.cond(Tensor(stack), p).numpy(), np.linalg.cond(stack, p), rtol=1e-12)
        got = gradient(lambda x: xgrad.sum(np.linalg.cond(x, p)), Tensor(stack[::2], requires_grad=True))
    t = np.diag([1.0, -1.0])
    np.testing.assert_allclose(inner(got[0], t), slope(lambda a: np.linalg.cond(a, p), stack[0], t), rtol=1e-8)
    np.testing.assert_array_equal(got[1], np.zeros((2, 2)))
    if p != -2:  # there is none at infinity, and NumPy warns
        with np.errstate(invalid="ignore"):
            exactly, rounded = (
                gradient(lambda x: np.linalg.cond(x, p), Tensor(a, requires_grad=True))
                for a in (np.diag([1.0, 0.0]), np.ones((2, 2)))
            )
        assert not np.isfinite(exactly).all()
        assert not (np.abs(rounded) < 1e15).all()  # some builds of LAPACK find 1e-17 for the singular value 0


@pytest.mark.parametrize("name", ["diagonal", "trace", "pinv", "matrix_rank", "qr", "svd", "svdvals", "matrix_norm"])
def test_vectors_are_no_matrices(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name}: x has shape \(3,\); a matrix has two axes at least"):
        getattr(xgrad.linalg, name)(xgrad.ones(3))
