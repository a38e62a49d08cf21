"""Everything about xgrad on an NVIDIA GPU in one run: ``python -m benchmarks.gpu --minutes 8``.

The stages: ``info`` (versions), ``probes`` (small questions), ``table`` (values and derivatives of all functions), ``train`` (the
digits), ``steps`` (training steps against PyTorch on the same GPU), ``operations``, ``tests`` (the rest, by priority) and
``recheck`` (failures again on NumPy). Each is a process of its own with a time limit. What is found is in the folder ``--out`` at
once: report.txt is to be read first; failures.txt has an entry for each failing test; the numbers are in JSON files.

``--dry-run`` does the same on a small scale with NumPy in CuPy's place, on any machine: it tests this program, and says nothing
about a GPU. The exit status is 0 if all stages ended well, 1 if one did not, 3 if the time was up.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import threading
import time
from pathlib import Path

STAGES = ("info", "probes", "table", "train", "steps", "operations", "tests", "recheck")
IN_PROCESSES = ("info", "probes", "steps", "operations")  # modules of this package


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--dry-run", action="store_true", help="NumPy in CuPy's place, everything small")
    parser.add_argument("--minutes", type=float, default=8.0, help="end everything after so many minutes (default: 8)")
    parser.add_argument("--out", type=Path, default=None, help="the folder for the results (default: runs/gpu-<time>)")
    parser.add_argument("--stages", default=",".join(STAGES), help=f"some of {','.join(STAGES)} (default: all)")
    parser.add_argument("--tests", default="", help="arguments of pytest in place of the groups of the stage tests")
    parser.add_argument("--workers", type=int, default=0, help="processes for the tests (default: three less than cores)")
    parser.add_argument("--wheels", type=Path, default=None, help="install the wheels in this folder first, without a network")
    parser.add_argument("--run-stage", choices=IN_PROCESSES, default=None, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    if unknown := set(args.stages.split(",")) - set(STAGES):
        parser.error(f"--stages: there is no stage {', '.join(sorted(unknown))}; there are {', '.join(STAGES)}")
    if args.wheels is not None and not args.wheels.is_dir():
        parser.error(f"--wheels: {args.wheels} is no folder")
    return args


def main(argv: list[str] | None = None) -> int:
    args = arguments(argv)
    if args.run_stage:
        importlib.import_module(f".{args.run_stage}", __package__).main(args.dry_run, args.out)
        return 0
    from .session import Session
    from .suite import Suite

    out = (args.out or Path("runs") / f"gpu-{time.strftime('%Y%m%d-%H%M%S')}").resolve()
    session = Session(out, args.minutes, args.dry_run)
    suite = Suite(session, args.workers or max(1, min(12, (os.cpu_count() or 2) - 3)))
    wanted, dry = args.stages.split(","), args.dry_run
    if args.wheels is not None:
        session.install(args.wheels.resolve())
    if "info" in wanted and session.stage("info", 90).code not in (0, None):
        session.say(f"done; the backend {session.backend} cannot be used here, as the stage info says")
        return 1
    beside = threading.Thread(target=session.stage, args=("probes", 120)) if "probes" in wanted else None
    if beside:
        beside.start()
    if "table" in wanted:
        suite.table()
    if beside:
        beside.join()
    if "train" in wanted:
        train = [sys.executable, "examples/train_digits.py", "--backend", session.backend, "--epochs", "2" if dry else "8"]
        session.run("train", [*train, "--out", str(out / f"digits-{os.getpid()}")], 90, 1500)
    if "steps" in wanted:
        session.stage("steps", 120)
    if "operations" in wanted:
        session.stage("operations", 75)
    if "tests" in wanted:
        suite.rest(args.tests.split())
    if "recheck" in wanted:
        suite.recheck()
    bad = [name for name, facts in session.stages.items() if facts["exit status"] != 0 and name != "recheck"]
    session.say(f"done; {len(suite.failed())} tests failed (failures.txt); ended badly: {', '.join(bad) or 'none'}")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
