"""`Module`, a container of tensors with a `forward`, and `Parameter`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from .. import tree
from ..backend.dtypes import check_fits, dtype_of
from ..backend.find import find_backend, raw_namespace
from ..backend.transfer import copy_like
from ..graph import memory
from ..graph.node import Leaf
from ..tensor.tensor import Tensor, wrap
from ..transforms.state import STATEFUL

__all__ = ["Module", "Parameter"]


def Parameter(data: Any, *, dtype: Any = None, device: Any = None, name: str | None = None) -> Tensor:
    """A Tensor to be trained: a leaf that requires grad and owns its memory.

    Parameters
    ----------
    data : Tensor, array, scalar or nested sequence of scalars
        The values to start from. They are copied.
    dtype, device, name : optional
        As for `xgrad.Tensor`.

    Examples
    --------
    >>> from xgrad.nn import Parameter
    >>> Parameter([1.0, 2.0])
    Tensor([1., 2.], requires_grad=True)
    """
    parameter = Tensor(data.detach() if isinstance(data, Tensor) else data, dtype=dtype, device=device, name=name)
    memory.assign(parameter, raw_namespace(parameter._data).asarray(parameter._data, copy=True))
    parameter.requires_grad_()
    memory.mark_owned(parameter)
    return parameter


class Module:
    """Something with parameters. Derive from it, set tensors and other modules as attributes, and write ``forward``.

    The tensors of a module are its attributes that are tensors, and those in attributes that are modules, lists, tuples or
    dicts. Attributes whose names begin with an underscore are skipped. Tensors that require grad are its parameters; the
    others are saved and moved with it, but not trained.

    A module is a container of its parameters for every transform: ``xgrad.grad(loss)(module, x)`` calls `loss` on a copy with
    new tensors for parameters, and returns a module with gradients in their places; see `set_grad` and `xgrad.tree`.

    Examples
    --------
    >>> from xgrad.nn import Linear, Module
    >>> class Twice(Module):
    ...     def __init__(self):
    ...         self.layer = Linear(3, 3)
    ...     def forward(self, x):
    ...         return self.layer(self.layer(x))
    >>> [name for name, p in Twice().named_parameters()]
    ['layer.weight', 'layer.bias']
    """

    holds_state = True  # for `xgrad.jit`: what is in it can change from call to call
    training: bool = True
    """Whether the module is being trained; `train` and `eval` set it. `Dropout` reads it."""
    _stand_ins: tuple[Any, ...] = ()  # in a copy that `tree.unflatten` made: the values in place of the parameters

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What the module computes; a subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward(...), which says what it computes")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self.forward(*inputs, **options)

    # What is inside.

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """This module, named ``""``, and all modules in it, each once."""
        seen: set[int] = set()
        for name, item in _walk("", self):
            if isinstance(item, Module) and id(item) not in seen:
                seen.add(id(item))
                yield name, item

    def modules(self) -> list[Module]:
        """This module and all modules in it, each once."""
        return [module for _, module in self.named_modules()]

    def named_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """All leaf tensors in it, trained or not; a shared one under each of its names."""
        stand_ins = _ids(self._stand_ins)
        for name, item in _walk("", self):
            if isinstance(item, Tensor) and (item.is_leaf or id(item) in stand_ins):
                yield name, item

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """The tensors that require grad, with the path to each (``"layers.0.weight"``); each once."""
        seen: set[int] = set()
        stand_ins = _ids(self._stand_ins)
        for name, tensor in self.named_tensors():
            if (tensor.requires_grad or id(tensor) in stand_ins) and id(tensor) not in seen:
                seen.add(id(tensor))
                yield name, tensor

    def parameters(self) -> list[Tensor]:
        """The tensors that require grad, each once: the argument of an optimizer."""
        return [p for _, p in self.named_parameters()]

    # Training.

    def zero_grad(self) -> None:
        """Set the gradients of all parameters to None."""
        for p in self.parameters():
            p.zero_grad()

    def set_grad(self, gradients: Module) -> None:
        """Set the ``grad`` of each parameter, which an optimizer reads, to the parameter of that name in `gradients`.

        Parameters
        ----------
        gradients : Module
            The result of `xgrad.grad` for this module.

        Raises
        ------
        ValueError
            If its parameters have other names or shapes; then nothing is changed.

        Examples
        --------
        >>> import xgrad
        >>> model = xgrad.nn.Linear(3, 1)
        >>> loss = lambda model, x: xgrad.sum(model(x))
        >>> with xgrad.no_grad():  # else the gradients have a graph, which leads to the parameters
        ...     gradients = xgrad.grad(loss)(model, xgrad.ones((2, 3)))
        >>> model.set_grad(gradients)
        >>> model.bias.grad
        Tensor([2.])
        """
        own, grads = dict(self.named_parameters()), dict(gradients.named_parameters())
        if list(own) != list(grads) or any(p.shape != grads[name].shape for name, p in own.items()):
            wrong = set(own) ^ set(grads) or {name for name, p in own.items() if p.shape != grads[name].shape}
            raise ValueError(f"set_grad: the gradients are of another module; names or shapes differ: {', '.join(sorted(wrong))}")
        for name, p in own.items():
            p.grad = grads[name].detach()

    def train(self, mode: bool = True) -> Self:
        """Set `training` here and in all modules inside; returns the module."""
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Call ``train(False)``; returns the module."""
        return self.train(False)

    def freeze(self) -> Self:
        """Stop training this module: its parameters require no grad until `unfreeze`. Returns the module."""
        self._frozen = [*getattr(self, "_frozen", []), *self.parameters()]
        for p in self.parameters():
            p.requires_grad_(False)
        return self

    def unfreeze(self) -> Self:
        """Undo `freeze`. Returns the module."""
        for p in self.__dict__.pop("_frozen", []):
            p.requires_grad_()
        return self

    # Saving.

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of every tensor in it, by name; later training does not change the copies."""
        return {name: wrap(raw_namespace(p._data).asarray(p._data, copy=True)) for name, p in self.named_tensors()}

    def load_state_dict(self, state: Mapping[str, Any], *, strict: bool = True) -> None:
        """Copy values into the tensors in it.

        Parameters
        ----------
        state : mapping from names to Tensors or arrays
            As `state_dict` returns it. Arrays of any backend and floating dtype: each is converted to the backend, device and
            dtype of the tensor.
        strict : bool
            Whether the names must be exactly those of the module. If not, others are ignored.

        Raises
        ------
        ValueError
            If names are missing or unexpected, shapes differ, or complex numbers would become real. The message lists all
            of them, and nothing is changed.

        Examples
        --------
        >>> from xgrad.nn import Linear
        >>> Linear(3, 2).load_state_dict({"weight": [[0.0, 1.0]]})
        Traceback (most recent call last):
        ...
        ValueError: load_state_dict: missing bias; weight has shape (1, 2) but the module's has (3, 2)
        """
        own = dict(self.named_tensors())
        errors = []
        missing, unexpected = [n for n in own if n not in state], [n for n in state if n not in own]
        if strict and missing:
            errors.append(f"missing {', '.join(missing)}")
        if strict and unexpected:
            errors.append(f"unexpected {', '.join(unexpected)}")
        values = {name: state[name] if hasattr(state[name], "shape") else Tensor(state[name]) for name in own if name in state}
        for name, value in values.items():
            dtype = dtype_of(value.dtype)
            if dtype.kind == "complex floating" and own[name].dtype.kind != "complex floating":
                errors.append(f"{name} is {dtype.name} but the module's is {own[name].dtype.name}, which is real")
            if tuple(value.shape) != own[name].shape:
                errors.append(f"{name} has shape {tuple(value.shape)} but the module's has {own[name].shape}")
        if errors:
            raise ValueError(f"load_state_dict: {'; '.join(errors)}")
        arrays = {name: copy_like(value, own[name]._data) for name, value in values.items()}
        for name, array in arrays.items():
            memory.assign(own[name], array)
            if own[name]._node is not None:
                memory.mark_owned(own[name])

    # Moving.

    def to_backend(self, name: str, device: Any = None) -> Self:
        """Move every tensor in it to another backend, in place, without its gradient. Returns the module."""
        backend = find_backend(name)
        for p in _unique(self):
            source = raw_namespace(p._data).__backend__
            if source is not backend or device is not None:
                host = source.to_numpy(p._data)
                _replace(p, backend.xp.astype(backend.from_numpy(host, device), backend.native_dtype(p.dtype), copy=False))
        return self

    def to_device(self, device: Any) -> Self:
        """Move every tensor in it to another device of its backend, in place, without its gradient. Returns the module."""
        for p in _unique(self):
            _replace(p, raw_namespace(p._data).__backend__.to_device(p._data, device))
        return self

    def astype(self, dtype: Any) -> Self:
        """Convert every floating tensor in it to another floating dtype, in place, without its gradient. Returns the module."""
        wanted = dtype_of(dtype)
        if not wanted.inexact:
            raise TypeError(f"astype: a module's tensors must stay floating, so dtype cannot be {wanted.name}")
        for name, p in self.named_tensors():
            check_fits(f"astype: {name}", p.dtype if p.dtype.inexact else wanted, wanted)
        for p in _unique(self):
            if p.dtype.inexact:
                xp = raw_namespace(p._data)
                _replace(p, xp.astype(p._data, xp.__backend__.native_dtype(wanted)))
        return self

    # How it prints.

    def facts(self) -> str:
        """The text between the parentheses of ``repr``, for subclasses to override."""
        return ""

    def _facts(self) -> str:
        try:
            return self.facts()
        except Exception:
            if self._stand_ins:  # these may be any objects
                return "..."
            raise

    def __repr__(self) -> str:
        lines = [f"  ({name}): " + repr(module).replace("\n", "\n  ") for name, module in _children(self)]
        if not lines:
            return f"{type(self).__name__}({self._facts()})"
        return "\n".join([f"{type(self).__name__}({self._facts()}", *lines, ")"])


def _items(container: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(container, Module):
        yield from ((str(k), v) for k, v in vars(container).items() if not k.startswith("_"))
    elif isinstance(container, Mapping):
        yield from ((str(k), v) for k, v in container.items())
    elif isinstance(container, (list, tuple)):
        yield from ((str(i), v) for i, v in enumerate(container))


def _walk(path: str, root: Any) -> Iterator[tuple[str, Any]]:
    # Every module and tensor in `root`, in order, with its path; a cycle is walked once.
    stack: list[tuple[str, Any, tuple[int, ...]]] = [(path, root, ())]
    while stack:
        path, item, ancestors = stack.pop()
        if isinstance(item, (Module, Tensor)):
            yield path, item
        if not isinstance(item, Tensor) and id(item) not in ancestors:
            children = list(_items(item))
            stack += [(f"{path}.{k}" if path else k, v, (*ancestors, id(item))) for k, v in reversed(children)]


def _children(module: Module) -> Iterator[tuple[str, Module]]:
    # The modules directly in this one, also those in its lists, tuples and dicts.
    stack = list(_items(module))[::-1]
    while stack:
        name, item = stack.pop()
        if isinstance(item, Module):
            yield name, item
        elif not isinstance(item, Tensor):
            stack += [(f"{name}.{k}", v) for k, v in reversed(list(_items(item)))]


def _unique(module: Module) -> list[Tensor]:
    return list({id(p): p for _, p in module.named_tensors()}.values())


def _replace(p: Tensor, array: Any) -> None:
    memory.assign(p, array)
    if p._node is not None:  # a new leaf, of the shape and dtype of the new array
        notes, p._node = p._node.notes, Leaf(p)
        p._node.notes = notes


# ------------------------------------------------------------------------------------------------ modules as containers


class _Plan:
    """A module without its parameters. Two are equal if the modules have the same class and names of parameters."""

    def __init__(self, module: Module) -> None:
        named = list(module.named_parameters())
        self.module = module
        self.names = tuple(name for name, _ in named)
        self.paths = tuple("".join(f"[{k}]" if k.isdigit() else f".{k}" for k in name.split(".")) for name in self.names)
        self.parameters = [p for _, p in named]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Plan) and type(self.module) is type(other.module) and self.names == other.names

    def __hash__(self) -> int:
        return hash(self.names)

    def __repr__(self) -> str:
        return type(self.module).__name__


def _take_apart(module: Module) -> tuple[list[Tensor], _Plan]:
    plan = _Plan(module)
    return plan.parameters, plan


def _put_together(plan: _Plan, parts: Sequence[Any]) -> Module:
    """A copy of the plan's module with `parts` in place of the parameters; a shared parameter has one part.

    Modules, lists, tuples and dicts in it are copied. Its other tensors are new objects, so that a function that sets them
    does not change the user's.
    """
    stand_ins = tuple(parts)
    copies: dict[int, Any] = {id(p): part for p, part in zip(plan.parameters, stand_ins)}

    def copy(item: Any) -> Any:
        if id(item) not in copies:
            copies[id(item)] = build(item) if isinstance(item, (Module, Tensor, Mapping, list, tuple)) else item
        return copies[id(item)]

    def build(item: Any) -> Any:
        if isinstance(item, Tensor):
            return wrap(item._data, item._node, type(item))
        if isinstance(item, Module):
            new = copies[id(item)] = object.__new__(type(item))  # noted first: the module may contain itself
            vars(new).update({k: v if k.startswith("_") else copy(v) for k, v in vars(item).items()}, _stand_ins=stand_ins)
            return new
        if isinstance(item, list):
            return [copy(v) for v in item]
        if isinstance(item, tuple):
            return type(item)(*map(copy, item)) if hasattr(item, "_fields") else tuple(map(copy, item))
        return {k: copy(v) for k, v in item.items()}

    return copy(plan.module)  # type: ignore[no-any-return]


tree.register(Module, _take_apart, _put_together, subclasses=True)
STATEFUL[Module] = frozenset({"_stand_ins"})


def _ids(tensors: Iterable[Any]) -> set[int]:
    return {id(x) for x in tensors}
