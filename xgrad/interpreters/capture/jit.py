"""`jit`: a function that is captured in its first call, and repeated from its plan in later ones."""

from __future__ import annotations

import functools
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, ParamSpec, TypeVar, get_args, overload

from ...graph.node import Leaf
from ...graph.recording import interpreters, mode
from ...tensor.tensor import Tensor
from .arguments import flatten
from .binding import MISS
from .capturing import capture
from .entry import Entry
from .trace import CannotCapture

__all__ = ["CannotCapture", "Info", "Jitted", "jit"]

P = ParamSpec("P")
R = TypeVar("R")
Executor = Literal["auto", "c", "numpy", "cuda", "calls"]


class Info(NamedTuple):
    """What a captured function did so far."""

    captures: int
    hits: int
    capture_seconds: float
    compile_seconds: float
    executor: str
    problem: str | None


class Jitted:
    """A function that is captured; what `jit` returns.

    Attributes
    ----------
    why : list of str
        Why it was captured again, one sentence for each time.
    """

    def __init__(self, function: Callable[..., Any], executor: Executor, limit: int) -> None:
        functools.update_wrapper(self, function)
        self._function, self._executor, self._limit = function, executor, limit
        self._entries: list[Entry] = []
        self._lock = threading.RLock()
        self._eager: str | None = None  # why it is not captured any more
        self._seconds = 0.0
        self._recent: Entry | None = None
        self.why: list[str] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if interpreters.get():  # part of what is captured, or of what runs on a batch
            return self._function(*args, **kwargs)
        recent = self._recent
        if recent is not None:
            result = recent.run(args, kwargs)
            if result is not MISS:
                recent.hits += 1
                return result
        for entry in self._entries:
            if entry is not recent and (result := entry.run(args, kwargs)) is not MISS:
                entry.hits += 1
                self._recent = entry
                return result
        return self._captured(args, kwargs)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else functools.partial(self, instance)

    def _captured(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if self._eager is not None or mode.get() not in (True, False) or _shares_nodes(args, kwargs):
            return self._function(*args, **kwargs)
        with self._lock:
            if len(self._entries) >= self._limit:
                reasons = "; ".join(dict.fromkeys(self.why))
                self._stop(f"it was captured {len(self._entries)} times, and differed each time: {reasons}")
                return self._function(*args, **kwargs)
            if self._recent is not None:
                self.why.append(self._recent.difference(args, kwargs))
            start = time.perf_counter()
            captured, result = capture(self._function, getattr(self, "__name__", "f"), args, kwargs)
            if captured.problem is not None:
                self._stop(
                    f"its result requires grad, and the gradient has no plan ({captured.problem}); take the gradient inside, as "
                    "in jit(grad(f)), return x.detach(), or call it under xgrad.no_grad()"
                )
                return result
            self._recent = Entry(captured, self._executor)
            self._entries.append(self._recent)
            self._seconds += time.perf_counter() - start
            return result

    def _stop(self, reason: str) -> None:
        self._eager = reason
        warnings.warn(f"jit: {getattr(self, '__name__', 'the function')} runs uncaptured from now on: {reason}", stacklevel=4)

    def plan(self) -> str:
        """The newest plan as text, one call a line, each with the line that made it.

        Raises
        ------
        RuntimeError
            If nothing was captured yet.
        """
        if not self._entries:
            raise RuntimeError(f"jit: there is no plan of {getattr(self, '__name__', 'the function')} yet; call it first")
        return str(self._entries[-1].plan)

    def info(self) -> Info:
        """How often it was captured and repeated, how long that took, and what runs the newest plan."""
        last = self._entries[-1] if self._entries else None
        return Info(
            len(self._entries),
            sum(entry.hits for entry in self._entries),
            self._seconds,
            sum(entry.compile_seconds for entry in self._entries),
            "none" if last is None else type(last.executor).__name__ if last.executor is not None else "calls",
            self._eager if last is None or last.problem is None else last.problem,
        )

    def __repr__(self) -> str:
        return f"<captured {getattr(self, '__qualname__', self._function)!s}: {len(self._entries)} plans>"


def _shares_nodes(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether two arguments are the same result of a recorded call: a plan would be right for such calls alone."""
    leaves: list[Any] = []
    flatten((args, kwargs), leaves)
    nodes = [x._node for x in leaves if isinstance(x, Tensor) and x._node is not None and not isinstance(x._node, Leaf)]
    return len(set(nodes)) < len(nodes)


@overload
def jit(function: Callable[P, R], /, *, executor: Executor = ..., limit: int = ...) -> Callable[P, R]: ...
@overload
def jit(*, executor: Executor = ..., limit: int = ...) -> Callable[[Callable[P, R]], Callable[P, R]]: ...
def jit(function: Any = None, /, *, executor: Executor = "auto", limit: int = 8) -> Any:
    """Capture a function: its first call runs as ever and is written down, and later calls repeat the plan of it, faster.

    Parameters
    ----------
    function : callable
        Any function of Tensors, arrays, Python numbers, and tuples, lists and dicts of them: a whole training step with
        ``zero_grad``, ``backward`` and ``optimizer.step()``, or what a transform returned, as in ``jit(grad(f))``. Models,
        optimizers and tensors that it uses may be arguments, or be captured by a closure or as globals.
    executor : {"auto", "c", "numpy", "cuda", "calls"}
        What runs the plan. Of NumPy arrays, ``"c"`` is one compiled C function, and needs a C compiler; ``"numpy"`` is
        straight-line NumPy that uses its memory again. Of CuPy arrays, ``"cuda"`` is a CUDA graph of compiled kernels.
        ``"calls"`` makes the calls as they were written down, on any library, and is used where a library has not the one that
        is asked for. ``"auto"`` uses ``"numpy"`` while ``"c"`` is compiled in the background, and stays with it if there is no
        compiler; on CuPy it is ``"cuda"``.
    limit : int
        After so many captures a warning lists why each was needed, and the function runs uncaptured.

    Returns
    -------
    callable
        A `Jitted` with the signature of `function`. Its ``plan()`` is the plan as text, ``why`` the reasons of further captures,
        and ``info()`` counts captures and calls from plans.

    Raises
    ------
    CannotCapture
        In the first call, if the function needs the value of an array (``if x > 0``, ``x.item()``), has a result whose shape
        depends on values, or does something else that cannot be repeated. The message names the line, and says what to do;
        nothing is changed then.
    ValueError
        If the executor is not known.

    Notes
    -----
    A plan is used for a call only if all that it depends on is the same: shapes and dtypes of arrays, Python values, attributes
    of modules such as ``training``, options of optimizers, which tensors require grad, the backend, and more; see
    ``docs/captured-steps.md``. Else the function is captured again. Floats among the arguments, learning rates and the count of
    steps may change from call to call.

    Results may require grad: they are in the graph as those of any call, and the plan has one for their gradient.

    Random numbers of `xgrad.random` are drawn anew in each call, as in an uncaptured one. Effects on Python objects other than
    tensors, optimizers and their numbers (a ``print``, a list that grows) happen in the capture only.

    Examples
    --------
    >>> import xgrad
    >>> model = xgrad.nn.Linear(2, 1)
    >>> optimizer = xgrad.optim.SGD(model.parameters(), lr=0.1)
    >>> @xgrad.jit
    ... def step(x, y):
    ...     optimizer.zero_grad()
    ...     loss = xgrad.mean((model(x) - y) ** 2)
    ...     loss.backward()
    ...     optimizer.step()
    ...     return loss.detach()
    >>> x, y = xgrad.ones((4, 2)), xgrad.ones((4, 1))
    >>> for _ in range(50):
    ...     loss = step(x, y)
    >>> bool(loss < 1e-3), step.info().captures
    (True, 2)
    """
    if executor not in get_args(Executor):
        raise ValueError(f"jit: executor is 'auto', 'c', 'numpy', 'cuda' or 'calls', not {executor!r}")
    if function is None:
        return lambda function: jit(function, executor=executor, limit=limit)
    if not callable(function):
        raise TypeError(f"jit: takes a function, not {function!r:.60}")
    return Jitted(function, executor, limit)
