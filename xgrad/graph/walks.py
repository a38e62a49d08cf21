"""Orders in which the nodes of a graph are visited."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from ..tensor.tensor import Tensor
from .node import Leaf, Node, node_of

__all__ = ["Route", "route", "frontier", "all_nodes", "between", "newest_first", "reaches_outside"]


def newest_first(roots: Iterable[Node]) -> list[Node]:
    """Every node that `roots` depend on, each after all that use it: a call is always younger than its arguments."""
    found = list(roots)
    seen = set(found)
    for node in found:  # grows while it is walked
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                found.append(parent)
    found.sort(key=age, reverse=True)
    return found


def between(roots: Iterable[Node], inputs: Sequence[Node]) -> dict[Node, None]:
    """The nodes that `roots` depend on and that depend on `inputs`, newest first, without `inputs` themselves."""
    oldest, ends = min(map(age, inputs), default=0), set(inputs)
    found = [node for node in roots if node not in ends]
    seen = ends.union(found)
    for node in found:  # grows while it is walked
        for parent in node.parents:
            if parent is not None and parent.age > oldest and parent not in seen:
                seen.add(parent)
                found.append(parent)
    found.sort(key=age)
    for node in found:
        if not ends.isdisjoint(node.parents):
            ends.add(node)
    return {node: None for node in reversed(found) if node in ends}


age = operator.attrgetter("age")

Route: TypeAlias = list[tuple[Node, list[Node]]]
"""The nodes to walk, oldest first, each with the nodes whose change is not needed any more after it."""


def route(inputs: Sequence[Node], outputs: Sequence[Tensor]) -> Route:
    """The nodes that `outputs` depend on and that depend on `inputs`, for `pushforward`."""
    ends = dict.fromkeys(y._node for y in outputs if y._node is not None)
    seen = {*ends, *inputs}
    found: Route = []
    for node in between(ends, inputs):  # newest first: where a parent is met first, it is used for the last time
        last = {parent for parent in node.parents if parent is not None and parent not in seen}
        seen |= last
        found.append((node, list(last)))
    found.reverse()
    return found


def reaches_outside(outputs: Iterable[Tensor], own: Sequence[Node]) -> bool:
    """Whether the graph of `outputs` goes on beyond the nodes `own`: to older ones, or to a leaf."""
    ends, oldest = set(own), min((node.age for node in own), default=0)
    found = [x._node for x in outputs if x._node is not None]
    seen = set(found)
    for node in found:  # grows while it is walked
        if isinstance(node, Leaf) or node.age < oldest or (node in ends and node.parents[0] is not None):
            return True
        for parent in () if node in ends else node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                found.append(parent)
    return False


def all_nodes(outputs: Sequence[Tensor], inputs: Sequence[Node]) -> Iterable[Node]:
    """The graph of `outputs`, as far as `inputs`."""
    seen = {None, *inputs}
    found = [y._node for y in outputs]
    for node in found:  # grows while it is walked
        if node is not None and node not in seen:
            seen.add(node)
            found += node.parents
            yield node


def frontier(outputs: Iterable[Tensor], start: int) -> list[Node]:
    """The nodes older than `start`, and those alone, that the graph of `outputs` begins with."""
    found = [node_of(x) for x in outputs]
    seen, old = set(found), []
    for node in found:  # grows while it is walked
        if node.age < start:
            old.append(node)
            continue
        for parent in node.parents:
            if parent is not None and parent not in seen:
                seen.add(parent)
                found.append(parent)
    return old
