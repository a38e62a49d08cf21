"""Adjoints, lengths, norms and errors of Fourier transforms."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import xgrad
from tests.harness import standard
from xgrad import Tensor
from xgrad.graph.names import registry

NAMES = standard.EXTENSIONS["fft"].split()
NORMS = ("backward", "ortho", "forward")
REAL, HALF = ("rfft", "ihfft"), ("irfft", "hfft")


def drawn(shape: tuple[int, ...], real: bool, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=shape)
    return x if real else x + 1j * rng.normal(size=shape)


def inner(x: Any, y: Any) -> float:
    return float(np.real(np.sum(np.conj(np.asarray(x)) * np.asarray(y))))


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_the_extension_exists(name: str, xp: Any) -> None:
    assert callable(getattr(xgrad.fft, name)) and callable(getattr(xp.fft, name))
    assert name in xgrad.fft.__all__ and (name.endswith("freq") or name in registry)


def test_the_op_fft_does_not_hide_the_extension_fft(raw: Any) -> None:
    assert inspect.ismodule(xgrad.fft) and callable(raw.fft.fft) and inspect.ismodule(raw.fft)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft"])
def test_pitfall_29_the_gradient_is_the_adjoint(name: str, norm: str) -> None:
    """``<g, F v> = <F* g, v>`` for the gradient F*, and for the gradient of F*, for every length and axis."""
    transform = getattr(xgrad.fft, name)
    for m in (2, 3, 6, 7):
        for n in (None, 1, 2, 3, 4, 5, 6, 7, 8, 13):
            for axis, shape in ((-1, (m,)), (0, (m, 2)), (1, (2, m, 3)), (-2, (2, m, 3))):
                x = Tensor(drawn(shape, name in REAL), requires_grad=True)
                y = transform(x, n=n, axis=axis, norm=norm)
                if n is not None:
                    assert y.shape[axis] == (n // 2 + 1 if name in REAL else n)
                g = Tensor(drawn(y.shape, name in HALF, 1), requires_grad=True)
                y.backward(g, create_graph=True)
                v = drawn(shape, name in REAL, 2)
                forward = transform(Tensor(v), n=n, axis=axis, norm=norm).numpy()
                adjoint = x.grad.detach().numpy()
                np.testing.assert_allclose(inner(g.detach().numpy(), forward), inner(adjoint, v), rtol=1e-10, atol=1e-10)
                gradient, g.grad = x.grad, None
                gradient.backward(Tensor(v))  # the adjoint of the adjoint is the transform itself
                np.testing.assert_allclose(g.grad.numpy(), forward, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ["fftn", "ifftn", "rfftn", "irfftn"])
@pytest.mark.parametrize(
    ("s", "axes"), [(None, None), (None, (1,)), ((5, 2), (0, 2)), ((2, 6), (2, 1)), ((3, -1, 7), (2, 0, 1)), ((1, 1), (0, 1))]
)
def test_pitfall_29_the_gradient_along_several_axes_is_the_adjoint(name: str, s: Any, axes: Any, norm: str) -> None:
    transform, real = getattr(xgrad.fft, name), name == "rfftn"
    x = Tensor(drawn((3, 4, 5), real), requires_grad=True)
    y = transform(x, s=s, axes=axes, norm=norm)
    g = Tensor(drawn(y.shape, name == "irfftn", 1), requires_grad=True)
    y.backward(g, create_graph=True)
    v = drawn((3, 4, 5), real, 2)
    forward = transform(Tensor(v), s=s, axes=axes, norm=norm).numpy()
    np.testing.assert_allclose(inner(g.detach().numpy(), forward), inner(x.grad.detach().numpy(), v), rtol=1e-10)
    gradient, g.grad = x.grad, None
    gradient.backward(Tensor(v))
    np.testing.assert_allclose(g.grad.numpy(), forward, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("n", [5, 6])
@pytest.mark.parametrize(("there", "back"), [("fft", "ifft"), ("rfft", "irfft"), ("ihfft", "hfft")])
def test_there_and_back(there: str, back: str, n: int) -> None:
    x = drawn((n,), True)
    y = getattr(xgrad.fft, back)(getattr(xgrad.fft, there)(Tensor(x)), n=n)
    np.testing.assert_allclose(y.numpy(), x, rtol=1e-12)


@pytest.mark.parametrize("name", ["fft", "ifft", "fftn", "ifftn", "rfft", "rfftn", "ihfft", "irfft", "irfftn", "hfft"])
def test_precision_is_kept(name: str, xp: Any) -> None:
    transform, gives_real = getattr(xp.fft, name), name in ("irfft", "irfftn", "hfft")
    for real, whole in ((xgrad.float32, xgrad.complex64), (xgrad.float64, xgrad.complex128)):
        x = xp.ones(4, dtype=real).requires_grad_()
        y = transform(x)
        assert y.dtype == (real if gives_real else whole)
        xp.sum(xp.real(y)).backward()
        assert x.grad.dtype == real
        if "r" not in name.partition("fft")[0] and name != "ihfft":
            assert transform(xp.ones(4, dtype=whole)).dtype == y.dtype


def test_frequencies(xp: Any) -> None:
    for n in (1, 2, 5, 6):
        for d in (1.0, 0.25):
            frequencies, half = xp.fft.fftfreq(n, d=d), xp.fft.rfftfreq(n, d=d, dtype=xgrad.float64)
            assert frequencies.dtype == xgrad.float32 and half.dtype == xgrad.float64
            assert frequencies.backend == half.backend == xp.ones(1).backend
            np.testing.assert_allclose(frequencies.numpy(), np.fft.fftfreq(n, d), rtol=1e-6)
            np.testing.assert_allclose(half.numpy(), np.fft.rfftfreq(n, d), rtol=1e-14)


def test_numpys_own_functions_arrive_here() -> None:
    x = Tensor([1.0, 2.0, 4.0], requires_grad=True)
    assert np.fft.rfft(x).requires_grad
    assert np.fft.fftshift(x).tolist() == [4.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda f, x: f.fft(x, axis=2), ValueError, r"x has shape \(3, 4\), but the axes are \(2,\)"),
        (lambda f, x: f.rfft(x, n=0), ValueError, "rfft: n=0; a transform needs at least one element"),
        (lambda f, x: f.irfft(x[:, :1]), ValueError, "the length along axis 1 is 0"),
        (lambda f, x: f.fft(x[:, :0]), ValueError, "the length along axis 1 is 0"),
        (lambda f, x: f.ifft(x, norm="unitary"), ValueError, "norm='unitary'; it may be 'backward', 'ortho', 'forward'"),
        (lambda f, x: f.rfft(x + 1j), TypeError, "use fft or ifft for complex ones"),
        (lambda f, x: f.fft(xgrad.arange(3)), TypeError, "convert it to a floating-point one with xgrad.astype"),
        (lambda f, x: f.fft(x[0, 0]), ValueError, "the axes are"),
        (lambda f, x: f.fftn(x, s=(2, 2)), ValueError, "s needs an axis for each of its lengths"),
        (lambda f, x: f.fftn(x, axes=(0, -2)), ValueError, "names an axis twice"),
        (lambda f, x: f.fftn(x, s=(0,), axes=(0,)), ValueError, "at least one element along each axis"),
        (lambda f, x: f.fftn(x, axes=()), ValueError, "no axis to transform along"),
        (lambda f, x: f.fftfreq(0), ValueError, "n=0"),
        (lambda f, x: f.rfftfreq(4, dtype="int64"), TypeError, "frequencies need a real floating-point dtype"),
    ],
)
def test_bad_arguments_are_told(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        call(xgrad.fft, xgrad.ones((3, 4)))
