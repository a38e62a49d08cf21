"""The elementwise functions of the standard and their derivatives.

Below, ``g`` is the cotangent of the result and ``y`` the result. For complex arrays the derivative of a holomorphic function is
conjugated, so that gradients have PyTorch's convention: they point in the direction of steepest ascent.
"""

from __future__ import annotations

import math
import operator
from typing import Any

from ..backend.fusing import fusable
from ..engine.define import op
from ..graph.kinds import is_complex, takes_real
from ..tensor.tensor import ArrayLike, Tensor
from .parts.safe import one_where, outward
from .parts.texts import takes

__all__ = [
    "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and", "bitwise_left_shift",
    "bitwise_invert", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil", "clip", "conj", "copysign", "cos", "cosh",
    "divide", "equal", "exp", "expm1", "floor", "floor_divide", "greater", "greater_equal", "hypot", "imag", "isfinite",
    "isinf", "isnan", "less", "less_equal", "log", "log1p", "log2", "log10", "logaddexp", "logical_and", "logical_not",
    "logical_or", "logical_xor", "maximum", "minimum", "multiply", "negative", "nextafter", "not_equal", "positive", "pow",
    "real", "reciprocal", "remainder", "round", "sign", "signbit", "sin", "sinh", "square", "sqrt", "subtract", "tan", "tanh",
    "trunc", "zero_where_not",
]  # fmt: skip


# ----------------------------------------------------------------------------------------------------------- arithmetic


@op(scalars=True, elementwise=True)
@takes("numeric")
def add(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Sum.

    The gradient is ``g`` for both.

    >>> add(Tensor([1.0, 2.0]), 0.5)
    Tensor([1.5, 2.5])
    """
    return x1 + x2


add.vjp(x1=lambda g: g, x2=lambda g: g)


@op(scalars=True, elementwise=True)
@takes("numeric")
def subtract(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Difference.

    The gradient is ``g`` for `x1` and ``-g`` for `x2`.

    >>> subtract(Tensor([1.0, 2.0]), 0.5)
    Tensor([0.5, 1.5])
    """
    return x1 - x2


subtract.vjp(x1=lambda g: g, x2=lambda g: -g)


@op(scalars=True, elementwise=True)
@takes("numeric")
def multiply(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Product.

    The gradient is ``g x2`` for `x1` and ``g x1`` for `x2`.

    >>> multiply(Tensor([1.0, 2.0]), 0.5)
    Tensor([0.5, 1. ])
    """
    return x1 * x2


multiply.holomorphic(
    x1=lambda g, x2: g * x2,
    x2=lambda g, x1: g * x1,
)


@op(scalars=True, elementwise=True)
@takes("floating-point")
def divide(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Quotient.

    The gradient is ``g / x2`` for `x1` and ``-g y / x2`` for `x2`, infinite or NaN where `x2` is zero.

    >>> divide(Tensor([1.0, 2.0]), 4)
    Tensor([0.25, 0.5 ])
    """
    return x1 / x2


divide.holomorphic(
    x1=lambda g, x2: g / x2,
    x2=lambda g, x2, y: -g * (y / x2),
)


@op(scalars=True, elementwise=True)
@takes_real
@takes("real-valued")
def floor_divide(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Quotient, rounded down. For infinities, where libraries differ, it is that of the standard: ``inf // 2`` is infinite.

    The gradient is zero; it does not exist where the quotient jumps.

    >>> floor_divide(Tensor([5.0, -5.0]), 2)
    Tensor([ 2., -3.])
    """
    y = xp.floor_divide(x1, x2)
    if not xp.isdtype(y.dtype, "real floating"):
        return y
    return xp.where((operator.abs(x1) == math.inf) | (operator.abs(x2) == math.inf), x1 / x2, y)


floor_divide.zero_gradient()


@op(scalars=True, elementwise=True)
@takes_real
@takes("real-valued")
def remainder(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Remainder of the division rounded down, with the sign of `x2`.

    The gradient is ``g`` for `x1` and ``-g floor(x1 / x2)`` for `x2`; it does not exist where the quotient jumps.

    >>> remainder(Tensor([5.0, -5.0]), 3)
    Tensor([2., 1.])
    """
    return xp.remainder(x1, x2)


remainder.vjp(x1=lambda g: g, x2=lambda xp, g, x1, x2: -g * xp.floor_divide(x1, x2))


@op(elementwise=True)
@takes("numeric")
def negative(xp: Any, x: ArrayLike, /) -> Tensor:
    """Negative.

    The gradient is ``-g``.

    >>> negative(Tensor([1.0, -2.0]))
    Tensor([-1.,  2.])
    """
    return -x


negative.vjp(x=lambda g: -g)


@op(elementwise=True)
@takes("numeric")
def positive(xp: Any, x: ArrayLike, /) -> Tensor:
    """The array itself.

    The gradient is ``g``.

    >>> positive(Tensor([1.0, -2.0]))
    Tensor([ 1., -2.])
    """
    return +x


positive.vjp(x=lambda g: g)


@op(elementwise=True)
@takes("floating-point")
def reciprocal(xp: Any, x: ArrayLike, /) -> Tensor:
    """One divided by `x`.

    The gradient is ``-g y**2``, infinite where `x` is zero.

    >>> reciprocal(Tensor([2.0, 4.0]))
    Tensor([0.5 , 0.25])
    """
    return xp.reciprocal(x)


reciprocal.holomorphic(x=lambda g, y: -g * (y * y))


# ------------------------------------------------------------------------------------- powers, exponentials, logarithms


@op(elementwise=True)
@takes("numeric")
def square(xp: Any, x: ArrayLike, /) -> Tensor:
    """Square.

    The gradient is ``2 g x``.

    >>> square(Tensor([2.0, 3.0]))
    Tensor([4., 9.])
    """
    return x * x


square.holomorphic(x=lambda g, x: g * (2 * x))


@op(elementwise=True)
@takes("floating-point")
def sqrt(xp: Any, x: ArrayLike, /) -> Tensor:
    """Square root.

    The gradient is ``g / (2 y)``, infinite where `x` is zero.

    >>> sqrt(Tensor([4.0, 9.0]))
    Tensor([2., 3.])
    """
    return xp.sqrt(x)


sqrt.holomorphic(x=lambda g, y: g / (2 * y))


@op(elementwise=True)
@takes_real
@takes("real floating-point")
def hypot(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Length of the hypotenuse, ``sqrt(x1**2 + x2**2)``, without overflow.

    The gradient is ``g x1 / y`` for `x1` and ``g x2 / y`` for `x2`; at the kink (0, 0) it is 0.

    >>> hypot(Tensor([3.0, 5.0]), Tensor([4.0, 12.0]))
    Tensor([ 5., 13.])
    """
    return xp.hypot(x1, x2)


hypot.vjp(
    x1=lambda xp, g, x1, x2: g * xp.over_hypot(x1, x2),
    x2=lambda xp, g, x1, x2: g * xp.over_hypot(x2, x1),
)


def radius(xp: Any, x1: Any, x2: Any) -> tuple[Any, Any]:
    """``part * hypot(x1, x2)``, or 1 at the origin, and ``part``, which is 0.5 or 1 so that the product does not overflow."""
    size = xp.maximum(xp.abs(x1), xp.abs(x2))
    part = xp.where(size > 1, xp.full_like(size, 0.5), xp.ones_like(size))
    r = xp.hypot(x1 * part, x2 * part)
    return one_where(xp, r == 0, r), part


@op(elementwise=True)
def over_hypot(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """``x1 / hypot(x1, x2)``, and 0 at the origin.

    With ``r = hypot(x1, x2)`` the gradient is ``g x2**2 / r**3`` for `x1` and ``-g x1 x2 / r**3`` for `x2`. It avoids the
    difference of squares of the quotient rule.

    >>> over_hypot(Tensor([3.0]), Tensor([4.0]))
    Tensor([0.6])
    """
    r, part = radius(xp, x1, x2)
    return x1 * part / r


def over_radius(xp: Any, x: Any, x1: Any, x2: Any) -> Any:
    """``x / hypot(x1, x2)``, and `x` at the origin; `x` must not be large."""
    r, part = radius(xp, x1, x2)
    return x / r * part


over_hypot.vjp(
    x1=lambda xp, g, x1, x2: g * over_radius(xp, xp.over_hypot(x2, x1) ** 2, x1, x2),
    x2=lambda xp, g, x1, x2: -g * over_radius(xp, xp.over_hypot(x1, x2) * xp.over_hypot(x2, x1), x1, x2),
)


@op(scalars=True, elementwise=True)
@takes("numeric")
def pow(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """`x1` to the power `x2`.

    The gradient is ``g x2 x1**(x2 - 1)`` for `x1`, and 0 where both are zero; it is ``g y log(x1)`` for `x2`, and 0 where
    `x1` is zero and `x2` is not negative. For `x2` it is NaN where `x1` is negative, since the power of a negative number
    exists only for isolated exponents.

    >>> pow(Tensor([2.0, 3.0]), 2)
    Tensor([4., 9.])
    """
    return x1**x2


def pow_x1(xp: Any, g: Any, x1: Any, x2: Any) -> Any:
    """The cotangent of the base."""
    if hasattr(x2, "dtype"):
        x1 = one_where(xp, (x1 == 0) & (x2 == 0), x1)
        return g * (x2 * x1 ** (x2 - 1))
    if x2 == 0:
        return xp.zeros_like(g)
    if x2 == 1:
        return g
    return g * (x2 * (x1 if x2 == 2 else x1 ** (x2 - 1)))


def pow_x2(xp: Any, g: Any, x1: Any, x2: Any, y: Any) -> Any:
    """The cotangent of the exponent."""
    if not hasattr(x1, "dtype"):
        if not isinstance(x1, complex) and x1 > 0:
            return g * (y * math.log(x1))
        x1 = xp.full_like(y, x1)
    elif x1.dtype != y.dtype:
        x1 = xp.astype(x1, y.dtype)  # for a complex power, the logarithm of a negative number is complex
    flat = (x1 == 0) & (xp.real(x2) >= 0)
    return g * (y * xp.log(one_where(xp, flat, x1)))


pow.holomorphic(x1=pow_x1, x2=pow_x2)


@op(elementwise=True)
@takes("floating-point")
def exp(xp: Any, x: ArrayLike, /) -> Tensor:
    """Exponential.

    The gradient is ``g y``.

    >>> exp(Tensor([0.0, 1.0]))
    Tensor([1..., 2.7182...])
    """
    return xp.exp(x)


exp.holomorphic(x=lambda g, y: g * y)


@op(elementwise=True)
@takes("floating-point")
def expm1(xp: Any, x: ArrayLike, /) -> Tensor:
    """``exp(x) - 1``, precise also where `x` is small.

    The gradient is ``g exp(x)``. It is computed from `x`, since ``y + 1`` is not precise in the tail.

    >>> expm1(Tensor([0.0, 1e-8]))
    Tensor([0.e+00, 1.e-08])
    """
    return xp.expm1(x)


expm1.holomorphic(x=lambda xp, g, x: g * xp.exp(x))


@op(elementwise=True)
@takes("floating-point")
def log(xp: Any, x: ArrayLike, /) -> Tensor:
    """Natural logarithm.

    The gradient is ``g / x``, infinite where `x` is zero.

    >>> log(Tensor([1.0, 2.0]))
    Tensor([0..., 0.6931...])
    """
    return xp.log(x)


log.holomorphic(x=lambda g, x: g / x)


@op(elementwise=True)
@takes("floating-point")
def log1p(xp: Any, x: ArrayLike, /) -> Tensor:
    """``log(1 + x)``, precise also where `x` is small.

    The gradient is ``g / (1 + x)``, infinite where `x` is -1.

    >>> log1p(Tensor([0.0, 1e-8]))
    Tensor([0.e+00, 1.e-08])
    """
    return xp.log1p(x)


log1p.holomorphic(x=lambda g, x: g / (1 + x))


@op(elementwise=True)
@takes("floating-point")
def log2(xp: Any, x: ArrayLike, /) -> Tensor:
    """Logarithm to base 2.

    The gradient is ``g / (x log(2))``, infinite where `x` is zero.

    >>> log2(Tensor([1.0, 8.0]))
    Tensor([0., 3.])
    """
    return xp.log2(x)


log2.holomorphic(x=lambda g, x: g / (x * math.log(2)))


@op(elementwise=True)
@takes("floating-point")
def log10(xp: Any, x: ArrayLike, /) -> Tensor:
    """Logarithm to base 10.

    The gradient is ``g / (x log(10))``, infinite where `x` is zero.

    >>> log10(Tensor([0.1, 10.0]))
    Tensor([-1.,  1.])
    """
    return xp.log10(x)


log10.holomorphic(x=lambda g, x: g * (1 / math.log(10)) / x)  # x * log(10) may overflow


@op(elementwise=True)
@takes_real
@takes("real floating-point")
def logaddexp(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """``log(exp(x1) + exp(x2))``, without overflow.

    The gradient is ``g sigmoid(x1 - x2)`` for `x1` and ``g sigmoid(x2 - x1)`` for `x2`. Where both are ``-inf`` it is 0; where
    both are ``inf`` it is ``g``.

    >>> logaddexp(Tensor([100.0]), Tensor([100.0]))
    Tensor([100.693...])
    """
    return xp.logaddexp(not_far_below(xp, x1, x2), not_far_below(xp, x2, x1))


def not_far_below(xp: Any, x: Any, other: Any) -> Any:
    """`x`, but 0 where `x` is negative and `other` so large that ``exp(x)`` does not count: their difference is then finite."""
    return xp.where((other > 1e4) & (x < 0), xp.zeros_like(x), x)


def share(xp: Any, x: Any, other: Any) -> Any:
    """``exp(x) / (exp(x) + exp(other))``; where both are the same infinity, 1 for ``inf`` and 0 for ``-inf``."""
    same = (x == other) & xp.isinf(x)
    x, other = not_far_below(xp, x, other), not_far_below(xp, other, x)
    part = xp.sigmoid(xp.where(same, xp.zeros_like(x), x) - xp.where(same, xp.zeros_like(other), other))
    return xp.where(same, xp.where(x > 0, xp.ones_like(part), xp.zeros_like(part)), part)


logaddexp.vjp(x1=lambda xp, g, x1, x2: g * share(xp, x1, x2), x2=lambda xp, g, x1, x2: g * share(xp, x2, x1))


# --------------------------------------------------------------------------------------------------------------- angles


@op(elementwise=True)
@takes("floating-point")
def sin(xp: Any, x: ArrayLike, /) -> Tensor:
    """Sine of an angle in radians.

    The gradient is ``g cos(x)``.

    >>> sin(Tensor([0.0, 1.0]))
    Tensor([0..., 0.84147...])
    """
    return xp.sin(x)


sin.holomorphic(x=lambda xp, g, x: g * xp.cos(x))


@op(elementwise=True)
@takes("floating-point")
def cos(xp: Any, x: ArrayLike, /) -> Tensor:
    """Cosine of an angle in radians.

    The gradient is ``-g sin(x)``.

    >>> cos(Tensor([0.0, 1.0]))
    Tensor([1..., 0.5403...])
    """
    return xp.cos(x)


cos.holomorphic(x=lambda xp, g, x: -g * xp.sin(x))


@op(elementwise=True)
@takes("floating-point")
def tan(xp: Any, x: ArrayLike, /) -> Tensor:
    """Tangent of an angle in radians.

    The gradient is ``g (1 + y**2)``.

    >>> tan(Tensor([0.0, 1.0]))
    Tensor([0..., 1.5574...])
    """
    return xp.tan(x)


tan.holomorphic(x=lambda g, y: g * (1 + y * y))


@op(elementwise=True)
def one_less_square(xp: Any, x: ArrayLike, /) -> Tensor:
    """``1 - x**2``, precise near -1 and 1.

    The gradient is ``-2 g x``.

    >>> one_less_square(Tensor([0.5]))
    Tensor([0.75])
    """
    return (1 - x) * (1 + x)


one_less_square.holomorphic(x=lambda g, x: g * (-2 * x))


def over_root(xp: Any, g: Any, x: Any) -> Any:
    """``g / sqrt(1 + x**2)``, right also where the square overflows."""
    if is_complex(xp, x):
        return g / (xp.sqrt(1 + x * 1j) * xp.sqrt(1 - x * 1j))
    return g / xp.hypot(x, xp.ones_like(x))


@op(elementwise=True)
@takes("floating-point")
def asin(xp: Any, x: ArrayLike, /) -> Tensor:
    """Inverse sine, in radians.

    The gradient is ``g / sqrt(1 - x**2)``, infinite where `x` is -1 or 1.

    >>> asin(Tensor([0.0, 1.0]))
    Tensor([0..., 1.5707...])
    """
    return xp.asin(x)


asin.holomorphic(x=lambda xp, g, x: g / xp.sqrt(xp.one_less_square(x)))


@op(elementwise=True)
@takes("floating-point")
def acos(xp: Any, x: ArrayLike, /) -> Tensor:
    """Inverse cosine, in radians.

    The gradient is ``-g / sqrt(1 - x**2)``, infinite where `x` is -1 or 1.

    >>> acos(Tensor([1.0, 0.0]))
    Tensor([0..., 1.5707...])
    """
    return xp.acos(x)


acos.holomorphic(x=lambda xp, g, x: -g / xp.sqrt(xp.one_less_square(x)))


@op(elementwise=True)
@takes("floating-point")
def atan(xp: Any, x: ArrayLike, /) -> Tensor:
    """Inverse tangent, in radians.

    The gradient is ``g / (1 + x**2)``.

    >>> atan(Tensor([0.0, 1.0]))
    Tensor([0..., 0.7853...])
    """
    return xp.atan(x)


def atan_x(xp: Any, g: Any, x: Any) -> Any:
    """``g / (1 + x**2)``, right also where the square overflows."""
    if is_complex(xp, x):
        return g / (1 + x * 1j) / (1 - x * 1j)
    return over_root(xp, over_root(xp, g, x), x)


atan.holomorphic(x=atan_x)


@op(elementwise=True)
@takes_real
@takes("real floating-point")
def atan2(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """The angle of the point ``(x2, x1)``, in radians, from -pi to pi.

    The gradient is ``g x2 / (x1**2 + x2**2)`` for `x1` and ``-g x1 / (x1**2 + x2**2)`` for `x2`; at the origin, where the
    angle is not defined, it is 0.

    >>> atan2(Tensor([0.0, 1.0]), Tensor([1.0, 0.0]))
    Tensor([0..., 1.5707...])
    """
    return xp.atan2(x1, x2)


def over_square(xp: Any, x: Any, x1: Any, x2: Any) -> Any:
    """``x / (x1**2 + x2**2)`` without overflow, and `x` at the origin."""
    r, part = radius(xp, x1, x2)
    return x * part / r / r * part


atan2.vjp(
    x1=lambda xp, g, x1, x2: g * over_square(xp, x2, x1, x2),
    x2=lambda xp, g, x1, x2: -g * over_square(xp, x1, x1, x2),
)


# ----------------------------------------------------------------------------------------------------------- hyperbolic


@op(elementwise=True)
@takes("floating-point")
def sinh(xp: Any, x: ArrayLike, /) -> Tensor:
    """Hyperbolic sine.

    The gradient is ``g cosh(x)``.

    >>> sinh(Tensor([0.0, 1.0]))
    Tensor([0..., 1.1752...])
    """
    return xp.sinh(x)


sinh.holomorphic(x=lambda xp, g, x: g * xp.cosh(x))


@op(elementwise=True)
@takes("floating-point")
def cosh(xp: Any, x: ArrayLike, /) -> Tensor:
    """Hyperbolic cosine.

    The gradient is ``g sinh(x)``.

    >>> cosh(Tensor([0.0, 1.0]))
    Tensor([1..., 1.5430...])
    """
    return xp.cosh(x)


cosh.holomorphic(x=lambda xp, g, x: g * xp.sinh(x))


@op(elementwise=True)
@takes("floating-point")
def tanh(xp: Any, x: ArrayLike, /) -> Tensor:
    """Hyperbolic tangent.

    The gradient is ``g / cosh(x)**2``, by `tanh_pull`.

    >>> tanh(Tensor([0.0, 1.0]))
    Tensor([0..., 0.7615...])
    """
    return xp.tanh(x)


tanh.holomorphic(x=lambda xp, g, x, y: xp.tanh_pull(g, x, y))


@op(elementwise=True)
@fusable
def tanh_pull(xp: Any, v: ArrayLike, x: ArrayLike, t: ArrayLike, /) -> Tensor:
    """``v / cosh(x)**2``, the gradient of `tanh`; `t` is ``tanh(x)``, for libraries on which ``v * (1 - t**2)`` is faster.

    For large `x`, where `t` is rounded to 1, ``1 - t**2`` would be 0. The gradient is ``g / cosh(x)**2`` for `v`,
    ``-2 g t y`` for `x`, and 0 for `t`.

    >>> tanh_pull(Tensor([1.0, 1.0]), Tensor([0.0, 40.0]), Tensor([0.0, 1.0]))
    Tensor([1...e+00, 7.2194...e-35])
    """
    e = xp.exp(outward(xp, x))
    s = 2 * e / (1 + e * e)
    return v * (s * s)


tanh_pull.holomorphic(
    v=lambda xp, g, x, t: xp.tanh_pull(g, x, t),
    x=lambda g, t, y: g * (-2 * t * y),
    t=lambda xp, g: xp.zeros_like(g),
)


@op(elementwise=True)
@takes("floating-point")
def asinh(xp: Any, x: ArrayLike, /) -> Tensor:
    """Inverse hyperbolic sine.

    The gradient is ``g / sqrt(1 + x**2)``.

    >>> asinh(Tensor([0.0, 1.0]))
    Tensor([0..., 0.8813...])
    """
    return xp.asinh(x)


asinh.holomorphic(x=over_root)


@op(elementwise=True)
@takes("floating-point")
def acosh(xp: Any, x: ArrayLike, /) -> Tensor:
    """Inverse hyperbolic cosine.

    The gradient is ``g / (sqrt(x - 1) sqrt(x + 1))``, infinite where `x` is 1. The root of ``x**2 - 1`` would have the wrong
    sign in the left half of the complex plane.

    >>> acosh(Tensor([1.0, 2.0]))
    Tensor([0..., 1.3169...])
    """
    return xp.acosh(x)


acosh.holomorphic(x=lambda xp, g, x: g / (xp.sqrt(x - 1) * xp.sqrt(x + 1)))


@op(elementwise=True)
@takes("floating-point")
def atanh(xp: Any, x: ArrayLike, /) -> Tensor:
    """Inverse hyperbolic tangent.

    The gradient is ``g / (1 - x**2)``, infinite where `x` is -1 or 1.

    >>> atanh(Tensor([0.0, 0.5]))
    Tensor([0..., 0.5493...])
    """
    return xp.atanh(x)


def atanh_x(xp: Any, g: Any, x: Any) -> Any:
    """``g / (1 - x**2)``. For large `x`, whose square may overflow, it divides twice, which is not precise near 0."""
    far = xp.abs(x) > 2
    large = xp.where(far, x, xp.full_like(x, 2.0))
    return xp.where(far, g / (1 - large) / (1 + large), g / xp.one_less_square(xp.zero_where_not(x, ~far)))


atanh.holomorphic(x=atanh_x)


# -------------------------------------------------------------------------------------------------------- size and sign


@op(elementwise=True)
@takes("numeric", "the real dtype of the same precision")
def abs(xp: Any, x: ArrayLike, /) -> Tensor:
    """Absolute value; of a complex number, its modulus.

    The gradient is ``g sign(x)``; at the kink 0 it is 0.

    >>> abs(Tensor([-1.5, 2.0]))
    Tensor([1.5, 2. ])
    """
    return xp.abs(x)


abs.vjp(x=lambda xp, g, x: g * xp.sign(x))
abs.jvp(x=lambda xp, t, x: t * xp.conj(xp.sign(x)))


@op(override=True, elementwise=True)
@takes("numeric")
def sign(xp: Any, x: ArrayLike, /) -> Tensor:
    """-1, 0 or 1 as `x` is negative, zero or positive; of a complex number, ``x / abs(x)``.

    The gradient is zero for real numbers. For complex numbers it is the component of ``g / abs(x)`` at right angles to ``y``,
    and 0 where `x` is zero.

    >>> sign(Tensor([-1.5, 0.0, 2.0]))
    Tensor([-1.,  0.,  1.])
    """
    if not is_complex(xp, x):
        return xp.__native__.sign(x)
    r = xp.astype(xp.abs(x), x.dtype)
    return x / one_where(xp, r == 0, r)


def across(xp: Any, g: Any, x: Any, y: Any) -> Any:
    """The component of ``g / abs(x)`` at right angles to ``y``; zero for real numbers."""
    if not is_complex(xp, x):
        return xp.zeros_like(g)
    r = xp.abs(x)
    g = g / one_where(xp, r == 0, r)
    return xp.zero_where_not(g - xp.real(g * xp.conj(y)) * y, r != 0)


sign.vjp(x=across)


@op(elementwise=True)
@takes_real
@takes("real floating-point")
def copysign(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """The size of `x1` with the sign of `x2`.

    The gradient for `x1` is ``g``, with its sign changed where the sign of `x1` changed, and 0 where `x1` is 0. For `x2` it is
    zero.

    >>> copysign(Tensor([1.0, 2.0]), Tensor([-3.0, 0.0]))
    Tensor([-1.,  2.])
    """
    return xp.copysign(x1, x2)


copysign.vjp(
    x1=lambda xp, g, x1, y: g * (xp.sign(x1) * xp.sign(y)),
    x2=lambda xp, g: xp.zeros_like(g),
)


@op(elementwise=True)
@takes_real
@takes("real-valued")
def maximum(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """The greater of two numbers; NaN if either is.

    The gradient is ``g`` for the greater and zero for the other; where they are equal, each gets half of it.

    >>> maximum(Tensor([1.0, 5.0]), Tensor([2.0, 3.0]))
    Tensor([2., 5.])
    """
    return xp.maximum(x1, x2)


def winner(xp: Any, g: Any, wins: Any, ties: Any) -> Any:
    """`g` where this argument is the result, and half of it where both are."""
    return xp.where(ties, g * 0.5, xp.zero_where_not(g, wins))


maximum.vjp(
    x1=lambda xp, g, x1, x2: winner(xp, g, x1 > x2, x1 == x2),
    x2=lambda xp, g, x1, x2: winner(xp, g, x2 > x1, x1 == x2),
)


@op(elementwise=True)
@takes_real
@takes("real-valued")
def minimum(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """The lesser of two numbers; NaN if either is.

    The gradient is ``g`` for the lesser and zero for the other; where they are equal, each gets half of it.

    >>> minimum(Tensor([1.0, 5.0]), Tensor([2.0, 3.0]))
    Tensor([1., 3.])
    """
    return xp.minimum(x1, x2)


minimum.vjp(
    x1=lambda xp, g, x1, x2: winner(xp, g, x1 < x2, x1 == x2),
    x2=lambda xp, g, x1, x2: winner(xp, g, x2 < x1, x1 == x2),
)


@op(scalars=True, elementwise=True)
@takes_real
def clip(xp: Any, x: ArrayLike, /, min: ArrayLike | None = None, max: ArrayLike | None = None) -> Tensor:
    """`x` limited to the interval from `min` to `max`.

    The gradient is ``g`` for `x` between the bounds and on them; elsewhere it is ``g`` for the bound that is the result.

    Parameters
    ----------
    x : array
        Of a real-valued data type.
    min, max : array, scalar or None
        The bounds, which broadcast with `x` and should be of its dtype; None for no bound. Where `min` is greater than
        `max` the result is `max`, and where a bound is NaN it is NaN.

    Returns
    -------
    Tensor
        Of the shape that the arguments broadcast to and of the dtype of `x`.

    Raises
    ------
    ValueError
        If the shapes do not broadcast.

    Examples
    --------
    >>> clip(Tensor([-1.0, 0.5, 2.0]), 0, 1)
    Tensor([0. , 0.5, 1. ])
    """
    return xp.clip(x, min, max)


def at_min(xp: Any, x: Any, min: Any, max: Any) -> Any:
    """Where the result of a clip is the lower bound."""
    at = (x < min) | (min != min)
    return at if max is None else at & (at_max(xp, x, min, max) == False)  # noqa: E712  (~ of Python's bool is a number)


def at_max(xp: Any, x: Any, min: Any, max: Any) -> Any:
    """Where the result of a clip is the upper bound."""
    at = x > max
    if min is not None:
        at = (at | ((x == x) & (min > max))) & (min == min)
    return at | (max != max)


def clip_x(xp: Any, g: Any, x: Any, min: Any, max: Any) -> Any:
    """The cotangent of `x`."""
    # Where the lower bound is above the upper one, `x` is outside of one of them.
    out = None
    if min is not None:
        out = (x < min) | (min != min)
    if max is not None:
        above = (x > max) | (max != max)
        out = above if out is None else out | above
    return g if out is None else xp.zero_where_not(g, ~out)


clip.vjp(
    x=clip_x,
    min=lambda xp, g, x, min, max: xp.zero_where_not(g, at_min(xp, x, min, max)),
    max=lambda xp, g, x, min, max: xp.zero_where_not(g, at_max(xp, x, min, max)),
)


# ------------------------------------------------------------------------------------------------------------- rounding


@op(elementwise=True)
@takes_real
@takes("real-valued")
def ceil(xp: Any, x: ArrayLike, /) -> Tensor:
    """The least integer that is not less than `x`.

    The gradient is zero; it does not exist where the result jumps.

    >>> ceil(Tensor([-1.5, 1.75]))
    Tensor([-1.,  2.])
    """
    return xp.ceil(x)


ceil.zero_gradient()


@op(elementwise=True)
@takes_real
@takes("real-valued")
def floor(xp: Any, x: ArrayLike, /) -> Tensor:
    """The greatest integer that is not greater than `x`.

    The gradient is zero; it does not exist where the result jumps.

    >>> floor(Tensor([-1.5, 1.75]))
    Tensor([-2.,  1.])
    """
    return xp.floor(x)


floor.zero_gradient()


@op(elementwise=True)
@takes("numeric")
def round(xp: Any, x: ArrayLike, /) -> Tensor:
    """`x` rounded to the nearest integer, halves to the even one.

    The gradient is zero; it does not exist where the result jumps.

    >>> round(Tensor([-1.5, 1.75]))
    Tensor([-2.,  2.])
    """
    return xp.round(x)


round.zero_gradient()


@op(elementwise=True)
@takes_real
@takes("real-valued")
def trunc(xp: Any, x: ArrayLike, /) -> Tensor:
    """`x` rounded to an integer towards zero.

    The gradient is zero; it does not exist where the result jumps.

    >>> trunc(Tensor([-1.5, 1.75]))
    Tensor([-1.,  1.])
    """
    return xp.trunc(x)


trunc.zero_gradient()


# ------------------------------------------------------------------------------------------------------ complex numbers

# These replace the libraries' functions, which copy real arrays or refuse them.


@op(override=True, elementwise=True)
@takes("numeric")
def conj(xp: Any, x: ArrayLike, /) -> Tensor:
    """Complex conjugate; a real array is returned as it is.

    The gradient is ``conj(g)``.

    >>> conj(Tensor([1 + 2j]))
    Tensor([1.-2.j]...)
    """
    return xp.__native__.conj(x) if is_complex(xp, x) else x


conj.vjp(x=lambda xp, g: xp.conj(g))
conj.linear()


@op(override=True, elementwise=True)
@takes("numeric", "the real dtype of the same precision")
def real(xp: Any, x: ArrayLike, /) -> Tensor:
    """Real part, a view: writing to it writes to `x`. For a real array it is `x`.

    The gradient is ``g``.

    >>> real(Tensor([1 + 2j]))
    Tensor([1.])
    """
    return xp.__native__.real(x) if is_complex(xp, x) else x


real.vjp(x=lambda g: g)
real.linear()


@op(override=True, elementwise=True)
def joined(xp: Any, re: ArrayLike, im: ArrayLike, /) -> Tensor:
    """The complex numbers with the real part `re` and the imaginary part `im`, which have one real dtype."""
    return xp.__backend__.from_parts(re, im)


joined.vjp(re=lambda xp, g: xp.real(g), im=lambda xp, g: xp.imag(g))
joined.jvp(re=lambda t: t, im=lambda t: t * 1j)

real.view(lambda xp, x, v: joined(v, xp.imag(x)) if is_complex(xp, x) else v)


@op(override=True, elementwise=True)
@takes("numeric", "the real dtype of the same precision")
def imag(xp: Any, x: ArrayLike, /) -> Tensor:
    """Imaginary part, a view: writing to it writes to `x`. For a real array it is zero and cannot be written to.

    The gradient is ``1j g``.

    >>> imag(Tensor([1 + 2j]))
    Tensor([2.])
    """
    return xp.__native__.imag(x) if is_complex(xp, x) else xp.zeros_like(x)


imag.vjp(x=lambda g: g * 1j)
imag.linear()


def _imag_written(xp: Any, x: Any, v: Any) -> Any:
    if not is_complex(xp, x):
        raise ValueError(
            f"writing: a tensor of {x.dtype.name} has no imaginary part to write to; convert it to a complex dtype first"
        )
    return joined(xp.real(x), v)


imag.view(_imag_written)


# ----------------------------------------------------------------------------------------------------------------- bits


@op(scalars=True, elementwise=True)
@takes_real(kinds="integers and booleans")
@takes("boolean or integer")
def bitwise_and(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Bitwise and.

    >>> bitwise_and(Tensor([6, 5]), 3)
    Tensor([2, 1])
    """
    return x1 & x2


bitwise_and.not_differentiable()


@op(scalars=True, elementwise=True)
@takes_real(kinds="integers and booleans")
@takes("boolean or integer")
def bitwise_or(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Bitwise or.

    >>> bitwise_or(Tensor([6, 5]), 3)
    Tensor([7, 7])
    """
    return x1 | x2


bitwise_or.not_differentiable()


@op(scalars=True, elementwise=True)
@takes_real(kinds="integers and booleans")
@takes("boolean or integer")
def bitwise_xor(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Bitwise exclusive or.

    >>> bitwise_xor(Tensor([6, 5]), 3)
    Tensor([5, 6])
    """
    return x1 ^ x2


bitwise_xor.not_differentiable()


@op(elementwise=True)
@takes_real(kinds="integers and booleans")
@takes("boolean or integer")
def bitwise_invert(xp: Any, x: ArrayLike, /) -> Tensor:
    """Bitwise inversion.

    >>> bitwise_invert(Tensor([True, False]))
    Tensor([False,  True])
    """
    return ~x


bitwise_invert.not_differentiable()


@op(scalars=True, elementwise=True)
@takes_real(kinds="integers")
@takes("integer")
def bitwise_left_shift(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """The bits of `x1`, moved to the left by `x2` places.

    >>> bitwise_left_shift(Tensor([6, 5]), 3)
    Tensor([48, 40])
    """
    return x1 << x2


bitwise_left_shift.not_differentiable()


@op(scalars=True, elementwise=True)
@takes_real(kinds="integers")
@takes("integer")
def bitwise_right_shift(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """The bits of `x1`, moved to the right by `x2` places; the sign is kept.

    >>> bitwise_right_shift(Tensor([6, 5]), 3)
    Tensor([0, 0])
    """
    return x1 >> x2


bitwise_right_shift.not_differentiable()


# ---------------------------------------------------------------------------------------------------------- comparisons


@op(scalars=True, elementwise=True)
@takes("any", "dtype bool, which carries no gradient")
def equal(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Whether elements are equal.

    >>> equal(Tensor([1.0, 2.0, 3.0]), 2)
    Tensor([False,  True, False])
    """
    return x1 == x2


equal.not_differentiable()


@op(scalars=True, elementwise=True)
@takes("any", "dtype bool, which carries no gradient")
def not_equal(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Whether elements differ.

    >>> not_equal(Tensor([1.0, 2.0, 3.0]), 2)
    Tensor([ True, False,  True])
    """
    return x1 != x2


not_equal.not_differentiable()


@op(scalars=True, elementwise=True)
@takes_real
@takes("real-valued", "dtype bool, which carries no gradient")
def less(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Whether `x1` is less than `x2`.

    >>> less(Tensor([1.0, 2.0, 3.0]), 2)
    Tensor([ True, False, False])
    """
    return x1 < x2


less.not_differentiable()


@op(scalars=True, elementwise=True)
@takes_real
@takes("real-valued", "dtype bool, which carries no gradient")
def less_equal(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Whether `x1` is less than or equal to `x2`.

    >>> less_equal(Tensor([1.0, 2.0, 3.0]), 2)
    Tensor([ True,  True, False])
    """
    return x1 <= x2


less_equal.not_differentiable()


@op(scalars=True, elementwise=True)
@takes_real
@takes("real-valued", "dtype bool, which carries no gradient")
def greater(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Whether `x1` is greater than `x2`.

    >>> greater(Tensor([1.0, 2.0, 3.0]), 2)
    Tensor([False, False,  True])
    """
    return x1 > x2


greater.not_differentiable()


@op(scalars=True, elementwise=True)
@takes_real
@takes("real-valued", "dtype bool, which carries no gradient")
def greater_equal(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Whether `x1` is greater than or equal to `x2`.

    >>> greater_equal(Tensor([1.0, 2.0, 3.0]), 2)
    Tensor([False,  True,  True])
    """
    return x1 >= x2


greater_equal.not_differentiable()


# ---------------------------------------------------------------------------------------------------------------- logic


@op(elementwise=True)
@takes("boolean", "dtype bool, which carries no gradient")
def logical_and(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Whether both are true.

    >>> logical_and(Tensor([True, False]), Tensor([True, True]))
    Tensor([ True, False])
    """
    return xp.logical_and(x1, x2)


logical_and.not_differentiable()


@op(elementwise=True)
@takes("boolean", "dtype bool, which carries no gradient")
def logical_or(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Whether one or both are true.

    >>> logical_or(Tensor([True, False]), Tensor([True, True]))
    Tensor([ True,  True])
    """
    return xp.logical_or(x1, x2)


logical_or.not_differentiable()


@op(elementwise=True)
@takes("boolean", "dtype bool, which carries no gradient")
def logical_xor(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """Whether exactly one is true.

    >>> logical_xor(Tensor([True, False]), Tensor([True, True]))
    Tensor([False,  True])
    """
    return xp.logical_xor(x1, x2)


logical_xor.not_differentiable()


@op(elementwise=True)
@takes("boolean", "dtype bool, which carries no gradient")
def logical_not(xp: Any, x: ArrayLike, /) -> Tensor:
    """Whether `x` is false.

    >>> logical_not(Tensor([True, False]))
    Tensor([False,  True])
    """
    return xp.logical_not(x)


logical_not.not_differentiable()


@op(elementwise=True)
@takes("numeric", "dtype bool, which carries no gradient")
def isfinite(xp: Any, x: ArrayLike, /) -> Tensor:
    """Whether `x` is neither infinite nor NaN.

    >>> isfinite(Tensor([1.0, -float("inf"), float("nan")]))
    Tensor([ True, False, False])
    """
    return xp.isfinite(x)


isfinite.not_differentiable()


@op(elementwise=True)
@takes("numeric", "dtype bool, which carries no gradient")
def isinf(xp: Any, x: ArrayLike, /) -> Tensor:
    """Whether `x` is infinite.

    >>> isinf(Tensor([1.0, -float("inf"), float("nan")]))
    Tensor([False,  True, False])
    """
    return xp.isinf(x)


isinf.not_differentiable()


@op(elementwise=True)
@takes("numeric", "dtype bool, which carries no gradient")
def isnan(xp: Any, x: ArrayLike, /) -> Tensor:
    """Whether `x` is NaN.

    >>> isnan(Tensor([1.0, -float("inf"), float("nan")]))
    Tensor([False, False,  True])
    """
    return xp.isnan(x)


isnan.not_differentiable()


@op(elementwise=True)
@takes_real
@takes("real floating-point", "dtype bool, which carries no gradient")
def signbit(xp: Any, x: ArrayLike, /) -> Tensor:
    """Whether the sign bit of `x` is set, as it is for -0.0.

    >>> signbit(Tensor([1.0, -0.0]))
    Tensor([False,  True])
    """
    return xp.signbit(x)


signbit.not_differentiable()


@op(elementwise=True)
@takes_real
@takes("real floating-point")
def nextafter(xp: Any, x1: ArrayLike, x2: ArrayLike, /) -> Tensor:
    """The next representable number after `x1` in the direction of `x2`.

    The result carries no gradient.

    >>> nextafter(Tensor([0.0]), Tensor([1.0])) > 0
    Tensor([ True])
    """
    return xp.nextafter(x1, x2)


nextafter.not_differentiable()


@op(elementwise=True)
def zero_where_not(xp: Any, x: ArrayLike, condition: ArrayLike, /) -> Tensor:
    """`x` where `condition` holds and zero elsewhere, also where `x` is infinite or NaN.

    It is ``where(condition, x, 0)``, for which a library may have a faster way.

    >>> import xgrad
    >>> zero_where_not(xgrad.Tensor([1.0, xgrad.inf]), xgrad.Tensor([True, False]))
    Tensor([1., 0.])
    """
    return xp.where(condition, x, xp.new_zeros(x, ()))


zero_where_not.vjp(x=lambda xp, g, condition: xp.zero_where_not(g, condition))
