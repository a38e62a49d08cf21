"""Layers: modules with a `forward`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .. import ops, random
from ..tensor.tensor import Tensor
from . import functional as F
from . import init
from .module import Module, Parameter

__all__ = [
    "ELU", "GELU", "MLP", "Dropout", "Flatten", "LeakyReLU", "Linear", "LogSoftmax", "ReLU", "Sequential", "SiLU", "Sigmoid",
    "Softmax", "Softplus", "Tanh",
]  # fmt: skip


class Linear(Module):
    """``x @ weight + bias``: every output is a weighted sum of all inputs.

    Parameters
    ----------
    nin, nout : int
        The number of inputs and outputs.
    bias : bool
        Whether to add a bias.
    init : callable
        What `weight` starts from: a function of its shape. The default is Xavier's uniform distribution; the bias starts
        from zero.
    generator : Generator, optional
        Where `init` draws from; else from the generator of the process.
    dtype, device : optional
        Of the parameters.

    Attributes
    ----------
    weight : Tensor, shape (nin, nout)
        Inputs by outputs, so that no transpose is needed; PyTorch's is the transpose of it.
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
        nin, nout = self.weight.shape[-2:]  # of which there can be a stack, as in a Jacobian
        return f"{nin}, {nout}" + (", bias=False" if self.bias is None else "")


def _zeros(shape: tuple[int, ...], dtype: Any, device: Any) -> Tensor:
    return init.zeros(shape, dtype=dtype, device=device)


class Sequential(Module):
    """Modules, or any functions, one after the other.

    Examples
    --------
    >>> from xgrad.nn import Linear, ReLU, Sequential
    >>> Sequential(Linear(4, 8), ReLU(), Linear(8, 2))
    Sequential(
      (0): Linear(4, 8)
      (1): ReLU()
      (2): Linear(8, 2)
    )
    """

    def __init__(self, *layers: Callable[[Any], Any]) -> None:
        for i, layer in enumerate(layers):
            if not callable(layer):
                raise TypeError(f"Sequential: layer {i} is {type(layer).__name__} {layer!r:.40}, which cannot be called")
            setattr(self, str(i), layer)

    @property
    def _layers(self) -> list[Callable[[Any], Any]]:
        return [layer for name, layer in vars(self).items() if name.isdigit()]

    def forward(self, x: Any) -> Any:
        """The output of each is the input of the next."""
        for layer in self._layers:
            x = layer(x)
        return x

    def __len__(self) -> int:
        return len(self._layers)

    def __iter__(self) -> Iterator[Callable[[Any], Any]]:
        return iter(self._layers)

    def __getitem__(self, i: int) -> Callable[[Any], Any]:
        return self._layers[i]


class MLP(Module):
    """A multi-layer perceptron: linear layers with an activation between them, none after the last.

    Parameters
    ----------
    nin : int
        The number of inputs.
    nouts : sequence of int
        The number of outputs of each layer.
    activation : str or callable
        ``"relu"``, ``"tanh"``, ``"sigmoid"``, ``"gelu"``, ``"silu"``, ``"elu"``, ``"softplus"``, or a function.
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
        if isinstance(activation, str) and activation not in _ACTIVATIONS:
            raise ValueError(f"MLP: there is no activation {activation!r}; the known ones are {', '.join(_ACTIVATIONS)}")
        sizes = [nin, *nouts]
        self.layers = [Linear(n, m, **options) for n, m in zip(sizes, sizes[1:])]
        self.activation = activation

    def forward(self, x: Any) -> Tensor:
        """`x` of shape (..., nin) gives (..., nouts[-1])."""
        activation = _ACTIVATIONS[self.activation]() if isinstance(self.activation, str) else self.activation
        for layer in self.layers[:-1]:
            x = activation(layer(x))
        return self.layers[-1](x)  # type: ignore[no-any-return]

    def facts(self) -> str:
        name = (
            self.activation if isinstance(self.activation, str) else getattr(self.activation, "__name__", repr(self.activation))
        )
        return f"activation={name}"


class Flatten(Module):
    """All axes from `start` on made one, as between images and a `Linear`."""

    def __init__(self, start: int = 1) -> None:
        self.start = start

    def forward(self, x: Any) -> Tensor:
        """``(n, a, b)`` gives ``(n, a * b)``."""
        size = 1
        for n in x.shape[self.start :]:
            size *= n
        return ops.reshape(x, (*x.shape[: self.start], size))


class Dropout(Module):
    """In training, set each element to zero with probability `p` and scale up the others by ``1 / (1 - p)``.

    Parameters
    ----------
    p : float
        From 0 up to 1.
    generator : Generator, optional
        Where the mask is drawn from; else from the generator of the process.
    """

    def __init__(self, p: float = 0.5, *, generator: random.Generator | None = None) -> None:
        if not 0.0 <= p <= 1.0:
            raise ValueError(f"Dropout: p must be a probability from 0 to 1, not {p}")
        self.p, self.generator = p, generator

    def forward(self, x: Any) -> Any:
        """`x` itself unless `training` is set."""
        return F.dropout(x, self.p, generator=self.generator) if self.training else x

    def facts(self) -> str:
        return str(self.p)


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


_ACTIVATIONS: dict[str, Callable[[], Callable[[Any], Any]]] = {
    "relu": lambda: ops.relu,
    "tanh": lambda: ops.tanh,
    "sigmoid": lambda: ops.sigmoid,
    "gelu": lambda: ops.gelu,
    "softplus": lambda: ops.softplus,
    "silu": lambda: ops.silu,
    "elu": lambda: ops.elu,
    "leaky_relu": lambda: ops.leaky_relu,
}
