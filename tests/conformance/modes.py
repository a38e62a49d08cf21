"""The three modes in which a namespace is tested: unchanged, with recorded arrays, and with a backward pass after each call.

array-api-tests runs on one of the namespaces that `namespace` makes.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis.extra.array_api

import xgrad
from xgrad.engine.namespaces import namespace as bound_namespace
from xgrad.graph.node import Leaf, Node
from xgrad.tensor.tensor import Tensor, wrap

__all__ = ["MODES", "namespace"]

MODES = {
    "plain": "the namespace without changes",
    "recorded": "every floating array is created with `requires_grad=True`",
    "backward": "the same, and after each floating result `y`, `sum(y).backward()`, which checks that each gradient has the "
    "shape, dtype and device of its tensor",
}

CREATE = """arange asarray empty empty_like eye from_dlpack full full_like linspace ones ones_like zeros zeros_like""".split()


def namespace(backend: str, mode: str) -> types.ModuleType:
    """The namespace bound to `backend`, in one of the `MODES`."""
    plain = bound_namespace(backend)
    if mode == "plain":
        return plain
    begin = _leaf if mode == "recorded" else _walked
    xp = types.ModuleType(f"{plain.__name__}_{mode}")
    vars(xp).update({name: value for name, value in vars(plain).items() if name not in ("__name__", "__spec__", "__loader__")})
    for name in CREATE:
        setattr(xp, name, _creates(getattr(plain, name), begin))
    for name in ("fftfreq", "rfftfreq"):
        xp.fft = types.SimpleNamespace(**{**vars(xp.fft), name: _creates(getattr(plain.fft, name), begin)})
    _finish_drawn_arrays(begin)
    return xp


# Hypothesis fills an array element by element, which a leaf refuses: it is asked to require grad when it is done.

_drawing = False


@contextlib.contextmanager
def _while_drawing() -> Iterator[None]:
    global _drawing
    before, _drawing = _drawing, True
    try:
        yield
    finally:
        _drawing = before


def _creates(create: Callable[..., Any], begin: Callable[[Any], Any]) -> Callable[..., Any]:
    @functools.wraps(create)
    def run(*args: Any, **kwargs: Any) -> Any:
        made = create(*args, **kwargs)
        return made if _drawing else begin(made)

    return run


def _finish_drawn_arrays(begin: Callable[[Any], Any]) -> None:
    strategy: Any = hypothesis.extra.array_api.ArrayStrategy
    draw = strategy.do_draw

    def do_draw(self: Any, data: Any) -> Any:
        with _while_drawing():
            made = draw(self, data)
        return begin(made)

    strategy.do_draw = do_draw


def _leaf(x: Any) -> Any:
    """A tensor that requires grad, if it can."""
    fresh = isinstance(x, Tensor) and x.dtype.inexact and not x.requires_grad
    return x.requires_grad_() if fresh else x


# Walking back after each call.


class Walked(Tensor):
    """A Tensor from each of whose floating descendants `backward` is called as soon as it is made."""

    __slots__ = ("leaf",)
    leaf: Tensor

    @classmethod
    def _recorded(cls, out: Any, node: Node, given: Any) -> None:
        for y in [out] if isinstance(out, Tensor) else out:
            if y.requires_grad:
                _walk(y)


def _walked(x: Any) -> Any:
    # A leaf cannot be written to; this is a tensor next to one, and can.
    if not isinstance(x, Tensor) or not x.dtype.inexact or x.requires_grad:
        return x
    leaf = wrap(x.data).requires_grad_()
    beside = xgrad.positive(leaf)
    y: Any = wrap(beside._data, beside._node, Walked)
    y.leaf = leaf  # which a gradient is left for only while it is alive
    return y


def _walk(y: Tensor) -> None:
    plain = wrap(y._data, y._node)
    real = xgrad.real(plain) if plain.dtype.kind == "complex floating" else plain
    leaves = [x for x in (leaf.owner() for leaf in _leaves(y._node)) if x is not None]
    xgrad.sum(real).backward(retain_graph=True)
    for x in leaves:
        g = x.grad
        assert g is not None, f"no gradient came to {x}"
        for fact in ("shape", "dtype", "device", "backend"):
            ours, wanted = getattr(g, fact), getattr(x, fact)
            assert ours == wanted, f"the gradient of {x} has {fact} {ours}, not {wanted}"
        x.grad = None
        counts["gradients"] += 1


counts = {"gradients": 0}
"""How many gradients were checked; written to the file that ``CONFORMANCE_COUNTS`` names, for the report."""


@atexit.register
def _tell() -> None:
    if path := os.environ.get("CONFORMANCE_COUNTS"):
        Path(path).write_text(json.dumps(counts))


def _leaves(node: Node | None) -> list[Leaf]:
    found, waiting, seen = [], [node], set()
    while waiting:
        one = waiting.pop()
        if one is None or one in seen:
            continue
        seen.add(one)
        if isinstance(one, Leaf):
            found.append(one)
        waiting.extend(one.parents)
    return found
