"""The standard's extension `linalg`: products, factorizations, inverses, determinants and norms of matrices.

In the formulas ``x^H`` is the conjugate transpose and ``g`` the cotangent. Some factors are not unique: the sign of an
eigenvector, or the basis of the eigenvectors of a repeated value. Gradients are those of losses that do not depend on the
choice. The formulas of the factorizations follow M. Giles, "An extended collection of matrix derivative results" (2008),
and, for QR, S. F. Walter and L. Lehmann, "Algorithmic differentiation of linear algebra functions" (2018).
"""

from __future__ import annotations

from .determinants import det, slogdet
from .eigenvalues import eig, eigh, eigvals, eigvalsh
from .factorizations import cholesky, qr
from .norms import matrix_norm, vector_norm
from .products import cross, diagonal, matrix_power, outer, trace
from .pseudoinverse import matrix_rank, pinv
from .singular_values import svd, svdvals
from .solving import inv, solve

__all__ = [
    "cholesky", "cross", "det", "diagonal", "eig", "eigh", "eigvals", "eigvalsh", "inv", "matrix_norm", "matrix_power",
    "matrix_rank", "outer", "pinv", "qr", "slogdet", "solve", "svd", "svdvals", "trace", "vector_norm",
]  # fmt: skip
