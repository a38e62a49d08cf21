"""Plans of captured functions, run on NumPy arrays: as compiled C, or as straight-line NumPy calls."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .c import CExecutor
from .compiler import CannotCompile
from .executor import Executor
from .straight import StraightExecutor

__all__ = ["CannotCompile", "Executor", "build"]


def build(plan: Any, homes: Sequence[int | None], how: str) -> Executor:
    """An executor of a plan.

    Parameters
    ----------
    plan : Plan
    homes : sequence of int or None
        For each output the index of the input whose memory it is written into, or None.
    how : {"c", "numpy"}

    Raises
    ------
    CannotCompile
        If C is asked for and there is no compiler that works.
    """
    if how == "c":
        return CExecutor(plan, homes)
    if how == "numpy":
        return StraightExecutor(plan, homes)
    raise ValueError(f"there is no executor {how!r}; there are 'c' and 'numpy'")
