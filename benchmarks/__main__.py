"""Run benchmarks: ``python -m benchmarks [names] [--json FILE]``; without names, all."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time

# Before NumPy is imported: one thread for every library.
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
    os.environ[_variable] = "1"
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
os.environ.setdefault("JAX_ENABLE_X64", "1")

from . import cases, checkpoint, harness, matrices, memory, products, workloads  # noqa: E402

CASES = {**cases.CASES, **matrices.CASES, **products.CASES}
OTHERS = ("memory", "checkpoint")  # these measure memory too


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"any of {', '.join([*CASES, *OTHERS])} (default: all)")
    parser.add_argument("--rounds", type=int, default=15, help="the number of rounds (default: 15)")
    parser.add_argument("--slot", type=float, default=0.05, help="seconds for each library in a round (default: 0.05)")
    parser.add_argument(
        "--clock", choices=("wall", "cpu"), default="cpu", help="cpu is the time of this process alone (default: cpu)"
    )
    parser.add_argument("--compile-torch", action="store_true", help="time torch.compile too, which needs a C++ compiler")
    parser.add_argument("--json", metavar="FILE", help="also write the numbers to this file")
    args = parser.parse_args()
    names = args.names or [*CASES, *OTHERS]
    if unknown := set(names) - {*CASES, *OTHERS}:
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}; there are {', '.join([*CASES, *OTHERS])}")
    workloads.COMPILE_TORCH = args.compile_torch
    clock = time.perf_counter if args.clock == "wall" else time.process_time
    facts = {**harness.machine(), "threads": harness.pin(), "clock": args.clock}
    print("\n".join(f"{key}: {value}" for key, value in facts.items()))
    print("times are medians over rounds in which the libraries take turns; x NumPy is the median of the ratios within a round\n")
    report: dict[str, object] = {"machine": facts}
    for name in names:
        if name == "memory":
            report[name] = peaks = memory.measure()
            print(show_memory(peaks), end="\n\n", flush=True)
            continue
        if name == "checkpoint":
            report[name] = rows = checkpoint.measure()
            print(show_checkpoint(rows), end="\n\n", flush=True)
            continue
        case = CASES[name]()
        results = harness.measure(case, rounds=args.rounds, slot=args.slot, clock=clock)
        print(show(case.title, results), end="\n\n", flush=True)
        report[name] = {"title": case.title, "ways": {k: v if isinstance(v, str) else v._asdict() for k, v in results.items()}}
    if args.json:
        with open(args.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)
    return 0


def show(title: str, results: harness.Results) -> str:
    rows = []
    for name, timing in results.items():
        if isinstance(timing, str):
            rows.append((name, timing, ""))
        else:
            rows.append((name, harness.duration(timing.seconds), "" if timing.ratio is None else f"{timing.ratio:.2f}"))
    return harness.table(title, rows, ("", "median", "x NumPy"))


def show_checkpoint(results: list[dict[str, float]]) -> str:
    rows = []
    for row in results:
        kept, checkpointed = row["kept KiB"], row["checkpointed KiB"]
        sizes = f"{kept:,.0f}", f"{checkpointed:,.0f}", f"{checkpointed / kept:.2f}"
        times = harness.duration(row["kept s"]), harness.duration(row["checkpointed s"])
        rows.append((f"{row['layers']:.0f}", f"{row['segments']:.0f}", *sizes, *times))
    heads = ("layers", "segments", "kept KiB", "checkpointed KiB", "ratio", "kept", "checkpointed")
    return harness.table("peak memory of a deep net, float32: one forward and one backward, with xgrad.checkpoint", rows, heads)


def show_memory(results: dict[str, dict[str, object]]) -> str:
    base = results.get("numpy", {})
    rows: list[tuple[str, ...]] = []
    for name, facts in results.items():
        if "reason" in facts:
            rows.append((name, str(facts["reason"]), "", "", ""))
            continue
        row = [name]
        for key in ("traced", "resident"):
            value, reference = facts.get(key), base.get(key)
            known = isinstance(value, (int, float)) and not (key == "traced" and name == "torch")
            row.append(f"{value:,.0f}" if known else "unknown")
            has_ratio = known and isinstance(reference, (int, float)) and reference
            row.append(f"{value / reference:.2f}" if has_ratio else "")  # type: ignore[operator]
        rows.append(tuple(row))
    heads = ("", "traced KiB", "x NumPy", "resident KiB", "x NumPy")
    return harness.table(
        "peak memory of 100-[300, 300, 1], float32: parameters, one forward and one backward, fresh process", rows, heads
    )


if __name__ == "__main__":
    sys.exit(main())
