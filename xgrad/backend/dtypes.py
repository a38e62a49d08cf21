"""Data types: one object for each, the same on every backend."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import ImaginaryLost

__all__ = [
    "DType", "dtype_of", "get_default_dtype", "set_default_dtype", "Array", "bool_", "check_fits", "complex128", "complex64",
    "dtype_name", "float64", "int64",
]  # fmt: skip

Array = Any
"""An array of any backend."""


# --------------------------------------------------------------------------------------------------------- data types


class DType:
    """A data type, the same object on every backend.

    Compares equal to the backend's own object of that name (``x.dtype == np.float32``, ``== torch.float32``) and to the
    name itself; NumPy accepts it wherever it takes a dtype.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.zeros(3).dtype
    xgrad.float32
    >>> xgrad.float32 == np.float32, np.zeros(2, dtype=xgrad.float64).dtype
    (True, dtype('float64'))
    """

    __slots__ = ("bits", "inexact", "kind", "name")
    _by_name: dict[str, DType] = {}

    def __init__(self, name: str, kind: str, bits: int) -> None:
        self.name, self.kind, self.bits = name, kind, bits
        self.inexact = kind in ("real floating", "complex floating")
        """Whether values of this type can carry a gradient: real or complex floating point."""
        DType._by_name[name] = self

    @property
    def dtype(self) -> Any:
        """The NumPy dtype of this name (this is how NumPy accepts a `DType`)."""
        import numpy

        return numpy.dtype(self.name)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, DType):
            return self is other
        if isinstance(other, str):
            return self.name == other
        return dtype_name(other) == self.name

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"xgrad.{self.name}"

    def __reduce__(self) -> tuple[Callable[[str], DType], tuple[str]]:
        return (dtype_of, (self.name,))


bool_ = DType("bool", "bool", 8)
int8, int16, int32, int64 = (DType(f"int{n}", "signed integer", n) for n in (8, 16, 32, 64))
uint8, uint16, uint32, uint64 = (DType(f"uint{n}", "unsigned integer", n) for n in (8, 16, 32, 64))
float16, float32, float64 = (DType(f"float{n}", "real floating", n) for n in (16, 32, 64))
bfloat16 = DType("bfloat16", "real floating", 16)
complex64, complex128 = (DType(f"complex{n}", "complex floating", n) for n in (64, 128))

_PYTHON_TYPES = {bool: "bool", int: "int64", float: "float64", complex: "complex128"}  # where they are named, as in NumPy


def dtype_name(dtype: object) -> str:
    """The standard's name of any library's dtype object: ``dtype('float32')``, ``numpy.float32``, ``torch.float32``."""
    if isinstance(dtype, type):
        return _PYTHON_TYPES.get(dtype, dtype.__name__.removesuffix("_"))
    name = getattr(dtype, "name", None)
    if isinstance(name, str):
        return name
    return str(dtype).rpartition(".")[2]


def dtype_of(dtype: object) -> DType:
    """The `DType` that a name, a Python type or any library's dtype object stands for."""
    if isinstance(dtype, DType):
        return dtype
    name = dtype if isinstance(dtype, str) else dtype_name(dtype)
    try:
        return DType._by_name[name]
    except KeyError:
        raise TypeError(f"{dtype!r} is no data type that xgrad knows; it knows {', '.join(sorted(DType._by_name))}") from None


_default_dtype = float32


def get_default_dtype() -> DType:
    """The data type of floating-point arrays that are made without one; float32 unless it was set."""
    return _default_dtype


def set_default_dtype(dtype: object, /) -> None:
    """Set the data type that ``zeros(3)`` and ``asarray(0.5)`` give, on every backend.

    Parameters
    ----------
    dtype : DType or any library's dtype
        A real floating data type.

    Raises
    ------
    TypeError
        If `dtype` is not a real floating data type.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.set_default_dtype(xgrad.float64); xgrad.zeros(2).dtype
    xgrad.float64
    >>> xgrad.set_default_dtype(xgrad.float32)
    """
    global _default_dtype
    default = dtype_of(dtype)
    if default.kind != "real floating":
        raise TypeError(f"set_default_dtype: {default.name} is not a real floating data type; use float32 or float64")
    _default_dtype = default


def check_fits(name: str, have: Any, wanted: Any) -> None:
    """Raise if numbers of the data type `have`, converted to the data type `wanted`, would lose their imaginary parts."""
    have, wanted = dtype_of(have), dtype_of(wanted)
    if have.kind == "complex floating" and wanted.kind != "complex floating":
        raise ImaginaryLost(
            f"{name}: {wanted.name} cannot hold numbers of {have.name}, and would drop their imaginary parts; "
            "take xgrad.real(x) or xgrad.imag(x) first"
        )
