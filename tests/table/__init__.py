"""The table of test cases: at least one row per op. `tests/test_table.py` checks each row.

Each chapter of `xgrad.ops` has a module here with ``ROWS: list[Row]``. To test a new op, add a row.
"""

from __future__ import annotations

import importlib
import math
import pkgutil
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Arg", "Row", "all_rows"]


@dataclass(frozen=True)
class Arg:
    """One array argument: its shape, and the values that it draws."""

    shape: tuple[int, ...]
    low: float = -2.0
    high: float = 2.0  # values are drawn uniformly, seeded, and kept a gap apart from each other, so that there are no ties
    kind: str = "float"  # "float" | "complex" | "int" | "bool"
    values: tuple[Any, ...] | None = None  # explicit values, nested, instead of random ones
    grad: bool = True  # differentiate with respect to it (float and complex only)

    @property
    def tracked(self) -> bool:
        """Whether a gradient with respect to this argument is checked."""
        return self.grad and self.kind in ("float", "complex")

    def draw(self, seed: int, dtype: str = "float64", shape: tuple[int, ...] | None = None) -> np.ndarray:
        """The argument as a NumPy array; `dtype` is the precision of its floats."""
        native = {"float": dtype, "complex": "complex64" if dtype == "float32" else "complex128", "int": "int64", "bool": "bool"}
        if self.values is not None and shape is None:
            return np.asarray(self.values, dtype=native[self.kind]).reshape(self.shape)
        shape = self.shape if shape is None else shape
        rng, size = np.random.default_rng(seed), math.prod(shape)
        if self.kind == "bool":
            return rng.integers(0, 2, size=shape).astype(bool)
        if self.kind == "int":
            return rng.integers(math.ceil(self.low), max(math.ceil(self.low) + 1, math.floor(self.high)), size=shape)
        out = self._spread(rng, size)
        if self.kind == "complex":
            out = out + 1j * self._spread(rng, size)
        return np.asarray(out.reshape(shape), dtype=native[self.kind])

    def _spread(self, rng: np.random.Generator, size: int) -> np.ndarray:
        # One value in the middle half of each of `size` cells: no two are closer than half a cell, none is at an edge.
        cells = rng.permutation(size) + rng.uniform(0.25, 0.75, size=size)
        return self.low + (self.high - self.low) * cells / max(size, 1)


@dataclass(frozen=True)
class Row:
    """One use of an op, checked on every backend."""

    name: str  # registered op name; `label` distinguishes several rows of one op
    f: Callable[..., Any]  # f(xp, *tensors) -> Tensor or tuple of Tensors; xp is xgrad's namespace for the backend
    args: tuple[Arg, ...]
    torch: Callable[..., Any] | None = None  # torch(t, *tensors): the same in PyTorch; None: finite differences for gradients
    numpy: Callable[..., Any] | None = None  # numpy(np, *arrays): the value, where PyTorch lacks the function
    label: str = ""
    elementwise: bool = False  # the driver adds broadcasting, 0-d, size 0, non-contiguous inputs and Python scalar operands
    order: int = 2  # the highest order of derivative that is checked
    differentiable: bool = True  # False: the value, and that the result does not require grad
    dtypes: tuple[str, ...] = ("float64", "float32")
    skip: Mapping[str, str] = field(default_factory=dict)  # backend -> reason

    @property
    def id(self) -> str:
        """The row's name in a test's id."""
        return f"{self.name}-{self.label}" if self.label else self.name

    def draw(self, dtype: str = "float64", shapes: tuple[tuple[int, ...], ...] | None = None) -> list[np.ndarray]:
        """The arguments as NumPy arrays, the same in every run."""
        seed = zlib.crc32(self.id.encode())
        return [arg.draw(seed + k, dtype, None if shapes is None else shapes[k]) for k, arg in enumerate(self.args)]


def all_rows() -> list[Row]:
    """The rows of every chapter, in the order of the chapters' names."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__))
    return [row for name in names for row in importlib.import_module(f"{__name__}.{name}").ROWS]
