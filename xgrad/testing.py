"""For people who add ops: is this derivative right?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .backend import Backend, raw_namespace
from .engine import Tensor, wrap
from .grad_mode import no_grad
from .transforms import jvp, vjp
from .tree import flatten

__all__ = ["check_grads"]


def check_grads(
    f: Callable[..., Any],
    args: Sequence[Any],
    order: int = 2,
    modes: Sequence[str] = ("rev",),
    *,
    eps: float = 1e-6,
    rtol: float = 1e-5,
    atol: float = 1e-7,
    seed: int = 0,
) -> None:
    """Compare the derivatives of `f` with central differences, at `args`.

    Parameters
    ----------
    f : callable
        A function of float64 or complex128 arrays that returns one floating Tensor, or a container of them.
    args : sequence
        Its arguments: arrays of any backend, Tensors, or containers of them, away from kinks.
    order : int
        The highest order of derivative to check.
    modes : sequence of {"rev", "fwd"}
        Whether to check pullbacks, each entry of each argument; and products with a random tangent.
    eps : float
        The step, relative for numbers above 1.
    rtol, atol : float
        What counts as equal.
    seed : int
        Of the random cotangents and tangents.

    Raises
    ------
    AssertionError
        If they differ: with the order, the argument, the index, and both numbers.
    TypeError
        If an argument is not of double precision.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> from xgrad.testing import check_grads
    >>> check_grads(lambda x: xgrad.sin(x) * x, (np.array([0.5, 1.0]),), modes=("rev", "fwd"))
    >>> @xgrad.op
    ... def cube(xp, x, /):
    ...     return x**3
    >>> cube.vjp(x=lambda g, x: 2 * g * x**2)
    >>> check_grads(cube, (np.array([1.0, 2.0]),))
    Traceback (most recent call last):
    ...
    AssertionError: cube: its derivative of order 1 by argument 0 at index (0,) is 1.419..., but central differences say 2.128...
    """
    import numpy

    if unknown := set(modes) - {"rev", "fwd"}:
        raise ValueError(f"check_grads: modes are 'rev' and 'fwd', not {sorted(unknown)}")
    rng = numpy.random.default_rng(seed)
    name = getattr(f, "__name__", "the function")
    leaves, structure = flatten(tuple(args)) if len(args) != 1 else flatten(args[0])
    names = [f"argument {k}" for k in range(len(leaves))]
    if len(args) == 1 and structure.spec is not None:
        names = [f"argument 0{path}" for path in structure.paths]
    elif len(args) != 1:
        names = [f"argument {path[1:].partition(']')[0]}{path.partition(']')[2]}" for path in structure.paths]
    points = [x.detach() if isinstance(x, Tensor) else Tensor(x) for x in leaves]
    for what, x in zip(names, points):
        if x.dtype.name not in ("float64", "complex128"):
            raise TypeError(f"check_grads: {what} is of dtype {x.dtype.name}; differences need float64 or complex128")

    def current(*xs: Any) -> list[Any]:
        built = structure.unflatten(xs)
        return flatten(f(built) if len(args) == 1 else f(*built))[0]

    for k in range(1, order + 1):
        told = f"{name}: its derivative of order {k}"
        with no_grad():
            results = current(*points)
        us = [_random(rng, y) for y in results]
        if "fwd" in modes:
            _check_forward(told, current, points, [_random(rng, x) for x in points], eps, rtol, atol)
        if "rev" in modes:
            _check_reverse(told, current, points, us, names, eps, rtol, atol)
        current = _pulled(current, us)


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


def _check_reverse(
    told: str, f: Any, points: list[Tensor], us: list[Tensor], names: list[str], eps: float, rtol: float, atol: float
) -> None:
    import numpy

    found = [_host(g) for g in _vjp(f, points)(us)]
    weights = [_host(u) for u in us]

    def projected(xs: list[Tensor]) -> float:
        with no_grad():
            return float(sum(numpy.sum((numpy.conj(u) * _host(y)).real) for u, y in zip(weights, f(*xs))))

    for k, x in enumerate(points):
        at = _host(x)
        for index in numpy.ndindex(at.shape):
            step = eps * max(1.0, abs(at[index]))
            expected = 0.0
            for way in (1.0, 1j) if at.dtype.kind == "c" else (1.0,):
                ends = [projected([*points[:k], _moved(x, at, index, sign * step * way), *points[k + 1 :]]) for sign in (1, -1)]
                expected = expected + way * (ends[0] - ends[1]) / (2 * step)
            got = found[k][index].item()
            _compare(f"{told} by {names[k]} at index {index}", got, expected, rtol, atol)


def _check_forward(told: str, f: Any, points: list[Tensor], vs: list[Tensor], eps: float, rtol: float, atol: float) -> None:
    import numpy

    def g(*xs: Any) -> Any:
        ys = f(*xs)
        return ys[0] if len(ys) == 1 else ys

    pushed = flatten(jvp(g, points, vs)[1])[0]
    with no_grad():
        ends = [f(*(x + sign * eps * v for x, v in zip(points, vs))) for sign in (1, -1)]
    for k, (got, plus, minus) in enumerate(zip(pushed, *ends)):
        host, expected = _host(got), (_host(plus) - _host(minus)) / (2 * eps)
        for index in numpy.ndindex(host.shape):
            where = f"{told}, forward, of result {k} at index {index}"
            _compare(where, host[index].item(), expected[index].item(), 10 * rtol, 10 * atol)


def _compare(where: str, got: Any, expected: Any, rtol: float, atol: float) -> None:
    if not abs(got - expected) <= atol + rtol * max(abs(got), abs(expected)):
        raise AssertionError(f"{where} is {got:.10g}, but central differences say {expected:.10g}")


def _random(rng: Any, x: Any) -> Tensor:
    values = rng.uniform(0.2, 1.0, x.shape)
    if x.dtype.name.startswith("complex"):
        values = values + 1j * rng.uniform(0.2, 1.0, x.shape)
    return _on(x, values)


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
