"""Every row of the table under `vmap`: it equals a loop over the examples, and so do the gradients through it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad.backend import find_backend
from xgrad.engine.namespaces import namespace
from xgrad.graph.names import registry

from ..harness.backends import device_of
from ..harness.driver import ROWS, close, host, several
from ..table import Row

BATCH = 3

BATCHED = {  # the chapters of ops of which every op is batched, except for those in CANNOT
    *("creation", "data_type", "elementwise", "indexing", "inspection", "linear_algebra", "manipulation", "searching", "set"),
    *("sorting", "statistical", "utility", "fft", "linalg", "beyond", "neural"),
}
SHAPE = r"{} cannot be batched: the shape of (its|the) result depends on"
OUTSIDE = r"{} cannot be batched: it computes with the values of its arguments outside"
CANNOT = {  # ops or rows that cannot be batched in all of their arguments, with a part of the message
    **{name: SHAPE.format(name) for name in ("unique_all", "unique_counts", "unique_inverse", "unique_values", "nonzero")},
    **{name: SHAPE.format("repeat") for name in ("repeat-array", "repeat-array-flat")},
    "gather-own-mask": SHAPE.format(r"x\[mask\]"),
    "to_backend": OUTSIDE.format("to_backend"),
    # the number of groups is read from the values, unless it is an argument
    **{name: "taking a value out" for name in ("segment_sum-number found", "segment_max-ties")},
    **{name: "taking a value out" for name in ("bincount", "bincount-longer", "bincount-counts")},
}


def examples(row: Row) -> list[list[np.ndarray]]:
    """For each argument of a row, its values in each example."""
    drawn = [row.draw()]
    for k in range(1, BATCH):
        drawn.append([arg.draw(1000 * k + i) for i, arg in enumerate(row.args)])
    return [list(values) for values in zip(*drawn)]


def choices(row: Row) -> list[tuple[bool, ...]]:
    """Which arguments are batched: all of them, and each alone."""
    n = len(row.args)
    together = [(True,) * n]
    return together if n == 1 else [*together, *(tuple(i == k for i in range(n)) for k in range(n))]


def check(row: Row, backend: str, batched: tuple[bool, ...], *, gradients: bool = True) -> None:
    xp, plugin, device = namespace(backend), find_backend(backend), device_of(backend)

    def tensor(x: Any) -> xgrad.Tensor:
        return xgrad.Tensor(plugin.from_numpy(np.array(x), device))

    values = examples(row)

    def leaves() -> list[xgrad.Tensor]:
        tensors = [tensor(np.stack(v) if b else v[0]) for v, b in zip(values, batched)]
        for arg, x in zip(row.args, tensors):
            if arg.tracked and row.differentiable and gradients:
                x.requires_grad_()
        return tensors

    def f(*args: Any) -> list[Any]:
        return [v for v in several(row.f(xp, *args)) if isinstance(v, xgrad.Tensor)]

    one = leaves()
    together = xgrad.vmap(f, tuple(0 if b else None for b in batched))(*one)
    two = leaves()
    apart = [f(*(x[k] if b else x for x, b in zip(two, batched))) for k in range(BATCH)]
    stacked = [xp.stack(list(parts)) for parts in zip(*apart)]
    assert len(together) == len(stacked)
    for a, b in zip(together, stacked):
        assert a.dtype == b.dtype and a.device == b.device, f"{a.dtype} {a.device}, but {b.dtype} {b.device} in a loop"
        close(host(a), host(b), 1e-10, "value")
    if not (row.differentiable and gradients):
        return
    for out in (together, stacked):
        rng = np.random.default_rng(0)
        total: Any = None
        for y in out:
            if y.dtype.inexact:
                u = rng.uniform(-1, 1, y.shape) + (1j * rng.uniform(-1, 1, y.shape) if y.dtype.kind[0] == "c" else 0)
                u = tensor(u.astype(y.dtype.name))
                part = xp.sum(xp.real(xp.conj(u) * y))
                total = part if total is None else total + part
        if total is not None and total.requires_grad:
            total.backward()
    for k, (x, y) in enumerate(zip(one, two)):
        if x.requires_grad:
            a, b = (np.zeros(t.shape) if t.grad is None else host(t.grad) for t in (x, y))
            close(a, b, 1e-8, f"gradient by argument {k}")


FULL = ("numpy", "strict")  # every argument alone, and all together


@pytest.mark.parametrize("row", list(ROWS))
def test_vmap_is_a_loop(row: str, backend: str) -> None:
    one = ROWS[row]
    if backend in one.skip:
        pytest.skip(f"{backend}: {one.skip[backend]}")
    if not one.args:
        pytest.skip("it takes no arrays")
    together, *apart = choices(one)
    reason = CANNOT.get(one.id) or CANNOT.get(one.name)
    if reason is not None and not (one.name == "to_backend" and backend == "numpy"):  # it is there already
        with pytest.raises(NotImplementedError, match=reason):
            check(one, backend, together)
        return
    chapter = registry[one.name].source.__module__.removeprefix("xgrad.ops.").partition(".")[0] if one.name in registry else ""
    for batched in (together, *apart) if backend in FULL else (together,):
        try:
            check(one, backend, batched)
        except NotImplementedError as error:
            if chapter in BATCHED or "vmap: " not in str(error):
                raise
