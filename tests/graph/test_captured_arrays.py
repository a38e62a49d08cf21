"""Arrays that belong to the user, captured by a graph as constants and written to before the walk back.

The gradient is that of what was computed, or there is an error that names the call: never that of numbers which came later.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import GradientError, Tensor

SHAPES = [(), (3,), (2, 3), (40, 50), (300, 400)]
LARGE = (300, 400)


def native(backend: str, a: np.ndarray) -> Any:
    return xgrad.backend.find_backend(backend).from_numpy(np.array(a)) if backend != "numpy" else np.array(a)


def overwrite(array: Any) -> None:
    """Write other numbers into the memory of an array, as the next batch is written into a buffer."""
    inside = getattr(array, "_array", array)
    inside[...] = inside * 0 + (1 if "int" in str(inside.dtype) or "bool" in str(inside.dtype) else 7)


USES: dict[str, Callable[[Any, Any, Any], Any]] = {
    "multiply": lambda xp, x, c: x * c,
    "multiply, the other way": lambda xp, x, c: xp.multiply(c, x),
    "divide": lambda xp, x, c: x / c,
    "pow": lambda xp, x, c: (x * x) ** c,
    "maximum": lambda xp, x, c: xp.maximum(x, c),
    "where": lambda xp, x, c: xp.where(c > 0.5, x, x * 2),
    "condition": lambda xp, x, c: xp.where(xp.astype(c, xp.bool), x, x * 2),
    "atan2": lambda xp, x, c: xp.atan2(x, c),
    "a wrapped array": lambda xp, x, c: x * xp.asarray(c, copy=False),
    "a view": lambda xp, x, c: x * xp.asarray(c, copy=False)[...],
    "an op on constants": lambda xp, x, c: x * xp.sin(xp.asarray(c, copy=False)),
}


def both(xp: Any, use: Any, host: np.ndarray, c: Any, tensors: bool, disturb: bool) -> Any:
    x = xp.asarray(np.cos(np.arange(float(host.size))).reshape(host.shape) + 2).requires_grad_()
    y = xp.sum(use(xp, x, Tensor(c) if tensors else c))
    if disturb:
        overwrite(c)
    y.backward()
    return x.grad.numpy()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("tensors", [False, True], ids=["arrays", "tensors"])
@pytest.mark.parametrize("name", USES)
def test_a_captured_constant_that_is_written_to(name: str, tensors: bool, shape: tuple[int, ...], xp: Any, backend: str) -> None:
    if backend not in ("numpy", "strict", "torch"):
        pytest.skip("arrays of this library cannot be written to, or are copied")
    host = np.sin(np.arange(float(np.prod(shape, dtype=int)))).reshape(shape) + 1.5
    wanted = both(xp, USES[name], host, native(backend, host), tensors, False)
    try:
        found = both(xp, USES[name], host, native(backend, host), tensors, True)
    except GradientError as error:
        assert "was written to after the call" in str(error) and "test_captured_arrays.py" in str(error)  # noqa: PT017
    else:
        np.testing.assert_array_equal(found, wanted)


KEYS: dict[str, Any] = {
    "integers": np.arange(3, dtype=np.int64),
    "many integers": np.arange(100_000, dtype=np.int64) % 50,
    "mask": np.arange(50) % 3 == 0,
    "pair": (np.arange(3), np.arange(3)),
    "array and slice": (slice(None), np.arange(3)),
}


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("write", [False, True], ids=["read", "write"])
def test_a_captured_index_that_is_written_to(name: str, write: bool) -> None:
    """A batch of tokens, read by an embedding, in a buffer that is filled again."""

    def gradient(disturb: bool) -> Any:
        key = copy.deepcopy(KEYS[name])
        x = Tensor(np.arange(200.0).reshape(50, 4), requires_grad=True)
        if write:
            y = x * 1.0
            y[key] = xgrad.sum(x)
        else:
            y = x[key]
        loss = xgrad.sum(y * y)
        if disturb:
            for part in key if isinstance(key, tuple) else (key,):
                if hasattr(part, "dtype"):
                    part[...] = 1
        loss.backward()
        return x.grad.numpy()

    wanted = gradient(False)
    try:
        found = gradient(True)
    except GradientError as error:
        assert "was written to after the call" in str(error)  # noqa: PT017
    else:
        np.testing.assert_array_equal(found, wanted)


@pytest.mark.parametrize("size", [100, 200_000])
def test_a_buffer_that_is_filled_for_each_batch(size: int) -> None:
    """Losses of batches that share a buffer: a sum of them is refused or right; one backward for each is right."""
    buffer = np.zeros(size)
    constant = Tensor(buffer)
    w = Tensor(np.ones(size), requires_grad=True)
    for k in (1.0, 2.0, 3.0):
        buffer[:] = k
        w.zero_grad()
        xgrad.sum(w * constant).backward()
        np.testing.assert_array_equal(w.grad.numpy(), np.full(size, k))  # what was recorded later saw the new numbers
    w.zero_grad()
    total = xgrad.sum(w * 0.0)
    for k in (1.0, 2.0, 3.0):
        buffer[:] = k
        total = total + xgrad.sum(w * constant)
    if size <= 8192:
        total.backward()
        np.testing.assert_array_equal(w.grad.numpy(), np.full(size, 6.0))
    else:
        with pytest.raises(GradientError, match="multiply .* was written to after the call"):
            total.backward()


@pytest.mark.parametrize("layout", [lambda a: a, lambda a: a.T, lambda a: a[::-1], lambda a: a[:, ::3], lambda a: a[5:200]])
def test_a_block_of_a_large_array_is_noticed_in_every_layout(layout: Any) -> None:
    """A write to 1/512 of the elements that lie one after another is found."""
    base = np.sin(np.arange(360_000.0)).reshape(600, 600)
    c = layout(base)
    x = Tensor(np.ones(c.shape), requires_grad=True)
    y = xgrad.sum(x * c)
    c[c.shape[0] // 2] += 1.0
    c[c.shape[0] // 2 + 1] += 1.0
    with pytest.raises(GradientError, match="was written to after the call"):
        y.backward()


def test_every_kind_of_walk_looks() -> None:
    c = np.ones(LARGE)

    def disturbed(f: Any) -> Any:
        def run(x: Any) -> Any:
            y = f(x)
            c[...] += 1.0
            return y

        return run

    x, t = np.ones(LARGE), np.ones(LARGE)
    for walk in (
        lambda f: xgrad.grad(f)(x),
        lambda f: xgrad.jvp(f, (x,), (t,)),
        lambda f: xgrad.vjp(f, x)[1](np.ones(())),
        lambda f: xgrad.hvp(f, (x,), (t,)),
    ):
        with pytest.raises(GradientError, match="was written to after the call"):
            walk(disturbed(lambda x: xgrad.sum(x * x * c)))


def test_what_is_noted_does_not_keep_arrays_alive_nor_grow() -> None:
    from xgrad.graph import memory

    x = Tensor(np.ones(LARGE), requires_grad=True)
    for k in range(300):
        xgrad.sum(x * np.full(LARGE, float(k))).backward()
        x.zero_grad()
    assert len(memory._captured) <= 2 * 64 + 1
    assert sum(one.array() is not None for one in memory._captured.values()) <= 2


def test_writes_after_the_walk_are_fine() -> None:
    c = np.ones(LARGE)
    x = Tensor(np.ones(LARGE), requires_grad=True)
    for k in range(3):
        c[...] = float(k)
        y = xgrad.sum(x * c)
        y.backward()
    assert x.grad.numpy()[0, 0] == 3.0


READS: dict[str, Callable[[Any, Any], Any]] = {
    "itself": lambda xp, x: x * x,
    "power": lambda xp, x: x**3,
    "a view": lambda xp, x: xp.reshape(x, (-1,)) * xp.reshape(x, (-1,)),
    "function": lambda xp, x: xp.sin(x),
}


@pytest.mark.parametrize("shape", [(1,), (3,), LARGE], ids=str)
@pytest.mark.parametrize("name", READS)
@pytest.mark.parametrize("tensors", [False, True], ids=["arrays", "tensors"])
def test_arguments_that_are_written_to_before_a_pull_or_push(
    tensors: bool, name: str, shape: tuple[int, ...], xp: Any, backend: str
) -> None:
    if backend not in ("numpy", "strict", "torch"):
        pytest.skip("arrays of this library cannot be written to, or are copied")
    host = np.sin(np.arange(float(np.prod(shape, dtype=int)))).reshape(shape) + 1.5
    f = lambda x: xp.sum(READS[name](xp, x))
    wanted = Tensor(xgrad.grad(f)(native(backend, host))).numpy()
    one, other = (native(backend, host) for _ in range(2))
    _, pull = xgrad.vjp(f, Tensor(one) if tensors else one)
    _, push = xgrad.linearize(f, Tensor(other) if tensors else other)
    overwrite(one)
    overwrite(other)
    np.testing.assert_allclose(Tensor(pull(native(backend, np.ones(())))[0]).numpy(), wanted, rtol=1e-12)
    np.testing.assert_allclose(float(push(native(backend, np.ones(shape)))), wanted.sum(), rtol=1e-10)
    if not tensors and backend == "numpy" and shape == (3,):
        rebuild, arguments = pull.__reduce__()  # what a pickle keeps
        np.testing.assert_allclose(rebuild(*arguments)(np.ones(()))[0], wanted, rtol=1e-12)
