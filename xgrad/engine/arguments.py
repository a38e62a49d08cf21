"""What a call may be given: Tensors, arrays of one backend, Python and NumPy scalars; told apart and brought together."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from ..backend.find import backend_of, is_numpy_scalar, raw_namespace
from ..backend.select import current_backend
from ..errors import NotAnArray
from ..graph.declare import Op
from ..graph.kinds import is_complex
from ..tensor.tensor import Tensor

__all__ = [
    "SEQUENCES", "agree", "array_of", "from_numbers", "holds_array", "host_numbers", "in_key", "unwrap", "open_arguments",
    "promote", "put", "same_dtype",
]  # fmt: skip


def open_arguments(op: Op[..., Any], arguments: tuple[Any, ...]) -> tuple[list[Any], list[Any], list[Any], list[Any], Any]:
    """The arguments as a list; the arrays among them; what is in those; their nodes; the namespace of their backend."""
    values = list(arguments)
    given = list(values[op.arrays[0]]) if op.sequence else [values[i] for i in op.arrays]
    if not op.arrays and any(isinstance(v, Tensor) for v in values):
        raise TypeError(
            f"{op.name}: none of its parameters takes an array, but it was given a Tensor; annotate those that do "
            f"ArrayLike or Tensor, or write a / after them: def {op.name}(xp, x, /, ...)"
        )
    try:
        lifted = [(None, None) if v is None and op.optional else unwrap(v) for v in given]
    except NotAnArray as error:
        if not any(isinstance(v, SEQUENCES) for v in given):
            error.args = (f"{op.name}: {error}",)
            raise
        given = _without_sequences(op, given)
        lifted = [(None, None) if v is None and op.optional else unwrap(v) for v in given]
    items, nodes = [a for a, _ in lifted], [n for _, n in lifted]
    xp = agree(op, items if op.key_at is None else [*items, *in_key(values[op.key_at])])
    backend = xp.__backend__
    if backend.level:
        for k, item in enumerate(items):
            if hasattr(item, "dtype") and raw_namespace(item) is not xp:
                items[k], nodes[k] = backend.lift(given[k]), None if backend.graph_inside else nodes[k]
    return values, given, items, nodes, xp


def in_key(key: Any) -> list[Any]:
    """The arrays in an index that differ between the examples of a batch."""
    arrays = [getattr(part, "_data", part) for part in (key if isinstance(key, tuple) else (key,)) if hasattr(part, "dtype")]
    return [a for a in arrays if not is_numpy_scalar(a) and raw_namespace(a).__backend__.level]


SEQUENCES = (list, tuple, range)


def _without_sequences(op: Op[..., Any], given: list[Any]) -> list[Any]:
    """The arguments, with arrays in place of sequences: of those that are there, or else of the selected backend."""
    given = [_stacked(v) if isinstance(v, SEQUENCES) and holds_array(v) else v for v in given]
    try:
        items = [v if v is None or isinstance(v, SEQUENCES) else unwrap(v)[0] for v in given]
        xp = agree(op, items)
        known = _like(xp.__backend__, [v for v in items if hasattr(v, "dtype")])
        numbers = {k: host_numbers(v) for k, v in enumerate(given) if isinstance(v, SEQUENCES)}
        for k, host in sorted(numbers.items(), key=lambda pair: "buifc".index(pair[1].dtype.kind), reverse=True):
            name = "" if op.sequence else op.names[op.arrays[k]]
            index = name in op.indices
            host = host if host.size or not index else host.astype("int64")
            like = known
            if name in getattr(op.forward, "real_only", ()) and host.dtype.kind != "c" and is_complex(xp, known):
                like = xp.real(known)
            given[k] = from_numbers(xp.__backend__, host, like, keep=index and host.dtype.kind in "iu", weak=op.scalars)
            known = given[k] if known is None else known  # of several sequences the others follow that of the highest kind
    except (NotAnArray, TypeError, ValueError, OverflowError) as error:
        error.args = (f"{op.name}: {error}",)
        raise
    return given


def holds_array(sequence: Any) -> bool:
    """Whether there is a Tensor or an array at any depth in a nested sequence."""
    if isinstance(sequence, range):
        return False
    return any(
        holds_array(v) if isinstance(v, SEQUENCES) else hasattr(v, "dtype") and hasattr(v, "shape") and not is_numpy_scalar(v)
        for v in sequence
    )


def _stacked(sequence: Any) -> Any:
    """A nested sequence that has arrays in it as one Tensor, in the graph of those that are Tensors."""

    def tensors(v: Any) -> Any:
        if isinstance(v, SEQUENCES):
            return [tensors(part) for part in v]
        return Tensor(v) if hasattr(v, "dtype") and not isinstance(v, Tensor) and not is_numpy_scalar(v) else v

    def first(v: Any) -> Any:
        found = (first(part) if isinstance(part, list) else part for part in v)
        return next((part for part in found if isinstance(part, Tensor)), None)

    parts = tensors(sequence)
    return first(parts).__array_namespace__().asarray(parts)


def array_of(sequence: Any) -> Any:
    """The array of a nested sequence of numbers, on the selected backend; a Tensor if there are arrays in it."""
    return _stacked(sequence) if holds_array(sequence) else current_backend().from_python(host_numbers(sequence))


def host_numbers(sequence: Any) -> Any:
    """A nested sequence of numbers as a NumPy array.

    Raises
    ------
    ValueError
        If it is ragged.
    TypeError
        If it does not hold numbers alone.
    """
    import numpy

    try:
        host = numpy.asarray(sequence)
    except ValueError as error:
        raise ValueError(f"nested sequences must be rectangular, but this one is ragged: {error}") from None
    if host.dtype.kind not in "biufc":
        raise TypeError(f"expected numbers, but {type(sequence).__name__} {sequence!r:.80} holds other things")
    return host


def from_numbers(backend: Any, host: Any, like: Any, *, keep: bool = False, weak: bool = False) -> Any:
    """An array of numbers from a sequence beside the array `like`: of the dtype that a Python scalar of their kind would get.

    With `keep`, of the dtype that they have; with `weak`, of that which operators of the library give them beside `like`.

    Raises
    ------
    OverflowError
        If that is one of integers, and cannot hold them.
    """
    if like is None or keep:
        return backend.from_python(host, None, None if like is None else backend.device(like))
    number = {"b": False, "f": 0.5, "c": 0.5j}.get(host.dtype.kind, 0)
    native = backend.from_scalar(number, like).dtype
    if weak and host.dtype.kind == "f" and not backend.dtype_of(like.dtype).inexact:
        with contextlib.suppress(TypeError):  # a strict library has integers and floats apart
            native = (backend.xp.ones_like(like) * number).dtype
    dtype = backend.dtype_of(native)
    if dtype.kind.endswith("integer") and host.dtype.kind in "iu" and host.size:
        import numpy

        limits = numpy.iinfo(dtype.dtype)
        if host.min() < limits.min or host.max() > limits.max:
            raise OverflowError(f"{dtype.name} cannot hold {host.min()} to {host.max()}; make an array of them first")
    return backend.from_python(host, dtype, backend.device(like))


def put(op: Op[..., Any], values: list[Any], items: list[Any]) -> None:
    if op.sequence:
        values[op.arrays[0]] = items
    else:
        for i, item in zip(op.arrays, items):
            values[i] = item


def unwrap(x: Any) -> tuple[Any, Any]:
    """The raw array or Python scalar in an argument, and its node."""
    if isinstance(x, Tensor):
        return x._data, x._node
    if is_numpy_scalar(x):  # before the next line: numpy.float64 is a float
        return x.item(), None
    if isinstance(x, (bool, int, float, complex)):
        return x, None
    if backend_of(x) is None:
        raise NotAnArray(x)
    return x, None


def agree(op: Op[..., Any], items: Iterable[Any]) -> Any:
    """The namespace of the arrays among `items`, all of one backend; of those that hide the most batch axes."""
    found: Any = None
    for item in items:
        if hasattr(item, "dtype"):
            xp = raw_namespace(item)
            if found is None or xp is found:
                found = xp
            elif xp.__backend__.name == found.__backend__.name:
                found = max(xp, found, key=lambda space: space.__backend__.level)
            else:
                one, other = found.__backend__.name, xp.__backend__.name
                raise TypeError(
                    f"{op.name}: got arrays of two backends, {one!r} and {other!r}; nothing moves between backends by "
                    f"itself: move one with xgrad.to_backend(x, {one!r})"
                )
    return current_backend().xp if found is None else found


def promote(xp: Any, items: list[Any]) -> list[Any]:
    """`items` with Python scalars op arrays, of the dtype that the standard promotes them to."""
    if all([hasattr(v, "dtype") for v in items]):
        return items
    backend = xp.__backend__
    like = _like(backend, [v._data if isinstance(v, Tensor) else v for v in items if hasattr(v, "dtype")])
    scalars = (bool, int, float, complex)  # and numpy.float64 is a float, but has a dtype to be kept
    return [backend.from_scalar(v, like) if isinstance(v, scalars) and not hasattr(v, "dtype") else v for v in items]


_KINDS = ("bool", "unsigned integer", "signed integer", "real floating", "complex floating")


def _like(backend: Any, arrays: list[Any]) -> Any:
    """The array whose dtype Python scalars take: of the highest kind, and the widest of that; None if there are none."""
    if len(arrays) < 2:
        return arrays[0] if arrays else None
    return max(arrays, key=lambda v: _rank(backend.dtype_of(v.dtype)))


def _rank(dtype: Any) -> tuple[int, int]:
    return _KINDS.index(dtype.kind), dtype.bits


def same_dtype(xp: Any, items: list[Any]) -> list[Any]:
    """`items` with arrays of different dtypes brought to the one that the standard promotes them to."""
    dtypes = [v.dtype for v in items if hasattr(v, "dtype")]
    if all(dtype == dtypes[0] for dtype in dtypes):
        return items
    dtype = xp.result_type(*dtypes)
    return [xp.astype(v, dtype, copy=False) if hasattr(v, "dtype") else v for v in items]
