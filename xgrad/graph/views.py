"""Views: a write to a Tensor changes those that share its memory, as in NumPy, though no array is changed.

A Tensor made by basic indexing, `reshape`, a transpose or iteration is a *view*. It remembers its base and the ops that lead
from the base to it. A write gives the base a new array with the change in it, recorded like any op, and computes each living
view of that base again. Values are NumPy's, gradients agree, and no array that a graph saved is ever changed.
"""

from __future__ import annotations

import weakref
from typing import Any

from ..errors import GradientError
from .memory import assign
from .recording import mode, recording

__all__ = ["link", "write"]


class View:
    """The place of a Tensor among the views of one base. The base itself has an empty path."""

    __slots__ = ("base", "family", "path", "twins")

    def __init__(self, base: Any, path: tuple[Any, ...], family: list[Any]) -> None:
        self.base = base  # None on the base itself, which avoids a reference cycle
        self.path = path
        self.family = family  # weak references to every view of the base
        self.twins: list[Any] = []  # weak references to detached Tensors of the same memory, and to itself


def link(view: Any, x: Any, op: Any, parameters: tuple[Any, ...]) -> None:
    """Remember that `view` is ``op(x, *parameters)`` and shares the memory of `x`, unless the library made a copy."""
    try:
        at = x._view
    except AttributeError:  # a raw array, which has no views
        return
    if op.unless is not None and op.unless(view._data, x._data, *parameters):
        return
    if at is None:
        at = x._view = View(None, (), [])
    family = at.family
    if len(family) > 8 and len(family) & (len(family) - 1) == 0:  # now and then, forget dead references
        family[:] = [ref for ref in family if ref() is not None]
    view._view = View(x if at.base is None else at.base, (*at.path, (op, parameters)), family)
    family.append(weakref.ref(view))


def link_detached(twin: Any, x: Any) -> None:
    """Remember that `twin` is `x` without its graph, and that a write to one writes to the other."""
    at = x._view
    if at is None:
        at = x._view = View(None, (), [])
    twins = at.twins
    if len(twins) > 8 and len(twins) & (len(twins) - 1) == 0:  # now and then, forget dead references
        twins[:] = [ref for ref in twins if ref() is not None]
    if not twins:
        twins.append(weakref.ref(x))
    twins.append(weakref.ref(twin))
    twin._view = View(None, (), [])
    twin._view.twins = twins


def same_place(view: View, base: Any) -> Any:
    """The same view of another base."""
    with recording(False):
        for op, parameters in view.path:
            base = op.call(base, *parameters)
    return base


def write(x: Any, new: Any) -> None:
    """Rebind `x` to the value and node of `new`, and with it its base and all views of that base.

    Raises
    ------
    GradientError
        If another view of the base is a leaf that requires grad: what is written would not be its own any more.
    """
    view = x._view
    if view is None:
        _become(x, new)
        return
    _write(x, view, new)


def _write(x: Any, view: View, new: Any) -> None:
    base = x if view.base is None else view.base
    others = [other for ref in view.family if (other := ref()) is not None]
    if mode.get() and any(other._node is not None and other.is_leaf for other in others):
        raise GradientError(
            "writing: a view of this tensor's memory is a leaf that requires grad and would change with it; write under "
            "xgrad.no_grad(), or to a copy such as x * 1"
        )
    xp = base.__array_namespace__()
    stages = [base]
    for op, parameters in view.path[:-1]:
        stages.append(op.call(stages[-1], *parameters))
    for stage, (op, parameters) in zip(reversed(stages), reversed(view.path)):
        new = op.write(xp, stage, new, *parameters)
    _become(base, new)
    for other in others:
        value = base
        for op, parameters in other._view.path:
            value = op.call(value, *parameters)
        _become(other, value)
    for one in (base, *others):
        for ref in one._view.twins:
            twin = ref()
            if twin is not None and twin is not one and twin._data is not one._data:
                with recording(False):  # the graph does not see a write to shared memory
                    write(twin, one)


def _become(x: Any, new: Any) -> None:
    # While nothing is recorded, a Tensor keeps its node, as a leaf always does.
    assign(x, new._data)
    if mode.get() and not (x._node is not None and x.is_leaf):
        x._node = new._node
