"""Elementwise functions of several steps as one kernel, which is made of what they do to symbols of a dtype."""

from __future__ import annotations

import functools
import math
import warnings
from collections.abc import Callable
from typing import Any

import cupy
import numpy

from ..compiled.expressions import converted, expression, literal
from ..compiled.lower import BINARY, COMPARISONS, KNOWN, UNARY, NotHere
from ..compiled.steps import Step, Value
from .mathematics import OPTIONS, functions

__all__ = ["Fused", "fused", "updating"]

BOOLEAN = frozenset(
    ("isfinite", "isinf", "isnan", "signbit", "logical_not", "logical_and", "logical_or", "logical_xor", *COMPARISONS)
)
EXACT = (BINARY - {"divide"}) | {"bitwise_invert", "negative", "abs", "clip"}
"""Functions whose result may be of integers or booleans."""


class _Writer:
    """The statements of a kernel."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.names: dict[Value, str] = {}

    def input(self, name: str, dtype: Any) -> Value:
        value = Value("input", (), dtype)
        self.names[value] = name
        return value

    def number(self, name: str) -> Value:
        value = Value("number", (), float)
        self.names[value] = name
        return value

    def step(self, name: str, operands: list[Any], dtype: Any) -> Value:
        out = Value("result", (), dtype)
        step = Step("map", name, operands, [out])

        def operand(k: int, wanted: Any) -> str:
            x = operands[k]
            return self.text(x, wanted)

        text = expression(step, operand)
        self.names[out] = f"t{len(self.lines)}"
        self.lines.append(f"const {_type(dtype)} {self.names[out]} = {text};")
        return out

    def text(self, x: Any, wanted: Any) -> str:
        """An operand, converted to a dtype."""
        if not isinstance(x, Value):
            return literal(x, wanted)
        return converted(self.names[x], numpy.dtype("float64") if x.kind == "number" else x.dtype, wanted)


def _type(dtype: Any) -> str:
    return "bool" if numpy.dtype(dtype).kind == "b" else KNOWN[numpy.dtype(dtype)]


class Symbol:
    """Stands for an element of an array, or for a number, while a function is written down."""

    __slots__ = ("value", "writer")

    def __init__(self, writer: _Writer, value: Value) -> None:
        self.writer, self.value = writer, value

    @property
    def dtype(self) -> Any:
        return self.value.dtype

    def __bool__(self) -> bool:
        raise NotHere

    def __neg__(self) -> Symbol:
        return _call(self.writer, "negative", (self,))

    def __abs__(self) -> Symbol:
        return _call(self.writer, "abs", (self,))

    def __invert__(self) -> Symbol:
        return _call(self.writer, "bitwise_invert", (self,))


def _opened(x: Any) -> Any:
    if isinstance(x, Symbol):
        return x.value
    if isinstance(x, (bool, int, float)):
        return x
    raise NotHere


def _call(writer: _Writer, name: str, arguments: tuple[Any, ...], dtype: Any = None) -> Symbol:
    """Write down a call of a function on symbols and numbers."""
    operands = [_opened(x) for x in arguments]
    if all(not isinstance(x, Value) or x.kind == "number" for x in operands):
        raise NotHere  # Python would compute it in float64
    if dtype is None:
        promoted = operands[1:] if name == "where" else operands
        kinds = [(0.0 if x.kind == "number" else x.dtype) if isinstance(x, Value) else x for x in promoted]
        dtype = bool if name in BOOLEAN else numpy.result_type(*kinds)
    dtype = numpy.dtype(dtype)
    if dtype not in KNOWN or not (dtype.kind == "f" or name in BOOLEAN or name in ("copy", "where") or name in EXACT):
        raise NotHere
    return Symbol(writer, writer.step(name, operands, dtype))


def _operator(name: str, swapped: bool = False) -> Callable[[Symbol, Any], Symbol]:
    def run(self: Symbol, other: Any) -> Symbol:
        return _call(self.writer, name, (other, self) if swapped else (self, other))

    return run


def _in_place(name: str) -> Callable[[Symbol, Any], Symbol]:
    def run(self: Symbol, other: Any) -> Symbol:
        result = _call(self.writer, name, (self, other))
        return result if result.dtype == self.dtype else _call(self.writer, "copy", (result,), self.dtype)

    return run


for _name, _function in {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "pow": "pow", "floordiv": "floor_divide",
    "mod": "remainder", "and": "bitwise_and", "or": "bitwise_or", "xor": "bitwise_xor",
}.items():  # fmt: skip
    setattr(Symbol, f"__{_name}__", _operator(_function))
    setattr(Symbol, f"__r{_name}__", _operator(_function, swapped=True))
    setattr(Symbol, f"__i{_name}__", _in_place(_function))
for _name, _function in {
    "eq": "equal", "ne": "not_equal", "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal",
}.items():  # fmt: skip
    setattr(Symbol, f"__{_name}__", _operator(_function))
Symbol.__hash__ = object.__hash__  # type: ignore[method-assign]


class _Namespace:
    """The functions that a fused function can call."""

    pi, e, inf, nan = math.pi, math.e, math.inf, math.nan

    def __init__(self, writer: _Writer, xp: Any) -> None:
        self._writer, self._xp = writer, xp

    @property
    def __backend__(self) -> Any:
        return self

    def special(self, name: str) -> Callable[..., Any]:
        """A special function of the library, where CUDA has it too."""
        if f"special.{name}" not in UNARY:
            raise NotHere
        return lambda x: _call(self._writer, f"special.{name}", (x,))

    def __getattr__(self, name: str) -> Any:
        writer = self._writer
        if name in UNARY or name in BINARY or name in ("where", "tanh_pull"):
            return lambda *arguments: _call(writer, name, arguments)
        if name == "clip":
            return lambda x, min=None, max=None: Symbol(writer, writer.step("clip", [_opened(x), min, max], x.dtype))
        if name == "astype":
            return lambda x, dtype: _call(writer, "copy", (x,), numpy.dtype(dtype))
        if name == "zero_where_not":
            return lambda x, condition: _call(writer, "where", (condition, x, 0))
        if name in ("zeros_like", "ones_like"):
            number = int(name == "ones_like")
            return lambda x: _call(writer, "where", (x == x, number, number), x.dtype)
        if name == "full_like":
            return lambda x, value: _call(writer, "where", (x == x, value, value), x.dtype)
        value = getattr(self._xp, name)
        if name == "isdtype" or isinstance(value, (type, numpy.dtype)):  # of which are the dtypes too
            return value
        if getattr(value, "__module__", "").startswith("xgrad."):  # a function of several steps of xgrad's own
            return value
        raise NotHere


class Fused:
    """A function of arrays that runs as one kernel for each combination of dtypes, or as it is written if that cannot be.

    Parameters
    ----------
    function : callable
        ``f(xp, *arrays, **numbers)``, elementwise. Python floats may change from call to call; all else is part of the kernel.
    in_place : bool
        Whether its results are written over its arguments: the first over the first, the others over the third and so on.
    """

    def __init__(self, function: Callable[..., Any], in_place: bool = False) -> None:
        self._function, self._in_place = function, in_place
        self._kernels: dict[Any, Any] = {}

    def __call__(self, xp: Any, *arguments: Any, **numbers: Any) -> Any:
        symbol = next((x for x in arguments if isinstance(x, Symbol)), None)
        if symbol is not None:  # a step of another function that is written down
            return self._function(_Namespace(symbol.writer, xp), *arguments, **numbers)
        key = (*[_kind(x) for x in arguments], *[(name, _kind(x)) for name, x in numbers.items()])
        kernel = self._kernels.get(key, key)
        if kernel is key:
            kernel = self._kernels[key] = self._kernel(xp, arguments, numbers)
        if kernel is None or not all(getattr(x, "size", 1) for x in arguments):
            return self._function(xp, *arguments, **numbers)
        given = [x for x in (*arguments, *numbers.values()) if isinstance(x, cupy.ndarray) or type(x) is float]
        outs = [arguments[0], *arguments[2:]] if self._in_place else []
        try:
            results = kernel(*given, *outs)
        except cupy.cuda.compiler.CompileException as error:
            self._kernels[key] = None
            warnings.warn(f"CUDA's compiler refuses {kernel.name}, whose steps run one by one instead: {error}", stacklevel=3)
            return self._function(xp, *arguments, **numbers)
        return tuple(outs) if self._in_place else results

    def _kernel(self, xp: Any, arguments: tuple[Any, ...], numbers: dict[str, Any]) -> Any:
        writer = _Writer()
        inputs: list[str] = []

        def symbol(x: Any) -> Any:
            name = f"a{len(inputs)}"
            if type(x) is float:
                inputs.append(f"float64 {name}")
                return Symbol(writer, writer.number(name))
            if not isinstance(x, cupy.ndarray):
                return x
            if x.dtype not in KNOWN:
                raise NotHere
            inputs.append(f"{x.dtype.name} {name}")
            return Symbol(writer, writer.input(name, x.dtype))

        try:
            results = self._function(
                _Namespace(writer, xp), *map(symbol, arguments), **{name: symbol(x) for name, x in numbers.items()}
            )
        except (NotHere, AttributeError, TypeError):
            return None
        results = results if isinstance(results, tuple) else (results,)
        if not all(isinstance(y, Symbol) for y in results):
            return None
        dtypes = [x.dtype for x in (arguments[0], *arguments[2:])] if self._in_place else [y.dtype for y in results]
        for k, (y, dtype) in enumerate(zip(results, dtypes)):
            writer.lines.append(f"o{k} = {writer.text(y.value, dtype)};")
        outputs = ", ".join(f"{numpy.dtype(dtype).name} o{k}" for k, dtype in enumerate(dtypes))
        name = "xgrad_" + "".join(c if c.isalnum() else "_" for c in getattr(self._function, "__qualname__", "function"))
        return cupy.ElementwiseKernel(
            ", ".join(inputs),
            outputs,
            "\n".join(writer.lines),
            name,
            preamble=functions(),
            options=OPTIONS,
        )


def _kind(x: Any) -> Any:
    return x.dtype if isinstance(x, cupy.ndarray) else float if type(x) is float else (type(x), x)


@functools.cache
def fused(function: Callable[..., Any]) -> Fused:
    """The fused function of an elementwise one."""
    return Fused(function)


@functools.cache
def updating(function: Callable[..., Any]) -> Fused:
    """The fused function of the kernel of an optimizer, which writes over its arrays."""
    return Fused(function, in_place=True)
