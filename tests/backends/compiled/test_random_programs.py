"""Random chains of functions on whole numbers, whose results must be the same bit for bit in any order of additions.

``XGRAD_PROGRAMS=5000`` runs as many, and ``XGRAD_SEED=17`` begins with another.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from .plans import call_by_call, captured, executed, units_apart

COUNT = int(os.environ.get("XGRAD_PROGRAMS", "300"))
FIRST = int(os.environ.get("XGRAD_SEED", "0"))
SHAPES = [(), (1,), (4,), (3, 4), (2, 3, 4), (3, 1), (1, 4), (2, 1, 4), (12,), (4, 3), (0, 4), (5, 70), (300,), (3, 3)]
DTYPES = ["float64", "float64", "float32", "int64"]


class Program:
    """A function that does what random numbers say: the same at each call."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        rng = np.random.default_rng(seed)
        self.inputs = []
        for _ in range(rng.integers(1, 5)):
            shape, dtype = SHAPES[rng.integers(len(SHAPES))], DTYPES[rng.integers(len(DTYPES))]
            self.inputs.append(np.asarray(rng.integers(-4, 5, shape)).astype(dtype))

    def __call__(self, xp: Any, *inputs: Any) -> list[Any]:
        self.rng = np.random.default_rng(self.seed + 1)
        self.xp, self.pool = xp, list(inputs)
        for _ in range(self.rng.integers(3, 30)):
            y = self.small(self.one(self.pick()))
            if y.size < 5000:
                self.pool.append(y)
        count = self.rng.integers(1, 6)
        return [self.pool[-1 - self.rng.integers(min(len(self.pool), 12))] for _ in range(count)]

    def small(self, x: Any) -> Any:
        """Whole numbers stay small, so that all sums are exact."""
        kind = np.dtype(x.dtype).kind
        return x if kind == "b" else self.xp.clip(x, -9, 9) if self.rng.integers(2) else self.xp.remainder(x, 7)

    def pick(self) -> Any:
        return self.pool[-1 - min(int(self.rng.exponential(4)), len(self.pool) - 1)]

    def partner(self, x: Any) -> Any:
        """A value that is broadcast with `x`, or a number."""
        fitting = []
        for y in self.pool:
            try:
                np.broadcast_shapes(x.shape, y.shape)
            except ValueError:
                continue
            if y.dtype == x.dtype:
                fitting.append(y)
        return fitting[self.rng.integers(len(fitting))] if fitting and self.rng.integers(4) else int(self.rng.integers(-3, 4))

    def choose(self, x: Any) -> Any:
        y = self.partner(x)
        return self.xp.where(x > y, x, y) if self.rng.integers(2) else self.xp.where(x > 0, y, x)

    def axes(self, x: Any) -> Any:
        chosen = tuple(k for k in range(x.ndim) if self.rng.integers(2))
        return chosen if self.rng.integers(3) else None

    def key(self, x: Any, basic: bool) -> tuple[Any, ...]:
        parts: list[Any] = []
        for n in x.shape:
            what = self.rng.integers(6)
            if what == 0 and n:
                parts.append(int(self.rng.integers(-n, n)))
            elif what == 1 and n and not basic:
                shape = [(3,), (2, 3), (1,)][self.rng.integers(3)]
                parts.append(self.xp.asarray(self.rng.integers(-n, n, shape).tolist()))
            elif what < 4:
                a, b = (int(v) for v in self.rng.integers(-n - 1, n + 2, 2))
                parts.append(slice(a, b, [1, 2, -1, -2][self.rng.integers(4)]))
            elif what == 4:
                parts.extend([None, slice(None)])
            else:
                parts.append(slice(None))
        if not basic:  # arrays of one shape only, so that they are broadcast
            shapes = {p.shape for p in parts if hasattr(p, "shape")}
            if len(shapes) > 1:
                return self.key(x, basic)
        return tuple(parts)

    def one(self, x: Any) -> Any:
        xp, rng = self.xp, self.rng
        if np.dtype(x.dtype).kind == "b":
            x = xp.astype(x, xp.float64)
        todo: list[Callable[[], Any]] = [
            lambda: x + self.partner(x), lambda: x - self.partner(x), lambda: x * self.partner(x), lambda: self.partner(x) - x,
            lambda: xp.maximum(x, self.partner(x)), lambda: xp.minimum(x, self.partner(x)), lambda: -x, lambda: xp.abs(x),
            lambda: self.choose(x), lambda: xp.square(x), lambda: xp.sign(x),
            lambda: xp.sum(x, axis=self.axes(x), keepdims=bool(rng.integers(2))),
            lambda: xp.sum(x, axis=self.axes(x), keepdims=bool(rng.integers(2))),
            lambda: xp.max(x, axis=self.axes(x), keepdims=bool(rng.integers(2))) if x.size else x,
            lambda: xp.min(x, axis=self.axes(x), keepdims=bool(rng.integers(2))) if x.size else x,
            lambda: xp.any(x > 1, axis=self.axes(x)), lambda: xp.all(x > -2, axis=self.axes(x), keepdims=True),
            lambda: xp.permute_dims(x, tuple(rng.permutation(x.ndim).tolist())),
            lambda: xp.reshape(x, (-1,)) if x.size else x,
            lambda: xp.reshape(x, (x.size // 2, 2)) if x.size % 2 == 0 and x.size else x,
            lambda: xp.reshape(x, (*x.shape[:-2], x.shape[-1], x.shape[-2])) if x.ndim > 1 else x,
            lambda: xp.broadcast_to(x, (2, *x.shape)), lambda: xp.expand_dims(x, axis=int(rng.integers(x.ndim + 1))),
            lambda: xp.flip(x, axis=self.axes(x)), lambda: x[self.key(x, True)], lambda: x[self.key(x, True)],
            lambda: x[self.key(x, False)], lambda: x[self.key(x, False)],
            lambda: xp.take(x, xp.asarray(rng.integers(-x.shape[0], x.shape[0], 5).tolist()), axis=0)
            if x.ndim and x.shape[0] else x,
            lambda: self.write(x), lambda: self.write(x), lambda: xp.concat([x, x * 2], axis=-1) if x.ndim else x,
            lambda: xp.stack([x, -x], axis=int(rng.integers(x.ndim + 1))),
            lambda: xp.matrix_transpose(x) @ x if x.ndim > 1 else x * 2, lambda: x @ xp.matrix_transpose(x) if x.ndim > 1 else x,
            lambda: x @ x[0] if x.ndim == 2 and x.shape[0] else x, lambda: xp.astype(x, xp.float64),
            lambda: xp.astype(x, xp.float32),
            lambda: xp.cumulative_sum(x, axis=-1) if x.ndim else x, lambda: xp.sort(x, axis=-1) if x.ndim else x,
            lambda: xp.tensordot(x, x, axes=x.ndim), lambda: xp.prod(xp.sign(x), axis=self.axes(x)),
        ]  # fmt: skip
        return todo[rng.integers(len(todo))]()

    def write(self, x: Any) -> Any:
        """Something put into a part of `x`, or added there."""
        from xgrad.interpreters.capture.backend import active

        b = active().backend(active().base)
        key = self.key(x, bool(self.rng.integers(2)))
        shape = x[key].shape
        value = self.xp.broadcast_to(self.xp.sum(x, axis=None), shape) + 1 if self.rng.integers(2) else x[key] * 2
        value = self.xp.astype(self.small(value), x.dtype)
        how = self.rng.integers(3)
        if how == 0:
            return b.scatter(x.shape, key, value)
        arrays = any(hasattr(part, "shape") for part in key)
        return b.scatter_add(x, key, value) if how == 1 or arrays else b.set_item(x, key, value)


def homes(plan: Any, rng: np.random.Generator) -> list[int | None]:
    """Some outputs replace inputs of their shape and dtype."""
    free = list(range(len(plan.inputs)))
    found: list[int | None] = []
    for out in plan.outputs:
        fitting = [k for k in free if plan.inputs[k][0].shape == out.shape and plan.inputs[k][0].dtype == out.dtype]
        found.append(fitting[rng.integers(len(fitting))] if fitting and rng.integers(4) else None)
        if found[-1] is not None:
            free.remove(found[-1])
    return found


def run_one(seed: int, how: str) -> None:
    program = Program(seed)
    plan = captured(program, *program.inputs)
    want = call_by_call(plan, program.inputs)
    places = homes(plan, np.random.default_rng(seed + 2))
    got = executed(plan, [x.copy() for x in program.inputs], how, homes=places)
    for k, (x, y) in enumerate(zip(got, want)):
        assert units_apart(x, y) == 0, f"program {seed}, output {k}, homes {places}: {x} is not {y}\n{plan}"
    assert math.prod(x.size + 1 for x in got) > 0


@pytest.mark.parametrize("start", range(FIRST, FIRST + COUNT, 20))
def test_programs(how: str, start: int) -> None:
    for seed in range(start, min(start + 20, FIRST + COUNT)):
        run_one(1000 * seed, how)
