"""JAX: arrays that never change, also under ``jax.jit``. Loading it turns on its 64-bit data types."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy
import jax.scipy.special
import numpy

from xgrad.backend import Backend
from xgrad_backends.in_turn import in_turn
from xgrad_backends.numpy import scipy_special

jax.config.update("jax_enable_x64", True)  # else JAX returns float32 where float64 was asked for


class Plugin(Backend):
    """JAX's own namespace."""

    name = "jax"
    mutable = False

    def import_namespace(self) -> Any:
        return jax.numpy

    def amend(self) -> Mapping[str, Any]:
        return {"searchsorted": _searchsorted, "linalg.matrix_rank": _matrix_rank, **in_turn(jax.numpy)}

    def to_numpy(self, x: Any) -> Any:
        return numpy.array(x.astype("float32") if x.dtype == "bfloat16" else x)

    def from_numpy(self, x: Any, device: Any = None) -> Any:
        return jax.numpy.array(x, copy=True, device=device)  # JAX assumes that nobody writes to it

    def device(self, x: Any) -> Any:
        return getattr(x, "device", None)  # a tracer has none

    def to_device(self, x: Any, device: Any) -> Any:
        return jax.device_put(x, device)

    def from_parts(self, re: Any, im: Any) -> Any:
        return jax.lax.complex(*jax.numpy.broadcast_arrays(re, im))

    def set_item(self, x: Any, key: Any, value: Any) -> Any:
        if value.ndim and value.shape[0] == 1 and value.ndim > (ndim := x[key].ndim):  # JAX drops no leading axes
            while value.ndim > ndim and value.shape[0] == 1:
                value = value[0]
        return x.at[key].set(value)

    def scatter_add(self, x: Any, key: Any, value: Any) -> Any:
        return x.at[key].add(value)

    def special(self, name: str) -> Callable[..., Any] | None:
        if name in ("beta", "betaln", "boxcox", "boxcox1p", "erfcx", "log_ndtr", "rel_entr"):
            return None  # JAX's have few correct digits for large arguments, or for close ones
        own = getattr(jax.scipy.special, {"psi": "digamma"}.get(name, name), None)
        if own is None or name not in ("gamma", "gammaln", "loggamma", "poch", "psi", "zeta"):
            return own

        def run(*arrays: Any) -> Any:  # in float32 these lose digits near their zeros, or overflow in between
            return own(*(x.astype("float64") for x in arrays)).astype(arrays[0].dtype)

        return run

    def special_on_host(self, name: str) -> Callable[..., Any] | None:
        function = scipy_special(name)
        if function is None:
            return None

        def run(*arrays: Any) -> Any:
            platforms = {getattr(getattr(x, "device", None), "platform", jax.default_backend()) for x in arrays}
            if platforms != {"cpu"}:
                raise NotImplementedError(f"{name}: JAX has no such function, and SciPy's cannot run on {platforms.pop()!r}")
            shape = jax.ShapeDtypeStruct(numpy.broadcast_shapes(*(x.shape for x in arrays)), arrays[0].dtype)
            return jax.pure_callback(function, shape, *arrays, vmap_method="broadcast_all")

        return run

    def whole(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return jax.jit(function)  # type: ignore[no-any-return]

    def synchronize(self) -> None:
        jax.block_until_ready(jax.live_arrays())

    def peak_memory(self) -> int | None:
        devices = [d.memory_stats() for d in jax.local_devices()]
        peaks = [stats["peak_bytes_in_use"] for stats in devices if stats and "peak_bytes_in_use" in stats]
        return sum(peaks) if peaks else None


def _searchsorted(x1: Any, x2: Any, /, *, side: str = "left", sorter: Any = None) -> Any:
    return jax.numpy.searchsorted(x1, x2, side=side, sorter=sorter).astype("int64")  # JAX: int32


def _matrix_rank(x: Any, /, *, rtol: Any = None) -> Any:
    s = jax.numpy.linalg.svdvals(x)  # for JAX, rtol is an absolute tolerance
    if rtol is None:
        rtol = max(x.shape[-2:]) * jax.numpy.finfo(x.dtype).eps
    return jax.numpy.count_nonzero(s > jax.numpy.asarray(rtol)[..., None] * s[..., :1], axis=-1)
