"""Modules: the tensors they find, saving, loading, moving and printing; the layers against PyTorch."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import xgrad
from xgrad import io, nn
from xgrad.random import Generator
from xgrad.value import Value


class Net(nn.Module):
    def __init__(self):
        self.first = nn.Linear(3, 4)
        self.rest = [nn.Linear(4, 4, bias=False), {"last": nn.Linear(4, 2)}]
        self.scale = nn.Parameter(1.0)
        self.mean = xgrad.Tensor([0.5, 0.5])
        self._cache = nn.Parameter(0.0)

    def forward(self, x):
        return self.scale * self.rest[1]["last"](self.rest[0](self.first(x))) - self.mean


NAMES = ["first.weight", "first.bias", "rest.0.weight", "rest.1.last.weight", "rest.1.last.bias", "scale"]


def test_finds_its_tensors_in_order():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == NAMES
    assert [name for name, _ in net.named_tensors()] == [*NAMES, "mean"]
    assert list(net.state_dict()) == [*NAMES, "mean"]
    assert all(p.requires_grad and p.is_leaf for p in net.parameters())
    assert [type(m).__name__ for m in net.modules()] == ["Net", "Linear", "Linear", "Linear"]
    assert dict(net.named_modules())["rest.1.last"] is net.rest[1]["last"]


def test_shared_and_circular_modules_are_found_once():
    net = Net()
    net.again = net.first
    net.itself = net
    assert len(net.parameters()) == 6 and len(net.modules()) == 4
    assert "again.weight" in net.state_dict()


def test_values_are_parameters_too():
    class Neuron(nn.Module):
        def __init__(self):
            self.w = Value([1.0, 2.0], name="w")

    assert [name for name, _ in Neuron().named_parameters()] == ["w"]


def test_gradients_arrive_and_are_forgotten():
    net = Net()
    xgrad.sum(net(xgrad.ones((5, 3)))).backward()
    assert all(p.grad is not None and p.grad.shape == p.shape for p in net.parameters())
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())


def test_freeze():
    net = Net()
    net.first.freeze()
    assert [name for name, _ in net.named_parameters()] == NAMES[2:]
    xgrad.sum(net(xgrad.ones((5, 3)))).backward()
    assert list(net.state_dict()) == [*NAMES, "mean"]
    net.first.unfreeze()
    assert [name for name, _ in net.named_parameters()] == NAMES


def test_train_and_eval_reach_all_modules():
    net = nn.Sequential(nn.Linear(2, 100), nn.Sequential(nn.Dropout(0.5, generator=Generator(0))))
    x = xgrad.ones((1, 2))
    assert (net(x).detach().numpy() == 0).any()
    assert net.eval() is net and not net[1][0].training
    np.testing.assert_array_equal(net(x).detach().numpy(), net[0](x).detach().numpy())
    assert net.train()[1][0].training


def test_state_survives_saving_and_training(tmp_path):
    net, other = Net(), Net()
    state = net.state_dict()
    before = {name: t.tolist() for name, t in state.items()}
    for p in net.parameters():
        p.data -= 1.0
    assert {name: t.tolist() for name, t in state.items()} == before
    io.save(tmp_path / "net.safetensors", state)
    other.load_state_dict(io.load(tmp_path / "net.safetensors"))
    assert {name: t.tolist() for name, t in other.state_dict().items()} == before
    assert all(p.requires_grad for p in other.parameters())


def test_loading_converts_dtype_backend_and_device(backend, device):
    with xgrad.use_backend(backend):
        net = nn.Linear(2, 1, device=device)
    net.load_state_dict({"weight": np.asarray([[1.0], [2.0]]), "bias": xgrad.Tensor([3.0])})
    assert net.weight.tolist() == [[1.0], [2.0]] and net.bias.tolist() == [3.0]
    assert (net.weight.dtype, net.weight.backend) == (xgrad.float32, backend)
    with xgrad.use_backend(backend):
        y = net(xgrad.Tensor([[1.0, 1.0]], device=device))
    assert y.detach().tolist() == [[6.0]]


def test_a_loaded_array_is_not_shared():
    net, weight = nn.Linear(2, 1), np.ones((2, 1), dtype=np.float32)
    net.load_state_dict({"weight": weight, "bias": [0.0]})
    net.weight.data -= 1.0
    assert weight.tolist() == [[1.0], [1.0]]


def test_a_state_that_does_not_fit_changes_nothing():
    net = nn.Linear(3, 2)
    before = net.weight.tolist()
    state = {"weight": np.zeros((3, 2)), "biass": np.zeros(2)}
    with pytest.raises(ValueError, match="load_state_dict: missing bias; unexpected biass$"):
        net.load_state_dict(state)
    with pytest.raises(ValueError, match=r"weight has shape \(2, 3\) but the module's has \(3, 2\)"):
        net.load_state_dict({"weight": np.zeros((2, 3)), "bias": np.zeros(2)})
    assert net.weight.tolist() == before
    net.load_state_dict(state, strict=False)
    assert net.weight.tolist() == [[0.0, 0.0]] * 3


def test_moving(backend):
    net = Net()
    x = np.ones((2, 3), dtype=np.float32)
    expected = net(x).detach().numpy()
    assert net.to_backend(backend) is net
    with xgrad.use_backend(backend):
        y = net(xgrad.Tensor(x.tolist()))
    assert y.backend == backend
    np.testing.assert_allclose(y.detach().numpy(), expected, rtol=1e-6)
    xgrad.sum(y).backward()
    assert all(p.grad.backend == backend for p in net.parameters())


def test_astype():
    net = Net()
    xgrad.sum(net(xgrad.ones((5, 3)))).backward()
    net.astype(xgrad.float64)
    y = net(np.ones((2, 3)))
    xgrad.sum(y).backward()
    assert y.dtype == xgrad.float64 and all(p.grad.dtype == xgrad.float64 for p in net.parameters())
    with pytest.raises(TypeError, match="must stay floating"):
        net.astype("int32")


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_independent(duplicate):
    net = nn.MLP(3, [4, 1])
    other = duplicate(net)
    x = np.ones((2, 3), dtype=np.float32)
    np.testing.assert_array_equal(net(x).detach().numpy(), other(x).detach().numpy())
    other.layers[0].weight.data -= 1.0
    assert net.layers[0].weight.tolist() != other.layers[0].weight.tolist()
    assert all(p.requires_grad for p in other.parameters())


def test_repr():
    net = nn.Sequential(nn.Linear(3, 4, bias=False), nn.MLP(4, [2], activation="tanh"), nn.Dropout(0.1), nn.Softmax(1))
    assert repr(net) == (
        "Sequential(\n  (0): Linear(3, 4, bias=False)\n  (1): MLP(activation=tanh\n    (layers.0): Linear(4, 2)\n  )\n"
        "  (2): Dropout(0.1)\n  (3): Softmax(axis=1)\n)"
    )


def test_linear_agrees_with_pytorch():
    torch = pytest.importorskip("torch")
    ours, theirs = nn.Linear(3, 2, dtype="float64"), torch.nn.Linear(3, 2, dtype=torch.float64)
    ours.load_state_dict({"weight": theirs.weight.detach().numpy().T, "bias": theirs.bias.detach().numpy()})
    x = np.random.default_rng(0).normal(size=(5, 4, 3))
    y, expected = ours(x), theirs(torch.tensor(x))
    np.testing.assert_allclose(y.detach().numpy(), expected.detach().numpy(), rtol=1e-12)
    xgrad.sum(y * y).backward()
    (expected**2).sum().backward()
    np.testing.assert_allclose(ours.weight.grad.numpy(), theirs.weight.grad.numpy().T, rtol=1e-11)
    np.testing.assert_allclose(ours.bias.grad.numpy(), theirs.bias.grad.numpy(), rtol=1e-11)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu", "softplus", "silu", "elu", "leaky_relu"])
def test_mlp_on_every_backend(backend, device, activation):
    with xgrad.use_backend(backend):
        net = nn.MLP(3, [5, 2], activation, generator=Generator(0), device=device)
        y = net(xgrad.Tensor([[1.0, 2.0, 3.0]], device=device))
    reference = nn.MLP(3, [5, 2], activation, generator=Generator(0))(xgrad.Tensor([[1.0, 2.0, 3.0]]))
    assert y.backend == backend and str(y.device) == str(net.layers[0].weight.device)
    np.testing.assert_allclose(y.detach().numpy(), reference.detach().numpy(), rtol=2e-5, atol=1e-6)


LAYERS = {"ReLU": (), "Sigmoid": (), "Tanh": (), "GELU": (), "Softplus": (), "SiLU": (), "ELU": (0.5,), "LeakyReLU": (0.2,)}


@pytest.mark.parametrize("name", [*LAYERS, "Softmax", "LogSoftmax"])
def test_activation_modules_agree_with_pytorch(name):
    torch = pytest.importorskip("torch")
    options = LAYERS.get(name, (-1,))
    x = np.random.default_rng(0).normal(size=(4, 3))
    expected = getattr(torch.nn, name)(*options)(torch.tensor(x)).numpy()
    np.testing.assert_allclose(getattr(nn, name)(*options)(xgrad.Tensor(x)).numpy(), expected, rtol=1e-10)


def test_flatten():
    assert nn.Flatten()(xgrad.zeros((2, 3, 4))).shape == (2, 12)
    assert nn.Flatten()(xgrad.zeros((0, 3, 4))).shape == (0, 12)
    assert nn.Flatten(0)(xgrad.zeros((2, 3))).shape == (6,)


@pytest.mark.parametrize(
    ("name", "bound", "variance"),
    [
        ("xavier_uniform", (6 / 500) ** 0.5, 2 / 500),
        ("xavier_normal", None, 2 / 500),
        ("kaiming_uniform", (6 / 200) ** 0.5, 2 / 200),
        ("kaiming_normal", None, 2 / 200),
    ],
)
def test_init(name, bound, variance):
    w = getattr(nn.init, name)((200, 300), generator=Generator(0)).numpy()
    assert abs(w.mean()) < 3e-3 and w.var() == pytest.approx(variance, rel=0.02)
    assert bound is None or np.abs(w).max() == pytest.approx(bound, rel=1e-3)


def test_init_of_linear_and_constants():
    layer = nn.Linear(30, 50, generator=Generator(0))
    assert np.abs(layer.weight.detach().numpy()).max() <= (6 / 80) ** 0.5 and not layer.bias.detach().numpy().any()
    assert nn.init.ones((2,)).tolist() == [1.0, 1.0] and nn.init.constant((1,), 3.0, dtype="float64").dtype == xgrad.float64
    assert nn.init.fans((5, 5, 3, 4)) == (75, 100)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.Linear(3, 0), ValueError, "nout must be an integer of at least 1"),
        (lambda: nn.Linear(3, 2)(xgrad.zeros((2, 4))), ValueError, r"last axis must be the 3 inputs of Linear\(3, 2\)"),
        (lambda: nn.MLP(3, []), ValueError, "nouts is empty"),
        (lambda: nn.MLP(3, [1], "rleu"), ValueError, "no activation 'rleu'; the known ones are relu"),
        (lambda: nn.Dropout(2.0), ValueError, "probability"),
        (lambda: nn.Sequential(nn.ReLU(), 3), TypeError, "layer 1 is int 3"),
        (lambda: nn.init.xavier_uniform((3,)), ValueError, "no fan in and fan out"),
        (lambda: nn.Module()(1), NotImplementedError, "defines no forward"),
    ],
)
def test_bad_arguments(call, error, message):
    with pytest.raises(error, match=message):
        call()
