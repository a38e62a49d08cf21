"""A pytest plug-in that puts the emulator in CuPy's place: ``pytest -p tests.backends.cupy_interface.plugin --backend cupy``."""

from __future__ import annotations

from .modules import install

install()


def pytest_report_header() -> str:
    return "CuPy's interface is EMULATED over NumPy's values: there is no GPU in these tests"
