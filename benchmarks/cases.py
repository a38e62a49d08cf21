"""The workloads, some of them with the scalar engine too, and the overhead of one op."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import xgrad

from . import workloads
from .harness import Case, Way
from .scalar_engine import Value


def _torch() -> Any:
    import torch

    torch.set_num_threads(1)
    return torch


def _mygrad() -> Any:
    import mygrad

    mygrad.turn_memory_guarding_off()  # as its documentation advises for speed
    return mygrad


def _grad_remover(leaves: list[Any]) -> Callable[[], None]:
    """A function that sets the gradients of `leaves` to None, as their library does it."""

    def to_none() -> None:
        for leaf in leaves:
            leaf.grad = None

    def to_null() -> None:
        for leaf in leaves:
            leaf.null_grad()

    return to_null if hasattr(leaves[0], "null_grad") else to_none


# ------------------------------------------------------------------------------------------------------- scalar engine


def with_scalar_engine(workload: workloads.Workload, run: Callable[[], Any], answer: Callable[[Any], list[Any]]) -> Case:
    """The case of a workload, with the scalar engine as one more way."""
    case = workloads.case(workload)
    return case._replace(ways={**case.ways, "scalar engine": lambda: Way(run, answer)})


def expression() -> Case:
    def run() -> Any:
        a, b = Value(-4.0), Value(2.0)
        g = workloads.scalar_expression(a, b, Value.relu)
        g.backward()
        return g.data, a.grad, b.grad

    return with_scalar_engine(workloads.expression(), run, list)


def mlp(sizes: list[int]) -> Case:
    workload = workloads.mlp(sizes)

    def run() -> Any:
        values = [[[Value(v) for v in row] for row in np.atleast_2d(p).tolist()] for p in workload.params]
        a: list[Any] = workload.data[0][0].tolist()
        for i in range(0, len(values), 2):
            columns = list(zip(*values[i]))
            a = [sum((w * v for w, v in zip(column, a)), b) for column, b in zip(columns, values[i + 1][0])]
            a = [v.relu() for v in a] if i + 2 < len(values) else a
        a[0].backward()
        return a[0], values

    def answer(result: Any) -> list[Any]:
        y, values = result
        grads = [np.array([[v.grad for v in row] for row in p]) for p in values]
        return [y.data, *(g.reshape(p.shape) for g, p in zip(grads, workload.params))]

    return with_scalar_engine(workload, run, answer)


# --------------------------------------------------------------------------------------------------------- one op


def overhead(name: str) -> Case:
    a, b = (np.random.default_rng(k).normal(size=16).astype(np.float32) for k in (4, 5))

    def way(x: Any, y: Any, total: Callable[[Any], Any], read: Callable[[Any], Any]) -> Way:
        def product() -> Any:
            return x * y

        remove_grads = _grad_remover([x])

        def backward() -> Any:
            remove_grads()
            total(x * y).backward()
            return x.grad

        return Way(backward if name == "backward" else product, lambda r: [read(r)])

    recorded = name != "unrecorded"

    def by_hand() -> Way:
        def backward() -> Any:
            s = (a * b).sum()
            return np.ones_like(a) * b if s is not None else None

        return Way(backward if name == "backward" else (lambda: a * b), lambda r: [r])

    def ours() -> Way:
        return way(xgrad.Tensor(a, requires_grad=recorded), xgrad.Tensor(b), xgrad.sum, lambda t: t.detach().numpy())

    def pytorch() -> Way:
        torch = _torch()
        return way(torch.tensor(a, requires_grad=recorded), torch.tensor(b), torch.sum, lambda t: t.detach().numpy())

    def mygrad() -> Way:
        mg = _mygrad()
        return way(mg.tensor(a, constant=not recorded), b, mg.sum, np.asarray)

    ways = {"numpy": by_hand, "xgrad": ours, "torch": pytorch, "mygrad": mygrad}
    titles = {
        "unrecorded": "one product, not recorded",
        "recorded": "one product, recorded",
        "backward": "sum of one product, forward and backward",
    }
    return Case(f"{titles[name]}, 16 numbers, float32", ways)


CASES: dict[str, Callable[[], Case]] = {
    **workloads.CASES,
    "expression": expression,
    "mlp5": lambda: mlp([5, 300, 300, 300, 1]),
    "mlp100": lambda: mlp([100, 300, 300, 300, 1]),
    "op-unrecorded": lambda: overhead("unrecorded"),
    "op-recorded": lambda: overhead("recorded"),
    "op-backward": lambda: overhead("backward"),
}
