"""Rows for `xgrad.ops.beyond.grouping`."""

from __future__ import annotations

from . import Arg, Row

IDS = Arg((5,), kind="int", values=(2, 0, 2, 3, 0))
DATA = Arg((5, 3))
TIED = Arg((5,), values=(1.0, 3.0, 1.0, 2.0, 3.0))

ROWS = [
    Row(
        "segment_sum", lambda xp, x, i: xp.segment_sum(x, i, 4), (DATA, IDS),
        torch=lambda t, x, i: t.zeros(4, 3, dtype=x.dtype).index_add(0, i, x),
    ),
    Row("segment_sum", lambda xp, x, i: xp.segment_sum(x, i), (Arg((5,)), IDS), label="number found",
        torch=lambda t, x, i: t.zeros(4, dtype=x.dtype).index_add(0, i, x)),
    Row("segment_max", lambda xp, x, i: xp.segment_max(x, i, 4)[xp.asarray([0, 2, 3], device=x.device)], (DATA, IDS),
        torch=lambda t, x, i: t.stack([x[i == k].amax(0) for k in (0, 2, 3)])),
    Row("segment_max", lambda xp, x, i: xp.segment_max(x, i)[xp.asarray([0, 2, 3], device=x.device)], (TIED, IDS), label="ties",
        torch=lambda t, x, i: t.stack([x[i == k].amax(0) for k in (0, 2, 3)])),
    Row("segment_min", lambda xp, x, i: xp.segment_min(x, i, 4)[xp.asarray([0, 2, 3], device=x.device)], (DATA, IDS),
        torch=lambda t, x, i: t.stack([x[i == k].amin(0) for k in (0, 2, 3)])),
    Row(
        "bincount", lambda xp, i, w: xp.bincount(i, w), (IDS, Arg((5,))),
        torch=lambda t, i, w: t.zeros(4, dtype=w.dtype).index_add(0, i, w),
    ),
    Row("bincount", lambda xp, i, w: xp.bincount(i, w, minlength=6), (IDS, Arg((5,))), label="longer",
        torch=lambda t, i, w: t.zeros(6, dtype=w.dtype).index_add(0, i, w)),
    Row("bincount", lambda xp, i: xp.bincount(i), (IDS,), label="counts", torch=lambda t, i: t.bincount(i), differentiable=False),
    Row("digitize", lambda xp, x, b: xp.digitize(x, b), (Arg((3, 4)), Arg((3,), values=(-1.0, 0.0, 1.0))),
        torch=lambda t, x, b: t.bucketize(x, b, right=True), differentiable=False),
    Row(
        "digitize", lambda xp, x, b: xp.digitize(x, b, right=True),
        (Arg((4,), values=(2.0, 1.0, 0.5, -3.0)), Arg((3,), values=(1.0, 0.5, -1.0))),
        numpy=lambda np, x, b: np.digitize(x, b, right=True), label="down", differentiable=False,
    ),
    Row("top_k", lambda xp, x: tuple(xp.top_k(x, 2)), (Arg((3, 4)),), torch=lambda t, x: tuple(t.topk(x, 2))),
]  # fmt: skip
