"""`RawModule`: the kernels of one source, compiled for the host together, and by CUDA's compiler too where it is installed."""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import re
from pathlib import Path
from typing import Any

from .compiling import CompileException, compiled
from .raw import RawKernel, with_shared_memory

__all__ = ["RawModule", "check_by_nvrtc"]

WAITS = re.compile(r"\b__syncthreads\b|\b\w+_sync\b")
HEAD = """#include <tuple>
#include "threads_on_host.h"
template <int K, class... A> std::tuple_element_t<K, std::tuple<A...>> parameter(void (*)(A...));
"""


class RawModule:
    """The kernels of one source."""

    def __init__(self, *, code: str | None = None, path: str | None = None, options: tuple[str, ...] = (), **kwargs: Any) -> None:
        if code is None or kwargs.get("name_expressions"):
            raise NotImplementedError("the emulator of CuPy's interface compiles sources of kernels without templates alone")
        self.code, self.options = code, tuple(options)
        self._functions = _functions(code)
        self._library: Any = None

    def compile(self, log_stream: Any = None) -> None:
        """Compile it. Raises CuPy's `CompileException`."""
        if self._library is None:
            kernels = [name for name, (head, _) in self._functions.items() if "__global__" in head]
            check_by_nvrtc(self.code, self.options)
            calls = "\n".join(self._call(name) for name in kernels)
            self._library = compiled(f"{HEAD}{with_shared_memory(self.code)}\n{calls}\n", "module", self.options)

    def get_function(self, name: str) -> RawKernel:
        """A kernel by its name."""
        self.compile()
        return _Kernel(self, name)

    def library(self, name: str) -> Any:
        """What runs a kernel, as `RawKernel` has it."""
        return _Library(getattr(self._library, f"run_{name}"))

    def _call(self, name: str) -> str:
        """A function of the host that runs a kernel on arguments by their addresses."""
        head, _ = self._functions[name]
        count = len([text for text in head[head.rindex("(") + 1 : head.rindex(")")].split(",") if text.strip()])
        values = [f"*(decltype(parameter<{k}>({name}))*)values[{k}]" for k in range(count)]
        call = f"over_threads({', '.join(['sizes', str(not self._waits(name)).lower(), name, *values])})"
        return f'extern "C" int run_{name}(const unsigned* sizes, void** values) {{ return {call}; }}'

    def _waits(self, name: str) -> bool:
        """Whether the threads of a kernel wait for each other."""
        seen, left = {name}, [name]
        while left:
            _, body = self._functions[left.pop()]
            if WAITS.search(body):
                return True
            for word in set(re.findall(r"\b(\w+)\s*(?:<[^;{}]*?>)?\s*\(", body)) & self._functions.keys() - seen:
                seen.add(word)
                left.append(word)
        return False


class _Kernel(RawKernel):
    """A kernel of a module."""

    def __init__(self, module: RawModule, name: str) -> None:
        super().__init__(module.code, name, module.options)
        self._library = module.library(name)


class _Library:
    def __init__(self, run_kernel: Any) -> None:
        self.run_kernel = run_kernel


def _functions(code: str) -> dict[str, tuple[str, str]]:
    """The head and the body of each function, by its name."""
    found = {}
    for match in re.finditer(r"^[^\n#/]*?\b(\w+)\s*\(([^(){};]*)\)\s*\{", code, re.M):
        depth, end = 1, match.end()
        while depth and end < len(code):
            depth += {"{": 1, "}": -1}.get(code[end], 0)
            end += 1
        found[match[1]] = (match[0], code[match.end() : end])
    return found


@functools.cache
def _nvrtc() -> Any:
    """CUDA's compiler, which needs no GPU, from the package ``nvidia-cuda-nvrtc``; None if that is not installed."""
    spec = importlib.util.find_spec("nvidia")
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        for path in sorted(Path(folder).glob("**/lib/libnvrtc.so.*")):
            return ctypes.CDLL(str(path))
    return None


def check_by_nvrtc(source: str, options: tuple[str, ...]) -> None:
    """Raise `CompileException` if CUDA's compiler refuses a source; it is not asked where it is not installed."""
    library = _nvrtc()
    if library is None:
        return
    program, size = ctypes.c_void_p(), ctypes.c_size_t()
    library.nvrtcCreateProgram(ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None)
    texts = [option.encode() for option in (*options, "--gpu-architecture=compute_80")]
    status = library.nvrtcCompileProgram(program, len(texts), (ctypes.c_char_p * len(texts))(*texts))
    library.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    library.nvrtcGetProgramLog(program, log)
    library.nvrtcDestroyProgram(ctypes.byref(program))
    if status:
        raise CompileException(log.value.decode(), source, "kernels.cu", options, "nvrtc")
