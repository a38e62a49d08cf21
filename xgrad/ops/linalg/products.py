"""Products and diagonals of matrices and vectors."""

from __future__ import annotations

from typing import Any, cast

from ...engine.define import composite, op
from ...tensor.tensor import ArrayLike, Tensor
from ..parts.axes import check_axis
from ..parts.matrices import as_columns, as_diagonal, as_rows, check_matrix, check_square, on_diagonal

__all__ = ["cross", "diagonal", "matrix_power", "outer", "trace"]


@op(override=True)
def outer(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """The outer product of two vectors, ``x1[i] * x2[j]``; nothing is conjugated.

    The gradient is ``g @ conj(x2)`` for `x1` and ``conj(x1) @ g`` for `x2`.

    >>> import xgrad
    >>> outer(xgrad.Tensor([1.0, 2.0]), xgrad.Tensor([1.0, 10.0]))
    Tensor([[ 1., 10.],
            [ 2., 20.]])
    """
    if x1.ndim != 1 or x2.ndim != 1:
        raise ValueError(f"outer: x1 has shape {tuple(x1.shape)} and x2 {tuple(x2.shape)}; both must have one axis")
    return as_columns(xp, x1) * as_rows(xp, x2)


outer.holomorphic(x1=lambda xp, g, x2: xp.matmul(g, x2), x2=lambda xp, g, x1: xp.matmul(x1, g))
outer.linear()


@composite
def cross(xp: Any, x1: ArrayLike, x2: ArrayLike, /, *, axis: int = -1) -> Tensor:
    """The cross product of vectors with three elements along `axis`; the other axes broadcast.

    The gradient is ``x2 x g`` for `x1` and ``g x x1`` for `x2`.

    >>> import xgrad
    >>> cross(xgrad.Tensor([1.0, 0.0, 0.0]), xgrad.Tensor([0.0, 1.0, 0.0]))
    Tensor([0., 0., 1.])
    """
    check_axis("cross", axis)
    if axis >= 0 and x1.ndim == x2.ndim:
        axis -= x1.ndim
    if x1.ndim != x2.ndim and 0 <= axis < min(x1.ndim, x2.ndim):  # after broadcasting, the two axes would not match
        product = xp.linalg.cross(xp.moveaxis(x1, axis, -1), xp.moveaxis(x2, axis, -1), axis=-1)
        return xp.moveaxis(product, -1, axis)
    for name, x in (("x1", x1), ("x2", x2)):
        if not -x.ndim <= axis < 0 or x.shape[axis] != 3:
            raise ValueError(f"cross: {name} has shape {tuple(x.shape)}; along axis {axis} it must have three elements")
    a, b, c = xp.unstack(x1, axis=axis)
    d, e, f = xp.unstack(x2, axis=axis)
    return xp.stack([b * f - c * e, c * d - a * f, a * e - b * d], axis=axis)


@composite
def matrix_power(xp: Any, x: ArrayLike, n: int, /) -> Tensor:
    """The product of `n` factors `x`, square matrices; of the inverse, if `n` is negative.

    It is computed by repeated squaring, and differentiated through these products.

    >>> import xgrad
    >>> matrix_power(xgrad.Tensor([[1.0, 1.0], [0.0, 1.0]]), 5)
    Tensor([[1., 5.],
            [0., 1.]])
    """
    check_square("matrix_power", x)
    if n == 0:
        zero = xp.zeros_like(x)
        diagonal = on_diagonal(xp, x, x.shape[-2], x.shape[-1])
        return xp.where(diagonal, zero + 1, xp.where(diagonal, x, zero))  # in the graph of x, with gradient zero
    power, result = x if n > 0 else xp.linalg.inv(x), cast(Any, None)
    n = n if n > 0 else -n
    while True:
        if n & 1:
            result = power if result is None else result @ power
        n >>= 1
        if not n:
            return result
        power = power @ power


@op
def diagonal(xp: Any, x: ArrayLike, /, *, offset: int = 0) -> Tensor:
    """A diagonal of each matrix in the last two axes: the main one, or the `offset`-th above it (below, if negative).

    The gradient is `g` on this diagonal and zero elsewhere.

    >>> import xgrad
    >>> diagonal(xgrad.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([1., 4.])
    """
    check_matrix("diagonal", x)
    return xp.linalg.diagonal(x, offset=offset)


def _diagonal_written(xp: Any, x: Any, v: Any, offset: int) -> Any:
    m, n = x.shape[-2:]
    return xp.where(on_diagonal(xp, x, m, n, offset), as_diagonal(xp, v, m, n, offset), x)


diagonal.vjp(x=lambda xp, g, x_shape, offset: as_diagonal(xp, g, x_shape[-2], x_shape[-1], offset))
diagonal.linear()
diagonal.view(_diagonal_written)


@composite
def trace(xp: Any, x: ArrayLike, /, *, offset: int = 0, dtype: Any = None) -> Tensor:
    """The sum of a diagonal of each matrix in the last two axes.

    The gradient is `g` on this diagonal and zero elsewhere.

    >>> import xgrad
    >>> trace(xgrad.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor(5.0)
    """
    check_matrix("trace", x)
    return xp.sum(xp.linalg.diagonal(x, offset=offset), axis=-1, dtype=dtype)
