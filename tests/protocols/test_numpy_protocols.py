"""NumPy's own functions and operators on Tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import GradientError, Tensor

A = np.arange(1.0, 7.0).reshape(2, 3)
C = np.array([[3.0, -1.0, 2.0], [0.5, 4.0, -2.0]])

SAME: dict[str, Callable[[Any], Any]] = {
    "sin": lambda x: np.sin(x),
    "arctan2": lambda x: np.arctan2(x, C),
    "power": lambda x: np.power(x, 2),
    "divmod": lambda x: np.divmod(x, 2)[1],
    "exp2": lambda x: np.exp2(x),
    "deg2rad": lambda x: np.deg2rad(x),
    "array * x": lambda x: C * x,
    "array - x": lambda x: C - x,
    "array @ x": lambda x: C.T @ x,
    "scalar * x": lambda x: np.float64(2) * x,
    "sum": lambda x: np.sum(x),
    "sum axis": lambda x: np.sum(x, axis=0, keepdims=True),
    "sum positional": lambda x: np.sum(x, 1),
    "mean": lambda x: np.mean(x, axis=0),
    "prod": lambda x: np.prod(x, axis=1),
    "max": lambda x: np.max(x, axis=1),
    "amin": lambda x: np.amin(x),
    "ptp": lambda x: np.ptp(x, axis=0),
    "std": lambda x: np.std(x, ddof=1),
    "var": lambda x: np.var(x, axis=1),
    "cumsum": lambda x: np.cumsum(x),
    "cumprod": lambda x: np.cumprod(x, axis=1),
    "concatenate": lambda x: np.concatenate([x, C], axis=1),
    "stack": lambda x: np.stack((C, x)),
    "vstack": lambda x: np.vstack([x, C]),
    "hstack": lambda x: np.hstack([x, C]),
    "where": lambda x: np.where(C > 0, x, 0.0),
    "clip": lambda x: np.clip(x, 2, 5),
    "dot": lambda x: np.dot(C.T, x),
    "dot 0-d": lambda x: np.dot(2.0, x),
    "inner": lambda x: np.inner(x, C),
    "outer": lambda x: np.outer(x, C),
    "vdot": lambda x: np.vdot(x, C),
    "tensordot": lambda x: np.tensordot(x, C.T, axes=1),
    "einsum": lambda x: np.einsum("ij,kj->ik", x, C),
    "transpose": lambda x: np.transpose(x),
    "swapaxes": lambda x: np.swapaxes(x, 0, -1),
    "moveaxis": lambda x: np.moveaxis(x, 0, 1),
    "reshape": lambda x: np.reshape(x, (3, 2)),
    "ravel": lambda x: np.ravel(x),
    "squeeze": lambda x: np.squeeze(np.expand_dims(x, 1)),
    "flip": lambda x: np.flip(x, axis=1),
    "roll": lambda x: np.roll(x, 1, axis=0),
    "repeat": lambda x: np.repeat(x, 2, axis=0),
    "tile": lambda x: np.tile(x, (2, 1)),
    "take": lambda x: np.take(x, np.array([1, 0]), axis=1),
    "sort": lambda x: np.sort(x, axis=0),
    "sort flat": lambda x: np.sort(x, axis=None),
    "pad": lambda x: np.pad(x, 1),
    "tril": lambda x: np.tril(x),
    "add.reduce": lambda x: np.add.reduce(x),
    "multiply.reduce": lambda x: np.multiply.reduce(x, axis=1, keepdims=True),
    "maximum.reduce": lambda x: np.maximum.reduce(x, axis=None),
    "add.accumulate": lambda x: np.add.accumulate(x),
    "multiply.outer": lambda x: np.multiply.outer(x, C),
}


@pytest.mark.parametrize("name", SAME)
def test_numpys_functions_give_tensors_with_numpys_values(name: str) -> None:
    x = Tensor(A, requires_grad=True)
    got, wanted = SAME[name](x), SAME[name](A)
    assert isinstance(got, Tensor) and got.requires_grad
    assert got.shape == np.shape(wanted)
    np.testing.assert_allclose(got.detach().numpy(), wanted)


def test_gradients_flow_through_numpys_functions() -> None:
    x = Tensor(A, requires_grad=True)
    np.sum(np.exp(x) * C).backward()
    np.testing.assert_allclose(x.grad.numpy(), np.exp(A) * C)


def test_facts_and_comparisons() -> None:
    x = Tensor(A, requires_grad=True)
    assert (np.shape(x), np.ndim(x), np.size(x), np.size(x, 1)) == ((2, 3), 2, 6, 3)
    assert np.allclose(x, A) and np.array_equal(A, x) and np.allclose(x, A, atol=x)
    assert not np.iscomplexobj(x)
    assert (C > x).dtype == xgrad.bool


def test_an_array_takes_a_tensor_that_needs_no_grad_in_place() -> None:
    c = C.copy()
    c += Tensor(A)
    assert type(c) is np.ndarray
    np.testing.assert_allclose(c, C + A)


def test_the_hand_written_update_writes_into_the_parameter() -> None:
    p = Tensor(A.copy(), requires_grad=True)
    array = p.data
    (p * p).sum().backward()
    p.data -= 0.5 * p.grad
    assert p.data is array
    np.testing.assert_allclose(array, 0.0)


def test_the_hand_written_update_works_on_torch() -> None:
    torch = pytest.importorskip("torch")
    p = Tensor(torch.ones(3), requires_grad=True)
    (p * p).sum().backward()
    p.data -= 0.5 * p.grad
    assert isinstance(p.data, torch.Tensor) and p.tolist() == [0.0, 0.0, 0.0]
    assert ((torch.ones(3) * p).backend, (2 - p).backend) == ("torch", "torch")


def test_pitfall_31_no_tracked_tensor_is_written_into_an_array() -> None:
    x = Tensor(A, requires_grad=True)
    c = C.copy()
    with pytest.raises(GradientError, match=r"numpy.add: its result requires grad"):
        c += x
    with pytest.raises(GradientError, match=r"numpy.multiply"):
        np.multiply(x, 2.0, out=c)
    np.testing.assert_array_equal(c, C)


def test_out_may_be_a_tensor() -> None:
    x, out = Tensor(A, requires_grad=True), Tensor(np.zeros((2, 3)))
    assert np.multiply(x, 2.0, out=out) is out
    assert out.requires_grad
    np.testing.assert_allclose(out.detach().numpy(), 2 * A)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda x: np.gcd(x, 2), r"numpy.gcd does not take xgrad tensors, and xgrad has no such function"),
        (lambda x: np.add.reduceat(x, [0]), r"numpy.add.reduceat does not take xgrad tensors"),
        (lambda x: np.histogram(x), r"numpy.histogram does not take xgrad tensors"),
        (lambda x: np.add(x, 1.0, where=C > 0), r"argument 'where' has no meaning for xgrad tensors; use xgrad.add"),
        (lambda x: np.sum(x, out=C), r"numpy.sum on xgrad tensors: got an unexpected keyword argument 'out'; xgrad.sum"),
        (lambda x: np.add.reduce(x, where=C > 0), r"numpy.add.reduce.*use xgrad.sum"),
        (lambda x: np.add(x, ["a", "b"]), r"add: expected numbers, but list"),
    ],
)
def test_what_is_not_covered_says_so(call: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        call(Tensor(A, requires_grad=True))


def test_arrays_of_two_backends_do_not_mix() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="two backends"):
        C * Tensor(torch.ones(2, 3))
    c = C.copy()
    with pytest.raises(TypeError, match="backend 'torch'"):
        c += Tensor(torch.ones(2, 3))


def test_what_cupy_hands_over() -> None:
    class Kernel:
        """Stands in for a CuPy ufunc: what CuPy calls is tested, not CuPy."""

        name, nin = "cupy_multiply", 2

        def __call__(self, x1: Any, x2: Any, out: Any) -> Any:
            return np.multiply(x1, x2, out=out)

    x, c = Tensor(A), C.copy()
    np.testing.assert_allclose(x.__cupy_override_elementwise_kernel__(Kernel(), C, x).numpy(), A * C)
    assert x.__cupy_override_elementwise_kernel__(Kernel(), c, x, c) is c
    np.testing.assert_allclose(c, A * C)
    tracked = Tensor(A, requires_grad=True)
    with pytest.raises(GradientError, match="cupy.multiply"):
        tracked.__cupy_override_elementwise_kernel__(Kernel(), c, tracked, c)
