"""Long elementwise chains of the NumPy executor, in blocks that stay in the cache."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy

from .groups import Group, store_view
from .places import Places
from .steps import Step, Value, View

__all__ = ["BLOCK", "BlockWriter", "can_be_cut"]

BLOCK = 8192
"""How many elements a block has."""


def can_be_cut(group: Group, places: Places) -> bool:
    """Whether a group can be run in blocks: all its arrays are read and written from one end to the other."""
    if group.shape is None or math.prod(group.shape) <= 4 * BLOCK or len(group.steps) < 2:
        return False
    size = math.prod(group.shape)
    for step in group.steps:
        if step.kind == "reduce":
            if (
                step.name not in ("sum", "mean")
                or step.out.size != 1
                or step.out.dtype.kind != "f"
                or step.operands[0].dtype != step.out.dtype
            ):
                return False
        elif step.name == "load" or step.out.size != size:
            return False
        for x in step.values:
            if x.kind == "number" or x.shape == () or places.uniform(x) is not None:
                continue
            view = places.view_of(x)
            if not is_one(view) and (not view.contiguous or view.size != size):
                return False
    return True


def is_one(view: View) -> bool:
    """Whether all elements of an array are one element of the memory."""
    return all(s == 0 or n == 1 for n, s in zip(view.shape, view.strides))


class BlockWriter:
    """Writes a function for a block of a group, and the loop that calls it."""

    def __init__(self, writer: Any, group: Group) -> None:
        self.writer, self.group, self.places = writer, group, writer.places
        assert group.shape is not None
        self.size = math.prod(group.shape)
        self.sliced: dict[str, str] = {}  # whole arrays, and their names in the block
        self.scratch: list[Any] = []
        self.free: dict[Any, list[str]] = {}
        self.names: dict[Step, str] = {}

    def write(self) -> None:
        """Add the function and the loop."""
        writer, steps = self.writer, self.group.steps
        last = {
            made_by: k for k, step in enumerate(steps) for x in step.values if (made_by := self.places.origin.get(x)) is not None
        }
        sums = [step for step in steps if step.kind == "reduce"]
        lines = []
        for k, step in enumerate(steps):
            operands = [self._operand(x) if isinstance(x, Value) else self.writer.number(x, step) for x in step.operands]
            if step.kind == "reduce":
                lines.append(f"r{sums.index(step)} = float({writer.name(numpy.add.reduce, 'f')}({operands[0]}))")
                continue
            out = self._out(step)
            lines.append(writer.map_line(step, operands, out))
            for made_by in {self.places.origin.get(x) for x in step.values} | {step}:
                if made_by in self.names and last.get(made_by, k) <= k and self.names[made_by].startswith("t"):
                    self.free.setdefault(made_by.outs[0].dtype, []).append(self.names.pop(made_by))
        self._emit(lines, sums)

    def _out(self, step: Step) -> str:
        if step in self.group.stored:
            self.names[step] = self._slice(self.writer.array(store_view(step, self.places).at((self.size,), (1,))))
            return self.names[step]
        free = self.free.get(step.out.dtype)
        if free:
            self.names[step] = free.pop()
        else:
            self.names[step] = f"t{len(self.scratch)}"
            self.scratch.append(numpy.empty(BLOCK, step.out.dtype))
        return self.names[step]

    def _operand(self, x: Any) -> str:
        if not isinstance(x, Value) or x.kind == "number" or x.shape == ():
            return str(self.writer.operand(x))
        made_by = self.places.origin.get(x)
        if made_by in self.names:
            return self.names[made_by]
        uniform = self.places.uniform(x)
        if uniform is not None:
            return str(self.writer.name(x.data[(0,) * x.data.ndim]))
        view = self.places.view_of(x)
        if is_one(view):
            return str(self.writer.array(view.at((), ())))
        return self._slice(self.writer.array(view.at((self.size,), (1,))))

    def _slice(self, whole: str) -> str:
        return self.sliced.setdefault(whole, f"x{len(self.sliced)}")

    def _emit(self, lines: list[str], sums: list[Step]) -> None:
        writer, number = self.writer, self.group.number
        scratch = [f"t{k}" for k in range(len(self.scratch))]
        scalars = sorted({name for name in writer.scalars.values() if any(name in _words(line) for line in lines)})
        results = [f"r{k}" for k in range(len(sums))]
        head = f"def block{number}({', '.join(['b', 'e', 'n', *scalars, *scratch])}):"
        body = [
            *(f"{name} = {whole}[b:e]" for whole, name in self.sliced.items()),
            *lines,
            *([f"return {', '.join(results)},"] if sums else []),
        ]
        writer.functions.append("\n    ".join([head, *body]) + "\n")
        rest = self.size % BLOCK
        full = [writer.name(array) for array in self.scratch]
        short = [writer.name(array[:rest]) for array in self.scratch]
        given = ["n", *scalars]
        for k in range(len(sums)):
            writer.lines.append(f"q{number}_{k} = 0.0")
        for low, high, length, arrays in ((0, self.size - rest, BLOCK, full), (self.size - rest, self.size, max(rest, 1), short)):
            if high == low:
                continue
            call = f"block{number}({', '.join([f'b, b + {length}', *given, *arrays])})"
            writer.lines.append(f"for b in range({low}, {high}, {length}):")
            writer.lines.append(f"    {'r = ' if sums else ''}{call}")
            writer.lines += [f"    q{number}_{k} += r[{k}]" for k in range(len(sums))]
        for k, step in enumerate(sums):
            self._sum(step, f"q{number}_{k}")

    def _sum(self, step: Step, total: str) -> None:
        writer = self.writer
        count = f" / {self.size}" if step.name == "mean" else ""
        text = f"{writer.name(step.out.dtype.type, 'type')}({total}{count})"
        if step.out.shape == ():
            writer.scalars[step] = name = f"s{len(writer.scalars)}"
            writer.lines.append(f"{name} = {text}")
            text = name
        if step.out.shape != () or step in writer.arrays_needed:
            writer.lines.append(f"{writer.array(self.places.view[step.out])}[...] = {text}")


def _words(line: str) -> set[str]:
    return set(re.findall(r"\w+", line))
