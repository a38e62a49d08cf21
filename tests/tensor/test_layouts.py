"""Arrays that are not contiguous: reading, writing and adding are those of a contiguous copy, on every backend.

Transposed arrays, every other element of a longer one, arrays that are read backwards, one element repeated without a copy,
arrays without axes or elements: what a library does to their memory must not show.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor
from xgrad.backend import find_backend

from ..harness.backends import SLOW
from .test_writing import ALL, HOST, KEYS, LAZY, last_writes, weights

SHAPE = HOST.shape


def _strided(raw: Any, host: np.ndarray) -> Any:
    wide = np.full(tuple(2 * n for n in host.shape), 99.0)
    wide[tuple(slice(None, None, 2) for _ in host.shape)] = host
    return raw.__backend__.from_numpy(wide)[tuple(slice(None, None, 2) for _ in host.shape)]


def _backwards(raw: Any, host: np.ndarray) -> Any:
    return raw.flip(raw.__backend__.from_numpy(np.ascontiguousarray(np.flip(host))))


LAYOUTS: dict[str, tuple[Callable[[Any, np.ndarray], Any], np.ndarray]] = {
    "contiguous": (lambda raw, host: raw.__backend__.from_numpy(host.copy()), HOST),
    "transposed": (
        lambda raw, host: raw.permute_dims(raw.__backend__.from_numpy(np.ascontiguousarray(host.transpose(2, 0, 1))), (1, 2, 0)),
        HOST,
    ),
    "strided": (_strided, HOST),
    "backwards": (_backwards, HOST),
    "expanded": (
        lambda raw, host: raw.broadcast_to(raw.__backend__.from_numpy(np.ascontiguousarray(host[:1, :, :1])), SHAPE),
        np.broadcast_to(HOST[:1, :, :1], SHAPE),
    ),
    "all one": (lambda raw, host: raw.broadcast_to(raw.__backend__.from_numpy(np.array(0.5)), SHAPE), np.full(SHAPE, 0.5)),
}


def made(backend: str, layout: str, requires_grad: bool = False) -> tuple[Tensor, np.ndarray]:
    build, host = LAYOUTS[layout]
    return Tensor(build(find_backend(backend).xp, host), requires_grad=requires_grad), np.array(host)


def skip_lazy(backend: str, name: str, layout: str) -> None:
    if backend == "dask" and name in LAZY:
        pytest.skip("the shape of x[mask] depends on values that are computed later")
    if backend in SLOW and layout not in ("transposed", "expanded"):
        pytest.skip("a library that is slow at each new shape, and whose arrays have no layout that shows")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", KEYS)
def test_every_kind_of_index_into_every_layout(name: str, layout: str, backend: str) -> None:
    skip_lazy(backend, name, layout)
    key, w = KEYS[name], weights(SHAPE)
    value = weights(HOST[key].shape, 0.3)
    places = np.arange(HOST.size).reshape(SHAPE)[key]

    x, host = made(backend, layout, requires_grad=True)
    np.testing.assert_array_equal(x[key].detach().numpy(), host[key])
    x[key].backward(x.__array_namespace__().asarray(value))
    counted = np.zeros(SHAPE)
    np.add.at(counted.reshape(-1), places.reshape(-1), value.reshape(-1))
    np.testing.assert_allclose(x.grad.numpy(), counted, rtol=1e-12, atol=1e-14)

    for how in ("set", "add"):
        x, host = made(backend, layout, requires_grad=True)
        v = x.__array_namespace__().asarray(value).requires_grad_()
        wanted = host.copy()
        if how == "set":
            wanted[key] = value
        else:
            wanted = host + counted
        y = getattr(x.at[key], how)(v)
        np.testing.assert_allclose(y.detach().numpy(), wanted, rtol=1e-12, atol=1e-14)
        y.backward(x.__array_namespace__().asarray(w))
        to_x = w.copy()
        if how == "set":
            to_x[key] = 0.0
        np.testing.assert_allclose(x.grad.numpy(), to_x, rtol=1e-12)
        to_value = np.where(last_writes(key), w[key], 0.0) if how == "set" else w[key]
        np.testing.assert_allclose(v.grad.numpy(), to_value, rtol=1e-12)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("value", ["transposed", "strided", "backwards", "expanded"])
@pytest.mark.parametrize("name", ["steps back", "repeated", "slices", "mask", "arrays that broadcast", "ellipsis"])
def test_values_of_every_layout(name: str, layout: str, value: str, backend: str) -> None:
    skip_lazy(backend, name, layout)
    key, xp = KEYS[name], xgrad.namespace(backend)
    host_value = weights(HOST[key].shape, 0.3)
    if value == "transposed":
        v = xp.asarray(np.ascontiguousarray(host_value.T)).T
    elif value == "strided":
        v = Tensor(_strided(find_backend(backend).xp, host_value))
    elif value == "backwards":
        v = xp.flip(xp.asarray(np.ascontiguousarray(np.flip(host_value))))
    else:
        host_value = np.broadcast_to(host_value[:1], host_value.shape)
        v = xp.broadcast_to(xp.asarray(np.array(host_value[:1])), host_value.shape)
    x, host = made(backend, layout)
    x[key] = v
    wanted = host.copy()
    wanted[key] = host_value
    np.testing.assert_array_equal(x.numpy(), wanted)


VIEWS: dict[str, Callable[[Any], Any]] = {
    "mT": lambda x: x.mT,
    "T": lambda x: x.T,
    "slices": lambda x: x[:, 1:, ::2],
    "steps back": lambda x: x[:, ::-1, ::-2],
    "row": lambda x: x[-1],
    "new axis": lambda x: x[None, :, None],
    "transposed steps back": lambda x: x.mT[:, ::-1][..., ::-1],
    "steps back transposed": lambda x: x[..., ::-1].mT,
}
if not hasattr(np.ndarray, "mT"):  # numpy < 2
    VIEWS = {name: view for name, view in VIEWS.items() if "T" not in name and "transposed" not in name}

WRITES: dict[str, Callable[[Any], None]] = {
    "all": lambda v: v.__setitem__(..., 99.0),
    "steps back": lambda v: v.__setitem__(slice(None, None, -1), np.arange(float(v.shape[-1]))),
    "steps back twice": lambda v: v.__setitem__((..., slice(None, None, -2)), -1.0),
    "first": lambda v: v.__setitem__(0, 5.0),
    "list": lambda v: v.__setitem__([0, 0], 7.0),
}


@pytest.mark.parametrize("layout", ["contiguous", "transposed", "strided", "backwards"])
@pytest.mark.parametrize("view", VIEWS)
def test_writing_through_views_of_every_layout(view: str, layout: str, backend: str) -> None:
    skip_lazy(backend, "", layout)
    for write in WRITES.values():
        x, host = made(backend, layout)
        write(VIEWS[view](x))
        write(VIEWS[view](host))
        np.testing.assert_array_equal(x.numpy(), host)
        leaf, host = made(backend, layout, requires_grad=True)
        y = leaf * 1.0
        v = VIEWS[view](y)
        write(v)
        held = np.ones(SHAPE)
        mark = VIEWS[view](held)
        before = np.full(SHAPE, np.inf)
        after = before.copy()
        write(VIEWS[view](after))
        mark[...] = VIEWS[view](after) == VIEWS[view](before)  # whatever was not written to
        y.backward(leaf.__array_namespace__().asarray(weights(SHAPE)))
        np.testing.assert_allclose(leaf.grad.numpy(), weights(SHAPE) * held, rtol=1e-12)


@pytest.mark.parametrize("layout", ["contiguous", "transposed", "strided", "backwards"])
@pytest.mark.parametrize("view", ["x", "mT", "T", "slices", "steps back", "new axis"])
def test_reshape_is_a_view_or_a_copy_as_in_numpy(view: str, layout: str, backend: str) -> None:
    if backend in ("jax", "dask"):
        pytest.skip("on immutable libraries nothing tells whether a reshape copied: it always counts as a view")
    of: Callable[[Any], Any] = (lambda x: x) if view == "x" else VIEWS[view]
    for shape in ((-1,), (2, -1), (1, -1, 1)):
        x, host = made(backend, layout)
        base = LAYOUTS[layout][0](find_backend("numpy").xp, host)  # NumPy's own array in this layout
        if backend == "torch" and (layout == "backwards" or view == "steps back"):
            continue  # torch has no negative strides: what is read backwards is a copy of other layout
        flat, wanted = of(x).reshape(shape), of(base).reshape(shape)
        flat[...] = weights(wanted.shape)
        wanted[...] = weights(wanted.shape)
        np.testing.assert_array_equal(flat.numpy(), wanted)
        np.testing.assert_array_equal(x.numpy(), base)


@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (0, 3)])
def test_arrays_without_axes_or_elements(shape: tuple[int, ...], xp: Any) -> None:
    host = np.zeros(shape)
    keys: list[Any] = [(), ..., (None, ...)]
    if shape:
        keys += [ALL, slice(None, None, -1), (..., None), np.zeros(0, np.int64), [], (..., slice(None, None, -1))]
    for key in keys:
        for how in ("set", "add", "multiply", "max"):
            x, v = xp.asarray(host).requires_grad_(), xp.asarray(weights(host[key].shape, 1.0)).requires_grad_()
            y = getattr(x.at[key], how)(v)
            wanted = host.copy()
            update = {"set": lambda old, new: new, "add": np.add, "multiply": np.multiply, "max": np.maximum}[how]
            wanted[key] = update(wanted[key], weights(host[key].shape, 1.0))
            np.testing.assert_array_equal(y.detach().numpy(), wanted)
            y.backward(xp.ones(shape, dtype=xp.float64))
            for leaf in (x, v):
                assert leaf.grad is None or (leaf.grad.shape == leaf.shape and np.all(np.isfinite(leaf.grad.numpy())))
        y = xp.asarray(host) * 1.0
        y[key] = 5.0
        np.testing.assert_array_equal(y.numpy(), np.full(shape, 5.0) if host[key].size else host)
