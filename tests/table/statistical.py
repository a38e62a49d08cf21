"""Rows for `xgrad.ops.statistical`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import Arg, Row

CUBE = Arg((2, 3, 4))
COMPLEX = Arg((2, 3), kind="complex")
ZEROS = Arg((2, 4), values=((2.0, 0.0, 3.0, -1.0), (0.0, 1.5, 0.0, 2.0)))
TIES = Arg((2, 4), values=((1.0, 3.0, 3.0, 2.0), (2.0, 2.0, 2.0, 2.0)))
AXES = {
    "all": {},
    "axis": {"axis": 1},
    "last-kept": {"axis": -1, "keepdims": True},
    "tuple": {"axis": (0, -1)},
    "tuple-kept": {"axis": (2, 0), "keepdims": True},
    "all-kept": {"keepdims": True},
    "none": {"axis": ()},
}


def theirs(name: str, **options: Any) -> Callable[..., Any]:
    """PyTorch's function of that name, through its own spelling of the options."""
    keepdims, axis = options.pop("keepdims", False), options.pop("axis", None)

    def run(t: Any, x: Any) -> Any:
        axes = tuple(range(x.ndim)) if axis is None else (axis,) if isinstance(axis, int) else axis
        if not axes:
            return {"std": lambda: x * 0, "var": lambda: x * 0}.get(name, lambda: x * 1)()
        if name == "prod":
            for a in sorted((a % x.ndim for a in axes), reverse=True):
                x = t.prod(x, a, keepdim=keepdims)
            return x
        if name in ("std", "var"):
            return getattr(t, name)(x, axes, keepdim=keepdims, **{"correction": 0, **options})
        return getattr(t, {"max": "amax", "min": "amin"}.get(name, name))(x, axes, keepdim=keepdims, **options)

    return run


def reduction(name: str, arg: Arg = CUBE, label: str = "", **options: Any) -> Row:
    return Row(name, lambda xp, x: getattr(xp, name)(x, **options), (arg,), torch=theirs(name, **options), label=label)


def cumulative(name: str, arg: Arg, label: str = "", **options: Any) -> Row:
    def torch(t: Any, x: Any) -> Any:
        axis = options.get("axis", 0)
        y = {"cumulative_sum": t.cumsum, "cumulative_prod": t.cumprod}[name](x, axis)
        if options.get("include_initial"):
            first = t.zeros_like if name == "cumulative_sum" else t.ones_like
            y = t.cat([first(x.narrow(axis, 0, 1)), y], axis)
        return y

    return Row(name, lambda xp, x: getattr(xp, name)(x, **options), (arg,), torch=torch, label=label)


ROWS = [
    *(
        reduction(name, label=label, **options)
        for name in ("sum", "mean", "max", "min", "prod", "var", "std")
        for label, options in AXES.items()
        if not (name == "std" and label == "none")  # all at the kink
    ),
    *(reduction(name, Arg(()), "0-d") for name in ("sum", "mean", "max", "min", "prod")),
    *(reduction(name, COMPLEX, "complex", axis=1) for name in ("sum", "mean", "prod", "var", "std")),
    *(reduction(name, TIES, "ties", axis=1) for name in ("max", "min")),
    *(reduction(name, TIES, "ties-all") for name in ("max", "min")),
    *(reduction(name, Arg((0, 3)), "size-0") for name in ("sum", "prod")),
    *(reduction(name, Arg((0, 3)), "size-0-kept", axis=1, keepdims=True) for name in ("sum", "prod", "mean")),
    *(reduction(name, CUBE, "correction", axis=(0, 2), correction=1) for name in ("var", "std")),
    Row(
        "var",
        lambda xp, x: xp.var(x, axis=0, correction=0.5),
        (Arg((4, 2)),),
        torch=lambda t, x: t.sum((x - t.mean(x, 0)) ** 2, 0) / 3.5,
        label="half-correction",
    ),
    Row(
        "sum",
        lambda xp, x: xp.sum(x, axis=0, dtype=xp.float64),
        (CUBE,),
        torch=lambda t, x: t.sum(x, 0),
        label="dtype",
        dtypes=("float64",),
    ),
    reduction("prod", ZEROS, "zeros", axis=1),
    reduction("prod", ZEROS, "zeros-all"),
    reduction("prod", ZEROS, "zeros-first", axis=0),
    *(
        cumulative(name, arg, label, **options)
        for name in ("cumulative_sum", "cumulative_prod")
        for arg, label, options in [
            (Arg((5,)), "1-d", {}),
            (Arg((1,)), "one", {}),
            (CUBE, "axis", {"axis": 1}),
            (CUBE, "last", {"axis": -1}),
            (Arg((5,)), "initial-1-d", {"include_initial": True}),
            (CUBE, "initial", {"axis": 1, "include_initial": True}),
            (ZEROS, "zeros", {"axis": 1}),
            (ZEROS, "zeros-first", {"axis": 0, "include_initial": True}),
            (COMPLEX, "complex", {"axis": 1}),
            (Arg((2, 0)), "size-0", {"axis": 1}),
        ]
    ),
]
