"""The claims of a scalar engine moved to arrays: VJPs instead of Jacobians, unbroadcasting, the gradients of a matrix product."""

from __future__ import annotations

import numpy as np
import pytest

from xgrad import Value, random
from xgrad.nn import MLP


def test_matrix_product_gradients():
    rng = np.random.default_rng(0)
    A, B, G = Value(rng.normal(size=(3, 4))), Value(rng.normal(size=(4, 2))), rng.normal(size=(3, 2)).astype("float32")
    (A @ B).backward(G)
    dA = G @ B.data.T
    dB = A.data.T @ G
    np.testing.assert_allclose(A.grad.data, dA, rtol=1e-5)
    np.testing.assert_allclose(B.grad.data, dB, rtol=1e-5)


def test_product_rule():
    x, y = Value([1.0, 2.0]), Value([3.0, 4.0])
    (x * y).backward(np.asarray([1.0, 10.0]))
    assert x.grad.tolist() == [3.0, 40.0] and y.grad.tolist() == [1.0, 20.0]


@pytest.mark.parametrize("shape", [(), (1,), (3,), (1, 3), (2, 1), (2, 3), (5, 1, 1), (5, 2, 3)])
def test_a_broadcast_gradient_has_the_shape_of_its_tensor(shape):
    x, b = Value(np.ones((5, 2, 3))), Value(np.ones(shape))
    (x + b).sum().backward()
    assert x.grad.shape == (5, 2, 3) and b.grad.shape == shape
    np.testing.assert_allclose(b.grad.data, np.full(shape, 30 / max(1, np.prod(shape))))


@pytest.mark.parametrize("nin", [5, 100])
def test_mlp_with_hidden_layers_of_300(nin):
    random.seed(0)
    model = MLP(nin, [300, 300, 300, 1])
    out = model(Value(np.ones((1, nin))))
    out.backward()
    assert out.shape == (1, 1)
    assert [p.grad.shape for p in model.parameters()] == [p.shape for p in model.parameters()]
    assert any(p.grad.data.any() for p in model.parameters())
