"""Whether calls are recorded, in this thread or task: on, off, or on and watched."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

__all__ = ["Recorder", "batches", "enable_grad", "is_grad_enabled", "mode", "no_grad", "recording", "watching"]


class Recorder:
    """Recording with something more at every node."""

    def recorded(self, node: Any, output: Any, inputs: Any) -> None:
        """Called when `node` has just been made, for an `output` (arrays in a tuple, if several) computed from `inputs`."""


mode: ContextVar[bool | Recorder] = ContextVar("xgrad_mode", default=True)
batches: ContextVar[tuple[Any, ...]] = ContextVar("xgrad_batches", default=())
"""The batches whose functions are being called, the outermost first; see `xgrad.vmap`."""


@contextmanager
def recording(how: bool | Recorder) -> Iterator[None]:
    """Run the body with recording off, on, or on and watched by a `Recorder`."""
    token = mode.set(how)
    try:
        yield
    finally:
        mode.reset(token)


@contextmanager
def watching(recorder: Recorder) -> Iterator[None]:
    """Run the body with `recorder` watching what is recorded, before those that watch already."""
    now = mode.get()
    if not now:
        yield
        return
    with recording(_Both(recorder, now) if isinstance(now, Recorder) else recorder):
        yield


class _Both(Recorder):
    def __init__(self, first: Recorder, second: Recorder) -> None:
        self.first, self.second = first, second

    def recorded(self, node: Any, output: Any, inputs: Any) -> None:
        self.first.recorded(node, output, inputs)
        self.second.recorded(node, output, inputs)


def no_grad() -> Any:
    """Record nothing in the body of a ``with`` statement, or in a function decorated with ``@no_grad()``.

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.Tensor(2.0, requires_grad=True)
    >>> with xgrad.no_grad():
    ...     (x * x).requires_grad
    False
    """
    return recording(False)


def enable_grad() -> Any:
    """Record in the body of a ``with`` statement inside a `no_grad`."""
    return recording(mode.get() or True)


def is_grad_enabled() -> bool:
    """Whether calls with tensors that require grad are recorded now."""
    return bool(mode.get())
