"""Smooth elementwise functions at extreme arguments: value, first and second derivative against mpmath.

Wherever the right number is representable, the relative error is below 1e-6 in float64 and 1e-4 in float32: tails do not cancel,
and squares do not overflow in between. The references are the functions' definitions in 1,050 digits, and their central
differences. Exceptions are in `EXCEPTIONS`, with their range.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad.nn import functional

mp = pytest.importorskip("mpmath").MPContext()  # a separate context, with many digits
mp.dps = 1050
mpf = mp.mpf
RTOL = {"float64": 1e-6, "float32": 1e-4}

_SIZES = (
    "0 1e-300 1e-160 1e-45 1e-38 1e-30 1e-20 1e-15 1e-10 1e-7 1e-5 1e-3 0.01 0.1 0.5 0.9 0.999 0.9999999 "
    "0.9999999999 1 1.0000000001 1.0000002 1.001 1.1 1.5 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 20 25 30 "
    "37 38 40 45 50 60 80 88 89 90 100 104 110 150 200 300 354 356 400 600 700 709 710 745 1e3 1e4 1e5 1e7 1e8 "
    "1e10 1e12 1e15 1.7e19 1e20 1e25 1e30 1e37 3e38 1e50 1e77 1e100 1e154 1e155 1e200 1e300 1.7e308"
).split()
GRID = sorted({s * float(v) for v in _SIZES for s in (1, -1)})


def grid(dtype: str, inside: Callable[[float], bool]) -> np.ndarray:
    """The points of the domain that the dtype can represent, moved slightly where a point stands for its neighbourhood."""
    with np.errstate(over="ignore"):
        x = np.unique(np.asarray(GRID).astype(dtype))
    x = x[np.isfinite(x)]
    return x[[inside(float(v)) for v in x]]


# ------------------------------------------------------------------------------------------------------------ functions


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def _softplus(x: Any) -> Any:
    return mp.log1p(mp.exp(x)) if x < 0 else x + mp.log1p(mp.exp(-x))


def _gelu(x: Any) -> Any:
    return x * mp.erfc(-x / mp.sqrt(2)) / 2 if abs(x) < 1e5 else max(x, mpf(0))


def _gelu_tanh(x: Any) -> Any:
    u = mp.sqrt(mpf(2) / mp.pi) * (x + mpf("0.044715") * x**3)
    return x * _sigmoid(2 * u)


def _sinc(x: Any) -> Any:
    return mp.sinpi(x) / (mp.pi * x) if x else mpf(1)


def _j(n: int) -> Callable[[Any], Any]:
    def j(x: Any) -> Any:
        if not x:
            return mpf(n == 0)
        if abs(x) < 0.5:  # use the series, since the quotient cancels
            total, term, k = mpf(0), x**n / mp.fac2(2 * n + 1), 0
            while not k or abs(term) > abs(total) * mpf(10) ** -mp.dps:
                total, k = total + term, k + 1
                term = term * (-x * x / 2) / (k * (2 * n + 2 * k + 1))
            return total
        low, high = mp.sin(x) / x, mp.sin(x) / x**2 - mp.cos(x) / x
        for k in range(1, n):
            low, high = high, (2 * k + 1) / x * high - low
        return high if n else low

    return j


def _softplus2(x: Any) -> Any:
    return _softplus(x * mp.log(2)) / mp.log(2)


def _acot(x: Any) -> Any:
    return mp.pi / 2 - mp.atan(x) if x <= 0 else mp.atan(1 / x)


def _cbrt(x: Any) -> Any:
    return mp.sign(x) * abs(x) ** (mpf(1) / 3)


def everywhere(x: float) -> bool:
    return True


def smooth_off_zero(x: float) -> bool:
    return x != 0


UNARY: dict[str, tuple[Callable[[Any], Any], Callable[[Any], Any], Callable[[float], bool]]] = {
    "abs": (xgrad.abs, abs, smooth_off_zero),
    "acos": (xgrad.acos, mp.acos, lambda x: abs(x) < 1),
    "acosh": (xgrad.acosh, mp.acosh, lambda x: x > 1),
    "asin": (xgrad.asin, mp.asin, lambda x: abs(x) < 1),
    "asinh": (xgrad.asinh, lambda x: mp.sign(x) * mp.asinh(abs(x)), everywhere),
    "atan": (xgrad.atan, mp.atan, everywhere),
    "atanh": (xgrad.atanh, lambda x: (mp.log1p(x) - mp.log1p(-x)) / 2, lambda x: abs(x) < 1),
    "cbrt": (xgrad.cbrt, _cbrt, smooth_off_zero),
    "cos": (xgrad.cos, mp.cos, everywhere),
    "cosh": (xgrad.cosh, lambda x: (mp.exp(x) + mp.exp(-x)) / 2, everywhere),
    "deg2rad": (xgrad.deg2rad, lambda x: x * mp.pi / 180, everywhere),
    "divide by": (lambda x: 3.0 / x, lambda x: 3 / x, smooth_off_zero),
    "divide": (lambda x: x / 3.0, lambda x: x / 3, everywhere),
    "elu": (xgrad.elu, lambda x: x if x > 0 else mp.expm1(x), smooth_off_zero),
    "elu 2": (lambda x: xgrad.elu(x, 2.0), lambda x: x if x > 0 else 2 * mp.expm1(x), smooth_off_zero),
    "erf": (xgrad.erf, lambda x: mp.erf(x) if abs(x) < 50 else mpf(mp.sign(x)), everywhere),
    "exp": (xgrad.exp, mp.exp, everywhere),
    "exp2": (xgrad.exp2, lambda x: mpf(2) ** x, everywhere),
    "expm1": (xgrad.expm1, mp.expm1, everywhere),
    "gelu": (xgrad.gelu, _gelu, everywhere),
    "gelu tanh": (lambda x: xgrad.gelu(x, approximate="tanh"), _gelu_tanh, everywhere),
    "leaky_relu": (xgrad.leaky_relu, lambda x: x if x > 0 else x * mpf(0.01), smooth_off_zero),
    "log": (xgrad.log, mp.log, lambda x: x > 0),
    "log10": (xgrad.log10, lambda x: mp.log(x) / mp.log(10), lambda x: x > 0),
    "log1p": (xgrad.log1p, mp.log1p, lambda x: x > -1),
    "log2": (xgrad.log2, lambda x: mp.log(x) / mp.log(2), lambda x: x > 0),
    "logsigmoid": (xgrad.logsigmoid, lambda x: -_softplus(-x), everywhere),
    "negative": (xgrad.negative, lambda x: -x, everywhere),
    "power 0.5": (lambda x: x**0.5, mp.sqrt, lambda x: x > 0),
    "power 1.5": (lambda x: x**1.5, lambda x: x * mp.sqrt(x), lambda x: x > 0),
    "power 2": (lambda x: x**2, lambda x: x * x, everywhere),
    "power 3": (lambda x: x**3, lambda x: x**3, everywhere),
    "power -1": (lambda x: x**-1, lambda x: 1 / x, smooth_off_zero),
    "power -2": (lambda x: x**-2, lambda x: 1 / x**2, smooth_off_zero),
    "power -0.5": (lambda x: x**-0.5, lambda x: 1 / mp.sqrt(x), lambda x: x > 0),
    "rad2deg": (xgrad.rad2deg, lambda x: x * 180 / mp.pi, everywhere),
    "reciprocal": (xgrad.reciprocal, lambda x: 1 / x, smooth_off_zero),
    "relu": (xgrad.relu, lambda x: max(x, mpf(0)), smooth_off_zero),
    "scalar to the power": (lambda x: 2.5**x, lambda x: mpf(2.5) ** x, everywhere),
    "sigmoid": (xgrad.sigmoid, _sigmoid, everywhere),
    "silu": (xgrad.silu, lambda x: x * _sigmoid(x), everywhere),
    "sin": (xgrad.sin, mp.sin, everywhere),
    "sinc": (xgrad.sinc, _sinc, everywhere),
    "sinh": (xgrad.sinh, mp.sinh, everywhere),
    "softplus": (xgrad.softplus, _softplus, everywhere),
    "spherical_jn 0": (functools.partial(xgrad.spherical_jn, 0), _j(0), everywhere),
    "spherical_jn 1": (functools.partial(xgrad.spherical_jn, 1), _j(1), everywhere),
    "spherical_jn 3": (functools.partial(xgrad.spherical_jn, 3), _j(3), everywhere),
    "sqrt": (xgrad.sqrt, mp.sqrt, lambda x: x > 0),
    "square": (xgrad.square, lambda x: x * x, everywhere),
    "tan": (xgrad.tan, mp.tan, everywhere),
    "tanh": (xgrad.tanh, mp.tanh, everywhere),
    # losses of one number, and softmax of two
    "log_softmax": (lambda x: _first(xgrad.log_softmax, x), lambda x: -_softplus(-x), everywhere),
    "softmax": (lambda x: _first(xgrad.softmax, x), _sigmoid, everywhere),
    "logsumexp": (lambda x: xgrad.logsumexp(_beside_zero(x), axis=-1), _softplus, everywhere),
    "cross_entropy": (lambda x: _cross_entropy(x), lambda x: _softplus(-x), everywhere),
    "binary_cross_entropy_with_logits 0": (lambda x: _bce(x, 0.0), _softplus, everywhere),
    "binary_cross_entropy_with_logits 1": (lambda x: _bce(x, 1.0), lambda x: _softplus(-x), everywhere),
    "logaddexp with 0": (lambda x: xgrad.logaddexp(x, xgrad.zeros_like(x)), _softplus, everywhere),
    "logaddexp2 with 0": (lambda x: xgrad.logaddexp2(x, xgrad.zeros_like(x)), _softplus2, everywhere),
    "hypot with 1": (lambda x: xgrad.hypot(x, xgrad.ones_like(x)), lambda x: mp.sqrt(x * x + 1), everywhere),
    "atan2 to 1": (lambda x: xgrad.atan2(x, xgrad.ones_like(x)), mp.atan, everywhere),
    "atan2 of 1": (lambda x: xgrad.atan2(xgrad.ones_like(x), x), _acot, everywhere),
}  # fmt: skip


def _beside_zero(x: Any) -> Any:
    return xgrad.stack([x, xgrad.zeros_like(x)], axis=-1)


def _first(f: Callable[..., Any], x: Any) -> Any:
    return f(_beside_zero(x), axis=-1)[..., 0]


def _cross_entropy(x: Any) -> Any:
    return functional.cross_entropy(_beside_zero(x), xgrad.zeros(x.shape, dtype=xgrad.int64), reduction="none")


def _bce(x: Any, target: float) -> Any:
    return functional.binary_cross_entropy_with_logits(x, xgrad.full_like(x, target).detach(), reduction="none")


# ------------------------------------------------------------------------------------------------------------ reference


def reference(f: Callable[[Any], Any], x: float) -> tuple[Any, Any, Any]:
    """``f(x)``, ``f'(x)`` and ``f''(x)`` in many digits, by central differences with a very small step."""
    at = mpf(x)
    h = mpf(10) ** -25 * min(abs(at), mpf(1)) if x else mpf(10) ** -300
    y, up, down = f(at), f(at + h), f(at - h)
    return y, (up - down) / (2 * h), (up - 2 * y + down) / (h * h)


def derivatives(f: Callable[[Any], Any], x: np.ndarray) -> list[np.ndarray]:
    """Value, first and second derivative of an elementwise function."""
    leaf = xgrad.Tensor(x, requires_grad=True)
    y = f(leaf)
    results = [y.detach().numpy()]
    (first,) = [xgrad.grad(lambda t: xgrad.sum(f(t)))]
    results.append(first(x))
    results.append(xgrad.grad(lambda t: xgrad.sum(first(t)))(x))
    return results


def error(got: float, wanted: Any, dtype: str) -> float:
    """The relative error of `got`; 0 where `got` and the right number are both too large or too small for the dtype."""
    facts = np.finfo(dtype)
    if abs(wanted) > facts.max:
        return 0.0 if math.isinf(got) and (got > 0) == (wanted > 0) else math.inf
    if not math.isfinite(got):
        return math.inf
    if abs(wanted) < facts.tiny and abs(got) <= 2 * facts.tiny:
        return 0.0
    return float(abs(mpf(got) - wanted) / max(abs(wanted), mpf(float(facts.tiny))))


# ------------------------------------------------------------------------------------------------------------ the table

EXCEPTIONS: dict[tuple[str, int], tuple[Callable[[float], bool], str]] = {
    ("softmax", 2): (
        lambda x: abs(x) < 0.01,
        "the second derivative passes through 0 where shares are equal, and is a difference of two that were rounded: its "
        "error is absolute there, of the order of the dtype's epsilon",
    ),
}
"""By function and order: where the relative error is not guaranteed, and why."""


@functools.cache
def wanted(name: str, x: float) -> tuple[Any, Any, Any]:
    return reference(UNARY[name][1], x)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", sorted(UNARY))
def test_value_and_two_derivatives_at_extremes(name: str, dtype: str) -> None:
    f, _, inside = UNARY[name]
    x = grid(dtype, inside)
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):  # for results that are infinite
        got = derivatives(f, x)
    wrong = []
    for i, v in enumerate(x.tolist()):
        for order in range(3):
            outside = EXCEPTIONS.get((name, order))
            if outside is not None and outside[0](v):
                assert abs(got[order][i] - float(wanted(name, v)[order])) < 10 * np.finfo(dtype).eps
                continue
            off = error(float(got[order][i]), wanted(name, v)[order], dtype)
            if off > RTOL[dtype]:
                wrong.append(f"order {order} at {v!r}: {got[order][i]!r} for {mp.nstr(wanted(name, v)[order], 8)}, {off:.1e} off")
    assert not wrong, "\n".join([name, *wrong])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", sorted(UNARY))
def test_no_inner_value_overflows_or_is_invalid_where_the_result_is_finite(name: str, dtype: str) -> None:
    f, _, inside = UNARY[name]
    x = grid(dtype, inside)
    with np.errstate(all="ignore"):
        x = x[np.all([np.isfinite(v) for v in derivatives(f, x)], axis=0)]
    with np.errstate(all="raise", under="ignore"):
        f(xgrad.Tensor(x))
        # the sum of the function may overflow; it is not an inner value of the function
        gradient = xgrad.vjp(f, x)[1](np.ones_like(x))[0]
        assert np.all(np.isfinite(np.asarray(gradient)))
        leaf = xgrad.Tensor(x, requires_grad=True)
        f(leaf).backward(xgrad.ones_like(leaf.detach()), create_graph=True)
        first = leaf.grad
        leaf.zero_grad()
        if first.requires_grad:
            first.backward(xgrad.ones_like(leaf.detach()))


def test_every_smooth_function_of_one_real_number_is_in_the_table() -> None:
    steps = {"ceil", "floor", "round", "sign", "trunc", "conj", "imag", "positive", "real", "abs", "angle", "nan_to_num"}
    whole = {"bitwise_invert", "isfinite", "isinf", "isnan", "logical_not", "signbit"}
    known = {name.partition(" ")[0] for name in UNARY} | steps | whole
    chapters = (xgrad.ops.elementwise, xgrad.ops.beyond.ufuncs)
    names = [n for chapter in chapters for n in chapter.__all__ if len(getattr(xgrad, n).op.arrays) == 1]
    activations = "elu erf gelu leaky_relu log_softmax logsigmoid logsumexp relu sigmoid silu softmax softplus".split()
    assert set(names) - {"unwrap", "clip"} | set(activations) <= known


_PAIRS = [-1e300, -1e25, -700.0, -40.0, -3.0, -1e-3, -1e-20, 1e-300, 1e-9, 0.5, 2.0, 12.0, 89.0, 710.0, 1e10, 1e30, 1e200]

BINARY: dict[str, tuple[Callable[..., Any], Callable[..., Any], Callable[[float, float], bool]]] = {
    "atan2": (xgrad.atan2, lambda a, b: mp.atan2(a, b), lambda a, b: True),
    "hypot": (xgrad.hypot, lambda a, b: mp.sqrt(a * a + b * b), lambda a, b: True),
    "logaddexp": (xgrad.logaddexp, lambda a, b: max(a, b) + mp.log1p(mp.exp(-abs(a - b))), lambda a, b: True),
    "divide": (xgrad.divide, lambda a, b: a / b, lambda a, b: True),
    "multiply": (xgrad.multiply, lambda a, b: a * b, lambda a, b: True),
}


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", sorted(BINARY))
def test_gradients_of_two_numbers_at_extremes(name: str, dtype: str) -> None:
    f, exact, inside = BINARY[name]
    with np.errstate(over="ignore"):
        points = np.unique(np.asarray(_PAIRS).astype(dtype))
    points = points[np.isfinite(points) & (points != 0)]
    pairs = [(a, b) for a in points for b in points if inside(float(a), float(b))]
    a, b = (np.array(v) for v in zip(*pairs))
    with np.errstate(over="ignore", divide="ignore", invalid="ignore", under="ignore"):
        y = f(xgrad.Tensor(a), xgrad.Tensor(b)).numpy()
        firsts = xgrad.grad(lambda a, b: xgrad.sum(f(a, b)), argnums=(0, 1))(a, b)
    wrong = []
    for i, (p, q) in enumerate(pairs):
        p, q = mpf(float(p)), mpf(float(q))
        right = [exact(p, q)]
        for k, at in enumerate((p, q)):
            h = mpf(10) ** -25 * min(abs(at), mpf(1))
            up, down = (exact(p + s * h * (k == 0), q + s * h * (k == 1)) for s in (1, -1))
            right.append((up - down) / (2 * h))
        for label, got, it in zip(("value", "by the first", "by the second"), (y, *firsts), right):
            off = error(float(got[i]), it, dtype)
            if off > RTOL[dtype]:
                wrong.append(f"{label} at {float(p)!r}, {float(q)!r}: {got[i]!r} for {mp.nstr(it, 8)}, {off:.1e} off")
    assert not wrong, "\n".join([name, *wrong])


@pytest.mark.parametrize(
    "logits", [(50.0, 0.0, -3.0), (0.0, 800.0, 790.0), (-1e4, 0.0, 20.0), (40.0, 40.0, 0.0), (0.0, -60.0, -90.0)]
)
def test_softmax_of_three_keeps_the_tails_of_its_gradients(logits: tuple[float, ...]) -> None:
    x = np.array(logits)
    p = [mp.exp(mpf(v) - max(logits)) for v in logits]
    p = [v / sum(p) for v in p]
    n = len(logits)
    for i in range(n):
        gradient = xgrad.grad(lambda x, i=i: xgrad.softmax(x)[i])
        right = [p[i] * ((i == j) - p[j]) if i != j else p[i] * sum(p[k] for k in range(n) if k != i) for j in range(n)]
        for got, want in zip(gradient(x), right):
            assert error(float(got), want, "float64") < 1e-9
        loss = xgrad.grad(lambda x, i=i: functional.cross_entropy(x, i))
        for j, got in enumerate(loss(x)):
            want = p[j] if j != i else -sum(p[k] for k in range(n) if k != i)
            assert error(float(got), want, "float64") < 1e-9
        assert error(float(xgrad.log_softmax(x)[i]), mp.log(p[i]), "float64") < 1e-9
