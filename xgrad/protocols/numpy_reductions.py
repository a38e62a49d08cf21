"""NumPy's reductions, running sums and quantiles on Tensors."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .. import ops
from ..tensor.tensor import Tensor
from .numpy_table import FUNCTIONS, as_tensor, flat_without_axis

__all__: list[str] = []


def _sum(name: str) -> Callable[..., Any]:
    def run(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
        return getattr(ops, name)(a, axis=axis, dtype=dtype, keepdims=keepdims)

    return run


def _mean(name: str) -> Callable[..., Any]:
    def run(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
        return getattr(ops, name)(_as_inexact(name, a, dtype), axis=axis, keepdims=keepdims)

    return run


def _as_inexact(name: str, a: Any, dtype: Any) -> Any:
    """`a` in `dtype`, which must be floating: a mean of integers is not an integer."""
    if dtype is None:
        return a
    a = ops.astype(a, dtype)
    if not a.dtype.inexact:
        raise TypeError(f"numpy.{name} on xgrad tensors: dtype is {a.dtype}; the result needs a floating-point one")
    return a


def _extremum(name: str) -> Callable[..., Any]:
    return lambda a, axis=None, *, keepdims=False: getattr(ops, name)(a, axis=axis, keepdims=keepdims)


def _spread(name: str) -> Callable[..., Any]:
    def run(
        a: Any, axis: Any = None, dtype: Any = None, *, ddof: float = 0, correction: float | None = None, keepdims: bool = False
    ) -> Any:
        a = _as_inexact(name, a, dtype)
        return getattr(ops, name)(a, axis=axis, correction=ddof if correction is None else correction, keepdims=keepdims)

    return run


def _running(name: str, replace: Callable[[Any], Any] = lambda a: a) -> Callable[..., Any]:
    def run(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
        a = flat_without_axis(replace(a), axis)
        return getattr(ops, name)(a, axis=0 if axis is None else axis, dtype=dtype)

    return run


def _nan_to(number: float) -> Callable[[Any], Any]:
    """A function that puts `number` in place of NaN and leaves infinities."""
    return lambda a: ops.nan_to_num(a, nan=number, posinf=math.inf, neginf=-math.inf)


def _nan_extremum(name: str, worst: float) -> Callable[..., Any]:
    replace = _nan_to(worst)
    return lambda a, axis=None, *, keepdims=False: getattr(ops, name)(replace(a), axis=axis, keepdims=keepdims)


def _quantile(name: str) -> Callable[..., Any]:
    def run(a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Any:
        q = q.tolist() if hasattr(q, "tolist") and not isinstance(q, Tensor) else q  # NumPy's array, on any backend of `a`
        return getattr(ops, name)(as_tensor(a), q, axis, method=method, keepdims=keepdims)

    return run


_FAMILIES = {
    _sum: "sum prod nansum nanprod",
    _mean: "mean nanmean",
    _extremum: "max min argmax argmin all any count_nonzero median nanmax nanmin nanmedian ptp",
    _spread: "std var nanstd nanvar",
    _running: "cumulative_sum cumulative_prod",
    _quantile: "quantile percentile nanquantile nanpercentile",
}
"""For each family, a function that makes NumPy's function of xgrad's; and the names, the same in both."""

FUNCTIONS.update({name: make(name) for make, names in _FAMILIES.items() for name in names.split()})
FUNCTIONS.update(
    amax=FUNCTIONS["max"],
    amin=FUNCTIONS["min"],
    cumsum=FUNCTIONS["cumulative_sum"],
    cumprod=FUNCTIONS["cumulative_prod"],
    nancumsum=_running("cumulative_sum", _nan_to(0.0)),
    nancumprod=_running("cumulative_prod", _nan_to(1.0)),
    nanargmax=_nan_extremum("argmax", -math.inf),
    nanargmin=_nan_extremum("argmin", math.inf),
    average=lambda a, axis=None, weights=None, *, keepdims=False: ops.average(a, axis, weights, keepdims=keepdims),
)
