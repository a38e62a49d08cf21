"""Fully connected layers: `Linear`, and `MLP`, a stack of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import ops, random
from ..tensor.tensor import Tensor
from . import init
from .activations import ACTIVATIONS
from .module import Module, Parameter

__all__ = ["MLP", "Linear"]


class Linear(Module):
    """``x @ weight + bias``: every output is a weighted sum of all inputs.

    Parameters
    ----------
    nin, nout : int
        The number of inputs and outputs.
    bias : bool
        Whether to add a bias.
    init : callable
        Makes the initial `weight` from its shape. The default is Xavier's uniform distribution; the bias starts from zero.
    generator : Generator, optional
        Passed to `init`; by default the generator of the process.
    dtype, device : optional
        Of the parameters.

    Attributes
    ----------
    weight : Tensor, shape (nin, nout)
        The transpose of PyTorch's, so that `forward` needs no transpose.
    bias : Tensor, shape (nout,), or None

    Examples
    --------
    >>> import xgrad
    >>> layer = xgrad.nn.Linear(3, 2)
    >>> layer(xgrad.ones((5, 3))).shape
    (5, 2)
    """

    def __init__(
        self,
        nin: int,
        nout: int,
        bias: bool = True,
        *,
        init: Callable[..., Tensor] = init.xavier_uniform,
        generator: random.Generator | None = None,
        dtype: Any = None,
        device: Any = None,
    ) -> None:
        for name, n in (("nin", nin), ("nout", nout)):
            if not hasattr(n, "__index__") or n < 1:
                raise ValueError(f"Linear: {name} must be an integer of at least 1, not {n!r}")
        self.weight = Parameter(init((nin, nout), generator=generator, dtype=dtype, device=device), name="weight")
        self.bias = Parameter(_zeros((nout,), dtype, device), name="bias") if bias else None

    def forward(self, x: Any) -> Tensor:
        """`x` of shape (..., nin) gives (..., nout)."""
        nin = self.weight._data.shape[0]
        if not len(x.shape) or x.shape[-1] != nin:
            raise ValueError(f"Linear: x has shape {tuple(x.shape)}, but its last axis must be the {nin} inputs of {self!r}")
        y = ops.matmul(x, self.weight)
        return y if self.bias is None else ops.add(y, self.bias)

    def facts(self) -> str:
        nin, nout = self.weight.shape[-2:]  # a Jacobian has more axes in front
        return f"{nin}, {nout}" + (", bias=False" if self.bias is None else "")


def _zeros(shape: tuple[int, ...], dtype: Any, device: Any) -> Tensor:  # `init` is an argument in Linear
    return init.zeros(shape, dtype=dtype, device=device)


class MLP(Module):
    """A multi-layer perceptron: linear layers with an activation between them, none after the last.

    Parameters
    ----------
    nin : int
        The number of inputs.
    nouts : sequence of int
        The number of outputs of each layer.
    activation : str or callable
        ``"relu"``, ``"tanh"``, ``"sigmoid"``, ``"gelu"``, ``"silu"``, ``"elu"``, ``"softplus"``, ``"leaky_relu"``, or a
        function.
    bias, init, generator, dtype, device : optional
        As for `Linear`. With ReLU and many layers ``init=xgrad.nn.init.kaiming_uniform`` is usual.

    Examples
    --------
    >>> import xgrad
    >>> model = xgrad.nn.MLP(nin=3, nouts=[16, 16, 1])
    >>> model(xgrad.ones((2, 3))).shape, len(model.parameters())
    ((2, 1), 6)
    """

    def __init__(self, nin: int, nouts: Sequence[int], activation: str | Callable[[Any], Any] = "relu", **options: Any) -> None:
        if not nouts:
            raise ValueError("MLP: nouts is empty; it holds the number of outputs of each layer")
        if isinstance(activation, str) and activation not in ACTIVATIONS:
            raise ValueError(f"MLP: there is no activation {activation!r}; the known ones are {', '.join(ACTIVATIONS)}")
        sizes = [nin, *nouts]
        self.layers = [Linear(n, m, **options) for n, m in zip(sizes, sizes[1:])]
        self.activation = activation

    def forward(self, x: Any) -> Tensor:
        """`x` of shape (..., nin) gives (..., nouts[-1])."""
        activation = ACTIVATIONS[self.activation] if isinstance(self.activation, str) else self.activation
        for layer in self.layers[:-1]:
            x = activation(layer(x))
        return self.layers[-1](x)  # type: ignore[no-any-return]

    def facts(self) -> str:
        name = (
            self.activation if isinstance(self.activation, str) else getattr(self.activation, "__name__", repr(self.activation))
        )
        return f"activation={name}"
