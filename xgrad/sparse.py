"""Sparse Jacobians and Hessians, by as few products as their pattern allows; see `xgrad.solve.sparse`."""

from __future__ import annotations

from .solve.sparse import column_coloring, hessian, hessian_sparsity, jacobian, jacobian_sparsity, star_coloring

__all__ = ["column_coloring", "hessian", "hessian_sparsity", "jacobian", "jacobian_sparsity", "star_coloring"]
