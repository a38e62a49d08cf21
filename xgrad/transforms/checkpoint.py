"""`checkpoint`: forget what lies between, and compute it again on the way back."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .. import random
from ..backend.dtypes import dtype_of
from ..backend.find import inexact, raw_namespace
from ..engine.backward import pullback
from ..engine.call import class_of, record
from ..engine.forward import pushforward
from ..errors import GradientError
from ..graph import memory
from ..graph.declare import Op
from ..graph.node import Leaf, Node, node_of
from ..graph.recording import interpreters, mode, recording
from ..graph.walks import ancestors, frontier
from ..tensor.tensor import Tensor, wrap
from ..tree import Structure, flatten
from .call import called
from .state import Change, State, carry_over, modules_in, undone
from .transformed import Transformed

__all__ = ["checkpoint"]


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, of which a graph keeps the arguments only: the backward pass computes the rest again.

    Parameters
    ----------
    f : callable
        A function of Tensors that returns Tensors (or containers of them), and returns the same when it is called again.
        Random numbers of `xgrad.random` are drawn again as they were, and other threads that draw are not disturbed. What a
        call changes in a module, such as a running mean, is changed once: the second call begins where the first did, and
        is undone. It may use other tensors that require grad, such as the parameters of a model. Checkpoints nest.

    Returns
    -------
    callable
        Takes and returns what `f` does, with the same gradients of any order.

    Raises
    ------
    GradientError
        On the way back, if an argument or a parameter was written to or given other values in between; or if `f` was not the
        same when it was called again: if it called other ops, used other numbers, or returned others, up to rounding. The
        message says which. Numbers of NumPy's generators, counters, and arrays that were written to in between do so.

    Notes
    -----
    Memory falls to what one segment needs, for about one more forward pass: with a net of n layers in segments of sqrt(n)
    it grows as sqrt(n) (Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016).

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.Tensor([1.0, 2.0], requires_grad=True)
    >>> xgrad.checkpoint(lambda x: xgrad.exp(xgrad.sin(x)))(x).sum().backward()
    >>> bool(xgrad.all(x.grad == xgrad.cos(x.detach()) * xgrad.exp(xgrad.sin(x.detach()))))
    True
    """

    return _Checkpoint(called("checkpoint", f))


class _Checkpoint(Transformed):
    what = "checkpoint"

    def __call__(self, *args: Any, **options: Any) -> Any:
        if not mode.get():
            return self.f(*args, **options)
        leaves, given = flatten([*args, *options.values()])
        segment = _Segment(self.f, given, leaves, len(args), tuple(options))
        arrays = [x._data for x in leaves if isinstance(x, Tensor)]
        start = memory.next_age()
        result = segment.first(arrays, [*args, *options.values()])
        ys, structure = flatten(result)
        segment.at = [k for k, y in enumerate(ys) if isinstance(y, Tensor) and y._node is not None and inexact(y._data)]
        segment.outside = frontier([node_of(ys[k]) for k in segment.at], start)
        if not segment.outside:
            return result
        captured = [owner._data for owner in segment.captured()]
        data = [ys[k]._data for k in segment.at]
        segment.facts = [(v.shape, v.dtype) for v in data]
        segment.paths = [structure.paths[k] for k in segment.at]
        segment.steps = steps([ys[k] for k in segment.at], start)
        segment.prints = [Print(v) for v in data]
        saved = (None, segment, [*arrays, *captured], None, None)
        for k, y in zip(segment.at, record(_CHECKPOINT, segment.outside, saved, tuple(data), arrays, class_of(leaves))[0]):
            ys[k] = y
        return structure.unflatten(ys)


class _Segment:
    """What is needed to call a checkpointed function again, but for the arrays that it was called on."""

    at: list[int]  # which leaves of the result are in the graph
    facts: list[Any]  # their shapes and dtypes
    outside: list[Node]  # the nodes from before the call that they depend on
    paths: list[str]  # where they stand in the result
    steps: list[Step]  # the calls that they were made by
    prints: list[Print]  # their values
    changes: list[Change]  # what the first call changed in modules, as it was before

    def __init__(self, f: Callable[..., Any], given: Structure, leaves: list[Any], count: int, names: tuple[str, ...]) -> None:
        self.f, self.given, self.count, self.names = f, given, count, names
        self.places = [(k, x._node, type(x)) for k, x in enumerate(leaves) if isinstance(x, Tensor)]
        self.leaves = [None if isinstance(x, Tensor) else x for x in leaves]
        self.state, self.draws, self.batches = random.get_state(), random.Draws(), interpreters.get()

    def first(self, arrays: Sequence[Any], given: Sequence[Any]) -> Any:
        """Call the function for the first time; `given` are the arguments as a user gave them."""
        modules, among = modules_in(self.f, given), modules_in(None, given)
        before, originals = State(modules), State(among)
        leaves = self._leaves(arrays)
        args = self.given.unflatten(leaves)
        copies = State(modules_in(None, args))
        with self.draws.noted():
            result = self._call(args)
        carry_over(originals, copies)
        self.changes = before.changes()
        return result

    def run(self, arrays: Sequence[Any]) -> Any:
        """Call the function on its arguments, the tensors among them made of `arrays`."""
        return self._call(self.given.unflatten(self._leaves(arrays)))

    def _leaves(self, arrays: Sequence[Any]) -> list[Any]:
        leaves = list(self.leaves)
        for (k, node, cls), array in zip(self.places, arrays):
            leaves[k] = wrap(array, node, cls)
        return leaves

    def _call(self, args: Sequence[Any]) -> Any:
        return self.f(*args[: self.count], **dict(zip(self.names, args[self.count :])))

    def captured(self) -> list[Tensor]:
        """The leaves that the function uses though they are no arguments."""
        given = {node for _, node, _ in self.places}
        owners = [node.owner() for node in self.outside if isinstance(node, Leaf) and node not in given]
        return [owner for owner in owners if owner is not None]

    def replay(self, arrays: Sequence[Any]) -> list[Tensor]:
        """The results that are in the graph, computed and recorded again."""
        name = getattr(self.f, "__name__", "the function")
        arrays, captured = arrays[: len(self.places)], arrays[len(self.places) :]
        if any(owner._data is not array for owner, array in zip(self.captured(), captured)):
            raise GradientError(
                f"checkpoint: a tensor that {name} uses was given other values after the call, so the gradient would be wrong; "
                "call backward before, or change a copy"
            )
        start = memory.next_age()
        token = interpreters.set(self.batches)  # a walk back may be that of a batch of cotangents; the call was none
        try:
            with random.replaying(self.state), self.draws.repeated(), undone(self.changes), recording(mode.get() or True):
                results = self._results(flatten(self.run(arrays))[0])
        finally:
            interpreters.reset(token)
        facts = [(y.shape, y._data.dtype) for y in results]
        if facts != self.facts:
            told = ""
            if len(facts) == len(self.facts):
                k = next(k for k, fact in enumerate(facts) if fact != self.facts[k])
                told = f": its result{self.paths[k]} is {_in_words(facts[k])}, and was {_in_words(self.facts[k])}"
            raise GradientError(
                f"checkpoint: {name} returned something else when it was called again with the same arguments{told}"
            )
        outside = frontier([y._node for y in results if y._node is not None], start)
        if changed := set(outside) ^ set(self.outside):
            node = changed.pop()
            raise GradientError(
                f"checkpoint: {name} used other tensors that require grad when it was called again with the same arguments "
                f"({node.name} at {node.line} was used once, but not both times), so the gradient would be wrong"
            )
        if difference := self._difference(steps(results, start), results):
            raise GradientError(
                f"checkpoint: {name} is not the same when it is called again with the same arguments, so the gradient would be "
                f"wrong: {difference}. Let it draw from xgrad.random; keep what changes in a module, or make it an argument"
            )
        return results

    def _difference(self, taken: list[Step], results: Sequence[Tensor]) -> str | None:
        """What was not as in the first call, in words."""
        for old, new in zip(self.steps, taken):
            if old.name != new.name:
                return f"it called {new.name} at {new.line}, and {old.name} at {old.line} the first time"
            for one, other in zip(old.constants, new.constants):
                if told := one.differs(other):
                    return f"{new.name} at {new.line} was called with other numbers: {told}"
        if len(self.steps) != len(taken):
            return f"it called {len(taken)} ops, and {len(self.steps)} the first time"
        for path, was, y in zip(self.paths, self.prints, results):
            if told := was.differs(Print(y._data)):
                return f"its result{path} differs: {told}"
        return None

    def _results(self, leaves: list[Any]) -> list[Tensor]:
        return [leaves[k] for k in self.at if k < len(leaves) and isinstance(leaves[k], Tensor)]


def _in_words(fact: Any) -> str:
    return f"{tuple(fact[0])} {str(fact[1]).rpartition('.')[2]}"


# ---------------------------------------------------------------------------------------------------------- was it the same?


class Print:
    """The values of an array, small ones as they are, and of large ones two weighted sums of every 64 numbers.

    Two agree if they differ by rounding alone: libraries add in another order at times.
    """

    __slots__ = ("parts",)

    def __init__(self, x: Any) -> None:
        while raw_namespace(x).__backend__.level:  # of all examples
            x = x.payload._data
        xp = raw_namespace(x)
        flat = xp.reshape(x, (-1,))
        if xp.isdtype(x.dtype, "complex floating"):
            flat = xp.concat([xp.real(flat), xp.imag(flat)])
        if not inexact(x) or dtype_of(flat.dtype).bits < 32:
            flat = xp.astype(flat, xp.float32)
        size = flat.shape[0]
        if size <= WHOLE:
            self.parts = [xp.asarray(flat, copy=True)]
            return
        count = size // 64
        weights = xp.asarray(WEIGHTS, dtype=flat.dtype, device=raw_namespace(x).__backend__.device(x))
        self.parts = [xp.reshape(flat[: 64 * count], (count, 64)) @ weights, xp.asarray(flat[64 * count :], copy=True)]

    def differs(self, other: Print) -> str | None:
        """How the values of `other` differ, in words, or None if they do not."""
        for old, new in zip(self.parts, other.parts):
            if old.shape != new.shape:
                return f"{old.shape[0]} numbers, and {new.shape[0]} now"
            if 0 in old.shape:
                continue
            xp = raw_namespace(old)
            alike = xp.logical_or(old == new, xp.logical_and(xp.isnan(old), xp.isnan(new)))
            off = xp.where(alike, xp.zeros_like(old), xp.abs(new - old))
            size = xp.where(xp.isfinite(old), xp.abs(old), xp.zeros_like(old))
            eps = float(xp.finfo(old.dtype).eps)
            wrong = xp.logical_not(off <= eps ** (2 / 3) * size + 64 * eps * xp.max(size))
            if _known(xp.any(wrong)):
                if len(self.parts) > 1:
                    return "its values are others than they were"
                at = int(xp.argmax(xp.astype(wrong, xp.int8)))
                count = int(xp.sum(xp.astype(wrong, xp.int64)))
                of = f"{count} of {old.shape[0]} numbers" if old.shape[0] > 1 else "it"
                return f"{of}, such as {float(old[at]):.6g} then, and {float(new[at]):.6g} now"
        return None


def _known(x: Any) -> bool:
    """Whether `x` is true, as far as that is known: a function that is being traced has no values yet."""
    try:
        return bool(x)
    except TypeError:
        return False


WHOLE = 512
WEIGHTS = [[1.0 + (0.6180339887 * k) % 1.0, 1.0 - 2 * ((0.7548776662 * k + 0.3) % 1.0)] for k in range(64)]


class Number:
    """A number of Python's among the arguments of an op."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def differs(self, other: Any) -> str | None:
        same = type(other) is Number and (other.value == self.value or (other.value != other.value and self.value != self.value))
        return None if same else f"{self.value} then, and {other.value if type(other) is Number else 'an array'} now"


class Step:
    """One call of an op: its name and line, and what it was given besides the tensors of the graph."""

    __slots__ = ("constants", "name", "where")

    def __init__(self, node: Node) -> None:
        op: Any = node.op
        saved = node.saved
        self.name, self.where = op.name, node.where
        self.constants: list[Any] = []
        if op.sequence or type(saved) is not tuple:
            return
        for k, value in enumerate(saved[: len(op.names)]):
            if isinstance(value, (bool, int, float, complex)):
                self.constants.append(Number(value))
            elif k in op.arrays and node.parents[op.arrays.index(k)] is None and hasattr(value, "dtype"):
                self.constants += [Print(value)] if math.prod(value.shape) <= 2**16 else []

    line: Any = Node.line


def steps(ys: Sequence[Tensor], start: int) -> list[Step]:
    """The calls after `start` that made `ys`, in their order."""
    nodes = ancestors((y._node for y in ys if y._node is not None), since=start)
    taken: list[Step] = []
    for node in sorted(nodes, key=lambda node: node.age):
        if node.age >= start and node.op is not None:
            taken.append(Step(node))
            if node.op is _CHECKPOINT and type(node.saved) is tuple:
                taken += node.saved[1].steps
    return taken


def _pull(xp: Any, g: Any, segment: _Segment, arrays: Sequence[Any]) -> list[Any]:
    found = pullback(segment.replay(arrays), g, inputs=segment.outside, create_graph=isinstance(g[0], Tensor))
    return [found[n] if n in found else xp.new_zeros(g[0], n.shape, dtype=n.dtype) for n in segment.outside]


def _push(t: Any, segment: _Segment, arrays: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(pushforward(segment.outside, t, segment.replay(arrays), create_graph=isinstance(t[0], Tensor)))


_CHECKPOINT: Op[..., Any] = Op(lambda xp, *inputs, segment, arrays: inputs)
_CHECKPOINT.name = "checkpoint"
_CHECKPOINT.vjp(inputs=_pull)
_CHECKPOINT.jvp(inputs=_push)
