"""What is said where CuPy cannot run: no GPU, no driver, another CUDA, two packages, an incomplete toolkit, no memory.

On the emulator of CuPy's interface the machine is changed; with CuPy itself its functions are, where there is no GPU.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

import xgrad
from xgrad import Tensor
from xgrad.backend import BackendError, find_backend

from .cupy_interface import is_active

cupy = pytest.importorskip("cupy")
if not is_active() and cupy.is_available():
    pytest.skip("there is a GPU", allow_module_level=True)

Changing = Callable[[pytest.MonkeyPatch], Any]


def raising(error: BaseException) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        raise error

    return function


def machine(*, available: bool = True, driver: int = 13000, built: int = 13020, count: Callable[[], int] = lambda: 0) -> Changing:
    """A machine with this driver and this CuPy."""

    def change(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(cupy, "is_available", lambda: available)
        patch.setattr(cupy.cuda.runtime, "driverGetVersion", lambda: driver)
        patch.setattr(cupy.cuda.runtime, "runtimeGetVersion", lambda: built)
        patch.setattr(cupy.cuda.runtime, "getDeviceCount", count)

    return change


def failing(error: Callable[[], BaseException]) -> Changing:
    """A machine with a device on which kernels end in an error."""

    def change(patch: pytest.MonkeyPatch) -> None:
        patch.setattr(cupy, "is_available", lambda: True)
        patch.setattr(cupy, "ones", raising(error()))

    return change


def packages(*names: str) -> Changing:
    """An environment with these packages."""

    def version(name: str) -> str:
        if name in names:
            return "14.2.0"
        raise metadata.PackageNotFoundError(name)

    from importlib import metadata

    return lambda patch: patch.setattr(metadata, "version", version)


def cuda_error(status: int) -> BaseException:
    error: BaseException = cupy.cuda.runtime.CUDARuntimeError(status)
    return error


CASES: dict[str, tuple[Changing, str]] = {
    "no driver": (machine(available=False, driver=0), r"finds no CUDA device \(NVIDIA's driver is not installed\).*nvidia-smi"),
    "no GPU": (machine(available=False), r"finds no CUDA device; it needs an NVIDIA GPU and its driver"),
    "a GPU that fails": (
        machine(available=False, count=lambda: raising(cuda_error(100))()),
        r"finds no CUDA device \(cudaErrorNoDevice: no CUDA-capable device is detected\)",
    ),
    "a driver of CUDA 12": (
        machine(available=False, driver=12080),
        r"the driver of this machine is for CUDA 12, and this CuPy for CUDA 13; remove this CuPy, and install .*xgrad\[cuda12\]",
    ),
    "two packages": (
        packages("cupy-cuda12x", "cupy-cuda13x"),
        r"cupy-cuda12x and cupy-cuda13x are installed together.*pip uninstall -y cupy-cuda12x cupy-cuda13x; then install one",
    ),
    "no NVRTC": (failing(lambda: RuntimeError("NVRTC is missing")), r"not all of the CUDA toolkit \(NVRTC is missing\); install"),
    "no headers": (
        failing(lambda: cupy.cuda.compiler.CompileException("cannot open cuda_fp16.h", "", "kernel.cu", ())),
        r"not all of the CUDA toolkit \(cannot open cuda_fp16\.h\)",
    ),
    "no cuBLAS": (failing(lambda: ImportError("libcublas.so.13")), r"not all of the CUDA toolkit \(libcublas.so.13\)"),
    "no memory": (
        failing(lambda: cupy.cuda.memory.OutOfMemoryError(512, 0)),
        r"the memory of the CUDA device is full \(Out of memory allocating 512 bytes .*CUDA_VISIBLE_DEVICES",
    ),
    "no memory for CUDA": (
        failing(lambda: cuda_error(2)),
        r"the memory of the CUDA device is full \(cudaErrorMemoryAllocation: out of memory\)",
    ),
}


@contextmanager
def another_machine(change: Changing) -> Iterator[None]:
    """CuPy as it is imported anew on another machine."""
    with pytest.MonkeyPatch.context() as patch:
        change(patch)
        patch.setattr("xgrad.backend.find.loaded_backends", {})
        yield


@pytest.mark.parametrize("name", CASES)
def test_one_error_says_what_is_missing(name: str) -> None:
    change, text = CASES[name]
    xgrad.set_backend("numpy")
    with another_machine(change):
        with pytest.raises(BackendError, match=f"(?s)^backend 'cupy' cannot run here: .*{text}"):
            xgrad.set_backend("cupy")
        assert xgrad.get_backend() == "numpy"
        assert Tensor([1.0]).backend == "numpy"
        status = {s.name: s for s in xgrad.available_backends()}["cupy"]
        assert not status.usable


def test_one_package_is_no_problem() -> None:
    for name in ("cupy-cuda12x", "cupy-cuda13x"):
        with another_machine(packages(name)):
            assert "installed together" not in str(find_backend("cupy").problem())


@pytest.fixture
def little_memory() -> Iterator[None]:
    if not is_active():
        pytest.skip("runs on the emulator of CuPy's interface: nox -s tests-cupy-emulated")
    xgrad.set_backend("cupy")
    from .cupy_interface.memory import device_memory

    with device_memory.limited(100_000):
        yield


CALLS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "zeros": (lambda x: xgrad.zeros((1000, 1000)), r"Out of memory allocating 4,000,256 bytes"),
    "add": (lambda x: x + xgrad.broadcast_to(x, (200, 100)), r"in add of x1 \(100,\) float64, x2 \(200, 100\) float64"),
    "matmul": (lambda x: x[:, None] @ xgrad.ones((1, 200)), r"in matmul of x1 \(100, 1\) float64, x2 \(1, 200\) float"),
    "gradient": (lambda x: _gradient(x), r"in the gradient of \w+"),
}


def _gradient(x: Any) -> None:
    t = Tensor(x, requires_grad=True)
    xgrad.sum(xgrad.broadcast_to(t, (200, 100))[::2] ** 2).backward()


@pytest.mark.usefixtures("little_memory")
@pytest.mark.parametrize("name", CALLS)
def test_out_of_memory_on_the_device(name: str) -> None:
    call, text = CALLS[name]
    x = xgrad.asarray(np.arange(100.0))
    with pytest.raises(MemoryError) as caught:
        call(x)
    notes = "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])])
    assert "Out of memory allocating" in notes
    assert re.search(text, notes), notes
    assert xgrad.get_backend() == "cupy"
    del caught
    np.testing.assert_array_equal(xgrad.to_backend(x + 1.0, "numpy").data, np.arange(100.0) + 1.0)  # what fits is computed
