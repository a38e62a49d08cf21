"""Eigenvalues and eigenvectors of general and of Hermitian matrices."""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from ...engine.define import composite, op
from ...tensor.tensor import ArrayLike, Tensor
from ..parts.matrices import (
    adjoint,
    as_columns,
    as_diagonal,
    as_rows,
    check_square,
    over_differences,
    plus_adjoint,
    warn_of_repeated,
)

__all__ = ["eig", "eigh", "eigvals", "eigvalsh"]


class EigResult(NamedTuple):
    """The result of `eig`."""

    eigenvalues: Any
    eigenvectors: Any


class EighResult(NamedTuple):
    """The result of `eigh`."""

    eigenvalues: Any
    eigenvectors: Any


@op
def eig(xp: Any, x: ArrayLike, /) -> tuple[Tensor, Tensor]:
    """The eigenvalues ``w`` and eigenvectors ``v`` (the columns) of square matrices; complex, in no particular order.

    Parameters
    ----------
    x : array
        Floating-point, real or complex, of shape ``(..., M, M)``.

    Returns
    -------
    eigenvalues, eigenvectors : Tensor
        Of shapes ``(..., M)`` and ``(..., M, M)``, of the complex dtype with the precision of `x`. Eigenvectors have length 1.

    Raises
    ------
    NotImplementedError
        If the backend's library has no eigenvalues of general matrices.

    Notes
    -----
    An eigenvector of length 1 is determined up to a phase. The rule keeps its length (the real part of ``v^H dv`` is zero) and
    ignores the phase. It is right for losses that do not depend on the phases, such as those of ``abs(v)`` and
    ``v f(w) inv(v)``, and meaningless for others. PyTorch has the same rule, and raises in the latter case. For a repeated
    eigenvalue the quotient below counts as zero, as in `eigh`; where there are too few eigenvectors, ``w`` and ``v`` have no
    derivative. The gradient is (C. Boeddeker et al., 2017; for unit length as above)::

        v^-H (diag(gw) + (v^H gv - v^H v diag(re(v^H gv)))[i, j] / conj(w[j] - w[i])) v^H

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.Tensor([[0.0, 1.0], [-4.0, 0.0]], requires_grad=True)
    >>> w, _ = eig(x)
    >>> sorted(w.tolist(), key=lambda z: z.imag)
    [-2j, 2j]
    >>> xgrad.max(xgrad.imag(w)).backward()
    >>> x.grad
    Tensor([[ 0.  ,  1.  ],
            [-0.25,  0.  ]])
    """
    check_square("eig", x)
    _check_known(xp, "eig")
    dtype = xp.result_type(x.dtype, xp.complex64)
    return EigResult(*(xp.astype(v, dtype, copy=False) for v in xp.linalg.eig(x)))


def _check_known(xp: Any, name: str) -> None:
    if not hasattr(xp.linalg, name):
        raise NotImplementedError(
            f"{name}: the library of backend {xp.__backend__.name!r} has no eigenvalues of general matrices; "
            "move x to another backend with xgrad.to_backend, or use eigh if x is Hermitian"
        )


def _eig_x(xp: Any, g: Any, y: Any) -> Any:
    (gw, gv), (w, v) = g, y
    n, vh = w.shape[-1], adjoint(xp, v)
    if gv is None:
        warn_of_repeated("eig: x has a repeated eigenvalue", w, gw, None, None)
        return xp.linalg.solve(vh, as_columns(xp, gw) * vh)
    inner = vh @ gv
    inner = inner - (vh @ v) * as_rows(xp, xp.astype(xp.real(xp.linalg.diagonal(inner)), v.dtype))
    warn_of_repeated("eig: x has a repeated eigenvalue", w, gw, inner, inner)
    inner = over_differences(xp, inner, xp.conj(w))
    inner = inner if gw is None else inner + as_diagonal(xp, gw, n, n)
    return xp.linalg.solve(vh, inner @ vh)


def _eig_change(xp: Any, t: Any, y: Any) -> Any:
    w, v = y
    inner = xp.linalg.solve(v, xp.astype(t, v.dtype) @ v)
    warn_of_repeated("eig: x has a repeated eigenvalue", w, None, inner, inner)
    dv = v @ over_differences(xp, inner, w)
    stretch = xp.real(xp.sum(xp.conj(v) * dv, axis=-2))
    return xp.linalg.diagonal(inner), dv - v * as_rows(xp, xp.astype(stretch, v.dtype))


eig.vjp(x=_eig_x)
cast(Any, eig).op.fills = False
eig.jvp(x=_eig_change)


@composite
def eigvals(xp: Any, x: ArrayLike, /) -> Tensor:
    """The eigenvalues of square matrices, complex, in no particular order; see `eig`.

    The gradient is ``v^-H diag(g) v^H`` with the eigenvectors ``v``, which are computed with the eigenvalues if `x`
    requires grad. It does not exist where eigenvalues are repeated.

    Raises
    ------
    NotImplementedError
        If the backend's library has no eigenvalues of general matrices.

    Examples
    --------
    >>> import xgrad
    >>> eigvals(xgrad.Tensor([[2.0, 0.0], [1.0, 2.0]])).tolist()
    [(2+0j), (2+0j)]
    """
    if isinstance(x, Tensor):
        return xp.linalg.eig(x)[0]
    check_square("eigvals", x)
    _check_known(xp, "eigvals")
    return xp.astype(xp.linalg.eigvals(x), xp.result_type(x.dtype, xp.complex64), copy=False)


@op
def eigh(xp: Any, x: ArrayLike, /) -> tuple[Tensor, Tensor]:
    """The eigenvalues ``w``, ascending, and eigenvectors ``v`` (the columns) of Hermitian matrices.

    The gradient is the Hermitian part of ``v (diag(gw) + (v^H gv)[i, j] / (w[j] - w[i])) v^H``. The sign or phase of an
    eigenvector is arbitrary, and so is the basis of the eigenvectors of a repeated eigenvalue; within such a basis the quotient
    counts as zero. The gradient is always finite. It is right for losses that depend on these vectors only together (a
    projection, the trace of a function of `x`). At repeated values, the derivatives of single elements of ``v f(w) v^H`` are not
    determined by the cotangents of ``w`` and ``v``. Where this may matter, and values are cheap to read, there is a
    RuntimeWarning; use `xgrad.linalg.matrix_function` there.

    >>> import xgrad
    >>> w, v = eigh(xgrad.Tensor([[2.0, 1.0], [1.0, 2.0]]))
    >>> w
    Tensor([1..., 3...])
    """
    check_square("eigh", x)
    return EighResult(*xp.linalg.eigh(x))


def _eigh_x(xp: Any, g: Any, y: Any) -> Any:
    (gw, gv), (w, v) = g, y
    n, vh = w.shape[-1], adjoint(xp, v)
    inner = None if gv is None else vh @ gv
    turning = None if inner is None else inner - adjoint(xp, inner)
    warn_of_repeated("eigh: x has a repeated eigenvalue", w, gw, inner, turning)
    if inner is None:
        return (v * as_rows(xp, xp.astype(gw, v.dtype))) @ vh
    inner = over_differences(xp, inner, w)
    inner = inner if gw is None else inner + xp.astype(as_diagonal(xp, gw, n, n), v.dtype)
    return v @ (plus_adjoint(xp, inner) / 2) @ vh


def _eigh_change(xp: Any, t: Any, y: Any) -> Any:
    w, v = y
    inner = adjoint(xp, v) @ (plus_adjoint(xp, t) / 2) @ v
    warn_of_repeated("eigh: x has a repeated eigenvalue", w, None, inner, inner)
    return xp.real(xp.linalg.diagonal(inner)), v @ over_differences(xp, inner, w)


eigh.vjp(x=_eigh_x)
cast(Any, eigh).op.fills = False
eigh.jvp(x=_eigh_change)


@op
def eigvalsh(xp: Any, x: ArrayLike, /) -> Tensor:
    """The eigenvalues of Hermitian matrices, ascending.

    The gradient is ``v diag(g) v^H``; the rule computes the eigenvectors.

    >>> import xgrad
    >>> eigvalsh(xgrad.Tensor([[2.0, 1.0], [1.0, 2.0]]))
    Tensor([1..., 3...])
    """
    check_square("eigvalsh", x)
    return xp.linalg.eigvalsh(x)


def _eigvalsh_x(xp: Any, g: Any, x: Any) -> Any:
    _, v = xp.linalg.eigh(x)
    return (v * as_rows(xp, xp.astype(g, v.dtype))) @ adjoint(xp, v)


def _eigvalsh_change(xp: Any, t: Any, x: Any) -> Any:
    _, v = xp.linalg.eigh(x)
    return xp.real(xp.sum(xp.conj(v) * (t @ v), axis=-2))


eigvalsh.vjp(x=_eigvalsh_x)
eigvalsh.jvp(x=_eigvalsh_change)
