"""Lists, tuples and ranges of numbers where an array is expected: they become arrays beside those that are there."""

from __future__ import annotations

import contextlib
from typing import Any

from ..backend.find import is_numpy_scalar
from ..backend.portable import on_host
from ..backend.select import current_backend
from ..graph.declare import Op
from ..graph.kinds import is_complex
from ..tensor.tensor import Tensor

__all__ = ["SEQUENCES", "array_of", "convert", "from_numbers", "holds_array", "host_numbers", "stacked"]

SEQUENCES = (list, tuple, range)


def holds_array(sequence: Any) -> bool:
    """Whether there is a Tensor or an array at any depth in a nested sequence."""
    if isinstance(sequence, range):
        return False
    return any(
        holds_array(v) if isinstance(v, SEQUENCES) else hasattr(v, "dtype") and hasattr(v, "shape") and not is_numpy_scalar(v)
        for v in sequence
    )


def stacked(sequence: Any) -> Any:
    """A nested sequence that has arrays in it as one Tensor, in the graph of those that are Tensors."""

    def tensors(v: Any) -> Any:
        if isinstance(v, SEQUENCES):
            return [tensors(part) for part in v]
        return Tensor(v) if hasattr(v, "dtype") and not isinstance(v, Tensor) and not is_numpy_scalar(v) else v

    def first(v: Any) -> Any:
        leaves = (first(part) if isinstance(part, list) else part for part in v)
        return next((part for part in leaves if isinstance(part, Tensor)), None)

    parts = tensors(sequence)
    return first(parts).__array_namespace__().asarray(parts)


def array_of(sequence: Any) -> Any:
    """The array of a nested sequence of numbers, on the selected backend; a Tensor if there are arrays in it."""
    return stacked(sequence) if holds_array(sequence) else current_backend().from_python(host_numbers(sequence))


def host_numbers(sequence: Any) -> Any:
    """A nested sequence of numbers as a NumPy array.

    Raises
    ------
    ValueError
        If it is ragged.
    TypeError
        If it does not hold numbers alone.
    """
    host = on_host(sequence)
    if host.dtype.kind not in "biufc":
        raise TypeError(f"expected numbers, but {type(sequence).__name__} {sequence!r:.80} holds other things")
    return host


def from_numbers(backend: Any, host: Any, like: Any, *, keep: bool = False, weak: bool = False) -> Any:
    """An array of numbers from a sequence, with the dtype that a Python scalar of their kind would get beside the array `like`.

    With `keep` it has the dtype of the numbers. With `weak` it has the dtype that operators of the library give them.

    Raises
    ------
    OverflowError
        If that is an integer dtype, and cannot hold them.
    """
    if like is None or keep:
        return backend.from_python(host, None, None if like is None else backend.device(like))
    number = {"b": False, "f": 0.5, "c": 0.5j}.get(host.dtype.kind, 0)
    native = backend.from_scalar(number, like).dtype
    if weak and host.dtype.kind == "f" and not backend.dtype_of(like.dtype).inexact:
        with contextlib.suppress(TypeError):  # a strict library does not mix integers and floats
            native = (backend.xp.ones_like(like) * number).dtype
    dtype = backend.dtype_of(native)
    if dtype.kind.endswith("integer") and host.dtype.kind in "iu" and host.size:
        import numpy

        limits = numpy.iinfo(dtype.dtype)
        if host.min() < limits.min or host.max() > limits.max:
            raise OverflowError(f"{dtype.name} cannot hold {host.min()} to {host.max()}; make an array of them first")
    return backend.from_python(host, dtype, backend.device(like))


def convert(op: Op[..., Any], arguments: list[Any], xp: Any, like: Any) -> list[Any]:
    """The array arguments of a call with arrays in place of sequences of numbers, in the raw namespace `xp`.

    `like` is the array whose dtype Python scalars take, or None. Of several sequences, the others follow the one of the
    highest kind.
    """
    arguments = list(arguments)
    hosts = {k: host_numbers(v) for k, v in enumerate(arguments) if isinstance(v, SEQUENCES)}
    for k, host in sorted(hosts.items(), key=lambda pair: "buifc".index(pair[1].dtype.kind), reverse=True):
        name = "" if op.sequence else op.names[op.arrays[k]]
        index = name in op.indices
        host = host if host.size or not index else host.astype("int64")
        beside = like
        if name in getattr(op.forward, "real_only", ()) and host.dtype.kind != "c" and is_complex(xp, like):
            beside = xp.real(like)
        arguments[k] = from_numbers(xp.__backend__, host, beside, keep=index and host.dtype.kind in "iu", weak=op.scalars)
        like = arguments[k] if like is None else like
    return arguments
