"""Ties, empty groups and errors of grouping, and of products and matrices. The table checks ordinary points."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor


def test_empty_groups_and_ties(xp: Any, device: Any) -> None:
    x = xp.asarray(np.array([3.0, 1.0, 3.0, 2.0]), device=device).requires_grad_()
    ids = xp.asarray(np.array([0, 2, 0, 2]), device=device)
    assert xp.segment_sum(x, ids, 4).tolist() == [6.0, 0.0, 3.0, 0.0]
    y = xp.segment_max(x, ids, 4)
    assert y.tolist() == [3.0, -math.inf, 2.0, -math.inf] and xp.segment_min(x, ids).tolist() == [3.0, math.inf, 1.0]
    xp.sum(xp.where(xp.isfinite(y), y, xp.zeros_like(y))).backward()
    assert x.grad.tolist() == [0.5, 0.0, 0.5, 1.0]


def test_bincount_and_digitize_are_those_of_numpy() -> None:
    counts = xgrad.bincount(xgrad.asarray([1, 4, 1]))
    assert counts.tolist() == [0, 2, 0, 0, 1] and counts.dtype.kind == "signed integer"
    assert xgrad.bincount(xgrad.asarray([1]), minlength=3).tolist() == [0, 1, 0]
    assert xgrad.bincount(xgrad.zeros(0, dtype=xgrad.int64), minlength=2).tolist() == [0, 0]
    x = np.array([-5.0, 0.0, 0.5, 1.0, 2.0, 9.0])
    for bins in (np.array([0.0, 1.0, 2.0]), np.array([2.0, 1.0, 0.0]), np.array([1.0])):
        for right in (False, True):
            assert xgrad.digitize(Tensor(x), Tensor(bins), right).tolist() == np.digitize(x, bins, right).tolist()
    with pytest.raises(ValueError, match="one axis"):
        xgrad.bincount(xgrad.zeros((2, 2), dtype=xgrad.int64))
    with pytest.raises(ValueError, match="weights have shape"):
        xgrad.bincount(xgrad.asarray([1, 2]), xgrad.ones(3))


def test_top_k_of_none_and_too_many() -> None:
    values, indices = xgrad.top_k(Tensor([[1.0, 5.0, 3.0]]), 2)
    assert values.tolist() == [[5.0, 3.0]] and indices.tolist() == [[1, 2]]
    assert xgrad.top_k(xgrad.ones(3), 0).values.shape == (0,)
    with pytest.raises(ValueError, match="k is 4"):
        xgrad.top_k(xgrad.ones(3), 4)


def test_triangles_are_those_of_numpy(xp: Any) -> None:
    for n, m, k in ((3, None, 0), (2, 4, 1), (4, 2, -1), (0, 3, 0)):
        np.testing.assert_array_equal(xp.tri(n, m, k).numpy(), np.tri(n, m, k))
        for ours, theirs in ((xp.tril_indices, np.tril_indices), (xp.triu_indices, np.triu_indices)):
            got = ours(n, k, m)
            assert all(isinstance(i, Tensor) and i.backend == xp.zeros(1).backend for i in got)
            np.testing.assert_array_equal(np.array([i.numpy() for i in got]), np.array(theirs(n, k, m)))
    assert xp.tri(2).dtype == xp.float32 and xp.tri(2, dtype=xp.int64).dtype == xp.int64


def test_products_refuse_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="dot: a has shape"):
        xgrad.dot(xgrad.ones(2), xgrad.ones(3))
    with pytest.raises(ValueError, match="inner: a has shape"):
        xgrad.inner(xgrad.ones((2, 2)), xgrad.ones(3))
    with pytest.raises(ValueError, match="3 axes"):
        xgrad.diag(xgrad.ones((1, 1, 1)))
    with pytest.raises(ValueError, match="one axis"):
        xgrad.vander(xgrad.ones((1, 1)))
    assert xgrad.dot(2.0, Tensor([1.0])).tolist() == [2.0]


@pytest.mark.parametrize("call", [lambda a: xgrad.einsum(a, [0, 1], a, [1, 2]), lambda a: xgrad.einsum(a, [0, ...], [..., 0])])
def test_einsum_with_lists_of_axes(call: Any) -> None:
    a = np.arange(4.0).reshape(2, 2)
    wanted = a @ a if "2" in str(call.__code__.co_consts) else a.T
    np.testing.assert_allclose(call(Tensor(a)).numpy(), wanted)
    with pytest.raises(TypeError, match="list of axes after each operand"):
        xgrad.einsum(Tensor(a), Tensor(a))
