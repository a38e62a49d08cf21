"""What the functions of this package do to their arguments first."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from .. import ops
from ..backend.dtypes import get_default_dtype
from ..tensor.tensor import Tensor

__all__ = ["constant", "floating", "on_host", "run", "scipy_module", "slices"]


def floating(*xs: Any) -> tuple[Any, ...]:
    """`xs` as Tensors of one floating data type, after the namespace that they are of.

    Lists and NumPy arrays beside a Tensor go to its backend and device.

    >>> import numpy as np, xgrad
    >>> xp, x, y = floating(xgrad.Tensor([1.0, 2.0]), [1, 2])
    >>> y
    Tensor([1., 2.])
    """
    import numpy

    like = next((x for x in xs if isinstance(x, Tensor)), None)
    if like is None:
        like = next((Tensor(x) for x in xs if hasattr(x, "dtype")), ops.zeros(()))
    xp = like.__array_namespace__()
    tensors = [xp.asarray(x, device=like.device) if hasattr(x, "dtype") and not isinstance(x, Tensor) else x for x in xs]
    dtypes = {x.dtype for x in tensors if isinstance(x, Tensor) and x.dtype.inexact}
    dtype = xp.result_type(*dtypes) if dtypes else get_default_dtype()
    if any(not isinstance(x, Tensor) and numpy.iscomplexobj(x) for x in tensors):
        dtype = xp.result_type(dtype, 1j)
    # Python's numbers get the data type of the arrays at once: by way of the default one they would lose digits.
    tensors = [x if isinstance(x, Tensor) else xp.asarray(x, dtype=dtype, device=like.device) for x in tensors]
    return xp, *(x if x.dtype == dtype else ops.astype(x, dtype) for x in tensors)


def constant(like: Tensor, values: Any, dtype: Any = None) -> Tensor:
    """Numbers of the host as a Tensor beside `like`, of its data type unless another is given."""
    found: Tensor = like.__array_namespace__().asarray(values, dtype=like.dtype if dtype is None else dtype, device=like.device)
    return found


def slices(ndim: int, axis: int, *bounds: int | None) -> tuple[slice, ...]:
    """The index that takes ``slice(*bounds)`` of one axis and all of the others."""
    key = [slice(None)] * ndim
    key[axis] = slice(*bounds)
    return tuple(key)


def on_host(xp: Any, function: Callable[..., Any], *arrays: Any) -> Any:
    """What `function` makes of raw arrays on the host, brought back to where they are."""
    backend = xp.__backend__
    made = function(*map(backend.to_numpy, arrays))
    return xp.astype(backend.from_numpy(made, backend.device(arrays[0])), arrays[0].dtype, copy=False)


def scipy_module(name: str, caller: str) -> Any:
    """SciPy's module `name`, for a function that needs its compiled code."""
    try:
        return importlib.import_module(f"scipy.{name}")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{caller} needs SciPy: python -m pip install scipy") from error


def run(xp: Any, function: Any, *arguments: Any) -> Any:
    """Call an op of this package in a rule: on raw arrays its forward, on Tensors the op itself."""
    return function.op.source(xp, *arguments) if hasattr(xp, "__backend__") else function(*arguments)
