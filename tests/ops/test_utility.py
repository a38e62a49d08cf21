"""Edge cases of `xgrad.ops.utility`. The table checks ordinary points."""

from __future__ import annotations

import math

import numpy as np
import pytest

import xgrad


def test_all_and_any_of_nothing_and_of_nan(xp):
    assert xp.all(xp.zeros((0,))).tolist() is True and xp.any(xp.zeros((0,))).tolist() is False
    assert xp.any(xp.asarray([math.nan])).tolist() is True


def test_all_and_any_carry_no_gradient(xp):
    x = xp.ones((2,)).requires_grad_()
    assert not xp.all(x).requires_grad and xp.any(x).dtype == "bool"


def test_diff_keeps_the_dtype_and_can_run_out_of_elements(xp):
    x = xp.asarray([1, 4, 9])
    assert xp.diff(x).tolist() == [3, 5] and xp.diff(x).dtype == x.dtype
    assert xp.diff(x, n=4).shape == (0,)


@pytest.mark.parametrize(("options", "message"), [({"n": -1}, "n is -1"), ({"axis": 2}, "axis is 2")])
def test_diff_says_what_is_wrong(options, message):
    with pytest.raises(ValueError, match=message):
        xgrad.diff(xgrad.ones(3), **options)


def test_diff_taken_no_times_joins_nothing(xp):
    x, p = xp.asarray([1.0, 4.0]), xp.asarray([0.0])
    assert xp.diff(x, n=0, prepend=p, append=p).tolist() == [1.0, 4.0] == np.diff([1.0, 4.0], n=0, prepend=[0.0])
    assert xp.diff(x, n=1, prepend=p, append=p).tolist() == [1.0, 3.0, -4.0]


def test_diff_differentiates_what_is_prepended(xp):
    x, p = xp.asarray([1.0, 4.0]), xp.asarray([0.0]).requires_grad_()
    xp.diff(x, prepend=p).backward(xp.asarray([1.0, 10.0]))
    assert p.grad.tolist() == [-1.0]


def test_diff_joins_a_number_as_numpy_does(xp):
    a = np.array([[1.0, 4.0, 9.0], [2.0, 3.0, 5.0]])
    for axis in (0, 1, -1):
        x = xp.asarray(a).requires_grad_()
        y = xgrad.diff(x, axis=axis, prepend=0.5, append=xp.asarray(np.array(7.0)))
        assert np.allclose(y.detach().numpy(), np.diff(a, axis=axis, prepend=0.5, append=7.0))
        xgrad.sum(y * y).backward()
        assert np.allclose(x.grad.numpy(), xgrad.grad(lambda v, axis=axis: _squares(v, axis))(a))


def _squares(v, axis):
    v = xgrad.moveaxis(v, axis, 0)
    first, last = xgrad.sum((v[0] - 0.5) ** 2), xgrad.sum((7.0 - v[-1]) ** 2)
    return first + last + xgrad.sum((v[1:] - v[:-1]) ** 2)
