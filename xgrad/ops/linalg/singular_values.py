"""The singular value decomposition."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from ...engine.define import op
from ...tensor.tensor import ArrayLike, Tensor
from ..parts.matrices import (
    adjoint,
    as_columns,
    as_diagonal,
    as_rows,
    check_matrix,
    over_differences,
    plus_adjoint,
    warn_of_repeated,
)
from ..parts.safe import one_where

__all__ = ["svd", "svdvals"]


class SVDResult(NamedTuple):
    """The result of `svd`."""

    U: Any
    S: Any
    Vh: Any


@op
def svd(xp: Any, x: ArrayLike, /, *, full_matrices: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    """The singular value decomposition ``u diag(s) vh = x``, with ``s`` descending.

    Parameters
    ----------
    x : array
        Of shape ``(..., M, N)``.
    full_matrices : bool
        Whether ``u`` and ``vh`` are square; else they have ``min(M, N)`` columns and rows.

    Notes
    -----
    With ``a = u^H gu`` and ``b = vh gvh^H`` the gradient of a square `x` is ``u (A diag(s) + diag(s) B + diag(gs)) vh``,
    where ``A`` is ``a - a^H`` with each element divided by ``s[j]**2 - s[i]**2``, and ``B`` is the same for ``b``. A pair of
    singular vectors is determined up to a phase, and those of a repeated value up to a rotation: see `eigh`, also for the
    warning. A division by a singular value or a difference that is zero counts as zero. The term that turns left and right
    vectors in opposite directions is divided by the sum of two values, so the polar factor ``u vh`` is right at equal values.

    Examples
    --------
    >>> import xgrad
    >>> u, s, vh = svd(xgrad.Tensor([[0.0, 2.0], [1.0, 0.0]]))
    >>> s
    Tensor([2., 1.])
    """
    check_matrix("svd", x)
    return SVDResult(*xp.linalg.svd(x, full_matrices=full_matrices))


def _svd_x(xp: Any, g: Any, y: Any) -> Any:
    (gu, gs, gvh), (u, s, vh) = g, y
    k = s.shape[-1]
    m, n = u.shape[-2], vh.shape[-1]
    only_values = gu is None and gvh is None
    gu, gvh = (xp.zeros_like(v) if gv is None else gv for gv, v in ((gu, u), (gvh, vh)))
    if u.shape[-1] > k:  # the vectors u2 that complete the basis change with the others, so as to stay orthogonal
        u, u2, gu, g2 = u[..., :k], u[..., k:], gu[..., :k], gu[..., k:]
        gu = gu - u2 @ (adjoint(xp, g2) @ u)
    if vh.shape[-2] > k:
        vh, v2h, gvh, g2h = vh[..., :k, :], vh[..., k:, :], gvh[..., :k, :], gvh[..., k:, :]
        gvh = gvh - (vh @ adjoint(xp, g2h)) @ v2h
    if only_values:
        warn_of_repeated("svd: x has a repeated singular value", s, gs, None, None)
        return (u * as_rows(xp, xp.astype(gs, u.dtype))) @ vh
    a, b = adjoint(xp, u) @ gu, vh @ adjoint(xp, gvh)
    together = plus_adjoint(xp, a + b)
    a, b = a - adjoint(xp, a), b - adjoint(xp, b)
    same = (a + b) / 2
    warn_of_repeated("svd: x has a repeated singular value", s, gs, together + same, same, at_zero=m != n)
    inner = _turned(xp, s, same, (a - b) / 2)
    inner = inner if gs is None else inner + xp.astype(as_diagonal(xp, gs, k, k), u.dtype)
    gx = u @ inner @ vh
    inverse = _inverse(xp, s, u.dtype)
    if m > k:
        gx = gx + ((gu - u @ (adjoint(xp, u) @ gu)) * inverse) @ vh
    if n > k:
        gx = gx + (u * inverse) @ (gvh - (gvh @ adjoint(xp, vh)) @ vh)
    return gx


def _inverse(xp: Any, s: Any, dtype: Any) -> Any:
    """``1 / s`` as rows of a dtype, and zero where `s` is zero."""
    s = xp.astype(s, dtype)
    return as_rows(xp, xp.where(s == 0, xp.zeros_like(s), 1 / one_where(xp, s == 0, s)))


def _turned(xp: Any, s: Any, same: Any, opposite: Any) -> Any:
    """``same[i, j] / (s[j] - s[i]) + opposite[i, j] / (s[j] + s[i])``, where a division by zero counts as zero.

    The first term turns left and right singular vectors in the same direction, the second in opposite directions. The second
    exists for equal values too, as in the polar decomposition ``u vh``.
    """
    total = as_rows(xp, s) + as_columns(xp, s)
    zero = total == 0
    regular = xp.where(zero, xp.zeros_like(opposite), opposite / xp.astype(one_where(xp, zero, total), opposite.dtype))
    return over_differences(xp, same, s) + regular


def _svd_change(xp: Any, t: Any, y: Any) -> Any:
    u, s, vh = y
    k = s.shape[-1]
    u1, v1 = u[..., :k], adjoint(xp, vh[..., :k, :])
    m = adjoint(xp, u1) @ t @ v1
    inverse = _inverse(xp, s, u.dtype)
    p, q = (m + adjoint(xp, m)) / 2, (m - adjoint(xp, m)) / 2
    warn_of_repeated("svd: x has a repeated singular value", s, None, p, p)
    a, b = _turned(xp, s, p, q), _turned(xp, s, p, -q)
    du, dv = u1 @ a, v1 @ b
    if u.shape[-2] > k:
        du = du + (t @ v1 - u1 @ m) * inverse
    if vh.shape[-1] > k:
        dv = dv + (adjoint(xp, t) @ u1 - v1 @ adjoint(xp, m)) * inverse
    if u.shape[-1] > k:  # the vectors that complete the basis stay orthogonal to the others
        du = xp.concat([du, -(u1 @ (adjoint(xp, du) @ u[..., k:]))], axis=-1)
    if vh.shape[-2] > k:
        dv = xp.concat([dv, -(v1 @ (adjoint(xp, dv) @ adjoint(xp, vh[..., k:, :])))], axis=-1)
    return du, xp.real(xp.linalg.diagonal(m)), adjoint(xp, dv)


svd.vjp(x=_svd_x)
cast(Any, svd).op.fills = False
svd.jvp(x=_svd_change)


@op
def svdvals(xp: Any, x: ArrayLike, /) -> Tensor:
    """The singular values of each matrix in the last two axes, descending.

    The gradient is ``u diag(g) v^H``, where ``g`` counts as zero at a singular value of zero, the kink of a norm. The rule
    computes the singular vectors.

    >>> import xgrad
    >>> svdvals(xgrad.Tensor([[0.0, 2.0], [1.0, 0.0]]))
    Tensor([2., 1.])
    """
    check_matrix("svdvals", x)
    return xp.linalg.svdvals(x)


def _svdvals_x(xp: Any, g: Any, x: Any) -> Any:
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    g = xp.where(s == 0, xp.zeros_like(g), g)
    return (u * as_rows(xp, xp.astype(g, u.dtype))) @ vh


def _svdvals_change(xp: Any, t: Any, x: Any) -> Any:
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    d = xp.real(xp.sum(xp.conj(u) * (t @ adjoint(xp, vh)), axis=-2))
    return xp.where(s == 0, xp.zeros_like(d), d)


svdvals.vjp(x=_svdvals_x)
svdvals.jvp(x=_svdvals_change)
