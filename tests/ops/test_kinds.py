"""Complex numbers in every public function: the right result, or a TypeError that names the function and the dtype.

A function that is written for real numbers must not compute nonsense for complex ones. Functions that take complex numbers are
compared with NumPy, and their gradients with differences along both axes of the complex plane.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad.graph.kinds import takes_real
from xgrad.nn import functional

Z = np.array([0.3 + 0.4j, -0.7 + 0.2j, 0.5 - 0.6j, -0.2 - 0.9j])
W = np.array([0.8 - 0.1j, 0.4 + 0.7j, -0.6 + 0.3j, 0.9 + 0.5j])
X = np.array([0.3, -0.7, 0.5, -0.2])
M = np.array([[0.3 + 0.4j, -0.7 + 0.2j], [0.5 - 0.6j, -0.2 - 0.9j]])
IDS = np.array([0, 1, 0, 1])


def first(f: Callable[..., Any], z: Any) -> Any:
    return f(z, X)


def second(f: Callable[..., Any], z: Any) -> Any:
    return f(X, z)


# How the functions that refuse complex numbers are called, with the argument that is complex.
REFUSE: dict[str, list[Callable[..., Any]]] = {
    **{
        name: [functools.partial(lambda f, z: f(z), getattr(xgrad, name))]
        for name in (
            "argmax argmin argsort cbrt ceil elu erf floor gelu leaky_relu log_softmax logsigmoid max median min nanmax "
            "nanmedian nanmin ptp relu signbit softmax softplus sort trunc unwrap bitwise_invert"
        ).split()
    },
    **{
        name: [functools.partial(first, getattr(xgrad, name)), functools.partial(second, getattr(xgrad, name))]
        for name in (
            "atan2 copysign digitize floor_divide fmax fmin fmod greater greater_equal heaviside hypot less less_equal logaddexp "
            "logaddexp2 maximum minimum nextafter remainder searchsorted bitwise_and bitwise_or bitwise_xor bitwise_left_shift "
            "bitwise_right_shift"
        ).split()
    },
    **{
        name: [functools.partial(lambda f, z: f(z, 0.5), getattr(xgrad, name))]
        for name in "nanpercentile nanquantile percentile quantile".split()
    },
    "clip": [lambda z: xgrad.clip(z, 0.0, 1.0), lambda z: xgrad.clip(X, z), lambda z: xgrad.clip(X, max=z)],
    "interp": [lambda z: xgrad.interp(z, X, X), lambda z: xgrad.interp(X, z, X)],
    "top_k": [lambda z: xgrad.top_k(z, 2)],
    "segment_max": [lambda z: xgrad.segment_max(z, IDS)],
    "segment_min": [lambda z: xgrad.segment_min(z, IDS)],
    "scatter_max": [lambda z: xgrad.scatter_max(z, IDS, X), lambda z: xgrad.scatter_max(X, IDS, z)],
    "scatter_min": [lambda z: xgrad.scatter_min(z, IDS, X), lambda z: xgrad.scatter_min(X, IDS, z)],
    "binary_cross_entropy": [lambda z: functional.binary_cross_entropy(z, X), lambda z: functional.binary_cross_entropy(X, z)],
    "binary_cross_entropy_with_logits": [
        lambda z: functional.binary_cross_entropy_with_logits(z, X),
        lambda z: functional.binary_cross_entropy_with_logits(X, z),
    ],
    "cross_entropy": [lambda z: functional.cross_entropy(z, 1), lambda z: functional.cross_entropy(X, z)],
}  # fmt: skip


def _unary(*names: str) -> dict[str, tuple[Callable[..., Any], Callable[..., Any]]]:
    return {name: (getattr(xgrad, name), getattr(np, _NUMPY.get(name, name))) for name in names}


_NUMPY = {
    "acos": "arccos",
    "acosh": "arccosh",
    "asin": "arcsin",
    "asinh": "arcsinh",
    "atan": "arctan",
    "atanh": "arctanh",
    "cumulative_sum": "cumsum",
    "cumulative_prod": "cumprod",
    "unique_values": "unique",
}


def _logsumexp(z: Any) -> Any:
    return np.log(np.sum(np.exp(z)))


# Functions of one argument, Z, that take complex numbers, and NumPy's function.
TAKE: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    **_unary(
        *"abs acos acosh asin asinh atan atanh conj cos cosh cumulative_prod cumulative_sum diff exp exp2 expm1 flip imag log "
        "log10 log1p log2 mean nanmean nanprod nanstd nansum nanvar negative positive prod real reciprocal sign sin sinc sinh "
        "sqrt square std sum tan tanh var angle all any count_nonzero isfinite isinf isnan logical_not nan_to_num round tril "
        "triu zeros_like ones_like diag diagflat unique_values corrcoef cov trapezoid gradient average".split()
    ),
    "add": (lambda z: xgrad.add(z, W), lambda z: z + W),
    "bincount": (lambda z: xgrad.bincount(IDS, z), lambda z: np.array([z[0] + z[2], z[1] + z[3]])),
    "broadcast_to": (lambda z: xgrad.broadcast_to(z, (2, 4)), lambda z: np.broadcast_to(z, (2, 4))),
    "concat": (lambda z: xgrad.concat([z, z * 2]), lambda z: np.concatenate([z, z * 2])),
    "convolve": (lambda z: xgrad.convolve(z, W), lambda z: np.convolve(z, W)),
    "correlate": (lambda z: xgrad.correlate(z, W, "full"), lambda z: np.correlate(z, W, "full")),
    "cumulative_trapezoid": (xgrad.cumulative_trapezoid, lambda z: np.cumsum((z[1:] + z[:-1]) / 2)),
    "deg2rad": (xgrad.deg2rad, lambda z: z * np.pi / 180),
    "divide": (lambda z: xgrad.divide(W, z), lambda z: W / z),
    "dot": (lambda z: xgrad.dot(z, W), lambda z: np.dot(z, W)),
    "einsum": (lambda z: xgrad.einsum("i,j->ij", z, W), lambda z: np.outer(z, W)),
    "equal": (lambda z: xgrad.equal(z, Z), lambda z: z == Z),
    "expand_dims": (lambda z: xgrad.expand_dims(z, axis=0), lambda z: z[None]),
    "inner": (lambda z: xgrad.inner(z, W), lambda z: np.inner(z, W)),
    "interp of complex values": (lambda z: xgrad.interp(X, np.sort(X), z), lambda z: z[np.argsort(np.argsort(X))]),
    "isin": (lambda z: xgrad.isin(z, Z[:2]), lambda z: np.isin(z, Z[:2])),
    "kron": (lambda z: xgrad.kron(z, W), lambda z: np.kron(z, W)),
    "l1": (lambda z: functional.l1(z, W), lambda z: np.mean(np.abs(z - W))),
    "huber": (lambda z: functional.huber(z, W, delta=100.0), lambda z: np.mean(np.abs(z - W) ** 2) / 2),
    "logical_and": (lambda z: xgrad.logical_and(z, z), lambda z: np.logical_and(z, z)),
    "logsumexp": (xgrad.logsumexp, _logsumexp),
    "matmul": (lambda z: xgrad.matmul(xgrad.reshape(z, (2, 2)), M), lambda z: z.reshape(2, 2) @ M),
    "mse": (lambda z: functional.mse(z, W), lambda z: np.mean(np.abs(z - W) ** 2)),
    "multiply": (lambda z: xgrad.multiply(z, W), lambda z: z * W),
    "nanvar with correction": (lambda z: xgrad.nanvar(z, correction=1), lambda z: np.var(z, ddof=1)),
    "not_equal": (lambda z: xgrad.not_equal(z, Z), lambda z: z != Z),
    "outer": (lambda z: xgrad.outer(z, W), lambda z: np.outer(z, W)),
    "pad": (lambda z: xgrad.pad(z, 1), lambda z: np.pad(z, 1)),
    "pow": (lambda z: xgrad.pow(z, W), lambda z: z**W),
    "rad2deg": (xgrad.rad2deg, lambda z: z * 180 / np.pi),
    "roll": (lambda z: xgrad.roll(z, 1), lambda z: np.roll(z, 1)),
    "scatter_add": (lambda z: xgrad.scatter_add(z, slice(0, 2), z[:2]), lambda z: np.concatenate([2 * z[:2], z[2:]])),
    "scatter_multiply": (lambda z: xgrad.scatter_multiply(W, IDS, z), lambda z: W * np.array([z[0] * z[2], z[1] * z[3], 1, 1])),
    "segment_sum": (lambda z: xgrad.segment_sum(z, IDS), lambda z: np.array([z[0] + z[2], z[1] + z[3]])),
    "sigmoid": (xgrad.sigmoid, lambda z: 1 / (1 + np.exp(-z))),
    "silu": (xgrad.silu, lambda z: z / (1 + np.exp(-z))),
    "spherical_jn": (lambda z: xgrad.spherical_jn(1, z), lambda z: (np.sin(z) / z - np.cos(z)) / z),
    "stack": (lambda z: xgrad.stack([z, z]), lambda z: np.stack([z, z])),
    "subtract": (lambda z: xgrad.subtract(W, z), lambda z: W - z),
    "take": (lambda z: xgrad.take(z, np.array([0, 0, 3])), lambda z: z[[0, 0, 3]]),
    "tensordot": (lambda z: xgrad.tensordot(z, W, axes=1), lambda z: np.tensordot(z, W, axes=1)),
    "vander": (lambda z: xgrad.vander(z), lambda z: np.vander(z)),
    "vecdot": (lambda z: xgrad.vecdot(z, W), lambda z: np.vdot(z, W)),
    "where": (lambda z: xgrad.where(X > 0, z, W), lambda z: np.where(X > 0, z, W)),
    "zero_where_not": (lambda z: xgrad.zero_where_not(z, X > 0), lambda z: np.where(X > 0, z, 0)),
}

# Functions whose results do not depend on the values, or that move elements: they are the same for every dtype.
ALIKE = set(
    "broadcast_arrays meshgrid empty_like new_zeros matrix_transpose moveaxis permute_dims repeat reshape squeeze tile nonzero "
    "unique_all unique_counts unique_inverse take_along_axis logical_or logical_xor convolve_full fft linalg dropout".split()
)


@pytest.mark.parametrize("tracked", [False, True])
@pytest.mark.parametrize("name, k", [(name, k) for name, calls in REFUSE.items() for k in range(len(calls))])
def test_functions_of_real_numbers_refuse_complex_ones(name: str, k: int, tracked: bool) -> None:
    for dtype in ("complex128", "complex64"):
        z = xgrad.Tensor(Z.astype(dtype), requires_grad=tracked)
        with pytest.raises(TypeError, match=rf"^{name}: takes [a-z ]+, and \w+ is {dtype}"):
            REFUSE[name][k](z)


def test_python_numbers_that_are_complex_are_refused_too() -> None:
    x = xgrad.Tensor(X)
    for call in (lambda: xgrad.maximum(x, 1j), lambda: xgrad.clip(x, 0.0, 1j), lambda: x < 1j, lambda: xgrad.hypot(1j, x)):
        with pytest.raises(TypeError, match="takes real numbers, and"):
            call()


def test_complex_numbers_are_refused_on_every_backend(backend: str) -> None:
    z = xgrad.to_backend(xgrad.Tensor(Z), backend)
    for call in (xgrad.relu, xgrad.sort, xgrad.softmax, lambda z: xgrad.maximum(z, z), lambda z: xgrad.logaddexp(z, z)):
        with pytest.raises(TypeError, match="takes real numbers, and"):
            call(z)


def test_complex_numbers_are_refused_under_vmap() -> None:
    with pytest.raises(TypeError, match="relu: takes real numbers"):
        xgrad.vmap(xgrad.relu)(np.stack([Z, W]))


def differences(f: Callable[[Any], Any], z: np.ndarray, g: np.ndarray) -> np.ndarray:
    """The gradient of ``Re sum(conj(g) f(z))``, by Re z plus i times that by Im z."""
    h, numeric = 1e-6, np.zeros_like(z)
    for i in range(z.size):
        for unit in (1, 1j):
            step = np.zeros_like(z)
            step[i] = h * unit
            up, down = (np.real(np.sum(np.conj(g) * f(z + s * step))) for s in (1, -1))
            numeric[i] += unit * (up - down) / (2 * h)
    return numeric


@pytest.mark.parametrize("name", sorted(TAKE))
def test_functions_that_take_complex_numbers_are_right(name: str) -> None:
    f, numpy = TAKE[name]
    wanted = np.asarray(numpy(Z))
    leaf = xgrad.Tensor(Z, requires_grad=True)
    y = f(leaf)
    if name == "unique_values":
        wanted = wanted[np.argsort(wanted)]
    np.testing.assert_allclose(y.detach().numpy(), wanted, rtol=1e-12, atol=1e-12)
    if not y.dtype.inexact or name in ("zeros_like", "ones_like"):
        return
    rng = np.random.default_rng(1)
    g = rng.normal(size=wanted.shape) + (1j * rng.normal(size=wanted.shape) if np.iscomplexobj(wanted) else 0)
    if not y.requires_grad:
        assert name == "round"
        return
    y.backward(xgrad.Tensor(np.asarray(g, wanted.dtype)), create_graph=True)
    first = leaf.grad
    if name == "round":
        np.testing.assert_array_equal(first.detach().numpy(), 0)
        return
    np.testing.assert_allclose(first.detach().numpy(), differences(numpy, Z, g), rtol=1e-6, atol=1e-6)

    def gradient(z: np.ndarray) -> np.ndarray:
        return np.asarray(xgrad.vjp(f, z)[1](np.asarray(g, wanted.dtype))[0])

    if first.requires_grad:
        v = rng.normal(size=Z.shape) + 1j * rng.normal(size=Z.shape)
        leaf.zero_grad()
        first.backward(xgrad.Tensor(v))
        np.testing.assert_allclose(leaf.grad.numpy(), differences(gradient, Z, v), rtol=1e-5, atol=1e-5)


def test_every_public_function_is_sorted_into_one_of_the_two() -> None:
    public = {name for name in xgrad.__all__ if hasattr(getattr(xgrad, name), "op")} | set(functional.__all__)
    known = set(REFUSE) | {name.partition(" ")[0] for name in TAKE} | ALIKE
    assert public - known == set(), "say in REFUSE or TAKE what they do with complex numbers"


def test_takes_real_names_what_is_complex() -> None:
    @xgrad.op
    @takes_real(but=("weight",))
    def shrink(xp: Any, x: Any, weight: xgrad.ArrayLike, size: xgrad.ArrayLike, /) -> Any:
        return weight * size

    one = xgrad.Tensor(X)
    assert shrink(one, Z, one).dtype == xgrad.complex128
    with pytest.raises(TypeError, match="shrink: takes real numbers, and size is complex128; give it xgrad.real"):
        shrink(one, one, xgrad.Tensor(Z))


def test_takes_real_reads_annotations_as_op_does() -> None:
    @xgrad.op
    @takes_real
    def bare(xp, x, weight, /):  # type: ignore[no-untyped-def]
        return x * weight

    @xgrad.op
    @takes_real
    def tensors(xp: Any, x: xgrad.Tensor, /, *, weight: xgrad.Tensor | None = None) -> xgrad.Tensor:
        return x if weight is None else x * weight

    @xgrad.op
    @takes_real
    def total(xp: Any, *arrays: xgrad.Tensor) -> xgrad.Tensor:
        return sum(arrays)

    @xgrad.composite
    @takes_real
    def joined(xp: Any, arrays: list[xgrad.Tensor], scale: float = 1.0) -> xgrad.Tensor:
        return xp.concat(arrays) * scale

    z, x = xgrad.Tensor(Z), xgrad.Tensor(X)
    calls: list[Callable[[], Any]] = [
        lambda: bare(z, x), lambda: bare(x, z), lambda: tensors(z), lambda: tensors(x, weight=z), lambda: total(x, z),
        lambda: joined([x, z]), lambda: joined(arrays=[z]),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(TypeError, match="takes real numbers, and .* is complex128"):
            call()
    assert bare(x, x).shape == tensors(x).shape == total(x, x, x).shape == X.shape
    assert joined([x, x], 2.0).shape == (2 * X.size,)


@pytest.mark.parametrize("f", [float, int])
def test_the_number_of_a_complex_tensor_is_not_its_real_part(f: Callable[[Any], Any]) -> None:
    for z in (1 + 2j, 1 + 0j):
        with pytest.raises(TypeError, match=rf"{f.__name__}\(x\): takes real numbers, and x is complex"):
            f(xgrad.Tensor(np.array(z)))
    assert f(xgrad.Tensor(2.0)) == 2


# Parameters that are not arrays, whose imaginary part NumPy would drop, or whose gradient would be lost.
PARAMETERS: dict[str, Callable[[Any], Any]] = {
    "elu": lambda a: xgrad.elu(X, a),
    "leaky_relu": lambda a: xgrad.leaky_relu(X, a),
    "ELU": lambda a: xgrad.nn.ELU(a)(X),
    "LeakyReLU": lambda a: xgrad.nn.LeakyReLU(a)(X),
    "pinv": lambda a: xgrad.linalg.pinv(M, rtol=a),
    "matrix_rank": lambda a: xgrad.linalg.matrix_rank(M, rtol=a),
    "roll": lambda a: xgrad.roll(X, a),
    "roll, tuple": lambda a: xgrad.roll(M, (1, a), axis=(0, 1)),
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_real(name: str) -> None:
    with pytest.raises(TypeError, match=name.partition(",")[0].lower().replace("leakyrelu", "leaky_relu")):
        PARAMETERS[name](0.5j)


@pytest.mark.parametrize("name", ["elu", "leaky_relu"])
@pytest.mark.parametrize("value", [xgrad.Tensor(0.5, requires_grad=True), xgrad.Tensor([0.5]), np.array([0.5, 0.1, 0.2, 0.3])])
def test_a_parameter_without_a_gradient_is_a_number(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match="a number that is trained, write xgrad.where"):
        getattr(xgrad, name)(X, value)
    assert np.all(getattr(xgrad, name)(X, np.float32(0.5)).numpy() == getattr(xgrad, name)(X, 0.5).numpy())


@pytest.mark.parametrize("ids", [Z, X, IDS == 0], ids=["complex", "float", "bool"])
def test_groups_are_numbered_by_integers(ids: np.ndarray) -> None:
    for f in (xgrad.segment_sum, xgrad.segment_max, xgrad.segment_min):
        for number in (None, 4):  # a boolean array would be a mask, not indices
            with pytest.raises(TypeError, match=f.__name__):
                f(X, ids, number)
    with pytest.raises(TypeError, match="bincount: groups are numbered by integers"):
        xgrad.bincount(ids)


def test_infinities_have_a_sign_for_real_numbers_alone() -> None:
    for f in (np.isneginf, np.isposinf):
        with pytest.raises(TypeError, match=f.__name__):
            f(xgrad.Tensor(Z))
    assert np.isneginf(xgrad.Tensor([-np.inf, np.inf])).tolist() == [True, False]
    assert np.isposinf(xgrad.Tensor([-np.inf, np.inf])).tolist() == [False, True]


@pytest.mark.parametrize("name", ["gamma", "ndtr", "j0", "erfc", "i0"])
def test_a_special_function_does_not_write_into_an_argument_too_many(name: str) -> None:
    other = np.array([5.0, 6.0, 7.0, 8.0])
    with pytest.raises(TypeError, match=f"{name}.* takes 1 positional argument"):
        getattr(xgrad.special, name)(X, other)
    assert other.tolist() == [5.0, 6.0, 7.0, 8.0]


AXES = np.array([0.7j, -0.6j, 2.0j, 0.4 + 0j, -0.5 + 0j, -0.0 + 1.5j])


@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize(
    "name", ["sigmoid", "silu", "expit", "tanh", "sinc", "exp", "sin", "cosh", "sqrt", "log", "expm1", "sign", "abs"]
)
def test_values_and_gradients_where_a_part_is_zero(name: str, library: str) -> None:
    """A formula with one branch in the left half plane and one in the right must be right on the axes too."""
    pytest.importorskip(library)
    numpys = {
        "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
        "expit": lambda z: 1 / (1 + np.exp(-z)),
        "silu": lambda z: z / (1 + np.exp(-z)),
    }
    f, wanted = getattr(xgrad.special, name, None) or getattr(xgrad, name), numpys.get(name) or getattr(np, name)
    with xgrad.use_backend(library):
        z = xgrad.asarray(AXES).requires_grad_()
        y = f(z)
        xgrad.sum(xgrad.real(y) + 2 * xgrad.imag(y) if y.dtype.kind == "complex floating" else y).backward()
    np.testing.assert_allclose(y.detach().numpy(), wanted(AXES), rtol=1e-12, atol=1e-15)

    def loss(z: np.ndarray) -> np.ndarray:
        y = wanted(z)
        return np.asarray(y.real + 2 * y.imag)

    if name not in ("sqrt", "log"):  # which have a branch cut there
        h = 1e-6
        by_parts = [(loss(AXES + h * d) - loss(AXES - h * d)) / (2 * h) for d in (1, 1j)]
        np.testing.assert_allclose(z.grad.numpy(), by_parts[0] + 1j * by_parts[1], atol=1e-7)
