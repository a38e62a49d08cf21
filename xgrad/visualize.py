"""Drawings of the graph behind a tensor, and of the curves of a training run."""

from __future__ import annotations

import math
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from .backend.find import raw_namespace
from .graph.node import Leaf, Node, Notes, Output, Several
from .graph.walks import newest_first
from .io import written_whole
from .tensor.tensor import Tensor

__all__ = ["Drawing", "draw_curves", "draw_dot", "mermaid"]


# -------------------------------------------------------------------------------------------------------------- graphs


class Drawing:
    """A graph as text in the DOT language (`source`), and as a picture (`render`).

    Jupyter shows the picture if Graphviz is installed.
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
            The name, with or without the ending.
        format : str
            ``"svg"``, ``"png"``, ``"pdf"``, or another format of Graphviz; ``"dot"`` writes the text and needs no Graphviz.
        timeout : float
            The seconds to wait for Graphviz: the layout of a large graph can take very long.

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
        """The picture as bytes; arguments and errors as for `render`."""
        program = shutil.which("dot") or shutil.which("graphviz-pure")
        if program is None:
            raise RuntimeError(
                "drawing needs the program `dot` of Graphviz, which is not installed here: install your system's package "
                "graphviz, or `python -m pip install graphviz-pure`. Without it, `.source` is the drawing in the DOT "
                "language, and xgrad.visualize.mermaid(x) is text that many viewers of Markdown draw"
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
    """Draw the graph behind a tensor: a box for every value and an ellipse for every call of an op.

    Parameters
    ----------
    root : Tensor or sequence of Tensors
        The results at the end of the graph.
    names : mapping from names to Tensors, optional
        Names for leaves, such as ``dict(model.named_parameters())``. The default is the `name` of each leaf.
    rankdir : {"LR", "TB"}
        From left to right or from top to bottom.

    Returns
    -------
    Drawing
        ``.render("computation_graph")`` saves it as SVG and needs Graphviz; ``.source`` does not.

    Notes
    -----
    A box shows the name, the data, the gradient, and the shape and dtype of an array. Large arrays are not printed. A `Tensor`
    keeps data and gradient only at leaves and at the root, a `Value` at every node.

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


class _Graph(NamedTuple):
    """What a drawing consists of, oldest first."""

    boxes: list[tuple[str, list[str], str]]
    """The key, the rows of text and the color of each value."""
    calls: list[tuple[str, str]]
    """The key and the op of each call."""
    edges: list[tuple[str, str]]
    """The keys of the two ends."""


def _graph(root: Tensor | Sequence[Tensor], names: Mapping[str, Tensor]) -> _Graph:
    """The graph behind one Tensor or several, whose leaves may have names."""
    roots: list[Any] = list(root) if isinstance(root, (list, tuple)) else [root]
    if not roots or not all(isinstance(r, Tensor) for r in roots):
        raise TypeError("a graph is drawn of a Tensor, or of a sequence of Tensors")
    leaf_names = {tensor._node: name for name, tensor in names.items()}
    tensors = {r._node: r for r in roots if r._node is not None}
    nodes = newest_first(tensors)[::-1]
    keys = {node: f"v{i}" for i, node in enumerate(nodes)}
    graph = _Graph([], [], [])
    for i, r in enumerate(r for r in roots if r._node is None):
        graph.boxes.append((f"r{i}", _rows(r._name, r._data, None, r._data.shape, r._data.dtype), _ROOT_COLOR))
    for node in nodes:
        key = keys[node]
        if not isinstance(node, Several):  # which has a box for each of its outputs
            color = _LEAF_COLOR if isinstance(node, Leaf) else _ROOT_COLOR if node in tensors else _VALUE_COLOR
            graph.boxes.append((key, _value_rows(node, tensors.get(node), leaf_names.get(node)), color))
        if isinstance(node, Output):
            graph.edges.append((keys[node.call], key))
        elif isinstance(node, Several):
            _add_call(graph, key, node, keys)
        elif not isinstance(node, Leaf):
            _add_call(graph, f"{key}_op", node, keys)
            graph.edges.append((f"{key}_op", key))
    return graph


def _value_rows(node: Node, tensor: Any, name: str | None) -> list[str]:
    """The text in the box of the value of a node; `tensor` is the root with this node, if there is one."""
    if isinstance(node, Leaf):
        owner = node.owner()
        tensor = tensor if owner is None else owner
    notes = node.notes or Notes()
    data = notes.data if tensor is None else tensor._data
    grad = node.grad if isinstance(node, Leaf) else notes.grad
    if tensor is not None:
        name = name or tensor._name
        grad = tensor.grad if grad is None else grad
    return _rows(name or notes.name, data, grad, node.shape, node.dtype)


def _add_call(graph: _Graph, key: str, node: Node, keys: Mapping[Node, str]) -> None:
    """Add a call and the edges from its arguments, with a box for each constant that a `Value` kept."""
    graph.calls.append((key, node.name))
    constants = node.notes.constants if node.notes is not None else None
    for i, parent in enumerate(node.parents):
        if parent is not None:
            graph.edges.append((keys[parent], key))
        elif constants and i < len(constants) and constants[i] is not None:
            constant, name = constants[i], None
            if isinstance(constant, Tensor):
                constant, name = constant._data, constant._name
            rows = _rows(name, constant, None, getattr(constant, "shape", ()), getattr(constant, "dtype", None))
            graph.boxes.append((f"{keys[node]}_c{i}", rows, _CONSTANT_COLOR))
            graph.edges.append((f"{keys[node]}_c{i}", key))


def _rows(name: str | None, data: Any, grad: Any, shape: Any, dtype: Any) -> list[str]:
    """The text in the box of a value, as rows."""
    rows = [name] if name else []
    numbers = _numbers(data)
    if numbers is not None:
        rows.append(f"data {numbers}")
    if shape != () or numbers is None:
        rows.append(f"{tuple(shape)} {_dtype(dtype)}")
    if grad is not None:
        numbers = _numbers(grad._data)
        rows.append("grad known" if numbers is None else f"grad {numbers}")
    return rows


def _dtype(dtype: Any) -> str:
    return str(getattr(dtype, "name", dtype)).rpartition(".")[2]


def _numbers(x: Any) -> str | None:
    """The text of the numbers of a scalar or small array; None if there is no array or it is large."""
    if x is None:
        return None
    if not hasattr(x, "dtype"):
        return f"{x:.4g}" if isinstance(x, (int, float)) else str(x)
    if math.prod(x.shape) > 6:
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
    """Draw the curves of a training run, with one panel for each quantity.

    Parameters
    ----------
    history : mapping from names to numbers, or sequence of mappings
        ``{"loss": [...], "test loss": [...], "accuracy": [...]}``, or one ``{"loss": ..., "accuracy": ...}`` per epoch. Names
        that end in the same word share a panel.
    path : path
        The file to write; its ending determines the format (``.png``, ``.svg``, ``.pdf``).
    xlabel : str
        The label of the horizontal axis.

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
        for name, values in history.items():
            ys = [float(y) for y in values]
            curves[name] = list(range(1, len(ys) + 1)), ys
    else:
        for i, numbers in enumerate(history, 1):
            for name, y in numbers.items():
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
