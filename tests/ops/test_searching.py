"""Edge cases of `xgrad.ops.searching`. The table checks ordinary points."""

from __future__ import annotations

import math

import numpy as np
import pytest

import xgrad


@pytest.mark.filterwarnings("ignore:invalid value")  # the test takes the square root of -1 itself
def test_pitfall_7_where_differentiates_the_branch_not_taken(xp):
    x = xp.asarray(np.asarray([-1.0, 4.0])).requires_grad_()
    xp.sum(xp.where(x > 0, xp.sqrt(x), 0.0)).backward()
    assert math.isnan(x.grad.numpy()[0]) and x.grad.numpy()[1] == 0.25


def test_pitfall_7_where_within_where_does_not(xp):
    x = xp.asarray(np.asarray([-1.0, 4.0])).requires_grad_()
    xp.sum(xp.where(x > 0, xp.sqrt(xp.where(x > 0, x, 1.0)), 0.0)).backward()
    np.testing.assert_array_equal(x.grad.numpy(), [0, 0.25])


def test_pitfall_20_where_with_a_scalar_keeps_the_dtype(xp):
    x = xp.asarray([1.0, 2.0], dtype=xp.float32).requires_grad_()
    y = xp.where(x > 1, x, 0.0)
    y.backward(xp.ones((2,)))
    assert y.dtype == "float32" and x.grad.dtype == "float32"


def test_where_says_that_shapes_do_not_broadcast():
    with pytest.raises(ValueError, match="where"):
        xgrad.where(xgrad.asarray([True, False, True]), xgrad.ones(2), xgrad.ones(4))


def test_nonzero_of_0_d_raises(xp):
    with pytest.raises(ValueError, match="0-d"):
        xp.nonzero(xp.asarray(1.0))


@pytest.mark.parametrize(("shape", "side", "message"), [((2, 2), "left", "one axis"), ((2,), "up", "side")])
def test_searchsorted_says_what_is_wrong(shape, side, message):
    with pytest.raises(ValueError, match=message):
        xgrad.searchsorted(xgrad.ones(shape), xgrad.ones(2), side=side)


def test_indices_carry_no_gradient(xp):
    x = xp.asarray([1.0, 3.0, 2.0]).requires_grad_()
    assert not xp.argmax(x).requires_grad and not xp.count_nonzero(x).requires_grad
