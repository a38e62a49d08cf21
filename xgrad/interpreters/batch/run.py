"""The namespace of batched arrays, and what an op does to them that has no batching rule.

An op without a rule is run as it is written, on this namespace. If it has derivative rules of its own, it nevertheless is
one op in the graph of payloads: the rules for the way back are its own, run on batched arrays too.
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
from .arrays import Batch, Batched, in_graph
from .functions import RULES, elementwise, full

__all__ = ["forward", "namespace"]

FACTS = ("isdtype", "can_cast", "finfo", "iinfo", "e", "inf", "nan", "newaxis", "pi")


def namespace(backend: Any) -> types.ModuleType:
    """The namespace of batched arrays: the functions that have rules, and any other op composed of these."""
    xp = types.ModuleType(f"xgrad.raw.{backend.name}.batched{backend.level}")
    parts = {name: types.ModuleType(f"{xp.__name__}.{name}") for name in ("linalg", "fft", "special")}
    base = backend.base.xp
    facts = [*FACTS, *(dtype.name for dtype in DType._by_name.values())]
    xp.__dict__.update({name: getattr(base, name) for name in facts if hasattr(base, name)})
    xp.__dict__.update(__backend__=backend, **parts)
    for op in registry.values():
        if op.is_own and op.is_elementwise:
            setattr(xp, op.name, elementwise(backend, op))
    for dotted, made in RULES.items():
        part, _, name = dotted.rpartition(".")
        setattr(parts.get(part, xp), name, functools.partial(made, backend))
    parts["linalg"].__dict__.update({name: getattr(xp, name) for name in ("matmul", "tensordot", "vecdot")})
    native = types.ModuleType(f"{xp.__name__}.native")  # what a library would have itself: no compositions
    native.__dict__.update(xp.__dict__)
    xp.__dict__["__native__"] = native
    for module in (xp, *parts.values()):
        module.__getattr__ = functools.partial(_named, backend, module)  # type: ignore[method-assign]
    return xp


# ----------------------------------------------------------------------------------------------------- ops without a rule

_composing: ContextVar[frozenset[tuple[int, str]]] = ContextVar("xgrad_composing", default=frozenset())


def forward(backend: Any, made: Op[..., Any]) -> Callable[..., Any]:
    """What an op does to batched arrays: a function of the namespace and of all its parameters in order."""
    if made.passes_through:
        return made.forward
    if made.is_elementwise or (made.pushes and all(push and push.way == "elementwise" for push in made.pushes)):
        single = elementwise(backend, made)
        return lambda xp, *values: single(*values)
    own = registry.get(made.name) is made
    for name in (made.name, f"linalg.{made.name}", f"fft.{made.name}"):
        if own and name in RULES:
            return _with_keywords(made, functools.partial(RULES[name], backend))
    if made.derivative == "composite":
        return made.forward
    composition = _guarded(backend, made) if own else made.forward
    if made.derivative in ("none", "zero"):
        return _unrecorded(composition)
    return functools.partial(_as_one, backend, made, composition)


def _with_keywords(made: Op[..., Any], run: Callable[..., Any]) -> Callable[..., Any]:
    parameters = list(inspect.signature(made.source).parameters.values())[1:]
    if any(p.kind is p.VAR_POSITIONAL for p in parameters):
        raise TypeError(f"{made.name}: a batching rule takes a sequence of arrays as one argument")
    names = [p.name for p in parameters if p.kind is p.KEYWORD_ONLY]
    count = len(parameters) - len(names)
    return lambda xp, *values: run(*values[:count], **dict(zip(names, values[count:])))


def _unrecorded(composition: Callable[..., Any]) -> Callable[..., Any]:
    def run(xp: Any, *values: Any) -> Any:
        with recording(False):
            return composition(xp, *values)

    return run


def _guarded(backend: Any, made: Op[..., Any]) -> Callable[..., Any]:
    """The op as it is written, unless that leads back to itself: then it is a function of the library."""
    key = (backend.level, made.name)

    def run(xp: Any, *values: Any) -> Any:
        outer = _composing.get()
        if key in outer:
            raise NotBatchable(made.name, "no batching rule says what it does to an array with a batch axis")
        token = _composing.set(outer | {key})
        try:
            return made.forward(xp, *values)
        except (NoValue, TypeError) as error:
            if not isinstance(error, NoValue) and backend.cls.__name__ not in str(error):
                raise
            raise NotBatchable(made.name, "it computes with the values of its arguments outside of xgrad's functions") from error
        finally:
            _composing.reset(token)

    return run


def _as_one(backend: Any, made: Op[..., Any], composition: Callable[..., Any], xp: Any, *values: Any) -> Any:
    """An op with derivative rules of its own, written as a composition of others: in the graph of payloads it is one op.

    Its own rules know what the composition does not: how ties are shared, what is finite where parts are not.
    """
    given = values[made.arrays[0]] if made.sequence else [values[i] for i in made.arrays]
    items = [backend.lift(v) if hasattr(v, "dtype") else v for v in given]
    tracked = tuple(isinstance(x, Batched) and in_graph(x.payload) for x in items)
    if not any(tracked) or not mode.get():
        return composition(xp, *values)
    wanted, tracked = tracked, (True,) if made.sequence else tracked
    save = made.savers.get(tracked) or made.saver(tracked)
    call = _Call(backend, made, composition, list(values), items, [made.sequence or w for w in wanted], save)
    return call.result(_ONE.call([x.payload for x in items if isinstance(x, Batched)], call))


class _Call:
    """One call of an op on batched arrays as an op on their payloads."""

    def __init__(
        self,
        backend: Any,
        made: Op[..., Any],
        composition: Callable[..., Any],
        values: list[Any],
        items: list[Any],
        wanted: list[bool],
        save: Callable[..., tuple[Any, ...]],
    ) -> None:
        self.backend, self.made, self.composition, self.values, self.items = backend, made, composition, values, items
        self.wanted, self.save = wanted, save  # which items want a cotangent, and a function that keeps what their rules need
        self.batches: list[Batch | None] = []  # those of the outputs
        self.kind: Any = None  # the type of the container of several outputs

    def parameters(self, payloads: Sequence[Any]) -> tuple[list[Any], list[Any]]:
        """All parameters of the op, and the arrays among them, made of these payloads."""
        rest, values = iter(payloads), list(self.values)
        items = [self.backend.cls(_tensor(next(rest)), x.batch) if isinstance(x, Batched) else x for x in self.items]
        put(self.made, values, items)
        return values, items

    def run(self, payloads: Sequence[Any]) -> tuple[Any, ...]:
        y = self.composition(self.backend.xp, *self.parameters(payloads)[0])
        self.kind = type(y) if isinstance(y, (tuple, list)) else None
        outputs = [self.backend.lift(v) for v in (y if self.kind else [y])]
        self.batches = [v.batch for v in outputs]
        return tuple(v.payload._data for v in outputs)

    def result(self, payloads: Sequence[Any]) -> Any:
        outputs = [self.backend.cls(_tensor(v), batch) for v, batch in zip(payloads, self.batches)]
        if self.kind is None:
            return outputs[0]
        return self.kind(*outputs) if hasattr(self.kind, "_fields") else self.kind(outputs)

    def pull(self, g: Sequence[Any], payloads: Sequence[Any], y: Sequence[Any]) -> list[Any]:
        xp, made = self.backend.xp, self.made
        values, items = self.parameters(payloads)
        outputs, cotangents = self.result(y), self.result(g)
        cotangents = tuple(cotangents) if self.kind else cotangents
        saved, conj = self.save(*values, outputs), None
        if made.conjugates and xp.isdtype(outputs.dtype, "complex floating"):
            conj, cotangents = xp.conj, xp.conj(cotangents)
        found: list[Any] = []
        pairs = item_rules(made, items, xp, cotangents, saved) if made.sequence else zip(items, made.rules)
        for (item, rule), wanted in zip(pairs, self.wanted):
            if not isinstance(item, Batched):
                continue
            if rule is None or not wanted or not self.backend.dtype_of(item.dtype).inexact:
                found.append(None)
                continue
            d = rule(xp, cotangents, saved)
            d = d if conj is None else conj(d)
            if d.shape != item.shape or d.dtype != item.dtype:
                d = fit(xp, d, item)
            payload = full(d, item.batch)
            if item.batch is None and d.batch is not None:
                payload = ops.sum(payload, axis=0)
            found.append(payload if isinstance(g[0], Tensor) else payload._data)
        return found


def _tensor(x: Any) -> Tensor:
    return x if isinstance(x, Tensor) else wrap(x)


def _one(xp: Any, payloads: Sequence[ArrayLike], call: Any) -> tuple[Tensor, ...]:
    return call.run(payloads)  # type: ignore[no-any-return]


_ONE: Op[..., Any] = Op(_one)
_ONE.name = "batched"
_ONE.vjp(payloads=lambda g, payloads, y, call: call.pull(g, payloads, y))
_ONE.call = general_call(_ONE)


def _named(backend: Any, module: types.ModuleType, name: str) -> Any:
    """An op as a function of the namespace, looked up for the first time."""
    if name not in registry:
        raise AttributeError(f"{module.__name__} has no {name!r}")
    made = registry[name]
    run, signature = backend.run(made), inspect.signature(made.source)

    def function(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(backend.xp, *args, **kwargs)
        bound.apply_defaults()
        return run(*bound.arguments.values())

    setattr(module, name, function)
    return function
