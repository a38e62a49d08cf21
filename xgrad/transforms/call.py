"""A function called on new nodes, one for each array of its arguments, and the walks back from its results to them."""

from __future__ import annotations

import operator
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from .. import tree
from ..backend.dtypes import complex128, dtype_of, float64
from ..backend.find import backend_of, inexact, is_numpy_scalar, raw_namespace
from ..backend.protocol import Backend
from ..backend.select import current_backend
from ..engine.backward import pullback
from ..engine.watch import visit
from ..errors import GradientError
from ..graph.memory import copied
from ..graph.node import Input, node_of
from ..graph.recording import mode, recording
from ..graph.walks import reaches_outside
from ..interpreters.batch.backend import enclosed
from ..tensor.tensor import Tensor, wrap
from ..tree import Structure, flatten

__all__ = [
    "Call", "a_kind", "called", "dtype_name", "handed_out", "is_number", "kind_of", "like", "nested", "numbers", "plain",
    "renewed", "walk", "zeros", "cut",
]  # fmt: skip


class Call:
    """A call of a function on new nodes, and the walks back from its results to them."""

    def __init__(
        self,
        what: str,
        f: Any,
        args: Sequence[Any],
        argnums: Sequence[int],
        options: Any,
        has_aux: bool,
        outlives: bool = False,  # whether the user may write to the arguments before the last walk
    ) -> None:
        self.what, self.name = what, getattr(called(what, f), "__name__", "the function")
        self.structures: list[Structure] = []
        self.given: list[Any] = []
        self.names: list[str] = []
        for i in argnums:
            leaves, structure = flatten(args[i])
            self.structures.append(structure)
            self.given += leaves
            self.names += [f"argument {i}{path}" for path in structure.paths]
        if not self.given:
            told = ", ".join(f"argument {i}, {a_kind(args[i])}," for i in argnums)
            raise TypeError(f"{what}: {told} holds no array to differentiate by" if told else f"{what}: there are no arguments")
        if outlives:
            self.given = [x if isinstance(x, Tensor) and x._node is not None else _copied(x) for x in self.given]
        self.tensors = [renewed(what, name, x) for name, x in zip(self.names, self.given)]
        self.nodes = [node_of(x) for x in self.tensors]
        # `f` gets objects of its own: it may write to them, which rebinds them to other nodes.
        new = dict(zip(argnums, self.rebuild([wrap(x._data, x._node) for x in self.tensors])))
        outside = mode.get()
        with recording(outside or True):
            result = f(*(new.get(i, x) for i, x in enumerate(args)), **options)
        aux: Any = None
        if has_aux:
            if not isinstance(result, tuple) or len(result) != 2:
                raise TypeError(f"{what}: with has_aux=True {self.name} must return a pair (value, aux), not {a_kind(result)}")
            result, aux = result
        leaves, self.structure = flatten(result)
        self.results = [_result(what, self.name, y, self.tensors[0]) for y in leaves]
        others = [x for x in (flatten(aux)[0] if has_aux else ()) if isinstance(x, Tensor)]
        self.connected = bool(outside) and reaches_outside([*self.results, *others], self.nodes)
        if any(isinstance(x, Tensor) for x in (*self.given, *args)):
            self.kind: Any = Tensor
        else:
            self.kind = type(self.given[0]) if self.given and all(is_number(x) for x in self.given) else None
        self.aux = tree.map(lambda x: self.give(x, self.kind) if isinstance(x, Tensor) else x, aux) if has_aux else None

    def rebuild(self, leaves: Sequence[Any]) -> list[Any]:
        """The arguments with `leaves` in place of their arrays."""
        return nested(self.structures, leaves)

    def scalar(self) -> Tensor:
        """The result, if it is a real scalar."""
        if self.structure.spec is not None:
            raise GradientError(
                f"{self.what}: {self.name} returned {self.structure}; only a single scalar has a gradient: return the other "
                "things as aux, with has_aux=True, or use xgrad.jacobian"
            )
        if self.results[0].size != 1:
            raise GradientError(
                f"{self.what}: {self.name} returned shape {self.results[0].shape}; only a scalar has a gradient: reduce it, for "
                "example with xgrad.sum, or use xgrad.jacobian"
            )
        if self.results[0].dtype.kind != "real floating":
            raise GradientError(f"{self.what}: {self.name} returned a complex scalar; take a real part of it, or use xgrad.vjp")
        return self.results[0]

    def value(self) -> Any:
        return self.structure.unflatten([self.give(y, self.kind) for y in self.results])

    def give(self, x: Tensor, kind: Any) -> Any:
        """`x` for the user: a Tensor, a raw array, or a number if that is what the arguments were."""
        if self.connected or (x._node is not None and x.is_leaf):
            return x
        return cut(x) if kind is Tensor else plain(cut(x)._data, kind)

    def back(self, cotangents: Sequence[Tensor], *, retain: bool, record: bool) -> list[Tensor]:
        """One cotangent for each array of the arguments: as Tensors; recorded, if `record`; zeros where nothing depends."""
        return walk(self.results, cotangents, self.tensors, retain=retain, record=record, linked=self.connected)

    def gradients(self, found: Sequence[Tensor], record: bool) -> list[Any]:
        """`found` as the user gets them: Tensors if an argument was one, else each of its argument's kind."""
        if record or self.kind is Tensor:
            return self.rebuild(found)
        return self.rebuild([plain(g._data, type(x)) for g, x in zip(found, self.given)])


def nested(structures: Iterable[Structure], leaves: Sequence[Any]) -> list[Any]:
    """Containers of these structures, one after the other, of `leaves`."""
    out, at = [], 0
    for structure in structures:
        count = len(structure.paths)
        out.append(structure.unflatten(leaves[at : at + count]))
        at += count
    return out


def cut(x: Tensor) -> Tensor:
    """`x` without its node. In a batch the graph that is inside, of whoever stands outside, stays if calls are recorded."""
    return wrap(x._data, None, type(x)) if mode.get() else x.detach()


def walk(
    ys: Sequence[Tensor], gs: Sequence[Tensor], xs: Sequence[Tensor], *, retain: bool, record: bool, linked: bool = True
) -> list[Tensor]:
    """The cotangents of `xs`, given those of `ys`; if `record`, as functions of `gs` and, if `linked`, of the graph too."""
    nodes = [node_of(x) for x in xs]
    starts = gs if record else [g._data for g in gs]
    found = pullback(ys, starts, inputs=nodes, retain_graph=retain, create_graph=record, linked=linked)
    found = {n: g if n.notes is None else visit(n, g) for n, g in found.items()}
    return handed_out([found.get(n) for n in nodes], xs, starts, record)


def handed_out(found: Sequence[Any], xs: Sequence[Tensor], starts: Sequence[Any], record: bool) -> list[Tensor]:
    """What a walk from `starts` found for `xs`, in Tensors of their own: zeros, where that is None."""
    if record:
        return [zeros(x) if g is None else wrap(g._data, g._node) for g, x in zip(found, xs)]
    out, taken = [], {id(g) for g in starts}
    for g, x in zip(found, xs):
        if g is None:
            out.append(zeros(x))
            continue
        backend: Backend = raw_namespace(g).__backend__
        if id(g) in taken or not backend.owns_memory(g):  # users may write into what they get
            g = backend.xp.asarray(g, copy=True)
        taken.add(id(g))
        out.append(wrap(g))
    return out


def renewed(what: str, name: str, x: Any) -> Tensor:
    """The array `x` as a Tensor with a node of its own, a child of the node that it had."""
    x = enclosed(x if isinstance(x, Tensor) else wrap(_array(what, name, x)))
    data, parent = x._data, x._node if mode.get() else None
    if not inexact(data):
        raise TypeError(
            f"{what}: {name} is of dtype {dtype_name(data)}, and only floating arrays have derivatives; convert it with "
            "xgrad.astype(x, xgrad.float64), or leave it out of argnums"
        )
    return wrap(data, Input(parent, data.shape, data.dtype))


def _copied(x: Any) -> Any:
    """`x`, or a copy where code outside may write into the array, as NumPy's and PyTorch's does."""
    if isinstance(x, Tensor):
        return wrap(copied(x._data), None, type(x))
    return x if is_numpy_scalar(x) or backend_of(x) is None else copied(x)


def _array(what: str, name: str, x: Any) -> Any:
    if is_numpy_scalar(x):
        return current_backend().from_python(x.item(), dtype_of(x.dtype))
    if isinstance(x, (float, complex)):
        return current_backend().from_python(x, float64 if isinstance(x, float) else complex128)
    if isinstance(x, (bool, int)):
        raise TypeError(f"{what}: {name} is the {kind_of(x)} {x}, and only floating numbers have derivatives; write {float(x)}")
    if backend_of(x) is None:
        raise TypeError(f"{what}: {name} is {a_kind(x)}, not an array, and has no derivative; leave it out of argnums")
    return x


def _result(what: str, name: str, y: Any, like: Tensor) -> Tensor:
    """A leaf of what the function `name` returned. An array is a constant: what is computed from arguments is a Tensor."""
    if is_numpy_scalar(y) and y.dtype.kind in "fc":
        y = raw_namespace(like._data).__backend__.from_python(y.item(), dtype_of(y.dtype))
    if not isinstance(y, Tensor):
        if backend_of(y) is None:
            raise TypeError(
                f"{what}: {name} returned {a_kind(y)}, not a Tensor; if it was computed from the arguments, something in the "
                "function took their values out, such as float(x) or x.item() (xgrad.find_graph_breaks says what); if it is a "
                "constant, return xgrad.asarray of it"
            )
        y = wrap(y)
    if not inexact(y._data):
        raise TypeError(
            f"{what}: {name} returned a tensor of dtype {dtype_name(y._data)}, and only floating ones have derivatives; "
            "return it as aux with has_aux=True"
        )
    return enclosed(y)


def plain(data: Any, kind: Any) -> Any:
    """A raw array, or a Python or NumPy scalar where that is what was given; a Tensor of what belongs to a batch."""
    if raw_namespace(data).__backend__.level:
        return wrap(data)
    if isinstance(kind, type) and issubclass(kind, (float, complex, *_numpy_scalars())) and data.shape == ():
        number = raw_namespace(data).__backend__.to_numpy(data).item()
        make: Any = kind
        return number if isinstance(number, complex) and not issubclass(kind, complex) else make(number)
    return data


def _numpy_scalars() -> tuple[type, ...]:
    numpy = sys.modules.get("numpy")
    return () if numpy is None else (numpy.generic,)


def is_number(x: Any) -> bool:
    return isinstance(x, (float, complex)) or is_numpy_scalar(x)


def zeros(x: Tensor) -> Tensor:
    return wrap(raw_namespace(x._data).zeros_like(x._data))


def dtype_name(data: Any) -> str:
    return dtype_of(data.dtype).name


def kind_of(x: Any) -> str:
    return type(x).__name__


def a_kind(x: Any) -> str:
    name = kind_of(x)
    return "None" if x is None else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def called(what: str, f: Any) -> Any:
    """`f`, if it is a function."""
    if not callable(f):
        raise TypeError(f"{what}: takes a function, not {a_kind(f)}; write {what}(f), not {what}(f(x))")
    return f


def numbers(what: str, argnums: Any, count: int) -> tuple[int, ...]:
    """The positions that `argnums` means."""
    asked = argnums if isinstance(argnums, (tuple, list)) else (argnums,)
    if not asked:
        raise ValueError(f"{what}: argnums is {argnums}, and names no argument")
    for i in asked:
        if not hasattr(i, "__index__") or isinstance(i, bool):
            raise TypeError(f"{what}: argnums is {argnums!r}, but must be an integer, or a sequence of integers")
        if not -count <= operator.index(i) < count:
            raise ValueError(
                f"{what}: argnums is {argnums}, but the function was called with {count} positional arguments; those to "
                "differentiate by are given by position"
            )
    found = tuple(operator.index(i) % count for i in asked)
    if len(set(found)) != len(found):
        raise ValueError(f"{what}: argnums is {argnums}, and names an argument twice")
    return found


def like(
    what: str, whats: str, values: Any, tensors: Sequence[Tensor], structure: Structure, names: Sequence[str]
) -> list[Tensor]:
    """`values` as Tensors, after a look at whether they are of the shapes and dtypes of `tensors`."""
    leaves, given = flatten(values)
    if given != structure:
        raise ValueError(f"{what}: the {whats}s must be nested as that of which they are, {structure}, not {given}")
    out = []
    for v, x, name in zip(leaves, tensors, names):
        data = v._data if isinstance(v, Tensor) else v
        if x.shape == () and (is_number(v) or isinstance(v, int)):
            data = raw_namespace(x._data).__backend__.from_scalar(v.item() if is_numpy_scalar(v) else v, x._data)
        if not hasattr(data, "dtype") or data.shape != x._data.shape or data.dtype != x._data.dtype:
            is_what = f"{tuple(data.shape)} {dtype_name(data)}" if hasattr(data, "dtype") else a_kind(v)
            raise (TypeError if getattr(data, "shape", None) == x._data.shape else ValueError)(
                f"{what}: the {whats} of {name} is {is_what}, but must be {x.shape} {dtype_name(x._data)} as that is"
            )
        out.append(enclosed(v if isinstance(v, Tensor) else wrap(data)))
    return out
