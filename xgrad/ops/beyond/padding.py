"""The function `pad`, which adds elements at the ends of axes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ...backend.dtypes import check_fits
from ...engine.define import composite
from ...tensor.tensor import ArrayLike, Tensor

__all__ = ["pad"]


# ------------------------------------------------------------------------------------------------------------------ pad


@composite
def pad(xp: Any, x: ArrayLike, /, pad_width: Any, mode: str = "constant", *, constant_values: float = 0) -> Tensor:
    """`x` with more elements before and after it, as in NumPy.

    Parameters
    ----------
    x : array
        The array to pad.
    pad_width : int, (before, after) or ((before, after), ...)
        How many elements to add: at all ends, at the two ends of every axis, or at the two ends of each axis.
    mode : {"constant", "edge", "reflect", "symmetric", "wrap"}
        What is added: `constant_values`; the element at the edge; `x` mirrored about the edge's element, or about the edge
        itself; or `x` repeated.
    constant_values : float
        For mode ``"constant"``.

    Raises
    ------
    ValueError
        If `pad_width` is negative or does not fit the axes, `mode` has another value, or an empty axis would be repeated.

    Examples
    --------
    >>> import xgrad
    >>> pad(xgrad.Tensor([1.0, 2.0]), (1, 2))
    Tensor([0., 1., 2., 0., 0.])
    """
    for axis, (before, after) in enumerate(_widths(pad_width, len(x.shape))):
        n = x.shape[axis]
        if not before and not after:
            continue
        if mode == "constant":
            if isinstance(constant_values, complex):
                check_fits("pad", complex, x.dtype)
            parts = [x]
            for k, place in ((before, 0), (after, 2)):
                if k:
                    shape = tuple(k if i == axis else m for i, m in enumerate(x.shape))
                    parts.insert(place, xp.full_like(xp.new_zeros(x, shape), constant_values))
            x = xp.concat(parts, axis=axis)
        elif mode in _SOURCES:
            if n == 0:
                raise ValueError(f"pad: axis {axis} of x is empty, so mode {mode!r} has nothing to repeat")
            index = [_SOURCES[mode](i, n) for i in range(-before, n + after)]
            numbers = xp.asarray(index, device=x.device if isinstance(x, Tensor) else xp.__backend__.device(x))
            x = xp.take(x, numbers, axis=axis)
        else:
            raise ValueError(f"pad: mode {mode!r} is not known; it may be 'constant', {', '.join(map(repr, _SOURCES))}")
    return x


_SOURCES: dict[str, Callable[[int, int], int]] = {  # the index of the element at position i of an axis of length n
    "edge": lambda i, n: min(max(i, 0), n - 1),
    "reflect": lambda i, n: 0 if n == 1 else n - 1 - abs(i % (2 * n - 2) - (n - 1)),
    "symmetric": lambda i, n: min(i % (2 * n), 2 * n - 1 - i % (2 * n)),
    "wrap": lambda i, n: i % n,
}


def _widths(pad_width: Any, ndim: int) -> Sequence[tuple[int, int]]:
    widths = (pad_width, pad_width) if isinstance(pad_width, int) else tuple(pad_width)
    if len(widths) in (1, 2) and all(isinstance(n, int) for n in widths):
        widths = ((widths[0], widths[-1]),)
    pairs = [(width, width) if isinstance(width, int) else tuple(width) for width in widths]
    if len(pairs) == 1:
        pairs = pairs * ndim
    if len(pairs) != ndim or any(len(pair) != 2 for pair in pairs):
        raise ValueError(f"pad: pad_width={pad_width} does not fit an array with {ndim} axes; give a pair for each axis")
    if any(n < 0 for pair in pairs for n in pair):
        raise ValueError(f"pad: pad_width={pad_width} has a negative number in it; cut with x[i:j]")
    return pairs
