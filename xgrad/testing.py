"""`check_grads`, which compares the derivatives of a function with central differences, for those who write ops and rules."""

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
        The arguments of `f`: numbers, arrays of any backend, Tensors, or containers of them. `f` must be smooth near them.
        Arguments that are not floating are passed on.
    order : int
        The highest order of derivative to check.
    modes : sequence of {"rev", "fwd"}
        ``"rev"`` checks pullbacks, for each entry of each argument; ``"fwd"`` checks products with a random tangent. If both
        are named, it also checks that they are transposes of each other: ``<u, J v> = <J' u, v>``.
    backends : sequence of str, optional
        The names of the backends to check on, one after the other. The default is the backend of `args`; and, if these are
        plain NumPy arrays or numbers, also array-api-strict, if it is installed and `f` can be called on its arrays. It
        accepts only what the standard defines, so it finds calls that other backends would refuse.
    eps : float
        The step of the differences, relative for numbers above 1.
    rtol, atol : float
        The tolerances for the comparison with central differences.
    transpose_rtol : float
        The tolerance for the two sides of ``<u, J v> = <J' u, v>``.
    seed : int
        The seed of the random cotangents and tangents.

    Raises
    ------
    AssertionError
        If they differ. The message has the function, the order, the argument, the index and both numbers.
    TypeError
        If a floating argument is not of double precision, or no argument is floating.
    ValueError
        If `modes` or `backends` has an unknown name.

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
    for name, optional in _backend_names(args, backends):
        check = _Check(f, args, name, eps, rtol, atol, transpose_rtol, seed)
        if optional and not check.can_be_called():
            continue
        try:
            check.run(order, modes)
        except Exception as error:
            if name is not None:
                error.add_note(f"on backend {name!r}; pass backends= to check_grads to choose others")
            raise


def _backend_names(args: Sequence[Any], backends: Sequence[str] | None) -> Iterator[tuple[str | None, bool]]:
    """The names of the backends to check on, None for that of the arguments; and whether to skip it if `f` fails there."""
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
        flat_args = [flatten(arg) for arg in args]
        self.structures = [structure for _, structure in flat_args]
        names = [f"argument {k}{path}" for k, structure in enumerate(self.structures) for path in structure.paths]
        self.leaves = [_on_backend(leaf, backend) for leaves, _ in flat_args for leaf in leaves]
        self.floating = [k for k, x in enumerate(self.leaves) if isinstance(x, Tensor) and x.dtype.inexact]
        self.names = [names[k] for k in self.floating]
        self.points = [self.leaves[k] for k in self.floating]
        if not self.floating:
            raise TypeError(f"check_grads: no argument of {self.name} is floating, so there is no derivative to check")
        for name, x in zip(self.names, self.points):
            if x.dtype.bits // (2 if x.dtype.kind == "complex floating" else 1) < 64:
                raise TypeError(f"check_grads: {name} is of dtype {x.dtype.name}; differences need float64 or complex128")

    def call(self, *xs: Any) -> list[Any]:
        """The floating results of the function, at floating arguments `xs`."""
        leaves = list(self.leaves)
        for k, x in zip(self.floating, xs):
            leaves[k] = x
        remaining = iter(leaves)
        args = [structure.unflatten([next(remaining) for _ in structure.paths]) for structure in self.structures]
        return [y for y in flatten(self.f(*args))[0] if not isinstance(y, (bool, int, str))]

    def can_be_called(self) -> bool:
        """Whether the function can be called on arrays of this backend."""
        with no_grad():
            try:
                self.call(*self.points)
            except Exception:
                return False
        return True

    def run(self, order: int, modes: Sequence[str]) -> None:
        """Check all derivatives up to `order`."""
        current = self.call
        for k in range(1, order + 1):
            label = f"{self.name}: its derivative of order {k}"
            with no_grad():
                results = current(*self.points)
            us, vs = [self.random(y) for y in results], [self.random(x) for x in self.points]
            reverse = self.reverse(label, current, us, vs) if "rev" in modes else None
            forward = self.forward(label, current, us, vs) if "fwd" in modes else None
            if reverse is not None and forward is not None:
                scale = max(abs(forward), abs(reverse))
                if not abs(forward - reverse) <= self.transpose_rtol * scale + 1e-14:
                    raise AssertionError(
                        f"{label}: forward and reverse mode are not each other's transpose: <u, J v> is {forward:.12g}, "
                        f"but <J' u, v> is {reverse:.12g}"
                    )
            current = _pullback(current, us)

    def reverse(self, label: str, f: Any, us: list[Tensor], vs: list[Tensor]) -> float:
        """Compare each entry of the pullback of `us` with differences; return its product with `vs`."""
        import numpy

        gradients = [_host(g) for g in _vjp(f, self.points)(us)]
        weights = [_host(u) for u in us]

        def projected(xs: list[Tensor]) -> float:
            with no_grad():
                return float(sum(numpy.sum((numpy.conj(u) * _host(y)).real) for u, y in zip(weights, f(*xs))))

        for k, x in enumerate(self.points):
            values, expected = _host(x), numpy.zeros_like(gradients[k])
            for index in numpy.ndindex(values.shape):
                step = self.eps * max(1.0, abs(values[index]))
                for direction in (1.0, 1j) if values.dtype.kind == "c" else (1.0,):
                    ends = [_moved(x, values, index, sign * step * direction) for sign in (1, -1)]
                    plus, minus = (projected([*self.points[:k], end, *self.points[k + 1 :]]) for end in ends)
                    expected[index] += direction * (plus - minus) / (2 * step)
            self.compare(f"{label} by {self.names[k]}", gradients[k], expected, 1.0)
        return sum(_inner(g, _host(v)) for g, v in zip(gradients, vs))

    def forward(self, label: str, f: Any, us: list[Tensor], vs: list[Tensor]) -> float:
        """Compare the product with the tangents `vs` with differences; return its product with `us`."""

        def g(*xs: Any) -> Any:
            ys = f(*xs)
            return ys[0] if len(ys) == 1 else ys

        tangents = [_host(y) for y in flatten(jvp(g, self.points, vs)[1])[0]]
        with no_grad():
            ends = [f(*(x + sign * self.eps * v for x, v in zip(self.points, vs))) for sign in (1, -1)]
        for k, (tangent, plus, minus) in enumerate(zip(tangents, *ends)):
            expected = (_host(plus) - _host(minus)) / (2 * self.eps)
            self.compare(f"{label}, forward, of result {k}", tangent, expected, 10.0)
        return sum(_inner(_host(u), tangent) for u, tangent in zip(us, tangents))

    def compare(self, label: str, got: Any, expected: Any, slack: float) -> None:
        """Raise an AssertionError if two arrays differ by more than `slack` times the tolerances."""
        import numpy

        size = numpy.maximum(abs(got), abs(expected))
        wrong = ~(abs(got - expected) <= slack * (self.atol + self.rtol * size))
        if wrong.any():
            index = tuple(int(i) for i in numpy.argwhere(wrong)[0])
            more = f" ({int(wrong.sum())} of {wrong.size} numbers differ)" if wrong.sum() > 1 else ""
            raise AssertionError(
                f"{label} at index {index} is {got[index]:.10g}, but central differences say {expected[index]:.10g}{more}"
            )

    def random(self, x: Any) -> Tensor:
        """Random numbers from 0.2 to 1, of the shape, dtype and backend of `x`."""
        values = self.rng.uniform(0.2, 1.0, x.shape)
        if x.dtype.name.startswith("complex"):
            values = values + 1j * self.rng.uniform(0.2, 1.0, x.shape)
        return _beside(x, values)


def _on_backend(x: Any, backend: str | None) -> Any:
    """A number or an array as a Tensor, on the named backend if there is a name; any other object unchanged."""
    if isinstance(x, (float, complex)):  # NumPy's double-precision scalars are these too
        x = Tensor(x, dtype="float64" if isinstance(x, float) else "complex128")
    elif isinstance(x, (bool, int, str)) or (not isinstance(x, Tensor) and backend_of(x) is None):
        return x
    tensor = x.detach() if isinstance(x, Tensor) else Tensor(x)
    if backend is None or backend == tensor.backend:
        return tensor
    target = find_backend(backend)
    return wrap(target.xp.astype(target.from_numpy(_host(tensor)), target.native_dtype(tensor.dtype), copy=False))


def _pullback(f: Callable[..., list[Any]], us: list[Tensor]) -> Callable[..., list[Any]]:
    """The pullback of `us` as a function of the arguments, to be differentiated again."""
    return lambda *xs: list(_vjp(f, xs)(us))


def _vjp(f: Callable[..., list[Any]], xs: Sequence[Any]) -> Callable[[list[Tensor]], tuple[Any, ...]]:
    """The pullback, of a list of cotangents, of a function that returns a list; one result is passed to `vjp` by itself."""
    is_single = []

    def g(*xs: Any) -> Any:
        ys = f(*xs)
        is_single.append(len(ys) == 1)
        return ys[0] if is_single[0] else ys

    _, pull = vjp(g, *xs)
    return lambda us: pull(us[0] if is_single[0] else us)


def _inner(a: Any, b: Any) -> float:
    """The real inner product of two arrays of the host."""
    import numpy

    return float(numpy.sum((numpy.conj(a) * b).real))


def _moved(x: Tensor, values: Any, index: tuple[int, ...], step: Any) -> Tensor:
    """`x`, whose numbers are `values` on the host, with a step added at one index."""
    values = values.copy()
    values[index] += step
    return _beside(x, values)


def _beside(x: Any, values: Any) -> Tensor:
    """The host's `values` on the backend and device of `x`."""
    import numpy

    data = x._data if isinstance(x, Tensor) else x
    backend: Backend = raw_namespace(data).__backend__
    array = backend.from_numpy(numpy.asarray(values), backend.device(data))
    return wrap(backend.xp.astype(array, data.dtype, copy=False))


def _host(x: Any) -> Any:
    data = x._data if isinstance(x, Tensor) else x
    return raw_namespace(data).__backend__.to_numpy(data)
