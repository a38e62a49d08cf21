"""`find_graph_breaks` reports every way out of the graph, with its line, and nothing else."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor, find_graph_breaks, nn

X = np.array([1.0, 2.0, 3.0])


def found(f: Any, *args: Any) -> list[tuple[str, str]]:
    return [(one.kind, one.what) for one in find_graph_breaks(f, *args)]


def returned(value: Any) -> Any:
    return lambda x: (xgrad.sum(x), value(x))[0]


@pytest.mark.parametrize(
    "value, what",
    [
        (lambda x: float(x[0]), "float(x)"),
        (lambda x: math.sin(x[0]), "float(x)"),
        (lambda x: int(x[0]), "int(x)"),
        (lambda x: complex(x[0]), "complex(x)"),
        (lambda x: x[0].item(), "x.item()"),
        (lambda x: x.tolist(), "x.tolist()"),
        (lambda x: x.numpy(), "x.numpy()"),
        (lambda x: np.asarray(x), "numpy.asarray(x)"),
        (lambda x: np.zeros(3).__setitem__(slice(None), x), "numpy.asarray(x)"),
        (lambda x: np.from_dlpack(x), "x.__dlpack__()"),
        (lambda x: x.data, "x.data"),
        (lambda x: x.detach(), "x.detach()"),
        (lambda x: xgrad.stop_gradient(x), "xgrad.stop_gradient(x)"),
        (lambda x: (x * 2)[1:].sum().item(), "x.item()"),
        (lambda x: np.sin(x).tolist(), "x.tolist()"),
        (lambda x: xgrad.checkpoint(xgrad.sin)(x).tolist(), "x.tolist()"),
        (lambda x: xgrad.concat([x, x])[0].item(), "x.item()"),
        (lambda x: xgrad.unstack(x)[0].item(), "x.item()"),
    ],
)
def test_every_way_out(value: Any, what: str) -> None:
    report = find_graph_breaks(returned(value), X)
    assert {one.what for one in report} == {what} and {one.kind for one in report} == {"value"}
    assert "test_graph_breaks.py:" in report[0].line and report[0].source.startswith("(lambda x:")


def test_decisions_are_told_apart() -> None:
    def f(x: Any) -> Any:
        if xgrad.sum(x) > 0:
            return xgrad.sum(x)
        return -xgrad.sum(x)

    (one,) = find_graph_breaks(f, X)
    assert one.kind == "branch" and one.what == "bool(x)" and one.source == "if xgrad.sum(x) > 0:"


def test_what_is_no_break() -> None:
    model = nn.MLP(3, [4, 1]).astype("float64")

    def f(model: Any, x: Any, labels: Any, n: int) -> Any:
        x = np.sin(x) * xgrad.ones_like(x) + np.ones(3)
        x[0] = x[1]
        x += n
        repr(x), str(x), x.shape, x.dtype, len(x)
        return xgrad.sum(model(x)) + xgrad.sum(xgrad.sort(x)), xgrad.argmax(x), len(labels)

    report = find_graph_breaks(f, model, X, np.array(["a", "b"]), 3)
    assert report == [] and repr(report) == "no graph breaks"
    assert all(p.is_leaf and p.grad is None for p in model.parameters())


def test_loops_are_counted() -> None:
    (one,) = find_graph_breaks(lambda x: sum(v * v.item() for v in x), X)
    assert one.times == 3 and "(3 times)" in str(one)


def test_results_and_arguments_without_part() -> None:
    def f(x: Any, y: Any, z: Any) -> Any:
        with xgrad.no_grad():
            lost = y * 2
        return {"good": xgrad.sum(x), "lost": lost, "number": 3.0, "count": 3}

    assert found(f, X, X, X) == [
        ("result", "result['lost'], a Tensor,"),
        ("result", "result['number'], a float,"),
        ("argument", "argument 1"),
        ("argument", "argument 2"),
    ]
    assert "no_grad" in str(find_graph_breaks(f, X, X, X))


def test_an_error_ends_the_search() -> None:
    def f(x: Any) -> Any:
        x.item() if x.size == 1 else x.tolist()
        return xgrad.sum(Tensor(x))

    first, second = find_graph_breaks(f, X)
    assert first.what == "x.tolist()" and second.kind == "error" and second.source == "return xgrad.sum(Tensor(x))"
    with pytest.raises(ZeroDivisionError) as caught:
        find_graph_breaks(lambda x: 1 / int(x[0] * 0.0), X)
    assert "int(x) took a value out" in caught.value.__notes__[0]


def test_containers_backends_and_the_user_s_objects(xp: Any, device: Any) -> None:
    pytest.importorskip("optree")
    x = xp.asarray([1.0, 2.0], dtype=xp.float64, device=device).requires_grad_()
    report = find_graph_breaks(lambda p: xgrad.sum(p["a"][0] * p["a"][1].tolist()[0]), {"a": (x, x)})
    assert [(one.kind, one.what) for one in report] == [("value", "x.tolist()"), ("argument", "argument 0['a'][1]")]
    assert x.grad is None and type(x) is Tensor


def test_after_the_search_tensors_are_as_any() -> None:
    kept: list[Any] = []
    find_graph_breaks(lambda x: kept.append(x * 2) or xgrad.sum(x), X)
    assert kept[0].tolist() == [2.0, 4.0, 6.0]


def test_nothing_to_follow() -> None:
    with pytest.raises(TypeError, match="no positional argument of <lambda> is a floating array"):
        find_graph_breaks(lambda n: n, 3)
