"""A call of a `custom_vjp` or `custom_jvp` function within `vmap`, made as one call on the whole batch.

A gradient taken outside the vmap goes through the graph of the payloads (see `xgrad.interpreters.batch`). There too the function
must be one node with its own rule, or the gradient would go through the ops that it is made of.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .. import ops
from ..backend.find import inexact, raw_namespace
from ..graph.recording import interpreters
from ..interpreters.batch.arrays import Batched
from ..interpreters.batch.payloads import with_batch
from ..interpreters.interpreter import in_graph
from ..tensor.tensor import Tensor, wrap
from ..tree import Structure, flatten
from .call import nested

__all__ = ["CallOnBatch", "has_inner_graph", "lift_to_same_level"]


def lift_to_same_level(args: Sequence[Any]) -> tuple[Any, ...]:
    """The arguments with all of their Tensors lifted to the level of the highest."""
    parts = [flatten(arg) for arg in args]
    backends = [raw_namespace(x._data).__backend__ for leaves, _ in parts for x in leaves if isinstance(x, Tensor)]
    highest = max(backends, key=lambda backend: backend.level, default=None)
    if highest is None or not highest.level:
        return tuple(args)

    def lift(x: Any) -> Any:
        lower = isinstance(x, Tensor) and raw_namespace(x._data).__backend__.level < highest.level
        return wrap(highest.lift(x), None if highest.graph_inside else x._node) if lower else x

    return tuple(structure.unflatten(map(lift, leaves)) for leaves, structure in parts)


def has_inner_graph(args: Sequence[Any]) -> bool:
    """Whether the payload of a batched Tensor among the arguments is part of a graph."""
    arrays = (x._data for arg in args for x in flatten(arg)[0] if isinstance(x, Tensor))
    return any(isinstance(x, Batched) and in_graph(x.payload) for x in arrays)


class CallOnBatch:
    """A call of a custom function on batched arguments, as a call of another custom function on their payloads.

    That function calls the first one on Tensors batched again, with the interpreters that were active, and has its rules.

    Attributes
    ----------
    leaves, structures : list
        The arrays in the arguments, and how they are nested.
    inputs : list of int
        The indices of the floating Tensors among `leaves`: their payloads are the arguments of the other function.
    outputs, result, floating
        The arrays in the result, its structure, and the indices of the floating ones; set when the function has run.
    """

    def __init__(self, function: Any, args: Sequence[Any]) -> None:
        parts = [flatten(arg) for arg in args]
        self.function = function
        self.structures = [structure for _, structure in parts]
        self.leaves = [x for leaves, _ in parts for x in leaves]
        self.inputs = [k for k, x in enumerate(self.leaves) if isinstance(x, Tensor) and inexact(x._data)]
        self.cls: type[Batched] = type(self.leaves[self.inputs[0]]._data)
        self.active = interpreters.get()[: self.cls.backend.level]
        self.batch = self.active[-1]
        self.result: Structure
        self.outputs: list[Any] = []
        self.floating: list[int] = []

    def __call__(self) -> Any:
        on_batch = type(self.function)(self.run)
        on_batch.name = on_batch.op.name = self.function.name
        self.function.declare_on_batch(on_batch, self)
        token = interpreters.set(self.active[:-1])
        try:
            payloads = on_batch(*(self.leaves[k]._data.payload for k in self.inputs))
        finally:
            interpreters.reset(token)
        return self.as_result(payloads)

    @contextmanager
    def inside_batch(self) -> Iterator[None]:
        """Run the body with the interpreters that were active at the call."""
        token = interpreters.set(self.active)
        try:
            yield
        finally:
            interpreters.reset(token)

    def arguments(self, payloads: Sequence[Any], leaves: Sequence[Any] | None = None) -> tuple[Any, ...]:
        """The arguments of the function, batched again; `leaves` are used for what is not floating."""
        filled = list(self.leaves if leaves is None else leaves)
        for k, payload in zip(self.inputs, payloads):
            filled[k] = wrap(self.cls(payload, self.leaves[k]._data.batch))
        return tuple(nested(self.structures, filled))

    def payloads(self, leaves: Sequence[Any]) -> tuple[Tensor, ...]:
        """The payloads of arrays, all with the batch axis."""
        arrays = (x._data if isinstance(x, Tensor) and isinstance(x._data, self.cls) else x for x in leaves)
        return tuple(with_batch(self.cls.backend.lift(x), self.batch) for x in arrays)

    def take_apart(self, result: Any) -> tuple[Tensor, ...]:
        """The payloads of the floating arrays in the result of the function; `as_result` puts it together again."""
        self.outputs, self.result = flatten(result)
        arrays = [x._data if isinstance(x, Tensor) else x for x in self.outputs]
        self.floating = [k for k, x in enumerate(arrays) if hasattr(x, "dtype") and inexact(x)]
        return self.payloads([self.outputs[k] for k in self.floating])

    def as_result(self, payloads: Sequence[Tensor], others: Sequence[Any] | None = None) -> Any:
        """The result with batched Tensors around `payloads`; `others` are used for what is not floating."""
        leaves = list(self.outputs if others is None else others)
        for k, payload in zip(self.floating, payloads):
            leaves[k] = wrap(self.cls(payload, self.batch))
        return self.result.unflatten(leaves)

    # The function on payloads, and its rules.

    def run(self, *payloads: Any) -> Any:
        """The function itself."""
        with self.inside_batch():
            return self.take_apart(self.function.f(*self.arguments(payloads)))

    def forward(self, *payloads: Any) -> Any:
        """The `fwd` of a `custom_vjp`."""
        with self.inside_batch():
            result, residuals = self.function.check_pair(self.function.fwd(*self.arguments(payloads)))
            leaves, self.residuals = flatten(residuals)
            arrays = [x._data if isinstance(x, Tensor) else x for x in leaves]
            self.batches = [(x.batch,) if isinstance(x, self.cls) else None for x in arrays]  # of the batched residuals
            saved = [x.payload if isinstance(x, self.cls) else leaf for x, leaf in zip(arrays, leaves)]
            return self.take_apart(result), saved

    def backward(self, residuals: Any, cotangents: Any) -> tuple[Any, ...]:
        """The `bwd` of a `custom_vjp`."""
        leaves = [wrap(self.cls(x, batch[0])) if batch else x for x, batch in zip(residuals, self.batches)]
        with self.inside_batch():
            g = self.as_result(cotangents, [None] * len(self.outputs))
            returned = self.function.bwd(self.residuals.unflatten(leaves), g)
            parts: list[Any] = []
            for part, structure in zip(returned, self.structures):
                parts += structure.flatten_up_to(part, f"{self.function.name}: bwd's cotangent")
            return tuple(self._cotangent(parts[k], self.leaves[k]._data) for k in self.inputs)

    def _cotangent(self, d: Any, x: Batched) -> Any:
        """The payload of `d`, the cotangent of `x`, summed over the batch if `x` is the same for every example."""
        if d is None:
            return None
        (payload,) = self.payloads([d])
        return payload if x.batch is not None else ops.sum(payload, axis=0)

    def push(self, primals: Any, tangents: Any) -> Any:
        """The rule of a `custom_jvp`."""
        with self.inside_batch():
            fixed = [self.function.zero_tangent(x) for x in self.leaves]
            result, tangent = self.function.rule(self.arguments(primals), self.arguments(tangents, fixed))
            values = self.take_apart(result)
            parts = self.result.flatten_up_to(tangent, f"{self.function.name}: the tangent that its rule returned")
            filled = [ops.zeros_like(self.outputs[k]) if parts[k] is None else parts[k] for k in self.floating]
            return values, self.payloads(filled)
