"""Sparse Jacobians and Hessians: against dense ones, in how many products, and with wrong patterns."""

from __future__ import annotations

import itertools
import sys
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor, solve, sparse

scipy_sparse = pytest.importorskip("scipy.sparse")
rng = np.random.default_rng(7)


def rosenbrock(x: Any) -> Any:
    return xgrad.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def arrow(x: Any) -> Any:
    return xgrad.sum(x[0] * x**2) + xgrad.sum(x**3)


def banded(x: Any) -> Any:
    return x[2:] * x[:-2] + xgrad.sin(x[1:-1])


def star(x: Any) -> Any:
    return xgrad.concat([xgrad.sum(x, keepdims=True) ** 2, x[1:] ** 2])


def random_pattern(n: int, density: float) -> Any:
    made = rng.random((n, n)) < density
    return made | made.T | np.eye(n, dtype=bool)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many products were taken in each go."""
    counts: list[int] = []
    each = solve.sparse._Products._each

    def counting(self: Any, product: Any, directions: Any, size: int) -> Any:
        counts.append(len(directions))
        return each(self, product, directions, size)

    monkeypatch.setattr(solve.sparse._Products, "_each", counting)
    return counts


def test_a_tridiagonal_hessian_of_size_10000_in_a_handful_of_products(counted: list[int]) -> None:
    n = 10_000
    x = rng.normal(size=n)
    pattern = scipy_sparse.diags_array([np.ones(n - 1), np.ones(n), np.ones(n - 1)], offsets=[-1, 0, 1])
    found = sparse.hessian(rosenbrock, pattern)(x)
    assert counted == [3, 1]  # and one to check
    assert type(found) is scipy_sparse.csr_array and found.shape == (n, n) and found.dtype == np.float64
    main = np.concatenate([[0], np.full(n - 1, 200.0)])
    main[:-1] += 1200 * x[:-1] ** 2 - 400 * x[1:] + 2
    expected = scipy_sparse.diags_array([-400 * x[:-1], main, -400 * x[:-1]], offsets=[-1, 0, 1])
    assert abs(found - expected).max() < 1e-9
    counted.clear()
    detected = sparse.hessian_sparsity(rosenbrock, x)
    assert detected.nnz == 3 * n - 2 and sum(counted) < 300
    counted.clear()
    again = sparse.hessian(rosenbrock)
    again(x)
    counted.clear()
    again(-x)
    assert counted == [3, 1]  # the pattern was kept


@pytest.mark.parametrize("f", [rosenbrock, arrow])
@pytest.mark.parametrize("n", [2, 3, 17, 40])
def test_hessians(f: Any, n: int) -> None:
    x = rng.normal(size=n)
    np.testing.assert_allclose(sparse.hessian(f)(x).toarray(), xgrad.hessian(f)(x), atol=1e-10)


def test_an_arrow_takes_two_products(counted: list[int]) -> None:
    n = 3000
    pattern = scipy_sparse.eye_array(n).tolil()
    pattern[0], pattern[:, [0]] = 1, np.ones((n, 1))
    found = sparse.hessian(arrow, pattern.tocsr())(np.ones(n))
    assert counted == [2, 1]
    assert found[0, 5] == 2 and found[5, 0] == 2 and found[5, 5] == 8


@pytest.mark.parametrize("f", [banded, star, rosenbrock])
@pytest.mark.parametrize("way", ["auto", "forward", "reverse"])
def test_jacobians(f: Any, way: str) -> None:
    x = rng.normal(size=12)
    found = sparse.jacobian(f, way=way)(x)
    np.testing.assert_allclose(found.toarray(), np.atleast_2d(xgrad.jacobian(f)(x)), atol=1e-12)
    np.testing.assert_allclose(sparse.jacobian(f, np.ones(found.shape), way=way)(x).toarray(), found.toarray(), atol=1e-12)


def test_rows_or_columns_whichever_are_fewer(counted: list[int]) -> None:
    x = rng.normal(size=30)
    pattern = sparse.jacobian_sparsity(star, x)
    for way, products in [("forward", 30), ("reverse", 2), ("auto", 2)]:
        counted.clear()
        sparse.jacobian(star, pattern, way=way)(x)
        assert counted == [products, 1]


@pytest.mark.parametrize("density", [0.02, 0.1, 0.3])
def test_colorings(density: float) -> None:
    for n in (1, 5, 30):
        pattern = random_pattern(n, density)
        columns = sparse.column_coloring(pattern)
        for row in pattern:
            assert len(set(columns[row])) == row.sum()
        colors = sparse.star_coloring(pattern)
        near = [np.flatnonzero(row & (np.arange(n) != i)) for i, row in enumerate(pattern)]
        for b in range(n):
            for c in near[b]:
                assert colors[b] != colors[c]
                for a, d in itertools.product(near[b], near[c]):
                    if len({a, b, c, d}) == 4:
                        assert len({colors[v] for v in (a, b, c, d)}) > 2
        assert colors.max() <= columns.max()


@pytest.mark.parametrize("n", [1, 6, 25])
def test_a_random_hessian_is_recovered(n: int) -> None:
    for density in (0.05, 0.2):
        matrix = random_pattern(n, density) * rng.normal(size=(n, n))
        matrix = matrix + matrix.T
        found = sparse.hessian(lambda x, m=matrix: 0.5 * x @ (m @ x), matrix != 0)(np.ones(n))
        np.testing.assert_allclose(found.toarray(), matrix, atol=1e-12)


def test_a_wrong_pattern_is_an_error() -> None:
    x = np.ones(20)
    tridiagonal = sparse.hessian_sparsity(rosenbrock, x)
    diagonal = np.eye(20, dtype=bool)
    with pytest.raises(xgrad.GradientError, match=r"the sparsity lacks entries: rows 0, 1, 2, 3, 4 \.\.\. of the matrix"):
        sparse.hessian(rosenbrock, diagonal)(x)
    lacking = tridiagonal.tolil()
    lacking[7, 8] = lacking[8, 7] = False
    with pytest.raises(xgrad.GradientError, match="rows 7, 8"):
        sparse.hessian(rosenbrock, lacking.tocsr())(2 * x)
    with pytest.raises(xgrad.GradientError, match="columns"):
        sparse.jacobian(banded, np.eye(18, 20), way="reverse")(x)
    assert sparse.hessian(rosenbrock, diagonal, check=False)(x).nnz == 20
    with pytest.raises(ValueError, match=r"has shape \(3, 3\), but must have \(20, 20\)"):
        sparse.hessian(rosenbrock, np.eye(3))(x)
    with pytest.raises(ValueError, match="square"):
        sparse.hessian(rosenbrock, np.ones((2, 3)))
    with pytest.raises(ValueError, match="'auto', 'forward' or 'reverse'"):
        sparse.jacobian(banded, way="up")


def test_zeros_at_the_point_itself_are_not_zeros_of_the_pattern() -> None:
    zero = np.zeros(4)
    assert sparse.jacobian_sparsity(lambda x: x[1:] * x[:-1] ** 2, zero).toarray().sum() == 6
    assert sparse.jacobian_sparsity(lambda x: x[1:] * x[:-1] ** 2, zero, points=0).nnz == 0
    with np.errstate(invalid="ignore"):  # points below zero are left out
        assert sparse.jacobian_sparsity(lambda x: xgrad.sqrt(x), np.ones(3) * 1e-3).nnz == 3


def test_an_op_that_cannot_be_batched_is_called_one_by_one() -> None:
    @xgrad.op
    def cube(xp, x, /):  # type: ignore[no-untyped-def]
        return x**3

    cube.vjp(x=lambda g, x: 3 * g * x**2 if float(g[0]) < 9 else g)
    np.testing.assert_allclose(sparse.jacobian(cube, np.eye(3), way="reverse")(np.ones(3)).toarray(), 3 * np.eye(3))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_each_backend(xp: Any, device: Any, dtype: str) -> None:
    x = xp.asarray([0.5, 1.0, -2.0, 0.25, 1.5], dtype=getattr(xp, dtype), device=device)
    n = np.array([0.5, 1.0, -2.0, 0.25, 1.5])
    tol = 1e-12 if dtype == "float64" else 1e-4
    np.testing.assert_allclose(sparse.hessian(rosenbrock)(x).toarray(), xgrad.hessian(rosenbrock)(n), rtol=tol, atol=tol)
    np.testing.assert_allclose(sparse.jacobian(banded)(x.data).toarray(), xgrad.jacobian(banded)(n), rtol=tol, atol=tol)


def test_containers_and_further_arguments() -> None:
    pytest.importorskip("optree")
    f = lambda p, s: {"u": p["a"] * s, "v": xgrad.sum(p["b"] ** 2, axis=1)}
    found = sparse.jacobian(f)({"a": 2.0, "b": np.ones((2, 3))}, 3.0)
    np.testing.assert_allclose(found.toarray(), [[3, 0, 0, 0, 0, 0, 0], [0, 2, 2, 2, 0, 0, 0], [0, 0, 0, 0, 2, 2, 2]])
    assert sparse.jacobian(lambda x: x[:0])(np.ones(3)).shape == (0, 3)


def test_what_bad_input_gets(monkeypatch: pytest.MonkeyPatch) -> None:
    w = Tensor(np.ones(3), requires_grad=True)
    with pytest.raises(xgrad.GradientError, match=r"uses a tensor that requires grad .*no_grad"):
        sparse.jacobian(lambda x: w * x)(np.ones(3))
    with xgrad.no_grad():
        assert sparse.jacobian(lambda x: w * x)(np.ones(3)).nnz == 3
    with pytest.raises(TypeError, match="only real arrays"):
        sparse.jacobian(lambda x: x)(np.ones(3, dtype=complex))
    with pytest.raises(TypeError, match="returned a float"):
        sparse.jacobian(lambda x: 3.0)(np.ones(3))
    with pytest.raises(xgrad.GradientError, match="only a scalar"):
        sparse.hessian(lambda x: x)(np.ones(3))
    monkeypatch.setitem(sys.modules, "scipy.sparse", None)
    with pytest.raises(ImportError, match="pip install scipy"):
        sparse.hessian(rosenbrock)(np.ones(3))
