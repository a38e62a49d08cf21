"""`Optimizer`: a rule, the parameters that it moves, and the state of each."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from .. import tree
from ..backend.dtypes import dtype_of
from ..backend.find import raw_namespace
from ..backend.precision import half
from ..backend.transfer import copy_like
from ..graph import memory
from ..graph.node import Leaf
from ..interpreters.interpreter import after_making, before_use, compute_numbers
from ..tensor.tensor import Tensor, wrap
from .rules import Rule

__all__ = ["Optimizer"]


class Optimizer:
    """Moves parameters along their gradients by a rule.

    Parameters
    ----------
    parameters : iterable of Tensors, or of dicts
        The parameters to move: ``model.parameters()``. Dicts are groups with options of their own:
        ``[{"params": weights, "weight_decay": 0.1}, {"params": biases}]``.
    make_rule : callable
        Makes the rule from the options: `xgrad.optim.sgd`, `adam`, `adamw`, or one of your own; see `xgrad.optim.Rule`.
    options : optional
        The keyword arguments of `make_rule`.

    Attributes
    ----------
    groups : list of dict
        The options of each group and its ``"params"``. Options may be changed between steps: ``optimizer.lr = 0.001``
        changes the learning rate of all groups.

    Raises
    ------
    TypeError
        If a parameter is not a leaf Tensor that requires grad.
    ValueError
        If there are no parameters, a parameter is given twice, or an option is out of range.

    Notes
    -----
    A step is not recorded. Where arrays are mutable it writes into those of the parameters; if a graph saved one of these and
    is walked back afterwards, ``backward`` raises instead of giving a wrong gradient. A parameter without gradient is not
    changed.

    A parameter owns the memory that a step writes into: an array that a Tensor was made of is copied when the optimizer takes
    the parameter, and is not changed.

    The state of parameters of half precision (float16, bfloat16), and all that a step computes, is in float32. The
    parameters keep their dtype, so that a step of less than half of their last digit has no effect.

    An optimizer is a container for `xgrad.tree`: of the learning rate of each group, and of the step count and the state of each
    parameter. The parameters themselves are not in it; they are in the model.
    """

    holds_state = True  # for `xgrad.jit`: what is in it can change from call to call

    def __init__(self, parameters: Iterable[Any], make_rule: Callable[..., Rule], **options: Any) -> None:
        items: list[Any] = [parameters] if isinstance(parameters, (Tensor, Mapping)) else list(parameters)
        if not items:
            raise ValueError(f"{type(self).__name__}: there are no parameters to move; pass model.parameters()")
        groups: list[Mapping[str, Any]] = items if isinstance(items[0], Mapping) else [{"params": items}]
        self.make_rule = make_rule
        self.groups: list[dict[str, Any]] = []
        self._state: dict[int, _ParameterState] = {}  # by the position of the parameter among all
        for group in groups:
            group_options = {**options, **group}
            params = group_options.pop("params")
            rule = make_rule(**group_options)  # raises for an option that is unknown or out of range
            params = [params] if isinstance(params, Tensor) else list(params)
            self.groups.append({"params": params, "lr": rule.options["lr"], **group_options})
        seen: set[int] = set()
        for p in self.parameters():
            if not isinstance(p, Tensor) or not isinstance(p._node, Leaf):
                text = f"a tensor of shape {p.shape}" if isinstance(p, Tensor) else repr(p)
                raise TypeError(f"{type(self).__name__}: only leaf Tensors that require grad can be moved, not {text:.60}")
            if p.dtype.kind == "complex floating":
                raise TypeError(f"{type(self).__name__}: parameters must be real; move real and imaginary parts")
            if id(p) in seen:
                raise ValueError(f"{type(self).__name__}: a parameter of shape {p.shape} was given twice")
            seen.add(id(p))
        for p in self.parameters():
            memory.own(p)
        after_making(self)

    def parameters(self) -> list[Tensor]:
        """All parameters, in order."""
        return [p for group in self.groups for p in group["params"]]

    @property
    def lr(self) -> float:
        """The learning rate of the first group; setting it sets that of all groups."""
        return self.groups[0]["lr"]  # type: ignore[no-any-return]

    @lr.setter
    def lr(self, value: float) -> None:
        for group in self.groups:
            group["lr"] = value

    def zero_grad(self) -> None:
        """Set the gradients of all parameters to None."""
        for p in self.parameters():
            p.zero_grad()

    def step(self) -> None:
        """Move every parameter that has a gradient."""
        before_use(self)
        index = -1
        for group in self.groups:
            if hasattr(group["lr"], "dtype"):  # a 0-d array, from `tree.unflatten`
                group["lr"] = float(group["lr"])
            rule = self._rule(group)
            numbers: dict[str, float] = {}
            numbers_of = 0  # the step that they belong to
            for p in group["params"]:
                index += 1
                grad = None if p._node is None else p._node.grad
                if grad is None:
                    continue
                state = self._state_of(index, p, rule)
                if not state.owned:
                    state.own(p)
                state.step += 1
                if state.step != numbers_of:
                    numbers, numbers_of = compute_numbers(rule.numbers, state.step, **rule.options), state.step
                memory.own(p)
                _move(p, grad._data, state, rule, numbers)

    def changing_numbers(self) -> Iterator[tuple[Any, Any, str]]:
        """The numbers that a captured step reads anew in each run: where they are, and their names."""
        for k, group in enumerate(self.groups):
            yield group, "lr", f"groups[{k}]['lr']"

    def _rule(self, group: Mapping[str, Any]) -> Rule:
        return self.make_rule(**{name: value for name, value in group.items() if name != "params"})

    def _rule_name(self) -> str:
        return getattr(self.make_rule, "__name__", type(self.make_rule).__name__)

    def _state_of(self, index: int, p: Tensor, rule: Rule) -> _ParameterState:
        # The state of the parameter at `index`, made if there is none for this rule.
        state = self._state.get(index)
        if state is None or len(state.arrays) != len(rule.names):
            state = self._state[index] = _ParameterState([wrap(array) for array in rule.init(p._data)])
        return state

    def _named_rule(self, group: Mapping[str, Any]) -> Rule:
        # The rule of a group for the names of its state, also where a transform replaced the learning rate by another object.
        return self._rule(group if isinstance(group["lr"], (float, int)) else {**group, "lr": 1.0})

    def _names(self) -> list[tuple[str, ...]]:
        # The names of the state's arrays, for each parameter.
        return [names for group in self.groups for names in [self._named_rule(group).names] * len(group["params"])]

    # Saving.

    def state_dict(self) -> dict[str, Any]:
        """What is needed to continue: ``"groups"`` and ``"steps"`` (numbers), ``"state"`` (copies of arrays, as Tensors).

        Parameters are identified by their position among all: the entries are called ``"0.m"``, ``"0.v"``, ``"1.m"`` and so
        on. `load_state_dict` compares the name of the ``"rule"`` and the number of ``"parameters"`` in each group.
        """
        groups = [{name: value for name, value in group.items() if name != "params"} for group in self.groups]
        arrays, names = {}, self._names()
        for i, state in sorted(self._state.items()):
            for name, x in zip(names[i], state.arrays):
                array = getattr(x, "_data", x)
                arrays[f"{i}.{name}"] = wrap(raw_namespace(array).asarray(array, copy=True))
        steps = {str(i): int(state.step) for i, state in self._state.items()}
        sizes = [len(group["params"]) for group in self.groups]
        return {"rule": self._rule_name(), "parameters": sizes, "groups": groups, "steps": steps, "state": arrays}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned, with the same parameters in the same order.

        Raises
        ------
        ValueError
            If the state does not fit: another rule, another number or other shapes of parameters, an entry that is missing,
            left over or not of real floating numbers, an option out of range. Then nothing is changed.
        """
        params = self.parameters()
        groups, steps, arrays = self._checked_parts(state)
        group_of = [group for group in groups for _ in group["params"]]
        loaded = {i: _ParameterState([], step) for i, step in steps.items()}
        unused = set(arrays)
        for i, parameter_state in loaded.items():
            for name in self._rule(group_of[i]).names:
                entry = f"{i}.{name}"
                unused.discard(entry)
                value = _checked_array(entry, arrays.get(entry), params[i], i)
                parameter_state.arrays.append(_state_like(value, params[i]))
        if unused:
            raise ValueError(
                f"load_state_dict: the state has {', '.join(sorted(unused)[:5])}, which {type(self).__name__} has no use for; "
                "it was saved by another rule, or with other options"
            )
        self.groups, self._state = groups, loaded

    def _checked_parts(self, state: Any) -> tuple[list[dict[str, Any]], dict[int, int], Mapping[str, Any]]:
        """The groups with the options of `state`, the steps by the position of the parameter, and the arrays."""
        if not isinstance(state, Mapping) or {"groups", "steps", "state"} - set(state):
            raise ValueError("load_state_dict: this is no state of an optimizer; pass what state_dict() returned")
        saved_groups, steps, arrays = state["groups"], state["steps"], state["state"]
        if not isinstance(saved_groups, (list, tuple)) or not all(
            isinstance(part, Mapping) for part in (*saved_groups, steps, arrays)
        ):
            raise ValueError(
                "load_state_dict: groups are a list of dicts, steps and state are dicts, as state_dict() returned them"
            )
        if "rule" in state and state["rule"] != self._rule_name():
            raise ValueError(
                f"load_state_dict: the state is of the rule {state['rule']}, but the optimizer follows {self._rule_name()}; "
                "to load it all the same, leave out its entry 'rule'"
            )
        if len(saved_groups) != len(self.groups):
            raise ValueError(
                f"load_state_dict: the state has {len(saved_groups)} groups but the optimizer has {len(self.groups)}"
            )
        sizes = [len(group["params"]) for group in self.groups]
        if "parameters" in state and list(state["parameters"]) != sizes:
            raise ValueError(
                f"load_state_dict: the state is of {_sizes_text(state['parameters'])}, but the optimizer has {_sizes_text(sizes)}"
            )
        groups = []
        for own, options in zip(self.groups, saved_groups):
            group = {**own, **options, "params": own["params"]}
            try:
                self._rule(group)
            except TypeError as error:
                unknown = sorted(set(options) - set(own))
                raise ValueError(
                    f"load_state_dict: {type(self).__name__} does not take the options of the state"
                    + (f" ({', '.join(map(str, unknown))})" if unknown else "")
                    + f"; it was saved by another rule ({error})"
                ) from None
            except ValueError as error:
                raise ValueError(f"load_state_dict: an option of the state is out of range ({error})") from None
            groups.append(group)
        return groups, dict(_checked_step(key, step, sum(sizes)) for key, step in steps.items()), arrays

    def __repr__(self) -> str:
        texts = [
            ", ".join(f"{k}={v}" for k, v in g.items() if k != "params") + f": {len(g['params'])} parameters" for g in self.groups
        ]
        return f"{type(self).__name__}({'; '.join(texts)})"


# ----------------------------------------------------------------------------------------------- the state of a parameter


class _ParameterState:
    """The state of one parameter: the arrays of the rule, as Tensors, and how many steps were made."""

    __slots__ = ("arrays", "owned", "step")
    holds_state = True

    def __init__(self, arrays: list[Any], step: Any = 0, owned: bool = True) -> None:
        self.arrays, self.step, self.owned = arrays, step, owned

    def changing_numbers(self) -> Iterator[tuple[Any, Any, str]]:
        """As in `Optimizer`."""
        yield self, "step", "step"

    def own(self, p: Tensor) -> None:
        """Before a step: replace what `tree.unflatten` put here by arrays that the step may write into."""
        if not self.owned:
            self.arrays, self.step, self.owned = [_state_like(x, p) for x in self.arrays], int(self.step), True


def _state_like(value: Any, p: Tensor) -> Tensor:
    # A copy of `value` for the state of `p`: in its dtype, or in float32 if that is of half precision.
    return wrap(copy_like(value, p._data, raw_namespace(p._data).float32 if half(p._data.dtype) else None))


def _move(p: Tensor, g: Any, state: _ParameterState, rule: Rule, numbers: Mapping[str, float]) -> None:
    array, xp = p._data, raw_namespace(p._data)
    backend = xp.__backend__
    arrays = [x._data for x in state.arrays]
    if half(array.dtype):
        new, *new_arrays = rule.kernel(xp, xp.astype(array, xp.float32), xp.astype(g, xp.float32), *arrays, **numbers)
        new = xp.astype(new, array.dtype)
        if backend.mutable and array.shape:
            array[...] = new
            new = array
    elif rule.elementwise and (rows := _rows(array, backend.cache_bytes)) and rows < array.shape[0]:
        # A few rows at a time, so that the temporaries of the kernel stay in the cache. Such arrays are written in place.
        for start in range(0, array.shape[0], rows):
            part = slice(start, start + rows)
            rule.kernel(xp, array[part], g[part], *(a[part] for a in arrays), **numbers)
        new, new_arrays = array, arrays
    else:
        kernel = backend.updating(rule.kernel) if rule.elementwise else rule.kernel
        new, *new_arrays = kernel(xp, array, g, *arrays, **numbers)
    for tensor, new_array in zip(state.arrays, new_arrays):
        if new_array is not tensor._data:
            memory.assign(tensor, new_array)
    if new is array:
        memory.mark(array, memory.next_age())
    else:
        memory.assign(p, new)


def _rows(x: Any, budget: int) -> int:
    """How many rows of `x` fit into the budget of bytes; 0 for all at once."""
    if not budget or not x.shape or x.size * x.itemsize <= budget:
        return 0
    return max(1, int(budget // (x.itemsize * (x.size // x.shape[0]))))


# ---------------------------------------------------------------------------------------------------- checks of a state


def _checked_array(entry: str, value: Any, p: Tensor, i: int) -> Any:
    """`value`, if it is an array of real floating numbers of the shape of `p`, the parameter at position `i`."""
    if value is None:
        raise ValueError(f"load_state_dict: {entry} is missing, but parameter {i} has shape {p.shape}")
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    if shape is None or dtype is None:
        raise ValueError(f"load_state_dict: {entry} is no array but a {type(value).__name__}")
    if tuple(shape) != p.shape:
        raise ValueError(f"load_state_dict: {entry} has shape {tuple(shape)}, but parameter {i} has shape {p.shape}")
    try:
        kind = dtype_of(dtype).kind
    except TypeError:
        kind = "unknown"
    if kind != "real floating":
        raise ValueError(f"load_state_dict: {entry} is of {dtype}; the state of an optimizer is of real floating numbers")
    return value


def _checked_step(key: Any, step: Any, count: int) -> tuple[int, int]:
    """An entry of a state's ``"steps"``: the position of a parameter among `count`, and its number of steps."""
    text = str(key)
    if not text.isdecimal():
        raise ValueError(f"load_state_dict: steps has the key {key!r}; keys are the positions of parameters: '0', '1', ...")
    if int(text) >= count:
        raise ValueError(f"load_state_dict: the state is of {int(text) + 1} parameters or more, but the optimizer has {count}")
    if isinstance(step, bool) or not hasattr(step, "__index__") or step < 0:
        raise ValueError(f"load_state_dict: parameter {text} has made {step!r} steps; steps are integers, 0 or more")
    return int(text), operator.index(step)


def _sizes_text(sizes: Any) -> str:
    total = f"{sum(sizes)} parameters"
    return total if len(sizes) == 1 else f"{total} in groups of {', '.join(map(str, sizes))}"


# --------------------------------------------------------------------------------------------- optimizers as containers


class _Plan:
    """An optimizer without its numbers and arrays. Two are equal if class, rule, groups and names of the state are.

    Learning rates and step counts are Python numbers, and not 0-d arrays: kernels take numbers that the host computes from
    them, in double precision and without a copy from the device, and ``optimizer.lr`` and `state_dict` hold plain numbers, which
    can be written as JSON.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.groups = [{**group, "params": list(group["params"])} for group in optimizer.groups]
        self.names = optimizer._names()
        self.key = (type(optimizer), optimizer._rule_name(), [len(group["params"]) for group in self.groups], self.names)
        self.paths = [f".groups[{k}]['lr']" for k in range(len(self.groups))]
        for i, names in enumerate(self.names):
            self.paths += [f".steps['{i}']", *(f".state['{i}.{name}']" for name in names)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Plan) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key[:2])

    def __repr__(self) -> str:
        return type(self.optimizer).__name__


def _take_apart(optimizer: Optimizer) -> tuple[list[Any], _Plan]:
    leaves: list[Any] = [group["lr"] for group in optimizer.groups]
    index = 0
    for group in optimizer.groups:
        rule = optimizer._named_rule(group)
        for p in group["params"]:
            state = optimizer._state_of(index, p, rule)
            leaves += [state.step, *state.arrays]
            index += 1
    return leaves, _Plan(optimizer)


def _put_together(plan: _Plan, leaves: Sequence[Any]) -> Optimizer:
    """An optimizer of the same parameters with these numbers and arrays, which its first step copies."""
    values = iter(leaves)
    new: Optimizer = object.__new__(type(plan.optimizer))
    vars(new).update(vars(plan.optimizer))
    new.groups = [{**group, "params": list(group["params"]), "lr": next(values)} for group in plan.groups]
    new._state = {}
    for index, names in enumerate(plan.names):
        step = next(values)
        new._state[index] = _ParameterState([next(values) for _ in names], step, owned=False)
    return new


tree.register(Optimizer, _take_apart, _put_together, subclasses=True)
