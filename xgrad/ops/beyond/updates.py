"""Functional updates: copies of an array in which some elements are set, added to, multiplied, ...

`at` is the public interface. Where an index names an element twice, ``set`` takes the last value, and the others apply every
value. This holds on every backend, also where the library does not define which of two writes to one element wins.
"""

from __future__ import annotations

import math
from typing import Any, Literal

from ...backend.find import device_of, raw_namespace
from ...backend.portable import in_order, may_repeat, runs
from ...engine.define import composite, op
from ...engine.namespaces import namespace
from ...graph.kinds import takes_real
from ...tensor.tensor import ArrayLike, Tensor
from ..parts.keys import operand, places, raw_key, value_for

__all__ = ["scatter_add", "at", "scatter_max", "scatter_min", "scatter_multiply"]


def _unwrapped(key: Any) -> Any:
    """`key` with the arrays of its Tensors."""
    if isinstance(key, tuple):
        return tuple(_unwrapped(part) for part in key)
    return key._data if isinstance(key, Tensor) else key


@op(passes_through=True)
def scatter_add(xp: Any, x: ArrayLike, key: Any, value: ArrayLike, /) -> Tensor:
    """A copy of `x` with `value` added at ``x[key]``; an element that `key` names twice is added to twice.

    Parameters
    ----------
    x : array
        The array to add to.
    key : index
        As in ``x[key]``.
    value : array
        Of a shape that broadcasts to that of ``x[key]``.

    Notes
    -----
    The gradient is ``g`` for `x` and ``g[key]`` for `value`.

    Examples
    --------
    >>> import xgrad
    >>> scatter_add(xgrad.zeros(3), xgrad.Tensor([0, 0, 1]), xgrad.Tensor([1.0, 10.0, 100.0]))
    Tensor([ 11., 100.,   0.])
    """
    return xp.scatter_add(x, _unwrapped(key), value if value.dtype == x.dtype else xp.astype(value, x.dtype))


scatter_add.vjp(x=lambda g: g, value=lambda xp, g, key: xp.getitem(g, _unwrapped(key)))
scatter_add.jvp(
    x=lambda t: t,
    value=lambda xp, t, x_shape, key: xp.scatter_add(xp.new_zeros(t, x_shape), _unwrapped(key), t),
)


# ----------------------------------------------------------------------------------- several writes to the same element


def _spread(xp: Any, x: Any, value: Any, shape: tuple[int, ...]) -> Any:
    """`value`, broadcast to `shape` and flattened: one number for each write."""
    value = value if value.dtype == x.dtype else xp.astype(value, x.dtype)
    return xp.reshape(xp.broadcast_to(value, shape), (-1,))


def _per_element(xp: Any, x: Any, ascending: Any, values: Any, side: Literal["left", "right"], otherwise: Any) -> Any:
    """For each element of `x`, the first or last of the `values` written to it, or else `otherwise`.

    The values are in the order of their positions, `ascending`, a raw array.
    """
    raw = raw_namespace(ascending)
    everywhere = raw.arange(math.prod(x.shape), dtype=ascending.dtype, device=device_of(x))
    at, written = runs(raw, ascending, everywhere, side)
    return xp.where(raw.reshape(written, tuple(x.shape)), xp.reshape(xp.take(values, at, axis=0), x.shape), otherwise)


def _extreme(xp: Any, x: Any, key: Any, value: Any, name: str, side: Literal["left", "right"]) -> Any:
    # Sorted by value, then stably by position: of the writes to one element the smallest comes first and the largest last.
    key = raw_key(x, key)
    value = value if value.dtype == x.dtype else xp.astype(value, x.dtype)
    if (y := xp.__backend__.scatter_extreme(x, key, value, name)) is not None:
        return y
    positions = places(x, key)
    if 0 in positions.shape:
        return x
    values = _spread(xp, x, value, positions.shape)
    floating = xp.isdtype(values.dtype, "real floating")
    first_nan = floating and side == "left"  # a NaN counts as the smallest then
    by_value = xp.argsort(xp.where(values != values, xp.full_like(values, -math.inf), values) if first_nan else values)
    ascending, order = in_order(xp, xp.take(xp.reshape(positions, (-1,)), by_value, axis=0))
    values = xp.take(xp.take(values, by_value, axis=0), order, axis=0)
    return getattr(xp, name)(x, _per_element(xp, x, ascending, values, side, x))


def _share_of_x(xp: Any, g: Any, x: Any, key: Any, value: Any, y: Any) -> Any:
    return xp.where(x == y, _each(xp, g, x, key, value, y), xp.new_zeros(g, ()))


def _share_of_value(xp: Any, g: Any, x: Any, key: Any, value: Any, y: Any) -> Any:
    key = raw_key(getattr(y, "_data", y), key)
    each = xp.getitem(_each(xp, g, x, key, value, y), key)
    return xp.where(xp.getitem(y, key) == value, each, xp.new_zeros(g, ()))


def _change_by_x(xp: Any, t: Any, x: Any, key: Any, value: Any, y: Any) -> Any:
    return _each(xp, xp.where(x == y, t, xp.new_zeros(t, ())), x, key, value, y)


def _change_by_value(xp: Any, t: Any, x: Any, key: Any, value: Any, y: Any) -> Any:
    key = raw_key(getattr(y, "_data", y), key)
    t = xp.where(xp.getitem(y, key) == value, t, xp.new_zeros(t, ()))
    return _each(xp, xp.scatter_add(xp.new_zeros(t, x.shape), key, t), x, key, value, y)


def _each(xp: Any, g: Any, x: Any, key: Any, value: Any, y: Any) -> Any:
    """The cotangent of each element, divided by the number of values that tie for it, counted in float32 at least."""
    wide = xp.result_type(g.dtype, xp.float32)
    key = raw_key(getattr(y, "_data", y), key)
    hits = xp.astype(xp.getitem(y, key) == value, wide)
    ties = xp.scatter_add(xp.astype(x == y, wide), key, hits)
    return g / xp.maximum(ties, xp.ones_like(ties))


@op(override=True)
@takes_real
def scatter_max(xp: Any, x: ArrayLike, key: Any, value: ArrayLike, /) -> Tensor:
    """A copy of `x` with the larger of ``x[key]`` and `value` at `key`; where `key` names an element twice, the largest value.

    Parameters
    ----------
    x : array
        Of a real data type.
    key : index
        As in ``x[key]``.
    value : array
        Of a shape that broadcasts to that of ``x[key]``.

    Notes
    -----
    The gradient is that of the largest value, shared evenly among values that tie.

    Examples
    --------
    >>> import xgrad
    >>> scatter_max(xgrad.zeros(3), xgrad.Tensor([0, 0, 1]), xgrad.Tensor([1.0, 10.0, -1.0]))
    Tensor([10.,  0.,  0.])
    """
    return _extreme(xp, x, key, value, "maximum", "right")


@op(override=True)
@takes_real
def scatter_min(xp: Any, x: ArrayLike, key: Any, value: ArrayLike, /) -> Tensor:
    """A copy of `x` with the smaller of ``x[key]`` and `value` at `key`; where `key` names an element twice, the smallest value.

    Parameters
    ----------
    x : array
        Of a real data type.
    key : index
        As in ``x[key]``.
    value : array
        Of a shape that broadcasts to that of ``x[key]``.

    Notes
    -----
    The gradient is that of the smallest value, shared evenly among values that tie.

    Examples
    --------
    >>> import xgrad
    >>> scatter_min(xgrad.zeros(3), xgrad.Tensor([0, 0, 1]), xgrad.Tensor([-1.0, -10.0, 1.0]))
    Tensor([-10.,   0.,   0.])
    """
    return _extreme(xp, x, key, value, "minimum", "left")


for _function in (scatter_max, scatter_min):
    _function.vjp(x=_share_of_x, value=_share_of_value)
    _function.jvp(x=_change_by_x, value=_change_by_value)


@composite
def scatter_multiply(xp: Any, x: ArrayLike, key: Any, value: ArrayLike, /) -> Tensor:
    """A copy of `x` with ``x[key]`` multiplied by `value`; an element that `key` names twice is multiplied twice.

    Parameters
    ----------
    x : array
        Of a numeric data type.
    key : index
        As in ``x[key]``.
    value : array
        Of a shape that broadcasts to that of ``x[key]``.

    Notes
    -----
    The gradient contains no division, so it is right where elements are zero.

    Examples
    --------
    >>> import xgrad
    >>> scatter_multiply(xgrad.ones(3), xgrad.Tensor([0, 0, 1]), xgrad.Tensor([2.0, 3.0, 4.0]))
    Tensor([6., 4., 1.])
    """
    raw = getattr(x, "_data", x)
    key = raw_key(raw, key)
    if not may_repeat(key):
        return xp.setitem(x, key, xp.getitem(x, key) * value)
    positions = places(raw, key)
    values = _spread(xp, x, value, positions.shape)
    if 0 in positions.shape:
        return x * 1
    ascending, order = in_order(raw_namespace(positions), positions)
    values = xp.take(values, order, axis=0)
    # In each step a value is multiplied by the one `step` places after it if both have one position: the products double.
    step = 1
    while step < ascending.shape[0]:
        same = ascending[:-step] == ascending[step:]
        values = xp.concat([xp.where(same, values[:-step] * values[step:], values[:-step]), values[-step:]], axis=0)
        step *= 2
    return x * _per_element(xp, x, ascending, values, "left", xp.ones_like(x))


# ------------------------------------------------------------------------------------------------------------------- at


class at:  # noqa: N801  (it is called like a function)
    """Functional updates of an array: ``at(x, key).set(v)`` is a copy of `x` with ``x[key] = v``.

    It can also be written ``at(x)[key].set(v)``, as in array-api-extra, and for a Tensor ``x.at[key].set(v)``, as in JAX. All
    methods are differentiable in `x` and in the value, to any order and on every backend.

    Parameters
    ----------
    x : array
        The array, which is not changed.
    key : index, optional
        As in ``x[key]``.

    Notes
    -----
    Where `key` names an element twice, `set` takes the last value, as NumPy does, and the others apply every value.

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.Tensor([1.0, 2.0, 3.0])
    >>> xgrad.at(x, slice(0, 2)).set(0.0)
    Tensor([0., 0., 3.])
    >>> x.at[[0, 0]].add(10.0)
    Tensor([21.,  2.,  3.])
    """

    __slots__ = ("_key", "_x")
    _no_key = object()

    def __init__(self, x: ArrayLike, key: Any = _no_key, /) -> None:
        self._x, self._key = operand(x), key

    def __getitem__(self, key: Any, /) -> at:
        if self._key is not self._no_key:
            raise ValueError(f"at(x, key)[...]: the index is already given, {self._key!r:.60}")
        return at(self._x, key)

    def _parts(self, method: str, value: Any) -> tuple[Any, ArrayLike, Any, Any]:
        """The namespace of the array, the array, the index, and the value in a form that can be written into the array."""
        if self._key is self._no_key:
            raise TypeError(f"at(x).{method}: there is no index; write at(x, key).{method}(...) or x.at[key].{method}(...)")
        raw = getattr(self._x, "_data", self._x)
        xp = namespace(raw_namespace(raw).__backend__.name)
        return xp, self._x, raw_key(raw, self._key), value_for(raw, value)

    def get(self) -> Tensor:
        """``x[key]``."""
        xp, x, key, _ = self._parts("get", 0)
        return xp.getitem(x, key)

    def set(self, value: ArrayLike, /) -> Tensor:
        """A copy of the array with ``x[key] = value``."""
        xp, x, key, value = self._parts("set", value)
        return xp.setitem(x, key, value)

    def add(self, value: ArrayLike, /) -> Tensor:
        """A copy of the array with `value` added at the index."""
        xp, x, key, value = self._parts("add", value)
        return xp.scatter_add(x, key, value)

    def subtract(self, value: ArrayLike, /) -> Tensor:
        """A copy of the array with `value` subtracted at the index."""
        xp, x, key, value = self._parts("subtract", value)
        return xp.scatter_add(x, key, -value)

    def multiply(self, value: ArrayLike, /) -> Tensor:
        """A copy of the array, multiplied by `value` at the index."""
        xp, x, key, value = self._parts("multiply", value)
        return xp.scatter_multiply(x, key, value)

    def divide(self, value: ArrayLike, /) -> Tensor:
        """A copy of the array, divided by `value` at the index. The array must be floating."""
        xp, x, key, value = self._parts("divide", value)
        return x / xp.scatter_multiply(xp.ones_like(x), key, value)

    def power(self, value: ArrayLike, /) -> Tensor:
        """A copy of the array, raised to the power `value` at the index."""
        xp, x, key, value = self._parts("power", value)
        return xp.pow(x, xp.scatter_multiply(xp.ones_like(x), key, value))

    def min(self, value: ArrayLike, /) -> Tensor:
        """A copy of the array with the smaller of the element and `value` at the index."""
        xp, x, key, value = self._parts("min", value)
        return xp.scatter_min(x, key, value)

    def max(self, value: ArrayLike, /) -> Tensor:
        """A copy of the array with the larger of the element and `value` at the index."""
        xp, x, key, value = self._parts("max", value)
        return xp.scatter_max(x, key, value)

    def __repr__(self) -> str:
        return f"at({self._x!r}{'' if self._key is self._no_key else f', {self._key!r}'})"
