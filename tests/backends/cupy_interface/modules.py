"""The emulated modules, and how they take CuPy's place."""

from __future__ import annotations

import sys
import types
from typing import Any

import numpy as np

from . import (
    arrays,
    blocks,
    cublas,
    devices,
    elementwise,
    functions,
    linalg,
    memory,
    methods,
    raw,
    real,
    reduction,
    special,
    streams,
    strict,
)
from .randoms import random_namespace
from .scattering import scatter_add, scatter_max, scatter_min
from .ufuncs import Ufunc

__all__ = ["install"]


def _like(name: str, original: Any) -> types.ModuleType:
    """An empty module that says it is `original`, so that files beside that are found."""
    module = types.ModuleType(name)
    for attribute in ("__path__", "__spec__", "__file__", "__version__"):
        if hasattr(original, attribute):
            setattr(module, attribute, getattr(original, attribute))
    return module


def _cuda() -> types.ModuleType:
    module = _like("cupy.cuda", real.cupy.cuda)
    for name in dir(real.cupy.cuda):
        if not name.startswith("__"):
            setattr(module, name, getattr(real.cupy.cuda, name))
    for source in (streams, memory):
        for name in ("Stream", "ExternalStream", "Event", "Graph", "get_current_stream", "get_elapsed_time", "MemoryPool"):
            if hasattr(source, name):
                setattr(module, name, getattr(source, name))
    for name in ("Memory", "MemoryPointer", "UnownedMemory", "PinnedMemoryPool", "alloc", "alloc_pinned_memory"):
        setattr(module, name, getattr(memory, name))
    module.set_allocator, module.using_allocator = memory.set_allocator, memory.using_allocator
    module.get_allocator, module.Device = memory.allocator, devices.Device
    module.get_device_id = lambda: 0
    module.runtime = devices.runtime_namespace()
    module.is_available = is_available
    for name, source in {"stream": streams, "memory": memory, "device": devices, "graph": streams}.items():
        part = _like(f"cupy.cuda.{name}", getattr(real.cupy.cuda, name))
        for key in dir(getattr(real.cupy.cuda, name)):
            if not key.startswith("__"):
                setattr(part, key, getattr(source, key, getattr(getattr(real.cupy.cuda, name), key)))
        setattr(module, name, part)
    return module


def is_available() -> bool:
    try:
        return devices.device_count() > 0
    except Exception:
        return False


def _cupyx() -> tuple[types.ModuleType, types.ModuleType, types.ModuleType]:
    cupyx, scipy, functions_ = _like("cupyx", real.cupyx), types.ModuleType("cupyx.scipy"), special.special_namespace()
    for function in (scatter_add, scatter_max, scatter_min):
        setattr(cupyx, function.__name__, function)
    cupyx.rsqrt = Ufunc("rsqrt", real.cupyx.rsqrt, lambda x: 1 / np.sqrt(x))
    cupyx.errstate = real.cupyx.errstate
    cupyx.empty_pinned = lambda shape, dtype=float, order="C": np.empty(shape, dtype, order)
    cupyx.zeros_pinned = lambda shape, dtype=float, order="C": np.zeros(shape, dtype, order)
    cupyx.scipy, scipy.special = scipy, functions_
    return cupyx, scipy, functions_


def install() -> types.ModuleType:
    """Put the emulated modules in the place of CuPy's in `sys.modules`, and return ``cupy``."""
    cupy = _like("cupy", real.cupy)
    functions.fill(cupy, real.cupy, np)
    cupy.is_emulated, cupy.ndarray = True, arrays.ndarray
    cupy._core = real.cupy._core
    methods.install()
    strict.install(cupy)
    cupy.linalg, cupy.cuda = linalg.linalg_namespace(), _cuda()
    fft = types.ModuleType("cupy.fft")
    functions.fill(fft, real.cupy.fft, np.fft, "fft.")
    cupy.fft, cupy.random = fft, random_namespace()
    cupy.is_available = is_available
    cupy.get_default_memory_pool = lambda: memory.default_pool
    cupy.get_default_pinned_memory_pool = lambda: memory.pinned_pool  # type: ignore[attr-defined]
    for kernel in (elementwise.ElementwiseKernel, reduction.ReductionKernel, raw.RawKernel, blocks.RawModule):
        setattr(cupy, kernel.__name__, kernel)
    cupyx, scipy, functions_ = _cupyx()
    modules = {
        "cupy": cupy,
        "cupy.linalg": cupy.linalg,
        "cupy.fft": fft,
        "cupy.random": cupy.random,
        "cupy.cuda": cupy.cuda,
        "cupy.cuda.runtime": cupy.cuda.runtime,
        "cupy.cuda.stream": cupy.cuda.stream,
        "cupy.cuda.memory": cupy.cuda.memory,
        "cupyx": cupyx,
        "cupyx.scipy": scipy,
        "cupyx.scipy.special": functions_,
    }
    sys.modules.update(modules)
    from xgrad_backends.cuda import blas

    blas.library = cublas.Cublas  # type: ignore[assignment]
    return cupy
