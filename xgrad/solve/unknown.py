"""The unknown of an equation or of a search: nested arrays as a user gave them, as Tensors, and as a flat vector."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from ..backend.find import inexact, raw_namespace
from ..errors import NotBatchable
from ..graph.recording import interpreters
from ..tensor.tensor import Tensor, wrap
from ..transforms.call import dtype_name, is_number, kind_of, like, plain, renewed
from ..tree import flatten
from .packing import Packing

__all__ = ["Map", "Unknown", "from_scipy", "in_a_row"]

Map = Callable[[Sequence[Tensor]], Sequence[Tensor]]


def from_scipy(module: str, what: str) -> Any:
    """A module of SciPy, or the advice to install it."""
    try:
        return importlib.import_module(f"scipy.{module}")
    except ImportError:
        raise ImportError(f"{what}: this is SciPy's work, and SciPy is not installed: pip install scipy") from None


class Unknown:
    """What `x` is in the function `what`, where it is called `name`; `args` are the other arguments."""

    def __init__(self, what: str, name: str, x: Any, args: Sequence[Any] = ()) -> None:
        if interpreters.get():
            raise NotBatchable(
                what,
                "it goes on until values say that it is done, and each example has values of its own; call it in a loop over "
                "the examples, or outside of the vmap",
            )
        self.what = what
        self.leaves, self.structure = flatten(x)
        self.names = [f"{name}{path}" for path in self.structure.paths]
        if not self.leaves:
            raise ValueError(f"{what}: {name} holds no array")
        new = [renewed(what, n, v) for n, v in zip(self.names, self.leaves)]
        self.tensors = [v if isinstance(v, Tensor) else wrap(t._data) for v, t in zip(self.leaves, new)]
        self.tensor = any(isinstance(v, Tensor) for v in (*self.leaves, *args))
        self.packing = Packing(self.data())

    def data(self) -> list[Any]:
        return [x._data for x in self.tensors]

    def rebuild(self, leaves: Sequence[Any]) -> Any:
        return self.structure.unflatten(leaves)

    def given(self) -> Any:
        """What the user gave, without a graph."""
        return self.rebuild([v.detach() if isinstance(v, Tensor) else v for v in self.leaves])

    def back(self, found: Sequence[Tensor]) -> Any:
        """`found` as the user gets it: Tensors for Tensors or where there is a graph, else what was given."""
        as_tensors = self.tensor or any(y._node is not None for y in found)
        return self.rebuild([y if as_tensors else plain(y._data, type(v)) for y, v in zip(found, self.leaves)])

    def taken(self, answer: Any) -> list[Any]:
        """The raw arrays in an answer that a user's function returned."""
        return [x._data for x in like(self.what, "answer", answer, self.tensors, self.structure, self.names)]

    # As a flat vector.

    def start(self) -> Any:
        """The vector on the host."""
        return self.packing.to_host(self.packing.pack(self.data()))

    def vector(self, host: Any) -> Tensor:
        return wrap(self.packing.from_host(host))

    def flat(self, f: Map) -> Callable[[Tensor], Tensor]:
        """`f` as a function of one vector that returns one."""

        def apply(v: Tensor) -> Tensor:
            made: Tensor = self.packing.pack(f(self.packing.unpack(v)))
            return made

        return apply

    def back_from(self, host: Any) -> Any:
        """A vector of the host as the user gets it: of the kinds that `x` was given in."""
        found = self.packing.unpack(self.packing.from_host(host))
        return self.rebuild([wrap(y) if isinstance(v, Tensor) else plain(y, type(v)) for y, v in zip(found, self.leaves)])

    def flat_limits(self, limits: Any, default: float) -> Any:
        """The vector on the host of one limit for each number; None stands for `default`."""
        import numpy

        if limits is None or is_number(limits) or isinstance(limits, int):
            return numpy.full(self.packing.size, default if limits is None else float(limits))
        leaves = self.structure.flatten_up_to(limits, f"{self.what}: the bounds")
        parts = []
        for limit, shape, twice in zip(leaves, self.packing.shapes, self.packing.complex):
            host = default if limit is None else _host(limit)
            parts.append(numpy.ravel(numpy.broadcast_to(numpy.asarray(host, dtype=float), (2, *shape) if twice else shape)))
        return numpy.concatenate(parts)

    # As the argument of a function that returns the like.

    def checked(self, f: Callable[[Any], Any], called: str) -> Map:
        """`f` as a function of lists of Tensors; what it returns must be as its argument."""

        def apply(xs: Sequence[Tensor]) -> list[Tensor]:
            ys, structure = flatten(f(self.rebuild(xs)))
            if len(ys) != len(xs):
                raise ValueError(
                    f"{self.what}: {called} must return what is nested as its argument, {self.structure}, not {structure}"
                )
            return [self._as(x, y, name, called) for x, y, name in zip(xs, ys, self.names)]

        return apply

    def _as(self, x: Tensor, y: Any, name: str, called: str) -> Tensor:
        if not hasattr(y, "dtype"):
            raise TypeError(
                f"{self.what}: {called} returned a {kind_of(y)}, not a Tensor; if it was computed from the arguments, something "
                "in the function took their values out, such as float(x) or x.item()"
            )
        data = y._data if isinstance(y, Tensor) else y
        if tuple(data.shape) != tuple(x.shape) or data.dtype != x._data.dtype or not inexact(data):
            raise ValueError(
                f"{self.what}: for {name}, which is {tuple(x.shape)} {dtype_name(x._data)}, {called} returned "
                f"{tuple(data.shape)} {dtype_name(data)}; it must return the same shape and dtype"
            )
        return y if isinstance(y, Tensor) else wrap(y)


def _host(x: Any) -> Any:
    data = x._data if isinstance(x, Tensor) else x
    return raw_namespace(data).__backend__.to_numpy(data) if hasattr(data, "dtype") and data.shape is not None else data


def in_a_row(x: Unknown, f: Callable[..., Any], v: Tensor, args: Sequence[Any]) -> Tensor:
    """The result of ``f(x, *args)`` at the vector `v`, real, as one vector."""
    ys, _ = flatten(f(x.rebuild(x.packing.unpack(v)), *args))
    for y in ys:
        if not isinstance(y, Tensor) or y.dtype.kind != "real floating":
            told = f"a tensor of dtype {y.dtype.name}" if isinstance(y, Tensor) else f"a {kind_of(y)}, not a Tensor"
            raise TypeError(f"{x.what}: the function returned {told}; it must return real floating Tensors")
    parts = [y if y.ndim == 1 else y.__array_namespace__().reshape(y, (-1,)) for y in ys]
    made: Tensor = parts[0] if len(parts) == 1 else ys[0].__array_namespace__().concat(parts)
    return made
