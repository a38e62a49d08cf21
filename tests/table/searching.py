"""Rows for `xgrad.ops.searching`."""

from __future__ import annotations

from typing import Any

from . import Arg, Row

X = Arg((3, 4))
ZEROS = Arg((2, 4), values=((2.0, 0.0, 3.0, -1.0), (0.0, 1.5, 0.0, 2.0)))
SORTED = Arg((5,), values=(-1.0, 0.0, 0.0, 1.0, 2.0))
TRUTH = Arg((2, 3), kind="bool")


def index(name: str, label: str, arg: Arg = X, **options: Any) -> Row:
    def numpy(np: Any, x: Any) -> Any:
        return getattr(np, name)(x, **options)

    return Row(name, lambda xp, x: getattr(xp, name)(x, **options), (arg,), numpy=numpy, label=label, differentiable=False)


ROWS = [
    *(
        index(name, label, **options)
        for name in ("argmax", "argmin") for label, options in [
            ("all", {}), ("axis", {"axis": 0}), ("kept", {"axis": -1, "keepdims": True}), ("all-kept", {"keepdims": True}),
        ]
    ),
    index("count_nonzero", "all", ZEROS),
    index("count_nonzero", "axis", ZEROS, axis=1),
    index("count_nonzero", "tuple", ZEROS, axis=(0, 1)),
    index("count_nonzero", "kept", ZEROS, axis=-1, keepdims=True),
    index("count_nonzero", "all-kept", ZEROS, keepdims=True),
    index("count_nonzero", "bool", TRUTH, axis=0),
    index("nonzero", "", ZEROS),
    index("nonzero", "bool", TRUTH),
    *(
        Row(
            "searchsorted",
            lambda xp, a, b, side=side: xp.searchsorted(a, b, side=side),
            (SORTED, Arg((2, 3), values=((-2.0, 0.0, 0.5), (1.0, 2.0, 3.0)))),
            numpy=lambda np, a, b, side=side: np.searchsorted(a, b, side=side),
            label=side,
            differentiable=False,
        )
        for side in ("left", "right")
    ),
    Row(
        "searchsorted",
        lambda xp, a: xp.searchsorted(a, 0),
        (SORTED,),
        numpy=lambda np, a: np.asarray(np.searchsorted(a, 0)),
        label="scalar",
        differentiable=False,
    ),
    Row(
        "searchsorted",
        lambda xp, a, b: xp.searchsorted(a, b, sorter=xp.argsort(a)),
        (Arg((4,)), Arg((3,))),
        numpy=lambda np, a, b: np.searchsorted(np.sort(a), b),
        label="sorter",
        differentiable=False,
    ),
    Row(
        "where", lambda xp, c, a, b: xp.where(c, a, b), (TRUTH, Arg((2, 3)), Arg((2, 3))),
        torch=lambda t, c, a, b: t.where(c, a, b),
    ),
    Row(
        "where",
        lambda xp, c, a, b: xp.where(c, a, b),
        (Arg((2, 1), kind="bool"), Arg((1, 3)), Arg((2, 2, 1))),
        torch=lambda t, c, a, b: t.where(c, a, b),
        label="broadcast",
    ),
    Row(
        "where", lambda xp, c, a: xp.where(c, a, 2), (TRUTH, Arg((2, 3))), torch=lambda t, c, a: t.where(c, a, 2.0),
        label="scalar",
    ),
    Row(
        "where", lambda xp, c, a: xp.where(c, 0.5, a), (TRUTH, Arg((3,))), torch=lambda t, c, a: t.where(c, 0.5, a),
        label="scalar-first",
    ),
    Row(
        "where",
        lambda xp, c, a, b: xp.where(c, a, b),
        (TRUTH, Arg((2, 3), kind="complex"), Arg((2, 3))),
        torch=lambda t, c, a, b: t.where(c, a, b + 0j),
        label="complex",
    ),
    Row(
        "where",
        lambda xp, c, a, b: xp.where(c, a, b),
        (Arg((), kind="bool"), Arg(()), Arg(())),
        torch=lambda t, c, a, b: t.where(c, a, b),
        label="0-d",
    ),
    Row(
        "where",
        lambda xp, c, a, b: xp.where(c, a, b),
        (Arg((0, 3), kind="bool"), Arg((0, 3)), Arg((1, 3))),
        torch=lambda t, c, a, b: t.where(c, a, b),
        label="size-0",
    ),
]
