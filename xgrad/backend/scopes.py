"""Settings of a context variable for the body of a ``with`` statement or for a decorated function."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Generator
from contextvars import ContextVar
from typing import Any, Generic, TypeVar, cast

__all__ = ["Scope"]

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Scope(Generic[T]):
    """A setting of a context variable: a context manager, which can be entered again and again, and a decorator.

    A decorated function has the setting while it runs. A generator, a coroutine or an asynchronous generator has it whenever it
    is resumed, until it is suspended; its caller keeps the setting that it had.

    A ``with`` statement in a generator does not notice when the generator is suspended: until it is resumed, the caller has the
    setting too. When the statement ends, it removes its own setting and no other, in whatever order such statements end.

    Parameters
    ----------
    made_by : callable
        The function that returned it, for pickling.
    arguments : tuple
        What that was called with.
    setting : callable
        Returns the variable and the value to set, when the scope is entered.
    """

    def __init__(self, made_by: Callable[..., Any], arguments: tuple[Any, ...], setting: Callable[[], tuple[Any, T]]) -> None:
        self._made_by, self._arguments, self._setting = made_by, arguments, setting
        self._entered: list[_Entry] = []

    def __enter__(self) -> None:
        variable, value = self._setting()
        entry = _Entry(variable)
        _entries.set((*_entries.get(), (entry, variable.get())))
        variable.set(value)
        self._entered.append(entry)

    def __exit__(self, *_: object) -> None:
        active = _entries.get()
        if active and self._entered and active[-1][0] is self._entered[-1]:  # the usual case, without generators
            self._entered.pop().variable.set(active[-1][1])
            _entries.set(active[:-1])
            return
        own = {entry for entry, _ in active}
        entry = next((e for e in self._entered[::-1] if e in own), None)
        if entry is None:  # it was entered in another context, such as another task, and ends with that
            if self._entered:
                self._entered.pop()
            return
        self._entered.remove(entry)
        at = next(k for k, (other, _) in enumerate(active) if other is entry)
        before, later = active[at][1], list(active[at + 1 :])
        for k, (other, _) in enumerate(later):  # a scope entered later is still active: it will restore what this one would have
            if other.variable is entry.variable:
                later[k] = (other, before)
                break
        else:
            entry.variable.set(before)
        _entries.set((*active[:at], *later))

    def __call__(self, f: F) -> F:
        return cast(F, _decorated(self, f))

    def fresh(self) -> Scope[T]:
        """A new scope, for one call of a decorated function."""
        return cast("Scope[T]", self._made_by(*self._arguments))

    def for_steps(self) -> Callable[[], Scope[T]]:
        """A function that returns a new scope for each step of a decorated generator."""
        return self.fresh

    def __reduce__(self) -> Any:
        return self._made_by, self._arguments


class _Entry:
    """A scope that was entered and not left yet."""

    __slots__ = ("variable",)

    def __init__(self, variable: ContextVar[Any]) -> None:
        self.variable = variable


_entries: ContextVar[tuple[tuple[_Entry, Any], ...]] = ContextVar("xgrad_scopes", default=())
"""The scopes that are active, the outermost first, each with the value that it replaced."""


# ------------------------------------------------------------------------------------------------------------- decorators


def _decorated(scope: Scope[Any], f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`, which may be a function, a generator, a coroutine or an asynchronous generator, run in such a scope."""
    if not callable(f):
        raise TypeError(f"a decorator takes a function, not {f!r:.60}")
    target: Any = f
    kinds = (f, None if isinstance(f, type) else target.__call__)  # for an object, the type of its __call__ counts
    if any(map(inspect.isasyncgenfunction, kinds)):

        @functools.wraps(f)
        async def stream(*args: Any, **options: Any) -> Any:
            fresh = scope.for_steps()
            with fresh():
                source = f(*args, **options)
            step: Any = source.__anext__()
            while True:
                try:
                    value = await _driven(fresh, step)
                except StopAsyncIteration:
                    return
                try:
                    sent = yield value
                except GeneratorExit:
                    await _driven(fresh, source.aclose())
                    raise
                except BaseException as error:
                    step = source.athrow(error)
                else:
                    step = source.asend(sent)

        return stream
    if any(map(inspect.iscoroutinefunction, kinds)):

        @functools.wraps(f)
        async def task(*args: Any, **options: Any) -> Any:
            fresh = scope.for_steps()
            with fresh():
                coroutine = f(*args, **options)
            return await _driven(fresh, coroutine)

        return task
    if any(map(inspect.isgeneratorfunction, kinds)):

        @functools.wraps(f)
        def generator(*args: Any, **options: Any) -> Any:
            fresh = scope.for_steps()
            with fresh():
                source = f(*args, **options)
            return (yield from _resumed(fresh, source))

        return generator

    @functools.wraps(f)
    def function(*args: Any, **options: Any) -> Any:
        with scope.fresh():
            return f(*args, **options)

    return function


def _resumed(fresh: Callable[[], Any], source: Any) -> Generator[Any, Any, Any]:
    """Run the generator `source` with a scope around each of its steps."""
    step: Callable[[], Any] = functools.partial(source.send, None)
    while True:
        with fresh():
            try:
                value = step()
            except StopIteration as end:
                return end.value
        try:
            sent = yield value
        except GeneratorExit:
            with fresh():
                source.close()
            raise
        except BaseException as error:
            step = functools.partial(source.throw, error)
        else:
            step = functools.partial(source.send, sent)


@types.coroutine
def _driven(fresh: Callable[[], Any], awaitable: Any) -> Generator[Any, Any, Any]:
    """The same for an awaitable."""
    return (yield from _resumed(fresh, awaitable if hasattr(awaitable, "send") else awaitable.__await__()))
