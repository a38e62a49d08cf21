"""The interpreter behind `xgrad.vmap`: arrays that hide a batch axis, and what each op does to them.

`arrays` has the arrays and the backend that they belong to; `rules` the functions of its namespace.
"""

from __future__ import annotations

from ...errors import NotBatchable
from .arrays import Batch, Batched, in_graph, innermost
from .backend import BatchBackend, backend_on, base_of, enclosed

__all__ = ["Batch", "BatchBackend", "Batched", "NotBatchable", "backend_on", "base_of", "enclosed", "in_graph", "innermost"]
