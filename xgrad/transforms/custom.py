"""`custom_vjp` and `custom_jvp`: functions with derivative rules written by the user.

A call of such a function is one node of the graph, whatever the function does inside. Its rule runs on Tensors, recorded if a
graph of the gradient is needed: a rule made of xgrad's functions has derivatives of any order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import random
from ..backend.find import raw_namespace
from ..engine.call import record
from ..engine.watch import as_inputs, check_rule, differs, is_once, perturbed, with_same_draws, without_derivative
from ..errors import GradientError
from ..graph.recording import mode, recording
from ..tensor.tensor import Tensor, wrap
from ..tree import Structure, flatten
from .call import fresh_input, pull, type_name
from .custom_function import Arguments, CustomFunction, as_tensors, checked, has_derivative, zero_tangent
from .custom_in_vmap import CallOnBatch

__all__ = ["custom_jvp", "custom_vjp"]


# ------------------------------------------------------------------------------------------------------------ custom_vjp


class custom_vjp(CustomFunction):  # noqa: N801  (a decorator)
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
        self.reruns = not self.once and any(map(has_derivative, self.leaves))

    def pull(self, g: Sequence[Any], arrays: Sequence[Any], y: Sequence[Any] | None) -> list[Any]:
        record = isinstance(g[0], Tensor)
        if not record or not mode.get():
            return self._pulled(as_tensors(g), self._residuals(arrays, y, record), record)
        if self.once:
            detach: Callable[[Any], Any] = lambda v: None if v is None else wrap(v._data)
            with recording(False):
                residuals = self._residuals([*map(detach, arrays)], [*map(detach, y)] if y else None, False)
                cotangents = self._pulled([wrap(v._data) for v in g], residuals, False)
            return without_derivative(self.function.name, cotangents, [*g, *arrays, *(y or ())])
        starts, leaves = as_inputs(g), self._residuals(arrays, y, True)
        linked = {i: x for i, x in enumerate(leaves) if isinstance(x, Tensor) and x._node is not None}
        again = with_same_draws(
            lambda gs, xs: self._pulled(gs, [*map(dict(zip(linked, xs)).get, range(len(leaves)), leaves)], True)
        )
        cotangents = self._pulled(starts, leaves, True)
        names = [f"bwd's cotangent of {self.arguments.names[k]}" for k in self.arguments.tracked]
        check_rule(self.function.name, cotangents, names, starts, "the cotangent", list(linked.values()), again, self._advice())
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
            leaves = self._rerun(as_tensors(arrays))
            if mode.get():
                self._check_constants(leaves, arrays)
        for i, k in self.from_arguments.items():
            leaves[i] = as_tensors([arrays[k]])[0]
        for i, k in self.from_outputs.items():
            leaves[i] = as_tensors([(y or ())[k]])[0]
        return leaves

    def _check_constants(self, leaves: Sequence[Any], arrays: Sequence[Any]) -> None:
        """Raise if a residual that is not part of the graph changes with the arguments."""
        fixed = [i for i, x in enumerate(leaves) if has_derivative(x) and not (isinstance(x, Tensor) and x._node is not None)]
        if not any(leaves[i] is not self.leaves[i] for i in fixed):
            return
        try:
            with recording(False):
                moved = self._rerun([perturbed(x) for x in as_tensors(arrays)])
        except Exception:  # fwd may not be defined there
            return
        for i in fixed:
            if differs(leaves[i], moved[i]):
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
                v = checked(name, "bwd's cotangent", part, self.arguments.names[k], node.shape, node.dtype, record)
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


class custom_jvp(CustomFunction):  # noqa: N801  (a decorator)
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
        """The tangent of an argument that is held fixed."""
        return zero_tangent(x)


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
        primals = [wrap(x._data) for x in as_tensors(arrays)] if once else as_tensors(arrays)
        # Any tangents would do: the rule is linear in them. With zeros, `check_rule` could not see a rule that loses them.
        ts = [fresh_input(name, "", wrap(raw_namespace(x._data).ones_like(x._data))) for x in primals]
        with recording(mode.get() or True):
            changes = self._checked_tangents(primals, [wrap(t._data, t._node) for t in ts], record and not once)
        cotangents = pull(changes, as_tensors(g), ts, retain=False, record=record and not once)
        if once and record:
            return without_derivative(name, cotangents, [*g, *arrays])
        return [v if record else v._data for v in cotangents]

    def push(self, t: Sequence[Any], arrays: Sequence[Any]) -> tuple[Any, ...]:
        record = isinstance(t[0], Tensor)
        primals, tangents = as_tensors(arrays), as_tensors(t)
        if not record or not mode.get():
            with random.replaying(self.state):
                changes = self._tangents(primals, tangents, record)
        elif is_once(self.function.rule):
            with recording(False), random.replaying(self.state):
                changes = self._tangents([wrap(x._data) for x in primals], [wrap(x._data) for x in tangents], False)
            changes = without_derivative(self.function.name, changes, [*primals, *tangents])
        else:
            changes = self._checked_tangents(primals, as_inputs(tangents), True)
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
        check_rule(
            self.function.name, changes, names, tangents, "the tangents", linked, push if linked else lambda ts, _: [], advice
        )
        return changes

    def _tangents(self, primals: Sequence[Tensor], tangents: Sequence[Tensor], record: bool) -> list[Tensor]:
        """The tangents of the floating results that the user's rule returns."""
        arguments, name = self.arguments, self.function.name
        leaves = arguments.filled(primals)
        directions = [zero_tangent(x) for x in leaves]
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
                out.append(checked(name, "the tangent", self.function.number(parts[k], primals[0]), of, shape, dtype, record))
        return out
