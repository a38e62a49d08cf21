"""What modules hold besides their parameters: as it was before a call, so that a second call can begin where the first did."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from ..backend.find import backend_of, is_numpy_scalar, raw_namespace
from ..graph import memory
from ..graph.node import Leaf
from ..tensor.tensor import Tensor

__all__ = ["Change", "State", "carry_over", "modules_in", "undone"]

SMALL = 2**16
"""Arrays of up to so many numbers are copied, so that a write into them can be undone."""


def modules_in(f: Any, args: Iterable[Any]) -> list[Any]:
    """The modules that a call of the function `f` may change: `f` itself, what it captured, and those among `args`.

    Found are those in closures, default values, partial functions, methods, global variables that `f` names, and in the
    functions of its own source file that it calls.
    """
    nn = sys.modules.get("xgrad.nn.module")
    if nn is None:
        return []
    found: dict[int, Any] = {}
    seen: set[int] = set()
    waiting = [f, *args]
    home = getattr(f, "__module__", None)
    while waiting:
        x = waiting.pop()
        if id(x) in seen or isinstance(x, (Tensor, str, bytes, int, float, type)):
            continue
        seen.add(id(x))
        if isinstance(x, nn.Module):
            found[id(x)] = x
        elif isinstance(x, (list, tuple)):
            waiting += x
        elif isinstance(x, dict):
            waiting += x.values()
        elif isinstance(x, functools.partial):
            waiting += [x.func, x.args, x.keywords]
        elif hasattr(x, "__func__"):  # a method
            waiting += [x.__self__, x.__func__]
        elif hasattr(x, "__code__"):
            waiting += _named_by(x, home)
        elif hasattr(x, "__wrapped__"):
            waiting.append(x.__wrapped__)
    return list(found.values())


def _named_by(f: Any, home: Any) -> list[Any]:
    """What a function written in Python captured, if it is of the source file `home`; else nothing."""
    if f.__module__ != home and "__wrapped__" not in vars(f):
        return []
    found = [f.__defaults__ or (), f.__kwdefaults__ or {}, getattr(f, "__wrapped__", None)]
    for cell in f.__closure__ or ():
        try:
            found.append(cell.cell_contents)
        except ValueError:  # a name that has no value yet
            continue
    codes = [f.__code__]
    for code in codes:  # grows while it is walked: functions defined inside name global variables too
        found += [f.__globals__[name] for name in code.co_names if name in f.__globals__]
        codes += [constant for constant in code.co_consts if hasattr(constant, "co_names")]
    return [x for x in found if x is not None]


class Change:
    """One thing of a module: an object that holds others, and what it held at a time."""

    __slots__ = ("held", "kind", "owner")

    def __init__(self, kind: str, owner: Any, held: Any) -> None:
        self.kind, self.owner, self.held = kind, owner, held

    def now(self) -> Change:
        return Change(self.kind, self.owner, _READ[self.kind](self.owner))

    def put(self, owner: Any = None) -> None:
        """Have `owner`, or the owner itself, hold again what it held."""
        _WRITE[self.kind](self.owner if owner is None else owner, self.held)

    def differs(self, other: Change) -> bool:
        one, two = self.held, other.held
        if self.kind == "values":
            xp = raw_namespace(one)
            return not bool(xp.all((one == two) | ((one != one) & (two != two))))
        if self.kind in ("attributes", "items"):
            return list(one) != list(two) or any(one[k] is not two[k] for k in one)
        if self.kind == "generator":
            return repr(one) != repr(two)
        return len(one) != len(two) or any(a is not b for a, b in zip(one, two))


def _write_dict(owner: Any, held: Any) -> None:
    owner.clear()
    owner.update(held)


def _write_tensor(owner: Any, held: Any) -> None:
    array, owner._node, owner._view = held
    memory.assign(owner, array)


def _write_values(owner: Any, held: Any) -> None:
    owner[...] = held


def _write_list(owner: Any, held: Any) -> None:
    owner[:] = held


def _write_generator(owner: Any, held: Any) -> None:
    owner.bit_generator.state = held


_READ: dict[str, Any] = {
    "attributes": lambda owner: dict(vars(owner)),
    "items": dict,
    "elements": list,
    "tensor": lambda owner: (owner._data, owner._node, owner._view),
    "values": lambda owner: raw_namespace(owner).asarray(owner, copy=True),
    "generator": lambda owner: owner.bit_generator.state,
}
_WRITE: dict[str, Any] = {
    "attributes": lambda owner, held: _write_dict(vars(owner), held),
    "items": _write_dict,
    "elements": _write_list,
    "tensor": _write_tensor,
    "values": _write_values,
    "generator": _write_generator,
}


class State:
    """All that modules hold, but for parameters, at the time when this is made."""

    def __init__(self, modules: Sequence[Any]) -> None:
        self.held: list[Change] = []
        nn = sys.modules.get("xgrad.nn.module")
        seen: set[int] = set()
        waiting = list(modules)[::-1]
        while waiting:
            x = waiting.pop()
            if id(x) in seen:
                continue
            seen.add(id(x))
            inside: list[Any] = []
            if nn is not None and isinstance(x, nn.Module):
                self._add("attributes", x)
                inside = [v for k, v in vars(x).items() if k != "_stand_ins"]
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
            elif hasattr(x, "bit_generator"):  # of NumPy; xgrad's own are repeated in any case
                self._add("generator", x)
            elif not is_numpy_scalar(x) and hasattr(x, "dtype") and backend_of(x) is not None:
                backend = raw_namespace(x).__backend__
                if backend.mutable and backend.cheap_to_read(x) and len(x.shape) and 0 < _size(x) <= SMALL:
                    self._add("values", x)
            waiting += inside[::-1]

    def _add(self, kind: str, owner: Any) -> None:
        self.held.append(Change(kind, owner, _READ[kind](owner)))

    def changes(self) -> list[Change]:
        """What has changed since, as it was."""
        return [old for old in self.held if old.differs(old.now())]


def carry_over(old: State, copy: State) -> None:
    """Do to the modules of `old` what was done to those of `copy`, which were made as copies of them."""
    if len(old.held) != len(copy.held):
        return
    for one, other in zip(old.held, copy.held):
        new = other.now()
        if one.kind != other.kind or not other.differs(new):
            continue
        if one.kind in ("attributes", "items"):
            target = vars(one.owner) if one.kind == "attributes" else one.owner
            for key in [k for k in target if k not in new.held]:
                del target[key]
            target.update({k: v for k, v in new.held.items() if k not in other.held or v is not other.held[k]})
        else:
            new.put(one.owner)


@contextmanager
def undone(changes: Sequence[Change]) -> Iterator[None]:
    """Have everything be as it was in the body, and afterwards as it is now."""
    present = [change.now() for change in changes]
    for change in changes:
        change.put()
    try:
        yield
    finally:
        for change in present:
            change.put()


def _size(x: Any) -> int:
    size = 1
    for n in x.shape:
        size *= n
    return size
