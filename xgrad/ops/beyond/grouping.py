"""Elements put into groups, and the largest of them: `segment_sum`, `bincount`, `digitize`, `top_k`."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from ...engine.define import composite, op
from ...errors import KindError
from ...graph.kinds import takes_real
from ...tensor.tensor import ArrayLike, Tensor

__all__ = ["bincount", "digitize", "segment_max", "segment_min", "segment_sum", "top_k"]


def _groups(xp: Any, name: str, ids: Any, number: int | None) -> int:
    """How many groups there are; asks for the largest of `ids` where that is not said."""
    if not xp.isdtype(ids.dtype, "integral"):  # booleans would be taken for a mask, and complex numbers lose a part
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
        How many groups there are; if not given, one more than the largest of `segment_ids`, whose values must be known then.

    Returns
    -------
    Tensor
        Of the shape of `data` with `num_segments` for its first axis; 0 for a group that is empty.

    Notes
    -----
    The gradient of a slice is that of the sum of its group.

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
        How many groups there are; if not given, one more than the largest of `segment_ids`, whose values must be known then.

    Returns
    -------
    Tensor
        Of the shape of `data` with `num_segments` for its first axis; ``-inf`` for a group that is empty.

    Notes
    -----
    The gradient goes to the largest element of each group; those that tie for it share it evenly.

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
        How many groups there are; if not given, one more than the largest of `segment_ids`, whose values must be known then.

    Returns
    -------
    Tensor
        Of the shape of `data` with `num_segments` for its first axis; ``inf`` for a group that is empty.

    Notes
    -----
    The gradient goes to the smallest element of each group; those that tie for it share it evenly.

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
        Not negative, with one axis. The largest must be known: a lazy backend computes it.
    weights : array, optional
        One for each element.
    minlength : int
        The least number of bins.

    Returns
    -------
    Tensor
        One longer than the largest of `x`, of the dtype of `weights`, or of integers.

    Notes
    -----
    The gradient of a weight is that of its bin.

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
    """Which bin each element falls into.

    Not differentiable: the result is an index.

    Parameters
    ----------
    x : array
        Real floating or of integers.
    bins : array
        The edges, with one axis, in ascending or descending order.
    right : bool
        Whether a bin holds its right edge, and not its left one.

    Returns
    -------
    Tensor
        Of the shape of `x` and the default index dtype; 0 and ``len(bins)`` beyond the edges.

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
    """What `top_k` returns."""

    values: Tensor
    indices: Tensor


@composite
@takes_real
def top_k(xp: Any, x: ArrayLike, k: int, /) -> tuple[Tensor, Tensor]:
    """The `k` largest elements along the last axis, the largest first, and where they are.

    Parameters
    ----------
    x : array
        Of a real data type, with at least one axis.
    k : int
        How many, from 0 to the length of the axis.

    Returns
    -------
    values : Tensor
        Of the shape of `x` with `k` for its last axis.
    indices : Tensor
        The first of those that tie come first. They carry no gradient.

    Raises
    ------
    ValueError
        If the last axis does not have `k` elements.

    Notes
    -----
    The gradient goes to the elements that were taken. Elements that tie share it evenly, as in `sort`, those that just were not
    taken too.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.top_k(xgrad.Tensor([1.0, 9.0, 4.0]), 2)
    TopK(values=Tensor([9., 4.]), indices=Tensor([1, 2]))
    """
    if not x.shape or not 0 <= k <= x.shape[-1]:
        raise ValueError(f"top_k: there are no {k} elements along the last axis of an array of shape {tuple(x.shape)}")
    order = xp.argsort(x, axis=-1, descending=True)
    return TopK(xp.sort(x, axis=-1, descending=True)[..., :k], order[..., :k])
