"""The C functions of steps that are not part of a loop: products of matrices, joins, scatters, checks."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy

from .expressions import c_type, converted, literal
from .loops import Function
from .places import Places
from .steps import Step, Storage, Value, View, c_strides
from .views import broadcast, sliced

__all__ = ["element_terms", "element_text", "merged_rows", "scatter_target", "single_function"]

SMALL = 2048
"""Products of at most so many terms are loops: to call BLAS would take longer."""


def single_function(step: Step, places: Places, scratch: Callable[[Any, int], Storage], has_blas: bool) -> Function | None:
    """The function that does a step; None if only the library can do it."""
    function = Function(scratch, "int" if step.kind == "check" else "void")
    if step.kind == "product":
        return _product(function, step, places, has_blas)
    if step.kind == "join":
        _join(function, step, places)
    elif step.kind == "scatter":
        _scatter(function, step, places)
    elif step.kind == "check":
        _check(function, step, places)
    else:
        return None
    return function


# ------------------------------------------------------------------------------------------------------------- products


def _product(function: Function, step: Step, places: Places, has_blas: bool) -> Function | None:
    a, b = (places.view_of(x) for x in step.operands)
    out = places.view[step.out].at(step.out.shape, c_strides(step.out.shape))
    a, b, out = merged_rows(a, b, out)
    lead = out.shape[:-2]
    rows, terms, columns = a.shape[-2], a.shape[-1], b.shape[-1]
    small = rows * terms * columns <= SMALL
    if not has_blas and not (small or rows == 1 or columns == 1):
        return None
    write = function.lines.append
    for k, n in enumerate(lead):
        write(f"for (I m{k} = 0; m{k} < {n}; m{k}++) {{")
    t = c_type(step.out.dtype)
    pointers = []
    for view, to in ((a, False), (b, False), (out, True)):
        strides = broadcast((*lead, *view.shape[-2:]))(view)
        assert strides is not None
        terms_of = [f"m{k} * {s}" for k, s in enumerate(strides.strides[:-2]) if s]
        pointers.append(" + ".join([function.pointer(view.storage, to), *terms_of, *([str(view.offset)] if view.offset else [])]))
    (a0, a1), (b0, b1) = a.strides[-2:], b.strides[-2:]
    if rows == 1:
        _vector(write, t, pointers[0], a1, pointers[1], b0, b1, pointers[2], terms, columns)
    elif columns == 1:
        _vector(write, t, pointers[1], b0, pointers[0], a1, a0, pointers[2], terms, rows)
    elif small:
        write(f"for (I i = 0; i < {rows}; i++) {{")
        _vector(write, t, f"{pointers[0]} + i * {a0}", a1, pointers[1], b0, b1, f"{pointers[2]} + i * {columns}", terms, columns)
        write("}")
    else:
        (left, ta, lda), (right, tb, ldb) = (_for_blas(function, view, at) for view, at in zip((a, b), pointers))
        size = f"{rows}, {columns}, {terms}"
        write(f"gemm_{t}({ta}, {tb}, {size}, {left}, {lda}, {right}, {ldb}, {pointers[2]}, {columns});")
    function.lines += ["}"] * len(lead)
    return function


def merged_rows(a: View, b: View, out: View) -> tuple[View, View, View]:
    """If all matrices of a stack are multiplied with one, the stack is one matrix with more rows."""
    lead = out.shape[:-2]
    whole = broadcast((*lead, *a.shape[-2:]))(a)
    same = broadcast((*lead, *b.shape[-2:]))(b)
    assert whole is not None
    assert same is not None
    if not lead or any(s and n > 1 for n, s in zip(lead, same.strides)):
        return a, b, out
    step = whole.strides[-2]
    for n, s in zip(whole.shape[-2:0:-1], whole.strides[-3::-1]):
        if s != step * n:
            return a, b, out
        step = s
    rows = math.prod(out.shape[:-1])
    left = a.at((rows, a.shape[-1]), whole.strides[-2:])
    return left, b.at(b.shape[-2:], b.strides[-2:]), out.at((rows, out.shape[-1]), (out.shape[-1], 1))


def _vector(write: Any, t: str, v: str, sv: int, m: str, sk: int, sn: int, out: str, terms: int, columns: int) -> None:
    """A vector times a matrix that is stepped through by `sk` and `sn`."""
    if sn == 1:
        write(f"rows_{t}({v}, {sv}, {m}, {sk}, {out}, {terms}, {columns});")
    else:
        write(f"columns_{t}({v}, {sv}, {m}, {sk}, {sn}, {out}, {terms}, {columns});")


def _for_blas(function: Function, view: View, pointer: str) -> tuple[str, int, int]:
    """A pointer to a matrix, or to a copy if BLAS cannot read it; whether BLAS shall transpose it; the distance of its rows."""
    (rows, columns), (s0, s1) = view.shape[-2:], view.strides[-2:]
    if s1 == 1 and s0 >= columns:
        return pointer, 111, s0
    if s0 == 1 and s1 >= rows:
        return pointer, 112, s1
    copy = function.pointer(function.scratch(view.storage.dtype, rows * columns), True)
    function.lines += [
        f"for (I i = 0; i < {rows}; i++) for (I j = 0; j < {columns}; j++)",
        f"  {copy}[i * {columns} + j] = ({pointer})[i * {s0} + j * {s1}];",
    ]
    return copy, 111, columns


# ------------------------------------------------------------------------------------------------------ joins and scatters


def element_text(function: Function, places: Places, x: Any, shape: Sequence[int], dtype: Any) -> str:
    """An operand at the element where loops over `shape` are."""
    if not isinstance(x, Value):
        return literal(x, dtype)
    if x.kind == "number":
        kind = {float: "double", int: "int64_t", bool: "uint8_t"}[x.dtype]
        return f"(({c_type(dtype)})*(const {kind}*)((const char*)numbers + {8 * x.data}))"
    uniform = places.uniform(x)
    if uniform is not None:
        return literal(uniform, dtype)
    view = places.view_of(x)
    extra = len(view.shape) - len(shape)
    if extra > 0:  # leading axes of length 1
        view = view.at(view.shape[extra:], view.strides[extra:])
    view = broadcast(shape)(view) or view
    return converted(function.place(view.storage, element_terms(view.strides, view.offset, shape)), x.dtype, dtype)


def element_terms(strides: Sequence[int], offset: int, shape: Sequence[int]) -> list[str]:
    return [*(f"j{k} * {s}" for k, (n, s) in enumerate(zip(shape, strides)) if s and n != 1), *([str(offset)] if offset else [])]


def _loops(function: Function, shape: Sequence[int], body: str, simd: bool) -> None:
    """Nested loops over a shape."""
    long = [k for k, n in enumerate(shape) if n != 1]
    for k in long:
        if simd and k == long[-1]:
            function.lines.append("#pragma omp simd")
        function.lines.append(f"for (I j{k} = 0; j{k} < {shape[k]}; j{k}++)")
    function.lines.append(body)


def _join(function: Function, step: Step, places: Places) -> None:
    out = step.out
    whole = places.view[out].at(out.shape, c_strides(out.shape))
    for x, (region, how) in zip(step.operands, step.facts):
        view = whole if region is None else sliced(region)(whole) or whole
        to = function.place(view.storage, element_terms(view.strides, view.offset, view.shape), True)
        text = element_text(function, places, x, view.shape, out.dtype)
        sign, more = ("+" if how == "add" else ""), (" + 0" if how == "fresh" else "")  # 0 + -0 is 0
        _loops(function, view.shape, f"{to} {sign}= {text}{more};", True)


def _scatter(function: Function, step: Step, places: Places) -> None:
    chosen, rearranged, how, wide = step.facts
    whole, value, *indices = step.operands
    out = step.out
    result = places.view[out].storage
    if wide:
        result = function.scratch(numpy.dtype("float64"), out.size)
    memory = View(result, 0, out.shape, c_strides(out.shape))
    start = function.place(result, element_terms(memory.strides, 0, out.shape), True)
    _loops(function, out.shape, f"{start} = {element_text(function, places, whole, out.shape, result.dtype)};", True)
    view = rearranged.facts(memory)
    shape, terms = scatter_target(function, places, view, chosen, indices)
    last = max([k for k, n in enumerate(shape) if n != 1], default=-1)
    apart = last in [to for to, _ in chosen.straight]  # along this axis, all are different elements
    to = function.place(result, terms, True)
    _loops(
        function,
        shape,
        f"{to} {'+' if how == 'add' else ''}= {element_text(function, places, value, shape, result.dtype)};",
        apart,
    )
    if wide:
        end = function.place(places.view[out].storage, ["z"], True)
        function.lines.append(f"for (I z = 0; z < {out.size}; z++) {end} = (float){function.place(result, ['z'])};")


def scatter_target(
    function: Function, places: Places, view: View, chosen: Any, indices: list[Value]
) -> tuple[list[int], list[str]]:
    """The shape of what indices choose from a view, and the place of one element."""
    found = numpy.broadcast_shapes(*[index.shape for index in indices])
    shape = [1] * (len(chosen.straight) + len(found))
    shape[chosen.start : chosen.stop] = found
    strides = [0] * len(shape)
    for to, axis in chosen.straight:
        shape[to], strides[to] = view.shape[axis], view.strides[axis]
    terms = element_terms(strides, view.offset, shape)
    for axis, place, number in chosen.pairs:
        n, s = view.shape[axis], view.strides[axis]
        if place is None:
            terms.append(str((number + n if number < 0 else number) * s))
            continue
        index = indices[place - 1]
        part = [f"j{chosen.stop - len(index.shape) + k}" for k in range(len(index.shape))]
        spot = places.view_of(index)
        parts = [f"{j} * {stride}" for j, m, stride in zip(part, spot.shape, spot.strides) if m != 1 and stride]
        text = function.place(spot.storage, [*parts, str(spot.offset)])
        terms.append(f"{function.position(f'(int64_t){text}', n)} * {s}")
    return shape, terms


def _check(function: Function, step: Step, places: Places) -> None:
    n, axis = step.facts
    (index,) = step.operands
    text = f"(int64_t){element_text(function, places, index, index.shape, index.dtype)}"
    function.lines.append("int bad = 0;")
    _loops(function, index.shape, f"bad |= {text} < -{n} || {text} >= {n};", False)
    function.lines.append("if (!bad) return 0;")
    _loops(
        function,
        index.shape,
        f"if ({text} < -{n} || {text} >= {n}) {{ error[0] = {text}; error[1] = {axis}; error[2] = {n}; }}",
        False,
    )
    function.lines.append("return 1;")
