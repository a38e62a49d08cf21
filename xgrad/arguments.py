"""What a call may be given: Tensors, arrays of one backend, Python and NumPy scalars; told apart and brought together."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .backend import backend_of, current_backend, is_numpy_scalar, raw_namespace
from .errors import NotAnArray
from .methods import Methods
from .rules import Op

__all__ = ["agree", "in_key", "lift", "open_arguments", "promote", "put", "same_dtype"]


def open_arguments(made: Op[..., Any], arguments: tuple[Any, ...]) -> tuple[list[Any], list[Any], list[Any], list[Any], Any]:
    """The arguments as a list; the arrays among them; what is in those; their nodes; the namespace of their backend."""
    values = list(arguments)
    given = list(values[made.arrays[0]]) if made.sequence else [values[i] for i in made.arrays]
    try:
        lifted = [(None, None) if v is None and made.optional else lift(v) for v in given]
    except NotAnArray as error:
        error.args = (f"{made.name}: {error}",)
        raise
    items, nodes = [a for a, _ in lifted], [n for _, n in lifted]
    xp = agree(made, items if made.key_at is None else [*items, *in_key(values[made.key_at])])
    if xp.__backend__.depth:  # what comes from outside of the batch keeps its node, but inside
        for k, item in enumerate(items):
            if hasattr(item, "dtype") and raw_namespace(item) is not xp:
                items[k], nodes[k] = xp.__backend__.enclose(given[k]), None
    return values, given, items, nodes, xp


def in_key(key: Any) -> list[Any]:
    """The arrays in an index that differ between the examples of a batch."""
    arrays = [getattr(part, "_data", part) for part in (key if isinstance(key, tuple) else (key,)) if hasattr(part, "dtype")]
    return [a for a in arrays if not is_numpy_scalar(a) and raw_namespace(a).__backend__.depth]


def put(made: Op[..., Any], values: list[Any], items: list[Any]) -> None:
    if made.sequence:
        values[made.arrays[0]] = items
    else:
        for i, item in zip(made.arrays, items):
            values[i] = item


def lift(x: Any) -> tuple[Any, Any]:
    """The raw array or Python scalar in an argument, and its node."""
    if isinstance(x, Methods):
        return x._data, x._node
    if is_numpy_scalar(x):  # before the next line: numpy.float64 is a float
        return x.item(), None
    if isinstance(x, (bool, int, float, complex)):
        return x, None
    if backend_of(x) is None:
        raise NotAnArray(x)
    return x, None


def agree(made: Op[..., Any], items: Iterable[Any]) -> Any:
    """The namespace of the arrays among `items`, all of one backend; of those that hide the most batch axes."""
    found: Any = None
    for item in items:
        if hasattr(item, "dtype"):
            xp = raw_namespace(item)
            if found is None or xp is found:
                found = xp
            elif xp.__backend__.name == found.__backend__.name:
                found = max(xp, found, key=lambda space: space.__backend__.depth)
            else:
                one, other = found.__backend__.name, xp.__backend__.name
                raise TypeError(
                    f"{made.name}: got arrays of two backends, {one!r} and {other!r}; nothing moves between backends by "
                    f"itself: move one with xgrad.to_backend(x, {one!r})"
                )
    return current_backend().xp if found is None else found


def promote(xp: Any, items: list[Any]) -> list[Any]:
    """`items` with Python scalars made arrays, of the dtype that the standard promotes them to."""
    if all([hasattr(v, "dtype") for v in items]):
        return items
    arrays = [v._data if isinstance(v, Methods) else v for v in items if hasattr(v, "dtype")]
    backend = xp.__backend__
    like = next((v for v in arrays if not xp.isdtype(v.dtype, "bool")), arrays[0] if arrays else None)
    scalars = (bool, int, float, complex)  # and numpy.float64 is a float, but has a dtype to be kept
    return [backend.from_scalar(v, like) if isinstance(v, scalars) and not hasattr(v, "dtype") else v for v in items]


def same_dtype(xp: Any, items: list[Any]) -> list[Any]:
    """`items` with arrays of different dtypes brought to the one that the standard promotes them to."""
    dtypes = [v.dtype for v in items if hasattr(v, "dtype")]
    if all(dtype == dtypes[0] for dtype in dtypes):
        return items
    dtype = xp.result_type(*dtypes)
    return [xp.astype(v, dtype, copy=False) if hasattr(v, "dtype") else v for v in items]
