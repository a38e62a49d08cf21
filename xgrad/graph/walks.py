"""Orders in which the nodes of a graph are visited."""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterable, Sequence
from typing import Any, TypeAlias

from .node import Input, Leaf, Node

__all__ = ["Route", "ancestors", "between", "frontier", "newest_first", "reaches_outside", "route"]

age = operator.attrgetter("age")


def ancestors(roots: Iterable[Node], stop: Collection[Node] = (), since: int = 0) -> list[Node]:
    """`roots` and the nodes that they depend on, each once.

    The search goes not beyond nodes of `stop`, and not beyond nodes older than `since`; those are part of the result.
    """
    nodes = list(dict.fromkeys(roots))
    seen = set(nodes)
    for node in nodes:  # grows while it is walked
        if node.age >= since and node not in stop:
            for parent in node.parents:
                if parent is not None and parent not in seen:
                    seen.add(parent)
                    nodes.append(parent)
    return nodes


def newest_first(roots: Iterable[Node]) -> list[Node]:
    """Every node that `roots` depend on, each after all that use it: a call is always younger than its arguments."""
    nodes = ancestors(roots)
    nodes.sort(key=age, reverse=True)
    return nodes


def between(roots: Iterable[Node], inputs: Sequence[Node]) -> dict[Node, None]:
    """The nodes that `roots` depend on and that depend on `inputs`, newest first, without `inputs` themselves."""
    oldest, reached = min(map(age, inputs), default=0), set(inputs)
    nodes = ancestors(roots, reached.copy(), oldest + 1)
    nodes.sort(key=age)
    order = []
    for node in nodes:
        if node not in reached and not reached.isdisjoint(node.parents):
            reached.add(node)
            order.append(node)
    return dict.fromkeys(reversed(order))


def frontier(roots: Iterable[Node], start: int) -> list[Node]:
    """The nodes older than `start`, and those alone, that the graph of `roots` begins with."""
    return [node for node in ancestors(roots, since=start) if node.age < start]


Route: TypeAlias = list[tuple[Node, list[Node]]]
"""The nodes to walk, oldest first, each with the nodes whose change is not needed any more after it."""


def route(inputs: Sequence[Node], outputs: Sequence[Any]) -> Route:
    """The nodes that the Tensors `outputs` depend on and that depend on `inputs`, for `pushforward`."""
    ends = dict.fromkeys(y._node for y in outputs if y._node is not None)
    seen = {*ends, *inputs}
    steps: Route = []
    for node in between(ends, inputs):  # newest first: where a parent is met first, it is used for the last time
        last = {parent for parent in node.parents if parent is not None and parent not in seen}
        seen |= last
        steps.append((node, list(last)))
    steps.reverse()
    return steps


def reaches_outside(outputs: Iterable[Any], own: Sequence[Node]) -> bool:
    """Whether the graph of the Tensors `outputs` goes on beyond the nodes `own`: to older ones, or to a leaf."""
    ends, oldest = set(own), min(map(age, own), default=0)
    for node in ancestors([x._node for x in outputs if x._node is not None], ends, oldest):
        if node.age < oldest:
            return True
        if node.op is None and (
            isinstance(node, Leaf) or (isinstance(node, Input) and node in ends and node.parents[0] is not None)
        ):
            return True
    return False
