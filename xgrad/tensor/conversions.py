"""Tells a user's ``float(x)`` from code that takes a number out of a tensor and computes on without its gradient.

``float(loss)`` and ``math.isnan(loss)`` are the user's own look at a value. ``a[i] = x``, where `a` is a NumPy array, and
``a.fill(x)`` call ``x.__float__`` too, from C, and what is stored has lost its gradient. Both calls look alike to
``__float__``; what tells them apart is the instruction that the caller is executing. Only a call of `float`, of `complex` or
of a function of `math` that can be seen there is taken for the user's.
"""

from __future__ import annotations

import dis
import functools
import itertools
import sys
import types
from collections.abc import Iterable
from typing import Any

__all__ = ["is_explicit"]

_LIBRARIES = sys.stdlib_module_names | {"numpy", "scipy", "sklearn", "pandas"}
"""Libraries that compute with the number after ``float(x)``, as ``statistics.NormalDist`` does."""
_CONVERSIONS = (float, complex)
_MODULES = ("math", "cmath")
_CALLS = frozenset({"PRECALL", "CALL", "CALL_KW"})
_BETWEEN = frozenset({"PUSH_NULL", "PRECALL", "KW_NAMES", "CACHE", "EXTENDED_ARG", "RESUME", "NOP"})
_REMAINDER = ("%", "%=")


def is_explicit(frame: types.FrameType) -> bool:
    """Whether the code in `frame` asks for a number: by ``float(x)``, ``complex(x)``, a function of `math`, or ``"%f" % x``."""
    called = _instruction(frame.f_code, frame.f_lasti)
    if called == "format":
        return True
    if frame.f_globals.get("__name__", "").partition(".")[0] in _LIBRARIES:
        return False
    function = _look_up(frame, called) if isinstance(called, tuple) else None
    return function in _CONVERSIONS or (isinstance(function, types.BuiltinFunctionType) and function.__module__ in _MODULES)


@functools.lru_cache(maxsize=256)
def _instruction(code: types.CodeType, position: int) -> str | tuple[str, ...] | None:
    """The instruction at `position`: ``"format"``, the name of the called function, or None if it is not known."""
    instructions = [one for one in dis.get_instructions(code) if one.offset <= position]
    last = instructions[-1]
    if last.opname == "BINARY_OP":
        return "format" if last.argrepr in _REMAINDER else None
    if last.opname not in _CALLS:
        return None
    return _by_place_in_the_source(instructions) or _by_the_stack(instructions)


def _by_place_in_the_source(instructions: list[dis.Instruction]) -> tuple[str, ...] | None:
    # A call begins where the name of its function begins, and its arguments come later.
    place = instructions[-1].positions
    start = None if place is None else (place.lineno, place.col_offset)
    if start is None or None in start:
        return None
    before = reversed(instructions[:-1])
    return _dotted_name(one for one in before if one.positions and (one.positions.lineno, one.positions.col_offset) == start)


def _by_the_stack(instructions: list[dis.Instruction]) -> tuple[str, ...] | None:
    # Where the place is not known: the function lies below the arguments on the stack, if no jump stands between.
    above = instructions[-1].arg or 0
    before = itertools.dropwhile(lambda one: one.opname in _BETWEEN, reversed(instructions[:-1]))
    while above > 0:
        one = next(before, None)
        if one is None or one.opcode in dis.hasjrel or one.opcode in dis.hasjabs or one.is_jump_target:
            return None
        above -= dis.stack_effect(one.opcode, one.arg)
    return _dotted_name(before)


def _dotted_name(backwards: Iterable[dis.Instruction]) -> tuple[str, ...] | None:
    """The parts of the name whose instructions come first, last part first."""
    names: list[str] = []
    for one in backwards:
        if one.opname in _BETWEEN:
            continue
        if (name := _name(one)) is None:
            return None
        names.append(name)
        if one.opname not in ("LOAD_ATTR", "LOAD_METHOD"):
            return tuple(reversed(names))
    return None


def _name(one: dis.Instruction) -> str | None:
    """The name that an instruction loads."""
    if not one.opname.startswith("LOAD_") or "CONST" in one.opname or not isinstance(one.argval, str):
        return None
    return one.argval


def _look_up(frame: types.FrameType, names: tuple[str, ...]) -> Any:
    """The object of a dotted name, as the code in `frame` sees it."""
    first, *attributes = names
    for scope in (frame.f_locals, frame.f_globals, frame.f_builtins):
        if first in scope:
            value = scope[first]
            for attribute in attributes:
                value = getattr(value, attribute, None)
            return value
    return None
