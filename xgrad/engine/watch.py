"""Hooks and rules of users, checked where they are recorded: their results must be in the graph of their arguments.

A rule that leaves the graph (``x.detach().numpy()``) returns a constant, so that derivatives of the derivative would silently
be zero. `once_differentiable` declares that there are none.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ..backend.find import backend_of, inexact, library_array, raw_namespace
from ..errors import GradientError
from ..graph import memory
from ..graph.declare import Op
from ..graph.names import xg
from ..graph.node import Input, Node
from ..graph.recording import mode, recording
from ..graph.walks import between
from ..tensor.tensor import Tensor, wrap
from .call import record

__all__ = [
    "as_inputs", "check_hook", "check_rule", "differs", "is_once", "once_differentiable", "perturbed", "visit", "watched",
    "with_same_draws", "without_derivative",
]  # fmt: skip


class once_differentiable:  # noqa: N801  (a decorator)
    """Declare that the result of a derivative rule has no derivative; the rule may leave the graph.

    Parameters
    ----------
    rule : callable
        The `bwd` of a `custom_vjp`, or a rule of an `op`. It runs on tensors that do not require grad, so that ``x.numpy()``
        is allowed.

    Raises
    ------
    GradientError
        When a derivative of what the rule returned is asked for.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> @xgrad.custom_vjp
    ... def cube(x):
    ...     return np.power(x.numpy(), 3)
    >>> @xgrad.once_differentiable
    ... def backward(x, g):
    ...     return (xgrad.asarray(3 * g.numpy() * x.numpy() ** 2),)
    >>> cube.defvjp(lambda x: (cube(x), x), backward)
    >>> total = lambda x: xgrad.sum(cube(x))
    >>> xgrad.grad(total)(np.array([1.0, 2.0]))
    array([ 3., 12.])
    >>> xgrad.hessian(total)(np.array([1.0, 2.0]))
    Traceback (most recent call last):
    ...
    xgrad.errors.GradientError: cube: its rule is once_differentiable, so that there is no second derivative; ...
    """

    def __init__(self, rule: Callable[..., Any]) -> None:
        if not callable(rule):
            raise TypeError(f"once_differentiable: takes a rule, which is a function, not {rule!r:.60}")
        functools.update_wrapper(self, rule)
        self.rule = rule

    def __call__(self, *args: Any, **options: Any) -> Any:
        return self.rule(*args, **options)

    def __reduce__(self) -> Any:
        return type(self), (self.rule,)


def is_once(rule: Any) -> bool:
    """Whether a rule is declared `once_differentiable`."""
    return isinstance(rule, once_differentiable)


def _no_further(message: str) -> Any:
    raise GradientError(message)


_ONCE: Op[..., Any] = Op(lambda xp, *arrays, message: arrays)
_ONCE.name = "once_differentiable"
_ONCE.vjp(arrays=lambda g, message: _no_further(message))
_ONCE.jvp(arrays=lambda t, message: _no_further(message))


def without_derivative(name: str, results: Sequence[Any], arguments: Iterable[Any]) -> list[Any]:
    """The results of a once-differentiable rule, as functions of the tensors among `arguments` whose derivative raises."""
    parents = [x._node for x in arguments if isinstance(x, Tensor) and x._node is not None]
    at = [k for k, v in enumerate(results) if v is not None]
    out = list(results)
    if not parents or not at or not mode.get():
        return out
    data = tuple([results[k]._data if isinstance(results[k], Tensor) else results[k] for k in at])
    message = (
        f"{name}: its rule is once_differentiable, so that there is no second derivative; forward mode by a rule of the walk "
        "back needs one"
    )
    for k, v in zip(at, record(_ONCE, parents, (None, message, None, None), data, ())[0]):
        out[k] = v
    return out


def as_inputs(gs: Sequence[Any]) -> list[Tensor]:
    """Cotangents or tangents as Tensors with new nodes, each a child of the node that it had."""
    tensors = [g if isinstance(g, Tensor) else wrap(g) for g in gs]
    if not mode.get():
        return tensors
    return [wrap(g._data, Input(g._node, g._data.shape, g._data.dtype)) if inexact(g._data) else g for g in tensors]


def check_rule(
    name: str,
    results: Sequence[Any],
    names: Sequence[str],
    starts: Sequence[Tensor],
    start: str,
    kept: Sequence[Tensor],
    again: Callable[[Sequence[Tensor], Sequence[Tensor]], Sequence[Any]],
    advice: str,
) -> None:
    """Raise if a result of a rule is not in the graph of the arguments that it was computed from.

    Parameters
    ----------
    name : str
        The name of the function that the rule belongs to.
    results, names : sequence
        The results of the rule, Tensors or None, and their names for error messages.
    starts, start : sequence of Tensor, str
        The cotangents or tangents that the rule was called with, as `as_inputs` returned them, and their name. A rule is linear
        in them, so a result that does not depend on them must be zero.
    kept : sequence of Tensor
        Its other arguments that are in the graph. A result that does not lead to one must not change with it.
    again : callable
        Calls the rule with other values of `starts` and `kept`.
    advice : str
        Advice for the error message.
    """
    tensors = [v if isinstance(v, Tensor) else None for v in results]
    values: list[Any] | None = None

    def nearby_values(moved: Tensor | None) -> list[Any] | None:
        """The results of the rule for cotangents of ones, with one of `kept` perturbed; None if it raises."""
        with recording(False):
            ones = [wrap(raw_namespace(g._data).ones_like(g._data)) for g in starts]
            try:
                return list(again(ones, [perturbed(y) if y is moved else wrap(y._data) for y in kept]))
            except Exception:
                return None

    for i, v in enumerate(tensors):
        if v is None or _reaches(v, starts):
            continue
        values = values or nearby_values(None)  # with a cotangent of zeros, as in forward mode, nothing can be said
        if _any(v) or (values is not None and _any(values[i])):
            raise GradientError(
                f"{name}: {names[i]} does not depend on {start} that the rule was given, so that the derivative of it would be "
                f"zero: something in the rule leaves the graph, such as detach(), numpy() or float(); {advice}"
            )
    for k, x in enumerate(kept):
        apart = [i for i, v in enumerate(tensors) if v is not None and not _reaches(v, [x])]
        if not apart:
            continue
        values, moved = values or nearby_values(None), nearby_values(x)
        for i in apart:
            if values is not None and moved is not None and differs(values[i], moved[i]):
                raise GradientError(
                    f"{name}: {names[i]} changes with number {k} of the tensors that the rule was given, but does not "
                    "lead there, so that the derivative of it would be wrong: something in the rule leaves the graph, such as "
                    f"detach(), numpy() or float(); {advice}"
                )


def check_hook(name: str, result: Any, seen: Tensor, hook: Callable[[Tensor], Any]) -> None:
    """Raise if the result of a hook depends on its argument but is not in its graph. It may be a constant."""
    if isinstance(result, Tensor) and _reaches(result, [seen]):
        return
    with recording(False):
        if differs(result, hook(perturbed(seen))):
            raise GradientError(
                f"{name} returned what depends on the cotangent that it was given, but is not in its graph, so that a second "
                "derivative would be wrong; compute it with xgrad's functions, without detach(), numpy() or float()"
            )


def _reaches(v: Tensor, xs: Sequence[Tensor]) -> bool:
    """Whether the graph of `v`, or that of a lower level, leads to one of `xs`."""
    nodes = [x._node for x in xs if x._node is not None]
    while True:
        if v._node is not None and (v._node in nodes or bool(between([v._node], nodes))):
            return True
        if not raw_namespace(v._data).__backend__.level:
            return False
        v = raw_namespace(v._data).__backend__.lower(v._data)


def _any(x: Any) -> bool:
    """Whether a number in `x` is not zero."""
    if not hasattr(x, "dtype"):
        return False
    data = library_array(x)
    return bool(raw_namespace(data).any(data != 0))


def perturbed(x: Tensor) -> Tensor:
    """A tensor that differs from `x` by the square root of the rounding error."""
    xp = x.__array_namespace__()
    plain = wrap(x._data)
    moved: Tensor = plain + float(xp.finfo(x.dtype).eps) ** 0.5 * (1.0 + xp.astype(xp.abs(plain), x.dtype))
    return moved


def differs(v: Any, w: Any) -> bool:
    """Whether `w`, the value for a perturbed argument, differs from `v`: by more than rounding, and by less than a jump."""
    if not hasattr(v, "dtype") or not hasattr(w, "dtype"):
        return isinstance(v, (float, complex)) and isinstance(w, (float, complex)) and 0 < abs(w - v) <= 1e-3 * (abs(v) + abs(w))
    one, other = library_array(v), library_array(w)
    if one.shape != other.shape or not inexact(one) or math.prod(one.shape) == 0:
        return False
    xp = raw_namespace(one)
    finite = xp.logical_and(xp.isfinite(one), xp.isfinite(other))
    one, other = (xp.where(finite, x, xp.zeros_like(x)) for x in (one, other))
    off, size = xp.abs(other - one), xp.abs(one) + xp.abs(other)
    eps = float(xp.finfo(one.dtype).eps)
    return bool(xp.any(xp.logical_and(off > 64 * eps * xp.max(size), off <= eps**0.25 * size)))


def with_same_draws(f: Callable[..., Any]) -> Callable[..., Any]:
    """`f`, which draws the same random numbers in each call: those that would be drawn now."""
    state = xg.random.get_state()

    def call(*args: Any) -> Any:
        with xg.random.replaying(state):
            return f(*args)

    return call


# ------------------------------------------------------------------------------------------------------ hooks of a node


def visit(node: Node, g: Any) -> Any:
    """Run the node's hooks on the cotangent `g`, store it for `retain_grad`, check guarded arrays.

    Returns `g`, or what a hook put in its place.
    """
    notes = node.notes
    assert notes is not None
    if notes.hooks:
        g = _hooked(notes.hooks, g)
    if notes.retain:
        notes.grad = g if isinstance(g, Tensor) else wrap(g)
    if notes.guard is not None:
        memory.check_guarded(node)
    return g


def _hooked(hooks: dict[int, Callable[[Tensor], Any]], g: Any) -> Any:
    """The cotangent `g`, an array or a Tensor, after its hooks."""
    for hook in list(hooks.values()):
        name = f"the hook {getattr(hook, '__name__', repr(hook))}"
        recorded = isinstance(g, Tensor) and bool(mode.get())
        seen = as_inputs([g])[0] if recorded else g if isinstance(g, Tensor) else wrap(g)
        new = hook(seen)
        if new is None:
            continue
        data = new._data if isinstance(new, Tensor) else new
        if not isinstance(new, Tensor) and backend_of(new) is None:
            raise TypeError(f"{name} returned a {type(new).__name__}; a hook returns a Tensor, or None for no change")
        if data.shape != seen._data.shape or data.dtype != seen._data.dtype:
            raise ValueError(
                f"{name} returned {tuple(data.shape)} {data.dtype} for a cotangent of {seen.shape} {seen._data.dtype}; it must "
                "return one of the same shape and dtype"
            )
        if recorded:
            check_hook(name, new, seen, hook)
        g = data if not isinstance(g, Tensor) else new if isinstance(new, Tensor) else wrap(new)
    return g


# ------------------------------------------------------------------------------------------------------ rules of an op


def watched(name: str, rule: Callable[..., Any]) -> Callable[..., Any]:
    """The compiled rule ``rule(xp, g, saved)`` of a user's op, with its result checked where it is recorded."""
    once = is_once(getattr(rule, "__wrapped__", rule))
    advice = "compute it with functions of xp, or declare that it has no derivative, with xgrad.once_differentiable(rule)"

    def run(xp: Any, g: Any, saved: Any, *i: int) -> Any:
        gs = _listed(g)
        if not mode.get() or not any(isinstance(v, Tensor) for v in gs):
            return rule(xp, g, saved, *i)
        like_g: Callable[[Any], Any] = lambda vs: type(g)(vs) if isinstance(g, (tuple, list)) else vs[0]
        if once:
            with recording(False):
                result = rule(xp, like_g(_cut(gs)), _cut(saved), *i)
            parts = without_derivative(name, _listed(result), [*gs, *_tensors_in(saved)])
            return type(result)(parts) if isinstance(result, (tuple, list)) else parts[0]
        starts = as_inputs(gs)
        kept = [x for x in _tensors_in(saved) if x._node is not None and inexact(x._data)]
        call = with_same_draws(lambda vs, xs: _listed(rule(xp, like_g(vs), _with(saved, kept, xs), *i)))
        result = rule(xp, like_g(starts), saved, *i)
        parts = _listed(result)
        raw = [v for v in parts if v is not None and not isinstance(v, Tensor)]
        if raw:
            raise GradientError(
                f"{name}: a rule of it returned a {type(raw[0]).__name__}, which no further derivative can see through; {advice}"
            )
        names = ["what a rule of it returned"] * len(parts)
        check_rule(name, parts, names, starts, "the cotangent or tangent", kept, call, advice)
        return result

    return run


def _listed(v: Any) -> list[Any]:
    return list(v) if isinstance(v, (tuple, list)) else [v]


def _tensors_in(saved: Any) -> list[Tensor]:
    out: list[Tensor] = []
    for value in saved:
        if isinstance(value, Tensor):
            out.append(value)
        elif isinstance(value, (list, tuple)):
            out += _tensors_in(value)
    return out


def _cut(values: Any) -> Any:
    return [
        wrap(v._data) if isinstance(v, Tensor) else _cut(v) if isinstance(v, list) else tuple(_cut(v)) if type(v) is tuple else v
        for v in values
    ]


def _with(saved: Any, old: Sequence[Tensor], new: Sequence[Tensor]) -> Any:
    """`saved` without a graph, and with `new` in place of `old`."""
    places = {id(x): y for x, y in zip(old, new)}
    put: Callable[[Any], Any] = lambda v: (
        places.get(id(v), wrap(v._data))
        if isinstance(v, Tensor)
        else [put(x) for x in v]
        if isinstance(v, list)
        else tuple(map(put, v))
        if type(v) is tuple
        else v
    )
    return [put(v) for v in saved]
