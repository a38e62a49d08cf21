"""The program that measures xgrad on a GPU: dry runs of it, on NumPy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from .harness.processes import environment

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="it is written for Linux: it ends groups of processes")


def run(out: Path, *arguments: str, status: int = 0) -> str:
    command = [sys.executable, "-m", "benchmarks.gpu", "--out", str(out), *arguments]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def found(out: Path, name: str) -> dict[str, dict[str, object]]:
    facts: dict[str, dict[str, object]] = json.loads((out / f"{name}.json").read_text())
    return facts


def test_a_dry_run_measures_and_verifies(tmp_path: Path) -> None:
    run(tmp_path, "--dry-run", "--stages", "info,steps,operations")
    assert {name: facts["exit status"] for name, facts in found(tmp_path, "stages").items()} == dict.fromkeys(
        ("info", "steps", "operations"), 0
    )
    for rows in list(found(tmp_path, "steps").values())[1:]:
        for name in ("xgrad", "xgrad.jit"):
            row = rows[name]
            assert row["ms"] > 0 and row["largest difference"] < 1e-4 and 0 < row["share of peak"] < 2  # type: ignore[index, operator]
    assert found(tmp_path, "operations")["Adam, one parameter of (784, 256)"]["ms"] > 0  # type: ignore[operator]
    assert (tmp_path / "report.txt").read_text().splitlines()[-1].endswith("ended badly: none")


def test_losses_that_differ_are_not_timed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks.gpu import steps, workloads

    workload = workloads.mlp([4, 3, 2], 5)
    bad = workload._replace(params=[p + 0.1 for p in workload.params])

    def ways(device: object, workload: object) -> dict[str, object]:
        return {"right": lambda: steps.xgrad_step(device, workload), "xgrad": lambda: steps.xgrad_step(device, bad)}  # type: ignore[arg-type]

    monkeypatch.setattr(steps, "chosen", lambda dry: [workload])
    monkeypatch.setattr(steps, "ways", ways)
    with pytest.raises(SystemExit, match="not verified or not measured.*'xgrad'"):
        steps.main(True, tmp_path)
    rows = found(tmp_path, "steps")[workload.title]
    assert "ms" in rows["right"]  # type: ignore[operator]
    assert rows["xgrad"].keys() == {"error"} and "are not those of right" in rows["xgrad"]["error"]  # type: ignore[attr-defined, index]


def test_the_groups_name_tests_that_exist() -> None:
    from benchmarks.gpu.suite import GROUPS

    for _, arguments, _ in GROUPS:
        paths = [ROOT / argument for argument in arguments if argument.startswith("tests/")]
        assert paths and all(path.exists() for path in paths)


def test_failing_tests_are_written_down(tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text("def test_good(): pass\ndef test_bad(): assert 1 == 2\n")
    (tmp_path / "conftest.py").write_text("def pytest_addoption(parser): parser.addoption('--backend')\n")
    tests = ("--workers", "1", "--tests", str(tmp_path / "test_it.py"))
    text = run(tmp_path / "out", "--dry-run", "--stages", "tests,recheck", *tests, status=1)
    assert "1 tests failed (failures.txt); ended badly: tests" in text
    assert found(tmp_path / "out", "tests")["tests"] == {"passed": 1, "failed": 1}
    assert "test_bad" in (tmp_path / "out" / "failures.txt").read_text()


def test_a_stage_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    from benchmarks.gpu.session import Session

    session = Session(tmp_path, 60, dry=True)
    code = "import subprocess; print('here', flush=True); subprocess.run(['sleep', '60'])"
    done = session.run("slow", [sys.executable, "-c", code], 5)
    assert not done.finished and done.text == "here\n"
    assert "slow: ended after its 5 s" in (tmp_path / "report.txt").read_text()
    assert found(tmp_path, "stages")["slow"]["exit status"] is None


def test_the_watchdog_ends_everything(tmp_path: Path) -> None:
    code = f"""
import sys, time
from pathlib import Path
from benchmarks.gpu.session import Session
session = Session(Path({str(tmp_path)!r}), 0.05, dry=True)
time.sleep(1)
session.left = lambda: 100.0
session.run("slow", [sys.executable, "-c", "import time; time.sleep(100)"], 100)
time.sleep(100)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment(), timeout=60, check=False)
    assert done.returncode == 3
    assert "the time is up" in (tmp_path / "report.txt").read_text()


def test_the_process_that_starts_the_others_needs_nothing_installed() -> None:
    code = "import sys, benchmarks.gpu.suite, benchmarks.gpu.__main__; print({'xgrad', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()", "it imports them before --wheels is installed"


def test_wrong_arguments_are_named(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.gpu", "--stages", "info,nonsense"]
    done = subprocess.run(command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2 and "nonsense" in done.stderr


def test_without_a_gpu_it_says_so_and_stops(tmp_path: Path) -> None:
    import xgrad

    if any(status.name == "cupy" and status.usable for status in xgrad.available_backends()):
        pytest.skip("CuPy works here")
    text = run(tmp_path, "--stages", "info,steps", status=1)
    assert "cupy cannot be used here" in text and "steps" not in found(tmp_path, "stages")
