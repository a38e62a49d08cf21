"""Tails, kinks and malformed arguments of functions beyond the standard."""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor

ACTIVATIONS = ("relu", "leaky_relu", "elu", "sigmoid", "softplus", "logsigmoid", "silu", "erf", "gelu")
EDGES = [-1e300, -1000.0, -40.0, -1e-300, 0.0, 1e-300, 40.0, 1000.0, 1e300]


def derivatives(f: Any, values: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The value of `f`, and the first and second derivative of its sum, elementwise."""
    x = Tensor(np.asarray(values, dtype="float64"), requires_grad=True)
    y = f(x)
    y.sum().backward(create_graph=True)
    first = x.grad
    x.zero_grad()
    if first.requires_grad:
        first.sum().backward()
    second = np.zeros(x.shape) if x.grad is None else x.grad.numpy()
    return y.detach().numpy(), first.detach().numpy(), second


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_pitfall_7_activations_are_finite_everywhere(name: str) -> None:
    for got in derivatives(getattr(xgrad, name), EDGES):
        assert np.isfinite(got).all(), got


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["relu", "elu", "sigmoid", "softplus", "logsigmoid", "silu", "softmax", "log_softmax"])
def test_large_arguments_make_no_warnings(name: str) -> None:
    derivatives(getattr(xgrad, name), [-1000.0, 0.0, 1000.0])


def test_pitfall_7_gelu_by_tanh_is_finite_everywhere() -> None:
    for got in derivatives(lambda x: xgrad.gelu(x, approximate="tanh"), EDGES):
        assert np.isfinite(got).all(), got
    with pytest.raises(ValueError, match='"none" or "tanh"'):
        xgrad.gelu(Tensor(1.0), approximate="fast")


def test_pitfall_5_relu_has_gradient_zero_at_zero_and_lets_no_infinity_through() -> None:
    x = Tensor([-1.0, 0.0, 1.0], requires_grad=True)
    xgrad.relu(x).backward(Tensor([math.inf, math.inf, 2.0]))
    assert x.grad.tolist() == [0.0, 0.0, 2.0]


def test_pitfall_12_logsumexp_of_nothing_but_minus_infinity() -> None:
    with np.errstate(all="raise"):
        y, first, second = derivatives(lambda x: xgrad.logsumexp(x, axis=-1), [[-np.inf, -np.inf], [-np.inf, 1.0]])
    np.testing.assert_array_equal(y, [-np.inf, 1.0])
    np.testing.assert_array_equal(first, [[0.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(second, 0.0)
    assert xgrad.logsumexp(Tensor([])).item() == -math.inf
    assert xgrad.logsumexp(Tensor([math.inf, 1.0])).item() == math.inf
    assert math.isnan(xgrad.logsumexp(Tensor([math.nan, 1.0])).item())


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_pitfall_12_softmax_with_masked_elements(name: str) -> None:
    def f(x: Tensor) -> Tensor:
        y = getattr(xgrad, name)(x)
        return xgrad.where(xgrad.isfinite(y), y, xgrad.zeros_like(y)) * Tensor([1.0, 2.0, 3.0])

    for got in derivatives(f, [[-np.inf, 0.0, 1.0], [-np.inf, -np.inf, 1.0]]):
        assert np.isfinite(got).all(), got
    assert xgrad.softmax(Tensor([-math.inf, -math.inf])).tolist() == [0.0, 0.0]


def test_pitfall_12_tails() -> None:
    x = Tensor(np.array([-40.0, 40.0]))
    np.testing.assert_allclose(xgrad.sigmoid(x).numpy(), [math.exp(-40), 1.0], rtol=1e-14)
    np.testing.assert_allclose(xgrad.softplus(x).numpy(), [math.exp(-40), 40.0], rtol=1e-14)
    np.testing.assert_allclose(xgrad.logsigmoid(x).numpy(), [-40.0, -math.exp(-40)], rtol=1e-14)
    assert xgrad.sigmoid(Tensor([-math.inf, math.inf])).tolist() == [0.0, 1.0]


def test_pitfall_20_gradients_keep_float32() -> None:
    for name in (*ACTIVATIONS, "softmax", "log_softmax", "logsumexp"):
        x = Tensor([0.5, -0.5], requires_grad=True)
        y = getattr(xgrad, name)(x)
        y.sum().backward()
        assert y.dtype == x.grad.dtype == xgrad.float32, name


@pytest.mark.parametrize(("dtype", "error"), [("float64", 4e-16), ("float32", 3e-7)])
def test_the_portable_erf_has_full_precision(monkeypatch: pytest.MonkeyPatch, dtype: str, error: float) -> None:
    monkeypatch.setattr(type(xgrad.backend.find_backend("numpy")), "special", lambda self, name: None)
    x = np.concatenate([np.linspace(-8, 8, 3001), [0.0, -1.0, 1.0, 1e30, -np.inf, np.inf]]).astype(dtype)
    got = xgrad.erf(Tensor(x)).numpy()
    assert got.dtype == dtype
    np.testing.assert_allclose(got, [math.erf(v) for v in x.astype("float64")], rtol=error, atol=0)
    assert np.isnan(xgrad.erf(Tensor(np.array(np.nan))).numpy())


def test_einsum_without_opt_einsum_goes_from_left_to_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opt_einsum", None)
    arrays = [np.arange(float(n * m)).reshape(n, m) for n, m in ((2, 3), (3, 4), (4, 7), (7, 2))]
    got = xgrad.einsum("xy,yz,zw,wv->xv", *map(Tensor, arrays)).numpy()
    np.testing.assert_allclose(got, np.linalg.multi_dot(arrays))


def test_einsum_broadcasts_axes_of_length_one() -> None:
    a, b = np.arange(3.0).reshape(1, 3), np.arange(6.0).reshape(2, 3)
    for subscripts in ("ij,ij->ij", "ij,ij->i", "...j,...j->...", "ij,kj->"):
        np.testing.assert_allclose(xgrad.einsum(subscripts, Tensor(a), Tensor(b)).numpy(), np.einsum(subscripts, a, b))


@pytest.mark.parametrize(
    ("subscripts", "shapes", "message"),
    [
        ("ij,jk->ik", [(2, 3)], "it describes 2 operands"),
        ("ij->ij", [(2,)], "does not name the axes of shape"),
        ("ij,jk->ik", [(2, 3), (4, 2)], "axis 'j' has lengths 3 and 4"),
        ("ij->ik", [(2, 3)], "must name letters of the operands"),
        ("ij->ii", [(2, 3)], "each once"),
        ("i1->i", [(2, 3)], "must consist of letters"),
        ("...i->i", [(2, 3)], "must contain '...' too"),
        ("ii->i", [(2, 3)], "axis 'i' has lengths"),
    ],
)
def test_malformed_subscripts_are_told(subscripts: str, shapes: list[tuple[int, ...]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        xgrad.einsum(subscripts, *(Tensor(np.ones(s)) for s in shapes))


@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric", "wrap"])
@pytest.mark.parametrize("width", [0, 1, (2, 1), ((1, 2), (3, 0)), ((7, 8), (9, 6))])
def test_pad_is_numpys(mode: str, width: Any) -> None:
    x = np.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(xgrad.pad(Tensor(x), width, mode).numpy(), np.pad(x, width, mode=mode))


def test_pad_tells_what_is_wrong() -> None:
    x = Tensor(np.ones((2, 3)))
    assert xgrad.pad(x, 1, constant_values=5.0).numpy()[0, 0] == 5.0
    with pytest.raises(ValueError, match="give a pair for each axis"):
        xgrad.pad(x, ((1, 1), (1, 1), (1, 1)))
    with pytest.raises(ValueError, match="negative"):
        xgrad.pad(x, -1)
    with pytest.raises(ValueError, match="is not known"):
        xgrad.pad(x, 1, "mean")
    with pytest.raises(ValueError, match="is empty"):
        xgrad.pad(Tensor(np.ones((0, 3))), 1, "edge")


def test_zero_where_not_is_where_for_every_dtype() -> None:
    for dtype in ("float16", "float32", "float64", "complex64", "int32", ">f4"):
        x = np.array([[1, 2, 3], [4, 5, 6]]).astype(dtype)
        keep = np.array([True, False, True])
        xp = xgrad.backend.find_backend("numpy").xp
        np.testing.assert_array_equal(xp.zero_where_not(x, keep), np.where(keep, x, 0))
        assert xp.zero_where_not(x, keep).dtype == x.dtype.newbyteorder("=")
        np.testing.assert_array_equal(xp.zero_where_not(x.T[::-1], keep[:, None]), np.where(keep[:, None], x.T[::-1], 0))


def test_zero_where_not_takes_numbers_for_a_condition_as_numpys_where_does():
    x = xgrad.asarray(np.array([1.5, -2.0, 3.0])).requires_grad_()
    for condition in (np.array([1.0, 0.0, 2.0]), np.array([1, 0, 2]), np.array([True, False, True])):
        y = xgrad.zero_where_not(x, condition)
        assert y.tolist() == [1.5, 0.0, 3.0]
        x.zero_grad()
        xgrad.sum(y).backward()
        assert x.grad.tolist() == [1.0, 0.0, 1.0]
