"""Writes to arrays: a graph refuses to give a gradient if an array that it saved was written to.

xgrad itself never changes an array that a graph saved; it gives the Tensor a new array (`assign`). Two kinds of writes remain.
A user writes into ``x.data`` (``p.data -= lr * p.grad``): xgrad notes it (`mark`). Or code of NumPy or PyTorch writes into an
array that the user handed to xgrad. Such an array is a constant of the graph, an argument that requires no grad. When a call
saves one, a small array is copied, and of a larger one a *fingerprint* is taken, which `backward` compares (`keep`, `look`).
`guard_writes` finds the writes that a fingerprint misses.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from ..backend.find import backend_of, is_numpy_scalar, raw_namespace
from ..backend.protocol import Backend
from ..errors import GradientError
from .recording import Recorder, interpreters, mode, watching

__all__ = [
    "assign", "check", "check_guarded", "copied", "freed", "guard_writes", "keep", "keep_key", "look", "mark", "mark_owned",
    "next_age", "own",
]  # fmt: skip

next_age = itertools.count(1).__next__
"""Counts nodes and writes together, so that their order is known."""
last_write = 0
"""The age of the newest write: nodes younger than this need no check."""
_written: dict[int, tuple[Any, int]] = {}


def assign(tensor: Any, array: Any) -> None:
    """Replace the array of a living Tensor. Every replacement goes through here, so that the state of a step can be found."""
    active = interpreters.get()
    if active and active[0].takes_all:
        active[0].before_assignment(tensor)
    tensor._data = array


def own(p: Any) -> None:
    """Give the leaf `p` an array of its own, which an optimizer may write into, if it still has one that was handed in.

    A Tensor wraps an array without a copy, and so does ``p.data = array``: they may be the user's, or another tensor's.
    """
    known = p._node.owned
    if known is not None and known() is p._data:
        return
    backend: Backend = raw_namespace(p._data).__backend__
    if backend.mutable:
        assign(p, backend.as_array(backend.xp.asarray(p._data, copy=True)))
        mark_owned(p)


def mark_owned(p: Any) -> None:
    """Note that no one else has the array of the leaf `p`."""
    with contextlib.suppress(TypeError):  # an array type without weak references
        p._node.owned = weakref.ref(p._data)


def mark(array: Any, age: int) -> None:
    """Note that `array` was written to at `age`. Nodes recorded later saw the new values."""
    global last_write
    key = id(array)
    with contextlib.suppress(TypeError):  # an array type without weak references, or an immutable scalar
        _written[key] = (weakref.ref(array, lambda _: _written.pop(key, None)), age)
        last_write = age


# ------------------------------------------------------------------------------------------- constants that calls captured


class _Captured(NamedTuple):
    """An array that calls saved as a constant, and its fingerprint at the newest of these calls."""

    array: Any  # a weak reference
    fingerprint: Any
    age: int


_captured: dict[int, _Captured] = {}  # by id, the newest last
_capturing = threading.RLock()
_keepers: dict[type, Callable[[Any], Any] | None] = {float: None, int: None, bool: None, complex: None, type(None): None}
_BEFORE_ITS_NODE = 256  # an array is captured just before its node gets an age, while other threads may make nodes
_room = 64  # how many entries there may be before those of dead arrays are dropped


def keep(x: Any) -> Any:
    """What a call saves of its constant argument `x`: a copy if it is small, else `x` itself after taking its fingerprint."""
    try:
        keeper = _keepers[x.__class__]
    except KeyError:
        keeper = _keepers[x.__class__] = _keeper(x)
    return x if keeper is None else keeper(x)


def keep_key(key: Any) -> Any:
    """What a call saves of an index."""
    return tuple(map(keep, key)) if key.__class__ is tuple else keep(key)


def copied(x: Any) -> Any:
    """A copy of the array `x`; `x` itself if arrays of its library cannot be written to."""
    backend = raw_namespace(x).__backend__
    return x if type(backend).fingerprint is Backend.fingerprint else backend.xp.asarray(x, copy=True)


def _keeper(x: Any) -> Callable[[Any], Any] | None:
    backend = None if is_numpy_scalar(x) else backend_of(x)
    if backend is None or type(backend).fingerprint is Backend.fingerprint:  # no array, or one that cannot be written to
        return None

    limit, copy, mode_now = backend.copied_bytes, backend.copy, mode.get

    def keeper(x: Any) -> Any:
        if limit and x.nbytes <= limit and mode_now() is True:  # else a Recorder is active, which may compare
            return copy(x)
        if (fingerprint := backend.fingerprint(x)) is not None:
            _note(x, fingerprint)
        return x

    return keeper


def _note(x: Any, fingerprint: Any) -> None:
    global _room
    age = next_age()
    with _capturing:
        known = _captured.pop(id(x), None)
        if known is not None and known.array() is x and known.fingerprint != fingerprint:
            mark(x, age)  # nodes recorded before saw other values
        _captured[id(x)] = _Captured(weakref.ref(x), fingerprint, age)
        if len(_captured) > _room:
            for key in [key for key, one in _captured.items() if one.array() is None]:
                del _captured[key]
            _room = max(64, 2 * len(_captured))


def look(nodes: Iterable[Any]) -> None:
    """Find captured arrays that were written to since the oldest of `nodes` was recorded.

    Parameters
    ----------
    nodes : iterable of Node
        The nodes of a walk, the oldest first.
    """
    if not _captured:
        return
    oldest = next((node.age for node in nodes if node.op is not None), None)
    if oldest is None:
        return
    with _capturing:
        for key in reversed(list(_captured)):
            reference, fingerprint, age = _captured[key]
            if age < oldest - _BEFORE_ITS_NODE:
                break
            array = reference()
            if array is not None and (now := raw_namespace(array).__backend__.fingerprint(array)) != fingerprint:
                written = next_age()
                _captured[key] = _Captured(reference, now, age)
                mark(array, written)


# --------------------------------------------------------------------------------------------------------------- checking


def _saved_arrays(saved: Any) -> Iterator[Any]:
    for value in saved:
        if isinstance(value, (list, tuple)):
            yield from _saved_arrays(value)
        elif hasattr(value, "dtype"):
            yield value


def check(node: Any) -> None:
    """Raise if an array that `node` saved was written to since."""
    for array in _saved_arrays(node.saved):
        written = _written.get(id(array))
        if written is not None and written[1] > node.age and written[0]() is array:
            raise _changed(node)


def _changed(node: Any) -> GradientError:
    return GradientError(
        f"backward: an array that {node.name} (called at {node.line}) needs for its gradient was written to after the "
        "call, so the gradient would be wrong; call backward before the write, or compute with a copy"
    )


def freed(node: Any) -> GradientError:
    """The error to raise where a walk comes to `node`, which an earlier one freed."""
    return GradientError(
        f"backward: the graph was freed by an earlier backward (at {node.name}, called at {node.line}); "
        "pass retain_graph=True to the earlier one to walk it again"
    )


def guard_writes() -> Any:
    """Detect every write into an array that a graph saved, also a small one made by NumPy.

    Calls in the body of the ``with`` statement keep a copy of each array that they save. `backward` compares them, and raises
    a `GradientError` that names the op and the line. This takes a copy of each saved array; use it to find a mistake.

    Without it, constants of a graph (arrays of NumPy and PyTorch that require no grad) are guarded too: on NumPy those of at
    most 64 KiB are copied, and of larger ones 512 elements, evenly spaced, are compared; PyTorch counts writes itself. Only
    this guard sees a write to a few elements of a large array, or into the memory of a leaf. (`vjp` and `linearize` copy their
    arguments.)

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> c = np.array([1.0, 2.0])
    >>> x = xgrad.Tensor([1.0, 1.0], requires_grad=True)
    >>> with xgrad.guard_writes():
    ...     y = (x * c).sum()
    >>> c[0] = 100.0
    >>> y.backward()
    Traceback (most recent call last):
    ...
    xgrad.errors.GradientError: backward: an array that multiply (called at ...) needs for its gradient was written to ...
    """
    return watching(_Guard())


class _Guard(Recorder):
    def recorded(self, node: Any, output: Any, inputs: Any) -> None:
        if interpreters.get():  # arrays that hide a batch are xgrad's own
            return
        copies = [(a, raw_namespace(a).__backend__.to_numpy(a)) for a in _saved_arrays(node.saved)]
        node.note().guard = copies


def check_guarded(node: Any) -> None:
    """Raise if an array that `node` saved under `guard_writes` has changed."""
    for array, copy in node.notes.guard:
        if raw_namespace(array).__backend__.to_numpy(array).tobytes() != copy.tobytes():
            raise _changed(node)
