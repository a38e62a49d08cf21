"""The claims of an engine with typed operations: float32 by default, `requires_grad`, and an operation's name on its node."""

from __future__ import annotations

import numpy as np
import pytest

import xgrad
from xgrad import Tensor, Value
from xgrad.visualize import draw_dot


@pytest.mark.parametrize("data", [1, 1.0, [1, 2], [[1.5]], np.arange(3), np.arange(3.0), np.float64(2.0), True])
def test_values_are_float32(data):
    assert Value(data).dtype == xgrad.float32 and Value(data).data.dtype == np.float32
    assert (Value(data) * 2 + 1.5).dtype == xgrad.float32
    assert (Value(data) * np.float64(2)).dtype == xgrad.float32


def test_tensors_of_python_floats_are_float32():
    assert Tensor(1.5).dtype == xgrad.float32 and Tensor([1.5, 2.0]).dtype == xgrad.float32


def test_complex_values_are_refused():
    for data in (1j, np.asarray([1j])):
        with pytest.raises(TypeError, match="a Value is real; use xgrad.Tensor"):
            Value(data)


def test_requires_grad():
    w, x = Value(2.0), Value(3.0, requires_grad=False)
    y = w * x
    assert y.requires_grad and not x.requires_grad
    y.backward()
    assert w.grad == 3.0 and x.grad is None
    assert not (x * x).requires_grad
    assert not Tensor(1.0).requires_grad and Tensor(1.0, requires_grad=True).requires_grad


def test_nodes_carry_the_name_of_their_operation():
    a, b = Value([1.0, -2.0]), Value([3.0, 4.0])
    named = {"add": a + b, "multiply": a * b, "relu": a.relu(), "pow": b**a, "matmul": a @ b, "sum": a.sum(), "tanh": a.tanh()}
    for name, y in named.items():
        assert y._node.op.name == name
        assert f'label="{name}"' in draw_dot(y).source
    assert [p is v._node for p, v in zip(named["add"]._node.parents, (a, b))] == [True, True]


def test_add_sends_the_gradient_on_and_pow_follows_the_power_rule():
    a, b = Value(3.0), Value(5.0)
    (a + b).backward(2.0)
    assert (a.grad, b.grad) == (2.0, 2.0)
    c = Value(3.0)
    (c**4).backward()
    assert c.grad == 4 * 3.0**3


def test_every_value_on_the_way_keeps_its_gradient():
    a = Value(3.0)
    b = a * 2
    c = b + 1
    c += 1
    d = c.relu()
    d.backward()
    assert [v.grad.item() for v in (a, b, c, d)] == [2.0, 1.0, 1.0, 1.0]
    assert isinstance(d, Value) and isinstance(xgrad.where(d > 0, d, d), Value)
    assert isinstance(Tensor(1.0) + a, Value) and isinstance(np.float32(2) * a, Value)


def test_adding_to_a_leaf_makes_a_new_value():
    a = c = Value(3.0)
    c += 1
    assert c is not a and a.data == 3.0 and c.data == 4.0
    c -= 1
    c *= 6
    c /= 3
    c **= 2
    c.backward()
    assert a.grad == 24.0
