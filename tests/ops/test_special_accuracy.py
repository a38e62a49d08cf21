"""Every special function and its derivatives against mpmath, at extremes and in between, in float64 and float32.

The right values are in `tests/data/special_references.json`; `tests/harness/special_references.py` computes them.
``python -m tests.ops.test_special_accuracy [name ...]`` prints the largest errors.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import xgrad
from xgrad.backend import find_backend

DATA = Path(__file__).parents[1] / "data" / "special_references.json"
TABLE: dict[str, dict[str, list[float | None]]] = json.loads(DATA.read_text())
TOLERANCE = {"float64": 1e-6, "float32": 1e-4}
OTHERWISE = {  # the exceptions that docs/special.md lists
    **{(name, label): 1e-5 for name in ("beta_density", "betainc", "betaincc") for label in ("by 0, 0", "by 1, 1")},
}
INDEFINITE = ("binom", "inv_boxcox", "inv_boxcox1p", "poch")  # second derivatives are NaN where the value overflows
ELSEWHERE: tuple[str, ...] = ()


class Miss(NamedTuple):
    """The relative error of a value, and the point."""

    error: float
    case: str
    label: str
    at: tuple[float, ...]
    actual: float
    wanted: float


def split(case: str) -> tuple[str, list[Any]]:
    """The name of the function, and its arguments that are not arrays."""
    name, *of = case.partition(" (")[0].split("-")
    return name, [int(v) if v.isdigit() else v for v in of]


def fits(at: tuple[float, ...], dtype: str) -> bool:
    """Whether a dtype holds the point exactly."""
    with np.errstate(all="ignore"):
        return all(float(np.dtype(dtype).type(x)) == x for x in at)


def computed(case: str, points: list[tuple[float, ...]], dtype: str, xp: Any = xgrad) -> dict[str, np.ndarray]:
    """The values at the points, and the first and second derivatives by each differentiable argument."""
    name, of = split(case)
    f = getattr(xp.special, name)
    columns = [np.asarray(column, dtype=dtype) for column in zip(*points)]
    by = differentiable(case)
    y = f(*map(xp.asarray, columns), *of)
    assert str(y.dtype) == f"xgrad.{dtype}" or y.dtype == dtype
    actual = {"value": y.numpy()}
    for i in by:
        arrays = [xp.asarray(column) for column in columns]
        x = arrays[i] = arrays[i].requires_grad_()
        xp.sum(f(*arrays, *of)).backward(create_graph=True)
        first = x.grad
        actual[f"by {i}"] = first.detach().numpy()
        if first.requires_grad:
            x.zero_grad()
            xp.sum(first).backward()
            actual[f"by {i}, {i}"] = x.grad.numpy()
        else:
            actual[f"by {i}, {i}"] = np.zeros(len(points))
    return actual


def differentiable(case: str) -> list[int]:
    """The positions of the arguments that a function is differentiated by."""
    name = split(case)[0]
    arrays = len(next(iter(TABLE[case])).split())
    made = getattr(getattr(xgrad.special, name), "op", None)
    if made is None or made.derivative == "composite":
        return list(range(arrays))
    return [i for i, rule in zip(made.arrays, made.rules) if rule is not None and i < arrays]


def overflows(case: str, at: tuple[float, ...]) -> bool:
    """Whether the value itself is too large for float64, in which derivatives are computed."""
    value = TABLE[case][" ".join(map(repr, at))][0]
    return value is None or abs(value) > float(np.finfo("float64").max)


def labels(case: str) -> list[str]:
    """The labels of the numbers of a point."""
    return ["value", *(f"by {i}{end}" for i in differentiable(case) for end in ("", f", {i}"))]


def measure(case: str, dtype: str, xp: Any = xgrad) -> list[Miss]:
    """All values that can be represented, with their errors."""
    points = {tuple(map(float, key.split())): values for key, values in TABLE[case].items()}
    points = {at: values for at, values in points.items() if fits(at, dtype)}
    with np.errstate(all="ignore"):  # some of the right values are infinite
        actual = computed(case, list(points), dtype, xp)
    return [
        Miss(error(float(actual[label][k]), wanted, values, dtype), case, label, at, float(actual[label][k]), wanted)
        for k, (at, values) in enumerate(points.items())
        for label, wanted in zip(labels(case), values, strict=True)
        if wanted is not None
    ]


def error(actual: float, wanted: float, row: list[float | None], dtype: str) -> float:
    """The relative error; for a right value that is too large or too small for the dtype, 0 or infinite.

    For an exact 0 it is relative to the largest number of the point.
    """
    info = np.finfo(dtype)
    if abs(wanted) > float(info.max) * (1 - 1e-5):
        return 0.0 if actual * math.copysign(1, wanted) > float(info.max) * (1 - 1e-4) else math.inf
    if wanted == 0:
        return abs(actual) / max(min(abs(v), float(info.max)) for v in row if v is not None) if actual else 0.0
    if abs(wanted) < float(info.tiny):
        return 0.0 if abs(actual) <= 1.01 * float(info.tiny) else math.inf
    return abs(actual - wanted) / abs(wanted) if math.isfinite(actual) else math.inf


@pytest.mark.parametrize("case", [case for case in TABLE if case not in ELSEWHERE])
def test_against_mpmath(case: str) -> None:
    pytest.importorskip("scipy")
    for dtype, tolerance in TOLERANCE.items():
        wrong = [miss for miss in measure(case, dtype) if not miss.error <= OTHERWISE.get((case, miss.label), tolerance)]
        if case in INDEFINITE:
            wrong = [miss for miss in wrong if not ("," in miss.label and overflows(case, miss.at))]
        assert not wrong, "\n".join(f"{dtype}: {miss}" for miss in sorted(wrong, reverse=True)[:10])


def calm(case: str, dtype: str) -> list[tuple[float, ...]]:
    """The points at which nothing overflows or divides by zero."""
    largest = float(np.finfo(dtype).max) * (1 - 1e-5)
    points = {tuple(map(float, key.split())): values for key, values in TABLE[case].items()}
    return [at for at, row in points.items() if fits(at, dtype) and all(v is not None and abs(v) < largest for v in row)]


@pytest.mark.parametrize("case", [case for case in TABLE if case not in ELSEWHERE])
def test_no_warnings_from_discarded_values(case: str) -> None:
    """Where values and derivatives are finite, no inner value overflows, is divided by zero or invalid."""
    pytest.importorskip("scipy")
    for dtype in TOLERANCE:
        if points := calm(case, dtype):
            with np.errstate(all="raise", under="ignore"):
                computed(case, points, dtype)


@pytest.mark.parametrize("name", ["hyp1f1", "spence", "stdtrit"])
def test_formulas_of_functions_that_libraries_lack(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On NumPy, whose own function is hidden: the formula against mpmath, and without a floating-point warning."""
    pytest.importorskip("scipy")
    backend = type(find_backend("numpy"))
    own = backend.special
    monkeypatch.setattr(backend, "special", lambda self, asked: None if asked == name else own(self, asked))
    for dtype, tolerance in (("float64", 1e-10), ("float32", 1e-4)):
        wrong = [miss for miss in measure(name, dtype) if not miss.error <= tolerance]
        assert not wrong, "\n".join(f"{dtype}: {miss}" for miss in sorted(wrong, reverse=True)[:10])
        with np.errstate(all="raise", under="ignore"):
            computed(name, calm(name, dtype), dtype)


def test_the_values_are_those_of_mpmath() -> None:
    """One value of each case, computed again."""
    pytest.importorskip("mpmath")
    pytest.importorskip("scipy")
    from tests.harness.special_references import CASES, wanted

    for case in CASES:
        point = case.points[len(case.points) // 2]
        stored = TABLE[case.id][" ".join(map(repr, point))]
        actual = wanted(replace(case, by=()), point)
        if stored[0] is not None:
            np.testing.assert_allclose(actual[0], stored[0], rtol=1e-14, err_msg=f"{case.id} at {point}")


def main(names: list[str]) -> None:
    for case in TABLE:
        if names and split(case)[0] not in names:
            continue
        for dtype, tolerance in TOLERANCE.items():
            try:
                with np.errstate(all="ignore"):
                    misses = measure(case, dtype)
            except Exception as problem:
                print(f"{case} {dtype}: {type(problem).__name__}: {problem}")
                continue
            wrong = [m for m in misses if not m.error <= tolerance]
            for label in labels(case):
                all_ = [m for m in misses if m.label == label]
                bad = sorted((m for m in wrong if m.label == label), key=lambda m: -m.error)
                worst = max(all_, key=lambda m: m.error)
                if bad or "-v" in sys.argv:
                    print(f"{case:24} {dtype} {label:8} {len(bad):3}/{len(all_)} ", end="")
                    shown = (bad or [worst])[: 12 if names else 3]
                    print(
                        "; ".join(
                            f"{m.error:.1e} at {m.at if len(m.at) > 1 else m.at[0]}: {m.actual:.6g} for {m.wanted:.6g}"
                            for m in shown
                        )
                    )


if __name__ == "__main__":
    main([name for name in sys.argv[1:] if name != "-v"])
