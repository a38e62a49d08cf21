"""CuPy: arrays on NVIDIA GPUs. Written to CuPy's documentation; ``docs/gpu.md`` says what has been run and what has not."""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import array_api_compat.cupy
import cupy
import cupyx.scipy.special
import numpy

from xgrad.backend import Backend, is_deterministic, may_repeat
from xgrad_backends.missing_cuda import incomplete_toolkit, no_device, two_packages

MOST_CONSTANTS = 4096
"""How many arrays of Python numbers are kept."""


class Plugin(Backend):
    """CuPy through array-api-compat."""

    name = "cupy"

    def __init__(self) -> None:
        super().__init__()
        self._constants: dict[Any, Any] = {}

    def import_namespace(self) -> Any:
        return array_api_compat.cupy

    def amend(self) -> Mapping[str, Any]:
        # array-api-compat's sign and clip write through masks, for which the host waits for the device.
        return {
            "sign": _sign, "clip": _clip, "zero_where_not": _zero_where_not, "exponential_rest": _exponential_rest,
            "floor_divide": _floor_divide, "remainder": _remainder, "sum": _sum, "mean": _mean, "var": _var,
            "linalg.solve": _solve,
        }  # fmt: skip

    def problem(self) -> str | None:
        return two_packages() or no_device() or incomplete_toolkit()

    def to_numpy(self, x: Any) -> Any:
        return cupy.asnumpy(x)

    def from_numpy(self, x: Any, device: Any = None) -> Any:
        with cupy.cuda.Device(device):
            return cupy.asarray(x)

    def to_device(self, x: Any, device: Any) -> Any:
        if device == "cpu":
            raise ValueError("CuPy arrays live on GPUs; move one to the CPU with xgrad.to_backend(x, 'numpy')")
        with cupy.cuda.Device(device):
            return cupy.asarray(x)

    def owns_memory(self, x: Any) -> bool:
        return bool(x.flags.owndata)

    def from_parts(self, re: Any, im: Any) -> Any:
        out = cupy.empty(cupy.broadcast_shapes(re.shape, im.shape), cupy.result_type(re.dtype, cupy.complex64))
        out.real, out.imag = re, im
        return out

    def shares_memory(self, y: Any, x: Any) -> bool:
        return bool(cupy.may_share_memory(y, x))  # by strides and pointers, without asking the device

    def scatter_add(self, x: Any, key: Any, value: Any) -> Any:
        value = cupy.asarray(value, dtype=x.dtype)
        if is_deterministic():
            return super().scatter_add(x, key, value)
        if not may_repeat(key) or x.dtype.kind == "f":
            out = cupy.array(x)
            cupy.add.at(out, key, value)
        elif x.dtype.kind == "c":  # atomicAdd has no complex numbers
            out = cupy.empty_like(x)
            out.real, out.imag = self.scatter_add(x.real, key, value.real), self.scatter_add(x.imag, key, value.imag)
        else:  # of 64-bit integers it has only the unsigned; their sums have the same bits
            total = cupy.zeros(x.shape, dtype="uint64")
            cupy.add.at(total, key, value.astype("int64").view("uint64"))
            out = x + total.view("int64").astype(x.dtype)
        return out

    def constant(self, numbers: float | tuple[float, ...], like: Any) -> Any:
        # Kept, since each new one is copied from the host; for each stream, since another one might read it too early.
        exact = numbers.hex() if isinstance(numbers, float) else numbers  # 0.0 and -0.0 are equal
        key = (exact, like.dtype, like.device.id, cupy.cuda.get_current_stream().ptr)
        if key not in self._constants:
            if len(self._constants) >= MOST_CONSTANTS:
                self._constants.clear()
            self._constants[key] = super().constant(numbers, like)
        return self._constants[key]

    def uniform(self, host: Any, shape: tuple[int, ...], dtype: str, device: Any) -> Any:
        return _cuda("philox").uniform(host, shape, dtype, device)

    def fuse(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return _cuda("fused").fused(function)  # type: ignore[no-any-return]

    def updating(self, kernel: Callable[..., tuple[Any, ...]]) -> Callable[..., tuple[Any, ...]]:
        return _cuda("fused").updating(kernel)  # type: ignore[no-any-return]

    executors = ("cuda",)

    def executor(self, plan: Any, homes: Any, how: str) -> Any:
        return _cuda("executor").GraphExecutor(plan, homes)

    def contiguous(self, x: Any) -> Any:
        return cupy.ascontiguousarray(x)

    def special(self, name: str) -> Callable[..., Any] | None:
        return _yn if name == "yn" else getattr(cupyx.scipy.special, {"psi": "digamma"}.get(name, name), None)

    def synchronize(self) -> None:
        cupy.cuda.get_current_stream().synchronize()

    def memory(self, device: Any) -> int | None:
        return int(device.mem_info[1])

    def peak_memory(self) -> int | None:
        return int(cupy.get_default_memory_pool().total_bytes())  # an upper bound: the pool keeps memory that was freed


@functools.cache
def _cuda(name: str) -> Any:
    """A module that not every program needs."""
    return importlib.import_module(f"xgrad_backends.cuda.{name}")


def _exponential_rest(shifted: Any, terms: Any, /, axis: Any) -> Any:
    # The terms of the maximum are counted in the real part, all others are summed in the imaginary part.
    pairs = cupy.empty(shifted.shape, cupy.result_type(shifted.dtype, cupy.complex64))
    total = _PAIRS(shifted, terms, pairs).sum(axis=axis, keepdims=True)
    return _REST(total, cupy.empty(total.shape, shifted.dtype))


_PAIRS = cupy.ElementwiseKernel("T s, T t", "C z", "z = s == 0 ? C(1, 0) : C(0, t)", "xgrad_pairs")
_REST = cupy.ElementwiseKernel("C z", "T y", "y = z.imag() + (z.real() > 1 ? z.real() - 1 : 0)", "xgrad_rest")


def _sign(x: Any, /) -> Any:
    if x.dtype.kind == "c":
        size = cupy.abs(x)
        return cupy.where(size == 0, x, x / cupy.where(size == 0, 1, size))
    return cupy.where(x == x, cupy.sign(x), x) if x.dtype.kind == "f" else cupy.sign(x)  # CuPy's own sign of NaN is 0


def _clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
    y = x if min is None else cupy.maximum(x, min)
    y = y if max is None else cupy.minimum(y, max)
    return x.copy() if y is x else y.astype(x.dtype, copy=False)


def _zero_where_not(x: Any, condition: Any, /) -> Any:
    return cupy.where(condition, x, x.dtype.type(0))


# CuPy adds along an axis one number after the other in each of a few hundred threads, in the dtype of the array: over a million
# rows, float32 loses two digits. Sums of many are added in float64 instead. Each number is still read once, in its own dtype, and
# converted in a register: such a sum waits for memory, not for arithmetic. Of contiguous numbers CuPy has CUB make the sum, in
# many small groups, but only in their own dtype; that of float16 is float16 to the end.

_FEW = 2048  # numbers that may be added to one sum as CuPy does
_FEW_NEIGHBOURS = 1 << 16  # the same, where they are contiguous
_FEW_HALVES = 64  # the same in float16


def _sum(x: Any, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    return _reduced(cupy.sum, x, axis, dtype, keepdims)


def _mean(x: Any, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    return _reduced(cupy.mean, x, axis, None, keepdims)


def _var(x: Any, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Any:
    wide = x.astype("f") if x.dtype.char == "e" else x  # CuPy adds the squares in the dtype of the array
    n = _count(x, axis)
    if wide.dtype.char != "f" or n <= max(_FEW, correction):
        y = cupy.var(wide, axis=axis, ddof=correction, keepdims=keepdims)
    else:
        away = wide - _mean(wide, axis=axis, keepdims=True)
        y = _mean(away * away, axis=axis, keepdims=keepdims) * (n / (n - correction))
    return y.astype(x.dtype) if wide is not x else y


def _reduced(function: Any, x: Any, axis: Any, dtype: Any, keepdims: bool) -> Any:
    """CuPy's sum or mean, precise for any number of elements."""
    own = x.dtype if dtype is None else numpy.dtype(dtype)
    n = _count(x, axis) if own.char in "efF" else 0
    if n <= (_FEW_HALVES if own.char == "e" else _FEW):
        return function(x, axis=axis, dtype=dtype, keepdims=keepdims)
    contiguous = x.flags.c_contiguous if n < x.size else x.flags.forc
    by_cub = contiguous and (n == x.size or (n <= _FEW_NEIGHBOURS and _last(x, axis)))
    if own.char == "e":
        return function(x.astype("f") if by_cub else x, axis=axis, dtype="f", keepdims=keepdims).astype(own)
    if by_cub and x.dtype == own:
        return function(x, axis=axis, keepdims=keepdims)
    return function(x, axis=axis, dtype="d" if own.char == "f" else "D", keepdims=keepdims).astype(own)


def _count(x: Any, axis: Any) -> int:
    """How many elements are reduced to one; 0 if `axis` is none of `x`, about which CuPy raises."""
    axes = range(x.ndim) if axis is None else axis if isinstance(axis, tuple) else (axis,)
    return math.prod(x.shape[i] for i in axes) if all(-x.ndim <= i < x.ndim for i in axes) else 0


def _last(x: Any, axis: Any) -> bool:
    """Whether the reduced axes are the last ones."""
    axes = axis if isinstance(axis, tuple) else (axis,)
    return {i % x.ndim for i in axes} == set(range(x.ndim - len(axes), x.ndim))


def _yn(n: Any, x: Any) -> Any:
    # CuPy's own has no loop in float32, and gives NaN for negative orders, which the derivative at order 0 asks for.
    y = cupyx.scipy.special.yn(cupy.abs(n), x).astype(x.dtype, copy=False)
    return cupy.where((n < 0) & (cupy.fmod(n, 2) != 0), -y, y)


# CuPy computes x1 // x2 as floor(x1 / x2), and x1 % x2 from that: 1.0 // 0.1 is 10 there, and 1.0 % 0.1 is negative. Here the
# remainder is that of fmod, which is exact, and the steps are NumPy's. None of them waits for the device.


def _floor_divide(x1: Any, x2: Any, /) -> Any:
    if not _has_floats(x1, x2):
        return cupy.floor_divide(x1, x2)
    x1, x2, dtype = _in_float32(x1, x2)
    rest = cupy.fmod(x1, x2)
    near = (x1 - rest) / x2  # a whole number, but for rounding
    near = near - (cupy.copysign(rest, x2) != rest)
    down = cupy.floor(near)
    quotient = x1 / x2  # it has the sign of the result, and is the result where x2 is zero
    return cupy.copysign(cupy.where(cupy.equal(x2, 0), quotient, down + (near - down > 0.5)), quotient).astype(dtype, copy=False)


def _remainder(x1: Any, x2: Any, /) -> Any:
    if not _has_floats(x1, x2):
        return cupy.remainder(x1, x2)
    x1, x2, dtype = _in_float32(x1, x2)
    rest = cupy.fmod(x1, x2)
    signed = cupy.copysign(rest, x2)
    return cupy.where(signed == rest, signed, rest + x2).astype(dtype, copy=False)


def _has_floats(x1: Any, x2: Any) -> bool:
    return any(x.dtype.kind == "f" if hasattr(x, "dtype") else isinstance(x, float) for x in (x1, x2))


def _in_float32(x1: Any, x2: Any) -> tuple[Any, Any, Any]:
    """`x1` and `x2`, in float32 if they promote to float16, and the dtype that they promote to."""
    dtype = cupy.result_type(x1, x2)
    if dtype == "float16":
        x1, x2 = (x.astype("float32") if hasattr(x, "dtype") else x for x in (x1, x2))
    return x1, x2, dtype


def _solve(x1: Any, x2: Any, /) -> Any:
    if x2.ndim > 1 and x1.shape[:-2] != x2.shape[:-2]:  # cupy.linalg.solve does not broadcast
        batch = cupy.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
        x1, x2 = cupy.broadcast_to(x1, (*batch, *x1.shape[-2:])), cupy.broadcast_to(x2, (*batch, *x2.shape[-2:]))
    return cupy.linalg.solve(x1, x2)
