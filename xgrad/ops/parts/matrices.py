"""Small operations on stacks of matrices, shared by the functions of linear algebra."""

from __future__ import annotations

import warnings
from typing import Any

from ...backend.find import raw_namespace
from ...tensor.tensor import Tensor
from .safe import one_where

__all__ = [
    "adjoint", "as_columns", "as_diagonal", "as_matrices", "as_rows", "check_matrix", "check_square", "differences",
    "identity_where", "on_diagonal", "over_differences", "plus_adjoint", "transposed", "warn_of_repeated",
]  # fmt: skip


# ------------------------------------------------------------------------------------------------------------------- shapes


def check_matrix(name: str, x: Any) -> None:
    """Raise a ValueError of the function `name` unless `x` has two axes at least."""
    if len(x.shape) < 2:
        raise ValueError(f"{name}: x has shape {tuple(x.shape)}; a matrix has two axes at least")


def check_square(name: str, x: Any) -> None:
    """Raise a ValueError of the function `name` unless `x` is made of square matrices."""
    if len(x.shape) < 2 or x.shape[-1] != x.shape[-2]:
        raise ValueError(f"{name}: x has shape {tuple(x.shape)}; its last two axes must be equally long, a square matrix")


def as_rows(xp: Any, v: Any) -> Any:
    """Vectors as matrices of one row: ``x * as_rows(xp, v)`` is ``x @ diag(v)``."""
    return xp.expand_dims(v, axis=-2)


def as_columns(xp: Any, v: Any) -> Any:
    """Vectors as matrices of one column: ``x * as_columns(xp, v)`` is ``diag(v) @ x``."""
    return xp.expand_dims(v, axis=-1)


def as_matrices(xp: Any, v: Any) -> Any:
    """Numbers as matrices of one element."""
    return as_columns(xp, as_columns(xp, v))


# ------------------------------------------------------------------------------------------------- transposes and diagonals


def transposed(xp: Any, x: Any) -> Any:
    """The transpose ``x^T``."""
    return xp.matrix_transpose(x)


def adjoint(xp: Any, x: Any) -> Any:
    """The conjugate transpose ``x^H``."""
    return xp.conj(xp.matrix_transpose(x))


def plus_adjoint(xp: Any, x: Any) -> Any:
    """``x + x^H``, twice the Hermitian part."""
    return x + adjoint(xp, x)


def on_diagonal(xp: Any, like: Any, m: int, n: int, offset: int = 0) -> Any:
    """A boolean matrix of shape ``(m, n)``, True on a diagonal."""
    one = xp.new_zeros(like, (m, n)) + 1
    return xp.triu(xp.tril(one, k=offset), k=offset) != 0


def as_diagonal(xp: Any, v: Any, m: int, n: int, offset: int = 0) -> Any:
    """Matrices of shape ``(m, n)`` with the vectors `v` on a diagonal, zero elsewhere."""
    size, length = (m, v.shape[-1]) if offset >= 0 else (n, v.shape[-1])
    if length < size:
        v = xp.concat([v, xp.new_zeros(v, (*v.shape[:-1], size - length))], axis=-1)
    v = as_columns(xp, v) if offset >= 0 else as_rows(xp, v)
    return xp.where(on_diagonal(xp, v, m, n, offset), v, xp.zeros_like(v))


def identity_where(xp: Any, condition: Any, x: Any) -> Any:
    """The square matrices `x`, with the identity in place of those for which `condition` holds."""
    identity = xp.astype(on_diagonal(xp, x, x.shape[-2], x.shape[-1]), x.dtype)
    return xp.where(as_matrices(xp, condition), identity, x)


# ------------------------------------------------------------------------------------ differences of eigen- or singular values


def differences(xp: Any, v: Any) -> tuple[Any, Any]:
    """The matrix ``v[j] - v[i]``, and where it is zero to within rounding."""
    gap = as_rows(xp, v) - as_columns(xp, v)
    bound = v.shape[-1] * float(xp.finfo(v.dtype).eps) * xp.max(xp.abs(v), axis=-1, keepdims=True)
    return gap, xp.abs(gap) <= as_columns(xp, bound)


def over_differences(xp: Any, x: Any, v: Any) -> Any:
    """``x[i, j] / (v[j] - v[i])``, and zero where the values are equal to within rounding, since their vectors are arbitrary."""
    if v.shape[-1] == 0:
        return x
    gap, equal = differences(xp, v)
    return xp.where(equal, xp.zeros_like(x), x / one_where(xp, equal, gap))


def warn_of_repeated(text: str, v: Any, to_values: Any, to_vectors: Any, turning: Any, at_zero: bool = False) -> None:
    """Warn if values are repeated and the cotangents of their vectors may not determine the derivative.

    Parameters
    ----------
    text : str
        The beginning of the warning.
    v : array
        The eigenvalues or singular values.
    to_values, to_vectors : array or None
        The cotangents of the values, and of the vectors in the basis of the vectors; None where there is none.
    turning : array or None
        The part of `to_vectors` that rotates the vectors of equal values among themselves.
    at_zero : bool
        Whether a single value of zero counts as repeated.

    Notes
    -----
    Let the loss depend on ``vectors f(values) vectors^H``, with the cotangent ``e`` in the basis of the vectors. Then
    ``to_vectors[i, j]`` is ``2 e[i, j] f(values[j])`` and ``to_values[i]`` is ``e[i, i] f'(values[i])``. The rules lack the
    term ``e[i, j] f'(values[i])``. It is zero where ``to_vectors[i, j]`` is zero, unless ``f`` is zero there. Where the values
    are not used there is no ``f'``, and nothing is lacking unless the loss depends on a rotation of the vectors.
    """
    power = 0.375 if isinstance(v, Tensor) else 0.75  # second derivatives divide by differences twice
    v, to_values, to_vectors, turning = (x._data if isinstance(x, Tensor) else x for x in (v, to_values, to_vectors, turning))
    n = v.shape[-1]
    both = to_values is not None and to_vectors is not None
    if n == 0 or (n < 2 and not (at_zero and both)):
        return
    array = v if to_vectors is None else to_vectors
    xp = raw_namespace(array)
    if not xp.__backend__.cheap_to_read(array):
        return
    size = xp.abs(v)
    eps = float(xp.finfo(size.dtype).eps)
    largest = xp.max(size, axis=-1, keepdims=True)
    # The difference of values that are nearer than this has lost most of its digits.
    near = xp.abs(as_rows(xp, v) - as_columns(xp, v)) <= as_columns(xp, max(n * eps, eps**power) * largest)
    diagonal = on_diagonal(xp, size, n, n)
    pairs = near & ~diagonal
    scale = 0.0 if to_vectors is None else xp.abs(to_vectors)
    if to_values is not None:
        scale = scale + xp.abs(as_rows(xp, to_values) - as_columns(xp, to_values))
    small = eps**0.5 * xp.max(scale, axis=(-2, -1), keepdims=True)
    doubtful = pairs & ((xp.abs(turning) if to_values is None else scale) > small)
    if both:
        zero = as_columns(xp, size <= n * eps * largest)
        pairs = pairs | (diagonal & zero) if at_zero else pairs
        silent = xp.abs(xp.linalg.diagonal(to_vectors)) <= small[..., 0]
        used = (xp.abs(to_values) > small[..., 0]) | (small[..., 0] == 0)
        doubtful = doubtful | (pairs & as_columns(xp, silent) & (as_columns(xp, used) | ~zero))
    if xp.__backend__.holds(xp.any(doubtful)):
        warnings.warn(
            f"{text}; the derivative is right if the loss depends on its vectors only together, as on a projection, but not if "
            "it depends on an element of a function of the matrix, v f(w) v^H: compute that with xgrad.linalg.matrix_function",
            RuntimeWarning,
            stacklevel=2,
        )
