"""The factorizations of Cholesky and QR."""

from __future__ import annotations

from typing import Any, NamedTuple

from ...engine.define import op
from ...tensor.tensor import ArrayLike, Tensor
from ..parts.matrices import (
    adjoint,
    as_diagonal,
    as_matrices,
    check_matrix,
    check_square,
    identity_where,
    on_diagonal,
    plus_adjoint,
)
from ..parts.safe import nan_where

__all__ = ["cholesky", "qr"]


class QRResult(NamedTuple):
    """The result of `qr`."""

    Q: Any
    R: Any


@op
def cholesky(xp: Any, x: ArrayLike, /, *, upper: bool = False) -> Tensor:
    """The triangular ``y`` with ``y y^H = x``, or ``y^H y = x`` if `upper`, of Hermitian positive definite matrices.

    The gradient is Hermitian, although only one triangle of `x` is read: ``(h + h^H) / 2`` with
    ``h = y^-H p y^-1``, where ``p`` is the lower triangle of ``y^H g`` with half its diagonal.

    >>> import xgrad
    >>> cholesky(xgrad.Tensor([[4.0, 2.0], [2.0, 2.0]]))
    Tensor([[2., 0.],
            [1., 1.]])
    """
    check_square("cholesky", x)
    return xp.linalg.cholesky(x, upper=upper)


def _cholesky_x(xp: Any, g: Any, y: Any, upper: bool) -> Any:
    if upper:
        g, y = adjoint(xp, g), adjoint(xp, y)
    p = xp.tril(adjoint(xp, y) @ g)
    p = xp.where(on_diagonal(xp, p, p.shape[-2], p.shape[-1]), p / 2, p)
    left = xp.linalg.solve(adjoint(xp, y), p)
    h = xp.linalg.solve(adjoint(xp, y), adjoint(xp, left))
    return plus_adjoint(xp, h) / 2


def _cholesky_change(xp: Any, t: Any, y: Any, upper: bool) -> Any:
    y = adjoint(xp, y) if upper else y
    inner = xp.linalg.solve(y, adjoint(xp, xp.linalg.solve(y, plus_adjoint(xp, t) / 2)))
    p = xp.tril(inner)
    change = y @ xp.where(on_diagonal(xp, p, p.shape[-2], p.shape[-1]), p / 2, p)
    return adjoint(xp, change) if upper else change


cholesky.vjp(x=_cholesky_x)
cholesky.jvp(x=_cholesky_change)


@op
def qr(xp: Any, x: ArrayLike, /, *, mode: str = "reduced") -> tuple[Tensor, Tensor]:
    """Orthonormal columns ``q`` and an upper triangular ``r`` with ``q r = x``.

    Parameters
    ----------
    x : array
        Of shape ``(..., M, N)``. For the gradient, its first ``min(M, N)`` columns must be linearly independent.
    mode : {"reduced", "complete"}
        Whether ``q`` is of shape ``(..., M, min(M, N))`` or ``(..., M, M)``.

    Notes
    -----
    The gradient is ``(gq + q h) r^-H``, where ``h`` is the Hermitian matrix with the upper triangle of ``gr r^H - q^H gq``.
    For a wide `x`, the columns to the right of the square part are ``q`` times those of ``r``. The columns that complete ``q``
    are an arbitrary basis; the gradient is that of losses that depend on them only together.

    Examples
    --------
    >>> import xgrad
    >>> q, r = qr(xgrad.Tensor([[3.0, 1.0], [4.0, 2.0]]))
    >>> abs(r[0, 0]).item()
    5.0
    """
    check_matrix("qr", x)
    return QRResult(*xp.linalg.qr(x, mode=mode))


def _qr_x(xp: Any, g: Any, y: Any) -> Any:
    (gq, gr), (q, r) = g, y
    n = r.shape[-1]
    k = min(q.shape[-2], n)
    if q.shape[-1] > k:  # the columns q2 that complete q change with it, so as to stay orthogonal
        q, q2, gq, g2 = q[..., :k], q[..., k:], gq[..., :k], gq[..., k:]
        gq = gq - q2 @ (adjoint(xp, g2) @ q)
        r, gr = r[..., :k, :], gr[..., :k, :]
    rest = None
    if n > k:
        rest = q @ gr[..., k:]
        gq = gq + q @ r[..., k:] @ adjoint(xp, gr[..., k:])
        r, gr = r[..., :k], gr[..., :k]
    h = xp.triu(gr @ adjoint(xp, r) - adjoint(xp, q) @ gq)
    h = plus_adjoint(xp, h) / xp.where(on_diagonal(xp, h, k, k), xp.ones_like(h) + 1, xp.ones_like(h))
    singular = xp.any(xp.linalg.diagonal(r) == 0, axis=-1)
    gx = adjoint(xp, xp.linalg.solve(identity_where(xp, singular, r), adjoint(xp, gq + q @ h)))
    gx = nan_where(xp, as_matrices(xp, singular), gx)
    return gx if rest is None else xp.concat([gx, rest], axis=-1)


def _qr_change(xp: Any, t: Any, y: Any) -> Any:
    q, r = y
    n = r.shape[-1]
    k = min(q.shape[-2], n)
    q1, r1 = q[..., :k], r[..., :k, :k]
    singular = xp.any(xp.linalg.diagonal(r1) == 0, axis=-1)
    c = adjoint(xp, xp.linalg.solve(adjoint(xp, identity_where(xp, singular, r1)), adjoint(xp, t[..., :k])))
    c = nan_where(xp, as_matrices(xp, singular), c)
    a = adjoint(xp, q1) @ c
    low = xp.tril(a, k=-1)
    turn = low - adjoint(xp, low)
    if xp.isdtype(a.dtype, "complex floating"):
        turn = turn + as_diagonal(xp, 1j * xp.astype(xp.imag(xp.linalg.diagonal(a)), a.dtype), k, k)
    dq = q1 @ (turn - a) + c
    dr = xp.triu((a - turn) @ r1)
    if n > k:
        dr = xp.concat([dr, adjoint(xp, q1) @ t[..., k:] - turn @ r[..., :k, k:]], axis=-1)
    if q.shape[-1] > k:  # the columns that complete q stay orthogonal to it
        q2 = q[..., k:]
        dq = xp.concat([dq, -(q1 @ (adjoint(xp, dq) @ q2))], axis=-1)
        dr = xp.concat([dr, xp.zeros_like(r[..., k:, :])], axis=-2)
    return dq, dr


qr.vjp(x=_qr_x)
qr.jvp(x=_qr_change)
