"""Write docs/house.md, the map of the package: ``python -m tests.pages.house_page``. A test compares it."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "house.md"

HEAD = """# The house: which file holds what

This page is written by `python -m tests.pages.house_page` from the order of files in `tests/test_house.py` and the first line of
each file. A file imports only files above it, so the page can be read from top to bottom. To learn the engine, read
[Engine in one sitting](engine-in-one-sitting.md) first.
"""


def path_of(module: str) -> Path:
    """The file of a module."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def first_line(module: str) -> str:
    """The first line of a module's docstring."""
    return (ast.get_docstring(ast.parse(path_of(module).read_text())) or "").partition("\n")[0]


def folder_of(module: str) -> str:
    """The folder that a file stands in, as a module; ``xgrad`` for the files at the top."""
    return module if path_of(module).name == "__init__.py" else module.rpartition(".")[0]


def page(order: Sequence[str]) -> str:
    """The text of the page, for the files in this order."""
    lines, current = [HEAD], ""
    for module in order:
        folder = folder_of(module)
        if module in (folder, "xgrad"):
            continue
        if folder != current:
            title = "Public files" if folder == "xgrad" else f"{folder.replace('.', '/')}/"
            text = "At the top of the package." if folder == "xgrad" else first_line(folder)
            lines.append(f"## {title}\n\n{text}\n\n| file | holds |\n|---|---|")
            current = folder
        lines.append(f"| `{module.rpartition('.')[2]}.py` | {first_line(module)} |")
        following = order[order.index(module) + 1 :]
        if not following or folder_of(following[0]) != folder or following[0] == folder:
            lines.append("")
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    from tests.test_house import ORDER

    PAGE.write_text(page(ORDER))
