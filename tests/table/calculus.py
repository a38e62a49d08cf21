"""Rows for `xgrad.ops.beyond.calculus`."""

from __future__ import annotations

from typing import Any

from . import Arg, Row

GRID = Arg((4,), values=(0.0, 0.5, 1.25, 2.0))
AT = Arg((2, 3), values=((-0.5, 0.1, 0.7), (1.9, 2.5, 1.3)))


def _pair(name: str, n: int, m: int, mode: str, kind: str = "float") -> Row:
    def torch(t: Any, a: Any, v: Any) -> Any:
        v = v if name == "convolve" else v.conj().flip(0)
        y = t.stack([sum(a[i] * v[k - i] for i in range(n) if 0 <= k - i < m) for k in range(n + m - 1)])
        long, short = max(n, m), min(n, m)
        if mode == "valid":
            return y[short - 1 : long]
        start = short // 2 if name == "correlate" and n < m else (short - 1) // 2
        return y if mode == "full" else y[start : start + long]

    return Row(
        name, lambda xp, a, v: getattr(xp, name)(a, v, mode), (Arg((n,), kind=kind), Arg((m,), kind=kind)), torch=torch,
        label=f"{n}-{m}-{mode}{'-complex' * (kind == 'complex')}",
    )  # fmt: skip


def _gradient(label: str, *shapes: tuple[int, ...], **options: Any) -> Row:
    args = (Arg(shapes[0]), *(Arg(s, 0.5, 2.0) if not s else Arg(s, values=(0.0, 0.5, 1.25, 2.0)[: s[0]]) for s in shapes[1:]))
    theirs = {"dim" if k == "axis" else k: v for k, v in options.items()}

    def torch(t: Any, f: Any, *steps: Any) -> Any:
        return tuple(t.gradient(f, spacing=[s if s.ndim else s * t.arange(n) for s, n in zip(steps, f.shape)], **theirs))

    def ours(xp: Any, *x: Any) -> Any:
        y = xp.gradient(*x, **options)
        return y if isinstance(y, tuple) else (y,)

    return Row("slopes", ours, args, torch=torch if steps_fit(shapes, options) else None, label=label)


def steps_fit(shapes: tuple[tuple[int, ...], ...], options: dict[str, Any]) -> bool:
    """Whether PyTorch's function takes these: one spacing for each axis of the array."""
    return len(shapes) - 1 == len(shapes[0]) and "axis" not in options


ROWS = [
    Row("trapezoid", lambda xp, y: xp.trapezoid(y), (Arg((3, 4)),), torch=lambda t, y: t.trapezoid(y)),
    Row(
        "trapezoid", lambda xp, y: xp.trapezoid(y, dx=0.5, axis=0), (Arg((3, 4)),),
        torch=lambda t, y: t.trapezoid(y, dx=0.5, dim=0), label="dx",
    ),
    Row(
        "trapezoid", lambda xp, y, x: xp.trapezoid(y, x), (Arg((3, 4)), GRID), torch=lambda t, y, x: t.trapezoid(y, x),
        label="points",
    ),
    Row(
        "trapezoid", lambda xp, y, x: xp.trapezoid(y, x, axis=0), (Arg((4, 3)), GRID),
        torch=lambda t, y, x: t.trapezoid(y, x, dim=0), label="points-axis",
    ),
    Row(
        "trapezoid", lambda xp, y, x: xp.trapezoid(y, x, axis=0), (Arg((3, 4)), Arg((3, 4))),
        torch=lambda t, y, x: t.trapezoid(y, x, dim=0), label="grids",
    ),
    Row(
        "cumulative_trapezoid", lambda xp, y, x: xp.cumulative_trapezoid(y, x), (Arg((3, 4)), GRID),
        torch=lambda t, y, x: t.cumulative_trapezoid(y, x),
    ),
    Row("cumulative_trapezoid", lambda xp, y: xp.cumulative_trapezoid(y, axis=0, initial=0), (Arg((3, 4)),), label="initial",
        torch=lambda t, y: t.cat([t.zeros_like(y[:1]), t.cumulative_trapezoid(y, dim=0)])),
    _gradient("plain", (5,)),
    _gradient("plain-2", (4, 3)),
    _gradient("step", (4,), ()),
    _gradient("points", (4,), (4,)),
    _gradient("points-edge", (4,), (4,), edge_order=2),
    _gradient("mixed", (4, 3), (4,), ()),
    _gradient("axis", (2, 4), (), axis=1, edge_order=2),
    _gradient("two", (2,)),
    Row("interp", lambda xp, x, p, f: xp.interp(x, p, f), (AT, GRID, Arg((4,))), numpy=lambda np, x, p, f: np.interp(x, p, f)),
    Row("interp", lambda xp, x, p, f, a, b: xp.interp(x, p, f, a, b), (AT, GRID, Arg((4,)), Arg(()), Arg(())), label="ends",
        numpy=lambda np, x, p, f, a, b: np.interp(x, p, f, a, b)),
    Row("interp", lambda xp, x, p, f: xp.interp(x, p, f, period=1.7), (AT, GRID, Arg((4,))), label="period",
        numpy=lambda np, x, p, f: np.interp(x, p, f, period=1.7)),
    Row("interp", lambda xp, x, p, f: xp.interp(x, p, f), (AT, GRID, Arg((4,), kind="complex")), label="complex",
        numpy=lambda np, x, p, f: np.interp(x, p, f)),
    Row(
        "interp", lambda xp, x, p, f: xp.interp(x, p, f), (Arg(()), Arg((1,)), Arg((1,))), label="one",
        numpy=lambda np, x, p, f: np.interp(x, p, f),
    ),
    *(
        _pair(name, n, m, mode)
        for name in ("convolve", "correlate") for mode in ("full", "same", "valid") for n, m in ((5, 3), (2, 5), (1, 4))
    ),
    _pair("convolve", 4, 3, "full", "complex"),
    _pair("correlate", 4, 3, "same", "complex"),
    Row("convolve_full", lambda xp, a, v: xp.convolve_full(a, v), (Arg((3,)), Arg((2,))),
        torch=lambda t, a, v: t.stack([a[0] * v[0], a[0] * v[1] + a[1] * v[0], a[1] * v[1] + a[2] * v[0], a[2] * v[1]])),
]  # fmt: skip
