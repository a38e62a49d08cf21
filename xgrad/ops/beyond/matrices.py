"""Products and special matrices that NumPy has and the standard lacks: `dot`, `kron`, `diag`, `tri`, `vander`, ..."""

from __future__ import annotations

from typing import Any

from ...backend.dtypes import get_default_dtype
from ...engine.define import composite, op
from ...engine.namespaces import creates
from ...tensor.tensor import ArrayLike, Tensor

__all__ = ["diag", "diagflat", "dot", "inner", "kron", "outer", "tri", "tril_indices", "triu_indices", "vander"]


# ------------------------------------------------------------------------------------------------------------- products


@composite
def dot(xp: Any, a: ArrayLike, b: ArrayLike, /) -> Tensor:
    """NumPy's dot product, over the last axis of `a` and the second-to-last axis of `b`.

    Parameters
    ----------
    a, b : array or scalar
        If one is 0-d, the result is the elementwise product; if `b` has one axis, the sum is over this axis.

    Returns
    -------
    Tensor
        With the other axes of `a`, then those of `b`. For more than two axes this differs from `matmul`.

    Raises
    ------
    ValueError
        If the lengths of the axes differ.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.dot(xgrad.Tensor([1.0, 2.0]), xgrad.Tensor([3.0, 4.0]))
    Tensor(11.0)
    """
    if not a.ndim or not b.ndim:
        return a * b
    if a.shape[-1] != b.shape[max(b.ndim - 2, 0)]:
        raise ValueError(f"dot: a has shape {tuple(a.shape)} and b {tuple(b.shape)}; the axes to sum over differ in length")
    return xp.matmul(a, b) if b.ndim <= 2 else xp.tensordot(a, b, axes=((a.ndim - 1,), (b.ndim - 2,)))


@composite
def inner(xp: Any, a: ArrayLike, b: ArrayLike, /) -> Tensor:
    """NumPy's inner product, over the last axes of both arrays.

    Parameters
    ----------
    a, b : array or scalar
        If one is 0-d, the result is the elementwise product.

    Returns
    -------
    Tensor
        With the other axes of `a`, then those of `b`.

    Raises
    ------
    ValueError
        If the lengths of the last axes differ.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.inner(xgrad.Tensor([1.0, 2.0]), xgrad.Tensor([3.0, 4.0]))
    Tensor(11.0)
    """
    if not a.ndim or not b.ndim:
        return a * b
    if a.shape[-1] != b.shape[-1]:
        raise ValueError(f"inner: a has shape {tuple(a.shape)} and b {tuple(b.shape)}; their last axes differ in length")
    return xp.tensordot(a, b, axes=((a.ndim - 1,), (b.ndim - 1,)))


@op(override=True)
def outer(xp: Any, a: ArrayLike, b: ArrayLike, /) -> Tensor:
    """The product of each element of `a` with each element of `b`, both flattened.

    The function of the standard, for arrays with one axis, is `xgrad.linalg.outer`.

    Parameters
    ----------
    a, b : array or scalar
        Of numeric data types.

    Returns
    -------
    Tensor
        A matrix, with a row for each element of `a`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.outer(xgrad.Tensor([1.0, 2.0]), xgrad.Tensor([3.0, 4.0]))
    Tensor([[3., 4.],
            [6., 8.]])
    """
    return xp.reshape(a, (-1, 1)) * xp.reshape(b, (1, -1))


outer.holomorphic(
    a=lambda xp, g, b, a_shape: xp.reshape(xp.matmul(g, xp.reshape(b, (-1,))), a_shape),
    b=lambda xp, g, a, b_shape: xp.reshape(xp.matmul(xp.reshape(a, (-1,)), g), b_shape),
)
outer.linear()


@composite
def kron(xp: Any, a: ArrayLike, b: ArrayLike, /) -> Tensor:
    """The Kronecker product: blocks that are `b` times an element of `a`.

    Parameters
    ----------
    a, b : array or scalar
        Of numeric data types; the one with fewer axes gets leading axes of length one.

    Returns
    -------
    Tensor
        The length of each axis is the product of the two lengths.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.kron(xgrad.Tensor([1.0, 10.0]), xgrad.Tensor([1.0, 2.0]))
    Tensor([ 1.,  2., 10., 20.])
    """
    ndim = max(a.ndim, b.ndim)
    m, n = ((1,) * (ndim - x.ndim) + tuple(x.shape) for x in (a, b))
    a = xp.reshape(a, tuple(k for length in m for k in (length, 1)))
    b = xp.reshape(b, tuple(k for length in n for k in (1, length)))
    return xp.reshape(a * b, tuple(i * j for i, j in zip(m, n)))


# ------------------------------------------------------------------------------------------------------------ diagonals


@composite
def diag(xp: Any, v: ArrayLike, /, k: int = 0) -> Tensor:
    """The matrix with the vector `v` on a diagonal, or a diagonal of the matrix `v`.

    Parameters
    ----------
    v : array
        With one axis or two.
    k : int
        The diagonal: positive above the main one, negative below.

    Raises
    ------
    ValueError
        If `v` has another number of axes.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.diag(xgrad.Tensor([1.0, 2.0]))
    Tensor([[1., 0.],
            [0., 2.]])
    >>> xgrad.diag(xgrad.Tensor([[1.0, 2.0], [3.0, 4.0]]), 1)
    Tensor([2.])
    """
    if v.ndim == 2:
        return xp.linalg.diagonal(v, offset=k)
    if v.ndim != 1:
        raise ValueError(f"diag: v has {v.ndim} axes; give a vector for a matrix, or a matrix for its diagonal")
    return xp.diagonal_matrix(v, k)


@op(override=True)
def diagonal_matrix(xp: Any, v: ArrayLike, k: int, /) -> Tensor:
    """The matrix with the vector `v` on diagonal `k`; see `diag`.

    An op, since the composition takes twice as long.

    >>> import xgrad
    >>> diagonal_matrix(xgrad.Tensor([1.0, 2.0]), 0)
    Tensor([[1., 0.],
            [0., 2.]])
    """
    n, size = v.shape[0], v.shape[0] + abs(k)
    flat = xp.new_zeros(v, (size * size,))
    if n:
        start = k if k > 0 else -k * size
        flat = xp.set_item(flat, slice(start, start + (n - 1) * (size + 1) + 1, size + 1), v)
    return xp.reshape(flat, (size, size))


diagonal_matrix.vjp(v=lambda xp, g, k: xp.linalg.diagonal(g, offset=k))
diagonal_matrix.linear()


@composite
def diagflat(xp: Any, v: ArrayLike, /, k: int = 0) -> Tensor:
    """The matrix with the flattened elements of `v` on a diagonal.

    Parameters
    ----------
    v : array or scalar
        With any number of axes.
    k : int
        The diagonal: positive above the main one, negative below.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.diagflat(xgrad.Tensor([[1.0], [2.0]]))
    Tensor([[1., 0.],
            [0., 2.]])
    """
    return xp.diag(xp.reshape(v, (-1,)), k)


# ------------------------------------------------------------------------------------------------------------- triangles


@creates
def tri(xp: Any, N: int, M: int | None = None, /, k: int = 0, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A matrix with ones on and below a diagonal and zeros above it.

    Parameters
    ----------
    N, M : int
        The numbers of rows and of columns; `M` is `N` if not given.
    k : int
        The diagonal: positive above the main one, negative below.
    dtype, device : optional
        Of the result; the default data type and device if not given.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.tri(2, 3)
    Tensor([[1., 0., 0.],
            [1., 1., 0.]])
    """
    rows, columns = xp.arange(N, device=device), xp.arange(N if M is None else M, device=device)
    native = xp.__backend__.native_dtype(get_default_dtype()) if dtype is None else dtype
    return xp.astype(columns[None, :] <= rows[:, None] + k, native)


def _triangle(lower: bool, xp: Any, n: int, k: int, m: int | None, device: Any) -> tuple[Any, ...]:
    rows, columns = xp.arange(n, device=device)[:, None], xp.arange(n if m is None else m, device=device)[None, :]
    return tuple(xp.nonzero(columns <= rows + k if lower else columns >= rows + k))


@creates
def tril_indices(xp: Any, n: int, /, k: int = 0, m: int | None = None, *, device: Any = None) -> tuple[Tensor, Tensor]:
    """The indices of the elements on and below a diagonal: ``x[tril_indices(n)]`` reads them.

    Parameters
    ----------
    n, m : int
        The numbers of rows and of columns; `m` is `n` if not given.
    k : int
        The diagonal: positive above the main one, negative below.
    device : optional
        Of the result.

    Returns
    -------
    tuple of Tensor
        The indices of rows and of columns.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.tril_indices(2)
    (Tensor([0, 1, 1]), Tensor([0, 0, 1]))
    """
    return _triangle(True, xp, n, k, m, device)  # type: ignore[return-value]


@creates
def triu_indices(xp: Any, n: int, /, k: int = 0, m: int | None = None, *, device: Any = None) -> tuple[Tensor, Tensor]:
    """The indices of the elements on and above a diagonal: ``x[triu_indices(n)]`` reads them.

    Parameters
    ----------
    n, m : int
        The numbers of rows and of columns; `m` is `n` if not given.
    k : int
        The diagonal: positive above the main one, negative below.
    device : optional
        Of the result.

    Returns
    -------
    tuple of Tensor
        The indices of rows and of columns.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.triu_indices(2)
    (Tensor([0, 0, 1]), Tensor([0, 1, 1]))
    """
    return _triangle(False, xp, n, k, m, device)  # type: ignore[return-value]


# --------------------------------------------------------------------------------------------------------------- powers


@composite
def vander(xp: Any, x: ArrayLike, /, N: int | None = None, increasing: bool = False) -> Tensor:
    """The Vandermonde matrix: each row contains the powers of an element of `x`.

    Parameters
    ----------
    x : array
        Floating, with one axis.
    N : int, optional
        The number of powers; the number of elements of `x` if not given.
    increasing : bool
        Whether the exponents increase from 0; else they decrease to 0.

    Raises
    ------
    ValueError
        If `x` does not have one axis.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.vander(xgrad.Tensor([1.0, 2.0, 3.0]), 3)
    Tensor([[1., 1., 1.],
            [4., 2., 1.],
            [9., 3., 1.]])
    """
    if x.ndim != 1:
        raise ValueError(f"vander: x has shape {tuple(x.shape)}; it must have one axis")
    number = x.shape[0] if N is None else N
    column = xp.reshape(x, (-1, 1))
    powers = [xp.ones_like(column)][:number]
    while len(powers) < number:
        powers.append(powers[-1] * column)
    if not powers:
        return xp.new_zeros(x, (x.shape[0], 0))
    return xp.concat(powers if increasing else powers[::-1], axis=1)
