"""Edge cases and errors of calculus on samples. The table checks ordinary points."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor
from xgrad.backend import find_backend

KNOTS, VALUES = np.array([0.0, 1.0, 3.0]), np.array([2.0, 4.0, -2.0])


def test_interp_at_its_points_and_beyond_the_ends(xp: Any, device: Any) -> None:
    x = xp.asarray(np.array([-math.inf, -1.0, 0.0, 0.5, 1.0, 3.0, 4.0, math.inf, math.nan]), device=device).requires_grad_()
    knots, values = (xp.asarray(v, device=device).requires_grad_() for v in (KNOTS, VALUES))
    y = xp.interp(x, knots, values)
    np.testing.assert_allclose(y.detach().numpy(), np.interp(x.detach().numpy(), KNOTS, VALUES))
    xp.sum(y[:8]).backward()
    assert x.grad.tolist()[:8] == [
        0,
        0,
        2,
        2,
        -3,
        -3,
        0,
        0,
    ]  # the slope of the piece to the right; at the last point, to the left
    assert np.isfinite(knots.grad.numpy()).all()
    np.testing.assert_allclose(values.grad.numpy(), [3.5, 1.5, 3.0])


def test_interp_of_points_that_coincide_is_finite() -> None:
    x = Tensor(np.array([0.5, 1.0, 1.5]), requires_grad=True)
    y = xgrad.interp(x, Tensor(np.array([0.0, 1.0, 1.0, 2.0])), Tensor(np.array([0.0, 1.0, 5.0, 6.0])))
    np.testing.assert_allclose(y.detach().numpy(), [0.5, 5.0, 5.5])
    y.sum().backward()
    assert x.grad is not None and x.grad.tolist() == [1.0, 1.0, 1.0]


def test_interp_takes_numbers_and_refuses_what_does_not_fit() -> None:
    assert xgrad.interp(0.5, Tensor(KNOTS), Tensor(VALUES)).item() == 3.0
    assert xgrad.interp(Tensor(np.array([9.0])), Tensor(KNOTS), Tensor(VALUES), right=7.0).tolist() == [7.0]
    with pytest.raises(ValueError, match="as many points"):
        xgrad.interp(Tensor(1.0), Tensor(KNOTS), xgrad.ones(2))
    with pytest.raises(ValueError, match="period must not be 0"):
        xgrad.interp(Tensor(1.0), Tensor(KNOTS), Tensor(VALUES), period=0)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="mode is 'most'"):
        xgrad.convolve(xgrad.ones(2), xgrad.ones(2), "most")
    with pytest.raises(ValueError, match="not be empty"):
        xgrad.correlate(xgrad.ones(0), xgrad.ones(2))
    with pytest.raises(ValueError, match="x has 3 points"):
        xgrad.trapezoid(xgrad.ones(4), xgrad.ones(3))
    with pytest.raises(IndexError, match="axis 1"):
        xgrad.trapezoid(xgrad.ones(4), axis=1)
    with pytest.raises(ValueError, match="edge_order is 3"):
        xgrad.gradient(xgrad.ones(4), edge_order=3)
    with pytest.raises(ValueError, match="needs at least 3"):
        xgrad.gradient(xgrad.ones(2), edge_order=2)
    with pytest.raises(ValueError, match="2 spacings for 1 axes"):
        xgrad.gradient(xgrad.ones(4), 1.0, 2.0)
    with pytest.raises(ValueError, match="axis 0 of f has 4 points"):
        xgrad.gradient(xgrad.ones(4), xgrad.ones(3))


@pytest.mark.parametrize("edge_order", [1, 2])
def test_gradients_are_those_of_numpy(edge_order: int) -> None:
    f, x = np.cos(np.arange(20.0)).reshape(4, 5), np.array([0.0, 0.5, 1.25, 2.0])
    for spacing in ((), (2.0,), (x, 0.5), (2.0, np.arange(5.0))):
        got = xgrad.gradient(Tensor(f), *(Tensor(s) if isinstance(s, np.ndarray) else s for s in spacing), edge_order=edge_order)
        for a, b in zip(got, np.gradient(f, *spacing, edge_order=edge_order), strict=True):
            np.testing.assert_allclose(a.numpy(), b, rtol=1e-12, atol=1e-13)
    assert xgrad.gradient(xgrad.asarray([1, 2, 4, 7])).tolist() == [1.0, 1.5, 2.5, 3.0]


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_convolutions_are_those_of_numpy(mode: Any, xp: Any, backend: str, device: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for n, m in ((1, 1), (4, 4), (5, 2), (2, 5), (3, 6)):
        a, v = np.cos(np.arange(float(n))), np.sin(np.arange(float(m)) + 1)
        x, y = (xp.asarray(u, device=device) for u in (a, v))
        np.testing.assert_allclose(xp.convolve(x, y, mode).numpy(), np.convolve(a, v, mode), atol=1e-15)
        np.testing.assert_allclose(xp.correlate(x, y, mode).numpy(), np.correlate(a, v, mode), atol=1e-15)
    monkeypatch.setattr(
        "xgrad.ops.beyond.calculus._WINDOWS", 10
    )  # in several parts, where the library has no function of its own
    monkeypatch.delattr(find_backend(backend).xp.__native__, "convolve", raising=False)
    np.testing.assert_allclose(xp.convolve(y, x, mode).numpy(), np.convolve(v, a, mode), atol=1e-15)
    assert xp.convolve(xp.asarray([1, 2]), xp.asarray([3, 4])).tolist() == [3, 10, 8]
