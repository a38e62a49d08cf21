"""Gradients of real losses of complex arrays: PyTorch's convention, the conjugate of JAX's; and both agree with differences."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor

WEIGHTS = np.random.default_rng(7).normal(size=(6, 6))


def positive(l: Any, x: Any) -> Any:
    return x @ l.conj(x.mT) + 4 * l.eye(x.shape[-1], dtype=x.dtype)


def size(l: Any, y: Any) -> Any:
    """A real loss of a matrix that does not depend on the phases of its elements."""
    m, n = y.shape
    return l.sum(l.abs(y) ** 2 * l.asarray(WEIGHTS[:m, :n]))


Loss = Callable[[Any, Any], Any]
LOSSES: dict[str, tuple[tuple[int, ...], Loss]] = {
    "abs(z)**2": ((3,), lambda l, x: l.sum(l.abs(x) ** 2)),
    "re(z**2)": ((3,), lambda l, x: l.sum(l.real(x * x))),
    "a holomorphic chain": ((3,), lambda l, x: l.imag(l.sum(l.exp(x) / (x + 3) + l.tanh(x) * l.sqrt(x)))),
    "log and pow": ((3,), lambda l, x: l.real(l.sum(l.log(x + 4) * (x + 4) ** 2.5))),
    "conj times": ((2, 3), lambda l, x: l.real(l.sum(l.conj(x) * x * x))),
    "product, matmul": ((2, 3), lambda l, x: l.imag(l.prod(x) + l.sum(x @ (x * x).mT))),
    "vecdot": ((2, 3), lambda l, x: l.real(l.sum(l.linalg.vecdot(x, x * x)))),
    "det": ((3, 3), lambda l, x: l.imag(l.linalg.det(x))),
    "slogdet": ((3, 3), lambda l, x: sum(l.real(y * (1 + 2j)) for y in l.linalg.slogdet(x))),
    "inv": ((3, 3), lambda l, x: size(l, l.linalg.inv(positive(l, x)))),
    "solve": ((3, 3), lambda l, x: size(l, l.linalg.solve(positive(l, x), x))),
    "cholesky": ((3, 3), lambda l, x: size(l, l.linalg.cholesky(positive(l, x)))),
    "eigh": ((3, 3), lambda l, x: size(l, l.linalg.eigh(x + l.conj(x.mT))[1])),
    "eigvals": ((3, 3), lambda l, x: l.sum(l.abs(l.linalg.eigvals(x)) ** 3)),
    "qr wide": ((2, 4), lambda l, x: sum(size(l, y) for y in l.linalg.qr(x))),
    "qr tall": ((4, 2), lambda l, x: sum(size(l, y) for y in l.linalg.qr(x))),
    "svd": ((2, 4), lambda l, x: sum(size(l, y) if y.ndim > 1 else l.sum(y**3) for y in l.linalg.svd(x, full_matrices=False))),
    "pinv": ((4, 2), lambda l, x: size(l, l.linalg.pinv(x))),
    "pinv, rank-deficient": ((4, 4), lambda l, x: size(l, l.linalg.pinv(x[:, :2] @ x[2:, :]))),
    "cross": ((2, 3), lambda l, x: l.real(l.sum(l.linalg.cross(x, x * x + 1)))),
    "nuclear norm": ((2, 4), lambda l, x: l.linalg.matrix_norm(x, ord="nuc")),
    "spectral norm": ((2, 4), lambda l, x: l.linalg.matrix_norm(x, ord=2)),
    "fft": ((2, 5), lambda l, x: size(l, l.fft.fft(x, n=6))),
    "ifftn": ((3, 4), lambda l, x: size(l, l.fft.ifftn(x))),
    "irfft, odd": ((2, 3), lambda l, x: l.sum(l.fft.irfft(x, n=5) ** 3)),
    "irfft, even": ((2, 3), lambda l, x: l.sum(l.fft.irfft(x, n=4) ** 3)),
    "hfft": ((2, 4), lambda l, x: l.sum(l.fft.hfft(x, n=6) ** 3)),
}  # fmt: skip


def point(name: str) -> np.ndarray:
    parts = np.random.default_rng(3).normal(size=(2, *LOSSES[name][0]))
    return parts[0] + 1j * parts[1]


def gradient(f: Loss, a: np.ndarray) -> np.ndarray:
    x = Tensor(a, requires_grad=True)
    f(xgrad, x).backward()
    assert x.grad is not None and x.grad.dtype == "complex128"
    return x.grad.numpy()


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_is_the_conjugate_of_that_of_jax(name: str) -> None:
    jax = pytest.importorskip("jax")
    f, a = LOSSES[name][1], point(name)
    jax.config.update("jax_enable_x64", True)  # as xgrad's plug-in for it does
    theirs = np.asarray(jax.grad(lambda x: f(jax.numpy, x))(jax.numpy.asarray(a)))
    np.testing.assert_allclose(gradient(f, a), np.conj(theirs), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", LOSSES)
def test_the_gradient_is_the_derivative_by_the_real_part_plus_i_times_that_by_the_imaginary_part(name: str) -> None:
    f, a, step = LOSSES[name][1], point(name), 1e-5
    found, value = gradient(f, a), lambda z: float(f(xgrad, Tensor(z)))
    for at in np.ndindex(a.shape):
        e = np.zeros_like(a)
        e[at] = step
        wanted = (value(a + e) - value(a - e) + 1j * (value(a + 1j * e) - value(a - 1j * e))) / (2 * step)
        np.testing.assert_allclose(found[at], wanted, rtol=1e-5, atol=1e-6 * np.abs(found).max())


# ----------------------------------------------------------------------------------------------------------- Jacobians

M = np.array([[1 + 2j, -0.5j, 0.3], [2.0, 1j, -1 + 1j]])
Z = np.array([0.4 - 0.3j, -0.2 + 0.9j, 1.1 + 0.2j])
R = np.array([0.4, -0.2, 1.1])
HOLOMORPHIC: dict[str, Callable[[Any, Any], Any]] = {
    "square": lambda l, z: z**2,
    "tall": lambda l, z: l.concat([z * z[0], l.exp(z), l.sin(z) * z, z, z, l.tanh(z), 1 / z, z**3, z, z, z, z, z, z]),
    "wide": lambda l, z: l.sum(z * z * z),
    "matmul": lambda l, z: l.tanh(l.asarray(M) @ z),
    "fft": lambda l, z: l.fft.ifft(l.fft.fft(z) ** 2),
    "inv": lambda l, z: l.linalg.inv(z[:, None] * z[None, :] + 2 * l.eye(3)),
    "conj of conj": lambda l, z: l.conj(l.conj(z) * l.conj(z[0])),
    "real and imag": lambda l, z: l.real(z * z) + 1j * l.imag(z * z),
}
OF_REAL: dict[str, Callable[[Any, Any], Any]] = {
    "times i": lambda l, x: x * 0.5j,
    "fft": lambda l, x: l.fft.fft(x),
    "rfft": lambda l, x: l.fft.rfft(x * x),
    "exp(ix)": lambda l, x: l.exp(1j * x) * x[0],
    "tall": lambda l, x: l.concat([l.exp((k + 1j) * x) for k in range(14)]),
    "wide": lambda l, x: l.sum(x * x * (2 - 1j)),
    "conj": lambda l, x: l.conj(l.exp(1j * x)),
}
TO_REAL: dict[str, Callable[[Any, Any], Any]] = {
    "abs": lambda l, z: l.abs(z) ** 3,
    "real": lambda l, z: l.real(z * z * z[0]),
    "imag": lambda l, z: l.imag(l.exp(z)),
    "irfft": lambda l, z: l.fft.irfft(z, n=5),
    "wide": lambda l, z: l.sum(l.abs(z) ** 2) * l.real(z[0]),
    "tall": lambda l, z: l.concat([l.real(z * (k + 1j)) * l.abs(z) for k in range(20)]),
}
NEITHER: dict[str, Callable[[Any, Any], Any]] = {
    "conj": lambda l, z: l.conj(z),
    "abs": lambda l, z: l.abs(z) + 0j,
    "a small part": lambda l, z: l.stack([1e9 * z[0], z[1] + 1e-4 * l.conj(z[2])]),
    "one of many": lambda l, z: l.concat([z, l.conj(z[:1]) * z[0]]),
    "wide": lambda l, z: l.sum(z * l.conj(z) * z),
    "tall": lambda l, z: l.concat([l.conj(z)] * 14),
}
WAYS = {
    "jacobian": xgrad.jacobian,
    "jacrev": xgrad.jacrev,
    "jacfwd": xgrad.jacfwd,
    "in pieces": functools.partial(xgrad.jacrev, chunk_size=2),
    "vmap": lambda f: lambda z: xgrad.vmap(xgrad.jacobian(f))(z[None, ...])[0, ...],
    "of a jacobian": lambda f: lambda z: xgrad.jacfwd(lambda s: xgrad.jacrev(lambda z: f(z) * s)(z))(1.0),
}


def by_differences(f: Callable[[Any], Any], a: np.ndarray, direction: complex = 1.0) -> np.ndarray:
    """The change of the result along each element of `a`."""
    step, columns = 1e-6, []
    for at in np.ndindex(a.shape):
        e = np.zeros(a.shape, dtype=np.result_type(a, type(direction)))
        e[at] = direction * step
        columns.append((f(Tensor(a + e)).numpy() - f(Tensor(a - e)).numpy()) / (2 * step))
    return np.moveaxis(np.reshape(columns, (*a.shape, *np.shape(columns[0]))), 0, -1)


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", HOLOMORPHIC)
def test_the_jacobian_of_a_complex_differentiable_function_is_its_complex_derivative(name: str, way: str) -> None:
    f = functools.partial(HOLOMORPHIC[name], xgrad)
    found = WAYS[way](f)(Z)
    assert found.dtype == np.complex128
    close(found, by_differences(f, Z))
    close(found, by_differences(f, Z, 1j) / 1j)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", OF_REAL)
def test_the_jacobian_of_a_complex_result_by_real_numbers_has_both_parts(name: str, way: str) -> None:
    f = functools.partial(OF_REAL[name], xgrad)
    found = WAYS[way](f)(R)
    assert found.dtype == np.complex128
    close(found, by_differences(f, R))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", TO_REAL)
def test_the_jacobian_of_a_real_result_by_complex_numbers_has_gradients_for_rows(name: str, way: str) -> None:
    f = functools.partial(TO_REAL[name], xgrad)
    found = WAYS[way](f)(Z)
    close(found, by_differences(f, Z, 1.0 + 0j) + 1j * by_differences(f, Z, 1j))
    rows = [xgrad.grad(lambda z, at=at: f(z)[at])(Z) for at in np.ndindex(f(Tensor(Z)).shape)]
    close(np.reshape(found, (-1, 3)), rows)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NEITHER)
def test_what_one_complex_number_cannot_say_is_refused(name: str, way: str) -> None:
    with pytest.raises(xgrad.GradientError, match=r"not complex-differentiable in .*real and imaginary parts.*"):
        WAYS[way](functools.partial(NEITHER[name], xgrad))(Z)


@pytest.mark.parametrize("name", [*HOLOMORPHIC, *OF_REAL])
def test_jacobians_are_those_of_jax(name: str) -> None:
    jax = pytest.importorskip("jax")
    jax.config.update("jax_enable_x64", True)
    f, at = (HOLOMORPHIC[name], Z) if name in HOLOMORPHIC else (OF_REAL[name], R)
    if name in HOLOMORPHIC:
        theirs = jax.jacrev(functools.partial(f, jax.numpy), holomorphic=True)(at)
    else:
        theirs = jax.jacfwd(functools.partial(f, jax.numpy))(at)
    np.testing.assert_allclose(xgrad.jacobian(functools.partial(f, xgrad))(at), theirs, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", TO_REAL)
def test_rows_of_real_results_are_those_of_torch(name: str) -> None:
    torch = pytest.importorskip("torch")
    f = TO_REAL[name]
    theirs = torch.autograd.functional.jacobian(lambda z: f(torch, z), torch.tensor(Z))
    ours = xgrad.jacobian(functools.partial(f, xgrad))(Z)
    np.testing.assert_allclose(ours, theirs.resolve_conj().numpy(), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("name", [*HOLOMORPHIC, *OF_REAL])
def test_the_jacobian_is_what_forward_and_reverse_products_multiply_by(name: str) -> None:
    f, at = (HOLOMORPHIC[name], Z) if name in HOLOMORPHIC else (OF_REAL[name], R)
    f = functools.partial(f, xgrad)
    j, (y, push), v = xgrad.jacobian(f)(at), xgrad.linearize(f, at), at[::-1] * (1 if at is R else 1 - 2j)
    np.testing.assert_allclose(push(v), j @ v, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(xgrad.jvp(f, (at,), (v,))[1], j @ v, rtol=1e-9, atol=1e-11)
    u = np.asarray(y) * (1 + 1j)
    back = np.tensordot(u, np.conj(j), u.ndim)
    np.testing.assert_allclose(xgrad.vjp(f, at)[1](u)[0], back.real if at is R else back, rtol=1e-9, atol=1e-11)


def test_a_complex_hessian_agrees_with_its_products_or_is_refused(xp: Any) -> None:
    z, v = xp.asarray(Z, dtype=xp.complex128), xp.asarray(Z[::-1] * (1 + 1j), dtype=xp.complex128)
    f = lambda z: xgrad.sum(xgrad.abs(z) ** 2) + 2 * xgrad.real(xgrad.conj(z[0]) * z[1])
    close((xgrad.hessian(f)(z) @ v).numpy(), xgrad.hvp(f, z, v).numpy())
    with pytest.raises(xgrad.GradientError, match="the gradient of .* is not complex-diff.*xgrad.hvp has its"):
        xgrad.hessian(lambda z: xgrad.sum(xgrad.real(z**2)))(z)
    g = lambda x, z: xgrad.sum(x * x * xgrad.real(z))
    (xx, xz), (zx, zz) = xgrad.hessian(g, (0, 1))(R, Z)
    close(xx, np.diag(2 * Z.real))
    close(xz, np.diag(2 * R) + 0j)
    close(zx, np.diag(2 * R) + 0j)
    close(zz, np.zeros((3, 3)))


def test_jacobians_on_each_backend_and_of_numbers(xp: Any) -> None:
    z, x = xp.asarray(Z, dtype=xp.complex64), xp.asarray(R, dtype=xp.float32)
    for made in (xgrad.jacobian, xgrad.jacrev, xgrad.jacfwd):
        found = made(lambda z: z**2)(z)
        assert found.dtype == "complex64"
        np.testing.assert_allclose(found.numpy(), np.diag(2 * Z), rtol=1e-5)
        found = made(lambda x: x * (2 - 1j))(x)
        assert found.dtype == "complex64"
        np.testing.assert_allclose(found.numpy(), (2 - 1j) * np.eye(3), rtol=1e-5)
        with pytest.raises(xgrad.GradientError, match="not complex-differentiable"):
            made(lambda z: z * xgrad.conj(z))(z)
        assert made(lambda x: x * 1j)(2.0) == 1j and made(lambda z: z * z)(2j) == 4j and made(xgrad.real)(2j) == 1


def test_a_derivative_of_a_jacobian_counts_what_is_zero_just_there() -> None:
    f = lambda z: xgrad.jacrev(lambda z: z * xgrad.conj(z))(z)  # its part by conj(z) is z, zero at zero
    close(xgrad.jvp(f, (0j,), (1.0 + 0j,))[1], 1.0)  # the derivative of conj(z)
    with pytest.raises(xgrad.GradientError, match="not complex-differentiable"):
        f(1j)


def test_where_rules_cannot_be_batched_rows_and_columns_are_found_one_by_one() -> None:
    square = xgrad.custom_vjp(lambda z: z * z)
    square.defvjp(lambda z: (z * z, z), lambda z, g: (2 * g.numpy() * z.conj(),))
    close(xgrad.jacrev(square)(Z), np.diag(2 * Z))
