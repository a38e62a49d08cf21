"""Functions that users of NumPy and PyTorch reach for as methods: each is the xgrad function of its name."""

from __future__ import annotations

from typing import Any, Self

from ..graph.names import xg
from .facts import Facts

__all__ = ["Functions"]


def _options(name: str, dtype: Any, out: Any, keepdims: bool) -> tuple[Any, bool]:
    """The options `dtype` and `keepdims` of a method; `keepdims` may stand in the place of `dtype`, as in PyTorch."""
    if out is not None:
        raise TypeError(f"{name}: out is a {type(out).__name__}; the methods of a tensor return a new one, and out must be None")
    return (None, dtype) if isinstance(dtype, bool) else (dtype, keepdims)


def _keepdims(name: str, out: Any, keepdims: bool) -> bool:
    """The option `keepdims` of a method; it may stand in the place of `out`, as in PyTorch."""
    return out if isinstance(out, bool) else _options(name, None, out, keepdims)[1]


def _converted(x: Any, dtype: Any) -> Any:
    return x if dtype is None else xg.astype(x, dtype)


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

    def reshape(self, *shape: Any, order: str = "C", copy: bool | None = None) -> Self:
        """See `xgrad.reshape`; takes the shape as a tuple or as integers. The order of elements is that of C."""
        if order not in ("C", "A", "K", None):
            raise TypeError(f"reshape: order {order!r} is not supported; elements are in the order of C")
        return xg.reshape(self, tuple(shape[0]) if len(shape) == 1 and isinstance(shape[0], (tuple, list)) else shape, copy=copy)

    def flatten(self) -> Self:
        """All elements along one axis, a copy as in NumPy; `reshape` gives a view."""
        return xg.reshape(self, (-1,), copy=True)

    def transpose(self, *axes: Any) -> Self:
        """Axes in the given order, or in reverse order."""
        order = axes[0] if len(axes) == 1 and (axes[0] is None or isinstance(axes[0], (tuple, list))) else axes
        return xg.permute_dims(self, tuple(order or range(self.ndim)[::-1]))

    def clip(self, min: Any = None, max: Any = None, out: None = None) -> Self:
        """See `xgrad.clip`."""
        _options("clip", None, out, False)
        return xg.clip(self, min, max)

    def squeeze(self, axis: Any = None) -> Self:
        """Without the axes of length one, or without those named."""
        return xg.squeeze(self, tuple(i for i, n in enumerate(self.shape) if n == 1) if axis is None else axis)

    def mse(self, target: Any) -> Self:
        """The mean squared error against `target`."""
        return xg.nn.functional.mse(self, target)

    # Reductions take NumPy's arguments in NumPy's order, in which NumPy and CuPy hand them over. `out` must be None.

    def sum(self, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False) -> Self:
        """See `xgrad.sum`; ``x.sum(axis, keepdims)`` works too."""
        dtype, keepdims = _options("sum", dtype, out, keepdims)
        return xg.sum(self, axis=axis, dtype=dtype, keepdims=keepdims)

    def mean(self, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False) -> Self:
        """See `xgrad.mean`; ``x.mean(axis, keepdims)`` works too."""
        dtype, keepdims = _options("mean", dtype, out, keepdims)
        return xg.mean(_converted(self, dtype), axis=axis, keepdims=keepdims)

    def prod(self, axis: Any = None, dtype: Any = None, out: None = None, keepdims: bool = False) -> Self:
        """See `xgrad.prod`; ``x.prod(axis, keepdims)`` works too."""
        dtype, keepdims = _options("prod", dtype, out, keepdims)
        return xg.prod(self, axis=axis, dtype=dtype, keepdims=keepdims)

    def max(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Self:
        """See `xgrad.max`; ``x.max(axis, keepdims)`` works too."""
        return xg.max(self, axis=axis, keepdims=_keepdims("max", out, keepdims))

    def min(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Self:
        """See `xgrad.min`; ``x.min(axis, keepdims)`` works too."""
        return xg.min(self, axis=axis, keepdims=_keepdims("min", out, keepdims))

    def argmax(self, axis: Any = None, out: Any = None, keepdims: bool = False, *, dtype: Any = None) -> Self:
        """See `xgrad.argmax`; ``x.argmax(axis, keepdims)`` works too."""
        return _converted(xg.argmax(self, axis=axis, keepdims=_keepdims("argmax", out, keepdims)), dtype)

    def argmin(self, axis: Any = None, out: Any = None, keepdims: bool = False, *, dtype: Any = None) -> Self:
        """See `xgrad.argmin`; ``x.argmin(axis, keepdims)`` works too."""
        return _converted(xg.argmin(self, axis=axis, keepdims=_keepdims("argmin", out, keepdims)), dtype)

    def all(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Self:
        """See `xgrad.all`; ``x.all(axis, keepdims)`` works too."""
        return xg.all(self, axis=axis, keepdims=_keepdims("all", out, keepdims))

    def any(self, axis: Any = None, out: Any = None, keepdims: bool = False) -> Self:
        """See `xgrad.any`; ``x.any(axis, keepdims)`` works too."""
        return xg.any(self, axis=axis, keepdims=_keepdims("any", out, keepdims))

    def var(
        self, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0.0, keepdims: bool = False,
        *, correction: float | None = None,
    ) -> Self:  # fmt: skip
        """See `xgrad.var`; `ddof` is NumPy's name for `correction`."""
        dtype, keepdims = _options("var", dtype, out, keepdims)
        correction = ddof if correction is None else correction
        return xg.var(_converted(self, dtype), axis=axis, correction=correction, keepdims=keepdims)

    def std(
        self, axis: Any = None, dtype: Any = None, out: None = None, ddof: float = 0.0, keepdims: bool = False,
        *, correction: float | None = None,
    ) -> Self:  # fmt: skip
        """See `xgrad.std`; `ddof` is NumPy's name for `correction`."""
        dtype, keepdims = _options("std", dtype, out, keepdims)
        correction = ddof if correction is None else correction
        return xg.std(_converted(self, dtype), axis=axis, correction=correction, keepdims=keepdims)

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
