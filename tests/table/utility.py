"""Rows for `xgrad.ops.utility`."""

from __future__ import annotations

from typing import Any

from . import Arg, Row

TRUTH = Arg((2, 3), kind="bool")
ZEROS = Arg((2, 3), values=((2.0, 0.0, 3.0), (1.0, 1.5, 2.0)))


def truth(name: str, label: str, arg: Arg = TRUTH, **options: Any) -> Row:
    return Row(
        name,
        lambda xp, x: getattr(xp, name)(x, **options),
        (arg,),
        numpy=lambda np, x: np.asarray(getattr(np, name)(x, **options)),
        label=label,
        differentiable=False,
    )


def difference(label: str, shape: tuple[int, ...], *, before: int = 0, after: int = 0, axis: int = -1, n: int = 1) -> Row:
    def size(m: int) -> tuple[int, ...]:
        return tuple(m if i == axis % len(shape) else k for i, k in enumerate(shape))

    ends = [("prepend", before), ("append", after)]
    names = [name for name, m in ends if m]
    args = (Arg(shape), *(Arg(size(m)) for _, m in ends if m))
    return Row(
        "diff",
        lambda xp, x, *more: xp.diff(x, axis=axis, n=n, **dict(zip(names, more))),
        args,
        torch=lambda t, x, *more: t.diff(x, dim=axis, n=n, **dict(zip(names, more))),
        label=label,
    )


ROWS = [
    *(
        truth(name, label, arg, **options)
        for name in ("all", "any")
        for label, arg, options in [
            ("total", TRUTH, {}),
            ("axis", TRUTH, {"axis": 0}),
            ("tuple", TRUTH, {"axis": (0, 1)}),
            ("kept", TRUTH, {"axis": -1, "keepdims": True}),
            ("float", ZEROS, {"axis": 1}),
            ("size-0", Arg((0, 3), kind="bool"), {"axis": 0}),
        ]
    ),
    difference("last", (3, 4)),
    difference("twice", (3, 5), n=2),
    difference("axis", (4, 2, 3), axis=0),
    difference("zero", (3,), n=0),
    difference("both", (2, 3), before=1, after=2),
    difference("append", (3, 2), after=1, axis=0, n=2),
]
