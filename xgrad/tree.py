"""Nested containers of arrays: taken apart into their arrays, and put together again.

Tuples, lists, dicts, named tuples, dataclasses, `xgrad.nn.Module`s, and whatever is registered here are containers; None is
an empty one, and everything else is a leaf. A single container of nothing but arrays needs nothing else; what is nested
deeper is optree's work (``pip install xgrad[tree]``), and so are dicts, named tuples and dataclasses.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

__all__ = ["Structure", "flatten", "map", "register", "unflatten"]


class _Kind(NamedTuple):
    """How containers of one class are taken apart and put together."""

    flatten: Callable[[Any], tuple[Iterable[Any], Any]]
    unflatten: Callable[[Any, Sequence[Any]], Any]
    subclasses: bool


@dataclasses.dataclass(frozen=True)
class _Single:
    """The structure of one container of nothing but arrays, for which optree is not needed."""

    cls: type
    rest: Any

    def __str__(self) -> str:
        return f"a {self.cls.__name__} of arrays"


@dataclasses.dataclass(frozen=True)
class Structure:
    """How a container was built: what is left of it when its arrays are taken out. Two of them can be compared."""

    spec: Any = None  # None for a single array; of one container of arrays a _Single; else optree's
    paths: tuple[str, ...] = ("",)  # where each array stood, as Python writes it: "['w'][0]"

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """The container again, with `leaves` where its arrays were."""
        leaves = list(leaves)
        if len(leaves) != len(self.paths):
            raise ValueError(f"unflatten: the structure {self} has {len(self.paths)} arrays, but {len(leaves)} were given")
        if self.spec is None:
            return leaves[0]
        if isinstance(self.spec, _Single):
            return _kind_of(self.spec.cls).unflatten(self.spec.rest, leaves)  # type: ignore[union-attr]
        import optree

        return optree.tree_unflatten(self.spec, leaves)

    def flatten_up_to(self, tree: Any, what: str = "the container") -> list[Any]:
        """What stands in `tree` where this structure has its arrays; None stands for as many of it as belong there.

        Raises
        ------
        ValueError
            If `tree` is not built like this, with a message about `what`.
        """
        if self.spec is None:
            return [tree]
        if tree is None:
            return [None] * len(self.paths)
        if isinstance(self.spec, _Single):
            if tree.__class__ is self.spec.cls:
                parts, rest = _kind_of(self.spec.cls).flatten(tree)  # type: ignore[union-attr]
                parts = list(parts)
                if len(parts) == len(self.paths) and rest == self.spec.rest:
                    return parts
        else:
            try:
                found: list[Any] = self.spec.flatten_up_to(tree)
                return found
            except ValueError:
                pass
        raise ValueError(f"{what} must be nested as that of which it is, {self}, not {_told(tree)}")

    def __str__(self) -> str:
        if self.spec is None:
            return "a single array"
        if isinstance(self.spec, _Single):
            return "None" if self.spec.cls is type(None) else f"{self.spec} ({len(self.paths)} of them)"
        return str(self.spec).removeprefix("PyTreeSpec(").removesuffix(")").partition(", namespace=")[0]


def _told(tree: Any) -> str:
    try:
        return str(flatten(tree)[1])
    except ImportError:
        return f"a {type(tree).__name__}"


ARRAY = Structure()


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """The arrays in `tree`, in a fixed order (dicts by their keys), and its structure; None counts as an empty container.

    Raises
    ------
    ImportError
        If `tree` is a deeper container, and optree is not installed.

    Examples
    --------
    >>> import xgrad
    >>> leaves, structure = xgrad.tree.flatten({"b": 3.0, "a": (1.0, [2.0])})
    >>> leaves, structure.paths
    ([1.0, 2.0, 3.0], ("['a'][0]", "['a'][1][0]", "['b']"))
    >>> xgrad.tree.unflatten(structure, [10.0, 20.0, 30.0])
    {'b': 30.0, 'a': (10.0, [20.0])}
    """
    kind = _kind_of(tree.__class__)
    if kind is None and _is_array(tree):
        return [tree], ARRAY
    if kind is not None:
        parts, rest = kind.flatten(tree)
        parts = list(parts)
        if all(_kind_of(part.__class__) is None and _is_array(part) for part in parts):
            return parts, Structure(_Single(tree.__class__, rest), _paths(rest, len(parts)))
    try:
        import optree
    except ImportError:
        if kind is not None or isinstance(tree, (tuple, dict)) or _is_dataclass(tree):
            raise ImportError(
                f"a {type(tree).__name__} of this kind needs optree, which is not installed: pip install optree; single "
                "arrays, and tuples, lists and modules of nothing else, do without"
            ) from None
        return [tree], ARRAY
    leaves, spec = optree.tree_flatten(tree, namespace="xgrad")
    while unknown := {type(leaf) for leaf in leaves if _kind_of(type(leaf)) is not None or _is_dataclass(leaf)}:
        with _telling:
            for cls in unknown - _told_of:
                _tell(optree, cls)
                _told_of.add(cls)
        leaves, spec = optree.tree_flatten(tree, namespace="xgrad")
    return leaves, Structure(spec, tuple(accessor.codify("") for accessor in optree.treespec_accessors(spec)))


def unflatten(structure: Structure, leaves: Iterable[Any]) -> Any:
    """The container of this structure with `leaves` where its arrays were; see `flatten`.

    Raises
    ------
    ValueError
        If there are more or fewer of them than there were arrays.
    """
    return structure.unflatten(leaves)


def map(f: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """`tree` with `f` applied to each of its arrays, and to those at the same place in the other containers.

    Raises
    ------
    ValueError
        If one of `rest` is not built like `tree`.

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
    """Make a class of your own a container, for every transform.

    Parameters
    ----------
    cls : type
        The class.
    flatten : callable
        Takes an object of it; returns a pair of its parts, which may be containers themselves, and of what else is needed to
        build it. That is compared (``==``) when two structures are.
    unflatten : callable
        Takes the second of these and the parts; returns the object.
    subclasses : bool
        Whether this holds for subclasses too, unless they are registered themselves.

    Raises
    ------
    TypeError
        If `cls` is no class.
    ValueError
        If it is a container already.

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
    if cls in _kinds:
        raise ValueError(f"register: {cls.__name__} is a container already")
    _kinds[cls] = _Kind(flatten, unflatten, subclasses)
    _found.clear()


_kinds: dict[type, _Kind] = {
    type(None): _Kind(lambda x: ((), None), lambda _, parts: None, False),
    tuple: _Kind(lambda x: (x, None), lambda _, parts: tuple(parts), False),
    list: _Kind(lambda x: (x, None), lambda _, parts: list(parts), False),
}
_found: dict[type, _Kind | None] = {}
_telling = threading.Lock()
_told_of: set[type] = set()  # what optree knows


def _kind_of(cls: type) -> _Kind | None:
    if cls not in _found:
        kinds = ((base, _kinds[base]) for base in cls.__mro__ if base in _kinds)
        _found[cls] = next((kind for base, kind in kinds if base is cls or kind.subclasses), None)
    return _found[cls]


def _paths(rest: Any, count: int) -> tuple[str, ...]:
    """Where the parts of a single container stand: what it says itself, or their numbers."""
    named = getattr(rest, "paths", None)
    return tuple(named) if named is not None else tuple(f"[{k}]" for k in range(count))


def _is_array(x: Any) -> bool:
    return hasattr(x, "dtype") or isinstance(x, (bool, int, float, complex, str))


def _is_dataclass(x: Any) -> bool:
    return dataclasses.is_dataclass(x) and not isinstance(x, type) and not hasattr(x, "dtype")


def _tell(optree: Any, cls: type) -> None:
    """Have optree know `cls` too."""
    kind = _kind_of(cls)
    if kind is None:
        names = tuple(field.name for field in dataclasses.fields(cls))

        def build(_: Any, values: Iterable[Any]) -> Any:
            made: Any = object.__new__(cls)
            for name, value in zip(names, values):
                object.__setattr__(made, name, value)
            return made

        optree.register_pytree_node(
            cls,
            lambda x: ([getattr(x, n) for n in names], None, names),
            build,
            path_entry_type=optree.GetAttrEntry,
            namespace="xgrad",
        )
        return

    def take(x: Any) -> Any:
        parts, rest = kind.flatten(x)
        parts = list(parts)
        return parts, rest, _paths(rest, len(parts))

    class Entry(optree.PyTreeEntry):  # type: ignore[misc]
        def codify(self, node: str = "") -> str:
            return f"{node}{self.entry}"

    optree.register_pytree_node(cls, take, kind.unflatten, path_entry_type=Entry, namespace="xgrad")
