"""Run array-api-tests against xgrad and report: ``python -m tests.conformance --backend numpy --mode plain``.

The suite is the checkout, with its submodule, that the environment variable ``ARRAY_API_TESTS_DIR`` names; ``nox -s
conformance`` gets one if there is none. ``xfails-<backend>.txt`` lists tests that are known to fail, and ``skips-<mode>.txt``
those that a mode cannot run, each below its reason. If another test fails, the exit status is 1. ``--page`` writes the counts to
docs/conformance.md.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..harness.processes import environment

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PAGE = ROOT / "docs" / "conformance.md"
BACKENDS = ("numpy", "strict", "torch")
MODES = ("plain", "recorded", "backward")

# PyTorch has arrays of these dtypes, but almost no functions of them: it cannot add two.
WITHOUT = {"torch": "uint16,uint32,uint64"}


@dataclass
class Result:
    """What became of the tests on one backend in one mode."""

    backend: str
    mode: str
    passed: int = 0
    known: int = 0
    skipped: int = 0
    gradients: int = 0
    failed: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        return self.passed + self.known + self.skipped + len(self.failed)


def run(suite: Path, backend: str, mode: str, examples: int, random: bool, dtypes: str | None) -> Result:
    """Run the suite once, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        report, counts = Path(folder) / "report.xml", Path(folder) / "counts.json"
        command = [sys.executable, "-m", "pytest", "array_api_tests", "-q", "--tb=short", "--disable-warnings"]
        command += ["-p", "no:cacheprovider", f"--junitxml={report}", "-o", "junit_family=xunit1"]
        command += ["--disable-deadline", f"--max-examples={examples}"]
        command += [] if random else ["--derandomize"]
        for option, name in (("--xfails-file", f"xfails-{backend}.txt"), ("--skips-file", f"skips-{mode}.txt")):
            if (HERE / name).exists():
                command += [option, str(HERE / name)]
        module = f'from tests.conformance.modes import namespace; xp = namespace("{backend}", "{mode}")'
        env = environment(ARRAY_API_TESTS_MODULE=f"exec('{module}')", CONFORMANCE_COUNTS=str(counts))
        skip = WITHOUT.get(backend, "") if dtypes is None else dtypes
        if skip:
            env["ARRAY_API_TESTS_SKIP_DTYPES"] = skip
        done = subprocess.run(command, cwd=suite, env=env, capture_output=True, text=True, check=False)
        if done.returncode not in (0, 1) or not report.exists():
            sys.exit(f"array-api-tests did not run on {backend}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
        result = read(report, Result(backend, mode))
        if counts.exists():
            result.gradients = json.loads(counts.read_text())["gradients"]
        if result.failed:
            print(done.stdout)
        return result


def read(report: Path, result: Result) -> Result:
    """Fill in `result` from pytest's report."""
    failed = []
    for case in ET.parse(report).iter("testcase"):
        outcomes = {child.tag: child for child in case}
        if "failure" in outcomes or "error" in outcomes:
            failed.append(f"{str(case.get('classname')).replace('.', '/')}.py::{case.get('name')}")
        elif "skipped" in outcomes and outcomes["skipped"].get("type") == "pytest.xfail":
            result.known += 1
        elif "skipped" in outcomes:
            result.skipped += 1
        else:
            result.passed += 1
    result.failed = tuple(failed)
    return result


def line(result: Result) -> str:
    failing = result.known + len(result.failed)
    facts = [f"{result.backend:7}", f"{result.mode:8}", f"{result.total:5}", f"{result.passed:6}", f"{failing:7}"]
    facts += [f"{len(result.failed):10}", f"{result.skipped:7}", f"{result.gradients or '':9}"]
    return "| " + " | ".join(facts) + " |"


HEAD = [
    "| backend | mode     | tests | passed | failing | unexpected | skipped | gradients |",
    "|---------|----------|-------|--------|---------|------------|---------|-----------|",
]


def commit(folder: Path) -> str:
    """The commit of a checkout."""
    done = subprocess.run(["git", "-C", str(folder), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip()[:12] or "an unknown commit"


def reasons(file: Path) -> list[tuple[str, list[str]]]:
    """The groups of a file of expected failures: the reason, in comment lines, and the tests below it."""
    groups: list[tuple[str, list[str]]] = []
    comment: list[str] = []
    for text in file.read_text(encoding="utf-8").splitlines():
        if text.startswith("#"):
            comment.append(text.removeprefix("#").strip())
        elif text:
            if comment:
                groups.append((" ".join(comment), []))
                comment = []
            groups[-1][1].append(text.removeprefix("array_api_tests/"))
    return groups


def page(results: list[Result], suite: Path, at: str, examples: int, date: str) -> str:
    """The text of the page with the counts."""
    from .modes import MODES as MEANING

    parts = [
        "# Conformance",
        "The namespace of each backend, `xgrad.namespace(name)`, is tested with the test suite of the array API consortium, "
        "[array-api-tests](https://github.com/data-apis/array-api-tests), in three modes:",
        "\n".join(f"* **{mode}**: {meaning}." for mode, meaning in MEANING.items()),
        f"This page is written by `nox -s conformance -- --page`. The counts are of {date}: xgrad at {at}, the suite "
        f"at {commit(suite)} with the standard at {commit(suite / 'array-api')}, {examples} examples for each test.",
        "\n".join([*HEAD, *map(line, results)]),
        "*failing* is the number of all tests that fail, *unexpected* of those that are not listed below; *gradients* is the "
        "number of gradients that have the shape, dtype, device and backend of their tensor. On PyTorch the suite skips uint16, "
        "uint32 and uint64, which PyTorch can store but not compute with.",
    ]
    for title, files in (("What fails", "xfails-*.txt"), ("What is skipped", "skips-*.txt")):
        parts.append(f"## {title}, and why")
        for file in sorted(HERE.glob(files)):
            parts.append(f"### {file.stem.partition('-')[2]}")
            for reason, tests in reasons(file):
                parts.append(reason + "\n\n" + "\n".join(f"* `{test}`" for test in tests))
    return "\n\n".join(parts) + "\n"


def main(arguments: Any = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description="Run array-api-tests against xgrad.")
    parser.add_argument("--backend", action="append", choices=BACKENDS, help="only on this one; may be repeated")
    parser.add_argument("--mode", action="append", choices=MODES, help="only in this one; may be repeated")
    parser.add_argument("--examples", type=int, default=20, help="how many examples to try in each test (20)")
    parser.add_argument("--random", action="store_true", help="try other examples each time")
    parser.add_argument("--skip-dtypes", help="comma-separated; the default is what the backend's library cannot compute with")
    parser.add_argument("--page", action="store_true", help=f"write the counts to {PAGE.relative_to(ROOT)}")
    parser.add_argument("--date", default=datetime.date.today().isoformat(), help="the date that the page tells (today)")
    wanted = parser.parse_args(arguments)
    suite = Path(os.environ.get("ARRAY_API_TESTS_DIR", ""))
    if not (suite / "array_api_tests").is_dir() or not (suite / "array-api" / "src").is_dir():
        parser.error("ARRAY_API_TESTS_DIR must name a checkout of array-api-tests with its submodule array-api")
    results, at = [], commit(ROOT)
    print(*HEAD, sep="\n", flush=True)
    for backend in wanted.backend or BACKENDS:
        for mode in wanted.mode or MODES:
            results.append(run(suite, backend, mode, wanted.examples, wanted.random, wanted.skip_dtypes))
            print(line(results[-1]), flush=True)
    for result in results:
        for test in result.failed:
            print(f"{result.backend}, {result.mode}: {test}")
    if wanted.page:
        PAGE.write_text(page(results, suite, at, wanted.examples, wanted.date), encoding="utf-8")
    return int(any(result.failed for result in results))


if __name__ == "__main__":
    sys.exit(main())
