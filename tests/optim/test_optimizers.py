"""Each optimizer against PyTorch's, step by step; in place and not; saved and continued."""

from __future__ import annotations

import numpy as np
import pytest

import xgrad
from xgrad import optim
from xgrad.backend import find_backend
from xgrad.engine import wrap
from xgrad.optim import optimizers

CASES = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.01}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("Adam", {"lr": 0.1}),
    ("Adam", {"lr": 0.1, "betas": (0.5, 0.8), "eps": 1e-3, "weight_decay": 0.1}),
    ("AdamW", {"lr": 0.1}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.5}),
]
IDS = [f"{name}-{'-'.join(k for k in options if k != 'lr')}" for name, options in CASES]


def start(shape=(5, 3)):
    rng = np.random.default_rng(0)
    return rng.normal(size=shape), rng.normal(size=(25, *shape))


def parameter(value, device=None):
    return xgrad.Tensor(value, dtype=xgrad.float64, device=device, requires_grad=True)


def give(p, gradient):
    """Set the gradient of `p`, as backward would."""
    backend = find_backend(p.backend)
    p._node.grad = wrap(backend.xp.astype(backend.from_numpy(gradient, p.device), p._data.dtype))


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_agrees_with_pytorch_at_each_of_25_steps(backend, device, name, options):
    torch = pytest.importorskip("torch")
    value, gradients = start()
    with xgrad.use_backend(backend):
        p, small = parameter(value.tolist(), device), parameter(value[0, 0].item(), device)
    ours = getattr(optim, name)([p, small], **options)
    q, r = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (value, value[0, 0]))
    theirs = getattr(torch.optim, name)([q, r], **options)
    for g in gradients:
        give(p, g)
        give(small, g[0, 0])
        q.grad, r.grad = torch.tensor(g), torch.tensor(g[0, 0])
        ours.step()
        theirs.step()
        np.testing.assert_allclose(p.detach().numpy(), q.detach().numpy(), rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(small.item(), r.item(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_a_block_at_a_time_gives_the_same(monkeypatch, name, options):
    value, gradients = start((50, 7))
    results = []
    for budget in (0, 8 * 7 * 3):
        monkeypatch.setattr(find_backend("numpy"), "cache_bytes", budget)
        p = parameter(value.copy())
        optimizer = getattr(optim, name)([p], **options)
        for g in gradients:
            give(p, g)
            optimizer.step()
        results.append(p.numpy() if not p.requires_grad else p.detach().numpy())
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_the_rule_itself_is_pure(name, options):
    value, gradients = start()
    rule = getattr(optim, name.lower())(**options)
    p, state = value.copy(), rule.init(value)
    before = [a.copy() for a in (p, gradients[0], *state)]
    first = rule.update(p, gradients[0], state, 1)
    for a, b in zip((p, gradients[0], *state), before):
        np.testing.assert_array_equal(a, b)
    second = rule.update(p, gradients[0], state, 1)
    np.testing.assert_array_equal(first[0], second[0])
    assert len(first[1]) == len(rule.names)


def test_update_keeps_dtype_and_writes_in_place_where_it_can(backend, device):
    with xgrad.use_backend(backend):
        p = xgrad.Tensor([[1.0, 2.0]], device=device, requires_grad=True)
    give(p, np.asarray([[1.0, 1.0]]))
    optim.Adam([p]).step()
    assert p.dtype == xgrad.float32 and p.backend == backend and str(p.device) == str(p.grad.device)
    assert p.is_leaf and p.requires_grad


def test_a_graph_that_saved_the_parameter_raises_after_the_step():
    p = xgrad.Tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.SGD([p], lr=0.1)
    y = xgrad.sum(p * p)
    give(p, np.asarray([1.0, 1.0]))
    optimizer.step()
    with pytest.raises(xgrad.GradientError, match="multiply .* was written to"):
        y.backward()


def test_a_step_is_not_recorded_and_forgets_nothing_of_the_graph_that_follows():
    p = xgrad.Tensor([1.0, 2.0], requires_grad=True)
    optimizer = optim.SGD([p], lr=0.25)
    for expected in ([0.5, 1.0], [0.25, 0.5]):
        optimizer.zero_grad()
        xgrad.sum(p * p).backward()
        optimizer.step()
        np.testing.assert_allclose(p.data, expected)


def test_a_parameter_without_gradient_is_left_alone():
    p, q = parameter([1.0]), parameter([1.0])
    give(p, np.asarray([1.0]))
    optim.AdamW([p, q], weight_decay=0.5).step()
    assert q.item() == 1.0 and p.item() != 1.0


def test_groups_have_options_of_their_own():
    p, q = parameter([1.0]), parameter([1.0])
    optimizer = optim.SGD([{"params": [p], "lr": 0.5}, {"params": q}], lr=0.1)
    give(p, np.asarray([1.0]))
    give(q, np.asarray([1.0]))
    optimizer.step()
    assert (p.item(), q.item()) == (0.5, 0.9)
    optimizer.lr = 0.25
    optimizer.step()
    np.testing.assert_allclose((p.item(), q.item()), (0.25, 0.65))


@pytest.mark.parametrize(("name", "options"), CASES, ids=IDS)
def test_continues_from_a_saved_state(name, options):
    value, gradients = start()
    p, q = parameter(value.copy()), None
    optimizer = getattr(optim, name)([p], **options)
    for i, g in enumerate(gradients):
        if i == 10:
            q = parameter(p.detach().numpy())
            other = getattr(optim, name)([q], lr=99.0)
            other.load_state_dict(optimizer.state_dict())
        give(p, g)
        optimizer.step()
        if q is not None:
            give(q, g)
            other.step()
    np.testing.assert_array_equal(p.detach().numpy(), q.detach().numpy())


def test_a_saved_state_that_does_not_fit_is_refused():
    p, q = parameter([1.0, 2.0]), parameter([1.0])
    one, other = optim.Adam([p]), optim.Adam([q])
    give(p, np.asarray([1.0, 1.0]))
    one.step()
    with pytest.raises(ValueError, match=r"0\.m has shape \(2,\), but parameter 0 has shape \(1,\)"):
        other.load_state_dict(one.state_dict())
    with pytest.raises(ValueError, match="no state of an optimizer"):
        other.load_state_dict({"weights": 1})
    with pytest.raises(ValueError, match="1 groups but the optimizer has 2"):
        optim.Adam([{"params": p}, {"params": q}]).load_state_dict(one.state_dict())


def test_an_immutable_backend_gets_new_arrays_and_its_graph_stays_valid():
    jax = pytest.importorskip("jax")
    p = xgrad.Tensor(jax.numpy.asarray([1.0, 2.0]), requires_grad=True)
    before = p.data
    y = xgrad.sum(p * p)
    p._node.grad = wrap(jax.numpy.asarray([1.0, 1.0], dtype=before.dtype))
    optim.SGD([p], lr=0.5).step()
    assert before.tolist() == [1.0, 2.0] and p.data.tolist() == [0.5, 1.5]
    p.zero_grad()
    y.backward()
    assert p.grad.tolist() == [2.0, 4.0]


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: optim.SGD([]), ValueError, "no parameters"),
        (lambda: optim.SGD([xgrad.Tensor([1.0])]), TypeError, "only leaf Tensors that require grad"),
        (lambda: optim.SGD([1.0]), TypeError, "not 1.0"),
        (lambda: optim.SGD([parameter([1.0])], lr=-1.0), ValueError, "lr must not be negative"),
        (lambda: optim.SGD([parameter([1.0])], nesterov=True), ValueError, "nesterov needs momentum"),
        (lambda: optim.Adam([parameter([1.0])], betas=(1.0, 0.9)), ValueError, "betas"),
        (lambda: optim.Adam([p := parameter([1.0]), p]), ValueError, "given twice"),
    ],
)
def test_bad_arguments(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_rows_fill_the_budget():
    assert optimizers._rows(np.zeros((100, 8)), 640) == 10
    assert optimizers._rows(np.zeros((100, 8)), 10**6) == 0
    assert optimizers._rows(np.zeros((2, 1000)), 640) == 1
    assert optimizers._rows(np.zeros(()), 640) == 0
