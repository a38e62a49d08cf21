"""Ufuncs: CuPy's tables of types, by which it selects the dtypes of the arguments and of the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import real
from .arrays import SCALARS, array, foreign, make, ndarray
from .counters import count_call
from .launching import make_results, write

__all__ = ["FORMULAS", "Ufunc", "is_ufunc"]

WEAK = {bool: np.dtype("bool"), int: np.dtype("int64"), float: np.dtype("float64"), complex: np.dtype("complex128")}
RANK = {"b": 0, "u": 1, "i": 1, "f": 2, "c": 3}


def is_ufunc(x: Any) -> bool:
    return isinstance(x, real.cupy.ufunc)


# What CuPy computes by another formula than NumPy


def _wide(x: Any) -> Any:
    return x.astype(np.longdouble if x.dtype == np.float64 else np.float64)


def _floor_divide(x: Any, y: Any) -> Any:
    return np.floor(x / y) if x.dtype.kind == "f" else np.floor_divide(x, y)


def _remainder(x: Any, y: Any) -> Any:
    if x.dtype.kind != "f":
        return np.remainder(x, y)
    return (_wide(x) - _wide(np.floor(x / y)) * _wide(y)).astype(x.dtype)  # one rounding, as of fma


def _power(x: Any, y: Any) -> Any:
    if x.dtype.kind in "iu":
        return np.where(y < 0, 0, np.power(x, np.abs(y)))
    return np.power(x, y)


def _sign(x: Any) -> Any:
    return np.where(np.isnan(x), 0, np.sign(x)) if x.dtype.kind == "f" else np.sign(x)


FORMULAS: dict[str, Callable[..., Any]] = {
    "floor_divide": _floor_divide,
    "remainder": _remainder,
    "mod": _remainder,
    "power": _power,
    "sign": _sign,
}


class Ufunc:
    """A ufunc with the types of CuPy's, computed by NumPy."""

    def __init__(self, name: str, original: Any, function: Callable[..., Any]) -> None:
        self.__name__, self.original = name, original
        self.function = FORMULAS.get(name, function)
        self.name, self.nin, self.nout, self.nargs, self.types = (
            original.name,
            original.nin,
            original.nout,
            original.nargs,
            original.types,
        )
        self.loops: list[tuple[list[Any], list[Any]]] = []
        for types in self.types:
            if "E" not in types:  # complex numbers of two halves, which NumPy has not
                ins, outs = types.split("->")
                self.loops.append(([np.dtype(c) for c in ins], [np.dtype(c) for c in outs]))
        self.__doc__ = original.__doc__

    def __repr__(self) -> str:
        return repr(self.original)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        for a in args:
            if hasattr(a, "__cupy_override_elementwise_kernel__"):
                return a.__cupy_override_elementwise_kernel__(self, *args, **kwargs)
        count_call(self.__name__)
        out, _, dtype = kwargs.pop("out", None), kwargs.pop("_where", None), kwargs.pop("dtype", None)
        casting = kwargs.pop("casting", "same_kind")
        if kwargs:
            raise TypeError(f"Wrong arguments {kwargs}")
        if not self.nin <= len(args) <= self.nargs:
            raise TypeError(f"Wrong number of arguments for {self.name!r}")
        ins = [_argument(a) for a in args[: self.nin]]
        outs = list(args[self.nin :]) if out is None else list(out) if isinstance(out, tuple) else [out]
        if not all(isinstance(y, ndarray) for y in outs if y is not None):
            raise TypeError("return arrays must be of ArrayType")
        in_types, out_types = self._types(ins, None if dtype is None else np.dtype(dtype))
        compute = self._computation([_cast(v, t) for v, t in zip(ins, in_types)], in_types, out_types)
        if not any(y is not None for y in outs):
            results = make_results(self.__name__, compute)
            return make(results) if self.nout == 1 else tuple(make(y) for y in results)
        return self._write(compute, np.broadcast_shapes(*(np.shape(v) for v in ins)), outs, out_types, casting)

    def _computation(self, values: Sequence[Any], in_types: Sequence[Any], out_types: Sequence[Any]) -> Callable[[], Any]:
        """The computation, which casts when it runs, so that a graph reads the arrays as they are then."""

        def compute() -> Any:
            y = self.function(*(np.asarray(v).astype(t, copy=False) for v, t in zip(values, in_types)))
            if self.nout == 1:
                return np.array(y, dtype=out_types[0], copy=None)
            return tuple(np.array(part, dtype=t, copy=None) for part, t in zip(y, out_types))

        return compute

    def _write(
        self, compute: Callable[[], Any], shape: tuple[int, ...], outs: list[Any], out_types: Sequence[Any], casting: str
    ) -> Any:
        outs = outs + [None] * (self.nout - len(outs))
        for y, t in zip(outs, out_types):
            if y is not None and not np.can_cast(t, y.dtype, casting):
                raise TypeError(
                    f"output (typecode '{t.char}') could not be coerced to provided output parameter (typecode "
                    f"'{y.dtype.char}') according to the casting rule \"{casting}\""
                )
        if self.nout == 1:
            target = outs[0]._values
            if np.broadcast_shapes(shape, target.shape) != target.shape:
                raise ValueError(f"Out shape is mismatched: {shape}, {target.shape}")
            write(self.__name__, lambda: target.__setitem__(..., compute()))
            return outs[0]
        results = [y if y is not None else make(r) for y, r in zip(outs, compute())]
        targets = [y._values for y in results]

        def run() -> None:
            for target, y in zip(targets, compute()):
                target[...] = y

        write(self.__name__, run)
        return tuple(results)

    def _types(self, ins: Sequence[Any], dtype: Any) -> tuple[list[Any], list[Any]]:
        """The dtypes of the first loop that takes the arguments; Python's numbers are weak."""
        if dtype is not None:
            for in_types, out_types in self.loops:
                if dtype in (out_types[0], in_types[0]):
                    return in_types, out_types
            raise TypeError(f"No matching signature found of {self.name} for {dtype}")
        strong = [v.dtype for v in ins if isinstance(v, (np.ndarray, np.generic))]
        for in_types, out_types in self.loops:
            if all(_takes(t, v, strong) for v, t in zip(ins, in_types)):
                return in_types, out_types
        kinds = tuple(v.dtype if isinstance(v, (np.ndarray, np.generic)) else type(v) for v in ins)
        raise TypeError(f"Wrong type ({kinds}) of arguments for {self.name}")

    def outer(self, A: Any, B: Any, **kwargs: Any) -> Any:
        A, B = array(A, copy=False), array(B, copy=False)
        return self(A[(..., *(None,) * B.ndim)], B, **kwargs)

    def reduce(self, array: Any, axis: Any = 0, dtype: Any = None, out: Any = None, keepdims: bool = False) -> Any:
        if self.name not in ("cupy_add", "cupy_multiply"):
            raise NotImplementedError(f"`{self.name}.reduce` is not supported yet")
        method = "sum" if self.name == "cupy_add" else "prod"
        return getattr(array, method)(axis, dtype, out, keepdims)

    def at(self, a: Any, indices: Any, b: Any = None) -> None:
        from .scattering import scatter

        operation = {"cupy_add": np.add, "cupy_maximum": np.maximum, "cupy_minimum": np.minimum}.get(self.name)
        if operation is None:
            raise NotImplementedError(f"`{self.name}.at` is not supported yet")
        scatter(f"{self.__name__}.at", operation, a, indices, b)

    def accumulate(self, array: Any, axis: int = 0, dtype: Any = None, out: Any = None) -> Any:
        if self.name not in ("cupy_add", "cupy_multiply"):
            raise NotImplementedError(f"`{self.name}.accumulate` is not supported yet")
        return getattr(array, "cumsum" if self.name == "cupy_add" else "cumprod")(axis, dtype, out)


def _argument(a: Any) -> Any:
    """The value of an argument: NumPy's array behind an array, or a number, which is a parameter of the kernel."""
    if isinstance(a, ndarray):
        return a._values
    if isinstance(a, SCALARS):
        return a
    if isinstance(a, np.ndarray):
        raise TypeError(f"Unsupported type {type(a)}")
    found = foreign(a)
    if found is None:
        raise TypeError(f"Unsupported type {type(a)}")
    return found._values


def _cast(v: Any, t: Any) -> Any:
    if type(v) not in WEAK:
        return v
    if type(v) is int and t.kind in "iu" and not np.iinfo(t).min <= v <= np.iinfo(t).max:
        raise OverflowError(f"Python integer {v} out of bounds for {t}")
    with np.errstate(all="ignore"):
        return np.asarray(v).astype(t)


def _takes(t: Any, v: Any, strong: Sequence[Any]) -> bool:
    if isinstance(v, (np.ndarray, np.generic)):
        return bool(np.can_cast(v.dtype, t, "safe"))
    need = RANK[WEAK[type(v)].kind]
    if not strong:
        return bool(np.can_cast(WEAK[type(v)], t, "safe"))
    if RANK[t.kind] < need:
        return False
    have = max(RANK[d.kind] for d in strong)
    return need <= have or bool(np.can_cast(np.result_type(*strong, v), t, "safe"))
