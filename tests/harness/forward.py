"""What is checked of forward mode: that it is the transpose of the way back, by every rule and to second order.

The transpose of a derivative is defined by ``<u, J v> = <J' u, v>``, with the inner product ``Re sum(conj(a) b)``. That holds
or not of rules that are right one by one, so that it checks each against the other, and the table checks the way back
against PyTorch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

import xgrad
from xgrad.backend import find_backend, raw_namespace
from xgrad.engine.backward import pullback
from xgrad.engine.forward import pushforward
from xgrad.graph.names import registry
from xgrad.tensor.tensor import wrap

TOLERANCE = {"float64": 1e-10, "float32": 1e-4}


def random_like(x: xgrad.Tensor, seed: Sequence[int]) -> xgrad.Tensor:
    """A tensor of the shape, dtype, backend and device of `x`."""
    rng = np.random.default_rng(seed)
    made = rng.uniform(-1, 1, x.shape) + (1j * rng.uniform(-1, 1, x.shape) if x.dtype.kind == "complex floating" else 0)
    return xgrad.Tensor(find_backend(x.backend).from_numpy(np.asarray(made, dtype=x.dtype.name), x.device))


def push(inputs: Sequence[xgrad.Tensor], vs: Sequence[Any], outputs: Sequence[xgrad.Tensor], *, graph: bool) -> list[Any]:
    """The changes of `outputs`, as Tensors; None for zero."""
    starts = [v if graph else v.data for v in vs]
    found = pushforward([x._node for x in inputs], starts, outputs, create_graph=graph)
    return [d if d is None or graph else wrap(d) for d in found]


def inner(a: Any, b: Any) -> tuple[float, float]:
    """``Re sum(conj(a) b)``, and the sum of the sizes of what it adds up."""
    product = np.conj(np.asarray(a, dtype=complex)) * np.asarray(b, dtype=complex)
    return float(np.sum(product.real)), float(np.sum(np.abs(product)))


def check_equal(left: Sequence[tuple[Any, Any]], right: Sequence[tuple[Any, Any]], tolerance: float, what: str) -> None:
    """That two sums of inner products are equal, to within rounding of what they add up."""
    (a, size_a), (b, size_b) = (map(sum, zip((0.0, 0.0), *(inner(u, v) for u, v in pairs))) for pairs in (left, right))
    if np.isfinite(a) and np.isfinite(b):
        assert abs(a - b) <= tolerance * (size_a + size_b), f"{what}: {a!r} and {b!r}"


def check_identity(
    outputs: Sequence[xgrad.Tensor], us: Sequence[Any], inputs: Sequence[xgrad.Tensor], pulled: Sequence[Any], dtype: str
) -> None:
    """``<u, J v> = <J' u, v>`` for a random `v`, with the ``J' u`` that the way back found; and the facts of ``J v``."""
    vs = [random_like(x, [7, k]) for k, x in enumerate(inputs)]
    pushed = push(inputs, vs, outputs, graph=False)
    for d, y in zip(pushed, outputs):
        if d is not None:
            assert d.dtype == y.dtype, f"a tangent is {d.dtype} but its tensor {y.dtype}"
            assert d.shape == y.shape, f"a tangent has shape {d.shape} but its tensor {y.shape}"
            assert d.backend == y.backend and d.device == y.device, f"a tangent is on {d.backend} {d.device}"
    left = [(host(u), host(d)) for u, d in zip(us, pushed) if d is not None]
    check_equal(left, [(g, host(v)) for g, v in zip(pulled, vs)], TOLERANCE[dtype], "<u, J v> and <J' u, v>")


def check_rules(inputs: Sequence[xgrad.Tensor], results: Sequence[Any]) -> None:
    """The rules against the pullback of the pullback; on Tensors against raw arrays; and of the second order."""
    outputs = [y for y in results if isinstance(y, xgrad.Tensor) and y.dtype.inexact]
    vs = [random_like(x, [7, k]) for k, x in enumerate(inputs)]
    us = [random_like(y, [8, k]) for k, y in enumerate(outputs)]
    by_rules = push(inputs, vs, outputs, graph=False)
    with without_rules():
        check_close(push(inputs, vs, outputs, graph=False), by_rules, "by the pullback of the pullback")
    recorded = push(inputs, vs, outputs, graph=True)
    check_close(recorded, by_rules, "on Tensors")

    # <u, J v> and <J' u, v> are one function of the inputs: it has one gradient, and one change along w.
    ws = [random_like(x, [9, k]) for k, x in enumerate(inputs)]
    pulled = pull(outputs, us, inputs, graph=True)
    along = [(host(u), host(d)) for u, d in zip(us, by_rules) if d is not None]
    check_equal(along, [(host(g), host(v)) for g, v in zip(pulled, vs) if g is not None], 1e-10, "<u, J v> and <J' u, v>")
    first = pull(pulled, vs, inputs, graph=False)
    second = pull(recorded, us, inputs, graph=False)
    changed = push(inputs, ws, [g for g in pulled if g is not None], graph=False)
    along = [(host(v), host(d)) for v, d in zip([v for v, g in zip(vs, pulled) if g is not None], changed) if d is not None]
    for found, what in ((second, "backward over forward"), (first, "backward over backward")):
        at = [(host(g), host(w)) for g, w in zip(found, ws) if g is not None]
        check_equal(along, at, 1e-9, f"forward over backward and {what}")


def pull(outputs: Sequence[Any], us: Sequence[Any], inputs: Sequence[xgrad.Tensor], *, graph: bool) -> list[Any]:
    """The cotangents of `inputs`, as Tensors; None for zero."""
    pairs = [(y, u) for y, u in zip(outputs, us) if y is not None]
    nodes = [x._node for x in inputs]
    starts = [u if graph else u.data for _, u in pairs]
    found = pullback([y for y, _ in pairs], starts, inputs=nodes, retain_graph=True, create_graph=graph)
    return [g if g is None or graph else wrap(g) for g in map(found.get, nodes)]


def check_close(found: Sequence[Any], wanted: Sequence[Any], what: str) -> None:
    for d, by_rules in zip(found, wanted):
        if d is None or by_rules is None:  # which of the two notices a zero may differ
            some = by_rules if d is None else d
            assert some is None or not np.any(host(some)), f"{what} a tangent is zero that is not"
            continue
        a, b = host(d), host(by_rules)
        scale = max(1.0, float(np.max(np.abs(b[np.isfinite(b)]), initial=0.0)))
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * scale, err_msg=f"another tangent {what}")


@contextlib.contextmanager
def without_rules() -> Iterator[None]:
    """Have forward mode do without the rules that ops declare for it, but for those that move arrays elsewhere."""
    kept = {name: list(op.pushes) for name, op in registry.items() if name not in ("to_backend", "to_device")}
    for name in kept:
        registry[name].pushes[:] = [None] * len(kept[name])
    try:
        yield
    finally:
        for name, pushes in kept.items():
            registry[name].pushes[:] = pushes


def host(x: Any) -> Any:
    data = getattr(x, "_data", x)
    return raw_namespace(data).__backend__.to_numpy(data)
