"""NumPy's own functions on Tensors: ``np.sin(x)``, ``ndarray * x``, ``np.concatenate([x, y])``.

NumPy asks a Tensor to do the work (NEP 13 and NEP 18). What xgrad has is done by xgrad, with NumPy's argument names and
defaults translated; what it has not raises a TypeError. Nothing is ever detached silently.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .errors import GradientError, NotAnArray
from .methods import Methods

xgrad: Any = sys.modules["xgrad"]  # looked up at call time, as in methods.py; tables of it are a cycle to a type checker

__all__ = ["array_function", "array_ufunc", "cupy_kernel"]

# NumPy's names where the standard has another one.
_NAMES = {
    "absolute": "abs", "fabs": "abs", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh",
    "arctan": "atan", "arctan2": "atan2", "arctanh": "atanh", "conjugate": "conj", "invert": "bitwise_invert",
    "left_shift": "bitwise_left_shift", "right_shift": "bitwise_right_shift", "power": "pow", "rint": "round",
    "true_divide": "divide", "mod": "remainder", "concatenate": "concat", "around": "round", "amax": "max", "amin": "min",
    "bitwise_not": "bitwise_invert", "cumsum": "cumulative_sum", "cumprod": "cumulative_prod", "transpose": "permute_dims",
    "norm": "linalg.vector_norm", "row_stack": "concat", "add.at": "scatter_add",
}  # fmt: skip
_UFUNCS = frozenset(
    "abs acos acosh add asin asinh atan atan2 atanh bitwise_and bitwise_invert bitwise_left_shift bitwise_or "
    "bitwise_right_shift bitwise_xor ceil conj copysign cos cosh divide equal exp expm1 floor floor_divide greater "
    "greater_equal hypot isfinite isinf isnan less less_equal log log10 log1p log2 logaddexp logical_and logical_not "
    "logical_or logical_xor matmul maximum minimum multiply negative nextafter not_equal positive pow reciprocal "
    "remainder round sign signbit sin sinh sqrt square subtract tan tanh trunc vecdot".split()
)
_REDUCE = {
    "add": "sum", "multiply": "prod", "maximum": "max", "minimum": "min", "logical_and": "all", "logical_or": "any",
    "logaddexp": "logsumexp",
}  # fmt: skip
_ACCUMULATE = {"add": "cumulative_sum", "multiply": "cumulative_prod"}


# ---------------------------------------------------------------------------------------------------------------- ufuncs


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
        if outs and not isinstance(outs[0], Methods):
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
        run = getattr(xgrad, name)
    elif method == "reduce" and name in _REDUCE:
        return _call(told, _REDUCE[name], _reduce_arguments, inputs, arguments, getattr(xgrad, _REDUCE[name]))
    elif method == "accumulate" and name in _ACCUMULATE:
        return _call(told, _ACCUMULATE[name], _accumulate_arguments, inputs, arguments, getattr(xgrad, _ACCUMULATE[name]))
    else:
        raise _refuse(told, f"{name}.{method}" if method == "at" else name if method == "__call__" else "")
    dtype = arguments.pop("dtype", None)
    if arguments:
        raise TypeError(f"{told}: argument {next(iter(arguments))!r} has no meaning for xgrad tensors; use xgrad.{name}")
    if dtype is not None:
        inputs = [xgrad.astype(x, dtype) if hasattr(x, "dtype") else x for x in inputs]
    if method == "outer":
        x1, x2 = (x if isinstance(x, Methods) else xgrad.Tensor(x) for x in inputs)
        return run(xgrad.reshape(x1, x1.shape + (1,) * x2.ndim), x2)
    return run(*inputs)


_EXPANDED: dict[str, Callable[..., Any]] = {
    "divmod": lambda x1, x2: (xgrad.floor_divide(x1, x2), xgrad.remainder(x1, x2)),
    "exp2": lambda x: xgrad.pow(2.0, x),
    "deg2rad": lambda x: x * (xgrad.pi / 180),
    "radians": lambda x: x * (xgrad.pi / 180),
    "rad2deg": lambda x: x * (180 / xgrad.pi),
    "degrees": lambda x: x * (180 / xgrad.pi),
}


def _reduce_arguments(x: Any, /, axis: Any = 0, dtype: Any = None, *, keepdims: bool = False) -> tuple[Any, ...]:
    return (x if dtype is None else xgrad.astype(x, dtype),), {"axis": axis, "keepdims": keepdims}


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
        if isinstance(x, Methods):
            if x._node is not None:
                raise GradientError(
                    f"numpy.{ufunc.__name__}: its result requires grad, and would leave its graph when written into a NumPy "
                    "array; write into a Tensor, or use x.detach() if no gradient is wanted"
                )
            if x.backend != "numpy":
                raise TypeError(
                    f"numpy.{ufunc.__name__}: cannot write a tensor of backend {x.backend!r} into a NumPy array; use x.numpy()"
                )
    raw = [x.data if isinstance(x, Methods) else x for x in inputs]
    return getattr(ufunc, method)(*raw, out=tuple(outs), **arguments)


def _refuse(told: str, name: str) -> TypeError:
    spelling = _NAMES.get(name, name)
    found: Any = xgrad
    for part in spelling.split("."):
        found = getattr(found, part, None)
    if spelling and callable(found):
        return TypeError(f"{told} does not take xgrad tensors; use xgrad.{spelling}")
    return TypeError(
        f"{told} does not take xgrad tensors, and xgrad has no such function; pass x.detach().numpy() if no gradient is wanted"
    )


def cupy_kernel(kernel: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
    """What a CuPy ufunc called on a Tensor returns, so that ``cupy_array * x`` and ``cupy_array -= x`` work.

    CuPy hands its elementwise functions over to ``__cupy_override_elementwise_kernel__``; they are named like NumPy's, with
    ``cupy_`` before. Outputs follow the inputs.
    """
    name = str(getattr(kernel, "name", "")).removeprefix("cupy_")
    count = getattr(kernel, "nin", len(args))
    inputs, outs = list(args[:count]), list(args[count:])
    if (out := kwargs.get("out")) is not None:
        outs.append(out)
    if not outs:
        return _ufunc(name, "__call__", inputs, {k: v for k, v in kwargs.items() if v is not None and k != "casting"})
    if any(isinstance(x, Methods) and x._node is not None for x in inputs):
        raise GradientError(
            f"cupy.{name}: its result requires grad, and would leave its graph when written into a CuPy array; write into a "
            "Tensor, or use x.detach() if no gradient is wanted"
        )
    return kernel(*(x.data if isinstance(x, Methods) else x for x in (*inputs, *outs)))


# ------------------------------------------------------------------------------------------------------------- functions


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
    module, name = (getattr(function, "__module__", None) or "numpy"), function.__name__
    told = f"{module}.{name}"
    run = _FUNCTIONS.get(name) if module == "numpy" else None
    part = module.partition(".")[2]
    if run is None and part in ("fft", "linalg") and name != "norm":
        run = getattr(getattr(xgrad, part, None), name, None)
        name = f"{part}.{name}"
    if run is None:
        raise _refuse(told, name)
    try:
        inspect.signature(run).bind(*args, **kwargs)
    except TypeError as error:
        spelling = _NAMES.get(name, name)
        also = f"; xgrad.{spelling} has the standard's arguments" if hasattr(xgrad, spelling) else ""
        raise TypeError(f"{told} on xgrad tensors: {error}{also}") from None
    return run(*args, **kwargs)


_FUNCTIONS: dict[str, Callable[..., Any]] = {}


def _numpy(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let `function`, which has NumPy's signature, stand for NumPy's function of its name."""
    _FUNCTIONS[function.__name__.strip("_")] = function
    return function


def _as_tensor(x: Any) -> Any:
    return x if isinstance(x, Methods) else xgrad.Tensor(x)


def _flat(a: Any, axis: int | None) -> Any:
    """What a function of NumPy works on that flattens its argument when no axis is named."""
    return xgrad.reshape(a, (-1,)) if axis is None else a


def _lambdas(**functions: Callable[..., Any]) -> None:
    _FUNCTIONS.update({name.rstrip("_"): function for name, function in functions.items()})


def _reduction(name: str) -> Callable[..., Any]:
    def run(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
        return getattr(xgrad, name)(a if dtype is None else xgrad.astype(a, dtype), axis=axis, keepdims=keepdims)

    return run


def _extremum(name: str) -> Callable[..., Any]:
    return lambda a, axis=None, *, keepdims=False: getattr(xgrad, name)(a, axis=axis, keepdims=keepdims)


def _spread(name: str) -> Callable[..., Any]:
    def run(a: Any, axis: Any = None, *, ddof: float = 0, correction: float | None = None, keepdims: bool = False) -> Any:
        return getattr(xgrad, name)(a, axis=axis, correction=ddof if correction is None else correction, keepdims=keepdims)

    return run


def _running(name: str) -> Callable[..., Any]:
    def run(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
        return getattr(xgrad, name)(_flat(a, axis), axis=0 if axis is None else axis, dtype=dtype)

    return run


for _name in ("sum", "prod", "mean"):
    _FUNCTIONS[_name] = _reduction(_name)
for _name in ("max", "min", "amax", "amin", "argmax", "argmin", "all", "any", "count_nonzero"):
    _FUNCTIONS[_name] = _extremum(_NAMES.get(_name, _name))
for _name in ("std", "var"):
    _FUNCTIONS[_name] = _spread(_name)
for _name in ("cumsum", "cumprod", "cumulative_sum", "cumulative_prod"):
    _FUNCTIONS[_name] = _running(_NAMES.get(_name, _name))

# Functions with the same arguments in the same order, whatever NumPy calls them.
for (
    _name
) in "astype can_cast diff expand_dims isin matrix_transpose moveaxis result_type take_along_axis tensordot tile unstack".split():
    _FUNCTIONS[_name] = lambda *args, _name=_name, **kwargs: getattr(xgrad, _name)(*args, **kwargs)

_lambdas(
    real=lambda val: xgrad.real(val),
    imag=lambda val: xgrad.imag(val),
    shape=lambda a: a.shape,
    ndim=lambda a: a.ndim,
    size=lambda a, axis=None: a.size if axis is None else a.shape[axis],
    ptp=lambda a, axis=None: xgrad.max(a, axis=axis) - xgrad.min(a, axis=axis),
    clip=lambda a, a_min=None, a_max=None, *, min=None, max=None: xgrad.clip(
        a, min if a_min is None else a_min, max if a_max is None else a_max
    ),
    where=lambda condition, *branches: xgrad.where(condition, *branches) if branches else xgrad.nonzero(condition),
    nonzero=lambda a: xgrad.nonzero(a),
    reshape=lambda a, shape, order="C": xgrad.reshape(_row_major(a, order), shape if isinstance(shape, tuple) else (shape,)),
    ravel=lambda a, order="C": xgrad.reshape(_row_major(a, order), (-1,)),
    squeeze=lambda a, axis=None: a.squeeze(axis),
    transpose=lambda a, axes=None: xgrad.permute_dims(a, tuple(range(a.ndim))[::-1] if axes is None else tuple(axes)),
    broadcast_to=lambda array, shape: xgrad.broadcast_to(array, shape if isinstance(shape, tuple) else (shape,)),
    broadcast_arrays=lambda *args: xgrad.broadcast_arrays(*map(_as_tensor, args)),
    flip=lambda m, axis=None: xgrad.flip(m, axis=axis),
    roll=lambda a, shift, axis=None: xgrad.roll(a, shift, axis=axis),
    repeat=lambda a, repeats, axis=None: xgrad.repeat(a, repeats, axis=axis),
    stack=lambda arrays, axis=0: xgrad.stack(list(arrays), axis=axis),
    concatenate=lambda arrays, axis=0: xgrad.concat(list(arrays), axis=axis),
    vstack=lambda tup: xgrad.concat([x if x.ndim > 1 else xgrad.reshape(x, (1, -1)) for x in map(_as_tensor, tup)], axis=0),
    hstack=lambda tup: xgrad.concat(
        [x if x.ndim else xgrad.reshape(x, (1,)) for x in map(_as_tensor, tup)], axis=0 if _as_tensor(tup[0]).ndim <= 1 else 1
    ),
    take=lambda a, indices, axis=None: xgrad.take(_flat(a, axis), indices, axis=0 if axis is None else axis),
    sort=lambda a, axis=-1: xgrad.sort(_flat(a, axis), axis=-1 if axis is None else axis),
    argsort=lambda a, axis=-1: xgrad.argsort(_flat(a, axis), axis=-1 if axis is None else axis),
    searchsorted=lambda a, v, side="left": xgrad.searchsorted(a, v, side=side),
    einsum=lambda subscripts, *operands: xgrad.einsum(subscripts, *operands),
    outer=lambda a, b: xgrad.reshape(_as_tensor(a), (-1, 1)) * xgrad.reshape(_as_tensor(b), (1, -1)),
    inner=lambda a, b: a * b if 0 in (_as_tensor(a).ndim, _as_tensor(b).ndim) else xgrad.tensordot(a, b, axes=((-1,), (-1,))),
    vdot=lambda a, b: xgrad.vecdot(xgrad.reshape(_as_tensor(a), (-1,)), xgrad.reshape(_as_tensor(b), (-1,))),
    pad=lambda array, pad_width, mode="constant", *, constant_values=0: xgrad.pad(
        array, pad_width, mode, constant_values=constant_values
    ),
    tril=lambda m, k=0: xgrad.tril(m, k=k),
    triu=lambda m, k=0: xgrad.triu(m, k=k),
    copy=lambda a: xgrad.asarray(a, copy=True),
    zeros_like=lambda a, dtype=None: xgrad.zeros_like(a, dtype=dtype),
    ones_like=lambda a, dtype=None: xgrad.ones_like(a, dtype=dtype),
    empty_like=lambda prototype, dtype=None: xgrad.empty_like(prototype, dtype=dtype),
    full_like=lambda a, fill_value, dtype=None: xgrad.full_like(a, fill_value, dtype=dtype),
    iscomplexobj=lambda x: x.dtype.kind == "complex floating",
    isrealobj=lambda x: x.dtype.kind != "complex floating",
)


@_numpy
def _round_(a: Any, decimals: int = 0) -> Any:
    if decimals:
        raise TypeError("numpy.round on xgrad tensors: only decimals=0; scale before and after xgrad.round")
    return xgrad.round(a)


_FUNCTIONS["around"] = _round_


@_numpy
def _dot(a: Any, b: Any) -> Any:
    ndims = _as_tensor(a).ndim, _as_tensor(b).ndim
    if 0 in ndims:
        return xgrad.multiply(a, b)
    return xgrad.matmul(a, b) if ndims[1] <= 2 else xgrad.tensordot(a, b, axes=((-1,), (-2,)))


@_numpy
def _swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    order = list(range(a.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return xgrad.permute_dims(a, tuple(order))


# Comparisons of values: their results carry no gradient, so nothing is lost when they are made on the host.


def _host(x: Any) -> Any:
    return x.detach().numpy() if isinstance(x, Methods) else x


def _on_host(name: str) -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        import numpy

        return getattr(numpy, name)(*map(_host, args), **{key: _host(value) for key, value in kwargs.items()})

    return run


for _name in ("allclose", "isclose", "array_equal", "array_equiv"):
    _FUNCTIONS[_name] = _on_host(_name)


def _row_major(a: Any, order: str) -> Any:
    if order not in ("C", "K", "A"):
        raise TypeError(f"numpy.reshape on xgrad tensors: order={order!r} is not possible; transpose first")
    return a
