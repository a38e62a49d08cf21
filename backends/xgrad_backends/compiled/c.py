"""The executor that runs a plan as C."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy

from . import lower_indexing, lower_products  # noqa: F401, their rules
from .blas import gemm
from .compiler import CannotCompile, compiler
from .executor import Executor, packer
from .groups import Group, group_steps
from .library import Library
from .loading import Loaded, Table, pointer
from .loops import Function, loop_function
from .lower import Lowering
from .mathematics import prelude
from .memory import Memory, lives_in_groups
from .places import Places
from .single import single_function
from .steps import Step, Storage

__all__ = ["CExecutor"]

UNIT = 2000
"""How many lines a C file may have: more are compiled side by side."""
LONG = 6000
"""How many lines of C are still compiled with all optimizations."""
FIRST = 3
"""The place of the first storage in the table: BLAS and the report of errors come before."""


class _Source:
    """The C of a plan."""

    def __init__(self, places: Places, groups: list[Group], has_blas: bool) -> None:
        self.places = places
        self.functions: dict[str, str] = {}  # names, by kind and text
        self.declared: dict[str, str] = {}
        self.scratch: dict[Storage, int] = {}
        self.parts: list[list[str] | Step] = []  # what a C function does, or a call of the library
        for group in groups:
            function = self._function(group, has_blas)
            if function is None:
                self.parts.append(group.steps[0])
                continue
            if not self.parts or isinstance(self.parts[-1], Step):
                self.parts.append([])
            part = self.parts[-1]
            assert isinstance(part, list)
            part.append(self._call(function))

    def _function(self, group: Group, has_blas: bool) -> Function | None:
        def scratch(dtype: Any, size: int) -> Storage:
            storage = self.places.storage("temporary", dtype, size)
            self.scratch[storage] = group.number
            return storage

        if group.shape is not None:
            return loop_function(group, self.places, scratch)
        return single_function(group.steps[0], self.places, scratch, has_blas)

    def _call(self, function: Function) -> str:
        key = function.kind + function.text
        name = self.functions.get(key)
        if name is None:
            name = self.functions[key] = f"g{len(self.functions)}"
            self.declared[name] = function.declared
        arguments = [f"P[{FIRST + storage.number}]" for storage in function.storages]
        call = f"{name}({', '.join([*arguments, 'numbers', 'BLAS', 'error'])})"
        return f"  if ({call}) return 1;" if function.kind == "int" else f"  {call};"

    @property
    def lines(self) -> int:
        """How many lines the functions have."""
        return sum(text.count("\n") for text in self.functions)

    def files(self, top: str) -> list[str]:
        """The C files: functions of groups, and one that calls them for each part."""
        units: list[list[str]] = [[]]
        lines = 0
        for key, name in self.functions.items():
            kind = "int" if key.startswith("int") else "void"
            text = f"{kind} {name}{key[len(kind) :]}"
            if lines > UNIT:
                units.append([])
                lines = 0
            units[-1].append(text)
            lines += text.count("\n")
        alone = len(units) == 1
        runs = []
        number = 0
        for part in self.parts:
            if isinstance(part, Step):
                continue
            head = f"EXPORT int run{number}(void** P, const void* numbers) {{\n"
            fixed = "  const void* const* BLAS = (const void* const*)P;\n  int64_t* error = P[2];\n"
            runs.append(head + fixed + "\n".join(part) + "\n  return 0;\n}\n")
            number += 1
        how = "static __attribute__((noinline)) " if alone else "__attribute__((noinline)) "
        files = [top + "".join(how + text for text in unit) for unit in units]
        if alone:
            return [files[0] + "".join(runs)]
        declared = "".join(
            f"{'int' if key.startswith('int') else 'void'} {name}{self.declared[name]};\n" for key, name in self.functions.items()
        )
        return [*files, top + declared + "".join(runs)]


class CExecutor(Executor):
    """Runs a plan as compiled C."""

    def __init__(self, plan: Any, homes: Sequence[int | None]) -> None:
        chosen = compiler()
        single, double, integers = gemm()
        low = Lowering(plan)
        places = Places(low, homes)
        groups = group_steps(places)
        source = _Source(places, groups, bool(single))
        self.memory = Memory(places, lives_in_groups(places, groups, source.scratch), apart=chosen.is_checked)
        self.groups, self.bytes = len(groups), self.memory.bytes
        is_long = source.lines > LONG
        files = source.files(prelude(chosen.vector, integers, inlined=not is_long))
        self.source = "\n".join(files)
        level = "-O1" if is_long else "-O3"
        path = chosen.library(files, level)

        self._table = table = Table(FIRST + len(places.storages))
        self._error = numpy.zeros(3, numpy.int64)
        for k, address in enumerate((single, double, self._error.ctypes.data)):
            table.set_address(k, address)
        for storage, array in self.memory.arrays.items():
            table.set_address(FIRST + storage.number, array.ctypes.data)
        names = {k: FIRST + storage.number for k, storage in self.memory.inputs.items()}
        self._input_at = [names.get(k, 0) for k in range(len(low.inputs))]
        self._output_at = {k: FIRST + storage.number for k, storage in self.memory.outputs.items()}
        self._draws_from = len(plan.inputs)
        self._drawn: list[Any] = [None] * len(plan.draws)
        self._has_library = any(isinstance(part, Step) for part in source.parts)
        self.run = self._runner(path, source.parts, plan, places)

    def _runner(self, path: str, parts: list[Any], plan: Any, places: Places) -> Callable[[tuple[Any, ...]], None]:
        count = sum(not isinstance(part, Step) for part in parts)
        try:
            self._library = Loaded(path, count)
        except OSError as error:
            raise CannotCompile(f"{path} was compiled and cannot be loaded: {error}") from None
        functions = self._library.functions
        pack, self._numbers = packer(plan.used_numbers)
        table, numbers = self._table.pointer, pointer(self._numbers)
        failed = self._failed
        if not self._has_library:
            if not functions:
                return lambda given: None
            (function,) = functions
            if pack is None:

                def run_without_numbers(given: tuple[Any, ...]) -> None:
                    if function(table, numbers):
                        failed()

                return run_without_numbers

            def run_all(given: tuple[Any, ...]) -> None:
                pack(*given)
                if function(table, numbers):
                    failed()

            return run_all
        library = Library(places, self.memory)
        rest = iter(functions)
        doing: list[Any] = [library.caller(part) if isinstance(part, Step) else next(rest) for part in parts]
        is_library = [isinstance(part, Step) for part in parts]

        def run(given: tuple[Any, ...]) -> None:
            if pack is not None:
                pack(*given)
            for of_library, function in zip(is_library, doing):
                if of_library:
                    function(given)
                elif function(table, numbers):
                    failed()

        return run

    def _failed(self) -> None:
        index, axis, n = self._error.tolist()
        raise IndexError(f"index {index} is out of bounds for axis {axis} with size {n}")

    def bind_input(self, index: int, array: Any) -> None:
        self._table.set(self._input_at[index], array)
        if self._has_library:
            self.memory.bind_input(index, array)

    def bind_draw(self, index: int, array: Any) -> None:
        self._drawn[index] = array = numpy.ascontiguousarray(array)
        self.bind_input(self._draws_from + index, array)

    def bind_output(self, index: int, array: Any) -> None:
        at = self._output_at.get(index)
        if at is not None:
            self._table.set(at, array)
            if self._has_library:
                self.memory.bind_output(index, array)
