"""Several arrays as one flat vector of real numbers, on their own device or on the host."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..backend import Backend, dtype_of, raw_namespace
from ..engine import Tensor

__all__ = ["Packing"]


class Packing:
    """How raw arrays are laid out in one vector: in turn, each in row-major order, a complex one as its parts.

    The inner product of two vectors is the real part of that of the arrays, for which a pullback is the transpose.
    """

    def __init__(self, arrays: Sequence[Any]) -> None:
        xp = raw_namespace(arrays[0])
        self.backend: Backend = xp.__backend__
        self.device = self.backend.device(arrays[0])
        self.shapes = [tuple(x.shape) for x in arrays]
        self.dtypes = [x.dtype for x in arrays]
        self.complex = [dtype_of(x.dtype).kind == "complex floating" for x in arrays]
        self.dtype = xp.result_type(*((xp.real(x) if twice else x).dtype for x, twice in zip(arrays, self.complex)))
        self.eps = float(xp.finfo(self.dtype).eps)
        self.lengths = [math.prod(s) * (1 + c) for s, c in zip(self.shapes, self.complex)]
        self.size = sum(self.lengths)

    def pack(self, arrays: Sequence[Any]) -> Any:
        """The vector of raw arrays, or of Tensors."""
        xp = _namespace(arrays[0])
        parts: list[Any] = []
        for x, twice in zip(arrays, self.complex):
            parts += [xp.real(x), xp.imag(x)] if twice else [x]
        return xp.concat([xp.reshape(xp.astype(x, self.dtype, copy=False), (-1,)) for x in parts])

    def unpack(self, vector: Any) -> list[Any]:
        """The arrays again."""
        xp = _namespace(vector)
        out, at = [], 0
        for shape, dtype, twice, length in zip(self.shapes, self.dtypes, self.complex, self.lengths):
            part = vector[at : at + length]
            at += length
            if twice:
                half = length // 2
                part = xp.astype(part[:half], dtype) + xp.astype(part[half:], dtype) * 1j
            out.append(xp.astype(xp.reshape(part, shape), dtype, copy=False))
        return out

    def to_host(self, vector: Any) -> Any:
        """A vector, raw or a Tensor without a graph, as a float64 NumPy array that may be written to."""
        import numpy

        data = vector._data if isinstance(vector, Tensor) else vector
        return numpy.array(self.backend.to_numpy(data), dtype=numpy.float64)

    def from_host(self, vector: Any) -> Any:
        """A raw vector with the values of a NumPy array."""
        import numpy

        moved = self.backend.from_numpy(numpy.array(vector, dtype=dtype_of(self.dtype).name), self.device)
        return self.backend.xp.astype(moved, self.dtype, copy=False)


def _namespace(x: Any) -> Any:
    return x.__array_namespace__() if isinstance(x, Tensor) else raw_namespace(x)
