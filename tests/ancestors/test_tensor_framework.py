"""The claims of a tensor framework grown from scalars: the dynamic graph, its order, reductions, and a classifier that learns."""

from __future__ import annotations

import numpy as np

from xgrad import Tensor, Value, random
from xgrad.nn import MLP
from xgrad.nn.functional import cross_entropy


def test_scalar_operations_build_a_graph():
    a, b = Value(2.0), Value(3.0)
    y = (a * b + a.exp()).log() ** 2
    y.backward()
    u = 6.0 + np.exp(2.0)
    np.testing.assert_allclose(a.grad.data, 2 * np.log(u) / u * (3 + np.exp(2.0)), rtol=1e-5)
    np.testing.assert_allclose(b.grad.data, 2 * np.log(u) / u * 2, rtol=1e-5)


def test_a_value_used_on_several_paths_is_visited_after_all_of_them():
    a = Value(1.0)
    b = a + a
    c = b * b
    d = c + b * 3
    for _ in range(20):
        d = d + d
    d.backward()
    np.testing.assert_allclose(a.grad.data, (2 * 2 * 2 + 6) * 2**20)


def test_tensor_operations():
    x = Tensor([[1.0, 5.0, 2.0], [7.0, 3.0, 4.0]], requires_grad=True)
    (x.exp().sum() + x.max(axis=1).sum() + (x * 2 - x / 2).sum()).backward()
    np.testing.assert_allclose(x.grad.data, np.exp(x.data) + [[0, 1, 0], [1, 0, 0]] + 1.5, rtol=1e-6)
    x.zero_grad()
    x.max().backward()
    assert x.grad.tolist() == [[0, 0, 0], [1, 0, 0]]


def test_constants_are_not_tracked():
    x, c = Tensor([1.0, 2.0]), Tensor([3.0, 4.0], requires_grad=True)
    y = (x * c).sum()
    y.backward()
    assert x.grad is None and c.grad.tolist() == [1.0, 2.0]


def test_a_scalar_added_to_a_matrix():
    m, s = Tensor(np.ones((2, 3)), requires_grad=True), Tensor(np.asarray(2.0), requires_grad=True)
    (m + s).sum().backward()
    assert m.grad.shape == (2, 3) and s.grad.shape == () and s.grad.item() == 6.0


def test_a_classifier_learns():
    random.seed(0)
    rng = np.random.default_rng(0)
    centres = np.asarray([[0.0, 2.0], [2.0, -1.0], [-2.0, -1.0]])
    labels = rng.integers(0, 3, size=150)
    points = (centres[labels] + 0.4 * rng.normal(size=(150, 2))).astype("float32")
    model = MLP(2, [16, 3], activation="tanh")
    for _ in range(100):
        loss = cross_entropy(model(Tensor(points)), labels)
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= 0.5 * p.grad
    answers = model(Tensor(points)).argmax(axis=1)
    assert (answers.data == labels).mean() > 0.97
