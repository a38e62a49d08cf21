"""The function `einsum`: sums of products, with axes named by letters."""

from __future__ import annotations

import functools
import math
from typing import Any

from ...engine.define import composite
from ...tensor.tensor import ArrayLike, Tensor

__all__ = ["einsum"]


# --------------------------------------------------------------------------------------------------------------- einsum


def einsum(subscripts: str | ArrayLike, /, *operands: Any) -> Tensor:
    """The sum of products that `subscripts` describes, as in NumPy.

    Parameters
    ----------
    subscripts : str
        Letters that name the axes of each operand, and after ``->`` those of the result. A letter that is not in the
        result is summed over; a letter twice in one operand takes a diagonal. ``...`` stands for axes that broadcast.
        Without ``->`` the result has the axes of ``...``, then the letters that occur once, in alphabetical order.
    *operands : array
        An array for each group of letters.

    Alternatively, each operand is followed by a list of numbers (or ``...``) that name its axes, and a last list may name those
    of the result: ``einsum(a, [0, 1], b, [1, 2], [0, 2])``.

    Returns
    -------
    Tensor
        The result.

    Raises
    ------
    ValueError
        If the subscripts are malformed, or lengths differ.

    Notes
    -----
    Operands are contracted in pairs, each by one matrix product, in the order of opt_einsum if it is installed, else from left
    to right. It is differentiated through these products.

    Examples
    --------
    >>> import xgrad
    >>> a = xgrad.Tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> einsum("ij,jk->ik", a, a)
    Tensor([[ 7., 10.],
            [15., 22.]])
    >>> einsum("ii", a).item()
    5.0
    >>> einsum(a, [0, 1], [1, 0])
    Tensor([[1., 3.],
            [2., 4.]])
    """
    if not isinstance(subscripts, str):
        subscripts, operands = _with_letters((subscripts, *operands))
    return einsum_(subscripts, *operands)


def _with_letters(arguments: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
    """The subscripts and the operands of a call that names axes by lists of numbers."""
    with_result = len(arguments) % 2
    operands, axes = arguments[: len(arguments) // 2 * 2 : 2], arguments[1::2]
    lists = (*axes, arguments[-1]) if with_result else axes
    if not axes or not all(isinstance(part, (list, tuple)) and not hasattr(part, "dtype") for part in lists):
        raise TypeError("einsum: give subscripts such as 'ij,jk->ik', or a list of axes after each operand")
    # Letters have the order of the numbers, so that an implicit result has its axes in that order.
    letters = ["".join("..." if i is Ellipsis else chr(ord("A") + i + 6 * (i > 25)) for i in part) for part in lists]
    return ",".join(letters[: len(axes)]) + ("->" + letters[-1] if with_result else ""), operands


@composite
def einsum_(xp: Any, subscripts: str, /, *operands: ArrayLike) -> Tensor:
    """The sum of products that the string `subscripts` describes."""
    terms, result, sizes, path = _plan(subscripts, tuple(tuple(x.shape) for x in operands))
    work = []
    for x, labels in zip(operands, terms):
        x, labels = _diagonals(xp, x, labels)
        stretched = [i for i, c in enumerate(labels) if x.shape[i] == 1 and sizes[c] != 1]
        if stretched:  # axes of length 1 that broadcast are dropped
            x, labels = xp.squeeze(x, axis=tuple(stretched)), "".join(c for i, c in enumerate(labels) if i not in stretched)
        work.append((x, labels))
    for chosen in path:
        picked = [work.pop(i) for i in sorted(chosen, reverse=True)][::-1]
        needed = set(result).union(*(labels for _, labels in work))
        x, labels = picked[0]
        for k, (other, letters) in enumerate(picked[1:], 2):
            x, labels = _contract(xp, x, labels, other, letters, needed.union(*(c for _, c in picked[k:])))
        work.append((x, labels))
    x, labels = _sum_out(xp, *work[0], set(result))
    missing = "".join(c for c in result if c not in labels)
    x = _arrange(xp, x, labels, "".join(c for c in result if c in labels))
    if missing:  # axes that have length 1 in every operand
        x = xp.reshape(x, tuple(sizes[c] if c in labels else 1 for c in result))
    return x


@functools.lru_cache(maxsize=1024)
def _plan(subscripts: str, shapes: tuple[tuple[int, ...], ...]) -> tuple[list[str], str, dict[str, int], list[tuple[int, ...]]]:
    """The labels of each operand and of the result, one per axis; the length of each label; the pairs to contract."""
    left, arrow, right = subscripts.replace(" ", "").partition("->")
    terms = left.split(",")
    head = f"einsum: {subscripts!r} with operands of shapes {', '.join(map(str, shapes))}: "
    if len(terms) != len(shapes):
        raise ValueError(head + f"it describes {len(terms)} operands")
    for term in (*terms, right):
        if term.count("...") > 1 or not all(c.isalpha() for c in term.replace("...", "", 1)):
            raise ValueError(head + f"{term!r} must consist of letters and at most one '...'")
    width = max((len(s) - len(t) + 3 for s, t in zip(shapes, terms) if "..." in t), default=0)
    hidden = "".join(chr(0x4E00 + i) for i in range(max(width, 0)))  # unusual letters, one per axis of '...'
    sizes: dict[str, int] = {}
    for k, (term, shape) in enumerate(zip(terms, shapes)):
        count = len(shape) - len(term) + 3 if "..." in term else 0
        if count < 0 or ("..." not in term and len(term) != len(shape)):
            raise ValueError(head + f"{term!r} does not name the axes of shape {shape}")
        terms[k] = term = term.replace("...", hidden[len(hidden) - count :])
        for c, n in zip(term, shape):
            if sizes.setdefault(c, n) != n and 1 not in (sizes[c], n):
                raise ValueError(head + f"axis {c!r} has lengths {sizes[c]} and {n}")
            sizes[c] = n if sizes[c] == 1 else sizes[c]
    if arrow:
        if hidden and "..." not in right:
            raise ValueError(head + "the result must contain '...' too")
        result = right.replace("...", hidden)
    else:
        letters = "".join(terms)
        result = hidden + "".join(sorted(c for c in set(letters) - set(hidden) if letters.count(c) == 1))
    if len(set(result)) != len(result) or not set(result) <= set(sizes):
        raise ValueError(head + f"the result {right!r} must name letters of the operands, each once")
    return terms, result, sizes, _path(terms, result, sizes)


def _path(terms: list[str], result: str, sizes: dict[str, int]) -> list[tuple[int, ...]]:
    count = len(terms)
    if count > 2:
        try:
            import opt_einsum
        except ImportError:
            pass
        else:
            shapes = [tuple(sizes[c] for c in term) for term in terms]
            return list(opt_einsum.contract_path(f"{','.join(terms)}->{result}", *shapes, shapes=True)[0])
    return [(0, count - 1 - k) if k else (0, 1) for k in range(count - 1)]


def _diagonals(xp: Any, x: Any, labels: str) -> tuple[Any, str]:
    """`x` with axes of the same label replaced by their diagonal, as the last axis."""
    for c in labels:
        while labels.count(c) > 1:
            i = labels.index(c)
            j = labels.index(c, i + 1)
            rest = [k for k in range(len(labels)) if k not in (i, j)]
            n = x.shape[i]
            if x.shape[j] != n:
                raise ValueError(f"einsum: axis {c!r} occurs twice in an operand, with lengths {n} and {x.shape[j]}")
            x = xp.permute_dims(x, (*rest, i, j))
            x = xp.reshape(x, (*x.shape[:-2], n * n))[..., :: n + 1]
            labels = "".join(labels[k] for k in rest) + c
    return x, labels


def _sum_out(xp: Any, x: Any, labels: str, needed: set[str]) -> tuple[Any, str]:
    gone = tuple(i for i, c in enumerate(labels) if c not in needed)
    if not gone:
        return x, labels
    return xp.sum(x, axis=gone, dtype=x.dtype), "".join(c for c in labels if c in needed)


def _arrange(xp: Any, x: Any, labels: str, wanted: str) -> Any:
    return x if labels == wanted else xp.permute_dims(x, tuple(labels.index(c) for c in wanted))


def _contract(xp: Any, x1: Any, labels1: str, x2: Any, labels2: str, needed: set[str]) -> tuple[Any, str]:
    """The product of two operands, summed over the labels that are not needed any more."""
    x1, labels1 = _sum_out(xp, x1, labels1, needed.union(labels2))
    x2, labels2 = _sum_out(xp, x2, labels2, needed.union(labels1))
    both = "".join(c for c in labels1 if c in labels2)
    batch, summed = "".join(c for c in both if c in needed), "".join(c for c in both if c not in needed)
    rows, columns = "".join(c for c in labels1 if c not in both), "".join(c for c in labels2 if c not in both)
    out = batch + rows + columns
    n1, n2 = dict(zip(labels1, x1.shape)), dict(zip(labels2, x2.shape))
    lengths = {**n1, **n2}
    if not summed:
        x1 = xp.reshape(_arrange(xp, x1, labels1, batch + rows), tuple(n1.get(c, 1) for c in out))
        x2 = xp.reshape(_arrange(xp, x2, labels2, batch + columns), tuple(n2.get(c, 1) for c in out))
        return x1 * x2, out
    lead = tuple(lengths[c] for c in batch)
    m, k, n = (math.prod(lengths[c] for c in group) for group in (rows, summed, columns))
    x1 = _arrange(xp, x1, labels1, batch + rows + summed)
    x2 = _arrange(xp, x2, labels2, batch + summed + columns)
    if (len(rows), len(summed)) != (1, 1):
        x1 = xp.reshape(x1, (*lead, m, k))
    if (len(summed), len(columns)) != (1, 1):
        x2 = xp.reshape(x2, (*lead, k, n))
    y = xp.matmul(x1, x2)
    return (y if len(rows) == len(columns) == 1 else xp.reshape(y, tuple(lengths[c] for c in out))), out
