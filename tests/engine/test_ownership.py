"""Whether writing to a result writes to an argument: the same where calls are recorded and where they are not.

Views write through; asarray, astype(copy=False), to_device and to_backend give back what needs no change; all else is new.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import GradientError, Tensor

from ..harness.driver import ROWS, host, several

BACK: dict[str, Callable[[Any], Any]] = {  # the argument itself
    "asarray": lambda x: xgrad.asarray(x),
    "asarray, dtype": lambda x: xgrad.asarray(x, dtype=x.dtype),
    "astype without a copy": lambda x: xgrad.astype(x, x.dtype, copy=False),
    "to_device": lambda x: xgrad.to_device(x, x.device),
    "to_backend": lambda x: xgrad.to_backend(x, x.backend),
}
VIEWS: dict[str, Callable[[Any], Any]] = {
    "reshape": lambda x: xgrad.reshape(x, x.shape),
    "reshape flat": lambda x: xgrad.reshape(x, (-1,)),
    "squeeze nothing": lambda x: xgrad.squeeze(x, ()),
    "expand_dims by nothing": lambda x: xgrad.expand_dims(x, ()),
    "flip": xgrad.flip,
    "flip nothing": lambda x: xgrad.flip(x, axis=()),
    "moveaxis to the same place": lambda x: xgrad.moveaxis(x, 0, 0),
    "permute_dims to the same places": lambda x: xgrad.permute_dims(x, (0, 1)),
    "matrix_transpose": xgrad.matrix_transpose,
    "T": lambda x: x.T,
    "mT": lambda x: x.mT,
    "transpose": lambda x: x.transpose(),
    "all": lambda x: x[...],
    "row": lambda x: x[0],
    "unstack": lambda x: xgrad.unstack(x)[0],
    "iteration": lambda x: next(iter(x)),
    "diagonal": xgrad.linalg.diagonal,
    "real": xgrad.real,
    "x.real": lambda x: x.real,
    "numpy.transpose": np.transpose,
    "numpy.ravel": np.ravel,
    "numpy.swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "numpy.atleast_3d": np.atleast_3d,
    "detach and reshape": lambda x: x.reshape(-1),
}
NEW: dict[str, Callable[[Any], Any]] = {
    "pad by nothing": lambda x: xgrad.pad(x, 0),
    "diff not at all": lambda x: xgrad.diff(x, n=0),
    "matrix_power of 1": lambda x: xgrad.linalg.matrix_power(x, 1),
    "einsum of one": lambda x: xgrad.einsum("ij->ij", x),
    "einsum, transposed": lambda x: xgrad.einsum("ij->ji", x),
    "einsum, diagonal": lambda x: xgrad.einsum("ii->i", x),
    "diag": xgrad.diag,
    "astype": lambda x: xgrad.astype(x, x.dtype),
    "asarray, copied": lambda x: xgrad.asarray(x, copy=True),
    "reshape, copied": lambda x: xgrad.reshape(x, x.shape, copy=True),
    "flatten": lambda x: x.flatten(),
    "roll by nothing": lambda x: xgrad.roll(x, 0),
    "tile once": lambda x: xgrad.tile(x, (1, 1)),
    "repeat once": lambda x: xgrad.repeat(x, 1, axis=0),
    "clip at nothing": lambda x: xgrad.clip(x, None, None),
    "positive": xgrad.positive,
    "conj": xgrad.conj,
    "round": xgrad.round,
    "concat of one": lambda x: xgrad.concat([x]),
    "concat of one, flat": lambda x: xgrad.concat([x], axis=None),
    "stack of one": lambda x: xgrad.stack([x])[0],
    "nan_to_num": xgrad.nan_to_num,
    "sum over nothing": lambda x: xgrad.sum(x, axis=()),
    "max over nothing": lambda x: xgrad.max(x, axis=()),
    "mean over nothing": lambda x: xgrad.mean(x, axis=()),
    "median over nothing": lambda x: xgrad.median(x[None], axis=0),
    "sort of one": lambda x: xgrad.sort(x[None], axis=0),
    "cumulative_sum of one": lambda x: xgrad.cumulative_sum(x[None], axis=0),
    "take all": lambda x: xgrad.take(x, xgrad.arange(2), axis=0),
    "list": lambda x: x[[0, 1]],
    "where": lambda x: xgrad.where(xgrad.asarray(True), x, x),
    "tril": lambda x: xgrad.tril(x, k=9),
    "triu": lambda x: xgrad.triu(x, k=-9),
    "abs": xgrad.abs,
    "maximum of itself": lambda x: xgrad.maximum(x, x),
    "relu": xgrad.relu,
    "at": lambda x: x.at[0].set(x[0]),
    "average of one": lambda x: xgrad.average(x[None], axis=0),
    "ptp": lambda x: xgrad.ptp(x, axis=0),
    "convolve": lambda x: xgrad.convolve(x[0], xgrad.asarray([1.0])),
    "numpy.copy": np.copy,
    "numpy.nan_to_num": np.nan_to_num,
    "numpy.concatenate of one": lambda x: np.concatenate([x]),
    "numpy.diff": lambda x: np.diff(x, n=0),
    "numpy.tril": np.tril,
    "numpy.clip": lambda x: np.clip(x, None, 1e9),
}


def effect(run: Callable[..., Any], arguments: list[np.ndarray], k: int, tracked: list[bool]) -> list[str]:
    """What writing to each result does: ``"writes"`` to the k-th argument, is ``"refused"``, or ``""``."""
    leaves = [Tensor(np.array(a), requires_grad=t) for a, t in zip(arguments, tracked)]
    tensors = [x * 1 if x.dtype.inexact else x for x in leaves]
    found = []
    outputs = several(run(*tensors))
    for y in outputs:
        if not isinstance(y, Tensor) or not y.size:
            continue
        before = np.array(host(tensors[k]))
        value = ~y if y.dtype == xgrad.bool else y * 0 + 99
        try:
            y[...] = value
        except (ValueError, GradientError):
            found.append("refused")
        else:
            found.append("" if np.array_equal(before, host(tensors[k]), equal_nan=before.dtype.kind in "fc") else "writes")
    return found


@pytest.mark.parametrize("tracked", [True, False], ids=["tracked", "constant"])
@pytest.mark.parametrize("name", [*BACK, *VIEWS, *NEW])
def test_what_a_result_shares_with_its_argument(name: str, tracked: bool) -> None:
    run = {**BACK, **VIEWS, **NEW}[name]
    x = Tensor(np.array([[1.0, 2.0], [3.0, 4.0]]), requires_grad=tracked) * 1
    assert (run(x) is x) == (name in BACK)
    assert effect(run, [np.array([[1.0, 2.0], [3.0, 4.0]])], 0, [tracked]) == (["writes"] if name not in NEW else [""])


@pytest.mark.parametrize("tracked", [True, False], ids=["tracked", "constant"])
def test_broadcast_arrays(tracked: bool) -> None:
    a = np.array([[1.0, 2.0], [3.0, 4.0]])
    assert effect(lambda x: xgrad.broadcast_to(x, (3, 2, 2)), [a], 0, [tracked]) == ["refused"]
    assert effect(lambda x, z: xgrad.broadcast_arrays(x, z), [a, a[0]], 0, [tracked] * 2) == ["", ""]
    assert effect(lambda x, z: xgrad.broadcast_arrays(x, z), [a, a[0]], 1, [tracked] * 2) == ["", ""]


def _rows() -> list[str]:
    return [name for name, row in ROWS.items() if row.args and not row.name.startswith("empty")]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", _rows())
def test_no_result_shares_more_or_less_where_calls_are_recorded(name: str) -> None:
    row, xp = ROWS[name], xgrad.namespace("numpy")
    if "numpy" in row.skip:
        pytest.skip("not for NumPy")
    arguments = row.draw()
    for k in range(len(arguments)):
        grad = [arg.tracked and row.differentiable for arg in row.args]
        results = [effect(lambda *tensors: row.f(xp, *tensors), arguments, k, t) for t in ([False] * len(grad), grad)]
        assert results[0] == results[1], f"writing to {name}: {results[0]}, where recorded {results[1]}"
