"""Ties, NaN and errors of the descriptive statistics. The table checks ordinary points."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor

NAN = np.array([[1.0, math.nan, 3.0], [math.nan, math.nan, math.nan], [2.0, 0.5, -1.0]])


def gradient(xp: Any, f: Any, values: Any, device: Any = None) -> list[Any]:
    x = xp.asarray(np.asarray(values), device=device).requires_grad_()
    xp.sum(f(x)).backward()
    return x.grad.tolist()


def test_pitfall_1_order_statistics_share_ties_evenly(xp: Any, device: Any) -> None:
    assert gradient(xp, xp.median, [1.0, 2.0, 2.0, 2.0, 9.0], device) == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3, 0])
    assert gradient(xp, lambda x: xp.quantile(x, 0.25), [1.0, 1.0, 1.0, 1.0], device) == pytest.approx([0.25] * 4)
    assert gradient(xp, lambda x: xp.top_k(x, 1).values, [3.0, 1.0, 3.0], device) == pytest.approx([0.5, 0, 0.5])
    assert gradient(xp, xp.ptp, [3.0, 1.0, 3.0, 1.0], device) == pytest.approx([0.5, -0.5, 0.5, -0.5])
    assert gradient(xp, xp.nanmax, [3.0, math.nan, 3.0], device) == pytest.approx([0.5, 0, 0.5])


NAN_FUNCTIONS = ("nansum", "nanprod", "nanmean", "nanmax", "nanmin", "nanvar", "nanstd", "nanmedian")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", NAN_FUNCTIONS)
def test_nan_has_gradient_zero_and_spoils_no_other(name: str, xp: Any, device: Any) -> None:
    x = xp.asarray(NAN, device=device).requires_grad_()
    y = getattr(xp, name)(x, axis=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # NumPy warns about the row of NaN
        np.testing.assert_allclose(y.detach().numpy(), getattr(np, name)(NAN, axis=1), rtol=1e-14)
    xp.sum(y).backward(create_graph=True)
    g = x.grad.detach().numpy()
    assert np.isfinite(g).all() and (g[np.isnan(NAN)] == 0).all(), g
    first = x.grad
    x.grad = None
    if first.requires_grad:
        xp.sum(first * first).backward()
        assert x.grad is None or np.isfinite(x.grad.numpy()).all()


def test_pitfall_6_nanstd_of_equal_elements_has_gradient_zero(xp: Any) -> None:
    assert gradient(xp, xp.nanstd, [2.0, math.nan, 2.0]) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("q", [0.0, 0.1, 1 / 3, 0.5, 0.99, 1.0])
@pytest.mark.parametrize("n", [1, 2, 5, 8])
def test_quantiles_by_every_method_of_numpy(q: float, n: int) -> None:
    x = np.cos(np.arange(n) * 1.7)
    methods = (
        "linear", "hazen", "weibull", "median_unbiased", "normal_unbiased", "interpolated_inverted_cdf", "lower", "higher",
        "nearest", "midpoint", "inverted_cdf", "averaged_inverted_cdf", "closest_observation",
    )  # fmt: skip
    for method in methods:
        wanted = np.quantile(x, q, method=method)
        assert xgrad.quantile(Tensor(x), q, method=method).item() == pytest.approx(wanted, abs=1e-14), method


def test_quantiles_of_nan_and_beyond_the_range() -> None:
    x = Tensor(np.array([1.0, math.nan, 2.0]))
    assert math.isnan(xgrad.median(x).item()) and math.isnan(xgrad.quantile(x, 0.5).item())
    assert xgrad.nanquantile(x, 0.5).item() == 1.5 and math.isnan(xgrad.quantile(xgrad.ones(3), 1.5).item())
    with pytest.raises(ValueError, match="method 'best' is not known"):
        xgrad.quantile(x, 0.5, method="best")
    with pytest.raises(ValueError, match="no elements"):
        xgrad.median(xgrad.zeros(0))
    with pytest.raises(ValueError, match="axis 2"):
        xgrad.median(xgrad.zeros((2, 2)), axis=2)


def test_quantiles_take_what_users_give(xp: Any, device: Any) -> None:
    x = xp.asarray(np.array([3.0, 1.0, 2.0]), device=device)
    for q in ([0.5, 1.0], (0.5, 1.0), xp.asarray(np.array([0.5, 1.0], dtype="float32"), device=device)):
        y = xp.quantile(x, q)
        assert y.tolist() == [2.0, 3.0] and y.dtype == x.dtype and y.device == x.device
    assert xp.percentile(x, 50).item() == xp.percentile(x, [50]).item() == xp.quantile(x, np.float64(0.5)).item() == 2.0


def test_float16_and_integers() -> None:
    assert xgrad.median(xgrad.asarray([1, 2, 4, 8])).item() == np.median([1, 2, 4, 8])
    assert xgrad.ptp(xgrad.asarray([1, 5])).item() == 4 and xgrad.nansum(xgrad.asarray([1, 5])).item() == 6
    assert xgrad.nanmax(xgrad.asarray([1, 5])).item() == 5


def test_covariances_refuse_what_does_not_fit() -> None:
    x = Tensor(np.ones((2, 3)))
    with pytest.raises(ValueError, match="3 axes"):
        xgrad.cov(xgrad.ones((1, 2, 3)))
    with pytest.raises(ValueError, match="observations"):
        xgrad.cov(x, xgrad.ones(4))
    with pytest.raises(ValueError, match="weights have shape"):
        xgrad.cov(x, aweights=xgrad.ones(2))
    with pytest.raises(ValueError, match="weights have shape"):
        xgrad.average(x, weights=xgrad.ones(2))
    assert xgrad.corrcoef(Tensor([1.0, 2.0])).item() == 1.0
    assert math.isnan(xgrad.cov(Tensor([1.0])).item())
