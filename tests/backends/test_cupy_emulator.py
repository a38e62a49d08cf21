"""The emulator of CuPy's interface: that it does what CuPy 14.2 did on a GPU, where that is known."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from .cupy_interface import is_active
from .cupy_interface.counters import counted
from .cupy_interface.launching import register_foreign

if not is_active():
    pytest.skip("runs on the emulator of CuPy's interface: nox -s tests-cupy-emulated", allow_module_level=True)


@pytest.fixture
def cp() -> Any:
    return pytest.importorskip("cupy")


@pytest.fixture
def compiler() -> None:
    from .cupy_interface import compiling

    if compiling.compiler() is None:
        pytest.skip("kernels are compiled for the host by a C++ compiler, and there is none")


def same(x: Any, wanted: Any, tolerance: float = 1e-6) -> None:
    np.testing.assert_allclose(x.get(), wanted, rtol=tolerance, atol=tolerance)


# What CuPy 14.2 gave on an H200


def test_division_and_remainder_by_formula(cp: Any) -> None:
    x, y = cp.asarray([1.0, 0.5]), cp.asarray([0.1, 0.1])
    np.testing.assert_array_equal((x // y).get(), [10.0, 5.0])
    np.testing.assert_array_equal((x % y).get(), [-5.551115123125783e-17, -2.7755575615628914e-17])
    np.testing.assert_array_equal((cp.asarray([1, -1, 0]) // 0).get(), [0, 0, 0])
    assert int(cp.asarray(2) ** cp.asarray(-1)) == 0


def test_bad_matrices_give_infinities_and_nan(cp: Any) -> None:
    ones = cp.ones((2, 2))
    np.testing.assert_array_equal(cp.linalg.cholesky(cp.asarray([[1.0, 2.0], [2.0, 1.0]])).get(), [[1.0, 0.0], [2.0, np.nan]])
    np.testing.assert_array_equal(cp.linalg.inv(ones).get(), [[np.inf, -np.inf], [-np.inf, np.inf]])
    np.testing.assert_array_equal(cp.linalg.solve(ones, cp.asarray([1.0, 2.0])).get(), [-np.inf, np.inf])
    assert cp.linalg.inv(cp.ones((3, 2, 2))).shape == (3, 2, 2)


def test_indices_out_of_bounds(cp: Any) -> None:
    x = cp.asarray([1.0, 2.0, 3.0])
    assert cp.take(x, cp.asarray([5])).get() == [3.0]
    assert x[cp.asarray([5])].get() == [3.0]
    with pytest.raises(IndexError, match="Index 5 is out of bounds for axis 0 with size 3"):
        x[5]


def test_types_of_ufuncs(cp: Any) -> None:
    special = pytest.importorskip("cupyx.scipy.special")
    half = cp.ones(2, dtype="float16")
    assert special.erf(half).dtype == special.gammaln(half).dtype == "float64"
    assert special.yn(cp.asarray([2], dtype="int32"), cp.ones(1, dtype="float32")).dtype == "float64"
    assert np.isnan(special.yn(cp.asarray([-1.0]), cp.ones(1)).get()).all()
    with pytest.raises(TypeError, match=r"Wrong type \(\(dtype\('complex128'\),\)\) of arguments for cupyx_scipy_special_erfc"):
        special.erfc(cp.ones(2, dtype="complex128"))
    assert (cp.ones(2, dtype="float32") + 1.0).dtype == "float32"
    assert (cp.ones(2, dtype="int32") + 1.5).dtype == "float64"
    assert not hasattr(special, "hyp1f1")


class Foreign:
    """An object that is no array of CuPy, such as a Tensor."""

    shape = (2,)

    def sum(self) -> Any:
        return "its own sum"


def test_what_is_refused(cp: Any) -> None:
    x = cp.ones((2, 2))
    with pytest.raises(
        TypeError, match=r"Argument 'b' has incorrect type \(expected cupy._core.core._ndarray_base, got Foreign\)"
    ):
        cp.matmul(x, Foreign())
    with pytest.raises(TypeError, match="from 1 to|positional argument"):
        cp.sum(Foreign())  # it calls the method with four arguments
    with pytest.raises(TypeError, match="Unsupported type <class 'numpy.ndarray'>"):
        x + np.ones(2)
    with pytest.raises(TypeError, match="Implicit conversion to a NumPy array is not allowed"):
        np.asarray(x)
    with pytest.raises(TypeError, match="cannot be interpreted as an integer"):
        range(cp.asarray(2))
    with pytest.raises(ValueError, match="b must have"):
        cp.linalg.solve(cp.ones((2, 3, 3)), cp.ones((3, 1)))


def test_scatter_add_is_deprecated(cp: Any) -> None:
    cupyx = pytest.importorskip("cupyx")
    x, k = cp.zeros(3), cp.asarray([0, 0, 2])
    with pytest.warns(DeprecationWarning, match="Please use `cupy.add.at` instead"):
        cupyx.scatter_add(x, k, 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cp.add.at(x, k, cp.ones(3))
    same(x, [4.0, 0.0, 2.0])


# Memory


def test_views_share_memory_and_writes_are_seen(cp: Any) -> None:
    x = cp.zeros((2, 3))
    y = x.T[1:]
    y[...] = 1.0
    same(x, [[0.0, 1.0, 1.0]] * 2)
    assert y.base is x
    assert not y.flags.owndata
    assert x.copy().flags.owndata
    assert x[cp.asarray([0])].flags.owndata
    assert x.T.reshape(-1).flags.owndata  # a copy


def test_pools_and_running_out(cp: Any) -> None:
    pool = cp.cuda.MemoryPool()
    with cp.cuda.using_allocator(pool.malloc):
        x = cp.ones(1000)
        y = x * 2.0
    assert pool.used_bytes() == 2 * 8192
    del x, y
    assert pool.used_bytes() == 0
    assert pool.total_bytes() == 2 * 8192
    pool.set_limit(1000)
    with cp.cuda.using_allocator(pool.malloc), pytest.raises(MemoryError, match="Out of memory allocating 8,192 bytes"):
        cp.ones(1000)


def test_arrays_in_memory_of_others(cp: Any) -> None:
    x = cp.arange(6.0)
    y = cp.ndarray((2, 2), "float64", x.data + 16)
    y += 1.0
    same(x, [0.0, 1.0, 3.0, 4.0, 5.0, 6.0])
    z = cp.asarray(type("Holder", (), {"__cuda_array_interface__": x.__cuda_array_interface__})())
    z[0] = 9.0
    assert float(x[0]) == 9.0


# Counting


def test_counts_name_the_place(cp: Any) -> None:
    x = cp.ones(3)
    with counted() as counts:
        float((x * 2.0).sum())
        cp.asarray([1.0])
        cp.asarray(1.0)
    assert counts.launches.total() == 3
    assert counts.syncs.total() == counts.uploads.total() == 1
    ((_, where),) = counts.syncs
    assert where.startswith("tests/backends/test_cupy_emulator.py:")
    assert "float(x)" in counts.text()


@pytest.mark.parametrize("waits", [lambda x: x[x > 0], lambda x: x.__setitem__(x > 0, 0.0), lambda x: x.nonzero(), bool, str])
def test_what_the_host_waits_for(cp: Any, waits: Callable[[Any], Any]) -> None:
    x = cp.ones(1)
    with counted() as counts:
        waits(x)
    assert counts.syncs.total() == 1


# Kernels


@pytest.mark.usefixtures("compiler")
def test_elementwise_kernels(cp: Any) -> None:
    x, y = cp.arange(6, dtype="float32").reshape(2, 3), cp.asarray([1.0, 2.0, 4.0])
    square = cp.ElementwiseKernel(
        "T x, float64 y", "complex<float> z, int64 k", "z = complex<float>(x * y, 1); k = i;", "squares"
    )
    with counted() as counts:
        z, k = square(x, y)
    assert counts.launches.total() == 1
    same(z, x.get() * y.get() + 1j)
    same(k, np.arange(6).reshape(2, 3))
    total = cp.zeros((), dtype="float64")
    add = cp.ElementwiseKernel("raw T x, U scale", "V t", "t = 0; for (int j = 0; j < x.size(); ++j) t += x[j] * scale", "sums")
    assert add(x.T, 2.0, total) is total
    assert float(total) == 30.0
    decay = cp.ElementwiseKernel("T g, T rate", "T p, T m", "m = m * rate + g; p = p - m;", "decay", preamble="// none")
    p, m = cp.ones((2, 3), dtype="float32"), cp.zeros((2, 3), dtype="float32")
    decay(x, 0.5, p, m)
    decay(x, 0.5, p, m)
    same(m, 1.5 * x.get())
    same(p, 1.0 - 2.5 * x.get())


@pytest.mark.usefixtures("compiler")
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "int8", "uint64", "bool"])
def test_every_dtype_in_kernels(cp: Any, dtype: str) -> None:
    x = cp.asarray(np.asarray([0, 1, 1, 0]).astype(dtype))[::2]
    twice = cp.ElementwiseKernel("T x", "T y", "y = x + x * x", "twice")
    y = twice(x)
    assert y.dtype == dtype
    same(y, (x.get() + x.get() * x.get()).astype(dtype))


@pytest.mark.usefixtures("compiler")
def test_halves_are_rounded_as_numpy_rounds(cp: Any) -> None:
    values = np.concatenate([np.geomspace(1e-9, 1e6, 999), [0.0, -1.5, np.inf, np.nan, 65519.0, 65520.0]]).astype("float32")
    with np.errstate(over="ignore"):
        wanted = values.astype("float16")
    half = cp.ElementwiseKernel("float32 x", "float16 y", "y = x", "halves")(cp.asarray(values))
    np.testing.assert_array_equal(half.get(), wanted)
    back = cp.ElementwiseKernel("float16 x", "float32 y", "y = x", "singles")(half)
    np.testing.assert_array_equal(back.get(), wanted.astype("float32"))


@pytest.mark.usefixtures("compiler")
def test_what_kernels_refuse(cp: Any) -> None:
    x = cp.ones(2, dtype="float32")
    with pytest.raises(TypeError, match="Type is mismatched"):
        cp.ElementwiseKernel("T x, T y", "T z", "z = x + y")(x, cp.ones(2))
    with pytest.raises(ValueError, match="Out shape is mismatched"):
        cp.ElementwiseKernel("T x", "T z", "z = x")(cp.ones((3, 2), dtype="float32"), x)
    with pytest.raises(TypeError, match="Wrong number of arguments"):
        cp.ElementwiseKernel("T x", "T z", "z = x")(x, x, x)
    with pytest.raises(cp.cuda.compiler.CompileException, match="unknown_function"):
        cp.ElementwiseKernel("T x", "T z", "z = unknown_function(x)", "broken")(x)


@pytest.mark.usefixtures("compiler")
def test_reduction_kernels(cp: Any) -> None:
    x = cp.arange(24.0).reshape(2, 3, 4)
    norm = cp.ReductionKernel("T x, T y", "T z", "x * y", "a + b", "z = sqrt(a)", "0", "norm")
    for axis, keepdims in [(None, False), (1, False), ((0, 2), True), (-1, True)]:
        same(norm(x, x, axis=axis, keepdims=keepdims), np.sqrt((x.get() ** 2).sum(axis=axis, keepdims=keepdims)))


ROWS = r"""
template <class T> __device__ T warp_sum(T v) {
    for (int k = 16; k > 0; k /= 2) v += __shfl_down_sync(0xffffffff, v, k);
    return v;
}
extern "C" __global__ void rows(const float* x, double* y, int n, float scale) {
    extern __shared__ float parts[];
    float v = 0;
    for (int j = threadIdx.x; j < n; j += blockDim.x) v += x[blockIdx.x * n + j];
    v = warp_sum(v);
    if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = v;
    __syncthreads();
    if (threadIdx.x < 32) {
        v = warp_sum(threadIdx.x < blockDim.x / 32 ? parts[threadIdx.x] : 0.0f);
        if (threadIdx.x == 0) y[blockIdx.x] = v * scale;
    }
}
extern "C" __global__ void fill(double* y, long long n) {
    long long i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n) y[i] = i;
}
"""


@pytest.mark.usefixtures("compiler")
def test_raw_kernels_whose_threads_wait_for_each_other(cp: Any) -> None:
    x, y = cp.asarray(np.random.default_rng(0).normal(size=(3, 300)).astype("float32")), cp.zeros(3)
    module = cp.RawModule(code=ROWS)
    module.get_function("rows")((3,), (128,), (x, y, np.int32(300), np.float32(2.0)), shared_mem=16)
    same(y, 2.0 * x.get().sum(axis=1), 1e-5)
    cp.RawKernel(ROWS, "fill")((2,), (2,), (y.data.ptr, np.int64(3)))
    same(y, [0.0, 1.0, 2.0])


# Streams and graphs


@pytest.fixture
def stream(cp: Any) -> Iterator[Any]:
    with cp.cuda.Stream(non_blocking=True) as s:
        yield s
        if s.is_capturing():
            s.end_capture()


@pytest.mark.usefixtures("compiler")
def test_graphs_read_and_write_the_same_memory(cp: Any, stream: Any) -> None:
    x, total, k = cp.arange(4.0), cp.zeros(4), cp.asarray([0, 1])
    twice = cp.ElementwiseKernel("T x", "T y", "y = 2 * x", "twice")
    stream.begin_capture()
    assert cp.cuda.get_current_stream().is_capturing()
    assert cp.cuda.runtime.streamIsCapturing(stream.ptr)
    y = twice(x) + x.sum()
    total += y
    total[k] = cp.take(y, k)
    total[:1] = y[:1]
    cp.add.at(total, k, 1.0)
    vector = x @ x
    picked, reshaped = x[k], cp.stack([x, x]).T.reshape(8)
    graph = stream.end_capture()
    assert not stream.is_capturing()
    same(total, np.zeros(4))  # nothing ran
    for start in (0.0, 1.0):
        x[...] = start + cp.arange(4.0)
        k[...] = 1 - k
        with counted() as counts:
            graph.launch(stream)
        assert counts.launches.total() == 1
        assert counts.replayed > 4
        stream.synchronize()
        values = x.get()
        same(y, 2 * values + values.sum())
        same(total[:2], y.get()[:2] + 1.0)
        same(vector, values @ values)
        same(picked, values[k.get()])
        same(reshaped, np.repeat(values, 2))


BLAS, SOLVER = "calling cuBLAS API during", "calling cuSOLVER API during"
REFUSED: dict[str, tuple[type[Exception], str, Callable[[Any, Any], Any]]] = {
    "product": (NotImplementedError, BLAS, lambda cp, a: a @ a),
    "matrix and vector": (NotImplementedError, BLAS, lambda cp, a: a @ a[0]),
    "dot": (NotImplementedError, BLAS, lambda cp, a: cp.dot(a, a)),
    "einsum": (NotImplementedError, BLAS, lambda cp, a: cp.einsum("ij,jk->ik", a, a)),
    "tensordot": (NotImplementedError, BLAS, lambda cp, a: cp.tensordot(a, a, 1)),
    "solve of many": (NotImplementedError, BLAS, lambda cp, a: cp.linalg.solve(cp.stack([a, a]), cp.stack([a, a]))),
    "solve": (NotImplementedError, SOLVER, lambda cp, a: cp.linalg.solve(a, a)),
    "inv": (NotImplementedError, SOLVER, lambda cp, a: cp.linalg.inv(a)),
    "cholesky": (NotImplementedError, SOLVER, lambda cp, a: cp.linalg.cholesky(a)),
    "svd": (NotImplementedError, SOLVER, lambda cp, a: cp.linalg.svd(a)),
    "eigh": (NotImplementedError, SOLVER, lambda cp, a: cp.linalg.eigh(a)),
    "qr": (NotImplementedError, SOLVER, lambda cp, a: cp.linalg.qr(a)),
    "random": (NotImplementedError, "calling cuRAND API during", lambda cp, a: cp.random.random((3,))),
    "mask": (RuntimeError, "D2H transfers are disallowed", lambda cp, a: cp.putmask(a, a > 0, a)),
    "item": (RuntimeError, "D2H transfers are disallowed", lambda cp, a: a[0, 0].item()),
    "waiting": (RuntimeError, "cudaErrorStreamCaptureUnsupported", lambda cp, a: cp.cuda.get_current_stream().synchronize()),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_capture_refuses(cp: Any, stream: Any, name: str) -> None:
    error, text, call = REFUSED[name]
    a = cp.eye(3)
    stream.begin_capture()
    with pytest.raises(error, match=text):
        call(cp, a)


def test_calls_of_libraries_through_ctypes_are_captured(cp: Any, stream: Any) -> None:
    a, y = cp.eye(2), cp.zeros((2, 2))
    stream.begin_capture()
    register_foreign(np.matmul, [a, a], [y], name="gemm")
    graph = stream.end_capture()
    a[...] = cp.asarray([[1.0, 2.0], [3.0, 4.0]])
    graph.launch()
    same(y, [[7.0, 10.0], [15.0, 22.0]])
