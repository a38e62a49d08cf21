"""`odeint`: ordinary differential equations, with an adjoint gradient or the gradient of the steps."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, cast

from ..backend.dtypes import dtype_of
from ..backend.find import backend_of, is_numpy_scalar, raw_namespace
from ..errors import GradientError
from ..graph.node import Node, node_of
from ..graph.recording import mode, recording
from ..tensor.tensor import Tensor, wrap
from ..transforms.call import fresh_input, zeros
from .closure import Recorded, insert, parts, pull_to_nodes
from .packing import Packing
from .scipy_modules import scipy_module
from .unknown import Unknown

__all__ = ["odeint"]

EXPLICIT = ("RK23", "RK45", "DOP853")
ON_THE_HOST = ("Radau", "BDF", "LSODA")

Flow = Callable[[Tensor, Tensor], Tensor]
"""The time derivative of a state vector, the slope, given the time and the vector."""


def odeint(
    f: Callable[..., Any],
    y0: Any,
    t: Any,
    *args: Any,
    method: str = "RK45",
    rtol: float = 1e-6,
    atol: float = 1e-9,
    gradient: str = "adjoint",
    max_steps: int = 100_000,
) -> Any:
    """The solution of ``dy/dt = f(t, y, *args)`` with ``y(t[0]) = y0``, at the times `t`.

    Parameters
    ----------
    f : callable
        Takes the time, a 0-d Tensor, the state, nested as `y0`, and `args`. Returns the time derivative of the state, with the
        state's structure, shapes and dtypes. It may use other tensors that require grad.
    y0 : array, Tensor, number, or container of them
        The state at ``t[0]``, floating or complex.
    t : 1-d array, Tensor or sequence of numbers
        Increasing or decreasing. A step ends at each of these times, so that many times cost many steps. Only a Tensor gets a
        gradient; it must be of the backend of `y0`.
    *args
        Passed on to `f`.
    method : str
        ``"RK23"`` (Bogacki and Shampine), ``"RK45"`` (Dormand and Prince) or ``"DOP853"`` (Hairer and others), with the
        coefficients and the step size control of `scipy.integrate.solve_ivp`, run on the device of the arrays. Or, with the
        adjoint gradient only, ``"Radau"``, ``"BDF"`` or ``"LSODA"`` for stiff equations, which SciPy solves on the host.
    rtol, atol : float
        The error allowed in a step is ``atol + rtol * abs(y)``, in the root mean square over the state.
    gradient : {"adjoint", "direct"}
        Adjoint: the adjoint equation is solved backward in time, to the same tolerances; states between the times `t` are not
        kept but computed again. Direct: the steps are recorded and differentiated; this is the exact gradient of the returned
        numbers, and takes memory proportional to the number of steps. Step sizes are then constant fractions of the intervals
        between the times.
    max_steps : int
        The largest number of steps from each time to the next.

    Returns
    -------
    array, Tensor, or container of them
        Nested as `y0`, with the times as a new first axis. It is differentiable to any order in `y0`, `t`, `args` and in the
        tensors that `f` uses; with SciPy's methods for stiff equations to first order.

    Raises
    ------
    ValueError
        If the second parameter of `f` is called `t` or `time`; if `t` is empty, not finite or not monotonic; if `method` or
        `gradient` is unknown, or the two do not go together; if `f` returns another structure, shape or dtype than that of the
        state.
    RuntimeError
        If the steps became too small, or too many: the solution diverges, is not smooth, or the equation is stiff. In an
        adjoint gradient, if the state could not be reconstructed backward in time.
    GradientError
        If `f` used a tensor that requires grad in the backward pass that it did not use in the first call.
    ImportError
        If SciPy, which has the coefficients, is not installed.

    Notes
    -----
    The adjoint state a satisfies ``da/dt = -(df/dy)' a``, and jumps by the cotangent of each y(t[i]). The gradient of a
    parameter p is the integral of ``(df/dp)' a``, that of t[i] is ``<g[i], f(t[i], y[i])>``, and that of t[0] is ``-<a, f>``
    at t[0] (Pontryagin; Chen et al., Neural Ordinary Differential Equations, 2018).
    Dormand and Prince, A family of embedded Runge-Kutta formulae, 1980; Hairer, Norsett and Wanner, Solving Ordinary
    Differential Equations I, sections II.4 and II.5.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> decay = lambda t, y, rate: -rate * y
    >>> xgrad.odeint(decay, 1.0, [0.0, 1.0], 2.0, rtol=1e-10)[-1].round(7), np.exp(-2).round(7)
    (np.float64(0.1353353), np.float64(0.1353353))
    >>> round(xgrad.grad(lambda rate: xgrad.odeint(decay, 1.0, [0.0, 1.0], rate)[-1])(2.0), 5)
    -0.13534
    """
    _check_order_of_parameters(f)
    state = Unknown("odeint", "y0", y0, args)
    settings = _Settings(method, rtol, atol, max_steps, gradient)
    vector = state.packing.pack(state.tensors)
    times = _times(t, vector._data)

    def flow(time: Tensor, v: Tensor) -> Tensor:
        derivative = state.checked(lambda y: f(time, y, *args), "f")
        slope: Tensor = state.packing.pack(derivative(state.packing.unpack(v)))
        return slope

    solve = _adjoint if gradient == "adjoint" else _direct
    path = solve(flow, vector, times, settings)
    state.tensor = state.tensor or isinstance(t, Tensor)
    return state.for_user(state.packing.unpack_rows(path))


def _check_order_of_parameters(f: Callable[..., Any]) -> None:
    """Raise if `f` is written for `scipy.integrate.odeint`, which calls ``f(y, t)``.

    For a scalar y there would be no other error.
    """
    try:
        names = list(inspect.signature(f).parameters)
    except (TypeError, ValueError):  # not a function, or one written in C without a signature
        return
    if len(names) > 1 and names[1] in ("t", "time") and names[0] not in ("t", "time"):
        raise ValueError(
            f"odeint: f({', '.join(names)}) takes the time second, as for scipy.integrate.odeint; here it is called "
            "f(t, y, *args), as for solve_ivp: pass lambda t, y, *args: f(y, t, *args), or rename the second parameter"
        )


@dataclasses.dataclass(frozen=True)
class _Settings:
    """The options of `odeint`, checked."""

    method: str
    rtol: float
    atol: float
    max_steps: int
    gradient: str

    def __post_init__(self) -> None:
        if self.method not in EXPLICIT + ON_THE_HOST:
            raise ValueError(f"odeint: there is no method {self.method!r}; the methods are {', '.join(EXPLICIT + ON_THE_HOST)}")
        if self.gradient not in ("adjoint", "direct"):
            raise ValueError(f"odeint: gradient must be 'adjoint' or 'direct', not {self.gradient!r}")
        if self.gradient == "direct" and self.method in ON_THE_HOST:
            raise ValueError(f"odeint: {self.method} runs outside the graph, and has only the gradient 'adjoint'")
        if not (self.rtol >= 0 and self.atol >= 0 and self.rtol + self.atol > 0):
            raise ValueError(f"odeint: rtol and atol must be positive, not {self.rtol} and {self.atol}")


def _times(t: Any, like: Any) -> Tensor:
    """The times, as a Tensor of the dtype, backend and device of the state."""
    import numpy

    backend = raw_namespace(like).__backend__
    if not isinstance(t, Tensor):  # a sequence of numbers, or an array of any library
        host = numpy.asarray(t) if is_numpy_scalar(t) or backend_of(t) is None else raw_namespace(t).__backend__.to_numpy(t)
        t = wrap(backend.from_numpy(host.astype(dtype_of(like.dtype).name), backend.device(like)))
    if t.backend != backend.name:
        raise TypeError(
            f"odeint: t is a tensor of backend {t.backend!r}, but the state is of {backend.name!r}; tensors do not move "
            f"between backends by themselves: move one with xgrad.to_backend(x, {backend.name!r})"
        )
    t = t.__array_namespace__().astype(t, like.dtype, copy=False)
    host = backend.to_numpy(t._data)
    if t.ndim != 1 or t.size == 0:
        raise ValueError(f"odeint: t must be a 1-d array of at least one time, not of shape {t.shape}")
    steps = numpy.diff(host)
    if not numpy.isfinite(host).all() or not ((steps > 0).all() or (steps < 0).all()):
        raise ValueError("odeint: the times t must be finite, and all increasing or all decreasing")
    times: Tensor = t
    return times


# ---------------------------------------------------------------------------------------------------- the two gradients


def _direct(flow: Flow, v: Tensor, times: Tensor, settings: _Settings) -> Tensor:
    """The path, a row for each time, with its steps recorded."""
    rows = _explicit(flow, v, _Clock(times), settings)
    path: Tensor = v.__array_namespace__().stack(rows)
    return path


def _adjoint(flow: Flow, v: Tensor, times: Tensor, settings: _Settings, first: float | None = None) -> Tensor:
    """The path, computed outside the graph and inserted into it with the adjoint derivative.

    `first` is the size of the first step, by default chosen by `_Table.first_step`.
    """
    clock, stops = _Clock(times.detach()), _Stops()
    with recording(False):
        if settings.method in EXPLICIT:
            rows = _explicit(flow, v.detach(), clock, settings, first, stops)
        else:
            rows = _by_scipy(flow, v.detach(), clock, settings)
        path = v.__array_namespace__().stack(rows)
    if not mode.get():
        return path
    start = times.detach()[0]
    captured = Recorded(lambda: [flow(start, v.detach())]).outside
    inputs = [x._node for x in (v, times) if x._node is not None]

    def pull(gs: Sequence[Tensor], ys: Sequence[Tensor]) -> Sequence[Tensor]:
        adjoint = (_Adjoint if settings.method in EXPLICIT else _AdjointOnHost)(flow, captured, v._data, settings)
        a, parameters, of_times = adjoint.pull(gs[0], ys[0], times, stops)
        return [*([a] if v._node is not None else []), *([of_times] if times._node is not None else []), *parameters]

    return insert("odeint", [path._data], [*inputs, *captured], pull)[0]


class _Stops(list[list[float]]):
    """For each interval between the times, the times at which its steps ended."""


class _Adjoint:
    """The adjoint equation, solved backward in time.

    Its vector holds the state, the cotangent of the state, and the cotangents of the tensors that `flow` captured. Solving
    for the state backward is as unstable as the equation is stable. So each interval is first solved forward again, and
    the backward solution starts anew at the end of each of those steps.
    """

    def __init__(self, flow: Flow, captured: Sequence[Node], like: Any, settings: _Settings) -> None:
        self.flow, self.captured, self.settings = flow, captured, settings
        new = raw_namespace(like).new_zeros
        self.zeros = [new(like, shape, dtype=dtype) for node in captured for _, shape, dtype in parts(node)]
        self.packing = Packing([like, like, *self.zeros])

    def pull(self, g: Tensor, path: Tensor, times: Tensor, stops: _Stops) -> tuple[Tensor, Sequence[Tensor], Any]:
        """The cotangents of the first state, of the captured tensors, and of the times, given the cotangent `g` of `path`."""
        xp, clock = g.__array_namespace__(), _Clock(times)
        a, totals = g[-1], cast("Sequence[Tensor]", [wrap(x) for x in self.zeros])
        of_times = [zeros(times[0])] if len(clock.numbers) == 1 else []
        for i in range(len(clock.numbers) - 2, -1, -1):
            if times._node is not None:
                of_times.append(xp.vecdot(g[i + 1], self.flow(times[i + 1], path[i + 1])))
            a, totals = self.pull_interval(a, totals, path, clock, i, stops)
            if times._node is not None and i == 0:
                of_times.append(-xp.vecdot(a, self.flow(times[0], path[0])))
            a = a + g[i]
        return a, totals, xp.stack(of_times[::-1]) if of_times else None

    def pull_interval(
        self, a: Tensor, totals: Sequence[Tensor], path: Tensor, clock: _Clock, i: int, stops: _Stops
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """The cotangents of the state and of the captured tensors at time i, given those at time i + 1."""
        xp, numbers = a.__array_namespace__(), [clock.numbers[i], *stops[i]]
        moments = [clock.tensor[i], *(clock.at(i, t) for t in stops[i][:-1]), clock.tensor[i + 1]]
        states = path[i : i + 2]
        if len(moments) > 2:
            states = _adjoint(self.flow, path[i], xp.stack(moments), self.settings, numbers[1] - numbers[0])
        for k in range(len(moments) - 1, 0, -1):
            w = self.packing.pack([states[k], a, *totals])
            w = _adjoint(self._flow, w, xp.stack([moments[k], moments[k - 1]]), self.settings, numbers[k] - numbers[k - 1])[1]
            y, a, *totals = self.packing.unpack(w)
            self._check(y, states[k - 1], numbers[k], numbers[k - 1])
        return a, totals

    def _check(self, y: Tensor, before: Tensor, t: float, earlier: float) -> None:
        """Raise if the state `y` at the time `earlier`, solved backward from `t`, is far from the forward solution `before`."""
        xp = raw_namespace(y._data)
        allowed = self.settings.atol + self.settings.rtol * xp.abs(before._data)
        errors = (y._data - before._data) / allowed
        if 0 not in y.shape and not float(xp.__backend__.to_numpy(xp.mean(errors**2))) ** 0.5 < 1e3:
            raise RuntimeError(
                f"odeint: the state could not be traced back from t = {t:.6g} to {earlier:.6g}, so that the adjoint gradient "
                "would be wrong; use gradient='direct', or smaller tolerances, or a method for stiff equations"
            )

    def _flow(self, time: Tensor, w: Tensor) -> Tensor:
        """The time derivative of the vector `w` of the adjoint equation."""
        y, a, *_ = self.packing.unpack(w)
        slope, *cotangents = self._slopes(time, y, a)
        packed: Tensor = self.packing.pack([slope, *(-x for x in cotangents)])
        return packed

    def _slopes(self, time: Tensor, y: Tensor, a: Tensor) -> list[Tensor]:
        """The slope at `y`, and the pullback of `a` through it: the cotangents of `y` and of the captured tensors."""
        state = fresh_input("odeint", "the state", y)
        recorded = Recorded(lambda: [self.flow(time, state)])
        recorded.check_outside([*self.captured, state._node, time._node], "odeint")
        return [recorded.results[0], *pull_to_nodes(recorded.results, [a], [node_of(state), *self.captured])]


class _AdjointOnHost(_Adjoint):
    """The adjoint equation of a stiff equation, whose state is interpolated: it cannot be solved backward in time."""

    def pull_interval(
        self, a: Tensor, totals: Sequence[Tensor], path: Tensor, clock: _Clock, i: int, stops: _Stops
    ) -> tuple[Tensor, Sequence[Tensor]]:
        if mode.get():
            raise GradientError(
                f"odeint: the gradient through {self.settings.method} is computed outside the graph and has no derivative; "
                f"use one of {', '.join(EXPLICIT)} for higher derivatives"
            )
        state, packing = Packing([path._data[i, ...]]), Packing([a._data, *self.zeros])
        start, end = clock.numbers[i : i + 2]
        interpolant = _solve_ivp(self.flow, path[i], (start, end), self.settings, dense_output=True).sol

        def flow(time: Tensor, w: Tensor) -> Tensor:
            y = wrap(state.from_host(interpolant(float(clock.backend.to_numpy(time._data)))))
            _, *cotangents = self._slopes(time, y, packing.unpack(w)[0])
            packed: Tensor = packing.pack([-x for x in cotangents])
            return packed

        w = _solve_ivp(flow, packing.pack([a, *totals]), (end, start), self.settings).y[:, -1]
        a, *totals = (wrap(x) for x in packing.unpack(packing.from_host(w)))
        return a, totals


# ------------------------------------------------------------------------------------------------------------- steps


class _Clock:
    """The times, as Python numbers to choose steps by and as a Tensor to compute with."""

    def __init__(self, times: Tensor) -> None:
        self.tensor = times
        self.backend = raw_namespace(times._data).__backend__
        self.numbers = [float(x) for x in self.backend.to_numpy(times._data)]
        self.tracked = times._node is not None and bool(mode.get())

    def at(self, i: int, t: float) -> Tensor:
        """The number `t` between the times i and i + 1 as a Tensor, which depends on both."""
        if not self.tracked:
            return wrap(self.backend.from_scalar(t, self.tensor._data))
        start, end = self.numbers[i : i + 2]
        moment: Tensor = self.tensor[i] + (t - start) / (end - start) * (self.tensor[i + 1] - self.tensor[i])
        return moment

    def length(self, i: int, h: float) -> Any:
        """The step `h` between the times i and i + 1, which depends on both if they have a graph."""
        if not self.tracked:
            return h
        return h / (self.numbers[i + 1] - self.numbers[i]) * (self.tensor[i + 1] - self.tensor[i])


class _Table:
    """The coefficients of a method on the backend of the state, and the error of a step."""

    def __init__(self, method: str, like: Any, rtol: float, atol: float) -> None:
        scheme = getattr(scipy_module("integrate", "odeint"), method)
        xp = raw_namespace(like)
        backend = xp.__backend__
        put: Callable[[Any], Any] = lambda x: xp.astype(backend.from_numpy(x.copy(), backend.device(like)), like.dtype)
        self.c = [float(c) for c in scheme.C]
        self.a = [wrap(put(row[:s])) for s, row in enumerate(scheme.A) if s]
        self.b = wrap(put(scheme.B))
        self.errors = [put(scheme.E5), put(scheme.E3)] if hasattr(scheme, "E5") else [put(scheme.E)]
        self.order = int(scheme.error_estimator_order)
        self.rtol, self.atol, self.xp = rtol, atol, xp

    def norm(self, x: Any, y: Any, other: Any) -> float:
        """The root mean square of `x` relative to the error allowed for the states `y` and `other`."""
        if 0 in x.shape:
            return 0.0
        xp = self.xp
        allowed = self.atol + self.rtol * xp.maximum(xp.abs(y), xp.abs(other))
        return float(xp.__backend__.to_numpy(xp.mean((x / allowed) ** 2))) ** 0.5

    def error(self, stages: Any, h: float, y: Any, new: Any) -> float:
        """The estimated error of a step `h` from `y` to `new`, relative to the error allowed."""
        sizes = [self.norm(e @ stages, y, new) for e in self.errors]
        if len(sizes) == 1 or sizes[0] == 0:
            return abs(h) * sizes[0]
        return abs(h) * sizes[0] ** 2 / math.sqrt(sizes[0] ** 2 + 0.01 * sizes[1] ** 2)

    def first_step(self, flow: Flow, clock: _Clock, y: Tensor, slope: Tensor) -> float:
        """The size of the first step, from the slope and the curvature at the start (Hairer, Norsett and Wanner, II.4)."""
        t, end = clock.numbers[:2]
        span, sign = abs(end - t), math.copysign(1.0, end - t)
        size, rate = self.norm(y._data, y._data, y._data), self.norm(slope._data, y._data, y._data)
        h = min(span, 1e-6 if size < 1e-5 or rate < 1e-5 else 0.01 * size / rate)
        with recording(False):
            next_slope = flow(wrap(clock.backend.from_scalar(t + sign * h, y._data)), wrap(y._data + sign * h * slope._data))
        curvature = self.norm(next_slope._data - slope._data, y._data, y._data) / h
        largest = max(rate, curvature)
        guess = max(1e-6, 1e-3 * h) if largest <= 1e-15 else (0.01 / largest) ** (1 / (self.order + 1))
        return min(100 * h, guess, span)


def _explicit(
    flow: Flow, y: Tensor, clock: _Clock, settings: _Settings, first: float | None = None, stops: _Stops | None = None
) -> list[Tensor]:
    """The states at the times, by an embedded Runge-Kutta method; the ends of the steps are added to `stops`."""
    rows = [y]
    if len(clock.numbers) == 1:
        return rows
    table = _Table(settings.method, y._data, settings.rtol, settings.atol)
    slope = flow(clock.at(0, clock.numbers[0]), y)
    h = table.first_step(flow, clock, y, slope) if first is None else abs(first)
    for i in range(len(clock.numbers) - 1):
        ends: list[float] = []
        y, slope, h = _interval(flow, table, clock, i, y, slope, h, settings.max_steps, ends)
        rows.append(y)
        if stops is not None:
            stops.append(ends)
    return rows


def _interval(
    flow: Flow, table: _Table, clock: _Clock, i: int, y: Tensor, slope: Tensor, h: float, max_steps: int, ends: list[float]
) -> tuple[Tensor, Tensor, float]:
    """The state and the slope at time i + 1, given those at time i, and the next step size."""
    t, end = clock.numbers[i : i + 2]
    sign, rejected = math.copysign(1.0, end - t), False
    for _ in range(max_steps):
        left = abs(end - t)
        last = h > left * (1 - 1e-10)  # no step of the size of rounding must remain
        step = left if last else h
        if h < 10 * abs(math.nextafter(t, sign * math.inf) - t) or not h > 0:
            raise RuntimeError(
                f"odeint: at t = {t:.6g} the step became too small to take ({h:.1e}): the solution diverges or is NaN there, or "
                "rtol and atol are too small for the dtype"
            )
        new, next_slope, stages = _step(flow, table, clock, i, t, sign * step, y, slope)
        error = table.error(stages, step, y._data, new._data)
        if error < 1:
            factor = 10.0 if error == 0 else min(10.0, 0.9 * error ** (-1 / (table.order + 1)))
            next_h = step * (min(1.0, factor) if rejected else factor)
            t, y, slope, rejected = end if last else t + sign * step, new, next_slope, False
            ends.append(t)
            h = max(next_h, h) if last else next_h  # the last step was shortened, so `next_h` may be too small
            if last:
                return y, slope, h
        else:
            h = step * (max(0.2, 0.9 * error ** (-1 / (table.order + 1))) if error < math.inf else 0.2)
            rejected = True
    raise RuntimeError(
        f"odeint: {max_steps} steps were taken, and t is still {t:.6g} on the way to {end:.6g}; if the equation is stiff, use "
        "method='Radau', 'BDF' or 'LSODA', else a larger tolerance or max_steps"
    )


def _step(
    flow: Flow, table: _Table, clock: _Clock, i: int, t: float, h: float, y: Tensor, slope: Tensor
) -> tuple[Tensor, Tensor, Any]:
    """One step: the new state, its slope, and the raw slopes of all stages, as the rows of a matrix."""
    xp = y.__array_namespace__()
    length, slopes = clock.length(i, h), [slope]
    for a, c in zip(table.a, table.c[1:]):
        slopes.append(flow(clock.at(i, t + c * h), y + length * (a @ xp.stack(slopes))))
    new = y + length * (table.b @ xp.stack(slopes))
    new = wrap(clock.backend.computed(new._data), new._node)
    next_slope = flow(clock.at(i, t + h), new)
    next_slope = wrap(clock.backend.computed(next_slope._data), next_slope._node)
    return new, next_slope, table.xp.stack([k._data for k in (*slopes, next_slope)])


def _by_scipy(flow: Flow, y: Tensor, clock: _Clock, settings: _Settings) -> list[Tensor]:
    """The states at the times, by SciPy on the host."""
    if len(clock.numbers) == 1:
        return [y]
    packing = Packing([y._data])
    solution = _solve_ivp(flow, y, (clock.numbers[0], clock.numbers[-1]), settings, t_eval=clock.numbers)
    return [wrap(packing.from_host(row)) for row in solution.y.T]


def _solve_ivp(flow: Flow, y: Tensor, span: tuple[float, float], settings: _Settings, **options: Any) -> Any:
    """The result of `scipy.integrate.solve_ivp`."""
    integrate = scipy_module("integrate", "odeint")
    packing = Packing([y._data])
    time: Callable[[Any], Tensor] = lambda t: wrap(packing.backend.from_scalar(float(t), y._data))
    slope: Callable[..., Any] = lambda t, v: packing.to_host(flow(time(t), wrap(packing.from_host(v))))
    options = {"method": settings.method, "rtol": settings.rtol, "atol": settings.atol, **options}
    with recording(False):
        solution = integrate.solve_ivp(slope, span, packing.to_host(y), **options)
    if not solution.success:
        after = solution.t[-1] if solution.t.size else span[0]
        raise RuntimeError(f"odeint: {settings.method} failed after t = {after:.6g}: {solution.message}")
    return solution
