"""Views, indexing, and what is written into a part of an array."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .plans import arrays_of, captured, check, executed

X = np.arange(120.0).reshape(4, 5, 6)
KEYS = [
    0, -1, (1, 2), slice(1, 3), slice(None, None, -1), (slice(None), slice(4, 0, -2)), (..., 0), (None, slice(1, None), 2),
    (slice(3, 1), 0), (slice(None, None, 3), ..., slice(-1, None, -3)), (1, 2, 3), (..., None),
]  # fmt: skip


def test_basic_keys(how: str) -> None:
    check(lambda xp, x: [x[key] for key in KEYS] + [x[key] * 2 + 1 for key in KEYS], X, how=how)


def test_basic_keys_of_a_result(how: str) -> None:
    check(lambda xp, x: [y[key] + z[key] for key in KEYS for y, z in [(x * 2, xp.exp(-x))]], X, how=how, units=4)


def test_views_of_views(how: str) -> None:
    def f(xp: Any, x: Any) -> Any:
        t = xp.permute_dims(x * 1.5, (2, 0, 1))
        r = xp.reshape(t, (6, 20))
        flat = xp.reshape(x[:, ::2], (-1,))
        return [
            t, r, t + xp.permute_dims(x, (2, 0, 1)), xp.matrix_transpose(t) * 2, xp.flip(x, axis=1) - x, xp.flip(t),
            xp.moveaxis(x, 0, -1) + 1, xp.moveaxis(x, (0, 1), (2, 0)), xp.squeeze(x[:, :1], axis=1), xp.expand_dims(t, axis=1),
            flat, xp.reshape(xp.broadcast_to(x[:, :1], (4, 5, 6)), (20, 6)) + 1, xp.reshape(r, (6, 4, 5)) == t,
            *xp.broadcast_arrays(x[0], x[1, 0]), xp.reshape(xp.permute_dims(x, (1, 0, 2)), (5, 24)), r[::-1, 3] * 2,
        ]  # fmt: skip

    check(f, X, how=how)


INDEX = np.array([[0, 3, -1], [2, 2, 0]])


def test_index_arrays(how: str) -> None:
    def f(xp: Any, x: Any, i: Any, j: Any) -> Any:
        return [
            x[i], x[:, i], x[..., i], x[i, 1], x[i, j], x[i, :, j], x[1, :, j], x[None, i], x[::-1, i, 1:4], x[i, ..., None],
            xp.take(x, i[0, :], axis=1), xp.take(x * 2, i[1, :], axis=2), x[i - 1] + 1, xp.permute_dims(x, (2, 0, 1))[i],
        ]  # fmt: skip

    for dtype in (np.int64, np.int8, np.int32):
        check(f, X, INDEX.astype(dtype), (INDEX % 2).astype(dtype), how=how)


def test_an_index_without_axes(how: str) -> None:
    def f(xp: Any, x: Any, i: Any, n: Any) -> Any:
        from xgrad.interpreters.capture.backend import active

        b = active().backend(active().base)
        return [
            x[i], x[:, i], x[i, i] * 2, x[i, ..., i], xp.take(x, i[None], axis=2), x[n, :], x[n, i],
            b.scatter((4, 5, 6), (i,), x[0]), xp.full((2, 3), n), x * n,
        ]  # fmt: skip

    check(f, X, np.array(-2), 1, how=how)


def test_constant_index(how: str) -> None:
    check(lambda xp, x: [x[:, xp.asarray(INDEX.tolist())], x[xp.asarray([-1, 0])] * 2], X, how=how)


def test_take_along_axis(how: str) -> None:
    rng = np.random.default_rng(0)
    i, j = rng.integers(-4, 4, (2, 5, 6)), rng.integers(-6, 6, (4, 1, 2))
    f = lambda xp, x, i, j: [xp.take_along_axis(x, i, axis=0), xp.take_along_axis(x + 1, j, axis=-1) * 2]
    check(f, X, i, j, how=how)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_scatters(how: str, dtype: str) -> None:
    def f(xp: Any, x: Any, i: Any, v: Any) -> Any:
        from xgrad.interpreters.capture.backend import active

        b = active().backend(active().base)
        return [
            b.scatter(x.shape, (i,), v), b.scatter_add(x, (i,), v), b.scatter(x.shape, (slice(None), i, 0), v[0, :, 0, 0]),
            b.scatter((9, 5, 6), (slice(1, 9, 2),), x), b.scatter_add(x, (1, ..., slice(None, None, -1)), x[0]),
            b.set_item(x, (i, 1), x[0, 0]), b.set_item(x, (..., 2), 7.0), b.set_item(x, slice(1, 3), x[0]),
            b.set_item(x, i[0, :], v[0]),
            b.accumulate(x, (i, slice(None), i), v[..., 0]), b.scatter((3,), 1, x[0, 0, 0]),
            b.scatter_add(x * 2, (i, 0), v[..., 0, :]),
        ]  # fmt: skip

    v = np.random.default_rng(0).normal(size=(2, 3, 5, 6)).astype(dtype)
    check(f, X.astype(dtype), INDEX, v, how=how)


def test_many_sums_at_one_place(how: str) -> None:
    """More float32 than 1024 are added in float64, as outside of plans."""
    rng = np.random.default_rng(0)
    i, v = rng.integers(0, 3, 20000), rng.normal(size=(20000, 2)).astype("f")

    def f(xp: Any, i: Any, v: Any) -> Any:
        from xgrad.interpreters.capture.backend import active

        return active().backend(active().base).scatter((3, 2), (i,), v)

    check(f, i, v, how=how)


@pytest.mark.parametrize("bad", [4, -5, 10**9])
def test_an_index_out_of_range(how: str, bad: int) -> None:
    """It raises what NumPy raises, and nothing is written home."""
    index = np.array([0, 1, bad, 2])

    def f(xp: Any, x: Any, i: Any) -> Any:
        return [x * 2, xp.sum(x[i] * 2)]

    x = np.arange(12.0).reshape(4, 3)
    plan = captured(f, x, index % 4)
    with pytest.raises(IndexError, match=f"index {bad} is out of bounds for axis 0 with size 4"):
        executed(plan, [x, index], how, homes=[0, None])
    assert np.array_equal(x, np.arange(12.0).reshape(4, 3))
    for f in (lambda xp, x, i: xp.take(x, i, axis=1), lambda xp, x, i: xp.take_along_axis(x, i[None, :], axis=1)):
        plan = captured(f, x.T.copy(), index % 4)
        with pytest.raises(IndexError):
            executed(plan, arrays_of(plan, [x.T.copy(), index]), how)


def test_joins(how: str) -> None:
    f = lambda xp, x, y: [
        xp.concat([x, y, x[:1]]), xp.concat([x[0], y[1]], axis=1), xp.concat([x, y], axis=None), xp.stack([x[0], y[2]]),
        xp.stack([x, x * 2, y], axis=-1), xp.stack([xp.sum(x), xp.sum(y)]), xp.concat([x * 2, y], axis=-1)[:, 1],
    ]  # fmt: skip
    check(f, X, X[::-1].copy() + 0.5, how=how)


def test_left_to_the_library(how: str) -> None:
    def f(xp: Any, x: Any) -> Any:
        y = x * 2
        return [
            xp.cumulative_sum(y, axis=1) + 1, xp.sort(-y[0], axis=0), xp.argmax(y, axis=2), xp.roll(y, 2, axis=0) * 2,
            xp.tril(y[0]),
            xp.linalg.inv(y[0, :3, :3] + 300 * xp.eye(3)), *xp.linalg.eigh(y[0, :2, :2] + xp.matrix_transpose(y[0, :2, :2])),
            xp.tile(y[0, 0], (2,)), xp.repeat(y, 2, axis=0), xp.fft.rfft(y, axis=-1), xp.real(xp.fft.fft(y[0])) + 1,
        ]  # fmt: skip

    check(f, X, how=how, scale=1e-15)


def test_sums_of_regions(how: str) -> None:
    """Parts of an array that is zero elsewhere, added to others: in one array, where they do not meet."""

    def f(xp: Any, x: Any) -> Any:
        from xgrad.interpreters.capture.backend import active

        b = active().backend(active().base)
        put = lambda key: b.scatter((6, 7), key, x[key] * -1)
        halves = [put((slice(0, 3),)), put((slice(3, 6),)), put((slice(2, 4), slice(None, None, 2))), put((4, slice(1, 3)))]
        rows = [put((k,)) for k in range(6)]
        every = rows[0]
        for row in rows[1:]:
            every = every + row
        return [
            halves[0] + halves[1], halves[0] + halves[2], halves[2] + halves[3] + put((0, 0)),
            put((slice(0, 6, 2),)) + put((slice(1, 6, 2),)),
            every, xp.matrix_transpose(every) * 2, halves[1] + halves[1], halves[0] + 1,
        ]  # fmt: skip

    x = np.random.default_rng(0).normal(size=(6, 7))
    x[0] = 0.0
    check(f, x, how=how)
    assert not np.signbit(executed(captured(f, x), [x], how)[0][0]).any()
