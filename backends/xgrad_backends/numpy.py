"""NumPy: arrays in the memory of the CPU."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any

import array_api_compat.numpy
import numpy

from xgrad.backend import Backend, may_repeat
from xgrad_backends import sums
from xgrad_backends.scatter import add_at, extreme_at, repeats

_SAMPLES = 512  # how many elements of a large array the fingerprint has


class Plugin(Backend):
    """NumPy through array-api-compat."""

    name = "numpy"
    writes_in_order = True
    copied_bytes = 65536
    cache_bytes = 1 << 20  # of 128 KiB to 4 MiB the fastest for parameters of all sizes
    copy = staticmethod(numpy.ndarray.copy)  # type: ignore[assignment]

    def import_namespace(self) -> Any:
        return array_api_compat.numpy

    def amend(self) -> Mapping[str, Any]:
        precise = {name: getattr(sums, name) for name in sums.__all__}
        own: dict[str, Any] = {"exponential_rest": _exponential_rest, "tanh_pull": _tanh_pull}
        own |= {"clip": _clip, "expand_dims": _expand_dims, "where": _where, "zero_where_not": _zero_where_not}
        return {**precise, **own}

    def check(self, x: Any) -> None:
        if isinstance(x, (numpy.matrix, numpy.ma.MaskedArray)):
            raise TypeError(
                f"numpy's {type(x).__name__} gives operators another meaning than the Array API standard does; "
                "hand over numpy.asarray(x), or x.filled(...) of a masked array"
            )
        super().check(x)

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

    def cheap_to_read(self, x: Any) -> bool:
        return True

    def owns_memory(self, x: Any) -> bool:
        return isinstance(x, numpy.generic) or bool(x.flags.owndata)

    def from_parts(self, re: Any, im: Any) -> Any:
        return from_parts(re, im)

    def shares_memory(self, y: Any, x: Any) -> bool:
        return bool(isinstance(x, numpy.generic) or numpy.may_share_memory(y, x))

    def fingerprint(self, x: Any) -> Any:
        if x.size <= _SAMPLES:
            return x.tobytes()
        if x.flags.forc:  # a view, in the order of the memory
            return x.ravel("K")[:: x.size // _SAMPLES].tobytes()
        flat = numpy.arange(0, x.size, x.size // _SAMPLES)
        return x[numpy.unravel_index(flat, x.shape)].tobytes()

    def scatter_add(self, x: Any, key: Any, value: Any) -> Any:
        return add_at(numpy.array(x, order="C"), key, value)

    def accumulator(self, x: Any, key: Any) -> Any:
        wider = super().accumulator(x, key)
        if wider is not None and x.itemsize > 2 and x.ndim > 1 and not repeats(key, 1024):
            return None  # there are many numbers, but no place gets many of them
        return wider

    def scatter(self, shape: tuple[int, ...], key: Any, value: Any) -> Any:
        if not may_repeat(key):
            out = numpy.zeros(shape, value.dtype)
            out[key] = value
            return out
        wider = self.accumulator(value, key)
        if wider is None:
            return add_at(numpy.zeros(shape, value.dtype), key, value)
        return add_at(numpy.zeros(shape, wider), key, value.astype(wider)).astype(value.dtype)

    executors = ("numpy", "c")

    def executor(self, plan: Any, homes: Any, how: str) -> Any:
        compiled = importlib.import_module("xgrad_backends.compiled")  # only captured functions need it
        return compiled.build(plan, homes, how)

    def contiguous(self, x: Any) -> Any:
        plain = isinstance(x, numpy.ndarray) and x.flags.carray
        return x if plain else numpy.array(x, order="C")

    def scatter_extreme(self, x: Any, key: Any, value: Any, name: str) -> Any:
        return extreme_at(numpy.array(x, order="C"), key, value, name)

    def special(self, name: str) -> Callable[..., Any] | None:
        return scipy_special(name)


def scipy_special(name: str) -> Callable[..., Any] | None:
    """SciPy's function of NumPy arrays; None if there is none, or SciPy, which is optional, is not installed."""
    if name in ("bdtr", "bdtrc", "bdtri"):
        return None  # SciPy warns if the number of trials is floating, and has no float32 loop for integers
    try:
        return getattr(importlib.import_module("scipy.special"), name, None)
    except ImportError:
        return None


def from_parts(re: Any, im: Any) -> Any:
    """The complex array with these real and imaginary parts."""
    re, im = numpy.broadcast_arrays(re, im)
    out = numpy.empty(re.shape, numpy.result_type(re.dtype, numpy.complex64))
    out.real, out.imag = re, im
    return out


_BITS = {numpy.dtype(f"f{n}"): numpy.dtype(f"i{n}") for n in (2, 4, 8)}


def _clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
    # That of array-api-compat takes 30 microseconds, for dtypes of other kinds.
    dtype = x.dtype
    if dtype.kind != "f" or not all(bound is None or type(bound) in (float, int) or bound.dtype == dtype for bound in (min, max)):
        return array_api_compat.numpy.clip(x, min, max)
    y = x if min is None else numpy.maximum(x, min)
    return numpy.array(x) if max is min is None else y if max is None else numpy.minimum(y, max)


def _expand_dims(x: Any, /, axis: int = 0) -> Any:
    # numpy.expand_dims is written in Python.
    return x[..., None] if axis == -1 else x[..., None, :] if axis == -2 and x.ndim else numpy.expand_dims(x, axis)


def _where(condition: Any, x1: Any, x2: Any, /) -> Any:
    # numpy.where branches at every element. For many elements three passes over their bits are two to four times as fast.
    if getattr(condition, "size", 0) < 4096 or type(x1) is not numpy.ndarray or type(x2) is not numpy.ndarray:
        return array_api_compat.numpy.where(condition, x1, x2)
    bits, shape = _BITS.get(x1.dtype), condition.shape
    if bits is None or x1.dtype != x2.dtype or condition.dtype != bool or not x1.shape == shape == x2.shape:
        return array_api_compat.numpy.where(condition, x1, x2)
    other = x2.view(bits)
    chosen = x1.view(bits) ^ other
    chosen *= condition
    chosen ^= other
    return chosen.view(x1.dtype)


def _zero_where_not(x: Any, condition: Any) -> Any:
    # The bits of x times 0 or 1. Ten times as fast as numpy.where, whose branches are hard to predict.
    bits = _BITS.get(x.dtype)
    if bits is None or condition.dtype != bool:
        return numpy.where(condition, x, numpy.zeros_like(x))
    return (x.view(bits) * condition).view(x.dtype)


def _tanh_pull(v: Any, x: Any, t: Any) -> Any:
    # 1 - t**2 takes half the time of the exponential and is precise except in the tails, which are cheap to detect.
    square = t * t
    try:
        if square.item(square.argmax()) < 0.9:
            square *= v
            return (
                v - square if square.size < 4096 else numpy.subtract(v, square, square)
            )  # new memory would cost more than the arithmetic
    except (TypeError, ValueError):  # complex numbers; an empty array
        e = numpy.exp(numpy.where(numpy.real(x) > 0, -x, x))
        size = 2 / (1 + e * e)
    else:
        e = numpy.exp(-numpy.abs(x))
        size = 1 + numpy.abs(t)
    e = e * size
    return v * (e * e)


def _exponential_rest(shifted: Any, terms: Any, /, axis: Any) -> Any:
    # If the sum is well above 1, subtracting 1 keeps its digits.
    total = numpy.add.reduce(terms, axis=axis, keepdims=True)
    if total.size and total.item(total.argmin()) > 1.1:
        return total - 1
    few = total <= 1.1
    if isinstance(axis, int) and axis in (-1, terms.ndim - 1) and terms.ndim > 1 and numpy.count_nonzero(few) * 4 < few.size:
        rest = total - 1
        few = few[..., 0]
        rest[few] = _exact_rest(shifted[few], terms[few], -1)
        return rest
    return _exact_rest(shifted, terms, axis)


def _exact_rest(shifted: Any, terms: Any, axis: Any) -> Any:
    top = shifted == 0
    ties = numpy.add.reduce(top, axis=axis, keepdims=True, dtype=terms.dtype) - 1
    return numpy.add.reduce(_zero_where_not(terms, ~top), axis=axis, keepdims=True) + numpy.maximum(ties, 0)
