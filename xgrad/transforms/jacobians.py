"""`jacobian` and `hessian`: whole matrices of derivatives, many rows or columns of them at a time."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..backend import raw_namespace
from ..batching import Batch, NotBatchable, backend_on, base_of
from ..engine import Node, Tensor, pullback, wrap
from ..grad_mode import batches, mode, recording
from ..ops.manipulation import broadcast_to, concat, moveaxis, reshape, stack
from ..pushforward import pushforward, route
from .call import Call, numbers, zeros
from .gradients import grad
from .tangents import Forward

__all__ = ["hessian", "jacfwd", "jacobian", "jacrev"]

LIMIT = 2**27
"""How many bytes the largest array of a graph may take, once for each row or column that is found at the same time."""


def jacobian(f: Callable[..., Any], argnums: int | Sequence[int] = 0, *, chunk_size: int | None = None) -> Callable[..., Any]:
    """The function that returns the Jacobian of `f`: by rows, or by columns where there are far fewer of those.

    Parameters
    ----------
    f : callable
        Returns a floating Tensor, or a container of them.
    argnums : int or sequence of int
        The positional arguments to differentiate by.
    chunk_size : int, optional
        How many rows or columns to find at a time; by default as many as fit into a moderate amount of memory.

    Returns
    -------
    callable
        Takes what `f` takes. The Jacobian has the shape of the result followed by that of the argument; for containers
        it is a container of results' structure, of containers of the argument's structure.

    Raises
    ------
    ValueError
        If `argnums` is out of range, or `chunk_size` is less than 1.

    See Also
    --------
    jacrev, jacfwd : the same by rows, and by columns

    Notes
    -----
    `f` is called once. One walk over its graph finds many rows at once, by the same rules as a single one, run on arrays that
    hide a batch axis (see `vmap`). Where a rule cannot do that, as one of the user's own that calls another library, the rows
    are found one by one.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.jacobian(lambda x: x * x[0])(np.array([1.0, 2.0]))
    array([[2., 0.],
           [2., 1.]])
    """
    return _jacobian("jacobian", f, argnums, chunk_size)


def jacrev(f: Callable[..., Any], argnums: int | Sequence[int] = 0, *, chunk_size: int | None = None) -> Callable[..., Any]:
    """`jacobian` by rows: one pullback for each number in the result."""
    return _jacobian("jacrev", f, argnums, chunk_size)


def jacfwd(f: Callable[..., Any], argnums: int | Sequence[int] = 0, *, chunk_size: int | None = None) -> Callable[..., Any]:
    """`jacobian` by columns: one product with a tangent for each number in the arguments."""
    return _jacobian("jacfwd", f, argnums, chunk_size)


def _jacobian(what: str, f: Callable[..., Any], argnums: int | Sequence[int], chunk_size: int | None) -> Callable[..., Any]:
    if chunk_size is not None and chunk_size < 1:
        raise ValueError(f"{what}: chunk_size is {chunk_size}; it must be 1 at least, or None")

    @functools.wraps(f, updated=())
    def jacobian(*args: Any, **options: Any) -> Any:
        call = Call(what, f, args, numbers(what, argnums, len(args)), options, False)
        xs, ys, products = call.tensors, call.results, _Products(call, chunk_size)
        if what in ("jacfwd", "hessian") or (what == "jacobian" and 4 * sum(x.size for x in xs) < sum(y.size for y in ys)):
            columns = [products.columns(j) for j in range(len(xs))]
            blocks = [[column[k] for column in columns] for k in range(len(ys))]
        else:
            blocks = [products.rows(k) for k in range(len(ys))]
        several = isinstance(argnums, (tuple, list))
        made = [call.gradients(block, call.connected) for block in blocks]
        return call.structure.unflatten([tuple(m) if several else m[0] for m in made])

    return jacobian


class _Products:
    """The products of a call's derivative with unit vectors, many of them in one walk: the blocks of its Jacobian."""

    def __init__(self, call: Call, chunk_size: int | None) -> None:
        self.call, self.chunk_size, self.record = call, chunk_size, call.connected

    def rows(self, k: int) -> list[Tensor]:
        """The derivatives of the result `k` by each argument."""
        call, record, y = self.call, self.record, self.call.results[k]

        def pull(units: Tensor) -> list[Any]:
            found = pullback([y], [units], inputs=call.nodes, retain_graph=True, create_graph=record)
            return [found.get(node) for node in call.nodes]

        def one_by_one() -> Iterable[list[Tensor]]:
            return (call.back(u, retain=True, record=record) for u in _basis(call.results, k))

        parts = self.parts(y, call.tensors, pull, one_by_one)
        return [reshape(part, (*y.shape, *x.shape)) for part, x in zip(parts, call.tensors)]

    def columns(self, j: int) -> list[Tensor]:
        """The derivatives of each result by the argument `j`."""
        call, record, x, nodes = self.call, self.record, self.call.tensors[j], [self.call.nodes[j]]
        along = route(nodes, call.results)

        def push(units: Tensor) -> list[Any]:
            return pushforward(nodes, [units], call.results, create_graph=record, along=along)

        def one_by_one() -> Iterable[list[Tensor]]:
            forward = Forward(call)
            return (forward(v, record=record) for v in _basis(call.tensors, j))

        parts = self.parts(x, call.results, push, one_by_one)
        return [reshape(moveaxis(part, 0, -1), (*y.shape, *x.shape)) for part, y in zip(parts, call.results)]

    def parts(
        self, at: Tensor, of: Sequence[Tensor], walk: Callable[[Tensor], list[Any]], one_by_one: Callable[[], Iterable[Any]]
    ) -> list[Tensor]:
        """What `walk` makes of the unit vectors of the space of `at`, stacked."""
        if at.size == 0:
            return [_zeros(x, 0) for x in of]
        step = self.chunk_size or self.most()
        with recording(self.record or (bool(batches.get()) and mode.get())):  # in an outer batch, there are graphs in arrays
            try:
                found = [self.together(at, of, walk, start, min(step, at.size - start)) for start in range(0, at.size, step)]
            except (NotBatchable, TypeError):  # a rule takes values out, or hands arrays to another library
                return [stack(list(part)) for part in zip(*one_by_one())]
            return [part[0] if len(part) == 1 else concat(list(part)) for part in zip(*found)]

    def together(
        self, at: Tensor, of: Sequence[Tensor], walk: Callable[[Tensor], list[Any]], start: int, count: int
    ) -> list[Tensor]:
        """What one walk makes of some of the unit vectors."""
        batch = Batch(count, "same")  # what a rule draws again, as that of a checkpoint, is what was drawn
        token = batches.set((*batches.get(), batch))
        try:
            made = walk(_units(at, start, batch))
        finally:
            batches.reset(token)
        return [_zeros(x, count) if d is None else _unwrapped(d._data, count, self.record) for d, x in zip(made, of)]

    def most(self) -> int:
        """How many unit vectors to take at a time, so that as many copies of the largest array of the graph are in bounds."""
        largest = max((x.size for x in (*self.call.tensors, *self.call.results)), default=1)
        for node in _nodes(self.call.results, self.call.nodes):
            largest = max(largest, *map(math.prod, node.shape if isinstance(node.shape, list) else [node.shape]))
        return max(1, LIMIT // (8 * max(largest, 1)))


def _nodes(outputs: Sequence[Tensor], inputs: Sequence[Node]) -> Iterable[Node]:
    """The graph of `outputs`, as far as `inputs`."""
    seen = {None, *inputs}
    found = [y._node for y in outputs]
    for node in found:  # grows while it is walked
        if node is not None and node not in seen:
            seen.add(node)
            found += node.parents
            yield node


def _units(x: Tensor, start: int, batch: Batch) -> Tensor:
    """Unit vectors of the space of `x`, from number `start` on, as a batch."""
    base = base_of(x._data)
    units = base.xp.eye(batch.size, x.size, k=start, dtype=x._data.dtype, device=x.device)
    return wrap(backend_on(base, batch.depth).cls(wrap(base.xp.reshape(units, (batch.size, *x.shape))), batch))


def _unwrapped(x: Any, count: int, record: bool) -> Tensor:
    """The payload of a batched array, with the axis of the batch."""
    payload: Tensor = x.payload
    if x.batch is None:  # a product gives it memory of its own: users may write into what they get
        payload = broadcast_to(payload, (count, *payload.shape)) * 1
    return payload if record else wrap(payload._data)


def _zeros(x: Tensor, count: int) -> Tensor:
    return wrap(raw_namespace(x._data).new_zeros(x._data, (count, *x.shape)))


def _basis(tensors: Sequence[Tensor], k: int) -> Iterable[list[Tensor]]:
    """The unit vectors of the space of ``tensors[k]``, each with zeros for the other tensors."""
    x = tensors[k]
    xp = raw_namespace(x._data)
    none = [zeros(other) for other in tensors]
    positions = xp.reshape(xp.arange(x.size, device=xp.__backend__.device(x._data)), x._data.shape)
    for i in range(x.size):
        unit = wrap(xp.astype(positions == i, x._data.dtype))
        yield [*none[:k], unit, *none[k + 1 :]]


def hessian(f: Callable[..., Any], argnums: int | Sequence[int] = 0, *, chunk_size: int | None = None) -> Callable[..., Any]:
    """The function that returns the matrix of second derivatives of the scalar function `f`.

    It is `jacfwd` of `grad`: forward over reverse.

    Parameters
    ----------
    f : callable
        Returns one real floating scalar.
    argnums : int or sequence of int
        The positional arguments to differentiate by.
    chunk_size : int, optional
        How many columns to find at a time, as for `jacobian`.

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
    return _jacobian("hessian", grad(f, argnums), argnums, chunk_size)
