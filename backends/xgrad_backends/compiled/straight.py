"""The executor that runs a plan as NumPy calls, one after the other, into memory that is there from the start."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from .. import sums
from ..numpy import Plugin, scipy_special
from . import lower_indexing, lower_products  # noqa: F401, their rules
from .blocks import BlockWriter, can_be_cut
from .executor import Executor
from .groups import Group, group_steps, store_view
from .library import Library
from .lower import Lowering
from .memory import Memory
from .places import Places
from .single import merged_rows
from .steps import Step, Storage, Value, View, c_strides
from .views import sliced

__all__ = ["StraightExecutor"]

SYMBOLS = {
    "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "equal": "==", "not_equal": "!=", "less": "<",
    "less_equal": "<=", "greater": ">", "greater_equal": ">=",
}  # fmt: skip
REDUCTIONS = {
    "max": numpy.maximum,
    "min": numpy.minimum,
    "prod": numpy.multiply,
    "any": numpy.logical_or,
    "all": numpy.logical_and,
}
KERNELS = {name: Plugin().amend()[name] for name in ("tanh_pull", "zero_where_not")}


class StraightExecutor(Executor):
    """Runs a plan as one Python function of NumPy calls."""

    def __init__(self, plan: Any, homes: Sequence[int | None]) -> None:
        low = Lowering(plan, loops=False)
        places = Places(low, homes)
        groups = group_steps(places)
        writer = _Writer(places, groups)
        self.memory = writer.memory
        self.source, self.groups, self.bytes = writer.source, len(groups), writer.memory.bytes
        self._namespace = writer.namespace
        self._names: dict[Storage, list[tuple[str, View]]] = {}
        for name, view in writer.changing.items():
            self._names.setdefault(view.storage, []).append((name, view))
        self._draws_from = len(plan.inputs)
        exec(compile(self.source, "<plan>", "exec"), self._namespace)
        self.run = self._namespace["run"]

    def bind_input(self, index: int, array: Any) -> None:
        self.memory.bind_input(index, array)
        self._rename(self.memory.inputs[index])

    def bind_draw(self, index: int, array: Any) -> None:
        self.bind_input(self._draws_from + index, numpy.ascontiguousarray(array))

    def bind_output(self, index: int, array: Any) -> None:
        if index in self.memory.outputs:
            self.memory.bind_output(index, array)
            self._rename(self.memory.outputs[index])

    def _rename(self, storage: Storage) -> None:
        for name, view in self._names.get(storage, ()):
            self._namespace[name] = self.memory.array(view)


class _Writer:
    """Writes the Python function.

    Attributes
    ----------
    namespace : dict
        What the function uses: arrays, functions, numbers.
    changing : dict from str to View
        The names of arrays that are those of the caller.
    """

    def __init__(self, places: Places, groups: list[Group]) -> None:
        self.places = places
        self.namespace: dict[str, Any] = {"copyto": numpy.copyto, "dot": numpy.dot, "matmul": numpy.matmul}
        self.changing: dict[str, View] = {}
        self.scalars: dict[Step | Value, str] = {}
        self._names: dict[Any, str] = {}
        self.lines: list[str] = []
        self.functions: list[str] = []
        cut = [can_be_cut(group, places) for group in groups]
        self.arrays_needed = self._arrays_needed()
        self.memory = Memory(places, *self._lives(groups, cut))
        self._library = Library(places, self.memory)
        for group, in_blocks in zip(groups, cut):
            if in_blocks:
                BlockWriter(self, group).write()
            else:
                for step in group.steps:
                    self.write(step)
        body = "\n".join(f"    {line}" for line in self.lines or ["pass"])
        self.source = "".join(self.functions) + f"def run(n):\n{body}\n"

    # ----------------------------------------------------------------------------------------------------------- memory

    def _arrays_needed(self) -> set[Step]:
        """The steps whose result, though without axes, must lie in memory."""
        needed = {step for step in self.places.steps for out in step.outs if self.places.view[out].storage.role != "temporary"}
        for step in self.places.steps:
            for x in step.values:
                made_by = self.places.origin.get(x)
                if made_by is not None and (step.kind != "map" or x is not made_by.outs[0]):
                    needed.add(made_by)
        return needed

    def is_scalar(self, step: Step) -> bool:
        return step.in_loop and step.out.shape == ()

    def _lives(self, groups: list[Group], cut: list[bool]) -> tuple[dict[Storage, tuple[int, int]], dict[Storage, Storage]]:
        """When each temporary array is needed, and which are written over one of their operands."""
        inside = {step: group for group in groups for step in group.steps}
        when: dict[Step, int] = {}
        for group, in_blocks in zip(groups, cut):
            now = len(when)
            for k, step in enumerate(group.steps):
                when[step] = now if in_blocks else now + k
        lives: dict[Storage, list[int]] = {}
        for step, now in when.items():
            now_group = inside[step].number
            for out in step.outs:
                storage = self.places.view[out].storage
                in_memory = (
                    step in self.arrays_needed if self.is_scalar(step) else step in inside[step].stored or not cut[now_group]
                )
                if storage.role == "temporary" and in_memory:
                    lives[storage] = [now, now]
            for x in step.values:
                if x.kind == "result" and (life := lives.get(self.places.view[x].storage)):
                    life[1] = max(life[1], now)
        same: dict[Storage, Storage] = {}
        for step, now in when.items():
            if step.kind == "map" and step.name not in ("where", "copy", *KERNELS) and not cut[inside[step].number]:
                self._share(step, now, lives, same)
        return {storage: (first, last) for storage, (first, last) in lives.items() if storage not in same}, same

    def _share(self, step: Step, now: int, lives: dict[Storage, list[int]], same: dict[Storage, Storage]) -> None:
        out = self.places.view[step.out].storage
        for x in step.values:
            view = self.places.view.get(x)
            if out not in lives or view is None or view.storage not in lives or x.kind != "result":
                continue
            old = view.storage
            while old in same:
                old = same[old]
            alike = view.contiguous and view.size == out.size == view.storage.size and view.storage.dtype == out.dtype
            if alike and lives[old][1] == now and old is not out:
                same[out] = old
                lives[old][1] = max(lives[old][1], lives[out][1])
                return

    # ------------------------------------------------------------------------------------------------------------ names

    def name(self, x: Any, stem: str = "k") -> str:
        """A name for an object."""
        key = (id(x), stem)
        if key not in self._names:
            self._names[key] = name = f"{stem}{len(self._names)}"
            self.namespace[name] = x
            self.namespace.setdefault("kept", []).append(x)
        return self._names[key]

    def array(self, view: View) -> str:
        """A name for the array of a view."""
        key = (view.storage, view.offset, view.shape, view.strides)
        if key not in self._names:
            self._names[key] = name = f"a{len(self._names)}"
            if view.storage.role in ("input", "output"):
                self.changing[name] = view
            else:
                self.namespace[name] = self.memory.array(view)
        return self._names[key]

    def operand(self, x: Any) -> str:
        """The text of an operand."""
        if not isinstance(x, Value):
            return repr(x) if type(x) in (int, float, bool) and math.isfinite(x) else self.name(x)
        if x.kind == "number":
            return f"n[{x.data}]"
        if x.kind == "constant" and x.shape == ():
            return self.name(x.data[()])
        made_by = self.places.origin.get(x)
        if made_by is not None and made_by in self.scalars and x is made_by.outs[0]:
            return self.scalars[made_by]
        if x.kind == "input" and x.shape == ():
            if x not in self.scalars:
                self.scalars[x] = f"s{len(self.scalars)}"
                self.lines.append(f"{self.scalars[x]} = {self.array(self.places.view_of(x))}[()]")
            return self.scalars[x]
        return self.array(self.places.view_of(x))

    def number(self, x: Any, step: Step, scalar: bool = False) -> str:
        """A Python number as one of the dtype of the arrays, if that is the same, which NumPy takes sooner."""
        arrays = [y.dtype for y in step.operands if isinstance(y, Value) and y.kind != "number"]
        if type(x) not in (int, float) or step.name == "pow" or not arrays or arrays[0].kind != "f" or len(set(arrays)) > 1:
            return self.operand(x)
        with numpy.errstate(over="ignore"):
            number = numpy.asarray(x, arrays[0])
        key = (number.tobytes(), number.dtype, scalar)
        if key not in self._names:
            self._names[key] = self.name(number[()] if scalar else number)
        return self._names[key]

    def operands(self, step: Step, scalar: bool = False) -> list[str]:
        """The texts of all operands."""
        return [self.operand(x) if isinstance(x, Value) else self.number(x, step, scalar) for x in step.operands]

    # ------------------------------------------------------------------------------------------------------------ steps

    def write(self, step: Step) -> None:
        """Add the lines of a step."""
        if step.kind == "map" or step.kind == "reduce":
            if self.is_scalar(step):
                self._scalar(step)
            elif step.kind == "map":
                out = self.array(store_view(step, self.places))
                self.lines.append(self.map_line(step, self.operands(step), out))
            else:
                self._reduction(step)
        elif step.kind == "product":
            self._product(step)
        elif step.kind == "join":
            whole = self.places.view[step.out]
            for x, (region, how) in zip(step.operands, step.facts):
                to = self.array(whole if region is None else sliced(region)(whole) or whole)
                self.lines.append(f"{to}[...] {'+' if how == 'add' else ''}= {self.operand(x)}{' + 0' if how == 'fresh' else ''}")
        else:
            self.lines.append(f"{self.name(self._library.caller(step), 'call')}(n)")

    def map_line(self, step: Step, operands: list[str], out: str) -> str:
        """A call that does a map into an array."""
        name = step.name
        if name == "copy":
            return f"copyto({out}, {operands[0]}, 'unsafe')"
        if name == "where":
            home = self.places.view[step.out].storage
            is_read = any(x.kind in ("input", "result") and self.places.view_of(x).storage is home for x in step.values)
            mask = _as_mask(step, operands[0])
            if is_read:
                return f"copyto({out}, {self.name(numpy.where, 'f')}({mask}, {operands[1]}, {operands[2]}))"
            return f"{self.name(choose, 'f')}({mask}, {operands[1]}, {operands[2]}, {out})"
        if name == "clip":
            low, high = (None if x is None else text for x, text in zip(step.operands[1:], operands[1:]))
            return f"{self.name(numpy.clip)}({operands[0]}, {low}, {high}, {out})"
        if name in KERNELS:
            return f"copyto({out}, {self.name(KERNELS[name], 'f')}({', '.join(operands)}))"
        power = step.operands[1] if name == "pow" and len(step.operands) > 1 else None
        if name == "pow" and step.out.dtype.kind == "f" and isinstance(power, (int, float)) and power in (2, 0.5, -1):
            function = {2: numpy.square, 0.5: numpy.sqrt, -1: numpy.reciprocal}[power]
            return f"{self.name(function, 'f')}({operands[0]}, out={out})"
        return f"{self.name(_function(name), 'f')}({', '.join([*operands, f'out={out}'])})"

    def _scalar(self, step: Step) -> None:
        out = step.out
        operands = self.operands(step, scalar=True)
        name = f"s{len(self.scalars)}"
        kind = self.name(out.dtype.type, "type")
        if step.kind == "reduce":
            text = self.reduction_text(step, operands[0])
        elif step.name in SYMBOLS and any(isinstance(x, Value) and x.kind != "number" for x in step.operands):
            text = f"{operands[0]} {SYMBOLS[step.name]} {operands[1]}"
        elif step.name == "copy":
            text = f"{kind}({operands[0]})"
        elif step.name == "where":
            text = f"{kind}({operands[1]} if {operands[0]} else {operands[2]})"
        elif step.name == "pow" and type(step.operands[1]) is int and step.operands[1] == 2:
            text = f"{operands[0]} * {operands[0]}"
        elif step.name == "clip":
            text = f"{self.name(numpy.clip)}({', '.join(operands)})"
        elif step.name in KERNELS:
            text = f"{self.name(KERNELS[step.name], 'f')}({', '.join(operands)})"
        else:
            text = f"{self.name(_function(step.name), 'f')}({', '.join(operands)})"
        self.lines.append(f"{name} = {text}")
        self.scalars[step] = name
        if step in self.arrays_needed:
            self.lines.append(f"{self.array(self.places.view[out])}[()] = {name}")

    def reduction_text(self, step: Step, operand: str) -> str:
        """A call that returns a reduction."""
        axes: Any = step.facts if len(step.facts) < len(step.space) else None
        if len(step.space) == len(step.facts) == 0:
            axes = ()
        keep = len(step.out.shape) == len(step.space)
        rest = f"axis={axes}, keepdims={keep}"
        if step.name in ("sum", "mean"):
            function = self.name(sums.sum if step.name == "sum" else sums.mean, "f")
            wanted = (
                f", dtype={self.name(step.out.dtype)}" if step.name == "sum" and step.operands[0].dtype != step.out.dtype else ""
            )
            return f"{function}({operand}, {rest}{wanted})"
        wanted = f", dtype={self.name(step.out.dtype)}" if step.name == "prod" else ""
        return f"{self.name(REDUCTIONS[step.name].reduce, 'f')}({operand}, {rest}{wanted})"

    def _reduction(self, step: Step) -> None:
        text = self.reduction_text(step, self.operand(step.operands[0]))
        out = self.array(self.places.view[step.out])
        if step.name in REDUCTIONS:
            self.lines.append(f"{text[:-1]}, out={out})")
        else:
            self.lines.append(f"copyto({out}, {text})")

    def _product(self, step: Step) -> None:
        a, b = (self.places.view_of(x) for x in step.operands)
        out = self.places.view[step.out].at(step.out.shape, c_strides(step.out.shape))
        a, b, out = merged_rows(a, b, out)
        function = "dot" if len(a.shape) == len(b.shape) == 2 else "matmul"
        self.lines.append(f"{function}({self.array(a)}, {self.array(b)}, {self.array(out)})")


BITS = {numpy.dtype(f"f{n}"): numpy.dtype(f"i{n}") for n in (4, 8)}


def choose(mask: Any, x: Any, y: Any, out: Any) -> None:
    """Write ``where(mask, x, y)`` into other memory: the bits of `y`, and the difference where the mask is True."""
    bits = BITS.get(out.dtype)
    if bits is None or out.size < 512 or not isinstance(mask, numpy.ndarray):
        numpy.copyto(out, y)
        numpy.copyto(out, x, where=mask)
        return
    one, other = (numpy.asarray(v, out.dtype).view(bits) for v in (x, y))
    result = out.view(bits)
    numpy.bitwise_xor(one, other, out=result)
    numpy.multiply(result, mask, out=result)
    numpy.bitwise_xor(result, other, out=result)


def _function(name: str) -> Callable[..., Any]:
    if name.startswith("special."):
        function = scipy_special(name.partition(".")[2])
        assert function is not None
        return function
    return getattr(numpy, {"abs": "absolute", "round": "rint"}.get(name, name))  # type: ignore[no-any-return]


def _as_mask(step: Step, text: str) -> str:
    condition = step.operands[0]
    is_bool = isinstance(condition, Value) and condition.kind != "number" and condition.dtype.kind == "b"
    return text if is_bool else f"({text} != 0)"
