"""Sparse Jacobians and Hessians, computed by few products with combined directions.

Columns of a Jacobian without a nonzero in a common row can share one direction: their entries are in different places of the
product. Columns of equal colour share a direction; the colouring is one of a graph (Curtis, Powell and Reid, On the Estimation of
Sparse Jacobian Matrices, 1974; Gebremedhin, Manne and Pothen, What Color Is Your Jacobian?, 2005), and depends on the pattern of
nonzeros only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..errors import GradientError
from ..graph.recording import mode, recording
from ..tensor.tensor import Tensor, wrap
from ..transforms.call import check_callable
from ..transforms.gradients import grad, vjp
from ..transforms.tangents import linearize
from ..transforms.transformed import Transformed
from ..transforms.vmap import vmap
from .closure import Recorded
from .scipy_modules import scipy_module
from .unknown import Unknown, flat_result

__all__ = ["column_coloring", "hessian", "hessian_sparsity", "jacobian", "jacobian_sparsity", "star_coloring"]

AT_ONCE = 1 << 22
"""The largest number of elements in the directions of one batch of products."""


# --------------------------------------------------------------------------------------------------------- the matrices


def jacobian(f: Callable[..., Any], sparsity: Any = None, *, way: str = "auto", check: bool = True) -> Callable[..., Any]:
    """The function that returns the Jacobian of `f` by its first argument, as a SciPy sparse array.

    Parameters
    ----------
    f : callable
        ``f(x, *args)`` returns a real floating Tensor, or a container of them.
    sparsity : SciPy sparse array or bool array, optional
        Where the Jacobian may be nonzero, of shape (size of the result, size of `x`), both in row-major order, array after
        array for containers. It may have more entries than the Jacobian, but not fewer. By default `jacobian_sparsity` finds it
        in the first call, and later calls of the same sizes use it.
    way : {"auto", "forward", "reverse"}
        Whether to combine columns and push them forward, to combine rows and pull them back, or to do what takes fewer
        products.
    check : bool
        Whether to compute one more product, with a random direction, that detects entries missing in `sparsity`.

    Returns
    -------
    callable
        Takes the arguments of `f`; `x` is a real array, Tensor, number or container of them. Returns a
        `scipy.sparse.csr_array` of float64, on the host.

    Raises
    ------
    GradientError
        If the check finds nonzeros outside `sparsity`; the message names the rows. If `f` uses a tensor that requires grad
        while calls are recorded: no gradient flows through a SciPy array.
    ValueError
        If `sparsity` has another shape than the Jacobian, or `way` is unknown.
    TypeError
        If `x` is not real floating, or the result of `f` is not.
    ImportError
        If SciPy is not installed.

    Notes
    -----
    The number of products is the number of colours of `column_coloring`, of the pattern or of its transpose. `vmap` computes
    them in batches, or a loop one by one if an op cannot be batched.

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
    """The function that returns the Hessian of the scalar function `f` by its first argument, as a SciPy sparse array.

    Parameters
    ----------
    f : callable
        ``f(x, *args)`` returns one real floating scalar.
    sparsity : SciPy sparse array or bool array, optional
        Where the Hessian may be nonzero: a square pattern, made symmetric, with a full diagonal. By default
        `hessian_sparsity` finds it in the first call, and later calls of the same size use it.
    check : bool
        As for `jacobian`.

    Returns
    -------
    callable
        Takes the arguments of `f`, and returns a symmetric `scipy.sparse.csr_array` of float64, on the host.

    Raises
    ------
    GradientError, ValueError, TypeError, ImportError
        As for `jacobian`.

    Notes
    -----
    The number of products with the Hessian is the number of colours of `star_coloring`. By symmetry an entry can be read from
    one of two columns, so that fewer products are needed than for a Jacobian of the same pattern.

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
    caller = "sparse.jacobian"

    def __init__(self, f: Callable[..., Any], sparsity: Any, way: str, check: bool) -> None:
        super().__init__(check_callable(self.caller, f))
        self.sparsity, self.way, self.check = sparsity, way, check
        self.plans = _Plans(sparsity, lambda pattern: _Columns.best(pattern, way))

    def constructor_arguments(self) -> tuple[Any, ...]:
        return self.f, self.sparsity, self.way, self.check

    def __call__(self, x: Any, /, *args: Any) -> Any:
        unknown = Unknown(self.caller, "argument 0", x, args)
        products = _Products(lambda v: flat_result(unknown, self.f, v, args), unknown)
        return self.plans.at(products).matrix(products, self.check)


class _Hessian(Transformed):
    caller = "sparse.hessian"

    def __init__(self, f: Callable[..., Any], sparsity: Any, check: bool) -> None:
        super().__init__(check_callable(self.caller, f))
        self.sparsity, self.check = sparsity, check
        self.plans = _Plans(sparsity, _Star)

    def constructor_arguments(self) -> tuple[Any, ...]:
        return self.f, self.sparsity, self.check

    def __call__(self, x: Any, /, *args: Any) -> Any:
        unknown = Unknown(self.caller, "argument 0", x, args)
        products = _Products(_gradient(self.f, unknown, args), unknown)
        return self.plans.at(products).matrix(products, self.check)


def jacobian_sparsity(f: Callable[..., Any], x: Any, /, *args: Any, points: int = 2, seed: int = 0) -> Any:
    """The pattern of nonzeros of the Jacobian of `f` by `x`, found by products with random directions.

    Parameters
    ----------
    f, x, args
        As for `jacobian`.
    points : int
        The number of random points near `x` to use besides `x` itself: an entry may be zero at one point by accident. Each
        coordinate differs by at most a tenth of ``1 + abs(x)``; points at which `f` is not finite are not used.
    seed : int
        The seed of the directions and points.

    Returns
    -------
    scipy.sparse.csr_array
        Of bool, of shape (size of the result, size of `x`).

    Notes
    -----
    Blocks of columns are tested and halved, with blocks that have no row in common tested by one product: a banded Jacobian of
    n columns takes a number of products that grows with its bandwidth times log n. Nonzeros far from `x`, behind a `where` or a
    clip, are not detected: give `jacobian` the pattern if you know it, and do not turn off its check.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.sparse.jacobian_sparsity(lambda x: x * x[::-1], np.zeros(3)).toarray().astype(int)
    array([[1, 0, 1],
           [0, 1, 0],
           [1, 0, 1]])
    """
    unknown = Unknown("sparse.jacobian_sparsity", "argument 0", x, args)
    return _detect(_Products(lambda v: flat_result(unknown, f, v, args), unknown), points, seed)


def hessian_sparsity(f: Callable[..., Any], x: Any, /, *args: Any, points: int = 2, seed: int = 0) -> Any:
    """The pattern of nonzeros of the Hessian of the scalar function `f` by `x`; see `jacobian_sparsity`.

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
    """A colour for each column of a matrix; columns with a nonzero in a common row have different colours.

    Parameters
    ----------
    sparsity : SciPy sparse array or bool array
        The pattern of nonzeros.

    Returns
    -------
    NumPy array of int
        Colours from 0 on. Columns get the lowest free colour, once in the given order and once by decreasing number of
        nonzeros; the colouring with fewer colours is returned.

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
    colorings = [_greedy(rows_of, columns.shape, o) for o in (range(columns.shape[1]), order)]
    return min(colorings, key=lambda colors: colors.max(initial=0))


def _greedy(rows_of: Sequence[Any], shape: tuple[int, int], order: Any) -> Any:
    """The column colouring that gives each column, in this order, the lowest free colour."""
    import numpy

    colors = numpy.zeros(shape[1], dtype=int)
    used = [0] * shape[0]  # the colours in each row, as the bits of an integer
    for j in order:
        rows, forbidden = rows_of[j].tolist(), 0
        for i in rows:
            forbidden |= used[i]
        colors[j] = color = _lowest_free(forbidden)
        for i in rows:
            used[i] |= 1 << color
    return colors


def star_coloring(sparsity: Any) -> Any:
    """A colour for each row of a symmetric matrix, such that one product for each colour determines every entry.

    Neighbours have different colours, and every path of four vertices has at least three. Then each entry h[i, j] is element i
    of the product for the colour of j, or element j of the product for the colour of i, with nothing added to it (Coleman and
    Moré, Estimation of Sparse Hessian Matrices and Graph Coloring Problems, 1984).

    Parameters
    ----------
    sparsity : SciPy sparse array or bool array
        The pattern of nonzeros, taken as symmetric.

    Returns
    -------
    NumPy array of int
        Colours from 0 on; each vertex gets the lowest free colour, in the given order.

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
    colored: list[dict[int, list[int]]] = [{} for _ in range(n)]  # the coloured neighbours of each vertex, by their colour
    seen = [0] * n  # the colours of the neighbours of each vertex, as the bits of an integer
    barred = [0] * n  # of those, the colours of neighbours that have another neighbour of the vertex's own colour
    for v in range(n):
        forbidden = 0
        for w in neighbors[v]:
            forbidden |= seen[w] if colors[w] < 0 else 1 << colors[w] | barred[w]
        colors[v] = color = _lowest_free(forbidden)
        for x in neighbors[v]:
            same = colored[x].setdefault(color, [])
            same.append(v)
            seen[x] |= 1 << color
            if colors[x] >= 0 and len(same) > 1:
                for w in same if len(same) == 2 else same[-1:]:
                    barred[w] |= 1 << colors[x]
        for same in colored[v].values():
            if len(same) > 1:
                for w in same:
                    barred[w] |= 1 << color
    return numpy.asarray(colors, dtype=int)


def _lowest_free(forbidden: int) -> int:
    """The lowest colour whose bit in `forbidden` is not set."""
    return (~forbidden & (forbidden + 1)).bit_length() - 1


def _pattern(sparsity: Any) -> Any:
    """A pattern as a SciPy sparse array of bool without stored zeros."""
    pattern = scipy_module("sparse", "sparse").csr_array(sparsity, dtype=bool)
    pattern.eliminate_zeros()
    pattern.sort_indices()
    return pattern


def _symmetric(pattern: Any) -> Any:
    """The pattern of a matrix plus its transpose."""
    if pattern.shape[0] != pattern.shape[1]:
        raise ValueError(f"sparse: a symmetric pattern must be square, not of shape {pattern.shape}")
    return _pattern(pattern + pattern.T)


# ------------------------------------------------------------------------------- products, and the entries in them


class _Products:
    """Products with the m by n Jacobian of a function of a vector, and with its transpose, on the host."""

    def __init__(self, f: Callable[[Tensor], Tensor], unknown: Unknown) -> None:
        if any(unknown.packing.complex):
            raise TypeError(f"{unknown.caller}: only real arrays have sparse derivatives; split real and imaginary parts")
        self.f, self.unknown, self.caller, self.n = f, unknown, unknown.caller, unknown.packing.size
        self.point = wrap(unknown.packing.pack(unknown.data()))
        self._push: Any = None
        self._pull: Any = None
        recorded = Recorded(lambda: [f(self.point)])
        if recorded.outside and mode.get():
            one = recorded.outside[0]
            raise GradientError(
                f"{self.caller}: the function uses a tensor that requires grad ({one.name} at {one.line}), but no gradient "
                "flows through the SciPy array that is returned; detach the tensor, or make the call under xgrad.no_grad()"
            )
        self.m = recorded.results[0].size

    def at(self, point: Any) -> _Products:
        """The products at another point, a vector on the host."""
        other = object.__new__(_Products)
        other.__dict__ = {**self.__dict__, "point": self.unknown.vector(point), "_push": None, "_pull": None}
        return other

    def value(self) -> Any:
        """The value of the function, on the host."""
        with recording(False):
            return self.unknown.packing.to_host(self.f(self.point))

    def push(self, directions: Any) -> Any:
        """``J v`` for each row v of a NumPy matrix, as the rows of a matrix."""
        if self._push is None:
            self._push = linearize(self.f, self.point)[1]
        return self._each(self._push, directions, self.m)

    def pull(self, directions: Any) -> Any:
        """``J' u`` for each row u of a NumPy matrix."""
        if self._pull is None:
            pull = vjp(self.f, self.point)[1]
            self._pull = lambda u: pull(u)[0]
        return self._each(self._pull, directions, self.n)

    def _each(self, product: Callable[[Tensor], Tensor], directions: Any, size: int) -> Any:
        """`product` of each row, in batches; `size` is the length of a product."""
        import numpy

        packing = self.unknown.packing
        out = numpy.empty((len(directions), size))
        step = max(1, AT_ONCE // max(1, self.n, self.m))
        with recording(False):
            for k in range(0, len(directions), step):
                rows = wrap(packing.from_host(directions[k : k + step]))
                try:
                    products = vmap(product)(rows)
                except NotImplementedError:  # an op cannot be batched
                    products = rows.__array_namespace__().stack([product(rows[i, :]) for i in range(rows.shape[0])])
                out[k : k + step] = packing.to_host(products)
        return out


def _gradient(f: Callable[..., Any], unknown: Unknown, args: Sequence[Any]) -> Callable[[Tensor], Tensor]:
    """The gradient of `f` as a function of a vector."""
    gradient: Callable[[Tensor], Tensor] = grad(lambda v: f(unknown.rebuild(unknown.packing.unpack(v)), *args))
    return gradient


class _Plans:
    """The coloured pattern that the user gave, or those detected so far, one for each shape.

    `color` makes a coloured pattern, `_Columns` or `_Star`, of a pattern.
    """

    def __init__(self, sparsity: Any, color: Callable[[Any], Any]) -> None:
        self.color = color
        self.from_user = None if sparsity is None else color(_pattern(sparsity))
        self.detected: dict[tuple[int, int], Any] = {}

    def at(self, products: _Products) -> Any:
        """The coloured pattern for these products."""
        shape = products.m, products.n
        if self.from_user is not None:
            expected = self.from_user.pattern.shape
            if expected != shape:
                raise ValueError(f"{products.caller}: the sparsity has shape {expected}, but must have {shape}")
            return self.from_user
        if shape not in self.detected:
            self.detected[shape] = self.color(_detect(products))
        return self.detected[shape]


class _Columns:
    """A pattern with coloured columns, which are pushed forward, or (not `forward`) with coloured rows, which are pulled back."""

    def __init__(self, pattern: Any, forward: bool) -> None:
        self.pattern, self.forward = pattern, forward
        self.colors = column_coloring(pattern if forward else pattern.T)
        self.count = int(self.colors.max(initial=-1)) + 1

    @classmethod
    def best(cls, pattern: Any, way: str) -> _Columns:
        """The coloured pattern for one way, or for the way with fewer colours."""
        patterns = [cls(pattern, one == "forward") for one in ("forward", "reverse") if way in ("auto", one)]
        return min(patterns, key=lambda colored: colored.count)

    def matrix(self, products: _Products, check: bool) -> Any:
        """The matrix, by one product for each colour."""
        entries = (products.push if self.forward else products.pull)(_seeds(self.colors, self.count))
        rows, columns = self.pattern.nonzero()
        values = entries[self.colors[columns], rows] if self.forward else entries[self.colors[rows], columns]
        return _assembled(products, self.pattern, values, check, self.forward)


class _Star:
    """A symmetric pattern with star-coloured columns.

    `alone` says for each entry whether it is read from the product for the colour of its column, else from that of its row.
    """

    def __init__(self, pattern: Any) -> None:
        import numpy

        scipy_sparse = scipy_module("sparse", "sparse")
        self.pattern = _symmetric(_symmetric(pattern) + scipy_sparse.eye_array(pattern.shape[0], dtype=bool))
        self.colors = star_coloring(self.pattern)
        self.count = int(self.colors.max(initial=-1)) + 1
        rows, columns = self.pattern.nonzero()
        # How many entries in the row have the column's colour.
        _, group, counts = numpy.unique(rows * self.count + self.colors[columns], return_inverse=True, return_counts=True)
        self.alone = counts[group] == 1

    def matrix(self, products: _Products, check: bool) -> Any:
        """The matrix, by one product for each colour."""
        import numpy

        entries = products.push(_seeds(self.colors, self.count))
        rows, columns = self.pattern.nonzero()
        by_column, by_row = entries[self.colors[columns], rows], entries[self.colors[rows], columns]
        return _assembled(products, self.pattern, numpy.where(self.alone, by_column, by_row), check, True)


def _seeds(colors: Any, count: int) -> Any:
    """A direction for each colour, as the rows of a matrix: 1 where the colour is, else 0."""
    import numpy

    return (numpy.arange(count)[:, None] == colors).astype(float)


def _assembled(products: _Products, pattern: Any, values: Any, check: bool, forward: bool) -> Any:
    """The sparse matrix of these values; with `check`, raises if a product with a random direction differs."""
    import numpy

    rows, columns = pattern.nonzero()
    matrix = scipy_module("sparse", products.caller).csr_array((values, (rows, columns)), shape=pattern.shape)
    if check:
        a = matrix if forward else matrix.T
        v = numpy.random.default_rng(0).uniform(0.5, 1.5, a.shape[1])
        expected, actual = (products.push if forward else products.pull)(v[None, :])[0], a @ v
        size = abs(a) @ v + abs(expected) + numpy.finfo(float).tiny
        equal = abs(expected - actual) <= products.unknown.packing.eps**0.5 * size
        wrong = numpy.flatnonzero(~equal & numpy.isfinite(expected))
        if wrong.size:
            which = ("rows " if forward else "columns ") + ", ".join(map(str, wrong[:5])) + " ..." * (wrong.size > 5)
            raise GradientError(
                f"{products.caller}: the sparsity lacks entries: {which} of the matrix have other nonzeros too; give a larger "
                "pattern, or detect it at a point where they are not zero"
            )
    return matrix


def _detect(products: _Products, points: int = 2, seed: int = 0) -> Any:
    """The pattern of nonzeros, found by testing blocks of columns and halving them."""
    import numpy

    scipy_sparse = scipy_module("sparse", products.caller)
    rng = numpy.random.default_rng(seed)
    start = products.unknown.packing.to_host(products.point)
    moved = [start + 0.1 * (1 + abs(start)) * rng.uniform(-1, 1, start.shape) for _ in range(points)]
    near = [products, *(p for p in map(products.at, moved) if numpy.isfinite(p.value()).all())]
    edges = numpy.asarray([0, products.n])  # block k holds the columns from edges[k] to edges[k + 1]
    pattern = scipy_sparse.csc_array(numpy.ones((products.m, 1 if products.n else 0), dtype=bool))
    while True:
        pattern = _tested(near, pattern, edges, rng)
        if (numpy.diff(edges) <= 1).all():
            return _pattern(pattern)
        middle = (edges[:-1] + edges[1:] + 1) // 2
        halves = numpy.unique(numpy.concatenate([edges, middle]))
        parent = numpy.searchsorted(edges, halves[:-1], side="right") - 1
        pattern, edges = pattern[:, parent], halves


def _tested(near: Sequence[_Products], pattern: Any, edges: Any, rng: Any) -> Any:
    """The entries of a pattern of blocks of columns that are nonzero for random directions at one of the points `near`."""
    import numpy

    colors = column_coloring(pattern)
    rows, blocks = pattern.nonzero()
    of_column = numpy.repeat(numpy.arange(len(edges) - 1), numpy.diff(edges))
    seeds = _seeds(colors[of_column], int(colors.max(initial=-1)) + 1) * rng.uniform(0.5, 1.5, len(of_column))
    nonzero = numpy.zeros(len(rows), dtype=bool)
    for products in near:
        nonzero |= products.push(seeds)[colors[blocks], rows] != 0  # NaN counts as nonzero
    ones = numpy.ones(int(nonzero.sum()), dtype=bool)
    return scipy_module("sparse", "sparse").csc_array((ones, (rows[nonzero], blocks[nonzero])), shape=pattern.shape)
