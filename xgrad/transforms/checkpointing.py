"""`checkpoint`: forget what lies between, and compute it again on the way back."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from .. import random
from ..backend import inexact
from ..engine import Node, Tensor, next_age, pullback, wrap
from ..errors import GradientError
from ..grad_mode import mode, recording
from ..leaves import Leaf
from ..pushforward import pushforward
from ..rules import Op
from ..tree import Structure, flatten
from .attach import attach, class_of
from .call import called
from .outside import frontier

__all__ = ["checkpoint"]


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, of which a graph keeps the arguments only: the backward pass computes the rest again.

    Parameters
    ----------
    f : callable
        A function of Tensors that returns Tensors (or containers of them), and returns the same when it is called again
        with the same random numbers; those of `xgrad.random` are drawn again as they were, and other threads that draw are
        not disturbed. It may use other tensors that require grad, such as the parameters of a model. Checkpoints nest.

    Returns
    -------
    callable
        Takes and returns what `f` does, with the same gradients of any order.

    Raises
    ------
    GradientError
        On the way back, if an argument or a parameter was written to or given other values in between, or if `f` returned
        or used something else when it was called again.

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

    called("checkpoint", f)

    @functools.wraps(f, updated=())
    def checkpointed(*args: Any, **options: Any) -> Any:
        if not mode.get():
            return f(*args, **options)
        leaves, given = flatten([*args, *options.values()])
        segment = _Segment(f, given, leaves, len(args), tuple(options))
        arrays = [x._data for x in leaves if isinstance(x, Tensor)]
        start = next_age()
        result = segment.run(arrays)
        ys, structure = flatten(result)
        segment.at = [k for k, y in enumerate(ys) if isinstance(y, Tensor) and y._node is not None and inexact(y._data)]
        segment.outside = frontier([ys[k] for k in segment.at], start)
        if not segment.outside:
            return result
        captured = [owner._data for owner in segment.captured()]
        data = [ys[k]._data for k in segment.at]
        segment.facts = [(v.shape, v.dtype) for v in data]
        saved = (None, segment, [*arrays, *captured], None, None)
        for k, y in zip(segment.at, attach(_CHECKPOINT, segment.outside, saved, data, arrays, class_of(leaves))):
            ys[k] = y
        return structure.unflatten(ys)

    return checkpointed


class _Segment:
    """What is needed to call a checkpointed function again, but for the arrays that it was called on."""

    at: list[int]  # which leaves of the result are in the graph
    facts: list[Any]  # their shapes and dtypes
    outside: list[Node]  # the nodes from before the call that they depend on

    def __init__(self, f: Callable[..., Any], given: Structure, leaves: list[Any], count: int, names: tuple[str, ...]) -> None:
        self.f, self.given, self.count, self.names = f, given, count, names
        self.places = [(k, x._node, type(x)) for k, x in enumerate(leaves) if isinstance(x, Tensor)]
        self.leaves = [None if isinstance(x, Tensor) else x for x in leaves]
        self.state = random.get_state()

    def run(self, arrays: Sequence[Any]) -> Any:
        """Call the function on its arguments, the tensors among them made of `arrays`."""
        leaves = list(self.leaves)
        for (k, node, cls), array in zip(self.places, arrays):
            leaves[k] = wrap(array, node, cls)
        args = self.given.unflatten(leaves)
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
        start = next_age()
        with random.replaying(self.state), recording(mode.get() or True):
            results = self._results(flatten(self.run(arrays))[0])
        if [(y.shape, y._data.dtype) for y in results] != self.facts:
            raise GradientError(f"checkpoint: {name} returned something else when it was called again with the same arguments")
        outside = frontier([y for y in results if y._node is not None], start)
        if changed := set(outside) ^ set(self.outside):
            node = changed.pop()
            raise GradientError(
                f"checkpoint: {name} used other tensors that require grad when it was called again with the same arguments "
                f"({node.op.name} at {node.line} was used once, but not both times), so the gradient would be wrong"
            )
        return results

    def _results(self, leaves: list[Any]) -> list[Tensor]:
        return [leaves[k] for k in self.at if k < len(leaves) and isinstance(leaves[k], Tensor)]


def _pull(xp: Any, g: Any, segment: _Segment, arrays: Sequence[Any]) -> list[Any]:
    found = pullback(segment.replay(arrays), g, inputs=segment.outside, create_graph=isinstance(g[0], Tensor))
    return [found[n] if n in found else xp.new_zeros(g[0], n.shape, dtype=n.dtype) for n in segment.outside]


def _push(t: Any, segment: _Segment, arrays: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(pushforward(segment.outside, t, segment.replay(arrays), create_graph=isinstance(t[0], Tensor)))


_CHECKPOINT: Op[..., Any] = Op(lambda xp, *inputs, segment, arrays: inputs)
_CHECKPOINT.name = "checkpoint"
_CHECKPOINT.vjp(inputs=_pull)
_CHECKPOINT.jvp(inputs=_push)
