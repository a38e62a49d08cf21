"""One block of memory for all temporary arrays: those that are not needed at the same time share it."""

from __future__ import annotations

import bisect
import heapq

from .steps import Storage

__all__ = ["ALIGN", "arranged"]

ALIGN = 64
"""Each array begins at a multiple of this: a line of the cache, and the longest vector."""


def arranged(lives: dict[Storage, tuple[int, int]]) -> tuple[dict[Storage, int], int]:
    """The offset in bytes of each storage, and how many bytes are needed.

    Parameters
    ----------
    lives : dict from Storage to (int, int)
        When each is first written, and when last read.
    """
    offsets: dict[Storage, int] = {}
    ends: list[tuple[int, int, int]] = []  # of those in use: when, where, how many bytes
    free: list[tuple[int, int]] = []  # places and sizes, in the order of places; no two are adjacent
    top = 0
    for storage in sorted(lives, key=lambda s: lives[s][0]):
        start, end = lives[storage]
        while ends and ends[0][0] < start:
            _, at, size = heapq.heappop(ends)
            _give_back(free, at, size)
        need = -(-max(storage.size * storage.dtype.itemsize, 1) // ALIGN) * ALIGN
        fitting = [(size, at, k) for k, (at, size) in enumerate(free) if size >= need]
        if fitting:
            size, at, k = min(fitting)
            free[k : k + 1] = [(at + need, size - need)] if size > need else []
        else:
            if free and free[-1][0] + free[-1][1] == top:  # the last is made longer
                at, _ = free.pop()
            else:
                at = top
            top = at + need
        offsets[storage] = at
        heapq.heappush(ends, (end, at, need))
    return offsets, top


def _give_back(free: list[tuple[int, int]], at: int, size: int) -> None:
    """Enter a free piece, as one with those next to it."""
    k = bisect.bisect(free, (at, 0))
    if k < len(free) and at + size == free[k][0]:
        size += free.pop(k)[1]
    if k and sum(free[k - 1]) == at:
        before = free.pop(k - 1)
        at, size, k = before[0], before[1] + size, k - 1
    free.insert(k, (at, size))
