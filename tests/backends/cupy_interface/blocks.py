"""`RawModule`: kernels whose threads wait for each other, run as fibers of the host, one block after another."""

from __future__ import annotations

import ctypes
import re
from typing import Any

from .compiling import compiled
from .counters import count_call
from .launching import write
from .raw import argument_bytes, three

__all__ = ["RawModule"]

WAITS = re.compile(r"\b__syncthreads\b|\b\w+_sync\b")


class RawModule:
    """The kernels of one source."""

    def __init__(self, *, code: str, options: tuple[str, ...] = (), backend: str = "nvrtc", **_: Any) -> None:
        self.code, self.options = code, tuple(options)
        self._bodies = _bodies(code)
        self._library: Any = None

    def get_function(self, name: str) -> Kernel:
        """A kernel by its name."""
        if self._library is None:
            kernels = [n for n, (head, _) in self._bodies.items() if "__global__" in head]
            calls = "\n".join(_call(n, self._bodies[n][0], self._waits(n)) for n in kernels)
            self._library = compiled(f'#include "cuda_in_blocks.h"\n{self.code}\n{calls}', "module", self.options)
        return Kernel(name, getattr(self._library, f"run_{name}"), _parameters(self._bodies[name][0]))

    def _waits(self, name: str) -> bool:
        """Whether the threads of a kernel wait for each other."""
        seen, left = {name}, [name]
        while left:
            _, body = self._bodies[left.pop()]
            if WAITS.search(body):
                return True
            for word in set(re.findall(r"\b(\w+)\s*(?:<[^;{}]*?>)?\s*\(", body)) & self._bodies.keys() - seen:
                seen.add(word)
                left.append(word)
        return False


class Kernel:
    """A kernel of a module."""

    def __init__(self, name: str, run: Any, parameters: list[str]) -> None:
        self.name, self._run, self._parameters = name, run, parameters

    def __call__(self, grid: Any, block: Any, args: Any, *, shared_mem: int = 0, stream: Any = None) -> None:
        count_call(self.name)
        if len(args) != len(self._parameters):
            raise TypeError(f"{self.name} takes {len(self._parameters)} arguments, and got {len(args)}")
        sizes = (ctypes.c_uint * 6)(*three(grid), *three(block))
        values = [argument_bytes(a) for a in args]
        addresses = (ctypes.c_void_p * len(values))(*(v.__array_interface__["data"][0] for v in values))

        def run(keep: Any = (values, args)) -> None:
            self._run(sizes, addresses)

        write(self.name, run)


def _bodies(code: str) -> dict[str, tuple[str, str]]:
    """The head and the body of each function, by its name."""
    found = {}
    for match in re.finditer(r"^[^\n#/]*?\b(\w+)\s*\(([^(){};]*)\)\s*\{", code, re.M):
        depth, end = 1, match.end()
        while depth and end < len(code):
            depth += {"{": 1, "}": -1}.get(code[end], 0)
            end += 1
        found[match[1]] = (match[0], code[match.end() : end])
    return found


def _parameters(head: str) -> list[str]:
    inside = head[head.rindex("(") + 1 : head.rindex(")")]
    return [text.strip() for text in inside.split(",") if text.strip()]


def _call(name: str, head: str, waits: bool) -> str:
    """A function of the host that runs a kernel on arguments by their addresses."""
    types = [re.sub(r"\b(__restrict__|restrict)\b", "", text).strip().rpartition(" ")[0] for text in _parameters(head)]
    types = [t if t.endswith("*") else t for t in types]
    values = ", ".join(f"*({t}*)values[{k}]" for k, t in enumerate(types))
    return f"""extern "C" void run_{name}(const unsigned* sizes, void** values) {{
  gridDim = dim3{{sizes[0], sizes[1], sizes[2]}}; blockDim = dim3{{sizes[3], sizes[4], sizes[5]}};
  host::kernel = [=]() {{ {name}({values}); }};
  for (unsigned b = 0; b < sizes[0]; b++) {{ blockIdx = dim3{{b, 0, 0}}; host::run_block(sizes[3], {str(waits).lower()}); }}
}}"""
