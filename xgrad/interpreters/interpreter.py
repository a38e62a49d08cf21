"""What every interpreter consists of: an entry in the stack of active interpreters, and the backend of its arrays.

To the engine an interpreter's arrays are raw arrays of a backend of their own, whose `level` is the interpreter's place in the
stack. In a call with arrays of several levels, those of lower levels are lifted to the highest one, and the op runs there. The
members of `Backend` for this are `level`, `cls`, `graph_inside`, `lift`, `lower`, `run` and `detach`.
"""

from __future__ import annotations

import threading
import types
from collections.abc import Callable
from typing import Any, ClassVar, Self

from ..backend.dtypes import DType
from ..backend.find import backends_by_type, lifted_namespaces, raw_namespace
from ..backend.protocol import Backend
from ..graph.recording import interpreters
from ..tensor.tensor import Tensor, wrap
from .operators import with_operators

__all__ = [
    "FACTS",
    "Interpreter",
    "LiftedBackend",
    "after_making",
    "base_of",
    "before_use",
    "draw",
    "in_graph",
    "lifted",
    "compute_numbers",
]


FACTS = ("isdtype", "can_cast", "finfo", "iinfo", "e", "inf", "nan", "newaxis", "pi")
"""Names of a namespace that have nothing to do with the values of arrays, and are the library's in every interpreter."""


class Interpreter:
    """An entry in the stack `interpreters`: one call of a function under `vmap`, for example.

    Its `level` is the place above those that are active when it is made.
    """

    takes_all: ClassVar[bool] = False
    """Whether every call in its function is its own, also one on arrays that come from outside. It is the outermost then."""

    def __init__(self) -> None:
        self.level = len(interpreters.get()) + 1

    def backend(self, base: Backend) -> LiftedBackend:
        """The backend of its arrays of the library `base`."""
        raise NotImplementedError

    def compute_numbers(self, function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """What `function`, which computes numbers, returns."""
        return function(*args, **options)

    def after_making(self, owner: Any) -> None:
        """Called after an object with numbers that change from call to call was made."""

    def before_use(self, owner: Any) -> None:
        """Called before an object with numbers that change from call to call is used."""

    def before_assignment(self, tensor: Tensor) -> None:
        """Called before a Tensor gets another array, if `takes_all`."""

    def draw(self, function: Callable[[], Any]) -> Any:
        """The array of random numbers that `function` draws."""
        return function()


def compute_numbers(function: Callable[..., dict[str, float]], *args: Any, **options: Any) -> dict[str, float]:
    """``function(*args, **options)``, numbers from numbers. A captured function computes them anew in each run."""
    active = interpreters.get()
    return active[0].compute_numbers(function, args, options) if active else function(*args, **options)  # type: ignore[no-any-return]


def after_making(owner: Any) -> None:
    """Say that `owner`, an object with `changing_numbers`, was made now."""
    active = interpreters.get()
    if active:
        active[0].after_making(owner)


def before_use(owner: Any) -> None:
    """Say that the numbers of `owner` (`changing_numbers`) are used now: a captured function must have found it."""
    active = interpreters.get()
    if active:
        active[0].before_use(owner)


def draw(function: Callable[[], Any]) -> Any:
    """The array that `function` draws. A captured function draws anew in each run."""
    active = interpreters.get()
    return active[0].draw(function) if active else function()


class LiftedBackend(Backend):
    """The backend of an interpreter's arrays of one library, at one level.

    A subclass defines `array_class`, `lift` and `lower`, and the namespace: with `import_namespace`, as a plug-in, or with
    `namespace`.

    Parameters
    ----------
    base : Backend
        The library, which has level 0. Arrays of any lower level may be inside these arrays.
    level : int
        The level.
    """

    array_class: ClassVar[type]
    """The class of the arrays; each backend makes a subclass of it, with the backend as its attribute `backend`."""
    mutable = False

    _made: ClassVar[dict[tuple[type, Backend, int], Any]] = {}
    _making: ClassVar[Any] = threading.RLock()

    def __init__(self, base: Backend, level: int) -> None:
        super().__init__()
        self.base, self.level, self.name = base, level, base.name
        self.cls: Any = type(f"{self.array_class.__name__}{level}", (self.array_class,), {"__slots__": (), "backend": self})
        backends_by_type[self.cls], lifted_namespaces[self.cls] = self, self.xp

    @classmethod
    def at(cls, base: Backend, level: int) -> Self:
        """The backend of this class for the library `base` and the level: the same object each time."""
        backend: Self | None = cls._made.get((cls, base, level))
        if backend is None:
            with cls._making:
                backend = cls._made.get((cls, base, level)) or cls._made.setdefault((cls, base, level), cls(base, level))
        return backend

    def namespace(self) -> types.ModuleType:
        """The namespace of the arrays."""
        return super()._build()

    def _build(self) -> types.ModuleType:
        self._xp = self.namespace()
        with_operators(self.cls, self._xp, self.takes)
        return self._xp

    def takes(self, x: Any) -> bool:
        """Whether `x` is an array of the same library at this level or a lower one."""
        if isinstance(x, Tensor) or not hasattr(x, "dtype"):
            return False
        other: Backend = raw_namespace(x).__backend__
        return other.name == self.name and other.level <= self.level

    # Answers of the library.

    def native_dtype(self, dtype: object) -> Any:
        return self.base.native_dtype(dtype)

    def dtype_of(self, native: Any) -> DType:
        return self.base.dtype_of(native)

    def check(self, x: Any) -> None:
        pass

    def version(self) -> str:
        return self.base.version()

    def from_numpy(self, x: Any, device: Any = None) -> Any:
        return self.lift(self.base.from_numpy(x, device))

    def from_python(self, x: Any, dtype: Any = None, device: Any = None) -> Any:
        return self.lift(self.base.from_python(x, dtype, device))

    def from_scalar(self, x: Any, like: Any) -> Any:
        return super().from_scalar(x, None if like is None else self.lift(like))

    # Access to elements is a function of the namespace, like any other.

    def get_item(self, x: Any, key: Any) -> Any:
        return self.xp.get_item(x, key)

    def set_item(self, x: Any, key: Any, value: Any) -> Any:
        return self.xp.set_item(x, key, value)

    def scatter_add(self, x: Any, key: Any, value: Any) -> Any:
        return self.xp.scatter_add(x, key, value)


def base_of(x: Any) -> Backend:
    """The library of a raw array of any level."""
    backend: Backend = raw_namespace(x).__backend__
    return backend.base if isinstance(backend, LiftedBackend) else backend


def lifted(x: Tensor) -> Tensor:
    """`x` as a Tensor of the innermost active interpreter; `x` itself if it is one, or if none is active."""
    active = interpreters.get()
    if not active or raw_namespace(x._data).__backend__.level >= active[-1].level:
        return x
    backend = active[-1].backend(base_of(x._data))
    return wrap(backend.lift(x), None if backend.graph_inside else x._node)


def in_graph(x: Tensor) -> bool:
    """Whether `x` has a node, or a Tensor inside of it has one, at any level."""
    while x._node is None:
        backend: Backend = raw_namespace(x._data).__backend__
        if not backend.level:
            return False
        x = backend.lower(x._data)
    return True
