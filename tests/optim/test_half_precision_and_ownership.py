"""Steps of parameters of half precision, and which memory a step writes into."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor, optim
from xgrad.backend import find_backend

RULES = {
    "sgd": lambda p: optim.SGD(p, lr=0.5),
    "momentum": lambda p: optim.SGD(p, lr=0.5, momentum=0.9),
    "nesterov": lambda p: optim.SGD(p, lr=0.5, momentum=0.9, nesterov=True, weight_decay=0.25),
    "adam": lambda p: optim.Adam(p, lr=0.125),
    "adam, decay": lambda p: optim.Adam(p, lr=0.125, weight_decay=0.25),
    "adamw": lambda p: optim.AdamW(p, lr=0.125),
}
DTYPES = ["float16", "bfloat16", "float32"]


def leaf(values: Any, dtype: str, backend: str) -> Tensor:
    b = find_backend(backend)
    try:
        native = b.native_dtype(dtype)
    except TypeError:
        pytest.skip(f"{backend} has no {dtype}")
    return Tensor(b.xp.astype(b.from_numpy(np.asarray(values, "float32")), native), requires_grad=True)


def host(x: Any) -> Any:
    return x.detach().numpy().astype("float64")


# ------------------------------------------------------------------------------------------------------ half precision


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("size", [0.0, 1e-7, 1e-4, 1.0, 300.0, 60000.0])
def test_steps_are_those_of_float64(rule: str, dtype: str, size: float, backend: str) -> None:
    if size == 60000.0 and "adam" not in rule:
        size = 6000.0  # so that float16 holds the parameter after the steps
    p = leaf([1.0, -2.0, 0.5], dtype, backend)
    g = leaf(np.asarray([1.0, -1.0, 0.5]) * size, dtype, backend).detach()
    exact, exact_g = Tensor(host(p), requires_grad=True), Tensor(host(g))
    optimizer, reference = RULES[rule]([p]), RULES[rule]([exact])
    for _ in range(2):
        before = host(p)
        p.grad, exact.grad = g, exact_g
        optimizer.step()
        exact.data[:] = before  # so that rounding errors do not add up
        reference.step()
        np.testing.assert_allclose(host(p), exact.data, rtol={"bfloat16": 2.0**-8, "float16": 2.0**-11}.get(dtype, 1e-5))
        assert p.dtype.name == dtype
    state = optimizer.state_dict()["state"]
    assert {x.dtype.name for x in state.values()} <= {"float32"}


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_the_state_is_saved_and_goes_on_in_float32(dtype: str, backend: str) -> None:
    p, q = (leaf([1.0, 2.0], dtype, backend) for _ in range(2))
    g = leaf([1e-4, 3e-4], dtype, backend).detach()
    one, other = optim.Adam([p]), optim.Adam([q])
    p.grad = q.grad = g
    one.step()
    q.data = p.data
    saved = one.state_dict()
    other.load_state_dict(saved)
    for name, value in other.state_dict()["state"].items():
        assert value.dtype.name == "float32"
        np.testing.assert_array_equal(value.numpy(), saved["state"][name].numpy())
    one.step(), other.step()
    np.testing.assert_array_equal(host(p), host(q))
    # An earlier version saved the state in the dtype of the parameter.
    saved["state"] = {name: xgrad.astype(value, dtype) for name, value in saved["state"].items()}
    other.load_state_dict(saved)
    other.step()
    assert {x.dtype.name for x in other.state_dict()["state"].values()} == {"float32"} and np.isfinite(host(q)).all()


@pytest.mark.parametrize("rule", [optim.sgd(lr=0.5, momentum=0.9), optim.adam(), optim.adamw()])
def test_pure_updates_of_half_precision(rule: optim.Rule) -> None:
    p, g = np.asarray([1.0, 2.0], "float16"), np.asarray([0.0, 300.0], "float16")
    moved, state = rule.update(p, g, rule.init(p), 1)
    assert moved.dtype == "float16" and all(s.dtype == "float32" for s in (*state, *rule.init(p)))
    assert moved[0] == pytest.approx(1.0, abs=1e-3) and 1e-4 < 2 - moved[1] and p[1] == 2


@pytest.mark.parametrize(("dtype", "size"), [("float16", 300.0), ("bfloat16", 1e25), ("float32", 1e25), ("float32", 1e-30)])
def test_clipping_scales_before_it_squares(dtype: str, size: float, backend: str) -> None:
    p, q = leaf([1.0, 2.0], dtype, backend), leaf([1.0], "float32", backend)
    p.grad = leaf([3 * size, 4 * size], dtype, backend).detach()
    q.grad = leaf([12 * size], "float32", backend).detach()
    limit = 6.5 * size
    norm = optim.clip_grad_norm([p, q], limit)
    rtol = {"bfloat16": 2.0**-7, "float16": 2.0**-10}.get(dtype, 1e-6)
    assert norm.item() == pytest.approx(13 * size, rel=rtol) and norm.dtype.name == "float32"
    np.testing.assert_allclose(host(p.grad) / size, [1.5, 2.0], rtol=2 * rtol)
    np.testing.assert_allclose(host(q.grad) / size, [6.0], rtol=2 * rtol)
    assert p.grad.dtype == p.dtype


def test_the_norm_of_gradients_is_that_of_the_widest_dtype() -> None:
    p, q = Tensor(np.ones(2, "float32"), requires_grad=True), Tensor(np.ones(2), requires_grad=True)
    p.grad, q.grad = xgrad.zeros_like(p), Tensor(np.asarray([3e160, 4e160]))
    assert optim.clip_grad_norm([p, q], 1.0).item() == pytest.approx(5e160)
    np.testing.assert_allclose(q.grad.data, [0.6, 0.8])


# --------------------------------------------------------------------------------------------------------- which memory

MAKERS: dict[str, Any] = {
    "Tensor(array)": lambda a: Tensor(a, requires_grad=True),
    "asarray(array)": lambda a: xgrad.asarray(a).requires_grad_(),
    "Tensor(array) of a module": lambda a: module(weight=Tensor(a, requires_grad=True)).weight,
    "Parameter(array)": lambda a: xgrad.nn.Parameter(a),
    "p.data = array": lambda a: assigned(a),
    "load_state_dict": lambda a: loaded(a),
    "astype(array)": lambda a: Tensor(a, dtype=xgrad.float64, requires_grad=True),
    "of another tensor's data": lambda a: Tensor(Tensor(a, requires_grad=True).data, requires_grad=True),
    "of a detached tensor": lambda a: Tensor(a).detach().requires_grad_(),
    "a transposed array": lambda a: Tensor(a.T, requires_grad=True),
    "an array that is broadcast": lambda a: Tensor(np.broadcast_to(a, (3, *a.shape)), requires_grad=True),
}


def module(**tensors: Any) -> Any:
    result = xgrad.nn.Module()
    for name, x in tensors.items():
        setattr(result, name, x)
    return result


def assigned(a: Any) -> Tensor:
    p = Tensor(np.ones_like(a), requires_grad=True)
    p.data = a
    return p


def loaded(a: Any) -> Any:
    result = module(weight=Tensor(np.ones_like(a), requires_grad=True))
    result.load_state_dict({"weight": a})
    return result.weight


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("maker", MAKERS)
def test_an_optimizer_writes_into_no_array_of_the_user(maker: str, rule: str) -> None:
    array = np.asarray([1.0, -2.0])
    runs = []
    for _ in range(2):
        p = MAKERS[maker](array)
        optimizer = RULES[rule]([p])
        for _ in range(3):
            optimizer.zero_grad()
            xgrad.sum(p * p).backward()
            gradient = p.grad.data
            kept = gradient.copy()
            optimizer.step()
            np.testing.assert_array_equal(gradient, kept)
        runs.append(p.data.copy())
        np.testing.assert_array_equal(array, [1.0, -2.0])
    assert not np.array_equal(runs[0], np.broadcast_to(array, runs[0].shape))
    np.testing.assert_array_equal(*runs)


def test_an_array_assigned_between_steps_stays_as_it_was(backend: str) -> None:
    b = find_backend(backend)
    p = Tensor(b.from_numpy(np.asarray([1.0, 2.0])), requires_grad=True)
    optimizer = optim.SGD([p], lr=0.5)
    array = b.from_numpy(np.asarray([5.0, 6.0]))
    for _ in range(2):
        p.data = array
        p.grad = xgrad.ones_like(p.detach())
        optimizer.step()
        np.testing.assert_array_equal(b.to_numpy(array), [5.0, 6.0])
        np.testing.assert_array_equal(host(p), [4.5, 5.5])


def test_two_parameters_made_of_one_array_move_by_themselves() -> None:
    array = np.asarray([1.0, 2.0])
    p, q = Tensor(array, requires_grad=True), Tensor(array, requires_grad=True)
    optimizer = optim.SGD([p, q], lr=1.0)
    p.grad, q.grad = Tensor(np.asarray([1.0, 1.0])), Tensor(np.asarray([0.5, 0.0]))
    optimizer.step()
    np.testing.assert_array_equal(p.data, [0.0, 1.0])
    np.testing.assert_array_equal(q.data, [0.5, 2.0])


def test_a_tensor_shares_its_array_until_an_optimizer_takes_it() -> None:
    array = np.asarray([1.0, 2.0])
    p = Tensor(array, requires_grad=True)
    assert p.data is array
    optimizer = optim.SGD([p], lr=1.0)
    mine = p.data
    assert mine is not array
    for _ in range(3):  # from now on it is written in place
        p.grad = Tensor(np.ones(2))
        optimizer.step()
        assert p.data is mine
    optim.Adam([p])
    assert p.data is mine
    p.data -= 1.0
    assert p.data is mine


def test_a_graph_recorded_before_an_optimizer_took_the_parameter_keeps_its_values() -> None:
    p = Tensor(np.asarray([1.0, 2.0]), requires_grad=True)
    y = xgrad.sum(p * p)
    optimizer = optim.SGD([p], lr=1.0)
    y.backward()
    optimizer.step()
    np.testing.assert_array_equal(p.data, [-1.0, -2.0])


def test_states_are_loaded_and_saved_as_copies() -> None:
    p = Tensor(np.asarray([1.0, 2.0]), requires_grad=True)
    optimizer = optim.SGD([p], lr=1.0, momentum=0.5)
    p.grad = Tensor(np.ones(2))
    optimizer.step()
    loaded_state = {"groups": [{}], "steps": {"0": 1}, "state": {"0.momentum": np.asarray([1.0, 1.0])}}
    optimizer.load_state_dict(loaded_state)
    saved_state = optimizer.state_dict()
    optimizer.step()
    np.testing.assert_array_equal(loaded_state["state"]["0.momentum"], [1.0, 1.0])
    np.testing.assert_array_equal(saved_state["state"]["0.momentum"].data, [1.0, 1.0])


def test_nan_and_infinite_gradients_of_half_precision_stay_so(backend: str) -> None:
    p = leaf([1.0, 1.0, 1.0], "float16", backend)
    p.grad = leaf([math.nan, 0.0, 1.0], "float16", backend).detach()
    optim.Adam([p]).step()
    assert np.isnan(host(p)).tolist() == [True, False, False]
