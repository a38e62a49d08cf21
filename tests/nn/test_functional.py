"""Losses and dropout: values, gradients and second order against PyTorch, edge cases, and errors."""

from __future__ import annotations

import numpy as np
import pytest

import xgrad
from xgrad.nn import functional as F
from xgrad.random import Generator

RNG = np.random.default_rng(0)
X, T = RNG.normal(size=(4, 3)), RNG.normal(size=(4, 3))
P, Q = RNG.uniform(0.05, 0.95, size=(4, 3)), RNG.uniform(0.05, 0.95, size=(4, 3))
D = Q / Q.sum(axis=1, keepdims=True)
LABELS = np.asarray([2, 0, 1, 2])
YES = np.asarray([[0.0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 1]])
SURE = np.asarray([[1000.0, -1000.0, 30.0], [-50.0, 0.0, 50.0], [0.0, 0.0, 0.0], [-800.0, 800.0, 1e-8]])

LOSSES = {
    # ours, PyTorch's, predictions, target
    "mse": (F.mse, lambda t: t.nn.functional.mse_loss, X, T),
    "l1": (F.l1, lambda t: t.nn.functional.l1_loss, X, T),
    "huber": (F.huber, lambda t: t.nn.functional.huber_loss, 2 * X, T),
    "binary_cross_entropy": (F.binary_cross_entropy, lambda t: t.nn.functional.binary_cross_entropy, P, Q),
    "binary_cross_entropy, yes or no": (F.binary_cross_entropy, lambda t: t.nn.functional.binary_cross_entropy, P, YES),
    "binary_cross_entropy, sure": (F.binary_cross_entropy, lambda t: t.nn.functional.binary_cross_entropy, YES, YES),
    "binary_cross_entropy, sure, wrong": (F.binary_cross_entropy, lambda t: t.nn.functional.binary_cross_entropy, YES, 1 - YES),
    "with logits": (
        F.binary_cross_entropy_with_logits, lambda t: t.nn.functional.binary_cross_entropy_with_logits, X, Q
    ),
    "with logits, sure": (
        F.binary_cross_entropy_with_logits, lambda t: t.nn.functional.binary_cross_entropy_with_logits, SURE, YES
    ),
    "cross_entropy, labels": (F.cross_entropy, lambda t: t.nn.functional.cross_entropy, X, LABELS),
    "cross_entropy, labels, sure": (F.cross_entropy, lambda t: t.nn.functional.cross_entropy, SURE, LABELS),
    "cross_entropy, probabilities": (F.cross_entropy, lambda t: t.nn.functional.cross_entropy, X, D),
}  # fmt: skip


def on(backend, device, value, grad=True):
    with xgrad.use_backend(backend):
        return xgrad.Tensor(value.tolist(), dtype=str(value.dtype), device=device, requires_grad=grad)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("case", LOSSES.values(), ids=LOSSES)
def test_losses_agree_with_pytorch(backend, device, case, reduction):
    torch = pytest.importorskip("torch")
    ours, theirs, predictions, target = case
    p = on(backend, device, predictions)
    loss = ours(p, on(backend, device, target, grad=False), reduction=reduction)
    q = torch.tensor(predictions, requires_grad=True)
    expected = theirs(torch)(q, torch.tensor(target), reduction=reduction)
    np.testing.assert_allclose(loss.detach().numpy(), expected.detach().numpy(), rtol=1e-12, atol=1e-14)
    xgrad.sum(loss).backward()
    expected.sum().backward()
    # PyTorch's 1e-12 in the denominator is a float32
    rtol = 1e-8 if ours is F.binary_cross_entropy else 1e-11
    np.testing.assert_allclose(p.grad.numpy(), q.grad.numpy(), rtol=rtol, atol=1e-14)
    assert (p.grad.dtype, str(p.grad.device)) == (p.dtype, str(p.device))


@pytest.mark.parametrize("case", [c for n, c in LOSSES.items() if "sure" not in n], ids=[n for n in LOSSES if "sure" not in n])
def test_second_order_agrees_with_pytorch(case):
    torch = pytest.importorskip("torch")
    ours, theirs, predictions, target = case
    v = RNG.normal(size=predictions.shape)
    p = xgrad.Tensor(predictions, requires_grad=True)
    ours(p, target).backward(create_graph=True)
    first = p.grad
    q = torch.tensor(predictions, requires_grad=True)
    (expected,) = torch.autograd.grad(theirs(torch)(q, torch.tensor(target)), q, create_graph=True)
    np.testing.assert_allclose(first.detach().numpy(), expected.detach().numpy(), rtol=1e-11, atol=1e-14)
    if not expected.requires_grad or not first.requires_grad:
        return  # l1: piecewise linear
    p.zero_grad()
    xgrad.sum(first * v).backward()
    (second,) = torch.autograd.grad((expected * torch.tensor(v)).sum(), q, allow_unused=True)
    result = np.zeros_like(predictions) if p.grad is None else p.grad.detach().numpy()
    np.testing.assert_allclose(
        result, np.zeros_like(predictions) if second is None else (second + 0.0).numpy(force=True), rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("name", ["mse", "binary_cross_entropy", "with logits", "cross_entropy, probabilities"])
def test_gradient_with_respect_to_the_target(name):
    torch = pytest.importorskip("torch")
    ours, theirs, predictions, target = LOSSES[name]
    t, u = xgrad.Tensor(target, requires_grad=True), torch.tensor(target, requires_grad=True)
    ours(xgrad.Tensor(predictions), t).backward()
    theirs(torch)(torch.tensor(predictions), u).backward()
    np.testing.assert_allclose(t.grad.numpy(), u.grad.numpy(), rtol=1e-11, atol=1e-14)


@pytest.mark.parametrize("target", [LABELS, D])
def test_label_smoothing(target):
    torch = pytest.importorskip("torch")
    x, y = xgrad.Tensor(X, requires_grad=True), torch.tensor(X, requires_grad=True)
    loss = F.cross_entropy(x, target, label_smoothing=0.3)
    expected = torch.nn.functional.cross_entropy(y, torch.tensor(target), label_smoothing=0.3)
    loss.backward()
    expected.backward()
    np.testing.assert_allclose(loss.item(), expected.item(), rtol=1e-12)
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-11, atol=1e-14)


def test_targets_may_be_lists_arrays_of_other_dtypes_and_scalars():
    x = xgrad.Tensor([1.0, 3.0], requires_grad=True)
    for target in ([1, 1], np.asarray([1, 1]), np.asarray([1.0, 1.0]), 1.0, 1):
        loss = F.mse(x, target)
        assert loss.item() == 2.0 and loss.dtype == xgrad.float32
    assert F.cross_entropy(xgrad.zeros((2, 4)), [3, 0]).item() == pytest.approx(np.log(4))


def test_mse_is_a_method():
    x = xgrad.Tensor([1.0, 3.0], requires_grad=True)
    x.mse([1.0, 1.0]).backward()
    assert x.grad.tolist() == [0.0, 2.0]


def test_a_label_out_of_range_is_not_silent(backend, device):
    for bad in (3, -1):
        target = on(backend, device, np.asarray([0, bad]), grad=False)
        assert np.isnan(F.cross_entropy(on(backend, device, X[:2]), target).item())


def test_probabilities_out_of_range_are_not_silent():
    assert np.isnan(F.binary_cross_entropy(xgrad.Tensor([1.5]), [1.0]).item())
    assert np.isnan(F.binary_cross_entropy(xgrad.Tensor([-0.5]), [1.0]).item())


def test_classes_that_are_ruled_out():
    torch = pytest.importorskip("torch")
    values = np.asarray([[1.0, -np.inf, 2.0], [-np.inf, -np.inf, 0.0]])
    x, y = xgrad.Tensor(values, requires_grad=True), torch.tensor(values, requires_grad=True)
    loss, expected = F.cross_entropy(x, [0, 2]), torch.nn.functional.cross_entropy(y, torch.tensor([0, 2]))
    loss.backward()
    expected.backward()
    np.testing.assert_allclose(loss.item(), expected.item(), rtol=1e-12)
    np.testing.assert_allclose(x.grad.numpy(), y.grad.numpy(), rtol=1e-12, atol=1e-16)


def test_cross_entropy_of_sequences_and_of_none():
    torch = pytest.importorskip("torch")
    x, labels = RNG.normal(size=(2, 5, 3)), RNG.integers(0, 3, size=(2, 5))
    expected = torch.nn.functional.cross_entropy(torch.tensor(x).reshape(-1, 3), torch.tensor(labels).reshape(-1))
    np.testing.assert_allclose(F.cross_entropy(xgrad.Tensor(x), labels).item(), expected.item())
    assert F.cross_entropy(xgrad.Tensor(np.zeros((0, 3))), np.zeros(0, dtype=int), reduction="sum").item() == 0.0


def test_dropout(backend, device):
    x = on(backend, device, np.ones(1000))
    y = F.dropout(x, 0.25, generator=Generator(0))
    kept = y.detach().numpy() != 0
    assert y.dtype == x.dtype and y.backend == backend and str(y.device) == str(x.device)
    np.testing.assert_allclose(y.detach().numpy()[kept], 4 / 3)
    assert 700 < kept.sum() < 800
    xgrad.sum(y).backward()
    np.testing.assert_allclose(x.grad.numpy(), y.detach().numpy())
    np.testing.assert_array_equal(kept, F.dropout(xgrad.Tensor(np.ones(1000)), 0.25, generator=Generator(0)).numpy() != 0)
    assert F.dropout(x, 0.0) is x
    assert not F.dropout(x, 1.0).detach().numpy().any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: F.mse(xgrad.zeros((3, 1)), xgrad.zeros(3)),
            r"mse: the predictions have shape \(3, 1\) but the target has \(3,\)",
        ),
        (lambda: F.mse(xgrad.zeros(3), 0.0, reduction="avg"), "'mean', 'sum' or 'none', not 'avg'"),
        (lambda: F.binary_cross_entropy(xgrad.zeros(3), [1.0]), r"but the target has \(1,\)"),
        (lambda: F.huber(xgrad.zeros(3), 0.0, delta=0.0), "delta must be positive"),
        (lambda: F.cross_entropy(xgrad.zeros((2, 3)), [0, 1, 2]), r"integer labels of shape \(2,\) or probabilities"),
        (lambda: F.cross_entropy(xgrad.zeros((2, 3)), [0.0, 1.0]), r"target is float32 of shape \(2,\)"),
        (lambda: F.cross_entropy(xgrad.Tensor(1.0), 0), "last axis must hold the classes"),
        (lambda: F.cross_entropy(xgrad.zeros((2, 3)), [0, 1], label_smoothing=2.0), "label_smoothing"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("delta", [1.0, 0.3])
def test_huber_has_its_second_derivative_where_the_residual_is_zero(delta):
    d = np.array([0.0, -0.0, 0.2, -0.2, 3.0, -3.0])
    second = xgrad.hessian(lambda x: F.huber(x, np.zeros(6), delta=delta, reduction="sum"))(d)
    assert np.array_equal(second, np.diag((np.abs(d) < delta).astype(float)))
    assert np.array_equal(
        xgrad.grad(lambda x: F.huber(x, np.zeros(6), delta=delta, reduction="sum"))(d), np.clip(d, -delta, delta)
    )


def test_huber_of_complex_numbers_is_that_of_their_size_to_the_second_order():
    z = np.array([0j, 0.1 + 0.2j, 3 - 4j, -0.3j])
    value = F.huber(z, np.zeros(4), reduction="none").numpy()
    size = np.abs(z)
    assert np.allclose(value, np.where(size <= 1, size**2 / 2, size - 0.5))
    loss = xgrad.grad(lambda z: F.huber(z, np.zeros(4), reduction="sum"))
    assert np.allclose(loss(z), z / np.maximum(size, 1))
    for direction in (1.0, 1j):
        change = xgrad.hvp(lambda z: F.huber(z, np.zeros(4), reduction="sum"), z, np.full(4, direction, complex))
        h = 1e-6
        assert np.allclose(change, (loss(z + h * direction) - loss(z - h * direction)) / (2 * h), atol=1e-8)
