"""Determinants, and the cofactors that their derivatives use."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from ...engine.define import op
from ...tensor.tensor import ArrayLike, Tensor
from ..parts.matrices import adjoint, as_diagonal, as_matrices, check_square, identity_where, on_diagonal, transposed
from ..parts.safe import nan_where, one_where

__all__ = ["det", "slogdet"]


class SlogdetResult(NamedTuple):
    """The result of `slogdet`."""

    sign: Any
    logabsdet: Any


@op(override=True)
def cofactors(xp: Any, arrays: Sequence[ArrayLike], /) -> Tensor:
    """The cofactors of square matrices, ``det(x) inv(x)^T``, also of singular ones; or derivatives of the cofactors.

    Parameters
    ----------
    arrays : sequence of arrays
        The matrices `x`, and the directions of the derivatives. All have shape ``(..., N, N)``.

    Notes
    -----
    With the singular value decomposition ``x = u diag(s) v^H`` it is ``det(u) det(v^H) conj(u) diag(p) conj(v^H)``, where
    ``p[i]`` is the product of all singular values except ``s[i]``. There is no division. In the basis of the singular vectors,
    the derivative of order m of the determinant is the sum, over m indices and over the permutations ``q`` of them, of
    ``sign(q) p[i1, ..., im] e1[i1, i_q(1)] ... em[im, i_q(m)]``, where ``p`` is the product of the other singular values and
    ``e`` are the directions. It is linear in each direction. The result is this derivative as a function of the last direction,
    and so are all derivatives of the result.

    Examples
    --------
    >>> import xgrad
    >>> cofactors([xgrad.Tensor([[1.0, 2.0], [2.0, 4.0]])]).numpy().round(3)
    array([[ 4., -2.],
           [-2.,  1.]], dtype=float32)
    """
    x, *directions = arrays
    order, n = len(directions), x.shape[-1]
    if math.prod(x.shape) == 0 or order >= n:  # a determinant is a polynomial of degree n
        return xp.zeros_like(x) if order or n == 0 else xp.ones_like(x)
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    phase = as_matrices(xp, xp.linalg.det(u) * xp.linalg.det(vh))
    inner = [adjoint(xp, u) @ e @ adjoint(xp, vh) for e in directions]
    p = xp.astype(_products_of_others(xp, s, order + 1), x.dtype)
    total = as_diagonal(xp, p, n, n) if not order else None
    for permutation in itertools.permutations(range(order + 1)) if order else ():
        term = p
        for k, e in enumerate(inner, 1):
            i, j = sorted((k, permutation[k]))
            e = xp.linalg.diagonal(e) if i == j else e if i == k else transposed(xp, e)
            axes = (n if axis in (i, j) else 1 for axis in range(order + 1))
            term = term * xp.reshape(e, (*e.shape[: e.ndim - len({i, j})], *axes))
        column = permutation[0]
        if rest := tuple(i - order - 1 for i in range(1, order + 1) if i != column):
            term = xp.sum(term, axis=rest)
        term = _sign(permutation) * (term if column else as_diagonal(xp, term, n, n))
        total = term if total is None else total + term
    return phase * (xp.conj(u) @ total @ xp.conj(vh))


def _sign(permutation: Sequence[int]) -> int:
    return (-1) ** sum(a > b for a, b in itertools.combinations(permutation, 2))


def _products_of_others(xp: Any, s: Any, places: int) -> Any:
    """For each tuple of `places` indices, the product of `s` without the numbers at these; zero where two indices are equal."""
    lead, n = s.shape[:-1], s.shape[-1]
    diagonal = on_diagonal(xp, s, n, n)
    excluded, equal = None, None  # masks of shape (index, ..., index, number) and (index, ..., index)

    def shape(*axes: int) -> tuple[int, ...]:
        return tuple(n if i in axes else 1 for i in range(places + 1))

    for k in range(places):
        mask = xp.reshape(diagonal, shape(k, places))
        excluded = mask if excluded is None else excluded | mask
    for i, j in itertools.combinations(range(places), 2):
        mask = xp.reshape(diagonal, shape(i, j)[:-1])
        equal = mask if equal is None else equal | mask
    p = xp.prod(one_where(xp, excluded, xp.reshape(s, (*lead, *shape(places)))), axis=-1)
    return p if equal is None else xp.where(equal, xp.zeros_like(p), p)


def _cofactors(xp: Any, *arrays: Any) -> Any:
    return cofactors(arrays) if any(isinstance(x, Tensor) for x in arrays) else xp.cofactors(list(arrays))


def _cofactors_arrays(xp: Any, g: Any, arrays: Any) -> list[Any]:
    x, *directions = arrays
    others = [[*directions[:k], *directions[k + 1 :]] for k in range(len(directions))]
    return [_cofactors(xp, x, g, *directions), *(_cofactors(xp, x, g, *rest) for rest in others)]


def _cofactors_change(xp: Any, t: Any, arrays: Any) -> Any:
    x, *directions = arrays
    to_x, *to_directions = t
    changes = [_cofactors(xp, x, *directions[:k], change, *directions[k + 1 :]) for k, change in enumerate(to_directions)]
    return sum(changes, _cofactors(xp, x, *directions, to_x))


cofactors.holomorphic(arrays=_cofactors_arrays)
cofactors.jvp(arrays=_cofactors_change)


@op
def det(xp: Any, x: ArrayLike, /) -> Tensor:
    """The determinant of each square matrix in the last two axes.

    The gradient is ``g conj(c)`` with the matrix of cofactors ``c``, which is ``det(x) inv(x)^T`` where `x` has an inverse.
    Derivatives of any order are right also where `x` is singular.

    Raises
    ------
    ValueError
        If the last two axes differ in length.

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.Tensor([[1.0, 2.0], [3.0, 6.0]], requires_grad=True)
    >>> det(x).backward()
    >>> x.grad.numpy().round(3)
    array([[ 6., -3.],
           [-2.,  1.]], dtype=float32)
    """
    check_square("det", x)
    return xp.linalg.det(x)


det.holomorphic(x=lambda xp, g, x: as_matrices(xp, g) * _cofactors(xp, x))
det.jvp(x=lambda xp, t, x: xp.sum(_cofactors(xp, x) * t, axis=(-2, -1)))


@op
def slogdet(xp: Any, x: ArrayLike, /) -> tuple[Tensor, Tensor]:
    """The sign of the determinant, or its phase if `x` is complex, and the logarithm of its absolute value.

    The gradient of the logarithm is ``g inv(x)^H``. Where `x` is singular it does not exist and is NaN. The gradient of the sign
    is zero for real `x`; a phase changes by the imaginary part of ``trace(inv(x) dx)``.

    >>> import xgrad
    >>> sign, logabsdet = slogdet(xgrad.Tensor([[0.0, 1.0], [1.0, 0.0]]))
    >>> sign.item(), logabsdet.item()
    (-1.0, 0.0)
    """
    check_square("slogdet", x)
    return SlogdetResult(*xp.linalg.slogdet(x))


def _slogdet_x(xp: Any, g: Any, x: Any, y: Any) -> Any:
    turn, scale = g
    if xp.isdtype(x.dtype, "complex floating"):
        scale = xp.astype(scale, x.dtype) - 1j * xp.astype(xp.imag(xp.conj(turn) * y[0]), x.dtype)
    singular = y[1] == -math.inf  # the other matrices of the stack can be inverted
    x = identity_where(xp, singular, x)
    return as_matrices(xp, nan_where(xp, singular, scale)) * adjoint(xp, xp.linalg.inv(x))


def _slogdet_change(xp: Any, t: Any, x: Any, y: Any) -> Any:
    singular = y[1] == -math.inf
    d = nan_where(xp, singular, xp.linalg.trace(xp.linalg.solve(identity_where(xp, singular, x), t)))
    if not xp.isdtype(x.dtype, "complex floating"):
        return None, d
    return 1j * xp.astype(xp.imag(d), x.dtype) * y[0], xp.real(d)


slogdet.vjp(x=_slogdet_x)
slogdet.jvp(x=_slogdet_change)
