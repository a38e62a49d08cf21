"""Each optimizer against PyTorch, step by step, in place and not, saved and continued."""

from __future__ import annotations

import numpy as np
import pytest

import xgrad
from xgrad import optim
from xgrad.backend import find_backend
from xgrad.optim import optimizer as optimizer_file
from xgrad.tensor.tensor import wrap

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


@pytest.mark.parametrize(("elementwise", "calls"), [(True, 4), (False, 1)])
def test_numpy_updates_a_large_parameter_in_parts_if_the_rule_is_elementwise(elementwise, calls):
    budget, shapes = find_backend("numpy").cache_bytes, []
    assert budget
    value = np.zeros((budget // 256, 128))  # eight bytes each: four times the budget

    def kernel(xp, p, g, *, lr):
        shapes.append(p.shape)
        p -= lr * g
        return (p,)

    def make_rule(lr=0.5):
        return optim.Rule((), {"lr": lr}, lambda step, lr: {"lr": lr}, kernel, elementwise=elementwise)

    p = parameter(value)
    optimizer = optim.Optimizer([p], make_rule)
    give(p, np.ones_like(value))
    optimizer.step()
    assert len(shapes) == calls
    np.testing.assert_array_equal(p.detach().numpy(), np.full_like(value, -0.5))


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


def saved(make=optim.Adam, values=([1.0, 2.0], [3.0]), **options):
    """The state of an optimizer after one step."""
    params = [parameter(value) for value in values]
    for p in params:
        give(p, np.ones(p.shape))
    optimizer = make(params, **options)
    optimizer.step()
    return optimizer.state_dict()


def altered(**changes):
    """A saved state of Adam with some entries of its parts replaced."""
    state = saved()
    for name, part in changes.items():
        state[name] = {**state[name], **part} if isinstance(part, dict) else part
    return state


def without(entry):
    state = saved()
    return {**state, "state": {name: x for name, x in state["state"].items() if name != entry}}


def in_adam():
    return optim.Adam([parameter([1.0, 2.0]), parameter([3.0])])


MISFITS = {  # a state, an optimizer that it does not fit, and the error
    "Adam's in SGD": (saved, lambda p: optim.SGD(p, momentum=0.9), "of the rule adam, but the optimizer follows sgd"),
    "SGD's in Adam": (lambda: saved(optim.SGD, momentum=0.9), optim.Adam, "of the rule sgd, but the optimizer follows adam"),
    "Adam's in AdamW": (saved, optim.AdamW, "of the rule adam, but the optimizer follows adamw"),
    "Adam's in SGD, without its name": (
        lambda: {name: part for name, part in saved().items() if name != "rule"},
        lambda p: optim.SGD(p, momentum=0.9),
        r"SGD does not take the options of the state \(betas, eps\); it was saved by another rule",
    ),
    "more parameters": (lambda: saved(values=([1.0, 2.0], [3.0], [4.0])), optim.Adam, "of 3 parameters, but .* has 2 parameters"),
    "fewer parameters": (lambda: saved(values=([1.0, 2.0],)), optim.Adam, "of 1 parameters, but .* has 2 parameters"),
    "more parameters, without their number": (
        lambda: {name: part for name, part in saved(values=([1.0, 2.0], [3.0], [4.0])).items() if name != "parameters"},
        optim.Adam,
        "of 3 parameters or more, but the optimizer has 2",
    ),
    "other shapes": (
        lambda: saved(values=([1.0], [3.0])),
        optim.Adam,
        r"0\.m has shape \(1,\), but parameter 0 has shape \(2,\)",
    ),
    "two groups": (saved, lambda p: optim.Adam([{"params": p[0]}, {"params": p[1]}]), "1 groups but the optimizer has 2"),
    "an entry missing": (lambda: without("1.v"), optim.Adam, "1.v is missing"),
    "an entry left over": (
        lambda: altered(state={"2.m": np.ones(2)}),
        optim.Adam,
        "the state has 2.m, which Adam has no use for",
    ),
    "an entry of complex numbers": (lambda: altered(state={"0.m": np.ones(2) * 1j}), optim.Adam, "0.m is of complex128"),
    "an entry of integers": (lambda: altered(state={"0.m": np.ones(2, int)}), optim.Adam, "0.m is of int64"),
    "an entry of objects": (lambda: altered(state={"0.m": np.asarray([None, None])}), optim.Adam, "0.m is of object"),
    "an entry that is a list": (lambda: altered(state={"0.m": [1.0, 2.0]}), optim.Adam, "0.m is no array but a list"),
    "a negative place": (lambda: altered(steps={"-1": 1}), optim.Adam, "steps has the key '-1'"),
    "a place that is no number": (lambda: altered(steps={"a": 1}), optim.Adam, "steps has the key 'a'"),
    "half a step": (lambda: altered(steps={"0": 0.5}), optim.Adam, "parameter 0 has made 0.5 steps"),
    "less than no step": (lambda: altered(steps={"0": -1}), optim.Adam, "parameter 0 has made -1 steps"),
    "an option out of range": (lambda: altered(groups=[{"lr": -1.0}]), optim.Adam, "an option of the state is out of range"),
    "an option that nobody knows": (lambda: altered(groups=[{"rho": 1.0}]), optim.Adam, r"options of the state \(rho\)"),
    "groups of another type": (lambda: altered(groups=[1]), optim.Adam, "groups are a list of dicts"),
    "steps of another type": (lambda: altered(steps=[1]), optim.Adam, "groups are a list of dicts"),
    "parts missing": (lambda: {"state": {}}, optim.Adam, "no state of an optimizer"),
    "no state": (list, optim.Adam, "no state of an optimizer"),
}


@pytest.mark.parametrize(("make_state", "make", "text"), MISFITS.values(), ids=MISFITS)
def test_every_state_that_does_not_fit_is_refused_before_anything_changes(make_state, make, text):
    params = [parameter([1.0, 2.0]), parameter([3.0])]
    for p in params:
        give(p, np.ones(p.shape))
    optimizer = make(params)
    optimizer.step()

    def facts():
        state = optimizer.state_dict()
        return {**state, "state": {name: x.tolist() for name, x in state["state"].items()}}, [p.tolist() for p in params]

    before = facts()
    with pytest.raises(ValueError, match=text):
        optimizer.load_state_dict(make_state())
    assert facts() == before
    optimizer.step()


def test_a_state_goes_through_a_checkpoint(tmp_path):
    state = saved(lr=0.5)
    rest = {name: part for name, part in state.items() if name != "state"}
    xgrad.io.save(tmp_path / "state", state["state"], metadata=rest)
    back = {**xgrad.io.load_metadata(tmp_path / "state"), "state": xgrad.io.load(tmp_path / "state")}
    optimizer = in_adam()
    optimizer.load_state_dict(back)
    assert optimizer.lr == 0.5 and optimizer.state_dict()["steps"] == {"0": 1, "1": 1}
    old = {name: back[name] for name in ("groups", "steps", "state")}  # as releases before wrote it
    in_adam().load_state_dict(old)


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
    assert optimizer_file._rows(np.zeros((100, 8)), 640) == 10
    assert optimizer_file._rows(np.zeros((100, 8)), 10**6) == 0
    assert optimizer_file._rows(np.zeros((2, 1000)), 640) == 1
    assert optimizer_file._rows(np.zeros(()), 640) == 0
