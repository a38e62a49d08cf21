"""Write docs/coverage.md: the checks of each name of the standard on each backend, and their reference.

``python -m nox -s coverage`` runs the table on every backend that is usable and writes the page. The outcome of each
test of the table is stored in its report, so that the tests can run in several processes.
"""

from __future__ import annotations

import datetime
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import xgrad
from xgrad.graph.declare import Op
from xgrad.graph.names import registry

from ..harness import standard
from ..harness.backends import SLOW, chosen, statuses
from ..harness.driver import ROWS

PAGE = Path(__file__).parents[2] / "docs" / "coverage.md"
CHECKS = {"test_value_and_derivatives": "values", "test_forward_mode": "forward"}

Outcomes = dict[tuple[str, str, str, str], tuple[str, str]]  # (check, row, backend, dtype) -> (outcome, reason)


class CoveragePage:
    """A plug-in of pytest: collects the outcomes of the table's tests, and writes the page when the run ends."""

    def __init__(self, config: pytest.Config, path: Path) -> None:
        self.config, self.path, self.outcomes = config, path, Outcomes()

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        check, call = CHECKS.get(getattr(item, "originalname", "")), getattr(item, "callspec", None)
        if check is not None and call is not None and call.params["row"].partition("-")[0] in standard.ALL:
            facts = (check, call.params["row"], call.params["backend"], call.params.get("dtype", "float64"))
            item.user_properties.append(("table", facts))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        facts = next((tuple(value) for name, value in report.user_properties if name == "table"), None)
        if facts is not None and (report.when == "call" or report.outcome != "passed"):
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
            self.outcomes[facts] = (report.outcome, reason.removeprefix("Skipped: "))  # type: ignore[index]

    def pytest_sessionfinish(self) -> None:
        if self.outcomes and not hasattr(self.config, "workerinput"):
            self.path.write_text(page(self.outcomes, chosen(self.config)))


def names() -> dict[str, list[str]]:
    """The names of the standard, by chapter and extension."""
    return {
        **{
            chapter: sorted([*known.split(), *standard.ADDED.get(chapter, "").split()])
            for chapter, known in standard.CHAPTERS.items()
        },
        **{extension: known.split() for extension, known in standard.EXTENSIONS.items()},
    }


def op_of(name: str) -> Op[..., Any] | None:
    return registry.get(name)


def class_of(chapter: str, name: str) -> str:
    """The class of a name in words: how it is differentiated."""
    op, home = op_of(name), getattr(xgrad, chapter, None)
    function = getattr(home if chapter in standard.EXTENSIONS else xgrad, name, None)
    if function is None:
        return "not there"
    if name in standard.INSPECTION:
        return "tells a fact"
    if op is None:
        return "makes arrays"
    return {"rules": "rules", "zero": "zero", "none": "no derivative", "composite": "composed"}[op.derivative]


def oracle(name: str) -> str:
    """The reference of the gradient of a name."""
    used = {"PyTorch" if row.torch else "differences" for row in ROWS.values() if row.name == name and row.differentiable}
    return " and ".join(sorted(used, reverse=True))


def page(outcomes: Outcomes, backends: list[str]) -> str:
    """The text of the page."""
    notes: dict[str, int] = {}
    lines, totals = [], Counter[Any]()
    for chapter, known in names().items():
        lines += ["", f"## {chapter}", "", "| name | is | derivatives by |" + "".join(f" {b} |" for b in backends)]
        lines.append("|---|---|---|" + "---|" * len(backends))
        for name in known:
            text = class_of(chapter, name)
            totals[text] += 1
            cells = [cell(outcomes, name, backend, notes) for backend in backends]
            lines.append(f"| `{name}` | {text} | {oracle(name) if text in DIFFERENTIABLE else ''} | " + " | ".join(cells) + " |")
            if text in DIFFERENTIABLE:
                totals.update((backend, mark) for backend, marks in zip(backends, cells) for mark in marks.split(" ")[0])
    differentiable = sum(totals[what] for what in DIFFERENTIABLE)
    header = [
        "# Coverage: what is checked of each name of the standard",
        "",
        f"Written by `python -m nox -s coverage` on {datetime.date.today()}, of {len(outcomes)} tests; not by hand.",
        "",
        f"The standard has {sum(map(len, names().values()))} functions, its extensions `linalg` and `fft` included. Of these",
        f"{differentiable} are differentiable ({totals['rules']} have rules, {totals['composed']} are composed of such);",
        f"{totals['zero']} have the derivative zero; {totals['no derivative']} have none (Booleans, indices);",
        f"{totals['makes arrays']} make arrays and {totals['tells a fact']} tell facts about dtypes and shapes.",
        "",
        f"| of the {differentiable} differentiable, checked on | " + " | ".join(MARKS.values()) + " |",
        "|---|" + "---|" * len(MARKS),
    ]
    for backend in backends:
        counts = " | ".join(str(totals[backend, mark]) for mark in MARKS)
        header.append(f"| {backend} {statuses()[backend].version} | {counts} |")
    missing = [f"{s.name} ({s.reason or 'not asked for'})" for s in statuses().values() if s.name not in backends]
    header += [
        "",
        f"What a letter says of a name on a backend, in float64 and float32 (on {' and '.join(SLOW)} a part of that):",
        "**v** its values agree with the oracle; **g** its gradients do, with their dtype, shape and device, on raw arrays and",
        "on Tensors; **2** its second derivatives do; **f** forward mode agrees with reverse mode by the dot-product identity.",
        "Differences are central, of fourth order. Special points are tested beside: docs/conventions.md.",
        *(["", f"Not run: {'; '.join(missing)}."] if missing else []),
    ]
    footer = ["", *(f"[{number}] {reason}  " for reason, number in notes.items())] if notes else []
    return "\n".join([*header, *lines, *footer]).rstrip() + "\n"


DIFFERENTIABLE = ("rules", "composed")
MARKS = {"v": "values", "g": "gradients", "2": "second order", "f": "forward mode"}


def cell(outcomes: Outcomes, name: str, backend: str, notes: dict[str, int]) -> str:
    """The letters of one name on one backend, and the numbers of the reasons for missing checks."""
    marks, reasons = set(), []
    rows = [row for row in ROWS.values() if row.name == name]
    for row in rows:
        for dtype in row.dtypes:
            outcome, reason = outcomes.get(("values", row.id, backend, dtype), ("not run", ""))
            if outcome == "passed":
                marks |= {"v"} | ({"g"} if derivative(row) else set())
                marks |= {"2"} if derivative(row) and row.order > 1 and dtype == "float64" else set()
            elif outcome == "failed":
                reasons.append(f"{row.id} fails")
            elif reason:
                reasons.append(reason)
        if outcomes.get(("forward", row.id, backend, "float64"), ("", ""))[0] == "passed" and derivative(row):
            marks.add("f")
    numbers = sorted({notes.setdefault(reason, len(notes) + 1) for reason in reasons})
    return "".join(mark for mark in MARKS if mark in marks) + "".join(f" [{n}]" for n in numbers) or "-"


def derivative(row: Any) -> bool:
    op = op_of(row.name)
    return row.differentiable and (op is None or op.derivative != "none") and any(arg.tracked for arg in row.args)
