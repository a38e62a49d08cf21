"""Rows for `xgrad.ops.creation`."""

from __future__ import annotations

from . import Arg, Row

X = Arg((3, 4))
LINE = Arg((3,))

ROWS = [
    Row("tril", lambda xp, x: xp.tril(x), (X,), torch=lambda t, x: t.tril(x)),
    Row("tril", lambda xp, x: xp.tril(x, k=-1), (Arg((2, 3, 3)),), torch=lambda t, x: t.tril(x, -1), label="below"),
    Row("triu", lambda xp, x: xp.triu(x), (X,), torch=lambda t, x: t.triu(x)),
    Row(
        "triu", lambda xp, x: xp.triu(x, k=1), (Arg((2, 3, 3), kind="complex"),), torch=lambda t, x: t.triu(x, 1),
        label="complex",
    ),
    Row("meshgrid", lambda xp, a, b: xp.meshgrid(a, b), (LINE, Arg((2,))), torch=lambda t, a, b: t.meshgrid(a, b, indexing="xy")),
    Row(
        "meshgrid",
        lambda xp, a, b, c: xp.meshgrid(a, b, c, indexing="ij"),
        (LINE, Arg((2,)), Arg((1,))),
        torch=lambda t, a, b, c: t.meshgrid(a, b, c, indexing="ij"),
        label="ij",
    ),
    Row("clone", lambda xp, x: xp.asarray(x, copy=True), (X,), torch=lambda t, x: x.clone()),
    Row(
        "asarray", lambda xp, a, b: xp.asarray([[a, 1], [0, b * a]]), (Arg(()), Arg(())),
        torch=lambda t, a, b: t.stack([a, a * 0 + 1, a * 0, b * a]).reshape(2, 2),
    ),
    Row(
        "asarray", lambda xp, a, b: xp.asarray([a, [b, 2.0, b]]), (LINE, Arg(())),
        torch=lambda t, a, b: t.stack([a, t.stack([b, b * 0 + 2, b])]), label="rows",
    ),
    Row("full", lambda xp, x: xp.full((2, 3), x), (Arg(()),), torch=lambda t, x: x.broadcast_to((2, 3))),
    Row(
        "full_like", lambda xp, x, v: xp.full_like(x, v), (Arg((2, 3), grad=False), Arg(())),
        torch=lambda t, x, v: v.broadcast_to((2, 3)), label="tensor",
    ),
    Row("full_like", lambda xp, x: xp.full_like(x, 2.0), (X,), torch=lambda t, x: t.full_like(x, 2.0), differentiable=False),
    Row("zeros_like", lambda xp, x: xp.zeros_like(x), (X,), torch=lambda t, x: t.zeros_like(x), differentiable=False),
    Row("ones_like", lambda xp, x: xp.ones_like(x), (X,), torch=lambda t, x: t.ones_like(x), differentiable=False),
    Row(
        "empty_like", lambda xp, x: xp.empty_like(x) * 0, (X,), torch=lambda t, x: t.zeros_like(x), differentiable=False,
        skip={
            "numpy": "memory may hold NaN", "strict": "memory may hold NaN", "torch": "memory may hold NaN",
            "jax": "memory may hold NaN", "dask": "memory may hold NaN",
        },
    ),
    Row(
        "linspace", lambda xp, a, b: xp.linspace(a, b, 5), (Arg(()), Arg(())),
        torch=lambda t, a, b: a + (b - a) * t.arange(5) / 4,
    ),
    Row(
        "linspace", lambda xp, a: xp.linspace(a, 3.0, 4, endpoint=False), (Arg(()),),
        torch=lambda t, a: a + (3 - a) * t.arange(4) / 4, label="half",
    ),
]
