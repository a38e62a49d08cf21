"""The CUDA source of a plan, and the kernels that are made of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cupy

from ..compiled.compiler import CannotCompile
from ..compiled.places import Places
from ..compiled.steps import Storage
from .kernels import Kernel, Launch
from .mathematics import OPTIONS, prelude
from .memory import DeviceMemory

__all__ = ["Source", "Started"]

STORE = "store_numbers"


class Started:
    """A kernel with what it is called with."""

    def __init__(self, name: str, blocks: int, threads: int, storages: list[Storage]) -> None:
        self.name, self.blocks, self.threads, self.storages = name, blocks, threads, storages
        self.function: Any = None
        self._addresses: list[int] = []

    def bind(self, memory: DeviceMemory) -> None:
        """Take note of the addresses."""
        self._addresses = [memory.address(storage) for storage in self.storages]

    def run(self, numbers: Any) -> None:
        """Start it on the current stream."""
        self.function((self.blocks,), (self.threads,), (*self._addresses, numbers.data.ptr))


class Source:
    """The source of all kernels of a plan."""

    def __init__(self) -> None:
        self._functions: dict[str, str] = {}
        self._kernels: dict[str, str] = {}
        self._started: list[Started] = []

    def kernel(self, launch: Launch) -> Started:
        """Add a kernel."""
        storages = launch.storages
        lines, first = [], 0
        for kernel, blocks in launch.parts:
            name = self._function(kernel)
            block = f"blockIdx.x - {first}" if first else "blockIdx.x"
            arguments = [*(f"p{storages.index(storage)}" for storage in kernel.storages), "numbers", block]
            first += blocks
            lines.append(f"if (blockIdx.x < {first}) {{ {name}({', '.join(arguments)}); return; }}")
        text = "\n  ".join(lines)
        written = {storage for kernel, _ in launch.parts for storage in kernel.written}
        parameters = [Kernel.parameter(storage, f"p{k}", storage in written) for k, storage in enumerate(storages)]
        key = f"({', '.join([*parameters, 'const char* numbers'])}) {{\n  {text}\n}}\n"
        key = f"__launch_bounds__({launch.threads}) @{key}"
        name = self._kernels.setdefault(key, f"k{len(self._kernels)}")
        started = Started(name, first, launch.threads, storages)
        self._started.append(started)
        return started

    def _function(self, kernel: Kernel) -> str:
        return self._functions.setdefault(kernel.text, f"g{len(self._functions)}")

    def text(self, places: Places, numbers: Sequence[Any]) -> str:
        """All of it, with a kernel that stores `numbers`, which are its arguments."""
        large = max([storage.size for storage in places.storages], default=0) >= 1 << 30
        functions = [f"static __device__ __forceinline__ void {name}{text}" for text, name in self._functions.items()]
        kernels = [f'extern "C" __global__ void {key.replace("@", name)}' for key, name in self._kernels.items()]
        types = [{float: "double", int: "long long", bool: "bool"}[var.dtype] for var in numbers]
        stored = "".join(f"  *({t}*)(memory + {8 * k}) = n{k};\n" for k, t in enumerate(types))
        parameters = ", ".join(["char* memory", *(f"{t} n{k}" for k, t in enumerate(types))])
        store = f'extern "C" __global__ void {STORE}({parameters}) {{\n{stored}}}\n' if types else ""
        return "".join([prelude("long long" if large else "int"), *functions, *kernels, store])

    def compile(self, text: str) -> Any:
        """Compile it, and give each kernel its function; return the one that stores numbers, if there is one."""
        if not self._started:
            return None
        try:
            module = cupy.RawModule(code=text, options=OPTIONS)
            for started in self._started:
                started.function = module.get_function(started.name)
            return module.get_function(STORE) if f" {STORE}(" in text else None
        except cupy.cuda.compiler.CompileException as error:
            raise CannotCompile(f"NVRTC cannot compile a plan: {error}") from error
