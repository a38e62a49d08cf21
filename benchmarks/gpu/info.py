"""The machine, the versions of the libraries, and a first gradient."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import time
from pathlib import Path

import xgrad

from .measuring import Device, Findings

PACKAGES = (
    "numpy", "scipy", "cupy-cuda12x", "cupy-cuda13x", "array-api-compat", "torch", "jax", "pytest", "pytest-xdist", "hypothesis",
    "scikit-learn", "array-api-strict",
)  # fmt: skip


def main(dry: bool, out: Path) -> None:
    """Print and write down what there is."""
    findings = Findings(out / "info.json")
    findings.add("date", time.strftime("%Y-%m-%d"))
    findings.add("python", f"{platform.python_version()} on {platform.platform()}, {os.cpu_count()} cores")
    findings.add("packages", {name: version(name) for name in PACKAGES})
    if not dry:
        query = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
        findings.add("gpu", subprocess.run(query, capture_output=True, text=True, check=False, timeout=30).stdout.strip())
    for name, fact in findings.found.items():
        print(f"{name}: {fact}")
    device = Device(dry)
    if not dry:
        import cupy

        cupy.show_config()
    start = time.perf_counter()
    x = device.tensor([[1.0, 2.0], [3.0, 4.0]], "float64", requires_grad=True)
    xgrad.sum(xgrad.tanh(x @ x) ** 2).backward()
    print(f"first gradient, with compiling: {time.perf_counter() - start:.2f} s; {x.grad.tolist()}")
    for status in xgrad.available_backends():
        print(f"  {status.name}: {status.version if status.usable else status.reason}")


def version(name: str) -> str | None:
    """The installed version of a package, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
