"""Norms of vectors and matrices."""

from __future__ import annotations

import math
from typing import Any

from ...backend.precision import in_float32, norm
from ...engine.define import composite, op
from ...tensor.tensor import ArrayLike, Tensor
from ..parts.axes import axes_from_0, kept
from ..parts.matrices import as_columns, as_matrices, check_matrix
from ..parts.safe import one_where

__all__ = ["matrix_norm", "vector_norm"]


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
        The axes of a vector; None is all of them.
    keepdims : bool
        Whether to keep these axes, with length 1.
    ord : int or float
        The order of the norm: ``inf`` and ``-inf`` are the largest and the smallest absolute value, 0 is the number of elements
        that are not zero.

    Notes
    -----
    The gradient is ``g sign(x) (abs(x) / y)**(ord - 1)``, for the Euclidean norm ``g x / y``, and 0 at the kink, where ``y``
    is zero. For ``inf`` it is shared evenly among the largest elements, for ``-inf`` among the smallest.

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
    # The largest power dominates the sum. Scaled to be near 1, neither it nor any power that counts overflows or vanishes. The
    # scale is a power of two, so that scaling does not round.
    if ord > 0:
        largest = xp.max(size, axis=axis, keepdims=True)
        largest = xp.maximum(largest, -xp.min(x, axis=axis, keepdims=True)) if size is x else largest
    else:
        largest = xp.min(size, axis=axis, keepdims=True)
    wide = "64" in str(largest.dtype)
    low, high = (1e-140, 1e140) if wide else (1e-10, 1e14)
    if ord == 2 and xp.__backend__.cheap_to_read(x) and bool(xp.all((largest > low) & (largest < high))):
        return xp.sqrt(xp.sum(size * size, axis=axis, keepdims=keepdims))
    bits = 1000.0 if wide else 120.0  # so that neither the power of two nor its inverse is subnormal
    usual = (largest > 0) & (largest < math.inf)
    digits = xp.clip(xp.floor(xp.log2(xp.where(usual, largest, xp.ones_like(largest)))), -bits, bits)
    digits = xp.where(usual | (largest == 0), digits, xp.full_like(digits, bits))
    unit = xp.full_like(digits, 2.0) ** digits
    size = size / unit
    if ord < 0:  # where an element is zero, so is the norm
        size = one_where(xp, size == 0, size)
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
    axis = axis if x.ndim else None  # a 0-d array has no axis, although 0 and -1 are allowed
    g, y = (kept(xp, v, x.shape, axis, keepdims) for v in (g, y))
    if ord == 0 or 0 in x.shape:
        return xp.zeros_like(x)
    if ord == 2:  # at the kink x is zero, and is divided by 1, so that the next derivative is finite too
        return x / xp.astype(one_where(xp, y == 0, y), x.dtype) * xp.astype(g, x.dtype)
    direction, size = xp.sign(x), xp.abs(x)
    if ord == 1:
        return direction * xp.astype(g, x.dtype)
    if abs(ord) == math.inf:
        at = size == y
        count = xp.sum(xp.astype(at, y.dtype), axis=axis, keepdims=True)
        return direction * xp.astype(xp.where(at, g / count, xp.zeros_like(y)), x.dtype)
    kink = (size == 0) | (y == 0)
    ratio = one_where(xp, kink, size) / one_where(xp, y == 0, y)
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
        Whether to keep the last two axes, with length 1.
    ord : {"fro", "nuc", 1, -1, 2, -2, inf, -inf}
        "fro" is the root of the sum of squares, "nuc" the sum of the singular values. 1 is the largest sum of absolute values in
        a column, 2 the largest singular value, inf the largest sum of absolute values in a row; negative numbers are the
        smallest of these.

    Raises
    ------
    ValueError
        If there is no norm `ord`.

    Notes
    -----
    The gradient is that of `vector_norm`, of `svdvals`, or of the sums, shared evenly where several are the largest or smallest;
    for a zero matrix it is zero.

    Examples
    --------
    >>> import xgrad
    >>> matrix_norm(xgrad.Tensor([[3.0, 0.0], [0.0, 4.0]])).item()
    5.0
    """
    check_matrix("matrix_norm", x)
    if ord is None or ord == "fro":
        return norm(xp, x, (-2, -1), keepdims)
    if ord == "nuc":
        s = xp.linalg.svdvals(x)
        y = xp.sum(xp.where(_nearly(xp, s, 0.0), xp.zeros_like(s), s), axis=-1)
    elif ord in (1, -1, 2, -2, math.inf, -math.inf):
        size = abs(ord)  # type: ignore[arg-type]
        parts = xp.linalg.svdvals(x) if size == 2 else xp.sum(xp.abs(x), axis=-2 if size == 1 else -1)
        if parts.shape[-1] == 0:
            if ord < 0:  # type: ignore[operator]
                raise ValueError(f"matrix_norm: x has shape {tuple(x.shape)}; an empty matrix has no smallest value, ord={ord!r}")
            y = xp.sum(parts, axis=-1)
        else:
            y = (xp.max if ord > 0 else xp.min)(parts, axis=-1)  # type: ignore[operator]
            if size == 2:  # values that are equal to within rounding share the gradient; those near zero have none
                ties = _nearly(xp, parts, as_columns(xp, y))
                tied = xp.where(ties & ~_nearly(xp, parts, 0.0), parts, xp.zeros_like(parts))
                y = _with_gradient_of(xp, y, xp.sum(tied, axis=-1) / xp.sum(xp.astype(ties, parts.dtype), axis=-1))
    else:
        raise ValueError(f"matrix_norm: ord={ord!r}; it must be 'fro', 'nuc', 1, -1, 2, -2, inf or -inf")
    return as_matrices(xp, y) if keepdims else y


def _nearly(xp: Any, s: Any, value: Any) -> Any:
    """Which of the descending singular values equal `value` to within rounding."""
    if s.shape[-1] == 0:
        return s == value
    return xp.abs(s - value) <= s.shape[-1] * float(xp.finfo(s.dtype).eps) * s[..., :1]


def _with_gradient_of(xp: Any, y: Any, other: Any) -> Any:
    """`y`, with the gradient of `other`, which has the same value to within rounding."""
    return y.detach() + (other - other.detach()) if isinstance(y, Tensor) else y
