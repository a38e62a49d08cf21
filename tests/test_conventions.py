"""Each line of docs/conventions.md, on every backend."""

from __future__ import annotations

import math

import numpy as np
import pytest

import xgrad


def leaf(xp, values, dtype="float64"):
    return xp.asarray(np.asarray(values, dtype=dtype)).requires_grad_()


def gradients(xp, f, *values, dtype="float64"):
    leaves = [leaf(xp, v, dtype) for v in values]
    xp.sum(f(*leaves)).backward()
    return [None if x.grad is None else x.grad.numpy() for x in leaves]


def second(xp, f, value):
    x = leaf(xp, value)
    xp.sum(f(x)).backward(create_graph=True)
    g = x.grad
    x.zero_grad()
    if not g.requires_grad:
        return np.zeros(np.shape(value))
    xp.sum(g).backward()
    return np.zeros(np.shape(value)) if x.grad is None else x.grad.numpy()


def check(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-12, atol=1e-14)


@pytest.mark.filterwarnings("ignore:divide by zero")  # the gradient of rel_entr and kl_div for their first argument is infinite
def test_special_functions_at_zero(xp):
    pytest.importorskip("scipy")
    sp = xp.special
    check(gradients(xp, sp.xlogy, [0.0, 0.0], [0.0, -1.0]), [[0, 0], [0, 0]])
    check(gradients(xp, sp.xlog1py, [0.0, 0.0], [-1.0, -2.0]), [[0, 0], [0, 0]])
    check(gradients(xp, sp.rel_entr, [0.0, 0.0], [0.0, 1.0])[1], [0, 0])
    check(gradients(xp, sp.kl_div, [0.0, 0.0], [0.0, 1.0])[1], [1, 1])
    check([*gradients(xp, sp.i0e, [0.0]), *gradients(xp, sp.i1e, [0.0])], [[0], [0.5]])


def test_extreme_values_share_the_gradient(xp):
    check(gradients(xp, xp.max, [1.0, 3.0, 3.0])[0], [0, 0.5, 0.5])
    check(gradients(xp, xp.min, [1.0, 1.0, 3.0])[0], [0.5, 0.5, 0])
    check(gradients(xp, lambda x: xp.max(xp.concat([x, x])), [1.0, 2.0])[0], [0, 1])


@pytest.mark.parametrize("name", ["maximum", "minimum"])
def test_equal_operands_get_half_each(xp, name):
    f = getattr(xp, name)
    check(gradients(xp, f, [1.0, 2.0], [1.0, 2.0]), [[0.5, 0.5], [0.5, 0.5]])


def test_sort_conserves_the_gradient(xp):
    check(gradients(xp, lambda x: xp.sort(x) * xp.asarray(np.array([1.0, 10.0, 100.0])), [3.0, 1.0, 2.0])[0], [100, 1, 10])
    check(gradients(xp, xp.sort, [2.0, 2.0, 1.0])[0], [1, 1, 1])


def test_order_statistics_share_among_equal_values(xp):
    check(gradients(xp, xp.median, [2.0, 1.0, 2.0, 2.0])[0], [1 / 3, 0, 1 / 3, 1 / 3])
    check(gradients(xp, lambda x: xp.quantile(x, 0.5), [2.0, 2.0, 5.0])[0], [0.5, 0.5, 0])
    check(gradients(xp, lambda x: xp.top_k(x, 1).values, [2.0, 2.0, 1.0])[0], [0.5, 0.5, 0])


def test_largest_of_a_group_is_shared(xp):
    ids = xp.asarray(np.array([0, 0, 1]))
    check(gradients(xp, lambda x: xp.segment_max(x, ids), [2.0, 2.0, 1.0])[0], [0.5, 0.5, 1])
    check(gradients(xp, lambda x, v: x.at[[0, 0]].max(v), [3.0, 1.0], [3.0, 2.0]), [[0.5, 1], [0.5, 0]])


def test_interp_has_the_slope_to_the_right(xp):
    knots, values = (xp.asarray(np.array(v)) for v in ([0.0, 1.0, 2.0], [0.0, 2.0, 7.0]))
    check(gradients(xp, lambda x: xp.interp(x, knots, values), [-1.0, 0.0, 1.0, 1.5, 3.0])[0], [0, 2, 5, 5, 0])


def test_heaviside_has_a_gradient_where_it_jumps_for_the_value_there(xp):
    check(gradients(xp, xp.heaviside, [-1.0, 0.0, 1.0], [0.5, 0.5, 0.5]), [[0, 0, 0], [0, 1, 0]])


def test_sinc_and_cbrt_at_zero(xp):
    check(gradients(xp, xp.sinc, [0.0])[0], [0])
    check(second(xp, xp.sinc, [0.0]), [-(math.pi**2) / 3])
    with np.errstate(divide="ignore"):
        assert gradients(xp, xp.cbrt, [0.0])[0][0] == math.inf


def test_nan_has_gradient_zero_where_it_is_passed_over(xp):
    for name, wanted in (("nansum", [1, 0, 1]), ("nanmean", [0.5, 0, 0.5]), ("nanmax", [0, 0, 1]), ("nanmedian", [0.5, 0, 0.5])):
        check(gradients(xp, getattr(xp, name), [1.0, math.nan, 3.0])[0], wanted)
    check(gradients(xp, xp.nan_to_num, [1.0, math.nan, math.inf])[0], [1, 0, 0])
    check(gradients(xp, xp.fmax, [1.0, math.nan], [math.nan, 2.0]), [[1, 0], [0, 1]])


def test_the_last_of_several_writes_wins(xp):
    def write(x, v):
        y = x * 1
        y[[0, 0]] = v
        return y

    check(gradients(xp, write, [1.0, 2.0], [3.0, 4.0]), [[0, 1], [0, 1]])
    check(gradients(xp, lambda x, v: x.at[[0, 0]].multiply(v), [0.0, 2.0], [3.0, 4.0]), [[12, 1], [0, 0]])


def test_clip_passes_at_its_edges(xp):
    check(gradients(xp, lambda x: xp.clip(x, 0.0, 1.0), [-0.5, 0.0, 0.5, 1.0, 1.5])[0], [0, 1, 1, 1, 0])


def test_clip_gives_the_gradient_to_the_bound_that_is_the_result(xp):
    x, nan = [-1.0, 0.5, 2.0, math.nan], math.nan
    check(gradients(xp, xp.clip, x[:3], [1.0] * 3, [0.0] * 3), [[0, 0, 0], [0, 0, 0], [1, 1, 1]])
    check(gradients(xp, xp.clip, [0.0, 1.0, 2.0], [1.0] * 3, [1.0] * 3), [[0, 1, 0], [1, 0, 0], [0, 0, 1]])
    check(gradients(xp, xp.clip, x[:3], [nan] * 3, [1.0] * 3), [[0, 0, 0], [1, 1, 1], [0, 0, 0]])
    check(gradients(xp, xp.clip, x[:3], [0.0] * 3, [nan] * 3), [[0, 0, 0], [0, 0, 0], [1, 1, 1]])
    check(gradients(xp, xp.clip, x[3:], [0.0], [1.0]), [[1], [0], [0]])
    check(gradients(xp, lambda x: xp.clip(x, 1.0, 0.0), x[:3])[0], [0, 0, 0])
    check(gradients(xp, lambda x: xp.clip(x, min=nan), x[:3])[0], [0, 0, 0])
    assert xp.clip(xp.asarray(x[:3]), 1.0, 0.0).tolist() == [0.0, 0.0, 0.0]


def test_no_complex_numbers_where_a_function_is_for_real_ones(xp):
    for f in (xp.sort, xp.relu, xp.softmax, lambda z: xp.maximum(z, z), lambda z: xp.logaddexp(z, z)):
        with pytest.raises(TypeError, match="takes real numbers, and .* is complex"):
            f(xp.asarray([1 + 2j, 0.5]))


@pytest.mark.parametrize("name", ["abs", "sign", "relu"])
def test_kinks_have_gradient_zero(xp, name):
    f = getattr(xp, name)
    check(gradients(xp, f, [0.0])[0], [0])
    check(second(xp, f, [0.0]), [0])


def test_hypot_at_zero(xp):
    check(gradients(xp, xp.hypot, [0.0, 3.0], [0.0, 4.0]), [[0, 0.6], [0, 0.8]])
    assert np.isfinite(second(xp, lambda x: xp.hypot(x, x), [0.0])).all()


def test_std_of_equal_values(xp):
    check(gradients(xp, xp.std, [1.0, 1.0, 1.0])[0], [0, 0, 0])
    assert np.isfinite(second(xp, xp.std, [1.0, 1.0, 1.0])).all()


@pytest.mark.parametrize("name", ["floor", "ceil", "round", "trunc", "sign"])
def test_steps_have_gradient_zero(xp, name):
    check(gradients(xp, getattr(xp, name), [0.3, 1.7, -2.2])[0], [0, 0, 0])


def test_floor_divide_and_remainder(xp):
    check(gradients(xp, xp.floor_divide, [7.0], [2.0]), [[0], [0]])
    check(gradients(xp, xp.remainder, [7.5], [2.0]), [[1], [-3]])


def test_copysign(xp):
    check(gradients(xp, xp.copysign, [2.0, -2.0], [-1.0, -1.0]), [[-1, 1], [0, 0]])


@pytest.mark.filterwarnings("ignore:invalid value")  # the logarithm of -2 is looked for
def test_power_at_zero(xp):
    for exponent, wanted, bent in ((0, 0, 0), (1, 1, 0), (2, 0, 2), (3, 0, 0), (2.0, 0, 2)):
        check(gradients(xp, lambda x, e=exponent: x**e, [0.0])[0], [wanted])
        check(second(xp, lambda x, e=exponent: x**e, [0.0]), [bent])
    by_base, by_exponent = gradients(xp, xp.pow, [0.0, 0.0, 2.0], [0.0, 2.0, 3.0])
    check(by_base, [0, 0, 12])
    check(by_exponent[1:], [0, 8 * math.log(2)])
    assert np.isnan(gradients(xp, xp.pow, [-2.0], [3.0])[1]).all()


def test_products_with_zeros(xp):
    check(gradients(xp, xp.prod, [2.0, 0.0, 3.0])[0], [0, 6, 0])
    check(gradients(xp, xp.prod, [0.0, 0.0, 3.0])[0], [0, 0, 0])
    check(gradients(xp, xp.cumulative_prod, [2.0, 0.0, 3.0])[0], [1, 8, 0])


def test_all_minus_infinity(xp):
    check(gradients(xp, xp.logsumexp, [-np.inf, -np.inf])[0], [0, 0])
    check(gradients(xp, xp.logaddexp, [-np.inf], [-np.inf]), [[0], [0]])


def test_softmax_with_an_impossible_class(xp):
    weights = np.array([1.0, 2.0, 3.0])
    for f in (xp.softmax, lambda x: xp.exp(xp.log_softmax(x))):
        assert np.isfinite(gradients(xp, lambda x, f=f: f(x) * xp.asarray(weights), [0.0, -np.inf, 1.0])[0]).all()


def test_atan2_at_the_origin(xp):
    check(gradients(xp, xp.atan2, [0.0], [0.0]), [[0], [0]])


@pytest.mark.filterwarnings("ignore:invalid value")  # the square root of -1 is the caller's own
def test_where_hands_on_the_nan_of_the_branch_not_taken(xp):
    assert np.isnan(gradients(xp, lambda x: xp.where(x > 0, xp.sqrt(x), xp.zeros_like(x)), [-1.0])[0]).all()
    safe = gradients(xp, lambda x: xp.where(x > 0, xp.sqrt(xp.where(x > 0, x, xp.ones_like(x))), xp.zeros_like(x)), [-1.0, 4.0])
    check(safe[0], [0, 0.25])


@pytest.mark.parametrize("name", ["softplus", "sigmoid", "gelu", "relu"])
def test_own_functions_are_finite_far_out(xp, name):
    f = getattr(xp, name)
    assert np.isfinite(gradients(xp, f, [-800.0, -40.0, 0.0, 40.0, 800.0])[0]).all()
    assert np.isfinite(second(xp, f, [-800.0, -40.0, 0.0, 40.0, 800.0])).all()


def test_default_dtype(xp):
    assert xp.zeros(3).dtype == xp.asarray(0.5).dtype == xp.asarray([0.5]).dtype == xgrad.float32
    assert xp.asarray(1).dtype == xgrad.int64


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_gradients_have_the_dtype_of_their_tensor(xp, dtype):
    x = leaf(xp, [1.0, 2.0], dtype)
    (x * 2.5 + np.float64(2.0)).sum().backward()
    assert x.dtype == x.grad.dtype == dtype
    assert (x * np.float64(2.0)).dtype == dtype


def test_integers_cannot_require_grad(xp):
    with pytest.raises(TypeError, match="cannot require grad"):
        xp.asarray([1, 2]).requires_grad_()


def test_complex_gradients_are_pytorchs(xp):
    z = leaf(xp, 1 + 2j, "complex128")
    (xp.abs(z) ** 2).backward()
    check(z.grad.numpy(), 2 + 4j)
    z.zero_grad()
    xp.real(z * z).backward()
    check(z.grad.numpy(), 2 - 4j)
    z = leaf(xp, 0j, "complex128")
    xp.abs(z).backward()
    check(z.grad.numpy(), 0)
    x = leaf(xp, 2.0)
    xp.real(x * (1 + 2j) * x).backward()
    check(x.grad.numpy(), 4.0)
    assert x.grad.dtype == "float64"


def test_forward_mode_is_the_transpose(xp):
    def tangent(f, x, v):
        kind = xgrad.complex128 if any(isinstance(n, complex) for n in x) else xgrad.float64
        return xgrad.jvp(f, (xp.asarray(x, dtype=kind),), (xp.asarray(v, dtype=kind),))[1].numpy()

    check(tangent(xp.max, [1.0, 3.0, 3.0], [5.0, 1.0, 2.0]), 1.5)
    check(tangent(lambda x: xp.maximum(x, 2.0), [1.0, 2.0, 3.0], [1.0, 1.0, 1.0]), [0, 0.5, 1])
    check(tangent(xp.abs, [-1.0, 0.0, 2.0], [1.0, 1.0, 1.0]), [-1, 0, 1])
    check(tangent(xp.std, [1.0, 1.0], [1.0, 2.0]), 0)
    check(tangent(lambda z: z * z, [1 + 2j], [1j]), [2j * (1 + 2j)])
    check(tangent(xp.abs, [3 + 4j, 0j], [1j, 1j]), [0.8, 0])
    check(tangent(xp.imag, [3 + 4j], [1 + 2j]), [2.0])


def test_jacobians_and_hessians_of_complex_numbers(xp):
    z, x = xp.asarray([1 + 2j], dtype=xp.complex128), xp.asarray([2.0], dtype=xp.float64)
    for made in (xgrad.jacobian, xgrad.jacrev, xgrad.jacfwd):
        check(made(lambda x: x * x * (1 + 3j))(x).numpy(), [[4 + 12j]])
        check(made(lambda z: xp.abs(z) ** 2)(z).numpy(), [[2 + 4j]])
        check(made(lambda z: z * z)(z).numpy(), [[2 + 4j]])
        with pytest.raises(xgrad.GradientError, match="not complex-differentiable"):
            made(xp.conj)(z)
    square, real = (lambda z: xp.sum(xp.abs(z) ** 2)), (lambda z: xp.sum(xp.real(z * z)))
    check((xgrad.hessian(square)(z) @ z).numpy(), xgrad.hvp(square, z, z).numpy())
    check(xgrad.hvp(real, z, z).numpy(), [2 - 4j])
    with pytest.raises(xgrad.GradientError, match="xgrad.hvp has its products"):
        xgrad.hessian(real)(z)


def test_a_function_that_returns_a_constant_of_any_kind(xp):
    x = xp.asarray([1.0, 2.0], dtype=xp.float64)
    for made in (x[0], x[0].data, np.float64(3.0)):
        check(xgrad.grad(lambda x, made=made: made)(x).numpy(), [0, 0])
    with pytest.raises(TypeError, match="returned a float, not a Tensor"):
        xgrad.grad(lambda x: 3.0)(x)


def test_an_unused_leaf_keeps_none(xp):
    x, y = leaf(xp, 1.0), leaf(xp, 1.0)
    (x * 2).backward()
    assert y.grad is None


def test_dtypes_that_do_not_promote():
    pytest.importorskip("array_api_strict")
    strict = xgrad.namespace("strict")  # the standard leaves integers with floats open; NumPy and others go on
    with pytest.raises(TypeError, match=r"add: the dtypes do not promote \(x1 \(2,\) int64, x2 \(2,\) float32\); convert one"):
        strict.asarray([1, 2]) + strict.asarray([1.0, 2.0])
    with pytest.raises(TypeError, match="the dtypes do not promote"):
        xgrad.namespace("numpy").asarray([1, 2]) & xgrad.namespace("numpy").asarray([1.0, 2.0])


def test_determinants_and_factorizations_of_singular_matrices(xp):
    stack = [[[1.0, 1.0], [0.0, 2.0]], [[0.0, 0.0], [0.0, 0.0]]]
    np.testing.assert_allclose(gradients(xp, xp.linalg.det, stack)[0], [[[2.0, 0.0], [-1.0, 1.0]], np.zeros((2, 2))], atol=1e-12)
    for f in (lambda x: xp.linalg.slogdet(x)[1], lambda x: xp.abs(xp.linalg.qr(x)[1])):
        (got,) = gradients(xp, f, stack)
        assert np.isfinite(got[0]).all() and np.isnan(got[1]).all()
    (got,) = gradients(xp, lambda x: xp.linalg.pinv(x), [[2.0, 0.0], [0.0, 0.0]])
    np.testing.assert_allclose(got[0, 0], -0.25)
    assert np.isfinite(got).all()
    np.testing.assert_array_equal(gradients(xp, xp.linalg.matrix_norm, np.zeros((2, 2)))[0], np.zeros((2, 2)))
    (got,) = gradients(xp, lambda x: xp.linalg.matrix_norm(x, ord="nuc"), [[2.0, 0.0], [0.0, 1e-17]])
    np.testing.assert_allclose(got, [[1.0, 0.0], [0.0, 0.0]], atol=1e-12)


def test_a_pseudo_inverse_that_drops_a_value(xp):
    # Between the kept value 2 and the dropped value 1, x[0, 1] and x[1, 0] turn the kept space; y is v u^H / 2.
    (got,) = gradients(xp, lambda x: xp.linalg.pinv(x, rtol=0.6)[0, 1], [[2.0, 0.0], [0.0, 1.0]])
    np.testing.assert_allclose(got, [[0.0, 1 / 6], [1 / 3, 0.0]], atol=1e-12)


def test_functions_of_matrices_with_repeated_eigenvalues(xp):
    (got,) = gradients(xp, lambda x: xp.linalg.matrix_function(x, xp.exp)[0, 1], np.eye(2))
    np.testing.assert_allclose(got, [[0.0, math.e / 2], [math.e / 2, 0.0]], atol=1e-12)
    if xp.zeros(1).backend in ("numpy", "torch", "strict"):
        with pytest.warns(RuntimeWarning, match="eigh: x has a repeated eigenvalue"):
            gradients(xp, lambda x: (lambda w, v: ((v * xp.exp(w)) @ v.mT)[0, 1])(*xp.linalg.eigh(x)), np.eye(2))


def test_repeated_eigenvalues(xp):
    def trace_of_exp(x):
        w, v = xp.linalg.eigh(x)
        return xp.linalg.trace((v * xp.exp(w)[None, :]) @ v.mT)

    np.testing.assert_allclose(gradients(xp, trace_of_exp, np.eye(2))[0], math.e * np.eye(2), atol=1e-12)
    (got,) = gradients(xp, lambda x: xp.linalg.eigh(x)[1] ** 4, [[2.0, 1.0], [1.0, 3.0]])
    np.testing.assert_allclose(got, got.T, atol=1e-12)


def test_lists_and_named_types(xp):
    x = xp.asarray([1.0, 2.0])
    assert (x + [1, 2]).dtype == xp.float32 and (x == [1, 0]).tolist() == [True, False]
    assert (xp.astype(x, float) + [0.1, 0.2]).tolist() == [1.1, 2.2]
    assert (x == None).tolist() == [False, False]  # noqa: E711
    assert xp.zeros(1, dtype=complex).dtype == xp.complex128


def test_writing_to_parts_and_results(xp):
    z = xp.asarray(np.array([1 + 2j, 3 - 1j])) * 1
    z.real[0] = 5.0
    z.imag += 1.0
    z.real *= 2.0
    assert z.tolist() == [10 + 3j, 6 + 0j]
    z.imag = [7.0, np.inf]
    z.real = 0.0
    assert z.real.tolist() == [0.0, 0.0] and z.imag.tolist() == [7.0, np.inf]
    x = xp.asarray([1.0, 2.0])
    x.real[0] = 9.0
    assert x.tolist() == [9.0, 2.0]
    with pytest.raises(ValueError, match="no imaginary part"):
        x.imag[0] = 1.0
    for requires_grad in (True, False):
        x = xp.asarray([1.0, 2.0]).requires_grad_(requires_grad) * 1
        for y in (xp.pad(x, 0), xp.diff(x, n=0), x.flatten()):
            y += 100.0
        assert x.tolist() == [1.0, 2.0]


def test_the_gradient_of_writing_to_parts(xp):
    z = xp.asarray(np.array([1 + 2j, 3 - 1j])).requires_grad_()
    r = leaf(xp, 4.0)
    w = z * 1
    w.real[0] = r
    w.imag *= 3.0
    xp.sum(xp.real(w * xp.conj(w))).backward()
    assert z.grad.tolist() == [36j, 6 - 18j] and r.grad.item() == 8.0


def test_sums_stay_precise(xp):
    rows = xp.asarray(np.full((100_000, 2), 0.1, "float32"))
    np.testing.assert_allclose(xp.sum(rows, axis=0).numpy(), 1e5 * float(np.float32(0.1)), rtol=2e-6)
    np.testing.assert_allclose(xp.linalg.vector_norm(xp.asarray(np.asarray([3e25, 4e25], "float32"))).item(), 5e25, rtol=1e-6)
    try:
        halves = xp.zeros((4096, 2), dtype="float16")
    except TypeError:
        return  # a library without half precision
    b = xp.ones(2, dtype="float16").requires_grad_()
    xp.mean(b + halves).backward()
    assert b.grad.tolist() == [0.5, 0.5] and b.grad.dtype.name == "float16"
    optimizer = xgrad.optim.Adam([b])
    b.grad = xp.zeros(2, dtype="float16")
    optimizer.step()
    assert b.detach().tolist() == [1.0, 1.0]
    assert {x.dtype.name for x in optimizer.state_dict()["state"].values()} == {"float32"}


def test_complex_numbers_do_not_become_real_ones(xp):
    z = xp.asarray([1 + 2j, 3.0])
    for call in (lambda: xp.astype(z, "float32"), lambda: xp.asarray(z, dtype="float32"), lambda: xp.sum(z, dtype="float32")):
        with pytest.raises(TypeError, match="imaginary"):
            call()
    with pytest.raises(TypeError, match="imaginary"):
        xp.zeros(2).data = z


def test_an_optimizer_takes_the_parameter_from_the_array_that_it_was_made_of():
    for make in (lambda a: xgrad.Tensor(a, requires_grad=True), _assigned):
        given = np.asarray([1.0, 2.0])
        p = make(given)
        assert (p.data is given) == (make is not _assigned)
        optimizer = xgrad.optim.SGD([p], lr=1.0)
        p.grad = xgrad.Tensor(np.asarray([1.0, 1.0]))
        optimizer.step()
        assert given.tolist() == [1.0, 2.0] and p.data.tolist() == [0.0, 1.0]


def _assigned(a):
    p = xgrad.Tensor(np.zeros(2), requires_grad=True)
    p.data = a
    return p
