"""`find_graph_breaks`, which reports where values leave the graph."""

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
    """One place in the code where a gradient is lost, or may be lost."""

    kind: str
    """
    ``"value"``: a value was taken out of the graph; ``"branch"``: a value decided which branch was executed (the gradient is that
    of this branch); ``"error"``: the function raised a `GradientError`; ``"result"``: a result does not depend on the arguments;
    ``"argument"``: no result depends on that argument.
    """
    what: str
    """What was done, as Python code: ``"float(x)"``."""
    line: str
    """``"file:line"`` of the user's code; empty for results and arguments."""
    source: str
    """The text of that line."""
    advice: str
    """What to do."""
    times: int = 1
    """How often it happened at that line."""

    def __str__(self) -> str:
        text = {
            "value": f"{self.what} took a value out of the graph",
            "branch": f"{self.what} used a value to choose a branch",
            "error": f"it raised: {self.what}",
            "result": f"{self.what} does not depend on the arguments",
            "argument": f"no result depends on {self.what}",
        }[self.kind]
        text += f" ({self.times} times)" if self.times > 1 else ""
        line = f"{self.line}: " if self.line else ""
        source = f"\n    {self.source}" if self.source else ""
        return f"{line}{text}{source}\n    {self.advice}"


class GraphBreaks(list[GraphBreak]):
    """The result of `find_graph_breaks`: a list of `GraphBreak` that prints as a report."""

    def __repr__(self) -> str:
        return "\n".join(map(str, self)) if self else "no graph breaks"

    __str__ = __repr__


def find_graph_breaks(f: Callable[..., Any], /, *args: Any, **options: Any) -> GraphBreaks:
    """Call `f` and report where values leave the graph: a gradient does not include what is computed from them.

    Parameters
    ----------
    f : callable
        The function to be differentiated. It is called once.
    *args, **options
        The arguments of the call. Every floating array among the positional arguments, also in containers, is followed.

    Returns
    -------
    GraphBreaks
        A list of `GraphBreak`, in the order of execution; empty if there is none. It prints as a report: for each the line of
        code, what was done there, and what to do instead.

    Raises
    ------
    TypeError
        If no positional argument is floating.
    Exception
        Any error that `f` raises, except a `GradientError`, which is reported and ends the search.

    Notes
    -----
    It finds ``float(x)``, ``int(x)``, ``bool(x)`` and the like, also if NumPy, `math` or other libraries call them;
    ``x.item()``, ``x.tolist()``, ``x.numpy()``, ``numpy.asarray(x)``, ``x.data``, ``x.detach()``, `stop_gradient`, DLPack. Calls
    that raise in a derivative do not raise here, so later ones are found too. Results that do not depend on the arguments, and
    arguments without influence on the results, are reported at the end. Calls inside a function that `f` itself differentiates
    are not found.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.find_graph_breaks(lambda x, y: xgrad.sum(x), np.ones(2), np.ones(2))
    no result depends on argument 1
        Its gradient is zero. If that is a surprise, look at the lines above.
    >>> xgrad.find_graph_breaks(xgrad.sum, np.ones(2))
    no graph breaks
    """
    name = getattr(check_callable("find_graph_breaks", f), "__name__", "the function")
    flat_args = [flatten(arg) for arg in args]
    followed: dict[str, Node] = {}
    new_args: list[Any] = []
    for i, (leaves, structure) in enumerate(flat_args):
        new_leaves: list[Any] = []
        for path, leaf in zip(structure.paths, leaves):
            if _is_floating(leaf):
                argument = f"argument {i}{path}"
                x = fresh_input("find_graph_breaks", argument, leaf.detach() if isinstance(leaf, Tensor) else leaf)
                followed[argument] = node_of(x)
                leaf = wrap(x._data, x._node, _Followed)
            new_leaves.append(leaf)
        new_args.append(structure.unflatten(new_leaves))
    if not followed:
        raise TypeError(f"find_graph_breaks: no positional argument of {name} is a floating array, so there is nothing to follow")
    breaks = GraphBreaks()
    token = _breaks.set(breaks)
    try:
        with recording(True):
            result = f(*new_args, **options)
    except GradientError as error:
        frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__) if not _is_ours(frame)]
        _add(breaks, "error", str(error), frames[-1] if frames else None, "The search ends here: correct this, and search again.")
        return breaks
    except Exception as error:
        if breaks:
            error.add_note(f"find_graph_breaks found, before this error:\n{breaks}")
        raise
    finally:
        _breaks.reset(token)
    _check_results(breaks, result, followed)
    return breaks


_breaks: ContextVar[GraphBreaks | None] = ContextVar("xgrad_graph_breaks", default=None)


def _is_floating(x: Any) -> bool:
    if isinstance(x, Tensor):
        return x.dtype.inexact
    try:
        return isinstance(x, (float, complex)) or (backend_of(x) is not None and inexact(x))
    except (TypeError, ValueError):  # an array of strings, or the like
        return False


def _check_results(breaks: GraphBreaks, result: Any, followed: dict[str, Node]) -> None:
    """Report the results that do not depend on the arguments, and the arguments without influence on the results."""
    own = set(followed.values())
    leaves, structure = flatten(result)
    reached: set[Node] = set()
    for path, y in zip(structure.paths, leaves):
        nodes = own.intersection(newest_first([y._node])) if isinstance(y, Tensor) and y._node is not None else set()
        reached |= nodes
        if not nodes and _is_floating(y):
            name = f"result{path}, a {type(y).__name__},"
            advice = "If it should: no_grad, or one of the lines above, may have cut it off. Else return it as aux."
            breaks.append(GraphBreak("result", name, "", "", advice))
    for argument, node in followed.items():
        if node not in reached:
            advice = "Its gradient is zero. If that is a surprise, look at the lines above."
            breaks.append(GraphBreak("argument", argument, "", "", advice))


# -------------------------------------------------------------------------------------------------- tensors that are followed


class _Followed(Tensor):
    """A tensor that notes when a value leaves the graph. Results computed from it have this class too."""

    __slots__ = ()


_Followed.__name__ = _Followed.__qualname__ = "Tensor"  # it prints as one


def _is_ours(frame: FrameType) -> bool:
    """Whether the code of a frame is xgrad's."""
    return "__xgrad__" in frame.f_globals


def _note(kind: str, what: str, advice: str) -> None:
    """Note what the caller's caller did, unless that is xgrad itself, as for printing."""
    breaks = _breaks.get()
    frame: FrameType | None = sys._getframe(2)
    if breaks is None or frame is None:
        return
    if _is_ours(frame):
        if "stop_gradient" not in frame.f_code.co_qualname:
            return
        what = "xgrad.stop_gradient(x)"
    while frame is not None and _is_ours(frame):
        frame = frame.f_back
    _add(breaks, kind, what, frame, advice)


def _add(breaks: GraphBreaks, kind: str, what: str, frame: FrameType | None, advice: str) -> None:
    """Add a break at the line that `frame` executes, or count it if it is in the list already."""
    line = source = ""
    if frame is not None:
        line = f"{frame.f_code.co_filename}:{frame.f_lineno}"
        source = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    for k, known in enumerate(breaks):
        if (known.kind, known.what, known.line) == (kind, what, line):
            breaks[k] = replace(known, times=known.times + 1)
            return
    breaks.append(GraphBreak(kind, what, line, source, advice))


def _noting(name: str, what: str, advice: str) -> Any:
    """Tensor's method `name`, which takes a value out of the graph, with a note of it."""
    method = getattr(Tensor, name)

    def run(self: Tensor, *args: Any, **options: Any) -> Any:
        plain = wrap(self._data)
        if name == "__bool__":
            _note("branch", what, advice)
        elif self._node is not None:
            _note("value", what, advice)
        return method(plain, *args, **options)

    run.__name__, run.__doc__ = method.__name__, method.__doc__
    return run


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


_KEEP = "Compute with the tensor itself: use the functions of xgrad or of x.__array_namespace__()."
_NUMBER = "Keep it a tensor: use xgrad's function, not that of math or of Python. For printing it is fine."
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
    ("detach", "x.detach()", "Remove it if a gradient should flow through here."),
    ("__bool__", "bool(x)", "The derivative is that of the branch that was executed; xgrad.where has both."),
)
for _name, _what, _advice in _EXITS:
    setattr(_Followed, _name, _noting(_name, _what, _advice))
_Followed.data = _data_property()  # type: ignore[method-assign,assignment]
