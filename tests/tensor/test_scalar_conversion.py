"""Numbers taken out of tracked tensors: what the user asks for works, what would lose a gradient without a word raises."""

from __future__ import annotations

import array
import ctypes
import math
import re
import statistics
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import GradientError, Tensor

POINT = np.array([0.5, -1.5, 2.0])


def assign(make: Callable[[], Any], key: Any) -> Callable[[Any], Any]:
    def write(x: Any) -> Any:
        a = make()
        a[key] = x
        return a

    return write


def accumulate(x: Any) -> Any:
    a = np.zeros((2, 2))
    a[1, 1] += x
    return a


def unpack(x: Any) -> Any:
    a = np.zeros(2)
    a[0], a[1] = x, x * 2
    return a


def augmented(x: Any) -> Any:
    a = np.ones(2)
    for k in range(2):
        a[k] *= x
    return a


def by_attribute(x: Any) -> Any:
    a = np.zeros(2, complex)
    a.real[0] = x
    return a


def in_a_loop(x: Any) -> Any:
    a = np.zeros(3)
    for a[0] in [x, x]:
        pass
    return a


def said(error: BaseException) -> str:
    """The message of an error and of what caused it: NumPy raises its own error from that of ``__float__``."""
    before = error.__cause__ or error.__context__
    return str(error) + (" <- " + said(before) if before is not None else "")


convert = np.float64
LOSSES: dict[str, Callable[[Any], Any]] = {
    "a[i] = x": assign(lambda: np.zeros(2), 0),
    "a[i, j] = x": assign(lambda: np.zeros((2, 2)), (0, 1)),
    "float32 a[i] = x": assign(lambda: np.zeros(2, np.float32), 0),
    "float16 a[i] = x": assign(lambda: np.zeros(2, np.float16), 0),
    "complex a[i] = x": assign(lambda: np.zeros(2, complex), 0),
    "a[:] = x": assign(lambda: np.zeros(2), slice(None)),
    "a[mask] = x": assign(lambda: np.zeros(2), np.array([True, False])),
    "a[list] = x": assign(lambda: np.zeros(2), [0, 1]),
    "a[()] = x": assign(lambda: np.zeros(()), ()),
    "a[...] = x": assign(lambda: np.zeros(()), ...),
    "a.flat[i] = x": assign(lambda: np.zeros(2).flat, 0),
    "structured": assign(lambda: np.zeros(2, [("a", float)])["a"], 1),
    "K[i, i] += x": accumulate,
    "a[0], a[1] = x, y": unpack,
    "a[k] *= x": augmented,
    "a.real[i] = x": by_attribute,
    "for a[0] in ...": in_a_loop,
    "a.fill(x)": lambda x: np.zeros(2).fill(x),
    "a.__setitem__": lambda x: np.zeros(2).__setitem__(0, x),
    "a.put": lambda x: np.zeros(2).put(0, x),
    "np.put": lambda x: np.put(np.zeros(2), 0, x),
    "np.float64(x)": lambda x: np.float64(x),
    "alias of np.float64": lambda x: convert(x),
    "np.float32(x)": lambda x: np.float32(x),
    "np.complex128(x)": lambda x: np.complex128(x),
    "np.fromiter": lambda x: np.fromiter((v for v in (x, x)), float),
    "np.array of a list": lambda x: np.array([x, x]),
    "np.full": lambda x: np.full(2, x),
    "np.arange": lambda x: np.arange(0.0, x),
    "array.array": lambda x: array.array("d", [x]),
    "array item": assign(lambda: array.array("d", [0.0]), 0),
    "struct": lambda x: struct.pack("d", x),
    "ctypes": lambda x: ctypes.c_double(x),
    "memoryview": assign(lambda: memoryview(bytearray(8)).cast("d"), 0),
    "list(map(float, ...))": lambda x: list(map(float, [x])),
    "statistics": lambda x: statistics.NormalDist(x, 1.0).mean,
}


@pytest.mark.parametrize("name", LOSSES)
def test_a_number_stored_outside_raises_or_keeps_its_gradient(name: str) -> None:
    """The usual loop, ``a[i] = f(x[i])``: HIPS and JAX raise there; a silent float has gradient zero."""

    def loss(x: Any) -> Any:
        stored = LOSSES[name](x[0] * x[1])
        return xgrad.sum(stored) if isinstance(stored, Tensor) else xgrad.sum(x * x)

    for transform in (xgrad.grad, lambda f: lambda x: xgrad.jvp(f, (x,), (np.ones(3),)), xgrad.hessian):
        try:
            transform(loss)(POINT)
        except (GradientError, TypeError, ValueError, struct.error) as error:
            reason = said(error)
            assert re.search("xgrad.stack|detach|Tensor|not a float|single item", reason), reason
        else:
            assert isinstance(LOSSES[name](Tensor(POINT, requires_grad=True)[0]), Tensor), "the gradient was lost silently"


def test_the_error_says_what_to_do() -> None:
    x = Tensor(POINT, requires_grad=True)
    a = np.zeros(3)
    with pytest.raises(ValueError) as raised:  # NumPy's, with the reason as its cause
        a[0] = x[0]
    assert isinstance(raised.value.__cause__, GradientError)
    assert re.search(r"float\(x\).*xgrad\.stack.*xgrad\.zeros.*x\.item\(\)", str(raised.value.__cause__))
    assert a[0] == 0.0
    a = xgrad.zeros(3, dtype=xgrad.float64)
    for i in range(3):
        a[i] = x[i] ** 2
    a.sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * POINT)


def test_numbers_without_a_gradient_are_stored() -> None:
    x = Tensor(POINT, requires_grad=True)
    a = np.zeros(3)
    a[0] = Tensor(2.0)
    a[1] = x.detach()[1]
    with xgrad.no_grad():
        a[2] = (x * x)[2]
    np.testing.assert_array_equal(a, [2.0, -1.5, 4.0])


MODULE_FLOAT = float


class Holder:
    convert = float


def ternary(x: Any, on: bool = True) -> float:
    return float(x if on else 0.0)


def nested(x: Any) -> float:
    f = float
    return f(x) + float(max(float(x), 0.0)) + float(sum([x, x]))


def closure(x: Any) -> float:
    f = float

    def inner() -> float:
        return f(x)

    return inner()


def over_lines(x: Any) -> float:
    return float(
        x
        * 2
    )  # fmt: skip


def in_finally(x: Any) -> float:
    try:
        pass
    finally:
        value = float(x)
    return value


def in_with(x: Any) -> list[float]:
    with xgrad.enable_grad():
        return [float(v) for v in [x, x]]


LOOKS: dict[str, Callable[[Any], Any]] = {
    "float": lambda x: float(x),
    "complex": lambda x: complex(x),
    "module alias": lambda x: MODULE_FLOAT(x),
    "attribute": lambda x: Holder.convert(x),
    "and, or": lambda x: float(x and x),
    "ternary": ternary,
    "nested": nested,
    "closure": closure,
    "several lines": over_lines,
    "finally": in_finally,
    "with, comprehension": in_with,
    "generator": lambda x: sum(float(v) for v in (x, x)),
    "dictionary": lambda x: {"loss": float(x), "other": [float(x)]},
    "math.sin": lambda x: math.sin(x),
    "math.isnan": lambda x: math.isnan(x) or math.isclose(x, 1.0, rel_tol=1e-3),
    "% formatting": lambda x: "%.3f %5.2e" % (x, x),  # noqa: UP031
    "f-string": lambda x: f"{x:.3f} {x}",
    "format": lambda x: "{:.3f}".format(x) + format(x, ".2f"),  # noqa: UP032
    "eval": lambda x: eval("float(x)", {"x": x}),
    "stored as a float": lambda x: np.zeros(2).__setitem__(0, float(x)),
    "item": lambda x: x.item(),
    "bool": lambda x: bool(x > 0),
}


@pytest.mark.parametrize("name", LOOKS)
def test_the_users_own_look_at_a_number_works(name: str) -> None:
    x = Tensor(POINT, requires_grad=True)
    LOOKS[name]((x * x)[0])


def test_a_look_works_where_the_code_has_no_places_in_the_source() -> None:
    code = compile(
        "def f(x):\n    return float(x) + float(abs(x)) + math.sin(x * 2)\ndef g(a, x):\n    a[0] = x\n", "<code>", "exec"
    )
    functions = [part for part in code.co_consts if hasattr(part, "co_code")]
    scope = {"float": float, "abs": abs, "math": math}
    look, store = (type(ternary)(part.replace(co_linetable=b""), {**scope, "__builtins__": {}}) for part in functions)
    x = Tensor(POINT, requires_grad=True)
    assert look(x[0]) == pytest.approx(1.0 + math.sin(1.0))
    with pytest.raises(ValueError, match="setting an array element"):
        store(np.zeros(2), x[0])
