"""`ReductionKernel`: elements mapped by an expression in CUDA C++, and combined along axes by another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .arrays import make
from .compiling import Argument, argument, c_type, compiled, dtype_of
from .counters import count_call
from .elementwise import aliases, decided_types, number_of, parameters, value_of
from .launching import write
from .memory import placed

__all__ = ["ReductionKernel"]


class ReductionKernel:
    """A kernel of CuPy's `ReductionKernel`, compiled for the host."""

    def __init__(
        self,
        in_params: str,
        out_params: str,
        map_expr: str,
        reduce_expr: str,
        post_map_expr: str,
        identity: Any,
        name: str = "reduce_kernel",
        reduce_type: str | None = None,
        reduce_dims: bool = True,
        preamble: str = "",
        options: tuple[str, ...] = (),
    ) -> None:
        self.in_params, self.out_params = parameters(in_params), parameters(out_params)
        self.map_expr, self.reduce_expr, self.post_map_expr = map_expr, reduce_expr, post_map_expr
        self.identity, self.name, self.reduce_type, self.preamble, self.options = identity, name, reduce_type, preamble, options
        self.nin, self.nout = len(self.in_params), len(self.out_params)

    def __call__(self, *args: Any, out: Any = None, axis: Any = None, keepdims: bool = False, stream: Any = None) -> Any:
        for a in args:
            if hasattr(a, "__cupy_override_elementwise_kernel__"):
                return a.__cupy_override_elementwise_kernel__(self, *args)
        count_call(self.name)
        outs = list(args[self.nin :]) or ([] if out is None else [out])
        if not self.nin <= len(args) or len(outs) not in (0, self.nout):
            raise TypeError(f"Wrong number of arguments for {self.name!r}")
        ins = [value_of(a) for a in args[: self.nin]]
        types = decided_types(self.in_params, self.out_params, ins, [value_of(y) for y in outs])
        shape = np.broadcast_shapes(*(v.shape for p, v in zip(self.in_params, ins) if isinstance(v, np.ndarray) and not p.raw))
        axes = tuple(range(len(shape))) if axis is None else axis if isinstance(axis, tuple) else (axis,)
        axes = tuple(sorted(np.lib.array_utils.normalize_axis_tuple(axes, len(shape))))
        kept = [k for k in range(len(shape)) if k not in axes]
        short = tuple(shape[k] for k in kept)
        full = tuple(1 if k in axes else n for k, n in enumerate(shape)) if keepdims else short
        made = outs or [make(placed(np.zeros(full, types[p.type]))) for p in self.out_params]
        if any(y.shape != full for y in made):
            raise ValueError(f"Out shape is mismatched: {[y.shape for y in made]}, {full}")
        order = (*kept, *axes)
        values = []
        for p, v in zip(self.in_params, ins):
            if not isinstance(v, np.ndarray):
                values.append(number_of(v, types[p.type]))
            else:
                values.append(v if p.raw else np.broadcast_to(v, shape).transpose(order))
        for y in made:
            values.append(y._values.squeeze(axes) if keepdims else y._values)
        self._launch(values, ins, types, math.prod(short), math.prod(shape[k] for k in axes))
        return made[0] if self.nout == 1 else tuple(made)

    def _launch(self, values: list[Any], ins: list[Any], types: dict[str, Any], count: int, each: int) -> None:
        if each == 0 and self.identity is None:
            raise ValueError(f"zero-size array to reduction operation {self.name} which has no identity")
        source = self._source([isinstance(v, np.ndarray) for v in ins], types)
        library = compiled(source, self.name, self.options)
        arguments = (Argument * len(values))(*(argument(v) for v in values))
        sizes = np.asarray([count, each], dtype=np.intp)

        def run(keep: Any = (values, sizes)) -> None:
            library.run_kernel(arguments, argument(sizes))

        library.run_kernel.argtypes = [type(arguments), Argument]
        write(self.name, run, launches=int(count > 0))

    def _source(self, is_array: list[bool], types: dict[str, Any]) -> str:
        names = {p.type for p in (*self.in_params, *self.out_params) if p.dtype is None}
        before, elements, results = [], [], []
        for k, (p, array) in enumerate(zip(self.in_params, is_array)):
            c = c_type(types[p.type])
            if not array:
                before.append(f"const {c} {p.name} = *(const {c}*)_args[{k}].data;")
                continue
            name = p.name if p.raw else f"_raw_{p.name}"
            before.append(f"const CArray<const {c}> {name} = as_array<const {c}>(_args[{k}]);")
            if not p.raw:
                elements.append(f"const {c} &{p.name} = {name}[_i * _each + _j];")
        for k, p in enumerate(self.out_params):
            c = c_type(types[p.type])
            before.append(f"const CArray<{c}> _raw_{p.name} = as_array<{c}>(_args[{self.nin + k}]);")
            results.append(f"{c} &{p.name} = _raw_{p.name}[_i];")
        reduce_type = self.reduce_type or self.out_params[0].type
        known = types.get(reduce_type)
        if known is None and len(reduce_type) > 1:
            known = dtype_of(reduce_type)
        kind = reduce_type if known is None else c_type(known)
        start = "" if self.identity is None else f"_s = {kind}({self.identity});"
        return "\n".join(
            [
                '#include "cuda_on_host.h"',
                *aliases(),
                *(f"typedef {c_type(types[letter])} {letter};" for letter in sorted(names)),
                self.preamble,
                f"typedef {kind} _type_reduce;",
                'extern "C" void run_kernel(const HostArgument* _args, const HostArgument _sizes) {',
                "const std::ptrdiff_t _count = ((std::ptrdiff_t*)_sizes.data)[0], _each = ((std::ptrdiff_t*)_sizes.data)[1];",
                *before,
                f"for (std::ptrdiff_t _i = 0; _i < _count; ++_i) {{ {kind} _s; {start}",
                "for (std::ptrdiff_t _j = 0; _j < _each; ++_j) {",
                *elements,
                f"const {kind} _m = ({self.map_expr});",
                "if (_j == 0) { _s = _m; } else" if self.identity is None else "",
                f"{{ const {kind} a = _s, b = _m; _s = ({self.reduce_expr}); }} }}",
                *results,
                f"{{ const {kind} a = _s; {self.post_map_expr}; }} }}",
                "}",
                "",
            ]
        )
