"""Lists, tuples and ranges of numbers in place of arrays: in operators, in functions, on both sides, on every backend."""

from __future__ import annotations

import operator
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor

from ..harness.driver import ROWS, host, several

OPERATORS: list[Callable[[Any, Any], Any]] = [
    operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow, operator.matmul,
    operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge,
]  # fmt: skip
BITS: list[Callable[[Any, Any], Any]] = [operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift]


@pytest.mark.parametrize("run", [*OPERATORS, *BITS], ids=lambda f: f.__name__)
@pytest.mark.parametrize("container", [list, tuple, "nested", range], ids=str)
def test_operators_take_sequences_on_both_sides(run: Callable[[Any, Any], Any], container: Any, xp: Any) -> None:
    numbers: Any = {"nested": [[1, 2, 3], [3, 2, 1], [1, 1, 1]], range: range(1, 4)}.get(container)
    numbers = container([1, 2, 3]) if numbers is None else numbers
    for a in (np.array([1, 3, 2]), np.array([1.5, 3.0, 2.5])):
        if a.dtype.kind == "f" and run in BITS:
            continue
        x, beside = xp.asarray(a), np.asarray(numbers).astype(a.dtype)
        if run is operator.truediv and a.dtype.kind == "i" and x.backend == "strict":
            continue  # which does not divide integers
        np.testing.assert_allclose(run(x, numbers).numpy(), run(a, beside), rtol=1e-6)
        np.testing.assert_allclose(run(numbers, x).numpy(), run(beside, a), rtol=1e-6)


def test_an_accuracy_is_not_zero(xp: Any) -> None:
    predicted = xp.asarray([1, 0, 1, 1])
    assert xp.mean(xp.astype(predicted == [1, 0, 0, 1], xp.float32)).item() == 0.75
    assert ([1.0, 2.0] * xp.asarray(2.0)).tolist() == [2.0, 4.0]


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128", "int64", "int8", "bool"])
@pytest.mark.parametrize("numbers", [[True, False], [1, 2], [0.1, 0.2], [0.1j, 2]], ids=str)
def test_a_sequence_takes_the_dtype_that_a_number_would(numbers: list[Any], dtype: str, xp: Any) -> None:
    x = xp.astype(xp.asarray([1, 0]), dtype)
    for run in (xp.atan2, xp.multiply, xp.logical_and):
        try:
            scalar = run(x, numbers[0])
        except Exception as error:
            with pytest.raises(type(error)):
                run(x, numbers)
            continue
        assert run(x, numbers).dtype == scalar.dtype
        assert run(numbers, x).dtype == run(numbers[0], x).dtype
        np.testing.assert_array_equal(run(x, numbers).numpy()[0], scalar.numpy()[0])


def test_no_digits_are_lost_beside_float64(xp: Any) -> None:
    x = xp.zeros(2, dtype=xp.float64)
    wanted = [0.1, 0.2]
    assert (x + wanted).tolist() == wanted
    assert xp.where([True, False], x + wanted, [0.5, 0.2]).tolist() == wanted
    assert xp.where([True, True], wanted, x).tolist() == wanted
    assert xp.clip(x, wanted, 1.0).tolist() == wanted
    assert xp.concat([x[:0], wanted]).tolist() == wanted
    assert x.at[:].add(wanted).tolist() == wanted
    assert xp.astype(wanted, xp.float64).tolist() == wanted
    x[...] = wanted
    assert x.tolist() == wanted
    x[[0, 1]] = wanted
    assert x.tolist() == wanted
    assert xp.clip(xp.zeros(2, dtype=xp.float64), 0.1, xp.ones(2, dtype=xp.float32)).tolist() == [0.1, 0.1]
    assert xp.where(xp.asarray(True), xp.zeros(2, dtype=xp.float32), 0.1).dtype == xp.float32


def test_tensors_in_a_list_stay_in_their_graph(xp: Any) -> None:
    a, b = (xp.asarray(v).requires_grad_() for v in (2.0, 3.0))
    y = [a, 1.0, b] * xp.asarray([1.0, 10.0, 100.0]) + [[a, a, b]]
    xp.sum(y).backward()
    assert a.grad.item() == 1.0 + 2.0 and b.grad.item() == 100.0 + 1.0
    assert xp.sum([a, [b][0]]).requires_grad
    assert ([xp.asarray([1.0, 2.0]), xp.asarray([3.0, 4.0])] @ xp.asarray([1.0, 1.0])).tolist() == [3.0, 7.0]
    twice = xgrad.hessian(lambda v: xp.sum([v[0] ** 2, v[1] * v[0]] * v))(np.array([1.0, 2.0]))
    np.testing.assert_allclose(twice, [[6.0, 4.0], [4.0, 2.0]])  # of x^3 + x y^2


def test_sequences_within_vmap(xp: Any, backend: str) -> None:
    if backend == "dask":
        pytest.skip("vmap is not for dask")
    x = xp.asarray([[1.0, 2.0], [3.0, 4.0]])
    assert xgrad.vmap(lambda v: v * [10.0, 1.0] + [v[1], 0.0])(x).tolist() == [[12.0, 2.0], [34.0, 4.0]]


@pytest.mark.parametrize("other", [None, "word", b"word", {}, {1}, object(), ..., int], ids=lambda other: type(other).__name__)
def test_what_is_no_array_equals_no_element(other: Any, xp: Any) -> None:
    for shape in ((), (2,), (0, 3), (2, 2)):
        x = xp.ones(shape)
        assert (x == other).dtype == xp.bool and (x == other).shape == shape and not bool(xp.any(x == other))
        assert (other != x).shape == shape and bool(xp.all(other != x))
        for run in (operator.lt, operator.add, operator.mul):
            if run is operator.mul and isinstance(other, (str, bytes)):
                continue  # Python repeats them where the tensor is an index
            with pytest.raises(TypeError):
                run(x, other)


def test_an_object_with_an_opinion_of_its_own_is_asked() -> None:
    class Agreeable:
        def __eq__(self, other: object) -> bool:
            return True

        def __radd__(self, other: object) -> str:
            return "added"

    assert (xgrad.ones(2) == Agreeable()) is True
    assert xgrad.ones(2) + Agreeable() == "added"
    assert xgrad.asarray(1.0).item() == pytest.approx(1.0)


REFUSED: dict[str, tuple[Any, type[Exception], str]] = {
    "ragged": ([[1.0], [1.0, 2.0]], ValueError, "ragged"),
    "strings": (["a", "b"], TypeError, "numbers"),
    "none": ([1.0, None], TypeError, "numbers"),
    "objects": ([object()], TypeError, "numbers"),
    "dictionaries": ([{}], TypeError, "numbers"),
    "length": ([1.0, 2.0, 3.0], ValueError, "broadcast"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_array_of_numbers_is_refused_in_plain_words(name: str) -> None:
    numbers, kind, words = REFUSED[name]
    x = xgrad.ones(2)
    for run in (lambda: x + numbers, lambda: numbers * x, lambda: x == numbers, lambda: xgrad.maximum(x, numbers)):
        with pytest.raises(kind, match=words):
            run()
    if name != "length":
        with pytest.raises(kind, match=f"sin: .*{words}"):
            xgrad.sin(numbers)
    with pytest.raises(OverflowError, match="int8"):
        xgrad.asarray([1, 2], dtype=xgrad.int8) + [1, 300]


def test_real_numbers_stay_real_beside_complex_ones_where_the_function_takes_no_others(xp: Any) -> None:
    z = xp.asarray([1 + 1j, 2.0], dtype=xp.complex64)
    y = xp.interp([0.0, 0.25], [0.0, 1.0], z)
    assert y.dtype == "complex64" and y.tolist() == [1 + 1j, 1.25 + 0.75j]
    with pytest.raises(TypeError, match="hypot: takes real numbers, and x2 is complex64"):
        xp.hypot([1.0, 2.0], z)


def _rows() -> list[Any]:
    return [(name, k) for name, row in ROWS.items() for k, arg in enumerate(row.args) if arg.shape and 0 not in arg.shape]


@pytest.mark.filterwarnings("ignore")  # what a row warns of is not the matter here
@pytest.mark.parametrize(("name", "k"), _rows())
def test_every_function_takes_a_list_for_an_array(name: str, k: int) -> None:
    row, xp = ROWS[name], xgrad.namespace("numpy")
    if "numpy" in row.skip or row.name in ("getitem", "gather"):
        pytest.skip("the list's own indexing, or not for NumPy")
    arrays = row.draw()
    wanted = [np.asarray(host(v)) for v in several(row.f(xp, *map(Tensor, arrays)))]
    try:
        found = several(row.f(xp, *(a.tolist() if i == k else Tensor(a) for i, a in enumerate(arrays))))
    except (AttributeError, TypeError) as error:
        if "/tests/" in traceback.extract_tb(error.__traceback__)[-1].filename:
            pytest.skip("the row itself uses an operator or a method of the array")
        raise
    inexact = [a for i, a in enumerate(arrays) if i != k and a.dtype.kind in "fc"]
    if (
        not inexact or {name, (name, k)} & NARROW or (k == 0 and row.name.startswith(("setitem", "scatter")))
    ):  # the list has the default dtype, float32
        for got, value in zip(found, wanted):
            np.testing.assert_allclose(np.asarray(host(got)), value, rtol=2e-3, atol=2e-4)
        return
    for got, value in zip(found, wanted):
        np.testing.assert_allclose(np.asarray(host(got)), value, rtol=1e-9, atol=1e-11)


NARROW = {
    "asarray-rows",
    "full_like-tensor",
    ("softmax_pull-0", 1),
    ("softmax_pull--1", 1),
}  # which make float32
