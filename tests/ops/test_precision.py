"""Sums, norms and steps stay precise: many addends, half precision, numbers near the ends of their dtype.

The reference is the same computation in float64, by NumPy for values and by xgrad for gradients, which `tests/table` compares
with PyTorch's.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor, nn
from xgrad.backend import find_backend

from ..harness.backends import SLOW

EPS = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-23}
LARGEST = {"float16": 65504.0, "bfloat16": 3e38, "float32": 3e38}
F = nn.functional


def rounded(values: Any, dtype: str, backend: str) -> tuple[Tensor, Any]:
    """A Tensor of a dtype, and its exact values in float64; skips if the backend has no such dtype."""
    b = find_backend(backend)
    try:
        native = b.native_dtype(dtype)
    except TypeError:
        pytest.skip(f"{backend} has no {dtype}")
    x = Tensor(b.xp.astype(b.from_numpy(np.asarray(values, "float32")), native))
    return x, host(x)


def host(x: Any) -> Any:
    x = getattr(x, "_data", x)
    if isinstance(x, np.generic):  # a Tensor treats it as a Python number
        return np.asarray(x, "float64")
    return find_backend(xgrad.Tensor(x).backend).to_numpy(x).astype("float64")


def numbers(*shape: int, low: float = 0.5, high: float = 1.5) -> Any:
    """Positive numbers, the same in every run; an imprecise sum of them loses addends."""
    rng = np.random.default_rng(zlib.crc32(repr(shape).encode()))
    return rng.uniform(low, high, shape)


def gradient(function: Callable[[Tensor], Tensor], x: Tensor, cotangent: Any = None) -> tuple[Any, Any]:
    """The value of a function, and the gradient of the sum of its results, each times a cotangent."""
    x = Tensor(x.data, requires_grad=True)
    y = function(x)
    start = None
    if y.shape:
        like = find_backend(x.backend)
        rng = np.random.default_rng(0)
        start = Tensor(like.xp.astype(like.from_numpy(rng.choice([-0.5, 0.25, 0.5, 1.0], y.shape)), y._data.dtype))
    y.backward(start)
    return host(y), host(x.grad)


def check(function: Callable[[Tensor], Tensor], x: Tensor, exact: Any, dtype: str, digits: float = 8.0) -> None:
    """Compare with float64: to some units in the last place of the largest number in the result."""
    y, g = gradient(function, x)
    wanted_y, wanted_g = gradient(function, Tensor(exact))
    for name, actual, wanted in (("value", y, wanted_y), ("gradient", g, wanted_g)):
        assert actual.shape == wanted.shape
        wanted = np.where(np.abs(wanted) > LARGEST[dtype], np.copysign(math.inf, wanted), wanted)
        least = 2.0**-24 if dtype == "float16" else 0.0  # the smallest number that it has
        finite = np.isfinite(wanted)
        np.testing.assert_array_equal(actual[~finite], wanted[~finite], name)
        size = np.max(np.abs(wanted[finite]), initial=0.0)
        error = np.max(np.abs(actual[finite] - wanted[finite]), initial=0.0)
        assert error <= digits * EPS[dtype] * size + least, f"{name}: off by {error / size:.1e} of the largest, {size:.3g}"


# ------------------------------------------------------------------------------------------------------- every reduction

SHAPES = [(4096, 2), (2, 4096), (2, 1500, 3), (40_000,)]


def axes_of(shape: tuple[int, ...]) -> list[Any]:
    several: list[Any] = [(0, 2), (1, 2), (0, 1)] if len(shape) == 3 else []
    return [None, *range(len(shape)), *several]


REDUCTIONS: dict[str, Callable[..., Tensor]] = {
    name: getattr(xgrad, name)
    for name in "sum mean var std max min prod nansum nanmean nanvar nanstd nanprod median quantile average logsumexp".split()
}
REDUCTIONS["quantile"] = lambda x, axis: xgrad.quantile(x, 0.25, axis)
REDUCTIONS["var, corrected"] = lambda x, axis: xgrad.var(x, axis=axis, correction=1)
REDUCTIONS["weighted average"] = lambda x, axis: xgrad.average(x, axis, weights=x * 2)
REDUCTIONS["nanmean with NaN"] = lambda x, axis: xgrad.nanmean(xgrad.where(x > 1.375, xgrad.full_like(x, math.nan), x), axis=axis)
REDUCTIONS["softmax"] = lambda x, axis: xgrad.softmax(x, axis=axis)
REDUCTIONS["log_softmax"] = lambda x, axis: xgrad.log_softmax(x, axis=axis)
for p in (2, 1, 3, math.inf):
    REDUCTIONS[f"vector_norm {p}"] = lambda x, axis, p=p: xgrad.linalg.vector_norm(x, axis=axis, ord=p)
ALONG_ONE = {
    "cumulative_sum": lambda x, axis: xgrad.cumulative_sum(x, axis=axis),
    "trapezoid": lambda x, axis: xgrad.trapezoid(x, axis=axis),
    "cumulative_trapezoid": lambda x, axis: xgrad.cumulative_trapezoid(x, axis=axis),
    "sort": lambda x, axis: xgrad.sort(xgrad.round(x * 2), axis=axis),
    "vecdot": lambda x, axis: xgrad.vecdot(x, x * 0.5, axis=axis),
}


@pytest.mark.parametrize("dtype", EPS)
@pytest.mark.parametrize("name", [*REDUCTIONS, *ALONG_ONE])
def test_reductions_along_every_axis(name: str, dtype: str, backend: str) -> None:
    slow = backend in SLOW  # they compile or plan each call
    for shape in SHAPES[2:3] if slow else SHAPES:
        if name.startswith(("prod", "nanprod")):
            values = numbers(*shape, low=0.99, high=1.01)
        else:
            values = numbers(*shape)
        x, exact = rounded(values, dtype, backend)
        digits = 128.0 if name in ("prod", "nanprod") else 16.0  # each of the factors is rounded
        for axis in (1, (0, 2)) if slow else axes_of(shape):
            if "std" in name and isinstance(axis, int) and shape[axis] < 4:
                continue  # two numbers may be nearly equal, where the gradient changes sign
            if name in REDUCTIONS:
                check(lambda x, axis=axis: REDUCTIONS[name](x, axis=axis), x, exact, dtype, digits)
            elif isinstance(axis, int):
                check(lambda x, axis=axis: ALONG_ONE[name](x, axis=axis), x, exact, dtype, 16.0)


# --------------------------------------------------------------------------- sums that the engine and its rules make

# Functions of a small array that is broadcast or read many times, and the number of times: the gradient is a sum of so many.
MANY = 5000
SPREAD: dict[str, Callable[[Tensor], Tensor]] = {
    "add": lambda b: xgrad.mean(b + xgrad.zeros_like(rows(b))),
    "add, weighted": lambda b: xgrad.sum((b + rows(b)) * rows(b) * 0.01),
    "multiply": lambda b: xgrad.sum(b * rows(b)) * 0.01,
    "a column": lambda b: xgrad.sum(xgrad.reshape(b, (3, 1)) * rows(b).mT) * 0.01,
    "in the middle": lambda b: xgrad.sum(xgrad.reshape(b, (3, 1, 1)) * xgrad.reshape(rows(b).mT, (3, MANY // 2, 2))) * 0.01,
    "broadcast_to": lambda b: xgrad.sum(xgrad.broadcast_to(b, (MANY, 3)) * rows(b)) * 0.01,
    "where": lambda b: xgrad.sum(xgrad.where(rows(b) > 1, b, rows(b))) * 0.01,
    "matmul": lambda b: xgrad.sum(rows(b) @ xgrad.reshape(b, (3, 1))) * 0.01,
    "linear": lambda b: F.mse(rows(b) * 0.5 + b, xgrad.zeros_like(rows(b))),
    "take": lambda b: xgrad.sum(xgrad.take(b, index(b)) * rows(b)[:, 0]) * 0.01,
    "getitem": lambda b: xgrad.sum(b[index(b)] * rows(b)[:, 0]) * 0.01,
    "embedding": lambda b: xgrad.sum(xgrad.reshape(b, (3, 1))[index(b)] * rows(b)[:, :1]) * 0.01,
    "repeat": lambda b: xgrad.sum(xgrad.repeat(b, MANY) * xgrad.reshape(rows(b).mT, (-1,))) * 0.01,
    "tile": lambda b: xgrad.sum(xgrad.tile(b, (MANY, 1)) * rows(b)) * 0.01,
    "segment_sum": lambda b: xgrad.segment_sum((rows(b) * b)[:, 0], index(b), 3) * 0.01,
    "bincount": lambda b: xgrad.bincount(index(b), (rows(b) * b)[:, 0]) * 0.01,
    "scatter_add": lambda b: b.at[index(b)].add(rows(b)[:, 0]) * 0.01,
    "cov": lambda b: xgrad.cov((rows(b) * b).mT),
    "expand and clip": lambda b: xgrad.sum(xgrad.clip(rows(b), b * 0, b)) * 0.01,
}


def rows(b: Tensor) -> Tensor:
    """Many rows as long as `b`, of its backend and dtype."""
    like = find_backend(b.backend)
    values = np.asarray(np.asarray(numbers(MANY, 3), "float16") // 2.0**-6 * 2.0**-6, "float32")  # exact in every dtype
    return Tensor(like.xp.astype(like.from_numpy(values), b._data.dtype))


def index(b: Tensor) -> Tensor:
    return Tensor(find_backend(b.backend).from_numpy(np.where(np.arange(MANY) % 4 == 0, 1, 2)))


@pytest.mark.parametrize("dtype", EPS)
@pytest.mark.parametrize("name", SPREAD)
def test_gradients_that_are_sums_of_many(name: str, dtype: str, backend: str) -> None:
    if backend == "dask" and name in ("segment_sum", "bincount", "scatter_add", "take", "getitem", "embedding", "cov"):
        pytest.skip("dask plans these as one task for each index")
    x, exact = rounded([0.5, 1.0, 1.25], dtype, backend)
    check(SPREAD[name], x, exact, dtype, 16.0)


# The engine also sums the cotangents of an array that is used many times. Each is computed from a number of ones.
USES: dict[str, Callable[[Tensor, int], Tensor]] = {
    "products": lambda x, n: sum((xgrad.astype(x * (1 / 64), xgrad.float32) for _ in range(n)), xgrad.zeros_like(x)),
    "elements": lambda x, n: xgrad.stack([x[i % 2] for i in range(2 * n)]) * (1 / 64),
    "one sequence": lambda x, n: xgrad.concat([x] * n) * (1 / 64),
}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", USES)
def test_gradients_of_what_is_used_many_times(name: str, dtype: str, backend: str) -> None:
    if backend == "dask":
        pytest.skip("dask has no half precision on every machine, and plans each use")
    n = 256 if backend == "jax" else 2048
    x, _ = rounded([1.0, 2.0], dtype, backend)

    def f(x: Tensor) -> Tensor:
        return xgrad.sum(xgrad.astype(USES[name](x, n), xgrad.float32))

    leaf = Tensor(x.data, requires_grad=True)
    f(leaf * 1).backward()
    for g in (leaf.grad, xgrad.grad(f)(x)):
        assert g is not None and g.dtype == x.dtype
        np.testing.assert_array_equal(host(g), n / 64)
    if backend != "jax":
        np.testing.assert_array_equal(host(xgrad.grad(lambda x: xgrad.sum(xgrad.grad(lambda x: f(x * x))(x)))(x)), n / 32)


@pytest.mark.parametrize("axis", [0, 1, None, (0, 1)])
def test_sums_over_a_million_rows(backend: str, axis: Any) -> None:
    # NumPy's own is off by 9e-3 along the first axis, PyTorch's by 2e-7.
    x = Tensor(find_backend(backend).from_numpy(np.full((1_000_000, 2), 0.1, "float32")))
    for function in (xgrad.sum, xgrad.mean, lambda x, axis: xgrad.linalg.vector_norm(x, axis=axis) ** 2):
        wanted = function(Tensor(np.full((1_000_000, 2), np.float64(np.float32(0.1)))), axis=axis)
        np.testing.assert_allclose(host(function(x, axis=axis)), host(wanted), rtol=2e-6)
    ones = Tensor(x.data, requires_grad=True)
    b = Tensor(x.data[:1, :] * 0 + 1, requires_grad=True)
    xgrad.sum(ones * b).backward()
    np.testing.assert_allclose(host(b.grad), np.full((1, 2), 1e6 * float(np.float32(0.1))), rtol=2e-6)


PRODUCTS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "matrix and vector": lambda x, b: xgrad.matmul(x, b),
    "matrix and column": lambda x, b: xgrad.matmul(x, b[:, None]),
    "vector and matrix": lambda x, b: xgrad.matmul(b, x.mT),
    "tensordot": lambda x, b: xgrad.tensordot(x, b, axes=1),
    "einsum": lambda x, b: xgrad.einsum("ij,j->i", x, b),
    "vecdot": lambda x, b: xgrad.vecdot(x.mT, xgrad.broadcast_to(b[:, None], x.mT.shape), axis=0),
}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_over_a_million_rows(name: str, backend: str) -> None:
    # BLAS adds a million products of a matrix with a vector one after the other, and so does NumPy what BLAS does not take.
    if backend != "numpy":
        pytest.skip("the products of other libraries are as precise as they make them")
    b = find_backend(backend)
    x = Tensor(b.from_numpy(np.full((1_000_000, 2), 0.1, "float32")))
    ones = Tensor(b.from_numpy(np.ones(2, "float32")), requires_grad=True)
    wanted = 1e6 * float(np.float32(0.1))
    xgrad.sum(PRODUCTS[name](x, ones)).backward()
    np.testing.assert_allclose(host(ones.grad), wanted, rtol=2e-6)
    for row in (xgrad.ones_like(x[:, 0]), xgrad.broadcast_to(xgrad.ones_like(x[0, 0]), (1_000_000,))):
        for y in (x.mT @ row, xgrad.tensordot(x, row, axes=((0,), (0,))), xgrad.vecdot(x.mT, row), row @ x, x[:, 0] @ row):
            np.testing.assert_allclose(host(y), wanted, rtol=2e-6)


def test_probabilities_of_more_classes_than_float16_can_count(backend: str) -> None:
    n = 70_000
    x, _ = rounded(np.zeros((n,)), "float16", backend)
    for function, value, slope in (
        (lambda x: xgrad.softmax(x, axis=0), 1 / n, 0.0),
        (lambda x: xgrad.log_softmax(x, axis=0), -math.log(n), 0.0),
        (lambda x: xgrad.logsumexp(x, axis=0), math.log(n), 1 / n),
        (lambda x: F.cross_entropy(x[None, :], xgrad.zeros_like(x[:1], dtype=xgrad.int64)), math.log(n), 1 / n),
        (lambda x: xgrad.mean(x + 1), 1.0, 1 / n),
    ):
        atol = 1e-2 if value < 0 else 1e-6  # float16 has 11.156 for the logarithm of 70,000, which is off by 4e-3
        x = Tensor(x.data, requires_grad=True)
        y = function(x)
        np.testing.assert_allclose(host(y), value, rtol=2e-3)
        y.backward(None if not y.shape else xgrad.ones_like(y))
        np.testing.assert_allclose(host(x.grad)[1:], slope, atol=atol)
    wide, _ = rounded(np.zeros((16384, 2)), "float16", backend)
    np.testing.assert_allclose(host(xgrad.sum(xgrad.softmax(wide, axis=0), axis=0)), 1, rtol=1e-3)


def test_values_half_way_between_large_ones(backend: str) -> None:
    x, _ = rounded([60000.0, 60000.0, -60000.0, 60000.0], "float16", backend)
    assert xgrad.median(x).item() == xgrad.quantile(x, 0.5).item() == 60000.0
    assert xgrad.mean(x).item() == 30000.0
    assert xgrad.std(x).item() == pytest.approx(51961.5, rel=1e-3)
    assert F.l1(x, x - x).item() == 60000.0
    assert F.mse(x * 0.005, [0.0, 300.0, -300.0, 300.0]).item() == 22496.0  # 22500, rounded to the dtype


# ------------------------------------------------------------------------------------------------- near the ends of a dtype

ENDS = [("float16", 300.0), ("float16", 2.0**-12), ("bfloat16", 1e25), ("bfloat16", 1e-30), ("float32", 1e25), ("float32", 1e-30)]
ENDS += [("float64", 1e160), ("float64", 1e-200)]
NORMS: dict[str, Callable[[Tensor], Tensor]] = {
    **{f"vector_norm {p}": lambda x, p=p: xgrad.linalg.vector_norm(x, ord=p) for p in (2, 1, 3, 1.5, 0.5, -1, -2, math.inf)},
    **{f"matrix_norm {p}": lambda x, p=p: xgrad.linalg.matrix_norm(x * xgrad.ones_like(x[:, None]), ord=p) for p in ("fro", 1)},
    "along an axis": lambda x: xgrad.linalg.vector_norm(xgrad.stack([x, x * 0]), axis=1)[0],
    "std": xgrad.std,
    "std, corrected": lambda x: xgrad.std(x, correction=1),
    "nanstd": lambda x: xgrad.nanstd(xgrad.concat([x, xgrad.full_like(x, math.nan)])),
    "hypot": lambda x: xgrad.hypot(x[0], x[1]),
    "max": xgrad.max,
    "mean": xgrad.mean,
}


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize(("dtype", "unit"), ENDS)
def test_norms_of_numbers_whose_squares_leave_the_dtype(name: str, dtype: str, unit: float, backend: str) -> None:
    # A norm is homogeneous: the norm of `unit` times an array is `unit` times its norm, with the same gradient.
    b = find_backend(backend)
    if dtype not in b._native:
        pytest.skip(f"{backend} has no {dtype}")
    unit = 2.0 ** round(math.log2(unit))
    values = np.asarray([0.75, -1.0, 0.5])
    x = Tensor(b.xp.astype(b.from_numpy(values * unit), b.native_dtype(dtype)))
    y, g = gradient(NORMS[name], x)
    wanted_y, wanted_g = gradient(NORMS[name], Tensor(values))
    rtol = 4 * EPS.get(dtype, 1e-14)
    np.testing.assert_allclose(y / unit, wanted_y, rtol=rtol)
    np.testing.assert_allclose(g, wanted_g, rtol=4 * rtol, atol=rtol)


@pytest.mark.parametrize("ord", [2, 1, 3, 0.5, -1, math.inf, -math.inf, 0])
def test_norms_of_zero_infinity_and_nan(ord: float, backend: str) -> None:
    b = find_backend(backend)
    for values in ([0.0, 0.0], [math.inf, 1.0], [1e30, math.inf], [-math.inf, 0.0], [math.nan, 1.0], [0.0, 1e-30], [0.0, 1e30]):
        with np.errstate(all="ignore"):
            wanted = np.linalg.norm(np.asarray(values), ord)
        actual = host(xgrad.linalg.vector_norm(Tensor(b.from_numpy(np.asarray(values, "float32"))), ord=ord))
        np.testing.assert_allclose(actual, wanted, rtol=1e-6, err_msg=f"{values}")


@pytest.mark.parametrize("ord", [2, 1, 3, 0.5, -1, math.inf, -math.inf, 0])
def test_norms_of_a_number_and_of_nothing(ord: float, backend: str) -> None:
    b = find_backend(backend)
    for axis in (None, 0, -1):
        x = Tensor(b.from_numpy(np.asarray(-3.0)), requires_grad=True)
        y = xgrad.linalg.vector_norm(x, axis=axis, ord=ord)
        assert y.shape == () and host(y.detach()) == pytest.approx(3 if ord else 1)
        y.backward()
        assert x.grad is None or host(x.grad) == pytest.approx(-1 if ord else 0)
        change = xgrad.jvp(lambda x, axis=axis: xgrad.linalg.vector_norm(x, axis=axis, ord=ord), (x.detach(),), (x.detach(),))[1]
        assert host(change) == pytest.approx(3 if ord else 0)
    with pytest.raises(ValueError, match="axis 1 does not name"):
        xgrad.linalg.vector_norm(Tensor(b.from_numpy(np.asarray(3.0))), axis=1, ord=ord)
    if ord >= 0 and backend != "dask":  # Dask has no maximum of an empty array
        empty = Tensor(b.from_numpy(np.zeros((2, 0))), requires_grad=True)
        for axis in (None, 1):
            if ord == math.inf and backend not in ("numpy", "strict"):
                continue  # other orders have no maximum of an empty array
            y = xgrad.linalg.vector_norm(empty, axis=axis, ord=ord)
            np.testing.assert_array_equal(host(y.detach()), 0)
            xgrad.sum(y).backward()


@pytest.mark.parametrize("unit", [1.0, 1e25, 1e-30])
def test_second_derivatives_of_norms_near_the_ends(unit: float, backend: str) -> None:
    if backend == "dask":
        pytest.skip("dask has no Hessians")
    b = find_backend(backend)
    x = np.asarray([3.0, -4.0, 12.0])
    exact = (np.eye(3) - np.outer(x, x) / 169) / 13
    actual = xgrad.hessian(lambda x: xgrad.linalg.vector_norm(x))(Tensor(b.from_numpy((x * unit).astype("float32"))))
    np.testing.assert_allclose(host(actual) * unit, exact, atol=1e-6)


@pytest.mark.parametrize(("dtype", "unit"), [*ENDS, ("float16", 60000.0)])
def test_correlations_do_not_depend_on_the_unit(dtype: str, unit: float, backend: str) -> None:
    b = find_backend(backend)
    if dtype not in b._native:
        pytest.skip(f"{backend} has no {dtype}")
    values = np.asarray([[0.75, -1.0, 0.5, 0.25], [0.25, 0.5, -0.5, 1.0]])
    x = Tensor(b.xp.astype(b.from_numpy(values * unit), b.native_dtype(dtype)))
    np.testing.assert_allclose(host(xgrad.corrcoef(x)), np.corrcoef(values), rtol=8 * EPS.get(dtype, 1e-14))
    with np.errstate(all="ignore"):
        scaled = gradient(lambda x: xgrad.corrcoef(x)[0, 1], x)[1] * unit
    wanted = gradient(lambda x: xgrad.corrcoef(x)[0, 1], Tensor(values))[1]
    if unit < 1e4:  # else the gradient itself is as small as the numbers are large
        np.testing.assert_allclose(scaled, wanted, rtol=64 * EPS.get(dtype, 1e-14), atol=8 * EPS.get(dtype, 1e-14))


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize(
    "name", "cbrt elu erf exp2 expm1 gelu leaky_relu log1p log2 logsigmoid relu sigmoid silu sinc softplus tanh".split()
)
def test_functions_of_half_precision_keep_it(name: str, dtype: str, backend: str) -> None:
    """The library's own function of float16 may be in a wider dtype: SciPy's erf and erfc are."""
    x, exact = rounded([0.25, 0.5, 1.5], dtype, backend)
    y = getattr(xgrad, name)(x)
    assert y.dtype == dtype
    np.testing.assert_allclose(host(y), host(getattr(xgrad, name)(Tensor(exact))), rtol=2 * EPS[dtype])
