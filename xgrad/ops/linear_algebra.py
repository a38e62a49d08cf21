"""Products of matrices and vectors.

A rule derives the number of axes of an operand from those of the cotangent and of the other operand, so a product saves only
the other operand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..engine.define import op
from ..tensor.tensor import ArrayLike, Tensor
from .parts.axes import check_axis
from .parts.matrices import as_columns, as_rows

__all__ = ["matmul", "matrix_transpose", "tensordot", "vecdot"]


def _at(xp: Any, x1: Any, x2: Any) -> Any:
    """``x1 @ x2``, by `matmul` where the operator of a library does not take two dtypes, or sums many products imprecisely."""
    same = x1.dtype is x2.dtype or x1.dtype == x2.dtype
    return x1 @ x2 if same and x1.shape[-1:] <= _MANY else xp.matmul(x1, x2)


_MANY = (4096,)  # the shape of the longest axis that the operator may sum over


def _product(xp: Any, x1: Any, x2: Any) -> Any:
    """``x1 @ x2`` for stacks of matrices. An outer product is computed by ``*``, three times as fast as by BLAS."""
    return x1 * x2 if x1.shape[-1] == 1 and x2.shape[-2] == 1 else _at(xp, x1, x2)


@op
def matmul(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """The matrix product, ``x1 @ x2``.

    Parameters
    ----------
    x1 : array
        Of shape ``(..., M, K)``; or ``(K,)``, which counts as one row, without the axis of rows in the result.
    x2 : array
        Of shape ``(..., K, N)``; or ``(K,)``, which counts as one column, without the axis of columns in the result. Leading
        axes broadcast against those of `x1`. Nothing is conjugated.

    Returns
    -------
    Tensor
        Of shape ``(..., M, N)``.

    Raises
    ------
    ValueError
        If the inner lengths differ, leading axes do not broadcast, or an operand is 0-d.

    Notes
    -----
    The gradient is ``g @ x2^H`` for `x1` and ``x1^H @ g`` for `x2`, summed over leading axes that were broadcast.

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.Tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    >>> (x @ xgrad.Tensor([1.0, 10.0])).sum().backward()
    >>> x.grad
    Tensor([[ 1., 10.],
            [ 1., 10.]])
    """
    try:
        return _at(xp, x1, x2)
    except Exception as error:
        raise _explain(x1, x2, error) from error


def _explain(x1: Any, x2: Any, error: Exception) -> Exception:
    s1, s2 = tuple(x1.shape), tuple(x2.shape)
    if not s1 or not s2:
        return ValueError(f"matmul: x1 has shape {s1} and x2 {s2}; both need at least one axis; multiply by a scalar with *")
    if s1[-1] != s2[max(len(s2) - 2, 0)]:
        place = "only" if len(s2) == 1 else "second-to-last"
        return ValueError(
            f"matmul: x1 has shape {s1} but x2 is {s2}; the last axis of x1 and the {place} axis of x2 must be equal"
        )
    if any(n != m and 1 not in (n, m) for n, m in zip(s1[-3::-1], s2[-3::-1])):
        return ValueError(
            f"matmul: x1 has shape {s1} but x2 is {s2}; the axes before the last two must be equal, or one of them 1"
        )
    return error


def _matmul_x1(xp: Any, g: Any, x2: Any) -> Any:
    if x2.ndim == 2 and g.ndim >= 2:  # (..., M, N) @ (N, K)
        return _product(xp, g, x2.T)
    if x2.ndim == 1:
        return g * x2 if g.ndim == 0 else as_columns(xp, g) * x2
    if g.ndim >= x2.ndim:
        return _product(xp, g, xp.matrix_transpose(x2))
    if x2.ndim == 2:  # x1 is a vector: (K, N) @ (N,)
        return _at(xp, x2, g)
    return xp.sum(x2 * as_rows(xp, g), axis=-1)


def _matmul_x2(xp: Any, g: Any, x1: Any, x2_shape: tuple[int, ...]) -> Any:
    if x1.ndim == 2 and g.ndim == 2:  # (K, M) @ (M, N)
        return _product(xp, x1.T, g)
    if len(x2_shape) == 1:
        if g.ndim == 0:
            return g * x1
        return _at(xp, xp.reshape(g, (-1,)) if g.ndim > 1 else g, _flat(xp, x1) if x1.ndim > 2 else x1)
    if x1.ndim == 1:
        return as_columns(xp, x1) * as_rows(xp, g)
    if len(x2_shape) == 2:  # one matrix for a stack: a single product also sums over the stack
        return _product(xp, _flat(xp, x1).T, _flat(xp, g))
    return _product(xp, xp.matrix_transpose(x1), g)


def _flat(xp: Any, x: Any) -> Any:
    rows = 1
    for n in x.shape[:-1]:
        rows *= n
    return xp.reshape(x, (rows, x.shape[-1]))


matmul.holomorphic(x1=_matmul_x1, x2=_matmul_x2)
matmul.linear()


@op
def matrix_transpose(xp: Any, x: ArrayLike, /) -> Tensor:
    """The transpose of the last two axes.

    Parameters
    ----------
    x : array
        Of shape ``(..., M, N)``.

    Returns
    -------
    Tensor
        Of shape ``(..., N, M)``, a view of `x`.

    Raises
    ------
    ValueError
        If `x` has fewer than two axes.

    Notes
    -----
    The gradient is the transpose of `g`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.matrix_transpose(xgrad.Tensor([[1.0, 2.0], [3.0, 4.0]]))
    Tensor([[1., 3.],
            [2., 4.]])
    """
    if len(x.shape) < 2:
        raise ValueError(f"matrix_transpose: x has shape {tuple(x.shape)}; a matrix has two axes at least")
    return xp.matrix_transpose(x)


matrix_transpose.vjp(x=lambda xp, g: xp.matrix_transpose(g))
matrix_transpose.linear()
matrix_transpose.view(lambda xp, x, v: xp.matrix_transpose(v))


@op
def tensordot(xp: Any, x1: ArrayLike, x2: ArrayLike, /, *, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Tensor:
    """The sum of products over pairs of axes.

    Parameters
    ----------
    x1, x2 : array
        The operands; neither is conjugated or broadcast.
    axes : int or two sequences of int
        The number of last axes of `x1` that are paired with the first axes of `x2`, in order (0 is the outer product); or the
        axes of `x1` and the axes of `x2`.

    Returns
    -------
    Tensor
        With the other axes of `x1`, then the other axes of `x2`.

    Raises
    ------
    ValueError
        If paired axes differ in length, or an axis does not exist or is named twice.

    Notes
    -----
    The gradient for an operand is the tensordot of `g` with the conjugate of the other operand, over the axes of that operand
    that are not summed, with its axes permuted to those of the operand.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.tensordot(xgrad.ones((2, 3, 4)), xgrad.ones((4, 3, 5)), axes=((1, 2), (1, 0))).shape
    (2, 5)
    """
    paired1, paired2 = _pairs(axes, x1.ndim, x2.ndim)
    if [x1.shape[i] for i in paired1] != [x2.shape[i] for i in paired2]:
        raise ValueError(
            f"tensordot: x1 has shape {tuple(x1.shape)} and x2 {tuple(x2.shape)}; axes {paired1} of x1 must have the lengths of "
            f"axes {paired2} of x2"
        )
    return xp.tensordot(x1, x2, axes=(paired1, paired2))


def _pairs(axes: Any, ndim1: int, ndim2: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes of each operand that are summed over, counted from 0."""
    if isinstance(axes, int):
        if not 0 <= axes <= min(ndim1, ndim2):
            raise ValueError(f"tensordot: axes={axes}, but the operands have {ndim1} and {ndim2} axes")
        return tuple(range(ndim1 - axes, ndim1)), tuple(range(axes))
    paired = []
    for part, ndim in zip(axes, (ndim1, ndim2)):
        part = (part,) if isinstance(part, int) else tuple(part)
        if any(not -ndim <= i < ndim for i in part):
            raise ValueError(f"tensordot: axes={axes} names an axis that an operand with {ndim} axes does not have")
        paired.append(tuple(i % ndim for i in part))
        if len(set(paired[-1])) != len(part):
            raise ValueError(f"tensordot: axes={axes} names an axis twice")
    if len(paired) != 2 or len(paired[0]) != len(paired[1]):
        raise ValueError(f"tensordot: axes={axes} must name as many axes of x1 as of x2")
    return paired[0], paired[1]


def _free(ndim: int, paired: Sequence[int]) -> tuple[int, ...]:
    return tuple(i for i in range(ndim) if i not in paired)


def _ordered(xp: Any, d: Any, places: Sequence[int]) -> Any:
    """`d` with its axis ``j`` moved to ``places[j]``, for all axes."""
    order = sorted(range(len(places)), key=places.__getitem__)
    return d if order == list(range(len(places))) else xp.permute_dims(d, tuple(order))


def _tensordot_x1(xp: Any, g: Any, x2: Any, axes: Any) -> Any:
    count = axes if isinstance(axes, int) else 1 if isinstance(axes[0], int) else len(axes[0])
    ndim = g.ndim - x2.ndim + 2 * count
    paired1, paired2 = _pairs(axes, ndim, x2.ndim)
    free1, free2 = _free(ndim, paired1), _free(x2.ndim, paired2)
    d = xp.tensordot(g, x2, axes=(tuple(range(len(free1), g.ndim)), free2))
    return _ordered(xp, d, [*free1, *(paired1[paired2.index(k)] for k in sorted(paired2))])


def _tensordot_x2(xp: Any, g: Any, x1: Any, axes: Any) -> Any:
    count = axes if isinstance(axes, int) else 1 if isinstance(axes[0], int) else len(axes[0])
    ndim = g.ndim - x1.ndim + 2 * count
    paired1, paired2 = _pairs(axes, x1.ndim, ndim)
    free1, free2 = _free(x1.ndim, paired1), _free(ndim, paired2)
    d = xp.tensordot(x1, g, axes=(free1, tuple(range(len(free1)))))
    return _ordered(xp, d, [*(paired2[paired1.index(k)] for k in sorted(paired1)), *free2])


tensordot.holomorphic(x1=_tensordot_x1, x2=_tensordot_x2)
tensordot.linear()


@op
def vecdot(xp: Any, x1: ArrayLike, x2: ArrayLike, /, *, axis: int = -1) -> Tensor:
    """The dot product of vectors along an axis, ``sum(conj(x1) * x2)``.

    Parameters
    ----------
    x1, x2 : array
        Their other axes broadcast.
    axis : int
        The axis of the vectors in both operands, negative counted from the last axis; its lengths must be equal.

    Returns
    -------
    Tensor
        Of the broadcast shape without that axis.

    Raises
    ------
    ValueError
        If the vectors differ in length.

    Notes
    -----
    The gradient is ``conj(g) * x2`` for `x1`, in which the product is antilinear, and ``g * x1`` for `x2`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.vecdot(xgrad.Tensor([1j, 2.0]), xgrad.Tensor([1j, 1.0])).item()
    (3+0j)
    """
    check_axis("vecdot", axis)
    for name, x in (("x1", x1), ("x2", x2)):
        if not -len(x.shape) <= axis < len(x.shape):
            raise ValueError(f"vecdot: axis={axis}, but {name} has shape {tuple(x.shape)}")
    if x1.shape[axis] != x2.shape[axis]:
        raise ValueError(
            f"vecdot: x1 has shape {tuple(x1.shape)} and x2 {tuple(x2.shape)}; their lengths along axis {axis} must be equal"
        )
    if axis >= 0:  # libraries disagree about operands with different numbers of axes
        x1, x2, axis = xp.moveaxis(x1, axis, -1), xp.moveaxis(x2, axis, -1), -1
    return xp.vecdot(x1, x2, axis=axis)


def _vecdot_back(xp: Any, g: Any, other: Any, shape: tuple[int, ...], axis: int) -> Any:
    if axis < 0:
        return xp.expand_dims(g, axis=axis) * other
    # A non-negative axis is a different one, counted from the last, in operands with different numbers of axes.
    d = xp.expand_dims(g, axis=-1) * xp.moveaxis(other, axis, -1)
    return xp.moveaxis(d, -1, axis - len(shape))


vecdot.vjp(
    x1=lambda xp, g, x2, axis, x1_shape: _vecdot_back(xp, xp.conj(g), x2, x1_shape, axis),
    x2=lambda xp, g, x1, axis, x2_shape: _vecdot_back(xp, g, x1, x2_shape, axis),
)
vecdot.linear()
