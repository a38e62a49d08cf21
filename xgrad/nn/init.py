"""Initial values of parameters: functions of a shape that return Tensors.

A weight of shape ``(nin, nout)`` has `nin` inputs, its *fan in*, and `nout` outputs, its *fan out*; axes before those two
belong to a receptive field and multiply both.
"""

from __future__ import annotations

import math
from typing import Any

from .. import random
from ..backend.dtypes import get_default_dtype
from ..backend.select import current_backend
from ..tensor.tensor import Tensor, wrap

__all__ = [
    "constant", "fans", "kaiming_normal", "kaiming_uniform", "normal", "ones", "uniform", "xavier_normal", "xavier_uniform",
    "zeros",
]  # fmt: skip


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """The fan in and fan out of a weight of this shape.

    Examples
    --------
    >>> from xgrad.nn.init import fans
    >>> fans((3, 4)), fans((5, 5, 3, 4))
    ((3, 4), (75, 100))
    """
    if len(shape) < 2:
        raise ValueError(f"a weight of shape {shape} has no fan in and fan out; it needs two axes, (inputs, outputs)")
    field = math.prod(shape[:-2])
    return field * shape[-2], field * shape[-1]


def constant(shape: tuple[int, ...], value: float, *, dtype: Any = None, device: Any = None) -> Tensor:
    """An array filled with `value`."""
    backend = current_backend()
    native = backend.native_dtype(get_default_dtype() if dtype is None else dtype)
    return wrap(backend.xp.full(shape, value, dtype=native, device=device))


def zeros(shape: tuple[int, ...], *, dtype: Any = None, device: Any = None) -> Tensor:
    """Zeros, usual for biases."""
    return constant(shape, 0.0, dtype=dtype, device=device)


def ones(shape: tuple[int, ...], *, dtype: Any = None, device: Any = None) -> Tensor:
    """Ones, usual for scales."""
    return constant(shape, 1.0, dtype=dtype, device=device)


def uniform(
    shape: tuple[int, ...], low: float = -0.1, high: float = 0.1, *, generator: random.Generator | None = None, **options: Any
) -> Tensor:
    """Uniform numbers; see `xgrad.random.uniform`."""
    return (generator or random.default_generator()).uniform(shape, low, high, **options)


def normal(
    shape: tuple[int, ...], mean: float = 0.0, std: float = 0.01, *, generator: random.Generator | None = None, **options: Any
) -> Tensor:
    """Normal numbers; see `xgrad.random.normal`."""
    return (generator or random.default_generator()).normal(shape, mean, std, **options)


def xavier_uniform(shape: tuple[int, ...], gain: float = 1.0, **options: Any) -> Tensor:
    """Uniform in ±gain·sqrt(6 / (fan in + fan out)), which keeps variances level forwards and backwards [1]_.

    References
    ----------
    .. [1] Glorot and Bengio, Understanding the difficulty of training deep feedforward neural networks, AISTATS 2010.
    """
    bound = gain * math.sqrt(6.0 / sum(fans(shape)))
    return uniform(shape, -bound, bound, **options)


def xavier_normal(shape: tuple[int, ...], gain: float = 1.0, **options: Any) -> Tensor:
    """Normal with standard deviation gain·sqrt(2 / (fan in + fan out)); see `xavier_uniform`."""
    return normal(shape, 0.0, gain * math.sqrt(2.0 / sum(fans(shape))), **options)


def kaiming_uniform(shape: tuple[int, ...], gain: float = math.sqrt(2.0), **options: Any) -> Tensor:
    """Uniform in ±gain·sqrt(3 / fan in), which keeps variances level forwards under ReLU [1]_.

    References
    ----------
    .. [1] He et al., Delving deep into rectifiers, ICCV 2015.
    """
    bound = gain * math.sqrt(3.0 / fans(shape)[0])
    return uniform(shape, -bound, bound, **options)


def kaiming_normal(shape: tuple[int, ...], gain: float = math.sqrt(2.0), **options: Any) -> Tensor:
    """Normal with standard deviation gain / sqrt(fan in); see `kaiming_uniform`."""
    return normal(shape, 0.0, gain / math.sqrt(fans(shape)[0]), **options)
