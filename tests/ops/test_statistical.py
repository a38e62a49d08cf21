"""Edge cases of `xgrad.ops.statistical`. The table checks ordinary points."""

from __future__ import annotations

import math

import numpy as np
import pytest

import xgrad
from xgrad.engine.backward import pullback


def leaf(values, dtype=np.float64, xp=xgrad):
    x = np.asarray(values, dtype=dtype)
    return xp.asarray(x).requires_grad_()


def gradient(f, x, g=None):
    y = f(x)
    y.backward(g)
    found, x.grad = x.grad.numpy(), None
    return found


def second(f, x, v):
    """The Hessian of `f` times `v`."""
    y = f(x)
    (d,) = pullback([y], [xgrad.ones_like(y)], create_graph=True).values()
    return np.asarray(pullback([xgrad.sum(d * v)], [np.ones(())]).get(x._node, np.zeros(x.shape)))


@pytest.mark.parametrize("name", ["max", "min"])
def test_pitfall_1_ties_share_the_cotangent_evenly(xp, name):
    x = leaf([1.0, 3.0, 3.0] if name == "max" else [4.0, 3.0, 3.0], xp=xp)
    np.testing.assert_array_equal(gradient(getattr(xp, name), x), [0, 0.5, 0.5])


def test_pitfall_1_a_tie_with_itself_conserves_the_cotangent(xp):
    x = leaf([1.0, 3.0], xp=xp)
    np.testing.assert_array_equal(gradient(lambda x: xp.max(xp.concat([x, x])), x), [0, 1])


@pytest.mark.parametrize("axis", [0, (0, 1), (1, 0), None])
def test_ties_over_several_axes(axis):
    x = leaf([[2.0, 2.0], [2.0, 1.0]])
    wanted = [[0.5, 1], [0.5, 0]] if axis == 0 else [[1 / 3, 1 / 3], [1 / 3, 0]]
    np.testing.assert_allclose(gradient(lambda x: xgrad.sum(xgrad.max(x, axis=axis)), x), wanted)


def test_pitfall_3_ties_are_counted_beyond_float16():
    x = leaf(np.ones(70000), np.float16)
    found = gradient(xgrad.max, x)
    assert found.dtype == np.float16
    np.testing.assert_array_equal(found, np.full(70000, 1 / 70000).astype(np.float16))
    assert abs(float(np.sum(found, dtype=np.float64)) - 1) < 5e-3


def test_max_with_a_nan_conserves_the_cotangent():
    assert np.sum(gradient(xgrad.max, leaf([1.0, math.nan, 2.0]))) == 1


def test_max_of_nothing_raises(xp):
    with pytest.raises(Exception, match=r"."):
        xp.max(xp.zeros((0,))).numpy()


@pytest.mark.parametrize("values", [[1.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
def test_pitfall_6_std_has_gradient_0_at_its_kink(xp, values):
    x = leaf(values, xp=xp)
    np.testing.assert_array_equal(gradient(xp.std, x), [0, 0, 0])


def test_pitfall_6_std_has_a_finite_second_order_at_its_kink():
    x = leaf([1.0, 1.0, 1.0])
    v = np.asarray([1.0, -2.0, 0.5])
    assert np.all(np.isfinite(second(xgrad.std, x, v)))
    hessian = second(lambda x: xgrad.std(x) ** 2, x, v)
    assert np.all(np.isfinite(hessian))


@pytest.mark.parametrize(
    ("values", "wanted"), [([2.0, 0.0, 3.0], [0, 6, 0]), ([0.0, 0.0, 3.0], [0, 0, 0]), ([2.0, 4.0, 3.0], [12, 6, 8])]
)
def test_pitfall_9_prod_does_not_divide(xp, values, wanted):
    np.testing.assert_array_equal(gradient(xp.prod, leaf(values, xp=xp)), wanted)


def test_pitfall_9_prod_is_right_to_second_order_at_zeros():
    x = leaf([0.0, 0.0, 3.0])
    np.testing.assert_array_equal(second(xgrad.prod, x, np.asarray([1.0, 0, 0])), [0, 3, 0])
    np.testing.assert_array_equal(second(xgrad.prod, x, np.asarray([0, 0, 1.0])), [0, 0, 0])


def test_pitfall_10_cumulative_prod_at_zero(xp):
    np.testing.assert_array_equal(gradient(lambda x: xp.sum(xp.cumulative_prod(x)), leaf([2.0, 0.0, 3.0], xp=xp)), [1, 8, 0])


def test_pitfall_10_cumulative_prod_is_right_to_second_order_at_zeros():
    # x0 + x0 x1 + x0 x1 x2 at (0, 0, 3)
    x = leaf([0.0, 0.0, 3.0])
    f = lambda x: xgrad.sum(xgrad.cumulative_prod(x))
    hessian = np.stack([second(f, x, row) for row in np.eye(3)])
    np.testing.assert_array_equal(hessian, [[0, 4, 0], [4, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize("n", [1, 2, 3, 7, 8, 33])
def test_cumulative_prod_of_any_length(n):
    rng = np.random.default_rng(n)
    x, g = rng.uniform(-1.5, 1.5, n), rng.uniform(-1, 1, n)
    x[rng.integers(n)] = 0
    wanted = [sum(g[k] * np.prod(np.delete(x[: k + 1], i)) for k in range(i, n)) for i in range(n)]
    np.testing.assert_allclose(gradient(xgrad.cumulative_prod, leaf(x), xgrad.asarray(g)), wanted, atol=1e-12)


def test_cumulative_prod_of_a_million_takes_linear_time():
    x = leaf(np.ones(1_000_000))
    np.testing.assert_array_equal(gradient(lambda x: xgrad.cumulative_prod(x)[-1], x), np.ones(1_000_000))


@pytest.mark.parametrize("name", ["sum", "mean", "max", "min", "prod", "var", "std"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_a_float_stays_its_dtype(name, dtype):
    x = leaf([1.0, 2.0, 4.0], dtype)
    y = getattr(xgrad, name)(x)
    y.backward()
    assert y.dtype == dtype and x.grad.dtype == dtype


@pytest.mark.parametrize("name", ["sum", "prod", "mean", "max", "min", "std", "var"])
def test_pitfall_22_shapes_are_exact(xp, name):
    f = getattr(xp, name)
    for shape, options, wanted in [
        ((), {}, ()),
        ((2, 3), {"keepdims": True}, (1, 1)),
        ((2, 3), {"axis": -1}, (2,)),
        ((2, 3), {"axis": (0, 1), "keepdims": True}, (1, 1)),
        ((0, 3), {"axis": 1}, (0,)),
    ]:
        x = xp.ones(shape).requires_grad_()
        y = f(x, **options)
        assert y.shape == wanted
        y.backward(xp.ones(wanted))
        assert x.grad.shape == shape


def test_empty_sums_and_products(xp):
    x = xp.zeros((0,)).requires_grad_()
    assert xp.sum(x).item() == 0 and xp.prod(x).item() == 1
    xp.prod(x).backward()
    assert x.grad.shape == (0,)


@pytest.mark.parametrize("name", ["var", "std"])
def test_too_few_elements_for_the_correction_give_nan(xp, name):
    assert math.isnan(getattr(xp, name)(xp.ones((2,)), correction=2).item())
    assert getattr(xp, name)(xp.ones((2, 3)), correction=3, axis=0, keepdims=True).shape == (1, 3)


def test_pitfall_28_var_of_complex(xp):
    x = xp.asarray(np.asarray([1 + 2j, 3 - 1j])).requires_grad_()
    y = xp.var(x)
    assert y.dtype == "float64" and y.item() == pytest.approx(3.25)
    y.backward()  # (x - mean) * 2 / n: the direction of steepest ascent
    np.testing.assert_allclose(x.grad.numpy(), [-1 + 1.5j, 1 - 1.5j])


def test_sum_in_another_dtype_gives_the_gradient_in_its_own():
    x = leaf([1.0, 2.0], np.float32)
    y = xgrad.sum(x, dtype=xgrad.float64)
    y.backward()
    assert y.dtype == "float64" and x.grad.dtype == "float32"


def test_prod_and_cumulative_prod_in_another_dtype():
    x = leaf([1.0, 2.0], np.float32)
    assert gradient(lambda x: xgrad.prod(x, dtype=xgrad.float64), x).dtype == np.float32
    assert gradient(lambda x: xgrad.sum(xgrad.cumulative_prod(x, dtype=xgrad.float64)), x).dtype == np.float32


def test_cumulative_sum_needs_an_axis():
    with pytest.raises(ValueError, match="axis"):
        xgrad.cumulative_sum(xgrad.ones((2, 2)))


@pytest.mark.parametrize("axis", [2, -3, (0, 2)])
def test_moments_say_that_there_is_no_such_axis(backend, axis):
    x = xgrad.namespace(backend).ones((300, 2))
    for function in (xgrad.sum, xgrad.mean, xgrad.var, xgrad.std):
        with pytest.raises((ValueError, IndexError), match=r"(?i)axis|dimension"):
            function(x, axis=axis)
