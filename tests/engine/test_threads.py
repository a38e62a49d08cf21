"""Threads that share leaves: no gradient is lost, whenever Python switches from one to another."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor


@pytest.fixture(autouse=True)
def _switching_all_the_time() -> Iterator[None]:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def in_threads(run: Callable[[], Any], threads: int = 8) -> None:
    errors: list[BaseException] = []

    def guarded() -> None:
        try:
            run()
        except BaseException as error:
            errors.append(error)

    started = [threading.Thread(target=guarded) for _ in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    assert not errors, errors


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("shape", [(), (3,), (400, 300)])
def test_no_gradient_is_lost(shape: tuple[int, ...], create_graph: bool) -> None:
    x, other = (Tensor(np.ones(shape), requires_grad=True) for _ in range(2))
    times = 20 if len(shape) == 2 else 100

    def run() -> None:
        for _ in range(times):
            xgrad.sum(x * 2.0 + other).backward(create_graph=create_graph)

    in_threads(run)
    assert x.grad is not None and other.grad is not None
    np.testing.assert_array_equal(x.grad.detach().numpy(), np.full(shape, 2.0 * 8 * times))
    np.testing.assert_array_equal(other.grad.detach().numpy(), np.full(shape, 1.0 * 8 * times))


def test_no_gradient_is_lost_in_one_graph_that_is_walked_by_all() -> None:
    x = Tensor(np.ones(3), requires_grad=True)
    y = xgrad.sum(xgrad.exp(x * 0.0) * x)
    in_threads(lambda: [y.backward(retain_graph=True) for _ in range(50)])
    assert x.grad is not None and x.grad.tolist() == [400.0] * 3


def test_hooks_may_call_backward_again() -> None:
    x = Tensor(np.ones(3), requires_grad=True)
    other = Tensor(np.ones(3), requires_grad=True)

    def again(_: Tensor) -> None:
        with xgrad.enable_grad():
            xgrad.sum(other * 3).backward()

    x.register_post_accumulate_grad_hook(again)
    in_threads(lambda: [xgrad.sum(x).backward() for _ in range(20)])
    assert x.grad is not None and x.grad.tolist() == [160.0] * 3
    assert other.grad is not None and other.grad.tolist() == [480.0] * 3
