"""263 calls of SciPy, written down before any of them was tried on xgrad: `measure.py` says what becomes of each.

They range over SciPy's modules in the way its users do; that a function is known to leave the namespace of its arguments
is no reason to leave it out.
"""

# ruff: noqa: E501, I001 (a row is a line)

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import (
    cluster, constants, differentiate, fft, integrate, interpolate, linalg, ndimage, optimize, signal, spatial, special, stats,
)  # fmt: skip
from scipy.optimize import elementwise
from scipy.spatial.transform import RigidTransform, Rotation, Slerp

from ..table import Arg

__all__ = ["CALLS", "Call"]


@dataclass(frozen=True)
class Call:
    """One call: a function of arrays, and the arrays to call it with (`Arg.grad` says which to differentiate by)."""

    name: str
    f: Callable[..., Any]
    args: tuple[Arg, ...]

    def draw(self) -> list[np.ndarray]:
        """The arguments, the same in every run."""
        seed = zlib.crc32(self.name.encode())
        return [arg.draw(seed + k) for k, arg in enumerate(self.args)]


def call(name: str, f: Callable[..., Any], *args: Arg) -> Call:
    return Call(name, f, args)


def fixed(*values: Any, kind: str = "float") -> Arg:
    """An argument with these values, by which nothing is differentiated."""
    array = np.asarray(values)
    return Arg(array.shape, values=tuple(array.ravel().tolist()), kind=kind, grad=False)


def at(*values: Any) -> Arg:
    """An argument with these values, by which is differentiated."""
    array = np.asarray(values if len(values) > 1 else values[0])
    return Arg(array.shape, values=tuple(array.ravel().tolist()))


x5, x10, x20 = Arg((5,)), Arg((10,)), Arg((20,))
x35, x44, x2_8 = Arg((3, 5)), Arg((4, 4)), Arg((2, 8))
p5, p10, p35 = Arg((5,), 0.5, 3.0), Arg((10,), 0.5, 3.0), Arg((3, 5), 0.5, 3.0)
u5, u10 = Arg((5,), 0.05, 0.95), Arg((10,), 0.05, 0.95)
z5, z8 = Arg((5,), kind="complex"), Arg((8,), kind="complex")
image, volume = Arg((6, 7)), Arg((4, 5, 3))
points, others = Arg((6, 3)), Arg((5, 3))
SPD = at([4.0, 1.0, 0.5], [1.0, 3.0, 0.2], [0.5, 0.2, 2.0])
TAPS, POLES = fixed(0.2, 0.3, 0.1), fixed(1.0, -0.4, 0.1)
SOS = fixed([0.2, 0.3, 0.1, 1.0, -0.4, 0.1])
LINKAGE = fixed([0.0, 1.0, 0.5, 2.0], [2.0, 3.0, 0.7, 2.0], [4.0, 5.0, 1.5, 4.0])

STATS = [
    call("stats.gmean", lambda x: stats.gmean(x, axis=1), p35),
    call("stats.hmean", lambda x: stats.hmean(x, axis=1), p35),
    call("stats.pmean", lambda x: stats.pmean(x, 3, axis=1), p35),
    call("stats.expectile", lambda x: stats.expectile(x, 0.3), x5),
    call("stats.moment", lambda x: stats.moment(x, [2, 3], axis=1), x35),
    call("stats.skew", lambda x: stats.skew(x, axis=1, bias=False), x35),
    call("stats.kurtosis", lambda x: stats.kurtosis(x, axis=1), x35),
    call("stats.describe", lambda x: stats.describe(x, axis=1), x35),
    call("stats.zscore", lambda x: stats.zscore(x, axis=1), x35),
    call("stats.zmap", lambda x, y: stats.zmap(x, y), x5, x10),
    call("stats.gzscore", lambda x: stats.gzscore(x), p5),
    call("stats.gstd", lambda x: stats.gstd(x), p5),
    call("stats.sem", lambda x: stats.sem(x, axis=1), x35),
    call("stats.variation", lambda x: stats.variation(x, axis=1, ddof=1), p35),
    call("stats.iqr", lambda x: stats.iqr(x, axis=1), x35),
    call("stats.median_abs_deviation", lambda x: stats.median_abs_deviation(x), x5),
    call("stats.tmean", lambda x: stats.tmean(x, (-1.5, 1.5)), x10),
    call("stats.tvar", lambda x: stats.tvar(x, (-1.5, 1.5)), x10),
    call("stats.tsem", lambda x: stats.tsem(x, (-1.5, 1.5)), x10),
    call("stats.tmax", lambda x: stats.tmax(x, 1.5), x10),
    call("stats.trim_mean", lambda x: stats.trim_mean(x, 0.2), x10),
    call("stats.mode", lambda x: stats.mode(x), x5),
    call("stats.rankdata", lambda x: stats.rankdata(x), x10),
    call("stats.quantile", lambda x: stats.quantile(x, 0.3, axis=1), x35),
    call("stats.scoreatpercentile", lambda x: stats.scoreatpercentile(x, 30), x10),
    call("stats.entropy", lambda p, q: stats.entropy(p, q), p5, p5),
    call("stats.differential_entropy", lambda x: stats.differential_entropy(x, method="vasicek"), x20),
    call("stats.wasserstein_distance", lambda x, y: stats.wasserstein_distance(x, y), x5, x10),
    call("stats.kstat", lambda x: stats.kstat(x, 3), x10),
    call("stats.kstatvar", lambda x: stats.kstatvar(x, 2), x10),
    call("stats.lmoment", lambda x: stats.lmoment(x), x10),
    call("stats.boxcox", lambda x: stats.boxcox(x, 0.5), p10),
    call("stats.boxcox_llf", lambda x: stats.boxcox_llf(0.5, x), p10),
    call("stats.yeojohnson", lambda x: stats.yeojohnson(x, 0.5), x10),
    call("stats.yeojohnson_llf", lambda x: stats.yeojohnson_llf(0.5, x), x10),
    call("stats.directional_stats", lambda x: (stats.directional_stats(x).mean_direction, stats.directional_stats(x).mean_resultant_length), points),
    call("stats.circmean", lambda x: stats.circmean(x), p10),
    call("stats.circvar", lambda x: stats.circvar(x), p10),
    call("stats.circstd", lambda x: stats.circstd(x), p10),
    call("stats.ttest_1samp", lambda x: stats.ttest_1samp(x, 0.2), x10),
    call("stats.ttest_ind", lambda x, y: stats.ttest_ind(x, y, equal_var=False), x10, x5),
    call("stats.ttest_rel", lambda x, y: stats.ttest_rel(x, y), x10, x10),
    call("stats.power_divergence", lambda x: stats.power_divergence(x, lambda_=0.5), p5),
    call("stats.chisquare", lambda x: stats.chisquare(x), p5),
    call("stats.ks_1samp", lambda x: stats.ks_1samp(x, special.ndtr), x10),
    call("stats.ks_2samp", lambda x, y: stats.ks_2samp(x, y), x10, x5),
    call("stats.mannwhitneyu", lambda x, y: stats.mannwhitneyu(x, y, method="asymptotic"), x10, x5),
    call("stats.wilcoxon", lambda x: stats.wilcoxon(x, method="asymptotic"), x10),
    call("stats.kruskal", lambda x, y: stats.kruskal(x, y), x10, x5),
    call("stats.friedmanchisquare", lambda x, y, z: stats.friedmanchisquare(x, y, z), x10, x10, x10),
    call("stats.f_oneway", lambda x, y: stats.f_oneway(x, y), x10, x5),
    call("stats.bartlett", lambda x, y: stats.bartlett(x, y), x10, x5),
    call("stats.levene", lambda x, y: stats.levene(x, y), x10, x5),
    call("stats.fligner", lambda x, y: stats.fligner(x, y), x10, x5),
    call("stats.ansari", lambda x, y: stats.ansari(x, y), x10, x5),
    call("stats.normaltest", lambda x: stats.normaltest(x), x20),
    call("stats.jarque_bera", lambda x: stats.jarque_bera(x), x20),
    call("stats.shapiro", lambda x: stats.shapiro(x), x20),
    call("stats.cramervonmises", lambda x: stats.cramervonmises(x, special.ndtr), x10),
    call("stats.brunnermunzel", lambda x, y: stats.brunnermunzel(x, y), x10, x10),
    call("stats.combine_pvalues", lambda p: stats.combine_pvalues(p), u5),
    call("stats.false_discovery_control", lambda p: stats.false_discovery_control(p), u5),
    call("stats.pearsonr", lambda x, y: tuple(stats.pearsonr(x, y)), x10, x10),
    call("stats.spearmanr", lambda x, y: tuple(stats.spearmanr(x, y)), x10, x10),
    call("stats.kendalltau", lambda x, y: tuple(stats.kendalltau(x, y)), x10, x10),
    call("stats.linregress", lambda x, y: stats.linregress(x, y), x10, x10),
    call("stats.theilslopes", lambda x, y: tuple(stats.theilslopes(x, y)), x10, x10),
    call("stats.chatterjeexi", lambda x, y: stats.chatterjeexi(x, y), x10, x10),
    call("stats.bootstrap", lambda x: stats.bootstrap((x,), _mean, method="percentile", n_resamples=99, rng=1).confidence_interval, x10),
    call("stats.permutation_test", lambda x, y: stats.permutation_test((x, y), _gap, n_resamples=99, rng=1), x5, x5),
    call("stats.norm.logpdf", lambda x: stats.norm.logpdf(x, 0.1, 1.5), x5),
    call("stats.gamma.cdf", lambda x: stats.gamma.cdf(x, 2.0), p5),
    call("stats.multivariate_normal.logpdf", lambda x: stats.multivariate_normal.logpdf(x, [0, 0, 0]), points),
    call("stats.Normal.logpdf", lambda x, m, s: stats.Normal(mu=m, sigma=s).logpdf(x), x5, at(0.2), at(1.5)),
    call("stats.gaussian_kde", lambda x: stats.gaussian_kde(x)(0.3), x10),
]  # fmt: skip


def _mean(x: Any, axis: int) -> Any:
    return x.mean(axis=axis)


def _gap(x: Any, y: Any, axis: int) -> Any:
    return x.mean(axis=axis) - y.mean(axis=axis)


def _special(name: str, *args: Arg, **options: Any) -> Call:
    return call(f"special.{name}", lambda *x: getattr(special, name)(*x, **options), *args)


SPECIAL = [
    *(_special(name, x5) for name in ("erf", "erfc", "erfcx", "expit", "log_expit", "i0", "i0e", "i1", "ndtr", "log_ndtr", "j1", "exprel")),
    *(_special(name, p5) for name in ("gammaln", "gamma", "digamma", "j0", "k0", "entr")),
    *(_special(name, u5) for name in ("logit", "ndtri", "erfinv", "ellipk")),
    *(_special(name, p5, p5) for name in ("gammainc", "gammaincc", "beta", "betaln", "xlogy", "xlog1py", "rel_entr", "kl_div", "huber", "boxcox")),
    _special("betainc", p5, p5, u5),
    _special("stdtr", p5, x5),
    _special("chdtr", p5, p5),
    call("special.polygamma", lambda x: special.polygamma(2, x), p5),
    call("special.multigammaln", lambda x: special.multigammaln(x, 2), p5),
    _special("logsumexp", x35, axis=1),
    _special("softmax", x35, axis=1),
    _special("log_softmax", x35, axis=1),
]  # fmt: skip

FFT = [
    call("fft.fft", lambda x: fft.fft(x, 6), z5),
    call("fft.ifft", lambda x: fft.ifft(x, norm="ortho"), z5),
    call("fft.rfft", lambda x: fft.rfft(x), x35),
    call("fft.irfft", lambda x: fft.irfft(x, 9), z5),
    call("fft.hfft", lambda x: fft.hfft(x, 8), z5),
    call("fft.ihfft", lambda x: fft.ihfft(x), x5),
    call("fft.fft2", lambda x: fft.fft2(x), image),
    call("fft.fftn", lambda x: fft.fftn(x), volume),
    call("fft.ifftn", lambda x: fft.ifftn(x, axes=(0, 1)), volume),
    call("fft.rfftn", lambda x: fft.rfftn(x), image),
    call("fft.irfftn", lambda x: fft.irfftn(x), Arg((3, 4), kind="complex")),
    call("fft.fftshift", lambda x: fft.fftshift(x), x35),
    call("fft.dct", lambda x: fft.dct(x), x5),
    call("fft.dctn", lambda x: fft.dctn(x, type=3), image),
    call("fft.dst", lambda x: fft.dst(x), x5),
    call("fft.fht", lambda x: fft.fht(x, 0.1, 0.5), Arg((8,))),
]


def _joined(b: Any, a: Any) -> Any:
    return b.__array_namespace__().concat([b, a], axis=1)


SIGNAL = [
    call("signal.convolve", lambda x, y: signal.convolve(x, y), x10, x5),
    call("signal.convolve (direct)", lambda x, y: signal.convolve(x, y, method="direct"), x10, x5),
    call("signal.fftconvolve", lambda x, y: signal.fftconvolve(x, y, mode="same"), image, Arg((3, 3))),
    call("signal.oaconvolve", lambda x, y: signal.oaconvolve(x, y), x20, x5),
    call("signal.correlate", lambda x, y: signal.correlate(x, y), x10, x5),
    call("signal.convolve2d", lambda x, y: signal.convolve2d(x, y), image, Arg((3, 3))),
    call("signal.detrend", lambda x: signal.detrend(x), x10),
    call("signal.hilbert", lambda x: signal.hilbert(x), x10),
    call("signal.envelope", lambda x: signal.envelope(x), x20),
    call("signal.resample", lambda x: signal.resample(x, 14), x10),
    call("signal.resample_poly", lambda x: signal.resample_poly(x, 3, 2), x20),
    call("signal.decimate", lambda x: signal.decimate(x, 2), Arg((60,))),
    call("signal.lfilter", lambda b, a, x: signal.lfilter(b, a, x), TAPS, POLES, x20),
    call("signal.sosfilt", lambda s, x: signal.sosfilt(s, x), SOS, x20),
    call("signal.filtfilt", lambda b, a, x: signal.filtfilt(b, a, x), TAPS, POLES, x20),
    call("signal.savgol_filter", lambda x: signal.savgol_filter(x, 5, 2), x20),
    call("signal.medfilt", lambda x: signal.medfilt(x, 3), x10),
    call("signal.wiener", lambda x: signal.wiener(x, 3), x10),
    call("signal.upfirdn", lambda h, x: signal.upfirdn(h, x, 2, 1), x5, x10),
    call("signal.welch", lambda x: signal.welch(x, nperseg=8), x20),
    call("signal.periodogram", lambda x: signal.periodogram(x), x20),
    call("signal.csd", lambda x, y: signal.csd(x, y, nperseg=8), x20, x20),
    call("signal.coherence", lambda x, y: signal.coherence(x, y, nperseg=8)[1], x20, x20),
    call("signal.stft", lambda x: signal.stft(x, nperseg=8)[2], x20),
    call("signal.freqz", lambda b: signal.freqz(b, worN=8), p5),
    call("signal.sosfreqz", lambda b, a: signal.sosfreqz(_joined(b, a), worN=8), at([0.2, 0.3, 0.1], [0.4, 0.1, 0.5]), fixed([1.0, -0.4, 0.1], [1.0, 0.2, 0.3])),
    call("signal.group_delay", lambda b: signal.group_delay((b, 1.0), w=4)[1], p5),
    call("signal.firwin", lambda w: signal.firwin(9, w), at(0.3, 0.6)),
    call("signal.bilinear_zpk", lambda z, p: signal.bilinear_zpk(z, p, 1.0, 2.0), z5, z5),
    call("signal.tf2zpk", lambda b, a: signal.tf2zpk(b, a), p5, p5),
    call("signal.zpk2tf", lambda z, p: signal.zpk2tf(z, p, 2.0), x5, x5),
    call("signal.find_peaks", lambda x: signal.find_peaks(x)[0], x20),
    call("signal.sawtooth", lambda t: signal.sawtooth(t, 0.3), p10),
    call("signal.chirp", lambda t: signal.chirp(t, 1.0, 3.0, 4.0), p10),
    call("signal.gausspulse", lambda t: signal.gausspulse(t), x10),
    call("signal.czt", lambda x: signal.czt(x, 6), x10),
    call("signal.zoom_fft", lambda x: signal.zoom_fft(x, [0.1, 0.4], 6), x10),
    call("signal.minimum_phase", lambda h: signal.minimum_phase(h), at(1.0, 2.0, 3.5, 2.0, 1.0)),
    call("signal.vectorstrength", lambda t: signal.vectorstrength(t, 1.3), p10),
    call("signal.lombscargle", lambda t, y, w: signal.lombscargle(t, y, w), p10, x10, fixed(0.5, 1.0)),
]  # fmt: skip

times = fixed(0.0, 0.3, 0.7, 1.2, 1.4, 1.9, 2.3, 2.8, 3.0)
INTEGRATE = [
    call("integrate.trapezoid", lambda y, t: integrate.trapezoid(y, t), Arg((9,)), Arg((9,))),
    call("integrate.simpson", lambda y, t: integrate.simpson(y, t), Arg((9,)), times),
    call("integrate.cumulative_trapezoid", lambda y, t: integrate.cumulative_trapezoid(y, t, initial=0), Arg((9,)), Arg((9,))),
    call("integrate.cumulative_simpson", lambda y, t: integrate.cumulative_simpson(y, x=t), Arg((9,)), times),
    call("integrate.romb", lambda y: integrate.romb(y), Arg((9,))),
    call("integrate.fixed_quad", lambda a, b: integrate.fixed_quad(lambda t: t**3 + t, a, b), at(0.2), at(1.4)),
    call("integrate.quad", lambda a, b: integrate.quad(lambda t: t**3 + t, a, b), at(0.2), at(1.4)),
    call("integrate.quad_vec", lambda c: integrate.quad_vec(lambda t: c * t**2, 0.0, 1.0)[0], p5),
    call("integrate.tanhsinh", lambda a, b, c: integrate.tanhsinh(lambda t, c: c * t**3 + t, a, b, args=(c,)).integral, x5, p5, p5),
    call("integrate.tanhsinh (infinite)", lambda a, b, c: integrate.tanhsinh(lambda t, c: 1 / (c + t * t), a, b, args=(c,)).integral, fixed(-np.inf, 0.0, -1.0), fixed(np.inf, np.inf, 2.0), at(1.0, 1.5, 2.0)),
    call("integrate.nsum", lambda a, c: integrate.nsum(lambda k, c: 1 / (k**2 + c), a, np.inf, args=(c,)).sum, fixed(1.0, 1.0, 2.0), at(0.5, 1.0, 2.0)),
    call("integrate.cubature", lambda a, b: integrate.cubature(lambda t: t[:, 0] ** 2 * t[:, 1], a, b).estimate, at(0.0, 0.1), at(1.0, 1.5)),
    call("integrate.solve_ivp", lambda y: integrate.solve_ivp(lambda t, y: -y, (0, 1), y, t_eval=[0.5, 1.0]).y, p5),
]  # fmt: skip

OPTIMIZE = [
    call("optimize.elementwise.find_root", lambda a, b, c: elementwise.find_root(lambda t, c: t**3 - c, (a, b), args=(c,)).x, fixed(0.1), fixed(3.0), p5),
    call("optimize.elementwise.find_minimum", lambda a, b, d, c: elementwise.find_minimum(lambda t, c: (t - c) ** 2 + c, (a, b, d), args=(c,)).f_x, fixed(-5.0), fixed(0.1), fixed(5.0), u5),
    call("optimize.elementwise.bracket_root", lambda a: elementwise.bracket_root(lambda t: t**3 - 20, a).bracket, u5),
    call("optimize.rosen", lambda x: optimize.rosen(x), x5),
    call("optimize.rosen_der", lambda x: optimize.rosen_der(x), x5),
    call("optimize.rosen_hess", lambda x: optimize.rosen_hess(x), x5),
    call("optimize.minimize", lambda x: optimize.minimize(lambda t: (t**4).sum(), x).fun, x5),
    call("optimize.root_scalar", lambda c: optimize.root_scalar(lambda t: t**3 - c, bracket=(0.1, 3.0)).root, at(2.0)),
    call("optimize.curve_fit", lambda x, y: optimize.curve_fit(lambda t, a, b: a * t + b, x, y)[0], x10, x10),
    call("optimize.linear_sum_assignment", lambda x: optimize.linear_sum_assignment(x), x44),
]  # fmt: skip

knots = at(0.0, 0.4, 1.0, 1.7, 2.2, 3.0)
y6, inside = Arg((6,)), Arg((5,), 0.3, 2.7)
INTERPOLATE = [
    call("interpolate.make_interp_spline", lambda x, y, t: interpolate.make_interp_spline(x, y)(t), knots, y6, inside),
    call("interpolate.CubicSpline", lambda x, y, t: interpolate.CubicSpline(x, y)(t), knots, y6, inside),
    call("interpolate.PchipInterpolator", lambda x, y, t: interpolate.PchipInterpolator(x, y)(t), knots, y6, inside),
    call("interpolate.Akima1DInterpolator", lambda x, y, t: interpolate.Akima1DInterpolator(x, y)(t), knots, y6, inside),
    call("interpolate.CubicHermiteSpline", lambda x, y, d, t: interpolate.CubicHermiteSpline(x, y, d)(t), knots, y6, y6, inside),
    call("interpolate.BarycentricInterpolator", lambda x, y, t: interpolate.BarycentricInterpolator(x, y)(t), knots, y6, inside),
    call("interpolate.interp1d", lambda x, y, t: interpolate.interp1d(x, y)(t), knots, y6, inside),
    call("interpolate.RegularGridInterpolator", lambda x, y, v, t: interpolate.RegularGridInterpolator((x, y), v)(t), fixed(0.0, 1.0, 2.0), fixed(0.0, 1.5, 2.0, 3.0), Arg((3, 4)), Arg((5, 2), 0.1, 1.9)),
    call("interpolate.RBFInterpolator", lambda y, d, t: interpolate.RBFInterpolator(y, d)(t), points, y6, others),
    call("interpolate.AAA", lambda x, y, t: interpolate.AAA(x, y)(t), knots, at(1.0, 1.5, 2.7, 5.5, 9.0, 20.0), inside),
]  # fmt: skip

quaternion, turn = Arg((4, 4)), Arg((4, 3), -1.0, 1.0)
SPATIAL = [
    call("spatial.distance.cdist", lambda x, y: spatial.distance.cdist(x, y), points, others),
    call("spatial.distance.pdist", lambda x: spatial.distance.pdist(x), points),
    call("spatial.distance.euclidean", lambda x, y: spatial.distance.euclidean(x, y), x5, x5),
    call("spatial.procrustes", lambda x, y: spatial.procrustes(x, y), points, points),
    call("spatial.geometric_slerp", lambda x: spatial.geometric_slerp(x / (x**2).sum() ** 0.5, np.asarray([0.0, 1.0, 0.0]), 0.3), Arg((3,))),
    call("spatial.transform.Rotation.as_matrix", lambda q: Rotation.from_quat(q).as_matrix(), quaternion),
    call("spatial.transform.Rotation.as_quat", lambda v: Rotation.from_matrix(Rotation.from_rotvec(v).as_matrix()).as_quat(), turn),
    call("spatial.transform.Rotation.from_euler", lambda v: Rotation.from_euler("xyz", v).as_matrix(), turn),
    call("spatial.transform.Rotation.as_euler", lambda v: Rotation.from_rotvec(v).as_euler("zyx"), turn),
    call("spatial.transform.Rotation.as_rotvec", lambda q: Rotation.from_quat(q).as_rotvec(), quaternion),
    call("spatial.transform.Rotation.as_mrp", lambda q: Rotation.from_quat(q).as_mrp(), quaternion),
    call("spatial.transform.Rotation.apply", lambda q, v: Rotation.from_quat(q).apply(v), quaternion, turn),
    call("spatial.transform.Rotation.__mul__", lambda p, q: (Rotation.from_quat(p) * Rotation.from_quat(q).inv()).as_matrix(), quaternion, quaternion),
    call("spatial.transform.Rotation.mean", lambda q: Rotation.from_rotvec(q).mean().as_matrix(), turn),
    call("spatial.transform.Rotation.align_vectors", lambda v, w: Rotation.align_vectors(v, w)[0].as_matrix(), turn, turn),
    call("spatial.transform.Slerp", lambda t, q: Slerp(t, Rotation.from_rotvec(q))(t * 0.9 + 0.05).as_matrix(), fixed(0.0, 1.0, 2.0, 3.0), turn),
    call("spatial.transform.RigidTransform", lambda t, v, p: RigidTransform.from_components(t, Rotation.from_rotvec(v)).apply(p), turn, turn, turn),
    call("spatial.KDTree", lambda x, y: spatial.KDTree(x).query(y)[0], points, others),
]  # fmt: skip

NDIMAGE = [
    call("ndimage.gaussian_filter", lambda x: ndimage.gaussian_filter(x, 1.0), image),
    call("ndimage.uniform_filter", lambda x: ndimage.uniform_filter(x, 3), image),
    call("ndimage.convolve", lambda x, w: ndimage.convolve(x, w), image, Arg((3, 3))),
    call("ndimage.sobel", lambda x: ndimage.sobel(x), image),
    call("ndimage.laplace", lambda x: ndimage.laplace(x), image),
    call("ndimage.median_filter", lambda x: ndimage.median_filter(x, 3), image),
    call("ndimage.map_coordinates", lambda x, c: ndimage.map_coordinates(x, c, order=1), image, Arg((2, 5), 0.2, 4.8)),
    call("ndimage.zoom", lambda x: ndimage.zoom(x, 2.0), image),
    call("ndimage.shift", lambda x: ndimage.shift(x, 0.3), image),
    call("ndimage.grey_dilation", lambda x: ndimage.grey_dilation(x, 3), image),
    call("ndimage.center_of_mass", lambda x: ndimage.center_of_mass(x), Arg((6, 7), 0.5, 2.0)),
]  # fmt: skip

CLUSTER = [
    call("cluster.vq.whiten", lambda x: cluster.vq.whiten(x), points),
    call("cluster.vq.vq", lambda x, c: cluster.vq.vq(x, c), points, Arg((2, 3))),
    call("cluster.vq.kmeans", lambda x, c: cluster.vq.kmeans(x, c), points, Arg((2, 3))),
    call("cluster.hierarchy.linkage", lambda x: cluster.hierarchy.linkage(x, "average"), points),
    call("cluster.hierarchy.cophenet", lambda z: cluster.hierarchy.cophenet(z), LINKAGE),
    call("cluster.hierarchy.inconsistent", lambda z: cluster.hierarchy.inconsistent(z), LINKAGE),
    call("cluster.hierarchy.is_monotonic", lambda z: cluster.hierarchy.is_monotonic(z), LINKAGE),
]

DIFFERENTIATE = [
    call("differentiate.derivative", lambda x: differentiate.derivative(_exp_sin, x).df, x5),
    call("differentiate.jacobian", lambda x: differentiate.jacobian(lambda t: t**3, x).df, at(0.4, 0.9, 1.7)),
    call("differentiate.hessian", lambda x: differentiate.hessian(optimize.rosen, x).ddf, at(0.4, 0.9, 1.7)),
]


def _exp_sin(x: Any) -> Any:
    xp = x.__array_namespace__()
    return xp.exp(xp.sin(x))


CONSTANTS = [
    call("constants.convert_temperature", lambda x: constants.convert_temperature(x, "Celsius", "Kelvin"), x5),
    call("constants.lambda2nu", lambda x: constants.lambda2nu(x), p5),
    call("constants.nu2lambda", lambda x: constants.nu2lambda(x), p5),
]

lower = at([2.0, 0.0, 0.0], [0.4, 1.5, 0.0], [-0.3, 0.6, 1.2])
LINALG = [
    call("linalg.solve", lambda a, b: linalg.solve(a, b), SPD, Arg((3, 2))),
    call("linalg.inv", lambda a: linalg.inv(a), SPD),
    call("linalg.det", lambda a: linalg.det(a), SPD),
    call("linalg.pinv", lambda a: linalg.pinv(a), Arg((4, 3))),
    call("linalg.lstsq", lambda a, b: linalg.lstsq(a, b)[0], Arg((4, 3)), Arg((4,))),
    call("linalg.expm", lambda a: linalg.expm(a), x44),
    call("linalg.logm", lambda a: linalg.logm(a), SPD),
    call("linalg.cholesky", lambda a: linalg.cholesky(a), SPD),
    call("linalg.lu", lambda a: linalg.lu(a), SPD),
    call("linalg.qr", lambda a: linalg.qr(a), x44),
    call("linalg.svdvals", lambda a: linalg.svdvals(a), Arg((4, 3))),
    call("linalg.eigh", lambda a: linalg.eigh(a)[0], SPD),
    call("linalg.norm", lambda a: linalg.norm(a), x44),
    call("linalg.solve_triangular", lambda a, b: linalg.solve_triangular(a, b, lower=True), lower, Arg((3,))),
    call("linalg.solve_sylvester", lambda a, b, q: linalg.solve_sylvester(a, b, q), SPD, SPD, Arg((3, 3))),
    call("linalg.toeplitz", lambda c: linalg.toeplitz(c), x5),
    call("linalg.block_diag", lambda a, b: linalg.block_diag(a, b), Arg((2, 2)), Arg((3, 3))),
]

CALLS: list[Call] = [
    *STATS, *SPECIAL, *FFT, *SIGNAL, *INTEGRATE, *OPTIMIZE, *INTERPOLATE, *SPATIAL, *NDIMAGE, *CLUSTER, *DIFFERENTIATE,
    *CONSTANTS, *LINALG,
]  # fmt: skip
