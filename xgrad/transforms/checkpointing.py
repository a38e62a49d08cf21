"""`checkpoint`: forget what lies between, and compute it again on the way back."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .. import random
from ..backend import inexact
from ..engine import Node, Tensor, _wrap_all, next_age, pullback, wrap
from ..grad_mode import mode, recording
from ..pushforward import pushforward
from ..rules import Op
from ..tree import flatten
from .outside import frontier

__all__ = ["checkpoint"]


def checkpoint(f: Callable[..., Any]) -> Callable[..., Any]:
    """The same function, of which a graph keeps the arguments only: the backward pass computes the rest again.

    Parameters
    ----------
    f : callable
        A function of Tensors that returns Tensors (or containers of them), and returns the same when it is called again
        with the same random numbers; those of `xgrad.random` are drawn again as they were. It may use other tensors that
        require grad, such as the parameters of a model. Values written in place in between are not noticed.

    Returns
    -------
    callable
        Takes and returns what `f` does, with the same gradients of any order.

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

    @functools.wraps(f, updated=())
    def checkpointed(*args: Any, **options: Any) -> Any:
        if not mode.get():
            return f(*args, **options)
        leaves, given = flatten([*args, *options.values()])
        kept = [wrap(x._data, x._node, type(x)) if isinstance(x, Tensor) else x for x in leaves]
        state, start = random.get_state(), next_age()

        def run() -> Any:
            again = given.unflatten([wrap(x._data, x._node, type(x)) if isinstance(x, Tensor) else x for x in kept])
            return f(*again[: len(args)], **dict(zip(options, again[len(args) :])))

        result = run()
        ys, structure = flatten(result)
        at = [k for k, y in enumerate(ys) if isinstance(y, Tensor) and y._node is not None and inexact(y._data)]
        outside = frontier([ys[k] for k in at], start)
        if not outside:
            return result

        def replay() -> list[Tensor]:
            now = random.get_state()
            random.set_state(state)
            try:
                with recording(mode.get() or True):
                    outputs = flatten(run())[0]
            finally:
                random.set_state(now)
            return [outputs[k] for k in at]

        data = [ys[k]._data for k in at]
        saved = (None, replay, outside, None, None)
        node = Node(_CHECKPOINT, tuple(outside), saved, [v.shape for v in data], [v.dtype for v in data])
        for k, y in zip(at, _wrap_all(tuple(data), Tensor, node)):
            ys[k] = y
        return structure.unflatten(ys)

    return checkpointed


def _pull(xp: Any, g: Any, replay: Callable[[], list[Tensor]], outside: list[Node]) -> list[Any]:
    found = pullback(replay(), g, inputs=outside, create_graph=isinstance(g[0], Tensor))
    return [found[n] if n in found else xp.new_zeros(g[0], n.shape, dtype=n.dtype) for n in outside]


def _push(t: Any, replay: Callable[[], list[Tensor]], outside: list[Node]) -> tuple[Any, ...]:
    return tuple(pushforward(outside, t, replay(), create_graph=isinstance(t[0], Tensor)))


_CHECKPOINT: Op[..., Any] = Op(lambda xp, *arrays, replay, outside: arrays)
_CHECKPOINT.name = "checkpoint"
_CHECKPOINT.vjp(arrays=_pull)
_CHECKPOINT.jvp(arrays=_push)
