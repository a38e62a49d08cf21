"""What the emulated device was asked to do, counted: calls, kernel launches, host synchronisations and uploads."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PACKAGE = str(Path(__file__).parent)
OWN_CODE = ("/xgrad/", "/xgrad_backends/", "/tests/", "/examples/", "/benchmarks/")


@dataclass
class Counts:
    """What was counted, each by its name and by the place that caused it.

    launches: kernels, and calls of cuBLAS, cuSOLVER and cuFFT, which launch at least one.
    syncs: each time that the host waits for the device, to read memory or for a stream.
    uploads: copies of host memory to the device. Numbers that a kernel takes as parameters are none.
    replayed: kernels that were run again by a graph, whose launch is one launch.
    """

    calls: Counter[str] = field(default_factory=Counter)
    launches: Counter[tuple[str, str]] = field(default_factory=Counter)
    syncs: Counter[tuple[str, str]] = field(default_factory=Counter)
    uploads: Counter[tuple[str, str]] = field(default_factory=Counter)
    replayed: int = 0

    def text(self) -> str:
        """The counts, one line for each name and place, the most frequent first."""
        lines = []
        for title in ("syncs", "uploads", "launches"):
            counter = getattr(self, title)
            lines.append(f"{title}: {sum(counter.values())}")
            lines += [f"  {count:4} {name}  {where}" for (name, where), count in counter.most_common()]
        return "\n".join(lines)


_counting: list[Counts] = []
_lock = threading.Lock()


@contextmanager
def counted() -> Iterator[Counts]:
    """Count what happens in the body of a ``with`` statement, in every thread. Nested counts all count."""
    counts = Counts()
    with _lock:
        _counting.append(counts)
    try:
        yield counts
    finally:
        with _lock:
            _counting[:] = [c for c in _counting if c is not counts]


def place() -> str:
    """The innermost line of the project's code on the stack, and who called it if that is a plug-in.

    As ``xgrad/ops/elementwise.py:120 in relu``, or ``xgrad_backends/cupy.py:44 in from_numpy, for xgrad/random.py:80 in normal``.
    """
    frame, found = sys._getframe(2), ""
    while frame is not None:
        name = frame.f_code.co_filename
        if not name.startswith((PACKAGE, "<")):
            for part in OWN_CODE:
                if (at := name.rfind(part)) >= 0:
                    here = f"{name[at + 1 :]}:{frame.f_lineno} in {frame.f_code.co_name}"
                    if part != "/xgrad_backends/" and not here.startswith("xgrad/backend/"):
                        return f"{found}, for {here}" if found else here
                    found = found or here
        frame = frame.f_back
    return found or "elsewhere"


def count_call(name: str) -> None:
    for counts in _counting:
        counts.calls[name] += 1


def count_launch(name: str, launches: int = 1) -> None:
    if _counting and launches:
        where = place()
        for counts in _counting:
            counts.launches[name, where] += launches


def count_sync(name: str) -> None:
    if _counting:
        where = place()
        for counts in _counting:
            counts.syncs[name, where] += 1


def count_upload(name: str) -> None:
    if _counting:
        where = place()
        for counts in _counting:
            counts.uploads[name, where] += 1


def count_replayed(kernels: int) -> None:
    for counts in _counting:
        counts.replayed += kernels
