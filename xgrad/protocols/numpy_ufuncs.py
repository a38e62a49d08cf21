"""NumPy's ufuncs and their methods, called on Tensors: the protocol ``__array_ufunc__`` (NEP 13).

A ufunc is the elementwise op of its name, or the function of `xgrad.special`; the arguments of the standard are translated.
A ufunc without a counterpart raises a TypeError. Nothing is ever detached silently.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import ops, special
from ..errors import GradientError, NotAnArray
from ..graph.names import public
from ..tensor.tensor import Tensor
from .numpy_names import refusal, standard_name
from .numpy_table import as_tensor, check_writable

__all__ = ["array_ufunc", "call_ufunc", "takes_ufunc"]


# ------------------------------------------------------------------------------------------------------ the ufunc itself


_COMPOSED: dict[str, Callable[..., Any]] = {
    "divmod": lambda x1, x2: (ops.floor_divide(x1, x2), ops.remainder(x1, x2)),
    "modf": lambda x: (x - ops.trunc(x), ops.trunc(x)),
    "ldexp": lambda x1, x2: x1 * ops.exp2(ops.astype(x2, x1.dtype) if isinstance(x2, Tensor) else x2 * 1.0),
    "matmul": ops.matmul,
    "matvec": lambda x1, x2: ops.matmul(x1, x2[..., None])[..., 0],
    "vecdot": ops.vecdot,
    "vecmat": lambda x1, x2: ops.matmul(ops.conj(x1)[..., None, :], x2)[..., 0, :],
}
"""Ufuncs that are not one elementwise op."""


@functools.cache
def _counterpart(ufunc_name: str) -> tuple[str, Callable[..., Any]] | None:
    """The name in xgrad and the function that does the work of a ufunc, if there is one."""
    if ufunc_name in _COMPOSED:
        return ufunc_name, _COMPOSED[ufunc_name]
    name = standard_name(ufunc_name)
    function: Any = getattr(ops, name, None)
    if hasattr(function, "op") and function.op.is_elementwise:
        return name, function
    if ufunc_name in special.__all__:  # the functions of scipy.special are ufuncs too
        return f"special.{ufunc_name}", getattr(special, ufunc_name)
    return None


def takes_ufunc(ufunc: Any) -> bool:
    """Whether Tensors take a NumPy ufunc."""
    return _counterpart(ufunc.__name__) is not None


@public
def array_ufunc(ufunc: Any, method: str, inputs: Sequence[Any], arguments: Mapping[str, Any]) -> Any:
    """Call xgrad's counterpart of a NumPy ufunc, or of one of its methods, on inputs with a Tensor among them.

    Parameters
    ----------
    ufunc : numpy.ufunc
        The ufunc that was called.
    method : str
        ``"__call__"``, ``"reduce"``, ``"accumulate"``, ``"outer"`` or another method of ufuncs.
    inputs : sequence
        Its positional arguments.
    arguments : mapping
        Its keyword arguments; ``out`` is a tuple.

    Returns
    -------
    Tensor, or the array passed as ``out``
        Writing into a NumPy array is only possible while no input requires grad.

    Raises
    ------
    TypeError
        If xgrad has no counterpart.
    GradientError
        If a result that requires grad would be written into a NumPy array.
    """
    try:
        if not arguments and method == "__call__" and (counterpart := _counterpart(ufunc.__name__)) is not None:
            return counterpart[1](*inputs)  # the usual case
        arguments = dict(arguments)
        outs = arguments.pop("out", ())
        if arguments.get("where", True) is True:
            arguments.pop("where", None)
        if outs and not isinstance(outs[0], Tensor):
            return _call_into(ufunc, method, inputs, outs, arguments)
        result = call_ufunc(ufunc.__name__, method, inputs, arguments)
    except NotAnArray:
        if any(isinstance(x, (list, tuple)) for x in inputs):
            raise
        return NotImplemented
    if outs:
        return outs[0]._rebind(f"numpy.{ufunc.__name__}(..., out=x)", result)
    return result


def call_ufunc(ufunc_name: str, method: str, inputs: Sequence[Any], arguments: dict[str, Any]) -> Any:
    """Call xgrad's counterpart of the method of a ufunc, by its name; without ``out``.

    Raises
    ------
    TypeError
        If xgrad has no counterpart, or an argument has no meaning for Tensors.
    """
    label = f"numpy.{ufunc_name}" + ("" if method == "__call__" else f".{method}")
    name = standard_name(ufunc_name)
    if method == "reduce" and name in _REDUCE:
        return _reduction(label, _REDUCE[name], _sum_arguments if name in _ACCUMULATE else _reduce_arguments, inputs, arguments)
    if method == "accumulate" and name in _ACCUMULATE:
        return _reduction(label, _ACCUMULATE[name], _accumulate_arguments, inputs, arguments)
    if method == "at" and name in _AT:
        return _at(label, _AT[name], *inputs)
    counterpart = _counterpart(ufunc_name) if method in ("__call__", "outer") else None
    if counterpart is None:
        raise refusal(label, ufunc_name if method == "__call__" else "")
    name, function = counterpart
    if method == "outer":
        function = functools.partial(_outer, function)
    dtype = arguments.pop("dtype", None)
    if arguments:
        raise TypeError(f"{label}: argument {next(iter(arguments))!r} has no meaning for xgrad tensors; use xgrad.{name}")
    return function(*inputs) if dtype is None else _in_dtype(label, function, inputs, dtype)


def _outer(function: Callable[..., Any], x1: Any, x2: Any) -> Any:
    x1, x2 = as_tensor(x1), as_tensor(x2)
    return function(ops.reshape(x1, x1.shape + (1,) * x2.ndim), x2)


_KINDS = ("bool", "signed integer", "unsigned integer", "real floating", "complex floating")


def _in_dtype(label: str, function: Callable[..., Any], inputs: Sequence[Any], dtype: Any) -> Any:
    """Call a ufunc so that its result has `dtype`, with arguments converted as far as NumPy's "same kind" rule allows."""
    wanted = ops.result_type(dtype)
    if wanted.kind != "bool":  # comparisons return bool, and their arguments stay as they are
        widest = max((ops.result_type(x).kind for x in inputs if hasattr(x, "dtype")), key=_KINDS.index, default="bool")
        if _KINDS.index(widest) > _KINDS.index(wanted.kind) or (widest, wanted.kind) == ("signed integer", "unsigned integer"):
            raise TypeError(
                f"{label} on xgrad tensors: dtype={wanted} would lose what {widest} arguments hold; convert them with astype"
            )
        inputs = [ops.astype(x, dtype) if hasattr(x, "dtype") else x for x in inputs]
    result = function(*inputs)
    for y in result if isinstance(result, tuple) else (result,):
        if y.dtype.kind != wanted.kind:
            floating = y.dtype.inexact and not wanted.inexact
            needs = "the result needs a floating-point one" if floating else f"the result is of {y.dtype}"
            raise TypeError(f"{label} on xgrad tensors: dtype is {wanted}; {needs}")
    return result


# --------------------------------------------------------------------------------------------------- methods of ufuncs


_REDUCE = {
    "add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "logical_and": "all", "logical_or": "any",
    "logaddexp": "logsumexp",
}  # fmt: skip
_ACCUMULATE = {"add": "cumulative_sum", "multiply": "cumulative_prod"}
_AT = {
    "add": "add", "subtract": "subtract", "multiply": "multiply", "divide": "divide", "pow": "power", "maximum": "max",
    "minimum": "min",
}  # fmt: skip


def _reduce_arguments(x: Any, /, axis: Any = 0, dtype: Any = None, *, keepdims: bool = False) -> tuple[Any, ...]:
    return (x if dtype is None else ops.astype(x, dtype),), {"axis": axis, "keepdims": keepdims}


def _sum_arguments(x: Any, /, axis: Any = 0, dtype: Any = None, *, keepdims: bool = False) -> tuple[Any, ...]:
    return (x,), {"axis": axis, "dtype": dtype, "keepdims": keepdims}


def _accumulate_arguments(x: Any, /, axis: int = 0, dtype: Any = None) -> tuple[Any, ...]:
    return (x,), {"axis": axis, "dtype": dtype}


def _reduction(label: str, name: str, translate: Callable[..., Any], inputs: Any, arguments: Any) -> Any:
    """Call xgrad's reduction `name` with the arguments that `translate` makes of NumPy's."""
    try:
        args, kwargs = translate(*inputs, **arguments)
    except TypeError as error:
        raise TypeError(f"{label}: {error.args[0]}; for xgrad tensors use xgrad.{name}") from None
    return getattr(ops, name)(*args, **kwargs)


def _at(label: str, update: str, x: Any, key: Any, value: Any) -> None:
    check_writable(label, x)
    x._rebind(label, getattr(ops.at(x, key), update)(value))


def _call_into(ufunc: Any, method: str, inputs: Sequence[Any], outs: Sequence[Any], arguments: Mapping[str, Any]) -> Any:
    """Call the ufunc itself on raw arrays, with the NumPy arrays `outs` to write into."""
    for x in inputs:
        if isinstance(x, Tensor):
            if x._node is not None:
                raise GradientError(
                    f"numpy.{ufunc.__name__}: its result requires grad, and would leave its graph when written into a NumPy "
                    "array; write into a Tensor, or use x.detach() if no gradient is wanted"
                )
            if x.backend != "numpy":
                raise TypeError(
                    f"numpy.{ufunc.__name__}: cannot write a tensor of backend {x.backend!r} into a NumPy array; use x.numpy()"
                )
    arrays = [x.data if isinstance(x, Tensor) else x for x in inputs]
    return getattr(ufunc, method)(*arrays, out=tuple(outs), **arguments)
