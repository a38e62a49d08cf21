"""Methods and operators of arrays."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from . import real, scattering
from .arrays import SCALARS, ndarray, new, view
from .counters import count_call
from .functions import COST, LIBRARIES, WAITING, refuse_host_arrays, run, views
from .launching import read_back, write

__all__ = ["install"]

NAMES = """
    all any argmax argmin argpartition argsort choose clip compress conj conjugate copy cumprod cumsum diagonal dot
    fill flatten max mean min nonzero partition prod ptp put ravel repeat reshape round searchsorted sort squeeze std
    sum swapaxes take trace transpose var view
    """.split()
OWN_VIEWS = frozenset("reshape transpose swapaxes squeeze ravel view diagonal".split())
IN_PLACE = frozenset("fill partition put sort".split())
ORDER = {
    **dict.fromkeys(("sum", "prod", "mean"), ("axis", "dtype", "out", "keepdims")),
    **dict.fromkeys(("max", "min", "any", "all"), ("axis", "out", "keepdims")),
    **dict.fromkeys(("cumsum", "cumprod"), ("axis", "dtype", "out")),
}
BINARY = {
    "add": "add",
    "sub": "subtract",
    "mul": "multiply",
    "truediv": "true_divide",
    "floordiv": "floor_divide",
    "mod": "remainder",
    "pow": "power",
    "matmul": "matmul",
    "lshift": "left_shift",
    "rshift": "right_shift",
    "and": "bitwise_and",
    "or": "bitwise_or",
    "xor": "bitwise_xor",
}
COMPARISONS = {"lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal", "ne": "not_equal"}


def _cupy() -> Any:
    return sys.modules["cupy"]


def _method(name: str) -> Callable[..., Any]:
    function = getattr(np.ndarray, name, None) or getattr(np, name)

    def method(self: ndarray, *args: Any, **kwargs: Any) -> Any:
        count_call("ndarray." + name)
        for x in (*args, *kwargs.values()):
            refuse_host_arrays(x)
        if name == "take":
            return _cupy().take(self, *args, **kwargs)
        values = self._values
        if name in OWN_VIEWS:
            return views("ndarray." + name, function, (self, *args), kwargs)
        if name in IN_PLACE:
            if name == "sort" and values.ndim == 0:
                raise np.exceptions.AxisError("Sorting arrays with the rank of zero is not supported")
            numbers = [x._values if isinstance(x, ndarray) else x for x in args]
            return write("ndarray." + name, lambda: getattr(values, name)(*numbers, **kwargs), COST[name])
        if name in WAITING or (name == "repeat" and any(isinstance(x, ndarray) for x in (*args, *kwargs.values()))):
            read_back("ndarray." + name)  # the size of the result depends on values
        if name in ORDER:  # by name, so that `out` is found
            args, kwargs = (), dict(zip(ORDER[name], args)) | kwargs
        library = LIBRARIES.get(name) if name == "dot" and values.ndim > 1 else None
        return run("ndarray." + name, function, (self, *args), kwargs, COST[name], library)

    method.__name__, method.__doc__ = name, getattr(real.cupy.ndarray, name).__doc__
    return method


def astype(self: ndarray, dtype: Any, order: Any = "K", casting: Any = None, subok: Any = None, copy: bool = True) -> ndarray:
    count_call("ndarray.astype")
    values, dtype = self._values, np.dtype(dtype)
    if values.dtype == dtype and not copy:
        return self
    if values.dtype.kind == "c" and dtype.kind not in "cb":
        warnings.warn("Casting complex values to real discards the imaginary part", np.exceptions.ComplexWarning, stacklevel=2)
        return new("astype", lambda: values.real.astype(dtype))
    return new("copy" if values.dtype == dtype else "astype", lambda: values.astype(dtype))


def _uses_other(x: Any, y: Any) -> bool:
    """Whether the operator of the other object comes first: as CuPy asks."""
    none = object()
    ufunc = getattr(y, "__array_ufunc__", none)
    if ufunc is not none:
        return ufunc is None
    return bool(getattr(x, "__array_priority__", 0) < getattr(y, "__array_priority__", 0))


def _operator(name: str, ufunc: str) -> tuple[Any, Any, Any]:
    def call(x: Any, y: Any, other: Any) -> Any:
        if isinstance(other, (ndarray, *SCALARS)):
            return getattr(_cupy(), ufunc)(x, y)
        if _uses_other(x if other is y else y, other):
            return NotImplemented
        return getattr(np, ufunc)(x, y)

    def forward(self: ndarray, other: Any) -> Any:
        return call(self, other, other)

    def reflected(self: ndarray, other: Any) -> Any:
        return call(other, self, other)

    def in_place(self: ndarray, other: Any) -> Any:
        return getattr(_cupy(), ufunc)(self, other, out=self)

    return forward, reflected, in_place


def install() -> None:
    """Give `ndarray` its methods and operators."""
    for name in NAMES:
        setattr(ndarray, name, _method(name))
    members = ndarray
    members.astype = astype
    members.copy = lambda self, order="C": new("copy", lambda: np.array(self._values, order=order))
    for name in ("scatter_add", "scatter_max", "scatter_min"):
        setattr(ndarray, name, getattr(scattering, name))
    for name, ufunc in BINARY.items():
        forward, reflected, in_place = _operator(name, ufunc)
        setattr(ndarray, f"__{name}__", forward)
        setattr(ndarray, f"__r{name}__", reflected)
        if name != "matmul":
            setattr(ndarray, f"__i{name}__", in_place)
    for name, ufunc in COMPARISONS.items():
        setattr(ndarray, f"__{name}__", _operator(name, ufunc)[0])
    for name, ufunc in {"neg": "negative", "pos": "positive", "abs": "absolute", "invert": "invert"}.items():
        setattr(ndarray, f"__{name}__", lambda self, _ufunc=ufunc: getattr(_cupy(), _ufunc)(self))
    members.__divmod__ = lambda self, other: _cupy().divmod(self, other)
    members.__rdivmod__ = lambda self, other: _cupy().divmod(other, self)
    members.reduced_view = lambda self: view(self._values, self)
    assert not any(hasattr(ndarray, name) for name in ("__index__", "__contains__", "__imatmul__"))
