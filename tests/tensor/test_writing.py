"""Writing: every kind of index on every backend, and random programs of views and writes.

Values are NumPy's own. Gradients of programs are compared with the complex step, which NumPy takes by running the same program on
complex numbers: it is exact, and knows nothing of xgrad. Those that PyTorch can run are compared with it too, in
`tests/graph/test_views.py`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xgrad
from xgrad import GradientError, Tensor
from xgrad.backend import find_backend
from xgrad.testing import check_grads

HOST = np.cos(np.arange(24.0)).reshape(2, 3, 4)
ALL = slice(None)
MASK = np.array([[True, False, True], [False, True, False]])

KEYS: dict[str, Any] = {
    "int": 1,
    "0-d key": (),
    "ellipsis": ...,
    "negative": (-1, ALL, -2),
    "slices": (ALL, slice(1, None), slice(0, 4, 2)),
    "steps back": (ALL, slice(None, None, -2), slice(3, 0, -1)),
    "none": (None, 0, None, slice(1, 3)),
    "empty": (ALL, slice(2, 2)),
    "list": (ALL, [2, 0]),
    "repeated": (ALL, [1, 1, 2, 1]),
    "repeated pairs": ([0, 1, 0], [2, 2, 2]),
    "repeated, all axes": ([0, 0], [2, 2], [1, 1]),
    "negative and positive": (0, [-1, 2, 1]),
    "matrix": (0, ALL, [[0, 1], [1, 3]]),
    "int beside an array": (0, ALL, [0, 3]),
    "int, none, array": (0, None, [0, 2]),
    "0-d array beside an array": (np.array(1), ..., [0, 0, 3]),
    "arrays apart": ([0, 1, 1], ALL, [3, 3, 3]),
    "arrays that broadcast": ([[1], [0]], [0, 2]),
    "array and steps back": (slice(None, None, -1), 0, [1, 0]),
    "empty array": (ALL, np.zeros(0, dtype=int)),
    "mask": (MASK,),
    "mask of one axis": (ALL, np.array([True, False, True])),
    "mask and int": (MASK, 0),
    "mask and list": (np.array([True, False]), ALL, [0]),
}
LAZY = {"mask", "mask of one axis", "mask and int", "mask and list"}  # whose shape dask does not know


def weights(shape: tuple[int, ...], shift: float = 0.0) -> np.ndarray:
    return np.sin(np.arange(float(math.prod(shape))) + shift).reshape(shape)


def last_writes(key: Any) -> np.ndarray:
    """For each write to ``HOST[key]``, whether no later one goes to the same element."""
    count = np.arange(HOST.size).reshape(HOST.shape)[key]
    flat = count.reshape(-1)
    last = [place not in flat[i + 1 :] for i, place in enumerate(flat)]
    return np.array(last, dtype=bool).reshape(count.shape)


@pytest.mark.parametrize("name", KEYS)
def test_every_kind_of_index(name: str, xp: Any, backend: str, device: Any) -> None:
    key = KEYS[name]
    if backend == "dask" and name in LAZY:
        pytest.skip("the shape of x[mask] depends on values that are computed later")
    wanted, shape = HOST.copy(), HOST[key].shape
    value = weights(shape, 0.3)
    wanted[key] = value
    x, v = (xp.asarray(a, device=device).requires_grad_() for a in (HOST, value))
    np.testing.assert_array_equal(x[key].detach().numpy(), HOST[key])
    y = x * 1.0
    y[key] = v
    np.testing.assert_array_equal(y.detach().numpy(), wanted)
    xp.sum(y * y * y * xp.asarray(weights(HOST.shape), device=device)).backward()
    slope = 3 * wanted**2 * weights(HOST.shape)
    for_x = slope.copy()
    for_x[key] = 0.0
    np.testing.assert_allclose(x.grad.numpy(), for_x, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(v.grad.numpy(), np.where(last_writes(key), slope[key], 0.0), rtol=1e-12, atol=1e-14)


def writes_twice(x: Tensor, v: Tensor, key: Any) -> Tensor:
    y = x * x
    y[key] = v * v
    y[key] *= y[key]
    return y


@pytest.mark.parametrize("name", KEYS)
def test_second_order_against_differences(name: str) -> None:
    key = KEYS[name]
    host = weights(HOST[key].shape, 0.3)
    check_grads(lambda x, v: writes_twice(x, v, key), (HOST, host), order=2, modes=("rev",))


@pytest.mark.parametrize("name", ["steps back", "repeated", "int beside an array", "arrays that broadcast", "none"])
def test_second_order_is_the_same_on_every_backend(name: str, xp: Any, device: Any) -> None:
    key = KEYS[name]

    def curvature(xp: Any, device: Any) -> list[Any]:
        leaves = [xp.asarray(a, device=device).requires_grad_() for a in (HOST, weights(HOST[key].shape, 0.3))]
        xp.sum(writes_twice(*leaves, key) * xp.asarray(weights(HOST.shape), device=device)).backward(create_graph=True)
        total = sum(xp.sum(x.grad * x.grad) for x in leaves)
        for x in leaves:
            x.grad = None
        total.backward()
        return [x.grad.numpy() for x in leaves]

    for got, wanted in zip(curvature(xp, device), curvature(xgrad.namespace("numpy"), None)):
        np.testing.assert_allclose(got, wanted, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("value_dtype", ["float32", "complex128"])
@pytest.mark.parametrize("key", [[0, 1, 2], [0, 1, 0], [[0, 1, 0]], slice(None, None, -1)], ids=str)
def test_values_written_into_any_dtype_can_be_differentiated_twice(key: Any, dtype: str, value_dtype: str, xp: Any) -> None:
    if value_dtype == "complex128" and not dtype.startswith("complex"):
        pytest.skip("complex values do not fit into real arrays")
    places = np.arange(3)[key].reshape(-1)
    value = np.array([1 + 2j, 3 - 1j, 0.5j]) if value_dtype == "complex128" else np.array([1.0, 2.0, 3.0])
    wins = np.array([place not in places[i + 1 :] for i, place in enumerate(places)])
    weight = np.array([1.0, 2.0, 3.0])
    x = xp.asarray(np.full(3, 0.5, dtype)).requires_grad_()
    v = xp.asarray(value.astype(value_dtype)).requires_grad_()
    y = x * 1
    y[key] = v
    scaled = y * xp.asarray(weight.astype(dtype))
    xp.sum(xp.real(xp.conj(scaled) * scaled)).backward(create_graph=True)  # sum |w y|^2: its gradient is 2 |w|^2 v
    first = v.grad
    for leaf in (x, v):
        leaf.zero_grad()
    curvature = 2 * weight[places] ** 2 * wins
    np.testing.assert_allclose(first.detach().numpy(), curvature * value, rtol=1e-6)
    xp.sum(xp.real(xp.conj(xp.asarray(value.astype(value_dtype))) * first)).backward()
    np.testing.assert_allclose(v.grad.numpy(), curvature * value, rtol=1e-6)


def test_pitfall_14_the_last_write_wins_where_the_library_leaves_it_open(monkeypatch: pytest.MonkeyPatch) -> None:
    plugin = find_backend("numpy")

    def backwards(x: np.ndarray, key: Any, value: Any) -> np.ndarray:
        """A copy of `x` with ``x[key] = value``, written from the last to the first: as a GPU may do it."""
        out, places = x.copy(), np.arange(x.size).reshape(x.shape)[key].reshape(-1)
        out.reshape(-1)[places[::-1]] = np.broadcast_to(value, x[key].shape).reshape(-1)[::-1]
        return out

    monkeypatch.setattr(plugin, "writes_in_order", False)
    monkeypatch.setitem(plugin.xp.__dict__, "set_item", backwards)
    for key in ([0, 0, 1], ([0, 1, 0], [2, 2, 2]), (slice(None), [1, 1])):
        host = np.cos(np.arange(12.0)).reshape(3, 4)
        value = weights(host[key].shape, 0.3)
        wanted = host.copy()
        wanted[key] = value
        assert not np.array_equal(backwards(host, key, value), wanted)
        v = Tensor(value, requires_grad=True)
        y = xgrad.setitem(Tensor(host), key, v)
        np.testing.assert_array_equal(y.detach().numpy(), wanted)
        (y * weights(host.shape)).sum().backward()
        places = np.arange(host.size).reshape(host.shape)[key]
        last = [p not in places.reshape(-1)[i + 1 :] for i, p in enumerate(places.reshape(-1))]
        assert v.grad is not None
        np.testing.assert_array_equal(v.grad.numpy(), weights(host.shape)[key] * np.reshape(last, places.shape))


UPDATES: dict[str, Callable[[Any, Any], Any]] = {
    "set": lambda x, v: v,
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "power": np.power,
    "min": np.minimum,
    "max": np.maximum,
}


@pytest.mark.parametrize("method", UPDATES)
@pytest.mark.parametrize("name", ["slices", "steps back", "repeated", "repeated pairs", "int beside an array", "empty"])
def test_functional_updates(method: str, name: str, xp: Any, device: Any) -> None:
    key, host = KEYS[name], 1.5 + HOST / 3
    value = 1.5 + weights(host[key].shape, 0.3) / 3
    wanted = host.copy()
    places = np.arange(host.size).reshape(host.shape)[key]
    for place, v in zip(places.reshape(-1), value.reshape(-1)):  # one after another
        wanted.reshape(-1)[place] = UPDATES[method](wanted.reshape(-1)[place], v)
    x, v = (xp.asarray(a, device=device) for a in (host, value))
    for at in (x.at[key], xp.at(x, key), xgrad.at(x)[key]):
        y = getattr(at, method)(v)
        np.testing.assert_allclose(y.numpy(), wanted, rtol=1e-13)
        assert y.device == x.device and y.dtype == x.dtype
    np.testing.assert_array_equal(x.numpy(), host)


def test_at_says_what_is_missing() -> None:
    x = xgrad.ones(3)
    with pytest.raises(TypeError, match="no index"):
        x.at.set(1.0)
    with pytest.raises(ValueError, match="already given"):
        xgrad.at(x, 0)[1]
    with pytest.raises(TypeError, match="does not fit"):
        xgrad.asarray([1, 2]).at[0].add(0.5)
    assert x.at[1].get().item() == 1.0 and repr(xgrad.at(x, 0)).startswith("at(Tensor(")
    leaf = xgrad.ones(2).requires_grad_()
    leaf.at[0].add(1.0).sum().backward()  # a leaf cannot be written to, but updated functionally
    assert leaf.grad is not None and leaf.grad.tolist() == [1.0, 1.0]


# ----------------------------------------------------------------------------------------------------- random programs

Step = tuple[int, int, int, int]
VIEWS: list[Callable[[Any], Any]] = [
    lambda v: v[1:],
    lambda v: v[:-1],
    lambda v: v[::-1],
    lambda v: v[::2],
    lambda v: v[..., 0],
    lambda v: v[0, ...],  # of one axis it is 0-d; v[0] would be a scalar of NumPy, which sees no later write
    lambda v: v[None],
    lambda v: v.T,
    lambda v: v.reshape(-1),
    lambda v: v[..., ::-1],
]


def _scale(v: Any, other: Any, c: float) -> None:
    v *= c


def _shift(v: Any, other: Any, c: float) -> None:
    v += other.sum() * c


def _square(v: Any, other: Any, c: float) -> None:
    v *= v


def _swap_ends(v: Any, other: Any, c: float) -> None:
    v[0], v[-1] = v[-1] * c, v[0] * c


def _slide(v: Any, other: Any, c: float) -> None:
    v[1:] = v[:-1] * c


def _pick(v: Any, other: Any, c: float) -> None:
    v[[0, -1, 0]] = v[[-1, 0, 0]] * c


def _gather_add(v: Any, other: Any, c: float) -> None:
    v[[0, 0]] += other.sum() * c


def _fill(v: Any, other: Any, c: float) -> None:
    v[...] = other.sum() * c


def _copy(v: Any, other: Any, c: float) -> None:
    if v.shape == other.shape:
        v[...] = other * c


WRITES = [_scale, _shift, _square, _swap_ends, _slide, _pick, _gather_add, _fill, _copy]
NUMBERS = [0.5, -1.25, 0.75, -0.3]


def run(program: list[Step], y: Any) -> Any:
    """A program of views and writes on `y`, an array of NumPy or a Tensor; what it leaves in `y` and in all of its views."""
    seen = [y]
    for kind, which, i, j in program:
        v, other = seen[i % len(seen)], seen[j % len(seen)]
        if kind % 2 and len(v.shape) and v.shape[0] > 1 and len(seen) < 6:
            seen.append(VIEWS[which % len(VIEWS)](v))
        elif len(v.shape) and v.shape[0] > 0:
            WRITES[which % len(WRITES)](v, other, NUMBERS[(which + j) % len(NUMBERS)])
    return sum((v * (k + 1.0)).sum() for k, v in enumerate(seen)) + (y * y).sum() * 0.5


steps = st.tuples(st.integers(0, 1), st.integers(0, 35), st.integers(0, 5), st.integers(0, 5))
BASE = np.cos(np.arange(12.0)).reshape(4, 3) / 2


@settings(max_examples=60, deadline=None)
@given(program=st.lists(steps, min_size=1, max_size=9))
def test_pitfall_18_random_programs_of_views_and_writes(program: list[Step]) -> None:
    with np.errstate(all="ignore"):
        wanted = run(program, BASE.copy())
        slope = np.zeros(BASE.shape)
        for place in np.ndindex(BASE.shape):
            moved = BASE.astype(complex)
            moved[place] += 1e-30j
            slope[place] = run(program, moved).imag / 1e-30
    if not np.isfinite(wanted) or np.abs(slope).max() > 1e9:
        return
    x = Tensor(BASE, requires_grad=True)
    y = run(program, x * 1.0)
    np.testing.assert_allclose(y.item(), wanted, rtol=1e-9, atol=1e-11)
    y.backward()
    assert x.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), slope, rtol=1e-8, atol=1e-10 * max(1.0, np.abs(slope).max()))


PROGRAM: list[Step] = [
    (1, 0, 0, 0),
    (0, 4, 1, 0),
    (1, 7, 0, 0),
    (0, 1, 2, 1),
    (0, 5, 1, 2),
    (1, 5, 2, 0),
    (0, 2, 3, 0),
    (0, 3, 0, 1),
]


def test_a_program_of_views_and_writes_on_every_backend(xp: Any) -> None:
    wanted = run(PROGRAM, BASE.copy())
    leaf = Tensor(BASE, requires_grad=True)
    run(PROGRAM, leaf * 1.0).backward()
    x = xp.asarray(BASE).requires_grad_()
    y = run(PROGRAM, x * 1.0)
    np.testing.assert_allclose(y.item(), wanted, rtol=1e-12)
    y.backward()
    assert leaf.grad is not None
    np.testing.assert_allclose(x.grad.numpy(), leaf.grad.numpy(), rtol=1e-10)


def test_in_place_operators_write_through_views(xp: Any) -> None:
    x = xp.asarray(np.array([3.0, 5.0, 8.0, 9.0])).requires_grad_()
    y, host = x * 1.0, np.array([3.0, 5.0, 8.0, 9.0])
    v, h = y[1:3], host[1:3]
    for name, other in (
        ("iadd", 1.0),
        ("isub", 0.5),
        ("imul", 2.0),
        ("itruediv", 4.0),
        ("ipow", 2.0),
        ("imod", 7.0),
        ("ifloordiv", 0.5),
    ):
        v = getattr(v, f"__{name}__")(other)
        h = getattr(h, f"__{name}__")(other)
    np.testing.assert_allclose(y.detach().numpy(), host)
    xp.sum(y).backward()
    assert x.grad.tolist() == [1.0, 0.0, 0.0, 1.0]


def test_what_does_not_fit_is_refused_before_anything_changes(xp: Any) -> None:
    y = xp.asarray(BASE) * 1.0
    for key, value in ((0, xp.ones(7)), ((0, 0), 1j), ((ALL, [0, 1]), xp.ones((4, 3)))):
        with pytest.raises((TypeError, ValueError, RuntimeError)):
            y[key] = value
    np.testing.assert_array_equal(y.numpy(), BASE)
    leaf = xp.asarray(BASE).requires_grad_()
    with pytest.raises(GradientError, match="leaf"):
        leaf[0] = 1.0
