"""The examples of a scalar engine rebuilt on arrays: the scalar expression, matrices, the printed training loop, the drawing."""

from __future__ import annotations

import re
import shutil

import numpy as np
import pytest

from xgrad import Value, random, use_backend
from xgrad.nn import MLP, Linear
from xgrad.visualize import draw_dot


# fmt: off  (the examples are as they were printed)
def test_scalar_expression(capsys):
    a = Value(-4.0)
    b = Value(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    print(f"{g.data:.4f}")  # prints 24.7041
    g.backward()
    print(f"{a.grad:.4f}")  # prints 138.8338, i.e. dg/da
    print(f"{b.grad:.4f}")  # prints 645.5773, i.e. dg/db
    assert capsys.readouterr().out.split() == ["24.7041", "138.8338", "645.5773"]


def test_matrix_operations(capsys):
    # Matrix multiplication
    A = Value([[1, 2], [3, 4]])
    B = Value([[5, 6], [7, 8]])
    C = A @ B
    print(C.data)  # Matrix product

    # Broadcasting works automatically
    x = Value([[1, 2, 3], [4, 5, 6]])  # 2x3 matrix
    b = Value([1, 0, -1])  # 1x3 vector (broadcasts)
    y = x + b  # Element-wise addition with broadcasting
    assert capsys.readouterr().out == "[[19. 22.]\n [43. 50.]]\n"
    assert y.data.tolist() == [[2, 2, 2], [5, 5, 5]]
    (C.sum() + y.sum()).backward()
    assert b.grad.tolist() == [2, 2, 2]
    assert A.grad.tolist() == [[11, 15], [11, 15]] and B.grad.tolist() == [[4, 4], [6, 6]]


def test_training_loop(capsys):
    random.seed(0)

    # Create a 3-layer network: 3 inputs -> 16 hidden -> 16 hidden -> 1 output
    model = MLP(nin=3, nouts=[16, 16, 1])

    # Prepare data (batch processing supported!)
    X_train = np.array([[1, 2, 3], [4, 5, 6]])  # 2 samples, 3 features
    y_train = np.array([[1.0], [2.0]])  # 2 targets

    # Training loop
    learning_rate = 0.01
    for epoch in range(100):
        # Forward pass
        X = Value(X_train)
        y = Value(y_train)
        predictions = model(X)

        # Compute loss
        loss = predictions.mse(y)

        # Backward pass
        model.zero_grad()  # Reset gradients
        loss.backward()  # Compute gradients

        # Update parameters (SGD)
        for p in model.parameters():
            p.data -= learning_rate * p.grad

        if epoch % 10 == 0:
            print(f"Epoch {epoch}, Loss: {loss.data:.4f}")

    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == 10 and all(re.fullmatch(r"Epoch \d+, Loss: \d+\.\d{4}", line) for line in printed)
    losses = [float(line.rpartition(" ")[2]) for line in printed]
    assert losses[-1] < 0.05 < losses[0]
    assert len(model.parameters()) == 6 and all(isinstance(layer, Linear) for layer in model.layers)


# fmt: on


def test_the_printed_update_on_every_backend(backend):
    if backend == "strict":
        pytest.skip("array-api-strict's own -= refuses operands of other libraries, and p.data is its own array")
    losses = []
    with use_backend(backend):
        random.seed(0)
        model = MLP(nin=3, nouts=[16, 16, 1])
        for _ in range(10):
            loss = model(Value([[1, 2, 3], [4, 5, 6]])).mse([[1.0], [2.0]])
            model.zero_grad()
            loss.backward()
            for p in model.parameters():
                p.data -= 0.01 * p.grad
            losses.append(loss.item())
    assert losses[-1] < losses[0] / 2 and {p.backend for p in model.parameters()} == {backend}


def test_supported_operations():
    x = Value([[1.0, -2.0], [3.0, 4.0]])
    arithmetic = [x + 1, x - 1, x * 2, x / 2, x**2, x @ x, x.T, x.mse(0.0)]
    activations = [x.relu(), x.sigmoid(), x.softmax(1), x.softmax(axis=0)]
    sums = [x.sum(), x.sum(0), x.sum(axis=1, keepdims=True), x.mean(), x.mean(0), x.mean(axis=1, keepdims=True)]
    for y in arithmetic + activations + sums:
        assert isinstance(y, Value)
        x.zero_grad()
        y.sum().backward()
        assert x.grad.shape == x.shape
    assert x.sum(axis=1, keepdims=True).shape == (2, 1) and x.T.data.tolist() == [[1, 3], [-2, 4]]


@pytest.mark.parametrize(
    "rendered", [False, pytest.param(True, marks=pytest.mark.skipif(shutil.which("dot") is None, reason="no dot"))]
)
def test_drawing(rendered, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # fmt: off
    x = Value(2.0, name='x')
    y = Value(-3.0, name='y')
    z = x * y + x
    z.name = 'z'
    z.backward()

    # Create visualization
    graph = draw_dot(z)
    if rendered:
        graph.render('computation_graph')  # Saves as SVG
        assert "</svg>" in (tmp_path / "computation_graph.svg").read_text()
    # fmt: on
    for box in ("x | data 2 | grad -2", "y | data -3 | grad 2", "z | data -4 | grad 1"):
        assert box in graph.source
