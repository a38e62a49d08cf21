"""Every row of the table in a captured function: results, gradients and second derivatives are those of eager calls."""

from __future__ import annotations

import warnings
import zlib
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad.backend import find_backend
from xgrad.engine.namespaces import namespace

from ...harness.backends import device_of
from ...harness.driver import ROWS, close, host, several
from ...table import Row

CANNOT = {  # rows that need the values of arrays, so that they cannot be captured
    *("unique_all", "unique_counts", "unique_inverse", "unique_values", "nonzero", "repeat-array", "repeat-array-flat"),
    *("gather-own-mask", "gather-mask", "setitem-mask", "to_backend", "segment_sum-number found", "segment_max-ties"),
    *("bincount", "bincount-longer", "bincount-counts"),
}
BY_SCIPY = ("linalg", "signal", "interpolate")
"""Modules of SciPy whose functions look at values, in some of their rows."""


def executors(row: str, backend: str, thorough: bool) -> tuple[str, ...]:
    """The executors that a row runs in: always the same part of the rows runs in those with buffers too."""
    part = zlib.crc32(row.encode()) % 8
    if backend != "numpy":
        return ("calls", *(find_backend(backend).executors if thorough or part == 0 else ()))
    return ("calls", *(("numpy",) if thorough or part < 3 else ()), *(("c",) if thorough or part == 0 else ()))


def functions(row: Row, xp: Any) -> dict[str, Any]:
    """The value, and the derivatives of its weighted sum."""

    def value(*args: Any) -> list[Any]:
        return [v for v in several(row.f(xp, *args)) if isinstance(v, xgrad.Tensor)]

    def total(*args: Any) -> Any:
        terms = []
        for y in value(*args):
            if y.dtype.inexact:
                weights = np.random.default_rng(0).uniform(-1, 1, y.shape).astype(xgrad.real(y).dtype.name)
                terms.append(xp.sum(xp.real(y) * xp.asarray(weights, device=y.device)))
        return sum(terms[1:], terms[0]) if terms else xp.zeros(())

    at = tuple(k for k, arg in enumerate(row.args) if arg.tracked)
    if not (row.differentiable and at):
        return {"value": value}
    first = xgrad.grad(total, at)
    slope = lambda *args: sum(xgrad.sum(xgrad.real(g)) for g in first(*args))
    return {"value": value, "grad": first, "second": xgrad.grad(slope, at)}


def first_of_each_name() -> list[str]:
    """The rows that run if ``--thorough`` is not given."""
    return list({row.name: key for key, row in reversed(ROWS.items())}.values())


FIRST = frozenset(first_of_each_name())
LONG = ("betainc", "fdtr", "stdtrit")
ONE_IN = {"jax": 16, "torch": 4, "strict": 4}
"""On these, plans run call by call as on any other library; XLA compiles each for seconds."""


@pytest.mark.parametrize("row", list(ROWS))
def test_captured_is_eager(row: str, backend: str, request: pytest.FixtureRequest) -> None:
    one, thorough = ROWS[row], request.config.getoption("--thorough")
    if not thorough and (row not in FIRST or zlib.crc32(row.encode()) % ONE_IN.get(backend, 1)):
        pytest.skip("one row of each name, on some libraries of every fourth or sixteenth name; --thorough runs all")
    if not thorough and one.name.startswith(LONG) and one.name != "betaincc":
        pytest.skip("its derivatives are sums over many nodes, which take half a minute to capture; --thorough runs it")
    if backend in one.skip:
        pytest.skip(f"{backend}: {one.skip[backend]}")
    if backend == "dask":
        pytest.skip("functions of Dask's arrays are not captured")
    xp, plugin, device = namespace(backend), find_backend(backend), device_of(backend)

    def tensors(seed: int) -> list[Any]:
        drawn = one.draw() if not seed else [arg.draw(1000 * seed + i) for i, arg in enumerate(one.args)]
        return [xgrad.Tensor(plugin.from_numpy(np.array(v), device)) for v in drawn]

    inputs = [tensors(0), tensors(0), tensors(1)]
    for name, f in functions(one, xp).items():
        for executor in executors(row, backend, thorough):
            g = xgrad.jit(f, executor=executor)
            for args in inputs:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    try:
                        wanted = f(*args)
                    except (NotImplementedError, xgrad.GradientError):
                        return
                    try:
                        found = g(*args)
                    except xgrad.CannotCapture:
                        assert one.id in CANNOT or one.name in CANNOT or row.partition("-")[2].partition(".")[0] in BY_SCIPY
                        return
                assert len(wanted) == len(found)
                for a, b in zip(wanted, found):
                    assert a.dtype == b.dtype and a.shape == b.shape and a.device == b.device
                    close(
                        host(b),
                        host(a),
                        1e-10 if a.dtype.bits in (64, 128) or not a.dtype.inexact else 1e-4,
                        f"{name} by {executor}",
                    )
            assert g.info().hits >= 2, g.why
