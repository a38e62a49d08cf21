"""Rows for `xgrad.ops.indexing`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import Arg, Row

X = Arg((3, 4))
CUBE = Arg((2, 3, 4))
ROWS_TAKEN = Arg((3,), kind="int", values=(2, 0, 2))


def get(label: str, key: Any, arg: Arg = X, name: str = "getitem", torch: Callable[..., Any] | None = None) -> Row:
    """A row for reading at a key that PyTorch takes as well."""
    return Row(name, lambda xp, x: x[key], (arg,), torch=torch or (lambda t, x: x[key]), label=label)


def put(label: str, key: Any, shape: tuple[int, ...], arg: Arg = X, **more: Any) -> Row:
    """A row for writing at a key that PyTorch takes as well."""

    def theirs(t: Any, x: Any, v: Any) -> Any:
        y = x.clone()
        y[key] = v
        return y

    return Row("setitem", lambda xp, x, v: xp.setitem(x, key, v), (arg, Arg(shape)), torch=theirs, label=label, **more)


MASK = np.array([[True, False, True, False], [False, False, True, True], [False, True, False, False]])
LAZY = {"dask": "the shape of x[mask] depends on values that are computed later"}

ROWS = [
    get("int", 1),
    get("negative", (-1, -2)),
    get("slice", slice(1, None)),
    get("beyond", slice(1, 99)),
    get("steps", (slice(None, None, 2), slice(3, 0, -2)), torch=lambda t, x: x.flip(1)[::2, 0:3:2]),
    get("backwards", slice(None, None, -1), torch=lambda t, x: x.flip(0)),
    get("none", (None, slice(None), None, 1)),
    get("ellipsis", (..., 2), CUBE),
    get("all", ...),
    get("empty", slice(2, 2)),
    get("0-d", (), Arg(())),
    get("complex", (slice(None), 1), Arg((3, 4), kind="complex")),
    get("list", [0, 0, 2], name="gather"),
    get("mixed", (slice(None), [0, -1, 0]), name="gather"),
    get("pairs", ([0, 2, 0], [1, 1, 1]), name="gather"),
    get("apart", ([0, 1], slice(None), [2, 2]), CUBE, name="gather"),
    get("beside", (slice(None), 1, [2, 0]), CUBE, name="gather"),
    Row("gather", lambda xp, x, i: x[i], (X, ROWS_TAKEN), torch=lambda t, x, i: x[i], label="tensor"),
    Row("gather", lambda xp, x: x[MASK], (X,), torch=lambda t, x: x[t.as_tensor(MASK)], label="mask", skip=LAZY),
    Row("gather", lambda xp, x: x[x > 0], (X,), torch=lambda t, x: x[x > 0], label="own-mask", skip=LAZY),
    put("int", 1, (4,)),
    put("slice", slice(1, None), (4,)),
    put("scalar", (slice(None), 2), ()),
    put("element", (0, 1), ()),
    put("all", ..., (3, 4)),
    put("lead", (0, slice(1, 3)), (1, 2), skip={"jax": "JAX does not drop leading axes of length one"}),
    put("list", [2, 0], (2, 4)),
    put("mixed", (slice(None), [3, 1]), (3, 1)),
    Row(
        "setitem",
        lambda xp, x, v: xp.setitem(x, MASK, v),
        (X, Arg((5,))),
        torch=lambda t, x, v: t.masked_scatter(x, t.as_tensor(MASK), v),
        label="mask",
        skip=LAZY,
    ),
    Row(
        "setitem",
        lambda xp, x, v: xp.setitem(x, [0, 1, 0], v),
        (Arg((3,)), Arg((3,))),
        torch=lambda t, x, v: t.stack([v[2], v[1], x[2]]),
        label="twice",
    ),
    Row("take", lambda xp, x, i: xp.take(x, i, axis=0), (X, ROWS_TAKEN), torch=lambda t, x, i: t.index_select(x, 0, i)),
    Row(
        "take", lambda xp, x, i: xp.take(x, i, axis=-1), (CUBE, ROWS_TAKEN), torch=lambda t, x, i: t.index_select(x, 2, i),
        label="axis",
    ),
    Row(
        "take", lambda xp, x, i: xp.take(x, i), (Arg((3,)), Arg((2,), kind="int", values=(-1, 0))), torch=lambda t, x, i: x[i],
        label="negative",
    ),
    Row(
        "take",
        lambda xp, x, i: xp.take(x, i, axis=1),
        (X, Arg((2, 2), kind="int", values=((0, 1), (3, 1)))),
        torch=lambda t, x, i: x[:, i],
        label="2-d",
    ),
    Row(
        "take_along_axis",
        lambda xp, x, i: xp.take_along_axis(x, i),
        (X, Arg((3, 2), kind="int", values=((0, 0), (3, 1), (2, 2)))),
        torch=lambda t, x, i: t.take_along_dim(x, i, -1),
    ),
    Row(
        "take_along_axis",
        lambda xp, x, i: xp.take_along_axis(x, i, axis=0),
        (X, Arg((2, 1), kind="int", values=((-1,), (0,)))),
        torch=lambda t, x, i: t.take_along_dim(x, i % 3, 0),
        label="broadcast",
    ),
]
