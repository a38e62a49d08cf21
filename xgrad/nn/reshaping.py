"""Layers that change the shape alone."""

from __future__ import annotations

import math
from typing import Any

from .. import ops
from ..tensor.tensor import Tensor
from .module import Module

__all__ = ["Flatten"]


class Flatten(Module):
    """Join all axes from `start` on into one, as between images and a `Linear`."""

    def __init__(self, start: int = 1) -> None:
        self.start = start

    def forward(self, x: Any) -> Tensor:
        """``(n, a, b)`` gives ``(n, a * b)``."""
        return ops.reshape(x, (*x.shape[: self.start], math.prod(x.shape[self.start :])))
