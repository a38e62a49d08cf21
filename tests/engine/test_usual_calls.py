"""Calls with raw arrays and numbers among the arguments: as with Tensors of them, and never past the table of array types."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor
from xgrad.backend.find import namespaces

A, B = np.array([[2.0, 0.5], [0.25, 3.0]]), np.array([[1.0, -1.0], [0.5, 4.0]])
CONDITION = A > 1

CALLS: dict[str, Callable[[Any, Any, Any], Any]] = {
    "add": lambda a, b, c: a + b,
    "multiply": lambda a, b, c: b * a,
    "pow": lambda a, b, c: abs(a) ** b,
    "maximum": lambda a, b, c: xgrad.maximum(a, b),
    "maximum of a number": lambda a, b, c: xgrad.maximum(a, 0),
    "where": lambda a, b, c: xgrad.where(c, a, b),
    "where of a number": lambda a, b, c: xgrad.where(c, a, 0.5),
    "clip": lambda a, b, c: xgrad.clip(a, 0.5, b),
    "clip below": lambda a, b, c: xgrad.clip(a, None, b),
    "matmul": lambda a, b, c: b @ a,
    "solve": lambda a, b, c: xgrad.linalg.solve(b, a),
    "dot": lambda a, b, c: xgrad.dot(b, a),
    "einsum": lambda a, b, c: xgrad.einsum("ij,jk->ik", a, b),
    "stack": lambda a, b, c: xgrad.stack([a, b]),
    "concat": lambda a, b, c: xgrad.concat((b, a), axis=1),
    "numpy.where": lambda a, b, c: np.where(c, a, b),
    "numpy.stack": lambda a, b, c: np.stack([a, b]),
    "numpy.dot": lambda a, b, c: np.dot(b, a),
    "numpy.linalg.solve": lambda a, b, c: np.linalg.solve(b, a),
    "numpy.multiply": lambda a, b, c: np.multiply(b, a),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_on_arrays_is_that_on_tensors_of_them(name: str) -> None:
    call, results = CALLS[name], []
    for b, c in ((B, CONDITION), (Tensor(B), Tensor(CONDITION))):
        a = Tensor(A, requires_grad=True)
        y = call(a, b, c)
        (y * y).sum().backward()
        assert a.grad is not None
        results.append((y.detach().numpy(), a.grad.numpy()))
    for one, other in zip(*results):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", [name for name in CALLS if not name.startswith("numpy")])
def test_a_call_on_arrays_alone_returns_a_tensor(name: str) -> None:
    if name in ("add", "multiply", "pow", "matmul"):
        pytest.skip("the array's own operator")
    y, expected = CALLS[name](A, B, CONDITION), CALLS[name](Tensor(A), Tensor(B), Tensor(CONDITION))
    assert type(y) is Tensor and not y.requires_grad
    np.testing.assert_array_equal(y.numpy(), expected.numpy())


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array(["a", "b"]), "no data type"),
        (np.ma.masked_array([1.0, 2.0], [True, False]), "MaskedArray"),
        (np.array([None, 1]), "no data type"),
    ],
)
def test_arrays_that_xgrad_cannot_compute_with_are_refused(array: Any, message: str) -> None:
    x = Tensor([1.0, 2.0], requires_grad=True)
    xgrad.add(x, np.ones(2))  # so that the type is known
    for call in (xgrad.add, xgrad.maximum, lambda x, v: xgrad.stack([x, v]), lambda x, v: xgrad.where(True, v, x)):
        for _ in range(2):
            with pytest.raises(TypeError, match=message):
                call(x, array)


def test_scalars_of_numpy_are_numbers() -> None:
    x = Tensor(np.ones(2, np.float32), requires_grad=True)
    scalar = np.float64(2.0)
    xgrad.exp(Tensor(np.ones(2)).sum())  # the sum is a NumPy scalar, so that its type is known as that of an array
    for y in (x * scalar, xgrad.maximum(x, scalar), xgrad.where(np.array([True, False]), x, scalar)):
        assert y.dtype == "float32"


def test_a_constant_array_may_be_written_to_after_the_call() -> None:
    x, c = Tensor([1.0, 2.0], requires_grad=True), np.array([3.0, 4.0])
    y = (x * c).sum() + xgrad.stack([x, c]).sum() + xgrad.where(c > 3, x, c).sum()
    c[:] = 0
    y.backward()
    assert x.grad is not None and x.grad.tolist() == [4.0, 6.0]


# --------------------------------------------------------------------------------------------------- the table of types


@pytest.fixture
def no_types() -> Iterator[None]:
    """No type of array is known, as for an interpreter that stops every call."""
    known = dict(namespaces)
    namespaces.clear()
    yield
    namespaces.update(known)


seen: list[bool] = []


def _op(forward: Callable[..., Any]) -> Any:
    made = xgrad.op(forward)
    made.not_differentiable()
    return made


@_op
def looks_1(xp, x, /, *, power=1):  # type: ignore[no-untyped-def]
    seen.append(type(x) in namespaces)
    return x


@_op
def looks_2(xp, x1, x2, /):  # type: ignore[no-untyped-def]
    seen.append(np.ndarray in namespaces)
    return x1 + x2


@_op
def looks_3(xp, x1, x2, x3, /):  # type: ignore[no-untyped-def]
    seen.append(np.ndarray in namespaces)
    return x1 + x2 + x3


@_op
def looks_at_all(xp, *arrays):  # type: ignore[no-untyped-def]
    seen.append(np.ndarray in namespaces)
    return arrays[0]


T, R = Tensor(np.ones(2)), np.ones(2)


@pytest.mark.parametrize(
    "call",
    [
        lambda: looks_1(T), lambda: looks_1(R), lambda: looks_1(T, power=2),
        lambda: looks_2(T, T), lambda: looks_2(T, R), lambda: looks_2(R, T), lambda: looks_2(R, R), lambda: looks_2(T, 1.0),
        lambda: looks_3(T, R, T), lambda: looks_3(R, R, 1.0),
        lambda: looks_at_all(T, R), lambda: looks_at_all(R, R),
    ],
)  # fmt: skip
def test_no_forward_is_called_before_the_type_of_its_arrays_is_looked_up(no_types: None, call: Callable[[], Any]) -> None:
    seen.clear()
    call()  # the general path learns the type before it calls the forward; a path that does not look calls it before that
    assert seen == [True]
