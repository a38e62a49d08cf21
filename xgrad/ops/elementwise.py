"""Elementwise functions and their derivatives."""

from __future__ import annotations

from typing import Any
from collections.abc import Sequence

from ..engine import ArrayLike, Tensor, op, composite


@op(scalars=True)
def add(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Sum."""
    return x1 + x2


add.vjp(x1=lambda g: g, x2=lambda g: g)


@op(scalars=True)
def subtract(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Difference."""
    return x1 - x2


subtract.vjp(x1=lambda g: g, x2=lambda g: -g)


@op(scalars=True)
def multiply(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Product."""
    return x1 * x2


multiply.vjp(x1=lambda g, x2: g * x2, x2=lambda g, x1: g * x1)


@op(scalars=True)
def divide(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Quotient."""
    return x1 / x2


divide.vjp(x1=lambda g, x2: g / x2, x2=lambda g, x2, y: -g * y / x2)


@op(scalars=True)
def pow(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    return x1**x2


pow.vjp(x1=lambda g, x1, x2: g * x2 * x1 ** (x2 - 1))


@op
def exp(xp: Any, x: ArrayLike, /) -> Tensor:
    return xp.exp(x)


exp.vjp(x=lambda g, y: g * y)


@op
def tanh(xp: Any, x: ArrayLike, /) -> Tensor:
    return xp.tanh(x)


tanh.vjp(x=lambda g, y: g * (1 - y * y))


@op
def negative(xp: Any, x: ArrayLike, /) -> Tensor:
    return -x


negative.vjp(x=lambda g: -g)


@op
def maximum(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    return xp.maximum(x1, x2)


@op
def relu(xp: Any, x: ArrayLike, /) -> Tensor:
    return xp.maximum(x, xp.zeros_like(x))


relu.vjp(x=lambda xp, g, y: xp.where(y > 0, g, xp.zeros_like(g)))


@op
def greater(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    return x1 > x2


greater.not_differentiable()


@op
def where(xp: Any, condition: ArrayLike, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    return xp.where(condition, x1, x2)


where.vjp(
    x1=lambda xp, g, condition: xp.where(condition, g, xp.zeros_like(g)),
    x2=lambda xp, g, condition: xp.where(condition, xp.zeros_like(g), g),
)


@op
def sum(xp: Any, x: ArrayLike, /, *, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    return xp.sum(x, axis=axis, dtype=dtype, keepdims=keepdims)


sum.vjp(x=lambda xp, g, x_shape, axis, keepdims: xp.broadcast_to(g, x_shape))


@op
def broadcast_to(xp: Any, x: ArrayLike, /, shape: Any) -> Tensor:
    return xp.broadcast_to(x, shape)


broadcast_to.vjp(x=lambda g: g)


@op
def reshape(xp: Any, x: ArrayLike, /, shape: Any, *, copy: Any = None) -> Tensor:
    return xp.reshape(x, shape, copy=copy)


reshape.vjp(x=lambda xp, g, x_shape: xp.reshape(g, x_shape))
reshape.view(lambda xp, x, v, shape, copy: xp.reshape(v, x.shape))


@op
def astype(xp: Any, x: ArrayLike, dtype: Any, /, *, copy: bool = True, device: Any = None) -> Tensor:
    return xp.astype(x, dtype, copy=copy)


astype.vjp(x=lambda g: g)


@op
def ones_like(xp: Any, x: ArrayLike, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    return xp.ones_like(x, dtype=dtype)


ones_like.not_differentiable()


@op
def zeros_like(xp: Any, x: ArrayLike, /, *, dtype: Any = None, device: Any = None) -> Tensor:
    return xp.zeros_like(x, dtype=dtype)


zeros_like.not_differentiable()


@op(override=True)
def new_zeros(xp: Any, x: ArrayLike, /, shape: Any, *, dtype: Any = None) -> Tensor:
    return xp.zeros(shape, dtype=x.dtype if dtype is None else dtype, device=xp.__backend__.device(x))


new_zeros.not_differentiable()


@op
def unstack(xp: Any, x: ArrayLike, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    return xp.unstack(x, axis=axis)


unstack.vjp(x=lambda xp, g, axis: xp.stack(g, axis=axis))


@op
def stack(xp: Any, arrays: Sequence[ArrayLike], /, *, axis: int = 0) -> Tensor:
    return xp.stack(arrays, axis=axis)


stack.vjp(arrays=lambda xp, g, axis: xp.unstack(g, axis=axis))


@composite
def std2(xp, x, /):
    return xp.sum(x * xp.tanh(x))
