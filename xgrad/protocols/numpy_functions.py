"""NumPy's functions on Tensors, each with NumPy's arguments: what `numpy_protocols` hands over.

Arguments that mean nothing here, such as ``out``, ``where`` and ``order``, are left out, so that giving one is an error.
"""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from .. import fft, linalg, ops, special
from ..backend.find import is_numpy_scalar
from ..engine.namespaces import namespace
from ..errors import GradientError
from ..graph.kinds import refuse_complex
from ..graph.names import xg
from ..ops.parts.axes import axis_from_0
from ..tensor.tensor import Tensor

__all__ = ["FUNCTIONS"]


FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""By NumPy's name, less ``numpy.``: what does its work on Tensors."""


def _lambdas(part: str = "", **functions: Callable[..., Any]) -> None:
    FUNCTIONS.update({part + name.rstrip("_"): function for name, function in functions.items()})


def _numpy(function: Callable[..., Any]) -> Callable[..., Any]:
    """Let `function`, which has NumPy's signature, stand for NumPy's function of its name."""
    FUNCTIONS[function.__name__.strip("_").replace("__", ".")] = function
    return function


def _tensors(items: Iterable[Any]) -> list[Any]:
    """`items` as Tensors; numbers and lists beside the first Tensor among them."""
    items = list(items)
    one: Any = next((x for x in items if isinstance(x, Tensor)), None)
    return [x if isinstance(x, Tensor) else _as_tensor(x) if one is None or _is_array(x) else _beside(one, x) for x in items]


def _beside(one: Any, x: Any) -> Any:
    """`x`, a number or nested lists of them, beside the Tensor `one`: of its dtype, if that can hold it."""
    make = namespace(one.backend).asarray
    made = make(x, device=one.device)
    fits = one.dtype.inexact and (made.dtype.kind != "complex floating" or one.dtype.kind == "complex floating")
    return make(x, dtype=one.dtype, device=one.device) if fits else made


def _is_array(x: Any) -> bool:
    return hasattr(x, "dtype") and not is_numpy_scalar(x)


def _as_tensor(x: Any) -> Any:
    return x if isinstance(x, Tensor) else Tensor(x)


def _flat(a: Any, axis: int | None = None) -> Any:
    """What a function of NumPy works on that flattens its argument when no axis is named."""
    return ops.reshape(_as_tensor(a), (-1,)) if axis is None else a


def _shape(shape: Any) -> tuple[int, ...]:
    return tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)


def _host(x: Any) -> Any:
    return x.detach().numpy() if isinstance(x, Tensor) else x


# ---------------------------------------------------------------------------------------------------------- reductions


def _reduction(name: str) -> Callable[..., Any]:
    def run(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
        return getattr(ops, name)(a, axis=axis, dtype=dtype, keepdims=keepdims)

    return run


def _mean(name: str) -> Callable[..., Any]:
    def run(a: Any, axis: Any = None, dtype: Any = None, *, keepdims: bool = False) -> Any:
        return getattr(ops, name)(_to_inexact(name, a, dtype), axis=axis, keepdims=keepdims)

    return run


def _to_inexact(name: str, a: Any, dtype: Any) -> Any:
    """`a` in the data type that was asked for, which integers cannot be: a mean is no integer."""
    if dtype is None:
        return a
    made = ops.astype(a, dtype)
    if not made.dtype.inexact:
        raise TypeError(f"numpy.{name} on xgrad tensors: dtype is {made.dtype}; the result needs a floating-point one")
    return made


def _extremum(name: str) -> Callable[..., Any]:
    return lambda a, axis=None, *, keepdims=False: getattr(ops, name)(a, axis=axis, keepdims=keepdims)


def _spread(name: str) -> Callable[..., Any]:
    def run(
        a: Any, axis: Any = None, dtype: Any = None, *, ddof: float = 0, correction: float | None = None, keepdims: bool = False
    ) -> Any:
        a = _to_inexact(name, a, dtype)
        return getattr(ops, name)(a, axis=axis, correction=ddof if correction is None else correction, keepdims=keepdims)

    return run


def _running(name: str) -> Callable[..., Any]:
    def run(a: Any, axis: int | None = None, dtype: Any = None) -> Any:
        return getattr(ops, name)(_flat(a, axis), axis=0 if axis is None else axis, dtype=dtype)

    return run


def _quantile(name: str) -> Callable[..., Any]:
    def run(a: Any, q: Any, axis: Any = None, *, method: str = "linear", keepdims: bool = False) -> Any:
        q = q.tolist() if hasattr(q, "tolist") and not isinstance(q, Tensor) else q  # NumPy's own, whatever the backend of a
        return getattr(ops, name)(_as_tensor(a), q, axis, method=method, keepdims=keepdims)

    return run


for _name in "sum prod nansum nanprod".split():
    FUNCTIONS[_name] = _reduction(_name)
for _name in "mean nanmean".split():
    FUNCTIONS[_name] = _mean(_name)
for _name in "max min argmax argmin all any count_nonzero median nanmax nanmin nanmedian ptp".split():
    FUNCTIONS[_name] = _extremum(_name)
for _name in "std var nanstd nanvar".split():
    FUNCTIONS[_name] = _spread(_name)
for _name in "cumulative_sum cumulative_prod".split():
    FUNCTIONS[_name] = _running(_name)
for _name in "quantile percentile nanquantile nanpercentile".split():
    FUNCTIONS[_name] = _quantile(_name)
_lambdas(
    amax=FUNCTIONS["max"],
    amin=FUNCTIONS["min"],
    cumsum=FUNCTIONS["cumulative_sum"],
    cumprod=FUNCTIONS["cumulative_prod"],
    nancumsum=lambda a, axis=None, dtype=None: FUNCTIONS["cumsum"](
        ops.nan_to_num(a, posinf=math.inf, neginf=-math.inf), axis, dtype
    ),
    nancumprod=lambda a, axis=None, dtype=None: FUNCTIONS["cumprod"](
        ops.nan_to_num(a, nan=1.0, posinf=math.inf, neginf=-math.inf), axis, dtype
    ),
    average=lambda a, axis=None, weights=None, *, keepdims=False: ops.average(a, axis, weights, keepdims=keepdims),
)

# Functions with the same arguments in the same order, whatever NumPy calls them.
_SAME = """angle astype can_cast concat convolve corrcoef correlate cov diag diagflat digitize einsum expand_dims
    gradient inner interp kron matrix_transpose moveaxis nan_to_num outer permute_dims result_type sinc tile trapezoid
    unique_all unique_counts unique_inverse unique_values unstack unwrap vander""".split()


def _same(name: str, part: str = "") -> Callable[..., Any]:
    def run(*args: Any, **kwargs: Any) -> Any:
        return getattr(getattr(xg, part) if part else xg, name)(*args, **kwargs)

    return run


for _name in _SAME:
    FUNCTIONS[_name] = _same(_name)


def _tensordot(a: Any, b: Any, axes: Any = 2) -> Any:
    return ops.tensordot(a, b, axes=axes)


# The same, but for arguments that NumPy takes by their position, too.
_lambdas(
    diff=lambda a, n=1, axis=-1, prepend=None, append=None: ops.diff(a, n=n, axis=axis, prepend=prepend, append=append),
    take_along_axis=lambda arr, indices, axis=-1: ops.take_along_axis(
        _flat(arr, axis), indices, axis=0 if axis is None else axis
    ),
    tensordot=_tensordot,
)


# ---------------------------------------------------------------------------------------------- elementwise, and facts


def _is_infinite(name: str, x: Any, infinity: float) -> Any:
    refuse_complex(name, x=x)
    return x == infinity


_lambdas(
    real=lambda val: ops.real(val),
    imag=lambda val: ops.imag(val),
    fix=lambda x: ops.trunc(x),
    i0=lambda x: special.i0(x),
    round=lambda a, decimals=0: ops.round(a * 10.0**decimals) / 10.0**decimals if decimals else ops.round(a),
    clip=lambda a, a_min=None, a_max=None, *, min=None, max=None: ops.clip(
        a, min if a_min is None else a_min, max if a_max is None else a_max
    ),
    shape=lambda a: a.shape,
    ndim=lambda a: a.ndim,
    size=lambda a, axis=None: a.size if axis is None else a.shape[axis],
    iscomplexobj=lambda x: x.dtype.kind == "complex floating",
    isrealobj=lambda x: x.dtype.kind != "complex floating",
    iscomplex=lambda x: ops.imag(x) != 0 if x.dtype.kind == "complex floating" else ops.zeros_like(x, dtype="bool"),
    isreal=lambda x: ops.imag(x) == 0 if x.dtype.kind == "complex floating" else ops.ones_like(x, dtype="bool"),
    isneginf=lambda x: _is_infinite("isneginf", x, -math.inf),
    isposinf=lambda x: _is_infinite("isposinf", x, math.inf),
    where=lambda condition, *branches: ops.where(condition, *branches) if branches else ops.nonzero(condition),
    array_repr=lambda arr, *args, **kwargs: repr(arr),
    array_str=lambda a, *args, **kwargs: str(a),
)
FUNCTIONS["around"] = FUNCTIONS["round"]


def _on_host(name: str) -> Callable[..., Any]:
    """Comparisons of values, and text: results carry no gradient, so nothing is lost when they are made on the host."""

    def run(*args: Any, **kwargs: Any) -> Any:
        import numpy

        return getattr(numpy, name)(*map(_host, args), **{key: _host(value) for key, value in kwargs.items()})

    return run


for _name in "allclose isclose array_equal array_equiv array2string".split():
    FUNCTIONS[_name] = _on_host(_name)


@_numpy
def _may_share_memory(a: Any, b: Any, max_work: int | None = None) -> bool:
    import numpy

    raw = [x.data if isinstance(x, Tensor) else x for x in (a, b)]
    if all(isinstance(x, numpy.ndarray) for x in raw):
        return bool(numpy.may_share_memory(*raw))
    return raw[0] is raw[1]


@_numpy
def _unique(
    ar: Any, return_index: bool = False, return_inverse: bool = False, return_counts: bool = False, *, equal_nan: bool = True
) -> Any:
    wanted = (return_index, return_inverse, return_counts)
    values, *others = ops.unique_all(ar) if any(wanted) else (ops.unique_values(ar),)
    if equal_nan and values.dtype.inexact and (several := int(ops.count_nonzero(values != values))) > 1:
        if others:
            raise TypeError("numpy.unique on xgrad tensors: several elements are NaN; pass equal_nan=False")
        values = ops.sort(values)[: 1 - several]  # NaNs stand last
    return (values, *(x for x, asked in zip(others, wanted) if asked)) if others else values


@_numpy
def _select(condlist: Sequence[Any], choicelist: Sequence[Any], default: Any = 0) -> Any:
    found = default
    for condition, choice in list(zip(condlist, choicelist, strict=True))[::-1]:
        found = ops.where(condition, choice, found)
    return found


@_numpy
def _choose(a: Any, choices: Sequence[Any]) -> Any:
    found = choices[0]
    for number, choice in enumerate(choices):
        found = ops.where(_as_tensor(a) == number, choice, found)
    return found


@_numpy
def _piecewise(x: Any, condlist: Any, funclist: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
    conditions = list(condlist) if isinstance(condlist, (list, tuple)) else [condlist]
    y = ops.zeros_like(x)
    if len(funclist) == len(conditions) + 1:
        nowhere = ~functools.reduce(ops.logical_or, map(_as_tensor, conditions))
        conditions.append(nowhere)
    for condition, piece in zip(conditions, funclist, strict=True):
        y = ops.setitem(y, condition, piece(x[condition], *args, **kwargs) if callable(piece) else piece)
    return y


# -------------------------------------------------------------------------------------------------- shapes, and joining


def _row_major(a: Any, order: str) -> Any:
    if order not in ("C", "K", "A"):
        raise TypeError(f"numpy.reshape on xgrad tensors: order={order!r} is not possible; transpose first")
    return a


def _at_least(ndim: int, shape: Callable[[tuple[int, ...]], tuple[int, ...]]) -> Callable[..., Any]:
    def run(*arys: Any) -> Any:
        grown = [x if x.ndim >= ndim else ops.reshape(x, shape(x.shape)) for x in _tensors(arys)]
        return grown[0] if len(grown) == 1 else tuple(grown)

    return run


_lambdas(
    reshape=lambda a, shape, order="C", *, copy=None: ops.reshape(_row_major(a, order), _shape(shape), copy=copy),
    ravel=lambda a, order="C": ops.reshape(_row_major(a, order), (-1,)),
    squeeze=lambda a, axis=None: a.squeeze(axis),
    transpose=lambda a, axes=None: ops.permute_dims(a, tuple(range(a.ndim))[::-1] if axes is None else tuple(axes)),
    broadcast_to=lambda array, shape: ops.broadcast_to(array, _shape(shape)),
    broadcast_arrays=lambda *args: ops.broadcast_arrays(*_tensors(args)),
    atleast_1d=_at_least(1, lambda shape: (1,)),
    atleast_2d=_at_least(2, lambda shape: (1, *shape) if shape else (1, 1)),
    atleast_3d=_at_least(3, lambda shape: (1, 1, 1) if not shape else (1, *shape, 1) if len(shape) == 1 else (*shape, 1)),
    meshgrid=lambda *xi, indexing="xy": ops.meshgrid(*_tensors(xi), indexing=indexing),
    flip=lambda m, axis=None: ops.flip(m, axis=axis),
    fliplr=lambda m: ops.flip(m, axis=1),
    flipud=lambda m: ops.flip(m, axis=0),
    roll=lambda a, shift, axis=None: ops.roll(a, shift, axis=axis),
    repeat=lambda a, repeats, axis=None: ops.repeat(a, repeats, axis=axis),
    stack=lambda arrays, axis=0: ops.stack(_tensors(arrays), axis=axis),
    concatenate=lambda arrays, axis=0: ops.concat(_tensors(arrays), axis=axis),
    append=lambda arr, values, axis=None: ops.concat(
        [_flat(x, axis) for x in _tensors((arr, values))], axis=0 if axis is None else axis
    ),
    vstack=lambda tup: ops.concat([FUNCTIONS["atleast_2d"](x) for x in _tensors(tup)], axis=0),
    column_stack=lambda tup: ops.concat([x if x.ndim > 1 else ops.reshape(x, (-1, 1)) for x in _tensors(tup)], axis=1),
    dstack=lambda tup: ops.concat([FUNCTIONS["atleast_3d"](x) for x in _tensors(tup)], axis=2),
    pad=lambda array, pad_width, mode="constant", *, constant_values=0: ops.pad(
        array, pad_width, mode, constant_values=constant_values
    ),
    copy=lambda a: ops.asarray(a, copy=True),
    zeros_like=lambda a, dtype=None: ops.zeros_like(a, dtype=dtype),
    ones_like=lambda a, dtype=None: ops.ones_like(a, dtype=dtype),
    empty_like=lambda prototype, dtype=None: ops.empty_like(prototype, dtype=dtype),
    full_like=lambda a, fill_value, dtype=None: ops.full_like(a, fill_value, dtype=dtype),
    tril=lambda m, k=0: ops.tril(m, k=k),
    triu=lambda m, k=0: ops.triu(m, k=k),
    array_split=lambda ary, indices_or_sections, axis=0: _parts(ary, indices_or_sections, axis, even=False),
    split=lambda ary, indices_or_sections, axis=0: _parts(ary, indices_or_sections, axis),
    hsplit=lambda ary, indices_or_sections: _parts(ary, indices_or_sections, 0 if ary.ndim == 1 else 1),
    vsplit=lambda ary, indices_or_sections: _parts(ary, indices_or_sections, 0),
    dsplit=lambda ary, indices_or_sections: _parts(ary, indices_or_sections, 2),
)
FUNCTIONS["row_stack"] = FUNCTIONS["vstack"]


@_numpy
def _hstack(tup: Sequence[Any]) -> Any:
    arrays = [FUNCTIONS["atleast_1d"](x) for x in _tensors(tup)]
    return ops.concat(arrays, axis=0 if arrays[0].ndim == 1 else 1)


@_numpy
def _block(arrays: Any) -> Any:
    def depth(x: Any) -> int:
        return 1 + max(map(depth, x)) if isinstance(x, list) else 0

    levels = depth(arrays)

    def join(x: Any, level: int) -> Any:
        if not isinstance(x, list):
            x = _as_tensor(x)
            return ops.reshape(x, (1,) * (levels - x.ndim) + x.shape)
        return ops.concat([join(part, level + 1) for part in x], axis=level - levels)

    return join(arrays, 0)


def _parts(x: Any, where: Any, axis: int, *, even: bool = True) -> list[Any]:
    axis = axis_from_0("numpy.split", axis, x.ndim)
    n = x.shape[axis]
    if hasattr(where, "__index__"):
        where = operator.index(where)
        if where < 1:
            raise ValueError(f"numpy.split: {where} parts; there must be one at least")
        if even and n % where:
            raise ValueError(f"numpy.split: axis {axis} has {n} elements, which cannot be split into {where} equal parts")
        ends = [n // where * k + min(k, n % where) for k in range(1, where)]
    else:
        ends = [int(k) for k in where]
    lead = (slice(None),) * axis
    return [x[(*lead, slice(a, b))] for a, b in zip([0, *ends], [*ends, n])]


@_numpy
def _swapaxes(a: Any, axis1: int, axis2: int) -> Any:
    axis1, axis2 = (axis_from_0("numpy.swapaxes", axis, a.ndim) for axis in (axis1, axis2))
    order = list(range(a.ndim))
    order[axis1], order[axis2] = order[axis2], order[axis1]
    return ops.permute_dims(a, tuple(order))


@_numpy
def _rollaxis(a: Any, axis: int, start: int = 0) -> Any:
    axis, start = axis_from_0("numpy.rollaxis", axis, a.ndim), start + a.ndim * (start < 0)
    if not 0 <= start <= a.ndim:
        raise IndexError(f"numpy.rollaxis: start is out of bounds for an array of {a.ndim} axes")
    return ops.moveaxis(a, axis, start - (axis < start))


@_numpy
def _rot90(m: Any, k: int = 1, axes: tuple[int, int] = (0, 1)) -> Any:
    if len({axis_from_0("numpy.rot90", axis, m.ndim) for axis in axes}) != 2:
        raise ValueError(f"numpy.rot90: axes {axes} must be two different ones")
    for _ in range(k % 4):
        m = ops.flip(_swapaxes(m, *axes), axis=axes[0])
    return m


@_numpy
def _resize(a: Any, new_shape: Any) -> Any:
    count = math.prod(_shape(new_shape))
    flat = ops.reshape(a, (-1,))
    return ops.reshape(ops.tile(flat, (-(-count // flat.shape[0]),))[:count], _shape(new_shape))


@_numpy
def _linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, *, dtype: Any = None, axis: int = 0) -> Any:
    start, stop = _tensors((start, stop))
    steps = ops.arange(num, dtype=start.dtype, device=start.device) / max(num - endpoint, 1)
    y = start + (stop - start) * ops.reshape(steps, (-1,) + (1,) * max(start.ndim, stop.ndim))
    y = y if dtype is None else ops.astype(y, dtype)
    return ops.moveaxis(y, 0, axis) if axis else y


@_numpy
def _logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10.0, *, dtype: Any = None, axis: int = 0
) -> Any:
    y = ops.pow(base, _linspace(start, stop, num, endpoint, axis=axis))
    return y if dtype is None else ops.astype(y, dtype)


@_numpy
def _geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, *, dtype: Any = None, axis: int = 0) -> Any:
    start, stop = _tensors((start, stop))
    y = start * ops.pow(stop / start, _linspace(ops.zeros_like(start), ops.ones_like(stop), num, endpoint))
    y = y if dtype is None else ops.astype(y, dtype)
    return ops.moveaxis(y, 0, axis) if axis else y


# ------------------------------------------------------------------------------------------- picking, sorting, writing


def _numbers(x: Any, beside: Any) -> Any:
    if hasattr(x, "dtype") or not isinstance(beside, Tensor):
        return _as_tensor(x)
    return namespace(beside.backend).asarray(x, device=beside.device)  # type: ignore[attr-defined]


def _without_nan(a: Any, worst: float) -> Any:
    return ops.nan_to_num(a, nan=worst, posinf=math.inf, neginf=-math.inf)


_lambdas(
    nonzero=lambda a: ops.nonzero(a),
    isin=lambda element, test_elements: ops.isin(*_tensors((element, test_elements))),
    bincount=lambda x, weights=None, minlength=0: ops.bincount(_numbers(x, weights), weights, minlength),
    flatnonzero=lambda a: ops.nonzero(_flat(a))[0],
    argwhere=lambda a: ops.stack(ops.nonzero(a), axis=-1),
    nanargmax=lambda a, axis=None, *, keepdims=False: ops.argmax(_without_nan(a, -math.inf), axis=axis, keepdims=keepdims),
    nanargmin=lambda a, axis=None, *, keepdims=False: ops.argmin(_without_nan(a, math.inf), axis=axis, keepdims=keepdims),
    take=lambda a, indices, axis=None: ops.take(_flat(a, axis), indices, axis=0 if axis is None else axis),
    compress=lambda condition, a, axis=None: ops.take(
        _flat(a, axis), ops.nonzero(_as_tensor(condition))[0], axis=0 if axis is None else axis
    ),
    extract=lambda condition, arr: _flat(arr)[_flat(ops.astype(_as_tensor(condition), "bool"))],
    sort=lambda a, axis=-1: ops.sort(_flat(a, axis), axis=-1 if axis is None else axis),
    argsort=lambda a, axis=-1: ops.argsort(_flat(a, axis), axis=-1 if axis is None else axis),
    partition=lambda a, kth, axis=-1: FUNCTIONS["sort"](a, axis),  # what is sorted is partitioned at every place
    argpartition=lambda a, kth, axis=-1: FUNCTIONS["argsort"](a, axis),
    searchsorted=lambda a, v, side="left", sorter=None: ops.searchsorted(*_tensors((a, v)), side=side, sorter=sorter),
    union1d=lambda ar1, ar2: ops.unique_values(FUNCTIONS["append"](ar1, ar2)),
    tril_indices_from=lambda arr, k=0: ops.tril_indices(arr.shape[-2], k, arr.shape[-1], device=arr.device),
    triu_indices_from=lambda arr, k=0: ops.triu_indices(arr.shape[-2], k, arr.shape[-1], device=arr.device),
    diag_indices_from=lambda arr: (ops.arange(arr.shape[0], device=arr.device),) * arr.ndim,
    ediff1d=lambda ary, to_end=None, to_begin=None: ops.concat(
        [_flat(x) for x in (to_begin, ops.diff(_flat(ary)), to_end) if x is not None]
    ),
    copyto=lambda dst, src: _write("copyto", dst, lambda: src),
    putmask=lambda a, mask, values: _write("putmask", a, lambda: ops.where(mask, values, a)),
    put=lambda a, ind, v: _write("put", a, lambda: ops.reshape(ops.setitem(_flat(a), ind, v), a.shape)),
    fill_diagonal=lambda a, val: _write("fill_diagonal", a, lambda: ops.setitem(a, (ops.arange(min(a.shape)),) * a.ndim, val)),
)


def _write(name: str, x: Any, make: Callable[[], Any]) -> None:
    if not isinstance(x, Tensor):
        raise GradientError(
            f"numpy.{name}: a tensor would leave its graph when written into a NumPy array; write into a Tensor, or use "
            "x.detach().numpy() if no gradient is wanted"
        )
    x[...] = make()


@_numpy
def _delete(arr: Any, obj: Any, axis: int | None = None) -> Any:
    import numpy

    arr = _flat(arr, axis)
    axis = axis_from_0("numpy.delete", axis or 0, arr.ndim)
    kept = numpy.delete(numpy.arange(arr.shape[axis]), _host(obj))
    return ops.take(arr, kept.tolist(), axis=axis)


@_numpy
def _insert(arr: Any, obj: int, values: Any, axis: int | None = None) -> Any:
    arr = _flat(arr, axis)
    axis = axis_from_0("numpy.insert", axis or 0, arr.ndim)
    if not isinstance(obj, int):
        raise TypeError("numpy.insert on xgrad tensors: only before one index, an int; concatenate slices for more")
    if not -arr.shape[axis] <= obj <= arr.shape[axis]:
        raise IndexError(f"numpy.insert: index {obj} is out of bounds for axis {axis}, which has {arr.shape[axis]} elements")
    before, after = _parts(arr, [obj % (arr.shape[axis] + 1) if obj >= 0 else obj % arr.shape[axis]], axis)
    shape = tuple(-1 if i == axis else n for i, n in enumerate(arr.shape))
    _, values = _tensors((arr, values))
    thin = tuple(1 if n == -1 else n for n in shape)
    values = ops.broadcast_to(values, thin) if values.ndim < arr.ndim and arr.ndim > 1 else ops.reshape(values, shape)
    return ops.concat([before, values, after], axis=axis)


@_numpy
def _apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Any:
    moved = ops.moveaxis(arr, axis, -1)
    rows = ops.reshape(moved, (-1, moved.shape[-1]))
    made = ops.stack(_tensors([func1d(row, *args, **kwargs) for row in rows]))
    made = ops.reshape(made, (*moved.shape[:-1], *made.shape[1:]))
    for k in range(made.ndim - moved.ndim + 1):
        made = ops.moveaxis(made, moved.ndim - 1 + k, axis % arr.ndim + k)
    return made


# ------------------------------------------------------------------------------------------------------ linear algebra


def _diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    return linalg.diagonal(ops.moveaxis(a, (axis1, axis2), (-2, -1)), offset=offset)


@_numpy
def _dot(a: Any, b: Any) -> Any:
    return ops.dot(*_tensors((a, b)))


@_numpy
def _cross(a: Any, b: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Any:
    axisa, axisb, axisc = (axisa, axisb, axisc) if axis is None else (axis,) * 3
    a, b = _tensors((a, b))
    return ops.moveaxis(linalg.cross(ops.moveaxis(a, axisa, -1), ops.moveaxis(b, axisb, -1)), -1, axisc)


_lambdas(
    vdot=lambda a, b: ops.vecdot(*(_flat(x) for x in _tensors((a, b)))),
    diagonal=_diagonal,
    trace=lambda a, offset=0, axis1=0, axis2=1, dtype=None: ops.sum(_diagonal(a, offset, axis1, axis2), axis=-1, dtype=dtype),
    polyadd=lambda a1, a2: _ends_added(*_tensors((a1, a2))),
    polysub=lambda a1, a2: _ends_added(*(x * s for x, s in zip(_tensors((a1, a2)), (1, -1)))),
    polyder=lambda p, m=1: (
        p if m == 0 else FUNCTIONS["polyder"](p[:-1] * ops.arange(p.size - 1, 0, -1, dtype=p.dtype, device=p.device), m - 1)
    ),
    polymul=lambda a1, a2: ops.convolve(*_tensors((a1, a2))),
    polyval=lambda p, x: functools.reduce(lambda y, c: y * x + c, p, ops.zeros_like(_as_tensor(x))),
)


def _ends_added(a: Any, b: Any) -> Any:
    width = max(a.size, b.size)
    return ops.pad(a, (width - a.size, 0)) + ops.pad(b, (width - b.size, 0))


@_numpy
def _linalg__norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:
    if axis is None and (ord is None or x.ndim == 1):
        y = linalg.vector_norm(ops.reshape(x, (-1,)), ord=2 if ord is None else ord)
        return ops.reshape(y, (1,) * x.ndim) if keepdims else y
    if isinstance(axis, int) or (axis is not None and len(axis) == 1) or (ord is None and axis is not None):
        return linalg.vector_norm(x, axis=axis, keepdims=keepdims, ord=2 if ord is None else ord)
    axes = (-2, -1) if axis is None else axis
    if len(axes) != 2 or (axis is None and x.ndim != 2):
        raise ValueError(
            f"numpy.linalg.norm: ord={ord!r} is of vectors and matrices, but x has shape {x.shape} and axis is {axis}"
        )
    y = linalg.matrix_norm(ops.moveaxis(x, axes, (-2, -1)), ord=ord)
    return ops.expand_dims(y, axis=tuple(a % x.ndim for a in axes)) if keepdims else y


@_numpy
def _linalg__cond(x: Any, p: Any = None) -> Any:
    if 0 in x.shape[-2:]:
        raise ValueError(f"numpy.linalg.cond: x has shape {x.shape}; an empty matrix has no condition number")
    if p in (None, 2, -2):
        s = linalg.svdvals(x)
        small, large = (s[..., 0], s[..., -1]) if p == -2 else (s[..., -1], s[..., 0])
        return _infinite_where(small == 0, large / ops.where(small == 0, ops.ones_like(small), small), large)
    singular = ops.isinf(linalg.slogdet(x.detach()).logabsdet)
    regular = ops.where(singular[..., None, None], linalg.matrix_power(x.detach(), 0), x)
    size, inverse = linalg.matrix_norm(x, ord=p), linalg.matrix_norm(linalg.inv(regular), ord=p)
    return _infinite_where(singular, size * inverse, size)


def _infinite_where(singular: Any, number: Any, size: Any) -> Any:
    """`number`; where `singular`, infinite and without a finite gradient, but with none if the matrix is zero, of `size` 0."""
    zero = singular & (size == 0)
    return ops.where(zero, ops.inf, number * ops.where(singular & ~zero, ops.inf, ops.ones_like(size.detach())))


@_numpy
def _linalg__lstsq(a: Any, b: Any, rcond: float | None = None) -> Any:
    a, b = _tensors((a, b))
    if rcond is not None and rcond < 0:  # NumPy's way to say the precision of the dtype
        rcond = float(ops.finfo(a.dtype).eps)
    x, rank = ops.matmul(linalg.pinv(a, rtol=rcond), b), linalg.matrix_rank(a, rtol=rcond)
    rest = ops.abs(b - ops.matmul(a, x)) ** 2
    over = a.shape[0] > a.shape[1] == rank.item()
    residuals = ops.sum(rest if b.ndim == 2 else rest[:, None], axis=0) if over else ops.new_zeros(ops.real(b), (0,))
    return x, residuals, rank, linalg.svdvals(a)


def _qr(a: Any, mode: str = "reduced") -> Any:
    return linalg.qr(a).R if mode == "r" else linalg.qr(a, mode=mode)


def _from_lower(a: Any, hermitian: bool) -> Any:
    """`a`; as NumPy reads it if it is said to be Hermitian: its lower triangle, mirrored."""
    if not hermitian:
        return a
    return ops.tril(a) + ops.conj(ops.matrix_transpose(ops.tril(a, k=-1)))


def _svd(a: Any, full_matrices: bool = True, compute_uv: bool = True, hermitian: bool = False) -> Any:
    a = _from_lower(a, hermitian)
    return linalg.svd(a, full_matrices=full_matrices) if compute_uv else linalg.svdvals(a)


def _rank(a: Any, tol: Any, rtol: Any) -> Any:
    if a.ndim < 2:  # a vector has rank 1 if it is not zero
        return ops.astype(ops.any(a != 0), ops.int64)
    if tol is None:
        return linalg.matrix_rank(a, rtol=rtol)
    return ops.count_nonzero(linalg.svdvals(a.detach()) > ops.expand_dims(_as_tensor(tol), axis=-1), axis=-1)


def _lower(name: str) -> Callable[..., Any]:
    """A function of symmetric matrices; where NumPy would read the upper triangle alone, that is mirrored."""

    def run(a: Any, UPLO: str = "L") -> Any:
        if UPLO.upper() == "U":
            a = ops.conj(ops.matrix_transpose(a))
        return getattr(linalg, name)(a)

    return run


_lambdas(
    "linalg.",
    solve=lambda a, b: linalg.solve(*_tensors((a, b))),
    qr=_qr,
    svd=_svd,
    eigh=_lower("eigh"),
    eigvalsh=_lower("eigvalsh"),
    pinv=lambda a, rcond=None, hermitian=False, *, rtol=None: linalg.pinv(
        _from_lower(a, hermitian), rtol=rtol if rcond is None else rcond
    ),
    matrix_rank=lambda A, tol=None, hermitian=False, *, rtol=None: _rank(_from_lower(A, hermitian), tol, rtol),
    multi_dot=lambda arrays: functools.reduce(ops.dot, _tensors(arrays)),
    **{
        name: _same(name, "linalg")
        for name in """cholesky cross det diagonal eig eigvals inv matmul matrix_norm matrix_power matrix_transpose outer slogdet
            svdvals trace vecdot vector_norm""".split()
    },
    tensordot=_tensordot,
)


# ------------------------------------------------------------------------------------------------------------- Fourier


def _transform(name: str) -> Callable[..., Any]:
    def run(a: Any, n: int | None = None, axis: int = -1, norm: str | None = None) -> Any:
        return getattr(fft, name)(a, n=n, axis=axis, norm=norm or "backward")

    return run


def _transforms(name: str, planes: bool = False) -> Callable[..., Any]:
    def run(a: Any, s: Any = None, axes: Any = (-2, -1) if planes else None, norm: str | None = None) -> Any:
        axes = tuple(range(-len(s), 0)) if axes is None and s is not None else axes
        return getattr(fft, name)(a, s=s, axes=axes, norm=norm or "backward")

    return run


_lambdas("fft.", **{name: _transform(name) for name in "fft ifft rfft irfft hfft ihfft".split()})
_lambdas("fft.", **{name: _transforms(name) for name in "fftn ifftn rfftn irfftn".split()})
_lambdas("fft.", **{f"{name}2": _transforms(f"{name}n", True) for name in "fft ifft rfft irfft".split()})
_lambdas(
    "fft.",
    fftshift=lambda x, axes=None: fft.fftshift(x, axes=axes),
    ifftshift=lambda x, axes=None: fft.ifftshift(x, axes=axes),
)
