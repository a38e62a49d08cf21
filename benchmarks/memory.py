"""Peak memory of a network 100-[300, 300, 1], its parameters, one forward and one backward pass, each in a fresh process.

``python -m benchmarks.memory NAME MODE`` measures one way and prints a line of JSON. *Traced* is the peak that Python's
tracemalloc measures: it includes NumPy's arrays but not the memory of PyTorch and JAX. *Resident* is the growth of the peak
resident set, on Linux only: it includes everything, also the reserve of an allocator. A tiny network runs first, so that
what a library loads on first use is not counted.
"""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

SIZES = [100, 300, 300, 1]
WAYS = ("numpy", "xgrad", "torch", "autograd", "mygrad", "scalar engine")


def _status(key: str) -> int | None:
    """A value of /proc/self/status, in KiB."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith(f"{key}:")), None)


def _one(name: str, traced: bool) -> dict[str, Any]:
    import tracemalloc

    from .cases import mlp

    warm = mlp([3, 4, 4, 1]).ways[name]()
    warm.run()
    del warm
    gc.collect()
    if traced:
        tracemalloc.start()
    before = _status("VmRSS")
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # reset the peak
    except OSError:
        before = None
    way = mlp(SIZES).ways[name]()
    way.run()
    if traced:
        return {"traced": tracemalloc.get_traced_memory()[1] / 1024}
    peak = _status("VmHWM")
    return {"resident": None if before is None or peak is None else peak - before}


def measure() -> dict[str, dict[str, Any]]:
    """The peaks of each way in KiB, or the reason why there are none."""
    results: dict[str, dict[str, Any]] = {}
    for name in WAYS:
        results[name] = {}
        for mode in ("traced", "resident"):
            command = [sys.executable, "-m", "benchmarks.memory", name, mode]
            process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
            if process.returncode:
                results[name] = {"reason": "skipped: " + (process.stderr.strip().splitlines() or ["it failed"])[-1]}
                break
            results[name] |= json.loads(process.stdout)
    return results


if __name__ == "__main__":
    print(json.dumps(_one(sys.argv[1], sys.argv[2] == "traced")))
