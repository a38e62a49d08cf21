"""Write docs/forward-mode.md, the forward rules of each op: ``python -m tests.pages.forward_page``."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter, defaultdict
from pathlib import Path

import xgrad
from xgrad.graph.declare import Op
from xgrad.graph.names import registry

PAGE = Path(__file__).parents[2] / "docs" / "forward-mode.md"

HEAD = """# Forward mode: the rules of each op

Written by `python -m tests.pages.forward_page`, not by hand; a test compares it with the ops.

`jvp`, `linearize`, `hvp` and `jacfwd` push tangents through the graph that a call recorded. For each argument, one of
these rules turns a tangent of the argument into a tangent of the output:

* **elementwise**: the rule of reverse mode. It is diagonal, and so its own transpose;
* **linear**: the op itself, applied to the tangent;
* **direct**: a rule of its own;
* **transposed twice**: the pullback of the pullback, on that one node. It needs no declaration, and
  takes several times as long (three times in a net, ten times in a chain of small ops).

An op that is **composed** has forward mode through the ops that it calls; the derivative of others is **zero** wherever
it exists, or there is **none**. A rule of forward mode uses only arrays that the graph saves for reverse mode.

For each row of the table of tests, on every backend, `<u, J v> = <J' u, v>` holds for random `u` and `v` to 1e-10 in float64,
the rules agree with the pullback of the pullback, and second derivatives agree forward over backward, backward over forward
and backward over backward.
"""


def library() -> dict[str, Op]:
    """Every op of xgrad, by name."""
    for module in pkgutil.walk_packages(xgrad.__path__, "xgrad."):
        importlib.import_module(module.name)
    return {name: op for name, op in sorted(registry.items()) if op.source.__module__.startswith("xgrad.")}


def ways(op: Op) -> dict[str, list[str]]:
    """The differentiable arguments, by their kind of forward rule."""
    arguments = defaultdict(list)
    for i, rule, push in zip(op.arrays, op.rules, op.pushes):
        if rule is not None:
            arguments["transposed twice" if push is None else push.way].append(op.names[i])
    return arguments


def cell(op: Op) -> str:
    """The entry of an op in the table."""
    if op.derivative != "rules":
        return {"composite": "composed", "zero": "zero", "none": "none"}[op.derivative]
    arguments = ways(op)
    if len(arguments) == 1:
        return next(iter(arguments))
    return ", ".join(f"{way} in {', '.join(names)}" for way, names in arguments.items())


def page() -> str:
    """The text of the page."""
    ops = library()
    classes = Counter(op.derivative for op in ops.values())
    arguments = Counter(way for op in ops.values() if op.derivative == "rules" for way, names in ways(op).items() for _ in names)
    lines = [
        HEAD,
        f"There are {len(ops)} ops: {classes['rules']} with rules, {classes['composite']} composed, {classes['zero']} with the "
        f"derivative zero, {classes['none']} with none. Of the "
        f"{sum(arguments.values())} arguments that have rules, forward mode is",
        "",
        "| way | arguments |",
        "|---|---|",
        *(f"| {way} | {arguments[way]} |" for way in ("elementwise", "linear", "direct", "transposed twice")),
    ]
    chapters = defaultdict(list)
    for name, op in ops.items():
        chapters[op.source.__module__.removeprefix("xgrad.").removeprefix("ops.")].append(f"| `{name}` | {cell(op)} |")
    for chapter, rows in sorted(chapters.items()):
        lines += ["", f"## {chapter}", "", "| op | forward mode |", "|---|---|", *rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
