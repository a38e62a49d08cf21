"""`quad`: definite integrals, differentiable in parameters and limits."""

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
from ..transforms.call import as_given, is_number, type_name
from ..tree import Structure, flatten
from .closure import Recorded, insert, pull_to_nodes
from .packing import Packing
from .scipy_modules import scipy_module

__all__ = ["quad"]

Integrand = Callable[[Tensor], Sequence[Tensor]]
"""A function of a 0-d Tensor that returns a list of Tensors."""


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
        Takes a 0-d Tensor and `args`, and returns a floating Tensor of any shape, or a container of them; each element is
        integrated. It may use other tensors that require grad.
    a, b : number, 0-d array or Tensor
        The limits; they may be infinite.
    *args
        Passed on to `f`. x has the dtype, backend and device of the first floating array among `a`, `b` and `args`; if there is
        none, it is float64 on the selected backend.
    epsabs, epsrel : float, optional
        The absolute and the relative error allowed, whichever is larger; by default the square root of the dtype's precision.
    limit : int
        The largest number of intervals.

    Returns
    -------
    array, Tensor, number, or container of them
        Has the structure and shapes of the result of `f`. It is differentiable to any order in `a`, `b`, `args` and in the
        tensors that `f` uses: the derivative by b is f(b), by a ``-f(a)``, by parameters the integral of the derivative. The
        derivative by an infinite limit is zero.

    Raises
    ------
    TypeError, ValueError
        If a limit is NaN or not one real number; if `f` does not return Tensors.
    RuntimeError
        If the integral is NaN or infinite.
    GradientError
        If `f` used a tensor that requires grad in the backward pass that it did not use in the first call.
    ImportError
        If SciPy is not installed.

    Warns
    -----
    RuntimeWarning
        If the estimated error is larger than allowed.

    Notes
    -----
    `scipy.integrate.quad_vec` chooses the points: adaptive Gauss-Kronrod quadrature, with infinite intervals mapped to finite
    ones. The gradient uses points of its own.

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
    integrals = _integral(integrand, limits[0], limits[1], settings)
    as_tensors = any(isinstance(x, Tensor) for x in (a, b, *args)) or any(y._node is not None for y in integrals)
    cls = float if all(is_number(x) or isinstance(x, int) for x in (a, b, *args)) else None
    return structures[0].unflatten([y if as_tensors else as_given(y._data, cls) for y in integrals])


@dataclasses.dataclass(frozen=True)
class _Settings:
    """The options of `quad`."""

    epsabs: float
    epsrel: float
    limit: int


def _integral(f: Integrand, a: Tensor, b: Tensor, settings: _Settings) -> list[Tensor]:
    """The integrals of the results of `f`, which depend on the limits and on all tensors that `f` uses."""
    backend: Backend = raw_namespace(a._data).__backend__
    start, end = (float(backend.to_numpy(x._data)) for x in (a, b))
    tensor: Callable[[float], Tensor] = lambda x: wrap(backend.from_scalar(x, a._data))
    with recording(False):
        data = _quadrature(lambda x: f(tensor(x)), start, end, settings)
    if not mode.get():
        return [wrap(x) for x in data]
    captured = Recorded(lambda: f(tensor(_inside(start, end)))).outside
    ends = [(x, sign) for x, t, sign in ((a, start, -1.0), (b, end, 1.0)) if x._node is not None and math.isfinite(t)]

    def pull(gs: Sequence[Tensor], ys: Sequence[Tensor]) -> Sequence[Tensor]:
        def integrand(x: Tensor) -> Sequence[Tensor]:
            recorded = Recorded(lambda: f(x))
            recorded.check_outside([*captured, x._node], "quad")
            return pull_to_nodes(recorded.results, gs, captured)

        of_limits = [sign * _inner(gs, f(x)) for x, sign in ends]
        return [*of_limits, *(_integral(integrand, a, b, settings) if captured else [])]

    return insert("quad", data, [*(x._node for x, _ in ends if x._node is not None), *captured], pull)


def _quadrature(f: Callable[[float], Sequence[Tensor]], start: float, end: float, settings: _Settings) -> list[Any]:
    """The raw arrays of the integrals."""
    packing = Packing([y._data for y in f(_inside(start, end))])
    integrate = scipy_module("integrate", "quad")
    value, error, info = integrate.quad_vec(
        lambda x: packing.to_host(packing.pack([y._data for y in f(float(x))])),
        start, end, epsabs=settings.epsabs, epsrel=settings.epsrel, limit=settings.limit, norm="max", full_output=True,
    )  # fmt: skip
    if not math.isfinite(float(abs(value).max(initial=0.0))):
        raise RuntimeError(f"quad: the integral from {start:g} to {end:g} is NaN or infinite, as the function is somewhere there")
    if not info.success:
        warnings.warn(
            f"quad: the estimated error of the integral from {start:g} to {end:g} is {error:.1e}, more than is allowed: "
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


def _inner(gs: Sequence[Tensor], ys: Sequence[Tensor]) -> Any:
    """The real part of the inner product of two lists of Tensors."""
    xp = gs[0].__array_namespace__()
    return sum((xp.sum(xp.real(xp.conj(g) * y) if g.dtype.kind == "complex floating" else g * y) for g, y in zip(gs, ys)), 0.0)


def _like(arguments: Sequence[Any]) -> Any:
    """A raw real array with the dtype, backend and device of the variable of integration."""
    for x in arguments:
        for leaf in [x] if is_number(x) or isinstance(x, (int, str)) or callable(x) else flatten(x)[0]:
            data = leaf._data if isinstance(leaf, Tensor) else leaf
            if not is_numpy_scalar(data) and hasattr(data, "dtype") and backend_of(data) is not None and inexact(data):
                xp = raw_namespace(data)
                return xp.real(data) if dtype_of(data.dtype).kind == "complex floating" else data
    return current_backend().from_python(0.0, float64)


def _limit(name: str, x: Any, like: Any) -> Tensor:
    """The limit `name` of the integral as a 0-d Tensor."""
    xp = raw_namespace(like)
    if is_number(x) or isinstance(x, int):
        value = x.item() if is_numpy_scalar(x) else x
        limit = None if isinstance(value, complex) else wrap(xp.__backend__.from_scalar(float(value), like))
    else:
        limit = x if isinstance(x, Tensor) else wrap(x) if hasattr(x, "dtype") else None
    if limit is None or limit.shape != () or limit.dtype.kind == "complex floating":
        actual = f"the {type_name(x)} {x!r}" if limit is None else f"an array of shape {limit.shape} and dtype {limit.dtype.name}"
        raise TypeError(f"quad: the limit {name} must be one real number, not {actual}")
    if math.isnan(float(xp.__backend__.to_numpy(limit._data))):
        raise ValueError(f"quad: the limit {name} is NaN")
    out: Tensor = limit.__array_namespace__().astype(limit, like.dtype, copy=False)
    return out


def _as_tensor(y: Any) -> Tensor:
    """A result of the function as a Tensor."""
    if not isinstance(y, Tensor) and (is_number(y) or not hasattr(y, "dtype")):
        raise TypeError(f"quad: the function returned a {type_name(y)}, not a Tensor, and so it has no derivative")
    return y if isinstance(y, Tensor) else wrap(y)
