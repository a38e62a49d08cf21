"""Writing through views, functionally.

A Tensor made by basic indexing, `reshape`, a transpose or iteration is a *view*: it remembers its base and the path of
ops that leads from the base to it. Writing rebinds: the base gets a new array with the change in it, recorded like any
op, and every living view of that base is made again along its path. Values are NumPy's, gradients agree, and no array
that a graph has saved is ever changed.
"""

from __future__ import annotations

import weakref
from typing import Any

__all__ = ["link", "write"]


class View:
    """Where a Tensor stands among the views of one base: on the base itself the path is empty."""

    __slots__ = ("base", "family", "path")

    def __init__(self, base: Any, path: tuple[Any, ...], family: list[Any]) -> None:
        self.base = base  # None on the base itself, so that no reference cycle arises
        self.path = path
        self.family = family  # weak references to every view of the base


def link(view: Any, x: Any, op: Any, parameters: tuple[Any, ...]) -> None:
    """Remember that `view` is ``op(x, *parameters)`` and shares the memory of `x`."""
    if x._view is None:
        x._view = View(None, (), [])
    family = x._view.family
    if len(family) > 8 and len(family) & (len(family) - 1) == 0:  # now and then, forget the dead
        family[:] = [ref for ref in family if ref() is not None]
    view._view = View(x if x._view.base is None else x._view.base, (*x._view.path, (op, parameters)), family)
    family.append(weakref.ref(view))


def write(x: Any, new: Any) -> None:
    """Rebind `x` to the value and node of `new`, and with it its base and all views of that base."""
    view = x._view
    if view is None:
        _become(x, new)
        return
    base = x if view.base is None else view.base
    xp = base.__array_namespace__()
    stages = [base]
    for op, parameters in view.path[:-1]:
        stages.append(op.call(stages[-1], *parameters))
    for stage, (op, parameters) in zip(reversed(stages), reversed(view.path)):
        new = op.write(xp, stage, new, *parameters)
    _become(base, new)
    for ref in list(view.family):
        other = ref()
        if other is not None:
            made = base
            for op, parameters in other._view.path:
                made = op.call(made, *parameters)
            _become(other, made)


def _become(x: Any, new: Any) -> None:
    # A leaf is written to only while nothing is recorded, and stays the leaf that it is.
    x._data = new._data
    if new._node is not None or not x.is_leaf:
        x._node = new._node
