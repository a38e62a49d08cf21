"""The public face of `xgrad.solve.sparse`: sparse Jacobians and Hessians."""

from __future__ import annotations

from .solve.sparse import column_coloring, hessian, hessian_sparsity, jacobian, jacobian_sparsity, star_coloring

__all__ = ["column_coloring", "hessian", "hessian_sparsity", "jacobian", "jacobian_sparsity", "star_coloring"]
