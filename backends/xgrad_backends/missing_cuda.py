"""Why CuPy cannot run on a machine, and what to do about it. Each function returns None if there is no such reason."""

from __future__ import annotations

import importlib.metadata

import cupy

from xgrad_backends import INSTALL

__all__ = ["incomplete_toolkit", "no_device", "two_packages"]

PACKAGES = ("cupy", "cupy-cuda11x", "cupy-cuda12x", "cupy-cuda13x")
"""CuPy's packages, of which one at a time may be installed."""
OUT_OF_MEMORY = 2
"""The status of `CUDARuntimeError` that CUDA calls ``cudaErrorMemoryAllocation``."""


def two_packages() -> str | None:
    """That several of CuPy's packages are installed."""
    found = [name for name in PACKAGES if _is_installed(name)]
    if len(found) < 2:
        return None
    return (
        f"the packages {' and '.join(found)} are installed together, and each overwrites files of the other; remove them with: "
        f"python -m pip uninstall -y {' '.join(found)}; then install one with: {INSTALL['cupy']}"
    )


def _is_installed(package: str) -> bool:
    try:
        importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def no_device() -> str | None:
    """Why there is no device: no driver, one of an older CUDA, or no GPU."""
    if cupy.is_available():
        return None
    runtime = cupy.cuda.runtime
    try:
        driver, built, reason = runtime.driverGetVersion(), runtime.runtimeGetVersion(), ""
        if driver and driver // 1000 < built // 1000:
            return (
                f"the driver of this machine is for CUDA {driver // 1000}, and this CuPy for CUDA {built // 1000}; remove this "
                f"CuPy, and install the one for the driver with: {INSTALL['cupy']}"
            )
        if driver:
            runtime.getDeviceCount()
        else:
            reason = " (NVIDIA's driver is not installed)"
    except runtime.CUDARuntimeError as error:
        reason = f" ({error})"
    return f"CuPy finds no CUDA device{reason}; it needs an NVIDIA GPU and its driver (see what nvidia-smi says)"


def incomplete_toolkit() -> str | None:
    """Why a kernel or cuBLAS cannot run on the device that is there."""
    try:
        x = cupy.ones((2, 2), dtype="float32")
        cupy.asnumpy(cupy.exp(x) @ x)  # compiles a kernel and calls cuBLAS
    except (RuntimeError, ImportError, OSError, MemoryError, cupy.cuda.compiler.CompileException) as error:
        if isinstance(error, MemoryError) or getattr(error, "status", 0) == OUT_OF_MEMORY:
            return (
                f"the memory of the CUDA device is full ({error}); end other programs on it (nvidia-smi lists them), or choose "
                "another device with the environment variable CUDA_VISIBLE_DEVICES"
            )
        return f"a CUDA device was found, but not all of the CUDA toolkit ({error}); install it with: {INSTALL['cupy']}"
    return None
