"""Elementwise functions on extreme numbers: bit for bit where the arithmetic is the same, else a few units in the last place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from xgrad_backends.compiled import CannotCompile
from xgrad_backends.compiled.compiler import compiler

from .plans import call_by_call, captured, check, executed, units_apart

EXACT = """abs ceil floor negative positive reciprocal round sign sqrt square trunc isfinite isinf isnan signbit""".split()
NEAR = """acos acosh asin asinh atan atanh cos cosh exp expm1 log log10 log1p log2 sin sinh tan tanh special.erf
special.erfc""".split()
PAIRS = """add copysign divide equal floor_divide greater greater_equal less less_equal maximum minimum multiply nextafter
not_equal remainder subtract""".split()
NEAR_PAIRS = "atan2 hypot logaddexp pow".split()


def numbers(dtype: str, n: int = 400) -> np.ndarray:
    facts = np.finfo(dtype)
    some = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        2.0,
        -2.0,
        3.0,
        0.1,
        np.inf,
        -np.inf,
        np.nan,
        facts.max,
        facts.min,
        facts.tiny,
        -facts.tiny,
    ]
    some += [
        facts.smallest_subnormal,
        facts.tiny / 8,
        -facts.tiny / 8,
        facts.eps,
        1 + facts.eps,
        88.0,
        -88.0,
        89.0,
        710.0,
        -745.0,
        1e5,
    ]
    rng = np.random.default_rng(0)
    rest = rng.normal(size=n - len(some)) * np.exp(rng.uniform(-8, 8, n - len(some)))
    with np.errstate(all="ignore"):
        return np.concatenate([np.array(some), rest]).astype(dtype)


def special(name: str) -> Any:
    from xgrad.interpreters.capture.backend import active

    return active().backend(active().base).special(name.partition(".")[2])


def call(xp: Any, name: str) -> Any:
    return special(name) if name.startswith("special.") else getattr(xp, name)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions_of_one_number(how: str, dtype: str) -> None:
    pytest.importorskip("scipy")
    x = numbers(dtype)
    names = EXACT + NEAR
    plan = captured(lambda xp, x: [call(xp, name)(x) for name in names], x)
    got, want = executed(plan, [x], how), call_by_call(plan, [x])
    for name, y, z in zip(names, got, want):
        if name == "special.erfc" and dtype == "float64" and how == "c":
            z = np.array([math.erfc(a) for a in x])  # SciPy's is wrong in the last two digits
        wrong = [(a, b, c) for a, b, c in zip(x, y, z) if units_apart(np.array(b), np.array(c)) > (0 if name in EXACT else 5)]
        assert not wrong, f"{name}: {wrong[:8]}"
        if name not in ("tanh", "reciprocal"):
            zeros = (z == 0) & (x == 0)
            assert np.array_equal(np.signbit(y[zeros]), np.signbit(z[zeros])), f"{name}: the sign of zero"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions_without_libmvec(dtype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on systems other than Linux, and for compilers other than GCC."""
    try:
        monkeypatch.setattr(compiler(), "vector", False)
    except CannotCompile as error:
        pytest.skip(str(error))
    test_functions_of_one_number("c", dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_functions_of_two_numbers(how: str, dtype: str) -> None:
    some = numbers(dtype, 60)
    x, y = (a.copy() for a in np.broadcast_arrays(some[:, None], some[None, :]))
    names = PAIRS + NEAR_PAIRS
    plan = captured(lambda xp, x, y: [getattr(xp, name)(x, y) for name in names], x, y)
    got, want = executed(plan, [x, y], how), call_by_call(plan, [x, y])
    for name, u, v in zip(names, got, want):
        with np.errstate(all="ignore"):
            wrong = [
                (a, b, c, d)
                for a, b, c, d in zip(x.flat, y.flat, u.flat, v.flat)
                if units_apart(np.array(c), np.array(d)) > (0 if name in PAIRS else 5)
            ]
        assert not wrong, f"{name}: {wrong[:8]}"


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8", "uint32", "uint64"])
def test_integers(how: str, dtype: str) -> None:
    facts = np.iinfo(dtype)
    some = np.array([0, 1, 2, 3, 7, facts.max, facts.max - 1, facts.min, facts.min + 1, facts.max // 2], dtype)
    if facts.min < 0:
        some = np.concatenate([some, np.array([-1, -2, -3, -7], dtype)])
    x, y = (a.copy() for a in np.broadcast_arrays(some[:, None], some[None, :]))
    shift = np.abs(y) % 70 if facts.min < 0 else y % 70
    shift = np.maximum(shift, 0).astype(dtype)

    def f(xp: Any, x: Any, y: Any, shift: Any) -> Any:
        pairs = """add subtract multiply floor_divide remainder maximum minimum bitwise_and bitwise_or bitwise_xor
        equal less greater_equal""".split()
        ones = "abs square positive sign bitwise_invert logical_not floor round".split()
        return [
            *[getattr(xp, name)(x, y) for name in pairs],
            *[getattr(xp, name)(x) for name in ones],
            *([xp.negative(x)] if facts.min < 0 else []),
            xp.bitwise_left_shift(x, shift),
            xp.bitwise_right_shift(x, shift),
            xp.divide(x, y),
            xp.logical_and(x, y),
            xp.logical_xor(x, y),
            xp.astype(x, xp.float32),
            xp.astype(x, xp.bool),
            xp.astype(x, xp.int16),
            x**3,
            xp.where(x > y, x, y),
            xp.clip(x, 1, 5),
        ]

    check(f, x, y, shift, how=how)


def test_bools(how: str) -> None:
    a, b = np.array([True, True, False, False]), np.array([True, False, True, False])
    x = np.array([0.0, -0.0, np.nan, 2.0])

    def f(xp: Any, a: Any, b: Any, x: Any) -> Any:
        names = "logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor equal not_equal".split()
        return [
            *[getattr(xp, name)(a, b) for name in names],
            xp.logical_not(a),
            xp.bitwise_invert(a),
            xp.astype(x, xp.bool),
            xp.logical_not(x),
            xp.where(a, x, 1.5),
            xp.where(b, 0.0, x),
            xp.astype(a, xp.float32) * 2,
            xp.any(a), xp.all(xp.logical_or(a, b)), xp.sum(a), xp.any(x), xp.all(x),
        ]  # fmt: skip

    check(f, a, b, x, how=how)


def test_own_kernels(how: str) -> None:
    x = np.concatenate([np.linspace(-3, 3, 50), [20.0, -20.0, 100.0, -100.0, 0.0, -0.0, np.nan, np.inf]])

    def f(xp: Any, x: Any) -> Any:
        rows = xp.reshape(x, (2, 29))
        top = xp.max(rows, axis=-1, keepdims=True)
        shifted = rows - xp.where(xp.isfinite(top), top, 0.0)
        ties = xp.astype(xp.reshape(xp.round(x), (2, 29)) == 0, xp.float64) - 1
        return [
            xp.tanh_pull(x * 2, x, xp.tanh(x)),
            xp.zero_where_not(x, x > 0),
            xp.exponential_rest(shifted, xp.exp(shifted), -1),
            xp.exponential_rest(ties * 50, xp.exp(ties * 50), -1),
        ]

    check(f, x, how=how, units=16)
    check(f, x.astype("f"), how=how, units=16)


def test_numbers(how: str) -> None:
    """Numbers of the host take the dtype of the array, and can be others in the next run."""
    x, n = np.array([1.0, 2.0, 3.0], "f"), np.array([1, 2, 3], np.int32)
    f = lambda xp, x, n, lr, k: [x * lr + k, n * k, x - (lr * 2 + k), x > lr, xp.maximum(x, lr), n + (k + 1)]
    check(f, x, n, 0.1, 2, how=how)
    plan = captured(f, x, n, 0.1, 2)
    for arguments in ([x, n, 0.3, 5], [x, n, 2.5, -1]):
        for y, z in zip(executed(plan, arguments, how, runs=2), call_by_call(plan, arguments)):
            assert units_apart(y, z) == 0


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0, 2), (1, 1), (2, 1, 3)])
def test_shapes(how: str, shape: tuple[int, ...]) -> None:
    x = np.arange(1, np.prod(shape) + 1, dtype="f").reshape(shape)
    f = lambda xp, x: [x * 2 + 1, -x, xp.sum(x), xp.sum(x, axis=tuple(range(x.ndim)), keepdims=True), xp.any(x), xp.prod(x)]
    check(f, x, how=how)


def test_broadcasting(how: str) -> None:
    a, b, c, d = np.ones((3, 1, 4)), np.arange(5.0)[:, None], np.array(2.0), np.arange(4.0)
    f = lambda xp, a, b, c, d: [a + b, (a * c - b) * d, xp.maximum(b, c), xp.sum(a * b + d, axis=1), a + 1 == d]
    check(f, a, b, c, d, how=how)


def test_other_dtypes(how: str) -> None:
    """Half precision and complex numbers are left to the library."""
    h, z = np.array([1.0, 2.5, -3.0], np.float16), np.array([1 + 2j, -1j, 0.5], np.complex64)
    f = lambda xp, h, z: [h * 2 + h, xp.exp(z) * z, xp.abs(z), xp.real(z) + 1, xp.sum(h), xp.astype(h, xp.float32) * 2, z == z]
    check(f, h, z, how=how)
