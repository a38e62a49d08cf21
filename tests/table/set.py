"""Rows for `xgrad.ops.set`."""

from __future__ import annotations

from typing import Any

from . import Arg, Row

INTS = Arg((2, 4), 0, 4, kind="int")
FEW = Arg((2, 3), values=((2.0, 1.0, 2.0), (3.0, 2.0, 1.0)))


def distinct(name: str, arg: Arg, label: str, k: int | None = None) -> Row:
    """A row for the k-th part of the resulting tuple; only the values are differentiable."""
    def f(xp: Any, x: Any) -> Any:
        found = getattr(xp, name)(x)
        return found if k is None else found[k]

    def numpy(np: Any, x: Any) -> Any:
        found = getattr(np, name)(x)
        return found if k is None else found[k]

    return Row(
        name, f, (arg,), numpy=numpy if name != "unique_values" else lambda np, x: np.unique(x), label=label,
        differentiable=arg.kind == "float" and not k,
    )


ROWS = [
    Row(
        "isin", lambda xp, a, b: xp.isin(a, b), (INTS, Arg((3,), 0, 4, kind="int")), numpy=lambda np, a, b: np.isin(a, b),
        differentiable=False,
    ),
    Row(
        "isin",
        lambda xp, a, b: xp.isin(a, b, invert=True),
        (INTS, Arg((2,), 0, 4, kind="int")),
        numpy=lambda np, a, b: np.isin(a, b, invert=True),
        label="invert",
        differentiable=False,
    ),
    Row("isin", lambda xp, a: xp.isin(a, 2), (INTS,), numpy=lambda np, a: np.isin(a, 2), label="scalar", differentiable=False),
    *(distinct(name, INTS, "int") for name in ("unique_all", "unique_counts", "unique_inverse", "unique_values")),
    *(distinct(name, Arg((2, 3)), "distinct", 0) for name in ("unique_all", "unique_counts", "unique_inverse")),
    distinct("unique_values", Arg((2, 3)), "distinct"),
    *(
        distinct(name, FEW, f"part-{k}", k)
        for name, n in [("unique_all", 4), ("unique_counts", 2), ("unique_inverse", 2)] for k in range(1, n)
    ),
]
