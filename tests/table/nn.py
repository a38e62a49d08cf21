"""Rows of the ops that `xgrad.nn.functional` adds."""

from __future__ import annotations

from xgrad.nn import functional as F

from . import Arg, Row

P, T = Arg((3, 4), 0.05, 0.95), Arg((3, 4), 0.0, 1.0)

ROWS: list[Row] = [
    Row("bce", lambda xp, p, t: F.bce(p, t), (P, T), torch=lambda t, p, y: -(y * t.log(p) + (1 - y) * t.log1p(-p))),
    Row(
        "bce_with_logits", lambda xp, z, t: F.bce_with_logits(z, t), (Arg((3, 4), -5.0, 5.0), T),
        torch=lambda t, z, y: t.nn.functional.softplus(z) - y * z,
    ),
    Row(
        "softmax_cross_entropy",
        lambda xp, x, y: F.softmax_cross_entropy(x, y),
        (Arg((3, 4)), T),
        torch=lambda t, x, y: -t.sum(y * t.log_softmax(x, -1), -1),
    ),
    *(
        Row(
            "label_cross_entropy", lambda xp, x, y: F.label_cross_entropy(x, y), (Arg(shape), Arg(shape[:-1], 0, 4, kind="int")),
            torch=lambda t, x, y: -t.take_along_dim(t.log_softmax(x, -1), y[..., None], -1)[..., 0],
            label=str(shape),
        )
        for shape in ((3, 4), (2, 3, 4), (4,))
    ),
]
