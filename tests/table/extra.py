"""Rows for `xgrad.ops.neural`, `einsum`, `pad`, `scatter_add` and `new_zeros`."""

from __future__ import annotations

from typing import Any

from . import Arg, Row

SHAPE = (3, 4)
WIDE = Arg(SHAPE, -6.0, 6.0)
COMPLEX = Arg(SHAPE, kind="complex")


def _activation(name: str, torch: Any, **more: Any) -> Row:
    return Row(name, lambda xp, x: getattr(xp, name)(x), (WIDE,), torch=torch, elementwise=True, **more)


def _along(name: str, axis: Any, **more: Any) -> Row:
    return Row(
        name, lambda xp, x: getattr(xp, name)(x, axis=axis, **more), (Arg(SHAPE),),
        torch=lambda t, x: getattr(t, name)(x, axis, **({"keepdim": True} if more else {})), label=f"{axis}{'-kept' * len(more)}",
    )  # fmt: skip


_EINSUMS = {
    "ij,jk->ik": ((2, 3), (3, 4)),
    "ii->i": ((3, 3),),
    "ii->": ((3, 3),),
    "ii": ((3, 3),),
    "iij->j": ((3, 3, 2),),
    "iii->i": ((2, 2, 2),),
    "ba": ((2, 3),),
    "ijk->j": ((2, 3, 2),),
    "i,i->": ((3,), (3,)),
    "i,j->ij": ((2,), (3,)),
    "ij,ij->ij": ((2, 3), (2, 3)),
    "bij,bjk->bik": ((2, 3, 4), (2, 4, 2)),
    "bqhd,bkhd->bhqk": ((2, 3, 2, 4), (2, 5, 2, 4)),
    "...ij,...jk->...ik": ((2, 3, 4), (4, 2)),
    "...i->...": ((2, 3),),
    "...,...": ((2, 3), (3,)),
    "...ii->...i": ((2, 3, 3),),
    "...ii": ((2, 3, 3),),
    "i...->...": ((3, 2, 2),),
    "i...j,j...->...i": ((2, 3, 4), (4, 3)),
    "ii,ii->i": ((3, 3), (3, 3)),
    "ij,ij": ((2, 3), (2, 3)),
    "ij,ji,k->k": ((2, 3), (3, 2), (2,)),
    "ii,ij->j": ((3, 3), (3, 2)),
    "i,ij,j": ((2,), (2, 3), (3,)),
    "ij,jk,kl->il": ((2, 3), (3, 4), (4, 2)),
    "bi,ij,bj->b": ((2, 3), (3, 4), (2, 4)),
}


def _einsum(subscripts: str, shapes: tuple[tuple[int, ...], ...], kind: str = "float") -> Row:
    return Row(
        "einsum", lambda xp, *x: xp.einsum(subscripts, *x), tuple(Arg(s, kind=kind) for s in shapes),
        torch=lambda t, *x: t.einsum(subscripts, *x), label=subscripts if kind == "float" else f"{subscripts} {kind}",
    )  # fmt: skip


def _pad(mode: str, theirs: str, width: tuple[int, int] = (1, 2)) -> Row:
    return Row(
        "pad", lambda xp, x: xp.pad(x, ((0, 0), width), mode), (Arg(SHAPE),),
        torch=lambda t, x: t.nn.functional.pad(x, width, mode=theirs), label=mode,
    )  # fmt: skip


ROWS = [
    _activation("relu", lambda t, x: t.relu(x)),
    _activation("leaky_relu", lambda t, x: t.nn.functional.leaky_relu(x)),
    _activation("elu", lambda t, x: t.nn.functional.elu(x)),
    _activation("sigmoid", lambda t, x: t.sigmoid(x)),
    _activation("softplus", lambda t, x: t.nn.functional.softplus(x)),
    _activation("logsigmoid", lambda t, x: t.nn.functional.logsigmoid(x)),
    _activation("silu", lambda t, x: t.nn.functional.silu(x)),
    _activation("erf", lambda t, x: t.erf(x)),
    _activation("gelu", lambda t, x: t.nn.functional.gelu(x)),
    Row(
        "gelu", lambda xp, x: xp.gelu(x, approximate="tanh"), (WIDE,),
        torch=lambda t, x: t.nn.functional.gelu(x, approximate="tanh"), label="tanh",
    ),
    _activation("gelu_tanh", lambda t, x: t.nn.functional.gelu(x, approximate="tanh")),
    Row(
        "gelu_tanh_slope", lambda xp, x: xp.gelu_tanh_slope(x), (WIDE,),
        torch=lambda t, x: t.func.grad(lambda v: t.sum(t.nn.functional.gelu(v, approximate="tanh")))(x), elementwise=True,
    ),
    _activation("sigmoid_slope", lambda t, x: t.sigmoid(x) * t.sigmoid(-x)),
    _activation("normal_cdf", lambda t, x: t.special.ndtr(x)),
    Row(
        "sigmoid", lambda xp, x: xp.sigmoid(x), (COMPLEX,), torch=lambda t, x: 1 / (1 + t.exp(-x)), label="complex",
        elementwise=True,
    ),
    Row(
        "sigmoid_slope", lambda xp, x: xp.sigmoid_slope(x), (COMPLEX,), torch=lambda t, x: t.exp(-x) / (1 + t.exp(-x)) ** 2,
        label="complex",
    ),
    Row("silu", lambda xp, x: xp.silu(x), (COMPLEX,), torch=lambda t, x: x / (1 + t.exp(-x)), label="complex"),
    *(
        Row(
            "logsumexp", lambda xp, x, axis=axis: xp.logsumexp(x, axis=axis), (COMPLEX,),
            torch=lambda t, x, axis=axis: t.log(t.sum(t.exp(x), axis)), label=f"complex {axis}",
        )
        for axis in (0, -1)
    ),
    Row(
        "exponential_rest", lambda xp, x: xp.exponential_rest(x, xp.exp(x), -1),
        (Arg((2, 3), values=((0, -1, -2), (-30, 0, -40.0)), grad=False),), differentiable=False, label="tail",
        numpy=lambda np, x: np.array([[np.exp(-1) + np.exp(-2)], [np.exp(-30) + np.exp(-40)]]),
    ),
    Row(
        "exponential_rest", lambda xp, x: xp.exponential_rest(x, xp.exp(x), 0), (Arg((3,), values=(0, 0, -2.0), grad=False),),
        differentiable=False, label="ties", numpy=lambda np, x: np.array([1 + np.exp(-2.0)]),
    ),
    *(
        Row(
            "softmax_pull", lambda xp, v, x, axis=axis: xp.softmax_pull(v, xp.softmax(x, axis=axis), axis),
            (Arg(SHAPE), Arg(SHAPE)), label=str(axis),
            torch=lambda t, v, x, axis=axis: t.softmax(x, axis) * (v - t.sum(v * t.softmax(x, axis), axis, keepdim=True)),
        )
        for axis in (0, -1)
    ),
    Row(
        "softmax_error", lambda xp, x, y: xp.softmax_error(x, y), (Arg(SHAPE), Arg(SHAPE, 0.0, 1.0)),
        torch=lambda t, x, y: t.softmax(x, -1) * t.sum(y, -1, keepdim=True) - y,
    ),
    Row(
        "label_error", lambda xp, x, y: xp.label_error(x, y), (Arg((2, 3, 4)), Arg((2, 3), 0, 4, kind="int")),
        torch=lambda t, x, y: t.softmax(x, -1) - t.nn.functional.one_hot(y, 4),
    ),
    *(_along(name, axis) for name in ("softmax", "log_softmax", "logsumexp") for axis in (0, -1)),
    _along("logsumexp", 1, keepdims=True),
    Row("logsumexp", lambda xp, x: xp.logsumexp(x), (Arg(SHAPE),), torch=lambda t, x: t.logsumexp(x, (0, 1)), label="all"),
    *(_einsum(subscripts, shapes) for subscripts, shapes in _EINSUMS.items()),
    _einsum("ij,jk->ik", ((2, 3), (3, 2)), "complex"),
    Row(
        "einsum", lambda xp, a, b: xp.einsum(a, [0, 2, ...], b, [2, 1], [..., 0, 1]), (Arg((2, 3, 2)), Arg((3, 4))),
        label="lists", torch=lambda t, a, b: t.einsum("ik...,kj->...ij", a, b),
    ),
    _pad("constant", "constant"),
    _pad("edge", "replicate"),
    _pad("reflect", "reflect"),
    _pad("wrap", "circular"),
    Row(
        "scatter_add", lambda xp, x, v: xp.scatter_add(x, (slice(1, 3), slice(None)), v), (Arg(SHAPE), Arg((2, 4))),
        torch=lambda t, x, v: x + t.nn.functional.pad(v, (0, 0, 1, 0)), label="slice",
    ),
    Row(
        "scatter_add", lambda xp, x, k, v: xp.scatter_add(x, (k,), v),
        (Arg((4,)), Arg((3,), kind="int", values=(0, 0, 2)), Arg((3,))), torch=lambda t, x, k, v: x.index_add(0, k, v),
        label="repeated",
    ),
    Row(
        "zero_where_not", lambda xp, x, c: xp.zero_where_not(x, c), (Arg(SHAPE), Arg(SHAPE, kind="bool")),
        torch=lambda t, x, c: t.where(c, x, 0.0),
    ),
    Row(
        "new_zeros", lambda xp, x: xp.new_zeros(x, (2, 3)), (Arg(SHAPE),), torch=lambda t, x: x.new_zeros((2, 3)),
        differentiable=False,
    ),
]  # fmt: skip
