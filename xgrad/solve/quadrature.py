"""`quad`: definite integrals, differentiated under the sign and by their limits."""

from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ..backend.dtypes import dtype_of, float64
from ..backend.find import backend_of, inexact, is_numpy_scalar, raw_namespace
from ..backend.protocol import Backend
from ..backend.select import current_backend
from ..graph.recording import mode, recording
from ..tensor.tensor import Tensor, wrap
from ..transforms.call import is_number, kind_of, plain
from ..tree import Structure, flatten
from .closure import Recording, pulled, put_back
from .packing import Packing
from .unknown import from_scipy

__all__ = ["quad"]

Integrand = Callable[[Tensor], Sequence[Tensor]]


def quad(
    f: Callable[..., Any],
    a: Any,
    b: Any,
    *args: Any,
    epsabs: float | None = None,
    epsrel: float | None = None,
    limit: int = 10_000,
) -> Any:
    """The integral of ``f(x, *args)`` for x from `a` to `b`.

    Parameters
    ----------
    f : callable
        Takes a 0-d Tensor and `args`; returns a floating Tensor of any shape, or a container of them, that is integrated
        number by number. It may use other tensors that require grad.
    a, b : number, 0-d array or Tensor
        The limits; they may be infinite.
    *args
        Passed on to `f`. The first floating array among `a`, `b` and these says the dtype, backend and device of x; if there
        is none, it is float64 on the selected backend.
    epsabs, epsrel : float, optional
        The error allowed, whichever is larger; the square root of the dtype's precision if they are not given.
    limit : int
        How many intervals to use at most.

    Returns
    -------
    array, Tensor, number, or container of them
        Nested and shaped as what `f` returns; differentiable to any order in `a`, `b`, `args` and in what `f` uses: by b it
        is f(b), by a ``-f(a)``, by parameters the integral of the derivative. An infinite limit has the derivative zero.

    Raises
    ------
    TypeError, ValueError
        If a limit is not one real number, or NaN; if `f` returns no Tensors.
    RuntimeError
        If `f` is not a number somewhere.
    GradientError
        If `f` used another tensor that requires grad in the backward pass than in a first call.
    ImportError
        If SciPy is not installed.

    Warns
    -----
    RuntimeWarning
        If the error is estimated to be larger than allowed.

    Notes
    -----
    The points are chosen by `scipy.integrate.quad_vec`: adaptive Gauss-Kronrod, with infinite intervals mapped to a
    finite one. The gradient chooses points of its own.

    Examples
    --------
    >>> import xgrad
    >>> gauss = lambda x, s: xgrad.exp(-0.5 * (x / s) ** 2)
    >>> round(xgrad.quad(gauss, -xgrad.inf, xgrad.inf, 2.0) ** 2 / (8 * xgrad.pi), 9)
    1.0
    >>> round(xgrad.grad(lambda b: xgrad.quad(lambda x: x**2, 0.0, b))(3.0), 9)
    9.0
    """
    like = _like((a, b, *args))
    limits = [_limit(name, x, like) for name, x in (("a", a), ("b", b))]
    structures: list[Structure] = []

    def integrand(x: Tensor) -> list[Tensor]:
        ys, structure = flatten(f(x, *args))
        structures[:] = [structure]
        return [_as_tensor(y) for y in ys]

    eps = float(raw_namespace(like).finfo(like.dtype).eps) ** 0.5
    settings = _Settings(eps if epsabs is None else epsabs, eps if epsrel is None else epsrel, limit)
    found = _integral(integrand, limits[0], limits[1], settings)
    as_tensors = any(isinstance(x, Tensor) for x in (a, b, *args)) or any(y._node is not None for y in found)
    kind = float if all(is_number(x) or isinstance(x, int) for x in (a, b, *args)) else None
    return structures[0].unflatten([y if as_tensors else plain(y._data, kind) for y in found])


@dataclasses.dataclass(frozen=True)
class _Settings:
    epsabs: float
    epsrel: float
    limit: int


def _integral(f: Integrand, a: Tensor, b: Tensor, settings: _Settings) -> list[Tensor]:
    """The integrals of what `f` returns, which depend on the limits and on all that `f` uses."""
    backend: Backend = raw_namespace(a._data).__backend__
    start, end = (float(backend.to_numpy(x._data)) for x in (a, b))
    put: Callable[[float], Tensor] = lambda x: wrap(backend.from_scalar(x, a._data))
    with recording(False):
        data = _data(lambda x: f(put(x)), start, end, settings)
    if not mode.get():
        return [wrap(x) for x in data]
    captured = Recording(lambda: f(put(_inside(start, end)))).outside
    ends = [(x, sign) for x, t, sign in ((a, start, -1.0), (b, end, 1.0)) if x._node is not None and math.isfinite(t)]

    def replay(gs: Sequence[Tensor], ys: Sequence[Tensor]) -> Sequence[Tensor]:
        def slopes(x: Tensor) -> Sequence[Tensor]:
            made = Recording(lambda: f(x))
            made.depends_only_on([*captured, x._node], "quad")
            return pulled(made.results, gs, captured)

        at_ends = [sign * _product(gs, f(x)) for x, sign in ends]
        return [*at_ends, *(_integral(slopes, a, b, settings) if captured else [])]

    return put_back("quad", data, [*(x._node for x, _ in ends if x._node is not None), *captured], replay)


def _data(f: Callable[[float], Sequence[Tensor]], start: float, end: float, settings: _Settings) -> list[Any]:
    """The raw arrays of the integrals."""
    packing = Packing([y._data for y in f(_inside(start, end))])
    integrate = from_scipy("integrate", "quad")
    value, error, info = integrate.quad_vec(
        lambda x: packing.to_host(packing.pack([y._data for y in f(float(x))])),
        start, end, epsabs=settings.epsabs, epsrel=settings.epsrel, limit=settings.limit, norm="max", full_output=True,
    )  # fmt: skip
    if not math.isfinite(float(abs(value).max(initial=0.0))):
        raise RuntimeError(f"quad: the integral from {start:g} to {end:g} is not a number: the function is not, somewhere there")
    if not info.success:
        warnings.warn(
            f"quad: the error of the integral from {start:g} to {end:g} is estimated as {error:.1e}, more than was allowed: "
            f"{info.message}",
            RuntimeWarning,
            stacklevel=4,
        )
    return packing.unpack(packing.from_host(value))


def _inside(start: float, end: float) -> float:
    """A finite point between the limits."""
    low, high = sorted((start, end))
    if math.isfinite(low) and math.isfinite(high):
        return low + (high - low) / 2
    return low + 1.0 if math.isfinite(low) else high - 1.0 if math.isfinite(high) else 0.0


def _product(gs: Sequence[Tensor], ys: Sequence[Tensor]) -> Any:
    """The real part of the inner product."""
    xp = gs[0].__array_namespace__()
    return sum((xp.sum(xp.real(xp.conj(g) * y) if g.dtype.kind == "complex floating" else g * y) for g, y in zip(gs, ys)), 0.0)


def _like(given: Sequence[Any]) -> Any:
    """A raw real array of the dtype, backend and device that the variable of integration shall have."""
    for x in given:
        for leaf in [x] if is_number(x) or isinstance(x, (int, str)) or callable(x) else flatten(x)[0]:
            data = leaf._data if isinstance(leaf, Tensor) else leaf
            if not is_numpy_scalar(data) and hasattr(data, "dtype") and backend_of(data) is not None and inexact(data):
                xp = raw_namespace(data)
                return xp.real(data) if dtype_of(data.dtype).kind == "complex floating" else data
    return current_backend().from_python(0.0, float64)


def _limit(name: str, x: Any, like: Any) -> Tensor:
    """A limit of the integral as a 0-d Tensor."""
    xp = raw_namespace(like)
    if is_number(x) or isinstance(x, int):
        value = x.item() if is_numpy_scalar(x) else x
        made = None if isinstance(value, complex) else wrap(xp.__backend__.from_scalar(float(value), like))
    else:
        made = x if isinstance(x, Tensor) else wrap(x) if hasattr(x, "dtype") else None
    if made is None or made.shape != () or made.dtype.kind == "complex floating":
        told = f"an array of shape {made.shape} and dtype {made.dtype.name}" if made is not None else f"the {kind_of(x)} {x!r}"
        raise TypeError(f"quad: the limit {name} must be one real number, not {told}")
    if math.isnan(float(xp.__backend__.to_numpy(made._data))):
        raise ValueError(f"quad: the limit {name} is not a number")
    found: Tensor = made.__array_namespace__().astype(made, like.dtype, copy=False)
    return found


def _as_tensor(y: Any) -> Tensor:
    if not isinstance(y, Tensor) and (is_number(y) or not hasattr(y, "dtype")):
        raise TypeError(f"quad: the function returned a {kind_of(y)}, not a Tensor, so that it has no derivative")
    return y if isinstance(y, Tensor) else wrap(y)
