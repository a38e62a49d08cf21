"""The pseudo-inverse and the rank of a matrix."""

from __future__ import annotations

import math
from typing import Any

from ...engine.define import op
from ...graph.kinds import refuse_complex
from ...tensor.tensor import ArrayLike, Tensor
from ..parts.matrices import adjoint, as_columns, as_rows, check_matrix, plus_adjoint
from ..parts.safe import one_where

__all__ = ["matrix_rank", "pinv"]


@op(override=True)
def kept_rows(xp: Any, x: ArrayLike, /, *, rtol: Any) -> Tensor:
    """The projection onto the right singular vectors of a tall `x` whose singular values exceed `rtol` times the largest.

    The gradient is ``x (h + h^H)`` with ``h = across_gap(x, g + g^H)``.

    >>> import xgrad
    >>> kept_rows(xgrad.Tensor([[2.0, 0.0], [0.0, 1.0]]), rtol=0.6)
    Tensor([[1., 0.],
            [0., 0.]])
    """
    _, s, vh = xp.linalg.svd(x, full_matrices=False)
    vh = xp.where(as_columns(xp, _are_kept(xp, s, rtol)), vh, xp.zeros_like(vh))
    return adjoint(xp, vh) @ vh


def _are_kept(xp: Any, s: Any, rtol: Any) -> Any:
    """Which of the descending singular values exceed `rtol` times the first."""
    if s.shape[-1] == 0:
        return s > 0
    rtol = getattr(rtol, "_data", rtol)
    return s > s[..., :1] * (as_columns(xp, rtol) if getattr(rtol, "shape", ()) else rtol)


@op(override=True)
def across_gap(xp: Any, x: ArrayLike, r: ArrayLike, /, *, rtol: Any) -> Tensor:
    """The change of the vectors that `kept_rows` keeps, towards the dropped ones, when ``x^H x`` changes by `r`.

    With the singular values ``s`` and right singular vectors ``v`` of `x` it is ``v h v^H``, where ``h[i, j]`` is
    ``(v^H r v)[i, j] / (s[j]**2 - s[i]**2)`` if ``i`` is dropped and ``j`` is kept, and zero otherwise. It solves
    ``y c - c y = (1 - p) r p`` with ``c = x^H x`` and the projection ``p``, and its derivatives of any order solve equations of
    the same form. It never divides by the difference of two kept values, so these may be equal.

    >>> import xgrad
    >>> across_gap(xgrad.Tensor([[2.0, 0.0], [0.0, 1.0]]), xgrad.ones((2, 2)), rtol=0.6).numpy().round(3)
    array([[0.   , 0.   ],
           [0.333, 0.   ]], dtype=float32)
    """
    _, s, vh = xp.linalg.svd(x, full_matrices=False)
    kept = _are_kept(xp, s, rtol)
    pairs = as_rows(xp, kept) & ~as_columns(xp, kept)
    gap, total = (
        xp.where(pairs, v, xp.ones_like(v)) for v in (as_rows(xp, s) - as_columns(xp, s), as_rows(xp, s) + as_columns(xp, s))
    )
    inner = vh @ r @ adjoint(xp, vh)
    return (
        adjoint(xp, vh) @ xp.where(pairs, inner / xp.astype(total, r.dtype) / xp.astype(gap, r.dtype), xp.zeros_like(inner)) @ vh
    )


def _kept_rows(xp: Any, x: Any, rtol: Any) -> Any:
    return kept_rows(x, rtol=rtol) if isinstance(x, Tensor) else xp.kept_rows(x, rtol=rtol)


def _across_gap(xp: Any, x: Any, r: Any, rtol: Any) -> Any:
    return across_gap(x, r, rtol=rtol) if isinstance(x, Tensor) else xp.across_gap(x, r, rtol=rtol)


def _kept_rows_x(xp: Any, g: Any, x: Any, rtol: Any) -> Any:
    x, size = _scaled(xp, x)
    return x @ plus_adjoint(xp, _across_gap(xp, x, plus_adjoint(xp, g), rtol)) / size


def _kept_rows_change(xp: Any, t: Any, x: Any, rtol: Any) -> Any:
    x, size = _scaled(xp, x)
    return plus_adjoint(xp, _across_gap(xp, x, plus_adjoint(xp, adjoint(xp, x) @ (t / size)), rtol))


def _scaled(xp: Any, x: Any) -> tuple[Any, Any]:
    """Matrices divided by the size of their largest element, so that products of them do not overflow; and these sizes.

    The sizes are treated as constants, since results that use both do not depend on them.
    """
    size = xp.max(xp.abs(x.detach() if isinstance(x, Tensor) else x), axis=(-2, -1), keepdims=True)
    size = xp.astype(one_where(xp, size == 0, size), x.dtype)
    return x / size, size


kept_rows.vjp(x=_kept_rows_x)
kept_rows.jvp(x=_kept_rows_change)


def _across_gap_x(xp: Any, g: Any, x: Any, r: Any, y: Any, rtol: Any) -> Any:
    h, rh, yh = _across_gap(xp, x, g, rtol), adjoint(xp, r), adjoint(xp, y)
    p = plus_adjoint(xp, rh @ h - h @ rh + yh @ g - g @ yh)  # the cotangent of the projection, and its transpose
    return x @ plus_adjoint(xp, h @ yh - yh @ h + _across_gap(xp, x, p, rtol))


across_gap.vjp(x=_across_gap_x, r=lambda xp, g, x, rtol: _across_gap(xp, x, g, rtol))
across_gap.linear("r")


@op
def pinv(xp: Any, x: ArrayLike, /, *, rtol: Any = None) -> Tensor:
    """The Moore-Penrose pseudo-inverse of each matrix in the last two axes.

    Parameters
    ----------
    x : array
        Floating-point, of shape ``(..., M, N)``.
    rtol : float or array, optional
        Singular values up to `rtol` times the largest one count as zero; by default the precision of the dtype times
        ``max(M, N)``. An array has the shape of the leading axes. It has no gradient.

    Returns
    -------
    Tensor
        Of shape ``(..., N, M)``.

    Notes
    -----
    The gradient assumes that the number of kept values does not change (G. H. Golub and V. Pereyra, 1973):
    ``-y^H g y^H + (1 - x y) g^H y y^H + y^H y g^H (1 - y x)``. Where `rtol` drops values that are not zero, ``x p`` takes the
    place of ``x`` in this formula, with the projection ``p`` onto the kept right singular vectors, and the change of ``p`` is
    included. It is right to every order, also where kept values are equal. It does not exist where a value is at the threshold.

    Examples
    --------
    >>> import xgrad
    >>> pinv(xgrad.Tensor([[2.0], [0.0]])).shape
    (1, 2)
    >>> x = xgrad.Tensor([[2.0, 0.0], [0.0, 1.0]], requires_grad=True)
    >>> pinv(x, rtol=0.6)[0, 1].backward()
    >>> x.grad.numpy().round(3)
    array([[0.   , 0.167],
           [0.333, 0.   ]], dtype=float32)
    """
    check_matrix("pinv", x)
    refuse_complex("pinv", rtol=rtol)
    return xp.linalg.pinv(x) if rtol is None else xp.linalg.pinv(x, rtol=getattr(rtol, "_data", rtol))


def _pinv_x(xp: Any, g: Any, x: Any, y: Any, rtol: Any) -> Any:
    if rtol is None or 0 in x.shape:
        return _pinv_of_constant_rank_x(xp, g, x, y)
    if x.shape[-2] < x.shape[-1]:
        return adjoint(xp, _pinv_x(xp, adjoint(xp, g), adjoint(xp, x), adjoint(xp, y), rtol))
    p = _kept_rows(xp, x, rtol)
    inner = _pinv_of_constant_rank_x(xp, g, x @ p, y)
    return inner @ p + _kept_rows_x(xp, adjoint(xp, x) @ inner, x, rtol)


def _pinv_change(xp: Any, t: Any, x: Any, y: Any, rtol: Any) -> Any:
    if rtol is None or 0 in x.shape:
        return _pinv_of_constant_rank_change(xp, t, x, y)
    if x.shape[-2] < x.shape[-1]:
        return adjoint(xp, _pinv_change(xp, adjoint(xp, t), adjoint(xp, x), adjoint(xp, y), rtol))
    p = _kept_rows(xp, x, rtol)
    return _pinv_of_constant_rank_change(xp, t @ p + x @ _kept_rows_change(xp, t, x, rtol), x @ p, y)


def _pinv_of_constant_rank_x(xp: Any, g: Any, x: Any, y: Any) -> Any:
    yh, gh = adjoint(xp, y), adjoint(xp, g)
    return (gh - x @ (y @ gh)) @ y @ yh + yh @ (y @ (gh - (gh @ y) @ x)) - yh @ g @ yh


def _pinv_of_constant_rank_change(xp: Any, t: Any, x: Any, y: Any) -> Any:
    yh, th = adjoint(xp, y), adjoint(xp, t)
    left, right = th @ yh @ y, y @ yh @ th
    return (left - y @ (x @ left)) + (right - (right @ x) @ y) - y @ t @ y


pinv.vjp(x=_pinv_x)
pinv.jvp(x=_pinv_change)


@op
def matrix_rank(xp: Any, x: ArrayLike, /, *, rtol: Any = None) -> Tensor:
    """The number of singular values of each matrix that are larger than `rtol` times the largest one; not differentiable.

    >>> import xgrad
    >>> matrix_rank(xgrad.Tensor([[1.0, 2.0], [2.0, 4.0]])).item()
    1
    """
    check_matrix("matrix_rank", x)
    if math.prod(x.shape[-2:]) == 0:
        return xp.zeros(tuple(x.shape[:-2]), dtype=xp.int64, device=xp.__backend__.device(x))
    refuse_complex("matrix_rank", rtol=rtol)
    return xp.linalg.matrix_rank(x) if rtol is None else xp.linalg.matrix_rank(x, rtol=getattr(rtol, "_data", rtol))


matrix_rank.not_differentiable()
