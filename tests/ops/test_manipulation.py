"""Conventions of `xgrad.ops.manipulation`. The table checks ordinary points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xgrad

HOST = np.arange(6.0).reshape(2, 3)


def test_refusals(xp: Any) -> None:
    x = xp.asarray(HOST)
    with pytest.raises(ValueError, match="not a permutation"):
        xp.permute_dims(x, (0, 0))
    with pytest.raises(ValueError, match="only axes of length 1"):
        xp.squeeze(x, axis=0)
    with pytest.raises(IndexError, match="axis 2 is out of bounds for an array of 2 axes"):
        xp.squeeze(x, axis=2)
    with pytest.raises(IndexError, match="axis 4 is out of bounds for an array of 3 axes"):
        xp.expand_dims(x, axis=4)
    with pytest.raises(ValueError, match="twice"):
        xp.expand_dims(x, axis=(0, -4))
    with pytest.raises(ValueError, match="the same number"):
        xp.moveaxis(x, 0, (0, 1))
    with pytest.raises(ValueError, match="do not broadcast together"):
        xp.broadcast_to(x, (2,))
    with pytest.raises(ValueError, match="at least one"):
        xp.concat([])
    with pytest.raises(ValueError, match="at least one"):
        xp.stack([])
    with pytest.raises(IndexError, match="axis 2 is out of bounds for an array of 2 axes"):
        xp.unstack(x, axis=2)


def test_broadcast_shapes() -> None:
    assert xgrad.broadcast_shapes() == () and xgrad.broadcast_shapes((3, 1), (4,)) == (3, 4)
    assert xgrad.broadcast_shapes((0, 1), (1, 3)) == (0, 3)
    assert xgrad.broadcast_shapes((None, 1), (4,)) == (None, 4) and xgrad.broadcast_shapes((None,), (4,)) == (4,)
    with pytest.raises(ValueError, match="do not broadcast together"):
        xgrad.broadcast_shapes((2,), (3,))


def test_pitfall_22_shapes_are_exact(xp: Any) -> None:
    x = xp.asarray(np.zeros((0, 3))).requires_grad_()
    xp.sum(xp.broadcast_to(x, (0, 3)) * xp.asarray(np.ones((1, 3)))).backward()
    assert x.grad.shape == (0, 3)
    y = xp.asarray(2.0).requires_grad_()
    xp.sum(xp.stack([xp.reshape(y, (1,)), xp.broadcast_to(y, (1,))])).backward()
    assert y.grad.shape == () and y.grad.item() == 2.0


def test_pitfall_1_an_array_that_is_joined_to_itself(xp: Any) -> None:
    x = xp.asarray([1.0, 2.0]).requires_grad_()
    xp.sum(xp.concat([x, x]) * xp.asarray([1.0, 2.0, 3.0, 4.0])).backward()
    assert x.grad.tolist() == [4.0, 6.0]


def test_mixed_items_of_a_sequence(xp: Any) -> None:
    x = xp.asarray([1.0, 2.0]).requires_grad_()
    y = xp.concat([xp.zeros(1), x, xp.asarray(np.ones(1))])
    assert y.dtype == xp.float64
    xp.sum(y * 2.0).backward()
    assert x.grad.dtype == xp.float32 and x.grad.tolist() == [2.0, 2.0]


def test_unstack_is_a_view_and_iteration_too(xp: Any) -> None:
    x = xp.asarray(HOST) * 1.0
    a, b = xp.unstack(x)
    a += 10.0
    assert x.tolist() == [[10.0, 11.0, 12.0], [3.0, 4.0, 5.0]] and b.tolist() == [3.0, 4.0, 5.0]


@pytest.mark.parametrize("repeats", [(2, 0), [2, 0], np.array([2, 0])])
def test_repeats_of_any_kind(xp: Any, backend: str, repeats: Any) -> None:
    if backend == "dask":
        pytest.skip("dask repeats by one number only")
    x = xp.asarray([1.0, 2.0]).requires_grad_()
    y = xp.repeat(x, repeats)
    assert y.tolist() == [1.0, 1.0]
    xp.sum(y).backward()
    assert x.grad.tolist() == [2.0, 0.0]
