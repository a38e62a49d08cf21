"""Functions of Hermitian matrices, ``v f(w) v^H`` with eigenvalues ``w`` and eigenvectors ``v``, and their derivatives.

Computed from `eigh`, they would have no derivative where eigenvalues are repeated, since the cotangents of ``w`` and ``v`` do not
determine it, and lose digits where eigenvalues are close. Here they are one op. Its derivatives of any order are sums of products
with divided differences of ``f`` (Ju. L. Daleckii and S. G. Krein, 1965), which are smooth where their arguments are equal.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Sequence
from typing import Any

from ...backend.find import inexact
from ...engine.backward import pullback
from ...engine.define import composite, op
from ...errors import GradientError
from ...graph.recording import mode, recording
from ...tensor.tensor import ArrayLike, Tensor, wrap
from ..parts.matrices import adjoint, check_square, plus_adjoint

__all__ = ["matrix_function", "logarithm", "of_hermitian", "power"]

Derivatives = Callable[[Any, Any, int], Any]
"""The derivatives of a function of numbers: called with a namespace, an array, and the order of the derivative."""


@composite
def matrix_function(xp: Any, x: ArrayLike, f: Any, /) -> Tensor:
    """A function of Hermitian matrices: ``v f(w) v^H`` with the eigenvalues ``w`` and eigenvectors ``v`` of `x`.

    Parameters
    ----------
    x : array
        Real symmetric or complex Hermitian matrices, of shape ``(..., N, N)``. Only one triangle is read, as by `eigh`.
    f : callable
        An elementwise function: it takes a real Tensor and returns a Tensor of the same shape, real or complex, computed with
        xgrad's functions. It is also called with numbers between the eigenvalues, and differentiated.

    Returns
    -------
    Tensor
        Of the shape of `x`; complex if `x` or the result of `f` is.

    Raises
    ------
    ValueError
        If `x` is not square, or `f` returns another shape.
    TypeError
        If `f` returns no floating Tensor.
    GradientError
        If `f` uses a tensor that requires grad while calls are recorded, since this tensor would get no gradient.

    Notes
    -----
    The gradient is the Hermitian part of ``v (d * (v^H g v)) v^H``, where ``d[i, j]`` is the divided difference
    ``(f(w[j]) - f(w[i])) / (w[j] - w[i])``, and ``f'(w[i])`` for equal values. It is right to every order, also for repeated and
    for close eigenvalues, where the differences are computed as integrals of a derivative of `f`. It is infinite or NaN where
    ``f'`` is, such as for the square root of a singular matrix.

    A derivative of order ``k`` takes memory for ``N**(k + 1)`` numbers.

    Examples
    --------
    >>> import xgrad
    >>> x = xgrad.Tensor([[1.0, 0.0], [0.0, 1.0]], requires_grad=True)
    >>> xgrad.linalg.matrix_function(x, xgrad.exp)[0, 1].backward()
    >>> x.grad.numpy().round(3)  # computed from eigh it would be zero
    array([[0.   , 1.359],
           [1.359, 0.   ]], dtype=float32)
    """
    check_square("matrix_function", x)
    return of_hermitian(xp, x, _Function(f))


def of_hermitian(xp: Any, x: Any, f: Derivatives) -> Any:
    """The function of Hermitian matrices `x`, Tensors or raw arrays, that has the derivatives `f`."""
    return _run(xp, [x], f)


def _run(xp: Any, arrays: list[Any], f: Derivatives) -> Any:
    """`matrix_derivative` in a rule: the op on Tensors, and its forward on raw arrays."""
    function: Any = matrix_derivative
    return function(arrays, f) if any(isinstance(x, Tensor) for x in arrays) else function.op.source(xp, arrays, f)


# ----------------------------------------------------------------------------------------------------------------- the op


@op(override=True)
def matrix_derivative(xp: Any, arrays: Sequence[ArrayLike], f: Any) -> Tensor:
    """A derivative of a function of Hermitian matrices, along some directions.

    Parameters
    ----------
    arrays : sequence of arrays
        The matrices `x`, then the directions, all of shape ``(..., N, N)``. Without directions it is the function itself.
    f : callable
        The derivatives of a function of numbers, called with a namespace, an array and the order.

    Notes
    -----
    In the basis of the eigenvectors, for m directions ``e``, it is the sum over their permutations of
    ``f[w[i], w[k], ..., w[j]] e1[i, k] ... em[.., j]``, with the divided difference of order m. The derivative by `x` has one
    more direction; the derivative by a direction has `g` in its place.

    Examples
    --------
    >>> import xgrad
    >>> exp = lambda xp, w, order: xp.exp(w)
    >>> matrix_derivative([xgrad.zeros((2, 2)), xgrad.ones((2, 2))], exp).numpy().round(3)
    array([[1., 1.],
           [1., 1.]], dtype=float32)
    """
    x, *directions = arrays
    order, n = len(directions), x.shape[-1]
    if math.prod(x.shape) == 0:
        return xp.zeros_like(x)
    w, v = xp.linalg.eigh(x)
    vh = adjoint(xp, v)
    if not order:
        y = f(xp, w, 0)
        return xp.matmul(*_alike(xp, _times(xp, v, xp.expand_dims(y, axis=-2)), vh))
    inner = [xp.matmul(*_alike(xp, xp.matmul(*_alike(xp, vh, e)), v)) for e in directions]
    difference, total = _differences(xp, f, w, order), None
    for permutation in itertools.permutations(inner):
        product = difference
        for k, e in enumerate(permutation):
            axes = (n if i in (k, k + 1) else 1 for i in range(order + 1))
            product = _times(xp, product, xp.reshape(e, (*e.shape[:-2], *axes)))
        product = xp.sum(product, axis=tuple(range(-order, -1))) if order > 1 else product
        total = product if total is None else total + product
    return xp.matmul(*_alike(xp, xp.matmul(*_alike(xp, v, total)), vh))


def _alike(xp: Any, a: Any, b: Any) -> tuple[Any, Any]:
    """Both in one data type, since some libraries do not multiply matrices of two data types."""
    if a.dtype == b.dtype:
        return a, b
    dtype = xp.result_type(a.dtype, b.dtype)
    return xp.astype(a, dtype, copy=False), xp.astype(b, dtype, copy=False)


def _times(xp: Any, a: Any, b: Any) -> Any:
    a, b = _alike(xp, a, b)
    return a * b


def _matrix_derivative_arrays(xp: Any, g: Any, arrays: Any, f: Any) -> list[Any]:
    x, *directions = arrays
    back, f = [adjoint(xp, e) for e in directions], _Conjugate.of(f)
    to_x = _run(xp, [x, g, *back], f)
    others = [[*back[:k], *back[k + 1 :]] for k in range(len(back))]
    to_directions = [_run(xp, [x, *rest[:k], g, *rest[k:]], f) for k, rest in enumerate(others)]
    return [plus_adjoint(xp, to_x) / 2, *to_directions]


matrix_derivative.vjp(arrays=_matrix_derivative_arrays)


# -------------------------------------------------------------------------------------------------- divided differences


def _differences(xp: Any, f: Derivatives, w: Any, order: int) -> Any:
    """The divided differences of `f` at all tuples of ``order + 1`` of the values `w`, with an axis for each place."""
    lead, n = w.shape[:-1], w.shape[-1]
    places = [xp.reshape(w, (*lead, *(n if i == k else 1 for i in range(order + 1)))) for k in range(order + 1)]
    spread = [xp.broadcast_to(x, (*lead, *(n,) * (order + 1))) for x in places]
    ascending = xp.sort(xp.stack(spread, axis=-1), axis=-1)
    return _divided(xp, f, [ascending[..., k] for k in range(order + 1)])[0]


def _divided(xp: Any, f: Derivatives, at: list[Any]) -> tuple[Any, Any]:
    """The elementwise divided difference at ascending places, and an estimate of its error.

    The quotient loses digits where the first and the last place are close. The integral of a derivative (Hermite and Genocchi) is
    inexact where they are far apart. Each element is the one of the two with the smaller error.
    """
    order, eps = len(at) - 1, float(xp.finfo(at[0].dtype).eps)
    if not order:
        y = f(xp, at[0], 0)
        return y, eps * xp.abs(y)
    (left, left_error), (right, right_error) = (_divided(xp, f, part) for part in (at[:-1], at[1:]))
    gap = at[-1] - at[0]
    apart = gap > 0
    gap = xp.where(apart, gap, xp.ones_like(gap))
    quotient, quotient_error = _over(xp, right - left, gap), (left_error + right_error) / gap
    coarse, fine = _integrals(xp, f, at)
    integral_error = xp.abs(fine - coarse) + eps * xp.abs(fine)
    better = apart & ~(integral_error < quotient_error)  # an integral that is NaN is not better
    return xp.where(better, quotient, fine), xp.where(better, quotient_error, integral_error)


def _over(xp: Any, a: Any, b: Any) -> Any:
    a, b = _alike(xp, a, b)
    return a / b


_POINTS = ((8, 12), (5, 7), (4, 5))
"""The numbers of Gauss-Legendre points of the coarse and of the fine integral along each axis, by order."""
_AT_ONCE = 1 << 20
"""How many numbers `f` is called with at once; more if a single point has more."""


def _integrals(xp: Any, f: Derivatives, at: list[Any]) -> list[Any]:
    """A coarse and a fine integral, between the places `at`, of the derivative of `f` over a simplex.

    The order of the derivative is the dimension of the simplex.
    """
    order = len(at) - 1
    points, totals = [], [None, None]
    for which, count in enumerate(_POINTS[min(order, len(_POINTS)) - 1]):
        for several in itertools.product(_gauss(count), repeat=order):
            weight, share, shares = 1.0, 1.0, []
            for k, (node, part) in enumerate(several):  # each share is the previous one times the node
                share *= node
                weight *= part * node ** (order - 1 - k)
                shares.append(share)
            points.append((which, weight, shares))
    steps = [b - a for a, b in itertools.pairwise(at)]
    batch = max(1, _AT_ONCE // max(1, math.prod(at[0].shape)))
    for start in range(0, len(points), batch):
        chunk = points[start : start + batch]
        places = [sum((share * step for share, step in zip(shares, steps)), at[0]) for _, _, shares in chunk]
        y = f(xp, xp.stack(places), order)
        for k, (which, weight, _) in enumerate(chunk):
            term = weight * y[k, ...]
            totals[which] = term if totals[which] is None else totals[which] + term
    return totals


@functools.cache
def _gauss(points: int) -> list[tuple[float, float]]:
    """The Gauss-Legendre nodes and weights on the interval from 0 to 1."""
    rule = []
    for k in range(points):
        x = math.cos(math.pi * (k + 0.75) / (points + 0.5))
        for _ in range(10):  # Newton's method on the Legendre polynomial
            before, now = 1.0, x
            for n in range(2, points + 1):
                before, now = now, ((2 * n - 1) * x * now - (n - 1) * before) / n
            slope = points * (x * now - before) / (x * x - 1)
            x -= now / slope
        rule.append(((1 - x) / 2, 1 / ((1 - x * x) * slope * slope)))
    return rule


# ------------------------------------------------------------------------------------------------------ derivatives of f


class _Function:
    """The derivatives of a user's function, by differentiating it."""

    def __init__(self, f: Callable[[Tensor], Any]) -> None:
        self.f = f

    def __call__(self, xp: Any, w: Any, order: int) -> Any:
        recorded = mode.get()
        with recording(True):
            x = wrap(w)
            names = x.__array_namespace__()
            if not order:
                return self._checked(x, self.f(x), bool(recorded))
            x = x.requires_grad_()
            y = self.f(x)
            is_complex = y.dtype.kind == "complex floating"
            parts = [names.real(y), names.imag(y)] if is_complex else [y]
            for _ in range(order):
                parts = [_slope(names, y, x) for y in parts]
        arrays = [y._data for y in parts]
        if not is_complex:
            return arrays[0]
        dtype = xp.result_type(w.dtype, xp.complex64)
        return xp.astype(arrays[0], dtype) + 1j * xp.astype(arrays[1], dtype)

    @staticmethod
    def _checked(x: Tensor, y: Any, recorded: bool) -> Any:
        if not isinstance(y, Tensor) or not y.dtype.inexact:
            raise TypeError(f"matrix_function: f returned {y!r:.80}; it must return a floating Tensor")
        if y.shape != x.shape:
            raise ValueError(
                f"matrix_function: f returned a Tensor of shape {tuple(y.shape)} for one of {tuple(x.shape)}; it must be "
                "elementwise"
            )
        if y._node is not None and recorded:
            raise GradientError(
                "matrix_function: f uses a tensor that requires grad, which would get no gradient; detach it, or, where no "
                "eigenvalue of x is repeated, compute v f(w) v^H from eigh"
            )
        return y._data


def _slope(names: Any, y: Tensor, x: Tensor) -> Tensor:
    """The derivative of each element of `y` by the corresponding element of `x`."""
    slope = None
    if y._node is not None and x._node is not None and inexact(y._data):
        slope = pullback([y], [names.ones_like(y)], inputs=[x._node], create_graph=True).get(x._node)
    return names.zeros_like(x.detach()) if slope is None else slope  # type: ignore[no-any-return]


class _Conjugate:
    """The complex conjugates of derivatives."""

    def __init__(self, f: Derivatives) -> None:
        self.f = f

    def __call__(self, xp: Any, w: Any, order: int) -> Any:
        y = self.f(xp, w, order)
        return xp.conj(y) if xp.isdtype(y.dtype, "complex floating") else y

    @staticmethod
    def of(f: Derivatives) -> Derivatives:
        """The conjugates of the derivatives `f`; conjugates of conjugates are the original."""
        return f.f if isinstance(f, _Conjugate) else _Conjugate(f)


def logarithm(xp: Any, w: Any, order: int) -> Any:
    """The derivatives of ``log``."""
    return xp.log(w) if not order else (-1.0) ** (order - 1) * math.factorial(order - 1) * w ** float(-order)


def power(p: float) -> Derivatives:
    """The derivatives of ``w ** p``."""

    def derivatives(xp: Any, w: Any, order: int) -> Any:
        factor = math.prod((p - k for k in range(order)), start=1.0)
        return factor * w ** (p - order) if factor else xp.zeros_like(w)

    return derivatives
