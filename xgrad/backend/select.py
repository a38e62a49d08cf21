"""The selected backend, on which new arrays are made."""

from __future__ import annotations

import os
from contextvars import ContextVar
from typing import NamedTuple

from .find import find_backend, known_names
from .protocol import Backend, BackendError
from .scopes import Scope

__all__ = [
    "BackendStatus", "available_backends", "get_backend", "is_deterministic", "set_backend", "set_deterministic",
    "use_backend", "current_backend",
]  # fmt: skip


_deterministic = False


def set_deterministic(on: bool, /) -> None:
    """Set whether sums over repeated indices are the same to the last bit in every run, on GPUs too.

    GPUs add to one place in the order in which their threads arrive, so gradients of indexing with repeated indices (as in an
    embedding) differ in their last bits from run to run. In this mode indices are sorted first, which takes longer. Libraries
    on the CPU always add in a fixed order.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.set_deterministic(True); xgrad.is_deterministic()
    True
    >>> xgrad.set_deterministic(False)
    """
    global _deterministic
    _deterministic = bool(on)


def is_deterministic() -> bool:
    """Whether `set_deterministic` was switched on."""
    return _deterministic


# ---------------------------------------------------------------------------------------------------------- selection

_selected: str = os.environ.get("XGRAD_BACKEND", "numpy")
_override: ContextVar[str | None] = ContextVar("xgrad_backend", default=None)


def current_backend() -> Backend:
    """The backend on which new arrays are made now."""
    return find_backend(_override.get() or _selected)


def get_backend() -> str:
    """The name of the backend on which new arrays are made.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.get_backend()
    'numpy'
    """
    return current_backend().name


def set_backend(name: str, /) -> None:
    """Choose the backend on which new arrays are made, for the whole process.

    Parameters
    ----------
    name : str
        ``"numpy"``, ``"cupy"``, ``"torch"``, ``"jax"``, ``"dask"``, ``"strict"`` or a third party's.

    Raises
    ------
    ValueError
        If there is no plug-in of that name.
    BackendError
        If it cannot run here: the message names what is missing and what to install. The selection stays as it was.

    Notes
    -----
    Ops follow the arrays that they are given; only functions that make arrays look at the selection. The environment
    variable ``XGRAD_BACKEND`` sets it at start.
    """
    global _selected
    find_backend(name).load()
    _selected = name


def use_backend(name: str, /) -> Scope[str | None]:
    """Choose the backend for the body of a ``with`` statement or a decorated function, in this thread or task alone.

    Decorated functions may be generators and ``async def``, as with `no_grad`.

    Examples
    --------
    >>> import xgrad
    >>> with xgrad.use_backend("numpy"):
    ...     xgrad.zeros(2).backend
    'numpy'
    """
    find_backend(name).load()
    return Scope(use_backend, (name,), lambda: (_override, name))


class BackendStatus(NamedTuple):
    """One line of `available_backends`."""

    name: str
    version: str | None
    usable: bool
    reason: str | None


def available_backends() -> list[BackendStatus]:
    """Every known backend: its name, its version, whether it can run here, and why not if it cannot.

    Imports each library that is installed, which can take seconds.

    Examples
    --------
    >>> import xgrad
    >>> [status.name for status in xgrad.available_backends() if status.name == "numpy" and status.usable]
    ['numpy']
    """
    status = []
    for name in known_names():
        try:
            backend = find_backend(name)
            backend.load()
            status.append(BackendStatus(name, backend.version(), True, None))
        except BackendError as error:
            status.append(BackendStatus(name, None, False, str(error)))
    return status
