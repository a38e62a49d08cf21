"""Which backends the tests run on: every one that is usable here, or those named with ``--backend``."""

from __future__ import annotations

import os

# JAX reads this once, when it is first imported: without it, it has no float64.
os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import random
import types
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad.backend import find_backend

from .harness import standard
from .harness.backends import SLOW, chosen, device_of, statuses


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--backend", action="append", metavar="NAME", help="run on this backend alone; repeatable (default: every usable one)"
    )
    parser.addoption("--thorough", action="store_true", help="run every test on slow libraries too, instead of a part of them")
    parser.addoption("--coverage-page", metavar="FILE", help="write which checks of the table each name of the standard passed")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--coverage-page"):
        from .pages.coverage_page import CoveragePage

        config.pluginmanager.register(CoveragePage(config, Path(config.getoption("--coverage-page"))))


def pytest_report_header(config: pytest.Config) -> list[str]:
    lines = []
    for status in statuses().values():
        if not status.usable:
            lines.append(f"  {status.name:8} not usable: {status.reason}")
        else:
            part = (
                f"; a part of the tests: {SLOW[status.name]}"
                if status.name in SLOW and not config.getoption("--thorough")
                else ""
            )
            lines.append(f"  {status.name:8} {status.version}{part if status.name in chosen(config) else ' (not selected)'}")
    return ["xgrad backends:", *lines]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On slow libraries, leave out part of the tests, always the same part; ``--thorough`` runs all of them.

    Of the table, the tests of the standard's functions in float64 are kept, and a tenth of the others. Of each other test
    with more than `MANY` cases on one backend, a third of the cases is kept, but all of `tests/backends`.
    """
    if config.getoption("--thorough"):
        return
    cases = Counter(_test_on_backend(item) for item in items)
    left_out = {item for item in items if zlib.crc32(item.nodeid.encode()) % _one_in(item, cases)}
    if left_out:
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


MANY = 20


def _parameters(item: pytest.Item) -> dict[str, Any]:
    call = getattr(item, "callspec", None)
    return {} if call is None else call.params


def _test_on_backend(item: pytest.Item) -> tuple[str, Any]:
    """A test without its parameters, and its backend."""
    return item.nodeid.partition("[")[0], _parameters(item).get("backend")


def _one_in(item: pytest.Item, cases: Counter[tuple[str, Any]]) -> int:
    """Of how many tests like `item` one is run."""
    parameters = _parameters(item)
    if parameters.get("backend") not in SLOW:
        return 1
    if "row" not in parameters:
        return 3 if cases[_test_on_backend(item)] > MANY and not item.nodeid.startswith("tests/backends/") else 1
    standards = parameters["row"].partition("-")[0] in standard.ALL and parameters.get("dtype") == "float64"
    return 1 if standards and item.originalname != "test_vmap_is_a_loop" else 10  # type: ignore[attr-defined]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" in metafunc.fixturenames:
        metafunc.parametrize("backend", chosen(metafunc.config), scope="session")


@pytest.fixture
def xp(backend: str) -> types.ModuleType:
    """xgrad's namespace bound to each backend in turn."""
    return xgrad.namespace(backend)


@pytest.fixture
def raw(backend: str) -> Any:
    """The raw namespace of each backend in turn: its own functions, with xgrad's additions."""
    return find_backend(backend).xp


@pytest.fixture
def device(backend: str) -> Any:
    """The device that tests put their arrays on."""
    return device_of(backend)


@pytest.fixture(autouse=True)
def _unchanged() -> Iterator[None]:
    """Seed before each test; restore the selected backend and the default dtype after it."""
    random.seed(0)
    np.random.seed(0)
    selected, dtype = xgrad.get_backend(), xgrad.get_default_dtype()
    yield
    xgrad.set_backend(selected)
    xgrad.set_default_dtype(dtype)
