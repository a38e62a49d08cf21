"""Whether calls are recorded in this thread or task, and who is told of each recorded call."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

from ..backend.scopes import Scope

__all__ = ["Recorder", "interpreters", "enable_grad", "is_grad_enabled", "mode", "no_grad", "recording", "watching"]


class Recorder:
    """Is told of each node that is recorded."""

    def recorded(self, node: Any, output: Any, inputs: Any) -> None:
        """Called with each new `node`, its output (a tuple of arrays, if there are several) and its inputs."""


mode: ContextVar[bool | Recorder] = ContextVar("xgrad_mode", default=True)
interpreters: ContextVar[tuple[Any, ...]] = ContextVar("xgrad_interpreters", default=())
"""The interpreters whose functions are being called, the outermost first; see `xgrad.vmap`."""


def recording(how: bool | Recorder) -> Scope[bool | Recorder]:
    """Run the body with recording off, on, or on with a `Recorder`."""
    return Scope(recording, (how,), lambda: (mode, how))


def watching(recorder: Recorder) -> Scope[bool | Recorder]:
    """Call `recorder` for each new node in this block, before recorders already active. Does nothing while recording is off."""

    def setting() -> tuple[ContextVar[bool | Recorder], bool | Recorder]:
        now = mode.get()
        return mode, now and (_Both(recorder, now) if isinstance(now, Recorder) else recorder)

    return Scope(watching, (recorder,), setting)


class _Both(Recorder):
    def __init__(self, first: Recorder, second: Recorder) -> None:
        self.first, self.second = first, second

    def recorded(self, node: Any, output: Any, inputs: Any) -> None:
        self.first.recorded(node, output, inputs)
        self.second.recorded(node, output, inputs)


def no_grad() -> Scope[bool | Recorder]:
    """Record nothing in the body of a ``with`` statement, or in a function decorated with ``@no_grad()``.

    Decorated functions may be generators, ``async def`` or both: nothing is recorded while they run, and their caller is not
    affected while they are suspended. A ``with`` statement in a generator that yields in its body is another matter: until the
    generator is resumed, nothing is recorded in its caller either. Decorate the generator, or end the statement before the
    ``yield``.

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.Tensor(2.0, requires_grad=True)
    >>> with xgrad.no_grad():
    ...     (x * x).requires_grad
    False
    """
    return Scope(no_grad, (), lambda: (mode, False))


def enable_grad() -> Scope[bool | Recorder]:
    """Record in the body of a ``with`` statement inside a `no_grad`, or in a function decorated with ``@enable_grad()``."""
    return Scope(enable_grad, (), lambda: (mode, mode.get() or True))


def is_grad_enabled() -> bool:
    """Whether calls with tensors that require grad are recorded now."""
    return bool(mode.get())
