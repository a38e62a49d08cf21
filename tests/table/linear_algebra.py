"""Rows for `xgrad.ops.linear_algebra`."""

from __future__ import annotations

from typing import Any

from . import Arg, Row


def _pair(name: str, label: str, s1: tuple[int, ...], s2: tuple[int, ...], f: Any, torch: Any, kind: str = "float") -> Row:
    return Row(name, f, (Arg(s1, kind=kind), Arg(s2, kind=kind)), torch=torch, label=label)


_SHAPES: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "matrices": ((3, 4), (4, 5)),
    "one row": ((1, 4), (4, 5)),
    "inner length one": ((3, 1), (1, 5)),
    "one element": ((1, 1), (1, 1)),
    "vectors": ((4,), (4,)),
    "vector, matrix": ((4,), (4, 5)),
    "matrix, vector": ((3, 4), (4,)),
    "vector, stack": ((4,), (2, 4, 5)),
    "stack, vector": ((2, 3, 4), (4,)),
    "stack, matrix": ((2, 3, 4), (4, 5)),
    "matrix, stack": ((3, 4), (2, 4, 5)),
    "stacks": ((2, 3, 4), (2, 4, 5)),
    "broadcast stacks": ((2, 1, 3, 4), (3, 4, 2)),
    "stacks of outer products": ((2, 3, 1), (2, 1, 5)),
    "inner length zero": ((3, 0), (0, 5)),
    "empty stack": ((0, 2, 3), (3, 2)),
}

_AXES: dict[str, tuple[tuple[int, ...], tuple[int, ...], Any]] = {
    "outer": ((2,), (3,), 0),
    "one axis": ((2, 3), (3, 4), 1),
    "two axes": ((5, 2, 3), (2, 3, 4), 2),
    "named axes": ((3, 2, 4), (6, 4, 3), ((2, 0), (1, 2))),
    "all axes": ((2, 3), (3, 2), ((0, 1), (1, 0))),
    "negative axes": ((2, 3), (3, 4), ((-1,), (-2,))),
}

ROWS = [
    *(
        _pair("matmul", label, s1, s2, lambda xp, a, b: xp.matmul(a, b), lambda t, a, b: t.matmul(a, b))
        for label, (s1, s2) in _SHAPES.items()
    ),
    _pair("matmul", "complex", (2, 3, 4), (4, 5), lambda xp, a, b: a @ b, lambda t, a, b: a @ b, "complex"),
    Row("matmul", lambda xp, a: a @ a, (Arg((3, 3)),), torch=lambda t, a: a @ a, label="x@x"),
    Row("matrix_transpose", lambda xp, a: xp.matrix_transpose(a), (Arg((2, 3, 4)),), torch=lambda t, a: a.mT),
    *(
        _pair(
            "tensordot", label, s1, s2,
            lambda xp, a, b, axes=axes: xp.tensordot(a, b, axes=axes), lambda t, a, b, axes=axes: t.tensordot(a, b, dims=axes),
        )
        for label, (s1, s2, axes) in _AXES.items()
    ),
    _pair(
        "tensordot", "complex", (2, 3), (3, 4), lambda xp, a, b: xp.tensordot(a, b, axes=1),
        lambda t, a, b: t.tensordot(a, b, dims=1), "complex",
    ),
    _pair("vecdot", "vectors", (3,), (3,), lambda xp, a, b: xp.vecdot(a, b), lambda t, a, b: t.linalg.vecdot(a, b)),
    _pair("vecdot", "broadcast", (2, 3), (3,), lambda xp, a, b: xp.vecdot(a, b), lambda t, a, b: t.linalg.vecdot(a, b)),
    _pair("vecdot", "axis", (4, 3, 2), (3, 2), lambda xp, a, b: xp.vecdot(a, b, axis=-2), lambda t, a, b: (a * b).sum(-2)),
    _pair("vecdot", "axis from the front", (3, 2), (3,), lambda xp, a, b: xp.vecdot(a, b, axis=0), lambda t, a, b: b @ a),
    _pair(
        "vecdot", "complex axis from the front", (2, 3), (4, 3, 2), lambda xp, a, b: xp.vecdot(a, b, axis=1),
        lambda t, a, b: t.einsum("jk,ikj->ij", a.conj(), b), "complex",
    ),
    _pair("vecdot", "complex", (2, 3), (3,), lambda xp, a, b: xp.vecdot(a, b), lambda t, a, b: t.linalg.vecdot(a, b), "complex"),
]  # fmt: skip
