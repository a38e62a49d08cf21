"""Special functions: tails, removable singularities, derivatives by parameters, and SciPy's dispatch."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import pytest

import xgrad
from tests.harness.processes import environment
from tests.table.special import ROWS
from xgrad.backend import find_backend

ROOT = Path(__file__).parents[2]

# Derivatives of gammainc(a, x) by a, of orders 1 and 2, from 60 digits: a, x, first, second.
GAMMA = [
    (1e-06, 1e-300, -689.722104524683, 476043.38979076553),
    (1e-06, 0.5, -0.5597741815347902, -0.586757674946024),
    (1e-06, 20, -9.835596473694982e-11, -7.118321405081515e-10),
    (0.001, 1e-10, -21.95189754529159, 491.2201543951448),
    (0.05, 0.99, -0.24533266300271717, -0.4357159147401138),
    (0.05, 1.01, -0.23758610933371307, -0.4286767500410876),
    (0.5, 1e-100, -2.5986007946636174e-48, 5.984342200055861e-46),
    (0.5, 30, -5.118991143389857e-14, -2.2944585712327425e-13),
    (1, 1, -0.4317297106348987, 0.033618035299959194),
    (1, 1.5, -0.3192853006630692, -0.1151667703195134),
    (2.5, 0.001, -7.61728094459622e-08, 6.070791114484167e-07),
    (2.5, 2.5, -0.26084496236866944, 0.0035556671525405845),
    (2.5, 40, -2.5267860704828765e-15, -7.197186330457073e-15),
    (10, 0.5, -5.21308870572998e-10, 1.573428029127361e-09),
    (10, 9, -0.12703651192426837, 0.01360468958036684),
    (10, 11, -0.11569395739153053, -0.011022047991482922),
    (30, 0.1, -1.9576929300283093e-62, 1.1187688678113874e-61),
    (30, 100, -7.275093288193327e-17, -8.782255974944192e-17),
    (100, 40, -1.1189280654336619e-15, 1.0261159697387868e-15),
    (100, 100, -0.03992749785778605, 3.3327497133148417e-07),
    (100, 200, -1.305081878198382e-15, -9.053521104946326e-16),
    (1000, 800, -1.251364571083481e-12, 2.7925729162626277e-13),
    (1000, 1000, -0.012616713994069625, 1.051567790325393e-09),
    (1000, 1300, -4.98582758314972e-19, -1.308211471134244e-19),
    (10000.0, 9500, -9.892319012214694e-09, 5.074138677959324e-10),
    (10000.0, 10100, -0.0024156880031763668, -2.4037093166337313e-05),
]

# Derivatives of betainc(a, b, w / (1 + w)): a, b, w, by a, by b, by a twice.
BETA = [
    (0.001, 0.001, 0.5, -250.17314422341926, 249.82755620470095, 250172.9368940352),
    (0.001, 0.001, 1000000.0, -246.5710858155563, 253.38245551333824, 246569.4681778406),
    (0.001, 2, 1e-09, -19.339039600115104, 0.0006321401352591029, 380.46982735084595),
    (0.001, 2, 3, -0.03774313338508179, 6.992455671654819e-05, -0.06104180801201908),
    (0.05, 0.3, 0.0001, -6.44499592872414, 0.293161627827955, 79.55270593455268),
    (0.05, 0.3, 10000.0, -0.1611362485315764, 0.11043753486251905, 0.782431589967524),
    (0.5, 0.5, 1e-12, -1.7981151517225324e-05, 8.825424006101e-07, 0.0005083247953279332),
    (0.5, 0.5, 1, -0.5831218080616376, 0.5831218080616376, 0.9442959579270792),
    (0.5, 0.5, 1000000000000.0, -8.825424006101e-07, 1.7981151517225324e-05, 8.709315489777984e-07),
    (2, 0.001, 0.01, -2.5254824178137174e-07, 4.943878035077203e-05, 1.3036642312794561e-06),
    (2, 0.001, 10000.0, -0.0006393607754153968, 8.144389942159801, 0.0004001522362255464),
    (2, 3, 1e-05, -6.55754402511357e-09, 3.499843337608242e-10, 7.156719942147579e-08),
    (2, 3, 0.5, -0.250051920074662, 0.14151018752088754, 0.1070829934498234),
    (2, 3, 2, -0.08880849115787451, 0.09737667404954305, -0.024734865141374344),
    (2, 3, 1000.0, -4.314135422039131e-09, 2.653562604792318e-08, -2.9823078585125264e-09),
    (10, 0.05, 50, -0.004103602375359174, 1.247931101723888, 0.0004897105068642317),
    (10, 3, 1, -0.010317047671932538, 0.01940113905740761, 0.0052800558070164256),
    (10, 300, 0.01, -0.0014963504695072374, 2.850438837656247e-05, 0.001787478313758627),
    (10, 300, 0.06, -0.012374427590474437, 0.0005517167365364367, -0.006964133775845007),
    (100, 100, 0.5, -2.6366188365553205e-07, 1.8712567169224925e-07, 1.0827370611952635e-07),
    (100, 100, 1, -0.028268341193576664, 0.028268341193576664, 0.00014193124584526505),
    (100, 100, 2, -1.8712567169224925e-07, 2.6366188365553205e-07, -5.2915478744492556e-08),
    (1000, 0.5, 1000.0, -0.00020768341738300837, 0.39003899587967283, 3.114472923222622e-07),
    (1000, 0.5, 100000.0, -5.586456399615792e-05, 0.5224487814672483, 2.8497904397016817e-08),
    (1000, 2000, 0.45, -0.00027583324053588576, 0.00013085024798164483, 1.980383773763176e-05),
    (1000, 2000, 0.55, -0.00046845142358793317, 0.0002456658830790169, -2.9133157223602888e-05),
]


def leaf(xp: Any, values: Any) -> Any:
    return xp.asarray(np.asarray(values, dtype="float64")).requires_grad_()


def slopes(xp: Any, f: Any, values: Any, order: int = 2) -> list[Any]:
    """Derivatives of an elementwise function of one array, of orders 1, 2, ..."""
    x = leaf(xp, values)
    y, actual = f(x), []
    for _ in range(order):
        x.zero_grad()
        xp.sum(y).backward(create_graph=True)
        y = x.grad
        actual.append(y.detach().numpy())
    return actual


def gradients(xp: Any, f: Any, *values: Any) -> list[Any]:
    leaves = [leaf(xp, v) for v in values]
    xp.sum(f(*leaves)).backward()
    return [x.grad.numpy() for x in leaves]


def check(actual: Any, wanted: Any, rtol: float = 1e-12, atol: float = 0.0) -> None:
    np.testing.assert_allclose(actual, wanted, rtol=rtol, atol=atol)


# ----------------------------------------------------------------------------------------------- derivatives by parameters


def test_gammainc_by_its_parameter(xp: Any) -> None:
    a, x, first, second = (np.asarray(column) for column in zip(*GAMMA))
    actual = [xp.special.gammainc_derivative(xp.asarray(a), xp.asarray(x), n).numpy() for n in (1, 2)]
    check(actual[0], first, 2e-10)
    check(actual[1], second, 1e-8, atol=1e-15)
    check(gradients(xp, lambda a: xp.special.gammainc(a, xp.asarray(x)), a)[0], first, 2e-10)
    check(gradients(xp, lambda a: xp.special.gammaincc(a, xp.asarray(x)), a)[0], -first, 2e-10)


def test_betainc_by_its_parameters(xp: Any) -> None:
    a, b, w, by_a, by_b, twice = (np.asarray(column) for column in zip(*BETA))
    arrays = [xp.asarray(v) for v in (a, b, w)]
    check(xp.special.betainc_derivative(*arrays, 1, 0).numpy(), by_a, 2e-10)
    check(xp.special.betainc_derivative(*arrays, 0, 1).numpy(), by_b, 2e-10)
    check(xp.special.betainc_derivative(*arrays, 2, 0).numpy(), twice, 1e-8)
    actual = gradients(xp, lambda a, b: xp.special.betainc(a, b, xp.asarray(w / (1 + w))), a, b)
    well = (w > 1e-3) & (w < 1e3)  # both x and 1 - x are precise there
    check(actual[0][well], by_a[well], 1e-8)
    check(actual[1][well], by_b[well], 1e-8)


def test_betainc_at_its_ends(xp: Any) -> None:
    for name, ends in (("betainc", [0.0, 1.0]), ("betaincc", [1.0, 0.0])):
        f = getattr(xp.special, name)
        a, b, x = gradients(xp, f, [2.0, 2.0], [3.0, 3.0], [0.0, 1.0])
        check(f(xp.asarray([2.0, 2.0]), xp.asarray([3.0, 3.0]), xp.asarray([0.0, 1.0])).numpy(), ends)
        check([*a, *b, *x], 0)


def test_second_derivatives_at_the_ends(xp: Any) -> None:
    a, ones, zeros = [1.0, 2.0, 3.0], np.ones(3), np.zeros(3)
    check(slopes(xp, lambda x: xp.special.gammainc(xp.asarray(a, dtype=x.dtype), x), zeros), [[1, 0, 0], [-1, 1, 0]])
    check(slopes(xp, lambda x: xp.special.betainc(xp.asarray(a, dtype=x.dtype), 2.0, x), zeros), [[2, 0, 0], [-2, 6, 0]])
    check(slopes(xp, lambda x: xp.special.betainc(2.0, xp.asarray(a, dtype=x.dtype), x), ones), [[2, 0, 0], [2, -6, 0]])


def test_zeta_by_its_first_argument(xp: Any) -> None:
    x, q, wanted = zip((1.1, 1, -99.92816307577054), (2, 0.5, 1.7480808796238798), (10, 0.25, 1453634.9717920749))
    check(gradients(xp, xp.special.zeta, x, q)[0], wanted)
    check(slopes(xp, xp.special.zetac, [40.0], 1)[0], [-6.304137786330142e-13])


def test_student_by_degrees_of_freedom(xp: Any) -> None:
    df, t = [1.0, 3.0, 30.0, 5.0, 5.0], [-0.5, -2.0, -2.0, -1e-6, -1e5]
    wanted = [
        -0.033228965082101984,
        -0.015255481525655007,
        -0.00015393088751502687,
        -3.725402060119625e-09,
        -9.773346861795412e-24,
    ]
    check(gradients(xp, xp.special.stdtr, df, t)[0], wanted, 1e-10)
    check(gradients(xp, xp.special.stdtr, [3.0], [0.0])[0], 0)


def test_whole_orders_have_no_derivative(xp: Any) -> None:
    x = xp.asarray([0.5])
    for name, at in (("polygamma", 0), ("yn", 0), ("expn", 0), ("pdtr", 0), ("bdtr", 1), ("lpmv", 0), ("hyp1f1", 1)):
        arguments = [x] * {"bdtr": 3, "lpmv": 3, "hyp1f1": 3}.get(name, 2)
        arguments[at] = leaf(xp, [2.0])
        with pytest.raises(xgrad.GradientError, match=f"{name} has no derivative in its argument"):
            getattr(xp.special, name)(*arguments)


def test_yn_of_each_order(xp: Any) -> None:
    """At order 0 the derivative is that of order -1, negated; libraries differ in negative orders."""
    scipy = pytest.importorskip("scipy.special")
    n, at = np.asarray([-3.0, -2.0, -1.0, 0.0, 1.0, 4.0]), np.asarray([0.3, 1.0, 2.5, 0.7, 9.0, 20.0])
    x = leaf(xp, at)
    y = xp.special.yn(xp.asarray(n), x)
    xp.sum(y).backward()
    check(y.detach().numpy(), scipy.yn(n, at))
    check(x.grad.numpy(), scipy.yvp(n, at), 1e-11)


def test_whole_orders_broadcast_and_keep_the_dtype(xp: Any) -> None:
    n = xp.asarray(np.asarray([[1], [2]]))
    for dtype in ("float32", "float64"):
        x = xp.asarray(np.asarray([0.5, 1.5, 2.5], dtype=dtype)).requires_grad_()
        for name in ("polygamma", "yn", "expn", "pdtr"):
            y = getattr(xp.special, name)(n, x)
            xp.sum(y).backward()
            assert y.shape == (2, 3) and y.dtype == dtype and x.grad.dtype == dtype


# ------------------------------------------------------------------------------------------------- tails and singularities


def test_tails_of_the_normal_distribution(xp: Any) -> None:
    first, second = slopes(xp, xp.special.log_ndtr, [-1e4, -40.0, 0.0, 40.0, 1e4])
    check(first, [1e4 + 1e-4 - 2e-12, 40.02496884734626, math.sqrt(2 / math.pi), 1.4603e-348, 0], 1e-11)
    check(second[1:4], [-0.9993773316214086, -2 / math.pi, 0], 1e-9, atol=1e-300)
    assert np.isfinite(second).all()
    (log_density,) = slopes(xp, lambda x: xp.log(xp.special.ndtr(x)), [-30.0], 1)
    check(log_density, [30.033259667433676], 1e-11)
    (first,) = slopes(xp, xp.special.ndtri, [1e-300], 1)
    check(first, [2.697304465042612e298], 1e-11)


def test_tails_of_erfcx(xp: Any) -> None:
    x = np.asarray([1e2, 1e6, 1e10])
    first, second = slopes(xp, xp.special.erfcx, x)
    check(first, -(1 - 1.5 / x**2 + 3.75 / x**4) / (math.sqrt(math.pi) * x**2), 1e-9)
    check(second, 2 * (1 - 3 / x**2) / (math.sqrt(math.pi) * x**3), 1e-6)


def test_removable_singularities(xp: Any) -> None:
    """Derivatives at points where the textbook's formula for the first or second is 0 / 0."""
    sp, cases = xp.special, []
    cases.append((sp.exprel, 0.0, [1 / 2, 1 / 3, 1 / 4]))
    cases.append((sp.spence, 1.0, [-1.0, 1 / 2, -2 / 3]))
    cases.append((sp.j1, 0.0, [1 / 2, 0.0, -3 / 8]))
    cases.append((sp.i1, 0.0, [1 / 2, 0.0, 3 / 8]))
    cases.append((sp.ellipk, 0.0, [math.pi / 8, 9 * math.pi / 64, 75 * math.pi / 256]))
    cases.append((lambda l: sp.boxcox(xp.asarray(math.e), l), 0.0, [1 / 2, 1 / 3, 1 / 4]))
    cases.append((lambda l: sp.inv_boxcox(xp.asarray(1.0, dtype=l.dtype), l), 0.0, [-math.e / 2, 11 * math.e / 12]))
    cases.append((sp.rgamma, -2.0, [2.0, 4 * 0.5772156649015329 - 6]))
    for f, at, wanted in cases:
        actual = [float(d[0]) for d in slopes(xp, f, [at], len(wanted))]
        check(actual, wanted, 1e-6 if f is cases[5][0] else 1e-11, atol=1e-12)


@pytest.mark.filterwarnings("ignore:divide by zero")  # some of these gradients are infinite, those of entr and rel_entr at 0
def test_zeros_by_definition(xp: Any) -> None:
    """No derivative is NaN where both arguments are 0; see docs/conventions.md."""
    sp, inf = xp.special, math.inf
    check(gradients(xp, sp.xlogy, [0.0, 0.0, 0.0], [0.0, -1.0, 2.0]), [[0, 0, math.log(2)], [0, 0, 0]])
    check(gradients(xp, sp.xlog1py, [0.0, 0.0], [-1.0, 2.0]), [[0, math.log(3)], [0, 0]])
    check(gradients(xp, sp.entr, [0.0, 1.0])[0], [inf, -1])
    check(gradients(xp, sp.rel_entr, [0.0, 0.0], [0.0, 1.0])[1], [0, 0])
    check(gradients(xp, sp.kl_div, [0.0, 0.0], [0.0, 1.0])[1], [1, 1])
    check(gradients(xp, sp.huber, [1.0, 1.0], [1.0, -1.0]), [[0, 0], [1, -1]])
    check(gradients(xp, sp.pseudo_huber, [0.0, 0.0], [0.0, 2.0]), [[0, 2], [0, 0]])


@pytest.mark.parametrize(
    "df, t, by_df",
    [  # mpmath, of the incomplete beta function as a hypergeometric series
        (1e-300, -1e300, -518.1782195139402),
        (0.5, -1e300, -2.216208276266286e-148),
        (0.5, 1e200, 1.4777669909688464e-98),
        (1.0, -1e200, -1.465256391188248e-198),
        (1.5, -1.1e154, -1.1578000771300723e-229),
    ],
)
def test_stdtr_where_the_square_overflows(xp: Any, df: float, t: float, by_df: float) -> None:
    check(gradients(xp, xp.special.stdtr, [df], [t])[0], [by_df], 1e-12)


def test_densities_at_ends_and_zeros(xp: Any) -> None:
    """Where the beta function underflows, and at a parameter of 0 of either sign."""
    check(gradients(xp, xp.special.beta_density, [800.0, 800.0], [800.0, 800.0], [0.0, 1.0]), np.zeros((3, 2)))
    wanted = [-0.21938393439552026, -2.247020697508834e-18]  # -E1(x), mpmath
    for zero in (0.0, -0.0):
        check(gradients(xp, xp.special.gammainc, [zero, zero], [1.0, 37.0])[0], wanted, 1e-8)


def test_logsumexp_with_factors(xp: Any) -> None:
    scipy = pytest.importorskip("scipy.special")
    a, b = np.asarray([[1.0, 800.0, -math.inf], [3.0, 2.0, 1.0]]), np.asarray([[1.0, 2.0, 0.5], [1.0, -1.0, 0.0]])
    for options in ({}, {"axis": 1}, {"axis": (0,), "keepdims": True}):
        y = xp.special.logsumexp(xp.asarray(a), b=xp.asarray(b), **options)
        check(y.numpy(), scipy.logsumexp(a, b=b, **options))
    y, sign = xp.special.logsumexp(xp.asarray([1.0, 2.0]), b=xp.asarray([1.0, -1.0]), return_sign=True)
    check([float(y), float(sign)], [math.log(math.e**2 - math.e), -1], 1e-6)
    (g,) = gradients(xp, lambda a: xp.special.logsumexp(a, b=xp.asarray([1.0, 3.0], dtype=a.dtype)), [0.0, 0.0])
    check(g, [0.25, 0.75])
    (g,) = gradients(xp, lambda a: xp.special.logsumexp(a, b=xp.asarray([1.0, 3.0], dtype=a.dtype)), [-math.inf, -math.inf])
    check(g, 0)


# Functions that take complex numbers, and mpmath's functions.
COMPLEX: dict[str, Callable[[Any], Any]] = {
    "digamma": lambda z: mpmath.digamma(z),
    "erf": lambda z: mpmath.erf(z),
    "erfc": lambda z: mpmath.erfc(z),
    "exp1": lambda z: mpmath.e1(z),
    "exp2": lambda z: mpmath.power(2, z),
    "expi": lambda z: mpmath.ei(z),
    "expi_derivative": lambda z: mpmath.exp(z) / z,
    "expit": lambda z: 1 / (1 + mpmath.exp(-z)),
    "expm1": lambda z: mpmath.expm1(z),
    "gamma": lambda z: mpmath.gamma(z),
    "log1p": lambda z: mpmath.log1p(z),
    "log_expit": lambda z: -mpmath.log1p(mpmath.exp(-z)),
    "loggamma": lambda z: mpmath.loggamma(z),
    "ndtr": lambda z: mpmath.erfc(-z / mpmath.sqrt(2)) / 2,
    "psi": lambda z: mpmath.digamma(z),
    "sinc": lambda z: mpmath.sincpi(z),
    "psi_derivative": lambda z: mpmath.psi(1, z),
}
PLANE = np.asarray([1.5 + 0.5j, -0.3 + 2j, 2 - 1j, -2.6 - 0.7j, 0.2 + 0.1j, -4.5 + 9j, 3.0 - 0.0j])


REFUSED = {"log_expit", "erf"}  # they need not refuse complex numbers if they are right
REFUSED_BY_LIBRARY = {"cupy": {"erfc", "ndtr", "exp1", "expi"}}  # cupyx.scipy.special has them of real numbers alone


@pytest.mark.parametrize("name", sorted(xgrad.special.__all__))
def test_complex_numbers_are_right_or_refused(xp: Any, name: str) -> None:
    """Every function gives mpmath's value and gradient, or raises a TypeError that says that it takes real numbers."""
    pytest.importorskip("scipy")
    row = next((row for row in ROWS if row.name == name), None)
    f = getattr(xp.special, name)
    of = {"psi_derivative": (1,), "expi_derivative": (1,), "multigammaln": (2,)}.get(name, ())
    if name in COMPLEX:
        for dtype, rtol in (("complex128", 1e-11), ("complex64", 1e-4)):
            x = xp.asarray(PLANE.astype(dtype)).requires_grad_()
            try:
                y = f(x, *of)
            except TypeError:
                with pytest.raises(TypeError, match=f"takes real numbers, and x is {dtype}"):
                    f(x, *of)
                assert name in REFUSED | REFUSED_BY_LIBRARY.get(x.backend, set())
                continue
            xp.sum(xp.real(y)).backward()
            points = [mpmath.mpc(complex(z)) for z in x.detach().numpy()]
            check(y.detach().numpy(), np.asarray([complex(COMPLEX[name](z)) for z in points]), rtol)
            wanted = [complex(mpmath.conj(mpmath.diff(COMPLEX[name], z))) for z in points]
            check(x.grad.numpy(), np.asarray(wanted), rtol)
        return
    count = 1 if row is None else len(row.args)
    for k in range(count):
        arrays = [xp.asarray(PLANE if i == k else PLANE.real) for i in range(count)]
        with pytest.raises(TypeError, match=f"{name}: takes real numbers, and .* is complex128"):
            row.f(xp, *arrays) if row else f(*arrays, *of)


# -------------------------------------------------------------------------------------------------------------------- dtypes

ORDERS = {"psi_derivative": (1,), "expi_derivative": (1,), "multigammaln": (2,)}


@pytest.mark.parametrize("name", sorted(xgrad.special.__all__))
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
@pytest.mark.filterwarnings("ignore:overflow")
def test_results_have_the_dtype_of_the_arguments(xp: Any, name: str, dtype: str) -> None:
    """A library's own function may have loops in float64 alone."""
    pytest.importorskip("scipy")
    backend = find_backend(xp.ones(1).backend)
    try:
        native = backend.native_dtype(dtype)
    except TypeError:
        pytest.skip(f"{backend.name} has no {dtype}")
    row = next((row for row in ROWS if row.name == name), None)
    draws = [np.asarray([0.25, 0.5])] if row is None else row.draw()
    tracked = [True] if row is None else [arg.tracked for arg in row.args]
    arrays = [xgrad.Tensor(backend.xp.astype(backend.from_numpy(np.asarray(x, "float64")), native)) for x in draws]
    for x, wanted in zip(arrays, tracked):
        x.requires_grad_(wanted)
    y = row.f(xp, *arrays) if row else getattr(xp.special, name)(*arrays, *ORDERS.get(name, ()))
    assert y.dtype == dtype and y.data.dtype == native
    if y.requires_grad:
        xp.sum(y).backward()
    assert all(x.grad.dtype == dtype for x in arrays if x.grad is not None)


# --------------------------------------------------------------------------------------------------- where functions come from


def test_a_function_that_is_missing_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    backend = find_backend("numpy")
    monkeypatch.setattr(type(backend), "special", lambda self, name: None)
    with pytest.raises(NotImplementedError, match="expi: backend 'numpy' has no function 'expi'"):
        xgrad.special.expi(1.0)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(NotImplementedError, match="SciPy has it: python -m pip install scipy"):
        xgrad.special.expi(1.0)


def test_nothing_goes_from_a_device_to_the_host_and_back() -> None:
    torch = pytest.importorskip("torch")
    pytest.importorskip("scipy")
    with pytest.raises(NotImplementedError, match="SciPy's cannot run on device meta"):
        find_backend("torch").special_on_host("expi")(torch.zeros(2, device="meta"))


def test_formulas_agree_with_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The formulas that replace functions that a library lacks, tested on NumPy, which has them all."""
    scipy, backend = pytest.importorskip("scipy.special"), find_backend("numpy")
    x, p = np.linspace(0.2, 30, 200), np.linspace(0.01, 0.99, 200)
    y, k = x[::-1].copy(), np.floor(np.linspace(0, 4, 200))
    cases: dict[str, tuple[Any, ...]] = {
        "exp10": (x - 15,), "cosm1": (x,), "exprel": (x - 15,), "logit": (p,), "xlogy": (x, y), "xlog1py": (x, y), "entr": (x -
        15,), "rel_entr": (x, y), "kl_div": (x, y), "huber": (x, y), "pseudo_huber": (x, y), "boxcox": (x, p), "boxcox1p": (x, p
        - 0.5), "inv_boxcox": (p, x), "inv_boxcox1p": (p, x), "sindg": (30 * k - 45,), "cosdg": (30 * k,), "tandg": (30 * k -
        45,), "cotdg": (30 * k + 30,), "radian": (x, y, p), "erfcinv": (p,), "ndtr": (x - 15,), "log_ndtr": (x - 20,), "erfcx":
        (x - 15,), "gamma": (x - 9.05,), "gammasgn": (x - 15,), "rgamma": (x - 9.05,), "loggamma": (x,), "beta": (x, y),
        "betaln": (x, 9 * y), "ellipk": (1 - x,), "ellipkm1": (x,), "betainc": (x, y, p), "betaincc": (x, y, p), "fdtr": (x, y,
        x / 9), "fdtrc": (x, y, x / 9), "stdtr": (x, y - 15), "chdtr": (x, y), "chdtrc": (x, y), "chdtri": (x, p), "gdtr": (p,
        x, y), "gdtrc": (p, x, y), "pdtr": (k, x), "pdtrc": (k, x), "pdtri": (k, p), "nbdtr": (k, k + 2, p), "nbdtrc": (k, k +
        2, p), "spence": (x,), "stdtrit": (x, p), "hyp1f1": (p, x, y - 15),
    }  # fmt: skip
    own = backend.special
    for name, arguments in cases.items():
        wanted = getattr(scipy, name)(*arguments)
        monkeypatch.setattr(type(backend), "special", lambda self, asked, name=name: None if asked == name else own(asked))
        actual = getattr(xgrad.special, name)(*map(xgrad.Tensor, arguments)).numpy()
        np.testing.assert_allclose(actual, wanted, rtol=2e-12, atol=1e-13, err_msg=name)


def _student(df: float, t: float, p: float) -> float:
    """How far `t` is from the quantile of `p`, relative to `t`, by one step of Newton's method in 60 digits."""
    with mpmath.workdps(60):
        n, at, low = mpmath.mpf(df), abs(mpmath.mpf(t)), min(mpmath.mpf(p), 1 - mpmath.mpf(p))
        part = mpmath.betainc(n / 2, 0.5, 0, n / (n + at * at), regularized=True) / 2
        density = mpmath.gamma((n + 1) / 2) / mpmath.sqrt(n * mpmath.pi) / mpmath.gamma(n / 2)
        return float(abs((part - low) / (density * (1 + at * at / n) ** (-(n + 1) / 2) * at)))


def _hidden(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    own = find_backend("numpy").special
    monkeypatch.setattr(type(find_backend("numpy")), "special", lambda self, asked: None if asked == name else own(asked))


def test_the_formula_of_stdtrit(monkeypatch: pytest.MonkeyPatch) -> None:
    _hidden(monkeypatch, "stdtrit")
    rng = np.random.default_rng(0)
    df = 10 ** rng.uniform(-1, 7, 60)
    p = np.concatenate([10 ** rng.uniform(-30, -1, 20), rng.uniform(0.001, 0.999, 20), 0.5 + 10 ** rng.uniform(-10, -2, 20)])
    t = xgrad.special.stdtrit(xgrad.Tensor(df), xgrad.Tensor(p)).numpy()
    assert max(_student(*point) for point in zip(df, t, p) if np.isfinite(point[1])) < 2e-12
    ends = [(3.0, 0.0, -math.inf), (3.0, 1.0, math.inf), (3.0, 0.5, 0.0), (math.inf, 0.1, -1.2815515655446004)]
    for n, at, wanted in [*ends, (-1.0, 0.3, math.nan), (3.0, 1.5, math.nan), (3.0, math.nan, math.nan)]:
        check(xgrad.special.stdtrit(n, xgrad.Tensor(np.asarray(at))).numpy(), wanted)


def test_the_formula_of_hyp1f1(monkeypatch: pytest.MonkeyPatch) -> None:
    """Precise, or NaN where terms of both signs cancel: for `a`, or ``b - a`` of negative `x`, beyond about -10."""
    _hidden(monkeypatch, "hyp1f1")
    rng = np.random.default_rng(0)
    for low, high, digits, most in ((-3, 30, 1e-12, 0.0), (-10, 30, 1e-8, 0.0), (-30, 30, 1e-5, 0.4)):
        for scale in (1.0, 10.0, 100.0, 600.0):
            a, b, x = rng.uniform(low, high, 40), rng.uniform(0.1, 30, 40), rng.uniform(-scale, scale, 40)
            a[:5] = np.round(a[:5])
            a = np.where(x < 0, b - a, a)
            y = xgrad.special.hyp1f1(*map(xgrad.Tensor, (a, b, x))).numpy()
            wanted = np.asarray([float(mpmath.hyp1f1(*map(float, point))) for point in zip(a, b, x)])
            assert np.isnan(y).mean() <= most
            check(y[~np.isnan(y)], wanted[~np.isnan(y)], digits)


def test_the_formula_of_spence(monkeypatch: pytest.MonkeyPatch) -> None:
    scipy = pytest.importorskip("scipy.special")
    _hidden(monkeypatch, "spence")
    x = np.asarray([0.0, 5e-324, 1e-10, 0.5, 1 - 1e-9, 1.0, 1 + 1e-9, 2.0, 3.0, 1e300, np.inf, -1e-3, np.nan])
    with np.errstate(all="raise", under="ignore"):
        y = xgrad.special.spence(xgrad.Tensor(x)).numpy()
    check(y[:-3], scipy.spence(x[:-3]), 1e-14)
    check(y[-3:], [-np.inf, np.nan, np.nan])


def test_the_page_is_up_to_date() -> None:
    for name in ("scipy.special", "torch", "jax", "cupyx.scipy.special"):
        pytest.importorskip(name)
    from tests.pages.special_page import PAGE, page

    assert PAGE.read_text() == page(), "docs/special.md is stale: run python -m tests.pages.special_page"


CODE = """
import warnings
warnings.simplefilter("ignore")
import numpy as np, scipy.special, xgrad
from scipy.special._support_alternative_backends import _special_funcs
from tests.table.special import ROWS
rows = {row.name: row for row in ROWS if not row.label}
for info in _special_funcs:
    name = info.func.__name__
    if name not in rows:
        assert hasattr(xgrad.special, name), name
        continue
    row = rows[name]
    arrays = row.draw()
    tensors = [xgrad.Tensor(x, requires_grad=arg.tracked) for x, arg in zip(arrays, row.args)]
    y = getattr(scipy.special, name)(*tensors)
    assert isinstance(y, xgrad.Tensor), name
    np.testing.assert_allclose(y.detach().numpy(), info.func(*arrays), rtol=1e-11, err_msg=name)
    y.sum().backward()
    assert all(np.isfinite(t.grad.numpy()).all() for t in tensors if t.requires_grad), name
print(len(_special_funcs), "functions")
"""


def test_scipy_dispatches_to_it() -> None:
    """With SCIPY_ARRAY_API=1, every function that SciPy dispatches takes Tensors and gives a gradient."""
    pytest.importorskip("scipy", minversion="1.17")
    env = environment(SCIPY_ARRAY_API="1")
    done = subprocess.run(
        [sys.executable, "-c", CODE], env=env, capture_output=True, text=True, check=False, timeout=300, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    assert "functions" in done.stdout


def test_every_name_that_scipy_dispatches_is_there() -> None:
    module = pytest.importorskip("scipy.special._support_alternative_backends")
    assert set(module.__all__) <= set(xgrad.special.__all__)
