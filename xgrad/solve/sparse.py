"""Sparse Jacobians and Hessians: a few products with combined directions instead of one for each variable.

Columns of a Jacobian that have no row in common can share a direction: their entries arrive side by side. Which columns
may share one is a colouring of a graph (Curtis, Powell and Reid, On the Estimation of Sparse Jacobian Matrices, 1974;
Gebremedhin, Manne and Pothen, What Color Is Your Jacobian?, 2005), and depends on the pattern of nonzeros alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import GradientError
from ..graph.recording import mode, recording
from ..tensor.tensor import Tensor, wrap
from ..transforms.call import called
from ..transforms.gradients import grad, vjp
from ..transforms.tangents import linearize
from ..transforms.transformed import Transformed
from ..transforms.vmap import vmap
from .closure import Recording
from .unknown import Unknown, from_scipy, in_a_row

__all__ = ["column_coloring", "hessian", "hessian_sparsity", "jacobian", "jacobian_sparsity", "star_coloring"]

AT_ONCE = 1 << 22
"""How many numbers the directions of one batch of products may have."""


# --------------------------------------------------------------------------------------------------------- the matrices


def jacobian(f: Callable[..., Any], sparsity: Any = None, *, way: str = "auto", check: bool = True) -> Callable[..., Any]:
    """The function that returns the Jacobian of `f` by its first argument as a SciPy sparse array.

    Parameters
    ----------
    f : callable
        ``f(x, *args)`` returns a real floating Tensor, or a container of them.
    sparsity : SciPy sparse array or bool array, optional
        Where the Jacobian may be nonzero, of shape (numbers in the result, numbers in `x`), both in row-major order and
        those of containers in turn. It may have too many entries, but not too few. If it is not given, it is found by
        `jacobian_sparsity` in the first call, and kept for others of the same sizes.
    way : {"auto", "forward", "reverse"}
        Whether to combine columns, and push them forward; or rows, and pull them back; or what takes fewer products.
    check : bool
        Whether to spend one more product, with a random direction, on finding out that an entry is missing in `sparsity`.

    Returns
    -------
    callable
        Takes what `f` takes; `x` is an array, Tensor, number or container of them, real. Returns a
        `scipy.sparse.csr_array` of float64, on the host.

    Raises
    ------
    GradientError
        If the check finds that an entry outside of `sparsity` is not zero; it names the rows. If `f` uses a tensor that
        requires grad while calls are recorded: no gradient flows through a SciPy array.
    ValueError
        If `sparsity` has another shape than the Jacobian, or `way` is unknown.
    TypeError
        If `x` is not real and floating, or `f` returns no such Tensors.
    ImportError
        If SciPy is not installed.

    Notes
    -----
    The number of products is that of colours of `column_coloring`, of the pattern or of its transpose. They are pushed or
    pulled in batches by `vmap`, one by one where an op cannot be batched.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> f = lambda x: x[1:] ** 2 - x[:-1]
    >>> xgrad.sparse.jacobian(f)(np.arange(4.0)).toarray()
    array([[-1.,  2.,  0.,  0.],
           [ 0., -1.,  4.,  0.],
           [ 0.,  0., -1.,  6.]])
    """
    if way not in ("auto", "forward", "reverse"):
        raise ValueError(f"sparse.jacobian: way must be 'auto', 'forward' or 'reverse', not {way!r}")
    return _Jacobian(f, sparsity, way, check)


def hessian(f: Callable[..., Any], sparsity: Any = None, *, check: bool = True) -> Callable[..., Any]:
    """The function that returns the Hessian of the scalar function `f` by its first argument as a SciPy sparse array.

    Parameters
    ----------
    f : callable
        ``f(x, *args)`` returns one real floating scalar.
    sparsity : SciPy sparse array or bool array, optional
        Where the Hessian may be nonzero, square; it is taken as symmetric, with a full diagonal. If it is not given, it is
        found by `hessian_sparsity` in the first call, and kept for others of the same size.
    check : bool
        As for `jacobian`.

    Returns
    -------
    callable
        Takes what `f` takes, and returns a symmetric `scipy.sparse.csr_array` of float64, on the host.

    Raises
    ------
    GradientError, ValueError, TypeError, ImportError
        As for `jacobian`.

    Notes
    -----
    The number of products with the Hessian is that of colours of `star_coloring`: by symmetry, an entry can be read from
    either of two columns, so that fewer are needed than for a Jacobian of the same pattern.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> f = lambda x: xgrad.sum((x[1:] - x[:-1]) ** 2)
    >>> xgrad.sparse.hessian(f)(np.zeros(4)).toarray()
    array([[ 2., -2.,  0.,  0.],
           [-2.,  4., -2.,  0.],
           [ 0., -2.,  4., -2.],
           [ 0.,  0., -2.,  2.]])
    """
    return _Hessian(f, sparsity, check)


class _Jacobian(Transformed):
    what = "sparse.jacobian"

    def __init__(self, f: Callable[..., Any], sparsity: Any, way: str, check: bool) -> None:
        super().__init__(called(self.what, f))
        self.sparsity, self.way, self.check = sparsity, way, check
        self.plans = _Plans(sparsity, lambda pattern: _Columns.best(pattern, way))

    def made_with(self) -> tuple[Any, ...]:
        return self.f, self.sparsity, self.way, self.check

    def __call__(self, x: Any, /, *args: Any) -> Any:
        unknown = Unknown(self.what, "argument 0", x, args)
        products = _Products(lambda v: in_a_row(unknown, self.f, v, args), unknown)
        return self.plans.at(products).matrix(products, self.check)


class _Hessian(Transformed):
    what = "sparse.hessian"

    def __init__(self, f: Callable[..., Any], sparsity: Any, check: bool) -> None:
        super().__init__(called(self.what, f))
        self.sparsity, self.check = sparsity, check
        self.plans = _Plans(sparsity, _Star)

    def made_with(self) -> tuple[Any, ...]:
        return self.f, self.sparsity, self.check

    def __call__(self, x: Any, /, *args: Any) -> Any:
        unknown = Unknown(self.what, "argument 0", x, args)
        products = _Products(_gradient(self.f, unknown, args), unknown)
        return self.plans.at(products).matrix(products, self.check)


def jacobian_sparsity(f: Callable[..., Any], x: Any, /, *args: Any, points: int = 2, seed: int = 0) -> Any:
    """Where the Jacobian of `f` by `x` is nonzero, found by products with random directions.

    Parameters
    ----------
    f, x, args
        As for `jacobian`.
    points : int
        At how many points near `x` to look besides `x` itself: an entry that is zero at one is hardly zero at all. They are
        a tenth of `x`, and of one, away; those at which `f` is not finite are left out.
    seed : int
        Of the directions and points.

    Returns
    -------
    scipy.sparse.csr_array
        Of bool, of shape (numbers in the result, numbers in `x`).

    Notes
    -----
    Blocks of columns are tried, and halved, as many at a time as have no row in common: a banded Jacobian of n columns takes
    a number of products that grows with its bandwidth times log n. What `f` does elsewhere, behind a `where` or a clip, is
    not seen: give `jacobian` the pattern if you know it, and leave its check on.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.sparse.jacobian_sparsity(lambda x: x * x[::-1], np.zeros(3)).toarray().astype(int)
    array([[1, 0, 1],
           [0, 1, 0],
           [1, 0, 1]])
    """
    unknown = Unknown("sparse.jacobian_sparsity", "argument 0", x, args)
    return _detect(_Products(lambda v: in_a_row(unknown, f, v, args), unknown), points, seed)


def hessian_sparsity(f: Callable[..., Any], x: Any, /, *args: Any, points: int = 2, seed: int = 0) -> Any:
    """Where the Hessian of the scalar function `f` by `x` is nonzero: see `jacobian_sparsity`.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.sparse.hessian_sparsity(lambda x: x[0] * x[1] + x[2] ** 2, np.ones(3)).toarray().astype(int)
    array([[0, 1, 0],
           [1, 0, 0],
           [0, 0, 1]])
    """
    unknown = Unknown("sparse.hessian_sparsity", "argument 0", x, args)
    return _detect(_Products(_gradient(f, unknown, args), unknown), points, seed)


# -------------------------------------------------------------------------------------------------------- the colourings


def column_coloring(sparsity: Any) -> Any:
    """A colour for each column of a matrix, so that columns with a nonzero in a common row differ.

    Parameters
    ----------
    sparsity : SciPy sparse array or bool array
        The pattern of nonzeros.

    Returns
    -------
    NumPy array of int
        Colours from 0 on. Each column gets the first that is free, in the given order and in that of falling numbers of
        nonzeros; the better of the two is returned.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.sparse.column_coloring(np.eye(6) + np.eye(6, k=1))
    array([0, 1, 0, 1, 0, 1])
    """
    import numpy

    columns = _pattern(sparsity).tocsc()
    rows_of = numpy.split(columns.indices, columns.indptr[1:-1])
    order = numpy.argsort(-numpy.diff(columns.indptr), kind="stable")
    tried = [_greedy(rows_of, columns.shape, o) for o in (range(columns.shape[1]), order)]
    return min(tried, key=lambda colors: colors.max(initial=0))


def _greedy(rows_of: Sequence[Any], shape: tuple[int, int], order: Any) -> Any:
    import numpy

    colors = numpy.zeros(shape[1], dtype=int)
    used = [0] * shape[0]  # the colours in each row, as the bits of a number
    for j in order:
        rows, taken = rows_of[j].tolist(), 0
        for i in rows:
            taken |= used[i]
        colors[j] = color = _lowest_free(taken)
        for i in rows:
            used[i] |= 1 << color
    return colors


def star_coloring(sparsity: Any) -> Any:
    """A colour for each row of a symmetric matrix, so that products with the sums of equal colours give every entry.

    Neighbours differ in colour, and every path of four vertices has three colours at least. Then an entry h[i, j] stands
    alone in the product with the colour of j at i, or in that with the colour of i at j (Coleman and Moré, Estimation
    of Sparse Hessian Matrices and Graph Coloring Problems, 1984).

    Parameters
    ----------
    sparsity : SciPy sparse array or bool array
        The pattern of nonzeros, taken as symmetric.

    Returns
    -------
    NumPy array of int
        Colours from 0 on; each vertex gets the first that is free, in the given order.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> arrow = np.eye(5); arrow[0] = arrow[:, 0] = 1
    >>> xgrad.sparse.star_coloring(arrow), xgrad.sparse.column_coloring(arrow)
    (array([0, 1, 1, 1, 1]), array([0, 1, 2, 3, 4]))
    """
    import numpy

    rows = _symmetric(_pattern(sparsity)).tocsr()
    n = rows.shape[0]
    neighbors = [[j for j in part.tolist() if j != i] for i, part in enumerate(numpy.split(rows.indices, rows.indptr[1:-1]))]
    colors = [-1] * n
    around: list[dict[int, list[int]]] = [{} for _ in range(n)]  # the coloured neighbours of each vertex, by their colour
    seen = [0] * n  # the colours of the neighbours of each vertex, as the bits of a number
    barred = [0] * n  # of those, the ones of neighbours with another neighbour of the vertex's own colour
    for v in range(n):
        taken = 0
        for w in neighbors[v]:
            taken |= seen[w] if colors[w] < 0 else 1 << colors[w] | barred[w]
        colors[v] = color = _lowest_free(taken)
        for x in neighbors[v]:
            alike = around[x].setdefault(color, [])
            alike.append(v)
            seen[x] |= 1 << color
            if colors[x] >= 0 and len(alike) > 1:
                for w in alike if len(alike) == 2 else alike[-1:]:
                    barred[w] |= 1 << colors[x]
        for alike in around[v].values():
            if len(alike) > 1:
                for w in alike:
                    barred[w] |= 1 << color
    return numpy.asarray(colors, dtype=int)


def _lowest_free(taken: int) -> int:
    return (~taken & (taken + 1)).bit_length() - 1


def _pattern(sparsity: Any) -> Any:
    """A pattern as a SciPy sparse array of bool without stored zeros."""
    made = from_scipy("sparse", "sparse").csr_array(sparsity, dtype=bool)
    made.eliminate_zeros()
    made.sort_indices()
    return made


def _symmetric(pattern: Any) -> Any:
    if pattern.shape[0] != pattern.shape[1]:
        raise ValueError(f"sparse: a symmetric pattern is square, not of shape {pattern.shape}")
    return _pattern(pattern + pattern.T)


# ----------------------------------------------------------------------------------------------- products, and recovery


class _Products:
    """Products with the Jacobian of a function of a vector, and with its transpose, on the host."""

    def __init__(self, f: Callable[[Tensor], Tensor], unknown: Unknown) -> None:
        if any(unknown.packing.complex):
            raise TypeError(f"{unknown.what}: only real arrays have sparse derivatives; take real and imaginary parts apart")
        self.f, self.unknown, self.what, self.n = f, unknown, unknown.what, unknown.packing.size
        self.point = wrap(unknown.packing.pack(unknown.data()))
        self._push: Any = None
        self._pull: Any = None
        made = Recording(lambda: [f(self.point)])
        if made.outside and mode.get():
            one = made.outside[0]
            raise GradientError(
                f"{self.what}: the function uses a tensor that requires grad ({one.name} at {one.line}), but no gradient "
                "flows through the SciPy array that is returned; detach the tensor, or make the call under xgrad.no_grad()"
            )
        self.m = made.results[0].size

    def at(self, point: Any) -> _Products:
        """The same at another point, given on the host."""
        other = object.__new__(_Products)
        other.__dict__ = {**self.__dict__, "point": self.unknown.vector(point), "_push": None, "_pull": None}
        return other

    def value(self) -> Any:
        with recording(False):
            return self.unknown.packing.to_host(self.f(self.point))

    def push(self, directions: Any) -> Any:
        """``J v`` for each row v of a NumPy array, as the rows of another."""
        if self._push is None:
            self._push = linearize(self.f, self.point)[1]
        return self._each(self._push, directions, self.m)

    def pull(self, directions: Any) -> Any:
        """``J' u`` for each row u."""
        if self._pull is None:
            pull = vjp(self.f, self.point)[1]
            self._pull = lambda u: pull(u)[0]
        return self._each(self._pull, directions, self.n)

    def _each(self, product: Callable[[Tensor], Tensor], directions: Any, size: int) -> Any:
        import numpy

        packing = self.unknown.packing
        out = numpy.empty((len(directions), size))
        step = max(1, AT_ONCE // max(1, self.n, self.m))
        with recording(False):
            for k in range(0, len(directions), step):
                some = wrap(packing.from_host(directions[k : k + step]))
                try:
                    made = vmap(product)(some)
                except NotImplementedError:  # an op that cannot be batched
                    made = some.__array_namespace__().stack([product(some[i, :]) for i in range(some.shape[0])])
                out[k : k + step] = packing.to_host(made)
        return out


def _gradient(f: Callable[..., Any], unknown: Unknown, args: Sequence[Any]) -> Callable[[Tensor], Tensor]:
    slope = grad(lambda v: f(unknown.rebuild(unknown.packing.unpack(v)), *args))
    return lambda v: slope(v)


class _Plans:
    """The colouring of a given pattern, or of those found so far, one for each size."""

    def __init__(self, sparsity: Any, plan: Callable[[Any], Any]) -> None:
        self.plan = plan
        self.given = None if sparsity is None else plan(_pattern(sparsity))
        self.found: dict[tuple[int, int], Any] = {}

    def at(self, products: _Products) -> Any:
        shape = products.m, products.n
        if self.given is not None:
            if self.given.pattern.shape != shape:
                raise ValueError(f"{products.what}: the sparsity has shape {self.given.pattern.shape}, but must have {shape}")
            return self.given
        if shape not in self.found:
            self.found[shape] = self.plan(_detect(products))
        return self.found[shape]


class _Columns:
    """Columns of equal colour are pushed forward together; or, by the transpose, rows are pulled back together."""

    def __init__(self, pattern: Any, forward: bool) -> None:
        self.pattern, self.forward = pattern, forward
        self.colors = column_coloring(pattern if forward else pattern.T)
        self.count = int(self.colors.max(initial=-1)) + 1

    @classmethod
    def best(cls, pattern: Any, way: str) -> _Columns:
        plans = [cls(pattern, one == "forward") for one in ("forward", "reverse") if way in ("auto", one)]
        return min(plans, key=lambda plan: plan.count)

    def matrix(self, products: _Products, check: bool) -> Any:
        found = (products.push if self.forward else products.pull)(_seeds(self.colors, self.count))
        rows, columns = self.pattern.nonzero()
        values = found[self.colors[columns], rows] if self.forward else found[self.colors[rows], columns]
        return _assembled(products, self.pattern, values, check, self.forward)


class _Star:
    """Columns of a symmetric matrix, coloured so that each entry stands alone in one product of two."""

    def __init__(self, pattern: Any) -> None:
        import numpy

        scipy_sparse = from_scipy("sparse", "sparse")
        self.pattern = _symmetric(_symmetric(pattern) + scipy_sparse.eye_array(pattern.shape[0], dtype=bool))
        self.colors = star_coloring(self.pattern)
        self.count = int(self.colors.max(initial=-1)) + 1
        rows, columns = self.pattern.nonzero()
        # how often the colour of the column stands in the row
        _, place, times = numpy.unique(rows * self.count + self.colors[columns], return_inverse=True, return_counts=True)
        self.alone = times[place] == 1

    def matrix(self, products: _Products, check: bool) -> Any:
        import numpy

        found = products.push(_seeds(self.colors, self.count))
        rows, columns = self.pattern.nonzero()
        here, there = found[self.colors[columns], rows], found[self.colors[rows], columns]
        return _assembled(products, self.pattern, numpy.where(self.alone, here, there), check, True)


def _seeds(colors: Any, count: int) -> Any:
    """For each colour a direction, with ones where it is."""
    import numpy

    return (numpy.arange(count)[:, None] == colors).astype(float)


def _assembled(products: _Products, pattern: Any, values: Any, check: bool, forward: bool) -> Any:
    import numpy

    rows, columns = pattern.nonzero()
    made = from_scipy("sparse", products.what).csr_array((values, (rows, columns)), shape=pattern.shape)
    if check:
        whole = made if forward else made.T
        v = numpy.random.default_rng(0).uniform(0.5, 1.5, whole.shape[1])
        expected, got = (products.push if forward else products.pull)(v[None, :])[0], whole @ v
        size = abs(whole) @ v + abs(expected) + numpy.finfo(float).tiny
        lost = numpy.flatnonzero(~(abs(expected - got) <= products.unknown.packing.eps**0.5 * size) & numpy.isfinite(expected))
        if lost.size:
            which = ("rows " if forward else "columns ") + ", ".join(map(str, lost[:5])) + " ..." * (lost.size > 5)
            raise GradientError(
                f"{products.what}: the sparsity lacks entries: {which} of "
                "the matrix have nonzeros elsewhere too; give a larger pattern, or detect it where they are not zero"
            )
    return made


def _detect(products: _Products, points: int = 2, seed: int = 0) -> Any:
    """The pattern, by halving blocks of columns."""
    import numpy

    scipy_sparse = from_scipy("sparse", products.what)
    rng = numpy.random.default_rng(seed)
    start = products.unknown.packing.to_host(products.point)
    moved = [start + 0.1 * (1 + abs(start)) * rng.uniform(-1, 1, start.shape) for _ in range(points)]
    near = [products, *(p for p in map(products.at, moved) if numpy.isfinite(p.value()).all())]
    edges = numpy.asarray([0, products.n])  # block k holds the columns from edges[k] to edges[k + 1]
    pattern = scipy_sparse.csc_array(numpy.ones((products.m, 1 if products.n else 0), dtype=bool))
    while True:
        pattern = _probed(near, pattern, edges, rng)
        if (numpy.diff(edges) <= 1).all():
            return _pattern(pattern)
        middle = (edges[:-1] + edges[1:] + 1) // 2
        halves = numpy.unique(numpy.concatenate([edges, middle]))
        parent = numpy.searchsorted(edges, halves[:-1], side="right") - 1
        pattern, edges = pattern[:, parent], halves


def _probed(near: Sequence[_Products], pattern: Any, edges: Any, rng: Any) -> Any:
    """What is left of a pattern of blocks of columns after each was tried with random numbers."""
    import numpy

    colors = column_coloring(pattern)
    rows, blocks = pattern.nonzero()
    of_column = numpy.repeat(numpy.arange(len(edges) - 1), numpy.diff(edges))
    seeds = _seeds(colors[of_column], int(colors.max(initial=-1)) + 1) * rng.uniform(0.5, 1.5, len(of_column))
    met = numpy.zeros(len(rows), dtype=bool)
    for products in near:
        met |= products.push(seeds)[colors[blocks], rows] != 0  # a NaN counts as met
    make = from_scipy("sparse", "sparse").csc_array
    return make((numpy.ones(int(met.sum()), dtype=bool), (rows[met], blocks[met])), shape=pattern.shape)
