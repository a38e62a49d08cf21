"""The array arguments of a call: Tensors, arrays of one backend, Python and NumPy scalars.

They are unwrapped, their common namespace is found, and scalars are promoted as the standard says. Arrays of an interpreter
(`vmap`) have a level; a call is run at the highest level among its arguments, and the others are lifted to it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..backend.find import backend_of, is_numpy_scalar, raw_namespace
from ..backend.select import current_backend
from ..errors import NotAnArray
from ..graph.declare import Op
from ..graph.kinds import kind_of
from ..graph.recording import interpreters
from ..tensor.tensor import Tensor
from .sequences import SEQUENCES, convert, holds_array, stacked

__all__ = ["beside", "dominant", "in_key", "open_arguments", "promote", "put", "same_dtype"]


def open_arguments(op: Op[..., Any], arguments: tuple[Any, ...]) -> tuple[list[Any], list[Any], list[Any], list[Any], Any]:
    """The parts of the arguments of a call.

    Returns
    -------
    values : list
        All parameters.
    arrays : list
        The array arguments among them.
    items, nodes : list
        The raw arrays and scalars in those, and their nodes.
    xp : namespace
        The raw namespace of the call.
    """
    values = list(arguments)
    arrays = list(values[op.arrays[0]]) if op.sequence else [values[i] for i in op.arrays]
    if not op.arrays and any(isinstance(v, Tensor) for v in values):
        raise TypeError(
            f"{op.name}: none of its parameters takes an array, but it was given a Tensor; annotate those that do "
            f"ArrayLike or Tensor, or write a / after them: def {op.name}(xp, x, /, ...)"
        )
    try:
        pairs = [(None, None) if v is None and op.optional else _unwrap(v) for v in arrays]
    except NotAnArray as error:
        if not any(isinstance(v, SEQUENCES) for v in arrays):
            error.args = (f"{op.name}: {error}",)
            raise
        arrays = _without_sequences(op, arrays)
        pairs = [(None, None) if v is None and op.optional else _unwrap(v) for v in arrays]
    items, nodes = [a for a, _ in pairs], [n for _, n in pairs]
    xp = _common_namespace(op, items if op.key_at is None else [*items, *in_key(values[op.key_at])])
    backend = xp.__backend__
    if not backend.level and (active := interpreters.get()) and active[0].takes_all:
        backend = active[0].backend(backend)
        xp = backend.xp
    if backend.level:
        for k, item in enumerate(items):
            if hasattr(item, "dtype") and raw_namespace(item) is not xp:
                items[k], nodes[k] = backend.lift(arrays[k]), None if backend.graph_inside else nodes[k]
    return values, arrays, items, nodes, xp


def in_key(key: Any) -> list[Any]:
    """The arrays in an index that belong to an interpreter."""
    arrays = [getattr(part, "_data", part) for part in (key if isinstance(key, tuple) else (key,)) if hasattr(part, "dtype")]
    return [a for a in arrays if not is_numpy_scalar(a) and raw_namespace(a).__backend__.level]


def put(op: Op[..., Any], values: list[Any], items: list[Any]) -> None:
    """Put the array arguments `items` in their places among all parameters."""
    if op.sequence:
        values[op.arrays[0]] = items
    else:
        for i, item in zip(op.arrays, items):
            values[i] = item


def _unwrap(x: Any) -> tuple[Any, Any]:
    """The raw array or Python scalar in an argument, and its node."""
    if isinstance(x, Tensor):
        return x._data, x._node
    if is_numpy_scalar(x):  # before the next line: numpy.float64 is a float
        return x.item(), None
    if _is_scalar(x):
        return x, None
    if backend_of(x) is None:
        raise NotAnArray(x)
    return x, None


def _without_sequences(op: Op[..., Any], arrays: list[Any]) -> list[Any]:
    """The array arguments with arrays in place of lists and tuples."""
    arrays = [stacked(v) if isinstance(v, SEQUENCES) and holds_array(v) else v for v in arrays]
    try:
        items = [_unwrap(v)[0] for v in arrays if v is not None and not isinstance(v, SEQUENCES)]
        xp = _common_namespace(op, items)
        return convert(op, arrays, xp, dominant(xp.__backend__, [v for v in items if hasattr(v, "dtype")]))
    except (NotAnArray, TypeError, ValueError, OverflowError) as error:
        error.args = (f"{op.name}: {error}",)
        raise


def _common_namespace(op: Op[..., Any], items: Iterable[Any]) -> Any:
    """The namespace of the arrays among `items`, which are of one backend: that of the highest level."""
    common: Any = None
    for item in items:
        if hasattr(item, "dtype"):
            xp = raw_namespace(item)
            if common is None or xp is common:
                common = xp
            elif xp.__backend__.name == common.__backend__.name:
                common = max(xp, common, key=lambda space: space.__backend__.level)
            else:
                one, other = common.__backend__.name, xp.__backend__.name
                raise TypeError(
                    f"{op.name}: got arrays of two backends, {one!r} and {other!r}; nothing moves between backends by "
                    f"itself: move one with xgrad.to_backend(x, {one!r})"
                )
    return current_backend().xp if common is None else common


def promote(xp: Any, items: list[Any]) -> list[Any]:
    """`items` with arrays in place of Python scalars, of the dtype that the standard promotes them to."""
    arrays = [v for v in items if hasattr(v, "dtype")]
    if len(arrays) == len(items):
        return items
    backend = xp.__backend__
    like = dominant(backend, [v._data if isinstance(v, Tensor) else v for v in arrays])
    return [beside(backend, v, like) if _is_scalar(v) and not hasattr(v, "dtype") else v for v in items]  # numpy.float64 has one


def _is_scalar(x: Any) -> bool:
    return isinstance(x, (bool, int, float, complex)) or getattr(x, "is_number", False)  # the last: of an interpreter


def beside(backend: Any, number: Any, like: Any) -> Any:
    """The array of a Python scalar beside the array `like`."""
    plain = (number.__class__ is float or number.__class__ is int) and not backend.level and like is not None
    if plain and kind_of(backend.xp, like.dtype) != "exact":  # the usual case, without asking which dtypes can hold it
        return backend.constant(number, like)
    return backend.from_scalar(number, like)


_RANKS = {"bool": 0, "unsigned integer": 1, "signed integer": 2, "real floating": 3, "complex floating": 4}


def dominant(backend: Any, arrays: list[Any]) -> Any:
    """The array whose dtype Python scalars take: of the highest kind, and the widest of that; None if there are none."""
    if len(arrays) < 2:
        return arrays[0] if arrays else None
    best, best_rank = None, (-1, 0)
    for array in arrays:
        dtype = backend.dtype_of(array.dtype)
        rank = (_RANKS[dtype.kind], dtype.bits)
        if rank > best_rank:
            best, best_rank = array, rank
    return best


def same_dtype(xp: Any, items: list[Any]) -> list[Any]:
    """`items` with arrays of different dtypes converted to the one that the standard promotes them to."""
    dtypes = [v.dtype for v in items if hasattr(v, "dtype")]
    if all(dtype == dtypes[0] for dtype in dtypes):
        return items
    dtype = xp.result_type(*dtypes)
    return [xp.astype(v, dtype, copy=False) if hasattr(v, "dtype") else v for v in items]
