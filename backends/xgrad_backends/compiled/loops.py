"""The C loops of a group of elementwise steps and reductions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from .expressions import c_type, converted, expression, literal
from .groups import Group, index_view, store_view
from .places import Places
from .steps import Step, Storage, Value, access, c_strides

__all__ = ["Function", "Loop", "LoopWriter", "local_type", "loop_function"]

CHUNK = 256
"""How many numbers are added to a sum before it goes into a wider one: 8 or more of them side by side."""
ROWS = 64
"""How many rows are added to a row of sums before it goes into a wider one."""

TAIL = "const void* numbers, const void* const* BLAS, int64_t* error"
"""What each function takes after its pointers."""


class Function:
    """The text of a C function that takes pointers to storages: equal texts are one function.

    Attributes
    ----------
    storages : list of Storage
        What it is called with.
    kind : str
        ``"int"`` if it can fail, and then returns 1; else ``"void"``.
    """

    def __init__(self, scratch: Callable[[Any, int], Storage], kind: str = "void") -> None:
        self.kind = kind
        self.storages: list[Storage] = []
        self.written: set[Storage] = set()
        self.scratch = scratch
        self.lines: list[str] = []

    def pointer(self, storage: Storage, write: bool = False) -> str:
        """The name of a storage in the function."""
        if storage not in self.storages:
            self.storages.append(storage)
        if write:
            self.written.add(storage)
        return f"a{self.storages.index(storage)}"

    def place(self, storage: Storage, terms: Sequence[str], write: bool = False) -> str:
        """An element of a storage."""
        return f"{self.pointer(storage, write)}[{' + '.join(t for t in terms if t and t != '0') or '0'}]"

    def position(self, index: str, size: int) -> str:
        """An index that counts from the front, of one that may count from the end."""
        return f"({index} + ({index} < 0 ? {size} : 0))"

    @property
    def text(self) -> str:
        """The parameters and the body."""
        parameters = [
            f"{'' if storage in self.written else 'const '}{c_type(storage.dtype)}* restrict a{k}"
            for k, storage in enumerate(self.storages)
        ]
        return f"({', '.join([*parameters, TAIL])}) {{\n" + "\n".join(self.lines) + "\n}\n"

    @property
    def declared(self) -> str:
        """The types of the parameters."""
        types = [f"{'' if storage in self.written else 'const '}{c_type(storage.dtype)}*" for storage in self.storages]
        return f"({', '.join([*types, TAIL])})"


class Loop:
    """One of the nested loops: some adjacent axes, of `size` elements together."""

    def __init__(self, axes: list[int], size: int) -> None:
        self.axes, self.size = axes, size
        self.last = axes[-1]
        self.name = f"i{self.last}"
        self.before: list[str] = []  # this loop
        self.ends: list[str] = []  # its body
        self.after: list[str] = []


def loop_function(group: Group, places: Places, scratch: Callable[[Any, int], Storage]) -> Function:
    """The function that does the steps of a group."""
    return _Writer(group, places, scratch).function


class LoopWriter:
    """Writes the steps of a group: what they read, compute and store at one element.

    Attributes
    ----------
    loops : list of Loop
        Over adjacent axes that all accesses step through as through one.
    function : Function
    body : list of str
        Statements for one element.
    local : dict from Step to str
        The variables that hold results.
    """

    def __init__(self, group: Group, places: Places, function: Function) -> None:
        assert group.shape is not None
        self.group, self.places, self.shape = group, places, group.shape
        self.function = function
        self.inside = set(group.steps)
        self.local: dict[Step, str] = {}
        self.loaded: dict[Any, str] = {}
        self.body: list[str] = []
        self.loops = self._merged()

    # ---------------------------------------------------------------------------------------------------------- accesses

    def _merged(self) -> list[Loop]:
        """The loops: axes that all accesses step through as through one are one loop."""
        found = {strides for step in self.group.steps for strides in self._strides(step)}
        axes = [[k] for k in range(len(self.shape))]
        k = 0
        while k + 1 < len(axes):
            one, other = axes[k][-1], axes[k + 1]
            n = math.prod([self.shape[a] for a in other])
            if all(s[one] == s[other[-1]] * n for s in found):
                axes[k : k + 2] = [axes[k] + other]
            else:
                k += 1
        return [Loop(a, math.prod([self.shape[k] for k in a])) for a in axes]

    def _strides(self, step: Step) -> list[tuple[int, ...]]:
        """The strides of all memory that a step touches, along the axes of the loops."""
        found = []
        for k, x in enumerate(step.operands):
            if not isinstance(x, Value) or x.kind == "number" or self.places.uniform(x) is not None:
                continue
            if step.name == "load" and k == 0:
                found.append(self._straight(step)[1])
            elif step.name == "load":
                found.append(access(index_view(step, k, self.places.view_of(x)), step.space)[1])
            else:
                found.append(access(self.places.view_of(x), step.space)[1])
        if step.kind == "reduce":
            found.append(self.kept(step))
        else:
            found.append(access(store_view(step, self.places), step.space)[1])
        return found

    def kept(self, step: Step) -> tuple[int, ...]:
        """The strides of the result of a reduction; 0 along the axes that are reduced."""
        shape = [1 if k in step.facts else n for k, n in enumerate(step.space)]
        strides = [0 if k in step.facts else s for k, s in enumerate(c_strides(shape))]
        return tuple([s for n, s in zip(step.space, strides) if n != 1])

    def _straight(self, step: Step) -> tuple[int, tuple[int, ...]]:
        """Of the array that elements are chosen from: the offset, and the strides along axes that are not indexed."""
        view = self.places.view_of(step.operands[0])
        strides = [0] * len(step.space)
        for to, axis in step.facts.straight:
            strides[to] = view.strides[axis] if view.shape[axis] != 1 else 0
        return view.offset, tuple([s for n, s in zip(step.space, strides) if n != 1])

    def terms(self, strides: Sequence[int], offset: int, level: int = -1) -> list[str]:
        """The summands of an index; of a `level`, only those of the loops outside of it."""
        loops = self.loops if level < 0 else self.loops[:level]
        found = [
            loop.name if strides[loop.last] == 1 else f"{loop.name} * {strides[loop.last]}"
            for loop in loops
            if strides[loop.last]
        ]
        return [*found, str(offset)] if offset else found

    def operand(self, step: Step, k: int, dtype: Any) -> str:
        """An operand at the element where the loops are, converted to a dtype."""
        x = step.operands[k]
        if not isinstance(x, Value):
            return literal(x, dtype)
        if x.kind == "number":
            kind = {float: "double", int: "int64_t", bool: "uint8_t"}[x.dtype]
            return f"(({c_type(dtype)})*(const {kind}*)((const char*)numbers + {8 * x.data}))"
        uniform = self.places.uniform(x)
        if uniform is not None:
            return literal(uniform, dtype)
        made_by = self.places.origin.get(x)
        if made_by is not None and made_by in self.local:
            return converted(self.local[made_by], x.dtype, dtype)
        view = self.places.view_of(x)
        offset, strides = access(index_view(step, k, view) if step.name == "load" else view, step.space)
        return converted(self._load(x.dtype, view.storage, self.terms(strides, offset)), x.dtype, dtype)

    def _load(self, dtype: Any, storage: Storage, terms: list[str]) -> str:
        key = (storage, tuple(terms))
        name = self.loaded.get(key)
        if name is None:
            name = self.loaded[key] = f"x{len(self.loaded)}"
            self.body.append(f"const {local_type(dtype)} {name} = {self.function.place(storage, terms)};")
        return name

    # -------------------------------------------------------------------------------------------------------------- steps

    def map(self, step: Step, number: int) -> None:
        """Add the statements of an elementwise step."""
        name = f"t{number}"
        text = self._chosen(step) if step.name == "load" else expression(step, lambda k, dtype: self.operand(step, k, dtype))
        self.body.append(f"const {local_type(step.out.dtype)} {name} = {text};")
        self.local[step] = name
        if step in self.group.stored:
            view = store_view(step, self.places)
            offset, strides = access(view, step.space)
            self.body.append(f"{self.function.place(view.storage, self.terms(strides, offset), True)} = {name};")

    def _chosen(self, step: Step) -> str:
        view = self.places.view_of(step.operands[0])
        offset, strides = self._straight(step)
        terms = self.terms(strides, offset)
        for axis, place, number in step.facts.pairs:
            n, s = view.shape[axis], view.strides[axis]
            if place is None:
                terms.append(str((number + n if number < 0 else number) * s))
            else:
                index = self.operand(step, place, numpy.int64)
                terms.append(f"{self.function.position(index, n)} * {s}")
        return self.function.place(view.storage, terms)


class _Writer(LoopWriter):
    """Writes C."""

    def __init__(self, group: Group, places: Places, scratch: Callable[[Any, int], Storage]) -> None:
        super().__init__(group, places, Function(scratch))
        self.chunk_before: list[str] = []
        self.chunk_after: list[str] = []
        self.clauses: dict[str, list[str]] = {}
        self.before: list[str] = []
        self.after: list[str] = []
        for number, step in enumerate(group.steps):
            if step.kind == "reduce":
                self._reduce(step, number)
            else:
                self.map(step, number)
        self._write()

    def _reduce(self, step: Step, number: int) -> None:
        out = step.out
        t = c_type(out.dtype)
        wanted = bool if step.name in ("any", "all") else out.dtype
        x = self.operand(step, 0, wanted)
        strides = self.kept(step)
        reduced = [not strides[loop.last] for loop in self.loops]
        count = math.prod([step.space[k] for k in step.facts])
        storage = self.places.view[out].storage
        finish = f" / ({t}){count}" if step.name == "mean" else ""
        if not any(reduced):
            self.body.append(f"{self.function.place(storage, self.terms(strides, 0), True)} = {x}{finish};")
        elif step.name in ("sum", "mean") and out.dtype.kind == "f":
            if reduced[-1]:
                self._sum_along(out.dtype, storage, x, strides, reduced, number, finish)
            else:
                self._sum_rows(out.dtype, storage, x, strides, reduced, number, finish)
        else:
            self._accumulate(step, storage, x, strides, reduced, number)

    def _sum_along(
        self, dtype: Any, storage: Storage, x: str, strides: Any, reduced: list[bool], number: int, finish: str
    ) -> None:
        """A sum along the innermost loop: chunks in the dtype of the array, and their sum in a wider one."""
        t, chunk, total, lost = c_type(dtype), f"c{number}", f"s{number}", f"l{number}"
        first = _start_of_run(reduced)
        outer = self.loops[first]
        wide = dtype != numpy.float64
        self.chunk_before.append(f"{t} {chunk} = 0;")
        self.body.append(f"{chunk} += {x};")
        self.clauses.setdefault("+", []).append(chunk)
        one = first == len(self.loops) - 1 and outer.size <= CHUNK
        outer.before.append(f"double {total} = 0;" if wide or one else f"double {total} = 0, {lost} = 0;")
        self.chunk_after.append(f"{total} += {chunk};" if wide or one else f"ADD({total}, {lost}, {chunk});")
        value = total if wide or one else f"ADDED({total}, {lost})"
        terms = self.terms(strides, 0, first)
        if not any(reduced[:first]):
            outer.after.append(f"{self.function.place(storage, terms, True)} = ({t}){value}{finish};")
            return
        size = storage.size
        sums = self.function.scratch(numpy.dtype("float64"), size)
        self._fill(self.before, sums, size, "0")
        outer.after.append(f"{self.function.place(sums, terms, True)} += {value};")
        self._finish(storage, sums, size, t, finish)

    def _sum_rows(
        self, dtype: Any, storage: Storage, x: str, strides: Any, reduced: list[bool], number: int, finish: str
    ) -> None:
        """A sum of rows: some rows in the dtype of the array, and their sum in a wider one."""
        t = c_type(dtype)
        level = max(k for k, flag in enumerate(reduced) if flag)
        loop = self.loops[level]
        row = math.prod([inner.size for inner in self.loops[level + 1 :]])
        outer, inner = self.terms(strides, 0, level), self.terms(strides, 0)[len(self.terms(strides, 0, level)) :]
        if loop.size <= ROWS and not any(reduced[:level]):
            start = self.function.place(storage, [*outer, "z"], True)
            loop.before.append(f"for (I z = 0; z < {row}; z++) {start} = 0;")
            self.body.append(f"{self.function.place(storage, [*outer, *inner], True)} += {x};")
            if finish:
                loop.after.append(f"for (I z = 0; z < {row}; z++) {start} = {start}{finish};")
            return
        part = self.function.scratch(dtype, row)
        sums = self.function.scratch(numpy.dtype("float64"), storage.size)
        self._fill(self.before, part, row, "0")
        self._fill(self.before, sums, storage.size, "0")
        self.body.append(f"{self.function.place(part, inner, True)} += {x};")
        at, total = self.function.place(part, ["z"], True), self.function.place(sums, [*outer, "z"], True)
        full = f"({loop.name} & {ROWS - 1}) == {ROWS - 1} || {loop.name} == {loop.size - 1}"
        loop.ends.append(f"if ({full}) for (I z = 0; z < {row}; z++) {{ {total} += {at}; {at} = 0; }}")
        self._finish(storage, sums, storage.size, t, finish)

    def _accumulate(self, step: Step, storage: Storage, x: str, strides: Any, reduced: list[bool], number: int) -> None:
        """A reduction whose order does not matter."""
        t, name = c_type(step.out.dtype), f"r{number}"
        start, clause, function = {
            "sum": ("0", "+", "({0} + {1})"), "prod": ("1", "*", "({0} * {1})"),
            "max": (f"LOW_{t}", "maxi", "MAXIMUM({0}, {1})"), "min": (f"HIGH_{t}", "mini", "MINIMUM({0}, {1})"),
            "any": ("0", "|", "({0} | {1})"), "all": ("1", "&", "({0} & {1})"),
        }[step.name]  # fmt: skip
        first = _start_of_run(reduced) if reduced[-1] else -1
        place = self.function.place(storage, self.terms(strides, 0, first), True)
        if not reduced[-1]:
            self._fill(self.before, storage, storage.size, start)
            self.body.append(f"{place} = ({t}){function.format(place, x)};")
            return
        outer = self.loops[first]
        outer.before.append(f"{t} {name} = {start};")
        self.body.append(f"{name} = ({t}){function.format(name, x)};")
        self.clauses.setdefault(clause, []).append(name)
        if any(reduced[:first]):
            self._fill(self.before, storage, storage.size, start)
            outer.after.append(f"{place} = ({t}){function.format(place, name)};")
        else:
            outer.after.append(f"{place} = {name};")

    def _fill(self, lines: list[str], storage: Storage, size: int, start: str) -> None:
        lines.append(f"for (I z = 0; z < {size}; z++) {self.function.place(storage, ['z'], True)} = {start};")

    def _finish(self, storage: Storage, sums: Storage, size: int, t: str, finish: str) -> None:
        to, total = self.function.place(storage, ["z"], True), self.function.place(sums, ["z"])
        self.after.append(f"for (I z = 0; z < {size}; z++) {to} = ({t}){total}{finish};")

    # --------------------------------------------------------------------------------------------------------------- text

    def _write(self) -> None:
        lines = self.function.lines
        lines += self.before
        if not self.loops:
            lines += self.body
            lines += self.after
            return
        *outer, inner = self.loops
        for loop in outer:
            lines += [*loop.before, f"for (I {loop.name} = 0; {loop.name} < {loop.size}; {loop.name}++) {{"]
        lines += inner.before
        i, n = inner.name, inner.size
        pragma = "#pragma omp simd" + "".join(f" reduction({name}: {', '.join(v)})" for name, v in self.clauses.items())
        low, high = "0", str(n)
        chunks = bool(self.chunk_before) and n > CHUNK
        if chunks:
            lines.append(f"for (I b = 0; b < {n}; b += {CHUNK}) {{ const I e = b + {CHUNK} < {n} ? b + {CHUNK} : {n};")
            low, high = "b", "e"
        lines += self.chunk_before
        lines += [pragma, f"for (I {i} = {low}; {i} < {high}; {i}++) {{", *self.body, *inner.ends, "}"]
        lines += self.chunk_after
        if chunks:
            lines.append("}")
        lines += inner.after
        for loop in outer[::-1]:
            lines += [*loop.ends, "}", *loop.after]
        lines += self.after


def local_type(dtype: Any) -> str:
    """The C type of a value in a loop."""
    return "_Bool" if numpy.dtype(dtype).kind == "b" else c_type(dtype)


def _start_of_run(reduced: list[bool]) -> int:
    """The first of the loops that are reduced up to the innermost."""
    first = len(reduced)
    while first and reduced[first - 1]:
        first -= 1
    return first
