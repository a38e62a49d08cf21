"""Rows for `xgrad.ops.elementwise`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from xgrad.ops.elementwise import joined

from . import Arg, Row

SHAPE = (2, 3)
ANY = Arg(SHAPE)
POSITIVE = Arg(SHAPE, 0.3, 3.0)
INSIDE = Arg(SHAPE, -0.9, 0.9)
COMPLEX = Arg(SHAPE, kind="complex")
BITS = Arg(SHAPE, 0, 9, kind="int")
PLACES = Arg(SHAPE, 0, 4, kind="int")
TRUTH = Arg(SHAPE, kind="bool")


def unary(name: str, arg: Arg = ANY, *, torch: str | Callable[..., Any] | None = None, label: str = "", **more: Any) -> Row:
    """A row for a function of one array, which PyTorch has under the same name or under `torch`."""
    theirs = torch or name
    return Row(
        name,
        lambda xp, x: getattr(xp, name)(x),
        (arg,),
        torch=theirs if callable(theirs) else lambda t, x: getattr(t, theirs)(x),
        label=label,
        elementwise=True,
        **more,
    )


def binary(
    name: str, x1: Arg = ANY, x2: Arg = ANY, *, torch: str | Callable[..., Any] | None = None, label: str = "", **more: Any
) -> Row:
    """A row for a function of two arrays, which PyTorch has under the same name or under `torch`."""
    theirs = torch or name
    return Row(
        name,
        lambda xp, a, b: getattr(xp, name)(a, b),
        (x1, x2),
        torch=theirs if callable(theirs) else lambda t, a, b: getattr(t, theirs)(a, b),
        label=label,
        elementwise=True,
        **more,
    )


def with_scalar(name: str, label: str, f: Callable[[Any], Any], arg: Arg = ANY) -> Row:
    """A row for an operator with a Python scalar, which is written alike here and in PyTorch."""
    return Row(name, lambda xp, x: f(x), (arg,), torch=lambda t, x: f(x), label=label, elementwise=True)


REAL_UNARY = [
    unary("abs"),
    unary("acos", INSIDE),
    unary("acosh", Arg(SHAPE, 1.2, 3.0)),
    unary("asin", INSIDE),
    unary("asinh"),
    unary("atan"),
    unary("atanh", INSIDE),
    unary("ceil"),
    unary("conj"),
    unary("cos"),
    unary("cosh"),
    unary("exp"),
    unary("expm1"),
    unary("floor"),
    unary("imag", torch=lambda t, x: x * 0),
    unary("log", POSITIVE),
    unary("log1p", INSIDE),
    unary("log2", POSITIVE),
    unary("log10", POSITIVE),
    unary("negative"),
    unary("positive"),
    unary("real"),
    Row("joined", lambda xp, re, im: joined(re, im), (Arg((3, 4)), Arg((3, 4))), torch=lambda t, re, im: t.complex(re, im)),
    unary("reciprocal", POSITIVE),
    unary("round"),
    unary("sign"),
    unary("sin"),
    unary("sinh"),
    unary("sqrt", POSITIVE),
    unary("square"),
    unary("tan", INSIDE),
    unary("tanh"),
    unary("trunc"),
]

COMPLEX_UNARY = [
    unary(name, COMPLEX, label="complex")
    for name in (
        "abs acos asin asinh atan atanh conj cos cosh exp expm1 imag log log1p log2 log10 negative positive real "
        "reciprocal sin sinh sqrt square tan tanh"
    ).split()
] + [
    # PyTorch's own gradient has the wrong sign in the left half plane, where its one root is not the product of two.
    unary("acosh", COMPLEX, torch=lambda t, x: t.log(x + t.sqrt(x - 1) * t.sqrt(x + 1)), label="complex"),
    unary("sign", COMPLEX, torch="sgn", label="complex"),
]

BINARY = [
    binary("add"),
    binary("atan2"),
    binary("copysign"),
    binary("divide", ANY, POSITIVE),
    binary("floor_divide", ANY, POSITIVE, torch=lambda t, a, b: t.floor(a / b)),
    binary("hypot"),
    binary("logaddexp"),
    binary("maximum"),
    binary("minimum"),
    binary("multiply"),
    binary("pow", POSITIVE, ANY),
    binary("pow", ANY, Arg((3,), values=(0.0, 2.0, 3.0), grad=False), label="whole exponents"),
    binary("remainder", ANY, POSITIVE),
    binary("subtract"),
    binary("add", COMPLEX, COMPLEX, label="complex"),
    binary("divide", COMPLEX, Arg(SHAPE, 0.5, 2.0, kind="complex"), label="complex"),
    binary("multiply", COMPLEX, COMPLEX, label="complex"),
    binary("multiply", ANY, COMPLEX, label="real by complex"),
    binary("pow", Arg(SHAPE, 0.5, 2.0, kind="complex"), COMPLEX, label="complex"),
    binary("pow", POSITIVE, COMPLEX, label="real to complex"),
    binary("subtract", COMPLEX, COMPLEX, label="complex"),
]

SCALARS = [
    with_scalar("add", "scalar first", lambda x: 1.5 + x),
    with_scalar("subtract", "scalar first", lambda x: 1.5 - x),
    with_scalar("multiply", "scalar", lambda x: x * 1.5),
    with_scalar("multiply", "complex scalar", lambda x: x * (1.5 - 2j)),
    with_scalar("divide", "scalar first", lambda x: 1.5 / x, POSITIVE),
    with_scalar("divide", "scalar", lambda x: x / 1.5),
    Row(
        "remainder",
        lambda xp, x: 1.5 % x,
        (POSITIVE,),
        torch=lambda t, x: 1.5 - x * t.floor(1.5 / x),  # its own is not implemented
        label="scalar first",
        elementwise=True,
    ),
    with_scalar("pow", "scalar base", lambda x: 1.5**x),
    with_scalar("pow", "zero", lambda x: x**0),
    with_scalar("pow", "one", lambda x: x**1),
    with_scalar("pow", "two", lambda x: x**2),
    with_scalar("pow", "three", lambda x: x**3),
    with_scalar("pow", "half", lambda x: x**0.5, POSITIVE),
    with_scalar("pow", "minus two", lambda x: x**-2, POSITIVE),
    with_scalar("pow", "complex two", lambda x: x**2, COMPLEX),
]

CLIP = [
    Row("clip", lambda xp, x: xp.clip(x, -0.5, 0.7), (ANY,), torch=lambda t, x: t.clip(x, -0.5, 0.7), elementwise=True),
    Row("clip", lambda xp, x: xp.clip(x, min=-0.5), (ANY,), torch=lambda t, x: t.clip(x, min=-0.5), label="min"),
    Row("clip", lambda xp, x: xp.clip(x, max=0.7), (ANY,), torch=lambda t, x: t.clip(x, max=0.7), label="max"),
    Row("clip", lambda xp, x: xp.clip(x), (ANY,), torch=lambda t, x: x * 1, label="no bound"),
    Row(
        "clip",
        lambda xp, x, a, b: xp.clip(x, a, b),
        (Arg((4, 3)), Arg((3,), -1.0, -0.1), Arg((4, 1), 0.1, 1.0)),
        torch=lambda t, x, a, b: t.clip(x, a, b),
        label="arrays",
    ),
    Row("clip", lambda xp, x: xp.clip(x, 0.7, -0.5), (ANY,), torch=lambda t, x: t.clip(x, 0.7, -0.5), label="min above max"),
    Row(
        "clip",
        lambda xp, x, a, b: xp.clip(x, a, b),
        (Arg((4, 3)), Arg((3,), -1.0, 1.0), Arg((4, 1), -1.0, 1.0)),
        torch=lambda t, x, a, b: t.where(a > b, x * 0 + b, t.where(x > b, b, t.where(x < a, a, x))),
        label="arrays, some min above max",
    ),
]

FOR_RULES = [
    binary("over_hypot", torch=lambda t, a, b: a / t.sqrt(a * a + b * b)),
    unary("one_less_square", torch=lambda t, x: 1 - x * x),
    unary("one_less_square", COMPLEX, torch=lambda t, x: 1 - x * x, label="complex"),
    Row("tanh_pull", lambda xp, v, x: xp.tanh_pull(v, x, xp.tanh(x)), (ANY, ANY), torch=lambda t, v, x: v / t.cosh(x) ** 2),
    Row(
        "tanh_pull", lambda xp, v, x: xp.tanh_pull(v, x, xp.tanh(x)), (ANY, Arg(SHAPE, -9.0, 9.0)), label="far",
        torch=lambda t, v, x: v / t.cosh(x) ** 2,
    ),
    Row(
        "tanh_pull", lambda xp, v, x: xp.tanh_pull(v, x, xp.tanh(x)), (COMPLEX, COMPLEX), label="complex",
        torch=lambda t, v, x: v / t.cosh(x) ** 2,
    ),
]

NOT_DIFFERENTIABLE = [
    *(
        binary(name, torch={"equal": "eq"}.get(name), differentiable=False)
        for name in ("equal", "not_equal", "less", "less_equal", "greater", "greater_equal", "nextafter")
    ),
    *(unary(name, differentiable=False) for name in ("isfinite", "isinf", "isnan", "signbit")),
    *(binary(name, BITS, BITS, differentiable=False) for name in ("bitwise_and", "bitwise_or", "bitwise_xor")),
    *(binary(name, BITS, PLACES, differentiable=False) for name in ("bitwise_left_shift", "bitwise_right_shift")),
    unary("bitwise_invert", BITS, torch="bitwise_not", differentiable=False),
    *(binary(name, TRUTH, TRUTH, differentiable=False) for name in ("logical_and", "logical_or", "logical_xor")),
    unary("logical_not", TRUTH, differentiable=False),
]

ROWS = [*REAL_UNARY, *COMPLEX_UNARY, *BINARY, *SCALARS, *CLIP, *FOR_RULES, *NOT_DIFFERENTIABLE]
