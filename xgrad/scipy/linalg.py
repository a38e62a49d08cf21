"""Linear algebra, as in `scipy.linalg`; functions that `xgrad.linalg` has under the same name are not repeated here."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from .. import ops
from ..backend.dtypes import int64
from ..engine.define import op
from ..ops.beyond.matrix_functions import logarithm, of_hermitian
from ..ops.beyond.matrix_functions import power as power_of
from ..tensor.tensor import ArrayLike, Tensor
from .inputs import constant, floating, on_host, run, scipy_module

__all__ = [
    "block_diag", "cho_factor", "cho_solve", "cholesky", "circulant", "expm", "fractional_matrix_power", "logm", "lstsq",
    "solve", "solve_continuous_lyapunov", "solve_sylvester", "solve_triangular", "sqrtm", "toeplitz",
]  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- solving


def solve(a: ArrayLike, b: ArrayLike, *, lower: bool = False, assume_a: str | None = None, transposed: bool = False) -> Tensor:
    """Solve ``a x = b``, or ``a^T x = b`` if `transposed` is set.

    Parameters
    ----------
    a : array of shape (..., n, n)
        The matrix.
    b : array of shape (n,), (..., n) or (..., n, k)
        The right-hand sides; a vector if it has one axis.
    lower : bool
        Whether to read the lower triangle of `a`, if `assume_a` is a structure with only one triangle to read.
    assume_a : str, optional
        ``"general"`` (the default); ``"symmetric"``, ``"hermitian"``, ``"positive definite"``; ``"upper triangular"``,
        ``"lower triangular"``; or the short names of these in SciPy.

    Returns
    -------
    Tensor
        It has the shape of `b`.

    Raises
    ------
    ValueError
        If the shapes do not fit, or `assume_a` is another structure.

    Notes
    -----
    With ``h = a^-H g``, the gradients are `h` for `b` and ``-h x^H`` for `a`. If only one triangle of `a` is read, only that
    triangle has a gradient.

    Examples
    --------
    >>> import xgrad
    >>> solve(xgrad.Tensor([[2.0, 0.0], [0.0, 4.0]]), xgrad.Tensor([2.0, 2.0]))
    Tensor([1. , 0.5])
    """
    xp, a, b = floating(a, b)
    structure = _STRUCTURES.get(assume_a or "general")
    if structure is None:
        raise ValueError(f"solve: assume_a={assume_a!r} is not one of {', '.join(map(repr, _STRUCTURES))}")
    if structure in ("upper", "lower"):
        return solve_triangular(a, b, trans=int(transposed), lower=structure == "lower")
    if structure != "general":
        a = _from_triangle(xp, a, lower, hermitian=structure == "hermitian")
    return _solve(xp, xp.matrix_transpose(a) if transposed else a, b)


_STRUCTURES = {
    "general": "general", "gen": "general", "symmetric": "symmetric", "sym": "symmetric", "hermitian": "hermitian",
    "her": "hermitian", "positive definite": "hermitian", "pos": "hermitian", "upper triangular": "upper",
    "lower triangular": "lower",
}  # fmt: skip


def _from_triangle(xp: Any, a: Tensor, lower: bool, hermitian: bool) -> Tensor:
    """The symmetric or Hermitian matrix of which `a` has one triangle."""
    triangle, strict = (xp.tril(a), xp.tril(a, k=-1)) if lower else (xp.triu(a), xp.triu(a, k=1))
    other = xp.matrix_transpose(strict)
    return triangle + (xp.conj(other) if hermitian else other)  # type: ignore[no-any-return]


def _solve(xp: Any, a: Tensor, b: Tensor) -> Tensor:
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(f"solve: a has shape {a.shape}, but must be square")
    vector = b.ndim == 1
    x = xp.linalg.solve(a, b[:, None] if vector else b)
    return x[..., 0] if vector else x  # type: ignore[no-any-return]


def solve_triangular(
    a: ArrayLike, b: ArrayLike, trans: int | str = 0, lower: bool = False, unit_diagonal: bool = False
) -> Tensor:
    """Solve ``a x = b`` for a triangular `a`; its other triangle is not read.

    Parameters
    ----------
    a : array of shape (..., n, n)
        The matrix.
    b : array of shape (n,), (..., n) or (..., n, k)
        The right-hand sides.
    trans : 0, 1, 2, "N", "T" or "C"
        Whether to solve with `a`, its transpose or its conjugate transpose.
    lower : bool
        Whether to read the lower triangle, not the upper one.
    unit_diagonal : bool
        Whether to take the diagonal as ones and not read it.

    Returns
    -------
    Tensor
        It has the shape of `b`.

    Notes
    -----
    The gradient for `a` is that of `solve` in the triangle that is read, and 0 elsewhere.

    Examples
    --------
    >>> import xgrad
    >>> solve_triangular(xgrad.Tensor([[2.0, 0.0], [1.0, 4.0]]), xgrad.Tensor([2.0, 5.0]), lower=True)
    Tensor([1., 1.])
    """
    xp, a, b = floating(a, b)
    if trans not in (0, 1, 2, "N", "T", "C"):
        raise ValueError(f"solve_triangular: trans={trans!r} is not one of 0, 1, 2, 'N', 'T', 'C'")
    k = int(unit_diagonal)
    a = xp.tril(a, k=-k) if lower else xp.triu(a, k=k)
    if unit_diagonal:
        a = a + xp.eye(a.shape[-1], dtype=a.dtype, device=a.device)
    a = a if trans in (0, "N") else xp.matrix_transpose(a)
    return _solve(xp, xp.conj(a) if trans in (2, "C") else a, b)


def cholesky(a: ArrayLike, lower: bool = False) -> Tensor:
    """The Cholesky factor of a Hermitian positive definite matrix: the upper one, as in SciPy, unless `lower` is set.

    Only the same triangle of `a` is read, and only that has a gradient.

    >>> import xgrad
    >>> cholesky(xgrad.Tensor([[4.0, 2.0], [2.0, 5.0]]))
    Tensor([[2., 1.],
            [0., 2.]])
    """
    xp, a = floating(a)
    a = _from_triangle(xp, a, lower, hermitian=True)
    return xp.linalg.cholesky(a, upper=not lower)  # type: ignore[no-any-return]


def cho_factor(a: ArrayLike, lower: bool = False) -> tuple[Tensor, bool]:
    """The Cholesky factor of `a`, and whether it is the lower one, for `cho_solve`.

    The other triangle is zero; in SciPy it has arbitrary numbers.

    >>> import xgrad
    >>> cho_factor(xgrad.Tensor([[4.0, 2.0], [2.0, 5.0]]))[1]
    False
    """
    return cholesky(a, lower), lower


def cho_solve(c_and_lower: tuple[ArrayLike, bool], b: ArrayLike) -> Tensor:
    """Solve ``a x = b`` given the result of `cho_factor` for `a`.

    >>> import xgrad
    >>> cho_solve(cho_factor(xgrad.Tensor([[4.0, 2.0], [2.0, 5.0]])), xgrad.Tensor([6.0, 7.0]))
    Tensor([1., 1.])
    """
    c, lower = c_and_lower
    first, second = (0, "C") if lower else ("C", 0)
    return solve_triangular(c, solve_triangular(c, b, first, lower), second, lower)


def lstsq(a: ArrayLike, b: ArrayLike, cond: float | None = None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The solution of least norm of the least-squares problem ``a x = b``.

    Parameters
    ----------
    a : array of shape (m, n)
        The matrix.
    b : array of shape (m,) or (m, k)
        The right-hand sides.
    cond : float, optional
        Singular values below `cond` times the largest one are treated as zero.

    Returns
    -------
    x : Tensor of shape (n,) or (n, k)
        The solution.
    residues : Tensor
        The squared norm of ``b - a x`` for each right-hand side; empty if ``m <= n`` or the rank is not full.
    rank : Tensor
        The rank of `a`.
    s : Tensor
        The singular values of `a`.

    Notes
    -----
    The gradient is that of the pseudo-inverse. It is right where a small change of `a` does not change the rank.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.round(lstsq(xgrad.Tensor([[1.0], [1.0]]), xgrad.Tensor([1.0, 3.0]))[0])
    Tensor([2.])
    """
    xp, a, b = floating(a, b)
    if a.ndim != 2 or a.shape[0] != b.shape[0]:
        raise ValueError(f"lstsq: a has shape {a.shape} and b {b.shape}; they must have the same number of rows")
    rtol = float(ops.finfo(a.dtype).eps) if cond is None else cond
    x = xp.matmul(xp.linalg.pinv(a, rtol=rtol), b)
    rank = xp.linalg.matrix_rank(a, rtol=rtol)
    full = a.shape[0] > a.shape[1] and int(rank) == a.shape[1]
    error = b - xp.matmul(a, x)
    residues = xp.sum(xp.real(error * xp.conj(error)), axis=0) if full else xp.zeros(0, dtype=a.dtype, device=a.device)
    return x, residues, rank, xp.linalg.svdvals(a)


@op(override=True)
def sylvester(xp: Any, a: ArrayLike, b: ArrayLike, q: ArrayLike, /) -> Tensor:
    """The solution `x` of ``a x + x b = q``, by SciPy on the host; see `solve_sylvester`."""
    return on_host(xp, scipy_module("linalg", "solve_sylvester").solve_sylvester, a, b, q)


def _sylvester_back(xp: Any, g: Any, a: Any, b: Any) -> Any:
    return run(xp, sylvester, xp.conj(xp.matrix_transpose(a)), xp.conj(xp.matrix_transpose(b)), g)


sylvester.vjp(
    a=lambda xp, g, a, b, y: -_sylvester_back(xp, g, a, b) @ xp.conj(xp.matrix_transpose(y)),
    b=lambda xp, g, a, b, y: -xp.conj(xp.matrix_transpose(y)) @ _sylvester_back(xp, g, a, b),
    q=lambda xp, g, a, b: _sylvester_back(xp, g, a, b),
)
sylvester.jvp(
    a=lambda xp, t, a, b, y: run(xp, sylvester, a, b, -(t @ y)),
    b=lambda xp, t, a, b, y: run(xp, sylvester, a, b, -(y @ t)),
)
sylvester.linear("q")


def solve_sylvester(a: ArrayLike, b: ArrayLike, q: ArrayLike) -> Tensor:
    """Solve the Sylvester equation ``a x + x b = q``.

    Parameters
    ----------
    a : array of shape (m, m)
    b : array of shape (n, n)
    q : array of shape (m, n)
        The matrices. The equation is solved on the host.

    Returns
    -------
    Tensor of shape (m, n)
        The solution. It exists if no eigenvalue of `a` is the negative of one of `b`.

    Notes
    -----
    With the solution `h` of the adjoint equation ``a^H h + h b^H = g``, the gradients are `h` for `q`, ``-h x^H`` for `a` and
    ``-x^H h`` for `b`.

    Examples
    --------
    >>> import xgrad
    >>> solve_sylvester(xgrad.eye(2), xgrad.eye(2), xgrad.ones((2, 2)))
    Tensor([[0.5, 0.5],
            [0.5, 0.5]])
    """
    _, a, b, q = floating(a, b, q)
    if a.ndim != 2 or b.ndim != 2 or q.shape != (a.shape[0], b.shape[0]):
        raise ValueError(f"solve_sylvester: a {a.shape}, b {b.shape} and q {q.shape} must be (m, m), (n, n) and (m, n)")
    return sylvester(a, b, q)


def solve_continuous_lyapunov(a: ArrayLike, q: ArrayLike) -> Tensor:
    """Solve the Lyapunov equation ``a x + x a^H = q``; see `solve_sylvester`.

    >>> import xgrad
    >>> solve_continuous_lyapunov(xgrad.eye(2), 4 * xgrad.eye(2))
    Tensor([[2., 0.],
            [0., 2.]])
    """
    xp, a, q = floating(a, q)
    return solve_sylvester(a, xp.conj(xp.matrix_transpose(a)), q)


# -------------------------------------------------------------------------------------------------- matrix exponential


@op(override=True)
def expm(xp: Any, a: ArrayLike, /) -> Tensor:
    """The matrix exponential.

    Parameters
    ----------
    a : array of shape (..., n, n)
        Of floating data type.

    Returns
    -------
    Tensor
        It has the shape of `a`.

    Raises
    ------
    ValueError
        If the matrices are not square.

    Notes
    -----
    It is computed by scaling and squaring with the diagonal Padé approximant of degree 13 (N. J. Higham, SIAM J. Matrix Anal.
    Appl. 26, 1179, 2005). The number of squarings depends on the norm, which is read from the device.

    The gradient is the Fréchet derivative at ``a^H`` in the direction `g`, the upper right block of
    ``expm([[a^H, g], [0, a^H]])``. This is an exponential again, so derivatives of any order exist.

    Examples
    --------
    >>> import xgrad
    >>> expm(xgrad.Tensor([[0.0, 1.0], [0.0, 0.0]]))
    Tensor([[1., 1.],
            [0., 1.]])
    """
    if len(a.shape) < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(f"expm: a has shape {tuple(a.shape)}, but must be square")
    if not math.prod(a.shape):
        return xp.zeros_like(a)
    norm = float(xp.max(xp.sum(xp.abs(a), axis=-2)))
    squarings = max(0, math.ceil(math.log2(norm / 5.371920351148152))) if 0 < norm < math.inf else 0
    y = _pade(xp, a * 0.5**squarings)
    for _ in range(squarings):
        y = xp.matmul(y, y)
    return y


_PADE = (
    64764752532480000, 32382376266240000, 7771770303897600, 1187353796428800, 129060195264000, 10559470521600, 670442572800,
    33522128640, 1323241920, 40840800, 960960, 16380, 182, 1,
)  # fmt: skip


def _pade(xp: Any, a: Any) -> Any:
    one = xp.eye(a.shape[-1], dtype=a.dtype, device=xp.__backend__.device(a))
    a2 = xp.matmul(a, a)
    powers = [one, a2, xp.matmul(a2, a2)]
    powers.append(xp.matmul(powers[2], a2))
    b = [float(c) / _PADE[0] for c in _PADE]

    def half(c: list[float]) -> Any:
        high = c[4] * powers[1] + c[5] * powers[2] + c[6] * powers[3]
        return xp.matmul(powers[3], high) + sum(c[k] * powers[k] for k in range(1, 4)) + c[0] * one

    odd, even = xp.matmul(a, half(b[1::2])), half(b[0::2])
    return xp.linalg.solve(even - odd, even + odd)


def _frechet(xp: Any, function: Callable[[Any], Any], a: Any, direction: Any) -> Any:
    """The Fréchet derivative of a function of matrices at `a`: the upper right block of the function of a larger matrix."""
    n = a.shape[-1]
    size = _magnitude(xp, direction.detach() if isinstance(direction, Tensor) else direction)
    upper = xp.concat([a, direction / size], axis=-1)  # of size 1, or `expm` would square more often for a large direction
    lower = xp.concat([xp.zeros_like(a), a], axis=-1)
    return function(xp.concat([upper, lower], axis=-2))[..., :n, n:] * size


def _magnitude(xp: Any, x: Any) -> Any:
    """The largest absolute value in `x`, or 1 if that is 0."""
    if not math.prod(x.shape):
        return 1.0
    largest = xp.max(xp.abs(x))
    return xp.where(largest > 0, largest, xp.ones_like(largest))


def _expm_back(xp: Any, g: Any, a: Any) -> Any:
    return _frechet(xp, functools.partial(run, xp, expm), xp.conj(xp.matrix_transpose(a)), g)


expm.vjp(a=_expm_back)
expm.jvp(a=lambda xp, t, a: _expm_back(xp, t, xp.conj(xp.matrix_transpose(a))))


# ------------------------------------------------------------------------------------- other functions of matrices


@op(override=True)
def matrix_function_on_host(xp: Any, a: ArrayLike, /, *, name: str, power: float | None = None) -> Tensor:
    """SciPy's function `name` of square matrices, computed on the host; see `sqrtm`, `logm` and `fractional_matrix_power`."""
    if not math.prod(a.shape):
        return xp.zeros_like(a)
    backend, function = xp.__backend__, getattr(scipy_module("linalg", name), name)
    host = backend.to_numpy(a)
    host = host.astype("complex128" if host.dtype.kind == "c" else "float64")  # in single precision, SciPy warns of the error
    results = [function(x, *(() if power is None else (power,))) for x in host.reshape((-1, *host.shape[-2:]))]
    # A function of real matrices may be complex.
    dtype = xp.result_type(a.dtype, xp.complex64) if any(y.dtype.kind == "c" for y in results) else a.dtype
    device = backend.device(a)
    matrices = [xp.astype(backend.from_numpy(y, device), dtype, copy=False) for y in results]
    return xp.reshape(xp.stack(matrices), tuple(a.shape))


def _matrix_function_back(xp: Any, g: Any, a: Any, name: str, power: float | None) -> Any:
    a = xp.conj(xp.matrix_transpose(a))
    if g.dtype != a.dtype:
        a = xp.astype(a, g.dtype)
    derivative = _frechet(xp, functools.partial(run, xp, matrix_function_on_host, name=name, power=power), a, g)
    # A singular matrix has no derivative, but SciPy returns finite numbers.
    singular = (xp.linalg.slogdet(a)[1] == -math.inf)[..., None, None]
    return xp.where(singular, xp.zeros_like(derivative) + math.nan, derivative)


matrix_function_on_host.vjp(a=_matrix_function_back)
matrix_function_on_host.jvp(
    a=lambda xp, t, a, name, power: _matrix_function_back(xp, t, xp.conj(xp.matrix_transpose(a)), name, power)
)


def _matrix_function(name: str, a: ArrayLike, hermitian: bool, derivatives: Any, power: float | None = None) -> Tensor:
    xp, a = floating(a)
    if a.ndim < 2 or a.shape[-1] != a.shape[-2]:
        raise ValueError(f"{name}: A has shape {tuple(a.shape)}; its last two axes must have the same length")
    if hermitian:
        return of_hermitian(xp, a, derivatives)  # type: ignore[no-any-return]
    return matrix_function_on_host(a, name=name, power=power)


def sqrtm(A: ArrayLike, *, hermitian: bool = False) -> Tensor:
    """The principal square root of square matrices.

    Parameters
    ----------
    A : array of shape (..., n, n)
        Of floating data type. With negative eigenvalues the result is complex.
    hermitian : bool
        Whether `A` is symmetric or Hermitian, without negative eigenvalues. Then the root is computed from the eigenvalues, on
        the array's own device, as `xgrad.linalg.matrix_function` does; else by SciPy on the host.

    Returns
    -------
    Tensor
        It has the shape of `A`.

    Raises
    ------
    ValueError
        If the matrices are not square.

    Notes
    -----
    The gradient is the Fréchet derivative at ``A^H`` in the direction `g`, also for repeated eigenvalues. If `A` is singular,
    it does not exist, and is infinite or NaN.

    Examples
    --------
    >>> import xgrad
    >>> sqrtm(xgrad.Tensor([[4.0, 0.0], [0.0, 9.0]]), hermitian=True).numpy().round(3)
    array([[2., 0.],
           [0., 3.]], dtype=float32)
    """
    return _matrix_function("sqrtm", A, hermitian, power_of(0.5))


def logm(A: ArrayLike, *, hermitian: bool = False) -> Tensor:
    """The principal logarithm of square matrices.

    Parameters
    ----------
    A : array of shape (..., n, n)
        Of floating data type, regular. With negative eigenvalues the result is complex.
    hermitian : bool
        Whether `A` is symmetric or Hermitian, with positive eigenvalues; see `sqrtm`.

    Returns
    -------
    Tensor
        It has the shape of `A`.

    Raises
    ------
    ValueError
        If the matrices are not square.

    Notes
    -----
    The gradient is the Fréchet derivative at ``A^H`` in the direction `g`, also for repeated eigenvalues. If `A` is singular,
    it does not exist, and is infinite or NaN.

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.Tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
    >>> logm(x, hermitian=True)[0, 1].backward()
    >>> x.grad.numpy().round(3)
    array([[0. , 0.5],
           [0.5, 0. ]], dtype=float32)
    """
    return _matrix_function("logm", A, hermitian, logarithm)


def fractional_matrix_power(A: ArrayLike, t: float, *, hermitian: bool = False) -> Tensor:
    """The principal power `t` of square matrices.

    Parameters
    ----------
    A : array of shape (..., n, n)
        Of floating data type. With negative eigenvalues the result is complex.
    t : float
        The exponent, a number. It has no gradient.
    hermitian : bool
        Whether `A` is symmetric or Hermitian, with eigenvalues whose power is real; see `sqrtm`.

    Returns
    -------
    Tensor
        It has the shape of `A`.

    Raises
    ------
    ValueError
        If the matrices are not square.
    TypeError
        If `t` is not a real number.

    Notes
    -----
    The gradient is the Fréchet derivative at ``A^H`` in the direction `g`, also for repeated eigenvalues. If `A` is
    singular, it is NaN unless `hermitian` is set. For integer exponents, `xgrad.linalg.matrix_power` is called.

    Examples
    --------
    >>> import xgrad
    >>> fractional_matrix_power(xgrad.Tensor([[4.0, 0.0], [0.0, 9.0]]), -0.5, hermitian=True).numpy().round(3)
    array([[0.5  , 0.   ],
           [0.   , 0.333]], dtype=float32)
    """
    if isinstance(t, (Tensor, complex)) or not isinstance(t, (int, float)):
        raise TypeError(f"fractional_matrix_power: the exponent t must be a real number, without a gradient, not {t!r:.80}")
    if t == int(t):
        xp, a = floating(A)
        return xp.linalg.matrix_power(a, int(t))  # type: ignore[no-any-return]
    return _matrix_function("fractional_matrix_power", A, hermitian, power_of(float(t)), float(t))


# ---------------------------------------------------------------------------------------------------- special matrices


def toeplitz(c: ArrayLike, r: ArrayLike | None = None) -> Tensor:
    """The Toeplitz matrix with the first column `c` and the first row `r`; the first element of `r` is not used.

    Parameters
    ----------
    c, r : array
        They are flattened. The default of `r` is the conjugate of `c`.

    Returns
    -------
    Tensor of shape (len(c), len(r))

    Notes
    -----
    The gradient sums `g` along the diagonals.

    Examples
    --------
    >>> import xgrad
    >>> toeplitz(xgrad.Tensor([1.0, 2.0, 3.0]), xgrad.Tensor([1.0, 4.0]))
    Tensor([[1., 4.],
            [2., 1.],
            [3., 2.]])
    """
    xp, *arrays = floating(c) if r is None else floating(c, r)
    c = xp.reshape(arrays[0], (-1,))
    r = xp.conj(c) if r is None else xp.reshape(arrays[1], (-1,))
    rows, columns = c.shape[0], r.shape[0]
    indices = [[i - j if i >= j else rows - 1 + j - i for j in range(columns)] for i in range(rows)]
    return _gathered(xp, xp.concat([c, r[1:]]), indices, (rows, columns))


def circulant(c: ArrayLike) -> Tensor:
    """The circulant matrix with the first column `c`, a vector.

    >>> import xgrad
    >>> circulant(xgrad.Tensor([1.0, 2.0, 3.0]))
    Tensor([[1., 3., 2.],
            [2., 1., 3.],
            [3., 2., 1.]])
    """
    xp, c = floating(c)
    if c.ndim != 1:
        raise ValueError(f"circulant: c has shape {c.shape}, but must have one axis")
    n = c.shape[0]
    return _gathered(xp, c, [[(i - j) % n for j in range(n)] for i in range(n)], (n, n))


def _gathered(xp: Any, x: Tensor, indices: list[list[int]], shape: tuple[int, int]) -> Tensor:
    """The matrix of the elements of the vector `x` at `indices`."""
    flat = constant(x, [k for row in indices for k in row], int64)
    return xp.reshape(xp.take(x, flat, axis=0), shape)  # type: ignore[no-any-return]


def block_diag(*arrays: ArrayLike) -> Tensor:
    """The matrix with `arrays` on its diagonal and zeros elsewhere.

    Parameters
    ----------
    *arrays : array
        Matrices; an array of fewer axes is one row.

    Notes
    -----
    The gradient for each of them is its block of `g`.

    Examples
    --------
    >>> import xgrad
    >>> block_diag(xgrad.Tensor([[1.0]]), xgrad.Tensor([[2.0, 3.0]]))
    Tensor([[1., 0., 0.],
            [0., 2., 3.]])
    """
    xp, *blocks = floating(*arrays)
    blocks = [xp.reshape(x, (1,) * (2 - x.ndim) + x.shape) if x.ndim < 2 else x for x in blocks]
    if any(x.ndim != 2 for x in blocks):
        raise ValueError(f"block_diag: the arrays have shapes {[x.shape for x in blocks]}; none may have more than two axes")
    width, before, rows = sum(x.shape[1] for x in blocks), 0, []
    for x in blocks:
        rows.append(xp.pad(x, ((0, 0), (before, width - before - x.shape[1]))))
        before += x.shape[1]
    return xp.concat(rows, axis=0)  # type: ignore[no-any-return]
