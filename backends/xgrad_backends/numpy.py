"""NumPy: arrays in the memory of the CPU."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import array_api_compat.numpy
import numpy

from xgrad.backend import Backend, may_repeat


class Plugin(Backend):
    """NumPy through array-api-compat."""

    name = "numpy"
    writes_in_order = True

    def import_namespace(self) -> Any:
        return array_api_compat.numpy

    def amend(self) -> Mapping[str, Any]:
        return {"exponential_rest": _exponential_rest, "sum": _sum, "tanh_pull": _tanh_pull, "zero_where_not": _zero_where_not}

    def admit(self, x: Any) -> None:
        if isinstance(x, (numpy.matrix, numpy.ma.MaskedArray)):
            raise TypeError(
                f"numpy's {type(x).__name__} gives operators another meaning than the Array API standard does; "
                "hand over numpy.asarray(x), or x.filled(...) of a masked array"
            )
        super().admit(x)

    def to_numpy(self, x: Any) -> Any:
        return numpy.array(x)

    def from_numpy(self, x: Any, device: Any = None) -> Any:
        return self.to_device(numpy.asarray(x), "cpu" if device is None else device)

    def device(self, x: Any) -> Any:
        return "cpu"

    def to_device(self, x: Any, device: Any) -> Any:
        if device != "cpu":
            raise ValueError(f"NumPy arrays live on device 'cpu', not on {device!r}")
        return x

    def as_array(self, x: Any) -> Any:
        return numpy.asarray(x)  # operators on 0-d arrays return NumPy scalars, which are faster to compute with

    def at_hand(self, x: Any) -> bool:
        return True

    def owns_memory(self, x: Any) -> bool:
        return isinstance(x, numpy.generic) or bool(x.flags.owndata)

    def shares_memory(self, y: Any, x: Any) -> bool:
        return bool(isinstance(x, numpy.generic) or numpy.may_share_memory(y, x))

    def scatter_add(self, x: Any, key: Any, value: Any) -> Any:
        return _add_at(numpy.array(x), key, value)

    def scatter(self, shape: tuple[int, ...], key: Any, value: Any) -> Any:
        return _add_at(numpy.zeros(shape, value.dtype), key, value)

    def special(self, name: str) -> Callable[..., Any] | None:
        return scipy_special(name)


def scipy_special(name: str) -> Callable[..., Any] | None:
    """SciPy's function of NumPy arrays; None if it has none, or is not installed: it is optional."""
    if name in ("bdtr", "bdtrc", "bdtri"):
        return None  # SciPy warns of every number of trials that is floating, and has no loop in float32 for whole ones
    try:
        return getattr(importlib.import_module("scipy.special"), name, None)
    except ImportError:
        return None


def _add_at(out: Any, key: Any, value: Any) -> Any:
    if may_repeat(key):
        numpy.add.at(out, key, value)
    else:
        out[key] += value
    return out


def _sum(x: Any, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Any:
    reduce: Any = numpy.add.reduce  # what numpy.sum comes to, five times as fast
    return reduce(x, axis=axis, dtype=dtype, keepdims=keepdims)


_BITS = {numpy.dtype(f"f{n}"): numpy.dtype(f"i{n}") for n in (2, 4, 8)}


def _zero_where_not(x: Any, condition: Any) -> Any:
    # The bits of x times 0 or 1: ten times as fast as numpy.where, whose branches a processor cannot predict.
    bits = _BITS.get(x.dtype)
    if bits is None:
        return numpy.where(condition, x, numpy.zeros_like(x))
    return (x.view(bits) * condition).view(x.dtype)


def _tanh_pull(v: Any, x: Any, t: Any) -> Any:
    # 1 - t**2 takes half the time of the exponential, and is precise but in the tails; it is cheap to ask for those.
    square = t * t
    try:
        if square.item(square.argmax()) < 0.9:
            square *= v
            return v - square
    except (TypeError, ValueError):  # complex numbers; no numbers at all
        e = numpy.exp(numpy.where(numpy.real(x) > 0, -x, x))
        size = 2 / (1 + e * e)
    else:
        e = numpy.exp(-numpy.abs(x))
        size = 1 + numpy.abs(t)
    e = e * size
    return v * (e * e)


def _exponential_rest(shifted: Any, terms: Any, /, axis: Any) -> Any:
    # Where the sum is well above 1, and it is cheap to ask, the 1 may be taken from it: the rest keeps its digits.
    total = numpy.add.reduce(terms, axis=axis, keepdims=True)
    if total.size and total.item(total.argmin()) > 1.1:
        return total - 1
    top = shifted == 0
    ties = numpy.add.reduce(top, axis=axis, keepdims=True, dtype=terms.dtype) - 1
    return numpy.add.reduce(_zero_where_not(terms, ~top), axis=axis, keepdims=True) + numpy.maximum(ties, 0)
