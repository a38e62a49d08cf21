"""What a plan does on the device, one thing after the other: launches of kernels, products of matrices, calls of CuPy."""

from __future__ import annotations

import itertools
from typing import Any

import cupy
import numpy

from ..compiled.library import filled
from ..compiled.lower import BINARY, COPIES, REDUCTIONS, UNARY
from ..compiled.places import Places
from ..compiled.single import merged_rows
from ..compiled.steps import Step, Value, View, c_strides
from ..compiled.views import broadcast
from .blas import Blas, Matrix, strides_of_batch
from .kernels import Kernel, Launch, Scratch
from .memory import DeviceMemory
from .single import copy_launch

__all__ = ["Call", "Product"]


class Product:
    """A product of matrices by cuBLAS.

    Attributes
    ----------
    copies : list of Launch
        What puts matrices that cuBLAS cannot read into memory that it can.
    """

    def __init__(self, step: Step, places: Places, scratch: Scratch) -> None:
        a, b = (places.view_of(x) for x in step.operands)
        out = places.view[step.out].at(step.out.shape, c_strides(step.out.shape))
        a, b, self.out = merged_rows(a, b, out)
        self.copies: list[Launch] = []
        self.dtype = step.out.dtype
        self.lead = self.out.shape[:-2]
        (self.a, self.left), (self.b, self.right) = (self._readable(view, scratch) for view in (a, b))
        self.sizes = (self.out.shape[-2], self.out.shape[-1], self.a.shape[-1])
        found = [self._strides(view) for view in (self.a, self.b, self.out)]
        self.distances = strides_of_batch(self.lead, found)
        self.count = int(numpy.prod(self.lead, dtype=int))
        self._places = list(itertools.product(*map(range, self.lead)))
        self._steps = found
        self._tables: list[Any] = []  # addresses of matrices, on the device

    def _strides(self, view: View) -> tuple[int, ...]:
        whole = broadcast((*self.lead, *view.shape[-2:]))(view)
        assert whole is not None
        return tuple([s if n != 1 else 0 for n, s in zip(self.lead, whole.strides[:-2])])

    def _readable(self, view: View, scratch: Scratch) -> tuple[View, Matrix]:
        (rows, columns), (s0, s1) = view.shape[-2:], view.strides[-2:]
        if (s1 == 1 or columns == 1) and (s0 >= columns or rows == 1):
            return view, Matrix(max(s0, columns, 1) if rows > 1 else columns, False)
        if (s0 == 1 or rows == 1) and (s1 >= rows or columns == 1):
            return view, Matrix(max(s1, rows, 1) if columns > 1 else rows, True)
        to = scratch(view.storage.dtype, view.size)
        self.copies.append(copy_launch(view, Kernel(scratch), to))
        return View(to, 0, view.shape, c_strides(view.shape)), Matrix(columns, False)

    def bind(self, memory: DeviceMemory) -> None:
        """Take note of the addresses, where there are many of them."""
        if self.count > 1 and self.distances is None:
            self._tables = [
                cupy.asarray(
                    numpy.array(
                        [memory.address(v.storage, v.offset + sum(map(int.__mul__, at, steps))) for at in self._places], "uint64"
                    )
                )
                for v, steps in zip((self.a, self.b, self.out), self._steps)
            ]

    def run(self, memory: DeviceMemory, blas: Blas) -> None:
        """Start it on the current stream."""
        if self._tables:
            a, b, out = (int(table.data.ptr) for table in self._tables)
            batch: Any = (self.count, -1, -1, -1)
        else:
            a, b, out = (memory.address(view.storage, view.offset) for view in (self.a, self.b, self.out))
            batch = None if self.count == 1 else (self.count, *(self.distances or ()))
        blas.gemm(self.dtype, self.sizes, (a, self.left), (b, self.right), out, batch)


LAUNCHES = frozenset(
    """argmax argmin argsort copy cumulative_prod cumulative_sum diff flip moveaxis permute_dims roll sort tile tril triu where
    zero_where_not""".split()
)
"""Functions of CuPy that only launch kernels."""


class Call:
    """A call of a function of the library, whose results are copied to their places.

    Attributes
    ----------
    is_apart : bool
        Whether it cannot be part of a graph: it may copy something from the host, which would be another thing when the graph
        is launched, or it takes numbers that change.
    """

    def __init__(self, step: Step, places: Places) -> None:
        self.step, self.places = step, places
        for x in step.values:
            if x.kind == "constant":
                places.view_of(x)
        names = UNARY | BINARY | COPIES | REDUCTIONS | LAUNCHES
        is_launch = step.kind == "call" and (step.name in names or step.name.startswith(("fft.", "special.")))
        self.is_apart = not is_launch or any(x.kind == "number" for x in step.values)

    def run(self, memory: DeviceMemory, numbers: tuple[Any, ...]) -> None:
        """Make it on the current stream."""
        if self.step.kind == "product":
            a, b = (memory.array(self.places.view_of(x)) for x in self.step.operands)
            memory.array(self.places.view[self.step.out])[...] = cupy.matmul(a, b)
            return
        call, args, kwargs = self.step.facts

        def now(x: Value) -> Any:
            return numbers[x.data] if x.kind == "number" else memory.array(self.places.view_of(x))

        y = call.function(*filled(args, now), **filled(kwargs, now))
        for out, result in zip(self.step.outs, y if call.container else [y]):
            memory.array(self.places.view[out])[...] = result
