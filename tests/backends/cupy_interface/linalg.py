"""Linear algebra: NumPy's values, and what cuSOLVER gives for bad matrices instead of an error."""

from __future__ import annotations

import types
from collections.abc import Callable
from typing import Any

import numpy as np

from . import real
from .arrays import ndarray
from .functions import fill
from .launching import refuse_in_capture

__all__ = ["linalg_namespace"]

# In a capture these raise. Batches of solve and inv are cuBLAS's.
SOLVERS = frozenset("solve inv cholesky svd eigh eigvalsh qr eig eigvals pinv lstsq det slogdet matrix_rank tensorinv".split())


def each_matrix(function: Callable[..., Any], a: Any, *others: Any) -> Any:
    """Call a function on each matrix of stacks, where NumPy raised for the whole stack."""
    batch = a.shape[:-2]
    results = np.empty(batch, dtype=object)
    for k in np.ndindex(*batch):
        results[k] = function(a[k], *(x[k] for x in others))
    return np.array(results.tolist()).reshape(*batch, *results.reshape(-1)[0].shape)


def eliminated(a: Any, b: Any) -> Any:
    """The solution by elimination without a look at the pivots: infinities and NaN where the matrix is singular."""
    a, b = np.array(a), np.array(b)
    n = len(a)
    for k in range(n):
        pivot = k + int(np.argmax(np.abs(a[k:, k])))
        a[[k, pivot]], b[[k, pivot]] = a[[pivot, k]], b[[pivot, k]]
        if a[k, k] == 0:
            continue
        for i in range(k + 1, n):
            factor = a[i, k] / a[k, k]
            a[i, k:] -= factor * a[k, k:]
            b[i] -= factor * b[k]
    for k in range(n - 1, -1, -1):
        b[k] = (b[k] - a[k, k + 1 :] @ b[k + 1 :]) / a[k, k]
    return b


def factored(a: Any) -> Any:
    """Cholesky's factor, with NaN from the first pivot on that is not positive."""
    n = len(a)
    factor = np.zeros_like(a)
    for k in range(n):
        factor[k, k] = np.sqrt(a[k, k] - np.sum(np.abs(factor[k, :k]) ** 2))
        factor[k + 1 :, k] = (a[k + 1 :, k] - factor[k + 1 :, :k] @ factor[k, :k].conj()) / factor[k, k]
    return factor


def solve(a: Any, b: Any) -> Any:
    try:
        return np.linalg.solve(a, b)
    except np.linalg.LinAlgError:
        vector = b.ndim == 1
        columns = np.broadcast_to(b[:, None] if vector else b, (*a.shape[:-2], *(b[:, None] if vector else b).shape[-2:]))
        y = each_matrix(eliminated, a, columns.astype(np.result_type(a, b)))
        return y[..., 0] if vector else y


def inv(a: Any) -> Any:
    try:
        return np.linalg.inv(a)
    except np.linalg.LinAlgError:
        return each_matrix(lambda x: eliminated(x, np.eye(len(x), dtype=x.dtype)), a)


def cholesky(a: Any) -> Any:
    try:
        return np.linalg.cholesky(a)
    except np.linalg.LinAlgError:
        return each_matrix(factored, a)


def not_converged(function: Callable[..., Any]) -> Callable[..., Any]:
    """NaN in place of the error of an iteration that did not converge."""

    def call(a: Any, *args: Any, **kwargs: Any) -> Any:
        try:
            return function(a, *args, **kwargs)
        except np.linalg.LinAlgError as error:
            if "converge" not in str(error):
                raise
            shapes = function(np.broadcast_to(np.eye(*a.shape[-2:], dtype=a.dtype), a.shape), *args, **kwargs)
            if not isinstance(shapes, tuple):
                return np.full_like(shapes, np.nan)
            return tuple(np.full_like(part, np.nan) for part in shapes)

    return call


def eig(a: Any) -> Any:
    return tuple(part.astype(np.result_type(part, np.complex64)) for part in np.linalg.eig(a))


def eigvals(a: Any) -> Any:
    """Eigenvalues, which are complex whether or not they happen to be real."""
    values = np.linalg.eigvals(a)
    return values.astype(np.result_type(values, np.complex64))


FUNCTIONS: dict[str, Callable[..., Any]] = {"solve": solve, "inv": inv, "cholesky": cholesky, "eig": eig, "eigvals": eigvals}


class Functions:
    """NumPy's functions, with those above in their place."""

    def __getattr__(self, name: str) -> Any:
        own = FUNCTIONS.get(name)
        if own is None:
            own = getattr(np.linalg, name)
            if name in ("svd", "eigh", "eigvalsh", "svdvals", "pinv", "matrix_rank"):
                own = not_converged(own)
        return own


def _strict_solve(call: Callable[..., Any]) -> Callable[..., Any]:
    def solve(a: Any, b: Any) -> Any:
        for x in (a, b):
            if not isinstance(x, ndarray):
                raise TypeError(f"cupy.linalg only supports cupy.ndarray, and got {type(x)}")
        if b.ndim == 0:
            raise ValueError("b must have at least one dimension")
        if b.ndim == 1:
            if a.shape[-1] != b.size:
                raise ValueError("a must have (..., M, M) shape and b must have (M,) for one-dimensional b")
        elif a.shape[:-1] != b.shape[:-1]:
            raise ValueError("a must have (..., M, M) shape and b must have (..., M, K) for multidimensional b")
        return call(a, b)

    return solve


def _guarded(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    """A function that calls cuSOLVER, or cuBLAS for stacks of matrices, which a capture refuses."""

    def function(a: Any, *args: Any, **kwargs: Any) -> Any:
        refuse_in_capture("cuBLAS" if name in ("solve", "inv") and getattr(a, "ndim", 2) > 2 else "cuSOLVER")
        return call(a, *args, **kwargs)

    function.__name__, function.__doc__ = name, getattr(real.cupy.linalg, name).__doc__
    return function


def linalg_namespace() -> types.ModuleType:
    """``cupy.linalg``."""
    module = types.ModuleType("cupy.linalg")
    fill(module, real.cupy.linalg, Functions(), "linalg.")
    module.solve = _strict_solve(module.solve)
    for name in SOLVERS:
        if hasattr(module, name):
            setattr(module, name, _guarded(name, getattr(module, name)))
    if hasattr(real.cupy.linalg, "annotations"):
        module.annotations = real.cupy.linalg.annotations
    return module
