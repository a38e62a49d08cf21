"""`detect_anomaly` names the op, the argument, the line and the values where something that is not finite was born."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor, detect_anomaly

# ruff: noqa: E501  (a case is a line)

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


def run(f: Any, *values: Any, **options: Any) -> Any:
    xs = [Tensor(np.array(v, dtype=np.float64), requires_grad=True) for v in values]
    with detect_anomaly(**options):
        y = xgrad.sum(f(*xs))
    y.backward()
    return [x.grad.tolist() if x.grad is not None else None for x in xs]


inverted = xgrad.custom_vjp(lambda x: x)
inverted.defvjp(lambda x: (x, x), lambda x, g: (g / (x - 1),))


@pytest.mark.parametrize(
    "f, values, match",
    [
        (lambda x: xgrad.log(x), [[1.0, -1.0]], r"log \(called at .*test_anomaly.py:\d+\) gave nan from finite .*index \(1,\) x is -1.0"),
        (lambda x, y: x / y, [[[1.0], [2.0]], [1.0, 0.0]], r"divide .* gave inf .* at index \(0, 1\) x1 is 1.0 and x2 0.0\. Do not"),
        (lambda x: xgrad.exp(x), [[800.0]], r"exp .* gave inf from finite arguments; at index \(0,\) x is 800.0. It overflows"),
        (lambda x: x * np.array([1.0, np.nan]), [[1.0, 2.0]], r"multiply .* was given nan: its argument x2 is nan at index \(1,\). It is a"),
        (lambda x: x * 2.0, [np.nan], "multiply .* was given nan: its argument x1 is nan. It is a tensor of yours"),
        (lambda x: xgrad.concat([x, x / 0.0]), [[1.0]], "divide .* gave inf from finite"),
        (lambda x: xgrad.concat([x, np.array([np.nan])]), [[1.0]], r"concat .* was given nan: its argument arrays\[1\]"),
        (lambda x: xgrad.where(x > 0, xgrad.sqrt(x), 0.0), [[1.0, 0.0]],
         r"gradient of sqrt .*_anomaly.py:\d+\) in its argument x is nan, though .* finite; at index \(1,\) the cotangent is 0.0 and the o"),
        (inverted, [[1.0]], r"gradient of <lambda> .* in its argument arrays is inf, though the cotangent and the saved arrays"),
        (xgrad.checkpoint(lambda x: xgrad.log(x - 1)), [[1.0]], r"log .* gave inf from finite arguments; at index \(0,\) x is 0.0"),
        (lambda x: xgrad.exp(x) - xgrad.exp(x), [[-np.inf, np.inf]], "subtract .* gave nan from infinite arguments"),
    ],
)  # fmt: skip
def test_what_is_named(f: Any, values: Any, match: str) -> None:
    with pytest.raises(FloatingPointError, match=match):
        run(f, *values)


def test_each_backend(xp: Any, device: Any) -> None:
    x = xp.asarray([1.0, 0.0], dtype=xp.float64, device=device).requires_grad_()
    with detect_anomaly():
        with pytest.raises(FloatingPointError, match=r"log .* gave inf from finite arguments; at index \(1,\) x is 0.0"):
            xgrad.log(x)
        y = xgrad.sum(xgrad.sqrt(x))
    with pytest.raises(FloatingPointError, match=r"gradient of sqrt .* is inf"):
        y.backward()


def test_what_is_fine_is_left_alone() -> None:
    f = lambda x, y: xgrad.softmax(xgrad.where(np.array([True, False, True]), x, -np.inf)) * xgrad.unstack(xgrad.sort(y))[0]
    x, y = [1.0, 2.0, 3.0], [3.0, 1.0, 2.0]
    plain = [Tensor(np.array(v), requires_grad=True) for v in (x, y)]
    xgrad.sum(f(*plain)).backward()
    np.testing.assert_allclose(run(f, x, y), [v.grad.tolist() for v in plain if v.grad is not None])


def test_infinities_left_out() -> None:
    assert run(lambda x: xgrad.exp(x), [800.0, 0.0], infinities=False) == [[np.inf, 1.0]]
    with pytest.raises(FloatingPointError, match="multiply .* gave nan from infinite arguments"):
        run(lambda x: xgrad.exp(x) * 0.0, [800.0], infinities=False)


def test_higher_orders_and_transforms() -> None:
    f = lambda x: xgrad.sum(x**1.5)
    with detect_anomaly():
        assert xgrad.grad(f)(np.zeros(2)).tolist() == [0.0, 0.0]
        with pytest.raises(FloatingPointError, match="pow"):
            xgrad.grad(lambda x: xgrad.sum(xgrad.grad(f)(x)))(np.zeros(2))


def test_under_vmap() -> None:
    f = xgrad.vmap(xgrad.grad(lambda x: xgrad.sum(xgrad.sqrt(x))))
    with detect_anomaly():
        np.testing.assert_allclose(f(np.full((3, 2), 4.0)), 0.25)
        with pytest.raises(FloatingPointError, match=r"gradient of sqrt .* is inf, .* at index \(1, 0\) the cotangent is 1.0"):
            f(np.array([[1.0, 2.0], [0.0, 3.0]]))


def test_outside_nothing_is_looked_at_and_nothing_leaks() -> None:
    gc.collect()
    gc.disable()
    try:
        x = Tensor(np.array([1.0, 0.0]), requires_grad=True)
        with detect_anomaly():
            y = x * 2.0
        assert y._node.op is not xgrad.multiply.op and xgrad.log(x)._node.op is xgrad.log.op
        ref = weakref.ref(y)
        array = weakref.ref(y._data)
        del y
        assert ref() is None and array() is None
    finally:
        gc.enable()
