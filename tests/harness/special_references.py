"""Reference values of the special functions and their derivatives, from mpmath. ``python -m tests.harness.special_references [name ...]``.

Each case is a function of `xgrad.special`, what it is in mpmath, and the points where it is tried: extremes, edges between one
formula and another, and some in between. Of each argument that a function is differentiable by, the first and the second
derivative are found by differences, with so many digits that half as many give the same. What comes out is kept in
`tests/data/special_references.json`, since all of it takes minutes; `tests/ops/test_special_accuracy.py` compares xgrad with it.
"""

from __future__ import annotations

import itertools
import json
import math
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from mpmath import mp, mpf

DATA = Path(__file__).parents[1] / "data" / "special_references.json"

Point = tuple[float, ...]


@dataclass(frozen=True)
class Case:
    """A function, what it is in mpmath, and where it is tried."""

    name: str
    value: Callable[..., Any]
    """Of mpmath's numbers, one for each array argument."""
    points: Sequence[Point]
    by: tuple[int, ...]
    """The arguments that it is differentiated by."""
    of: tuple[Any, ...] = ()
    """Arguments that are no arrays."""
    base: tuple[int, ...] = ()
    """Orders of derivative of `value`, one for each argument, that the function is itself."""
    label: str = ""
    exact: Callable[..., list[Any]] | None = None
    """The value and its derivatives, of a function of one argument whose differences mpmath takes long to compute."""

    @property
    def id(self) -> str:
        """The name of the case."""
        return "-".join([self.name, *map(str, self.of)]) + f" ({self.label})" * bool(self.label)


# ------------------------------------------------------------------------------------------------------------------ points


def points(*lists: Iterable[float]) -> list[Point]:
    """All combinations, of numbers that float32 holds exactly if it can."""
    return list(dict.fromkeys(itertools.product(*([_short(x) for x in numbers] for numbers in lists))))


def _short(x: float) -> float:
    with np.errstate(all="ignore"):
        short = float(np.float32(x))
    near_one = abs(abs(x) - 1) < 1e-3 and abs(abs(short) - abs(x)) > 1e-3 * abs(abs(x) - 1)
    return short if (1.2e-38 < abs(short) < 3e38 or x == 0) and not near_one else float(x)


def both(numbers: Iterable[float]) -> list[float]:
    """With their negatives."""
    return [s * x for x in numbers for s in (1, -1)]


TINY = [1e-300, 1e-150, 1e-30, 1e-10, 1e-5]
SMALL = [1e-3, 0.03, 0.1, 0.3, 0.45, 0.5, 0.7, 0.9, 0.999, 1.0, 1.001, 1.2, 1.5, 1.9]
MIDDLE = [2.0, 2.5, 3.0, 4.0, 5.5, 7.0, 7.999, 8.001, 10.0, 12.5, 16.0, 20.0, 26.0, 30.0]
LARGE = [40.0, 50.0, 85.0, 88.0, 92.0, 100.0, 170.0, 300.0, 600.0, 700.0, 715.0]
HUGE = [1e3, 1e4, 1e5, 1e6, 1e8, 1e10, 1e15, 1e20, 1e30, 1e100, 1e200, 1e300]
POSITIVE = TINY + SMALL + MIDDLE + LARGE + HUGE
REAL = [0.0, *both(POSITIVE)]
BELOW_ONE = [1e-300, 1e-30, 1e-10, 1e-5, 1e-3, 0.02, 0.1, 0.3, 0.499, 0.5, 0.501, 0.7, 0.9, 0.99, 0.999, 1 - 2**-20, 1 - 2**-24]
NEAR_ONE = [*BELOW_ONE, 1 - 1e-10, 1 - 1e-15]
FEW = [1e-100, 1e-20, 1e-5, 0.1, 0.5, 1.0, 1.5, 3.0, 9.99, 10.01, 30.0, 300.0, 1e4, 1e6, 1e8, 1e12, 1e25]
SHAPES = [1e-3, 0.1, 0.5, 1.0, 2.5, 10.0, 40.0, 300.0, 1e4]
ORDERS = [0.0, 1.0, 2.0, 3.0, 5.0, 9.0]

# ------------------------------------------------------------------------------------------------- functions of mpmath


def _xlogy(x: Any, y: Any) -> Any:
    return x * mp.log(y) if x else mpf(0)


def _relative(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda x: f(x) / x if x else mpf(1)


_exprel, _log1prel = _relative(mp.expm1), _relative(mp.log1p)


def _boxcox(x: Any, l: Any) -> Any:
    log = mp.log(x)
    return log * _exprel(l * log)


def _boxcox1p(x: Any, l: Any) -> Any:
    return mp.log1p(x) * _exprel(l * mp.log1p(x))


def _log_inverse(x: Any, l: Any) -> Any:
    return x * _log1prel(l * x)


def _huber(d: Any, r: Any) -> Any:
    return r * r / 2 if abs(r) <= d else d * (abs(r) - d / 2)


def _degrees(x: Any) -> Any:
    return x * mp.pi / 180


def _ndtr(x: Any) -> Any:
    return mp.erfc(-x / mp.sqrt(2)) / 2


def _log_ndtr(x: Any) -> Any:
    return mp.log(_ndtr(x)) if x < 0 else mp.log1p(-mp.erfc(x / mp.sqrt(2)) / 2)


def _mills(x: Any) -> Any:
    return mp.npdf(x) / _ndtr(x)


def _gammaln(x: Any) -> Any:
    return mp.loggamma(x).real


def _beta(a: Any, b: Any) -> Any:
    return mp.gammaprod([a, b], [a + b])


def _betaln(a: Any, b: Any) -> Any:
    return _gammaln(a) + _gammaln(b) - _gammaln(a + b)


def _binom(n: Any, k: Any) -> Any:
    return mp.gammaprod([n + 1], [n - k + 1, k + 1])


def _multigammaln(a: Any) -> Any:
    return sum(_gammaln(a - mpf(j) / 2) for j in range(3)) + mpf(3) / 2 * mp.log(mp.pi)


def _polygamma(n: Any, x: Any) -> Any:
    return mp.psi(int(n), x)


def _gamma_p(a: Any, x: Any) -> Any:
    if x > a + 20:
        return 1 - mp.gammainc(a, x, mp.inf, regularized=True)
    return mp.gammainc(a, 0, x, regularized=True) if x else mpf(0)


def _gamma_q(a: Any, x: Any) -> Any:
    return 1 - _gamma_p(a, x) if x <= a + 20 else mp.gammainc(a, x, mp.inf, regularized=True)


def _gamma_density(a: Any, x: Any) -> Any:
    return mp.exp((a - 1) * mp.log(x) - x - _gammaln(a)) if x else mpf(a == 1)


def _beta_p(a: Any, b: Any, x: Any) -> Any:
    return mp.betainc(a, b, 0, x, regularized=True)


def _beta_q(a: Any, b: Any, x: Any) -> Any:
    return mp.betainc(b, a, 0, 1 - x, regularized=True)


def _beta_density(a: Any, b: Any, x: Any) -> Any:
    return mp.exp(_xlogy(a - 1, x) + _xlogy(b - 1, 1 - x) - _betaln(a, b))


def _odds_p(a: Any, b: Any, w: Any) -> Any:
    return _beta_p(a, b, w / (1 + w)) if w < 1 else 1 - _beta_p(b, a, 1 / (1 + w))


def _fdtr(m: Any, n: Any, x: Any) -> Any:
    return _odds_p(m / 2, n / 2, m * x / n)


def _fdtrc(m: Any, n: Any, x: Any) -> Any:
    return _odds_p(n / 2, m / 2, n / (m * x))


def _stdtr(df: Any, t: Any) -> Any:
    if t == 0:
        return mpf(1) / 2
    tail = _odds_p(df / 2, mpf(1) / 2, df / (t * t)) / 2
    return tail if t < 0 else 1 - tail


def _ie(n: int) -> Callable[[Any], Any]:
    return lambda x: mp.exp(-abs(x)) * mp.besseli(n, x)


def _k(n: int, scaled: int, first: int = 0) -> Callable[[Any], list[Any]]:
    """The derivatives from order `first` on of the function K, or that times ``exp(x)``, as sums of both orders (DLMF 10.29.3)."""

    def values(x: Any) -> list[Any]:
        a: dict[int, int] = {0: 1 - n}  # the factors of K of order 0 and of order 1, by negative powers of x
        b: dict[int, int] = {0: n}
        found = []
        for _ in range(first + 3):
            with mp.workdps(40 + 8 * max(0, int(mp.log10(x)))):
                k0, k1 = (mp.besselk(m, x) * (mp.exp(x) if scaled else 1) for m in (0, 1))
                found.append(sum(c * k0 / x**p for p, c in a.items()) + sum(c * k1 / x**p for p, c in b.items()))
            up: list[dict[int, int]] = [{}, {}]
            for k, p, c in [(0, p, c) for p, c in a.items()] + [(1, p, c) for p, c in b.items()]:
                for at, power, more in ((k, p + 1, -p * c), (k, p, scaled * c), (1 - k, p, -c), (1, p + 1, -c * k)):
                    up[at][power] = up[at].get(power, 0) + more
            a, b = up
        return found[first:]

    return values


def _quotient(n: int, kind: str) -> Callable[[Any], Any]:
    def value(x: Any) -> Any:
        if x == 0:
            return mpf(1) / (2**n * mp.factorial(n))
        scale = mp.exp(-abs(x)) if kind == "ie" else 1
        return scale * (mp.besselj if kind == "j" else mp.besseli)(n, x) / x**n

    return value


def _spence(x: Any) -> Any:
    if x > 2:  # the inversion formula, DLMF 25.12.4, since mpmath's series is slow there
        return -(mp.pi**2) / 6 - mp.log(x - 1) ** 2 / 2 - mp.polylog(2, 1 / (1 - x)).real
    return mp.polylog(2, 1 - x).real


def _lpmv(m: Any, v: Any, x: Any) -> Any:
    m, v = int(m), int(v)  # the derivative of order m of Legendre's polynomial, DLMF 14.7.8
    total = sum(
        (-1) ** k * math.comb(v, k) * math.comb(2 * v - 2 * k, v) * math.perm(v - 2 * k, m) * x ** (v - 2 * k - m)
        for k in range(v // 2 + 1)
        if v - 2 * k >= m
    )
    return (-1) ** m * (1 - x * x) ** (mpf(m) / 2) * total / 2**v


def _inverse(f: Callable[..., Any], start: str, log: bool = True) -> Callable[..., Any]:
    """The inverse of `f` in its last argument: Newton's method from SciPy's value."""

    def value(*arguments: Any) -> Any:
        import scipy.special

        *parameters, p = arguments
        plain = [int(v) if start == "bdtri" and i == 1 else float(v) for i, v in enumerate(arguments)]
        first = float(getattr(scipy.special, start)(*plain))
        x, exact = mpf(first), mp.prec
        if not math.isfinite(first) or first == 0:
            raise ValueError("SciPy has no value to start from")
        for prec in [80, 150, *(exact >> k for k in range(12, -1, -1) if exact >> k > 300), exact + 40, exact + 40]:
            with mp.workprec(prec + 60):
                h = abs(x) * mpf(2) ** (-prec // 3)
                slope = (f(*parameters, x + h) - f(*parameters, x - h)) / (2 * h)
                x = x - (f(*parameters, x) - p) / slope
        with mp.workprec(exact + 60):
            if abs(f(*parameters, x) - p) > abs(p) * mpf(2) ** (20 - exact):
                raise ValueError("no root was found")
        return x

    return value


# ------------------------------------------------------------------------------------------------------------------- cases

X = points(REAL)
P = points(POSITIVE)
UNIT = points(NEAR_ONE)
TWO = points(FEW, FEW)
BESSEL = points(both([0.0, *TINY, *SMALL, *MIDDLE, *LARGE, 1e3, 1e4, 1e5]))
SHAPE_X = points([0.1, 1.0, 2.5, 10.0, 40.0], [1e-30, 1e-3, 0.99, 1.01, 9.0, 45.0])
WEIGHTS = points([0.1, 1.0, 30.0], [0.5, 3.0, 40.0], [1e-10, 1e-3, 0.4, 0.9, 0.999])
ODDS = points([0.1, 2.5, 30.0], [0.5, 3.0], [1e-10, 1e-3, 0.8, 30.0, 1e5])
STUDENT = points([0.3, 1.0, 3.0, 30.0], both([1e-10, 1e-3, 1.0, 4.0, 1e5]))
PART = [1e-10, 1e-3, 0.1, 0.4, 0.5, 0.6, 0.9, 0.999]
INVERSE = points([0.5, 2.5, 30.0], [1e-10, 1e-3, 0.4, 0.999])
INVERSE_B = points([0.5, 2.5], [0.5, 3.0], [1e-10, 1e-3, 0.6, 0.999])
WHOLE = points(ORDERS, [1e-10, 1e-3, 0.1, 0.5, 1.0, 2.5, 7.0, 20.0, 60.0, 200.0])
TRIALS = points([0.0, 1.0, 8.0], [9.0, 12.0, 200.0], PART)


def _one(name: str, value: Callable[..., Any], at: Sequence[Point], **more: Any) -> Case:
    return Case(name, value, at, (0,), **more)


def _two(name: str, value: Callable[..., Any], at: Sequence[Point], **more: Any) -> Case:
    return Case(name, value, at, (0, 1), **more)


CASES = [
    # elementary
    _one("exp10", lambda x: mpf(10) ** x, X),
    _one("exp2", lambda x: mpf(2) ** x, X),
    _one("expm1", mp.expm1, X),
    _one("log1p", mp.log1p, points([*both(TINY), *SMALL, *MIDDLE, *HUGE, -0.1, -0.5, -0.9, -0.999, -1 + 1e-10])),
    _one("cbrt", lambda x: mp.sign(x) * mp.cbrt(abs(x)), points(both(POSITIVE))),
    _one("expit", lambda x: 1 / (1 + mp.exp(-x)), X),
    _one("log_expit", lambda x: -mp.log1p(mp.exp(-x)) if x > 0 else x - mp.log1p(mp.exp(x)), X),
    _one("sinc", lambda x: mp.sincpi(x), points([0.0, *both([*TINY, *(x + 0.01 for x in SMALL), 2.1, 7.4, 31.3, 1e3 + 0.3, 1e4 + 0.1, 1e5 + 0.25])])),
    _one("cosm1", lambda x: -2 * mp.sin(x / 2) ** 2, points([0.0, *both(x for x in POSITIVE if x < 1e31)])),
    _one("exprel", _exprel, X),
    *(_one("exprel_derivative", _exprel, X, of=(n,), base=(n,)) for n in (1, 3)),
    *(
        _one("log1prel_derivative", _log1prel, points([*X_, 0.0]), of=(n,), base=(n,))
        for n in (0, 2)
        for X_ in [[*both(TINY), *SMALL, *MIDDLE, *HUGE, -0.1, -0.3, -0.39, -0.41, -0.5, -0.9, -0.999, -1 + 1e-10]]
    ),
    _one("logit", lambda x: mp.log(x / (1 - x)), UNIT),
    _two("xlogy", _xlogy, points([0.0, *both(FEW)], [*FEW, 0.999, 1.001])),
    _two("xlog1py", lambda x, y: x * mp.log1p(y), points([0.0, *both(FEW)], [*FEW, -1e-10, -0.5, -0.999])),
    _one("entr", lambda x: -_xlogy(x, x), P),
    _two("rel_entr", lambda x, y: x * mp.log(x / y), points([*FEW, 0.999], [*FEW, 1.001])),
    _two("kl_div", lambda x, y: x * mp.log(x / y) - x + y, points([*FEW, 0.999, 1 + 1e-6], [*FEW, 1.001])),
    _two("huber", _huber, points(FEW, both(x * 1.1 for x in FEW))),
    _two("pseudo_huber", lambda d, r: d * d * (mp.sqrt(1 + (r / d) ** 2) - 1), points(FEW, both(FEW))),
    _two("hypot_ratio", lambda x, y: x / mp.hypot(x, y), points(both(FEW), FEW)),
    _two("boxcox", _boxcox, points([*FEW, 0.999, 1.001], [0.0, *both([1e-20, 1e-5, 0.1, 0.5, 1.0, 2.0, 7.0, 30.0])])),
    _two("boxcox1p", _boxcox1p, points([*FEW, -1e-10, -0.5, -0.999], [0.0, *both([1e-20, 1e-5, 0.1, 1.0, 2.0, 7.0, 30.0])])),
    _two("inv_boxcox", lambda x, l: mp.exp(_log_inverse(x, l)), points([*FEW[:11], 1e4, 1e8], [0.0, 1e-20, 1e-5, 0.1, 1.0, 2.0, 30.0])),
    _two("inv_boxcox1p", lambda x, l: mp.expm1(_log_inverse(x, l)), points([*FEW[:11], 1e4, 1e8], [0.0, 1e-20, 1e-5, 0.1, 1.0, 2.0, 30.0])),
    *(
        _one(name, f, points(both([1e-10, 1e-3, 1.0, 10.0, 30.0, 44.0, 46.0, 60.0, 89.0, 91.0, 135.5, 179.0, 181.0, 300.0, 1000.5, 1e5 + 1])))
        for name, f in (
            ("sindg", lambda x: mp.sin(_degrees(x))),
            ("cosdg", lambda x: mp.cos(_degrees(x))),
            ("tandg", lambda x: mp.tan(_degrees(x))),
            ("cotdg", lambda x: mp.cot(_degrees(x))),
        )
    ),
    Case("radian", lambda d, m, s: _degrees(d + m / 60 + s / 3600), points([0.0, 1.0, 400.0], [0.0, 30.0], [0.5, 59.0]), (0, 1, 2)),
    # error function
    _one("erf", mp.erf, X),
    _one("erfc", mp.erfc, X),
    _one("erfcx", lambda x: mp.exp(x * x) * mp.erfc(x), points([0.0, *both(x for x in POSITIVE if x < 40), *LARGE, *HUGE])),
    *(
        _one("erfcx_derivative", lambda x: mp.exp(x * x) * mp.erfc(x), points([0.0, *both(x for x in POSITIVE if x < 40), *LARGE, *HUGE]), of=(n,), base=(n,))
        for n in (1, 2)
    ),
    _one("erfinv", _inverse(mp.erf, "erfinv"), points(both(NEAR_ONE))),
    _one("erfcinv", _inverse(mp.erfc, "erfcinv"), points([*BELOW_ONE, 1.001, 1.2, 1.5, 1.9, 1.99, 2 - 2**-20])),
    _one("ndtr", _ndtr, X),
    _one("ndtri", _inverse(_ndtr, "ndtri"), points(x for x in NEAR_ONE if x != 0.5)),
    _one("log_ndtr", _log_ndtr, X),
    *(_one("inverse_mills_ratio", _mills, points([*both(x for x in POSITIVE if 1e-100 < x < 1e6), 1e100, -11.99, -12.01]), of=(n,), base=(n,)) for n in (0, 2)),
    # gamma function
    *(
        _one(name, f, points([*POSITIVE, *both([1.4616, 35.5]), 171.3, -1e-10, -0.001, -0.5, -0.999, -1.001, -1.5, -2.5, -7.3, -20.7, -60.4, -150.25]))
        for name, f in (("gamma", mp.gamma), ("gammaln", _gammaln), ("rgamma", mp.rgamma), ("psi", mp.digamma))
    ),
    _one("rgamma", mp.rgamma, points([0.0, -1.0, -2.0, -5.0, -20.0])),
    _one("loggamma", _gammaln, P),
    *(
        _two("polygamma_difference", lambda x, d, n=n: mp.psi(n, x + d) - mp.psi(n, x), points([1e-20, 1e-3, 0.5, 3.0, 9.0, 30.0, 1e4, 1e8, 1e25], [1e-20, 1e-3, 0.5, 1.0, 40.0, 1e8, 1e25]), of=(n,))
        for n in (0, 2)
    ),
    Case("polygamma", _polygamma, points([0.0, 1.0, 2.0, 3.0, 6.0, 12.0], [1e-10, 1e-3, 0.1, 0.5, 1.0, 3.0, 10.0, 30.0, 1e3, 1e5, -0.5, -1.25, -4.7]), (1,)),
    _one("multigammaln", _multigammaln, points([1.001, 1.1, 1.5, 3.0, 10.0, 100.0, 1e4, 1e8, 1e15]), of=(3,)),
    *(_two(name, f, points([*FEW, 0.999], FEW)) for name, f in (("beta", _beta), ("betaln", _betaln))),
    *(_two(name, f, points([-0.5, -1.25, -7.7, 0.6], [0.3, 1.5, -0.7, -3.3, 12.1])) for name, f in (("beta", _beta), ("betaln", _betaln))),
    _two("binom", _binom, points([0.5, 3.0, 10.5, 100.0, 1e3, 1e6, 1e8, 1e12], [0.1, 0.5, 1.0, 2.5, 10.25, 30.0, 90.5])),
    _two("poch", lambda a, m: mp.gammaprod([a + m], [a]), points([1e-5, 0.1, 0.5, 1.0, 3.0, 30.0, 1e3, 1e6, 1e8], [1e-10, 1e-3, 0.1, 0.5, 1.0, 2.5, 10.0, -0.3])),
    _two("zeta", lambda s, q: mp.zeta(s, q), points([1.001, 1.1, 1.5, 2.0, 3.0, 6.5, 12.0, 30.0, 60.0, 100.0], [1e-5, 0.1, 0.5, 1.0, 2.0, 5.0, 11.0, 30.0, 1e3, 1e6, 1e10])),
    *(
        _one(name, f, label="of Riemann", at=points([0.0, 1e-10, 0.001, 0.3, 0.5, 0.9, 0.999, 1.001, 1.1, 1.5, 2.0, 3.0, 6.5, 12.0, 30.0, 53.0, 60.0, 100.0, 120.0, 1e3,
                              -1e-10, -0.001, -0.5, -1.0, -1.5, -2.5, -3.0, -5.5, -9.0, -10.5, -15.3, -19.0, -20.0, -20.5, -30.5, -60.5, -100.5, -150.3, -169.5]))
        for name, f in (("zeta", mp.zeta), ("zetac", lambda s: mp.zeta(s) - 1))
    ),
    # Bessel functions
    *(_one(f"j{n}", lambda x, n=n: mp.besselj(n, x), BESSEL) for n in (0, 1)),
    *(_one(f"y{n}", lambda x, n=n: mp.bessely(n, x), points([*TINY[1:], *SMALL, *MIDDLE, *LARGE, 1e3, 1e4, 1e5])) for n in (0, 1)),
    *(_one(f"i{n}", lambda x, n=n: mp.besseli(n, x), X) for n in (0, 1)),
    *(_one(f"i{n}e", _ie(n), points(both(POSITIVE))) for n in (0, 1)),
    *(
        _one(f"k{n}{'e' * scaled}", mp.besselk, points([1e-20, 1e-10, 1e-5, *SMALL, *MIDDLE, *LARGE, 1e3, 1e5, *([1e10, 1e15, 1e30] * scaled)]), exact=_k(n, scaled))
        for n in (0, 1)
        for scaled in (0, 1)
    ),
    Case("yn", lambda n, x: mp.bessely(int(n), x), WHOLE, (1,)),
    *(_one("bessel_quotient", _quotient(n, "j"), BESSEL, of=(n, "j")) for n in (1, 3)),
    *(_one("bessel_quotient", _quotient(n, kind), points([0.0, *both(x for x in POSITIVE if x < 1e50)] if kind == "i" else both(POSITIVE)), of=(n, kind)) for n in (1, 3) for kind in ("i", "ie")),
    *(_one("bessel_scaled", _ie(order), points([*(x for x in POSITIVE if x > 1e-20), 29.9, 30.1]), of=(order, "i", 1), base=(1,)) for order in (0, 2)),
    *(_one("bessel_scaled", mp.besselk, points([1e-10, *SMALL, *MIDDLE, 29.9, 30.1, *LARGE, 1e5, 1e10, 1e30]), of=(order, "k", 1), exact=_k(order, 1, 1)) for order in (0, 1)),
    # integrals and solutions of equations
    _one("ellipk", mp.ellipk, points([0.0, *both([*TINY, 1e-3, 0.1, 0.3, 0.49, 0.51, 0.9]), 0.999, 1 - 2**-24, 1 - 1e-12, *(-x for x in [0.49, 0.51, 1.0, 3.0, 30.0, *HUGE])])),
    _one("ellipkm1", lambda p: mp.ellipk(1 - p), points([*TINY, *SMALL, *MIDDLE, *HUGE])),
    *(_one("ellipkm1_derivative", lambda p: mp.ellipk(1 - p), points([*TINY[2:], *SMALL, *MIDDLE, *HUGE]), of=(n,), base=(n,)) for n in (1, 2)),
    _one("exp1", mp.e1, P),
    _one("expi", lambda x: mp.ei(x).real, points(both(x for x in POSITIVE if x < 1e50))),
    Case("expn", lambda n, x: mp.expint(int(n), x), points([0.0, 1.0, 2.0, 3.0, 7.0, 20.0], [1e-10, 1e-3, 0.1, 0.99, 1.01, 3.0, 10.0, 80.0, 300.0, 600.0]), (1,)),
    _one("spence", _spence, P),
    Case("hyp1f1", lambda a, b, x: mp.hyp1f1(a, b, x), points([0.3, 1.0, 2.5], [0.5, 1.0, 3.3], [0.0, *both([1e-10, 1e-3, 0.3, 2.0, 10.0, 40.0, 100.0])]), (2,)),
    Case("lpmv", _lpmv, points([0.0, 1.0, 2.0], [1.0, 2.0, 3.0, 6.0], [0.0, *both([1e-10, 1e-3, 0.3, 0.9, 0.999, 1 - 2**-20])]), (2,)),
    # incomplete gamma and beta functions
    _two("gamma_density", _gamma_density, SHAPE_X),
    _two("gammainc", _gamma_p, SHAPE_X),
    _two("gammaincc", _gamma_q, SHAPE_X),
    _two("gammainc_derivative", _gamma_p, SHAPE_X, of=(1,), base=(1, 0)),
    _two("gammaincinv", _inverse(_gamma_p, "gammaincinv"), INVERSE),
    _two("gammainccinv", _inverse(_gamma_q, "gammainccinv"), INVERSE),
    Case("beta_density", _beta_density, WEIGHTS, (0, 1, 2)),
    Case("betainc", _beta_p, WEIGHTS, (0, 1, 2)),
    Case("betaincc", _beta_q, WEIGHTS, (0, 1, 2)),
    Case("betainc_derivative", _odds_p, ODDS, (0, 1, 2), of=(1, 0), base=(1, 0, 0)),
    Case("betaincinv", _inverse(_beta_p, "betaincinv"), INVERSE_B, (0, 1, 2)),
    # distributions
    _two("chdtr", lambda v, x: _gamma_p(v / 2, x / 2), SHAPE_X),
    _two("chdtrc", lambda v, x: _gamma_q(v / 2, x / 2), SHAPE_X),
    _two("chdtri", _inverse(lambda v, x: _gamma_q(v / 2, x / 2), "chdtri"), INVERSE),
    *(
        Case(name, f, points([0.1, 20.0], [0.5, 2.5, 40.0], [1e-3, 2.0]), (0, 1, 2))
        for name, f in (("gdtr", lambda a, b, x: _gamma_p(b, a * x)), ("gdtrc", lambda a, b, x: _gamma_q(b, a * x)))
    ),
    Case("pdtr", lambda k, m: _gamma_q(k + 1, m), WHOLE, (1,)),
    Case("pdtrc", lambda k, m: _gamma_p(k + 1, m), WHOLE, (1,)),
    Case("pdtri", _inverse(lambda k, m: _gamma_q(k + 1, m), "pdtri"), points(ORDERS, PART), (1,)),
    Case("bdtr", lambda k, n, p: _beta_q(k + 1, n - k, p), TRIALS, (2,)),
    Case("bdtrc", lambda k, n, p: _beta_p(k + 1, n - k, p), TRIALS, (2,)),
    Case("bdtri", _inverse(lambda k, n, p: _beta_q(k + 1, n - k, p), "bdtri"), TRIALS, (2,)),
    Case("nbdtr", lambda k, n, p: _beta_p(n, k + 1, p), TRIALS, (2,)),
    Case("nbdtrc", lambda k, n, p: _beta_q(n, k + 1, p), TRIALS, (2,)),
    Case("nbdtri", _inverse(lambda k, n, p: _beta_p(n, k + 1, p), "nbdtri"), TRIALS, (2,)),
    *(
        Case(name, f, points([0.3, 5.0], [0.3, 60.0], [1e-6, 0.1, 3.0, 200.0]), (0, 1, 2))
        for name, f in (("fdtr", _fdtr), ("fdtrc", _fdtrc))
    ),
    Case("fdtri", _inverse(_fdtr, "fdtri"), points([1.0, 5.0], [3.0], [1e-10, 1e-3, 0.4, 0.999]), (0, 1, 2)),
    _two("stdtr", _stdtr, STUDENT),
    _two("stdtrit", _inverse(_stdtr, "stdtrit"), points([1.0, 3.0, 30.0], [1e-10, 1e-3, 0.4, 0.999])),
]  # fmt: skip


# ------------------------------------------------------------------------------------------------------------- derivatives


def derivative(f: Callable[..., Any], at: Point, orders: tuple[int, ...]) -> Any:
    """The mixed derivative of `f`, by central differences, with digits added until they do not matter."""
    before, noise = None, 0
    for step, precision in ((110, 300), (130, 500), (160, 900), (200, 1700), (300, 4000), (330, 6000)):
        with mp.workprec(precision + step * sum(orders)):
            value = _difference(f, [mpf(x) for x in at], orders, step)
        if before is not None:
            noise += abs(value) <= abs(before) * mpf(2) ** -100
            if abs(value - before) <= abs(value) * mpf(10) ** -16 and (value or precision > 3000):
                return value
        before = value
    if noise >= 4:  # what is left is rounding
        return mpf(0)
    raise ArithmeticError(f"no digits agree at {at}, orders {orders}")


def _difference(f: Callable[..., Any], at: list[Any], orders: tuple[int, ...], step: int) -> Any:
    for i, n in enumerate(orders):
        if n:
            h = (abs(at[i]) or mpf(1)) * mpf(2) ** -step
            rest = (*orders[:i], 0, *orders[i + 1 :])
            return sum(
                (-1) ** k * math.comb(n, k) * _difference(f, [*at[:i], at[i] + (n - 2 * k) * h, *at[i + 1 :]], rest, step)
                for k in range(n + 1)
            ) / (2 * h) ** n
    return +f(*at)


def wanted(case: Case, point: Point) -> list[float | None]:
    """The value, and the first and second derivative by each argument; None for what was not found."""
    if case.exact is not None:
        return [_float(value) for value in case.exact(mpf(point[0]))]
    zero = case.base or (0,) * len(point)
    found: list[float | None] = []
    for i, n in [(0, 0), *((i, n) for i in case.by for n in (1, 2))]:
        try:
            value = derivative(case.value, point, (*zero[:i], zero[i] + n, *zero[i + 1 :]))
            found.append(_float(value))
        except (ArithmeticError, ValueError, TypeError, mp.NoConvergence):
            found.append(None)
    return found


def _float(value: Any) -> float:
    """The nearest number of float64, but what is not 0 does not become 0."""
    try:
        found = float(value.real)
    except OverflowError:
        found = math.inf
    return math.copysign(found if found or not value else 5e-324, value)


def main(names: list[str]) -> None:
    """Write the values of the cases of these names, or of all; those of points that are there already are kept."""
    kept: dict[str, dict[str, Any]] = json.loads(DATA.read_text()) if DATA.exists() else {}
    table: dict[str, dict[str, Any]] = {}
    for case in CASES:
        old = kept.get(case.id, {}) if case.name not in names else {}
        start = time.process_time()
        entries = table.setdefault(case.id, {})
        for point in case.points:
            key = " ".join(map(repr, point))
            entries[key] = old[key] if key in old else wanted(case, point)
        if (spent := time.process_time() - start) > 0.5:
            print(f"{case.id}: {spent:.1f} s, {sum(v is None for e in entries.values() for v in e)} not found", flush=True)
            _write({**kept, **table})
    _write(table)


def _write(table: dict[str, dict[str, Any]]) -> None:
    lines = ["{"]
    for name, entries in table.items():
        lines.append(f"{json.dumps(name)}: {{")
        lines.append(",\n".join(f"  {json.dumps(key)}: {json.dumps(values)}" for key, values in entries.items()))
        lines.append("},")
    DATA.write_text("\n".join(lines)[:-1] + "\n}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
