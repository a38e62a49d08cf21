"""Every smooth elementwise function at the ends of the number line: value, first and second derivative against mpmath.

Wherever the right number is representable, the relative error is below 1e-6 in float64 and 1e-4 in float32: tails do not cancel,
squares do not overflow on the way. The references are the functions' definitions in 1,100 digits, and central differences of
them. What stays outside is in `EXCEPTIONS`, with its range.
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

mp = pytest.importorskip("mpmath").MPContext()  # one of its own, with many digits
mp.dps = 1100
mpf = mp.mpf
RTOL = {"float64": 1e-6, "float32": 1e-4}

_SIZES = (
    "0 1e-300 1e-200 1e-160 1e-45 1e-38 1e-30 1e-22 1e-20 1e-15 1e-10 1e-8 1e-7 1e-5 1e-4 1e-3 0.01 0.1 0.3 0.5 0.7 0.9 0.999 0.99999 "
    "0.9999999 0.9999999999 1 1.0000000001 1.0000002 1.00001 1.001 1.1 1.5 2 2.5 3 3.5 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 25 "
    "30 35 37 38 40 43 45 50 60 70 80 87 88 89 90 100 103 104 110 150 175 200 250 300 350 354 356 370 400 500 600 700 709 710 740 745 "
    "800 1e3 1e4 1e5 1e6 1e7 1e8 1e10 1e12 1e15 1e18 1.7e19 1e20 1e25 1e30 1e37 3e38 1e50 1e77 1e100 1e150 1e154 1e155 1e200 1e300 1.7e308"
).split()
GRID = sorted({s * float(v) for v in _SIZES for s in (1, -1)})


def grid(dtype: str, inside: Callable[[float], bool]) -> np.ndarray:
    """The points of the domain that the dtype holds, each a little off where it stands for its neighbourhood."""
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
        if abs(x) < 0.5:  # the series: the quotient cancels
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
    "cross_entropy": (lambda x: functional.cross_entropy(_beside_zero(x), _zeros_of(x), reduction="none"), lambda x: _softplus(-x), everywhere),
    "binary_cross_entropy_with_logits 0": (lambda x: _bce(x, 0.0), _softplus, everywhere),
    "binary_cross_entropy_with_logits 1": (lambda x: _bce(x, 1.0), lambda x: _softplus(-x), everywhere),
    "logaddexp with 0": (lambda x: xgrad.logaddexp(x, xgrad.zeros_like(x)), _softplus, everywhere),
    "logaddexp2 with 0": (lambda x: xgrad.logaddexp2(x, xgrad.zeros_like(x)), lambda x: _softplus(x * mp.log(2)) / mp.log(2), everywhere),
    "hypot with 1": (lambda x: xgrad.hypot(x, xgrad.ones_like(x)), lambda x: mp.sqrt(x * x + 1), everywhere),
    "atan2 to 1": (lambda x: xgrad.atan2(x, xgrad.ones_like(x)), mp.atan, everywhere),
    "atan2 of 1": (lambda x: xgrad.atan2(xgrad.ones_like(x), x), lambda x: mp.pi / 2 - mp.atan(x) if x <= 0 else mp.atan(1 / x), everywhere),
}  # fmt: skip


def _beside_zero(x: Any) -> Any:
    return xgrad.stack([x, xgrad.zeros_like(x)], axis=-1)


def _first(f: Callable[..., Any], x: Any) -> Any:
    return f(_beside_zero(x), axis=-1)[..., 0]


def _zeros_of(x: Any) -> Any:
    return xgrad.zeros(x.shape, dtype=xgrad.int64)


def _bce(x: Any, target: float) -> Any:
    return functional.binary_cross_entropy_with_logits(x, xgrad.full_like(x, target).detach(), reduction="none")


# ------------------------------------------------------------------------------------------------------------ reference


def reference(f: Callable[[Any], Any], x: float) -> tuple[Any, Any, Any]:
    """``f(x)``, ``f'(x)`` and ``f''(x)`` in many digits, by central differences with a step far below what they are told by."""
    at = mpf(x)
    h = mpf(10) ** -60 * min(abs(at), mpf(1)) if x else mpf(10) ** -300
    y, up, down = f(at), f(at + h), f(at - h)
    return y, (up - down) / (2 * h), (up - 2 * y + down) / (h * h)


def derivatives(f: Callable[[Any], Any], x: np.ndarray) -> list[np.ndarray]:
    """Value, first and second derivative of an elementwise function."""
    leaf = xgrad.Tensor(x, requires_grad=True)
    y = f(leaf)
    found = [y.detach().numpy()]
    (first,) = [xgrad.grad(lambda t: xgrad.sum(f(t)))]
    found.append(first(x))
    found.append(xgrad.grad(lambda t: xgrad.sum(first(t)))(x))
    return found


def error(got: float, wanted: Any, dtype: str) -> float:
    """The relative error of `got`; 0 where the right number is too large or too small for the dtype, and `got` is so too."""
    facts = np.finfo(dtype)
    if abs(wanted) > facts.max:
        return 0.0 if math.isinf(got) and (got > 0) == (wanted > 0) else math.inf
    if not math.isfinite(got):
        return math.inf
    if abs(wanted) < facts.tiny and abs(got) <= 2 * facts.tiny:
        return 0.0
    return float(abs(mpf(got) - wanted) / max(abs(wanted), mpf(float(facts.tiny))))
