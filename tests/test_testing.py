"""`check_grads` passes what is right, and says where what is wrong is wrong."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad.testing import check_grads

BOTH = ("rev", "fwd")


def test_what_is_right_passes(xp: Any, device: Any) -> None:
    x = xp.asarray([[0.5, 1.0], [2.0, -1.0]], dtype=xp.float64, device=device)
    check_grads(lambda x, y: xgrad.tanh(x @ y) * y, (x, x + 0.25), modes=BOTH)


def test_complex_and_third_order() -> None:
    check_grads(lambda z: xgrad.exp(z) * xgrad.real(z), (np.array([1 + 2j, 0.5 - 1j]),), modes=BOTH)
    check_grads(lambda x: xgrad.sin(x) * x, (np.array([0.5, 1.0]),), order=3, modes=BOTH)


def test_containers() -> None:
    pytest.importorskip("optree")
    check_grads(lambda p: (p["a"] * p["b"], xgrad.exp(p["a"])), ({"a": np.ones(2), "b": np.ones(2)},), modes=BOTH)


@xgrad.op
def wrong(xp: Any, x1: xgrad.ArrayLike, x2: xgrad.ArrayLike, /) -> xgrad.Tensor:
    return x1 * x2 * x2


wrong.vjp(x1=lambda g, x2: g * x2 * x2, x2=lambda g, x1, x2: g * x1 * x2)  # the second lacks a 2
xgrad.graph.names.registry.pop("wrong")  # the suite's own tests count the ops


@pytest.mark.parametrize(
    "mode, match",
    [("rev", r"wrong: its derivative of order 1 by argument 1 at index \(0,\) is"), ("fwd", "forward, of result 0 at index")],
)
def test_what_is_wrong_is_named(mode: str, match: str) -> None:
    with pytest.raises(AssertionError, match=match):
        check_grads(wrong, (np.array([1.0, 2.0]), np.array([3.0, 4.0])), modes=(mode,))


def test_numbers_and_what_is_not_floating_are_arguments_too() -> None:
    check_grads(lambda x, n, word, k: x[k] ** n * len(word), (np.array([1.5, 2.0]), 3, "word", np.array(1)))
    check_grads(lambda x, z: x * xgrad.real(z), (1.5, 2.0 + 1.0j))
    with pytest.raises(TypeError, match="no argument of <lambda> is floating"):
        check_grads(lambda n: n, (3,))


def test_several_wrong_numbers_are_counted() -> None:
    with pytest.raises(AssertionError, match=r"at index \(0,\) is .* \(2 of 2 numbers differ\)"):
        check_grads(wrong, (np.array([1.0, 2.0]), np.array([3.0, 4.0])), order=1, modes=("rev",))


def test_directions_that_are_not_each_other_s_transpose() -> None:
    @xgrad.op
    def nearly(xp: Any, x: xgrad.ArrayLike, /) -> xgrad.Tensor:
        return x * 2

    nearly.vjp(x=lambda g: g * (2 + 1e-8))  # less wrong than differences can tell
    nearly.jvp(x=lambda t: t * 2)
    xgrad.graph.names.registry.pop("nearly")
    with pytest.raises(
        AssertionError, match="nearly: .* of order 1: forward and reverse mode are not each other's transpose: <u, J"
    ):
        check_grads(nearly, (np.ones(2),))


def test_array_api_strict_too() -> None:
    pytest.importorskip("array_api_strict")

    @xgrad.op
    def careless(xp: Any, x: xgrad.ArrayLike, /) -> xgrad.Tensor:
        return x * x

    careless.vjp(x=lambda g, x: g * x * np.asarray([2.0, 2.0]))
    xgrad.graph.names.registry.pop("careless")
    with pytest.raises(TypeError) as caught:
        check_grads(careless, (np.ones(2),), order=1, modes=("rev",))
    assert any("on backend 'strict'" in note for note in caught.value.__notes__)
    check_grads(careless, (np.ones(2),), order=1, modes=("rev",), backends=("numpy",))
    check_grads(lambda x: np.full((2, 2), 3.0) @ x, (np.ones(2),))  # cannot be called there, and is left alone
    with pytest.raises(TypeError, match="two backends"):
        check_grads(lambda x: np.full((2, 2), 3.0) @ x, (np.ones(2),), backends=("strict",))
    with pytest.raises(ValueError, match="no backend 'nowhere'"):
        check_grads(xgrad.sin, (np.ones(2),), backends=("nowhere",))


def test_what_bad_input_gets() -> None:
    with pytest.raises(TypeError, match="argument 0 is of dtype float32"):
        check_grads(xgrad.sin, (np.ones(2, dtype=np.float32),))
    with pytest.raises(ValueError, match="modes are"):
        check_grads(xgrad.sin, (np.ones(2),), modes=("forward",))
