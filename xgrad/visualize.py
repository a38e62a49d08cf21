"""Pictures: the graph behind a tensor, and the curves of a training run."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .backend.find import raw_namespace
from .graph.node import Leaf, Notes, Output, Several
from .graph.walks import newest_first
from .io import written_whole
from .tensor.tensor import Tensor

__all__ = ["Drawing", "draw_curves", "draw_dot", "mermaid"]


# -------------------------------------------------------------------------------------------------------------- graphs


class Drawing:
    """A graph as text in the DOT language, in `source`, and as a picture, by `render`.

    Jupyter shows it as a picture where Graphviz is installed.
    """

    def __init__(self, source: str) -> None:
        self.source = source

    def render(
        self, filename: str | os.PathLike[str] = "computation_graph", *, format: str = "svg", timeout: float = 60.0
    ) -> str:
        """Write the picture to ``filename.format`` and return that name.

        Parameters
        ----------
        filename : path
            With or without the ending.
        format : str
            ``"svg"``, ``"png"``, ``"pdf"``, or whatever else Graphviz knows; ``"dot"`` writes the text and needs no Graphviz.
        timeout : float
            Seconds after which to give up: the layout of a large graph can take very long.

        Raises
        ------
        RuntimeError
            If Graphviz is not installed, or fails.
        TimeoutError
            If it takes too long.
        """
        path = os.fspath(filename)
        path = path if path.endswith(f".{format}") else f"{path}.{format}"
        picture = self.source.encode() if format == "dot" else self.pipe(format, timeout=timeout)
        with written_whole(path) as temporary, open(temporary, "wb") as file:
            file.write(picture)
        return path

    def pipe(self, format: str = "svg", *, timeout: float = 60.0) -> bytes:
        """The picture itself; arguments and errors as for `render`."""
        program = shutil.which("dot") or shutil.which("graphviz-pure")
        if program is None:
            raise RuntimeError(
                "drawing needs the program `dot` of Graphviz, which is not installed here: install your system's package "
                "graphviz, or `python -m pip install graphviz-pure`. Without it, `.source` is the drawing in the DOT "
                "language, and xgrad.visualize.mermaid(x) a text that many viewers of Markdown draw"
            )
        try:
            done = subprocess.run(
                [program, "-Kdot", f"-T{format}"], input=self.source.encode(), capture_output=True, timeout=timeout, check=False
            )
        except subprocess.TimeoutExpired:
            raise TimeoutError(
                f"Graphviz did not finish within {timeout:g} seconds; draw less, pass a longer timeout=, or use .source"
            ) from None
        if done.returncode or not done.stdout:
            raise RuntimeError(f"Graphviz failed: {done.stderr.decode(errors='replace').strip()[:500]}")
        return done.stdout

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        try:
            return {"image/svg+xml": self.pipe("svg", timeout=20.0).decode(), "text/plain": self.source}
        except (RuntimeError, TimeoutError):
            return {"text/plain": self.source}

    def __str__(self) -> str:
        return self.source

    def __repr__(self) -> str:
        return f"<drawing of {self.source.count('[shape=record')} values; .render(filename) or .source>"


def draw_dot(root: Tensor | Sequence[Tensor], *, names: Mapping[str, Tensor] | None = None, rankdir: str = "LR") -> Drawing:
    """Draw the graph behind a tensor: a box for every value, and before it an ellipse for the op that made it.

    Parameters
    ----------
    root : Tensor or sequence of Tensors
        What the graph leads to.
    names : mapping from names to Tensors, optional
        Names of leaves to show, such as ``dict(model.named_parameters())``; else their `name`.
    rankdir : {"LR", "TB"}
        From left to right or from top to bottom.

    Returns
    -------
    Drawing
        ``.render("computation_graph")`` saves it as SVG and needs Graphviz; ``.source`` does not.

    Notes
    -----
    A box shows the name, the data, the gradient, and shape and dtype of arrays too large to print. A `Tensor` keeps data
    and gradient at leaves and at the root only, a `Value` everywhere.

    Examples
    --------
    >>> from xgrad.value import Value
    >>> from xgrad.visualize import draw_dot
    >>> x = Value(2.0, name='x')
    >>> print(draw_dot(x).source)
    digraph {
      rankdir=LR
      node [fontname="Helvetica", fontsize=10]
      v0 [shape=record, label="{ x | data 2 | grad 0 }", style=filled, fillcolor="#e8f1fa"]
    }
    """
    if rankdir not in ("LR", "TB"):
        raise ValueError(f"draw_dot: rankdir must be 'LR' or 'TB', not {rankdir!r}")
    boxes, calls, edges = _graph(root, names or {})
    lines = ["digraph {", f"  rankdir={rankdir}", '  node [fontname="Helvetica", fontsize=10]']
    for key, rows, color in boxes:
        label = " | ".join(_escaped(row) for row in rows)
        lines.append(f'  {key} [shape=record, label="{{ {label} }}", style=filled, fillcolor="{color}"]')
    lines += [f'  {key} [shape=ellipse, label="{_escaped(op)}"]' for key, op in calls]
    lines += [f"  {a} -> {b}" for a, b in edges]
    return Drawing("\n".join([*lines, "}"]))


def mermaid(root: Tensor | Sequence[Tensor], *, names: Mapping[str, Tensor] | None = None) -> str:
    """The graph behind a tensor as a Mermaid flowchart, a text that GitHub and many other viewers of Markdown draw.

    Parameters as for `draw_dot`.

    Examples
    --------
    >>> from xgrad.value import Value
    >>> from xgrad.visualize import mermaid
    >>> print(mermaid(Value(2.0, name='x')))
    flowchart LR
      v0["x<br>data 2<br>grad 0"]
    """
    boxes, calls, edges = _graph(root, names or {})
    lines = ["flowchart LR"]
    lines += [f'  {key}["{"<br>".join(_entities(row) for row in rows)}"]' for key, rows, _ in boxes]
    lines += [f'  {key}(["{_entities(op)}"])' for key, op in calls]
    lines += [f"  {a} --> {b}" for a, b in edges]
    return "\n".join(lines)


_LEAF_COLOR, _VALUE_COLOR, _ROOT_COLOR, _CONSTANT_COLOR = "#e8f1fa", "#ffffff", "#fdf1dc", "#eeeeee"


def _graph(
    root: Tensor | Sequence[Tensor], names: Mapping[str, Tensor]
) -> tuple[list[tuple[str, list[str], str]], list[tuple[str, str]], list[tuple[str, str]]]:
    """The boxes (key, rows, colour), the calls (key, op) and the edges of the graph behind `root`, oldest first."""
    roots: list[Any] = list(root) if isinstance(root, (list, tuple)) else [root]
    if not roots or not all(isinstance(r, Tensor) for r in roots):
        raise TypeError("a graph is drawn of a Tensor, or of a sequence of Tensors")
    named = {id(t._node): name for name, t in names.items() if t._node is not None}
    tensors = {id(r._node): r for r in roots if r._node is not None}
    boxes: list[tuple[str, list[str], str]] = []
    calls: list[tuple[str, str]] = []
    edges: list[tuple[str, str]] = []
    for i, r in enumerate(r for r in roots if r._node is None):
        boxes.append((f"r{i}", _rows(r._name, r._data, None, r._data.shape, r._data.dtype), _ROOT_COLOR))
    nodes = newest_first({r._node for r in roots if r._node is not None})[::-1]
    keys = {id(node): f"v{i}" for i, node in enumerate(nodes)}
    for node in nodes:
        key, notes = keys[id(node)], node.notes or Notes()
        several = isinstance(node, Several)
        if not several:
            tensor = tensors.get(id(node))
            if isinstance(node, Leaf) and node.owner() is not None:
                tensor = node.owner()
            data = notes.data if tensor is None else tensor._data
            grad = node.grad if isinstance(node, Leaf) else notes.grad
            if grad is None and tensor is not None:
                grad = tensor.grad
            name = named.get(id(node)) or (tensor._name if tensor is not None else None) or notes.name
            color = _LEAF_COLOR if isinstance(node, Leaf) else _ROOT_COLOR if id(node) in tensors else _VALUE_COLOR
            boxes.append((key, _rows(name, data, grad, node.shape, node.dtype), color))
        if isinstance(node, Leaf):
            continue
        if isinstance(node, Output):  # one of several outputs of one call
            edges.append((keys[id(node.parents[0])], key))
            continue
        call = key if several else f"{key}_op"
        calls.append((call, node.name))
        if not several:
            edges.append((call, key))
        constants = notes.constants or []
        for j, parent in enumerate(node.parents):
            if parent is not None:
                edges.append((keys[id(parent)], call))
            elif j < len(constants) and constants[j] is not None:
                value = constants[j]
                raw = value._data if isinstance(value, Tensor) else value
                own = value._name if isinstance(value, Tensor) else None
                rows = _rows(own, raw, None, getattr(raw, "shape", ()), getattr(raw, "dtype", None))
                boxes.append((f"{key}_c{j}", rows, _CONSTANT_COLOR))
                edges.append((f"{key}_c{j}", call))
    return boxes, calls, edges


def _rows(name: str | None, data: Any, grad: Any, shape: Any, dtype: Any) -> list[str]:
    rows = [name] if name else []
    small = _numbers(data)
    if small is not None:
        rows.append(f"data {small}")
    if shape != () or small is None:
        rows.append(f"{tuple(shape)} {_dtype(dtype)}")
    if grad is not None:
        told = _numbers(grad._data)
        rows.append("grad known" if told is None else f"grad {told}")
    return rows


def _dtype(dtype: Any) -> str:
    return str(getattr(dtype, "name", dtype)).rpartition(".")[2]


def _numbers(x: Any) -> str | None:
    """The numbers of a small array or scalar, or None."""
    if x is None:
        return None
    if not hasattr(x, "dtype"):
        return f"{x:.4g}" if isinstance(x, (int, float)) else str(x)
    size = 1
    for n in x.shape:
        size *= n
    if size > 6:
        return None
    host = raw_namespace(x).__backend__.to_numpy(x)
    return _nested(host.tolist())


def _nested(x: Any) -> str:
    if isinstance(x, list):
        return f"[{', '.join(_nested(v) for v in x)}]"
    return f"{x:.4g}" if isinstance(x, float) else str(x)


def _escaped(text: str) -> str:
    for c in '\\{}|<>"':
        text = text.replace(c, f"\\{c}")
    return text.replace("\n", " ")


def _entities(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")


# -------------------------------------------------------------------------------------------------------------- curves


def draw_curves(
    history: Mapping[str, Iterable[float]] | Sequence[Mapping[str, float]], path: str | os.PathLike[str], *, xlabel: str = "epoch"
) -> None:
    """Draw the curves of a training run, those of one quantity in one panel.

    Parameters
    ----------
    history : mapping from names to numbers, or sequence of mappings
        ``{"loss": [...], "test loss": [...], "accuracy": [...]}``, or one ``{"loss": ..., "accuracy": ...}`` per epoch. Names
        that end in the same word share a panel.
    path : path
        Where to write; the ending says the format (``.png``, ``.svg``, ``.pdf``).
    xlabel : str
        What is counted from left to right.

    Raises
    ------
    ImportError
        If Matplotlib is not installed.
    ValueError
        If there is nothing to draw.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.ticker import MaxNLocator
    except ModuleNotFoundError as error:
        raise ImportError("curves need the package matplotlib; python -m pip install matplotlib") from error
    curves: dict[str, tuple[list[int], list[float]]] = {}
    if isinstance(history, Mapping):
        curves = {name: (list(range(1, len(v) + 1)), v) for name, v in ((n, [float(y) for y in ys]) for n, ys in history.items())}
    else:
        for i, facts in enumerate(history, 1):
            for name, y in facts.items():
                xs, ys = curves.setdefault(name, ([], []))
                xs.append(i)
                ys.append(float(y))
    if not any(ys for _, ys in curves.values()):
        raise ValueError("draw_curves: the history is empty; there is nothing to draw")
    panels: dict[str, list[str]] = {}
    for name in curves:
        panels.setdefault(name.replace("_", " ").split()[-1], []).append(name)
    figure = Figure(figsize=(5.0 * len(panels), 3.6), layout="constrained")
    for i, (quantity, members) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, len(panels), i)
        for name in members:
            xs, ys = curves[name]
            axes.plot(xs, ys, marker="o" if len(ys) < 30 else "", markersize=3, label=name.replace("_", " "))
        axes.set_xlabel(xlabel)
        axes.set_ylabel(quantity)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
        if len(members) > 1:
            axes.legend()
    ending = os.path.splitext(os.fspath(path))[1].lstrip(".") or "png"
    with written_whole(path) as temporary:
        figure.savefig(temporary, format=ending, dpi=150)
