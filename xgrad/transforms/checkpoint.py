"""`checkpoint`: save the arguments of a call only, and call the function again in the backward pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from .. import random
from ..backend.dtypes import dtype_of
from ..backend.find import inexact, library_array, raw_namespace
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
from .call import check_callable
from .state import Snapshot, State, modules_in, repeat_changes, restored
from .transformed import Transformed

__all__ = ["checkpoint"]


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """The function `f` with less memory: its graph keeps the arguments only, and the backward pass calls `f` again.

    Parameters
    ----------
    f : callable
        A function of Tensors that returns Tensors (or containers of them), and returns the same when it is called again.
        The second call draws the same random numbers from `xgrad.random`, without an effect on other threads. A change that `f`
        makes to a module, such as to a running mean, happens once: the second call begins with the state that the first began
        with, and its changes are undone. `f` may use other tensors that require grad, such as parameters. Checkpoints nest.

    Returns
    -------
    callable
        Takes the arguments of `f`, and returns its results, with the same gradients of any order.

    Raises
    ------
    GradientError
        In the backward pass, if an argument or a parameter was written to or replaced since the call; or if the second call
        of `f` was not the same: if it called other ops, used other numbers, or returned others, up to rounding. The message
        says which. Usual causes are NumPy's random generators, counters, and arrays that were written to in between.

    Notes
    -----
    Memory falls to that of one segment, for about one more forward pass: for a net of n layers in segments of sqrt(n) it
    grows as sqrt(n) (Chen et al., Training Deep Nets with Sublinear Memory Cost, 2016).

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.Tensor([1.0, 2.0], requires_grad=True)
    >>> xgrad.checkpoint(lambda x: xgrad.exp(xgrad.sin(x)))(x).sum().backward()
    >>> bool(xgrad.all(x.grad == xgrad.cos(x.detach()) * xgrad.exp(xgrad.sin(x.detach()))))
    True
    """
    return _Checkpoint(check_callable("checkpoint", f))


class _Checkpoint(Transformed):
    caller = "checkpoint"

    def __call__(self, *args: Any, **options: Any) -> Any:
        active = interpreters.get()
        if not mode.get() or (active and active[0].takes_all):  # in a plan, calls that would be made again are made once
            return self.f(*args, **options)
        leaves, arguments = flatten([*args, *options.values()])
        segment = _Segment(self.f, arguments, leaves, len(args), tuple(options))
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
        segment.calls = op_calls([ys[k] for k in segment.at], start)
        segment.fingerprints = [Fingerprint(v) for v in data]
        saved = (None, segment, [*arrays, *captured], None, None)
        for k, y in zip(segment.at, record(_CHECKPOINT, segment.outside, saved, tuple(data), arrays, class_of(leaves))[0]):
            ys[k] = y
        return structure.unflatten(ys)


class _Segment:
    """What is needed to call a checkpointed function again, except for the arrays that it was called on.

    `arguments` is the structure of its positional arguments, `count` of them, and of its keyword arguments `names`; `leaves` are
    the leaves that are not Tensors; `tensors` are the index, node and class of those that are.
    """

    at: list[int]  # the indices of the leaves of the result that are in the graph
    facts: list[Any]  # their shapes and dtypes
    outside: list[Node]  # the nodes from before the call that they depend on
    paths: list[str]  # their paths in the result
    calls: list[OpCall]  # the calls of ops that computed them
    fingerprints: list[Fingerprint]  # of their values
    changed: list[Snapshot]  # what the first call changed in modules, as it was before

    def __init__(
        self, f: Callable[..., Any], arguments: Structure, leaves: list[Any], count: int, names: tuple[str, ...]
    ) -> None:
        self.f, self.arguments, self.count, self.names = f, arguments, count, names
        self.tensors = [(k, x._node, type(x)) for k, x in enumerate(leaves) if isinstance(x, Tensor)]
        self.leaves = [None if isinstance(x, Tensor) else x for x in leaves]
        self.state, self.draws, self.interpreters = random.get_state(), random.Draws(), interpreters.get()

    def first(self, arrays: Sequence[Any], originals: Sequence[Any]) -> Any:
        """Call the function for the first time; `originals` are the arguments that the user passed."""
        before, of_originals = State(modules_in(self.f, originals)), State(modules_in(None, originals))
        args = self.arguments.unflatten(self._filled(arrays))  # with copies of modules among the arguments
        of_copies = State(modules_in(None, args))
        with self.draws.noted():
            result = self._call(args)
        repeat_changes(of_originals, of_copies)
        self.changed = before.changed()
        return result

    def run(self, arrays: Sequence[Any]) -> Any:
        """Call the function on its arguments, with Tensors made of `arrays`."""
        return self._call(self.arguments.unflatten(self._filled(arrays)))

    def _filled(self, arrays: Sequence[Any]) -> list[Any]:
        leaves = list(self.leaves)
        for (k, node, cls), array in zip(self.tensors, arrays):
            leaves[k] = wrap(array, node, cls)
        return leaves

    def _call(self, args: Sequence[Any]) -> Any:
        return self.f(*args[: self.count], **dict(zip(self.names, args[self.count :])))

    def captured(self) -> list[Tensor]:
        """The leaf Tensors that the function uses and that are no arguments."""
        of_arguments = {node for _, node, _ in self.tensors}
        owners = [node.owner() for node in self.outside if isinstance(node, Leaf) and node not in of_arguments]
        return [owner for owner in owners if owner is not None]

    def replay(self, arrays: Sequence[Any]) -> list[Tensor]:
        """The results that are in the graph, computed and recorded again."""
        name = getattr(self.f, "__name__", "the function")
        arrays, captured = arrays[: len(self.tensors)], arrays[len(self.tensors) :]
        if any(owner._data is not array for owner, array in zip(self.captured(), captured)):
            raise GradientError(
                f"checkpoint: a tensor that {name} uses was given other values after the call, so the gradient would be wrong; "
                "call backward before, or change a copy"
            )
        start = memory.next_age()
        token = interpreters.set(self.interpreters)  # not those of the pullback, which may run on a batch of cotangents
        try:
            with random.replaying(self.state), self.draws.repeated(), restored(self.changed), recording(mode.get() or True):
                results = self._results(flatten(self.run(arrays))[0])
        finally:
            interpreters.reset(token)
        facts = [(y.shape, y._data.dtype) for y in results]
        if facts != self.facts:
            detail = ""
            if len(facts) == len(self.facts):
                k = next(k for k, fact in enumerate(facts) if fact != self.facts[k])
                detail = f": its result{self.paths[k]} is {_in_words(facts[k])}, and was {_in_words(self.facts[k])}"
            raise GradientError(
                f"checkpoint: {name} returned something else when it was called again with the same arguments{detail}"
            )
        outside = frontier([y._node for y in results if y._node is not None], start)
        if changed := set(outside) ^ set(self.outside):
            node = changed.pop()
            raise GradientError(
                f"checkpoint: {name} used other tensors that require grad when it was called again with the same arguments "
                f"({node.name} at {node.line} was used in one call only), so the gradient would be wrong"
            )
        if difference := self._difference(op_calls(results, start), results):
            raise GradientError(
                f"checkpoint: {name} is not the same when it is called again with the same arguments, so the gradient would be "
                f"wrong: {difference}. Let it draw from xgrad.random; store what changes in a module, or make it an argument"
            )
        return results

    def _difference(self, calls: list[OpCall], results: Sequence[Tensor]) -> str | None:
        """The first difference of the second call from the first, in words; None if there is none."""
        for old, new in zip(self.calls, calls):
            if old.name != new.name:
                return f"it called {new.name} at {new.line}, and {old.name} at {old.line} the first time"
            for one, other in zip(old.constants, new.constants):
                if difference := one.differs(other):
                    return f"{new.name} at {new.line} was called with other numbers: {difference}"
        if len(self.calls) != len(calls):
            return f"it called {len(calls)} ops, and {len(self.calls)} the first time"
        for path, old_values, y in zip(self.paths, self.fingerprints, results):
            if difference := old_values.differs(Fingerprint(y._data)):
                return f"its result{path} differs: {difference}"
        return None

    def _results(self, leaves: list[Any]) -> list[Tensor]:
        return [leaves[k] for k in self.at if k < len(leaves) and isinstance(leaves[k], Tensor)]


def _in_words(fact: Any) -> str:
    return f"{tuple(fact[0])} {str(fact[1]).rpartition('.')[2]}"


# ------------------------------------------------------------------------------------------------ comparison of two calls


class Fingerprint:
    """The values of an array to compare with: a copy of a small array, or two weighted sums of every 64 numbers of a large one.

    Two fingerprints agree if they differ by rounding only: libraries may add in another order in the second call.
    """

    __slots__ = ("parts",)

    def __init__(self, x: Any) -> None:
        x = library_array(x)
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

    def differs(self, other: Fingerprint) -> str | None:
        """How the values of `other` differ, in words; None if they do not."""
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
                    return "its values are not the same"
                at = int(xp.argmax(xp.astype(wrong, xp.int8)))
                count = int(xp.sum(xp.astype(wrong, xp.int64)))
                of = f"{count} of {old.shape[0]} numbers" if old.shape[0] > 1 else "it"
                return f"{of}, such as {float(old[at]):.6g} then, and {float(new[at]):.6g} now"
        return None


def _known(x: Any) -> bool:
    """Whether the boolean `x` is true; False if it has no value, as where another library traces the function."""
    try:
        return bool(x)
    except TypeError:
        return False


WHOLE = 512
"""Up to this size a fingerprint is a copy of the array."""

WEIGHTS = [[1.0 + (0.6180339887 * k) % 1.0, 1.0 - 2 * ((0.7548776662 * k + 0.3) % 1.0)] for k in range(64)]


class Number:
    """A Python number among the arguments of an op."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def differs(self, other: Any) -> str | None:
        """How `other` differs, in words; None if it does not."""
        same = type(other) is Number and (other.value == self.value or (other.value != other.value and self.value != self.value))
        return None if same else f"{self.value} then, and {other.value if type(other) is Number else 'an array'} now"


class OpCall:
    """One call of an op: its name and line, and its arguments that are not Tensors of the graph."""

    __slots__ = ("code", "constants", "name", "position")

    def __init__(self, node: Node) -> None:
        op: Any = node.op
        saved = node.saved
        self.name, self.code, self.position = op.name, node.code, node.position
        self.constants: list[Any] = []
        if op.sequence or type(saved) is not tuple:
            return
        for k, value in enumerate(saved[: len(op.names)]):
            if isinstance(value, (bool, int, float, complex)):
                self.constants.append(Number(value))
            elif k in op.arrays and node.parents[op.arrays.index(k)] is None and hasattr(value, "dtype"):
                self.constants += [Fingerprint(value)] if math.prod(value.shape) <= 2**16 else []

    line: Any = Node.line


def op_calls(ys: Sequence[Tensor], start: int) -> list[OpCall]:
    """The calls since the age `start` that computed `ys`, in their order."""
    nodes = ancestors((y._node for y in ys if y._node is not None), since=start)
    calls: list[OpCall] = []
    for node in sorted(nodes, key=lambda node: node.age):
        if node.age >= start and node.op is not None:
            calls.append(OpCall(node))
            if node.op is _CHECKPOINT and type(node.saved) is tuple:
                calls += node.saved[1].calls
    return calls


def _pull(xp: Any, g: Any, segment: _Segment, arrays: Sequence[Any]) -> list[Any]:
    """The reverse rule of a checkpoint's node: a cotangent for each node outside."""
    cotangents = pullback(segment.replay(arrays), g, inputs=segment.outside, create_graph=isinstance(g[0], Tensor))
    return [cotangents[n] if n in cotangents else xp.new_zeros(g[0], n.shape, dtype=n.dtype) for n in segment.outside]


def _push(t: Any, segment: _Segment, arrays: Sequence[Any]) -> tuple[Any, ...]:
    """The forward rule of a checkpoint's node."""
    return tuple(pushforward(segment.outside, t, segment.replay(arrays), create_graph=isinstance(t[0], Tensor)))


_CHECKPOINT: Op[..., Any] = Op(lambda xp, *inputs, segment, arrays: inputs)
_CHECKPOINT.name = "checkpoint"
_CHECKPOINT.vjp(inputs=_pull)
_CHECKPOINT.jvp(inputs=_push)
