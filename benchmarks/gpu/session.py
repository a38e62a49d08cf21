"""A session: processes one after the other, each with a time limit, and a watchdog that ends all of them."""

from __future__ import annotations

import importlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {
    "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "TQDM_DISABLE": "1",
    "JAX_PLATFORMS": "cpu", "JAX_ENABLE_X64": "1", "XLA_PYTHON_CLIENT_PREALLOCATE": "false", "MPLBACKEND": "Agg",
}  # fmt: skip


class Done(NamedTuple):
    """What became of a process."""

    text: str  # what it printed
    code: int | None  # its exit status; None if it did not finish
    started: bool = True

    @property
    def finished(self) -> bool:
        return self.code is not None


class Session:
    """Runs processes and keeps a report.

    Parameters
    ----------
    out : Path
        The folder for report.txt, log.txt and the JSON files of the stages.
    minutes : float
        After so many minutes a watchdog ends all processes, and this one.
    dry : bool
        Whether NumPy takes CuPy's place.
    """

    def __init__(self, out: Path, minutes: float, dry: bool) -> None:
        self.out, self.dry, self.backend = out, dry, "numpy" if dry else "cupy"
        self.start = time.monotonic()
        self.deadline = self.start + 60 * minutes
        self.path = [str(ROOT), str(ROOT / "backends"), *filter(None, [os.environ.get("PYTHONPATH")])]
        self.stages: dict[str, Any] = {}
        self.lock = threading.Lock()
        self.children: list[subprocess.Popen[str]] = []
        out.mkdir(parents=True, exist_ok=True)
        self.report, self.log = ((out / name).open("a", encoding="utf-8", buffering=1) for name in ("report.txt", "log.txt"))
        threading.Thread(target=self._watch, daemon=True).start()

    def left(self) -> float:
        """Seconds until the watchdog ends everything."""
        return self.deadline - time.monotonic()

    def say(self, words: str) -> None:
        """Print a line with the time, and write it to the report."""
        line = f"[{time.monotonic() - self.start:5.0f} s] {words}"
        print(line, flush=True)
        self.report.write(line + "\n")

    def write(self, name: str, facts: Any) -> None:
        """Write `facts` to a JSON file."""
        (self.out / f"{name}.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")

    def install(self, wheels: Path) -> None:
        """Install the wheels of a folder into a folder of this session, without a network."""
        files = sorted(map(str, wheels.glob("*.whl")))
        if not files:
            raise SystemExit(f"error: --wheels {wheels}: there is no .whl file in it")
        site = self.out / "site"
        options = ["-q", "--no-index", "--no-deps", "--no-compile", "--no-cache-dir", "--upgrade", "--target", str(site)]
        if self.run("wheels", [sys.executable, "-m", "pip", "install", *options, *files], 90).code == 0:
            self.path.insert(0, str(site))

    def stage(self, name: str, limit: float) -> Done:
        """Run a stage of this package in a process."""
        flags = ["--dry-run"] if self.dry else []
        command = [sys.executable, "-m", "benchmarks.gpu", "--run-stage", name, "--out", str(self.out), *flags]
        return self.run(name, command, limit)

    def run(self, what: str, command: list[str], limit: float, shown: int = 9000, **variables: str) -> Done:
        """Run a command for at most `limit` seconds, and show the last `shown` characters of what it prints."""
        limit = min(limit, self.left() - 8)
        if limit < 5:
            self.say(f"{what}: skipped, no time is left")
            self._keep(what, None, 0.0)
            return Done("", None, started=False)
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")
        }  # of tests of this script
        env = {**inherited, **ENVIRONMENT, "PYTHONPATH": os.pathsep.join(self.path), "OUT": str(self.out), **variables}
        start = time.monotonic()
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        child = subprocess.Popen(command, cwd=ROOT, env=env, text=True, errors="replace", start_new_session=True, **pipes)
        self.children.append(child)
        lines: list[str] = []

        def read() -> None:
            for line in child.stdout or ():
                lines.append(line)
                self.log.write(f"{what}: {line}")

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        code: int | None
        try:
            code = child.wait(limit)
        except subprocess.TimeoutExpired:
            end(child)
            code = None
        reader.join(3)
        text = "".join(lines)
        with self.lock:
            how = f"ended after its {limit:.0f} s" if code is None else f"exit status {code}"
            self.say(f"{what}: {how}, {time.monotonic() - start:.0f} s")
            if shown and text:
                print(text[-shown:], flush=True)
                self.report.write(text[-shown:].rstrip() + "\n")
        self._keep(what, code, time.monotonic() - start)
        return Done(text, code)

    def _keep(self, what: str, code: int | None, seconds: float) -> None:
        self.stages[what] = {"exit status": code, "seconds": round(seconds, 1)}
        self.write("stages", self.stages)

    def _watch(self) -> None:
        time.sleep(max(0.0, self.left()))
        self.say("the time is up: everything is ended")
        for child in self.children:
            if child.poll() is None:
                end(child)
        self.report.flush()
        os._exit(3)


def optional(name: str) -> Any:
    """A module, or None if it cannot be imported."""
    try:
        return importlib.import_module(name)
    except (ImportError, OSError):
        return None


def end(child: subprocess.Popen[str]) -> None:
    """End a process and those that it started."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(child.pid, sign)
            child.wait(4)
            return
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
