"""Rows for `xgrad.ops.ufuncs`."""

from __future__ import annotations

from typing import Any

from . import Arg, Row

SHAPE = (3, 4)
WIDE = Arg(SHAPE, -6.0, 6.0)
GAPS = Arg((2, 3), values=((1.0, float("nan"), 2.0), (float("nan"), -1.0, 0.5)))
OTHER = Arg((2, 3), values=((0.5, 3.0, 4.0), (-2.0, float("nan"), 0.5)))
COMPLEX = Arg(SHAPE, kind="complex")


def _unary(name: str, torch: Any = None, arg: Arg = WIDE, **more: Any) -> Row:
    return Row(
        name, lambda xp, x: getattr(xp, name)(x), (arg,), torch=torch, numpy=lambda np, x: getattr(np, name)(x),
        **{"elementwise": True, **more},
    )  # fmt: skip


def _binary(name: str, torch: Any = None, **more: Any) -> Row:
    args = more.pop("args", (Arg(SHAPE), Arg(SHAPE, 0.5, 3.0)))
    return Row(
        name, lambda xp, a, b: getattr(xp, name)(a, b), args, torch=torch, numpy=lambda np, a, b: getattr(np, name)(a, b), **more
    )


ROWS = [
    _unary("exp2", lambda t, x: t.exp2(x)),
    _unary("deg2rad", lambda t, x: t.deg2rad(x)),
    _unary("rad2deg", lambda t, x: t.rad2deg(x)),
    _unary("cbrt", lambda t, x: t.where(x < 0, -1.0, 1.0) * x.abs() ** (1 / 3)),
    _unary("sinc", lambda t, x: t.sinc(x), label="apart"),
    _unary("sinc", order=4, dtypes=("float64",), label="orders", arg=Arg((2, 3), -1.0, 1.0), elementwise=False),
    Row("sinc", lambda xp, x: xp.sinc(x), (COMPLEX,), torch=lambda t, x: t.sin(x * t.pi) / (x * t.pi), label="complex"),
    Row("sinc_jn", lambda xp, x: xp.sinc_jn(0, x), (WIDE,), torch=lambda t, x: t.sinc(x), label="0"),
    Row(
        "sinc_jn", lambda xp, x: xp.sinc_jn(2, x), (Arg(SHAPE, 0.5, 3.0),), label="2",
        torch=lambda t, x: (3 / (x * t.pi) ** 3 - 1 / (x * t.pi)) * t.sin(x * t.pi) - 3 * t.cos(x * t.pi) / (x * t.pi) ** 2,
    ),
    Row(
        "spherical_jn", lambda xp, x: xp.spherical_jn(1, x), (COMPLEX,), torch=lambda t, x: (t.sin(x) / x - t.cos(x)) / x,
        label="complex",
    ),
    Row("spherical_jn", lambda xp, x: xp.spherical_jn(0, x), (WIDE,), torch=lambda t, x: t.sin(x) / x, label="0"),
    Row(
        "spherical_jn", lambda xp, x: xp.spherical_jn(2, x), (Arg(SHAPE, 0.5, 9.0),), label="2",
        torch=lambda t, x: (3 / x**3 - 1 / x) * t.sin(x) - 3 * t.cos(x) / x**2,
    ),
    _unary("angle", lambda t, x: t.angle(x), arg=Arg(SHAPE, kind="complex"), elementwise=False),
    Row(
        "angle", lambda xp, x: xp.angle(x, deg=True), (WIDE,), torch=lambda t, x: t.atan2(t.zeros_like(x), x) * (180 / t.pi),
        label="real",
    ),
    Row("unwrap", lambda xp, x: xp.unwrap(x), (WIDE,), numpy=lambda np, x: np.unwrap(x)),
    Row(
        "unwrap", lambda xp, x: xp.unwrap(x, axis=0, period=3.0), (WIDE,), numpy=lambda np, x: np.unwrap(x, axis=0, period=3.0),
        label="period",
    ),
    _unary("nan_to_num", lambda t, x: t.nan_to_num(x)),
    _unary("nan_to_num", lambda t, x: t.nan_to_num(x), arg=GAPS, label="gaps", elementwise=False),
    _unary(
        "nan_to_num", lambda t, x: t.where(t.isnan(x.real), 0, x), arg=Arg((2,), kind="complex", values=(1 + 2j, 3j)),
        label="complex", elementwise=False,
    ),
    _binary("logaddexp2", lambda t, a, b: t.logaddexp2(a, b), elementwise=True),
    _binary("fmax", lambda t, a, b: t.fmax(a, b), elementwise=True),
    _binary("fmin", lambda t, a, b: t.fmin(a, b), elementwise=True),
    _binary(
        "fmax", args=(GAPS, OTHER), label="gaps",
        torch=lambda t, a, b: t.where(a.isnan(), b, t.where(b.isnan(), a, t.maximum(a, b))),
    ),
    _binary(
        "fmin", args=(GAPS, OTHER), label="gaps",
        torch=lambda t, a, b: t.where(a.isnan(), b, t.where(b.isnan(), a, t.minimum(a, b))),
    ),
    _binary("fmod", lambda t, a, b: t.fmod(a, b), elementwise=True),
    _binary(
        "heaviside", lambda t, a, b: t.where(a > 0, 1.0, t.where(a == 0, b, 0.0)) + 0 * a,
        args=(Arg((4,), values=(-1.0, 0.0, 2.0, 0.0)), Arg((4,))),
    ),
]  # fmt: skip
