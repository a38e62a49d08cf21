"""Devices, and the CUDA runtime's functions that Python code calls."""

from __future__ import annotations

import types
from typing import Any

from . import real
from .memory import device_memory
from .streams import is_capturing, synchronize_device

__all__ = ["Device", "driver", "runtime_namespace"]


class Driver:
    """What is installed on the machine: tests take it away."""

    def __init__(self) -> None:
        self.devices = 1
        self.error: BaseException | None = None  # raised by every call of the driver


driver = Driver()


def device_count() -> int:
    if driver.error is not None:
        raise driver.error
    return driver.devices


class Device:
    """One of the emulated devices. All arrays are on device 0."""

    def __init__(self, device: Any = None) -> None:
        self.id = 0 if device is None else int(device)

    def __int__(self) -> int:
        return self.id

    def __enter__(self) -> Device:
        return self.use()

    def __exit__(self, *error: object) -> None:
        pass

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and other.id == self.id

    def __lt__(self, other: Device) -> bool:
        return self.id < other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"<CUDA Device {self.id}>"

    def use(self) -> Device:
        if not 0 <= self.id < device_count():
            raise real.cupy.cuda.runtime.CUDARuntimeError(101)  # cudaErrorInvalidDevice
        return self

    def synchronize(self) -> None:
        synchronize_device()

    compute_capability = "90"

    @property
    def mem_info(self) -> tuple[int, int]:
        return (device_memory.total - device_memory.used, device_memory.total)

    @property
    def attributes(self) -> dict[str, int]:
        return {"MultiProcessorCount": 132, "MaxThreadsPerBlock": 1024, "WarpSize": 32}


def runtime_namespace() -> types.ModuleType:
    """``cupy.cuda.runtime``: the real constants and errors, with functions of the emulated device."""
    module = types.ModuleType("cupy_backends.cuda.api.runtime")
    for name in dir(real.cupy.cuda.runtime):
        value = getattr(real.cupy.cuda.runtime, name)
        if isinstance(value, (int, str, type)):
            setattr(module, name, value)
    functions = {
        "getDeviceCount": device_count,
        "getDevice": lambda: 0,
        "setDevice": lambda device: None,
        "deviceSynchronize": synchronize_device,
        "streamIsCapturing": is_capturing,
        "memGetInfo": lambda: Device(0).mem_info,
        "runtimeGetVersion": lambda: 13020,
        "driverGetVersion": lambda: 13000,
        "getDeviceProperties": lambda device: {"name": b"emulated device", "multiProcessorCount": 132, "major": 9, "minor": 0},
    }
    for name, function in functions.items():
        setattr(module, name, function)
    return module
