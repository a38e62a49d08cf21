"""`Packing`: several arrays as one flat vector of real numbers, on their own device or on the host."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from ..backend.dtypes import dtype_of
from ..backend.find import raw_namespace
from ..backend.protocol import Backend
from ..tensor.tensor import Tensor

__all__ = ["Packing"]


class Packing:
    """The layout of raw arrays in one vector: one after the other in row-major order, complex ones as real and imaginary parts.

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
        """The vector of raw arrays or Tensors."""
        xp = _namespace(arrays[0])
        parts: list[Any] = []
        for x, twice in zip(arrays, self.complex):
            parts += [xp.real(x), xp.imag(x)] if twice else [x]
        flat = [self._cast(xp, x if x.ndim == 1 else xp.reshape(x, (-1,)), self.dtype) for x in parts]
        return flat[0] if len(flat) == 1 else xp.concat(flat)

    def unpack(self, vector: Any) -> list[Any]:
        """The arrays in a vector."""
        return self._unpack(vector, ())

    def unpack_rows(self, matrix: Any) -> list[Any]:
        """The arrays in the rows of a matrix, stacked: the rows are their first axis."""
        return self._unpack(matrix, (matrix.shape[0],))

    def _unpack(self, vector: Any, rows: tuple[int, ...]) -> list[Any]:
        xp = _namespace(vector)
        out, at = [], 0
        for shape, dtype, twice, length in zip(self.shapes, self.dtypes, self.complex, self.lengths):
            part = vector if length == self.size else vector[..., at : at + length]
            at += length
            if twice:
                part = xp.astype(part[..., : length // 2], dtype) + xp.astype(part[..., length // 2 :], dtype) * 1j
            part = part if tuple(part.shape) == rows + shape else xp.reshape(part, rows + shape)
            out.append(self._cast(xp, part, dtype))
        return out

    def _cast(self, xp: Any, x: Any, dtype: Any) -> Any:
        return x if x.dtype == dtype else xp.astype(x, dtype)

    def to_host(self, vector: Any) -> Any:
        """A vector, raw or a Tensor, as a new float64 NumPy array."""
        import numpy

        data = vector._data if isinstance(vector, Tensor) else vector
        return numpy.array(self.backend.to_numpy(data), dtype=numpy.float64)

    def from_host(self, vector: Any) -> Any:
        """A NumPy array as a raw vector on the device."""
        import numpy

        moved = self.backend.from_numpy(numpy.array(vector, dtype=dtype_of(self.dtype).name), self.device)
        return self.backend.xp.astype(moved, self.dtype, copy=False)


def _namespace(x: Any) -> Any:
    return x.__array_namespace__() if isinstance(x, Tensor) else raw_namespace(x)
