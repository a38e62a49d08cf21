"""Conventions and pitfalls of `xgrad.ops.creation`. The table checks ordinary points."""

from __future__ import annotations

import doctest
import re
import textwrap
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import GradientError, Tensor
from xgrad.ops import creation, data_type, indexing, inspection, manipulation

from ..harness.backends import device_of


@pytest.mark.parametrize("chapter", [creation, data_type, indexing, inspection, manipulation], ids=lambda c: c.__name__)
def test_examples_in_docstrings(chapter: Any) -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for name in chapter.__all__:
        doc = getattr(chapter, name).__doc__
        assert doc and ">>>" in doc, f"{name} has no example"
        text = textwrap.dedent(re.sub(r"^(?=\S)", "    ", doc, count=1))
        runner.run(doctest.DocTestParser().get_doctest(text, {"xgrad": xgrad, "Tensor": Tensor}, name, None, None))
    assert runner.failures == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_default_dtype_is_the_same_on_every_backend(xp: Any, dtype: str) -> None:
    xgrad.set_default_dtype(dtype)
    results = [
        xp.zeros(3), xp.ones((2, 1)), xp.empty(2), xp.eye(2), xp.asarray(0.5), xp.asarray([[1.0, 2.0]]), xp.linspace(0, 1, 3),
        xp.arange(0.0, 1.0, 0.1), xp.arange(0, 1, 0.5), xp.full(3, 1.0), xp.asarray([]),
    ]  # fmt: skip
    assert {x.dtype.name for x in results} == {dtype}
    assert {x.dtype.name for x in (xp.asarray(1), xp.asarray([1, 2]), xp.arange(3), xp.full(2, 7))} == {"int64"}
    assert xp.asarray(True).dtype == xp.full(2, True).dtype == xp.bool
    wide = "complex128" if dtype == "float64" else "complex64"
    assert xp.asarray(1j).dtype == xp.full(2, 1j).dtype == xp.asarray([1.0, 1j]).dtype == wide
    assert xp.arange(10.0).shape == (10,) and xp.arange(0.0, 1.0, 0.1).shape == (10,)


@pytest.mark.parametrize("dtype", [xgrad.float64, "float64", np.float64, np.dtype("float64")])
def test_dtypes_of_any_library(xp: Any, dtype: Any) -> None:
    for x in (xp.zeros(2, dtype=dtype), xp.asarray([1, 2], dtype=dtype), xp.full(2, 1, dtype=dtype), xp.arange(2, dtype=dtype)):
        assert x.dtype == xgrad.float64
    assert xp.zeros_like(xp.ones(2), dtype=dtype).dtype == xgrad.float64


@pytest.mark.parametrize("name", ["zeros", "ones", "empty"])
@pytest.mark.parametrize("shape", [float("nan"), 2.5, (2, 1.5), "3", None])
def test_a_shape_is_of_integers(xp: Any, name: str, shape: Any) -> None:
    with pytest.raises(TypeError, match=f"{name}: a shape is"):
        getattr(xp, name)(shape)


def test_other_refusals(xp: Any) -> None:
    with pytest.raises(ValueError, match="negative"):
        xp.zeros(-1)
    with pytest.raises(TypeError, match="linspace"):
        xp.linspace(0, 1, 2.5)
    with pytest.raises(ValueError, match="step is 0"):
        xp.arange(0, 3, 0)
    with pytest.raises(ValueError, match="ragged"):
        xp.asarray([[1, 2], [3]])
    with pytest.raises(TypeError, match="does not hold numbers"):
        xp.asarray("text")
    with pytest.raises(ValueError, match="indexing"):
        xp.meshgrid(xp.arange(2), indexing="yx")


def test_empty_ranges(xp: Any) -> None:
    for x in (xp.arange(0), xp.arange(3, 1), xp.arange(1, 3, -1), xp.arange(-2.0)):
        assert x.shape == (0,)
    assert xp.arange(5, 0, -2).tolist() == [5, 3, 1]
    assert xp.linspace(0, 1, 0).shape == (0,)


def test_pitfall_31_asarray_keeps_the_graph(xp: Any) -> None:
    t = xp.asarray([1.0, 2.0]).requires_grad_()
    assert xp.asarray(t) is t and xp.asarray(t, copy=False) is t and xp.from_dlpack(t) is t
    copied, wide = xp.asarray(t, copy=True), xp.asarray(t, dtype=xp.float64)
    assert copied is not t and copied.requires_grad and wide.requires_grad and wide.dtype == xp.float64
    xp.sum(copied * 2 + xp.astype(wide * 3, t.dtype)).backward()
    assert t.grad.tolist() == [5.0, 5.0] and t.grad.dtype == t.dtype
    with pytest.raises(ValueError, match="copy=False"):
        xp.asarray(t, dtype=xp.float64, copy=False)


def test_pitfall_31_sequences_with_tensors_keep_the_graph(xp: Any) -> None:
    a, b = xp.asarray(2.0).requires_grad_(), xp.asarray(3.0).requires_grad_()
    results = xp.asarray([[a, b], [0, a * b]])
    assert results.shape == (2, 2) and results.dtype == a.dtype and results.backend == a.backend
    xp.sum(results * xp.asarray([[1.0, 10.0], [100.0, 1000.0]])).backward()
    assert a.grad.item() == 3001.0 and b.grad.item() == 2010.0
    assert xp.asarray([xp.asarray([1.0, 2.0]), [3, 4]]).tolist() == [[1.0, 2.0], [3.0, 4.0]]
    assert xp.asarray([[0, 1], [a, 2]]).tolist() == [[0.0, 1.0], [2.0, 2.0]]
    for ragged in ([[a, b], [a]], [[a], b], [xp.ones(2), xp.ones(3)]):
        with pytest.raises(ValueError, match=r"ragged|rectangular"):
            xp.asarray(ragged)


def test_full_keeps_the_graph(xp: Any) -> None:
    t = xp.asarray(2.0).requires_grad_()
    xp.sum(xp.full((2, 3), t) * xp.full_like(xp.ones((2, 3)), t)).backward()
    assert t.grad.item() == 24.0
    with pytest.raises(GradientError, match="arange"):
        xp.arange(t)


def test_plain_numpy_arrays_go_onto_any_backend(xp: Any, backend: str) -> None:
    host = np.arange(3, dtype=np.float64)
    x = xp.asarray(host)
    assert x.backend == backend and x.dtype == xp.float64 and x.tolist() == [0.0, 1.0, 2.0]
    if backend != "numpy":
        host[0] = 9.0
        assert x.tolist() == [0.0, 1.0, 2.0]


def test_nothing_moves_between_backends_by_itself() -> None:
    strict = xgrad.namespace("strict").ones(2)
    for x in (strict, strict.data):
        with pytest.raises(TypeError, match=r"strict.*to_backend"):
            xgrad.asarray(x)


def test_like_functions_do_not_track(xp: Any) -> None:
    x = xp.asarray([1.0, 2.0]).requires_grad_()
    for results in (xp.zeros_like(x), xp.ones_like(x), xp.empty_like(x), xp.full_like(x, 3.0)):
        assert not results.requires_grad and results.shape == x.shape and results.dtype == x.dtype


def test_made_on_the_device_that_is_named(xp: Any, device: Any) -> None:
    if device is None:
        pytest.skip("one device")
    t = xp.asarray(1.0, device=device)
    results = [xp.zeros(2, device=device), xp.asarray([t, 1.0]), xp.full(2, t), xp.zeros_like(t)]
    results += xp.meshgrid(xp.asarray([1.0], device=device))
    assert all(x.device == device for x in results)


def test_large_unsigned_integers_keep_their_last_digits_among_small_ones(xp: Any) -> None:
    values = [2**63 + 1, 0, 2**64 - 1]
    try:
        x = xp.asarray(values, dtype="uint64")
    except (TypeError, RuntimeError, NotImplementedError) as error:
        pytest.skip(f"the library cannot make it: {error}")
    assert [int(v) for v in x.numpy()] == values
    assert xp.asarray([1.9, 2.0], dtype="int32").tolist() == [1, 2]


def test_linspace_is_the_same_whether_its_ends_require_grad(xp: Any, backend: str) -> None:
    for name in ("float32", "float64"):
        ends = [xp.asarray(v, dtype=getattr(xp, name), device=device_of(backend)) for v in (0.0, 1.0)]
        plain = xp.linspace(*ends, 5)
        tracked = xp.linspace(*(x.detach().requires_grad_() for x in ends), 5)
        assert (plain.dtype, plain.device) == (tracked.dtype, tracked.device) == (ends[0].dtype, ends[0].device)
        np.testing.assert_allclose(plain.numpy(), tracked.detach().numpy(), rtol=1e-6)
