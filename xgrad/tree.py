"""Nested containers of arrays: flattened into their arrays, and rebuilt from arrays.

Tuples, lists, dicts, named tuples, dataclasses, `xgrad.nn.Module`s and registered classes are containers; None is an empty
container, and anything else is a leaf. A tuple, a list, a module or a registered container of arrays only needs no other package.
Deeper nesting, dicts, named tuples and dataclasses need optree (``pip install xgrad[tree]``).
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

__all__ = ["Structure", "flatten", "map", "register", "unflatten"]


class Container(NamedTuple):
    """The functions that flatten and rebuild the containers of one class."""

    flatten: Callable[[Any], tuple[Iterable[Any], Any]]
    unflatten: Callable[[Any, Sequence[Any]], Any]
    subclasses: bool


@dataclasses.dataclass(frozen=True)
class _Single:
    """The structure of a container of arrays only, for which optree is not needed.

    `rest` is what the container's `flatten` returned besides the arrays.
    """

    cls: type
    rest: Any


@dataclasses.dataclass(frozen=True)
class Structure:
    """The structure of a container without its arrays. Structures can be compared."""

    spec: Any = None  # None for a single array, a _Single for a container of arrays only, else optree's
    paths: tuple[str, ...] = ("",)  # the place of each array, as Python writes it: "['w'][0]"

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """A container of this structure, filled with `leaves`."""
        leaves = list(leaves)
        if len(leaves) != len(self.paths):
            raise ValueError(f"unflatten: the structure {self} has {len(self.paths)} arrays, but {len(leaves)} were given")
        if self.spec is None:
            return leaves[0]
        if isinstance(self.spec, _Single):
            return _container_of(self.spec.cls).unflatten(self.spec.rest, leaves)  # type: ignore[union-attr]
        import optree

        return optree.tree_unflatten(self.spec, leaves)

    def flatten_up_to(self, tree: Any, name: str = "the container") -> list[Any]:
        """The parts of `tree` in the places of this structure's arrays; if `tree` is None, each part is None.

        Raises
        ------
        ValueError
            If `tree` does not have this structure; the message calls it `name`.
        """
        if self.spec is None:
            return [tree]
        if tree is None:
            return [None] * len(self.paths)
        if isinstance(self.spec, _Single):
            if tree.__class__ is self.spec.cls:
                parts, rest = _container_of(self.spec.cls).flatten(tree)  # type: ignore[union-attr]
                parts = list(parts)
                if len(parts) == len(self.paths) and rest == self.spec.rest:
                    return parts
        else:
            try:
                leaves: list[Any] = self.spec.flatten_up_to(tree)
                return leaves
            except ValueError:
                pass
        try:
            mismatch = self.mismatch(flatten(tree)[1])
        except ImportError:
            mismatch = f"({self}), not a {type(tree).__name__}"
        raise ValueError(f"{name} must have the structure {mismatch}")

    def mismatch(self, other: Structure) -> str:
        """The two structures in words, for a message that `other` should be this one."""
        data = " with other data" if str(other) == str(self) else ""
        return f"({self}), not {other}{data}"

    def __str__(self) -> str:
        if self.spec is None:
            return "a single array"
        if isinstance(self.spec, _Single):
            count = len(self.paths)
            return "None" if self.spec.cls is type(None) else f"a {self.spec.cls.__name__} of {count} array{'s' * (count != 1)}"
        return str(self.spec).removeprefix("PyTreeSpec(").removesuffix(")").partition(", namespace=")[0]


ARRAY = Structure()
"""The structure of a single array."""


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """The arrays in `tree`, in a fixed order (dicts by sorted keys), and its structure; None is an empty container.

    Raises
    ------
    ImportError
        If `tree` needs optree, and optree is not installed.

    Examples
    --------
    >>> import xgrad
    >>> leaves, structure = xgrad.tree.flatten({"b": 3.0, "a": (1.0, [2.0])})
    >>> leaves, structure.paths
    ([1.0, 2.0, 3.0], ("['a'][0]", "['a'][1][0]", "['b']"))
    >>> xgrad.tree.unflatten(structure, [10.0, 20.0, 30.0])
    {'b': 30.0, 'a': (10.0, [20.0])}
    """
    container = _container_of(tree.__class__)
    if container is None and _is_array(tree):
        return [tree], ARRAY
    if container is not None:
        parts, rest = container.flatten(tree)
        parts = list(parts)
        if all(_container_of(part.__class__) is None and _is_array(part) for part in parts):
            return parts, Structure(_Single(tree.__class__, rest), _paths(rest, len(parts)))
    try:
        import optree
    except ImportError:
        if container is not None or isinstance(tree, (tuple, dict)) or _is_dataclass(tree):
            raise ImportError(
                f"this {type(tree).__name__} needs optree, which is not installed: pip install optree; single arrays, and "
                "tuples, lists and modules of arrays only, do not need it"
            ) from None
        return [tree], ARRAY
    leaves, spec = optree.tree_flatten(tree, namespace="xgrad")
    while unknown := {type(leaf) for leaf in leaves if _container_of(type(leaf)) is not None or _is_dataclass(leaf)}:
        with _registering:
            for cls in unknown - _in_optree:
                _register_in_optree(optree, cls)
                _in_optree.add(cls)
        leaves, spec = optree.tree_flatten(tree, namespace="xgrad")
    return leaves, Structure(spec, tuple(accessor.codify("") for accessor in optree.treespec_accessors(spec)))


def unflatten(structure: Structure, leaves: Iterable[Any]) -> Any:
    """A container of this structure, filled with `leaves`; see `flatten`.

    Raises
    ------
    ValueError
        If the number of leaves is wrong.
    """
    return structure.unflatten(leaves)


def map(f: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """`tree` with `f` applied to each of its arrays, together with the arrays in the same place of the other containers.

    Raises
    ------
    ValueError
        If one of `rest` does not have the structure of `tree`.

    Examples
    --------
    >>> import xgrad
    >>> xgrad.tree.map(lambda p, g: p - 0.5 * g, {"a": 1.0, "b": (2.0, 3.0)}, {"a": 2.0, "b": (0.0, 6.0)})
    {'a': 0.0, 'b': (2.0, 0.0)}
    """
    leaves, structure = flatten(tree)
    columns = [leaves, *(structure.flatten_up_to(other, f"tree.map: container {k}") for k, other in enumerate(rest, 1))]
    return structure.unflatten([f(*row) for row in zip(*columns)])


def register(
    cls: type,
    flatten: Callable[[Any], tuple[Iterable[Any], Any]],
    unflatten: Callable[[Any, Sequence[Any]], Any],
    *,
    subclasses: bool = False,
) -> None:
    """Make a class a container, for every transform.

    Parameters
    ----------
    cls : type
        The class.
    flatten : callable
        Takes an object of the class, and returns a pair: its parts, which may be containers, and the other data needed to
        rebuild it. These data are compared (``==``) when two structures are.
    unflatten : callable
        Takes the other data and the parts, and returns the object.
    subclasses : bool
        Whether subclasses are containers too, unless they are registered themselves.

    Raises
    ------
    TypeError
        If `cls` is not a class.
    ValueError
        If `cls` is a container already.

    Examples
    --------
    >>> import xgrad
    >>> class Point:
    ...     def __init__(self, x, y, label):
    ...         self.x, self.y, self.label = x, y, label
    >>> xgrad.tree.register(Point, lambda p: ((p.x, p.y), p.label), lambda label, parts: Point(*parts, label))
    >>> xgrad.grad(lambda p: p.x * p.y)(Point(2.0, 3.0, "p")).y
    2.0
    """
    if not isinstance(cls, type):
        raise TypeError(f"register: the first argument is a class, not {cls!r}")
    if cls in _containers:
        raise ValueError(f"register: {cls.__name__} is a container already")
    _containers[cls] = Container(flatten, unflatten, subclasses)
    _by_class.clear()


_containers: dict[type, Container] = {
    type(None): Container(lambda x: ((), None), lambda _, parts: None, False),
    tuple: Container(lambda x: (x, None), lambda _, parts: tuple(parts), False),
    list: Container(lambda x: (x, None), lambda _, parts: list(parts), False),
}
_by_class: dict[type, Container | None] = {}  # a cache of `_container_of`
_registering = threading.Lock()
_in_optree: set[type] = set()  # the classes that are registered in optree


def _container_of(cls: type) -> Container | None:
    """How to flatten objects of `cls`, or None if it is not a container (or only optree's)."""
    if cls not in _by_class:
        candidates = ((base, _containers[base]) for base in cls.__mro__ if base in _containers)
        _by_class[cls] = next((container for base, container in candidates if base is cls or container.subclasses), None)
    return _by_class[cls]


def _paths(rest: Any, count: int) -> tuple[str, ...]:
    """The paths of the parts of a container of arrays: ``rest.paths`` if there are, else their indices."""
    named = getattr(rest, "paths", None)
    return tuple(named) if named is not None else tuple(f"[{k}]" for k in range(count))


def _is_array(x: Any) -> bool:
    return hasattr(x, "dtype") or isinstance(x, (bool, int, float, complex, str))


def _is_dataclass(x: Any) -> bool:
    return dataclasses.is_dataclass(x) and not isinstance(x, type) and not hasattr(x, "dtype")


def _register_in_optree(optree: Any, cls: type) -> None:
    """Register a container or dataclass in optree, in the namespace of xgrad."""
    container = _container_of(cls)
    if container is None:
        names = tuple(field.name for field in dataclasses.fields(cls))

        def build(_: Any, values: Iterable[Any]) -> Any:
            x: Any = object.__new__(cls)
            for name, value in zip(names, values):
                object.__setattr__(x, name, value)
            return x

        optree.register_pytree_node(
            cls,
            lambda x: ([getattr(x, n) for n in names], None, names),
            build,
            path_entry_type=optree.GetAttrEntry,
            namespace="xgrad",
        )
        return

    def take_apart(x: Any) -> Any:
        parts, rest = container.flatten(x)
        parts = list(parts)
        return parts, rest, _paths(rest, len(parts))

    class Entry(optree.PyTreeEntry):  # type: ignore[misc]
        def codify(self, node: str = "") -> str:
            return f"{node}{self.entry}"

    optree.register_pytree_node(cls, take_apart, container.unflatten, path_entry_type=Entry, namespace="xgrad")
