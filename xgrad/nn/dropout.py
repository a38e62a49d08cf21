"""Dropout, as a function and as a layer."""

from __future__ import annotations

from typing import Any

from .. import ops, random
from ..tensor.tensor import ArrayLike, Tensor
from .module import Module

__all__ = ["Dropout", "dropout"]


def dropout(x: ArrayLike, p: float = 0.5, /, *, generator: random.Generator | None = None) -> Tensor:
    """Set each element to zero with probability `p`, and divide the others by ``1 - p``, which keeps the mean.

    Parameters
    ----------
    x : Tensor
        Of any shape.
    p : float
        From 0 to 1.
    generator : Generator, optional
        Draws the mask; by default the generator of the process.

    Examples
    --------
    >>> import xgrad
    >>> sorted(set(xgrad.nn.functional.dropout(xgrad.ones(1000), 0.5).tolist()))
    [0.0, 2.0]
    """
    x = x if isinstance(x, Tensor) else Tensor(x)
    if p == 0.0:
        return x
    keep = (generator or random.default_generator()).bernoulli(1.0 - p, x.shape, like=x)
    scale = 1.0 / (1.0 - p) if p < 1.0 else 0.0
    return x * (ops.astype(keep, x.dtype) * scale)


class Dropout(Module):
    """In training, set each element to zero with probability `p` and scale up the others by ``1 / (1 - p)``.

    Parameters
    ----------
    p : float
        From 0 up to 1.
    generator : Generator, optional
        Draws the mask; by default the generator of the process.
    """

    def __init__(self, p: float = 0.5, *, generator: random.Generator | None = None) -> None:
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"Dropout: p must be a probability from 0 to 1, not {p}")
        self.p, self.generator = p, generator

    def forward(self, x: Any) -> Any:
        """Apply `xgrad.nn.functional.dropout` in training; return `x` itself otherwise."""
        return dropout(x, self.p, generator=self.generator) if self.training else x

    def facts(self) -> str:
        return str(self.p)
