"""Which backends the tests run on: every one that is usable here, or those named with ``--backend``."""

from __future__ import annotations

import os

# JAX reads this once, when it is first imported: without it, it has no float64.
os.environ.setdefault("JAX_ENABLE_X64", "1")
os.environ.setdefault("MPLBACKEND", "Agg")

import random
import types
import zlib
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
    parser.addoption("--thorough", action="store_true", help="run the whole table on slow libraries too, instead of a part of it")
    parser.addoption("--coverage-page", metavar="FILE", help="write what the table has checked of each name of the standard")


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
                f"; part of the table: {SLOW[status.name]}" if status.name in SLOW and not config.getoption("--thorough") else ""
            )
            lines.append(f"  {status.name:8} {status.version}{part if status.name in chosen(config) else ' (not selected)'}")
    return ["xgrad backends:", *lines]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out of the table, on slow libraries, nine of ten tests; but none of the standard's functions in float64."""
    if config.getoption("--thorough"):
        return
    left_out = [item for item in items if not _essential(item) and zlib.crc32(item.nodeid.encode()) % 10]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in set(left_out)]


def _essential(item: pytest.Item) -> bool:
    call = getattr(item, "callspec", None)
    if call is None or "row" not in call.params or call.params.get("backend") not in SLOW:
        return True
    if item.originalname == "test_vmap_is_a_loop":  # type: ignore[attr-defined]
        return False
    return call.params["row"].partition("-")[0] in standard.ALL and call.params.get("dtype") == "float64"


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
    """Seeds before each test; the selected backend and the default data type put back after it."""
    random.seed(0)
    np.random.seed(0)
    selected, dtype = xgrad.get_backend(), xgrad.get_default_dtype()
    yield
    xgrad.set_backend(selected)
    xgrad.set_default_dtype(dtype)
