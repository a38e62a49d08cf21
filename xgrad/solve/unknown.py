"""`Unknown`: the unknown of an equation or of a minimization, as nested arrays, as Tensors and as a flat vector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ..backend.find import inexact, raw_namespace
from ..errors import NotBatchable
from ..interpreters.batch.backend import innermost
from ..tensor.tensor import Tensor, wrap
from ..transforms.call import as_given, dtype_name, fresh_input, is_number, matching, type_name
from ..tree import flatten
from .packing import Packing

__all__ = ["Map", "Unknown", "flat_result"]

Map = Callable[[Sequence[Tensor]], Sequence[Tensor]]
"""A function of a list of Tensors that returns a list of Tensors."""


class Unknown:
    """The unknown `x` of the public function `caller`, whose parameter is called `name`; `args` are its other arguments.

    Attributes
    ----------
    leaves, structure, names
        The arrays in `x` as the user passed them, their structure, and their names in messages.
    tensors : list of Tensor
        Those arrays as Tensors.
    tensor : bool
        Whether the user gets Tensors: whether an argument is one.
    packing : Packing
        The layout of the flat vector.
    """

    def __init__(self, caller: str, name: str, x: Any, args: Sequence[Any] = ()) -> None:
        if innermost() is not None:
            raise NotBatchable(
                caller,
                "it iterates until values say that it is done, and each example has values of its own; call it in a loop over "
                "the examples, or outside the vmap",
            )
        self.caller, self.name = caller, name
        self.leaves, self.structure = flatten(x)
        self.names = [f"{name}{path}" for path in self.structure.paths]
        if not self.leaves:
            raise ValueError(f"{caller}: {name} holds no array")
        inputs = [fresh_input(caller, n, v) for n, v in zip(self.names, self.leaves)]
        self.tensors = [v if isinstance(v, Tensor) else wrap(t._data) for v, t in zip(self.leaves, inputs)]
        self.tensor = any(isinstance(v, Tensor) for v in (*self.leaves, *args))
        self.packing = Packing(self.data())

    def data(self) -> list[Any]:
        """The raw arrays."""
        return [x._data for x in self.tensors]

    def rebuild(self, leaves: Sequence[Any]) -> Any:
        """A container of the structure of `x`, filled with `leaves`."""
        return self.structure.unflatten(leaves)

    def initial(self) -> Any:
        """`x` as the user passed it, without its graph."""
        return self.rebuild([v.detach() if isinstance(v, Tensor) else v for v in self.leaves])

    def for_user(self, values: Sequence[Tensor]) -> Any:
        """`values` as the user gets them: Tensors if an argument is one or if they have a graph, else as `x` was given."""
        as_tensors = self.tensor or any(y._node is not None for y in values)
        return self.rebuild([y if as_tensors else as_given(y._data, type(v)) for y, v in zip(values, self.leaves)])

    def checked_answer(self, answer: Any) -> list[Any]:
        """The raw arrays in the answer of a user's solver; raises if it does not match `x`."""
        return [y._data for y in matching(self.caller, "answer", self.name, answer, self.tensors, self.structure, self.names)]

    # The unknown as a flat vector.

    def start(self) -> Any:
        """The vector of `x` on the host."""
        return self.packing.to_host(self.packing.pack(self.data()))

    def vector(self, host: Any) -> Tensor:
        """A vector on the host as a Tensor."""
        return wrap(self.packing.from_host(host))

    def flat(self, f: Map) -> Callable[[Tensor], Tensor]:
        """`f` as a function from a vector to a vector."""

        def apply(v: Tensor) -> Tensor:
            y: Tensor = self.packing.pack(f(self.packing.unpack(v)))
            return y

        return apply

    def host_for_user(self, host: Any) -> Any:
        """A vector on the host as the user gets it: nested and typed as `x` was given."""
        values = self.packing.unpack(self.packing.from_host(host))
        return self.rebuild([wrap(y) if isinstance(v, Tensor) else as_given(y, type(v)) for y, v in zip(values, self.leaves)])

    def flat_limits(self, limits: Any, default: float) -> Any:
        """The limits of the elements as a vector on the host; None stands for `default`."""
        import numpy

        if limits is None or is_number(limits) or isinstance(limits, int):
            return numpy.full(self.packing.size, default if limits is None else float(limits))
        leaves = self.structure.flatten_up_to(limits, f"{self.caller}: the bounds")
        parts = []
        for limit, shape, twice in zip(leaves, self.packing.shapes, self.packing.complex):
            host = default if limit is None else _host(limit)
            parts.append(numpy.ravel(numpy.broadcast_to(numpy.asarray(host, dtype=float), (2, *shape) if twice else shape)))
        return numpy.concatenate(parts)

    # Functions that return arrays like the unknown.

    def checked(self, f: Callable[[Any], Any], function: str) -> Map:
        """`f` as a function of lists of Tensors; it raises if the result does not match the argument.

        `function` is the name of `f` in messages.
        """

        def apply(xs: Sequence[Tensor]) -> list[Tensor]:
            ys, structure = flatten(f(self.rebuild(xs)))
            if len(ys) != len(xs):
                raise ValueError(
                    f"{self.caller}: {function} must return arrays nested as its argument, {self.structure}, not {structure}"
                )
            return [self._matching(x, y, name, function) for x, y, name in zip(xs, ys, self.names)]

        return apply

    def _matching(self, x: Tensor, y: Any, name: str, function: str) -> Tensor:
        """`y`, which `function` returned for `x`, as a Tensor."""
        if not hasattr(y, "dtype"):
            raise TypeError(
                f"{self.caller}: {function} returned a {type_name(y)}, not a Tensor; if it was computed from the arguments, "
                "something in the function took their values out, such as float(x) or x.item()"
            )
        data = y._data if isinstance(y, Tensor) else y
        if tuple(data.shape) != tuple(x.shape) or data.dtype != x._data.dtype or not inexact(data):
            raise ValueError(
                f"{self.caller}: for {name}, which is {tuple(x.shape)} {dtype_name(x._data)}, {function} returned "
                f"{tuple(data.shape)} {dtype_name(data)}; it must return the same shape and dtype"
            )
        return y if isinstance(y, Tensor) else wrap(y)


def _host(x: Any) -> Any:
    """An array, Tensor or number on the host."""
    data = x._data if isinstance(x, Tensor) else x
    return raw_namespace(data).__backend__.to_numpy(data) if hasattr(data, "dtype") and data.shape is not None else data


def flat_result(x: Unknown, f: Callable[..., Any], v: Tensor, args: Sequence[Any]) -> Tensor:
    """The real result of ``f(x, *args)`` at the vector `v`, as one vector."""
    ys, _ = flatten(f(x.rebuild(x.packing.unpack(v)), *args))
    for y in ys:
        if not isinstance(y, Tensor) or y.dtype.kind != "real floating":
            actual = f"a tensor of dtype {y.dtype.name}" if isinstance(y, Tensor) else f"a {type_name(y)}, not a Tensor"
            raise TypeError(f"{x.caller}: the function returned {actual}; it must return real floating Tensors")
    parts = [y if y.ndim == 1 else y.__array_namespace__().reshape(y, (-1,)) for y in ys]
    out: Tensor = parts[0] if len(parts) == 1 else ys[0].__array_namespace__().concat(parts)
    return out
