"""Write the list of NumPy's functions that Tensors take in docs/coming-from-numpy.md: ``python -m tests.pages.numpy_page``."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import Any

import numpy as np

from xgrad.protocols.numpy_functions import FUNCTIONS
from xgrad.protocols.numpy_ufuncs import takes_ufunc

__all__ = ["covered", "dispatched", "table"]

PAGE = Path(__file__).parents[2] / "docs" / "coming-from-numpy.md"
BEGIN, END = "<!-- generated: begin -->", "<!-- generated: end -->"
PARTS: dict[str, Any] = {"": np, "linalg.": np.linalg, "fft.": np.fft}
ELSEWHERE = {"": "numpy", "linalg.": "numpy.linalg", "fft.": "numpy.fft"}


def dispatched() -> dict[str, Any]:
    """NumPy's public functions that dispatch on their arguments, by name without ``numpy.``."""
    dispatching = (type(np.sum), np.ufunc)
    return {
        part + name: getattr(module, name)
        for part, module in PARTS.items()
        for name in sorted(dir(module))
        if not name.startswith("_") and isinstance(getattr(module, name), dispatching)
    }


def covered() -> list[str]:
    """The names of those that Tensors implement."""
    return [name for name, f in dispatched().items() if (takes_ufunc(f) if isinstance(f, np.ufunc) else name in FUNCTIONS)]


def table() -> str:
    """The generated part of the page."""
    taken, every = covered(), dispatched()
    version = ".".join(np.__version__.split(".")[:2])
    rows = [f"Of the {len(every)} functions of NumPy {version} that dispatch, Tensors take {len(taken)}; the others raise.\n"]
    for title, names in (("Taken", taken), ("Refused", [name for name in every if name not in taken])):
        for part, where in ELSEWHERE.items():
            here = [name for name in names if name.startswith(part) and name.count(".") == part.count(".")]
            if here:
                words = textwrap.fill(" ".join(n.removeprefix(part) for n in here), 126)
                rows.append(f"**{title}, `{where}`** ({len(here)}):\n\n```text\n{words}\n```\n")
    return "\n".join(rows)


if __name__ == "__main__":
    text = PAGE.read_text(encoding="utf-8")
    new = re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}\n\n{table()}\n{END}", text, flags=re.DOTALL)
    PAGE.write_text(new, encoding="utf-8")
