"""CuPy: arrays on NVIDIA GPUs. Written to CuPy's documentation; ``docs/gpu.md`` says what has been run and what has not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import array_api_compat.cupy
import cupy
import cupyx
import cupyx.scipy.special

from xgrad.backend import Backend, is_deterministic, may_repeat
from xgrad_backends.missing_cuda import incomplete_toolkit, no_device, two_packages


class Plugin(Backend):
    """CuPy through array-api-compat."""

    name = "cupy"

    def import_namespace(self) -> Any:
        return array_api_compat.cupy

    def amend(self) -> Mapping[str, Any]:
        # array-api-compat's sign and clip write through masks, for which the host waits for the device.
        return {"sign": _sign, "clip": _clip, "zero_where_not": _zero_where_not, "linalg.solve": _solve}

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
            cupyx.scatter_add(out, key, value)
        elif x.dtype.kind == "c":  # atomicAdd has no complex numbers
            out = cupy.empty_like(x)
            out.real, out.imag = self.scatter_add(x.real, key, value.real), self.scatter_add(x.imag, key, value.imag)
        else:  # of 64-bit integers it has only the unsigned; their sums have the same bits
            total = cupy.zeros(x.shape, dtype="uint64")
            cupyx.scatter_add(total, key, value.astype("int64").view("uint64"))
            out = x + total.view("int64").astype(x.dtype)
        return out

    def special(self, name: str) -> Callable[..., Any] | None:
        function: Any = getattr(cupyx.scipy.special, {"psi": "digamma"}.get(name, name), None)
        if name == "yn":  # it has no loop in float32
            return lambda n, x: function(n, x).astype(x.dtype, copy=False)
        return function

    def synchronize(self) -> None:
        cupy.cuda.get_current_stream().synchronize()

    def memory(self, device: Any) -> int | None:
        return int(device.mem_info[1])

    def peak_memory(self) -> int | None:
        return int(cupy.get_default_memory_pool().total_bytes())  # an upper bound: the pool keeps memory that was freed


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


def _solve(x1: Any, x2: Any, /) -> Any:
    if x2.ndim > 1 and x1.shape[:-2] != x2.shape[:-2]:  # cupy.linalg.solve does not broadcast
        batch = cupy.broadcast_shapes(x1.shape[:-2], x2.shape[:-2])
        x1, x2 = cupy.broadcast_to(x1, (*batch, *x1.shape[-2:])), cupy.broadcast_to(x2, (*batch, *x2.shape[-2:]))
    return cupy.linalg.solve(x1, x2)
