"""NumPy's products, ``numpy.linalg`` and ``numpy.fft``, polynomials and finite differences on Tensors."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

from .. import fft, linalg, ops
from ..backend.dtypes import int64
from .numpy_table import FUNCTIONS, as_tensor, as_tensors, flat_without_axis, implements, operands

__all__: list[str] = []


# ------------------------------------------------------------------------------------------------------------ products


@implements("tensordot", "linalg.tensordot")
def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    return ops.tensordot(a, b, axes=axes)


@implements("dot")
def _dot(a: Any, b: Any) -> Any:
    return ops.dot(*operands(a, b))


@implements("cross")
def _cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis,) * 3
    a, b = as_tensors((a, b))
    return ops.moveaxis(linalg.cross(ops.moveaxis(a, axisa, -1), ops.moveaxis(b, axisb, -1)), -1, axisc)


@implements("diagonal")
def _diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return linalg.diagonal(ops.moveaxis(a, (axis1, axis2), (-2, -1)), offset=offset)


FUNCTIONS.update(
    corrcoef=ops.corrcoef,
    cov=ops.cov,
    diag=ops.diag,
    diagflat=ops.diagflat,
    einsum=ops.einsum,
    inner=ops.inner,
    kron=ops.kron,
    outer=ops.outer,
    vander=ops.vander,
    vdot=lambda a, b: ops.vecdot(*(flat_without_axis(x) for x in as_tensors((a, b)))),
    trace=lambda a, offset=0, axis1=0, axis2=1, dtype=None: ops.sum(_diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype),
)


# ----------------------------------------------------------------------------------- differences, signals, polynomials


FUNCTIONS.update(
    convolve=ops.convolve,
    correlate=ops.correlate,
    gradient=ops.gradient,
    interp=ops.interp,
    trapezoid=ops.trapezoid,
    diff=lambda a, n=1, axis=-1, prepend=None, append=None: ops.diff(a, n=n, axis=axis, prepend=prepend, append=append),
    polyadd=lambda a1, a2: _sum_of_polynomials(*as_tensors((a1, a2))),
    polysub=lambda a1, a2: _sum_of_polynomials(*(x * s for x, s in zip(as_tensors((a1, a2)), (1, -1)))),
    polymul=lambda a1, a2: ops.convolve(*as_tensors((a1, a2))),
    polyval=lambda p, x: functools.reduce(lambda y, c: y * x + c, p, ops.zeros_like(as_tensor(x))),
)


@implements("ediff1d")
def _ediff1d(ary: Any, to_end: Any = None, to_begin: Any = None) -> Any:
    parts = (to_begin, ops.diff(flat_without_axis(ary)), to_end)
    return ops.concat([flat_without_axis(x) for x in parts if x is not None])


@implements("polyder")
def _polyder(p: Any, m: int = 1) -> Any:
    for _ in range(m):
        p = p[:-1] * ops.arange(p.size - 1, 0, -1, dtype=p.dtype, device=p.device)
    return p


def _sum_of_polynomials(a: Any, b: Any) -> Any:
    width = max(a.size, b.size)
    return ops.pad(a, (width - a.size, 0)) + ops.pad(b, (width - b.size, 0))


# -------------------------------------------------------------------------------------------------------- numpy.linalg


@implements("linalg.norm")
def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if axis is None and (ord is None or x.ndim == 1):
        y = linalg.vector_norm(ops.reshape(x, (-1,)), ord=2 if ord is None else ord)
        return ops.reshape(y, (1,) * x.ndim) if keepdims else y
    if isinstance(axis, int) or (axis is not None and len(axis) == 1) or (ord is None and axis is not None):
        return linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=2 if ord is None else ord)
    axes = (-2, -1) if axis is None else axis
    if len(axes) != 2 or (axis is None and x.ndim != 2):
        raise ValueError(
            f"numpy.linalg.norm: ord={ord!r} is of vectors and matrices, but x has shape {x.shape} and axis is {axis}"
        )
    y = linalg.matrix_norm(ops.moveaxis(x, axes, (-2, -1)), ord=ord)
    return ops.expand_dims(y, axis=tuple(a % x.ndim for a in axes)) if keepdims else y


@implements("linalg.cond")
def _cond(x: Any, p: Any = None) -> Any:
    if 0 in x.shape[-2:]:
        raise ValueError(f"numpy.linalg.cond: x has shape {x.shape}; an empty matrix has no condition number")
    if p in (None, 2, -2):
        s = linalg.svdvals(x)
        small, large = (s[..., 0], s[..., -1]) if p == -2 else (s[..., -1], s[..., 0])
        return _infinite_where(small == 0, large / ops.where(small == 0, ops.ones_like(small), small), large)
    singular = ops.isinf(linalg.slogdet(x.detach())[1])
    regular = ops.where(singular[..., None, None], linalg.matrix_power(x.detach(), 0), x)
    size, inverse = linalg.matrix_norm(x, ord=p), linalg.matrix_norm(linalg.inv(regular), ord=p)
    return _infinite_where(singular, size * inverse, size)


def _infinite_where(singular: Any, number: Any, size: Any) -> Any:
    """`number`, but infinite where the matrix is `singular`.

    The gradient there is not finite; it is zero if the matrix itself is zero, that is, if its norm `size` is 0.
    """
    zero = singular & (size == 0)
    return ops.where(zero, math.inf, number * ops.where(singular & ~zero, math.inf, ops.ones_like(size.detach())))


@implements("linalg.lstsq")
def _lstsq(a: Any, b: Any, rcond: float | None = None) -> Any:
    a, b = as_tensors((a, b))
    if rcond is not None and rcond < 0:  # to NumPy, this is the precision of the dtype
        rcond = float(ops.finfo(a.dtype).eps)
    x, rank = ops.matmul(linalg.pinv(a, rtol=rcond), b), linalg.matrix_rank(a, rtol=rcond)
    squares = ops.abs(b - ops.matmul(a, x)) ** 2
    if a.shape[0] > a.shape[1] == rank.item():
        residuals = ops.sum(squares if b.ndim == 2 else squares[:, None], axis=0)
    else:
        residuals = ops.new_zeros(ops.real(b), (0,))
    return x, residuals, rank, linalg.svdvals(a)


@implements("linalg.qr")
def _qr(a: Any, mode: str = "reduced") -> Any:
    return linalg.qr(a)[1] if mode == "r" else linalg.qr(a, mode=mode)


def _from_lower(a: Any, hermitian: bool) -> Any:
    """`a`, or its lower triangle mirrored if `hermitian` is set: NumPy reads only that triangle then."""
    if not hermitian:
        return a
    return ops.tril(a) + ops.conj(ops.matrix_transpose(ops.tril(a, k=-1)))


@implements("linalg.svd")
def _svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    a = _from_lower(a, hermitian)
    return linalg.svd(a, full_matrices=full_matrices) if compute_uv else linalg.svdvals(a)


@implements("linalg.pinv")
def _pinv(a: Any, rcond: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    return linalg.pinv(_from_lower(a, hermitian), rtol=rtol if rcond is None else rcond)


@implements("linalg.matrix_rank")
def _matrix_rank(A: Any, tol: Any = None, hermitian: bool = False, *, rtol: Any = None) -> Any:
    a = _from_lower(A, hermitian)
    if a.ndim < 2:  # a vector has rank 1 if it is not zero
        return ops.astype(ops.any(a != 0), int64)
    if tol is None:
        return linalg.matrix_rank(a, rtol=rtol)
    return ops.count_nonzero(linalg.svdvals(a.detach()) > ops.expand_dims(as_tensor(tol), axis=-1), axis=-1)


def _of_triangle(function: Callable[..., Any]) -> Callable[..., Any]:
    """NumPy's function of symmetric matrices; xgrad's reads the lower triangle, so the upper one is mirrored first."""

    def run(a: Any, UPLO: str = "L") -> Any:
        return function(ops.conj(ops.matrix_transpose(a)) if UPLO.upper() == "U" else a)

    return run


FUNCTIONS.update(
    {
        "linalg.solve": lambda a, b: linalg.solve(*operands(a, b)),
        "linalg.eigh": _of_triangle(linalg.eigh),
        "linalg.eigvalsh": _of_triangle(linalg.eigvalsh),
        "linalg.multi_dot": lambda arrays: functools.reduce(ops.dot, as_tensors(arrays)),
    }
)
_SAME = """cholesky cross det diagonal eig eigvals inv matmul matrix_norm matrix_power matrix_transpose outer slogdet svdvals
    trace vecdot vector_norm"""  # the same arguments in both libraries
FUNCTIONS.update({f"linalg.{name}": getattr(linalg, name) for name in _SAME.split()})


# ----------------------------------------------------------------------------------------------------------- numpy.fft


def _transform(function: Callable[..., Any]) -> Callable[..., Any]:
    def run(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
        return function(a, n=n, axis=axis, norm=norm or "backward")

    return run


def _transform_n(function: Callable[..., Any], default_axes: tuple[int, ...] | None = None) -> Callable[..., Any]:
    def run(a: Any, s: Any = None, axes: Any = default_axes, norm: str | None = None) -> Any:
        axes = tuple(range(-len(s), 0)) if axes is None and s is not None else axes
        return function(a, s=s, axes=axes, norm=norm or "backward")

    return run


for _name in ("fft", "ifft", "rfft", "irfft"):
    FUNCTIONS[f"fft.{_name}"] = _transform(getattr(fft, _name))
    FUNCTIONS[f"fft.{_name}n"] = _transform_n(getattr(fft, f"{_name}n"))
    FUNCTIONS[f"fft.{_name}2"] = _transform_n(getattr(fft, f"{_name}n"), (-2, -1))
FUNCTIONS.update(
    {
        "fft.hfft": _transform(fft.hfft),
        "fft.ihfft": _transform(fft.ihfft),
        "fft.fftshift": lambda x, axes=None: fft.fftshift(x, axes=axes),
        "fft.ifftshift": lambda x, axes=None: fft.ifftshift(x, axes=axes),
    }
)
