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


# ------------------------------------------------------------------------------------------------------------- arithmetic


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
