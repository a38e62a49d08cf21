"""For people who add ops and rules: is this derivative right?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .backend.find import backend_of, find_backend, raw_namespace
from .backend.protocol import Backend, BackendError
from .graph.recording import no_grad
from .tensor.tensor import Tensor, wrap
from .transforms.gradients import vjp
from .transforms.tangents import jvp
from .tree import flatten

__all__ = ["check_grads"]


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    modes: Sequence[str] = ("rev", "fwd"),
    *,
    backends: Sequence[str] | None = None,
    eps: float = 1e-6,
    rtol: float = 1e-5,
    atol: float = 1e-7,
    transpose_rtol: float = 1e-10,
    seed: int = 0,
) -> None:
    """Compare the derivatives of `f` with central differences, and with each other, at `args`.

    Parameters
    ----------
    f : callable
        A function of float64 or complex128 arrays that returns one floating Tensor, or a container of them.
    args : sequence
        Its arguments: numbers, arrays of any backend, Tensors, or containers of them, away from kinks. What is not floating is
        passed on.
    order : int
        The highest order of derivative to check.
    modes : sequence of {"rev", "fwd"}
        Whether to check pullbacks, each entry of each argument; and products with a random tangent. If both, also that they
        are each other's transpose: ``<u, J v> = <J' u, v>``.
    backends : sequence of str, optional
        The names of the backends to check on, one after the other. Without it: the one that `args` are of; and, if these are
        plain NumPy arrays or numbers, array-api-strict too, where that is installed and `f` can be called on its arrays. It
        refuses what only some libraries allow, as other backends would.
    eps : float
        The step, relative for numbers above 1.
    rtol, atol : float
        What counts as equal to a central difference.
    transpose_rtol : float
        How far the two sides of that identity may be apart.
    seed : int
        Of the random cotangents and tangents.

    Raises
    ------
    AssertionError
        If they differ: with the function, the order, the argument, the index, and both numbers.
    TypeError
        If a floating argument is not of double precision, or there is none.
    ValueError
        If `modes` or `backends` name something else.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> from xgrad.testing import check_grads
    >>> check_grads(lambda x: xgrad.sin(x) * x, (np.array([0.5, 1.0]),))
    >>> @xgrad.op
    ... def cube(xp, x, /):
    ...     return x**3
    >>> cube.vjp(x=lambda g, x: 2 * g * x**2)
    >>> check_grads(cube, (np.array([1.0, 2.0]),))
    Traceback (most recent call last):
    ...
    AssertionError: cube: its derivative of order 1 by argument 0 at index (0,) is 1.419..., but central differences say
    2.128... (2 of 2 numbers differ)
    """
    if unknown := set(modes) - {"rev", "fwd"}:
        raise ValueError(f"check_grads: modes are 'rev' and 'fwd', not {sorted(unknown)}")
    for name, lenient in _places(args, backends):
        check = _Check(f, args, name, eps, rtol, atol, transpose_rtol, seed)
        if lenient and not check.can_be_called():
            continue
        try:
            check.run(order, modes)
        except Exception as error:
            if name is not None:
                error.add_note(f"on backend {name!r}; backends= of check_grads says where to check")
            raise


def _places(args: Sequence[Any], backends: Sequence[str] | None) -> Iterator[tuple[str | None, bool]]:
    """The names of the backends to check on, None for where the arguments are; and whether to skip one that `f` refuses."""
    import numpy

    if backends is not None:
        for name in backends:
            find_backend(name).load()
        yield from ((name, False) for name in backends)
        return
    yield None, False
    if all(isinstance(x, (numpy.ndarray, numpy.generic)) or not hasattr(x, "dtype") for x in flatten(tuple(args))[0]):
        try:
            find_backend("strict").load()
        except BackendError:
            return
        yield "strict", True


class _Check:
    """A function at a point on one backend."""

    def __init__(
        self,
        f: Callable[..., Any],
        args: Sequence[Any],
        backend: str | None,
        eps: float,
        rtol: float,
        atol: float,
        transpose_rtol: float,
        seed: int,
    ) -> None:
        import numpy

        self.f, self.eps, self.rtol, self.atol, self.transpose_rtol = f, eps, rtol, atol, transpose_rtol
        self.rng = numpy.random.default_rng(seed)
        self.name = getattr(f, "__name__", "the function")
        taken = [flatten(arg) for arg in args]
        self.structures = [structure for _, structure in taken]
        names = [f"argument {k}{path}" for k, structure in enumerate(self.structures) for path in structure.paths]
        self.leaves = [_placed(leaf, backend) for leaves, _ in taken for leaf in leaves]
        self.at = [k for k, x in enumerate(self.leaves) if isinstance(x, Tensor) and x.dtype.inexact]
        self.names = [names[k] for k in self.at]
        self.points = [self.leaves[k] for k in self.at]
        if not self.at:
            raise TypeError(f"check_grads: no argument of {self.name} is floating, so there is no derivative to check")
        for what, x in zip(self.names, self.points):
            if x.dtype.bits // (2 if x.dtype.kind == "complex floating" else 1) < 64:
                raise TypeError(f"check_grads: {what} is of dtype {x.dtype.name}; differences need float64 or complex128")

    def call(self, *xs: Any) -> list[Any]:
        """The floating results of the function, at floating arguments `xs`."""
        leaves = list(self.leaves)
        for k, x in zip(self.at, xs):
            leaves[k] = x
        rest = iter(leaves)
        args = [structure.unflatten([next(rest) for _ in structure.paths]) for structure in self.structures]
        return [y for y in flatten(self.f(*args))[0] if not isinstance(y, (bool, int, str))]

    def can_be_called(self) -> bool:
        with no_grad():
            try:
                self.call(*self.points)
            except Exception:
                return False
        return True

    def run(self, order: int, modes: Sequence[str]) -> None:
        current = self.call
        for k in range(1, order + 1):
            told = f"{self.name}: its derivative of order {k}"
            with no_grad():
                results = current(*self.points)
            us, vs = [self.random(y) for y in results], [self.random(x) for x in self.points]
            found: dict[str, float] = {}
            if "rev" in modes:
                found["reverse"] = self.reverse(told, current, us, vs)
            if "fwd" in modes:
                found["forward"] = self.forward(told, current, us, vs)
            if len(found) == 2:
                scale = max(map(abs, found.values()))
                if not abs(found["forward"] - found["reverse"]) <= self.transpose_rtol * scale + 1e-14:
                    raise AssertionError(
                        f"{told}: forward and reverse mode are not each other's transpose: <u, J v> is {found['forward']:.12g}, "
                        f"but <J' u, v> is {found['reverse']:.12g}"
                    )
            current = _pulled(current, us)

    def reverse(self, told: str, f: Any, us: list[Tensor], vs: list[Tensor]) -> float:
        """Compare each entry of the pullback of `us`; its product with `vs`."""
        import numpy

        found = [_host(g) for g in _vjp(f, self.points)(us)]
        weights = [_host(u) for u in us]

        def projected(xs: list[Tensor]) -> float:
            with no_grad():
                return float(sum(numpy.sum((numpy.conj(u) * _host(y)).real) for u, y in zip(weights, f(*xs))))

        for k, x in enumerate(self.points):
            at, expected = _host(x), numpy.zeros_like(found[k])
            for index in numpy.ndindex(at.shape):
                step = self.eps * max(1.0, abs(at[index]))
                for way in (1.0, 1j) if at.dtype.kind == "c" else (1.0,):
                    moved = [_moved(x, at, index, sign * step * way) for sign in (1, -1)]
                    ends = [projected([*self.points[:k], end, *self.points[k + 1 :]]) for end in moved]
                    expected[index] += way * (ends[0] - ends[1]) / (2 * step)
            self.compare(f"{told} by {self.names[k]}", found[k], expected, 1.0)
        return sum(_inner(g, _host(v)) for g, v in zip(found, vs))

    def forward(self, told: str, f: Any, us: list[Tensor], vs: list[Tensor]) -> float:
        """Compare the product with the tangents `vs`; its product with `us`."""

        def g(*xs: Any) -> Any:
            ys = f(*xs)
            return ys[0] if len(ys) == 1 else ys

        pushed = [_host(y) for y in flatten(jvp(g, self.points, vs)[1])[0]]
        with no_grad():
            ends = [f(*(x + sign * self.eps * v for x, v in zip(self.points, vs))) for sign in (1, -1)]
        for k, (got, plus, minus) in enumerate(zip(pushed, *ends)):
            expected = (_host(plus) - _host(minus)) / (2 * self.eps)
            self.compare(f"{told}, forward, of result {k}", got, expected, 10.0)
        return sum(_inner(_host(u), y) for u, y in zip(us, pushed))

    def compare(self, what: str, got: Any, expected: Any, slack: float) -> None:
        import numpy

        size = numpy.maximum(abs(got), abs(expected))
        wrong = ~(abs(got - expected) <= slack * (self.atol + self.rtol * size))
        if wrong.any():
            index = tuple(int(i) for i in numpy.argwhere(wrong)[0])
            more = f" ({int(wrong.sum())} of {wrong.size} numbers differ)" if wrong.sum() > 1 else ""
            raise AssertionError(
                f"{what} at index {index} is {got[index]:.10g}, but central differences say {expected[index]:.10g}{more}"
            )

    def random(self, x: Any) -> Tensor:
        """Numbers from 0.2 to 1, like `x`."""
        values = self.rng.uniform(0.2, 1.0, x.shape)
        if x.dtype.name.startswith("complex"):
            values = values + 1j * self.rng.uniform(0.2, 1.0, x.shape)
        return _on(x, values)


def _placed(x: Any, backend: str | None) -> Any:
    """A number or an array as a Tensor, on the named backend if there is one; other things as they are."""
    if isinstance(x, (float, complex)):  # NumPy's double-precision scalars are these too
        x = Tensor(x, dtype="float64" if isinstance(x, float) else "complex128")
    elif isinstance(x, (bool, int, str)) or (not isinstance(x, Tensor) and backend_of(x) is None):
        return x
    made = x.detach() if isinstance(x, Tensor) else Tensor(x)
    if backend is None or backend == made.backend:
        return made
    there = find_backend(backend)
    return wrap(there.xp.astype(there.from_numpy(_host(made)), there.native_dtype(made.dtype), copy=False))


def _pulled(f: Callable[..., list[Any]], us: list[Tensor]) -> Callable[..., list[Any]]:
    return lambda *xs: list(_vjp(f, xs)(us))


def _vjp(f: Callable[..., list[Any]], xs: Sequence[Any]) -> Callable[[list[Tensor]], tuple[Any, ...]]:
    """The pullback of a function with a list of results, which takes a list of cotangents; one alone needs no container."""
    one = []

    def g(*xs: Any) -> Any:
        ys = f(*xs)
        one.append(len(ys) == 1)
        return ys[0] if one[0] else ys

    _, pull = vjp(g, *xs)
    return lambda us: pull(us[0] if one[0] else us)


def _inner(a: Any, b: Any) -> float:
    import numpy

    return float(numpy.sum((numpy.conj(a) * b).real))


def _moved(x: Tensor, at: Any, index: tuple[int, ...], by: Any) -> Tensor:
    values = at.copy()
    values[index] += by
    return _on(x, values)


def _on(x: Any, values: Any) -> Tensor:
    """The host's `values` on the backend and device of `x`."""
    import numpy

    data = x._data if isinstance(x, Tensor) else x
    backend: Backend = raw_namespace(data).__backend__
    moved = backend.from_numpy(numpy.asarray(values), backend.device(data))
    return wrap(backend.xp.astype(moved, data.dtype, copy=False))


def _host(x: Any) -> Any:
    data = x._data if isinstance(x, Tensor) else x
    return raw_namespace(data).__backend__.to_numpy(data)
