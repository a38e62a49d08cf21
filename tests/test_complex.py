"""Gradients of real losses of complex arrays: PyTorch's convention, the conjugate of JAX's; and both agree with differences."""

from __future__ import annotations

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
