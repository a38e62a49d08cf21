"""`grad`, `value_and_grad`, `vjp` and `stop_gradient`: reverse-mode derivatives of a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .. import tree
from ..engine.backward import one
from ..graph.recording import mode
from ..tensor.tensor import Tensor, wrap
from .call import Call, check_callable, matching, positions
from .transformed import Transformed

__all__ = ["Grad", "ValueAndGrad", "grad", "stop_gradient", "value_and_grad", "vjp"]


def grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function that returns the gradient of the scalar function `f`.

    Parameters
    ----------
    f : callable
        Returns one real floating scalar; with `has_aux`, a pair of it and anything else.
    argnums : int or sequence of int
        The positions of the arguments to differentiate by: floating arrays, Tensors or numbers, or containers of them.
    has_aux : bool
        Whether `f` returns a pair ``(value, aux)``; then the new function returns ``(gradient, aux)``.

    Returns
    -------
    callable
        Takes the arguments of `f`. The gradient has the shape, dtype and structure of the argument (an `xgrad.nn.Module` for a
        module); it is a tuple of gradients if `argnums` is a sequence. It holds Tensors if an argument is a Tensor, else arrays
        for arrays and numbers for numbers. It is zero if the result, a Tensor or an array, does not depend on the argument.

    Raises
    ------
    GradientError
        If the result is not a scalar, or is complex.
    TypeError
        If an argument is not floating or holds no array, or if the result is neither a Tensor nor an array: a Python number
        was not computed from the arguments, or the value left the graph.
    ValueError
        If `argnums` is out of range, empty, or names an argument twice.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> xgrad.grad(lambda x: xgrad.sum(x**3))(np.array([1.0, 2.0]))
    array([ 3., 12.])
    >>> xgrad.grad(xgrad.grad(lambda x: x**3))(2.0)
    12.0
    """
    return Grad(f, argnums, has_aux)


def value_and_grad(f: Callable[..., Any], argnums: int | Sequence[int] = 0, has_aux: bool = False) -> Callable[..., Any]:
    """The function that returns the value of `f` and its gradient, from one call of `f`.

    Parameters
    ----------
    f, argnums, has_aux
        See `grad`. With `has_aux` the value is the pair ``(value, aux)``.

    Returns
    -------
    callable
        Takes the arguments of `f`, and returns the pair of value and gradient.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> from scipy.optimize import minimize
    >>> rosenbrock = lambda x: xgrad.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)
    >>> minimize(xgrad.value_and_grad(rosenbrock), np.zeros(3), jac=True).x.round(3)
    array([1., 1., 1.])
    """
    return ValueAndGrad(f, argnums, has_aux)


class ValueAndGrad(Transformed):
    """What `value_and_grad` returns. Error messages begin with `caller`."""

    def __init__(self, f: Callable[..., Any], argnums: Any = 0, has_aux: bool = False, caller: str = "value_and_grad") -> None:
        super().__init__(check_callable(caller, f))
        self.argnums, self.has_aux, self.caller = argnums, has_aux, caller

    def constructor_arguments(self) -> tuple[Any, ...]:
        return self.f, self.argnums, self.has_aux, self.caller

    def pulled(self, args: tuple[Any, ...], options: dict[str, Any]) -> tuple[Call, Any]:
        """The call and the gradient."""
        call = Call(self.caller, self.f, args, positions(self.caller, self.argnums, len(args)), options, self.has_aux)
        y = call.scalar()
        cotangents = call.pull([wrap(one(y._data))], retain=False, record=call.connected)
        gradients = call.gradients(cotangents, call.connected)
        return call, tuple(gradients) if isinstance(self.argnums, (tuple, list)) else gradients[0]

    def __call__(self, *args: Any, **options: Any) -> Any:
        call, gradient = self.pulled(args, options)
        value = call.value()
        return ((value, call.aux) if self.has_aux else value), gradient


class Grad(ValueAndGrad):
    """What `grad` returns. Error messages begin with `caller`."""

    def __init__(self, f: Callable[..., Any], argnums: Any = 0, has_aux: bool = False, caller: str = "grad") -> None:
        super().__init__(f, argnums, has_aux, caller)

    def __call__(self, *args: Any, **options: Any) -> Any:
        call, gradient = self.pulled(args, options)
        return (gradient, call.aux) if self.has_aux else gradient


def vjp(f: Callable[..., Any], *args: Any) -> tuple[Any, Callable[[Any], tuple[Any, ...]]]:
    """The value of ``f(*args)``, and its pullback: the function ``u -> J' u`` from a cotangent of the value to those of `args`.

    Parameters
    ----------
    f : callable
        Returns floating Tensors, or a container of them.
    *args
        Floating arrays, Tensors or numbers, or containers of them.

    Returns
    -------
    value, pull : tuple
        ``pull(u)`` takes a cotangent with the structure, shapes and dtypes of the value, and returns a tuple of one cotangent
        per argument. It can be called many times, and is differentiable in `u` too.

    Raises
    ------
    TypeError, ValueError
        If an argument is not floating; if `u` has another structure, shape or dtype than the value.

    Examples
    --------
    >>> import numpy as np, xgrad
    >>> y, pull = xgrad.vjp(xgrad.sin, np.array([0.0, 1.0]))
    >>> pull(np.array([1.0, 0.0]))
    (array([1., 0.]),)
    """
    pull = _Pull(f, *args)
    return pull.call.value(), pull


class _Pull:
    """The pullback that `vjp` returns. It is pickled as `f` and its arguments; unpickling calls `f` again."""

    def __init__(self, f: Callable[..., Any], *args: Any) -> None:
        self.f = f
        self.call = Call("vjp", f, args, range(len(args)), {}, False, outlives=True)
        self.names = [f"the result{path}" for path in self.call.structure.paths]

    def __call__(self, cotangents: Any) -> tuple[Any, ...]:
        call = self.call
        us = matching("vjp", "cotangent", "the result", cotangents, call.results, call.structure, self.names)
        record = bool(mode.get()) and (call.connected or any(u._node is not None for u in us))
        return tuple(call.gradients(call.pull(us, retain=True, record=record), record))

    def __reduce__(self) -> Any:
        return type(self), (self.f, *self.call.rebuild(self.call.leaves))


def stop_gradient(x: Any) -> Any:
    """`x` as a constant for every derivative: no gradient flows through it. `x` may be a container of arrays.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.grad(lambda x: x * xgrad.stop_gradient(x))(3.0)
    3.0
    """
    return tree.map(lambda leaf: leaf.detach() if isinstance(leaf, Tensor) else leaf, x)
