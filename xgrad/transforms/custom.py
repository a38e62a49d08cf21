"""`custom_vjp` and `custom_jvp`: functions with derivative rules written by the user.

A call of such a function is one node of the graph, whatever the function does inside. Its rule runs on Tensors, recorded if a
graph of the gradient is needed: a rule made of xgrad's functions has derivatives of any order.
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
from .call import dtype_name, fresh_input, is_number, nested, pull, type_name, zeros
from .custom_in_vmap import CallOnBatch, has_inner_graph, lift_to_same_level
from .transformed import importable_name

__all__ = ["custom_jvp", "custom_vjp"]


class _Custom:
    """A function with a rule of its own: the base of `custom_vjp` and `custom_jvp`."""

    def __init__(self, f: Callable[..., Any], decorator: str) -> None:
        functools.update_wrapper(self, f)
        self.f, self.name = f, getattr(f, "__name__", "the function")
        try:
            self.signature: inspect.Signature | None = inspect.signature(f)
        except (TypeError, ValueError):  # some functions written in C have none
            self.signature = None
        for p in self.signature.parameters.values() if self.signature else ():
            if p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD):
                raise TypeError(
                    f"{decorator}: {self.name} has the keyword-only parameter {p.name!r}, which a rule cannot take; let it be "
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
        return importable_name(self) or (type(self), (self.f,), self.rules())

    def rules(self) -> dict[str, Any]:
        """The rules that were declared, by name, for pickling."""
        raise NotImplementedError

    def __call__(self, *args: Any, **options: Any) -> Any:
        if self.signature is not None:
            bound = self.signature.bind(*args, **options)
            bound.apply_defaults()
            args = bound.args
        elif options:
            raise TypeError(f"{self.name}: give all arguments by position")
        if not mode.get():
            return self.unrecorded(args)
        if interpreters.get():
            args = lift_to_same_level(args)
        arguments = Arguments(args)
        if arguments.tracked:
            return self.record(arguments)
        return CallOnBatch(self, args)() if interpreters.get() and has_inner_graph(args) else self.unrecorded(args)

    def unrecorded(self, args: Sequence[Any]) -> Any:
        """The result of the function, of the types that a recorded call returns: Tensors if an argument is one."""
        result = self.f(*args)
        tensors = [x for arg in args for x in flatten(arg)[0] if isinstance(x, Tensor)]
        if not tensors:
            return result
        leaves, structure = flatten(result)
        cls = class_of(tensors)
        return structure.unflatten([self.tensor(y, tensors[0], cls) for y in leaves])

    def tensor(self, y: Any, like: Tensor, cls: type[Tensor] = Tensor) -> Any:
        """`y` as a Tensor if it is an array or a floating NumPy scalar; else `y`."""
        y = self.number(y, like)
        return wrap(y, None, cls) if not isinstance(y, Tensor) and backend_of(y) is not None else y

    def number(self, y: Any, like: Tensor) -> Any:
        """`y` as a Tensor on the backend and device of `like` if it is a floating NumPy scalar; else `y`."""
        if not is_numpy_scalar(y) or y.dtype.kind not in "fc":
            return y
        backend = raw_namespace(like._data).__backend__
        return wrap(backend.from_python(y.item(), dtype_of(y.dtype), like.device))

    def record(self, arguments: Arguments) -> Any:
        """The result of a call, recorded as one node."""
        raise NotImplementedError

    def declare_on_batch(self, on_batch: Any, call: CallOnBatch) -> None:
        """Declare the rules of `on_batch`, the function that runs `self` on payloads: those of `call`."""
        raise NotImplementedError

    def outputs(self, arguments: Arguments, ys: Sequence[Tensor], at: Sequence[int]) -> list[Any]:
        """The raw arrays of the floating results; within `vmap`, payloads in a graph get their rule there too."""
        args = arguments.rebuild(arguments.detached())
        if not interpreters.get() or not has_inner_graph(args):
            return [ys[k]._data for k in at]
        leaves = flatten(CallOnBatch(self, args)())[0]
        return [leaves[k]._data for k in at]

    def results(self, source: str, result: Any, like: Tensor) -> tuple[list[Any], Structure, list[int]]:
        """The leaves of `result`, with Tensors for arrays, its structure, and the indices of the floating leaves.

        `source` is the name, in messages, of the function that returned it.
        """
        leaves, structure = flatten(result)
        at = []
        for k, y in enumerate(leaves):
            y = self.tensor(y, like)
            if isinstance(y, (float, complex)):
                raise TypeError(
                    f"{self.name}: {source} returned the {type_name(y)} {y}, which carries no gradient; return a Tensor, for "
                    "example xgrad.asarray(y)"
                )
            leaves[k] = y
            if isinstance(y, Tensor) and inexact(y._data):
                at.append(k)
        self.refuse_captured(source, leaves)
        if not at:
            raise TypeError(f"{self.name}: {source} returned no floating Tensor or array, so it has no derivative")
        return leaves, structure, at

    def refuse_captured(self, source: str, leaves: Sequence[Any]) -> None:
        """Raise if one of `leaves`, which `source` returned, depends on a captured tensor."""
        for y in leaves:
            if isinstance(y, Tensor) and y._node is not None:
                raise GradientError(
                    f"{self.name}: {source} used a tensor that requires grad and is not among the arguments "
                    f"({y._node.name} at {y._node.line}); its gradient would be lost: make it an argument, or use "
                    "xgrad.stop_gradient"
                )


class Arguments:
    """The arguments of a call, flattened. `tracked` are the indices of the Tensors that are part of a graph."""

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
            self.leaves[k] = None  # the node saves those that the rule needs

    def detached(self) -> list[Any]:
        """The leaves, with new Tensors without a graph."""
        return self.filled([wrap(array) for array in self.arrays])

    def filled(self, tensors: Sequence[Tensor]) -> list[Any]:
        """The leaves, with `tensors` in place of the tracked ones."""
        leaves = [wrap(x._data) if isinstance(x, Tensor) else x for x in self.leaves]
        for k, x in zip(self.tracked, tensors):
            leaves[k] = x
        return leaves

    def rebuild(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments, made of `leaves`."""
        return tuple(nested(self.structures, leaves))


def _tensors(arrays: Sequence[Any]) -> list[Tensor]:
    """Raw arrays or Tensors as new Tensor objects; Tensors keep their node."""
    return [wrap(x._data, x._node) if isinstance(x, Tensor) else wrap(x) for x in arrays]


def _checked(name: str, role: str, v: Any, of: str, shape: Any, dtype: Any, record: bool) -> Tensor:
    """The cotangent or tangent `v` that a user's rule returned, as a Tensor; raises if its shape or dtype is wrong."""
    data = v._data if isinstance(v, Tensor) else v
    if shape == () and (is_number(v) or type(v) is int):
        raise TypeError(f"{name}: {role} of {of} is the {type_name(v)} {v}; return a Tensor, such as xgrad.zeros_like(x)")
    if not isinstance(v, Tensor) and backend_of(v) is None:
        raise TypeError(f"{name}: {role} of {of} is a {type_name(v)}, but must be a Tensor")
    if tuple(data.shape) != tuple(shape):
        raise ValueError(
            f"{name}: {role} of {of} has shape {tuple(data.shape)}, but {of} has shape {tuple(shape)}; they must be equal"
        )
    if data.dtype != dtype:
        expected = str(dtype).rpartition(".")[2]
        raise TypeError(
            f"{name}: {role} of {of} is of dtype {dtype_name(data)}, but {of} is of dtype {expected}; they must be equal"
        )
    if record and not isinstance(v, Tensor):
        raise GradientError(
            f"{name}: {role} of {of} is a raw array, which no further derivative can see through; compute it from Tensors "
            "with xgrad's functions"
        )
    return v if isinstance(v, Tensor) else wrap(v)


def _has_derivative(x: Any) -> bool:
    """Whether the residual `x` is a floating array or Tensor, which may depend on the arguments."""
    if isinstance(x, Tensor):
        return inexact(x._data)
    return not is_numpy_scalar(x) and backend_of(x) is not None and inexact(x)


def _zero_tangent(x: Any) -> Any:
    """The tangent of an argument that is held fixed: zeros, or None if it is not floating."""
    if is_number(x):
        return 0.0
    data = x._data if isinstance(x, Tensor) else x
    if not hasattr(data, "dtype") or (not isinstance(x, Tensor) and backend_of(x) is None) or not inexact(data):
        return None
    return zeros(x if isinstance(x, Tensor) else wrap(data))


# ------------------------------------------------------------------------------------------------------------ custom_vjp


class custom_vjp(_Custom):  # noqa: N801  (a decorator)
    """A function whose pullback you write yourself: ``f.defvjp(fwd, bwd)``.

    Use it where the derivative of the function's own ops is unstable or costly, where the function runs code that xgrad cannot
    see, or where it solves an equation.

    Parameters
    ----------
    f : callable
        A function of positional arguments: Tensors, containers of them (see `xgrad.tree`), and anything else, which has no
        derivative. It returns floating Tensors or arrays, or a container of them. It may compute with any library.

    Raises
    ------
    TypeError
        If `f` has keyword-only parameters.
    GradientError
        When a gradient is asked for before `defvjp` was called; when `f` captured a tensor that requires grad, instead of
        taking it as an argument.
    TypeError, ValueError
        When a rule returns the wrong structure, shape or dtype; the message names the function.

    See Also
    --------
    custom_jvp : write the tangent instead; `xgrad.op` makes an op with one rule for each argument
    xgrad.testing.check_grads : compares a derivative with finite differences

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
        """Declare the derivative.

        Parameters
        ----------
        fwd : callable
            Takes the arguments of the function, and returns a pair of its result and the residuals: a container of all that
            `bwd` needs. Nothing else is kept. It runs on tensors that do not require grad.
        bwd : callable
            Takes the residuals and the cotangent of the result, which has its structure. Returns a tuple with a cotangent for
            each argument, of that argument's structure, shapes and dtypes; None stands for zero, and for what has no
            derivative. If it is made of xgrad's functions, it has derivatives of any order.

        Notes
        -----
        In a second derivative residuals are functions of the arguments too. Arguments and results among them get their places
        in the graph; if there are other floating tensors, `fwd` is called again and recorded.
        """
        if not callable(fwd) or not callable(bwd):
            raise TypeError(f"{self.name}: defvjp takes two functions, fwd and bwd, not {type_name(fwd)} and {type_name(bwd)}")
        self.fwd, self.bwd = fwd, bwd

    def rules(self) -> dict[str, Any]:
        return {"fwd": self.fwd, "bwd": self.bwd}

    def record(self, arguments: Arguments) -> Any:
        if self.fwd is None:
            raise GradientError(f"{self.name} has no derivative yet: declare it with {self.name}.defvjp(fwd, bwd)")
        state = random.get_state()
        leaves = arguments.detached()
        with recording(mode.get()):
            result, residuals = self.check_pair(self.fwd(*arguments.rebuild(leaves)))
        ys, structure, at = self.results("fwd", result, leaves[arguments.tracked[0]])
        inputs = [leaves[k] for k in arguments.tracked]
        data = self.outputs(arguments, ys, at)
        call = _Backward(self, arguments, state, structure, len(ys), at, residuals, inputs, [ys[k] for k in at])
        self.refuse_captured("fwd", call.leaves)
        saved = [x if call.reruns or k in call.from_arguments.values() else None for k, x in enumerate(arguments.arrays)]
        y = tuple(data) if call.from_outputs else None
        arrays, arguments.arrays = arguments.arrays, []
        for k, out in zip(at, record(self.op, arguments.nodes, (saved, call, y, None), tuple(data), arrays, arguments.cls)[0]):
            ys[k] = out
        return structure.unflatten(ys)

    def declare_on_batch(self, on_batch: Any, call: CallOnBatch) -> None:
        on_batch.defvjp(call.forward, call.backward)

    def check_pair(self, result: Any) -> tuple[Any, Any]:
        """What `fwd` returned; raises if it is not a pair."""
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(f"{self.name}: fwd must return a pair (result, residuals), not {type_name(result)}")
        return result


class _Backward:
    """What the node of a call of a `custom_vjp` saves, and its rule.

    Residuals that are arguments or results of the call are saved by the node: `from_arguments` and `from_outputs` map their
    index among the residuals to that among those. `reruns` says whether a second derivative must call `fwd` again.
    """

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
        self.function, self.arguments, self.state = function, arguments, state
        self.structure, self.count, self.at = structure, count, at
        self.leaves, self.residuals = flatten(residuals)
        input_at = {id(x): k for k, x in reversed(list(enumerate(inputs)))}
        output_at = {id(y): k for k, y in reversed(list(enumerate(outputs)))}
        ids = [id(r) for r in self.leaves]
        self.from_arguments = {i: input_at[r] for i, r in enumerate(ids) if r in input_at}
        self.from_outputs = {i: output_at[r] for i, r in enumerate(ids) if r in output_at and r not in input_at}
        for i in (*self.from_arguments, *self.from_outputs):
            self.leaves[i] = None  # saved by the node
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
                cotangents = self._pulled([wrap(v._data) for v in g], residuals, False)
            return sealed(self.function.name, cotangents, [*g, *arrays, *(y or ())])
        starts, leaves = followed(g), self._residuals(arrays, y, True)
        linked = {i: x for i, x in enumerate(leaves) if isinstance(x, Tensor) and x._node is not None}
        again = replayed(lambda gs, xs: self._pulled(gs, [*map(dict(zip(linked, xs)).get, range(len(leaves)), leaves)], True))
        cotangents = self._pulled(starts, leaves, True)
        names = [f"bwd's cotangent of {self.arguments.names[k]}" for k in self.arguments.tracked]
        look(self.function.name, cotangents, names, starts, "the cotangent", list(linked.values()), again, self._advice())
        return cotangents

    def _advice(self) -> str:
        return (
            "compute with xgrad's functions, or declare that there is no second derivative: defvjp(fwd, "
            "xgrad.once_differentiable(bwd))"
        )

    def _residuals(self, arrays: Sequence[Any], y: Sequence[Any] | None, record: bool) -> list[Any]:
        """The leaves of the residuals for `bwd`; with `record`, in their places in the graph."""
        leaves = list(self.leaves)
        if record and self.reruns:
            leaves = self._rerun(_tensors(arrays))
            if mode.get():
                self._check_constants(leaves, arrays)
        for i, k in self.from_arguments.items():
            leaves[i] = _tensors([arrays[k]])[0]
        for i, k in self.from_outputs.items():
            leaves[i] = _tensors([(y or ())[k]])[0]
        return leaves

    def _check_constants(self, leaves: Sequence[Any], arrays: Sequence[Any]) -> None:
        """Raise if a residual that is not part of the graph changes with the arguments."""
        fixed = [i for i, x in enumerate(leaves) if _has_derivative(x) and not (isinstance(x, Tensor) and x._node is not None)]
        if not any(leaves[i] is not self.leaves[i] for i in fixed):
            return
        try:
            with recording(False):
                moved = self._rerun([nearby(x) for x in _tensors(arrays)])
        except Exception:  # fwd may not be defined there
            return
        for i in fixed:
            if changed(leaves[i], moved[i]):
                raise GradientError(
                    f"{self.function.name}: the residual{self.residuals.paths[i]} that fwd returned changes with the arguments, "
                    f"but is no Tensor of their graph, so that a second derivative would be wrong; {self._advice()}"
                )

    def _pulled(self, g: Sequence[Tensor], leaves: Sequence[Any], record: bool) -> list[Any]:
        """The cotangents of the tracked arguments that `bwd` returns, given the Tensors `g` and residuals."""
        name = self.function.name
        cotangents: list[Any] = [None] * self.count
        for k, v in zip(self.at, g):
            cotangents[k] = v
        assert self.function.bwd is not None
        returned = self.function.bwd(self.residuals.unflatten(leaves), self.structure.unflatten(cotangents))
        structures = self.arguments.structures
        if not isinstance(returned, tuple) or len(returned) != len(structures):
            actual = f"a tuple of {len(returned)}" if isinstance(returned, tuple) else f"a {type_name(returned)}"
            raise TypeError(
                f"{name}: bwd must return a tuple of {len(structures)}, a cotangent or None for each argument, not {actual}"
            )
        parts: list[Any] = []
        for i, (part, structure) in enumerate(zip(returned, structures)):
            parts += structure.flatten_up_to(part, f"{name}: bwd's cotangent of argument {i}")
        xp = g[0].__array_namespace__() if record else raw_namespace(g[0]._data)
        like = g[0] if record else g[0]._data
        out = []
        for k, node in zip(self.arguments.tracked, self.arguments.nodes):
            if parts[k] is None:
                out.append(xp.new_zeros(like, node.shape, dtype=node.dtype))
            else:
                part = self.function.number(parts[k], g[0])
                v = _checked(name, "bwd's cotangent", part, self.arguments.names[k], node.shape, node.dtype, record)
                out.append(v if record else v._data)
        return out

    def _rerun(self, tensors: Sequence[Tensor]) -> list[Any]:
        """The residuals that `fwd` returns for `tensors`, with the random numbers of the first call."""
        assert self.function.fwd is not None
        with random.replaying(self.state):
            _, residuals = self.function.check_pair(self.function.fwd(*self.arguments.rebuild(self.arguments.filled(tensors))))
        leaves, structure = flatten(residuals)
        if structure != self.residuals:
            raise GradientError(f"{self.function.name}: fwd returned other residuals when it was called again")
        return leaves


# ------------------------------------------------------------------------------------------------------------ custom_jvp


class custom_jvp(_Custom):  # noqa: N801  (a decorator)
    """A function whose tangent you write yourself: ``@f.defjvp``. Reverse mode is its transpose.

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
        self.op.jvp(arrays=lambda t, arrays, call: call.push(t, arrays))

    def defjvp(self, rule: Callable[[tuple[Any, ...], tuple[Any, ...]], Any]) -> Callable[..., Any]:
        """Declare the derivative; a decorator too.

        Parameters
        ----------
        rule : callable
            ``rule(primals, tangents)`` takes two tuples with an entry for each argument, and returns a pair of the result and
            its tangent, which has the structure, shapes and dtypes of the result. It must be linear in the tangents, and made
            of xgrad's functions. A tangent has the structure of its argument: zeros for what is held fixed, and None for what
            is not floating.

        Returns
        -------
        callable
            `rule`.
        """
        if not callable(rule):
            raise TypeError(f"{self.name}: defjvp takes a function of primals and tangents, not a {type_name(rule)}")
        self.rule = rule
        return rule

    def rules(self) -> dict[str, Any]:
        return {"rule": self.rule}

    def record(self, arguments: Arguments) -> Any:
        if self.rule is None:
            raise GradientError(f"{self.name} has no derivative yet: declare it with {self.name}.defjvp(rule)")
        state = random.get_state()
        with recording(mode.get()):
            leaves = arguments.detached()
            result = self.f(*arguments.rebuild(leaves))
        ys, structure, at = self.results("it", result, leaves[arguments.tracked[0]])
        data = self.outputs(arguments, ys, at)
        arrays, arguments.arrays = arguments.arrays, []
        call = _Transposed(self, arguments, state, structure, at, [(v.shape, v.dtype) for v in data])
        for k, out in zip(
            at, record(self.op, arguments.nodes, (arrays, call, None, None), tuple(data), arrays, arguments.cls)[0]
        ):
            ys[k] = out
        return structure.unflatten(ys)

    def declare_on_batch(self, on_batch: Any, call: CallOnBatch) -> None:
        on_batch.defjvp(call.push)

    def zero_tangent(self, x: Any) -> Any:
        """See `_zero_tangent`."""
        return _zero_tangent(x)


class _Transposed:
    """What the node of a call of a `custom_jvp` saves, and its rules."""

    def __init__(
        self, function: custom_jvp, arguments: Arguments, state: Any, structure: Structure, at: list[int], facts: list[Any]
    ) -> None:
        self.function, self.arguments, self.state = function, arguments, state
        self.structure, self.at, self.facts = structure, at, facts

    def pull(self, g: Sequence[Any], arrays: Sequence[Any], y: None) -> list[Any]:
        record, name = isinstance(g[0], Tensor), self.function.name
        once = is_once(self.function.rule)
        primals = [wrap(x._data) for x in _tensors(arrays)] if once else _tensors(arrays)
        # Any tangents would do: the rule is linear in them. With zeros, `look` could not see a rule that loses them.
        ts = [fresh_input(name, "", wrap(raw_namespace(x._data).ones_like(x._data))) for x in primals]
        with recording(mode.get() or True):
            changes = self._checked_tangents(primals, [wrap(t._data, t._node) for t in ts], record and not once)
        cotangents = pull(changes, _tensors(g), ts, retain=False, record=record and not once)
        if once and record:
            return sealed(name, cotangents, [*g, *arrays])
        return [v if record else v._data for v in cotangents]

    def push(self, t: Sequence[Any], arrays: Sequence[Any]) -> tuple[Any, ...]:
        record = isinstance(t[0], Tensor)
        primals, tangents = _tensors(arrays), _tensors(t)
        if not record or not mode.get():
            with random.replaying(self.state):
                changes = self._tangents(primals, tangents, record)
        elif is_once(self.function.rule):
            with recording(False), random.replaying(self.state):
                changes = self._tangents([wrap(x._data) for x in primals], [wrap(x._data) for x in tangents], False)
            changes = sealed(self.function.name, changes, [*primals, *tangents])
        else:
            changes = self._checked_tangents(primals, followed(tangents), True)
        return tuple(v if record else v._data for v in changes)

    def _checked_tangents(self, primals: Sequence[Tensor], tangents: Sequence[Tensor], record: bool) -> list[Tensor]:
        """`_tangents`; raises if they are not in the graph of the primals and tangents that they depend on."""

        def push(tangents: Sequence[Tensor], primals: Sequence[Tensor]) -> list[Tensor]:
            with random.replaying(self.state):
                return self._tangents(primals, tangents, record)

        changes = push(tangents, primals)
        names = [f"the tangent of the result{self.structure.paths[k]}" for k in self.at]
        linked = list(primals) if all(x._node is not None for x in primals) else []
        advice = "compute with xgrad's functions, from which reverse mode and further derivatives follow"
        look(self.function.name, changes, names, tangents, "the tangents", linked, push if linked else lambda ts, _: [], advice)
        return changes

    def _tangents(self, primals: Sequence[Tensor], tangents: Sequence[Tensor], record: bool) -> list[Tensor]:
        """The tangents of the floating results that the user's rule returns."""
        arguments, name = self.arguments, self.function.name
        leaves = arguments.filled(primals)
        directions = [_zero_tangent(x) for x in leaves]
        for k, t in zip(arguments.tracked, tangents):
            directions[k] = t
        assert self.function.rule is not None
        result = self.function.rule(arguments.rebuild(leaves), arguments.rebuild(directions))
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(f"{name}: its rule must return a pair (result, tangent), not {type_name(result)}")
        parts = self.structure.flatten_up_to(result[1], f"{name}: the tangent that its rule returned")
        out = []
        for k, (shape, dtype) in zip(self.at, self.facts):
            if parts[k] is None:
                out.append(wrap(raw_namespace(primals[0]._data).zeros(shape, dtype=dtype)))
            else:
                of = f"the result{self.structure.paths[k]}"
                out.append(_checked(name, "the tangent", self.function.number(parts[k], primals[0]), of, shape, dtype, record))
        return out
