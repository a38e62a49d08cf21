"""Products of matrices and vectors, in every layout."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from .plans import check

SIZES = [(1, 1, 1), (1, 5, 1), (3, 1, 4), (1, 7, 9), (9, 7, 1), (3, 4, 5), (40, 30, 20), (1, 300, 200), (200, 300, 1), (17, 0, 3)]


def scale(dtype: str) -> float:
    return 3e-6 if dtype == "float32" else 1e-14


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", SIZES)
def test_layouts(how: str, size: tuple[int, int, int], dtype: str) -> None:
    m, k, n = size
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(m, k)).astype(dtype), rng.normal(size=(k, n)).astype(dtype)
    wide = rng.normal(size=(2 * m, 3 * k + 1)).astype(dtype)

    def f(xp: Any, a: Any, b: Any, at: Any, bt: Any, wide: Any) -> Any:
        return [
            a @ b, xp.matrix_transpose(at) @ b, a @ xp.matrix_transpose(bt), xp.matrix_transpose(at) @ xp.matrix_transpose(bt),
            wide[:m, :k] @ b, wide[::2, 1 : 3 * k + 1 : 3] @ b, a[::-1, ::-1] @ b, (a * 2) @ (b + 1), a[0] @ b,
            a @ b[:, 0], a[0] @ b[:, 0],
        ]  # fmt: skip

    check(f, a, b, a.T.copy(), b.T.copy(), wide, how=how, scale=scale(dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_stacks(how: str, dtype: str) -> None:
    rng = np.random.default_rng(0)
    x, w, s = (rng.normal(size=shape).astype(dtype) for shape in ((2, 3, 16, 20), (20, 15), (3, 20, 15)))

    def f(xp: Any, x: Any, w: Any, s: Any) -> Any:
        y = xp.permute_dims(x, (2, 0, 1, 3))
        return [
            x @ w, x @ s, xp.matrix_transpose(x) @ x, x @ xp.matrix_transpose(x), y @ w, y @ xp.matrix_transpose(y),
            w.T @ s[0],
            xp.permute_dims(x, (1, 0, 2, 3))[:, 0] @ s, x[:, :, 0] @ w, x @ w[:, 0],
            xp.permute_dims(x, (3, 1, 0, 2)) @ x[0, :, :, :7],
        ]  # fmt: skip

    check(f, x, w, s, how=how, scale=scale(dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_contractions(how: str, dtype: str) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(3, 4, 5)).astype(dtype), rng.normal(size=(4, 3, 6)).astype(dtype)

    def f(xp: Any, a: Any, b: Any) -> Any:
        return [
            xp.tensordot(a, b, axes=((1, 0), (0, 1))), xp.tensordot(a, a, axes=3), xp.tensordot(a, b[:, :, 0], axes=((1,), (0,))),
            xp.tensordot(a[0, 0], b[0, 0], axes=0), xp.vecdot(a, a), xp.vecdot(a, a[0, 0]), xp.vecdot(a, a, axis=1),
            xp.linalg.vector_norm(a), xp.linalg.vector_norm(a, axis=1, keepdims=True), xp.linalg.outer(a[0, 0], b[0, 0]),
        ]  # fmt: skip

    check(f, a, b, how=how, scale=scale(dtype))


def test_a_long_vector(how: str) -> None:
    rng = np.random.default_rng(0)
    v, m = rng.uniform(size=100_000).astype("f"), rng.uniform(size=(100_000, 3)).astype("f")
    check(lambda xp, v, m: [v @ m, v @ v, xp.matrix_transpose(m) @ v], v, m, how=how, scale=3e-7)


def test_other_dtypes(how: str) -> None:
    a = np.arange(12).reshape(3, 4)
    f = lambda xp, a, z: [a @ xp.matrix_transpose(a), z @ xp.matrix_transpose(z), xp.astype(a, xp.float64) @ xp.ones((4, 2))]
    check(f, a, a + 1j, how=how)
