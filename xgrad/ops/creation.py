"""Functions that create arrays, on the selected backend or on the backend that the namespace is bound to.

Without a data type, floats have the default data type, float32, on every backend, and integers have int64. An array that is
created from a Tensor that requires grad stays in its graph, or the call raises an error: no gradient is lost silently.
"""

from __future__ import annotations

import operator
from typing import Any

from ..backend.dtypes import check_fits, dtype_of, get_default_dtype
from ..backend.find import backend_of, is_numpy_scalar, raw_namespace
from ..backend.protocol import Backend
from ..engine.define import composite, op
from ..engine.namespaces import creates, namespace
from ..errors import GradientError
from ..tensor.tensor import ArrayLike, Tensor

__all__ = [
    "arange", "asarray", "empty", "empty_like", "eye", "from_dlpack", "full", "full_like", "linspace", "meshgrid", "ones",
    "ones_like", "tril", "triu", "zeros", "zeros_like", "new_zeros",
]  # fmt: skip

Shape = int | tuple[int, ...]


# ----------------------------------------------------------------------------------------------------------- arguments


def _shape(name: str, shape: Any) -> tuple[int, ...]:
    if isinstance(shape, Tensor):
        shape = shape.tolist()
    try:
        lengths = tuple(operator.index(n) for n in shape) if isinstance(shape, (tuple, list)) else (operator.index(shape),)
    except TypeError:
        raise TypeError(f"{name}: a shape is an integer or a tuple of integers, not {shape!r:.60}") from None
    if any(n < 0 for n in lengths):
        raise ValueError(f"{name}: shape {lengths} has a negative length")
    return lengths


def _stays(x: Any) -> bool:
    """Whether `x` is a Tensor that must not be converted to a number: it requires grad, or belongs to an interpreter."""
    return isinstance(x, Tensor) and (x.requires_grad or raw_namespace(x._data).__backend__.level > 0)


def _number(name: str, argument: str, value: Any) -> Any:
    """The value of an argument as a Python scalar."""
    if isinstance(value, Tensor):
        if value.requires_grad:
            raise GradientError(f"{name}: {argument} requires grad, and no gradient flows through {name}; pass x.detach()")
        return value.item()
    if isinstance(value, (bool, int, float, complex)) and not is_numpy_scalar(value):
        return value
    if is_numpy_scalar(value) or (hasattr(value, "shape") and tuple(value.shape) == ()):
        return value.item()
    if hasattr(value, "__index__"):
        return operator.index(value)
    raise TypeError(f"{name}: {argument} must be a number, not {type(value).__name__} {value!r:.60}")


def _default(xp: Any, *values: Any) -> Any:
    """The native data type of Python scalars; that of floats if there are none."""
    real = get_default_dtype().name
    if any(isinstance(v, complex) for v in values):
        name = "complex128" if real == "float64" else "complex64"
    elif not values or any(isinstance(v, float) for v in values):
        name = real
    else:
        name = "bool" if all(isinstance(v, bool) for v in values) else "int64"
    return xp.__backend__.native_dtype(name)


# ----------------------------------------------------------------------------------------------------- from other arrays


@op(elementwise=True)
def clone(xp: Any, x: ArrayLike, /) -> Tensor:
    """A differentiable copy with its own memory."""
    return xp.asarray(x, copy=True)


clone.vjp(x=lambda g: g)


@creates
def asarray(xp: Any, obj: Any, /, *, dtype: Any = None, device: Any = None, copy: bool | None = None) -> Tensor:
    """An array from an array, a scalar or a nested sequence.

    Parameters
    ----------
    obj : Tensor, array, scalar, or nested sequence of scalars and Tensors
        A Tensor stays in its graph. An array of this backend is wrapped; a NumPy array is accepted on every backend. Python
        floats get the default data type and integers int64.
    dtype : DType, name or any library's dtype, optional
        The data type of the result.
    device : optional
        The device of the result.
    copy : bool, optional
        True copies, False raises where a copy is needed, None copies where it is needed.

    Returns
    -------
    Tensor
        `obj` itself if it is a Tensor and nothing changes.

    Raises
    ------
    TypeError
        If `obj` is on another backend, or does not hold numbers.
    ValueError
        If nested sequences are ragged, or a copy is needed and `copy` is False.

    Notes
    -----
    The gradient of each Tensor in `obj` is its part of `g`.

    Examples
    --------
    >>> import xgrad
    >>> t = xgrad.asarray(0.5).requires_grad_()
    >>> xgrad.asarray([[t, 1.0], [0, t * t]])
    Tensor([[0.5 , 1.  ],
            [0.  , 0.25]], op='reshape')
    """
    backend: Backend = xp.__backend__
    if isinstance(obj, Tensor):
        return _of_tensor(backend, obj, dtype, device, copy)
    if isinstance(obj, (list, tuple)) and _holds_tensor(obj):
        if copy is False:
            raise ValueError("asarray: copy=False, but a nested sequence must be copied")
        stacked = _nested(backend, obj, device)
        return stacked if dtype is None else stacked.astype(dtype, copy=False)
    source = None if is_numpy_scalar(obj) else backend_of(obj)
    if source is backend:
        if dtype is not None:
            check_fits("asarray", obj.dtype, dtype)
        return xp.asarray(obj, dtype=dtype, device=device, copy=copy)
    if source is not None and source.name != "numpy":
        raise TypeError(
            f"asarray: got an array of backend {source.name!r}, but arrays are created on {backend.name!r}, and nothing moves "
            f"between backends implicitly: xgrad.Tensor(x) wraps it, xgrad.to_backend(x, {backend.name!r}) moves it"
        )
    if copy is False:
        raise ValueError(f"asarray: copy=False, but {type(obj).__name__} must be copied to become an array of {backend.name!r}")
    if source is not None:
        array = backend.from_numpy(obj.copy(), device)  # a copy, so that two libraries do not write to the same memory
        return array if dtype is None else xp.astype(array, dtype, copy=False)
    return backend.from_python(obj, dtype, device)


def _of_tensor(backend: Backend, x: Tensor, dtype: Any, device: Any, copy: bool | None) -> Tensor:
    if x.backend != backend.name:
        raise TypeError(
            f"asarray: got a Tensor on backend {x.backend!r}, but arrays are created on {backend.name!r}, and nothing moves "
            f"between backends implicitly: move it with xgrad.to_backend(x, {backend.name!r})"
        )
    same = (dtype is None or dtype_of(dtype) is x.dtype) and (device is None or device == x.device)
    if same:
        return clone(x) if copy else x
    if copy is False:
        raise ValueError(f"asarray: copy=False, but x must be copied to change its dtype {x.dtype.name} or device {x.device}")
    xp = x.__array_namespace__()
    return xp.astype(x, x.dtype if dtype is None else dtype, copy=False, device=device)


def _holds_tensor(obj: Any) -> bool:
    return isinstance(obj, Tensor) or (isinstance(obj, (list, tuple)) and any(_holds_tensor(part) for part in obj))


def _nested(backend: Backend, obj: Any, device: Any) -> Tensor:
    """The Tensor of a nested sequence that contains Tensors."""
    xp = namespace(backend.name)
    shape, leaves = _flatten(obj)
    tensors = [x for x in leaves if isinstance(x, Tensor)]
    device = tensors[0].device if device is None and len({str(x.device) for x in tensors}) == 1 else device
    parts = [x if isinstance(x, Tensor) else xp.asarray(x, device=device) for x in leaves]
    dtype = xp.result_type(*tensors, *(x for x in leaves if isinstance(x, (bool, int, float, complex))))
    shapes = sorted({x.shape for x in parts})
    if len(shapes) > 1:
        raise ValueError(f"asarray: nested sequences must be rectangular, but parts have the shapes {shapes}")
    parts = [_of_tensor(backend, x, dtype, device, None) for x in parts]
    return xp.reshape(xp.stack(parts), (*shape, *parts[0].shape))


def _flatten(obj: Any) -> tuple[tuple[int, ...], list[Any]]:
    """The shape of nested sequences and their parts, down to the level of the Tensors; deeper sequences are parts themselves."""
    depth = _depth(obj)

    def walk(part: Any, left: int) -> tuple[tuple[int, ...], list[Any]]:
        if left == 0:
            return (), [part]
        if not isinstance(part, (list, tuple)):
            raise ValueError("asarray: nested sequences must be rectangular, but this one is ragged")
        below = [walk(p, left - 1) for p in part]
        if len({shape for shape, _ in below}) > 1:
            raise ValueError("asarray: nested sequences must be rectangular, but this one is ragged")
        return (len(part), *below[0][0]), [leaf for _, leaves in below for leaf in leaves]

    return walk(obj, depth)


def _depth(obj: Any) -> int:
    """How many levels of sequences are above the Tensors in `obj`."""
    if isinstance(obj, Tensor):
        return 0
    return 1 + min(_depth(part) for part in obj if _holds_tensor(part))


@creates
def from_dlpack(xp: Any, x: Any, /, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """An array that shares the memory of another library's array.

    Parameters
    ----------
    x : Tensor, or object with ``__dlpack__``
        A Tensor of this backend is returned unchanged, in its graph.
    device : optional
        The device of the result.
    copy : bool, optional
        True copies, False raises where a copy is needed, None copies where it is needed.

    Returns
    -------
    Tensor

    Raises
    ------
    GradientError
        If `x` is a Tensor of another backend that requires grad; `to_backend` moves it with its graph.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.from_dlpack(np.ones(2))
    Tensor([1., 1.], dtype=float64)
    """
    if isinstance(x, Tensor):
        if x.backend == xp.__backend__.name:
            return _of_tensor(xp.__backend__, x, None, device, copy)
        if x.requires_grad:
            raise GradientError(
                "from_dlpack: x requires grad, and the array would lose its graph; move it with "
                f"xgrad.to_backend(x, {xp.__backend__.name!r}), which keeps the graph, or pass x.detach()"
            )
        x = x._data
    options = {name: value for name, value in (("device", device), ("copy", copy)) if value is not None}
    return xp.from_dlpack(x, **options)


# -------------------------------------------------------------------------------------------------------- from a shape


@creates
def zeros(xp: Any, shape: Shape, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Zeros.

    Parameters
    ----------
    shape : int or tuple of int
        The shape of the array.
    dtype : optional
        The default data type if not given.
    device : optional
        The device of the result.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError
        If `shape` does not consist of integers.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.zeros(3)
    Tensor([0., 0., 0.])
    """
    return xp.zeros(_shape("zeros", shape), dtype=dtype or _default(xp), device=device)


@creates
def ones(xp: Any, shape: Shape, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Ones; see `zeros`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.ones(3, dtype="int64")
    Tensor([1, 1, 1])
    """
    return xp.ones(_shape("ones", shape), dtype=dtype or _default(xp), device=device)


@creates
def empty(xp: Any, shape: Shape, *, dtype: Any = None, device: Any = None) -> Tensor:
    """An array with uninitialized values; see `zeros`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.empty((2, 3)).shape
    (2, 3)
    """
    return xp.empty(_shape("empty", shape), dtype=dtype or _default(xp), device=device)


@creates
def full(xp: Any, shape: Shape, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """An array filled with one value.

    Parameters
    ----------
    shape : int or tuple of int
        The shape of the array.
    fill_value : scalar or 0-d Tensor
        The value; a Tensor that requires grad stays in its graph.
    dtype : optional
        If not given: the default data type for floats, int64 for integers, bool for booleans.
    device : optional
        The device of the result.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError
        If `shape` does not consist of integers, or `fill_value` is not a number.

    Notes
    -----
    The gradient for a Tensor `fill_value` is the sum of `g`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.full(2, 1.0)
    Tensor([1., 1.])
    """
    shape = _shape("full", shape)
    if isinstance(fill_value, Tensor):
        if fill_value.ndim:
            raise ValueError(f"full: fill_value has shape {fill_value.shape}; it must be 0-d")
        value = _of_tensor(xp.__backend__, fill_value, dtype, device, None)
        return clone(value.__array_namespace__().broadcast_to(value, shape))
    value = _number("full", "fill_value", fill_value)
    if dtype is not None and value.__class__ is complex:
        check_fits("full", complex, dtype)
    return xp.full(shape, value, dtype=dtype or _default(xp, value), device=device)


@creates
def eye(xp: Any, n_rows: int, n_cols: int | None = None, /, *, k: int = 0, dtype: Any = None, device: Any = None) -> Tensor:
    """A matrix with ones on a diagonal and zeros elsewhere.

    Parameters
    ----------
    n_rows, n_cols : int
        Its shape; square if `n_cols` is not given.
    k : int
        The diagonal: positive above the main one, negative below.
    dtype : optional
        The default data type if not given.
    device : optional
        The device of the result.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import xgrad
    >>> xgrad.eye(2)
    Tensor([[1., 0.],
            [0., 1.]])
    """
    rows, cols = _shape("eye", (n_rows, n_rows if n_cols is None else n_cols))
    return xp.eye(rows, cols, k=k, dtype=dtype or _default(xp), device=device)


@creates
def arange(
    xp: Any, start: float, /, stop: float | None = None, step: float = 1, *, dtype: Any = None, device: Any = None
) -> Tensor:
    """Evenly spaced numbers from `start` to `stop`, without `stop`.

    Parameters
    ----------
    start, stop, step : number
        With one argument, it is `stop`, and `start` is 0.
    dtype : optional
        If not given: int64 if all are integers, else the default data type.
    device : optional
        The device of the result.

    Returns
    -------
    Tensor
        With one axis.

    Raises
    ------
    GradientError
        If a bound is a Tensor that requires grad.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.arange(3), xgrad.arange(0.0, 1.0, 0.5)
    (Tensor([0, 1, 2]), Tensor([0. , 0.5]))
    """
    start, step = _number("arange", "start", start), _number("arange", "step", step)
    start, stop = (0, start) if stop is None else (start, _number("arange", "stop", stop))
    if step == 0:
        raise ValueError("arange: step is 0")
    dtype = dtype or _default(xp, start, stop, step, 0)
    if (stop - start) * step <= 0:  # some libraries refuse to create an empty range
        return xp.zeros(0, dtype=dtype, device=device)
    return xp.arange(start, stop, step, dtype=dtype, device=device)


@creates
def linspace(
    xp: Any, start: ArrayLike, stop: ArrayLike, /, num: int, *, dtype: Any = None, device: Any = None, endpoint: bool = True
) -> Tensor:
    """`num` evenly spaced numbers from `start` to `stop`.

    Parameters
    ----------
    start, stop : number or 0-d Tensor
        The ends; Tensors that require grad stay in their graph.
    num : int
        The number of elements.
    dtype : optional
        If not given, that of the floating Tensors among the ends; the default data type, real or complex, if there are none.
    device : optional
        The device of the result; that of the floating Tensors among the ends, if not given.
    endpoint : bool
        Whether `stop` is the last element; else it would be the next one.

    Returns
    -------
    Tensor
        With one axis.

    Raises
    ------
    TypeError
        If `num` is not an integer.
    ValueError
        If `num` is negative.

    Notes
    -----
    Element ``i`` is ``start (1 - t) + stop t`` with ``t = i / (num - 1)``, or ``i / num`` without the endpoint. The gradients for
    Tensors follow from this.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.linspace(0, 1, 5)
    Tensor([0.  , 0.25, 0.5 , 0.75, 1.  ])
    """
    (num,) = _shape("linspace", num)
    tracked = [v for v in (start, stop) if _stays(v)]
    if tracked:
        space = tracked[0].__array_namespace__()
        steps = max(num - 1 if endpoint else num, 1)
        t = space.arange(num, dtype=tracked[0].dtype, device=tracked[0].device) / steps
        y = start * (1 - t) + stop * t
        return y if dtype is None else y.astype(dtype)
    floating = [v for v in (start, stop) if isinstance(v, Tensor) and v.dtype.inexact]  # as where they are tracked
    if floating:
        widest = max((v.dtype for v in floating), key=lambda dtype: (dtype.kind, dtype.bits))
        dtype = xp.__backend__.native_dtype(widest) if dtype is None else dtype
        device = floating[0].device if device is None else device
    start, stop = _number("linspace", "start", start), _number("linspace", "stop", stop)
    if dtype is not None and complex in (start.__class__, stop.__class__):
        check_fits("linspace", complex, dtype)
    dtype = dtype or _default(xp, 0.0, start, stop)
    return xp.linspace(start, stop, num, dtype=dtype, device=device, endpoint=endpoint)


# ----------------------------------------------------------------------------------------------------- like another array


@op
def zeros_like(xp: Any, x: ArrayLike, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Zeros in the shape of `x`.

    Parameters
    ----------
    x : array
        Its shape is used, and its data type and device unless others are given.
    dtype, device : optional
        Of the result.

    Returns
    -------
    Tensor
        It does not require grad, since it does not depend on the values of `x`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.zeros_like(xgrad.ones(2))
    Tensor([0., 0.])
    """
    return xp.zeros_like(x, dtype=dtype, device=device)


zeros_like.not_differentiable()


@op
def ones_like(xp: Any, x: ArrayLike, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """Ones in the shape of `x`; see `zeros_like`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.ones_like(xgrad.zeros(2))
    Tensor([1., 1.])
    """
    return xp.ones_like(x, dtype=dtype, device=device)


ones_like.not_differentiable()


@op
def empty_like(xp: Any, x: ArrayLike, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    """An array in the shape of `x` with uninitialized values; see `zeros_like`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.empty_like(xgrad.zeros((2, 3))).shape
    (2, 3)
    """
    return xp.empty_like(x, dtype=dtype, device=device)


empty_like.not_differentiable()


@op
def full_like_(xp: Any, x: ArrayLike, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    if fill_value.__class__ is complex:
        check_fits("full_like", complex, x.dtype if dtype is None else dtype)
    return xp.full_like(x, fill_value, dtype=dtype, device=device)


full_like_.not_differentiable()


def full_like(x: ArrayLike, /, fill_value: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """An array in the shape of `x`, filled with one value.

    Parameters
    ----------
    x : array
        Its shape is used, and its data type and device unless others are given.
    fill_value : scalar or 0-d Tensor
        The value; a Tensor that requires grad stays in its graph.
    dtype, device : optional
        Of the result.

    Returns
    -------
    Tensor

    Notes
    -----
    There is no gradient for `x`. The gradient for a Tensor `fill_value` is the sum of `g`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.full_like(xgrad.zeros(2), 7.0)
    Tensor([7., 7.])
    """
    if _stays(fill_value):
        like = x if isinstance(x, Tensor) else Tensor(x)
        xp = fill_value.__array_namespace__()
        dtype = like.dtype if dtype is None else dtype
        return xp.full(like.shape, fill_value, dtype=dtype, device=device)
    return full_like_(x, _number("full_like", "fill_value", fill_value), dtype=dtype, device=device)


# ------------------------------------------------------------------------------------------------- from other arrays' parts


@op
def tril(xp: Any, x: ArrayLike, /, *, k: int = 0) -> Tensor:
    """The lower triangles of matrices, with zeros above them.

    Parameters
    ----------
    x : array
        Of shape (..., m, n).
    k : int
        The last diagonal that is kept: positive above the main one, negative below.

    Returns
    -------
    Tensor
        Of the shape and dtype of `x`.

    Notes
    -----
    The gradient is ``tril(g, k=k)``.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.tril(xgrad.ones((2, 2)))
    Tensor([[1., 0.],
            [1., 1.]])
    """
    return xp.tril(x, k=k)


tril.vjp(x=lambda xp, g, k: xp.tril(g, k=k))
tril.linear()


@op
def triu(xp: Any, x: ArrayLike, /, *, k: int = 0) -> Tensor:
    """The upper triangles of matrices, with zeros below them.

    Parameters
    ----------
    x : array
        Of shape (..., m, n).
    k : int
        The first diagonal that is kept: positive above the main one, negative below.

    Returns
    -------
    Tensor
        Of the shape and dtype of `x`.

    Notes
    -----
    The gradient is ``triu(g, k=k)``.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.triu(xgrad.ones((2, 2)))
    Tensor([[1., 1.],
            [0., 1.]])
    """
    return xp.triu(x, k=k)


triu.vjp(x=lambda xp, g, k: xp.triu(g, k=k))
triu.linear()


@composite
def meshgrid(xp: Any, *arrays: ArrayLike, indexing: str = "xy") -> tuple[Tensor, ...]:
    """The coordinates of a grid, one array for each axis.

    Parameters
    ----------
    *arrays : array
        The positions along each axis; each has one axis.
    indexing : {"xy", "ij"}
        Whether the first two axes of the results are swapped ("xy", Cartesian) or not ("ij", matrix).

    Returns
    -------
    tuple of Tensor
        As many as there are arrays; each has as many axes as there are arrays.

    Raises
    ------
    ValueError
        If `indexing` has another value, or an array has more than one axis.

    Notes
    -----
    The gradient sums `g` over the axes of the other arrays.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.meshgrid(xgrad.arange(2), xgrad.arange(3))[0]
    Tensor([[0, 1],
            [0, 1],
            [0, 1]])
    """
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing is {indexing!r}; it must be 'xy' or 'ij'")
    for x in arrays:
        if x.ndim > 1:
            raise ValueError(f"meshgrid: arrays must have one axis, but one has shape {tuple(x.shape)}")
    n = len(arrays)
    places = list(range(n))
    if indexing == "xy" and n > 1:
        places[:2] = [1, 0]
    lengths = [1] * n
    for axis, x in zip(places, arrays):
        lengths[axis] = x.shape[0] if x.ndim else 1
    return tuple(
        xp.asarray(xp.broadcast_to(xp.reshape(x, (1,) * axis + (-1,) + (1,) * (n - axis - 1)), tuple(lengths)), copy=True)
        for axis, x in zip(places, arrays)
    )


@op(override=True, passes_through=True)
def new_zeros(xp: Any, x: ArrayLike, /, shape: tuple[int, ...], *, dtype: Any = None) -> Tensor:
    """Zeros of any shape on the device of `x`, of its dtype unless another is given.

    >>> import xgrad
    >>> xgrad.new_zeros(xgrad.ones(2), (1, 3))
    Tensor([[0., 0., 0.]])
    """
    return xp.zeros(shape, dtype=x.dtype if dtype is None else dtype, device=xp.__backend__.device(x))


new_zeros.not_differentiable()
