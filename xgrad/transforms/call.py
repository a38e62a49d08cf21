"""A call of a function on new graph nodes, and the pullback from its results to its arguments.

Every transform makes a `Call`. In this folder `caller` is the name of the public function that the user called, with which
error messages begin.
"""

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
from ..interpreters.interpreter import lifted
from ..tensor.tensor import Tensor, wrap
from ..tree import Structure, flatten

__all__ = [
    "Call", "a_type", "as_given", "check_callable", "detached", "dtype_name", "fresh_input", "in_own_memory", "is_number",
    "matching", "nested", "positions", "pull", "type_name", "zeros",
]  # fmt: skip


class Call:
    """A call of the function `f` on new nodes, one for each array in the arguments at `argnums`.

    Attributes
    ----------
    name : str
        The name of `f`.
    leaves, names, tensors, nodes : list
        The arrays in those arguments as the user passed them, their names in messages, and the Tensors and nodes made of them.
    structures : list of Structure
        The structures of those arguments.
    results, structure
        The Tensors that `f` returned, and how they are nested.
    connected : bool
        Whether the results depend on tensors outside the call that require grad.
    returns : type or None
        What the user gets: Tensor if an argument is a Tensor, a number's type if all are numbers, None for raw arrays.
    aux
        What `f` returned besides the result, for `has_aux`.
    """

    def __init__(
        self,
        caller: str,
        f: Any,
        args: Sequence[Any],
        argnums: Sequence[int],
        options: Any,
        has_aux: bool,
        outlives: bool = False,  # whether the user may write to the arguments before the last pullback
    ) -> None:
        self.caller, self.name = caller, getattr(check_callable(caller, f), "__name__", "the function")
        self.structures: list[Structure] = []
        self.leaves: list[Any] = []
        self.names: list[str] = []
        for i in argnums:
            leaves, structure = flatten(args[i])
            self.structures.append(structure)
            self.leaves += leaves
            self.names += [f"argument {i}{path}" for path in structure.paths]
        if not self.leaves:
            arguments = ", ".join(f"argument {i}, {a_type(args[i])}," for i in argnums)
            raise TypeError(
                f"{caller}: {arguments} holds no array to differentiate by" if arguments else f"{caller}: there are no arguments"
            )
        if outlives:
            self.leaves = [x if isinstance(x, Tensor) and x._node is not None else _copied(x) for x in self.leaves]
        self.tensors = [fresh_input(caller, name, x) for name, x in zip(self.names, self.leaves)]
        self.nodes = [node_of(x) for x in self.tensors]
        # `f` gets Tensor objects of its own: when it writes to one, that object moves to another node.
        inputs = dict(zip(argnums, self.rebuild([wrap(x._data, x._node) for x in self.tensors])))
        outside = mode.get()
        new_args = [inputs.get(i, x) for i, x in enumerate(args)]
        if outside:
            result = f(*new_args, **options)
        else:
            with recording(True):
                result = f(*new_args, **options)
        aux: Any = None
        if has_aux:
            if not isinstance(result, tuple) or len(result) != 2:
                raise TypeError(f"{caller}: with has_aux=True {self.name} must return a pair (value, aux), not {a_type(result)}")
            result, aux = result
        leaves, self.structure = flatten(result)
        self.results = [_result(caller, self.name, y, self.tensors[0]) for y in leaves]
        others = [x for x in (flatten(aux)[0] if has_aux else ()) if isinstance(x, Tensor)]
        self.connected = bool(outside) and reaches_outside([*self.results, *others], self.nodes)
        if any(isinstance(x, Tensor) for x in (*self.leaves, *args)):
            self.returns: Any = Tensor
        else:
            self.returns = type(self.leaves[0]) if all(is_number(x) for x in self.leaves) else None
        self.aux = tree.map(lambda x: self.for_user(x) if isinstance(x, Tensor) else x, aux) if has_aux else None

    def rebuild(self, leaves: Sequence[Any]) -> list[Any]:
        """The arguments with `leaves` in place of their arrays."""
        return nested(self.structures, leaves)

    def scalar(self) -> Tensor:
        """The result, if it is a real scalar."""
        if self.structure.spec is not None:
            raise GradientError(
                f"{self.caller}: {self.name} returned {self.structure}; only a single scalar has a gradient: return the other "
                "things as aux, with has_aux=True, or use xgrad.jacobian"
            )
        if self.results[0]._data.shape != () and self.results[0].size != 1:
            raise GradientError(
                f"{self.caller}: {self.name} returned shape {self.results[0].shape}; only a scalar has a gradient: reduce it, "
                "for example with xgrad.sum, or use xgrad.jacobian"
            )
        if self.results[0].dtype.kind != "real floating":
            raise GradientError(f"{self.caller}: {self.name} returned a complex scalar; take a real part of it, or use xgrad.vjp")
        return self.results[0]

    def value(self) -> Any:
        """The result for the user."""
        return self.structure.unflatten([self.for_user(y) for y in self.results])

    def for_user(self, x: Tensor) -> Any:
        """`x` as the user gets it: a Tensor, a raw array, or a number if the arguments were numbers."""
        if self.connected or (x._node is not None and x.is_leaf):
            return x
        return detached(x) if self.returns is Tensor else as_given(detached(x)._data, self.returns)

    def pull(self, cotangents: Sequence[Tensor], *, retain: bool, record: bool) -> list[Tensor]:
        """The cotangents of the arrays in the arguments, given those of the results; zeros where nothing depends on one."""
        return pull(self.results, cotangents, self.tensors, retain=retain, record=record, linked=self.connected)

    def gradients(self, cotangents: Sequence[Tensor], record: bool) -> list[Any]:
        """`cotangents` as the user gets them, nested as the arguments: Tensors if an argument was one, else as each was given."""
        if record or self.returns is Tensor:
            return self.rebuild(cotangents)
        return self.rebuild([as_given(g._data, type(x)) for g, x in zip(cotangents, self.leaves)])


def nested(structures: Iterable[Structure], leaves: Sequence[Any]) -> list[Any]:
    """One container for each of `structures`, filled with `leaves` in order."""
    out, at = [], 0
    for structure in structures:
        count = len(structure.paths)
        out.append(leaves[at] if structure.spec is None else structure.unflatten(leaves[at : at + count]))
        at += count
    return out


def detached(x: Tensor) -> Tensor:
    """`x` without its node. While calls are recorded, a batched array keeps the graph of its payload."""
    return wrap(x._data, None, type(x)) if mode.get() else x.detach()


def pull(
    ys: Sequence[Tensor], gs: Sequence[Tensor], xs: Sequence[Tensor], *, retain: bool, record: bool, linked: bool = True
) -> list[Tensor]:
    """The cotangents of `xs`, given the cotangents `gs` of `ys`.

    With `record` they are functions of `gs`, and with `linked` also of the graph from `xs` to `ys`.
    """
    nodes = [node_of(x) for x in xs]
    starts = gs if record else [g._data for g in gs]
    cotangents = pullback(ys, starts, inputs=nodes, retain_graph=retain, create_graph=record, linked=linked)
    cotangents = {n: g if n.notes is None else visit(n, g) for n, g in cotangents.items()}
    return in_own_memory([cotangents.get(n) for n in nodes], xs, starts, record)


def in_own_memory(values: Sequence[Any], like: Sequence[Tensor], starts: Sequence[Any], record: bool) -> list[Tensor]:
    """What a walk through the graph returned, as Tensors that a user may write to.

    `values` are the cotangents or tangents of the Tensors `like`, or None for zero. `starts` are those that the walk began
    with. An array that is one of `starts`, comes twice, or is a view of other memory is copied.
    """
    if record:
        return [zeros(x) if v is None else wrap(v._data, v._node) for v, x in zip(values, like)]
    out, in_use = [], {id(v) for v in starts}
    for v, x in zip(values, like):
        if v is None:
            out.append(zeros(x))
            continue
        backend: Backend = raw_namespace(v).__backend__
        if id(v) in in_use or not backend.owns_memory(v):
            v = backend.xp.asarray(v, copy=True)
        in_use.add(id(v))
        out.append(wrap(v))
    return out


def fresh_input(caller: str, name: str, x: Any) -> Tensor:
    """The floating array `x` as a Tensor with a new `Input` node, a child of the node that it had."""
    x = lifted(x if isinstance(x, Tensor) else wrap(_array(caller, name, x)))
    data, parent = x._data, x._node if mode.get() else None
    if not inexact(data):
        raise TypeError(
            f"{caller}: {name} is of dtype {dtype_name(data)}, and only floating arrays have derivatives; convert it with "
            "xgrad.astype(x, xgrad.float64), or leave it out of argnums"
        )
    return wrap(data, Input(parent, data.shape, data.dtype))


def _copied(x: Any) -> Any:
    """A copy of `x` if its library lets code outside xgrad write to arrays, as NumPy and PyTorch do; else `x`."""
    if isinstance(x, Tensor):
        return wrap(copied(x._data), None, type(x))
    return x if is_numpy_scalar(x) or backend_of(x) is None else copied(x)


def _array(caller: str, name: str, x: Any) -> Any:
    """The argument `x` as a raw array."""
    if is_numpy_scalar(x):
        return current_backend().from_python(x.item(), dtype_of(x.dtype))
    if isinstance(x, (float, complex)):
        return current_backend().from_python(x, float64 if isinstance(x, float) else complex128)
    if isinstance(x, (bool, int)):
        raise TypeError(
            f"{caller}: {name} is the {type_name(x)} {x}, and only floating numbers have derivatives; write {float(x)}"
        )
    if backend_of(x) is None:
        raise TypeError(f"{caller}: {name} is {a_type(x)}, not an array, and has no derivative; leave it out of argnums")
    return x


def _result(caller: str, name: str, y: Any, like: Tensor) -> Tensor:
    """A leaf of the result of the function `name`, as a Tensor. A raw array is a constant."""
    if is_numpy_scalar(y) and y.dtype.kind in "fc":
        y = raw_namespace(like._data).__backend__.from_python(y.item(), dtype_of(y.dtype))
    if not isinstance(y, Tensor):
        if backend_of(y) is None:
            raise TypeError(
                f"{caller}: {name} returned {a_type(y)}, not a Tensor; if it was computed from the arguments, something in the "
                "function took their values out, such as float(x) or x.item() (xgrad.find_graph_breaks finds it); if it is a "
                "constant, return xgrad.asarray of it"
            )
        y = wrap(y)
    if not inexact(y._data):
        raise TypeError(
            f"{caller}: {name} returned a tensor of dtype {dtype_name(y._data)}, and only floating ones have derivatives; "
            "return it as aux with has_aux=True"
        )
    return lifted(y)


def as_given(data: Any, cls: Any) -> Any:
    """The raw array `data` for the user: a Python or NumPy scalar if it is 0-d and `cls` is such a type, else the array.

    An array of an active interpreter, such as a batched one, is returned as a Tensor.
    """
    if raw_namespace(data).__backend__.level:
        return wrap(data)
    if data.shape == () and isinstance(cls, type) and issubclass(cls, (float, complex, *_numpy_scalars())):
        number = raw_namespace(data).__backend__.to_numpy(data).item()
        convert: Any = cls
        return number if isinstance(number, complex) and not issubclass(cls, complex) else convert(number)
    return data


def _numpy_scalars() -> tuple[type, ...]:
    numpy = sys.modules.get("numpy")
    return () if numpy is None else (numpy.generic,)


def is_number(x: Any) -> bool:
    """Whether `x` is a float, a complex or a NumPy scalar."""
    return isinstance(x, (float, complex)) or is_numpy_scalar(x)


def zeros(x: Tensor) -> Tensor:
    """Zeros of the shape, dtype and device of `x`."""
    return wrap(raw_namespace(x._data).zeros_like(x._data))


def dtype_name(data: Any) -> str:
    """The name of the dtype of a raw array."""
    return dtype_of(data.dtype).name


def type_name(x: Any) -> str:
    """The name of the type of `x`."""
    return type(x).__name__


def a_type(x: Any) -> str:
    """The name of the type of `x` with its article: "a list"."""
    name = type_name(x)
    return "None" if x is None else f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def check_callable(caller: str, f: Any) -> Any:
    """`f`; raises TypeError if it cannot be called."""
    if not callable(f):
        raise TypeError(f"{caller}: takes a function, not {a_type(f)}; write {caller}(f), not {caller}(f(x))")
    return f


def positions(caller: str, argnums: Any, count: int) -> tuple[int, ...]:
    """The positions of `argnums` among `count` arguments, counted from 0."""
    if argnums.__class__ is int and 0 <= argnums < count:  # the usual case
        return (argnums,)
    requested = argnums if isinstance(argnums, (tuple, list)) else (argnums,)
    if not requested:
        raise ValueError(f"{caller}: argnums is {argnums}, and names no argument")
    for i in requested:
        if not hasattr(i, "__index__") or isinstance(i, bool):
            raise TypeError(f"{caller}: argnums is {argnums!r}, but must be an integer, or a sequence of integers")
        if not -count <= operator.index(i) < count:
            raise ValueError(
                f"{caller}: argnums is {argnums}, but the function was called with {count} positional arguments; pass the "
                "arguments to differentiate by as positional arguments"
            )
    numbers = tuple(operator.index(i) % count for i in requested)
    if len(set(numbers)) != len(numbers):
        raise ValueError(f"{caller}: argnums is {argnums}, and names an argument twice")
    return numbers


def matching(
    caller: str, role: str, of: str, values: Any, tensors: Sequence[Tensor], structure: Structure, names: Sequence[str]
) -> list[Tensor]:
    """The arrays in `values` as Tensors; raises if their structure, shapes or dtypes are not those of `tensors`.

    Messages call `values` by their `role` ("cotangent") and by what they belong to, `of` ("the result"); `names` are those of
    `tensors`.
    """
    leaves, nesting = flatten(values)
    if nesting != structure:
        raise ValueError(f"{caller}: the {role} must have the structure of {of} {structure.mismatch(nesting)}")
    out = []
    for v, x, name in zip(leaves, tensors, names):
        data = v._data if isinstance(v, Tensor) else v
        if x.shape == () and (is_number(v) or isinstance(v, int)):
            data = raw_namespace(x._data).__backend__.from_scalar(v.item() if is_numpy_scalar(v) else v, x._data)
        if not hasattr(data, "dtype") or data.shape != x._data.shape or data.dtype != x._data.dtype:
            actual = f"{tuple(data.shape)} {dtype_name(data)}" if hasattr(data, "dtype") else a_type(v)
            raise (TypeError if getattr(data, "shape", None) == x._data.shape else ValueError)(
                f"{caller}: the {role} of {name} is {actual}, but must be {x.shape} {dtype_name(x._data)}"
            )
        out.append(lifted(v if isinstance(v, Tensor) else wrap(data)))
    return out
