"""The state of modules before a call, so that `checkpoint` can call the function again from the same state."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..backend.find import backend_of, is_numpy_scalar, raw_namespace
from ..graph import memory
from ..graph.node import Leaf
from ..interpreters.capture.reach import captured_by
from ..tensor.tensor import Tensor

__all__ = ["STATEFUL", "Snapshot", "State", "modules_in", "repeat_changes", "restored"]

STATEFUL: dict[type, frozenset[str]] = {}
"""The classes of modules, such as `xgrad.nn.Module`, each with the attributes that are no part of its state."""

SMALL = 2**16
"""Arrays of at most this size are copied, so that a write into them can be undone."""


def _is_module(x: Any) -> bool:
    return isinstance(x, tuple(STATEFUL))


def modules_in(f: Any, args: Iterable[Any]) -> list[Any]:
    """The modules that a call of the function `f` may change: `f` itself, those that it captures, and those among `args`.

    The search covers closures, default values, partial functions, methods, global variables that `f` names, and the functions
    of its own source file that it calls.
    """
    if not STATEFUL:
        return []
    modules: dict[int, Any] = {}
    seen: set[int] = set()
    waiting = [f, *args]
    home = getattr(f, "__module__", None)
    while waiting:
        x = waiting.pop()
        if id(x) in seen or isinstance(x, (Tensor, str, bytes, int, float, type)):
            continue
        seen.add(id(x))
        if _is_module(x):
            modules[id(x)] = x
        elif isinstance(x, (list, tuple)):
            waiting += x
        elif isinstance(x, dict):
            waiting += x.values()
        elif isinstance(x, functools.partial):
            waiting += [x.func, x.args, x.keywords]
        elif hasattr(x, "__func__"):  # a method
            waiting += [x.__self__, x.__func__]
        elif hasattr(x, "__code__"):
            waiting += _captured_by(x, home)
        elif hasattr(x, "__wrapped__"):
            waiting.append(x.__wrapped__)
    return list(modules.values())


def _captured_by(f: Any, home: Any) -> list[Any]:
    """The objects that the Python function `f` captures, if it is defined in the module `home`; else nothing."""
    wrapped = getattr(f, "__wrapped__", None)
    if f.__module__ != home and "__wrapped__" not in vars(f):
        return []
    return [x for x in (wrapped, *(value for *_, value in captured_by(f))) if x is not None]


class Snapshot:
    """The content of one object at one time.

    `part` says which content: the attributes of a module, the items of a dict, the elements of a list, the array and node of a
    Tensor, the values of an array, or the state of a NumPy generator.
    """

    __slots__ = ("content", "owner", "part")

    def __init__(self, part: str, owner: Any, content: Any) -> None:
        self.part, self.owner, self.content = part, owner, content

    @classmethod
    def take(cls, part: str, owner: Any) -> Snapshot:
        """The content of `owner` now."""
        return cls(part, owner, _READ[part](owner))

    def now(self) -> Snapshot:
        """The content of the same object now."""
        return self.take(self.part, self.owner)

    def restore(self, owner: Any = None) -> None:
        """Write the content to `owner`, by default to the object that it was read from."""
        _WRITE[self.part](self.owner if owner is None else owner, self.content)

    def differs(self, other: Snapshot) -> bool:
        """Whether the contents differ."""
        one, two = self.content, other.content
        if self.part == "values":
            xp = raw_namespace(one)
            return not bool(xp.all((one == two) | ((one != one) & (two != two))))
        if self.part in ("attributes", "items"):
            return list(one) != list(two) or any(one[k] is not two[k] for k in one)
        if self.part == "generator":
            return repr(one) != repr(two)
        return len(one) != len(two) or any(a is not b for a, b in zip(one, two))


def _write_dict(owner: Any, content: Any) -> None:
    owner.clear()
    owner.update(content)


def _write_tensor(owner: Any, content: Any) -> None:
    array, owner._node, owner._view = content
    memory.assign(owner, array)


def _write_values(owner: Any, content: Any) -> None:
    owner[...] = content


def _write_list(owner: Any, content: Any) -> None:
    owner[:] = content


def _write_generator(owner: Any, content: Any) -> None:
    owner.bit_generator.state = content


_READ: dict[str, Any] = {
    "attributes": lambda owner: dict(vars(owner)),
    "items": dict,
    "elements": list,
    "tensor": lambda owner: (owner._data, owner._node, owner._view),
    "values": lambda owner: raw_namespace(owner).asarray(owner, copy=True),
    "generator": lambda owner: owner.bit_generator.state,
}
_WRITE: dict[str, Any] = {
    "attributes": lambda owner, content: _write_dict(vars(owner), content),
    "items": _write_dict,
    "elements": _write_list,
    "tensor": _write_tensor,
    "values": _write_values,
    "generator": _write_generator,
}


class State:
    """Snapshots of all that modules hold now, except for parameters."""

    def __init__(self, modules: Sequence[Any]) -> None:
        self.snapshots: list[Snapshot] = []
        seen: set[int] = set()
        waiting = list(modules)[::-1]
        while waiting:
            x = waiting.pop()
            if id(x) in seen:
                continue
            seen.add(id(x))
            inside: list[Any] = []
            if _is_module(x):
                self._add("attributes", x)
                skipped = frozenset().union(*(names for cls, names in STATEFUL.items() if isinstance(x, cls)))
                inside = [v for k, v in vars(x).items() if k not in skipped]
            elif isinstance(x, dict):
                self._add("items", x)
                inside = list(x.values())
            elif isinstance(x, list):
                self._add("elements", x)
                inside = x
            elif isinstance(x, tuple):
                inside = list(x)
            elif isinstance(x, Tensor):
                if not isinstance(x._node, Leaf):
                    self._add("tensor", x)
                    inside = [x._data]
            elif hasattr(x, "bit_generator"):  # a NumPy generator; `random.Draws` repeats those of xgrad
                self._add("generator", x)
            elif not is_numpy_scalar(x) and hasattr(x, "dtype") and backend_of(x) is not None:
                backend = raw_namespace(x).__backend__
                if backend.mutable and backend.cheap_to_read(x) and len(x.shape) and 0 < math.prod(x.shape) <= SMALL:
                    self._add("values", x)
            waiting += inside[::-1]

    def _add(self, part: str, owner: Any) -> None:
        self.snapshots.append(Snapshot.take(part, owner))

    def changed(self) -> list[Snapshot]:
        """The snapshots of what has changed since."""
        return [old for old in self.snapshots if old.differs(old.now())]


def repeat_changes(state: State, copy: State) -> None:
    """Change the modules of `state` as those of `copy`, which are copies of them, have changed since."""
    if len(state.snapshots) != len(copy.snapshots):
        return
    for one, other in zip(state.snapshots, copy.snapshots):
        new = other.now()
        if one.part != other.part or not other.differs(new):
            continue
        if one.part in ("attributes", "items"):
            target = vars(one.owner) if one.part == "attributes" else one.owner
            for key in [k for k in target if k not in new.content]:
                del target[key]
            target.update({k: v for k, v in new.content.items() if k not in other.content or v is not other.content[k]})
        else:
            new.restore(one.owner)


@contextmanager
def restored(snapshots: Sequence[Snapshot]) -> Iterator[None]:
    """Restore `snapshots` for the body, and the present content after it."""
    present = [snapshot.now() for snapshot in snapshots]
    for snapshot in snapshots:
        snapshot.restore()
    try:
        yield
    finally:
        for snapshot in present:
            snapshot.restore()
