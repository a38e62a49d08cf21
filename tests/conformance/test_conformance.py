"""The files that say what array-api-tests finds failing; the suite itself runs with ``nox -s conformance``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conformance.__main__ import BACKENDS, HERE, MODES, reasons


@pytest.mark.parametrize("file", sorted(HERE.glob("*.txt")), ids=lambda file: file.stem)
def test_whatever_is_known_to_fail_stands_under_its_reason(file: Path) -> None:
    kind, _, name = file.stem.partition("-")
    assert name in {"xfails": BACKENDS, "skips": MODES}[kind]
    groups = reasons(file)
    assert groups and all(reason and tests for reason, tests in groups)
    listed = [test for _, tests in groups for test in tests]
    assert len(set(listed)) == len(listed) and all("::test_" in test for test in listed)


def test_at_most_eight_fail_on_numpy() -> None:
    assert sum(len(tests) for _, tests in reasons(HERE / "xfails-numpy.txt")) <= 8
