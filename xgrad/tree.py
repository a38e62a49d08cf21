"""Nested containers of arrays: taken apart into their arrays, and put together again.

Single arrays, and plain tuples and lists of them, need nothing. Containers nested deeper, dicts, named tuples, dataclasses
and whatever users register with optree are optree's work (``pip install xgrad[tree]``).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["Structure", "flatten", "tree_map"]


@dataclasses.dataclass(frozen=True)
class Structure:
    """How a container was built: what is left of it when its arrays are taken out. Two of them can be compared."""

    spec: Any = None  # optree's; None for a single array, and tuple or list for one of nothing but arrays
    paths: tuple[str, ...] = ("",)  # where each array stood, as Python writes it: "['w'][0]"

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """The container again, with `leaves` where its arrays were."""
        if self.spec is None:
            (leaf,) = leaves
            return leaf
        if isinstance(self.spec, type):
            return self.spec(leaves)
        import optree

        return optree.tree_unflatten(self.spec, leaves)


ARRAY = Structure()


def flatten(tree: Any) -> tuple[list[Any], Structure]:
    """The arrays in `tree`, in a fixed order (dicts by their keys), and its structure; None counts as an empty container.

    Raises
    ------
    ImportError
        If `tree` is a deeper container, and optree is not installed.

    Examples
    --------
    >>> from xgrad.tree import flatten
    >>> leaves, structure = flatten({"b": 3.0, "a": (1.0, [2.0])})
    >>> leaves, structure.paths
    ([1.0, 2.0, 3.0], ("['a'][0]", "['a'][1][0]", "['b']"))
    >>> structure.unflatten([10.0, 20.0, 30.0])
    {'b': 30.0, 'a': (10.0, [20.0])}
    """
    if _is_array(tree):
        return [tree], ARRAY
    if tree.__class__ in (tuple, list) and all(map(_is_array, tree)):
        return list(tree), Structure(tree.__class__, tuple(f"[{k}]" for k in range(len(tree))))
    try:
        import optree
    except ImportError:
        if tree is None or isinstance(tree, (tuple, list, dict)) or _is_dataclass(tree):
            raise ImportError(
                f"a {type(tree).__name__} of this kind needs optree, which is not installed: pip install optree; single "
                "arrays, and tuples and lists of nothing else, do without"
            ) from None
        return [tree], ARRAY
    leaves, spec = optree.tree_flatten(tree, namespace="xgrad")
    while unknown := {type(leaf) for leaf in leaves if _is_dataclass(leaf)}:
        for cls in unknown:
            _register(optree, cls)
        leaves, spec = optree.tree_flatten(tree, namespace="xgrad")
    return leaves, Structure(spec, tuple(accessor.codify("") for accessor in optree.treespec_accessors(spec)))


def tree_map(f: Callable[[Any], Any], tree: Any) -> Any:
    """`tree` with `f` applied to each of its arrays.

    Examples
    --------
    >>> from xgrad.tree import tree_map
    >>> tree_map(lambda x: 2 * x, {"a": 1.0, "b": (2.0, 3.0)})
    {'a': 2.0, 'b': (4.0, 6.0)}
    """
    leaves, structure = flatten(tree)
    return structure.unflatten([f(leaf) for leaf in leaves])


def _is_array(x: Any) -> bool:
    return hasattr(x, "dtype") or isinstance(x, (bool, int, float, complex, str))


def _is_dataclass(x: Any) -> bool:
    return dataclasses.is_dataclass(x) and not isinstance(x, type) and not hasattr(x, "dtype")


def _register(optree: Any, cls: type) -> None:
    names = tuple(field.name for field in dataclasses.fields(cls))

    def build(_: Any, values: Iterable[Any]) -> Any:
        made: Any = object.__new__(cls)
        for name, value in zip(names, values):
            object.__setattr__(made, name, value)
        return made

    optree.register_pytree_node(cls, lambda x: ([getattr(x, n) for n in names], None, names), build, namespace="xgrad")
