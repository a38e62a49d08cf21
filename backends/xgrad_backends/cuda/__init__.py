"""Plans of captured functions, run on a GPU: generated kernels and cuBLAS, repeated as CUDA graphs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .executor import GraphExecutor

__all__ = ["GraphExecutor", "build"]


def build(plan: Any, homes: Sequence[int | None], how: str) -> GraphExecutor:
    """An executor of a plan.

    Parameters
    ----------
    plan : Plan
    homes : sequence of int or None
        For each output the index of the input whose memory it is written into, or None.
    how : {"cuda"}

    Raises
    ------
    CannotCompile
        If CUDA's compiler refuses the source.
    """
    if how != "cuda":
        raise ValueError(f"CuPy has no executor {how!r}; it has 'cuda'")
    return GraphExecutor(plan, homes)
