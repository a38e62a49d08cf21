"""Neural networks: modules that hold parameters, and functions that do not."""

from . import functional, init
from .layers import (
    ELU,
    GELU,
    MLP,
    Dropout,
    Flatten,
    LeakyReLU,
    Linear,
    LogSoftmax,
    ReLU,
    Sequential,
    Sigmoid,
    SiLU,
    Softmax,
    Softplus,
    Tanh,
)
from .module import Module, Parameter

__all__ = [
    "ELU", "GELU", "MLP", "Dropout", "Flatten", "LeakyReLU", "Linear", "LogSoftmax", "Module", "Parameter", "ReLU",
    "Sequential", "SiLU", "Sigmoid", "Softmax", "Softplus", "Tanh", "functional", "init",
]  # fmt: skip
