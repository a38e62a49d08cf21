"""Write docs/forward-mode.md: by what each op has forward mode. ``python -m tests.pages.forward_page``; a test compares."""

from __future__ import annotations

import importlib
import pkgutil
from collections import Counter, defaultdict
from pathlib import Path

import xgrad
from xgrad.graph.declare import Op
from xgrad.graph.names import registry

PAGE = Path(__file__).parents[2] / "docs" / "forward-mode.md"

HEAD = """# Forward mode: by what each op has it

Written by `python -m tests.pages.forward_page`, not by hand; a test compares it with the ops that there are.

`jvp`, `linearize`, `hvp` and `jacfwd` push tangents through the graph that a call left. How a change of an argument changes
the output is, argument by argument:

* **elementwise**: the rule for the way back, which is diagonal and so its own transpose;
* **linear**: the op itself, of the change;
* **direct**: a rule of its own;
* **transposed twice**: the pullback of the pullback, on that one node. It takes no declaration, and
  several times as long (three times in a net, ten times in a chain of small ops).

An op that is **composed** has forward mode through the ops that it is made of; the derivative of others is **zero** wherever
it exists, or there is **none**. A rule of forward mode uses what the graph keeps for the way back, and nothing else.

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
    """The arguments that can be differentiated, by the way of forward mode."""
    found = defaultdict(list)
    for i, rule, push in zip(op.arrays, op.rules, op.pushes):
        if rule is not None:
            found["transposed twice" if push is None else push.way].append(op.names[i])
    return found


def told(op: Op) -> str:
    if op.derivative != "rules":
        return {"composite": "composed", "zero": "zero", "none": "none"}[op.derivative]
    found = ways(op)
    return next(iter(found)) if len(found) == 1 else ", ".join(f"{way} in {', '.join(names)}" for way, names in found.items())


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
        chapters[op.source.__module__.removeprefix("xgrad.").removeprefix("ops.")].append(f"| `{name}` | {told(op)} |")
    for chapter, rows in sorted(chapters.items()):
        lines += ["", f"## {chapter}", "", "| op | forward mode |", "|---|---|", *rows]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page())
