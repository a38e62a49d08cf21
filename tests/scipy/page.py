"""Write ``docs/scipy.md``: ``python -m tests.scipy.page`` runs the calls, ``--suites`` also SciPy's own tests (minutes)."""

from __future__ import annotations

import datetime
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..harness import processes

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
    "nan": "works, but its gradient is NaN: SciPy computes NaN or infinity and then discards it (0 times infinity)",
    "leaves": "leaves the namespace of its arrays: a tensor that requires grad raises an error",
    "refused": "SciPy accepts only NumPy's arrays and raises an error of its own",
    "detached": "a result that varies with the arguments carries no gradient",
    "wrong": "another value or gradient",
}
HEAD = """\
# SciPy's functions on tensors

If the environment variable `SCIPY_ARRAY_API=1` is set before SciPy is imported, many of SciPy's functions compute on arrays of
any library that follows the Array API standard. With xgrad's Tensors they are differentiable, without a change in SciPy.

```python
import scipy.stats, xgrad

x = xgrad.Tensor([0.3, 1.2, -0.7], dtype=xgrad.float64, requires_grad=True)
scipy.stats.ttest_1samp(x, 0.0).pvalue.backward()
x.grad
```

SciPy creates numbers with the default data type of the namespace. For double precision everywhere, call
`xgrad.set_default_dtype(xgrad.float64)`, as SciPy's own tests do with PyTorch.

Functions of SciPy that use compiled code, or NumPy directly, leave the namespace. Then a tensor that requires grad raises an
error; it is never detached silently. For the most used of these functions, `xgrad.scipy` has one of the same name with a
derivative; the last column of the tables names it.
"""


def environment() -> dict[str, str]:
    """The environment of a process in which SciPy accepts arrays of any library."""
    return processes.environment(SCIPY_ARRAY_API="1", OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")


def measured() -> dict[str, tuple[str, str]]:
    """The outcome of each call, from a separate process: SciPy reads its environment only once."""
    command = [sys.executable, "-m", "tests.scipy.measure", "--json"]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=900)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return {name: (status, note) for name, (status, note) in json.loads(done.stdout).items()}


def written(text: str) -> dict[str, str]:
    """The statuses on a page, by the name of the call."""
    return dict(re.findall(r"^\| `([^`]+)` \| (\w+) \|", text, flags=re.MULTILINE))


def instead(name: str) -> str:
    """The function of xgrad with the same name as the call `name`, or an empty string."""
    import xgrad.scipy

    for path in (f"xgrad.scipy.{name}", f"xgrad.{name}"):
        function: Any = xgrad
        for part in path.split(" ")[0].split(".")[1:]:
            function = getattr(function, part, None)
        if function is not None:
            return f"`{path.split(' ')[0]}`"
    return ""


def calls_part(outcomes: dict[str, tuple[str, str]]) -> Iterator[str]:
    modules = list(dict.fromkeys(name.partition(".")[0] for name in outcomes))
    counts = {m: Counter(s for name, (s, _) in outcomes.items() if name.startswith(f"{m}.")) for m in modules}
    total = sum(counts.values(), Counter())
    yield f"These {len(outcomes)} calls were chosen before the first was run (`tests/scipy/calls.py`). They run on NumPy,"
    yield f"in a process without any other array library, with {versions()}. (Six calls that did not test anything as first"
    yield "written were corrected.)\n"
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
                alternative = instead(name) if status in ("leaves", "refused") else ""
                yield f"| `{name}` | {status} | {alternative or note.replace('|', '/') if status != 'right' else ''} |"


def suites_part(recorded: Sequence[bool] = (False, True)) -> Iterator[str]:
    yield f"Run with {versions()}: passed, failed, and skipped because SciPy marks them as tests for NumPy only.\n"
    yield "| tests of | passed | failed | skipped | all recorded: passed | failed | skipped |\n|---|---|---|---|---|---|---|"
    total = [0] * 6
    for module in SUITES:
        row = [n for recording in recorded for n in suite(module, recording)]
        total = [a + b for a, b in zip(total, row)]
        yield f"| scipy.{module} | " + " | ".join(map(str, row)) + " |"
    yield "| all | " + " | ".join(map(str, total)) + " |"


def sklearn_part() -> Iterator[str]:
    yield f"\nThe tests of scikit-learn {version('scikit-learn')} (`tests/scipy/sklearn_plugin.py`), without recording:\n"
    yield "| tests of | passed | failed | skipped |\n|---|---|---|---|"
    total = [0] * 3
    for module in SKLEARN:
        row = outcome("tests.scipy.sklearn_plugin", f"sklearn.{module}", "-k", "array_api")
        total = [a + b for a, b in zip(total, row)]
        yield f"| sklearn.{module} | " + " | ".join(map(str, row)) + " |"
    yield "| all | " + " | ".join(map(str, total)) + " |"


def suite(module: str, recording: bool) -> list[int]:
    """The numbers of SciPy's own tests of a module that pass, fail and are skipped."""
    return outcome("tests.scipy.plugin", f"scipy.{module}", "-m", "array_api_backends", *["--recording"] * recording)


def outcome(plugin: str, package: str, *options: str) -> list[int]:
    """The numbers of a package's tests that pass, fail and are skipped with a plugin of pytest."""
    command = [sys.executable, "-m", "pytest", "-p", plugin, "--pyargs", package, "-q", "--tb=no", *options]
    command += ["-p", "no:cacheprovider", "--disable-warnings"]
    done = subprocess.run(command, cwd="/", env=environment(), capture_output=True, text=True, check=False)
    counts = {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", done.stdout.splitlines()[-1])}
    return [counts.get(word, 0) for word in ("passed", "failed", "skipped")]


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
        "`python -m nox -s scipy` writes this page again.\n",
        "## SciPy's own tests\n",
        "The tests that have the namespace as an argument, with `tests/scipy/plugin.py`, which passes that of xgrad.\n",
        "With all tensors recorded, `xgrad.scipy.fft` is the backend of `scipy.fft`, by SciPy's own protocol "
        "(`scipy.fft.set_backend`).\n",
        suites or "Not run yet.",
        "\n## Calls\n",
        *calls_part(measured()),
    ]
    PAGE.write_text("\n".join(parts) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
