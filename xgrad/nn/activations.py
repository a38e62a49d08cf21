"""Activations as layers, and the table of their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .. import ops
from ..tensor.tensor import Tensor
from .module import Module

__all__ = [
    "ACTIVATIONS", "ELU", "GELU", "LeakyReLU", "LogSoftmax", "ReLU", "SiLU", "Sigmoid", "Softmax", "Softplus", "Tanh",
]  # fmt: skip

ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "relu": ops.relu,
    "tanh": ops.tanh,
    "sigmoid": ops.sigmoid,
    "gelu": ops.gelu,
    "softplus": ops.softplus,
    "silu": ops.silu,
    "elu": ops.elu,
    "leaky_relu": ops.leaky_relu,
}
"""The activation functions that a layer takes by name."""


class ReLU(Module):
    """See `xgrad.relu`."""

    def forward(self, x: Any) -> Tensor:
        return ops.relu(x)


class Sigmoid(Module):
    """See `xgrad.sigmoid`."""

    def forward(self, x: Any) -> Tensor:
        return ops.sigmoid(x)


class Tanh(Module):
    """See `xgrad.tanh`."""

    def forward(self, x: Any) -> Tensor:
        return ops.tanh(x)


class GELU(Module):
    """See `xgrad.gelu`."""

    def forward(self, x: Any) -> Tensor:
        return ops.gelu(x)


class Softplus(Module):
    """See `xgrad.softplus`."""

    def forward(self, x: Any) -> Tensor:
        return ops.softplus(x)


class SiLU(Module):
    """See `xgrad.silu`."""

    def forward(self, x: Any) -> Tensor:
        return ops.silu(x)


class ELU(Module):
    """See `xgrad.elu`."""

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = alpha

    def forward(self, x: Any) -> Tensor:
        return ops.elu(x, self.alpha)

    def facts(self) -> str:
        return str(self.alpha)


class LeakyReLU(Module):
    """See `xgrad.leaky_relu`."""

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = slope

    def forward(self, x: Any) -> Tensor:
        return ops.leaky_relu(x, self.slope)

    def facts(self) -> str:
        return str(self.slope)


class Softmax(Module):
    """See `xgrad.softmax`."""

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Tensor:
        return ops.softmax(x, axis=self.axis)

    def facts(self) -> str:
        return f"axis={self.axis}"


class LogSoftmax(Module):
    """See `xgrad.log_softmax`."""

    def __init__(self, axis: int = -1) -> None:
        self.axis = axis

    def forward(self, x: Any) -> Tensor:
        return ops.log_softmax(x, axis=self.axis)

    def facts(self) -> str:
        return f"axis={self.axis}"
