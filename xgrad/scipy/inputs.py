"""What the functions of this package do to their arguments first, and how they call SciPy on the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import ops
from ..backend.dtypes import get_default_dtype
from ..solve.scipy_modules import scipy_module
from ..tensor.tensor import Tensor

__all__ = ["constant", "floating", "on_host", "run", "scipy_module", "slices"]


def floating(*xs: Any) -> tuple[Any, ...]:
    """The namespace of `xs`, then `xs` as Tensors of one floating data type.

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
    # Python's numbers get the data type of the arrays at once; through the default data type they would lose digits.
    tensors = [x if isinstance(x, Tensor) else xp.asarray(x, dtype=dtype, device=like.device) for x in tensors]
    return xp, *(x if x.dtype == dtype else ops.astype(x, dtype) for x in tensors)


def constant(like: Tensor, values: Any, dtype: Any = None) -> Tensor:
    """Numbers of the host as a Tensor on the backend and device of `like`, and of its data type unless `dtype` is given."""
    xp = like.__array_namespace__()
    return xp.asarray(values, dtype=like.dtype if dtype is None else dtype, device=like.device)  # type: ignore[no-any-return]


def slices(ndim: int, axis: int, *bounds: int | None) -> tuple[slice, ...]:
    """The index that takes ``slice(*bounds)`` along one axis and everything along the others."""
    key = [slice(None)] * ndim
    key[axis] = slice(*bounds)
    return tuple(key)


def on_host(xp: Any, function: Callable[..., Any], *arrays: Any) -> Any:
    """Call `function` on NumPy copies of raw arrays; the result goes to the device and gets the dtype of the first of them."""
    backend = xp.__backend__
    result = function(*map(backend.to_numpy, arrays))
    return xp.astype(backend.from_numpy(result, backend.device(arrays[0])), arrays[0].dtype, copy=False)


def run(xp: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
    """Call an op of this package in a rule: on raw arrays its forward, on Tensors the op itself."""
    return function.op.source(xp, *args, **kwargs) if hasattr(xp, "__backend__") else function(*args, **kwargs)
