"""What the plug-in of CuPy does in place of CuPy's own functions. Skipped where CuPy finds no device."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad.backend import find_backend

from ..harness.backends import statuses

pytestmark = pytest.mark.skipif(not statuses()["cupy"].usable, reason=str(statuses()["cupy"].reason))

SPECIAL = [0.0, 1.0, 0.1, 3.0, 7.5, 1024.5, 65504.0, 1e-5, np.inf]


@pytest.fixture
def xp() -> Any:
    return xgrad.namespace("cupy")


@pytest.fixture
def b() -> Any:
    return find_backend("cupy")


def same(actual: Any, wanted: np.ndarray) -> None:
    """Equal values, signs of zeros included, of one dtype."""
    host = actual.detach().numpy()
    assert host.dtype == wanted.dtype
    np.testing.assert_array_equal(host, wanted)
    if host.dtype.kind == "f":
        assert (np.signbit(host) == np.signbit(wanted))[wanted == wanted].all()


# -------------------------------------------------------------------------------------------------- arithmetic and sums


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.filterwarnings("ignore")
def test_floor_divide_and_remainder_to_the_last_bit(b: Any, dtype: str) -> None:
    values = np.asarray([*SPECIAL, *np.negative(SPECIAL), np.nan], dtype=dtype)
    some = np.random.default_rng(0).standard_normal((2, 2000)) * [[10.0], [0.3]]
    x1, x2 = (np.concatenate(pair) for pair in zip(np.asarray(list(itertools.product(values, values))).T, some.astype(dtype)))
    for name in ("floor_divide", "remainder"):
        y = getattr(b.xp, name)(b.from_numpy(x1), b.from_numpy(x2))
        same(xgrad.Tensor(y), getattr(np, name)(x1, x2))


def test_integers_divided_by_zero(xp: Any) -> None:
    for dtype in ("int8", "int32", "int64", "uint8", "uint64"):
        x = xp.asarray(np.asarray([5, 0, 3], dtype=dtype))
        for y in (x // xp.zeros_like(x), x % xp.zeros_like(x), x // 0, x % 0):
            same(y, np.zeros(3, dtype=dtype))


@pytest.mark.parametrize("name", ["sum", "mean", "var"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64"])
def test_sums_of_many_are_precise_along_every_axis(b: Any, dtype: str, name: str) -> None:
    if dtype == "complex64" and name == "var":
        return
    long = np.random.default_rng(0).permutation(np.linspace(0.5, 1.5, 240_000)).reshape(120_000, 2)
    for host in (long, long.T, long.reshape(3, 40_000, 2), long[::2]):
        rounded = (host * (1 + 2j) if dtype == "complex64" else host).astype(dtype)
        x, exact = b.from_numpy(rounded), rounded.astype("complex128" if dtype == "complex64" else "float64")
        for axis in (None, 0, 1, -1, (0, 1), (0, 2) if host.ndim == 3 else (-1, 0)):
            if name == "sum" and dtype == "float16" and np.sum(exact, axis=axis).max() > 65504:
                continue
            for keepdims in (False, True):
                y = getattr(b.xp, name)(x, axis=axis, keepdims=keepdims)
                assert y.dtype == dtype
                wanted = getattr(np, name)(exact, axis=axis, keepdims=keepdims)
                size = np.abs(wanted).max()
                np.testing.assert_allclose(b.to_numpy(y), wanted, atol=size * (2e-3 if dtype == "float16" else 3e-6))


# ------------------------------------------------------------------------------------------------------- adding by an index


@pytest.mark.parametrize("dtype", "int8 int32 int64 uint8 uint32 uint64 float16 float32 float64 complex64 complex128".split())
def test_scatter_add_of_each_dtype_without_a_warning(b: Any, dtype: str) -> None:
    x, value = np.asarray([1, 2, 3]).astype(dtype), np.asarray([4, 5, 6]).astype(dtype)
    if x.dtype.kind == "c":
        value = value * 1j
    for key in (np.asarray([0, 0, 2]), slice(None), np.asarray([True, True, True])):
        wanted = x.copy()
        np.add.at(wanted, key, value)
        on_device = key if isinstance(key, slice) else b.from_numpy(key)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            same(xgrad.Tensor(b.scatter_add(b.from_numpy(x), on_device, b.from_numpy(value))), wanted)


# ---------------------------------------------------------------------------------------------- Tensors beside CuPy's arrays


@pytest.mark.parametrize("tracked", [False, True])
def test_operators_of_cupys_arrays_with_tensors(b: Any, tracked: bool) -> None:
    """A Tensor that requires no grad has `__cuda_array_interface__`, and yet CuPy leaves the call to the Tensor's operator."""
    a = np.asarray([[1.0, 2.0], [3.0, 4.0]])
    x = xgrad.Tensor(b.from_numpy(a + 1), requires_grad=tracked)
    for name, function in {
        "add": lambda p, q: p + q,
        "divide": lambda p, q: p / q,
        "pow": lambda p, q: p**q,
        "matmul": lambda p, q: p @ q,
        "less": lambda p, q: p < q,
        "equal": lambda p, q: p == q,
        "ufunc": lambda p, q: np.add(p, q),
    }.items():
        y = function(b.from_numpy(a), x)
        assert isinstance(y, xgrad.Tensor) and y.requires_grad == (tracked and y.dtype.inexact), name
        np.testing.assert_allclose(y.detach().numpy(), function(a, a + 1))


def test_functions_of_cupy_that_call_a_method(b: Any) -> None:
    import cupy

    host = np.asarray([[1.0, 2.0], [3.0, 5.0]])
    x = xgrad.Tensor(b.from_numpy(host), requires_grad=True)
    for name in ("sum", "prod", "mean", "var", "std", "max", "min", "argmax", "argmin"):
        y = getattr(cupy, name)(x, axis=0)
        assert isinstance(y, xgrad.Tensor) and y.requires_grad == (not name.startswith("arg"))
        np.testing.assert_allclose(y.detach().numpy(), getattr(np, name)(host, axis=0))


def test_cupys_arrays_of_tensors(b: Any) -> None:
    import cupy

    x = xgrad.Tensor(b.from_numpy(np.ones((1, 2))))
    shared = cupy.asarray(x)
    x.data[0, 0] = 3.0
    np.testing.assert_array_equal(b.to_numpy(shared), [[3.0, 1.0]])
    y = xgrad.Tensor(x.data, requires_grad=True)
    with pytest.raises(xgrad.GradientError, match="the array would leave its graph silently"):
        cupy.asarray(y)


# ---------------------------------------------------------------------------------------------------------- linear algebra


def test_bad_matrices_raise_on_request(b: Any) -> None:
    import cupy
    import cupyx

    if getattr(cupy, "is_emulated", False) or not hasattr(cupyx, "errstate"):
        pytest.skip("the status of cuSOLVER's routines is known on a GPU alone")
    singular = xgrad.Tensor(b.from_numpy(np.asarray([[1.0, 2.0], [2.0, 4.0]])))
    indefinite = xgrad.Tensor(b.from_numpy(np.asarray([[1.0, 2.0], [2.0, 1.0]])))
    for function, x in (
        (xgrad.linalg.inv, singular),
        (lambda x: xgrad.linalg.solve(x, x[:, :1]), singular),
        (lambda x: xgrad.linalg.solve(xgrad.stack([x, x]), xgrad.stack([x, x])), singular),
        (xgrad.linalg.cholesky, indefinite),
    ):
        assert not np.isfinite(function(x).numpy()).all()
        with cupyx.errstate(linalg="raise"), pytest.raises(np.linalg.LinAlgError):
            function(x)
