"""NumPy: arrays in the memory of the CPU."""

from __future__ import annotations

from typing import Any

import array_api_compat.numpy
import numpy

from xgrad.backend import Backend


class Plugin(Backend):
    """NumPy through array-api-compat."""

    name = "numpy"
    cache_bytes = 1 << 17

    def import_namespace(self) -> Any:
        return array_api_compat.numpy

    def to_numpy(self, x: Any) -> Any:
        return numpy.array(x)

    def from_numpy(self, x: Any, device: Any = None) -> Any:
        return numpy.asarray(x)

    def device(self, x: Any) -> Any:
        return "cpu"

    def to_device(self, x: Any, device: Any) -> Any:
        if device != "cpu":
            raise ValueError(f"NumPy arrays live on device 'cpu', not on {device!r}")
        return x

    def as_array(self, x: Any) -> Any:
        return numpy.asarray(x)  # operators on 0-d arrays return NumPy scalars, which are faster to compute with

    def owns_memory(self, x: Any) -> bool:
        return isinstance(x, numpy.generic) or x.flags.owndata

    def shares_memory(self, y: Any, x: Any) -> bool:
        return isinstance(x, numpy.generic) or numpy.may_share_memory(y, x)

    def scatter_add(self, x: Any, key: Any, value: Any) -> Any:
        out = numpy.array(x)
        if any(getattr(part, "dtype", bool) != bool for part in (key if isinstance(key, tuple) else (key,))):
            numpy.add.at(out, key, value)  # an integer array may name an element twice
        else:
            out[key] += value
        return out
