"""Rows for `xgrad.ops.updates`."""

from __future__ import annotations

from typing import Any

from . import Arg, Row

KEY = Arg((4,), kind="int", values=(2, 0, 2, 2))
X = Arg((4,), 0.5, 2.0)
V = Arg((4,), 0.5, 2.0)


def _fold(how: Any) -> Any:
    """The writes one after another."""

    def torch(t: Any, x: Any, i: Any, v: Any) -> Any:
        parts = list(x)
        for k, place in enumerate(i.tolist()):
            parts[place] = how(t, parts[place], v[k])
        return t.stack(parts)

    return torch


def _columns(how: Any) -> Any:
    """Writes to columns 3 and 1, in all rows but the first."""
    return lambda t, x, v: t.cat([x[:1], t.stack([x[1:, 0], how(t, x[1:, 1], v[1]), x[1:, 2], how(t, x[1:, 3], v[0])], 1)])


METHODS: dict[str, Any] = {
    "set": lambda t, x, v: 0 * x + v,
    "add": lambda t, x, v: x + v,
    "subtract": lambda t, x, v: x - v,
    "multiply": lambda t, x, v: x * v,
    "divide": lambda t, x, v: x / v,
    "power": lambda t, x, v: x**v,
    "min": lambda t, x, v: t.minimum(x, v),
    "max": lambda t, x, v: t.maximum(x, v),
}
NAMES = {"min": "scatter_min", "max": "scatter_max", "set": "setitem", "add": "scatter_add", "subtract": "scatter_add"}

ROWS = [
    *(
        Row(
            NAMES.get(m, "scatter_multiply"), lambda xp, x, i, v, m=m: getattr(xp.at(x, i), m)(v), (X, KEY, V), torch=_fold(how),
            label=f"at-{m}",
        )
        for m, how in METHODS.items()
    ),
    *(
        Row(
            NAMES.get(m, "scatter_multiply"), lambda xp, x, v, m=m: getattr(x.at[1:, ::-2], m)(v),
            (Arg((3, 4), 0.5, 2.0), Arg((2,), 0.5, 2.0)), torch=_columns(how), label=f"at-{m}-slices",
        )
        for m, how in METHODS.items()
    ),
    Row(
        "scatter_multiply", lambda xp, x, i, v: x.at[i].multiply(v),
        (
            Arg((4,), values=(1.0, 0.0, 2.0, 0.0)), Arg((4,), kind="int", values=(2, 1, 2, 2)),
            Arg((4,), values=(0.0, 2.0, 3.0, 0.0)),
        ),
        torch=_fold(METHODS["multiply"]), label="zeros",
    ),
    Row("scatter_max", lambda xp, x, i, v: x.at[i].max(v), (Arg((3, 2)), Arg((2,), kind="int", values=(1, 1)), Arg((2, 1))),
        torch=lambda t, x, i, v: t.stack([x[0], t.maximum(x[1], v.amax()), x[2]]), label="broadcast"),
    Row(
        "scatter_max", lambda xp, x, i, v: x.at[i].max(v),
        (Arg((2,), values=(3.0, 1.0)), Arg((3,), kind="int", values=(0, 0, 0)), Arg((3,), values=(3.0, 3.0, 2.0))),
        torch=lambda t, x, i, v: t.stack([t.cat([x[:1], v]).amax(), x[1]]), label="ties",
    ),
]  # fmt: skip
