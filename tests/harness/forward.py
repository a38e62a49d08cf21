"""The checks of forward mode: it is the transpose of reverse mode, by every rule and to second order.

The transpose of a derivative is defined by ``<u, J v> = <J' u, v>``, with the inner product ``Re sum(conj(a) b)``. The equation
compares each rule of forward mode with a rule of reverse mode, and the table compares reverse mode with PyTorch.
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
    values = rng.uniform(-1, 1, x.shape) + (1j * rng.uniform(-1, 1, x.shape) if x.dtype.kind == "complex floating" else 0)
    return xgrad.Tensor(find_backend(x.backend).from_numpy(np.asarray(values, dtype=x.dtype.name), x.device))


def push(inputs: Sequence[xgrad.Tensor], vs: Sequence[Any], outputs: Sequence[xgrad.Tensor], *, graph: bool) -> list[Any]:
    """The tangents of `outputs`, as Tensors; None for zero."""
    starts = [v if graph else v.data for v in vs]
    tangents = pushforward([x._node for x in inputs], starts, outputs, create_graph=graph)
    return [d if d is None or graph else wrap(d) for d in tangents]


def pull(outputs: Sequence[Any], us: Sequence[Any], inputs: Sequence[xgrad.Tensor], *, graph: bool) -> list[Any]:
    """The cotangents of `inputs`, as Tensors; None for zero."""
    pairs = [(y, u) for y, u in zip(outputs, us) if y is not None]
    nodes = [x._node for x in inputs]
    starts = [u if graph else u.data for _, u in pairs]
    cotangents = pullback([y for y, _ in pairs], starts, inputs=nodes, retain_graph=True, create_graph=graph)
    return [g if g is None or graph else wrap(g) for g in map(cotangents.get, nodes)]


def read(*groups: Sequence[Any]) -> list[list[Any]]:
    """The same lists with NumPy arrays in place of Tensors. Dask computes all of them as one graph, which is cheaper."""
    lazy = [x._data for group in groups for x in group if hasattr(x, "_data") and hasattr(x._data, "__dask_graph__")]
    if lazy:
        import dask

    values = iter(dask.compute(*lazy) if lazy else ())

    def host(x: Any) -> Any:
        if not isinstance(x, xgrad.Tensor):
            return x
        if hasattr(x._data, "__dask_graph__"):
            return np.array(next(values))
        return raw_namespace(x._data).__backend__.to_numpy(x._data)

    return [[host(x) for x in group] for group in groups]


def inner(a: Any, b: Any) -> tuple[float, float]:
    """``Re sum(conj(a) b)``, and the sum of the absolute values of its terms."""
    product = np.conj(np.asarray(a, dtype=complex)) * np.asarray(b, dtype=complex)
    return float(np.sum(product.real)), float(np.sum(np.abs(product)))


def check_equal(left: Sequence[tuple[Any, Any]], right: Sequence[tuple[Any, Any]], tolerance: float, text: str) -> None:
    """Two sums of inner products are equal, up to rounding of their terms. A pair with None is zero and left out."""
    sums = []
    for pairs in (left, right):
        terms = [inner(u, v) for u, v in pairs if u is not None and v is not None]
        sums.append((sum(a for a, _ in terms), sum(size for _, size in terms)))
    (a, size_a), (b, size_b) = sums
    if np.isfinite(a) and np.isfinite(b):
        assert abs(a - b) <= tolerance * (size_a + size_b), f"{text}: {a!r} and {b!r}"


def check_facts(word: str, derivatives: Sequence[Any], of: Sequence[xgrad.Tensor]) -> None:
    """Each derivative, of the kind that `word` names, has the dtype, shape, backend and device of its tensor."""
    for d, t in zip(derivatives, of):
        if d is not None:
            assert d.dtype == t.dtype, f"a {word} is {d.dtype} but its tensor {t.dtype}"
            assert d.shape == t.shape, f"a {word} has shape {d.shape} but its tensor {t.shape}"
            assert d.backend == t.backend and d.device == t.device, f"a {word} is on {d.backend} {d.device}"


def check_rules(inputs: Sequence[xgrad.Tensor], results: Sequence[Any]) -> None:
    """The forward rules against the pullback of the pullback; on Tensors against raw arrays; and the second order."""
    outputs = [y for y in results if isinstance(y, xgrad.Tensor) and y.dtype.inexact]
    vs = [random_like(x, [7, k]) for k, x in enumerate(inputs)]
    us = [random_like(y, [8, k]) for k, y in enumerate(outputs)]
    ws = [random_like(x, [9, k]) for k, x in enumerate(inputs)]
    by_rules = push(inputs, vs, outputs, graph=False)
    with without_rules():
        transposed = push(inputs, vs, outputs, graph=False)
    recorded = push(inputs, vs, outputs, graph=True)

    # <u, J v> and <J' u, v> are one function of the inputs: it has one gradient, and one tangent along w.
    pulled = pull(outputs, us, inputs, graph=True)
    first = pull(pulled, vs, inputs, graph=False)
    second = pull(recorded, us, inputs, graph=False)
    tangents = push(inputs, ws, [g for g in pulled if g is not None], graph=False)
    kept = [v for v, g in zip(vs, pulled) if g is not None]

    groups = read(us, vs, ws, kept, by_rules, transposed, recorded, pulled, first, second, tangents)
    us, vs, ws, kept, by_rules, transposed, recorded, pulled, first, second, tangents = groups
    check_close(transposed, by_rules, "by the pullback of the pullback")
    check_close(recorded, by_rules, "on Tensors")
    check_equal(list(zip(us, by_rules)), list(zip(pulled, vs)), 1e-10, "<u, J v> and <J' u, v>")
    for gradients, order in ((second, "backward over forward"), (first, "backward over backward")):
        along_w = list(zip(gradients, ws))
        check_equal(list(zip(kept, tangents)), along_w, 1e-9, f"forward over backward and {order}")


def check_close(tangents: Sequence[Any], wanted: Sequence[Any], text: str) -> None:
    """Two lists of tangents are equal. None and an array of zeros are equal too."""
    for a, b in zip(tangents, wanted):
        if a is None or b is None:  # only one of the two ways may notice that a tangent is zero
            other = b if a is None else a
            assert other is None or not np.any(other), f"{text} a tangent is zero that is not"
            continue
        scale = max(1.0, float(np.max(np.abs(b[np.isfinite(b)]), initial=0.0)))
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * scale, err_msg=f"another tangent {text}")


@contextlib.contextmanager
def without_rules() -> Iterator[None]:
    """Disable the forward rules of all ops in this block, except of ops that move arrays to another backend or device."""
    kept = {name: list(op.pushes) for name, op in registry.items() if name not in ("to_backend", "to_device")}
    for name in kept:
        registry[name].pushes[:] = [None] * len(kept[name])
    try:
        yield
    finally:
        for name, pushes in kept.items():
            registry[name].pushes[:] = pushes
