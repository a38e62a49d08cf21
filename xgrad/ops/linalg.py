"""Factorizations, inverses, determinants and norms: the ``linalg`` extension of the standard.

In the formulas ``x^H`` is the conjugate transpose and ``g`` the cotangent. Where factors are not unique (the sign of an
eigenvector, a basis of the eigenvectors of a repeated value), a gradient is that of losses that do not depend on the
choice. The formulas of the factorizations follow M. Giles, "An extended collection of matrix derivative results" (2008),
and, for QR, S. F. Walter and L. Lehmann, "Algorithmic differentiation of linear algebra functions" (2018).
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from ..backend.find import raw_namespace
from ..backend.precision import in_float32, norm
from ..engine.define import composite, op
from ..graph.kinds import refuse_complex
from ..tensor.tensor import ArrayLike, Tensor
from .parts.axes import axes_from_0, check_axis

__all__ = [
    "cholesky", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv", "matrix_norm", "matrix_power",
    "matrix_rank", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "trace", "vector_norm",
]  # fmt: skip


class EigResult(NamedTuple):
    """What `eig` returns."""

    eigenvalues: Any
    eigenvectors: Any


class EighResult(NamedTuple):
    """What `eigh` returns."""

    eigenvalues: Any
    eigenvectors: Any


class QRResult(NamedTuple):
    """What `qr` returns."""

    Q: Any
    R: Any


class SlogdetResult(NamedTuple):
    """What `slogdet` returns."""

    sign: Any
    logabsdet: Any


class SVDResult(NamedTuple):
    """What `svd` returns."""

    U: Any
    S: Any
    Vh: Any


# ---------------------------------------------------------------------------------------------------------- small parts


def _t(xp: Any, x: Any) -> Any:
    return xp.matrix_transpose(x)


def _h(xp: Any, x: Any) -> Any:
    return xp.conj(xp.matrix_transpose(x))


def _rows(xp: Any, v: Any) -> Any:
    """Vectors as the rows that a matrix is multiplied by: ``x * _rows(v)`` is ``x @ diag(v)``."""
    return xp.expand_dims(v, axis=-2)


def _columns(xp: Any, v: Any) -> Any:
    return xp.expand_dims(v, axis=-1)


def _band(xp: Any, like: Any, m: int, n: int, offset: int = 0) -> Any:
    """Where the diagonal of an ``(m, n)`` matrix is."""
    one = xp.new_zeros(like, (m, n)) + 1
    return xp.triu(xp.tril(one, k=offset), k=offset) != 0


def _diag(xp: Any, v: Any, m: int, n: int, offset: int = 0) -> Any:
    """Matrices ``(m, n)`` with `v` on a diagonal, zero elsewhere."""
    size, length = (m, v.shape[-1]) if offset >= 0 else (n, v.shape[-1])
    if length < size:
        v = xp.concat([v, xp.new_zeros(v, (*v.shape[:-1], size - length))], axis=-1)
    v = _columns(xp, v) if offset >= 0 else _rows(xp, v)
    return xp.where(_band(xp, v, m, n, offset), v, xp.zeros_like(v))


def _diagonal(xp: Any, x: Any) -> Any:
    return xp.linalg.diagonal(x)


def _one_where(xp: Any, condition: Any, x: Any) -> Any:
    return xp.where(condition, xp.ones_like(x), x)


def _nan_where(xp: Any, condition: Any, x: Any) -> Any:
    return xp.where(condition, xp.zeros_like(x) + math.nan, x)


def _over_differences(xp: Any, x: Any, v: Any) -> Any:
    """``x[i, j] / (v[j] - v[i])``, zero where the values are equal to within rounding: there the factors may turn freely."""
    if v.shape[-1] == 0:
        return x
    gap, equal = _differences(xp, v)
    return xp.where(equal, xp.zeros_like(x), x / _one_where(xp, equal, gap))


def _differences(xp: Any, v: Any) -> tuple[Any, Any]:
    """``v[j] - v[i]``, and where that is zero to within rounding."""
    gap = _rows(xp, v) - _columns(xp, v)
    bound = v.shape[-1] * float(xp.finfo(v.dtype).eps) * xp.max(xp.abs(v), axis=-1, keepdims=True)
    return gap, xp.abs(gap) <= _columns(xp, bound)


def _warn_of_repeated(what: str, v: Any, to_values: Any, to_vectors: Any, turning: Any, at_zero: bool = False) -> None:
    """Warn if what comes back to the vectors of a repeated value may not tell the derivative.

    Parameters
    ----------
    what : str
        The beginning of the warning.
    v : array
        The values.
    to_values, to_vectors : array or None
        The cotangents of the values, and of the vectors, in the basis of the vectors; None where nothing used them.
    turning : array or None
        The part of `to_vectors` that turns the vectors, of one value with each other where values are equal.
    at_zero : bool
        Whether a value of zero counts as repeated, though it is there once.

    Notes
    -----
    For a loss that depends on ``vectors f(values) vectors^H`` with the cotangent ``e`` in the basis of the vectors,
    ``to_vectors[i, j]`` is ``2 e[i, j] f(values[j])``, and ``to_values[i]`` is ``e[i, i] f'(values[i])``; what is missing,
    ``e[i, j] f'(values[i])``, is zero if the former is. But where ``f`` is zero, it says nothing. If the values are not used,
    there is no ``f'``, and nothing is missing unless the loss depends on how the vectors are turned.
    """
    power = 0.375 if isinstance(v, Tensor) else 0.75  # in a second derivative, differences are divided by twice
    v, to_values, to_vectors, turning = (x._data if isinstance(x, Tensor) else x for x in (v, to_values, to_vectors, turning))
    n = v.shape[-1]
    both = to_values is not None and to_vectors is not None
    if n == 0 or (n < 2 and not (at_zero and both)):
        return
    one = v if to_vectors is None else to_vectors
    xp = raw_namespace(one)
    if not xp.__backend__.cheap_to_read(one):
        return
    size = xp.abs(v)
    eps = float(xp.finfo(size.dtype).eps)
    largest = xp.max(size, axis=-1, keepdims=True)
    # Nearer than this, a difference of values has lost most of its digits.
    near = xp.abs(_rows(xp, v) - _columns(xp, v)) <= _columns(xp, max(n * eps, eps**power) * largest)
    band = _band(xp, size, n, n)
    pairs = near & ~band
    scale = 0.0 if to_vectors is None else xp.abs(to_vectors)
    if to_values is not None:
        scale = scale + xp.abs(_rows(xp, to_values) - _columns(xp, to_values))
    small = eps**0.5 * xp.max(scale, axis=(-2, -1), keepdims=True)
    some = pairs & ((xp.abs(turning) if to_values is None else scale) > small)
    if both:
        zero = _columns(xp, size <= n * eps * largest)
        pairs = pairs | (band & zero) if at_zero else pairs
        silent = xp.abs(_diagonal(xp, to_vectors)) <= small[..., 0]
        used = (xp.abs(to_values) > small[..., 0]) | (small[..., 0] == 0)
        some = some | (pairs & _columns(xp, silent) & (_columns(xp, used) | ~zero))
    if xp.__backend__.holds(xp.any(some)):
        warnings.warn(
            f"{what}; what is computed from its vectors has the right derivative if it depends on them only together, as a "
            "projection does, but not if it is an element of a function of the matrix, v f(w) v^H: compute that by "
            "xgrad.linalg.matrix_function",
            RuntimeWarning,
            stacklevel=2,
        )


# ------------------------------------------------------------------------------------------------------------- products


@composite
def outer(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """The outer product of two vectors, ``x1[i] * x2[j]``; nothing is conjugated.

    The gradient is ``g @ conj(x2)`` in `x1` and ``conj(x1) @ g`` in `x2`.

    >>> import xgrad
    >>> outer(xgrad.Tensor([1.0, 2.0]), xgrad.Tensor([1.0, 10.0]))
    Tensor([[ 1., 10.],
            [ 2., 20.]])
    """
    if x1.ndim != 1 or x2.ndim != 1:
        raise ValueError(f"outer: x1 has shape {tuple(x1.shape)} and x2 {tuple(x2.shape)}; both must have one axis")
    return _columns(xp, x1) * _rows(xp, x2)


@composite
def cross(xp: Any, x1: ArrayLike, x2: ArrayLike, /, *, axis: int = -1) -> Tensor:
    """The cross product of vectors with three elements along `axis`; the other axes broadcast.

    The gradient is ``x2 x g`` in `x1` and ``g x x1`` in `x2`.

    >>> import xgrad
    >>> cross(xgrad.Tensor([1.0, 0.0, 0.0]), xgrad.Tensor([0.0, 1.0, 0.0]))
    Tensor([0., 0., 1.])
    """
    check_axis("cross", axis)
    if axis >= 0 and x1.ndim == x2.ndim:
        axis -= x1.ndim
    if x1.ndim != x2.ndim and 0 <= axis < min(x1.ndim, x2.ndim):  # counted from the front, it is another place in either
        found = xp.linalg.cross(xp.moveaxis(x1, axis, -1), xp.moveaxis(x2, axis, -1), axis=-1)
        return xp.moveaxis(found, -1, axis)
    for name, x in (("x1", x1), ("x2", x2)):
        if not -x.ndim <= axis < 0 or x.shape[axis] != 3:
            raise ValueError(f"cross: {name} has shape {tuple(x.shape)}; along axis {axis} it must have three elements")
    a, b, c = xp.unstack(x1, axis=axis)
    d, e, f = xp.unstack(x2, axis=axis)
    return xp.stack([b * f - c * e, c * d - a * f, a * e - b * d], axis=axis)


@composite
def matrix_power(xp: Any, x: ArrayLike, n: int, /) -> Tensor:
    """The product of `n` factors `x`, square matrices; of the inverse, if `n` is negative.

    The gradient is that of the products, which are as many as `n` has binary digits, or twice that.

    >>> import xgrad
    >>> matrix_power(xgrad.Tensor([[1.0, 1.0], [0.0, 1.0]]), 5)
    Tensor([[1., 5.],
            [0., 1.]])
    """
    _square("matrix_power", x)
    if n == 0:
        zero = xp.zeros_like(x)
        band = _band(xp, x, x.shape[-2], x.shape[-1])
        return xp.where(band, zero + 1, xp.where(band, x, zero))  # a part of the graph, with gradient zero
    power, result = x if n > 0 else xp.linalg.inv(x), cast(Any, None)
    n = n if n > 0 else -n
    while True:
        if n & 1:
            result = power if result is None else result @ power
        n >>= 1
        if not n:
            return result
        power = power @ power


def _matrix(name: str, x: Any) -> None:
    if len(x.shape) < 2:
        raise ValueError(f"{name}: x has shape {tuple(x.shape)}; a matrix has two axes at least")


def _square(name: str, x: Any) -> None:
    if len(x.shape) < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"{name}: x has shape {tuple(x.shape)}; its last two axes must be equally long, a square matrix")


# ----------------------------------------------------------------------------------------------------------- diagonals


@op
def diagonal(xp: Any, x: ArrayLike, /, *, offset: int = 0) -> Tensor:
    """A diagonal of each matrix in the last two axes: the main one, or the `offset`-th above it (below, if negative).

    The gradient is `g` on that diagonal, zero elsewhere.

    >>> import xgrad
    >>> diagonal(xgrad.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([1., 4.])
    """
    _matrix("diagonal", x)
    return xp.linalg.diagonal(x, offset=offset)


def _diagonal_written(xp: Any, x: Any, v: Any, offset: int) -> Any:
    m, n = x.shape[-2:]
    return xp.where(_band(xp, x, m, n, offset), _diag(xp, v, m, n, offset), x)


diagonal.vjp(x=lambda xp, g, x_shape, offset: _diag(xp, g, x_shape[-2], x_shape[-1], offset))
diagonal.linear()
diagonal.view(_diagonal_written)


@composite
def trace(xp: Any, x: ArrayLike, /, *, offset: int = 0, dtype: Any = None) -> Tensor:
    """The sum of a diagonal of each matrix in the last two axes.

    The gradient is `g` on that diagonal, zero elsewhere.

    >>> import xgrad
    >>> trace(xgrad.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor(5.0)
    """
    _matrix("trace", x)
    return xp.sum(xp.linalg.diagonal(x, offset=offset), axis=-1, dtype=dtype)


# ------------------------------------------------------------------------------------------- determinants and inverses


@op(override=True)
def cofactors(xp: Any, arrays: Sequence[ArrayLike], /) -> Tensor:
    """The matrix of cofactors of square matrices, ``det(x) inv(x)^T``, also where `x` is singular; or its derivatives.

    Parameters
    ----------
    arrays : sequence of arrays
        The matrices `x`; then, for derivatives, directions. All are of shape ``(..., N, N)``.

    Notes
    -----
    With the singular value decomposition ``x = u diag(s) v^H`` it is ``det(u) det(v^H) conj(u) diag(p) conj(v^H)``, where
    ``p[i]`` is the product of all singular values but ``s[i]``: nothing is divided. In the basis of the singular vectors the
    derivative of order m of the determinant is the sum over all indices and permutations of m places, ``q``, of
    ``sign(q) p[i1, ..., im] e1[i1, i_q(1)] ... em[im, i_q(m)]``, where ``p`` is the product of the other singular values. It
    is linear in each of the directions ``e``; without one of them it is the result, and so are all derivatives of the result.

    Examples
    --------
    >>> import xgrad
    >>> cofactors([xgrad.Tensor([[1.0, 2.0], [2.0, 4.0]])]).numpy().round(3)
    array([[ 4., -2.],
           [-2.,  1.]], dtype=float32)
    """
    x, *directions = arrays
    order, n = len(directions), x.shape[-1]
    if math.prod(x.shape) == 0 or order >= n:  # a determinant is linear in each row
        return xp.zeros_like(x) if order or n == 0 else xp.ones_like(x)
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    phase = _columns(xp, _columns(xp, xp.linalg.det(u) * xp.linalg.det(vh)))
    inner = [_h(xp, u) @ e @ _h(xp, vh) for e in directions]
    p = xp.astype(_products_of_others(xp, s, order + 1), x.dtype)
    total = _diag(xp, p, n, n) if not order else None
    for permutation in itertools.permutations(range(order + 1)) if order else ():
        term = p
        for k, e in enumerate(inner, 1):
            i, j = sorted((k, permutation[k]))
            e = _diagonal(xp, e) if i == j else e if i == k else _t(xp, e)
            axes = (n if axis in (i, j) else 1 for axis in range(order + 1))
            term = term * xp.reshape(e, (*e.shape[: e.ndim - len({i, j})], *axes))
        column = permutation[0]
        if rest := tuple(i - order - 1 for i in range(1, order + 1) if i != column):
            term = xp.sum(term, axis=rest)
        term = _sign(permutation) * (term if column else _diag(xp, term, n, n))
        total = term if total is None else total + term
    return phase * (xp.conj(u) @ total @ xp.conj(vh))


def _sign(permutation: Sequence[int]) -> int:
    return (-1) ** sum(a > b for a, b in itertools.combinations(permutation, 2))


def _products_of_others(xp: Any, s: Any, places: int) -> Any:
    """For each tuple of so many indices, the product of `s` without the numbers at these; zero where two are equal."""
    lead, n = s.shape[:-1], s.shape[-1]
    band = _band(xp, s, n, n)
    taken, equal = None, None  # (index, ..., index, number), and (index, ..., index)

    def shape(*axes: int) -> tuple[int, ...]:
        return tuple(n if i in axes else 1 for i in range(places + 1))

    for k in range(places):
        one = xp.reshape(band, shape(k, places))
        taken = one if taken is None else taken | one
    for i, j in itertools.combinations(range(places), 2):
        one = xp.reshape(band, shape(i, j)[:-1])
        equal = one if equal is None else equal | one
    p = xp.prod(_one_where(xp, taken, xp.reshape(s, (*lead, *shape(places)))), axis=-1)
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
    It is right, and so is the second derivative, where `x` is singular.

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
    _square("det", x)
    return xp.linalg.det(x)


det.holomorphic(x=lambda xp, g, x: _columns(xp, _columns(xp, g)) * _cofactors(xp, x))
det.jvp(x=lambda xp, t, x: xp.sum(_cofactors(xp, x) * t, axis=(-2, -1)))


@op
def slogdet(xp: Any, x: ArrayLike, /) -> tuple[Tensor, Tensor]:
    """The sign of the determinant, or its phase if `x` is complex, and the logarithm of its absolute value.

    The gradient of the logarithm is ``g inv(x)^H``; it does not exist where `x` is singular, and is NaN there. That of the
    sign is zero for real `x`; a phase turns by the imaginary part of ``trace(inv(x) dx)``.

    >>> import xgrad
    >>> sign, logabsdet = slogdet(xgrad.Tensor([[0.0, 1.0], [1.0, 0.0]]))
    >>> sign.item(), logabsdet.item()
    (-1.0, 0.0)
    """
    _square("slogdet", x)
    return SlogdetResult(*xp.linalg.slogdet(x))


def _identity_where(xp: Any, condition: Any, x: Any) -> Any:
    """Square matrices, or the identity in place of those where `condition` holds."""
    band = xp.astype(_band(xp, x, x.shape[-2], x.shape[-1]), x.dtype)
    return xp.where(_columns(xp, _columns(xp, condition)), band, x)


def _slogdet_x(xp: Any, g: Any, x: Any, y: Any) -> Any:
    turn, scale = g
    if xp.isdtype(x.dtype, "complex floating"):
        scale = xp.astype(scale, x.dtype) - 1j * xp.astype(xp.imag(xp.conj(turn) * y[0]), x.dtype)
    singular = y[1] == -math.inf  # one in a stack must not stop the others from being inverted
    x = _identity_where(xp, singular, x)
    return _columns(xp, _columns(xp, _nan_where(xp, singular, scale))) * _h(xp, xp.linalg.inv(x))


def _slogdet_change(xp: Any, t: Any, x: Any, y: Any) -> Any:
    singular = y[1] == -math.inf
    d = _nan_where(xp, singular, xp.linalg.trace(xp.linalg.solve(_identity_where(xp, singular, x), t)))
    if not xp.isdtype(x.dtype, "complex floating"):
        return None, d
    return 1j * xp.astype(xp.imag(d), x.dtype) * y[0], xp.real(d)


slogdet.vjp(x=_slogdet_x)
slogdet.jvp(x=_slogdet_change)


@op
def inv(xp: Any, x: ArrayLike, /) -> Tensor:
    """The inverse of each square matrix in the last two axes.

    The gradient is ``-y^H g y^H``.

    >>> import xgrad
    >>> inv(xgrad.Tensor([[2.0, 0.0], [0.0, 4.0]]))
    Tensor([[0.5 , 0.  ],
            [0.  , 0.25]])
    """
    _square("inv", x)
    return xp.linalg.inv(x)


inv.holomorphic(x=lambda xp, g, y: -(_t(xp, y) @ g @ _t(xp, y)))
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
        If `x1` is not square, or `x2` has not as many rows.

    Notes
    -----
    The gradient is ``h = solve(x1^H, g)`` in `x2` and ``-h y^H`` in `x1`.

    Examples
    --------
    >>> import xgrad
    >>> solve(xgrad.Tensor([[2.0, 0.0], [0.0, 4.0]]), xgrad.Tensor([1.0, 1.0]))
    Tensor([0.5 , 0.25])
    """
    _square("solve", x1)
    if not x2.shape or x2.shape[max(x2.ndim - 2, 0)] != x1.shape[-1]:
        raise ValueError(f"solve: x1 has shape {tuple(x1.shape)} but x2 {tuple(x2.shape)}; x2 must have as many rows as x1")
    return xp.linalg.solve(x1, x2)


def _solve_back(xp: Any, g: Any, x1: Any, x2_shape: Any) -> Any:
    vector = len(x2_shape) == 1
    found = xp.linalg.solve(_t(xp, x1), _columns(xp, g) if vector else g)
    return xp.squeeze(found, axis=-1) if vector else found


def _solve_x1(xp: Any, g: Any, x1: Any, y: Any, x2_shape: Any) -> Any:
    back = _solve_back(xp, g, x1, x2_shape)
    return -(_columns(xp, back) * _rows(xp, y)) if len(x2_shape) == 1 else -(back @ _t(xp, y))


def _solve_change(xp: Any, t: Any, x1: Any, y: Any, x2_shape: Any) -> Any:
    if len(x2_shape) > 1:
        return -xp.linalg.solve(x1, t @ y)
    return -xp.squeeze(xp.linalg.solve(x1, t @ _columns(xp, y)), axis=-1)


solve.holomorphic(x1=_solve_x1, x2=_solve_back)
solve.jvp(x1=_solve_change)
solve.linear("x2")


@op(override=True)
def kept_rows(xp: Any, x: ArrayLike, /, *, rtol: Any) -> Tensor:
    """The projection onto the right singular vectors of tall `x` whose values are larger than `rtol` times the largest.

    The gradient is ``x (h + h^H)`` with ``h = across_gap(x, g + g^H)``.

    >>> import xgrad
    >>> kept_rows(xgrad.Tensor([[2.0, 0.0], [0.0, 1.0]]), rtol=0.6)
    Tensor([[1., 0.],
            [0., 0.]])
    """
    _, s, vh = xp.linalg.svd(x, full_matrices=False)
    vh = xp.where(_columns(xp, _kept(xp, s, rtol)), vh, xp.zeros_like(vh))
    return _h(xp, vh) @ vh


def _kept(xp: Any, s: Any, rtol: Any) -> Any:
    """Which of the descending singular values are larger than `rtol` times the first."""
    if s.shape[-1] == 0:
        return s > 0
    rtol = getattr(rtol, "_data", rtol)
    return s > s[..., :1] * (_columns(xp, rtol) if getattr(rtol, "shape", ()) else rtol)


@op(override=True)
def across_gap(xp: Any, x: ArrayLike, r: ArrayLike, /, *, rtol: Any) -> Tensor:
    """What the vectors that `kept_rows` keeps take up of the others when ``x^H x`` changes by `r`.

    With the singular values ``s`` and right singular vectors ``v`` of `x` it is ``v h v^H``, where ``h[i, j]`` is
    ``(v^H r v)[i, j] / (s[j]**2 - s[i]**2)`` for ``i`` dropped and ``j`` kept, and zero elsewhere. It solves
    ``y c - c y = (1 - p) r p`` with ``c = x^H x`` and the projection ``p``, and its derivatives of any order are again
    solutions of that equation: no difference of two kept values is divided by, so these may be equal.

    >>> import xgrad
    >>> across_gap(xgrad.Tensor([[2.0, 0.0], [0.0, 1.0]]), xgrad.ones((2, 2)), rtol=0.6).numpy().round(3)
    array([[0.   , 0.   ],
           [0.333, 0.   ]], dtype=float32)
    """
    _, s, vh = xp.linalg.svd(x, full_matrices=False)
    kept = _kept(xp, s, rtol)
    pairs = _rows(xp, kept) & ~_columns(xp, kept)
    gap, total = (xp.where(pairs, v, xp.ones_like(v)) for v in (_rows(xp, s) - _columns(xp, s), _rows(xp, s) + _columns(xp, s)))
    inner = vh @ r @ _h(xp, vh)
    return _h(xp, vh) @ xp.where(pairs, inner / xp.astype(total, r.dtype) / xp.astype(gap, r.dtype), xp.zeros_like(inner)) @ vh


def _kept_rows(xp: Any, x: Any, rtol: Any) -> Any:
    return kept_rows(x, rtol=rtol) if isinstance(x, Tensor) else xp.kept_rows(x, rtol=rtol)


def _across_gap(xp: Any, x: Any, r: Any, rtol: Any) -> Any:
    return across_gap(x, r, rtol=rtol) if isinstance(x, Tensor) else xp.across_gap(x, r, rtol=rtol)


def _twice_hermitian(xp: Any, x: Any) -> Any:
    return x + _h(xp, x)


def _kept_rows_x(xp: Any, g: Any, x: Any, rtol: Any) -> Any:
    x, size = _scaled(xp, x)
    return x @ _twice_hermitian(xp, _across_gap(xp, x, _twice_hermitian(xp, g), rtol)) / size


def _kept_rows_change(xp: Any, t: Any, x: Any, rtol: Any) -> Any:
    x, size = _scaled(xp, x)
    return _twice_hermitian(xp, _across_gap(xp, x, _twice_hermitian(xp, _h(xp, x) @ (t / size)), rtol))


def _scaled(xp: Any, x: Any) -> tuple[Any, Any]:
    """Matrices over the sizes of their largest elements, so that products of them do not overflow; and these sizes.

    They count as constants: what is made of both does not depend on them.
    """
    size = xp.max(xp.abs(x.detach() if isinstance(x, Tensor) else x), axis=(-2, -1), keepdims=True)
    size = xp.astype(_one_where(xp, size == 0, size), x.dtype)
    return x / size, size


kept_rows.vjp(x=_kept_rows_x)
kept_rows.jvp(x=_kept_rows_change)


def _across_gap_x(xp: Any, g: Any, x: Any, r: Any, y: Any, rtol: Any) -> Any:
    h, rh, yh = _across_gap(xp, x, g, rtol), _h(xp, r), _h(xp, y)
    p = _twice_hermitian(xp, rh @ h - h @ rh + yh @ g - g @ yh)  # the cotangent of the projection, and its transpose
    return x @ _twice_hermitian(xp, h @ yh - yh @ h + _across_gap(xp, x, p, rtol))


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
        Singular values up to `rtol` times the largest one count as zero; the precision of the dtype times ``max(M, N)`` if
        it is not given. An array has the shape of the leading axes. It has no gradient.

    Returns
    -------
    Tensor
        Of shape ``(..., N, M)``.

    Notes
    -----
    The gradient is that of a change of `x` which leaves the number of kept values as it is (G. H. Golub and V. Pereyra,
    1973): ``-y^H g y^H + (1 - x y) g^H y y^H + y^H y g^H (1 - y x)``. Where `rtol` drops values that are not zero, ``x`` in
    this formula is ``x p`` with the projection ``p`` onto the kept right singular vectors, and the change of ``p`` counts too.
    It is right to every order, also where kept values are equal. It does not exist where a value is at the threshold.

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
    _matrix("pinv", x)
    refuse_complex("pinv", rtol=rtol)
    return xp.linalg.pinv(x) if rtol is None else xp.linalg.pinv(x, rtol=getattr(rtol, "_data", rtol))


def _pinv_x(xp: Any, g: Any, x: Any, y: Any, rtol: Any) -> Any:
    if rtol is None or 0 in x.shape:
        return _pinv_of_constant_rank_x(xp, g, x, y)
    if x.shape[-2] < x.shape[-1]:
        return _h(xp, _pinv_x(xp, _h(xp, g), _h(xp, x), _h(xp, y), rtol))
    p = _kept_rows(xp, x, rtol)
    inner = _pinv_of_constant_rank_x(xp, g, x @ p, y)
    return inner @ p + _kept_rows_x(xp, _h(xp, x) @ inner, x, rtol)


def _pinv_change(xp: Any, t: Any, x: Any, y: Any, rtol: Any) -> Any:
    if rtol is None or 0 in x.shape:
        return _pinv_of_constant_rank_change(xp, t, x, y)
    if x.shape[-2] < x.shape[-1]:
        return _h(xp, _pinv_change(xp, _h(xp, t), _h(xp, x), _h(xp, y), rtol))
    p = _kept_rows(xp, x, rtol)
    return _pinv_of_constant_rank_change(xp, t @ p + x @ _kept_rows_change(xp, t, x, rtol), x @ p, y)


def _pinv_of_constant_rank_x(xp: Any, g: Any, x: Any, y: Any) -> Any:
    yh, gh = _h(xp, y), _h(xp, g)
    return (gh - x @ (y @ gh)) @ y @ yh + yh @ (y @ (gh - (gh @ y) @ x)) - yh @ g @ yh


def _pinv_of_constant_rank_change(xp: Any, t: Any, x: Any, y: Any) -> Any:
    yh, th = _h(xp, y), _h(xp, t)
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
    _matrix("matrix_rank", x)
    if math.prod(x.shape[-2:]) == 0:
        return xp.zeros(tuple(x.shape[:-2]), dtype=xp.int64, device=xp.__backend__.device(x))
    refuse_complex("matrix_rank", rtol=rtol)
    return xp.linalg.matrix_rank(x) if rtol is None else xp.linalg.matrix_rank(x, rtol=getattr(rtol, "_data", rtol))


matrix_rank.not_differentiable()


# ------------------------------------------------------------------------------------------------------- factorizations


@op
def cholesky(xp: Any, x: ArrayLike, /, *, upper: bool = False) -> Tensor:
    """The triangular ``y`` with ``y y^H = x``, or ``y^H y = x`` if `upper`, of Hermitian positive definite matrices.

    The gradient is Hermitian, though only one triangle of `x` is read: ``(h + h^H) / 2`` with
    ``h = y^-H p y^-1``, where ``p`` is the lower triangle of ``y^H g`` with half its diagonal.

    >>> import xgrad
    >>> cholesky(xgrad.Tensor([[4.0, 2.0], [2.0, 2.0]]))
    Tensor([[2., 0.],
            [1., 1.]])
    """
    _square("cholesky", x)
    return xp.linalg.cholesky(x, upper=upper)


def _cholesky_x(xp: Any, g: Any, y: Any, upper: bool) -> Any:
    if upper:
        g, y = _h(xp, g), _h(xp, y)
    p = xp.tril(_h(xp, y) @ g)
    p = xp.where(_band(xp, p, p.shape[-2], p.shape[-1]), p / 2, p)
    left = xp.linalg.solve(_h(xp, y), p)
    found = xp.linalg.solve(_h(xp, y), _h(xp, left))
    return (found + _h(xp, found)) / 2


def _cholesky_change(xp: Any, t: Any, y: Any, upper: bool) -> Any:
    y = _h(xp, y) if upper else y
    inner = xp.linalg.solve(y, _h(xp, xp.linalg.solve(y, (t + _h(xp, t)) / 2)))
    p = xp.tril(inner)
    found = y @ xp.where(_band(xp, p, p.shape[-2], p.shape[-1]), p / 2, p)
    return _h(xp, found) if upper else found


cholesky.vjp(x=_cholesky_x)
cholesky.jvp(x=_cholesky_change)


@op
def eig(xp: Any, x: ArrayLike, /) -> tuple[Tensor, Tensor]:
    """The eigenvalues ``w`` and eigenvectors ``v``, in columns, of square matrices; complex, in no particular order.

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
    An eigenvector of length 1 is determined up to a phase. The rule is that of a change that leaves ``v^H dv`` as it is in
    its real part, so that lengths stay 1, and takes no account of the phase: it is right for losses that do not depend on
    the phases, as ``abs(v)`` and ``v f(w) inv(v)`` do not, and meaningless for others. It is PyTorch's, which raises in
    the latter case. For `x` with a repeated eigenvalue the quotient below counts as zero, as in `eigh`; where there are too
    few eigenvectors, ``w`` and ``v`` have no derivative. The gradient is (C. Boeddeker et al., 2017; for unit length as
    above)::

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
    _square("eig", x)
    _has(xp, "eig")
    dtype = xp.result_type(x.dtype, xp.complex64)
    return EigResult(*(xp.astype(v, dtype, copy=False) for v in xp.linalg.eig(x)))


def _has(xp: Any, name: str) -> None:
    if not hasattr(xp.linalg, name):
        raise NotImplementedError(
            f"{name}: the library of backend {xp.__backend__.name!r} has no eigenvalues of general matrices; "
            "move x to another backend with xgrad.to_backend, or use eigh if x is Hermitian"
        )


def _eig_x(xp: Any, g: Any, y: Any) -> Any:
    (gw, gv), (w, v) = g, y
    n, vh = w.shape[-1], _h(xp, v)
    if gv is None:
        _warn_of_repeated("eig: x has a repeated eigenvalue", w, gw, None, None)
        return xp.linalg.solve(vh, _columns(xp, gw) * vh)
    inner = vh @ gv
    inner = inner - (vh @ v) * _rows(xp, xp.astype(xp.real(_diagonal(xp, inner)), v.dtype))
    _warn_of_repeated("eig: x has a repeated eigenvalue", w, gw, inner, inner)
    inner = _over_differences(xp, inner, xp.conj(w))
    inner = inner if gw is None else inner + _diag(xp, gw, n, n)
    return xp.linalg.solve(vh, inner @ vh)


def _eig_change(xp: Any, t: Any, y: Any) -> Any:
    w, v = y
    inner = xp.linalg.solve(v, xp.astype(t, v.dtype) @ v)
    _warn_of_repeated("eig: x has a repeated eigenvalue", w, None, inner, inner)
    turned = v @ _over_differences(xp, inner, w)
    along = xp.real(xp.sum(xp.conj(v) * turned, axis=-2))
    return _diagonal(xp, inner), turned - v * _rows(xp, xp.astype(along, v.dtype))


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
    _square("eigvals", x)
    _has(xp, "eigvals")
    return xp.astype(xp.linalg.eigvals(x), xp.result_type(x.dtype, xp.complex64), copy=False)


@op
def eigh(xp: Any, x: ArrayLike, /) -> tuple[Tensor, Tensor]:
    """The eigenvalues ``w``, ascending, and eigenvectors ``v``, in columns, of Hermitian matrices.

    The gradient is the Hermitian part of ``v (diag(gw) + (v^H gv)[i, j] / (w[j] - w[i])) v^H``. An eigenvector's sign or
    phase is arbitrary, and so is the basis that stands for a repeated eigenvalue: within such a basis the quotient counts
    as zero. This is right for losses in which those vectors occur only together (a projection, a trace of a function of
    `x`), and finite always; single elements of ``v f(w) v^H`` have derivatives at repeated values that no cotangents of
    ``w`` and ``v`` tell. Where that cannot be ruled out, and values are at hand, there is a RuntimeWarning;
    `xgrad.linalg.matrix_function` is right there.

    >>> import xgrad
    >>> w, v = eigh(xgrad.Tensor([[2.0, 1.0], [1.0, 2.0]]))
    >>> w
    Tensor([1..., 3...])
    """
    _square("eigh", x)
    return EighResult(*xp.linalg.eigh(x))


def _eigh_x(xp: Any, g: Any, y: Any) -> Any:
    (gw, gv), (w, v) = g, y
    n, vh = w.shape[-1], _h(xp, v)
    inner = None if gv is None else vh @ gv
    turning = None if inner is None else inner - _h(xp, inner)
    _warn_of_repeated("eigh: x has a repeated eigenvalue", w, gw, inner, turning)
    if inner is None:
        return (v * _rows(xp, xp.astype(gw, v.dtype))) @ vh
    inner = _over_differences(xp, inner, w)
    inner = inner if gw is None else inner + xp.astype(_diag(xp, gw, n, n), v.dtype)
    return v @ ((inner + _h(xp, inner)) / 2) @ vh


def _eigh_change(xp: Any, t: Any, y: Any) -> Any:
    w, v = y
    inner = _h(xp, v) @ ((t + _h(xp, t)) / 2) @ v
    _warn_of_repeated("eigh: x has a repeated eigenvalue", w, None, inner, inner)
    return xp.real(_diagonal(xp, inner)), v @ _over_differences(xp, inner, w)


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
    _square("eigvalsh", x)
    return xp.linalg.eigvalsh(x)


def _eigvalsh_x(xp: Any, g: Any, x: Any) -> Any:
    _, v = xp.linalg.eigh(x)
    return (v * _rows(xp, xp.astype(g, v.dtype))) @ _h(xp, v)


def _eigvalsh_change(xp: Any, t: Any, x: Any) -> Any:
    _, v = xp.linalg.eigh(x)
    return xp.real(xp.sum(xp.conj(v) * (t @ v), axis=-2))


eigvalsh.vjp(x=_eigvalsh_x)
eigvalsh.jvp(x=_eigvalsh_change)


@op
def qr(xp: Any, x: ArrayLike, /, *, mode: str = "reduced") -> tuple[Tensor, Tensor]:
    """Orthonormal columns ``q`` and an upper triangular ``r`` with ``q r = x``.

    Parameters
    ----------
    x : array
        Of shape ``(..., M, N)``. The gradient wants its first ``min(M, N)`` columns to be linearly independent.
    mode : {"reduced", "complete"}
        Whether ``q`` is of shape ``(..., M, min(M, N))`` or ``(..., M, M)``.

    Notes
    -----
    The gradient is ``(gq + q h) r^-H``, where ``h`` is the Hermitian matrix with the upper triangle of ``gr r^H - q^H gq``.
    Columns to the right of a square part are ``q`` times those of ``r``. Columns that only complete ``q`` are an arbitrary
    basis; the gradient is that of losses in which they occur only together.

    Examples
    --------
    >>> import xgrad
    >>> q, r = qr(xgrad.Tensor([[3.0, 1.0], [4.0, 2.0]]))
    >>> abs(r[0, 0]).item()
    5.0
    """
    _matrix("qr", x)
    return QRResult(*xp.linalg.qr(x, mode=mode))


def _qr_x(xp: Any, g: Any, y: Any) -> Any:
    (gq, gr), (q, r) = g, y
    n = r.shape[-1]
    k = min(q.shape[-2], n)
    if q.shape[-1] > k:  # q is completed: q2 turns against q as it must to stay orthogonal to it
        q, q2, gq, g2 = q[..., :k], q[..., k:], gq[..., :k], gq[..., k:]
        gq = gq - q2 @ (_h(xp, g2) @ q)
        r, gr = r[..., :k, :], gr[..., :k, :]
    rest = None
    if n > k:
        rest = q @ gr[..., k:]
        gq = gq + q @ r[..., k:] @ _h(xp, gr[..., k:])
        r, gr = r[..., :k], gr[..., :k]
    h = xp.triu(gr @ _h(xp, r) - _h(xp, q) @ gq)
    h = (h + _h(xp, h)) / xp.where(_band(xp, h, k, k), xp.ones_like(h) + 1, xp.ones_like(h))
    singular = xp.any(_diagonal(xp, r) == 0, axis=-1)
    found = _h(xp, xp.linalg.solve(_identity_where(xp, singular, r), _h(xp, gq + q @ h)))
    found = _nan_where(xp, _columns(xp, _columns(xp, singular)), found)
    return found if rest is None else xp.concat([found, rest], axis=-1)


def _qr_change(xp: Any, t: Any, y: Any) -> Any:
    q, r = y
    n = r.shape[-1]
    k = min(q.shape[-2], n)
    q1, r1 = q[..., :k], r[..., :k, :k]
    singular = xp.any(_diagonal(xp, r1) == 0, axis=-1)
    c = _h(xp, xp.linalg.solve(_h(xp, _identity_where(xp, singular, r1)), _h(xp, t[..., :k])))
    c = _nan_where(xp, _columns(xp, _columns(xp, singular)), c)
    a = _h(xp, q1) @ c
    low = xp.tril(a, k=-1)
    turn = low - _h(xp, low)
    if xp.isdtype(a.dtype, "complex floating"):
        turn = turn + _diag(xp, 1j * xp.astype(xp.imag(_diagonal(xp, a)), a.dtype), k, k)
    dq = q1 @ (turn - a) + c
    dr = xp.triu((a - turn) @ r1)
    if n > k:
        dr = xp.concat([dr, _h(xp, q1) @ t[..., k:] - turn @ r[..., :k, k:]], axis=-1)
    if q.shape[-1] > k:  # what completes q turns against it
        q2 = q[..., k:]
        dq = xp.concat([dq, -(q1 @ (_h(xp, dq) @ q2))], axis=-1)
        dr = xp.concat([dr, xp.zeros_like(r[..., k:, :])], axis=-2)
    return dq, dr


qr.vjp(x=_qr_x)
qr.jvp(x=_qr_change)


@op
def svd(xp: Any, x: ArrayLike, /, *, full_matrices: bool = True) -> tuple[Tensor, Tensor, Tensor]:
    """The singular value decomposition ``u diag(s) vh = x``, with ``s`` descending.

    Parameters
    ----------
    x : array
        Of shape ``(..., M, N)``.
    full_matrices : bool
        Whether ``u`` and ``vh`` are square, or have just ``min(M, N)`` columns and rows.

    Notes
    -----
    With ``a = u^H gu`` and ``b = vh gvh^H`` the gradient of a square `x` is ``u (A diag(s) + diag(s) B + diag(gs)) vh``,
    where ``A`` is ``a - a^H`` with each element divided by ``s[j]**2 - s[i]**2``, and ``B`` likewise. Singular vectors are
    determined only together, up to a phase, and those of a repeated value up to a rotation: see `eigh`, also for the warning.
    A division by a singular value that is zero, or by a difference that is, counts as zero. What turns the vectors on both
    sides in opposite directions has the sum of two values below it, so that the polar factor ``u vh`` is right at equal ones.

    Examples
    --------
    >>> import xgrad
    >>> u, s, vh = svd(xgrad.Tensor([[0.0, 2.0], [1.0, 0.0]]))
    >>> s
    Tensor([2., 1.])
    """
    _matrix("svd", x)
    return SVDResult(*xp.linalg.svd(x, full_matrices=full_matrices))


def _svd_x(xp: Any, g: Any, y: Any) -> Any:
    (gu, gs, gvh), (u, s, vh) = g, y
    k = s.shape[-1]
    m, n = u.shape[-2], vh.shape[-1]
    only_values = gu is None and gvh is None
    gu, gvh = (xp.zeros_like(v) if gv is None else gv for gv, v in ((gu, u), (gvh, vh)))
    if u.shape[-1] > k:  # vectors that complete the basis turn against the others as they must to stay orthogonal
        u, u2, gu, g2 = u[..., :k], u[..., k:], gu[..., :k], gu[..., k:]
        gu = gu - u2 @ (_h(xp, g2) @ u)
    if vh.shape[-2] > k:
        vh, v2h, gvh, g2h = vh[..., :k, :], vh[..., k:, :], gvh[..., :k, :], gvh[..., k:, :]
        gvh = gvh - (vh @ _h(xp, g2h)) @ v2h
    if only_values:
        _warn_of_repeated("svd: x has a repeated singular value", s, gs, None, None)
        return (u * _rows(xp, xp.astype(gs, u.dtype))) @ vh
    a, b = _h(xp, u) @ gu, vh @ _h(xp, gvh)
    together = _twice_hermitian(xp, a + b)
    a, b = a - _h(xp, a), b - _h(xp, b)
    same = (a + b) / 2
    _warn_of_repeated("svd: x has a repeated singular value", s, gs, together + same, same, at_zero=m != n)
    inner = _turned(xp, s, same, (a - b) / 2)
    inner = inner if gs is None else inner + xp.astype(_diag(xp, gs, k, k), u.dtype)
    found = u @ inner @ vh
    wide = xp.astype(s, u.dtype)
    inverse = _rows(xp, xp.where(wide == 0, xp.zeros_like(wide), 1 / _one_where(xp, wide == 0, wide)))
    if m > k:
        found = found + ((gu - u @ (_h(xp, u) @ gu)) * inverse) @ vh
    if n > k:
        found = found + (u * inverse) @ (gvh - (gvh @ _h(xp, vh)) @ vh)
    return found


def _turned(xp: Any, s: Any, same: Any, opposite: Any) -> Any:
    """``same[i, j] / (s[j] - s[i]) + opposite[i, j] / (s[j] + s[i])``, in which a division by zero counts as zero.

    With these two, a change of the matrix turns the vectors on either side in the same direction, and in opposite ones. The
    second is there for equal values too, as in the polar decomposition ``u vh``.
    """
    total = _rows(xp, s) + _columns(xp, s)
    zero = total == 0
    regular = xp.where(zero, xp.zeros_like(opposite), opposite / xp.astype(_one_where(xp, zero, total), opposite.dtype))
    return _over_differences(xp, same, s) + regular


def _svd_change(xp: Any, t: Any, y: Any) -> Any:
    u, s, vh = y
    k = s.shape[-1]
    u1, v1 = u[..., :k], _h(xp, vh[..., :k, :])
    m = _h(xp, u1) @ t @ v1
    wide = xp.astype(s, u.dtype)
    inverse = _rows(xp, xp.where(wide == 0, xp.zeros_like(wide), 1 / _one_where(xp, wide == 0, wide)))
    p, q = (m + _h(xp, m)) / 2, (m - _h(xp, m)) / 2
    _warn_of_repeated("svd: x has a repeated singular value", s, None, p, p)
    a, b = _turned(xp, s, p, q), _turned(xp, s, p, -q)
    du, dv = u1 @ a, v1 @ b
    if u.shape[-2] > k:
        du = du + (t @ v1 - u1 @ m) * inverse
    if vh.shape[-1] > k:
        dv = dv + (_h(xp, t) @ u1 - v1 @ _h(xp, m)) * inverse
    if u.shape[-1] > k:  # vectors that complete the basis turn against the others
        du = xp.concat([du, -(u1 @ (_h(xp, du) @ u[..., k:]))], axis=-1)
    if vh.shape[-2] > k:
        dv = xp.concat([dv, -(v1 @ (_h(xp, dv) @ _h(xp, vh[..., k:, :])))], axis=-1)
    return du, xp.real(_diagonal(xp, m)), _h(xp, dv)


svd.vjp(x=_svd_x)
cast(Any, svd).op.fills = False
svd.jvp(x=_svd_change)


@op
def svdvals(xp: Any, x: ArrayLike, /) -> Tensor:
    """The singular values of each matrix in the last two axes, descending.

    The gradient is ``u diag(g) v^H``, in which a singular value that is zero, the kink of a norm, has no part; the rule
    computes the singular vectors.

    >>> import xgrad
    >>> svdvals(xgrad.Tensor([[0.0, 2.0], [1.0, 0.0]]))
    Tensor([2., 1.])
    """
    _matrix("svdvals", x)
    return xp.linalg.svdvals(x)


def _svdvals_x(xp: Any, g: Any, x: Any) -> Any:
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    g = xp.where(s == 0, xp.zeros_like(g), g)
    return (u * _rows(xp, xp.astype(g, u.dtype))) @ vh


def _svdvals_change(xp: Any, t: Any, x: Any) -> Any:
    u, s, vh = xp.linalg.svd(x, full_matrices=False)
    d = xp.real(xp.sum(xp.conj(u) * (t @ _h(xp, vh)), axis=-2))
    return xp.where(s == 0, xp.zeros_like(d), d)


svdvals.vjp(x=_svdvals_x)
svdvals.jvp(x=_svdvals_change)


# ---------------------------------------------------------------------------------------------------------------- norms


@op(override=True)
def vector_norm(
    xp: Any, x: ArrayLike, /, *, axis: int | tuple[int, ...] | None = None, keepdims: bool = False, ord: int | float = 2
) -> Tensor:
    """The norm of vectors, ``sum(abs(x)**ord)**(1 / ord)``.

    Parameters
    ----------
    x : array
        Floating-point, real or complex.
    axis : int, tuple of int or None
        The axes that make up a vector; None is all of them.
    keepdims : bool
        Whether these axes stay, with length 1.
    ord : int or float
        Which norm: ``inf`` and ``-inf`` are the largest and the smallest absolute value, 0 is the number of elements that
        are not zero.

    Notes
    -----
    The gradient is ``g sign(x) (abs(x) / y)**(ord - 1)``, for the Euclidean norm ``g x / y``, and 0 at the kink, where ``y``
    is zero. The largest elements share that of the norms ``inf`` evenly, and so do the smallest that of ``-inf``.

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.Tensor([3.0, 4.0], requires_grad=True)
    >>> vector_norm(x).backward()
    >>> x.grad
    Tensor([0.6, 0.8])
    """
    return _norm(xp, x, axis, keepdims, ord)


@in_float32
def _norm(xp: Any, x: Any, axis: Any, keepdims: bool, ord: Any) -> Any:
    if axis is not None:
        axis = axes_from_0(axis, x.ndim) or (() if x.ndim else None)
    if 0 in x.shape or axis == () or ord == 0 or math.isinf(ord):
        return xp.__native__.linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=ord)
    if ord == 1:
        return xp.sum(xp.abs(x), axis=axis, keepdims=keepdims)
    real = not xp.isdtype(x.dtype, "complex floating")
    size = x if real and ord == 2 else xp.abs(x)
    # Of powers the largest decides: with that brought near 1, none that counts overflows or vanishes. A power of two rounds
    # nothing.
    if ord > 0:
        largest = xp.max(size, axis=axis, keepdims=True)
        largest = xp.maximum(largest, -xp.min(x, axis=axis, keepdims=True)) if size is x else largest
    else:
        largest = xp.min(size, axis=axis, keepdims=True)
    wide = "64" in str(largest.dtype)
    low, high = (1e-140, 1e140) if wide else (1e-10, 1e14)
    if ord == 2 and xp.__backend__.cheap_to_read(x) and bool(xp.all((largest > low) & (largest < high))):
        return xp.sqrt(xp.sum(size * size, axis=axis, keepdims=keepdims))
    bits = 1000.0 if wide else 120.0  # so few that neither the power of two nor its inverse is subnormal
    usual = (largest > 0) & (largest < math.inf)
    digits = xp.clip(xp.floor(xp.log2(xp.where(usual, largest, xp.ones_like(largest)))), -bits, bits)
    digits = xp.where(usual | (largest == 0), digits, xp.full_like(digits, bits))
    unit = xp.full_like(digits, 2.0) ** digits
    size = size / unit
    if ord < 0:  # where one is zero so is the norm
        size = _one_where(xp, size == 0, size)
    powers = size * size if ord == 2 else size**ord
    unit = unit if keepdims else xp.squeeze(unit, axis=tuple(range(x.ndim)) if axis is None else axis)
    total = xp.sum(powers, axis=axis, keepdims=keepdims)
    y = (xp.sqrt(total) if ord == 2 else total ** (1 / ord)) * unit
    if ord > 0:
        return y
    largest = largest if keepdims else xp.reshape(largest, y.shape)
    return xp.where(largest == 0, xp.zeros_like(y), y)


@in_float32
def _vector_norm_x(xp: Any, g: Any, x: Any, y: Any, axis: Any, keepdims: bool, ord: Any) -> Any:
    axis = axis if x.ndim else None  # a number has no axis, though 0 and -1 are taken
    if axis is not None and not keepdims:
        axes = axes_from_0(axis, x.ndim)
        shape = tuple(1 if i in axes else n for i, n in enumerate(x.shape))
        g, y = xp.reshape(g, shape), xp.reshape(y, shape)
    if ord == 0 or 0 in x.shape:
        return xp.zeros_like(x)
    if ord == 2:  # at the kink x is zero: it divides by 1, so that the next order is finite too
        return x / xp.astype(_one_where(xp, y == 0, y), x.dtype) * xp.astype(g, x.dtype)
    direction, size = xp.sign(x), xp.abs(x)
    if ord == 1:
        return direction * xp.astype(g, x.dtype)
    if abs(ord) == math.inf:
        at = size == y
        count = xp.sum(xp.astype(at, y.dtype), axis=axis, keepdims=True)
        return direction * xp.astype(xp.where(at, g / count, xp.zeros_like(y)), x.dtype)
    kink = (size == 0) | (y == 0)
    ratio = _one_where(xp, kink, size) / _one_where(xp, y == 0, y)
    return direction * xp.astype(xp.where(kink, xp.zeros_like(ratio), g * ratio ** (ord - 1)), x.dtype)


@in_float32
def _vector_norm_change(xp: Any, t: Any, x: Any, y: Any, axis: Any, keepdims: bool, ord: Any) -> Any:
    d = _vector_norm_x(xp, xp.ones_like(y), x, y, axis, keepdims, ord)
    return xp.sum(xp.real(xp.conj(d) * t), axis=axis if x.ndim else None, keepdims=keepdims)


vector_norm.vjp(x=_vector_norm_x)
vector_norm.jvp(x=_vector_norm_change)


@composite
def matrix_norm(xp: Any, x: ArrayLike, /, *, keepdims: bool = False, ord: int | float | str | None = "fro") -> Tensor:
    """The norm of each matrix in the last two axes.

    Parameters
    ----------
    x : array
        Floating-point, of shape ``(..., M, N)``.
    keepdims : bool
        Whether the last two axes stay, with length 1.
    ord : {"fro", "nuc", 1, -1, 2, -2, inf, -inf}
        The root of the sum of squares; the sum of the singular values; the largest (smallest, if negative) sum of absolute
        values in a column (1), singular value (2), sum of absolute values in a row (inf).

    Raises
    ------
    ValueError
        If there is no norm `ord`.

    Notes
    -----
    The gradient is that of `vector_norm`, `svdvals`, or of the sums; equal candidates share it evenly, and that of a zero
    matrix is zero.

    Examples
    --------
    >>> import xgrad
    >>> matrix_norm(xgrad.Tensor([[3.0, 0.0], [0.0, 4.0]])).item()
    5.0
    """
    _matrix("matrix_norm", x)
    if ord is None or ord == "fro":
        return norm(xp, x, (-2, -1), keepdims)
    if ord == "nuc":
        s = xp.linalg.svdvals(x)
        found = xp.sum(xp.where(_nearly(xp, s, 0.0), xp.zeros_like(s), s), axis=-1)
    elif ord in (1, -1, 2, -2, math.inf, -math.inf):
        size = abs(ord)  # type: ignore[arg-type]
        parts = xp.linalg.svdvals(x) if size == 2 else xp.sum(xp.abs(x), axis=-2 if size == 1 else -1)
        if parts.shape[-1] == 0:
            if ord < 0:  # type: ignore[operator]
                raise ValueError(f"matrix_norm: x has shape {tuple(x.shape)}; of no numbers there is no smallest, ord={ord!r}")
            found = xp.sum(parts, axis=-1)
        else:
            found = (xp.max if ord > 0 else xp.min)(parts, axis=-1)  # type: ignore[operator]
            if size == 2:  # values that are equal to within rounding share the gradient; those near zero have none
                some = _nearly(xp, parts, _columns(xp, found))
                alike = xp.where(some & ~_nearly(xp, parts, 0.0), parts, xp.zeros_like(parts))
                found = _with_gradient_of(xp, found, xp.sum(alike, axis=-1) / xp.sum(xp.astype(some, parts.dtype), axis=-1))
    else:
        raise ValueError(f"matrix_norm: ord={ord!r}; it must be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf")
    return _columns(xp, _columns(xp, found)) if keepdims else found


def _nearly(xp: Any, s: Any, value: Any) -> Any:
    """Which descending singular values are `value` to within rounding."""
    if s.shape[-1] == 0:
        return s == value
    return xp.abs(s - value) <= s.shape[-1] * float(xp.finfo(s.dtype).eps) * s[..., :1]


def _with_gradient_of(xp: Any, y: Any, other: Any) -> Any:
    """`y`, with the gradient of `other`, which has the same value to within rounding."""
    return y.detach() + (other - other.detach()) if isinstance(y, Tensor) else y
