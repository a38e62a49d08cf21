"""The training steps that are timed: losses written once for all libraries, with their weights and data."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from ..libraries import Library
from ..workloads import attended, layers, weights


class Workload(NamedTuple):
    """A loss of parameters and data, and how much of its step is products of matrices."""

    title: str
    loss: Callable[..., Any]  # loss(library, params, *data)
    params: list[np.ndarray]
    data: list[np.ndarray]
    operations: float  # floating-point operations in the products of matrices of a step


def mlp(sizes: list[int], batch: int) -> Workload:
    """A classifier of fully connected layers."""

    def loss(lib: Library, params: list[Any], x: Any, labels: Any) -> Any:
        return lib.cross_entropy(layers(lib, params, x), labels)

    rng = np.random.default_rng(2)
    x = rng.normal(size=(batch, sizes[0])).astype(np.float32)  # (B, nin)
    labels = rng.integers(0, sizes[-1], size=batch)  # (B,)
    products = [2.0 * batch * nin * nout for nin, nout in zip(sizes, sizes[1:])]
    operations = 3 * sum(products) - products[0]  # forward, and both gradients; the data needs none
    return Workload(f"MLP {'-'.join(map(str, sizes))}, batch {batch}", loss, weights(sizes), [x, labels], operations)


def transformer(batch: int, length: int, width: int, heads: int, tokens: int = 1000) -> Workload:
    """One block in the manner of GPT-2 between a table of tokens and a projection to their scores."""

    def loss(lib: Library, params: list[Any], texts: Any, labels: Any, mask: Any) -> Any:
        table, gain1, bias1, w_in, w_out, gain2, bias2, w1, w2, head = params
        x = lib.embedding(table, texts)  # (B, T, width)
        x = x + attended(lib, lib.layer_norm(x, gain1, bias1), w_in, heads, mask) @ w_out
        x = x + lib.gelu(lib.layer_norm(x, gain2, bias2) @ w1) @ w2
        return lib.cross_entropy((x @ head).reshape((batch * length, tokens)), labels)

    rng = np.random.default_rng(6)
    normal = lambda *shape: rng.normal(0, width**-0.5, size=shape)
    norms = [(np.ones(width), np.zeros(width)) for _ in range(2)]
    params = [normal(tokens, width), *norms[0], normal(width, 3 * width), normal(width, width)]
    params += [*norms[1], normal(width, 4 * width), normal(4 * width, width), normal(width, tokens)]
    texts, labels = rng.integers(0, tokens, size=(batch, length)), rng.integers(0, tokens, size=batch * length)
    mask = np.triu(np.full((length, length), -1e9, dtype=np.float32), 1)
    operations = 6.0 * batch * length * width * (12 * width + tokens) + 12.0 * batch * length * length * width
    title = f"transformer block, B {batch}, T {length}, D {width}, H {heads}"
    return Workload(title, loss, [p.astype(np.float32) for p in params], [texts, labels, mask], operations)


def chosen(dry: bool) -> list[Workload]:
    """The workloads of a run; small ones for a dry run."""
    if dry:
        return [mlp([20, 16, 10], 8), transformer(2, 8, 16, 2, tokens=20)]
    return [mlp([784, 256, 128, 10], 128), mlp([784, 2048, 2048, 10], 4096), transformer(16, 128, 256, 8)]
