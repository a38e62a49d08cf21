"""Neural networks: modules that hold parameters, and functions that do not.

A family of layers is a file: `linear`, `activations`, `dropout`, `reshaping`, `containers`. A family of losses is a file in
`losses`, and holds the ops that it adds. Functions are public in `functional`, layers here.
"""

from . import functional, init
from .activations import ELU, GELU, LeakyReLU, LogSoftmax, ReLU, Sigmoid, SiLU, Softmax, Softplus, Tanh
from .containers import Sequential
from .dropout import Dropout
from .linear import MLP, Linear
from .module import Module, Parameter
from .reshaping import Flatten

__all__ = [
    "ELU", "GELU", "MLP", "Dropout", "Flatten", "LeakyReLU", "Linear", "LogSoftmax", "Module", "Parameter", "ReLU",
    "Sequential", "SiLU", "Sigmoid", "Softmax", "Softplus", "Tanh", "functional", "init",
]  # fmt: skip
