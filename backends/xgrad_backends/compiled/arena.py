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
    free: list[tuple[int, int]] = []  # sizes and places
    top = 0
    for storage in sorted(lives, key=lambda s: lives[s][0]):
        start, end = lives[storage]
        while ends and ends[0][0] < start:
            _, at, size = heapq.heappop(ends)
            bisect.insort(free, (size, at))
        need = -(-max(storage.size * storage.dtype.itemsize, 1) // ALIGN) * ALIGN
        k = bisect.bisect_left(free, (need, 0))
        if k < len(free):
            size, at = free.pop(k)
            if size > need:
                bisect.insort(free, (size - need, at + need))
        else:
            at, top = top, top + need
        offsets[storage] = at
        heapq.heappush(ends, (end, at, need))
    return offsets, top
