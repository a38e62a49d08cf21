"""A call, within `vmap`, of a function with a derivative rule of its own: as one call on the whole batch, by the same rule.

Gradients from outside of the batch go through the graph of payloads (see `xgrad.interpreters.batch`). There the function must be one
node too, with its own rule, or else they would go through its parts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .. import ops
from ..backend.find import inexact, raw_namespace
from ..graph.recording import interpreters
from ..interpreters.batch.arrays import Batched, in_graph
from ..tensor.tensor import Tensor, wrap
from ..tree import Structure, flatten

__all__ = ["Lowered", "is_lowered", "level"]


def level(args: Sequence[Any]) -> tuple[Any, ...]:
    """The arguments with all of their tensors in the same batch."""
    parts = [flatten(arg) for arg in args]
    backends = [raw_namespace(x._data).__backend__ for leaves, _ in parts for x in leaves if isinstance(x, Tensor)]
    deepest = max(backends, key=lambda backend: backend.level, default=None)
    if deepest is None or not deepest.level:
        return tuple(args)

    def inside(x: Any) -> Any:
        lower = isinstance(x, Tensor) and raw_namespace(x._data).__backend__.level < deepest.level
        return wrap(deepest.lift(x)) if lower else x

    return tuple(structure.unflatten(map(inside, leaves)) for leaves, structure in parts)


def is_lowered(args: Sequence[Any]) -> bool:
    """Whether a tensor among the arguments has a graph inside."""
    return any(isinstance(x, Tensor) and in_graph(wrap(x._data)) for arg in args for x in flatten(arg)[0])


class Lowered:
    """One such call. The payloads of its floating arguments are the arguments of the call on the batch."""

    def __init__(self, function: Any, args: Sequence[Any]) -> None:
        parts = [flatten(arg) for arg in args]
        self.function = function
        self.structures = [structure for _, structure in parts]
        self.leaves = [x for leaves, _ in parts for x in leaves]
        self.at = [k for k, x in enumerate(self.leaves) if isinstance(x, Tensor) and inexact(x._data)]
        self.cls: type[Batched] = type(self.leaves[self.at[0]]._data)
        self.active = interpreters.get()[: self.cls.backend.level]
        self.batch = self.active[-1]
        self.result: Structure  # that of the result, its leaves, and which of them are floating
        self.outputs: list[Any] = []
        self.floating: list[int] = []

    def __call__(self) -> Any:
        on_batch = type(self.function)(self.run)
        on_batch.name = on_batch.op.name = self.function.name
        self.function.lower(on_batch, self)
        token = interpreters.set(self.active[:-1])
        try:
            found = on_batch(*(self.leaves[k]._data.payload for k in self.at))
        finally:
            interpreters.reset(token)
        return self.given_back(found)

    @contextmanager
    def within(self) -> Iterator[None]:
        token = interpreters.set(self.active)
        try:
            yield
        finally:
            interpreters.reset(token)

    def arguments(self, payloads: Sequence[Any], leaves: Sequence[Any] | None = None) -> tuple[Any, ...]:
        """The arguments, of these payloads and else of `leaves`."""
        made = list(self.leaves if leaves is None else leaves)
        for k, payload in zip(self.at, payloads):
            made[k] = wrap(self.cls(payload, self.leaves[k]._data.batch))
        out, at = [], 0
        for structure in self.structures:
            out.append(structure.unflatten(made[at : at + len(structure.paths)]))
            at += len(structure.paths)
        return tuple(out)

    def payloads(self, leaves: Sequence[Any]) -> tuple[Tensor, ...]:
        """What is inside of tensors, with the axis of the batch."""
        data = (x._data if isinstance(x, Tensor) and isinstance(x._data, self.cls) else x for x in leaves)
        return tuple(_full(self.cls.backend.lift(x), self.batch) for x in data)

    def taken(self, result: Any) -> tuple[Tensor, ...]:
        """The payloads of the floating outputs."""
        self.outputs, self.result = flatten(result)
        arrays = [x._data if isinstance(x, Tensor) else x for x in self.outputs]
        self.floating = [k for k, x in enumerate(arrays) if hasattr(x, "dtype") and inexact(x)]
        return self.payloads([self.outputs[k] for k in self.floating])

    def given_back(self, payloads: Sequence[Tensor], others: Sequence[Any] | None = None) -> Any:
        """The result, of payloads, and of `others` for what is not floating."""
        leaves = list(self.outputs if others is None else others)
        for k, payload in zip(self.floating, payloads):
            leaves[k] = wrap(self.cls(payload, self.batch))
        return self.result.unflatten(leaves)

    # The function on the batch, and its rules.

    def run(self, *payloads: Any) -> Any:
        with self.within():
            return self.taken(self.function.f(*self.arguments(payloads)))

    def forward(self, *payloads: Any) -> Any:
        """What `fwd` of a `custom_vjp` is on the batch."""
        with self.within():
            result, residuals = self.function._pair(self.function.fwd(*self.arguments(payloads)))
            leaves, self.residuals = flatten(residuals)
            arrays = [x._data if isinstance(x, Tensor) else x for x in leaves]
            self.kept = [(x.batch,) if isinstance(x, self.cls) else None for x in arrays]
            return self.taken(result), [x.payload if isinstance(x, self.cls) else leaf for x, leaf in zip(arrays, leaves)]

    def backward(self, residuals: Any, cotangents: Any) -> tuple[Any, ...]:
        """What `bwd` is on the batch."""
        leaves = [wrap(self.cls(x, kept[0])) if kept else x for x, kept in zip(residuals, self.kept)]
        with self.within():
            g = self.given_back(cotangents, [None] * len(self.outputs))
            found = self.function.bwd(self.residuals.unflatten(leaves), g)
            parts: list[Any] = []
            for part, structure in zip(found, self.structures):
                parts += structure.flatten_up_to(part, f"{self.function.name}: bwd's cotangent")
            return tuple(self.summed(parts[k], self.leaves[k]._data) for k in self.at)

    def summed(self, d: Any, x: Batched) -> Any:
        """The payload of the cotangent of `x`: the sum over the batch, if `x` is the same for all."""
        if d is None:
            return None
        (payload,) = self.payloads([d])
        return payload if x.batch is not None else ops.sum(payload, axis=0)

    def pushed(self, primals: Any, tangents: Any) -> Any:
        """What the rule of a `custom_jvp` is on the batch."""
        with self.within():
            still = [self.function.no_change(x) for x in self.leaves]
            result, change = self.function.rule(self.arguments(primals), self.arguments(tangents, still))
            made = self.taken(result)
            parts = self.result.flatten_up_to(change, f"{self.function.name}: the tangent that its rule returned")
            return made, self.payloads([ops.zeros_like(self.outputs[k]) if parts[k] is None else parts[k] for k in self.floating])


def _full(x: Batched, batch: Any) -> Tensor:
    return x.payload if x.batch is not None else ops.broadcast_to(x.payload, (batch.size, *x.shape))
