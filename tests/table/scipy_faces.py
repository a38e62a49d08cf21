"""Rows of `xgrad.scipy`: values from SciPy, derivatives from finite differences."""

from __future__ import annotations

import importlib
from typing import Any

import xgrad.scipy as faces

from . import Arg, Row


def _row(path: str, *args: Arg, label: str = "", name: str = "scipy", call: Any = None, **more: Any) -> Row:
    """A row for ``xgrad.scipy.<path>``; `call` calls it or SciPy's function, by default with only the arrays."""
    module, _, function = path.partition(".")
    call = call or (lambda f, *x: f(*x))

    def scipy(np: Any, *x: Any) -> Any:
        return call(getattr(importlib.import_module(f"scipy.{module}"), function), *x)

    def ours(xp: Any, *x: Any) -> Any:
        return call(getattr(getattr(faces, module), function), *x)

    skip = {} if f"{path}{label}" in ON_DASK else {
        "dask": "compositions of many small arrays take it minutes; some rows stand for all"
    }
    return Row(name, ours, args, numpy=scipy, label=f"{path}{label}", skip=skip, **more)


ON_DASK = (
    "fft.dct-2", "linalg.expm", "linalg.solve_sylvester", "linalg.toeplitz", "signal.lfilter", "signal.detrend",
    "ndimage.uniform_filter1d", "interpolate.interp1d",
)  # fmt: skip


X6, X34, SIGNAL = Arg((6,)), Arg((3, 4)), Arg((2, 9))
SPD = Arg((3, 3), values=((4.0, 1.0, 0.5), (1.0, 3.0, 0.2), (0.5, 0.2, 2.0)))
DROPPED = Arg((4, 2), values=((1.0, 0.2), (-0.5, 0.3), (0.8, 0.1), (0.3, -0.2)))  # one singular value is below 0.3 of the other
COMPLEX = Arg((2, 2), values=((1.0 + 0.5j, 0.3j), (0.2 - 0.4j, 1.5)), kind="complex")
MATRIX_FUNCTIONS: list[tuple[str, Any]] = [
    ("sqrtm", lambda f, a, **options: f(a, **options)),
    ("logm", lambda f, a, **options: f(a, **options)),
    ("fractional_matrix_power", lambda f, a, **options: f(a, -0.3, **options)),
]


def _of_symmetric(call: Any) -> Any:
    def run(f: Any, a: Any) -> Any:
        a = (a + a.mT) / 2
        return call(f, a, hermitian=True) if f.__module__.startswith("xgrad") else call(f, a)

    return run


B, A = Arg((3,), values=(0.5, 0.3, 0.2)), Arg((3,), values=(1.5, -0.4, 0.2))
KNOTS, VALUES = Arg((5,), values=(0.0, 0.4, 1.0, 1.7, 2.2)), Arg((5, 2))
PLACES = Arg((4,), values=(0.15, 0.6, 1.45, 2.05))
EDGES = ("reflect", "mirror", "nearest", "wrap", "constant")

_TRANSFORMS = [
    _row(f"fft.{name}", Arg((2, 5)), label=f"-{kind}", call=lambda f, x, kind=kind: f(x, kind))
    for name in ("dct", "dst") for kind in (1, 2, 3, 4)
]  # fmt: skip

ROWS: list[Row] = [
    *_TRANSFORMS,
    _row("fft.idct", X34, call=lambda f, x: f(x, 2, 5, 0, "ortho")),
    _row("fft.idst", X34, call=lambda f, x: f(x, 3, norm="ortho")),
    _row("fft.dctn", X34, call=lambda f, x: f(x, 2, (3, 3))),
    _row("fft.idctn", X34, call=lambda f, x: f(x, norm="ortho")),
    _row("fft.dstn", X34),
    _row("fft.idstn", X34),
    _row("linalg.expm", Arg((2, 3, 3)), name="expm"),
    _row("linalg.expm", Arg((3, 3), -4, 4), name="expm", label="-squared", dtypes=("float64",)),
    _row("linalg.expm", Arg((2, 2), kind="complex"), name="expm", label="-complex", order=1),
    _row("linalg.solve_sylvester", SPD, Arg((2, 2), 0.5, 1.0), Arg((3, 2)), name="sylvester"),
    _row("linalg.solve_continuous_lyapunov", SPD, Arg((3, 3))),
    _row("linalg.solve", SPD, Arg((3,))),
    _row("linalg.solve", SPD, Arg((3, 2)), label="-triangle", call=lambda f, a, b: f(a, b, lower=True, assume_a="pos")),
    _row("linalg.solve", SPD, Arg((3, 2)), label="-transposed", call=lambda f, a, b: f(a, b, transposed=True)),
    _row("linalg.solve_triangular", SPD, Arg((3, 2)), call=lambda f, a, b: f(a, b, trans=1, lower=True)),
    _row("linalg.solve_triangular", SPD, Arg((3,)), label="-unit", call=lambda f, a, b: f(a, b, unit_diagonal=True)),
    _row("linalg.cholesky", SPD, call=lambda f, a: f(a, lower=True)),
    _row("linalg.cho_solve", SPD, Arg((3,)), call=lambda f, a, b: f((a, True), b)),
    _row("linalg.lstsq", Arg((4, 2)), Arg((4,)), call=lambda f, a, b: f(a, b)[:2]),
    _row("linalg.lstsq", DROPPED, Arg((4,)), label="-truncated", call=lambda f, a, b: f(a, b, cond=0.3)[0]),
    *(_row(f"linalg.{name}", SPD, name="matrix_function_on_host", call=call) for name, call in MATRIX_FUNCTIONS),
    _row("linalg.logm", COMPLEX, name="matrix_function_on_host", label="-complex", order=1),
    *(
        _row(f"linalg.{name}", SPD, name="matrix_function", label="-hermitian", call=_of_symmetric(call))
        for name, call in MATRIX_FUNCTIONS
    ),
    _row("linalg.toeplitz", Arg((4,)), Arg((3,))),
    _row("linalg.circulant", Arg((4,))),
    _row("linalg.block_diag", Arg((2, 2)), Arg((3,)), Arg((2, 1))),
    _row("signal.convolve", Arg((4, 5)), Arg((2, 3)), call=lambda f, x, y: f(x, y, "same")),
    _row("signal.fftconvolve", Arg((6,), kind="complex"), Arg((3,)), order=1),
    _row("signal.correlate", Arg((4,)), Arg((6,)), call=lambda f, x, y: f(x, y, "valid")),
    _row("signal.convolve2d", Arg((4, 5)), Arg((2, 3)), call=lambda f, x, y: f(x, y, "same", "symm")),
    _row("signal.correlate2d", Arg((4, 5)), Arg((2, 3)), call=lambda f, x, y: f(x, y, "full", "wrap")),
    _row("signal.lfilter", B, A, SIGNAL, name="recursive_filter"),
    _row("signal.lfilter", B, A, SIGNAL, Arg((2, 2)), label="-state", call=lambda f, b, a, x, z: f(b, a, x, zi=z)),
    _row("signal.lfilter_zi", B, A),
    _row("signal.filtfilt", B, A, Arg((12,))),
    _row(
        "signal.sosfilt", Arg((2, 6), values=((0.5, 0.3, 0.2, 1.0, -0.4, 0.2), (0.4, 0.1, 0.1, 1.0, 0.3, 0.1)), grad=False),
        SIGNAL,
    ),
    _row("signal.detrend", SIGNAL),
    _row("signal.savgol_filter", SIGNAL, call=lambda f, x: f(x, 5, 2, 1)),
    _row("signal.savgol_filter", SIGNAL, label="-mirror", call=lambda f, x: f(x, 5, 2, mode="mirror")),
    _row("signal.upfirdn", B, SIGNAL, call=lambda f, h, x: f(h, x, 3, 2)),
    _row("signal.resample_poly", SIGNAL, call=lambda f, x: f(x, 3, 2, axis=1)),
    *(
        _row("ndimage.correlate1d", X34, Arg((3,)), label=f"-{m}", call=lambda f, x, w, m=m: f(x, w, 0, mode=m, cval=0.5))
        for m in EDGES
    ),
    _row("ndimage.convolve1d", X34, Arg((4,))),
    _row("ndimage.correlate", X34, Arg((2, 3))),
    _row("ndimage.convolve", X34, Arg((2, 3))),
    _row("ndimage.gaussian_filter", X34, call=lambda f, x: f(x, (1.0, 0.6))),
    _row("ndimage.gaussian_filter1d", X34, call=lambda f, x: f(x, 0.7, 0)),
    _row("ndimage.uniform_filter", X34, call=lambda f, x: f(x, (3, 2))),
    _row("ndimage.uniform_filter1d", X34, call=lambda f, x: f(x, 3)),
    _row("ndimage.sobel", X34),
    _row("ndimage.prewitt", X34),
    _row("ndimage.laplace", X34),
    _row("ndimage.map_coordinates", X34, Arg((2, 5), 0.1, 1.9), call=lambda f, x, c: f(x, c, order=1)),
    _row(
        "ndimage.map_coordinates", X34, Arg((2, 5), -3.9, 5.9), label="-reflect",
        call=lambda f, x, c: f(x, c, order=1, mode="reflect"),
    ),
    _row("ndimage.shift", X34, call=lambda f, x: f(x, (0.3, -0.6), order=1, mode="nearest")),
    *(
        _row("interpolate.CubicSpline", KNOTS, VALUES, PLACES, label=f"-{c}", call=lambda f, x, y, t, c=c: f(x, y, bc_type=c)(t))
        for c in ("not-a-knot", "natural", "clamped")
    ),
    _row("interpolate.CubicSpline", KNOTS, VALUES, PLACES, label="-slope", call=lambda f, x, y, t: f(x, y)(t, 1)),
    _row("interpolate.CubicHermiteSpline", KNOTS, VALUES, VALUES, PLACES, call=lambda f, x, y, d, t: f(x, y, d)(t)),
    _row("interpolate.PchipInterpolator", KNOTS, VALUES, PLACES, call=lambda f, x, y, t: f(x, y)(t)),
    _row("interpolate.make_interp_spline", KNOTS, VALUES, PLACES, call=lambda f, x, y, t: f(x, y)(t)),
    _row("interpolate.interp1d", KNOTS, VALUES, PLACES, call=lambda f, x, y, t: f(x, y, axis=0)(t)),
    _row(
        "interpolate.RegularGridInterpolator", KNOTS, Arg((5, 3)), Arg((4, 2), 0.1, 1.9),
        call=lambda f, x, v, t: f((x, [0.0, 1.0, 2.0]), v)(t),
    ),
]  # fmt: skip
