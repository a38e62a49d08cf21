"""Context managers of xgrad, as ``with`` statements and as decorators, of functions of every kind."""

from __future__ import annotations

import asyncio
import copy
import functools
import gc
import itertools
import pickle
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor
from xgrad.graph.recording import Recorder, mode

SCOPES: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
    "no_grad": (xgrad.no_grad, xgrad.is_grad_enabled),
    "use_backend": (lambda: xgrad.use_backend("strict"), lambda: xgrad.zeros(1).backend),
    "guard_writes": (xgrad.guard_writes, lambda: (Tensor(1.0, requires_grad=True) * 2.0 * 3.0)._node.notes is not None),
    "detect_anomaly": (xgrad.detect_anomaly, lambda: isinstance(mode.get(), Recorder)),
    "offload_to_host": (xgrad.offload_to_host, lambda: isinstance(mode.get(), Recorder)),
    "saved_tensors_hooks": (
        lambda: xgrad.saved_tensors_hooks(lambda x: x, lambda x: x),
        lambda: isinstance(mode.get(), Recorder),
    ),
}


@pytest.fixture(params=SCOPES)
def scope(request: pytest.FixtureRequest) -> Any:
    """A function that makes a scope, what it looks like inside of one, and outside, and a function that looks."""
    if request.param == "use_backend":
        pytest.importorskip("array_api_strict")
    make, look = SCOPES[request.param]
    outside = look()
    with make():
        inside = look()
    assert look() == outside != inside
    return make, inside, outside, look


def test_a_decorated_function(scope: Any) -> None:
    make, inside, outside, look = scope
    assert make()(lambda: look())() == inside and look() == outside

    @make()
    def fails() -> None:
        raise KeyError

    with pytest.raises(KeyError):
        fails()
    assert look() == outside


def test_a_decorated_generator_has_it_while_it_runs_and_its_caller_does_not(scope: Any) -> None:
    make, inside, outside, look = scope

    @make()
    def generator(start: int) -> Any:
        """Its doc."""
        seen = [look()]
        try:
            sent = yield start
            seen.append(look())
            try:
                yield sent
            except KeyError:
                seen.append(look())
            yield "caught"
            return seen
        finally:
            ended.append(look())

    ended: list[Any] = []
    assert generator.__doc__ == "Its doc."
    running = generator(1)
    assert look() == outside and next(running) == 1 and look() == outside
    assert running.send(2) == 2 and look() == outside
    assert running.throw(KeyError()) == "caught" and look() == outside
    with pytest.raises(StopIteration) as end:
        next(running)
    assert end.value.value == [inside] * 3 and look() == outside
    other = generator(1)
    next(other)
    other.close()
    abandoned = generator(1)
    next(abandoned)
    del abandoned
    gc.collect()
    assert ended == [inside] * 3 and look() == outside
    assert generator(1).close() is None


def test_other_functions_that_make_generators(scope: Any) -> None:
    make, inside, outside, look = scope

    class Source:
        def generator(self, times: int) -> Any:
            for _ in range(times):
                yield look()

        __call__ = generator

    for f in (
        make()(Source().generator),
        make()(Source()),
        make()(functools.partial(Source().generator)),
        make()(make()(Source())),
    ):
        assert [(x, look()) for x in f(2)] == [(inside, outside)] * 2


def test_decorated_generators_that_take_turns(scope: Any) -> None:
    make, inside, outside, look = scope

    def plain() -> Any:
        for _ in range(3):
            yield look()

    one, two, three = make()(plain)(), plain(), make()(plain)()
    seen = [(next(one), next(two), next(three), look()) for _ in range(3)]
    assert seen == [(inside, outside, inside, outside)] * 3


def test_decorated_coroutines_and_asynchronous_generators(scope: Any) -> None:
    make, inside, outside, look = scope

    @make()
    async def waiting(seen: list[Any]) -> str:
        for _ in range(2):
            seen.append(look())
            await asyncio.sleep(0)
        return "done"

    @make()
    async def stream() -> Any:
        try:
            sent = yield look()
            await asyncio.sleep(0)
            try:
                yield (sent, look())
            except KeyError:
                yield look()
        finally:
            await asyncio.sleep(0)
            ended.append(look())

    ended: list[Any] = []

    async def run() -> None:
        seen: list[Any] = []
        assert await asyncio.gather(waiting(seen), waiting(seen)) == ["done", "done"]
        assert seen == [inside] * 4 and look() == outside
        one, two = stream(), stream()
        assert await one.__anext__() == inside and await two.__anext__() == inside and look() == outside
        assert await one.asend(5) == (5, inside) and look() == outside
        assert await one.athrow(KeyError()) == inside
        with pytest.raises(StopAsyncIteration):
            await one.__anext__()
        await two.aclose()
        assert ended == [inside] * 2 and look() == outside
        assert [x async for x in stream()] == [inside, (None, inside)] and look() == outside
        task = asyncio.ensure_future(waiting([]))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert asyncio.iscoroutinefunction(waiting)
    asyncio.run(run())
    by_hand = waiting([])  # driven by no event loop, which would have a context of its own
    by_hand.send(None)
    assert look() == outside
    by_hand.close()


def test_with_statements_in_generators_end_in_any_order(scope: Any) -> None:
    make, inside, outside, look = scope

    def generator() -> Any:
        with make():
            yield look()
            yield look()
        yield look()

    for order in itertools.permutations(range(3)):
        running = [generator() for _ in range(3)]
        assert [next(g) for g in running] == [inside] * 3
        for k in order:
            assert next(running[k]) == inside
        for k in order:
            next(running[k])
        assert look() == outside  # nothing is left behind, whatever ended first
    outer = make()
    running = [generator()]
    outer.__enter__()
    next(running[0])
    outer.__exit__(None, None, None)
    running[0].close()
    assert look() == outside


def test_a_scope_is_entered_again_and_again_also_in_threads(scope: Any) -> None:
    make, inside, outside, look = scope
    one = make()
    for _ in range(2):
        with one:
            with one:
                assert look() == inside
            assert look() == inside
        assert look() == outside
    results: list[Any] = []

    def work() -> None:
        for _ in range(50):
            with one:
                results.append(look() == inside)
            results.append(look() == outside)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert len(results) == 400 and all(results) and look() == outside


def test_no_grad_and_enable_grad_in_each_other() -> None:
    @xgrad.enable_grad()
    def inner() -> Any:
        yield xgrad.is_grad_enabled()
        yield xgrad.is_grad_enabled()

    @xgrad.no_grad()
    def outer() -> Any:
        for x in inner():
            yield x, xgrad.is_grad_enabled()

    assert list(outer()) == [(True, False)] * 2
    with xgrad.no_grad():
        assert [(x, xgrad.is_grad_enabled()) for x in inner()] == [(True, False)] * 2

    looks = xgrad.enable_grad()(lambda: type(mode.get()).__name__)  # made while nobody watched
    with xgrad.detect_anomaly():
        assert looks() == type(mode.get()).__name__ != "bool"


def test_gradients_of_a_training_loop_that_evaluates_in_a_generator() -> None:
    w = Tensor(np.ones(3), requires_grad=True)

    @xgrad.no_grad()
    def predictions() -> Any:
        for k in range(3):
            yield xgrad.sum(w * k)

    for prediction in predictions():
        assert not prediction.requires_grad
        xgrad.sum(w * w).backward()
    assert w.grad is not None and w.grad.tolist() == [6.0] * 3


def test_scopes_are_copied_and_pickled_by_what_made_them() -> None:
    for made in (xgrad.no_grad(), xgrad.enable_grad(), xgrad.use_backend("numpy")):
        for other in (pickle.loads(pickle.dumps(made)), copy.copy(made), copy.deepcopy(made)):
            with other:
                pass
    with pickle.loads(pickle.dumps(xgrad.no_grad())):
        assert not xgrad.is_grad_enabled()


def test_a_decorated_generator_goes_on_in_the_stream_that_it_draws_from() -> None:
    draw = lambda: xgrad.random.uniform(dtype="float64").item()
    xgrad.random.seed(3)
    state = xgrad.random.get_state()
    expected = [draw() for _ in range(3)]

    @xgrad.random.replaying(state)
    def numbers() -> Any:
        for _ in range(3):
            yield draw()

    xgrad.random.seed(7)
    outside = [draw() for _ in range(3)]
    xgrad.random.seed(7)
    for _ in range(2):
        assert list(numbers()) == expected
    assert [(x, draw()) for x in numbers()] == list(zip(expected, outside))
    once = xgrad.random.replaying(state)
    for _ in range(2):
        with once:
            assert [draw(), draw()] == expected[:2]


def test_what_is_no_function_is_not_decorated() -> None:
    with pytest.raises(TypeError, match="a decorator takes a function"):
        xgrad.no_grad()(3)
    with pytest.raises(ValueError, match="no backend"):
        xgrad.use_backend("nowhere")
