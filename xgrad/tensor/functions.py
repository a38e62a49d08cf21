"""Functions that users of NumPy and PyTorch reach for as methods: each is the xgrad function of its name."""

from __future__ import annotations

from typing import Any, Self

from ..graph.names import xg
from .facts import Facts

__all__ = ["Functions"]


class Functions(Facts):
    """Functions of the namespace as methods."""

    __slots__: tuple[str, ...] = ()

    @property
    def T(self) -> Self:
        """The transpose of a matrix: axes in reverse order."""
        return xg.permute_dims(self, tuple(range(self.ndim))[::-1])

    @property
    def mT(self) -> Self:
        """The transpose of the last two axes."""
        return xg.matrix_transpose(self)

    @property
    def real(self) -> Self:
        """The real part, a view; ``x.real = v`` writes to it."""
        return xg.real(self)

    @real.setter
    def real(self, value: Any) -> None:
        xg.real(self)[...] = value

    @property
    def imag(self) -> Self:
        """The imaginary part, a view; ``x.imag = v`` writes to it."""
        return xg.imag(self)

    @imag.setter
    def imag(self, value: Any) -> None:
        xg.imag(self)[...] = value

    def to_device(self, device: Any, /, *, stream: Any = None) -> Self:
        """This tensor on another device of its backend; the gradient moves back."""
        return xg.to_device(self, device)

    def astype(self, dtype: Any, /, *, copy: bool = True) -> Self:
        """This tensor converted to another data type; see `xgrad.astype`."""
        return xg.astype(self, dtype, copy=copy)

    def reshape(self, *shape: Any) -> Self:
        """See `xgrad.reshape`; takes the shape as a tuple or as integers."""
        return xg.reshape(self, shape[0] if len(shape) == 1 and isinstance(shape[0], tuple) else shape)

    def flatten(self) -> Self:
        """All elements along one axis, a copy as in NumPy; `reshape` gives a view."""
        return xg.reshape(self, (-1,), copy=True)

    def transpose(self, *axes: Any) -> Self:
        """Axes in the given order, or in reverse order."""
        order = axes[0] if len(axes) == 1 and isinstance(axes[0], tuple) else axes
        return xg.permute_dims(self, order or tuple(range(self.ndim))[::-1])

    def clip(self, min: Any = None, max: Any = None) -> Self:
        """See `xgrad.clip`."""
        return xg.clip(self, min, max)

    def squeeze(self, axis: Any = None) -> Self:
        """Without the axes of length one, or without those named."""
        return xg.squeeze(self, tuple(i for i, n in enumerate(self.shape) if n == 1) if axis is None else axis)

    def mse(self, target: Any) -> Self:
        """The mean squared error against `target`."""
        return xg.nn.functional.mse(self, target)

    def sum(self, axis: Any = None, keepdims: bool = False) -> Self:
        """See `xgrad.sum`."""
        return xg.sum(self, axis=axis, keepdims=keepdims)

    def mean(self, axis: Any = None, keepdims: bool = False) -> Self:
        """See `xgrad.mean`."""
        return xg.mean(self, axis=axis, keepdims=keepdims)

    def prod(self, axis: Any = None, keepdims: bool = False) -> Self:
        """See `xgrad.prod`."""
        return xg.prod(self, axis=axis, keepdims=keepdims)

    def max(self, axis: Any = None, keepdims: bool = False) -> Self:
        """See `xgrad.max`."""
        return xg.max(self, axis=axis, keepdims=keepdims)

    def min(self, axis: Any = None, keepdims: bool = False) -> Self:
        """See `xgrad.min`."""
        return xg.min(self, axis=axis, keepdims=keepdims)

    def argmax(self, axis: Any = None, keepdims: bool = False) -> Self:
        """See `xgrad.argmax`."""
        return xg.argmax(self, axis=axis, keepdims=keepdims)

    def argmin(self, axis: Any = None, keepdims: bool = False) -> Self:
        """See `xgrad.argmin`."""
        return xg.argmin(self, axis=axis, keepdims=keepdims)

    def all(self, axis: Any = None, keepdims: bool = False) -> Self:
        """See `xgrad.all`."""
        return xg.all(self, axis=axis, keepdims=keepdims)

    def any(self, axis: Any = None, keepdims: bool = False) -> Self:
        """See `xgrad.any`."""
        return xg.any(self, axis=axis, keepdims=keepdims)

    def var(self, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Self:
        """See `xgrad.var`."""
        return xg.var(self, axis=axis, correction=correction, keepdims=keepdims)

    def std(self, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Self:
        """See `xgrad.std`."""
        return xg.std(self, axis=axis, correction=correction, keepdims=keepdims)

    def softmax(self, axis: int = -1) -> Self:
        """See `xgrad.softmax`."""
        return xg.softmax(self, axis=axis)

    def log_softmax(self, axis: int = -1) -> Self:
        """See `xgrad.log_softmax`."""
        return xg.log_softmax(self, axis=axis)

    def logsumexp(self, axis: Any = None, keepdims: bool = False) -> Self:
        """See `xgrad.logsumexp`."""
        return xg.logsumexp(self, axis=axis, keepdims=keepdims)

    def exp(self) -> Self:
        """See `xgrad.exp`."""
        return xg.exp(self)

    def log(self) -> Self:
        """See `xgrad.log`."""
        return xg.log(self)

    def sqrt(self) -> Self:
        """See `xgrad.sqrt`."""
        return xg.sqrt(self)

    def square(self) -> Self:
        """See `xgrad.square`."""
        return xg.square(self)

    def sin(self) -> Self:
        """See `xgrad.sin`."""
        return xg.sin(self)

    def cos(self) -> Self:
        """See `xgrad.cos`."""
        return xg.cos(self)

    def tanh(self) -> Self:
        """See `xgrad.tanh`."""
        return xg.tanh(self)

    def abs(self) -> Self:
        """See `xgrad.abs`."""
        return xg.abs(self)

    def conj(self) -> Self:
        """See `xgrad.conj`."""
        return xg.conj(self)

    def relu(self) -> Self:
        """See `xgrad.relu`."""
        return xg.relu(self)

    def sigmoid(self) -> Self:
        """See `xgrad.sigmoid`."""
        return xg.sigmoid(self)

    def gelu(self) -> Self:
        """See `xgrad.gelu`."""
        return xg.gelu(self)

    def softplus(self) -> Self:
        """See `xgrad.softplus`."""
        return xg.softplus(self)
