"""Drawings: what they say as text, with and without the programs that make pictures of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import xgrad
from xgrad import visualize
from xgrad.value import Value
from xgrad.visualize import draw_curves, draw_dot, mermaid

needs_graphviz = pytest.mark.skipif(
    shutil.which("dot") is None and shutil.which("graphviz-pure") is None, reason="Graphviz is not installed"
)


@pytest.fixture
def z():
    x, y = Value(2.0, name="x"), Value(-3.0, name="y")
    z = x * y + x
    z.name = "z"
    z.backward()
    return z


def test_every_value_shows_its_name_data_and_gradient(z):
    source = draw_dot(z).source
    for box in ("x | data 2 | grad -2", "y | data -3 | grad 2", "{ data -6 | grad 1", "z | data -4 | grad 1"):
        assert box in source
    assert 'label="multiply"' in source and 'label="add"' in source
    assert source.count("->") == 6


def test_constants_are_drawn():
    source = draw_dot((Value(2.0) * 3.0 + np.float32(1.5)).relu()).source
    assert "{ data 3 }" in source and "{ data 1.5 }" in source and 'label="relu"' in source


def test_plain_tensors_show_what_they_keep(backend, device):
    with xgrad.use_backend(backend):
        x = xgrad.Tensor([1.0, 2.0], device=device, requires_grad=True, name="x")
    y = x * x
    source = draw_dot(y).source
    assert "x | data [1, 2] | (2,) float32" in source and "data [1, 4] | (2,) float32" in source
    y.backward(xgrad.ones_like(y))
    assert "grad [2, 4]" in draw_dot(y).source


def test_large_arrays_show_shape_and_dtype():
    x = Value(np.zeros((10, 10)), name="x")
    source = draw_dot(x * 2).source
    assert "x | (10, 10) float32 | grad known" in source and "data 0" not in source


def test_names_of_parameters_and_of_dead_leaves():
    w = xgrad.Tensor([1.0], requires_grad=True)
    assert "layer.w |" in draw_dot(w * Value(2.0, name="gone"), names={"layer.w": w}).source
    assert "gone |" in draw_dot(w * Value(2.0, name="gone")).source


def test_special_characters_are_escaped():
    source = draw_dot(Value(1.0, name='a|b{c}"<d>\\')).source
    assert r"a\|b\{c\}\"\<d\>\\" in source
    assert "&quot;&lt;d&gt;" in mermaid(Value(1.0, name='"<d>'))


def test_several_roots_and_tensors_without_graph():
    a = Value(1.0, name="a")
    source = draw_dot([a * 2, a * 3]).source
    assert source.count("a |") == 1 and source.count('label="multiply"') == 2
    assert "data 5" in draw_dot(xgrad.Tensor(5.0)).source
    with pytest.raises(TypeError, match="a graph is drawn of a Tensor"):
        draw_dot(5.0)
    with pytest.raises(ValueError, match="rankdir"):
        draw_dot(a, rankdir="RL")


def test_a_long_chain_does_not_recurse():
    y = x = Value(1.0)
    for _ in range(3000):
        y = y + x
    assert draw_dot(y).source.count('label="add"') == 3000


def test_mermaid(z):
    text = mermaid(z)
    assert text.startswith("flowchart LR\n") and "x<br>data 2<br>grad -2" in text and '(["multiply"])' in text


@needs_graphviz
def test_render_writes_the_picture(z, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert draw_dot(z).render("computation_graph") == "computation_graph.svg"
    assert "<svg" in (tmp_path / "computation_graph.svg").read_text()
    draw_dot(z).render(tmp_path / "graph.png", format="png")
    assert (tmp_path / "graph.png").read_bytes()[:4] == b"\x89PNG"
    assert "image/svg+xml" in draw_dot(z)._repr_mimebundle_()
    with pytest.raises(RuntimeError, match="Graphviz failed"):
        draw_dot(z).render("graph", format="nothing")


def test_without_graphviz_it_says_so_and_the_text_remains(z, tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    graph = draw_dot(z)
    with pytest.raises(RuntimeError, match=r"needs the program `dot`.*graphviz-pure.*\.source.*mermaid"):
        graph.render(tmp_path / "graph")
    assert list(tmp_path.iterdir()) == []
    assert graph.source.startswith("digraph") and graph._repr_mimebundle_() == {"text/plain": graph.source}
    assert Path(graph.render(tmp_path / "graph", format="dot")).read_text() == graph.source


def test_a_layout_that_takes_too_long_is_given_up(z, tmp_path, monkeypatch):
    def run(*_, timeout, **__):
        raise subprocess.TimeoutExpired("dot", timeout)

    monkeypatch.setattr(shutil, "which", lambda _: "dot")
    monkeypatch.setattr(visualize.subprocess, "run", run)
    with pytest.raises(TimeoutError, match="within 3 seconds"):
        draw_dot(z).render(tmp_path / "graph", timeout=3)


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_curves(tmp_path, ending):
    pytest.importorskip("matplotlib")
    path = tmp_path / f"curves.{ending}"
    draw_curves({"train loss": [1.0, 0.5], "test loss": [1.0, 0.7], "accuracy": [0.5, 0.9]}, path)
    assert path.stat().st_size > 1000
    draw_curves([{"loss": 1.0}, {"loss": np.float32(0.5), "accuracy": 0.9}], path)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    with pytest.raises(ValueError, match="empty"):
        draw_curves({}, path)


def test_curves_without_matplotlib(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="pip install matplotlib"):
        draw_curves({"loss": [1.0]}, tmp_path / "curves.png")
