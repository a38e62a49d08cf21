"""Processes that tests start: what their environment is, so that they import what this one imports."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["environment"]

ROOT = Path(__file__).parents[2]


def environment(*folders: Path | str, without: tuple[str, ...] = (), **variables: str) -> dict[str, str]:
    """The environment of this process, with xgrad and `folders` before what is on ``PYTHONPATH`` already.

    What is there is kept, whatever is in `without`: packages may be installed in a folder that is on this path alone.
    """
    inherited = os.environ.get("PYTHONPATH")
    path = [str(ROOT), str(ROOT / "backends"), *map(str, folders), *([inherited] if inherited else [])]
    kept = {name: value for name, value in os.environ.items() if name not in without}
    return {**kept, "PYTHONPATH": os.pathsep.join(path), **variables}
