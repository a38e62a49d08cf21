"""Data types (conversion, comparison and limits), and moving arrays to another device or backend."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..backend.dtypes import DType, check_fits, dtype_of, get_default_dtype
from ..backend.find import find_backend, is_numpy_scalar, raw_namespace
from ..backend.select import get_backend
from ..engine.define import op
from ..engine.namespaces import creates, namespace
from ..tensor.tensor import ArrayLike, Tensor
from .parts.keys import operand

__all__ = ["astype", "can_cast", "finfo", "iinfo", "isdtype", "result_type", "to_backend", "to_device"]

_KINDS = {
    "bool": ("bool",),
    "signed integer": ("signed integer",),
    "unsigned integer": ("unsigned integer",),
    "integral": ("signed integer", "unsigned integer"),
    "real floating": ("real floating",),
    "complex floating": ("complex floating",),
    "numeric": ("signed integer", "unsigned integer", "real floating", "complex floating"),
}


# ---------------------------------------------------------------------------------------------------------- converting


@op
def astype_(xp: Any, x: ArrayLike, dtype: Any, /, *, copy: bool = True) -> Tensor:
    return xp.astype(x, dtype, copy=copy)


astype_.vjp(x=lambda g: g)
astype_.linear()


def astype(x: ArrayLike, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Tensor:
    """`x` converted to another data type.

    Parameters
    ----------
    x : array
        Of any data type.
    dtype : DType, name or any library's dtype
        The data type of the result.
    copy : bool
        False returns `x` itself if nothing changes.
    device : optional
        The device of the result.

    Returns
    -------
    Tensor
        Of the shape of `x`.

    Raises
    ------
    TypeError
        If `x` is complex and `dtype` is not; use `real` or `imag` first.

    Notes
    -----
    The gradient is `g`, converted back. A conversion to a type that is not floating has none.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.astype(xgrad.asarray([1.5, -1.5]), xgrad.int64)
    Tensor([ 1, -1])
    """
    if isinstance(x, Tensor):
        new = dtype_of(dtype)
        if not copy and new is x.dtype and (device is None or device == x.device):
            return x
        check_fits("astype", x.dtype, new)
    elif isinstance(x, (list, tuple, range)):
        return namespace(get_backend()).asarray(x, dtype=dtype, device=device)  # directly, not via float32, which loses digits
    out = astype_(x, dtype, copy=copy)
    return out if device is None else to_device(out, device)


@op(override=True, passes_through=True)
def to_device_(xp: Any, x: ArrayLike, device: Any, source: Any = None, /) -> Tensor:
    return xp.__backend__.to_device(x, device)


to_device_.vjp(x=lambda xp, g, source: xp.to_device(g, source))
to_device_.linear()


def to_device(x: ArrayLike, device: Any, /) -> Tensor:
    """`x` on another device of its backend.

    Parameters
    ----------
    x : array
        Of any data type.
    device : device
        In the form that the backend uses.

    Returns
    -------
    Tensor
        `x` itself if it is on this device.

    Notes
    -----
    The gradient is `g`, moved back.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.to_device(xgrad.ones(2), "cpu").device
    'cpu'
    """
    x = operand(x)
    x = x if isinstance(x, Tensor) else Tensor(x)
    source = x.device
    return x if device == source else to_device_(x, device, source)


@op(override=True)
def to_backend_(xp: Any, x: ArrayLike, name: str, to: Any = None, source: str = "", device: Any = None, /) -> Tensor:
    return find_backend(name).from_numpy(xp.__backend__.to_numpy(x), to)


to_backend_.vjp(x=lambda xp, g, source, device: xp.to_backend(g, source, device))
to_backend_.linear()


def to_backend(x: ArrayLike, name: str, device: Any = None, /) -> Tensor:
    """`x` as an array of another backend, copied through the host.

    Parameters
    ----------
    x : array
        Of any data type.
    name : str
        The backend, as in `set_backend`.
    device : optional
        A device of that backend.

    Returns
    -------
    Tensor
        Of the shape and dtype of `x`, or `x` itself if it is on this backend.

    Raises
    ------
    ValueError
        If there is no backend of that name.
    BackendError
        If it cannot run on this machine.

    Notes
    -----
    The gradient is `g`, moved back.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.to_backend(xgrad.ones(2), "numpy").backend
    'numpy'
    """
    x = operand(x)
    x = x if isinstance(x, Tensor) else Tensor(x)
    find_backend(name).load()
    if name == x.backend:
        return x if device is None else to_device(x, device)
    return to_backend_(x, name, device, x.backend, x.device)


# ----------------------------------------------------------------------------------------------------------- comparing


def _dtype(x: Any) -> DType:
    """The DType of a data type, an array or a Python scalar."""
    if isinstance(x, Tensor):
        return x.dtype
    if hasattr(x, "shape") and hasattr(x, "dtype") and not isinstance(x, type):
        return raw_namespace(x).__backend__.dtype_of(x.dtype)
    if isinstance(x, float):
        return get_default_dtype()
    if isinstance(x, complex):
        return dtype_of("complex128" if get_default_dtype().name == "float64" else "complex64")
    return dtype_of(type(x) if isinstance(x, (bool, int)) else x)


def isdtype(dtype: Any, kind: Any) -> bool:
    """Whether a data type belongs to a kind of data types.

    Parameters
    ----------
    dtype : DType, name or any library's dtype
        The data type, or an array that has it.
    kind : str or dtype, or tuple of them
        ``"bool"``, ``"signed integer"``, ``"unsigned integer"``, ``"integral"``, ``"real floating"``,
        ``"complex floating"``, ``"numeric"``, or a data type, to compare with.

    Returns
    -------
    bool

    Raises
    ------
    ValueError
        If a string names no kind.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.isdtype(xgrad.float32, "real floating"), xgrad.isdtype(xgrad.int8, (xgrad.int16, "bool"))
    (True, False)
    """
    dtype = _dtype(dtype)
    if isinstance(kind, tuple):
        return any([isdtype(dtype, k) for k in kind])
    if isinstance(kind, str):
        if kind not in _KINDS:
            raise ValueError(f"isdtype: {kind!r} is not a kind of data types; the kinds are {', '.join(_KINDS)}")
        return dtype.kind in _KINDS[kind]
    return dtype is dtype_of(kind)


def can_cast(from_: Any, to: Any, /) -> bool:
    """Whether every value of a data type can be represented in another.

    Parameters
    ----------
    from_ : dtype or array
        The data type to convert from.
    to : dtype
        The data type to convert to.

    Returns
    -------
    bool

    Examples
    --------
    >>> import xgrad
    >>> xgrad.can_cast(xgrad.float32, xgrad.float64), xgrad.can_cast(xgrad.float64, xgrad.float32)
    (True, False)
    """
    a, b = _dtype(from_), dtype_of(to)
    if a is b or a.name == "bool":
        return True
    if a.name == "bfloat16" or b.name == "bfloat16":  # unknown to NumPy; it has the range of float32
        return (b.inexact and b.bits >= 32) if a.name == "bfloat16" else a.name in ("int8", "uint8")
    import numpy

    return bool(numpy.can_cast(a.name, b.name))


@creates
def result_type(xp: Any, *arrays_and_dtypes: Any) -> DType:
    """The data type that arrays, data types and Python scalars promote to.

    Parameters
    ----------
    *arrays_and_dtypes : array, dtype or scalar
        A Python scalar counts only if its kind is higher than that of the arrays and data types.

    Returns
    -------
    DType

    Raises
    ------
    TypeError
        If they do not promote on this backend, such as integers with floating types on a strict one.
    ValueError
        If there are no arguments.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.result_type(xgrad.float32, xgrad.ones(2, dtype=xgrad.float64), 1.0)
    xgrad.float64
    >>> xgrad.result_type(xgrad.int8, 2), xgrad.result_type(xgrad.int8, 2.0)
    (xgrad.int8, xgrad.float32)
    """
    arguments = [x.item() if is_numpy_scalar(x) else x for x in arrays_and_dtypes]
    if not arguments:
        raise ValueError("result_type: needs at least one array, data type or scalar")
    scalars = [x for x in arguments if isinstance(x, (bool, int, float, complex))]
    tensors = [x for x in arguments if isinstance(x, Tensor)]
    backend = raw_namespace(tensors[0]._data).__backend__ if tensors else xp.__backend__
    dtypes = list(dict.fromkeys(_dtype(x) for x in arguments if not isinstance(x, (bool, int, float, complex))))
    if not dtypes:
        return max((_dtype(x) for x in scalars), key=_rank)
    dtype = dtypes[0]
    if len(dtypes) > 1:
        try:
            dtype = backend.dtype_of(backend.xp.result_type(*(backend.native_dtype(d) for d in dtypes)))
        except TypeError as error:
            names = ", ".join(d.name for d in dtypes)
            raise TypeError(f"result_type: {names} do not promote on {backend.name!r}; convert one with xgrad.astype") from error
    if scalars:
        high = max((_dtype(x) for x in scalars), key=_rank)
        if _rank(high) > _rank(dtype):
            wide = high.kind == "complex floating" and dtype.name == "float64"
            dtype = dtype_of("complex128") if wide else high
    return dtype


def _rank(dtype: DType) -> int:
    return {"bool": 0, "real floating": 2, "complex floating": 3}.get(dtype.kind, 1)


# -------------------------------------------------------------------------------------------------------------- limits


class FloatInfo(NamedTuple):
    """The limits of a floating data type."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    dtype: DType


class IntegerInfo(NamedTuple):
    """The limits of an integer data type."""

    bits: int
    max: int
    min: int
    dtype: DType


_MANTISSA = {"float16": (10, -14, 15), "bfloat16": (7, -126, 127), "float32": (23, -126, 127), "float64": (52, -1022, 1023)}


def finfo(type: Any, /) -> FloatInfo:
    """The limits of a floating data type.

    Parameters
    ----------
    type : dtype or array
        Floating; for a complex one, the limits are those of its parts.

    Returns
    -------
    FloatInfo
        With ``bits``, ``eps``, ``max``, ``min``, ``smallest_normal`` and ``dtype``.

    Raises
    ------
    TypeError
        If the data type is not floating.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.finfo(xgrad.float32).eps == 2**-23
    True
    """
    dtype = _dtype(type)
    if not dtype.inexact:
        raise TypeError(f"finfo: {dtype.name} is not a floating data type; use iinfo for integers")
    part = dtype_of({"complex64": "float32", "complex128": "float64"}.get(dtype.name, dtype.name))
    digits, low, high = _MANTISSA[part.name]
    largest = (2.0 - 2.0**-digits) * 2.0**high
    return FloatInfo(part.bits, 2.0**-digits, largest, -largest, 2.0**low, part)


def iinfo(type: Any, /) -> IntegerInfo:
    """The limits of an integer data type.

    Parameters
    ----------
    type : dtype or array
        Of integers.

    Returns
    -------
    IntegerInfo
        With ``bits``, ``max``, ``min`` and ``dtype``.

    Raises
    ------
    TypeError
        If the data type is not an integer type.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.iinfo(xgrad.int8).max
    127
    """
    dtype = _dtype(type)
    if dtype.kind not in _KINDS["integral"]:
        raise TypeError(f"iinfo: {dtype.name} is not an integer data type; use finfo for floating ones")
    if dtype.kind == "unsigned integer":
        return IntegerInfo(dtype.bits, 2**dtype.bits - 1, 0, dtype)
    return IntegerInfo(dtype.bits, 2 ** (dtype.bits - 1) - 1, -(2 ** (dtype.bits - 1)), dtype)
