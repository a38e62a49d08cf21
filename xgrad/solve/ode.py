"""`odeint`: ordinary differential equations, with the gradient of the steps taken or of the equation itself."""

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
from ..transforms.call import renewed, zeros
from .closure import Recording, parts, pulled, put_back
from .packing import Packing
from .unknown import Unknown, from_scipy

__all__ = ["odeint"]

EXPLICIT = ("RK23", "RK45", "DOP853")
ON_THE_HOST = ("Radau", "BDF", "LSODA")

Flow = Callable[[Tensor, Tensor], Tensor]
"""The slope of a vector, given the time and the vector."""


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
        Takes the time, a 0-d Tensor, the state, nested as `y0`, and `args`; returns the state's slope, nested, shaped and
        typed as the state. It may use other tensors that require grad.
    y0 : array, Tensor, number, or container of them
        The state at ``t[0]``, floating or complex.
    t : 1-d array, Tensor or sequence of numbers
        Increasing or decreasing. Steps end at each of these times, so that their number costs. The gradient flows to a Tensor
        alone, which must be of the backend of `y0`.
    *args
        Passed on to `f`.
    method : str
        ``"RK23"`` (Bogacki and Shampine), ``"RK45"`` (Dormand and Prince) or ``"DOP853"`` (Hairer and others): the tables
        and the choice of steps of `scipy.integrate.solve_ivp`, run where the arrays live. Or, with the adjoint gradient,
        ``"Radau"``, ``"BDF"`` or ``"LSODA"`` for stiff equations, which SciPy solves on the host.
    rtol, atol : float
        An error of a step of ``atol + rtol * abs(y)`` is allowed, in the root mean square over the state.
    gradient : {"adjoint", "direct"}
        Adjoint: the equation of the cotangents is solved backward in time, to the same tolerances, and no states between the
        times `t` are kept; they are computed again. Direct: the steps are recorded and walked back, which is the exact
        gradient of the numbers returned, for memory proportional to the number of steps. Sizes of steps count as constant
        parts of the intervals between the times.
    max_steps : int
        How many steps to take at most from each time to the next.

    Returns
    -------
    array, Tensor, or container of them
        Nested as `y0`, with the times as a new first axis. Differentiable in `y0`, `t`, `args` and in what `f` uses, to any
        order; by SciPy's methods for stiff equations to the first.

    Raises
    ------
    ValueError
        If `f` takes the time as its second parameter, by its name; if `t` is empty, or its numbers are not finite or do not
        all go one way; if `method` or `gradient` is unknown or they do not go together; if `f` returns another structure,
        shape or dtype than that of the state.
    RuntimeError
        If the steps became too small, or too many: the solution blows up, is not smooth, or the equation is stiff. In an
        adjoint gradient, if the state could not be traced back.
    GradientError
        If `f` used another tensor that requires grad in the backward pass than in a first call.
    ImportError
        If SciPy, from which the tables come, is not installed.

    Notes
    -----
    The adjoint state a has ``da/dt = -(df/dy)' a`` and jumps by the cotangent of each y(t[i]); the gradient of a parameter p
    is the integral of ``(df/dp)' a``, that of t[i] is ``<g[i], f(t[i], y[i])>``, and that of t[0] is ``-<a, f>`` there
    (Pontryagin; Chen et al., Neural Ordinary Differential Equations, 2018).
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
    _refuse_scipys_order(f)
    state = Unknown("odeint", "y0", y0, args)
    settings = _Settings(method, rtol, atol, max_steps, gradient)
    vector = state.packing.pack(state.tensors)
    times = _times(t, vector._data)

    def flow(time: Tensor, v: Tensor) -> Tensor:
        slope = state.checked(lambda y: f(time, y, *args), "f")
        made: Tensor = state.packing.pack(slope(state.packing.unpack(v)))
        return made

    solve = _adjoint if gradient == "adjoint" else _direct
    path = solve(flow, vector, times, settings)
    state.tensor = state.tensor or isinstance(t, Tensor)
    return state.back(state.packing.unpack_rows(path))


def _refuse_scipys_order(f: Callable[..., Any]) -> None:
    """Raise if `f` is written for `scipy.integrate.odeint`, which calls ``f(y, t)``: with a scalar y nothing else would tell."""
    try:
        names = list(inspect.signature(f).parameters)
    except (TypeError, ValueError):  # not a function, or one written in C that tells nothing
        return
    if len(names) > 1 and names[1] in ("t", "time") and names[0] not in ("t", "time"):
        raise ValueError(
            f"odeint: f({', '.join(names)}) takes the time second, as scipy.integrate.odeint has it; here it is called "
            "f(t, y, *args), as by solve_ivp: pass lambda t, y, *args: f(y, t, *args), or name the second parameter otherwise"
        )


@dataclasses.dataclass(frozen=True)
class _Settings:
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
            raise ValueError(f"odeint: {self.method} runs outside the graph, and has the gradient 'adjoint' alone")
        if not (self.rtol >= 0 and self.atol >= 0 and self.rtol + self.atol > 0):
            raise ValueError(f"odeint: rtol and atol must be positive, not {self.rtol} and {self.atol}")


def _times(t: Any, like: Any) -> Tensor:
    """The times, as a Tensor of the dtype, backend and device of the state."""
    import numpy

    backend = raw_namespace(like).__backend__
    if not isinstance(t, Tensor):  # numbers, from wherever they are
        host = numpy.asarray(t) if is_numpy_scalar(t) or backend_of(t) is None else raw_namespace(t).__backend__.to_numpy(t)
        t = wrap(backend.from_numpy(host.astype(dtype_of(like.dtype).name), backend.device(like)))
    if t.backend != backend.name:
        raise TypeError(
            f"odeint: t is a tensor of backend {t.backend!r}, but the state is of {backend.name!r}; nothing moves between "
            f"backends by itself: move one with xgrad.to_backend(x, {backend.name!r})"
        )
    t = t.__array_namespace__().astype(t, like.dtype, copy=False)
    host = backend.to_numpy(t._data)
    if t.ndim != 1 or t.size == 0:
        raise ValueError(f"odeint: t must be a 1-d array of at least one time, not of shape {t.shape}")
    steps = numpy.diff(host)
    if not numpy.isfinite(host).all() or not ((steps > 0).all() or (steps < 0).all()):
        raise ValueError("odeint: the times t must be finite, and increase all the way or decrease all the way")
    found: Tensor = t
    return found


# ---------------------------------------------------------------------------------------------------- the two gradients


def _direct(flow: Flow, v: Tensor, times: Tensor, settings: _Settings) -> Tensor:
    """The path, a row for each time, its steps recorded like any other calls."""
    rows = _explicit(flow, v, _Clock(times), settings)
    path: Tensor = v.__array_namespace__().stack(rows)
    return path


def _adjoint(flow: Flow, v: Tensor, times: Tensor, settings: _Settings, first: float | None = None) -> Tensor:
    """The path, computed outside the graph, with the equation of the cotangents for a derivative."""
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
    captured = Recording(lambda: [flow(start, v.detach())]).outside
    ends = [x._node for x in (v, times) if x._node is not None]

    def replay(gs: Sequence[Tensor], ys: Sequence[Tensor]) -> Sequence[Tensor]:
        way = (_Way if settings.method in EXPLICIT else _WayOnTheHost)(flow, captured, v._data, settings)
        a, parameters, t_bars = way.back(gs[0], ys[0], times, stops)
        found = ([a] if v._node is not None else []) + ([t_bars] if times._node is not None else [])
        return [*found, *parameters]

    return put_back("odeint", [path._data], [*ends, *captured], replay)[0]


class _Stops(list[list[float]]):
    """For each interval between the times, where the steps in it ended."""


class _Way:
    """The way back in time: the state, its cotangent, and the cotangents of what `flow` captured, in one vector.

    The state is found again by solving backward, which is as unstable as the equation is stable. So each interval is
    first solved forward once more, and the way back begins anew from where each of those steps ended.
    """

    def __init__(self, flow: Flow, captured: Sequence[Node], like: Any, settings: _Settings) -> None:
        self.flow, self.captured, self.settings = flow, captured, settings
        new = raw_namespace(like).new_zeros
        self.blank = [new(like, shape, dtype=dtype) for node in captured for _, shape, dtype in parts(node)]
        self.packing = Packing([like, like, *self.blank])

    def back(self, g: Tensor, path: Tensor, times: Tensor, stops: _Stops) -> tuple[Tensor, Sequence[Tensor], Any]:
        """The cotangents of the first state, of what was captured, and of the times."""
        xp, clock = g.__array_namespace__(), _Clock(times)
        a, totals = g[-1], cast("Sequence[Tensor]", [wrap(x) for x in self.blank])
        t_bars = [zeros(times[0])] if len(clock.numbers) == 1 else []
        for i in range(len(clock.numbers) - 2, -1, -1):
            if times._node is not None:
                t_bars.append(xp.vecdot(g[i + 1], self.flow(times[i + 1], path[i + 1])))
            a, totals = self.cross(a, totals, path, clock, i, stops)
            if times._node is not None and i == 0:
                t_bars.append(-xp.vecdot(a, self.flow(times[0], path[0])))
            a = a + g[i]
        return a, totals, xp.stack(t_bars[::-1]) if t_bars else None

    def cross(
        self, a: Tensor, totals: Sequence[Tensor], path: Tensor, clock: _Clock, i: int, stops: _Stops
    ) -> tuple[Tensor, Sequence[Tensor]]:
        """The cotangents at the time of number i, given those at the next."""
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
        xp = raw_namespace(y._data)
        allowed = self.settings.atol + self.settings.rtol * xp.abs(before._data)
        apart = (y._data - before._data) / allowed
        if 0 not in y.shape and not float(xp.__backend__.to_numpy(xp.mean(apart**2))) ** 0.5 < 1e3:
            raise RuntimeError(
                f"odeint: the state could not be traced back from t = {t:.6g} to {earlier:.6g}, so that the adjoint gradient "
                "would be wrong; use gradient='direct', or smaller tolerances, or a method for stiff equations"
            )

    def _flow(self, time: Tensor, w: Tensor) -> Tensor:
        y, a, *_ = self.packing.unpack(w)
        slope, *bars = self._slopes(time, y, a)
        packed: Tensor = self.packing.pack([slope, *(-x for x in bars)])
        return packed

    def _slopes(self, time: Tensor, y: Tensor, a: Tensor) -> list[Tensor]:
        """The slope of the state, and the cotangents of the state and of what was captured that `a` is pulled back to."""
        at = renewed("odeint", "the state", y)
        made = Recording(lambda: [self.flow(time, at)])
        made.depends_only_on([*self.captured, at._node, time._node], "odeint")
        return [made.results[0], *pulled(made.results, [a], [node_of(at), *self.captured])]


class _WayOnTheHost(_Way):
    """The same for stiff equations, whose state is interpolated: backward they cannot be solved at all."""

    def cross(
        self, a: Tensor, totals: Sequence[Tensor], path: Tensor, clock: _Clock, i: int, stops: _Stops
    ) -> tuple[Tensor, Sequence[Tensor]]:
        if mode.get():
            raise GradientError(
                f"odeint: the gradient through {self.settings.method} is computed outside the graph and has no derivative; "
                f"use one of {', '.join(EXPLICIT)} for higher derivatives"
            )
        state, packing = Packing([path._data[i, ...]]), Packing([a._data, *self.blank])
        start, end = clock.numbers[i : i + 2]
        between = _solve_ivp(self.flow, path[i], (start, end), self.settings, dense_output=True).sol

        def back(time: Tensor, w: Tensor) -> Tensor:
            y = wrap(state.from_host(between(float(clock.backend.to_numpy(time._data)))))
            _, *bars = self._slopes(time, y, packing.unpack(w)[0])
            packed: Tensor = packing.pack([-x for x in bars])
            return packed

        w = _solve_ivp(back, packing.pack([a, *totals]), (end, start), self.settings).y[:, -1]
        a, *totals = (wrap(x) for x in packing.unpack(packing.from_host(w)))
        return a, totals


# ------------------------------------------------------------------------------------------------------- taking steps


class _Clock:
    """The times as numbers to decide by, and as Tensors to compute with."""

    def __init__(self, times: Tensor) -> None:
        self.tensor = times
        self.backend = raw_namespace(times._data).__backend__
        self.numbers = [float(x) for x in self.backend.to_numpy(times._data)]
        self.tracked = times._node is not None and bool(mode.get())

    def at(self, i: int, t: float) -> Tensor:
        """The time `t` between those of number i and i + 1."""
        if not self.tracked:
            return wrap(self.backend.from_scalar(t, self.tensor._data))
        start, end = self.numbers[i : i + 2]
        moment: Tensor = self.tensor[i] + (t - start) / (end - start) * (self.tensor[i + 1] - self.tensor[i])
        return moment

    def length(self, i: int, h: float) -> Any:
        """The step `h` between them."""
        if not self.tracked:
            return h
        return h / (self.numbers[i + 1] - self.numbers[i]) * (self.tensor[i + 1] - self.tensor[i])


class _Table:
    """The coefficients of a method on the backend of a state, and the size of the error of a step."""

    def __init__(self, method: str, like: Any, rtol: float, atol: float) -> None:
        scheme = getattr(from_scipy("integrate", "odeint"), method)
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
        """The root mean square of `x` in units of the error allowed to a state of the sizes of `y` and `other`."""
        if 0 in x.shape:
            return 0.0
        xp = self.xp
        allowed = self.atol + self.rtol * xp.maximum(xp.abs(y), xp.abs(other))
        return float(xp.__backend__.to_numpy(xp.mean((x / allowed) ** 2))) ** 0.5

    def error(self, stages: Any, h: float, y: Any, new: Any) -> float:
        sizes = [self.norm(e @ stages, y, new) for e in self.errors]
        if len(sizes) == 1 or sizes[0] == 0:
            return abs(h) * sizes[0]
        return abs(h) * sizes[0] ** 2 / math.sqrt(sizes[0] ** 2 + 0.01 * sizes[1] ** 2)

    def first_step(self, flow: Flow, clock: _Clock, y: Tensor, slope: Tensor) -> float:
        """Hairer, Norsett and Wanner, II.4: the step at which the error would be allowed if the solution went on as it begins."""
        t, end = clock.numbers[:2]
        span, sign = abs(end - t), math.copysign(1.0, end - t)
        size, rate = self.norm(y._data, y._data, y._data), self.norm(slope._data, y._data, y._data)
        h = min(span, 1e-6 if size < 1e-5 or rate < 1e-5 else 0.01 * size / rate)
        with recording(False):
            there = flow(wrap(clock.backend.from_scalar(t + sign * h, y._data)), wrap(y._data + sign * h * slope._data))
        bend = self.norm(there._data - slope._data, y._data, y._data) / h
        steep = max(rate, bend)
        guess = max(1e-6, 1e-3 * h) if steep <= 1e-15 else (0.01 / steep) ** (1 / (self.order + 1))
        return min(100 * h, guess, span)


def _explicit(
    flow: Flow, y: Tensor, clock: _Clock, settings: _Settings, first: float | None = None, stops: _Stops | None = None
) -> list[Tensor]:
    """The states at the times of the clock, by an embedded Runge-Kutta method; it notes in `stops` where steps ended."""
    rows = [y]
    if len(clock.numbers) == 1:
        return rows
    table = _Table(settings.method, y._data, settings.rtol, settings.atol)
    slope = flow(clock.at(0, clock.numbers[0]), y)
    h = table.first_step(flow, clock, y, slope) if first is None else abs(first)
    for i in range(len(clock.numbers) - 1):
        ends: list[float] = []
        y, slope, h = _cross(flow, table, clock, i, y, slope, h, settings.max_steps, ends)
        rows.append(y)
        if stops is not None:
            stops.append(ends)
    return rows


def _cross(
    flow: Flow, table: _Table, clock: _Clock, i: int, y: Tensor, slope: Tensor, h: float, max_steps: int, ends: list[float]
) -> tuple[Tensor, Tensor, float]:
    """The state and its slope at the time of number i + 1, and the size of step to go on with."""
    t, end = clock.numbers[i : i + 2]
    sign, rejected = math.copysign(1.0, end - t), False
    for _ in range(max_steps):
        left = abs(end - t)
        last = h > left * (1 - 1e-10)  # no step shall be left that is nothing but rounding
        step = left if last else h
        if h < 10 * abs(math.nextafter(t, sign * math.inf) - t) or not h > 0:
            raise RuntimeError(
                f"odeint: at t = {t:.6g} the step became too small to take ({h:.1e}): the solution blows up or is not a number "
                "there, or rtol and atol ask for more than the dtype can give"
            )
        new, there, stages = _step(flow, table, clock, i, t, sign * step, y, slope)
        error = table.error(stages, step, y._data, new._data)
        if error < 1:
            factor = 10.0 if error == 0 else min(10.0, 0.9 * error ** (-1 / (table.order + 1)))
            wish = step * (min(1.0, factor) if rejected else factor)
            t, y, slope, rejected = end if last else t + sign * step, new, there, False
            ends.append(t)
            h = max(wish, h) if last else wish  # a step that was cut short to end in time says little
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
    """One step: the new state, its slope, and the raw slopes of all stages, a row each."""
    xp = y.__array_namespace__()
    length, slopes = clock.length(i, h), [slope]
    for a, c in zip(table.a, table.c[1:]):
        slopes.append(flow(clock.at(i, t + c * h), y + length * (a @ xp.stack(slopes))))
    new = y + length * (table.b @ xp.stack(slopes))
    new = wrap(clock.backend.computed(new._data), new._node)
    there = flow(clock.at(i, t + h), new)
    there = wrap(clock.backend.computed(there._data), there._node)
    return new, there, table.xp.stack([k._data for k in (*slopes, there)])


def _by_scipy(flow: Flow, y: Tensor, clock: _Clock, settings: _Settings) -> list[Tensor]:
    """The same by SciPy, on the host."""
    if len(clock.numbers) == 1:
        return [y]
    packing = Packing([y._data])
    found = _solve_ivp(flow, y, (clock.numbers[0], clock.numbers[-1]), settings, t_eval=clock.numbers)
    return [wrap(packing.from_host(row)) for row in found.y.T]


def _solve_ivp(flow: Flow, y: Tensor, span: tuple[float, float], settings: _Settings, **options: Any) -> Any:
    integrate = from_scipy("integrate", "odeint")
    packing = Packing([y._data])
    time: Callable[[Any], Tensor] = lambda t: wrap(packing.backend.from_scalar(float(t), y._data))
    slope: Callable[..., Any] = lambda t, v: packing.to_host(flow(time(t), wrap(packing.from_host(v))))
    given = {"method": settings.method, "rtol": settings.rtol, "atol": settings.atol, **options}
    with recording(False):
        found = integrate.solve_ivp(slope, span, packing.to_host(y), **given)
    if not found.success:
        after = found.t[-1] if found.t.size else span[0]
        raise RuntimeError(f"odeint: {settings.method} failed after t = {after:.6g}: {found.message}")
    return found
