"""The table of NumPy's functions on Tensors, and what those functions do to their arguments first.

Each function in the table has NumPy's signature. Parameters that have no meaning for Tensors, such as ``out``, ``where`` and
``order``, are left out, so that passing one is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from .. import ops
from ..backend.find import is_numpy_scalar
from ..engine.namespaces import namespace
from ..errors import GradientError
from ..tensor.tensor import Tensor

__all__ = [
    "FUNCTIONS", "as_shape", "as_tensor", "as_tensors", "check_writable", "flat_without_axis", "implements", "operands",
    "to_host",
]  # fmt: skip

F = TypeVar("F", bound=Callable[..., Any])

FUNCTIONS: dict[str, Callable[..., Any]] = {}
"""The functions of Tensors by NumPy's name, less ``numpy.``."""


def implements(*names: str) -> Callable[[F], F]:
    """Enter a function into the table under one or more names of NumPy's."""

    def enter(function: F) -> F:
        FUNCTIONS.update(dict.fromkeys(names, function))
        return function

    return enter


def as_tensor(x: Any) -> Any:
    """`x` as a Tensor."""
    return x if isinstance(x, Tensor) else Tensor(x)


def as_tensors(items: Iterable[Any]) -> list[Any]:
    """`items` as Tensors; numbers and lists get the backend, device and dtype of the first Tensor among them."""
    items = list(items)
    like: Any = next((x for x in items if isinstance(x, Tensor)), None)
    return [x if isinstance(x, Tensor) else as_tensor(x) if like is None or _is_array(x) else _beside(like, x) for x in items]


def operands(*items: Any) -> Sequence[Any]:
    """`items` as `as_tensors` makes them for an op, which takes arrays as they are."""
    return items if all([isinstance(x, Tensor) or _is_array(x) for x in items]) else as_tensors(items)


def _beside(like: Any, x: Any) -> Any:
    """`x`, a number or nested lists, as a Tensor beside `like`: of its dtype, if that can hold the numbers."""
    asarray = namespace(like.backend).asarray
    array = asarray(x, device=like.device)
    fits = like.dtype.inexact and (array.dtype.kind != "complex floating" or like.dtype.kind == "complex floating")
    return asarray(x, dtype=like.dtype, device=like.device) if fits else array


def _is_array(x: Any) -> bool:
    return hasattr(x, "dtype") and not is_numpy_scalar(x)


def as_shape(shape: Any) -> tuple[int, ...]:
    """A shape, which may be given as one integer."""
    return tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)


def flat_without_axis(a: Any, axis: int | None = None) -> Any:
    """`a`, flattened if `axis` is None, for functions of NumPy that flatten their argument then."""
    return ops.reshape(as_tensor(a), (-1,)) if axis is None else a


def to_host(x: Any) -> Any:
    """A Tensor as a NumPy array; any other argument as it is."""
    return x.detach().numpy() if isinstance(x, Tensor) else x


def check_writable(label: str, x: Any) -> None:
    """Raise a GradientError if `x`, to which a Tensor shall be written, is no Tensor itself."""
    if not isinstance(x, Tensor):
        raise GradientError(
            f"{label}: a tensor would leave its graph when written into a NumPy array; write into a Tensor, or use "
            "x.detach().numpy() if no gradient is wanted"
        )
