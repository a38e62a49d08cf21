"""The project's tests on the GPU: the table first, then the rest in groups, and failures again on NumPy."""

from __future__ import annotations

import json
import re
import sys

from .reporter import COUNTS, FAILURES
from .session import Session, optional

FLOAT64 = "test_value_and_derivatives and float64"
ENGINE = "engine protocols transforms nn optim graph test_random.py test_io.py test_conventions.py test_tree.py"
CAPTURE = "interpreters/capture interpreters/test_vmap.py solve debug"
GROUPS: list[tuple[str, list[str], int]] = [  # name, arguments of pytest, seconds
    ("ops", ["tests/ops", "tests/tensor", "tests/backends/test_plugins.py", "tests/test_pitfalls.py"], 75),
    ("engine", [f"tests/{name}" for name in ENGINE.split()], 60),
    ("capture", [f"tests/{name}" for name in CAPTURE.split()], 75),
    ("table, what is left", ["tests/test_table.py", "-k", f"not ({FLOAT64})"], 60),
    ("more", [f"tests/{name}" for name in "backend ancestors scipy test_docs.py".split()], 40),
    ("vmap", ["tests/interpreters/test_vmap_table.py"], 40),
]
RECHECK = 45  # seconds kept for it


class Suite:
    """Runs tests in the processes of a session.

    Parameters
    ----------
    session : Session
        Where the processes run, and where what they say goes.
    workers : int
        How many processes pytest spreads the tests over, if pytest-xdist is installed.
    """

    def __init__(self, session: Session, workers: int) -> None:
        self.session = session
        self.workers = workers if optional("xdist") else 1
        self.failures = session.out / "failures.txt"
        self.counts: dict[str, dict[str, int]] = {}

    def run(self, what: str, arguments: list[str], limit: float, backend: str | None = None) -> None:
        """Run tests on a backend, that of the session if none is named, and write down how many passed."""
        if optional("pytest") is None:
            self.session.say(f"{what}: skipped, pytest is not installed")
            return
        file = self.session.out / "counts.json"
        file.unlink(missing_ok=True)
        options = ["-p", "benchmarks.gpu.reporter", "-p", "no:cacheprovider", "-q", "--tb=short", "-rN", "--maxfail=400"]
        spread = [f"--numprocesses={self.workers}", "--dist=worksteal"] if self.workers > 1 else []
        limits = ["--timeout=60"] if optional("pytest_timeout") else []
        command = [sys.executable, "-m", "pytest", *options, *spread, *limits, f"--backend={backend or self.session.backend}"]
        variables = {FAILURES: str(self.failures), COUNTS: str(file)}
        done = self.session.run(what, [*command, *arguments], limit, shown=0, **variables)
        counts = json.loads(file.read_text()) if file.exists() else {}
        file.unlink(missing_ok=True)
        self.counts[what] = counts
        self.session.write("tests", self.counts)
        ended = "" if done.finished else ", and then the time was up" if done.started else ", no time was left"
        self.session.say(f"{what}: {', '.join(f'{n} {outcome}' for outcome, n in counts.items()) or 'no test was done'}{ended}")
        if not counts and done.finished:
            self.session.say(done.text[-800:])

    def table(self) -> None:
        """Values and derivatives of all functions, in float64."""
        some = "(tanh or matmul) and " if self.session.dry else ""
        self.run("table", ["tests/test_table.py", "-k", some + FLOAT64], 60 if self.session.dry else 130)

    def rest(self, chosen: list[str]) -> None:
        """The other tests by priority, or those that `chosen`, arguments of pytest, names."""
        groups = [("tests", chosen, 600)] if chosen else GROUPS
        if self.session.dry and not chosen:
            groups = [("tests", ["tests/test_tree.py"], 60)]
        for what, arguments, limit in groups:
            self.run(what, arguments, min(limit, self.session.left() - RECHECK))

    def recheck(self) -> None:
        """Run what failed again on NumPy: what fails there too is a matter of the machine, not of the GPU."""
        failed = self.failed()
        again = [test.replace(f"[{self.session.backend}", "[numpy", 1) for test in failed]
        if not again or self.session.backend == "numpy":
            return
        before = self.failures.read_text(encoding="utf-8")
        self.run("recheck", again[:200], RECHECK + 15, backend="numpy")
        also = tests_in(self.failures.read_text(encoding="utf-8")[len(before) :])
        self.failures.write_text(before, encoding="utf-8")
        self.session.say(f"recheck: of {len(again)} failures {len(also)} fail on NumPy too: {also}")

    def failed(self) -> list[str]:
        """The tests that failed, each once."""
        return tests_in(self.failures.read_text(encoding="utf-8")) if self.failures.exists() else []


def tests_in(text: str) -> list[str]:
    """The tests that a file of failures names, each once."""
    return list(dict.fromkeys(re.findall(r"^=== (\S.*?) \[(?:call|setup|teardown), ", text, re.M)))
