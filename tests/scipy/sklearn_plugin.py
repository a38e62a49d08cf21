"""Point scikit-learn's array-API tests at xgrad: ``pytest -p tests.scipy.sklearn_plugin --pyargs sklearn -k array_api``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

import xgrad

from . import alone  # noqa: F401  (before anything of scikit-learn)


def pytest_configure(config: pytest.Config) -> None:
    from sklearn.utils import _array_api

    xgrad.set_default_dtype(xgrad.float64)
    name = xgrad.namespace("numpy").__name__

    def yield_namespaces(include_numpy_namespaces: bool = True) -> Iterator[str]:
        yield name

    _array_api.yield_namespaces = yield_namespaces
