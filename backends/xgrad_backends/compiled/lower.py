"""From the calls of a plan to steps: what each function of the library is, in terms of maps, reductions, views and products."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy

from . import views
from .steps import Step, Value

__all__ = [
    "COMPARISONS", "KNOWN", "MERGES", "Lowering", "NotHere", "axes_of", "common_dtype", "rule",
]  # fmt: skip

C_TYPES = {
    "bool": "uint8_t", "int8": "int8_t", "int16": "int16_t", "int32": "int32_t", "int64": "int64_t", "uint8": "uint8_t",
    "uint16": "uint16_t", "uint32": "uint32_t", "uint64": "uint64_t", "float32": "float", "float64": "double",
}  # fmt: skip
"""The data types that loops compute with, and what they are in C; what has another is a call of the library."""

KNOWN = {numpy.dtype(name): text for name, text in C_TYPES.items()}

UNARY = frozenset(
    """abs acos acosh asin asinh atan atanh ceil cos cosh exp expm1 floor log log10 log1p log2 negative reciprocal round sign sin
    sinh sqrt square tan tanh trunc isfinite isinf isnan signbit logical_not bitwise_invert special.erf special.erfc""".split()
)
BINARY = frozenset(
    """add atan2 bitwise_and bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor copysign divide equal floor_divide
    greater greater_equal hypot less less_equal logaddexp logical_and logical_or logical_xor maximum minimum multiply nextafter
    not_equal pow remainder subtract""".split()
)
COMPARISONS = frozenset("equal not_equal less less_equal greater greater_equal".split())
COPIES = frozenset("positive asarray astype conj real".split())
"""Functions that return real arrays as they are, or in another dtype."""
REDUCTIONS = frozenset("sum mean max min prod any all".split())
WHOLE = frozenset("ceil floor round trunc".split())
"""Functions that leave integers as they are."""


class NotHere(Exception):
    """There is no step for this call: it is left to the library."""


class Lowering:
    """The steps of a plan.

    Parameters
    ----------
    plan : Plan
    loops : bool
        Whether the library's own kernels are to be taken apart, so that they can be merged with others into loops.

    Attributes
    ----------
    steps : list of Step
    inputs : list of Value
        Those of the plan, and then the results of its draws.
    outputs : list of Value
    """

    long: int | None = 4096
    """Products with a vector that sum more terms than this are left to the library, which sums them with care."""

    def __init__(self, plan: Any, loops: bool = True) -> None:
        self.loops = loops
        self._to_host = plan.base.to_numpy
        self.steps: list[Step] = []
        self._values: dict[Any, Value] = {}
        drawn = [out for call in plan.draws for out in call.outs]
        read = [*(var for var, _ in plan.inputs), *drawn]
        self.inputs = [self._known(var, Value("input", var.shape, var.dtype, k)) for k, var in enumerate(read)]
        for k, var in enumerate(plan.used_numbers):
            self._known(var, Value("number", (), var.dtype, k))
        for call in plan.calls:
            self._lower(call)
        self.outputs = [self.value(var) for var in plan.outputs]
        self._drop_unused()

    def _drop_unused(self) -> None:
        needed: set[Value | Step] = {*self.outputs}
        kept = []
        for step in reversed(self.steps):
            if step in needed or any(out in needed for out in step.outs):
                needed.update(step.values, step.after)
                kept.append(step)
        self.steps = kept[::-1]

    # ------------------------------------------------------------------------------------------------ values and steps

    def _known(self, var: Any, value: Value) -> Value:
        self._values[var] = value
        return value

    def value(self, x: Any) -> Any:
        """The value of a variable; anything else as it is."""
        if not hasattr(x, "kind") or not hasattr(x, "call"):
            return x
        known = self._values.get(x)
        if known is None:  # a constant
            known = self._known(x, Value("constant", x.shape, x.dtype, numpy.asarray(self._to_host(x.value))))
        return known

    def constant(self, data: Any) -> Value:
        """A new constant."""
        data = numpy.asarray(data)
        return Value("constant", data.shape, data.dtype, data)

    def step(
        self, kind: str, name: str, operands: Sequence[Any], shape: Any, dtype: Any, facts: Any = None, space: Any = None
    ) -> Value:
        """Add a step, and return its result."""
        out = Value("result", shape, dtype)
        self.add(Step(kind, name, operands, [out], facts), space)
        return out

    def add(self, step: Step, space: Any = None) -> None:
        step.space = tuple(space if space is not None else step.outs[0].shape if step.outs else ())
        step.order = len(self.steps)
        self.steps.append(step)

    def map(self, name: str, *operands: Any, dtype: Any = None) -> Value:
        """A new elementwise step; its dtype is that of the first array, if no other is given."""
        arrays = [x for x in operands if isinstance(x, Value) and x.kind != "number"]
        shape = numpy.broadcast_shapes(*[x.shape for x in arrays])
        return self.step("map", name, operands, shape, arrays[0].dtype if dtype is None else dtype)

    def can_scatter(self, how: str, dtype: Any) -> bool:
        """Whether elements can be written, or added, to places that arrays of integers name."""
        return self.loops

    def view(self, x: Value, shape: Iterable[int], run: views.Rearranged, name: str = "view") -> Value:
        """The same elements at other places."""
        return self.step("view", name, [x], tuple(shape), x.dtype, run)

    def reduce(self, name: str, x: Value, axes: tuple[int, ...], keepdims: bool, dtype: Any = None) -> Value:
        """A new reduction."""
        kept = [1 if k in axes else n for k, n in enumerate(x.shape) if keepdims or k not in axes]
        return self.step("reduce", name, [x], kept, x.dtype if dtype is None else dtype, axes, x.shape)

    # ----------------------------------------------------------------------------------------------------------- calls

    def _lower(self, call: Any) -> None:
        args = [self._argument(x) for x in call.args]
        kwargs = {name: self._argument(x) for name, x in call.kwargs.items()}
        start = len(self.steps)
        try:
            outs = self._results(call, args, kwargs)
            if any(out.shape != var.shape or out.dtype != var.dtype for var, out in zip(call.outs, outs)):
                raise NotHere
        except NotHere:
            del self.steps[start:]
            outs = [Value("result", var.shape, var.dtype) for var in call.outs]
            operands = [self.value(var) for var in call.variables]
            self.add(Step("call", call.name, operands, outs, (call, args, kwargs)))
        self._values.update(zip(call.outs, outs))

    def _argument(self, x: Any) -> Any:
        if x.__class__ in (tuple, list):
            return x.__class__([self._argument(part) for part in x])
        if x.__class__ is slice:
            return slice(*[self._argument(part) for part in (x.start, x.stop, x.step)])
        return self.value(x)

    def _results(self, call: Any, args: list[Any], kwargs: dict[str, Any]) -> list[Value]:
        name, out = call.name, call.outs[0]
        if any(numpy.dtype(var.dtype) not in KNOWN for var in (*call.outs, *call.variables) if var.kind != "number"):
            raise NotHere
        if name in UNARY or name in BINARY or name in COPIES or name in ("where", "clip", "full", "full_like"):
            return [self._elementwise(name, args, kwargs, out)]
        if name in REDUCTIONS:
            return [self._reduction(name, args, kwargs, out)]
        rule = _RULES.get(name)
        if rule is None or (name in KERNELS and not self.loops):
            raise NotHere
        try:
            result = rule(self, out, *args, **kwargs)
        except TypeError as error:
            if "argument" not in str(error):
                raise
            raise NotHere from None  # arguments that this function was not seen with
        return result if isinstance(result, list) else [result]

    def _elementwise(self, name: str, args: list[Any], kwargs: dict[str, Any], out: Any) -> Value:
        operands = args
        if name in COPIES:
            if not isinstance(args[0], Value) or args[0].shape != out.shape:
                raise NotHere
            name, operands = "copy", args[:1]
        elif name in ("full", "full_like"):
            name, operands = "copy", [args[1] if len(args) > 1 else kwargs["fill_value"]]
        elif name == "clip":
            operands = [args[0], *(args[k] if len(args) > k else kwargs.get(word) for k, word in ((1, "min"), (2, "max")))]
        elif kwargs:
            raise NotHere
        if name == "add" and (merged := next((y for merge in MERGES if (y := merge(self, *operands))), None)) is not None:
            return merged
        kind = numpy.dtype(out.dtype).kind
        if name in COMPARISONS:
            common_dtype(operands)
        if name in WHOLE and kind in "iub":
            name = "copy"
        if name == "pow" and kind in "iub" and not (type(operands[1]) is int and 0 <= operands[1]):
            raise NotHere  # what NumPy refuses depends on the values
        if name == "copy" and kind in "iu" and isinstance(operands[0], Value) and operands[0].dtype in (float, numpy.float32):
            raise NotHere  # outside of the range of the integers C does not say what is right
        for x in operands:
            if kind in "iu" and type(x) is int and not numpy.iinfo(out.dtype).min <= x <= numpy.iinfo(out.dtype).max:
                raise NotHere
        return self.step("map", name, operands, out.shape, out.dtype)

    def _reduction(self, name: str, args: list[Any], kwargs: dict[str, Any], out: Any) -> Value:
        x = args[0]
        if len(args) > 1 or not isinstance(x, Value) or x.kind == "number" or set(kwargs) - {"axis", "keepdims", "dtype"}:
            raise NotHere
        if name == "mean" and x.dtype.kind != "f":
            raise NotHere
        axes = axes_of(kwargs.get("axis"), len(x.shape))
        if not x.size and name in ("mean", "max", "min"):
            raise NotHere
        return self.reduce(name, x, axes, bool(kwargs.get("keepdims")), out.dtype)


KERNELS = frozenset(("exponential_rest", "var", "std"))
"""Functions that NumPy, or xgrad on NumPy, does better as they are than taken apart."""

MERGES: list[Callable[..., Value | None]] = []
"""What a sum is tried as first; `lower_indexing` enters its function here."""

_RULES: dict[str, Callable[..., Any]] = {}


def rule(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Use a function for calls of these names: it is given the lowering, the variable of the result, and the arguments."""

    def keep(function: Callable[..., Any]) -> Callable[..., Any]:
        for name in names:
            _RULES[name] = function
        return function

    return keep


def axes_of(axis: Any, ndim: int) -> tuple[int, ...]:
    """The axes that are meant, counted from the front."""
    if axis is None:
        return tuple(range(ndim))
    return tuple(sorted({k % ndim for k in ((axis,) if isinstance(axis, int) else axis)}))


def common_dtype(operands: Sequence[Any]) -> Any:
    """The dtype in which values are compared."""
    dtypes = [x.dtype for x in operands if isinstance(x, Value) and x.kind != "number"]
    dtype = numpy.result_type(*dtypes)
    if len({d.kind for d in dtypes} & {"i", "u"}) == 2 and dtype.kind == "f":
        raise NotHere  # NumPy compares integers of either kind as they are
    for x in operands:
        if isinstance(x, Value) and x.kind != "number":
            continue
        if dtype.kind in "iub" and (isinstance(x, float) or (isinstance(x, Value) and x.dtype is float)):
            return numpy.dtype("float64")
        if dtype.kind in "iu" and type(x) is int and not numpy.iinfo(dtype).min <= x <= numpy.iinfo(dtype).max:
            raise NotHere
        if dtype.kind == "b" and not isinstance(x, bool):
            return numpy.dtype("int64")
    return dtype


# ----------------------------------------------------------------------------------------------------------------- views


@rule("reshape")
def _reshape(low: Lowering, out: Any, x: Value, shape: Any = None, copy: Any = None) -> Value:
    return low.view(x, out.shape, views.reshaped(out.shape), "reshape")


@rule("permute_dims")
def _permute_dims(low: Lowering, out: Any, x: Value, axes: Any) -> Value:
    return low.view(x, out.shape, views.permuted(axes_in_order(axes, len(x.shape))))


@rule("matrix_transpose", "linalg.matrix_transpose")
def _matrix_transpose(low: Lowering, out: Any, x: Value) -> Value:
    last = len(x.shape) - 1
    return low.view(x, out.shape, views.permuted([*range(last - 1), last, last - 1]))


@rule("moveaxis")
def _moveaxis(low: Lowering, out: Any, x: Value, source: Any, destination: Any) -> Value:
    axes = list(range(len(x.shape)))
    sources = [k % len(axes) for k in ([source] if isinstance(source, int) else source)]
    targets = [k % len(axes) for k in ([destination] if isinstance(destination, int) else destination)]
    rest = [k for k in axes if k not in sources]
    for target, k in sorted(zip(targets, sources)):
        rest.insert(target, k)
    return low.view(x, out.shape, views.permuted(rest))


@rule("expand_dims", "squeeze")
def _one_more_or_less(low: Lowering, out: Any, x: Value, axis: Any = None) -> Value:
    return low.view(x, out.shape, views.squeezed_view(out.shape))


@rule("broadcast_to")
def _broadcast_to(low: Lowering, out: Any, x: Value, shape: Any = None) -> Value:
    return low.view(x, out.shape, views.broadcast(out.shape))


@rule("broadcast_arrays")
def _broadcast_arrays(low: Lowering, out: Any, *arrays: Value) -> list[Value]:
    return [low.view(x, out.shape, views.broadcast(out.shape)) for x in arrays]


@rule("flip")
def _flip(low: Lowering, out: Any, x: Value, axis: Any = None) -> Value:
    axes = axes_of(axis, len(x.shape))
    return low.view(
        x, out.shape, views.sliced([slice(None, None, -1) if k in axes else slice(None) for k in range(len(x.shape))])
    )


def axes_in_order(axes: Any, ndim: int) -> list[int]:
    """Axes counted from the front."""
    return [k % ndim for k in axes]


# ---------------------------------------------------------------------------------------- functions that are several steps


@rule("zero_where_not")
def _zero_where_not(low: Lowering, out: Any, x: Value, condition: Value) -> Value:
    if low.loops:
        return low.step("map", "where", [condition, x, 0], out.shape, out.dtype)
    return low.step("map", "zero_where_not", [x, condition], out.shape, out.dtype)


@rule("tanh_pull")
def _tanh_pull(low: Lowering, out: Any, v: Value, x: Value, t: Value) -> Value:
    return low.step("map", "tanh_pull", [v, x, t], out.shape, out.dtype)


@rule("exponential_rest")
def _exponential_rest(low: Lowering, out: Any, shifted: Value, terms: Value, axis: Any) -> Value:
    axes = axes_of(axis, len(shifted.shape))
    others = low.map("where", low.map("equal", shifted, 0, dtype=bool), 0, terms, dtype=terms.dtype)
    top = low.map("equal", shifted, 0, dtype=bool)
    ties = low.map("subtract", low.reduce("sum", low.map("copy", top, dtype=terms.dtype), axes, True), 1)
    return low.map("add", low.reduce("sum", others, axes, True), low.map("maximum", ties, 0))


@rule("var")
def _var(low: Lowering, out: Any, x: Value, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Value:
    axes = axes_of(axis, len(x.shape))
    count = math.prod([x.shape[k] for k in axes])
    if x.dtype.kind != "f" or count <= correction or not isinstance(correction, (int, float)) or not x.size:
        raise NotHere
    away = low.map("subtract", x, low.reduce("mean", x, axes, True))
    return low.map("divide", low.reduce("sum", low.map("square", away), axes, keepdims), count - correction)


@rule("std")
def _std(low: Lowering, out: Any, x: Value, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Value:
    return low.map("sqrt", _var(low, out, x, axis, correction, keepdims))
