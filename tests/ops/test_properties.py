"""Properties that hold for all shapes, keys and axes: broadcasting, indexing and reductions, by Hypothesis."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import xgrad

SHAPES = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
quick = settings(max_examples=60, deadline=None)


def values(shape, seed):
    return np.random.default_rng(seed).uniform(0.5, 2.0, size=shape)


def leaf(array):
    return xgrad.Tensor(np.array(array), requires_grad=True)


def pull(y, g, x):
    y.backward(g)
    return x.grad.numpy()


@quick
@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=4, max_side=4, min_side=0), st.integers(0, 2**32 - 1))
def test_a_broadcast_gradient_is_the_transpose_of_broadcasting(shapes, seed):
    # <g, x1 * x2> is linear in x1, so it equals <gradient, x1> exactly where nothing but shapes is at stake.
    (first, second), result = shapes.input_shapes, shapes.result_shape
    a, b, g = values(first, seed), values(second, seed + 1), values(result, seed + 2)
    x1, x2 = leaf(a), leaf(b)
    (x1 * x2).backward(g)
    assert x1.grad.shape == first
    assert x2.grad.shape == second
    np.testing.assert_allclose(np.sum(x1.grad.numpy() * a), np.sum(g * (a * b)), rtol=1e-10)
    np.testing.assert_allclose(np.sum(x2.grad.numpy() * b), np.sum(g * (a * b)), rtol=1e-10)


@quick
@given(SHAPES.flatmap(lambda s: st.tuples(st.just(s), hnp.basic_indices(s, allow_newaxis=True))), st.integers(0, 2**32 - 1))
def test_basic_indexing_and_its_gradient(case, seed):
    shape, key = case
    a = values(shape, seed)
    x = leaf(a)
    y = x[key]
    np.testing.assert_array_equal(y.detach().numpy(), a[key])
    g = values(a[key].shape, seed + 1)
    wanted = np.zeros(shape)
    wanted[key] += g
    np.testing.assert_array_equal(pull(y, g, x), wanted)


@quick
@given(
    hnp.array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=4).flatmap(
        lambda s: st.tuples(st.just(s), hnp.integer_array_indices(s))
    ),
    st.integers(0, 2**32 - 1),
)
def test_indexing_by_arrays_counts_duplicates(case, seed):
    shape, key = case
    a = values(shape, seed)
    x = leaf(a)
    y = x[key]
    np.testing.assert_array_equal(y.detach().numpy(), a[key])
    g = values(a[key].shape, seed + 1)
    wanted = np.zeros(shape)
    np.add.at(wanted, key, g)
    np.testing.assert_allclose(pull(y, g, x), wanted, rtol=1e-12)


@quick
@given(SHAPES.flatmap(lambda s: st.tuples(st.just(s), hnp.basic_indices(s))), st.integers(0, 2**32 - 1))
def test_writing_and_its_gradients(case, seed):
    shape, key = case
    a = values(shape, seed)
    b = values(a[key].shape, seed + 1)
    x, v = leaf(a), leaf(b)
    y = x * 1
    y[key] = v
    wanted = a.copy()
    wanted[key] = b
    np.testing.assert_array_equal(y.detach().numpy(), wanted)
    g = values(shape, seed + 2)
    y.backward(g)
    held = g.copy()
    held[key] = 0
    np.testing.assert_array_equal(x.grad.numpy(), held)
    np.testing.assert_array_equal(np.zeros(b.shape) if v.grad is None else v.grad.numpy(), g[key])


@quick
@given(
    hnp.array_shapes(min_dims=1, max_dims=4, min_side=1, max_side=4).flatmap(
        lambda s: st.tuples(st.just(s), hnp.valid_tuple_axes(len(s)))
    ),
    st.booleans(),
    st.sampled_from(["sum", "mean", "prod", "max", "min", "var", "std"]),
    st.integers(0, 2**32 - 1),
)
def test_reductions_over_any_axes(case, keepdims, name, seed):
    shape, axis = case
    a = values(shape, seed)
    x = leaf(a)
    y = getattr(xgrad, name)(x, axis=axis, keepdims=keepdims)
    wanted = getattr(np, name)(a, axis=axis, keepdims=keepdims)
    assert y.shape == wanted.shape
    np.testing.assert_allclose(y.detach().numpy(), wanted, rtol=1e-10, atol=1e-12)
    direction = values(shape, seed + 1)
    g = values(wanted.shape, seed + 2)
    slope = np.sum(pull(y, g, x) * direction)
    h = 1e-6
    ahead, behind = (getattr(np, name)(a + s * h * direction, axis=axis, keepdims=keepdims) for s in (1, -1))
    if name in ("max", "min", "std") and a.size > 1:  # their kinks may lie within the step
        assert np.isfinite(slope)
    else:
        np.testing.assert_allclose(slope, np.sum(g * (ahead - behind)) / (2 * h), rtol=1e-5, atol=1e-6)
