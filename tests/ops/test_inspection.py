"""The inspection interface of each namespace."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import xgrad


def test_info(xp: Any, backend: str) -> None:
    info = xp.__array_namespace_info__()
    assert set(info.capabilities()) >= {"boolean indexing", "data-dependent shapes", "max dimensions"}
    assert info.default_dtypes() == {
        "real floating": xgrad.float32, "complex floating": xgrad.complex64, "integral": xgrad.int64, "indexing": xgrad.int64,
    }  # fmt: skip
    assert info.dtypes(kind="real floating") == {"float32": xgrad.float32, "float64": xgrad.float64}
    assert set(info.dtypes(kind=("bool", "complex floating"))) == {"bool", "complex64", "complex128"}
    assert all(info.dtypes()[name] is getattr(xgrad, name) for name in info.dtypes())
    assert xp.zeros(1, device=info.default_device()).device == xp.zeros(1).device
    assert isinstance(info.devices(), tuple) and len(info.devices()) >= 1  # a tuple since 2025.12


def test_the_default_dtype_is_the_selected_one(xp: Any) -> None:
    xgrad.set_default_dtype("float64")
    actual = xp.__array_namespace_info__().default_dtypes()
    assert actual["real floating"] is xgrad.float64 and actual["complex floating"] is xgrad.complex128


def test_dlpack_takes_what_the_standard_has_it_take() -> None:
    wanted = {"stream": None, "max_version": None, "dl_device": None, "copy": None}
    actual = inspect.signature(xgrad.Tensor.__dlpack__).parameters
    assert {name: actual[name].default for name in wanted} == wanted
    x = xgrad.Tensor([1.0, 2.0])
    assert np.from_dlpack(x, copy=True).tolist() == [1.0, 2.0]
    with pytest.raises(xgrad.GradientError, match="__dlpack__"):
        np.from_dlpack(x.requires_grad_())
