"""The examples of a vectorised engine: what Values print, and a yes/no net trained on 209 columns and asked about 10."""

from __future__ import annotations

import numpy as np
import pytest

from xgrad import Value, random
from xgrad.nn import Linear, Module
from xgrad.nn.functional import binary_cross_entropy
from xgrad.optim import SGD


def test_scalars_and_vectors():
    assert repr(Value(1) + 2) == "Value(3.0)"
    assert repr(Value([1, 2, 3]) + 2) == "Value([3., 4., 5.])"
    assert repr(Value([1, 2, 3]) * 2) == "Value([2., 4., 6.])"


def test_the_printed_session():
    assert repr(Value(1.0) + Value(2.0)) == "Value(3.0)"
    assert repr(Value(2.0) * Value(3.0)) == "Value(6.0)"
    x = Value(2.9)
    y = x.tanh()
    assert repr(y).startswith("Value(0.99")
    y.backward()
    assert x.grad.item() == pytest.approx(1 - np.tanh(2.9) ** 2, rel=1e-4)


def test_negation_subtraction_and_power():
    a, b = Value(10), Value(5)
    assert repr(-a) == "Value(-10.0)"
    assert (a + (-b)).data == 5 and (a - b).data == 5
    assert repr(a**2) == "Value(100.0)"


def test_gradient_is_zero_until_backward_and_accumulates():
    a = Value(3.0)
    assert a.grad == 0.0
    b = a + a  # used twice: its two contributions add up
    b.backward()
    assert a.grad == 2.0
    (a * 2).backward()
    assert a.grad == 4.0
    a.grad = 0.0
    assert a.grad == 0.0


def test_log_and_exp_are_functions():
    x = Value([0.5, 2.0])
    x.log().exp().sum().backward()
    np.testing.assert_allclose(x.grad.data, [1, 1], rtol=1e-6)


class Columns(Module):
    """A four-layer net over columns: ``W @ X + b`` with examples as columns and a bias of one column."""

    def __init__(self, sizes):
        layers = [Linear(n, m) for n, m in zip(sizes, sizes[1:])]
        self.weights = [Value(layer.weight.detach().numpy().T) for layer in layers]
        self.biases = [Value(np.zeros((m, 1))) for m in sizes[1:]]

    def forward(self, x):
        for w, b in zip(self.weights[:-1], self.biases[:-1]):
            x = (w @ x + b).relu()
        return (self.weights[-1] @ x + self.biases[-1]).sigmoid()


def test_trained_on_209_columns_and_evaluated_on_10():
    random.seed(0)
    rng = np.random.default_rng(0)
    data = rng.normal(size=(20, 219))
    labels = (data[:3].sum(axis=0, keepdims=True) > 0).astype(float)
    model = Columns([20, 16, 12, 8, 1])
    shapes = [p.shape for p in model.parameters()]
    optimizer = SGD(model.parameters(), lr=0.3, momentum=0.9)
    for _ in range(150):
        loss = binary_cross_entropy(model(Value(data[:, :209], requires_grad=False)), labels[:, :209])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.data < 0.05
    answers = model(Value(data[:, 209:]))
    assert answers.shape == (1, 10)
    assert ((answers.data > 0.5) == labels[:, 209:]).mean() >= 0.8
    assert model(Value(data[:, :1])).shape == (1, 1) and model(Value(data)).shape == (1, 219)
    assert [p.shape for p in model.parameters()] == shapes and (20, 209) not in shapes
    answers.sum().backward()
    assert [p.grad.shape for p in model.parameters()] == shapes
