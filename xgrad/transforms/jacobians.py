"""`jacobian` and `hessian`: whole matrices of derivatives."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..backend import raw_namespace
from ..engine import Tensor, wrap
from .call import Call, numbers, zeros
from .gradients import grad
from .tangents import Forward

__all__ = ["hessian", "jacfwd", "jacobian", "jacrev"]


def jacobian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The function that returns the Jacobian of `f`: by rows, or by columns where there are far fewer of those.

    Parameters
    ----------
    f : callable
        Returns a floating Tensor, or a container of them.
    argnums : int or sequence of int
        The positional arguments to differentiate by.

    Returns
    -------
    callable
        Takes what `f` takes. The Jacobian has the shape of the result followed by that of the argument; for containers
        it is a container of results' structure, of containers of the argument's structure.

    See Also
    --------
    jacrev, jacfwd : the same by rows, and by columns

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.jacobian(lambda x: x * x[0])(np.array([1.0, 2.0]))
    array([[2., 0.],
           [2., 1.]])
    """
    return _jacobian("jacobian", f, argnums)


def jacrev(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """`jacobian` by rows: one pullback for each number in the result."""
    return _jacobian("jacrev", f, argnums)


def jacfwd(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """`jacobian` by columns: one product with a tangent for each number in the arguments."""
    return _jacobian("jacfwd", f, argnums)


def _jacobian(what: str, f: Callable[..., Any], argnums: int | Sequence[int]) -> Callable[..., Any]:
    @functools.wraps(f, updated=())
    def jacobian(*args: Any, **options: Any) -> Any:
        call = Call(what, f, args, numbers(what, argnums, len(args)), options, False)
        xs, ys, record = call.tensors, call.results, call.connected
        forward = what == "jacfwd" or (what == "jacobian" and 4 * sum(x.size for x in xs) < sum(y.size for y in ys))
        if forward:
            push = Forward(call)
            columns = [[push(v, record=record) for v in _basis(xs, j)] for j in range(len(xs))]
            blocks = [[_stack([c[k] for c in columns[j]], y, x, -1) for j, x in enumerate(xs)] for k, y in enumerate(ys)]
        else:
            rows = [[call.back(u, retain=True, record=record) for u in _basis(ys, k)] for k in range(len(ys))]
            blocks = [[_stack([r[j] for r in rows[k]], y, x, 0) for j, x in enumerate(xs)] for k, y in enumerate(ys)]
        several = isinstance(argnums, (tuple, list))
        made = [call.gradients(block, record) for block in blocks]
        return call.structure.unflatten([tuple(m) if several else m[0] for m in made])

    return jacobian


def _basis(tensors: Sequence[Tensor], k: int) -> Iterable[list[Tensor]]:
    """The unit vectors of the space of ``tensors[k]``, each with zeros for the other tensors."""
    x = tensors[k]
    xp = raw_namespace(x._data)
    none = [zeros(other) for other in tensors]
    positions = xp.reshape(xp.arange(x.size, device=xp.__backend__.device(x._data)), x._data.shape)
    for i in range(x.size):
        unit = wrap(xp.astype(positions == i, x._data.dtype))
        yield [*none[:k], unit, *none[k + 1 :]]


def _stack(parts: Sequence[Tensor], y: Tensor, x: Tensor, axis: int) -> Tensor:
    shape = (*y.shape, *x.shape)
    xp = x.__array_namespace__()
    if math.prod(shape) == 0:
        return wrap(raw_namespace(x._data).new_zeros(x._data, shape))
    made: Tensor = xp.reshape(xp.stack(parts, axis=axis), shape)
    return made


def hessian(f: Callable[..., Any], argnums: int | Sequence[int] = 0) -> Callable[..., Any]:
    """The function that returns the matrix of second derivatives of the scalar function `f`.

    Parameters
    ----------
    f : callable
        Returns one real floating scalar.
    argnums : int or sequence of int
        The positional arguments to differentiate by.

    Returns
    -------
    callable
        Takes what `f` takes. The Hessian has the argument's shape twice; several arguments, and containers, give a
        container of containers.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    return jacrev(grad(f, argnums), argnums)
