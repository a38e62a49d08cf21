"""`ElementwiseKernel`: an expression in CUDA C++, computed for every element of broadcast arrays."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from .arrays import SCALARS, foreign, make, ndarray
from .compiling import Argument, argument, c_type, compiled, dtype_of
from .counters import count_call
from .launching import write
from .memory import placed

__all__ = ["ElementwiseKernel", "Parameter", "aliases", "decided_types", "parameters", "value_of"]


class Parameter:
    """A parameter of a kernel: its name, its dtype or the letter for it, and whether the kernel indexes it by itself."""

    def __init__(self, text: str) -> None:
        words = text.split()
        self.raw = "raw" in words[:-1]
        self.name = words[-1]
        self.type = " ".join(w for w in words[:-1] if w not in ("raw", "const", "__restrict__"))
        if not self.type or not re.fullmatch(r"[A-Za-z_]\w*", self.name):
            raise SyntaxError(f"Syntax error: {text}")
        self.dtype = dtype_of(self.type)


def parameters(text: str) -> list[Parameter]:
    return [Parameter(part.strip()) for part in text.split(",") if part.strip()]


class ElementwiseKernel:
    """A kernel of CuPy's `ElementwiseKernel`, compiled for the host."""

    def __init__(
        self,
        in_params: str,
        out_params: str,
        operation: str,
        name: str = "kernel",
        reduce_dims: bool = True,
        preamble: str = "",
        no_return: bool = False,
        return_tuple: bool = False,
        **kwargs: Any,
    ) -> None:
        self.in_params, self.out_params = parameters(in_params), parameters(out_params)
        self.params = [*self.in_params, *self.out_params]
        names = [p.name for p in self.params]
        if len(set(names)) != len(names) or {"n", "i"} & set(names):
            raise ValueError(f"Can not use {names} as names of parameters: each once, and not n or i")
        self.operation, self.name, self.preamble = operation, name, preamble
        self.no_return, self.return_tuple, self.kwargs = no_return, return_tuple, kwargs
        self.nin, self.nout = len(self.in_params), len(self.out_params)
        self.nargs = self.nin + self.nout
        unknown = set(kwargs) - {"options", "loop_prep", "after_loop"}
        if unknown:
            raise TypeError(f"ElementwiseKernel got unexpected arguments {sorted(unknown)}")

    def __call__(self, *args: Any, size: int | None = None, block_size: int = 128, stream: Any = None) -> Any:
        for a in args:
            if hasattr(a, "__cupy_override_elementwise_kernel__"):
                return a.__cupy_override_elementwise_kernel__(self, *args)
        if len(args) not in (self.nin, self.nargs):
            raise TypeError(f"Wrong number of arguments for {self.name!r}")
        count_call(self.name)
        values = [value_of(a) for a in args]
        ins, outs = values[: self.nin], values[self.nin :]
        types = decided_types(self.in_params, self.out_params, ins, outs)
        shape = self._shape(ins, outs, size)
        made: list[Any] = []
        if not outs:
            if any(p.raw for p in self.out_params) and size is None:
                raise ValueError("Output array size is Undecided")
            outs = [placed(np.zeros(shape, types[p.type])) for p in self.out_params]
            made = [make(y) for y in outs]
        elif any(not p.raw and y.shape != shape for p, y in zip(self.out_params, outs)):
            raise ValueError(f"Out shape is mismatched: {[y.shape for y in outs]}, {shape}")
        self._launch([*ins, *outs], types, shape)
        if self.no_return:
            return None
        results = made or list(args[self.nin :])
        return tuple(results) if self.nout != 1 or self.return_tuple else results[0]

    def _shape(self, ins: Sequence[Any], outs: Sequence[Any], size: int | None) -> tuple[int, ...]:
        shapes = [v.shape for p, v in zip(self.params, [*ins, *outs]) if not p.raw and isinstance(v, np.ndarray)]
        if size is not None:
            if shapes:
                raise ValueError("Specified 'size' can be used only if all of the ndarray are 'raw'.")
            return (int(size),)
        if not shapes:
            if all(p.raw or not isinstance(v, np.ndarray) for p, v in zip(self.params, ins)) and any(p.raw for p in self.params):
                raise ValueError("Loop size is undecided.")
            return ()
        return tuple(np.broadcast_shapes(*shapes))

    def _launch(self, values: Sequence[Any], types: dict[str, Any], shape: tuple[int, ...]) -> None:
        source = self._source([isinstance(v, np.ndarray) for v in values], types)
        library = compiled(source, self.name, tuple(self.kwargs.get("options", ())))
        arrays = []
        for p, v in zip(self.params, values):
            if not isinstance(v, np.ndarray):
                arrays.append(number_of(v, types[p.type]))
            else:
                arrays.append(v if p.raw else np.broadcast_to(v, shape) if p in self.in_params else v)
        loop = np.broadcast_to(np.int8(0), shape)
        arguments = (Argument * len(arrays))(*(argument(a) for a in arrays))
        index = argument(loop)

        def run(keep: Any = arrays) -> None:
            library.run_kernel(arguments, ctypes.byref(index))

        write(self.name, run, launches=int(loop.size > 0))

    def _source(self, is_array: Sequence[bool], types: dict[str, Any]) -> str:
        names = {p.type for p in self.params if p.dtype is None}
        head = [f"typedef {c_type(types[letter])} {letter};" for letter in sorted(names)]
        before, inside = [], []
        for k, (p, array) in enumerate(zip(self.params, is_array)):
            c = c_type(types[p.type])
            is_input = k < self.nin
            if not array:
                before.append(f"const {c} {p.name} = *(const {c}*)_args[{k}].data;")
                continue
            kind = f"const {c}" if is_input else c
            name = p.name if p.raw else f"_raw_{p.name}"
            before.append(f"const CArray<{kind}> {name} = as_array<{kind}>(_args[{k}]);")
            if not p.raw:
                inside.append(f"{kind} &{p.name} = {name}[i];")
        return "\n".join(
            [
                '#include "cuda_on_host.h"',
                *aliases(),
                *head,
                self.preamble,
                'extern "C" void run_kernel(const HostArgument* _args, const HostArgument* _loop) {',
                "CIndexer _ind; _ind.size_ = _loop->size; _ind.ndim = _loop->ndim; _ind.shape_ = _loop->shape;",
                *before,
                self.kwargs.get("loop_prep", "") + ";",
                "for (std::ptrdiff_t i = 0; i < _ind.size(); ++i) { _ind.set(i);",
                *inside,
                self.operation + ";",
                "}",
                self.kwargs.get("after_loop", "") + ";",
                "}",
                "",
            ]
        )


def decided_types(
    in_params: Sequence[Parameter], out_params: Sequence[Parameter], ins: Sequence[Any], outs: Sequence[Any]
) -> dict[str, Any]:
    """The dtype for each type in the parameters: arrays decide what letters stand for, and numbers follow."""
    types: dict[str, Any] = {p.type: p.dtype for p in (*in_params, *out_params) if p.dtype is not None}
    for p, v in [*zip(out_params, outs), *zip(in_params, ins)]:
        if isinstance(v, np.ndarray) and types.setdefault(p.type, v.dtype) != v.dtype:
            raise TypeError(f"Type is mismatched. {p.name} {v.dtype} {types[p.type]} {p.type}")
    for p, v in zip(in_params, ins):
        if p.type not in types:  # a letter of numbers alone
            types[p.type] = np.asarray(v).dtype
    for p in out_params:
        if p.type not in types:
            raise ValueError(f"Wrong types: {p.type} of output {p.name} is that of no argument")
    return types


def aliases() -> list[str]:
    """NumPy's names of types, which CuPy's kernels know."""
    names = "int8 int16 int32 int64 uint8 uint16 uint32 uint64 float32 float64 complex64 complex128".split()
    return [f"typedef {c_type(name)} {name};" for name in names]


def value_of(a: Any) -> Any:
    if isinstance(a, ndarray):
        return a._values
    if isinstance(a, SCALARS):
        return a
    found = None if isinstance(a, np.ndarray) else foreign(a)
    if found is None:
        raise TypeError(f"Unsupported type {type(a)}")
    return found._values


def number_of(v: Any, dtype: Any) -> Any:
    """A number in memory of its own, converted as CuPy converts parameters."""
    with np.errstate(all="ignore"):
        return np.asarray(v).astype(dtype)
