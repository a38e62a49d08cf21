"""NumPy's own functions on Tensors: ``np.sin(x)``, ``ndarray * x``, ``np.concatenate([x, y])``.

NumPy asks a Tensor to do the work (NEP 13 and NEP 18). What xgrad has is done by xgrad, with NumPy's argument names and
defaults translated; what it has not raises a TypeError. Nothing is ever detached silently.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import ops, special
from ..errors import GradientError, NotAnArray
from ..graph.names import public, xg
from ..tensor.tensor import Tensor
from .numpy_functions import FUNCTIONS

__all__ = ["array_function", "array_ufunc", "takes_ufunc"]


# NumPy's names where the standard has another one.
_NAMES = {
    "absolute": "abs", "fabs": "abs", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh",
    "arctan": "atan", "arctan2": "atan2", "arctanh": "atanh", "conjugate": "conj", "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift", "right_shift": "bitwise_right_shift", "power": "pow", "rint": "round",
    "true_divide": "divide", "mod": "remainder", "concatenate": "concat", "around": "round", "amax": "max", "amin": "min",
    "bitwise_not": "bitwise_invert", "cumsum": "cumulative_sum", "cumprod": "cumulative_prod", "transpose": "permute_dims",
    "norm": "linalg.vector_norm", "row_stack": "concat", "degrees": "rad2deg",
    "radians": "deg2rad", "float_power": "pow", "hstack": "concat", "vstack": "concat",
}  # fmt: skip
_UFUNCS = frozenset(
    "abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_invert bitwise_left_shift bitwise_or "
    "bitwise_right_shift bitwise_xor ceil conj copysign cos cosh divide equal exp expm1 floor floor_divide greater "
    "greater_equal hypot isfinite isinf isnan less less_equal log log10 log1p log2 logaddexp logical_and logical_not "
    "logical_or logical_xor matmul maximum minimum multiply negative nextafter not_equal positive pow reciprocal "
    "remainder round sign signbit sin sinh sqrt square subtract tan tanh trunc vecdot cbrt deg2rad exp2 fmax fmin fmod "
    "heaviside logaddexp2 rad2deg".split()
)
_REDUCE = {
    "add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "logical_and": "all", "logical_or": "any",
    "logaddexp": "logsumexp",
}  # fmt: skip
_ACCUMULATE = {"add": "cumulative_sum", "multiply": "cumulative_prod"}
_AT = {
    "add": "add", "subtract": "subtract", "multiply": "multiply", "divide": "divide", "pow": "power", "maximum": "max",
    "minimum": "min",
}  # fmt: skip


# ---------------------------------------------------------------------------------------------------------------- ufuncs


@public
def array_ufunc(ufunc: Any, method: str, inputs: Sequence[Any], arguments: Mapping[str, Any]) -> Any:
    """What a NumPy ufunc, or its method `method`, returns for `inputs` with a Tensor among them.

    Parameters
    ----------
    ufunc : numpy.ufunc
        Which one was called.
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
        If xgrad has nothing of the kind.
    GradientError
        If a result that requires grad would be written into a NumPy array.
    """
    arguments = dict(arguments)
    outs = arguments.pop("out", ())
    if arguments.get("where", True) is True:
        arguments.pop("where", None)
    try:
        if outs and not isinstance(outs[0], Tensor):
            return _write(ufunc, method, inputs, outs, arguments)
        result = _ufunc(ufunc.__name__, method, inputs, arguments)
    except NotAnArray:
        if any(isinstance(x, (list, tuple)) for x in inputs):
            raise
        return NotImplemented
    if outs:
        return outs[0]._rebind(f"numpy.{ufunc.__name__}(..., out=x)", result)
    return result


def _ufunc(called: str, method: str, inputs: Sequence[Any], arguments: dict[str, Any]) -> Any:
    name = _NAMES.get(called, called)
    told = f"numpy.{called}" + ("" if method == "__call__" else f".{method}")
    if method == "__call__" and called in _EXPANDED:
        name, run = called, _EXPANDED[called]
    elif name in _UFUNCS and method in ("__call__", "outer"):
        run = getattr(ops, name)
    elif method == "reduce" and name in _REDUCE:
        translate = _sum_arguments if name in _ACCUMULATE else _reduce_arguments
        return _call(told, _REDUCE[name], translate, inputs, arguments, getattr(ops, _REDUCE[name]))
    elif method == "accumulate" and name in _ACCUMULATE:
        return _call(told, _ACCUMULATE[name], _accumulate_arguments, inputs, arguments, getattr(ops, _ACCUMULATE[name]))
    elif method == "__call__" and called in special.__all__:  # those of scipy.special are ufuncs of NumPy's, too
        run, name = getattr(special, called), f"special.{called}"
    elif method == "at" and name in _AT:
        return _at(told, _AT[name], *inputs)
    else:
        raise _refuse(told, name if method == "__call__" else "")
    dtype = arguments.pop("dtype", None)
    if arguments:
        raise TypeError(f"{told}: argument {next(iter(arguments))!r} has no meaning for xgrad tensors; use xgrad.{name}")
    if dtype is not None:
        inputs = _cast(told, name, inputs, dtype)
    if method == "outer":
        x1, x2 = (x if isinstance(x, Tensor) else Tensor(x) for x in inputs)
        return run(ops.reshape(x1, x1.shape + (1,) * x2.ndim), x2)
    return run(*inputs)


_BOOLEAN = frozenset(
    "equal greater greater_equal isfinite isinf isnan less less_equal logical_and logical_not logical_or logical_xor "
    "not_equal signbit".split()
)
_KINDS = ("bool", "signed integer", "unsigned integer", "real floating", "complex floating")
_OF_INTEGERS = frozenset(  # those that give integers for integers
    "abs add bitwise_and bitwise_invert bitwise_left_shift bitwise_or bitwise_right_shift bitwise_xor ceil conj divmod "
    "floor floor_divide fmax fmin fmod matmul maximum minimum multiply negative positive pow reciprocal remainder round sign "
    "square subtract trunc vecdot".split()
)


def _cast(told: str, name: str, inputs: Sequence[Any], dtype: Any) -> list[Any]:
    """The arguments of a ufunc in the data type that its result shall have, as far as NumPy's "same kind" allows that."""
    wanted = ops.result_type(dtype)
    kinds = [_kind(x) for x in inputs if hasattr(x, "dtype")]
    if name in _BOOLEAN:
        if wanted.kind == "bool":
            return list(inputs)
        raise TypeError(f"{told} on xgrad tensors: dtype is {wanted}, and the result is of bool")
    if not wanted.inexact and name not in _OF_INTEGERS:
        raise TypeError(f"{told} on xgrad tensors: dtype is {wanted}; the result needs a floating-point one")
    if (worst := max(kinds, key=_KINDS.index, default="bool")) != wanted.kind and (
        _KINDS.index(worst) > _KINDS.index(wanted.kind) or (worst, wanted.kind) == ("signed integer", "unsigned integer")
    ):
        raise TypeError(
            f"{told} on xgrad tensors: dtype={wanted} would lose what {worst} arguments hold; convert them with astype"
        )
    return [ops.astype(x, dtype) if hasattr(x, "dtype") else x for x in inputs]


def _kind(x: Any) -> Any:
    return ops.result_type(x).kind


_EXPANDED: dict[str, Callable[..., Any]] = {
    "divmod": lambda x1, x2: (ops.floor_divide(x1, x2), ops.remainder(x1, x2)),
    "modf": lambda x: (x - ops.trunc(x), ops.trunc(x)),
    "ldexp": lambda x1, x2: x1 * ops.exp2(ops.astype(x2, x1.dtype) if isinstance(x2, Tensor) else x2 * 1.0),
    "matvec": lambda x1, x2: ops.matmul(x1, x2[..., None])[..., 0],
    "vecmat": lambda x1, x2: ops.matmul(ops.conj(x1)[..., None, :], x2)[..., 0, :],
}


def takes_ufunc(ufunc: Any) -> bool:
    """Whether Tensors take a NumPy ufunc."""
    return ufunc.__name__ in _EXPANDED or _NAMES.get(ufunc.__name__, ufunc.__name__) in _UFUNCS


def _at(told: str, update: str, x: Any, key: Any, value: Any) -> None:
    if not isinstance(x, Tensor):
        raise GradientError(
            f"{told}: a tensor would leave its graph when written into a NumPy array; write into a Tensor, or use "
            "x.detach().numpy() if no gradient is wanted"
        )
    x._rebind(told, getattr(ops.at(x, key), update)(value))


def _reduce_arguments(x: Any, /, axis: Any = 0, dtype: Any = None, *, keepdims: bool = False) -> tuple[Any, ...]:
    return (x if dtype is None else ops.astype(x, dtype),), {"axis": axis, "keepdims": keepdims}


def _sum_arguments(x: Any, /, axis: Any = 0, dtype: Any = None, *, keepdims: bool = False) -> tuple[Any, ...]:
    return (x,), {"axis": axis, "dtype": dtype, "keepdims": keepdims}


def _accumulate_arguments(x: Any, /, axis: int = 0, dtype: Any = None) -> tuple[Any, ...]:
    return (x,), {"axis": axis, "dtype": dtype}


def _call(told: str, name: str, translate: Callable[..., Any], inputs: Any, arguments: Any, run: Callable[..., Any]) -> Any:
    try:
        args, kwargs = translate(*inputs, **arguments)
    except TypeError as error:
        raise TypeError(f"{told}: {error.args[0]}; for xgrad tensors use xgrad.{name}") from None
    return run(*args, **kwargs)


def _write(ufunc: Any, method: str, inputs: Sequence[Any], outs: Sequence[Any], arguments: Mapping[str, Any]) -> Any:
    """The ufunc itself on the raw arrays, into the NumPy arrays `outs`."""
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
    raw = [x.data if isinstance(x, Tensor) else x for x in inputs]
    return getattr(ufunc, method)(*raw, out=tuple(outs), **arguments)


def _refuse(told: str, name: str) -> TypeError:
    spelling = _NAMES.get(name, name)
    found: Any = xg
    for part in spelling.split("."):
        found = getattr(found, part, None)
    if spelling and callable(found):
        return TypeError(f"{told} does not take xgrad tensors; use xgrad.{spelling}")
    return TypeError(
        f"{told} does not take xgrad tensors, and xgrad has no such function; pass x.detach().numpy() if no gradient is wanted"
    )


# ------------------------------------------------------------------------------------------------------------- functions


@public
def array_function(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """What a function of NumPy that is no ufunc returns for arguments with a Tensor among them.

    Parameters
    ----------
    function : callable
        Which one was called.
    args, kwargs
        Its arguments.

    Raises
    ------
    TypeError
        If xgrad has nothing of the kind, or an argument has no meaning for Tensors; the message names the function of
        xgrad to use, where there is one.
    """
    module = getattr(function, "__module__", None) or "numpy"
    told = f"{module}.{function.__name__}"
    name = told.removeprefix("numpy.")
    run = FUNCTIONS.get(name)
    if run is None:
        raise _refuse(told, name)
    try:
        inspect.signature(run).bind(*args, **kwargs)
    except TypeError as error:
        spelling = _NAMES.get(name, name)
        also = f"; xgrad.{spelling} has the standard's arguments" if hasattr(xg, spelling) else ""
        raise TypeError(f"{told} on xgrad tensors: {error}{also}") from None
    return run(*args, **kwargs)
