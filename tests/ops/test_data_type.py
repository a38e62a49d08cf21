"""Conventions and pitfalls of `xgrad.ops.data_type`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor


def test_pitfall_20_the_gradient_has_the_dtype_of_the_data(xp: Any) -> None:
    x = xp.asarray([1.0, 2.0]).requires_grad_()
    xp.sum(xp.astype(x, xp.float64) * xp.asarray(np.array([1.0, 3.0]))).backward()
    assert x.grad.dtype == xp.float32 and x.grad.tolist() == [1.0, 3.0]
    x.zero_grad()
    xp.sum(xp.concat([x, x]) * np.float64(2)).backward()
    assert x.grad.dtype == xp.float32 and x.grad.tolist() == [4.0, 4.0]


def test_pitfall_21_integers_carry_no_gradient(xp: Any) -> None:
    with pytest.raises(TypeError, match="int64 cannot require grad"):
        xp.asarray([1, 2]).requires_grad_()
    x = xp.asarray([1.5]).requires_grad_()
    assert not xp.astype(x, xp.int64).requires_grad


def test_astype(xp: Any) -> None:
    x = xp.asarray([1.0, 2.0]).requires_grad_()
    assert xp.astype(x, x.dtype, copy=False) is x and xp.astype(x, x.dtype) is not x
    assert xp.astype(x, "float64").dtype == xp.float64
    with pytest.raises(TypeError, match=r"xgrad\.real"):
        xp.astype(xp.asarray(1j), xp.float32)
    xp.sum(xp.real(xp.astype(x, xp.complex64) * xp.asarray([1j, 2.0 + 0j]))).backward()
    assert x.grad.dtype == xp.float32 and x.grad.tolist() == [0.0, 2.0]


def test_to_device_moves_the_gradient_back(xp: Any, device: Any) -> None:
    x = xp.asarray([1.0, 2.0]).requires_grad_()
    assert xp.to_device(x, x.device) is x
    if device is not None:
        y = x.to_device(device)
        assert y.device == device and y.requires_grad
        xp.sum(y * xp.asarray([3.0, 4.0], device=device)).backward()
        assert x.grad.device == x.device and x.grad.tolist() == [3.0, 4.0]


def test_to_backend_moves_the_gradient_back(xp: Any, backend: str) -> None:
    x = xgrad.Tensor(np.array([1.0, 2.0]), requires_grad=True)
    y = xgrad.to_backend(x * x, backend)
    assert y.backend == backend and y.dtype == xp.float64
    (y * y).sum().backward(create_graph=True)
    assert x.grad is not None and x.grad.backend == "numpy" and x.grad.tolist() == [4.0, 32.0]
    g, x.grad = x.grad, None
    g.sum().backward()
    assert x.grad is not None and x.grad.tolist() == [12.0, 48.0]
    with pytest.raises(ValueError, match="no backend"):
        xgrad.to_backend(x, "nowhere")


@pytest.mark.parametrize(
    ("dtype", "kind", "wanted"),
    [
        (xgrad.float32, "real floating", True), (xgrad.float32, "numeric", True), (xgrad.float32, "complex floating", False),
        (xgrad.bool, "bool", True), (xgrad.bool, "numeric", False), (xgrad.uint8, "integral", True),
        (xgrad.uint8, "unsigned integer", True), (xgrad.int8, "signed integer", True), (xgrad.int8, ("bool", "integral"), True),
        (np.float64, xgrad.float64, True), ("int16", (np.int16, "bool"), True), (xgrad.complex64, "complex floating", True),
    ],
)  # fmt: skip
def test_isdtype(dtype: Any, kind: Any, wanted: bool) -> None:
    assert xgrad.isdtype(dtype, kind) is wanted


def test_isdtype_refuses_unknown_kinds() -> None:
    with pytest.raises(ValueError, match="not a kind"):
        xgrad.isdtype(xgrad.float32, "real")


def test_can_cast(xp: Any) -> None:
    assert xp.can_cast(xp.float32, xp.float64) and not xp.can_cast(xp.float64, xp.float32)
    assert xp.can_cast(xp.uint8, xp.int16) and not xp.can_cast(xp.int8, xp.uint8)
    assert xp.can_cast(xp.ones(2), xp.complex64) and xp.can_cast(xp.bool, xp.int8)
    assert xgrad.can_cast(xgrad.bfloat16, xgrad.float32) and not xgrad.can_cast(xgrad.float32, xgrad.bfloat16)


def test_result_type(xp: Any) -> None:
    assert xp.result_type(xp.float32, xp.float64) is xgrad.float64
    assert xp.result_type(xp.ones(2), 1.0, 2) is xgrad.float32
    assert xp.result_type(xp.asarray([1], dtype=xp.int8), 3) is xgrad.int8
    assert xp.result_type(xp.int64, 1.0) is xgrad.float32
    assert xp.result_type(xp.float64, 1j) is xgrad.complex128 and xp.result_type(xp.float32, 1j) is xgrad.complex64
    assert xp.result_type(1.0) is xgrad.float32 and xp.result_type(1, True) is xgrad.int64
    assert xp.result_type(np.float64(1.0), xp.float32) is xgrad.float32
    assert xp.result_type(xp.uint8, xp.int8) is xgrad.int16
    with pytest.raises(ValueError, match="at least one"):
        xp.result_type()


@pytest.mark.parametrize("name", ["float16", "float32", "float64", "complex64", "complex128"])
def test_finfo(name: str) -> None:
    info, wanted = xgrad.finfo(getattr(xgrad, name, name)), np.finfo(name)
    assert (info.bits, info.eps, info.max, info.min) == (wanted.bits, wanted.eps, wanted.max, wanted.min)
    assert info.smallest_normal == wanted.smallest_normal and info.dtype == wanted.dtype and isinstance(info.max, float)
    assert xgrad.finfo(Tensor([1.0])).eps == np.finfo("float32").eps
    with pytest.raises(TypeError, match="iinfo"):
        xgrad.finfo("int8")


@pytest.mark.parametrize("name", ["int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64"])
def test_iinfo(name: str) -> None:
    info, wanted = xgrad.iinfo(name), np.iinfo(name)
    assert (info.bits, info.max, info.min, info.dtype.name) == (wanted.bits, wanted.max, wanted.min, name)
    with pytest.raises(TypeError, match="finfo"):
        xgrad.iinfo("float32")


def test_a_zero_dimensional_result_is_no_python_scalar(xp: Any) -> None:
    """NumPy represents the sum as a numpy.float64, which is also a Python float."""
    narrow, total = xp.ones(3, dtype=xp.float32), xp.sum(xp.ones(3, dtype=xp.float64))
    for result in (xp.atan2(narrow, total), xp.where(narrow > 0, narrow, total), xp.stack([narrow[0], total])):
        assert result.dtype == xp.float64


def test_python_complex_numbers_keep_the_precision(xp: Any) -> None:
    for dtype, wanted in ((xp.float32, xp.complex64), (xp.float64, xp.complex128)):
        x = xp.sum(xp.ones(3, dtype=dtype))
        for result in (1j * x, x * 1j, xp.add(x, 2j), 1j - xp.ones(2, dtype=dtype)):
            assert result.dtype == wanted
    xgrad.set_default_dtype(xgrad.float64)
    assert (xp.ones(2, dtype=xp.float32) * 1j).dtype == xp.complex64


MEANT = {float: "float64", complex: "complex128", int: "int64", bool: "bool"}


def _with_dtype(xp: Any) -> list[tuple[str, Callable[..., Any]]]:
    """Every public function with a parameter `dtype`, by name."""
    functions = []
    for part in ("", "linalg", "fft", "random"):
        module = xgrad.random if part == "random" else getattr(xp, part) if part else xp
        for name in getattr(module, "__all__", dir(module)):
            function = getattr(module, name)
            if callable(function) and not isinstance(function, type) and not name.startswith("_"):
                named = inspect.signature(function).parameters
                if "dtype" in named and name not in ("isdtype", "set_default_dtype", "dtype_of"):
                    functions.append((f"{part}.{name}".strip("."), function))
    return functions


def test_pythons_types_mean_what_they_mean_in_numpy_everywhere(xp: Any) -> None:
    x = xp.asarray([[1.0, 2.0], [3.0, 4.0]], dtype=xp.float32)
    arguments: list[tuple[Any, ...]] = [(x,), (3,), ((2, 2),), ((2, 2), 1), (0, 1, 3), (0, 3), ([1, 2],)]
    counts = dict.fromkeys(MEANT, 0)
    for name, function in _with_dtype(xp):
        for kind, meant in MEANT.items():
            for positional in arguments:
                try:
                    result = function(*positional, kind) if name == "astype" else function(*positional, dtype=kind)
                except Exception:
                    continue
                result = result[0] if isinstance(result, tuple) else result
                assert result.dtype == meant, f"{name}(dtype={kind.__name__}) is {result.dtype}"
                counts[kind] += 1
                break
    assert counts[float] > 20 and min(counts.values()) > 10
    for result in (x.astype(float), Tensor([1], dtype=float), Tensor(x.numpy(), dtype=float), np.sum(x, dtype=float)):
        assert result.dtype == xgrad.float64


def test_a_named_type_and_a_number_of_it_differ() -> None:
    assert xgrad.result_type(float) is xgrad.float64 and xgrad.result_type(1.0) is xgrad.float32
    assert xgrad.result_type(complex) is xgrad.complex128 and xgrad.result_type(1j) is xgrad.complex64
    assert xgrad.finfo(float).bits == 64 and xgrad.Tensor(1, dtype=float).dtype is xgrad.float64
    xgrad.set_default_dtype(float)
    assert xgrad.zeros(1).dtype is xgrad.float64
