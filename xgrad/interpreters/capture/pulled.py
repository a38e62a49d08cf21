"""The gradient of a captured function: written down after the function's own calls, it makes a plan of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

from ...backend.protocol import Backend
from ...engine.backward import pullback
from ...engine.call import record
from ...engine.forward import pushforward
from ...errors import GradientError
from ...graph.declare import Op
from ...graph.node import Leaf, Node, node_of
from ...graph.recording import interpreters, recording
from ...graph.walks import ancestors, frontier
from ...tensor.tensor import Tensor
from .arguments import flatten
from .backend import Capture
from .plan import Plan
from .run import call_by_call
from .slots import Slot
from .trace import Call, CannotCapture, Trace, Var

__all__ = ["Pull", "Pulled", "graph_of", "link", "write_down"]


def graph_of(result: Any, start: int = 0) -> list[Tensor]:
    """The Tensors in a result that are in a graph; not those whose graph a `backward` since the age `start` has freed."""
    leaves: list[Any] = []
    flatten(result, leaves)
    found = [x for x in leaves if isinstance(x, Tensor) and x._node is not None and not isinstance(x._node, Leaf)]
    return [
        x for x in found if not start or all(n.saved is not None or n.age < start for n in ancestors([node_of(x)], since=start))
    ]


class Pulled:
    """What came of writing a gradient down.

    Attributes
    ----------
    results : list of Var
        The results that are in the graph.
    cotangents : list of Var
        Theirs.
    sources : list of Leaf or int
        The nodes that they depend on: leaves, and the arguments whose nodes they are.
    gradients : list of Var
        Of the sources.
    own, calls : list of Call
        The calls of the function, and those of the gradient.
    """

    def __init__(self, results: list[Var], calls: list[Call], count: int) -> None:
        self.results = results
        self.cotangents: list[Var] = []
        self.sources: list[Leaf | int] = []
        self.gradients: list[Var] = []
        self.own = [call for k, call in enumerate(calls) if k < count or call.kind == "host"]
        self.calls = [call for call in calls[count:] if call.kind != "host"]

    def plan(self, trace: Trace, base: Backend) -> Plan:
        """The plan of the gradient. Its inputs are the cotangents, and what it needs of the function's variables."""
        part = Trace()
        part.calls = self.calls
        known = dict.fromkeys([var for var, _ in trace.inputs])
        known.update(dict.fromkeys(var for call in self.own for var in call.outs))
        part.inputs = [(var, Slot()) for var in (*known, *self.cotangents)]
        return Plan(part, self.gradients, base)


def write_down(capture: Capture, ys: Sequence[Tensor], passed: Sequence[tuple[int, Tensor, Any]], start: int) -> Pulled:
    """Write down the gradient of `ys`, which were computed since the age `start`, for the leaves and arguments they depend on.

    Raises
    ------
    CannotCapture
        If a rule needs the value of an array, or a tensor of another graph was used.
    """
    trace, count = capture.trace, len(capture.trace.calls)
    lifted = [capture.backend(capture.base).lift(y) for y in ys]
    starts = []
    for y in lifted:
        xp = capture.base.xp
        value = xp.ones(y.shape, dtype=y.dtype, device=capture.base.device(y.value))
        starts.append(capture.traced(value, trace.var("input", y.shape, y.dtype)))
    nodes = frontier([node_of(y) for y in ys], start)
    arguments = {tensor._node: index for index, tensor, _ in passed if tensor._node is not None}
    for node in nodes:
        if node not in arguments and not isinstance(node, Leaf):
            raise CannotCapture("it uses the result of a recorded call from outside, which is no argument")
    cotangents = pullback(ys, starts, inputs=nodes, retain_graph=True)
    pulled = Pulled([y.var for y in lifted], trace.calls, count)
    pulled.cotangents = [g.var for g in starts]
    for node in nodes:
        if node in cotangents:
            pulled.sources.append(arguments.get(node, node))  # type: ignore[arg-type]
            pulled.gradients.append(capture.backend(capture.base).lift(cotangents[node]).var)
    return pulled


class Pull:
    """Runs the plan of a gradient.

    Parameters
    ----------
    plan : Plan
    pulled : Pulled
    make : callable
        Returns an executor of a plan, or None: then it runs call by call. It is called in the second run.
    function : callable
        What was captured.
    changes : str or None
        Why it cannot be called again for the same results.

    Attributes
    ----------
    needed : list of Var
        The arrays of the function that the gradient needs, in the order in which `__call__` takes them.
    """

    def __init__(
        self,
        plan: Plan,
        pulled: Pulled,
        make: Callable[[Plan, list[int | None]], Any],
        function: Callable[..., Any],
        changes: str | None,
    ) -> None:
        self.plan, self.numbers = plan, plan.used_numbers
        self._make, self._function, self._changes = make, function, changes
        places = {var: k for k, var in enumerate(pulled.cotangents)}
        self.needed = [var for var, _ in plan.inputs if var not in places]
        places.update((var, len(pulled.cotangents) + k) for k, var in enumerate(self.needed))
        self._order = [places[var] for var, _ in plan.inputs]
        self._lock = threading.Lock()
        self._runs = 0
        self._executor: Any = None
        self._by_calls = plan.base.whole(call_by_call(plan))

    def __call__(self, cotangents: Sequence[Any], arrays: Sequence[Any], numbers: tuple[Any, ...]) -> tuple[Any, ...]:
        """The gradients, in arrays of their own."""
        known = [*cotangents, *arrays]
        inputs = tuple([known[k] for k in self._order])
        with self._lock:
            self._runs += 1
            if self._runs == 2:
                self._executor = self._make(self.plan, [None] * len(self.plan.outputs))
            if self._executor is None:
                return self._by_calls(inputs, (), numbers)
            return self._in_buffers(self._executor, inputs, numbers)

    def again(self, call: tuple[Any, Any]) -> list[Tensor]:
        """The results that are in the graph, computed uncaptured, for derivatives that the plan cannot give."""
        if self._changes is not None:
            raise GradientError(
                f"jit: higher derivatives and derivatives in other directions need another call of the captured function, which "
                f"{self._changes}; take them inside it, as in xgrad.jit(xgrad.hessian(f)), or call it uncaptured"
            )
        token = interpreters.set(())  # not those of the walk, which may be on a batch of cotangents
        try:
            with recording(True):
                result = self._function(*call[0], **call[1])
        finally:
            interpreters.reset(token)
        return graph_of(result)

    def replace(self, executor: Any) -> None:
        """Use another executor from now on."""
        with self._lock:
            self._executor = executor

    def _in_buffers(self, executor: Any, inputs: tuple[Any, ...], numbers: tuple[Any, ...]) -> tuple[Any, ...]:
        base = self.plan.base
        kept = [base.contiguous(x) for x in inputs]
        for k, x in enumerate(kept):
            executor.bind_input(k, x)
        outs = tuple([base.xp.empty(var.shape, dtype=var.dtype) for var in self.plan.outputs])
        for k, out in enumerate(outs):
            executor.bind_output(k, out)
        executor.run(numbers)
        return outs


def link(
    pull: Pull, data: tuple[Any, ...], nodes: list[Node], arrays: tuple[Any, ...], numbers: tuple[Any, ...], call: tuple[Any, Any]
) -> Any:
    """Tensors around the results of a call, in a graph whose gradient `pull` computes from `arrays` and `numbers`."""
    return record(_CAPTURED, nodes, (None, pull, [*arrays], numbers, nodes, call, None, None), data, arrays)[0]


def _pull(
    xp: Any, g: Any, pull: Pull, arrays: Sequence[Any], numbers: tuple[Any, ...], nodes: list[Node], call: tuple[Any, Any]
) -> list[Any]:
    """The reverse rule of a captured call."""
    if not isinstance(g[0], Tensor):
        return [*pull(g, arrays, numbers)]
    cotangents = pullback(pull.again(call), g, inputs=nodes, create_graph=True)
    return [cotangents[n] if n in cotangents else xp.new_zeros(g[0], n.shape, dtype=n.dtype) for n in nodes]


def _push(t: Any, pull: Pull, nodes: list[Node], call: tuple[Any, Any]) -> tuple[Any, ...]:
    """The forward rule of a captured call."""
    return tuple(pushforward(nodes, t, pull.again(call), create_graph=isinstance(t[0], Tensor)))


_CAPTURED: Op[..., Any] = Op(lambda xp, *inputs, pull, arrays, numbers, nodes, call: inputs)
_CAPTURED.name = "a captured function"
_CAPTURED.vjp(inputs=_pull)
_CAPTURED.jvp(inputs=_push)
