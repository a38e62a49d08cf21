"""Which arrays were written to, so that a graph that saved one of them refuses to give a wrong gradient.

xgrad's own writing never changes an array that a graph saved: it rebinds. What remains is a user's write into ``x.data``
(``p.data -= lr * p.grad``), which xgrad sees, and NumPy code that writes into an array behind xgrad's back, which only
`guard_writes` sees.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from typing import Any

from .backend import raw_namespace
from .errors import GradientError
from .grad_mode import Recorder, batches, watching

__all__ = ["check", "check_guarded", "freed", "guard_writes", "mark"]

last_write = 0
"""The age of the newest write: nodes younger than this need no check."""
_written: dict[int, tuple[Any, int]] = {}


def mark(array: Any, age: int) -> None:
    """Note that `array` was written to at `age` (nodes recorded later saw the new values)."""
    global last_write
    key = id(array)
    with contextlib.suppress(TypeError):  # an array type without weak references, or an immutable scalar
        _written[key] = (weakref.ref(array, lambda _: _written.pop(key, None)), age)
        last_write = age


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
        f"backward: an array that {node.op.name} (called at {node.line}) needs for its gradient was written to after the "
        "call, so the gradient would be wrong; call backward before the write, or compute with a copy"
    )


def freed(node: Any) -> GradientError:
    """The error to raise where a walk comes to `node`, which an earlier one freed."""
    return GradientError(
        f"backward: the graph was freed by an earlier backward (at {node.op.name}, called at {node.line}); "
        "pass retain_graph=True to the earlier one to walk it again"
    )


def guard_writes() -> Any:
    """Find every write into an array that a graph saved, also one that NumPy made behind xgrad's back.

    Calls in the body of the ``with`` statement keep a copy of each array that they save; `backward` compares, and raises
    a `GradientError` that names the op and the line. It costs a copy per saved array: a tool for finding a mistake.

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
        if batches.get():  # arrays that hide a batch are xgrad's own
            return
        copies = [(a, raw_namespace(a).__backend__.to_numpy(a)) for a in _saved_arrays(node.saved)]
        node.extra = {**(node.extra or {}), "guard": copies}


def check_guarded(node: Any) -> None:
    """Raise if an array that `node` saved under `guard_writes` has changed."""
    for array, copy in node.extra["guard"]:
        if raw_namespace(array).__backend__.to_numpy(array).tobytes() != copy.tobytes():
            raise _changed(node)
