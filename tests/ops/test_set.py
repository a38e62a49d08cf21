"""Edge cases of `xgrad.ops.set`. The table checks ordinary points."""

from __future__ import annotations

import math

import numpy as np
import pytest

import xgrad


@pytest.mark.parametrize("name", ["unique_all", "unique_counts", "unique_inverse", "unique_values"])
def test_equal_elements_share_the_cotangent_of_their_value(xp, name):
    x = xp.asarray([[2.0, 1.0], [2.0, 3.0]]).requires_grad_()
    result = getattr(xp, name)(x)
    values = result if name == "unique_values" else result.values
    xp.sum(values * values).backward()
    np.testing.assert_allclose(x.grad.numpy(), [[2, 2], [2, 6]])


def test_results_are_named(xp):
    x = xp.asarray([3, 1, 3])
    result = xp.unique_all(x)
    assert result._fields == ("values", "indices", "inverse_indices", "counts")
    assert [part.tolist() for part in result] == [[1, 3], [1, 0], [1, 0, 1], [1, 2]]
    assert xp.unique_counts(x)._fields == ("values", "counts")
    assert xp.unique_inverse(xp.asarray([[3, 1], [1, 3]])).inverse_indices.shape == (2, 2)


def test_every_nan_is_distinct():
    assert xgrad.unique_values(xgrad.asarray([math.nan, 1.0, math.nan])).shape == (3,)


def test_isin_of_scalars(xp):
    assert xp.isin(xp.asarray([1, 2]), 2).tolist() == [False, True]
    assert xp.isin(2, xp.asarray([1, 2])).tolist() is True
