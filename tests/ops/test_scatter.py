"""Writing and adding at indices: every kind of index, every shape and layout of the value, against a loop in Python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import xgrad
from xgrad.backend import find_backend

from ..harness.backends import SLOW

UPDATES: dict[str, Callable[[float, float], float]] = {
    "set": lambda old, new: new,
    "add": lambda old, new: old + new,
    "subtract": lambda old, new: old - new,
    "multiply": lambda old, new: old * new,
    "divide": lambda old, new: old / new,
    "max": max,
    "min": min,
}
run = settings(deadline=None, suppress_health_check=list(HealthCheck))


@st.composite
def cases(draw: Any, masks: bool = True) -> tuple[tuple[int, ...], Any, tuple[int, ...]]:
    """A shape, an index into it, and a shape that broadcasts to that of the place."""
    shape = tuple(draw(st.lists(st.integers(1, 3), min_size=1, max_size=3)))
    common = tuple(draw(st.lists(st.sampled_from([0, 1, 2, 2, 3]), max_size=2)))
    parts: list[Any] = []
    arrays = 0
    for n in shape[: draw(st.integers(1, len(shape)))]:
        if draw(st.integers(0, 5)) == 0:
            parts.append(None)
        kind = draw(st.sampled_from(["array", "array", "array", "slice", "backwards", "int", "ellipsis"]))
        if kind == "array":
            own = tuple(draw(st.sampled_from([1, m])) if m != 0 else 0 for m in common)[draw(st.integers(0, len(common))) :]
            parts.append(np.array(draw(st.lists(st.integers(-n, n - 1), min_size=int(np.prod(own)), max_size=int(np.prod(own))))))
            parts[-1] = parts[-1].astype(np.int64).reshape(own)
            arrays += 1
        elif kind == "slice":
            parts.append(slice(draw(st.sampled_from([None, 1])), None, draw(st.sampled_from([None, 2]))))
        elif kind == "backwards":
            parts.append(slice(None, None, draw(st.sampled_from([-1, -2]))))
        elif kind == "ellipsis":
            parts.append(...)
            break
        else:
            parts.append(draw(st.integers(-n, n - 1)))
    if masks and not arrays and draw(st.booleans()):
        parts = [np.array(draw(st.lists(st.booleans(), min_size=shape[0], max_size=shape[0])))]
    key = parts[0] if len(parts) == 1 and draw(st.booleans()) else tuple(parts)
    place = np.zeros(shape)[key].shape
    value = [1 if n != 0 and draw(st.integers(0, 3)) == 0 else n for n in place]
    return shape, key, tuple(value[draw(st.integers(0, len(value))) :] if draw(st.booleans()) else value)


def loop(how: str, x: Any, key: Any, value: Any, g: Any) -> tuple[Any, Any, Any]:
    """The result, one write after another, and the gradients by forward differences of the loop, which is exact to rounding."""

    def result(x: Any, value: Any) -> Any:
        places = np.arange(x.size).reshape(x.shape)[key]
        out = x.copy().reshape(-1)
        for place, v in zip(places.reshape(-1), np.broadcast_to(value, places.shape).reshape(-1)):
            out[place] = UPDATES[how](out[place], v)
        return out.reshape(x.shape)

    grads = []
    for k, one in enumerate((x, value)):
        slope = np.zeros(one.shape)
        for at in np.ndindex(one.shape):
            ends = []
            for step in (1e-6, -1e-6):
                moved = one.copy()
                moved[at] += step
                ends.append(float((result(*((moved, value) if k == 0 else (x, moved))) * g).sum()))
            slope[at] = (ends[0] - ends[1]) / 2e-6
        grads.append(slope)
    return result(x, value), grads[0], grads[1]


def laid_out(array: Any, layout: str) -> Any:
    if layout == "transposed" and array.ndim > 1:
        return np.ascontiguousarray(array.T).T
    if layout == "strided" and array.ndim:
        wide = np.full((*array.shape[:-1], 2 * array.shape[-1]), 99.0)
        wide[..., ::2] = array
        return wide[..., ::2]
    if layout == "backwards" and array.ndim:
        return np.ascontiguousarray(array[::-1])[::-1]
    return array


@pytest.mark.parametrize("how", UPDATES)
def test_updates_are_a_loop_of_writes(backend: str, how: str) -> None:
    xp = xgrad.namespace(backend)

    @settings(parent=run, max_examples=6 if backend in SLOW else 80)
    @given(cases(masks=backend != "dask"), st.integers(0, 2**32 - 1), st.sampled_from(["", "transposed", "strided"]))
    def check(case: Any, seed: int, layout: str) -> None:
        shape, key, value_shape = case
        rng = np.random.default_rng(seed)
        a, b, g = (rng.uniform(0.5, 2.0, size=s) for s in (shape, value_shape, shape))
        wanted, to_x, to_value = loop(how, a, key, b, g)
        x, v = xp.asarray(a).requires_grad_(), xp.asarray(laid_out(b, layout)).requires_grad_()
        y = getattr(x.at[key], how)(v)
        np.testing.assert_allclose(y.detach().numpy(), wanted, rtol=1e-12)
        y.backward(xp.asarray(g))
        np.testing.assert_allclose(x.grad.numpy(), to_x, rtol=1e-6, atol=1e-7)
        np.testing.assert_allclose(np.zeros(b.shape) if v.grad is None else v.grad.numpy(), to_value, rtol=1e-6, atol=1e-7)

    check()


@pytest.mark.parametrize("dtype", ["float32", "int64", "int8", "complex128", "bool"])
def test_values_of_every_dtype_broadcast_into_the_places(backend: str, dtype: str) -> None:
    xp = xgrad.namespace(backend)
    key = np.array([[1, 1, 0], [1, 1, 1]])
    x = np.zeros(3, "complex128" if dtype == "complex128" else "float64")
    for shape in ((), (1,), (3,), (2, 1), (1, 3), (2, 3)):
        value = (np.arange(1, 1 + int(np.prod(shape))).reshape(shape) % (2 if dtype == "bool" else 9)).astype(dtype)
        wanted = x.copy()
        for place, v in zip(key.reshape(-1), np.broadcast_to(value, key.shape).reshape(-1)):
            wanted[place] += v
        np.testing.assert_array_equal(xp.asarray(x).at[xp.asarray(key)].add(xp.asarray(value)).numpy(), wanted)
        np.testing.assert_array_equal(xp.scatter_add(xp.asarray(x), xp.asarray(key), xp.asarray(value)).numpy(), wanted)


def test_a_value_shorter_than_the_index_is_broadcast(xp: Any) -> None:
    x = xp.zeros(2, dtype=xp.float64)
    y = x.at[np.array([[1, 1], [1, 1]])].add(np.array([1.0, 10.0]))
    assert y.tolist() == [0.0, 22.0]
    np.add.at(x, np.array([[1, 1], [1, 1]]), np.array([1.0, 10.0]))
    assert x.tolist() == [0.0, 22.0]


@pytest.mark.parametrize("how", ["add", "multiply", "max", "min", "set"])
def test_a_value_that_does_not_broadcast_is_refused(xp: Any, how: str) -> None:
    refused = [((3,), [0, 1], (3,)), ((3,), [[0, 1], [1, 2]], (4,)), ((3, 2), [0, 1, 1], (3, 3)), ((3,), [0], (2,))]
    for shape, key, value in refused:
        with pytest.raises((ValueError, RuntimeError, TypeError, IndexError)):
            getattr(xp.zeros(shape).at[np.array(key)], how)(xp.ones(value)).numpy()


def test_segments_and_counts_take_weights_in_any_layout(xp: Any) -> None:
    ids = np.array([2, 0, 2, 1, 2])
    weights = np.arange(10.0)[::2]
    wanted = [2.0, 6.0, 12.0]
    assert xp.bincount(xp.asarray(ids), xp.asarray(weights)).tolist() == wanted
    data = np.arange(15.0).reshape(3, 5).T
    sums = np.stack([data[ids == k].sum(axis=0) for k in range(3)])
    np.testing.assert_array_equal(xp.segment_sum(xp.asarray(data), xp.asarray(ids)).numpy(), sums)
    assert xp.segment_sum(xp.ones((0, 2)), xp.asarray(np.zeros(0, np.int64)), 3).tolist() == [[0.0, 0.0]] * 3


def test_numpy_adds_many_numbers_as_it_adds_few(monkeypatch):
    scatter = pytest.importorskip("xgrad_backends.scatter")
    rng = np.random.default_rng(0)
    for _ in range(400):
        shape = tuple(rng.integers(1, 5, size=rng.integers(2, 5)))
        before = rng.integers(0, len(shape))
        common = tuple(rng.integers(1, 4, size=rng.integers(1, 3)))
        key: list[Any] = [slice(None)] * before
        for n in shape[before : before + rng.integers(1, len(shape) - before + 1)]:
            own = tuple(int(rng.choice([1, m])) for m in common)[rng.integers(0, len(common)) :]
            key.append(
                int(rng.integers(-n, n)) if rng.random() < 0.2 else rng.integers(-n, n, size=own).astype(rng.choice(["i8", "i2"]))
            )
        key += [...] if rng.random() < 0.3 else []
        if not any(isinstance(part, np.ndarray) for part in key):
            continue
        place = np.zeros(shape)[tuple(key)].shape
        value = 5 * rng.normal(size=[1 if rng.random() < 0.3 else n for n in place])
        for dtype in ("float16", "float32", "float64", "complex64", "int32", "bool"):
            numbers = np.real(value).astype(dtype) if dtype != "complex64" else (value + 1j).astype(dtype)
            results = []
            for few in (0, 1 << 40):
                monkeypatch.setattr(scatter, "_FEW", few)
                results.append(scatter.add_at(np.ones(shape, dtype), tuple(key), numbers))
            np.testing.assert_array_equal(*results)


def test_numpy_refuses_an_index_out_of_range_among_many(monkeypatch):
    scatter = pytest.importorskip("xgrad_backends.scatter")
    for few in (0, 1 << 40):
        monkeypatch.setattr(scatter, "_FEW", few)
        for key in (np.array([4]), np.array([-5]), (slice(None), np.array([5]))):
            with pytest.raises(IndexError):
                scatter.add_at(
                    np.zeros((4, 5)),
                    key,
                    np.ones(np.zeros((4, 5))[np.array([0])].shape if isinstance(key, np.ndarray) else (4, 1)),
                )


@pytest.mark.parametrize(("count", "places"), [(5000, 1), (5000, 5000), (1500, 2)])
def test_a_sum_of_many_numbers_at_one_place_keeps_its_digits(backend, device, count, places):
    rng = np.random.default_rng(0)
    value = rng.uniform(1, 2, size=(count, 3)).astype(np.float32)
    ids = rng.integers(0, places, size=count)
    library = find_backend(backend)
    y = xgrad.segment_sum(xgrad.Tensor(library.from_numpy(value, device)), xgrad.Tensor(library.from_numpy(ids, device)), places)
    expected = np.zeros((places, 3))
    np.add.at(expected, ids, value.astype(np.float64))
    np.testing.assert_allclose(library.to_numpy(y.data), expected, rtol=2e-6)


def test_extremes_of_groups_pass_a_nan_on(backend, device):
    library = find_backend(backend)
    value, ids = (library.from_numpy(np.asarray(v), device) for v in ([1.0, np.nan, 3.0, 2.0, 5.0], [0, 0, 1, 0, 1]))
    for function, other in ((xgrad.segment_max, 5.0), (xgrad.segment_min, 3.0)):
        y = library.to_numpy(function(xgrad.Tensor(value), xgrad.Tensor(ids), 2).data)
        np.testing.assert_array_equal(y, [np.nan, other])
