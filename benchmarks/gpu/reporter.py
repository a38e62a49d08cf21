"""A plug-in of pytest that writes failing tests, and how many were done, to files while the tests run."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

FAILURES, COUNTS = "XGRAD_GPU_FAILURES", "XGRAD_GPU_COUNTS"  # the environment variables that name the files
EVERY = 50

counts: Counter[str] = Counter()


def pytest_runtest_logreport(report: Any) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ:
        return  # the process that started the workers hears of it too
    if report.when == "call" or report.outcome != "passed":
        counts[report.outcome] += 1
    if report.failed:
        with Path(os.environ[FAILURES]).open("a", encoding="utf-8") as file:
            file.write(f"=== {report.nodeid} [{report.when}, {report.duration:.1f} s]\n{report.longreprtext[-1500:]}\n")
    if report.failed or counts.total() % EVERY == 0:
        write()


def pytest_sessionfinish() -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        write()


def write() -> None:
    """Write the counts, so that they are there if the tests are ended."""
    Path(os.environ[COUNTS]).write_text(json.dumps(counts), encoding="utf-8")
