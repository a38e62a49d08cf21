"""Containers: taken apart and put together, registered, and modules as arguments of transforms."""

from __future__ import annotations

import collections
import dataclasses
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np
import pytest

import xgrad
from xgrad import Tensor, nn, tree

X = np.random.default_rng(0).normal(size=(5, 3))


class Pair(NamedTuple):
    a: Any
    b: Any


@dataclasses.dataclass
class Model:
    w: Any
    b: Any


class Box:
    def __init__(self, inside: Any, label: str) -> None:
        self.inside, self.label = inside, label


tree.register(Box, lambda box: ((box.inside,), box.label), lambda label, parts: Box(parts[0], label))


@pytest.mark.parametrize(
    "container, count",
    [
        (1.0, 1), (None, 0), ((1.0, 2.0), 2), ([1.0], 1), ({"b": 1.0, "a": (2.0, None)}, 2), (Pair([1.0], 2.0), 2),
        (Model(1.0, {"k": 2.0}), 2), (collections.OrderedDict(z=1.0, a=2.0), 2), ((), 0), ([Box((1.0, 2.0), "x"), 3.0], 3),
        (Box(1.0, "x"), 1),
    ],
)  # fmt: skip
def test_there_and_back(container: Any, count: int) -> None:
    pytest.importorskip("optree")
    leaves, structure = tree.flatten(container)
    assert len(leaves) == len(structure.paths) == count
    again = tree.unflatten(structure, leaves)
    assert type(again) is type(container)
    assert tree.flatten(again) == (leaves, structure)
    with pytest.raises(ValueError, match=f"has {count} arrays, but {count + 1} were given"):
        tree.unflatten(structure, [*leaves, 1.0])


def test_map_over_several() -> None:
    pytest.importorskip("optree")
    assert tree.map(lambda x, y: x + y, {"a": [1.0, 2.0]}, {"a": [10.0, 20.0]}) == {"a": [11.0, 22.0]}
    with pytest.raises(
        ValueError, match=r"tree.map: container 1 must have the structure .*\{'a': \[\*, \*\]\}\), not .*\{'a': \*\}"
    ):
        tree.map(lambda x, y: x, {"a": [1.0, 2.0]}, {"a": 1.0})
    with pytest.raises(ValueError, match="a tuple of .* array"):
        tree.map(lambda x, y: x, [1.0], (1.0,))


def test_a_label_is_part_of_the_structure() -> None:
    f = lambda box: box.inside**2
    assert xgrad.jvp(f, (Box(3.0, "x"),), (Box(1.0, "x"),)) == (9.0, 6.0)
    with pytest.raises(ValueError, match="structure"):
        xgrad.jvp(f, (Box(3.0, "x"),), (Box(1.0, "y"),))


def test_a_class_met_first_by_many_threads_at_once() -> None:
    pytest.importorskip("optree")
    for _ in range(20):
        cls = dataclasses.make_dataclass("Fresh", ["a", "b"])
        start = threading.Barrier(4)

        def take(_: int, cls: Any = cls, start: Any = start) -> Any:
            start.wait(5)
            return tree.flatten({"k": cls(1.0, [2.0])})[0]

        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(take, range(4))) == [[1.0, 2.0]] * 4


def test_what_bad_registration_gets() -> None:
    with pytest.raises(TypeError, match="is a class"):
        tree.register("Box", lambda x: ((), None), lambda rest, parts: None)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="Box is a container already"):
        tree.register(Box, lambda x: ((), None), lambda rest, parts: None)


class Tied(nn.Module):
    """One layer under two names, its weight under a third; a buffer and a list that `forward` writes to."""

    def __init__(self) -> None:
        self.a = nn.Linear(3, 3)
        self.b = self.a
        self.weights = [self.a.weight]
        self.count = Tensor(np.zeros(3))
        self.seen: list[int] = []
        self.facts_of_it = {"scale": 2.0}

    def forward(self, x: Any) -> Tensor:
        self.count += 1.0
        self.seen.append(len(x))
        return self.b(self.a(x)) @ self.weights[0] * self.facts_of_it["scale"]


def loss(model: Any, x: Any) -> Tensor:
    return xgrad.mean(model(x) ** 2) + sum(xgrad.sum(p * p) for p in model.parameters())


@pytest.mark.parametrize("make", [lambda: nn.MLP(3, [4, 2], activation="tanh"), Tied])
def test_gradients_of_a_module(make: Any) -> None:
    model = make().astype("float64")
    with xgrad.no_grad():
        value, g = xgrad.value_and_grad(loss)(model, X)
    assert type(g) is type(model) and all(p.grad is None and p.requires_grad for p in model.parameters())
    expected = loss(model, X)
    expected.backward()
    assert value.item() == pytest.approx(expected.item())
    assert len(model.parameters()) == len(g.parameters())
    for (name, p), (other, q) in zip(model.named_parameters(), g.named_parameters()):
        assert name == other and not q.requires_grad
        np.testing.assert_allclose(p.grad.numpy(), q.numpy())


def test_the_users_module_is_never_changed_and_what_is_shared_stays_shared() -> None:
    model = Tied().astype("float64")
    names, before = list(vars(model)), model.count
    g = xgrad.grad(loss)(model, X)
    assert g.a is g.b and g.weights[0] is g.a.weight and len(g.parameters()) == 2
    assert model.count is before and model.count.tolist() == [0, 0, 0] and model.seen == [] and list(vars(model)) == names
    _, aux = xgrad.grad(lambda m, x: (loss(m, x), m), has_aux=True)(model, X)
    assert aux.count.tolist() == [1, 1, 1] and aux.seen == [5]


def test_modules_through_every_transform() -> None:
    pytest.importorskip("optree")
    model = nn.MLP(3, [4, 1], activation="tanh").astype("float64")
    f = lambda m: loss(m, X)
    v = tree.map(xgrad.ones_like, model)
    g = xgrad.grad(f)(model)
    along = sum(xgrad.sum(p).item() for p in g.parameters())
    assert xgrad.jvp(f, (model,), (v,))[1].item() == pytest.approx(along)
    hv = xgrad.hvp(f, model, v)
    slope = xgrad.grad(lambda t: f(tree.map(lambda p, d: p + t * d, model, v)))
    curve = (slope(1e-5) - slope(-1e-5)).item() / 2e-5
    assert sum(xgrad.sum(p).item() for p in hv.parameters()) == pytest.approx(curve, rel=1e-5)
    nested = xgrad.grad(lambda d: f(d["model"]) * d["scale"])({"model": model, "scale": Tensor(2.0, dtype="float64")})
    np.testing.assert_allclose(nested["model"].layers[0].bias.detach().numpy(), 2 * g.layers[0].bias.detach().numpy())
    again = xgrad.checkpoint(lambda m: loss(m, X))(model)
    again.backward()
    np.testing.assert_allclose(model.layers[0].bias.grad.numpy(), g.layers[0].bias.detach().numpy())


def test_a_module_stepped_by_an_optimizer() -> None:
    model = nn.Linear(3, 1).astype("float64")
    optimizer = xgrad.optim.SGD(model.parameters(), lr=0.1)
    values = []
    for _ in range(3):
        with xgrad.no_grad():
            value, g = xgrad.value_and_grad(loss)(model, X)
        values.append(value.item())
        model.set_grad(g)
        optimizer.step()
    assert values[2] < values[1] < values[0]
    with pytest.raises(ValueError, match="of another module; names or shapes differ: bias"):
        model.set_grad(nn.Linear(3, 1, bias=False))


def test_a_stack_of_modules_is_a_batch_of_them() -> None:
    models = [nn.MLP(3, [4, 1], activation="tanh").astype("float64") for _ in range(3)]
    stacked = tree.map(lambda *ps: xgrad.stack([p.detach() for p in ps]), *models)
    assert "Linear(3, 4)" in repr(stacked)
    assert repr(tree.map(lambda p: 1.0, models[0].layers[0])) == "Linear(...)"
    found = xgrad.vmap(xgrad.grad(loss), in_axes=(0, None))(stacked, X)
    for k, model in enumerate(models):
        g = xgrad.grad(loss)(model, X)
        for p, q in zip(found.parameters(), g.parameters()):
            np.testing.assert_allclose(p.numpy()[k], q.detach().numpy(), atol=1e-12)


def test_frozen_parameters_are_constants() -> None:
    model = nn.MLP(3, [4, 1]).astype("float64")
    model.layers[0].freeze()
    g = xgrad.grad(loss)(model, X)
    assert [name for name, _ in g.named_parameters()] == ["layers.1.weight", "layers.1.bias"]


def test_structures_that_differ() -> None:
    pytest.importorskip("optree")
    one, other = nn.Linear(3, 1), nn.Linear(3, 1, bias=False)
    with pytest.raises(ValueError, match="jvp: the tangent must have the structure of its argument"):
        xgrad.jvp(lambda m: loss(m, X), (one,), (other,))
    with pytest.raises(ValueError, match=r"vjp: the cotangent must have the structure .*\{'y': \*\}\), not .*\{'z': \*\}"):
        xgrad.vjp(lambda x: {"y": x * 2}, X)[1]({"z": X})


def test_modules_alone_need_no_optree(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optree", None)
    assert type(xgrad.grad(loss)(nn.Linear(3, 1).astype("float64"), X)) is nn.Linear
    with pytest.raises(ImportError, match="pip install optree"):
        xgrad.grad(lambda m: loss(m[0][0], X))([[nn.Linear(3, 1)]])
