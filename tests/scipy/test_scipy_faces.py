"""`xgrad.scipy` beyond its rows in the table: SciPy's values for every option, and what is refused."""

from __future__ import annotations

import importlib
import inspect
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor
from xgrad.scipy import fft, interpolate, linalg, ndimage, signal
from xgrad.testing import check_grads

pytest.importorskip("scipy")
import scipy.fft
import scipy.interpolate
import scipy.linalg
import scipy.ndimage
import scipy.signal

RNG = np.random.default_rng(3)
X, K, K4 = RNG.normal(size=(5, 6)), RNG.normal(size=(3, 2)), RNG.normal(size=(4, 3))
Z, KZ = X + 1j * X**2, K - 1j
B, A = np.array([0.5, 0.2, 0.1]), np.array([2.0, -0.4, 0.3, 0.1])
LONG = RNG.normal(size=(2, 40))


def same(ours: Callable[..., Any], theirs: Callable[..., Any], *args: Any, **options: Any) -> None:
    """Both return the same; arrays of floating numbers go to ours as Tensors."""
    wanted = theirs(*args, **options)
    lift = lambda x: Tensor(x) if isinstance(x, np.ndarray) and x.dtype.kind in "fc" else x
    got = ours(*map(lift, args), **{name: lift(value) for name, value in options.items()})
    pairs = zip(wanted, got) if isinstance(wanted, tuple) else [(wanted, got)]
    for a, b in pairs:
        np.testing.assert_allclose(b.numpy() if isinstance(b, Tensor) else b, a, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("name", ["dct", "idct", "dst", "idst"])
@pytest.mark.parametrize("kind", [1, 2, 3, 4])
def test_cosine_and_sine_transforms(name: str, kind: int) -> None:
    norms, lengths = (None, "backward", "ortho", "forward"), (None, 3, 9)
    for norm, n, orthogonal, size in itertools.product(norms, lengths, (None, True, False), (2, 5, 8)):
        x = RNG.normal(size=(3, size))
        same(getattr(fft, name), getattr(scipy.fft, name), x, kind, n=n, norm=norm, orthogonalize=orthogonal)
    same(getattr(fft, name), getattr(scipy.fft, name), Z, kind, axis=0)
    same(getattr(fft, name + "n"), getattr(scipy.fft, name + "n"), X, kind, s=(4, 7))
    same(getattr(fft, name + "n"), getattr(scipy.fft, name + "n"), X, kind, axes=1)


def test_scipy_fft_takes_tensors_through_its_backends() -> None:
    x = Tensor(X, requires_grad=True)
    with scipy.fft.set_backend(fft):
        y = scipy.fft.dct(x, 2, None, -1, "ortho", False)
        np.testing.assert_allclose(scipy.fft.dct(X), scipy.fft.dct(X))  # NumPy's arrays are still SciPy's
    (y * y).sum().backward()
    np.testing.assert_allclose(x.grad.numpy(), 2 * X)  # type: ignore[union-attr]


@pytest.mark.parametrize("mode", ["full", "same", "valid"])
def test_convolution(mode: str) -> None:
    for x, y in ((X, K), (X, K4), (Z, KZ), (K, X)):
        same(signal.convolve, scipy.signal.convolve, x, y, mode)
        same(signal.correlate, scipy.signal.correlate, x, y, mode)
        for boundary, fill in itertools.product(("fill", "wrap", "symm"), (0, 1.5)):
            if mode != "valid" or x is not K:
                same(signal.convolve2d, scipy.signal.convolve2d, x, y, mode, boundary, fill)
                same(signal.correlate2d, scipy.signal.correlate2d, x, y, mode, boundary, fill)


def test_recursive_filters() -> None:
    same(signal.lfilter, scipy.signal.lfilter, B, A, X, axis=0)
    for length, order in itertools.product((6, 2, 1), (1, 2, 4)):
        state = RNG.normal(size=(5, max(order, 3) - 1))
        same(signal.lfilter, scipy.signal.lfilter, B, A[:order], X[:, :length], zi=state)
    for padtype in ("odd", "even", "constant", None):
        same(signal.filtfilt, scipy.signal.filtfilt, B, A, LONG, padtype=padtype)
    sections = scipy.signal.butter(4, 0.3, output="sos")
    same(signal.sosfilt, scipy.signal.sosfilt, sections, LONG, zi=RNG.normal(size=(2, 2, 2)))


def test_smoothing_and_resampling() -> None:
    for window, mode, deriv in itertools.product((4, 5, 7), ("interp", "mirror", "constant", "nearest", "wrap"), (0, 1)):
        same(signal.savgol_filter, scipy.signal.savgol_filter, LONG, window, 2, deriv=deriv, mode=mode, cval=1.0)
    for up, down in ((1, 1), (2, 1), (3, 2), (1, 3)):
        same(signal.upfirdn, scipy.signal.upfirdn, B, LONG, up, down)
        same(signal.resample_poly, scipy.signal.resample_poly, LONG, up, down, axis=1)
        same(signal.resample_poly, scipy.signal.resample_poly, LONG, up, down, axis=1, window=B)
    for kind in ("linear", "constant"):
        same(signal.detrend, scipy.signal.detrend, LONG, type=kind)


@pytest.mark.parametrize("mode", ["reflect", "mirror", "nearest", "wrap", "constant", "grid-wrap", "grid-constant"])
def test_filters_of_images(mode: str) -> None:
    for name, origin, size in itertools.product(("correlate", "convolve"), (0, -1), ((3, 2), (3, 3), (9, 3))):
        kernel = RNG.normal(size=size)
        same(
            getattr(ndimage, name),
            getattr(scipy.ndimage, name),
            X,
            kernel,
            mode=mode,
            cval=0.7,
            origin=(0, origin if size[1] > 2 else 0),
        )
    same(ndimage.gaussian_filter, scipy.ndimage.gaussian_filter, X, (1.0, 0.7), mode=mode)
    same(ndimage.uniform_filter, scipy.ndimage.uniform_filter, X, (3, 4), mode=mode)
    for name in ("sobel", "prewitt"):
        same(getattr(ndimage, name), getattr(scipy.ndimage, name), X, axis=0, mode=mode)
    same(ndimage.laplace, scipy.ndimage.laplace, X, mode=mode)
    if mode != "wrap":
        places = RNG.uniform(-3, 9, size=(2, 50))
        for order in (0, 1):
            same(ndimage.map_coordinates, scipy.ndimage.map_coordinates, X, places, order=order, mode=mode, cval=0.3)
            same(ndimage.shift, scipy.ndimage.shift, X, (0.3, -1.2), order=order, mode=mode, cval=0.3)


@pytest.mark.parametrize("n", [2, 3, 4, 8])
def test_splines(n: int) -> None:
    x, t = np.arange(n) * 0.7 + RNG.uniform(0, 0.5, size=n), RNG.uniform(-0.5, 4, size=(3, 7))
    y = RNG.normal(size=(2, n, 3))
    for condition, nu in itertools.product(("not-a-knot", "natural", "clamped", "periodic"), range(5)):
        closed = np.concatenate([y[:, :-1], y[:, :1]], axis=1) if condition == "periodic" else y
        run = lambda m: lambda x, y, t: m.CubicSpline(x, y, axis=1, bc_type=condition)(t, nu)  # noqa: B023
        same(run(interpolate), run(scipy.interpolate), x, closed, t)
    for name in ("PchipInterpolator", "CubicHermiteSpline"):
        slopes = [y**2] if name == "CubicHermiteSpline" else []
        run = lambda m: lambda x, t, *ys: getattr(m, name)(x, *ys, axis=1)(t)  # noqa: B023
        same(run(interpolate), run(scipy.interpolate), x, t, y, *slopes)
    for kind in ("linear", "nearest", "previous", "next", *["cubic"] * (n > 3)):
        run = lambda m: lambda x, y, t: m.interp1d(x, y, kind, axis=1, bounds_error=False)(t)  # noqa: B023
        same(run(interpolate), run(scipy.interpolate), x, y, t)


@pytest.mark.parametrize("method", ["linear", "nearest"])
@pytest.mark.parametrize("fill", [None, 1.5])
def test_grids(method: str, fill: float | None) -> None:
    grid = (np.array([0.0, 1.0, 3.0]), np.array([0.0, 0.5, 2.0, 3.0]))
    run = lambda m: lambda v, t: m.RegularGridInterpolator(grid, v, method, bounds_error=False, fill_value=fill)(t)
    same(run(interpolate), run(scipy.interpolate), RNG.normal(size=(3, 4, 2)), RNG.uniform(-0.5, 3.5, size=(4, 5, 2)))


@pytest.mark.parametrize("size", [1e-3, 1.0, 20.0])
def test_matrix_exponential_of_any_size(size: float) -> None:
    a = RNG.normal(size=(2, 4, 4)) * size
    wanted = scipy.linalg.expm(a)
    np.testing.assert_allclose(linalg.expm(Tensor(a)).numpy(), wanted, rtol=1e-10, atol=1e-12 * np.abs(wanted).max())


def test_gradients_of_parameters_that_are_usually_fixed() -> None:
    check_grads(lambda x, s: ndimage.gaussian_filter(x, s), (X, np.array(0.8)), order=2)
    check_grads(lambda x, s: ndimage.shift(x, s, order=1), (X, np.array([0.3, -0.6])), order=2)
    check_grads(lambda b, a, x: signal.filtfilt(b, a, x), (B, A, LONG[:1, :14]), order=2)


@pytest.mark.parametrize(
    ("call", "error", "told"),
    [
        (lambda x: fft.dct(x, 5), ValueError, "type=5"),
        (lambda x: fft.dct(x, norm="other"), ValueError, "norm='other'"),
        (lambda x: fft.dct(x, axis=2), ValueError, "axis 2"),
        (lambda x: linalg.solve(x, x), ValueError, "must be square"),
        (lambda x: linalg.solve(x, x, assume_a="banded"), ValueError, "assume_a='banded'"),
        (lambda x: linalg.expm(x), ValueError, "must be square"),
        (lambda x: signal.convolve(x, x[0]), ValueError, "the same number"),
        (lambda x: signal.convolve(x, x, "other"), ValueError, "mode='other'"),
        (lambda x: signal.convolve(x, x.mT, "valid"), ValueError, "contain the other"),
        (lambda x: signal.lfilter(B, A, x, zi=x), ValueError, "zi has length 6"),
        (lambda x: signal.filtfilt(B, A, x), ValueError, "more than padlen, 12"),
        (lambda x: signal.savgol_filter(x, 9, 2), ValueError, "window_length 9"),
        (lambda x: ndimage.correlate1d(x, [1.0], mode="other"), ValueError, "mode='other'"),
        (lambda x: ndimage.correlate1d(x, [1.0, 1.0], origin=5), ValueError, "origin 5"),
        (lambda x: ndimage.map_coordinates(x, x[:2]), NotImplementedError, "pass order=1"),
        (lambda x: ndimage.map_coordinates(x, x, order=1), ValueError, "first axis must be 2"),
        (lambda x: interpolate.CubicSpline(x[0], x), ValueError, "elements are needed"),
        (lambda x: interpolate.CubicSpline([0.0, 0.0], [1.0, 2.0]), ValueError, "must increase"),
        (lambda x: interpolate.interp1d([0.0, 1.0], [0.0, 1.0])([2.0]), ValueError, "beyond the ends"),
        (lambda x: interpolate.RegularGridInterpolator(([0.0, 1.0],), x), ValueError, "points have lengths"),
    ],
)
def test_what_is_refused(call: Callable[..., Any], error: type[Exception], told: str) -> None:
    with pytest.raises(error, match=told):
        call(Tensor(X))


def test_python_numbers_keep_their_digits_beside_double_precision() -> None:
    assert xgrad.get_default_dtype() == xgrad.float32
    y = ndimage.correlate1d(Tensor(X), [0.1, 0.2, 0.3])
    np.testing.assert_allclose(y.numpy(), scipy.ndimage.correlate1d(X, [0.1, 0.2, 0.3]), rtol=1e-14)


def test_a_number_taken_by_compiled_code_raises() -> None:
    """Pitfall 31: quad takes Python floats from the integrand, and would go on without the gradient."""
    from scipy import integrate

    c = Tensor(2.0, requires_grad=True)
    assert float(c * 1) == 2.0  # the user's own look at a number
    with pytest.raises(xgrad.GradientError, match="leave its graph silently"):
        integrate.quad(lambda t: c * t, 0.0, 1.0)


OWN_KEYWORDS = {"hermitian"}
"""What SciPy has not, and that can be named only."""


@pytest.mark.parametrize("module", [fft, interpolate, linalg, ndimage, signal], ids=lambda m: m.__name__)
def test_arguments_stand_where_scipy_has_them_and_have_its_defaults(module: Any) -> None:
    theirs = importlib.import_module(module.__name__.removeprefix("xgrad."))
    for name in module.__all__:
        if not hasattr(theirs, name):
            continue
        own, other = (
            [p for p in inspect.signature(getattr(m, name)).parameters.values() if p.kind is not p.VAR_KEYWORD]
            for m in (module, theirs)
        )
        positional = [p.name for p in own if p.kind is p.POSITIONAL_OR_KEYWORD]
        assert positional == [p.name for p in other if p.kind is p.POSITIONAL_OR_KEYWORD][: len(positional)] or len(other) == 1, (
            name
        )
        defaults = {p.name: p.default for p in other}
        assert all(p.kind is p.KEYWORD_ONLY for p in own if p.name in OWN_KEYWORDS), name
        for p in own:
            if p.kind is not p.VAR_POSITIONAL and len(other) > 1 and p.name not in OWN_KEYWORDS:
                assert p.name in defaults and repr(p.default) == repr(defaults[p.name]), (name, p.name)


def test_ends_of_interpolants_mean_what_they_mean_to_scipy() -> None:
    x, y, at = np.arange(5.0), np.array([0.0, 2.0, -1.0, 3.0, 0.0]), np.linspace(-3.3, 8.7, 41)
    kinds = [("CubicSpline", {"bc_type": bc}) for bc in ("not-a-knot", "natural", "clamped", "periodic")]
    for (name, given), extrapolate in itertools.product(
        [*kinds, ("PchipInterpolator", {})], ("omitted", None, True, False, "periodic")
    ):
        options = given if extrapolate == "omitted" else {**given, "extrapolate": extrapolate}
        ours, theirs = (getattr(m, name)(x, y, **options)(at) for m in (interpolate, scipy.interpolate))
        np.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-10, atol=1e-11)
    for fill in (7.0, (-7.0, 7.0), "extrapolate", np.float64(2.0), (np.array(1.0), 2)):
        ours, theirs = (m.interp1d(x, y, "linear", -1, False, False, fill)(at) for m in (interpolate, scipy.interpolate))
        np.testing.assert_allclose(ours.numpy(), theirs)
    for wrong in ({"fill_value": "extra"}, {"fill_value": (1.0, 2.0, 3.0)}, {"fill_value": [1.0, 2.0]}):
        with pytest.raises((ValueError, NotImplementedError), match="fill_value"):
            interpolate.interp1d(x, y, **wrong)
    with pytest.raises(ValueError, match="extrapolate='yes' is not one of"):
        interpolate.CubicSpline(x, y, extrapolate="yes")
    with pytest.raises(ValueError, match="bc_type='natural' is for k=3"):
        interpolate.make_interp_spline(x, y, 1, bc_type="natural")
    for f in (ndimage.shift, lambda x, by, order: ndimage.map_coordinates(x, x[:1], order)):
        with pytest.raises(TypeError, match="output is not supported"):
            f(x, 0.5, 1)
