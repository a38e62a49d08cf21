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

__all__ = ["RawKernel", "argument_bytes", "three"]

HEAD = """#include "cuda_on_host.h"
struct dim3 { unsigned x, y, z; };
static thread_local dim3 gridDim, blockDim, blockIdx, threadIdx;
static const int warpSize = 32;
"""
LOOPS = """
template <class... A> static void over_threads(const unsigned* sizes, void (*kernel)(A...), A... arguments) {
    gridDim = dim3{sizes[0], sizes[1], sizes[2]};
    blockDim = dim3{sizes[3], sizes[4], sizes[5]};
    for (unsigned bz = 0; bz < sizes[2]; ++bz) for (unsigned by = 0; by < sizes[1]; ++by) for (unsigned bx = 0; bx < sizes[0]; ++bx)
    for (unsigned tz = 0; tz < sizes[5]; ++tz) for (unsigned ty = 0; ty < sizes[4]; ++ty) for (unsigned tx = 0; tx < sizes[3]; ++tx) {
        blockIdx = dim3{bx, by, bz};
        threadIdx = dim3{tx, ty, tz};
        kernel(arguments...);
    }
}
"""


class RawKernel:
    """A kernel of CuPy's `RawKernel`, compiled for the host. Its threads run one after another."""

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
        if "__syncthreads" in self.code or "_sync(" in self.code:
            raise NotImplementedError("the emulator of CuPy's interface runs the threads of a kernel one after another")
        reads = []
        for k, kind in enumerate(self._types()):
            reads.append(f"*(decltype(parameter<{k}>({self.name}))*)values[{k}]")
        parameter = "template <int K, class... A> std::tuple_element_t<K, std::tuple<A...>> parameter(void (*)(A...));\n"
        call = f'extern "C" void run_kernel(const unsigned* sizes, void** values) {{ over_threads(sizes, {self.name}'
        return "#include <tuple>\n" + HEAD + self.code + LOOPS + parameter + ", ".join([call, *reads]) + "); }\n"

    def __call__(self, grid: Any, block: Any, args: Any, *, shared_mem: int = 0, stream: Any = None) -> None:
        self.compile()
        count_call(self.name)
        types = self._types()
        if len(types) != len(args):
            raise TypeError(f"{self.name} takes {len(types)} arguments, and got {len(args)}")
        sizes = (ctypes.c_uint * 6)(*three(grid), *three(block))
        values = [argument_bytes(a) for a in args]
        addresses = (ctypes.c_void_p * len(values))(*(v.__array_interface__["data"][0] for v in values))

        def run(keep: Any = (values, args)) -> None:
            self._library.run_kernel(sizes, addresses)

        write(self.name, run)


def three(sizes: Any) -> tuple[int, ...]:
    sizes = tuple(map(int, sizes)) if isinstance(sizes, (tuple, list)) else (int(sizes),)
    return (*sizes, *(1,) * (3 - len(sizes)))


def argument_bytes(a: Any) -> Any:
    """The bytes of an argument: the address of an array, or a number of its own dtype, which the kernel must take."""
    if isinstance(a, ndarray):
        return np.asarray(a._values.__array_interface__["data"][0], dtype=np.uint64)
    if isinstance(a, (np.generic, bool, int, float, complex)):
        return np.asarray(a)
    raise TypeError(f"Unsupported type {type(a)}")
