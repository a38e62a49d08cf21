"""The interpreter of a capture, and the backend of its arrays: every function of the library, written down as it is called."""

from __future__ import annotations

import types
import weakref
from collections.abc import Callable, Mapping
from typing import Any, cast

from ...backend.dtypes import DType
from ...backend.find import raw_namespace
from ...backend.protocol import Backend
from ...graph.recording import interpreters
from ...tensor.tensor import Tensor
from ..interpreter import FACTS, Interpreter, LiftedBackend
from ..operators import OPERATORS, with_operators
from .arrays import Number, Traced
from .slots import ArraySlot, TensorSlot
from .trace import CannotCapture, Trace, Var, mapped, user_line

__all__ = ["Capture", "CaptureBackend", "active"]

BY_VALUE = ("nonzero", "unique_all", "unique_counts", "unique_inverse", "unique_values")


class Capture(Interpreter):
    """The interpreter of one run of a function that is being captured.

    Parameters
    ----------
    base : Backend
        The library, of which all arrays are.
    """

    takes_all = True

    def __init__(self, base: Backend) -> None:
        super().__init__()
        self.base, self.trace = base, Trace()
        self._backend = CaptureBackend.at(base, self.level)
        self.alive: list[weakref.ref[Traced]] = []
        self.lifted: dict[int, tuple[Any, Traced]] = {}  # arrays and Tensors from outside, by id
        self.copies: list[tuple[Any, Any]] = []  # arrays from outside, and copies of them
        self.ready = False  # whether the state has been replaced, and the function runs
        self.births: dict[int, Any] = {}  # the Tensors, and the objects with changing numbers, that the run made, by id
        self.owners: set[int] = set()  # the ids of the objects with changing numbers that were found

    def backend(self, base: Backend) -> CaptureBackend:
        if base is not self.base:
            raise CannotCapture(
                f"{user_line()}: an array of {base.name!r} in a captured function of {self.base.name!r} arrays; a plan is of one "
                "backend: move the array before the call with xgrad.to_backend"
            )
        return self._backend

    def traced(self, value: Any, var: Var) -> Traced:
        """A new array of this run."""
        array: Traced = self._backend.cls(value, var)
        self.alive.append(weakref.ref(array))
        return array

    def constant(self, value: Any) -> Traced:
        """An array that is the same in every run."""
        return self.traced(value, self.trace.var("constant", value.shape, value.dtype, value))

    def lift(self, x: Any) -> Traced:
        """A Tensor or an array that the function uses and was not found before: an input from now on."""
        if isinstance(x, Tensor) and id(x) in self.births:  # made in the run, around an array of the library
            return x._data if isinstance(x._data, Traced) else self.lift(x._data)
        known = self.lifted.get(id(x))
        if known is None:
            if isinstance(x, Tensor):
                array = self.traced(x._data, self.trace.input(x._data, TensorSlot(x)))
            else:
                array = self.traced(x, self.trace.input(x, ArraySlot(x)))
                self.copies.append((x, self.base.copy(x)))
            known = self.lifted[id(x)] = (x, array)
        return known[1]

    def after_making(self, owner: Any) -> None:
        self.births[id(owner)] = owner

    def before_use(self, owner: Any) -> None:
        if id(owner) not in self.births and id(owner) not in self.owners:
            raise CannotCapture(
                f"{user_line()}: {type(owner).__name__} is used in a captured function, which does not reach it by a variable, "
                "an attribute or an item; make it an argument, or a variable of the function"
            )

    def before_assignment(self, tensor: Tensor) -> None:
        if self.ready and id(tensor) not in self.births and not isinstance(tensor._data, Traced):
            self.lift(tensor)  # a Tensor that was not found is a part of the state

    def compute_numbers(self, function: Callable[..., Any], args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Call a function that returns a dict of numbers, and write the call down."""
        operands, count = [*args, *options.values()], len(args)
        values = [_value(x) for x in operands]

        def numbers(*values: Any) -> dict[str, Any]:
            result: dict[str, Any] = function(*values[:count], **dict(zip(options, values[count:])))
            return result

        result = numbers(*values)
        if not any(isinstance(x, Number) for x in operands):
            return result
        names = list(result)

        def again(*values: Any) -> list[Any]:
            result = numbers(*values)
            return [result[name] for name in names]

        variables = tuple([x.var if isinstance(x, Number) else x for x in operands])
        outs = self.trace.add_host(getattr(function, "__name__", "host"), again, variables, list(result.values()))
        return {name: Number(self.trace, result[name], var) for name, var in zip(names, outs)}

    def draw(self, function: Callable[[], Any]) -> Traced:
        """The array that a function draws; it is drawn anew in each run."""
        value = function()
        (var,) = self.trace.add("draw", function, (), {}, value, "draw")
        return self.traced(value, var)


def active() -> Capture:
    """The capture that runs in this thread or task."""
    entry = next((entry for entry in interpreters.get() if isinstance(entry, Capture)), None)
    if entry is None:
        raise CannotCapture(
            "an array of a captured function was used outside of its run: by another thread, or after it left the function "
            "through a list, an attribute or a global; return it instead"
        )
    return entry


class CaptureBackend(LiftedBackend):
    """The backend of the arrays of captures of one library."""

    array_class = Traced
    graph_inside = False
    base: Backend

    def __init__(self, base: Backend, level: int) -> None:
        self.writes_in_order, self.weak_scalars = base.writes_in_order, base.weak_scalars
        for name in ("set_item", "scatter_add", "scatter", "from_parts", "to_device"):
            setattr(self, name, recorder(name, getattr(base, name)))
        self.accumulate = recorder("scatter_add", base.accumulate)  # type: ignore[method-assign]
        self._read = recorder("get_item", base.get_item)
        super().__init__(base, level)

    def import_namespace(self) -> Any:
        return _recorded(self.base.xp.__native__, f"xgrad.raw.{self.name}.captured", "")

    def amend(self) -> Mapping[str, Any]:
        return {name: recorder(name, function) for name, function in self.base.amend().items()}

    def namespace(self) -> types.ModuleType:
        xp = super().namespace()
        xp.__dict__["result_type"] = lambda *parts: self.base.xp.result_type(*[_dtype_or_value(x) for x in parts])
        return xp

    def _build(self) -> types.ModuleType:
        self._xp = self.namespace()
        operators = {name: recorder(name, function) for name, function in OPERATORS.items()}
        with_operators(self.cls, types.SimpleNamespace(**operators), self.takes)
        return self._xp

    def takes(self, x: Any) -> bool:
        return isinstance(x, Number) or super().takes(x)

    def lift(self, x: Any) -> Traced:
        if isinstance(x, self.cls):
            return x  # type: ignore[no-any-return]
        if isinstance(x, Tensor) and isinstance(x._data, self.cls):
            return x._data  # type: ignore[no-any-return]
        return active().lift(x)

    def lower(self, x: Any) -> Any:
        return x.value  # for questions about the library's array, such as its device

    def from_numpy(self, x: Any, device: Any = None) -> Any:
        return active().lift(self.base.from_numpy(x, device))

    def from_python(self, x: Any, dtype: Any = None, device: Any = None) -> Any:
        return active().constant(self.base.from_python(x, dtype, device))

    def from_scalar(self, x: Any, like: Any) -> Any:
        if isinstance(x, Number):
            now = self.base.from_scalar(x.value, _value(like))
            return self.xp.full((), x, dtype=now.dtype, device=self.base.device(now))
        return active().constant(self.base.from_scalar(x, _value(like)))

    def get_item(self, x: Any, key: Any) -> Any:
        _refuse_mask(key)
        return self._read(x, key)

    def shares_memory(self, y: Any, x: Any) -> bool:
        return self.base.shares_memory(_value(y), _value(x))

    def device(self, x: Any) -> Any:
        return self.base.device(_value(x))

    def memory(self, device: Any) -> int | None:
        return self.base.memory(device)

    def copy(self, x: Any) -> Any:
        return x  # values of a plan are never written into

    def to_numpy(self, x: Any) -> Any:
        raise CannotCapture(
            f"{user_line()}: x.numpy(), x.item() or x.tolist() takes a value out of a captured function; return the tensor "
            "instead, and read it outside"
        )

    def special(self, name: str) -> Callable[..., Any] | None:
        return self._special(name, self.base.special(name))

    def special_on_host(self, name: str) -> Callable[..., Any] | None:
        return self._special(name, self.base.special_on_host(name))

    def _special(self, name: str, function: Callable[..., Any] | None) -> Callable[..., Any] | None:
        return None if function is None else recorder(f"special.{name}", function)


def _recorded(source: Any, full_name: str, prefix: str) -> types.ModuleType:
    """A copy of the namespace of a library, with recorders in place of its functions."""
    copy = types.ModuleType(full_name)
    for name in (*dir(source), "linalg", "fft"):  # not every library lists its extensions
        value = getattr(source, name, None)
        if isinstance(value, types.ModuleType):
            if name in ("linalg", "fft"):
                copy.__dict__[name] = _recorded(value, f"{full_name}.{name}", f"{name}.")
        elif not name.startswith("_") or name == "__array_namespace_info__":
            is_fact = (
                name in (*FACTS, "broadcast_shapes", "__array_namespace_info__") or isinstance(value, type) or not callable(value)
            )
            copy.__dict__[name] = value if is_fact else recorder(prefix + name, cast("Callable[..., Any]", value))
    return copy


def _value(x: Any) -> Any:
    return x.value if isinstance(x, (Traced, Number)) else x


def _dtype_or_value(x: Any) -> Any:
    return x.dtype if isinstance(x, Traced) else _value(x)


def recorder(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """`function` for traced arrays: it is called on their values, and the call is written down."""
    if name in BY_VALUE:

        def refuse(*_: Any, **__: Any) -> Any:
            raise CannotCapture(
                f"{user_line()}: the shape of the result of {name} depends on values, which a captured function cannot have; use "
                "xgrad.where, or take it out of the function"
            )

        return refuse

    def run(*args: Any, **kwargs: Any) -> Any:
        if not interpreters.get():  # while the namespace is built
            return function(*args, **kwargs)
        capture = active()

        def variable(x: Any) -> Any:
            if isinstance(x, (Traced, Number)):
                return x.var
            if hasattr(x, "shape") and hasattr(x, "dtype") and not isinstance(x, type):
                return capture.lift(x).var if raw_namespace(x).__backend__ is capture.base else x
            return x

        at, at_names = mapped(variable, args), mapped(variable, kwargs)
        y = function(*mapped(_value, args), **mapped(_value, kwargs))
        first = y[0] if isinstance(y, (tuple, list)) and y else y
        if not (hasattr(first, "shape") and hasattr(first, "dtype")):
            return y
        outs = capture.trace.add(name, function, at, at_names, y)
        if not isinstance(y, (tuple, list)):
            return capture.traced(y, outs[0])
        arrays = [capture.traced(v, var) for v, var in zip(y, outs)]
        container: Any = type(y)
        return container(*arrays) if hasattr(y, "_fields") else container(arrays)

    run.__name__ = name.rpartition(".")[2]
    return run


def _refuse_mask(key: Any) -> None:
    for part in key if isinstance(key, tuple) else (key,):
        if isinstance(part, Traced) and DType._by_name["bool"] is part.backend.dtype_of(part.dtype):
            raise CannotCapture(
                f"{user_line()}: the shape of x[mask] depends on values, which a captured function cannot have; use "
                "xgrad.where(mask, x, 0), or take it out of the function"
            )
