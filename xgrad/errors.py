"""What users are told when something is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["GradientError", "KindError", "NotAnArray", "explain"]


class GradientError(RuntimeError):
    """A gradient was asked for that does not exist, or that would be wrong."""


class KindError(TypeError):
    """An array is of a kind of numbers that the function does not take; the message says all that there is to say."""


class NotAnArray(TypeError):
    """An argument that should be an array is none; operators turn this into NotImplemented."""

    def __init__(self, x: object) -> None:
        advice = "; make an array of it with xgrad.asarray(...)" if isinstance(x, (list, tuple)) else ""
        super().__init__(f"expected a Tensor, an array or a Python scalar, got {type(x).__name__}{advice}")


def explain(error: Exception, name: str, names: Sequence[str], items: Sequence[Any]) -> Exception:
    """The error to raise where a library refused arguments: its own, told in xgrad's terms where the reason is known.

    Parameters
    ----------
    error : Exception
        What the library raised.
    name : str
        The op.
    names : sequence of str
        The names of its array arguments.
    items : sequence of arrays, scalars or None
        What they were given.
    """
    if isinstance(error, KindError):
        return error
    if isinstance(error, RecursionError):
        return RecursionError(
            f"{name}: it calls itself without end; xp.{name} in its body is {name} again, for override=True puts it in the place "
            f"of the library's own function, which is xp.__native__.{name}"
        )
    arrays = [(n, x) for n, x in zip([*names, *[name for name in names[-1:] for _ in items]], items) if hasattr(x, "dtype")]
    told = ", ".join(f"{n} {tuple(x.shape)} {_plain(x.dtype)}" for n, x in arrays)
    devices = {str(getattr(x, "device", "cpu")) for _, x in arrays}
    if len(devices) > 1:
        places = ", ".join(f"{n} on {x.device}" for n, x in arrays)
        return ValueError(f"{name}: its arrays are on different devices ({places}); move one with x.to_device(...)")
    if len(arrays) > 1 and name in _BROADCASTING and not _broadcast([tuple(x.shape) for _, x in arrays]):
        return ValueError(f"{name}: the shapes do not broadcast together ({told}); axes must be equal, or one of them 1")
    if len({_plain(x.dtype) for _, x in arrays}) > 1 and isinstance(error, TypeError):
        return TypeError(f"{name}: the dtypes do not promote ({told}); convert one with xgrad.astype(x, dtype)")
    error.add_note(f"in {name}" + (f" of {told}" if told else ""))
    return error


_BROADCASTING = frozenset(
    "add subtract multiply divide pow maximum minimum atan2 hypot logaddexp copysign nextafter floor_divide remainder equal "
    "not_equal less less_equal greater greater_equal logical_and logical_or logical_xor bitwise_and bitwise_or bitwise_xor "
    "bitwise_left_shift bitwise_right_shift where clip".split()
)


def _plain(dtype: Any) -> str:
    return str(dtype).rpartition(".")[2]


def _broadcast(shapes: Sequence[tuple[int, ...]]) -> bool:
    width = max(map(len, shapes))
    padded = [(1,) * (width - len(s)) + s for s in shapes]
    return all(len({n for n in axis if n != 1}) <= 1 for axis in zip(*padded))
