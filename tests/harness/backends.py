"""Which backends the tests run on, and where they put their arrays."""

from __future__ import annotations

from typing import Any

import pytest

import xgrad
from xgrad.backend import BackendStatus

SLOW = {"jax": "JAX compiles each function for each shape", "dask": "Dask plans each small array as if it were large"}

_ALL: dict[str, BackendStatus] = {}


def statuses() -> dict[str, BackendStatus]:
    """The result of `xgrad.available_backends`, by name; computed once."""
    if not _ALL:
        _ALL.update({status.name: status for status in xgrad.available_backends()})
    return _ALL


def chosen(config: pytest.Config) -> list[str]:
    """The names of the backends to test on."""
    names = config.getoption("--backend")
    if not names:
        return [status.name for status in statuses().values() if status.usable]
    for name in names:
        status = statuses().get(name)
        if status is None:
            raise pytest.UsageError(f"--backend {name}: there is no such backend; known are {', '.join(statuses())}")
        if not status.usable:
            raise pytest.UsageError(f"--backend {name}: {status.reason}")
    return list(dict.fromkeys(names))


def device_of(backend: str) -> Any:
    """Where tests put their arrays: the backend's default device, but on array-api-strict its second device.

    There, an array that was created on the default device by mistake does not mix with the test's arrays, as on a GPU.
    """
    if backend != "strict":
        return None
    import array_api_strict

    return array_api_strict.Device("device1")
