"""Write ``docs/scipy.md``: ``python -m tests.scipy.page`` tries the calls, ``--suites`` also runs SciPy's own tests (minutes)."""

from __future__ import annotations

import datetime
import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "scipy.md"
SKLEARN = (
    "decomposition", "linear_model", "metrics", "mixture", "model_selection", "preprocessing", "tests.test_naive_bayes",
    "utils.tests.test_array_api",
)  # fmt: skip
SUITES = ("stats", "spatial", "linalg", "integrate", "optimize", "differentiate", "fft", "constants")
STATUSES = {
    "right": "works, and its gradient agrees with SciPy's central differences",
    "works": "works; its result holds integers or booleans, or does not vary with its arguments",
    "nan": "works, but its gradient is NaN: SciPy computes with NaN or infinity and discards it after (0 times infinity)",
    "leaves": "leaves the namespace of its arrays: an error that says so for tensors that require grad",
    "refused": "SciPy takes NumPy's arrays alone there, and fails on others in its own words",
    "detached": "a result that varies with the arguments carries no gradient",
    "wrong": "another value or gradient",
}
HEAD = """\
# SciPy's functions on tensors

With the environment variable `SCIPY_ARRAY_API=1`, set before SciPy is imported, many of SciPy's functions compute on arrays
of any library that speaks the Array API standard. Handed xgrad's Tensors, they are differentiable: nothing in SciPy knows of
xgrad.

```python
import scipy.stats, xgrad

x = xgrad.Tensor([0.3, 1.2, -0.7], dtype=xgrad.float64, requires_grad=True)
scipy.stats.ttest_1samp(x, 0.0).pvalue.backward()
x.grad
```

SciPy makes numbers of its own with the namespace's default data type. For double precision throughout, say
`xgrad.set_default_dtype(xgrad.float64)`, as SciPy's own tests do with PyTorch.

What SciPy does in compiled code, or with NumPy by name, leaves the namespace. Then a tensor that requires grad raises; it is
never detached in silence. For the most used of these functions, `xgrad.scipy` has one of the same name with a derivative; the
last column says where.
"""


def environment() -> dict[str, str]:
    """What a process needs in which SciPy takes arrays of any library."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "backends"), os.environ.get("PYTHONPATH", "")])
    return {**os.environ, "PYTHONPATH": paths, "SCIPY_ARRAY_API": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def measured() -> dict[str, tuple[str, str]]:
    """The outcome of each call, measured in a process of its own: SciPy reads its environment once."""
    command = [sys.executable, "-m", "tests.scipy.measure", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return {name: (status, note) for name, (status, note) in json.loads(done.stdout).items()}


def written(text: str) -> dict[str, str]:
    """The statuses that a page gives, by name of the call."""
    return dict(re.findall(r"^\| `([^`]+)` \| (\w+) \|", text, flags=re.MULTILINE))


def instead(name: str) -> str:
    """A function of xgrad's own that does what the call `name` does."""
    import xgrad.scipy

    for path in (f"xgrad.scipy.{name}", f"xgrad.{name}"):
        found: Any = xgrad
        for part in path.split(" ")[0].split(".")[1:]:
            found = getattr(found, part, None)
        if found is not None:
            return f"`{path.split(' ')[0]}`"
    return ""


def calls_part(outcomes: dict[str, tuple[str, str]]) -> Iterator[str]:
    modules = list(dict.fromkeys(name.partition(".")[0] for name in outcomes))
    counts = {m: Counter(s for name, (s, _) in outcomes.items() if name.startswith(f"{m}.")) for m in modules}
    total = sum(counts.values(), Counter())
    yield f"Tried are {len(outcomes)} calls, written down before the first was tried (`tests/scipy/calls.py`), on NumPy,"
    yield f"in a process without any other array library, with {versions()}. (Six calls that measured nothing as they were first"
    yield "written were corrected; the file says which.)\n"
    yield "| | calls | |\n|---|---|---|"
    for status, meaning in STATUSES.items():
        yield f"| {status} | {total[status]} | {meaning} |"
    yield "\n| module | " + " | ".join(STATUSES) + " |\n|---|" + "---|" * len(STATUSES)
    for module in modules:
        yield f"| scipy.{module} | " + " | ".join(str(counts[module][s] or "") for s in STATUSES) + " |"
    for module in modules:
        yield f"\n## scipy.{module}\n\n| call | outcome | |\n|---|---|---|"
        for name, (status, note) in outcomes.items():
            if name.startswith(f"{module}."):
                there = instead(name) if status in ("leaves", "refused") else ""
                yield f"| `{name}` | {status} | {there or note.replace('|', '/') if status != 'right' else ''} |"


def suites_part(recorded: Sequence[bool] = (False, True)) -> Iterator[str]:
    yield f"Run with {versions()}: passed, failed, and skipped because SciPy marks them as for NumPy alone.\n"
    yield "| tests of | passed | failed | skipped | all recorded: passed | failed | skipped |\n|---|---|---|---|---|---|---|"
    total = [0] * 6
    for module in SUITES:
        row = [n for recording in recorded for n in suite(module, recording)]
        total = [a + b for a, b in zip(total, row)]
        yield f"| scipy.{module} | " + " | ".join(map(str, row)) + " |"
    yield "| all | " + " | ".join(map(str, total)) + " |"


def sklearn_part() -> Iterator[str]:
    yield f"\nAnd those of scikit-learn {version('scikit-learn')} (`tests/scipy/sklearn_plugin.py`), unrecorded:\n"
    yield "| tests of | passed | failed | skipped |\n|---|---|---|---|"
    total = [0] * 3
    for module in SKLEARN:
        row = outcome("tests.scipy.sklearn_plugin", f"sklearn.{module}", "-k", "array_api")
        total = [a + b for a, b in zip(total, row)]
        yield f"| sklearn.{module} | " + " | ".join(map(str, row)) + " |"
    yield "| all | " + " | ".join(map(str, total)) + " |"


def suite(module: str, recording: bool) -> list[int]:
    """How many of SciPy's own tests of a module pass, fail and are skipped."""
    return outcome("tests.scipy.plugin", f"scipy.{module}", "-m", "array_api_backends", *["--recording"] * recording)


def outcome(plugin: str, package: str, *options: str) -> list[int]:
    """How many of a package's tests pass, fail and are skipped under a plugin."""
    command = [sys.executable, "-m", "pytest", "-p", plugin, "--pyargs", package, "-q", "--tb=no", *options]
    command += ["-p", "no:cacheprovider", "--disable-warnings"]
    done = subprocess.run(command, cwd="/", env=environment(), capture_output=True, text=True, check=False)
    found = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", done.stdout.splitlines()[-1])}
    return [found.get(word, 0) for word in ("passed", "failed", "skipped")]


def versions() -> str:
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False)
    return f"SciPy {version('scipy')}, NumPy {version('numpy')}, xgrad {commit.stdout.strip()}, {datetime.date.today()}"


def between(text: str, start: str, end: str) -> str:
    return text.partition(start)[2].partition(end)[0].strip()


def main(arguments: Sequence[str]) -> None:
    old = PAGE.read_text() if PAGE.exists() else ""
    suites = (
        "\n".join([*suites_part(), *sklearn_part()]) if "--suites" in arguments else between(old, "set_backend`).\n", "\n## ")
    )
    parts = [
        HEAD,
        "`python -m nox -s scipy` writes this page anew.\n",
        "## SciPy's own tests\n",
        "Those that take the namespace to test as an argument, with `tests/scipy/plugin.py`, which makes them point at xgrad.\n",
        "With all tensors recorded, `scipy.fft` has `xgrad.scipy.fft` for a backend, by its own protocol "
        "(`scipy.fft.set_backend`).\n",
        suites or "Not run yet.",
        "\n## Calls\n",
        *calls_part(measured()),
    ]
    PAGE.write_text("\n".join(parts) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
