"""The pages under docs/ say what is true: quoted source stands in its file."""

from __future__ import annotations

import ast
import doctest
import re
from pathlib import Path

import pytest

from .harness import standard

ROOT = Path(__file__).parent.parent
QUOTES = [
    (page.name, title, body)
    for page in sorted((ROOT / "docs").glob("*.md"))
    for title, body in re.findall(r'```python title="([^"]+)"\n(.*?)```', page.read_text(encoding="utf-8"), re.DOTALL)
]


@pytest.mark.parametrize(("page", "file", "quote"), QUOTES, ids=[f"{page}-{k}" for k, (page, _, _) in enumerate(QUOTES)])
def test_quoted_source_stands_in_its_file(page, file, quote):
    assert quote.rstrip() in (ROOT / file).read_text(encoding="utf-8")


def test_the_page_about_the_engine_names_what_there_is():
    """Each file and each function in code spans of docs/engine-in-one-sitting.md exists in the core."""
    text = (ROOT / "docs" / "engine-in-one-sitting.md").read_text(encoding="utf-8")
    spans = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))
    files = [span for span in spans if re.fullmatch(r"[a-z]+/(\w+\.py)?", span)]
    assert len(files) >= 8
    for file in files:
        assert (ROOT / "xgrad" / file).exists() or (ROOT / file).exists(), f"the page names {file}"
    core = [path for part in ("graph", "engine", "tensor") for path in (ROOT / "xgrad" / part).glob("*.py")]
    known = {node.id if isinstance(node, ast.Name) else getattr(node, "name", getattr(node, "attr", getattr(node, "arg", "")))
             for path in core for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))}  # fmt: skip
    for name in (span for span in spans if re.fullmatch(r"_?[a-z]+(_[a-z]+)+|[A-Z][a-z]+", span)):
        assert name in known | {"create_graph", "retain_graph"}, f"the page names {name}"


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_the_coverage_page_lists_every_name_of_the_standard():
    listed = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8"), re.MULTILINE)
    wanted = " ".join([*standard.CHAPTERS.values(), *standard.ADDED.values(), *standard.EXTENSIONS.values()]).split()
    assert sorted(listed) == sorted(wanted), "docs/coverage.md is stale: run python -m nox -s coverage"


def test_the_readme_counts_what_the_coverage_page_counts():
    page = (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    gradients = {name: count for name, count in re.findall(r"^\| (\w+) \S+ \| \d+ \| (\d+) \|", page, re.MULTILINE)}
    total = re.search(r"of the (\d+) differentiable", page)[1]
    row = re.search(r"^\| gradients checked, of the (\d+) differentiable .*$", readme, re.MULTILINE)
    cells = [cell.strip() for cell in row[0].split("|")[2:-1]]
    assert row[1] == total
    assert cells == [gradients["numpy"], cells[1], *(gradients[name] for name in ("torch", "jax", "dask", "strict"))]


NUMBER = re.compile(r"(?<![\w.])-?(\d+\.\d*)(?:e[+-]?\d+)?(?!\d|\.\.\.)")  # that is not cut by an ellipsis
FILES = sorted([*(ROOT / "xgrad").rglob("*.py"), *(ROOT / "docs").glob("*.md"), ROOT / "README.md"])


def examples(file: Path) -> list[doctest.Example]:
    text = file.read_text(encoding="utf-8")
    texts = [text]
    if file.suffix == ".py":
        nodes = [n for n in ast.walk(ast.parse(text)) if isinstance(n, (ast.Module, ast.ClassDef, ast.FunctionDef))]
        texts = [ast.get_docstring(node) or "" for node in nodes]
    return [example for part in texts for example in doctest.DocTestParser().get_examples(part)]


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_example_prints_digits_that_differ_between_processors(file):
    """The last digits depend on the kernels of the library: five of float32 and ten of float64 are printed, or an ellipsis."""
    for example in examples(file):
        single = "Tensor(" in example.want and "dtype=float64" not in example.want
        for match in NUMBER.finditer(example.want):
            digits = len(match[1].replace(".", "").strip("0"))
            assert digits <= (5 if single else 10), (
                f"{example.source.strip()}: {match[0]} has {digits} digits; print {match[0][:7]}..."
            )
