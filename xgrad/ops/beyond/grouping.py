"""Reductions over groups of elements, bins, and the largest elements of an axis."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ...engine.define import composite, op
from ...errors import KindError
from ...graph.kinds import takes_real
from ...tensor.tensor import ArrayLike, Tensor

__all__ = ["bincount", "digitize", "segment_max", "segment_min", "segment_sum", "top_k"]


def _groups(xp: Any, name: str, ids: Any, number: int | None) -> int:
    """The number of groups; if it is not given, one more than the largest of `ids`."""
    if not xp.isdtype(ids.dtype, "integral"):  # booleans would be a mask, and complex numbers would lose a part
        raise KindError(f"{name}: groups are numbered by integers, not {ids.dtype}; convert them with xgrad.astype")
    if number is not None:
        return number
    return int(xp.max(ids)) + 1 if math.prod(ids.shape) else 0


@composite
def segment_sum(xp: Any, data: ArrayLike, segment_ids: ArrayLike, /, num_segments: int | None = None) -> Tensor:
    """The sums of the elements, or slices, of each group.

    Parameters
    ----------
    data : array
        Of a numeric data type, with at least one axis; it is grouped along the first.
    segment_ids : array of int
        The group of each slice, in any order.
    num_segments : int, optional
        The number of groups; by default one more than the largest of `segment_ids`, whose values must then be known.

    Returns
    -------
    Tensor
        Of the shape of `data`, with length `num_segments` along the first axis; 0 for an empty group.

    Notes
    -----
    The gradient for a slice is that of the sum of its group.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.segment_sum(xgrad.Tensor([1.0, 2.0, 4.0]), xgrad.Tensor([0, 2, 0]))
    Tensor([5., 0., 2.])
    """
    number = _groups(xp, "segment_sum", segment_ids, num_segments)
    return xp.scatter_add(xp.new_zeros(data, (number, *data.shape[1:])), (segment_ids,), data)


def _segment_extreme(xp: Any, name: str, empty: float, data: Any, segment_ids: Any, num_segments: int | None) -> Any:
    number = _groups(xp, name.replace("scatter", "segment"), segment_ids, num_segments)
    start = xp.full_like(xp.new_zeros(data, (number, *data.shape[1:])), empty)
    return getattr(xp, name)(start, (segment_ids,), data)


@composite
@takes_real
def segment_max(xp: Any, data: ArrayLike, segment_ids: ArrayLike, /, num_segments: int | None = None) -> Tensor:
    """The largest elements of each group.

    Parameters
    ----------
    data : array
        Real floating, with at least one axis; it is grouped along the first.
    segment_ids : array of int
        The group of each slice, in any order.
    num_segments : int, optional
        The number of groups; by default one more than the largest of `segment_ids`, whose values must then be known.

    Returns
    -------
    Tensor
        Of the shape of `data`, with length `num_segments` along the first axis; ``-inf`` for an empty group.

    Notes
    -----
    The gradient is that of the largest element of each group; elements that tie share it evenly.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.segment_max(xgrad.Tensor([1.0, 2.0, 4.0]), xgrad.Tensor([0, 1, 0]))
    Tensor([4., 2.])
    """
    return _segment_extreme(xp, "scatter_max", -math.inf, data, segment_ids, num_segments)


@composite
@takes_real
def segment_min(xp: Any, data: ArrayLike, segment_ids: ArrayLike, /, num_segments: int | None = None) -> Tensor:
    """The smallest elements of each group.

    Parameters
    ----------
    data : array
        Real floating, with at least one axis; it is grouped along the first.
    segment_ids : array of int
        The group of each slice, in any order.
    num_segments : int, optional
        The number of groups; by default one more than the largest of `segment_ids`, whose values must then be known.

    Returns
    -------
    Tensor
        Of the shape of `data`, with length `num_segments` along the first axis; ``inf`` for an empty group.

    Notes
    -----
    The gradient is that of the smallest element of each group; elements that tie share it evenly.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.segment_min(xgrad.Tensor([1.0, 2.0, 4.0]), xgrad.Tensor([0, 1, 0]))
    Tensor([1., 2.])
    """
    return _segment_extreme(xp, "scatter_min", math.inf, data, segment_ids, num_segments)


@composite
def bincount(xp: Any, x: ArrayLike, /, weights: ArrayLike | None = None, minlength: int = 0) -> Tensor:
    """How often each of the numbers 0, 1, 2, ... occurs, or the sum of the weights of its occurrences.

    Parameters
    ----------
    x : array of int
        Not negative, with one axis. Its values must be known, so a lazy backend computes it.
    weights : array, optional
        A weight for each element.
    minlength : int
        The minimum number of bins.

    Returns
    -------
    Tensor
        Its length is one more than the largest of `x`. Of the dtype of `weights`, or of integers.

    Notes
    -----
    The gradient for a weight is that of its bin.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.bincount(xgrad.Tensor([0, 2, 2]), xgrad.Tensor([0.5, 1.0, 2.0]))
    Tensor([0.5, 0. , 3. ])
    """
    if x.ndim != 1:
        raise ValueError(f"bincount: x has shape {tuple(x.shape)}; it must have one axis")
    values = xp.ones_like(x) if weights is None else weights
    if tuple(values.shape) != tuple(x.shape):
        raise ValueError(f"bincount: weights have shape {tuple(values.shape)}, but x has {tuple(x.shape)}")
    number = max(_groups(xp, "bincount", x, None), minlength)
    return xp.scatter_add(xp.new_zeros(values, (number,)), (x,), values)


bincount.op.indices = frozenset({"x"})  # type: ignore[attr-defined]


@op(override=True)
@takes_real
def digitize(xp: Any, x: ArrayLike, bins: ArrayLike, /, right: bool = False) -> Tensor:
    """The index of the bin of each element.

    Not differentiable: the result is an index.

    Parameters
    ----------
    x : array
        Real floating or of integers.
    bins : array
        The edges, with one axis, in ascending or descending order.
    right : bool
        Whether a bin contains its right edge and not its left edge.

    Returns
    -------
    Tensor
        Of the shape of `x` and the default index dtype; 0 and ``len(bins)`` outside of the edges.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.digitize(xgrad.Tensor([0.5, 1.0, 9.0]), xgrad.Tensor([0.0, 1.0, 2.0]))
    Tensor([1, 2, 3])
    """
    side = "left" if right else "right"
    up = xp.searchsorted(bins, x, side=side)
    if bins.shape[0] < 2:
        return up
    down = bins.shape[0] - xp.searchsorted(xp.flip(bins), x, side=side)
    return xp.where(bins[0] > bins[-1], down, up)


digitize.not_differentiable()


class TopK(NamedTuple):
    """The result of `top_k`."""

    values: Tensor
    indices: Tensor


@composite
@takes_real
def top_k(xp: Any, x: ArrayLike, k: int, /) -> tuple[Tensor, Tensor]:
    """The `k` largest elements along the last axis, in descending order, and their indices.

    Parameters
    ----------
    x : array
        Of a real data type, with at least one axis.
    k : int
        The number of elements, from 0 to the length of the axis.

    Returns
    -------
    values : Tensor
        Of the shape of `x`, with length `k` along the last axis.
    indices : Tensor
        Elements that tie are in the order of `x`. The indices are not differentiable.

    Raises
    ------
    ValueError
        If the last axis does not have `k` elements.

    Notes
    -----
    The gradient is that of the selected elements. Elements that tie share it evenly, as in `sort`, also with elements that were
    not selected.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.top_k(xgrad.Tensor([1.0, 9.0, 4.0]), 2)
    TopK(values=Tensor([9., 4.]), indices=Tensor([1, 2]))
    """
    if not x.shape or not 0 <= k <= x.shape[-1]:
        raise ValueError(f"top_k: k is {k}, but x has shape {tuple(x.shape)}; k must be from 0 to the length of the last axis")
    order = xp.argsort(x, axis=-1, descending=True)
    return TopK(xp.sort(x, axis=-1, descending=True)[..., :k], order[..., :k])
