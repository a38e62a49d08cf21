"""`Module`: an object that finds the tensors inside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

from .. import tree
from ..backend.dtypes import check_fits, dtype_of
from ..backend.find import find_backend, raw_namespace
from ..graph import memory
from ..graph.node import Leaf
from ..tensor.tensor import Tensor, wrap
from ..transforms.state import STATEFUL

__all__ = ["Module", "Parameter"]


def Parameter(data: Any, *, dtype: Any = None, device: Any = None, name: str | None = None) -> Tensor:
    """A Tensor to be trained: a leaf that requires grad, with memory of its own.

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
    made = Tensor(data.detach() if isinstance(data, Tensor) else data, dtype=dtype, device=device, name=name)
    made._data = raw_namespace(made._data).asarray(made._data, copy=True)
    made.requires_grad_()
    memory.mark_owned(made)
    return made


class Module:
    """Something with parameters. Derive from it, set tensors and other modules as attributes, and write ``forward``.

    The tensors of a module are those in its attributes, in lists, tuples and dicts there, and in modules there; attributes
    whose names begin with an underscore are private and not looked into. Those that require grad are its parameters; the
    others are saved and moved with it, but not trained.

    A module is a container of its parameters for every transform: ``xgrad.grad(loss)(module, x)`` calls `loss` on a copy with
    new tensors for parameters, and returns a module with gradients in their places; see `set_grad`, and `xgrad.tree`.

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

    training: bool = True
    """Whether the module is being trained; `train` and `eval` set it. Dropout looks at it."""
    _stand_ins: tuple[Any, ...] = ()  # in what a transform made of a module: what stands where its parameters were

    def forward(self, *inputs: Any, **options: Any) -> Any:
        """What the module computes; a subclass defines it."""
        raise NotImplementedError(f"{type(self).__name__} defines no forward(...), which says what it computes")

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        return self.forward(*inputs, **options)

    # What is inside.

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """This module, named ``""``, and all modules in it, each once."""
        seen: set[int] = set()
        for name, one in _walk("", self):
            if isinstance(one, Module) and id(one) not in seen:
                seen.add(id(one))
                yield name, one

    def modules(self) -> list[Module]:
        """This module and all modules in it, each once."""
        return [one for _, one in self.named_modules()]

    def named_tensors(self) -> Iterator[tuple[str, Tensor]]:
        """All leaf tensors in it, trained or not; a shared one under each of its names."""
        stand_ins = _ids(self._stand_ins)
        for name, one in _walk("", self):
            if isinstance(one, Tensor) and (one.is_leaf or id(one) in stand_ins):
                yield name, one

    def named_parameters(self) -> Iterator[tuple[str, Tensor]]:
        """The tensors that require grad, with the path to each (``"layers.0.weight"``); each once."""
        seen: set[int] = set()
        stand_ins = _ids(self._stand_ins)
        for name, one in self.named_tensors():
            if (one.requires_grad or id(one) in stand_ins) and id(one) not in seen:
                seen.add(id(one))
                yield name, one

    def parameters(self) -> list[Tensor]:
        """The tensors that require grad, each once: what an optimizer takes."""
        return [one for _, one in self.named_parameters()]

    # Training.

    def zero_grad(self) -> None:
        """Forget the gradients of all parameters."""
        for p in self.parameters():
            p.zero_grad()

    def set_grad(self, gradients: Module) -> None:
        """Have each parameter's ``grad`` be that of the same name in `gradients`: what an optimizer looks at.

        Parameters
        ----------
        gradients : Module
            What `xgrad.grad` returned for this module.

        Raises
        ------
        ValueError
            If its parameters have other names or shapes; then nothing is changed.

        Examples
        --------
        >>> import xgrad
        >>> model = xgrad.nn.Linear(3, 1)
        >>> loss = lambda model, x: xgrad.sum(model(x))
        >>> with xgrad.no_grad():  # or the gradients would have a graph of their own, which leads to the parameters
        ...     gradients = xgrad.grad(loss)(model, xgrad.ones((2, 3)))
        >>> model.set_grad(gradients)
        >>> model.bias.grad
        Tensor([2.])
        """
        own, given = dict(self.named_parameters()), dict(gradients.named_parameters())
        if list(own) != list(given) or any(p.shape != given[name].shape for name, p in own.items()):
            wrong = set(own) ^ set(given) or {name for name, p in own.items() if p.shape != given[name].shape}
            raise ValueError(f"set_grad: the gradients are those of another module; they differ in {', '.join(sorted(wrong))}")
        for name, p in own.items():
            p.grad = given[name].detach()

    def train(self, mode: bool = True) -> Self:
        """Set `training` here and in all modules inside; returns the module."""
        for one in self.modules():
            one.training = mode
        return self

    def eval(self) -> Self:
        """The same as ``train(False)``."""
        return self.train(False)

    def freeze(self) -> Self:
        """Train this module no longer: its parameters stop requiring grad, until `unfreeze`."""
        self._frozen = [*getattr(self, "_frozen", []), *self.parameters()]
        for p in self.parameters():
            p.requires_grad_(False)
        return self

    def unfreeze(self) -> Self:
        """Undo a `freeze` of this module."""
        for p in self.__dict__.pop("_frozen", []):
            p.requires_grad_()
        return self

    # Saving.

    def state_dict(self) -> dict[str, Tensor]:
        """A copy of every tensor in it, by name; training on does not change the copies."""
        return {name: wrap(raw_namespace(p._data).asarray(p._data, copy=True)) for name, p in self.named_tensors()}

    def load_state_dict(self, state: Mapping[str, Any], *, strict: bool = True) -> None:
        """Give the tensors in it these values.

        Parameters
        ----------
        state : mapping from names to Tensors or arrays
            As `state_dict` returns it. Arrays of any backend and floating dtype: each is converted to what it replaces.
        strict : bool
            Whether the names must be exactly those of the module. If not, others are ignored.

        Raises
        ------
        ValueError
            If names are missing or unexpected, shapes differ, or complex numbers are to become real ones; then nothing is
            changed. The message lists them all.

        Examples
        --------
        >>> from xgrad.nn import Linear
        >>> Linear(3, 2).load_state_dict({"weight": [[0.0, 1.0]]})
        Traceback (most recent call last):
        ...
        ValueError: load_state_dict: missing bias; weight has shape (1, 2) but the module's has (3, 2)
        """
        own = dict(self.named_tensors())
        wrong = []
        missing, unexpected = [n for n in own if n not in state], [n for n in state if n not in own]
        if strict and missing:
            wrong.append(f"missing {', '.join(missing)}")
        if strict and unexpected:
            wrong.append(f"unexpected {', '.join(unexpected)}")
        given = {name: state[name] if hasattr(state[name], "shape") else Tensor(state[name]) for name in own if name in state}
        for name, value in given.items():
            kinds = [dtype_of(one.dtype).kind == "complex floating" for one in (value, own[name])]
            if kinds == [True, False]:
                wrong.append(f"{name} is {dtype_of(value.dtype).name} but the module's is {own[name].dtype.name}, which is real")
            if tuple(value.shape) != own[name].shape:
                wrong.append(f"{name} has shape {tuple(value.shape)} but the module's has {own[name].shape}")
        if wrong:
            raise ValueError(f"load_state_dict: {'; '.join(wrong)}")
        loaded = {name: _like(value, own[name]) for name, value in given.items()}
        for name, value in loaded.items():
            own[name]._data = value
            if own[name]._node is not None:
                memory.mark_owned(own[name])

    # Moving.

    def to_backend(self, name: str, device: Any = None) -> Self:
        """Move every tensor in it to another backend, in place; gradients are forgotten. Returns the module."""
        backend = find_backend(name)
        for p in _unique(self):
            here = raw_namespace(p._data).__backend__
            if here is not backend or device is not None:
                host = here.to_numpy(p._data)
                _replace(p, backend.xp.astype(backend.from_numpy(host, device), backend.native_dtype(p.dtype), copy=False))
        return self

    def to_device(self, device: Any) -> Self:
        """Move every tensor in it to another device of its backend, in place; gradients are forgotten. Returns the module."""
        for p in _unique(self):
            _replace(p, raw_namespace(p._data).__backend__.to_device(p._data, device))
        return self

    def astype(self, dtype: Any) -> Self:
        """Convert every floating tensor in it to another floating dtype, in place; forgets gradients. Returns the module."""
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
        """What ``repr`` shows between the parentheses; for subclasses to override."""
        return ""

    def _facts(self) -> str:
        try:
            return self.facts()
        except Exception:
            if self._stand_ins:  # where parameters were, there can be anything
                return "..."
            raise

    def __repr__(self) -> str:
        inside = [(name, one) for name, one in _children(self) if isinstance(one, Module)]
        lines = [f"  ({name}): " + repr(one).replace("\n", "\n  ") for name, one in inside]
        if not lines:
            return f"{type(self).__name__}({self._facts()})"
        return "\n".join([f"{type(self).__name__}({self._facts()}", *lines, ")"])


def _items(one: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(one, Module):
        yield from ((str(k), v) for k, v in vars(one).items() if not k.startswith("_"))
    elif isinstance(one, Mapping):
        yield from ((str(k), v) for k, v in one.items())
    elif isinstance(one, (list, tuple)):
        yield from ((str(i), v) for i, v in enumerate(one))


def _walk(path: str, root: Any) -> Iterator[tuple[str, Any]]:
    # Every module and tensor under `root`, in order, with its path; a cycle is walked once.
    stack: list[tuple[str, Any, tuple[int, ...]]] = [(path, root, ())]
    while stack:
        path, one, above = stack.pop()
        if isinstance(one, (Module, Tensor)):
            yield path, one
        if not isinstance(one, Tensor) and id(one) not in above:
            inside = list(_items(one))
            stack += [(f"{path}.{k}" if path else k, v, (*above, id(one))) for k, v in reversed(inside)]


def _children(module: Module) -> Iterator[tuple[str, Any]]:
    # The modules directly inside, seen through lists, tuples and dicts.
    stack = list(_items(module))[::-1]
    while stack:
        name, one = stack.pop()
        if isinstance(one, Module):
            yield name, one
        elif not isinstance(one, Tensor):
            stack += [(f"{name}.{k}", v) for k, v in reversed(list(_items(one)))]


def _unique(module: Module) -> list[Tensor]:
    return list({id(p): p for _, p in module.named_tensors()}.values())


def _like(value: Any, p: Tensor) -> Any:
    """A new array with the values of `value` and the backend, device and dtype of `p`."""
    raw = value._data if isinstance(value, Tensor) else value
    xp = raw_namespace(p._data)
    if raw_namespace(raw) is not xp:
        raw = xp.__backend__.from_numpy(raw_namespace(raw).__backend__.to_numpy(raw), p.device)
    raw = xp.astype(raw, p._data.dtype)  # a copy
    return xp.__backend__.to_device(raw, p.device)


def _replace(p: Tensor, data: Any) -> None:
    # The leaf's node knows shape and dtype, so it is made anew.
    p._data = data
    if p._node is not None:
        notes, p._node = p._node.notes, Leaf(p)
        p._node.notes = notes


# ------------------------------------------------------------------------------------------------ modules as containers


class _Plan:
    """What a module is besides its parameters. Two are the same if their modules are of one class and name the same ones."""

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
    """A module like that of the plan with `parts` for parameters, one for all places of a shared one.

    Its modules, lists, tuples and dicts are copies, and its other tensors objects of their own, lest a function that sets
    them change the user's.
    """
    stand_ins = tuple(parts)
    made: dict[int, Any] = {id(p): part for p, part in zip(plan.parameters, stand_ins)}

    def copy(one: Any) -> Any:
        if id(one) not in made:
            made[id(one)] = one if not isinstance(one, (Module, Tensor, Mapping, list, tuple)) else build(one)
        return made[id(one)]

    def build(one: Any) -> Any:
        if isinstance(one, Tensor):
            return wrap(one._data, one._node, type(one))
        if isinstance(one, Module):
            new = made[id(one)] = object.__new__(type(one))
            vars(new).update({k: v if k.startswith("_") else copy(v) for k, v in vars(one).items()}, _stand_ins=stand_ins)
            return new
        if isinstance(one, list):
            return [copy(v) for v in one]
        if isinstance(one, tuple):
            return type(one)(*map(copy, one)) if hasattr(one, "_fields") else tuple(map(copy, one))
        return {k: copy(v) for k, v in one.items()}

    return copy(plan.module)  # type: ignore[no-any-return]


tree.register(Module, _take_apart, _put_together, subclasses=True)
STATEFUL[Module] = frozenset({"_stand_ins"})


def _ids(tensors: Iterable[Any]) -> set[int]:
    return {id(x) for x in tensors}
