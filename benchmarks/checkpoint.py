"""The effect of `xgrad.checkpoint`: peak memory and time of a forward and a backward pass through a deep network.

Layers of 64 units on 2048 samples in float32, so that a layer's activations (512 KiB) outweigh its parameters (16 KiB).
Peaks are measured by Python's tracemalloc and exclude the parameters; times are measured without it.
"""

from __future__ import annotations

import math
import time
import tracemalloc
from typing import Any

import numpy as np

import xgrad
from xgrad import Tensor, nn

DEPTHS = (25, 100, 400)
WIDTH, SAMPLES = 64, 2048


class Layers(nn.Module):
    """A sequence of layers with tanh."""

    def __init__(self, count: int) -> None:
        self.layers = [nn.Linear(WIDTH, WIDTH) for _ in range(count)]

    def forward(self, x: Any) -> Any:
        for layer in self.layers:
            x = xgrad.tanh(layer(x))
        return x


def _step(parts: list[Layers], x: Tensor, checkpointed: bool) -> float:
    h: Any = x
    for part in parts:
        h = xgrad.checkpoint(part.forward)(h) if checkpointed else part(h)
    loss = xgrad.mean(h**2)
    loss.backward()
    total = sum(float(np.abs(p.grad.numpy()).sum()) for part in parts for p in part.parameters() if p.grad is not None)
    for part in parts:
        part.zero_grad()
    return total


def measure() -> list[dict[str, float]]:
    """For each depth, the number of segments, and the peak in KiB and the seconds with and without checkpoints."""
    x = Tensor(np.random.default_rng(0).normal(size=(SAMPLES, WIDTH)).astype("float32"))
    rows = []
    for depth in DEPTHS:
        segment = math.isqrt(depth)
        xgrad.random.seed(0)
        parts = [Layers(min(segment, depth - start)) for start in range(0, depth, segment)]
        row: dict[str, float] = {"layers": depth, "segments": len(parts)}
        answers = []
        for name, checkpointed in (("kept", False), ("checkpointed", True)):
            _step(parts[:1], x, checkpointed)
            tracemalloc.start()
            answers.append(_step(parts, x, checkpointed))
            row[f"{name} KiB"] = tracemalloc.get_traced_memory()[1] / 1024
            tracemalloc.stop()
            start_time = time.perf_counter()
            _step(parts, x, checkpointed)
            row[f"{name} s"] = time.perf_counter() - start_time
        if not math.isclose(*answers, rel_tol=1e-4):
            raise RuntimeError(f"the gradients of {depth} layers differ: {answers}")
        rows.append(row)
    return rows
