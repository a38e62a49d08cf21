"""`find_graph_breaks`: where did a value leave the graph?"""

from __future__ import annotations

import linecache
import sys
import traceback
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

from ..backend.find import backend_of, inexact
from ..errors import GradientError
from ..graph.node import Node, node_of
from ..graph.recording import recording
from ..graph.walks import newest_first
from ..tensor.tensor import Tensor, wrap
from ..transforms.call import check_callable, fresh_input
from ..tree import flatten

__all__ = ["GraphBreak", "GraphBreaks", "find_graph_breaks"]


@dataclass(frozen=True)
class GraphBreak:
    """One place where a gradient is lost, or may be."""

    kind: str
    """
    ``"value"``: a value was taken out; ``"branch"``: the values decided which way the function went (the gradient is that of
    the way taken); ``"error"``: the function raised a `GradientError`; ``"result"``: a result does not depend on the arguments;
    ``"argument"``: no result depends on that argument.
    """
    what: str
    """What was done, as Python writes it: ``"float(x)"``."""
    line: str
    """``"file:line"`` of the user's code that did it; empty for results and arguments."""
    source: str
    """That line itself."""
    advice: str
    """What to do."""
    times: int = 1
    """How often it happened there."""

    def __str__(self) -> str:
        told = {
            "value": f"{self.what} took a value out of the graph",
            "branch": f"{self.what} let a value decide",
            "error": f"it raised: {self.what}",
            "result": f"{self.what} does not depend on the arguments",
            "argument": f"nothing that is returned depends on {self.what}",
        }[self.kind]
        told += f" ({self.times} times)" if self.times > 1 else ""
        where = f"{self.line}: " if self.line else ""
        source = f"\n    {self.source}" if self.source else ""
        return f"{where}{told}{source}\n    {self.advice}"


class GraphBreaks(list[GraphBreak]):
    """What `find_graph_breaks` found: a list that prints as a report."""

    def __repr__(self) -> str:
        return "\n".join(map(str, self)) if self else "no graph breaks"

    __str__ = __repr__


def find_graph_breaks(f: Callable[..., Any], /, *args: Any, **options: Any) -> GraphBreaks:
    """Call `f` and report where values left the graph, so that a gradient would miss what was computed from them.

    Parameters
    ----------
    f : callable
        The function to be differentiated. It is called once.
    *args, **options
        What to call it with. Every floating array among the positional arguments, also in containers, is followed.

    Returns
    -------
    GraphBreaks
        A list of `GraphBreak`, in the order in which they were met; empty if there is none. It prints as a report: for each the
        line of code, what was done there, and what to do instead.

    Raises
    ------
    TypeError
        If no positional argument is floating.
    Exception
        Whatever `f` raises, but for a `GradientError`, which is reported, and ends the search.

    Notes
    -----
    Found are ``float(x)``, ``int(x)``, ``bool(x)`` and the like, also where NumPy, `math` or other libraries call them;
    ``x.item()``, ``x.tolist()``, ``x.numpy()``, ``numpy.asarray(x)``, ``x.data``, ``x.detach()``, `stop_gradient`, DLPack; what
    raises when it is met in a derivative is gone through here, so that what comes after is found too. Results that do not
    depend on the arguments, and arguments on which nothing depends, are reported at the end. What happens inside of a function
    that `f` itself differentiates is not seen.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.find_graph_breaks(lambda x, y: xgrad.sum(x), np.ones(2), np.ones(2))
    nothing that is returned depends on argument 1
        Its gradient is zero. If that is a surprise, look at the lines above.
    >>> xgrad.find_graph_breaks(xgrad.sum, np.ones(2))
    no graph breaks
    """
    name = getattr(check_callable("find_graph_breaks", f), "__name__", "the function")
    taken = [flatten(arg) for arg in args]
    leaves = [leaf for found, _ in taken for leaf in found]
    names = [f"argument {i}{path}" for i, (_, structure) in enumerate(taken) for path in structure.paths]
    followed: dict[str, Node] = {}
    given: list[Any] = []
    for what, leaf in zip(names, leaves):
        if _floating(leaf):
            x = fresh_input("find_graph_breaks", what, leaf.detach() if isinstance(leaf, Tensor) else leaf)
            followed[what] = node_of(x)
            given.append(wrap(x._data, x._node, _Followed))
        else:
            given.append(leaf)
    if not followed:
        raise TypeError(f"find_graph_breaks: no positional argument of {name} is a floating array, so there is nothing to follow")
    rest = iter(given)
    rebuilt = [structure.unflatten([next(rest) for _ in found]) for found, structure in taken]
    breaks = GraphBreaks()
    token = _breaks.set(breaks)
    try:
        with recording(True):
            result = f(*rebuilt, **options)
    except GradientError as error:
        frame = next((at for at, _ in reversed(list(traceback.walk_tb(error.__traceback__))) if not _ours(at)), None)
        _add(breaks, "error", str(error), frame, "The search ends here: correct this, and look again.")
        return breaks
    except Exception as error:
        if breaks:
            error.add_note(f"find_graph_breaks had found, before this:\n{breaks}")
        raise
    finally:
        _breaks.reset(token)
    _look_at_results(breaks, result, followed)
    return breaks


_breaks: ContextVar[GraphBreaks | None] = ContextVar("xgrad_graph_breaks", default=None)


def _floating(x: Any) -> bool:
    if isinstance(x, Tensor):
        return x.dtype.inexact
    try:
        return isinstance(x, (float, complex)) or (backend_of(x) is not None and inexact(x))
    except (TypeError, ValueError):  # an array of strings, or the like
        return False


def _look_at_results(breaks: GraphBreaks, result: Any, followed: dict[str, Node]) -> None:
    own = set(followed.values())
    leaves, structure = flatten(result)
    reached: set[Node] = set()
    for path, y in zip(structure.paths, leaves):
        nodes = own.intersection(newest_first([y._node])) if isinstance(y, Tensor) and y._node is not None else set()
        reached |= nodes
        if not nodes and _floating(y):
            told = f"result{path}, a {type(y).__name__},"
            advice = "If it should: no_grad, or one of the lines above, may have cut it off. Else return it as aux."
            breaks.append(GraphBreak("result", told, "", "", advice))
    for what, node in followed.items():
        if node not in reached:
            advice = "Its gradient is zero. If that is a surprise, look at the lines above."
            breaks.append(GraphBreak("argument", what, "", "", advice))


# -------------------------------------------------------------------------------------------------- tensors that are followed


class _Followed(Tensor):
    """A tensor of which leaving the graph is noted. What is computed from it is of this class too."""

    __slots__ = ()


_Followed.__name__ = _Followed.__qualname__ = "Tensor"  # as which it prints


def _ours(frame: FrameType) -> bool:
    return "__xgrad__" in frame.f_globals


def _note(kind: str, what: str, advice: str) -> None:
    breaks = _breaks.get()
    frame: FrameType | None = sys._getframe(2)
    if breaks is None or frame is None:
        return
    if _ours(frame):  # xgrad's own reading, as for printing; but for stop_gradient, whose caller meant it
        if "stop_gradient" not in frame.f_code.co_qualname:
            return
        what = "xgrad.stop_gradient(x)"
    while frame is not None and _ours(frame):
        frame = frame.f_back
    _add(breaks, kind, what, frame, advice)


def _add(breaks: GraphBreaks, kind: str, what: str, frame: FrameType | None, advice: str) -> None:
    line = source = ""
    if frame is not None:
        line = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        source = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    for k, known in enumerate(breaks):
        if (known.kind, known.what, known.line) == (kind, what, line):
            breaks[k] = replace(known, times=known.times + 1)
            return
    breaks.append(GraphBreak(kind, what, line, source, advice))


def _leaving(name: str, what: str, advice: str) -> Any:
    method = getattr(Tensor, name)

    def leave(self: Tensor, *args: Any, **options: Any) -> Any:
        plain = wrap(self._data)
        if name == "__bool__":
            _note("branch", what, advice)
        elif self._node is not None:
            _note("value", what, advice)
        return method(plain, *args, **options)

    leave.__name__, leave.__doc__ = method.__name__, method.__doc__
    return leave


def _data_property() -> property:
    def read(self: Tensor) -> Any:
        if self._node is not None:
            _note("value", "x.data", _KEEP)
        return Tensor.data.fget(self)  # type: ignore[attr-defined]

    def write(self: Tensor, value: Any) -> None:
        if self._node is not None:
            _note("value", "x.data = v", "Write with x[...] = v, which is recorded.")
        Tensor.data.fset(self, value)  # type: ignore[attr-defined]

    return property(read, write)


_KEEP = "Compute with the tensor itself, by xgrad's functions or by those of x.__array_namespace__()."
_NUMBER = "Keep it a tensor: use xgrad's function in place of math's or of Python's own. It is fine for printing."
_RAISES = f"In a derivative this raises. {_KEEP}"
_EXITS: Iterable[tuple[str, str, str]] = (
    ("__float__", "float(x)", _NUMBER),
    ("__int__", "int(x)", _NUMBER),
    ("__complex__", "complex(x)", _NUMBER),
    ("__index__", "operator.index(x)", _NUMBER),
    ("item", "x.item()", _NUMBER),
    ("tolist", "x.tolist()", _NUMBER),
    ("numpy", "x.numpy()", _RAISES),
    ("__array__", "numpy.asarray(x)", _RAISES),
    ("__dlpack__", "x.__dlpack__()", _RAISES),
    ("detach", "x.detach()", "Leave it out, if a gradient should flow through here."),
    ("__bool__", "bool(x)", "The derivative is that of the way taken; xgrad.where takes both."),
)
for _name, _what, _advice in _EXITS:
    setattr(_Followed, _name, _leaving(_name, _what, _advice))
_Followed.data = _data_property()  # type: ignore[method-assign,assignment]
