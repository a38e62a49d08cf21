"""Conventions and pitfalls of `xgrad.ops.indexing`. The table checks ordinary points."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import xgrad
from xgrad import Tensor

HOST = np.arange(24.0).reshape(2, 3, 4)


def test_pitfall_14_an_element_read_twice_gets_both(xp: Any) -> None:
    for key in ([0, 0, 1], np.array([0, 0, 1]), xp.asarray([0, 0, 1])):
        x = xp.asarray([1.0, 2.0, 3.0]).requires_grad_()
        xp.sum(x[key] * xp.asarray([1.0, 10.0, 100.0])).backward()
        assert x.grad.tolist() == [11.0, 100.0, 0.0]


def test_pitfall_14_only_the_write_that_wins_has_a_gradient() -> None:
    x, v = xgrad.zeros(3).requires_grad_(), Tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = xgrad.setitem(x, [0, 0, 2], v)
    assert y.tolist() == [2.0, 0.0, 3.0]
    (y * Tensor([1.0, 10.0, 100.0])).sum().backward()
    assert v.grad is not None and v.grad.tolist() == [0.0, 1.0, 100.0]
    assert x.grad is not None and x.grad.tolist() == [0.0, 10.0, 0.0]


def test_pitfall_14_one_value_for_a_place_that_is_named_twice(xp: Any) -> None:
    v = xp.asarray(2.0).requires_grad_()
    y = xp.setitem(xp.zeros(3), [1, 1, 1], v)
    xp.sum(y * 5.0).backward()
    assert y.tolist() == [0.0, 2.0, 0.0] and v.grad.item() == 5.0


def test_pitfall_22_negative_steps_and_zero_dimensions(xp: Any) -> None:
    x = xp.asarray(np.arange(5.0)).requires_grad_()
    xp.sum(x[::-2] * xp.asarray(np.array([1.0, 2.0, 3.0]))).backward()
    assert x.grad.tolist() == [3.0, 0.0, 2.0, 0.0, 1.0]
    y = xp.asarray(3.0)[()]
    assert y.shape == () and xp.asarray([1.0])[0].shape == ()


@settings(max_examples=100, deadline=None)
@given(key=hnp.basic_indices((2, 3, 4), allow_newaxis=True))
def test_basic_keys(key: Any) -> None:
    x = Tensor(HOST, requires_grad=True)
    y = x[key]
    np.testing.assert_array_equal(y.detach().numpy(), HOST[key])
    weights = np.cos(np.arange(y.size)).reshape(y.shape)
    wanted = np.zeros(HOST.shape)
    wanted[key] = weights
    (y * weights).sum().backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), wanted)


@settings(max_examples=50, deadline=None)
@given(key=hnp.integer_array_indices((2, 3, 4), result_shape=hnp.array_shapes(max_dims=2, max_side=4)), flip=st.booleans())
def test_integer_keys(key: Any, flip: bool) -> None:
    key = tuple(k[::-1] for k in key) if flip else key
    x = Tensor(HOST, requires_grad=True)
    y = x[key]
    np.testing.assert_array_equal(y.detach().numpy(), HOST[key])
    weights = np.cos(np.arange(y.size)).reshape(y.shape)
    wanted = np.zeros(HOST.shape)
    np.add.at(wanted, key, weights)
    (y * weights).sum().backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), wanted)


def test_keys_of_tensors_and_numpy_scalars(xp: Any) -> None:
    x = xp.asarray(HOST)
    i = xp.asarray(1)
    np.testing.assert_array_equal(x[i].numpy(), HOST[1])
    np.testing.assert_array_equal(x[np.int64(1), :, np.int32(2)].numpy(), HOST[1, :, 2])
    np.testing.assert_array_equal(x[:, xp.asarray([0, 2])].numpy(), HOST[:, [0, 2]])
    np.testing.assert_array_equal(x[: np.int64(1)].numpy(), HOST[:1])


def test_index_arrays_of_every_length_read_as_many_elements(xp: Any) -> None:
    for n, length in itertools.product((1, 2, 3), repeat=2):
        x, k = xp.arange(float(n)), xp.zeros(length, dtype=xp.int64)
        for read in (
            x[k],
            xp.take(x, k),
            xp.take(x, k, axis=0),
            x.at[k].get(),
            xp.stack([x, x])[1, k],
            xp.stack([x, x], axis=1)[k, 1],
        ):
            assert read.shape == read.numpy().shape == (length,), (n, length)


def test_refusals(xp: Any, backend: str) -> None:
    x = xp.asarray([1.0, 2.0, 3.0])
    with pytest.raises(TypeError, match="float"):
        x[xp.asarray([0.0, 1.0])]
    with pytest.raises(TypeError, match="str"):
        x["a"]
    with pytest.raises(TypeError, match="does not fit"):
        xp.asarray([1, 2])[0] = 1.5
    with pytest.raises(TypeError, match="does not fit"):
        x[0] = 1j
    if backend != "jax":  # which clamps
        with pytest.raises(IndexError):
            x[7]
    if backend != "strict":
        with pytest.raises(TypeError, match="to_backend"):
            x[xgrad.namespace("strict").asarray([0])]


def test_written_values_take_the_dtype_of_what_they_are_written_to(xp: Any) -> None:
    x = xp.zeros(3)
    x[0] = 2
    x[1] = np.float64(3.0)
    x[2:] = np.array([4.0])
    assert x.dtype == xp.float32 and x.tolist() == [2.0, 3.0, 4.0]
    v = xp.asarray(np.array([7.0, 8.0])).requires_grad_()
    x[:2] = v
    xp.sum(x).backward()
    assert x.dtype == xp.float32 and v.grad.dtype == xp.float64 and v.grad.tolist() == [1.0, 1.0]
    x = xp.zeros((2, 2))
    x[0] = [1.0, 2.0]
    x[:, 1] = [v[0], 5]
    assert x.tolist() == [[1.0, 7.0], [0.0, 5.0]]


def test_take_refusals(xp: Any) -> None:
    x = xp.asarray(HOST)
    with pytest.raises(ValueError, match="axis must be given"):
        xp.take(x, xp.asarray([0]))
    with pytest.raises(IndexError, match="axis 3"):
        xp.take(x, xp.asarray([0]), axis=3)
    with pytest.raises(ValueError, match="same number"):
        xp.take_along_axis(x, xp.asarray([0]))


@pytest.mark.parametrize("key", [slice(0, 3), [0, 0, 1]])
def test_a_value_of_more_axes_broadcasts_too(xp: Any, key: Any) -> None:
    x, v = xp.zeros(3), xp.asarray([[1.0]]).requires_grad_()
    y = xp.setitem(x, key, v)
    xp.sum(y * y).backward()
    assert v.grad.tolist() == [[6.0 if isinstance(key, slice) else 4.0]]
