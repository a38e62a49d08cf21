"""Zeros, kinks and NaN of elementwise functions beyond the standard. The table checks ordinary points."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor
from xgrad.backend import find_backend

POINTS = np.array([0.0, 1e-300, 1e-9, -1e-4, 0.02, 0.4775, 0.478, 1.0, -2.5, 7.3, 1e3])


def derivatives(f: Any, x: Any, order: int) -> list[np.ndarray]:
    """The value of the elementwise `f`, and its derivatives up to `order`."""
    x = x.requires_grad_()
    found, y = [], f(x)
    for k in range(order + 1):
        found.append(y.detach().numpy())
        if k < order:
            xgrad.sum(y).backward(create_graph=True)
            y = x.grad
            x.grad = None
    return found


def sinc_by_quadrature(x: np.ndarray, order: int) -> np.ndarray:
    """The derivative of ``sinc(x) = integral of cos(pi t x) for t from 0 to 1``, under the integral."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    t = (nodes + 1) / 2 * math.pi
    return np.sum(weights / 2 * t**order * np.cos(t * x[:, None] + order * math.pi / 2), axis=1)


def test_pitfall_11_sinc_is_right_to_fourth_order(xp: Any, device: Any) -> None:
    points = POINTS[np.abs(POINTS) < 100]
    found = derivatives(xp.sinc, xp.asarray(points, device=device), 4)
    for order, got in enumerate(found):
        np.testing.assert_allclose(got, sinc_by_quadrature(points, order), rtol=1e-11, atol=1e-12)
    at_zero = [float(d[0]) for d in found]
    assert at_zero == pytest.approx([1.0, 0.0, -(math.pi**2) / 3, 0.0, math.pi**4 / 5], abs=1e-14)


def test_spherical_bessel_functions_far_out_and_near() -> None:
    scipy = pytest.importorskip("scipy.special")
    x = np.array([0.0, 0.1, 1.0, 2.0, 4.0, 7.4, 7.6, 30.0, -3.0, 500.0])
    for n in range(7):
        np.testing.assert_allclose(xgrad.spherical_jn(n, Tensor(x)).numpy(), scipy.spherical_jn(n, x), rtol=1e-10, atol=1e-14)
    assert xgrad.spherical_jn(0, Tensor([math.inf])).item() == 0.0
    with pytest.raises(ValueError, match="negative"):
        xgrad.spherical_jn(-1, Tensor(1.0))


@pytest.mark.filterwarnings("ignore:divide by zero")  # the slope is infinite there
def test_cbrt_is_exact_and_vertical_at_zero(xp: Any, device: Any) -> None:
    x = xp.asarray(np.array([-27.0, 8.0, 1e-300, 1e300, 0.0, -0.0, math.inf]), device=device)
    np.testing.assert_allclose(xp.cbrt(x).numpy(), np.cbrt(x.numpy()), rtol=4e-16)
    x = xp.asarray(np.array([0.0, 8.0]), device=device).requires_grad_()
    xp.sum(xp.cbrt(x)).backward()
    assert x.grad.tolist()[0] == math.inf and x.grad.tolist()[1] == pytest.approx(1 / 12)


def test_cbrt_without_a_function_of_the_librarys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find_backend("numpy"), "special", lambda name: None)
    x = np.array([-27.0, 8.0, 1e-300, 1e300, 0.0, math.inf, -math.inf, 3.7])
    np.testing.assert_allclose(xgrad.cbrt(Tensor(x)).numpy(), np.cbrt(x), rtol=4e-16)


def test_heaviside_has_a_gradient_for_the_value_at_zero_alone(xp: Any, device: Any) -> None:
    x = xp.asarray(np.array([-1.0, 0.0, 2.0, math.nan]), device=device).requires_grad_()
    h = xp.asarray(np.array([0.5, 0.25, 0.5, 0.5]), device=device).requires_grad_()
    y = xp.heaviside(x, h)
    np.testing.assert_array_equal(y.detach().numpy(), [0.0, 0.25, 1.0, math.nan])
    xp.sum(y).backward()
    assert x.grad.tolist() == [0.0] * 4 and h.grad.tolist() == [0.0, 1.0, 0.0, 0.0]


@pytest.mark.filterwarnings("ignore:overflow")  # the test computes the square and the double of the largest number
def test_nan_leaves_no_trace_in_gradients(xp: Any, device: Any) -> None:
    x = xp.asarray(np.array([1.0, math.nan, math.inf, -math.inf]), device=device).requires_grad_()
    y = xp.nan_to_num(x)
    largest = np.finfo(np.float64).max
    assert y.tolist() == [1.0, 0.0, largest, -largest]
    xp.sum(y * y).backward()
    assert x.grad.tolist() == [2.0, 0.0, 0.0, 0.0]
    a = xp.asarray(np.array([math.nan, 1.0, 2.0, math.nan]), device=device).requires_grad_()
    b = xp.asarray(np.array([3.0, math.nan, 2.0, math.nan]), device=device).requires_grad_()
    for f, other in ((xp.fmax, np.fmax), (xp.fmin, np.fmin)):
        y = f(a, b)
        np.testing.assert_array_equal(y.detach().numpy(), other(a.detach().numpy(), b.detach().numpy()))
        a.grad = b.grad = None
        xp.sum(y[:3]).backward()
        assert a.grad.tolist() == [0.0, 1.0, 0.5, 0.0] and b.grad.tolist() == [1.0, 0.0, 0.5, 0.0]


def test_pitfall_12_logaddexp2_of_nothing() -> None:
    x = Tensor(np.array([-math.inf, 0.0]), requires_grad=True)
    y = xgrad.logaddexp2(x, Tensor(np.array([-math.inf, -math.inf])))
    assert y.tolist() == [-math.inf, 0.0]
    y.backward(Tensor(np.ones(2)))
    assert x.grad is not None and x.grad.tolist() == [0.0, 1.0]


def test_angle_of_real_numbers_and_at_zero(xp: Any, device: Any) -> None:
    x = xp.asarray(np.array([2.0, -2.0, 0.0]), device=device).requires_grad_()
    y = xp.angle(x)
    np.testing.assert_allclose(y.detach().numpy(), [0.0, math.pi, 0.0])
    xp.sum(y).backward()
    assert x.grad.tolist() == [0.0, 0.0, 0.0]
    z = xp.asarray(np.array([0j, 1 + 1j]), device=device).requires_grad_()
    xp.sum(xp.angle(z)).backward()
    np.testing.assert_allclose(z.grad.numpy(), [0j, -0.5 + 0.5j])


@pytest.mark.parametrize("period", [2 * math.pi, 3.0, 360.0])
def test_unwrap_jumps_as_numpy_does(period: float) -> None:
    rng = np.random.default_rng(0)
    p = np.round(rng.uniform(-3 * period, 3 * period, (3, 40)) / period * 4) * period / 4  # also jumps of exactly half a period
    np.testing.assert_allclose(xgrad.unwrap(Tensor(p), period=period).numpy(), np.unwrap(p, period=period), atol=1e-9)
    np.testing.assert_allclose(
        xgrad.unwrap(Tensor(p), period * 0.8, 0, period=period).numpy(), np.unwrap(p, period * 0.8, 0, period=period), atol=1e-9
    )
