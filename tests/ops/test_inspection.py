"""The inspection interface of each namespace."""

from __future__ import annotations

from typing import Any

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
    assert len(info.devices()) >= 1


def test_the_default_dtype_is_the_selected_one(xp: Any) -> None:
    xgrad.set_default_dtype("float64")
    found = xp.__array_namespace_info__().default_dtypes()
    assert found["real floating"] is xgrad.float64 and found["complex floating"] is xgrad.complex128
