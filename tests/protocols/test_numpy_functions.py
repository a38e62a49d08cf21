"""Every public function of NumPy that asks its arguments: done by xgrad with NumPy's values and the right gradient, or refused.

The list is NumPy's own, so a function that a later NumPy adds must get a line here, or it is refused.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import GradientError, Tensor
from xgrad.protocols.numpy_functions import FUNCTIONS

from ..pages.numpy_page import covered, dispatched, table

X = np.array([[0.57, -1.23, 2.14], [1.58, 0.81, -0.32]])
M = np.array([[3.0, 0.5, -0.2], [0.4, 2.0, 0.7], [-0.6, 0.3, 1.5]])
V = np.array([1.0, 2.0, -0.5])
NAN = np.array([[0.5, np.nan, 2.0], [1.5, 0.8, np.nan]])
names = {"np": np, "X": X, "M": M, "V": V, "C": X[::-1] * 2, "mask": X > 0, "nan": NAN, "inf": np.inf}

# What is called, by the name of the function: `x` has shape (2, 3), `v` 3, `m` (3, 3); `n` has NaN in it, `p` is positive.
CASES = """
angle: np.angle(x + 1j)
append: np.append(x, C, axis=0) | np.append(x, 3.0) | np.append(X, v)
apply_along_axis: np.apply_along_axis(lambda r: r * r[0], 1, x) | np.apply_along_axis(lambda r: r.sum(), 0, x)
argpartition argsort: np.argsort(x, axis=0) | np.argpartition(v, 2)
argwhere flatnonzero nonzero: np.argwhere(x) | np.flatnonzero(x) | np.nonzero(v)[0]
array_split: np.array_split(v, 2)[0] | np.array_split(x, [1], axis=1)[1]
split hsplit vsplit: np.split(x, 3, axis=1)[2] | np.hsplit(x, 3)[0] | np.vsplit(x, 2)[1] | np.hsplit(v, [1])[1]
dsplit dstack: np.dsplit(np.dstack([x, C]), 2)[0] | np.dstack([v, V])
astype: np.astype(x, np.float64)
atleast_1d atleast_2d atleast_3d: np.atleast_1d(x[0, 0]) | np.atleast_2d(v) | np.atleast_3d(v) | np.atleast_3d(x)
average: np.average(x, axis=1, weights=V) | np.average(X, weights=x + 5)
bincount: np.bincount([0, 2, 2], v)
block: np.block([[x, C], [C, x]]) | np.block([v, 1.0])
broadcast_arrays broadcast_to: np.broadcast_arrays(v, X)[0] | np.broadcast_to(v, (2, 3))
choose: np.choose(np.array([0, 1, 0]), [v, V])
clip: np.clip(x, -1.0, 1.0) | np.clip(x, max=1.0, min=None)
column_stack: np.column_stack([v, V]) | np.column_stack([m, v])
compress: np.compress([True, False, True], x, axis=1)
concat concatenate: np.concat([x, C]) | np.concatenate([x, C], axis=1) | np.concatenate([v, [1.0, 2.0]])
convolve correlate: np.convolve(v, V, "same") | np.correlate(v, V) | np.convolve(V, v)
copy: np.copy(x)
corrcoef cov: np.cov(x) | np.corrcoef(x) | np.cov(v, V, ddof=0)
cross: np.cross(v, V) | np.cross(x, V) | np.cross(m, M, axis=0)
cumprod cumsum cumulative_prod cumulative_sum: np.cumprod(x, axis=1) | np.cumsum(x) | np.cumulative_sum(v) | np.cumulative_prod(v)
delete: np.delete(x, 1, axis=1) | np.delete(x, [0, 2])
diag diagflat diagonal: np.diag(v) | np.diag(m, 1) | np.diagflat(x) | np.diagonal(m, -1)
diff: np.diff(x, n=2, axis=1) | np.diff(x, axis=0)
digitize: np.digitize(x, np.array([0.0, 1.0]))
dot: np.dot(x, m) | np.dot(2.0, x)
ediff1d: np.ediff1d(x, to_end=9.0)
einsum: np.einsum("ij,kj->ik", x, C) | np.einsum(x, [0, 1], [1, 0]) | np.einsum("ii->i", m)
expand_dims: np.expand_dims(x, 1)
extract: np.extract(mask, x)
fix: np.fix(x)
flip fliplr flipud: np.flip(x, 0) | np.fliplr(x) | np.flipud(x)
full_like ones_like zeros_like empty_like: np.full_like(x, 2.0) | np.ones_like(x) | np.zeros_like(x) | np.empty_like(x).shape[0]
gradient: np.gradient(v) | np.gradient(x, 2.0, axis=1) | np.gradient(m)[1]
hstack vstack row_stack: np.hstack([v, V]) | np.hstack([x, C]) | np.vstack([v, V]) | np.vstack([x, C])
i0: np.i0(v)
imag real: np.real(x * (1 + 2j)) | np.imag(x * (1 + 2j))
inner: np.inner(x, C)
insert: np.insert(x, 1, 9.0, axis=1) | np.insert(v, 3, [5.0, 6.0])
interp: np.interp(v, np.array([-1.0, 0.0, 3.0]), V) | np.interp(V, np.array([-1.0, 0.3, 3.0]), v)
iscomplex iscomplexobj isreal isrealobj: np.iscomplex(x) | np.isreal(x) | np.iscomplexobj(x) | np.isrealobj(x)
isin: np.isin(x, [0.57, 1.0])
isneginf isposinf: np.isneginf(x) | np.isposinf(x)
kron: np.kron(x, V)
linalg.lstsq: np.linalg.lstsq(x.T, V)[0] | np.linalg.lstsq(x.T, V)[1] | np.linalg.lstsq(x, X)[0] | np.linalg.lstsq(x, X)[1]
geomspace: np.geomspace(x[0, 0], 3.0, 5) | np.geomspace(p, 2.0, 4, endpoint=False, axis=-1)
polyadd polysub polyder: np.polyadd(v, x[1, 1:]) | np.polysub(V, v) | np.polyder(v) | np.polyder(v, 2)
linspace logspace: np.linspace(x[0, 0], 3.0, 5) | np.linspace(v, V, 4, endpoint=False, axis=1) | np.logspace(v, V, 3)
matrix_transpose: np.matrix_transpose(x)
max min amax amin: np.max(x, axis=1) | np.min(x) | np.amax(x) | np.amin(x, axis=0, keepdims=True)
argmax argmin: np.argmax(x, axis=1) | np.argmin(x)
mean sum prod std var: np.mean(x, 0) | np.sum(x) | np.prod(x, axis=1) | np.std(x, ddof=1) | np.var(x, axis=1, keepdims=True)
all any count_nonzero: np.all(x > 0) | np.any(x > 0, axis=0) | np.count_nonzero(x)
median ptp: np.median(x, axis=1) | np.median(x) | np.ptp(x, axis=0)
meshgrid: np.meshgrid(v, V)[0] | np.meshgrid(v, V, indexing="ij")[0]
moveaxis rollaxis swapaxes: np.moveaxis(x, 0, 1) | np.rollaxis(x, 1) | np.swapaxes(x, 0, 1)
nan_to_num: np.nan_to_num(n)
nanargmax nanargmin: np.nanargmax(n) | np.nanargmin(n, axis=1)
nancumprod nancumsum: np.nancumprod(n) | np.nancumsum(n, axis=1)
nanmax nanmin nanmean nanmedian: np.nanmax(n, axis=1) | np.nanmin(n) | np.nanmean(n, axis=0) | np.nanmedian(n, axis=1)
nanprod nansum nanstd nanvar: np.nanprod(n) | np.nansum(n, axis=1) | np.nanstd(n, axis=1) | np.nanvar(n, ddof=1)
nanpercentile nanquantile percentile quantile: np.nanpercentile(n, 30) | np.nanquantile(n, [0.2, 0.5], axis=1)
    | np.quantile(x, 0.3, axis=1) | np.percentile(x, np.array([25.0, 60.0]))
ndim shape size: np.ndim(x) | np.shape(x)[0] | np.size(x, 1)
outer: np.outer(x, v)
pad: np.pad(x, 1) | np.pad(x, ((1, 0), (0, 2)), "edge")
partition: np.partition(v, 1)[1]
permute_dims: np.permute_dims(x, (1, 0))
piecewise: np.piecewise(x, [X < 0, X > 1], [lambda t: t * t, lambda t: 3 * t, 7.0])
polymul polyval: np.polymul(v, V) | np.polyval(V, v) | np.polyval(v, V)
ravel reshape: np.ravel(x) | np.reshape(x, (3, 2)) | np.reshape(x, -1)
repeat: np.repeat(x, 2, axis=0) | np.repeat(x, 2)
resize: np.resize(x, (3, 3))
result_type can_cast: str(np.result_type(x)).rpartition(".")[2]
roll: np.roll(x, 1) | np.roll(x, 1, axis=1)
rot90: np.rot90(x) | np.rot90(x, 2) | np.rot90(x, -1)
round around: np.round(x) | np.around(x, 1)
searchsorted: np.searchsorted(np.array([0.0, 1.0]), x) | np.searchsorted(v, [0.0, 3.0])
select: np.select([X < 0, X > 1], [x * x, 3 * x], 0.0)
sinc: np.sinc(x)
sort: np.sort(x, axis=0) | np.sort(x, axis=None)
squeeze: np.squeeze(np.expand_dims(x, 1), axis=1)
stack: np.stack([x, C], axis=1)
take take_along_axis: np.take(x, [0, 2], axis=1) | np.take(x, 4) | np.take_along_axis(x, np.array([[0], [2]]), axis=1)
tensordot: np.tensordot(x, m, axes=1)
tile: np.tile(x, (2, 1))
trace: np.trace(m) | np.trace(m, 1)
transpose: np.transpose(x) | np.transpose(x, (0, 1))
trapezoid: np.trapezoid(x) | np.trapezoid(v, V) | np.trapezoid(V, v)
tril triu: np.tril(m) | np.triu(m, 1)
tril_indices_from triu_indices_from diag_indices_from: np.tril_indices_from(m)[0] | np.triu_indices_from(m, 1)[1]
    | np.diag_indices_from(m)[0]
union1d unique: np.unique(v) | np.union1d(v, V) | np.unique(v, True, True, True)[3]
unique_all unique_counts unique_inverse unique_values: np.unique_values(v) | np.unique_counts(v).counts
    | np.unique_all(v).indices | np.unique_inverse(v).inverse_indices
unstack: np.unstack(x)[1]
unwrap: np.unwrap(3 * x)
vander: np.vander(v) | np.vander(v, 2, True)
vdot: np.vdot(x, C)
where: np.where(mask, x, 0.0) | np.where(x)[0]
allclose array_equal array_equiv isclose: np.allclose(x, X) | np.array_equal(x, X) | np.array_equiv(x, X) | np.isclose(x, X)
linalg.cholesky: np.linalg.cholesky(m @ m.T)
linalg.cond: np.linalg.cond(m) | np.linalg.cond(m, "fro")
linalg.cross linalg.outer linalg.vecdot: np.linalg.cross(v, V) | np.linalg.outer(v, V) | np.linalg.vecdot(x, C)
linalg.det linalg.slogdet: np.linalg.det(m) | np.linalg.slogdet(m)[1]
linalg.diagonal linalg.trace: np.linalg.diagonal(m, offset=1) | np.linalg.trace(m)
linalg.eig linalg.eigvals: abs(np.linalg.eigvals(m)) | abs(np.linalg.eig(m)[0])
linalg.eigh linalg.eigvalsh: np.linalg.eigvalsh(m + m.T) | np.linalg.eigh(m + m.T, "U")[0]
linalg.inv linalg.pinv: np.linalg.inv(m) | np.linalg.pinv(x)
linalg.matmul linalg.matrix_transpose linalg.multi_dot: np.linalg.matmul(x, m) | np.linalg.matrix_transpose(x)
    | np.linalg.multi_dot([x, m, V])
linalg.matrix_norm linalg.vector_norm: np.linalg.matrix_norm(m) | np.linalg.vector_norm(x, axis=1)
linalg.matrix_power linalg.matrix_rank: np.linalg.matrix_power(m, 3) | np.linalg.matrix_rank(m)
linalg.norm: np.linalg.norm(x) | np.linalg.norm(x, axis=1) | np.linalg.norm(v, 1) | np.linalg.norm(m, "nuc")
    | np.linalg.norm(x, 2, axis=(1, 0), keepdims=True) | np.linalg.norm(x, keepdims=True)
linalg.qr: np.linalg.qr(m)[1] | np.linalg.qr(m, "r")
linalg.solve: np.linalg.solve(m, V) | np.linalg.solve(M, m)
linalg.svd linalg.svdvals: np.linalg.svd(x, compute_uv=False) | np.linalg.svd(x)[1] | np.linalg.svdvals(x)
linalg.tensordot: np.linalg.tensordot(x, m, axes=1)
fft.fft fft.ifft: abs(np.fft.fft(x)) | abs(np.fft.ifft(x, 4, 0, "ortho"))
fft.rfft fft.irfft: abs(np.fft.rfft(v)) | np.fft.irfft(x + 0j, 5)
fft.hfft fft.ihfft: np.fft.hfft(x + 0j) | abs(np.fft.ihfft(v))
fft.fftn fft.ifftn: abs(np.fft.fftn(x)) | abs(np.fft.ifftn(x, axes=(0,)))
fft.rfftn fft.irfftn: abs(np.fft.rfftn(x)) | np.fft.irfftn(x + 0j, (2, 4), (0, 1))
fft.fft2 fft.ifft2 fft.rfft2 fft.irfft2: abs(np.fft.fft2(x)) | abs(np.fft.ifft2(x)) | abs(np.fft.rfft2(x)) | np.fft.irfft2(x + 0j)
fft.fftshift fft.ifftshift: np.fft.fftshift(x) | np.fft.ifftshift(x, axes=1)
add subtract multiply divide true_divide: np.add(x, 1) | np.subtract(C, x) | np.multiply(x, C) | np.divide(x, C)
    | np.true_divide(C, x)
absolute abs fabs negative positive sign square sqrt cbrt reciprocal: np.absolute(x) | np.fabs(x) | np.negative(x)
    | np.positive(x) | np.sign(x) | np.square(x) | np.sqrt(p) | np.cbrt(x) | np.reciprocal(x) | np.abs(x)
sin cos tan arcsin arccos arctan asin acos atan: np.sin(x) | np.cos(x) | np.tan(x) | np.arcsin(x / 3) | np.arccos(x / 3)
    | np.arctan(x)
sinh cosh tanh arcsinh arccosh arctanh asinh acosh atanh: np.sinh(x) | np.cosh(x) | np.tanh(x) | np.arcsinh(x)
    | np.arccosh(p + 1) | np.arctanh(x / 3)
exp exp2 expm1 log log10 log1p log2 logaddexp logaddexp2: np.exp(x) | np.exp2(x) | np.expm1(x) | np.log(p) | np.log10(p)
    | np.log1p(p) | np.log2(p) | np.logaddexp(x, C) | np.logaddexp2(x, C)
arctan2 atan2 hypot copysign nextafter heaviside: np.arctan2(x, C) | np.hypot(x, C) | np.copysign(x, C) | np.heaviside(x, 0.5)
    | np.nextafter(x, C)
power pow float_power: np.power(p, x) | np.float_power(p, 2)
maximum minimum fmax fmin: np.maximum(x, 0.1) | np.minimum(x, C) | np.fmax(n, C) | np.fmin(C, n)
mod remainder fmod floor_divide divmod modf: np.mod(x, 0.7) | np.remainder(x, 0.7) | np.fmod(x, 0.7) | np.floor_divide(x, 0.7)
    | np.divmod(x, 0.7)[1] | np.modf(x)[0]
floor ceil trunc rint: np.floor(x) | np.ceil(x) | np.trunc(x) | np.rint(x)
deg2rad rad2deg degrees radians: np.deg2rad(x) | np.rad2deg(x) | np.degrees(x) | np.radians(x)
conj conjugate ldexp: np.conj(x) | np.conjugate(x) | np.ldexp(x, 3)
equal not_equal less less_equal greater greater_equal: np.equal(x, C) | np.not_equal(x, C) | np.less(x, C)
    | np.less_equal(x, C) | np.greater(x, C) | np.greater_equal(x, C)
isfinite isinf isnan signbit logical_and logical_or logical_xor logical_not: np.isfinite(n) | np.isinf(n) | np.isnan(n)
    | np.signbit(x) | np.logical_and(mask, x > 1) | np.logical_or(mask, x > 1) | np.logical_xor(mask, x > 1)
    | np.logical_not(x > 1)
bitwise_and bitwise_or bitwise_xor bitwise_invert invert bitwise_not: np.bitwise_and(x > 1, mask) | np.bitwise_or(x > 1, mask)
    | np.bitwise_xor(x > 1, mask) | np.invert(x > 1)
bitwise_left_shift left_shift bitwise_right_shift right_shift: np.left_shift(np.argsort(x), 1) | np.right_shift(np.argsort(x), 1)
matmul vecdot matvec vecmat: np.matmul(x, m) | np.vecdot(x, C) | np.matvec(m, V) | np.vecmat(V, m)
ufuncs' methods: np.add.reduce(x) | np.multiply.reduce(x, axis=1, keepdims=True) | np.maximum.reduce(x, axis=None)
    | np.add.accumulate(x) | np.multiply.accumulate(x, axis=1) | np.multiply.outer(v, V) | np.logaddexp.reduce(x, axis=1)
    | np.subtract.outer(V, v)
"""

# Tested by themselves, below.
WITHOUT_A_VALUE = "array2string array_repr array_str copyto fill_diagonal may_share_memory put putmask".split()

EXPRESSIONS = [
    (line.partition(": ")[0], expression.strip())
    for line in re.sub(r"\n +", " ", CASES.strip()).splitlines()
    for expression in line.partition(": ")[2].split(" | ")
]


def evaluate(expression: str, x: Any) -> Any:
    """The expression with `x` in it: an array of NumPy's, or a Tensor."""
    host = isinstance(x, np.ndarray)
    v, m = x[0], x.T @ X + M
    n, p = np.where(np.isnan(NAN), np.nan, x), x * x + 0.5
    if not host:
        n = xgrad.where(Tensor(np.isnan(NAN)), xgrad.nan, x)
    return eval(expression, {**names, "x": x, "v": v, "m": m, "n": n, "p": p})


@pytest.mark.parametrize("expression", [e for _, e in EXPRESSIONS])
def test_values_and_gradients_of_numpys_functions(expression: str) -> None:
    missing = [name for name in re.findall(r"np\.([a-z]\w*)", expression) if not hasattr(np, name)]
    if missing or ("max=" in expression and np.lib.NumpyVersion(np.__version__) < "2.1.0"):
        pytest.skip(f"NumPy {np.__version__} has no {', '.join(missing) or 'clip by keywords'}")
    x = Tensor(X, requires_grad=True)
    got, wanted = evaluate(expression, x), np.asarray(evaluate(expression, X))
    if not isinstance(got, Tensor):  # a fact, or a comparison: np.shape(x)[0]
        assert np.array_equal(got, wanted)
        return
    assert got.shape == wanted.shape and got.dtype.kind == xgrad.asarray(wanted).dtype.kind
    np.testing.assert_allclose(got.detach().numpy(), wanted, rtol=1e-12, atol=1e-14)
    step, weights = np.cos(np.arange(6.0)).reshape(2, 3) * 1e-6, np.sin(np.arange(float(wanted.size)) + 1).reshape(wanted.shape)
    if wanted.dtype.kind != "f":
        assert not got.requires_grad
        return
    up, down = (np.where(np.isnan(y := evaluate(expression, X + s)), 0, y) for s in (step, -step))
    slope = float(np.sum(weights * (up - down))) / 2e-6
    if not got.requires_grad:
        assert slope == 0 or "nextafter" in expression  # which is for floating-point numbers, not for real ones
        return
    xgrad.sum(xgrad.where(xgrad.isnan(got), 0.0, got) * weights).backward()
    found = 0.0 if x.grad is None else float(np.sum(x.grad.numpy() * step * 1e6))
    assert found == pytest.approx(slope, rel=1e-6, abs=1e-7)


def test_every_function_that_is_covered_has_a_case() -> None:
    tested = {name for line, _ in EXPRESSIONS for name in line.split()} | set(WITHOUT_A_VALUE)
    assert set(covered()) <= tested, f"no case of {sorted(set(covered()) - tested)}"
    gone_or_new = {"row_stack", "unstack", "cumulative_sum", "cumulative_prod"}  # new in NumPy 2.1
    assert set(FUNCTIONS) - gone_or_new <= set(dispatched()), "these are no functions of NumPy"


@pytest.mark.parametrize("name", sorted(set(dispatched()) - set(covered())))
def test_every_other_function_is_refused(name: str) -> None:
    function: Any = np
    for part in name.split("."):
        function = getattr(function, part)
    x = Tensor(X, requires_grad=True)
    given = (x,) * (function.nin if isinstance(function, np.ufunc) else 1)
    call = function if isinstance(function, np.ufunc) else lambda *a: x.__array_function__(function, (Tensor,), a, {})
    with pytest.raises(TypeError, match=rf"numpy\.[\w.]*{function.__name__} does not take xgrad tensors.*(use xgrad\.|detach)"):
        call(*given)


@pytest.mark.parametrize(
    "call",
    [
        np.asarray, np.array, lambda x: np.random.default_rng(0).normal(x), np.float64, np.frombuffer,
        lambda x: np.lib.stride_tricks.sliding_window_view(x, 2, axis=1), lambda x: np.vectorize(float)(x),
        lambda x: np.save("nowhere", x), lambda x: X.dot(x), lambda x: np.zeros(3).__setitem__(0, x),
    ],
)  # fmt: skip
def test_what_asks_no_one_raises_all_the_same(call: Any) -> None:
    with pytest.raises((TypeError, GradientError, ValueError)):
        call(Tensor(X, requires_grad=True))


def test_functions_that_write() -> None:
    x = Tensor(X, requires_grad=True)
    y, host = x * 1.0, X.copy()
    for a, v in ((y, x), (host, X)):
        np.copyto(a, v * 2)
        np.put(a, [0, -1], [5.0, 6.0])
        np.putmask(a, X < 0, 7.0)
        np.fill_diagonal(a, 1.5)
        np.add.at(a, ([0, 0], [2, 2]), v[0, :2])
        np.multiply.at(a, 1, 3.0)
    np.testing.assert_allclose(y.detach().numpy(), host)
    y.sum().backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), [[1.0, 1.0, 2.0], [6.0, 0.0, 0.0]])
    for write in (lambda: np.copyto(host, x), lambda: np.put(host, 0, x), lambda: np.add.at(host, 0, x)):
        with pytest.raises(GradientError, match="NumPy array"):
            write()


def test_unique_takes_nans_for_equal_as_numpy_does() -> None:
    x = np.array([2.0, np.nan, 1.0, np.nan])
    np.testing.assert_array_equal(np.unique(Tensor(x)).numpy(), np.unique(x))  # type: ignore[attr-defined]
    assert np.unique(Tensor(x), equal_nan=False).shape == (4,)
    with pytest.raises(TypeError, match="equal_nan=False"):
        np.unique(Tensor(x), return_counts=True)


def test_tensors_share_memory_where_their_arrays_do() -> None:
    x = Tensor(X, requires_grad=True)
    assert np.may_share_memory(x, x[:1]) and not np.may_share_memory(x, x * 1)


def test_text_is_that_of_the_tensor() -> None:
    x = Tensor([1.0], requires_grad=True)
    assert np.array2string(x) == "[1.]" and np.array_repr(x) == repr(x) and np.array_str(x) == str(x)


def test_numbers_beside_a_tensor_keep_its_precision() -> None:
    x = Tensor(np.array([0.1]))
    assert np.append(x, [0.1]).tolist() == np.stack([x[0], 0.1]).tolist() == np.append(x, np.float64(0.1)).tolist() == [0.1, 0.1]
    assert np.concatenate([xgrad.ones(1), [0.5]]).dtype == xgrad.float32


def test_on_other_backends(xp: Any) -> None:
    x = xp.asarray(X).requires_grad_()
    y = np.median(np.concatenate([x, x * 2], axis=1), axis=1) + np.linalg.norm(x, axis=1) + np.einsum("ij->i", np.sin(x))
    assert y.backend == x.backend
    both = np.concatenate([X, X * 2], axis=1)
    np.testing.assert_allclose(y.detach().numpy(), np.median(both, axis=1) + np.linalg.norm(X, axis=1) + np.sin(X).sum(axis=1))


def test_the_page_lists_what_is_covered() -> None:
    page = (Path(__file__).parents[2] / "docs" / "coming-from-numpy.md").read_text(encoding="utf-8")
    version = ".".join(np.__version__.split(".")[:2])
    if f"NumPy {version} " not in page:
        pytest.skip(f"the page was written with another NumPy than {version}")
    assert table() in page, "docs/coming-from-numpy.md is stale: run python -m tests.pages.numpy_page"


S = np.array([[1.5, 3.0], [2.0, 5.25]])
WHERE = np.array([[0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("tensordot", (S, S, 1)), ("tensordot", (S, S, ([0], [1]))), ("linalg.tensordot", (S, S)),
        ("take_along_axis", (S, WHERE, 0)),
        ("take_along_axis", (S, WHERE[0], None)), ("diff", (S, 1, 0)), ("diff", (S, 0)), ("diff", (S, 1, 0, S[:1], S[:1])),
        ("repeat", (S, 2, 0)), ("roll", (S, 1, 0)), ("cumsum", (S, 0)), ("sum", (S, 0)), ("std", (S, 0)), ("take", (S, [0], 0)),
        ("trapezoid", (S, None, 2.0, 0)), ("trace", (S, 1, 0, 1)), ("fft.fft", (S, 3, 0)), ("linalg.norm", (S, 1, 0)),
        ("append", (S, S, 0)), ("delete", (S, 0, 0)), ("unwrap", (S, None, 0)), ("kron", (S, S)), ("flip", (S, 0)),
    ],
)  # fmt: skip
def test_arguments_by_their_position_mean_what_they_mean_to_numpy(name: str, arguments: tuple[Any, ...], backend: str) -> None:
    function: Any = np
    for part in name.split("."):
        function = getattr(function, part)
    xp = xgrad.namespace(backend)
    tensors = [xp.asarray(a) if isinstance(a, np.ndarray) else a for a in arguments]
    np.testing.assert_allclose(function(*tensors).numpy(), function(*arguments), rtol=1e-12)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.float32, int, float, complex])
@pytest.mark.parametrize("x", [np.array([1, 3]), np.array([1.5, 3.0]), np.array([True, False])], ids=["int", "float", "bool"])
def test_a_data_type_that_is_asked_for_is_given_or_refused(x: np.ndarray, dtype: Any) -> None:
    calls = [
        lambda x: np.sum(x, dtype=dtype), lambda x: np.prod(x, dtype=dtype), lambda x: np.cumsum(x, dtype=dtype),
        lambda x: np.nansum(x, dtype=dtype), lambda x: np.add.reduce(x, dtype=dtype), lambda x: np.add.accumulate(x, dtype=dtype),
        lambda x: np.add(x, x, dtype=dtype), lambda x: np.multiply(x, x, dtype=dtype), lambda x: np.exp(x, dtype=dtype),
        lambda x: np.maximum(x, x, dtype=dtype), lambda x: np.equal(x, x, dtype=dtype), lambda x: np.mean(x, dtype=dtype),
    ]  # fmt: skip
    for k, call in enumerate(calls):
        try:
            wanted: Any = call(x)
        except TypeError:
            wanted = None
        try:
            found = call(Tensor(x))
        except TypeError as refusal:
            assert wanted is None or re.search("the result needs a floating-point one|takes real numbers", str(refusal)), k  # noqa: PT017
            continue
        assert wanted is not None, k
        assert found.numpy().dtype == wanted.dtype, k
        np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-6)
