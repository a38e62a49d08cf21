"""A function with derivative rules written by the user: what `custom_vjp` and `custom_jvp` have in common."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Callable, Sequence
from typing import Any

from ..backend.dtypes import dtype_of
from ..backend.find import backend_of, inexact, is_numpy_scalar, raw_namespace
from ..engine.call import class_of
from ..errors import GradientError
from ..graph.declare import Op
from ..graph.recording import interpreters, mode
from ..tensor.tensor import Tensor, wrap
from ..tree import Structure, flatten
from .call import dtype_name, is_number, nested, type_name, zeros
from .custom_in_vmap import CallOnBatch, has_inner_graph, lift_to_same_level
from .transformed import importable_name

__all__ = ["Arguments", "CustomFunction", "as_tensors", "checked", "has_derivative", "zero_tangent"]


class CustomFunction:
    """A function with a rule of its own: the base of `custom_vjp` and `custom_jvp`."""

    def __init__(self, f: Callable[..., Any], decorator: str) -> None:
        functools.update_wrapper(self, f)
        self.f, self.name = f, getattr(f, "__name__", "the function")
        try:
            self.signature: inspect.Signature | None = inspect.signature(f)
        except (TypeError, ValueError):  # some functions written in C have none
            self.signature = None
        for p in self.signature.parameters.values() if self.signature else ():
            if p.kind in (p.KEYWORD_ONLY, p.VAR_KEYWORD):
                raise TypeError(
                    f"{decorator}: {self.name} has the keyword-only parameter {p.name!r}, which a rule cannot take; let it be "
                    "given by position too"
                )
        self.op: Op[..., Any] = Op(lambda xp, *arrays, call: arrays)
        self.op.name = self.name
        self.op.vjp(arrays=lambda g, arrays, y, call: call.pull(g, arrays, y))

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else types.MethodType(self, instance)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}>"

    def __reduce__(self) -> Any:
        return importable_name(self) or (type(self), (self.f,), self.rules())

    def rules(self) -> dict[str, Any]:
        """The rules that were declared, by name, for pickling."""
        raise NotImplementedError

    def __call__(self, *args: Any, **options: Any) -> Any:
        if self.signature is not None:
            bound = self.signature.bind(*args, **options)
            bound.apply_defaults()
            args = bound.args
        elif options:
            raise TypeError(f"{self.name}: give all arguments by position")
        if not mode.get():
            return self.unrecorded(args)
        if interpreters.get():
            args = lift_to_same_level(args)
        arguments = Arguments(args)
        if arguments.tracked:
            return self.record(arguments)
        return CallOnBatch(self, args)() if interpreters.get() and has_inner_graph(args) else self.unrecorded(args)

    def unrecorded(self, args: Sequence[Any]) -> Any:
        """The result of the function, of the types that a recorded call returns: Tensors if an argument is one."""
        result = self.f(*args)
        tensors = [x for arg in args for x in flatten(arg)[0] if isinstance(x, Tensor)]
        if not tensors:
            return result
        leaves, structure = flatten(result)
        cls = class_of(tensors)
        return structure.unflatten([self.tensor(y, tensors[0], cls) for y in leaves])

    def tensor(self, y: Any, like: Tensor, cls: type[Tensor] = Tensor) -> Any:
        """`y` as a Tensor if it is an array or a floating NumPy scalar; else `y`."""
        y = self.number(y, like)
        return wrap(y, None, cls) if not isinstance(y, Tensor) and backend_of(y) is not None else y

    def number(self, y: Any, like: Tensor) -> Any:
        """`y` as a Tensor on the backend and device of `like` if it is a floating NumPy scalar; else `y`."""
        if not is_numpy_scalar(y) or y.dtype.kind not in "fc":
            return y
        backend = raw_namespace(like._data).__backend__
        return wrap(backend.from_python(y.item(), dtype_of(y.dtype), like.device))

    def record(self, arguments: Arguments) -> Any:
        """The result of a call, recorded as one node."""
        raise NotImplementedError

    def declare_on_batch(self, on_batch: Any, call: CallOnBatch) -> None:
        """Declare the rules of `on_batch`, the function that runs `self` on payloads: those of `call`."""
        raise NotImplementedError

    def outputs(self, arguments: Arguments, ys: Sequence[Tensor], at: Sequence[int]) -> list[Any]:
        """The raw arrays of the floating results; within `vmap`, payloads in a graph get their rule there too."""
        args = arguments.rebuild(arguments.detached())
        if not interpreters.get() or not has_inner_graph(args):
            return [ys[k]._data for k in at]
        leaves = flatten(CallOnBatch(self, args)())[0]
        return [leaves[k]._data for k in at]

    def results(self, source: str, result: Any, like: Tensor) -> tuple[list[Any], Structure, list[int]]:
        """The leaves of `result`, with Tensors for arrays, its structure, and the indices of the floating leaves.

        `source` is the name, in messages, of the function that returned it.
        """
        leaves, structure = flatten(result)
        at = []
        for k, y in enumerate(leaves):
            y = self.tensor(y, like)
            if isinstance(y, (float, complex)):
                raise TypeError(
                    f"{self.name}: {source} returned the {type_name(y)} {y}, which carries no gradient; return a Tensor, for "
                    "example xgrad.asarray(y)"
                )
            leaves[k] = y
            if isinstance(y, Tensor) and inexact(y._data):
                at.append(k)
        self.refuse_captured(source, leaves)
        if not at:
            raise TypeError(f"{self.name}: {source} returned no floating Tensor or array, so it has no derivative")
        return leaves, structure, at

    def refuse_captured(self, source: str, leaves: Sequence[Any]) -> None:
        """Raise if one of `leaves`, which `source` returned, depends on a captured tensor."""
        for y in leaves:
            if isinstance(y, Tensor) and y._node is not None:
                raise GradientError(
                    f"{self.name}: {source} used a tensor that requires grad and is not among the arguments "
                    f"({y._node.name} at {y._node.line}); its gradient would be lost: make it an argument, or use "
                    "xgrad.stop_gradient"
                )


class Arguments:
    """The arguments of a call, flattened. `tracked` are the indices of the Tensors that are part of a graph."""

    def __init__(self, args: Sequence[Any]) -> None:
        parts = [flatten(arg) for arg in args]
        self.structures = [structure for _, structure in parts]
        self.leaves = [leaf for leaves, _ in parts for leaf in leaves]
        self.names = [f"argument {i}{path}" for i, structure in enumerate(self.structures) for path in structure.paths]
        self.tracked = [k for k, x in enumerate(self.leaves) if isinstance(x, Tensor) and x._node is not None]
        self.nodes = [self.leaves[k]._node for k in self.tracked]
        self.cls = class_of(self.leaves)
        self.arrays = [self.leaves[k]._data for k in self.tracked]
        for k in self.tracked:
            self.leaves[k] = None  # the node saves those that the rule needs

    def detached(self) -> list[Any]:
        """The leaves, with new Tensors without a graph."""
        return self.filled([wrap(array) for array in self.arrays])

    def filled(self, tensors: Sequence[Tensor]) -> list[Any]:
        """The leaves, with `tensors` in place of the tracked ones."""
        leaves = [wrap(x._data) if isinstance(x, Tensor) else x for x in self.leaves]
        for k, x in zip(self.tracked, tensors):
            leaves[k] = x
        return leaves

    def rebuild(self, leaves: Sequence[Any]) -> tuple[Any, ...]:
        """The arguments, made of `leaves`."""
        return tuple(nested(self.structures, leaves))


def as_tensors(arrays: Sequence[Any]) -> list[Tensor]:
    """Raw arrays or Tensors as new Tensor objects; Tensors keep their node."""
    return [wrap(x._data, x._node) if isinstance(x, Tensor) else wrap(x) for x in arrays]


def checked(name: str, role: str, v: Any, of: str, shape: Any, dtype: Any, record: bool) -> Tensor:
    """The cotangent or tangent `v` that a user's rule returned, as a Tensor; raises if its shape or dtype is wrong."""
    data = v._data if isinstance(v, Tensor) else v
    if shape == () and (is_number(v) or type(v) is int):
        raise TypeError(f"{name}: {role} of {of} is the {type_name(v)} {v}; return a Tensor, such as xgrad.zeros_like(x)")
    if not isinstance(v, Tensor) and backend_of(v) is None:
        raise TypeError(f"{name}: {role} of {of} is a {type_name(v)}, but must be a Tensor")
    if tuple(data.shape) != tuple(shape):
        raise ValueError(
            f"{name}: {role} of {of} has shape {tuple(data.shape)}, but {of} has shape {tuple(shape)}; they must be equal"
        )
    if data.dtype != dtype:
        expected = str(dtype).rpartition(".")[2]
        raise TypeError(
            f"{name}: {role} of {of} is of dtype {dtype_name(data)}, but {of} is of dtype {expected}; they must be equal"
        )
    if record and not isinstance(v, Tensor):
        raise GradientError(
            f"{name}: {role} of {of} is a raw array, which no further derivative can see through; compute it from Tensors "
            "with xgrad's functions"
        )
    return v if isinstance(v, Tensor) else wrap(v)


def has_derivative(x: Any) -> bool:
    """Whether the residual `x` is a floating array or Tensor, which may depend on the arguments."""
    if isinstance(x, Tensor):
        return inexact(x._data)
    return not is_numpy_scalar(x) and backend_of(x) is not None and inexact(x)


def zero_tangent(x: Any) -> Any:
    """The tangent of an argument that is held fixed: zeros, or None if it is not floating."""
    if is_number(x):
        return 0.0
    data = x._data if isinstance(x, Tensor) else x
    if not hasattr(data, "dtype") or (not isinstance(x, Tensor) and backend_of(x) is None) or not inexact(data):
        return None
    return zeros(x if isinstance(x, Tensor) else wrap(data))
