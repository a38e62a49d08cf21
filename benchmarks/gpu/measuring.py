"""Time what runs on a device, count what it does there, and write down what was found."""

from __future__ import annotations

import json
import statistics
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import xgrad
from xgrad.backend import find_backend

from .session import optional

ROUNDS = 5


class Device:
    """The device that is measured, and how the host waits for it.

    Parameters
    ----------
    dry : bool
        Whether NumPy takes CuPy's place, and PyTorch stays on the CPU.
    """

    def __init__(self, dry: bool) -> None:
        self.dry, self.name = dry, "numpy" if dry else "cupy"
        xgrad.set_backend(self.name)
        self.plugin = find_backend(self.name)
        self.xp = self.plugin.xp
        self.torch: Any = optional("torch")
        self.cuda = not dry and self.torch is not None and self.torch.cuda.is_available()
        self.torch_device = "cuda" if self.cuda else "cpu"
        if self.torch is not None:
            self.torch.backends.cuda.matmul.allow_tf32 = False  # float32 as CuPy has it

    def array(self, x: Any, dtype: str | None = None) -> Any:
        """An array of the backend with the values of `x`."""
        return self.plugin.from_numpy(np.asarray(x, dtype=dtype))

    def tensor(self, x: Any, dtype: str | None = None, requires_grad: bool = False) -> xgrad.Tensor:
        """A Tensor with the values of `x`."""
        return xgrad.Tensor(self.array(x, dtype), requires_grad=requires_grad)

    def wait(self) -> None:
        """Return when all that was started is done."""
        self.plugin.synchronize()
        if self.cuda:
            self.torch.cuda.synchronize()

    def measure(self, run: Callable[[], Any], seconds: float) -> dict[str, Any]:
        """Milliseconds for a run, and on a GPU what it does there.

        Parameters
        ----------
        run : callable
            What is measured. It starts work on the device and need not wait for it.
        seconds : float
            About how long all rounds together take; one round in a dry run.

        Returns
        -------
        dict
            ``ms``, the median over the rounds of the time for a run, with one wait at the end of a round; ``host_ms``, the part
            after which the host is free again; ``runs`` in a round; and what `count` returns.
        """
        for _ in range(1 if self.dry else 3):
            run()
        self.wait()
        start = time.perf_counter()
        run()
        self.wait()
        rounds = 1 if self.dry else ROUNDS
        runs = 1 if self.dry else max(1, min(200, int(seconds / rounds / max(time.perf_counter() - start, 1e-6))))
        whole, host = [], []
        for _ in range(rounds):
            start = time.perf_counter()
            for _ in range(runs):
                run()
            host.append((time.perf_counter() - start) / runs)
            self.wait()
            whole.append((time.perf_counter() - start) / runs)
        times = {"ms": round(1e3 * statistics.median(whole), 4), "host_ms": round(1e3 * statistics.median(host), 4), "runs": runs}
        return {**times, **(self.count(run) if self.cuda else {})}

    def count(self, run: Callable[[], Any]) -> dict[str, Any]:
        """Kernels, copies, waits and busy time of one run, of whichever library: the profiler sees the whole process."""
        from torch.profiler import ProfilerActivity, profile

        self.wait()
        try:
            with profile(activities=[ProfilerActivity.CUDA, ProfilerActivity.CPU]) as profiler:
                run()
                self.wait()
            events = profiler.events()
        except Exception as error:  # the times are kept, whatever is wrong with the profiler
            return {"profiler": first_line(error)}
        on_device = Counter(event.name for event in events if "CUDA" in str(event.device_type))
        busy = sum(event.time_range.elapsed_us() for event in events if "CUDA" in str(event.device_type))
        copies = {name: n for name, n in on_device.items() if name.startswith("Mem")}
        calls = Counter(event.name for event in events if event.name.startswith("cu") and "CUDA" not in str(event.device_type))
        return {
            "kernels": on_device.total() - sum(copies.values()),
            "copies": copies,
            "busy_us": round(busy),
            "calls": {name: n for name, n in calls.items() if any(word in name for word in ("ync", "Launch", "emcpy"))},
            "most": [f"{n} {name[:60]}" for name, n in on_device.most_common(12)],
        }


class Findings:
    """What a stage found, in a file that is complete at any time.

    Parameters
    ----------
    path : Path
        The JSON file to write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.found: dict[str, Any] = {}

    def add(self, name: str, value: Any) -> None:
        """Write `value` down as `name`."""
        self.found[name] = value
        self.path.write_text(json.dumps(self.found, indent=1, default=str) + "\n", encoding="utf-8")


def first_line(error: BaseException) -> str:
    """What an error says, in one line."""
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0][:300]}"


def in_words(facts: dict[str, Any]) -> str:
    """The numbers of a measurement in one line."""
    if "error" in facts:
        return facts["error"]
    words = [f"{facts['ms']:9.4f} ms", f"host {facts['host_ms']:.4f}"]
    if "kernels" in facts:
        words.append(f"{facts['kernels']} kernels, busy {facts['busy_us']} us, copies {facts['copies'] or 'none'}")
    if "share of peak" in facts:
        words.append(f"{facts['share of peak']:.0%} of the rate of a large product")
    if "largest difference" in facts:
        words.append(f"losses agree to {facts['largest difference']:.0e}")
    return ", ".join(words)
