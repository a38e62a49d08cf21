"""The C expression of each elementwise function."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy

from .lower import COMPARISONS, KNOWN, common_dtype
from .steps import Step, Value

__all__ = ["c_type", "converted", "expression", "literal"]

SYMBOLS = {"equal": "==", "not_equal": "!=", "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">="}
LOGIC = {"logical_and": "&", "logical_or": "|", "logical_xor": "^"}
BITS = {"bitwise_and": "&", "bitwise_or": "|", "bitwise_xor": "^"}
ARITHMETIC = {"add": "+", "subtract": "-", "multiply": "*"}
FUNCTIONS = {"round": "rint", "abs": "fabs", "special.erf": "erf", "special.erfc": "erfc"}

Operand = Callable[[int, Any], str]
"""Gives the text of an operand, converted to a dtype."""


def c_type(dtype: Any) -> str:
    """The C type of the elements of an array in memory."""
    return KNOWN[numpy.dtype(dtype)]


def literal(x: Any, dtype: Any) -> str:
    """A number as C writes it."""
    dtype = numpy.dtype(dtype)
    if dtype.kind == "b":
        return str(int(bool(x)))
    if dtype.kind in "iu":
        n = int(x)
        if n == -(2**63):
            return "INT64_MIN"
        return f"(({c_type(dtype)}){n}{'ULL' if n >= 2**63 else 'LL'})"
    with numpy.errstate(over="ignore"):
        x = float(dtype.type(x))
        shortest = numpy.format_float_scientific(dtype.type(x), unique=True)
    suffix = "f" if dtype == numpy.float32 else ""
    if math.isnan(x):
        return "((float)NAN)" if suffix else "((double)NAN)"
    if math.isinf(x):
        return "INFINITY" if x > 0 else "(-INFINITY)"
    text = f"{shortest}{suffix}"
    return f"({text})" if math.copysign(1, x) < 0 else text


def converted(text: str, have: Any, want: Any) -> str:
    """An expression of one dtype as one of another."""
    have, want = numpy.dtype(have), numpy.dtype(want)
    if have == want:
        return text
    return f"({text} != 0)" if want.kind == "b" else f"(({c_type(want)}){text})"


def expression(step: Step, operand: Operand) -> str:
    """The value of an elementwise step at one element."""
    name, out = step.name, step.out.dtype
    t = c_type(out)

    def at(k: int, dtype: Any = out) -> str:
        return operand(k, dtype)

    if name == "copy":
        return at(0)
    if name in COMPARISONS:
        common = common_dtype(step.operands)
        return f"({at(0, common)} {SYMBOLS[name]} {at(1, common)})"
    if name in LOGIC:
        return f"({at(0, bool)} {LOGIC[name]} {at(1, bool)})"
    if name == "logical_not":
        return f"(!{at(0, bool)})"
    if name == "where":
        return f"({at(0, bool)} ? {at(1)} : {at(2)})"
    if name in ("isfinite", "isinf", "isnan", "signbit"):
        return _question(name, step.operands[0], operand)
    if name == "clip":
        text = at(0)
        for k, function in ((1, "MAXIMUM"), (2, "MINIMUM")):
            text = text if step.operands[k] is None else f"{function}({text}, {at(k)})"
        return text
    return _floating(name, step, t, at) if out.kind == "f" else _integer(name, t, out, at)


def _question(name: str, x: Any, operand: Operand) -> str:
    dtype = x.dtype if isinstance(x, Value) else numpy.dtype(float)
    text = operand(0, dtype)
    if dtype.kind != "f":
        return f"({text} < 0)" if name == "signbit" else "1" if name == "isfinite" else "0"
    if name == "isnan":
        return f"({text} != {text})"
    return f"(__builtin_signbit({text}) != 0)" if name == "signbit" else f"{name}_{c_type(dtype)}({text})"


def _floating(name: str, step: Step, t: str, at: Any) -> str:
    if name in ARITHMETIC:
        return f"({at(0)} {ARITHMETIC[name]} {at(1)})"
    if name == "divide":
        return f"({at(0)} / {at(1)})"
    if name in ("maximum", "minimum"):
        return f"{name.upper()}({at(0)}, {at(1)})"
    if name == "negative":
        return f"(-{at(0)})"
    if name == "square":
        return f"({at(0)} * {at(0)})"
    if name == "reciprocal":
        return f"(1 / {at(0)})"
    if name == "pow":
        return _power(step, t, at)
    return f"{FUNCTIONS.get(name, name)}_{t}({', '.join(at(k) for k in range(len(step.operands)))})"


def _power(step: Step, t: str, at: Any) -> str:
    n = step.operands[1]
    if isinstance(n, Value) and n.kind == "constant" and n.shape == ():
        n = n.data.item()
    x = at(0)
    if isinstance(n, (int, float)) and n in (0, 1, 2, 3, 4, 0.5, -1):
        if n == 0.5:
            return f"sqrt_{t}({x})"
        product = " * ".join([x] * int(abs(n))) if n else "1"
        return f"(({t})({product}))" if n >= 0 else f"(1 / ({product}))"
    return f"pow_{t}({x}, {at(1)})"


def _integer(name: str, t: str, out: Any, at: Any) -> str:
    if out.kind == "b":
        if name in BITS or name in ("add", "multiply", "maximum", "minimum"):
            symbol = BITS.get(name) or {"add": "|", "multiply": "&", "maximum": "|", "minimum": "&"}[name]
            return f"({at(0)} {symbol} {at(1)})"
        if name == "bitwise_invert":
            return f"(!{at(0)})"
        return at(0)  # abs
    if name in ARITHMETIC or name in BITS:
        return f"(({t})({at(0)} {ARITHMETIC.get(name) or BITS[name]} {at(1)}))"
    if name in ("maximum", "minimum"):
        return f"{name.upper()}({at(0)}, {at(1)})"
    if name == "negative":
        return f"(({t})(0 - {at(0)}))"
    if name == "bitwise_invert":
        return f"(({t})~{at(0)})"
    if name == "abs":
        return at(0) if out.kind == "u" else f"(({t})({at(0)} < 0 ? 0 - {at(0)} : {at(0)}))"
    if name == "square":
        return f"(({t})({at(0)} * {at(0)}))"
    function = {"pow": "power", "bitwise_left_shift": "left", "bitwise_right_shift": "right"}.get(name, name)
    return f"{function}_{t}({', '.join(at(k) for k in range(1 if name == 'sign' else 2))})"
