"""Launches: how every emulated kernel is run, and what the capture of a stream writes down of it.

During a capture a kernel is written down and not run, as on a device. Kernels that make a new array are run once, to
learn its shape; then its floats are NaN until the graph is launched.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .counters import count_launch, count_replayed, count_sync, count_upload

__all__ = ["Capture", "capturing", "make_results", "read_back", "refuse_in_capture", "register_foreign", "upload", "write"]

# Where new arrays are put: memory.py sets it.
placed: Callable[[Any], Any] = np.asarray
current = threading.local()  # .capture: that of the current stream, set by streams.py


class Capture:
    """The kernels that were launched on a stream since its capture began."""

    def __init__(self) -> None:
        self.nodes: list[Callable[[], None]] = []

    def run(self) -> None:
        count_replayed(len(self.nodes))
        with np.errstate(all="ignore"):
            for node in self.nodes:
                node()


def capturing() -> Capture | None:
    """The capture of the current stream."""
    return getattr(current, "capture", None)


def refuse_in_capture(library: str | None) -> None:
    if library is not None and capturing() is not None:
        raise NotImplementedError(f"calling {library} API during stream capture is currently unsupported")


def make_results(name: str, compute: Callable[[], Any], launches: int = 1, library: str | None = None) -> Any:
    """Run a kernel that makes new arrays: `compute` returns a NumPy array, a number, or a tuple of them."""
    refuse_in_capture(library)
    count_launch(name, launches)
    with np.errstate(all="ignore"):
        results = compute()
    capture = capturing()
    several = isinstance(results, (tuple, list))
    if capture is None:
        return tuple(map(_placed, results)) if several else _placed(results)
    made = [_placed(np.array(y)) for y in (results if several else [results])]

    def node() -> None:
        again = compute()
        for array, y in zip(made, again if several else [again]):
            array[...] = y

    capture.nodes.append(node)
    for array in made:
        if array.dtype.kind in "fc":
            array[...] = np.nan
    return tuple(made) if several else made[0]


def _placed(y: Any) -> Any:
    return placed(np.asarray(y)) if isinstance(y, (np.ndarray, np.generic)) else y


def write(name: str, function: Callable[[], Any], launches: int = 1, library: str | None = None) -> None:
    """Run a kernel that writes into memory that is there."""
    refuse_in_capture(library)
    count_launch(name, launches)
    capture = capturing()
    if capture is not None:
        capture.nodes.append(function)
        return
    with np.errstate(all="ignore"):
        function()


def read_back(name: str) -> None:
    """Count that the host waits for the device; refused in a capture."""
    if capturing() is not None:
        raise RuntimeError("the current stream is capturing, so D2H transfers are disallowed")
    count_sync(name)


def upload(name: str) -> None:
    """Count a copy of host memory to the device."""
    count_upload(name)


def register_foreign(function: Callable[..., Any], inputs: Sequence[Any], outputs: Sequence[Any], name: str = "foreign") -> None:
    """Run a function that stands for a call of a CUDA library through ctypes, such as cuBLAS, and write it down in a capture.

    `function` takes the NumPy arrays behind the emulated arrays `inputs`, and returns the value of the output, or a tuple of
    the values of several; they are written into the memory of `outputs`. Counted as one launch. Unlike CuPy's own calls of
    cuBLAS it is allowed in a capture.
    """
    sources = [getattr(x, "_values", x) for x in inputs]
    targets = [x._values for x in outputs]

    def run() -> None:
        results = function(*sources)
        for target, y in zip(targets, results if len(targets) > 1 else [results]):
            target[...] = y

    write(name, run)
