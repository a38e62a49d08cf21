"""Edge cases of `xgrad.ops.sorting`. The table checks ordinary points."""

from __future__ import annotations

import numpy as np
import pytest

import xgrad
from xgrad.engine.backward import pullback


@pytest.mark.parametrize("descending", [False, True])
def test_pitfall_1_sort_shares_the_cotangent_among_equal_elements(descending):
    x = xgrad.asarray([2.0, 1.0, 2.0, 3.0]).requires_grad_()
    xgrad.sort(x, descending=descending).backward(xgrad.asarray([10.0, 20.0, 40.0, 80.0]))
    np.testing.assert_array_equal(x.grad.numpy(), [30, 80, 30, 10] if descending else [30, 10, 30, 80])


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_runs_do_not_reach_into_the_next_row(axis):
    x = xgrad.asarray([[1.0, 1.0], [1.0, 1.0]]).requires_grad_()
    xgrad.sort(x, axis=axis).backward(xgrad.asarray([[1.0, 3.0], [10.0, 30.0]]))
    np.testing.assert_array_equal(x.grad.numpy(), [[5.5, 16.5], [5.5, 16.5]] if axis == 0 else [[2, 2], [20, 20]])


def test_the_largest_by_sort_is_max_also_in_its_gradient():
    x = xgrad.asarray([3.0, 1.0, 3.0]).requires_grad_()
    xgrad.sort(x)[-1].backward()
    np.testing.assert_array_equal(x.grad.numpy(), [0.5, 0, 0.5])


def test_ties_to_second_order():
    x = xgrad.asarray([3.0, 1.0, 3.0]).requires_grad_()
    y = xgrad.sum(xgrad.sort(x) ** 2)  # sum(x**2), whatever the order
    (d,) = pullback([y], [xgrad.ones_like(y)], create_graph=True).values()
    gradients = pullback([xgrad.sum(d * np.asarray([1, 2, 3], dtype=np.float32))], [np.ones((), np.float32)])
    np.testing.assert_allclose(gradients[x._node], [4, 4, 4])  # 2 v, with 1 and 3 of the tied elements shared


def test_argsort_is_stable_in_both_directions(xp):
    if xp is xgrad.namespace("numpy"):
        x = xp.asarray([2.0, 1.0, 2.0, 1.0])
        assert xp.argsort(x).tolist() == [1, 3, 0, 2]
        assert xp.argsort(x, descending=True).tolist() == [0, 2, 1, 3]


def test_float16_keeps_its_dtype():
    x = xgrad.asarray(np.ones(5000, np.float16)).requires_grad_()
    xgrad.sort(x)[0].backward()
    assert x.grad.dtype == "float16"
    np.testing.assert_array_equal(x.grad.numpy(), np.full(5000, 1 / 5000).astype(np.float16))
