"""Time several ways to compute the same result, in turns in one process."""

from __future__ import annotations

import gc
import importlib.metadata
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

BASE = "numpy"


class Way(NamedTuple):
    """One way to compute a result: `run` is timed; `answer` turns its result into the arrays to compare.

    If it is `captured`, its first runs are not timed, and the answer of the run after them is compared too.
    """

    run: Callable[[], Any]
    answer: Callable[[Any], list[Any]]
    captured: bool = False


UNTIMED = 4
"""How many runs a captured way makes before it runs from a compiled plan in any case."""


class Case(NamedTuple):
    """A computation, with a function for each library that prepares it."""

    title: str
    ways: Mapping[str, Callable[[], Way]]
    tolerance: float = 1e-4  # relative to the largest number of each array


class Timing(NamedTuple):
    seconds: float  # median over the rounds
    ratio: float | None  # median over the rounds of the ratio to NumPy by hand in the same round; None without it
    rounds: int


Results = dict[str, "Timing | str"]  # a string is the reason why there is no timing


def measure(case: Case, *, rounds: int, slot: float, clock: Callable[[], float]) -> Results:
    """Check that the answers of all ways agree, then time every way in each round."""
    results: Results = {}
    ways: dict[str, tuple[Way, int]] = {}
    expected: list[Any] | None = None
    later: list[Any] = []  # what the run after `UNTIMED` others gives
    for name, prepare in case.ways.items():
        try:
            way = prepare()
            answer = [np.asarray(a, dtype=np.float64) for a in way.answer(way.run())]
        except ImportError as error:
            results[name] = f"skipped: {error}"
            continue
        is_first, expected = expected is None, answer if expected is None else expected
        error_size = disagreement(expected, answer)
        if is_first or way.captured:
            for _ in range(UNTIMED):
                result = way.run()
            answer = [np.asarray(a, dtype=np.float64) for a in way.answer(result)]
            later = answer if is_first else later
            error_size = max(error_size, disagreement(later, answer))
        if error_size > case.tolerance:
            results[name] = f"skipped: its answer differs by {error_size:.1e} from {next(iter(case.ways))}'s"
            continue
        ways[name] = (way, repetitions(way.run, slot))
    times: dict[str, list[float]] = {name: [] for name in ways}
    order = list(ways)
    gc.collect()
    gc.freeze()  # exclude the libraries from later collections
    try:
        for k in range(rounds):
            order.append(order.pop(0))
            for name in order:
                way, n = ways[name]
                if n == 0 and k >= 2:  # a run takes seconds: two rounds are enough
                    continue
                gc.collect()
                start = clock()
                for _ in range(max(n, 1)):
                    way.run()
                times[name].append((clock() - start) / max(n, 1))
    finally:
        gc.unfreeze()
    base = times.get(BASE)
    for name, seconds in times.items():
        ratio = None if base is None else statistics.median(t / b for t, b in zip(seconds, base))
        results[name] = Timing(statistics.median(seconds), ratio, len(seconds))
    return {name: results[name] for name in case.ways}


def disagreement(expected: list[Any], answer: list[Any]) -> float:
    """The largest difference of two lists of arrays, relative to the largest number of each array."""
    if [a.shape for a in expected] != [a.shape for a in answer]:
        return float("inf")
    scales = [max(float(np.abs(e).max(initial=0.0)), 1e-6) for e in expected]
    return max(float(np.abs(e - a).max(initial=0.0)) / s for e, a, s in zip(expected, answer, scales))


def repetitions(run: Callable[[], Any], slot: float) -> int:
    """The number of runs that take about `slot` seconds; 0 if one takes more than ten times that."""
    for _ in range(3):
        start = time.perf_counter()
        run()
        seconds = time.perf_counter() - start
        if seconds > 10 * slot:
            return 0
    n = 1
    while seconds < slot / 4:
        n *= 2
        start = time.perf_counter()
        for _ in range(n):
            run()
        seconds = time.perf_counter() - start
    return max(1, round(n * slot / seconds))


def pin() -> str:
    """Bind this process to one core if the system allows it; return a text that says so."""
    if hasattr(os, "sched_setaffinity"):
        core = max(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {core})
        return f"one thread, on core {core}"
    return "one thread"


def machine() -> dict[str, str]:
    """The processor, the system, and the versions of the libraries."""
    model = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            model = next((line.partition(":")[2].strip() for line in file if line.startswith("model name")), model)
    except OSError:
        pass
    facts = {"date": time.strftime("%Y-%m-%d"), "cpu": f"{model}, {os.cpu_count()} cores", "system": platform.platform()}
    facts["python"] = sys.version.split()[0]
    for package in ("xgrad", "numpy", "torch", "jax", "autograd", "mygrad"):
        try:
            facts[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            facts[package] = "from this folder" if package == "xgrad" else "not installed"
    return facts


def duration(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def table(title: str, rows: Sequence[tuple[str, ...]], heads: tuple[str, ...]) -> str:
    widths = [max(len(r[i]) for r in [heads, *rows]) for i in range(len(heads))]
    lines = [
        "  ".join(c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(r, widths))).rstrip()
        for r in [heads, *rows]
    ]
    return "\n".join([title, *(f"  {line}" for line in lines)])
