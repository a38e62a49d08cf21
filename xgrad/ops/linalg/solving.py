"""Inverses and solutions of linear equations."""

from __future__ import annotations

from typing import Any

from ...engine.define import op
from ...tensor.tensor import ArrayLike, Tensor
from ..parts.matrices import as_columns, as_rows, check_square, transposed

__all__ = ["inv", "solve"]


@op
def inv(xp: Any, x: ArrayLike, /) -> Tensor:
    """The inverse of each square matrix in the last two axes.

    The gradient is ``-y^H g y^H``.

    >>> import xgrad
    >>> inv(xgrad.Tensor([[2.0, 0.0], [0.0, 4.0]]))
    Tensor([[0.5 , 0.  ],
            [0.  , 0.25]])
    """
    check_square("inv", x)
    return xp.linalg.inv(x)


inv.holomorphic(x=lambda xp, g, y: -(transposed(xp, y) @ g @ transposed(xp, y)))
inv.jvp(x=lambda t, y: -(y @ t @ y))


@op
def solve(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """The solution ``y`` of ``x1 @ y = x2``.

    Parameters
    ----------
    x1 : array
        Square matrices, of shape ``(..., M, M)``.
    x2 : array
        One vector, of shape ``(M,)``; or matrices, of shape ``(..., M, K)``. Leading axes broadcast.

    Raises
    ------
    ValueError
        If `x1` is not square, or `x2` does not have as many rows.

    Notes
    -----
    The gradient is ``h = solve(x1^H, g)`` for `x2` and ``-h y^H`` for `x1`.

    Examples
    --------
    >>> import xgrad
    >>> solve(xgrad.Tensor([[2.0, 0.0], [0.0, 4.0]]), xgrad.Tensor([1.0, 1.0]))
    Tensor([0.5 , 0.25])
    """
    check_square("solve", x1)
    if not x2.shape or x2.shape[max(x2.ndim - 2, 0)] != x1.shape[-1]:
        raise ValueError(f"solve: x1 has shape {tuple(x1.shape)} but x2 {tuple(x2.shape)}; x2 must have as many rows as x1")
    return xp.linalg.solve(x1, x2)


def _solve_back(xp: Any, g: Any, x1: Any, x2_shape: Any) -> Any:
    vector = len(x2_shape) == 1
    solution = xp.linalg.solve(transposed(xp, x1), as_columns(xp, g) if vector else g)
    return xp.squeeze(solution, axis=-1) if vector else solution


def _solve_x1(xp: Any, g: Any, x1: Any, y: Any, x2_shape: Any) -> Any:
    back = _solve_back(xp, g, x1, x2_shape)
    return -(as_columns(xp, back) * as_rows(xp, y)) if len(x2_shape) == 1 else -(back @ transposed(xp, y))


def _solve_change(xp: Any, t: Any, x1: Any, y: Any, x2_shape: Any) -> Any:
    if len(x2_shape) > 1:
        return -xp.linalg.solve(x1, t @ y)
    return -xp.squeeze(xp.linalg.solve(x1, t @ as_columns(xp, y)), axis=-1)


solve.holomorphic(x1=_solve_x1, x2=_solve_back)
solve.jvp(x1=_solve_change)
solve.linear("x2")
