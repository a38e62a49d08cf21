"""Reductions over every set of axes, in every layout, and how precise sums are."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from .plans import call_by_call, captured, check, executed

NAMES = "sum mean max min prod".split()
SETS = [axes for n in range(4) for axes in itertools.combinations(range(3), n)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(3, 4, 5), (2, 300, 3), (1, 7, 1), (70, 2, 6)])
def test_every_set_of_axes(how: str, shape: tuple[int, ...], dtype: str) -> None:
    x = np.random.default_rng(0).uniform(0.8, 1.2, shape).astype(dtype)

    def f(xp: Any, x: Any) -> Any:
        y = x * 2
        return [getattr(xp, name)(y, axis=axes, keepdims=keep) for name in NAMES for axes in SETS for keep in (False, True)]

    check(f, x, how=how, scale=4e-5 if dtype == "float32" else 1e-13)


def test_transposed(how: str) -> None:
    x = np.random.default_rng(0).normal(size=(6, 5, 4))

    def f(xp: Any, x: Any) -> Any:
        y = xp.permute_dims(x, (2, 0, 1))
        z = xp.broadcast_to(xp.sum(y, axis=1, keepdims=True), y.shape)
        return [
            *[xp.sum(y * y, axis=axes) for axes in SETS],
            *[xp.max(y[::-1, 1::2], axis=axes) for axes in SETS],
            xp.sum(z),
            xp.sum(z, axis=1),
        ]

    check(f, x, how=how, scale=1e-14)


def test_integers_and_bools(how: str) -> None:
    x = np.random.default_rng(0).integers(-100, 100, (5, 40), dtype=np.int32)

    def f(xp: Any, x: Any) -> Any:
        axes = (None, 0, 1, (0, 1))
        return [
            *[getattr(xp, name)(x, axis=axis) for name in ("sum", "max", "min", "prod") for axis in axes],
            *[xp.any(x > 98, axis=axis) for axis in axes],
            *[xp.all(x > -98, axis=axis) for axis in axes],
            *[xp.sum(x > 0, axis=axis) for axis in axes],
            *[xp.sum(x, axis=axis, dtype=xp.float64) for axis in axes],
        ]

    check(f, x, how=how)


@pytest.mark.parametrize("where", [0, 5, 16, 39])
def test_nan_and_infinity(how: str, where: int) -> None:
    """A NaN is the largest and the smallest; infinite sums stay infinite."""
    x = np.random.default_rng(0).normal(size=(40, 40))
    x[where, 39 - where] = np.nan
    y = np.abs(x)
    y[where, 39 - where] = np.inf
    z = y.copy()
    z[39 - where, 39 - where] = -np.inf

    def f(xp: Any, *arrays: Any) -> Any:
        return [getattr(xp, name)(x, axis=axis) for x in arrays for name in NAMES[:4] for axis in (None, 0, 1)]

    for dtype in ("float32", "float64"):
        check(f, *[v.astype(dtype) for v in (x, y, z)], how=how, scale=1e-5)


def test_nothing_to_reduce(how: str) -> None:
    f = lambda xp, x: [xp.sum(x, axis=0), xp.sum(x), xp.prod(x, axis=0), xp.any(x, axis=0), xp.all(x, axis=0), xp.sum(x, axis=1)]
    check(f, np.ones((0, 3), "f"), how=how)


@pytest.mark.parametrize("shape, axis", [((1_000_000,), None), ((100_000, 8), 0), ((8, 100_000), 1), ((300, 30, 100), (0, 2))])
def test_sums_are_precise(how: str, shape: tuple[int, ...], axis: Any) -> None:
    """As precise as what xgrad does outside of a plan."""
    x = np.random.default_rng(0).uniform(size=shape).astype("f")
    plan = captured(lambda xp, x: [xp.sum(x * 1.5, axis=axis), xp.mean(x * 1.5, axis=axis), xp.var(x, axis=axis)], x)
    y = (x * np.float32(1.5)).astype("d")
    exact = [np.sum(y, axis=axis), np.mean(y, axis=axis), np.var(x.astype("d"), axis=axis)]
    for got, want, best in zip(executed(plan, [x], how), call_by_call(plan, [x]), exact):
        error, allowed = (float(np.max(np.abs(v - best) / np.abs(best))) for v in (got, want))
        assert error <= max(2 * allowed, 3e-7), (error, allowed)


def test_float64_sums_are_precise(how: str) -> None:
    x = np.random.default_rng(0).uniform(size=1_000_000)
    plan = captured(lambda xp, x: [xp.sum(x * 1.5)], x)
    (got,) = executed(plan, [x], how)
    best = np.sum((x * 1.5).astype(np.longdouble))
    assert abs(got - best) / best < (3e-16 if how == "c" else 1e-15)


def test_softmax_chain(how: str) -> None:
    """Reductions whose results are read by the next loop."""
    x = np.random.default_rng(0).normal(size=(7, 33)).astype("f")

    def f(xp: Any, x: Any) -> Any:
        top = xp.max(x, axis=1, keepdims=True)
        e = xp.exp(x - top)
        p = e / xp.sum(e, axis=1, keepdims=True)
        return [p, xp.sum(p * x), xp.std(p, axis=1), xp.var(x, axis=0, correction=1.0), xp.linalg.vector_norm(x)]

    check(f, x, how=how, scale=2e-6)
