"""`custom_vjp` and `custom_jvp`: functions that bring derivatives of their own.

A call of such a function is one node of the graph, whatever it does inside. Its rule is run on Tensors, which are
recorded when a graph of the gradient is wanted, so that it has derivatives of any order if it is made of xgrad's
functions.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Sequence
from typing import Any

from .. import random
from ..backend.dtypes import dtype_of
from ..backend.find import backend_of, inexact, is_numpy_scalar, raw_namespace
from ..engine.call import class_of, record
from ..engine.watch import changed, followed, is_once, look, nearby, replayed, sealed
from ..errors import GradientError
from ..graph.declare import Op
from ..graph.recording import interpreters, mode, recording
from ..tensor.tensor import Tensor, wrap
from ..tree import Structure, flatten
from .call import dtype_name, is_number, kind_of, nested, renewed, walk, zeros
from .custom_in_vmap import Lowered, is_lowered, level
from .transformed import named

__all__ = ["custom_jvp", "custom_vjp"]


class _Custom:
    """A function with a rule of its own, and how a call of it is recorded."""

    def __init__(self, f: Callable[..., Any], what: str) -> None:
        functools.update_wrapper(self, f)
        self.f, self.name = f, getattr(f, "__name__", "the function")
        try:
            self.signature: inspect.Signature | None = inspect.signature(f)
        except (TypeError, ValueError):  # some functions written in C tell nothing
            self.signature = None
        for p in self.signature.parameters.values() if self.signature else ():
            if p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD):
                raise TypeError(
                    f"{what}: {self.name} has the keyword-only parameter {p.name!r}, for which a rule has no place; let it be "
                    "given by position too"
                )
        self.op: Op[..., Any] = Op(lambda xp, *arrays, call: arrays)
        self.op.name = self.name
        self.op.vjp(arrays=lambda g, arrays, y, call: call.pull(g, arrays, y))

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def __reduce__(self) -> Any:
        return named(self) or (type(self), (self.f,), self.rules())

    def rules(self) -> dict[str, Any]:
        """Those that were declared."""
        raise NotImplementedError

    def __call__(self, *args: Any, **options: Any) -> Any:
        if self.signature is not None:
            bound = self.signature.bind(*args, **options)
            bound.apply_defaults()
            args = bound.args
        elif options:
            raise TypeError(f"{self.name}: give all arguments by position")
        if not mode.get():
            return self.untracked(args)
        if interpreters.get():
            args = level(args)
        arguments = Arguments(args)
        if arguments.tracked:
            return self.record(arguments)
        return Lowered(self, args)() if interpreters.get() and is_lowered(args) else self.untracked(args)

    def untracked(self, args: Sequence[Any]) -> Any:
        """What the function returns, of the kinds that a call in a graph returns: Tensors, if an argument is one."""
        result = self.f(*args)
        given = [x for arg in args for x in flatten(arg)[0] if isinstance(x, Tensor)]
        if not given:
            return result
        leaves, structure = flatten(result)
        cls = class_of(given)
        return structure.unflatten([self.tensor(y, given[0], cls) for y in leaves])

    def tensor(self, y: Any, like: Tensor, cls: type[Tensor] = Tensor) -> Any:
        """`y` as a Tensor, if it is an array, or a number of NumPy's, which its functions return for 0-d arrays."""
        y = self.number(y, like)
        return wrap(y, None, cls) if not isinstance(y, Tensor) and backend_of(y) is not None else y

    def number(self, y: Any, like: Tensor) -> Any:
        """`y`, or a Tensor beside `like` if it is a floating number of NumPy's."""
        if not is_numpy_scalar(y) or y.dtype.kind not in "fc":
            return y
        backend = raw_namespace(like._data).__backend__
        return wrap(backend.from_python(y.item(), dtype_of(y.dtype), like.device))

    def record(self, arguments: Arguments) -> Any:
        raise NotImplementedError

    def lower(self, on_batch: Any, call: Lowered) -> None:
        """Give `on_batch`, which is `self` in a graph outside of a batch, its rule."""
        raise NotImplementedError

    def outputs(self, arguments: Arguments, ys: Sequence[Tensor], at: Sequence[int]) -> list[Any]:
        """The arrays of the floating outputs; in a batch, with a graph inside that knows of the rule."""
        args = arguments.rebuild(arguments.detached())
        if not interpreters.get() or not is_lowered(args):
            return [ys[k]._data for k in at]
        made = flatten(Lowered(self, args)())[0]
        return [made[k]._data for k in at]

    def results(self, what: str, result: Any, like: Tensor) -> tuple[list[Any], Structure, list[int]]:
        """The leaves of what `what` returned, Tensors for floating arrays; their structure; and where these are."""
        leaves, structure = flatten(result)
        at = []
        for k, y in enumerate(leaves):
            y = self.tensor(y, like)
            if isinstance(y, (float, complex)):
                raise TypeError(
                    f"{self.name}: {what} returned the {kind_of(y)} {y}, which carries no gradient; return a Tensor, for "
                    "example xgrad.asarray(y)"
                )
            leaves[k] = y
            if isinstance(y, Tensor) and inexact(y._data):
                at.append(k)
        self.refuse_captured(what, leaves)
        if not at:
            raise TypeError(f"{self.name}: {what} returned no floating Tensor or array, so it has no derivative")
        return leaves, structure, at

    def refuse_captured(self, what: str, leaves: Sequence[Any]) -> None:
        for y in leaves:
            if isinstance(y, Tensor) and y._node is not None:
                raise GradientError(
                    f"{self.name}: {what} used a tensor that requires grad and is not among the arguments "
                    f"({y._node.name} at {y._node.line}); its gradient would be lost: make it an argument, or use "
                    "xgrad.stop_gradient"
                )


class Arguments:
    """The arguments of a call, taken apart: some of their tensors are tracked."""

    def __init__(self, args: Sequence[Any]) -> None:
        parts = [flatten(arg) for arg in args]
        self.structures = [structure for _, structure in parts]
        self.leaves = [leaf for leaves, _ in parts for leaf in leaves]
        self.names = [f"argument {i}{path}" for i, structure in enumerate(self.structures) for path in structure.paths]
        self.tracked = [k for k, x in enumerate(self.leaves) if isinstance(x, Tensor) and x._node is not None]
        self.nodes = [self.leaves[k]._node for k in self.tracked]
        self.cls = class_of(self.leaves)
        self.arrays = [self.leaves[k]._data for k in self.tracked]
        for k in self.tracked:
            self.leaves[k] = None  # the graph keeps of them what the rule needs

    def detached(self) -> list[Any]:
        """The leaves, as tensors of their own that no gradient flows through."""
        return self.filled([wrap(array) for array in self.arrays])

    def filled(self, tensors: Sequence[Tensor]) -> list[Any]:
        """The leaves, with `tensors` where tracked ones were."""
        leaves = [wrap(x._data) if isinstance(x, Tensor) else x for x in self.leaves]
        for k, x in zip(self.tracked, tensors):
            leaves[k] = x
        return leaves

    def rebuild(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments, made of such leaves."""
        return tuple(nested(self.structures, leaves))


def _tensors(arrays: Sequence[Any]) -> list[Tensor]:
    """Raw arrays as Tensors, each an object of its own; Tensors keep their place in the graph."""
    return [wrap(x._data, x._node) if isinstance(x, Tensor) else wrap(x) for x in arrays]


def _checked(name: str, what: str, v: Any, of: str, shape: Any, dtype: Any, record: bool) -> Tensor:
    """The cotangent or tangent `v`, returned by a user's rule, as a Tensor, after a look at its shape and dtype."""
    data = v._data if isinstance(v, Tensor) else v
    if shape == () and (is_number(v) or type(v) is int):
        raise TypeError(f"{name}: {what} of {of} is the {kind_of(v)} {v}; return a Tensor, such as xgrad.zeros_like(x)")
    if not isinstance(v, Tensor) and backend_of(v) is None:
        raise TypeError(f"{name}: {what} of {of} is a {kind_of(v)}, but must be a Tensor")
    if tuple(data.shape) != tuple(shape):
        raise ValueError(f"{name}: {what} of {of} has shape {tuple(data.shape)}, but must have {tuple(shape)} as that has")
    if data.dtype != dtype:
        told = str(dtype).rpartition(".")[2]
        raise TypeError(f"{name}: {what} of {of} is of dtype {dtype_name(data)}, but must be of {told} as that is")
    if record and not isinstance(v, Tensor):
        raise GradientError(
            f"{name}: {what} of {of} is a raw array, which no further derivative can see through; compute it from Tensors "
            "with xgrad's functions"
        )
    return v if isinstance(v, Tensor) else wrap(v)


def _has_derivative(x: Any) -> bool:
    """Whether a residual is an array that may depend on the arguments, and is none of them."""
    if isinstance(x, Tensor):
        return inexact(x._data)
    return not is_numpy_scalar(x) and backend_of(x) is not None and inexact(x)


def _no_change(x: Any) -> Any:
    """The tangent of an argument that is held fixed: zero, or None for what has no tangent."""
    if is_number(x):
        return 0.0
    data = x._data if isinstance(x, Tensor) else x
    if not hasattr(data, "dtype") or (not isinstance(x, Tensor) and backend_of(x) is None) or not inexact(data):
        return None
    return zeros(x if isinstance(x, Tensor) else wrap(data))


# ------------------------------------------------------------------------------------------------------------ custom_vjp


class custom_vjp(_Custom):  # noqa: N801  (a decorator)
    """A function whose pullback you write yourself: ``f.defvjp(fwd, bwd)``.

    Use it where the derivative of the parts is not the derivative you want: it is unstable, costly, goes through code
    that xgrad cannot see, or solves an equation.

    Parameters
    ----------
    f : callable
        A function of positional arguments: Tensors, containers of them (see `xgrad.tree`), and anything else, which has no
        derivative. It returns floating Tensors or arrays, or a container of them. It may compute with whatever it likes.

    Raises
    ------
    TypeError
        If `f` has keyword-only parameters.
    GradientError
        When a gradient is wanted before `defvjp` was called; when `f` captured a tensor that requires grad, instead of
        taking it as an argument.
    TypeError, ValueError
        When a rule returns another structure, shape or dtype than it must; the message names the function.

    See Also
    --------
    custom_jvp : write the tangent instead; `xgrad.op` makes an op with one rule for each argument
    xgrad.testing.check_grads : is it right?

    Examples
    --------
    >>> import xgrad
    >>> @xgrad.custom_vjp
    ... def log1pexp(x):
    ...     return xgrad.log(1 + xgrad.exp(x))
    >>> def forward(x):
    ...     return log1pexp(x), x
    >>> def backward(x, g):
    ...     return (g * (1 - 1 / (1 + xgrad.exp(x))),)
    >>> log1pexp.defvjp(forward, backward)
    >>> xgrad.grad(log1pexp)(100.0), xgrad.grad(xgrad.grad(log1pexp))(0.0)
    (1.0, 0.25)
    """

    fwd: Callable[..., Any] | None = None
    bwd: Callable[..., Any] | None = None

    def __init__(self, f: Callable[..., Any]) -> None:
        super().__init__(f, "custom_vjp")

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[[Any, Any], Any]) -> None:
        """Say what the derivative is.

        Parameters
        ----------
        fwd : callable
            Takes the arguments of the function; returns a pair of its result, and residuals: whatever `bwd` needs, in a
            container. What is not among them is not kept. It runs on tensors that do not require grad.
        bwd : callable
            Takes the residuals, and the cotangent of the result in its structure; returns a tuple with a cotangent for each
            argument, of that argument's structure, shapes and dtypes. None stands for zero, and for what has no derivative.
            Made of xgrad's functions it has derivatives of any order itself.

        Notes
        -----
        For a second derivative residuals are functions of the arguments too. Arguments and results among them are put back
        into the graph; if there are other floating tensors, `fwd` is run once more, recorded.
        """
        if not callable(fwd) or not callable(bwd):
            raise TypeError(f"{self.name}: defvjp takes two functions, fwd and bwd, not {kind_of(fwd)} and {kind_of(bwd)}")
        self.fwd, self.bwd = fwd, bwd

    def rules(self) -> dict[str, Any]:
        return {"fwd": self.fwd, "bwd": self.bwd}

    def record(self, arguments: Arguments) -> Any:
        if self.fwd is None:
            raise GradientError(f"{self.name} has no derivative yet: say what it is with {self.name}.defvjp(fwd, bwd)")
        state = random.get_state()
        given = arguments.detached()
        with recording(mode.get()):
            result, residuals = self._pair(self.fwd(*arguments.rebuild(given)))
        ys, structure, at = self.results("fwd", result, given[arguments.tracked[0]])
        inputs = [given[k] for k in arguments.tracked]
        data = self.outputs(arguments, ys, at)
        call = _Backward(self, arguments, state, structure, len(ys), at, residuals, inputs, [ys[k] for k in at])
        self.refuse_captured("fwd", call.leaves)
        kept = [x if call.reruns or k in call.arguments.values() else None for k, x in enumerate(arguments.arrays)]
        y = tuple(data) if call.outputs else None
        inputs = arguments.arrays
        arguments.arrays = []
        for k, out in zip(at, record(self.op, arguments.nodes, (kept, call, y, None), tuple(data), inputs, arguments.cls)[0]):
            ys[k] = out
        return structure.unflatten(ys)

    def lower(self, on_batch: Any, call: Lowered) -> None:
        on_batch.defvjp(call.forward, call.backward)

    def _pair(self, result: Any) -> tuple[Any, Any]:
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(f"{self.name}: fwd must return a pair (result, residuals), not {kind_of(result)}")
        return result


class _Backward:
    """What the node of a call of a `custom_vjp` keeps, and its rule."""

    def __init__(
        self,
        function: custom_vjp,
        arguments: Arguments,
        state: Any,
        structure: Structure,
        count: int,
        at: list[int],
        residuals: Any,
        inputs: list[Tensor],
        outputs: list[Tensor],
    ) -> None:
        self.function, self.given, self.state = function, arguments, state
        self.structure, self.count, self.at = structure, count, at
        self.leaves, self.residuals = flatten(residuals)
        places = {id(x): k for k, x in reversed(list(enumerate(inputs)))}
        made = {id(y): k for k, y in reversed(list(enumerate(outputs)))}
        ids = [id(r) for r in self.leaves]
        self.arguments = {i: places[r] for i, r in enumerate(ids) if r in places}
        self.outputs = {i: made[r] for i, r in enumerate(ids) if r in made and r not in places}
        for i in (*self.arguments, *self.outputs):
            self.leaves[i] = None  # the node saved it, or its output did
        self.once = is_once(function.bwd)
        self.reruns = not self.once and any(map(_has_derivative, self.leaves))

    def pull(self, g: Sequence[Any], arrays: Sequence[Any], y: Sequence[Any] | None) -> list[Any]:
        record = isinstance(g[0], Tensor)
        if not record or not mode.get():
            return self._pulled(_tensors(g), self._residuals(arrays, y, record), record)
        if self.once:
            detach: Callable[[Any], Any] = lambda v: None if v is None else wrap(v._data)
            with recording(False):
                residuals = self._residuals([*map(detach, arrays)], [*map(detach, y)] if y else None, False)
                found = self._pulled([wrap(v._data) for v in g], residuals, False)
            return sealed(self.function.name, found, [*g, *arrays, *(y or ())])
        starts, leaves = followed(g), self._residuals(arrays, y, True)
        kept = {i: x for i, x in enumerate(leaves) if isinstance(x, Tensor) and x._node is not None}
        again = replayed(lambda gs, xs: self._pulled(gs, [*map(dict(zip(kept, xs)).get, range(len(leaves)), leaves)], True))
        found = self._pulled(starts, leaves, True)
        names = [f"bwd's cotangent of {name}" for name in self._tracked_names()]
        look(self.function.name, found, names, starts, "the cotangent", list(kept.values()), again, self._advice())
        return found

    def _advice(self) -> str:
        return (
            "compute with xgrad's functions, or declare that there is no second derivative: defvjp(fwd, "
            "xgrad.once_differentiable(bwd))"
        )

    def _tracked_names(self) -> list[str]:
        return [self.given.names[k] for k in self.given.tracked]

    def _residuals(self, arrays: Sequence[Any], y: Sequence[Any] | None, record: bool) -> list[Any]:
        """The leaves of what `bwd` gets; in their places in the graph, if `record`."""
        leaves = list(self.leaves)
        if record and self.reruns:
            leaves = self._again(_tensors(arrays))
            if mode.get():
                self._look_at_constants(leaves, arrays)
        for i, k in self.arguments.items():
            leaves[i] = _tensors([arrays[k]])[0]
        for i, k in self.outputs.items():
            leaves[i] = _tensors([(y or ())[k]])[0]
        return leaves

    def _look_at_constants(self, leaves: Sequence[Any], arrays: Sequence[Any]) -> None:
        """Raise if a residual that is no part of the graph changes with the arguments."""
        fixed = [i for i, x in enumerate(leaves) if _has_derivative(x) and not (isinstance(x, Tensor) and x._node is not None)]
        if not any(leaves[i] is not self.leaves[i] for i in fixed):
            return
        try:
            with recording(False):
                moved = self._again([nearby(x) for x in _tensors(arrays)])
        except Exception:  # which may be no arguments for it
            return
        for i in fixed:
            if changed(leaves[i], moved[i]):
                raise GradientError(
                    f"{self.function.name}: the residual{self.residuals.paths[i]} that fwd returned changes with the arguments, "
                    f"but is no Tensor of their graph, so that a second derivative would be wrong; {self._advice()}"
                )

    def _pulled(self, g: Sequence[Tensor], leaves: Sequence[Any], record: bool) -> list[Any]:
        """What `bwd` returns, given Tensors: a cotangent for each tracked array."""
        name = self.function.name
        cotangents: list[Any] = [None] * self.count
        for k, v in zip(self.at, g):
            cotangents[k] = v
        assert self.function.bwd is not None
        found = self.function.bwd(self.residuals.unflatten(leaves), self.structure.unflatten(cotangents))
        structures = self.given.structures
        if not isinstance(found, tuple) or len(found) != len(structures):
            told = f"a tuple of {len(found)}" if isinstance(found, tuple) else f"a {kind_of(found)}"
            raise TypeError(
                f"{name}: bwd must return a tuple of {len(structures)}, a cotangent or None for each argument, not {told}"
            )
        parts: list[Any] = []
        for i, (part, structure) in enumerate(zip(found, structures)):
            parts += structure.flatten_up_to(part, f"{name}: bwd's cotangent of argument {i}")
        xp = g[0].__array_namespace__() if record else raw_namespace(g[0]._data)
        like = g[0] if record else g[0]._data
        out = []
        for k, node in zip(self.given.tracked, self.given.nodes):
            if parts[k] is None:
                out.append(xp.new_zeros(like, node.shape, dtype=node.dtype))
            else:
                part = self.function.number(parts[k], g[0])
                v = _checked(name, "bwd's cotangent", part, self.given.names[k], node.shape, node.dtype, record)
                out.append(v if record else v._data)
        return out

    def _again(self, tensors: Sequence[Tensor]) -> list[Any]:
        """The residuals as functions of the arguments."""
        assert self.function.fwd is not None
        with random.replaying(self.state):
            _, residuals = self.function._pair(self.function.fwd(*self.given.rebuild(self.given.filled(tensors))))
        leaves, structure = flatten(residuals)
        if structure != self.residuals:
            raise GradientError(f"{self.function.name}: fwd returned other residuals when it was called again")
        return leaves


# ------------------------------------------------------------------------------------------------------------ custom_jvp


class custom_jvp(_Custom):  # noqa: N801  (a decorator)
    """A function whose tangent you write yourself: ``@f.defjvp``. Reverse mode is the transpose of it.

    Parameters
    ----------
    f : callable
        As for `custom_vjp`.

    Raises
    ------
    TypeError, ValueError, GradientError
        As for `custom_vjp`.

    Examples
    --------
    >>> import xgrad
    >>> @xgrad.custom_jvp
    ... def sinc(x):
    ...     safe = xgrad.where(x == 0, 1.0, x)
    ...     return xgrad.where(x == 0, 1.0, xgrad.sin(safe) / safe)
    >>> @sinc.defjvp
    ... def sinc_jvp(primals, tangents):
    ...     (x,), (dx,) = primals, tangents
    ...     safe = xgrad.where(x == 0, 1.0, x)
    ...     slope = (xgrad.cos(safe) - xgrad.sin(safe) / safe) / safe
    ...     return sinc(x), xgrad.where(x == 0, 0.0, slope) * dx
    >>> xgrad.jvp(sinc, (0.0,), (1.0,)), xgrad.grad(sinc)(0.0)
    ((1.0, 0.0), 0.0)
    """

    rule: Callable[..., Any] | None = None

    def __init__(self, f: Callable[..., Any]) -> None:
        super().__init__(f, "custom_jvp")
        self.op.jvp(arrays=lambda t, arrays, call: call.pushed(t, arrays))

    def defjvp(self, rule: Callable[[tuple[Any, ...], tuple[Any, ...]], Any]) -> Callable[..., Any]:
        """Say what the derivative is; a decorator too.

        Parameters
        ----------
        rule : callable
            ``rule(primals, tangents)``, two tuples with an entry for each argument; returns a pair of the result and its
            tangent, of the result's structure, shapes and dtypes. It is linear in the tangents, and made of xgrad's
            functions. Tangents have the structure of their argument: zeros for what does not change, and None for what is
            not floating.

        Returns
        -------
        callable
            `rule`.
        """
        if not callable(rule):
            raise TypeError(f"{self.name}: defjvp takes a function of primals and tangents, not a {kind_of(rule)}")
        self.rule = rule
        return rule

    def rules(self) -> dict[str, Any]:
        return {"rule": self.rule}

    def record(self, arguments: Arguments) -> Any:
        if self.rule is None:
            raise GradientError(f"{self.name} has no derivative yet: say what it is with {self.name}.defjvp(rule)")
        state = random.get_state()
        with recording(mode.get()):
            given = arguments.detached()
            result = self.f(*arguments.rebuild(given))
        ys, structure, at = self.results("it", result, given[arguments.tracked[0]])
        data = self.outputs(arguments, ys, at)
        arrays, arguments.arrays = arguments.arrays, []
        call = _Transposed(self, arguments, state, structure, at, [(v.shape, v.dtype) for v in data])
        for k, out in zip(
            at, record(self.op, arguments.nodes, (arrays, call, None, None), tuple(data), arrays, arguments.cls)[0]
        ):
            ys[k] = out
        return structure.unflatten(ys)

    def lower(self, on_batch: Any, call: Lowered) -> None:
        on_batch.defjvp(call.pushed)

    def no_change(self, x: Any) -> Any:
        return _no_change(x)


class _Transposed:
    """What the node of a call of a `custom_jvp` keeps, and its rule."""

    def __init__(
        self, function: custom_jvp, arguments: Arguments, state: Any, structure: Structure, at: list[int], facts: list[Any]
    ) -> None:
        self.function, self.given, self.state = function, arguments, state
        self.structure, self.at, self.facts = structure, at, facts

    def pull(self, g: Sequence[Any], arrays: Sequence[Any], y: None) -> list[Any]:
        record, name = isinstance(g[0], Tensor), self.function.name
        once = is_once(self.function.rule)
        primals = [wrap(x._data) for x in _tensors(arrays)] if once else _tensors(arrays)
        # Any tangents will do, but zeros would not tell whether a rule lost them.
        ts = [renewed(name, "", wrap(raw_namespace(x._data).ones_like(x._data))) for x in primals]
        with recording(mode.get() or True):
            found = self._looked(primals, [wrap(t._data, t._node) for t in ts], record and not once)
        back = walk(found, _tensors(g), ts, retain=False, record=record and not once)
        if once and record:
            return sealed(name, back, [*g, *arrays])
        return [v if record else v._data for v in back]

    def pushed(self, t: Sequence[Any], arrays: Sequence[Any]) -> tuple[Any, ...]:
        record = isinstance(t[0], Tensor)
        primals, tangents = _tensors(arrays), _tensors(t)
        if not record or not mode.get():
            with random.replaying(self.state):
                found = self.push(primals, tangents, record)
        elif is_once(self.function.rule):
            with recording(False), random.replaying(self.state):
                found = self.push([wrap(x._data) for x in primals], [wrap(x._data) for x in tangents], False)
            found = sealed(self.function.name, found, [*primals, *tangents])
        else:
            found = self._looked(primals, followed(tangents), True)
        return tuple(v if record else v._data for v in found)

    def _looked(self, primals: Sequence[Tensor], tangents: Sequence[Tensor], record: bool) -> list[Tensor]:
        """The tangents of the floating outputs, after a look at whether they are in the graph of what they are computed from."""

        def push(tangents: Sequence[Tensor], primals: Sequence[Tensor]) -> list[Tensor]:
            with random.replaying(self.state):
                return self.push(primals, tangents, record)

        found = push(tangents, primals)
        names = [f"the tangent of the result{self.structure.paths[k]}" for k in self.at]
        kept = list(primals) if all(x._node is not None for x in primals) else []
        advice = "compute with xgrad's functions, of which reverse mode and further derivatives are made"
        look(self.function.name, found, names, tangents, "the tangents", kept, push if kept else lambda ts, _: [], advice)
        return found

    def push(self, primals: Sequence[Tensor], tangents: Sequence[Tensor], record: bool) -> list[Tensor]:
        """The tangents of the floating outputs."""
        given, name = self.given, self.function.name
        leaves = given.filled(primals)
        others = [_no_change(x) for x in leaves]
        for k, t in zip(given.tracked, tangents):
            others[k] = t
        assert self.function.rule is not None
        result = self.function.rule(given.rebuild(leaves), given.rebuild(others))
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(f"{name}: its rule must return a pair (result, tangent), not {kind_of(result)}")
        parts = self.structure.flatten_up_to(result[1], f"{name}: the tangent that its rule returned")
        out = []
        for k, (shape, dtype) in zip(self.at, self.facts):
            if parts[k] is None:
                out.append(wrap(raw_namespace(primals[0]._data).zeros(shape, dtype=dtype)))
            else:
                of = f"the result{self.structure.paths[k]}"
                out.append(_checked(name, "the tangent", self.function.number(parts[k], primals[0]), of, shape, dtype, record))
        return out
