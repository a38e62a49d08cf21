"""What a function reaches without being handed it: Tensors, arrays, numbers that change, and what its plan depends on.

The search follows closures, default values, global variables that the code names, methods, partial functions, containers, and
the attributes of modules, optimizers and objects of users' classes. Everything on the way becomes a guard: the plan is right only
while it is the same.
"""

from __future__ import annotations

import functools
import os
import random
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from ...backend.find import backend_of, is_numpy_scalar
from ...tensor.tensor import Tensor
from .slots import NumberSlot

__all__ = ["SCALARS", "Guard", "Reached", "captured_by", "reach"]

SCALARS = (bool, int, float, complex, str, bytes, type(None))
_LIBRARIES = frozenset(
    ("numpy", "scipy", "torch", "jax", "jaxlib", "dask", "cupy", "array_api_strict", "array_api_compat", "optree", "matplotlib")
)
_PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


class Guard:
    """Something that a plan depends on.

    Attributes
    ----------
    source : str
        A Python expression for what is there, with ``{holder}`` and ``{key}`` in place of their names.
    holder, key :
        Where it is.
    value :
        What was there. Numbers and strings are compared by type and value, all else by identity.
    name : str
        For people: ``"model.layers[0].training"``.
    """

    __slots__ = ("holder", "key", "name", "source", "value")

    def __init__(self, source: str, holder: Any, key: Any, value: Any, name: str) -> None:
        self.source, self.holder, self.key, self.value, self.name = source, holder, key, value, name

    def expression(self, bind: Callable[[Any], str]) -> str:
        """The expression, with the names that `bind` returns for objects."""
        return self.source.format(holder=bind(self.holder), key=bind(self.key))

    def now(self) -> Any:
        """What is there now."""
        return eval(self.source.format(holder="holder", key="key"), {"holder": self.holder, "key": self.key})

    def difference(self) -> str | None:
        """How it differs now, in words; None if it does not."""
        try:
            now = self.now()
        except (AttributeError, KeyError, IndexError, ValueError):
            return f"{self.name} is gone"
        if now is self.value or alike(now, self.value):
            return None
        if isinstance(self.value, SCALARS) and isinstance(now, SCALARS):
            return f"{self.name} was {self.value!r:.40} and is {now!r:.40}"
        return f"{self.name} is another object ({type(now).__name__})"


CELL, ITEM, LENGTH = "{holder}.cell_contents", "{holder}[{key}]", "len({holder})"


def attribute(name: str) -> str:
    """The source of a guard of an attribute."""
    return "{holder}." + name


def alike(a: Any, b: Any) -> bool:
    """Whether two numbers or strings are of one type and equal."""
    return type(a) is type(b) and (isinstance(b, SCALARS) or is_numpy_scalar(b)) and bool(a == b)


class Reached:
    """What the search found."""

    def __init__(self) -> None:
        self.tensors: dict[int, tuple[Tensor, str]] = {}
        self.arrays: dict[int, tuple[Any, str]] = {}
        self.numbers: list[tuple[NumberSlot, str]] = []
        self.guards: list[Guard] = []
        self.owners: set[int] = set()  # the ids of the objects whose numbers these are
        self.generators: list[Any] = []  # of random numbers, of Python and NumPy


def captured_by(f: types.FunctionType) -> Iterator[tuple[str, str, Any, Any, Any]]:
    """What a Python function refers to: for each variable its name, and `source`, holder, key and value of a `Guard`."""
    codes = [f.__code__]
    for code in codes:  # grows in the loop: functions that are defined inside name variables too
        codes += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    for name, cell in zip(f.__code__.co_freevars, f.__closure__ or ()):
        try:
            yield name, CELL, cell, None, cell.cell_contents
        except ValueError:  # a variable without a value yet
            continue
    for name in dict.fromkeys(name for code in codes for name in code.co_names):
        if name in f.__globals__:
            yield name, ITEM, f.__globals__, name, f.__globals__[name]
    for name, value in (f.__kwdefaults__ or {}).items():
        yield name, ITEM, f.__kwdefaults__, name, value
    for index, value in enumerate(f.__defaults__ or ()):
        yield f"default {index}", ITEM, f.__defaults__, index, value


def reach(roots: list[tuple[str, Any]]) -> Reached:
    """Search from `roots`, pairs of a name and an object."""
    search = _Search()
    for name, x in roots:
        search.look(name, x)
    return search.reached


def _is_users(top: str) -> bool:
    """Whether a module, or the top one that it is in, is neither a library of arrays nor Python's own."""
    return top == "__main__" or (top not in _LIBRARIES and top not in sys.stdlib_module_names and top != "builtins")


class _Search:
    def __init__(self) -> None:
        self.reached = Reached()
        self._seen: dict[int, Any] = {}  # with the objects, so that no id is used again

    def look(self, name: str, x: Any) -> None:
        if isinstance(x, (*SCALARS, type, types.ModuleType)) or id(x) in self._seen:
            return
        self._seen[id(x)] = x
        if isinstance(x, Tensor):
            self.reached.tensors[id(x)] = (x, name)
        elif isinstance(x, types.FunctionType):
            self._function(name, x)
        elif isinstance(x, types.MethodType):
            self.look(name.rpartition(".")[0] or name, x.__self__)
            self.look(name, x.__func__)
        elif isinstance(x, functools.partial):
            for part, of in (("func", x.func), ("args", x.args), ("keywords", x.keywords)):
                self.look(f"{name}.{part}", of)
        elif isinstance(x, dict):
            self._dict(name, x)
        elif isinstance(x, (list, tuple)):
            if isinstance(x, list):
                self._guard(LENGTH, x, None, len(x), f"the length of {name}")
            for index, part in enumerate(x):
                self._inside(f"{name}[{index}]", ITEM, x, index, part)
        elif not is_numpy_scalar(x) and hasattr(x, "dtype") and hasattr(x, "shape") and backend_of(x) is not None:
            self.reached.arrays[id(x)] = (x, name)
        else:
            self._object(name, x)

    def _guard(self, source: str, holder: Any, key: Any, value: Any, name: str) -> None:
        self.reached.guards.append(Guard(source, holder, key, value, name))

    def _inside(self, name: str, source: str, holder: Any, key: Any, value: Any) -> None:
        self._guard(source, holder, key, value, name)
        self.look(name, value)

    def _function(self, name: str, f: types.FunctionType) -> None:
        top = (f.__module__ or "").partition(".")[0]
        file = f.__code__.co_filename
        if "__xgrad__" in f.__globals__ and file.startswith((_PACKAGE, "<xgrad")):  # what a transform returned
            for _, source, _, _, value in captured_by(f):
                if source == CELL:
                    self.look(name, value)
        elif _is_users(top):
            for variable, source, holder, key, value in captured_by(f):
                if not isinstance(value, types.ModuleType):
                    self._inside(variable, source, holder, key, value)
        else:
            return
        if (wrapped := getattr(f, "__wrapped__", None)) is not None:
            self.look(name, wrapped)

    def _dict(self, name: str, x: dict[Any, Any], of_object: bool = False) -> None:
        self._guard(LENGTH, x, None, len(x), f"the attributes of {name}" if of_object else f"the length of {name}")
        changing = {slot.name for slot, _ in self.reached.numbers if slot.owner is x}
        for key, value in list(x.items()):
            if key in changing:
                continue
            self._inside(f"{name}.{key}" if of_object else f"{name}[{key!r}]", ITEM, x, key, value)

    def _object(self, name: str, x: Any) -> None:
        cls = type(x)
        if hasattr(x, "bit_generator") or isinstance(x, random.Random) or cls.__name__ == "RandomState":
            self.reached.generators.append(x)
            return
        if (wrapped := getattr(x, "__wrapped__", None)) is not None:  # what a transform returned
            self.look(name, wrapped)
        top = cls.__module__.partition(".")[0]
        if not _is_users(top) or (top == "xgrad" and not getattr(cls, "holds_state", False)):
            return
        changing: Callable[[], Any] | None = getattr(x, "changing_numbers", None)
        if changing is not None:
            self.reached.owners.add(id(x))
            for owner, key, label in changing():
                self.reached.numbers.append((NumberSlot(owner, key), f"{name}.{label}"))
        own = {slot.name for slot, _ in self.reached.numbers if slot.owner is x}
        if hasattr(x, "__dict__"):
            self._dict(name, x.__dict__, of_object=True)
        for base in cls.__mro__:
            for slot in getattr(base, "__slots__", ()):
                if slot not in own and not slot.startswith("__") and hasattr(x, slot):
                    self._inside(f"{name}.{slot}", attribute(slot), x, None, getattr(x, slot))
            if base.__module__.partition(".")[0] not in {"builtins", "xgrad"} | _LIBRARIES:
                self._class(name, base)
        for method in ("__call__", "forward"):
            if isinstance(getattr(cls, method, None), types.FunctionType):
                self.look(name, getattr(cls, method))

    def _class(self, name: str, cls: type) -> None:
        for key, value in vars(cls).items():
            if key.startswith("__") or isinstance(value, (property, staticmethod, classmethod)) or key in ("_abc_impl",):
                continue
            if isinstance(value, (types.FunctionType, types.MemberDescriptorType)):
                self.look(f"{name}.{key}", value)
            elif isinstance(value, (*SCALARS, Tensor)):
                self._inside(f"{cls.__name__}.{key}", attribute(key), cls, None, value)
