"""What every executor of a plan does."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Any

import numpy

__all__ = ["Executor", "packer"]


class Executor:
    """Runs a plan on arrays that are bound to it.

    Parameters
    ----------
    plan : Plan
    homes : sequence of int or None
        For each output the index of the input whose memory it is written into; None if it has memory of its own.

    Attributes
    ----------
    source : str
        The text that is run, C or Python.
    groups : int
        How many loops and single steps the plan became.
    bytes : int
        How much memory is held for temporary arrays.
    run : callable
        ``run(numbers)`` computes all outputs from what is bound, and from the plan's `used_numbers`.
    """

    source: str
    groups: int
    bytes: int
    run: Callable[[tuple[Any, ...]], None]

    def bind_input(self, index: int, array: Any) -> None:
        """Read an input of the plan from this contiguous array from now on. The caller keeps it alive."""
        raise NotImplementedError

    def bind_draw(self, index: int, array: Any) -> None:
        """Read the result of a draw from this array."""
        raise NotImplementedError

    def bind_output(self, index: int, array: Any) -> None:
        """Write an output that has no home into this array from now on."""
        raise NotImplementedError


def packer(numbers: Sequence[Any]) -> tuple[Callable[..., None] | None, Any]:
    """A function that puts numbers into memory, 8 bytes each, and that memory."""
    memory = numpy.zeros(max(len(numbers), 1), numpy.float64)
    if not numbers:
        return None, memory
    code = "".join({float: "d", int: "q", bool: "?7x"}[var.dtype] for var in numbers)
    pack = struct.Struct("=" + code).pack_into
    target = memory.data.cast("B")
    return lambda *given: pack(target, 0, *given), memory
