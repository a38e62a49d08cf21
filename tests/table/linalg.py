"""Rows for `xgrad.ops.linalg`.

Where factors are determined only up to a sign or phase, rows compare absolute values or projections.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np

from xgrad.ops.beyond.matrix_functions import matrix_derivative
from xgrad.ops.linalg.determinants import cofactors
from xgrad.ops.linalg.pseudoinverse import across_gap, kept_rows

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


def _eig(xp: Any, a: Any) -> Any:  # independent of the order and of phases
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


def _with_values(m: int, n: int, values: tuple[float, ...], kind: str = "float", hermitian: bool = False) -> Arg:
    """A matrix with these singular values; or eigenvalues, if it is Hermitian."""
    rng = np.random.default_rng([m, n, len(values)])
    u, v = (np.linalg.qr(rng.normal(size=(k, k)) + (1j * rng.normal(size=(k, k)) if kind == "complex" else 0))[0] for k in (m, n))
    v = u if hermitian else v
    x = (u[:, : len(values)] * np.asarray(values)) @ v[:, : len(values)].conj().T
    return Arg((m, n), kind=kind, values=tuple(map(tuple, ((x + x.conj().T) / 2 if hermitian else x).tolist())))


# A tolerance of 0.3 keeps two values and drops others that are not zero. Equal values are checked in tests/ops/test_linalg.py:
# PyTorch's derivatives are wrong there.
_TRUNCATED = {
    "square": (_with_values(3, 3, (3.0, 2.0, 0.5)),),
    "tall": (_with_values(5, 3, (3.0, 2.0, 0.5)),),
    "wide": (_with_values(3, 4, (3.0, 2.0, 0.5)),),
    "complex tall": (_with_values(4, 3, (3.0, 2.0, 0.5), "complex"),),
    "complex wide": (_with_values(2, 3, (3.0, 0.5), "complex"),),
}
_KEPT = {"square": 2, "tall": 2, "wide": 2, "complex tall": 2, "complex wide": 1}


def _truncated(t: Any, a: Any, k: int) -> Any:
    u, s, vh = t.linalg.svd(a, full_matrices=False)
    return (_h(t, vh[:k]) / s[:k]) @ _h(t, u[:, :k])


def _kept_rows(t: Any, a: Any) -> Any:
    vh = t.linalg.svd(a, full_matrices=False)[2][:2]
    return _h(t, vh) @ vh


def _across_gap(t: Any, a: Any, r: Any) -> Any:
    _, s, vh = t.linalg.svd(a, full_matrices=False)
    inner = (vh @ r @ _h(t, vh))[2:, :2]
    return _h(t, vh[2:]) @ (inner / (s[:2] ** 2 - s[2:, None] ** 2)) @ vh[:2]


def _cofactors_along(t: Any, a: Any, b: Any) -> Any:
    inverse = t.linalg.inv(a)
    along = inverse @ b
    trace = along.diagonal(0, -2, -1).sum(-1)[..., None, None]
    return t.linalg.det(a)[..., None, None] * (trace * inverse - along @ inverse).mT


def _function(f: Any) -> Any:
    def reference(t: Any, a: Any) -> Any:
        w, v = t.linalg.eigh(_hermitian(t, a))
        y = f(t, w)
        return (v.to(y.dtype) if y.is_complex() else v) * y[..., None, :] @ _h(t, v).to(t.promote_types(v.dtype, y.dtype))

    return lambda xp, a: xp.linalg.matrix_function(_hermitian(xp, a), lambda w: f(xp, w)), reference


def _exp_along(t: Any, a: Any, b: Any) -> Any:  # the upper right block of the exponential of a larger matrix
    a = _hermitian(t, a)
    block = t.cat([t.cat([a, b], dim=-1), t.cat([t.zeros_like(a), a], dim=-1)], dim=-2)
    return t.linalg.matrix_exp(block)[..., :3, 3:]


_NO_EIG = {"dask": "Dask has no eigenvalues of general matrices"}

ROWS = [
    *_rows("cholesky", _SQUARE, lambda xp, a: xp.linalg.cholesky(_positive(xp, a))),
    *_rows(
        "cholesky", {k: _SQUARE[k] for k in ("square", "complex")},
        lambda xp, a: xp.linalg.cholesky(_positive(xp, a), upper=True), label="upper",
    ),
    *_rows("det", _SQUARE, lambda xp, a: xp.linalg.det(a)),
    *_rows("slogdet", _SQUARE, lambda xp, a: tuple(xp.linalg.slogdet(a))),
    *_rows("inv", _SQUARE, lambda xp, a: xp.linalg.inv(_positive(xp, a))),
    *_rows(
        "cofactors", _SQUARE, lambda xp, a: cofactors([a]), lambda t, a: (t.linalg.det(a)[..., None, None] * t.linalg.inv(a)).mT
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
    *(
        row
        for kind, arg in _TRUNCATED.items()
        for row in _rows(
            "pinv", {kind: arg}, lambda xp, a: xp.linalg.pinv(a, rtol=0.3),
            lambda t, a, k=_KEPT[kind]: _truncated(t, a, k), label="truncated",
        )
    ),
    *_rows(
        "kept_rows", {k: _TRUNCATED[k] for k in ("square", "tall", "complex tall")},
        lambda xp, a: kept_rows(a, rtol=0.3), _kept_rows,
    ),
    *_rows(
        "across_gap",
        {
            "tall": (*_TRUNCATED["tall"], Arg((3, 3))),
            "complex": (*_TRUNCATED["complex tall"], Arg((3, 3), kind="complex")),
            "of a fixed matrix": (replace(*_TRUNCATED["tall"], grad=False), Arg((3, 3))),
        },
        lambda xp, a, r: across_gap(a, r, rtol=0.3), _across_gap,
    ),
    *_rows(
        "cofactors", {k: 2 * _SQUARE[k] for k in ("square", "batched", "complex")}, lambda xp, a, b: cofactors([a, b]),
        _cofactors_along, label="along",
    ),
    Row("cofactors", lambda xp, a, b, c: cofactors([a, b, c]), (_well(4), _well(4), _well(4)), label="along two"),
    *(
        replace(row, dtypes=dtypes)
        for label, f, dtypes in (
            ("sin", lambda xp, w: xp.sin(w), ("float64", "float32")),
            ("complex", lambda xp, w: xp.exp(1j * w), ("float64",)),
        )
        for row in _rows("matrix_function", {k: _SQUARE[k] for k in ("square", "batched", "complex")}, *_function(f), label=label)
    ),
    *_rows(
        "matrix_derivative", {k: (*_SQUARE[k], *_SQUARE[k]) for k in ("square", "complex")},
        lambda xp, a, b: matrix_derivative([_hermitian(xp, a), b], lambda xp, w, order: xp.exp(w)), _exp_along,
    ),
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
    Row(
        "cross", lambda xp, a, b: xp.linalg.cross(a, b, axis=0), (Arg((3, 2)), Arg((3,))),
        torch=lambda t, a, b: t.linalg.cross(a, b[:, None].expand(3, 2), dim=0), label="from the front",
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
            (Arg((2, 3, 4)),),
            torch=lambda t, a, p=p, axis=axis, keep=keep: t.linalg.vector_norm(a, ord=p, dim=axis, keepdim=keep),
            label=f"{p} along {axis}{' kept' * keep}",
        )
        for p in (2, math.inf, 3) for axis, keep in ((1, False), ((0, -1), False), ((0, 2), True))
    ),
    *(
        Row(
            "matrix_norm", lambda xp, a, p=p, keep=keep: xp.linalg.matrix_norm(a, ord=p, keepdims=keep), (Arg((2, 3, 4)),),
            torch=lambda t, a, p=p, keep=keep: t.linalg.matrix_norm(a, ord=p, keepdim=keep), label=f"{p}{' kept' * keep}",
        )
        for p, keep in (
            ("fro", False), ("nuc", True), (1, False), (-1, True), (2, True), (-2, False), (math.inf, True), (-math.inf, False),
        )
    ),
]  # fmt: skip
