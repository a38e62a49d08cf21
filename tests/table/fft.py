"""Rows for `xgrad.ops.fft`: lengths that cut, keep and fill up, odd and even; every norm; other axes."""

from __future__ import annotations

from typing import Any

from . import Arg, Row


def _one(name: str, kind: str, label: str, shape: tuple[int, ...], n: int | None, axis: int, norm: str) -> Row:
    return Row(
        name,
        lambda xp, x: getattr(xp.fft, name)(x, n=n, axis=axis, norm=norm),
        (Arg(shape, kind=kind),),
        torch=lambda t, x: getattr(t.fft, name)(x, n=n, dim=axis, norm=norm),
        label=label,
    )


def _several(name: str, kind: str, label: str, shape: tuple[int, ...], s: Any, axes: Any, norm: str) -> Row:
    return Row(
        name,
        lambda xp, x: getattr(xp.fft, name)(x, s=s, axes=axes, norm=norm),
        (Arg(shape, kind=kind),),
        torch=lambda t, x: getattr(t.fft, name)(x, s=s, dim=axes, norm=norm),
        label=label,
    )


def _shift(name: str, kind: str, label: str, axes: Any) -> Row:
    return Row(
        name,
        lambda xp, x: getattr(xp.fft, name)(x, axes=axes),
        (Arg((3, 4, 5), kind=kind),),
        torch=lambda t, x: getattr(t.fft, name)(x, dim=axes),
        label=label,
    )


_KINDS = {
    "fft": "complex", "ifft": "complex", "rfft": "float", "irfft": "complex", "hfft": "complex", "ihfft": "float",
}  # fmt: skip

_ONE: dict[str, tuple[tuple[int, ...], int | None, int, str]] = {
    "even": ((6,), None, -1, "backward"),
    "odd": ((5,), None, -1, "ortho"),
    "one element": ((2,), 1, -1, "backward"),
    "two elements": ((2,), 2, -1, "forward"),
    "shorter, even": ((3, 7), 4, 1, "forward"),
    "shorter, odd": ((7, 3), 3, 0, "ortho"),
    "longer, even": ((5, 2), 12, -2, "backward"),
    "longer, odd": ((2, 4, 2), 11, 1, "forward"),
    "forward": ((4,), None, -1, "forward"),
    "odd, forward": ((5,), 5, -1, "forward"),
    "odd, backward": ((3, 5), 7, -1, "backward"),
}

_SEVERAL: dict[str, tuple[tuple[int, ...], Any, Any, str]] = {
    "all axes": ((3, 4), None, None, "backward"),
    "ortho": ((2, 3, 4), None, (0, 2), "ortho"),
    "forward": ((4, 3, 2), None, (-1, 0), "forward"),
    "cut and filled": ((4, 3, 2), (3, 5), (0, 1), "forward"),
    "filled and cut": ((2, 3, 6), (4, 4), (1, 2), "backward"),
    "one axis": ((4, 3), (5,), (0,), "ortho"),
    "kept and odd": ((3, 4), (-1, 7), (0, 1), "forward"),
}

ROWS = [
    *(_one(name, kind, label, *case) for name, kind in _KINDS.items() for label, case in _ONE.items()),
    *(_one(name, "float", f"real, {label}", *_ONE[label]) for name in ("fft", "ifft") for label in ("even", "shorter, odd")),
    *(
        _several(f"{name}n", _KINDS[name], label, *case)
        for name in ("fft", "ifft", "rfft", "irfft")
        for label, case in _SEVERAL.items()
    ),
    *(_several(name, "float", "real", *_SEVERAL["all axes"]) for name in ("fftn", "ifftn")),
    *(
        _shift(name, kind, f"{kind}, {label}", axes)
        for name in ("fftshift", "ifftshift")
        for kind, label, axes in (("float", "all axes", None), ("complex", "one axis", 2), ("float", "two axes", (0, -1)))
    ),
]
