"""Try each call of `calls.py` on tensors that require grad: ``SCIPY_ARRAY_API=1 python -m tests.scipy.measure [word ...]``.

The judge is SciPy itself on NumPy arrays: its values, and its central differences. With ``--json`` the outcomes are printed
for other programs; words select the calls whose names contain one of them.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

import xgrad
from xgrad import GradientError, Tensor

from . import alone  # noqa: F401  (before anything of SciPy)
from .calls import CALLS, Call
from .page import STATUSES


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a call."""

    status: str
    note: str = ""


def parts(result: Any) -> Iterator[Any]:
    """The arrays and numbers in what a function returned, in tuples, mappings and data classes of any depth."""
    if dataclasses.is_dataclass(result):
        result = tuple(getattr(result, field.name) for field in dataclasses.fields(result))
    elif isinstance(result, dict):
        result = tuple(result.values())
    if isinstance(result, (tuple, list)):
        for part in result:
            yield from parts(part)
    elif isinstance(result, (Tensor, np.ndarray, np.generic, int, float, complex)):
        yield result


def host(x: Any) -> np.ndarray:
    """Any part of a result as a NumPy array."""
    return x.detach().numpy() if isinstance(x, Tensor) else np.asarray(x)


def cotangent(k: int, like: np.ndarray) -> np.ndarray:
    """A fixed weight for each element of output `k`."""
    rng = np.random.default_rng(k)
    real = rng.uniform(0.5, 1.5, like.shape)
    return real + 1j * rng.uniform(0.5, 1.5, like.shape) if like.dtype.kind == "c" else real


def differences(f: Callable[..., Sequence[np.ndarray]], xs: list[np.ndarray], wrt: Sequence[int]) -> list[list[np.ndarray]]:
    """For each output, the gradient of Re <weight, output> by each argument in `wrt`: a five-point formula."""
    weights = [cotangent(k, y) for k, y in enumerate(f(*xs))]

    def moved(k: int, index: tuple[int, ...], step: complex) -> np.ndarray:
        others = [x.copy() for x in xs]
        others[k][index] += step
        return np.asarray([np.real(np.sum(np.conj(w) * y)) for w, y in zip(weights, f(*others))])

    def slopes(k: int, index: tuple[int, ...], unit: complex) -> np.ndarray:
        h = 1e-4
        one, two = (moved(k, index, n * h * unit) - moved(k, index, -n * h * unit) for n in (1, 2))
        return (8 * one - two) / (12 * h)

    found = [[np.zeros(xs[k].shape, xs[k].dtype) for k in wrt] for _ in weights]
    for column, k in enumerate(wrt):
        for index in itertools.product(*map(range, xs[k].shape)):
            slope = slopes(k, index, 1.0) + (1j * slopes(k, index, 1j) if xs[k].dtype.kind == "c" else 0)
            for output, value in zip(found, slope):
                output[column][index] = value
    return found


def near(a: Any, b: Any, tolerance: float) -> bool:
    a, b = np.asarray(a), np.asarray(b)
    scale = max(1.0, np.abs(b[np.isfinite(b)]).max(initial=0.0)) if b.dtype.kind in "fc" else 1.0
    return a.shape == b.shape and bool(np.allclose(a, b, rtol=tolerance, atol=tolerance * scale, equal_nan=True))


def measure(call: Call) -> Outcome:
    """Try one call."""
    xs = call.draw()
    wrt = [k for k, arg in enumerate(call.args) if arg.tracked]
    wanted = [host(y) for y in parts(call.f(*xs))]
    tensors = [Tensor(x, requires_grad=k in wrt) for k, x in enumerate(xs)]
    leaves = [tensors[k] for k in wrt]
    # A result must not share its object with an argument: what is written to it would be written to the argument.
    inputs = [t * 1.0 if k in wrt else t for k, t in enumerate(tensors)]
    try:
        got = list(parts(call.f(*inputs)))
    except Exception as error:
        return failure(error)
    if len(got) != len(wanted):
        return Outcome("wrong", f"{len(got)} results, wanted {len(wanted)}")
    for k, (y, value) in enumerate(zip(got, wanted)):
        if not near(host(y), value, 1e-8):
            return Outcome("wrong", f"result {k} is {host(y)!s:.60}, wanted {value!s:.60}")
    if not any(isinstance(y, Tensor) for y in got):
        return Outcome("leaves", f"returns {type(got[0]).__name__}") if not wrt else detached_or_plain(call, xs, wrt)
    return gradients(call, xs, wrt, leaves, got)


def floats(call: Call) -> Callable[..., list[np.ndarray]]:
    return lambda *xs: [np.asarray(y) for y in parts(call.f(*xs))]


def varies(d: Sequence[np.ndarray]) -> bool:
    return any(np.abs(part[np.isfinite(part)]).max(initial=0.0) > 1e-6 for part in d)


def detached_or_plain(call: Call, xs: list[np.ndarray], wrt: list[int]) -> Outcome:
    for k, d in enumerate(differences(floats(call), xs, wrt)):
        if varies(d):
            return Outcome("detached", f"result {k}")
    return Outcome("works", "returns no array of the namespace")


def gradients(call: Call, xs: list[np.ndarray], wrt: list[int], leaves: list[Tensor], got: list[Any]) -> Outcome:
    anything = False
    for k, (y, d) in enumerate(zip(got, differences(floats(call), xs, wrt))):
        if not varies(d) and not (isinstance(y, Tensor) and y.requires_grad):
            continue
        if not (isinstance(y, Tensor) and y.requires_grad):
            return Outcome("detached", f"result {k}")
        for leaf in leaves:
            leaf.zero_grad()
        try:
            y.backward(Tensor(cotangent(k, host(y))), retain_graph=True)
        except Exception as error:
            return failure(error)
        for leaf, wanted in zip(leaves, d):
            found = np.zeros(leaf.shape) if leaf.grad is None else host(leaf.grad)
            if np.any(np.isnan(found) & np.isfinite(wanted)):
                return Outcome("nan", f"result {k}")
            if not near(found, wanted, 2e-6):
                return Outcome("wrong", f"gradient of result {k}: {found!s:.80}, wanted {wanted!s:.80}")
        anything = anything or varies(d)
    return Outcome("right" if anything else "works")


def failure(error: BaseException) -> Outcome:
    """What an exception means: a refusal of ours to leave the graph, or one of SciPy's."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, GradientError) or "does not take xgrad tensors" in str(seen):
            return Outcome("leaves", str(seen).partition(":")[0].partition(" does not")[0])
        seen = seen.__cause__ or seen.__context__
    own = any("xgrad" in frame.filename for frame in traceback.extract_tb(error.__traceback__)[-1:])
    return Outcome("wrong" if own else "refused", f"{type(error).__name__}: {str(error).splitlines()[0].partition(': {')[0]:.90}")


def main(arguments: Sequence[str]) -> None:
    words = [word for word in arguments if not word.startswith("-")]
    chosen = [call for call in CALLS if not words or any(word in call.name for word in words)]
    xgrad.set_default_dtype(xgrad.float64)  # as SciPy's own tests do with PyTorch
    outcomes = {}
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for call in chosen:
            outcomes[call.name] = outcome = measure(call)
            if "--json" not in arguments:
                print(f"{call.name:45} {outcome.status:9} {outcome.note}", flush=True)
    if "--json" in arguments:
        print(json.dumps({name: dataclasses.astuple(outcome) for name, outcome in outcomes.items()}))
    else:
        print({status: sum(o.status == status for o in outcomes.values()) for status in STATUSES}, len(outcomes))


if __name__ == "__main__":
    main(sys.argv[1:])
