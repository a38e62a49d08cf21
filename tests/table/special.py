"""Rows for the chapters of `xgrad.special`: values from SciPy or PyTorch, derivatives from PyTorch or finite differences."""

from __future__ import annotations

import math
from typing import Any

from . import Arg, Row

SHAPE = (2, 3)


def _arg(low: float, high: float, **more: Any) -> Arg:
    return Arg(SHAPE, low, high, **more)


ANY, POSITIVE, WIDE, UNIT = _arg(-3, 3), _arg(0.3, 4), _arg(0.3, 12), _arg(0.05, 0.95)
FEW, MANY = _arg(0, 4, kind="int"), _arg(4, 9, kind="int")


def _row(name: str, *args: Arg, torch: Any = None, of: tuple[Any, ...] = (), **more: Any) -> Row:
    """A row for ``xp.special.name``; `of` are further arguments that are not arrays."""

    def scipy(np: Any, *x: Any) -> Any:
        import scipy.special

        return getattr(scipy.special, name)(*x, *of)

    if name in MINUTES_ON_DASK:
        more = {"skip": {"dask": "hundreds of small arrays take it minutes; gammainc stands for all"}, **more}
    more = {
        "elementwise": len(args) > 1 and all(arg.kind == "float" for arg in args) and not of, "label": "-".join(map(str, of)),
        **more,
    }
    return Row(
        name, lambda xp, *x: getattr(xp.special, name)(*x, *of), args,
        torch=torch, **({"numpy": scipy} if not name.endswith(OWN) else {}), **more,
    )  # fmt: skip


MINUTES_ON_DASK = {
    "beta", "beta_density", "betainc", "betainc_derivative", "betaincc", "betainccinv", "betaincinv", "binom", "chdtr",
    "chdtrc", "chdtri", "ellipkm1_derivative", "fdtr", "fdtrc", "fdtri", "gammainc_derivative", "gammaincc", "gammainccinv",
    "gammaincinv", "gdtr", "gdtrc", "inv_boxcox1p", "poch", "stdtr", "stdtrit", "zeta", "zetac",
}  # fmt: skip
OWN = ("_derivative", "_density", "_ratio", "_quotient", "_scaled", "_difference")  # functions that SciPy does not have


def _boxcox(t: Any, log: Any, lmbda: Any) -> Any:
    return t.expm1(lmbda * log) / lmbda


def _degrees(t: Any, x: Any) -> Any:
    return x * (math.pi / 180)


def _lbeta(t: Any, a: Any, b: Any) -> Any:
    return t.lgamma(a) + t.lgamma(b) - t.lgamma(a + b)


ROWS = [
    # elementary
    _row("exp10", ANY, torch=lambda t, x: 10.0**x),
    _row("cosm1", ANY, torch=lambda t, x: t.cos(x) - 1),
    _row("exprel", _arg(-20, 20), torch=lambda t, x: t.expm1(x) / x),
    _row("exprel", Arg((4,), values=(0.0, 1e-9, -1e-3, 0.1)), label="near 0"),
    _row("exprel_derivative", _arg(-20, 20), of=(2,)),
    _row("log1prel_derivative", _arg(-0.9, 5), of=(1,)),
    _row("logit", UNIT, torch=lambda t, x: t.logit(x), elementwise=True),
    _row("xlogy", ANY, POSITIVE, torch=lambda t, x, y: t.special.xlogy(x, y)),
    _row("xlog1py", ANY, _arg(-0.9, 4), torch=lambda t, x, y: t.special.xlog1py(x, y)),
    _row("entr", POSITIVE, torch=lambda t, x: t.special.entr(x), elementwise=True),
    _row("rel_entr", POSITIVE, POSITIVE, torch=lambda t, x, y: x * t.log(x / y)),
    _row("kl_div", POSITIVE, POSITIVE, torch=lambda t, x, y: x * t.log(x / y) - x + y),
    _row("huber", POSITIVE, _arg(-6, 6), torch=lambda t, d, r: t.where(r.abs() < d, r * r / 2, d * (r.abs() - d / 2))),
    _row("pseudo_huber", POSITIVE, _arg(-6, 6), torch=lambda t, d, r: d * d * (t.sqrt(1 + (r / d) ** 2) - 1)),
    _row("hypot_ratio", ANY, ANY, torch=lambda t, x, y: x / t.hypot(x, y)),
    _row("boxcox", POSITIVE, ANY, torch=lambda t, x, l: _boxcox(t, t.log(x), l)),
    _row("boxcox", POSITIVE, Arg(SHAPE, values=((0.0, 1e-9, -1e-3), (0.0, 1e-9, -1e-3))), label="near 0"),
    _row("boxcox1p", _arg(-0.5, 4), ANY, torch=lambda t, x, l: _boxcox(t, t.log1p(x), l)),
    _row("inv_boxcox", _arg(-0.3, 3), _arg(0.2, 3), torch=lambda t, x, l: t.exp(t.log1p(l * x) / l)),
    _row("inv_boxcox", _arg(-1, 1), Arg(SHAPE, values=((0.0, 1e-9, -1e-3), (0.0, 1e-9, -1e-3))), label="near 0"),
    _row("inv_boxcox1p", _arg(-0.3, 3), _arg(0.2, 3), torch=lambda t, x, l: t.expm1(t.log1p(l * x) / l)),
    _row("sindg", _arg(-400, 400), torch=lambda t, x: t.sin(_degrees(t, x)), elementwise=True),
    _row("cosdg", _arg(-400, 400), torch=lambda t, x: t.cos(_degrees(t, x))),
    _row("tandg", _arg(-70, 70), torch=lambda t, x: t.tan(_degrees(t, x))),
    _row("cotdg", _arg(20, 160), torch=lambda t, x: 1 / t.tan(_degrees(t, x))),
    _row("radian", ANY, ANY, ANY, torch=lambda t, d, m, s: _degrees(t, d + m / 60 + s / 3600)),
    # error function
    _row("erfc", ANY, torch=lambda t, x: t.erfc(x), elementwise=True),
    _row("erfcx", _arg(-3, 30), torch=lambda t, x: t.special.erfcx(x), order=1),
    _row("erfcx", _arg(-2, 6), label="second order"),
    _row("erfcx_derivative", _arg(-2, 6), of=(2,)),
    _row("erfinv", _arg(-0.95, 0.95), torch=lambda t, x: t.erfinv(x)),
    _row("erfcinv", _arg(0.05, 1.95), torch=lambda t, x: t.erfinv(1 - x)),
    _row("ndtr", ANY, torch=lambda t, x: t.special.ndtr(x), elementwise=True),
    _row("ndtri", UNIT, torch=lambda t, x: t.special.ndtri(x)),
    _row("log_ndtr", _arg(-20, 9), order=1),
    _row("log_ndtr", ANY, label="second order"),
    _row("inverse_mills_ratio", _arg(-6, 6)),
    _row("inverse_mills_ratio", _arg(-20, 6), of=(2,)),
    # gamma function
    _row("gamma", POSITIVE, torch=lambda t, x: t.exp(t.lgamma(x)), elementwise=True),
    _row("gamma", Arg(SHAPE, values=((-0.5, -1.3, -2.6), (-3.4, 0.2, 1.0))), label="negative"),
    _row(
        "gammaln", Arg(SHAPE, values=((-0.5, -1.3, -2.6), (-3.4, 0.2, 100.0))), elementwise=True, torch=lambda t, x: t.lgamma(x),
    ),
    _row("loggamma", WIDE, torch=lambda t, x: t.lgamma(x)),
    _row("gammasgn", ANY),
    _row("rgamma", POSITIVE, torch=lambda t, x: t.exp(-t.lgamma(x))),
    _row("rgamma", Arg(SHAPE, values=((0.0, -1.0, -2.0), (-0.5, -1.3, 0.4))), label="negative"),
    _row("psi", WIDE, torch=lambda t, x: t.digamma(x), elementwise=True),
    _row("polygamma", FEW, POSITIVE),
    _row("polygamma_difference", POSITIVE, WIDE, of=(1,)),
    _row("psi_derivative", POSITIVE, of=(2,)),
    _row("psi_derivative", Arg(SHAPE, -3, 3, kind="complex"), of=(1,)),
    _row("multigammaln", _arg(1.2, 6), of=(3,), torch=lambda t, a: t.special.multigammaln(a, 3)),
    _row("beta", POSITIVE, POSITIVE, torch=lambda t, a, b: t.exp(_lbeta(t, a, b))),
    _row("betaln", POSITIVE, WIDE, torch=_lbeta),
    _row("binom", _arg(4, 9), _arg(0.1, 3.9), torch=lambda t, n, k: t.exp(-_lbeta(t, n - k + 1, k + 1)) / (n + 1)),
    _row("poch", POSITIVE, POSITIVE, torch=lambda t, a, m: t.exp(t.lgamma(a + m) - t.lgamma(a))),
    _row("zeta", _arg(1.5, 6), POSITIVE),
    _row("zeta", _arg(1.5, 6), label="of Riemann"),
    _row("zetac", _arg(1.5, 6)),
    # Bessel functions
    *(_row(name, _arg(-12, 12)) for name in ("j0", "j1", "i0e", "i1e")),
    *(_row(name, ANY) for name in ("i0", "i1")),
    *(_row(name, Arg((4,), values=(0.0, 1e-8, -1e-3, 0.1)), label="near 0") for name in ("j1", "i1", "i0")),
    *(_row(name, POSITIVE) for name in ("y0", "y1", "k0", "k0e", "k1", "k1e")),
    _row("yn", FEW, POSITIVE),
    *(_row("bessel_quotient", _arg(-12, 12), of=(2, kind)) for kind in ("j", "ie")),
    _row("bessel_quotient", _arg(-9, 9), of=(1, "i")),
    _row("i1_derivative", _arg(-9, 9), of=(2,)),
    *(_row("bessel_scaled", _arg(-60, 60), of=(order, "i", 1)) for order in (0, 2)),
    *(_row("bessel_scaled", _arg(1, 60), of=(order, "k", 1)) for order in (0, 2)),
    # integrals and solutions of equations
    _row("ellipk", _arg(-4, 0.9), elementwise=True),
    _row("ellipk", Arg((4,), values=(0.0, 1e-8, -1e-3, 0.1)), label="near 0"),
    _row("ellipkm1", _arg(0.05, 5)),
    _row("ellipkm1_derivative", _arg(0.1, 3), of=(2,)),
    _row("exp1", POSITIVE),
    _row("expi", Arg(SHAPE, values=((-0.5, -1.3, -2.6), (0.2, 1.0, 3.0)))),
    _row("expi_derivative", POSITIVE, of=(2,)),
    _row("expn", FEW, POSITIVE),
    _row("spence", POSITIVE),
    _row("spence", Arg((3,), values=(1.0, 1.0 + 1e-9, 0.999)), label="near 1"),
    _row("hyp1f1", _arg(0.3, 4, grad=False), _arg(0.3, 4, grad=False), ANY),
    _row("lpmv", FEW, MANY, _arg(-0.9, 0.9)),
    # incomplete gamma and beta functions
    _row("gamma_density", POSITIVE, POSITIVE, torch=lambda t, a, x: t.exp((a - 1) * t.log(x) - x - t.lgamma(a))),
    _row(
        "beta_density", POSITIVE, POSITIVE, UNIT,
        torch=lambda t, a, b, x: t.exp((a - 1) * t.log(x) + (b - 1) * t.log1p(-x) - _lbeta(t, a, b)),
    ),
    *(_row(name, POSITIVE, WIDE) for name in ("gammainc", "gammaincc", "chdtr", "chdtrc")),
    *(_row(name, POSITIVE, UNIT) for name in ("gammaincinv", "gammainccinv", "chdtri")),
    *(_row(name, POSITIVE, POSITIVE, UNIT) for name in ("betainc", "betaincc", "betaincinv")),
    *(_row("gammainc_derivative", POSITIVE, WIDE, of=(n,)) for n in (0, 1, 2)),
    *(_row("betainc_derivative", POSITIVE, POSITIVE, WIDE, of=orders) for orders in ((0, 0), (1, 1), (2, 0))),
    # distributions
    *(_row(name, POSITIVE, POSITIVE, POSITIVE) for name in ("gdtr", "gdtrc", "fdtr", "fdtrc")),
    _row("fdtri", POSITIVE, _arg(1, 6), UNIT),
    *(_row(name, FEW, POSITIVE) for name in ("pdtr", "pdtrc")),
    _row("pdtri", FEW, UNIT),
    *(_row(name, FEW, MANY, UNIT) for name in ("bdtr", "bdtrc", "bdtri", "nbdtr", "nbdtrc", "nbdtri")),
    _row("stdtr", POSITIVE, ANY),
    _row("stdtrit", _arg(1, 6), UNIT),
]  # fmt: skip
