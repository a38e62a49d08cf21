"""`jacobian` and `hessian`: whole matrices of derivatives, many rows or columns of them at a time."""

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
from ..interpreters.batch.arrays import Batch
from ..interpreters.batch.backend import backend_on, base_of
from ..ops.data_type import astype
from ..ops.elementwise import conj
from ..ops.manipulation import broadcast_to, concat, moveaxis, reshape, stack
from ..tensor.tensor import Tensor, wrap
from .call import Call, called, numbers, zeros
from .gradients import Grad
from .tangents import Forward
from .transformed import Transformed

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
    return _Jacobian("jacobian", f, argnums, chunk_size)


def jacrev(f: Callable[..., Any], argnums: int | Sequence[int] = 0, *, chunk_size: int | None = None) -> Callable[..., Any]:
    """`jacobian` by rows: one pullback for each number in the result."""
    return _Jacobian("jacrev", f, argnums, chunk_size)


def jacfwd(f: Callable[..., Any], argnums: int | Sequence[int] = 0, *, chunk_size: int | None = None) -> Callable[..., Any]:
    """`jacobian` by columns: one product with a tangent for each number in the arguments."""
    return _Jacobian("jacfwd", f, argnums, chunk_size)


class _Jacobian(Transformed):
    def __init__(self, what: str, f: Callable[..., Any], argnums: int | Sequence[int], chunk_size: int | None) -> None:
        super().__init__(called(what, f))
        if chunk_size is not None and chunk_size < 1:
            raise ValueError(f"{what}: chunk_size is {chunk_size}; it must be 1 at least, or None")
        self.what, self.argnums, self.chunk_size = what, argnums, chunk_size
        self.function = Grad(f, argnums, what=what) if what == "hessian" else f

    def made_with(self) -> tuple[Any, ...]:
        return self.what, self.f, self.argnums, self.chunk_size

    def __call__(self, *args: Any, **options: Any) -> Any:
        what = self.what
        call = Call(what, self.function, args, numbers(what, self.argnums, len(args)), options, False)
        xs, ys, products = call.tensors, call.results, _Products(call, self.chunk_size)
        _refuse_what_cannot_fit(what, xs, ys)
        if what in ("jacfwd", "hessian") or (what == "jacobian" and 4 * sum(map(_count, xs)) < sum(map(_count, ys))):
            columns = [products.columns(j) for j in range(len(xs))]
            blocks = [[column[k] for column in columns] for k in range(len(ys))]
        else:
            blocks = [products.rows(k) for k in range(len(ys))]
        several = isinstance(self.argnums, (tuple, list))
        found = [call.gradients(block, call.connected) for block in blocks]
        return call.structure.unflatten([tuple(m) if several else m[0] for m in found])


class _Products:
    """The products of a call's derivative with unit vectors, many of them in one walk: the blocks of its Jacobian.

    Where a complex number is perturbed or weighed, once with 1 and once with i. A block is what makes ``dy = J dx`` true for a
    complex result, and ``dy = Re(conj(J) dx)``, the rule of gradients, for a real one. If both are complex, that takes a
    function that is complex-differentiable.
    """

    def __init__(self, call: Call, chunk_size: int | None) -> None:
        self.call, self.chunk_size, self.record = call, chunk_size, call.connected

    def rows(self, k: int) -> list[Tensor]:
        """The derivatives of the result `k` by each argument."""
        call, record, y = self.call, self.record, self.call.results[k]

        def pull(units: Tensor) -> list[Any]:
            found = pullback([y], [units], inputs=call.nodes, retain_graph=True, create_graph=record)
            return [found.get(node) for node in call.nodes]

        def one_by_one(scale: complex) -> Iterable[list[Tensor]]:
            return (call.back(u, retain=True, record=record) for u in _basis(call.results, k, scale))

        blocks = []
        parts = [self.parts(y, call.tensors, pull, one_by_one, scale) for scale in _scales(y)]
        for x, name, *part in zip(call.tensors, call.names, *parts):
            if len(part) == 2 and _is_complex(x):  # the pullback is that of conj(J)
                part = [conj(p) for p in part]
                part[1] = -part[1]
            blocks.append(self.block(y, x, name, [reshape(p, (*y.shape, *x.shape)) for p in part]))
        return blocks

    def columns(self, j: int) -> list[Tensor]:
        """The derivatives of each result by the argument `j`."""
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
        """The derivative of `y` by `x`, made of what belongs to 1 and what belongs to i: of the precision of `x`."""
        dtype = x._data.dtype
        with recording(self.record or (bool(interpreters.get()) and mode.get())):
            if _is_complex(y) and _is_complex(x):
                _refuse_unless_holomorphic(self.call, name, part[0]._data, part[1]._data, y.size, x.size)
                # The derivative by z alone, whose own derivative is right even if that by conj(z) is zero just here.
                made = 0.5 * (part[0] - 1j * part[1]) if self.record else part[0]
            else:
                if _is_complex(y) and not _is_complex(x):
                    xp = raw_namespace(x._data)
                    dtype = xp.result_type(x._data.dtype, xp.complex64)
                made = part[0]
                if len(part) == 2:
                    made = astype(made, dtype, copy=False) + 1j * astype(part[1], dtype, copy=False)
            return made if made._data.dtype == dtype else astype(made, dtype)

    def parts(
        self,
        at: Tensor,
        of: Sequence[Tensor],
        walk: Callable[[Tensor], list[Any]],
        one_by_one: Callable[[complex], Iterable[Any]],
        scale: complex,
    ) -> list[Tensor]:
        """What `walk` makes of the unit vectors of the space of `at`, times `scale`, stacked."""
        if at.size == 0:
            return [_zeros(x, 0) for x in of]
        step = self.chunk_size or self.most()
        with recording(self.record or (bool(interpreters.get()) and mode.get())):  # in an outer batch, there are graphs in arrays
            try:
                found = [
                    self.together(at, of, walk, scale, start, min(step, at.size - start)) for start in range(0, at.size, step)
                ]
            except (NotBatchable, TypeError):  # a rule takes values out, or hands arrays to another library
                return [stack(list(part)) for part in zip(*one_by_one(scale))]
            return [part[0] if len(part) == 1 else concat(list(part)) for part in zip(*found)]

    def together(
        self, at: Tensor, of: Sequence[Tensor], walk: Callable[[Tensor], list[Any]], scale: complex, start: int, count: int
    ) -> list[Tensor]:
        """What one walk makes of some of the unit vectors."""
        batch = Batch(count, "same")  # what a rule draws again, as that of a checkpoint, is what was drawn
        token = interpreters.set((*interpreters.get(), batch))
        try:
            made = walk(_units(at, start, batch, scale))
        finally:
            interpreters.reset(token)
        return [_zeros(x, count) if d is None else _unwrapped(d._data, count, self.record) for d, x in zip(made, of)]

    def most(self) -> int:
        """How many unit vectors to take at a time, so that as many copies of the largest array of the graph are in bounds."""
        largest = max((x.size for x in (*self.call.tensors, *self.call.results)), default=1)
        roots = [y._node for y in self.call.results if y._node is not None]
        for node in ancestors(roots, frozenset(self.call.nodes)):
            largest = max(largest, *(math.prod(shape) for shape, _ in node.outputs))
        return max(1, LIMIT // (8 * max(largest, 1)))


def _is_complex(x: Tensor) -> bool:
    return x.dtype.kind == "complex floating"


def _count(x: Tensor) -> int:
    """How many unit vectors span the space of `x` over the real numbers."""
    return x.size * len(_scales(x))


def _scales(x: Tensor) -> list[complex]:
    return [1, 1j] if _is_complex(x) else [1]


def _refuse_what_cannot_fit(what: str, xs: Sequence[Tensor], ys: Sequence[Tensor]) -> None:
    """Raise if the Jacobian is larger than the memory of the device that it would live on."""
    backends = [raw_namespace(x._data).__backend__ for x in xs]
    level = max((backend.level for backend in backends), default=0)
    copies = math.prod(batch.size for batch in interpreters.get()[:level] if isinstance(batch, Batch))
    pairs = [(y, x) for y in ys for x in xs]
    needed = copies * sum(y.size * x.size * max(y.dtype.bits, x.dtype.bits) // 8 for y, x in pairs)
    memory = base_of(xs[0]._data).memory(xs[0].device) if needed > SMALL else None
    if memory is None or needed <= memory:
        return
    y, x = max(pairs, key=lambda pair: pair[0].size * pair[1].size)
    kind, products = "jacobian", "xgrad.jvp and xgrad.vjp have products with it (xgrad.hvp, if the function is a gradient)"
    if what == "hessian":
        kind, products = "hessian", "xgrad.hvp has products with it"
    times = f", {copies} times" if copies > 1 else ""
    raise MemoryError(
        f"{what}: the result would be of shape {(*y.shape, *x.shape)}{times}, {_in_words(needed)}, which does not fit into the "
        f"{_in_words(memory)} of memory here; {products} without making it, and xgrad.sparse.{kind} finds one that is sparse"
    )


SMALL = 2**28
"""Up to how many bytes nobody asks how large the memory is."""


def _in_words(count: float) -> str:
    units = ["bytes", "kB", "MB", "GB", "TB"]
    while count >= 1000 and len(units) > 1:
        count, units = count / 1000, units[1:]
    return f"{count:.3g} {units[0]}" if count < 1e6 else f"{count:.1e} {units[0]}"


def _refuse_unless_holomorphic(call: Call, name: str, one: Any, other: Any, m: int, n: int) -> None:
    """Raise unless `other`, what i times a change makes, is i times `one`, what the change makes: raw arrays of m by n."""
    while raw_namespace(one).__backend__.level:  # of every example at once
        one, other = one.payload._data, other.payload._data
        if one.shape != other.shape:  # one may be the same for all examples
            deeper = max(len(one.shape), len(other.shape))
            one, other = (_with_axes(x, deeper) for x in (one, other))
    xp = raw_namespace(one)
    if math.prod(one.shape) == 0:
        return
    finite = xp.logical_and(xp.isfinite(one), xp.isfinite(other))
    one, other = (xp.where(finite, x, xp.zeros_like(x)) for x in (one, other))
    one, other = (xp.reshape(x, (-1, m, n)) for x in (one, other))
    off, size = xp.abs(other - one * 1j), xp.maximum(xp.abs(one), xp.abs(other))
    rounding = xp.minimum(xp.max(size, axis=-1, keepdims=True), xp.max(size, axis=-2, keepdims=True))
    eps = float(xp.finfo(one.dtype).eps)
    if not bool(xp.any(off > eps ** (2 / 3) * size + 100 * eps * rounding)):
        return
    what = call.what
    of, instead = "", "or use xgrad.jvp, xgrad.vjp or xgrad.linearize, which are linear over the real numbers"
    if what == "hessian":
        of, instead = "the gradient of ", "xgrad.hvp has its products with vectors"
    raise GradientError(
        f"{what}: {of}{call.name} is not complex-differentiable in {name}: a change dz makes a change a dz + b conj(dz), with b "
        "not zero (conj, abs, real and imag do so), and one complex number for each pair cannot say that; differentiate its "
        f"real and imaginary parts, of z = x + 1j * y, by real x and y; {instead}"
    )


def _with_axes(x: Any, count: int) -> Any:
    xp = raw_namespace(x)
    return xp.reshape(x, (*(1,) * (count - len(x.shape)), *x.shape))


def _units(x: Tensor, start: int, batch: Batch, scale: complex) -> Tensor:
    """Unit vectors of the space of `x`, from number `start` on, times `scale`, as a batch."""
    base = base_of(x._data)
    units = base.xp.eye(batch.size, x.size, k=start, dtype=x._data.dtype, device=x.device)
    units = units if scale == 1 else units * scale
    return wrap(backend_on(base, batch.level).cls(wrap(base.xp.reshape(units, (batch.size, *x.shape))), batch))


def _unwrapped(x: Any, count: int, record: bool) -> Tensor:
    """The payload of a batched array, with the axis of the batch."""
    payload: Tensor = x.payload
    if x.batch is None:  # a product gives it memory of its own: users may write into what they get
        payload = broadcast_to(payload, (count, *payload.shape)) * 1
    return payload if record else wrap(payload._data)


def _zeros(x: Tensor, count: int) -> Tensor:
    return wrap(raw_namespace(x._data).new_zeros(x._data, (count, *x.shape)))


def _basis(tensors: Sequence[Tensor], k: int, scale: complex) -> Iterable[list[Tensor]]:
    """The unit vectors of the space of ``tensors[k]``, times `scale`, each with zeros for the other tensors."""
    x = tensors[k]
    xp = raw_namespace(x._data)
    none = [zeros(other) for other in tensors]
    positions = xp.reshape(xp.arange(x.size, device=xp.__backend__.device(x._data)), x._data.shape)
    for i in range(x.size):
        unit = wrap(xp.astype(positions == i, x._data.dtype) * scale)
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
    return _Jacobian("hessian", f, argnums, chunk_size)
