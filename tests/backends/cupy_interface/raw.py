"""`RawKernel`: a kernel in CUDA C++, run for every thread of every block."""

from __future__ import annotations

import ctypes
import re
from typing import Any

import numpy as np

from .arrays import ndarray
from .compiling import compiled
from .counters import count_call
from .launching import write

__all__ = ["RawKernel", "with_shared_memory"]

TYPES = ("typedef unsigned int uint;", "typedef unsigned char uchar;")


class RawKernel:
    """A kernel of CuPy's `RawKernel`, compiled for the host. Its threads run one after another.

    Where the kernel has ``__syncthreads`` or functions of a warp, the threads of a block take turns instead.
    """

    def __init__(
        self,
        code: str,
        name: str,
        options: tuple[str, ...] = (),
        backend: str = "nvrtc",
        translate_cucomplex: bool = False,
        *,
        enable_cooperative_groups: bool = False,
        jitify: Any = None,
    ) -> None:
        self.code, self.name, self.options, self.backend = code, name, tuple(options), backend
        self._library: Any = None

    def compile(self, log_stream: Any = None) -> None:
        """Compile it. Raises CuPy's `CompileException`."""
        if self._library is None:
            self._library = compiled(self._source(), self.name, self.options)

    def _types(self) -> list[str]:
        """The types of the parameters, as the source has them."""
        found = re.search(rf"\b{re.escape(self.name)}\s*\(([^)]*)\)\s*\{{", self.code)
        if found is None:
            raise ValueError(f"the source has no kernel {self.name!r}")
        types = []
        for text in filter(None, map(str.strip, found[1].split(","))):
            if "*" in text:
                types.append("void*")
            else:
                types.append(re.sub(r"\bconst\b", "", text).strip().rpartition(" ")[0].strip())
        return types

    def _source(self) -> str:
        code = with_shared_memory(self.code)
        reads = [f"*(decltype(parameter<{k}>({self.name}))*)values[{k}]" for k in range(len(self._types()))]
        parameter = "template <int K, class... A> std::tuple_element_t<K, std::tuple<A...>> parameter(void (*)(A...));"
        alone = "false" if "__syncthreads" in code or "_sync(" in code or "__syncwarp" in code else "true"
        call = ", ".join([f"over_threads(sizes, {alone}, {self.name}", *reads]) + ")"
        run = f'extern "C" int run_kernel(const unsigned* sizes, void** values) {{ return {call}; }}'
        return "\n".join(["#include <tuple>", '#include "threads_on_host.h"', *TYPES, code, parameter, run, ""])

    def __call__(self, grid: Any, block: Any, args: Any, *, shared_mem: int = 0, stream: Any = None) -> None:
        self.compile()
        count_call(self.name)
        types = self._types()
        if len(types) != len(args):
            raise TypeError(f"{self.name} takes {len(types)} arguments, and got {len(args)}")
        sizes = (ctypes.c_uint * 7)(*_three(grid), *_three(block), shared_mem)
        values = [_argument(a) for a in args]
        addresses = (ctypes.c_void_p * len(values))(*(v.__array_interface__["data"][0] for v in values))

        def run(keep: Any = (values, args)) -> None:
            if not self._library.run_kernel(sizes, addresses):
                raise RuntimeError(f"{self.name}: threads of a block wait for each other forever")

        write(self.name, run)


def with_shared_memory(code: str) -> str:
    """A source with shared memory whose size is given at the launch in memory of the host."""
    return re.sub(r"extern\s+__shared__\s+([^;\[]*?)(\w+)\s*\[\s*\]", r"\1* \2 = (\1*)host::shared_memory.data()", code)


def _three(sizes: Any) -> tuple[int, ...]:
    sizes = tuple(map(int, sizes)) if isinstance(sizes, (tuple, list)) else (int(sizes),)
    return (*sizes, *(1,) * (3 - len(sizes)))


def _argument(a: Any) -> Any:
    """The bytes of an argument: the address of an array, or a number of its own dtype, which the kernel must take."""
    if isinstance(a, ndarray):
        return np.asarray(a._values.__array_interface__["data"][0], dtype=np.uint64)
    if isinstance(a, (np.generic, bool, int, float, complex)):
        return np.asarray(a)
    raise TypeError(f"Unsupported type {type(a)}")
