"""Exceptions of xgrad, and errors of array libraries in xgrad's terms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

__all__ = ["NoValue", "NotBatchable", "GradientError", "ImaginaryLost", "KindError", "NotAnArray", "Withheld", "raise_explained"]


class NotBatchable(NotImplementedError):
    """An op, or a use of a value, is not possible for a whole batch at once."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"vmap: {name} cannot be batched: {reason}")


class NoValue(NotBatchable):
    """The value of a batched array was asked for, which is another one for each example."""

    def __init__(self) -> None:
        super().__init__(
            "taking a value out (bool(x), float(x), x.item(), x.numpy(), if, while)",
            "x stands for all examples at once, each with a value of its own; choose between values with "
            "xgrad.where(condition, a, b), or call the function in a loop over the examples",
        )


class GradientError(RuntimeError):
    """A gradient does not exist, or would be wrong."""


class Withheld(GradientError, AttributeError):
    """An attribute that a tensor has only if it requires no grad: `hasattr` is False, and who asks for it learns why."""


class KindError(TypeError):
    """An array has a kind of dtype that the function does not take. Its message is complete."""


class NotAnArray(TypeError):
    """An argument is not an array. Operators turn this into NotImplemented."""

    def __init__(self, x: object) -> None:
        if hasattr(x, "requires_grad") and hasattr(x, "_data"):  # a Tensor, where a rule or an op was called on arrays
            super().__init__(
                f"expected an array of a backend, got a {type(x).__name__}: a rule or an op that is given arrays returns arrays; "
                "compute with functions of its xp, not of xgrad"
            )
            return
        advice = "; make an array of it with xgrad.asarray(...)" if isinstance(x, (list, tuple)) else ""
        super().__init__(f"expected a Tensor, an array or a Python scalar, got {type(x).__name__}{advice}")


class ImaginaryLost(TypeError):
    """A conversion from complex to real numbers would drop imaginary parts."""


def raise_explained(error: Exception, op: Any, items: Sequence[Any]) -> NoReturn:
    """Raise the error of a library, or one in xgrad's terms where the reason is known.

    The parameters are those of `_explain`.
    """
    explained = _explain(error, op, items)
    try:
        if explained is error:
            raise explained
        raise explained from error
    finally:  # an error holds its frames; a frame that holds the error would keep all operands alive
        del explained, error


def _explain(error: Exception, op: Any, items: Sequence[Any]) -> Exception:
    """The error to raise where a library refused arguments: its own, shown in xgrad's terms where the reason is known.

    Parameters
    ----------
    error : Exception
        What the library raised.
    op : Op
        What was called.
    items : sequence of arrays, scalars or None
        Its array arguments.
    """
    name, names = op.name, [op.names[i] for i in op.arrays]
    if isinstance(error, KindError):
        return error
    if isinstance(error, RecursionError):
        return RecursionError(
            f"{name}: it calls itself without end; xp.{name} in its body is {name} again, for override=True puts it in the place "
            f"of the library's own function, which is xp.__native__.{name}"
        )
    arrays = [(n, x) for n, x in zip([*names, *[name for name in names[-1:] for _ in items]], items) if hasattr(x, "dtype")]
    shown = ", ".join(f"{n} {tuple(x.shape)} {_plain(x.dtype)}" for n, x in arrays)
    devices = {str(getattr(x, "device", "cpu")) for _, x in arrays}
    if len(devices) > 1:
        places = ", ".join(f"{n} on {x.device}" for n, x in arrays)
        return ValueError(f"{name}: its arrays are on different devices ({places}); move one with x.to_device(...)")
    if len(arrays) > 1 and op.is_elementwise and not _broadcast([tuple(x.shape) for _, x in arrays]):
        return ValueError(f"{name}: the shapes do not broadcast together ({shown}); axes must be equal, or one of them 1")
    if len({_plain(x.dtype) for _, x in arrays}) > 1 and isinstance(error, TypeError) and not isinstance(error, ImaginaryLost):
        return TypeError(f"{name}: the dtypes do not promote ({shown}); convert one with xgrad.astype(x, dtype)")
    error.add_note(f"in {name}" + (f" of {shown}" if shown else ""))
    return error


def _plain(dtype: Any) -> str:
    return str(dtype).rpartition(".")[2]


def _broadcast(shapes: Sequence[tuple[int, ...]]) -> bool:
    width = max(map(len, shapes))
    padded = [(1,) * (width - len(s)) + s for s in shapes]
    return all(len({n for n in axis if n != 1}) <= 1 for axis in zip(*padded))
