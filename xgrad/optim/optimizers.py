"""Optimizers: a rule, the parameters it moves, and what it remembers of each."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ..backend.dtypes import dtype_of
from ..backend.find import raw_namespace
from ..backend.precision import half
from ..graph import memory
from ..graph.node import Leaf
from ..tensor.tensor import Tensor, wrap
from .rules import Rule, adam, adamw, sgd

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]


class Optimizer:
    """Moves parameters along their gradients by a rule.

    Parameters
    ----------
    parameters : iterable of Tensors, or of dicts
        What to move: ``model.parameters()``. Dicts are groups with options of their own:
        ``[{"params": weights, "weight_decay": 0.1}, {"params": biases}]``.
    make_rule : callable
        Makes the rule from the options: `xgrad.optim.sgd`, `adam`, `adamw`, or one of your own.
    options : optional
        What `make_rule` takes by keyword.

    Attributes
    ----------
    groups : list of dict
        The options of each group and its ``"params"``. Options may be changed between steps: ``optimizer.lr = 0.001``
        changes the learning rate of all.

    Raises
    ------
    TypeError
        If something is no leaf Tensor that requires grad.
    ValueError
        If there are no parameters, one is there twice, or an option is out of range.

    Notes
    -----
    A step is not recorded. Where arrays are mutable it writes into those of the parameters; a graph that saved one and is
    still to be walked back then raises at ``backward`` instead of giving a wrong gradient. A parameter without gradient is
    left alone.

    What it writes into belongs to the parameter: an array that a Tensor was made of is copied when the optimizer takes the
    parameter, and stays as it was.

    The state of parameters of half precision (float16, bfloat16), and all that a step computes, is in float32; the
    parameters themselves keep their dtype, so that steps of less than half of their last digit have no effect.
    """

    def __init__(self, parameters: Iterable[Any], make_rule: Callable[..., Rule], **options: Any) -> None:
        given: list[Any] = [parameters] if isinstance(parameters, (Tensor, Mapping)) else list(parameters)
        if not given:
            raise ValueError(f"{type(self).__name__}: there are no parameters to move; pass model.parameters()")
        groups: list[Mapping[str, Any]] = given if isinstance(given[0], Mapping) else [{"params": given}]
        self.make_rule = make_rule
        self.groups: list[dict[str, Any]] = []
        self._state: dict[int, _Memory] = {}  # by the place of the parameter among all
        for group in groups:
            mine = {**options, **group}
            params = mine.pop("params")
            rule = make_rule(**mine)  # raises for an option that is unknown or out of range
            self.groups.append(
                {"params": [params] if isinstance(params, Tensor) else list(params), "lr": rule.options["lr"], **mine}
            )
        seen: set[int] = set()
        for p in self.parameters():
            if not isinstance(p, Tensor) or not isinstance(p._node, Leaf):
                told = f"a tensor of shape {p.shape}" if isinstance(p, Tensor) else repr(p)
                raise TypeError(f"{type(self).__name__}: only leaf Tensors that require grad can be moved, not {told:.60}")
            if p.dtype.kind == "complex floating":
                raise TypeError(f"{type(self).__name__}: parameters must be real; move real and imaginary parts")
            if id(p) in seen:
                raise ValueError(f"{type(self).__name__}: a parameter of shape {p.shape} was given twice")
            seen.add(id(p))
        for p in self.parameters():
            memory.own(p)

    def parameters(self) -> list[Tensor]:
        """All parameters, in order."""
        return [p for group in self.groups for p in group["params"]]

    @property
    def lr(self) -> float:
        """The learning rate of the first group; setting it sets that of all."""
        return self.groups[0]["lr"]  # type: ignore[no-any-return]

    @lr.setter
    def lr(self, value: float) -> None:
        for group in self.groups:
            group["lr"] = value

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.parameters():
            p.zero_grad()

    def step(self) -> None:
        """Move every parameter that has a gradient."""
        i = -1
        for group in self.groups:
            rule = self._rule(group)
            for p in group["params"]:
                i += 1
                node = p._node
                if node is None or node.grad is None:
                    continue
                kept = self._state.get(i)
                if kept is None or len(kept.arrays) != len(rule.names):
                    kept = self._state[i] = _Memory(list(rule.init(p._data)))
                kept.step += 1
                memory.own(p)
                _apply(rule, p, node.grad._data, kept)

    def state_dict(self) -> dict[str, Any]:
        """What is needed to continue: ``"groups"`` and ``"steps"`` (numbers), ``"state"`` (copies of arrays, as Tensors).

        Parameters are known by their place among all: the entries are called ``"0.m"``, ``"0.v"``, ``"1.m"`` and so on. The
        name of the ``"rule"`` and the number of ``"parameters"`` of each group are there to be compared.
        """
        groups = [{name: value for name, value in group.items() if name != "params"} for group in self.groups]
        state = {}
        for (i, kept), names in zip(sorted(self._state.items()), self._names()):
            for name, array in zip(names, kept.arrays):
                state[f"{i}.{name}"] = wrap(raw_namespace(array).asarray(array, copy=True))
        steps = {str(i): kept.step for i, kept in self._state.items()}
        sizes = [len(group["params"]) for group in self.groups]
        return {"rule": self._rule_name(), "parameters": sizes, "groups": groups, "steps": steps, "state": state}

    def _rule(self, group: Mapping[str, Any]) -> Rule:
        return self.make_rule(**{name: value for name, value in group.items() if name != "params"})

    def _names(self) -> list[tuple[str, ...]]:
        # The state's names, for each parameter that has one.
        found, i = [], 0
        for group in self.groups:
            names = self._rule(group).names
            for _ in group["params"]:
                found += [names] if i in self._state else []
                i += 1
        return found

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from what `state_dict` returned, with the same parameters in the same order.

        Raises
        ------
        ValueError
            If it does not fit: it is of another rule, or of parameters of another number or shape; an entry is missing or
            left over; an option is out of range. Then nothing is changed.
        TypeError
            If an array of it is complex. Then nothing is changed, either.
        """
        params = self.parameters()
        groups, steps, arrays = self._parts(state)
        of = [group for group in groups for _ in group["params"]]
        loaded = {i: _Memory([], step) for i, step in steps.items()}
        unused = set(arrays)
        for i, kept in loaded.items():
            for name in self._rule(of[i]).names:
                entry = f"{i}.{name}"
                unused.discard(entry)
                kept.arrays.append(_on(_fitting(entry, arrays.get(entry), params[i], i), params[i]))
        if unused:
            raise ValueError(
                f"load_state_dict: the state has {', '.join(sorted(unused)[:5])}, which {type(self).__name__} has no use for; "
                "it was saved by another rule, or with other options"
            )
        self.groups, self._state = groups, loaded

    def _parts(self, state: Any) -> tuple[list[dict[str, Any]], dict[int, int], Mapping[str, Any]]:
        """The groups with the options of `state`, its steps by the place of the parameter, and its arrays; all checked."""
        if not isinstance(state, Mapping) or {"groups", "steps", "state"} - set(state):
            raise ValueError("load_state_dict: this is no state of an optimizer; pass what state_dict() returned")
        theirs, steps, arrays = state["groups"], state["steps"], state["state"]
        if not isinstance(theirs, (list, tuple)) or not all(isinstance(part, Mapping) for part in (*theirs, steps, arrays)):
            raise ValueError(
                "load_state_dict: groups are a list of dicts, steps and state are dicts, as state_dict() returned them"
            )
        if "rule" in state and state["rule"] != self._rule_name():
            raise ValueError(
                f"load_state_dict: the state is of the rule {state['rule']}, but the optimizer follows {self._rule_name()}; "
                "to hand it on all the same, leave its entry 'rule' out"
            )
        if len(theirs) != len(self.groups):
            raise ValueError(f"load_state_dict: the state has {len(theirs)} groups but the optimizer has {len(self.groups)}")
        sizes = [len(group["params"]) for group in self.groups]
        if "parameters" in state and list(state["parameters"]) != sizes:
            raise ValueError(
                f"load_state_dict: the state is of {_count(state['parameters'])}, but the optimizer has {_count(sizes)}"
            )
        groups = []
        for mine, options in zip(self.groups, theirs):
            group = {**mine, **options, "params": mine["params"]}
            try:
                self._rule(group)
            except TypeError as error:
                alien = sorted(set(options) - set(mine))
                raise ValueError(
                    f"load_state_dict: {type(self).__name__} does not take the options of the state"
                    + (f" ({', '.join(map(str, alien))})" if alien else "")
                    + f"; it was saved by another rule ({error})"
                ) from None
            except ValueError as error:
                raise ValueError(f"load_state_dict: an option of the state is out of range ({error})") from None
            groups.append(group)
        return groups, dict(_step(key, step, sum(sizes)) for key, step in steps.items()), arrays

    def _rule_name(self) -> str:
        return getattr(self.make_rule, "__name__", type(self.make_rule).__name__)

    def __repr__(self) -> str:
        told = [
            ", ".join(f"{k}={v}" for k, v in g.items() if k != "params") + f": {len(g['params'])} parameters" for g in self.groups
        ]
        return f"{type(self).__name__}({'; '.join(told)})"


class _Memory:
    """What an optimizer remembers of one parameter."""

    __slots__ = ("arrays", "step")

    def __init__(self, arrays: list[Any], step: int = 0) -> None:
        self.arrays, self.step = arrays, step


def _apply(rule: Rule, p: Tensor, g: Any, kept: _Memory) -> None:
    data, xp = p._data, raw_namespace(p._data)
    backend = xp.__backend__
    if half(data.dtype):
        moved, *kept.arrays = rule.kernel(
            xp, kept.step, xp.astype(data, xp.float32), xp.astype(g, xp.float32), *kept.arrays, **rule.options
        )
        moved = xp.astype(moved, data.dtype)
        if backend.mutable and data.shape:
            data[...] = moved
        else:
            p._data = moved
    elif (rows := _rows(data, backend.cache_bytes)) and rows < data.shape[0]:
        # Through slices of a few rows each, so that the temporaries of the rule stay in the cache.
        for start in range(0, data.shape[0], rows):
            part = slice(start, start + rows)
            rule.kernel(xp, kept.step, data[part], g[part], *(a[part] for a in kept.arrays), **rule.options)
    else:
        p._data, *kept.arrays = rule.kernel(xp, kept.step, data, g, *kept.arrays, **rule.options)
    if p._data is data:  # it was written in place
        memory.mark(data, memory.next_age())


def _rows(x: Any, budget: int) -> int:
    """How many rows of `x` fill the budget; 0 for all at once."""
    if not budget or not x.shape or x.size * x.itemsize <= budget:
        return 0
    return max(1, int(budget // (x.itemsize * (x.size // x.shape[0]))))


def _fitting(entry: str, value: Any, p: Tensor, i: int) -> Any:
    """`value`, an array of the shape of the i-th parameter `p`, of real numbers."""
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


def _step(key: Any, step: Any, number: int) -> tuple[int, int]:
    """The place of a parameter among `number`, and how many steps it made, of an entry of a state's ``"steps"``."""
    text = str(key)
    if not text.isdecimal():
        raise ValueError(f"load_state_dict: steps has the key {key!r}; keys are the places of parameters: '0', '1', ...")
    if int(text) >= number:
        raise ValueError(f"load_state_dict: the state is of {int(text) + 1} parameters or more, but the optimizer has {number}")
    if isinstance(step, bool) or not hasattr(step, "__index__") or step < 0:
        raise ValueError(f"load_state_dict: parameter {text} has made {step!r} steps; steps are integers, 0 or more")
    return int(text), operator.index(step)


def _count(sizes: Any) -> str:
    total = f"{sum(sizes)} parameters"
    return total if len(sizes) == 1 else f"{total} in groups of {', '.join(map(str, sizes))}"


def _on(value: Any, p: Tensor) -> Any:
    # A new array with these values, of the backend, device and dtype of `p`, or float32 if that is of half precision.
    raw = value._data if isinstance(value, Tensor) else value
    xp = raw_namespace(p._data)
    if raw_namespace(raw) is not xp:
        raw = xp.__backend__.from_numpy(raw_namespace(raw).__backend__.to_numpy(raw), p.device)
    return xp.__backend__.to_device(xp.astype(raw, xp.float32 if half(p._data.dtype) else p._data.dtype), p.device)


class SGD(Optimizer):
    """Gradient descent, with momentum if wanted; see `xgrad.optim.sgd` for the options.

    Examples
    --------
    >>> import xgrad
    >>> p = xgrad.Tensor([1.0, 2.0], requires_grad=True)
    >>> optimizer = xgrad.optim.SGD([p], lr=0.5)
    >>> (p * p).sum().backward()
    >>> optimizer.step()
    >>> p.data.tolist()
    [0.0, 0.0]
    """

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 0.01,
        *,
        momentum: float = 0.0,
        dampening: float = 0.0,
        nesterov: bool = False,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(
            parameters, sgd, lr=lr, momentum=momentum, dampening=dampening, nesterov=nesterov, weight_decay=weight_decay
        )


class Adam(Optimizer):
    """Adam; see `xgrad.optim.adam` for the options."""

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 0.001,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(parameters, adam, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)


class AdamW(Optimizer):
    """Adam with decoupled weight decay; see `xgrad.optim.adamw` for the options."""

    def __init__(
        self,
        parameters: Iterable[Any],
        lr: float = 0.001,
        *,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(parameters, adamw, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
