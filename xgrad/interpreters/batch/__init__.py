"""The interpreter of `xgrad.vmap`: arrays with a hidden batch axis, and what each op does to them."""

from __future__ import annotations

from .arrays import Batch, Batched, in_graph, innermost
from .backend import BatchBackend

__all__ = ["Batch", "BatchBackend", "Batched", "in_graph", "innermost"]
