"""CUDA kernels of the groups of a plan: elementwise steps and reductions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from ..compiled.expressions import c_type
from ..compiled.groups import Group
from ..compiled.loops import Function, Loop, LoopWriter
from ..compiled.places import Places
from ..compiled.steps import Step, Storage

__all__ = ["Kernel", "Launch", "Scratch", "elementwise", "group_launches", "indices", "merged", "patterns"]

THREADS = 256
"""How many threads a block has, if nothing else is said."""
MANY = 256
"""How many blocks keep a GPU busy: reductions with fewer results are done by several blocks for each."""
LARGE = 1 << 20
"""From so many elements on, each thread of an elementwise kernel does `UNROLLED` of them."""
UNROLLED = 4

Scratch = Callable[[Any, int], Storage]


class Kernel(Function):
    """The text of a function of the device, which is given its storages, the numbers of the run, and the number of the block."""

    @staticmethod
    def parameter(storage: Storage, name: str, is_written: bool) -> str:
        """A pointer to a storage, as it is declared."""
        return f"{'' if is_written else 'const '}{c_type(storage.dtype)}* __restrict__ {name}"

    @property
    def text(self) -> str:
        parameters = [self.parameter(storage, f"a{k}", storage in self.written) for k, storage in enumerate(self.storages)]
        head = ", ".join([*parameters, "const char* __restrict__ numbers", "const I block"])
        return f"({head}) {{\n" + "\n".join(self.lines) + "\n}\n"

    def position(self, index: str, size: int) -> str:
        return f"wrapped({index}, {size})"


class Launch:
    """Kernels that are launched together: each has some of the blocks.

    Attributes
    ----------
    parts : list of (Kernel, int)
        With the number of blocks.
    threads : int
        Of each block.
    """

    def __init__(self, kernel: Kernel, blocks: int, threads: int = THREADS) -> None:
        self.parts = [(kernel, blocks)]
        self.threads = threads

    @property
    def storages(self) -> list[Storage]:
        """What the kernel is given."""
        return list(dict.fromkeys(storage for kernel, _ in self.parts for storage in kernel.storages))


def merged(launches: Sequence[Launch]) -> list[Launch]:
    """Launches that do not depend on each other, as one for each number of threads."""
    found: dict[int, Launch] = {}
    for launch in launches:
        first = found.setdefault(launch.threads, launch)
        if first is not launch:
            first.parts += launch.parts
    return [*found.values()]


def elementwise(kernel: Kernel, size: int, lines: Sequence[str]) -> Launch:
    """A launch of a kernel in which each thread does elements of `size`; `lines` are the statements for that numbered ``z``."""
    each = UNROLLED if size >= LARGE else 1
    write = kernel.lines.append
    if each > 1:
        write("#pragma unroll")
        write(f"for (int u = 0; u < {each}; u++) {{")
    write(f"const I z = (block{f' * {each} + u' if each > 1 else ''}) * {THREADS} + threadIdx.x;")
    write(f"if (z < {size}) {{")
    kernel.lines += lines
    write("}" * (2 if each > 1 else 1))
    return Launch(kernel, max(1, -(-size // (THREADS * each))))


def indices(flat: str, axes: Sequence[tuple[str, int]]) -> list[str]:
    """Statements that make indices, with their names and sizes, from the number of an element."""
    lines, rest = [], flat
    for k, (name, size) in reversed([*enumerate(axes)]):
        lines.append(f"const I {name} = {rest}" + (f" % {size}, {name}_ = {rest} / {size};" if k else ";"))
        rest = f"{name}_"
    return lines


def patterns(group: Group) -> dict[tuple[int, ...], list[Step]]:
    """The reductions of a group by the axes that are left, of those longer than 1."""
    found: dict[tuple[int, ...], list[Step]] = {}
    for step in group.steps:
        if step.kind == "reduce":
            long = [k for k, n in enumerate(step.space) if n != 1]
            found.setdefault(tuple([at for at, k in enumerate(long) if k not in step.facts]), []).append(step)
    return found


def group_launches(group: Group, places: Places, scratch: Scratch) -> list[Launch]:
    """The launches that do the steps of a group, one after the other."""
    assert group.shape is not None
    if math.prod(group.shape):
        return _Writer(group, places, scratch).launches
    launches = []
    for step in group.steps:  # reductions over no elements
        if step.kind == "reduce" and step.out.size:
            kernel = Kernel(scratch)
            value = f"{kernel.place(places.view[step.out].storage, ['z'], True)} = {_Reduction(step, 0).start};"
            launches.append(elementwise(kernel, step.out.size, [value]))
    return launches


class _Reduction:
    """A reduction of a kernel: its accumulator, and what becomes of it."""

    def __init__(self, step: Step, number: int) -> None:
        dtype = step.out.dtype
        self.step, self.name, self.type = step, f"r{number}", c_type(dtype)
        start, self.function = {
            "sum": ("0", "Sum"), "mean": ("0", "Sum"), "prod": ("1", "Product"), "max": (f"LOW_{self.type}", "Largest"),
            "min": (f"HIGH_{self.type}", "Smallest"), "any": ("0", "Any"), "all": ("1", "All"),
        }[step.name]  # fmt: skip
        wide = step.name in ("sum", "mean", "prod")
        self.dtype: numpy.dtype[Any] = dtype
        if step.name in ("any", "all"):
            self.dtype = numpy.dtype("int32")
        elif wide or dtype.itemsize < 4:
            self.dtype = numpy.dtype({"f": "float64", "u": "uint64"}.get(dtype.kind, "int64"))
        self.start, self.accumulator = start, c_type(self.dtype)
        count = math.prod([step.space[k] for k in step.facts])
        self.finish = f" / ({self.type}){count}" if step.name == "mean" else ""

    def stored(self, place: str) -> str:
        return f"{place} = ({self.type}){self.name}{self.finish};"


class _Writer(LoopWriter):
    """Writes the kernels of a group.

    Attributes
    ----------
    launches : list of Launch
    """

    def __init__(self, group: Group, places: Places, scratch: Scratch) -> None:
        self.kernel = Kernel(scratch)
        self.launches: list[Launch] = []
        super().__init__(group, places, self.kernel)
        self.reductions: list[_Reduction] = []
        kept: list[bool] = []
        for number, step in enumerate(group.steps):
            if step.kind == "reduce":
                kept = self._reduce(step, number) or kept
            else:
                self.map(step, number)
        if not self.reductions:
            self.launches = [elementwise(self.kernel, math.prod(self.shape), [*_indices("z", self.loops), *self.body])]
            return
        outer = [loop for loop, flag in zip(self.loops, kept) if flag]
        inner = [loop for loop, flag in zip(self.loops, kept) if not flag]
        if kept[-1]:
            self._columns(outer, inner)
        else:
            self._rows(outer, inner)

    def _reduce(self, step: Step, number: int) -> list[bool]:
        """Add a reduction; return which loops are not reduced over, if any are."""
        strides = self.kept(step)
        kept = [strides[loop.last] != 0 for loop in self.loops]
        wanted = bool if step.name in ("any", "all") else step.out.dtype
        x = self.operand(step, 0, wanted)
        storage = self.places.view[step.out].storage
        if all(kept):
            self.body.append(f"{self.kernel.place(storage, self.terms(strides, 0), True)} = {x};")
            return []
        reduction = _Reduction(step, number)
        self.reductions.append(reduction)
        combined = f"{reduction.function}()({reduction.name}, ({reduction.accumulator}){x})"
        self.body.append(f"{reduction.name} = {combined};")
        return kept

    def _memory(self, size: int) -> list[str]:
        """Shared memory for the accumulators."""
        return [f"__shared__ {t} memory_{t}[{size}];" for t in dict.fromkeys(r.accumulator for r in self.reductions)]

    def _rows(self, outer: list[Loop], inner: list[Loop]) -> None:
        """Some adjacent threads for each result, which step along what is reduced."""
        rows, length = _size(outer), _size(inner)
        threads = 32 if length <= 256 else 128 if length <= 1024 else 256 if length <= 8192 or rows >= MANY else 1024
        block = max(THREADS, threads)
        together = block // threads
        blocks = -(-rows // together)
        parts = max(1, min(MANY // blocks, length // (threads * 16))) if length > 64 * threads else 1
        self.kernel.lines += [
            *(self._memory(block // 32) if threads > 32 else []),
            f"const int lane = threadIdx.x % {threads};",
            f"const I job = block * {together} + threadIdx.x / {threads}, row = job / {parts}, part = job % {parts};",
        ]
        self._accumulate(outer, inner, f"part * {threads} + lane", threads * parts)
        for r in self.reductions:
            memory = f"memory_{r.accumulator}" if threads > 32 else f"({r.accumulator}*)0"
            self.kernel.lines.append(f"{r.name} = along<{threads}, {r.function}>({r.name}, {memory});")
        self._store(rows, parts, f"row < {rows} && lane == 0")
        self.launches.insert(0, Launch(self.kernel, -(-rows * parts // together), block))

    def _columns(self, outer: list[Loop], inner: list[Loop]) -> None:
        """A tile of adjacent results for each block, whose rows of threads step along what is reduced."""
        rows, length = _size(outer), _size(inner)
        wide = min(32, 1 << max(rows - 1, 0).bit_length())
        high = THREADS // wide
        tiles = -(-rows // wide)
        parts = max(1, min(MANY // tiles, length // (high * 16))) if length > 64 * high else 1
        self.kernel.lines += [
            *self._memory(THREADS),
            f"const I tile = block / {parts}, part = block % {parts}, row = tile * {wide} + threadIdx.x % {wide};",
        ]
        self._accumulate(outer, inner, f"part * {high} + threadIdx.x / {wide}", high * parts)
        for r in self.reductions:
            self.kernel.lines.append(f"{r.name} = down<{wide}, {r.function}>({r.name}, memory_{r.accumulator});")
        self._store(rows, parts, f"row < {rows} && threadIdx.x < {wide}")
        self.launches.insert(0, Launch(self.kernel, tiles * parts))

    def _accumulate(self, outer: list[Loop], inner: list[Loop], first: str, step: int) -> None:
        """Add the loop of a thread over what is reduced to the result numbered ``row``."""
        self.kernel.lines += [
            *_indices("row", outer),
            *(f"{r.accumulator} {r.name} = {r.start};" for r in self.reductions),
            f"if (row < {_size(outer)}) for (I z = {first}; z < {_size(inner)}; z += {step}) {{",
            *_indices("z", inner),
            *self.body,
            "}",
        ]

    def _store(self, rows: int, parts: int, condition: str) -> None:
        """Store the results, or those of each part, which another kernel then combines."""
        self.launches = []
        lines = []
        rest = Kernel(self.kernel.scratch)
        combined: list[str] = []
        for r in self.reductions:
            storage = self.places.view[r.step.out].storage
            if parts == 1:
                lines.append(r.stored(self.kernel.place(storage, ["row"], True)))
                continue
            partial = self.kernel.scratch(r.dtype, rows * parts)
            lines.append(f"{self.kernel.place(partial, [f'part * {rows}', 'row'], True)} = {r.name};")
            combined += [
                f"{r.accumulator} {r.name} = {r.start};",
                f"if (row < {rows}) for (I z = threadIdx.x % 32; z < {parts}; z += 32)",
                f"  {r.name} = {r.function}()({r.name}, {rest.place(partial, [f'z * {rows}', 'row'])});",
                f"{r.name} = along<32, {r.function}>({r.name}, ({r.accumulator}*)0);",
                f"if (row < {rows} && threadIdx.x % 32 == 0) {r.stored(rest.place(storage, ['row'], True))}",
            ]
        self.kernel.lines += [f"if ({condition}) {{", *lines, "}"]
        if parts > 1:
            together = THREADS // 32
            rest.lines = [f"const I row = block * {together} + threadIdx.x / 32;", *combined]
            self.launches.append(Launch(rest, -(-rows // together)))


def _indices(flat: str, loops: Sequence[Loop]) -> list[str]:
    return indices(flat, [(loop.name, loop.size) for loop in loops])


def _size(loops: Sequence[Loop]) -> int:
    return math.prod([loop.size for loop in loops])
