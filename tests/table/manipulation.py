"""Rows for `xgrad.ops.manipulation`."""

from __future__ import annotations

from . import Arg, Row

X = Arg((2, 3))
CUBE = Arg((2, 3, 4))
THIN = Arg((1, 3, 1))
VECTOR = Arg((4,))

ROWS = [
    Row("reshape", lambda xp, x: xp.reshape(x, (3, 2)), (X,), torch=lambda t, x: t.reshape(x, (3, 2))),
    Row("reshape", lambda xp, x: xp.reshape(x, (-1,)), (CUBE,), torch=lambda t, x: t.reshape(x, (-1,)), label="flat"),
    Row("reshape", lambda xp, x: xp.reshape(x, (6,), copy=True), (X,), torch=lambda t, x: t.reshape(x, (6,)), label="copy"),
    Row(
        "reshape",
        lambda xp, x: xp.reshape(x, (4, -1)),
        (Arg((2, 4), kind="complex"),),
        torch=lambda t, x: t.reshape(x, (4, -1)),
        label="complex",
    ),
    Row("expand_dims", lambda xp, x: xp.expand_dims(x, axis=1), (X,), torch=lambda t, x: x[:, None]),
    Row("expand_dims", lambda xp, x: xp.expand_dims(x, axis=(0, -1)), (X,), torch=lambda t, x: x[None, :, :, None], label="two"),
    Row("squeeze", lambda xp, x: xp.squeeze(x, axis=0), (THIN,), torch=lambda t, x: t.squeeze(x, 0)),
    Row("squeeze", lambda xp, x: xp.squeeze(x, axis=(0, -1)), (THIN,), torch=lambda t, x: t.squeeze(x), label="two"),
    Row("permute_dims", lambda xp, x: xp.permute_dims(x, (2, 0, 1)), (CUBE,), torch=lambda t, x: t.permute(x, (2, 0, 1))),
    Row(
        "permute_dims",
        lambda xp, x: xp.permute_dims(x, (-1, 0, -2)),
        (CUBE,),
        torch=lambda t, x: t.permute(x, (2, 0, 1)),
        label="negative",
    ),
    Row("moveaxis", lambda xp, x: xp.moveaxis(x, 0, -1), (CUBE,), torch=lambda t, x: t.moveaxis(x, 0, -1)),
    Row(
        "moveaxis", lambda xp, x: xp.moveaxis(x, (0, 1), (2, 0)), (CUBE,), torch=lambda t, x: t.moveaxis(x, (0, 1), (2, 0)),
        label="two",
    ),
    Row("flip", lambda xp, x: xp.flip(x), (X,), torch=lambda t, x: t.flip(x, (0, 1))),
    Row("flip", lambda xp, x: xp.flip(x, axis=-1), (X,), torch=lambda t, x: t.flip(x, (1,)), label="axis"),
    Row("flip", lambda xp, x: xp.flip(x, axis=(0, 2)), (CUBE,), torch=lambda t, x: t.flip(x, (0, 2)), label="axes"),
    Row("roll", lambda xp, x: xp.roll(x, 2), (X,), torch=lambda t, x: t.roll(x, 2)),
    Row("roll", lambda xp, x: xp.roll(x, -1, axis=1), (X,), torch=lambda t, x: t.roll(x, -1, 1), label="axis"),
    Row(
        "roll", lambda xp, x: xp.roll(x, (1, -2), axis=(0, 2)), (CUBE,), torch=lambda t, x: t.roll(x, (1, -2), (0, 2)),
        label="axes",
    ),
    Row("broadcast_to", lambda xp, x: xp.broadcast_to(x, (4, 2, 3)), (X,), torch=lambda t, x: t.broadcast_to(x, (4, 2, 3))),
    Row(
        "broadcast_to", lambda xp, x: xp.broadcast_to(x, (2, 3, 2)), (THIN,), torch=lambda t, x: t.broadcast_to(x, (2, 3, 2)),
        label="ones",
    ),
    Row(
        "broadcast_to", lambda xp, x: xp.broadcast_to(x, (2,)), (Arg(()),), torch=lambda t, x: t.broadcast_to(x, (2,)),
        label="0-d",
    ),
    Row(
        "broadcast_arrays",
        lambda xp, a, b: xp.broadcast_arrays(a, b),
        (Arg((3, 1)), Arg((1, 4))),
        torch=lambda t, a, b: t.broadcast_tensors(a, b),
    ),
    Row("concat", lambda xp, a, b: xp.concat([a, b]), (X, Arg((1, 3))), torch=lambda t, a, b: t.concat([a, b])),
    Row(
        "concat", lambda xp, a, b: xp.concat([a, b, a], axis=-1), (X, Arg((2, 1))),
        torch=lambda t, a, b: t.concat([a, b, a], -1), label="axis",
    ),
    Row(
        "concat",
        lambda xp, a, b: xp.concat([a, b], axis=None),
        (X, VECTOR),
        torch=lambda t, a, b: t.concat([a.reshape(-1), b]),
        label="flat",
    ),
    Row("concat", lambda xp, a, b: xp.concat([a, b]), (Arg((0, 3)), X), torch=lambda t, a, b: t.concat([a, b]), label="empty"),
    Row("stack", lambda xp, a, b: xp.stack([a, b]), (X, X), torch=lambda t, a, b: t.stack([a, b])),
    Row(
        "stack", lambda xp, a, b: xp.stack((a, b, a), axis=-1), (X, X), torch=lambda t, a, b: t.stack((a, b, a), -1),
        label="axis",
    ),
    Row("unstack", lambda xp, x: xp.unstack(x), (X,), torch=lambda t, x: t.unbind(x)),
    Row("unstack", lambda xp, x: xp.unstack(x, axis=1)[::2], (CUBE,), torch=lambda t, x: t.unbind(x, 1)[::2], label="some"),
    Row("repeat", lambda xp, x: xp.repeat(x, 2), (X,), torch=lambda t, x: t.repeat_interleave(x, 2)),
    Row("repeat", lambda xp, x: xp.repeat(x, 3, axis=-1), (X,), torch=lambda t, x: t.repeat_interleave(x, 3, -1), label="axis"),
    Row(
        "repeat",
        lambda xp, x, n: xp.repeat(x, n, axis=0),
        (Arg((3, 2)), Arg((3,), kind="int", values=(2, 0, 1))),
        torch=lambda t, x, n: t.repeat_interleave(x, n, 0),
        label="array",
        skip={"dask": "dask repeats by one number only"},
    ),
    Row(
        "repeat",
        lambda xp, x, n: xp.repeat(x, n),
        (Arg((2, 2)), Arg((4,), kind="int", values=(1, 2, 0, 3))),
        torch=lambda t, x, n: t.repeat_interleave(x.reshape(-1), n),
        label="array-flat",
        skip={"dask": "dask repeats by one number only"},
    ),
    Row("tile", lambda xp, x: xp.tile(x, (2, 1)), (X,), torch=lambda t, x: t.tile(x, (2, 1))),
    Row("tile", lambda xp, x: xp.tile(x, (2, 1, 3)), (X,), torch=lambda t, x: t.tile(x, (2, 1, 3)), label="new-axis"),
    Row("tile", lambda xp, x: xp.tile(x, (2,)), (X,), torch=lambda t, x: t.tile(x, (2,)), label="short"),
]
