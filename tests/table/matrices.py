"""Rows for `xgrad.ops.beyond.matrices`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import Arg, Row


def _product(
    name: str, a: tuple[int, ...], b: tuple[int, ...], torch: Callable[..., Any] | None = None, kind: str = "float",
) -> Row:
    return Row(
        name, lambda xp, x, y: getattr(xp, name)(x, y), (Arg(a, kind=kind), Arg(b, kind=kind)), torch=torch,
        numpy=lambda np, x, y: getattr(np, name)(x, y), label=f"{a} {b}{' complex' * (kind == 'complex')}",
    )  # fmt: skip


def _diag(shape: tuple[int, ...], k: int) -> Row:
    return Row("diag", lambda xp, v: xp.diag(v, k), (Arg(shape),), torch=lambda t, v: t.diag(v, k), label=f"{shape} {k}")


ROWS = [
    *(
        _product("dot", a, b)
        for a, b in (
            ((3,), (3,)), ((2, 3), (3,)), ((3,), (3, 2)), ((2, 3), (3, 4)), ((2, 3), (4, 3, 2)), ((), (2, 3)), ((3,), ()),
        )
    ),
    *(
        _product("inner", a, b, lambda t, x, y: t.inner(x, y))
        for a, b in (((3,), (3,)), ((2, 3), (4, 3)), ((2, 3), (3,)), ((), (3,)))
    ),
    *(
        _product("outer", a, b, lambda t, x, y: t.outer(x.reshape(-1), y.reshape(-1)))
        for a, b in (((3,), (2,)), ((2, 2), (3,)), ((), (3,)))
    ),
    *(
        _product("kron", a, b, lambda t, x, y: t.kron(x, y))
        for a, b in (((2,), (3,)), ((2, 3), (3, 2)), ((2,), (2, 3)), ((2, 2, 1), (3,)), ((), (2,)))
    ),
    _product("kron", (2, 2), (2, 1), lambda t, x, y: t.kron(x, y), "complex"),
    _product("outer", (3,), (2,), lambda t, x, y: t.outer(x, y), "complex"),
    Row("diagonal_matrix", lambda xp, v: xp.diagonal_matrix(v, -2), (Arg((3,)),), torch=lambda t, v: t.diag(v, -2)),
    _product("dot", (2, 3), (3,), lambda t, x, y: x @ y, "complex"),
    *(_diag((3,), k) for k in (0, 2, -1)),
    *(_diag((3, 4), k) for k in (0, 1, -2)),
    _diag((0,), 1),
    Row("diagflat", lambda xp, v: xp.diagflat(v, -1), (Arg((2, 2)),), torch=lambda t, v: t.diagflat(v, -1)),
    Row("vander", lambda xp, x: xp.vander(x), (Arg((3,)),), torch=lambda t, x: t.linalg.vander(x).flip(1)),
    Row(
        "vander", lambda xp, x: xp.vander(x, 4, increasing=True), (Arg((3,), values=(0.0, -1.0, 2.0)),),
        torch=lambda t, x: t.linalg.vander(x, N=4), label="up",
    ),
    Row(
        "vander", lambda xp, x: xp.vander(x, 0), (Arg((3,)),), torch=lambda t, x: x.new_zeros(3, 0), label="none",
        differentiable=False,
    ),
]  # fmt: skip
