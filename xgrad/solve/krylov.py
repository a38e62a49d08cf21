"""Conjugate gradients and GMRES: linear equations solved by products with the matrix only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..backend.find import raw_namespace

__all__ = ["SOLVERS", "cg", "gmres"]


def cg(apply: Callable[[Any], Any], b: Any, tol: float, maxiter: int) -> Any:
    """The solution of ``apply(x) = b`` for a symmetric positive definite map of vectors, by conjugate gradients.

    Hestenes and Stiefel, Methods of Conjugate Gradients for Solving Linear Systems, 1952. It stops when the norm of the
    residual is at most `tol` times that of `b`, after `maxiter` products, or when the map proves not to be positive.
    """
    xp = raw_namespace(b)
    computed = xp.__backend__.computed
    x, r, p = xp.zeros_like(b), b, b
    rr = _dot(xp, r, r)
    enough = tol**2 * rr
    for _ in range(maxiter):
        if rr <= enough:
            break
        ap = apply(p)
        curvature = _dot(xp, p, ap)
        if not curvature > 0:
            break
        alpha = rr / curvature
        x, r = computed(x + alpha * p), computed(r - alpha * ap)
        before, rr = rr, _dot(xp, r, r)
        p = computed(r + (rr / before) * p)
    return x


def gmres(apply: Callable[[Any], Any], b: Any, tol: float, maxiter: int) -> Any:
    """The solution of ``apply(x) = b`` for any invertible map of vectors, by GMRES.

    Saad and Schultz, GMRES: A Generalized Minimal Residual Algorithm for Solving Nonsymmetric Linear Systems, 1986,
    restarted when the basis holds ten million numbers. It stops when the norm of the residual is at most `tol` times that of
    `b`, after `maxiter` products, or when a restart does not halve the residual.
    """
    xp = raw_namespace(b)
    x, r = xp.zeros_like(b), b
    norm = norm_b = _dot(xp, b, b) ** 0.5
    restart = min(b.shape[0], max(50, 10**7 // max(1, b.shape[0])))
    while maxiter > 0 and norm > tol * norm_b:
        steps = min(restart, maxiter)
        x = x + _minimal_residual(xp, apply, r / norm, norm, tol * norm_b, steps)
        r = b - apply(x)
        before, norm = norm, _dot(xp, r, r) ** 0.5
        maxiter -= steps
        if not norm < before / 2:
            break
    return x


def _minimal_residual(xp: Any, apply: Callable[[Any], Any], v: Any, norm: float, enough: float, steps: int) -> Any:
    """The vector x in the Krylov space of the unit vector `v` that minimizes the norm of ``norm * v - apply(x)``."""
    import numpy

    computed = xp.__backend__.computed
    basis = v[None, :]
    rotations: list[tuple[float, float]] = []
    triangle, target = numpy.zeros((steps + 1, steps)), numpy.zeros(steps + 1)
    target[0] = norm
    for k in range(steps):
        w = computed(apply(basis[k, :]))
        size = _dot(xp, w, w) ** 0.5
        column = triangle[:, k]
        for _ in range(2):  # a second pass makes it orthogonal up to rounding
            c = basis @ w
            w = w - c @ basis
            column[: k + 1] += xp.__backend__.to_numpy(c)
        left = _dot(xp, w, w) ** 0.5
        column[k + 1] = left
        for j, (cos, sin) in enumerate(rotations):
            column[j], column[j + 1] = cos * column[j] + sin * column[j + 1], cos * column[j + 1] - sin * column[j]
        length = numpy.hypot(column[k], left) or 1.0
        rotations.append((column[k] / length, left / length))
        cos, sin = rotations[-1]
        column[k], column[k + 1] = length, 0.0
        target[k], target[k + 1] = cos * target[k], -sin * target[k]
        if abs(target[k + 1]) <= enough or not left > 1e-15 * size:
            break
        basis = computed(xp.concat([basis, (w / left)[None, :]]))
    y = numpy.linalg.lstsq(triangle[: k + 1, : k + 1], target[: k + 1])[0]
    coefficients = xp.__backend__.from_numpy(y, xp.__backend__.device(v))
    return xp.astype(coefficients, v.dtype) @ basis[: k + 1, :]


def _dot(xp: Any, a: Any, b: Any) -> float:
    return float(xp.__backend__.to_numpy(xp.vecdot(a, b)))


SOLVERS = {"cg": cg, "gmres": gmres}
"""The solvers of this file by name."""
