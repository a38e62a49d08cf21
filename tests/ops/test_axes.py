"""Functions with an axis, on 0-d and empty arrays: NumPy's value and the right gradient, or an error at the call.

Each function of the namespace that has a parameter `axis` is called with every kind of axis, also with wrong ones. If a call
accepts an axis, its gradient and second derivative must exist.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import GradientError, Tensor

from ..harness.backends import SLOW

SHAPES: list[tuple[int, ...]] = [(), (0,), (1,), (3,), (0, 3), (3, 0), (1, 1), (2, 3)]
LEFT_OUT = object()
AXES: list[Any] = [LEFT_OUT, None, 0, -1, 1, -2, (), (0,), (0, 1), (0, 0), 5]
MORE: dict[str, list[tuple[Any, ...]]] = {
    "repeat": [(2,), (0,), (np.array([2]),)],
    "roll": [(1,), (0,)],
    "take": [([0],), ([],)],
    "quantile": [(0.5,), ([0.2, 0.5],)],
    "percentile": [(50.0,)],
    "nanquantile": [(0.5,)],
    "nanpercentile": [(50.0,)],
}
TWICE = {"vecdot", "cross"}  # called with one array as both arguments
LISTS = {"concat", "stack"}
NUMPYS = {
    "concat": "concatenate", "cumulative_sum": "cumsum", "cumulative_prod": "cumprod", "permute_dims": "transpose", "unstack": "",
}  # fmt: skip
# Calls that NumPy accepts beyond the standard, or refuses although there is a value.
REFUSED = {"cumulative_sum", "cumulative_prod", "sort", "squeeze", "take", "median", "nanmedian", "nanquantile", "nanpercentile"}
REFUSED_WITH = {("cross", None)}  # NumPy 2.5 takes None for the last axis
ACCEPTED = {"average", "median", "nanmedian", "quantile", "percentile", "nanquantile", "nanpercentile", "vector_norm"}
PYTHONS = ("tuple index", "not supported between", "by zero")  # internal messages that do not help a user
CLEAR = (ValueError, IndexError, TypeError, GradientError, RuntimeError)


def functions() -> list[str]:
    numeric = []
    for part in ("", "linalg.", "fft."):
        module: Any = getattr(xgrad, part[:-1]) if part else xgrad
        for name in module.__all__:
            function = getattr(module, name)
            if callable(function) and not isinstance(function, type) and "axis" in inspect.signature(function).parameters:
                numeric.append(part + name)
    return sorted(set(numeric) - {"take_along_axis", "tensordot", "gradient"})


def called(module: Any, name: str, x: Any, axis: Any, more: tuple[Any, ...]) -> Any:
    function, last = module, name.rpartition(".")[2]
    for part in name.split("."):
        function = getattr(function, part)
    options = {} if axis is LEFT_OUT else {"axis": axis}
    if last in LISTS or last == "concatenate":
        return function([x, x], **options)
    return function(x, x, **options) if last in TWICE else function(x, *more, **options)


def cases(name: str) -> Iterator[tuple[np.ndarray, Any, tuple[Any, ...]]]:
    for more in MORE.get(name.rpartition(".")[2], [()]):
        for shape in SHAPES:
            for axis in AXES:
                yield np.asarray(np.linspace(0.3, 1.7, int(np.prod(shape))).reshape(shape)), axis, more


def outputs(result: Any) -> list[Any]:
    return [y for y in (result if isinstance(result, (tuple, list)) else [result]) if isinstance(y, Tensor)]


def weighted(xp: Any, result: Any) -> Any:
    parts = [y for y in outputs(result) if y.dtype.inexact]
    return sum(xp.sum(xp.real(y) * xp.asarray(np.cos(np.arange(y.size)).reshape(y.shape) + 1.5)) for y in parts)


def slope(f: Callable[[np.ndarray], float], a: np.ndarray) -> np.ndarray:
    numeric, step = np.zeros(a.shape), 1e-6
    for at in np.ndindex(a.shape):
        bump = np.zeros(a.shape)
        bump[at] = step
        numeric[at] = (f(np.asarray(a + bump)) - f(np.asarray(a - bump))) / (2 * step)
    return numeric


@pytest.mark.filterwarnings("ignore")  # NumPy warns about means of empty arrays
@pytest.mark.parametrize("name", functions())
def test_values_are_numpys_or_the_call_is_refused(name: str) -> None:
    part, _, last = name.rpartition(".")
    theirs = f"{part}.{NUMPYS.get(last, last)}".strip(".")
    known = NUMPYS.get(last, last) and hasattr(getattr(np, part) if part else np, NUMPYS.get(last, last))
    for a, axis, more in cases(name):
        case = f"{name} of {a.shape}, axis {axis if axis is not LEFT_OUT else 'left out'}, {more}"
        wanted: Any = None
        if known:
            try:
                wanted = called(np, theirs, a, axis, more)
            except Exception:
                wanted = None
        try:
            result = called(xgrad, name, Tensor(a), axis, more)
        except CLEAR as error:
            result, words = None, str(error)
        if result is None:
            assert words and not any(part in words for part in PYTHONS), f"{case}: {words}"
            assert wanted is None or last in REFUSED or (last, axis) in REFUSED_WITH, f"{case}: {words}"
            continue
        if wanted is None:
            assert not known or last in ACCEPTED, f"{case} is accepted"
            continue
        for y, value in zip(outputs(result), wanted if isinstance(wanted, (tuple, list)) else [wanted]):
            assert y.shape == np.shape(value), case
            np.testing.assert_allclose(y.numpy(), value, rtol=1e-12, err_msg=case)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", functions())
def test_what_a_call_accepts_can_be_walked_back_twice(name: str, backend: str) -> None:
    if backend in SLOW:
        pytest.skip(SLOW[backend])
    xp = xgrad.namespace(backend)
    for a, axis, more in cases(name):
        case = f"{name} of {a.shape}, axis {axis if axis is not LEFT_OUT else 'left out'}, {more}"
        x = xp.asarray(a).requires_grad_()
        try:
            result = called(xp, name, x, axis, more)
        except CLEAR + (NotImplementedError,):
            continue
        if not any(y.requires_grad for y in outputs(result)):
            continue
        try:
            weighted(xp, result).backward(create_graph=True)
            first = x.grad
            assert first is not None and first.shape == a.shape, case
            if first.requires_grad:
                x.zero_grad()
                xp.sum(first * first).backward()
        except Exception as error:
            raise AssertionError(f"{case}: {error!r}") from error

        def value(v: np.ndarray, axis: Any = axis, more: Any = more) -> float:
            return float(weighted(xp, called(xp, name, xp.asarray(v), axis, more)).item())

        wanted = slope(value, a)
        np.testing.assert_allclose(first.detach().numpy(), wanted, rtol=1e-4, atol=1e-5, err_msg=case)


@pytest.mark.parametrize("order", [0, 1, 2, 3, np.inf, -np.inf])
@pytest.mark.parametrize("axis", [None, 0, -1, (), (0,)])
@pytest.mark.parametrize("keepdims", [False, True])
def test_the_norm_of_an_array_without_axes_is_its_absolute_value(order: float, axis: Any, keepdims: bool, xp: Any) -> None:
    x = xp.asarray(np.float64(-2.5)).requires_grad_()
    y = xp.linalg.vector_norm(x, axis=axis, ord=order, keepdims=keepdims)
    assert y.shape == ()
    assert y.item() == (1.0 if order == 0 else 2.5)
    y.backward(create_graph=True)
    assert x.grad.item() == (0.0 if order == 0 else -1.0)


def test_axes_and_places_that_are_not_there_are_refused_in_plain_words() -> None:
    x, nothing = Tensor(np.arange(6.0).reshape(2, 3)), Tensor(np.float64(1.0))
    calls: list[tuple[type[Exception], Callable[[], Any]]] = [
        (IndexError, lambda: np.rollaxis(x, 5)),
        (IndexError, lambda: np.rollaxis(x, 0, 7)),
        (IndexError, lambda: np.rot90(nothing)),
        (IndexError, lambda: np.rot90(x, 4, axes=(0, 2))),
        (ValueError, lambda: np.rot90(x, axes=(1, -1))),
        (IndexError, lambda: np.swapaxes(nothing, 0, 0)),
        (IndexError, lambda: np.swapaxes(x, 0, 2)),
        (IndexError, lambda: np.split(nothing, 1)),
        (ValueError, lambda: np.split(x, 0)),
        (IndexError, lambda: np.array_split(x, 2, axis=2)),
        (IndexError, lambda: np.delete(nothing, 0, axis=0)),
        (IndexError, lambda: np.insert(nothing, 0, 1.0, axis=0)),
        (IndexError, lambda: np.insert(x, 4, 1.0, axis=1)),
        (IndexError, lambda: np.insert(x, -4, 1.0, axis=1)),
        (IndexError, lambda: np.apply_along_axis(np.sum, 2, x)),
        (ValueError, lambda: np.roll(nothing, 1, ())),
        (ValueError, lambda: np.roll(x, (1, 2, 3), (0, 1))),
        (TypeError, lambda: xgrad.stack([x, x], axis=None)),
    ]
    for k, (kind, call) in enumerate(calls):
        with pytest.raises(kind) as caught:
            call()
        assert not any(part in str(caught.value) for part in (*PYTHONS, "list index", "unpack", "object cannot")), k


def test_the_shift_of_a_roll_may_be_a_list(xp: Any) -> None:
    host = np.arange(6.0).reshape(2, 3)
    x = xp.asarray(host).requires_grad_()
    y = xp.roll(x, [1, -1], axis=[0, 1])
    np.testing.assert_array_equal(y.detach().numpy(), np.roll(host, [1, -1], axis=[0, 1]))
    xp.sum(y * xp.asarray(host)).backward()
    np.testing.assert_array_equal(x.grad.numpy(), np.roll(host, (-1, 1), axis=(0, 1)))
