"""What becomes of SciPy's functions on tensors is what ``docs/scipy.md`` says."""

from __future__ import annotations

from importlib.metadata import version

import pytest

from .page import PAGE, STATUSES, measured, written

pytest.importorskip("scipy")

WRITTEN = written(PAGE.read_text())
SILENT = {"detached", "wrong"}  # statuses that no call may have


@pytest.fixture(scope="module")
def outcomes() -> dict[str, tuple[str, str]]:
    """All calls, tried once, in a process of its own: SciPy reads ``SCIPY_ARRAY_API`` when it is imported."""
    return measured()


def test_all_calls_are_on_the_page(outcomes: dict[str, tuple[str, str]]) -> None:
    assert list(outcomes) == list(WRITTEN)
    assert set(WRITTEN.values()) <= set(STATUSES)


def test_no_call_is_detached_in_silence_or_wrong(outcomes: dict[str, tuple[str, str]]) -> None:
    found = {name: outcome for name, outcome in outcomes.items() if outcome[0] in SILENT}
    assert not found


@pytest.mark.parametrize("name", WRITTEN)
def test_call_does_what_the_page_says(name: str, outcomes: dict[str, tuple[str, str]]) -> None:
    if f"SciPy {version('scipy').rpartition('.')[0]}." not in PAGE.read_text():
        pytest.skip(f"the page was written with another version of SciPy than {version('scipy')}")
    status, note = outcomes[name]
    assert status == WRITTEN[name], f"{note}; if it is meant so, write the page again: python -m nox -s scipy"
