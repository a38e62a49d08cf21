"""Functions that are no ufuncs: CuPy's signatures over NumPy's functions, with the launches and waits of each."""

from __future__ import annotations

import collections
import functools
import inspect
import types
from collections.abc import Callable
from typing import Any

import numpy as np

from .arrays import SCALARS, make, ndarray, values_of, view
from .counters import count_call
from .launching import make_results, read_back, write
from .ufuncs import Ufunc, is_ufunc

__all__ = ["COST", "LIBRARIES", "VIEWS", "WAITING", "absent", "fill", "function_like", "run", "views"]

# Functions that return views, or read no array: they launch nothing.
VIEWS = frozenset(
    """
    reshape ravel transpose swapaxes moveaxis rollaxis squeeze expand_dims broadcast_to broadcast_arrays flip flipud
    fliplr rot90 atleast_1d atleast_2d atleast_3d diagonal matrix_transpose permute_dims real imag split array_split
    hsplit vsplit dsplit unstack trim_zeros
    """.split()
)
# Functions of shapes and dtypes: no array is read.
HOST = frozenset(
    """
    shape ndim size result_type can_cast issubdtype isdtype broadcast_shapes finfo iinfo promote_types
    may_share_memory shares_memory isscalar min_scalar_type common_type
    """.split()
)
# How many kernels a call launches, about, where it is not one.
COST: dict[str, int] = collections.defaultdict(
    lambda: 1,
    dict(
        zip(
            "var std unique nonzero argwhere sort argsort cumsum cumprod median einsum isin repeat kron eye tril triu".split(),
            (4, 4, 12, 4, 4, 2, 3, 2, 2, 5, 2, 5, 2, 2, 2, 2, 2),
        )
    )
    | dict(mean=2, allclose=3, isclose=3, take_along_axis=3, interp=1, solve=4, inv=5, det=6, slogdet=6, cholesky=3, qr=4, svd=3)
    | dict(eigh=3, eigvalsh=3, pinv=6, norm=3, meshgrid=0, empty=0, empty_like=0, linspace=4),
)
# Functions whose result has a shape, or whose course depends on, values: the host waits for them.
WAITING = frozenset(
    """
    nonzero argwhere flatnonzero unique unique_all unique_counts unique_inverse unique_values extract compress
    bincount union1d intersect1d setdiff1d nanmax nanmin
    """.split()
)
# Functions that call a library of CUDA, which no capture takes.
LIBRARIES = dict.fromkeys("matmul dot vdot inner tensordot einsum matvec vecmat".split(), "cuBLAS")
# Functions that CuPy writes as a method of the first argument, so that an object with such a method is taken too.
STRICT = frozenset(
    """
    sum prod max min amax amin any all argmax argmin reshape transpose swapaxes moveaxis take cumsum cumprod mean var
    std sort argsort nonzero repeat roll flip squeeze expand_dims tensordot count_nonzero diagonal trace tril triu
    unique take_along_axis clip nan_to_num diff median percentile quantile linalg.inv linalg.det linalg.slogdet
    linalg.cholesky linalg.qr linalg.svd linalg.eigh linalg.eigvalsh linalg.eig linalg.eigvals linalg.pinv linalg.norm
    linalg.matrix_rank fft.fft fft.ifft fft.rfft fft.irfft fft.fftn fft.ifftn fft.rfftn fft.irfftn fft.hfft fft.ihfft
    fft.fftshift fft.ifftshift
    """.split()
)


def arrays_in(x: Any) -> list[ndarray]:
    """The arrays among arguments, and in lists and tuples of them."""
    if isinstance(x, ndarray):
        return [x]
    if isinstance(x, (list, tuple)):
        return [a for item in x for a in arrays_in(item)]
    return []


def refuse_host_arrays(x: Any) -> None:
    if isinstance(x, np.ndarray):
        raise TypeError(f"Unsupported type {type(x)}")
    if isinstance(x, (list, tuple)):
        for item in x:
            refuse_host_arrays(item)


def results_of(y: Any, sources: list[ndarray]) -> Any:
    """Arrays of NumPy's results: views of the arguments, or arrays of their own."""
    if isinstance(y, np.generic):
        return make(np.asarray(y))
    if isinstance(y, np.ndarray):
        for source in sources:
            if np.may_share_memory(y, source._values):
                return view(y, source)
        return make(y)
    if isinstance(y, (list, tuple)):
        items = [results_of(item, sources) for item in y]
        return items if isinstance(y, list) else tuple(items)
    return y


def run(
    name: str, function: Callable[..., Any], args: Any, kwargs: dict[str, Any], launches: int = 1, library: str | None = None
) -> Any:
    """Call NumPy's function on the values, as a kernel that makes new arrays or writes into ``out``."""
    values, named = values_of(tuple(args)), {key: values_of(value) for key, value in kwargs.items()}
    out = kwargs.get("out")
    if isinstance(out, ndarray):
        named.pop("out")
        target = out._values
        write(name, lambda: target.__setitem__(..., function(*values, **named)), launches, library)
        return out
    sources = [x._values for x in arrays_in((*args, *kwargs.values()))]

    def compute() -> Any:
        y = function(*values, **named)
        return tuple(_own(part, sources) for part in y) if isinstance(y, (tuple, list)) else _own(y, sources)

    y = make_results(name, compute, launches, library)
    return results_of(y, [])


def views(name: str, function: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """Call NumPy's function that shows the arguments otherwise; where that needs a copy, as in some reshapes, by a kernel."""
    y = function(*values_of(tuple(args)), **{key: values_of(value) for key, value in kwargs.items()})
    sources = arrays_in((*args, *kwargs.values()))
    for part in y if isinstance(y, (list, tuple)) else [y]:
        if part.size and not any(np.may_share_memory(part, x._values) for x in sources):
            return run(name, function, args, kwargs)
    return results_of(y, sources)


def _own(y: Any, sources: list[Any]) -> Any:
    shared = isinstance(y, np.ndarray) and any(np.may_share_memory(y, x) for x in sources)
    return y.copy() if shared else y


def function_like(name: str, original: Any, function: Callable[..., Any], part: str = "") -> Callable[..., Any]:
    """A function with the signature of CuPy's, computed by NumPy's."""
    try:
        signature = inspect.signature(original)
    except (TypeError, ValueError):
        signature = None
    full = part + name
    strict = full in STRICT

    @functools.wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        if signature is not None:
            signature.bind(*args, **kwargs)
        count_call(full)
        if name in HOST:
            return function(*values_of(args), **{key: values_of(value) for key, value in kwargs.items()})
        if strict and args and not isinstance(args[0], ndarray):
            return foreign_first(original, args, kwargs)
        for x in (*args, *kwargs.values()):
            refuse_host_arrays(x)
        if name in WAITING or (name == "repeat" and len(arrays_in(args)) > 1):
            read_back(full)
        kwargs.pop("blocking", None)
        if name in VIEWS:
            return views(full, function, args, kwargs)
        return run(full, function, args, kwargs, COST[name], LIBRARIES.get(name))

    return call


def foreign_first(original: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """CuPy's own code on an object that is none of its arrays: it calls a method of it, or says what is wrong."""
    if isinstance(args[0], (*SCALARS, list, tuple, np.ndarray)):
        raise AttributeError(f"{type(args[0]).__name__!r} object is no cupy.ndarray: {original.__name__} needs one")
    return original(*args, **kwargs)


def absent(name: str) -> Callable[..., Any]:
    """What stands for a function of CuPy that is not emulated."""

    def call(*args: Any, **kwargs: Any) -> Any:
        raise NotImplementedError(f"the emulator of CuPy's interface has no {name}")

    call.__name__ = name.rpartition(".")[2]
    return call


def fill(module: types.ModuleType, original: Any, functions: Any, part: str = "") -> None:
    """Give a module every public name of CuPy's: types and numbers themselves, functions and ufuncs emulated."""
    for name in dir(original):
        if name.startswith("__") and name != "__version__":
            continue
        value = getattr(original, name)
        if isinstance(value, types.ModuleType):
            continue
        own = getattr(functions, name, None)
        if isinstance(value, type) or not callable(value):
            setattr(module, name, value)
        elif is_ufunc(value):
            setattr(module, name, absent(part + name) if own is None else Ufunc(name, value, own))
        elif own is not None and callable(own):
            setattr(module, name, function_like(name, value, own, part))
        elif name in HOST:
            setattr(module, name, value)
        else:
            setattr(module, name, absent(part + name))
