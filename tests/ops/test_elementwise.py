"""Conventions and pitfalls of `xgrad.ops.elementwise`. The table checks ordinary points."""

from __future__ import annotations

import doctest
import math
import re
import textwrap
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor
from xgrad.backend import find_backend
from xgrad.graph.names import registry
from xgrad.ops import elementwise

inf, nan = math.inf, math.nan

STANDARD = """
    abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_left_shift bitwise_invert bitwise_or bitwise_right_shift
    bitwise_xor ceil clip conj copysign cos cosh divide equal exp expm1 floor floor_divide greater greater_equal hypot imag
    isfinite isinf isnan less less_equal log log1p log2 log10 logaddexp logical_and logical_not logical_or logical_xor maximum
    minimum multiply negative nextafter not_equal positive pow real reciprocal remainder round sign signbit sin sinh square sqrt
    subtract tan tanh trunc
""".split()


def leaf(xp: Any, value: Any, dtype: str = "float64") -> Tensor:
    return xp.asarray(value, dtype=getattr(xp, dtype)).requires_grad_()


def host(x: Tensor | None) -> Any:
    assert x is not None
    return find_backend(x.backend).to_numpy(x.data)


def gradients(f: Callable[..., Tensor], *leaves: Tensor, graph: bool = False) -> list[Tensor]:
    """The gradients of ``sum(f(*leaves))``."""
    for x in leaves:
        x.grad = None
    y = f(*leaves)
    xp = y.__array_namespace__()
    y.backward(xp.ones_like(y), create_graph=graph)
    results = [x.grad for x in leaves]
    assert all(g is not None for g in results)
    return [g for g in results if g is not None]


def second(f: Callable[[Tensor], Tensor], x: Tensor) -> Any:
    """The second derivative of an elementwise `f`."""
    (g,) = gradients(f, x, graph=True)
    if not g.requires_grad:
        return np.zeros(x.shape)
    x.grad = None
    g.backward(x.__array_namespace__().ones_like(g))
    return host(x.grad)


# The chapter as a whole


def test_chapter_is_the_standards() -> None:
    assert list(elementwise.__all__) == [*STANDARD, "zero_where_not"] and len(STANDARD) == 67


@pytest.mark.parametrize("name", STANDARD)
def test_every_function_is_classified(name: str) -> None:
    assert registry[name].derivative in ("rules", "zero", "none")


@pytest.mark.parametrize("name", STANDARD)
def test_examples_run(name: str) -> None:
    doc = textwrap.dedent("    " + getattr(elementwise, name).__doc__)
    assert re.search(r"Parameters\n-+\n.*\n\nReturns\n-+\n.*\n\n.*Examples\n-+\n>>> ", doc, re.DOTALL)
    test = doctest.DocTestParser().get_doctest(doc, dict(vars(elementwise)), name, None, 0)
    failed, tried = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS).run(test)
    assert tried and not failed


@pytest.mark.parametrize(
    "name, kept",
    [("add", []), ("subtract", []), ("negative", []), ("exp", ["y"]), ("tanh", ["x", "y"]), ("sqrt", ["y"]),
     ("reciprocal", ["y"]), ("square", ["x"]), ("log", ["x"]), ("floor", [])],
)  # fmt: skip
def test_rules_keep_no_more_than_they_need(name: str, kept: list[str]) -> None:
    op = registry[name]
    assert sorted(op.slots[k] for k in frozenset().union(*op.needs)) == kept


# Pitfalls


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_pitfall_2_ties_split_evenly(xp: Any, name: str) -> None:
    f = getattr(xp, name)
    a, b = gradients(f, leaf(xp, [1.0, 2.0]), leaf(xp, [1.0, 5.0]))
    lost = [0.5, 0.0] if name == "maximum" else [0.5, 1.0]
    assert host(a).tolist() == lost and host(b).tolist() == [1 - v for v in lost]


def test_pitfall_2_maximum_of_a_scalar(xp: Any) -> None:
    (g,) = gradients(lambda x: xp.maximum(x, 0.0), leaf(xp, [-1.0, 0.0, 1.0]))
    assert host(g).tolist() == [0.0, 0.5, 1.0]


def test_pitfall_4_clip_passes_at_its_edges(xp: Any) -> None:
    (g,) = gradients(lambda x: xp.clip(x, 0, 1), leaf(xp, [-1.0, 0.0, 0.5, 1.0, 2.0]))
    assert host(g).tolist() == [0.0, 1.0, 1.0, 1.0, 0.0]
    x, low, high = gradients(xp.clip, leaf(xp, [-1.0, 0.0, 0.5, 1.0, 2.0]), leaf(xp, 0.0), leaf(xp, [1.0]))
    assert host(x).tolist() == [0.0, 1.0, 1.0, 1.0, 0.0] and host(low) == 1.0 and host(high).tolist() == [1.0]


def test_pitfall_5_kinks_of_abs_and_sign(xp: Any) -> None:
    x = leaf(xp, [-2.0, 0.0, -0.0, 3.0])
    assert host(gradients(xp.abs, x)[0]).tolist() == [-1.0, 0.0, 0.0, 1.0]
    assert second(xp.abs, x).tolist() == [0.0] * 4
    assert host(gradients(xp.sign, x)[0]).tolist() == [0.0] * 4


def test_pitfall_6_hypot_at_the_origin(xp: Any) -> None:
    a, b = leaf(xp, [0.0, 3.0]), leaf(xp, [0.0, 4.0])
    for g, wanted in zip(gradients(xp.hypot, a, b), ([0.0, 0.6], [0.0, 0.8])):
        assert host(g).tolist() == wanted
    assert np.isfinite(second(lambda x: xp.hypot(x, b), a)).all()
    assert np.isfinite(second(lambda x: xp.hypot(x, x), a)).all()


@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value)")  # the test computes infinities on purpose
def test_pitfall_7_plain_functions_are_infinite_where_calculus_is(xp: Any) -> None:
    x = leaf(xp, [0.0])
    assert host(gradients(xp.sqrt, x)[0]) == inf
    assert host(gradients(xp.log, x)[0]) == inf
    (g,) = gradients(lambda x: xp.where(x > 0, xp.sqrt(x), xp.zeros_like(x)), leaf(xp, [-1.0, 4.0]))
    assert np.isnan(host(g)[0]) and host(g)[1] == 0.25  # the derivative of the branch that is not selected is NaN


@pytest.mark.filterwarnings("ignore:invalid value")  # the test takes the logarithm of a negative number on purpose
def test_pitfall_8_pow_of_arrays(xp: Any) -> None:
    base, exponent = gradients(xp.pow, leaf(xp, [0.0, 0.0, -2.0, 0.0]), leaf(xp, [0.0, 2.0, 3.0, 1.0]))
    assert host(base).tolist() == [0.0, 0.0, 12.0, 1.0]
    np.testing.assert_array_equal(host(exponent), [0.0, 0.0, nan, 0.0])


def test_pitfall_8_pow_of_an_array_of_exponents_at_zero_to_second_order(xp: Any) -> None:
    exponents = xp.asarray([0.0, 1.0, 2.0, 3.0], dtype=xp.float64)
    assert second(lambda x: x**exponents, leaf(xp, [0.0] * 4)).tolist() == [0.0, 0.0, 2.0, 0.0]
    assert second(lambda x: x**exponents, leaf(xp, [-2.0] * 4)).tolist() == [0.0, 0.0, 2.0, -12.0]


def test_pitfall_8_mixed_derivative_where_the_exponent_is_zero(xp: Any) -> None:
    x, y = leaf(xp, [2.0]), leaf(xp, [0.0])
    (g, _) = gradients(xp.pow, x, y, graph=True)
    y.grad = None
    g.backward(xp.ones_like(g))
    assert host(y.grad).tolist() == [0.5]  # d/dy of y x**(y - 1); it would be lost if y == 0 were masked


@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value)")  # some of these derivatives are infinite
@pytest.mark.parametrize("n, first, twice", [(0, 0, 0), (1, 1, 0), (2, 0, 2), (3, 0, 0), (2.0, 0, 2), (1.5, 0, inf)])
def test_pitfall_8_scalar_exponents_at_zero(xp: Any, n: float, first: float, twice: float) -> None:
    x = leaf(xp, [0.0])
    assert host(gradients(lambda x: x**n, x)[0]).tolist() == [first]
    assert second(lambda x: x**n, x).tolist() == [twice]


@pytest.mark.filterwarnings("ignore:invalid value")  # the test takes the logarithm of a negative number on purpose
def test_pitfall_8_scalar_base(xp: Any) -> None:
    np.testing.assert_array_equal(host(gradients(lambda y: 0.0**y, leaf(xp, [0.0, 2.0]))[0]), [0.0, 0.0])
    np.testing.assert_allclose(host(gradients(lambda y: 2.0**y, leaf(xp, [3.0]))[0]), [8 * math.log(2)])
    assert np.isnan(host(gradients(lambda y: (-2.0) ** y, leaf(xp, [3.0]))[0])).all()


def test_pitfall_8_square_takes_no_logarithm(xp: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    x = leaf(xp, [3.0])
    raw = find_backend(x.backend).xp
    for name in ("log", "where"):
        monkeypatch.setattr(raw, name, None)
    assert host(gradients(lambda x: x**2, x)[0]).tolist() == [6.0]


def test_pitfall_12_logaddexp_at_infinities(xp: Any) -> None:
    a, b = leaf(xp, [-inf, -inf, 0.0, inf, 1.0, inf]), leaf(xp, [-inf, 0.0, -inf, 0.0, 1.0, inf])
    ga, gb = gradients(xp.logaddexp, a, b)
    assert host(ga).tolist() == [0.0, 0.0, 1.0, 1.0, pytest.approx(0.5), 1.0]
    assert host(gb).tolist() == [0.0, 1.0, 0.0, 0.0, pytest.approx(0.5), 1.0]
    assert np.isfinite(second(lambda x: xp.logaddexp(x, b), a)).all()


def test_pitfall_12_logaddexp_far_apart(xp: Any) -> None:
    a = leaf(xp, [-40.0, -1000.0])
    (g,) = gradients(lambda x: xp.logaddexp(x, xp.zeros_like(x)), a)
    np.testing.assert_allclose(host(g), [math.exp(-40.0), 0.0], rtol=1e-12)
    np.testing.assert_allclose(second(lambda x: xp.logaddexp(x, xp.zeros_like(x)), a), [math.exp(-40.0), 0.0], rtol=1e-12)


def test_pitfall_12_expm1_keeps_its_tail(xp: Any) -> None:
    np.testing.assert_allclose(host(gradients(xp.expm1, leaf(xp, [-40.0]))[0]), [math.exp(-40.0)], rtol=1e-12)


def test_pitfall_12_atan2_at_the_origin(xp: Any) -> None:
    a, b = leaf(xp, [0.0, 1e-30]), leaf(xp, [0.0, 1e-30])
    ga, gb = gradients(xp.atan2, a, b)
    np.testing.assert_allclose(host(ga), [0.0, 5e29])
    np.testing.assert_allclose(host(gb), [0.0, -5e29])
    assert np.isfinite(second(lambda x: xp.atan2(x, xp.zeros_like(x)), leaf(xp, [0.0]))).all()


def test_pitfall_12_atan2_does_not_underflow(xp: Any) -> None:
    (g,) = gradients(lambda y: xp.atan2(y, xp.full_like(y, 1e-25)), leaf(xp, [0.0], "float32"))
    np.testing.assert_allclose(host(g), [1e25], rtol=1e-6)


@pytest.mark.parametrize(
    "name", ["add", "subtract", "multiply", "divide", "pow", "maximum", "minimum", "hypot", "atan2", "logaddexp"]
)
def test_pitfall_20_gradients_keep_the_dtype(xp: Any, name: str) -> None:
    f = getattr(xp, name)
    a, b = leaf(xp, [1.5, 2.0], "float32"), leaf(xp, [[0.5], [1.0]], "float64")
    ga, gb = gradients(f, a, b)
    assert (ga.dtype, ga.shape) == (xp.float32, (2,)) and (gb.dtype, gb.shape) == (xp.float64, (2, 1))
    assert f(a, b).dtype == xp.float64 and f(a, 2.0).dtype == xp.float32
    (g,) = gradients(lambda x: f(x, np.float64(2)), a)
    assert f(a, np.float64(2)).dtype == g.dtype == xp.float32


@pytest.mark.parametrize("name", ["exp", "tanh", "sqrt", "log", "square", "reciprocal", "sin", "abs", "log2"])
def test_pitfall_20_half_precision(xp: Any, name: str) -> None:
    if not hasattr(find_backend(xp.zeros(1).backend).xp, "float16"):
        pytest.skip("the library has no float16")
    x = leaf(xp, [0.5, 1.5], "float16")
    (g,) = gradients(getattr(xp, name), x)
    (wanted,) = gradients(getattr(xp, name), leaf(xp, [0.5, 1.5]))
    assert g.dtype == xp.float16
    np.testing.assert_allclose(host(g), host(wanted), rtol=5e-3)


def test_pitfall_28_complex_convention(xp: Any) -> None:
    z = leaf(xp, [1 + 2j], "complex128")
    np.testing.assert_allclose(host(gradients(lambda z: xp.abs(z) ** 2, z)[0]), [2 + 4j])
    np.testing.assert_allclose(host(gradients(lambda z: xp.real(z**2), z)[0]), [2 - 4j])
    np.testing.assert_allclose(host(gradients(lambda z: xp.imag(z), z)[0]), [1j])
    np.testing.assert_allclose(host(gradients(lambda z: xp.real(z * xp.conj(z)), z)[0]), [2 + 4j])


def test_pitfall_28_real_leaf_gets_a_real_gradient(xp: Any) -> None:
    x = leaf(xp, [3.0])
    (g,) = gradients(lambda x: xp.real(x * (1 + 2j)) + xp.imag(x * (1 + 2j)), x)
    assert g.dtype == xp.float64 and host(g).tolist() == [3.0]


def test_pitfall_28_modulus_and_direction_at_zero(xp: Any) -> None:
    z = leaf(xp, [0j, 3 + 4j], "complex128")
    np.testing.assert_allclose(host(gradients(xp.abs, z)[0]), [0, 0.6 + 0.8j])
    np.testing.assert_allclose(host(gradients(lambda z: xp.real(xp.sign(z)), z)[0]), [0, 0.128 - 0.096j])
    assert np.isfinite(second(xp.abs, z)).all()


def test_pitfall_28_negative_base_with_a_complex_exponent(xp: Any) -> None:
    (g,) = gradients(lambda w: xp.real(xp.asarray([-2.0], dtype=xp.float64) ** w), leaf(xp, [1 + 1j], "complex128"))
    w, log = 1 + 1j, complex(math.log(2), math.pi)
    np.testing.assert_allclose(host(g), [np.conj(np.exp(w * log) * log)])


# Other conventions


def test_real_and_imaginary_parts_of_real_numbers(xp: Any) -> None:
    x = leaf(xp, [1.0, -2.0])
    assert xp.conj(x).data is x.data and xp.real(x).data is x.data
    assert host(xp.imag(x)).tolist() == [0.0, 0.0]
    assert host(gradients(xp.imag, x)[0]).tolist() == [0.0, 0.0]


def test_copysign(xp: Any) -> None:
    a, b = gradients(xp.copysign, leaf(xp, [1.0, -1.0, 1.0, -1.0, 0.0]), leaf(xp, [2.0, 2.0, -2.0, -0.0, 1.0]))
    assert host(a).tolist() == [1.0, -1.0, -1.0, 1.0, 0.0] and host(b).tolist() == [0.0] * 5


def test_remainder_and_floor_divide(xp: Any) -> None:
    a, b = leaf(xp, [7.0, -7.0]), leaf(xp, [2.0, 2.0])
    ga, gb = gradients(lambda a, b: a % b, a, b)
    assert host(ga).tolist() == [1.0, 1.0] and host(gb).tolist() == [-3.0, 4.0]
    for g in gradients(lambda a, b: a // b, a, b):
        assert host(g).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_quotients_rounded_down_are_numpys(xp: Any, dtype: str) -> None:
    """The quotient of the rounded 1.0 / 0.1 is 10, and the largest multiple of 0.1 below 1.0 is 9 of them."""
    a = np.repeat(np.asarray([1.0, -1.0, 0.5, 4.35, -7.0, 1e6, 0.0, -0.0], dtype=dtype), 4)
    b = np.tile(np.asarray([0.1, -0.1, 0.7, -3.0], dtype=dtype), 8)
    whole, rest = np.divmod(a, b)
    x, y = leaf(xp, a, dtype), xp.asarray(b)
    for quotient, left in ((x // y, x % y), divmod(x, y), np.divmod(x, y)):
        np.testing.assert_array_equal(host(quotient), whole)
        np.testing.assert_array_equal(host(left), rest)
        assert host(quotient).dtype == dtype and host(left).dtype == dtype
    np.testing.assert_array_equal(host(x // 0.1), a // np.asarray(0.1, dtype=dtype))
    np.testing.assert_array_equal(host(divmod(1.0, y)[1]), np.asarray(1.0, dtype=dtype) % b)
    (g,) = gradients(lambda y: x.detach() % y, leaf(xp, b, dtype))
    np.testing.assert_array_equal(host(g), -whole)


@pytest.mark.parametrize("name", ["ceil", "floor", "round", "trunc"])
def test_rounding_has_zero_gradient(xp: Any, name: str) -> None:
    assert host(gradients(getattr(xp, name), leaf(xp, [-1.5, 0.0, 1.2]))[0]).tolist() == [0.0] * 3


def test_nextafter_is_not_differentiable(xp: Any) -> None:
    assert not xp.nextafter(leaf(xp, [1.0]), xp.asarray([2.0], dtype=xp.float64)).requires_grad


@pytest.mark.filterwarnings("ignore:(divide by zero|invalid value)")  # the test divides by zero itself
def test_divide_by_zero(xp: Any) -> None:
    a, b = gradients(xp.divide, leaf(xp, [1.0]), leaf(xp, [0.0]))
    assert host(a).tolist() == [inf] and host(b).tolist() == [-inf]


def test_inverse_hyperbolic_cosine_left_of_the_axis(xp: Any) -> None:
    z, h = -1.5 + 0.5j, 1e-6
    (g,) = gradients(lambda z: xp.real(xp.acosh(z)), leaf(xp, [z], "complex128"))
    np.testing.assert_allclose(host(g), np.conj([(np.arccosh(z + h) - np.arccosh(z - h)) / (2 * h)]), rtol=1e-6)


def test_gradients_of_large_numbers_do_not_overflow(xp: Any) -> None:
    a, b = gradients(xp.hypot, leaf(xp, [3e200]), leaf(xp, [4e200]))
    np.testing.assert_allclose([host(a)[0], host(b)[0]], [0.6, 0.8])
    (g,) = gradients(lambda x: 1.0 / x, leaf(xp, [1e200]))
    assert host(g).tolist() == [-0.0]
    (g,) = gradients(lambda x: 1e200 / x, leaf(xp, [1e200]))
    np.testing.assert_allclose(host(g), [-1e-200])


@pytest.mark.parametrize("name", ["square", "sqrt", "exp", "tanh", "abs", "reciprocal", "negative", "log"])
def test_zero_dimensional_stays_zero_dimensional(xp: Any, name: str) -> None:
    x = leaf(xp, 0.5)
    y = getattr(xp, name)(x)
    y.backward()
    assert y.shape == () and x.grad is not None and x.grad.shape == ()


def test_shapes_that_do_not_broadcast_are_told() -> None:
    with pytest.raises(ValueError, match=r"multiply: the shapes do not broadcast together .*\(2,\).*\(3,\)"):
        Tensor([1.0, 2.0]) * Tensor([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="clip: the shapes do not broadcast"):
        xgrad.clip(Tensor([1.0, 2.0]), Tensor([1.0, 2.0, 3.0]))


def test_arrays_without_axes_have_a_say_in_the_dtype(xp: Any) -> None:
    # PyTorch's operators give them none.
    x, y = xp.asarray(2.0, dtype="float64").requires_grad_(), xp.asarray([1.0, 2.0], dtype="float32").requires_grad_()
    z = x * y
    assert z.dtype == "float64" and (y - x).dtype == "float64"
    xp.sum(z).backward()
    assert x.grad is not None and x.grad.dtype == "float64" and x.grad.item() == 3.0
    assert y.grad is not None and y.grad.dtype == "float32" and y.grad.tolist() == [2.0, 2.0]
    assert (xp.asarray([1, 2], dtype="int8") & xp.asarray(1, dtype="int32")).dtype == "int32"
    assert (xp.asarray(2, dtype="uint8") + xp.asarray([1], dtype="int8")).dtype == "int16"
    assert (y.detach() * 2.0).dtype == "float32"  # a Python scalar has none


def test_broadcast_arrays_keeps_the_dtype_of_an_element(xp: Any) -> None:
    element = xp.asarray([0.5], dtype="float64")[0]  # in NumPy a scalar, which is also a Python float
    assert xp.broadcast_arrays(xp.asarray([1.0, 2.0]), element)[1].dtype == "float64"


@pytest.mark.filterwarnings("ignore:invalid value")  # the test divides infinity by infinity itself
def test_quotients_of_infinities_are_rounded_down_as_the_standard_has_it(xp: Any) -> None:
    inf = float("inf")
    x = xp.asarray([inf, inf, -inf, -inf, 1.0, -1.0, 7.0, inf])
    by = xp.asarray([2.0, -2.0, 2.0, -2.0, -inf, inf, 2.0, inf])
    results = (x // by).numpy()
    np.testing.assert_array_equal(results, [inf, -inf, -inf, inf, -0.0, -0.0, 3.0, np.nan])
    assert np.signbit(results[4:6]).all()
    np.testing.assert_array_equal((x[:3] // 2).numpy(), [inf, inf, -inf])
    assert (1 // xp.asarray(-inf)).item() == 0


@pytest.mark.parametrize("dtype, large", [("float32", 3e38), ("float64", 1.7e308)])
def test_directions_of_points_whose_distance_overflows(xp: Any, dtype: str, large: float) -> None:
    a, b = leaf(xp, [large, 0.5, 1.0], dtype), leaf(xp, [large, -large, 0.0], dtype)
    np.testing.assert_allclose(host(xp.over_hypot(a, b)), [math.sqrt(0.5), 0.0, 1.0], rtol=1e-6, atol=1e-6)
    for g, wanted in zip(gradients(xp.atan2, a, b), ([0.0, -1 / large, 0.0], [0.0, 0.0, -1.0])):
        np.testing.assert_allclose(host(g), wanted, rtol=1e-6, atol=1 / large)
    with np.errstate(over="ignore"):  # the distance itself is infinite
        for g, wanted in zip(gradients(xp.hypot, a, b), ([math.sqrt(0.5), 0.0, 1.0], [math.sqrt(0.5), -1.0, 0.0])):
            np.testing.assert_allclose(host(g), wanted, rtol=1e-6, atol=1e-6)


def test_slope_of_atanh_is_precise_at_zero_and_finite_far_out(xp: Any) -> None:
    x = leaf(xp, [1e-9, 0.5, -0.5, 3.0, -1e200])
    with np.errstate(invalid="ignore"):  # there is no value beyond 1
        np.testing.assert_allclose(host(gradients(xp.atanh, x)[0]), [1.0, 4 / 3, 4 / 3, -0.125, 0.0], rtol=1e-12)
        np.testing.assert_allclose(second(xp.atanh, x), [2e-9, 16 / 9, -16 / 9, 6 / 64, 0.0], rtol=1e-12)
