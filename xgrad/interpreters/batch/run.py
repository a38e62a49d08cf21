"""The namespace of batched arrays, and what ops without a batching rule do to them.

An op without a batching rule runs its forward, as it is written, on this namespace. If it has derivative rules, it is still one
op in the graph of the payloads: the reverse pass through the payloads runs its own rules, on batched arrays.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from typing import Any

from ... import ops
from ...backend.dtypes import DType
from ...engine.arguments import put
from ...engine.backward import fit, item_rules
from ...engine.call import general_call
from ...errors import NotBatchable, NoValue
from ...graph.declare import Op
from ...graph.names import registry
from ...graph.recording import mode, recording
from ...tensor.tensor import ArrayLike, Tensor, wrap
from ..interpreter import FACTS, LiftedBackend, in_graph
from . import indexing  # noqa: F401  (registers the rules of indexing and searching)
from .arrays import Axis, Batched
from .functions import elementwise
from .payloads import RULES, with_batch

__all__ = ["forward", "namespace"]


def namespace(backend: LiftedBackend) -> types.ModuleType:
    """The namespace of batched arrays: the functions with batching rules, and any other op when it is first looked up."""
    xp = types.ModuleType(f"xgrad.raw.{backend.name}.batched{backend.level}")
    parts = {name: types.ModuleType(f"{xp.__name__}.{name}") for name in ("linalg", "fft", "special")}
    base = backend.base.xp
    facts = [*FACTS, *(dtype.name for dtype in DType._by_name.values())]
    xp.__dict__.update({name: getattr(base, name) for name in facts if hasattr(base, name)})
    xp.__dict__.update(__backend__=backend, **parts)
    for op in registry.values():
        if op.is_own and op.is_elementwise:
            setattr(xp, op.name, elementwise(backend, op))
    for dotted, rule in RULES.items():
        part, _, name = dotted.rpartition(".")
        setattr(parts.get(part, xp), name, functools.partial(rule, backend))
    parts["linalg"].__dict__.update({name: getattr(xp, name) for name in ("matmul", "tensordot", "vecdot")})
    native = types.ModuleType(f"{xp.__name__}.native")  # stands for the library's own functions: no compositions
    native.__dict__.update(xp.__dict__)
    xp.__dict__["__native__"] = native
    for module in (xp, *parts.values()):
        module.__getattr__ = functools.partial(_look_up, backend, module)  # type: ignore[method-assign]
    return xp


def _look_up(backend: LiftedBackend, module: types.ModuleType, name: str) -> Any:
    """An op as a function of the namespace, which has it from then on."""
    if name not in registry:
        raise AttributeError(f"{module.__name__} has no {name!r}")
    op = registry[name]
    run, signature = backend.run(op), inspect.signature(op.source)

    def function(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(backend.xp, *args, **kwargs)
        bound.apply_defaults()
        return run(*bound.arguments.values())

    setattr(module, name, function)
    return function


def forward(backend: LiftedBackend, op: Op[..., Any]) -> Callable[..., Any]:
    """What an op does to batched arrays: a function of the namespace and of all its parameters in order."""
    if op.passes_through:
        return op.forward
    if op.is_elementwise or (op.pushes and all(push and push.way == "elementwise" for push in op.pushes)):
        function = elementwise(backend, op)
        return lambda xp, *values: function(*values)
    registered = registry.get(op.name) is op
    for name in (op.name, f"linalg.{op.name}", f"fft.{op.name}"):
        if registered and name in RULES:
            return _by_position(op, functools.partial(RULES[name], backend))
    if op.derivative == "composite":
        return op.forward
    composition = _composition(backend, op) if registered else op.forward
    if op.derivative in ("none", "zero"):
        return _unrecorded(composition)
    return functools.partial(_as_one_op, backend, op, composition)


def _by_position(op: Op[..., Any], rule: Callable[..., Any]) -> Callable[..., Any]:
    """A batching rule as a function of the namespace and of all parameters of the op in order."""
    parameters = list(inspect.signature(op.source).parameters.values())[1:]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        raise TypeError(f"{op.name}: a batching rule takes a sequence of arrays as one argument")
    names = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    count = len(parameters) - len(names)
    return lambda xp, *values: rule(*values[:count], **dict(zip(names, values[count:])))


def _unrecorded(composition: Callable[..., Any]) -> Callable[..., Any]:
    def run(xp: Any, *values: Any) -> Any:
        with recording(False):
            return composition(xp, *values)

    return run


_composing: ContextVar[frozenset[tuple[int, str]]] = ContextVar("xgrad_composing", default=frozenset())
"""The ops whose forwards run on batched arrays now, each with its level."""


def _composition(backend: LiftedBackend, op: Op[..., Any]) -> Callable[..., Any]:
    """The forward of an op. A forward that calls the op itself stands for the library's own function, and is refused."""
    key = (backend.level, op.name)

    def run(xp: Any, *values: Any) -> Any:
        outer = _composing.get()
        if key in outer:
            raise NotBatchable(op.name, "no batching rule says what it does to an array with a batch axis")
        token = _composing.set(outer | {key})
        try:
            return op.forward(xp, *values)
        except (NoValue, TypeError) as error:
            if not isinstance(error, NoValue) and backend.cls.__name__ not in str(error):
                raise
            raise NotBatchable(op.name, "it computes with the values of its arguments outside of xgrad's functions") from error
        finally:
            _composing.reset(token)

    return run


# -------------------------------------------------------------------------------------- ops with derivative rules of their own


def _as_one_op(backend: LiftedBackend, op: Op[..., Any], composition: Callable[..., Any], xp: Any, *values: Any) -> Any:
    """Call `composition`, recorded as one op in the graph of the payloads.

    The op's own rules know more than those of the composition: how ties share a gradient, what is finite where parts are not.
    """
    arguments = values[op.arrays[0]] if op.sequence else [values[i] for i in op.arrays]
    items = [backend.lift(v) if hasattr(v, "dtype") else v for v in arguments]
    wanted = [isinstance(x, Batched) and in_graph(x.payload) for x in items]
    if not any(wanted) or not mode.get():
        return composition(xp, *values)
    call = _Call(backend, op, composition, list(values), items, wanted)
    return call.result(_BATCHED.call([x.payload for x in items if isinstance(x, Batched)], call))


class _Call:
    """One call of an op on batched arrays, as an op on their payloads.

    Parameters
    ----------
    backend : LiftedBackend
        The backend of the arrays.
    op : Op
        The op.
    composition : callable
        What runs on the namespace.
    values : list
        All parameters of the op.
    items : list
        The array arguments among them, batched or Python scalars.
    wanted : list of bool
        Which of those have a graph, so that their cotangents are needed.
    """

    def __init__(
        self,
        backend: LiftedBackend,
        op: Op[..., Any],
        composition: Callable[..., Any],
        values: list[Any],
        items: list[Any],
        wanted: list[bool],
    ) -> None:
        self.backend, self.op, self.composition, self.values, self.items = backend, op, composition, values, items
        self.wanted = [True] * len(wanted) if op.sequence else wanted
        tracked = (True,) if op.sequence else tuple(wanted)
        self.save = op.savers.get(tracked) or op.saver(tracked)
        self.batches: list[Axis | None] = []  # those of the outputs
        self.container: Any = None  # the type of the container of several outputs

    def parameters(self, payloads: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """All parameters of the op, and the arrays among them, with these payloads."""
        rest, values = iter(payloads), list(self.values)
        items = [self.backend.cls(_tensor(next(rest)), x.batch) if isinstance(x, Batched) else x for x in self.items]
        put(self.op, values, items)
        return values, items

    def run(self, payloads: Sequence[Any]) -> tuple[Any, ...]:
        """The payloads of the outputs, as raw arrays."""
        y = self.composition(self.backend.xp, *self.parameters(payloads)[0])
        self.container = type(y) if isinstance(y, (tuple, list)) else None
        outputs = [self.backend.lift(v) for v in (y if self.container else [y])]
        self.batches = [v.batch for v in outputs]
        return tuple(v.payload._data for v in outputs)

    def result(self, payloads: Sequence[Any]) -> Any:
        """What the op returned, with these payloads."""
        outputs = [self.backend.cls(_tensor(v), batch) for v, batch in zip(payloads, self.batches)]
        if self.container is None:
            return outputs[0]
        return self.container(*outputs) if hasattr(self.container, "_fields") else self.container(outputs)

    def pull(self, g: Sequence[Any], payloads: Sequence[Any], y: Sequence[Any]) -> list[Any]:
        """The cotangents of `payloads`, given those of the outputs `y`, by the op's own rules."""
        xp, op = self.backend.xp, self.op
        values, items = self.parameters(payloads)
        outputs, cotangents = self.result(y), self.result(g)
        cotangents = tuple(cotangents) if self.container else cotangents
        saved, conj = self.save(*values, outputs), None
        if op.conjugates and xp.isdtype(outputs.dtype, "complex floating"):
            conj, cotangents = xp.conj, xp.conj(cotangents)
        result: list[Any] = []
        pairs = item_rules(op, items, xp, cotangents, saved) if op.sequence else zip(items, op.rules)
        for (item, rule), wanted in zip(pairs, self.wanted):
            if not isinstance(item, Batched):
                continue
            if rule is None or not wanted or not self.backend.dtype_of(item.dtype).inexact:
                result.append(None)
                continue
            d = rule(xp, cotangents, saved)
            d = d if conj is None else conj(d)
            if d.shape != item.shape or d.dtype != item.dtype:
                d = fit(xp, d, item)
            payload = with_batch(d, item.batch)
            if item.batch is None and d.batch is not None:
                payload = ops.sum(payload, axis=0)
            result.append(payload if isinstance(g[0], Tensor) else payload._data)
        return result


def _tensor(x: Any) -> Tensor:
    return x if isinstance(x, Tensor) else wrap(x)


def batched(xp: Any, payloads: Sequence[ArrayLike], call: _Call) -> tuple[Tensor, ...]:
    return call.run(payloads)


_BATCHED: Op[..., Any] = Op(batched)  # not in the registry: it is no function of a namespace
_BATCHED.vjp(payloads=lambda g, payloads, y, call: call.pull(g, payloads, y))
_BATCHED.call = general_call(_BATCHED)
