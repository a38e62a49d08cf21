"""`jacobian` and `hessian`: whole matrices of derivatives, computed in batches of rows or columns."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..backend.find import raw_namespace
from ..engine.backward import pullback
from ..engine.forward import pushforward
from ..errors import GradientError, NotBatchable
from ..graph.recording import interpreters, mode, recording
from ..graph.walks import ancestors, route
from ..interpreters.batch.backend import Batch
from ..interpreters.interpreter import base_of
from ..ops.data_type import astype
from ..ops.elementwise import conj
from ..ops.manipulation import broadcast_to, concat, moveaxis, reshape, stack
from ..tensor.tensor import Tensor, wrap
from .call import Call, check_callable, positions, zeros
from .gradients import Grad
from .tangents import Forward
from .transformed import Transformed

__all__ = ["hessian", "jacfwd", "jacobian", "jacrev"]

LIMIT = 2**27
"""The size in bytes that the largest array of a graph may have in a batch of rows or columns."""

SMALL = 2**28
"""Results of at most this size in bytes are computed without a look at the memory of the device."""


def jacobian(f: Callable[..., Any], argnums: int | Sequence[int] = 0, *, chunk_size: int | None = None) -> Callable[..., Any]:
    """The function that returns the Jacobian of `f`, by rows, or by columns if there are far fewer columns.

    Parameters
    ----------
    f : callable
        Returns a floating Tensor, or a container of them.
    argnums : int or sequence of int
        The positions of the arguments to differentiate by.
    chunk_size : int, optional
        How many rows or columns to compute at a time; by default as many as fit into a moderate amount of memory.

    Returns
    -------
    callable
        Takes the arguments of `f`. The Jacobian has the shape of the result followed by that of the argument. For containers
        it has the structure of the result, with a container of the structure of the argument in place of each array.

    Raises
    ------
    ValueError
        If `argnums` is out of range, or `chunk_size` is less than 1.

    See Also
    --------
    jacrev, jacfwd : the same by rows, and by columns

    Notes
    -----
    `f` is called once. One walk through its graph computes many rows at once: the rules that compute one row run on arrays that
    hide a batch axis (see `vmap`). If a rule cannot be batched, as a user's rule that calls another library, the rows are
    computed one by one.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.jacobian(lambda x: x * x[0])(np.array([1.0, 2.0]))
    array([[2., 0.],
           [2., 1.]])
    """
    return _Jacobian("jacobian", f, argnums, chunk_size)


def jacrev(f: Callable[..., Any], argnums: int | Sequence[int] = 0, *, chunk_size: int | None = None) -> Callable[..., Any]:
    """`jacobian` by rows: one pullback for each element of the result."""
    return _Jacobian("jacrev", f, argnums, chunk_size)


def jacfwd(f: Callable[..., Any], argnums: int | Sequence[int] = 0, *, chunk_size: int | None = None) -> Callable[..., Any]:
    """`jacobian` by columns: one pushforward for each element of the arguments."""
    return _Jacobian("jacfwd", f, argnums, chunk_size)


class _Jacobian(Transformed):
    """What the four functions of this file return; `caller` says which."""

    def __init__(self, caller: str, f: Callable[..., Any], argnums: int | Sequence[int], chunk_size: int | None) -> None:
        super().__init__(check_callable(caller, f))
        if chunk_size is not None and chunk_size < 1:
            raise ValueError(f"{caller}: chunk_size is {chunk_size}; it must be at least 1, or None")
        self.caller, self.argnums, self.chunk_size = caller, argnums, chunk_size
        self.function = Grad(f, argnums, caller=caller) if caller == "hessian" else f

    def constructor_arguments(self) -> tuple[Any, ...]:
        return self.caller, self.f, self.argnums, self.chunk_size

    def __call__(self, *args: Any, **options: Any) -> Any:
        caller = self.caller
        call = Call(caller, self.function, args, positions(caller, self.argnums, len(args)), options, False)
        xs, ys, products = call.tensors, call.results, _Products(call, self.chunk_size)
        _check_memory(caller, xs, ys)
        if caller in ("jacfwd", "hessian") or (caller == "jacobian" and 4 * sum(map(_count, xs)) < sum(map(_count, ys))):
            columns = [products.columns(j) for j in range(len(xs))]
            blocks = [[column[k] for column in columns] for k in range(len(ys))]
        else:
            blocks = [products.rows(k) for k in range(len(ys))]
        several = isinstance(self.argnums, (tuple, list))
        rows = [call.gradients(row, call.connected) for row in blocks]
        return call.structure.unflatten([tuple(row) if several else row[0] for row in rows])


class _Products:
    """The blocks of the Jacobian of a call: batched products of its derivative with unit vectors.

    For a complex array there are two unit vectors for each element, 1 and i. The block J of a complex result y satisfies
    ``dy = J dx``, and that of a real result ``dy = Re(conj(J) dx)``, as gradients do. If both x and y are complex, the function
    must be complex-differentiable.
    """

    def __init__(self, call: Call, chunk_size: int | None) -> None:
        self.call, self.chunk_size, self.record = call, chunk_size, call.connected

    def rows(self, k: int) -> list[Tensor]:
        """The blocks of result `k`: its derivative by each argument."""
        call, record, y = self.call, self.record, self.call.results[k]

        def pull(units: Tensor) -> list[Any]:
            cotangents = pullback([y], [units], inputs=call.nodes, retain_graph=True, create_graph=record)
            return [cotangents.get(node) for node in call.nodes]

        def one_by_one(scale: complex) -> Iterable[list[Tensor]]:
            return (call.pull(u, retain=True, record=record) for u in _basis(call.results, k, scale))

        blocks = []
        parts = [self.parts(y, call.tensors, pull, one_by_one, scale) for scale in _scales(y)]
        for x, name, *part in zip(call.tensors, call.names, *parts):
            if len(part) == 2 and _is_complex(x):  # pullbacks multiply by conj(J)
                part = [conj(p) for p in part]
                part[1] = -part[1]
            blocks.append(self.block(y, x, name, [reshape(p, (*y.shape, *x.shape)) for p in part]))
        return blocks

    def columns(self, j: int) -> list[Tensor]:
        """The blocks of argument `j`: the derivative of each result by it."""
        call, record, x, nodes = self.call, self.record, self.call.tensors[j], [self.call.nodes[j]]
        along = route(nodes, call.results)

        def push(units: Tensor) -> list[Any]:
            return pushforward(nodes, [units], call.results, create_graph=record, along=along)

        def one_by_one(scale: complex) -> Iterable[list[Tensor]]:
            forward = Forward(call)
            return (forward(v, record=record) for v in _basis(call.tensors, j, scale))

        parts = [self.parts(x, call.results, push, one_by_one, scale) for scale in _scales(x)]
        return [
            self.block(y, x, call.names[j], [reshape(moveaxis(p, 0, -1), (*y.shape, *x.shape)) for p in part])
            for y, *part in zip(call.results, *parts)
        ]

    def block(self, y: Tensor, x: Tensor, name: str, part: list[Tensor]) -> Tensor:
        """The derivative of `y` by `x` in the precision of `x`, made of the products with 1 and, if any, with i."""
        dtype = x._data.dtype
        with recording(self.record or (bool(interpreters.get()) and mode.get())):
            if _is_complex(y) and _is_complex(x):
                _refuse_unless_holomorphic(self.call, name, part[0]._data, part[1]._data, y.size, x.size)
                # The derivative by z, without that by conj(z): the latter is zero here, but its derivative may not be.
                out = 0.5 * (part[0] - 1j * part[1]) if self.record else part[0]
            else:
                if _is_complex(y) and not _is_complex(x):
                    xp = raw_namespace(x._data)
                    dtype = xp.result_type(x._data.dtype, xp.complex64)
                out = part[0]
                if len(part) == 2:
                    out = astype(out, dtype, copy=False) + 1j * astype(part[1], dtype, copy=False)
            return out if out._data.dtype == dtype else astype(out, dtype)

    def parts(
        self,
        at: Tensor,
        of: Sequence[Tensor],
        walk: Callable[[Tensor], list[Any]],
        one_by_one: Callable[[complex], Iterable[Any]],
        scale: complex,
    ) -> list[Tensor]:
        """The results of `walk`, one for each of the Tensors `of`, for all unit vectors of `at` times `scale`, stacked."""
        if at.size == 0:
            return [_zeros(x, 0) for x in of]
        step = self.chunk_size or self.largest_chunk()
        # Arrays of other active interpreters may have a graph inside though `self.record` is False.
        with recording(self.record or (bool(interpreters.get()) and mode.get())):
            try:
                chunks = [self.chunk(at, of, walk, scale, start, min(step, at.size - start)) for start in range(0, at.size, step)]
            except (NotBatchable, TypeError):  # a rule takes values out, or passes arrays to another library
                return [stack(list(part)) for part in zip(*one_by_one(scale))]
            return [part[0] if len(part) == 1 else concat(list(part)) for part in zip(*chunks)]

    def chunk(
        self, at: Tensor, of: Sequence[Tensor], walk: Callable[[Tensor], list[Any]], scale: complex, start: int, count: int
    ) -> list[Tensor]:
        """The results of one walk, for `count` unit vectors from number `start` on."""
        batch = Batch(count, "same")  # random numbers that a rule draws again, as for checkpoint, are those of the call
        token = interpreters.set((*interpreters.get(), batch))
        try:
            products = walk(_units(at, start, batch, scale))
        finally:
            interpreters.reset(token)
        return [_zeros(x, count) if d is None else _unwrapped(d._data, count, self.record) for d, x in zip(products, of)]

    def largest_chunk(self) -> int:
        """How many unit vectors to take at a time, so that the largest array of the graph stays within `LIMIT`."""
        largest = max((x.size for x in (*self.call.tensors, *self.call.results)), default=1)
        roots = [y._node for y in self.call.results if y._node is not None]
        for node in ancestors(roots, frozenset(self.call.nodes)):
            for shape, _ in node.outputs:
                largest = max(largest, math.prod(shape))
        return max(1, LIMIT // (8 * max(largest, 1)))


def _is_complex(x: Tensor) -> bool:
    return x.dtype.kind == "complex floating"


def _count(x: Tensor) -> int:
    """The number of unit vectors of `x`: twice its size if it is complex."""
    return x.size * len(_scales(x))


def _scales(x: Tensor) -> list[complex]:
    return [1, 1j] if _is_complex(x) else [1]


def _check_memory(caller: str, xs: Sequence[Tensor], ys: Sequence[Tensor]) -> None:
    """Raise if the Jacobian is larger than the memory of its device."""
    level = max((raw_namespace(x._data).__backend__.level for x in xs), default=0)
    copies = math.prod(batch.size for batch in interpreters.get()[:level] if isinstance(batch, Batch))
    pairs = [(y, x) for y in ys for x in xs]
    needed = copies * sum(y.size * x.size * max(y.dtype.bits, x.dtype.bits) // 8 for y, x in pairs)
    memory = base_of(xs[0]._data).memory(xs[0].device) if needed > SMALL else None
    if memory is None or needed <= memory:
        return
    y, x = max(pairs, key=lambda pair: pair[0].size * pair[1].size)
    sparse, products = "jacobian", "xgrad.jvp and xgrad.vjp have products with it (xgrad.hvp, if the function is a gradient)"
    if caller == "hessian":
        sparse, products = "hessian", "xgrad.hvp has products with it"
    times = f", {copies} times" if copies > 1 else ""
    raise MemoryError(
        f"{caller}: the result would be of shape {(*y.shape, *x.shape)}{times}, {_in_words(needed)}, which does not fit into the "
        f"{_in_words(memory)} of memory here; {products} without the matrix, and xgrad.sparse.{sparse} computes a sparse one"
    )


def _in_words(count: float) -> str:
    units = ["bytes", "kB", "MB", "GB", "TB"]
    while count >= 1000 and len(units) > 1:
        count, units = count / 1000, units[1:]
    return f"{count:.3g} {units[0]}" if count < 1e6 else f"{count:.1e} {units[0]}"


def _refuse_unless_holomorphic(call: Call, name: str, by_1: Any, by_i: Any, m: int, n: int) -> None:
    """Raise unless the products with i are i times the products with 1. Both are raw arrays of m * n elements."""
    while (backend := raw_namespace(by_1).__backend__).level:
        by_1, by_i = backend.lower(by_1)._data, backend.lower(by_i)._data
        if by_1.shape != by_i.shape:  # one is the same for all examples
            ndim = max(len(by_1.shape), len(by_i.shape))
            by_1, by_i = (_with_axes(x, ndim) for x in (by_1, by_i))
    xp = raw_namespace(by_1)
    if math.prod(by_1.shape) == 0:
        return
    finite = xp.logical_and(xp.isfinite(by_1), xp.isfinite(by_i))
    by_1, by_i = (xp.where(finite, x, xp.zeros_like(x)) for x in (by_1, by_i))
    by_1, by_i = (xp.reshape(x, (-1, m, n)) for x in (by_1, by_i))
    off, size = xp.abs(by_i - by_1 * 1j), xp.maximum(xp.abs(by_1), xp.abs(by_i))
    rounding = xp.minimum(xp.max(size, axis=-1, keepdims=True), xp.max(size, axis=-2, keepdims=True))
    eps = float(xp.finfo(by_1.dtype).eps)
    if not bool(xp.any(off > eps ** (2 / 3) * size + 100 * eps * rounding)):
        return
    of, instead = "", "or use xgrad.jvp, xgrad.vjp or xgrad.linearize, which are linear over the real numbers"
    if call.caller == "hessian":
        of, instead = "the gradient of ", "xgrad.hvp has its products with vectors"
    raise GradientError(
        f"{call.caller}: {of}{call.name} is not complex-differentiable in {name}: it changes by a dz + b conj(dz) with b not "
        "zero (conj, abs, real and imag do so), and a Jacobian has one complex number for each pair, not two; differentiate its "
        f"real and imaginary parts, of z = x + 1j * y, by real x and y; {instead}"
    )


def _with_axes(x: Any, ndim: int) -> Any:
    """`x` with axes of length 1 in front, `ndim` axes in all."""
    xp = raw_namespace(x)
    return xp.reshape(x, (*(1,) * (ndim - len(x.shape)), *x.shape))


def _units(x: Tensor, start: int, batch: Batch, scale: complex) -> Tensor:
    """A batch of unit vectors of the shape of `x`, from number `start` on, times `scale`."""
    base = base_of(x._data)
    units = base.xp.eye(batch.size, x.size, k=start, dtype=x._data.dtype, device=x.device)
    units = units if scale == 1 else units * scale
    return wrap(batch.backend(base).cls(wrap(base.xp.reshape(units, (batch.size, *x.shape))), batch))


def _unwrapped(x: Any, count: int, record: bool) -> Tensor:
    """The payload of a batched array, with the batch axis."""
    payload: Tensor = x.payload
    if x.batch is None:  # the product has its own memory, which users may write to
        payload = broadcast_to(payload, (count, *payload.shape)) * 1
    return payload if record else wrap(payload._data)


def _zeros(x: Tensor, count: int) -> Tensor:
    """`count` zero arrays of the shape of `x`, stacked."""
    return wrap(raw_namespace(x._data).new_zeros(x._data, (count, *x.shape)))


def _basis(tensors: Sequence[Tensor], k: int, scale: complex) -> Iterable[list[Tensor]]:
    """The unit vectors of the shape of ``tensors[k]``, times `scale`, each with zeros for the other tensors."""
    x = tensors[k]
    xp = raw_namespace(x._data)
    zero = [zeros(other) for other in tensors]
    numbers = xp.reshape(xp.arange(x.size, device=xp.__backend__.device(x._data)), x._data.shape)
    for i in range(x.size):
        unit = wrap(xp.astype(numbers == i, x._data.dtype) * scale)
        yield [*zero[:k], unit, *zero[k + 1 :]]


def hessian(f: Callable[..., Any], argnums: int | Sequence[int] = 0, *, chunk_size: int | None = None) -> Callable[..., Any]:
    """The function that returns the matrix of second derivatives of the scalar function `f`.

    It is `jacfwd` of `grad`, forward over reverse.

    Parameters
    ----------
    f : callable
        Returns one real floating scalar.
    argnums : int or sequence of int
        The positions of the arguments to differentiate by.
    chunk_size : int, optional
        How many columns to compute at a time, as for `jacobian`.

    Returns
    -------
    callable
        Takes the arguments of `f`. The Hessian has the argument's shape twice. For several arguments, and for containers, it is
        a container of containers.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 2.0]))
    array([[4., 2.],
           [2., 0.]])
    """
    return _Jacobian("hessian", f, argnums, chunk_size)
