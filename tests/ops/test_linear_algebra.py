"""Shapes, dtypes and errors of products of matrices and vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor


def leaf(*shape: int) -> Tensor:
    return Tensor(np.arange(1.0, 1 + np.prod(shape)).reshape(shape), requires_grad=True)


def test_pitfall_22_products_give_gradients_of_exactly_the_operands_shape() -> None:
    for s1, s2 in (((4,), (4, 5)), ((3, 4), (4,)), ((4,), (4,)), ((2, 1, 3, 4), (5, 4, 2)), ((1, 4), (4, 1))):
        x1, x2 = leaf(*s1), leaf(*s2)
        (x1 @ x2).sum().backward()
        assert x1.grad is not None and x1.grad.shape == s1
        assert x2.grad is not None and x2.grad.shape == s2


def test_pitfall_22_a_matrix_times_itself() -> None:
    x = leaf(3, 3)
    (x @ x).sum().backward()
    a, ones = x.detach().numpy(), np.ones((3, 3))
    np.testing.assert_allclose(x.grad.numpy(), ones @ a.T + a.T @ ones)


def test_pitfall_20_a_float32_operand_of_a_float64_product_gets_a_float32_gradient() -> None:
    x = Tensor(np.ones((2, 3), dtype="float32"), requires_grad=True)
    (x @ leaf(3, 2)).sum().backward()
    assert x.grad.dtype == xgrad.float32


@pytest.mark.parametrize(
    ("s1", "s2", "message"),
    [
        ((3, 4), (3, 4), r"x1 has shape \(3, 4\) but x2 is \(3, 4\); the last axis of x1 and the second-to-last axis of x2"),
        ((3, 4), (3,), "the only axis of x2 must be equal"),
        ((2, 3, 4), (5, 4, 3), "the axes before the last two must be equal, or one of them 1"),
        ((), (3,), "both need at least one axis"),
    ],
)
def test_shapes_that_do_not_fit_are_told(s1: tuple[int, ...], s2: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        xgrad.matmul(leaf(*s1), leaf(*s2))


def test_a_product_saves_only_the_other_operand() -> None:
    x, w = leaf(2, 3), Tensor(np.ones((3, 4)))
    saved = (x @ w)._node.saved
    assert not any(v is x._data for v in saved)


def test_the_transpose_writes_through() -> None:
    x = Tensor([[1.0, 2.0], [3.0, 4.0]])
    x.mT[0, 1] = 30.0
    assert x.tolist() == [[1.0, 2.0], [30.0, 4.0]]


def test_bad_axes_are_told() -> None:
    with pytest.raises(ValueError, match="names an axis twice"):
        xgrad.tensordot(leaf(2, 2), leaf(2, 2), axes=((0, 0), (0, 1)))
    with pytest.raises(ValueError, match="must have the lengths"):
        xgrad.tensordot(leaf(2, 3), leaf(2, 3), axes=1)
    with pytest.raises(ValueError, match="that an operand with 2 axes does not have"):
        xgrad.tensordot(leaf(2, 3), leaf(2, 3), axes=((5,), (0,)))
    with pytest.raises(ValueError, match="along axis -1 must be equal"):
        xgrad.vecdot(leaf(3), leaf(1))
    with pytest.raises(ValueError, match="two axes at least"):
        xgrad.matrix_transpose(leaf(3))


@pytest.mark.parametrize(
    "shapes", [((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((5, 2, 3), (3, 4)), ((2, 1), (1, 4))]
)
def test_operands_of_two_dtypes(xp: Any, shapes: Any) -> None:
    # PyTorch's operator refuses them.
    a, b = (np.random.default_rng(k).normal(size=shape) for k, shape in enumerate(shapes))
    x = xp.astype(xp.asarray(a.tolist(), dtype="float64"), "float32").requires_grad_()
    y = xp.asarray(b.tolist(), dtype="float64").requires_grad_()
    z = xp.matmul(x, y)
    assert z.dtype == "float64"
    np.testing.assert_allclose(z.detach().numpy(), x.detach().numpy() @ b)
    xp.sum(z * z).backward()
    assert x.grad is not None and x.grad.dtype == "float32" and y.grad is not None and y.grad.dtype == "float64"
    same = xp.astype(x.detach(), "float64").requires_grad_()
    xp.sum(xp.matmul(same, y.detach()) ** 2).backward()
    np.testing.assert_allclose(x.grad.numpy(), same.grad.numpy(), rtol=1e-6)
    whole = xp.asarray([[1, 2], [3, 4]], dtype="int64") @ xp.asarray([[1], [2]], dtype="int8")
    assert whole.dtype == "int64" and whole.tolist() == [[5], [11]]
