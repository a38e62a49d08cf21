"""Rows for `xgrad.ops.linalg`.

Where factors are determined only up to a sign or phase, a row is about what is not: absolute values, projections.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from xgrad.ops import linalg as chapter

from . import Arg, Row


def _h(xp: Any, a: Any) -> Any:
    return xp.conj(a.mT) if "complex" in str(a.dtype) else a.mT


def _positive(xp: Any, a: Any) -> Any:
    return a @ _h(xp, a) + a.shape[-1] * xp.eye(a.shape[-1], dtype=a.dtype, device=a.device)


def _hermitian(xp: Any, a: Any) -> Any:
    return a + _h(xp, a)


def _well(n: int, *stack: int, kind: str = "float") -> Arg:
    return Arg((*stack, n, n), kind=kind)


def _rows(name: str, args: dict[str, tuple[Arg, ...]], f: Any, torch: Any = None, label: str = "", order: int = 2) -> list[Row]:
    """One row for each kind of arguments; the same `f` serves xgrad and PyTorch unless there is a `torch`."""
    made = []
    for kind, arg in args.items():
        made.append(Row(name, f, arg, torch=torch or f, label=" ".join(filter(None, (label, kind))), order=order))
    return made


_SQUARE = {
    "square": (_well(3),),
    "batched": (_well(3, 2),),
    "complex": (_well(3, kind="complex"),),
    "one by one": (_well(1),),
}
_SHAPES = {
    "square": (Arg((3, 3)),),
    "tall": (Arg((2, 4, 3)),),
    "wide": (Arg((3, 4)),),
    "complex tall": (Arg((4, 3), kind="complex"),),
    "complex wide": (Arg((3, 4), kind="complex"),),
    "complex square": (Arg((3, 3), kind="complex"),),
}
_VECTORS = {"vector": (Arg((5,)),), "matrix": (Arg((2, 3)),), "complex": (Arg((2, 3), kind="complex"),)}


def _svd(xp: Any, a: Any) -> Any:
    u, s, vh = xp.linalg.svd(a, full_matrices=False)
    return xp.abs(u), s, xp.abs(vh), (u * s[..., None, :] ** 2) @ vh


def _svd_full(xp: Any, a: Any) -> Any:
    u, s, vh = xp.linalg.svd(a, full_matrices=True)
    k = s.shape[-1]
    return u[..., k:] @ _h(xp, u[..., k:]), _h(xp, vh[..., k:, :]) @ vh[..., k:, :], s


def _svd_projections(xp: Any, a: Any) -> Any:  # PyTorch does not differentiate full matrices; these are the projections
    u, s, vh = xp.linalg.svd(a, full_matrices=False)
    eye_m, eye_n = (xp.eye(n, dtype=a.dtype) for n in (u.shape[-2], vh.shape[-1]))
    return eye_m - u @ _h(xp, u), eye_n - _h(xp, vh) @ vh, s


def _eigh(xp: Any, a: Any) -> Any:
    w, v = xp.linalg.eigh(_hermitian(xp, a))
    return w, xp.abs(v) ** 2, (v * xp.sin(w)[..., None, :]) @ _h(xp, v)


def _eig(xp: Any, a: Any) -> Any:  # nothing that depends on the order or on phases
    w, v = xp.linalg.eig(a)
    power = (v * xp.sin(w)[..., None, :]) @ xp.linalg.inv(v)
    return xp.sum(w * w * w, axis=-1), xp.sum(xp.abs(v) ** 2 * xp.imag(w * w)[..., None, :] + xp.abs(v) ** 3, axis=-1), power


def _eigvals(xp: Any, a: Any) -> Any:
    w = xp.linalg.eigvals(a)
    return xp.sum(xp.exp(w), axis=-1), xp.sum(xp.abs(w) ** 3, axis=-1)


def _qr_complete(xp: Any, a: Any) -> Any:
    q, r = xp.linalg.qr(a, mode="complete")
    k = min(a.shape[-2:])
    return q[..., :k], q[..., k:] @ _h(xp, q[..., k:]), r


def _qr_completed(xp: Any, a: Any) -> Any:
    q, r = xp.linalg.qr(a, mode="reduced")
    eye = xp.eye(a.shape[-2], dtype=a.dtype)
    return q, eye - q @ _h(xp, q), xp.cat([r, xp.zeros(a.shape[-2] - r.shape[-2], r.shape[-1], dtype=a.dtype)])


_NO_EIG = {"dask": "Dask has no eigenvalues of general matrices"}

ROWS = [
    *_rows("cholesky", _SQUARE, lambda xp, a: xp.linalg.cholesky(_positive(xp, a))),
    *_rows(
        "cholesky", {k: _SQUARE[k] for k in ("square", "complex")}, lambda xp, a: xp.linalg.cholesky(_positive(xp, a), upper=True),
        label="upper",
    ),
    *_rows("det", _SQUARE, lambda xp, a: xp.linalg.det(a)),
    *_rows("slogdet", _SQUARE, lambda xp, a: tuple(xp.linalg.slogdet(a))),
    *_rows("inv", _SQUARE, lambda xp, a: xp.linalg.inv(_positive(xp, a))),
    *_rows(
        "cofactors", _SQUARE, lambda xp, a: chapter.cofactors([a]), lambda t, a: (t.linalg.det(a)[..., None, None] * t.linalg.inv(a)).mT
    ),
    *(replace(row, skip=_NO_EIG) for row in _rows("eig", _SQUARE | {"random": (Arg((2, 4, 4)),)}, _eig)),
    *(replace(row, skip=_NO_EIG) for row in _rows("eigvals", _SQUARE, _eigvals)),
    *_rows("eigh", _SQUARE, _eigh),
    *_rows("eigvalsh", _SQUARE, lambda xp, a: xp.linalg.eigvalsh(_hermitian(xp, a))),
    *_rows("svd", _SHAPES, _svd),
    *_rows("svd", {k: _SHAPES[k] for k in ("wide", "complex tall")}, _svd_full, _svd_projections, label="full"),
    *_rows("svdvals", _SHAPES, lambda xp, a: xp.linalg.svdvals(a)),
    *_rows("qr", _SHAPES, lambda xp, a: tuple(xp.linalg.qr(a, mode="reduced"))),
    Row("qr", _qr_complete, (Arg((4, 2)),), torch=_qr_completed, label="complete"),
    *_rows("pinv", _SHAPES, lambda xp, a: xp.linalg.pinv(a)),
    *_rows(
        "solve",
        {
            "vector": (_well(3), Arg((3,))),
            "stack, vector": (_well(3, 2), Arg((3,))),
            "matrix": (_well(3), Arg((3, 2))),
            "stacks": (_well(3, 2, 1), Arg((2, 3, 2))),
            "complex": (_well(3, kind="complex"), Arg((3, 2), kind="complex")),
        },
        lambda xp, a, b: xp.linalg.solve(_positive(xp, a), b),
        lambda t, a, b: t.linalg.solve(_positive(t, a), b) if b.ndim > 1 else t.linalg.solve(_positive(t, a), b[:, None])[..., 0],
    ),
    Row(
        "matrix_rank", lambda xp, a: xp.linalg.matrix_rank(a), (Arg((2, 3, 4)),), torch=lambda t, a: t.linalg.matrix_rank(a),
        differentiable=False,
    ),
    *(
        Row(
            "diagonal", lambda xp, a, k=k: xp.linalg.diagonal(a, offset=k), (Arg(shape),),
            torch=lambda t, a, k=k: t.diagonal(a, k, -2, -1), label=f"{shape} {k}",
        )
        for shape in ((2, 3, 4), (4, 3))
        for k in (0, 1, -1, 2)
    ),
    Row("trace", lambda xp, a: xp.linalg.trace(a), (Arg((2, 3, 4)),), torch=lambda t, a: t.diagonal(a, 0, -2, -1).sum(-1)),
    Row(
        "trace", lambda xp, a: xp.linalg.trace(a, offset=-1), (Arg((3, 3), kind="complex"),),
        torch=lambda t, a: t.diagonal(a, -1, -2, -1).sum(-1), label="offset",
    ),
    Row("outer", lambda xp, a, b: xp.linalg.outer(a, b), (Arg((2,)), Arg((3,))), torch=lambda t, a, b: t.outer(a, b)),
    Row(
        "cross", lambda xp, a, b: xp.linalg.cross(a, b), (Arg((2, 3)), Arg((2, 3))), torch=lambda t, a, b: t.linalg.cross(a, b)
    ),
    Row(
        "cross", lambda xp, a, b: xp.linalg.cross(a, b, axis=-2), (Arg((2, 3, 1)), Arg((3, 4))),
        torch=lambda t, a, b: t.linalg.cross(a, b[None], dim=-2), label="broadcast",
    ),
    *(
        Row(
            "matrix_power", lambda xp, a, n=n: xp.linalg.matrix_power(a, n), (Arg((2, 3, 3)),),
            torch=lambda t, a, n=n: t.linalg.matrix_power(a, n), label=str(n),
        )
        for n in (1, 2, 5, -2)
    ),
    *(
        row
        for p in (2, 1, 3, 1.5, -1, math.inf, -math.inf)
        for row in _rows(
            "vector_norm", _VECTORS, lambda xp, a, p=p: xp.linalg.vector_norm(a, ord=p),
            lambda t, a, p=p: t.linalg.vector_norm(a, ord=p), label=str(p),
        )
    ),
    *(
        Row(
            "vector_norm", lambda xp, a, p=p, axis=axis, keep=keep: xp.linalg.vector_norm(a, ord=p, axis=axis, keepdims=keep),
            (Arg((2, 3, 4)),), torch=lambda t, a, p=p, axis=axis, keep=keep: t.linalg.vector_norm(a, ord=p, dim=axis, keepdim=keep),
            label=f"{p} along {axis}{' kept' * keep}",
        )
        for p in (2, math.inf, 3)
        for axis, keep in ((1, False), ((0, -1), False), ((0, 2), True))
    ),
    *(
        Row(
            "matrix_norm", lambda xp, a, p=p, keep=keep: xp.linalg.matrix_norm(a, ord=p, keepdims=keep), (Arg((2, 3, 4)),),
            torch=lambda t, a, p=p, keep=keep: t.linalg.matrix_norm(a, ord=p, keepdim=keep), label=f"{p}{' kept' * keep}",
        )
        for p, keep in (("fro", False), ("nuc", True), (1, False), (-1, True), (2, True), (-2, False), (math.inf, True), (-math.inf, False))
    ),
]  # fmt: skip
